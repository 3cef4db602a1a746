"""Compiled: the vertices that programs met, and what they tell about the regions around them.

A vertex is kept with the sides of the rows that do not meet in it. It is a vertex of every region
of the cell on the same side of those rows, whatever the side of the rows that meet in it, so that a
few machine words say which of the vertices belong to a region.

At a *simple* vertex exactly d independent rows meet, by proof; each of them carries a facet of
every region around it.
"""

from __future__ import annotations

import numpy as np

from polyrank.graph.arrays import ACTIVE, FACET, KEPT, NEW, POOL, POOL_TURN, UNKNOWN, VERTICES
from polyrank.lp.certify import INFLATE
from polyrank.lp.jit import fused
from polyrank.lp.simplex import slacks

__all__ = [
    "drop_vertex",
    "keep_vertex",
    "place_vertices",
    "select_vertices",
    "to_lowest_vertex",
    "wall_facets",
]


@fused
def select_vertices(w, count):
    """List the kept vertices that the current region, of that many rows, has."""
    words = (count + 63) >> 6
    active = 0
    for v in range(w.state[POOL]):
        apart = np.uint64(0)
        for c in range(words):
            apart |= (w.side_word[c] ^ w.pool_word[v, c]) & w.pool_mask[v, c]
        if apart == np.uint64(0):
            w.active[active] = v
            active += 1
    w.state[ACTIVE] = active


@fused
def place_vertices(w, begin, count):
    """Note the sides on which the kept vertices lie of rows that are new."""
    d = w.x.shape[0]
    for v in range(w.state[POOL]):
        w.pool_simple[v] = False
        for m in range(begin, count):
            z = w.columns[d, m]
            for l in range(d):
                z += w.columns[l, m] * w.pool_x[v, l]
            bit = np.uint64(1) << np.uint64(m & 63)
            w.pool_mask[v, m >> 6] |= bit
            inside = (w.side_word[m >> 6] & bit) != np.uint64(0)
            if (z > 0.0) == inside:
                w.pool_word[v, m >> 6] |= bit
            else:
                w.pool_word[v, m >> 6] &= ~bit


@fused
def _to_witness(w):
    """Put the program to the interior point p with free slots."""
    d = w.x.shape[0]
    for q in range(d):
        w.basis[q] = -1
        w.x[q] = w.p[q]
        for l in range(d):
            w.inverse[l, q] = 1.0 if l == q else 0.0


@fused
def to_lowest_vertex(w, without):
    """Put the program to the region's vertex where the objective is least.

    Vertices that lie on the row ``without`` are left out. Returns its place among the region's
    vertices, or −1 with the program at the witness.
    """
    d = w.x.shape[0]
    best = -1
    low = np.inf
    for i in range(w.state[ACTIVE]):
        v = w.active[i]
        if without >= 0:
            on_it = False
            for q in range(d):
                on_it = on_it or w.pool_basis[v, q] == without
            if on_it:
                continue
        z = 0.0
        for l in range(d):
            z += w.objective[l] * w.pool_x[v, l]
        if z < low:
            low = z
            best = i
    if best < 0:
        _to_witness(w)
        return -1
    v = w.active[best]
    for q in range(d):
        b = w.pool_basis[v, q]
        w.basis[q] = b
        w.x[q] = w.pool_x[v, q]
        turned = (w.side_word[b >> 6] ^ w.pool_word[v, b >> 6]) >> np.uint64(b & 63)
        w.sizes[q] = 1.0 if turned & np.uint64(1) == np.uint64(0) else -1.0
    for q in range(d):
        for l in range(d):
            w.inverse[q, l] = w.pool_inverse[v, q, l] * w.sizes[l]
    return best


@fused
def drop_vertex(w, place):
    """Take a vertex off the region's list: it is none of its vertices after all."""
    last = w.state[ACTIVE] - 1
    w.active[place] = w.active[last]
    w.state[ACTIVE] = last


