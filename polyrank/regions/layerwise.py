"""Layer-wise decomposition: the distinct codeword prefixes of a run, counted in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyrank.regions.schema import codeword_bytes, fixed_binary_rows

__all__ = ["decompose"]


def decompose(batches: Iterable[pa.RecordBatch], bits: int, ranks: Sequence[str]) -> pa.Table:
    """Group regions by the first ``bits`` bits of their codeword.

    Parameters
    ----------
    batches : iterable of RecordBatch
        Columns ``codeword`` and the ``ranks``; the ranks are functions of the prefix.
    bits : int
        Length of the prefix.
    ranks : sequence of str
        Names of the rank columns to keep.

    Returns
    -------
    Table
        ``codeword``, ``regions`` (int64) and the ranks, in order of first appearance. Memory
        grows with the number of distinct prefixes, not of regions.
    """
    width = codeword_bytes(bits)
    mask = _prefix_mask(bits, width)
    counts: dict[bytes, int] = {}
    kept: list[NDArray[np.int16]] = []
    for batch in batches:
        prefixes = fixed_binary_rows(batch.column("codeword"))[:, :width] & mask
        if len(prefixes) == 0:
            continue
        starts = _run_starts(prefixes)
        lengths = np.diff(np.append(starts, len(prefixes)))
        columns = [batch.column(name).to_numpy()[starts] for name in ranks]
        table = np.stack(columns, axis=1)
        new: list[int] = []
        for i, (key, n) in enumerate(
            zip(map(bytes, prefixes[starts]), lengths.tolist(), strict=True)
        ):
            if key in counts:
                counts[key] += n
            else:
                counts[key] = n
                new.append(i)
        kept.append(table[new])
    rows = np.concatenate(kept) if kept else np.zeros((0, len(ranks)), np.int16)
    return pa.table(
        {
            "codeword": pa.array(list(counts), pa.binary(width)),
            "regions": pa.array(list(counts.values()), pa.int64()),
            **{name: pa.array(rows[:, j], pa.int16()) for j, name in enumerate(ranks)},
        }
    )


def _prefix_mask(bits: int, width: int) -> NDArray[np.uint8]:
    ones = np.zeros(8 * width, dtype=np.uint8)
    ones[:bits] = 1
    return np.packbits(ones, bitorder="little")


def _run_starts(rows: NDArray[np.uint8]) -> NDArray[np.intp]:
    # the search is depth first, so equal prefixes come in long runs
    changed = (rows[1:] != rows[:-1]).any(axis=1)
    return np.concatenate([[0], np.flatnonzero(changed) + 1]).astype(np.intp)
