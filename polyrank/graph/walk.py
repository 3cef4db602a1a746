"""The walk of the native core over a run's regions: the facets of every region, with proofs.

``polyrank/native/src/facet_walk.hpp`` and the headers that it names have the method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyrank.graph.arrays import STATISTICS, Codes
from polyrank.native.records import Handle, Record, call
from polyrank.posed.arrays import NetArrays

__all__ = ["Found", "Odd", "Walk"]


@dataclass(frozen=True, slots=True, eq=False)
class Odd:
    """Facets that are no edges, and the points that prove facets.

    Attributes
    ----------
    facet : ndarray of int64, shape (f, 3)
        (region, target or MISSING or PENDING, row): a facet that leads back or nowhere, or where
        rationals must say; (region, CANDIDATE, row): a row of an open region that may be one (all
        rows, if none is named).
    owner : ndarray of int64, shape (p,)
        The edge of each point, or −1 − i for row i of ``facet``.
    point : ndarray of float64, shape (p, k)
        Chart points just beyond the facet. Edges without one cross at the segment to the target's
        witness.
    """

    facet: NDArray[np.int64]
    owner: NDArray[np.int64]
    point: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Edges (each from the earlier region), wall facets, and which regions rationals must settle.

    ``edge_next`` is UNLINKED for an edge that its target finds by itself.
    """

    edge_source: NDArray[np.int32]
    edge_target: NDArray[np.int32]
    edge_row: NDArray[np.int32]
    edge_next: NDArray[np.int32]
    wall_region: NDArray[np.int32]
    wall_row: NDArray[np.int32]
    is_open: NDArray[np.bool_]


class Walk:
    """A walk, region by region in the order of the run."""

    __slots__ = ("_codes", "_handle", "_net")

    def __init__(self, net: NetArrays, codes: Codes, dim: int, own_walls: int, layers: int) -> None:
        # the core reads their arrays, which live as long as the walk
        self._net, self._codes = Record(net), Record(codes)
        pointer = call(
            "polyrank_graph_new", self._net, self._codes, dim, own_walls, layers,
            restype=Handle.pointer_type,
        )  # fmt: skip
        self._handle = Handle(pointer, "polyrank_graph_free")

    def link(
        self, source: NDArray[np.int32], target: NDArray[np.int32], row: NDArray[np.int32]
    ) -> None:
        """Take in edges from earlier regions, which their targets need not find again.

        They come first among the edges of :meth:`found`.
        """
        if not call("polyrank_graph_link", self._handle, source, target, row):
            raise MemoryError("the edges of earlier regions do not fit into memory")

    def advance(self, begin: int, end: int) -> None:
        """Find the facets of the regions ``begin .. end − 1``."""
        if not call("polyrank_graph_walk", self._handle, begin, end):
            raise MemoryError(f"the edges of the first {end} regions do not fit into memory")

    def found(self) -> Found:
        """All edges and wall facets, at the end of the walk: they are handed out once."""
        sizes = self._sizes()
        source, target, row, following = (np.empty(sizes[0], np.int32) for _ in range(4))
        wall_region, wall_row = (np.empty(sizes[1], np.int32) for _ in range(2))
        is_open = np.empty(len(self._codes.arrays.code), np.bool_)
        call("polyrank_graph_edges", self._handle, source, target, row, following)
        call("polyrank_graph_walls", self._handle, wall_region, wall_row)
        call("polyrank_graph_open", self._handle, is_open)
        return Found(source, target, row, following, wall_region, wall_row, is_open)

    def take(self) -> Odd:
        """Odd facets and points found since the last call."""
        _, _, odd, points = self._sizes()
        dim = self._codes.arrays.witness.shape[1]
        out = Odd(np.empty((odd, 3), np.int64), np.empty(points, np.int64), np.empty((points, dim)))
        call("polyrank_graph_take", self._handle, out.facet, out.owner, out.point)
        return out

    def statistics(self) -> dict[str, int]:
        """Counters of the ladder."""
        out = np.zeros(len(STATISTICS), np.int64)
        call("polyrank_graph_statistics", self._handle, out)
        return dict(zip(STATISTICS, out.tolist(), strict=True))

    def _sizes(self) -> list[int]:
        out = np.zeros(4, np.int64)
        call("polyrank_graph_sizes", self._handle, out)
        return [int(v) for v in out]
