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

__all__ = ["Found", "Walk"]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a walk found in a block of regions.

    Attributes
    ----------
    edge_source, edge_target, edge_row : ndarray of int32, shape (e,)
        The edges, each from the earlier region.
    alone : ndarray of bool, shape (e,)
        Edges that their target finds by itself.
    wall_region, wall_row : ndarray of int32, shape (w,)
        Facets on the domain's wall.
    is_open : ndarray of bool, shape (regions of the block,)
        The regions that rationals must settle.
    facet : ndarray of int64, shape (f, 3)
        (region, target or MISSING or PENDING, row): a facet that leads back or nowhere, or where
        rationals must say; (region, CANDIDATE, row): a row of an open region that may be one (all
        rows, if none is named).
    owner : ndarray of int64, shape (p,)
        The edge of each point, by its number in the block, or −1 − i for row i of ``facet``.
    point : ndarray of float64, shape (p, k)
        Chart points just beyond the facet. Edges without one cross at the segment to the target's
        witness.
    """

    edge_source: NDArray[np.int32]
    edge_target: NDArray[np.int32]
    edge_row: NDArray[np.int32]
    alone: NDArray[np.bool_]
    wall_region: NDArray[np.int32]
    wall_row: NDArray[np.int32]
    is_open: NDArray[np.bool_]
    facet: NDArray[np.int64]
    owner: NDArray[np.int64]
    point: NDArray[np.float64]


class Walk:
    """A walk over a block of regions, region by region in the order of the run.

    Within the block each facet is proved once, for both its regions; across its ends each region
    proves it for itself. What is found does not depend on other blocks.

    Parameters
    ----------
    net : NetArrays
    codes : Codes
    dim, own_walls, layers : int
    begin, end : int
        The block: the regions ``begin .. end − 1``.
    """

    __slots__ = ("_codes", "_handle", "_net", "_regions")

    def __init__(
        self,
        net: NetArrays,
        codes: Codes,
        dim: int,
        own_walls: int,
        layers: int,
        begin: int,
        end: int,
    ) -> None:
        # the core reads their arrays, which live as long as the walk
        self._net, self._codes = Record(net), Record(codes)
        self._regions = end - begin
        pointer = call(
            "polyrank_graph_new", self._net, self._codes, dim, own_walls, layers, begin, end,
            restype=Handle.pointer_type,
        )  # fmt: skip
        self._handle = Handle(pointer, "polyrank_graph_free")

    def advance(self, begin: int, end: int) -> int:
        """Find the facets of the block's regions ``begin .. end − 1``, the next ones in order.

        Returns
        -------
        int
            How many of them rationals must settle.
        """
        opened = int(call("polyrank_graph_walk", self._handle, begin, end))
        if opened < 0:
            raise MemoryError(f"the edges of the regions up to {end} do not fit into memory")
        return opened

    def found(self) -> Found:
        """What was found in the block."""
        sizes = np.zeros(4, np.int64)
        call("polyrank_graph_sizes", self._handle, sizes)
        edges, walls, odd, points = (int(v) for v in sizes)
        dim = self._codes.arrays.witness.shape[1]
        out = Found(
            edge_source=np.empty(edges, np.int32),
            edge_target=np.empty(edges, np.int32),
            edge_row=np.empty(edges, np.int32),
            alone=np.empty(edges, np.bool_),
            wall_region=np.empty(walls, np.int32),
            wall_row=np.empty(walls, np.int32),
            is_open=np.empty(self._regions, np.bool_),
            facet=np.empty((odd, 3), np.int64),
            owner=np.empty(points, np.int64),
            point=np.empty((points, dim)),
        )
        call(
            "polyrank_graph_edges", self._handle, out.edge_source, out.edge_target, out.edge_row,
            out.alone,
        )  # fmt: skip
        call("polyrank_graph_walls", self._handle, out.wall_region, out.wall_row)
        call("polyrank_graph_odd", self._handle, out.facet, out.owner, out.point, out.is_open)
        return out

    def statistics(self) -> dict[str, int]:
        """Counters of the ladder."""
        out = np.zeros(len(STATISTICS), np.int64)
        call("polyrank_graph_statistics", self._handle, out)
        return dict(zip(STATISTICS, out.tolist(), strict=True))
