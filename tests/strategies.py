"""Random tiny networks, drawn to be degenerate (hypothesis).

Every layer mixes fresh rows with copies, multiples, parallels, sums and zero rows; hyperplanes
pass through one common point, or miss it by 1e-9, 1e-12 or 1e-15, or are tilted by as little;
networks are bias-free, and rows are scaled by powers of two up to 2^±200. Numbers are exact: some
are no float64, so that the rational path is drawn too. :func:`realistic_network` makes larger
ones from a seed: integer, 8-bit, pruned, duplicated, bias-free, dead.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray
from tests.examples import ABS, LEAKY, LINEAR, RELU, Slopes, Space, box, layer, polytope, whole

__all__ = [
    "degenerate_networks",
    "permuted",
    "problems",
    "quantised",
    "realistic_network",
    "rolled_problem",
    "scaled",
    "spaces",
]

_GAPS = [Fraction(g) * s for g in (1e-9, 1e-12, 1e-15) for s in (1, -1)]
_GAPS += [Fraction(2) ** -52, -(Fraction(2) ** -53), Fraction(2) ** -200]
_GAPS += [Fraction(1, 10**12), Fraction(-1, 10**15)]  # no float64
_FACTORS = [Fraction(v) for v in (1, 2, 3, -1, -2)] + [Fraction(1, 2), Fraction(1, 3)]
_SMALL = [1, -1, 2, -2, 0, 3, -3]
_RECIPES = [
    *("fresh", "concurrent", "near", "copy", "parallel", "sum", "tilt"),
    *("fresh", "concurrent", "near", "fresh", "concurrent", "near", "zero", "dead"),
]

Array = NDArray[np.float64]
_Row = tuple[list[Fraction], Fraction]


class _Dice(Protocol):
    """Where choices come from: hypothesis, which shrinks them, or a generator, which is fast."""

    def pick(self, choices: Sequence[Any]) -> Any: ...

    def integer(self, least: int, most: int) -> int: ...


class _Drawn:
    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def pick(self, choices: Sequence[Any]) -> Any:
        return self._draw(st.sampled_from(choices))

    def integer(self, least: int, most: int) -> int:
        return self._draw(st.integers(least, most))


class _Rolled:
    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def pick(self, choices: Sequence[Any]) -> Any:
        return choices[int(self._rng.integers(len(choices)))]

    def integer(self, least: int, most: int) -> int:
        return int(self._rng.integers(least, most + 1))


def _layer(
    dice: _Dice, inputs: int, units: int, *, bias_free: bool, first: bool, slopes: list[Slopes]
) -> Layer:
    point = [Fraction(dice.integer(-2, 2), 2) for _ in range(inputs)]
    rows: list[_Row] = []
    for _ in range(units):
        recipe = dice.pick(_RECIPES)
        fresh = [Fraction(dice.pick(_SMALL)) for _ in range(inputs)]
        here = -sum((w * p for w, p in zip(fresh, point, strict=True)), Fraction(0))
        row: _Row = (fresh, Fraction(dice.pick(_SMALL)))
        if recipe in ("copy", "parallel") and rows:
            weights, bias = dice.pick(rows)
            factor = dice.pick(_FACTORS)
            shift = Fraction(dice.pick(_SMALL)) if recipe == "parallel" else Fraction(0)
            row = ([factor * w for w in weights], factor * bias + shift)
        elif recipe == "tilt" and rows:
            weights, bias = dice.pick(rows)
            at = dice.integer(0, inputs - 1)
            gap = dice.pick(_GAPS)
            row = ([w + gap if j == at else w for j, w in enumerate(weights)], bias)
        elif recipe == "sum" and len(rows) > 1:
            (v, a), (w, b) = dice.pick(rows), dice.pick(rows)
            row = ([x - y for x, y in zip(v, w, strict=True)], a - b)
        elif recipe == "concurrent":
            row = (fresh, here)
        elif recipe == "near":
            row = (fresh, here + dice.pick(_GAPS))
        elif recipe == "zero":
            row = ([Fraction(0)] * inputs, Fraction(dice.pick([0, 0, 1, -1])))
        elif recipe == "dead" and not first:
            row = ([-abs(w) for w in fresh], Fraction(-abs(dice.pick(_SMALL))))
        rows.append(row)
    if bias_free:
        rows = [(weights, Fraction(0)) for weights, _ in rows]
    powers = [dice.pick([0, 0, 0, 0, 0, 0, 1, -3, 30, -60, 200, -200]) for _ in rows]
    scales = [Fraction(2) ** power for power in powers]
    pairs = [dice.pick(slopes) for _ in rows]
    return layer(
        [[s * w for w in weights] for s, (weights, _) in zip(scales, rows, strict=True)],
        [s * bias for s, (_, bias) in zip(scales, rows, strict=True)],
        pairs,
    )


def _network(dice: _Dice, max_inputs: int, max_hidden: int, max_bits: int) -> Network:
    n = dice.pick([v for v in (2, 3, 1, 4, 2, 3) if v <= max_inputs])
    hidden = dice.pick([v for v in (2, 1, 3) if v <= max_hidden])
    bias_free = dice.pick([False, False, True])
    slopes = dice.pick([[RELU], [RELU], [RELU, LINEAR, ABS, LEAKY, (0, 0), (2, -1)]])
    left, inputs, layers = max_bits, n, []
    for k in range(hidden):
        most = max(1, min(6, left - 2 * (hidden - 1 - k)))
        units = dice.integer(min(3, most), most)
        left -= units
        layers.append(_layer(dice, inputs, units, bias_free=bias_free, first=k == 0, slopes=slopes))
        inputs = units
    outputs = dice.integer(0, 2)
    if outputs:
        layers.append(
            _layer(dice, inputs, outputs, bias_free=bias_free, first=False, slopes=[LINEAR])
        )
    return Network(tuple(layers), "drawn")


def _space(dice: _Dice, n: int) -> Space:
    kind = dice.pick(["whole", "whole", "box", "box", "polytope"])
    if kind == "box":
        lower = [Fraction(dice.integer(-3, 1), dice.pick([1, 2, 3])) for _ in range(n)]
        upper = [a + Fraction(dice.integer(1, 4), 2) for a in lower]
        return box(lower, upper)
    if kind == "polytope":
        size = dice.integer(1, n + 2)
        normals = [[dice.integer(-2, 2) for _ in range(n)] for _ in range(size)]
        return polytope(*([*normal, dice.integer(1, 2)] for normal in normals))
    return whole()


@st.composite
def degenerate_networks(
    draw: st.DrawFn, *, max_inputs: int = 4, max_hidden: int = 3, max_bits: int = 13
) -> Network:
    """A network of 1..max_inputs inputs, 1..max_hidden layers with bits, and an output layer."""
    return _network(_Drawn(draw), max_inputs, max_hidden, max_bits)


@st.composite
def spaces(draw: st.DrawFn, n: int) -> Space:
    """R^n, a box (walls may touch hyperplanes), or a polytope around 0, bounded or not."""
    return _space(_Drawn(draw), n)


@st.composite
def problems(
    draw: st.DrawFn, *, max_inputs: int = 4, max_hidden: int = 3, max_bits: int = 13
) -> tuple[Network, Space]:
    """A degenerate network and a domain of its dimension."""
    network = _network(_Drawn(draw), max_inputs, max_hidden, max_bits)
    return network, _space(_Drawn(draw), network.input_dim)


def rolled_problem(
    rng: np.random.Generator, *, max_inputs: int = 4, max_hidden: int = 3, max_bits: int = 13
) -> tuple[Network, Space]:
    """The same from a generator: for very many of them."""
    network = _network(_Rolled(rng), max_inputs, max_hidden, max_bits)
    return network, _space(_Rolled(rng), network.input_dim)


# ---------------------------------------------------------------------------------------------
# realistic degenerate networks, from a seed


def _kaiming(rng: np.random.Generator, widths: Sequence[int]) -> tuple[list[Array], list[Array]]:
    weights, biases = [], []
    for inputs, units in pairwise(widths):
        weights.append(rng.normal(0, (2 / inputs) ** 0.5, (units, inputs)))
        biases.append(rng.normal(0, 0.1, units))
    return weights, biases


def quantised(array: Array) -> Array:
    """Symmetric 8-bit quantisation with one float32 scale per tensor, as deployed."""
    scale = np.float32(np.abs(array).max() / 127 or 1.0)
    return np.clip(np.rint(array / scale), -127, 127) * np.float64(scale)


def realistic_network(kind: str, widths: Sequence[int], seed: int) -> Network:
    """A He-initialised network made degenerate in one of the ways that occur in practice.

    ``integer``: weights and biases rounded to -2..2; ``quantised``: 8 bits; ``pruned``: half of
    the weights zero; ``duplicated``: in every hidden layer two units are copies of the first, one
    of them doubled; ``bias-free``: all biases zero; ``dead``: units with weight and bias zero.
    """
    rng = np.random.default_rng(seed)
    weights, biases = _kaiming(rng, widths)
    if kind == "integer":
        weights = [np.clip(np.rint(2 * w), -2, 2) for w in weights]
        biases = [np.clip(np.rint(10 * b), -1, 1) for b in biases]
    elif kind == "quantised":
        weights = [quantised(w) for w in weights]
        biases = [quantised(b) for b in biases]
    elif kind == "pruned":
        weights = [np.where(np.abs(w) < np.median(np.abs(w)), 0.0, w) for w in weights]
    elif kind == "duplicated":
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            w[1], b[1] = w[0], b[0]
            w[2], b[2] = 2 * w[0], 2 * b[0]
    elif kind == "bias-free":
        biases = [np.zeros_like(b) for b in biases]
    elif kind == "dead":
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            w[-1], b[-1] = 0.0, 0.0
            w[-2], b[-2] = -np.abs(w[-2]), 0.0
    else:
        raise ValueError(f"unknown kind {kind!r}")
    return Network.from_arrays(weights, biases, name=f"{kind} {'-'.join(map(str, widths))}")


# ---------------------------------------------------------------------------------------------
# changes of a network that change no region


def _with_rows(layer: Layer, order: Sequence[int], scales: Sequence[Fraction]) -> Layer:
    """The layer with its units in a new order, unit i's row multiplied by scales[i] first."""
    n = layer.inputs
    weight, bias = list(layer.weight.entries()), list(layer.bias.entries())
    neg, pos = list(layer.slope_neg.entries()), list(layer.slope_pos.entries())
    factor = [RationalArray.from_rationals([s], (1,)).to_fmpq_mat()[0, 0] for s in scales]
    units = len(order)
    return Layer(
        RationalArray.from_rationals(
            [factor[i] * weight[i * n + j] for i in order for j in range(n)], (units, n)
        ),
        RationalArray.from_rationals([factor[i] * bias[i] for i in order], (units,)),
        RationalArray.from_rationals([neg[i] for i in order], (units,)),
        RationalArray.from_rationals([pos[i] for i in order], (units,)),
        layer.name,
    )


