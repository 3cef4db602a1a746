"""Segments of R^m that lie on one line: the intervals of their union, exact."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flint import fmpq

from polyrank.image.homogeneous import Point
from polyrank.lp.farkas import coprime

__all__ = ["Line", "difference", "lines_of", "ordered"]

Pair = tuple[int, int]


@dataclass(slots=True)
class Line:
    """Segments on one line.

    Attributes
    ----------
    axis : int
        A coordinate that is not constant on the line.
    order : list of int
        The ends of the segments, ascending in that coordinate.
    interval : list of int
        Per entry of ``order``, the number of the interval of the union that it belongs to.
    members : list of int
        Numbers of the segments.
    """

    axis: int
    order: list[int]
    interval: list[int]
    members: list[int]

    def intervals(self) -> list[Pair]:
        """The ends of the intervals of the union."""
        out: list[Pair] = []
        for k, v in enumerate(self.order):
            if k == 0 or self.interval[k] != self.interval[k - 1]:
                out.append((v, v))
            else:
                out[-1] = (out[-1][0], v)
        return out

    def inner(self) -> list[int]:
        """The points of ``order`` that are no end of an interval."""
        ends = {v for pair in self.intervals() for v in pair}
        return [v for v in self.order if v not in ends]


def lines_of(points: Sequence[Point], segments: Iterable[Pair]) -> list[Line]:
    """The lines on which segments lie.

    Parameters
    ----------
    points : sequence of Point
        All different.
    segments : iterable of pairs of int
        Pairs of different points.
    """
    pairs = list(segments)
    found: dict[tuple[Point, Point], list[int]] = {}
    for number, (a, b) in enumerate(pairs):
        found.setdefault(_key(points[a], points[b]), []).append(number)
    return [
        _line(points, pairs, next(k for k, v in enumerate(key[0]) if v), members)
        for key, members in found.items()
    ]


def _line(points: Sequence[Point], pairs: Sequence[Pair], axis: int, members: list[int]) -> Line:
    if len(members) == 1:
        a, b = pairs[members[0]]
        first, second = points[a], points[b]
        if first[axis] * second[-1] > second[axis] * first[-1]:
            a, b = b, a
        return Line(axis, [a, b], [0, 0], members)
    place = {v: fmpq(points[v][axis], points[v][-1]) for s in members for v in pairs[s]}
    order = sorted(place, key=place.__getitem__)
    rank = {v: k for k, v in enumerate(order)}
    reach = list(range(len(order)))
    for s in members:
        a, b = sorted((rank[pairs[s][0]], rank[pairs[s][1]]))
        reach[a] = max(reach[a], b)
    interval, number, last = [], -1, -1
    for k, far in enumerate(reach):
        if k > last:
            number += 1
        interval.append(number)
        last = max(last, far)
    return Line(axis, order, interval, members)


def _key(p: Point, q: Point) -> tuple[Point, Point]:
    """The direction of the line through two points, and its point where that coordinate is 0."""
    u = difference(p, q)
    axis = next(k for k, v in enumerate(u) if v)
    common = math.gcd(*u) if u[axis] > 0 else -math.gcd(*u)
    direction = tuple(v // common for v in u)
    # p − (p_axis / u_axis) u
    base = [x * direction[axis] - p[axis] * v for x, v in zip(p[:-1], direction, strict=True)]
    return direction, coprime([*base, p[-1] * direction[axis]])


def difference(p: Point, q: Point) -> list[int]:
    """``q − p``, times both denominators."""
    a, b = p[-1], q[-1]
    return [y * a - x * b for x, y in zip(p[:-1], q[:-1], strict=True)]


def ordered(a: int, b: int) -> Pair:
    """The ends of a segment, the smaller number first."""
    return (a, b) if a < b else (b, a)
