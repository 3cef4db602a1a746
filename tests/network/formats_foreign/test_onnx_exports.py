"""Graphs as exporters write them: old operator sets, slices without an end, shapes in the graph.

The functions are onnxruntime's; where it does not run an old operator set, those of the same graph
written in operator set 7, whose broadcasting is numpy's.
"""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

import polyrank as pr
from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.forward import forward
from tests.network.formats_foreign.onnx_models import build, loaded, node, reference, saved

CASES = Path(__file__).parent / "data" / "cases"
RNG = np.random.default_rng(0)
MOST, LEAST = np.iinfo(np.int64).max, np.iinfo(np.int64).min


def draw(*shape):
    return RNG.integers(-4, 5, shape).astype(np.float32)


def same(model, folder, expected=None):
    network = loaded(model, folder)
    x, y = reference(saved(expected or model, folder, "reference.onnx"))
    np.testing.assert_allclose(forward(network, x), y, rtol=1e-5, atol=1e-5)
    return network


@pytest.mark.parametrize(
    "name", ["slice_int64max.onnx", "slice_rev_min.onnx", "equal_constants.onnx"]
)
def test_the_files_that_were_found(name):
    network = pr.load(CASES / name)
    x, y = reference(CASES / name)
    np.testing.assert_allclose(forward(network, x), y, rtol=1e-6, atol=1e-6)


ENDS = [
    MOST,
    MOST - 1,
    2**53 + 1,
    2**53,
    2**31 - 1,
    3,
    1,
    0,
    -1,
    -3,
    -(2**53) - 1,
    LEAST + 1,
    LEAST,
]


@pytest.mark.parametrize("step", [1, 2, -1, -2, MOST, LEAST + 1])
def test_slices_with_every_end(tmp_path, step):
    kept = 0
    for start in ENDS:
        for end in ENDS:
            # what numpy takes; the ends of the specification are clamped in the same way
            taken = np.arange(5)[slice(start, end, step)]
            if not taken.size:
                continue
            kept += 1
            values = {k: np.array([v], dtype=np.int64) for k, v in
                      (("s", start), ("e", end), ("a", 1), ("t", step))}  # fmt: skip
            model = build([node("Slice", ["x", "s", "e", "a", "t"], ["y"])], {"x": [1, 5]}, values)
            network = loaded(model, tmp_path)
            assert forward(network, np.arange(5.0)).tolist() == taken.tolist(), (start, end, step)
            if abs(step) < 3 and kept % 9 == 0:
                same(model, tmp_path)
    assert kept > 20


def test_old_slices_hold_their_ends_as_attributes(tmp_path):
    model = build(
        [node("Slice", ["x"], ["y"], starts=[1], ends=[MOST], axes=[1])], {"x": [1, 4]}, opset=9
    )
    assert forward(loaded(model, tmp_path), np.arange(4.0)).tolist() == [1, 2, 3]


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint64, np.float32])
def test_integers_of_every_type(tmp_path, dtype):
    shape = np.array([2, 3], dtype=dtype)
    model = build([node("Reshape", ["x", "s"], ["y"])], {"x": [1, 6]}, {"s": shape})
    assert loaded(model, tmp_path).widths == (6, 6)
    model = build([node("Reshape", ["x", "s"], ["y"])], {"x": [1, 6]}, {"s": np.array([2.5, 3])})
    with pytest.raises(FormatError, match="not made of integers"):
        loaded(model, tmp_path)


# ---- operator set 6


def test_the_matlab_export():
    """x ↦ relu(W x + b) with the matrices of the file."""
    network = pr.load(CASES / "onnx_opset6_matlab.onnx")
    W, b = np.array([[1.0, -2], [0.5, 1], [2, 1]]), np.array([0.5, 0, -1])
    X = np.random.default_rng(1).normal(size=(30, 2))
    np.testing.assert_allclose(forward(network, X), np.maximum(X @ W.T + b, 0), rtol=1e-14)
    assert network.bits == (3,)


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((), None), ((1,), None), ((4,), None), ((3, 4), None), ((2,), 1), ((3,), 2), ((2, 3), 1),
     ((2, 3, 4), 1), ((1, 2, 3, 4), None), ((3,), -2), ((1, 4), None)],
)  # fmt: skip
def test_broadcasting_of_operator_set_6(tmp_path, op, shape, axis):
    """The second shape lies inside of the first from ``axis`` on; without it, at the end."""
    constant = np.asarray(np.abs(draw(*shape)) + 1, dtype=np.float32)
    start = 4 - len(shape) if axis is None else axis % 4
    spread = constant.reshape((*shape, *(1,) * (4 - start - len(shape))))
    attributes = {"broadcast": 1} if axis is None else {"broadcast": 1, "axis": axis}
    chain = [node("Relu", ["z"], ["y"])]
    old = build(
        [node(op, ["x", "c"], ["z"], **attributes), *chain], {"x": [1, 2, 3, 4]}, {"c": constant},
        opset=6,
    )  # fmt: skip
    new = build([node(op, ["x", "c"], ["z"]), *chain], {"x": [1, 2, 3, 4]}, {"c": spread}, opset=7)
    same(old, tmp_path, new)


