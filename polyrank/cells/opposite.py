"""Central arrangements: x ↦ −x maps regions to regions, so that half of them are all.

**Theorem.** Let the domain be a linear space, and let the units of layer 1 have no biases and no
later layer a hyperplane. Then x ↦ −x is a bijection of the regions without a fixed one, as soon as
one unit g is not identically zero: it changes the sign of g. So there are twice as many regions as
regions on which g is positive. ∎
"""

from __future__ import annotations

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.subtree import Subtree
from polyrank.cells.task import POSITIVE, TIED, UNDECIDED, Task
from polyrank.network.normal_form import Network
from polyrank.posed.chart import Chart

__all__ = ["half_of", "is_symmetric"]


def _rows(network: Network, chart: Chart) -> fmpq_mat:
    """Pre-activations of layer 1 on the chart, without their constants: ``(units, k)``."""
    return network.layers[0].weight_exact * chart.basis


def _first(network: Network, chart: Chart) -> int | None:
    """The first unit of layer 1 with a hyperplane in the chart."""
    rows = _rows(network, chart)
    for g, has in enumerate(network.layers[0].has_hyperplane.tolist()):
        if has and any(rows[g, l] != 0 for l in range(chart.k)):
            return g
    return None


def is_symmetric(network: Network, chart: Chart, layers: int) -> bool:
    """Whether the theorem holds for the first layers of a network on a chart."""
    first = network.layers[0]
    constant = first.weight_exact * chart.origin + first.bias_exact
    return (
        chart.inequalities.m == 0
        and not any(network.bits[1:layers])
        and not any(constant.entries())
        and _first(network, chart) is not None
    )


def half_of(network: Network, chart: Chart, root: Subtree, tie: NDArray[np.int64]) -> Subtree:
    """The half of the whole domain on which the first unit with a hyperplane is positive.

    Parameters
    ----------
    network : Network
    chart : Chart
    root : Subtree
        The whole domain, of the dictionaries.
    tie : ndarray of int64
        Per unit, the earlier unit that it is a multiple of, or −1
        (:class:`~polyrank.posed.arrays.NetArrays`).
    """
    g = _first(network, chart)
    (whole,) = root.cells
    if g is None or not isinstance(whole, Task):
        raise ValueError("only a central arrangement, in dictionaries, has opposite regions")
    rows = _rows(network, chart)
    row = [rows[g, l] for l in range(chart.k)]
    points = []
    for point in (*whole.points, tuple(row)):  # the row itself, as a direction, is in the half
        value = sum((a * y for a, y in zip(row, point, strict=True)), fmpq(0))
        if value != 0:
            points.append(point if value > 0 else tuple(-y for y in point))
    decision = np.full(whole.decision.shape, UNDECIDED, dtype=np.int8)
    splits = np.zeros_like(whole.splits)
    for i, has in enumerate(network.layers[0].has_hyperplane.tolist()):
        if not has:
            decision[i] = POSITIVE
        elif tie[i] >= 0:
            decision[i] = TIED
    decision[g], splits[g] = POSITIVE, 1
    return Subtree((Task(0, decision, splits, tuple(points)),), (1.0,))