@fused
def keep_vertex(w, count, certify):
    """Keep the vertex of the program; with ``certify`` try to prove it simple."""
    d = w.x.shape[0]
    v = _listed_there(w)
    if v < 0:
        v = _next_place(w)
    elif not certify:
        return
    for c in range((count + 63) >> 6):
        w.pool_word[v, c] = w.side_word[c]
        rows = min(count - 64 * c, 64)
        w.pool_mask[v, c] = ~np.uint64(0) >> np.uint64(64 - rows)
    for q in range(d):
        b = w.basis[q]
        w.pool_mask[v, b >> 6] &= ~(np.uint64(1) << np.uint64(b & 63))
        w.pool_basis[v, q] = b
        w.pool_x[v, q] = w.x[q]
        for l in range(d):
            w.pool_inverse[v, q, l] = w.inverse[q, l]
    w.pool_simple[v] = False
    if certify:
        w.pool_simple[v] = _is_simple(w, count)
    w.state[KEPT] = v


@fused
def _listed_there(w):
    """The region's vertex that is the program's point up to rounding, or −1."""
    for i in range(w.state[ACTIVE]):
        v = w.active[i]
        apart = 0.0
        for l in range(w.x.shape[0]):
            apart += abs(w.pool_x[v, l] - w.x[l])
        if apart < 1e-12:
            return v
    return -1


@fused
def _next_place(w):
    """A place for a vertex of the region, put on its list."""
    v = w.state[POOL]
    if v < VERTICES:
        w.state[POOL] = v + 1
    else:
        v = w.state[POOL_TURN]
        w.state[POOL_TURN] = (v + 1) % VERTICES
        for i in range(w.state[ACTIVE]):
            if w.active[i] == v:
                return v
    w.active[w.state[ACTIVE]] = v
    w.state[ACTIVE] += 1
    return v


@fused
def _is_simple(w, count):
    """Prove that exactly the rows of the basis meet in a vertex next to ``w.x``, independent.

    With the edges e_q of the basis scaled to L1 size one and e their sum, ``x + δ (e − 2 e_c)`` is
    strictly outside row c and strictly inside the other rows b of the basis if
    ``δ (a_b·e_b − Σ_q≠b |a_b·e_q|)`` exceeds the value of row b at x. Rows outside the basis change
    by at most d δ, half the least of them. A region on the same side of those has p strictly inside
    every row; the segment from p to this point leaves it through row c alone, and with row b turned
    around the same holds for −e_b.
    """
    d = w.x.shape[0]
    size = 1.0
    for l in range(d):
        size = max(size, abs(w.x[l]))
    if not size <= 4.0:
        return False
    factor = (d + 1) * INFLATE * size
    slacks(w.columns, count, w.x, w.value)
    for q in range(d):
        w.rates[q] = abs(w.value[w.basis[q]])
        w.value[w.basis[q]] = np.inf
    least = 1.0
    for m in range(count):
        z = w.value[m] - w.form_radius[m] * factor
        if not z > least:
            least = z
        if w.side[m] == 0.0:
            return False
    if not least > 0.0:
        return False
    delta = 0.5 * least / d
    for q in range(d):
        w.sizes[q] = 0.0
    for l in range(d):
        for q in range(d):
            w.sizes[q] += abs(w.inverse[l, q])
    for c in range(d):
        b = w.basis[c]
        for q in range(d):
            w.work[q] = 0.0
        for l in range(d):
            v = w.form[b, l]
            for q in range(d):
                w.work[q] += v * w.inverse[l, q]
        left = w.work[c] / w.sizes[c]
        for q in range(d):
            if q != c:
                left -= abs(w.work[q]) / w.sizes[q]
        r = w.form_radius[b]
        if not left > ((w.rates[c] + r * factor) / delta + 4 * (d + 1) * r) * INFLATE:
            return False
    return True


@fused
def wall_facets(w, v, walls):
    """The undecided ones of the first ``walls`` rows that carry a facet next to a simple vertex."""
    for q in range(w.x.shape[0]):
        m = w.pool_basis[v, q]
        if w.status[m] == NEW and w.candidate[m] < walls:
            w.status[m] = FACET
            w.found_to[m] = UNKNOWN
            w.found_point[m] = False
