"""A question about a network on a box as arrays for the bisection of the native core."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.errors import UnsupportedError
from polyrank.network.composition import beside
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import exponent, fmpq_from_float, nearest_float, underflows
from polyrank.polyhedra.violation import OutputRow
from polyrank.verification.frame import Frame

__all__ = ["BoundArrays", "FloatRangeError", "bound_arrays", "float_box", "has_twins"]

Floats = NDArray[np.float64]

#: Rows of outputs are scaled where an entry is 2^(this + 1) or more.
_LARGEST_EXPONENT = 500


class FloatRangeError(Exception):
    """Floats near the numbers of a question overflow, or underflow to fewer bits or none."""


class BoundArrays(NamedTuple):
    """Layers, then rows of their outputs; every number is the float nearest to an exact one."""

    units: NDArray[np.int64]  # per layer
    unit_start: NDArray[np.int64]  # first unit of each layer, length L + 1
    weight: Floats  # row-major weights of all layers, flattened
    weight_start: NDArray[np.int64]
    bias: Floats  # per unit
    slope_neg: Floats
    slope_pos: Floats
    rows: Floats  # (R, units of the last layer, or inputs); a disjunct's times a power of two
    constant: Floats  # per row; a disjunct is refuted by a row > 0
    disjunct_start: NDArray[np.int64]  # first row of each disjunct, length D + 1
    twins: int  # 1: unit i and unit n + i of every layer of 2 n units are twins


def bound_arrays(
    network: Network,
    frame: Frame,
    disjuncts: tuple[tuple[OutputRow, ...], ...],
    *,
    twins: bool = False,
) -> BoundArrays:
    """The arrays of a question, in the coordinates of a frame.

    ``twins``: the differences of twins are bounded too (see :func:`has_twins`).

    Raises
    ------
    FloatRangeError
        If no float is near one of the numbers, relative to its size.
    """
    listed = [row for disjunct in disjuncts for row in disjunct]
    starts = np.cumsum([0, *(len(disjunct) for disjunct in disjuncts)]).astype(np.int64)
    last = network.layers[-1]
    hidden = network.layers[:-1] if _is_affine(last) else network.layers
    G, g = _output_matrix(listed, network.widths[-1])
    if _is_affine(last):
        g = G * last.bias_exact + g
        G = G * last.weight_exact
    if not hidden and not frame.plain:
        g = G * frame.origin + g
        G = G * frame.basis
    rows = _floats(_scaled(beside(G, g), starts))
    units = np.array([layer.units for layer in hidden], dtype=np.int64)
    weights, biases = [np.zeros(0)], [np.zeros(0)]
    for k, layer in enumerate(hidden):
        if any(a.underflows for a in (layer.weight, layer.slope_neg, layer.slope_pos)):
            raise FloatRangeError
        weight, bias = layer.weight.approx, layer.bias.approx
        if k == 0 and not frame.plain:
            weight = _floats(layer.weight_exact * frame.basis)
            bias = _floats(layer.weight_exact * frame.origin + layer.bias_exact).ravel()
        weights.append(np.ascontiguousarray(weight).ravel())
        biases.append(bias)
    sizes = [w.size for w in weights]
    return BoundArrays(
        units=units,
        unit_start=np.concatenate([[0], np.cumsum(units)]).astype(np.int64),
        weight=np.concatenate(weights),
        weight_start=np.cumsum(sizes)[:-1].astype(np.int64),
        bias=np.concatenate(biases),
        slope_neg=np.concatenate([np.zeros(0), *(layer.slope_neg.approx for layer in hidden)]),
        slope_pos=np.concatenate([np.zeros(0), *(layer.slope_pos.approx for layer in hidden)]),
        rows=np.ascontiguousarray(rows[:, :-1]),
        constant=np.ascontiguousarray(rows[:, -1]),
        disjunct_start=starts,
        twins=int(twins),
    )


def has_twins(network: Network) -> bool:
    """Whether unit i and unit n + i of every hidden layer of 2 n units have the same slopes.

    Such units are *twins*. Those of a difference of two networks of one shape are nearly the same,
    if the networks are (:func:`polyrank.verification.pair.difference_network`).
    """
    hidden = network.layers[:-1] if _is_affine(network.layers[-1]) else network.layers
    return bool(hidden) and all(
        layer.units % 2 == 0
        and layer.slopes_exact[: layer.units // 2] == layer.slopes_exact[layer.units // 2 :]
        for layer in hidden
    )


def float_box(frame: Frame) -> tuple[Floats, Floats]:
    """The smallest box with float64 bounds around that of a frame; infinite without one.

    Raises
    ------
    UnsupportedError
        If a bound is beyond the range of float64.
    """
    lower, upper = frame.lower, frame.upper
    if lower is None or upper is None:
        return np.full(frame.k, -np.inf), np.full(frame.k, np.inf)
    low = np.array([nearest_float(v) for v in lower], dtype=np.float64)
    high = np.array([nearest_float(v) for v in upper], dtype=np.float64)
    for l, (a, b) in enumerate(zip(lower, upper, strict=True)):
        if math.isfinite(low[l]) and fmpq_from_float(low[l]) > a:
            low[l] = np.nextafter(low[l], -np.inf)
        if math.isfinite(high[l]) and fmpq_from_float(high[l]) < b:
            high[l] = np.nextafter(high[l], np.inf)
        if not (math.isfinite(low[l]) and math.isfinite(high[l])):
            raise UnsupportedError(
                f"input {l} of the domain has bounds beyond 1.8e308, which no box of the search "
                "has; state the domain in other units"
            )
    return low, high


def _is_affine(layer: Layer) -> bool:
    return all(neg == 1 and pos == 1 for neg, pos in layer.slopes_exact)


def _output_matrix(rows: list[OutputRow], outputs: int) -> tuple[fmpq_mat, fmpq_mat]:
    """Rows ``G y + g``, which a violation has ≤ 0."""
    G, g = fmpq_mat(len(rows), outputs), fmpq_mat(len(rows), 1)
    for r, row in enumerate(rows):
        for j, a in row.terms:
            G[r, j] = a
        g[r, 0] = -row.bound
    return G, g


def _scaled(rows: fmpq_mat, starts: NDArray[np.int64]) -> fmpq_mat:
    """Those of a disjunct divided by one power of two where float64 could not hold them."""
    entries: list[fmpq] = []
    table = rows.tolist()
    for first, end in pairwise(starts.tolist()):
        own = [v for row in table[first:end] for v in row]
        excess = max(map(exponent, own), default=0) - _LARGEST_EXPONENT
        entries += own if excess <= 0 else [v / fmpq(1 << excess) for v in own]
    return fmpq_mat(rows.nrows(), rows.ncols(), entries)


def _floats(matrix: fmpq_mat) -> Floats:
    exact = matrix.entries()
    flat = np.array([nearest_float(v) for v in exact], dtype=np.float64)
    if not np.isfinite(flat).all() or underflows(exact, flat):
        raise FloatRangeError
    return flat.reshape(matrix.nrows(), matrix.ncols())
