"""Compiled: Farkas proofs of redundancy that earlier regions left, and where they still hold.

A proof ``z_i = c + Σ λ_b z_b`` is an identity between affine forms; it shows row i redundant on
every cell on whose side all its forms have the signs that they have in it. The forms of layer L and
of the layers below stay the same as long as layer L is not composed anew, and with them the
signs of the layers below L, so that only the bits of layer L are left to compare: a few
machine words.
"""

from __future__ import annotations

import numpy as np

from polyrank.graph.arrays import PROOFS, S_RECALL
from polyrank.lp.jit import fused

__all__ = ["recall", "remember"]


@fused
def recall(w, row, layers):
    """Whether a remembered proof over the first ``layers`` layers shows the row redundant."""
    words = w.word.shape[1]
    for c in range(PROOFS):
        k = w.proof_layer[row, c]
        if k < 0:
            break
        if k >= layers or w.proof_stamp[row, c] != w.loaded[k]:
            continue
        same = True
        for v in range(words):
            if (w.word[k, v] & w.proof_mask[row, c, v]) != w.proof_word[row, c, v]:
                same = False
                break
        if not same:
            continue
        w.stat[S_RECALL] += 1
        if c > 0:
            _swap(w, row, c, c >> 1)
        return True
    return False


@fused
def _swap(w, row, a, b):
    for v in range(w.word.shape[1]):
        t = w.proof_mask[row, a, v]
        w.proof_mask[row, a, v] = w.proof_mask[row, b, v]
        w.proof_mask[row, b, v] = t
        t = w.proof_word[row, a, v]
        w.proof_word[row, a, v] = w.proof_word[row, b, v]
        w.proof_word[row, b, v] = t
    i = w.proof_layer[row, a]
    w.proof_layer[row, a] = w.proof_layer[row, b]
    w.proof_layer[row, b] = i
    i = w.proof_stamp[row, a]
    w.proof_stamp[row, a] = w.proof_stamp[row, b]
    w.proof_stamp[row, b] = i


@fused
def remember(net, w, row):
    """Keep the proof that the current basis and rates just gave for a row."""
    base = net.wall_rows.shape[0]
    layer = w.layer[row - base] if row >= base else 0
    d = w.basis.shape[0]
    for q in range(d):
        b = w.basis[q]
        if w.rates[q] > 0.0 and w.candidate[b] >= base:
            k = w.layer[w.candidate[b] - base]
            if k > layer:
                layer = k
    # the last place whose stamp is old, else the places of the second half in turn
    slot = -1
    for c in range(PROOFS):
        k = w.proof_layer[row, c]
        if k < 0 or w.proof_stamp[row, c] != w.loaded[k]:
            slot = c
            break
    if slot < 0:
        slot = PROOFS // 2 + w.proof_turn[row]
        w.proof_turn[row] = (w.proof_turn[row] + 1) % (PROOFS - PROOFS // 2)
    for v in range(w.word.shape[1]):
        w.proof_mask[row, slot, v] = np.uint64(0)
    w.proof_layer[row, slot] = layer
    w.proof_stamp[row, slot] = w.loaded[layer]
    if row >= base and w.layer[row - base] == layer:
        i = row - base - net.unit_start[layer]
        w.proof_mask[row, slot, i >> 6] |= np.uint64(1) << np.uint64(i & 63)
    for q in range(d):
        b = w.basis[q]
        if w.rates[q] > 0.0 and w.candidate[b] >= base:
            g = w.candidate[b] - base
            if w.layer[g] == layer:
                i = g - net.unit_start[layer]
                w.proof_mask[row, slot, i >> 6] |= np.uint64(1) << np.uint64(i & 63)
    for v in range(w.word.shape[1]):
        w.proof_word[row, slot, v] = w.word[layer, v] & w.proof_mask[row, slot, v]
