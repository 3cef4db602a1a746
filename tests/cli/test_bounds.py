"""``polyrank bounds``: what is printed, and refusals."""

from __future__ import annotations

import json
import sys

from flint import fmpz


def test_text(polyrank):
    found = polyrank("bounds", "2-3")
    assert (found.status, found.err) == (0, "")
    lines = found.out.splitlines()
    assert lines[0] == "at most 7 activation regions on R^2"
    assert "exactly 7 (Zaslavsky)" in found.out
    assert "a region of rank 0 exists with probability 0.875" in found.out
    assert "expected regions by rank < 2: 0: 0.875, 1: 2.625" in found.out
    assert "Serra" not in found.out


def test_more_layers(polyrank):
    found = polyrank("bounds", "4-5-5-5")
    assert "at most 12,316 activation regions on R^4" in found.out
    assert "Montufar 2017: 29,791" in found.out  # 31^3
    assert "trivial, 2^15: 32,768" in found.out
    assert "some network has at least 31" in found.out


def test_without_biases(polyrank):
    found = polyrank("bounds", "2-3", "--no-bias")
    assert "exactly 6 (Zaslavsky)" in found.out
    assert "if codewords were drawn" not in found.out


def test_numbers_of_any_length(polyrank):
    found = polyrank("bounds", "784-2000-2000")
    assert found.status == 0
    assert "trivial, 2^4000: 1.318e1204" in found.out
    assert "..." in found.out
    found = polyrank("bounds", "50-40000-20000")
    assert found.status == 0
    assert "trivial, 2^60000: about 10^18062" in found.out
    limit = sys.get_int_max_str_digits()
    found = polyrank("bounds", "50-10000-5000", "--json")
    assert found.status == 0
    assert sys.get_int_max_str_digits() == limit
    assert f'"trivial": {fmpz(2) ** 15000}' in found.out  # 4,516 digits; Python writes 4,300


def test_json(polyrank):
    found = polyrank("bounds", "2-3", "--json")
    assert json.loads(found.out)["regions"]["trivial"] == 8


def test_what_is_no_widths(polyrank):
    found = polyrank("bounds", "4")
    assert (found.status, found.out) == (1, "")
    assert "'4' are no widths" in found.err
