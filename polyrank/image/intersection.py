"""The intersection of two images of dimension 1 or 2, exactly: its dimension and its preimages.

A piece of full rank is charted by a basis of its image: ``y = p + s E`` with s in R^d. Two charts
are equated, ``p + s E = q + w E'``; on the solutions (s, w), of dimension at most 2, the sides of
both polytopes are cut off one after another. What is left is the intersection as a point, a segment
or a polygon, in the coordinates of either piece.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cmp_to_key

from flint import fmpq, fmpq_mat

from polyrank.image.echelon import echelon, kernel
from polyrank.lp.certificates import Minimum, Unbounded
from polyrank.lp.exact import minimise
from polyrank.lp.farkas import integer_row
from polyrank.network.rational import nearest_float

__all__ = ["Chart", "area", "chart", "intersection", "meeting_dimension", "remainder"]

Point = tuple[fmpq, ...]
Row = tuple[fmpq, ...]
"""The affine function ``a·s + b`` on R^d as (a_1, …, a_d, b)."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A segment or a convex polygon in R^m, charted.

    Attributes
    ----------
    origin : Point, shape (m,)
    basis : tuple of Point, shape (d, m)
    corners : tuple of Point, shape (n, d)
        The vertices in the chart; those of a polygon in their order around it.
    order : tuple of int
        Which of the vertices that were given these are.
    sides : tuple of Row
        Affine functions of s that are ≥ 0 on it exactly.
    """

    origin: Point
    basis: tuple[Point, ...]
    corners: tuple[Point, ...]
    order: tuple[int, ...]
    sides: tuple[Row, ...]

    @property
    def axes(self) -> tuple[int, ...]:
        """The coordinates of R^m that those of the chart are, less the origin's."""
        return tuple(next(k for k, v in enumerate(row) if v != 0) for row in self.basis)


def chart(vertices: Sequence[Sequence[fmpq]], dimension: int) -> Chart:
    """The chart of a point, segment or polygon with these vertices, all of them extreme."""
    origin = tuple(vertices[0])
    spread = [[a - b for a, b in zip(v, origin, strict=True)] for v in vertices]
    reduced, pivots = echelon(spread)
    corners = [tuple(row[c] for c in pivots) for row in spread]
    order = _around(corners) if dimension == 2 else range(len(corners))
    corners = [corners[k] for k in order]
    basis = tuple(map(tuple, reduced))
    return Chart(origin, basis, tuple(corners), tuple(order), tuple(_sides(corners)))


def _around(corners: list[Point]) -> list[int]:
    """The vertices of a convex polygon in counter-clockwise order, by their numbers."""
    n = len(corners)
    x, y = (sum((c[k] for c in corners), fmpq(0)) / n for k in (0, 1))

    def half(c: Point) -> int:
        return 0 if c[1] > y or (c[1] == y and c[0] > x) else 1

    def compare(i: int, j: int) -> int:
        a, b = corners[i], corners[j]
        if half(a) != half(b):
            return half(a) - half(b)
        turn = (a[0] - x) * (b[1] - y) - (a[1] - y) * (b[0] - x)
        return (turn < 0) - (turn > 0)

    return sorted(range(n), key=cmp_to_key(compare))


def _sides(corners: Sequence[Point]) -> Iterable[Row]:
    if len(corners[0]) == 1:
        low, high = min(corners)[0], max(corners)[0]
        yield from ((fmpq(1), -low), (fmpq(-1), high))
    elif len(corners[0]) == 2:
        for a, b in zip(corners, [*corners[1:], corners[0]], strict=True):
            normal = a[1] - b[1], b[0] - a[0]
            yield (*normal, -(normal[0] * a[0] + normal[1] * a[1]))


