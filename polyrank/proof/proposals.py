"""Multipliers and rays, proposed in float64 and by elimination; nothing here is trusted.

Whatever these functions return, :mod:`polyrank.proof.integers` decides with it in exact integers.
A bad proposal can only fail to prove something.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flint import fmpz_mat
from numpy.typing import NDArray

from polyrank.proof.integers import Ints, digits_of

__all__ = ["Proposals", "eliminated"]


class Proposals:
    """From the inverses of m matrices A (d, d, m), row first; goals (d, m) with ``λ A ≈ goal``."""

    def __init__(self, A: Ints, goal: Ints) -> None:
        self.inverse, self.determinant = _inverses(A.astype(np.float64))
        self.sizes = np.abs(A).max(axis=1, initial=1)
        d, m = goal.shape
        self.multipliers = np.zeros((d, m))
        with np.errstate(invalid="ignore", over="ignore"):
            for l in range(d):
                self.multipliers += goal[l] * self.inverse[l]
        np.nan_to_num(self.multipliers, copy=False, nan=-1.0, posinf=-1.0, neginf=-1.0)

    def rounded(self, unused: NDArray[np.bool_]) -> tuple[Ints, Ints]:
        """Multipliers (d, m) and a scale (m,), rounded to integers."""
        unit = 2.0 ** digits_of(len(unused))
        values = np.where(unused, 0.0, np.clip(self.multipliers, 0.0, 2.0**53))
        largest = (values * self.sizes).max(axis=0, initial=0.0)
        scale = np.floor(unit / np.maximum(largest / unit, 1.0))
        return np.rint(values * scale).astype(np.int64), scale.astype(np.int64)

    def integral(self, unused: NDArray[np.bool_]) -> tuple[Ints, Ints]:
        """The multipliers of an integer matrix times its determinant (Cramer)."""
        scale = np.rint(np.abs(self.determinant))
        scale = np.where(scale < 2.0**52, scale, 0.0)
        values = np.where(unused, 0.0, np.clip(self.multipliers, -1.0, 2.0**53))
        values = np.minimum(np.rint(values * scale), 2.0**53)
        return values.astype(np.int64), scale.astype(np.int64)

    def rays(self) -> Ints:
        """Rays (d, d, m), coordinate first, a little outside of the cone ``A v ≥ 0``."""
        d = len(self.inverse)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            # row i of A times these is 0 beside the diagonal but for -16 d (roundings of the row)
            rays = self.inverse / np.abs(self.inverse).max(axis=0)
            moved = self.inverse * (self.sizes * (16.0 * d / 2.0 ** digits_of(d)))
            rays -= moved.sum(axis=1, keepdims=True) - moved
            rays *= 2.0 ** (digits_of(d) - 1) / np.abs(rays).max(axis=0)
        return np.asarray(np.rint(np.nan_to_num(rays, posinf=0.0, neginf=0.0)).astype(np.int64))


def _inverses(A: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inverses B (d, d, m), with ``Σ_l A[q, l] B[l, r] = [q = r]``, and determinants (Gauss)."""
    d, _, m = A.shape
    table = np.zeros((d, 2 * d, m))
    table[:, :d] = A
    for i in range(d):
        table[i, d + i] = 1.0
    determinant = np.ones(m)
    at = np.arange(m)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for i in range(d):
            if i + 1 < d:
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


def eliminated(
    goal: Sequence[int], rows: Sequence[Sequence[int]], *, bounded: bool
) -> tuple[list[int], int]:
    """Integer multipliers and a scale > 0 with ``scale · goal = Σ λ_j row_j`` (Gauss, exact).

    On the cube only the coefficients of u are to agree; elsewhere a constant may be left over.
    Negative multipliers are cut off at 0.
    """
    width = len(goal)
    columns = [*rows, *([] if bounded else [[0] * (width - 1) + [1]]), goal]
    equations = width - 1 if bounded else width
    multipliers = [0] * len(rows)
    if equations == 0 or not rows:
        return multipliers, 1
    reduced, scale, rank = fmpz_mat([[c[l] for c in columns] for l in range(equations)]).rref()
    sign = 1 if scale > 0 else -1
    for i in range(rank):
        lead = next(j for j in range(len(columns)) if reduced[i, j] != 0)
        if lead < len(rows):
            multipliers[lead] = max(0, sign * int(reduced[i, len(columns) - 1]))
    return multipliers, abs(int(scale))
