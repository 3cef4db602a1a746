"""The one form that every domain is brought to: ``x = origin + basis y`` with ``A y ≤ b``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress

from flint import fmpq, fmpq_mat

from polyrank.network.rational import Terms

__all__ = [
    "AffineSystem",
    "Inequalities",
    "identity",
    "inequality_name",
    "is_identity",
    "vector",
]


@dataclass(frozen=True)
class Inequalities:
    """The inequalities ``A y ≤ b`` in R^k, row by row, of which zeros are not kept.

    A box in R^784 has 1,568 rows of one coefficient each: whatever walks through its rows takes
    them from here; the matrix is made where one is asked for.

    Attributes
    ----------
    k : int
    terms : tuple of Terms
        One for each row.
    bounds : tuple of fmpq
        The entries of b.
    """

    k: int
    terms: tuple[Terms, ...]
    bounds: tuple[fmpq, ...]

    @classmethod
    def of(cls, A: fmpq_mat, b: fmpq_mat) -> Inequalities:
        """From matrices of shapes (m, k) and (m, 1)."""
        m, k = A.nrows(), A.ncols()
        # which entries are zero is seen far faster in integers
        table = A.numer_denom()[0].tolist() if k else [[]] * m
        terms = tuple(
            tuple((j, A[i, j]) for j in compress(range(k), row)) for i, row in enumerate(table)
        )
        return cls(k, terms, tuple(b.entries()))

    @property
    def m(self) -> int:
        """Number of rows."""
        return len(self.terms)

    @cached_property
    def A(self) -> fmpq_mat:
        """The matrix, shape (m, k)."""
        matrix = fmpq_mat(self.m, self.k)
        for i, row in enumerate(self.terms):
            for j, v in row:
                matrix[i, j] = v
        return matrix

    @cached_property
    def b(self) -> fmpq_mat:
        """The bounds as a column, shape (m, 1)."""
        return vector(self.bounds)

    def only(self, rows: Sequence[int]) -> Inequalities:
        """Those of the rows alone, in this order."""
        return Inequalities(
            self.k, tuple(self.terms[i] for i in rows), tuple(self.bounds[i] for i in rows)
        )

    def values(self, y: fmpq_mat) -> list[fmpq]:
        """``A y`` at a column y, shape (k, 1)."""
        coordinates = y.entries()
        return [sum((v * coordinates[j] for j, v in row), fmpq(0)) for row in self.terms]

    def holds_at(self, y: fmpq_mat) -> bool:
        """Whether ``A y ≤ b``."""
        return all(v <= b for v, b in zip(self.values(y), self.bounds, strict=True))


@dataclass(frozen=True, slots=True)
class AffineSystem:
    """The set ``{origin + basis y : A y ≤ b}`` in R^n, exactly; it may be empty or flat.

    Attributes
    ----------
    origin : fmpq_mat, shape (n, 1)
    basis : fmpq_mat, shape (n, k)
        Full column rank, so that y ↦ x is injective.
    inequalities : Inequalities
        A y ≤ b; without rows the set is an affine subspace.
    names : tuple of str
        One readable name per row, such as ``"x3 <= 1"``, for messages and certificates.
    """

    origin: fmpq_mat
    basis: fmpq_mat
    inequalities: Inequalities
    names: tuple[str, ...]

    @property
    def A(self) -> fmpq_mat:
        """The matrix of the inequalities, shape (m, k)."""
        return self.inequalities.A

    @property
    def b(self) -> fmpq_mat:
        """Their bounds, shape (m, 1)."""
        return self.inequalities.b

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
        return self.inequalities.m

    def through(self, origin: fmpq_mat, basis: fmpq_mat) -> AffineSystem:
        """The image of the set under the injective affine map ``x ↦ origin + basis x``."""
        return AffineSystem(
            origin + basis * self.origin, basis * self.basis, self.inequalities, self.names
        )


def identity(n: int) -> fmpq_mat:
    """The ``(n, n)`` identity matrix."""
    matrix = fmpq_mat(n, n)
    for i in range(n):
        matrix[i, i] = fmpq(1)
    return matrix


def is_identity(matrix: fmpq_mat) -> bool:
    """Whether a matrix is the identity, of whatever size."""
    n = matrix.nrows()
    return bool(n == matrix.ncols() and matrix == identity(n))


def vector(entries: Sequence[fmpq]) -> fmpq_mat:
    """A column ``(len(entries), 1)``."""
    return fmpq_mat(len(entries), 1, list(entries))


def inequality_name(terms: Terms, bound: fmpq, symbol: str, index: int) -> str:
    """A readable name of ``row · y ≤ bound``; rows of more than four terms go by ``index``."""
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
