"""Facets of one region in rational arithmetic, and what lies across a facet.

The rung below the compiled walk: no float decides anything, so it always ends with an answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.exact_cells import ExactCells
from polyrank.cells.task import IDENTICALLY_ZERO, NEGATIVE, POSITIVE
from polyrank.errors import UncertifiedError
from polyrank.lp.exact import Cell, nonnegative, strictly_inside
from polyrank.lp.farkas import Multipliers, integer_row, value_at, verify_farkas
from polyrank.network.rational import fmpq_from_float, nearest_float
from polyrank.posed.problem import Problem

__all__ = ["ExactFacet", "ExactFacets", "RegionRows"]

IntRow = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ExactFacet:
    """One facet of a region.

    Attributes
    ----------
    row : int
        Lowest wall (``0 .. own − 1``) or unit (``walls + unit``) whose hyperplane carries it.
    equation : tuple of int
        Its row in cube coordinates, positive on the region.
    beyond : tuple of fmpq
        Chart point strictly inside every other row and strictly outside this one.
    codeword : ndarray of uint8 or None
        Bits on the other side; None at a wall.
    """

    row: int
    equation: IntRow
    beyond: tuple[fmpq, ...]
    codeword: NDArray[np.uint8] | None


@dataclass(frozen=True, slots=True)
class RegionRows:
    """The distinct rows of a region, positive inside, each with the walls and units it stands for.

    ``always`` are rows that hold everywhere but bound no region (``t ≥ 0`` of the cone).
    """

    rows: dict[IntRow, list[int]]
    always: tuple[IntRow, ...]


class ExactFacets:
    """Exact facets of the regions of a network on a chart."""

    def __init__(self, problem: Problem) -> None:
        self.cells = ExactCells(problem)
        self.net = problem.arrays
        self.cube = problem.cube
        self.layers = problem.layers
        walls = problem.walls
        self.own = problem.chart.A.nrows()
        self.walls = walls.nrows()
        d = self.cube.dim
        table = [integer_row([walls[i, l] for l in range(d + 1)]) for i in range(self.walls)]
        self._own_rows = table[: self.own]
        self._always = tuple(table[self.own : self.own + (self.cube.kind == "homogeneous")])

    def decision(self, bits: NDArray[np.uint8], zero: NDArray[np.uint8]) -> NDArray[np.int8]:
        """Decisions of all units from a codeword, ``(N,)``."""
        plane = self.net.hyperplane
        out = np.full(len(plane), POSITIVE, dtype=np.int8)
        kept = len(plane[plane])
        out[plane] = np.where(bits[:kept] != 0, POSITIVE, NEGATIVE)
        vanish = np.zeros(len(plane), dtype=bool)
        vanish[plane] = zero[:kept] != 0
        out[vanish] = IDENTICALLY_ZERO
        return out

    def region_rows(self, decision: NDArray[np.int8]) -> RegionRows:
        """Walls and the non-constant rows of every unit, proportional ones together."""
        found: dict[IntRow, list[int]] = {}
        for i, row in enumerate(self._own_rows):
            found.setdefault(row, []).append(i)
        start = self.net.unit_start
        for layer in range(self.layers):
            table = self.cells.rows(layer, decision)
            width = table.ncols()
            for i in range(int(self.net.units[layer])):
                g = int(start[layer]) + i
                if not self.net.hyperplane[g] or decision[g] == IDENTICALLY_ZERO:
                    continue
                row = integer_row([table[i, l] for l in range(width)])
                if decision[g] != POSITIVE:
                    row = tuple(-v for v in row)
                if self._constant(row):
                    continue
                found.setdefault(row, []).append(self.walls + g)
        return RegionRows(found, self._always)

    def _constant(self, row: IntRow) -> bool:
        return not any(row[: self.cube.linear_columns])

    def column(self, point: tuple[fmpq, ...]) -> fmpq_mat:
        """Cube coordinates of a chart point, ``(d, 1)``."""
        return fmpq_mat(self.cube.dim, 1, self.cube.to_cube(list(point)))

    def facets(
        self,
        bits: NDArray[np.uint8],
        zero: NDArray[np.uint8],
        witness: tuple[fmpq, ...],
        candidates: set[int] | None = None,
    ) -> list[ExactFacet]:
        """All facets of a region, each proved; every other row is proved redundant.

        Parameters
        ----------
        bits, zero : (N,) codeword and identically vanishing units.
        witness : chart point strictly inside.
        candidates : set of int, optional
            Walls and units outside of which every row is proved redundant already.

        Raises
        ------
        UncertifiedError
            If the witness is not strictly inside: the run is damaged.
        """
        decision = self.decision(bits, zero)
        described = self.region_rows(decision)
        inside = self.column(witness)
        if any(value_at(row, inside) <= 0 for row in described.rows):
            raise UncertifiedError("the witness of a region is not inside it: the run is damaged")
        kept = {
            row: members
            for row, members in described.rows.items()
            if candidates is None or not candidates.isdisjoint(members)
        }
        out: list[ExactFacet] = []
        d = self.cube.dim
        for row in list(kept):
            others = [*described.always, *(other for other in kept if other != row)]
            cell = Cell.from_rows(others, d)
            verdict = nonnegative(cell, row, inside)
            if isinstance(verdict, Multipliers):
                if not verify_farkas(others, row, verdict):
                    raise UncertifiedError("an exact certificate failed its own check")
                del kept[row]
                continue
            q = self._simple(others, row, strictly_inside(cell, row, verdict.point, inside))
            members = described.rows[row]
            beyond = tuple(self.cube.to_chart(q.entries()))
            codeword = None
            if min(members) >= self.own:
                codeword = self.across(decision, row, q)
            out.append(ExactFacet(min(members), row, beyond, codeword))
        return out

    def _simple(self, others: list[IntRow], row: IntRow, point: fmpq_mat) -> fmpq_mat:
        """The float64 chart point next to a point where it does as well, else the point itself."""
        chart = [nearest_float(v) for v in self.cube.to_chart(point.entries())]
        if not np.isfinite(chart).all():
            return point
        near = self.column(tuple(fmpq_from_float(v) for v in chart))
        good = value_at(row, near) < 0 and all(value_at(other, near) > 0 for other in others)
        return near if good else point

    def equation(self, decision: NDArray[np.int8], row: int) -> IntRow:
        """The row of a wall or unit, positive on the region."""
        if row < self.walls:
            return self._own_rows[row]
        g = row - self.walls
        layer = int(np.searchsorted(self.net.unit_start, g, side="right")) - 1
        table = self.cells.rows(layer, decision)
        i = g - int(self.net.unit_start[layer])
        entries = integer_row([table[i, l] for l in range(table.ncols())])
        return entries if decision[g] == POSITIVE else tuple(-v for v in entries)

    def across(
        self, decision: NDArray[np.int8], equation: IntRow, beyond: fmpq_mat
    ) -> NDArray[np.uint8]:
        """Codeword bits on the other side of a facet.

        By continuity a unit that does not vanish on the facet keeps its sign, and the row that any
        other unit has on the other side is a multiple of the facet's row, so that its sign at one
        point beyond the hyperplane is its sign everywhere there.

        Parameters
        ----------
        decision : (N,) decisions of the region.
        equation : row of the facet in cube coordinates, positive on the region.
        beyond : (d, 1) point of cube coordinates where the row is negative.
        """
        start = self.net.unit_start
        minus = tuple(-v for v in equation)
        new = decision.copy()
        for layer in range(self.layers):
            before = self.cells.rows(layer, decision)
            after = self.cells.rows(layer, new)
            width = before.ncols()
            for i in range(int(self.net.units[layer])):
                g = int(start[layer]) + i
                if not self.net.hyperplane[g]:
                    continue
                if decision[g] != IDENTICALLY_ZERO:
                    row = integer_row([before[i, l] for l in range(width)])
                    if row not in (equation, minus):
                        continue
                row = integer_row([after[i, l] for l in range(width)])
                if not any(row):
                    new[g] = IDENTICALLY_ZERO
                    continue
                if row not in (equation, minus):
                    raise UncertifiedError("a unit is not continuous across a facet")
                new[g] = POSITIVE if value_at(row, beyond) > 0 else NEGATIVE
        out: NDArray[np.uint8] = (new[self.net.hyperplane] == POSITIVE).astype(np.uint8)
        return out