@pytest.mark.parametrize(
    ("nodes", "constants", "message"),
    [
        ([node("Add", ["x", "c"], ["y"])], {"c": draw(4)}, "only where the attribute says so"),
        ([node("Add", ["x", "c"], ["y"], broadcast=1, axis=1)], {"c": draw(4)}, "does not lie in"),
        ([node("Sub", ["x", "c"], ["y"], broadcast=1, axis=3)], {"c": draw(3, 4)}, "does not lie"),
        ([node("Mul", ["x", "c"], ["y"], broadcast=1)], {"c": draw(1, 1, 2, 3, 4)}, "not lie"),
        ([node("Dropout", ["x"], ["y"])], {}, "training mode"),
        ([node("BatchNormalization", ["x", "c", "c", "c", "c"], ["y"])], {"c": np.ones(2)},
         "training mode"),
    ],
)  # fmt: skip
def test_operator_set_6_is_taken_at_its_word(tmp_path, nodes, constants, message):
    model = build(nodes, {"x": [1, 2, 3, 4]}, constants, opset=6)
    with pytest.raises(NetworkError, match=message):
        loaded(model, tmp_path)


def test_a_controller_of_operator_set_6(tmp_path):
    """Image input, mean image, two layers, as MATLAB writes controllers; against set 7."""
    mean, W, b, V, c = draw(1, 2, 2), draw(5, 8), draw(5), draw(2, 5), draw(2)
    constants = {"m": mean, "W": W, "b": b, "V": V, "c": c}

    def nodes(old):
        flat = [] if old else [node("Flatten", ["s"], ["f"])]
        extra = {"broadcast": 1} if old else {}
        return [
            node("Sub", ["x", "m"], ["s"], **extra),
            *flat,
            node("Gemm", ["s" if old else "f", "W", "b"], ["z"], transB=1, **extra),
            node("Relu", ["z"], ["h"]),
            node("Gemm", ["h", "V", "c"], ["y"], transB=1, **extra),
        ]

    shape = {"x": [1, 2, 2, 2]}
    same(build(nodes(True), shape, constants, opset=6), tmp_path,
         build(nodes(False), shape, constants, opset=7))  # fmt: skip


def test_channel_slopes_and_inference_of_operator_set_6(tmp_path):
    slope, parts = draw(2), {k: np.abs(draw(2)) + 1 for k in "gbmv"}
    old = [
        node("Dropout", ["x"], ["d"], is_test=1),
        node("BatchNormalization", ["d", "g", "b", "m", "v"], ["n"], is_test=1),
        node("PRelu", ["n", "s"], ["y"]),
    ]
    new = [
        node("BatchNormalization", ["x", "g", "b", "m", "v"], ["n"]),
        node("PRelu", ["n", "s"], ["y"]),
    ]
    x = {"x": [1, 2, 3, 4]}
    same(
        build(old, x, {**parts, "s": slope}, opset=6), tmp_path,
        build(new, x, {**parts, "s": slope.reshape(2, 1, 1)}, opset=7),
    )  # fmt: skip


# ---- comparisons of constants


@pytest.mark.parametrize("op", ["Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"])
@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_comparisons_of_constants(tmp_path, op, dtype):
    a, b = np.array([1, 2, 3, -1], dtype=dtype), np.array([2, 2, 2, -1], dtype=dtype)
    model = build(
        [node(op, ["a", "b"], ["q"]), node("Where", ["q", "x", "z"], ["y"])],
        {"x": [4]},
        {"a": a, "b": b, "z": np.array([9, 8, 7, 6], dtype=np.float32)},
    )
    same(model, tmp_path)


@pytest.mark.parametrize("op", ["And", "Or", "Xor"])
def test_logic_of_constants(tmp_path, op):
    p, q = np.array([True, True, False, False]), np.array([True, False, True, False])
    model = build(
        [node(op, ["p", "q"], ["r"]), node("Not", ["r"], ["s"]), node("Equal", ["s", "p"], ["t"]),
         node("Where", ["t", "x", "z"], ["y"])],
        {"x": [4]},
        {"p": p, "q": q, "z": np.zeros(4, dtype=np.float32)},
    )  # fmt: skip
    same(model, tmp_path)


