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
from polyrank.network.formats.activations import Activation
from polyrank.network.formats.dense import DenseStep, UnitSlopes, check_chain, dense_network
from polyrank.network.formats.layer_activations import layer_activations
from polyrank.network.formats.module_names import (
    check_one_network,
    closed_joints,
    natural,
    part_of,
    rank_in_chain,
    skeleton,
)
from polyrank.network.formats.options import LoadOptions
from polyrank.network.formats.stated import Stated, words_of
from polyrank.network.normal_form import Network
from polyrank.network.rational import RationalArray

__all__ = [
    "ArrayPair",
    "chosen_part",
    "names_a_role",
    "network_from_arrays",
    "network_from_pairs",
    "pair_arrays",
]

_ROLE = re.compile(
    r"(?P<prefix>|.*?[._/:\- ]|.*?(?=weight|kernel|bias))"
    r"(?P<role>weights?|kernel|bias(?:es)?|coefs?_?|intercepts?_?|W|w|b|B)"
    r"(?P<suffix>[._/:\- ]?\d*)(?::0)?"
)
_OWN = re.compile(r"(?P<role>W|b|slope_neg|slope_pos)(?P<index>\d+)")
_SEARCH_STEPS = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class ArrayPair:
    """A weight ``(out, in)`` and its bias ``(out,)``, with the key that they share.

    ``module`` is the dotted name of the module that held them; empty if names tell of none.
    """

    key: str
    weight: NDArray[Any]
    bias: NDArray[Any] | None
    module: str = ""