def intersection(first: Chart, second: Chart) -> tuple[list[Point], list[Point]]:
    """The vertices of the intersection in both charts; a polygon's in their order around it.

    Returns
    -------
    first, second : lists of Point
        Empty if the two do not meet; one point, two points, or a polygon with three or more.
    """
    d, e, m = len(first.basis), len(second.basis), len(first.origin)
    rows, pivots = echelon(
        [
            [
                *(row[k] for row in first.basis),
                *(-row[k] for row in second.basis),
                second.origin[k] - first.origin[k],
            ]
            for k in range(m)
        ]
    )
    if d + e in pivots:
        return [], []
    free = [c for c in range(d + e) if c not in pivots]
    # every coordinate of (s, w) as an affine function of the free ones
    affine: dict[int, list[fmpq]] = {c: [fmpq(int(c == f)) for f in free] + [fmpq(0)] for c in free}
    for row, p in zip(rows, pivots, strict=True):
        affine[p] = [-row[f] for f in free] + [row[-1]]
    cuts = [_pulled(side, [affine[c] for c in range(d)]) for side in first.sides]
    cuts += [_pulled(side, [affine[d + c] for c in range(e)]) for side in second.sides]
    if len(free) == 0:
        corners: list[Point] = [()] if all(cut[0] >= 0 for cut in cuts) else []
    elif len(free) == 1:
        corners = _interval(cuts)
    else:
        # the free coordinates are two of (s, w); the first polygon in these
        both = fmpq_mat(2, 2, [v for c in (0, 1) for v in affine[c][:2]])
        shift = [affine[c][2] for c in (0, 1)]
        corners = []
        for corner in first.corners:
            off = fmpq_mat(2, 1, [v - s for v, s in zip(corner, shift, strict=True)])
            corners.append(tuple(both.solve(off).entries()))
        for cut in cuts:
            corners = clipped(corners, cut)
    return (
        [tuple(_value(affine[c], t) for c in range(d)) for t in corners],
        [tuple(_value(affine[d + c], t) for c in range(e)) for t in corners],
    )


def _value(row: Sequence[fmpq], at: Sequence[fmpq]) -> fmpq:
    return sum((a * x for a, x in zip(row, at, strict=False)), row[-1])


def _pulled(side: Row, affine: list[list[fmpq]]) -> Row:
    """An affine function of s as one of the free coordinates."""
    width = len(affine[0]) if affine else 1
    out = [fmpq(0)] * width
    for factor, row in zip(side, affine, strict=False):
        out = [o + factor * v for o, v in zip(out, row, strict=True)]
    out[-1] += side[-1]
    return tuple(out)


def _interval(cuts: Iterable[Row]) -> list[Point]:
    low: fmpq | None = None
    high: fmpq | None = None
    for a, b in cuts:
        if a == 0:
            if b < 0:
                return []
        elif a > 0:
            low = -b / a if low is None else max(low, -b / a)
        else:
            high = -b / a if high is None else min(high, -b / a)
    if low is None or high is None:
        raise ValueError("a segment has two ends")
    if low > high:
        return []
    return [(low,)] if low == high else [(low,), (high,)]


def clipped(corners: list[Point], cut: Row) -> list[Point]:
    """The part of a convex polygon where an affine function is ≥ 0; without repeated vertices."""
    if not corners:
        return []
    values = [_value(cut, c) for c in corners]
    return corners if min(values) >= 0 else _kept(corners, values)


def _kept(corners: Sequence[Point], values: Sequence[fmpq]) -> list[Point]:
    """The part of a convex polygon, or segment, where a function with these values is ≥ 0."""
    out: list[Point] = []
    for i, (here, value) in enumerate(zip(corners, values, strict=True)):
        j = (i + 1) % len(corners)
        after, next_value = corners[j], values[j]
        if value >= 0:
            out.append(here)
        if value * next_value < 0:
            t = value / (value - next_value)
            out.append(tuple(a + t * (b - a) for a, b in zip(here, after, strict=True)))
    return [c for i, c in enumerate(out) if i == 0 or (c != out[i - 1] and c != out[0])]


def area(corners: Sequence[Point]) -> fmpq:
    """Length of a segment, area of a polygon in its order, in the coordinates given."""
    return abs(_signed(corners))


def _signed(corners: Sequence[Point]) -> fmpq:
    """The same; of a polygon positive if it runs counter-clockwise."""
    if not corners:
        return fmpq(0)
    if len(corners[0]) == 1:
        return max(corners)[0] - min(corners)[0]
    total = fmpq(0)
    for a, b in zip(corners, [*corners[1:], corners[0]], strict=True):
        total += a[0] * b[1] - a[1] * b[0]
    return total / 2


