"""``.mat`` files: weights and biases as cells or as ``W1, b1, W2, b2, …``, with normalisation.

The layout of the RPM examples (Vincent & Schwager) is read: cells ``weights`` (out, in) and
``biases``, and ``X_mean, X_std, Y_mean, Y_std``, so that the network is
``Y_std · net((x − X_mean) / X_std) + Y_mean``. The normalisation is folded exactly; ``raw`` leaves
it out. A character array or a cell of names that states the activations (``act_fcns``,
``transferFcn``) is believed; where there is none the options choose them (default ReLU). A struct
that holds all this is read as the file would be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats.activations import LINEAR
from polyrank.network.formats.layer_activations import layer_activations
from polyrank.network.formats.matlab_reader import MatObject, MatUnread, read_mat
from polyrank.network.formats.options import LoadOptions
from polyrank.network.formats.pairs import (
    ArrayPair,
    names_a_role,
    network_from_arrays,
    network_from_pairs,
)
from polyrank.network.formats.recording import record_activation
from polyrank.network.formats.stated import (
    Stated,
    left_out,
    speaks_of_activations,
    speaks_of_others,
    stated_activations,
    without_slopes,
    words_of,
)
from polyrank.network.lowering.sequence import Sequence as Chain
from polyrank.network.lowering.values import Values, as_rationals, as_values, multiply, settle
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
        ``activation``, ``slope``, ``raw`` and ``part`` (the name of a struct).

    Raises
    ------
    FormatError
        If the file is missing, truncated or damaged, or its cells do not pair.
    UnsupportedError
        If it is of level 4 or 7.3, or holds variables that have no place in a network, or states
        an activation that is not piecewise linear.
    NetworkError
        If shapes do not chain or a number is not finite.
    """
    variables, options, notes = _scope(read_mat(path), options)
    cells = {name for names in _CELLS for name in names}
    numeric = {
        key: value
        for key, value in variables.items()
        if _numeric(value) or (key in cells and isinstance(value, list))
    }
    words = {key: value for key, value in variables.items() if key not in numeric}
    _check_words(words, weights=bool(numeric))
    matrices = {key: value for key, value in numeric.items() if isinstance(value, np.ndarray)}
    slopes = without_slopes(matrices)[1]
    numeric = {key: value for key, value in numeric.items() if key not in slopes}
    says = stated_activations({**words, **slopes}, options.part)
    notes += left_out(words, says, "the variable")
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
        if not numeric or any(isinstance(value, list) for value in numeric.values()):
            raise UnsupportedError(
                f"the file holds {', '.join(variables) or 'nothing'}; expected cells weights and "
                "biases, or W1, b1, W2, b2, …"
            )
        if not stated or options.raw:
            return network_from_arrays(
                numeric, options, name=path.stem, ordered=True, notes=notes, stated=says
            )
        raise UnsupportedError("a normalisation is read only beside cells weights and biases")
    if options.part is not None:
        raise UnsupportedError(f"the file has no part {options.part!r}: its cells are one network")
    if stated and options.raw:
        notes.append(f"the normalisation {', '.join(stated)} was left out as asked")
    elif stated:
        return _normalised(pairs, stated, options, path.stem, notes, says)
    return network_from_pairs(pairs, options, name=path.stem, notes=notes, stated=says)


def _numeric(value: Any) -> bool:
    """True for a matrix, or a cell that does not consist of words."""
    if isinstance(value, list):
        return not value or not all(
            v is None or isinstance(v, (str, MatObject, MatUnread)) for v in value
        )
    return isinstance(value, np.ndarray)


def _has_weights(value: Any) -> bool:
    """Whether a value is a struct of matrices that are no normalisation."""
    return isinstance(value, Mapping) and any(
        _is_matrix(v) for key, v in value.items() if key not in _NORMALISATION
    )


