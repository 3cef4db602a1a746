"""A vertex where a hyperplane cuts an edge: coordinates with a proven bound, integers, signs."""

from __future__ import annotations

import numpy as np

from polyrank.cells.compose import exponent_of, gamma, power_of_two
from polyrank.cells.vertices.pool import AT_INFINITY
from polyrank.cells.vertices.predicates import asked_sign, integer_value
from polyrank.lp.certify import INFLATE
from polyrank.lp.jit import fused, shared

__all__ = ["cut_edge", "orient", "refine"]

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_LIMIT = 2.0**62
NO_BOUND = np.inf


@shared
def inverse(m, n, out):
    """The inverse of an n × n matrix, n ≤ 3, by cofactors; False where the determinant is 0."""
    if n == 1:
        if m[0, 0] == 0.0:
            return False
        out[0, 0] = 1.0 / m[0, 0]
        return True
    if n == 2:
        det = m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]
        if det == 0.0:
            return False
        r = 1.0 / det
        out[0, 0] = m[1, 1] * r
        out[0, 1] = -m[0, 1] * r
        out[1, 0] = -m[1, 0] * r
        out[1, 1] = m[0, 0] * r
        return True
    a = m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1]
    b = m[1, 2] * m[2, 0] - m[1, 0] * m[2, 2]
    c = m[1, 0] * m[2, 1] - m[1, 1] * m[2, 0]
    det = m[0, 0] * a + m[0, 1] * b + m[0, 2] * c
    if det == 0.0:
        return False
    r = 1.0 / det
    out[0, 0] = a * r
    out[1, 0] = b * r
    out[2, 0] = c * r
    out[0, 1] = (m[0, 2] * m[2, 1] - m[0, 1] * m[2, 2]) * r
    out[1, 1] = (m[0, 0] * m[2, 2] - m[0, 2] * m[2, 0]) * r
    out[2, 1] = (m[0, 1] * m[2, 0] - m[0, 0] * m[2, 1]) * r
    out[0, 2] = (m[0, 1] * m[1, 2] - m[0, 2] * m[1, 1]) * r
    out[1, 2] = (m[0, 2] * m[1, 0] - m[0, 0] * m[1, 2]) * r
    out[2, 2] = (m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]) * r
    return True


@fused
def _row(work, g):
    """Coefficients of a hyperplane in the plane, and its radius."""
    if g >= 0:
        return work.rows[g, 0], work.rows[g, 1], work.rows[g, 2], work.radius[g]
    m = -1 - g
    return work.table[m, 0], work.table[m, 1], work.table[m, 2], work.row_radius[m]


@fused
def _refine_in_plane(work, pool, v):
    """The step of :func:`refine` for two lines: the inverse is adj / det, only det rounded."""
    a1, b1, c1, r1 = _row(work, pool.label[v, 0])
    a2, b2, c2, r2 = _row(work, pool.label[v, 1])
    det = a1 * b2 - a2 * b1
    if det == 0.0:
        pool.err[v] = NO_BOUND
        return
    x, y = pool.x[v, 0], pool.x[v, 1]
    s, t = a1 * x + b1 * y + c1, a2 * x + b2 * y + c2
    x = min(1.0, max(-1.0, x - (b2 * s - b1 * t) / det))
    y = min(1.0, max(-1.0, y - (a1 * t - a2 * s) / det))
    s = abs(a1 * x + b1 * y + c1) + 3.0 * r1
    t = abs(a2 * x + b2 * y + c2) + 3.0 * r2
    size = abs(det)
    e = max(abs(b2) * s + abs(b1) * t, abs(a2) * s + abs(a1) * t) / size
    tilt = max(abs(b2) * r1 + abs(b1) * r2, abs(a2) * r1 + abs(a1) * r2)
    defect = (2.0 * tilt + gamma(4) * (abs(a1 * b2) + abs(a2 * b1))) / size * INFLATE
    pool.x[v, 0] = x
    pool.x[v, 1] = y
    pool.err[v] = e / (1.0 - defect) * INFLATE if defect < 0.5 else NO_BOUND


