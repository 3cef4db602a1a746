"""Elimination modulo a prime below 2**21, in float64 arithmetic that is exact.

Residues are kept in ``[0, p)``; products of two are below 2**42, so that sums of up to 2048 of
them stay exact in float64 and BLAS may multiply. Rows are eliminated in panels: the panel in a
loop of the native core, the rest of the matrix in one product.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.native.records import call
from polyrank.network import modular
from polyrank.network.rational import RationalArray

__all__ = ["PRIMES", "inverse_mod", "pivots_mod", "product_mod", "residues"]

PRIMES = (2097143, 2097133, 2097131)
"""Primes below 2**21."""

_PANEL = 48
_TERMS = 2048

Residues = NDArray[np.float64]


def residues(array: RationalArray, prime: int) -> Residues | None:
    """An exact array modulo a prime, in its own shape; None where a denominator vanishes."""
    try:
        return modular.residues(array, prime).astype(np.float64)
    except ValueError:
        return None


def product_mod(A: Residues, B: Residues, prime: int) -> Residues:
    """``A B`` modulo the prime; residues in, residues out."""
    out = np.zeros((A.shape[0], B.shape[1]))
    for first in range(0, A.shape[1], _TERMS):
        part = A[:, first : first + _TERMS] @ B[first : first + _TERMS]
        _reduce(part, float(prime))
        out = part if first == 0 else np.where(out + part >= prime, out + part - prime, out + part)
    return out


def _reduce(M: Residues, prime: float) -> None:
    call("polyrank_residues_reduce", M, prime)


def _panel(
    M: Residues,
    start: int,
    used: NDArray[np.bool_],
    prime: float,
    columns: NDArray[np.int64],
) -> int:
    """Eliminate the panel of rows ``start ..`` in place; reduced rows, their pivot columns.

    Row r of the panel ends as a row with pivot 1 that vanishes in the pivot columns of the
    panel's other rows; rows that vanish get the pivot column −1.
    """
    return int(call("polyrank_residues_panel", M, start, used, prime, columns))


def pivots_mod(matrix: Residues, prime: int, *, stop: int | None = None) -> tuple[Any, Any]:
    """Row and column pivots of a matrix modulo the prime.

    Parameters
    ----------
    matrix : ndarray of float64, shape (m, n)
        Residues; left unchanged.
    prime : int
    stop : int, optional
        Stop once this many pivots are found.

    Returns
    -------
    rows, columns : ndarray of int
        The rank is their length (at least, if stopped). The matrix restricted to them is
        invertible modulo the prime, hence over ℚ.
    """
    M = np.array(matrix, dtype=np.float64)
    m, n = M.shape
    limit = min(m, n) if stop is None else min(m, n, stop)
    used = np.zeros(n, dtype=np.bool_)
    rows: list[int] = []
    cols: list[int] = []
    columns = np.empty(_PANEL, dtype=np.int64)
    start = 0
    while start < m and len(rows) < limit:
        count = _panel(M, start, used, float(prime), columns)
        found = [(start + r, int(columns[r])) for r in range(count) if columns[r] >= 0]
        rows += [r for r, _ in found]
        cols += [c for _, c in found]
        below = start + count
        if found and below < m and len(rows) < limit:
            chosen = [r for r, _ in found]
            heads = [c for _, c in found]
            M[below:] -= product_mod(M[below:][:, heads], M[chosen], prime)
            rest = M[below:]
            rest[rest < 0] += prime
        start = below
    return np.array(rows[:limit], dtype=np.int64), np.array(cols[:limit], dtype=np.int64)


def inverse_mod(square: Residues, prime: int) -> Residues:
    """Inverse of an invertible ``(n, n)`` matrix modulo the prime.

    Eliminates ``[M | I]`` with pivots in M and reads the inverse off the reduced rows.
    """
    n = len(square)
    M = np.hstack([square, np.eye(n)])
    used = np.zeros(2 * n, dtype=np.bool_)
    columns = np.empty(_PANEL, dtype=np.int64)
    order = np.empty(n, dtype=np.int64)
    for start in range(0, n, _PANEL):
        count = _panel(M, start, used, float(prime), columns)
        heads = columns[:count]
        if (heads < 0).any() or (heads >= n).any():
            raise ValueError("the matrix is singular modulo the prime")
        order[heads] = np.arange(start, start + count)
        mine = slice(start, start + count)
        for other in (slice(0, start), slice(start + count, n)):
            part = M[other]
            if len(part):
                part -= product_mod(np.ascontiguousarray(part[:, heads]), M[mine], prime)
                part[part < 0] += prime
    return np.ascontiguousarray(M[order, n:])
