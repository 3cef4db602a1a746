"""``.mat`` files: weights and biases as cells or as ``W1, b1, W2, b2, …``, with normalisation.

The layout of the RPM examples (Vincent & Schwager) is read: cells ``weights`` (out, in) and
``biases``, and ``X_mean, X_std, Y_mean, Y_std``, so that the network is
``Y_std · net((x − X_mean) / X_std) + Y_mean``. The normalisation is folded exactly; ``raw`` leaves
it out. Activations are not stored; the options choose them (default ReLU).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats.activations import hidden_activations
from polyrank.network.formats.matlab_reader import read_mat
from polyrank.network.formats.options import LoadOptions
from polyrank.network.formats.pairs import ArrayPair, network_from_arrays, network_from_pairs
from polyrank.network.formats.recording import record_activation
from polyrank.network.graph.sequence import Sequence as Chain
from polyrank.network.graph.values import Values, as_rationals, as_values, multiply, settle
from polyrank.network.normal_form import Network

__all__ = ["read"]

_CELLS = (("weights", "biases"), ("W", "b"))
_NORMALISATION = ("X_mean", "X_std", "Y_mean", "Y_std")


def read(path: Path, options: LoadOptions) -> Network:
    """The network of a ``.mat`` file.

    Parameters
    ----------
    path : Path
    options : LoadOptions
        ``activation``, ``slope`` and ``raw``.

    Raises
    ------
    FormatError
        If the file is missing, truncated or damaged, or its cells do not pair.
    UnsupportedError
        If it is of level 4 or 7.3, or holds variables that have no place in a network.
    NetworkError
        If shapes do not chain or a number is not finite.
    """
    variables = read_mat(path)
    notes = [
        f"the variable {k} is not numeric and was left out"
        for k, v in variables.items()
        if v is None
    ]
    numeric = {key: value for key, value in variables.items() if value is not None}
    stated = {key: numeric.pop(key) for key in _NORMALISATION if key in numeric}
    for weights, biases in _CELLS:
        if isinstance(numeric.get(weights), list):
            pairs = _pairs(numeric.pop(weights), numeric.pop(biases, None), weights, biases)
            if numeric:
                raise UnsupportedError(
                    f"the variables {', '.join(numeric)} have no place in a network; save only "
                    f"{weights}, {biases} and {', '.join(_NORMALISATION)}"
                )
            break
    else:
        cells = [key for key, value in numeric.items() if isinstance(value, list)]
        if cells or not numeric:
            raise UnsupportedError(
                f"the file holds {', '.join(variables) or 'nothing'}; expected cells weights and "
                "biases, or W1, b1, W2, b2, …"
            )
        if not stated or options.raw:
            return network_from_arrays(numeric, options, name=path.stem, ordered=True, notes=notes)
        raise UnsupportedError("a normalisation is read only beside cells weights and biases")
    if stated and options.raw:
        notes.append(f"the normalisation {', '.join(stated)} was left out as asked")
    elif stated:
        return _normalised(pairs, stated, options, path.stem, notes)
    return network_from_pairs(pairs, options, name=path.stem, notes=notes)


def _pairs(weights: Any, biases: Any, first: str, second: str) -> list[ArrayPair]:
    if not isinstance(biases, list) or len(biases) != len(weights) or not weights:
        raise FormatError(
            f"{first} has {len(weights)} entries; expected as many in the cell {second}"
        )
    pairs = []
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True), start=1):
        if not isinstance(weight, np.ndarray) or not isinstance(bias, np.ndarray):
            raise FormatError(f"entry {k} of {first} or {second} is not a matrix of numbers")
        if weight.ndim != 2 or bias.ndim != 2 or 1 not in bias.shape:
            raise FormatError(
                f"entry {k}: the weight has shape {weight.shape}, the bias {bias.shape}; expected "
                "a matrix and a vector"
            )
        pairs.append(ArrayPair(f"{first}{{{k}}}", weight, bias.ravel()))
    return pairs


def _normalised(
    pairs: Sequence[ArrayPair],
    stated: Mapping[str, Any],
    options: LoadOptions,
    name: str,
    notes: list[str],
) -> Network:
    chosen, note = hidden_activations(options, len(pairs) - 1)
    chain = Chain(pairs[0].weight.shape[1])
    minus = np.array(-1.0)
    if "X_mean" in stated:
        chain.shift(multiply(_row(stated, "X_mean", chain.width), minus))
    if "X_std" in stated:
        chain.scale(_inverse(_row(stated, "X_std", chain.width)), "X_std")
    for k, pair in enumerate(pairs):
        chain.linear(pair.weight, pair.bias, pair.key)
        if k < len(chosen):
            record_activation(chain, chosen[k], pair.key)
    if "Y_std" in stated:
        chain.scale(_row(stated, "Y_std", chain.width), pairs[-1].key)
    if "Y_mean" in stated:
        chain.shift(_row(stated, "Y_mean", chain.width))
    notes += [note, f"the normalisation {', '.join(stated)} was folded exactly"]
    return Network(chain.layers(pairs[-1].key), name, {"notes": notes})


def _row(stated: Mapping[str, Any], key: str, width: int) -> Values:
    array: NDArray[Any] | None = stated[key] if isinstance(stated[key], np.ndarray) else None
    if array is None or array.size != width:
        size = None if array is None else array.shape
        raise NetworkError(f"{key} has shape {size}; expected {width} numbers")
    return as_values(array.ravel(), key)


def _inverse(values: Values) -> Values:
    if bool((values == 0).any()):
        raise NetworkError("X_std has a zero; the input cannot be divided by it")
    result = np.empty(values.size, dtype=object)
    result[:] = [1 / v for v in as_rationals(values)]
    return settle(result)
