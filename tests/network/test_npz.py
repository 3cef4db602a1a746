from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest
from flint import fmpq

from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats import load, source
from polyrank.network.normal_form import Network

W0, b0 = np.array([[1.0, 2.0], [-3.0, 0.1]]), np.array([0.5, 0.0])
W1, b1 = np.array([[1.0, -1.0]]), np.array([2.0])
NET = Network.from_arrays([W0, W1], [b0, b1])


def saved(tmp_path, **arrays):
    path = tmp_path / "net.npz"
    np.savez(path, **arrays)
    return path


def npy(array):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), allow_pickle=True)
    return stream.getvalue()


def zipped(tmp_path, members, **options):
    path = tmp_path / "net.npz"
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def test_read(tmp_path):
    path = saved(tmp_path, W0=W0, b0=b0, W1=W1, b1=b1)
    net = load(path)
    assert net.sha256 == NET.sha256
    assert net.name == "net"
    assert net.source["format"] == "npz"
    assert net.source["file"] == "net.npz"
    assert len(net.source["sha256"]) == 64
    compressed = tmp_path / "small.npz"
    np.savez_compressed(compressed, W0=W0, b0=b0, W1=W1, b1=b1)
    assert load(compressed).sha256 == NET.sha256


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i1", "i8", "u4", "g"])
def test_every_dtype_is_exact(tmp_path, dtype):
    values = np.array([[1.1, 100.7], [3.3, 0.0]]).astype(dtype)
    net = load(saved(tmp_path, W0=values, b0=values[0]))
    expected = [
        fmpq(*map(int, v.as_integer_ratio())) if values.dtype.kind == "f" else fmpq(int(v))
        for v in values.ravel()
    ]
    assert list(net.layers[0].weight.entries()) == expected


def test_fortran_order(tmp_path):
    net = load(saved(tmp_path, W0=np.asfortranarray(W0), b0=b0))
    assert (net.layers[0].weight.approx == W0).all()


def test_text_arrays_are_left_out_and_said(tmp_path):
    net = load(saved(tmp_path, W0=W0, b0=b0, comment=np.array("trained on Monday")))
    assert net.source["notes"][0] == "the array comment is not numeric and was left out"


@pytest.mark.parametrize(
    "text",
    [
        '{"activation": "tanh", "epochs": 7}',
        '{"model": {"hidden": [16], "activations": ["tanh", "linear"]}}',
        "{'hidden_activation': 'tanh', 'bias': True}",
        ' {"hparams": {"nonlinearity": "torch.nn.Tanh()"}}',
    ],
)
@pytest.mark.parametrize("several", [False, True])
def test_a_text_that_spells_settings_is_read(tmp_path, text, several):
    text = np.array([text] if several else text)
    path = saved(tmp_path, W0=W0, b0=b0, W1=np.ones((1, len(b0))), config=text)
    with pytest.raises(UnsupportedError, match=r"states its activations \(config\..*[tT]anh"):
        load(path)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("arch", "mlp_tanh"),
        ("model", "MLP-GELU-64"),
        ("run", "runs/sigmoid/7"),
        ("config", '{"layers": [{"type": "Linear"}, {"type": "Tanh"}, {"type": "Linear"}]}'),
        ("config", '{"net": {"modules": [{"kind": "fc", "size": 3}, {"kind": "SiLU"}]}}'),
    ],
)
def test_names_that_may_be_activations_are_not_passed_over(tmp_path, key, text):
    path = saved(tmp_path, W0=W0, b0=b0, W1=np.ones((1, len(b0))), **{key: np.array(text)})
    with pytest.raises(UnsupportedError, match=rf"under {key}.*, which may be its activations"):
        load(path)
    assert load(path, activation="relu").bits == (len(b0), 0)


@pytest.mark.parametrize(
    ("key", "text"),
    [("loss", "sigmoid_focal"), ("note", "no tanh here"), ("arch", "mlp_64"), ("by", "fanthanh")],
)
def test_other_texts_are_left_out(tmp_path, key, text):
    net = load(saved(tmp_path, W0=W0, b0=b0, W1=np.ones((1, len(b0))), **{key: np.array(text)}))
    assert net.bits == (len(b0), 0)


@pytest.mark.parametrize("text", ["{", "{1, 2}", "{" * 50_000, "{'a': " * 5_000, "{}", "[[" * 9])
def test_a_text_that_spells_nothing_is_left_out(tmp_path, text):
    net = load(saved(tmp_path, W0=W0, b0=b0, config=np.array(text)))
    assert "the array config is not numeric and was left out" in net.source["notes"]


def test_a_pickle_is_refused_and_never_run(tmp_path):
    flag = tmp_path / "ran"

    class Trap:
        def __reduce__(self):
            return open, (str(flag), "w")

    objects = np.empty(1, dtype=object)
    objects[0] = Trap()
    with pytest.raises(FormatError, match="holds Python objects"):
        load(zipped(tmp_path, [("W0.npy", npy(objects))]))
    assert not flag.exists()


def header(shape, descr="<f8"):
    return text_header(repr({"descr": descr, "fortran_order": False, "shape": shape}))


