"""Convex sets of dimension 0 to 2 in R^m with exact corners, and what several have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from polyrank.image.homogeneous import Point
from polyrank.image.lines import difference
from polyrank.image.polygons import Functional, common, plane_of, primitive_functional

__all__ = ["Body", "body_of", "meet"]


@dataclass(frozen=True, slots=True)
class Body:
    """A point, a segment or a polygon.

    Attributes
    ----------
    corners : tuple of Point
        Strictly convex, in cyclic order.
    equations : tuple of Functional
        They vanish together exactly on the affine hull.
    sides : tuple of Functional
        Within the hull, the body is where they are ≥ 0.
    """

    corners: tuple[Point, ...]
    equations: tuple[Functional, ...]
    sides: tuple[Functional, ...]


def body_of(points: Sequence[Point]) -> Body:
    """The convex hull of points in cyclic order, or of points on one line in any order."""
    plane = plane_of(points)
    if plane is not None:
        return Body(plane.corners, plane.equations, plane.sides)
    m = len(points[0]) - 1
    far = next((p for p in points if p != points[0]), None)
    if far is None:
        p = points[0]
        return Body((p,), tuple(((k, p[-1]), (-1, -p[k])) for k in range(m)), ())
    u = difference(points[0], far)
    axis = next(k for k, v in enumerate(u) if v)
    first = last = points[0]
    for p in points:
        if p[axis] * first[-1] < first[axis] * p[-1]:
            first = p
        if p[axis] * last[-1] > last[axis] * p[-1]:
            last = p
    # u_axis (x_k − a_k) = u_k (x_axis − a_axis)
    equations = tuple(
        primitive_functional(
            (
                (k, u[axis] * first[-1]),
                (axis, -u[k] * first[-1]),
                (-1, u[k] * first[axis] - u[axis] * first[k]),
            )
        )
        for k in range(m)
        if k != axis
    )
    sides: tuple[Functional, ...] = (
        ((axis, first[-1]), (-1, -first[axis])),
        ((axis, -last[-1]), (-1, last[axis])),
    )
    return Body((first, last), equations, sides)


def meet(bodies: Sequence[Body]) -> list[Point]:
    """The corners of the intersection of bodies; empty if there is none. Exact."""
    left = list(bodies[0].corners)
    for body in bodies[1:]:
        left = common(body.equations, body.sides, left)
        if not left:
            break
    return left
