"""The native core is the one that its sources make, and is refused otherwise."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from polyrank.errors import PolyrankError
from polyrank.native import library
from polyrank.native.records import array

SOURCES = Path(library.__file__).parent / "src"


def test_the_core_was_built_from_these_sources():
    core = library.core()
    assert core.polyrank_sources().decode() == library.sources_hash(SOURCES)


def test_one_changed_byte_in_any_source_is_noticed(tmp_path):
    for path in SOURCES.glob("*.[ch]pp"):
        copy = tmp_path / path.name
        shutil.copytree(SOURCES, copy)
        (copy / path.name).write_bytes(path.read_bytes() + b"\n")
        assert library.sources_hash(copy) != library.sources_hash(SOURCES)


def test_a_core_built_from_other_sources_is_refused(monkeypatch):
    monkeypatch.setattr(library, "sources_hash", lambda folder: "0" * 64)
    with pytest.raises(PolyrankError, match="built from other sources"):
        library._open("polyrank_core")


def test_a_missing_core_is_named():
    with pytest.raises(PolyrankError, match="polyrank_none"):
        library._open("polyrank_none")


def test_an_array_that_is_not_contiguous_is_refused():
    with pytest.raises(ValueError, match="strides"):
        array(np.zeros((4, 4)).T[::2])
