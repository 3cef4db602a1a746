"""Compiled: sort the candidates of a cell into facets and redundant rows.

The facets of a region are proved in the order of their cost: those on walls that a simple vertex
shows, those that an earlier neighbour has proved, those that the segment to the witness of a listed
neighbour crosses, those next to a vertex.
A row is proved redundant by a remembered identity, or by a linear program over all other rows; a
point that violates it alone shows that it is a facet.
"""

from __future__ import annotations

import numpy as np

from polyrank.graph.arrays import (
    ACTIVE,
    ATTACHED,
    FACET,
    KEPT,
    KNOWN,
    LAST,
    NEW,
    OUT,
    POOL,
    PROPORTIONAL,
    REDUNDANT,
    S_KNOWN,
    S_SEGMENT,
    TIGHT,
    TOUCHED,
    UNKNOWN,
    VIOLATED,
)
from polyrank.graph.codes import find
from polyrank.graph.layer_rows import put_back, take_out
from polyrank.graph.rays import beyond_at, beyond_at_step, beyond_on_ray, load_witness, shoot
from polyrank.graph.redundancy import program, proportional
from polyrank.graph.remembered import recall, remember
from polyrank.graph.vertices import wall_facets
from polyrank.lp.jit import fused
from polyrank.lp.simplex import slacks

__all__ = ["attach", "known_facets", "settle"]

MAX_ROUNDS = 60
NUDGES = (0.0, 1e-3, 2e-2, 1e-5, 0.2)


@fused
def attach(w, height, row, other):
    """Note that a row is a multiple of another one. Returns the new height of the stack."""
    w.attached[height, 0] = row
    w.attached[height, 1] = other
    return height + 1


@fused
def known_facets(net, w, codes, found, r, count, height, zero_layer, layers):
    """Facets of region r that its neighbours tell; False where a neighbour's facet is no candidate.

    Across the hyperplane of a unit that no other row is a multiple of only that unit (with the
    multiples that it has in its own layer) changes its bit, so that the neighbour is found by its
    codeword. The segment to its witness proves the facet where it crosses nothing else.
    """
    d = w.x.shape[0]
    base = net.wall_rows.shape[0]
    own = w.always[1]
    for i in range(w.state[ACTIVE]):
        if w.pool_simple[w.active[i]]:
            wall_facets(w, w.active[i], own)
    e = found.head[r]
    while e != LAST:
        m = w.position[found.edge_row[e]]
        if m < 0 or w.status[m] != NEW:
            return False
        w.status[m] = FACET
        w.found_to[m] = KNOWN
        w.stat[S_KNOWN] += 1
        e = found.edge_next[e]
    for m in range(w.always[0], count):
        if w.status[m] == NEW and recall(w, w.candidate[m], layers):
            w.status[m] = OUT
    w.state[TOUCHED] += _look_ahead(w, codes, r, base, count)
    for m in range(w.always[0], count):
        row = w.candidate[m]
        if w.status[m] != NEW or row < base or w.layer[row - base] < zero_layer:
            continue
        if w.found_to[m] < 0:
            continue
        g = row - base
        lone = True
        for a in range(height):
            if w.attached[a, 0] == row or w.attached[a, 1] == row:
                lone = False
        if not lone:
            continue
        s = find(
            codes, w.hash[0] ^ codes.flip_key[g], r, codes.flip, codes.flip_start[g],
            codes.flip_start[g + 1],
        )  # fmt: skip
        if s <= r or not load_witness(net, codes, s, w.q):
            continue
        if beyond_at(w, count, m, height):
            w.status[m] = FACET
            w.found_to[m] = s
            w.found_point[m] = False
            w.stat[S_SEGMENT] += 1
            continue
        for l in range(d):
            w.direction[l] = w.q[l] - w.p[l]
        first, t1, _second, t2 = shoot(net, w, count, 1.0)
        if first == m and t2 > t1 * (1.0 + 1e-9):
            if beyond_on_ray(net, w, count, m, t1, t2, height):
                w.status[m] = FACET
                w.found_to[m] = s
                w.stat[S_SEGMENT] += 1
    return True


