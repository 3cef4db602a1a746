"""What onnxruntime makes of a counterexample, also where it cannot run the file."""

from __future__ import annotations

import numpy as np
import pytest

import polyrank as pr
from polyrank.verification.onnx_run import OnnxRunError, onnx_outputs
from polyrank.verification.properties import output_bounds

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture
def ramp() -> pr.Network:
    """max(x, 0) + max(−y, 0), at most 2 on the square."""
    return pr.Network.from_arrays([[[1.0, 0.0], [0.0, -1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])


def _model(path, inputs, nodes, width=1):
    helper, float_ = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(n, float_, [1, k]) for n, k in inputs.items()],
        [helper.make_tensor_value_info("y", float_, [1, width])],
    )
    opsets = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def test_the_outputs_of_the_file(ramp, tmp_path):
    file = tmp_path / "ramp.onnx"
    pr.save(ramp, file)
    point = np.array([0.5, -0.25], dtype=np.float32)
    assert onnx_outputs(file, point, 1).ravel().tolist() == [0.75]
    assert onnx_outputs(tmp_path / "ramp.npz", point, 1) is None


def test_what_does_not_run_says_why(tmp_path):
    point = np.zeros(2, dtype=np.float32)
    node = onnx.helper.make_node
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    two = _model(tmp_path / "two.onnx", {"a": 1, "b": 1}, [node("Add", ["a", "b"], ["y"])])
    wide = _model(tmp_path / "wide.onnx", {"a": 3}, [node("ReduceSum", ["a"], ["y"])])
    more = _model(tmp_path / "more.onnx", {"a": 2}, [node("Relu", ["a"], ["y"])], width=2)
    shape = onnx.helper.make_tensor("s", onnx.TensorProto.INT64, [2], [7, 3])
    late = _model(
        tmp_path / "late.onnx",
        {"a": 2},
        [
            node("Constant", [], ["s"], value=shape),
            node("Exp", ["a"], ["e"]),
            node("Cast", ["e"], ["i"], to=onnx.TensorProto.INT64),
            node("Reshape", ["a", "i"], ["r"]),  # exp(0) = 1: no shape of two numbers
            node("ReduceSum", ["r"], ["y"]),
        ],
    )
    for file, says in (
        (broken, "Protobuf"),
        (tmp_path / "none.onnx", "exist"),
        (two, "2 inputs to feed"),
        (wide, r"shape \[1, 3\], the network 2"),
        (more, "2 outputs, the network has 1"),
        (late, "."),
    ):
        with pytest.raises(OnnxRunError, match=says):
            onnx_outputs(file, point, 1)


def test_a_verdict_keeps_its_counterexample(ramp, tmp_path):
    """The verdict rests on the exact forward pass, whatever onnxruntime does."""
    file = tmp_path / "ramp.onnx"
    pr.save(ramp, file)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    above = output_bounds(ramp, pr.Box(-1, 1), upper=1)
    good = pr.verify(ramp, above, network_file={"path": file}).counterexample.reruns[-1]
    assert (good.by, good.violates, good.fault) == ("onnxruntime", True, "")
    found = pr.verify(ramp, above, network_file={"path": broken})
    assert found.verdict == "violated"
    bad = found.counterexample.reruns[-1]
    assert (bad.by, bad.y, bad.violates) == ("onnxruntime", (), False)
    assert "Protobuf" in bad.fault
    stated = found.summary()["counterexample"]["reruns"]
    assert [run["fault"] for run in stated] == ["", "", bad.fault]
