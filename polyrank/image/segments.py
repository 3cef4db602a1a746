"""The exact common refinement of segments in R^m: crossings, touching ends, collinear overlaps.

Segments on one line are replaced by the intervals of their union, cut only at points that something
else needs. Of the rest, floats propose which pairs are disjoint and prove it by a direction that
separates the two; what they do not prove is decided in integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.image.candidates import box_pairs
from polyrank.image.homogeneous import Point, approximation, between
from polyrank.image.lines import Line, difference, lines_of, ordered
from polyrank.lp.deadline import look

__all__ = ["Refinement", "crossing_of", "outer_boxes", "refine"]

_U = 2.0**-53
_TINY = 1e-300

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Refinement:
    """The union of segments and points as a graph.

    Attributes
    ----------
    points : list of Point
        The given points, then the crossings; all different. Not all of them are vertices.
    vertex : list of int
        Per point the vertex to which it goes: itself, or, for a point where nothing but segments of
        one line end, on both sides, the next vertex before it on that line.
    chains : list of list of int
        Per segment the vertices from that of its first end to that of its second.
    edges : list of pairs of int
        The edges of the graph, the smaller number first.
    crossings : int
        How many of the points are new.
    decided : int
        How many pairs were decided in integers.
    """

    points: list[Point]
    vertex: list[int]
    chains: list[list[int]]
    edges: list[Pair]
    crossings: int
    decided: int


def outer_boxes(approx: Floats, ends: Indices) -> tuple[Floats, Floats]:
    """Boxes around the hulls of points that are known to half a unit in the last place.

    Parameters
    ----------
    approx : float64, shape (V, m)
        Correctly rounded coordinates; ±inf where they are too large.
    ends : int64, shape (n, k)
        The points of every hull.
    """
    largest = np.finfo(np.float64).max
    corners = approx[ends]
    low, high = corners.min(axis=1), corners.max(axis=1)
    return (
        np.nextafter(np.clip(low, -np.inf, largest), -np.inf),
        np.nextafter(np.clip(high, -largest, np.inf), np.inf),
    )


def refine(
    points: Sequence[Point],
    segments: Sequence[Pair],
    *,
    keep: bool = False,
    needed: Iterable[int] = (),
) -> Refinement:
    """Cut segments where they meet.

    Parameters
    ----------
    points : sequence of Point
        All different.
    segments : sequence of pairs of int
        Pairs of different points, no pair twice. A point that is on no segment is allowed.
    keep : bool
        Keep all points as vertices, also those that nothing but segments of one line needs.
    needed : iterable of int
        Points that are kept whatever needs them.

    Returns
    -------
    Refinement
        **Proves**: the union of the segments and points is that of the edges and vertices; two
        edges have at most an end in common. The map of the points to vertices is homotopic to the
        identity: it moves points along edges only, and every chain joins the vertices of its ends
        within the segment's line.
    """
    look()
    lines = lines_of(points, segments)
    degree = [0] * len(points)
    for a, b in segments:
        degree[a] += 1
        degree[b] += 1
    kept = [True] * len(points)
    for line in [] if keep else lines:
        _drop(line, segments, degree, kept)
    for v in needed:
        kept[v] = True
    pieces: list[Pair] = []
    spans: list[tuple[int, int]] = []
    for line in lines:
        start = len(pieces)
        chosen = [k for k, v in enumerate(line.order) if kept[v]]
        for k, j in pairwise(chosen):
            if line.interval[k] == line.interval[j]:
                pieces.append((line.order[k], line.order[j]))
        spans.append((start, len(pieces)))
    loose = [v for v, d in enumerate(degree) if d == 0]
    table, cuts, decided = _cut(points, pieces, loose)
    vertex = [v if keep else -1 for v, keep in enumerate(kept)]
    vertex += range(len(points), len(table))
    for own in cuts:
        for v in own:
            vertex[v] = v  # a point that nothing seemed to need
    chains: list[list[int]] = [[] for _ in segments]
    edges: list[Pair] = []
    for line, (start, stop) in zip(lines, spans, strict=True):
        _follow(line, table, pieces, cuts, range(start, stop), segments, vertex, chains, edges)
    return Refinement(table, vertex, chains, edges, len(table) - len(points), decided)


def _drop(line: Line, segments: Sequence[Pair], degree: list[int], kept: list[bool]) -> None:
    """Forget the points inside the union of a line's segments at which nothing else ends."""
    if len(line.members) == 1:
        return
    own: dict[int, int] = {}
    for s in line.members:
        for v in segments[s]:
            own[v] = own.get(v, 0) + 1
    for v in line.inner():
        if own[v] == degree[v]:
            kept[v] = False


