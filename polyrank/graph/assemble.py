"""Facet lists and the closure check from the edges, wall facets and gaps that a walk left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from polyrank.graph.region_graph import MISSING, WALL, Closure, Gap, RegionGraph

__all__ = ["Edges", "Facets", "assemble"]


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """The edges, each from the earlier region, and the points that prove them.

    ``alone`` marks the edges that the later region has to find by itself, in ``Facets.back``.
    """

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    unit: NDArray[np.int32]
    alone: NDArray[np.bool_]
    point_edge: NDArray[np.int64]
    point: NDArray[np.float64]
    exact: Mapping[int, tuple[fmpq, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Facets:
    """Facets that are no edges: (region, earlier region, unit), (region, wall), (region, unit)."""

    back: NDArray[np.int32]
    walls: NDArray[np.int32]
    nowhere: NDArray[np.int32]


def assemble(
    *,
    dimension: int,
    regions: int,
    edges: Edges,
    facets: Facets,
    gaps: tuple[Gap, ...],
    statistics: Mapping[str, Any],
) -> RegionGraph:
    """Put the facets of every region together.

    The facet lists are symmetric if every edge that was found from one side only on its own was
    found again from the other, and nothing else was.
    """
    forth = np.flatnonzero(edges.alone)
    n = max(1, regions)
    ahead = edges.source[forth].astype(np.int64) * n + edges.target[forth]
    behind = facets.back[:, 1].astype(np.int64) * n + facets.back[:, 0]
    order, back_order = np.argsort(ahead), np.argsort(behind)
    symmetric = bool(np.array_equal(ahead[order], behind[back_order]))
    mirrored = edges.unit
    if symmetric and len(forth):
        # the later region's own name of the facet
        mirrored = edges.unit.copy()
        mirrored[forth[order]] = facets.back[back_order, 2]
    owner = np.concatenate([edges.source, edges.target, facets.walls[:, 0], facets.nowhere[:, 0]])
    count = np.bincount(owner, minlength=regions)
    start = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    place = _grouped(owner, regions)
    unit = np.concatenate([edges.unit, mirrored, facets.walls[:, 1], facets.nowhere[:, 1]])[place]
    to = np.concatenate(
        [
            edges.target,
            edges.source,
            np.full(len(facets.walls), WALL, dtype=np.int32),
            np.full(len(facets.nowhere), MISSING, dtype=np.int32),
        ]
    )[place]
    components = 0
    if regions:
        joined = csr_array(
            (np.ones(len(edges.source), dtype=np.int8), (edges.source, edges.target)),
            shape=(regions, regions),
        )
        components = int(connected_components(joined, directed=False)[0])
    by_edge = np.argsort(edges.point_edge, kind="stable")
    return RegionGraph(
        dimension=dimension,
        facet_start=start,
        facet_unit=unit,
        facet_to=to,
        source=edges.source,
        target=edges.target,
        unit=edges.unit,
        beyond_edge=edges.point_edge[by_edge],
        beyond=edges.point[by_edge],
        beyond_exact=edges.exact,
        closure=Closure(
            facets=len(to),
            wall_facets=len(facets.walls),
            gaps=gaps,
            symmetric=symmetric,
            components=components,
        ),
        statistics=statistics,
    )


def _grouped(owner: NDArray[np.int32], groups: int) -> NDArray[np.int64]:
    """A stable order by owner, in linear time: the columns of a sparse matrix by rows."""
    size = len(owner)
    table = csr_array(
        (np.ones(size, dtype=np.int8), owner, np.arange(size + 1)), shape=(size, max(1, groups))
    ).tocsc()
    return np.asarray(table.indices)
