"""Trusted: the network's layers on the regions of the layers below, in exact integers.

Unit i of a layer is, on a region of the layers below, an affine function of the coordinates u. All
units of a layer are kept as packed integer rows (:mod:`polyrank.proof.integers`) times one positive
scale of the layer, so that signs and multipliers can be decided on the integers.

Sets of units are integers used as bit masks: bit i is unit i.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat, fmpz, fmpz_mat
from numpy.typing import NDArray

from polyrank.network.normal_form import Layer, Network
from polyrank.proof.integers import PRIME, Packing, ranks_at_least

__all__ = ["Layers", "Region", "mask_of", "prove_ranks"]


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
        weights = [[int(v) % PRIME for v in row[:-1]] for row in self.affine.tolist()]
        self.residues = np.array(weights, dtype=np.int64)
        self.slope_residues = np.array(self.slopes).T % PRIME
        self.norm = max((sum(abs(int(v)) for v in row) for row in self.affine.tolist()), default=0)


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
    """The first ``layers`` layers of a network on ``x = origin + basis u``.

    ``walls`` are integer rows that are packed with them.
    """

    def __init__(
        self,
        network: Network,
        layers: int,
        origin: fmpq_mat,
        basis: fmpq_mat,
        walls: Sequence[Sequence[int]] = (),
    ) -> None:
        first = network.layers[0]
        linear = first.weight_exact * basis
        constant = first.weight_exact * origin + first.bias_exact
        self.k = basis.ncols()
        entries: list[fmpq] = []
        for i in range(first.units):
            entries += [*(linear[i, l] for l in range(self.k)), constant[i, 0]]
        rows = fmpq_mat(first.units, self.k + 1, entries)
        start, self.scale = rows.numer_denom()
        self.layers = [_Layer(first, None, rows)]
        for layer in network.layers[1:layers]:
            self.layers.append(_Layer(layer, self.layers[-1], None))
        self.starts = [0]
        for here in self.layers:
            self.starts.append(self.starts[-1] + here.units)
        largest = scale = int(self.scale)
        for v in (*map(int, start.entries()), *(v for wall in walls for v in wall)):
            largest = max(largest, abs(v))
        for below, here in zip(self.layers, self.layers[1:], strict=False):
            slope = max((abs(v) for pair in below.slopes for v in pair), default=1)
            largest = here.norm * max(largest * slope, scale)
            scale *= int(here.common)
            largest = max(largest, scale)
        self.packing = Packing(self.k + 1, largest.bit_length())
        self.first = [self.packing.pack([int(v) for v in row]) for row in start.tolist()]

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.layers)


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
        Exact rank of the linear part through the layers below; −1 until :func:`prove_ranks`.
    base : int
        Where the caller keeps their rounded coefficients.
    """

    __slots__ = (
        "_handed",
        "_rows",
        "base",
        "below",
        "bits",
        "code",
        "layer",
        "layers",
        "positive",
        "rank",
        "scale",
        "zero",
        "zeros",
    )

    def __init__(self, layers: Layers, below: Region | None, positive: int, zero: int) -> None:
        self.layers = layers
        self.below = below
        self.positive, self.zero = positive, zero
        self.base = -1
        self._handed: tuple[list[fmpz], list[fmpz]] | None = None
        self._rows: list[fmpz] | None = None
        if below is None:
            self.layer = self.code = self.zeros = self.bits = 0
            self.rank = layers.k
            self.scale, self._rows = layers.scale, layers.first
            return
        self.layer = below.layer + 1
        self.rank = -1
        here = layers.layers[below.layer]
        if here.bits == here.units:
            self.code = below.code | positive << below.bits
            self.zeros = below.zeros | zero << below.bits
        else:
            units = [i for i in range(here.units) if here.plane >> i & 1]
            self.code = below.code | mask_of([positive >> i & 1 for i in units]) << below.bits
            self.zeros = below.zeros | mask_of([zero >> i & 1 for i in units]) << below.bits
        self.bits = below.bits + here.bits
        if self.layer < layers.depth:
            self.scale = layers.layers[self.layer].common * below.scale

    @property
    def rows(self) -> list[fmpz]:
        """Packed rows of the layer's units, composed when they are first needed."""
        if self._rows is None:
            handed = [] if self.below is None else self.below.handed_on(self.positive)
            affine = self.layers.layers[self.layer].affine
            self._rows = (affine * fmpz_mat(len(handed), 1, handed)).entries()
        return self._rows

    @property
    def here(self) -> _Layer:
        """The layer."""
        return self.layers.layers[self.layer]

    @property
    def is_last(self) -> bool:
        """No hyperplane follows: the rows matter for the rank alone."""
        last = self.layers.depth - 1
        return 0 < self.layer == last and not self.layers.layers[last].plane

    def handed_on(self, positive: int) -> list[fmpz]:
        """What the layer hands on where these units are positive, and the constant 1, as rows."""
        here = self.layers.layers[self.layer]
        if self._handed is None:
            self._handed = (
                [row * pair[0] for row, pair in zip(self.rows, here.slopes, strict=True)],
                [row * pair[1] for row, pair in zip(self.rows, here.slopes, strict=True)],
            )
        signs = f"{positive | 1 << here.units:b}"[:0:-1]
        out = [
            up if sign == "1" else down for down, up, sign in zip(*self._handed, signs, strict=True)
        ]
        out.append(self.scale << self.layers.packing.slot * self.layers.k)
        return out

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

    def key(self) -> tuple[Any, ...]:
        """The decisions on the way to this region."""
        return () if self.below is None else (*self.below.key(), self.positive, self.zero)

    def ranks(self) -> tuple[int, ...]:
        """The ranks through every layer below."""
        return () if self.below is None else (*self.below.ranks(), self.rank)


