"""Trusted: the network's layers on the regions of the layers below, in exact integers.

Unit i of a layer is, on a region of the layers below, an affine function of the coordinates u. All
units of a layer are kept as integer rows (:mod:`polyrank.proof.farkas`) times one positive scale
of the layer, so that signs and multipliers can be decided on the integers.

Sets of units are integers used as bit masks: bit i is unit i.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat, fmpz, fmpz_mat

from polyrank.network.normal_form import Layer, Network
from polyrank.proof.integers import PRIME, Ints

__all__ = ["Layers", "Problem", "Region", "mask_of"]


def mask_of(flags: Sequence[Any]) -> int:
    """The set of the positions of true entries."""
    return sum(1 << i for i, flag in enumerate(flags) if flag)


class _Layer:
    """Integers of one layer: ``[weight | bias] · common`` and the slopes times a denominator."""

    def __init__(self, layer: Layer, below: _Layer | None, rows: fmpq_mat | None) -> None:
        self.units = layer.units
        self.plane = mask_of(layer.has_hyperplane.tolist())
        self.bits = self.plane.bit_count()
        pairs = layer.slopes_exact
        self.slope_scale = int(reduce(fmpz.lcm, (v.q for pair in pairs for v in pair), fmpz(1)))
        self.slopes = [[int((v * self.slope_scale).p) for v in pair] for pair in pairs]
        self.passing = [mask_of([pair[side] for pair in self.slopes]) for side in (0, 1)]
        weight, weight_scale = layer.weight_exact.numer_denom()
        bias, bias_scale = layer.bias_exact.numer_denom()
        source = weight_scale * (1 if below is None else below.slope_scale)
        self.common = fmpz(source).lcm(bias_scale)
        w, b = self.common / source, self.common / bias_scale
        entries = []
        for i in range(layer.units):
            entries += [weight[i, j] * w for j in range(layer.inputs)]
            entries.append(bias[i, 0] * b)
        self.affine = fmpz_mat(layer.units, layer.inputs + 1, entries)
        self.ties = _ties(fmpq_mat(self.affine) if rows is None else rows, self.plane)
        #: the units that have to be decided; others follow an earlier one or have no sign
        self.open = self.plane & ~sum(1 << i for i, _, _ in self.ties)
        if below is not None:
            self._round(below)

    def _round(self, below: _Layer) -> None:
        """``[weight · a⁺ | weight · a⁻ | bias]``, shifted to 60 bits, and modulo PRIME."""
        table = []
        for *row, bias in self.affine.tolist():
            halves = [
                [int(w) * p[side] for w, p in zip(row, below.slopes, strict=True)]
                for side in (1, 0)
            ]
            table.append([*halves[0], *(halves[1] if below.passing[0] else ()), int(bias)])
        norm = max((sum(map(abs, row)) for row in table), default=0)
        self.shift = max(0, norm.bit_length() - 59)
        self.norm = (norm >> self.shift) + len(table[0]) if table else 0
        shape = (self.units, len(table[0]) if table else 1)
        self.rounded = np.array(
            [[v >> self.shift for v in row] for row in table], np.int64
        ).reshape(shape)
        self.residues = np.array([[v % PRIME for v in row[:-1]] for row in table], np.int64)


def _ties(rows: fmpq_mat, plane: int) -> list[tuple[int, int, bool]]:
    """(unit, earlier unit, same direction) wherever a row is a multiple of an earlier one."""
    seen: dict[tuple[Any, ...], tuple[int, bool]] = {}
    out = []
    for i, row in enumerate(rows.tolist()):
        lead = next((v for v in row if v != 0), None)
        if lead is not None and plane >> i & 1:
            key = tuple((int(v.p), int(v.q)) for v in (entry / lead for entry in row))
            first, up = seen.setdefault(key, (i, lead > 0))
            if first != i:
                out.append((i, first, up == (lead > 0)))
    return out


class Layers:
    """The first ``layers`` layers of a network on ``x = origin + basis u``."""

    def __init__(self, network: Network, layers: int, origin: fmpq_mat, basis: fmpq_mat) -> None:
        first = network.layers[0]
        linear = first.weight_exact * basis
        constant = first.weight_exact * origin + first.bias_exact
        self.k = basis.ncols()
        entries: list[fmpq] = []
        for i in range(first.units):
            entries += [*(linear[i, l] for l in range(self.k)), constant[i, 0]]
        rows = fmpq_mat(first.units, self.k + 1, entries)
        self.first, scale = rows.numer_denom()
        self.layers = [_Layer(first, None, rows)]
        for layer in network.layers[1:layers]:
            self.layers.append(_Layer(layer, self.layers[-1], None))
        self.depth = len(self.layers)
        self.starts = [0]
        #: the integers that stand for 1 in every layer
        self.scales = [int(scale)]
        for here in self.layers:
            self.starts.append(self.starts[-1] + here.units)
        for here in self.layers[1:]:
            self.scales.append(self.scales[-1] * int(here.common))


class Region:
    """A region of the layers below ``layer``, with the exact rows of that layer on it.

    Attributes
    ----------
    layer : int
        0-based; the number of layers, where all are decided and no rows follow.
    below : Region or None
        The region that this is a part of, None for the domain.
    positive, zero : int
        Decisions of the units of the layer below, on this region.
    code, zeros, bits : int
        Bits of codeword and zero mask so far, and how many.
    rank : int
        Exact rank of the linear part through the layers below; −1 until it is known.
    rounded : ndarray of int64, shape (k + 1, units)
        Rounded rows of the layer's units, with one exponent and one error for all of them.
    exponent, error : int
    residues : ndarray of int64, shape (k, units)
        Linear parts of the exact rows modulo PRIME.
    base : int
        For the caller: where the region's rows start in a table.
    """

    __slots__ = (
        "_exact",
        "base",
        "below",
        "bits",
        "code",
        "error",
        "exponent",
        "layer",
        "layers",
        "positive",
        "rank",
        "residues",
        "rounded",
        "zero",
        "zeros",
    )

    rounded: Ints
    residues: Ints

    def __init__(self, layers: Layers, below: Region | None, positive: int, zero: int) -> None:
        self.layers = layers
        self.below = below
        self.positive, self.zero = positive, zero
        self.base = self.exponent = -1
        self.error = 0
        self._exact: list[list[int]] | None = None
        if below is None:
            self.layer = self.code = self.zeros = self.bits = 0
            self.rank = layers.k
            return
        self.layer = below.layer + 1
        self.rank = -1
        here = below.here
        self.code, self.zeros = below.code, below.zeros
        if here.bits == here.units:
            self.code = below.code | positive << below.bits
            self.zeros = below.zeros | zero << below.bits
        elif here.bits:
            units = [i for i in range(here.units) if here.plane >> i & 1]
            self.code = below.code | mask_of([positive >> i & 1 for i in units]) << below.bits
            self.zeros = below.zeros | mask_of([zero >> i & 1 for i in units]) << below.bits
        self.bits = below.bits + here.bits

    @property
    def here(self) -> _Layer:
        """The layer."""
        return self.layers.layers[self.layer]

    @property
    def exact(self) -> list[list[int]]:
        """The exact rows of the layer's units, composed when they are needed."""
        if self._exact is None:
            matrix = self.layers.first
            if self.below is not None:
                pairs = zip(self.below.exact, self.below.here.slopes, strict=True)
                image = [
                    [slopes[self.positive >> i & 1] * v for v in row]
                    for i, (row, slopes) in enumerate(pairs)
                ]
                image.append([0] * self.layers.k + [self.layers.scales[self.layer - 1]])
                matrix = self.here.affine * fmpz_mat(image)
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

    def live(self, positive: int, zero: int) -> int:
        """The units of the layer that hand something on."""
        down, up = self.layers.layers[self.layer].passing
        return (positive & up | ~positive & down) & ~zero

    def exact_rank(self, positive: int, zero: int) -> int:
        """Rank of the map through this layer, where its units are decided like this."""
        live = self.live(positive, zero)
        rows = [row[:-1] for i, row in enumerate(self.exact) if live >> i & 1]
        return int(fmpz_mat(rows).rank()) if rows and rows[0] else 0

    def key(self) -> tuple[Any, ...]:
        """The decisions on the way to this region."""
        return () if self.below is None else (*self.below.key(), self.positive, self.zero)

    def ranks(self) -> tuple[int, ...]:
        """The ranks through every layer below."""
        return () if self.below is None else (*self.below.ranks(), self.rank)


@dataclass(frozen=True, slots=True)
class Problem:
    """What a run is about, exactly, in coordinates u: network and domain.

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
    central : bool
        Origin and all biases are 0: no unit has a constant.
    exact : bool
        Prove everything on exact rows, one claim at a time: slow, with less code to be trusted.
    """

    layers: Layers
    walls: tuple[tuple[int, ...], ...]
    artificial: int
    dim: int
    bounded: bool
    central: bool
    exact: bool
