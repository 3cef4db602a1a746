"""The float side of the LP oracle: primal simplex steps over the rows of one cell.

A cell is ``{u : a_m·u + b_m ≥ 0, m < rows}`` inside the cube ``|u_l| ≤ 1``. The state is a point
``x``, a basis (``d`` row indices, −1 for a *free* slot that no row holds yet) and the inverse
``X`` of the basis matrix: column q of ``X`` is the edge direction that moves away from basis row q
and keeps the others tight. Nothing accumulates beyond ``X``: slacks and reduced costs come from
the original rows, so a basis can be re-derived at any time (:func:`refactor`).

Everything here only *proposes*: points and bases. :mod:`polyrank.lp.certify` decides.

Kernels are pure (arrays in, arrays out) and run unchanged as plain Python.
"""

from __future__ import annotations

import numpy as np

from polyrank.lp.jit import shared

__all__ = ["choose_edge", "move", "ratio_test", "refactor", "slacks"]

#: Relative size below which a rate counts as zero while searching (never while proving).
RATE_TOLERANCE = 1e-11


@shared
def slacks(columns, rows, x, out):
    """Slacks ``a_m·x + b_m`` of the first ``rows`` rows at ``x``, into ``out``.

    ``columns`` has shape ``(d + 1, capacity)``: column-major rows, the constant last.
    """
    d = x.shape[0]
    for m in range(rows):
        out[m] = columns[d, m]
    for l in range(d):
        v = x[l]
        for m in range(rows):
            out[m] += columns[l, m] * v


@shared
def choose_edge(inverse, basis, objective, bland, rates):
    """Pick the edge along which the objective falls.

    Parameters
    ----------
    inverse : (d, d) array
        Inverse of the basis matrix.
    basis : (d,) int array
        Row of each slot, −1 where the slot is free.
    objective : (d + 1,) array
        Linear form to minimise (the constant is ignored).
    bland : bool
        Choose the falling edge of lowest row index instead of the steepest.
    rates : (d,) array, output
        Reduced costs: the change of the objective along each edge; at an optimum they are the
        multipliers λ with ``objective = Σ λ_q a_q``.

    Returns
    -------
    (slot, sign) : slot to leave and the direction's sign, or (−1, 0) at an optimum.
    """
    d = basis.shape[0]
    best = -1
    best_rate = 0.0
    sign = 1.0
    for q in range(d):
        r = 0.0
        size = 0.0
        for l in range(d):
            r += objective[l] * inverse[l, q]
            size += abs(inverse[l, q])
        rates[q] = r
        r = r / size
        if basis[q] < 0:
            # A free slot must be filled; prefer the steepest one, either way along its line.
            gain = abs(r) + 1e3
            if gain > best_rate:
                best = q
                best_rate = gain
                sign = -1.0 if r > 0.0 else 1.0
        elif r < -RATE_TOLERANCE:
            if bland:
                if best < 0 or (basis[best] >= 0 and basis[q] < basis[best]):
                    best = q
                    best_rate = -r
                    sign = 1.0
            elif -r > best_rate:
                best = q
                best_rate = -r
                sign = 1.0
    return best, sign


@shared
def ratio_test(columns, rows, slack, inverse, slot, sign, basis, bland, rate):
    """First row met along ``sign`` times column ``slot`` of the inverse.

    ``rate`` (capacity,) receives ``a_m·direction``. Among rows met at (almost) the same step the
    one with the largest rate wins, or the lowest index with ``bland``.

    Returns
    -------
    (row, step) : the blocking row and the step, or (−1, inf) where nothing blocks.
    """
    d = basis.shape[0]
    size = 0.0
    for l in range(d):
        v = sign * inverse[l, slot]
        size += abs(v)
        if l == 0:
            for m in range(rows):
                rate[m] = columns[0, m] * v
        else:
            for m in range(rows):
                rate[m] += columns[l, m] * v
    for q in range(d):
        if basis[q] >= 0 and q != slot:
            rate[basis[q]] = 0.0
    cutoff = -RATE_TOLERANCE * size
    row = -1
    step = np.inf
    steepest = 0.0
    for m in range(rows):
        r = rate[m]
        if r < cutoff:
            s = slack[m]
            s = 0.0 if s < 0.0 else s
            t = -s / r
            if t < step * (1.0 - 1e-12) - 1e-300:
                row = m
                step = t
                steepest = r
            elif t <= step and not bland and r < steepest:
                row = m
                step = t if t < step else step
                steepest = r
    return row, step


@shared
def move(columns, rows, slack, inverse, basis, x, slot, sign, row, step, rate):
    """Go to the blocking row: update the point, the slacks, the basis and its inverse."""
    d = basis.shape[0]
    for l in range(d):
        x[l] += sign * step * inverse[l, slot]
    for m in range(rows):
        slack[m] += step * rate[m]
    slack[row] = 0.0
    pivot = sign * rate[row]
    for l in range(d):
        inverse[l, slot] /= pivot
    for q in range(d):
        if q != slot:
            a = 0.0
            for l in range(d):
                a += columns[l, row] * inverse[l, q]
            if a != 0.0:
                for l in range(d):
                    inverse[l, q] -= a * inverse[l, slot]
    basis[slot] = row


@shared
def refactor(table, basis, inverse, work):
    """Recompute the inverse of the basis matrix from the rows (Gauss-Jordan, row pivoting).

    ``table`` is row-major ``(capacity, d + 1)``; ``work`` is ``(d, 2 d)``. A free slot stands for
    a coordinate row, in the order of the slots.

    Returns
    -------
    bool : False where the matrix is numerically singular (the inverse is then garbage).
    """
    d = basis.shape[0]
    for q in range(d):
        for l in range(d):
            work[q, l] = table[basis[q], l] if basis[q] >= 0 else (1.0 if l == q else 0.0)
            work[q, d + l] = 1.0 if l == q else 0.0
    for c in range(d):
        p = c
        big = abs(work[c, c])
        for q in range(c + 1, d):
            if abs(work[q, c]) > big:
                big = abs(work[q, c])
                p = q
        if big < 1e-290:
            return False
        if p != c:
            for l in range(2 * d):
                t = work[c, l]
                work[c, l] = work[p, l]
                work[p, l] = t
        inv = 1.0 / work[c, c]
        for l in range(c, 2 * d):
            work[c, l] *= inv
        for q in range(d):
            if q != c:
                t = work[q, c]
                if t != 0.0:
                    for l in range(c, 2 * d):
                        work[q, l] -= t * work[c, l]
    for q in range(d):
        for l in range(d):
            inverse[q, l] = work[q, d + l]
    return True