def prove_ranks(regions: Sequence[Region], residues: Any) -> None:
    """Determine the rank of every region; ``residues`` of rows are found by ``base``.

    It is at most the rank through the layer before, and at most the number of units that hand
    something on. The rank modulo a prime, which is never larger than the rank, is a lower bound.
    Where the two do not meet, the rank over the rationals is computed.
    """
    dice = np.random.default_rng(0)
    by_layer: dict[int, list[Region]] = {}
    for region in regions:
        by_layer.setdefault(region.layer, []).append(region)
    for layer in sorted(by_layer):
        group = [r for r in by_layer[layer] if r.below is not None and r.rank < 0]
        if not group:
            continue
        below = [r.below for r in group if r.below is not None]
        live = [b.live(r.positive, r.zero) for b, r in zip(below, group, strict=True)]
        if below[0].is_last:
            # the rows of an output layer are not composed for this: rank (W A) ≥ rank (S W A T)
            here = below[0].layers.layers
            holders = [b.below for b in below if b.below is not None]
            up = _flags([b.positive for b in below], here[layer - 2].units)
            down, above = here[layer - 2].slope_residues
            factors, left = np.where(up, above, down), here[layer - 1].residues
        else:
            holders, left = below, None
            factors = _flags(live, below[0].layers.layers[layer - 1].units)
        at = np.array([b.base for b in holders])[:, None] + np.arange(factors.shape[1])
        matrices = residues[:, at].transpose(1, 2, 0) * factors[:, :, None] % PRIME
        proved = ranks_at_least(matrices, left, dice)
        for region, lower, b, m in zip(group, proved.tolist(), below, live, strict=True):
            bound = min(b.rank, m.bit_count())
            region.rank = bound if lower >= bound else _rank(b, m)


def _flags(masks: Sequence[int], units: int) -> NDArray[np.uint8]:
    """Bits (m, units) of m sets of units."""
    data = b"".join([m.to_bytes(units // 8 + 1, "little") for m in masks])
    table = np.frombuffer(data, np.uint8).reshape(len(masks), -1)
    return np.unpackbits(table, axis=1, count=units, bitorder="little")


def _rank(region: Region, live: int) -> int:
    """Exact rank of the linear parts of these units' rows."""
    unpack = region.layers.packing.unpack
    rows = [unpack(row)[:-1] for i, row in enumerate(region.rows) if live >> i & 1]
    return int(fmpz_mat(rows).rank()) if rows and rows[0] else 0
