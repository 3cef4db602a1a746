"""The table of regions: one row per activation region, the same columns in every shard.

=============== ============================ ===================================================
column          Arrow type                   content
=============== ============================ ===================================================
codeword        fixed_size_binary            bits of the codeword, 8 per byte, least significant
                                             bit first (bit i is bit i % 8 of byte i // 8)
zero            fixed_size_binary, nullable  bits of the units that vanish identically on the
                                             region; null where there is none
rank_1..rank_L  int16                        exact rank of the linear part through layer K on the
                                             affine hull of the domain; the output layer last
witness         fixed_size_list<float64>[k]  strictly interior point y, exact: every float64 *is*
                                             the rational; null in the rare row whose region
                                             holds no float64 point
witness_exact   list<string>, nullable       the witness as "p/q", only where ``witness`` is null
=============== ============================ ===================================================

A witness is in the coordinates of the run's chart, x = origin + basis y (see the manifest); for a
full-dimensional domain x = y. Ranks have a column each because pandas, polars and duckdb then
filter and group by them without unpacking. The number of a row is its position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from polyrank.network.forward import codeword_bytes, unpack_bits

if TYPE_CHECKING:
    from flint import fmpq

__all__ = [
    "RegionBatch",
    "column_bits",
    "fixed_binary_rows",
    "numbers",
    "record_batch",
    "region_schema",
]


class RegionBatch(Protocol):
    """What the search hands over: r regions as arrays, row by row.

    Attributes
    ----------
    codeword, zero : ndarray of uint8, shape (r, ceil(N / 8))
        Packed bits, least significant first: active units; units identically zero.
    rank : ndarray of int16, shape (r, L)
        Exact rank through every layer.
    witness : ndarray of float64, shape (r, k)
        Strictly interior points, exact; NaN in the rows listed in ``witness_exact``.
    witness_exact : mapping of int to tuple of fmpq
        Row number to the witness of a region that holds no float64 point.
    """

    @property
    def codeword(self) -> NDArray[np.uint8]:
        """Packed bits of the active units."""

    @property
    def zero(self) -> NDArray[np.uint8]:
        """Packed bits of the units that are identically zero."""

    @property
    def rank(self) -> NDArray[np.int16]:
        """Exact rank through every layer."""

    @property
    def witness(self) -> NDArray[np.float64]:
        """Interior points."""

    @property
    def witness_exact(self) -> Mapping[int, Sequence[fmpq]]:
        """Interior points that are not float64."""


@lru_cache(maxsize=64)
def region_schema(bits: int, layers: int, dim: int) -> pa.Schema:
    """Arrow schema of the table of regions.

    Parameters
    ----------
    bits : int
        Number N of codeword bits.
    layers : int
        Number L of layers with a rank.
    dim : int
        Dimension k of the domain.
    """
    width = codeword_bytes(bits)
    # a domain that is a single point has witnesses of length 0, which Parquet cannot fix
    witness = pa.list_(pa.float64(), dim) if dim else pa.list_(pa.float64())
    return pa.schema(
        [
            pa.field("codeword", pa.binary(width), nullable=False),
            pa.field("zero", pa.binary(width)),
            *(pa.field(f"rank_{k}", pa.int16(), nullable=False) for k in range(1, layers + 1)),
            pa.field("witness", witness),
            pa.field("witness_exact", pa.list_(pa.string())),
        ]
    )


def column_bits(column: pa.Array | pa.ChunkedArray, bits: int) -> NDArray[np.bool_]:
    """The bits ``(r, bits)`` of a packed column; a null row is all False."""
    return unpack_bits(fixed_binary_rows(column), bits)


def fixed_binary_rows(column: pa.Array | pa.ChunkedArray) -> NDArray[np.uint8]:
    """Bytes ``(r, width)`` of a fixed-size binary column; a null row is all zero."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    width, rows = array.type.byte_width, len(array)
    if array.null_count == rows:  # also where there is no row at all
        return np.zeros((rows, width), dtype=np.uint8)
    data = np.frombuffer(array.buffers()[1], dtype=np.uint8)
    start = array.offset * width
    table = data[start : start + rows * width].reshape(rows, width)
    if array.null_count:
        valid = array.is_valid().to_numpy(zero_copy_only=False)
        return np.where(valid[:, None], table, 0).astype(np.uint8)
    return table


