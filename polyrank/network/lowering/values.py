"""Arrays of exact numbers: float64 while every entry is one, ``fmpq`` objects otherwise.

Reading a graph composes affine maps. Most compositions are permutations, selections and zero
paddings, or multiply two float32 numbers, whose product always fits a float64. Error-free
transformations (Dekker's product, Knuth's sum) tell exactly when a floating-point result *is*
the real result; otherwise the operation is repeated in rationals. Nothing is ever rounded.

Source: T. J. Dekker, "A floating-point technique for extending the available precision",
Numer. Math. 18 (1971); D. E. Knuth, TAOCP 2, section 4.2.2, theorem B.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import NetworkError
from polyrank.network.rational import fmpq_from_float, nearest_float, to_fmpq

__all__ = [
    "Values",
    "add",
    "as_rationals",
    "as_values",
    "cat",
    "float_product",
    "float_sums",
    "full",
    "is_float",
    "multiply",
    "nearest_root",
    "segment_sums",
    "settle",
    "zeros",
]

Values = NDArray[Any]
"""A float64 array whose entries are exact, or an object array of ``fmpq``."""

_MANY = 4096  # entries from which on it pays to look for equal ones
_SPLITTER = float(2**27 + 1)
_SMALLEST_NORMAL_EXPONENT = -1021  # of numpy.frexp, whose mantissas lie in [1/2, 1)


def is_float(values: Values) -> bool:
    """True if the entries are float64 numbers, False if they are ``fmpq`` objects."""
    return values.dtype != object


def zeros(shape: int | tuple[int, ...]) -> Values:
    """Exact zeros."""
    return np.zeros(shape)


def as_values(array: Any, what: str = "a constant") -> Values:
    """The exact numbers that an array of floats, integers or ``fmpq`` encodes; keeps the shape.

    Raises
    ------
    NetworkError
        If an entry is NaN or infinite, or the array holds something else than real numbers.
    """
    given = np.asarray(array)
    if given.dtype == object:
        return settle(given)
    if given.dtype.kind in "iu":
        wide = given.astype(np.float64)
        if given.dtype.itemsize < 8 or bool((np.abs(wide) <= 2.0**53).all()):
            return wide
        exact = np.array([to_fmpq(int(v)) for v in given.ravel()], dtype=object)
        return settle(exact.reshape(given.shape))
    if given.dtype.kind == "b":
        raise NetworkError(f"{what} is boolean; expected numbers")
    try:
        with np.errstate(invalid="ignore"):  # a signalling NaN; refused below
            floats = given.astype(np.float64)
    except (TypeError, ValueError):
        raise NetworkError(f"{what} has dtype {given.dtype}; expected real numbers") from None
    if not np.isfinite(floats).all():
        bad = tuple(int(i) for i in np.argwhere(~np.isfinite(floats))[0])
        raise NetworkError(f"{what}: entry {bad} is {floats[bad]}; every number must be finite")
    if given.dtype.kind == "f" and given.dtype.itemsize > 8:
        ratios = [v.as_integer_ratio() for v in given.ravel()]
        exact = np.array([to_fmpq(Fraction(*ratio)) for ratio in ratios], dtype=object)
        return settle(exact.reshape(given.shape))
    return floats


def as_rationals(values: Values) -> Values:
    """The same numbers as ``fmpq`` objects."""
    if not is_float(values):
        return values
    flat = values.ravel()
    if flat.size < _MANY:
        return _objects([fmpq_from_float(v) for v in flat.tolist()]).reshape(values.shape)
    different, place = np.unique(flat, return_inverse=True)  # the weights of a kernel recur
    return _objects([fmpq_from_float(v) for v in different.tolist()])[place].reshape(values.shape)


def _objects(entries: list[fmpq]) -> Values:
    result = np.empty(len(entries), dtype=object)
    result[:] = entries
    return result


def full(size: int, value: fmpq) -> Values:
    """One number ``size`` times."""
    return settle(_objects([value] * size))


def settle(values: Values) -> Values:
    """Back to float64 if every entry is a float64; otherwise the rationals as they are."""
    if is_float(values):
        return values
    floats = np.empty(values.size)
    for k, value in enumerate(values.ravel()):
        nearest = nearest_float(value)
        if not math.isfinite(nearest) or fmpq_from_float(nearest) != value:
            return values
        floats[k] = nearest
    return floats.reshape(values.shape)


def cat(parts: list[Values]) -> Values:
    """Concatenate 1-D arrays of exact numbers."""
    if not parts:
        return zeros(0)
    if all(is_float(part) for part in parts):
        return np.concatenate(parts)
    return np.concatenate([as_rationals(part) for part in parts])


def multiply(a: Values, b: Values) -> Values:
    """Entrywise exact product, with numpy's broadcasting."""
    if is_float(a) and is_float(b):
        product = float_product(a, b)
        if product is not None:
            return product
        if a.shape == b.shape and a.size >= _MANY:
            return _products_of_pairs(a.ravel(), b.ravel()).reshape(a.shape)
    return settle(np.asarray(as_rationals(a) * as_rationals(b), dtype=object))


