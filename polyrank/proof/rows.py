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

from polyrank.network.rational import nearest_float, to_fmpq
from polyrank.proof.format import ProofRejectedError
from polyrank.regions.schema import fixed_binary_rows, numbers, region_schema

__all__ = ["Frame", "Listed", "Rows"]

_CACHED_GROUPS = 3
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
    code, zero : sequence of int
    ranks : sequence of tuple of int
    rounded : ndarray, shape (k + 1, n)
        ``(u, 1)`` in float64.
    errors : ndarray, shape (n,)
        How much its entries may be wrong.
    points : sequence of sequences of fmpq
        The points y.
    frame : Frame
    """

    code: Sequence[int]
    zero: Sequence[int]
    ranks: Sequence[tuple[int, ...]]
    rounded: Floats
    errors: Floats
    points: Sequence[Sequence[Any]]
    frame: Frame

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
        points: list[Sequence[Sequence[Any]]] = []
        while count > 0 and first < self.count:
            group = int(np.searchsorted(self.starts, first, side="right")) - 1
            table = self._group(group).slice(first - self.starts[group], count)
            code += _codes(table.column("codeword"))
            zero += _codes(table.column("zero"))
            columns = [table.column(f"rank_{k + 1}").to_pylist() for k in range(self.layers)]
            ranks += zip(*columns, strict=True)
            points.append(self._points(table))
            first += table.num_rows
            count -= table.num_rows
        rounded = [_rounded(part, self.frame) for part in points] or [_rounded([], self.frame)]
        values, errors = (np.concatenate(parts, axis=-1) for parts in zip(*rounded, strict=True))
        return Listed(code, zero, ranks, values, errors, list(chain(*points)), self.frame)

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


def _codes(column: Any) -> list[int]:
    rows = fixed_binary_rows(column)
    data, width = rows.tobytes(), rows.shape[1]
    return [
        int.from_bytes(data[i : i + width], "little") for i in range(0, len(data), max(1, width))
    ] or [0] * len(rows)


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
