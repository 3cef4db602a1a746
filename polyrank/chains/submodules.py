"""Submodules of R^n by generators (rows), for R = ℤ, ℚ or a prime field: kernels and equality."""

from __future__ import annotations

from typing import Any

from flint import fmpq_mat, fmpz_mat, nmod_mat

from polyrank.chains.elimination import INTEGERS, Coefficients

__all__ = ["canonical", "kernel", "preimage", "same", "stack"]


def stack(upper: fmpz_mat, lower: fmpz_mat) -> fmpz_mat:
    """The rows of both, one above the other."""
    if upper.ncols() != lower.ncols():
        raise AssertionError(f"{upper.ncols()} columns above {lower.ncols()}")
    entries = [*upper.entries(), *lower.entries()]
    return fmpz_mat(upper.nrows() + lower.nrows(), upper.ncols(), entries)


def kernel(matrix: fmpz_mat, ring: Coefficients) -> fmpz_mat:
    """Generators (rows) of ``{x : x · matrix = 0}``; over ℤ a basis of that lattice."""
    n, m = matrix.nrows(), matrix.ncols()
    if n == 0:
        return fmpz_mat(0, 0)
    if m == 0:
        return _identity(n)
    if ring == INTEGERS:
        joined = fmpz_mat(n, m + n)
        for i, row in enumerate(matrix.tolist()):
            for j, v in enumerate(row):
                joined[i, j] = v
            joined[i, m + i] = 1
        rows = joined.hnf().tolist()
        found = [row[m:] for row in rows if all(v == 0 for v in row[:m])]
        return _from_rows(found, n)
    flipped: Any = matrix.transpose()
    if ring > 0:
        flipped = nmod_mat(flipped, ring)
    null, nullity = flipped.nullspace()
    columns = null.transpose().tolist()[: int(nullity)]
    return _from_rows([[int(v) for v in row] for row in columns], n)


def preimage(source: fmpz_mat, image: fmpz_mat, target: fmpz_mat, ring: Coefficients) -> fmpz_mat:
    """Generators of ``{x ∈ source : f(x) ∈ target}``; ``image`` holds f of source's rows."""
    combined = kernel(stack(image, target), ring)
    chosen = combined.nrows()
    coefficients = fmpz_mat(
        chosen,
        source.nrows(),
        [combined[i, j] for i in range(chosen) for j in range(source.nrows())],
    )
    return coefficients * source


def canonical(rows: fmpz_mat, ring: Coefficients) -> list[list[Any]]:
    """The one echelon form of what the rows generate: equal iff the submodules are."""
    if rows.nrows() == 0 or rows.ncols() == 0:
        return []
    form: list[list[Any]]
    if ring == INTEGERS:
        form = rows.hnf().tolist()
    elif ring > 0:
        form = nmod_mat(rows, ring).rref()[0].tolist()
    else:
        form = fmpq_mat(rows).rref()[0].tolist()
    return [row for row in form if any(v != 0 for v in row)]


def same(first: fmpz_mat, second: fmpz_mat, ring: Coefficients) -> bool:
    """True iff both generate the same submodule."""
    return canonical(first, ring) == canonical(second, ring)


def _identity(n: int) -> fmpz_mat:
    return fmpz_mat(n, n, [int(i == j) for i in range(n) for j in range(n)])


def _from_rows(rows: list[list[Any]], columns: int) -> fmpz_mat:
    return fmpz_mat(len(rows), columns, [v for row in rows for v in row])