def _products_of_pairs(a: Values, b: Values) -> Values:
    """The exact products of float64 numbers; equal pairs share one rational."""
    left, place_left = np.unique(a, return_inverse=True)
    right, place_right = np.unique(b, return_inverse=True)
    pairs, place = np.unique(place_left * right.size + place_right, return_inverse=True)
    factors = as_rationals(left)[pairs // right.size], as_rationals(right)[pairs % right.size]
    return settle(np.asarray(factors[0] * factors[1], dtype=object))[place]


def float_product(a: Values, b: Values) -> Values | None:
    """The entrywise product of float64 arrays; None if it does not fit float64 exactly."""
    if bool((np.abs(b) == 1.0).all()) or bool((np.abs(a) == 1.0).all()):
        return np.asarray(a * b)
    ma, ea = np.frexp(a)
    mb, eb = np.frexp(b)
    product = ma * mb
    high_a, low_a = _split(ma)
    high_b, low_b = _split(mb)
    error = ((high_a * high_b - product) + high_a * low_b + low_a * high_b) + low_a * low_b
    exponent = np.frexp(product)[1] + ea + eb
    in_range = (exponent >= _SMALLEST_NORMAL_EXPONENT) & (exponent <= 1024)
    if not bool(((error == 0.0) & (in_range | (product == 0.0))).all()):
        return None
    return np.asarray(np.ldexp(product, ea + eb))


def _split(mantissa: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    scaled = _SPLITTER * mantissa
    high = scaled - (scaled - mantissa)
    return high, mantissa - high


def add(a: Values, b: Values) -> Values:
    """Entrywise exact sum, with numpy's broadcasting."""
    if is_float(a) and is_float(b):
        total, exact = _float_sum(a, b)
        if exact:
            return total
    return settle(np.asarray(as_rationals(a) + as_rationals(b), dtype=object))


def _float_sum(a: Values, b: Values) -> tuple[Values, bool]:
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.asarray(a + b)
        part = total - a
        error = (a - (total - part)) + (b - part)
        return total, bool((error == 0.0).all())  # an overflow makes the error NaN


def segment_sums(values: Values, starts: NDArray[np.int64]) -> Values:
    """Exact sums of the consecutive non-empty segments that begin at ``starts``.

    Parameters
    ----------
    values : Values, shape (m,)
    starts : ndarray of int, shape (g,)
        Increasing; segment k is ``values[starts[k] : starts[k + 1]]``, the last one ends at m.

    Returns
    -------
    Values, shape (g,)
    """
    sums = float_sums(values, starts) if is_float(values) else None
    if sums is None:
        return settle(np.add.reduceat(as_rationals(values), starts))
    return sums


def float_sums(values: Values, starts: NDArray[np.int64]) -> Values | None:
    """The same for float64 numbers; None if a partial sum does not fit float64 exactly."""
    if starts.size == values.size:
        return values
    sizes = np.diff(np.append(starts, values.size))
    total = values[starts]
    for k in range(1, int(sizes.max())):
        longer = np.flatnonzero(sizes > k)
        partial, exact = _float_sum(total[longer], values[starts[longer] + k])
        if not exact:
            return None
        total[longer] = partial
    return total


def nearest_root(value: fmpq) -> float:
    """The float64 nearest to the square root of a rational (correctly rounded, ties to even).

    Raises
    ------
    NetworkError
        If the number is negative.
    """
    if value < 0:
        raise NetworkError(f"the square root of {value} is not real")
    p, q = int(value.p), int(value.q)
    shift = max(0, 64 - (p.bit_length() - q.bit_length()) // 2)
    scaled = p << (2 * shift)
    root = math.isqrt(scaled // q)  # at least 2^63: ten bits more than a float64 holds
    sticky = int(root * root * q != scaled)  # keeps an inexact root off every rounding boundary
    return (2 * root + sticky) / (1 << (shift + 1))
