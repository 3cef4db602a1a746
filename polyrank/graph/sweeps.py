"""Compiled: the loops over all rows of a cell and over all edges of a vertex.

They take plain arrays and run over the contiguous axis without branches, so that they become vector
instructions; inside a function that reads its arrays from the record of the walk they do not.
"""

from __future__ import annotations

import numpy as np

from polyrank.lp.jit import fused
from polyrank.lp.simplex import RATE_TOLERANCE

__all__ = ["along", "choose_edge", "first_met", "move", "quotients"]


@fused
def along(columns, count, direction, rate):
    """How fast the first ``count`` rows grow along a direction, into ``rate``."""
    v = direction[0]
    for m in range(count):
        rate[m] = columns[0, m] * v
    for l in range(1, direction.shape[0]):
        v = direction[l]
        if v != 0.0:
            for m in range(count):
                rate[m] += columns[l, m] * v


@fused
def quotients(slack, rate, count, cutoff, step):
    """Steps at which rows vanish, infinite where the rate is not below ``cutoff`` (≤ 0)."""
    for m in range(count):
        r = rate[m]
        falls = r < cutoff
        t = slack[m] / (-r if falls else 1.0)
        step[m] = t if falls else np.inf


@fused
def choose_edge(inverse, basis, objective, bland, rates, sizes):
    """:func:`polyrank.lp.simplex.choose_edge`, with the L1 sizes of the edges into ``sizes``."""
    d = basis.shape[0]
    v = objective[0]
    for q in range(d):
        rates[q] = v * inverse[0, q]
        sizes[q] = abs(inverse[0, q])
    for l in range(1, d):
        v = objective[l]
        for q in range(d):
            rates[q] += v * inverse[l, q]
            sizes[q] += abs(inverse[l, q])
    best = -1
    best_rate = 0.0
    sign = 1.0
    for q in range(d):
        r = rates[q]
        if basis[q] < 0:
            # a free slot must be filled; prefer the steepest one, either way along its line
            gain = abs(r) / sizes[q] + 1e3
            if gain > best_rate:
                best = q
                best_rate = gain
                sign = -1.0 if r > 0.0 else 1.0
        elif r < -RATE_TOLERANCE * sizes[q]:
            if bland:
                if best < 0 or (basis[best] >= 0 and basis[q] < basis[best]):
                    best = q
                    best_rate = -r / sizes[q]
                    sign = 1.0
            elif -r > best_rate * sizes[q]:
                best = q
                best_rate = -r / sizes[q]
                sign = 1.0
    return best, sign


@fused
def first_met(columns, count, slack, inverse, slot, sign, basis, bland, direction, rate, step):
    """First row met along ``sign`` times an edge, as :func:`polyrank.lp.simplex.ratio_test`.

    Leaves the edge in ``direction`` and the rates of the rows in ``rate``.
    """
    d = basis.shape[0]
    size = 0.0
    for l in range(d):
        v = sign * inverse[l, slot]
        direction[l] = v
        size += abs(v)
    along(columns, count, direction, rate)
    for q in range(d):
        if basis[q] >= 0 and q != slot:
            rate[basis[q]] = 0.0
    quotients(slack, rate, count, -RATE_TOLERANCE * size, step)
    row = -1
    least = np.inf
    for m in range(count):
        t = step[m]
        if t < least or (t == least and t < np.inf and not bland and rate[m] < rate[row]):
            nearer = not t >= least * (1.0 - 1e-12) - 1e-300
            if nearer or (not bland and rate[m] < rate[row]):
                row = m
                least = t
    return row, max(least, 0.0)


@fused
def move(columns, count, slack, inverse, basis, x, slot, row, least, direction, rate, work):
    """Go to the row met: update the point, the slacks, the basis and its inverse."""
    d = basis.shape[0]
    for l in range(d):
        x[l] += least * direction[l]
    for m in range(count):
        slack[m] += least * rate[m]
    slack[row] = 0.0
    pivot = rate[row]
    v = columns[0, row]
    for q in range(d):
        work[q] = v * inverse[0, q]
    for l in range(1, d):
        v = columns[l, row]
        for q in range(d):
            work[q] += v * inverse[l, q]
    work[slot] = 0.0
    for l in range(d):
        v = direction[l] / pivot
        for q in range(d):
            inverse[l, q] -= work[q] * v
        inverse[l, slot] = v
    basis[slot] = row
