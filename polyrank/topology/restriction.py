"""A network restricted to a manifold: the cells, their ranks, their images, points inside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.brief import brief
from polyrank.cells.threads import check_jobs
from polyrank.chains.chain import ChainComplex
from polyrank.errors import DomainError
from polyrank.network.forward import pack_bits
from polyrank.network.normal_form import Network
from polyrank.topology.manifold import Manifold, maximal_cells
from polyrank.topology.ranks import ambient_ranks, tangent_ranks
from polyrank.topology.subdivide import Subdivision, subdivide
from polyrank.topology.vertices import VertexTable
from polyrank.topology.witness import Witnesses, witnesses

__all__ = ["Restriction", "restrict"]


@brief(manifold=lambda cells: cells.manifold.name, cells=lambda cells: cells.complex.cells)
@dataclass(frozen=True, eq=False)
class Restriction:
    """The regular cell complex into which a network divides a manifold M.

    A d-cell is the set of points of the interior of one simplex of M (its *carrier*) with one sign
    vector; both are exact. The network is affine on the closure of every cell.

    Attributes
    ----------
    network : Network
    manifold : Manifold
    complex : ChainComplex
        The cells with their incidence numbers, ∂∂ = 0 checked.
    signs : tuple of int8 arrays, shape (f_d, N)
        −1, 0, +1 over the N units with a hyperplane.
    carrier : tuple of int64 arrays, shape (f_d, 2)
        Dimension and number of the carrier.
    tangent_rank : tuple of int16 arrays, shape (f_d, L)
        Rank of Φ_K on the cell itself, K = 1..L: the dimension of the cell's image.
    vertices : VertexTable
        Exact coordinates on demand; vertex v < V is the point v of M.

    Notes
    -----
    **Proves**: these are all the cells, each once; their incidences and ranks.
    **Does not prove** anything about overlaps: images of different cells may meet.
    """

    network: Network
    manifold: Manifold
    complex: ChainComplex
    signs: tuple[NDArray[np.int8], ...]
    carrier: tuple[NDArray[np.int64], ...]
    tangent_rank: tuple[NDArray[np.int16], ...]
    vertices: VertexTable

    @property
    def layers(self) -> int:
        """Number L of layers with a rank."""
        return int(self.tangent_rank[0].shape[1])

    @cached_property
    def maximal(self) -> tuple[NDArray[np.bool_], ...]:
        """Per dimension, the cells that are faces of no other: the pieces on which Φ is affine."""
        return maximal_cells(self.complex)

    @cached_property
    def ambient_rank(self) -> tuple[NDArray[np.int16], ...]:
        """Per dimension, (f_d, L): rank of ``J_K`` on R^n for the cell's codeword."""
        return tuple(ambient_ranks(self.network, s)[:, : self.layers] for s in self.signs)

    def codewords(self, dimension: int) -> NDArray[np.uint8]:
        """Codewords of the d-cells, packed as by :func:`polyrank.network.forward.pack_bits`."""
        return pack_bits(self.signs[dimension] > 0)

    def image_points(self, layer: int) -> NDArray[np.float64]:
        """Φ_K at every vertex, (V, units), in floating point with the exact signs; K = 0: points.

        The image of a cell is the convex hull of the images of its vertices.
        """
        self.check_layer(layer, least=0)
        h = self.vertices.points()
        column = 0
        with np.errstate(all="ignore"):
            for step in self.network.layers[:layer]:
                z = h @ step.weight.approx.T + step.bias.approx
                count = int(step.has_hyperplane.sum())
                sign = np.ones(z.shape, np.int8)
                sign[:, step.has_hyperplane] = self.signs[0][:, column : column + count]
                column += count
                slope = np.where(sign > 0, step.slope_pos.approx, step.slope_neg.approx)
                h = np.where((sign == 0) | (slope == 0), 0.0, slope * z)
        return h

    def exact_image(self, vertex: int, layer: int) -> tuple[fmpq, ...]:
        """Φ_K at a vertex, exact."""
        self.check_layer(layer, least=0)
        return tuple(self.vertices.exact_image(vertex, layer))

    @cached_property
    def witnesses(self) -> Witnesses:
        """A rational point strictly inside every maximal cell, every sign checked."""
        return witnesses(self.network, self.manifold, self.complex, self.maximal, self._cut)

    @property
    def _cut(self) -> Subdivision:
        return Subdivision(
            list(self.complex.boundary), list(self.signs), list(self.carrier), self.vertices
        )

    def check_layer(self, layer: int, *, least: int = 1) -> None:
        """Refuse a layer that has no rank.

        Raises
        ------
        DomainError
            If ``layer`` is not within least..L.
        """
        if not least <= layer <= self.layers:
            raise DomainError(f"layer {layer} must be between {least} and {self.layers}")


def restrict(
    network: Network,
    manifold: Manifold,
    *,
    through_layer: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
    jobs: int | None = None,
) -> Restriction:
    """Divide a manifold into the cells of a network, with exact ranks.

    Parameters
    ----------
    network : Network
    manifold : Manifold
    through_layer : int, optional
        Use the layers 1..K only.
    progress : callable, optional
        Called with (units done, units).
    jobs : int, optional
        Threads that work out the ranks of the cells; what is found does not depend on them.
        Default: all that this process may use.

    Raises
    ------
    DomainError
        If the manifold lies in another space than the network's inputs, or there is no layer K.
    ValueError
        If ``jobs`` is less than 1.

    Examples
    --------
    >>> from polyrank.topology.shapes import shape
    >>> folded = Network.from_arrays([[[0.0, 1.0], [0.0, -1.0]], [[1.0, 1.0]]], [[0, 0], [0]])
    >>> found = restrict(folded, shape("circle:4"))
    >>> found.complex.cells, found.tangent_rank[1][:, 0].tolist()
    ((4, 4), [1, 1, 1, 1])
    """
    check_jobs(jobs)
    depth = len(network.layers)
    if through_layer is not None and not 1 <= through_layer <= depth:
        raise DomainError(f"layer {through_layer} must be between 1 and {depth}")
    if through_layer is not None:
        network = Network(network.layers[:through_layer], network.name, network.source)
    sub = subdivide(network, manifold, progress=progress)
    ranks = tangent_ranks(network, sub, jobs=jobs)
    return Restriction(
        network,
        manifold,
        sub.complex,
        tuple(sub.signs),
        tuple(sub.carrier),
        tuple(ranks),
        sub.vertices,
    )
