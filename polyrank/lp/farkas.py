"""Integer rows of a cell, and the multipliers that prove what holds on it.

A cell is ``{u in R^d : a_i·u + b_i ≥ 0}``. Row i is kept as d + 1 coprime integers
``(a_i1, ..., a_id, b_i)``: scaling a row by a positive rational changes nothing, and integers
are several times faster than fractions. The verification in this module uses nothing but
products and sums of Python integers.

Source: G. M. Ziegler, Lectures on Polytopes (1995), section 1.4, Farkas lemmas II and III.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress

from flint import fmpq, fmpq_mat

from polyrank.polyhedra.system import Inequalities

__all__ = [
    "Multipliers",
    "Row",
    "coprime",
    "integer_row",
    "integer_row_from_floats",
    "integer_row_of",
    "integer_rows",
    "integer_table",
    "value_at",
    "values_at",
    "verify_farkas",
]

Row = Sequence[int]
"""The d + 1 integers ``(a_1, ..., a_d, b)`` of the affine function ``a·u + b``."""


@dataclass(frozen=True, slots=True)
class Multipliers:
    """The identity ``scale · f = constant + Σ_j values[j] · rows[indices[j]]`` of affine functions.

    **Proves**, once :func:`verify_farkas` accepts it: ``f ≥ constant / scale`` on the cell of the
    rows. With f = 0 and a positive constant it proves that the cell is empty; with f = 0 and
    constant 0, that every row in ``indices`` vanishes on all of the cell.
    **Does not prove** that the bound is attained.

    Attributes
    ----------
    scale : int
        Positive.
    constant : int
    indices : tuple of int
        Rows with a positive multiplier.
    values : tuple of int
        The multipliers, all positive.
    """

    scale: int
    constant: int
    indices: tuple[int, ...]
    values: tuple[int, ...]

    @property
    def bound(self) -> fmpq:
        """The proven lower bound ``constant / scale``."""
        return fmpq(self.constant, self.scale)

    def reduced(self) -> Multipliers:
        """The same identity divided by the greatest common divisor of its numbers."""
        common = math.gcd(self.scale, self.constant, *self.values)
        return Multipliers(
            self.scale // common,
            self.constant // common,
            self.indices,
            tuple(v // common for v in self.values),
        )


def verify_farkas(
    rows: Sequence[Row], objective: Row, multipliers: Multipliers, *, at_least: int | None = 0
) -> bool:
    """Check in integers that the multipliers prove ``objective ≥ at_least`` on the cell.

    Returns True iff scale > 0, all values ≥ 0, the identity holds in every coefficient, and
    ``constant ≥ at_least · scale`` (None asks for the identity alone, whose bound is then
    ``multipliers.bound``). An index outside the rows gives False.
    """
    scale, indices, values = multipliers.scale, multipliers.indices, multipliers.values
    if scale <= 0 or len(indices) != len(values) or any(v < 0 for v in values):
        return False
    if any(not 0 <= i < len(rows) for i in indices):
        return False
    total = [-scale * int(c) for c in objective]
    total[-1] += multipliers.constant
    for i, v in zip(indices, values, strict=True):
        row = rows[i]
        if len(row) != len(total):
            return False
        for j in compress(range(len(row)), row):
            total[j] += v * int(row[j])
    if any(total):
        return False
    return at_least is None or multipliers.constant >= at_least * scale


def value_at(row: Row, point: fmpq_mat) -> fmpq:
    """The exact value ``a·u + b`` at the point u, a ``(d, 1)`` matrix."""
    d = point.nrows()
    if len(row) != d + 1:
        raise ValueError(f"a row of {len(row)} entries at a point of R^{d}")
    total = fmpq(int(row[-1]))
    for j in compress(range(d), row):
        total += int(row[j]) * point[j, 0]
    return total


def values_at(rows: Sequence[Row], point: fmpq_mat) -> list[fmpq]:
    """The exact values ``a_i·u + b_i`` of many rows at one point u, a ``(d, 1)`` matrix."""
    coordinates = point.entries()
    values: list[fmpq] = []
    for row in rows:
        if len(row) != len(coordinates) + 1:
            raise ValueError(f"a row of {len(row)} entries at a point of R^{len(coordinates)}")
        total = fmpq(int(row[-1]))
        for j in compress(range(len(coordinates)), row):
            total += int(row[j]) * coordinates[j]
        values.append(total)
    return values


def integer_row(entries: Iterable[fmpq]) -> tuple[int, ...]:
    """The positive multiple of a rational row whose entries are coprime integers.

    Examples
    --------
    >>> integer_row([fmpq(1, 2), fmpq(-1, 3)])
    (3, -2)
    """
    row = list(entries)
    return integer_row_of(len(row), [(j, v) for j, v in enumerate(row) if v != 0])


def integer_row_of(length: int, there: Sequence[tuple[int, fmpq]]) -> tuple[int, ...]:
    """The coprime row of some length whose entries that are not 0 are multiples of the given ones.

    Rows of boxes have one or two such entries, in however many dimensions.
    """
    values = [(int(v.p), int(v.q)) for _, v in there]
    denominator = math.lcm(*(q for _, q in values))
    out = [0] * length
    integers = coprime([p * (denominator // q) for p, q in values])
    for (j, _), integer in zip(there, integers, strict=True):
        out[j] = integer
    return tuple(out)


def integer_table(matrix: fmpq_mat) -> list[tuple[int, ...]]:
    """The rows of a rational matrix as positive multiples in coprime integers."""
    return [coprime([int(v) for v in row]) for row in matrix.numer_denom()[0].tolist()]


def integer_row_from_floats(entries: Iterable[float]) -> tuple[int, ...]:
    """The positive multiple of a row of float64 (each the dyadic that it encodes) in integers.

    Examples
    --------
    >>> integer_row_from_floats([0.5, -0.75])
    (2, -3)
    """
    pairs = [v.as_integer_ratio() for v in entries]
    denominator = max((q for _, q in pairs), default=1)
    return coprime([p * (denominator // q) for p, q in pairs])


def coprime(row: Sequence[int]) -> tuple[int, ...]:
    """The positive multiple of an integer row whose entries are coprime."""
    common = math.gcd(*row)
    return tuple(row) if common <= 1 else tuple(v // common for v in row)


def integer_rows(system: Inequalities) -> list[tuple[int, ...]]:
    """The rows ``b_i − A_i·y ≥ 0`` of the system ``A y ≤ b``, each in coprime integers."""
    k = system.k
    out = []
    for terms, bound in zip(system.terms, system.bounds, strict=True):
        there = [(j, -v) for j, v in terms]
        out.append(integer_row_of(k + 1, [*there, (k, bound)] if bound != 0 else there))
    return out
