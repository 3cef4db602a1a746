"""The adjacency graph of a run's regions as sparse arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.brief import brief
from polyrank.native.records import call
from polyrank.regions.scratch import scratch

if TYPE_CHECKING:
    from flint import fmpq
    from scipy.sparse import csr_array

__all__ = ["MISSING", "WALL", "Closure", "Gap", "RegionGraph", "components_of"]

#: ``facet_to`` of a facet on the domain's wall, and of one behind which no region is listed.
WALL, MISSING = -1, -2


def components_of(
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    keep: NDArray[np.bool_],
    edge: NDArray[np.bool_] | None = None,
) -> tuple[int, NDArray[np.int32]]:
    """Components among the kept regions of a graph; see :meth:`RegionGraph.components`."""
    chosen = np.zeros(0, np.bool_) if edge is None else np.ascontiguousarray(edge, np.bool_)
    labels = scratch(len(keep), np.int32)
    kept = np.ascontiguousarray(keep, np.bool_)
    count = int(call("polyrank_graph_components", source, target, kept, chosen, labels))
    return count, labels


@dataclass(frozen=True, slots=True)
class Gap:
    """A facet behind which the run lists no region.

    Attributes
    ----------
    region : int
        Row of the region.
    unit : int
        Codeword bit whose hyperplane carries the facet.
    beyond : tuple of fmpq
        Chart point just behind the facet, inside the region that is missing.
    codeword : tuple of int
        The missing codeword.
    """

    region: int
    unit: int
    beyond: tuple[fmpq, ...]
    codeword: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Closure:
    """The closure check: whether every facet leads to a listed region or to the wall.

    **Proves**, when ``closed`` and ``connected`` hold for a non-empty list: the listed regions are
    all. A region that is missing lies, by the connectedness of the domain's interior minus
    the cells of codimension two, behind a facet of a listed one. The proof rests on the facets
    alone, not on the search that made the list.

    Attributes
    ----------
    facets, wall_facets : int
        All facets of the listed regions, each counted at both; those on the domain's wall.
    missing : int
        Facets behind which no region is listed.
    gaps : tuple of Gap
        The first of them.
    symmetric : bool
        Every facet between two listed regions was found to be one of both.
    components : int
        Components of the graph of the listed regions.
    """

    facets: int
    wall_facets: int
    missing: int
    gaps: tuple[Gap, ...]
    symmetric: bool
    components: int

    @property
    def closed(self) -> bool:
        """No facet leads nowhere, and every facet is one of both its regions."""
        return not self.missing and self.symmetric

    @property
    def connected(self) -> bool:
        """The graph has one component."""
        return self.components == 1


@brief("dimension", "regions", "edges")
@dataclass(frozen=True, slots=True, eq=False)
class RegionGraph:
    """Facets of every region and the edges between regions.

    Attributes
    ----------
    dimension : int
        Dimension k of the domain.
    facet_start : ndarray of int64, shape (R + 1,)
        The facets of region r are ``facet_start[r] .. facet_start[r + 1] − 1``.
    facet_unit : ndarray of int32, shape (F,)
        Codeword bit whose hyperplane carries the facet (the lowest, where several coincide), or
        −1 − i for wall i of the chart.
    facet_to : ndarray of int32, shape (F,)
        The region behind it, ``WALL`` or ``MISSING``.
    source, target, unit : ndarray of int32, shape (E,)
        The edges, source < target, and the crossed unit.
    beyond_edge : ndarray of int64, shape (P,)
        Edges whose point q is in ``beyond``, ascending; q of the other edges is the target's
        witness, or in ``beyond_exact``.
    beyond : ndarray of float64, shape (P, k)
        Chart points q, exact: strictly behind the facet, and strictly inside every other facet of
        the source. The segment from the source's witness to q leaves the region through
        the relative interior of the shared facet (:func:`polyrank.graph.geometry.crossing`).
    beyond_exact : mapping of int to tuple of fmpq
        The points that are no float64 points, by edge.
    closure : Closure
    statistics : mapping
        ``lps``, ``pivots``, what decided, seconds.

    Notes
    -----
    **Proves**: every edge is a pair of regions that share a facet, and there is no other edge
    between listed regions.
    """

    dimension: int
    facet_start: NDArray[np.int64]
    facet_unit: NDArray[np.int32]
    facet_to: NDArray[np.int32]
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    unit: NDArray[np.int32]
    beyond_edge: NDArray[np.int64]
    beyond: NDArray[np.float64]
    beyond_exact: Mapping[int, tuple[fmpq, ...]]
    closure: Closure
    statistics: Mapping[str, Any]

    @property
    def regions(self) -> int:
        """Number of nodes R."""
        return len(self.facet_start) - 1

    @property
    def edges(self) -> int:
        """Number of edges E."""
        return len(self.source)

    def degrees(self) -> NDArray[np.int64]:
        """Number of neighbours of every region, ``(R,)``."""
        out = np.bincount(self.source, minlength=self.regions)
        return out + np.bincount(self.target, minlength=self.regions)

    def adjacency(self) -> csr_array:
        """Symmetric adjacency matrix ``(R, R)``; entry = crossed unit + 1."""
        from scipy.sparse import csr_array  # noqa: PLC0415  (a tenth of a second of every start)

        rows = np.concatenate([self.source, self.target])
        columns = np.concatenate([self.target, self.source])
        data = np.concatenate([self.unit, self.unit]) + 1
        return csr_array((data, (rows, columns)), shape=(self.regions, self.regions))

    def neighbours(self, region: int) -> NDArray[np.int32]:
        """Regions that share a facet with the given one."""
        mine = self.facet_to[self.facet_start[region] : self.facet_start[region + 1]]
        return np.sort(mine[mine >= 0])

    def wall_facets(self) -> NDArray[np.int64]:
        """Number of facets on the domain's wall per region, ``(R,)``."""
        on_wall = np.concatenate([[0], np.cumsum(self.facet_to == WALL)])
        out: NDArray[np.int64] = on_wall[self.facet_start[1:]] - on_wall[self.facet_start[:-1]]
        return out

    def components(
        self, keep: NDArray[np.bool_], edge: NDArray[np.bool_] | None = None
    ) -> tuple[int, NDArray[np.int32]]:
        """Components through facets among the kept regions, and the component of every region.

        They are numbered by their first region; regions that are not kept have −1. ``edge`` selects
        edges, ``(E,)``.
        """
        return components_of(self.source, self.target, keep, edge)
