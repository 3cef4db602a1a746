"""The facets of all regions from what the blocks of a walk gave, in memory that does not grow."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.graph.arrays import STATISTICS
from polyrank.graph.blocks import Block
from polyrank.graph.region_graph import Closure, Gap, RegionGraph, components_of
from polyrank.native.records import call
from polyrank.regions.directory import disk_errors
from polyrank.regions.scratch import Column, scratch

__all__ = ["Assembly"]

#: Rows that are looked at at once.
_ROWS = 1 << 20
#: An edge that is to be found again.
_WAITING = np.dtype([("edge", "<i8"), ("source", "<i4"), ("target", "<i4")])


class Assembly:
    """Takes in the blocks in order, and puts the facets of every region together.

    An edge that its later region has to find by itself waits, with the block of that region, until
    that block comes: the facet lists are symmetric if every such edge was found again from there,
    and nothing else was.

    Parameters
    ----------
    dimension : int
    ends : sequence of (int, int)
        First region and end of every block.
    names : ndarray of int32
        Bits and walls, by row of the walk.
    """

    def __init__(
        self, dimension: int, ends: Sequence[tuple[int, int]], names: NDArray[np.int32]
    ) -> None:
        self.blocks = 0
        self.gaps: list[Gap] = []
        self._dimension = dimension
        self._last = np.array([end for _, end in ends], np.int64)
        self._names = names
        self._edges = 0
        self._opened = 0
        self._symmetric = True
        self._exact: dict[int, tuple[fmpq, ...]] = {}
        self._statistics: dict[str, int | float] = dict.fromkeys(STATISTICS, 0)
        self._source, self._target = Column(np.int32), Column(np.int32)
        self._unit = Column(np.int32)
        self._walls, self._nowhere = Column(np.int32, 2), Column(np.int32, 2)
        self._owner, self._point = Column(np.int64), Column(np.float64, dimension)
        self._ahead = _Ahead(len(ends))
        #: Edges that have another name at their later end, and that name.
        self._renamed, self._other = Column(np.int64), Column(np.int32)

    def take_in(self, block: Block) -> None:
        """Go on behind a block.

        Raises
        ------
        RunError
            If the disk of the temporary files is full.
        """
        self._find_again(block)
        self._source.append(block.source)
        self._target.append(block.target)
        self._unit.append(self._names[block.row])
        self._walls.append(np.column_stack([block.wall_region, self._names[block.wall_row]]))
        self._nowhere.append(self._named(block.nowhere))
        order = np.argsort(block.owner, kind="stable")
        self._owner.append(block.owner[order] + self._edges)
        self._point.append(block.point[order])
        self._exact |= {e + self._edges: q for e, q in block.exact.items()}
        for name in STATISTICS:
            self._statistics[name] += int(block.statistics[name])
        self.gaps += block.gaps
        self._opened += len(block.opened)
        self._edges += len(block.source)
        self.blocks += 1

    def _find_again(self, block: Block) -> None:
        """Compare the edges that the block's regions have to find with those that they found."""
        later = block.target >= block.end
        is_open = np.zeros(block.end - block.begin, np.bool_)
        is_open[block.opened - block.begin] = True
        mine = np.flatnonzero(~later)
        mine = mine[block.alone[mine] | is_open[block.target[mine] - block.begin]]
        ahead = np.concatenate([self._ahead.taken(self.blocks), self._ends_of(block, mine)])
        found = self._named(block.back)
        order = np.argsort(_key(ahead["source"], ahead["target"]))
        again = np.argsort(_key(found[:, 1], found[:, 0]))
        ahead, found = ahead[order], found[again]
        if np.array_equal(ahead["source"], found[:, 1]) and np.array_equal(
            ahead["target"], found[:, 0]
        ):
            self._renamed.append(ahead["edge"])
            self._other.append(found[:, 2])
        else:
            self._symmetric = False
        across = np.flatnonzero(later)  # none of them is linked within its block
        to = np.searchsorted(self._last, block.target[across], side="right")
        order = np.argsort(to, kind="stable")
        self._ahead.put(to[order], self._ends_of(block, across[order]))

    def _ends_of(self, block: Block, edges: NDArray[np.int64]) -> NDArray[Any]:
        out = np.empty(len(edges), _WAITING)
        out["edge"] = edges + self._edges
        out["source"], out["target"] = block.source[edges], block.target[edges]
        return out

    def _named(self, rows: NDArray[np.int32]) -> NDArray[np.int32]:
        """The rows with the last column named after bits and walls."""
        out = rows.astype(np.int32)
        out[:, -1] = self._names[rows[:, -1]]
        return out

    def graph(self, regions: int) -> tuple[RegionGraph, dict[str, int | float]]:
        """The graph of all blocks, and its statistics; to be asked for once.

        Raises
        ------
        RunError
            If the disk of the temporary files is full.
        """
        source, target, unit = (c.whole() for c in (self._source, self._target, self._unit))
        walls, nowhere = self._walls.whole(), self._nowhere.whole()
        count = 2 * len(source) + len(walls) + len(nowhere)
        start = scratch(regions + 1, np.int64)
        facet_unit, to = scratch(count, np.int32), scratch(count, np.int32)
        call(
            "polyrank_graph_group", source, target, unit, self._mirrored(unit), walls, nowhere,
            start, facet_unit, to,
        )  # fmt: skip
        everywhere = scratch(regions, np.bool_)
        everywhere[:] = True
        components, _ = components_of(source, target, everywhere)
        self._statistics["open"] = self._opened
        graph = RegionGraph(
            dimension=self._dimension,
            facet_start=start,
            facet_unit=facet_unit,
            facet_to=to,
            source=source,
            target=target,
            unit=unit,
            beyond_edge=self._owner.whole(),
            beyond=self._point.whole(),
            beyond_exact=self._exact,
            closure=Closure(
                facets=count,
                wall_facets=len(walls),
                missing=len(nowhere),
                gaps=tuple(self.gaps),
                symmetric=self._symmetric,
                components=components,
            ),
            statistics=self._statistics,
        )
        return graph, self._statistics

    def _mirrored(self, unit: NDArray[np.int32]) -> NDArray[np.int32]:
        """The later region's name of each edge."""
        if not self._symmetric:
            return unit
        edges, names = self._renamed.whole(), self._other.whole()
        out = scratch(len(unit), np.int32)
        out[:] = unit
        for begin in range(0, len(edges), _ROWS):
            out[edges[begin : begin + _ROWS]] = names[begin : begin + _ROWS]
        return out


