"""Networks and domains whose factors run over the whole documented range of magnitudes.

Weights and slopes between 2**-500 and 2**500, domains between 2**-900 and 2**900, biases of any
finite float: products of them leave float64 in both directions. The networks are small and
degenerate (integers of few bits times powers of two), so that exact methods answer at once and
hyperplanes meet where a rounding would tell them apart.

``python -m tests.scales ROOM COUNT [START]`` compares COUNT networks from seed START on with the
independent answers of a room (see :data:`ROOMS`) and prints how many agree, differ or are refused.
The room ``degenerate`` has magnitudes of every day, and coincidences instead.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from importlib import import_module

import numpy as np
from flint import fmpq

import polyrank as pr
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray
from polyrank.polyhedra.domain import Domain

__all__ = ["ROOMS", "domain_rows", "exactly", "scaled_box", "scaled_network"]

#: Rooms with a comparison ``agrees(seed) -> outcome`` that raises where a certified answer differs.
ROOMS = {
    "cells": "tests.cells.test_scales",
    "domains": "tests.cells.test_scaled_domains",
    "graph": "tests.graph.test_scales",
    "complex": "tests.complex.test_scales",
    "minrank": "tests.minrank.test_scales",
    "sampling": "tests.sampling.test_scales",
    "topology": "tests.topology.test_scaled_meshes",
    "proof": "tests.proof.test_scales",
    "verification": "tests.verification.test_scales",
    "image": "tests.image.test_scales",
    "regions": "tests.api.test_scales",
    "degenerate": "tests.test_degenerate",
    "threads": "tests.cells.test_stress",
}

_LARGEST = 500
_LARGE = 0.15
"""Share of networks with up to four units a layer; the others have one or two."""


def _power(e: int) -> Fraction:
    return Fraction(1 << e) if e >= 0 else Fraction(1, 1 << -e)


def _array(values: list[Fraction], shape: tuple[int, ...]) -> RationalArray:
    return RationalArray.from_rationals(values, shape)


def _clipped(e: int, most: int = _LARGEST - 3) -> int:
    return max(-most, min(most, e))


class _Draw:
    """Random magnitudes of one network: which of the styles below it follows."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.style = int(rng.integers(6))
        self.spread = int(rng.choice([3, 60, 250, 497]))
        self.rational = rng.random() < 0.15

    def exponent(self) -> int:
        if self.style == 0:
            return 0
        if self.style == 1 and self.rng.random() < 0.7:
            return 0
        if self.style == 2:  # next to the limits
            return int(self.rng.choice([-497, -496, 0, 496, 497]))
        return int(self.rng.integers(-self.spread, self.spread + 1))

    def integer(self, most: int = 2) -> Fraction:
        value = Fraction(int(self.rng.integers(-most, most + 1)))
        return value / 3 if self.rational and self.rng.random() < 0.3 else value


def _values(
    h: list[Fraction], weight: list[list[Fraction]], bias: list[Fraction]
) -> list[Fraction]:
    return [
        sum((w * x for w, x in zip(row, h, strict=True)), b)
        for row, b in zip(weight, bias, strict=True)
    ]


def _finite(value: Fraction) -> Fraction:
    """The float nearest to a bias, or 0 where it is out of range."""
    return Fraction(float(value)) if abs(value) < _power(1023) else Fraction(0)


def scaled_network(rng: np.random.Generator, inputs: int, near: list[Fraction]) -> Network:
    """A network of one to three layers; many hyperplanes of every layer pass through ``near``."""
    draw = _Draw(rng)
    width, h = inputs, near
    below = [_clipped(-_size(v)) for v in near]  # undo the scale of the domain, or do not
    layers = []
    depth = int(rng.integers(1, 4))
    widest = 4 if rng.random() < _LARGE else 2
    for k in range(depth):
        units = int(rng.integers(1, widest + 1))
        balanced = rng.random() < 0.6
        own = [draw.exponent() for _ in range(units)]
        weight = [
            [
                draw.integer()
                * _power(_clipped(own[i] + (below[j] if balanced else draw.exponent())))
                for j in range(width)
            ]
            for i in range(units)
        ]
        zeros = [Fraction(0)] * units
        through = _values(h, weight, zeros)
        bias = []
        for i in range(units):
            kind = rng.random()
            if kind < 0.35:
                bias.append(_finite(-through[i]))
            elif kind < 0.65:
                bias.append(Fraction(0))
            elif kind < 0.8:
                bias.append(_finite(draw.integer() * _power(own[i])))
            elif kind < 0.9:
                bias.append(Fraction(5e-324) * int(rng.integers(-3, 4)))
            else:
                bias.append(
                    _finite(-through[i] / 2 + draw.integer() * abs(through[i]) * _power(-52))
                )
        neg, pos = [], []
        for _ in range(units):
            kind = rng.random()
            if k == depth - 1 and kind < 0.3:
                neg.append(Fraction(1))
                pos.append(Fraction(1))
            elif kind < 0.55:
                neg.append(Fraction(0))
                pos.append(Fraction(1))
            else:
                neg.append(draw.integer(1) * _power(_clipped(draw.exponent())))
                pos.append(draw.integer() * _power(_clipped(draw.exponent())))
        layers.append(
            Layer(
                _array([v for row in weight for v in row], (units, width)),
                _array(bias, (units,)),
                _array(neg, (units,)),
                _array(pos, (units,)),
            )
        )
        z = _values(h, weight, bias)
        h = [v * (p if v > 0 else n) for v, n, p in zip(z, neg, pos, strict=True)]
        below = [_clipped(-e) for e in own]
        width = units
    return Network(tuple(layers))


