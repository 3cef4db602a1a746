"""One cell of the layers below K, with the affine units of layer K on it, in integer rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.lp.farkas import coprime, integer_rows
from polyrank.network.normal_form import Layer, Network
from polyrank.posed.chart import Chart

__all__ = [
    "Composed",
    "IntRow",
    "LiveCell",
    "LiveCells",
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


class Composed:
    """Affine maps of the layers on one codeword, layer by layer.

    ``matrix``, shape (units, k + 1), is ``[J | c]``: the map of chart coordinates y after the
    layers so far, first the chart itself.
    """

    __slots__ = ("k", "matrix", "position")

    def __init__(self, matrix: fmpq_mat, k: int, position: int = 0) -> None:
        self.matrix, self.k, self.position = matrix, k, position

    @classmethod
    def at_chart(cls, chart: Chart) -> Composed:
        """Before the first layer."""
        table = chart.basis.tolist() if chart.k else [[] for _ in range(chart.n)]
        shifts = chart.origin.entries()
        entries = [v for row, c in zip(table, shifts, strict=True) for v in (*row, c)]
        return cls(fmpq_mat(chart.n, chart.k + 1, entries), chart.k)

    def preactivation(self, layer: Layer) -> fmpq_mat:
        """Rows ``[a_1, ..., a_k, b]`` of the next layer's units."""
        z = layer.weight_exact * self.matrix
        for i, bias in enumerate(layer.bias_exact.entries()):
            if bias != 0:
                z[i, self.k] += bias
        return z

    def after(
        self, layer: Layer, z: fmpq_mat, bits: NDArray[np.bool_]
    ) -> tuple[Composed, list[IntRow]]:
        """With the slopes that the bits choose; and rows of units that cut, positive inside."""
        walls: list[IntRow] = []
        entries: list[fmpq] = []
        position = self.position
        zeros = [fmpq(0)] * (self.k + 1)
        for row, exact, (neg, pos), cuts in zip(
            integer_table(z), z.tolist(), layer.slopes_exact, layer.has_hyperplane.tolist(),
            strict=True,
        ):  # fmt: skip
            on = True
            if cuts:
                on = bool(bits[position])
                position += 1
                if any(row[:-1]):
                    walls.append(row if on else tuple(-v for v in row))
            slope = pos if on else neg
            if slope == 0:
                entries += zeros
            else:
                entries += exact if slope == 1 else [slope * v for v in exact]
        return Composed(fmpq_mat(layer.units, self.k + 1, entries), self.k, position), walls


def integer_table(matrix: fmpq_mat) -> list[IntRow]:
    """The rows of a rational matrix as positive multiples in coprime integers."""
    return [coprime([int(v) for v in row]) for row in matrix.numer_denom()[0].tolist()]


def region_rows(network: Network, chart: Chart, bits: NDArray[np.bool_]) -> list[IntRow]:
    """Rows that are positive exactly on the open region of a codeword through all layers.

    Rows without a linear part are left out: a codeword that was read off at a point of the
    closed region has them right.
    """
    composed = Composed.at_chart(chart)
    rows = integer_rows(chart.A, chart.b)
    for layer in network.layers:
        composed, walls = composed.after(layer, composed.preactivation(layer), bits)
        rows += walls
    return list(dict.fromkeys(rows))


class LiveCells:
    """Makes the cells of a network's last layer; what consecutive cells share is kept.

    Parameters
    ----------
    network : Network
        Layer K is its last one.
    chart : Chart
    """

    def __init__(self, network: Network, chart: Chart) -> None:
        self._layers = network.layers
        self._starts = np.concatenate([[0], np.cumsum(network.bits)]).tolist()
        self._word: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        # per layer below K: the map after it, and the walls so far
        self._path = [(Composed.at_chart(chart), integer_rows(chart.A, chart.b))]

    def cell(self, bits: NDArray[np.bool_], inside: fmpq_mat) -> LiveCell:
        """The last layer's units on the region that the bits of the layers before it select.

        Parameters
        ----------
        bits : ndarray of bool
            Codeword through layer K − 1, as of a region of these layers.
        inside : fmpq_mat, shape (k, 1)
            A chart point strictly inside that region.
        """
        kept = 0
        while kept + 1 < len(self._path) and np.array_equal(
            bits[: self._starts[kept + 1]], self._word[: self._starts[kept + 1]]
        ):
            kept += 1
        del self._path[kept + 1 :]
        for layer in self._layers[kept:-1]:
            composed, walls = self._path[-1]
            after, fresh = composed.after(layer, composed.preactivation(layer), bits)
            self._path.append((after, walls + fresh))
        self._word = bits
        composed, walls = self._path[-1]
        last = self._layers[-1]
        switching: list[IntRow] = []
        cutting: list[IntRow] = []
        always: list[IntRow] = []
        rows = integer_table(composed.preactivation(last))
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
