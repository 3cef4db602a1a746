"""Faces of a plane graph whose vertices are exact: exact slopes order the edges at a vertex."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from flint import fmpq

from polyrank.image.homogeneous import Point
from polyrank.image.polygons import turn

__all__ = ["Faces", "angle", "faces_of", "inside", "wide_corners"]


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


def faces_of(
    edges: Iterable[tuple[int, int]], points: Sequence[Point], chart: tuple[int, int]
) -> Faces:
    """Trace the faces of a plane graph.

    Parameters
    ----------
    edges : iterable of pairs of int
        Segments that meet in common ends only, each once.
    points : sequence of Point
    chart : tuple of int
        The two coordinates in which the graph is plane.
    """
    after: dict[tuple[int, int], int] = {}
    for v, ends in _around(edges, points, chart).items():
        for k, w in enumerate(ends):
            # arriving from w, the next edge with the face to the left is the one before, clockwise
            after[w, v] = ends[k - 1]
    left: dict[tuple[int, int], int] = {}
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
    return Faces(cycles, left)


def wide_corners(
    edges: Iterable[tuple[int, int]], points: Sequence[Point], chart: tuple[int, int]
) -> list[tuple[int, int]]:
    """The vertices of a plane graph with an angle of more than 180° that no edge divides.

    Returns
    -------
    list of (int, int)
        The vertex, and the other end of an edge at one side of that angle.
    """
    out = []
    for v, ends in _around(edges, points, chart).items():
        for k, w in enumerate(ends):
            other = ends[(k + 1) % len(ends)]
            if other == w or turn(points[v], points[w], points[other], *chart) < 0:
                out.append((v, w))
    return out


def _around(
    edges: Iterable[tuple[int, int]], points: Sequence[Point], chart: tuple[int, int]
) -> dict[int, list[int]]:
    """The neighbours of every vertex, counterclockwise."""
    around: dict[int, list[tuple[tuple[int, int, fmpq], int]]] = defaultdict(list)
    for a, b in edges:
        around[a].append((angle(points[a], points[b], chart), b))
        around[b].append((angle(points[b], points[a], chart), a))
    return {v: [w for _, w in sorted(spokes)] for v, spokes in around.items()}


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