def network_from_arrays(
    arrays: Mapping[str, NDArray[Any]],
    options: LoadOptions,
    *,
    name: str,
    ordered: bool,
    notes: Sequence[str] = (),
    stated: Stated | None = None,
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
    stated : Stated, optional
        The activations that the file names.

    Raises
    ------
    FormatError
        If the arrays are several networks and ``options.part`` names none of them.
    NetworkError, UnsupportedError
        If the arrays do not form a chain of dense layers.
    """
    if not arrays:
        raise FormatError("the file holds no arrays")
    pieces, said = chosen_part(arrays, options)
    said = [*notes, *said]
    if len(pieces) == 1 and all(_OWN.fullmatch(key) for key in pieces[0]):
        return _own_network(pieces[0], options, name, said, stated)
    pairs: list[ArrayPair] = []
    for piece in pieces:
        pairs += pair_arrays(piece, ordered=ordered)
    return network_from_pairs(pairs, options, name=name, notes=said, stated=stated)


def chosen_part(
    arrays: Mapping[str, NDArray[Any]], options: LoadOptions
) -> tuple[list[dict[str, NDArray[Any]]], list[str]]:
    """The arrays of the parts that ``options.part`` names (all, if none), and a note.

    Raises
    ------
    UnsupportedError
        If there is no such part.
    """
    if options.part is None:
        return [dict(arrays)], []
    layers = {key: _layer_key(key) for key in arrays}
    parts = part_of(list(dict.fromkeys(layers.values())), options.part)
    pieces = [{k: a for k, a in arrays.items() if layers[k] in part} for part in parts]
    used = {key for piece in pieces for key in piece}
    rest = list(dict.fromkeys(layers[k] for k in arrays if k not in used))
    left = f"; not read: {', '.join(rest[:8])}{', …' if len(rest) > 8 else ''}" if rest else ""
    return pieces, [f"read the part {options.part} as asked{left}"]


def names_a_role(key: str) -> bool:
    """Whether the name of an array ends as that of a weight or a bias does."""
    return _ROLE.fullmatch(key) is not None


def _is_table(name: str) -> bool:
    return bool(set(words_of(name)) & {"embedding", "embeddings", "embed", "emb", "lookup"})


def _layer_key(key: str) -> str:
    match = _ROLE.fullmatch(key)
    return key if match is None else _shared(match) or key


def _shared(match: re.Match[str]) -> str:
    return (match["prefix"] + match["suffix"]).strip("._/:- ")


def network_from_pairs(
    pairs: Sequence[ArrayPair],
    options: LoadOptions,
    *,
    name: str,
    notes: Sequence[str] = (),
    slopes: Mapping[int, UnitSlopes] | None = None,
    stated: Stated | None = None,
) -> Network:
    """The chain of dense layers of ordered pairs; activations as the file and the options say.

    Raises
    ------
    NetworkError
        If the shapes do not chain, an entry is not finite, or the options do not fit.
    """
    said = list(notes)
    acts: Sequence[Activation | UnitSlopes]
    check_chain([(pair.key, pair.weight.shape) for pair in pairs], parts=True)
    if slopes:
        if options.activation is not None or options.slope is not None:
            raise NetworkError("the file states its slopes: leave out --activation and --slope")
        if stated is not None and stated.names:
            raise NetworkError(f"the file states its slopes, and activations too ({stated.where})")
        acts = [slopes[k] for k in range(len(pairs))]
    else:
        closed, assumed = closed_joints([pair.module for pair in pairs])
        acts, told = layer_activations(options, len(pairs), stated=stated, closed=closed)
        said += told
        if (stated is None or not stated.names) and options.activation is None:
            said += assumed
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
    arrays: Mapping[str, NDArray[Any]],
    options: LoadOptions,
    name: str,
    notes: Sequence[str],
    stated: Stated | None,
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
    return network_from_pairs(pairs, options, name=name, notes=notes, slopes=slopes, stated=stated)


def pair_arrays(arrays: Mapping[str, NDArray[Any]], *, ordered: bool) -> list[ArrayPair]:
    """Pairs of weight and bias in the order of the layers.

    Names that end in weight, kernel, W or bias, b (``fc1.weight``, ``layers/0/bias``) are paired
    by what stands before. A ``kernel`` is ``(in, out)`` and is transposed, and so are the ``coefs``
    of scikit-learn, variables of TensorFlow (``fc/w:0``) and modules of Haiku
    (``mlp/~/linear_0/w``). If no name says its role (``arr_0``, ``arr_1``, …), matrices and vectors
    alternate as they lie in the file.

    The order is that of the numbers in the names if they differ in nothing else; otherwise that
    of the file if it has one; otherwise the only order in which the shapes chain.

    Raises
    ------
    UnsupportedError
        If an array has no place in a chain of dense layers (a convolution, batch norm, …).
    FormatError
        If a bias has no weight, a layer has two, the order is ambiguous, or the names are those
        of several networks.
    """
    roles = {key: _ROLE.fullmatch(key) for key in arrays}
    if not any(roles.values()):
        pairs = _alternating(arrays)
        _check_one(pairs, ordered=True, listed=True)
        return pairs
    weights: dict[str, NDArray[Any]] = {}
    biases: dict[str, NDArray[Any]] = {}
    modules: dict[str, str] = {}
    tables: list[str] = []
    # of scikit-learn's models only perceptrons have several, and theirs are (in, out)
    several = sum(m is not None and m["role"].startswith("coef") for m in roles.values()) > 1
    for key, array in arrays.items():
        match = roles[key]
        if match is None:
            layers = dict.fromkeys(_layer_key(k) for k in arrays if roles[k] is not None)
            check_one_network(list(layers), {})
            raise UnsupportedError(
                f"the array {key!r} of shape {array.shape} is neither a weight nor a bias of a "
                f"dense layer; export the whole network to ONNX, remove the array, or name the "
                "part beside it: --part"
            )
        is_weight = match["role"][0] in "wWkc"
        shared = _shared(match)
        numbered = any(letter.isdigit() for letter in match["suffix"])
        modules[shared] = "" if numbered else match["prefix"].strip("._/:- ")
        table = weights if is_weight else biases
        if shared in table:
            raise FormatError(f"the layer {shared!r} has two of {match['role']}")
        if is_weight and array.ndim != 2:
            check_one_network(list(dict.fromkeys(map(_layer_key, arrays))), {})
            raise UnsupportedError(
                f"the weight {key!r} has shape {array.shape}: only dense layers (out, in) can be "
                f"read from weights alone; export the whole network to ONNX, or name the part "
                "beside it: --part"
            )
        if is_weight and shared not in biases and _is_table(shared):
            tables.append(shared)
        turned = (
            match["role"] == "kernel"
            or (match["role"].startswith("coef") and several)
            or key.endswith(":0")  # a variable of TensorFlow
            or "/~/" in key  # a module of Haiku
        )
        table[shared] = array.T if turned else array
    if tables := [shared for shared in tables if shared not in biases]:
        raise UnsupportedError(
            f"{tables[0]!r} is by its name a table of vectors, of which an index chooses one: the "
            "network takes no real numbers there; export what follows it, or choose it with --part"
        )
    for shared in biases:
        if shared not in weights:
            raise FormatError(f"the bias of {shared!r} has no weight")
    pairs = [
        ArrayPair(
            shared or "weight",
            weight,
            _flat(biases[shared]) if shared in biases else None,
            modules[shared],
        )
        for shared, weight in weights.items()
    ]
    _check_one(pairs, ordered=ordered)
    return _in_order(pairs, ordered=ordered)


def _check_one(pairs: Sequence[ArrayPair], *, ordered: bool, listed: bool = False) -> None:
    keys = [pair.key for pair in pairs]
    shapes = {pair.key: (pair.weight.shape[1], pair.weight.shape[0]) for pair in pairs}
    in_order = keys if ordered else sorted(keys, key=natural)
    check_one_network(in_order, shapes, listed=listed)


def _alternating(arrays: Mapping[str, NDArray[Any]]) -> list[ArrayPair]:
    pairs: list[ArrayPair] = []
    items = sorted(arrays.items(), key=lambda item: natural(item[0]))
    if len({skeleton(key) for key in arrays}) != 1:
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
    if len({skeleton(pair.key) for pair in pairs}) == 1:
        return sorted(pairs, key=lambda pair: natural(pair.key))
    if ordered:
        return pairs
    runs: dict[str, list[ArrayPair]] = {}
    for pair in pairs:
        runs.setdefault(skeleton(pair.key), []).append(pair)
    units = [sorted(run, key=lambda pair: natural(pair.key)) for run in runs.values()]
    places = [rank_in_chain(unit[0].key) for unit in units]
    if None not in places and len(set(places)) == len(places):
        units.sort(key=lambda unit: rank_in_chain(unit[0].key) or 0)
        return [pair for unit in units for pair in unit]
    chains = _chains(units)
    if len(chains) == 1:
        return [pair for unit in chains[0] for pair in unit]
    names = ", ".join(pair.key for pair in pairs)
    raise FormatError(
        f"the order of the layers {names} is "
        + ("ambiguous" if chains else "not found: their shapes do not chain")
        + "; number them (W0, b0, W1, b1, …)"
    )


def _chains(units: Sequence[list[ArrayPair]]) -> list[list[list[ArrayPair]]]:
    """Up to two orders in which all shapes chain (two mean: ambiguous)."""
    found: list[list[list[ArrayPair]]] = []
    stack: list[list[int]] = [[i] for i in reversed(range(len(units)))]
    for _ in range(_SEARCH_STEPS):
        if not stack or len(found) == 2:
            return found
        chain = stack.pop()
        if len(chain) == len(units):
            found.append([units[i] for i in chain])
            continue
        width = units[chain[-1]][-1].weight.shape[0]
        stack.extend(
            [*chain, i]
            for i in reversed(range(len(units)))
            if i not in chain and units[i][0].weight.shape[1] == width
        )
    return [list(units), list(units)]  # too many to try: as good as ambiguous


def _flat(bias: NDArray[Any]) -> NDArray[Any]:
    """A bias stored as one row or one column, as a vector."""
    return bias.reshape(-1) if bias.ndim == 2 and 1 in bias.shape else bias
