"""``save``: what is written reads back as the same exact network, or is refused."""

from __future__ import annotations

import errno
import json
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import polyrank.network.formats.writing as module
from polyrank.errors import FormatError, UnsupportedError
from polyrank.network.formats import load, save
from polyrank.network.formats.weights_only import is_plain_relu, require_float64
from polyrank.network.forward import forward
from polyrank.network.normal_form import Layer, Network, affine_layer, relu_layer
from polyrank.network.rational import RationalArray
from tests.network.strategies import floats, networks

plain = networks(entries=floats, slope_pairs=st.just((0, 1)))


def all_float(net):
    return all(
        part.is_float
        for layer in net.layers
        for part in (layer.weight, layer.bias, layer.slope_neg, layer.slope_pos)
    )


def with_affine_output(net):
    last = net.layers[-1]
    return Network((*net.layers[:-1], affine_layer(last.weight, last.bias)), net.name)


@given(networks())
def test_json_carries_everything(tmp_path_factory, net):
    path = tmp_path_factory.mktemp("save") / "net.json"
    save(net, path)
    again = load(path)
    assert again.sha256 == net.sha256
    assert [layer.name for layer in again.layers] == [layer.name for layer in net.layers]
    assert again.name == net.name


@pytest.mark.parametrize("extension", ["npz", "safetensors"])
@given(net=networks(entries=floats))
def test_arrays_carry_every_float_network(tmp_path_factory, extension, net):
    path = tmp_path_factory.mktemp("save") / f"net.{extension}"
    if all_float(net):
        save(net, path)
        assert load(path).sha256 == net.sha256
    else:
        with pytest.raises(UnsupportedError, match=r"which is not a float64 number; write .json"):
            save(net, path)
    assert [p.name for p in path.parent.iterdir()] == ([path.name] if all_float(net) else [])


@given(plain)
def test_nnet_carries_plain_relu_networks(tmp_path_factory, net):
    path = tmp_path_factory.mktemp("save") / "net.nnet"
    plain_net = with_affine_output(net)
    assert is_plain_relu(plain_net)
    save(plain_net, path)
    again = load(path)
    assert again.sha256 == plain_net.sha256
    assert again.source["normalisation"] == "folded"
    assert again.source["header"]["lower"] is None
    if not is_plain_relu(net):
        with pytest.raises(UnsupportedError, match="stores only ReLU hidden layers"):
            save(net, path, overwrite=True)


