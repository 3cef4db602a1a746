"""Hostile and damaged torch files: nothing runs, little is allocated, one sentence says why."""

from __future__ import annotations

import os
import pickle
import subprocess
import time
import tracemalloc
import zipfile
from collections import OrderedDict
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import polyrank as pr
from polyrank.errors import FormatError, NetworkError, UnsupportedError
from tests.network.formats_foreign.torch_files import (
    MAGIC,
    Tensor,
    legacy_file,
    linear,
    sequential,
    state,
    zip_file,
)

STATE = {"0__weight": np.eye(2, 3), "0__bias": np.ones(2), "2__weight": np.ones((1, 2))}
LEGACY_HEAD = b"".join(pickle.dumps(v, 2) for v in (MAGIC, 1001, {"little_endian": True}))


class Call:
    """Pickles to a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.made = (function, arguments)

    def __reduce__(self) -> Any:
        return self.made


def zipped(path, pickled: bytes, **entries: bytes):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", pickled)
        for name, raw in entries.items():
            archive.writestr(name, raw)
    return path


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A file that appears if anything runs; loading must leave it absent."""
    ran = tmp_path / "ran"

    def sprung(*_: Any, **__: Any) -> None:
        ran.write_text("ran")

    for module, name in ((os, "system"), (os, "popen"), (subprocess, "Popen")):
        monkeypatch.setattr(module, name, sprung)
    yield ran
    assert not ran.exists()


def hostile(ran) -> dict[str, bytes]:
    command = f"touch {ran}"
    code = f"open({str(ran)!r}, 'w').close()"
    text = command.encode()
    return {
        "os.system": pickle.dumps(Call(os.system, command), 2)
        if os.system.__module__ in {"posix", "nt"}
        else b"cposix\nsystem\n(S'" + text + b"'\ntR.",
        "eval": pickle.dumps(Call(eval, code)),
        "exec in a weight": pickle.dumps(OrderedDict([("0.weight", Call(exec, code))]), 2),
        "nested": pickle.dumps(Call(getattr, Call(__import__, "os"), "system"), 4),
        "build": pickle.dumps({"x": [Call(print, Call(eval, code))]}, 5),
        "inst": b"(S'" + text + b"'\nios\nsystem\n.",
        "obj": b"(cos\nsystem\nS'" + text + b"'\no.",
        "newobj": b"\x80\x02csubprocess\nPopen\nX\x05\x00\x00\x00touch\x85\x81.",
        "newobj_ex": b"\x80\x04\x8c\nsubprocess\x8c\x05Popen\x93\x8c\x05touch\x85}\x92.",
        "stack_global": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R.",
        "python 2": b"c__builtin__\neval\n(S'1'\ntR.",
        "numpy": b"cnumpy.testing._private.utils\nrunstring\n(S'1'\n}tR.",
        "torch.hub": b"ctorch.hub\nload\n(S'a/b'\nS'c'\ntR.",
        "torch.load": b"ctorch.storage\n_load_from_bytes\n(S'abc'\ntR.",
        "pip": b"cpip\nmain\n(S'install'\ntR.",
        "dotted": b"\x80\x04\x8c\x05torch\x8c\x0bhub.os.call\x93.",
        "runpy": b"crunpy\n_run_code\n(S'1'\n}tR.",
    }


