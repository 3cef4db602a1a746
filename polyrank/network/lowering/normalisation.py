"""Batch normalisation at inference, folded to one factor and one shift per channel."""

from __future__ import annotations

import numpy as np
from flint import fmpq

from polyrank.errors import NetworkError
from polyrank.network.lowering.values import Values, add, multiply, nearest_root
from polyrank.network.rational import to_fmpq

__all__ = ["folded_normalisation"]


def folded_normalisation(
    scale: Values, shift: Values, mean: Values, variance: Values, epsilon: fmpq, where: str
) -> tuple[Values, Values]:
    """The factor and the shift per channel of a batch normalisation at inference.

    ``factor = fl(scale / √(variance + epsilon))`` is the float64 nearest to the real number;
    ``shift − factor · mean`` follows exactly. Source of the definition: SPEC of this package.

    Raises
    ------
    NetworkError
        If ``variance + epsilon`` is not positive.
    """
    factors = np.zeros(scale.size)
    for k in range(scale.size):
        gamma, square = to_fmpq(scale[k]), to_fmpq(variance[k]) + epsilon
        if square <= 0:
            raise NetworkError(f"{where}: variance + epsilon is {square} in channel {k}")
        root = nearest_root(gamma * gamma / square)
        factors[k] = -root if gamma < 0 else root
    return factors, add(shift, multiply(multiply(factors, mean), np.array(-1.0)))
