"""From single regions with their faces to one complex: cells are joined by sign vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from polyrank.cells.interrupt import answered
from polyrank.cells.vertices.core import KeptCells
from polyrank.native.records import call

__all__ = ["Glued", "glue"]

Words = NDArray[np.uint64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Glued:
    """Incidences and signs of the complex; ``first`` is one kept vertex for each vertex."""

    pos: tuple[Words, ...]
    neg: tuple[Words, ...]
    boundary: tuple[csc_array, ...]
    first: Numbers


def glue(cells: KeptCells, k: int) -> Glued:
    """Join the faces of all regions.

    Vertices are equal iff their sign vectors are, domain rows included. An edge is its two
    vertices. A 2-cell is determined by its three smallest vertices: the closures of two different
    2-cells meet in a common face, which has at most two vertices, and no three vertices of a
    convex polygon lie on a line.

    Parameters
    ----------
    cells : KeptCells
        All regions.
    k : int
        Their dimension, 1 to 3.
    """
    regions = len(cells.first) - 1
    first, number = distinct_rows(np.concatenate([cells.pos, cells.neg], axis=1))
    pos, neg = [cells.pos[first]], [cells.neg[first]]
    # local vertex numbers of the cycles → numbers in the complex
    entries = np.diff(cells.first[:, 1])
    of_entry = np.repeat(np.arange(regions), entries)
    cycle = number[cells.cycle + cells.first[of_entry, 0]]
    if k == 1:
        sizes = np.full(regions, 2)
        edges = _Segments(cycle[0::2], cycle[1::2], len(first))
        boundary = [edges.boundary()]
        # regions in their own order
        order = edges.number
        pos.append(_union(pos[0], edges.tail, edges.head)[order])
        neg.append(_union(neg[0], edges.tail, edges.head)[order])
        boundary = [csc_array(boundary[0][:, order])]
        return Glued(tuple(pos), tuple(neg), tuple(boundary), first)
    sizes = entries if k == 2 else cells.facet_size
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    last = starts[1:] - 1
    following = np.arange(len(cycle)) + 1
    following[last] = starts[:-1]
    edges = _Segments(cycle, cycle[following], len(first))
    pos.append(_union(pos[0], edges.tail, edges.head))
    neg.append(_union(neg[0], edges.tail, edges.head))
    polygon = np.repeat(np.arange(len(sizes)), sizes)
    if k == 2:
        faces = _incidence(edges.number, polygon, edges.sign, (edges.count, regions))
        for words in (pos, neg):
            words.append(_united(words[0], cycle, starts[:-1], starts[1:]))
        boundary = [edges.boundary(), faces]
        return Glued(tuple(pos), tuple(neg), tuple(boundary), first)
    key, sign = _polygons(cycle, starts, sizes)
    chosen, face = distinct_rows(key.view(np.uint64))
    picked = np.zeros(len(sizes), dtype=bool)
    picked[chosen] = True
    kept = picked[polygon]
    faces = _incidence(
        edges.number[kept], face[polygon[kept]], (edges.sign * sign[polygon])[kept],
        (edges.count, len(chosen)),
    )  # fmt: skip
    of_facet = np.repeat(np.arange(regions), np.diff(cells.first[:, 2]))
    bodies = _incidence(face, of_facet, sign, (len(chosen), regions))
    for words in (pos, neg):
        words.append(_united(words[0], cycle, starts[chosen], starts[chosen + 1]))
        words.append(_united(words[2], face, cells.first[:-1, 2], cells.first[1:, 2]))
    return Glued(tuple(pos), tuple(neg), (edges.boundary(), faces, bodies), first)


class _Segments:
    """Distinct unordered pairs of vertices among directed ones."""

    def __init__(self, start: Numbers, end: Numbers, vertices: int) -> None:
        low, high = np.minimum(start, end), np.maximum(start, end)
        first, self.number = distinct_rows(np.stack([low, high], axis=1).view(np.uint64))
        self.count = len(first)
        self.tail, self.head = low[first], high[first]
        self.sign = np.where(start < end, 1, -1).astype(np.int8)
        self._vertices = vertices

    def boundary(self) -> csc_array:
        """Head minus tail."""
        columns = np.arange(self.count)
        ones = np.ones(self.count, dtype=np.int8)
        return _incidence(
            np.concatenate([self.tail, self.head]),
            np.concatenate([columns, columns]),
            np.concatenate([-ones, ones]),
            (self._vertices, self.count),
        )


def _incidence(
    rows: Numbers, columns: Numbers, signs: NDArray[np.int8], shape: tuple[int, int]
) -> csc_array:
    return csc_array((signs.astype(np.int8), (rows, columns)), shape=shape)


def _union(words: Words, tail: Numbers, head: Numbers) -> Words:
    return words[tail] | words[head]


def _united(words: Words, member: Numbers, start: Numbers, end: Numbers) -> Words:
    """The signs of cells from those of their faces ``member[start:end]``."""
    out = np.empty((len(start), words.shape[1]), dtype=np.uint64)
    start, end = np.ascontiguousarray(start), np.ascontiguousarray(end)
    answered(lambda: call("polyrank_union_rows", words, member, start, end, out))
    return out


def _polygons(cycle: Numbers, starts: Numbers, sizes: Numbers) -> tuple[Numbers, NDArray[np.int8]]:
    """Three smallest vertices of each polygon, and whether it runs in the canonical direction.

    The canonical direction goes from the smallest vertex to the smaller of its two neighbours.
    """
    polygon = np.repeat(np.arange(len(sizes)), sizes)
    smallest = np.minimum.reduceat(cycle, starts[:-1])
    at = np.flatnonzero(cycle == smallest[polygon])
    local = at - starts[:-1]
    after = cycle[starts[:-1] + (local + 1) % sizes]
    before = cycle[starts[:-1] + (local - 1) % sizes]
    key = np.empty((len(sizes), 3), dtype=np.int64)
    key[:, 0] = smallest
    rest = cycle.copy()
    for j in (1, 2):
        rest[rest == key[polygon, j - 1]] = np.iinfo(np.int64).max
        key[:, j] = np.minimum.reduceat(rest, starts[:-1])
    return key, np.where(after < before, 1, -1).astype(np.int8)


def distinct_rows(rows: Words) -> tuple[Numbers, Numbers]:
    """First index of every distinct row, ascending, and the number of each row's class.

    Rows are compared word by word, so that the classes do not depend on any hash.

    Raises
    ------
    MemoryError
        If the table of the rows does not fit into memory.
    """
    first, number = (np.empty(len(rows), dtype=np.int64) for _ in range(2))
    count = answered(lambda: int(call("polyrank_distinct_rows", rows, first, number)))
    if count < 0:
        raise MemoryError(f"{len(rows)} rows do not fit into the table that joins them")
    return first[:count].copy(), number