NAMES = sorted(hostile("x"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("container", ["zip", "legacy"])
def test_malicious_pickles_are_refused_and_nothing_runs(tmp_path, trap, name, container):
    pickled = hostile(trap)[name]
    path = tmp_path / "a.pt"
    if container == "zip":
        zipped(path, pickled)
    else:
        path.write_bytes(LEGACY_HEAD + pickled + pickle.dumps([], 2))
    with pytest.raises(UnsupportedError, match="which could run commands; nothing was run"):
        pr.load(path)


def test_unknown_third_party_classes_are_never_looked_up(tmp_path, trap):
    """A class of another package is inert data beside the weights, a refusal in their place."""
    beside = b"\x80\x02}(X\x01\x00\x00\x00acevil_package\nEvil\n)RX\x01\x00\x00\x00bK\x01u."
    with pytest.raises(UnsupportedError, match="holds no tensors"):
        pr.load(zipped(tmp_path / "a.pt", beside))
    with pytest.raises(UnsupportedError, match=r"holds a evil_package\.Evil"):
        pr.load(zipped(tmp_path / "b.pt", b"\x80\x02cevil_package\nEvil\n)R."))


def changed(**values: Any) -> OrderedDict[str, Any]:
    tensor = Tensor(np.eye(2))
    for name, value in values.items():
        setattr(tensor, name, value)
    return OrderedDict([("0.weight", tensor)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(size=(10**6, 10**6), stride=(0, 0)), "has 1000000000000 entries; at most"),
        (changed(size=(2, 10**30), stride=(0, 0)), "entries; at most"),
        (changed(count=10**12), "1000000000000 (entries|numbers)"),
        (changed(offset=3), "does not lie inside its storage of 4"),
        (changed(size=(3, 2)), "does not lie inside"),
        (changed(stride=(-2, 1)), "strides"),
        (changed(size=(True, 2)), "a tensor has size"),
        (changed(offset=-1), "offset -1"),
        (changed(size=(2,)), "a tensor has size"),
        (changed(size=[2, 2]), "not described by storage, offset, size and stride"),
        (
            changed(count=3, size=(1, 3), stride=(3, 1)),
            "bytes; expected 24|left over",
        ),
    ],
)
@pytest.mark.parametrize("write", [zip_file, legacy_file])
def test_lying_tensors(tmp_path, write, content, message):
    path = write(tmp_path / "a.pt", content)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=message):
            pr.load(path)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("key", ["../../../etc/passwd", "/etc/passwd", "..", "a/../../b", "a\\b"])
