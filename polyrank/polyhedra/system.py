"""The one form that every domain is brought to: ``x = origin + basis y`` with ``A y ≤ b``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flint import fmpq, fmpq_mat

__all__ = ["AffineSystem", "identity", "inequality_name", "vector"]


@dataclass(frozen=True, slots=True)
class AffineSystem:
    """The set ``{origin + basis y : A y ≤ b}`` in R^n, exactly; it may be empty or flat.

    Attributes
    ----------
    origin : fmpq_mat, shape (n, 1)
    basis : fmpq_mat, shape (n, k)
        Full column rank, so that y ↦ x is injective.
    A : fmpq_mat, shape (m, k)
    b : fmpq_mat, shape (m, 1)
        The inequalities A y ≤ b; m may be 0, and then the set is an affine subspace.
    names : tuple of str
        One readable name per row, such as ``"x3 <= 1"``, for messages and certificates.
    """

    origin: fmpq_mat
    basis: fmpq_mat
    A: fmpq_mat
    b: fmpq_mat
    names: tuple[str, ...]

    @property
    def n(self) -> int:
        """Dimension of the space of x."""
        return self.basis.nrows()

    @property
    def k(self) -> int:
        """Dimension of the space of y."""
        return self.basis.ncols()

    @property
    def m(self) -> int:
        """Number of inequalities."""
        return self.A.nrows()

    def through(self, origin: fmpq_mat, basis: fmpq_mat) -> AffineSystem:
        """The image of the set under the injective affine map ``x ↦ origin + basis x``."""
        return AffineSystem(
            origin + basis * self.origin, basis * self.basis, self.A, self.b, self.names
        )


def identity(n: int) -> fmpq_mat:
    """The ``(n, n)`` identity matrix."""
    matrix = fmpq_mat(n, n)
    for i in range(n):
        matrix[i, i] = fmpq(1)
    return matrix


def vector(entries: Sequence[fmpq]) -> fmpq_mat:
    """A column ``(len(entries), 1)``."""
    return fmpq_mat(len(entries), 1, list(entries))


def inequality_name(row: Sequence[fmpq], bound: fmpq, symbol: str, index: int) -> str:
    """A readable name of ``row · y ≤ bound``; rows of more than four terms go by ``index``."""
    terms = [(j, v) for j, v in enumerate(row) if v != 0]
    if len(terms) > 4:
        return f"row {index} of A"
    if len(terms) == 1 and terms[0][1] == -1:
        return f"{symbol}{terms[0][0]} >= {-bound}"
    text = ""
    for j, v in terms:
        sign = ("-" if v < 0 else "") if not text else (" - " if v < 0 else " + ")
        size = abs(v)
        text += f"{sign}{'' if size == 1 else f'{size} '}{symbol}{j}"
    return f"{text or '0'} <= {bound}"
