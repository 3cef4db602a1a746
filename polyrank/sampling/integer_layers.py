"""Layers in integers, sparse where they are: exact values of a few points, exact rows of a unit.

A convolution written as a matrix has few entries that are not zero; only these are converted and
multiplied, so that a point costs as much as its convolution does, in integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat, fmpz, fmpz_mat
from numpy.typing import NDArray

from polyrank.network.composition import active_units
from polyrank.network.normal_form import Layer, Network
from polyrank.network.sparse import by_rows, entries_at

__all__ = ["IntegerLayer", "common_denominator", "integer_layer", "linear_row", "vanishes_around"]

_PRODUCTS = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class IntegerLayer:
    """``W = weight / scale``, ``b = bias / scale``, slopes over ``slope_scale``.

    Attributes
    ----------
    units, inputs : int
    dense : fmpz_mat or None
        The weight, if it is kept whole.
    starts : ndarray of int64, shape (units + 1,)
        Else the entries of unit i are those from ``starts[i]`` to ``starts[i + 1]``.
    places : ndarray of int64
        Their inputs.
    values : ndarray of fmpz objects
    bias : list of fmpz
    scale, slope_scale : fmpz
        Positive.
    slopes : list of (fmpz, fmpz)
        Where the unit is not active, and where it is.
    """

    units: int
    inputs: int
    dense: fmpz_mat | None
    starts: NDArray[np.int64]
    places: NDArray[np.int64]
    values: NDArray[Any]
    bias: list[fmpz]
    scale: fmpz
    slopes: list[tuple[fmpz, fmpz]]
    slope_scale: fmpz

    def times(self, columns: list[fmpz], width: int) -> list[fmpz]:
        """``weight · columns``; matrices ``(·, width)`` as flat lists, row by row."""
        if self.dense is not None:
            product = self.dense * fmpz_mat(self.inputs, width, columns)
            entries: list[fmpz] = product.entries()
            return entries
        given = np.array(columns, dtype=object).reshape(self.inputs, width)
        out = np.full((self.units, width), fmpz(0), dtype=object)
        filled = np.flatnonzero(np.diff(self.starts))
        first = 0
        while first < len(filled):
            # as many units as _PRODUCTS allows, at least one
            room = self.starts[filled[first]] + max(1, _PRODUCTS // width)
            last = max(first + 1, int(np.searchsorted(self.starts[filled + 1], room, "right")))
            rows = filled[first:last]
            a, b = self.starts[rows[0]], self.starts[rows[-1] + 1]
            products = self.values[a:b, None] * given[self.places[a:b]]
            out[rows] = np.add.reduceat(products, self.starts[rows] - a, axis=0)
            first = last
        flat: list[fmpz] = out.ravel().tolist()
        return flat

    def pulled_back(self, row: dict[int, fmpz]) -> dict[int, fmpz]:
        """``row · weight``; rows by their entries that are not zero."""
        if self.dense is not None:
            whole = fmpz_mat(1, self.units, [row.get(i, fmpz(0)) for i in range(self.units)])
            product = (whole * self.dense).entries()
            return {j: v for j, v in enumerate(product) if v != 0}
        out: dict[int, fmpz] = {}
        for i, factor in row.items():
            a, b = self.starts[i], self.starts[i + 1]
            for j, v in zip(self.places[a:b].tolist(), self.values[a:b], strict=True):
                out[j] = out.get(j, 0) + factor * v
        return {j: v for j, v in out.items() if v != 0}

    def row(self, unit: int) -> dict[int, fmpz]:
        """The weights of a unit that are not zero, by input."""
        if self.dense is not None:
            entries = [self.dense[unit, j] for j in range(self.inputs)]
            return {j: v for j, v in enumerate(entries) if v != 0}
        a, b = self.starts[unit], self.starts[unit + 1]
        return dict(zip(self.places[a:b].tolist(), self.values[a:b], strict=True))


def common_denominator(entries: Sequence[fmpq]) -> tuple[list[fmpz], fmpz]:
    """Rationals as integers over one positive denominator."""
    numerators, denominator = fmpq_mat(1, len(entries), list(entries)).numer_denom()
    return numerators.entries(), denominator


def integer_layer(layer: Layer) -> IntegerLayer:
    """A layer in integers, exactly."""
    places = by_rows(layer.weight)
    units, inputs = layer.weight.shape
    sparse = layer.weight.is_sparse
    entries = list(entries_at(layer.weight, places) if sparse else layer.weight.entries())
    flat, scale = common_denominator([*entries, *layer.bias.entries()])
    cut = len(entries)
    ends, slope_scale = common_denominator([v for pair in layer.slopes_exact for v in pair])
    values = np.empty(cut if sparse else 0, dtype=object)
    values[:] = flat[:cut] if sparse else []
    return IntegerLayer(
        units,
        inputs,
        None if sparse else fmpz_mat(units, inputs, flat[:cut]),
        places.indptr.astype(np.int64) if sparse else np.zeros(units + 1, dtype=np.int64),
        places.indices.astype(np.int64) if sparse else np.zeros(0, dtype=np.int64),
        values,
        flat[cut:],
        scale,
        list(zip(ends[::2], ends[1::2], strict=True)),
        slope_scale,
    )


def linear_row(
    network: Network,
    layers: Sequence[IntegerLayer],
    codeword: NDArray[np.bool_],
    layer: int,
    unit: int,
) -> dict[int, fmpz]:
    """The linear part of a pre-activation on the region of a codeword, times a positive number.

    ``layer`` and ``unit`` count from 0. The row is pulled back through the layers below, and only
    its entries that are not zero are; these are returned, by input.
    """
    row = layers[layer].row(unit)
    for k in range(layer - 1, -1, -1):
        if not row:
            return row
        start = sum(network.bits[:k])
        flags = active_units(network.layers[k], codeword[start : start + network.bits[k]])
        scaled = {i: v * layers[k].slopes[i][int(flags[i])] for i, v in row.items()}
        row = layers[k].pulled_back({i: v for i, v in scaled.items() if v != 0})
    return row


def vanishes_around(
    network: Network,
    layers: Sequence[IntegerLayer],
    codeword: NDArray[np.bool_],
    layer: int,
    unit: int,
) -> bool:
    """Whether the linear part of a pre-activation is zero on the region of a codeword."""
    return not linear_row(network, layers, codeword, layer, unit)
