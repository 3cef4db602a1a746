"""Row echelon form and kernel of small rational matrices, as lists of rows."""

from __future__ import annotations

from collections.abc import Sequence

from flint import fmpq, fmpq_mat

__all__ = ["echelon", "kernel"]

Row = Sequence[fmpq]


def echelon(rows: Sequence[Row]) -> tuple[list[list[fmpq]], list[int]]:
    """The rows of the reduced row echelon form that are not 0, and their pivot columns.

    Examples
    --------
    >>> echelon([[fmpq(0), fmpq(2), fmpq(4)], [fmpq(0), fmpq(1), fmpq(2)]])
    ([[0, 1, 2]], [1])
    """
    if not rows or not rows[0]:
        return [], []
    table, rank = fmpq_mat(len(rows), len(rows[0]), [v for row in rows for v in row]).rref()
    kept = table.tolist()[:rank]
    return kept, [next(c for c, v in enumerate(row) if v != 0) for row in kept]


def kernel(rows: Sequence[Row], n: int) -> list[list[fmpq]]:
    """A basis of the vectors of n entries to which all rows are orthogonal.

    Examples
    --------
    >>> kernel([[fmpq(1), fmpq(1), fmpq(0)]], 3)
    [[-1, 1, 0], [0, 0, 1]]
    """
    reduced, pivots = echelon(rows)
    out = []
    for free in (c for c in range(n) if c not in pivots):
        vector = [fmpq(int(c == free)) for c in range(n)]
        for row, p in zip(reduced, pivots, strict=True):
            vector[p] = -row[free]
        out.append(vector)
    return out
