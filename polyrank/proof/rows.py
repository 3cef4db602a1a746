"""The table of regions as the checker reads it: exact integers, a few row groups at a time.

Its columns are compared with those that a run writes before anything is read.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from flint import fmpq
from numpy.typing import NDArray

from polyrank.network.forward import codeword_bytes
from polyrank.network.rational import nearest_float, to_fmpq
from polyrank.proof.format import ProofRejectedError
from polyrank.regions.schema import (
    fixed_binary_rows,
    numbers,
    region_schema,
)

__all__ = ["Frame", "Listed", "Rows"]

_CACHED_GROUPS = 3
_MOST_ROWS = 1 << 22  # of a row group: 64 times what is written
_SMALLEST = 2.0**-900  # of a half-width: below, quotients of what is rounded mean nothing

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frame:
    """Coordinates u of chart points y: ``y = centre + half · u``, rationals, half > 0."""

    centre: tuple[fmpq, ...]
    half: tuple[fmpq, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """Consecutive rows: codeword and zero bits, ranks, witnesses.

    Attributes
    ----------
    code, zero : ndarray of uint8, shape (n, bytes)
        Packed bits, least significant first.
    ranks : ndarray of int16, shape (n, L)
    rounded : ndarray, shape (k + 1, n)
        ``(u, 1)`` in float64.
    errors : ndarray, shape (n,)
        How much its entries may be wrong.
    points : sequence of sequences of fmpq
        The points y.
    frame : Frame
    """

    code: NDArray[np.uint8]
    zero: NDArray[np.uint8]
    ranks: NDArray[np.int16]
    rounded: Floats
    errors: Floats
    points: Sequence[Sequence[Any]]
    frame: Frame

    def words(self, i: int) -> tuple[int, int]:
        """Codeword and zero bits of row i as integers."""
        code, zero = (
            int.from_bytes(part[i].tobytes(), "little") for part in (self.code, self.zero)
        )
        return code, zero

    def exact(self, i: int) -> tuple[int, ...]:
        """Point i as k + 1 integers: u times a positive denominator, then the denominator."""
        frame = self.frame
        u = [
            (to_fmpq(y) - c) / h
            for y, c, h in zip(self.points[i], frame.centre, frame.half, strict=True)
        ]
        denominator = math.lcm(*(int(v.q) for v in u))
        return (*(int((v * denominator).p) for v in u), denominator)


class Rows:
    """Random access to the shards of a run, by row number.

    Raises
    ------
    ProofRejectedError
        If a shard cannot be read, or its columns are not those of ``bits`` codeword bits, a rank
        per layer and a witness in the coordinates of the frame.
    """

    def __init__(self, shards: Sequence[Path], bits: int, layers: int, frame: Frame) -> None:
        self.layers = layers
        self.frame = frame
        self.dim = len(frame.half)
        self.groups: list[tuple[Path, int, int]] = []
        self.starts = [0]
        self._cache: OrderedDict[int, pa.Table] = OrderedDict()
        self._none = np.zeros((0, codeword_bytes(bits)), np.uint8)
        schema = region_schema(bits, layers, self.dim)
        for shard in shards:
            try:
                footer = pq.read_metadata(shard)
                columns = footer.schema.to_arrow_schema()
            except (pa.ArrowException, OSError, ValueError) as error:
                raise ProofRejectedError(f"{shard.name} cannot be read: {error}") from None
            if not columns.equals(schema):
                raise ProofRejectedError(
                    f"{shard.name} {_difference(columns, schema)}, which is not the table of a run"
                )
            for group in range(footer.num_row_groups):
                rows = _rows_of(footer.row_group(group), shard, self.dim)
                self.groups.append((shard, group, rows))
                self.starts.append(self.starts[-1] + rows)

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.starts[-1]

    def slice(self, first: int, count: int) -> Listed:
        """Rows ``first .. first + count − 1``, fewer at the end of the table."""
        tables = []
        points: list[Any] = []
        while count > 0 and first < self.count:
            group = int(np.searchsorted(self.starts, first, side="right")) - 1
            table = self._group(group).slice(first - self.starts[group], count)
            tables.append(table)
            points.append(self._points(table))
            first += table.num_rows
            count -= table.num_rows
        code, zero = (
            np.concatenate([self._none, *(fixed_binary_rows(t.column(name)) for t in tables)])
            for name in ("codeword", "zero")
        )
        rounded = [_rounded(part, self.frame) for part in points] or [_rounded([], self.frame)]
        values, errors = (np.concatenate(parts, axis=-1) for parts in zip(*rounded, strict=True))
        ranks = np.concatenate(
            [np.zeros((0, self.layers), np.int16), *(self._ranks(t) for t in tables)]
        )
        whole = bool(points) and all(isinstance(part, np.ndarray) for part in points)
        listed: Any = np.concatenate(points) if whole else list(chain(*points))
        return Listed(code, zero, ranks, values, errors, listed, self.frame)

    def rank_columns(self) -> Iterator[NDArray[np.int16]]:
        """Iterate over the row groups: the ranks of their rows, (n, L)."""
        for group in range(len(self.groups)):
            yield self._ranks(self._group(group))

    def _ranks(self, table: pa.Table) -> NDArray[np.int16]:
        columns = [numbers(table.column(f"rank_{k + 1}")) for k in range(self.layers)]
        return np.stack(columns, axis=1).astype(np.int16)

    def _group(self, group: int) -> pa.Table:
        found = self._cache.get(group)
        if found is None:
            shard, number, _ = self.groups[group]
            try:
                with pq.ParquetFile(shard) as file:
                    found = file.read_row_group(number, use_threads=False).combine_chunks()
            except (pa.ArrowException, OSError, ValueError) as error:
                raise ProofRejectedError(f"{shard.name} cannot be read: {error}") from None
            self._cache[group] = found
            if len(self._cache) > _CACHED_GROUPS:
                self._cache.popitem(last=False)
        self._cache.move_to_end(group)
        return found

    def _points(self, table: pa.Table) -> Sequence[Sequence[Any]]:
        n = table.num_rows
        witness, spelled = (
            table.column(name).combine_chunks() for name in ("witness", "witness_exact")
        )
        if pc.any(pc.and_(witness.is_valid(), spelled.is_valid())).as_py():
            raise ProofRejectedError("a row states two witnesses")
        if self.dim == 0:
            if len(witness.flatten()) or len(spelled.flatten()):
                raise ProofRejectedError("a witness is no point: it has coordinates")
            return [()] * n
        if witness.null_count == 0:
            flat = witness.flatten()
            floats = np.full((n, self.dim), np.nan)
            if flat.null_count == 0:
                floats = numbers(flat).reshape(n, self.dim)
            if not np.isfinite(floats).all():
                raise ProofRejectedError("a witness is not finite")
            return cast(Sequence[Sequence[Any]], floats)
        out: list[Sequence[Any]] = []
        for y, text in zip(witness.to_pylist(), spelled.to_pylist(), strict=True):
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


def _rows_of(group: Any, shard: Path, dim: int) -> int:
    """Rows of a row group, which are read at once: no more of them, nor of values, than a run has.

    A few bytes can say that there are billions.
    """
    rows = int(group.num_rows)
    values = max(int(group.column(c).num_values) for c in range(group.num_columns))
    if rows > _MOST_ROWS or values > rows * max(1, dim):
        raise ProofRejectedError(
            f"{shard.name} has a row group of {rows} rows and {values} values, which is not the "
            "table of a run"
        )
    return rows


def _difference(found: pa.Schema, expected: pa.Schema) -> str:
    """How the columns of a shard are not those that are expected."""
    for field in expected:
        if found.names.count(field.name) > 1:
            return f"has the column {field.name} twice"
        if field.name not in found.names:
            return f"lacks the column {field.name}"
        mine = found.field(field.name)
        if not mine.equals(field):
            null = "" if mine.nullable == field.nullable else ", null allowed or not"
            return f"has the column {field.name}: {mine.type}, expected {field.type}{null}"
    return f"has the columns {', '.join(found.names)}"


def _rounded(points: Sequence[Sequence[Any]], frame: Frame) -> tuple[Floats, Floats]:
    """``(u, 1)`` in float64, shape (k + 1, n), and bounds (n,) of the errors of their entries."""
    exact: Any = points
    if not isinstance(exact, np.ndarray):
        exact = np.array([[nearest_float(v) for v in point] for point in points])
    y: Floats = exact.reshape(len(points), len(frame.half)).T
    sides = [[nearest_float(v) for v in side] for side in (frame.centre, frame.half)]
    centre, half = np.array(sides).reshape(2, -1, 1)
    u = np.ones((len(half) + 1, y.shape[1]))
    with np.errstate(all="ignore"):
        u[:-1] = (y - centre) / half
        # y, centre, half, difference and quotient are rounded, or lost below the smallest float
        errors = (np.abs(y) + np.abs(centre)) / half * 2.0**-49 + 2.0**-1070 / half
        errors[~((half[:, 0] >= _SMALLEST) & (half[:, 0] < np.inf))] = np.inf
    return u, errors.max(axis=0, initial=2.0**-900)
