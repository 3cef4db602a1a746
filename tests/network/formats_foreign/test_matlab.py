"""MAT-files: written by scipy, read here; the rpm network against its published affine maps."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats.matlab import read
from polyrank.network.formats.matlab_reader import read_mat
from polyrank.network.formats.options import LoadOptions
from polyrank.network.forward import forward, forward_exact
from polyrank.network.rational import to_fmpq
from tests.conftest import shared

W0 = np.array([[0.1, -0.2], [0.3, 0.7], [-1.5, 1e-7]], dtype=np.float32)
B0 = np.array([0.01, -3.3, 1e20], dtype=np.float32)
W1 = np.array([[1.1, 0.0, -2.7]])
B1 = np.array([[0.9]])


def cell(*values):
    result = np.empty((1, len(values)), dtype=object)
    result[0] = [*values, None][: len(values)]
    return result


def saved(folder, variables, **options):
    path = folder / "net.mat"
    savemat(path, variables, **options)
    return path


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(
    "variables",
    [
        {"weights": cell(W0, W1), "biases": cell(B0, B1)},
        {"W": cell(W0, W1), "b": cell(B0[:, None], B1)},
        {"W1": W0, "b1": B0, "W2": W1, "b2": B1},
    ],
)
def test_layouts(tmp_path, variables, compress):
    network = read(saved(tmp_path, variables, do_compression=compress), LoadOptions())
    assert network.widths == (2, 3, 1)
    for layer, weight, bias in zip(network.layers, (W0, W1), (B0, B1), strict=True):
        assert layer.weight.is_float
        assert np.array_equal(layer.weight.approx, weight.astype(float))
        assert np.array_equal(layer.bias.approx, bias.astype(float).ravel())
    assert network.layers[0].slopes_exact[0] == (fmpq(0), fmpq(1))
    leaky = read(tmp_path / "net.mat", LoadOptions(slope="1/8"))
    assert leaky.layers[0].slopes_exact[0] == (fmpq(1, 8), fmpq(1))


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_every_class_of_numbers_is_exact(tmp_path, dtype):
    array = np.array([[1, 2, 3], [100, 0, 7]], dtype=dtype)
    path = saved(tmp_path, {"W1": array, "name": "a string", "s": {"x": 1}})
    found = read_mat(path)
    assert np.array_equal(found["W1"], array)
    assert found["name"] == "a string"
    assert found["s"]["x"].tolist() == [[1]]
    network = read(path, LoadOptions())
    assert any("'name'" in note or "name" in note for note in network.source["notes"])


def test_normalisation_is_folded_exactly(tmp_path):
    """Y_std net((x - X_mean) / X_std) + Y_mean, in fractions."""
    norm = {
        "X_mean": [[0.1, 0.2]], "X_std": [[3.0, 0.7]], "Y_mean": [[5.0]], "Y_std": [[0.3]],
    }  # fmt: skip
    path = saved(tmp_path, {"weights": cell(W0, W1), "biases": cell(B0, B1), **norm})
    network = read(path, LoadOptions())
    x = [Fraction(1, 3), Fraction(-7, 5)]
    f = {k: [Fraction(v) for v in row[0]] for k, row in norm.items()}
    u = [(v - m) / s for v, m, s in zip(x, f["X_mean"], f["X_std"], strict=True)]
    z = [
        sum((Fraction(float(w)) * v for w, v in zip(row, u, strict=True)), Fraction(float(b)))
        for row, b in zip(W0, B0, strict=True)
    ]
    y = sum((Fraction(w) * max(v, 0) for w, v in zip(W1[0], z, strict=True)), Fraction(B1[0, 0]))
    expected = f["Y_std"][0] * y + f["Y_mean"][0]
    assert forward_exact(network, x) == (to_fmpq(expected),)
    raw = read(path, LoadOptions(raw=True))
    assert raw.layers[0].weight.is_float
    assert any("left out as asked" in note for note in raw.source["notes"])


def test_normalisation_with_a_clipped_activation(tmp_path):
    path = saved(
        tmp_path, {"weights": cell(np.eye(2), [[1.0, 1.0]]), "biases": cell([0.0, 0], [0.0]),
                   "X_std": [[2.0, 2.0]]},
    )  # fmt: skip
    network = read(path, LoadOptions(activation="relu6"))
    assert forward_exact(network, [20, -3]) == (6,)


def test_rpm_pendulum_equals_its_published_affine_maps():
    folder = shared("rpm/models/Pendulum")
    network = read(folder / "NN_params_pendulum.mat", LoadOptions())
    published = loadmat(folder / "pendulum_pwa.mat")
    seen = set()
    for x in np.random.default_rng(1).uniform(-np.pi / 2, np.pi / 2, (400, 2)):
        for k in range(18):
            A, b, C, d = (published[key][k, 0] for key in "AbCd")
            if (A @ x < b.ravel()).all():
                seen.add(k)
                assert np.allclose(forward(network, x), C @ x + d.ravel(), rtol=1e-9, atol=1e-9)
    assert len(seen) > 10


@pytest.mark.parametrize(
    ("variables", "error", "message"),
    [
        ({"A": cell(W0), "b": cell(B0)}, UnsupportedError, "the file holds A, b; expected cells"),
        ({"name": "x"}, UnsupportedError, "the file holds name; expected cells"),
        ({"weights": cell(W0), "biases": cell(B0), "extra": W0}, UnsupportedError, "extra"),
        ({"weights": cell(W0, W1), "biases": cell(B0)}, FormatError, "2 entries; expected as many"),
        ({"weights": cell(W0)}, FormatError, "expected as many in the cell biases"),
        ({"weights": cell(W0), "biases": cell("text")}, FormatError, "entry 1 of weights or"),
        ({"weights": cell(W0), "biases": cell(W0)}, FormatError, "a matrix and a vector"),
        ({"weights": cell(W0), "biases": cell(B0), "X_std": [[0.0, 1]]}, NetworkError, "zero"),
        ({"weights": cell(W0), "biases": cell(B0), "X_std": [[1.0]]}, NetworkError, "expected 2"),
        ({"weights": cell(W0), "biases": cell(B0), "X_std": cell(1)}, NetworkError, "expected 2"),
        (
            {"weights": cell(W0, W0), "biases": cell(B0, B0), "Y_std": [[1.0]]},
            NetworkError,
            "chain",
        ),
        ({"W1": W0, "b1": B0, "Y_mean": [[1.0]]}, UnsupportedError, "only beside cells"),
        ({"W1": W0 + 1j}, UnsupportedError, "'W1' is complex"),
        ({"W1": W0 * np.nan}, NetworkError, "nan"),
    ],
)
def test_refused_variables(tmp_path, variables, error, message):
    with pytest.raises(error, match=message):
        read(saved(tmp_path, variables), LoadOptions())


HEAD = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"


def element(kind, content):
    return struct.pack("<II", kind, len(content)) + content + b"\0" * (-len(content) % 8)


def matrix(flags=6, shape=(1, 1), name=b"W1", data=b""):
    return element(
        14,
        element(6, struct.pack("<II", flags, 0))
        + element(5, np.array(shape, dtype="<i4").tobytes())
        + element(1, name)
        + data,
    )


ONE = element(9, struct.pack("<d", 2.5))


def nested(depth):
    value = matrix(name=b"", data=ONE)
    for _ in range(depth):
        value = matrix(flags=1, name=b"", data=value)
    return value


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (matrix(shape=(10**6, 10**6), data=ONE), "has 1000000000000 entries"),
        (matrix(shape=(2, 2), data=ONE), "has 1 numbers"),
        (matrix(shape=(-1, 2)), "has the shape"),
        (matrix(flags=1, shape=(2**30, 1)), "fewer entries than its shape"),
        (matrix(flags=1, data=ONE), "an entry of a cell is not an array"),
        (nested(9), "nested deeper than 8"),
        (matrix(data=element(99, b"12345678")), "stored as type 99"),
        (matrix(data=struct.pack("<II", 9, 2**31)), "claims 2147483648 bytes"),
        (matrix(data=struct.pack("<HHI", 9, 6, 0)), "short element"),
        (matrix(name=b"\xff\xff", data=ONE), "damaged"),
        (element(15, zlib.compress(bytes(10**8))), "refused as a compression bomb"),
        (element(15, zlib.compress(matrix(data=ONE))[:-6]), "cut off"),
        (element(15, b"not zlib"), "damaged"),
        (b"\x0e\0\0", "damaged"),
    ],
)
def test_hostile_elements(tmp_path, body, message):
    path = tmp_path / "net.mat"
    path.write_bytes(HEAD + body)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=message):
            read(path, LoadOptions())
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()


def test_big_endian_and_short_elements(tmp_path):
    path = tmp_path / "net.mat"
    body = struct.pack(">II", 14, 0)
    parts = (
        struct.pack(">IIII", 6, 8, 6, 0)
        + struct.pack(">IIii", 5, 8, 1, 2)
        + struct.pack(">HH4s", 2, 1, b"W1\0\0")
        + struct.pack(">HH4B", 2, 2, 7, 9, 0, 0)
    )
    body = struct.pack(">II", 14, len(parts)) + parts
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI" + body)
    assert read_mat(path)["W1"].tolist() == [[7.0, 9.0]]


def opaque(kind, name=b"net"):
    """An object as MATLAB writes it: flags, name, system of classes, class, reference."""
    head = element(6, struct.pack("<II", 13, 0)) + element(5, struct.pack("<ii", 1, 1))
    number = element(6, struct.pack("<I", 0xDD000000))
    reference = element(14, head + element(1, b"") + number)
    words = (name, b"MCOS", kind)
    body = element(6, struct.pack("<II", 17, 0)) + b"".join(element(1, w) for w in words)
    return element(14, body + reference)


@pytest.mark.parametrize("kind", [b"SeriesNetwork", b"dlnetwork", b"DAGNetwork", b"network"])
def test_objects_of_matlab_are_named(tmp_path, kind):
    path = tmp_path / "net.mat"
    path.write_bytes(HEAD + opaque(kind))
    with pytest.raises(
        UnsupportedError, match=f"'net' is an object .* class {kind.decode()}.*ONNX"
    ):
        read(path, LoadOptions())
    old = element(6, struct.pack("<II", 3, 0)) + element(5, struct.pack("<ii", 1, 1))
    path.write_bytes(HEAD + element(14, old + element(1, b"net") + element(1, kind)))
    with pytest.raises(UnsupportedError, match=f"class {kind.decode()}"):
        read(path, LoadOptions())


def test_objects_beside_weights(tmp_path):
    """A table changes nothing; a string may be the name of an activation, and cannot be read."""
    weights = matrix(shape=(1, 1), name=b"W1", data=ONE)
    path = tmp_path / "net.mat"
    path.write_bytes(HEAD + weights + opaque(b"table", b"log"))
    network = read(path, LoadOptions())
    assert "the variable log is not numeric and was left out" in network.source["notes"]
    path.write_bytes(HEAD + weights + opaque(b"string", b"act"))
    with pytest.raises(UnsupportedError, match="'act' is an object of the MATLAB class string"):
        read(path, LoadOptions())


def test_arrays_of_structs_name_the_activations(tmp_path):
    layers = np.array([("tansig", 3), ("purelin", 1)], dtype=[("transferFcn", "O"), ("size", "O")])
    path = saved(tmp_path, {"W1": W0, "b1": B0, "W2": W1, "b2": B1, "layers": layers})
    with pytest.raises(UnsupportedError, match=r"layers\.transferFcn: tansig, purelin"):
        read(path, LoadOptions())
    layers["transferFcn"] = ["poslin", "poslin"]
    path = saved(tmp_path, {"W1": W0, "b1": B0, "W2": W1, "b2": B1, "layers": layers})
    assert read(path, LoadOptions()).bits == (3, 1)


@pytest.mark.parametrize(
    ("raw", "error", "message"),
    [
        (b"MATLAB 7.3 MAT-file", UnsupportedError, r"-v7"),
        (b"MATLAB 5.0", FormatError, "not a MAT-file of level 5"),
        (b"\0" * 200, FormatError, "not a MAT-file of level 5"),
        (HEAD, UnsupportedError, "the file holds nothing"),
        (b"", FormatError, "empty"),
    ],
)
def test_other_files(tmp_path, raw, error, message):
    path = tmp_path / "net.mat"
    path.write_bytes(raw)
    with pytest.raises(error, match=message):
        read(path, LoadOptions())


def test_missing_file(tmp_path):
    with pytest.raises(FormatError, match="no such file"):
        read(tmp_path / "none.mat", LoadOptions())


@pytest.mark.parametrize("compress", [False, True])
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_fuzzed_files(tmp_path, compress, data):
    variables = {"weights": cell(W0, W1), "biases": cell(B0, B1)}
    raw = bytearray(saved(tmp_path, variables, do_compression=compress).read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "fuzzed.mat"
    path.write_bytes(bytes(raw[: data.draw(st.integers(len(raw) // 2, len(raw)))]))
    with suppress(NetworkError):
        read(path, LoadOptions())
