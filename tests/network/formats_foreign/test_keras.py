"""Keras files in the layouts of Keras 2 and 3, made with h5py."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats.keras_hdf5 import Group, open_hdf5
from polyrank.network.formats.keras_weights import weights_by_name, weights_by_place
from polyrank.network.forward import forward_exact
from polyrank.network.rational import to_fmpq

h5py = pytest.importorskip("h5py")
DATA = Path(__file__).parent / "data"


def test_weights_are_the_stored_numbers():
    network = pr.load(DATA / "keras_dense.keras")
    assert network.widths == (3, 4, 4, 2)
    with zipfile.ZipFile(DATA / "keras_dense.keras") as archive:
        data = archive.read("model.weights.h5")
    path = "layers/dense{}/vars/{}"
    with h5py.File(io.BytesIO(data)) as file:
        for layer, suffix in zip(network.layers, ("", "_1", "_2"), strict=True):
            assert layer.weight.is_float
            assert np.array_equal(layer.weight.approx, file[path.format(suffix, 0)][()].T)
            assert np.array_equal(layer.bias.approx, file[path.format(suffix, 1)][()])
    assert network.layers[1].slopes_exact[0] == (to_fmpq(0.2), fmpq(1))


# ---- files in the layout of Keras 2


W = np.array([[0.5, -1.0], [2.0, 0.25], [1.0, 1.0]], dtype=np.float32)  # (in, out)
B = np.array([0.125, -3.0], dtype=np.float32)


def dense(name="d", units=2, **config):
    return {"class_name": "Dense", "config": {"name": name, "units": units, **config}}


def other(kind, name=None, **config):
    return {"class_name": kind, "config": {"name": name or kind.lower(), **config}}


def saved(
    folder: Path,
    layers: list[Any],
    weights: dict[str, list[Any]],
    *,
    shape: Any = (None, 3),
    version: str = "2.9.0",
    model: str = "Sequential",
    config: Any = None,
) -> Path:
    path = folder / "model.h5"
    start = other("InputLayer", "in", batch_input_shape=None if shape is None else list(shape))
    body = config or {"name": "m", "layers": [start, *layers]}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": model, "config": body})
        file.attrs["keras_version"] = version
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in weights]
        for name, arrays in weights.items():
            inner = group.create_group(name)
            inner.attrs["weight_names"] = [f"{name}/w{k}:0".encode() for k in range(len(arrays))]
            for k, array in enumerate(arrays):
                inner.create_dataset(f"{name}/w{k}:0", data=array)
    return path


def outputs(path: Path, *points: Any, **options: Any) -> list[list[Fraction]]:
    network = pr.load(path, **options)
    return [
        [Fraction(int(v.p), int(v.q)) for v in forward_exact(network, point)] for point in points
    ]


POINTS = ([0, 0, 0], [1, -2, 3], [-5, "1/2", "1/3"], [4, 4, 4])
Z = [
    [sum(Fraction(float(W[i, j])) * Fraction(p[i]) for i in range(3)) + Fraction(float(B[j]))
     for j in range(2)]
    for p in POINTS
]  # fmt: skip


def clipped(low, high):
    return lambda z: min(max(z, Fraction(low)), Fraction(high))


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("linear", lambda z: z),
        (None, lambda z: z),
        ("relu", lambda z: max(z, Fraction(0))),
        ("relu6", clipped(0, 6)),
        ("hard_sigmoid", lambda z: clipped(0, 1)(Fraction(0.2) * z + Fraction(1, 2))),
        ({"class_name": "function", "config": "relu"}, lambda z: max(z, Fraction(0))),
        ({"class_name": "LeakyReLU", "config": {"alpha": 0.5}}, lambda z: max(z, z / 2)),
        ({"class_name": "ReLU", "config": {"max_value": 2.0}}, clipped(0, 2)),
    ],
)
def test_dense_activations(tmp_path, activation, function):
    path = saved(tmp_path, [dense(activation=activation)], {"d": [W, B]})
    assert outputs(path, *POINTS) == [[function(z) for z in row] for row in Z]


def test_activations_of_keras_3(tmp_path):
    for activation, function in (
        ("hard_sigmoid", lambda z: clipped(0, 1)(z / 6 + Fraction(1, 2))),
        ("hard_tanh", clipped(-1, 1)),
        ("leaky_relu", lambda z: max(z, Fraction(0.2) * z)),
    ):
        layers = [dense(activation=activation)]
        path = saved(tmp_path, layers, {"d": [W, B]}, version="3.1.0")
        assert outputs(path, *POINTS) == [[function(z) for z in row] for row in Z]


@pytest.mark.parametrize(
    ("layer", "arrays", "function"),
    [
        (other("ReLU"), [], lambda z, k: max(z, Fraction(0))),
        (other("ReLU", negative_slope=0.5), [], lambda z, k: max(z, z / 2)),
        (
            other("ReLU", negative_slope=0.5, max_value=1.0),
            [],
            lambda z, k: min(max(z, z / 2), Fraction(1)),
        ),
        (other("LeakyReLU", alpha=0.25), [], lambda z, k: max(z, z / 4)),
        (other("LeakyReLU"), [], lambda z, k: max(z, Fraction(0.3) * z)),
        (other("PReLU"), [[0.5, -1.0]], lambda z, k: z if z > 0 else z * [Fraction(1, 2), -1][k]),
        (other("Activation", activation="relu"), [], lambda z, k: max(z, Fraction(0))),
        (other("Dropout", rate=0.5), [], lambda z, k: z),
        (other("Flatten"), [], lambda z, k: z),
        (other("Rescaling", scale=0.5, offset=[1.0, 2.0]), [], lambda z, k: z / 2 + 1 + k),
        (
            other("BatchNormalization", epsilon=0.0),
            [[2.0, 1.0], [0.5, 0.0], [1.0, -1.0], [4.0, 0.25]],  # factors 1 and 2 exactly
            lambda z, k: [z - 1 + Fraction(1, 2), 2 * (z + 1)][k],
        ),
        (
            other("BatchNormalization", epsilon=0.0, scale=False, center=False, axis=[1]),
            [[1.0, -1.0], [0.25, 1.0]],
            lambda z, k: [2 * (z - 1), z + 1][k],
        ),
    ],
)  # fmt: skip
def test_layers(tmp_path, layer, arrays, function):
    name = layer["config"]["name"]
    path = saved(tmp_path, [dense(), layer], {"d": [W, B], name: [np.array(a) for a in arrays]})
    expected = [[function(z, k) for k, z in enumerate(row)] for row in Z]
    assert outputs(path, *POINTS) == expected


def test_reshape_and_dense_on_the_last_axis(tmp_path):
    kernel = np.array([[1.0, 2.0]])
    layers = [other("Reshape", target_shape=[3, 1]), dense("k", use_bias=False), other("Flatten")]
    path = saved(tmp_path, layers, {"k": [kernel]})
    assert outputs(path, [1, 2, 3]) == [[1, 2, 2, 4, 3, 6]]


def functional(layers, nodes, outputs_, inputs=(["in", 0, 0],)):
    for layer, sources in zip(layers, nodes, strict=True):
        layer["name"] = layer["config"]["name"]
        layer["inbound_nodes"] = [[[s, 0, 0, {}] for s in sources]] if sources else []
    return {"name": "f", "layers": layers, "input_layers": list(inputs), "output_layers": outputs_}


def test_functional_graphs_of_keras_2(tmp_path):
    start = other("InputLayer", "in", batch_input_shape=[None, 3])
    layers = [
        start, dense("a", activation="relu"), dense("b"), other("Subtract", "s"),
        other("Concatenate", "c", axis=1),
    ]  # fmt: skip
    config = functional(layers, [[], ["in"], ["in"], ["a", "b"], ["s", "b", "in"]], [["c", 0, 0]])
    path = saved(tmp_path, [], {"a": [W, B], "b": [W, B]}, model="Model", config=config)
    got = outputs(path, *POINTS)
    for row, z, p in zip(got, Z, POINTS, strict=True):
        assert row == [*(max(v, Fraction(0)) - v for v in z), *z, *(Fraction(v) for v in p)]


@pytest.mark.parametrize(
    ("layers", "nodes", "ends", "message"),
    [
        ([dense("a")], [["b"]], [["a", 0, 0]], "'b' is used but not there"),
        ([dense("a"), dense("b")], [["b"], ["a"]], [["a", 0, 0]], "depends on its own output"),
        ([dense("a")], [["in"]], [["a", 0, 0], ["in", 0, 0]], "has 2 outputs"),
        ([dense("a")], [[]], [["a", 0, 0]], "is used 0 times"),
        ([other("Add", "a")], [["in", "d"]], [["a", 0, 0]], "inputs of shapes"),
        ([other("Concatenate", "a", axis=5)], [["in", "d"]], [["a", 0, 0]], "cannot join"),
        ([other("Concatenate", "a", axis=None)], [["in", "d"]], [["a", 0, 0]], "cannot join"),
        ([dense("a")], [["in", "d"]], [["a", 0, 0]], "has 2 inputs; expected one"),
    ],
)
def test_damaged_functional_graphs(tmp_path, layers, nodes, ends, message):
    start = [other("InputLayer", "in", batch_input_shape=[None, 3]), dense("d")]
    config = functional([*start, *layers], [[], ["in"], *nodes], ends)
    path = saved(tmp_path, [], {"d": [W, B]}, model="Functional", config=config)
    with pytest.raises(NetworkError, match=message):
        pr.load(path)


def test_input_shape_from_the_first_kernel(tmp_path):
    path = saved(tmp_path, [], {"d": [W, B]}, config=[dense()])
    assert pr.load(path).widths == (3, 2)


@pytest.mark.parametrize(
    ("layers", "weights", "options", "error", "message"),
    [
        ([other("Conv2D")], {}, {}, UnsupportedError, r"\(Conv2D\) is not read.*model.export"),
        ([other("Lambda", function=["4wEAAA"])], {}, {}, UnsupportedError, r"\(Lambda\)"),
        ([dense(activation="tanh")], {"d": [W, B]}, {}, UnsupportedError, "'tanh' is not"),
        ([dense(activation="elu")], {"d": [W, B]}, {}, UnsupportedError, "'elu' is not"),
        ([dense(activation="mine")], {"d": [W, B]}, {}, NetworkError, "unknown activation 'mine'"),
        ([dense(activation="hard_tanh")], {"d": [W, B]}, {}, UnsupportedError, "no hard_tanh"),
        ([dense(activation=[1])], {"d": [W, B]}, {}, UnsupportedError, "activation of its own"),
        ([dense()], {}, {}, FormatError, "has 0 arrays; expected 2"),
        ([dense()], {"d": [W.T, B]}, {}, FormatError, "does not fit inputs of shape"),
        ([dense()], {"d": [W, W]}, {}, FormatError, "the bias has shape"),
        ([dense()], {"d": [W * np.nan, B]}, {}, NetworkError, "nan"),
        ([dense(), other("ReLU", threshold=1.0)], {"d": [W, B]}, {}, UnsupportedError, "threshold"),
        ([dense(), other("ReLU", max_value="x")], {"d": [W, B]}, {}, FormatError, "'x'"),
        ([dense(), other("PReLU")], {"d": [W, B], "prelu": [W]}, {}, FormatError, "slopes of"),
        ([other("Rescaling", scale=[1.0, 2.0])], {}, {}, FormatError, "scale has shape"),
        ([other("Reshape", target_shape="x")], {}, {}, FormatError, "target shape is 'x'"),
        ([other("Reshape", target_shape=[2, 2])], {}, {}, FormatError, "cannot take the shape"),
        ([other("BatchNormalization", axis=0)], {}, {}, UnsupportedError, "along axis 0"),
        ([other("BatchNormalization")], {"batchnormalization": [B] * 4}, {}, FormatError, "fit 3"),
        ([other("Softmax")], {}, {}, UnsupportedError, "softmax"),
        ([dense()], {"d": [W, B]}, {"activation": "abs"}, NetworkError, "does not apply to keras"),
        ([dense()], {"d": [W.astype(complex), B]}, {}, FormatError, "does not hold numbers"),
    ],
)  # fmt: skip
def test_refused_models(tmp_path, layers, weights, options, error, message):
    with pytest.raises(error, match=message):
        pr.load(saved(tmp_path, layers, weights), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": (None, None)}, "only the batch may be open"),
        ({"shape": (None, 0)}, "only the batch may be open"),
        ({"shape": None}, "does not say how many inputs"),
        ({"config": {"layers": []}}, "has no layers"),
        ({"config": {"layers": [3]}}, "configuration of the model is damaged"),
        ({"model": "MyModel"}, "the model is a MyModel, whose Python code"),
    ],
)
def test_damaged_configurations(tmp_path, options, message):
    path = saved(tmp_path, [other("ReLU")], {}, **options)
    with pytest.raises(NetworkError, match=message):
        pr.load(path)


def test_final_softmax_layer_can_be_cut(tmp_path):
    path = saved(tmp_path, [dense(), other("Softmax")], {"d": [W, B]})
    assert outputs(path, *POINTS, cut_final=True) == Z


def test_diamonds_and_inner_models(tmp_path):
    """A layer that two others use is evaluated once; an inner model takes one input."""
    inner = {"class_name": "Sequential",
             "config": {"name": "inner", "layers": [dense("k", use_bias=False)]}}  # fmt: skip
    start = other("InputLayer", "in", batch_input_shape=[None, 3])
    layers = [start, other("ReLU", "r"), dense("a"), inner, other("Add", "s")]
    nodes = [[], ["in"], ["r"], ["r"], ["a", "inner"]]
    config = functional(layers, nodes, [["s", 0, 0]])
    path = saved(tmp_path, [], {"a": [W, B], "inner": []}, model="Functional", config=config)
    with h5py.File(path, "a") as file:
        group = file["model_weights/inner"]
        group.attrs["weight_names"] = [b"inner/k/kernel:0"]
        group["inner/k/kernel:0"] = W
    network = pr.load(path)
    assert network.widths == (3, 3, 2)
    p = [max(Fraction(v), Fraction(0)) for v in POINTS[1]]
    weights, biases = ([Fraction(float(v)) for v in a.T.ravel()] for a in (W, B))
    twice = [2 * sum(weights[3 * j + i] * p[i] for i in range(3)) + biases[j] for j in range(2)]
    assert outputs(path, POINTS[1]) == [twice]
    nodes[3] = ["r", "in"]
    config = functional(layers, nodes, [["s", 0, 0]])
    with pytest.raises(UnsupportedError, match="inner model 'inner' has several inputs"):
        pr.load(saved(tmp_path, [], {"a": [W, B]}, model="Functional", config=config))


def test_outputs_named_by_a_mapping(tmp_path):
    start = other("InputLayer", "in", batch_input_shape=[None, 3])
    config = functional([start, dense("a")], [[], ["in"]], {"first": ["a", 0, 0]})
    path = saved(tmp_path, [], {"a": [W, B]}, model="Functional", config=config)
    assert outputs(path, *POINTS) == Z


def test_a_kernel_without_inputs(tmp_path):
    path = saved(tmp_path, [], {"d": [np.zeros((0, 2)), B]}, config=[dense()])
    with pytest.raises(FormatError, match="the model has no inputs"):
        pr.load(path)


# ---- containers


def test_weights_without_a_model(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = W
    with pytest.raises(FormatError, match=r"weights only.*model\.save"):
        pr.load(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: f.create_dataset("d/w0:0", data=W, chunks=True), "chunked or compressed"),
        (lambda f: f.create_dataset("d/w0:0", data=W, compression="gzip"), "chunked or compressed"),
        (lambda f: f.__setitem__("d/w0:0", h5py.SoftLink("/x")), "a link; it is not followed"),
        (lambda f: f.__setitem__("d/w0:0", h5py.ExternalLink("/etc/passwd", "/x")), "link|newer"),
        (
            lambda f: f.create_dataset("d/w0:0", (3, 2), "f4", external=[("/etc/passwd", 0, 24)]),
            "lies in another file",
        ),
        (lambda f: f.create_group("d/w0:0"), "a weight is not an array"),
        (lambda f: f.create_dataset("d/w1:0", data=W), "is listed but not there"),
        (lambda f: f.create_dataset("d/w0:0", (10**9, 10**9), "f4"), "entries; at most|chunked"),
        (lambda f: f.create_dataset("d/w0:0", data=["text"]), "does not hold numbers"),
    ],
)
def test_storage_that_keras_does_not_write(tmp_path, make, message):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        body = {"layers": [other("InputLayer", batch_shape=[None, 3]), dense(use_bias=False)]}
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": body})
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"d"]
        inner = group.create_group("d")
        inner.attrs["weight_names"] = [b"d/w0:0"]
        make(inner)
    with pytest.raises(NetworkError, match=message):
        pr.load(path)


def test_newer_hdf5_layouts(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file["x"] = W
    with pytest.raises(UnsupportedError, match="layout of newer HDF5 versions"):
        pr.load(path)


DTYPES = ["<f2", "<f4", "<f8", ">f4", ">f8", "i1", "u1", "<i2", ">i4", "<u8"]


def test_element_types_and_long_lists(tmp_path):
    """Every number type, 500 members in one group, and lists of names in several attributes."""
    path = tmp_path / "a.h5"
    arrays = {f"a{k}": np.arange(6).reshape(2, 3).astype(dtype) for k, dtype in enumerate(DTYPES)}
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
        for k in range(500):
            file[f"many/member{k}"] = np.float32(k)
        file.attrs["fixed"] = np.array([b"one", b"three"])
        file.attrs["scalar"] = "text"
        file.attrs["bytes"] = np.bytes_(b"raw")
    root = open_hdf5(path.read_bytes())
    for name, array in arrays.items():
        assert np.array_equal(root.child(name).array(), array)
    many = root.child("many")
    assert isinstance(many, Group)
    assert len(many.members) == 500
    assert float(many.child("member77").array()) == 77.0
    assert root.attributes["fixed"] == ["one", "three"]
    assert root.attributes["scalar"] == "text"
    assert root.attributes["bytes"] == "raw"
    with pytest.raises(FormatError, match="no member 'x'"):
        root.child("x")


def test_split_lists_of_names(tmp_path):
    path = saved(tmp_path, [dense()], {"d": [W, B]})
    with h5py.File(path, "a") as file:
        group = file["model_weights/d"]
        names = group.attrs["weight_names"]
        del group.attrs["weight_names"]
        group.attrs["weight_names0"], group.attrs["weight_names1"] = names[:1], names[1:]
    assert outputs(path, *POINTS) == Z


def weights_file(layers, make):
    """The arrays by place of a model.weights.h5 that ``make`` fills."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        make(file)
    return weights_by_place(open_hdf5(stream.getvalue()), layers)


