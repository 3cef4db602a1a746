"""Multipliers, proposed by elimination and in float64; nothing here is trusted.

Whatever these functions return, :mod:`polyrank.proof.farkas` decides with it in exact integers and
:mod:`polyrank.proof.rounding` with rigorous bounds. A bad proposal can only fail to prove anything.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flint import fmpz_mat
from numpy.typing import NDArray

__all__ = ["eliminated", "inverses"]

Floats = NDArray[np.float64]


def eliminated(
    goal: Sequence[int],
    rows: Sequence[Sequence[int]],
    *,
    bounded: bool,
    columns: Sequence[int] | None = None,
) -> tuple[list[int], int]:
    """Integer multipliers and a scale > 0 with ``scale · goal = Σ λ_j row_j`` (Gauss, exact).

    On the cube only the coefficients of u are to agree, or those of some ``columns``; elsewhere a
    constant may be left over. Negative multipliers are cut off at 0.
    """
    width = len(goal)
    forms = [*rows, *([] if bounded else [[0] * (width - 1) + [1]]), goal]
    equations = range(width - 1 if bounded else width) if columns is None else columns
    multipliers = [0] * len(rows)
    if not equations or not rows:
        return multipliers, 1
    reduced, scale, rank = fmpz_mat([[form[l] for form in forms] for l in equations]).rref()
    sign = 1 if scale > 0 else -1
    for i in range(rank):
        lead = next(j for j in range(len(forms)) if reduced[i, j] != 0)
        if lead < len(rows):
            multipliers[lead] = max(0, sign * int(reduced[i, len(forms) - 1]))
    return multipliers, abs(int(scale))


def inverses(A: Floats) -> tuple[Floats, Floats]:
    """Inverses B (d, d, m) of matrices A (d, d, m), ``Σ_l B[q, l] A[l, r] = [q = r]``, and dets."""
    d, _, m = A.shape
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        if d == 2:
            determinant = A[0, 0] * A[1, 1] - A[0, 1] * A[1, 0]
            adjugate = np.array([[A[1, 1], -A[0, 1]], [-A[1, 0], A[0, 0]]])
            return adjugate / determinant, determinant
        if d == 3:
            adjugate = np.empty((3, 3, m))
            for i, j in np.ndindex(3, 3):
                a, b, s, t = (i + 1) % 3, (i + 2) % 3, (j + 1) % 3, (j + 2) % 3
                adjugate[j, i] = A[a, s] * A[b, t] - A[a, t] * A[b, s]
            determinant = A[0, 0] * adjugate[0, 0]
            determinant += A[0, 1] * adjugate[1, 0] + A[0, 2] * adjugate[2, 0]
            return adjugate / determinant, determinant
        return _gauss(A)


def _gauss(A: Floats) -> tuple[Floats, Floats]:
    d, _, m = A.shape
    table = np.zeros((d, 2 * d, m))
    table[:, :d] = A
    for i in range(d):
        table[i, d + i] = 1.0
    determinant = np.ones(m)
    at = np.arange(m)
    for i in range(d):
        place = np.abs(table[i:, i]).argmax(axis=0) + i
        moved = np.flatnonzero(place != i)
        if moved.size:
            other = table[place[moved], :, at[moved]]
            table[place[moved], :, at[moved]] = table[i][:, moved].T
            table[i][:, moved] = other.T
            determinant[moved] *= -1.0
        pivot = table[i, i].copy()
        determinant *= pivot
        table[i, i:] /= pivot
        for r in range(d):
            if r != i:
                table[r, i + 1 :] -= table[r, i] * table[i, i + 1 :]
    return table[:, d:], determinant
