"""From a run to its region graph, block by block, so that long work can go on where it was left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from polyrank.cells.ordered_work import OrderedWork, Share
from polyrank.cells.threads import asked_threads
from polyrank.graph.arrays import STATISTICS
from polyrank.graph.assemble import Edges, Facets, assemble
from polyrank.graph.blocks import Block, block_ends, packed, unpacked
from polyrank.graph.listed import ListedRegions
from polyrank.graph.making import BlockMaker
from polyrank.graph.region_graph import RegionGraph
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
        self.listed = ListedRegions(run, network)
        self.regions = self.listed.count
        self.ends = list(block_ends(self.regions))
        self.blocks: list[Block] = []
        self.gaps = 0  # that are described

    def build(
        self,
        progress: Callable[[int, int], None] | None,
        kept: KeptWork | None,
        threads: int,
    ) -> RegionGraph:
        """Block by block."""
        if kept is not None:
            for entry in kept.done:
                self._take_in(unpacked(entry, kept.shard(entry)))
        waiting: list[Block] = []
        rest = self.ends[len(self.blocks) :]
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
            waiting.append(result.settled(_GAPS - self.gaps, tell_done))
            self._take_in(waiting[-1])
            if kept is not None and kept.due and waiting[-1].end < self.regions:
                _keep(kept, waiting)

        workers = [_Worker(self.listed) for _ in range(min(threads, len(rest)))]
        try:
            OrderedWork[tuple[int, int], int | BlockMaker](rest).run(workers, take, lambda: None)
        except BaseException:
            if kept is not None and kept.due:
                _keep(kept, waiting)
            raise
        graph, stat = self._assembled()
        stat["seconds"] = time.perf_counter() - self.started
        return graph

    def _take_in(self, block: Block) -> None:
        """Go on behind a block."""
        self.blocks.append(block)
        self.gaps += len(block.gaps)

    def _assembled(self) -> tuple[RegionGraph, dict[str, int | float]]:
        listed = self.listed
        names = np.concatenate([-1 - np.arange(listed.walls), listed.codes.bit]).astype(np.int32)
        blocks = self.blocks
        stat: dict[str, int | float] = {
            name: sum(int(block.statistics[name]) for block in blocks) for name in STATISTICS
        }
        opened = np.concatenate([np.zeros(0, np.int64), *(b.opened for b in blocks)])
        stat["open"] = len(opened)
        firsts = np.cumsum([0, *(len(b.source) for b in blocks)]).tolist()
        owner = [b.owner + first for b, first in zip(blocks, firsts, strict=False)]
        exact = {
            e + first: q
            for b, first in zip(blocks, firsts, strict=False)
            for e, q in b.exact.items()
        }
        target = _column(blocks, "target", np.int32)
        alone = _column(blocks, "alone", np.bool_)
        if len(opened):
            is_open = np.zeros(self.regions, dtype=np.bool_)
            is_open[opened] = True
            alone |= is_open[target]
        edges = Edges(
            _column(blocks, "source", np.int32),
            target,
            names[_column(blocks, "row", np.int32)],
            alone,
            np.concatenate([np.zeros(0, np.int64), *owner]),
            np.concatenate([np.zeros((0, listed.chart.k)), *(b.point for b in blocks)]),
            exact,
        )
        back, nowhere = (
            np.concatenate([np.zeros((0, n), np.int64), *(getattr(b, name) for b in blocks)])
            for name, n in (("back", 3), ("nowhere", 2))
        )
        walls = np.column_stack(
            [
                _column(blocks, "wall_region", np.int32),
                names[_column(blocks, "wall_row", np.int32)],
            ]
        ).astype(np.int32)
        gaps = tuple(gap for block in blocks for gap in block.gaps)
        self.blocks = blocks = []
        graph = assemble(
            dimension=listed.chart.k,
            regions=self.regions,
            edges=edges,
            facets=Facets(_named(back, names), walls, _named(nowhere, names)),
            gaps=gaps,
            statistics=stat,
        )
        return graph, stat


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


def _column(blocks: Sequence[Block], name: str, kind: DTypeLike) -> NDArray[Any]:
    """One column of all blocks."""
    return np.concatenate([np.zeros(0, kind), *(getattr(block, name) for block in blocks)])


def _named(rows: NDArray[np.int64], names: NDArray[np.int32]) -> NDArray[np.int32]:
    """The rows with the last column named after bits and walls."""
    rows[:, -1] = names[rows[:, -1]]
    return rows.astype(np.int32)
