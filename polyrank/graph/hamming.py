"""Regions whose codewords differ in one bit: how many pairs are adjacent, and how many not.

Source: SPEC 5: Hamming distance one is not adjacency; two regions can differ in one bit and be
separated by a third one.
"""

from __future__ import annotations

import numpy as np

from polyrank.graph.region_graph import RegionGraph
from polyrank.regions.run import Run

__all__ = ["hamming_pairs"]


def hamming_pairs(run: Run, graph: RegionGraph) -> tuple[int, int]:
    """Number of pairs of regions at Hamming distance one, and how many of them share no facet."""
    if not run.bits or not graph.regions:
        return 0, 0
    words = np.concatenate(list(run.codewords()))
    packed = np.packbits(words, axis=1, bitorder="little")
    adjacent = 0
    for begin in range(0, graph.edges, 1 << 18):
        a, b = graph.source[begin : begin + (1 << 18)], graph.target[begin : begin + (1 << 18)]
        changed = np.bitwise_count(packed[a] ^ packed[b]).sum(axis=1)
        adjacent += int((changed == 1).sum())
    pairs = 0
    for bit in range(run.bits):
        # regions that agree in all other bits: sorted, they stand side by side
        rest = packed.copy()
        rest[:, bit >> 3] &= np.uint8(255 ^ (1 << (bit & 7)))
        keys = np.ascontiguousarray(rest).view(f"V{rest.shape[1]}").ravel()
        pairs += len(keys) - len(np.unique(keys))
    return pairs, pairs - adjacent
