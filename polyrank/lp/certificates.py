"""What an exact linear program answers, and the independent verification of every answer.

An answer is a frozen record that carries its certificate. The functions below verify it against
the rows alone, by evaluating rows at points and adding rows up: no linear algebra, no solver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flint import fmpq, fmpq_mat

from polyrank.lp.farkas import Multipliers, Row, value_at, values_at, verify_farkas

__all__ = [
    "Infeasible",
    "Minimum",
    "Unbounded",
    "Violation",
    "verify_infeasible",
    "verify_minimum",
    "verify_unbounded",
    "verify_violation",
]


@dataclass(frozen=True, slots=True)
class Minimum:
    """The minimum of an affine function over a cell, with both proofs.

    **Proves**, once :func:`verify_minimum` accepts it: the minimum is ``value``. The multipliers
    prove that nothing smaller occurs, the point that it is attained.

    Attributes
    ----------
    value : fmpq
    point : fmpq_mat, shape (d, 1)
        A minimiser; a vertex of the cell iff ``len(basis) == d``, which is so whenever the cell
        has a vertex and ``vertex=True`` was asked for.
    basis : tuple of int
        Linearly independent rows that vanish at the point.
    multipliers : Multipliers
        With ``bound == value``; supported in the basis.
    pivots : int
    """

    value: fmpq
    point: fmpq_mat
    basis: tuple[int, ...]
    multipliers: Multipliers
    pivots: int


@dataclass(frozen=True, slots=True)
class Unbounded:
    """The function has no lower bound on the cell: it falls along a ray.

    Attributes
    ----------
    point : fmpq_mat, shape (d, 1)
        A point of the closed cell.
    ray : tuple of int
        A direction r with ``a_i·r ≥ 0`` for all i and ``g·r < 0``.
    pivots : int
    """

    point: fmpq_mat
    ray: tuple[int, ...]
    pivots: int


@dataclass(frozen=True, slots=True)
class Infeasible:
    """The closed cell is empty: ``0 = constant + Σ λ_j row_j`` with a positive constant."""

    multipliers: Multipliers
    pivots: int


@dataclass(frozen=True, slots=True)
class Violation:
    """A point of the closed cell at which the function is negative.

    Attributes
    ----------
    point : fmpq_mat, shape (d, 1)
    value : fmpq
        Negative.
    """

    point: fmpq_mat
    value: fmpq
    pivots: int


def _contains(rows: Sequence[Row], point: fmpq_mat) -> bool:
    return all(value >= 0 for value in values_at(rows, point))


def verify_minimum(rows: Sequence[Row], objective: Row, minimum: Minimum) -> bool:
    """Check both halves: the point lies in the cell and attains the value that λ prove."""
    proof = minimum.multipliers
    return (
        minimum.point.nrows() == len(objective) - 1
        and _contains(rows, minimum.point)
        and value_at(objective, minimum.point) == minimum.value
        and verify_farkas(rows, objective, proof, at_least=None)
        and proof.bound == minimum.value
    )


def verify_unbounded(rows: Sequence[Row], objective: Row, unbounded: Unbounded) -> bool:
    """Check that the ray starts in the cell, never leaves it, and that the function falls."""
    ray = fmpq_mat(len(unbounded.ray), 1, list(unbounded.ray))
    return (
        unbounded.point.nrows() == ray.nrows() == len(objective) - 1
        and _contains(rows, unbounded.point)
        and _contains([(*row[:-1], 0) for row in rows], ray)
        and value_at((*objective[:-1], 0), ray) < 0
    )


def verify_infeasible(rows: Sequence[Row], d: int, infeasible: Infeasible) -> bool:
    """Check that the multipliers add the rows up to a negative constant."""
    proof = infeasible.multipliers
    return proof.constant > 0 and verify_farkas(rows, (0,) * (d + 1), proof)


def verify_violation(rows: Sequence[Row], objective: Row, violation: Violation) -> bool:
    """Check that the point lies in the closed cell and that the function is negative there."""
    return (
        violation.point.nrows() == len(objective) - 1
        and _contains(rows, violation.point)
        and value_at(objective, violation.point) == violation.value < 0
    )
