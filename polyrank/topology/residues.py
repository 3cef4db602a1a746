"""Edge vectors of a manifold, and images of its vertices, modulo a prime."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polyrank.network.modular import Residues, layer_residues, products_mod, residues
from polyrank.network.normal_form import Network
from polyrank.topology.manifold import Manifold
from polyrank.topology.subdivide import Subdivision

__all__ = ["edge_residues", "image_residues"]


def edge_residues(manifold: Manifold, simplices: NDArray[np.int64], prime: int) -> Residues:
    """The edge vectors from the first vertex of every simplex, (f, n, d), modulo the prime."""
    corners = residues(manifold.points, prime)[simplices]
    return np.asarray((corners[:, 1:] - corners[:, :1]).transpose(0, 2, 1) % prime)


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
        weight, bias, low, high = layer_residues(layer, prime)
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
        z = (products_mod(weight, images[k - 1][:, :, None], prime)[:, :, 0] + bias) % prime
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
