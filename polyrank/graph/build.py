"""From a run to its region graph, block by block, so that long work can go on where it was left."""

from __future__ import annotations

import time
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.cells.ordered_work import OrderedWork, Share
from polyrank.cells.threads import asked_threads
from polyrank.graph.arrays import STATISTICS
from polyrank.graph.assemble import Edges, Facets, assemble
from polyrank.graph.blocks import Block, block_ends, packed, unpacked
from polyrank.graph.listed import ListedRegions
from polyrank.graph.making import BlockMaker
from polyrank.graph.region_graph import Gap, RegionGraph
from polyrank.network.normal_form import Network
from polyrank.regions.kept import KEEP_SECONDS, KeptWork
from polyrank.regions.run import Run
from polyrank.stages import tell

__all__ = ["region_graph"]

#: Facets that lead to no listed region are counted; so many are described, in rationals.
_GAPS = 100


def region_graph(
    run: Run,
    network: Network,
    *,
    progress: Callable[[int, int], None] | None = None,
    keep: str | PathLike[str] | None = None,
    keep_seconds: float = KEEP_SECONDS,
    jobs: int | None = None,
) -> RegionGraph:
    """Facets of every region of a run, the edges between them, and the closure check.

    Parameters
    ----------
    run : Run
        Complete or not: what is missing shows as gaps of the closure check.
    network : Network
        The network of the run.
    progress : callable, optional
        Called with (regions done, regions).
    keep : path, optional
        A folder in which the regions that are done are kept now and then; if it is there already,
        the work goes on where it was left, and the graph is the one that would have been made
        without an interruption. It stays, for whoever saves the graph to remove it.
    keep_seconds : float
        What takes less time is not kept.
    jobs : int, optional
        Threads; the graph does not depend on them. By default as many as the machine, its
        container and ``OMP_NUM_THREADS`` allow.

    Returns
    -------
    RegionGraph

    Raises
    ------
    RunError
        If the network is not the run's or a codeword is listed twice, or ``keep`` cannot be written
        or is damaged.
    ValueError
        If ``jobs`` is less than 1.
    """
    threads = asked_threads(jobs)
    if keep is None:
        return _Builder(run, network).build(progress, None, threads)
    with KeptWork.beside(Path(keep), _question(run), seconds=keep_seconds) as kept:
        return _Builder(run, network).build(progress, kept, threads)


def _question(run: Run) -> dict[str, Any]:
    """What a graph depends on; the rows of a run in a directory are not written twice."""
    manifest = run.manifest
    return {
        "what": "graph",
        "network": run.network["hash"],
        "status": manifest["status"],
        "regions": run.count,
        "content": manifest.get("content"),
    }


class _Builder:
    """State of one construction."""

    def __init__(self, run: Run, network: Network) -> None:
        self.started = time.perf_counter()
        listed = ListedRegions(run, network)
        self.regions = listed.count
        self.ends = list(block_ends(self.regions))
        self.parts = _Parts(listed)
        #: What the walks read; let go of before the parts are put together.
        self.listed: ListedRegions | None = listed

    def build(
        self,
        progress: Callable[[int, int], None] | None,
        kept: KeptWork | None,
        threads: int,
    ) -> RegionGraph:
        """Block by block."""
        if kept is not None:
            for entry in kept.done:
                self.parts.take_in(unpacked(entry, kept.shard(entry)))
        self._walk(progress, kept, threads)
        self.listed = None
        graph, stat = self.parts.assembled(self.regions)
        stat["seconds"] = time.perf_counter() - self.started
        return graph

    def _walk(
        self,
        progress: Callable[[int, int], None] | None,
        kept: KeptWork | None,
        threads: int,
    ) -> None:
        waiting: list[Block] = []
        rest = self.ends[self.parts.blocks :]
        done = rest[0][0] if rest else self.regions

        def tell_done(more: int) -> None:
            nonlocal done
            done += more
            tell("regions and their facets", done, self.regions)
            if progress is not None:
                progress(done, self.regions)

        def take(result: int | BlockMaker) -> None:
            if isinstance(result, int):
                tell_done(result)
                return
            # rationals are for this thread, which an interrupt reaches at once
            block = result.settled(_GAPS - len(self.parts.gaps), tell_done)
            self.parts.take_in(block)
            if kept is not None:
                waiting.append(block)
                if kept.due and block.end < self.regions:
                    _keep(kept, waiting)

        if self.listed is None:
            raise AssertionError("a construction walks once")
        workers = [_Worker(self.listed) for _ in range(min(threads, len(rest)))]
        try:
            OrderedWork[tuple[int, int], int | BlockMaker](rest).run(workers, take, lambda: None)
        except BaseException:
            if kept is not None and kept.due:
                _keep(kept, waiting)
            raise


