"""One cell of the layers below K, with the affine units of layer K on it, in integer rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq_mat
from numpy.typing import NDArray

from polyrank.lp.farkas import coprime, integer_rows
from polyrank.network.normal_form import Network
from polyrank.posed.branch import Branch
from polyrank.posed.chart import Chart

__all__ = [
    "IntRow",
    "LiveCell",
    "LiveCells",
    "cutting_rows",
    "integer_table",
    "live_cell",
    "region_rows",
]

IntRow = tuple[int, ...]
"""The k + 1 integers of an affine function of the chart coordinates y."""


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


def integer_table(matrix: fmpq_mat) -> list[IntRow]:
    """The rows of a rational matrix as positive multiples in coprime integers."""
    return [coprime([int(v) for v in row]) for row in matrix.numer_denom()[0].tolist()]


def cutting_rows(branch: Branch, layer: int, bits: NDArray[np.bool_]) -> list[IntRow]:
    """Rows of the units of a layer that cut, positive where the units have the bits."""
    hyperplanes = branch.network.layers[layer - 1].has_hyperplane
    rows = integer_table(branch.preactivation(layer, bits))
    return [
        row if on else tuple(-v for v in row)
        for row, on, cuts in zip(rows, branch.active(layer, bits), hyperplanes, strict=True)
        if cuts and any(row[:-1])
    ]


def region_rows(branch: Branch, chart: Chart, bits: NDArray[np.bool_]) -> list[IntRow]:
    """Rows that are positive exactly on the open region of a codeword through all layers.

    Rows without a linear part are left out: a codeword that was read off at a point of the
    closed region has them right.
    """
    rows = integer_rows(chart.A, chart.b)
    for layer in range(1, len(branch.network.layers) + 1):
        rows += cutting_rows(branch, layer, bits)
    return list(dict.fromkeys(rows))


class LiveCells:
    """Makes the cells of a network's last layer; what cells share is kept.

    Parameters
    ----------
    network : Network
        Layer K is its last one.
    chart : Chart
    """

    def __init__(self, network: Network, chart: Chart) -> None:
        self._branch = Branch.on(network, chart)
        self._walls = integer_rows(chart.A, chart.b)

    def cell(self, bits: NDArray[np.bool_], inside: fmpq_mat) -> LiveCell:
        """The last layer's units on the region that the bits of the layers before it select.

        Parameters
        ----------
        bits : ndarray of bool
            Codeword through layer K − 1, as of a region of these layers.
        inside : fmpq_mat, shape (k, 1)
            A chart point strictly inside that region.
        """
        depth = len(self._branch.network.layers)
        walls = list(self._walls)
        for layer in range(1, depth):
            walls += cutting_rows(self._branch, layer, bits)
        last = self._branch.network.layers[-1]
        switching: list[IntRow] = []
        cutting: list[IntRow] = []
        always: list[IntRow] = []
        rows = integer_table(self._branch.preactivation(depth, bits))
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
        return LiveCell(
            tuple(dict.fromkeys(walls)), tuple(switching), tuple(cutting), tuple(always), inside
        )


def live_cell(
    network: Network, chart: Chart, bits: NDArray[np.bool_], inside: fmpq_mat
) -> LiveCell:
    """One cell, as :meth:`LiveCells.cell` makes it."""
    return LiveCells(network, chart).cell(bits, inside)
