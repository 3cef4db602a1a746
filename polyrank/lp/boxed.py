"""Exact linear programs over a box and a few further rows, in hundreds of dimensions.

A basis of the general simplex method (:mod:`polyrank.lp.exact_simplex`) has as many rows as there
are coordinates. Here a bound of a coordinate is no row: a basis is as many columns as there are
*general* rows that are tight, and every other coordinate is at one of its bounds. The corner of the
box at which the objective is least is dual feasible, so the dual method can start there. It starts
where HiGHS ends, if that basis is dual feasible, exactly: every coordinate goes to the bound that
the sign of its reduced cost asks for, so that only the signs of the tight rows matter. Most often
nothing is left to do. By Bland's rule (the least index leaves, the least index among ties enters)
it ends. All of it is rational, and the answers carry their certificates.

Source: A. Koberstein, "The dual simplex method, techniques for a fast and stable implementation",
2005, chapter 3 (the method with bounds); R. G. Bland, Math. Oper. Res. 2, 1977.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, overload

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.lp.certificates import Infeasible, Minimum, Violation
from polyrank.lp.deadline import look, seconds_left
from polyrank.lp.farkas import Multipliers, Row, integer_row
from polyrank.network.rational import nearest_float, nearest_ratio

__all__ = ["BoxedCell"]


@dataclass(frozen=True, slots=True)
class _Bound:
    """A bound of a coordinate, the row that states it, and the modulus of its coefficient."""

    value: fmpq
    near: float
    row: int
    size: int


class BoxedCell:
    """A cell ``{u : a_i·u + b_i ≥ 0}`` in which coordinates have bounds.

    Parameters
    ----------
    rows : sequence of Row
        Those with one coefficient bound a coordinate.
    d : int

    Notes
    -----
    A coordinate may lack a bound on the side at which no objective holds it: lower, where the
    objective's coefficient is negative, upper, where it is positive; both are needed where it is 0
    and in every other case.
    """

    def __init__(self, rows: Sequence[Row], d: int) -> None:
        self.d = d
        self.rows: list[Row] = []
        self.general: list[int] = []
        self.floats: list[NDArray[np.float64]] = []
        self.low: list[_Bound | None] = [None] * d
        self.high: list[_Bound | None] = [None] * d
        for row in rows:
            self._add(row)

    def extended(self, row: Row) -> Self:
        """The cell with one row more."""
        out = object.__new__(type(self))
        out.d, out.rows, out.general = self.d, list(self.rows), list(self.general)
        out.floats = list(self.floats)
        out.low, out.high = list(self.low), list(self.high)
        out._add(row)
        return out

    def _add(self, row: Row) -> None:
        number = len(self.rows)
        self.rows.append(row)
        linear = row[: self.d]
        if linear.count(0) != self.d - 1:
            self.general.append(number)
            self.floats.append(_scaled(row))
            return
        entry = next(filter(None, linear))
        l, a = linear.index(entry), int(entry)
        side = self.low if a > 0 else self.high
        value = fmpq(-int(row[-1]), a)
        bound = _Bound(value, nearest_float(value), number, abs(a))
        known = side[l]
        if known is None or (bound.value > known.value if a > 0 else bound.value < known.value):
            side[l] = bound

    def minimise(self, objective: Row) -> Minimum | Infeasible:
        """The exact minimum of ``g·u + h``.

        Raises
        ------
        ValueError
            If a coordinate has no bound where the method starts.
        OutOfTimeError
            See :func:`polyrank.lp.deadline.time_limit`.
        """
        return _Program(self, objective).until(None)

    def nonnegative(self, objective: Row) -> Multipliers | Violation | Infeasible:
        """Whether ``g·u + h ≥ 0`` on the cell, and no more than that.

        Raises
        ------
        ValueError
            If a coordinate has no bound where the method starts.
        OutOfTimeError
            See :func:`polyrank.lp.deadline.time_limit`.
        """
        found = _Program(self, objective).until(fmpq(0))
        if isinstance(found, Minimum):  # below 0, which was not enough
            return Violation(found.point, found.value, found.pivots)
        return found


class _Program:
    """One run of the dual method."""

    def __init__(self, cell: BoxedCell, objective: Row) -> None:
        self.cell, self.objective = cell, objective
        self.g = [fmpq(int(v)) for v in objective[:-1]]
        #: Places in ``cell.general`` of the tight rows, basic columns, who is at its upper bound.
        self.tight: list[int] = []
        self.basic: list[int] = []
        self.above = [v < 0 for v in self.g]
        for l, above in enumerate(self.above):
            if (cell.high if above else cell.low)[l] is None:
                raise ValueError(f"coordinate {l} has no {'upper' if above else 'lower'} bound")
        d = cell.d
        self.table = fmpq_mat(
            len(cell.general), d, [int(v) for i in cell.general for v in cell.rows[i][:d]]
        )
        self.constants = fmpq_mat(
            len(cell.general), 1, [int(cell.rows[i][d]) for i in cell.general]
        )
        self.steps = 0
        self._start()

    def _start(self) -> None:
        """Begin with the basis that floats propose, if its tight rows have the right signs."""
        proposed = _proposed(self.cell, self.objective)
        if proposed is None:
            return
        self.tight, self.basic, above = proposed
        corner = self.above
        try:
            inverse, part = self._inverse()
        except ZeroDivisionError:
            self.tight, self.basic = [], []
            return
        prices = self._combined(self.g, inverse)
        reduced = self._rest(self.g, prices, part)
        self.above = [v < 0 if v != 0 else up for v, up in zip(reduced, above, strict=True)]
        held = set(self.basic)
        bounded = all(
            l in held or (self.cell.high if up else self.cell.low)[l] is not None
            for l, up in enumerate(self.above)
        )
        if not bounded or any(price < 0 for price in prices):
            self.tight, self.basic, self.above = [], [], corner

    @overload
    def until(self, enough: None) -> Minimum | Infeasible: ...
    @overload
    def until(self, enough: fmpq) -> Minimum | Infeasible | Multipliers: ...

    def until(self, enough: fmpq | None) -> Minimum | Infeasible | Multipliers:
        """The minimum, or a proof that it is at least ``enough`` or that there is no point."""
        crossed = self._crossed()
        if crossed is not None:
            return Infeasible(crossed, 0)
        while True:
            look()
            inverse, part = self._inverse()
            prices = self._combined(self.g, inverse)
            reduced = self._rest(self.g, prices, part)
            point = self._point(inverse, part)
            value = sum((a * b for a, b in zip(self.g, point, strict=True)), self._h)
            done = enough is not None and value >= enough
            leaving = None if done else self._leaving(point)
            if leaving is None:
                weights = dict(zip(self.tight, prices, strict=True))
                proof = self._multipliers(weights, self.objective)
                if done:
                    return proof
                where = fmpq_mat(self.cell.d, 1, point)
                return Minimum(value, where, self._basis(), proof, self.steps)
            ended = self._step(leaving, inverse, part, prices, reduced)
            if ended is not None:
                return ended
            self.steps += 1

    @property
    def _h(self) -> fmpq:
        return fmpq(int(self.objective[-1]))

    def _crossed(self) -> Multipliers | None:
        """The proof that a coordinate has bounds without a number between them."""
        for low, high in zip(self.cell.low, self.cell.high, strict=True):
            if low is not None and high is not None and low.value > high.value:
                weights = {low.row: fmpq(1, low.size), high.row: fmpq(1, high.size)}
                return _identity(weights, low.value - high.value)
        return None

    def _inverse(self) -> tuple[fmpq_mat, fmpq_mat]:
        """The inverse of the tight rows in the basic columns, and these rows."""
        p, d = len(self.tight), self.cell.d
        rows = [self.cell.rows[self.cell.general[i]] for i in self.tight]
        square = fmpq_mat(p, p, [int(row[l]) for row in rows for l in self.basic])
        part = fmpq_mat(p, d, [int(v) for row in rows for v in row[:d]])
        return (square.inv() if p else square), part

    def _combined(self, costs: Sequence[fmpq], inverse: fmpq_mat) -> list[fmpq]:
        """Multipliers of the tight rows that leave nothing of costs in the basic columns."""
        if not self.tight:
            return []
        own = fmpq_mat(1, len(self.basic), [costs[l] for l in self.basic])
        out: list[fmpq] = (own * inverse).entries()
        return out

    def _rest(self, costs: Sequence[fmpq], prices: Sequence[fmpq], part: fmpq_mat) -> list[fmpq]:
        """What multipliers of the tight rows leave of costs."""
        if not self.tight:
            return list(costs)
        taken = (fmpq_mat(1, len(prices), list(prices)) * part).entries()
        return [a - b for a, b in zip(costs, taken, strict=True)]

    def _bound(self, l: int, *, above: bool) -> _Bound:
        bound = (self.cell.high if above else self.cell.low)[l]
        if bound is None:
            raise AssertionError("a coordinate was to be at a bound that it has not")
        return bound

    def _point(self, inverse: fmpq_mat, part: fmpq_mat) -> list[fmpq]:
        """The basic solution."""
        held = set(self.basic)
        x = [
            fmpq(0) if l in held else self._bound(l, above=self.above[l]).value
            for l in range(self.cell.d)
        ]
        if self.tight:
            ends = fmpq_mat(len(self.tight), 1, [self.constants[i, 0] for i in self.tight])
            moved = inverse * (part * fmpq_mat(len(x), 1, x) + ends)
            for l, v in zip(self.basic, moved.entries(), strict=True):
                x[l] = -v
        return x

    def _leaving(self, point: Sequence[fmpq]) -> tuple[int, int] | None:
        """What is beyond its bound, least index first: ``(column, ±1)`` or ``(d + row, 1)``.

        The sign says in which direction it has to go.
        """
        for l in sorted(self.basic):
            low, high = self.cell.low[l], self.cell.high[l]
            if low is not None and point[l] < low.value:
                return l, 1
            if high is not None and point[l] > high.value:
                return l, -1
        if not self.cell.general:
            return None
        slack = (self.table * fmpq_mat(len(point), 1, list(point)) + self.constants).entries()
        tight = set(self.tight)
        for i, v in enumerate(slack):
            if v < 0 and i not in tight:
                return self.cell.d + i, 1
        return None

    def _step(
        self,
        leaving: tuple[int, int],
        inverse: fmpq_mat,
        part: fmpq_mat,
        prices: Sequence[fmpq],
        reduced: Sequence[fmpq],
    ) -> Infeasible | None:
        """One pivot, or the proof that what is beyond its bound stays there."""
        d = self.cell.d
        place, sign = leaving
        own = [fmpq(0)] * d
        if place >= d:
            row = self.cell.rows[self.cell.general[place - d]]
            own = [fmpq(int(v)) for v in row[:d]]
        else:
            own[place] = fmpq(sign)
        # what leaves is Σ mixed · (tight slacks) + Σ along · (coordinates at bounds) + constant
        mixed = self._combined(own, inverse)
        along = self._rest(own, mixed, part)
        held = set(self.basic)
        best: tuple[fmpq, int] | None = None
        for l in range(d):
            a = along[l]
            if a == 0 or l in held or (a < 0) != self.above[l]:
                continue
            low, high = self.cell.low[l], self.cell.high[l]
            if low is not None and high is not None and low.value == high.value:
                continue
            ratio = reduced[l] / a  # of one sign by dual feasibility
            if best is None or ratio < best[0]:
                best = ratio, l
        for i, price, a in sorted(zip(self.tight, prices, mixed, strict=True)):
            if a > 0 and (best is None or price / a < best[0]):
                best = price / a, d + i
        if best is None:
            weights = {i: -a for i, a in zip(self.tight, mixed, strict=True)}
            if place >= d:
                weights[place - d] = fmpq(1)
            zero = (0,) * (d + 1)
            return Infeasible(self._multipliers(weights, zero), self.steps)
        entering = best[1]
        if place >= d:
            self.tight.append(place - d)
        else:
            self.basic.remove(place)
            self.above[place] = sign < 0
        if entering >= d:
            self.tight.remove(entering - d)
        else:
            self.basic.append(entering)
        return None

    def _multipliers(self, weights: Mapping[int, fmpq], objective: Row) -> Multipliers:
        """The identity with these multipliers of general rows; the bounds take what they leave."""
        d = self.cell.d
        used = [(i, v) for i, v in weights.items() if v != 0]
        rest = [fmpq(int(v)) for v in objective]
        if used:
            rows = fmpq_mat(
                len(used), d + 1,
                [int(v) for i, _ in used for v in self.cell.rows[self.cell.general[i]]],
            )  # fmt: skip
            taken = (fmpq_mat(1, len(used), [v for _, v in used]) * rows).entries()
            rest = [a - b for a, b in zip(rest, taken, strict=True)]
        by_row = {self.cell.general[i]: v for i, v in used}
        constant = rest[d]
        for l, v in enumerate(rest[:d]):
            if v != 0:
                bound = self._bound(l, above=v < 0)
                by_row[bound.row] = abs(v) / bound.size
                constant += v * bound.value
        return _identity(by_row, constant)

    def _basis(self) -> tuple[int, ...]:
        held = set(self.basic)
        bounds = [
            self._bound(l, above=self.above[l]).row for l in range(self.cell.d) if l not in held
        ]
        return tuple(sorted([*bounds, *(self.cell.general[i] for i in self.tight)]))


def _scaled(row: Row) -> NDArray[np.float64]:
    """A row as floats whose largest coefficient is 1; its constant may be infinite."""
    largest = max((abs(int(v)) for v in row[:-1]), default=0) or 1
    return np.array([nearest_ratio(int(v), largest) for v in row])


def _proposed(cell: BoxedCell, objective: Row) -> tuple[list[int], list[int], list[bool]] | None:
    """Tight general rows, basic columns and who is at its upper bound, by floats."""
    from polyrank.lp.highs import boxed_basis  # noqa: PLC0415  (loads HiGHS)

    if not cell.general:
        return None
    low = np.array([-np.inf if b is None else b.near for b in cell.low])
    high = np.array([np.inf if b is None else b.near for b in cell.high])
    table = np.stack(cell.floats)
    with np.errstate(all="ignore"):
        # coordinates from 0 to 1, so that tolerances mean the same for all of them
        both = np.isfinite(low) & np.isfinite(high)
        from_ = np.where(np.isfinite(low), low, np.where(np.isfinite(high), high, 0.0))
        width = np.where(both & (high > low), high - low, 1.0)
        constants = table[:, -1] + table[:, :-1] @ from_
        rows = table[:, :-1] * width
        scale = np.abs(rows).max(axis=1, initial=0.0)
        scale[scale == 0.0] = 1.0
        rows, constants = rows / scale[:, None], constants / scale
        costs = _scaled(objective)[:-1] * width
        costs /= np.abs(costs).max(initial=0.0) or 1.0
        bottom, top = (low - from_) / width, (high - from_) / width
    if not all(np.isfinite(v).all() for v in (rows, constants, costs, width)):
        return None
    return boxed_basis(rows, constants, bottom, top, costs, seconds_left())


def _identity(weights: Mapping[int, fmpq], constant: fmpq) -> Multipliers:
    """Multipliers of rows, of scale 1, in integers without a common factor."""
    places = sorted(weights)
    scale, whole, *values = integer_row([fmpq(1), constant, *(weights[i] for i in places)])
    return Multipliers(scale, whole, tuple(places), tuple(values))
