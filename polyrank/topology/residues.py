"""Arithmetic modulo a prime on many matrices at once: proven lower bounds of ranks over ℚ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DomainError
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
    "residues",
]

#: Sums of 512 products below PRIME² are below 2**53: float64 adds them exactly.
PRIME = 4_194_301
_TERMS = 512

Residues = NDArray[np.int64]
#: Weight, bias, negative and positive slopes modulo the prime.
ReducedLayer = tuple[Residues, Residues, Residues, Residues]


def residues(array: RationalArray) -> Residues:
    """Exact entries modulo the prime.

    Raises
    ------
    DomainError
        If the prime divides a denominator.
    """
    out = []
    for v in array.entries():
        q = int(v.q) % PRIME
        if q == 0:
            raise DomainError(f"{v} has a denominator that {PRIME} divides, which is not supported")
        out.append(int(v.p) % PRIME * (pow(q, -1, PRIME) if q != 1 else 1) % PRIME)
    return np.array(out, dtype=np.int64).reshape(array.shape)


def reduced_layer(layer: Layer) -> ReducedLayer:
    """The exact numbers of a layer modulo the prime."""
    return (
        residues(layer.weight),
        residues(layer.bias),
        residues(layer.slope_neg),
        residues(layer.slope_pos),
    )


def edge_residues(manifold: Manifold, simplices: NDArray[np.int64]) -> Residues:
    """The edge vectors from the first vertex of every simplex, (f, n, d), modulo the prime."""
    corners = residues(manifold.points)[simplices]
    return np.asarray((corners[:, 1:] - corners[:, :1]).transpose(0, 2, 1) % PRIME)


def product(weight: Residues, J: Residues) -> Residues:
    """``weight · J_i`` modulo the prime for all i; J of shape (f, inputs, columns)."""
    count, inputs, columns = J.shape
    out = np.zeros((weight.shape[0], count * columns), np.int64)
    flat = J.transpose(1, 0, 2).reshape(inputs, count * columns).astype(np.float64)
    for start in range(0, inputs, _TERMS):
        part = slice(start, start + _TERMS)
        out += (weight[:, part].astype(np.float64) @ flat[part]).astype(np.int64) % PRIME
    return np.asarray((out % PRIME).reshape(-1, count, columns).transpose(1, 0, 2))


def modular_rank(matrices: Residues) -> NDArray[np.int64]:
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
        M = (M * pivot[:, None, None] % PRIME - factor[:, :, None] * pivot_row[:, None, :]) % PRIME
        free[here[has], at[has]] = False
        rank += has
    return rank


def image_residues(
    network: Network, sub: Subdivision, layers: int
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
    images[0][:first] = residues(table.manifold.points)
    usable = np.ones(table.count, dtype=bool)
    starts = np.flatnonzero(np.diff(table.layer, prepend=0) | np.diff(table.unit, prepend=-1))
    starts = starts[starts >= first]
    batches = list(zip(starts.tolist(), [*starts[1:].tolist(), table.count], strict=True))
    column, at = 0, 0
    for k, layer in enumerate(network.layers[:layers], start=1):
        weight, bias, low, high = reduced_layer(layer)
        while at < len(batches) and table.layer[batches[at][0]] == k:
            start, stop = batches[at]
            a, b = table.ends[start:stop].T
            row = weight[table.unit[start]]
            up = ((images[k - 1][a] * row % PRIME).sum(axis=1) + bias[table.unit[start]]) % PRIME
            down = ((images[k - 1][b] * row % PRIME).sum(axis=1) + bias[table.unit[start]]) % PRIME
            gap = (up - down) % PRIME
            usable[start:stop] = usable[a] & usable[b] & (gap != 0)
            share = up * _inverses(gap) % PRIME
            for image in images[:k]:
                slope = (image[b] - image[a]) % PRIME
                image[start:stop] = (image[a] + share[:, None] * slope) % PRIME
            at += 1
        z = (product(weight, images[k - 1][:, :, None])[:, :, 0] + bias) % PRIME
        split = layer.has_hyperplane
        positive = np.ones((table.count, layer.units), dtype=bool)
        positive[:, split] = sub.signs[0][:, column : column + int(split.sum())] > 0
        column += int(split.sum())
        images[k] = z * np.where(positive, high, low) % PRIME
    return images[1:], usable


def _inverses(values: Residues) -> Residues:
    """``v^(p − 2)``: the inverse of v modulo the prime, 0 of 0."""
    out, base, exponent = np.ones_like(values), values % PRIME, PRIME - 2
    while exponent:
        if exponent & 1:
            out = out * base % PRIME
        base = base * base % PRIME
        exponent >>= 1
    return out
