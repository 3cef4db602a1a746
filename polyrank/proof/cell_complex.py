"""Complexes of points, segments and convex polygons in R^m, and the proof that they are embedded.

**Theorem.** Let the points be different, let the vertices of every polygon run around its boundary,
and let every two cells that are no face of another meet in the hull of the vertices F that they
share only, which are not all vertices of either and hold no other vertex of the two. Then the cells
are a regular cell complex of their union.

*Proof.* Being no more than hull(F), the intersection is a vertex, or a part of a side of both whose
vertices, and hence segments, are the same in both. ∎

That A and B meet in hull(F) only is proved by a hyperplane that holds F and has A weakly on one
side and B weakly on the other: then they meet in the hulls of the vertices A_0 and B_0 that lie on
it. One of these is F, or both lie on lines, and the intersection of two segments is computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow.parquet as pq
from flint import fmpq, fmpq_mat

from polyrank.network.rational import fmpq_from_text
from polyrank.proof.format import NotDecidedError, ProofRejectedError
from polyrank.proof.hulls import Hull, box_pairs, on_hyperplane, outer_boxes
from polyrank.proof.manifold_file import read_planes

__all__ = ["Boundary", "Cells", "around", "chart_of", "check_embedded", "read_cells", "turn"]

Place = tuple[fmpq, ...]
#: Per dimension d = 0, 1, 2 and d-cell: (d − 1)-cell → incidence number.
Boundary = list[list[dict[int, int]]]

T = TypeVar("T")


def around(ring: Sequence[T]) -> Iterator[tuple[T, T]]:
    """The sides of a polygon: every corner with the next one."""
    return zip(ring, [*ring[1:], ring[0]], strict=True)


@dataclass(slots=True)
class Cells:
    """A complex.

    Attributes
    ----------
    points : list of places
        Of the vertices.
    edges : list of (int, int)
        Ends; the segment is oriented from the first to the second.
    faces : list of list of int
        The vertices around each, which orient it.
    """

    points: list[Place]
    edges: list[tuple[int, int]]
    faces: list[list[int]]

    def boundary(self) -> Boundary:
        """The incidence numbers.

        Raises
        ------
        ProofRejectedError
            If a face has a side that is no edge.
        """
        number = {frozenset(e): i for i, e in enumerate(self.edges)}
        if len(number) != len(self.edges):
            raise ProofRejectedError("an edge is listed twice")
        lower: list[dict[int, int]] = [{a: -1, b: 1} for a, b in self.edges]
        upper: list[dict[int, int]] = []
        for face in self.faces:
            own: dict[int, int] = {}
            for a, b in around(face):
                edge = number.get(frozenset((a, b)))
                if edge is None or edge in own:
                    raise ProofRejectedError(f"[{a}, {b}] is no side of a face")
                own[edge] = 1 if self.edges[edge] == (a, b) else -1
            upper.append(own)
        return [[{} for _ in self.points], lower, upper]

    def sides(self) -> set[frozenset[int]]:
        """The ends of the sides of the faces."""
        return {frozenset(side) for face in self.faces for side in around(face)}

    def maximal(self) -> list[list[int]]:
        """The vertices of the faces, of the edges in no face, and of the vertices in no edge."""
        of_face = self.sides()
        loose = [list(e) for e in self.edges if frozenset(e) not in of_face]
        used = {v for e in self.edges for v in e}
        return [*self.faces, *loose, *([v] for v in range(len(self.points)) if v not in used)]


def read_cells(path: Path, level: int) -> Cells:
    """The complex in ``points_K``, ``edges_K`` and ``faces_K``.

    Raises
    ------
    ProofRejectedError
        If a cell names a vertex that does not exist.
    """
    tables = [
        pq.read_table(path / f"{name}_{level}.parquet") for name in ("points", "edges", "faces")
    ]
    points = [tuple(fmpq_from_text(v) for v in row) for row in tables[0]["x"].to_pylist()]
    ends = zip(tables[1]["first"].to_pylist(), tables[1]["second"].to_pylist(), strict=True)
    edges = [(int(a), int(b)) for a, b in ends]
    faces = [list(map(int, row)) for row in tables[2]["vertices"].to_pylist()]
    named = [v for e in edges for v in e] + [v for f in faces for v in f]
    if named and not 0 <= min(named) <= max(named) < len(points):
        raise ProofRejectedError(f"a cell of level {level} names a vertex that does not exist")
    return Cells(points, edges, faces)


def check_embedded(cells: Cells, file: Path, width: int) -> int:
    """Whether a complex is embedded in R^m; the number of hyperplanes that were used.

    Parameters
    ----------
    cells : Cells
    file : Path
        Of the hyperplanes: ``first`` and ``second`` number the maximal cells.
    width : int
        m.

    Raises
    ------
    ProofRejectedError
        If that is not proved.
    """
    if any(len(p) != width for p in cells.points):
        raise ProofRejectedError(f"a vertex does not lie in R^{width}")
    if len(set(cells.points)) != len(cells.points):
        raise ProofRejectedError("two vertices are one point")
    if any(a == b for a, b in cells.edges):
        raise ProofRejectedError("an edge has one end only")
    for face in cells.faces:
        _check_convex(cells, face)
    hulls = [
        Hull(own, fmpq_mat(len(own), width, [x for v in own for x in cells.points[v]]))
        for own in cells.maximal()
    ]
    known = set()
    for (i, j), normal in read_planes(file, "first", "second"):
        if not (0 <= i < len(hulls) and 0 <= j < len(hulls)):
            raise ProofRejectedError("a hyperplane names a cell that does not exist")
        if not _in_common_face(hulls[i], hulls[j], normal):
            raise ProofRejectedError(f"the hyperplane of the cells {i} and {j} does not hold")
        known.add((min(i, j), max(i, j)))
    count = len(hulls)
    for codes in box_pairs(*outer_boxes(hulls), count):
        for code in codes.tolist():
            if divmod(code, count) not in known:
                i, j = divmod(code, count)
                raise NotDecidedError(f"nothing separates the cells {i} and {j} of an image")
    return len(known)


def _in_common_face(first: Hull, second: Hull, near: Sequence[fmpq]) -> bool:
    """Whether two cells meet in the hull of their common vertices only, by a normal vector."""
    on_both = on_hyperplane(first, second, near)
    if on_both is None:
        return False
    if on_both[0] == on_both[1]:
        return True
    places = [
        dict(zip(h.vertices, map(tuple, h.images.tolist()), strict=True)) for h in (first, second)
    ]
    common = [places[0][v] for v in on_both[0] & on_both[1]]
    on = [[own[v] for v in chosen] for own, chosen in zip(places, on_both, strict=True)]
    ends = _segment(common)
    if ends is None:
        return False  # the common vertices are not on a line
    known = set(common)
    if any(_between(*ends, p) for own in on for p in own if p not in known):
        return False
    if any(len(own) == len(common) for own in on):
        return True
    segments = [_segment(own) for own in on]
    if segments[0] is None or segments[1] is None:
        return False
    return _meet_within(segments[0], segments[1], ends)


def _segment(points: Sequence[Place]) -> tuple[Place, Place] | None:
    """The ends of the hull of points on one line; None if they are on none."""
    ends = min(points), max(points)  # the order of tuples is monotone along a line
    return ends if all(_on_line(*ends, p) for p in points) else None


def _on_line(p: Place, q: Place, r: Place) -> bool:
    if p == q:
        return r == p
    k = next(i for i, (x, y) in enumerate(zip(p, q, strict=True)) if x != y)
    share = (r[k] - p[k]) / (q[k] - p[k])
    return all(z - x == share * (y - x) for x, y, z in zip(p, q, r, strict=True))


def _between(p: Place, q: Place, r: Place) -> bool:
    """Whether r lies on the segment from the smaller end p to the greater one q."""
    return p <= r <= q and _on_line(p, q, r)


def _meet_within(
    first: tuple[Place, Place], second: tuple[Place, Place], ends: tuple[Place, Place]
) -> bool:
    """Whether two segments that hold a third meet in it only."""
    if not all(_on_line(*first, p) for p in second):
        return True  # two lines have one point in common, which the third segment is
    return max(first[0], second[0]) == ends[0] and min(first[1], second[1]) == ends[1]


def chart_of(corners: Sequence[Place]) -> tuple[int, int] | None:
    """Two coordinates in which points on the boundary of a convex polygon have an area."""
    width = len(corners[0])
    base = corners[0]
    for p in corners[1:]:
        if p != base:
            break
    else:
        return None
    i = next(k for k in range(width) if p[k] != base[k])
    for q in corners:
        for j in range(width):
            if j != i and turn(base, p, q, (i, j)) != 0:
                return min(i, j), max(i, j)
    return None


def turn(p: Place, q: Place, r: Place, chart: tuple[int, int]) -> fmpq:
    """Twice the area of the triangle p, q, r in a chart, positive if it runs to the left."""
    i, j = chart
    return (q[i] - p[i]) * (r[j] - p[j]) - (q[j] - p[j]) * (r[i] - p[i])


def _check_convex(cells: Cells, face: list[int]) -> None:
    """All vertices on the left of, or on, every step around: then they run around the boundary.

    A step lies on a line that supports the polygon, and cannot pass a corner; so every turn around
    would meet all corners, and different vertices leave one turn only.
    """
    corners = [cells.points[v] for v in face]
    chart = chart_of(corners) if len(corners) >= 3 and len(set(face)) == len(face) else None
    if chart is None:
        raise ProofRejectedError(f"face {face} is no polygon")
    flat = fmpq_mat(
        len(corners) - 1,
        len(corners[0]),
        [x - o for p in corners[1:] for x, o in zip(p, corners[0], strict=True)],
    )
    if flat.rank() != 2:
        raise ProofRejectedError(f"face {face} is not flat")
    sides = [turn(p, q, r, chart) for p, q in around(corners) for r in corners]
    if not (min(sides) >= 0 or max(sides) <= 0):
        raise ProofRejectedError(f"face {face} is not convex")
