"""Compiled: the current codeword, and the region that has a given one."""

from __future__ import annotations

import numpy as np

from polyrank.graph.arrays import MISSING
from polyrank.lp.jit import fused, kernel

__all__ = ["count_pairs", "decode", "fill_table", "find", "load_varying"]


@fused
def find(codes, value, r, flips, begin, end):
    """The row whose codeword is row r's with ``flips[begin:end]`` flipped, or MISSING.

    ``value`` is the key of the flipped codeword; codewords are compared bit by bit.
    """
    size = codes.table.shape[0]
    slot = np.int64(value & np.uint64(size - 1))
    width = codes.code.shape[1]
    while codes.table[slot] >= 0:
        s = codes.table[slot]
        same = True
        for c in range(width):
            x = np.int64(codes.code[s, c]) ^ np.int64(codes.code[r, c])
            for f in range(begin, end):
                if flips[f] >> 3 == c:
                    x ^= np.int64(1) << np.int64(flips[f] & 7)
            if x != 0:
                same = False
                break
        if same:
            return np.int64(s)
        slot = (slot + 1) & (size - 1)
    return np.int64(MISSING)


@kernel
def fill_table(codes, bits):
    """Enter every codeword into the table. Returns a duplicate row or −1."""
    size = codes.table.shape[0]
    width = codes.code.shape[1]
    for r in range(codes.code.shape[0]):
        value = np.uint64(0)
        for b in range(bits):
            if (codes.code[r, b >> 3] >> (b & 7)) & 1:
                value ^= codes.key[b]
        slot = np.int64(value & np.uint64(size - 1))
        while codes.table[slot] >= 0:
            s = codes.table[slot]
            same = True
            for c in range(width):
                if codes.code[s, c] != codes.code[r, c]:
                    same = False
                    break
            if same:
                return r
            slot = (slot + 1) & (size - 1)
        codes.table[slot] = r
    return -1


@kernel
def count_pairs(codes, bits, flips):
    """Number of pairs of rows that differ in one of the first ``bits`` bits.

    ``flips`` is ``(1,)`` scratch.
    """
    pairs = 0
    for r in range(codes.code.shape[0]):
        value = np.uint64(0)
        for b in range(bits):
            if (codes.code[r, b >> 3] >> (b & 7)) & 1:
                value ^= codes.key[b]
        for b in range(bits):
            flips[0] = b
            if find(codes, value ^ codes.key[b], r, flips, 0, 1) > r:
                pairs += 1
    return pairs


@fused
def decode(net, w, codes, r, fresh):
    """Put ``on``, ``vanish``, ``orient``, ``word`` and ``hash`` to region r.

    Returns (first layer that differs from the region before, last layer with a unit that vanishes
    identically or −1).
    """
    base = net.wall_rows.shape[0]
    layers = net.units.shape[0]
    width = codes.code.shape[1]
    change = layers
    bits = codes.unit.shape[0]
    if fresh:
        change = 0
        w.hash[0] = np.uint64(0)
        for g in range(w.on.shape[0]):
            w.on[g] = 1
            w.vanish[g] = 0
            w.orient[base + g] = 1.0
        for k in range(layers):
            for v in range(w.word.shape[1]):
                w.word[k, v] = np.uint64(0)
    for c in range(width):
        now = np.int64(codes.code[r, c])
        x = np.int64(255) if fresh else now ^ np.int64(codes.code[r - 1, c])
        if x == 0:
            continue
        for j in range(8):
            b = 8 * c + j
            if (x >> j) & 1 == 0 or b >= bits:
                continue
            g = codes.unit[b]
            k = w.layer[g]
            if k < change:
                change = k
            i = g - net.unit_start[k]
            mine = np.uint64(1) << np.uint64(i & 63)
            if (now >> j) & 1:
                w.on[g] = 1
                w.orient[base + g] = 1.0
                w.word[k, i >> 6] |= mine
                w.hash[0] ^= codes.key[b]
            else:
                w.on[g] = 0
                w.orient[base + g] = -1.0
                if not fresh:
                    w.word[k, i >> 6] ^= mine
                    w.hash[0] ^= codes.key[b]
    zero_layer = -1
    if codes.zero.shape[0] > 0:
        for b in range(bits):
            g = codes.unit[b]
            vanish = (codes.zero[r, b >> 3] >> (b & 7)) & 1
            if vanish == 1:
                zero_layer = w.layer[g]
            if vanish != w.vanish[g]:
                w.vanish[g] = vanish
                if w.layer[g] < change:
                    change = w.layer[g]
    return change, zero_layer


@fused
def load_varying(codes, w, r, k):
    """OR of the differences between region r and those after it with the same layers below k."""
    width = codes.code.shape[1]
    for c in range(width):
        w.varying[c] = 0
    for s in range(r + 1, codes.code.shape[0]):
        for c in range(width):
            if (codes.code[s, c] ^ codes.code[r, c]) & codes.mask[k, c]:
                return
        for c in range(width):
            w.varying[c] |= codes.code[s, c] ^ codes.code[r, c]
