"""Plane graphs whose vertices are exact: the order of the edges at a vertex, and the faces.

Which way three vertices turn is decided by floats where a bound of their errors allows it, and in
integers otherwise: always exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cmp_to_key

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.image.homogeneous import Point, approximation
from polyrank.image.polygons import turn

__all__ = ["Faces", "PlaneGraph", "angle", "faces_of", "inside"]

_U = 2.0**-53
_TINY = 1e-290

Floats = NDArray[np.float64]
Pair = tuple[int, int]


class Faces:
    """The faces of a connected plane graph.

    Attributes
    ----------
    cycles : list of list of int
        The vertices of every face, the face to the left; one of them is the outer face.
    left : dict
        ``(a, b)`` to the face to the left of the edge from a to b.
    """

    __slots__ = ("cycles", "left")

    def __init__(self, cycles: list[list[int]], left: dict[tuple[int, int], int]) -> None:
        self.cycles = cycles
        self.left = left


class PlaneGraph:
    """Segments in a plane that meet in common ends only, and further points; segments can be added.

    Parameters
    ----------
    edges : iterable of pairs of int
        The segments by their ends, each once.
    alone : iterable of int
        The further points.
    points : sequence of Point
        By number, exact; others may be among them.
    approx : float64 array
        The points as :func:`~polyrank.image.homogeneous.approximation` has them.
    chart : pair of int
        The two coordinates in which the graph is plane.

    Attributes
    ----------
    name : list of int
        The vertices that are used, which are numbered 0, 1, … in here.
    around : list of list of int
        The neighbours of every vertex, counterclockwise.
    edges : int64 array, shape (E, 2)
    """

    def __init__(
        self,
        edges: Iterable[Pair],
        alone: Iterable[int],
        points: Sequence[Point],
        approx: Floats,
        chart: tuple[int, int],
    ) -> None:
        pairs = list(edges)
        self.name = sorted({v for pair in pairs for v in pair}.union(alone))
        number = {v: k for k, v in enumerate(self.name)}
        self.points = [points[v] for v in self.name]
        self.chart = chart
        self.xy = approx[np.ix_(self.name, list(chart))].reshape(-1, 2)
        self._near = [(x, y, max(abs(x), abs(y))) for x, y in self.xy.tolist()]
        ends = [(number[a], number[b]) for a, b in pairs]
        self.edges = np.array(ends, np.int64).reshape(-1, 2)
        self.around: list[list[int]] = [[] for _ in self.name]
        for a, b in ends:
            self.around[a].append(b)
            self.around[b].append(a)
        for v, near in enumerate(self.around):
            if len(near) > 1:
                self._sort(v, near)

    def turn(self, p: int, q: int, r: int) -> int:
        """1 if three vertices turn left, −1 if they turn right, 0 if they lie on a line."""
        (x, y, size), (qx, qy, more), (rx, ry, most) = (self._near[k] for k in (p, q, r))
        dx, dy, ex, ey = qx - x, qy - y, rx - x, ry - y
        left, right = dx * ey, dy * ex
        # every difference is off by at most 4 u times the largest coordinate that it is made of
        off = 4 * _U * max(size, more, most)
        spread = abs(dx) + abs(dy) + abs(ex) + abs(ey)
        slack = 2 * (off * (spread + off) + 4 * _U * (abs(left) + abs(right))) + _TINY
        value = left - right
        if value > slack:
            return 1
        if value < -slack:
            return -1
        exact = turn(self.points[p], self.points[q], self.points[r], *self.chart)
        return (exact > 0) - (exact < 0)

    def sides(self, p: int, q: int) -> NDArray[np.int8]:
        """On which side of the line from p to q every vertex lies: 1 to the left; exact."""
        with np.errstate(all="ignore"):  # what is inf or nan is decided in integers
            d, e = self.xy[q] - self.xy[p], self.xy - self.xy[p]
            left, right = d[0] * e[:, 1], d[1] * e[:, 0]
            off = 4 * _U * np.maximum(np.abs(self.xy).max(axis=1), np.abs(self.xy[[p, q]]).max())
            spread = np.abs(d).sum() + np.abs(e).sum(axis=1)
            slack = 2 * (off * (spread + off) + 4 * _U * (np.abs(left) + np.abs(right))) + _TINY
            known = np.abs(left - right) > slack
            sign = np.where(known, np.sign(left - right), 0.0).astype(np.int8)
        for w in np.flatnonzero(~known).tolist():
            if w not in {p, q}:
                exact = turn(self.points[p], self.points[q], self.points[w], *self.chart)
                sign[w] = (exact > 0) - (exact < 0)
        return sign

    def between(self, first: int, middle: int, last: int) -> bool:
        """Whether, of three vertices on a line, the second one lies between the others."""
        p, q, r = (self.points[k] for k in (first, middle, last))
        for i in self.chart:
            one, other = q[i] * p[-1] - p[i] * q[-1], r[i] * q[-1] - q[i] * r[-1]
            if one or other:
                return one * other > 0
        return False

    def within(self, v: int, a: int, b: int, u: int) -> bool:
        """Whether u lies strictly in the angle at v from an edge to a, counterclockwise, to b."""
        if a == b:
            return self.turn(v, a, u) != 0 or self.between(a, v, u)
        side = self.turn(v, a, b)
        if side > 0:
            return self.turn(v, a, u) > 0 and self.turn(v, u, b) > 0
        if side == 0:
            return self.turn(v, a, u) > 0
        return self.turn(v, b, u) < 0 or self.turn(v, u, a) < 0

    def join(self, v: int, u: int) -> None:
        """Add a segment that meets the others in its ends only."""
        for one, other in ((v, u), (u, v)):
            ends = self.around[one]
            pairs = enumerate(zip(ends, [*ends[1:], *ends[:1]], strict=True), start=1)
            place = next((k for k, (a, b) in pairs if self.within(one, a, b, other)), 0)
            ends.insert(place, other)
        self.edges = np.concatenate([self.edges, [[v, u]]])

    def faces(self) -> Faces:
        """The faces of the graph, which must be connected."""
        after: dict[Pair, int] = {}
        for v, ends in enumerate(self.around):
            for k, w in enumerate(ends):
                # arriving from w, the next edge with the face to the left is the one before
                after[w, v] = ends[k - 1]
        left: dict[Pair, int] = {}
        cycles: list[list[int]] = []
        for start in after:
            if start in left:
                continue
            a, b = start
            cycle = []
            while (a, b) not in left:
                left[a, b] = len(cycles)
                cycle.append(a)
                a, b = b, after[a, b]
            cycles.append(cycle)
        name = self.name
        return Faces(
            [[name[v] for v in cycle] for cycle in cycles],
            {(name[a], name[b]): face for (a, b), face in left.items()},
        )

    def _sort(self, v: int, ends: list[int]) -> None:
        """Neighbours counterclockwise, from just above −90°."""
        half = {w: self._half(v, w) for w in ends}

        def order(a: int, b: int) -> int:
            return half[a] - half[b] or -self.turn(v, a, b)

        ends.sort(key=cmp_to_key(order))

    def _half(self, v: int, w: int) -> int:
        """0 for directions above −90° through 90°, 1 for the others."""
        i, j = self.chart
        x, other = self._near[v][0], self._near[w][0]
        if x != other:  # rounding is monotone
            return 0 if other > x else 1
        p, q = self.points[v], self.points[w]
        step = q[i] * p[-1] - p[i] * q[-1] or q[j] * p[-1] - p[j] * q[-1]
        return 0 if step > 0 else 1


def faces_of(edges: Iterable[Pair], points: Sequence[Point], chart: tuple[int, int]) -> Faces:
    """Trace the faces of a plane graph.

    Parameters
    ----------
    edges : iterable of pairs of int
        Segments that meet in common ends only, each once.
    points : sequence of Point
    chart : tuple of int
        The two coordinates in which the graph is plane.
    """
    return PlaneGraph(edges, (), points, approximation(points), chart).faces()


def angle(p: Point, q: Point, chart: tuple[int, int]) -> tuple[int, int, fmpq]:
    """Grows with the angle of ``q − p`` from just above −90° through 270°."""
    i, j = chart
    x, y = (q[k] * p[-1] - p[k] * q[-1] for k in (i, j))
    if x == 0:
        return (0 if y > 0 else 1), 1, fmpq(0)
    return (0 if x > 0 else 1), 0, fmpq(y, x)


def inside(faces: Faces, boundary: Sequence[int]) -> list[int]:
    """The faces inside a closed curve of the graph that runs counterclockwise.

    Parameters
    ----------
    faces : Faces
    boundary : sequence of int
        Vertices of the curve, neighbours joined by edges of the graph.
    """
    walls = {(a, boundary[(k + 1) % len(boundary)]) for k, a in enumerate(boundary)}
    waiting = list({faces.left[wall] for wall in walls})
    found = set(waiting)
    while waiting:
        cycle = faces.cycles[waiting.pop()]
        for k, a in enumerate(cycle):
            b = cycle[(k + 1) % len(cycle)]
            if (a, b) in walls:
                continue
            other = faces.left[b, a]
            if other not in found:
                found.add(other)
                waiting.append(other)
    return sorted(found)
