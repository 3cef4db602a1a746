"""Exact arrays: error-free float64 while they last, rationals afterwards."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given
from hypothesis import strategies as st

from polyrank.errors import NetworkError
from polyrank.network.lowering.values import (
    add,
    as_rationals,
    as_values,
    cat,
    float_sums,
    is_float,
    multiply,
    nearest_root,
    segment_sums,
    settle,
)
from polyrank.network.rational import to_fmpq

FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=64)
NARROW = st.floats(allow_nan=False, allow_infinity=False, width=32)
LISTS = st.lists(st.tuples(FLOATS | NARROW, FLOATS | NARROW), min_size=1, max_size=6)


def fractions(values):
    return [Fraction(int(v.p), int(v.q)) for v in as_rationals(values).ravel()]


def is_float64(value: Fraction) -> bool:
    try:
        return Fraction(float(value)) == value
    except OverflowError:
        return False


@given(LISTS)
def test_products_and_sums_are_exact_and_float64_when_they_can(pairs):
    a, b = (np.array(column) for column in zip(*pairs, strict=True))
    for got, expected in (
        (multiply(a, b), [Fraction(x) * Fraction(y) for x, y in pairs]),
        (add(a, b), [Fraction(x) + Fraction(y) for x, y in pairs]),
    ):
        assert fractions(got) == expected
        assert is_float(got) == all(is_float64(v) for v in expected)


@given(st.lists(st.lists(FLOATS | NARROW, min_size=1, max_size=8), min_size=1, max_size=5))
def test_segment_sums(groups):
    values = np.array([v for group in groups for v in group])
    starts = np.cumsum([0, *(len(group) for group in groups[:-1])])
    expected = [sum(map(Fraction, group)) for group in groups]
    assert fractions(segment_sums(values, starts)) == expected
    quick = float_sums(values, starts)
    if quick is not None:
        assert is_float(quick)
        assert fractions(quick) == expected


def test_float32_products_never_leave_float64():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 1000)).astype(np.float32).astype(float)
    assert is_float(multiply(a, b))


@pytest.mark.parametrize(
    ("a", "b"), [(1e-200, 1.5e-200), (1e200, 3e200), (5e-324, 0.5), (1.7e308, 1.7e308)]
)
def test_beyond_the_range_of_float64(a, b):
    x, y = np.array([a]), np.array([b])
    assert fractions(multiply(x, y)) == [Fraction(a) * Fraction(b)]
    assert fractions(add(x, y)) == [Fraction(a) + Fraction(b)]


def test_settle_and_cat():
    third = np.array([fmpq(1, 3), fmpq(1, 2)], dtype=object)
    assert settle(third) is third
    halves = settle(np.array([[fmpq(1, 2)], [fmpq(3, 4)]], dtype=object))
    assert is_float(halves)
    assert halves.tolist() == [[0.5], [0.75]]
    assert fractions(cat([third, np.array([2.0])])) == [Fraction(1, 3), Fraction(1, 2), 2]
    assert cat([]).size == 0
    plain = np.ones(2)
    assert settle(plain) is plain
    huge = np.array([fmpq(10) ** 400], dtype=object)
    assert settle(huge) is huge


@pytest.mark.parametrize(
    "array",
    [
        np.array([2**63 - 1, -(2**62) - 1]),
        np.array([2**64 - 1], dtype=np.uint64),
        np.array([1, 2], dtype=np.int8),
        np.array([0.1], dtype=np.float16),
        np.array([0.1], dtype=np.longdouble) / 3,
    ],
)
def test_stored_numbers_are_taken_exactly(array):
    expected = [Fraction(v.item()) if v.dtype.kind in "iu" else Fraction(*v.as_integer_ratio())
                for v in array]  # fmt: skip
    assert fractions(as_values(array)) == expected


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([True]), "is boolean"),
        (np.array(["a"]), "expected real numbers"),
        (np.array([[1.0, np.nan]]), r"entry \(0, 1\) is nan"),
        (np.array([np.inf]), "is inf"),
        (np.array([np.inf], dtype=np.float16), "is inf"),
    ],
)
def test_what_is_not_a_number(array, message):
    with pytest.raises(NetworkError, match=message):
        as_values(array, "the constant")


@given(st.fractions(min_value=0, max_value=10**12) | st.floats(0, 1e300).map(Fraction))
def test_nearest_root(value):
    root = nearest_root(to_fmpq(value))
    # the real root lies between the two midpoints around the float64
    below = (Fraction(root) + Fraction(np.nextafter(root, -1.0))) / 2
    above = (Fraction(root) + Fraction(np.nextafter(root, np.inf))) / 2
    assert max(below, 0) ** 2 <= value <= above**2


def test_nearest_root_of_exact_squares_and_negatives():
    assert nearest_root(fmpq(9, 16)) == 0.75
    assert nearest_root(fmpq(0)) == 0.0
    assert nearest_root(to_fmpq(5e-324)) == 2.0**-537
    with pytest.raises(NetworkError, match="is not real"):
        nearest_root(fmpq(-1))
