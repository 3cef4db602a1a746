"""Convex polytopes of dimension 3 in R^m with exact corners: their spaces, and their halves.

A polytope is the list of its facets, convex polygons whose orientations add up to a closed surface.
A side may be made of several polygons, and an edge of several segments, which are those of all the
polygons on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import numpy as np
from flint import fmpq_mat, fmpz_mat
from numpy.typing import NDArray

from polyrank.errors import RefutedError
from polyrank.image.homogeneous import Point, quotient, zero_between
from polyrank.image.lines import difference
from polyrank.image.polygons import Functional, clip, common, hull_of, primitive_functional, value

__all__ = [
    "Facet",
    "Near",
    "Polytope",
    "crossing",
    "halves",
    "meet_flat",
    "opposite",
    "overlap",
    "plane_through",
    "polytope_of",
    "separate",
    "span",
    "within",
]

V = TypeVar("V")
Floats = NDArray[np.float64]
_U = 2.0**-53
_SMALLEST = 2.0**-800


@dataclass(frozen=True, slots=True)
class Facet(Generic[V]):
    """A convex polygon of the boundary.

    Attributes
    ----------
    ring : tuple
        Its vertices in the orientation of the boundary.
    polygon : int
        Number and, in ``sign``, orientation of the polygon that it is; −1 if it has no number.
    sign : int
    plane : Functional
        ≥ 0 on the polytope and 0 on the facet, in the chart of its space; empty if it is not known.
    """

    ring: tuple[V, ...]
    polygon: int = -1
    sign: int = 1
    plane: Functional = ()


Facets = tuple[Facet[V], ...]


@dataclass(frozen=True, slots=True)
class Polytope:
    """A convex polytope of dimension 3 with its space.

    Attributes
    ----------
    facets : tuple of Facet of Point
    corners : tuple of Point
        All vertices, also those that are no corners of the whole.
    chart : tuple of int
        Three coordinates that determine the points of the space.
    equations : tuple of Functional
        They vanish together exactly on the space.
    sides : tuple of Functional
        Within the space, the polytope is where they are ≥ 0.
    orientation : int
        1 or −1: that of the facets in the chart.
    """

    facets: Facets[Point]
    corners: tuple[Point, ...]
    chart: tuple[int, int, int]
    equations: tuple[Functional, ...]
    sides: tuple[Functional, ...]
    orientation: int
    near: Near = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """Floats of a polytope in its chart.

    Attributes
    ----------
    corners : float64, shape (n, 3)
        The float64 nearest to every coordinate; ±∞ where it is too large for one.
    sides : float64, shape (k, 4)
        The coefficients of every side, then its constant term, times a positive number: within
        2^-52 of them, relatively.
    low, high : float64, shape (3,)
        Corners of a box around the polytope.
    """

    corners: Floats
    sides: Floats
    low: Floats
    high: Floats


def span(points: Sequence[Point]) -> tuple[int, ...]:
    """Coordinates that determine the points of the affine hull: as many as its dimension."""
    width = len(points[0]) - 1
    rows = [v for p in points[1:] for v in difference(points[0], p)]
    if not rows:
        return ()
    table, _, rank = fmpz_mat(len(points) - 1, width, rows).rref()
    return tuple(next(c for c in range(width) if table[r, c] != 0) for r in range(rank))


def polytope_of(facets: Iterable[Facet[Point]], parent: Polytope | None = None) -> Polytope:
    """The polytope with these facets; with its parent's chart and equations if it is a part."""
    own = tuple(facets)
    corners = tuple(dict.fromkeys(p for facet in own for p in facet.ring))
    if parent is None:
        chart = span(corners)
        if len(chart) != 3:
            raise ValueError(f"a polytope has dimension 3, not {len(chart)}")
        i, j, k = chart
        equations = _equations(corners, (i, j, k))
    else:
        (i, j, k), equations = parent.chart, parent.equations
    sides: dict[Functional, None] = {}
    orientation = parent.orientation if parent else 0
    known = []
    for facet in own:
        plane = facet.plane
        if not plane:
            plane = plane_through(facet.ring, (i, j, k))
            inside = next((x for p in corners if (x := value(plane, p))), 0)
            if not inside:
                raise RefutedError("a facet of a polytope has no area: please report this")
            if orientation not in {0, 1 if inside > 0 else -1}:
                raise RefutedError("the facets of a polytope do not close up: please report this")
            orientation = 1 if inside > 0 else -1
            plane = plane if inside > 0 else opposite(plane)
        sides[plane] = None
        known.append(replace(facet, plane=plane))
    planes = tuple(sides)
    near = _near(corners, planes, (i, j, k))
    return Polytope(tuple(known), corners, (i, j, k), equations, planes, orientation, near)


def opposite(functional: Functional) -> Functional:
    """The functional with the opposite sign."""
    return tuple((c, -x) for c, x in functional)


