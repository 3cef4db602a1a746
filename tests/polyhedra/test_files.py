"""Domains in .npz and .json files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import fmpq

from polyrank.errors import DomainError
from polyrank.polyhedra import Box, Domain, Polytope, Slice
from polyrank.polyhedra.files import box_from_file, polytope_from_file, slice_from_file

Save = Callable[..., Path]


@pytest.fixture
def npz(tmp_path: Path) -> Save:
    def save(**arrays: Any) -> Path:
        path = tmp_path / "domain.npz"
        np.savez(path, **arrays)
        return path

    return save


@pytest.fixture
def text(tmp_path: Path) -> Callable[[str], Path]:
    def save(content: str) -> Path:
        path = tmp_path / "domain.json"
        path.write_text(content, encoding="utf-8")
        return path

    return save


def test_a_box_in_npz(npz: Save) -> None:
    lower = np.array([0.1, -1], dtype=np.float32)
    assert box_from_file(npz(lower=lower, upper=[1, 1])) == Box(lower, [1, 1])
    assert box_from_file(npz(lower=0, upper=0.5)) == Box(0, 0.5)


def test_decimals_in_json_are_exact(text: Callable[[str], Path]) -> None:
    found = box_from_file(text('{"lower": [0.1, "-1/3"], "upper": 1e0}'))
    assert found.bounds(2) == ((fmpq(1, 10), fmpq(-1, 3)), (1, 1))


def test_a_polytope(npz: Save, text: Callable[[str], Path]) -> None:
    expected = Polytope([[1, 2], [3, 4]], [0, 0.5])
    assert polytope_from_file(npz(A=[[1, 2], [3, 4]], b=[0, 0.5])) == expected
    assert polytope_from_file(npz(A=[[1, 2], [3, 4]], b=[[0], [0.5]])) == expected
    assert polytope_from_file(text('{"A": [[1, 2], [3, 4]], "b": [0, 0.5]}')) == expected


def test_a_slice(npz: Save) -> None:
    plain = {"origin": [0.0, 1.0], "basis": [[1.0], [2.0]]}
    line = Slice([0, 1], [[1], [2]])
    assert slice_from_file(npz(**plain)) == line
    assert slice_from_file(npz(**plain), Box(0, 1)) == Slice([0, 1], [[1], [2]], Box(0, 1))
    boxed = slice_from_file(npz(**plain, lower=0, upper=1))
    assert boxed == Slice([0, 1], [[1], [2]], Box(0, 1))
    cut = slice_from_file(npz(**plain, A=[[1]], b=[3]))
    assert cut == Slice([0, 1], [[1], [2]], Polytope([[1]], [3]))
    both = slice_from_file(npz(**plain, lower=0, upper=1, A=[[2]], b=[1]))
    assert both.inner == Polytope([[1], [-1], [2]], [1, 0, 1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("{", "is not JSON"),
        ("[1]", "expected a JSON object"),
        ('{"lower": 0, "upper": 1, "upper": 2}', "^domain.json: the key 'upper' comes twice"),
        ('{"lower": 0}', "lacks 'upper'; it has lower"),
        ("{}", "lacks 'lower'; it has no keys"),
        ('{"lower": 0, "upper": 1, "uper": 2}', "unknown key 'uper'; expected lower, upper"),
        ('{"lower": 1, "upper": 0}', "^domain.json: the box is empty"),
        ('{"lower": NaN, "upper": 0}', "lower bound is 'NaN'"),
        ('{"lower": -Infinity, "upper": 0}', "lower bound is '-Infinity'"),
        ('{"lower": true, "upper": 1}', "lower bound is True"),
        ('{"lower": null, "upper": 1}', "lower bound is None"),
        ('{"lower": {"a": 1}, "upper": 1}', "is 'a'"),
        ('{"lower": 1e999999999, "upper": 1}', "exponent is beyond"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_json_file_that_is_no_box(
    text: Callable[[str], Path], content: str, message: str
) -> None:
    with pytest.raises(DomainError, match=message) as caught:
        box_from_file(text(content))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"lower": [0]}, "lacks 'upper'"),
        ({"lower": [0], "upper": [np.nan]}, r"upper bound\[0\] is nan"),
        ({"lower": [0], "upper": ["a"]}, "'upper' does not hold numbers"),
        ({"lower": [0], "upper": np.array([None])}, "Python objects"),
        ({"lower": np.zeros((2, 2)), "upper": 1}, r"shape \(2, 2\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*pickle")
def test_an_npz_file_that_is_no_box(npz: Save, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(DomainError, match=message):
        box_from_file(npz(**arrays))


@pytest.mark.parametrize(
    ("arrays", "inner", "message"),
    [
        ({"origin": [0, 0]}, None, "lacks 'basis'"),
        ({"origin": [0, 0], "basis": [[1], [1]], "lower": 0}, None, "lacks 'upper'"),
        ({"origin": [0, 0], "basis": [[1], [1]], "A": [[1]]}, None, "lacks 'b'"),
        ({"origin": [0, 0], "basis": [[1], [1]], "lower": 0, "upper": 1}, Box(0, 1), "once"),
        ({"origin": [0, 0], "basis": [[1, 2], [1, 2]]}, None, "linearly dependent"),
        ({"origin": [0, 0], "basis": [[1], [1]], "A": [[1, 1]], "b": [1]}, None, "dimension 2"),
        (
            {
                "origin": [0, 0],
                "basis": [[1], [1]],
                "lower": [0, 0],
                "upper": 1,
                "A": [[1]],
                "b": [1],
            },
            None,
            "dimension 2",
        ),
    ],
)
def test_a_file_that_is_no_slice(
    npz: Save, arrays: dict[str, Any], inner: Domain | None, message: str
) -> None:
    with pytest.raises(DomainError, match=message):
        slice_from_file(npz(**arrays), inner)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match="no such file"):
        box_from_file(tmp_path / "none.npz")
    with pytest.raises(DomainError, match=r"expected a \.npz or \.json file"):
        box_from_file(tmp_path / "domain.txt")
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DomainError, match="not a readable .npz"):
        polytope_from_file(broken)
    binary = tmp_path / "binary.json"
    binary.write_bytes(json.dumps({"lower": 0}).encode("utf-16"))
    with pytest.raises(DomainError, match="not UTF-8"):
        box_from_file(binary)
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(DomainError, match="not a regular file"):
        box_from_file(tmp_path / "folder.json")
    with pytest.raises(DomainError, match="cannot read"):
        box_from_file(tmp_path / ("x" * 300 + ".npz"))


def test_a_missing_or_empty_file_is_named_once(tmp_path: Path) -> None:
    (tmp_path / "empty.npz").touch()
    for name in ("none.json", "none.npz", "empty.npz"):
        with pytest.raises(DomainError) as refused:
            box_from_file(tmp_path / name)
        assert str(refused.value).count(name) == 1
