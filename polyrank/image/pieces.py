"""The pieces of M on which Φ_K is affine, with exact images and rigorous floats beside them.

A *piece of layer K* is the union of all cells of M with one carrier simplex and one sign vector of
the layers 1..K: a convex polytope of the subdivision through layer K alone, whatever later layers
cut. Φ_K is affine on it, so that its image is the convex hull of the images of its vertices. Two
pieces meet in a common face, whose vertices are those that they share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.chains.chain import closure, vertex_incidence
from polyrank.image.hulls import Hulls
from polyrank.image.hyperplane import rounding
from polyrank.network.rational import nearest_float
from polyrank.topology.ranks import position_ranks
from polyrank.topology.restriction import Restriction

__all__ = ["Pieces", "pieces"]

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Pieces(Hulls):
    """Pieces of one layer.

    Attributes
    ----------
    dimension, start, vertex, image, error, source
        As of :class:`~polyrank.image.hulls.Hulls`: the vertices are those v < V_K of the
        restriction, which are the vertices of all pieces of layer K.
    restriction : Restriction
    layer : int
        K; 0 is M itself in R^n.
    rank : int64 array, shape (P,)
        Of Φ_K on the piece: the dimension of its image; ``dimension`` is that of the piece.
    carrier : int64 array, shape (P,)
        Number of the simplex of M that carries the piece: the smallest one that contains it.
    carrier_dimension : int64 array, shape (P,)
    cell_start, cell : int64 arrays, shapes (P + 1,) and (c,)
        Piece p is the union of the ``dimension[p]``-cells
        ``cell[cell_start[p] : cell_start[p + 1]]`` of the restriction.
    """

    restriction: Restriction
    layer: int
    rank: Numbers
    carrier: Numbers
    carrier_dimension: Numbers
    cell_start: Numbers
    cell: Numbers

    @property
    def collapsed(self) -> NDArray[np.bool_]:
        """Which pieces have an image of lower dimension than their own; shape (P,)."""
        return self.rank < self.dimension

    def cells(self, piece: int) -> Numbers:
        """The cells of the restriction whose union is the piece, all of its dimension."""
        return self.cell[self.cell_start[piece] : self.cell_start[piece + 1]]

    def simplex(self, piece: int) -> list[int]:
        """The vertices of M that span the carrier."""
        d, number = int(self.carrier_dimension[piece]), int(self.carrier[piece])
        return [int(v) for v in self.restriction.manifold.simplices[d][number]]

    def signs(self, piece: int) -> NDArray[np.int8]:
        """The sign vector over the units of the layers 1..K."""
        own = self.restriction.signs[int(self.dimension[piece])]
        units = sum(self.restriction.network.bits[: self.layer])
        return np.asarray(own[self.cells(piece)[0], :units])


def pieces(restriction: Restriction, layer: int, *, covering: bool = False) -> Pieces:
    """The pieces of layer K.

    Parameters
    ----------
    restriction : Restriction
    layer : int
        K, 0..L.
    covering : bool
        False: the maximal pieces; they cover M. True: the pieces of full rank that are no face of
        another piece of full rank. Their images cover Φ_K(M) too, since the image of a polytope
        under an affine map that is not injective is that of its boundary; Φ_K is injective on each.

    Returns
    -------
    Pieces
        Ordered by dimension, then by their first cell.

    Raises
    ------
    DomainError
        If there is no layer K.

    Examples
    --------
    >>> from polyrank.network.normal_form import Network
    >>> from polyrank.topology.restriction import restrict
    >>> from polyrank.topology.shapes import shape
    >>> folded = Network.from_arrays([[[0.0, 1.0], [0.0, -1.0]], [[1.0, 1.0]]], [[0, 0], [0]])
    >>> pieces(restrict(folded, shape("circle:4")), 1).rank.tolist()
    [1, 1, 1, 1]
    """
    restriction.check_layer(layer, least=0)
    chosen = _covering(restriction, layer) if covering else restriction.maximal
    units = sum(restriction.network.bits[:layer])
    made = int((restriction.vertices.layer <= layer).sum())
    parts: list[tuple[Numbers, ...]] = []
    for d, mask in enumerate(chosen):
        cells = np.flatnonzero(mask)
        if not cells.size:
            continue
        number, first = _grouped(restriction, d, cells, units)
        order = np.argsort(number, kind="stable")
        incidence = vertex_incidence(restriction.complex, d)[:, cells].tocoo()
        vertex, column = (c.astype(np.int64) for c in incidence.coords)
        own = vertex < made
        pairs = np.unique(number[column[own]] * made + vertex[own])
        rank = _rank(restriction, layer, d)[cells[first]]
        parts.append(
            (
                np.full(first.size, d, np.int64),
                rank.astype(np.int64),
                restriction.carrier[d][cells[first], 1],
                restriction.carrier[d][cells[first], 0],
                np.bincount(pairs // made, minlength=first.size),
                pairs % made,
                np.bincount(number, minlength=first.size),
                cells[order],
            )
        )
    dimension, rank, carrier, of, corners, vertex, members, cell = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    image, error = _images(restriction, layer, made)

    def exact(vertex: int) -> tuple[fmpq, ...]:
        return tuple(restriction.vertices.exact_inputs(vertex, layer).entries())

    return Pieces(
        dimension=dimension,
        start=np.concatenate([[0], np.cumsum(corners)]),
        vertex=vertex,
        image=image,
        error=error,
        source=exact,
        restriction=restriction,
        layer=layer,
        rank=rank,
        carrier=carrier,
        carrier_dimension=of,
        cell_start=np.concatenate([[0], np.cumsum(members)]),
        cell=cell,
    )


def _rank(restriction: Restriction, layer: int, d: int) -> NDArray[Any]:
    """Rank of Φ_K on the d-cells; for K = 0 that of M in R^n on cells of d-simplices, else −1."""
    if layer:
        return np.asarray(restriction.tangent_rank[d][:, layer - 1])
    own, number = restriction.carrier[d].T
    ranks = position_ranks(restriction.network, restriction.manifold)[d]
    return np.where(own == d, ranks[number * (own == d)], -1)


def _grouped(
    restriction: Restriction, d: int, cells: Numbers, units: int
) -> tuple[Numbers, Numbers]:
    """Numbers of the pieces of these d-cells, and the first cell (its place) of every piece."""
    key = _keys(restriction, d, units)[cells]
    _, first, number = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(first.size, np.int64)
    rank[order] = np.arange(first.size)
    return rank[number.ravel()], first[order].astype(np.int64)


def _keys(restriction: Restriction, d: int, units: int) -> NDArray[np.void]:
    """Carrier and signs of the first units of every d-cell, as one opaque value per cell."""
    carrier = np.ascontiguousarray(restriction.carrier[d]).view(np.int8)
    rows = np.concatenate([carrier, restriction.signs[d][:, :units]], axis=1)
    return np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1]))).ravel()


def _covering(restriction: Restriction, layer: int) -> list[NDArray[np.bool_]]:
    """Cells of the pieces of full rank that are no face of a piece of full rank."""
    units = sum(restriction.network.bits[:layer])
    cells = restriction.complex.cells
    chosen = [np.zeros(f, dtype=bool) for f in cells]
    known: set[bytes] = set()
    for d in range(len(cells) - 1, -1, -1):
        keys = _keys(restriction, d, units).tolist()
        # a cell inside a piece of higher dimension is no piece of its own
        own = np.array([k not in known for k in keys], dtype=bool)
        known.update(keys)
        own &= _rank(restriction, layer, d) == d
        chosen[d] = own & ~closure(restriction.complex, chosen)[d]
    return chosen


def _images(restriction: Restriction, layer: int, made: int) -> tuple[Floats, Floats]:
    table = restriction.vertices
    if table.images:
        image, error = table.images[layer]
        with np.errstate(invalid="ignore"):
            unknown = ~(np.isfinite(image) & np.isfinite(error))
        if unknown.any():
            image, error = np.where(unknown, 0.0, image), np.where(unknown, math.inf, error)
        return image, error
    rows = [table.exact_inputs(v, layer).entries() for v in range(made)]
    near = np.array([[nearest_float(v) for v in row] for row in rows], dtype=np.float64)
    zero = np.array([[v == 0 for v in row] for row in rows], dtype=bool)
    return np.where(np.isfinite(near), near, 0.0), rounding(near, zero)
