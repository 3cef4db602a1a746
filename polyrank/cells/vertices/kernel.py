"""The compiled search over cells with vertices: depth first, layer by layer, unit by unit.

The signs of a layer's units at the vertices of a cell say all: a unit with vertices strictly on
both sides cuts the cell, every other unit has one weak sign on it. Signs are bits, so that one OR
over a cell's vertices finds every unit that cuts. A cut keeps all vertices and adds those on the
cut edges, and there only units with opposite signs at the two ends are evaluated.

What float bounds and integers do not decide is asked: ``run`` returns ``ASK``, the caller answers
in rationals and calls again. Processing a cell has no effect before its questions are answered, so
it starts again and finds the answers in the order in which it asks.
"""

from __future__ import annotations

import numpy as np

from polyrank.cells.layers import enter_layer, finish_layer, first_layer, next_layer, region_rank
from polyrank.cells.log_steps import LOG_LEAF, LOG_NEXT, LOG_SPLIT
from polyrank.cells.output import emit_region
from polyrank.cells.points import round_to_chart
from polyrank.cells.proof_log import log_step, log_unit
from polyrank.cells.verdicts import push_row
from polyrank.cells.vertices.miss import log_misses
from polyrank.cells.vertices.pool import AT_INFINITY
from polyrank.cells.vertices.predicates import evaluate_layer
from polyrank.cells.vertices.split import (
    room_for_split,
    split_polygon,
    split_polyhedron,
    split_segment,
)
from polyrank.cells.work import (
    BUDGET,
    DONE,
    LOG_FULL,
    OUTPUT_FULL,
    S_CELLS,
    S_CUTS,
    S_REGIONS,
    log_reserve,
)
from polyrank.lp.certify import INFLATE
from polyrank.lp.jit import fused, kernel

__all__ = ["ASK", "CERTIFY", "GROW", "WITNESS", "accept", "run", "start"]

# return codes of run(), beside those of polyrank.cells.work
ASK, GROW, WITNESS, CERTIFY = 10, 11, 12, 13

_ZERO, _ONE, _BYTE = np.uint64(0), np.uint64(1), np.uint64(255)


@fused
def _gather(pool, k, f):
    """OR of the signs of layer k over the cell's vertices; returns the first cutting unit or −1."""
    w0 = pool.word_start[k]
    w1 = pool.word_start[k + 1]
    first = pool.vertex_first[f]
    size = pool.vertex_size[f]
    cut = -1
    for w in range(w0, w1):
        pos = _ZERO
        neg = _ZERO
        for p in range(first, first + size):
            v = pool.cycle[p]
            pos |= pool.pos[v, w]
            neg |= pool.neg[v, w]
        pool.allpos[w] = pos
        pool.allneg[w] = neg
        mixed = pos & neg
        pool.mixed[w - w0] = mixed
        if cut < 0 and mixed != _ZERO:
            j = (w - w0) * 64
            while mixed & _ONE == _ZERO:
                mixed = mixed >> _ONE
                j += 1
            cut = j
    return cut


@fused
def _decide(net, work, pool, k, f, bits, split):
    """Bits of a region's units in layer k from the gathered signs, and the units that bound it."""
    w0 = pool.word_start[k]
    a = net.unit_start[k]
    n = net.units[k]
    for i in range(n):
        w = i >> 6
        bit = _ONE << np.uint64(i & 63)
        split[i] = 1 if pool.split_units[f, w] & bit != _ZERO else 0
        if not net.hyperplane[a + i]:
            bits[i] = 1
        elif net.tie[a + i] >= 0:
            bits[i] = 3
        elif pool.allpos[w0 + w] & bit != _ZERO:
            bits[i] = 1
        elif pool.allneg[w0 + w] & bit != _ZERO:
            bits[i] = 0
        else:
            bits[i] = 2


@fused
def _finish_layer(net, work, pool, k, f, bits, split):
    """The region's bits, zeros and bounding units of layer k on the path, and its rank."""
    w0 = pool.word_start[k]
    words = pool.word_start[k + 1] - w0
    n = net.units[k]
    if not pool.plain[k]:
        _decide(net, work, pool, k, f, bits, split)
        finish_layer(net, work, k, bits, split)
        return
    a = net.unit_start[k]
    for w in range(words):
        pos = pool.allpos[w0 + w]
        nonzero = pos | pool.allneg[w0 + w]
        walls = pool.split_units[f, w]
        base = a + w * 64
        for i in range(min(n - w * 64, 64)):
            u = np.uint64(i)
            work.layer_bit[base + i] = (pos >> u) & _ONE
            work.layer_zero[base + i] = _ONE ^ ((nonzero >> u) & _ONE)
        if work.log.shape[0] > 0:
            for i in range(min(n - w * 64, 64)):
                work.layer_split[base + i] = (walls >> np.uint64(i)) & _ONE
    region_rank(net, work, k)


