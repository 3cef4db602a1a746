"""Compiled: is a row redundant on a cell? A linear program over all rows of the cell.

It starts at the lowest vertex that an earlier program of the cell has met, and ends in a proof, at
a vertex on the row, or, where the row itself is taken out, at a point that violates it.
"""

from __future__ import annotations

import numpy as np

from polyrank.graph.arrays import (
    ACTIVE,
    LEVEL,
    OUT,
    PROPORTIONAL,
    REDUNDANT,
    S_ENCLOSURE,
    S_INTEGERS,
    S_LPS,
    S_PIVOTS,
    S_RESIDUAL,
    S_VERTEX,
    TIGHT,
    UNDECIDED,
    VIOLATED,
)
from polyrank.graph.layer_rows import mark_members
from polyrank.graph.sweeps import choose_edge, first_met, move
from polyrank.graph.vertices import drop_vertex, keep_vertex, to_lowest_vertex
from polyrank.lp.certify import INFLATE, by_enclosure, by_residual
from polyrank.lp.jit import fused, inner
from polyrank.lp.simplex import refactor, slacks

__all__ = ["program", "proportional", "redundant_at_vertex", "set_objective"]

MAX_PIVOTS = 300
BLAND_AFTER = 30
#: Multipliers smaller than this share of the largest are left out of a proof.
NEGLIGIBLE = 1e-13


@fused
def _integers(w, objective_exponent):
    """The proof of :func:`polyrank.lp.certify.by_integers`, with the support of the multipliers.

    Returns −2 (no proof), −1 (proved, and never zero on a facet), or the one basis slot that the
    objective is a positive multiple of.
    """
    d = w.basis.shape[0]
    if objective_exponent < 0:
        return -2
    for q in range(d):
        b = w.basis[q]
        if b < 0 or w.form_exponent[b] < 0:
            return -2
        scale = 2.0 ** w.form_exponent[b]
        for l in range(d):
            w.square[q, l] = w.form[b, l] * scale
    det = 1.0
    for c in range(d):
        p = c
        big = abs(w.square[c, c])
        for q in range(c + 1, d):
            if abs(w.square[q, c]) > big:
                big = abs(w.square[q, c])
                p = q
        if big == 0.0:
            return -2
        det *= big
        if det > 1e15:
            return -2
        if p != c:
            for l in range(d):
                t = w.square[c, l]
                w.square[c, l] = w.square[p, l]
                w.square[p, l] = t
        for q in range(c + 1, d):
            f = w.square[q, c] / w.square[c, c]
            if f != 0.0:
                for l in range(c, d):
                    w.square[q, l] -= f * w.square[c, l]
    det = np.rint(det)
    if det < 1.0:
        return -2
    objective_scale = 2.0**objective_exponent
    limit = 2.0**60 / (d + 2)
    support = 0
    slot = -1
    constant = np.int64(0)
    for l in range(d + 1):
        value = w.objective[l] * objective_scale
        if abs(value) * det > limit or abs(value) > 2.0**53:
            return -2
        total = np.int64(value) * np.int64(det)
        for q in range(d):
            b = w.basis[q]
            scale = 2.0 ** w.form_exponent[b]
            mu = np.rint(w.rates[q] * (det * objective_scale / scale))
            entry = w.form[b, l] * scale
            if mu < 0.0 or mu > 2.0**53 or abs(entry) > 2.0**53 or mu * abs(entry) > limit:
                return -2
            total -= np.int64(mu) * np.int64(entry)
            if l == 0 and mu > 0.0:
                support += 1
                slot = q
        if l < d:
            if total != 0:
                return -2
        else:
            constant = total
    if constant < 0:
        return -2
    return slot if constant == 0 and support == 1 else -1


@fused
def _multiple_of(w, slot):
    """A row that is a multiple of a basis row: of no facet if that is always there or redundant."""
    b = w.basis[slot]
    if w.status[b] == OUT:
        return REDUNDANT, -1
    return PROPORTIONAL, b