def test_weights_by_place():
    inner = {"class_name": "Sequential", "config": {"name": "m", "layers": [dense("k")]}}
    layers = [other("ReLU"), dense("a"), inner, dense("b")]

    def make(file):
        base = file.create_group("_layer_checkpoint_dependencies")  # as Keras 2.13 calls it
        base["dense/vars/0"], base["dense_1/vars/0"] = W, 2 * W
        base["sequential/layers/dense/vars/0"] = 3 * W
        base.create_group("re_lu/vars")

    found = weights_file(layers, make)
    assert {k: float(v[0][0, 0]) for k, v in found.items()} == {"a": 0.5, "k": 1.5, "b": 1.0}
    assert weights_file(layers, lambda file: None) == {}
    with pytest.raises(FormatError, match="listed but has no group"):
        stream = io.BytesIO()
        with h5py.File(stream, "w") as file:
            file["d"] = W
            file.attrs["layer_names"] = [b"d"]
        weights_by_name(open_hdf5(stream.getvalue()))


# ---- HDF5


def hdf5(make) -> bytearray:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        make(file)
    return bytearray(stream.getvalue())


def test_compact_and_bfloat16_arrays():
    def make(file):
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((2,))
        data = h5py.h5d.create(file.id, b"small", h5py.h5t.IEEE_F64LE, space, plist)
        data.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([1.5, -2.0]))
        half = h5py.h5t.IEEE_F32LE.copy()
        half.set_fields(15, 7, 8, 0, 7)
        half.set_size(2)
        half.set_ebias(127)
        brain = h5py.h5d.create(file.id, b"brain", half, space)
        raw = (np.array([1.5, -(2.0**100)], dtype="<f4").view("<u4") >> 16).astype("<u2")
        brain.write(h5py.h5s.ALL, h5py.h5s.ALL, raw, half)

    root = open_hdf5(bytes(hdf5(make)))
    assert root.child("small").array().tolist() == [1.5, -2.0]
    assert root.child("brain").array().tolist() == [1.5, -(2.0**100)]


