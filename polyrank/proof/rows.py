"""The table of regions as the checker reads it: exact integers, a few row groups at a time."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from flint import fmpq
from numpy.typing import NDArray

from polyrank.network.rational import to_fmpq
from polyrank.proof.format import ProofRejectedError
from polyrank.proof.prefix import IntRow
from polyrank.regions.schema import fixed_binary_rows

__all__ = ["Listed", "Rows", "exact_point"]

_CACHED_GROUPS = 3


@dataclass(frozen=True, slots=True)
class Listed:
    """Consecutive rows: codeword and zero bits, ranks, witnesses.

    A witness is given by k + 1 integers: y times a positive denominator, then the denominator.
    """

    code: Sequence[int]
    zero: Sequence[int]
    ranks: Sequence[tuple[int, ...]]
    points: Sequence[IntRow]


class Rows:
    """Random access to the shards of a run, by row number."""

    def __init__(self, shards: Sequence[Path], layers: int, dim: int) -> None:
        self.layers = layers
        self.dim = dim
        self.groups: list[tuple[Path, int, int]] = []
        self.starts = [0]
        self._cache: OrderedDict[int, pa.Table] = OrderedDict()
        for shard in shards:
            try:
                footer = pq.read_metadata(shard)
            except (pa.ArrowException, OSError) as error:
                raise ProofRejectedError(f"{shard.name} cannot be read: {error}") from None
            for group in range(footer.num_row_groups):
                rows = int(footer.row_group(group).num_rows)
                self.groups.append((shard, group, rows))
                self.starts.append(self.starts[-1] + rows)

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.starts[-1]

    def slice(self, first: int, count: int) -> Listed:
        """Rows ``first .. first + count − 1``, fewer at the end of the table."""
        code: list[int] = []
        zero: list[int] = []
        ranks: list[tuple[int, ...]] = []
        points: list[IntRow] = []
        while count > 0 and first < self.count:
            group = int(np.searchsorted(self.starts, first, side="right")) - 1
            table = self._group(group).slice(first - self.starts[group], count)
            code += _integers(table.column("codeword"))
            zero += _integers(table.column("zero"))
            columns = [table.column(f"rank_{k + 1}").to_pylist() for k in range(self.layers)]
            ranks += zip(*columns, strict=True)
            points += self._points(table)
            first += table.num_rows
            count -= table.num_rows
        return Listed(code, zero, ranks, points)

    def rank_columns(self) -> Iterator[list[list[int]]]:
        """Iterate over the row groups: the column of every layer's ranks."""
        for group in range(len(self.groups)):
            table = self._group(group)
            yield [table.column(f"rank_{k + 1}").to_pylist() for k in range(self.layers)]

    def _group(self, group: int) -> pa.Table:
        found = self._cache.get(group)
        if found is None:
            shard, number, _ = self.groups[group]
            try:
                with pq.ParquetFile(shard) as file:
                    found = file.read_row_group(number).combine_chunks()
            except (pa.ArrowException, OSError) as error:
                raise ProofRejectedError(f"{shard.name} cannot be read: {error}") from None
            self._cache[group] = found
            if len(self._cache) > _CACHED_GROUPS:
                self._cache.popitem(last=False)
        self._cache.move_to_end(group)
        return found

    def _points(self, table: pa.Table) -> list[IntRow]:
        n = table.num_rows
        if self.dim == 0:
            return [(1,)] * n
        witness = table.column("witness").combine_chunks()
        if witness.null_count == 0:
            floats = np.asarray(witness.flatten(), dtype=np.float64).reshape(n, self.dim)
            if not np.isfinite(floats).all():
                raise ProofRejectedError("a witness is not finite")
            return _dyadic(floats)
        spelled = table.column("witness_exact").to_pylist()
        out: list[IntRow] = []
        for y, text in zip(witness.to_pylist(), spelled, strict=True):
            given = text if y is None else y
            try:
                out.append(exact_point([to_fmpq(v) for v in given or ()], self.dim))
            except ValueError as error:
                raise ProofRejectedError(f"a witness is no point: {error}") from None
        return out


def exact_point(y: Sequence[fmpq], dim: int) -> IntRow:
    """The k + 1 integers of a point.

    Raises
    ------
    ValueError
        If it has another dimension.
    """
    if len(y) != dim:
        raise ValueError(f"{len(y)} coordinates instead of {dim}")
    denominator = 1
    for v in y:
        denominator = math.lcm(denominator, int(v.q))
    return (*(int((v * denominator).p) for v in y), denominator)


def _integers(column: Any) -> list[int]:
    return [int.from_bytes(row.tobytes(), "little") for row in fixed_binary_rows(column)]


def _dyadic(floats: NDArray[np.float64]) -> list[IntRow]:
    """float64 points as integers over a common power of two."""
    mantissa, exponent = np.frexp(floats)
    whole = (mantissa * 2.0**53).astype(np.int64)
    shift = exponent.astype(np.int64) - 53
    least = np.minimum(np.where(whole != 0, shift, 0).min(axis=1), 0)
    up = np.where(whole != 0, shift - least[:, None], 0)
    table = np.empty((floats.shape[0], floats.shape[1] + 1), dtype=object)
    table[:, :-1] = np.left_shift(whole.astype(object), up.astype(object))
    table[:, -1] = np.left_shift(np.ones(len(floats), dtype=object), (-least).astype(object))
    return [tuple(row) for row in table.tolist()]
