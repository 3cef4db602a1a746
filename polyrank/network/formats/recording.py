"""Activations and batch normalisations as steps of a :class:`~polyrank.network.lowering.Sequence`.

Shared by the formats that store dense layers together with something else.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import NetworkError
from polyrank.network.formats.activations import Activation
from polyrank.network.lowering.normalisation import folded_normalisation
from polyrank.network.lowering.sequence import Sequence
from polyrank.network.lowering.values import as_values

__all__ = ["record_activation", "record_normalisation"]


def record_activation(chain: Sequence, act: Activation, name: str) -> None:
    """Record an activation by its slopes, or as a clip of ``scale · z + shift``."""
    if act.clip is None:
        chain.activate(act.neg, act.pos, name)
        return
    if act.scale != 1:
        chain.scale(_scalar(act.scale), name)
    if act.shift != 0:
        chain.shift(_scalar(act.shift))
    chain.clip(*act.clip, name)


def _scalar(value: fmpq) -> Any:
    return np.array(value, dtype=object)


def record_normalisation(
    chain: Sequence,
    parts: list[NDArray[Any] | None],
    epsilon: fmpq,
    name: str,
    notes: list[str],
) -> None:
    """Record a batch normalisation at inference.

    Parameters
    ----------
    parts : list
        Weight, bias, running mean and running variance; the first two may be None.
    epsilon : fmpq

    Raises
    ------
    NetworkError
        If a part is missing or of another size.
    """
    weight, bias, mean, variance = parts
    if mean is None or variance is None:
        raise NetworkError(f"{name}: a batch normalisation without running statistics")
    if any(part is not None and part.shape != (chain.width,) for part in parts):
        raise NetworkError(f"{name}: a batch normalisation does not fit {chain.width} units")
    factors, offsets = folded_normalisation(
        as_values(np.ones(chain.width) if weight is None else weight, name),
        as_values(np.zeros(chain.width) if bias is None else bias, name),
        as_values(mean, name),
        as_values(variance, name),
        epsilon,
        name,
    )
    chain.scale(factors, name)
    chain.shift(offsets)
    notes.append(
        f"{name}: the factor weight / sqrt(variance + {float(epsilon):.6g}) of the batch "
        "normalisation is defined as the float64 nearest to it; the shift is exact"
    )
