"""Signs of units at vertices: float bounds first, then integers, then a question to rationals.

A vertex is ``x ± err`` in every coordinate, a row is ``(a ± error)·x + b ± error`` up to its scale;
one evaluation in float64 is off by at most

    radius (d + 1) + (Σ|a_l| + d · radius) err,      radius = error + γ_{d+4},

since ``|x_l| ≤ 1`` (see :mod:`polyrank.cells.compose`). Beyond that the sign is proved.
"""

from __future__ import annotations

import numpy as np

from polyrank.cells.compose import power_of_two
from polyrank.lp.certify import INFLATE
from polyrank.lp.jit import fused, shared

__all__ = ["UNKNOWN", "asked_sign", "evaluate_layer", "integer_value", "sign_at"]

UNKNOWN = 2
#: Larger integer exponents cannot give products below 2**62.
_MOST_BITS = 30
_LIMIT = 2.0**62
_ZERO, _ONE = np.uint64(0), np.uint64(1)


@shared
def integer_value(row, exponent, vertex):
    """``(value, known)``: the row at integer homogeneous coordinates, times a positive factor."""
    if exponent < 0 or exponent > _MOST_BITS:
        return 0, False
    unit = power_of_two(exponent)
    size = 0.0
    for l in range(vertex.shape[0]):
        size += abs(row[l]) * unit * abs(float(vertex[l]))
    if not size < _LIMIT:
        return 0, False
    total = 0
    for l in range(vertex.shape[0]):
        total += int(row[l] * unit) * vertex[l]
    return total, True


@fused
def sign_at(net, work, pool, k, i, v):
    """Proven sign of unit i of layer k at vertex v, or UNKNOWN."""
    g = net.unit_start[k] + i
    if pool.origin[v] and net.central[k]:
        return 0
    d = work.x.shape[0]
    z = work.rows[g, d]
    size = 0.0
    for l in range(d):
        z += work.rows[g, l] * pool.x[v, l]
        size += abs(work.rows[g, l])
    radius = work.radius[g]
    limit = (radius * (d + 1) + (size + d * radius) * pool.err[v]) * INFLATE
    if z > limit:
        return 1
    if z < -limit:
        return -1
    if pool.has_integers[v]:
        value, known = integer_value(work.rows[g], work.exponent[g], pool.integers[v])
        if known:
            pool.stat[0] += 1
            return 1 if value > 0 else (-1 if value < 0 else 0)
    return UNKNOWN


@fused
def asked_sign(net, work, pool, k, i, v):
    """Like :func:`sign_at`, but what is unknown is answered by exact arithmetic, or asked."""
    pool.stat[2] += 1
    s = sign_at(net, work, pool, k, i, v)
    if s != UNKNOWN:
        return s
    c = pool.state[5]
    pool.state[5] = c + 1
    if c < pool.state[7]:
        return pool.answer[c]
    q = pool.state[6]
    if q < pool.ask_vertex.shape[0]:
        pool.ask_vertex[q] = v
        pool.ask_unit[q] = net.unit_start[k] + i
        pool.state[6] = q + 1
    return 0


@fused
def evaluate_layer(net, work, pool, k, bits, first, size):
    """Signs of layer k's units at a cell's vertices that do not have them yet.

    Signs are random, so nothing here branches on them: comparisons become bits, and only what no
    comparison proved is looked at again.
    """
    d = work.x.shape[0]
    n = net.units[k]
    a = net.unit_start[k]
    w0 = pool.word_start[k]
    w1 = pool.word_start[k + 1]
    prepared = False
    for p in range(first, first + size):
        v = pool.cycle[p]
        if pool.layers_done[v] > k:
            continue
        if not prepared:
            prepared = True
            for i in range(n):
                s = 0.0
                for l in range(d):
                    s += abs(work.rows[a + i, l])
                    pool.columns[l, i] = work.rows[a + i, l]
                pool.columns[d, i] = work.rows[a + i, d]
                r = work.radius[a + i]
                pool.reach[i] = r * (d + 1) * INFLATE
                pool.sums[i] = (s + d * r) * INFLATE
            for w in range(w0, w1):
                ask = _ZERO
                up = _ZERO
                down = _ZERO
                for i in range((w - w0) * 64, min(n, (w - w0 + 1) * 64)):
                    bit = _ONE << np.uint64(i & 63)
                    b = bits[i]
                    if b == -1:
                        ask |= bit
                    elif net.hyperplane[a + i]:
                        if b == 1:
                            up |= bit
                        elif b == 0:
                            down |= bit
                pool.known[w - w0, 0] = ask
                pool.known[w - w0, 1] = up
                pool.known[w - w0, 2] = down
        e = pool.err[v]
        pool.stat[1] += n
        if d == 2:
            x = pool.x[v, 0]
            y = pool.x[v, 1]
            for i in range(n):
                pool.values[i] = (
                    pool.columns[2, i] + pool.columns[0, i] * x + pool.columns[1, i] * y
                )
        else:
            for i in range(n):
                pool.values[i] = pool.columns[d, i]
            for l in range(d):
                c = pool.x[v, l]
                for i in range(n):
                    pool.values[i] += pool.columns[l, i] * c
        for i in range(n):
            pool.limits[i] = pool.reach[i] + pool.sums[i] * e
        zero = pool.origin[v] and net.central[k]
        for w in range(w0, w1):
            pos = _ZERO
            neg = _ZERO
            base = (w - w0) * 64
            for i in range(min(n - base, 64)):
                z = pool.values[base + i]
                limit = pool.limits[base + i]
                pos |= np.uint64(z > limit) << np.uint64(i)
                neg |= np.uint64(z < -limit) << np.uint64(i)
            ask = pool.known[w - w0, 0]
            if zero:
                pos = _ZERO
                neg = _ZERO
            else:
                pos &= ask
                neg &= ask
                rest = ask & ~(pos | neg)
                i = base
                while rest != _ZERO:
                    bit = _ONE << np.uint64(i & 63)
                    if rest & bit != _ZERO:
                        rest ^= bit
                        s = asked_sign(net, work, pool, k, i, v)
                        if s > 0:
                            pos |= bit
                        elif s < 0:
                            neg |= bit
                    i += 1
            if not pool.ray[v]:
                pos |= pool.known[w - w0, 1]
                neg |= pool.known[w - w0, 2]
            pool.pos[v, w] = pos
            pool.neg[v, w] = neg
