"""The exact extremes of outputs on a box, by brute force over sign patterns and vertices.

Shares nothing with polyrank but the container of the weights: for every pattern of signs the
closed cell's vertices are all solutions of d of its rows that satisfy the others, in fractions. The
closed cells cover the box and the function is affine on each, so that the extremes over the box are
those over these vertices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations, product

from polyrank.network.normal_form import Network
from tests.oracles import ExactLayer, exact_layers, primitive

Vector = tuple[Fraction, ...]


def outputs_at(layers: Sequence[ExactLayer], x: Sequence[Fraction]) -> Vector:
    """The outputs of an input."""
    h = list(x)
    for layer in layers:
        z = [
            sum((w * v for w, v in zip(row, h, strict=True)), b)
            for row, b in zip(layer.weight, layer.bias, strict=True)
        ]
        h = [(p if v > 0 else n) * v for v, n, p in zip(z, layer.neg, layer.pos, strict=True)]
    return tuple(h)


def _solved(rows: Sequence[Sequence[int]]) -> tuple[int, ...] | None:
    """The solution of ``a·x + b = 0`` for d integer rows (a, b), homogeneous, for d ≤ 2."""
    if len(rows) == 1:
        ((a, b),) = rows
        point = (-b, a)
    else:
        (a, b, c), (d, e, f) = rows
        point = (b * f - c * e, c * d - a * f, a * e - b * d)
    if point[-1] == 0:
        return None
    return point if point[-1] > 0 else tuple(-v for v in point)


def pieces(network: Network) -> Iterator[tuple[list[Vector], list[Vector]]]:
    """Every pattern of signs: rows (a, b) with ``a·x + b ≥ 0`` on its cell, and its affine map."""
    layers = exact_layers(network)
    d = network.input_dim
    choices = [
        (0, 1) if n != p else (1,)
        for layer in layers
        for n, p in zip(layer.neg, layer.pos, strict=True)
    ]
    for signs in product(*choices):
        rows: list[Vector] = []
        forms = [(*(Fraction(int(j == l)) for j in range(d)), Fraction(0)) for l in range(d)]
        place = 0
        for layer in layers:
            new = []
            for weight, bias, neg, pos in zip(
                layer.weight, layer.bias, layer.neg, layer.pos, strict=True
            ):
                z = [
                    sum((w * f[l] for w, f in zip(weight, forms, strict=True)), Fraction(0))
                    for l in range(d + 1)
                ]
                z[d] += bias
                on = signs[place]
                place += 1
                if neg != pos:
                    rows.append(tuple(z) if on else tuple(-v for v in z))
                slope = pos if on else neg
                new.append(tuple(slope * v for v in z))
            forms = new
        yield rows, forms


def box_rows(lower: Sequence[Fraction], upper: Sequence[Fraction]) -> list[Vector]:
    """The rows of a box, of the same kind."""
    d = len(lower)
    box: list[Vector] = []
    for l in range(d):
        unit = [Fraction(int(j == l)) for j in range(d)]
        box.append((*unit, -lower[l]))
        box.append((*(-v for v in unit), upper[l]))
    return box


def vertices(network: Network, lower: Vector, upper: Vector) -> Iterator[Vector]:
    """Every vertex of every closed cell of the box."""
    d, box = network.input_dim, box_rows(lower, upper)
    for rows, _ in pieces(network):
        integers = list(dict.fromkeys(primitive(row) for row in (*box, *rows)))
        for chosen in combinations(integers, d):
            point = _solved(chosen)
            if point is not None and all(
                sum(a * v for a, v in zip(row, point, strict=True)) >= 0 for row in integers
            ):
                yield tuple(Fraction(v, point[-1]) for v in point[:-1])


def extremes(network: Network, lower: Vector, upper: Vector) -> list[tuple[Fraction, Fraction]]:
    """The least and greatest value of every output on the box."""
    layers = exact_layers(network)
    values = [outputs_at(layers, point) for point in set(vertices(network, lower, upper))]
    return [(min(column), max(column)) for column in zip(*values, strict=True)]
