"""Which arrays of a file are the weight and the bias of which layer, by their names and shapes.

Formats that store named arrays and nothing else (npz, safetensors, torch state dicts) share the
rules of this module. An array that has no place in a dense network is refused by name: dropping
it could change the function.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats.activations import LINEAR, Activation, hidden_activations
from polyrank.network.formats.dense import DenseStep, UnitSlopes, dense_network
from polyrank.network.formats.options import LoadOptions
from polyrank.network.normal_form import Network
from polyrank.network.rational import RationalArray

__all__ = ["ArrayPair", "network_from_arrays", "network_from_pairs", "pair_arrays"]

_ROLE = re.compile(
    r"(?P<prefix>|.*?[._/:\- ]|.*?(?=weight|kernel|bias))"
    r"(?P<role>weights?|kernel|bias(?:es)?|W|w|b|B)(?P<suffix>[._/:\- ]?\d*)(?::0)?"
)
_OWN = re.compile(r"(?P<role>W|b|slope_neg|slope_pos)(?P<index>\d+)")
_SEARCH_STEPS = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class ArrayPair:
    """A weight ``(out, in)`` and its bias ``(out,)``, with the key that they share."""

    key: str
    weight: NDArray[Any]
    bias: NDArray[Any] | None


def network_from_arrays(
    arrays: Mapping[str, NDArray[Any]],
    options: LoadOptions,
    *,
    name: str,
    ordered: bool,
    notes: Sequence[str] = (),
) -> Network:
    """The network that named arrays describe.

    Keys ``W0, b0, W1, b1, …`` (from 0 or 1; with optional ``slope_neg0, slope_pos0, …``, as
    ``polyrank convert`` writes them) are read as they say. Other names go to
    :func:`pair_arrays`.

    Parameters
    ----------
    arrays : mapping
        Numeric arrays by name, in the order of the file.
    options : LoadOptions
    name : str
        Of the network.
    ordered : bool
        Whether the order of the arrays in the file means anything.
    notes : sequence of str
        Sentences to put before this function's own.

    Raises
    ------
    NetworkError, UnsupportedError
        If the arrays do not form a chain of dense layers.
    """
    if not arrays:
        raise FormatError("the file holds no arrays")
    matches = {key: _OWN.fullmatch(key) for key in arrays}
    if all(matches.values()):
        return _own_network(arrays, options, name, notes)
    pairs = pair_arrays(arrays, ordered=ordered)
    return network_from_pairs(pairs, options, name=name, notes=notes)


def network_from_pairs(
    pairs: Sequence[ArrayPair],
    options: LoadOptions,
    *,
    name: str,
    notes: Sequence[str] = (),
    slopes: Mapping[int, UnitSlopes] | None = None,
) -> Network:
    """The chain of dense layers of ordered pairs; activations as the options say.

    Raises
    ------
    NetworkError
        If the shapes do not chain, an entry is not finite, or the options do not fit.
    """
    said = list(notes)
    acts: list[Activation | UnitSlopes]
    if slopes:
        if options.activation is not None or options.slope is not None:
            raise NetworkError("the file states its slopes: leave out --activation and --slope")
        acts = [slopes[k] for k in range(len(pairs))]
    else:
        hidden, note = hidden_activations(options, len(pairs) - 1)
        acts = [*hidden, LINEAR]
        said.append(note)
    steps = []
    for pair, act in zip(pairs, acts, strict=True):
        if pair.bias is None:
            said.append(f"{pair.key} has no bias: taken as zero")
        steps.append(
            DenseStep(
                pair.key,
                _exact(pair.weight, f"{pair.key}, weight"),
                None if pair.bias is None else _exact(pair.bias, f"{pair.key}, bias"),
                act,
            )
        )
    return dense_network(steps, name=name, notes=said)


def _exact(array: NDArray[Any], what: str) -> RationalArray:
    try:
        return RationalArray.from_floats(array)
    except NetworkError as problem:
        raise NetworkError(f"{what}: {problem}") from None


def _own_network(
    arrays: Mapping[str, NDArray[Any]], options: LoadOptions, name: str, notes: Sequence[str]
) -> Network:
    found: dict[str, dict[int, NDArray[Any]]] = {"W": {}, "b": {}, "slope_neg": {}, "slope_pos": {}}
    for key, array in arrays.items():
        match = _OWN.fullmatch(key)
        if match is not None:
            found[match["role"]][int(match["index"])] = array
    weights = found["W"]
    if not weights:
        raise FormatError("there is no W0: expected W0, b0, W1, b1, …")
    first = min(weights)
    if first > 1:
        raise FormatError(f"the weights start at W{first}: expected W0 (or W1)")
    for index in range(first, first + len(weights)):
        if index not in weights:
            raise FormatError(f"W{index} is missing: the file has W{first} to W{max(weights)}")
    for role in ("b", "slope_neg", "slope_pos"):
        for index in found[role]:
            if index not in weights:
                raise FormatError(f"{role}{index} has no W{index}")
    slopes: dict[int, UnitSlopes] = {}
    if found["slope_neg"] or found["slope_pos"]:
        for index in weights:
            for role in ("slope_neg", "slope_pos"):
                if index not in found[role]:
                    raise FormatError(f"{role}{index} is missing: slopes are given for all layers")
            slopes[index - first] = UnitSlopes(
                _exact(found["slope_neg"][index], f"slope_neg{index}"),
                _exact(found["slope_pos"][index], f"slope_pos{index}"),
            )
    pairs = [
        ArrayPair(f"W{k}", weights[k], None if k not in found["b"] else _flat(found["b"][k]))
        for k in sorted(weights)
    ]
    return network_from_pairs(pairs, options, name=name, notes=notes, slopes=slopes)


def pair_arrays(arrays: Mapping[str, NDArray[Any]], *, ordered: bool) -> list[ArrayPair]:
    """Pairs of weight and bias in the order of the layers.

    Names that end in weight, kernel, W or bias, b (``fc1.weight``, ``layers/0/bias``) are paired
    by what stands before; a ``kernel`` is ``(in, out)`` and is transposed. If no name says its
    role (``arr_0``, ``arr_1``, …), matrices and vectors alternate as they lie in the file.

    The order is that of the numbers in the names if they differ in nothing else; otherwise that
    of the file if it has one; otherwise the only order in which the shapes chain.

    Raises
    ------
    UnsupportedError
        If an array has no place in a chain of dense layers (a convolution, batch norm, …).
    FormatError
        If a bias has no weight, a layer has two, or the order is ambiguous.
    """
    roles = {key: _ROLE.fullmatch(key) for key in arrays}
    if not any(roles.values()):
        return _alternating(arrays)
    weights: dict[str, NDArray[Any]] = {}
    biases: dict[str, NDArray[Any]] = {}
    for key, array in arrays.items():
        match = roles[key]
        if match is None:
            raise UnsupportedError(
                f"the array {key!r} of shape {array.shape} is neither a weight nor a bias of a "
                f"dense layer; export the whole network to ONNX, or remove the array"
            )
        is_weight = match["role"][0] in "wWk"
        shared = (match["prefix"] + match["suffix"]).strip("._/:- ")
        table = weights if is_weight else biases
        if shared in table:
            raise FormatError(f"the layer {shared!r} has two of {match['role']}")
        if is_weight and array.ndim != 2:
            raise UnsupportedError(
                f"the weight {key!r} has shape {array.shape}: only dense layers (out, in) can be "
                f"read from weights alone; export the whole network to ONNX"
            )
        table[shared] = array.T if match["role"] == "kernel" else array
    for shared in biases:
        if shared not in weights:
            raise FormatError(f"the bias of {shared!r} has no weight")
    pairs = [
        ArrayPair(shared or "weight", weight, _flat(biases[shared]) if shared in biases else None)
        for shared, weight in weights.items()
    ]
    return _in_order(pairs, ordered=ordered)


def _alternating(arrays: Mapping[str, NDArray[Any]]) -> list[ArrayPair]:
    pairs: list[ArrayPair] = []
    items = sorted(arrays.items(), key=lambda item: _natural(item[0]))
    if len({_skeleton(key) for key in arrays}) != 1:
        items = list(arrays.items())
    for key, array in items:
        if array.ndim == 2:
            pairs.append(ArrayPair(key, array, None))
        elif array.ndim == 1 and pairs and pairs[-1].bias is None:
            pairs[-1] = ArrayPair(pairs[-1].key, pairs[-1].weight, array)
        else:
            raise UnsupportedError(
                f"the array {key!r} of shape {array.shape} has no place: expected a matrix "
                f"(out, in) followed by its bias (out,), and so on"
            )
    return pairs


def _in_order(pairs: list[ArrayPair], *, ordered: bool) -> list[ArrayPair]:
    if len({_skeleton(pair.key) for pair in pairs}) == 1:
        return sorted(pairs, key=lambda pair: _natural(pair.key))
    if ordered:
        return pairs
    chains = _chains(pairs)
    if len(chains) == 1:
        return chains[0]
    names = ", ".join(pair.key for pair in pairs)
    raise FormatError(
        f"the order of the layers {names} is "
        + ("ambiguous" if chains else "not found: their shapes do not chain")
        + "; number them (W0, b0, W1, b1, …)"
    )


def _chains(pairs: Sequence[ArrayPair]) -> list[list[ArrayPair]]:
    """Up to two orders in which all shapes chain (two mean: ambiguous)."""
    found: list[list[ArrayPair]] = []
    stack: list[list[int]] = [[i] for i in reversed(range(len(pairs)))]
    for _ in range(_SEARCH_STEPS):
        if not stack or len(found) == 2:
            return found
        chain = stack.pop()
        if len(chain) == len(pairs):
            found.append([pairs[i] for i in chain])
            continue
        width = pairs[chain[-1]].weight.shape[0]
        stack.extend(
            [*chain, i]
            for i in reversed(range(len(pairs)))
            if i not in chain and pairs[i].weight.shape[1] == width
        )
    return [list(pairs), list(pairs)]  # too many to try: as good as ambiguous


def _flat(bias: NDArray[Any]) -> NDArray[Any]:
    """A bias stored as one row or one column, as a vector."""
    return bias.reshape(-1) if bias.ndim == 2 and 1 in bias.shape else bias


def _natural(key: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", key)]


def _skeleton(key: str) -> str:
    return re.sub(r"\d+", "#", key)