def test_plain_networks_are_written_without_slopes(tmp_path):
    net = Network.from_arrays([np.eye(2)] * 2, [np.zeros(2)] * 2)
    save(net, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as arrays:
        assert sorted(arrays.files) == ["W0", "W1", "b0", "b1"]
    leaky = Network.from_arrays([np.eye(2)] * 2, [np.zeros(2)] * 2, slope=0.5)
    save(leaky, tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz") as arrays:
        assert len(arrays.files) == 8


def test_json_writes_fractions_as_strings_and_floats_as_numbers(tmp_path):
    weight = RationalArray.from_rationals(["1/3", "0.5"], (1, 2))
    save(Network((relu_layer(weight, [0.1], slope="1/100"),), "n"), tmp_path / "n.json")
    layer = json.loads((tmp_path / "n.json").read_text())["layers"][0]
    assert layer == {
        "name": "", "weight": [["1/3", 0.5]], "bias": [0.1], "activation": "leaky_relu",
        "slope": "1/100",
    }  # fmt: skip


THIRD = RationalArray.from_rationals(["1/3", 1, 1, 1], (2, 2))


def test_entries_that_are_not_float64_are_named():
    with pytest.raises(
        UnsupportedError, match=r"^W0 entry \(0, 0\) is 1/3, which is not a float64"
    ):
        require_float64(THIRD, "W0", "do this")
    long = RationalArray.from_rationals([1, f"1/{3**90}"], (2,))
    with pytest.raises(UnsupportedError, match=r"b0 entry \(1,\) is 1/\d+"):
        require_float64(long, "b0", "do this")
    longer = RationalArray.from_rationals([f"1/{3**200}"], (1,))
    with pytest.raises(UnsupportedError, match="is a fraction of 98 characters"):
        require_float64(longer, "b0", "do this")


def test_refusals_name_the_file_and_leave_nothing_behind(tmp_path):
    net = Network((affine_layer(THIRD, [0.0, 0.0]),))
    for extension in ("npz", "safetensors", "nnet", "onnx"):
        with pytest.raises(UnsupportedError, match=rf"^x.{extension}: .* \(0, 0\) is 1/3"):
            save(net, tmp_path / f"x.{extension}")
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_kept(tmp_path):
    net = Network.from_arrays([np.eye(2)], [np.zeros(2)])
    path = tmp_path / "a.json"
    path.write_text("precious")
    with pytest.raises(FormatError, match="the file exists"):
        save(net, path)
    assert path.read_text() == "precious"
    save(net, path, overwrite=True)
    assert load(path).sha256 == net.sha256


def test_what_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    net = Network.from_arrays([np.eye(2)], [np.zeros(2)])
    with pytest.raises(FormatError, match="cannot be written: No such file or directory"):
        save(net, tmp_path / "missing" / "a.npz")
    with pytest.raises(FormatError, match="cannot write this format"):
        save(net, tmp_path / "a.pt")

    def full(network, path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("polyrank.network.formats.json_network.write", full)
    with pytest.raises(FormatError, match=r"a.json: cannot be written: No space left"):
        save(net, tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_reads_back_differently_is_not_kept(tmp_path, monkeypatch):
    net = Network.from_arrays([np.eye(2)], [np.zeros(2)])
    monkeypatch.setattr(module, "_differs", lambda again, network: True)
    with pytest.raises(UnsupportedError, match=r"a json file reads back as another normal form"):
        save(net, tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


onnx_slopes = st.sampled_from([(0, 1), (-1, 1), (0.25, 1), (0.1, 1), (2, 1)])


@given(networks(entries=st.floats(-4, 4, width=32), slope_pairs=onnx_slopes))
def test_onnx_files_are_the_same_network(tmp_path_factory, net):
    path = tmp_path_factory.mktemp("save") / "net.onnx"
    save(net, path)
    assert load(path).sha256 == net.sha256


def test_onnx_files_run_in_onnxruntime(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    import onnx

    rng = np.random.default_rng(7)
    arrays = [rng.normal(size=shape) for shape in ((5, 3), (4, 5), (2, 4))]
    biases = [rng.normal(size=n) for n in (5, 4, 2)]
    slopes = RationalArray.from_floats([0.5, 0.0, -1.0, 0.25])
    ones = RationalArray.from_floats(np.ones(4))
    for dtype in (np.float32, np.float64):
        W = [RationalArray.from_floats(w.astype(dtype)) for w in arrays]
        c = [RationalArray.from_floats(v.astype(dtype)) for v in biases]
        middle = relu_layer(W[1], c[1], slope=-1)
        if dtype is np.float32:  # onnxruntime has PRelu for float32 only
            middle = Layer(W[1], c[1], slopes, ones)
        net = Network((relu_layer(W[0], c[0]), middle, affine_layer(W[2], c[2])))
        path = tmp_path / f"{np.dtype(dtype).name}.onnx"
        save(net, path)
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        assert {t.data_type for t in model.graph.initializer} == {
            onnx.TensorProto.FLOAT if dtype is np.float32 else onnx.TensorProto.DOUBLE
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        X = rng.normal(size=(20, 3)).astype(dtype)
        (Y,) = session.run(None, {"input": X})
        np.testing.assert_allclose(Y, forward(net, X, dtype=dtype), rtol=1e-5, atol=1e-5)


def test_onnx_has_no_positive_slope_but_one(tmp_path):
    layer = Layer(*(RationalArray.from_floats(v) for v in ([[1.0]], [0.0], [0.0], [2.0])))
    with pytest.raises(UnsupportedError, match="layer 1 has a positive slope that is not 1"):
        save(Network((layer,)), tmp_path / "a.onnx")


def test_onnx_is_limited_by_protobuf(tmp_path, monkeypatch):
    monkeypatch.setattr("polyrank.network.formats.write_onnx._MAX_BYTES", 10)
    with pytest.raises(UnsupportedError, match="at most 2 GB"):
        save(Network.from_arrays([np.eye(2)], [np.zeros(2)]), tmp_path / "a.onnx")
