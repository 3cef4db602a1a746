"""Damaged and odd files of every format: the file's function, or one sentence that says why not."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import polyrank as pr
from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats.keras_hdf5 import open_hdf5
from polyrank.network.forward import forward_exact

pytest.importorskip("h5py")
pytest.importorskip("safetensors")

from tests.network.formats_foreign.damaged_files import FORMATS, experiment, sentence
from tests.network.formats_foreign.test_keras import (
    DATA,
    POINTS,
    B,
    W,
    Z,
    dense,
    functional,
    hdf5,
    other,
    outputs,
    saved,
)
from tests.network.formats_foreign.torch_files import state, zip_file


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_what_is_loaded_is_what_another_reader_finds(name: str, tmp_path: Path) -> None:
    outcome = experiment(name, 300, 0, tmp_path)
    assert outcome["refused"] > 50
    assert outcome["as it was"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FORMATS))
def test_ten_thousand_damaged_files(name: str, tmp_path: Path) -> None:
    outcome = experiment(name, 10_000, 1_000, tmp_path)
    assert outcome["refused by the other reader"] < 10
    assert outcome["as the other reader has it"] > 10


def refused(path: Path, message: str, **options: Any) -> None:
    """One sentence on one line, with this in it."""
    with pytest.raises(NetworkError, match=message) as caught:
        pr.load(path, **options)
    assert sentence(caught.value), str(caught.value)


# ---- Keras: what a configuration says beside the class of a layer


def called(*args: Any, **kwargs: Any) -> list[dict[str, Any]]:
    """The node of a call as Keras 3 writes it; a text is the output of that layer."""

    def spelled(value: Any) -> Any:
        if isinstance(value, list):
            return [spelled(v) for v in value]
        if isinstance(value, str):
            return {"class_name": "__keras_tensor__", "config": {"keras_history": [value, 0, 0]}}
        return value

    return [{"args": [spelled(a) for a in args], "kwargs": kwargs}]


def of_keras_3(folder: Path, layers: list[tuple[Any, Any]], weights: Any, **model: Any) -> Path:
    """A functional model of Keras 3: layers and their nodes; the last one gives the output."""
    entries = [{**other("InputLayer", "in", batch_shape=[None, 3]), "inbound_nodes": []}]
    entries += [{**layer, "inbound_nodes": node} for layer, node in layers]
    body = {"name": "f", "layers": entries, "input_layers": ["in", 0, 0],
            "output_layers": [entries[-1]["config"]["name"], 0, 0]}  # fmt: skip
    return saved(folder, [], weights, model="Functional", config={**body, **model}, version="3.1.0")


DENSE = {"d": [W, B]}


def test_calls_of_layers_in_keras_3(tmp_path):
    sums = other("Add", "s")
    path = of_keras_3(tmp_path, [(dense(), called("in")), (sums, called(["d", "d"]))], DENSE)
    assert outputs(path, *POINTS) == [[2 * z for z in row] for row in Z]
    path = of_keras_3(tmp_path, [(dense(), called("in", training=False, mask=None))], DENSE)
    assert outputs(path, *POINTS) == Z


@pytest.mark.parametrize(
    ("layer", "node", "message"),
    [
        (other("Add", "s"), called("d", 1.0), "called with other arguments than tensors"),
        (other("Add", "s"), called(["d", 1.0]), "called with other arguments than tensors"),
        (other("Add", "s"), called("d", "d"), "called with other arguments than tensors"),
        (other("Add", "s"), called(["d"], y="d"), "'s' is called with y = 'd'"),
        (other("Dropout", "s"), called("d", training=True), "'s' is called with training = True"),
        (other("Dropout", "s"), called("d", 3), "called with other arguments than tensors"),
        (
            {**other("Add", "s"), "module": "keras.src.ops.numpy"},
            called(["d", "d"]),
            r"of 'keras\.src\.ops\.numpy' is not the",
        ),
        ({**other("ReLU", "s"), "module": "my.layers"}, called("d"), r"of 'my\.layers' is not the"),
        (
            {**other("ReLU", "s"), "registered_name": "mine>ReLU"},
            called("d"),
            "'mine>ReLU' is not the layer of Keras",
        ),
    ],
)
def test_calls_that_are_not_those_of_the_layer(tmp_path, layer, node, message):
    refused(of_keras_3(tmp_path, [(dense(), called("in")), (layer, node)], DENSE), message)


def test_a_second_output_and_a_switch_in_keras_2(tmp_path):
    start = other("InputLayer", "in", batch_input_shape=[None, 3])
    for position, value, message in (
        (2, 1, "called with output 1"), (3, {"training": True}, "training = True"),
    ):  # fmt: skip
        config = functional([start, dense("d")], [[], ["in"]], [["d", 0, 0]])
        config["layers"][1]["inbound_nodes"][0][0][position] = value
        refused(saved(tmp_path, [], DENSE, model="Functional", config=config), message)


def test_layers_and_models_of_others(tmp_path):
    """A class of somebody else's may have the name of one of Keras; so may an activation."""
    act = {"class_name": "ReLU", "module": "mine", "config": {}, "registered_name": None}
    refused(saved(tmp_path, [dense(activation=act)], DENSE), "an activation of its own")
    for said in ({"module": "mine"}, {"registered_name": "mine>Dense"}):
        refused(saved(tmp_path, [{**dense(), **said}], DENSE), "is not the layer of Keras")
    own = {"module": "keras.layers", "registered_name": None}
    assert outputs(saved(tmp_path, [{**dense(), **own}], DENSE), *POINTS) == Z


