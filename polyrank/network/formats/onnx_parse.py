"""The bytes of an ONNX file to plain Python objects. Imports ``onnx``, which is heavy.

Source: the ONNX intermediate representation, https://onnx.ai/onnx/repo-docs/IR.html.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray

from polyrank.errors import FormatError, UnsupportedError
from polyrank.network.formats.onnx_graph import GraphModel, Node
from polyrank.network.lowering.affine import MOST_ENTRIES

__all__ = ["OPSETS", "parse_model"]

OPSETS = range(6, 29)
"""Versions of the default operator set that are read."""

_FLOATS = {"FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16"}
_EXTERNAL = 1  # TensorProto.DataLocation.EXTERNAL


def parse_model(data: bytes, folder: Path | None) -> GraphModel:
    """Read the bytes of an ``.onnx`` file.

    Parameters
    ----------
    data : bytes
    folder : Path or None
        Where tensors stored outside the file may lie; nothing else is opened.

    Raises
    ------
    FormatError
        If the bytes are not an ONNX model, or a tensor does not match its declaration.
    UnsupportedError
        If the model uses another operator set, sparse or string tensors, control flow, or
        inputs that are not real-valued tensors of known shape.
    """
    try:
        model = onnx.load_model_from_string(data)
        graph = model.graph
        opset = _opset(model)
        constants = {t.name: _array(t, folder) for t in graph.initializer}
        if graph.sparse_initializer:
            name = graph.sparse_initializer[0].values.name
            raise UnsupportedError(f"initialiser {name!r} is sparse; store it as a dense tensor")
        nodes = tuple(_node(n, k, folder) for k, n in enumerate(graph.node))
        inputs = tuple((v.name, _shape(v)) for v in graph.input if v.name not in constants)
        outputs = tuple(v.name for v in graph.output)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"this is not an ONNX model, or it is damaged: {error}") from None
    if not outputs or not (nodes or inputs):
        raise FormatError("this is not an ONNX model: it has no nodes or no outputs")
    return GraphModel(nodes, MappingProxyType(constants), inputs, outputs, opset)


def _opset(model: Any) -> int:
    versions = {entry.domain: entry.version for entry in model.opset_import}
    opset = int(versions.get("", versions.get("ai.onnx", 0)))
    if opset == 0:
        raise FormatError("this is not an ONNX model: it names no version of the operator set")
    if opset not in OPSETS:
        raise UnsupportedError(
            f"the model uses operator set {opset}; {OPSETS[0]} to {OPSETS[-1]} are read; export it "
            "again with one of these, or try onnx.version_converter.convert_version"
        )
    return opset


def _node(proto: Any, number: int, folder: Path | None) -> Node:
    name = proto.name or (proto.output[0] if proto.output else f"number {number}")
    if proto.domain not in {"", "ai.onnx"}:
        raise UnsupportedError(
            f"node {name!r} ({proto.domain}.{proto.op_type}) is not of the standard operator set; "
            "export the model with standard operators only"
        )
    return Node(
        proto.op_type,
        name,
        tuple(proto.input),
        tuple(proto.output),
        MappingProxyType({a.name: _attribute(a, folder) for a in proto.attribute}),
    )


def _attribute(proto: Any, folder: Path | None) -> Any:
    value = onnx.helper.get_attribute_value(proto)
    if isinstance(value, onnx.TensorProto):
        return _array(value, folder)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, Sequence) and all(isinstance(v, (int, float)) for v in value):
        return list(value)
    return value


def _shape(value: Any) -> tuple[int | str, ...]:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise UnsupportedError(f"input {value.name!r} is a {kind}; expected a tensor of floats")
    tensor = value.type.tensor_type
    names = onnx.TensorProto.DataType
    dtype = names.Name(tensor.elem_type) if tensor.elem_type in names.values() else "unknown"
    if dtype not in _FLOATS:
        raise UnsupportedError(
            f"input {value.name!r} holds {dtype} numbers; only inputs that range over the reals "
            "(float16, bfloat16, float32, float64) are read"
        )
    if not tensor.HasField("shape"):
        raise UnsupportedError(
            f"input {value.name!r} has no shape; export the model with the shape of its input"
        )
    return tuple(
        int(d.dim_value) if d.HasField("dim_value") and d.dim_value > 0 else (d.dim_param or "?")
        for d in tensor.shape.dim
    )


def _array(proto: Any, folder: Path | None) -> NDArray[Any]:
    shape = tuple(int(d) for d in proto.dims)
    if min(shape, default=0) < 0 or math.prod(shape) > MOST_ENTRIES:
        raise FormatError(f"tensor {proto.name!r} declares the shape {shape}")
    if proto.data_type == onnx.TensorProto.STRING:
        raise UnsupportedError(f"tensor {proto.name!r} holds strings; expected numbers")
    if proto.data_location == _EXTERNAL:
        proto = _with_external_data(proto, shape, folder)
    try:
        return np.asarray(onnx.numpy_helper.to_array(proto))
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise FormatError(f"tensor {proto.name!r} cannot be read: {error}") from None


def _with_external_data(proto: Any, shape: tuple[int, ...], folder: Path | None) -> Any:
    entries = {entry.key: entry.value for entry in proto.external_data}
    location = entries.get("location", "")
    where = f"tensor {proto.name!r}, stored outside the file in {location!r},"
    if folder is None:
        raise UnsupportedError(f"{where} cannot be found without the model's folder")
    base = folder.resolve()
    path = (base / location).resolve()
    if not location or not path.is_relative_to(base):
        raise UnsupportedError(f"{where} is not inside the model's folder and is not opened")
    try:
        offset = int(entries.get("offset", "0"))
        size = onnx.helper.tensor_dtype_to_np_dtype(proto.data_type).itemsize
        length = math.prod(shape) * size
        if int(entries.get("length", str(length))) != length or offset < 0:
            raise FormatError(f"{where} does not have the {length} bytes of its shape {shape}")
        with path.open("rb") as file:
            file.seek(offset)
            raw = file.read(length)
    except (OSError, ValueError, KeyError, OverflowError) as error:
        raise FormatError(f"{where} cannot be read: {error}") from None
    if len(raw) != length:
        raise FormatError(f"{where} is truncated: {len(raw)} of {length} bytes are there")
    inline = onnx.TensorProto()
    inline.name = proto.name
    inline.data_type = proto.data_type
    inline.dims.extend(shape)
    inline.raw_data = raw
    return inline