@fused
def _proof(net, w, row, count):
    """Whether the current basis proves the objective, a row, redundant.

    In the space that the live rows of layer k − 1 span, with t, lie the rows of layer k and those
    live rows themselves; where it has fewer dimensions than the cell, multipliers of rows outside
    it vanish.

    Returns (verdict, index of the row that it is a multiple of).
    """
    d = w.x.shape[0]
    base = net.wall_rows.shape[0]
    big = 0.0
    for q in range(d):
        if w.rates[q] > big:
            big = w.rates[q]
    for q in range(d):
        if abs(w.rates[q]) < NEGLIGIBLE * big:
            w.rates[q] = 0.0
    if by_residual(w.form, w.form_radius, w.basis, w.rates, w.objective, w.radius[row]):
        w.stat[S_RESIDUAL] += 1
        return REDUNDANT, -1
    slot = _integers(w, w.exponent[row])
    if slot >= -1:
        w.stat[S_INTEGERS] += 1
        if slot < 0:
            return REDUNDANT, -1
        return _multiple_of(w, slot)
    if row < base:
        if net.wall_error[row] == 0.0 and w.table[row, d] == 0.0 and _enclosed(w, row, d):
            w.stat[S_ENCLOSURE] += 1
            return (REDUNDANT, -1) if d >= 2 else _multiple_of(w, 0)
        return UNDECIDED, -1
    k = w.layer[row - base]
    if not net.central[k]:
        return UNDECIDED, -1
    dimension = d
    for turn in range(3):
        if turn > 0:  # the row space of its own layer's rows, then that of the next layer's
            j = k + turn - 1
            if j == 0 or j > w.state[LEVEL]:
                continue
            if turn == 2:
                g = row - base
                if (net.slope_pos[g] if w.on[g] == 1 else net.slope_neg[g]) == 0.0:
                    continue
            dimension = w.bound[j - 1] + (1 if net.homogeneous else 0)
            if dimension >= d:
                continue
            mark_members(net, w, count, j)
        if _enclosed(w, row, dimension):
            w.stat[S_ENCLOSURE] += 1
            if dimension >= 2:
                return REDUNDANT, -1
            # one row spans the space: the objective is its multiple
            best = 0
            for q in range(d):
                if w.rates[q] > w.rates[best]:
                    best = q
            return _multiple_of(w, best)
    return UNDECIDED, -1


@inner
def _enclosed(w, row, dimension):
    return by_enclosure(
        w.form, w.form_radius, w.basis, w.inverse, w.rates, w.objective, w.radius[row],
        w.central, w.member, dimension,
    )  # fmt: skip


@fused
def _feasible(w, count):
    slacks(w.columns, count, w.x, w.slack)
    for m in range(count):
        if w.slack[m] < -1e-7:
            return False
    return True


@fused
def set_objective(w, row):
    """Put the objective to a row, positive inside."""
    s = w.orient[row]
    for l in range(w.objective.shape[0]):
        w.objective[l] = s * w.table[row, l]


@fused
def redundant_at_vertex(w, row):
    """Try to prove a row, none of the cell's, redundant at the lowest vertex that is known.

    For cells whose rows have not been turned since the vertices were kept.
    """
    d = w.x.shape[0]
    set_objective(w, row)
    best = -1
    low = np.inf
    for i in range(w.state[ACTIVE]):
        v = w.active[i]
        z = 0.0
        for l in range(d):
            z += w.objective[l] * w.pool_x[v, l]
        if z < low:
            low = z
            best = v
    if best < 0 or low + w.objective[d] < 0.0:
        return False
    for q in range(d):
        r = 0.0
        for l in range(d):
            r += w.objective[l] * w.pool_inverse[best, l, q]
        if r < -1e-9:
            return False
        w.rates[q] = r
    return by_residual(
        w.form, w.form_radius, w.pool_basis[best], w.rates, w.objective, w.radius[row]
    )