def _near(
    corners: Sequence[Point], sides: Sequence[Functional], chart: tuple[int, int, int]
) -> Near:
    places = np.array([[quotient(p[c], p[-1]) for c in chart] for p in corners])
    rows = []
    for side in sides:
        own = dict(side)
        most = max(map(abs, own.values()))
        rows.append([_share(own.get(c, 0), most) for c in (*chart, -1)])
    low, high = np.nextafter(places.min(axis=0), -np.inf), np.nextafter(places.max(axis=0), np.inf)
    return Near(places, np.array(rows), low, high)


def _share(coefficient: int, most: int) -> float:
    """Their quotient; not a number where it is so small that floats lose its digits."""
    found = coefficient / most
    return found if abs(found) > _SMALLEST or not coefficient else math.nan


def _values(planes: Floats, places: Floats) -> tuple[Floats, Floats]:
    """Values of functionals at points, (k, n), and bounds of their errors; not numbers: unknown."""
    with np.errstate(all="ignore"):
        values = planes[:, :3] @ places.T + planes[:, 3:]
        size = np.abs(planes[:, :3]) @ np.abs(places.T) + np.abs(planes[:, 3:])
        return values, 32 * _U * size + 2.0**-900


def _signs(
    sides: Sequence[Functional], planes: Floats, corners: Sequence[Point], places: Floats
) -> NDArray[np.int8]:
    """Exact signs of functionals at points, (k, n): floats that are large enough, else integers."""
    values, error = _values(planes, places)
    sure = np.abs(values) > error
    out = np.where(sure, np.sign(np.where(sure, values, 0.0)), 0).astype(np.int8)
    for e, v in np.argwhere(~sure).tolist():
        exact = value(sides[e], corners[v])
        out[e, v] = (exact > 0) - (exact < 0)
    return out


def plane_through(points: Sequence[Point], chart: tuple[int, int, int]) -> Functional:
    """A functional of three coordinates that vanishes on points of a plane, not all of a line.

    For points of a convex polygon in cyclic order its sign is that of their orientation.
    """
    first, second = points[:2]
    for third in points[2:]:
        found = _through(first, second, third, chart)
        if any(c >= 0 for c, _ in found):
            return found
    raise ValueError("the points lie on one line")


def _through(p: Point, q: Point, r: Point, chart: tuple[int, int, int]) -> Functional:
    """``det(p, q, r, x)`` in three coordinates and the denominators."""
    i, j, k = chart
    ij, ik, id_ = _minor(q, r, i, j), _minor(q, r, i, k), _minor(q, r, i, -1)
    jk, jd, kd = _minor(q, r, j, k), _minor(q, r, j, -1), _minor(q, r, k, -1)
    return primitive_functional(
        (
            (i, -(p[j] * kd - p[k] * jd + p[-1] * jk)),
            (j, p[i] * kd - p[k] * id_ + p[-1] * ik),
            (k, -(p[i] * jd - p[j] * id_ + p[-1] * ij)),
            (-1, p[i] * jk - p[j] * ik + p[k] * ij),
        )
    )


def _minor(q: Point, r: Point, a: int, b: int) -> int:
    return q[a] * r[b] - q[b] * r[a]