@fused
def _emit(net, work, pool, layers):
    """Write the path's region to the output arrays; whole words where every layer is plain."""
    if not pool.all_plain[0]:
        emit_region(net, work, layers, 0)
        return
    r = work.state[2]
    column = 0
    bits = _ZERO
    zeros = _ZERO
    filled = 0
    for k in range(layers):
        if pool.bare[k]:
            continue
        left = net.units[k]
        for w in range(pool.word_start[k], pool.word_start[k + 1]):
            count = min(left, 64)
            left -= count
            pos = pool.allpos[w]
            mask = ~_ZERO if count == 64 else (_ONE << np.uint64(count)) - _ONE
            zero = mask & ~(pos | pool.allneg[w])
            shift = np.uint64(filled)
            bits |= pos << shift
            zeros |= zero << shift
            taken = min(count, 64 - filled)
            filled += taken
            if filled == 64:
                for c in range(8):
                    work.out_bit[r, column + c] = (bits >> np.uint64(8 * c)) & _BYTE
                    work.out_zero[r, column + c] = (zeros >> np.uint64(8 * c)) & _BYTE
                column += 8
                filled = count - taken
                bits = _ZERO
                zeros = _ZERO
                if filled > 0:
                    bits = pos >> np.uint64(taken)
                    zeros = zero >> np.uint64(taken)
    c = 0
    while 8 * c < filled:
        work.out_bit[r, column] = (bits >> np.uint64(8 * c)) & _BYTE
        work.out_zero[r, column] = (zeros >> np.uint64(8 * c)) & _BYTE
        column += 1
        c += 1
    for l in range(layers):
        work.out_rank[r, l] = work.layer_rank[l]
    for l in range(work.out_point.shape[1]):
        work.out_point[r, l] = work.point_y[0, l]
    work.state[2] = r + 1
    work.stat[S_REGIONS] += 1


@fused
def _inside(work, pool, label, sign):
    """Proof that ``work.candidate`` lies strictly on the given side of a hyperplane."""
    d = work.x.shape[0]
    if label == AT_INFINITY:
        return True
    z = 0.0
    radius = 0.0
    if label >= 0:
        z = work.rows[label, d]
        for l in range(d):
            z += work.rows[label, l] * work.candidate[l]
        radius = work.radius[label]
        if work.layer_bit[label] == 0:
            z = -z
    else:
        z = work.table[-1 - label, d]
        for l in range(d):
            z += work.table[-1 - label, l] * work.candidate[l]
        radius = work.row_radius[-1 - label]
    return z > radius * (d + 1) * INFLATE


@fused
def _witness(net, work, pool, f, k):
    """A float64 point strictly inside cell f, proved, in ``work.point_y[0]``."""
    d = work.x.shape[0]
    first = pool.vertex_first[f]
    size = pool.vertex_size[f]
    for attempt in range(3):
        for l in range(d):
            work.candidate[l] = 0.0
        weight = 0.0
        for p in range(size):
            t = 1.0
            if attempt > 0:
                t = 1.0 + ((p * (7 + 4 * attempt)) % 5)
            v = pool.cycle[first + p]
            weight += t
            for l in range(d):
                work.candidate[l] += t * pool.x[v, l]
        for l in range(d):
            work.candidate[l] /= weight
        if not round_to_chart(net, work, work.candidate, work.chart_point):
            continue
        inside = True
        for l in range(d):
            inside = inside and abs(work.candidate[l]) <= 1.0
        if k == 3:
            for q in range(pool.list_first[f], pool.list_first[f] + pool.list_size[f]):
                inside = inside and _inside(work, pool, pool.facet_label[pool.facets[q]], 0)
        elif k == 2:
            for p in range(first, first + size):
                inside = inside and _inside(work, pool, pool.edge[p], 0)
        else:
            for p in range(first, first + size):
                inside = inside and _inside(work, pool, pool.label[pool.cycle[p], 0], 0)
        if inside and net.homogeneous and not work.candidate[d - 1] > 0.0:
            inside = False
        if inside:
            for l in range(work.chart_point.shape[0]):
                work.point_y[0, l] = work.chart_point[l]
            return True
    return False


