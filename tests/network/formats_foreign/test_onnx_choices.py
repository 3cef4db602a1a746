"""Clip, Max and Min spelled out by comparisons, as the ONNX function bodies have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import polyrank as pr
from polyrank.errors import UnsupportedError
from polyrank.network.forward import forward


def _saved(path: Path, nodes: list[onnx.NodeProto]) -> Path:
    constants = [
        numpy_helper.from_array(np.float32(-0.5), "low"),
        numpy_helper.from_array(np.float32(0.75), "high"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path


def _values(path: Path, points: list[list[float]]) -> np.ndarray:
    network = pr.load(path)
    return np.array([[float(v) for v in forward(network, np.array(p))] for p in points])


POINTS = [[-3.0, -0.5, 0.0], [0.75, 0.5, 3.0], [0.25, -0.75, 1.0]]


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("equal", ["", "OrEqual"])
def test_expanded_clip(tmp_path: Path, swapped: bool, equal: str) -> None:
    """The function body of Clip in the ONNX operator specification, and its mirror image."""
    less = ("Greater" if swapped else "Less") + equal

    def pair(small: str, large: str) -> list[str]:
        return [large, small] if swapped else [small, large]

    path = _saved(
        tmp_path / "clip.onnx",
        [
            helper.make_node(less, pair("x", "low"), ["below"]),
            helper.make_node("Where", ["below", "low", "x"], ["t"]),
            helper.make_node(less, pair("high", "t"), ["above"]),
            helper.make_node("Where", ["above", "high", "t"], ["y"]),
        ],
    )
    assert np.array_equal(_values(path, POINTS), np.clip(POINTS, -0.5, 0.75))


def test_maximum_keeps_the_other_order(tmp_path: Path) -> None:
    path = _saved(
        tmp_path / "max.onnx",
        [
            helper.make_node("Less", ["x", "low"], ["below"]),
            helper.make_node("Where", ["below", "x", "low"], ["y"]),
        ],
    )
    assert np.array_equal(_values(path, POINTS), np.minimum(POINTS, -0.5))


def test_a_choice_of_something_else_is_refused(tmp_path: Path) -> None:
    path = _saved(
        tmp_path / "jump.onnx",
        [
            helper.make_node("Less", ["x", "low"], ["below"]),
            helper.make_node("Where", ["below", "high", "x"], ["y"]),
        ],
    )
    with pytest.raises(UnsupportedError, match="not continuous"):
        pr.load(path)
