"""``load``: which reader a file goes to, and every way in which it is refused."""

from __future__ import annotations

import io
import os
import zipfile

import numpy as np
import pytest

import polyrank.network.formats.reading as module
from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats import load
from polyrank.network.formats.registry import FORMATS, format_of, format_to_write
from polyrank.network.normal_form import Network

W, b = np.array([[1.0, 2.0]]), np.array([3.0])
NET = Network.from_arrays([W], [b])
JSON = b'{"layers": [{"weight": [[1, 2]], "bias": [3]}]}'
NNET = b"1\n2,1\n0\n0\n0\n0\n0\n1,2\n3\n"


def npz_bytes():
    stream = io.BytesIO()
    np.savez(stream, W0=W, b0=b)
    return stream.getvalue()


def zip_bytes(*names):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return stream.getvalue()


def safetensors_bytes():
    header = b'{"W0":{"dtype":"F64","shape":[1,2],"data_offsets":[0,16]}}'
    return len(header).to_bytes(8, "little") + header + W.tobytes()


CONTENTS = {
    "npz": npz_bytes(),
    "safetensors": safetensors_bytes(),
    "nnet": NNET,
    "json": JSON,
    "onnx": b"\x08\x08\x12\x07pytorch",
    "torch": zip_bytes("archive/data.pkl", "archive/data/0"),
    "keras": b"\x89HDF\r\n\x1a\n" + bytes(40),
    "matlab": b"MATLAB 5.0 MAT-file, Platform: GLNXA64",
}


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_formats_are_known_by_extension_and_by_content(tmp_path, form):
    for extension in form.extensions:
        for name in (f"net{extension}", f"net{extension.upper()}"):
            (tmp_path / name).write_bytes(CONTENTS[form.name])
            assert format_of(tmp_path / name) is form
    for name in ("net", "net.weights"):
        (tmp_path / name).write_bytes(CONTENTS[form.name])
        assert format_of(tmp_path / name) is form


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + bytes(9), "torch"),
        (b"MATLAB 7.3 MAT-file", "matlab"),
        (zip_bytes("config.json", "metadata.json", "model.weights.h5"), "keras"),
        (b"\xef\xbb\xbf\n {", "json"),
        (b"// comment\n2", "nnet"),
        (b"7, 5, 5, 50,\r\n", "nnet"),
    ],
)
def test_other_first_bytes(tmp_path, content, name):
    path = tmp_path / "net"
    path.write_bytes(content)
    assert format_of(path).name == name


@pytest.mark.parametrize("name", ["npz", "safetensors", "nnet", "json", "torch", "keras", "matlab"])
def test_a_wrong_extension_is_named(tmp_path, name):
    wrong = ".onnx" if name != "onnx" else ".npz"
    path = tmp_path / f"net{wrong}"
    path.write_bytes(CONTENTS[name])
    with pytest.raises(
        FormatError, match=f"extension says onnx, but the content is {name}; rename"
    ):
        load(path)


def test_content_of_no_format(tmp_path):
    path = tmp_path / "net.txt"
    for content in (b"hello", zip_bytes("readme.txt"), b"PK\x03\x04 broken"):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=r"net.txt: unknown format; expected one of .npz, "):
            load(path)


def test_missing_empty_and_special_files(tmp_path):
    with pytest.raises(FormatError, match=r"nothing.npz: no such file"):
        load(tmp_path / "nothing.npz")
    with pytest.raises(FormatError, match="not a regular file"):
        load(tmp_path)
    for form in FORMATS:
        path = tmp_path / f"empty{form.extensions[0]}"
        path.touch()
        with pytest.raises(FormatError, match="the file is empty"):
            load(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(FormatError, match="not a regular file"):
        load(tmp_path / "pipe.npz")


def test_what_goes_wrong_on_the_way_is_one_sentence(tmp_path, monkeypatch):
    path = tmp_path / "net.json"
    path.write_bytes(JSON)
    for problem, message in (
        (PermissionError(13, "Permission denied"), "cannot be read: Permission denied"),
        (OSError("odd"), "cannot be read: odd"),
        (MemoryError(), "not enough memory"),
    ):

        def fail(where, problem=problem):
            raise problem

        monkeypatch.setattr(module, "format_of", fail)
        with pytest.raises(FormatError, match=message):
            load(path)


def test_a_missing_optional_package_is_named(tmp_path, monkeypatch):
    path = tmp_path / "net.json"
    path.write_bytes(JSON)

    def fail(where):
        raise ModuleNotFoundError("No module named 'h5py'", name="h5py")

    monkeypatch.setattr(module, "format_of", fail)
    with pytest.raises(UnsupportedError, match="net.json: reading this format needs .* 'h5py'"):
        load(path)


def test_the_record_of_the_source(tmp_path):
    path = tmp_path / "net.json"
    path.write_bytes(JSON)
    net = load(path, name="mine")
    assert net.name == "mine"
    assert net.sha256 == NET.sha256
    assert net.source["format"] == "json"
    assert net.source["file"] == "net.json"
    # independent: sha256sum of these bytes
    import hashlib

    assert net.source["sha256"] == hashlib.sha256(JSON).hexdigest()
    assert net.source["notes"] == []


def test_output_relu_in_every_format(tmp_path):
    relu = Network.from_arrays([W], [b], output_relu=True).sha256
    for name in ("npz", "nnet", "json"):
        path = tmp_path / f"net.{name}"
        path.write_bytes(CONTENTS[name])
        assert load(str(path)).sha256 == NET.sha256
        assert load(path, output_relu=True).sha256 == relu


def test_options_that_would_be_ignored_are_refused(tmp_path):
    for name, options, message in (
        ("npz", {"raw": True}, "--raw does not apply to npz files: only .nnet files"),
        ("nnet", {"activation": "abs"}, "--activation does not apply to nnet files"),
        ("onnx", {"slope": 0.1}, "--slope does not apply to onnx files: the file itself says"),
    ):
        path = tmp_path / f"net.{name}"
        path.write_bytes(CONTENTS[name])
        with pytest.raises(NetworkError, match=message):
            load(path, **options)
    assert load(tmp_path / "net.npz", raw=False).sha256 == NET.sha256


def test_messages_name_the_file(tmp_path):
    path = tmp_path / "net.json"
    path.write_bytes(b'{"layers": 5}')
    with pytest.raises(FormatError, match=r"^net.json: \"layers\" must be a list"):
        load(path)


def test_formats_to_write(tmp_path):
    assert format_to_write(tmp_path / "x.NPZ").name == "npz"
    for name in ("x.pt", "x.txt", "x"):
        with pytest.raises(FormatError, match=r"cannot write this format; expected one of .npz"):
            format_to_write(tmp_path / name)
