"""Loops that carry the classes of a curve's image which a layer makes, and those which it kills.

The exact image of a trained network has many tiny crossings, each of them a class: beside the
groups stands the size of the smallest loop that carries a class. Which classes there are is exact;
lengths and diameters are floats, and only which of several loops is the shortest depends on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpz_mat
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from polyrank.chains.elimination import INTEGERS, Coefficients
from polyrank.chains.submodules import kernel
from polyrank.chains.vectors import Number, monic, subtract, vector
from polyrank.image.homogeneous import approximation
from polyrank.image.overlay import ImageComplex
from polyrank.lp.deadline import look

__all__ = ["MOST_LOOPS", "Loop", "born_loops", "dying_loops"]

#: Loops are looked for in images with at most so many independent ones.
MOST_LOOPS = 400

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Loop:
    """A closed path in the image of a curve.

    Attributes
    ----------
    layer : int
        The layer whose map makes its class (born), or sends it to 0 (dying).
    edges : tuple of (int, int)
        Segments of the image (of the one before the layer, for a dying class) and how often the
        loop runs along them.
    length, diameter : float
        Its length, and the longest side of its box.
    share : float
        The diameter divided by that of the whole image.
    simplices : tuple of int
        The edges of M whose images take part.
    """

    layer: int
    edges: tuple[tuple[int, int], ...]
    length: float
    diameter: float
    share: float
    simplices: tuple[int, ...]


@dataclass(slots=True)
class _Graph:
    """An image with a spanning forest and fundamental cycles."""

    image: ImageComplex
    parent: dict[int, tuple[int, int]]  # vertex → (parent, edge)
    chords: list[int]

    @classmethod
    def of(cls, image: ImageComplex) -> _Graph:
        around: dict[int, list[tuple[int, int]]] = {}
        for e, (a, b) in enumerate(image.edges.tolist()):
            around.setdefault(a, []).append((b, e))
            around.setdefault(b, []).append((a, e))
        parent: dict[int, tuple[int, int]] = {}
        used: set[int] = set()
        for root in around:
            if root in parent:
                continue
            parent[root] = root, -1
            waiting = [root]
            while waiting:
                v = waiting.pop()
                for w, e in around[v]:
                    if w not in parent:
                        parent[w] = v, e
                        used.add(e)
                        waiting.append(w)
        return cls(image, parent, [e for e in range(len(image.edges)) if e not in used])

    def cycle(self, chord: int) -> dict[int, int]:
        """The cycle of an edge that is not in the forest."""
        a, b = self.image.edges[chord].tolist()
        chain = {chord: 1}
        for start, sign in ((b, 1), (a, -1)):
            v = start
            while self.parent[v][1] >= 0:
                w, e = self.parent[v]
                # the forest leads from v to w; an edge is oriented from its smaller end
                step = sign if v < w else -sign
                chain[e] = chain.get(e, 0) + step
                v = w
        return {e: s for e, s in chain.items() if s}


class _Echelon:
    """A subspace of a field's vectors, grown one by one."""

    def __init__(self, field: Coefficients) -> None:
        self._field = field
        self._rows: dict[int, dict[int, Number]] = {}

    def add(self, entries: dict[int, int]) -> bool:
        """Whether a vector is independent of those before; it is added then."""
        row = vector(entries, self._field)
        while row:
            pivot = min(row)
            base = self._rows.get(pivot)
            if base is None:
                self._rows[pivot] = monic(row, pivot, self._field)
                return True
            subtract(row, base, row[pivot], self._field)
        return False


def born_loops(complexes: Sequence[ImageComplex], field: Coefficients) -> list[Loop]:
    """Short loops whose classes are a basis of ``H_1(Φ_K M)`` modulo the image of the layer before.

    Per layer they are chosen greedily among the loops that two shortest paths from a branch point
    and one more edge form: no other choice has shorter loops (Horton 1987; Erickson and Whittlesey,
    Greedy optimal homotopy and homology generators, 2005).

    Parameters
    ----------
    complexes : sequence of ImageComplex
        M itself, then its images, of a curve.
    field : int
        0 for ℚ, or a prime.
    """
    out = []
    for before, graph, _, carriers in _maps(complexes):
        image = graph.image
        space = _Echelon(field)
        number = {e: k for k, e in enumerate(graph.chords)}
        old = 0
        for chord in before.chords:
            old += space.add(_pushed(image, before.cycle(chord), number))
        missing = len(graph.chords) - old
        for chain in _short_loops(graph) if missing else ():
            if space.add({number[e]: s for e, s in chain.items() if e in number}):
                out.append(_loop(image, image, chain, carriers))
                missing -= 1
            if not missing:
                break
    return out


