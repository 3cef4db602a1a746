"""Layer-wise decomposition: the distinct codeword prefixes of a run, counted in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyrank.network.forward import codeword_bytes, pack_bits
from polyrank.regions.parts import PARTS, Parts
from polyrank.regions.schema import fixed_binary_rows, numbers

__all__ = ["count_prefixes", "decompose"]

_ROWS_BEFORE_MERGING = 1 << 20


def decompose(
    batches: Iterable[pa.RecordBatch],
    bits: int,
    ranks: Sequence[str],
    *,
    rows_before_merging: int = _ROWS_BEFORE_MERGING,
) -> pa.Table:
    """Group regions by the first ``bits`` bits of their codeword.

    Parameters
    ----------
    batches : iterable of RecordBatch
        Columns ``codeword`` and the ``ranks``; the ranks are functions of the prefix.
    bits : int
        Length of the prefix.
    ranks : sequence of str
        Names of the rank columns to keep.
    rows_before_merging : int
        Equal prefixes are merged whenever this many rows (and as many as there are distinct
        prefixes) have come in.

    Returns
    -------
    Table
        ``codeword``, ``regions`` (int64) and the ranks, one row per distinct prefix. Memory grows
        with the number of distinct prefixes, not of regions.
    """
    width = codeword_bytes(bits)
    mask = _prefix_mask(bits, width)
    kind = pa.binary(width)
    schema = pa.schema(
        [("codeword", kind), ("regions", pa.int64()), *((name, pa.int16()) for name in ranks)]
    )
    merged = schema.empty_table()
    coming: list[pa.Table] = []
    rows = 0
    for batch in batches:
        if batch.num_rows == 0:
            continue
        prefixes = fixed_binary_rows(batch.column("codeword"))[:, :width] & mask
        starts = _run_starts(prefixes)
        lengths = np.diff(np.append(starts, len(prefixes)))
        keys = pa.py_buffer(prefixes[starts].tobytes())
        columns = [
            pa.FixedSizeBinaryArray.from_buffers(kind, len(starts), [None, keys]),
            pa.array(lengths, pa.int64()),
            *(pa.array(numbers(batch.column(name))[starts]) for name in ranks),
        ]
        coming.append(pa.Table.from_arrays(columns, schema=schema))
        rows += len(starts)
        if rows >= max(rows_before_merging, merged.num_rows):
            merged, coming, rows = _merge([merged, *coming], ranks), [], 0
    return _merge([merged, *coming], ranks)


def count_prefixes(
    batches: Iterable[pa.RecordBatch], bits: int, rank: str
) -> tuple[int, dict[int, int]]:
    """The number of distinct prefixes of codewords, and how many have which rank.

    Parameters
    ----------
    batches : iterable of RecordBatch
        Columns ``codeword`` and the rank, a function of the prefix.
    bits : int
        Length of the prefix.
    rank : str
        Name of a rank column.

    Notes
    -----
    As the table of :func:`decompose`, but in memory that does not grow: prefixes are divided into
    parts by a hash, and each part is counted alone.
    """
    width = codeword_bytes(bits)
    mask = _prefix_mask(bits, width)
    weights = np.random.default_rng(7).integers(0, 1 << 64, size=width, dtype=np.uint64) | 1
    total, histogram = 0, Counter[int]()
    with Parts() as parts:
        for batch in batches:
            if batch.num_rows == 0:
                continue
            prefixes = fixed_binary_rows(batch.column("codeword"))[:, :width] & mask
            starts = _run_starts(prefixes)
            ranks = numbers(batch.column(rank))[starts].astype("<i2")
            rows = np.hstack([prefixes[starts], ranks.view(np.uint8).reshape(-1, 2)])
            number = ((prefixes[starts].astype(np.uint64) * weights).sum(axis=1) >> 56).astype(int)
            order = np.argsort(number, kind="stable")
            ends = np.searchsorted(number[order], np.arange(PARTS + 1))
            for part, (a, b) in enumerate(pairwise(ends.tolist())):
                if a < b:
                    parts.append(part, rows[order[a:b]].tobytes())
        for content in parts:
            table = np.frombuffer(content, np.uint8).reshape(-1, width + 2)
            keys = np.ascontiguousarray(table[:, :width]).view(f"V{width}").ravel()
            _, first = np.unique(keys, return_index=True)
            total += len(first)
            own = np.ascontiguousarray(table[first, width:]).view("<i2").ravel()
            values, counts = np.unique(own, return_counts=True)
            histogram.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    return total, dict(histogram)


def _merge(tables: Sequence[pa.Table], ranks: Sequence[str]) -> pa.Table:
    whole = pa.concat_tables(tables)
    chosen = [("regions", "sum"), *((name, "min") for name in ranks)]
    merged = whole.group_by("codeword", use_threads=False).aggregate(chosen)
    names = {"regions_sum": "regions", **{f"{name}_min": name for name in ranks}}
    merged = merged.rename_columns([names.get(name, name) for name in merged.column_names])
    return merged.select(whole.column_names)


def _prefix_mask(bits: int, width: int) -> NDArray[np.uint8]:
    return pack_bits(np.arange(8 * width) < bits)


def _run_starts(rows: NDArray[np.uint8]) -> NDArray[np.intp]:
    # the search is depth first, so equal prefixes come in long runs
    changed = (rows[1:] != rows[:-1]).any(axis=1)
    return np.concatenate([[0], np.flatnonzero(changed) + 1]).astype(np.intp)
