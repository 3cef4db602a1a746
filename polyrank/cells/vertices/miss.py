"""The proof log of a search with vertices: rows that name why a unit misses a cell.

A unit that stopped cutting is weakly on its side at the vertex where it is least, the optimum of a
linear program over the cell. Where that vertex is provably the only one, and no more rows than
necessary hold with equality there, these are the optimal basis and their multipliers are ≥ 0.
Elsewhere all sets of the rows that hold with equality are tried, and those that the float or
integer certificates accept are logged. Where none is accepted, exact arithmetic is asked.

On a bounded domain the certificate is ``z = c + Σ λ_q row_q`` with the k rows of a vertex. On
cones there are no constants, and a row ℓ of the cell takes the place of 1: t ≥ 0, or where all
is central one of the cell's facets. With m the least value of z/ℓ, ``z − m ℓ`` is ≥ 0 on the cell
and vanishes where the ratio is least: ``z = m ℓ + Σ λ_q row_q`` with the rows of that vertex.
"""

from __future__ import annotations

import numpy as np

from polyrank.cells.log_steps import LOG_ZERO
from polyrank.cells.proof_log import log_miss, log_unit
from polyrank.cells.verdicts import push_row
from polyrank.cells.vertices.pool import AT_INFINITY
from polyrank.cells.vertices.vertex import inverse
from polyrank.lp.certify import INFLATE, by_enclosure, by_integers, by_residual
from polyrank.lp.jit import fused, kernel

__all__ = ["log_misses", "open_segment"]

_ZERO, _ONE = np.uint64(0), np.uint64(1)


@fused
def _accepted(net, work, pool, g, side, basis):
    """Whether the rows ``basis`` have multipliers that prove ``side · z_g ≥ 0`` on the cell."""
    d = work.x.shape[0]
    # the row t ≥ 0, last in the basis, is a unit vector: the others are solved for first
    n = d - 1 if net.homogeneous else d
    m = pool.solve[0]
    c = pool.solve[1]
    for q in range(n):
        for l in range(n):
            m[q, l] = work.table[basis[q], l]
    if not inverse(m, n, c):
        return False
    s = 1.0 if side > 0 else -1.0
    for l in range(d + 1):
        work.objective[l] = s * work.rows[g, l]
    for q in range(n):
        r = 0.0
        for l in range(n):
            r += work.objective[l] * c[l, q]
        work.rates[q] = r
    if n < d:
        rest = work.objective[n]
        for q in range(n):
            rest -= work.rates[q] * work.table[basis[q], n]
            c[q, n] = 0.0
            c[n, q] = 0.0
        work.rates[n] = rest
        c[n, n] = 1.0
        for l in range(n):
            for q in range(n):
                c[l, n] -= c[l, q] * work.table[basis[q], n]
    for q in range(d):
        if work.rates[q] < -1e-9:
            return False
        work.basis[q] = basis[q]
    radius = work.radius[g]
    if pool.conic[0]:
        if by_enclosure(
            work.table, work.row_radius, work.basis, c, work.rates, work.objective, radius,
            work.row_central, work.member, d + 1,
        ):  # fmt: skip
            return True
    elif by_residual(work.table, work.row_radius, work.basis, work.rates, work.objective, radius):
        for q in range(d):
            # the checker solves for the multipliers: they have to be provably ≥ 0 themselves
            if work.rates[q] < 1e-6:
                return False
        return True
    return by_integers(
        work.table, work.row_exponent, work.basis, work.rates, work.objective, work.exponent[g],
        work.square,
    )  # fmt: skip


@fused
def _lead(net, pool, f, k):
    """The row ℓ of the cell that takes the place of 1, where there are no constants."""
    if net.homogeneous:
        return 0
    label = pool.root_units[0]
    if k == 2:
        p = pool.vertex_first[f]
        while pool.edge[p] == AT_INFINITY:
            p += 1
        label = pool.edge[p]
    elif k == 3:
        q = pool.list_first[f]
        while pool.facet_label[pool.facets[q]] == AT_INFINITY:
            q += 1
        label = pool.facet_label[pool.facets[q]]
    return pool.row_of[label]


@fused
def _value(row, radius, pool, v):
    """A row at a vertex, and what that is off by at most."""
    d = pool.x.shape[1]
    z = row[d]
    size = 0.0
    for l in range(d):
        z += row[l] * pool.x[v, l]
        size += abs(row[l])
    return z, (radius * (d + 1) + (size + d * radius) * pool.err[v]) * INFLATE


@fused
def _above(net, work, pool, lead, v):
    """Whether ℓ > 0 at a vertex of the cell, by its sign."""
    g = work.row_unit[lead]
    if g < 0:
        return not pool.ray[v]
    layer = 0
    while net.unit_start[layer + 1] <= g:
        layer += 1
    j = g - net.unit_start[layer]
    word = pool.word_start[layer] + (j >> 6)
    bit = _ONE << np.uint64(j & 63)
    return (pool.pos[v, word] | pool.neg[v, word]) & bit != _ZERO


@fused
def _least_ratio(net, work, pool, f, lead, g, side):
    """The vertex at which z/ℓ is provably less than at all others with ℓ > 0, or −1."""
    s = 1.0 if side > 0 else -1.0
    best = -1
    low = np.inf
    top = np.inf
    floor = np.inf
    first = pool.vertex_first[f]
    for p in range(first, first + pool.vertex_size[f]):
        v = pool.cycle[p]
        if not _above(net, work, pool, lead, v):
            continue
        z, limit = _value(work.rows[g], work.radius[g], pool, v)
        size, reach = _value(work.table[lead], work.row_radius[lead], pool, v)
        z *= s
        if not size - reach > 0.0 or not limit < np.inf:
            return -1
        upper = (z + limit) / (size - reach)
        lower = (z - limit) / (size + reach if z > limit else size - reach)
        upper += abs(upper) * (INFLATE - 1.0)
        lower -= abs(lower) * (INFLATE - 1.0)
        if best < 0 or upper < top:
            if best >= 0:
                floor = min(floor, low)
            best = v
            top = upper
            low = lower
        else:
            floor = min(floor, lower)
    return best if floor > top else -1