def _follow(
    line: Line,
    table: Sequence[Point],
    pieces: Sequence[Pair],
    cuts: Sequence[dict[int, fmpq]],
    span: range,
    segments: Sequence[Pair],
    vertex: list[int],
    chains: list[list[int]],
    edges: list[Pair],
) -> None:
    """The edges on one line and the chains of its segments."""
    along: list[int] = []
    for piece in span:
        a, b = pieces[piece]
        inner = sorted(cuts[piece].items(), key=lambda item: item[1])
        chain = [a, *(v for v, _ in inner), b]
        edges += [ordered(x, y) for x, y in pairwise(chain)]
        along += chain[1:] if along and along[-1] == a else chain
    place = {v: k for k, v in enumerate(along)}
    dropped = [v for v in line.order if v not in place]
    if dropped:
        axis = line.axis
        marks = sorted(
            [(fmpq(table[v][axis], table[v][-1]), v) for v in (*along, *dropped)],
            key=lambda mark: mark[0],
        )
        last = -1
        for _, v in marks:
            if v in place:
                last = v
            else:
                vertex[v] = last
    for s in line.members:
        a, b = (place[vertex[v]] for v in segments[s])
        chains[s] = along[a : b + 1] if a <= b else along[b : a + 1][::-1]


def _cut(
    points: Sequence[Point], pieces: list[Pair], loose: list[int]
) -> tuple[list[Point], list[dict[int, fmpq]], int]:
    """The points where segments meet that do not overlap, and where points lie inside of them."""
    known = {p: i for i, p in enumerate(points)}
    table = list(points)
    cuts: list[dict[int, fmpq]] = [{} for _ in pieces]
    ends = np.array(pieces + [(v, v) for v in loose], np.int64).reshape(-1, 2)
    decided = 0
    if len(ends):
        for i, j in _undecided(approximation(points), ends):
            decided += len(i)
            look()
            for first, second in zip(i.tolist(), j.tolist(), strict=True):
                _cut_pair(table, known, cuts, ends, first, second)
    return table, cuts, decided


def _undecided(approx: Floats, ends: Indices) -> Iterator[tuple[Indices, Indices]]:
    """Pairs of segments without common ends that floats do not prove disjoint, in chunks."""
    lower, upper = outer_boxes(approx, ends)
    with np.errstate(all="ignore"):  # what overflows or is nan proves nothing
        for pairs in box_pairs(lower, upper):
            i, j = pairs.T
            # from a common end they go in different directions
            apart = ~(ends[i][:, :, None] == ends[j][:, None, :]).any(axis=(1, 2))
            first, second = i[apart], j[apart]
            proved = _separated(approx, ends[first], ends[second])
            if not proved.all():
                yield first[~proved], second[~proved]


def _separated(approx: Floats, first: Indices, second: Indices) -> NDArray[np.bool_]:
    """Which pairs of segments a direction surely separates: that between their nearest points."""
    p, q = approx[first[:, 0]], approx[first[:, 1]]
    r, s = approx[second[:, 0]], approx[second[:, 1]]
    w = _gap(p, q, r, s)
    values = [np.einsum("ij,ij->i", w, x) for x in (p, q, r, s)]
    size = np.max([np.einsum("ij,ij->i", np.abs(w), np.abs(x)) for x in (p, q, r, s)], axis=0)
    slack = np.minimum(values[0], values[1]) - np.maximum(values[2], values[3])
    m = approx.shape[1]
    # each value is off by at most (m + 3) u times its size
    return np.asarray(slack > (4 * m + 16) * _U * size + _TINY)