def remainder(whole: Chart, parts: Iterable[Sequence[Point]]) -> fmpq:
    """Which share of a segment or polygon lies in none of some segments or convex polygons in it.

    The parts are taken away one after another; what is left is a list of convex parts. A polygon
    is given in its order around it, either way.
    """
    left = [_boxed(list(whole.corners))]
    for part in parts:
        size = _signed(part)
        if size == 0:
            continue
        taken = list(part) if size > 0 else list(part)[::-1]
        low, high = _box(taken)
        sides: list[Row] = []
        after: list[_Boxed] = []
        for own in left:
            if any(a > d or b > c for a, b, c, d in zip(own.low, low, own.high, high, strict=True)):
                after.append(own)
                continue
            sides = sides or list(_sides(taken))
            cuts = []
            for side in sides:
                values = [_value(side, c) for c in own.corners]
                if max(values) <= 0:
                    break
                if min(values) < 0:
                    cuts.append(side)
            else:
                after += _beside(own.corners, cuts)
                continue
            after.append(own)
        left = after
        if not left:
            break
    return sum((area(own.corners) for own in left), fmpq(0)) / area(whole.corners)


def _beside(corners: list[Point], sides: Iterable[Row]) -> Iterator[_Boxed]:
    """The parts of a segment or polygon in which one of some affine functions is negative."""
    rest = corners
    for side in sides:
        values = [_value(side, c) for c in rest]
        if max(values) <= 0:
            yield _boxed(rest)
            return
        if min(values) < 0:
            yield _boxed(_kept(rest, [-v for v in values]))
            rest = _kept(rest, values)


@dataclass(frozen=True, slots=True)
class _Boxed:
    """A segment or polygon in a box of floats."""

    corners: list[Point]
    low: tuple[float, ...]
    high: tuple[float, ...]


def _boxed(corners: list[Point]) -> _Boxed:
    return _Boxed(corners, *_box(corners))


def _box(corners: Sequence[Point]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Floats below and above the coordinates."""
    columns = list(zip(*([nearest_float(v) for v in c] for c in corners), strict=True))
    return (
        tuple(math.nextafter(min(column), -math.inf) for column in columns),
        tuple(math.nextafter(max(column), math.inf) for column in columns),
    )


def meeting_dimension(first: Sequence[Sequence[fmpq]], second: Sequence[Sequence[fmpq]]) -> int:
    """Dimension of conv(first) ∩ conv(second) in R^m, of any dimensions; −1 if it is empty.

    Let I and J be the vertices with a positive weight in some pair of convex combinations with one
    value. The faces that they span have relatively interior points in common, so that the
    intersection has the dimension of that of their affine hulls.
    """
    sides = (first, [[-v for v in q] for q in second])
    columns = [
        [*p, sign] for part, sign in zip(sides, (fmpq(1), fmpq(-1)), strict=True) for p in part
    ]
    n = len(columns)
    null = kernel([[c[i] for c in columns] for i in range(len(columns[0]))], n)
    k = len(null)
    count = len(first)
    total = [sum((null[l][i] for i in range(count)), fmpq(0)) for l in range(k)]
    rows = [integer_row([*(null[l][i] for l in range(k)), fmpq(0)]) for i in range(n)]
    rows.append(integer_row([*(-v for v in total), fmpq(1)]))
    positive = []
    for i in range(n):
        best = minimise(rows, tuple(-v for v in rows[i]))
        if isinstance(best, Unbounded) or (isinstance(best, Minimum) and best.value < 0):
            positive.append(i)
    if not positive:
        return -1
    edges: list[list[fmpq]] = []
    dimension = 0
    for part, chosen in (
        (first, [i for i in positive if i < count]),
        (second, [i - count for i in positive if i >= count]),
    ):
        own = [[a - b for a, b in zip(part[i], part[chosen[0]], strict=True)] for i in chosen[1:]]
        dimension += len(echelon(own)[0])
        edges += own
    return dimension - len(echelon(edges)[0])