def _with_columns(layer: Layer, order: Sequence[int], scales: Sequence[Fraction]) -> Layer:
    """The layer that reads inputs in a new order, input j divided by scales[j] first."""
    n = layer.inputs
    weight = layer.weight.to_fmpq_mat()
    factor = [RationalArray.from_rationals([1 / s], (1,)).to_fmpq_mat()[0, 0] for s in scales]
    entries = [weight[i, j] * factor[j] for i in range(layer.units) for j in order]
    return Layer(
        RationalArray.from_rationals(entries, (layer.units, n)),
        layer.bias,
        layer.slope_neg,
        layer.slope_pos,
        layer.name,
    )


def permuted(network: Network, orders: Sequence[Sequence[int]]) -> Network:
    """The same function with hidden layer k's units in the order ``orders[k]``."""
    return _rewritten(network, orders, [[Fraction(1)] * len(order) for order in orders])


def scaled(network: Network, scales: Sequence[Sequence[Fraction]]) -> Network:
    """The same function with unit i of hidden layer k multiplied by ``scales[k][i] > 0``."""
    return _rewritten(network, [range(len(s)) for s in scales], scales)


def _rewritten(
    network: Network, orders: Sequence[Sequence[int]], scales: Sequence[Sequence[Fraction]]
) -> Network:
    layers = list(network.layers)
    for k, (order, scale) in enumerate(zip(orders, scales, strict=True)):
        layers[k] = _with_rows(layers[k], order, scale)
        if k + 1 < len(layers):
            layers[k + 1] = _with_columns(layers[k + 1], order, scale)
    return Network(tuple(layers), network.name)
