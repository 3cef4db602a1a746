"""``.json``: the one format that writes any normal form, fractions included, as readable text.

Schema::

    {"name": "optional", "notes": ["optional"],
     "layers": [{"weight": [[1, "1/3"], [0.5, -2]], "bias": [0, "0.1"],
                 "activation": "relu", "name": "optional"}, ...]}

* A JSON number is the float64 nearest to its text; a string is exact: ``"p/q"``, an integer or a
  decimal (``"0.1"`` is 1/10).
* ``weight`` is (out, in), one list per unit. ``bias`` may be left out: zero.
* ``activation``: relu, leaky_relu (with ``"slope"``), prelu (``"slope"`` may be a list, one per
  unit), abs, linear, hardtanh, relu6, hard_sigmoid. In its place ``"slope_neg"`` and
  ``"slope_pos"`` may list the two slopes of every unit. If a layer says none of these, the caller's
  activation applies (ReLU by default, none on the last layer).
* ``{"W0": [[...]], "b0": [...], "W1": ...}`` is short for layers without activations, and so is
  ``{"weights": [[[...]], ...], "biases": [[...], ...]}``.
* Beside the layers, ``"activation"`` (a name, or one for each layer) and ``"output_activation"``
  are believed where layers say nothing themselves.
* ``{"actor": {...}, "critic": {...}}`` holds several networks; the caller chooses one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from flint import fmpq

from polyrank.errors import FormatError, NetworkError
from polyrank.network.formats.activations import (
    FINAL_ACTIVATIONS,
    LINEAR,
    Activation,
    activation,
    normalised,
)
from polyrank.network.formats.dense import DenseStep, UnitSlopes, dense_network
from polyrank.network.formats.layer_activations import hidden_activations, layer_activations
from polyrank.network.formats.options import LoadOptions
from polyrank.network.formats.source import read_text, unique_keys
from polyrank.network.formats.stated import Stated, speaks_of_activations, stated_activations
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray, fmpq_from_float, nearest_float

__all__ = ["read", "write"]

_MAX_BYTES = 1 << 26  # Python's objects take some twenty times as much
_KEYS = {"name", "notes", "layers"}
_LAYER_KEYS = {"name", "weight", "bias", "activation", "slope", "slope_neg", "slope_pos"}
_SHORT = re.compile(r"([Wb])(0|[1-9]\d{0,5})")


def read(path: Path, options: LoadOptions) -> Network:
    """Read a network from a ``.json`` file of the schema above.

    Raises
    ------
    FormatError
        If the file is missing, not JSON, or does not follow the schema.
    NetworkError, UnsupportedError
        If shapes do not chain, a number is not finite or an activation is not piecewise linear.
    """
    text = read_text(path, max_bytes=_MAX_BYTES)
    try:
        document = json.loads(text, parse_int=float, object_pairs_hook=unique_keys)
    except RecursionError:
        raise FormatError("the JSON is nested too deeply") from None
    except ValueError as problem:
        raise FormatError(f"not JSON: {problem}") from None
    if not isinstance(document, dict):
        raise FormatError('expected a JSON object with "layers", or with "W0", "b0", …')
    document = _chosen(document, options.part)
    own = _KEYS | {"weights", "biases"}
    beside = {k: v for k, v in document.items() if k not in own and not _SHORT.fullmatch(k)}
    stated = stated_activations(beside)
    used = () if stated is None or not stated.sure else stated.keys
    document = {
        k: v
        for k, v in document.items()
        if k not in used and not (v is None and speaks_of_activations(k))
    }
    if "layers" not in document and any(_SHORT.fullmatch(key) for key in document):
        document = {"layers": _long_form(document)}
    elif "layers" not in document and isinstance(document.get("weights"), list):
        document = _from_lists(document)
    if unknown := sorted(document.keys() - _KEYS):
        raise FormatError(f"unknown key {unknown[0]!r}: expected {', '.join(sorted(_KEYS))}")
    layers = document.get("layers")
    if not isinstance(layers, list) or not layers:
        raise FormatError('"layers" must be a list of at least one layer')
    notes = document.get("notes", [])
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise FormatError('"notes" must be a list of strings')
    name = document.get("name", path.stem)
    if not isinstance(name, str):
        raise FormatError('"name" must be a string')
    said = list(notes)
    return dense_network(_steps(layers, options, stated, said), name=name, notes=said)


def _is_network(value: Any) -> bool:
    return isinstance(value, dict) and bool({"layers", "weights", "W0", "W1"} & value.keys())


def _chosen(document: dict[str, Any], part: str | None) -> dict[str, Any]:
    """The network that the caller names, if the document holds several by name."""
    inner = {key: value for key, value in document.items() if _is_network(value)}
    if part is not None:
        if part not in inner:
            known = ", ".join(inner) or "no parts"
            raise FormatError(f"the file has no part {part!r}; it has {known}")
        return dict(inner[part])
    if inner and not _is_network(document):
        if len(inner) > 1:
            raise FormatError(
                f"the file holds several sets of weights, {', '.join(inner)}: choose one with "
                f"--part, say --part {next(iter(inner))}"
            )
        (only,) = inner.values()
        return {**{k: v for k, v in document.items() if k not in inner}, **only}
    return document


def _from_lists(document: dict[str, Any]) -> dict[str, Any]:
    """``{"weights": […], "biases": […]}`` as a list of layers."""
    weights, biases = document.pop("weights"), document.pop("biases", None)
    if biases is not None and (not isinstance(biases, list) or len(biases) != len(weights)):
        raise FormatError(f'"biases" must be a list of {len(weights)} vectors, one for each weight')
    layers = [{"weight": weight} for weight in weights]
    for layer, bias in zip(layers, biases or [], strict=False):
        layer["bias"] = bias
    return {**document, "layers": layers}


def _steps(
    layers: list[Any], options: LoadOptions, stated: Stated | None, notes: list[str]
) -> list[DenseStep]:
    """The layers; what was assumed is appended to the notes."""
    silent = [k for k, layer in enumerate(layers) if isinstance(layer, dict) and _silent(layer)]
    hidden = [k for k in silent if k < len(layers) - 1]
    defaults: dict[int, Activation] = dict.fromkeys(silent, LINEAR)
    if stated is not None:
        if len(silent) != len(layers):
            raise FormatError(
                f"the activations are stated twice: beside the layers ({stated.where}) and in them"
            )
        chosen, told = layer_activations(options, len(layers), stated=stated)
        defaults = dict(enumerate(chosen))
        notes += told
    elif hidden or options.activation is not None or options.slope is not None:
        if not hidden:
            raise NetworkError("the file states its activations: leave out --activation, --slope")
        chosen, (note, *_) = hidden_activations(options, len(hidden))
        defaults |= dict(zip(hidden, chosen, strict=True))
        notes.append(note if len(hidden) == len(layers) - 1 else f"where it is silent, {note}")
    steps = []
    for k, layer in enumerate(layers):
        what = f"layer {k + 1}"
        if not isinstance(layer, dict) or "weight" not in layer:
            raise FormatError(f'{what} must be an object with a "weight"')
        if unknown := sorted(layer.keys() - _LAYER_KEYS):
            raise FormatError(f"{what} has an unknown key {unknown[0]!r}")
        weight = _matrix(layer["weight"], f"{what}, weight")
        bias = _vector(layer["bias"], f"{what}, bias") if "bias" in layer else None
        act = defaults.get(k) or _activation(
            layer,
            what,
            weight.shape[0],
            cut=options.cut_final and k == len(layers) - 1,
            notes=notes,
        )
        name = layer.get("name", what)
        if not isinstance(name, str):
            raise FormatError(f"{what}: the name must be a string")
        steps.append(DenseStep(name, weight, bias, act))
    return steps


def _silent(layer: dict[str, Any]) -> bool:
    return not layer.keys() & {"activation", "slope", "slope_neg", "slope_pos"}


def _activation(
    layer: dict[str, Any], what: str, units: int, *, cut: bool, notes: list[str]
) -> Activation | UnitSlopes:
    stated = layer.keys() & {"activation", "slope", "slope_neg", "slope_pos"}
    if stated == {"slope_neg", "slope_pos"}:
        return UnitSlopes(
            _vector(layer["slope_neg"], f"{what}, slope_neg"),
            _vector(layer["slope_pos"], f"{what}, slope_pos"),
        )
    name = layer.get("activation")
    if not isinstance(name, str) or stated - {"activation", "slope"}:
        raise FormatError(
            f'{what} needs "activation" (and "slope"), or both "slope_neg" and "slope_pos"'
        )
    if cut and normalised(name) in FINAL_ACTIVATIONS:
        notes.append(f"{what}: the final {name} was cut off")
        return LINEAR
    slope = layer.get("slope")
    if isinstance(slope, list):
        activation(name, 1.0)  # refuses an activation without a slope
        pos = RationalArray.from_rationals([1] * units, (units,))
        return UnitSlopes(_vector(slope, f"{what}, slope"), pos)
    if slope is not None and (isinstance(slope, bool) or not isinstance(slope, (float, str))):
        raise FormatError(f"{what}: the slope must be a number, a string or a list of them")
    try:
        return activation(name, slope)
    except NetworkError as problem:
        raise type(problem)(f"{what}: {problem}") from None


def _long_form(document: dict[str, Any]) -> list[dict[str, Any]]:
    """``{"W0": …, "b0": …}`` as a list of layers."""
    found: dict[int, dict[str, Any]] = {}
    for key, value in document.items():
        match = _SHORT.fullmatch(key)
        if match is None:
            raise FormatError(f"unknown key {key!r} beside W0, b0, …")
        found.setdefault(int(match[2]), {})["weight" if match[1] == "W" else "bias"] = value
    first = min(found)
    layers = []
    for index in range(first, first + len(found)):
        if first > 1 or "weight" not in found.get(index, {}):
            raise FormatError(f"W{min(index, 1) if first > 1 else index} is missing")
        layers.append({"name": f"W{index}", **found[index]})
    return layers


def _matrix(rows: Any, what: str) -> RationalArray:
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
        raise FormatError(f"{what}: expected a list of rows")
    cols = len(rows[0])
    for i, row in enumerate(rows):
        if len(row) != cols:
            raise FormatError(f"{what}: row {i} has {len(row)} entries, row 0 has {cols}")
    return _exact([entry for row in rows for entry in row], (len(rows), cols), what)


def _vector(entries: Any, what: str) -> RationalArray:
    if not isinstance(entries, list):
        raise FormatError(f"{what}: expected a list of numbers")
    return _exact(entries, (len(entries),), what)


def _exact(entries: list[Any], shape: tuple[int, ...], what: str) -> RationalArray:
    for entry in entries:
        if not isinstance(entry, (float, str)):
            raise FormatError(f"{what}: {str(entry)[:40]!r} is not a number or a string")
    try:
        if str not in map(type, entries):
            return RationalArray.from_floats(np.array(entries, dtype=np.float64).reshape(shape))
        return RationalArray.from_rationals(entries, shape)
    except (ValueError, NetworkError) as problem:
        raise NetworkError(f"{what}: {problem}") from None


def write(network: Network, path: Path) -> None:
    """Write any normal form exactly: float64 numbers as JSON numbers, others as ``"p/q"``."""
    notes = [str(note) for note in network.source.get("notes", ())]
    head = {"name": network.name, "notes": notes}
    with path.open("w", encoding="utf-8") as stream:
        stream.write(f'{json.dumps(head, ensure_ascii=False, indent=1)[:-2]},\n "layers": [')
        for k, layer in enumerate(network.layers):
            stream.write(",\n" if k else "\n")
            stream.writelines(_layer_text(layer))
        stream.write("\n]}\n")


def _layer_text(layer: Layer) -> Iterator[str]:
    """One layer as JSON, row by row: a long text in one call would not hear Ctrl-C."""
    yield f'{{"name": {json.dumps(layer.name, ensure_ascii=False)}, "weight": ['
    for i, row in enumerate(_rows(layer.weight)):
        yield (", " if i else "") + json.dumps(row)
    record: dict[str, Any] = {"bias": _numbers(layer.bias)}
    slopes = set(layer.slopes_exact)
    one, zero = fmpq(1), fmpq(0)
    if len(slopes) == 1 and (pair := next(iter(slopes)))[1] == one:
        names = {zero: "relu", one: "linear", -one: "abs"}
        record["activation"] = names.get(pair[0], "leaky_relu")
        if record["activation"] == "leaky_relu":
            record["slope"] = _numbers(layer.slope_neg)[0]
    else:
        record["slope_neg"] = _numbers(layer.slope_neg)
        record["slope_pos"] = _numbers(layer.slope_pos)
    yield "], " + json.dumps(record)[1:]


def _rows(matrix: RationalArray) -> Iterator[list[float | str]]:
    if matrix.is_float:
        yield from (row.tolist() for row in matrix.approx)
        return
    flat, cols = _numbers(matrix), matrix.shape[1]
    yield from (flat[k : k + cols] for k in range(0, len(flat), cols))


def _numbers(array: RationalArray) -> list[float | str]:
    if array.is_float:
        return list(array.approx.ravel().tolist())
    return [
        near if fmpq_from_float(near := nearest_float(v)) == v else str(v) for v in array.entries()
    ]