def _size(value: Fraction) -> int:
    return value.numerator.bit_length() - value.denominator.bit_length() if value else 0


def scaled_box(rng: np.random.Generator, n: int) -> tuple[list[Fraction], list[Fraction]]:
    """Lower and upper bounds of a box: widths and offsets of any magnitude, ragged or not."""
    ragged = rng.random() < 0.5
    most = int(rng.choice([0, 30, 300, 890]))
    common = int(rng.integers(-most, most + 1))
    lower, upper = [], []
    for _ in range(n):
        half = _power(int(rng.integers(-most, most + 1)) if ragged else common)
        kind = rng.random()
        centre = Fraction(0)
        if kind < 0.2:
            centre = half * int(rng.integers(-3, 4))
        elif kind < 0.3:
            centre = _power(int(rng.integers(-most, most + 1)))
        lower.append(centre - half)
        upper.append(centre + half * int(rng.integers(1, 3)))
    return lower, upper


def scaled_case(
    rng: np.random.Generator, n: int, *, bounded: bool = False
) -> tuple[Network, Domain, tuple[tuple[Fraction, ...], ...]]:
    """A network, a domain and the domain's rows for the oracles."""
    lower, upper = scaled_box(rng, n)
    share = Fraction(int(rng.integers(1, 8)), 8)
    near = [Fraction(float(a + (b - a) * share)) for a, b in zip(lower, upper, strict=True)]
    if rng.random() < 0.3:
        near = [Fraction(0)] * n
    network = scaled_network(rng, n, near)
    if not bounded and rng.random() < 0.25:
        return network, pr.WholeSpace(), ()
    box = pr.Box([exactly(v) for v in lower], [exactly(v) for v in upper])
    return network, box, domain_rows(lower, upper)


def exactly(value: Fraction) -> fmpq:
    """The same number for polyrank."""
    return fmpq(value.numerator, value.denominator)


def domain_rows(lower: list[Fraction], upper: list[Fraction]) -> tuple[tuple[Fraction, ...], ...]:
    """Rows ``(a, b)`` meaning ``a · x <= b`` of a box."""
    n = len(lower)
    rows = []
    for i in range(n):
        unit = [Fraction(int(i == j)) for j in range(n)]
        rows.append((*unit, upper[i]))
        rows.append((*(-v for v in unit), -lower[i]))
    return tuple(rows)


def count(agrees: Callable[[int], str], start: int, total: int) -> Counter[str]:
    """Outcomes of a comparison on that many seeds; a difference is counted and its seed printed."""
    outcomes: Counter[str] = Counter()
    for seed in range(start, start + total):
        try:
            outcomes[agrees(seed)] += 1
        except Exception as problem:  # noqa: BLE001  (whatever it is, it is counted and named)
            outcomes["DIFFERENT"] += 1
            sys.stdout.write(f"seed {seed}: {type(problem).__name__}: {problem}"[:400] + "\n")
    return outcomes


if __name__ == "__main__":
    room, total = sys.argv[1], int(sys.argv[2])
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    agrees = import_module(ROOMS[room]).agrees
    outcomes: Counter[str] = Counter()
    for start in range(first, first + total, 500):
        outcomes += count(agrees, start, min(500, first + total - start))
        sys.stdout.write(f"{room}, {sum(outcomes.values())} of {total}: {dict(outcomes)}\n")
        sys.stdout.flush()
