"""Regions whose codewords differ in one bit: how many pairs are adjacent, and how many not.

Source: SPEC 5: Hamming distance one is not adjacency; two regions can differ in one bit and be
separated by a third one.
"""

from __future__ import annotations

import numpy as np

from polyrank.graph.arrays import CodeTable
from polyrank.graph.listing import empty_table, words_of_run
from polyrank.graph.region_graph import RegionGraph
from polyrank.native.records import Record, call
from polyrank.regions.run import Run

__all__ = ["hamming_pairs"]


def hamming_pairs(run: Run, graph: RegionGraph) -> tuple[int, int]:
    """Number of pairs of regions at Hamming distance one, and how many of them share no facet."""
    if not run.bits or not graph.regions:
        return 0, 0
    packed = words_of_run(run)
    adjacent = 0
    for begin in range(0, graph.edges, 1 << 18):
        a, b = graph.source[begin : begin + (1 << 18)], graph.target[begin : begin + (1 << 18)]
        changed = np.bitwise_count(packed[a] ^ packed[b]).sum(axis=1)
        adjacent += int((changed == 1).sum())
    table = CodeTable(
        code=packed,
        key=np.random.default_rng(20).integers(0, 2**64, size=run.bits, dtype=np.uint64),
        table=empty_table(len(packed)),
    )
    call("polyrank_codes_fill", Record(table), run.bits)
    pairs = int(call("polyrank_codes_pairs", Record(table), run.bits))
    return pairs, pairs - adjacent
