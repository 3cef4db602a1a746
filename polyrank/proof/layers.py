"""Trusted: the network's layers on the regions of the layers below, in exact integers.

Unit i of a layer is, on a region of the layers below, an affine function of the coordinates u. All
units of a layer are kept as integer rows (:mod:`polyrank.proof.farkas`) times one positive scale
of the layer, so that signs and multipliers can be decided on the integers.

Sets of units are integers used as bit masks: bit i is unit i.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import compress, islice
from typing import Any

import numpy as np
from flint import fmpq_mat, fmpz, fmpz_mat

from polyrank.network.normal_form import Layer, Network

__all__ = ["LayerRows", "Layers", "Problem", "Region", "mask_of"]


def mask_of(flags: Sequence[Any]) -> int:
    """The set of the positions of true entries."""
    return sum(1 << i for i, flag in enumerate(flags) if flag)


class LayerRows:
    """One layer: ``affine`` is ``[weight | bias]`` times ``common``, for slopes that are integers.

    Attributes
    ----------
    units, bits : int
        Units, and those of them with a hyperplane.
    plane, open : set of units
        With a hyperplane; of these, the ones that have to be decided: others follow a leader.
    places : list of int
        Those with a hyperplane.
    slopes : list of pairs of int
        Slopes (a⁻, a⁺) of the units times one positive number, ``slope_scale``.
    ties : list of (unit, leader, same)
        Units whose rows are multiples of an earlier one, and whether the factor is positive.
    """

    def __init__(self, layer: Layer, rows: fmpq_mat, source: int) -> None:
        self.units = layer.units
        self.plane = mask_of(layer.has_hyperplane.tolist())
        self.places = np.flatnonzero(layer.has_hyperplane).tolist()
        self.bits = len(self.places)
        pairs = layer.slopes_exact
        self.slope_scale = int(reduce(fmpz.lcm, (v.q for pair in pairs for v in pair), fmpz(1)))
        self.slopes = [[int((v * self.slope_scale).p) for v in pair] for pair in pairs]
        self.ties = _ties(rows, self.plane)
        self.open = self.plane & ~sum(1 << i for i, _, _ in self.ties)
        if source != 1:
            rows = fmpq_mat(rows)
            for i in range(rows.nrows()):
                for j in range(rows.ncols() - 1):
                    rows[i, j] /= source
        self.affine, common = rows.numer_denom()
        self.common = int(common)

    def packed(self, units: int) -> int:
        """A set of units as bits of the codeword, which only units with a hyperplane have."""
        if self.bits == self.units:
            return units
        if not self.bits:
            return 0
        return mask_of([units >> i & 1 for i in self.places])

    def unpacked(self, bits: int) -> int:
        """The set of units from bits of the codeword; those behind this layer's are left out."""
        if self.bits == self.units:
            return bits & (1 << self.units) - 1
        return sum((bits >> j & 1) << unit for j, unit in enumerate(self.places))


def _ties(rows: fmpq_mat, plane: int) -> list[tuple[int, int, bool]]:
    """(unit, earlier unit, same direction) wherever a row is a multiple of an earlier one."""
    table = rows.tolist()
    # two entries in their ratio: rows that are multiples of each other have the same
    sketches: dict[int, tuple[Any, ...]] = {}
    for i, row in enumerate(table):
        places = list(islice((j for j, v in enumerate(row) if v != 0), 2))
        if places and plane >> i & 1:
            ratio = row[places[-1]] / row[places[0]]
            sketches[i] = (*places, int(ratio.p), int(ratio.q))
    count = Counter(sketches.values())
    seen: dict[tuple[Any, ...], tuple[int, bool]] = {}
    out = []
    for i, sketch in sketches.items():
        if count[sketch] == 1:
            continue
        row = table[i]
        lead = row[sketch[0]]
        key = tuple((int(v.p), int(v.q)) for v in (entry / lead for entry in row))
        first, up = seen.setdefault(key, (i, lead > 0))
        if first != i:
            out.append((i, first, up == (lead > 0)))
    return out


class Layers:
    """The first ``depth`` layers of a network on ``x = origin + basis u``.

    Attributes
    ----------
    k : int
        Number of coordinates u.
    layers : list
    starts : list of int
        Number of units before each layer, and of all units.
    scales : list of int
        The integers that stand for 1 in the rows of every layer.
    """

    def __init__(self, network: Network, depth: int, origin: fmpq_mat, basis: fmpq_mat) -> None:
        self.k, self.depth = basis.ncols(), depth
        self.layers: list[LayerRows] = []
        self.starts = [0]
        self.scales: list[int] = []
        for number, layer in enumerate(network.layers[:depth]):
            weight, bias = layer.weight_exact, layer.bias_exact
            if not number:
                weight, bias = weight * basis, weight * origin + bias
            rows = fmpq_mat(
                weight.nrows(),
                weight.ncols() + 1,
                [v for i, row in enumerate(weight.tolist()) for v in (*row, bias[i, 0])],
            )
            here = LayerRows(layer, rows, self.layers[-1].slope_scale if number else 1)
            self.layers.append(here)
            self.starts.append(self.starts[-1] + here.units)
            self.scales.append(here.common * (self.scales[-1] if number else 1))