@fused
def _look_ahead(w, codes, r, base, count):
    """Read what the lookup of the neighbours will need: one wait for all of them, not one each.

    Leaves −1 in ``found_to`` of the units across which no region is listed.
    """
    size = np.uint64(codes.table.shape[0] - 1)
    for m in range(w.always[0], count):
        row = w.candidate[m]
        if w.status[m] == NEW and row >= base:
            slot = np.int64((w.hash[0] ^ codes.flip_key[row - base]) & size)
            w.found_to[m] = codes.table[slot]
    touched = 0
    for m in range(w.always[0], count):
        if w.status[m] == NEW and w.candidate[m] >= base and w.found_to[m] > r:
            s = w.found_to[m]
            if codes.code[s, 0] > 0 and codes.witness[s, 0] > 0.0:
                touched += 1
    return touched


@fused
def _facets_at_vertex(net, w, count, height):
    """Facets among the undecided rows of the current basis: next to a simple vertex all are.

    With the edges of the vertex scaled to size one, e their sum without the one that leaves the
    row, ``c = x + δ e`` lies on the row and inside the others: z_b(c) = δ / size_b where row b is
    in the basis, and at least half the slack elsewhere. The ray from p through c stays inside
    the others up to the step 1 + η with η below all z(c) / z(p).
    """
    d = w.x.shape[0]
    least = np.inf
    share = np.inf
    for q in range(d):
        if w.basis[q] >= 0:
            w.slack[w.basis[q]] = np.inf
    for m in range(w.always[0], count):
        if w.status[m] != OUT:
            least = min(least, w.slack[m])
            share = min(share, w.slack[m] / w.depth[m])
    for l in range(d):
        w.inner_point[l] = 0.0
    for q in range(d):
        if w.basis[q] < 0:
            continue
        size = 0.0
        for l in range(d):
            size += abs(w.inverse[l, q])
        w.rates[q] = size
        for l in range(d):
            w.inner_point[l] += w.inverse[l, q] / size
    delta = 0.5 * min(least, 1.0) / d
    for q in range(d):
        m = w.basis[q]
        if m < 0 or w.status[m] != NEW:
            continue
        eta = 0.25 * share
        for c in range(d):
            n = w.basis[c]
            if c != q and n >= 0 and w.status[n] != OUT:
                eta = min(eta, 0.5 * delta / (w.rates[c] * w.depth[n]))
        for l in range(d):
            edge = w.inverse[l, q] / w.rates[q]
            w.direction[l] = w.x[l] + delta * (w.inner_point[l] - edge) - w.p[l]
        if beyond_at_step(net, w, count, m, 1.0 + min(eta, 1.0), height):
            w.status[m] = FACET
            w.found_to[m] = UNKNOWN


@fused
def _facet_at_vertex(net, w, count, height, slot):
    """The same for one slot, with steps measured along the direction: for narrow facets."""
    d = w.x.shape[0]
    begin = w.always[0]
    m = w.basis[slot]
    for l in range(d):
        w.direction[l] = w.inner_point[l] - w.inverse[l, slot] / w.rates[slot]
    for n in range(begin, count):
        w.value[n] = 0.0
    for l in range(d):
        v = w.direction[l]
        for n in range(begin, count):
            w.value[n] += w.columns[l, n] * v
    reach = 1.0
    for n in range(begin, count):
        if w.value[n] < -1e-9 and w.slack[n] < reach * -w.value[n] and w.status[n] != OUT:
            reach = max(w.slack[n], 0.0) / -w.value[n]
    for l in range(d):
        w.direction[l] = w.x[l] + 0.5 * reach * w.direction[l] - w.p[l]
    first, t1, _second, t2 = shoot(net, w, count, 1e30)
    if first == m and t2 > t1 * (1.0 + 1e-12):
        if beyond_on_ray(net, w, count, m, t1, t2, height):
            w.status[m] = FACET
            w.found_to[m] = UNKNOWN


