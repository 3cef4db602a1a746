from __future__ import annotations

import json

import numpy as np
import pytest

from polyrank.errors import FormatError, NetworkError
from polyrank.network.formats import load
from polyrank.network.formats.safetensors import read_tensors
from polyrank.network.normal_form import Network

st_numpy = pytest.importorskip("safetensors.numpy", reason="the safetensors package")

W0, b0 = np.array([[1.0, 2.0], [-3.0, 0.1]]), np.array([0.5, 0.0])
W1, b1 = np.array([[1.0, -1.0]]), np.array([2.0])
NET = Network.from_arrays([W0, W1], [b0, b1])


def raw(tmp_path, header, data=b"", name="net.safetensors"):
    path = tmp_path / name
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def test_files_of_the_reference_package(tmp_path):
    path = tmp_path / "net.safetensors"
    st_numpy.save_file(
        {"2.weight": W1, "2.bias": b1, "0.weight": W0, "0.bias": b0}, path, {"made": "here"}
    )
    net = load(path)
    assert net.sha256 == NET.sha256
    assert net.source["format"] == "safetensors"


@pytest.mark.parametrize(
    "dtype", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
)
def test_every_dtype(tmp_path, dtype):
    path = tmp_path / "net.safetensors"
    values = np.array([[1, 2, 3], [4, 5, 100]]).astype(dtype) / np.ones((), dtype=dtype)
    values = values.astype(dtype)
    st_numpy.save_file({"W0": values}, path)
    tensors = read_tensors(path)
    assert tensors["W0"].dtype == np.dtype(dtype)
    assert (tensors["W0"] == values).all()


def test_bfloat16_is_widened_exactly(tmp_path):
    # 0x3F80 = 1, 0xBF00 = −0.5, 0x3DCD = 205·2^-11 (the bfloat16 nearest to 0.1), 0x0001 = 2^-133
    words = np.array([0x3F80, 0xBF00, 0x3DCD, 0x0001], dtype="<u2")
    header = {"W0": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}}
    net = load(raw(tmp_path, header, words.tobytes()))
    assert net.layers[0].weight.approx.ravel().tolist() == [1, -0.5, 205 * 2**-11, 2.0**-133]
    infinite = np.array([0x7F80] * 4, dtype="<u2")
    with pytest.raises(NetworkError, match=r"W0, weight: entry \(0, 0\) is inf"):
        load(raw(tmp_path, header, infinite.tobytes()))


def entry(dtype="F64", shape=(1, 1), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize(
    ("header", "data", "message"),
    [
        (b"{ ", b"", "header is not JSON"),
        (b"[1, 2, 3]", b"", "not a JSON object"),
        (b"[" * 100_000, b"", "header is not JSON"),
        (b'{"\xff": 1}', b"", "header is not JSON"),
        ({"W0": 3}, b"", "'W0' has no dtype, shape and data_offsets"),
        ({"W0": entry(shape=(-1, 1))}, bytes(8), "has no dtype"),
        ({"W0": entry(shape=(True, 1))}, bytes(8), "has no dtype"),
        ({"W0": entry("F8_E4M3")}, bytes(8), "has type F8_E4M3: expected one of F64"),
        ({"W0": entry(shape=(10**12, 10**12))}, bytes(8), "needs 8000000000000000000000000 bytes"),
        ({"W0": entry(offsets=(8, 0))}, bytes(8), "has bytes 8 to 0"),
        ({"W0": entry(offsets=(4, 12))}, bytes(12), "starts at byte 4, expected 0"),
        ({"W0": entry(), "W1": entry()}, bytes(8), "starts at byte 0, expected 8"),
        ({"W0": entry()}, bytes(4), r"take 8 bytes, but the file holds 4 \(truncated"),
        ({"W0": entry()}, bytes(9), "take 8 bytes, but the file holds 9"),
        ({"__metadata__": {"a": "b"}}, b"", "holds no arrays"),
    ],
)
def test_damaged_headers(tmp_path, header, data, message):
    with pytest.raises(FormatError, match=message):
        load(raw(tmp_path, header, data))


def test_header_length_that_is_not_there(tmp_path):
    path = tmp_path / "net.safetensors"
    for data in (b"abc", (2**62).to_bytes(8, "little") + b"{}", bytes(20)):
        path.write_bytes(data)
        with pytest.raises(FormatError, match="its header should have"):
            load(path)


def test_what_polyrank_writes_the_reference_package_reads(tmp_path):
    from polyrank.network.formats import save

    path = tmp_path / "out.safetensors"
    save(NET, path)
    tensors = st_numpy.load_file(path)
    assert sorted(tensors) == ["W0", "W1", "b0", "b1"]
    assert (tensors["W0"] == W0).all()