class Region:
    """A region of the layers below ``layer``, with the exact rows of that layer on it.

    Attributes
    ----------
    layer : int
        0-based; the number of layers, where all are decided and no rows follow.
    below : Region or None
        The region that this is a part of, None for the domain.
    positive, zero : set of units
        Decisions of the units of the layer below, on this region.
    code, zeros, bits : int
        Bits of codeword and zero mask so far, and how many.
    rank : int
        Exact rank of the linear part through the layers below, computed when it is needed.
    """

    __slots__ = (
        "_exact", "_rank", "_ranks", "below", "bits", "code", "layer", "layers", "positive", "zero",
        "zeros",
    )  # fmt: skip

    def __init__(self, layers: Layers, below: Region | None, positive: int, zero: int) -> None:
        self.layers, self.below = layers, below
        self.positive, self.zero = positive, zero
        self._exact: list[list[int]] | None = None
        self._ranks: tuple[int, ...] | None = () if below is None else None
        self._rank: int | None = None
        if below is None:
            self.layer = self.code = self.zeros = self.bits = 0
            return
        self.layer = below.layer + 1
        here = layers.layers[below.layer]
        self.code = below.code | here.packed(positive) << below.bits
        self.zeros = below.zeros | here.packed(zero) << below.bits if zero else below.zeros
        self.bits = below.bits + here.bits

    @property
    def here(self) -> LayerRows:
        """The layer."""
        return self.layers.layers[self.layer]

    @property
    def exact(self) -> list[list[int]]:
        """The exact rows of the layer's units, composed when they are needed."""
        if self._exact is None:
            matrix = self.here.affine
            if self.below is not None:
                pairs = zip(self.below.exact, self.below.here.slopes, strict=True)
                image = [
                    [slopes[self.positive >> i & 1] * v for v in row]
                    for i, (row, slopes) in enumerate(pairs)
                ]
                image.append([0] * self.layers.k + [self.layers.scales[self.layer - 1]])
                matrix = matrix * fmpz_mat(image)
            self._exact = [[int(v) for v in row] for row in matrix.tolist()]
        return self._exact

    def resolve(self, positive: int, zero: int) -> tuple[int, int]:
        """The decisions, with every tied unit decided like its leader or opposite to it."""
        here = self.layers.layers[self.layer]
        positive, zero = positive & here.open, zero & here.open
        for i, leader, same in here.ties:
            if zero >> leader & 1:
                zero |= 1 << i
            elif (positive >> leader & 1) == same:
                positive |= 1 << i
        return positive, zero

    @property
    def rank(self) -> int:
        """The rank, computed when it is needed."""
        if self.below is None:
            return self.layers.k
        if self._rank is None:
            slopes = enumerate(self.below.here.slopes)
            live = [pair[self.positive >> i & 1] and not self.zero >> i & 1 for i, pair in slopes]
            rows = [row[:-1] for row, on in zip(self.below.exact, live, strict=True) if on]
            self._rank = int(fmpz_mat(rows).rank()) if rows and rows[0] else 0
        return self._rank

    def key(self) -> tuple[Any, ...]:
        """The decisions on the way to this region."""
        return () if self.below is None else (*self.below.key(), self.positive, self.zero)

    def opposite(self) -> Region:
        """The region with the other sign of every unit of layer 1 that is not identically zero.

        For central arrangements (:attr:`Problem.symmetric`): no later layer has a hyperplane.
        """
        if self.below is None:
            return self
        positive = self.positive
        if self.layer == 1:
            positive = self.below.here.plane & ~(self.positive | self.zero)
        return Region(self.layers, self.below.opposite(), positive, self.zero)

    def ranks(self) -> tuple[int, ...]:
        """The ranks through every layer below."""
        if self._ranks is None:
            self._ranks = (*(self.below.ranks() if self.below is not None else ()), self.rank)
        return self._ranks


@dataclass(frozen=True)
class Problem:
    """What a run is about, exactly, in coordinates u: network and domain.

    A *number* stands for a row of a cell: twice its place among the walls and then all units, layer
    by layer, plus 1 for its negative.

    Attributes
    ----------
    layers : Layers
    walls : tuple of exact rows
        In the order of the format.
    artificial : int
        Index of the first wall that is no constraint: its multipliers must be 0.
    dim : int
        Rows per MISS step.
    bounded : bool
        The domain lies in the cube |u_l| ≤ 1.
    """

    layers: Layers
    walls: tuple[tuple[int, ...], ...]
    artificial: int
    dim: int
    bounded: bool

    @cached_property
    def terms(self) -> list[list[tuple[int, int]]]:
        """Of every wall, the places and values of the entries that are not 0."""
        return [[(l, wall[l]) for l in compress(range(len(wall)), wall)] for wall in self.walls]

    @property
    def symmetric(self) -> bool:
        """The domain is a linear space, and u ↦ −u maps regions of all layers to regions.

        No wall is a constraint; the units of layer 1 that have a hyperplane have no constants; and
        no later layer has a hyperplane.
        """
        first, *later = self.layers.layers
        constraints = (wall for wall in self.walls[: self.artificial] if any(wall[:-1]))
        constants = (first.affine[i, self.layers.k] for i in first.places)
        return not (
            self.bounded or any(constraints) or any(constants) or any(here.plane for here in later)
        )

    def opposite(self, number: int) -> int:
        """The number of the row that is on −u what a row is on u, if the problem is symmetric."""
        return number ^ 1 if number >> 1 >= len(self.walls) else number

    def number(self, layer: int, unit: int, *, positive: bool) -> int:
        """The number of a unit's row, or of its negative."""
        return 2 * (len(self.walls) + self.layers.starts[layer] + unit) + (not positive)

    def row(self, region: Region, number: int) -> list[int]:
        """The exact row with this number on a region."""
        place = (number >> 1) - len(self.walls)
        if place < 0:
            row = list(self.walls[place])
        else:
            while place < self.layers.starts[region.layer] and region.below is not None:
                region = region.below
            row = region.exact[place - self.layers.starts[region.layer]]
        return [-v for v in row] if number & 1 else row

    def is_artificial(self, number: int) -> bool:
        """Whether a row is a wall that is no constraint."""
        return self.artificial <= number >> 1 < len(self.walls)
