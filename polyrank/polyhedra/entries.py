"""Exact rationals out of what users and files give: ints, floats, decimal strings, arrays.

A float *is* the dyadic rational that it encodes; a string is the decimal or fraction that it
spells. Numbers whose exact value would take unreasonable memory (``"1e999999999"``) are refused
before they are expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat, fmpz

from polyrank.errors import DomainError
from polyrank.network.rational import to_fmpq

__all__ = ["exact_matrix", "exact_number", "exact_vector", "is_scalar"]

_LONGEST = 100_000  # characters of one spelled number
_LARGEST_EXPONENT = 5000
_SPELLED = re.compile(
    r"\s*(?P<sign>[+-]?)(?:"
    r"(?P<numerator>\d+)/(?P<denominator>\d+)"
    r"|(?P<whole>\d*)(?:\.(?P<decimals>\d*))?(?:[eE](?P<exponent>[+-]?\d{1,9}))?"
    r")\s*",
    re.ASCII,
)


def exact_number(value: Any, what: str) -> fmpq:
    """One number, exactly.

    Parameters
    ----------
    value : int, float, str, Fraction, fmpq or numpy scalar
        ``"0.1"`` is 1/10, ``0.1`` is the float64 next to it.
    what : str
        What the number is, for the message: ``"lower bound 3"``.

    Raises
    ------
    DomainError
        If it is not finite, not a number, or spelled with an exponent beyond ±5000.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, str):
        return _read(value, what)
    if isinstance(value, np.longdouble) and np.isfinite(value):
        value = Fraction(*value.as_integer_ratio())  # float() would round it
    if not isinstance(value, bool):  # JSON's true is not a bound
        with suppress(ValueError):
            return to_fmpq(value)
    raise DomainError(
        f"{what} is {str(value)[:40]} ({type(value).__name__}); expected a finite rational number"
    )


def _read(text: str, what: str) -> fmpq:
    shown = repr(text) if len(text) <= 40 else repr(text[:40]) + "…"
    if len(text) > _LONGEST:
        raise DomainError(f"{what} is {shown}, longer than {_LONGEST} characters")
    spelled = _SPELLED.fullmatch(text)
    if spelled is None or not any(c.isdigit() for c in text.lower().partition("e")[0]):
        raise DomainError(f"{what} is {shown}; expected a number such as 0.25, -1e-3 or 1/3")
    sign = -1 if spelled["sign"] == "-" else 1
    if spelled["numerator"]:
        denominator = fmpz(spelled["denominator"])  # FLINT reads without Python's digit limit
        if denominator == 0:
            raise DomainError(f"{what} is {shown}, a division by zero")
        return fmpq(sign * fmpz(spelled["numerator"]), denominator)
    exponent = int(spelled["exponent"] or 0)
    if abs(exponent) > _LARGEST_EXPONENT:
        raise DomainError(f"{what} is {shown}; its exponent is beyond ±{_LARGEST_EXPONENT}")
    decimals = spelled["decimals"] or ""
    digits = sign * fmpz((spelled["whole"] + decimals) or "0")
    shift = exponent - len(decimals)
    return fmpq(digits * fmpz(10) ** shift) if shift >= 0 else fmpq(digits, fmpz(10) ** -shift)


def is_scalar(value: Any) -> bool:
    """True for one number (a string counts as one), False for sequences and arrays."""
    if isinstance(value, np.ndarray):
        return value.ndim == 0
    return isinstance(value, str) or not isinstance(value, Iterable)


def exact_vector(values: Any, what: str) -> tuple[fmpq, ...]:
    """A 1-D sequence (or an ``(m, 1)`` matrix) of numbers, exactly.

    Raises
    ------
    DomainError
        If it is not a sequence, or an entry is not a finite number.
    """
    if isinstance(values, fmpq_mat):
        if values.ncols() != 1:
            raise DomainError(
                f"{what} has shape ({values.nrows()}, {values.ncols()}); expected one column"
            )
        return tuple(values.entries())
    if isinstance(values, np.ndarray):
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim != 1:
            raise DomainError(f"{what} has shape {values.shape}; expected a vector")
    if is_scalar(values):
        raise DomainError(f"{what} is {values!r}; expected a sequence of numbers")
    return tuple(exact_number(v, f"{what}[{i}]") for i, v in enumerate(values))


def exact_matrix(values: Any, what: str) -> fmpq_mat:
    """A 2-D array or a sequence of equally long rows, exactly.

    Raises
    ------
    DomainError
        If it is not rectangular, has no columns, or an entry is not a finite number.
    """
    if isinstance(values, fmpq_mat):
        rows, cols = values.nrows(), values.ncols()
        matrix = values
    else:
        listed = [] if is_scalar(values) else list(values)
        rows = len(listed)
        if isinstance(values, np.ndarray) and values.ndim == 2:
            cols = values.shape[1]
        elif rows == 0 or any(is_scalar(row) for row in listed):
            raise DomainError(f"{what} must be a matrix: a sequence of rows of equal length")
        else:
            cols = len(exact_vector(listed[0], f"{what}[0]"))
        entries: list[fmpq] = []
        for i, row in enumerate(listed):
            entries.extend(_row(row, cols, f"{what}[{i}]"))
        matrix = fmpq_mat(rows, cols, entries)
    if cols == 0:
        raise DomainError(f"{what} has shape ({rows}, 0); expected at least one column")
    return matrix


def _row(row: Any, cols: int, what: str) -> tuple[fmpq, ...]:
    entries = exact_vector(row, what)
    if len(entries) != cols:
        raise DomainError(f"{what} has {len(entries)} entries; the first row has {cols}")
    return entries