@fused
def refine(net, work, pool, v):
    """One Newton step on the vertex's own hyperplanes, and a proven bound of what is left.

    With R the hyperplanes' linear parts in the free coordinates and C ≈ R⁻¹,
    ``|x − true| ≤ |C| |R x + c| / (1 − ‖C R − I‖)``, every term rounded upwards. In homogeneous
    coordinates the largest coordinate is held fixed, and t of a direction is 0.
    """
    d = work.x.shape[0]
    fixed = -1
    if pool.conic[0]:
        fixed = 0
        for l in range(1, d):
            if abs(pool.x[v, l]) > abs(pool.x[v, fixed]):
                fixed = l
    m = pool.solve[0]
    c = pool.solve[1]
    radius = pool.solve[2, 0]
    column = pool.solve_column
    n = 0
    for l in range(d):
        if l == fixed or (net.homogeneous and l == d - 1 and pool.ray[v]):
            continue
        if n == 3:
            pool.err[v] = NO_BOUND
            return
        column[n] = l
        n += 1
    if n == 2 and not pool.conic[0]:
        _refine_in_plane(work, pool, v)
        return
    rows = 0
    for q in range(pool.label.shape[1]):
        g = pool.label[v, q]
        if g == AT_INFINITY:
            continue
        if rows == n:
            pool.err[v] = NO_BOUND
            return
        if g >= 0:
            radius[rows] = work.radius[g]
            for j in range(n):
                m[rows, j] = work.rows[g, column[j]]
        else:
            radius[rows] = work.row_radius[-1 - g]
            for j in range(n):
                m[rows, j] = work.table[-1 - g, column[j]]
        rows += 1
    if rows != n or not inverse(m, n, c):
        pool.err[v] = NO_BOUND
        return
    residual = pool.solve[3, 0]
    for step in range(2):
        rows = 0
        for q in range(pool.label.shape[1]):
            g = pool.label[v, q]
            if g == AT_INFINITY:
                continue
            z = 0.0
            if g >= 0:
                z = work.rows[g, d]
                for l in range(d):
                    z += work.rows[g, l] * pool.x[v, l]
            else:
                z = work.table[-1 - g, d]
                for l in range(d):
                    z += work.table[-1 - g, l] * pool.x[v, l]
            residual[rows] = z
            rows += 1
        if step == 0:
            for j in range(n):
                delta = 0.0
                for q in range(n):
                    delta += c[j, q] * residual[q]
                x = pool.x[v, column[j]] - delta
                pool.x[v, column[j]] = min(1.0, max(-1.0, x))
    worst = 0.0
    defect = 0.0
    for j in range(n):
        e = 0.0
        row_defect = 0.0
        size = 0.0
        for q in range(n):
            e += abs(c[j, q]) * (abs(residual[q]) + radius[q] * (d + 1))
            size += abs(c[j, q]) * (radius[q] * n)
        for q in range(n):
            s = -1.0 if j == q else 0.0
            big = 1.0
            for r in range(n):
                s += c[j, r] * m[r, q]
                big += abs(c[j, r] * m[r, q])
            row_defect += abs(s) + big * gamma(n + 3)
        row_defect += size
        if e > worst:
            worst = e
        if row_defect > defect:
            defect = row_defect
    if defect < 0.5:
        e = worst / (1.0 - defect) * INFLATE
        pool.err[v] = e if e < NO_BOUND else NO_BOUND
    else:
        pool.err[v] = NO_BOUND


@fused
def orient(net, work, pool, u, w, v):
    """Choose between the two opposite vectors that a cone's vertex could be, or give up its bound.

    The hyperplanes and the bound of :func:`refine` leave the direction open. t decides for points,
    for rays a unit of the root cone: it keeps its weak sign on the cone, so at v it has the sign
    that u or w has.
    """
    d = work.x.shape[0]
    flip = 0
    if net.homogeneous and not pool.ray[v]:
        if abs(pool.x[v, d - 1]) > pool.err[v]:
            flip = 1 if pool.x[v, d - 1] > 0.0 else -1
    else:
        for q in range(pool.root_units.shape[0]):
            g = pool.root_units[q]
            word = g >> 6
            bit = _ONE << np.uint64(g & 63)
            known = 0
            if (pool.pos[u, word] | pool.pos[w, word]) & bit != _ZERO:
                known = 1
            elif (pool.neg[u, word] | pool.neg[w, word]) & bit != _ZERO:
                known = -1
            if known == 0:
                continue
            z = work.rows[g, d]
            size = 0.0
            for l in range(d):
                z += work.rows[g, l] * pool.x[v, l]
                size += abs(work.rows[g, l])
            radius = work.radius[g]
            limit = (radius * (d + 1) + (size + d * radius) * pool.err[v]) * INFLATE
            if abs(z) > limit:
                flip = known if z > 0.0 else -known
                break
    if flip == 0:
        pool.err[v] = NO_BOUND
    elif flip < 0:
        for l in range(d):
            pool.x[v, l] = -pool.x[v, l]


