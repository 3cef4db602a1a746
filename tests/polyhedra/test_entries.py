"""Exact numbers out of what users and files give."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given
from hypothesis import strategies as st

from polyrank.errors import DomainError
from polyrank.polyhedra.entries import exact_matrix, exact_number, exact_vector, is_scalar


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, Fraction(3)),
        (0.1, Fraction(0.1)),
        ("0.1", Fraction(1, 10)),
        ("-1/3", Fraction(-1, 3)),
        (" +2.5e-3 ", Fraction(1, 400)),
        ("1E3", Fraction(1000)),
        (".5", Fraction(1, 2)),
        ("5.", Fraction(5)),
        ("-.0e7", Fraction(0)),
        (Fraction(2, 7), Fraction(2, 7)),
        (fmpq(2, 7), Fraction(2, 7)),
        (np.float32(0.1), Fraction(float(np.float32(0.1)))),
        (np.float16(0.1), Fraction(float(np.float16(0.1)))),
        (np.int8(-7), Fraction(-7)),
        (np.array(0.25), Fraction(1, 4)),
        (2.0**-1074, Fraction(1, 2**1074)),
        ("1e-5000", Fraction(1, 10**5000)),
    ],
)
def test_numbers_are_exact(value: Any, expected: Fraction) -> None:
    found = exact_number(value, "v")
    assert (int(found.p), int(found.q)) == (expected.numerator, expected.denominator)


def test_extended_floats_are_not_rounded() -> None:
    third = np.longdouble(1) / np.longdouble(3)
    numerator, denominator = third.as_integer_ratio()
    assert exact_number(third, "v") == fmpq(numerator, denominator)


@given(st.fractions(), st.integers(-30, 30), st.integers(-(10**30), 10**30))
def test_spelled_numbers(fraction: Fraction, exponent: int, digits: int) -> None:
    assert exact_number(str(fraction), "v") == fmpq(fraction.numerator, fraction.denominator)
    expected = Fraction(f"{digits}e{exponent}")
    assert exact_number(f"{digits}e{exponent}", "v") == fmpq(
        expected.numerator, expected.denominator
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "v is ''; expected a number such as"),
        (".", "expected a number"),
        ("e5", "expected a number"),
        ("1e", "expected a number"),
        ("--1", "expected a number"),
        ("0x10", "expected a number"),
        ("1_000", "expected a number"),
        ("٣", "expected a number"),
        ("nan", "expected a number"),
        ("-Infinity", "expected a number"),
        ("1/0", "a division by zero"),
        ("1e5001", "exponent is beyond ±5000"),
        ("1e999999999", "exponent is beyond ±5000"),
        ("1e9999999999", "expected a number"),
        ("1" * 100_001, "longer than 100000 characters"),
        (float("nan"), r"nan \(float\); expected a finite"),
        (np.longdouble("inf"), "expected a finite rational number"),
        (True, r"True \(bool\)"),
        (None, r"None \(NoneType\)"),
        (1j, r"\(complex\)"),
        ([1], r"\(list\)"),
    ],
)
def test_what_is_no_number_is_refused_at_once(value: Any, message: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(DomainError, match=message) as caught:
        exact_number(value, "v")
    assert time.perf_counter() - begun < 1
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, "1/2"], (1, fmpq(1, 2))),
        (np.array([1.5, 2]), (fmpq(3, 2), 2)),
        (np.array([[1.5], [2]]), (fmpq(3, 2), 2)),
        (fmpq_mat(2, 1, [1, 2]), (1, 2)),
        (iter([1, 2]), (1, 2)),
        ([], ()),
    ],
)
def test_vectors(values: Any, expected: tuple[Any, ...]) -> None:
    assert exact_vector(values, "v") == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (3, "v is 3; expected a sequence"),
        ("12", "v is '12'; expected a sequence"),
        (fmpq_mat(1, 2), r"v has shape \(1, 2\); expected one column"),
        (np.zeros((2, 2)), r"v has shape \(2, 2\); expected a vector"),
        (np.array(3.0), r"v has shape \(\); expected a vector"),
        ([1, float("inf")], r"v\[1\] is inf"),
    ],
)
def test_what_is_no_vector(values: Any, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        exact_vector(values, "v")


@pytest.mark.parametrize(
    "values",
    [
        [[1, 2], [3, "4"]],
        np.array([[1, 2], [3, 4]], dtype=np.float16),
        fmpq_mat(2, 2, [1, 2, 3, 4]),
        (row for row in ([1, 2], [3, 4])),
    ],
)
def test_matrices(values: Any) -> None:
    assert exact_matrix(values, "M") == fmpq_mat(2, 2, [1, 2, 3, 4])


def test_a_matrix_without_rows_has_columns() -> None:
    found = exact_matrix(np.zeros((0, 3)), "M")
    assert (found.nrows(), found.ncols()) == (0, 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (3, "M must be a matrix"),
        ([], "M must be a matrix"),
        ([1, 2], "M must be a matrix"),
        ("ab", "M must be a matrix"),
        ([[1, 2], [3]], r"M\[1\] has 1 entries; the first row has 2"),
        ([[1, "x"]], r"M\[0\]\[1\] is 'x'"),
        (np.zeros((2, 0)), r"M has shape \(2, 0\); expected at least one column"),
        (fmpq_mat(0, 0), r"M has shape \(0, 0\)"),
        (np.zeros((1, 1, 2)), r"M\[0\] has 2 entries|expected a vector"),
    ],
)
def test_what_is_no_matrix(values: Any, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        exact_matrix(values, "M")


def test_is_scalar() -> None:
    assert is_scalar("12")
    assert is_scalar(np.array(1))
    assert is_scalar(fmpq(1))
    assert not is_scalar([1])
    assert not is_scalar(np.zeros(1))
