"""Multipliers, proposed by elimination; nothing here is trusted.

Whatever this function returns, :mod:`polyrank.proof.farkas` decides with it in exact integers. A
bad proposal can only fail to prove anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from flint import fmpz_mat

__all__ = ["eliminated"]


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
