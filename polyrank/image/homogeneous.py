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

from polyrank.network.normal_form import Layer
from polyrank.topology.manifold import Manifold

__all__ = [
    "Point",
    "activations",
    "approximation",
    "between",
    "from_rationals",
    "manifold_points",
    "preactivations",
    "primitive",
    "rationals",
    "zero_between",
]

#: Numerators, then the common denominator d > 0.
Point: TypeAlias = tuple[int, ...]

_ROWS = 4096  # points of one product, so that Ctrl-C is answered between two


def primitive(row: Sequence[int]) -> Point:
    """The row divided by the greatest common divisor of its entries; its last entry is > 0."""
    common = math.gcd(*row)
    return tuple(row) if common == 1 else tuple(v // common for v in row)


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
    return primitive(
        [a * x + b * y for x, y in zip(p[:-1], q[:-1], strict=True)] + [whole * p[-1] * q[-1]]
    )


def zero_between(p: Sequence[int], x: int, q: Sequence[int], y: int) -> Point:
    """Where a functional vanishes whose values x at p and y at q have opposite signs.

    The values are times the denominators of the points.
    """
    one, other = abs(x) * q[-1], abs(y) * p[-1]
    return between(p, q, one, one + other)


def preactivations(points: Sequence[Point], layer: Layer) -> list[list[int]]:
    """``W h + b`` at every point, as homogeneous integers that need not be primitive."""
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
        return [primitive([max(v, 0) for v in row]) for row in rows]
    if all(pair == (scale, scale) for pair in slopes):
        return [primitive(row) for row in rows]
    return [
        primitive(
            [(up if v > 0 else low) * v for v, (low, up) in zip(row[:-1], slopes, strict=True)]
            + [scale * row[-1]]
        )
        for row in rows
    ]


def approximation(points: Sequence[Point]) -> NDArray[np.float64]:
    """The float64 nearest to every coordinate, (V, m); ±∞ where it is too large for one."""
    width = len(points[0]) - 1 if points else 0
    return np.array([[_nearest(v, p[-1]) for v in p[:-1]] for p in points]).reshape(-1, width)


def _nearest(numerator: int, denominator: int) -> float:
    try:
        return numerator / denominator  # correctly rounded, whatever the size
    except OverflowError:
        return math.inf if numerator > 0 else -math.inf
