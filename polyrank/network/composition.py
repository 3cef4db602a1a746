"""One layer after an exact affine map: the step that every exact composition is made of.

A matrix ``[J | c]`` of shape (m, k + 1) stands for the affine map ``y ↦ J y + c``; a column c
alone, k = 0, for a point. A unit that has no hyperplane counts as active.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.network.normal_form import Layer

__all__ = [
    "activation",
    "active_units",
    "beside",
    "exact_step",
    "linear_part",
    "preactivation",
    "preactivation_on",
    "product",
    "split_map",
]

#: Products with so few columns are made entry by entry.
_FEW = 4
#: Multiplications between two looks at signals.
_PRODUCTS = 1 << 23


def product(layer: Layer, below: fmpq_mat) -> fmpq_mat:
    """``W · below``, shape (units, k), for a matrix of shape (inputs, k).

    Of weights that are mostly zero only the other entries are read, a few rows at a time, so that
    Ctrl-C is seen in between.
    """
    rows = layer.sparse_rows
    if rows is None:
        return layer.weight_exact * below
    n, k = layer.inputs, below.ncols()
    if k <= _FEW:
        columns = [[below[j, l] for j in range(n)] for l in range(k)]
        sums = (sum((v * c[j] for j, v in row), fmpq(0)) for row in rows for c in columns)
        return fmpq_mat(layer.units, k, list(sums))
    entries: list[fmpq] = []
    step = max(1, _PRODUCTS // (n * k))
    for start in range(0, layer.units, step):
        some = rows[start : start + step]
        part = fmpq_mat(len(some), n)
        for i, row in enumerate(some):
            for j, v in row:
                part[i, j] = v
        entries += (part * below).entries()
    return fmpq_mat(layer.units, k, entries)


def preactivation(layer: Layer, below: fmpq_mat) -> fmpq_mat:
    """``W [J | c] + [0 | b]``: what the units of a layer are before their activation.

    Parameters
    ----------
    layer : Layer
    below : fmpq_mat, shape (inputs, k + 1)

    Returns
    -------
    fmpq_mat, shape (units, k + 1)
    """
    last = below.ncols() - 1
    z = product(layer, below)
    if last == 0:
        return z + layer.bias_exact
    for i, bias in enumerate(layer.bias_exact.entries()):
        if bias != 0:
            z[i, last] += bias
    return z


def preactivation_on(layer: Layer, J: fmpq_mat | None, c: fmpq_mat) -> fmpq_mat:
    """:func:`preactivation` of ``[J | c]``, which is not made: J may have millions of entries.

    None stands for the identity.
    """
    linear = layer.weight_exact if J is None else product(layer, J)
    return beside(linear, product(layer, c) + layer.bias_exact)


def activation(layer: Layer, z: fmpq_mat, active: Iterable[bool]) -> fmpq_mat:
    """The rows of pre-activations times the slopes that the units have where they are active.

    Parameters
    ----------
    layer : Layer
    z : fmpq_mat, shape (units, k + 1)
    active : iterable of bool, one per unit
    """
    slopes = [
        pair[1] if on else pair[0] for pair, on in zip(layer.slopes_exact, active, strict=True)
    ]
    if all(slope == 1 for slope in slopes):
        return z
    columns = z.ncols()
    nothing = [fmpq(0)] * columns
    entries: list[fmpq] = []
    for slope, row in zip(slopes, z.tolist(), strict=True):
        if slope == 0:
            entries += nothing
        else:
            entries += row if slope == 1 else [slope * v for v in row]
    return fmpq_mat(z.nrows(), columns, entries)


def exact_step(layer: Layer, h: fmpq_mat) -> tuple[list[fmpq], fmpq_mat]:
    """Pre-activations and activations of one layer at a rational point h, a column."""
    z = preactivation(layer, h)
    values: list[fmpq] = z.entries()
    return values, activation(layer, z, [v > 0 for v in values])


def active_units(layer: Layer, bits: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which units are active, ``(units,)``, from the bits of those with a hyperplane."""
    active = np.ones(layer.units, dtype=bool)
    active[layer.has_hyperplane] = bits
    return active


def beside(J: fmpq_mat, c: fmpq_mat) -> fmpq_mat:
    """``[J | c]`` from J of shape (m, k) and a column c."""
    k = J.ncols()
    table = J.tolist() if k else [[] for _ in range(c.nrows())]
    entries = [v for row, shift in zip(table, c.entries(), strict=True) for v in (*row, shift)]
    return fmpq_mat(c.nrows(), k + 1, entries)


def linear_part(matrix: fmpq_mat) -> fmpq_mat:
    """J of ``[J | c]``."""
    k = matrix.ncols() - 1
    return fmpq_mat(matrix.nrows(), k, [v for row in matrix.tolist() for v in row[:k]])


def split_map(matrix: fmpq_mat) -> tuple[fmpq_mat, fmpq_mat]:
    """J, of shape (m, k), and c, of shape (m, 1), of ``[J | c]``."""
    c = fmpq_mat(matrix.nrows(), 1, [row[-1] for row in matrix.tolist()])
    return linear_part(matrix), c
