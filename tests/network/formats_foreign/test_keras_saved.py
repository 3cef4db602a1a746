"""Keras files: models saved by Keras itself, whole, truncated and damaged. Needs no h5py."""

from __future__ import annotations

import json
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import polyrank as pr
from polyrank.errors import FormatError, NetworkError
from polyrank.network.formats.keras_hdf5 import open_hdf5
from polyrank.network.forward import forward

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


def test_archives_without_metadata_or_with_a_large_configuration(tmp_path, monkeypatch):
    path = repacked(DATA / "keras_dense.keras", tmp_path / "a.keras", metadata=None)
    assert pr.load(path).widths == (3, 4, 4, 2)
    monkeypatch.setattr("polyrank.network.formats.keras._MAX_CONFIG", 10)
    with pytest.raises(FormatError, match="larger than 64 MB"):
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