def test_path_traversal(tmp_path, key):
    path = zip_file(tmp_path / "a.pt", changed(key=key))
    with pytest.raises(FormatError, match="expected letters and digits"):
        pr.load(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pt"]


def test_zip_bomb(tmp_path):
    content = OrderedDict([("0.weight", Tensor(np.zeros((4000, 2000))))])
    path = zip_file(tmp_path / "a.pt", content, compress=True)
    assert path.stat().st_size < 100_000
    with pytest.raises(FormatError, match="compressed, which torch.save never does"):
        pr.load(path)


def test_overlapping_zip_entries(tmp_path):
    """Many directory entries over the same bytes claim more than the file has."""
    path = zip_file(tmp_path / "a.pt", OrderedDict([("0.weight", Tensor(np.eye(100)))]))
    with zipfile.ZipFile(path, "a") as archive:
        (big,) = [info for info in archive.infolist() if info.filename.endswith("data/0")]
        for k in range(1, 50):
            copy = zipfile.ZipInfo(f"archive/data/{k}")
            copy.header_offset, copy.CRC = big.header_offset, big.CRC
            copy.file_size = copy.compress_size = big.file_size
            archive.filelist.append(copy)
            archive.NameToInfo[copy.filename] = copy
        archive._didModify = True
    with pytest.raises(FormatError):
        pr.load(path)


def bomb_memo() -> bytes:
    return b"\x80\x02Nr\xff\xff\xff\x7f."  # LONG_BINPUT 2^31 - 1


def laughs() -> bytes:
    """A list of two references to a list of two references … 2^60 leaves, shared."""
    return (
        b"\x80\x02]q\x00"
        + b"".join(
            b"](h" + bytes([k]) + b"h" + bytes([k]) + b"eq" + bytes([k + 1]) for k in range(60)
        )
        + b"."
    )


@pytest.mark.parametrize(
    ("pickled", "message"),
    [
        (bomb_memo(), "expected a state dict"),
        (laughs(), "expected a state dict"),
        (b"\x80\x02}(" + b"(" * 50 + b"t" * 50 + b"K\x01u.", "holds no tensors"),
        (b"\x80\x02}(]K\x01u.", "a list as a key"),
        (b"\x80\x02}(]\x85K\x01u.", "a tuple as a key"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", "damaged"),  # BINBYTES8
        (b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.", "damaged"),  # BYTEARRAY8
        (b"\x80\x02\x8b\xff\xff\xff\x7f.", "damaged"),  # LONG4
        (b"I" + b"9" * 5000 + b"\n.", "damaged"),
        (b"\x80\x02", "damaged|without a STOP"),
        (b"", "damaged|without a STOP"),
        (b"\x80\x02.", "damaged"),
        (b"\x80\x02(.", "a mark is taken for a value"),
        (b"\x80\x02N}.", "state dict"),
        (b"\x80\x02h\x05.", "damaged"),
        (b"\x80\x02NNR.", "arguments are not a tuple"),
        (b"\x80\x02NK\x01a.", "not a list"),
        (b"\x80\x02NK\x01K\x02s.", "not a dict"),
        (b"\x80\x02}(K\x01u.", "a key without a value"),
        (b"\x80\x04NN\x93.", "not named by strings"),
        (b"\x80\x02\x82\x01.", "EXT1, which saved weights do not need"),
        (b"\x80\x02(K\x01K\x02K\x031N.", "expected a state dict"),
        (b"\x80\x02K\x0120N0N.", "expected a state dict"),
        (b"\x80\x04\x8f(K\x01\x90\x94.", "expected a state dict"),
        (b"(lp0\n(dp1\nS'a'\nI1\nsa(I1\nI2\nd.", "holds no tensors|expected a state dict"),
    ],
)
def test_strange_pickles(tmp_path, pickled, message):
    start = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(NetworkError, match=message):
            pr.load(zipped(tmp_path / "a.pt", pickled))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "pickled",
    [
        b"ccollections\nOrderedDict\n((lp0\n(S'a'\nI1\nlp1\natR.",  # Python 2: one call with pairs
        b"(I1\nievil_package\nEvil\n.",  # INST
        b"(cevil_package\nEvil\nI1\no.",  # OBJ
        b"\x80\x04\x8c\x04evil\x8c\x04Evil\x93)}\x92.",  # NEWOBJ_EX
        b"\x80\x02cevil\nEvil\n)R(K\x01K\x02u(K\x03e.",  # items of a mapping or list subclass
    ],
)
def test_instances_of_other_classes_are_only_written_down(tmp_path, pickled):
    with pytest.raises(UnsupportedError, match="holds a|holds no tensors"):
        pr.load(zipped(tmp_path / "a.pt", pickled))


def test_names_without_end(tmp_path):
    """Keys that nest deeply, repeat, or are parts of each other."""
    deep = {"a." * k + "b.weight": Tensor(np.eye(2)) for k in range(1, 100)}
    with pytest.raises(FormatError, match="nested deeper than 50"):
        pr.load(zip_file(tmp_path / "a.pt", OrderedDict(deep)))
    for names in (["a", "a.b"], ["a.weight", "a..weight"], ["0.x.y0", "0.x.y0.z"], [".", ".."]):
        content = OrderedDict((f"{name}.weight", Tensor(np.eye(2))) for name in names)
        with suppress(NetworkError):
            pr.load(zip_file(tmp_path / "b.pt", content))


def test_settings_that_are_shared_without_end(tmp_path):
    """A dict of two references to a dict of two references …: nothing is written out."""
    inner: dict[str, Any] = {str(k): "relu" for k in range(3000)}
    for _ in range(4):
        inner = {str(k): inner for k in range(3000)}
    start = time.monotonic()
    content = {"config": inner, "state_dict": state(**STATE)}
    pr.load(zip_file(tmp_path / "a.pt", content))
    assert time.monotonic() - start < 20


def test_large_pickle(tmp_path, monkeypatch):
    monkeypatch.setattr("polyrank.network.formats.torch_tensors._MAX_PICKLE", 10)
    with pytest.raises(FormatError, match=r"data\.pkl has \d+ bytes"):
        pr.load(zip_file(tmp_path / "a.pt", state(**STATE)))


def test_endless_pickle(tmp_path):
    with pytest.raises(FormatError, match="more than 2,000,000 operations"):
        pr.load(zipped(tmp_path / "a.pt", b"\x80\x02" + b"N0" * 1_000_001 + b"."))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"b/data.pkl": b"N."}, "2 data.pkl"),
        ({"a/code/x.py": b"1"}, "TorchScript archive"),
    ],
)
def test_strange_zips(tmp_path, entries, message):
    with pytest.raises(NetworkError, match=message):
        pr.load(zipped(tmp_path / "a.pt", b"N.", **entries))


def test_missing_storage(tmp_path):
    path = zip_file(tmp_path / "a.pt", state(**STATE))
    kept = tmp_path / "b.pt"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(kept, "w") as new:
        for name in old.namelist():
            if not name.endswith("data/1"):
                new.writestr(name, old.read(name))
    with pytest.raises(FormatError, match="no entry 'archive/data/1'"):
        pr.load(kept)


