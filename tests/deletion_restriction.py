"""Characteristic polynomials of hyperplane arrangements by deletion and restriction.

For one-layer networks on R^n: the number of regions from the intersection lattice alone, in
integers, without finding any region, without an LP (Whitney 1932; Zaslavsky, "Facing up to
arrangements", 1975, Theorems A and C).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd

from tests.oracles import Number, primitive

__all__ = ["bounded_count", "characteristic_polynomial", "region_count"]

IntVector = tuple[int, ...]
Memo = dict[tuple[int, frozenset[IntVector]], tuple[int, ...]]


def _canonical(row: IntVector) -> IntVector:
    """Coprime integers, first non-zero entry positive: one name per hyperplane."""
    common = gcd(*row)
    lead = next(v for v in row if v)
    divisor = common if lead > 0 else -common
    return tuple(v // divisor for v in row)


def _restriction(planes: Sequence[IntVector], wall: IntVector) -> list[IntVector]:
    """The hyperplanes that the others cut out of ``wall``, each once."""
    axis = next(i for i in range(len(wall) - 1) if wall[i])
    lead = wall[axis]
    cut: dict[IntVector, None] = {}
    for plane in planes:
        factor = plane[axis]
        row = [lead * p - factor * w for p, w in zip(plane, wall, strict=True)]
        del row[axis]
        if any(row[:-1]):
            cut.setdefault(_canonical(tuple(row)))
    return list(cut)


def _whitney(planes: tuple[IntVector, ...], n: int, memo: Memo) -> tuple[int, ...]:
    """Coefficients of the characteristic polynomial, ascending powers of t, length n + 1."""
    if n == 1:
        return (-len(planes), 1)
    key = (n, frozenset(planes))
    known = memo.get(key)
    if known is not None:
        return known
    total = [0] * n + [1]
    for i, wall in enumerate(planes):
        part = _whitney(tuple(_restriction(planes[:i], wall)), n - 1, memo)
        for power, value in enumerate(part):
            total[power] -= value
    memo[key] = tuple(total)
    return memo[key]


def characteristic_polynomial(
    normals: Sequence[Sequence[Number]], offsets: Sequence[Number]
) -> tuple[int, ...]:
    """Characteristic polynomial of the arrangement ``{normals[i] . x = offsets[i]}``.

    Coefficients in ascending powers. χ(A) = χ(A without H) − χ(A restricted to H), applied to the
    last hyperplane until none is left: χ(A) = t^n − Σ_i χ((H_1, ..., H_{i−1}) restricted to H_i).
    Repeated hyperplanes count once; a zero normal is no hyperplane and is left out.
    """
    planes: dict[IntVector, None] = {}
    n = len(normals[0])
    for normal, offset in zip(normals, offsets, strict=True):
        row = primitive([*(Fraction(v) for v in normal), -Fraction(offset)])
        if any(row[:-1]):
            planes.setdefault(_canonical(row))
    return _whitney(tuple(planes), n, {})


def region_count(normals: Sequence[Sequence[Number]], offsets: Sequence[Number]) -> int:
    """Number of regions of an arrangement in R^n: (−1)^n χ(−1) (Zaslavsky, Theorem A)."""
    chi = characteristic_polynomial(normals, offsets)
    return abs(sum(c if power % 2 == 0 else -c for power, c in enumerate(chi)))


def bounded_count(normals: Sequence[Sequence[Number]], offsets: Sequence[Number]) -> int:
    """Number of relatively bounded regions: |χ(1)| (Zaslavsky, Theorem C)."""
    return abs(sum(characteristic_polynomial(normals, offsets)))
