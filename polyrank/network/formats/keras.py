"""``.keras`` and ``.h5`` files of Keras 2 and 3: Sequential and functional models of dense layers.

Dense, ReLU, LeakyReLU, PReLU, Activation, BatchNormalization, Rescaling, Flatten, Reshape, Dropout,
Add, Subtract and Concatenate are read; anything else is refused by name with the line of Python
that exports the model to ONNX. Numbers of the configuration are the float64 that their text stands
for. Neither Keras nor h5py is needed, and no code in the file (Lambda layers, custom objects) is
looked at.
"""

from __future__ import annotations

import json
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats.keras_hdf5 import Group, open_hdf5
from polyrank.network.formats.keras_layers import EXPORT, PACKAGES, LayerConfig, Recorder
from polyrank.network.formats.keras_weights import weights_by_name, weights_by_place
from polyrank.network.formats.options import LoadOptions
from polyrank.network.formats.source import (
    brief,
    check_shape,
    checked_file,
    unique_keys,
    zip_members,
)
from polyrank.network.lowering import Affine, Tape
from polyrank.network.lowering.affine import check_size
from polyrank.network.normal_form import Network

__all__ = ["read"]

_MAX_BYTES, _MAX_CONFIG = 2**31, 2**26
_DEEPEST = 32
_BROKEN = (
    OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError, EOFError,
    IndexError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_DAMAGED = (KeyError, TypeError, AttributeError, ValueError, IndexError, OverflowError)


def read(path: Path, options: LoadOptions) -> Network:
    """The network of a ``.keras`` or ``.h5`` file.

    Parameters
    ----------
    path : Path
    options : LoadOptions
        ``cut_final`` is used; the file itself states the activations.

    Raises
    ------
    FormatError
        If the file is missing, empty, truncated or damaged, or holds weights only.
    UnsupportedError
        If the model has a layer that is not read, by name.
    """
    checked_file(path, max_bytes=_MAX_BYTES)
    try:
        if zipfile.is_zipfile(path):
            config, version, data = _unzipped(path)
            _check_depth(config)
            weights = weights_by_place(open_hdf5(data), _layer_list(config))
        else:
            root = open_hdf5(path.read_bytes())
            text = root.attributes.get("model_config")
            arrays = root.child("model_weights") if "model_weights" in root else None
            if not isinstance(text, str) or not isinstance(arrays, Group):
                raise FormatError(
                    "the file holds weights only, without the model; in Python: "
                    "model.save('model.keras')"
                )
            config = _parsed(text)
            _check_depth(config)
            version = str(root.attributes.get("keras_version", "2"))
            weights = weights_by_name(arrays)
    except NetworkError:
        raise
    except _BROKEN as error:
        raise FormatError(f"the Keras file is damaged: {brief(error)}") from None
    old = version.partition(".")[0] in {"1", "2"}
    try:
        return _network(config, weights, options, path.stem, old=old)
    except _DAMAGED as error:
        raise FormatError(f"the configuration of the model is damaged: {brief(error)}") from None


def _unzipped(path: Path) -> tuple[Mapping[str, Any], str, bytes]:
    with zipfile.ZipFile(path) as archive:
        entries = zip_members(archive)
        for name in ("config.json", "model.weights.h5"):
            if name not in entries:
                raise FormatError(f"the archive has no {name}")
        for info in entries.values():
            small = info.file_size <= max(2**24, 200 * info.compress_size)
            if not small or info.file_size > _MAX_BYTES:
                raise FormatError(
                    f"{info.filename!r} unpacks to {info.file_size} bytes: a zip bomb"
                )
        if entries["config.json"].file_size > _MAX_CONFIG:
            raise FormatError("config.json is larger than 64 MB")
        config = _parsed(archive.read("config.json").decode("utf-8"))
        version = "3"
        if "metadata.json" in entries and entries["metadata.json"].file_size < 2**20:
            metadata = _parsed(archive.read("metadata.json").decode("utf-8"))
            version = str(metadata.get("keras_version", "3"))
        return config, version, archive.read("model.weights.h5")


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the configuration is not JSON: {str(error)[:100]}") from None
    if not isinstance(found, Mapping):
        raise FormatError("the configuration is not a JSON object")
    return found


def _check_depth(config: Any) -> None:
    """Refuse models inside of models without end, before anything walks through them."""
    waiting = [(config, 0)]
    while waiting:
        entry, depth = waiting.pop()
        if depth > _DEEPEST:
            raise FormatError(f"models are nested deeper than {_DEEPEST}")
        body = entry.get("config") if isinstance(entry, Mapping) else None
        inner = body.get("layers") if isinstance(body, Mapping) else body
        if isinstance(inner, list):
            waiting += [(layer, depth + 1) for layer in inner]


def _check_origin(entry: Mapping[str, Any]) -> None:
    """Refuse a class of somebody else's that has the name of one of Keras.

    Raises
    ------
    UnsupportedError
        If the file says that its Python code lies outside of Keras, or that it is an operation of
        ``keras.ops``, whose arguments are others than those of the layer of its name.
    """
    kind, module, known = (entry.get(k) for k in ("class_name", "module", "registered_name"))
    parts = str(module).split(".")
    outside = module is not None and (parts[0] not in PACKAGES or "ops" in parts)
    if outside or known not in (None, kind):
        raise UnsupportedError(
            f"the {kind} of {module if outside else known!r} is not the layer of Keras that is "
            f"called so; {EXPORT}"
        )


def _layer_list(config: Mapping[str, Any]) -> list[Any]:
    kind = config.get("class_name")
    if kind not in {"Sequential", "Functional", "Model"}:
        raise UnsupportedError(
            f"the model is a {kind}, whose Python code decides what it computes; {EXPORT}"
        )
    _check_origin(config)
    body = config["config"]
    layers = body if isinstance(body, list) else body["layers"]  # a plain list before Keras 2.2
    if not isinstance(layers, list) or not layers:
        raise FormatError("the model has no layers")
    return layers


def _network(
    config: Mapping[str, Any],
    weights: Mapping[str, list[Any]],
    options: LoadOptions,
    name: str,
    *,
    old: bool,
) -> Network:
    shape = _input_shape(config, weights)
    check_shape(shape, "the input")
    size = math.prod(shape)
    check_size(size, "the input")
    if size == 0:
        raise FormatError("the model has no inputs")
    recorder = Recorder(Tape(size), weights, old=old)
    start = Affine.variables(0, shape)
    result = _model(recorder, config, start, cut=options.cut_final)
    layers = recorder.tape.lower(result, "output")
    return Network(layers, name, {"notes": recorder.notes})


def _flattened(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for layer in _layer_list(config):
        if isinstance(layer["config"], Mapping) and "layers" in layer["config"]:
            yield from _flattened(layer)
        else:
            yield layer


def _input_shape(config: Mapping[str, Any], weights: Mapping[str, list[Any]]) -> tuple[int, ...]:
    for layer in _flattened(config):
        inner = layer["config"]
        built = layer.get("build_config") or {}
        for stated in (
            inner.get("batch_shape"), inner.get("batch_input_shape"), built.get("input_shape"),
        ):  # fmt: skip
            if isinstance(stated, list) and len(stated) > 1:
                if not all(type(n) is int and n > 0 for n in stated[1:]):
                    raise UnsupportedError(
                        f"the input has the shape {stated}; only the batch may be open"
                    )
                return tuple(stated[1:])
        arrays = weights.get(inner.get("name"), [])
        if layer["class_name"] == "Dense" and arrays:
            return (int(arrays[0].shape[0]),)
    raise FormatError("the model does not say how many inputs it has")


def _model(recorder: Recorder, config: Mapping[str, Any], start: Affine, *, cut: bool) -> Affine:
    layers = _layer_list(config)
    if config["class_name"] == "Sequential":
        tensor = start
        for position, layer in enumerate(layers):
            last = cut and position == len(layers) - 1
            tensor = _layer(recorder, layer, [tensor], cut=last)
        return tensor
    return _functional(recorder, config["config"], start, cut=cut)


def _layer(
    recorder: Recorder, layer: Mapping[str, Any], inputs: list[Affine], *, cut: bool
) -> Affine:
    config = layer["config"]
    if "layers" in config:
        if len(inputs) != 1:
            raise UnsupportedError(f"the inner model {config.get('name')!r} has several inputs")
        return _model(recorder, layer, inputs[0], cut=cut)
    _check_origin(layer)
    step = LayerConfig(str(layer["class_name"]), str(config["name"]), config)
    return recorder.apply(step, inputs, cut=cut)


def _functional(
    recorder: Recorder, config: Mapping[str, Any], start: Affine, *, cut: bool
) -> Affine:
    layers: dict[str, Mapping[str, Any]] = {}
    for layer in config["layers"]:
        name = str(layer["config"]["name"])
        if name in layers:
            raise FormatError(f"two layers of one model are called {name!r}")
        layers[name] = layer
    (first,) = _ends(config["input_layers"], "inputs")
    (last,) = _ends(config["output_layers"], "outputs")
    known = {first: start}
    waiting = [last]
    entered: set[str] = set()
    while waiting:
        name = waiting[-1]
        if name in known:
            waiting.pop()
            continue
        if name not in layers:
            raise FormatError(f"the layer {name!r} is used but not there")
        sources = _sources(layers[name])
        missing = [source for source in sources if source not in known]
        if missing:
            if name in entered:
                raise FormatError(f"the layer {name!r} depends on its own output")
            entered.add(name)
            waiting.extend(missing)
            continue
        inputs = [known[source] for source in sources]
        known[name] = _layer(recorder, layers[name], inputs, cut=cut and name == last)
        waiting.pop()
    return known[last]


def _ends(given: Any, what: str) -> list[str]:
    if isinstance(given, Mapping):
        given = list(given.values())
    if isinstance(given, list) and len(given) == 3 and isinstance(given[0], str):
        given = [given]
    names = [str(entry[0]) for entry in given]
    if len(names) != 1:
        raise UnsupportedError(f"the model has {len(names)} {what}; expected one; {EXPORT}")
    return names


def _sources(layer: Mapping[str, Any]) -> list[str]:
    """The layers whose outputs a layer is called with, in order."""
    nodes = layer.get("inbound_nodes") or []
    name = layer["config"]["name"]
    if len(nodes) != 1:
        raise UnsupportedError(
            f"layer {name!r} is used {len(nodes)} times; expected once; {EXPORT}"
        )
    if isinstance(nodes[0], Mapping):
        return _called(name, nodes[0]["args"], nodes[0].get("kwargs") or {})
    found = []
    for entry in nodes[0]:  # Keras 2: [[name, node, tensor, kwargs], …]
        _check_arguments(name, entry[3] if len(entry) > 3 else {}, entry[2] if entry[2:] else 0)
        found.append(str(entry[0]))
    return found


def _called(name: str, args: Any, kwargs: Mapping[str, Any]) -> list[str]:
    """The layers whose outputs are the one argument of a call of Keras 3: a tensor, or a list."""
    given = args[0] if len(args) == 1 and isinstance(args[0], list) else args
    if len(args) != 1 or not all(map(_is_tensor, given)):
        raise UnsupportedError(
            f"layer {name!r} is called with other arguments than tensors of layers; {EXPORT}"
        )
    histories = [entry["config"]["keras_history"] for entry in given]
    for history in histories:
        _check_arguments(name, kwargs, history[2] if history[2:] else 0)
    return [str(history[0]) for history in histories]


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__"


def _check_arguments(name: str, kwargs: Mapping[str, Any], output: Any) -> None:
    """Refuse a call that changes what a layer computes, and outputs after the first one.

    Raises
    ------
    UnsupportedError
    """
    said = [key for key, value in kwargs.items() if value is not None and value is not False]
    if said or output != 0:
        what = f"{said[0]} = {kwargs[said[0]]!r}" if said else f"output {output} of a layer"
        raise UnsupportedError(f"layer {name!r} is called with {what[:80]}; {EXPORT}")
