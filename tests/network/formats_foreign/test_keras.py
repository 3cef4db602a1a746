"""Keras files: models saved by Keras itself, and files in its layouts made with h5py."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import fmpq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import polyrank as pr
from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats.keras_hdf5 import Group, open_hdf5
from polyrank.network.forward import forward, forward_exact
from polyrank.network.rational import to_fmpq

h5py = pytest.importorskip("h5py")
DATA = Path(__file__).parent / "data"
OUTPUTS = json.loads((DATA / "keras_outputs.json").read_text())


@pytest.mark.parametrize("name", sorted(OUTPUTS))
def test_models_saved_by_keras(name):
    network = pr.load(DATA / name, cut_final=True)
    x, y = np.array(OUTPUTS[name]["x"]), np.array(OUTPUTS[name]["y"])
    got = forward(network, x)
    if name == "keras_mixed.h5":  # it ends in a softmax, which was cut off
        got = np.exp(got) / np.exp(got).sum(axis=1, keepdims=True)
        assert any("softmax was cut off" in note for note in network.source["notes"])
    assert np.allclose(got, y, rtol=1e-5, atol=1e-6)


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


def repacked(path: Path, target: Path, **changes: Any) -> Path:
    method = changes.pop("method", zipfile.ZIP_STORED)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w", method) as new:
        for name in old.namelist():
            raw = changes.get(name.partition(".")[0], old.read(name))
            if raw is not None:
                new.writestr(name, raw)
    return target


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": b"{"}, "not JSON"),
        ({"config": b"[1]"}, "not a JSON object"),
        ({"config": b"[" * 100_000}, "not JSON"),
        ({"config": None}, "unknown format|no config.json"),
        ({"model": None}, r"no model\.weights\.h5"),
        ({"model": b"x" * 100}, "not an HDF5 file"),
        ({"model": bytes(2**25), "method": zipfile.ZIP_DEFLATED}, "zip bomb"),
    ],
)
def test_damaged_archives(tmp_path, changes, message):
    path = repacked(DATA / "keras_dense.keras", tmp_path / "a.keras", **changes)
    with pytest.raises(NetworkError, match=message):
        pr.load(path)


@pytest.mark.parametrize("name", ["keras_mixed.h5", "keras_dense.keras"])
def test_truncated_files(tmp_path, name):
    data = (DATA / name).read_bytes()
    path = tmp_path / name
    for length in range(0, len(data), 499):
        path.write_bytes(data[:length])
        with suppress(NetworkError):  # the last bytes of an .h5 may be padding
            pr.load(path, cut_final=True)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(FormatError):
        pr.load(path, cut_final=True)


@pytest.mark.parametrize("name", ["keras_mixed.h5", "keras_nested.h5", "keras_residual.keras"])
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_fuzzed_files(tmp_path, name, data):
    raw = bytearray((DATA / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / name
    path.write_bytes(bytes(raw))
    with suppress(NetworkError):
        pr.load(path, cut_final=True)


@pytest.mark.parametrize(
    ("place", "raw", "message"),
    [
        (0, b"x", "not an HDF5 file"),
        (8, b"\x02", "newer HDF5"),
        (24, struct.pack("<Q", 512), "starts at byte 512"),
        (64, struct.pack("<Q", 10**12), "points to bytes"),
    ],
)
def test_damaged_superblocks(place, raw, message):
    data = bytearray((DATA / "keras_mixed.h5").read_bytes())
    data[place : place + len(raw)] = raw
    with pytest.raises(NetworkError, match=message):
        open_hdf5(bytes(data))