@fused
def cut_integers(work, pool, g, u, w, v):
    """Integer homogeneous coordinates of the cut of edge (u, w), where they stay small."""
    pool.has_integers[v] = False
    if not (pool.has_integers[u] and pool.has_integers[w]):
        return
    zu, known_u = integer_value(work.rows[g], work.exponent[g], pool.integers[u])
    zw, known_w = integer_value(work.rows[g], work.exponent[g], pool.integers[w])
    if not (known_u and known_w):
        return
    zu, zw = abs(zu), abs(zw)
    size = pool.integers.shape[1]
    for l in range(size):
        if not (
            abs(float(zw)) * abs(float(pool.integers[u, l]))
            + abs(float(zu)) * abs(float(pool.integers[w, l]))
            < _LIMIT
        ):
            return
    common = 0
    for l in range(size):
        t = zw * pool.integers[u, l] + zu * pool.integers[w, l]
        pool.integers[v, l] = t
        t = abs(t)
        while t != 0:
            common, t = t, common % t
    if common > 1:
        for l in range(size):
            pool.integers[v, l] = pool.integers[v, l] // common
    pool.has_integers[v] = common > 0


@fused
def cut_edge(net, work, pool, k, i, u, w, first, second):
    """The vertex where unit i of layer k cuts the edge (u, w); ``first`` and ``second`` label it.

    The unit has strictly opposite signs at u and w. Returns the new vertex.
    """
    d = work.x.shape[0]
    g = net.unit_start[k] + i
    v = pool.state[1]
    pool.state[1] = v + 1
    pool.label[v, 0] = g
    pool.label[v, 1] = first
    pool.label[v, 2] = second
    pool.ray[v] = pool.ray[u] and pool.ray[w]
    zu = work.rows[g, d]
    zw = work.rows[g, d]
    for l in range(d):
        zu += work.rows[g, l] * pool.x[u, l]
        zw += work.rows[g, l] * pool.x[w, l]
    zu = abs(zu)
    zw = abs(zw)
    s = 0.5
    if zu + zw > 0.0:
        s = zu / (zu + zw)
    big = 0.0
    for l in range(d):
        pool.x[v, l] = pool.x[u, l] + s * (pool.x[w, l] - pool.x[u, l])
        if abs(pool.x[v, l]) > big:
            big = abs(pool.x[v, l])
    conic = pool.conic[0]
    if conic and big > 0.0:
        up = power_of_two(-exponent_of(big))
        for l in range(d):
            pool.x[v, l] *= up
    pool.origin[v] = False
    if not conic:
        central = net.central[k]
        for q in range(1, 3):
            h = pool.label[v, q]
            if not central or h == AT_INFINITY:
                continue
            if h >= 0:
                layer = 0
                while net.unit_start[layer + 1] <= h:
                    layer += 1
                central = net.central[layer]
            else:
                central = work.row_central[-1 - h]
        pool.origin[v] = central
    if pool.origin[v]:
        for l in range(d):
            pool.x[v, l] = 0.0
        pool.err[v] = 0.0
    else:
        refine(net, work, pool, v)
        if conic:
            orient(net, work, pool, u, w, v)
    cut_integers(work, pool, g, u, w, v)
    # signs: equal or zero at both ends stays; opposite signs have to be evaluated
    here = pool.word_start[k]
    walls = pool.word_start[pool.word_start.shape[0] - 2]
    end = pool.word_start[pool.word_start.shape[0] - 1]
    for word in range(end):
        if word >= pool.word_start[k + 1] and word < walls:
            continue
        pu, nu = pool.pos[u, word], pool.neg[u, word]
        pw, nw = pool.pos[w, word], pool.neg[w, word]
        clash = (pu & nw) | (nu & pw)
        pos = (pu | pw) & ~clash
        neg = (nu | nw) & ~clash
        if clash != _ZERO and word >= here:
            base = (word - here) * 64
            bit = _ONE
            j = base
            rest = clash
            while rest != _ZERO:
                if rest & bit != _ZERO:
                    rest = rest ^ bit
                    if j != i:
                        sign = asked_sign(net, work, pool, k, j, v)
                        if sign > 0:
                            pos = pos | bit
                        elif sign < 0:
                            neg = neg | bit
                bit = bit << _ONE
                j += 1
        pool.pos[v, word] = pos
        pool.neg[v, word] = neg
    pool.layers_done[v] = k + 1
    return v
