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
from polyrank.network.formats.source import brief, check_entries
from polyrank.network.lowering.affine import MOST_ENTRIES

__all__ = ["OPSETS", "parse_model"]

OPSETS = range(6, 29)
"""Versions of the default operator set that are read."""

_FLOATS = {"FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16"}
_EXTERNAL = 1  # TensorProto.DataLocation.EXTERNAL
_STANDARD = ("", "ai.onnx")  # the two names of the standard domain


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
        tensors = _Tensors(folder)
        constants = {t.name: tensors.array(t) for t in graph.initializer}
        if len(constants) != len(graph.initializer):
            raise FormatError("the model has two initialisers of one name")
        if graph.sparse_initializer:
            name = graph.sparse_initializer[0].values.name
            raise UnsupportedError(f"initialiser {name!r} is sparse; store it as a dense tensor")
        nodes = tuple(_node(n, k, tensors) for k, n in enumerate(graph.node))
        inputs = tuple((v.name, _shape(v)) for v in graph.input if v.name not in constants)
        outputs = tuple(v.name for v in graph.output)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"this is not an ONNX model, or it is damaged: {error}") from None
    for function in model.functions:
        if function.domain in _STANDARD:
            raise UnsupportedError(
                f"the model has a function {function.name!r} of its own in the standard domain"
            )
    if not outputs or not (nodes or inputs):
        raise FormatError("this is not an ONNX model: it has no nodes or no outputs")
    return GraphModel(nodes, MappingProxyType(constants), inputs, outputs, opset)


def _opset(model: Any) -> int:
    own = {int(e.version) for e in model.opset_import if e.domain in _STANDARD}
    if len(own) > 1:
        raise FormatError(f"the model names several operator sets: {', '.join(map(str, own))}")
    opset = max(own, default=0)
    if opset == 0:
        raise FormatError("this is not an ONNX model: it names no version of the operator set")
    if opset not in OPSETS:
        raise UnsupportedError(
            f"the model uses operator set {opset}; {OPSETS[0]} to {OPSETS[-1]} are read; export it "
            "again with one of these, or try onnx.version_converter.convert_version"
        )
    return opset


def _node(proto: Any, number: int, tensors: _Tensors) -> Node:
    name = proto.name or (proto.output[0] if proto.output else f"number {number}")
    if proto.domain not in _STANDARD:
        raise UnsupportedError(
            f"node {name!r} ({proto.domain}.{proto.op_type}) is not of the standard operator set; "
            "export the model with standard operators only"
        )
    return Node(
        proto.op_type,
        name,
        tuple(proto.input),
        tuple(proto.output),
        MappingProxyType(_attributes(proto, name, tensors)),
    )


def _attributes(proto: Any, node: str, tensors: _Tensors) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for attribute in proto.attribute:
        if attribute.name in found:
            raise FormatError(f"node {node!r} has two attributes {attribute.name!r}")
        if attribute.ref_attr_name:
            raise UnsupportedError(
                f"node {node!r}: its {attribute.name!r} is that of a function around it, but it "
                "stands in none"
            )
        found[attribute.name] = _attribute(attribute, tensors)
    return found


def _attribute(proto: Any, tensors: _Tensors) -> Any:
    value = onnx.helper.get_attribute_value(proto)
    if isinstance(value, onnx.TensorProto):
        return tensors.array(value)
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


class _Tensors:
    """Reads tensors, those outside of the file too, if they lie in the folder.

    Parts of one file may be many tensors: how many numbers come from outside is bounded.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.outside = 0

    def array(self, proto: Any) -> NDArray[Any]:
        """The numbers of a tensor."""
        shape = tuple(int(d) for d in proto.dims)
        if min(shape, default=0) < 0 or math.prod(shape) > MOST_ENTRIES:
            raise FormatError(f"tensor {proto.name!r} declares the shape {shape}")
        if proto.data_type == onnx.TensorProto.STRING:
            raise UnsupportedError(f"tensor {proto.name!r} holds strings; expected numbers")
        if proto.data_location == _EXTERNAL:
            proto = self.inside(proto, shape)
        try:
            return np.asarray(onnx.numpy_helper.to_array(proto))
        except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
            raise FormatError(f"tensor {proto.name!r} cannot be read: {brief(error)}") from None

    def inside(self, proto: Any, shape: tuple[int, ...]) -> Any:
        """The same tensor with its numbers inside."""
        entries = {entry.key: entry.value for entry in proto.external_data}
        location = entries.get("location", "")
        where = f"tensor {proto.name!r}, stored outside the file in {location!r},"
        if len(entries) != len(proto.external_data):
            raise FormatError(f"{where} says twice where it lies")
        if self.folder is None:
            raise UnsupportedError(f"{where} cannot be found without the model's folder")
        self.outside += math.prod(shape)
        check_entries(self.outside, f"{where} with the tensors before it")
        try:
            path = self.path(location)
            if path is None:
                raise UnsupportedError(
                    f"{where} is not inside the model's folder and is not opened"
                )
            offset = _whole(entries.get("offset", "0"))
            size = onnx.helper.tensor_dtype_to_np_dtype(proto.data_type).itemsize
            length = math.prod(shape) * size
            if _whole(entries.get("length", str(length))) != length:
                raise FormatError(f"{where} does not have the {length} bytes of its shape {shape}")
            if not path.is_file() or location.endswith("/"):  # a pipe would be waited for
                missing = "is not there" if not path.exists() else "is not a regular file"
                raise FormatError(f"{where} cannot be read: it {missing}")
            there = max(0, min(length, path.stat().st_size - offset))
            if there == length:
                with path.open("rb") as file:
                    file.seek(offset)
                    raw = file.read(length)
                there = len(raw)
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RuntimeError) as error:
            raise FormatError(f"{where} cannot be read: {brief(error)}") from None
        if there != length:
            raise FormatError(f"{where} is truncated: {there} of {length} bytes are there")
        inline = onnx.TensorProto()
        inline.name = proto.name
        inline.data_type = proto.data_type
        inline.dims.extend(shape)
        inline.raw_data = raw
        return inline

    def path(self, location: str) -> Path | None:
        """The file of a location, links followed; None if it is not inside the folder."""
        base = (self.folder or Path()).resolve()
        found = (base / location).resolve()
        inside = found.is_relative_to(base) and not Path(location).is_absolute()
        return found if location and inside else None


def _whole(text: str) -> int:
    """A number of bytes, in digits alone.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise ValueError(f"{text[:30]!r} is no number of bytes")
    return int(text)
