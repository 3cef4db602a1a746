"""The facets of a polyhedron in many dimensions: floats propose, exact points and sums decide.

Exact linear programs (:mod:`polyrank.posed.facets`) are out of reach with hundreds of coordinates.
Here every row gets one of two proofs, and none a guess. It carries a **facet** if a point on it is
strictly inside every other row: the way there is a ray, or leads to what HiGHS calls an optimum. It
is **redundant** if it is a combination of other rows: HiGHS proposes the multipliers of those with
many coefficients, they are rounded, and what the sum leaves is minimised over the bounds of single
coordinates term by term; or the multipliers are solved for in integers. What floats do not settle
is left to exact programs in moderate dimensions. A row that gets no proof is *undecided*.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from flint import fmpq, fmpq_mat, fmpz_mat
from numpy.typing import NDArray

from polyrank.lp.deadline import OutOfTimeError, elimination_seconds, look
from polyrank.lp.exact import Cell, farkas, nonnegative, strictly_inside
from polyrank.lp.farkas import Multipliers, values_at
from polyrank.lp.highs import OPTIONS, silent_highs
from polyrank.network.rational import fmpq_from_float, nearest_float, nearest_ratio
from polyrank.posed.facets import Crossing

__all__ = ["Redundancy", "redundancy"]

Row = tuple[int, ...]

_DIGITS = 40  # bits of a rounded multiplier
_EXACT_WORK = 10**6  # beyond, an exact linear program is out of reach
_BELOW = -1e-9  # a proposed minimum that makes a row a facet's, relative to its largest coefficient


@dataclass(frozen=True, slots=True, eq=False)
class Redundancy:
    """Which rows carry facets.

    Attributes
    ----------
    facets : tuple of Crossing
        Rows that carry one, each with a point of its relative interior; in the order of the rows.
    undecided : tuple of Row
        Rows without a proof. Every other row is redundant.
    """

    facets: tuple[Crossing, ...]
    undecided: tuple[Row, ...]


def redundancy(rows: Sequence[Row], inside: fmpq_mat) -> Redundancy:
    """The facets of ``{y : a·y + b ≥ 0}``, as far as the time limit of the caller allows.

    Parameters
    ----------
    rows : sequence of Row
        Distinct, in lowest terms, with a ≠ 0.
    inside : fmpq_mat, shape (k, 1)
        Strictly inside every row.

    Notes
    -----
    :func:`polyrank.lp.deadline.time_limit` around the call bounds its time; rows that were not
    reached are undecided then.
    """
    polyhedron = _Polyhedron(rows, inside)
    found: dict[int, fmpq_mat] = {}
    open_rows: list[int] = []
    undecided: list[int] = []
    left = iter(range(len(rows)))
    try:
        for i in left:
            look()
            point = polyhedron.straight_ahead(i)
            if point is not None:
                found[i] = point
            elif not polyhedron.is_behind(i):
                open_rows.append(i)
    except OutOfTimeError:
        undecided = [i, *left]
    programs = _Programs(polyhedron) if open_rows and not undecided else None
    for place, i in enumerate(open_rows):
        try:
            look()
            proved, point = (False, None) if programs is None else programs.decide(i)
        except OutOfTimeError:
            undecided += open_rows[place:]
            break
        if point is not None:
            found[i] = point
        elif not proved:
            undecided.append(i)
    return Redundancy(
        tuple(Crossing(rows[i], found[i]) for i in sorted(found)),
        tuple(rows[i] for i in sorted(undecided)),
    )


class _Polyhedron:
    """Rows with one coefficient, which bound a coordinate, and the others, exactly."""

    def __init__(self, rows: Sequence[Row], inside: fmpq_mat) -> None:
        self.rows, self.inside, self.k = rows, inside, inside.nrows()
        self.coordinates: list[fmpq] = inside.entries()
        self.at = values_at(rows, inside)
        self.axis: dict[int, int] = {}
        self.dense: list[int] = []
        # per coordinate: the tightest rows below and above, and the bounds
        self.bound: dict[tuple[int, bool], int] = {}
        for i, row in enumerate(rows):
            support = [l for l in range(self.k) if row[l]]
            if len(support) > 1:
                self.dense.append(i)
                continue
            (l,) = support
            self.axis[i] = l
            side = (l, row[l] > 0)
            before = self.bound.get(side)
            if before is None or self._distance(i) < self._distance(before):
                self.bound[side] = i
        self.place = {i: r for r, i in enumerate(self.dense)}
        self.table = fmpz_mat(
            len(self.dense), self.k, [v for i in self.dense for v in rows[i][: self.k]]
        )
        self.constants = fmpz_mat(len(self.dense), 1, [rows[i][self.k] for i in self.dense])

    def _distance(self, i: int) -> fmpq:
        l = self.axis[i]
        return self.at[i] / abs(int(self.rows[i][l]))

    def limit(self, l: int, below: bool) -> fmpq | None:
        """The least or the greatest value of a coordinate; None where nothing bounds it."""
        i = self.bound.get((l, below))
        return None if i is None else fmpq(-int(self.rows[i][self.k]), int(self.rows[i][l]))

    def is_behind(self, i: int) -> bool:
        """Whether a row bounds a coordinate behind another one: it is redundant."""
        l = self.axis.get(i)
        return l is not None and self.bound[l, self.rows[i][l] > 0] != i

    def inside_others(self, point: fmpq_mat, i: int) -> bool:
        """Whether a point is strictly inside every row but one."""
        whole, scale = point.numer_denom()
        values = (self.table * whole + self.constants * scale).entries()
        if any(v <= 0 for j, v in zip(self.dense, values, strict=True) if j != i):
            return False
        own = point.entries()
        for (l, below), j in self.bound.items():
            if j == i or own[l] == self.coordinates[l]:
                continue
            limit = self.limit(l, below)
            if limit is not None and not (own[l] > limit if below else own[l] < limit):
                return False
        return True

    def straight_ahead(self, i: int) -> fmpq_mat | None:
        """The foot of the perpendicular onto a row, if it is strictly inside every other row."""
        if self.is_behind(i):
            return None
        row = self.rows[i]
        if i in self.axis:
            l = self.axis[i]
            shift = -self.at[i] / int(row[l])
            if any(self.at[j] + int(self.rows[j][l]) * shift <= 0 for j in self.dense):
                return None
            point = list(self.coordinates)
            point[l] += shift
            return fmpq_mat(self.k, 1, point)
        a = fmpq_mat(self.k, 1, list(row[: self.k]))
        foot = self.inside - a * (self.at[i] / sum(int(v) ** 2 for v in row[: self.k]))
        return foot if self.inside_others(foot, i) else None

    def crossing(self, i: int, direction: fmpq_mat) -> fmpq_mat | None:
        """Where the ray from the point inside meets a row, if that is in its relative interior."""
        fall = -values_at([(*self.rows[i][: self.k], 0)], direction)[0]
        if fall <= 0:
            return None
        point = self.inside + direction * (self.at[i] / fall)
        return point if self.inside_others(point, i) else None

    def is_sum(self, i: int, multipliers: dict[int, int]) -> bool:
        """Whether rows with many coefficients, times integers, and bounds prove a row.

        ``2**_DIGITS`` times the row less the sum, all as multiples in integers, is minimised over
        the bounds of the coordinates; where none bounds one, its coefficient must vanish.
        """
        shifts = {j: _shift(self.rows[j]) for j in (i, *multipliers)}
        top = max(shifts.values())
        weights = [0] * len(self.dense)
        for j, v in multipliers.items():
            weights[self.place[j]] = v << (top - shifts[j])
        own = 1 << (_DIGITS + top - shifts[i])
        sums = (fmpz_mat(1, len(weights), weights) * self.table).entries()
        constant = (fmpz_mat(1, len(weights), weights) * self.constants).entries()
        row = self.rows[i]
        least = fmpq(own * int(row[self.k]) - sum(map(int, constant)))
        for l in range(self.k):
            rest = own * int(row[l]) - int(sums[l])
            if rest == 0:
                continue
            if self.bound.get((l, rest > 0)) == i:
                return False  # the row itself
            limit = self.limit(l, rest > 0)
            if limit is None:
                return False
            least += rest * limit
        return least >= 0


def _shift(row: Row) -> int:
    """The exponent e of the largest coefficient: the row times 2^-e is below one."""
    return max(int(abs(v)).bit_length() for v in row[:-1])


class _Programs:
    """One HiGHS model around the point inside: rows as constraints, bounds as bounds."""

    def __init__(self, polyhedron: _Polyhedron) -> None:
        self.of = polyhedron
        k, dense = polyhedron.k, polyhedron.dense
        scales = [1 << _shift(polyhedron.rows[i]) for i in dense]
        self.table = np.array(
            [
                [nearest_ratio(int(v), scale) for v in polyhedron.rows[i][:k]]
                for i, scale in zip(dense, scales, strict=True)
            ]
        ).reshape(len(dense), k)
        at = [nearest_float(polyhedron.at[i] / s) for i, s in zip(dense, scales, strict=True)]
        self.low = -np.array(at).reshape(len(dense))
        self.bounds = np.array(
            [[self._bound(l, below) for below in (True, False)] for l in range(k)]
        ).reshape(k, 2)
        self.highs: Any = None

    def _bound(self, l: int, below: bool) -> float:
        limit = self.of.limit(l, below)
        if limit is None:
            return -math.inf if below else math.inf
        return nearest_float(limit - self.of.coordinates[l])

    def decide(self, i: int) -> tuple[bool, fmpq_mat | None]:
        """Whether a row is proved redundant, or a point of its facet."""
        proved, point = self._by_floats(i)
        exact = self.of.k**2 * len(self.of.rows) <= _EXACT_WORK
        return (proved, point) if proved or point is not None or not exact else self._exactly(i)

    def _by_floats(self, i: int) -> tuple[bool, fmpq_mat | None]:
        solved = self._solve(i)
        if solved is None:
            return False, None
        value, direction, prices, reduced = solved
        if value < _BELOW:
            way = fmpq_mat(self.of.k, 1, [fmpq_from_float(float(v)) for v in direction])
            return False, self.of.crossing(i, way)
        dense = self.of.dense
        rounded = {
            dense[r]: round(math.ldexp(float(v), _DIGITS))
            for r, v in enumerate(prices)
            if dense[r] != i and v > 0.0
        }
        if self.of.is_sum(i, rounded):
            return True, None
        return self._solved_for(i, prices, reduced), None

    def _solved_for(
        self, i: int, prices: NDArray[np.float64], reduced: NDArray[np.float64]
    ) -> bool:
        """Whether exact multipliers of the proposed rows prove a row."""
        rows = self.of.rows
        tight = [j for r, j in enumerate(self.of.dense) if j != i and prices[r] > 1e-9]
        for l in np.flatnonzero(np.abs(reduced) > 1e-9).tolist():
            j = self.of.bound.get((l, bool(reduced[l] > 0)))
            if j is not None and j != i:
                tight.append(j)
        look(elimination_seconds(len(tight) + 1, self.of.k))
        proof = farkas(rows, tight, rows[i])
        return proof is not None and proof.constant >= 0

    def _exactly(self, i: int) -> tuple[bool, fmpq_mat | None]:
        """By an exact linear program."""
        others = [row for j, row in enumerate(self.of.rows) if j != i]
        cell = Cell.from_rows(others, self.of.k)
        verdict = nonnegative(cell, self.of.rows[i], self.of.inside)
        if isinstance(verdict, Multipliers):
            return True, None
        beyond = strictly_inside(cell, self.of.rows[i], verdict.point, self.of.inside)
        return False, self.of.crossing(i, beyond - self.of.inside)

    def _solve(
        self, i: int
    ) -> tuple[float, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
        """The least value of a row that may fall to −1, the point, prices, reduced costs."""
        of = self.of
        if self.highs is None:
            self.highs = self._model()
        highs, infinite = self.highs, highspy.kHighsInf
        scale = 1 << _shift(of.rows[i])
        if i in of.axis:
            l = of.axis[i]
            costs = np.zeros(of.k)
            costs[l] = nearest_ratio(int(of.rows[i][l]), scale)
            low, high = self.bounds[l].tolist()
            away = 1.0 / abs(costs[l])
            highs.changeColBounds(
                l,
                max(low - (away if costs[l] > 0 else 0.0), -infinite),
                min(high + (away if costs[l] < 0 else 0.0), infinite),
            )
            start = nearest_float(of.at[i] / scale)
        else:
            r = of.place[i]
            costs, start = self.table[r], -float(self.low[r])
            highs.changeRowBounds(r, float(self.low[r]) - 1.0, infinite)
        highs.changeColsCost(of.k, np.arange(of.k, dtype=np.int32), costs)
        run = highs.run()
        status, solution = highs.getModelStatus(), highs.getSolution()
        if i in of.axis:
            highs.changeColBounds(l, max(low, -infinite), min(high, infinite))
        else:
            highs.changeRowBounds(r, float(self.low[r]), infinite)
        if run == highspy.HighsStatus.kError or status != highspy.HighsModelStatus.kOptimal:
            self.highs = None
            return None
        point = np.array(solution.col_value)
        if not np.isfinite(point).all():
            return None
        return (
            float(costs @ point) + start,
            point,
            np.array(solution.row_dual),
            np.array(solution.col_dual),
        )

    def _model(self) -> Any:
        highs, infinite = silent_highs(), highspy.kHighsInf
        for name, value in OPTIONS.items():
            highs.setOptionValue(name, value)
        lower = np.maximum(self.bounds[:, 0], -infinite)
        upper = np.minimum(self.bounds[:, 1], infinite)
        highs.addVars(self.of.k, lower, upper)
        columns = np.arange(self.of.k, dtype=np.int32)
        for low, row in zip(self.low.tolist(), self.table, strict=True):
            there = np.flatnonzero(row).astype(np.int32)
            highs.addRow(low, infinite, len(there), columns[there], row[there])
        return highs
