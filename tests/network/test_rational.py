from __future__ import annotations

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq, fmpq_mat, fmpz
from hypothesis import example, given
from hypothesis import strategies as st

from polyrank.errors import NetworkError
from polyrank.network.rational import (
    MAX_DIGITS,
    RationalArray,
    exponent,
    fmpq_from_float,
    fmpq_from_text,
    nearest_float,
    to_fmpq,
)


def as_fraction(value: fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(5e-324)
@example(1.7976931348623157e308)
def test_a_float_is_the_dyadic_rational_it_encodes(value):
    assert as_fraction(fmpq_from_float(value)) == Fraction(value)
    assert nearest_float(fmpq_from_float(value)) == value
    assert as_fraction(to_fmpq(repr(value))) == Fraction(repr(value))


@given(st.fractions().filter(bool), st.integers(-2000, 2000))
def test_an_exponent_is_off_by_less_than_one(value, power):
    value *= Fraction(2) ** power
    e = exponent(to_fmpq(value))
    assert Fraction(2) ** (e - 1) < abs(value) < Fraction(2) ** (e + 1)


@given(st.fractions(), st.sampled_from(["{}", " {} ", "+{}"]))
def test_text_of_a_fraction(value, form):
    text = form.format(value)
    if text.startswith("+-"):
        text = text[1:]
    assert as_fraction(fmpq_from_text(text)) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9))
def test_text_of_a_decimal(value):
    assert as_fraction(fmpq_from_text(str(value))) == Fraction(value)


@pytest.mark.parametrize("text", [".5", "5.", "+.5e1", "-0", "1E+2", "1e-300", " 7 / 3 "])
def test_spellings(text):
    parts = text.split("/")
    expected = Fraction(parts[0].strip())
    if len(parts) == 2:
        expected /= Fraction(parts[1].strip())
    assert as_fraction(fmpq_from_text(text)) == expected


@pytest.mark.parametrize(
    "text", ["", ".", "e5", "nan", "inf", "0x10", "1_000", "1/2/3", "1/-2", "٣"]
)
def test_what_is_not_a_number_is_refused(text):
    with pytest.raises(ValueError, match="is not a rational number"):
        fmpq_from_text(text)


def test_text_that_would_fill_the_memory_is_refused():
    for text in ["1e999999999", "1e-999999999", "1e20001", "7" * (MAX_DIGITS + 1)]:
        with pytest.raises(ValueError, match="more than 20000 digits"):
            fmpq_from_text(text)
    assert fmpq_from_text("9" * 9000) == fmpq(fmpz(10) ** 9000 - 1)


def test_division_by_zero_is_refused():
    with pytest.raises(ValueError, match="divides by zero"):
        fmpq_from_text("1/0")


@pytest.mark.parametrize(
    "value",
    [
        3,
        True,
        np.int64(-7),
        np.float32(0.1),
        np.longdouble(1) / 3,
        fmpz(2),
        fmpq(1, 3),
        Fraction(2, 7),
    ],
)
def test_to_fmpq_is_exact(value):
    if isinstance(value, (fmpz, fmpq)):
        expected = Fraction(int(fmpq(value).p), int(fmpq(value).q))
    elif isinstance(value, np.longdouble):
        expected = Fraction(*(int(v) for v in value.as_integer_ratio()))
    else:
        expected = Fraction(value.item() if hasattr(value, "item") else value)
    assert as_fraction(to_fmpq(value)) == expected


def test_to_fmpq_refuses_what_is_not_a_finite_number():
    for value in (float("nan"), np.float32("inf")):
        with pytest.raises(ValueError, match="not a finite number"):
            to_fmpq(value)
    for value in (None, [1], 1j):
        with pytest.raises(ValueError, match="is not a rational number"):
            to_fmpq(value)


@given(st.fractions())
def test_nearest_float_is_python_true_division(value):
    assert nearest_float(fmpq(value.numerator, value.denominator)) == float(value)


def test_nearest_float_overflows_to_infinity():
    big = fmpq(fmpz(10) ** 400)
    assert nearest_float(big) == float("inf")
    assert nearest_float(-big) == float("-inf")


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i1", "u1", "i4", "u8", "i8", "g"])
def test_every_width_is_exact(dtype):
    values = np.array([[0, 1, 3], [5, 7, 100]]).astype(dtype)
    array = RationalArray.from_floats(values)
    assert array.is_float
    assert array.approx.dtype == np.float64
    assert [as_fraction(v) for v in array.entries()] == [0, 1, 3, 5, 7, 100]


