"""Single rows of a run: from its table in memory, or from the one row group that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polyrank.network.rational import fmpq_from_float, to_fmpq
from polyrank.regions.manifest import shard_files
from polyrank.regions.run import Run
from polyrank.regions.schema import unpack_bits

__all__ = ["readable_table", "row", "witness_entries", "word_text"]


def row(run: Run, index: int) -> dict[str, Any]:
    """One row of a run as a mapping of column to value; the caller has checked the number."""
    if run.path is None:
        return dict(run.table.slice(index, 1).to_pylist()[0])
    ends, places = _groups(run.path, run.count)
    at = int(np.searchsorted(ends, index, side="right"))
    group = _group(*places[at])
    return dict(group.slice(index - (ends[at] - group.num_rows), 1).to_pylist()[0])


@lru_cache(maxsize=8)
def _groups(path: Path, count: int) -> tuple[tuple[int, ...], tuple[tuple[Path, int], ...]]:
    """Row groups of a directory: where each ends, its file and number there."""
    del count  # a run that has grown is another one
    rows, places = [], []
    for shard in shard_files(path):
        footer = pq.read_metadata(shard)
        for g in range(footer.num_row_groups):
            rows.append(footer.row_group(g).num_rows)
            places.append((shard, g))
    return tuple(accumulate(rows)), tuple(places)


@lru_cache(maxsize=4)
def _group(shard: Path, number: int) -> pa.Table:
    with pq.ParquetFile(shard) as file:
        return file.read_row_group(number)


def witness_entries(found: dict[str, Any]) -> list[Any]:
    """The witness of a row in chart coordinates, exact."""
    spelled = found["witness_exact"]
    if spelled is not None:
        return [to_fmpq(v) for v in spelled]
    return [fmpq_from_float(v) for v in found["witness"]]


def readable_table(run: Run, layer_bits: Sequence[int]) -> pa.Table:
    """The regions as a table for eyes and data frames.

    Columns: ``codeword``, a string of 0 and 1 with ``|`` between layers; ``rank_1`` … ``rank_L``;
    ``witness``, the nearest floats of the witness in chart coordinates.
    """
    blocks = []
    for batch in run.batches():
        bits = unpack_bits(batch.column("codeword"), run.bits)
        witness = batch.column("witness")
        if batch.column("witness_exact").null_count < batch.num_rows:
            points = [[float(v) for v in witness_entries(r)] for r in batch.to_pylist()]
            witness = pa.array(points, pa.list_(pa.float64(), run.coordinates))
        ranks = {f"rank_{k}": batch.column(f"rank_{k}") for k in range(1, run.layers + 1)}
        words = pa.array([word_text(word, layer_bits) for word in bits], pa.string())
        blocks.append(pa.table({"codeword": words, **ranks, "witness": witness}))
    if blocks:
        return pa.concat_tables(blocks)
    empty = {f"rank_{k}": pa.array([], pa.int16()) for k in range(1, run.layers + 1)}
    points = pa.array([], pa.list_(pa.float64(), run.coordinates))
    return pa.table({"codeword": pa.array([], pa.string()), **empty, "witness": points})


def word_text(word: Any, layer_bits: Sequence[int]) -> str:
    """A codeword as 0 and 1, layers that have bits separated by ``|``."""
    ends = list(accumulate(layer_bits))
    text = "".join("1" if bit else "0" for bit in word)
    parts = [text[end - n : end] for n, end in zip(layer_bits, ends, strict=True) if n]
    return "|".join(parts)
