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

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from polyrank.cells.interrupt import answered
from polyrank.chains.chain import ChainComplex
from polyrank.native.records import Handle, call

__all__ = ["Matching", "critical_complex", "matching"]

_LARGE = 100_000  # cells: less takes a tenth of a second
_Result = TypeVar("_Result")


def _match(*tables: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The matching: ``mate`` (−1: critical) and ``key``, along which gradient paths ascend."""
    mate = np.empty(tables[-1].size, np.int64)
    key = np.empty(tables[-1].size, np.int64)
    if not call("polyrank_morse_match", *tables, mate, key):
        raise MemoryError("the matching of the cells does not fit into memory")
    return mate, key


def _flow(*tables: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """The boundaries of the critical cells, followed down the gradient paths.

    Columns, rows and values, shape (3, entries); None where a number does not fit into 62 bits.
    """
    size = np.zeros(1, np.int64)
    pointer = call("polyrank_morse_boundary_new", *tables, size, restype=Handle.pointer_type)
    boundary = Handle(pointer, "polyrank_morse_boundary_free")
    if size[0] < 0:
        return None
    out = np.empty((3, int(size[0])), np.int64)
    call("polyrank_morse_boundary_entries", boundary, out)
    return out


def _patient(large: bool, work: Callable[[], _Result]) -> _Result:
    """The result of work, in a way that answers Ctrl-C if it can last."""
    return answered(work) if large else work()


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


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """An acyclic matching of the cells of a complex, which are numbered through all dimensions.

    Attributes
    ----------
    offset : int64 array
        Per dimension, the number of its first cell; then the number of all cells.
    dimension : int64 array
        Of every cell.
    faces : tuple of int64 arrays
        Pointers, cells and incidence numbers: the boundaries of all cells.
    mate : int64 array
        The other cell of a matched pair; −1 where a cell is critical.
    order, cell_at : int64 arrays
        A numbering of the cells along which gradient paths ascend, and its inverse.
    """

    offset: NDArray[np.int64]
    dimension: NDArray[np.int64]
    faces: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
    mate: NDArray[np.int64]
    order: NDArray[np.int64]
    cell_at: NDArray[np.int64]


def matching(
    complex_: ChainComplex, labels: tuple[NDArray[np.int64], ...] | None = None
) -> Matching:
    """An acyclic matching that respects a filtration; see :func:`critical_complex`."""
    sizes = np.array(complex_.cells, dtype=np.int64)
    offset = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    total = int(offset[-1])
    dimension = np.repeat(np.arange(len(sizes)), sizes).astype(np.int64)
    label = np.zeros(total, np.int64) if labels is None else np.concatenate(labels)
    faces = _incidences(complex_, offset, down=True)
    cofaces = _incidences(complex_, offset, down=False)
    mate, key = _patient(total > _LARGE, lambda: _match(*faces, *cofaces, label))
    key += (label.max(initial=0) - label) * (4 * total + 4)
    cell_at = np.argsort(key, kind="stable")
    order = np.empty(total, np.int64)
    order[cell_at] = np.arange(total)
    return Matching(offset, dimension, faces, mate, order, cell_at)


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
    found = matching(complex_, labels)
    offset, dimension, mate = found.offset, found.dimension, found.mate
    left = np.flatnonzero(mate < 0)
    above = left[left >= offset[1]]
    arguments = (*found.faces, mate, found.order, found.cell_at, dimension, above)
    flow = _patient(mate.size > _LARGE, lambda: _flow(*arguments))
    entries: list[Entry] = (
        _flow_in_integers(*arguments) if flow is None else list(zip(*flow.tolist(), strict=True))
    )
    number = np.full(mate.size, -1, np.int64)
    critical = []
    for d in range(len(complex_.cells)):
        own = left[(left >= offset[d]) & (left < offset[d + 1])]
        number[own] = np.arange(own.size)
        critical.append(own - offset[d])
    boundary: list[list[Entry]] = [[] for _ in range(max(0, len(complex_.cells) - 1))]
    for column, row, value in entries:
        boundary[int(dimension[row])].append((int(number[row]), int(number[column]), value))
    return tuple(critical), boundary


def _incidences(
    complex_: ChainComplex, offset: NDArray[np.int64], *, down: bool
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
