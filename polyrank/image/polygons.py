"""Convex polygons in R^m with exact corners: their planes, and what two of them have in common.

A convex set is the list of its corners: a point, a segment, or a strictly convex polygon in cyclic
order. Of one set the equations and inequalities are taken; the other one is cut by them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from flint import fmpq

from polyrank.image.homogeneous import Point, zero_between
from polyrank.image.lines import difference

__all__ = [
    "Functional",
    "Plane",
    "clip",
    "common",
    "hull_of",
    "orientation",
    "plane_of",
    "primitive_functional",
    "turn",
    "value",
]

#: Coordinates and integer coefficients, the constant term last with coordinate −1.
Functional = tuple[tuple[int, int], ...]


def value(functional: Functional, point: Point) -> int:
    """The value at a point, times its denominator: the sign is exact."""
    total = 0
    for i, c in functional:
        total += c * point[i]
    return total


@dataclass(frozen=True)
class Plane:
    """A strictly convex polygon with its plane.

    Attributes
    ----------
    corners : tuple of Point
        Counterclockwise in the chart.
    chart : tuple of int
        Two coordinates (i, j) that determine the points of the plane.
    flipped : bool
        Whether the corners that were given ran clockwise in the chart.
    """

    corners: tuple[Point, ...]
    chart: tuple[int, int]
    flipped: bool

    @cached_property
    def equations(self) -> tuple[Functional, ...]:
        """They vanish together exactly on the plane; one per coordinate not in the chart."""
        a, b, c = self.corners[:3]
        u, v = difference(a, b), difference(a, c)
        others = (k for k in range(len(u)) if k not in self.chart)
        return tuple(_equation(a, u, v, *self.chart, k) for k in others)

    @cached_property
    def _vanishing(self) -> frozenset[Functional]:
        return frozenset(self.equations)

    @cached_property
    def sides(self) -> tuple[Functional, ...]:
        """Side e is ≥ 0 on the polygon and 0 on the line through corners e and e + 1."""
        after = (*self.corners[1:], self.corners[0])
        pairs = zip(self.corners, after, strict=True)
        return tuple(_line(p, q, *self.chart) for p, q in pairs)

    def meet(self, other: Plane) -> list[Point]:
        """The corners of what two polygons have in common; empty if there is nothing. Exact."""
        # most coordinates vanish on both
        equations = [e for e in self.equations if e not in other._vanishing]
        return common(equations, self.sides, other.corners)


def plane_of(points: Sequence[Point]) -> Plane | None:
    """The plane of a convex polygon; None if its points lie on one line.

    Parameters
    ----------
    points : sequence of Point
        Points of the boundary of a convex polygon in cyclic order; among them may be points that
        are no corners, which are left out, and repetitions.
    """
    points = [p for k, p in enumerate(points) if p != points[k - 1]]
    if len(points) < 3:
        return None
    a = points[0]
    m = len(a) - 1
    found: tuple[int, int] | None = None
    u = difference(a, points[1])
    first = next(k for k in range(m) if u[k])
    for other in points[2:]:
        v = difference(a, other)
        second = next(
            (k for k in range(m) if k != first and u[first] * v[k] != u[k] * v[first]), None
        )
        if second is not None:
            found = first, second
            break
    if found is None:
        return None
    i, j = sorted(found)
    corners = [
        p
        for k, p in enumerate(points)
        if turn(points[k - 1], p, points[(k + 1) % len(points)], i, j)
    ]
    flipped = turn(corners[0], corners[1], corners[2], i, j) < 0
    if flipped:
        corners.reverse()
    return Plane(tuple(corners), (i, j), flipped)


def orientation(points: Sequence[Point], chart: tuple[int, int]) -> int:
    """1 if the boundary of a convex polygon runs counterclockwise in a chart of its plane, −1 else.

    0 if its points lie on one line of the chart.
    """
    for k, p in enumerate(points):
        side = turn(points[k - 1], p, points[(k + 1) % len(points)], *chart)
        if side:
            return 1 if side > 0 else -1
    return 0


def turn(p: Point, q: Point, r: Point, i: int, j: int) -> int:
    """Positive if p, q, r turn left in the chart, 0 if they lie on a line."""
    return (
        p[i] * (q[j] * r[-1] - r[j] * q[-1])
        - p[j] * (q[i] * r[-1] - r[i] * q[-1])
        + p[-1] * (q[i] * r[j] - r[i] * q[j])
    )


def _line(p: Point, q: Point, i: int, j: int) -> Functional:
    """Positive to the left of the line from p to q in the chart."""
    return primitive_functional(
        (
            (i, p[j] * q[-1] - q[j] * p[-1]),
            (j, p[-1] * q[i] - q[-1] * p[i]),
            (-1, p[i] * q[j] - q[i] * p[j]),
        )
    )


def _equation(a: Point, u: list[int], v: list[int], i: int, j: int, k: int) -> Functional:
    """``det(u, v, x − a) = 0`` in the coordinates i, j, k."""
    c = (
        u[j] * v[k] - u[k] * v[j],
        u[k] * v[i] - u[i] * v[k],
        u[i] * v[j] - u[j] * v[i],
    )
    # the sign of the coefficient of k, which is not 0, so that an equation has one name
    d = a[-1] if c[2] > 0 else -a[-1]
    constant = c[0] * a[i] + c[1] * a[j] + c[2] * a[k]
    return primitive_functional(
        ((i, c[0] * d), (j, c[1] * d), (k, c[2] * d), (-1, -constant if d > 0 else constant))
    )


def primitive_functional(terms: Functional) -> Functional:
    """The coefficients divided by their greatest common divisor, without zeros."""
    common_factor = math.gcd(*(c for _, c in terms))
    return tuple((i, c // common_factor) for i, c in terms if c) if common_factor else ()


def clip(corners: list[Point], functional: Functional, *, equal: bool) -> list[Point]:
    """The part of a convex set where a functional is ≥ 0, or = 0."""
    values = [value(functional, p) for p in corners]
    if equal:
        if not any(values):
            return corners
        if min(values) > 0 or max(values) < 0:
            return []
    elif min(values) >= 0:
        return corners
    elif max(values) < 0:
        return []
    out: list[Point] = []
    n = len(corners)
    for k in range(n):
        p, x = corners[k], values[k]
        if x == 0 or (x > 0 and not equal):
            out.append(p)
        if n == 1 or (n == 2 and k == 1):
            break
        q, y = corners[(k + 1) % n], values[(k + 1) % n]
        if (x < 0 < y) or (y < 0 < x):
            out.append(zero_between(p, x, q, y))
    return out


def common(
    equations: Sequence[Functional], sides: Sequence[Functional], other: Sequence[Point]
) -> list[Point]:
    """The intersection of two convex sets, each a point, a segment or a polygon.

    Parameters
    ----------
    equations, sides : sequences of Functional
        Of the one set: it is where the equations vanish and the sides are ≥ 0.
    other : sequence of Point
        The corners of the other set, strictly convex.

    Returns
    -------
    list of Point
        The corners of the intersection; empty if there is none. Exact.
    """
    left = list(other)
    for functional in equations:
        left = clip(left, functional, equal=True)
        if not left:
            return left
    for functional in sides:
        left = clip(left, functional, equal=False)
        if not left:
            return left
    return left


def hull_of(points: Sequence[Point]) -> list[Point]:
    """The corners of the convex hull of points of one plane.

    Parameters
    ----------
    points : sequence of Point
        At least one, in any order, with repetitions.

    Returns
    -------
    list of Point
        One point, the two ends of a segment, or the corners of a polygon in cyclic order.

    Examples
    --------
    >>> hull_of([(0, 0, 1), (2, 0, 1), (1, 0, 1), (0, 4, 2), (1, 1, 2)])
    [(0, 0, 1), (2, 0, 1), (0, 4, 2)]
    """
    own = sorted(set(points), key=lambda p: [fmpq(v, p[-1]) for v in p[:-1]])
    if len(own) < 3:
        return own
    width = len(own[0]) - 1
    u = difference(own[0], own[-1])
    i = next(k for k in range(width) if u[k])
    chart = next(
        (
            (i, k)
            for p in own[1:-1]
            for k in range(width)
            if k != i and turn(own[0], own[-1], p, i, k)
        ),
        None,
    )
    if chart is None:
        return [own[0], own[-1]]
    own.sort(key=lambda p: [fmpq(p[k], p[-1]) for k in chart])
    chains: list[list[Point]] = []
    for order in (own, own[::-1]):
        chain: list[Point] = []
        for p in order:
            while len(chain) > 1 and turn(chain[-2], chain[-1], p, *chart) <= 0:
                chain.pop()
            chain.append(p)
        chains.append(chain[:-1])
    return chains[0] + chains[1]
