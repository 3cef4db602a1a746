"""Prefixes of layers that the chain bound may end, and those it leaves open as search tasks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.task import IDENTICALLY_ZERO, NEGATIVE, POSITIVE, UNDECIDED, Task
from polyrank.minrank.bound import ChainBound
from polyrank.network.exact_rank import exact_rank
from polyrank.network.normal_form import Network
from polyrank.posed.branch import Branch
from polyrank.posed.chart import Chart

__all__ = ["Prefix", "Stage", "opened_prefix", "stages"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One leg of the enumeration: through layer ``layers``; the next leg goes on to ``onward``."""

    layers: int
    onward: int


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    """A region of the first layers: a proved bound of the rank through layer K, and the task."""

    bound: int
    task: Task


def stages(network: Network, chart: Chart, chain: ChainBound) -> tuple[Stage, ...]:
    """Where to stop for the chain bound: after the layers j < K − 1 where it can be positive."""
    depth = len(network.layers)
    cuts = [
        j
        for j in range(1, depth - 1)
        if min(chart.k, len(chain.live[j]), network.layers[j - 1].units) > chain.loss[j]
    ]
    ends = [*cuts, depth - 1]
    return tuple(Stage(a, b) for a, b in zip(ends, [*ends[1:], depth - 1], strict=True))


def opened_prefix(
    network: Network,
    chart: Chart,
    chain: ChainBound,
    stage: Stage,
    word: NDArray[np.bool_],
    inside: fmpq_mat,
) -> Prefix:
    """The chain bound on a region of the layers of a stage, and the cell as a task to go on from.

    Parameters
    ----------
    word : ndarray of bool
        The region's codeword.
    inside : fmpq_mat, shape (k, 1)
        A chart point strictly inside.
    """
    total = sum(layer.units for layer in network.layers[: stage.onward])
    decision = np.full(total, UNDECIDED, dtype=np.int8)
    splits = np.zeros(total, dtype=np.int8)
    branch = Branch.on(network, chart)
    unit = bit = 0
    for k, layer in enumerate(network.layers[: stage.layers], 1):
        z = branch.preactivation(k, word)
        for row, cuts in zip(z.tolist(), layer.has_hyperplane.tolist(), strict=True):
            decision[unit] = POSITIVE
            if cuts:
                decision[unit] = POSITIVE if word[bit] else NEGATIVE
                splits[unit] = any(v != 0 for v in row[:-1])
                if not splits[unit] and row[-1] == 0:
                    decision[unit] = IDENTICALLY_ZERO
                bit += 1
            unit += 1
    table = branch.preactivation(stage.layers + 1, word).tolist()
    live = chain.live[stage.layers]
    rank = 0
    if live and chart.k:
        part = fmpq_mat(len(live), chart.k, [v for i in live for v in table[i][:-1]])
        rank = exact_rank(part)
    point = tuple(inside.entries())
    task = Task(stage.layers - 1, decision, splits, (point,))
    return Prefix(rank - chain.loss[stage.layers], task)