@fused
def program(net, w, row, index, alone, count, certify):
    """Minimise a row over the cell's rows.

    Parameters
    ----------
    row : int
        The objective, positive inside.
    index : int
        Its place among the cell's rows; −1 where it is none of them.
    alone : bool
        Its place has been taken out; stop at the first point where the objective is negative.
    certify : bool
        Try to prove a vertex on the row simple.

    Returns
    -------
    (REDUNDANT, −1), (PROPORTIONAL, index of the row that it is a multiple of), (TIGHT, slot of the
    row in the basis of a vertex), (VIOLATED, −1) with the point in ``w.x`` or (UNDECIDED, −1). The
    proof is left in ``w.basis`` and ``w.rates``.
    """
    d = w.x.shape[0]
    set_objective(w, row)
    without = index if alone else -1
    start = to_lowest_vertex(w, without)
    limit = w.radius[row] * (2 * d + 2) * INFLATE
    ready = False
    refreshed = False
    pivots = 0
    while True:
        slot, sign = choose_edge(
            w.inverse, w.basis, w.objective, pivots > BLAND_AFTER, w.rates, w.sizes
        )
        if slot < 0:
            tight = -1
            for q in range(d):
                if w.basis[q] == index:
                    tight = q
            if tight < 0:
                verdict, other = _proof(net, w, row, count)
                if verdict != UNDECIDED:
                    if pivots > 0:
                        keep_vertex(w, count, False)
                        w.stat[S_LPS] += 1
                    else:
                        w.stat[S_VERTEX] += 1
                    return verdict, other
        if not ready:
            ready = True
            moved = False
            while not _feasible(w, count):
                if start < 0:
                    w.stat[S_LPS] += 1
                    return UNDECIDED, -1
                moved = True
                drop_vertex(w, start)
                start = to_lowest_vertex(w, without)
            if moved:
                continue
        if slot < 0 and tight >= 0:
            if pivots > 0:
                w.stat[S_LPS] += 1
            return TIGHT, tight
        z = w.objective[d]
        for l in range(d):
            z += w.objective[l] * w.x[l]
        if z < -16.0 * limit and (z < -1e-9 or refreshed or slot < 0):
            w.stat[S_LPS] += 1
            return VIOLATED, -1
        if slot < 0:
            if refreshed or not refactor(w.form, w.basis, w.inverse, w.square):
                w.stat[S_LPS] += 1
                return UNDECIDED, -1
            refreshed = True
            for l in range(d):
                v = 0.0
                for q in range(d):
                    v -= w.inverse[l, q] * w.form[w.basis[q], d]
                w.x[l] = v
            slacks(w.columns, count, w.x, w.slack)
            continue
        hit = -1
        step = 0.0
        if pivots < MAX_PIVOTS:
            hit, step = first_met(
                w.columns, count, w.slack, w.inverse, slot, sign, w.basis, pivots > BLAND_AFTER,
                w.direction, w.rate, w.value,
            )  # fmt: skip
        if hit < 0 or not step < 1e18:
            w.stat[S_LPS] += 1
            slope = 0.0
            for l in range(d):
                slope += w.objective[l] * sign * w.inverse[l, slot]
            if not alone or not slope < -1e-9 or pivots >= MAX_PIVOTS:
                return UNDECIDED, -1
            for l in range(d):  # without the row the cell is not bounded
                w.x[l] += (z + 1.0) / -slope * sign * w.inverse[l, slot]
            return VIOLATED, -1
        move(
            w.columns, count, w.slack, w.inverse, w.basis, w.x, slot, hit, step, w.direction,
            w.rate, w.sizes,
        )  # fmt: skip
        pivots += 1
        w.stat[S_PIVOTS] += 1
        if hit == index:
            w.stat[S_LPS] += 1
            full = True
            for q in range(d):
                full = full and w.basis[q] >= 0
            if full:
                keep_vertex(w, count, certify)
            return TIGHT, slot


@fused
def proportional(w, a, b):
    """Proof that row a is a positive multiple of row b: exact cross products of small integers."""
    if w.exponent[a] < 0 or w.exponent[b] < 0:
        return False
    d = w.x.shape[0]
    lead = -1
    for l in range(d + 1):
        if w.table[b, l] != 0.0:
            lead = l
            break
    if lead < 0:
        return False
    sa = w.orient[a] * 2.0 ** w.exponent[a]
    sb = w.orient[b] * 2.0 ** w.exponent[b]
    ha = w.table[a, lead] * sa
    hb = w.table[b, lead] * sb
    if ha * hb <= 0.0:
        return False
    for l in range(d + 1):
        va = w.table[a, l] * sa
        vb = w.table[b, l] * sb
        if max(abs(va), abs(ha)) * max(abs(vb), abs(hb)) > 2.0**53:
            return False
        if va * hb != vb * ha:
            return False
    return True
