"""One cell of the layers below K, with the affine units of layer K on it, in integer rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.chart import Chart
from polyrank.lp.farkas import integer_row, integer_rows
from polyrank.network.normal_form import Layer, Network

__all__ = ["Composed", "IntRow", "LiveCell", "live_cell", "region_rows"]

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


class Composed:
    """Affine maps of the layers on one codeword, layer by layer."""

    def __init__(self, chart: Chart) -> None:
        self.J, self.c = chart.basis, chart.origin
        self.position = 0

    def rows(self, layer: Layer) -> list[list[fmpq]]:
        """Pre-activations of the next layer: ``[a_1, ..., a_k, b]`` per unit."""
        self.J = layer.weight_exact * self.J
        self.c = layer.weight_exact * self.c + layer.bias_exact
        table = self.J.tolist() if self.J.ncols() else [[] for _ in range(layer.units)]
        return [[*row, shift] for row, shift in zip(table, self.c.entries(), strict=True)]

    def activate(
        self, layer: Layer, table: Sequence[Sequence[fmpq]], bits: NDArray[np.bool_]
    ) -> list[IntRow]:
        """Take the slopes that the bits choose; the rows of the units that cut, positive inside."""
        walls: list[IntRow] = []
        out: list[list[fmpq]] = []
        for row, (neg, pos), cuts in zip(
            table, layer.slopes_exact, layer.has_hyperplane.tolist(), strict=True
        ):
            on = True
            if cuts:
                on = bool(bits[self.position])
                self.position += 1
                if any(v != 0 for v in row[:-1]):
                    walls.append(integer_row(row if on else [-v for v in row]))
            slope = pos if on else neg
            out.append([slope * v for v in row])
        k = self.J.ncols()
        self.J = fmpq_mat(len(out), k, [v for row in out for v in row[:-1]])
        self.c = fmpq_mat(len(out), 1, [row[-1] for row in out])
        return walls


def region_rows(network: Network, chart: Chart, bits: NDArray[np.bool_]) -> list[IntRow]:
    """Rows that are positive exactly on the open region of a codeword through all layers.

    Rows without a linear part are left out: a codeword that was read off at a point of the
    closed region has them right.
    """
    composed = Composed(chart)
    rows = integer_rows(chart.A, chart.b)
    for layer in network.layers:
        rows += composed.activate(layer, composed.rows(layer), bits)
    return list(dict.fromkeys(rows))


def live_cell(
    network: Network, chart: Chart, bits: NDArray[np.bool_], inside: fmpq_mat
) -> LiveCell:
    """The last layer's units on the region that the bits of the layers before it select.

    Parameters
    ----------
    network : Network
        Layer K is its last one.
    chart : Chart
    bits : ndarray of bool
        Codeword through layer K − 1, as of a region of these layers.
    inside : fmpq_mat, shape (k, 1)
        A chart point strictly inside that region.
    """
    composed = Composed(chart)
    walls = integer_rows(chart.A, chart.b)
    for layer in network.layers[:-1]:
        walls += composed.activate(layer, composed.rows(layer), bits)
    last = network.layers[-1]
    switching: list[IntRow] = []
    cutting: list[IntRow] = []
    always: list[IntRow] = []
    for row, (neg, pos) in zip(composed.rows(last), last.slopes_exact, strict=True):
        if not any(v != 0 for v in row[:-1]):
            continue
        oriented = integer_row(row)
        if neg != 0 and pos != 0:
            always.append(oriented)
            if neg != pos:
                cutting.append(oriented)
        elif pos != 0:
            switching.append(oriented)
        elif neg != 0:
            switching.append(tuple(-v for v in oriented))
    return LiveCell(
        tuple(dict.fromkeys(walls)), tuple(switching), tuple(cutting), tuple(always), inside
    )
