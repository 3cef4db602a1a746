"""Trusted unless all is to be exact: rounded integer rows, and what proves them ≥ 0.

A *rounded* row is one of integers r in 64 bits with an error e ≥ 0, such that for one t the exact
coefficients are ``2^t (r_l + e_l)`` with ``|e_l| ≤ e``. What is proved here does not depend on
where multipliers and rays come from (:mod:`polyrank.proof.proposals`): no number of a float
computation is believed. Products of matrices are computed in float64 where all integers, and so
all results, are below 2^53.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "PRIME",
    "Ints",
    "bit_length",
    "by_cone",
    "by_identity",
    "digits_of",
    "product",
    "ranks_at_least",
    "small_product",
]

Ints = NDArray[np.int64]
#: Residues are modulo this prime: sums of 2^17 products of two stay below 2^53.
PRIME = (1 << 18) - 5


def digits_of(dim: int) -> int:
    """Bits of rounded rows, and of multipliers, for which no sum of products here overflows."""
    return (60 - ((dim + 2) * (dim + 2)).bit_length()) // 2


def bit_length(values: Ints) -> Ints:
    """Bits of integers ≥ 0 below 2^62, or one more (float64 rounds to even)."""
    return np.asarray(np.frexp(values.astype(np.float64))[1].astype(np.int64))


def small_product(left: Ints, right: Ints) -> Ints:
    """``left · right`` where all sums of absolute values of products are below 2^53."""
    a, b = left.astype(np.float64), right.astype(np.float64)
    out = np.empty((a.shape[0], b.shape[1]))
    # in pieces for which BLAS starts no threads: they cost more than they give
    step = max(1, (1 << 17) // max(1, a.size))
    for i in range(0, b.shape[1], step):
        np.matmul(a, b[:, i : i + step], out=out[:, i : i + step])
    return out.astype(np.int64)


def product(left: Ints, right: Ints, norm: int) -> tuple[Ints, int, int]:
    """P, s and e with ``|left · right − 2^s P| ≤ 2^s e`` in every entry; e = 0 if s = 0.

    The entries of ``left`` (n, c) have row sums of absolute values up to ``norm`` < 2^61, those of
    ``right`` (c, m) are at most 2^51 in absolute value. Factors are cut into limbs so short that
    sums of their products are below 2^53.
    """
    if norm * int(np.abs(right).max(initial=0)) < 1 << 53:
        return small_product(left, right), 0, 0
    width = 27 - left.shape[1].bit_length()
    drop = max(0, norm.bit_length() + 51 - 61)
    total = np.zeros((left.shape[0], right.shape[1]), dtype=np.int64)
    cuts = range(0, norm.bit_length(), width)
    for low in cuts:
        limb = left >> low
        if low != cuts[-1]:
            limb = limb & ((1 << width) - 1)
        if not limb.any():
            continue
        for half in (0, 26):
            other = right >> 26 if half else right & ((1 << 26) - 1)
            part = small_product(limb, other)
            shift = low + half - drop
            # sums may overflow on the way, modulo 2^64, but |left · right| / 2^drop < 2^62
            total += part << shift if shift >= 0 else part >> -shift
    return total, drop, 2 * len(cuts) if drop else 0


def by_identity(
    goal: Ints,
    goal_error: Ints,
    rows: Ints,
    errors: Ints,
    multipliers: Ints,
    scale: Ints,
    *,
    bounded: bool,
) -> NDArray[np.bool_]:
    """:func:`polyrank.proof.farkas.proves` for m goals at once, on rounded rows.

    On the cube the errors of a row add up to at most k + 1 times its error; elsewhere none is
    allowed.

    Parameters
    ----------
    goal : (k + 1, m); rows : (d, k + 1, m); multipliers, errors : (d, m); scale, goal_error : (m,)
    """
    rest = scale * goal
    unknown = scale * goal_error
    largest = (np.abs(goal).max(axis=0) + goal_error) * scale.astype(np.float64)
    for row, error, factor in zip(rows, errors, multipliers, strict=True):
        rest = rest - factor * row
        unknown = unknown + factor * error
        largest += (np.abs(row).max(axis=0) + error) * factor.astype(np.float64)
    slope = np.abs(rest[:-1]).sum(axis=0)
    valid = (scale > 0) & (multipliers >= 0).all(axis=0)
    valid &= len(goal) * largest < 1 << 60  # or an integer may have overflowed
    if bounded:
        return np.asarray(valid & (rest[-1] - slope >= len(goal) * unknown))
    return np.asarray(valid & (slope == 0) & (rest[-1] >= 0) & (unknown == 0))


def by_cone(
    goal: Ints,
    goal_error: Ints,
    rows: Ints,
    errors: Ints,
    rays: Ints,
) -> NDArray[np.bool_]:
    """For m goals, whether the goal is ≥ 0 where d linear forms on R^d are, by rays around it.

    Let the columns of V be rays such that M = (row_i(V_j)) has off-diagonal entries ≤ 0 and is
    strictly dominated by its positive diagonal in every row. Then M⁻¹ ≥ 0 (M is an M-matrix),
    so a point v with all row_i(v) ≥ 0 is V M⁻¹ (row(v)), a sum of the rays with factors ≥ 0, and
    the goal is ≥ 0 there if it is so on each ray.

    Parameters
    ----------
    goal : (d, m); rows : (d, d, m), row first; rays : (d, d, m), coordinate first
    """
    d = len(goal)
    size = np.abs(rays).sum(axis=0)  # what an error of 1 can change on ray j
    at_rays = (goal[:, None] * rays).sum(axis=0) - goal_error * size
    limit = 1 << digits_of(d)  # so that no integer overflows
    good = ((at_rays >= 0) & (rays <= limit).all(axis=0) & (-limit <= rays).all(axis=0)).all(axis=0)
    for i in range(d):
        excess = np.zeros_like(goal_error)
        for j in range(d):
            value = (rows[i] * rays[:, j]).sum(axis=0)
            error = errors[i] * size[j]
            if i != j:
                good &= value + error <= 0
            excess += value - error  # all that is negative counts against the diagonal
        good &= excess > 0
    return np.asarray(good)


def ranks_at_least(residues: Ints, dice: Any) -> Ints:
    """Lower bounds of the ranks of m integer matrices A (m, n, k), given modulo PRIME.

    The leading minors of S A T that are not 0 modulo a prime, with random matrices S and T, are
    counted: rank S A T ≤ rank A, whatever S and T are.
    """
    m, n, k = residues.shape
    left = dice.integers(1, PRIME, size=(k, n)).astype(np.float64)
    right = dice.integers(1, PRIME, size=(k, k))
    some = (left @ residues.astype(np.float64)).astype(np.int64) % PRIME @ right % PRIME
    rank = np.zeros(m, dtype=np.int64)
    alive = np.ones(m, dtype=bool)
    for i in range(k):
        pivot = some[:, i, i]
        alive &= pivot != 0
        rank += alive
        rest = some[:, i + 1 :, i + 1 :] * pivot[:, None, None]
        rest -= some[:, i + 1 :, i, None] * some[:, i, None, i + 1 :]
        some[:, i + 1 :, i + 1 :] = rest % PRIME
    return rank