def numbers(column: pa.Array | pa.ChunkedArray) -> NDArray[Any]:
    """A column of numbers without nulls; pandas, which ``to_numpy`` loads, is half a second."""
    return np.from_dlpack(
        column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    )


def record_batch(batch: RegionBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch of the search as Arrow columns: arrays that can be written to are copied."""
    rows = batch.codeword.shape[0]
    valid = np.asarray(batch.zero.any(axis=1)) if batch.zero.any() else np.zeros(rows, dtype=bool)
    columns = [
        _binary(batch.codeword, schema.field("codeword").type, None),
        _binary(batch.zero, schema.field("zero").type, valid),
    ]
    ranks = batch.rank.T.astype(np.int16, order="C")
    ranks.setflags(write=False)
    columns.extend(map(_numbers, ranks))
    columns.append(_witnesses(batch, schema.field("witness").type))
    columns.append(_exact_witnesses(batch, schema.field("witness_exact").type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _binary(
    packed: NDArray[np.uint8], kind: pa.DataType, valid: NDArray[np.bool_] | None
) -> pa.Array:
    rows = packed.shape[0]
    if valid is not None and not valid.any():
        return pa.nulls(rows, kind)
    if packed.shape[1] < kind.byte_width:
        packed = np.zeros((rows, kind.byte_width), dtype=np.uint8)
    bitmap = None if valid is None else _bits(valid)
    return pa.FixedSizeBinaryArray.from_buffers(kind, rows, [bitmap, _buffer(packed)])


def _numbers(values: NDArray[Any]) -> pa.Array:
    """Numbers ``(r,)``; ``pa.array`` would load pandas, a second, to see that it has no series."""
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [None, _buffer(values)])


def _bits(values: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(values, bitorder="little").tobytes())


def _buffer(values: NDArray[Any]) -> pa.Buffer:
    kept = values.flags.c_contiguous and not values.flags.writeable
    return pa.py_buffer(values if kept else values.copy())


def _witnesses(batch: RegionBatch, kind: pa.DataType) -> pa.Array:
    rows, dim = batch.witness.shape
    if dim == 0:
        nothing = pa.nulls(0, kind.value_type)
        return pa.Array.from_buffers(kind, rows, [None, _starts([0] * rows)], children=[nothing])
    values = _numbers(batch.witness.astype(np.float64, copy=False).reshape(-1))
    if not batch.witness_exact:
        return pa.FixedSizeListArray.from_arrays(values, dim)
    mask = pa.Array.from_buffers(pa.bool_(), rows, [None, _bits(_has_exact(batch))])
    return pa.FixedSizeListArray.from_arrays(values, dim, mask=mask)


def _has_exact(batch: RegionBatch) -> NDArray[np.bool_]:
    """Which rows have a witness that is no float64 point, shape (r,)."""
    out = np.zeros(batch.witness.shape[0], dtype=bool)
    out[list(batch.witness_exact)] = True
    return out


def _exact_witnesses(batch: RegionBatch, kind: pa.DataType) -> pa.Array:
    rows, exact = batch.witness.shape[0], batch.witness_exact
    if not exact:
        return pa.nulls(rows, kind)
    here = _has_exact(batch)
    texts = [str(v) for row in np.flatnonzero(here).tolist() for v in exact[row]]
    strings = pa.StringArray.from_buffers(
        len(texts), _starts([len(t) for t in texts]), pa.py_buffer("".join(texts).encode())
    )
    starts = _starts(np.where(here, batch.witness.shape[1], 0))
    return pa.Array.from_buffers(kind, rows, [_bits(here), starts], children=[strings])


def _starts(lengths: ArrayLike) -> pa.Buffer:
    """Where pieces of these lengths begin and the last one ends, as Arrow wants it."""
    return _buffer(np.cumsum(np.append(0, lengths), dtype=np.int32))