def swapped(data: bytearray, old: bytes, new: bytes, skip: int = 0) -> bytes:
    """The bytes with ``new`` written over ``skip`` bytes after the first ``old``."""
    place = data.index(old) + skip
    return bytes(data[:place] + new + data[place + len(new) :])


def grouped(file):
    file["group/array"] = np.arange(6.0)
    file["group"].attrs["text"] = "a text of some length"


@pytest.mark.parametrize(
    ("old", "new", "skip", "message"),
    [
        (b"HEAP", b"HELP", 0, "names of a group are damaged"),
        (b"TREE", b"\x01", 4, "index of a group is damaged"),
        (b"TREE", b"TRAP", 0, "index of a group is damaged"),
        (b"SNOD", b"SNOB", 0, "index of a group is damaged"),
    ],
)
def test_damaged_groups(old, new, skip, message):
    with pytest.raises(FormatError, match=message):
        open_hdf5(swapped(hdf5(grouped), old, new, skip))


def test_damaged_texts():
    data = hdf5(grouped)
    with pytest.raises(FormatError, match="a text of the HDF5 file is damaged"):
        open_hdf5(swapped(data, b"GCOL", b"GCOD")).child("group")
    # heap objects are found by their number, which starts at 1
    with pytest.raises(FormatError, match="a text of the HDF5 file is missing"):
        open_hdf5(swapped(data, b"GCOL", b"\x07", 16)).child("group")
    with pytest.raises(FormatError, match="a text of the HDF5 file is missing"):
        open_hdf5(swapped(data, b"GCOL", b"\x00", 16)).child("group")


