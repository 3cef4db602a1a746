"""Facet lists and the closure check from the edges, wall facets and gaps that a walk left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.graph.region_graph import Closure, Gap, RegionGraph, components_of
from polyrank.native.records import call

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
    symmetric, mirrored = _mirrored(edges, facets.back, max(1, regions))
    count = 2 * len(edges.source) + len(facets.walls) + len(facets.nowhere)
    start = np.zeros(regions + 1, dtype=np.int64)
    unit = np.zeros(count, dtype=np.int32)
    to = np.zeros(count, dtype=np.int32)
    grouped = call(
        "polyrank_graph_group", edges.source, edges.target, edges.unit, mirrored, facets.walls,
        facets.nowhere, start, unit, to,
    )  # fmt: skip
    if not grouped:
        raise MemoryError(f"the {count} facets of the graph do not fit into memory")
    components, _ = components_of(edges.source, edges.target, np.ones(regions, np.bool_))
    point_edge, point = edges.point_edge, edges.point
    if (point_edge[1:] < point_edge[:-1]).any():
        by_edge = np.argsort(point_edge, kind="stable")
        point_edge, point = point_edge[by_edge], point[by_edge]
    return RegionGraph(
        dimension=dimension,
        facet_start=start,
        facet_unit=unit,
        facet_to=to,
        source=edges.source,
        target=edges.target,
        unit=edges.unit,
        beyond_edge=point_edge,
        beyond=point,
        beyond_exact=edges.exact,
        closure=Closure(
            facets=len(to),
            wall_facets=len(facets.walls),
            missing=len(facets.nowhere),
            gaps=gaps,
            symmetric=symmetric,
            components=components,
        ),
        statistics=statistics,
    )


def _mirrored(
    edges: Edges, back: NDArray[np.int32], regions: int
) -> tuple[bool, NDArray[np.int32]]:
    """Whether the edges that have to be found again were, and the later region's name of each."""
    forth = np.flatnonzero(edges.alone)
    if len(forth) != len(back):
        return False, edges.unit
    if not len(forth):
        return True, edges.unit
    ahead = edges.source[forth].astype(np.int64) * regions + edges.target[forth]
    order = np.argsort(ahead)
    ahead = ahead[order]
    behind = back[:, 1].astype(np.int64) * regions + back[:, 0]
    back_order = np.argsort(behind)
    if not np.array_equal(ahead, behind[back_order]):
        return False, edges.unit
    del ahead, behind
    mirrored = edges.unit.copy()
    mirrored[forth[order]] = back[back_order, 2]
    return True, mirrored