def test_channels_first_are_moved_by_flatten(tmp_path):
    for form in ("channels_first", "channels_last"):
        layers = [other("Reshape", target_shape=[1, 3]), other("Flatten", data_format=form)]
        path = saved(tmp_path, layers, {})
        if form == "channels_last":
            assert outputs(path, [1, 2, 3]) == [[1, 2, 3]]
        else:
            refused(path, "has the channels first")


@pytest.mark.parametrize("axis", [0, True, -3, 3, 10**30])
def test_concatenation_along_no_axis_of_a_sample(tmp_path, axis):
    layers = [(dense(), called("in")), (other("Concatenate", "s", axis=axis), called(["d", "d"]))]
    refused(of_keras_3(tmp_path, layers, DENSE), "cannot join")


def test_layers_of_one_name(tmp_path):
    refused(saved(tmp_path, [dense(), dense(units=2)], {"d": [W, B]}), "two layers are called 'd'")
    layers = [(dense(), called("in")), (dense(), called("in"))]
    refused(of_keras_3(tmp_path, layers, DENSE), "two layers of one model are called 'd'")


def test_inner_models_whose_layers_have_one_name(tmp_path):
    """As Keras saves it; by the name alone both would get the weights of the last."""
    import io
    import zipfile

    import h5py

    def model(name: str) -> dict[str, Any]:
        return {"class_name": "Sequential", "config": {"name": name, "layers": [dense("fc")]}}

    start = other("InputLayer", "in", batch_shape=[None, 3])
    config = {"class_name": "Sequential", "config": {"layers": [start, model("p"), model("q")]}}
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["layers/sequential/layers/dense/vars/0"] = W
        file["layers/sequential/layers/dense/vars/1"] = B
        file["layers/sequential_1/layers/dense/vars/0"] = np.eye(2)
        file["layers/sequential_1/layers/dense/vars/1"] = B
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", stream.getvalue())
    refused(path, "two layers are called 'fc'")


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        ([other("ReLU", max_value=-1.0)], (None, 3), "max_value is -1, below 0"),
        ([], (None, *[1] * 40), "40 dimensions"),
        ([], (None, 2**70), "beyond 64 bits"),
        ([other("Reshape", target_shape=[1] * 70)], (None, 1), "reshape|cannot take the shape"),
        ([other("Reshape", target_shape=[2**70])], (None, 1), "damaged|cannot take the shape"),
        ([other("LeakyReLU", "r\x1b[2J\n", alpha="x")], (None, 3), r"'r\\x1b\[2J\\n'"),
        ([other("LeakyReLU", "\ud800", alpha="x")], (None, 3), "expected a number"),
    ],
)
def test_odd_sizes_and_names(tmp_path, layers, shape, message):
    refused(saved(tmp_path, layers, {}, shape=shape), message)


@pytest.mark.parametrize("depth", [40, 400, 5000])
def test_models_in_models_without_end(tmp_path, depth):
    text = '{"class_name":"Sequential","config":{"name":"m","layers":[' * depth + "]}}" * depth
    path = saved(tmp_path, [dense()], DENSE)
    import h5py

    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = text.encode()[:60_000] if len(text) > 60_000 else text
    refused(path, "nested deeper than 32|not JSON")


