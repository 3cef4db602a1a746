"""Central arrangements: y ↦ −y maps regions to regions, so that one of every two is searched.

**Theorem.** Let the domain be a linear space, and let the units of layer 1 have no biases and no
later layer a hyperplane. Let g be a unit of layer 1 that is not identically zero. Then y ↦ −y is a
bijection between the regions on which g is positive and those on which it is negative, and these
are all. A unit that has one sign on a cell has the other one on the opposite cell, or is
identically zero on both. ∎

So a search splits the domain once by such a unit and keeps the positive half, as a *paired* cell:
one that stands for itself and its opposite. So do all cells below it. Each region found is followed
by its opposite: the codeword with the other bits, the negated witness; the ranks, of which nothing
like that holds (other units are active), are computed.
"""

from __future__ import annotations

from itertools import compress

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.cells.log_steps import LOG_OPPOSITE, LOG_ZERO, unit_step
from polyrank.cells.task import (
    IDENTICALLY_ZERO,
    NEGATIVE,
    POSITIVE,
    TIED,
    UNDECIDED,
    Task,
)
from polyrank.network.composition import preactivation
from polyrank.network.normal_form import Network
from polyrank.posed.chart import Chart

__all__ = ["half_of", "is_central", "opposite"]


def is_central(network: Network, chart: Chart, layers: int) -> bool:
    """Whether the theorem holds for the first layers of a network on a chart."""
    if chart.inequalities.m or any(network.bits[1:layers]) or not network.bits[0]:
        return False
    first = network.layers[0]
    if any(preactivation(first, chart.origin).entries()):
        return False
    return any(compress(chart.linear_rows(first), first.has_hyperplane.tolist()))


def half_of(
    network: Network, chart: Chart, whole: Task, tie: NDArray[np.int64]
) -> tuple[Task, bytes]:
    """The half of a central arrangement on which its first unit is positive, as a paired cell.

    Parameters
    ----------
    network : Network
    chart : Chart
    whole : Task
        The whole domain.
    tie : ndarray of int64
        Per unit, the earlier unit that it is a multiple of, or −1
        (:class:`~polyrank.posed.arrays.NetArrays`).

    Returns
    -------
    half : Task
    log : bytes
        The steps of the proof from the domain to the half.
    """
    rows = list(chart.linear_rows(network.layers[0]))
    decision = np.full(whole.decision.shape, UNDECIDED, dtype=np.int8)
    splits = np.zeros_like(whole.splits)
    log, g = b"", -1
    for i, has in enumerate(network.layers[0].has_hyperplane.tolist()):
        if not has:
            decision[i] = POSITIVE
        elif tie[i] >= 0:
            decision[i] = TIED
        elif not rows[i]:
            decision[i] = IDENTICALLY_ZERO
            log += unit_step(LOG_ZERO, i)
        elif g < 0:
            decision[i], splits[i], g = POSITIVE, 1, i
    log += unit_step(LOG_OPPOSITE, g)
    row = [fmpq(0)] * chart.k
    for l, v in rows[g]:
        row[l] = v
    points = []
    for point in (*whole.points, tuple(row)):  # the row itself, as a direction, is in the half
        value = sum((a * y for a, y in zip(row, point, strict=True)), fmpq(0))
        if value != 0:
            points.append(point if value > 0 else tuple(-y for y in point))
    return Task(0, decision, splits, tuple(points), paired=True), log


def opposite(decision: NDArray[np.int8], hyperplane: NDArray[np.bool_]) -> NDArray[np.int8]:
    """The decisions of all units on the opposite cell, from those on a paired cell.

    Parameters
    ----------
    decision : ndarray of int8, shape (N,)
        As in :class:`~polyrank.cells.task.Task`.
    hyperplane : ndarray of bool, shape (N,)
        Which units have a hyperplane.
    """
    out = decision.copy()
    out[hyperplane & (decision == POSITIVE)] = NEGATIVE
    out[hyperplane & (decision == NEGATIVE)] = POSITIVE
    return out