def _equations(corners: Sequence[Point], chart: tuple[int, int, int]) -> tuple[Functional, ...]:
    """Every other coordinate as an affine function of those in the chart."""
    columns = (*chart, -1)
    table, _, rank = fmpz_mat([[p[c] for p in corners] for c in columns]).rref()
    base = [corners[next(v for v in range(len(corners)) if table[r, v] != 0)] for r in range(rank)]
    others = [c for c in range(len(corners[0]) - 1) if c not in chart]
    if not others:
        return ()
    known = fmpq_mat(4, 4, [p[c] for p in base for c in columns])
    wanted = fmpq_mat(4, len(others), [p[c] for p in base for c in others])
    solved = known.solve(wanted)
    out = []
    for n, c in enumerate(others):
        own = [solved[r, n] for r in range(4)]
        whole = math.lcm(*(int(v.q) for v in own))
        terms = [(at, int(v.p) * (whole // int(v.q))) for at, v in zip(columns, own, strict=True)]
        out.append(primitive_functional((*terms[:3], (c, -whole), terms[3])))
    return tuple(out)


def crossing(functional: Functional) -> Callable[[Point, Point], Point]:
    """Where a segment with ends on different sides meets the plane."""

    def found(p: Point, q: Point) -> Point:
        return zero_between(p, value(functional, p), q, value(functional, q))

    return found


def halves(
    facets: Facets[V],
    sign: Callable[[V], int],
    cross: Callable[[V, V], V],
    plane: Functional = (),
) -> tuple[Facets[V], Facets[V]]:
    """The parts of a polytope above and below a plane that runs through its interior.

    Parameters
    ----------
    facets : tuple of Facet
    sign : callable
        Positive above the plane, negative below it.
    cross : callable
        The vertex in which an edge with ends on different sides meets the plane; the same one
        whichever end comes first.
    plane : Functional, optional
        Positive above the plane and zero on it, in the chart of the facets' planes.

    Raises
    ------
    RefutedError
        If the facets do not close up: a defect of the program.
    """
    signs = {v: sign(v) for facet in facets for v in facet.ring}
    above: list[Facet[V]] = []
    below: list[Facet[V]] = []
    for facet in facets:
        own = [signs[v] for v in facet.ring]
        if min(own) >= 0:
            above.append(facet)
        elif max(own) <= 0:
            below.append(facet)
        else:
            upper, lower = _split(facet.ring, signs, cross)
            above.append(Facet(upper, plane=facet.plane))
            below.append(Facet(lower, plane=facet.plane))
    # the section runs against the direction of its edges in the other facets
    after = {
        b: a
        for facet in above
        for a, b in zip(facet.ring, (*facet.ring[1:], facet.ring[0]), strict=True)
        if signs.get(a, 0) == 0 == signs.get(b, 0)
    }
    section = _cycle(after)
    above.append(Facet(section, plane=plane))
    below.append(Facet(section[::-1], plane=opposite(plane)))
    return tuple(above), tuple(below)


def _split(
    ring: tuple[V, ...], signs: dict[V, int], cross: Callable[[V, V], V]
) -> tuple[tuple[V, ...], tuple[V, ...]]:
    above: list[V] = []
    below: list[V] = []
    for a, b in zip(ring, (*ring[1:], ring[0]), strict=True):
        x, y = signs[a], signs[b]
        if x >= 0:
            above.append(a)
        if x <= 0:
            below.append(a)
        if (x < 0 < y) or (y < 0 < x):
            middle = cross(a, b)
            above.append(middle)
            below.append(middle)
    return tuple(above), tuple(below)


def _cycle(after: dict[V, V]) -> tuple[V, ...]:
    start = next(iter(after), None)
    ring: list[V] = []
    v = start
    while v is not None and len(ring) <= len(after):
        ring.append(v)
        v = after.get(v)
        if v == start:
            break
    if len(ring) != len(after) or len(ring) < 3:
        raise RefutedError("the section of a polytope is no polygon: please report this")
    return tuple(ring)


def within(corners: Sequence[Point], sides: Iterable[Functional]) -> bool:
    """Whether a convex set lies on one of the sides of a polytope that holds it."""
    return any(all(value(side, p) == 0 for p in corners) for side in sides)


def meet_flat(first: Polytope, second: Sequence[Point]) -> list[Point] | None:
    """The intersection of a polytope with the hull of points, if its space does not hold them.

    Returns
    -------
    list of Point or None
        The corners, strictly convex; empty if there is none. None if all points lie in the space
        of the polytope and their hull has dimension 3.
    """
    left: list[Point] | None = None
    for functional in first.equations:
        if left is None:
            values = [value(functional, p) for p in second]
            if not any(values):
                continue
            if min(values) > 0 or max(values) < 0:
                return []
            left = hull_of(_section(second, values))
        else:
            left = clip(left, functional, equal=True)
        if not left:
            return []
    if left is None:
        if len(span(second)) > 2:
            return None
        left = hull_of(second)
    return common((), first.sides, left)


def _section(points: Sequence[Point], values: Sequence[int]) -> list[Point]:
    """Points whose hull is that of others cut by a hyperplane."""
    out = [p for p, x in zip(points, values, strict=True) if x == 0]
    for p, x in zip(points, values, strict=True):
        if x <= 0:
            continue
        for q, y in zip(points, values, strict=True):
            if y < 0:
                out.append(zero_between(p, x, q, y))
    return out


def overlap(first: Polytope, second: Polytope) -> tuple[Polytope, list[Polytope]] | None:
    """The part of a polytope in another one of its space, and the parts outside of it.

    None if the two have no interior point in common.
    """
    if separate(first, second):
        return None
    inner, outer = first, []
    for e, side in enumerate(second.sides):
        plane = second.near.sides[e : e + 1]
        signs = _signs([side], plane, inner.corners, inner.near.corners)[0].tolist()
        if max(signs) <= 0:
            return None
        if min(signs) >= 0:
            continue
        at = dict(zip(inner.corners, signs, strict=True))
        above, below = halves(inner.facets, at.__getitem__, crossing(side), side)
        outer.append(polytope_of(below, first))
        inner = polytope_of(above, first)
    return inner, outer


def separate(first: Polytope, second: Polytope) -> bool:
    """Whether a side of one of two polytopes of one space has the other one behind it."""
    one, other = first.near, second.near
    if (one.low > other.high).any() or (other.low > one.high).any():
        return True
    return _behind(first, second) or _behind(second, first)


def _behind(first: Polytope, second: Polytope) -> bool:
    """Whether a polytope is behind a side of another one of its space."""
    values, error = _values(second.near.sides, first.near.corners)
    possible = np.flatnonzero(~(values > error).any(axis=1))
    unsure = ~(values < -error)
    return any(
        all(value(second.sides[e], first.corners[v]) <= 0 for v in np.flatnonzero(unsure[e]))
        for e in possible.tolist()
    )