@fused
def _keep(pool, f, k, row):
    """Copy cell f with its faces to the output; its vertices get the numbers of their places."""
    if pool.out_first.shape[0] <= 2:
        return
    at_v, at_c, at_f = pool.out_state[0], pool.out_state[1], pool.out_state[2]
    pool.out_first[row, 0] = at_v
    pool.out_first[row, 1] = at_c
    pool.out_first[row, 2] = at_f
    first = pool.vertex_first[f]
    size = pool.vertex_size[f]
    for p in range(size):
        v = pool.cycle[first + p]
        pool.follows[v] = p
        for l in range(pool.x.shape[1]):
            pool.out_x[at_v + p, l] = pool.x[v, l]
        pool.out_err[at_v + p] = pool.err[v]
        for w in range(pool.pos.shape[1]):
            pool.out_pos[at_v + p, w] = pool.pos[v, w]
            pool.out_neg[at_v + p, w] = pool.neg[v, w]
        for q in range(3):
            pool.out_label[at_v + p, q] = pool.label[v, q]
    if k == 3:
        for q in range(pool.list_first[f], pool.list_first[f] + pool.list_size[f]):
            c = pool.facets[q]
            pool.out_facet_size[at_f] = pool.facet_size[c]
            pool.out_facet_label[at_f] = pool.facet_label[c]
            at_f += 1
            for j in range(pool.facet_first[c], pool.facet_first[c] + pool.facet_size[c]):
                pool.out_cycle[at_c] = pool.follows[pool.cycle[j]]
                at_c += 1
    else:
        for p in range(size):
            pool.out_cycle[at_c] = p
            pool.out_edge[at_c] = pool.edge[first + p]
            at_c += 1
    pool.out_state[0] = at_v + size
    pool.out_state[1] = at_c
    pool.out_state[2] = at_f
    pool.out_first[row + 1, 0] = at_v + size
    pool.out_first[row + 1, 1] = at_c
    pool.out_first[row + 1, 2] = at_f


@fused
def _room_to_keep(pool, f, k, row):
    if pool.out_first.shape[0] <= 2:
        return True
    entries = pool.vertex_size[f]
    facets = 0
    if k == 3:
        facets = pool.list_size[f]
        entries = 6 * facets + 12
        for q in range(pool.list_first[f], pool.list_first[f] + facets):
            entries += pool.facet_size[pool.facets[q]]
    return (
        row + 2 <= pool.out_first.shape[0]
        and pool.out_state[0] + pool.vertex_size[f] <= pool.out_x.shape[0]
        and pool.out_state[1] + entries <= pool.out_cycle.shape[0]
        and pool.out_state[2] + facets <= pool.out_facet_size.shape[0]
    )


@fused
def _push_half(net, work, pool, f, k, i, side, half, share, rows, opened, split, words):
    """Write a half to the stack at place f."""
    pool.layer[f] = k
    pool.fresh[f] = False
    pool.unit[f] = i
    pool.side[f] = side
    pool.rows[f] = rows
    pool.vertex_first[f] = half[0]
    pool.vertex_size[f] = half[1]
    pool.list_first[f] = half[2]
    pool.list_size[f] = half[3]
    pool.share[f] = share
    for w in range(words):
        pool.open_units[f, w] = opened[w]
        pool.split_units[f, w] = split[w]
    w = i >> 6
    bit = _ONE << np.uint64(i & 63)
    pool.open_units[f, w] = pool.open_units[f, w] & ~bit
    pool.split_units[f, w] = pool.split_units[f, w] | bit
    for q in range(4):
        pool.top[f, q] = pool.state[1 + q]


