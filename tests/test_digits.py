"""Numbers of more digits than Python itself writes and reads, in every file that holds integers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from fractions import Fraction
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpz

import polyrank as pr
from polyrank.digits import digits, from_digits, json_text, json_value
from polyrank.image.barcode import image
from polyrank.image.barcode_object import image_object
from polyrank.topology.shapes import shape
from tests.verification.test_scales import agrees

LONG = int(fmpz(7) ** 9000)  # 7,606 digits


@pytest.fixture
def few_digits() -> Iterator[None]:
    """Python writes and reads no more digits than it must: 640."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(sys.int_info.str_digits_check_threshold)
    yield
    sys.set_int_max_str_digits(limit)


@pytest.mark.parametrize(
    "value",
    [
        [LONG, -LONG, 0, True, None, 0.5, "a\n"],
        {"a": {"b": [[LONG]], "c": []}, "\n": LONG},
        [1, {"a": [2.5, False]}],
    ],
)
def test_what_is_written_is_read(value: Any) -> None:
    assert json_value(json_text(value)) == value
    assert json_value(json_text(value).encode()) == value


def test_what_python_writes_is_the_same() -> None:
    value = [1, -2, None, {"a": "b", "c": [True, 1e300]}]
    assert json_text(value) == json.dumps(value, separators=(",", ":"))


@pytest.mark.parametrize("text", ["", "[1,", "[" + "1" * 5000 + ",", "[1e]", "nothing"])
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        json_value(text)


def test_digits() -> None:
    assert digits(LONG) == str(fmpz(7) ** 9000)
    assert digits(Fraction(-1, LONG)) == "-1/" + str(fmpz(7) ** 9000)
    assert from_digits(digits(-LONG)) == -LONG
    with pytest.raises(ValueError, match="."):
        from_digits("1/2")


def test_exact_leaves_of_a_verdict(few_digits: None) -> None:
    """A proof whose multipliers have more than 640 digits is written, and accepted."""
    assert agrees(77091) == "holds"


@pytest.mark.parametrize("way", ["overlay", "nerve"])
def test_images_that_are_kept(tmp_path: Path, few_digits: None, way: Any) -> None:
    """Points with denominators of 2^2450 or more."""
    weight = np.array([[0.6, -0.8], [0.8, 0.6]]) * 2.0**-490
    network = pr.Network.from_arrays([weight] * 5, [[0.0, 0.0]] * 5, slope=-1, output_relu=True)
    kept: dict[str, Any] = {"keep": tmp_path / "kept", "keep_seconds": 0}
    found = [
        image_object(image(network, shape("circle:12"), way=way, **asked))
        for asked in ({}, kept, kept)
    ]
    for stated in found:
        del stated["seconds"]
    assert found[0] == found[1] == found[2]


def test_bounds_of_wide_layers() -> None:
    """Cover's and Wendel's probability, with 2^20000 in the denominator."""
    stated = json_value(json_text(pr.bounds("3-20000").summary()))
    cells = sum(comb(20000, k) for k in range(4))
    found = stated["first_layer_sign_symmetric"]["probability_of_each_codeword"]
    assert fmpq(*(fmpz(v) for v in found.split("/"))) == fmpq(cells, fmpz(2) ** 20000)
