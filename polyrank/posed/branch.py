"""The exact affine maps of a network on a chart, one for every prefix of signs.

On the points that share the codeword of layers 1..K, layer K + 1 sees an affine function of the
chart's coordinates y. A search goes through its prefixes like through a tree: what the branch
below a cell shares with the cell is composed once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.lp.farkas import integer_row_of, integer_table
from polyrank.network.composition import (
    activation,
    active_units,
    beside,
    linear_part,
    preactivation,
    preactivation_on,
    split_map,
)
from polyrank.network.normal_form import Network
from polyrank.network.rational import RationalArray, fmpq_from_float
from polyrank.polyhedra.system import is_identity

if TYPE_CHECKING:
    from polyrank.posed.chart import Chart

__all__ = ["WALL", "Branch", "RowName", "unit_row"]

#: Entries of the matrices that are kept, about 100 bytes each.
_KEPT_ENTRIES = 1 << 20


#: The layer of a wall's name.
WALL = 0


class RowName(NamedTuple):
    """What carries a row: a wall of the domain (layer 0), or a unit of layer 1, 2, ...

    Attributes
    ----------
    layer, number : int
        The number is that of a row of the chart or of a unit, from 0.
    """

    layer: int
    number: int


class Branch:
    """Exact maps through every layer, in coordinates y with ``x = origin + basis y``.

    A *codeword* is an array of bits, one per unit with a hyperplane, layer by layer; of a codeword
    only the bits of the layers that a map goes through are read. Bit 0 stands for z ≤ 0.

    Parameters
    ----------
    network : Network
    origin, basis : fmpq_mat, shapes (n, 1) and (n, k)

    Notes
    -----
    A matrix ``[J | c]``, shape (units, k + 1), is the map ``y ↦ J y + c``. **Proves** nothing about
    whether a point with the codeword exists.
    """

    def __init__(self, network: Network, origin: fmpq_mat, basis: fmpq_mat) -> None:
        self.network = network
        self.k = basis.ncols()
        self.starts = list(accumulate(network.bits, initial=0))
        self.origin, self.basis = origin, basis
        self._kept: OrderedDict[tuple[int, bytes], fmpq_mat] = OrderedDict()
        self._entries = 0
        self._lock = RLock()  # the threads of a search share its problem

    @classmethod
    def on(cls, network: Network, chart: Chart) -> Branch:
        """The maps of a chart's coordinates."""
        return cls(network, chart.origin, chart.basis)

    def preactivation(self, layer: int, codeword: NDArray[np.bool_]) -> fmpq_mat:
        """``[J | c]`` of the pre-activations z of layer K (1-based): its units' hyperplanes."""
        with self._lock:
            first = layer
            while first > 1 and self._key(first, codeword) not in self._kept:
                first -= 1
            for k in range(first, layer + 1):
                key = self._key(k, codeword)
                if key in self._kept:
                    self._kept.move_to_end(key)
                elif k == 1:
                    first_layer = self.network.layers[0]
                    self._keep(key, preactivation_on(first_layer, self._spread, self.origin))
                else:
                    below = self.image(k - 1, codeword)
                    self._keep(key, preactivation(self.network.layers[k - 1], below))
            return self._kept[key]

    def rows(self, layer: int, codeword: NDArray[np.bool_]) -> Sequence[tuple[int, ...]]:
        """The rows of ``[J | c]`` as positive multiples in coprime integers."""
        if layer == 1:
            return self._first_rows
        return integer_table(self.preactivation(layer, codeword))

    @cached_property
    def _first_rows(self) -> list[tuple[int, ...]]:
        first = self.network.layers[0]
        if first.sparse_rows is None or self._spread is not None:
            return integer_table(self.preactivation(1, np.zeros(0, dtype=bool)))
        shifts = preactivation(first, self.origin).entries()
        return [
            integer_row_of(self.k + 1, (*terms, (self.k, shift)) if shift != 0 else terms)
            for terms, shift in zip(first.sparse_rows, shifts, strict=True)
        ]

    @cached_property
    def _spread(self) -> fmpq_mat | None:
        """The basis; None for the identity, by which nothing is multiplied."""
        return None if is_identity(self.basis) else self.basis

    def _key(self, layer: int, codeword: NDArray[np.bool_]) -> tuple[int, bytes]:
        return layer, codeword[: self.starts[layer - 1]].tobytes()

    def _keep(self, key: tuple[int, bytes], z: fmpq_mat) -> None:
        self._kept[key] = z
        self._entries += z.nrows() * z.ncols()
        while self._entries > _KEPT_ENTRIES and len(self._kept) > len(self.network.layers):
            _, old = self._kept.popitem(last=False)
            self._entries -= old.nrows() * old.ncols()

    def image(self, layer: int, codeword: NDArray[np.bool_]) -> fmpq_mat:
        """``[J | c]`` of Φ_K; of the chart itself, ``[basis | origin]``, for K = 0."""
        if layer == 0:
            return beside(self.basis, self.origin)
        z = self.preactivation(layer, codeword)
        return activation(self.network.layers[layer - 1], z, self.active(layer, codeword).tolist())

    def active(self, layer: int, codeword: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which units of layer K are active; those without a hyperplane count as active."""
        bits = codeword[self.starts[layer - 1] : self.starts[layer]]
        return active_units(self.network.layers[layer - 1], bits)

    def unit_of_bit(self, bit: int) -> RowName:
        """The unit of a bit of a codeword."""
        layer = bisect_right(self.starts, bit)
        units = np.flatnonzero(self.network.layers[layer - 1].has_hyperplane)
        return RowName(layer, int(units[bit - self.starts[layer - 1]]))

    def affine_map(self, layer: int, codeword: NDArray[np.bool_]) -> tuple[fmpq_mat, fmpq_mat]:
        """J and c of Φ_K, shapes (units, k) and (units, 1)."""
        return split_map(self.image(layer, codeword))

    def linear_part(self, layer: int, codeword: NDArray[np.bool_]) -> fmpq_mat:
        """J of Φ_K, shape (units, k)."""
        return linear_part(self.image(layer, codeword))


def unit_row(network: Network, codeword: NDArray[np.bool_], layer: int, unit: int) -> list[fmpq]:
    """Linear part of one pre-activation on the inputs, pulled back row by row.

    ``layer`` and ``unit`` count from 0. One row costs one product with every weight below, however
    many inputs there are.
    """
    weight = network.layers[layer].weight
    row = fmpq_mat(1, weight.shape[1], _row_entries(weight, unit))
    position = [sum(network.bits[:k]) for k in range(len(network.layers))]
    for k in range(layer - 1, -1, -1):
        step = network.layers[k]
        flags = active_units(step, codeword[position[k] : position[k] + network.bits[k]])
        entries = [
            v * (s[1] if on else s[0])
            for v, s, on in zip(row.entries(), step.slopes_exact, flags.tolist(), strict=True)
        ]
        if not any(v != 0 for v in entries):
            return [fmpq(0)] * network.input_dim
        row = fmpq_mat(1, step.units, entries) * step.weight_exact
    out: list[fmpq] = row.entries()
    return out


def _row_entries(array: RationalArray, row: int) -> list[fmpq]:
    if array.exact is None:
        return [fmpq_from_float(v) for v in array.approx[row].tolist()]
    return [array.exact[row, j] for j in range(array.shape[1])]