def _gap(p: Floats, q: Floats, r: Floats, s: Floats) -> Floats:
    """From the nearest point of the segment (r, s) to that of (p, q), approximately.

    Source: Ericson, Real-Time Collision Detection (2005), section 5.1.9.
    """
    u, v, w = q - p, s - r, p - r
    a, e = np.einsum("ij,ij->i", u, u), np.einsum("ij,ij->i", v, v)
    b, c = np.einsum("ij,ij->i", u, v), np.einsum("ij,ij->i", u, w)
    f = np.einsum("ij,ij->i", v, w)
    whole = a * e - b * b
    at = np.where(whole > 0, np.clip((b * f - c * e) / np.where(whole > 0, whole, 1), 0, 1), 0.0)
    to = np.clip(np.where(e > 0, (b * at + f) / np.where(e > 0, e, 1), 0.0), 0, 1)
    at = np.clip(np.where(a > 0, (b * to - c) / np.where(a > 0, a, 1), 0.0), 0, 1)
    return w + at[:, None] * u - to[:, None] * v


def _cut_pair(
    table: list[Point],
    known: dict[Point, int],
    cuts: list[dict[int, fmpq]],
    ends: Indices,
    first: int,
    second: int,
) -> None:
    """Add to two segments, or a segment and a point, the point where they meet."""
    (a, b), (c, d) = ends[first].tolist(), ends[second].tolist()
    if a == b or c == d:
        if a != b or c != d:
            first, (a, b), c = (first, (a, b), c) if c == d else (second, (c, d), a)
            _add_inside(table, cuts[first], (a, b), c)
        return
    found = crossing_of(table[a], table[b], table[c], table[d])
    if found is None:
        return
    meeting, s, t = found
    number = known.get(meeting)
    if number is None:
        number = known[meeting] = len(table)
        table.append(meeting)
    if number not in {a, b}:
        cuts[first][number] = s
    if number not in {c, d}:
        cuts[second][number] = t


def crossing_of(P: Point, Q: Point, R: Point, S: Point) -> tuple[Point, fmpq, fmpq] | None:
    """Where the segments PQ and RS meet, ``P + s (Q − P) = R + t (S − R)``.

    None if they do not, or if they are parallel (these may overlap).
    """
    u, v, w = difference(P, Q), difference(R, S), difference(P, R)
    plane = _independent(u, v)
    if plane is None:
        return None
    i, j = plane
    minor = u[i] * v[j] - u[j] * v[i]
    # w = (along u − against v) / minor, up to the factors of the denominators
    along, against = w[i] * v[j] - w[j] * v[i], w[i] * u[j] - w[j] * u[i]
    sign = 1 if minor > 0 else -1
    # the differences carry the factors of their denominators, which cancel here
    s_part, s_whole = sign * along * Q[-1], sign * minor * R[-1]
    t_part, t_whole = sign * against * S[-1], sign * minor * P[-1]
    if not (0 <= s_part <= s_whole and 0 <= t_part <= t_whole):
        return None
    if any(z * minor != along * x - against * y for x, y, z in zip(u, v, w, strict=True)):
        return None
    meeting = between(P, Q, s_part, s_whole)
    return meeting, fmpq(s_part, s_whole), fmpq(t_part, t_whole)


def _add_inside(table: list[Point], cuts: dict[int, fmpq], ends: Pair, number: int) -> None:
    """Add a point to a segment if it lies inside of it."""
    P, Q, X = table[ends[0]], table[ends[1]], table[number]
    u, w = difference(P, Q), difference(P, X)
    i = max(range(len(u)), key=lambda k: abs(u[k]))
    # w = s u up to the factors of the differences, s = w_i / u_i · Q_d / X_d
    part, whole = w[i] * Q[-1], u[i] * X[-1]
    if whole < 0:
        part, whole = -part, -whole
    if 0 < part < whole and all(x * u[i] == y * w[i] for x, y in zip(w, u, strict=True)):
        cuts[number] = fmpq(part, whole)


def _independent(u: Sequence[int], v: Sequence[int]) -> Pair | None:
    """Two coordinates in which u and v are independent; None if they are parallel."""
    i = next(k for k, x in enumerate(u) if x)
    for j in range(len(u)):
        if j != i and u[i] * v[j] != u[j] * v[i]:
            return i, j
    return None
