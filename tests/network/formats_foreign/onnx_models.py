"""Small ONNX models built in the test, and the numbers that onnxruntime gives for a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from polyrank.network.formats.onnx import read
from polyrank.network.formats.options import LoadOptions
from polyrank.network.normal_form import Network

__all__ = ["Shape", "build", "loaded", "node", "reference", "saved"]

Shape = Sequence[int | str | None]
node = helper.make_node


def build(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Shape],
    constants: Mapping[str, Any] | None = None,
    outputs: Sequence[str] = ("y",),
    *,
    opset: int = 17,
    listed: bool = False,
    dtype: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """A model; ``listed`` puts the initialisers among the inputs, as old exporters do."""
    arrays = {k: np.asarray(v) for k, v in (constants or {}).items()}
    values = [helper.make_tensor_value_info(k, dtype, list(s)) for k, s in inputs.items()]
    if listed:
        values += [
            helper.make_tensor_value_info(
                k, helper.np_dtype_to_tensor_dtype(a.dtype), list(a.shape)
            )
            for k, a in arrays.items()
        ]
    graph = helper.make_graph(
        list(nodes),
        "test",
        values,
        [helper.make_tensor_value_info(name, dtype, None) for name in outputs],
        [numpy_helper.from_array(a, name=k) for k, a in arrays.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def saved(model: onnx.ModelProto, folder: Path, name: str = "model.onnx") -> Path:
    """Write the model to a file."""
    path = folder / name
    path.write_bytes(model.SerializeToString())
    return path


def loaded(model: onnx.ModelProto, folder: Path, *, cut_final: bool = False) -> Network:
    """Write and read the model."""
    return read(saved(model, folder), LoadOptions(cut_final=cut_final))


def reference(path: Path, seed: int = 0) -> tuple[NDArray[Any], NDArray[Any]]:
    """A random input vector and onnxruntime's output vector, all inputs and outputs flattened."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(seed)
    feed = {
        value.name: rng.uniform(
            -1, 1, size=[d if isinstance(d, int) and d > 0 else 1 for d in value.shape]
        ).astype(np.float64 if value.type == "tensor(double)" else np.float32)
        for value in session.get_inputs()
    }
    outputs = session.run(None, feed)
    return (
        np.concatenate([x.ravel() for x in feed.values()]).astype(np.float64),
        np.concatenate([np.asarray(y).ravel() for y in outputs]).astype(np.float64),
    )
