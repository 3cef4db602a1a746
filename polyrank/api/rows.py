"""Single rows of a run: from its table in memory, or from the one row group that holds them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from polyrank.network.rational import nearest_float
from polyrank.regions.manifest import shard_files
from polyrank.regions.run import Run, witness_point
from polyrank.regions.schema import column_bits
from polyrank.report.tables import word_texts

__all__ = ["Rows", "readable_table"]


class Rows:
    """The rows of one run, by number.

    Parameters
    ----------
    run : Run
        Of a directory the footers of its shards are read here, once; the row group that was asked
        for last is kept.
    """

    def __init__(self, run: Run) -> None:
        self._table = run.table if run.path is None else None
        self._ends: list[int] = []
        self._places: list[tuple[Path, int]] = []
        self._group: tuple[int, pa.Table] | None = None
        for shard in () if run.path is None else shard_files(run.path):
            footer = pq.read_metadata(shard)
            for g in range(footer.num_row_groups):
                before = self._ends[-1] if self._ends else 0
                self._ends.append(before + footer.row_group(g).num_rows)
                self._places.append((shard, g))

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One row as a mapping of column to value; the caller has checked the number."""
        if self._table is not None:
            return dict(self._table.slice(index, 1).to_pylist()[0])
        at = bisect_right(self._ends, index)
        if self._group is None or self._group[0] != at:
            shard, number = self._places[at]
            with pq.ParquetFile(shard) as file:
                self._group = at, file.read_row_group(number)
        group = self._group[1]
        first = self._ends[at] - group.num_rows
        return dict(group.slice(index - first, 1).to_pylist()[0])


def readable_table(run: Run, layer_bits: Sequence[int]) -> pa.Table:
    """The regions as a table for eyes and data frames.

    Columns: ``codeword``, a string of 0 and 1 with ``|`` between layers; ``rank_1`` … ``rank_L``;
    ``witness``, the nearest floats of the witness in chart coordinates.
    """
    blocks = []
    for batch in run.batches():
        bits = column_bits(batch.column("codeword"), run.bits)
        witness = batch.column("witness")
        if batch.column("witness_exact").null_count < batch.num_rows:
            points = [
                [nearest_float(v) for v in witness_point(floats, spelled)]
                for floats, spelled in zip(
                    witness.to_pylist(), batch.column("witness_exact").to_pylist(), strict=True
                )
            ]
            witness = pa.array(points, pa.list_(pa.float64(), run.coordinates))
        ranks = {f"rank_{k}": batch.column(f"rank_{k}") for k in range(1, run.layers + 1)}
        words = pa.array(word_texts(bits, layer_bits), pa.string())
        blocks.append(pa.table({"codeword": words, **ranks, "witness": witness}))
    if blocks:
        return pa.concat_tables(blocks)
    empty = {f"rank_{k}": pa.array([], pa.int16()) for k in range(1, run.layers + 1)}
    points = pa.array([], pa.list_(pa.float64(), run.coordinates))
    return pa.table({"codeword": pa.array([], pa.string()), **empty, "witness": points})