def _is_matrix(value: Any) -> bool:
    """Whether a value is an array of several numbers, or a cell that holds one."""
    each = value if isinstance(value, list) else [value]
    return any(isinstance(v, np.ndarray) and v.size > 1 for v in each)


def _leaves(words: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """What structs hold, by dotted names."""
    for key, value in words.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _scope(
    variables: dict[str, Any], options: LoadOptions
) -> tuple[dict[str, Any], LoadOptions, list[str]]:
    """The variables of the network: those of the file, or of the struct that holds it."""
    structs = {key: value for key, value in variables.items() if _has_weights(value)}
    others = {key: value for key, value in variables.items() if key not in structs}
    if not structs or any(_numeric(value) for value in others.values()):
        if options.part not in structs:
            return variables, options, []
    elif options.part is None and len(structs) > 1:
        raise FormatError(
            f"the file holds several networks, the structs {', '.join(structs)}: choose one with "
            f"--part, say --part {next(iter(structs))}"
        )
    name = options.part if options.part in structs else next(iter(structs))
    words = {key: value for key, value in others.items() if not _numeric(value)}
    own = options if options.part != name else replace(options, part=None)
    return {**words, **structs[name]}, own, [f"read the struct {name}"]


def _check_words(words: Mapping[str, Any], *, weights: bool) -> None:
    """Refuse what may be a part of the network, and is not read.

    Raises
    ------
    UnsupportedError
        For objects of MATLAB that are the network or may be its activations, function handles,
        logical and sparse arrays in the place of numbers, and numbers of a network in a struct
        beside the weights.
    """
    for key, value in _leaves(words):
        last = key.rpartition(".")[2]
        part = last in _NORMALISATION or last in {n for names in _CELLS for n in names}
        part = part or (names_a_role(last) and words_of(last)[0] not in {"use", "has", "with"})
        said = f"the variable {key!r}" if key else "the file"
        if "." in key and weights and (last in _NORMALISATION or (part and _is_matrix(value))):
            raise UnsupportedError(
                f"{said} lies in a struct beside the weights, and may be a part of the network or "
                "of another one; save one network, or choose a struct with --part"
            )
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, MatObject):
                passed = each.kind != "string" and not speaks_of_activations(last)
                if weights and passed:
                    continue
                raise UnsupportedError(
                    f"{said} is an object of the MATLAB class {each.kind}, which only MATLAB can "
                    "read; there: exportONNXNetwork(net, 'net.onnx'), or save matrices and "
                    "character arrays: save('net.mat', 'W', 'b', 'act_fcns', '-v7')"
                )
            if isinstance(each, MatUnread) and each.what == "a function handle":
                if not speaks_of_others(last):
                    raise UnsupportedError(
                        f"{said} is a function handle, which may be an activation; save its name "
                        "as a character array: act_fcns = 'relu'"
                    )
            elif isinstance(each, (MatUnread, bool)) and part:
                what = each.what if isinstance(each, MatUnread) else "a logical value"
                raise UnsupportedError(
                    f"{said} is {what}; expected numbers: save it as {last} = full(double({last}))"
                )


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
    says: Stated | None,
) -> Network:
    chosen, told = layer_activations(options, len(pairs), stated=says)
    chain = Chain(pairs[0].weight.shape[1])
    minus = np.array(-1.0)
    if "X_mean" in stated:
        chain.shift(multiply(_row(stated, "X_mean", chain.width), minus))
    if "X_std" in stated:
        chain.scale(_inverse(_row(stated, "X_std", chain.width)), "X_std")
    for k, pair in enumerate(pairs):
        chain.linear(pair.weight, pair.bias, pair.key)
        if chosen[k] is not LINEAR:
            record_activation(chain, chosen[k], pair.key)
    if "Y_std" in stated:
        chain.scale(_row(stated, "Y_std", chain.width), pairs[-1].key)
    if "Y_mean" in stated:
        chain.shift(_row(stated, "Y_mean", chain.width))
    notes += [*told, f"the normalisation {', '.join(stated)} was folded exactly"]
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
