"""Exact points in homogeneous integers: ``(n_1, …, n_m, d)`` is ``(n_1/d, …, n_m/d)``.

With d > 0 and greatest common divisor 1 a point has one name, so that points are equal iff their
tuples are. A layer acts on whole tables of such points by one integer matrix.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from flint import fmpq, fmpz_mat
from numpy.typing import NDArray

from polyrank.lp.farkas import coprime
from polyrank.network.normal_form import Layer
from polyrank.topology.manifold import Manifold

__all__ = [
    "Point",
    "activations",
    "approximation",
    "between",
    "from_rationals",
    "in_unit_box",
    "longest_side",
    "manifold_points",
    "preactivations",
    "quotient",
    "rationals",
    "zero_between",
]

#: Numerators, then the common denominator d > 0.
Point: TypeAlias = tuple[int, ...]

_SMALLEST = 2.0**-900  # of the sides of boxes whose shapes floats show
_SHARE = 2.0**-20  # and what part they are at least of the largest coordinate
_ROWS = 4096  # points of one product, so that Ctrl-C is answered between two


def from_rationals(values: Iterable[fmpq]) -> Point:
    """The homogeneous integers of a rational point."""
    entries = [(int(v.p), int(v.q)) for v in values]
    d = math.lcm(*(q for _, q in entries))
    return (*(p * (d // q) for p, q in entries), d)


def rationals(point: Point) -> tuple[fmpq, ...]:
    """The coordinates of a point."""
    return tuple(fmpq(v, point[-1]) for v in point[:-1])


def manifold_points(manifold: Manifold) -> list[Point]:
    """The vertices of M."""
    return [from_rationals(manifold.point(v)) for v in range(manifold.points.shape[0])]


def between(p: Sequence[int], q: Sequence[int], part: int, whole: int) -> Point:
    """The point ``p + (part / whole) (q − p)``, 0 ≤ part ≤ whole, whole > 0."""
    a, b = (whole - part) * q[-1], part * p[-1]
    return coprime(
        [a * x + b * y for x, y in zip(p[:-1], q[:-1], strict=True)] + [whole * p[-1] * q[-1]]
    )


def zero_between(p: Sequence[int], x: int, q: Sequence[int], y: int) -> Point:
    """Where a functional vanishes whose values x at p and y at q have opposite signs.

    The values are times the denominators of the points.
    """
    one, other = abs(x) * q[-1], abs(y) * p[-1]
    return between(p, q, one, one + other)


def preactivations(points: Sequence[Point], layer: Layer) -> list[list[int]]:
    """``W h + b`` at every point, as homogeneous integers that need not be coprime."""
    weight, q = layer.weight_exact.numer_denom()
    bias, r = layer.bias_exact.numer_denom()
    s = math.lcm(int(q), int(r))
    by_weight, by_bias = s // int(q), s // int(r)
    columns = [
        [int(v) * by_weight for v in row] + [int(c[0]) * by_bias]
        for row, c in zip(weight.tolist(), bias.tolist(), strict=True)
    ]
    columns.append([0] * layer.inputs + [s])
    step = fmpz_mat(columns).transpose()
    out: list[list[int]] = []
    for start in range(0, len(points), _ROWS):
        part = points[start : start + _ROWS]
        table = fmpz_mat(len(part), layer.inputs + 1, [v for p in part for v in p])
        out += [[int(v) for v in row] for row in (table * step).tolist()]
    return out


def activations(rows: Sequence[Sequence[int]], layer: Layer) -> list[Point]:
    """The points after the slopes of a layer, from their pre-activations."""
    scale = math.lcm(*(int(v.q) for pair in layer.slopes_exact for v in pair))
    slopes = [tuple(int(v.p) * (scale // int(v.q)) for v in pair) for pair in layer.slopes_exact]
    if scale == 1 and all(pair == (0, 1) for pair in slopes):
        return [coprime([max(v, 0) for v in row]) for row in rows]
    if all(pair == (scale, scale) for pair in slopes):
        return [coprime(row) for row in rows]
    return [
        coprime(
            [(up if v > 0 else low) * v for v, (low, up) in zip(row[:-1], slopes, strict=True)]
            + [scale * row[-1]]
        )
        for row in rows
    ]


def approximation(points: Sequence[Point]) -> NDArray[np.float64]:
    """The float64 nearest to every coordinate, (V, m); ±∞ where it is too large for one."""
    width = len(points[0]) - 1 if points else 0
    return np.array([[quotient(v, p[-1]) for v in p[:-1]] for p in points]).reshape(-1, width)


def longest_side(points: NDArray[np.float64]) -> float:
    """The longest side of the box of some points, (V, m) with V ≥ 1."""
    return float((points.max(axis=0) - points.min(axis=0)).max(initial=0.0))


def in_unit_box(points: Sequence[Point]) -> tuple[float, NDArray[np.float64]]:
    """The longest side of the box of some points, and the points in it divided by that, (V, m).

    Points whose differences are lost in floats, or that floats do not hold, are moved and divided
    exactly: only points that are one have the side 0 and only zeros, unless the side itself is too
    small for a float. It is ∞ where it is too large for one.
    """
    approx = approximation(points)
    if not approx.size:
        return 0.0, approx
    with np.errstate(all="ignore"):
        side = longest_side(approx)
        if max(_SMALLEST, float(np.abs(approx).max()) * _SHARE) < side < math.inf:
            return side, (approx - approx.min(axis=0)) / side
    columns = list(zip(*map(rationals, points), strict=True))
    lows = [min(column) for column in columns]
    exact = max(max(column) - least for column, least in zip(columns, lows, strict=True))
    if exact == 0:
        return 0.0, np.zeros_like(approx)
    unit = [
        [quotient(int(v.p), int(v.q)) for v in ((x - least) / exact for x in column)]
        for column, least in zip(columns, lows, strict=True)
    ]
    return quotient(int(exact.p), int(exact.q)), np.array(unit).T.copy()


def quotient(numerator: int, denominator: int) -> float:
    """The float64 nearest to a quotient; ±∞ where it is too large for one."""
    try:
        return numerator / denominator  # correctly rounded, whatever the size
    except OverflowError:
        return math.inf if numerator > 0 else -math.inf
