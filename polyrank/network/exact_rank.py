"""The exact rank of a rational matrix: residues bound it below, combinations of rows above.

The rank modulo a prime is at most the rank over ℚ. Where it reaches the number of rows or columns
that are not zero, it is the rank. Elsewhere the pivots modulo the prime name rows R and columns C,
and ``M[R, C]`` is regular; the rank is |R| iff every other row is the combination of the rows R
that its columns C demand, which one exact linear solve tells (Dixon's lifting, far cheaper than
fraction-free elimination of the whole).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import compress
from typing import TypeAlias

from flint import fmpq_mat, fmpz, fmpz_mat, nmod_mat

__all__ = [
    "exact_rank",
    "independent_rows",
    "modular_pivots",
    "rank_of_rows",
    "spanning_columns",
]

_Row: TypeAlias = Sequence[int | fmpz]

#: Primes below 2**63.
_PRIMES = (9223372036854775783, 9223372036854775643, 9223372036854775549)
_LEAST_STEP = 64
"""Rows are taken so many at a time, or as many as there are columns."""


def exact_rank(matrix: fmpq_mat, at_most: int | None = None) -> int:
    """The rank over ℚ.

    Parameters
    ----------
    matrix : fmpq_mat
    at_most : int, optional
        A proved upper bound: where the residues reach it, nothing else is computed.
    """
    return 0 if at_most == 0 else rank_of_rows(matrix.numer_denom()[0].tolist(), at_most)


def rank_of_rows(rows: Iterable[_Row], at_most: int | None = None) -> int:
    """The rank over ℚ of rows of integers; see :func:`exact_rank`.

    Rows of which there are far more than columns are taken some at a time, so that Ctrl-C is seen
    in between.
    """
    table = [row for row in rows if any(row)]
    if at_most == 0 or not table:
        return 0
    there: set[int] = set()
    for row in table:
        there.update(compress(range(len(row)), row))
        if len(there) == len(row):
            break
    columns = sorted(there)
    if len(columns) < len(table[0]):
        table = [[row[j] for j in columns] for row in table]
    most = min(len(table), len(columns))
    if at_most is not None:
        most = min(most, at_most)
    for prime in _PRIMES:
        chosen = independent_rows(table, prime, most)
        if len(chosen) == most or _spanned(table, chosen, prime):
            return len(chosen)
    return int(_matrix(table).rank())


def independent_rows(
    rows: Sequence[_Row], prime: int = _PRIMES[0], at_most: int | None = None
) -> list[int]:
    """Rows of integers that are independent modulo a prime: each that no earlier ones span.

    **Proves** that these rows are independent over ℚ.

    Parameters
    ----------
    rows : sequence of sequences of int
        All of one length.
    prime : int
    at_most : int, optional
        So many are enough.
    """
    width = len(rows[0]) if rows else 0
    most = width if at_most is None else min(width, at_most)
    chosen: list[int] = []
    step = max(width, _LEAST_STEP)
    for start in range(0, len(rows), step):
        if len(chosen) >= most:
            break
        some = [*chosen, *range(start, min(start + step, len(rows)))]
        turned = _matrix([rows[i] for i in some]).transpose()
        chosen = [some[i] for i in modular_pivots(turned, prime)]
    return chosen[:most]


def modular_pivots(matrix: fmpz_mat, prime: int = _PRIMES[0]) -> list[int]:
    """Columns of an integer matrix that are independent modulo a prime, as many as there can be.

    **Proves** that these columns are independent over ℚ.
    """
    if not matrix.nrows() or not matrix.ncols():
        return []
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


def _spanned(rows: Sequence[_Row], chosen: list[int], prime: int) -> bool:
    """Whether all rows are combinations of those that are independent modulo the prime."""
    if not chosen:
        return not any(any(row) for row in rows)
    basis = _matrix([rows[i] for i in chosen])
    columns = modular_pivots(basis, prime)
    square = fmpq_mat(_matrix([[rows[i][j] for i in chosen] for j in columns]))
    others = sorted(set(range(len(rows))) - set(chosen))
    step = max(len(rows[0]), _LEAST_STEP)
    for start in range(0, len(others), step):
        some = [rows[i] for i in others[start : start + step]]
        factors = square.solve(fmpq_mat(_matrix([[row[j] for row in some] for j in columns])))
        if factors.transpose() * fmpq_mat(basis) != fmpq_mat(_matrix(some)):
            return False
    return True


def _matrix(rows: Sequence[_Row]) -> fmpz_mat:
    return fmpz_mat(len(rows), len(rows[0]), [v for row in rows for v in row])


def _rows(matrix: fmpz_mat, chosen: list[int]) -> fmpz_mat:
    n = matrix.ncols()
    return fmpz_mat(len(chosen), n, [matrix[i, j] for i in chosen for j in range(n)])
