"""The proof log of a search with vertices: rows that name why a unit misses a cell.

A unit that stopped cutting is weakly on its side at the vertex where it is least, the optimum of a
linear program over the cell. Where that vertex is provably the only one, and k rows hold with
equality there, these are the optimal basis and their multipliers are ≥ 0. Elsewhere every k of the
rows that hold with equality are tried, and those that the float or integer certificates accept are
logged. Where none is accepted, exact arithmetic is asked.
"""

from __future__ import annotations

import numpy as np

from polyrank.cells.log_steps import LOG_ZERO
from polyrank.cells.proof_log import log_miss, log_unit
from polyrank.cells.verdicts import push_row
from polyrank.cells.vertices.vertex import inverse
from polyrank.lp.certify import INFLATE, by_integers, by_residual
from polyrank.lp.jit import fused, kernel

__all__ = ["log_misses", "open_segment"]

_ZERO, _ONE = np.uint64(0), np.uint64(1)


@fused
def _accepted(net, work, pool, g, side, basis, k):
    """Whether the rows ``basis`` have multipliers that prove ``side · z_g ≥ 0`` on the cell."""
    m = pool.solve[0]
    for q in range(k):
        for l in range(k):
            m[q, l] = work.table[basis[q], l]
    if not inverse(m, k, pool.solve[1]):
        return False
    s = 1.0 if side > 0 else -1.0
    for l in range(k + 1):
        work.objective[l] = s * work.rows[g, l]
    for q in range(k):
        r = 0.0
        for l in range(k):
            r += work.objective[l] * pool.solve[1, l, q]
        if r < -1e-9:
            return False
        work.rates[q] = r
        work.basis[q] = basis[q]
    radius = work.radius[g]
    if by_residual(work.table, work.row_radius, work.basis, work.rates, work.objective, radius):
        for q in range(k):
            # the checker solves for the multipliers: they have to be provably ≥ 0 themselves
            if work.rates[q] < 1e-6:
                return False
        return True
    return by_integers(
        work.table, work.row_exponent, work.basis, work.rates, work.objective, work.exponent[g],
        work.square,
    )  # fmt: skip


@fused
def _simple(net, pool, layer, v, k):
    """Whether exactly k units and domain rows vanish at the vertex, those of later layers aside."""
    walls = pool.word_start[pool.word_start.shape[0] - 2]
    end = pool.word_start[pool.word_start.shape[0] - 1]
    zeros = 0
    for word in range(end):
        if word >= pool.word_start[layer + 1] and word < walls:
            continue
        rest = pool.counted[word] & ~(pool.pos[v, word] | pool.neg[v, word])
        while rest != _ZERO:
            rest &= rest - _ONE
            zeros += 1
            if zeros > k:
                return False
    return zeros == k


@fused
def _only_optimum(net, work, pool, layer, f, k, i, side):
    """Log the rows of the vertex that is provably the only optimum; False where there is none."""
    d = work.x.shape[0]
    g = net.unit_start[layer] + i
    s = 1.0 if side > 0 else -1.0
    size = 0.0
    for l in range(d):
        size += abs(work.rows[g, l])
    reach = work.radius[g] * (d + 1)
    factor = size + d * work.radius[g]
    best = -1
    low = np.inf
    top = np.inf  # upper bound of the least value
    floor = np.inf  # least lower bound of the others
    first = pool.vertex_first[f]
    for p in range(first, first + pool.vertex_size[f]):
        v = pool.cycle[p]
        z = work.rows[g, d]
        for l in range(d):
            z += work.rows[g, l] * pool.x[v, l]
        z *= s
        limit = (reach + factor * pool.err[v]) * INFLATE
        if not limit < np.inf:
            return False
        if best < 0 or z + limit < top:
            if best >= 0:
                floor = min(floor, low)
            best = v
            top = z + limit
            low = z - limit
        else:
            floor = min(floor, z - limit)
    if not floor > top or not _simple(net, pool, layer, best, k):
        return False
    for q in range(k):
        label = pool.label[best, q]
        work.basis[q] = pool.row_of[label] if label >= 0 else -1 - label
    log_miss(work, i, side)
    return True