def test_a_key_that_comes_twice(tmp_path):
    path = saved(tmp_path, [dense(activation="relu")], DENSE)
    import h5py

    with h5py.File(path, "a") as file:
        text = str(file.attrs["model_config"])
        file.attrs["model_config"] = text.replace('"relu"', '"relu", "activation": "linear"')
    refused(path, "the key 'activation' comes twice")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_of_an_archive_that_comes_twice(tmp_path):
    """Some readers take the first one, others the last one."""
    for path, member in (
        (DATA / "keras_dense.keras", "config.json"),
        (zip_file(tmp_path / "net.pt", state(fc__weight=W)), "data.pkl"),
    ):
        assert pr.load(path)
        with zipfile.ZipFile(path) as archive:
            (name,) = (n for n in archive.namelist() if n.endswith(member))
            entries = [(n, archive.read(n)) for n in archive.namelist()]
        twice = tmp_path / f"twice{path.suffix}"
        with zipfile.ZipFile(twice, "w") as archive:
            for entry, content in [*entries, (name, dict(entries)[name])]:
                archive.writestr(entry, content)
        refused(twice, "the archive has two members of one name")


# ---- HDF5: numbers that are not those of IEEE, names without end


def _typed(change: Any) -> bytes:
    import h5py

    def make(file: Any) -> None:
        kind = change(h5py.h5t)
        space = h5py.h5s.create_simple((2,))
        h5py.h5d.create(file.id, b"x", kind, space).write(
            h5py.h5s.ALL, h5py.h5s.ALL, np.array([1.5, -2.0])
        )

    return bytes(hdf5(make))


def _copy(base: Any, **calls: Any) -> Any:
    kind = base.copy()
    for name, arguments in calls.items():
        getattr(kind, name)(*arguments)
    return kind


@pytest.mark.parametrize(
    "change",
    [
        lambda t: _copy(t.IEEE_F64LE, set_ebias=(1000,)),
        lambda t: _copy(t.IEEE_F32LE, set_fields=(31, 22, 8, 0, 22)),
        lambda t: _copy(t.IEEE_F32LE, set_norm=(t.NORM_NONE,)),
        lambda t: _copy(t.STD_I32LE, set_precision=(16,)),
        lambda t: _copy(t.STD_I32LE, set_precision=(16,), set_offset=(8,)),
    ],
)
def test_numbers_of_other_layouts_are_not_read_as_ieee(change):
    with pytest.raises(FormatError, match="does not hold numbers"):
        open_hdf5(_typed(change)).child("x").array()


def test_texts_are_looked_at_a_bounded_number_of_times(monkeypatch):
    def make(file: Any) -> None:
        for k in range(50):
            file.attrs[f"a{k}"] = "text"

    data = bytes(hdf5(make))
    assert len(open_hdf5(data).attributes) == 50
    monkeypatch.setattr("polyrank.network.formats.keras_hdf5._MOST_TEXTS", 60)
    with pytest.raises(FormatError, match="names more than 60 things"):
        open_hdf5(data)


def test_names_of_one_group_and_one_object_that_come_twice():
    def groups(file: Any) -> None:
        file.create_group("same_a")
        file.create_group("same_b")

    def texts(file: Any) -> None:
        file.attrs["same_a"], file.attrs["same_b"] = "relu", "linear"

    for make, message in (
        (groups, "the group '/' has two members called 'same_a'"),
        (texts, "an object has two attributes called 'same_a'"),
    ):
        data = bytes(hdf5(make))
        open_hdf5(data)
        with pytest.raises(FormatError, match=message):
            open_hdf5(data.replace(b"same_b", b"same_a"))


def test_free_blocks_among_names_that_follow_themselves():
    data = hdf5(lambda file: file.create_group("group"))
    assert "group" in open_hdf5(bytes(data))
    free, place = struct.unpack_from("<QQ", data, data.index(b"HEAP") + 16)
    struct.pack_into("<Q", data, place + free, free)
    with pytest.raises(FormatError, match="the names of a group are damaged"):
        open_hdf5(bytes(data))


