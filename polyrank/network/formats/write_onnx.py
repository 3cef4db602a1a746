"""Writing a network as an ONNX graph of Gemm, Relu, Abs and PRelu nodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from flint import fmpq
from onnx import TensorProto, helper, numpy_helper

from polyrank.errors import UnsupportedError
from polyrank.network.formats.weights_only import require_float64
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray

__all__ = ["write"]

_OPSET = 13
_IR_VERSION = 8
_MAX_BYTES = 2**31 - 2**20  # protobuf's limit


def write(network: Network, path: Path) -> None:
    """Write one Gemm per layer followed by Relu, Abs, or PRelu with one slope per unit.

    Tensors are float32 if every entry is a float32 number, and float64 otherwise. A LeakyReLU is
    written as PRelu, since the attribute of LeakyRelu is a float32.

    Raises
    ------
    UnsupportedError
        If a positive slope is not 1, an entry is not a float64 number, or the file would exceed
        protobuf's 2 GB.
    """
    remedy = "write .json, which stores fractions"
    for k, layer in enumerate(network.layers, start=1):
        require_float64(layer.weight, f"layer {k}: weight", remedy)
        require_float64(layer.bias, f"layer {k}: bias", remedy)
        require_float64(layer.slope_neg, f"layer {k}: negative slope", remedy)
        if any(pos != 1 for _, pos in layer.slopes_exact):
            raise UnsupportedError(
                f"layer {k} has a positive slope that is not 1, which no ONNX activation has; "
                f"write .npz, .safetensors or .json"
            )
    parts = [
        part for layer in network.layers for part in (layer.weight, layer.bias, layer.slope_neg)
    ]
    dtype = np.float32 if all(map(_is_float32, parts)) else np.float64
    if sum(part.approx.size for part in parts) * np.dtype(dtype).itemsize > _MAX_BYTES:
        raise UnsupportedError("an .onnx file holds at most 2 GB; write .npz or .safetensors")
    path.write_bytes(_model(network, dtype).SerializeToString())


def _is_float32(array: RationalArray) -> bool:
    with np.errstate(over="ignore"):
        return bool((array.approx.astype(np.float32).astype(np.float64) == array.approx).all())


def _model(network: Network, dtype: type[np.floating]) -> onnx.ModelProto:
    element = TensorProto.FLOAT if dtype is np.float32 else TensorProto.DOUBLE
    nodes, tensors = [], []
    current = "input"
    last = len(network.layers)
    for k, layer in enumerate(network.layers, start=1):
        for name, part in (("W", layer.weight), ("b", layer.bias)):
            tensors.append(numpy_helper.from_array(part.approx.astype(dtype), f"{name}{k}"))
        operator = _operator(layer)
        final = "output" if k == last else f"h{k}"
        gemm = final if operator is None else f"z{k}"
        nodes.append(
            helper.make_node("Gemm", [current, f"W{k}", f"b{k}"], [gemm], f"gemm{k}", transB=1)
        )
        if operator is not None:
            inputs = [gemm]
            if operator == "PRelu":
                inputs.append(f"slope{k}")
                slope = layer.slope_neg.approx.astype(dtype)
                tensors.append(numpy_helper.from_array(slope, f"slope{k}"))
            nodes.append(helper.make_node(operator, inputs, [final], f"{operator.lower()}{k}"))
        current = final
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("input", element, ["N", network.input_dim])],
        [helper.make_tensor_value_info("output", element, ["N", network.widths[-1]])],
        tensors,
    )
    return helper.make_model(
        graph,
        producer_name="polyrank",
        ir_version=_IR_VERSION,
        opset_imports=[helper.make_opsetid("", _OPSET)],
    )


def _operator(layer: Layer) -> str | None:
    slopes = {neg for neg, _ in layer.slopes_exact}
    if slopes == {fmpq(1)}:
        return None
    if slopes == {fmpq(0)}:
        return "Relu"
    if slopes == {fmpq(-1)}:
        return "Abs"
    return "PRelu"
