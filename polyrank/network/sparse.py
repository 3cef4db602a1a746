"""Weights with few entries that are not zero: convolutions and pooling written as matrices.

A layer of 20,000 units on 20,000 inputs has 4·10^8 entries, of which a pooling has 40,000. Such a
weight is a :class:`SparseArray`: an exact array like any other, but that a dense form which would
not fit into memory is refused by name. Samples need products and rows alone: :func:`by_rows`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import coo_array, csr_array

from polyrank.errors import UnsupportedError
from polyrank.network.rational import MOST_DENSE, RationalArray, Terms, fmpq_from_float

__all__ = ["SparseArray", "block", "by_rows", "entries_at", "places"]


class SparseArray(RationalArray):
    """A float64 matrix that is kept by its entries that are not zero.

    Attributes
    ----------
    table : csr_array of float64, shape (m, n)
        Sorted, without entries 0, finite; not to be changed.
    """

    __slots__ = ("table",)

    table: csr_array

    def __init__(self, table: csr_array) -> None:
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "exact", None)

    @classmethod
    def from_entries(
        cls,
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        values: NDArray[np.float64],
        shape: tuple[int, int],
    ) -> SparseArray:
        """From finite floats at different places, in any order."""
        kept = values != 0
        places = rows[kept], columns[kept]
        return cls(coo_array((values[kept], places), shape=shape).tocsr())

    def __reduce__(self) -> tuple[Any, ...]:
        return SparseArray, (self.table,)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the matrix."""
        return (int(self.table.shape[0]), int(self.table.shape[1]))

    @property
    def is_sparse(self) -> bool:
        """Always: whoever made it knew."""
        return True

    def terms(self) -> Iterator[Terms]:
        """Row by row, what of the matrix is not zero, exactly."""
        starts = self.table.indptr.tolist()
        for a, b in pairwise(starts):
            entries = map(fmpq_from_float, self.table.data[a:b].tolist())
            yield tuple(zip(self.table.indices[a:b].tolist(), entries, strict=True))

    def transposed(self, dtype: DTypeLike) -> Any:
        """The transpose, by columns: ``h @ ·`` of a dense h is dense."""
        return self.table.astype(dtype).T

    def stored(self) -> tuple[str, bytes]:
        """Rows, columns and values, not the bytes of the dense matrix."""
        parts = zip(
            (*self.table.tocoo().coords, self.table.data), ("<i8", "<i8", "<f8"), strict=True
        )
        return "s", b"".join(part.astype(kind).tobytes() for part, kind in parts)

    @property
    def approx(self) -> NDArray[np.float64]:
        """The dense matrix, made at every call.

        Raises
        ------
        UnsupportedError
            If it has more than ``MOST_DENSE`` entries.
        """
        self.check_dense()
        dense: NDArray[np.float64] = self.table.toarray()
        dense.setflags(write=False)
        return dense

    def check_dense(self) -> None:
        """Refuse a matrix of more than ``MOST_DENSE`` entries."""
        m, n = self.shape
        if m * n <= MOST_DENSE:
            return
        raise UnsupportedError(
            f"a layer of {m:,} units on {n:,} inputs has a weight of {m * n:,} entries, which is "
            "kept sparse: sample, and floating-point values of the network, are all that does "
            "without the dense matrix"
        )


def by_rows(array: RationalArray) -> csr_array:
    """The entries of a matrix that are not zero, by rows; floats, each the nearest to its entry."""
    if isinstance(array, SparseArray):
        return array.table
    if array.is_float:
        return csr_array(array.approx)
    rows, columns = np.nonzero(array.nonzero)
    starts = np.searchsorted(rows, np.arange(array.shape[0] + 1))
    return csr_array((array.approx[rows, columns], columns, starts), shape=array.shape)


def places(array: RationalArray) -> csr_array:
    """Where the entries of a matrix are not zero: ones, by rows."""
    table = by_rows(array)
    ones = np.ones(table.nnz, dtype=np.int8)
    return csr_array((ones, table.indices, table.indptr), shape=table.shape)


def entries_at(array: RationalArray, table: csr_array) -> Iterable[fmpq]:
    """The exact entries at the places of :func:`by_rows`, row by row."""
    if array.exact is None:
        return (fmpq_from_float(v) for v in table.data.tolist())
    rows, columns = table.tocoo().coords
    exact = array.exact
    return (exact[i, j] for i, j in zip(rows.tolist(), columns.tolist(), strict=True))


def block(array: RationalArray, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> fmpq_mat:
    """The exact entries of some rows and columns."""
    m, n = len(rows), len(columns)
    if array.exact is not None:
        table = array.exact
        return fmpq_mat(m, n, [table[i, j] for i in rows.tolist() for j in columns.tolist()])
    if isinstance(array, SparseArray):
        values = array.table[rows][:, columns].toarray()
    else:
        values = array.approx[np.ix_(rows, columns)]
    return fmpq_mat(m, n, [fmpq_from_float(v) for v in values.ravel().tolist()])