def test_attributes_and_datatypes_that_lie():
    def make(file: Any) -> None:
        file.attrs["names"] = np.array([b"ab", b"cd"])
        file["x"] = np.array([1.5])

    data = bytes(hdf5(make))
    root = open_hdf5(data)
    assert root.attributes["names"] == ["ab", "cd"]
    assert root.child("x").array().tolist() == [1.5]
    shape = struct.pack("<QQ", 2, 2) + b"abcd"
    assert data.count(shape) == 1
    with pytest.raises(FormatError, match="an attribute is shorter than its shape says"):
        open_hdf5(data.replace(shape, struct.pack("<QQ", 2**40, 2**40) + b"abcd"))
    double = struct.pack("<BBBxI", 0x11, 0x20, 63, 8)
    assert data.count(double) == 1
    for version in (0, 5):
        changed = data.replace(double, bytes([16 * version + 1]) + double[1:])
        with pytest.raises(FormatError, match=f"a datatype of the HDF5 file has version {version}"):
            open_hdf5(changed).child("x").array()


# ---- safetensors


def _tensors(folder: Path, text: str, data: bytes) -> Path:
    path = folder / "net.safetensors"
    head = text.encode("utf-8", "surrogatepass")
    path.write_bytes(len(head).to_bytes(8, "little") + head + data)
    return path


def test_a_tensor_that_comes_twice(tmp_path):
    """Its bytes are the same, but rows and columns, or the type, are not."""
    first = '"W0":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}'
    for second in ('"shape":[1,2]', '"dtype":"I32"'):
        other_ = first.replace('"shape":[2,1]' if "shape" in second else '"dtype":"F32"', second)
        path = _tensors(tmp_path, "{" + first + "," + other_ + "}", struct.pack("<2f", 1, 2))
        refused(path, "the key 'W0' comes twice")


@pytest.mark.parametrize(
    ("shape", "offsets", "message"),
    [
        ([0, 10**30], [0, 0], "beyond 64 bits"),
        ([0, 2**30, 2**30], [0, 0], "is empty, but has the shape"),
        ([10**4000, 10**4000], [0, 8], "beyond 64 bits"),
        ([1] * 65 + [2], [0, 8], "66 dimensions"),
        ([2, 1], [False, 8], "has no dtype, shape and data_offsets"),
        ([2, 1], [0, 10**4200], "beyond any file"),
        ([2, 1], [10**4200, 10**4200 + 8], "beyond any file"),
    ],
)
def test_shapes_and_offsets_of_safetensors(tmp_path, shape, offsets, message):
    entry = {"dtype": "F32", "shape": shape, "data_offsets": offsets}
    refused(_tensors(tmp_path, json.dumps({"W0": entry}), bytes(8)), message)


@pytest.mark.parametrize("name", ["W\n", "\x1b]0;x\x07.weight", "\ud800.weight", "W" * 10_000])
def test_names_that_a_terminal_obeys_or_cannot_show(tmp_path, name):
    entry = {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]}
    path = _tensors(tmp_path, json.dumps({name: entry}), struct.pack("<2f", 1, 2))
    assert all(note.isprintable() and len(note) < 2300 for note in _notes(path))


def _notes(path: Path) -> list[str]:
    """What is said of a file: the notes of its network, or why it is refused."""
    try:
        return [str(note) for note in pr.load(path).source["notes"]]
    except NetworkError as problem:
        return [str(problem)]


# ---- MAT-files


def _saved(folder: Path, **variables: Any) -> Path:
    from scipy.io import savemat

    path = folder / "net.mat"
    savemat(path, variables)
    return path


M0, M1 = np.array([[1.0, 2.0], [3.0, -4.0]]), np.array([[1.0, -1.0]])
PLAIN = {"W1": M0, "b1": np.ones((2, 1)), "W2": M1, "b2": np.zeros((1, 1))}


