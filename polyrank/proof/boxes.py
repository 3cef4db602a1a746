"""Trusted: lower bounds of affine functions of a network's outputs on many boxes at once.

On a box every unit's output h lies between two lines of its pre-activation z, for the bounds of z
that the layers below give::

    slope · z + offset  ≤  h  ≤  slope' · z + offset'.

A row c·h + k is therefore at least a row of the pre-activations (the lower line where c > 0, the
upper one elsewhere), and so on down to the inputs, where the box gives a number (Singh et al.,
POPL 2019; Zhang et al., NeurIPS 2018).

Where signs of units are assumed, s z ≥ 0, such a unit is one line, and a row of the pre-activations
is at least the row less ``β s z``, for every β ≥ 0. The line of an open unit that is not the chord
may have any slope between those of its sides. Both are given for each disjunct, and need not be
good.

**Twins.** Let two units a, b of a layer have the same slopes of their activation f, and let
``δ = z_a − z_b`` have proved bounds (:mod:`polyrank.proof.twins`): their difference
``d = h_a − h_b`` lies between two lines of δ, and a row ``p h_a + q h_b`` is ``p d + (p + q) h_b``
and ``(p + q) h_a − q d`` as well.

All of it is rounded to nearest, in whatever order the products are summed. Let every output of a
layer be at most H in magnitude on the box. A product of a row c with the layer's weights, with the
lines of its units or with its biases is a sum of at most n terms and wrong by at most
``γ_n Σ |c| (|W| H + |b|)`` times the inputs' own values (Higham, Accuracy and Stability, 3.1): this
is added up beside each row and taken off in the end. Weights, biases and slopes are the floats
nearest to exact numbers, which is one more rounding each; :data:`_LEAST` covers underflow of
products. Of a number whose float has underflowed itself nothing is proved here.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import nearest_float, underflows
from polyrank.polyhedra.violation import OutputRow
from polyrank.proof.twins import Twins, pair_step, twin_lines

__all__ = ["BoxBounds", "bounded_layers", "has_twins"]

Floats = NDArray[np.float64]
Signs = NDArray[np.int8]

_ROUNDING = 2.0**-53
_MORE = 1.0 + 2.0**-30
_LEAST = 2.0**-1000
_UNDERFLOW = 2.0**-1074
#: Rows of outputs are scaled where an entry is 2^(this + 1) or more.
_LARGEST_POWER = 500
#: Entries of the rows of as many boxes as are taken at once.
_CHUNK = 1 << 18


def bounded_layers(network: Network) -> tuple[Layer, ...]:
    """The layers whose units have lines: all but a last one that is affine."""
    layers = network.layers
    affine = all(a == 1 and b == 1 for a, b in layers[-1].slopes_exact)
    return layers[:-1] if affine else layers


def has_twins(network: Network) -> bool:
    """Whether unit i and unit n + i of every bounded layer of 2 n units have the same slopes."""
    layers = bounded_layers(network)
    return bool(layers) and all(
        layer.units % 2 == 0
        and layer.slopes_exact[: layer.units // 2] == layer.slopes_exact[layer.units // 2 :]
        for layer in layers
    )


class _Layer(NamedTuple):
    """A layer in float64: weights (n, m), biases and the slopes of both sides (n,)."""

    weight: Floats
    bias: Floats
    neg: Floats
    pos: Floats


class BoxBounds:
    """Bounds for one network, in coordinates ``x = origin + basis y``, and one list of disjuncts.

    Parameters
    ----------
    network : Network
    origin, basis : fmpq_mat or None
        None: x = y.
    disjuncts : sequence of sequence of OutputRow
    twins : bool
        Unit i and unit n + i of every layer of 2 n units are twins (:func:`has_twins`); no sign of
        a unit is assumed then.
    """

    def __init__(
        self,
        network: Network,
        origin: fmpq_mat | None,
        basis: fmpq_mat | None,
        disjuncts: Sequence[Sequence[OutputRow]],
        *,
        twins: bool = False,
    ) -> None:
        self.twins = twins
        layers = bounded_layers(network)
        #: No bound here proves anything: a number is too small for its float to have 53 bits.
        self.useless = any(
            a.underflows
            for layer in layers
            for a in (layer.weight, layer.slope_neg, layer.slope_pos)
        )
        rows = [row for disjunct in disjuncts for row in disjunct]
        G, g = fmpq_mat(len(rows), network.widths[-1]), fmpq_mat(len(rows), 1)
        for r, row in enumerate(rows):
            for j, a in row.terms:
                G[r, j] = a
            g[r, 0] = -row.bound
        if len(layers) < len(network.layers):
            last = network.layers[-1]
            G, g = G * last.weight_exact, G * last.bias_exact + g
        self.layers: list[_Layer] = []
        for k, layer in enumerate(layers):
            weight, bias = layer.weight.approx, layer.bias.approx
            if k == 0 and origin is not None and basis is not None:
                moved = layer.weight_exact * basis
                weight = _nearest(moved)
                bias = _nearest(layer.weight_exact * origin + layer.bias_exact).ravel()
                self.useless = self.useless or underflows(moved.entries(), weight)
            self.layers.append(_Layer(weight, bias, layer.slope_neg.approx, layer.slope_pos.approx))
        if not layers and origin is not None and basis is not None:
            G, g = G * basis, G * origin + g
        starts = np.cumsum([0, *map(len, disjuncts)]).tolist()
        self.spans = list(pairwise(starts))
        # a combination of a disjunct's rows has the sign of the same one of their multiples
        powers = [
            max(map(_power, (*row, *constant)))
            for row, constant in zip(G.tolist(), g.tolist(), strict=True)
        ]
        for a, b in self.spans:
            power = max(powers[a:b], default=0)
            if power > _LARGEST_POWER:
                unit = fmpq(1, 1 << (power - _LARGEST_POWER))
                for m in (G, g):
                    for r in range(a, b):
                        for c in range(m.ncols()):
                            m[r, c] *= unit
        self.rows, self.constants = _nearest(G), _nearest(g).ravel()
        self.useless = self.useless or any(
            underflows(exact.entries(), near)
            for exact, near in ((G, self.rows), (g, self.constants))
        )
        widest = max([layer.weight.shape[0] for layer in self.layers], default=1)
        inputs = max([layer.weight.shape[1] for layer in self.layers], default=self.rows.shape[1])
        self.chunk = max(1, _CHUNK // (2 * widest * max(widest, inputs)))

    def refuted(
        self, low: Floats, high: Floats, factors: Floats, signs: Signs, lean: float = 0.0
    ) -> tuple[NDArray[np.bool_], Floats]:
        """On which boxes every disjunct is refuted: a combination of its rows is > 0 there.

        Beside it, (b, d), how much the bounds vary across each coordinate: a proposal for halving.

        Parameters
        ----------
        low, high : (b, d)
        factors : (b, rows of all disjuncts), ≥ 0
            How the rows of each disjunct are combined.
        signs : (b, units)
            What :meth:`signs` proved on boxes around these; 0 where nothing is known.
        lean : float
            How much units whose bounds are about equal lean to the line of their positive side; any
            number is right, and nothing but rounding decides between the two lines of such a unit.
        """
        proved, slants = [np.zeros(0, dtype=bool)], [np.zeros((0, low.shape[1]))]
        with np.errstate(all="ignore"):
            for i in range(0, len(low), self.chunk):
                s = slice(i, i + self.chunk)
                box = self._entered(low[s], high[s], signs[s], lean)
                good, slant = self._refuted(box, factors[s], None)
                proved.append(good)
                slants.append(slant)
        return np.concatenate(proved), np.concatenate(slants)

    def signs(self, low: Floats, high: Floats, known: Signs) -> Signs:
        """Proved signs (b, units) of pre-activations on boxes: 1 (≥ 0), −1 (≤ 0) or 0 (open)."""
        out = [np.zeros((0, known.shape[1]), dtype=np.int8)]
        with np.errstate(all="ignore"):
            for i in range(0, len(low), self.chunk):
                s = slice(i, i + self.chunk)
                out.append(self._entered(low[s], high[s], known[s]).signs())
        return np.concatenate(out)

    def cell(self, low: Floats, high: Floats, around: _Box | None, sign: int) -> _Box:
        """A cell of a tree, for :meth:`refutes`: what is proved around it holds on it as well.

        Parameters
        ----------
        low, high : (d,)
        around : the cell above, or None
        sign : int
            What is assumed here and not there: see :class:`polyrank.proof.tree.Node`.
        """
        out = _Box(low[None], high[None])
        with np.errstate(all="ignore"):
            known = np.zeros((1, self.units), np.int8) if around is None else around.signs()
            if sign:
                known[0, abs(sign) - 1] = 1 if sign > 0 else -1
            start, same = 0, bool(sign)
            for k, layer in enumerate(self.layers):
                here = known[:, start : start + len(layer.bias)]
                start += len(layer.bias)
                if same and around is not None and start <= abs(sign) - 1:
                    out.share(around, k)
                elif same and around is not None:  # the layer of the unit: its bounds stay
                    same = False
                    out.line(layer, here, around.layers[k][-1], *around.held[k])
                else:
                    out.enter(layer, here, None if around is None else around.held[k])
        return out

    def refutes(
        self, cell: _Box, factors: Floats, shares: Floats | None, pushes: Floats | None
    ) -> bool:
        """Whether every disjunct is refuted on a cell.

        Parameters
        ----------
        factors : (rows of all disjuncts,), ≥ 0
        shares, pushes : (disjuncts, units), or None
            The slopes of free lines as shares of the way between those of both sides (nan: those
            that the bounds choose), and β s of assumed signs, 0 for other units.
        """
        given = None if shares is None or pushes is None else (shares[None], pushes[None])
        with np.errstate(all="ignore"):
            return bool(self._refuted(cell, factors[None], given)[0][0])

    @property
    def units(self) -> int:
        """Units of all layers."""
        return sum(len(layer.bias) for layer in self.layers)

    def _entered(self, low: Floats, high: Floats, known: Signs, lean: float = 0.0) -> _Box:
        box, start = _Box(low, high, twins=self.twins, lean=lean), 0
        for layer in self.layers:
            box.enter(layer, known[:, start : start + len(layer.bias)])
            start += len(layer.bias)
        return box

    def _refuted(
        self, box: _Box, factors: Floats, multipliers: tuple[Floats, Floats] | None
    ) -> tuple[NDArray[np.bool_], Floats]:
        low, high = box.low, box.high
        good = ((factors >= 0) & np.isfinite(factors)).all(axis=1)
        reach = box.output() @ np.abs(self.rows.T) + np.abs(self.constants) + _LEAST
        b, count = len(low), len(self.spans)
        row = np.zeros((b, count, self.rows.shape[1]))
        constant, slack = np.zeros((b, count)), np.zeros((b, count))
        lost = box.lost(len(self.constants))
        for c, (first, last) in enumerate(self.spans):
            mine = factors[:, first:last]
            row[:, c] = mine @ self.rows[first:last]
            constant[:, c] = mine @ self.constants[first:last]
            slack[:, c] = (last - first + 6) * _ROUNDING * (mine * reach[:, first:last]).sum(axis=1)
            slack[:, c] += (lost * (1.0 + mine.sum(axis=1)[:, None]))[:, 0]
        bound, form = box.least(row, constant, slack * _MORE, multipliers)
        slant = np.abs(form).sum(axis=1) * (high - low)
        return np.asarray(good & (bound > 0).all(axis=1)), slant


class _Box:
    """Boxes (b, d), and what is known of the layers entered so far."""

    def __init__(
        self, low: Floats, high: Floats, *, twins: bool = False, lean: float = 0.0
    ) -> None:
        self.lean = lean
        self.low, self.high = low, high
        self.pairs: list[Twins] | None = [] if twins else None
        self.inputs = np.maximum(np.abs(low), np.abs(high))
        self.layers: list[tuple[Floats, Floats, Floats, Floats, Floats, Floats, Floats]] = []
        self.sides: list[tuple[Floats, Floats, NDArray[np.bool_], NDArray[np.bool_]]] = []
        self.proved: list[Signs] = []
        self.held: list[tuple[Floats, Floats]] = []
        self.outputs: list[Floats] = []
        self.sizes: list[Floats] = []  # of values on any line of a unit
        self.on_lines: list[Floats] = []  # on those that it has

    def output(self) -> Floats:
        """Bounds (b, n) of the magnitudes of the last layer's outputs, or of the inputs."""
        return self.outputs[-1] if self.outputs else self.inputs

    def lost(self, terms: int) -> float | Floats:
        """What underflow of products of a row with the last layer can cost, (b, 1)."""
        total = self.output().sum(axis=1) + sum(size.sum(axis=1) for size in self.sizes)
        return np.asarray((terms + 16) * 64 * _UNDERFLOW * (2.0 + total))[:, None]

    def signs(self) -> Signs:
        """The signs (b, units) that the bounds prove."""
        parts = [np.zeros((len(self.low), 0), dtype=np.int8), *self.proved]
        return np.concatenate(parts, axis=1)

    def share(self, around: _Box, k: int) -> None:
        """The next layer is layer k of a cell around this one, with the same bounds."""
        self.layers.append(around.layers[k])
        self.sides.append(around.sides[k])
        self.proved.append(around.proved[k])
        self.held.append(around.held[k])
        self.outputs.append(around.outputs[k])
        self.sizes.append(around.sizes[k])
        self.on_lines.append(around.on_lines[k])

    def enter(
        self,
        layer: _Layer,
        known: Signs,
        held: tuple[Floats, Floats] | None = None,
    ) -> None:
        """The next layer: bounds of its pre-activations, and the lines of its units.

        ``held``: bounds that are taken over for units with a known sign.
        """
        weight, bias = layer.weight, layer.bias
        b, n = len(self.low), len(bias)
        reach = self.output() @ np.abs(weight.T) + np.abs(bias) + _LEAST
        l, u = (np.zeros((b, n)), np.zeros((b, n))) if held is None else map(np.copy, held)
        rows = np.arange(n) if held is None else np.flatnonzero((known == 0).any(axis=0))
        m = len(rows)
        both = np.concatenate([weight[rows], -weight[rows]])
        row = np.broadcast_to(both, (b, *both.shape))
        constant = np.broadcast_to(np.concatenate([bias[rows], -bias[rows]]), (b, 2 * m))
        slack = 4 * _ROUNDING * np.concatenate([reach[:, rows]] * 2, axis=1)
        found, _ = self.least(row, constant, slack)
        l[:, rows], u[:, rows] = found[:, :m], -found[:, m:]
        self.line(layer, known, reach, l, u)
        if self.pairs is not None:
            self.pairs.append(self._twins(layer, reach, l, u))

    def _twins(self, layer: _Layer, reach: Floats, l: Floats, u: Floats) -> Twins:
        """The differences of the twins of the last layer, by the bounds of the layers below.

        A difference of two rounded rows is wrong by a rounding of each weight and its own.
        """
        weight, bias, neg, pos = layer
        h = len(bias) // 2
        apart, shift = weight[:h] - weight[h:], bias[:h] - bias[h:]
        both = np.concatenate([apart, -apart])
        row = np.broadcast_to(both, (len(l), *both.shape))
        constant = np.broadcast_to(np.concatenate([shift, -shift]), (len(l), 2 * h))
        slack = 8 * _ROUNDING * np.concatenate([reach[:, :h] + reach[:, h:]] * 2, axis=1)
        last = self.layers.pop()  # the pre-activations are functions of the layer below
        found, _ = self.least(row, constant, slack)
        self.layers.append(last)
        _, _, low_slope, high_slope, low_offset, high_offset, _ = last
        return twin_lines(
            (neg, pos), (l, u), self.proved[-1], (found[:, :h], -found[:, h:]),
            (low_slope, low_offset), (high_slope, high_offset),
        )  # fmt: skip

    def line(
        self,
        layer: _Layer,
        known: Signs,
        reach: Floats,
        l: Floats,
        u: Floats,
    ) -> None:
        """The next layer, whose pre-activations lie in [l, u] and have the known signs."""
        weight, bias, neg, pos = layer
        l, u = (
            np.where(known > 0, np.maximum(l, 0.0), l),
            np.where(known < 0, np.minimum(u, 0.0), u),
        )
        proved = np.where(known != 0, known, np.where(l >= 0, 1, np.where(u <= 0, -1, 0)))
        self.proved.append(proved.astype(np.int8))
        self.held.append((l, u))
        most = np.maximum(np.abs(l), np.abs(u))
        at_l, at_u = neg * l, pos * u
        chord = (at_u - at_l) / (u - l)
        first, second = at_l - chord * l, at_u - chord * u
        support = np.where(u * (1.0 + self.lean) > -l, pos, neg)
        open_, convex = (proved == 0) & (neg != pos), pos > neg
        stable = np.where(proved > 0, pos, np.where(neg == pos, pos, neg))
        low_slope = np.where(open_, np.where(convex, support, chord), stable)
        high_slope = np.where(open_, np.where(convex, chord, support), stable)
        low_offset = np.where(open_ & ~convex, np.minimum(first, second), 0.0)
        high_offset = np.where(open_ & convex, np.maximum(first, second), 0.0)
        steep = np.abs(neg) + np.abs(pos) + np.where(open_, np.abs(chord), 0.0)
        self.sizes.append(_LEAST + 4 * steep * most)
        # a unit with a sign is on one line
        used = np.where(open_, np.maximum(np.abs(neg), np.abs(pos)), np.abs(stable))
        self.outputs.append(used * most * _MORE + _LEAST)
        self.on_lines.append(np.where(open_, self.sizes[-1], _LEAST + 4 * np.abs(stable) * most))
        self.sides.append((neg, pos, open_ & convex, open_ & ~convex))
        self.layers.append((weight, bias, low_slope, high_slope, low_offset, high_offset, reach))

    def _free(self, k: int, shares: Floats) -> tuple[Floats, Floats]:
        """The slopes (b, m, n) of both lines of layer k, the free ones as given."""
        neg, pos, free_low, free_high = self.sides[k]
        low_slope, high_slope = self.layers[k][2:4]
        given = np.clip(neg + shares * (pos - neg), np.minimum(neg, pos), np.maximum(neg, pos))
        there = ~np.isnan(shares)
        return (
            np.where(free_low[:, None] & there, given, low_slope[:, None]),
            np.where(free_high[:, None] & there, given, high_slope[:, None]),
        )

    def least(
        self,
        row: Floats,
        constant: Floats,
        slack: Floats,
        multipliers: tuple[Floats, Floats] | None = None,
    ) -> tuple[Floats, Floats]:
        """Proved lower bounds (b, m) of rows (b, m, n) of the last layer's outputs.

        And the forms (b, m, d) of the inputs by which they were found. ``multipliers``: shares and
        pushes (b, m, units), see :meth:`BoxBounds.refutes`.
        """
        end = sum(len(layer[1]) for layer in self.layers)
        for k in range(len(self.layers) - 1, -1, -1):
            weight, bias, low_slope, high_slope, low_offset, high_offset, reach = self.layers[k]
            n, below = weight.shape
            up = row < 0
            size = np.abs(row)
            error = np.abs(constant) + (size @ self.on_lines[k][:, :, None])[..., 0]
            low_slopes, high_slopes = low_slope[:, None], high_slope[:, None]
            if multipliers is not None:
                low_slopes, high_slopes = self._free(k, multipliers[0][:, :, end - n : end])
            carried = row * np.where(up, high_slopes, low_slopes)
            if multipliers is not None:
                carried = carried - multipliers[1][:, :, end - n : end]
            end -= n
            terms = row * np.where(up, high_offset[:, None], low_offset[:, None])
            if self.pairs is not None:
                carried, terms, more = pair_step(
                    self.pairs[k], row, carried, terms, self.sizes[k], reach
                )
                error = error + more
            moved = terms.sum(axis=2)
            error = error + (np.abs(carried) @ reach[:, :, None])[..., 0]
            spread = self.outputs[k - 1] if k else self.inputs
            total = 2.0 + spread.sum(axis=1) + self.sizes[k].sum(axis=1)
            lost = (n + below + 16) * 64 * _UNDERFLOW * total
            slack = slack + 2 * (n + 16) * _ROUNDING * _MORE * error + lost[:, None]
            constant = constant + moved + carried @ bias
            row = carried @ weight
        value = (row * np.where(row >= 0, self.low[:, None], self.high[:, None])).sum(axis=2)
        d = row.shape[2]
        error = np.abs(constant) + (np.abs(row) @ self.inputs[:, :, None])[..., 0]
        lost_here = (d + 8) * 64 * _UNDERFLOW
        taken = (slack + 2 * (d + 8) * _ROUNDING * error) * _MORE + lost_here
        return np.asarray(constant + value - taken), row


def _power(value: fmpq) -> int:
    return int(value.p).bit_length() - int(value.q).bit_length()


def _nearest(matrix: fmpq_mat) -> Floats:
    entries: list[fmpq] = matrix.entries()
    flat = np.array([nearest_float(v) for v in entries], dtype=np.float64)
    return flat.reshape(matrix.nrows(), matrix.ncols())