def text_header(literal):
    text = literal.encode()
    text += b" " * (63 - (10 + len(text)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("W0.npy", header((10**9, 10**9)))], "entries; at most"),
        ([("W0.npy", header((1000, 1000)))], r"needs 8000000 bytes, but the archive holds 0"),
        ([("W0.npy", header((2,)) + bytes(24))], "needs 16 bytes, but the archive holds 24"),
        ([("W0.npy", header((-1, 2)))], "needs -16 bytes"),
        ([("W0.npy", b"\x93NUMPY\x07\x00" + bytes(30))], r"at 'W0.npy'"),
        ([("W0.npy", b"not an array")], r"not a readable .npz archive \(at 'W0.npy'\)"),
        ([("W0.npy", text_header("{[]: 1}"))], r"not a readable .npz archive"),
        ([("W0.npy", text_header("(" * 3000))], r"not a readable .npz archive"),
        ([("W0.npy", text_header("{'descr': 5, 'fortran_order': 0, 'shape': 'a'}"))], "not a read"),
        ([("W0.npy", b"")], r"not a readable .npz archive \(at 'W0.npy'\)"),
        ([("W0.npy", header((1, 1), "<c16") + bytes(16))], "type complex128: expected real"),
        ([("W0.npy", header((1, 1), "|b1") + bytes(1))], "type bool: expected real"),
        ([("W0.npy", header((1,), [("x", "<f8")]) + bytes(8))], "expected real numbers"),
        ([("W0.npy", npy(W0)), ("read.me", b"hello")], "'read.me' is not an array"),
        ([], "holds no arrays"),
    ],
)
def test_damaged_archives(tmp_path, members, message):
    with pytest.raises(FormatError, match=message):
        load(zipped(tmp_path, members))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name(tmp_path):
    with pytest.raises(FormatError, match="two members of one name"):
        load(zipped(tmp_path, [("W0.npy", npy(W0)), ("W0.npy", npy(W1))]))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    data = header((1, 4 * 10**6)) + bytes(32 * 10**6)
    path = zipped(tmp_path, [("W0.npy", data)], compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10**5
    with pytest.raises(FormatError, match="refused as a zip bomb"):
        load(path)


def test_many_arrays_are_counted_together(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "MAX_ENTRIES", 6)
    with pytest.raises(FormatError, match=r"up to the array 'W1'\) has 8 entries; at most 6"):
        load(saved(tmp_path, W0=W0, b0=b0, W1=W1, b1=b1))


def test_unreadable_compression_and_encryption(tmp_path):
    path = saved(tmp_path, W0=W0, b0=b0)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    for offset, value, message in ((10, 99, "compression"), (8, 1, "encrypted")):
        changed = bytearray(data)
        changed[at + offset] = value
        path.write_bytes(bytes(changed))
        with pytest.raises(FormatError, match=message):
            load(path)


def test_non_finite_weights_are_named(tmp_path):
    bad = W0.copy()
    bad[1, 0] = np.inf
    with pytest.raises(NetworkError, match=r"net.npz: W0, weight: entry \(1, 0\) is inf"):
        load(saved(tmp_path, W0=bad, b0=b0))


def affinitree(tmp_path, **changed):
    arrays = {
        "000.linear.weights": W0, "000.linear.bias": b0, "001.relu": np.zeros(1),
        "002.linear.weights": W1, "002.linear.bias": b1, "000.layers": np.array(3),
    }  # fmt: skip
    arrays |= {key.replace("_", "."): value for key, value in changed.items()}
    return saved(tmp_path, **{key: value for key, value in arrays.items() if value is not None})


def test_affinitree_layout_states_its_activations(tmp_path):
    assert load(affinitree(tmp_path)).sha256 == NET.sha256
    last = load(affinitree(tmp_path, **{"003_relu": np.zeros(1), "000_layers": np.array(4)}))
    assert last.sha256 == Network.from_arrays([W0, W1], [b0, b1], output_relu=True).sha256
    linear = load(affinitree(tmp_path, **{"001_relu": None, "000_layers": None}))
    assert linear.bits == (0, 0)
    with pytest.raises(NetworkError, match="states its activations"):
        load(affinitree(tmp_path), slope=0.5)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"002_relu": np.zeros(1)}, FormatError, "layer 002 is both linear and relu"),
        ({"002_linear_bias": None}, FormatError, "layer 002 needs linear.weights"),
        ({"000_layers": np.array([5])}, FormatError, "announces 5 layers, but holds 3"),
        (
            {"000_linear_weights": None, "000_linear_bias": None},
            UnsupportedError,
            "layer 001 is a relu that follows no linear layer",
        ),
    ],
)
def test_affinitree_errors(tmp_path, changed, error, message):
    with pytest.raises(error, match=message):
        load(affinitree(tmp_path, **changed))


def test_unknown_affinitree_layers_are_not_dropped(tmp_path):
    with pytest.raises(UnsupportedError, match="001.hard_tanh"):
        load(saved(tmp_path, **{"000.linear.weights": W0, "001.hard_tanh": np.zeros(1)}))


def test_names_of_broken_things_are_short():
    assert source.brief(ValueError("x" * 500)) == "x" * 120
    assert source.brief(EOFError()) == "EOFError"
