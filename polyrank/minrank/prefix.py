"""The legs of the enumeration below layer K: where prefixes are bounded, and how they go on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from flint import fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.task import IDENTICALLY_ZERO, NEGATIVE, POSITIVE, UNDECIDED, Task
from polyrank.minrank.bound import ChainBound
from polyrank.network.exact_rank import rank_of_rows
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray
from polyrank.posed.branch import Branch
from polyrank.posed.chart import Chart

__all__ = ["Stage", "chain_lower", "stages", "task_of"]

_LIFTED = 160
"""Inputs and units of layer K − 1, together, up to which the last two layers are taken at once."""


@dataclass(frozen=True)
class Stage:
    """One leg: the regions of ``network``, whose last layer may be a layer's first units.

    Attributes
    ----------
    network : Network
    onward : Network
        That of the next leg.
    decided : int or None
        The units of layer K − 1 that are decided, where it is reached.
    """

    network: Network
    onward: Network
    decided: int | None

    @cached_property
    def bits(self) -> int:
        """Length of its codewords."""
        return sum(self.network.bits)


def stages(network: Network, chart: Chart, chain: ChainBound, rank: int) -> tuple[Stage, ...]:
    """Where to stop on the way to the regions of layers 1..K−1, to prove that a rank is the least.

    After the layers j < K − 1 where the chain bound can be positive, and with so many units of
    layer K − 1 open, in one or two steps, that the bound of a prefix
    (:mod:`polyrank.minrank.lifted`) can reach ``rank``.
    """
    layers, depth = network.layers, len(network.layers)
    legs: list[tuple[Network, int | None]] = [
        (Network(layers[:j]), None)
        for j in range(1, depth - 1)
        if min(chart.k, len(chain.live[j]), layers[j - 1].units) > chain.loss[j]
    ]
    n = layers[depth - 2].units
    lifted = chart.k + n <= _LIFTED
    open_units = min(chart.k - rank, n - 1) if lifted else 0
    while open_units > 0:
        first = Network((*layers[: depth - 2], _first_units(layers[depth - 2], n - open_units)))
        legs.append((first, n - open_units))
        open_units = open_units // 2 if open_units > 2 else 0
    legs.append((Network(layers[: depth - 1]), n if lifted else None))
    onward = [leg[0] for leg in legs[1:]]
    return tuple(
        Stage(leg, after, decided)
        for (leg, decided), after in zip(legs, [*onward, legs[-1][0]], strict=True)
    )


def _first_units(layer: Layer, number: int) -> Layer:
    bias, neg, pos = (
        RationalArray.from_rationals(list(values.entries())[:number], (number,))
        for values in (layer.bias, layer.slope_neg, layer.slope_pos)
    )
    weight = fmpq_mat(layer.weight_exact.tolist()[:number])
    return Layer(RationalArray.from_fmpq_mat(weight), bias, neg, pos)


def chain_lower(
    network: Network, chart: Chart, chain: ChainBound, layers: int, word: NDArray[np.bool_]
) -> int:
    """The chain bound of the rank through layer K on a region of the first layers."""
    rows = Branch.on(network, chart).rows(layers + 1, word)
    rank = rank_of_rows(rows[i][:-1] for i in chain.live[layers])
    return rank - chain.loss[layers]


def task_of(stage: Stage, chart: Chart, word: NDArray[np.bool_], inside: fmpq_mat) -> Task:
    """A region of a leg as the task from which the next leg goes on.

    Parameters
    ----------
    word : ndarray of bool
        The region's codeword.
    inside : fmpq_mat, shape (k, 1)
        A chart point strictly inside.
    """
    reached = stage.network.layers
    total = sum(layer.units for layer in stage.onward.layers)
    decision = np.full(total, UNDECIDED, dtype=np.int8)
    splits = np.zeros(total, dtype=np.int8)
    branch = Branch.on(stage.network, chart)
    unit = bit = 0
    for k, layer in enumerate(reached, 1):
        rows = branch.rows(k, word)
        for row, cuts in zip(rows, layer.has_hyperplane.tolist(), strict=True):
            decision[unit] = POSITIVE
            if cuts:
                decision[unit] = POSITIVE if word[bit] else NEGATIVE
                splits[unit] = any(row[:-1])
                if not splits[unit] and row[-1] == 0:
                    decision[unit] = IDENTICALLY_ZERO
                bit += 1
            unit += 1
    return Task(len(reached) - 1, decision, splits, (tuple(inside.entries()),))
