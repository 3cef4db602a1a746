"""The table of regions as the checker reads it: exact integers, a few row groups at a time."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polyrank.network.rational import to_fmpq
from polyrank.proof.format import ProofRejectedError
from polyrank.proof.integers import Ints, digits_of
from polyrank.regions.schema import fixed_binary_rows

__all__ = ["Frame", "Listed", "Rows"]

_CACHED_GROUPS = 3


@dataclass(frozen=True, slots=True)
class Frame:
    """Coordinates u of chart points y: ``y = (centre + half · u) / scale``, integers, half > 0."""

    centre: tuple[int, ...]
    half: tuple[int, ...]
    scale: int


@dataclass(frozen=True, slots=True)
class Listed:
    """Consecutive rows: codeword and zero bits, ranks, witnesses.

    Attributes
    ----------
    code, zero : sequence of int
    ranks : sequence of tuple of int
    rounded : ndarray of int64, shape (k + 1, n)
        ``(u, 1)`` times some positive power of 2, rounded down; all 0 where that is too large.
    points : sequence of sequences of fmpq
        The points y.
    frame : Frame
    """

    code: Sequence[int]
    zero: Sequence[int]
    ranks: Sequence[tuple[int, ...]]
    rounded: Ints
    points: Sequence[Sequence[Any]]
    frame: Frame

    def exact(self, i: int) -> tuple[int, ...]:
        """Point i as k + 1 integers: u times a positive denominator, then the denominator."""
        frame = self.frame
        u = [
            (to_fmpq(y) * frame.scale - c) / h
            for y, c, h in zip(self.points[i], frame.centre, frame.half, strict=True)
        ]
        denominator = math.lcm(*(int(v.q) for v in u))
        return (*(int((v * denominator).p) for v in u), denominator)


class Rows:
    """Random access to the shards of a run, by row number."""

    def __init__(self, shards: Sequence[Path], layers: int, frame: Frame) -> None:
        self.layers = layers
        self.frame = frame
        self.dim = len(frame.half)
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
        points: list[Sequence[Any]] = []
        parts = [np.zeros((self.dim + 1, 0), dtype=np.int64)]
        while count > 0 and first < self.count:
            group = int(np.searchsorted(self.starts, first, side="right")) - 1
            table = self._group(group).slice(first - self.starts[group], count)
            code += _codes(table.column("codeword"))
            zero += _codes(table.column("zero"))
            columns = [table.column(f"rank_{k + 1}").to_pylist() for k in range(self.layers)]
            ranks += zip(*columns, strict=True)
            here = self._points(table)
            parts.append(_rounded(here, self.frame))
            points += list(here)
            first += table.num_rows
            count -= table.num_rows
        return Listed(code, zero, ranks, np.concatenate(parts, axis=1), points, self.frame)

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

    def _points(self, table: pa.Table) -> Sequence[Sequence[Any]]:
        n = table.num_rows
        if self.dim == 0:
            return [()] * n
        witness = table.column("witness").combine_chunks()
        if witness.null_count == 0:
            floats = np.asarray(witness.flatten(), dtype=np.float64).reshape(n, self.dim)
            if not np.isfinite(floats).all():
                raise ProofRejectedError("a witness is not finite")
            return cast(Sequence[Sequence[Any]], floats)
        out: list[Sequence[Any]] = []
        spelled = table.column("witness_exact").to_pylist()
        for y, text in zip(witness.to_pylist(), spelled, strict=True):
            given = (text if y is None else y) or ()
            try:
                point = [to_fmpq(v) for v in given]
            except ValueError as error:
                raise ProofRejectedError(f"a witness is no point: {error}") from None
            if len(point) != self.dim:
                raise ProofRejectedError(
                    f"a witness is no point: {len(point)} coordinates instead of {self.dim}"
                )
            out.append(point)
        return out


def _codes(column: Any) -> list[int]:
    rows = fixed_binary_rows(column)
    data, width = rows.tobytes(), rows.shape[1]
    return [
        int.from_bytes(data[i : i + width], "little") for i in range(0, len(data), max(1, width))
    ] or [0] * len(rows)


def _rounded(points: Any, frame: Frame) -> Ints:
    """``(u, 1) · 2^s``, rounded down, with s so that all is below 2^digits; 0 if u is too large."""
    n, k = len(points), len(frame.half)
    digits = digits_of(k)
    out = np.zeros((k + 1, n), dtype=np.int64)
    if not isinstance(points, np.ndarray):
        for i in range(n):
            values = Listed((), (), (), out, points, frame).exact(i)
            size = max(0, max(map(abs, values)).bit_length() - digits)
            out[:, i] = [v >> size for v in values]
        return out
    mantissa, exponent = np.frexp(points.T)
    whole = (mantissa * 2.0**53).astype(np.int64)
    if frame.scale == 1 and not any(frame.centre) and all(h == 1 for h in frame.half):
        # y = whole · 2^(exponent − 53)
        size = np.maximum(exponent.max(axis=0, initial=0), 0)
        out[:k] = whole >> np.minimum(53 - exponent.astype(np.int64) - digits + size, 63)
        out[k] = (1 << digits) >> np.minimum(size, 63)
        return out
    down = np.maximum(53 - exponent.astype(np.int64), 0).astype(object)
    up = np.maximum(exponent.astype(np.int64) - 53, 0).astype(object)
    for l in range(k):
        top = ((whole[l].astype(object) << up[l]) * frame.scale) - (frame.centre[l] << down[l])
        u = (top << digits) // (frame.half[l] << down[l])
        out[l] = np.clip(u, -2 << digits, 2 << digits).astype(np.int64)
    out[k] = 1 << digits
    out[:, (np.abs(out[:k]) > 1 << digits).any(axis=0)] = 0
    return out
