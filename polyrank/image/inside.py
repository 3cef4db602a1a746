"""The part of a complex that a move does not keep as it is, so that all else need not be glued.

**Theorem.** Let X be a complex of convex cells and f: X → R^m affine on each. Let A be a subcomplex
such that every maximal cell P that is not in A is moved one-to-one, and for every other maximal
cell Q one of these holds:

1. the images of P and Q meet in the hull of the images of their common vertices only;
2. P and Q are moved by one affine map of the whole space that is one-to-one.

Then f is one-to-one outside of A, and f(X) without f(A) is the image of X without A.

*Proof.* Let f(x) = f(y) with x not in A, P a maximal cell that holds x, and Q one that holds y. In
the second case x = y. In the first f(x) is f(z) for a z in the hull of the common vertices, a part
of P and of Q. As f is one-to-one on P, x = z, a point of Q. So Q is not in A, f is one-to-one on
Q, too, and y = z. ∎

So f(X) is a refinement of f(A) with the cells that are not in A attached as they are in X. These
need no rational arithmetic: floats with bounds of their errors prove their ranks, and a hyperplane
for the first condition (:mod:`polyrank.image.meeting`). What they do not prove is in A.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from polyrank.image.candidates import box_pairs
from polyrank.image.cut import Parts
from polyrank.image.homogeneous import Point
from polyrank.image.hulls import Hulls, hulls_of_points
from polyrank.image.lines import ordered
from polyrank.image.meeting import separated
from polyrank.lp.deadline import look

__all__ = ["Inside", "full_rank", "inside"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]
Pair = tuple[int, int]

_U = 2.0**-53


@dataclass(frozen=True, slots=True)
class Inside:
    """The subcomplex A of the theorem.

    Attributes
    ----------
    rows : list of int
        The vertices of the parts that are in A, ascending.
    segments : list of (int, int)
        The segments in A, the smaller number first.
    polygons, solids : list of int
        Numbers of the polygons and solids of the parts in A.
    """

    rows: list[int]
    segments: list[Pair]
    polygons: list[int]
    solids: list[int]


def inside(places: Sequence[Point], parts: Parts) -> Inside:
    """What a move of the vertices of parts may not keep as it is.

    Parameters
    ----------
    places : sequence of Point
        Where the rows of the parts go; on every part the move is affine.
    parts : Parts
    """
    cells = _Maximal(parts, len(places))
    own = hulls_of_points(places, cells.hulls, np.array(cells.dimension, np.int64))
    chart = np.array(cells.charts, np.int64)
    met = (chart < 0) & ~_one_to_one(own)
    corners = sparse.csr_array(
        (np.ones(own.vertex.size, np.int64), own.vertex, own.start),
        shape=(own.count, len(places)),
    )
    flat = _Flats(own, cells.hulls)
    for pairs in box_pairs(*own.boxes(), chart):
        # a pair of which both are in A already says nothing new
        left = pairs[~met[pairs].all(axis=1)]
        if not len(left):
            continue
        common = corners[left[:, 0]].multiply(corners[left[:, 1]])
        faces = np.asarray(common.sum(axis=1)).ravel() - 1
        several = np.flatnonzero(faces > 1)
        if several.size:
            faces[several] = flat.dimensions(left[several])
        apart, _ = separated(own, left, faces)
        met[left[~apart]] = True
    return cells.closure(np.flatnonzero(met).tolist())


class _Maximal:
    """The cells of parts that are no sides of others: their vertices, dimensions and charts."""

    def __init__(self, parts: Parts, rows: int) -> None:
        self.parts = parts
        self.hulls: list[list[int]] = []
        self.dimension: list[int] = []
        self.charts: list[int] = []
        self._polygon: list[int] = []
        sides: set[int] = set()
        for (_, own), chart in zip(parts.solids, parts.solid_charts, strict=True):
            numbers = [p for p, _ in own]
            sides.update(numbers)
            self._add({v for p in numbers for v in parts.polygons[p][1]}, 3, chart)
        self._edges: set[Pair] = set()
        used: set[int] = set()
        for p, ((_, ring), chart) in enumerate(zip(parts.polygons, parts.charts, strict=True)):
            used.update(ring)
            self._edges.update(_around(ring))
            if p not in sides:
                self._polygon.append(p)
                self._add(ring, 2, chart)
        self._segments: list[Pair] = []
        for chain in parts.chains:
            used.update(chain)
            for a, b in pairwise(chain):
                key = ordered(a, b)
                if key not in self._edges:
                    self._segments.append(key)
                    self._add(key, 1, -1)
        self._points = [v for v in range(rows) if v not in used]
        for v in self._points:
            self._add((v,), 0, -1)

    def _add(self, corners: set[int] | Sequence[int], dimension: int, chart: int) -> None:
        self.hulls.append(sorted(corners))
        self.dimension.append(dimension)
        self.charts.append(chart)

    def closure(self, chosen: Sequence[int]) -> Inside:
        """The cells and all their faces."""
        kinds = len(self.parts.solids), len(self._polygon), len(self._segments)
        ends = np.cumsum(kinds).tolist()
        solids = [c for c in chosen if c < ends[0]]
        polygons = {p for s in solids for p, _ in self.parts.solids[s][1]}
        polygons.update(self._polygon[c - ends[0]] for c in chosen if ends[0] <= c < ends[1])
        segments = {self._segments[c - ends[1]] for c in chosen if ends[1] <= c < ends[2]}
        for p in polygons:
            segments.update(_around(self.parts.polygons[p][1]))
        rows = {v for pair in segments for v in pair}
        rows.update(self._points[c - ends[2]] for c in chosen if c >= ends[2])
        return Inside(sorted(rows), sorted(segments), sorted(polygons), solids)


def _around(ring: Sequence[int]) -> list[Pair]:
    return [ordered(a, b) for a, b in pairwise([*ring, ring[0]])]


class _Flats:
    """Dimensions of the faces that cells have in common, from three vertices on."""

    def __init__(self, own: Hulls, cells: Sequence[Sequence[int]]) -> None:
        self._own = own
        self._cells = [frozenset(cell) for cell in cells]
        self._known: dict[frozenset[int], int] = {}

    def dimensions(self, pairs: Indices) -> list[int]:
        """2 where that is proved; else −1, for not known."""
        common = [self._cells[i] & self._cells[j] for i, j in pairs.tolist()]
        by_size: dict[int, list[frozenset[int]]] = {}
        for own in set(common) - self._known.keys():
            by_size.setdefault(len(own), []).append(own)
        image, error, _ = self._own.scaled()
        for group in by_size.values():
            corners = np.array([sorted(own) for own in group])
            flat = full_rank(image[corners], error[corners], 2)
            self._known.update(zip(group, np.where(flat, 2, -1).tolist(), strict=True))
        return [self._known[own] for own in common]


def _one_to_one(own: Hulls) -> Flags:
    """Which hulls floats prove to have the dimension of what is moved there."""
    image, error, _ = own.scaled()
    size = np.diff(own.start)
    out = np.zeros(own.count, dtype=bool)
    for n in np.unique(size).tolist():
        for d in range(4):
            chosen = np.flatnonzero((size == n) & (own.dimension == d))
            for start in range(0, len(chosen), 4096):
                look()
                block = chosen[start : start + 4096]
                corners = own.vertex[own.start[block][:, None] + np.arange(n)]
                out[block] = full_rank(image[corners], error[corners], d)
    return out


def full_rank(image: Floats, error: Floats, rank: int) -> Flags:
    """Of which of many sets of points, (N, n, m), floats prove that they span that many dimensions.

    A minor of the vectors from the first point is chosen by elimination with complete pivoting, and
    computed again with a bound of its error.
    """
    count, n, m = image.shape
    if rank == 0:
        return np.ones(count, dtype=bool)
    if n <= rank or m < rank:
        return np.zeros(count, dtype=bool)
    with np.errstate(all="ignore"):
        vectors = image[:, 1:] - image[:, :1]
        slack = error[:, 1:] + error[:, :1] + 2 * _U * np.abs(vectors)
        rest = np.nan_to_num(vectors)
        every = np.arange(count)
        rows, columns = [], []
        for _ in range(rank):
            place = np.abs(rest).reshape(count, -1).argmax(axis=1)
            r, c = np.divmod(place, m)
            rows.append(r)
            columns.append(c)
            pivot = rest[every, r, c]
            factor = rest[every, :, c] / np.where(pivot == 0, 1.0, pivot)[:, None]
            rest = np.nan_to_num(rest - factor[:, :, None] * rest[every, r][:, None, :])
        at = every[:, None, None], np.stack(rows, 1)[:, :, None], np.stack(columns, 1)[:, None, :]
        minor, bound = vectors[at], slack[at]
        size = np.abs(minor)
        det, least, most = np.zeros(count), np.zeros(count), np.zeros(count)
        for order in permutations(range(rank)):
            sign = (-1) ** sum(a > b for k, b in enumerate(order) for a in order[:k])
            at_once = [(every, k, c) for k, c in enumerate(order)]
            det += sign * np.prod([minor[a] for a in at_once], axis=0)
            least += np.prod([size[a] for a in at_once], axis=0)
            most += np.prod([size[a] + bound[a] for a in at_once], axis=0)
        return np.asarray(np.abs(det) > (most - least) + 64 * _U * most + 2.0**-1000)
