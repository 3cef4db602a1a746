"""Arithmetic modulo a prime on many matrices at once: proven lower bounds of ranks over ℚ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polyrank.network.modular import fitting_prime, layer_arrays, residues
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray
from polyrank.topology.manifold import Manifold
from polyrank.topology.subdivide import Subdivision

__all__ = [
    "PRIME",
    "ReducedLayer",
    "edge_residues",
    "image_residues",
    "modular_rank",
    "product",
    "reduced_layer",
    "topology_prime",
]

#: The largest prime that is used. Sums of 512 products below PRIME² are below 2**53, which
#: float64 adds exactly.
PRIME = 4_194_301
_TERMS = 512

Residues = NDArray[np.int64]
#: Weight, bias, negative and positive slopes modulo the prime.
ReducedLayer = tuple[Residues, Residues, Residues, Residues]


def topology_prime(network: Network, *arrays: RationalArray) -> int:
    """The largest prime up to ``PRIME`` that divides no denominator of the numbers given."""
    return fitting_prime(PRIME, network, *arrays)


def reduced_layer(layer: Layer, prime: int) -> ReducedLayer:
    """The exact numbers of a layer modulo the prime."""
    weight, bias, low, high = (residues(a, prime) for a in layer_arrays(layer))
    return weight, bias, low, high


def edge_residues(manifold: Manifold, simplices: NDArray[np.int64], prime: int) -> Residues:
    """The edge vectors from the first vertex of every simplex, (f, n, d), modulo the prime."""
    corners = residues(manifold.points, prime)[simplices]
    return np.asarray((corners[:, 1:] - corners[:, :1]).transpose(0, 2, 1) % prime)


def product(weight: Residues, J: Residues, prime: int) -> Residues:
    """``weight · J_i`` modulo the prime for all i; J of shape (f, inputs, columns)."""
    count, inputs, columns = J.shape
    out = np.zeros((weight.shape[0], count * columns), np.int64)
    flat = J.transpose(1, 0, 2).reshape(inputs, count * columns).astype(np.float64)
    for start in range(0, inputs, _TERMS):
        part = slice(start, start + _TERMS)
        out += (weight[:, part].astype(np.float64) @ flat[part]).astype(np.int64) % prime
    return np.asarray((out % prime).reshape(-1, count, columns).transpose(1, 0, 2))


def modular_rank(matrices: Residues, prime: int) -> NDArray[np.int64]:
    """Ranks modulo the prime of matrices (f, rows, columns)."""
    M = matrices.copy()
    count, rows, columns = M.shape
    rank = np.zeros(count, np.int64)
    free = np.ones((count, rows), dtype=bool)
    here = np.arange(count)
    for j in range(columns if rows else 0):
        usable = (M[:, :, j] != 0) & free
        has = usable.any(axis=1)
        at = usable.argmax(axis=1)
        pivot_row = M[here, at]
        pivot = np.where(has, pivot_row[:, j], 1)
        factor = np.where(has[:, None], M[:, :, j], 0)
        M = (M * pivot[:, None, None] % prime - factor[:, :, None] * pivot_row[:, None, :]) % prime
        free[here[has], at[has]] = False
        rank += has
    return rank


def image_residues(
    network: Network, sub: Subdivision, layers: int, prime: int
) -> tuple[list[Residues], NDArray[np.bool_]]:
    """Φ_1, …, Φ_L at all vertices modulo the prime.

    Returns
    -------
    images : list of int64 arrays, shape (V, units)
    usable : bool, shape (V,)
        False where the prime divides a denominator; the residues mean nothing there.
    """
    table = sub.vertices
    first = table.manifold.points.shape[0]
    images = [np.zeros((table.count, w), np.int64) for w in network.widths[: layers + 1]]
    images[0][:first] = residues(table.manifold.points, prime)
    usable = np.ones(table.count, dtype=bool)
    starts = np.flatnonzero(np.diff(table.layer, prepend=0) | np.diff(table.unit, prepend=-1))
    starts = starts[starts >= first]
    batches = list(zip(starts.tolist(), [*starts[1:].tolist(), table.count], strict=True))
    column, at = 0, 0
    for k, layer in enumerate(network.layers[:layers], start=1):
        weight, bias, low, high = reduced_layer(layer, prime)
        while at < len(batches) and table.layer[batches[at][0]] == k:
            start, stop = batches[at]
            a, b = table.ends[start:stop].T
            row = weight[table.unit[start]]
            up = ((images[k - 1][a] * row % prime).sum(axis=1) + bias[table.unit[start]]) % prime
            down = ((images[k - 1][b] * row % prime).sum(axis=1) + bias[table.unit[start]]) % prime
            gap = (up - down) % prime
            usable[start:stop] = usable[a] & usable[b] & (gap != 0)
            share = up * _inverses(gap, prime) % prime
            for image in images[:k]:
                slope = (image[b] - image[a]) % prime
                image[start:stop] = (image[a] + share[:, None] * slope) % prime
            at += 1
        z = (product(weight, images[k - 1][:, :, None], prime)[:, :, 0] + bias) % prime
        split = layer.has_hyperplane
        positive = np.ones((table.count, layer.units), dtype=bool)
        positive[:, split] = sub.signs[0][:, column : column + int(split.sum())] > 0
        column += int(split.sum())
        images[k] = z * np.where(positive, high, low) % prime
    return images[1:], usable


def _inverses(values: Residues, prime: int) -> Residues:
    """``v^(p − 2)``: the inverse of v modulo the prime, 0 of 0."""
    out, base, exponent = np.ones_like(values), values % prime, prime - 2
    while exponent:
        if exponent & 1:
            out = out * base % prime
        base = base * base % prime
        exponent >>= 1
    return out
