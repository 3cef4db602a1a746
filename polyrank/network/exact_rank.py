"""The exact rank of a rational matrix: residues bound it below, combinations of rows above.

The rank modulo a prime is at most the rank over ℚ. Where it reaches the number of rows or columns
that are not zero, it is the rank. Elsewhere the pivots modulo the prime name rows R and columns C,
and ``M[R, C]`` is regular; the rank is |R| iff every other row is the combination of the rows R
that its columns C demand, which one exact linear solve tells (Dixon's lifting, far cheaper than
fraction-free elimination of the whole).
"""

from __future__ import annotations

from collections.abc import Callable

from flint import fmpq_mat, fmpz_mat, nmod_mat

__all__ = ["exact_rank", "modular_pivots", "spanning_columns"]

#: Primes below 2**63.
_PRIMES = (9223372036854775783, 9223372036854775643, 9223372036854775549)
_TALL = 8
"""Of a matrix with so many times more rows than columns, the first ones are tried alone."""


def exact_rank(matrix: fmpq_mat, at_most: int | None = None) -> int:
    """The rank over ℚ.

    Parameters
    ----------
    matrix : fmpq_mat
    at_most : int, optional
        A proved upper bound: where the residues reach it, nothing else is computed.
    """
    if at_most == 0:
        return 0
    rows = [row for row in matrix.numer_denom()[0].tolist() if any(row)]
    columns = [j for j in range(matrix.ncols()) if any(row[j] for row in rows)]
    table = fmpz_mat(len(rows), len(columns), [row[j] for row in rows for j in columns])
    most = min(len(rows), len(columns))
    if at_most is not None:
        most = min(most, at_most)
    for prime in _PRIMES:
        pivots = modular_pivots(table, prime)
        if len(pivots) == most or _spanned(table, pivots, prime):
            return len(pivots)
    return int(table.rank())


def modular_pivots(matrix: fmpz_mat, prime: int = _PRIMES[0]) -> list[int]:
    """Columns of an integer matrix that are independent modulo a prime, as many as there can be.

    **Proves** that these columns are independent over ℚ.
    """
    m, n = matrix.nrows(), matrix.ncols()
    if not m or not n:
        return []
    if m > _TALL * n:
        first = fmpz_mat(2 * n, n, [matrix[i, j] for i in range(2 * n) for j in range(n)])
        if nmod_mat(first, prime).rank() == n:
            return list(range(n))
    table, rank = nmod_mat(matrix, prime).rref()
    out: list[int] = []
    j = 0
    for i in range(rank):
        while int(table[i, j]) == 0:
            j += 1
        out.append(j)
    return out


def spanning_columns(matrix: fmpq_mat, watch: Callable[[], None] | None = None) -> list[int] | None:
    """Columns of which all others are combinations over ℚ; None if residues name others.

    **Proves** it by one exact solve for each other column: as many as the rank is less than the
    number of columns. ``watch`` is called before each of them, and may raise.
    """
    table = matrix.numer_denom()[0]
    m, n = table.nrows(), table.ncols()
    columns = modular_pivots(table)
    if not columns or len(columns) == n:
        return columns if len(columns) == n or not any(table.entries()) else None
    entries = table.tolist()
    part = fmpz_mat(m, len(columns), [row[j] for row in entries for j in columns])
    chosen = modular_pivots(part.transpose())
    square = fmpq_mat(_rows(part, chosen))
    for j in sorted(set(range(n)) - set(columns)):
        if watch is not None:
            watch()
        wanted = fmpq_mat(len(chosen), 1, [entries[i][j] for i in chosen])
        factors, scale = square.solve(wanted).numer_denom()
        if part * factors != fmpz_mat(m, 1, [row[j] * scale for row in entries]):
            return None
    return columns


def _spanned(table: fmpz_mat, columns: list[int], prime: int) -> bool:
    """Whether all rows are combinations of those that the pivots modulo the prime choose."""
    m = table.nrows()
    part = fmpz_mat(m, len(columns), [table[i, j] for i in range(m) for j in columns])
    chosen = modular_pivots(part.transpose(), prime)
    others = sorted(set(range(m)) - set(chosen))
    if not columns:
        return not any(table.entries())
    square, wanted = _rows(part, chosen), _rows(part, others)
    factors = fmpq_mat(square.transpose()).solve(fmpq_mat(wanted.transpose())).transpose()
    return bool(factors * fmpq_mat(_rows(table, chosen)) == fmpq_mat(_rows(table, others)))


def _rows(matrix: fmpz_mat, chosen: list[int]) -> fmpz_mat:
    n = matrix.ncols()
    return fmpz_mat(len(chosen), n, [matrix[i, j] for i in chosen for j in range(n)])
