"""Which units of a layer depend on each other whatever the region: ties, directions, ranks."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from flint import fmpq_mat
from numpy.typing import NDArray

from polyrank.network.normal_form import Layer
from polyrank.network.rational import fmpq_from_float

__all__ = ["directions", "ties", "weight_rank"]

#: Largest matrix whose exact rank is worth knowing beforehand.
_RANK_ENTRIES = 2_000
#: Layers are compared by identity.
_LAYERS = 256

Multiples = tuple[NDArray[np.int64], NDArray[np.int8]]


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
    if smaller >= most and _has_minor(layer, most):
        return most
    if layer.weight.shape[0] * layer.weight.shape[1] > _RANK_ENTRIES:
        return smaller
    return int(layer.weight.to_fmpq_mat().rank())


def _has_minor(layer: Layer, size: int) -> bool:
    """Whether complete pivoting in floats finds a submatrix whose exact determinant is not 0."""
    if not layer.weight.is_float:
        return False
    table = layer.weight.approx
    rest = table.copy()
    rows, columns = [], []
    for _ in range(size):
        i, j = np.unravel_index(int(np.abs(rest).argmax()), rest.shape)
        if rest[i, j] == 0.0:
            return False
        rows.append(i)
        columns.append(j)
        rest -= np.outer(rest[:, j] / rest[i, j], rest[i])
    minor = [fmpq_from_float(v) for v in table[np.ix_(rows, columns)].ravel().tolist()]
    return bool(fmpq_mat(size, size, minor).det() != 0)


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
    """The same for float rows: equal rationals have equal float quotients, products decide."""
    nonzero = table != 0.0
    lead = nonzero.argmax(axis=1)
    first = table[np.arange(len(table)), lead]
    with np.errstate(all="ignore"):
        scaled = table / first[:, None] + 0.0
    of = np.where(nonzero.any(axis=1), np.arange(len(table)), -1)
    seen: dict[bytes, list[int]] = {}
    for i in np.flatnonzero(of >= 0).tolist():
        group = seen.setdefault(scaled[i].tobytes(), [])
        same = next((j for j in group if _proportional(table[i], table[j], int(lead[i]))), i)
        of[i] = same
        if same == i:
            group.append(i)
    return of, np.where(first < 0.0, -1, 1).astype(np.int8)


def _proportional(row: NDArray[np.float64], other: NDArray[np.float64], lead: int) -> bool:
    own, old = ([fmpq_from_float(v) for v in r.tolist()] for r in (row, other))
    return all(x * old[lead] == y * own[lead] for x, y in zip(own, old, strict=True))
