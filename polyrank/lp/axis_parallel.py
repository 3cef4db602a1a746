"""Cells whose rows bound one coordinate each: everything is read off, without a linear program.

A box in hundreds of dimensions (the pixels of an image) is out of reach of an exact simplex
method and needs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

from flint import fmpq, fmpq_mat

from polyrank.lp.certificates import Infeasible
from polyrank.lp.exact_interior import RelativeInterior
from polyrank.lp.farkas import Multipliers, Row, integer_row

__all__ = ["AxisBounds", "axis_bounds", "axis_interior"]


@dataclass(frozen=True, slots=True)
class AxisBounds:
    """The tightest bounds that the rows put on each coordinate.

    Attributes
    ----------
    lower, upper : list of fmpq or None, length d
        None where no row bounds the coordinate on that side.
    lower_rows, upper_rows : list of list of int
        The rows that attain the bound, each with the modulus of its coefficient.
    false_row : int
        A row ``0·u + b ≥ 0`` with b < 0, else −1.
    """

    lower: list[fmpq | None]
    upper: list[fmpq | None]
    lower_rows: list[list[tuple[int, int]]]
    upper_rows: list[list[tuple[int, int]]]
    false_row: int


def axis_bounds(rows: Sequence[Row], d: int) -> AxisBounds | None:
    """Read the bounds off; None if some row has two coefficients that are not 0."""
    lower: list[fmpq | None] = [None] * d
    upper: list[fmpq | None] = [None] * d
    lower_rows: list[list[tuple[int, int]]] = [[] for _ in range(d)]
    upper_rows: list[list[tuple[int, int]]] = [[] for _ in range(d)]
    false_row = -1
    for i, row in enumerate(rows):
        support = list(compress(range(d), row))
        if len(support) > 1:
            return None
        if not support:
            if row[d] < 0:
                false_row = i
            continue
        j = support[0]
        a, bound = int(row[j]), fmpq(-int(row[d]), int(row[j]))
        side, found = (lower, lower_rows) if a > 0 else (upper, upper_rows)
        current = side[j]
        if current is None or (bound > current if a > 0 else bound < current):
            side[j], found[j] = bound, [(i, abs(a))]
        elif bound == current:
            found[j].append((i, abs(a)))
    return AxisBounds(lower, upper, lower_rows, upper_rows, false_row)


def axis_interior(rows: Sequence[Row], bounds: AxisBounds) -> RelativeInterior | Infeasible:
    """The midpoint of the box (or one step inside a single bound), or the proof of emptiness.

    The certificates are those of :func:`polyrank.lp.exact_interior.interior_point`.
    """
    if bounds.false_row >= 0:
        i = bounds.false_row
        return Infeasible(Multipliers(1, -int(rows[i][-1]), (i,), (1,)), 0)
    point: list[fmpq] = []
    weights: dict[int, fmpq] = {}
    for j, (low, high) in enumerate(zip(bounds.lower, bounds.upper, strict=True)):
        if low is None or high is None:
            point.append(low + 1 if low is not None else fmpq(0) if high is None else high - 1)
            continue
        point.append((low + high) / 2)
        if low > high:
            (i, a), (k, b) = bounds.lower_rows[j][0], bounds.upper_rows[j][0]
            constant = -(b * int(rows[i][-1]) + a * int(rows[k][-1]))
            return Infeasible(Multipliers(1, constant, (i, k), (b, a)).reduced(), 0)
        if low == high:
            for tight in (bounds.lower_rows[j], bounds.upper_rows[j]):
                weights.update({i: fmpq(1, a * len(tight)) for i, a in tight})
    centre = fmpq_mat(len(point), 1, point)
    if not weights:
        return RelativeInterior(centre, (), None)
    equalities = tuple(sorted(weights))
    values = integer_row(weights[i] for i in equalities)
    return RelativeInterior(centre, equalities, Multipliers(1, 0, equalities, values))
