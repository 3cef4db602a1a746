"""Networks whose hyperplanes are nearly the same, and boxes whose walls nearly are hyperplanes.

Rows of every layer repeat earlier ones up to their last bit, or up to a bit far below it, are
multiples of them, sums and differences, and pass through one point or miss it by as little; layers
cancel what they read but for such a rest. :mod:`tests.scales` draws all magnitudes, but hardly ever
two hyperplanes that only the last bit tells apart.

``python -m tests.slivers ROOM COUNT [START]`` compares as ``python -m tests.scales`` does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest

import polyrank as pr
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray
from polyrank.polyhedra.domain import Domain
from tests import scales
from tests.scales import domain_rows, exactly

__all__ = ["comparison", "sliver_box", "sliver_case", "sliver_network"]

Row = list[Fraction]
Bits = tuple[int, ...]
LAST: Bits = (52, 52, 52, 51, 49, 40, 26)
BEYOND: Bits = (*LAST, 53, 104, 300, 450)
_TWO = Fraction(2)


def _rest(rng: np.random.Generator, bits: Bits = LAST) -> Fraction:
    """A few units of a bit far behind the point."""
    return int(rng.choice([-1, 1, 1, -2, 3])) / _TWO ** int(rng.choice(bits))


def _integers(rng: np.random.Generator, width: int) -> Row:
    return [Fraction(int(v)) for v in rng.choice([-1, 0, 1, 1, 2, -2], width)]


def sliver_row(rng: np.random.Generator, rows: list[Row], width: int, bits: Bits) -> Row:
    kind = rng.random()
    if len(rows) == 0 or kind < 0.25:
        return _integers(rng, width)
    row = list(rows[int(rng.integers(len(rows)))])
    other = rows[int(rng.integers(len(rows)))]
    at = int(rng.integers(width))
    if kind < 0.65:  # a twin
        row[at] += (row[at] or 1) * _rest(rng, bits)
    elif kind < 0.72:  # the same hyperplane
        row = [v * int(rng.choice([-1, 1, 3])) for v in row]
    elif kind < 0.84:
        row = [a + b for a, b in zip(row, other, strict=True)]
    else:  # of twins only the rest is left
        row = [a - b for a, b in zip(row, other, strict=True)]
        size = max(map(abs, row))
        if size and rng.random() < 0.7:
            row = [v * _TWO ** -scales._size(size) for v in row]
    return row


def sliver_slopes(rng: np.random.Generator, bits: Bits, *, last: bool) -> tuple[Fraction, Fraction]:
    kind = rng.random()
    one = Fraction(1)
    if last and kind < 0.25:
        return one, one
    if kind < 0.65:
        return Fraction(0), one
    if kind < 0.75:
        return -one, one
    if kind < 0.85:
        return one + _rest(rng, bits), one
    if kind < 0.93:
        return _rest(rng, bits), one
    return -one + _rest(rng, bits), one


def sliver_network(
    rng: np.random.Generator, inputs: int, near: Row, most: tuple[int, ...] = (5, 3, 3)
) -> Network:
    """A network of one to three layers, most hyperplanes of which pass through ``near``.

    ``most``: at most so many units per layer.
    """
    depth = min(len(most), int(rng.choice([1, 2, 2, 3])))
    width, h, layers = inputs, near, []
    ragged = rng.random() < 0.3
    bits = LAST if rng.random() < 0.7 else BEYOND
    for k in range(depth):
        units = int(rng.integers(2, most[k] + 1))
        rows: list[Row] = []
        for _ in range(units):
            rows.append(sliver_row(rng, rows, width, bits))
        through = [sum((w * x for w, x in zip(row, h, strict=True)), Fraction(0)) for row in rows]
        bias = [-v for v in through]
        for i in range(units):
            kind = rng.random()
            if kind < 0.15:
                bias[i] += _rest(rng, bits) * (abs(through[i]) or 1)
            elif kind < 0.2:
                bias[i] += int(rng.integers(-1, 2)) * Fraction(5e-324)
            elif kind < 0.3:
                bias[i] += Fraction(int(rng.integers(-2, 3)), 4)
        if ragged:
            powers = [_TWO ** int(rng.integers(-40, 41)) for _ in range(units)]
            rows = [[p * v for v in row] for p, row in zip(powers, rows, strict=True)]
            bias = [p * b for p, b in zip(powers, bias, strict=True)]
        rows = [[v if abs(v) > _TWO**-490 else Fraction(0) for v in row] for row in rows]
        if any(Fraction(float(b)) != b for b in bias):  # floats alone may be as small as that
            bias = [b if abs(b) > _TWO**-950 else Fraction(0) for b in bias]
        pairs = [sliver_slopes(rng, bits, last=k == depth - 1) for _ in range(units)]
        layers.append(
            Layer(
                RationalArray.from_rationals([v for row in rows for v in row], (units, width)),
                RationalArray.from_rationals(bias, (units,)),
                RationalArray.from_rationals([a for a, _ in pairs], (units,)),
                RationalArray.from_rationals([b for _, b in pairs], (units,)),
            )
        )
        z = [
            sum((w * x for w, x in zip(row, h, strict=True)), b)
            for row, b in zip(rows, bias, strict=True)
        ]
        h = [v * (b if v > 0 else a) for v, (a, b) in zip(z, pairs, strict=True)]
        width = units
    return Network(tuple(layers))


def sliver_box(rng: np.random.Generator, n: int) -> tuple[Row, Row]:
    """A cube around or next to zero; some widths, or all, are far below the size of the others."""
    scale = _TWO ** int(rng.choice([0, 0, 0, 1, -30, -300, 300]))
    lower, upper = [], []
    for _ in range(n):
        centre = scale * int(rng.choice([0, 0, 0, 1, -1]))
        half = scale * (abs(_rest(rng)) if rng.random() < 0.15 else 1)
        lower.append(centre - half)
        upper.append(centre + half)
    return lower, upper


def sliver_case(
    rng: np.random.Generator, n: int, *, bounded: bool = False
) -> tuple[Network, Domain, tuple[tuple[Fraction, ...], ...]]:
    """A network, a domain and the domain's rows for the oracles."""
    lower, upper = sliver_box(rng, n)
    near = [
        a + (b - a) * Fraction(int(rng.choice([0, 1, 2, 2, 3, 4])), 4)
        for a, b in zip(lower, upper, strict=True)
    ]
    if rng.random() < 0.4:
        near = [Fraction(0)] * n
    network = sliver_network(rng, n, near)
    if not bounded and rng.random() < 0.4:
        return network, pr.WholeSpace(), ()
    for side in (lower, upper):  # a wall that misses a corner of the arrangement
        if rng.random() < 0.2:
            at = int(rng.integers(n))
            side[at] += _rest(rng) * (upper[at] - lower[at]) / 4
    box = pr.Box([exactly(v) for v in lower], [exactly(v) for v in upper])
    return network, box, domain_rows(lower, upper)


def comparison(room: str) -> Callable[[int], str]:
    """The comparison of a room with its independent answers, on these networks and boxes."""
    module = import_module(scales.ROOMS[room])
    meshes = import_module(scales.ROOMS["topology"])
    drawn = {
        "scaled_network": sliver_network,
        "scaled_box": sliver_box,
        "scaled_case": sliver_case,
    }

    def agrees(seed: int) -> str:
        with pytest.MonkeyPatch.context() as patch:
            for place in (scales, meshes, module):
                for name, other in drawn.items():
                    if hasattr(place, name):
                        patch.setattr(place, name, other)
            return str(module.agrees(seed))

    return agrees


if __name__ == "__main__":
    room, total = sys.argv[1], int(sys.argv[2])
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    for start in range(first, first + total, 100):
        found = scales.count(comparison(room), start, min(100, first + total - start))
        sys.stdout.write(f"{room} {start}: {dict(found)}\n")
        sys.stdout.flush()
