"""Chains of Gemm, MatMul, Add, Sub, Relu …: the layers are the stored numbers, exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from polyrank.network.forward import forward_exact
from polyrank.network.normal_form import Network
from polyrank.network.rational import to_fmpq
from tests.network.formats_foreign.onnx_models import build, loaded, node

W0 = np.array([[0.1, -0.2], [0.3, 0.7], [-1.5, 1e-7]], dtype=np.float32)
B0 = np.array([0.01, -3.3, 1e20], dtype=np.float32)
W1 = np.array([[1.1, 0.0, -2.7]], dtype=np.float32)
B1 = np.array([0.9], dtype=np.float32)


def same_layers(network: Network, weights, biases, slopes) -> None:
    assert len(network.layers) == len(weights)
    for layer, weight, bias, (neg, pos) in zip(
        network.layers, weights, biases, slopes, strict=True
    ):
        assert layer.weight.is_float
        assert layer.bias.is_float
        assert np.array_equal(layer.weight.approx, np.asarray(weight, dtype=np.float64))
        assert np.array_equal(layer.bias.approx, np.asarray(bias, dtype=np.float64))
        assert set(layer.slope_neg.entries()) == {to_fmpq(neg)}
        assert set(layer.slope_pos.entries()) == {to_fmpq(pos)}


RELU, LINEAR = (0, 1), (1, 1)


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("batch", [1, "N", None])
def test_gemm_chain_is_stored_numbers(tmp_path, listed, batch):
    model = build(
        [
            node("Gemm", ["x", "W0", "b0"], ["z"], transB=1),
            node("Relu", ["z"], ["h"]),
            node("Gemm", ["h", "W1", "b1"], ["y"], transB=1),
        ],
        {"x": [batch, 2]},
        {"W0": W0, "b0": B0, "W1": W1, "b1": B1},
        listed=listed,
    )
    same_layers(loaded(model, tmp_path), [W0, W1], [B0, B1], [RELU, LINEAR])


def test_matmul_add_chain_with_shape_operations(tmp_path):
    model = build(
        [
            node("Flatten", ["x"], ["f"]),
            node("MatMul", ["f", "W0"], ["a"]),
            node("Add", ["b0", "a"], ["z"]),
            node("LeakyRelu", ["z"], ["h"], alpha=0.25),
            node("Unsqueeze", ["h", "two"], ["u"]),
            node("Transpose", ["u"], ["t"], perm=[2, 0, 1]),
            node("Squeeze", ["t", "zero"], ["s"]),
            node("MatMul", ["s", "W1"], ["c"]),
            node("Add", ["c", "b1"], ["d"]),
            node("Reshape", ["d", "shape"], ["r"]),
            node("Identity", ["r"], ["y"]),
        ],
        {"x": [1, 1, 1, 2]},
        {
            "W0": W0.T.copy(), "b0": B0, "W1": W1.T.copy(), "b1": B1,
            "two": np.array([2]), "zero": np.array([0]), "shape": np.array([-1]),
        },
    )  # fmt: skip
    same_layers(loaded(model, tmp_path), [W0, W1], [B0, B1], [(Fraction(1, 4), 1), LINEAR])


def test_one_by_one_convolution_is_a_gemm(tmp_path):
    model = build(
        [
            node("Conv", ["x", "W0", "b0"], ["z"]),
            node("Relu", ["z"], ["h"]),
            node("Conv", ["h", "W1", "b1"], ["c"]),
            node("Relu", ["c"], ["d"]),
            node("Flatten", ["d"], ["y"]),
        ],
        {"x": [1, 2, 1, 1]},
        {"W0": W0[:, :, None, None], "b0": B0, "W1": W1[:, :, None, None], "b1": B1},
    )
    same_layers(loaded(model, tmp_path), [W0, W1], [B0, B1], [RELU, RELU])


def test_final_identity_weights_stay_a_layer(tmp_path):
    eye, none = np.eye(3, dtype=np.float32), np.zeros(3, dtype=np.float32)
    model = build(
        [
            node("Gemm", ["x", "W0", "b0"], ["z"], transB=1),
            node("Relu", ["z"], ["h"]),
            node("Gemm", ["h", "E", "o"], ["y"]),
        ],
        {"x": [1, 2]},
        {"W0": W0, "b0": B0, "E": eye, "o": none},
    )
    same_layers(loaded(model, tmp_path), [W0, eye], [B0, none], [RELU, LINEAR])


def test_zero_weights_stay_units(tmp_path):
    zero = np.zeros((2, 3), dtype=np.float32)
    none = np.zeros(2, dtype=np.float32)
    model = build(
        [
            node("Gemm", ["x", "W0", "b0"], ["z"], transB=1),
            node("Relu", ["z"], ["h"]),
            node("Gemm", ["h", "Z", "o"], ["a"], transB=1),
            node("Relu", ["a"], ["b"]),
            node("Gemm", ["b", "E"], ["y"]),
        ],
        {"x": [1, 2]},
        {"W0": W0, "b0": B0, "Z": zero, "o": none, "E": np.eye(2, dtype=np.float32)},
    )
    same_layers(
        loaded(model, tmp_path), [W0, zero, np.eye(2)], [B0, none, none], [RELU, RELU, LINEAR]
    )


def test_input_mean_folds_exactly_into_the_bias(tmp_path):
    mean = np.array([0.1, 12.7], dtype=np.float32)
    model = build(
        [
            node("Sub", ["x", "m"], ["c"]),
            node("Gemm", ["c", "W0", "b0"], ["z"], transB=1),
            node("Relu", ["z"], ["y"]),
        ],
        {"x": [1, 2]},
        {"m": mean, "W0": W0, "b0": B0},
    )
    (layer,) = loaded(model, tmp_path).layers
    assert np.array_equal(layer.weight.approx, W0.astype(float))
    expected = [
        Fraction(float(b))
        - sum(Fraction(float(w)) * Fraction(float(m)) for w, m in zip(row, mean, strict=True))
        for row, b in zip(W0, B0, strict=True)
    ]
    assert list(layer.bias.entries()) == [to_fmpq(v) for v in expected]
    assert not layer.bias.is_float


def test_consecutive_gemms_are_never_rounded(tmp_path):
    """20 random float32 rows cannot be composed in float64: the inner map keeps its layer."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=(20, 5)).astype(np.float32) * np.float32(2.0) ** rng.integers(
        -20, 20, (20, 5)
    )
    b = rng.normal(size=(3, 20)).astype(np.float32)
    model = build(
        [
            node("Gemm", ["x", "a"], ["h"], transB=1),
            node("Gemm", ["h", "b"], ["y"], transB=1),
        ],
        {"x": [1, 5]},
        {"a": a, "b": b},
    )
    network = loaded(model, tmp_path)
    same_layers(network, [a, b], [np.zeros(20), np.zeros(3)], [LINEAR, LINEAR])
    point = [Fraction(1, 3), Fraction(-2, 7), 5, Fraction(1, 11), 0]
    inner = [sum(Fraction(float(w)) * x for w, x in zip(row, point, strict=True)) for row in a]
    outer = [sum(Fraction(float(w)) * x for w, x in zip(row, inner, strict=True)) for row in b]
    assert list(forward_exact(network, point)) == [to_fmpq(v) for v in outer]


def test_consecutive_small_integer_gemms_become_one_layer(tmp_path):
    a = np.arange(-6, 6, dtype=np.float32).reshape(4, 3)
    b = np.arange(8, dtype=np.float32).reshape(2, 4)
    model = build(
        [node("MatMul", ["x", "a"], ["h"]), node("MatMul", ["h", "b"], ["y"])],
        {"x": [1, 4]},
        {"a": a, "b": np.ascontiguousarray(b.T[:3])},
    )
    network = loaded(model, tmp_path)
    same_layers(network, [(a @ b.T[:3]).T], [np.zeros(2)], [LINEAR])
