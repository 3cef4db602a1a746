"""The exact common refinement of points, segments, polygons and solids of R^m: cells of the union.

Of solids most stay as they are (:mod:`polyrank.image.inside`): only the others are refined. They
are cut where something runs into them (:mod:`polyrank.image.solids`). Polygons with a common area
are subdivided together, by all their sides and by the segments in which others meet them. Where
that leaves an angle of more than 180° inside a polygon, a diagonal between two vertices divides it
(:mod:`polyrank.image.diagonals`), so that faces are convex and no point is a vertex that no
intersection makes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import RefutedError
from polyrank.image.cut import Parts
from polyrank.image.diagonals import add_diagonals
from polyrank.image.disjoint_sets import DisjointSets
from polyrank.image.homogeneous import Point, approximation
from polyrank.image.inside import Inside, inside
from polyrank.image.lines import lines_of, ordered
from polyrank.image.open_pairs import open_pairs
from polyrank.image.planar import PlaneGraph
from polyrank.image.planar import inside as inside_of
from polyrank.image.polygons import Plane, common, orientation, plane_of, value
from polyrank.image.segments import Refinement, refine
from polyrank.image.solids import Settled, TooManyPartsError, settle
from polyrank.lp.deadline import look

__all__ = ["MOST_POLYGONS", "Glued", "glue", "refinement"]

#: Polygons of solids that are refined together, at most: some minutes.
MOST_POLYGONS = 60_000

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Glued:
    """The union of parts as a complex, and where the parts go.

    Attributes
    ----------
    points : list of Point
        Different vertices are different points.
    edges : int64 array, shape (f_1, 2)
        The smaller number first.
    faces : list of list of int
        Boundaries of convex polygons, all vertices on them, in cyclic order.
    vertex : list of int
        Per row of the parts, the vertex to which it goes: that in its place, or a neighbour on the
        line on which it lies, where it is no vertex (a map homotopic to the true one).
    paths : list of list of (int, int)
        Per chain of the parts, its edges with ±1.
    areas : list of list of (int, int)
        Per polygon of the parts, its faces with ±1; empty where the polygon has no area.
    crossings : int
        Vertices that are no vertex of a part.
    solids : list of list of (int, int)
        Convex polytopes of dimension 3: the faces around them with ±1.
    volumes : list of list of (int, int)
        Per solid of the parts, its solids with ±1; empty where it has no volume.
    """

    points: list[Point]
    edges: Indices
    faces: list[list[int]]
    vertex: list[int]
    paths: list[list[Pair]]
    areas: list[list[Pair]]
    crossings: int
    solids: list[list[Pair]]
    volumes: list[list[Pair]]


_NOTHING = Glued([], np.empty((0, 2), np.int64), [], [], [], [], 0, [], [])


@dataclass(slots=True)
class _Polygon:
    plane: Plane
    corners: tuple[int, ...]
    boundary: list[int]  # all listed vertices, counterclockwise in the polygon's own chart
    map: int  # parts with one number ≥ 0 meet where they met before only
    inner: set[Pair] = field(default_factory=set)  # segments inside of it
    touched: set[int] = field(default_factory=set)  # points inside of it that others touch


class _Union:
    """The points, segments and polygons that are refined, each once."""

    def __init__(self, places: Sequence[Point], parts: Parts) -> None:
        self.known: dict[Point, int] = {}
        self.at = [self.known.setdefault(p, len(self.known)) for p in places]
        self.given = len(self.known)
        self.segments: dict[Pair, int] = {}
        self.paths = [self._path(chain) for chain in parts.chains]
        self.polygons: list[_Polygon] = []
        self.polygon_of_part: list[tuple[int, list[int]]] = []
        numbers: dict[frozenset[int], int] = {}
        walls: set[Pair] = set()
        table = list(self.known)
        for count, ((_, part), chart) in enumerate(zip(parts.polygons, parts.charts, strict=True)):
            if count % 256 == 0:
                look()
            ring = self._path([*part, part[0]])[:-1]
            plane = plane_of([table[v] for v in ring])
            if plane is None:
                self.polygon_of_part.append((-1, ring))
                continue
            corners = tuple(self.known[p] for p in plane.corners)
            number = numbers.setdefault(frozenset(corners), len(self.polygons))
            if number == len(self.polygons):
                boundary = ring[::-1] if plane.flipped else ring
                self.polygons.append(_Polygon(plane, corners, boundary, chart))
            elif self.polygons[number].map != chart:
                self.polygons[number].map = -1
            self.polygon_of_part.append((number, ring))
            walls.update(ordered(a, b) for a, b in pairwise([*ring, ring[0]]))
        self.loose = [s for s in self.segments if s not in walls]

    def _path(self, chain: Sequence[int]) -> list[int]:
        """The different points on a chain, in turn; the segments between them are kept."""
        path = [self.at[chain[0]]]
        for v in chain[1:]:
            if self.at[v] != path[-1]:
                self.segments.setdefault(ordered(path[-1], self.at[v]), len(self.segments))
                path.append(self.at[v])
        return path

    def add_inner(self, polygon: _Polygon, p: Point, q: Point) -> None:
        """A segment of a polygon, which must be cut along it unless it lies on one side."""
        if any(value(side, p) == 0 == value(side, q) for side in polygon.plane.sides):
            return
        a, b = (self.known.setdefault(x, len(self.known)) for x in (p, q))
        key = ordered(a, b)
        self.segments.setdefault(key, len(self.segments))
        polygon.inner.add(key)

    def add_point(self, polygon: _Polygon, p: Point) -> None:
        """A point of a polygon, which must be a vertex unless it lies on one side."""
        if all(value(side, p) > 0 for side in polygon.plane.sides):
            polygon.touched.add(self.known.setdefault(p, len(self.known)))


def glue(places: Sequence[Point], parts: Parts, *, all_points: bool = False) -> Glued:
    """The union of the parts of a complex after their vertices have moved to new places.

    Parameters
    ----------
    places : sequence of Point
        The new place of every row of the parts; on every part the move is affine.
    parts : Parts
    all_points : bool
        Keep all places as vertices, also those that nothing but segments of one line needs.

    Returns
    -------
    Glued
        **Proves**: the union of the moved parts is the union of its cells, whose interiors are
        disjoint; every decision is exact.

    Raises
    ------
    OutOfTimeError
        If the time limit has passed.
    TooManyPartsError
        If solids that meet others have more than ``MOST_POLYGONS`` polygons.
    """
    found = inside(places, parts) if parts.solids else None
    if found is None or len(found.solids) == len(parts.solids):
        return refinement(places, parts, _settled(places, parts), all_points=all_points)
    return _with_outside(places, parts, found, all_points=all_points)


def _settled(places: Sequence[Point], parts: Parts) -> Settled:
    """The solids, if the polygons that are left with them are not too many to refine."""
    found = settle(places, parts)
    count = len(parts.polygons) + len(found.polygons)
    if parts.solids and count > MOST_POLYGONS:
        raise TooManyPartsError(
            f"{count:,} polygons of solids that meet others are to be refined, more than "
            f"{MOST_POLYGONS:,}"
        )
    return found


def _with_outside(
    places: Sequence[Point], parts: Parts, inner: Inside, *, all_points: bool
) -> Glued:
    """What is inside is refined, and all else attached to it as it is."""
    own = _Restricted(parts, inner)
    at = [places[v] for v in inner.rows]
    glued = _NOTHING
    if at:
        settled = _settled(at, own.parts)
        glued = refinement(at, own.parts, settled, all_points=all_points, needed=own.border())
    number = dict(zip(inner.rows, glued.vertex, strict=True))
    points = list(glued.points)
    for v in range(len(places)):
        if v not in number:
            number[v] = len(points)
            points.append(places[v])
    ends = glued.edges.tolist()
    path = dict(zip(inner.segments, glued.paths, strict=True))

    def along(a: int, b: int) -> list[Pair]:
        """The edges of a segment from a to b with ±1."""
        key = ordered(a, b)
        if key not in path:
            x, y = (number[v] for v in key)
            path[key] = [(len(ends), 1 if x < y else -1)]
            ends.append([min(x, y), max(x, y)])
        there = path[key]
        return there if a == key[0] else [(e, -sign) for e, sign in reversed(there)]

    paths = [[step for a, b in pairwise(chain) for step in along(a, b)] for chain in parts.chains]
    faces = list(glued.faces)
    area = dict(zip(inner.polygons, glued.areas, strict=True))
    for p, (_, ring) in enumerate(parts.polygons):
        if p in area:
            continue
        area[p] = [(len(faces), 1)]
        steps = (step for a, b in pairwise([*ring, ring[0]]) for step in along(a, b))
        faces.append([ends[e][0 if sign > 0 else 1] for e, sign in steps])
    solids = list(glued.solids)
    volume = dict(zip(inner.solids, glued.volumes, strict=True))
    areas = [area[p] for p in range(len(parts.polygons))]
    for s, (_, sides) in enumerate(parts.solids):
        if s not in volume:
            volume[s] = [(len(solids), 1)]
            solids.append(_around(sides, areas))
    return Glued(
        points,
        np.array(ends, np.int64).reshape(-1, 2),
        faces,
        [number[v] for v in range(len(places))],
        paths,
        areas,
        glued.crossings,
        solids,
        [volume[s] for s in range(len(parts.solids))],
    )


class _Restricted:
    """The parts that are inside, as parts of their own."""

    def __init__(self, parts: Parts, inner: Inside) -> None:
        self._whole, self._inner = parts, inner
        row = {v: k for k, v in enumerate(inner.rows)}
        polygon = {p: k for k, p in enumerate(inner.polygons)}
        self._row = row
        self.parts = Parts(
            [parts.rows[v] for v in inner.rows],
            [[row[a], row[b]] for a, b in inner.segments],
            [(-1, [row[v] for v in parts.polygons[p][1]]) for p in inner.polygons],
            [parts.charts[p] for p in inner.polygons],
            [(-1, [(polygon[p], sign) for p, sign in parts.solids[s][1]]) for s in inner.solids],
            [parts.solid_charts[s] for s in inner.solids],
        )

    def border(self) -> list[int]:
        """The rows inside at which something outside ends."""
        polygons = set(self._inner.polygons)
        segments = set(self._inner.segments)
        out: set[int] = set()
        for p, (_, ring) in enumerate(self._whole.polygons):
            if p not in polygons:
                out.update(ring)
        for chain in self._whole.chains:
            for pair in pairwise(chain):
                if ordered(*pair) not in segments:
                    out.update(pair)
        return [self._row[v] for v in out if v in self._row]


def refinement(
    places: Sequence[Point],
    parts: Parts,
    settled: Settled,
    *,
    all_points: bool = False,
    needed: Iterable[int] = (),
) -> Glued:
    """The same of parts whose solids are settled.

    The places of the ``needed`` rows are kept as vertices.
    """
    given = len(places), len(parts.polygons)
    places, parts = _with_sides(places, parts, settled)
    union = _Union(places, parts)
    leader = _meet(union)
    groups = _groups(leader)
    touched = {v for polygon in union.polygons for v in polygon.touched}
    touched.update(union.at[v] for v in needed)
    refined = refine(list(union.known), list(union.segments), keep=all_points, needed=touched)
    faces, of_polygon, more = _faces(union, groups, refined)
    edges = [*refined.edges, *more]
    pieces = {edge: e for e, edge in enumerate(edges)}
    paths = []
    for path in union.paths:
        own: list[Pair] = []
        for a, b in pairwise(path):
            for x, y in pairwise(_chain(union, refined, a, b)):
                own.append((pieces[ordered(x, y)], 1 if x < y else -1))
        paths.append(own)
    areas: list[list[Pair]] = []
    for number, ring in union.polygon_of_part:
        if number < 0:
            areas.append([])
            continue
        chart = union.polygons[leader[number]].plane.chart
        sign = orientation([refined.points[v] for v in ring], chart)
        areas.append([(f, sign) for f in of_polygon[number]])
    kept = [v for v, own in enumerate(refined.vertex) if own == v]
    number_of = {v: k for k, v in enumerate(kept)}
    return Glued(
        [refined.points[v] for v in kept],
        np.array([[number_of[a], number_of[b]] for a, b in edges], np.int64).reshape(-1, 2),
        [[number_of[v] for v in face] for face in faces],
        [number_of[refined.vertex[v]] for v in union.at[: given[0]]],
        paths,
        areas[: given[1]],
        len(refined.points) - union.given,
        [_around(own, areas) for own in settled.cells],
        settled.volumes,
    )


def _with_sides(
    places: Sequence[Point], parts: Parts, settled: Settled
) -> tuple[Sequence[Point], Parts]:
    """The parts with the polygons along which solids are cut."""
    if not settled.polygons:
        return places, parts
    table = list(places)
    polygons = list(parts.polygons)
    for ring in settled.polygons:
        polygons.append((-1, list(range(len(table), len(table) + len(ring)))))
        table += ring
    charts = [*parts.charts, *([-1] * len(settled.polygons))]
    return table, Parts(parts.rows, parts.chains, polygons, charts)


def _around(own: Sequence[Pair], areas: Sequence[list[Pair]]) -> list[Pair]:
    """The faces around a solid, from its sides."""
    found: dict[int, int] = {}
    for p, sign in own:
        for f, turned in areas[p]:
            found[f] = found.get(f, 0) + sign * turned
    if any(abs(v) != 1 for v in found.values()):
        raise RefutedError("the sides of a solid overlap: please report this network")
    return list(found.items())


def _meet(union: _Union) -> list[int]:
    """Add the segments in which polygons are met; the leader of those with a common area."""
    polygons = union.polygons
    if not polygons:
        return []
    sets = DisjointSets(len(polygons))
    table = list(union.known)
    on_segment = {v for s in union.segments for v in s}
    lonely = [v for v in range(len(table)) if v not in on_segment]
    hulls: list[tuple[int, ...]] = [p.corners for p in polygons]
    hulls += [pair for line in lines_of(table, union.loose) for pair in line.intervals()]
    hulls += [(v,) for v in lonely]
    solid = np.arange(len(hulls)) < len(polygons)
    maps = np.array([p.map for p in polygons] + [-1] * (len(hulls) - len(polygons)), np.int64)
    for first, second in open_pairs(table, hulls, solid, maps):
        look()
        for i, j in zip(first.tolist(), second.tolist(), strict=True):
            one = polygons[i]
            if j < len(polygons):
                found = one.plane.meet(polygons[j].plane)
                both = [one, polygons[j]]
            else:
                found = common(one.plane.equations, one.plane.sides, [table[v] for v in hulls[j]])
                both = [one]
            if len(found) == 1:
                for polygon in both:
                    union.add_point(polygon, found[0])
            elif len(found) == 2:
                for polygon in both:
                    union.add_inner(polygon, found[0], found[1])
            elif found:
                sets.join(j, i)
    return [sets.find(i) for i in range(len(polygons))]


def _groups(leader: list[int]) -> list[list[int]]:
    """The polygons with one leader, which comes first."""
    members: dict[int, list[int]] = {}
    for i, first in enumerate(leader):
        members.setdefault(first, [first])
        if i != first:
            members[first].append(i)
    return list(members.values())


def _graph(
    union: _Union, own: Sequence[int], refined: Refinement
) -> tuple[set[Pair], list[list[int]]]:
    """The edges in the polygons of one plane, and the boundary of each, counterclockwise."""
    chart = union.polygons[own[0]].plane.chart
    edges: set[Pair] = set()
    rings = []
    for i in own:
        ring = _ring(union, refined, union.polygons[i].boundary)
        if orientation([refined.points[v] for v in ring], chart) < 0:
            ring.reverse()
        rings.append(ring)
        edges.update(ordered(a, b) for a, b in pairwise([*ring, ring[0]]))
        for a, b in union.polygons[i].inner:
            edges.update(ordered(x, y) for x, y in pairwise(_chain(union, refined, a, b)))
    return edges, rings


def _inner(
    polygons: Sequence[_Polygon],
    rings: Sequence[Sequence[int]],
    points: Sequence[Point],
    approx: Floats,
) -> Callable[[int], bool]:
    """Whether a vertex lies strictly inside of one of the polygons of a plane."""
    if len(polygons) == 1:
        boundary = set(rings[0])
        return lambda v: v not in boundary
    chart = list(polygons[0].plane.chart)
    corners = [approximation(p.plane.corners)[:, chart] for p in polygons]
    lower = np.nextafter([own.min(axis=0) for own in corners], -np.inf)
    upper = np.nextafter([own.max(axis=0) for own in corners], np.inf)

    def found(v: int) -> bool:
        place = approx[v, chart]
        near = ((lower <= place) & (place <= upper)).all(axis=1)
        return any(
            all(value(side, points[v]) > 0 for side in polygons[k].plane.sides)
            for k in np.flatnonzero(near).tolist()
        )

    return found


def _faces(
    union: _Union, groups: list[list[int]], refined: Refinement
) -> tuple[list[list[int]], list[list[int]], list[Pair]]:
    """The faces, those of every polygon, and the diagonals that make them convex."""
    faces: list[list[int]] = []
    of_polygon: list[list[int]] = [[] for _ in union.polygons]
    more: list[Pair] = []
    approx = approximation(refined.points)
    for count, own in enumerate(groups):
        if count % 256 == 0:
            look()
        edges, rings = _graph(union, own, refined)
        polygons = [union.polygons[i] for i in own]
        if len(own) == 1 and not polygons[0].inner and not polygons[0].touched:
            of_polygon[own[0]] = [len(faces)]
            faces.append(rings[0])
            continue
        look()
        chart = polygons[0].plane.chart
        touched = {v for polygon in polygons for v in polygon.touched}
        graph = PlaneGraph(edges, touched, refined.points, approx, chart)
        more += add_diagonals(graph, _inner(polygons, rings, refined.points, approx))
        traced = graph.faces()
        number: dict[int, int] = {}
        for i, ring in zip(own, rings, strict=True):
            for local in inside_of(traced, ring):
                if local not in number:
                    number[local] = len(faces)
                    faces.append(traced.cycles[local])
                of_polygon[i].append(number[local])
    return faces, of_polygon, more


def _ring(union: _Union, refined: Refinement, boundary: Sequence[int]) -> list[int]:
    """A closed curve of segments with all vertices that lie on it."""
    out: list[int] = []
    for a, b in pairwise([*boundary, boundary[0]]):
        out += _chain(union, refined, a, b)[:-1]
    return out


def _chain(union: _Union, refined: Refinement, a: int, b: int) -> list[int]:
    """The vertices on the segment from a to b."""
    chain = refined.chains[union.segments[ordered(a, b)]]
    return chain if a < b else chain[::-1]