class _Parts:
    """The columns of all blocks, side by side."""

    def __init__(self, listed: ListedRegions) -> None:
        self.blocks = 0
        self.gaps: list[Gap] = []
        self._k = listed.chart.k
        #: Bits and walls, by row of the walk.
        self._names = np.concatenate([-1 - np.arange(listed.walls), listed.codes.bit]).astype(
            np.int32
        )
        self._edges = 0
        self._exact: dict[int, tuple[fmpq, ...]] = {}
        self._statistics: dict[str, int | float] = dict.fromkeys(STATISTICS, 0)
        self._columns: dict[str, list[NDArray[Any]]] = {
            "source": [np.zeros(0, np.int32)],
            "target": [np.zeros(0, np.int32)],
            "unit": [np.zeros(0, np.int32)],
            "alone": [np.zeros(0, np.bool_)],
            "walls": [np.zeros((0, 2), np.int32)],
            "back": [np.zeros((0, 3), np.int32)],
            "nowhere": [np.zeros((0, 2), np.int32)],
            "opened": [np.zeros(0, np.int64)],
            "owner": [np.zeros(0, np.int64)],
            "point": [np.zeros((0, self._k))],
        }

    def take_in(self, block: Block) -> None:
        """Go on behind a block."""
        walls = np.column_stack([block.wall_region, self._names[block.wall_row]])
        columns = {
            "source": block.source,
            "target": block.target,
            "unit": self._names[block.row],
            "alone": block.alone,
            "walls": walls.astype(np.int32),
            "back": self._named(block.back),
            "nowhere": self._named(block.nowhere),
            "opened": block.opened,
            "owner": block.owner + self._edges,
            "point": block.point,
        }
        for name, column in columns.items():
            self._columns[name].append(column)
        self._exact |= {e + self._edges: q for e, q in block.exact.items()}
        for name in STATISTICS:
            self._statistics[name] += int(block.statistics[name])
        self.gaps += block.gaps
        self._edges += len(block.source)
        self.blocks += 1

    def _named(self, rows: NDArray[np.int32]) -> NDArray[np.int32]:
        """The rows with the last column named after bits and walls."""
        out = rows.astype(np.int32)
        out[:, -1] = self._names[rows[:, -1]]
        return out

    def _joined(self, name: str) -> NDArray[Any]:
        """A column of all blocks, whose parts are let go of."""
        return np.concatenate(self._columns.pop(name))

    def assembled(self, regions: int) -> tuple[RegionGraph, dict[str, int | float]]:
        """The graph of all blocks; to be asked for once."""
        opened, target, alone = (self._joined(name) for name in ("opened", "target", "alone"))
        self._statistics["open"] = len(opened)
        if len(opened):
            is_open = np.zeros(regions, dtype=np.bool_)
            is_open[opened] = True
            alone |= is_open[target]
        edges = Edges(
            self._joined("source"),
            target,
            self._joined("unit"),
            alone,
            self._joined("owner"),
            self._joined("point"),
            self._exact,
        )
        graph = assemble(
            dimension=self._k,
            regions=regions,
            edges=edges,
            facets=Facets(self._joined("back"), self._joined("walls"), self._joined("nowhere")),
            gaps=tuple(self.gaps),
            statistics=self._statistics,
        )
        return graph, self._statistics


class _Worker:
    """Walks over blocks in a thread of its own."""

    def __init__(self, listed: ListedRegions) -> None:
        self._listed = listed

    def work(self, task: tuple[int, int], share: Share[tuple[int, int], int | BlockMaker]) -> None:
        maker = BlockMaker(self._listed, *task)
        if maker.walk(lambda more: share.found([more]), lambda: share.stopped):
            share.found([maker])


def _keep(kept: KeptWork, waiting: list[Block]) -> None:
    """Keep the blocks that wait for it; each waits until it is kept, and no longer."""
    while waiting:
        entry, shard = packed(waiting[0])
        kept.keep(entry, shard)
        del waiting[0]
