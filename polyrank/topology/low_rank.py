"""The low-rank part of a manifold: where a network can collapse it, exactly.

``A_r^K`` is the closure of a union of maximal cells on which the map through layer K has rank at
most r: a subcomplex. Two readings of "low rank" are offered by name, see :data:`READINGS`.
*Tangent* rank (on the cell itself) is what collapses a piece of M; *ambient* rank (of ``J_K`` on
R^n, the ``R_r^K`` of Beshkov and Einevoll, equations 2-4) is offered beside it, for the codeword
alone. A connected component on which Φ_K has rank 0 goes to one point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.brief import brief
from polyrank.chains.chain import Mask, closure, components, vertex_incidence
from polyrank.errors import DomainError
from polyrank.topology.restriction import Restriction

__all__ = [
    "READINGS",
    "LowRankPart",
    "LowRankPoint",
    "low_rank_part",
    "low_rank_points",
    "low_rank_summary",
]

LowRankReading = Literal["collapsing", "all"]

#: What the part of rank at most r is made of: one sentence for each reading.
READINGS: Mapping[str, str] = MappingProxyType(
    {
        "collapsing": "the maximal cells of rank at most r whose image has a lower dimension than "
        "the cell: what the map collapses",
        "all": "all maximal cells of rank at most r, also those that the map embeds",
    }
)


@brief("layer", "rank", "components")
@dataclass(frozen=True, slots=True, eq=False)
class LowRankPart:
    """``A_r^K`` and its components.

    Attributes
    ----------
    layer, rank : int
        K and r.
    ambient : bool
        Whether the rank is that of ``J_K`` on R^n instead of that on the cell.
    reading : str
        A key of :data:`READINGS`.
    cells : Mask
        The maximal cells that the reading chooses.
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
    reading: str
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

    @property
    def rank_of(self) -> str:
        """Of which map the rank is."""
        return "J_K on R^n" if self.ambient else "the map on the cell"

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
    restriction: Restriction,
    layer: int,
    rank: int,
    *,
    ambient: bool = False,
    reading: LowRankReading | None = None,
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
    reading : "collapsing" or "all", optional
        See :data:`READINGS`. Default: ``"collapsing"``; with ``ambient``, ``"all"``, which is the
        published ``R_r^K``.

    Returns
    -------
    LowRankPart
        **Proves** which maximal cells have rank at most r and, for r = 0, the image points.

    Raises
    ------
    DomainError
        If there is no such layer or reading, or the rank is negative.
    """
    restriction.check_layer(layer)
    reading = reading or ("all" if ambient else "collapsing")
    if reading not in READINGS:
        raise DomainError(f"the reading {reading!r} is none of {', '.join(READINGS)}")
    if rank < 0:
        raise DomainError(f"no cell has rank < {rank + 1}: expected below = 1 or more")
    ranks = restriction.ambient_rank if ambient else restriction.tangent_rank
    collapsed = [own[:, layer - 1] < d for d, own in enumerate(restriction.tangent_rank)]
    chosen = tuple(
        m & (r[:, layer - 1] <= rank) & (below | (reading == "all"))
        for m, r, below in zip(restriction.maximal, ranks, collapsed, strict=True)
    )
    mask = closure(restriction.complex, chosen)
    count, of_vertex = components(restriction.complex, mask)
    deficient = 0
    for m, inside, below in zip(restriction.maximal, chosen, collapsed, strict=True):
        deficient += int((m & ~inside & below).sum())
    images, classes = None, None
    if rank == 0:
        first = _first_vertices(of_vertex, count)
        images = tuple(restriction.exact_image(v, layer) for v in first)
        numbers: dict[tuple[fmpq, ...], int] = {}
        classes = np.array([numbers.setdefault(p, len(numbers)) for p in images], np.int64)
    return LowRankPart(
        layer, rank, ambient, reading, chosen, mask, count, of_vertex, images, classes, deficient
    )


def low_rank_summary(
    restriction: Restriction,
    rank: int,
    *,
    ambient: bool = False,
    reading: LowRankReading | None = None,
) -> dict[str, Any]:
    """The low-rank part at every layer in numbers; JSON-serialisable."""
    parts = [
        low_rank_part(restriction, k, rank, ambient=ambient, reading=reading)
        for k in range(1, restriction.layers + 1)
    ]
    name = parts[0].reading
    return {
        "rank": rank,
        "rank_of": parts[0].rank_of,
        "low_rank_cells": name,
        "low_rank_cells_are": READINGS[name],
        "layers": [
            {"cells": [int(m.sum()) for m in part.cells], "components": part.components}
            for part in parts
        ],
    }


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