def test_numbers_that_are_not_read_are_no_zeros(tmp_path):
    """A sparse or logical bias was left out before, and taken as zero."""
    from scipy.sparse import csc_matrix

    refused(_saved(tmp_path, **{**PLAIN, "b1": csc_matrix(np.ones((2, 1)))}), "is a sparse matrix")
    truth = np.array([[True], [False]])
    refused(_saved(tmp_path, **{**PLAIN, "b1": truth}), "'b1' is an array of logical values")
    refused(_saved(tmp_path, **{**PLAIN, "b2": np.array([[True]])}), "'b2' is a logical value")
    cells = np.empty((1, 2), dtype=object)
    cells[0] = [M0, csc_matrix(M1)]
    path = _saved(tmp_path, weights=cells, biases=cells)
    refused(path, "entry|sparse")
    for beside in ({"mask": truth}, {"use_bias": True}, {"adjacency": csc_matrix(np.eye(3))}):
        network = pr.load(_saved(tmp_path, **PLAIN, **beside))
        assert network.widths == (2, 2, 1)
        (name,) = beside
        assert any(name in note for note in network.source["notes"])


def test_a_logical_flag_says_that_the_output_has_a_relu(tmp_path):
    for value in (True, False):
        network = pr.load(_saved(tmp_path, **PLAIN, output_relu=value))
        assert network.bits == (2, int(value))


def test_numbers_in_a_struct_beside_the_weights(tmp_path):
    norm = {"X_mean": np.ones((1, 2)), "X_std": np.ones((1, 2))}
    for beside in ({"norm": norm}, {"norm": {"X_mean": 1.0}}, {"target": PLAIN}):
        refused(_saved(tmp_path, **PLAIN, **beside), "lies in a struct beside the weights")
        refused(_saved(tmp_path, net={**PLAIN, **beside}), "lies in a struct beside the weights")
    refused(_saved(tmp_path, net=PLAIN, norm=norm), "lies in a struct beside the weights")
    options = {"rate": 0.1, "sizes": np.ones((1, 3)), "weight_decay": 0.1}
    assert pr.load(_saved(tmp_path, **PLAIN, options=options)).widths == (2, 2, 1)
    both = _saved(tmp_path, net=PLAIN, target=PLAIN)
    refused(both, "several networks, the structs net, target")
    assert pr.load(both, part="target").widths == (2, 2, 1)


def _element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + b"\0" * (-len(content) % 8)


def _handle(name: bytes) -> bytes:
    """A variable of the class of function handles; what it holds is not looked at."""
    head = _element(6, struct.pack("<II", 16, 0)) + _element(5, struct.pack("<ii", 1, 1))
    return _element(14, head + _element(1, name) + _element(14, b""))


def test_function_handles_may_be_activations(tmp_path):
    path = _saved(tmp_path, **PLAIN)
    whole = path.read_bytes()
    for name, read in ((b"act", False), (b"f", False), (b"activation", False), (b"loss_fcn", True)):
        path.write_bytes(whole + _handle(name))
        if read:
            assert pr.load(path).widths == (2, 2, 1)
        else:
            refused(path, f"'{name.decode()}' is a function handle")
    path.write_bytes(whole + whole[128:])
    refused(path, "holds the variable 'W1' twice")


def _stored(folder: Path, of_class: int, stored: int, numbers: np.ndarray) -> Path:
    """A file with one matrix ``W1`` of some class, whose numbers are stored as another type."""
    head = _element(6, struct.pack("<II", of_class, 0))
    head += _element(5, struct.pack("<ii", *numbers.shape)) + _element(1, b"W1")
    path = _saved(folder)
    matrix = head + _element(stored, numbers.tobytes(order="F"))
    path.write_bytes(path.read_bytes() + _element(14, matrix))
    return path


@pytest.mark.parametrize(
    ("of_class", "stored", "dtype", "good", "bad"),
    [
        (7, 9, "<f8", 1.5, 0.1),  # single, stored as double
        (7, 5, "<i4", 2**24, 2**24 + 1),  # single, stored as int32
        (8, 4, "<u2", 127, 128),  # int8, stored as uint16
        (13, 5, "<i4", 7, -7),  # uint32, stored as int32
        (12, 9, "<f8", None, 1.0),  # int32, stored as double
    ],
)
def test_numbers_that_are_none_of_their_class(tmp_path, of_class, stored, dtype, good, bad):
    if good is not None:
        network = pr.load(_stored(tmp_path, of_class, stored, np.full((1, 2), good, dtype)))
        assert network.layers[0].weight.approx.tolist() == [[good, good]]
    refused(_stored(tmp_path, of_class, stored, np.full((1, 2), bad, dtype)), "'W1' of class .* is")