@fused
def _certified(net, work, pool, layer, f, k, i, side):
    """Find and log the rows that prove a miss; False where none is proved."""
    g = net.unit_start[layer] + i
    d = work.x.shape[0]
    best = -1
    least = np.inf
    first = pool.vertex_first[f]
    s = 1.0 if side > 0 else -1.0
    for p in range(first, first + pool.vertex_size[f]):
        v = pool.cycle[p]
        z = work.rows[g, d]
        for l in range(d):
            z += work.rows[g, l] * pool.x[v, l]
        if s * z < least:
            least = s * z
            best = v
    if best < 0:
        return False
    # rows that hold with equality at the vertex
    tight = work.list
    count = 0
    walls = pool.word_start[pool.word_start.shape[0] - 2]
    for m in range(pool.rows[f]):
        word = 0
        bit = _ONE
        if m < work.walls[0]:
            word = walls + (m >> 6)
            bit = _ONE << np.uint64(m & 63)
        else:
            h = work.row_unit[m]
            row_layer = 0
            while net.unit_start[row_layer + 1] <= h:
                row_layer += 1
            j = h - net.unit_start[row_layer]
            word = pool.word_start[row_layer] + (j >> 6)
            bit = _ONE << np.uint64(j & 63)
        if (pool.pos[best, word] | pool.neg[best, word]) & bit == _ZERO:
            if count == tight.shape[0]:
                return False
            tight[count] = m
            count += 1
    basis = pool.solve_column
    for a in range(count):
        basis[0] = tight[a]
        if k == 1:
            if _accepted(net, work, pool, g, side, basis, k):
                log_miss(work, i, side)
                return True
            continue
        for b in range(a + 1, count):
            basis[1] = tight[b]
            if k == 2:
                if _accepted(net, work, pool, g, side, basis, k):
                    log_miss(work, i, side)
                    return True
                continue
            for c in range(b + 1, count):
                basis[2] = tight[c]
                if _accepted(net, work, pool, g, side, basis, k):
                    log_miss(work, i, side)
                    return True
    return False


@fused
def log_misses(net, work, pool, layer, f, k):
    """Log every unit that stopped cutting; True where exact arithmetic has to name the rows.

    The unit in question is then ``pool.ask_unit[0]`` with its side in ``pool.ask_vertex[0]``.
    """
    w0 = pool.word_start[layer]
    for w in range(pool.word_start[layer + 1] - w0):
        closed = pool.open_units[f, w] & ~pool.mixed[w]
        i = w * 64
        while closed != _ZERO:
            bit = _ONE << np.uint64(i & 63)
            if closed & bit != _ZERO:
                closed ^= bit
                side = 0
                if pool.allpos[w0 + w] & bit != _ZERO:
                    side = 1
                elif pool.allneg[w0 + w] & bit != _ZERO:
                    side = -1
                if side == 0:
                    log_unit(work, LOG_ZERO, i)
                elif not _only_optimum(net, work, pool, layer, f, k, i, side) and not _certified(
                    net, work, pool, layer, f, k, i, side
                ):
                    pool.ask_unit[0] = i
                    pool.ask_vertex[0] = side
                    return True
                pool.open_units[f, w] &= ~bit
            i += 1
    return False


@kernel
def open_segment(net, work, pool):
    """Rows of the cell on top in the order that a segment's head gives them."""
    f = pool.state[0] - 1
    layer = pool.layer[f]
    rows = work.walls[0]
    for k in range(layer + 1):
        a = net.unit_start[k]
        for i in range(net.units[k]):
            word = i >> 6
            bit = _ONE << np.uint64(i & 63)
            side = 0
            if k < layer:
                if work.layer_split[a + i] == 1:
                    side = 1 if work.layer_bit[a + i] == 1 else -1
            elif not pool.fresh[f] and pool.split_units[f, word] & bit != _ZERO:
                side = -1
                first = pool.vertex_first[f]
                for p in range(first, first + pool.vertex_size[f]):
                    if pool.pos[pool.cycle[p], pool.word_start[k] + word] & bit != _ZERO:
                        side = 1
            if side != 0:
                push_row(net, work, rows, a + i, side)
                pool.row_of[a + i] = rows
                rows += 1
    pool.rows[f] = rows
    pool.unit[f] = -1
