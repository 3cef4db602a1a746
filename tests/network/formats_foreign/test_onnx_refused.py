"""ONNX files that are refused: by operator and node, by container, damaged and hostile ones."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from itertools import pairwise

import numpy as np
import onnx
import pytest
from flint import fmpq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats.onnx import OPERATORS, read
from polyrank.network.formats.options import LoadOptions
from polyrank.network.forward import forward_exact
from tests.network.formats_foreign.onnx_models import build, loaded, node, saved

X = {"x": [1, 4]}


def one(op, *more, constants=None, shape=(1, 4), opset=17, outputs=("y",), **attributes):
    nodes = [node(op, ["x", *more], list(outputs), name="the_node", **attributes)]
    return build(nodes, {"x": list(shape)}, constants, outputs[:1], opset=opset)


@pytest.mark.parametrize(
    ("op", "reason"),
    [
        ("Sigmoid", "HardSigmoid is piecewise linear; as the last operation .*--cut-final"),
        ("Tanh", "HardTanh .*--cut-final"),
        ("Softmax", "not piecewise linear; as the last operation .*--cut-final"),
        ("LogSoftmax", "--cut-final"),
        ("Elu", "not piecewise linear; LeakyRelu is piecewise linear"),
        ("Selu", "not piecewise linear"),
        ("Softplus", "not piecewise linear"),
        ("Sin", "not piecewise linear; replace it"),
        ("Exp", "not piecewise linear"),
        ("Sqrt", "not piecewise linear"),
        ("LSTM", "not piecewise linear"),
        ("Sign", "not continuous"),
        ("Round", "not continuous"),
        ("ThresholdedRelu", "not continuous; Relu with a bias is continuous"),
        ("ArgMax", "not continuous"),
        ("If", "not supported; the operators read are Abs, Add"),
        ("MyOperator", "not supported"),
    ],
)
def test_refused_operators(tmp_path, op, reason):
    with pytest.raises(UnsupportedError, match=rf"node 'the_node' \({op}\) is {reason}|{reason}"):
        loaded(one(op), tmp_path)


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "Sigmoid", "Tanh"])
def test_cut_final(tmp_path, op):
    model = build(
        [node("Relu", ["x"], ["h"]), node(op, ["h"], ["s"]), node("Identity", ["s"], ["y"])], X
    )
    network = loaded(model, tmp_path, cut_final=True)
    assert network.widths == (4, 4)
    (note,) = [n for n in network.source["notes"] if "cut off" in n]
    assert ("common shift" in note) == op.endswith("Softmax")


def test_cut_final_cuts_nothing_inside(tmp_path):
    model = build([node("Sigmoid", ["x"], ["h"]), node("Relu", ["h"], ["y"])], X)
    with pytest.raises(UnsupportedError, match="Sigmoid"):
        loaded(model, tmp_path, cut_final=True)


def test_cut_final_without_anything_to_cut(tmp_path):
    network = loaded(build([node("Relu", ["x"], ["y"])], X), tmp_path, cut_final=True)
    assert network.source["notes"] == []


W = {"W": np.ones((4, 2), np.float32)}
IMAGE = (1, 2, 3)
ROW, PAIR = (1, 1, 3), ("y", "i")
FOUR = {"a": np.ones(4, np.float32)}
KERNEL = {"k": np.ones((1, 2, 2), np.float32)}


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (one("Mul", "x"), UnsupportedError, "multiplies two values that depend"),
        (one("MatMul", "x", shape=(2, 2)), UnsupportedError, "multiplies two matrices"),
        (one("Gemm", "x", shape=(2, 2)), UnsupportedError, "multiplies two matrices"),
        (one("MatMul", "W", constants={"W": np.ones((3, 2), np.float32)}), FormatError, "chain"),
        (one("MatMul", "W", constants={"W": np.ones((5, 4, 2), np.float32)}, shape=(2, 3, 4)),
         FormatError, "do not chain"),
        (one("MatMul", "W", constants={"W": np.float32(1)}), FormatError, "do not chain"),
        (one("Gemm", "W", constants=W, shape=(4,)), FormatError, "expected two matrices"),
        (one("Gemm", "W", "c", constants={**W, "c": np.ones((3, 2), np.float32)}), FormatError,
         "C of shape"),
        (one("Add", "W", constants={"W": np.ones((3,), np.float32)}), FormatError, "do not fit"),
        (one("Add"), FormatError, "lacks its input number 1"),
        (one("Div", "W", constants={"W": np.float32([1, 0, 1, 1])}), NetworkError, "by zero"),
        (one("Div", "x"), UnsupportedError, "the divisor depends on the network's input"),
        (one("Add", "W", constants={"W": np.float32([np.nan])}), NetworkError, "nan"),
        (one("Cast", to=7), UnsupportedError, "rounding is not continuous"),
        (one("Gather", "x"), UnsupportedError, "the indices depends on|depends"),
        (one("Gather", "i", constants={"i": np.array([9])}, axis=1), FormatError, "outside of"),
        (one("GatherElements", "i", constants={"i": np.array([9])}), FormatError, "do not fit"),
        (one("GatherND", "i", constants={"i": np.array([[0, 9]])}), FormatError, "outside of the"),
        (one("GatherND", "i", constants={"i": np.array([[0, 0, 0]])}), FormatError, "do not fit"),
        (one("Reshape", "s", constants={"s": np.array([3, -1])}), FormatError, "cannot take"),
        (one("Reshape"), FormatError, "lacks its shape"),
        (one("Reshape", "s", constants={"s": np.float32([0.5])}), FormatError, "made of integers"),
        (one("Flatten", axis=7), FormatError, "no axis 7"),
        (one("Squeeze", "a", constants={"a": np.array([1])}), FormatError, "not of length 1"),
        (one("Unsqueeze"), FormatError, "lacks its axes"),
        (one("Unsqueeze", "a", constants={"a": np.array([0, 0])}), FormatError, "not distinct"),
        (one("Transpose", perm=[0, 0]), FormatError, "not an order"),
        (one("Transpose", perm=1), FormatError, "expected integers"),
        (one("Flatten", axis="x"), FormatError, "expected an integer"),
        (one("Concat", "W", constants=W, axis=0), FormatError, "do not fit along axis 0"),
        (one("Split", axis=1, outputs=("y", *"abcde")), FormatError, "cannot be split"),
        (one("Slice"), FormatError, "lacks its starts"),
        (one("Slice", "a", "b", "", "z", constants={"a": np.array([0]), "b": np.array([1]),
             "z": np.array([0])}), FormatError, "steps"),
        (one("Expand", "s", constants={"s": np.array([-1])}), FormatError, "is not a shape"),
        (one("Expand", "s", constants={"s": np.array([2**40, 1])}), UnsupportedError, "entries"),
        (one("Tile", "s", constants={"s": np.array([1])}), FormatError, "do not fit shape"),
        (one("Tile", "s", constants={"s": np.array([2**20, 2**20])}), UnsupportedError, "entries"),
        (one("Pad", "p", constants={"p": np.array([1])}), FormatError, "do not fit 2 axes"),
        (one("Pad", "p", constants={"p": np.array([0, 2**40, 0, 0])}), UnsupportedError, "entries"),
        (one("Pad", "p", constants={"p": np.zeros(4, np.int64)}, mode="odd"), FormatError, "'odd'"),
        (one("Pad", "p", "v", constants={"p": np.array([0, 1, 0, 0]), "v": np.float32(np.inf)}),
         UnsupportedError, "pads with inf"),
        (one("Conv", "k", constants=KERNEL), FormatError, r"expected \(N, C"),
        (one("Conv", "k", constants=KERNEL, shape=(1, 3, 3)), FormatError, "3 channels"),
        (one("Conv", "k", constants=KERNEL, shape=IMAGE, kernel_shape=[3]), FormatError, "fit"),
        (one("Conv", "k", "b", constants={**KERNEL, "b": np.ones(7, np.float32)}, shape=IMAGE),
         FormatError, "the bias has shape"),
        (one("Conv", "k", constants=KERNEL, shape=IMAGE, auto_pad="x"), FormatError, "auto_pad"),
        (one("Conv", "k", constants=KERNEL, shape=IMAGE, auto_pad=3), FormatError, "a string"),
        (one("ConvTranspose", "k", constants=KERNEL, shape=IMAGE), FormatError, "2 channels"),
        (one("ConvTranspose", "k", constants=KERNEL, shape=ROW, strides=[0]), FormatError, "stri"),
        (one("ConvTranspose", "k", constants=KERNEL, shape=ROW, pads=[9, 9]), FormatError, "noth"),
        (one("ConvTranspose", "k", constants=KERNEL, shape=(1, 1, 3, 3)), FormatError, "fit"),
        (one("AveragePool", shape=IMAGE), FormatError, "windows over 1 spatial axes"),
        (one("MaxPool", shape=IMAGE, kernel_shape=[9]), FormatError, "does not fit into axis 0"),
        (one("MaxPool", shape=IMAGE, kernel_shape=[1], pads=[1, 1]), FormatError, "of nothing"),
        (one("MaxPool", shape=IMAGE, kernel_shape=[2], outputs=PAIR), UnsupportedError, "indices"),
        (one("PRelu", "a", constants={"a": np.ones((3, 1, 4), np.float32)}), FormatError, "slopes"),
        (one("Clip", "a", constants={"a": np.float32([1, 2])}), FormatError, "not one number"),
        (one("Clip", "a", constants={"a": np.float32(np.nan)}), FormatError, "bound 'min' is nan"),
        (one("Clip", "a", constants={"a": np.float32(np.inf)}), FormatError, "bound 'min' is inf"),
        (one("LeakyRelu", alpha="x"), FormatError, "expected a number"),
        (one("ReduceMean", axes=[7], opset=13), FormatError, "no axis 7"),
        (one("ReduceSum", shape=(2, 1, 1), opset=11, axes=[0, 0]), FormatError, "not distinct"),
        (one("BatchNormalization", "s", "s", "s", "v", constants={"s": np.ones(4, np.float32),
             "v": np.full(4, -1, np.float32)}), NetworkError, "variance . epsilon is"),
        (one("BatchNormalization", "s", "s", "s", "s", constants={"s": np.ones(3, np.float32)}),
         FormatError, "do not fit 4 channels"),
        (one("BatchNormalization", "s", "s", "s", "s", constants={"s": np.ones(4, np.float32)},
             training_mode=1), UnsupportedError, "training mode"),
        (one("DepthToSpace", blocksize=2), FormatError, "blocks of 2 do not fit"),
        (one("SpaceToDepth", blocksize=2, shape=(1, 1, 3, 3)), FormatError, "not well formed"),
        (one("Resize", shape=(1, 1, 3)), FormatError, "do not fit 3 axes"),
        (one("Resize", "", "s", constants={"s": np.float32([1, 1, 0.1])}, shape=(1, 1, 3)),
         FormatError, "nothing is left along axis 2"),
        (one("Resize", "", "s", constants={"s": np.float32([1, 1, 2])}, shape=(1, 1, 3),
             nearest_mode="odd"), FormatError, "nearest_mode is 'odd'"),
        (one("Where", "a", "a", constants=FOUR), UnsupportedError, "condition"),
        (one("Constant", opset=17), UnsupportedError, "expected a dense tensor|holds"),
        (one("Dropout", outputs=("y", "mask", "third")), UnsupportedError, "output number 2"),
    ],
)  # fmt: skip
def test_malformed_nodes(tmp_path, model, error, message):
    with pytest.raises(error, match=message) as caught:
        loaded(model, tmp_path)
    assert "the_node" in str(caught.value)


def test_constants_of_shape_and_ranges(tmp_path):
    nodes = [
        node("ConstantOfShape", ["s"], ["c"], value=helper.make_tensor("v", 1, [1], [2.5])),
        node("Range", ["a", "b", "d"], ["r"]),
        node("Cast", ["r"], ["f"], to=1),
        node("Add", ["c", "f"], ["e"]),
        node("Add", ["x", "e"], ["y"]),
    ]
    constants = {"s": np.array([4]), "a": np.array(1), "b": np.array(9), "d": np.array(2)}
    network = loaded(build(nodes, X, constants), tmp_path)
    assert list(forward_exact(network, [0] * 4)) == [
        forward_exact(network, [0] * 4)[0] + k for k in (0, 2, 4, 6)
    ]
    for name, value, message in (
        ("s", np.array([-1]), "is not a shape"),
        ("s", np.array([2**40]), "entries"),
        ("d", np.array(0), "describe no range"),
        ("b", np.array(2**50), "entries"),
    ):
        with pytest.raises(NetworkError, match=message):
            loaded(build(nodes, X, {**constants, name: value}), tmp_path)
    nodes[0] = node("ConstantOfShape", ["s"], ["c"], value=helper.make_tensor("v", 1, [2], [1, 2]))
    with pytest.raises(FormatError, match="not one number"):
        loaded(build(nodes, X, constants), tmp_path)


def test_integer_division_of_shapes_truncates(tmp_path):
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Div", ["s", "two"], ["h"]),
        node("Mul", ["h", "minus"], ["m"]),
        node("Sub", ["m", "one"], ["k"]),
        node("Neg", ["k"], ["n"]),
        node("Max", ["n", "one"], ["t"]),
        node("Tile", ["x", "t"], ["y"]),
    ]
    constants = {"two": np.array([2, 3]), "minus": np.array([1, -1]), "one": np.array([1, 0])}
    # shape (1, 4): (0, 1) → (0, -1) → (-1, -1) → (1, 1)
    assert loaded(build(nodes, X, constants), tmp_path).widths == (4, 4)


def test_constants_of_many_kinds(tmp_path):
    """1/3 as a bound, padded, in bfloat16 and through unused outputs: all evaluated exactly."""
    nodes = [
        node("Div", ["one", "three"], ["third"]),
        node("Unsqueeze", ["third", "zero"], ["u"]),
        node("Pad", ["u", "pads"], ["p"]),
        node("Clip", ["x", "third"], ["c"]),
        node("Cast", ["half"], ["h"], to=16),
        node("Pad", ["h", "pads"], ["q"]),
        node("Dropout", ["c"], ["d", ""]),
        node("Add", ["d", "p"], ["e"]),
        node("Add", ["e", "q"], ["y"]),
    ]
    constants = {
        "one": np.float32(1), "three": np.float32(3), "zero": np.array([0]),
        "pads": np.array([1, 2]), "half": np.float32([0.5]),
    }  # fmt: skip
    network = loaded(build(nodes, X, constants), tmp_path)
    third = forward_exact(network, [0] * 4)[0]
    assert 3 * third == 1
    assert list(forward_exact(network, [5, 0, -1, 1])) == [5, third + third + fmpq(1, 2), third, 1]


def test_reductions_over_no_axes(tmp_path):
    for op in ("ReduceMax", "ReduceMin", "ReduceL1", "ReduceSum", "ReduceMean"):
        opset = 18
        model = one(op, noop_with_empty_axes=1, opset=opset)
        expected = [1, 2, 3, 4] if op == "ReduceL1" else [-1, 2, -3, 4]
        assert list(forward_exact(loaded(model, tmp_path), [-1, 2, -3, 4])) == expected


def test_empty_tensors(tmp_path):
    nodes = [node("Slice", ["x", "a", "a"], ["e"]), node("ReduceSum", ["e"], ["y"], name="s")]
    with pytest.raises(FormatError, match="'s'.* is empty"):
        loaded(build(nodes, X, {"a": np.array([0])}), tmp_path)
    nodes = [
        node("Slice", ["c", "a", "a"], ["e"]),
        node("Pad", ["e", "p"], ["f"]),
        node("Add", ["x", "f"], ["y"]),
    ]
    constants = {"a": np.array([0]), "c": np.float32([7]), "p": np.array([4, 0])}
    assert list(forward_exact(loaded(build(nodes, X, constants), tmp_path), [1] * 4)) == [1] * 4


def test_casts(tmp_path):
    assert loaded(one("Cast", to=16), tmp_path).widths == (4, 4)
    nodes = [node("Cast", ["c"], ["d"], to=99), node("Add", ["x", "d"], ["y"])]
    with pytest.raises(UnsupportedError, match="casts to the type number 99"):
        loaded(build(nodes, X, {"c": np.ones(4, np.float32)}), tmp_path)


def test_out_of_memory_is_an_error_of_the_node(tmp_path, monkeypatch):
    def full(_):
        raise MemoryError

    monkeypatch.setitem(OPERATORS, "Relu", full)
    with pytest.raises(UnsupportedError, match=r"\(Relu\) needs more memory than there is"):
        loaded(one("Relu"), tmp_path)


# ---- graphs


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (build([node("Relu", ["q"], ["y"])], X), FormatError, "nothing computes its input 'q'"),
        (build([node("Relu", ["x"], ["h"])], X), FormatError, "nothing computes the output 'y'"),
        (build([node("Relu", ["y"], ["y"])], X), FormatError, "depends on its own output"),
        (
            build([node("Relu", ["b"], ["y"]), node("Relu", ["y"], ["b"])], X),
            FormatError,
            "depends on its own output",
        ),
        (
            build([node("Relu", ["x"], ["y"]), node("Abs", ["x"], ["y"])], X),
            FormatError,
            "'y' is computed twice",
        ),
        (build([node("Relu", ["x"], ["c"])], X, {"c": W["W"]}), FormatError, "computed twice"),
        (
            build([node("Relu", ["x"], ["x"]), node("Neg", ["x"], ["y"])], X),
            FormatError,
            "'x' is computed twice",
        ),
        (
            build(
                [node("Sqrt", ["c"], ["s"]), node("Div", ["x", "s"], ["y"])],
                X,
                {"c": np.array([4.0], np.float32)},
            ),
            UnsupportedError,
            "is applied to constants, and Sqrt is not computed here",
        ),
        (
            build(
                [node("If", ["c"], ["s"]), node("Add", ["x", "s"], ["y"])],
                X,
                {"c": np.array([True])},
            ),
            UnsupportedError,
            "is not supported",
        ),
        (build([node("Relu", ["x"], ["y"])], {}), UnsupportedError, "the graph has no inputs"),
        (
            build([node("Relu", ["c"], ["y"])], {}, {"c": W["W"]}),
            UnsupportedError,
            "the graph has no inputs",
        ),
        (build([node("Relu", ["x"], ["y"])], {"x": [1, "n"]}), UnsupportedError, "only the first"),
        (build([node("Relu", ["x"], ["y"])], X, opset=5), UnsupportedError, "set 5; 6 to 28"),
        (build([node("Relu", ["x"], ["y"])], X, opset=99), UnsupportedError, "version_converter"),
        (
            build([node("Relu", ["x"], ["y"], domain="com.microsoft")], X),
            UnsupportedError,
            r"com\.microsoft\.Relu",
        ),
        (
            build([node("Relu", ["x"], ["y"])], X, dtype=TensorProto.INT64),
            UnsupportedError,
            "holds INT64 numbers",
        ),
        (
            build([node("Relu", ["x"], ["y"])], {"x": []}, dtype=TensorProto.STRING),
            UnsupportedError,
            "holds STRING",
        ),
        (
            build([node("Slice", ["x", "a", "a"], ["y"])], X, {"a": np.array([0])}),
            UnsupportedError,
            "the output 'y' is empty",
        ),
    ],
)
def test_malformed_graphs(tmp_path, model, error, message):
    with pytest.raises(error, match=message):
        loaded(model, tmp_path)


def test_scalar_inputs_and_double_precision(tmp_path):
    model = build([node("Relu", ["x"], ["y"])], {"x": []}, dtype=TensorProto.DOUBLE)
    assert loaded(model, tmp_path).widths == (1, 1)


def test_inputs_without_a_shape_or_that_are_not_tensors(tmp_path):
    model = build([node("Relu", ["x"], ["y"])], X)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(UnsupportedError, match="'x' has no shape"):
        loaded(model, tmp_path)
    model.graph.input[0].type.CopyFrom(
        helper.make_sequence_type_proto(helper.make_tensor_type_proto(1, [1]))
    )
    with pytest.raises(UnsupportedError, match="'x' is a sequence_type"):
        loaded(model, tmp_path)


def test_outputs_of_a_node_that_are_not_read(tmp_path):
    model = build([node("BatchNormalization", ["x", *"ssss"], ["a", "y"])], X,
                  {"s": np.ones(4, np.float32)})  # fmt: skip
    with pytest.raises(UnsupportedError, match="output number 1 is not supported"):
        loaded(model, tmp_path)


def test_strings_and_sparse_tensors(tmp_path):
    model = one("Add", "c")
    model.graph.initializer.append(helper.make_tensor("c", TensorProto.STRING, [1], [b"a"]))
    with pytest.raises(UnsupportedError, match="'c' holds strings"):
        loaded(model, tmp_path)
    model = one("Add", "c")
    values = helper.make_tensor("c", 1, [1], [2.0])
    indices = helper.make_tensor("i", 7, [1], [0])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))
    with pytest.raises(UnsupportedError, match="'c' is sparse"):
        loaded(model, tmp_path)


def test_lying_tensors(tmp_path):
    for dims, message in (([2**40], "declares the shape"), ([-1], "declares the shape"),
                          ([3], "cannot be read")):  # fmt: skip
        model = one("Add", "c", constants={"c": np.ones(4, np.float32)})
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(dims)
        with pytest.raises(FormatError, match=message):
            loaded(model, tmp_path)


def test_bfloat16_and_float16_weights(tmp_path):
    for kind in (TensorProto.BFLOAT16, TensorProto.FLOAT16):
        model = one("Mul", "c")
        model.graph.initializer.append(helper.make_tensor("c", kind, [4], [0.5, -1.5, 2.0, 256.0]))
        weight = loaded(model, tmp_path).layers[0].weight
        assert np.diag(weight.approx).tolist() == [0.5, -1.5, 2.0, 256.0]


# ---- data outside of the file


def external(folder, location, *, offset=None, length=None, size=16, write=True):
    model = one("Add", "c", constants={"c": np.zeros(4, np.float32)})
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        if value is not None:
            entry = tensor.external_data.add()
            entry.key, entry.value = key, str(value)
    if write:
        data = np.arange(size // 4, dtype=np.float32).tobytes()
        (folder / "weights.bin").write_bytes(b"\0" * (offset or 0) + data)
    return saved(model, folder)


def test_external_data_inside_the_folder(tmp_path):
    for options in ({}, {"offset": 8}, {"length": 16}):
        path = external(tmp_path, "weights.bin", **options)
        assert list(forward_exact(read(path, LoadOptions()), [0] * 4)) == [0, 1, 2, 3]


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "", "a/../../secret.bin"])
def test_external_data_elsewhere_is_not_opened(tmp_path, location):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    with pytest.raises(UnsupportedError, match="is not inside the model's folder"):
        read(external(folder, location), LoadOptions())


def test_external_data_through_a_link_is_not_opened(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(UnsupportedError, match="is not inside the model's folder"):
        read(external(folder, "link.bin"), LoadOptions())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 15}, "does not have the 16 bytes"),
        ({"size": 12}, "is truncated: 12 of 16"),
        ({"offset": -4, "write": False}, "does not have|cannot be read"),
        ({"length": "x"}, "cannot be read"),
    ],
)
def test_damaged_external_data(tmp_path, options, message):
    (tmp_path / "weights.bin").write_bytes(bytes(16))
    with pytest.raises(FormatError, match=message):
        read(external(tmp_path, "weights.bin", **options), LoadOptions())


def test_missing_external_data(tmp_path):
    with pytest.raises(FormatError, match="cannot be read"):
        read(external(tmp_path, "none.bin"), LoadOptions())


def test_external_data_without_a_folder(tmp_path):
    from polyrank.network.formats.onnx_parse import parse_model

    data = external(tmp_path, "weights.bin").read_bytes()
    with pytest.raises(UnsupportedError, match="without the model's folder"):
        parse_model(data, None)


# ---- bytes


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "empty"),
        (b"not a model at all", "not an ONNX model"),
        (b"\x08\x07", "names no version"),
        (helper.make_model(helper.make_graph([], "g", [], [])).SerializeToString(), "no nodes"),
    ],
)
def test_other_bytes(tmp_path, raw, message):
    path = tmp_path / "a.onnx"
    path.write_bytes(raw)
    with pytest.raises(FormatError, match=message):
        read(path, LoadOptions())


def small():
    W0 = np.arange(12, dtype=np.float32).reshape(4, 3)
    nodes = [
        node("Conv", ["i", "k"], ["c"], pads=[1, 0]),
        node("MaxPool", ["c"], ["p"], kernel_shape=[2], strides=[2]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "W"], ["z"]),
        node("LeakyRelu", ["z"], ["y"], alpha=0.5),
        node("Reshape", ["x", "s"], ["i"]),
    ]
    return build(
        nodes, {"x": [1, 8]}, {"k": np.float32([[[1, 2]]]), "W": W0[:4], "s": np.array([1, 1, 8])}
    )


def test_every_truncation(tmp_path):
    data = small().SerializeToString()
    path = tmp_path / "a.onnx"
    path.write_bytes(data)
    whole = read(path, LoadOptions())
    assert whole.input_dim == 8
    for length in range(1, len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(NetworkError):
            read(path, LoadOptions())


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_fuzzed_files(tmp_path, data):
    raw = bytearray(small().SerializeToString())
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "a.onnx"
    path.write_bytes(bytes(raw))
    with suppress(NetworkError):
        read(path, LoadOptions(cut_final=True))


@pytest.mark.slow
def test_small_files_cannot_ask_for_much_memory(tmp_path):
    """Repeated doubling: 40 Concat nodes would make 2^42 entries."""
    names = ["x", *(f"t{k}" for k in range(40))]
    nodes = [node("Concat", [a, a], [b], axis=1) for a, b in pairwise(names)]
    model = build(nodes, X, outputs=(names[-1],))
    tracemalloc.start()
    try:
        with pytest.raises(UnsupportedError, match="entries"):
            loaded(model, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 2 * 2**30
    finally:
        tracemalloc.stop()


def test_sparse_attribute(tmp_path):
    values, indices = helper.make_tensor("v", 1, [1], [2.0]), helper.make_tensor("i", 7, [1], [0])
    sparse = helper.make_sparse_tensor(values, indices, [4])
    nodes = [node("Constant", [], ["c"], sparse_value=sparse), node("Add", ["x", "c"], ["y"])]
    with pytest.raises(UnsupportedError, match="expected a dense tensor"):
        loaded(build(nodes, X), tmp_path)
    for name, value in (("value_float", 1.5), ("value_floats", [1.5]), ("value_int", 2)):
        nodes[0] = node("Constant", [], ["c"], **{name: value})
        network = loaded(build(nodes, X), tmp_path)
        assert float(network.layers[0].bias.approx[0]) == np.ravel(value)[0]


def test_attribute_of_an_unknown_type(tmp_path):
    model = one("Flatten")
    model.graph.node[0].attribute.append(onnx.AttributeProto(name="axis"))
    with pytest.raises(FormatError, match="axis is None; expected an integer"):
        loaded(model, tmp_path)