def dying_loops(complexes: Sequence[ImageComplex]) -> list[Loop]:
    """Loops whose classes generate the kernels of ``H_1(Φ_{K−1} M) → H_1(Φ_K M)`` over ℤ."""
    out = []
    for before, graph, carriers, _ in _maps(complexes):
        image = graph.image
        number = {e: k for k, e in enumerate(graph.chords)}
        cycles = [before.cycle(c) for c in before.chords]
        matrix = fmpz_mat(len(cycles), len(number))
        for i, cycle in enumerate(cycles):
            for k, v in _pushed(image, cycle, number).items():
                matrix[i, k] = v
        for row in kernel(matrix, INTEGERS).tolist():
            chain: dict[int, int] = {}
            for weight, cycle in zip(row, cycles, strict=True):
                for e, s in cycle.items():
                    chain[e] = chain.get(e, 0) + int(weight) * s
            chain = {e: s for e, s in chain.items() if s}
            out.append(_loop(image, before.image, chain, carriers))
    return out


def _maps(
    complexes: Sequence[ImageComplex],
) -> Iterator[tuple[_Graph, _Graph, sparse.csr_array, sparse.csr_array]]:
    """The maps between images with few loops: source, target, and the edges of M in both.

    These are two matrices, positive where an edge of M (column) goes to a segment (row).
    """
    graph = _Graph.of(complexes[0])
    carriers = sparse.csr_array(sparse.eye_array(len(complexes[0].edges), format="csr"))
    for image in complexes[1:]:
        look()
        before, graph = graph, _Graph.of(image)
        old = carriers
        carriers = sparse.csr_array(abs(image.origin[1]).astype(np.float64) @ old)
        if max(len(graph.chords), len(before.chords)) <= MOST_LOOPS:
            yield before, graph, old, carriers


def _pushed(image: ImageComplex, chain: dict[int, int], number: dict[int, int]) -> dict[int, int]:
    """The image of a chain, on the edges that are numbered."""
    f = image.origin[1]
    out: dict[int, int] = {}
    for e, s in chain.items():
        span = slice(f.indptr[e], f.indptr[e + 1])
        for row, value in zip(f.indices[span].tolist(), f.data[span].tolist(), strict=True):
            if row in number:
                out[number[row]] = out.get(number[row], 0) + s * value
    return out


def _short_loops(graph: _Graph) -> Iterator[dict[int, int]]:
    """Loops of two shortest paths and an edge, the shortest first."""
    image = graph.image
    edges, length = image.edges, _lengths(image)
    count = len(image.points)
    weight = np.maximum(length, 1e-300)
    table = sparse.csr_array((weight, (edges[:, 0], edges[:, 1])), shape=(count, count))
    degree = np.bincount(edges.ravel(), minlength=count)
    roots = set(np.flatnonzero(degree > 2).tolist())
    # a circle without a branch point has loops, too
    roots |= {int(edges[c, 0]) for c in graph.chords}
    candidates: list[tuple[float, int, int]] = []
    before: dict[int, NDArray[np.int32]] = {}
    for root in sorted(roots):
        look()
        distance, previous = dijkstra(table, directed=False, indices=root, return_predecessors=True)
        before[root] = previous
        a, b = edges[:, 0], edges[:, 1]
        total = distance[a] + distance[b] + length
        closing = np.isfinite(total) & (previous[a] != b) & (previous[b] != a)
        candidates += [(float(total[e]), root, e) for e in np.flatnonzero(closing).tolist()]
    candidates.sort()
    number = {(a, b): e for e, (a, b) in enumerate(edges.tolist())}
    for _, root, e in candidates:
        a, b = edges[e].tolist()
        chain = {e: 1}
        for start, sign in ((b, 1), (a, -1)):
            v = start
            while v != root:
                w = int(before[root][v])
                own = number[(v, w) if v < w else (w, v)]
                chain[own] = chain.get(own, 0) + (sign if v < w else -sign)
                v = w
        yield {own: s for own, s in chain.items() if s}


def _lengths(image: ImageComplex) -> NDArray[np.float64]:
    ends = approximation(image.points)[image.edges]
    return np.asarray(np.sqrt(((ends[:, 0] - ends[:, 1]) ** 2).sum(axis=1)))


def _loop(
    layer: ImageComplex, image: ImageComplex, chain: dict[int, int], carriers: sparse.csr_array
) -> Loop:
    own = sorted(chain)
    points = approximation(image.points)
    used = points[image.edges[own].ravel()]
    diameter = float((used.max(axis=0) - used.min(axis=0)).max())
    whole = float((points.max(axis=0) - points.min(axis=0)).max())
    weights = np.abs([chain[e] for e in own])
    return Loop(
        -1 if layer.layer is None else layer.layer,
        tuple((e, chain[e]) for e in own),
        float((_lengths(image)[own] * weights).sum()),
        diameter,
        diameter / whole if whole > 0 else 0.0,
        tuple(np.unique(carriers[own].indices).tolist()),
    )
