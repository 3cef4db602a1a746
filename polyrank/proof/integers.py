"""Trusted: affine functions with integer coefficients, packed, rounded, and proved to be ≥ 0.

A *row* ``(a_1, ..., a_k, c)`` is the function ``a·u + c`` on R^k. Only its sign matters, so it may
be multiplied by any positive number. Rows are exact integers of any size, and *packed*: one
integer ``Σ_l row_l 2^(slot·l)``, with which a linear combination of rows takes one product per
row. Beside that a row has *rounded* coefficients r in 64 bits: for one t ≥ 0 each is
``row_l = 2^t (r_l + e_l)`` with ``0 ≤ e_l < 1``, and all e_l = 0 unless the row is called lossy.

Claims are proved on the rounded coefficients, with the e_l bounded by 1, wherever these suffice,
and on the exact ones elsewhere. What is proved does not depend on where multipliers and rays come
from (:mod:`polyrank.proof.proposals`): no number of a float computation is believed.

Where the domain is bounded, its coordinates are such that it lies in the cube ``|u_l| ≤ 1``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpz
from numpy.typing import NDArray

__all__ = [
    "PRIME",
    "Ints",
    "Packing",
    "Rounded",
    "by_cone",
    "by_identity",
    "digits_of",
    "is_nonnegative",
    "proves",
    "ranks_at_least",
]

Ints = NDArray[np.int64]
#: Residues of rows are modulo this prime below 2^24: products of three factors fit in 64 bits.
PRIME = (1 << 24) - 3
_DIGITS = 16


def digits_of(dim: int) -> int:
    """Bits of rounded rows, and of multipliers, for which no sum of products here overflows."""
    return (60 - ((dim + 2) * (dim + 2)).bit_length()) // 2


@dataclass(frozen=True, slots=True)
class Rounded:
    """Rounded rows: values (k + 1, n), lossy (n,), residues of the a_l modulo PRIME (k, n)."""

    values: Ints
    lossy: NDArray[np.bool_]
    residues: Ints


class Packing:
    """Packs rows of ``width`` coefficients smaller than 2^bits in absolute value."""

    __slots__ = ("offset", "slot", "width")

    def __init__(self, width: int, bits: int) -> None:
        self.width = width
        self.slot = 32 * (bits // 32 + 1)
        self.offset = fmpz(sum(1 << self.slot * l + self.slot - 1 for l in range(width)))

    def pack(self, row: Sequence[int]) -> fmpz:
        """Pack a row."""
        return fmpz(sum(v << self.slot * l for l, v in enumerate(row)))

    def unpack(self, packed: fmpz) -> list[int]:
        """Return the row of a packed one."""
        digits = int(packed + self.offset)
        half = 1 << self.slot - 1
        mask = 2 * half - 1
        return [(digits >> self.slot * l & mask) - half for l in range(self.width)]

    def rounded(self, rows: Sequence[fmpz]) -> Rounded:
        """Round packed rows, and reduce them modulo PRIME."""
        n, width, limbs = len(rows), self.width, self.slot // 32
        size = width * self.slot // 8
        data = b"".join([int(row + self.offset).to_bytes(size, "little") for row in rows])
        digits = np.frombuffer(data, dtype="<u4").reshape(n, width, limbs).astype(np.int64)
        weights = np.array([pow(2, 32 * i, PRIME) for i in range(limbs)])
        # digits are below 2^32 and weights below 2^24: 64 products fit
        residues = sum(
            digits[:, :-1, i : i + 64] @ weights[i : i + 64] % PRIME for i in range(0, limbs, 64)
        )
        residues = (residues - pow(2, self.slot - 1, PRIME)) % PRIME
        # two's complement: the digits of v + 2^(slot−1) with the top bit flipped
        digits[:, :, -1] ^= 1 << 31
        negative = digits[:, :, -1] >> 31
        used = (digits != negative[:, :, None] * 0xFFFFFFFF).any(axis=1)
        used[:, 0] = True
        lead = limbs - 1 - used[:, ::-1].argmax(axis=1)
        at = np.arange(n)
        below = np.where(lead[:, None] > 0, digits[at, :, lead - 1], 0)
        window = ((digits[at, :, lead] - (negative << 32)) << 28) + (below >> 4)
        # |window| ≤ 2^60; frexp rounds to even and so never counts a bit too few
        length = np.frexp(np.abs(window).max(axis=1).astype(np.float64))[1]
        shift = np.maximum(length - digits_of(width - 1), np.where(lead > 0, 1, 28))
        values = window >> shift[:, None]
        return Rounded(
            np.ascontiguousarray(values.T),
            (lead > 0) | (shift > 28),
            np.ascontiguousarray(residues.T),
        )


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


def by_identity(
    goal: Ints,
    goal_lossy: NDArray[np.bool_],
    rows: Ints,
    lossy: NDArray[np.bool_],
    multipliers: Ints,
    scale: Ints,
    *,
    bounded: bool,
) -> NDArray[np.bool_]:
    """:func:`proves` for m goals at once, on rounded rows.

    On the cube the parts that were rounded off add up to at most k + 1 per row; elsewhere no row
    may be lossy.

    Parameters
    ----------
    goal : (k + 1, m); rows : (d, k + 1, m); multipliers : (d, m); scale : (m,)
    """
    rest = scale * goal
    unknown = scale * goal_lossy
    largest = np.abs(goal).max(axis=0) * scale.astype(np.float64)
    for row, missing, factor in zip(rows, lossy, multipliers, strict=True):
        rest = rest - factor * row
        unknown = unknown + factor * missing
        largest += np.abs(row).max(axis=0) * factor.astype(np.float64)
    slope = np.abs(rest[:-1]).sum(axis=0)
    valid = (scale > 0) & (multipliers >= 0).all(axis=0)
    valid &= len(goal) * largest < 1 << 60  # or an integer may have overflowed
    if bounded:
        return np.asarray(valid & (rest[-1] - slope >= len(goal) * unknown))
    return np.asarray(valid & (slope == 0) & (rest[-1] >= 0) & (unknown == 0))


def by_cone(
    goal: Ints,
    goal_lossy: NDArray[np.bool_],
    rows: Ints,
    lossy: NDArray[np.bool_],
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
    size = np.abs(rays).sum(axis=0)  # what one lost unit per coordinate can change on ray j
    at_rays = (goal[:, None] * rays).sum(axis=0) - goal_lossy * size
    limit = 1 << digits_of(d)  # so that no integer overflows
    good = ((at_rays >= 0) & (rays <= limit).all(axis=0) & (-limit <= rays).all(axis=0)).all(axis=0)
    for i in range(d):
        excess = np.zeros_like(goal_lossy, dtype=np.int64)
        for j in range(d):
            value = (rows[i] * rays[:, j]).sum(axis=0)
            error = lossy[i] * size[j]
            if i != j:
                good &= value + error <= 0
            excess += value - error  # all that is negative counts against the diagonal
        good &= excess > 0
    return np.asarray(good)


def ranks_at_least(residues: Ints, factor: Ints | None, dice: Any) -> Ints:
    """Lower bounds of the ranks of m integer matrices A (m, n, k), or of factor · A, modulo PRIME.

    The leading minors of S A T that are not 0 modulo a prime, with random matrices S and T, are
    counted: rank S A T ≤ rank A, whatever S and T are.
    """
    m, n, k = residues.shape
    left = dice.integers(1, PRIME, size=(k, n if factor is None else len(factor)))
    if factor is not None:
        left = left @ factor % PRIME
    right = dice.integers(1, PRIME, size=(k, k))
    product = (left @ residues) % PRIME @ right % PRIME
    rank = np.zeros(m, dtype=np.int64)
    alive = np.ones(m, dtype=bool)
    for i in range(k):
        pivot = product[:, i, i]
        alive &= pivot != 0
        rank += alive
        rest = product[:, i + 1 :, i + 1 :] * pivot[:, None, None]
        rest -= product[:, i + 1 :, i, None] * product[:, i, None, i + 1 :]
        product[:, i + 1 :, i + 1 :] = rest % PRIME
    return rank
