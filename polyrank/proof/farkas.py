"""Farkas multipliers, recomputed exactly from the rows that a proof names.

``s·z ≥ 0`` on a cell is proved by ``s·z = c + Σ λ_q row_q`` with λ ≥ 0 and c ≥ 0. Steps with d
rows are solved many at a time by fraction-free elimination, element by element of numpy arrays:
in 64-bit integers where a bound on all minors proves that nothing overflows, in Python's integers
elsewhere. What that does not prove is decided alone, in rationals (:func:`proves`).

Source: A. Schrijver, Theory of Linear and Integer Programming (1986), section 7.3 (Farkas'
lemma) and 3.3 (fraction-free elimination).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.proof.prefix import IntRow

__all__ = ["BoundingBox", "nonnegative_on_box", "proves", "proves_many"]

#: Bounds of every coordinate on the domain, integers (lower, upper) over one positive denominator;
#: None where it is unbounded.
BoundingBox = tuple[Sequence[int], Sequence[int], int] | None


def nonnegative_on_box(row: Sequence[Any], box: BoundingBox) -> bool:
    """Is ``a·y + c ≥ 0`` on the box (on all of R^k, if None)? ``row`` is ``(a_1, ..., a_k, c)``."""
    if box is None:
        return not any(row[:-1]) and bool(row[-1] >= 0)
    lower, upper, denominator = box
    least = row[-1] * denominator
    for a, low, high in zip(row[:-1], lower, upper, strict=True):
        least += a * (low if a > 0 else high)
    return bool(least >= 0)


def proves(rows: Sequence[IntRow], objective: IntRow, box: BoundingBox) -> bool:
    """Whether multipliers of the rows prove ``objective ≥ 0`` where all rows are ≥ 0.

    The multipliers solve ``Σ λ_q row_q = objective`` in the coefficients of y (unbounded: in the
    constant too, if that leaves none over), by elimination with the largest pivots. What
    ``objective − Σ max(λ_q, 0) row_q`` leaves must be ≥ 0 on the box.
    """
    width = len(objective)
    columns = width - 1 if box is not None else width
    # unknowns: one per row, and c for the constant row 1
    table = [[fmpq(row[l]) for row in rows] for l in range(columns)]
    if box is None:
        for l, equation in enumerate(table):
            equation.append(fmpq(int(l == width - 1)))
    for l, equation in enumerate(table):
        equation.append(fmpq(objective[l]))
    unknowns = len(rows) + (box is None)
    solved: list[tuple[int, int]] = []
    open_equations = list(range(columns))
    open_unknowns = list(range(unknowns))
    while open_equations and open_unknowns:
        e, u = max(
            ((e, u) for e in open_equations for u in open_unknowns),
            key=lambda at: abs(table[at[0]][at[1]]),
        )
        pivot = table[e][u]
        if pivot == 0:
            break
        open_equations.remove(e)
        open_unknowns.remove(u)
        solved.append((e, u))
        for other in range(columns):
            if other != e and table[other][u] != 0:
                factor = table[other][u] / pivot
                for l in range(unknowns + 1):
                    table[other][l] -= factor * table[e][l]
    rest = [fmpq(v) for v in objective]
    for e, u in solved:
        value = table[e][-1] / table[e][u]
        if value > 0 and u < len(rows):
            for l in range(width):
                rest[l] -= value * rows[u][l]
    return nonnegative_on_box(rest, box)


def proves_many(
    rows: Sequence[IntRow],
    objectives: Sequence[IntRow],
    sides: Sequence[int],
    unused: Sequence[int],
    *,
    linear: bool,
) -> NDArray[np.bool_]:
    """For every objective, whether exact multipliers of its d rows prove ``side · objective ≥ 0``.

    Parameters
    ----------
    rows : sequence of m·d integer rows
        Those of the first objective, then those of the second, and so on.
    objectives : sequence of m integer rows of length k + 1
    sides : sequence of 1 and −1
    unused : sequence of int
        Positions of rows that are no constraints: their multipliers must be 0.
    linear : bool
        The d = k unknowns solve the k coefficients and the constant c is what is left over;
        otherwise d = k + 1 unknowns solve the constant as well.

    Returns
    -------
    ndarray of bool, shape (m,)
        True proves it; False leaves it open (no unique multipliers, or not all ≥ 0).
    """
    m = len(objectives)
    width = len(objectives[0])
    d = width - 1 if linear else width
    s = np.array(sides, dtype=np.int64)
    # minors of order j of the d × (d + 1) system are at most (√j · largest)^j (Hadamard)
    limit = _largest_entry(d)
    try:
        A: NDArray[Any] = np.array(rows, dtype=np.int64).reshape(m, d, width)
        g: NDArray[Any] = np.array(objectives, dtype=np.int64).reshape(m, width)
        small = ((limit >= A) & (-limit <= A)).all(axis=(1, 2))
        small &= ((limit >= g) & (-limit <= g)).all(axis=1)
    except OverflowError:
        A = np.array(rows, dtype=object).reshape(m, d, width)
        g = np.array(objectives, dtype=object).reshape(m, width)
        small = np.zeros(m, dtype=bool)
    free = np.zeros((m, d), dtype=bool)
    free.reshape(-1)[list(unused)] = True
    out = np.zeros(m, dtype=bool)
    for chosen, kind in ((np.flatnonzero(small), np.int64), (np.flatnonzero(~small), object)):
        if chosen.size:
            out[chosen] = _solved(
                A[chosen].astype(kind),
                g[chosen].astype(kind),
                s[chosen],
                free[chosen],
                linear=linear,
            )
    return out


def _largest_entry(d: int) -> int:
    """The largest M with 2 (d + 1) M (√d M)^d (√d M)^d < 2^62: no step of the solve overflows."""
    low, high = 0, 1 << 31
    while high - low > 1:
        M = (low + high) // 2
        minor_squared = d**d * M ** (2 * d)
        if 2 * (d + 1) * max(minor_squared, M * (math.isqrt(minor_squared) + 1)) < 1 << 62:
            low = M
        else:
            high = M
    return low


def _solved(
    A: NDArray[Any],
    g: NDArray[Any],
    sides: NDArray[np.int64],
    free: NDArray[np.bool_],
    *,
    linear: bool,
) -> NDArray[np.bool_]:
    """Bareiss' elimination of ``Σ_q λ_q A[:, q, :] = g``, then the signs of λ and c."""
    m, d = A.shape[0], A.shape[1]
    # M[l, q]: coefficient of λ_q in equation l; M[l, d]: right-hand side
    M = np.empty((d, d + 1, m), dtype=A.dtype)
    M[:, :d] = A[:, :, :d].transpose(2, 1, 0)
    M[:, d] = g[:, :d].T
    regular = np.ones(m, dtype=bool)
    one = A.dtype.type(1) if A.dtype != object else 1
    previous: Any = one
    for p in range(d):
        nonzero = (M[p:, p] != 0).astype(bool)
        first = nonzero.argmax(axis=0) + p
        regular &= nonzero.any(axis=0)
        swap = np.flatnonzero(first != p)
        if swap.size:
            upper = M[p, :, swap].copy()
            M[p, :, swap] = M[first[swap], :, swap]
            M[first[swap], :, swap] = upper
        pivot = np.where(regular, M[p, p], one)
        for i in range(p + 1, d):
            for j in range(p + 1, d + 1):
                value = pivot * M[i, j] - M[i, p] * M[p, j]
                M[i, j] = value if p == 0 else value // previous
        M[p, p] = pivot
        previous = pivot
    # λ_q = N[q] / D with D the last pivot, ± the determinant
    D = M[d - 1, d - 1]
    N: list[Any] = [None] * d
    N[d - 1] = M[d - 1, d]
    for i in range(d - 2, -1, -1):
        total = D * M[i, d]
        for j in range(i + 1, d):
            total = total - M[i, j] * N[j]
        N[i] = total // M[i, i]
    sign = np.where((D > 0).astype(bool), sides, -sides)
    positive = sign > 0
    good = regular.copy()
    for q in range(d):
        good &= np.where(positive, N[q] >= 0, N[q] <= 0).astype(bool)
        good &= ~free[:, q] | (N[q] == 0).astype(bool)
    if linear:
        c = D * g[:, d]
        for q in range(d):
            c = c - N[q] * A[:, q, d]
        good &= np.where(positive, c >= 0, c <= 0).astype(bool)
    return good
