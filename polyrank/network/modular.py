"""Exact numbers modulo a prime: residues, products, elimination.

A rank modulo a prime is a proved lower bound of the rank over ℚ for *every* prime that divides no
denominator, so that the prime may be chosen to fit the network.

Residues are kept in ``[0, p)``. Below 2**21 the products of two are below 2**42, so that sums of
up to 2048 of them stay exact in float64 and BLAS may multiply. A matrix is eliminated in panels of
rows: the panel in a loop of the native core, the rest of the matrix in one product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from flint import fmpz
from numpy.typing import NDArray

from polyrank.native.records import call
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray

if TYPE_CHECKING:  # scipy.sparse takes time to load, and not all who count need it
    from scipy.sparse import csr_array

__all__ = [
    "SMALL_PRIMES",
    "LayerResidues",
    "Residues",
    "fitting_prime",
    "float_residues",
    "inverse_mod",
    "layer_residues",
    "pivots_mod",
    "product_mod",
    "products_mod",
    "ranks_mod",
    "residues",
]

#: The largest primes below 2**21.
SMALL_PRIMES = (2097143, 2097133, 2097131)
_PANEL = 48
_TERMS = 2048

Residues = NDArray[np.int64]
Floats = NDArray[np.float64]


class LayerResidues(NamedTuple):
    """The numbers of a layer modulo a prime."""

    weight: Residues
    bias: Residues
    slope_neg: Residues
    slope_pos: Residues


def layer_residues(layer: Layer, prime: int) -> LayerResidues:
    """The numbers of a layer modulo a prime that divides none of their denominators."""
    return LayerResidues(*(residues(array, prime) for array in _arrays(layer)))


def _arrays(layer: Layer) -> tuple[RationalArray, ...]:
    return layer.weight, layer.bias, layer.slope_neg, layer.slope_pos


def fitting_prime(
    largest: int, network: Network, *others: RationalArray, below: int | None = None
) -> int:
    """The largest odd prime up to a bound that divides no denominator.

    Parameters
    ----------
    largest : int
        The bound, itself allowed.
    network : Network
        All its numbers are taken into account.
    *others : RationalArray
        More numbers that will be reduced.
    below : int, optional
        Only primes less than this one: a second prime after a first.

    Raises
    ------
    ValueError
        If there is none: the denominators have more digits than there are primes.

    Examples
    --------
    >>> from polyrank.network.normal_form import Network
    >>> third = RationalArray.from_rationals(["1/3", "1/7"], (1, 2))
    >>> fitting_prime(7, Network.from_arrays([third], [[0.0]]))
    5
    """
    arrays = [*others, *(a for layer in network.layers for a in _arrays(layer))]
    # denominators of floats are powers of two
    denominators = {int(v.q) for a in arrays if not a.is_float for v in a.entries()}
    start = largest if below is None else min(largest, below - 1)
    for candidate in range(start, 2, -1):
        if not fmpz(candidate).is_prime():
            continue
        if all(q % candidate for q in denominators):
            return candidate
    raise ValueError(f"every odd prime up to {largest} divides a denominator")


def residues(array: RationalArray, prime: int) -> Residues:
    """An exact array modulo an odd prime below 2**31.

    Raises
    ------
    ValueError
        If the prime divides a denominator.
    """
    if array.exact is not None:
        out = []
        for v in array.exact.entries():
            q = int(v.q) % prime
            if not q:
                raise ValueError(f"{prime} divides the denominator of {v}")
            out.append(int(v.p) % prime * pow(q, -1, prime) % prime)
        return np.array(out, dtype=np.int64).reshape(array.shape)
    return float_residues(array.approx, prime)


def float_residues(values: Floats, prime: int) -> Residues:
    """Finite float64 numbers, of any shape, modulo an odd prime below 2**31."""
    # mantissa · 2^exponent with a 53-bit integer mantissa; 2 is invertible
    mantissa, exponent = np.frexp(values)
    integers = (mantissa * 2.0**53).astype(np.int64) % prime
    needed = np.unique(exponent)
    powers = np.array([pow(2, int(e) - 53, prime) for e in needed], dtype=np.int64)
    return np.asarray(integers * powers[np.searchsorted(needed, exponent)] % prime)


def product_mod(A: Floats | csr_array, B: Floats, prime: int) -> Floats:
    """``A B`` modulo a prime below 2**21; residues in, residues out, all of them float64.

    A may be sparse; B is not.
    """
    if not isinstance(A, np.ndarray):
        if A.nnz and int(np.diff(A.indptr).max()) > _TERMS:
            return product_mod(A.toarray(), B, prime)
        few: Floats = A @ B
        _reduce(few, float(prime))
        return few
    out = np.zeros((A.shape[0], B.shape[1]))
    for first in range(0, A.shape[1], _TERMS):
        part = A[:, first : first + _TERMS] @ B[first : first + _TERMS]
        _reduce(part, float(prime))
        out = part if first == 0 else np.where(out + part >= prime, out + part - prime, out + part)
    return out


def _reduce(M: Floats, prime: float) -> None:
    call("polyrank_residues_reduce", M, prime)


def _panel(
    M: Floats,
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


def pivots_mod(
    matrix: Floats, prime: int, *, stop: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column pivots of a matrix modulo the prime.

    Parameters
    ----------
    matrix : ndarray of float64, shape (m, n)
        Floats; left unchanged.
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
    panels: list[tuple[list[int], list[int]]] = []
    start = end = 0
    while start < m and len(rows) < limit:
        if start == end:  # the next rows are brought up to date: often the first ones are enough
            end = min(m, start + max(limit, _PANEL))
            for chosen, heads in panels:
                _eliminate(M[start:end], M[chosen], heads, prime)
        count = _panel(M[:end], start, used, float(prime), columns)
        found = [(start + r, int(columns[r])) for r in range(count) if columns[r] >= 0]
        start += count
        if found:
            panels.append(([r for r, _ in found], [c for _, c in found]))
            rows += panels[-1][0]
            cols += panels[-1][1]
            if start < end and len(rows) < limit:
                _eliminate(M[start:end], M[panels[-1][0]], panels[-1][1], prime)
    return np.array(rows[:limit], dtype=np.int64), np.array(cols[:limit], dtype=np.int64)


def _eliminate(rest: Floats, pivots: Floats, heads: list[int], prime: int) -> None:
    """Subtract the multiples of pivot rows that make rows vanish in their columns, in place."""
    rest -= product_mod(rest[:, heads], pivots, prime)
    rest[rest < 0] += prime


def inverse_mod(square: Floats, prime: int) -> Floats:
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


def products_mod(weight: Residues, J: Residues, prime: int) -> Residues:
    """``weight · J_i`` modulo a prime below 2**21 for all i; J of shape (f, inputs, columns)."""
    count, inputs, columns = J.shape
    flat = J.transpose(1, 0, 2).reshape(inputs, count * columns).astype(np.float64)
    out = product_mod(weight.astype(np.float64), flat, prime).astype(np.int64)
    return np.asarray(out.reshape(-1, count, columns).transpose(1, 0, 2))


def ranks_mod(matrices: Residues, prime: int) -> NDArray[np.int64]:
    """Ranks modulo a prime below 2**31 of many small matrices, (f, rows, columns)."""
    M = matrices.copy()
    count, rows, columns = M.shape
    rank = np.zeros(count, np.int64)
    free = np.ones((count, rows), dtype=bool)
    here = np.arange(count)
    for j in range(columns if rows else 0):
        usable = (M[:, :, j] != 0) & free
        has = usable.any(axis=1)
        at = usable.argmax(axis=1)
        pivot_row = M[here, at]
        pivot = np.where(has, pivot_row[:, j], 1)
        factor = np.where(has[:, None], M[:, :, j], 0)
        M = (M * pivot[:, None, None] % prime - factor[:, :, None] * pivot_row[:, None, :]) % prime
        free[here[has], at[has]] = False
        rank += has
    return rank
