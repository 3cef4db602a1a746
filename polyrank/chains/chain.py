"""Chain complexes of finite cell complexes: signed boundary matrices, subcomplexes, quotients.

A d-cell is a column of ∂_d and a row of ∂_{d+1}. Orientations are whatever the incidence numbers
say; only ∂∂ = 0 is required, and checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from polyrank.brief import brief
from polyrank.errors import DomainError

__all__ = [
    "ChainComplex",
    "Mask",
    "closure",
    "components",
    "from_facets",
    "quotient",
    "simplicial_complex",
    "subcomplex",
    "vertex_incidence",
]

#: One boolean array per dimension: which cells belong to a set of cells.
Mask = tuple[NDArray[np.bool_], ...]


@brief("cells")
@dataclass(frozen=True, slots=True, eq=False)
class ChainComplex:
    """The cellular chain complex ``0 → C_k → … → C_1 → C_0 → 0`` over ℤ.

    Parameters
    ----------
    cells : tuple of int
        Number of cells of each dimension, f_0, …, f_k.
    boundary : tuple of csc_array of int64
        ``boundary[d − 1]`` is ∂_d, of shape ``(f_{d−1}, f_d)``, for d = 1..k.

    Raises
    ------
    DomainError
        If the shapes do not chain or ∂∂ ≠ 0, with the cell where it fails.
    """

    cells: tuple[int, ...]
    boundary: tuple[Any, ...]

    def __post_init__(self) -> None:
        if len(self.boundary) != max(0, len(self.cells) - 1):
            raise DomainError(
                f"{len(self.cells)} dimensions of cells need {max(0, len(self.cells) - 1)} "
                f"boundary matrices, got {len(self.boundary)}"
            )
        for d, matrix in enumerate(self.boundary, start=1):
            expected = (self.cells[d - 1], self.cells[d])
            if matrix.shape != expected:
                raise DomainError(
                    f"the boundary matrix of dimension {d} has shape {matrix.shape}, expected "
                    f"{expected}"
                )
        for d in range(2, len(self.cells)):
            product = (self.boundary[d - 2] @ self.boundary[d - 1]).tocoo()
            bad = np.flatnonzero(product.data)
            if bad.size:
                column = int(product.coords[1][bad[0]])
                raise DomainError(
                    f"the boundary of the boundary of {d}-cell {column} is not zero: the incidence "
                    "numbers do not describe a cell complex"
                )

    @property
    def dimension(self) -> int:
        """The largest dimension of a cell, −1 for the empty complex."""
        return max((d for d, f in enumerate(self.cells) if f), default=-1)

    @property
    def euler_characteristic(self) -> int:
        """``Σ (−1)^d f_d``."""
        return sum((-1) ** d * f for d, f in enumerate(self.cells))


def from_facets(facets: Sequence[Sequence[int]]) -> tuple[ChainComplex, tuple[NDArray[Any], ...]]:
    """The simplicial complex that the facets generate.

    Parameters
    ----------
    facets : sequence of sequences of int
        Vertices of simplices; not all need be maximal.

    Returns
    -------
    complex : ChainComplex
    simplices : tuple of ndarray of int64, shape (f_d, d + 1)
        The vertices of the d-simplices, ascending, rows in lexicographic order; they are oriented
        by the order of their vertices.

    Raises
    ------
    DomainError
        If a facet is empty, repeats a vertex or has a negative one.

    Examples
    --------
    >>> from_facets([[0, 1], [1, 2], [2, 0]])[0].cells
    (3, 3)
    """
    by_size: dict[int, list[Sequence[int]]] = {}
    for number, facet in enumerate(facets):
        if len(facet) == 0 or len(set(facet)) != len(facet) or min(facet) < 0:
            raise DomainError(
                f"facet {number} is {list(facet)}: expected different vertices, numbered from 0"
            )
        by_size.setdefault(len(facet), []).append(facet)
    arrays = [np.array(rows, dtype=np.int64) for rows in by_size.values()]
    return simplicial_complex(arrays)


def simplicial_complex(
    maximal: Sequence[NDArray[np.int64]],
) -> tuple[ChainComplex, tuple[NDArray[Any], ...]]:
    """The simplicial complex of arrays of simplices, each of shape (m, d + 1)."""
    top = max((array.shape[1] for array in maximal), default=0)
    simplices: list[NDArray[Any]] = [np.empty((0, d + 1), np.int64) for d in range(top)]
    boundary: list[Any] = []
    pending: NDArray[np.int64] | None = None
    for d in range(top - 1, -1, -1):
        parts = [np.sort(a, axis=1) for a in maximal if a.shape[1] == d + 1]
        if pending is not None:
            parts.append(pending)
        simplices[d] = _unique_rows(np.concatenate(parts)) if parts else simplices[d]
        pending = None
        if d:
            rows = simplices[d]
            pending = np.concatenate([np.delete(rows, i, axis=1) for i in range(d + 1)])
    for d in range(1, top):
        rows = simplices[d]
        columns = np.arange(len(rows))
        data, row, column = [], [], []
        for i in range(d + 1):
            row.append(_row_numbers(simplices[d - 1], np.delete(rows, i, axis=1)))
            column.append(columns)
            data.append(np.full(len(rows), (-1) ** i, np.int64))
        shape = (len(simplices[d - 1]), len(rows))
        entries = (np.concatenate(data), (np.concatenate(row), np.concatenate(column)))
        boundary.append(sparse.csc_array(entries, shape=shape))
    return ChainComplex(tuple(len(s) for s in simplices), tuple(boundary)), tuple(simplices)


def _unique_rows(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    ordered = rows[np.lexsort(rows.T[::-1])]
    keep = np.ones(len(ordered), dtype=bool)
    keep[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return ordered[keep]


def _row_numbers(table: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """For rows that occur in a table of lexicographically ordered rows: their numbers."""
    both = np.concatenate([table, rows])
    order = np.lexsort(both.T[::-1])  # stable: an entry of the table comes before its copies
    first = order < len(table)
    numbers = np.empty(len(both), np.int64)
    numbers[order] = np.cumsum(first) - 1
    return numbers[len(table) :]


def closure(complex_: ChainComplex, chosen: Sequence[ArrayLike]) -> Mask:
    """The smallest subcomplex that contains the chosen cells.

    Parameters
    ----------
    complex_ : ChainComplex
        Of a *regular* cell complex: a face of a cell has incidence number ±1 in it.
    chosen : sequence of bool arrays, shape (f_d,)
        One per dimension; missing dimensions choose nothing.
    """
    masks = [np.zeros(f, dtype=bool) for f in complex_.cells]
    for d, picked in enumerate(chosen):
        masks[d] |= np.asarray(picked, dtype=bool)
    for d in range(len(masks) - 1, 0, -1):
        masks[d - 1] |= (abs(complex_.boundary[d - 1]) @ masks[d].astype(np.int64)) > 0
    return tuple(masks)


def vertex_incidence(complex_: ChainComplex, dimension: int) -> Any:
    """Which vertices are in the closure of which d-cells: a 0/1 csc_array, (f_0, f_d)."""
    out = sparse.csc_array(sparse.eye_array(complex_.cells[0], dtype=np.int8, format="csc"))
    for matrix in complex_.boundary[:dimension]:
        out = out.astype(np.int64) @ abs(matrix)
        out.data = np.ones_like(out.data)
    return sparse.csc_array(out)


def subcomplex(complex_: ChainComplex, mask: Mask) -> ChainComplex:
    """The chain complex of the cells of a subcomplex.

    Raises
    ------
    DomainError
        If a face of a chosen cell is not chosen.
    """
    _check_closed(complex_, mask)
    return _restricted(complex_, mask)


def _restricted(complex_: ChainComplex, mask: Mask) -> ChainComplex:
    boundary = [
        matrix[np.flatnonzero(mask[d])][:, np.flatnonzero(mask[d + 1])]
        for d, matrix in enumerate(complex_.boundary)
    ]
    return ChainComplex(tuple(int(m.sum()) for m in mask), tuple(boundary))


def _check_closed(complex_: ChainComplex, mask: Mask) -> None:
    for d, matrix in enumerate(complex_.boundary):
        reached = (abs(matrix) @ mask[d + 1].astype(np.int64)) > 0
        missing = np.flatnonzero(reached & ~mask[d])
        if missing.size:
            raise DomainError(
                f"not a subcomplex: {d}-cell {int(missing[0])} is a face of a chosen cell but is "
                "not chosen; take the closure"
            )


def components(complex_: ChainComplex, mask: Mask) -> tuple[int, NDArray[np.int64]]:
    """The connected components of a subcomplex.

    Returns
    -------
    count : int
    of_vertex : ndarray of int64, shape (f_0,)
        The component of every vertex of the subcomplex, −1 outside of it; numbered by their
        first vertex.
    """
    of_vertex = np.full(complex_.cells[0] if complex_.cells else 0, -1, np.int64)
    inside = np.flatnonzero(mask[0]) if mask else np.empty(0, np.int64)
    if not inside.size:
        return 0, of_vertex
    if len(mask) > 1:
        incidence = abs(complex_.boundary[0])[inside][:, np.flatnonzero(mask[1])]
        adjacency = incidence @ incidence.T
    else:
        adjacency = sparse.csr_array((inside.size, inside.size), dtype=np.int64)
    count, found = connected_components(adjacency, directed=False)
    first = np.full(count, inside.size, np.int64)
    np.minimum.at(first, found, np.arange(inside.size))
    rank = np.empty(count, np.int64)
    rank[np.argsort(first)] = np.arange(count)
    of_vertex[inside] = rank[found]
    return int(count), of_vertex


def quotient(complex_: ChainComplex, mask: Mask, point_of_vertex: ArrayLike) -> ChainComplex:
    """The quotient that collapses pieces of a subcomplex A to points, as a cell complex.

    Parameters
    ----------
    complex_ : ChainComplex
        Of a regular cell complex.
    mask : Mask
        A, closed.
    point_of_vertex : array of int, shape (f_0,)
        For every vertex of A, the number 0..m − 1 of the point to which it goes; every number
        must occur. What lies outside A is not read.

    Returns
    -------
    ChainComplex
        Its 0-cells are the vertices outside A, then the m points; its d-cells those outside A.

    Raises
    ------
    DomainError
        If A is not closed, or an edge of A has its ends in different points.
    """
    _check_closed(complex_, mask)
    point = np.asarray(point_of_vertex, dtype=np.int64)
    inside = np.flatnonzero(mask[0])
    points = int(point[inside].max()) + 1 if inside.size else 0
    if inside.size and len(np.unique(point[inside])) != points:
        raise DomainError(f"the points of the quotient must be numbered 0..{points - 1}")
    outside = np.flatnonzero(~mask[0])
    target = np.empty(complex_.cells[0], np.int64)
    target[outside] = np.arange(outside.size)
    target[inside] = outside.size + point[inside]
    total = outside.size + points
    ones = np.ones(complex_.cells[0], np.int64)
    project = sparse.csr_array(
        (ones, (target, np.arange(complex_.cells[0]))), shape=(total, complex_.cells[0])
    )
    boundary: list[Any] = []
    for d, matrix in enumerate(complex_.boundary):
        columns = np.flatnonzero(~mask[d + 1])
        if d == 0:
            inner = (project @ matrix[:, np.flatnonzero(mask[1])]).tocoo()
            if np.any(inner.data):
                raise DomainError("an edge of the collapsed part joins two different points")
            chosen = sparse.csc_array(project @ matrix[:, columns])
            chosen.eliminate_zeros()
        else:
            chosen = matrix[np.flatnonzero(~mask[d])][:, columns]
        boundary.append(chosen)
    cells = (total, *(int((~m).sum()) for m in mask[1:]))
    return ChainComplex(cells, tuple(boundary))
