"""A network as named float64 arrays: what ``.npz`` and ``.safetensors`` files are written from."""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import UnsupportedError
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray, fmpq_from_float

__all__ = ["float64_arrays", "is_plain_relu", "require_float64"]


def is_plain_relu(network: Network) -> bool:
    """True if every hidden layer is ReLU and the output layer is affine."""
    *hidden, last = network.layers
    zero, one = fmpq(0), fmpq(1)
    return all(set(layer.slopes_exact) == {(zero, one)} for layer in hidden) and (
        set(last.slopes_exact) == {(one, one)}
    )


def float64_arrays(network: Network) -> dict[str, NDArray[Any]]:
    """``W0, b0, W1, b1, …`` and, unless :func:`is_plain_relu`, ``slope_neg0, slope_pos0, …``.

    Raises
    ------
    UnsupportedError
        If an entry is not a float64 number.
    """
    plain = is_plain_relu(network)
    arrays: dict[str, NDArray[Any]] = {}
    for k, layer in enumerate(network.layers):
        for name, part in _parts(layer).items():
            if plain and name.startswith("slope"):
                continue
            require_float64(part, f"{name}{k}", "write .json, which stores fractions")
            arrays[f"{name}{k}"] = np.ascontiguousarray(part.approx)
    return arrays


def _parts(layer: Layer) -> dict[str, RationalArray]:
    return {
        "W": layer.weight,
        "b": layer.bias,
        "slope_neg": layer.slope_neg,
        "slope_pos": layer.slope_pos,
    }


def require_float64(array: RationalArray, name: str, remedy: str) -> None:
    """Refuse an array with an entry that is not a float64 number.

    Raises
    ------
    UnsupportedError
        With the first such entry and the remedy.
    """
    if array.is_float:
        return
    for index, (exact, near) in enumerate(
        zip(array.entries(), array.approx.ravel().tolist(), strict=True)
    ):
        if fmpq_from_float(near) != exact:
            where = tuple(int(i) for i in np.unravel_index(index, array.shape))
            shown = str(exact)
            shown = shown if len(shown) <= 60 else f"a fraction of {len(shown)} characters"
            raise UnsupportedError(
                f"{name} entry {where} is {shown}, which is not a float64 number; {remedy}"
            )
