"""Acyclic matchings: from a large chain complex to a small one with the same homology, exactly.

Two cells a < b with incidence ±1 are cancelled when b has a as its only face left (a coreduction)
or a has b as its only coface left (a reduction, an elementary collapse); where neither is to be
had, a cell of the largest dimension left is set aside as critical. Such a matching is acyclic
(discrete Morse theory), so the critical cells with the boundary that follows the gradient paths
have the homology of the complex, over ℤ and over every ring. Cells with different labels are never
matched, so that a subcomplex and the relative complex are reduced at the same time.

Sources: R. Forman, Morse theory for cell complexes (1998); M. Mrozek and B. Batko, Coreduction
homology algorithm (2009); S. Harker et al., Discrete Morse theoretic algorithms for computing
homology of complexes and maps (2014).
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from polyrank.topology.chain import ChainComplex

__all__ = ["critical_complex"]

_LIMIT = 4.0e18  # below 2**62: a sum of two products still fits


@njit(cache=True)
def _match(face_ptr, faces, face_val, coface_ptr, cofaces, coface_val, label):
    """The matching.

    Returns ``mate`` (−1: critical) and ``key``: gradient paths lead from smaller to larger keys.
    """
    total = label.size
    alive = np.ones(total, np.bool_)
    mate = np.full(total, -1, np.int64)
    key = np.zeros(total, np.int64)
    down = np.zeros(total, np.int64)  # faces and cofaces left, with the same label
    up = np.zeros(total, np.int64)
    for c in range(total):
        for i in range(face_ptr[c], face_ptr[c + 1]):
            if label[faces[i]] == label[c]:
                down[c] += 1
                up[faces[i]] += 1
    queue = np.empty(4 * total + 4, np.int64)
    head, tail = 0, 0
    for c in range(total):
        if down[c] == 1 or up[c] == 1:
            queue[tail] = c
            tail += 1
    last = total - 1
    time = 0
    while True:
        first, second = -1, -1
        reduction = False
        while head < tail and first < 0:
            c = queue[head]
            head += 1
            if not alive[c]:
                continue
            if down[c] == 1:
                for i in range(face_ptr[c], face_ptr[c + 1]):
                    f = faces[i]
                    if alive[f] and label[f] == label[c]:
                        if face_val[i] == 1 or face_val[i] == -1:
                            first, second, reduction = f, c, False
                        break
            if first < 0 and up[c] == 1:
                for i in range(coface_ptr[c], coface_ptr[c + 1]):
                    f = cofaces[i]
                    if alive[f] and label[f] == label[c]:
                        if coface_val[i] == 1 or coface_val[i] == -1:
                            first, second, reduction = c, f, True
                        break
        if first < 0:
            while last >= 0 and not alive[last]:
                last -= 1
            if last < 0:
                break
            first = last
        else:
            mate[first] = second
            mate[second] = first
            time += 1
            # from a reduction to later pairs, from a coreduction to earlier ones, never back
            key[first] = time if reduction else 2 * total + 2 - time
        for c in (first, second):
            if c < 0:
                continue
            alive[c] = False
            for i in range(face_ptr[c], face_ptr[c + 1]):
                f = faces[i]
                if alive[f] and label[f] == label[c]:
                    up[f] -= 1
                    if up[f] == 1:
                        queue[tail] = f
                        tail += 1
            for i in range(coface_ptr[c], coface_ptr[c + 1]):
                f = cofaces[i]
                if alive[f] and label[f] == label[c]:
                    down[f] -= 1
                    if down[f] == 1:
                        queue[tail] = f
                        tail += 1
    return mate, key


@njit(cache=True)
def _flow(face_ptr, faces, face_val, mate, order, cell_at, dimension, critical):
    """The boundaries of the critical cells, followed down the gradient paths.

    ``order[c]`` is the position of a tail c in the order of keys, ``cell_at`` its inverse.
    Returns (column, row, value) triples and whether every number fitted into 64 bits.
    """
    total = mate.size
    value = np.zeros(total, np.int64)
    queued = np.zeros(total, np.bool_)
    size = 1024
    columns = np.empty(size, np.int64)
    rows = np.empty(size, np.int64)
    values = np.empty(size, np.int64)
    count = 0
    for c in critical:
        heap = [np.int64(0) for _ in range(0)]
        found = [np.int64(0) for _ in range(0)]
        source, sign = c, np.int64(1)
        skipped = np.int64(-1)
        while True:
            for i in range(face_ptr[source], face_ptr[source + 1]):
                f = faces[i]
                if f == skipped:
                    continue
                partner = mate[f]
                if partner >= 0 and dimension[partner] < dimension[f]:
                    continue  # the head of a pair flows nowhere
                if abs(float(sign) * float(face_val[i])) + abs(float(value[f])) > _LIMIT:
                    return columns[:0], rows[:0], values[:0], False
                value[f] += sign * face_val[i]
                if not queued[f]:
                    queued[f] = True
                    if partner < 0:
                        found.append(f)
                    else:
                        heappush(heap, order[f])
            source = np.int64(-1)
            while len(heap) > 0 and source < 0:
                tail = cell_at[heappop(heap)]
                queued[tail] = False
                if value[tail] != 0:
                    source, skipped = mate[tail], tail
                    for i in range(face_ptr[source], face_ptr[source + 1]):
                        if faces[i] == tail:
                            sign = -value[tail] * face_val[i]  # the entry is ±1
                    value[tail] = 0
            if source < 0:
                break
        for f in found:
            queued[f] = False
            if value[f] != 0:
                if count == size:
                    size *= 2
                    grown = np.empty((3, size), np.int64)
                    grown[0, :count] = columns
                    grown[1, :count] = rows
                    grown[2, :count] = values
                    columns, rows, values = grown[0].copy(), grown[1].copy(), grown[2].copy()
                columns[count] = c
                rows[count] = f
                values[count] = value[f]
                count += 1
            value[f] = 0
    return columns[:count], rows[:count], values[:count], True


def _flow_in_integers(
    face_ptr: NDArray[Any],
    faces: NDArray[Any],
    face_val: NDArray[Any],
    mate: NDArray[Any],
    order: NDArray[Any],
    cell_at: NDArray[Any],
    dimension: NDArray[Any],
    critical: NDArray[Any],
) -> list[tuple[int, int, int]]:
    """The same in integers of any size."""
    out: list[tuple[int, int, int]] = []
    for c in critical.tolist():
        value: dict[int, int] = {}
        heap: list[int] = []
        source, sign, skipped = c, 1, -1
        while True:
            for i in range(face_ptr[source], face_ptr[source + 1]):
                f, partner = int(faces[i]), int(mate[faces[i]])
                if f == skipped or (partner >= 0 and dimension[partner] < dimension[f]):
                    continue
                if f not in value and partner >= 0:
                    heappush(heap, int(order[f]))
                value[f] = value.get(f, 0) + sign * int(face_val[i])
            if not heap:
                break
            skipped = int(cell_at[heappop(heap)])
            source = int(mate[skipped])
            span = slice(face_ptr[source], face_ptr[source + 1])
            entry = int(face_val[span][faces[span] == skipped][0])
            sign = -value.pop(skipped) * entry
        out += [(c, f, v) for f, v in value.items() if v]
    return out


Entry = tuple[int, int, int]


def critical_complex(
    complex_: ChainComplex, labels: tuple[NDArray[np.int64], ...] | None = None
) -> tuple[tuple[NDArray[np.int64], ...], list[list[Entry]]]:
    """A small chain complex that is chain homotopy equivalent to a given one.

    Parameters
    ----------
    complex_ : ChainComplex
    labels : tuple of int arrays, shape (f_d,), optional
        A filtration: no face of a cell has a larger label. The equivalence respects it.

    Returns
    -------
    critical : tuple of int arrays
        Per dimension, the cells that are left.
    boundary : list of lists of (row, column, value)
        Per dimension d ≥ 1, the entries of ∂_d; rows and columns number the critical cells.
    """
    sizes = np.array(complex_.cells, dtype=np.int64)
    offset = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    total = int(offset[-1])
    dimension = np.repeat(np.arange(len(sizes)), sizes).astype(np.int64)
    label = np.zeros(total, np.int64) if labels is None else np.concatenate(labels)
    faces = _incidences(complex_, offset, total, down=True)
    cofaces = _incidences(complex_, offset, total, down=False)
    mate, key = _match(*faces, *cofaces, label)
    key += (label.max(initial=0) - label) * (4 * total + 4)
    cell_at = np.argsort(key, kind="stable")
    order = np.empty(total, np.int64)
    order[cell_at] = np.arange(total)
    left = np.flatnonzero(mate < 0)
    arguments = (*faces, mate, order, cell_at, dimension, left[left >= offset[1]])
    columns, rows, values, fitted = _flow(*arguments)
    entries: list[Entry] = (
        list(zip(columns.tolist(), rows.tolist(), values.tolist(), strict=True))
        if fitted
        else _flow_in_integers(*arguments)
    )
    number = np.full(total, -1, np.int64)
    critical = []
    for d in range(len(sizes)):
        own = left[(left >= offset[d]) & (left < offset[d + 1])]
        number[own] = np.arange(own.size)
        critical.append(own - offset[d])
    boundary: list[list[Entry]] = [[] for _ in range(max(0, len(sizes) - 1))]
    for column, row, value in entries:
        boundary[int(dimension[row])].append((int(number[row]), int(number[column]), value))
    return tuple(critical), boundary


def _incidences(
    complex_: ChainComplex, offset: NDArray[np.int64], total: int, *, down: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Faces (or cofaces) of every cell in one compressed table: pointers, cells, numbers."""
    counts, cells, numbers = [], [], []
    top = len(complex_.cells) - 1
    for d in range(top + 1):
        other = d - 1 if down else d + 1
        if not 0 <= other <= top:
            counts.append(np.zeros(complex_.cells[d], np.int64))
            continue
        matrix = complex_.boundary[d - 1].tocsc() if down else complex_.boundary[d].tocsr()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        counts.append(np.diff(matrix.indptr).astype(np.int64))
        cells.append(matrix.indices.astype(np.int64) + offset[other])
        numbers.append(matrix.data.astype(np.int64))
    pointers = np.concatenate([[0], np.cumsum(np.concatenate([[0], *counts]))])[1:]
    empty = np.empty(0, np.int64)
    return (
        pointers.astype(np.int64),
        np.concatenate([empty, *cells]),
        np.concatenate([empty, *numbers]),
    )
