"""From a chart point to the region there: exact codeword, exact rank, a strict witness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flint import fmpq, fmpq_mat

from polyrank.lp.deadline import look
from polyrank.lp.farkas import integer_rows, value_at
from polyrank.minrank.cell import IntRow, region_rows
from polyrank.minrank.result import LowRegion
from polyrank.network.exact_rank import exact_rank
from polyrank.network.forward import codeword_exact
from polyrank.network.normal_form import Network
from polyrank.posed.branch import Branch
from polyrank.posed.chart import Chart

__all__ = ["region_at"]


def region_at(
    network: Network, chart: Chart, y: fmpq_mat, keep: Sequence[IntRow] = ()
) -> LowRegion:
    """A region of which y is in the closure, within the open set where the rows are positive.

    Parameters
    ----------
    network : Network
        Its last layer is K.
    chart : Chart
    y : fmpq_mat, shape (k, 1)
        A chart point in the domain's interior where the rows ``keep`` are positive.
    keep : sequence of IntRow
        Rows that are positive on the region too.

    Notes
    -----
    A point on a hyperplane is moved, by ever smaller steps in random directions. Near y there are
    finitely many regions, and almost every direction leads into one, so that this ends.
    """
    rng = np.random.default_rng(0)
    k = y.nrows()
    branch = Branch.on(network, chart)
    inside = [*integer_rows(chart.A, chart.b), *keep]
    near, power = y, 10
    while True:
        look()
        if all(value_at(row, near) > 0 for row in inside):
            x = chart.origin + chart.basis * near
            bits = codeword_exact(network, x).bits
            if all(value_at(row, near) > 0 for row in region_rows(branch, chart, bits)):
                rank = exact_rank(branch.linear_part(len(network.layers), bits)) if k else 0
                return LowRegion(bits, rank, tuple(x.entries()), near)
        step = [fmpq(int(v), 2**power) for v in rng.integers(-(2**20), 2**20, k)]
        near = y + fmpq_mat(k, 1, step)
        power *= 2
