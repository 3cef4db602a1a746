"""Exact numbers modulo a prime: a prime that divides no denominator, and residues.

A rank modulo a prime is a proved lower bound of the rank over ℚ for *every* prime that divides no
denominator, so that the prime may be chosen to fit the network.
"""

from __future__ import annotations

import numpy as np
from flint import fmpz
from numpy.typing import NDArray

from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray

__all__ = ["fitting_prime", "layer_arrays", "residues"]

Residues = NDArray[np.int64]


def layer_arrays(layer: Layer) -> tuple[RationalArray, RationalArray, RationalArray, RationalArray]:
    """Weight, bias, negative and positive slopes."""
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
    arrays = [*others, *(a for layer in network.layers for a in layer_arrays(layer))]
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
    # mantissa · 2^exponent with a 53-bit integer mantissa; 2 is invertible
    mantissa, exponent = np.frexp(array.approx)
    integers = (mantissa * 2.0**53).astype(np.int64) % prime
    needed = np.unique(exponent)
    powers = np.array([pow(2, int(e) - 53, prime) for e in needed], dtype=np.int64)
    return np.asarray(integers * powers[np.searchsorted(needed, exponent)] % prime)
