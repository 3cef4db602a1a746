"""One cell of the layers below K, with the affine units of layer K on it, in integer rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.lp.deadline import look
from polyrank.lp.farkas import value_at
from polyrank.minrank.result import LowRegion
from polyrank.network.forward import codeword_exact
from polyrank.network.normal_form import Network
from polyrank.posed.chart import Chart
from polyrank.posed.problem import Problem
from polyrank.posed.region import IntRow, Region

__all__ = [
    "LiveCell",
    "LiveCells",
    "live_cell",
    "region_at",
]


@dataclass(frozen=True, slots=True, eq=False)
class LiveCell:
    """Units of layer K on an open cell ``{y in R^k : wall(y) > 0}`` of the layers below.

    A unit is *live* where its slope is not zero. On a region inside the cell the rank through
    layer K is the rank of the linear parts of the live units.

    Attributes
    ----------
    walls : tuple of IntRow
        The domain's rows and those of the units of the layers below.
    switching : tuple of IntRow
        Units with one slope zero, positive where the unit is live.
    cutting : tuple of IntRow
        Units with two different slopes, neither zero: they cut, and are live on both sides.
    always : tuple of IntRow
        Units that are live on all of the cell, those in ``cutting`` among them.
    inside : fmpq_mat, shape (k, 1)
        Strictly inside the walls.

    Notes
    -----
    Units whose linear part is zero on the cell are left out: they cut nothing and add no rank.
    """

    walls: tuple[IntRow, ...]
    switching: tuple[IntRow, ...]
    cutting: tuple[IntRow, ...]
    always: tuple[IntRow, ...]
    inside: fmpq_mat

    @property
    def k(self) -> int:
        """Dimension of the cell."""
        return int(self.inside.nrows())


class LiveCells:
    """Makes the cells of a network's last layer; what cells share is kept.

    Parameters
    ----------
    network : Network
        Layer K is its last one.
    chart : Chart
    """

    def __init__(self, network: Network, chart: Chart) -> None:
        self._below = Problem(network, chart, len(network.layers) - 1)

    def cell(self, bits: NDArray[np.bool_], inside: fmpq_mat) -> LiveCell:
        """The last layer's units on the region that the bits of the layers before it select.

        Parameters
        ----------
        bits : ndarray of bool
            Codeword through layer K − 1, as of a region of these layers.
        inside : fmpq_mat, shape (k, 1)
            A chart point strictly inside that region.
        """
        walls = tuple(Region(self._below, bits).rows)
        last = self._below.network.layers[-1]
        switching: list[IntRow] = []
        cutting: list[IntRow] = []
        always: list[IntRow] = []
        rows = self._below.branch.rows(self._below.layers + 1, bits)
        for row, (neg, pos) in zip(rows, last.slopes_exact, strict=True):
            if not any(row[:-1]):
                continue
            if neg != 0 and pos != 0:
                always.append(row)
                if neg != pos:
                    cutting.append(row)
            elif pos != 0:
                switching.append(row)
            elif neg != 0:
                switching.append(tuple(-v for v in row))
        return LiveCell(walls, tuple(switching), tuple(cutting), tuple(always), inside)


def live_cell(
    network: Network, chart: Chart, bits: NDArray[np.bool_], inside: fmpq_mat
) -> LiveCell:
    """One cell, as :meth:`LiveCells.cell` makes it."""
    return LiveCells(network, chart).cell(bits, inside)


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
    problem = Problem.of(network, chart)
    inside = [*chart.rows, *keep]
    near, power = y, 10
    while True:
        look()
        if all(value_at(row, near) > 0 for row in inside):
            x = chart.point_of(near)
            bits = codeword_exact(network, x).bits
            if Region(problem, bits).contains(near):
                rank = problem.ranks.ranks(bits, np.zeros_like(bits))[-1]
                return LowRegion(bits, rank, tuple(x.entries()), near)
        step = [fmpq(int(v), 2**power) for v in rng.integers(-(2**20), 2**20, k)]
        near = y + fmpq_mat(k, 1, step)
        power *= 2
