"""Which units of a layer depend on each other whatever the region: ties, directions, ranks."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from flint import fmpq_mat
from numpy.typing import NDArray

from polyrank.native.records import call
from polyrank.network.normal_form import Layer

__all__ = ["Units", "directions", "ties", "units_of", "weight_rank"]

#: Largest matrix whose exact rank is worth knowing beforehand.
_RANK_ENTRIES = 2_000
#: Layers are compared by identity.
_LAYERS = 256

Multiples = tuple[NDArray[np.int64], NDArray[np.int8]]


class Units(NamedTuple):
    """What is known of the units of some layers beforehand; all arrays but the first are per unit.

    Attributes
    ----------
    unit_start : array of int64, shape (layers + 1,)
        First unit of every layer.
    hyperplane : array of bool
    tie, tie_sign : arrays
        As :func:`ties` has them.
    """

    unit_start: NDArray[np.int64]
    hyperplane: NDArray[np.bool_]
    tie: NDArray[np.int64]
    tie_sign: NDArray[np.int8]


def units_of(layers: tuple[Layer, ...], first: fmpq_mat) -> Units:
    """The units of some layers; ``first`` are the exact rows of layer 1, as for :func:`ties`."""
    start = np.cumsum([0, *(layer.units for layer in layers)], dtype=np.int64)
    plane = np.concatenate([layer.has_hyperplane for layer in layers])
    return Units(start, plane, *ties(layers, first))


def ties(layers: tuple[Layer, ...], first: fmpq_mat | NDArray[np.float64] | None) -> Multiples:
    """Units whose (weight, bias) row is a multiple of an earlier unit's row of the same layer.

    Parameters
    ----------
    layers : tuple of Layer
    first : fmpq_mat or array of float64, shape (units, d + 1), or None
        Positive multiples of the rows of layer 1 in the coordinates of the search. None where
        these are the inputs: then its weights and biases tell.

    Returns
    -------
    tie : array of int64, shape (units of all layers,)
        The first unit of the layer that a unit is a multiple of; −1 for none. Units without a
        hyperplane and rows that are zero have none and are none.
    sign : array of int8
        Sign of the factor; 1 where there is none.
    """
    if first is None:
        found = [_layer_multiples(layers[0])]
    elif isinstance(first, np.ndarray):
        found = [_float_multiples(first)]
    else:
        found = [_exact_multiples(first)]
    found += [_layer_multiples(layer) for layer in layers[1:]]
    tie, sign = [], []
    for layer, (of, factor) in zip(layers, found, strict=True):
        plane = layer.has_hyperplane
        # the earlier unit has to have a hyperplane as well: count anew among those that do
        heads: dict[int, int] = {}
        own = np.full(layer.units, -1, dtype=np.int64)
        signs = np.ones(layer.units, dtype=np.int8)
        for i in np.flatnonzero(plane & (of >= 0)).tolist():
            j = heads.setdefault(int(of[i]), i)
            if j != i:
                own[i], signs[i] = j, factor[i] * factor[j]
        tie.append(own)
        sign.append(signs)
    return np.concatenate(tie), np.concatenate(sign)


def directions(layers: tuple[Layer, ...]) -> NDArray[np.int64]:
    """Per unit the first unit of its layer whose weight row is a multiple of its own, or itself.

    −1 for a unit whose weights are all zero.
    """
    return np.concatenate([_layer_directions(layer) for layer in layers])


@lru_cache(maxsize=_LAYERS)
def weight_rank(layer: Layer, most: int) -> int:
    """A bound of the rank of a layer's weight: the rank or ``most``, whichever is less.

    Of large matrices that are not found to have rank ``most`` it is the number of rows or columns.
    """
    smaller = min(layer.weight.shape)
    if most == 0:
        return 0
    if most <= smaller and layer.weight.is_float:
        found = call("polyrank_independent_rows", layer.weight.approx, most)
        if found < 0:
            raise MemoryError("the weights' rank does not fit into memory")
        if found:
            return most
    if layer.weight.shape[0] * layer.weight.shape[1] > _RANK_ENTRIES:
        return smaller
    return int(layer.weight.to_fmpq_mat().rank())


@lru_cache(maxsize=_LAYERS)
def _layer_directions(layer: Layer) -> NDArray[np.int64]:
    if not layer.weight.is_float:
        return np.arange(layer.units)
    of, _ = _float_multiples(layer.weight.approx)
    return of


@lru_cache(maxsize=_LAYERS)
def _layer_multiples(layer: Layer) -> Multiples:
    if layer.weight.is_float and layer.bias.is_float:
        return _float_multiples(np.column_stack([layer.weight.approx, layer.bias.approx]))
    weight, bias = layer.weight.to_fmpq_mat(), layer.bias.to_fmpq_mat()
    width = weight.ncols()
    rows = fmpq_mat(layer.units, width + 1)
    for i in range(layer.units):
        for l in range(width):
            rows[i, l] = weight[i, l]
        rows[i, width] = bias[i, 0]
    return _exact_multiples(rows)


def _exact_multiples(rows: fmpq_mat) -> Multiples:
    """Per row the first one that it is a multiple of, possibly itself; −1 for a zero row."""
    of = np.full(rows.nrows(), -1, dtype=np.int64)
    factor = np.ones(rows.nrows(), dtype=np.int8)
    seen: dict[tuple[tuple[int, int], ...], int] = {}
    for i, entries in enumerate(rows.tolist()):
        lead = next((v for v in entries if v != 0), None)
        if lead is None:
            continue
        scaled = [v / lead for v in entries]
        of[i] = seen.setdefault(tuple([(int(v.p), int(v.q)) for v in scaled]), i)
        factor[i] = 1 if lead > 0 else -1
    return of, factor


def _float_multiples(table: NDArray[np.float64]) -> Multiples:
    """The same for float rows."""
    of = np.empty(len(table), dtype=np.int64)
    factor = np.empty(len(table), dtype=np.int8)
    if not call("polyrank_find_multiples", np.ascontiguousarray(table), of, factor):
        raise MemoryError("the rows' quotients do not fit into memory")
    return of, factor
