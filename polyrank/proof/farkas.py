"""Trusted: affine functions with integer coefficients, and what proves them ≥ 0.

A *row* ``(a_1, ..., a_k, c)`` of integers is the function ``a·u + c`` on R^k. Only its sign
matters, so it may be multiplied by any positive number. Where the domain is bounded, its
coordinates are such that it lies in the cube ``|u_l| ≤ 1``.

Source: A. Schrijver, Theory of Linear and Integer Programming (1986), section 7.3 (Farkas' lemma).
"""

from __future__ import annotations

from collections.abc import Sequence

from polyrank.proof.proposals import eliminated

__all__ = ["is_nonnegative", "proved", "proves"]


def is_nonnegative(row: Sequence[int], *, bounded: bool) -> bool:
    """Whether the row is ≥ 0 on the cube (``bounded``), or on all of R^k."""
    slope = sum(map(abs, row[:-1]))
    return row[-1] >= slope if bounded else slope == 0 and row[-1] >= 0


def proves(
    goal: Sequence[int],
    rows: Sequence[Sequence[int]],
    multipliers: Sequence[int],
    scale: int,
    *,
    bounded: bool,
) -> bool:
    """Whether ``scale · goal − Σ_j λ_j row_j`` is ≥ 0, with scale > 0 and all λ ≥ 0, exactly.

    Then the goal is ≥ 0 wherever all rows are (weak duality).
    """
    if scale <= 0 or any(v < 0 for v in multipliers):
        return False
    rest = [scale * v for v in goal]
    for factor, row in zip(multipliers, rows, strict=True):
        if factor:
            rest = [v - factor * w for v, w in zip(rest, row, strict=True)]
    return is_nonnegative(rest, bounded=bounded)


def proved(
    goal: Sequence[int],
    rows: Sequence[Sequence[int]],
    *,
    bounded: bool,
    columns: Sequence[int] | None = None,
) -> bool:
    """Whether the goal is proved to be ≥ 0 wherever all rows are.

    The multipliers that are tried make goal and rows agree in some ``columns``; default: in all.
    """
    multipliers, scale = eliminated(goal, rows, bounded=bounded, columns=columns)
    return proves(goal, rows, multipliers, scale, bounded=bounded)