def test_large_integers_are_compared_exactly(tmp_path):
    model = build(
        [node("Equal", ["a", "b"], ["q"]), node("Where", ["q", "x", "z"], ["y"])],
        {"x": [2]},
        {"a": np.array([2**53, 2**53 + 1]), "b": np.array([2**53 + 1, 2**53 + 1]),
         "z": np.zeros(2, dtype=np.float32)},
    )  # fmt: skip
    assert forward(loaded(model, tmp_path), np.array([3.0, 5.0])).tolist() == [0, 5]


@pytest.mark.parametrize("op", ["Equal", "Greater", "And", "Not"])
def test_questions_about_the_input_are_refused(tmp_path, op):
    # Where(x > c, x, c) is a maximum, which is continuous; with another value it jumps
    inputs = ["x"] if op == "Not" else ["x", "c"]
    constants = {"c": draw(2), "d": draw(2) + 10}
    nodes = [node(op, inputs, ["q"]), node("Where", ["q", "x", "d"], ["y"])]
    model = build(nodes, {"x": [2]}, constants)
    with pytest.raises(UnsupportedError, match="its answer is not continuous"):
        loaded(model, tmp_path)


# ---- transposed convolutions


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 2), (2, 3), (1, 3), (3, 4)])
def test_same_padding_with_a_small_kernel_has_no_one_reading(tmp_path, auto_pad, kernel, stride):
    model = build(
        [node("ConvTranspose", ["x", "k"], ["y"], strides=[stride], auto_pad=auto_pad)],
        {"x": [1, 1, 3]},
        {"k": draw(1, 1, kernel)},
        opset=11,
    )
    with pytest.raises(UnsupportedError, match="read in different ways by different programs"):
        loaded(model, tmp_path)


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), (4, 2), (3, 1), (5, 3)])
def test_same_padding_that_crops(tmp_path, auto_pad, kernel, stride):
    model = build(
        [node("ConvTranspose", ["x", "k"], ["y"], strides=[stride], auto_pad=auto_pad)],
        {"x": [1, 1, 3]},
        {"k": draw(1, 1, kernel)},
        opset=11,
    )
    same(model, tmp_path)


def test_an_output_shape_beyond_the_kernel(tmp_path):
    model = build(
        [node("ConvTranspose", ["x", "k"], ["y"], strides=[2], output_shape=[9])],
        {"x": [1, 1, 3]},
        {"k": draw(1, 1, 2)},
    )
    with pytest.raises(UnsupportedError, match="output_shape asks for"):
        loaded(model, tmp_path)


# ---- what is refused is refused at once


@pytest.mark.parametrize("op", ["Sigmoid", "Tanh", "Softplus", "Sign", "NonMaxSuppression"])
def test_operators_are_looked_at_before_anything_is_folded(tmp_path, op):
    """Eighty thousand normalised units stand before what is refused."""
    parts = {k: np.abs(RNG.normal(size=32)).astype(np.float32) for k in "gbmv"}
    model = build(
        [
            node("Conv", ["x", "k"], ["c"], pads=[2] * 4),
            node("BatchNormalization", ["c", "g", "b", "m", "v"], ["n"]),
            node("Relu", ["n"], ["r"]),
            node(op, ["r"], ["p"]),
            node("Relu", ["p"], ["y"]),
        ],
        {"x": [1, 1, 50, 50]},
        {"k": RNG.normal(size=(32, 1, 5, 5)).astype(np.float32), **parts},
    )
    start = time.monotonic()
    with pytest.raises(UnsupportedError, match=op):
        loaded(model, tmp_path, cut_final=True)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("last", "message"),
    [
        ([node("Mul", ["r", "r"], ["y"])], "multiplies two values"),
        ([node("MatMul", ["r", "r"], ["y"])], "multiplies two matrices"),
        ([node("Equal", ["r", "c"], ["q"]), node("Where", ["q", "r", "c"], ["y"])], "a question"),
    ],
)
def test_products_and_questions_are_seen_at_once(tmp_path, last, message):
    parts = {k: np.abs(RNG.normal(size=32)).astype(np.float32) for k in "gbmv"}
    model = build(
        [
            node("Conv", ["x", "k"], ["f"], pads=[2] * 4),
            node("BatchNormalization", ["f", "g", "b", "m", "v"], ["n"]),
            node("Relu", ["n"], ["r"]),
            *last,
        ],
        {"x": [1, 1, 50, 50]},
        {"k": RNG.normal(size=(32, 1, 5, 5)).astype(np.float32), "c": parts["g"][:1], **parts},
    )
    start = time.monotonic()
    with pytest.raises(UnsupportedError, match=message):
        loaded(model, tmp_path)
    assert time.monotonic() - start < 3


def test_the_late_refusal_is_early():
    start = time.monotonic()
    with pytest.raises(UnsupportedError, match=r"'prob' \(Sigmoid\) is not piecewise linear"):
        pr.load(CASES / "late_refusal.onnx")
    assert time.monotonic() - start < 5


