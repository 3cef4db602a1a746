"""Rational points strictly inside cells, with every sign proved at the point itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.chains.chain import ChainComplex, vertex_incidence
from polyrank.errors import RefutedError
from polyrank.network.composition import exact_step
from polyrank.network.normal_form import Network
from polyrank.topology.manifold import Manifold
from polyrank.topology.subdivide import Subdivision
from polyrank.topology.vertices import LayerValues, U, activated, affine_step

__all__ = ["Witnesses", "witnesses"]


@dataclass(frozen=True, slots=True, eq=False)
class Witnesses:
    """One point per maximal cell, in barycentric coordinates of the simplex that carries it.

    Attributes
    ----------
    weights : tuple of float64 arrays, shape (f_d, d)
        Per dimension, the weights of the carrier's corners 1..d, exact dyadic rationals; corner 0
        has the rest of 1. NaN for cells that are not maximal and where only ``exact`` will do.
    exact : dict
        ``(dimension, cell)`` → weights as rationals, for cells that contain no such float point.
    """

    weights: tuple[NDArray[np.float64], ...]
    exact: dict[tuple[int, int], tuple[fmpq, ...]]

    def point(self, dimension: int, cell: int) -> tuple[fmpq, ...]:
        """All d + 1 barycentric coordinates of the witness of a maximal cell, exact."""
        found = self.exact.get((dimension, cell))
        if found is None:
            row = self.weights[dimension][cell].tolist()
            found = tuple(fmpq(*float(v).as_integer_ratio()) for v in row)
        return (1 - sum(found, fmpq(0)), *found)


def witnesses(
    network: Network,
    manifold: Manifold,
    complex_: ChainComplex,
    maximal: tuple[NDArray[np.bool_], ...],
    sub: Subdivision,
) -> Witnesses:
    """A witness for every maximal cell.

    **Proves** that the cells are not empty: at every witness each unit has the sign of the cell,
    by a rigorous floating-point bound or in rational arithmetic; a unit whose sign is 0 vanishes
    on the whole cell.

    Raises
    ------
    RefutedError
        If an exact point of a cell has another sign than the cell: an internal error.
    """
    weights = []
    exact: dict[tuple[int, int], tuple[fmpq, ...]] = {}
    approximate = sub.vertices.weights
    for d, chosen in enumerate(maximal):
        cells = np.flatnonzero(chosen)
        own = np.full((chosen.size, d), np.nan)
        if not cells.size:
            weights.append(own)
            continue
        incidence = vertex_incidence(complex_, d)[:, cells].tocoo()
        vertex, column = incidence.coords
        corners = manifold.simplices[d][sub.carrier[d][cells, 1]]
        total = np.zeros((cells.size, d + 1))
        for j in range(d + 1):
            there = (sub.vertices.corners[vertex] == corners[column, j : j + 1]) & (
                sub.vertices.corners[vertex] >= 0
            )
            part = np.where(there, approximate[vertex], 0.0).sum(axis=1)
            total[:, j] = np.bincount(column, weights=part, minlength=cells.size)
        total /= np.bincount(column, minlength=cells.size)[:, None]
        point = total[:, 1:]
        own[cells] = point
        fit = _signs_hold(network, manifold, corners, point, sub.signs[d][cells])
        for i in np.flatnonzero(~fit).tolist():
            c = int(cells[i])
            own[c] = np.nan
            exact[d, c] = _barycentre(network, sub, d, c, vertex[column == i], corners[i])
        weights.append(own)
    return Witnesses(tuple(weights), exact)


def _signs_hold(
    network: Network,
    manifold: Manifold,
    corners: NDArray[np.int64],
    weights: NDArray[np.float64],
    signs: NDArray[np.int8],
) -> NDArray[np.bool_]:
    """Where floating point proves that the point is inside its simplex and has these signs."""
    points = manifold.points.approx[corners]
    rest = 1.0 - weights.sum(axis=1)
    fit = (weights > 0).all(axis=1) & (rest > 2.0**-40)
    everything = np.concatenate([rest[:, None], weights], axis=1)
    h = np.einsum("cj,cjn->cn", everything, points)
    terms = 4 * (points.shape[1] + 4)
    error = terms * U * np.abs(points).sum(axis=1) + 1e-290
    column = 0
    with np.errstate(all="ignore"):
        for layer in network.layers:
            z, bound = affine_step(layer, h, error)
            split = layer.has_hyperplane
            count = int(split.sum())
            sign = np.ones(z.shape, np.int8)
            sign[:, split] = signs[:, column : column + count]
            column += count
            certain = (np.abs(z) > bound) & (np.sign(z) == sign)
            fit = fit & (certain | (sign == 0) | ~split).all(axis=1)
            h, error = activated(layer, LayerValues(z, bound, sign))
    return np.asarray(fit)


def _barycentre(
    network: Network,
    sub: Subdivision,
    d: int,
    cell: int,
    vertices: NDArray[np.int64],
    corners: NDArray[np.int64],
) -> tuple[fmpq, ...]:
    parts = [sub.vertices.exact_barycentric(v) for v in vertices.tolist()]
    share = fmpq(1, len(parts))
    weights = [share * sum((p.get(c, fmpq(0)) for p in parts), fmpq(0)) for c in corners.tolist()]
    manifold = sub.vertices.manifold
    point = [fmpq(0)] * manifold.ambient
    for corner, weight in zip(corners.tolist(), weights, strict=True):
        point = [t + weight * v for t, v in zip(point, manifold.point(corner), strict=True)]
    h = fmpq_mat(len(point), 1, point)
    found: list[int] = []
    for layer in network.layers:
        z, h = exact_step(layer, h)
        found += [
            (v > 0) - (v < 0) for v, split in zip(z, layer.has_hyperplane, strict=True) if split
        ]
    if found != sub.signs[d][cell].tolist() or not all(w > 0 for w in weights):
        raise RefutedError(f"the middle of {d}-cell {cell} does not lie in the cell")
    return tuple(weights[1:])
