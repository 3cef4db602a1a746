"""The image in a plane, by its contours: components and holes without a subdivision into cells.

How many parts lie over a point of R² changes only across *contours*: segments with more parts on
one side than on the other. The contours, and what has no area, are an exact plane graph; a face of
it over which no part lies belongs to the complement. The homology of a compact polyhedron X in the
plane follows: H_0 from the components, and ``H_1(X) = ℤ^h`` for the h bounded components of the
complement, with winding numbers around a point in each of them as coordinates (Alexander duality);
``H_2(X) = 0``. This way is for the last layer: no further layer is applied to the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import RefutedError
from polyrank.image.cut import Parts
from polyrank.image.disjoint_sets import DisjointSets
from polyrank.image.homogeneous import (
    Point,
    approximation,
    from_rationals,
    in_unit_box,
    longest_side,
    rationals,
)
from polyrank.image.lines import ordered
from polyrank.image.planar import angle, faces_of
from polyrank.image.polygons import orientation, turn
from polyrank.image.segments import Refinement, crossing_of, outer_boxes, refine
from polyrank.lp.deadline import look

__all__ = ["Shadow", "shadow"]

Pair = tuple[int, int]
Indices = NDArray[np.int64]
_CHART = (0, 1)
_DEFECT = "the number of parts over the faces of an image is inconsistent: please report this"


@dataclass(frozen=True, slots=True)
class Shadow:
    """The components and holes of an image in the plane.

    Attributes
    ----------
    points : list of Point
    edges : list of pairs of int
        Contours and what has no area: with the faces over which parts lie, the image.
    components : int
    holes : list of Point
        A point in every bounded component of the complement.
    component : list of int
        Per vertex of the complex before, the component in which its image lies.
    winding : list of list of (int, int)
        Per chain of the parts, the holes whose ray to the left it crosses, and how often, upwards
        counted positive.
    diameters : tuple of float
        The longest side of every hole's box, divided by that of the image.
    rims : list of list of (int, list of (int, int))
        Per hole the points around it, each with cells of the complex before (dimension and number)
        whose images hold it.
    """

    points: list[Point]
    edges: list[Pair]
    components: int
    holes: list[Point]
    component: list[int]
    winding: list[list[Pair]]
    diameters: tuple[float, ...]
    rims: list[list[tuple[int, list[Pair]]]]


def shadow(places: Sequence[Point], parts: Parts, vertices: int) -> Shadow:
    """Components and holes of the union of the parts in R².

    Parameters
    ----------
    places : sequence of Point
        Where the rows of the parts go; on every part the move is affine.
    parts : Parts
    vertices : int
        The first rows, which are vertices of the complex before; the others are cuts.

    Raises
    ------
    RefutedError
        If the numbers of parts over the faces do not fit together: a defect of the program.
    """
    known: dict[Point, int] = {}
    at = [known.setdefault(p, len(known)) for p in places]
    jump, loose = _contours(places, at, parts)
    rows = DisjointSets(len(places))
    for chain in parts.chains:
        for a, b in pairwise(chain):
            rows.join(a, b)
    segments = [*jump, *loose]
    on_segment = {v for pair in segments for v in pair}
    # a connected part of M that ends on no segment is followed by one of its points
    anchor: dict[int, int] = {}
    for v in range(vertices):
        root = rows.find(v)
        if root not in anchor or (at[v] in on_segment and at[anchor[root]] not in on_segment):
            anchor[root] = v
    used = sorted(on_segment | {at[v] for v in anchor.values()})
    number = {v: k for k, v in enumerate(used)}
    table = list(known)
    pairs = [(number[a], number[b]) for a, b in segments]
    # the number of parts beside a line changes at points where only its segments end
    refined = refine([table[v] for v in used], pairs, keep=True)
    rises = [jump.get(pair, 0) for pair in segments]
    graph = _Graph(refined, rises)
    label = {root: graph.component_of(refined.vertex[number[at[v]]]) for root, v in anchor.items()}
    names = {c: k for k, c in enumerate(dict.fromkeys(label.values()))}
    return Shadow(
        refined.points,
        refined.edges,
        len(names),
        graph.holes,
        [names[label[rows.find(v)]] for v in range(vertices)],
        _windings(graph.holes, table, [[at[v] for v in c] for c in parts.chains]),
        graph.diameters(),
        graph.rims(refined.chains, _sources(segments, at, parts)),
    )


def _contours(
    places: Sequence[Point], at: Sequence[int], parts: Parts
) -> tuple[dict[Pair, int], list[Pair]]:
    """By how much the number of parts is larger to the left of a segment; segments of no area."""
    jump: dict[Pair, int] = {}
    for count, (_, part) in enumerate(parts.polygons):
        if count % 1024 == 0:
            look()
        ring = [v for k, v in enumerate(part) if at[v] != at[part[k - 1]]]
        sign = orientation([places[v] for v in ring], _CHART) if len(ring) > 2 else 0
        if sign:
            for k, v in enumerate(ring):
                a, b = at[v], at[ring[(k + 1) % len(ring)]]
                key = ordered(a, b)
                jump[key] = jump.get(key, 0) + (sign if a < b else -sign)
    segments = {
        ordered(at[a], at[b]) for c in parts.chains for a, b in pairwise(c) if at[a] != at[b]
    }
    return {s: j for s, j in jump.items() if j}, sorted(segments - jump.keys())


def _sources(segments: Sequence[Pair], at: Sequence[int], parts: Parts) -> list[list[Pair]]:
    """Per segment the polygons of the complex before that it bounds, else the edges on it."""
    wanted: dict[Pair, list[Pair]] = {s: [] for s in segments}
    for f, part in parts.polygons:
        for k, v in enumerate(part):
            own = wanted.get(ordered(at[part[k - 1]], at[v])) if f >= 0 else None
            if own is not None and (2, f) not in own[-1:]:
                own.append((2, f))
    for e, chain in enumerate(parts.chains):
        for a, b in pairwise(chain):
            own = wanted.get(ordered(at[a], at[b]))
            if own is not None and (not own or own[0][0] == 1):
                own.append((1, e))
    return [wanted[s] for s in segments]


class _Graph:
    """The refined contours, with the number of parts over every face."""

    def __init__(self, refined: Refinement, rises: Sequence[int]) -> None:
        self.points = refined.points
        self.edges = np.array(refined.edges, np.int64).reshape(-1, 2)
        self.approx = approximation(self.points)
        self.rise = dict.fromkeys(refined.edges, 0)
        for chain, rise in zip(refined.chains, rises, strict=True):
            for x, y in pairwise(chain):
                self.rise[ordered(x, y)] += rise if x < y else -rise
        self._rises = np.array(list(self.rise.values()), np.int64)
        self.faces = faces_of(refined.edges, self.points, _CHART)
        self.classes = DisjointSets(len(self.points))
        for a, b in refined.edges:
            self.classes.join(a, b)
        self.count: list[int] = [-1] * len(self.faces.cycles)
        outer = self._outer_cycles()
        self._hollow = [f for f, c in enumerate(self.count) if c == 0 and f not in outer]
        self.holes = [self._inner_point(f) for f in self._hollow]

    def diameters(self) -> tuple[float, ...]:
        """The longest sides of the boxes of the holes, as parts of that of the whole."""
        if not self._hollow:
            return ()
        _, places = in_unit_box(self.points)
        return tuple(longest_side(places[self.faces.cycles[f]]) for f in self._hollow)

    def rims(
        self, chains: Sequence[Sequence[int]], sources: Sequence[list[Pair]]
    ) -> list[list[tuple[int, list[Pair]]]]:
        """The points around every hole, with the sources of the segments beside them."""
        cycles = [self.faces.cycles[f] for f in self._hollow]
        beside: dict[Pair, list[Pair]] = {
            ordered(a, cycle[k - 1]): [] for cycle in cycles for k, a in enumerate(cycle)
        }
        for chain, own in zip(chains, sources, strict=True):
            for a, b in pairwise(chain):
                if ordered(a, b) in beside:
                    beside[ordered(a, b)] += own
        return [
            [
                (v, sorted({*beside[ordered(u, v)], *beside[ordered(v, w)]}))
                for u, v, w in zip([cycle[-1], *cycle], cycle, [*cycle[1:], cycle[0]], strict=False)
            ]
            for cycle in cycles
        ]

    def component_of(self, vertex: int) -> int:
        """The component of the image in which a vertex, or a point on no edge, lies."""
        if self.classes.find(vertex) == vertex and not self._has_edge[vertex]:
            self._merge(vertex)
        return self.classes.find(vertex)

    def _merge(self, vertex: int) -> int:
        """Join a vertex with the edge to its left, if parts lie between; their number."""
        place, sign = left_of(self.points[vertex], self.points, self.approx, self.edges)
        over = -int((sign * self._rises[place]).sum())
        if over > 0:
            self.classes.join(vertex, int(self.edges[self._nearest(vertex, place)][0]))
        return over

    def _nearest(self, vertex: int, place: Indices) -> int:
        """Of the edges that the ray from a vertex to the left crosses, the first."""
        height = rationals(self.points[vertex])[1]

        def where(edge: int) -> fmpq:
            p, q = (rationals(self.points[v]) for v in self.edges[edge].tolist())
            return p[0] + (height - p[1]) / (q[1] - p[1]) * (q[0] - p[0])

        return int(max(place.tolist(), key=where))

    def _outer_cycles(self) -> set[int]:
        """Count the parts over all faces; the cycles around the components of the graph."""
        around: dict[int, list[int]] = {}
        for a, b in self.edges.tolist():
            around.setdefault(a, []).append(b)
            around.setdefault(b, []).append(a)
        self._has_edge = [v in around for v in range(len(self.points))]
        first: dict[int, int] = {}
        for v in around:
            root = self.classes.find(v)
            if root not in first or self._before(v, first[root]):
                first[root] = v
        outer = set()
        for v in first.values():
            look()
            turned = [(angle(self.points[v], self.points[w], _CHART), w) for w in around[v]]
            cycle = self.faces.left[v, max(turned)[1]]
            outer.add(cycle)
            self._spread(cycle, self._merge(v))
        return outer

    def _before(self, v: int, w: int) -> bool:
        """Whether a point lies to the left of another one, or below it."""
        x, y = self.approx[v], self.approx[w]
        if x[0] != y[0]:  # rounding is monotone
            return bool(x[0] < y[0])
        return rationals(self.points[v]) < rationals(self.points[w])

    def _spread(self, start: int, over: int) -> None:
        self.count[start] = over
        waiting = [start]
        while waiting:
            face = waiting.pop()
            cycle = self.faces.cycles[face]
            for k, a in enumerate(cycle):
                b = cycle[(k + 1) % len(cycle)]
                rise = self.rise[ordered(a, b)]
                expected = self.count[face] - (rise if a < b else -rise)
                other = self.faces.left[b, a]
                if self.count[other] < 0:
                    self.count[other] = expected
                    waiting.append(other)
                if self.count[other] != expected or expected < 0:
                    raise RefutedError(_DEFECT)

    def _inner_point(self, face: int) -> Point:
        """A point of a face: near the middle of an edge, with nothing between."""
        cycle = self.faces.cycles[face]
        a, b = cycle[0], cycle[1]
        p, q = rationals(self.points[a]), rationals(self.points[b])
        middle = tuple((x + y) / 2 for x, y in zip(p, q, strict=True))
        step = [p[1] - q[1], q[0] - p[0]]  # to the left
        own = ordered(a, b)
        while True:
            look()
            step = [s / 2 for s in step]
            point = from_rationals([x + s for x, s in zip(middle, step, strict=True)])
            if self._free(from_rationals(middle), point, own):
                return point

    def _free(self, start: Point, end: Point, own: Pair) -> bool:
        """Whether a segment from a point of an edge meets no other edge."""
        both = approximation([start, end])
        lower, upper = outer_boxes(both, np.array([[0, 1]]))
        low, high = outer_boxes(self.approx, self.edges)
        near = np.flatnonzero(((low <= upper) & (lower <= high)).all(axis=1))
        for a, b in self.edges[near].tolist():
            p, q = self.points[a], self.points[b]
            if (a, b) == own:
                continue
            on_line = turn(start, end, p, *_CHART) == 0 == turn(start, end, q, *_CHART)
            if on_line or crossing_of(start, end, p, q):
                return False
        return True


def left_of(
    origin: Point, points: Sequence[Point], approx: NDArray[np.float64], pairs: Indices
) -> tuple[Indices, Indices]:
    """Which segments the ray from a point to the left crosses, and in which direction.

    The ray runs infinitesimally above the point.

    Returns
    -------
    place : int64 array
        Numbers of the segments.
    sign : int64 array
        1 if the segment crosses upwards, −1 downwards.
    """
    x = approximation([origin])[0, 0]
    above = _above(origin, points, approx)
    a, b = pairs[:, 0], pairs[:, 1]
    crossing = np.flatnonzero(above[a] != above[b])
    a, b = a[crossing], b[crossing]
    # rounding is monotone: different floats are in the order of the exact values
    left = np.maximum(approx[a, 0], approx[b, 0]) < x
    unclear = np.flatnonzero(~left & (np.minimum(approx[a, 0], approx[b, 0]) <= x))
    for k in unclear.tolist():
        p, q = points[a[k]], points[b[k]]
        if above[a[k]]:
            p, q = q, p
        left[k] = turn(p, q, origin, *_CHART) < 0  # to the right of the segment upwards
    return crossing[left], np.where(above[b[left]], 1, -1)


def _above(
    origin: Point, points: Sequence[Point], approx: NDArray[np.float64]
) -> NDArray[np.bool_]:
    y = approximation([origin])[0, 1]
    above = approx[:, 1] > y
    for v in np.flatnonzero(approx[:, 1] == y).tolist():
        above[v] = points[v][1] * origin[2] > origin[1] * points[v][2]
    return np.asarray(above)


def _windings(
    holes: Iterable[Point], points: Sequence[Point], chains: Sequence[Sequence[int]]
) -> list[list[Pair]]:
    approx = approximation(points)
    steps = [(a, b, c) for c, chain in enumerate(chains) for a, b in pairwise(chain) if a != b]
    table = np.array(steps, np.int64).reshape(-1, 3)
    out: list[list[Pair]] = [[] for _ in chains]
    for h, hole in enumerate(holes):
        look()
        place, sign = left_of(hole, points, approx, table[:, :2])
        total = np.zeros(len(chains), np.int64)
        np.add.at(total, table[place, 2], sign)
        for c in np.flatnonzero(total).tolist():
            out[c].append((h, int(total[c])))
    return out