@fused
def _simple(net, pool, layer, v):
    """Whether its own units and domain rows alone vanish at the vertex, later layers aside."""
    k = 0
    for q in range(pool.label.shape[1]):
        if pool.label[v, q] != AT_INFINITY:
            k += 1
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
def _least_value(work, pool, f, g, side):
    """The vertex at which z is provably less than at all others, or −1."""
    d = work.x.shape[0]
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
            return -1
        if best < 0 or z + limit < top:
            if best >= 0:
                floor = min(floor, low)
            best = v
            top = z + limit
            low = z - limit
        else:
            floor = min(floor, z - limit)
    return best if floor > top else -1


@fused
def _only_optimum(net, work, pool, layer, f, lead, i, side):
    """Log the rows of the vertex that is provably the only optimum; False where there is none."""
    g = net.unit_start[layer] + i
    if lead < 0:
        best = _least_value(work, pool, f, g, side)
    else:
        best = _least_ratio(net, work, pool, f, lead, g, side)
    if best < 0 or not _simple(net, pool, layer, best):
        return False
    n = 0
    for q in range(pool.label.shape[1]):
        label = pool.label[best, q]
        if label != AT_INFINITY:
            work.basis[n] = pool.row_of[label] if label >= 0 else -1 - label
            n += 1
    if lead >= 0:
        work.basis[n] = lead
    log_miss(work, i, side)
    return True


@fused
def _certified(net, work, pool, layer, f, lead, i, side):
    """Find and log the rows that prove a miss; False where none is proved."""
    g = net.unit_start[layer] + i
    d = work.x.shape[0]
    best = -1
    least = np.inf
    first = pool.vertex_first[f]
    s = 1.0 if side > 0 else -1.0
    for p in range(first, first + pool.vertex_size[f]):
        v = pool.cycle[p]
        z = s * _value(work.rows[g], work.radius[g], pool, v)[0]
        if lead >= 0:
            if not _above(net, work, pool, lead, v):
                continue
            z /= _value(work.table[lead], work.row_radius[lead], pool, v)[0]
        if z < least:
            least = z
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
        if m >= work.walls[0]:
            h = work.row_unit[m]
            row_layer = 0
            while net.unit_start[row_layer + 1] <= h:
                row_layer += 1
            j = h - net.unit_start[row_layer]
            word = pool.word_start[row_layer] + (j >> 6)
            bit = _ONE << np.uint64(j & 63)
        elif lead >= 0:
            continue
        else:
            word = walls + (m >> 6)
            bit = _ONE << np.uint64(m & 63)
        if (pool.pos[best, word] | pool.neg[best, word]) & bit == _ZERO:
            if count == tight.shape[0]:
                return False
            tight[count] = m
            count += 1
    basis = pool.solve_column
    n = d
    if lead >= 0:
        n = d - 1
        basis[n] = lead
    if n == 0:
        if _accepted(net, work, pool, g, side, basis):
            log_miss(work, i, side)
            return True
        return False
    for a in range(count):
        basis[0] = tight[a]
        if n == 1:
            if _accepted(net, work, pool, g, side, basis):
                log_miss(work, i, side)
                return True
            continue
        for b in range(a + 1, count):
            basis[1] = tight[b]
            if n == 2:
                if _accepted(net, work, pool, g, side, basis):
                    log_miss(work, i, side)
                    return True
                continue
            for c in range(b + 1, count):
                basis[2] = tight[c]
                if _accepted(net, work, pool, g, side, basis):
                    log_miss(work, i, side)
                    return True
    return False


@fused
def log_misses(net, work, pool, layer, f, k):
    """Log every unit that stopped cutting; True where exact arithmetic has to name the rows.

    The unit in question is then ``pool.ask_unit[0]`` with its side in ``pool.ask_vertex[0]``.
    """
    w0 = pool.word_start[layer]
    lead = _lead(net, pool, f, k) if pool.conic[0] else -1
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
                elif not _only_optimum(net, work, pool, layer, f, lead, i, side) and not _certified(
                    net, work, pool, layer, f, lead, i, side
                ):
                    pool.ask_unit[0] = i
                    pool.ask_vertex[0] = side
                    return True
                pool.open_units[f, w] &= ~bit
            i += 1
    return False


@fused
def _root_side(pool, f, i):
    """Side of unit i of layer 1 that makes cone f of R^k; 0 where it is none of its units."""
    n = pool.root_units.shape[0]
    for j in range(n):
        if pool.root_units[j] == i:
            return 1 if (f >> (n - 1 - j)) & 1 == 1 else -1
    return 0


@kernel
def open_segment(net, work, pool):
    """Rows of the cell on top in the order that a segment's head, and its splits, give them."""
    f = pool.state[0] - 1
    layer = pool.layer[f]
    rows = work.walls[0]
    for k in range(layer + 1):
        a = net.unit_start[k]
        for i in range(net.units[k]):
            word = i >> 6
            bit = _ONE << np.uint64(i & 63)
            side = 0
            if pool.fresh[f] and pool.conic[0] and layer == 0:
                side = _root_side(pool, f, i)
            elif k < layer:
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