@fused
def _new_facet(net, w, count, height, rounds):
    """A facet on the way from p to the point ``w.x`` that violates a row and no other.

    Returns (index or −1, −1), or two candidates of which the second is a multiple of the first.
    """
    d = w.x.shape[0]
    size = 0.0
    for l in range(d):
        size = max(size, abs(w.x[l] - w.p[l]))
    for turn in range(len(NUDGES)):
        for l in range(d):
            noise = ((turn * 7 + l * 13 + rounds * 5) * 0.6180339887498949) % 1.0
            w.direction[l] = w.x[l] - w.p[l] + NUDGES[turn] * size * (noise - 0.5)
        first, t1, second, t2 = shoot(net, w, count, 1e30)
        if first < 0 or w.status[first] != NEW:
            continue
        if not t2 > t1 * (1.0 + 1e-9):
            if second >= 0 and w.status[second] == NEW:
                if proportional(w, w.candidate[second], w.candidate[first]):
                    return first, second
            continue
        if beyond_on_ray(net, w, count, first, t1, t2, height):
            w.status[first] = FACET
            w.found_to[first] = UNKNOWN
            return first, -1
    return -1, -1


@fused
def _take_apart(w, height, index, other):
    """Note that a candidate is a multiple of another, and take it out of the programs."""
    w.status[index] = ATTACHED
    take_out(w, index)
    w.state[POOL] = 0
    w.state[ACTIVE] = 0
    return attach(w, height, w.candidate[index], w.candidate[other])


@fused
def settle(net, w, count, final, height, layers):
    """Decide every candidate that is not decided yet.

    On a cell that is no region (``final`` false) a row that is not proved redundant counts as a
    facet. Returns (whether nothing is open, new height of the attached).
    """
    base = net.wall_rows.shape[0]
    certify = final and w.always[0] == 0
    if not final:
        for m in range(w.always[0], count):
            if w.status[m] == NEW and recall(w, w.candidate[m], layers):
                w.status[m] = OUT
    for m in range(w.always[0], count):
        if w.status[m] != NEW:
            continue
        row = w.candidate[m]
        layer = w.layer[row - base] if row >= base else 0
        central = net.central[layer]
        alone = central  # among central rows every vertex lies on redundant ones as well
        rounds = 0
        while w.status[m] == NEW:
            rounds += 1
            if rounds > MAX_ROUNDS:
                return False, height
            if alone:
                take_out(w, m)
            w.state[KEPT] = -1
            verdict, other = program(net, w, row, m, alone, count, certify)
            if alone:
                put_back(w, m)
            if verdict == REDUNDANT:
                w.status[m] = OUT
                remember(net, w, row)
            elif verdict == PROPORTIONAL:
                height = _take_apart(w, height, m, other)
            elif not final:
                w.status[m] = FACET  # an upper cell may keep a row that is not needed
            elif not alone:
                if verdict == TIGHT:
                    if w.state[KEPT] >= 0 and w.pool_simple[w.state[KEPT]]:
                        wall_facets(w, w.state[KEPT], w.always[1])
                    if w.status[m] == NEW:
                        slacks(w.columns, count, w.x, w.slack)
                        _facets_at_vertex(net, w, count, height)
                    if w.status[m] == NEW:
                        _facet_at_vertex(net, w, count, height, other)
                alone = True
            elif verdict == VIOLATED:
                hit, partner = _new_facet(net, w, count, height, rounds)
                if partner >= 0:
                    height = _take_apart(w, height, partner, hit)
                elif hit < 0:
                    return False, height
            else:
                return False, height
    return True, height
