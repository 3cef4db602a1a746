"""Polytopes, simplices and slices of any magnitude, with the same question in their coordinates.

Rows, vertices, origins and directions run over magnitudes whose products with the weights of
:mod:`tests.scales` leave float64 on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

import polyrank as pr
from polyrank.errors import DomainError
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray
from polyrank.polyhedra.domain import Domain
from tests import oracles
from tests.scales import domain_rows, exactly, scaled_network

__all__ = ["KINDS", "Asked", "scaled_domain"]

KINDS = ("polytope", "simplex", "bounded slice", "slice")
Row = tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A network on a domain, and the same function in the domain's coordinates for the oracles.

    Attributes
    ----------
    network, domain
        What polyrank is given.
    inside : Network
        The network in the coordinates u, its first layer in rationals of any size.
    rows : tuple of tuples
        The domain in the coordinates: ``(a, b)`` means ``a · u <= b``.
    """

    network: Network
    domain: Domain
    inside: Network
    rows: tuple[Row, ...]


class _Draw:
    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.most = int(rng.choice([0, 30, 200, 440]))
        self.ragged = rng.random() < 0.5
        self.common = self.any()

    def any(self) -> Fraction:
        return Fraction(2) ** int(self.rng.integers(-self.most, self.most + 1))

    def entry(self, scale: Fraction) -> Fraction:
        if self.ragged and self.rng.random() < 0.3:
            scale = self.any()
        return int(self.rng.integers(-2, 3)) * scale


def scaled_domain(rng: np.random.Generator, kind: str) -> Asked | None:
    """A random case of at most three dimensions; None where the draw is empty or flat."""
    n = int(rng.integers(1, 5))
    k = int(rng.integers(1, min(n, 3) + 1))
    draw = _Draw(rng)
    try:
        if kind == "polytope":
            return _polytope(draw, k)
        if kind == "simplex":
            return _simplex(draw, n, k)
        return _slice(draw, n, k, bounded=kind == "bounded slice")
    except (DomainError, ValueError):  # dependent directions; no interior
        return None


def _polytope(draw: _Draw, n: int) -> Asked:
    rng = draw.rng
    centre = [int(rng.integers(-2, 3)) * draw.common for _ in range(n)]
    rows: list[Row] = []
    for _ in range(int(rng.integers(1, 6))):
        scale = draw.any()
        row = [draw.entry(Fraction(1)) for _ in range(n)]
        through = sum((a * c for a, c in zip(row, centre, strict=True)), Fraction(0))
        bound = through + draw.common * int(rng.integers(0, 4))
        rows.append((*(a * scale for a in row), bound * scale))
    if rng.random() < 0.6:
        rows += domain_rows(
            [c - draw.common for c in centre], [c + 2 * draw.common for c in centre]
        )
    A = [[exactly(v) for v in row[:-1]] for row in rows]
    domain = pr.Polytope(A, [exactly(row[-1]) for row in rows])
    network = scaled_network(rng, n, _near([c + draw.common / 4 for c in centre]))
    oracles.regions_by_generators(network, tuple(rows))  # raises where there is no interior
    return Asked(network, domain, network, tuple(rows))


def _simplex(draw: _Draw, n: int, k: int) -> Asked:
    vertices = [[draw.entry(draw.common) for _ in range(n)] for _ in range(k + 1)]
    domain = pr.Simplex([[exactly(v) for v in vertex] for vertex in vertices])
    basis = [[vertices[j + 1][i] - vertices[0][i] for j in range(k)] for i in range(n)]
    rows = [tuple([Fraction(1)] * (k + 1))]
    rows += [(*(Fraction(-int(i == j)) for j in range(k)), Fraction(0)) for i in range(k)]
    return _inside(draw, domain, vertices[0], basis, rows, [Fraction(1, 4)] * k)


def _slice(draw: _Draw, n: int, k: int, *, bounded: bool) -> Asked:
    origin = [draw.entry(draw.common) for _ in range(n)]
    lengths = [draw.any() for _ in range(k)]
    basis = [[draw.entry(length) for length in lengths] for _ in range(n)]
    lower, upper = [-draw.any() for _ in range(k)], [draw.any() for _ in range(k)]
    inner: Domain = pr.WholeSpace()
    if bounded:
        inner = pr.Box([exactly(v) for v in lower], [exactly(v) for v in upper])
    domain = pr.Slice(
        [exactly(v) for v in origin], [[exactly(v) for v in row] for row in basis], inner
    )
    rows = list(domain_rows(lower, upper)) if bounded else []
    near = [a + (b - a) / 8 for a, b in zip(lower, upper, strict=True)]
    return _inside(draw, domain, origin, basis, rows, near)


def _inside(
    draw: _Draw,
    domain: Domain,
    origin: list[Fraction],
    basis: list[list[Fraction]],
    rows: list[Row],
    near: list[Fraction],
) -> Asked:
    point = [
        o + sum((b * v for b, v in zip(row, near, strict=True)), Fraction(0))
        for o, row in zip(origin, basis, strict=True)
    ]
    network = scaled_network(draw.rng, len(origin), _near(point))
    first = network.layers[0]
    layers = oracles.restrict(
        oracles.exact_layers(network), tuple(origin), tuple(tuple(row) for row in basis)
    )
    weight = [exactly(v) for row in layers[0].weight for v in row]
    inner = Layer(
        RationalArray.from_rationals(weight, (first.units, len(near))),
        RationalArray.from_rationals([exactly(v) for v in layers[0].bias], (first.units,)),
        first.slope_neg,
        first.slope_pos,
    )
    return Asked(network, domain, Network((inner, *network.layers[1:])), tuple(rows))


def _near(point: list[Fraction]) -> list[Fraction]:
    """The floats next to the coordinates; 0 for what is out of range."""
    return [Fraction(float(v)) if abs(v) < Fraction(2) ** 1000 else Fraction(0) for v in point]