def test_a_field_of_a_struct_that_comes_twice(tmp_path):
    path = _saved(tmp_path, net={"W1": M0, "W2": M1})
    assert pr.load(path).widths == (2, 2, 1)
    data = path.read_bytes()
    assert data.count(b"W2") == 1
    path.write_bytes(data.replace(b"W2", b"W1"))
    refused(path, "a struct has two fields of one name")


# ---- ONNX


def _external(folder: Path, **said: Any) -> Path:
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in "xy")
    tensor = TensorProto(name="c", data_type=TensorProto.FLOAT, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in said.items():
        tensor.external_data.add(key=key.rstrip("_"), value=str(value))
    graph = helper.make_graph([helper.make_node("Add", ["x", "c"], ["y"])], "g", [x], [y], [tensor])
    path = folder / "net.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"location": "a\0b"}, "cannot be read"),
        ({"location": "n" * 5000}, "cannot be read|not there"),
        ({"location": "."}, "not a regular file"),
        ({"location": "c.bin", "offset": "1_6"}, "no number of bytes"),
        ({"location": "c.bin", "offset": " 16"}, "no number of bytes"),
        ({"location": "c.bin", "offset": "１６"}, "no number of bytes"),
        ({"location": "c.bin", "offset": -16}, "no number of bytes"),
        ({"location": "c.bin", "offset": 10**17}, "truncated: 0 of 16"),
        ({"location": "c.bin", "offset": "9" * 30}, "no number of bytes"),
        ({"location": "c.bin", "location_": "d.bin"}, "says twice where it lies"),
        ({"location": "c.bin", "length": "0x10"}, "no number of bytes"),
    ],
)
def test_places_of_numbers_outside_the_file(tmp_path, said, message):
    (tmp_path / "c.bin").write_bytes(np.arange(8, dtype="<f4").tobytes())
    assert outputs_of(_external(tmp_path, location="c.bin", offset=16)) == [4, 5, 6, 7]
    refused(_external(tmp_path, **said), message)


def outputs_of(path: Path) -> list[Fraction]:
    return [Fraction(int(v.p), int(v.q)) for v in forward_exact(pr.load(path), [0] * 4)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused(_external(tmp_path, location="pipe"), "not a regular file")


def test_one_file_that_is_many_tensors(tmp_path, monkeypatch):
    """A file of a gigabyte without content costs nothing; fifty tensors of it would."""
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in "xy")
    tensors = []
    for k in range(12):
        tensor = TensorProto(name=f"c{k}", data_type=TensorProto.FLOAT, dims=[2**24])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="c.bin")
        tensors.append(tensor)
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y], tensors)
    path = tmp_path / "net.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    with (tmp_path / "c.bin").open("wb") as file:
        file.truncate(2**26)
    monkeypatch.setattr("polyrank.network.formats.source.MAX_ENTRIES", 2**25)
    refused(path, "with the tensors before it has .* entries; at most")


def test_names_that_come_twice_in_a_graph(tmp_path):
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1]) for n in "xy")
    one, two = (numpy_helper.from_array(np.full(1, v, np.float32), "c") for v in (1, 2))
    node = helper.make_node("Add", ["x", "c"], ["y"])
    path = tmp_path / "net.onnx"

    def written(nodes: list[Any], tensors: list[Any], **more: Any) -> Path:
        graph = helper.make_graph(nodes, "g", [x], [y], tensors)
        model = helper.make_model(graph, **more)
        path.write_bytes(model.SerializeToString())
        return path

    refused(written([node], [one, two]), "two initialisers of one name")
    leaky = helper.make_node("LeakyRelu", ["x"], ["y"], alpha=0.5)
    leaky.attribute.append(helper.make_attribute("alpha", 0.25))
    refused(written([leaky], []), "two attributes 'alpha'")
    del leaky.attribute[1]
    leaky.attribute[0].ref_attr_name = "beta"
    refused(written([leaky], []), "its 'alpha' is that of a function around it")
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx", 12)]
    refused(written([node], [one], opset_imports=sets), "several operator sets: ")
    own = helper.make_function(
        "", "Relu", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])], sets[:1]
    )
    relu = helper.make_node("Relu", ["x"], ["y"])
    refused(written([relu], [], functions=[own]), "a function 'Relu' of its own")


def test_unsupported_is_said_as_such(tmp_path):
    with pytest.raises(UnsupportedError):
        pr.load(_external(tmp_path, location="../c.bin"))