def test_damaged_arrays():
    data = hdf5(lambda file: file.__setitem__("array", np.arange(6.0)))
    good = open_hdf5(bytes(data)).child("array")
    assert good.array().tolist() == list(range(6))
    space = data.index(struct.pack("<BBB5xQ", 1, 1, 1, 6))
    cases = [
        (space + 8, struct.pack("<Q", 7), "needs 56 bytes, 48 are there"),
        (space, b"\x07", "a shape of the HDF5 file is damaged"),
        (space + 1, b"\x20", "cut off"),
    ]
    for place, raw, message in cases:
        broken = bytes(data[:place] + raw + data[place + len(raw) :])
        with pytest.raises(FormatError, match=message):
            open_hdf5(broken).child("array").array()
    shared = data.copy()
    shared[space - 4] = 2  # the flag of a message that lies elsewhere
    with pytest.raises(UnsupportedError, match="shares a part"):
        open_hdf5(bytes(shared)).child("array")


def test_damaged_objects():
    data = hdf5(grouped)
    root = struct.unpack("<Q", data[64:72])[0]
    for raw, error, message in (
        (b"\x05", FormatError, "has version 5"),
        (b"OHDR", UnsupportedError, "newer HDF5"),
    ):
        broken = bytes(data[:root] + raw + data[root + len(raw) :])
        with pytest.raises(error, match=message):
            open_hdf5(broken)
    empty = bytes(data[: root + 2] + b"\0\0" + data[root + 4 :])  # no messages at all
    with pytest.raises(FormatError, match="neither a group nor an array"):
        open_hdf5(empty)
    with pytest.raises(FormatError, match="root of the HDF5 file is not a group"):
        file = hdf5(lambda f: f.__setitem__("array", np.arange(6.0)))
        address = open_hdf5(bytes(file)).members["array"]
        open_hdf5(bytes(file[:64] + struct.pack("<Q", address) + file[72:]))


def test_circular_groups():
    data = hdf5(grouped)
    root = open_hdf5(bytes(data))
    start = struct.unpack("<Q", data[64:72])[0]
    # the member points back to the root
    place = data.index(struct.pack("<Q", root.members["group"]), 96)
    looped = bytes(data[:place] + struct.pack("<Q", start) + data[place + 8 :])
    with pytest.raises(FormatError, match="says of 'group' twice where its members lie"):
        open_hdf5(looped).child("group")
    looped = looped[: place + 16] + bytes(data[80:96]) + looped[place + 32 :]
    group = open_hdf5(looped)
    with pytest.raises(FormatError, match="nested deeper than 32"):
        while True:
            group = group.child("group")
    tree = data.index(b"TREE")
    circle = bytes(data[: tree + 32] + struct.pack("<Q", tree) + data[tree + 40 :])
    with pytest.raises(FormatError, match="index of a group is circular"):
        open_hdf5(circle)
