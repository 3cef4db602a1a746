"""Regions whose codewords differ in one bit: how many pairs are adjacent, and how many not.

Source: SPEC 5: Hamming distance one is not adjacency; two regions can differ in one bit and be
separated by a third one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyrank.graph.codes import count_pairs, fill_table
from polyrank.graph.region_graph import RegionGraph
from polyrank.regions.run import Run
from polyrank.regions.schema import fixed_binary_rows

__all__ = ["hamming_pairs"]


class _Listing(NamedTuple):
    """The fields of :class:`~polyrank.graph.arrays.Codes` that a lookup reads."""

    code: NDArray[np.uint8]
    key: NDArray[np.uint64]
    table: NDArray[np.int32]


def hamming_pairs(run: Run, graph: RegionGraph) -> tuple[int, int]:
    """Number of pairs of regions at Hamming distance one, and how many of them share no facet."""
    if not run.bits or not graph.regions:
        return 0, 0
    packed = np.concatenate([fixed_binary_rows(b.column(0)) for b in run.batches(["codeword"])])
    adjacent = 0
    for begin in range(0, graph.edges, 1 << 18):
        a, b = graph.source[begin : begin + (1 << 18)], graph.target[begin : begin + (1 << 18)]
        changed = np.bitwise_count(packed[a] ^ packed[b]).sum(axis=1)
        adjacent += int((changed == 1).sum())
    listing = _Listing(
        code=packed,
        key=np.random.default_rng(20).integers(0, 2**64, size=run.bits, dtype=np.uint64),
        table=np.full(1 << max(4, (2 * len(packed)).bit_length()), -1, dtype=np.int32),
    )
    fill_table(listing, run.bits)
    pairs = int(count_pairs(listing, run.bits, np.zeros(1, dtype=np.int64)))
    return pairs, pairs - adjacent
