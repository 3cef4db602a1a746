"""Bias-free networks on the plane, exactly, however wide and deep: their regions are sectors.

A unit is linear on every sector of the layers before it and changes its sign there along one ray at
most. So the sectors of all layers are found by cutting sectors at rays, in integers, and sorting
them; neighbours share a ray. With further coordinates of one hyperplane ``x_k = 0`` each, all is a
product with a cube; with coordinates that no unit reads, with a linear space.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cmp_to_key
from itertools import pairwise

import numpy as np

from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray
from tests.oracles import exact_rank, primitive
from tests.slivers import BEYOND, LAST, sliver_row, sliver_slopes

__all__ = ["FanLayer", "Sector", "drawn_layers", "fan_network", "sectors"]

Ray = tuple[int, ...]
Form = tuple[Fraction, Fraction]


@dataclass(frozen=True, slots=True)
class FanLayer:
    """Rows without bias, and the slopes (a⁻, a⁺) of every unit."""

    rows: list[list[Fraction]]
    slopes: list[tuple[Fraction, Fraction]]

    @property
    def bits(self) -> int:
        """How many units have a hyperplane."""
        return sum(neg != pos for neg, pos in self.slopes)


@dataclass(frozen=True, slots=True)
class Sector:
    """A region: from a ray to the next one counterclockwise, its bits, its map, its ranks."""

    begin: Ray
    end: Ray
    bits: tuple[int, ...]
    maps: tuple[Form, ...]
    ranks: tuple[int, ...]


def _at(form: Form, ray: Ray) -> Fraction:
    return form[0] * ray[0] + form[1] * ray[1]


def sectors(layers: list[FanLayer]) -> list[Sector]:
    """All regions, counterclockwise."""
    quarter = [(1, 0), (0, 1), (-1, 0), (0, -1), (1, 0)]
    whole = (Fraction(1), Fraction(0)), (Fraction(0), Fraction(1))
    found = [Sector(u, v, (), whole, ()) for u, v in pairwise(quarter)]
    for layer in layers:
        found = [part for sector in found for part in _cut(sector, layer)]
    merged: list[Sector] = []
    for part in [*found, found[0]]:  # the first rays need not be boundaries
        if merged and merged[-1].bits == part.bits:
            merged[-1] = replace(merged[-1], end=part.end)
        else:
            merged.append(part)
    return merged[1:] if len(merged) > 1 else merged


def _cut(sector: Sector, layer: FanLayer) -> list[Sector]:
    """The sector, of at most 90 degrees, cut at the rays where units vanish."""
    forms: list[Form] = []
    rays = {sector.begin, sector.end}
    for row in layer.rows:
        a, b = (
            sum((w * g[l] for w, g in zip(row, sector.maps, strict=True)), Fraction(0))
            for l in (0, 1)
        )
        forms.append((a, b))
        first, last = _at((a, b), sector.begin), _at((a, b), sector.end)
        if first * last < 0:
            u, v = sector.begin, sector.end
            rays.add(primitive([abs(last) * x + abs(first) * y for x, y in zip(u, v, strict=True)]))
    order = sorted(rays, key=cmp_to_key(lambda p, q: q[0] * p[1] - q[1] * p[0]))
    out = []
    for begin, end in pairwise(order):
        inside = begin[0] + end[0], begin[1] + end[1]
        on = [_at(form, inside) > 0 for form in forms]
        pairs = list(zip(on, layer.slopes, strict=True))
        maps = tuple(
            ((pos if up else neg) * a, (pos if up else neg) * b)
            for (up, (neg, pos)), (a, b) in zip(pairs, forms, strict=True)
        )
        bits = tuple(int(up) for up, (neg, pos) in pairs if neg != pos)
        ranks = *sector.ranks, exact_rank(maps)
        out.append(Sector(begin, end, (*sector.bits, *bits), maps, ranks))
    return out


def drawn_layers(rng: np.random.Generator, widths: list[int]) -> list[FanLayer]:
    """Layers of rows that are nearly the same, or multiples, sums and differences of others."""
    bits = LAST if rng.random() < 0.8 else BEYOND
    width, layers = 2, []
    for k, units in enumerate(widths):
        rows: list[list[Fraction]] = []
        for _ in range(units):
            rows.append(sliver_row(rng, rows, width, bits))
        if rng.random() < 0.3:
            powers = rng.integers(-40, 40, units).tolist()
            rows = [
                [v * Fraction(2) ** e for v in row] for row, e in zip(rows, powers, strict=True)
            ]
        relu = rng.random() < 0.6
        slopes = [
            (Fraction(0), Fraction(1))
            if relu
            else sliver_slopes(rng, bits, last=k == len(widths) - 1)
            for _ in range(units)
        ]
        layers.append(FanLayer(rows, slopes))
        width = units
    return layers


def fan_network(
    rng: np.random.Generator, layers: list[FanLayer], cube: int = 0, flat: int = 0
) -> Network:
    """The network; ``cube`` more inputs with a ReLU in layer 1 each, ``flat`` that nothing reads.

    The bits of the further ReLUs come after those of layer 1. The inputs are permuted.
    """
    n = 2 + cube + flat
    zero, one = Fraction(0), Fraction(1)
    order = rng.permutation(n).tolist()
    out = []
    for k, layer in enumerate(layers):
        rows, slopes = layer.rows, layer.slopes
        if k == 0:
            rows = [[*row, *[zero] * (n - 2)] for row in rows]
            rows += [[one if i == 2 + j else zero for i in range(n)] for j in range(cube)]
            rows = [[row[i] for i in order] for row in rows]
            slopes = [*slopes, *[(zero, one)] * cube]
        elif k == 1:
            rows = [[*row, *[zero] * cube] for row in rows]
        shape = len(rows), len(rows[0])
        out.append(
            Layer(
                RationalArray.from_rationals([v for row in rows for v in row], shape),
                RationalArray.from_rationals([zero] * shape[0], shape[:1]),
                RationalArray.from_rationals([neg for neg, _ in slopes], shape[:1]),
                RationalArray.from_rationals([pos for _, pos in slopes], shape[:1]),
            )
        )
    return Network(tuple(out))
