"""One region, exactly, in chart coordinates: named rows, facets, neighbours, generators, volume.

A row ``(a, b)`` of k + 1 coprime integers stands for ``a·y + b``; it is positive in the region.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.lp.farkas import value_at, values_at
from polyrank.network.composition import activation, beside, preactivation
from polyrank.network.normal_form import unit_name
from polyrank.network.rational import fmpq_from_float, nearest_float
from polyrank.posed.branch import WALL, RowName
from polyrank.posed.double_description import vertices_and_rays
from polyrank.posed.facets import Crossing, facets_of
from polyrank.posed.polytope import Generators, volume
from polyrank.posed.problem import Problem

__all__ = ["Facet", "IntRow", "Region"]

IntRow = tuple[int, ...]

#: In more dimensions floats propose the proofs of facets, for which exact programs take long.
_MANY = 24


class Facet(NamedTuple):
    """One facet of a region.

    Attributes
    ----------
    row : IntRow
        Positive in the region, zero on the facet.
    names : tuple of RowName
        All that carry it, walls first, layer by layer.
    point : fmpq_mat, shape (k, 1)
        In the facet's relative interior.
    """

    row: IntRow
    names: tuple[RowName, ...]
    point: fmpq_mat

    @property
    def is_wall(self) -> bool:
        """Whether a wall of the domain carries it: nothing of the domain is beyond."""
        return self.names[0].layer == WALL


class Region:
    """The region of a codeword through the layers of a problem.

    Parameters
    ----------
    problem : Problem
    codeword : ndarray of bool
        One bit per unit with a hyperplane; only those of the problem's layers are read. It is to
        be the codeword of a region: units without a linear part are taken to have it.
    """

    def __init__(self, problem: Problem, codeword: NDArray[np.bool_]) -> None:
        self.problem = problem
        self.codeword = codeword

    @cached_property
    def rows(self) -> dict[IntRow, tuple[RowName, ...]]:
        """The distinct rows that are not constant, each with what carries it."""
        chart = self.problem.chart
        out: dict[IntRow, list[RowName]] = {}
        for i, row in enumerate(chart.rows):
            out.setdefault(row, []).append(RowName(WALL, i))
        branch = self.problem.branch
        for layer in range(1, self.problem.layers + 1):
            hyperplane = self.problem.network.layers[layer - 1].has_hyperplane
            if not hyperplane.any():
                continue
            active = branch.active(layer, self.codeword)
            table = branch.rows(layer, self.codeword)
            for unit in np.flatnonzero(hyperplane).tolist():
                row = table[unit]
                if any(row[:-1]):
                    inside = row if active[unit] else tuple(-v for v in row)
                    out.setdefault(inside, []).append(RowName(layer, unit))
        return {row: tuple(names) for row, names in out.items()}

    def row(self, name: RowName) -> IntRow:
        """The row of a wall or of a unit, positive in the region."""
        if name.layer == WALL:
            return self.problem.chart.rows[name.number]
        row = self.problem.branch.rows(name.layer, self.codeword)[name.number]
        active = self.problem.branch.active(name.layer, self.codeword)
        return row if active[name.number] else tuple(-v for v in row)

    def is_wall(self, row: IntRow) -> bool:
        """Whether a wall of the domain carries a row."""
        return self.rows[row][0].layer == WALL

    def text(self, row: IntRow) -> tuple[str, ...]:
        """What carries a row, in words: ``"layer K unit i"`` (from 1), or a wall's own name."""
        walls = self.problem.chart.names
        return tuple(
            walls[number] if layer == WALL else unit_name(layer, number)
            for layer, number in self.rows[row]
        )

    def contains(self, y: fmpq_mat) -> bool:
        """Whether a point is strictly inside every row."""
        return all(value > 0 for value in values_at(list(self.rows), y))

    def facets(
        self, inside: fmpq_mat, among: Callable[[RowName], bool] | None = None
    ) -> list[Facet]:
        """All facets; **proves** every other row redundant.

        Parameters
        ----------
        inside : fmpq_mat, shape (k, 1)
            Strictly inside the region.
        among : callable, optional
            Rows of which no name is taken are proved redundant already.
        """
        kept = [row for row, names in self.rows.items() if among is None or any(map(among, names))]
        found: list[Crossing] | None = None
        if inside.nrows() > _MANY:
            from polyrank.posed.redundancy import redundancy  # noqa: PLC0415  (loads HiGHS)

            proposed = redundancy(kept, inside)
            if not proposed.undecided:
                found = list(proposed.facets)
        if found is None:
            found = facets_of(kept, inside)
        return [Facet(one.row, self.rows[one.row], one.point) for one in found]

    def beyond(self, facet: Facet, inside: fmpq_mat) -> fmpq_mat:
        """A point strictly behind a facet and strictly inside every other row, (k, 1).

        It lies on the ray from ``inside`` through the facet's point or is the float64 point next to
        that. The segment from ``inside`` to it leaves the region through the facet's relative
        interior.
        """
        others = [row for row in self.rows if row != facet.row]
        direction = facet.point - inside
        length = fmpq(1)
        for before, at in zip(
            values_at(others, inside), values_at(others, facet.point), strict=True
        ):
            if at < before:
                length = min(length, at / (before - at) / 2)
        q = facet.point + direction * length
        floats = [nearest_float(v) for v in q.entries()]
        if not np.isfinite(floats).all():
            return q
        near = fmpq_mat(len(floats), 1, [fmpq_from_float(v) for v in floats])
        good = value_at(facet.row, near) < 0 and all(v > 0 for v in values_at(others, near))
        return near if good else q

    def across(self, point: fmpq_mat, direction: fmpq_mat) -> NDArray[np.bool_]:
        """The codeword at ``point + ε direction`` for all small ε > 0.

        Values and slopes along the ray go through the network together. If the point lies in the
        relative interior of a facet and the direction leads out of the region, this is the
        codeword of the neighbour: a unit whose value vanishes there vanishes on the whole facet,
        and if its slope vanishes too, it vanishes on the whole neighbour.

        Parameters
        ----------
        point, direction : fmpq_mat, shape (k, 1)

        Returns
        -------
        ndarray of bool, shape (B,)
        """
        chart = self.problem.chart
        state = beside(chart.direction_of(direction), chart.point_of(point))
        bits: list[NDArray[np.bool_]] = [np.zeros(0, dtype=bool)]
        for layer in self.problem.network.layers[: self.problem.layers]:
            z = preactivation(layer, state)
            active = np.array([v > 0 or (v == 0 and s > 0) for s, v in z.tolist()], dtype=bool)
            bits.append(active[layer.has_hyperplane])
            state = activation(layer, z, active.tolist())
        return np.concatenate(bits)

    @property
    def generators(self) -> Generators:
        """Vertices, rays and lines of the closed region."""
        return vertices_and_rays(list(self.rows), self.problem.chart.k)

    @property
    def volume(self) -> fmpq | None:
        """Exact volume in chart coordinates; None if it is infinite or there is none."""
        return volume(self.generators, len(self.rows))