class _Ahead:
    """Edges that wait for the block of their later region, in one file."""

    def __init__(self, blocks: int) -> None:
        self._where: list[list[tuple[int, int]]] = [[] for _ in range(blocks)]
        self._file = tempfile.SpooledTemporaryFile(1 << 24)  # noqa: SIM115  (as long as this)
        weakref.finalize(self, self._file.close)
        self._end = 0

    def put(self, to: NDArray[np.int64], edges: NDArray[Any]) -> None:
        """Add edges, in the order of the blocks ``to``."""
        if not len(edges):
            return
        with disk_errors(Path(tempfile.gettempdir())):
            self._file.seek(self._end)
            self._file.write(edges.tobytes())
        blocks, begins = np.unique(to, return_index=True)
        for block, begin, end in zip(
            blocks.tolist(), begins.tolist(), [*begins[1:].tolist(), len(to)], strict=True
        ):
            place = self._end + begin * _WAITING.itemsize
            self._where[block].append((place, (end - begin) * _WAITING.itemsize))
        self._end += edges.nbytes

    def taken(self, block: int) -> NDArray[Any]:
        """All that wait for a block."""
        out = bytearray()
        for place, size in self._where[block]:
            self._file.seek(place)
            out += self._file.read(size)
        self._where[block] = []
        return np.frombuffer(out, _WAITING)


def _key(source: NDArray[np.int32], target: NDArray[np.int32]) -> NDArray[np.int64]:
    return source.astype(np.int64) << 32 | target