def test_integers_beyond_53_bits_stay_exact():
    big = 2**60 + 1
    array = RationalArray.from_floats(np.array([big, 1], dtype=np.int64))
    assert not array.is_float
    assert list(array.entries()) == [big, 1]
    assert RationalArray.from_floats(np.array([-(2**63)], dtype=np.int64)).is_float
    assert not RationalArray.from_floats(np.array([2**64 - 1], dtype=np.uint64)).is_float


def test_half_precision_is_not_rounded_again():
    value = np.float16(0.1)
    array = RationalArray.from_floats(np.array([value]))
    assert as_fraction(next(iter(array.entries()))) == Fraction(float(value))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, float("nan")], r"entry \(1,\) is nan"),
        ([[1.0], [float("-inf")]], r"entry \(1, 0\) is -inf"),
        ([True, False], "array of dtype bool"),
        ([1j], "array of dtype complex128"),
        (["1"], "array of dtype <U1"),
        ([10**30], "array of dtype object"),
        ([[1.0], [1.0, 2.0]], "a vector or a matrix of numbers"),
        (1.0, r"got shape \(\)"),
        (np.zeros((1, 1, 1)), r"got shape \(1, 1, 1\)"),
    ],
)
def test_from_floats_refuses(values, message):
    with pytest.raises(NetworkError, match=message):
        RationalArray.from_floats(values)


def test_the_array_cannot_be_changed_from_outside():
    values = np.ones(2)
    array = RationalArray.from_floats(values)
    values[0] = 7
    assert array.approx[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        array.approx[0] = 2


@given(st.lists(st.fractions(max_denominator=50), min_size=6, max_size=6))
def test_rationals_collapse_to_floats_exactly_when_dyadic(values):
    array = RationalArray.from_rationals(values, (2, 3))
    assert array.is_float == all(Fraction(float(v)) == v for v in values)
    assert [as_fraction(v) for v in array.entries()] == values
    assert array.to_fmpq_mat() == fmpq_mat(2, 3, [fmpq(v.numerator, v.denominator) for v in values])
    assert array.approx.ravel().tolist() == [float(v) for v in values]


def test_a_rational_beyond_float64_is_refused():
    with pytest.raises(NetworkError, match="too large for float64"):
        RationalArray.from_rationals(["1e400"], (1,))


def test_a_rational_below_float64_keeps_its_value():
    array = RationalArray.from_rationals(["1e-400"], (1,))
    assert array.approx[0] == 0.0
    assert not array.is_float
    assert next(iter(array.entries())) > 0


@pytest.mark.parametrize("shape", [(40,), (8, 5), (5, 8), (0,), (3, 0)])
@pytest.mark.parametrize("filled", [0, 1, 4, 5, 40])
def test_floats_mostly_zero_are_the_same_numbers(shape, filled):
    values = np.zeros(math.prod(shape))
    at = np.random.default_rng(filled).permutation(values.size)[:filled]
    values[at] = [5e-324, -0.1, 2.0**1000, -0.0, *range(1, 37)][: len(at)]
    found = RationalArray.from_floats(values.reshape(shape)).to_fmpq_mat()
    assert (found.nrows(), found.ncols()) == (*shape, 1)[:2]
    exact = [Fraction(v) for v in values.tolist()]
    assert found.entries() == [fmpq(v.numerator, v.denominator) for v in exact]


@pytest.mark.parametrize("entries", [["1/3", "2"], [1.0, 2.0]])
@pytest.mark.parametrize("shape", [(2,), (1, 2), (2, 1)])
def test_pickling(entries, shape):
    array = RationalArray.from_rationals(entries, shape)
    again = pickle.loads(pickle.dumps(array))
    assert again.shape == array.shape
    assert again.is_float == array.is_float
    assert again.to_fmpq_mat() == array.to_fmpq_mat()
    assert not again.approx.flags.writeable


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_a_transposed_matrix_is_stored_by_rows(dtype):
    """The core reads rows; ``W.T`` of scikit-learn's and Keras' matrices is stored by columns."""
    columns = np.arange(6).reshape(2, 3).astype(dtype).T
    assert not columns.flags.c_contiguous
    found = RationalArray.from_floats(columns).approx
    assert found.flags.c_contiguous
    assert (found == columns).all()
