"""The low-rank part of a manifold: where a network can collapse it, exactly.

``A_r^K`` is the closure of the union of the maximal cells on which the map through layer K has rank
at most r: a subcomplex. *Tangent* rank (on the cell itself) is what collapses a piece of M: there,
cells of full rank (such as isolated points, or the segments of a curve at r = 1) are left out.
*Ambient* rank (of ``J_K`` on R^n, the ``R_r^K`` of Beshkov and Einevoll, equations 2-4) is offered
beside it, for the codeword alone. A connected component of rank 0 goes to one point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import DomainError
from polyrank.topology.chain import Mask, closure, components, vertex_incidence
from polyrank.topology.restriction import Restriction

__all__ = ["LowRankPart", "LowRankPoint", "low_rank_part", "low_rank_points"]


@dataclass(frozen=True, slots=True, eq=False)
class LowRankPart:
    """``A_r^K`` and its components.

    Attributes
    ----------
    layer, rank : int
        K and r.
    ambient : bool
        Whether the rank is that of ``J_K`` on R^n instead of that on the cell.
    cells : Mask
        The maximal cells of rank at most r (of tangent rank also below their dimension).
    mask : Mask
        Their closure: A.
    components : int
    component_of_vertex : int64 array, shape (f_0,)
        −1 outside A; vertices of M come first.
    images : tuple of tuples of fmpq, or None
        For r = 0, the exact point Φ_K of every component; None for r > 0.
    class_of_component : int64 array or None
        For r = 0, components with the same image have the same number; numbered by first component.
    deficient : int
        Maximal cells outside A whose tangent rank is below their dimension.
    """

    layer: int
    rank: int
    ambient: bool
    cells: Mask
    mask: Mask
    components: int
    component_of_vertex: NDArray[np.int64]
    images: tuple[tuple[fmpq, ...], ...] | None
    class_of_component: NDArray[np.int64] | None
    deficient: int

    @property
    def classes(self) -> int | None:
        """Number of different image points of a rank-0 part."""
        if self.class_of_component is None:
            return None
        return len(np.unique(self.class_of_component))

    def samples(self, restriction: Restriction) -> NDArray[np.int64]:
        """The vertices of M that lie in A."""
        own = restriction.manifold.points.shape[0]
        return np.flatnonzero(self.mask[0][:own])

    def simplices(
        self, restriction: Restriction, dimension: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The d-simplices of M that A meets in dimension d, and those that lie in A entirely.

        Simplices are numbered as in ``restriction.manifold.simplices[dimension]``.
        """
        carrier = restriction.carrier[dimension]
        own = carrier[:, 0] == dimension
        inside = self.mask[dimension]
        meets = np.unique(carrier[own & inside, 1])
        misses = np.unique(carrier[own & ~inside, 1])
        return meets, np.setdiff1d(meets, misses)


def low_rank_part(
    restriction: Restriction, layer: int, rank: int, *, ambient: bool = False
) -> LowRankPart:
    """The part of M where the map through one layer has rank at most r.

    Parameters
    ----------
    restriction : Restriction
    layer : int
        K, 1-based.
    rank : int
        r ≥ 0.
    ambient : bool
        Use the rank of ``J_K`` on R^n.

    Returns
    -------
    LowRankPart
        **Proves** which maximal cells have rank at most r and, for r = 0, the image points.

    Raises
    ------
    DomainError
        If there is no such layer, or the rank is negative.
    """
    restriction.check_layer(layer)
    if rank < 0:
        raise DomainError(f"the rank must be at least 0, got {rank}")
    ranks = restriction.ambient_rank if ambient else restriction.tangent_rank
    chosen = tuple(
        m & (r[:, layer - 1] <= (rank if ambient else min(rank, d - 1)))
        for d, (m, r) in enumerate(zip(restriction.maximal, ranks, strict=True))
    )
    mask = closure(restriction.complex, chosen)
    count, of_vertex = components(restriction.complex, mask)
    deficient = 0
    for d, (m, inside, own) in enumerate(
        zip(restriction.maximal, chosen, restriction.tangent_rank, strict=True)
    ):
        deficient += int((m & ~inside & (own[:, layer - 1] < d)).sum())
    images, classes = None, None
    if rank == 0:
        first = _first_vertices(of_vertex, count)
        images = tuple(restriction.exact_image(v, layer) for v in first)
        numbers: dict[tuple[fmpq, ...], int] = {}
        classes = np.array([numbers.setdefault(p, len(numbers)) for p in images], np.int64)
    return LowRankPart(
        layer, rank, ambient, chosen, mask, count, of_vertex, images, classes, deficient
    )


def _first_vertices(of_vertex: NDArray[np.int64], count: int) -> list[int]:
    inside = np.flatnonzero(of_vertex >= 0)
    numbers, first = np.unique(of_vertex[inside], return_index=True)
    if len(numbers) != count:
        raise AssertionError(f"{count} components, but {len(numbers)} have vertices")
    return [int(v) for v in inside[first]]


@dataclass(frozen=True, slots=True)
class LowRankPoint:
    """A rational point strictly inside a maximal cell of the low-rank part.

    Attributes
    ----------
    dimension, cell : int
        The cell.
    component : int
        Its component of A.
    simplex : tuple of int
        The vertices of the simplex of M that contains the point in its interior.
    weights : tuple of fmpq
        Barycentric coordinates with respect to these, positive, summing to 1.
    point : tuple of fmpq
        The point of R^n.
    """

    dimension: int
    cell: int
    component: int
    simplex: tuple[int, ...]
    weights: tuple[fmpq, ...]
    point: tuple[fmpq, ...]


def low_rank_points(restriction: Restriction, part: LowRankPart) -> list[LowRankPoint]:
    """One rational point for every maximal cell of the low-rank part.

    **Proves**, with the exact ranks, that M meets the set of rank at most r: the point lies in M,
    and every unit has the sign of the cell there.
    """
    manifold = restriction.manifold
    out = []
    for d, chosen in enumerate(part.cells):
        if not chosen.any():
            continue
        incidence = vertex_incidence(restriction.complex, d)
        for c in np.flatnonzero(chosen).tolist():
            simplex = manifold.simplices[d][restriction.carrier[d][c, 1]].tolist()
            weights = restriction.witnesses.point(d, c)
            point = [fmpq(0)] * manifold.ambient
            for weight, v in zip(weights, simplex, strict=True):
                point = [a + weight * b for a, b in zip(point, manifold.point(v), strict=True)]
            vertex = int(incidence.indices[incidence.indptr[c]])
            component = int(part.component_of_vertex[vertex])
            out.append(LowRankPoint(d, c, component, tuple(simplex), weights, tuple(point)))
    return out
