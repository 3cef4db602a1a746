"""Tensors whose entries are exact affine functions of scalar variables, stored as sparse rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import UnsupportedError
from polyrank.network.lowering.values import (
    Values,
    add,
    as_rationals,
    as_values,
    cat,
    float_product,
    float_sums,
    is_float,
    multiply,
    segment_sums,
    zeros,
)

__all__ = [
    "MOST_ENTRIES",
    "Affine",
    "LinearMap",
    "check_size",
    "compose",
    "compose_floats",
    "gather",
    "stack",
]

MOST_ENTRIES = 2**24
"""Most coefficients that one tensor or map may have."""


def check_size(entries: int, what: str, most: int = MOST_ENTRIES) -> None:
    """Refuse what would not fit into memory, before anything is allocated.

    Raises
    ------
    UnsupportedError
        If ``entries`` is above ``most``.
    """
    if entries > most:
        raise UnsupportedError(
            f"{what} needs {entries:,} entries, more than the {most:,} that are allowed; use a "
            "smaller network or cut it into parts"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """A tensor of affine functions ``t_i(v) = constant_i + Σ coefficient · v_column``.

    Attributes
    ----------
    shape : tuple of int
        Shape of the tensor; its entries are numbered in row-major order.
    indptr : ndarray of int64, shape (size + 1,)
        Row i owns the entries ``indptr[i] : indptr[i + 1]`` of the next two arrays.
    columns : ndarray of int64
        Numbers of the variables, increasing within a row, no duplicates.
    coefficients : Values
        Exact, none zero.
    constant : Values, shape (size,)
        Exact.
    level : int
        Number of the layer after which all variables that the tensor may read are known; 0 for
        the inputs. It follows the dataflow, not the coefficients: a tensor whose weights are all
        zero keeps its place.
    weighted : bool
        True if stored weights were applied since the last units: the tensor then is a layer of
        its own at the end of the network, even if the weights are an identity.
    """

    shape: tuple[int, ...]
    indptr: NDArray[np.int64]
    columns: NDArray[np.int64]
    coefficients: Values
    constant: Values
    level: int = 0
    weighted: bool = False

    @classmethod
    def variables(cls, start: int, shape: tuple[int, ...], level: int = 0) -> Affine:
        """The variables ``start, start + 1, …`` themselves, one per entry of the tensor."""
        size = math.prod(shape)
        return cls(
            shape,
            np.arange(size + 1, dtype=np.int64),
            np.arange(start, start + size, dtype=np.int64),
            np.ones(size),
            zeros(size),
            level,
        )

    @classmethod
    def fixed(cls, array: object, what: str = "a constant") -> Affine:
        """A constant tensor."""
        values = as_values(array, what)
        return cls(
            values.shape,
            np.zeros(values.size + 1, dtype=np.int64),
            np.zeros(0, dtype=np.int64),
            zeros(0),
            values.ravel(),
        )

    @property
    def size(self) -> int:
        """Number of entries of the tensor."""
        return self.constant.size

    @property
    def is_constant(self) -> bool:
        """True if no entry depends on a variable."""
        return self.columns.size == 0

    @property
    def is_monomial(self) -> bool:
        """True if every entry depends on one variable at most."""
        return bool((np.diff(self.indptr) <= 1).all())

    @property
    def is_selection(self) -> bool:
        """True if every entry is a variable: coefficient 1, constant 0, no weights applied."""
        return (
            not self.weighted
            and bool((np.diff(self.indptr) == 1).all())
            and is_float(self.coefficients)
            and bool((self.coefficients == 1.0).all())
            and is_float(self.constant)
            and not self.constant.any()
        )

    def numbering(self) -> NDArray[np.int64]:
        """The row number of every entry, in the tensor's shape: rearrange it, then gather."""
        return np.arange(self.size, dtype=np.int64).reshape(self.shape)

    def reshaped(self, shape: tuple[int, ...]) -> Affine:
        """The same entries in another shape of the same size."""
        return replace(self, shape=shape)

    def shifted(self, offset: Values) -> Affine:
        """The tensor plus constants, shape (size,)."""
        return replace(self, constant=add(self.constant, offset))