def test_a_layer_that_is_too_large_is_refused_before_what_follows(tmp_path):
    parts = {k: np.abs(RNG.normal(size=32)).astype(np.float32) for k in "gbmv"}
    model = build(
        [
            node("Conv", ["x", "k"], ["c"], pads=[2] * 4),
            node("BatchNormalization", ["c", "g", "b", "m", "v"], ["n"]),
            node("Relu", ["n"], ["y"]),
        ],
        {"x": [1, 1, 50, 50]},
        {"k": RNG.normal(size=(32, 1, 5, 5)).astype(np.float32), **parts},
    )
    start = time.monotonic()
    with pytest.raises(UnsupportedError, match="needs 200,000,000 entries"):
        loaded(model, tmp_path)
    assert time.monotonic() - start < 30


def test_shared_rationals_are_the_same_numbers(tmp_path):
    """A kernel over many pixels and a normalisation: every channel against fractions."""
    parts = {k: np.abs(RNG.normal(size=3)).astype(np.float32) for k in "gbmv"}
    kernel = RNG.normal(size=(3, 1, 3, 3)).astype(np.float32)
    model = build(
        [
            node("Conv", ["x", "k"], ["c"], pads=[1] * 4),
            node("BatchNormalization", ["c", "g", "b", "m", "v"], ["n"]),
            node("Relu", ["n"], ["y"]),
        ],
        {"x": [1, 1, 20, 20]},
        {"k": kernel, **parts},
    )
    (layer,) = same(model, tmp_path).layers
    exact = layer.weight.to_fmpq_mat()
    factors = {exact[c * 400 + 21, 0] / pr.network.rational.to_fmpq(float(kernel[c, 0, 0, 0]))
               for c in range(3)}  # fmt: skip
    assert len(factors) == 3
    for c in range(3):
        for i, j in ((0, 0), (1, 2), (2, 1)):
            entry = exact[c * 400 + 10 * 20 + 7, (9 + i) * 20 + 6 + j]
            assert entry / pr.network.rational.to_fmpq(float(kernel[c, 0, i, j])) in factors


# ---- compressed files


def test_compressed_models(tmp_path):
    model = build([node("Relu", ["x"], ["y"])], {"x": [1, 3]})
    plain = saved(model, tmp_path, "net.onnx")
    packed = tmp_path / "net.onnx.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    network = pr.load(packed)
    assert network.sha256 == pr.load(plain).sha256
    assert (network.name, network.source["format"]) == ("net", "onnx")
    (tmp_path / "again.onnx").write_bytes(packed.read_bytes())
    assert pr.load(tmp_path / "again.onnx").sha256 == network.sha256


def test_compressed_files_that_are_refused(tmp_path, monkeypatch):
    packed = tmp_path / "net.onnx.gz"
    packed.write_bytes(gzip.compress(bytes(2**27)))
    with pytest.raises(FormatError, match="inflates to more than 67108864 bytes"):
        pr.load(packed)
    packed.write_bytes(gzip.compress(b"x" * 1000)[:-9])
    with pytest.raises(FormatError, match="truncated|damaged"):
        pr.load(packed)
    packed.write_bytes(gzip.compress(b"nothing of the kind"))
    with pytest.raises(FormatError, match="not an ONNX model"):
        pr.load(packed)
    other = tmp_path / "net.nnet.gz"
    other.write_bytes(gzip.compress(b"1,1,1,1"))
    with pytest.raises(FormatError, match=r"only \.onnx\.gz is read so"):
        pr.load(other)
    model = build([node("Relu", ["x"], ["y"])], {"x": [1, 3]})
    with pytest.raises(FormatError, match="cannot write this format"):
        pr.network.save(loaded(model, tmp_path), packed)


def test_models_that_name_other_operator_sets(tmp_path):
    """Domains of machine learning or training among the imports change nothing by themselves."""
    model = build([node("Relu", ["x"], ["y"])], {"x": [1, 3]}, dtype=TensorProto.FLOAT)
    model.opset_import.extend([helper.make_opsetid("ai.onnx.ml", 3)])
    assert loaded(model, tmp_path).bits == (3,)
    model.graph.node.insert(0, node("Scaler", ["x"], ["w"], domain="ai.onnx.ml"))
    with pytest.raises(UnsupportedError, match=r"ai\.onnx\.ml\.Scaler"):
        loaded(model, tmp_path)


@pytest.mark.parametrize("name", ["net.txt", "net", "net.nt"])
def test_sherlock_text_is_named(tmp_path, name):
    path = tmp_path / name
    path.write_text("2\n1\n1\n3\n" + "\n".join(["0.5"] * 13) + "\n")
    with pytest.raises(FormatError, match="text format of Sherlock"):
        pr.load(path)
    path.write_text("2\n1\nx\n")
    with pytest.raises(FormatError):
        pr.load(path)
