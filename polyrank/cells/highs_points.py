"""Rows and interior points of the second engine, in integers.

A row is d + 1 coprime integers, a point of the cube d + 1 integers of which the last is the
common denominator: signs and membership are integer dot products. Points are looked for among the
float64 chart points first, since those are the witnesses that a run stores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

from flint import fmpq, fmpq_mat, fmpz, fmpz_mat

from polyrank.lp.farkas import integer_row
from polyrank.lp.highs import FloatRow
from polyrank.network.rational import fmpq_from_float, nearest_float
from polyrank.posed.cube import CubeMap

__all__ = [
    "IntRow",
    "Point",
    "Side",
    "Table",
    "beside",
    "between",
    "float_within",
    "inside",
    "negated",
    "point_at",
    "scaled",
    "side_of",
    "simplest",
    "value",
    "vertex_of",
]

IntRow = tuple[int, ...]

_FRACTIONS = (0.5, 0.875, 0.125)


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A point of the chart and of the cube.

    Attributes
    ----------
    y : tuple of k fmpq
        Chart coordinates.
    is_float : bool
        Whether every one of them is a float64.
    u : tuple of d + 1 int
        Cube coordinates ``u[:d] / u[d]``, with ``u[d] > 0``.
    """

    y: tuple[fmpq, ...]
    is_float: bool
    u: IntRow

    def cube(self) -> list[float]:
        """Cube coordinates rounded to float64."""
        return [v / self.u[-1] for v in self.u[:-1]]

    def column(self) -> fmpq_mat:
        """Cube coordinates, a ``(d, 1)`` matrix."""
        return fmpq_mat(len(self.u) - 1, 1, [fmpq(v, self.u[-1]) for v in self.u[:-1]])


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The constraint ``a·u + b ≥ 0``: its integers, and floats of magnitude ≤ 1 for HiGHS."""

    row: IntRow
    approx: FloatRow


class Table:
    """Pre-activations of the units of one layer on one region of the layers below.

    Attributes
    ----------
    exact : fmpq_mat, shape (units, d + 1)
    rows : list of IntRow
        Positive multiples of the exact rows.
    """

    __slots__ = ("_matrix", "exact", "rows")

    def __init__(self, exact: fmpq_mat) -> None:
        self.exact = exact
        self.rows: list[IntRow] = [integer_row(row) for row in exact.tolist()]
        self._matrix = fmpz_mat(exact.nrows(), exact.ncols(), [v for row in self.rows for v in row])

    def signs(self, point: Point) -> list[int]:
        """Exact signs −1, 0, 1 of all units at a point."""
        values = self._matrix * fmpz_mat(len(point.u), 1, list(point.u))
        return [1 if v > 0 else (-1 if v < 0 else 0) for v in values.entries()]


def negated(row: IntRow) -> IntRow:
    """The row of the opposite sign."""
    return tuple(-v for v in row)


def scaled(row: IntRow) -> FloatRow:
    """The row divided by a power of two, rounded, entries of magnitude at most 1."""
    unit = 1 << max(v.bit_length() for v in row)
    return tuple(v / unit for v in row)


def side_of(row: IntRow) -> Side:
    """The constraint of a row."""
    return Side(row, scaled(row))


def value(row: IntRow, point: Point) -> int:
    """A positive multiple of ``a·u + b`` at a point, exactly."""
    return sum(map(mul, row, point.u))


def inside(sides: Sequence[Side], point: Point) -> bool:
    """Whether a point is strictly inside every constraint, exactly."""
    return all(value(side.row, point) > 0 for side in sides)


def point_at(cube: CubeMap, y: Sequence[fmpq]) -> Point:
    """The point with given exact chart coordinates."""
    exact = tuple(y)
    u = integer_row([*cube.to_cube(list(exact)), fmpq(1)])
    return Point(exact, all(map(_is_float, exact)), u)


def _is_float(number: fmpq) -> bool:
    rounded = nearest_float(number)
    return math.isfinite(rounded) and fmpq_from_float(rounded) == number


def _float_point(cube: CubeMap, y: Sequence[float]) -> Point | None:
    """The point with given float64 chart coordinates; None where one is not finite."""
    if not all(map(math.isfinite, y)):
        return None
    return point_at(cube, [fmpq_from_float(v) for v in y])


def _accepted(sides: Sequence[Side], objective: IntRow | None, point: Point | None) -> bool:
    """Whether a point is strictly inside, and negative where an objective is given."""
    if point is None or (objective is not None and value(objective, point) >= 0):
        return False
    return inside(sides, point)


def between(
    cube: CubeMap,
    sides: Sequence[Side],
    objective: IntRow,
    base: Point,
    beyond: Sequence[float],
) -> Point | None:
    """A float64 chart point strictly inside with a negative objective, on the way to a proposal.

    Parameters
    ----------
    base : Point
        Strictly inside, the objective is positive there.
    beyond : sequence of d floats
        Cube coordinates that are said to be in the cell. None is returned if the objective is
        not even approximately negative there.
    """
    start = base.cube()
    approx = scaled(objective)
    high = sum(map(mul, approx, start)) + approx[-1]
    low = sum(map(mul, approx, beyond)) + approx[-1]
    if low >= 0.0:
        return None
    crossing = high / (high - low) if high > 0.0 else 0.0
    for fraction in _FRACTIONS:
        t = crossing + (1.0 - crossing) * fraction
        u = [a + t * (v - a) for a, v in zip(start, beyond, strict=True)]
        point = _float_point(cube, _to_chart(cube, u))
        if point is not None and _accepted(sides, objective, point):
            return point
    return None


def _to_chart(cube: CubeMap, u: Sequence[float]) -> list[float]:
    """Chart coordinates in float64; not finite where there is no such point."""
    if cube.kind == "bounded":
        pairs = zip(cube.centre.tolist(), cube.half_width.tolist(), u, strict=True)
        return [c + h * v for c, h, v in pairs]
    if cube.kind == "homogeneous":
        return [v / u[-1] for v in u[:-1]] if u[-1] > 0 else [math.inf]
    return list(u)


def beside(cube: CubeMap, sides: Sequence[Side], objective: IntRow, at: Point) -> Point:
    """A point strictly inside with a negative objective near one with objective 0.

    There is one: an affine function that vanishes at an interior point, but not identically,
    takes both signs in every neighbourhood of it. It goes down along minus its gradient.
    """
    base = at.column()
    largest = max(map(abs, objective[:-1]))
    downhill = fmpq_mat(base.nrows(), 1, [fmpq(-v, largest) for v in objective[:-1]])
    step = fmpq(1, 4)
    while True:
        entries = (base + downhill * step).entries()
        if cube.kind != "homogeneous" or entries[-1] > 0:
            point = point_at(cube, cube.to_chart(entries))
            if _accepted(sides, objective, point):
                return simplest(cube, sides, objective, point.column())
        step /= 16


def simplest(cube: CubeMap, sides: Sequence[Side], objective: IntRow, u: fmpq_mat) -> Point:
    """A point of few bits near a given one, like it strictly inside with a negative objective.

    A float64 chart point where rounding gives one, else one on the coarsest of a few grids.
    """
    exact = cube.to_chart(u.entries())
    rounded = _float_point(cube, [nearest_float(v) for v in exact])
    if rounded is not None and _accepted(sides, objective, rounded):
        return rounded
    bits = 64
    while True:
        unit = fmpz(1) << bits
        point = point_at(cube, [fmpq((v * unit).floor(), unit) for v in exact])
        if _accepted(sides, objective, point):
            return point
        bits *= 2


def float_within(cube: CubeMap, sides: Sequence[Side], points: Sequence[Point]) -> Point | None:
    """A float64 chart point strictly inside, among roundings of known points and their mean."""
    count = fmpq(len(points))
    mean = [sum(v, fmpq(0)) / count for v in zip(*(p.y for p in points), strict=True)]
    for y in (mean, *(p.y for p in points)):
        point = _float_point(cube, [nearest_float(v) for v in y])
        if point is not None and _accepted(sides, None, point):
            return point
    return None


def vertex_of(sides: Sequence[Side], basis: Sequence[int], objective: IntRow) -> fmpq_mat | None:
    """The exact common point of d rows, if it is in the closed cell with a negative objective."""
    d = len(objective) - 1
    if len(basis) != d or any(not 0 <= i < len(sides) for i in basis):
        return None
    A = fmpq_mat(d, d, [sides[i].row[l] for i in basis for l in range(d)])
    if A.rank() < d:
        return None
    vertex = A.solve(fmpq_mat(d, 1, [-sides[i].row[d] for i in basis]))
    u = integer_row([*vertex.entries(), fmpq(1)])
    if sum(map(mul, objective, u)) >= 0:
        return None
    return vertex if all(sum(map(mul, side.row, u)) >= 0 for side in sides) else None