@dataclass(frozen=True, slots=True, eq=False)
class LinearMap:
    """A sparse exact matrix from the entries of one tensor to those of another.

    Attributes
    ----------
    shape : tuple of int
        Shape of the result.
    rows, columns : ndarray of int64, shape (m,)
        Entry of the result and entry of the argument.
    entries : Values, shape (m,)
        Exact; zeros are allowed, duplicates are summed.
    weighted : bool
        True if the entries are weights stored as a matrix or kernel.
    """

    shape: tuple[int, ...]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    entries: Values
    weighted: bool = False

    @property
    def is_monomial(self) -> bool:
        """True if no entry of the result mixes two entries of the argument."""
        return bool(np.bincount(self.rows, minlength=1).max() <= 1)

    @classmethod
    def scaling(cls, shape: tuple[int, ...], factors: Values) -> LinearMap:
        """Multiply entry i by ``factors[i]``, shape (size,)."""
        index = np.arange(math.prod(shape), dtype=np.int64)
        return cls(shape, index, index, factors)

    def pruned(self) -> LinearMap:
        """The same map with its rows in order and without zero entries."""
        keep = np.flatnonzero(self.entries != 0)
        order = keep[np.argsort(self.rows[keep], kind="stable")]
        return replace(
            self, rows=self.rows[order], columns=self.columns[order], entries=self.entries[order]
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Terms:
    """Where the products of a composition go: rows, columns and first product of each sum."""

    size: int
    source: NDArray[np.int64]
    entry: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    starts: NDArray[np.int64]


def compose(linear: LinearMap, tensor: Affine) -> Affine:
    """The tensor ``linear · tensor``, exactly.

    Raises
    ------
    UnsupportedError
        If the result is too large.
    """
    linear = linear.pruned()
    terms = _terms(linear, tensor)
    products = multiply(linear.entries[terms.source], tensor.coefficients[terms.entry])
    return _collected(linear, tensor, terms, segment_sums(products, terms.starts))


def compose_floats(linear: LinearMap, tensor: Affine) -> Affine | None:
    """The same, if every coefficient is found to be a float64 without rationals; else None."""
    linear = linear.pruned()
    if not (is_float(linear.entries) and is_float(tensor.coefficients)):
        return None
    terms = _terms(linear, tensor)
    products = float_product(linear.entries[terms.source], tensor.coefficients[terms.entry])
    sums = None if products is None else float_sums(products, terms.starts)
    return None if sums is None else _collected(linear, tensor, terms, sums)


def _terms(linear: LinearMap, tensor: Affine) -> _Terms:
    lengths = np.diff(tensor.indptr)[linear.columns]
    check_size(int(lengths.sum()), "the composition of two affine maps")
    source = np.repeat(np.arange(linear.rows.size), lengths)
    offset = np.arange(source.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    entry = tensor.indptr[linear.columns[source]] + offset
    rows, columns = linear.rows[source], tensor.columns[entry]
    order = np.lexsort((columns, rows))
    rows, columns = rows[order], columns[order]
    first = np.ones(rows.size, dtype=bool)
    first[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
    starts = np.flatnonzero(first)
    size = math.prod(linear.shape)
    return _Terms(size, source[order], entry[order], rows, columns, starts)


def _collected(linear: LinearMap, tensor: Affine, terms: _Terms, sums: Values) -> Affine:
    keep = np.flatnonzero(sums != 0)
    rows, columns = terms.rows[terms.starts[keep]], terms.columns[terms.starts[keep]]
    indptr = np.zeros(terms.size + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=terms.size), out=indptr[1:])
    constant = _constants(linear, tensor, terms.size)
    weighted = tensor.weighted or linear.weighted
    return Affine(linear.shape, indptr, columns, sums[keep], constant, tensor.level, weighted)


def _constants(linear: LinearMap, tensor: Affine, size: int) -> Values:
    result = zeros(size)
    if not (tensor.constant != 0).any():
        return result
    used = np.flatnonzero(tensor.constant[linear.columns] != 0)
    rows = linear.rows[used]
    products = multiply(linear.entries[used], tensor.constant[linear.columns[used]])
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    if starts.size == 0:
        return result
    sums = segment_sums(products, starts)
    if not is_float(sums):
        result = as_rationals(result)
    result[rows[starts]] = sums
    return result


def gather(tensor: Affine, index: NDArray[np.int64], fill: float = 0.0) -> Affine:
    """The tensor whose entries are the entries ``index`` of another; −1 stands for ``fill``.

    Parameters
    ----------
    tensor : Affine
    index : ndarray of int
        Row numbers, in the shape of the result.
    fill : float
        Finite constant for the entries of number −1.
    """
    flat = np.ascontiguousarray(index, dtype=np.int64).ravel()
    absent = flat < 0
    chosen = np.where(absent, 0, flat)
    if tensor.size == 0:
        return replace(Affine.fixed(np.full(index.shape, float(fill))), level=tensor.level)
    lengths = np.where(absent, 0, np.diff(tensor.indptr)[chosen])
    check_size(int(lengths.sum()) + flat.size, "a tensor of the graph")
    indptr = np.zeros(flat.size + 1, dtype=np.int64)
    np.cumsum(lengths, out=indptr[1:])
    entry = np.arange(indptr[-1]) + np.repeat(tensor.indptr[chosen] - indptr[:-1], lengths)
    constant = tensor.constant[chosen]
    if absent.any():
        filler = as_values([fill])
        constant[absent] = (filler if is_float(constant) else as_rationals(filler))[0]
    return Affine(
        index.shape,
        indptr,
        tensor.columns[entry],
        tensor.coefficients[entry],
        constant,
        tensor.level,
        tensor.weighted,
    )


def stack(tensors: Sequence[Affine]) -> Affine:
    """All entries of several tensors, one after the other, as one 1-D tensor."""
    parts = list(tensors)
    offsets = np.cumsum([0, *(part.columns.size for part in parts)])
    indptr = np.concatenate(
        [np.zeros(1, dtype=np.int64)]
        + [part.indptr[1:] + offset for part, offset in zip(parts, offsets[:-1], strict=True)]
    )
    return Affine(
        (indptr.size - 1,),
        indptr,
        np.concatenate([part.columns for part in parts]),
        cat([part.coefficients for part in parts]),
        cat([part.constant for part in parts]),
        max(part.level for part in parts),
        any(part.weighted for part in parts),
    )