def test_big_endian_storages(tmp_path):
    content = OrderedDict([("weight", Tensor(np.array([[1.5, -2.0]], dtype=">f8"), kind="f8"))])
    path = zip_file(tmp_path / "a.pt", content)
    turned = tmp_path / "b.pt"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(turned, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"big" if name.endswith("byteorder") else old.read(name))
    assert pr.load(turned).layers[0].weight.approx.tolist() == [[1.5, -2.0]]


def test_not_torch_at_all(tmp_path):
    path = tmp_path / "a.pt"
    for raw, message in (
        (b"hello world", "neither a zip nor a pickle"),
        (pickle.dumps([1, 2], 2), "starts with another pickle"),
        (b"PK\x03\x04 cut", "damaged or cut off|content"),
    ):
        path.write_bytes(raw)
        with pytest.raises(FormatError, match=message):
            pr.load(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"DoubleStorage", b"QInt8Storage", r"a storage holds torch\.QInt8Storage"),
        (b"DoubleStorage", b"save", r"asks for torch\.save, which weights do not need"),
        (b"_rebuild_tensor_v2", b"_rebuild_sparse_tensor", "is not a plain dense tensor"),
        (b"storage", b"ztorage", "not described by type, device|not described by type"),
    ],
)
def test_strange_storages_and_tensors(tmp_path, old, new, message):
    with zipfile.ZipFile(zip_file(tmp_path / "a.pt", changed())) as archive:
        pickled = archive.read("archive/data.pkl")
    assert old in pickled
    path = zipped(tmp_path / "b.pt", pickled.replace(old, new, 1))
    with pytest.raises(NetworkError, match=message):
        pr.load(path)


@pytest.mark.parametrize(
    ("keys", "tail", "message"),
    [
        (["1"], b"", "belongs to no tensor"),
        ([], b"", "missing or of another size"),
        ("x", b"", "list of storages is damaged"),
        (["0"], b"\x04" + bytes(7) + bytes(31), "truncated"),
        (["0"], b"\x05" + bytes(7) + bytes(40), "has 5 numbers; expected 4"),
        (["0"], b"\x04" + bytes(7) + bytes(33), "1 bytes are left over"),
    ],
)
def test_lying_legacy_containers(tmp_path, keys, tail, message):
    whole = legacy_file(tmp_path / "a.pt", changed()).read_bytes()
    content = whole[: whole.index(pickle.dumps(["0"], 2))]
    path = tmp_path / "b.pt"
    path.write_bytes(content + pickle.dumps(keys, 2) + tail)
    with pytest.raises(FormatError, match=message):
        pr.load(path)


def test_views_of_storages_are_refused(tmp_path):
    whole = legacy_file(tmp_path / "a.pt", changed()).read_bytes()
    place = whole.index(b"Ntq")  # the view that every legacy storage may have
    path = tmp_path / "b.pt"
    path.write_bytes(whole[:place] + b"K\x01" + whole[place + 1 :])
    with pytest.raises(UnsupportedError, match="views a part of another storage"):
        pr.load(path)


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("torch")
    relu = sequential(linear(np.eye(2, 3), np.ones(2)))
    return {
        "zip": zip_file(folder / "a.pt", state(**STATE)).read_bytes(),
        "legacy": legacy_file(folder / "b.pt", state(**STATE)).read_bytes(),
        "module": legacy_file(folder / "c.pt", relu).read_bytes(),
    }


@pytest.mark.parametrize("kind", ["zip", "legacy", "module"])
def test_every_truncation(tmp_path, valid, kind):
    data = valid[kind]
    path = tmp_path / "a.pt"
    for length in range(0, len(data), max(1, len(data) // 150)):
        path.write_bytes(data[:length])
        with pytest.raises(NetworkError):
            pr.load(path)


@pytest.mark.parametrize("kind", ["zip", "legacy", "module"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_fuzzed_files(tmp_path, valid, kind, data):
    raw = bytearray(valid[kind])
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "a.pt"
    path.write_bytes(bytes(raw))
    with suppress(NetworkError):  # any other exception fails the test
        pr.load(path)