@kernel
def run(net, work, pool, layers, k, base, budget):
    """Process open cells until ``base`` are left, a buffer is full or a question is open.

    ``budget`` is how many steps may be taken; ``k`` is the dimension of the cells. Returns DONE,
    OUTPUT_FULL, LOG_FULL, BUDGET, ASK (answer the questions and call again), GROW (enlarge the pool
    and call again), WITNESS (the cell on top is a region; write a witness for it and call
    :func:`accept`) or CERTIFY (a miss on the cell on top needs exact multipliers).
    """
    bits = work.bits
    split = work.split
    logging = work.log.shape[0] > 0
    log_limit = work.log.shape[0] - log_reserve(work.layer_bit.shape[0], work.x.shape[0])
    out_capacity = work.out_bit.shape[0]
    while pool.state[0] > base:
        f = pool.state[0] - 1
        for q in range(4):
            pool.state[1 + q] = pool.top[f, q]
        if work.state[2] >= out_capacity or not _room_to_keep(pool, f, k, work.state[2]):
            return OUTPUT_FULL
        if logging and work.log_state[0] > log_limit:
            return LOG_FULL
        if budget <= 0:
            return BUDGET
        if not room_for_split(pool, f, k) or pool.state[7] + 64 > pool.answer.shape[0]:
            return GROW
        budget -= 1
        pool.state[5] = 0
        pool.state[6] = 0
        layer = pool.layer[f]
        words = pool.word_start[layer + 1] - pool.word_start[layer]
        mark = work.log_state[0]
        if pool.fresh[f]:
            if layer > 0:
                next_layer(net, work, layer)
            enter_layer(net, work, layer, bits, split)
            if not pool.bare[layer]:
                evaluate_layer(
                    net, work, pool, layer, bits, pool.vertex_first[f], pool.vertex_size[f]
                )
            if pool.state[6] > 0:
                work.log_state[0] = mark
                return ASK
            first = pool.vertex_first[f]
            for p in range(first, first + pool.vertex_size[f]):
                v = pool.cycle[p]
                if pool.layers_done[v] <= layer:
                    pool.layers_done[v] = layer + 1
            for w in range(words):
                opened = _ZERO
                for i in range(w * 64, min(net.units[layer], (w + 1) * 64)):
                    if bits[i] == -1:
                        opened |= _ONE << np.uint64(i & 63)
                pool.open_units[f, w] = opened
                pool.split_units[f, w] = _ZERO
            if layer == 0 and pool.conic[0]:
                # cone f of R^k is made by these units
                for q in range(pool.root_units.shape[0]):
                    w = pool.root_units[q] >> 6
                    bit = _ONE << np.uint64(pool.root_units[q] & 63)
                    pool.open_units[f, w] = pool.open_units[f, w] & ~bit
                    pool.split_units[f, w] = pool.split_units[f, w] | bit
            pool.fresh[f] = False
            pool.state[7] = 0
            pool.state[5] = 0
            mark = work.log_state[0]
        if logging and pool.unit[f] >= 0:
            g = net.unit_start[layer] + pool.unit[f]
            push_row(net, work, pool.rows[f], g, pool.side[f])
            pool.row_of[g] = pool.rows[f]
            pool.rows[f] += 1
            pool.unit[f] = -1
        cut = _gather(pool, layer, f)
        if logging and log_misses(net, work, pool, layer, f, k):
            return CERTIFY
        mark = work.log_state[0]
        if cut >= 0:
            w = cut >> 6
            bit = _ONE << np.uint64(cut & 63)
            word = pool.word_start[layer] + w
            half = pool.halves
            if k == 3:
                split_polyhedron(net, work, pool, layer, cut, word, bit, f, half)
            elif k == 2:
                split_polygon(net, work, pool, layer, cut, word, bit, f, half)
            else:
                split_segment(net, work, pool, layer, cut, word, bit, f, half)
            if pool.state[6] > 0:
                work.log_state[0] = mark
                return ASK
            pool.state[7] = 0
            work.stat[S_CELLS] += 1
            work.stat[S_CUTS] += 1
            log_unit(work, LOG_SPLIT, cut)
            share = pool.share[f] * 0.5
            rows = pool.rows[f]
            # the upper half overwrites nothing that the lower one still reads
            _push_half(
                net, work, pool, f + 1, layer, cut, 1, half[1], share, rows,
                pool.open_units[f], pool.split_units[f], words,
            )  # fmt: skip
            _push_half(
                net, work, pool, f, layer, cut, -1, half[0], share, rows,
                pool.open_units[f], pool.split_units[f], words,
            )  # fmt: skip
            pool.state[0] = f + 2
            continue
        _finish_layer(net, work, pool, layer, f, bits, split)
        if layer + 1 < layers:
            log_step(work, LOG_NEXT)
            pool.layer[f] = layer + 1
            pool.fresh[f] = True
            continue
        work.stat[S_CELLS] += 1
        if not _witness(net, work, pool, f, k):
            return WITNESS
        _finish(net, work, pool, layers, f, k)
    return DONE


@fused
def _finish(net, work, pool, layers, f, k):
    """The cell on top, with the witness in ``work.point_y[0]``, is a region."""
    _keep(pool, f, k, work.state[2])
    _emit(net, work, pool, layers)
    log_step(work, LOG_LEAF)
    work.done_share[0] += pool.share[f]
    pool.state[0] = f


@kernel
def accept(net, work, pool, layers, k):
    """After WITNESS: emit the cell on top with the point that the caller wrote."""
    _finish(net, work, pool, layers, pool.state[0] - 1, k)


@kernel
def start(net, work):
    """Load the rows of layer 1."""
    first_layer(net, work)
