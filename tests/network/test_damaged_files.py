"""Truncated and scrambled files: an error in one sentence, or a network; never anything else."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.errors import NetworkError
from polyrank.network.formats import load, save
from polyrank.network.normal_form import Network

NET = Network.from_arrays(
    [np.arange(6.0).reshape(3, 2) - 2.5, np.arange(3.0).reshape(1, 3)], [np.ones(3), np.zeros(1)]
)
EXTENSIONS = ["npz", "safetensors", "nnet", "json"]


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    found = {}
    for extension in EXTENSIONS:
        save(NET, folder / f"net.{extension}")
        found[extension] = (folder / f"net.{extension}").read_bytes()
    return found


def outcome(folder, extension, data):
    """The network, or the sentence; every other exception, and every warning, fails the test."""
    path = folder / f"net.{extension}"
    path.write_bytes(data)
    try:
        return load(path)
    except NetworkError as problem:
        sentence = str(problem)
        assert "\n" not in sentence
        assert 0 < len(sentence) < 400
        return sentence


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_every_truncation(tmp_path, originals, extension):
    whole = originals[extension]
    for length in range(len(whole)):
        result = outcome(tmp_path, extension, whole[:length])
        if not isinstance(result, str):  # only trailing white space was lost
            assert whole[length:].strip() in (b"", b","), whole[length:]
            assert result.sha256 == NET.sha256


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_scrambled_bytes(tmp_path, originals, extension):
    rng = random.Random(extension)
    whole = originals[extension]
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 1, 2, 8])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if rng.random() < 0.2:
            at = rng.randrange(len(data))
            del data[at : at + rng.randrange(1, 30)]
        outcome(tmp_path, extension, bytes(data))


@pytest.mark.parametrize("extension", EXTENSIONS)
@settings(max_examples=60)
@given(data=st.binary(min_size=1, max_size=200))
def test_noise(tmp_path_factory, extension, data):
    assert isinstance(outcome(tmp_path_factory.mktemp("noise"), extension, data), str)


@pytest.mark.parametrize("extension", ["nnet", "json"])
@settings(max_examples=60)
@given(text=st.text(alphabet='0123456789,.-eE"[]{}:/ \nWblayersightnu', min_size=1, max_size=120))
def test_noise_in_the_alphabet_of_the_format(tmp_path_factory, extension, text):
    outcome(tmp_path_factory.mktemp("noise"), extension, text.encode())
