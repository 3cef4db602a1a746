"""Faces of a plane graph whose vertices are exact: exact slopes order the edges at a vertex."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from flint import fmpq

from polyrank.image.homogeneous import Point

__all__ = ["Faces", "faces_of", "inside"]


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
    around: dict[int, list[tuple[tuple[int, int, fmpq], int]]] = defaultdict(list)
    for a, b in edges:
        around[a].append((_angle(points[a], points[b], chart), b))
        around[b].append((_angle(points[b], points[a], chart), a))
    after: dict[tuple[int, int], int] = {}
    for v, spokes in around.items():
        spokes.sort()
        ends = [w for _, w in spokes]
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


def _angle(p: Point, q: Point, chart: tuple[int, int]) -> tuple[int, int, fmpq]:
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
