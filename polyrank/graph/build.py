"""From a run to its region graph, block by block, so that long work can go on where it was left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from polyrank.cells.ordered_work import OrderedWork, Share
from polyrank.cells.threads import asked_threads
from polyrank.graph.assemble import Assembly
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
#: How long a thread waits for room before it looks whether the work has ended.
_LOOK_SECONDS = 0.05


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
        names = np.concatenate([-1 - np.arange(listed.walls), listed.codes.bit]).astype(np.int32)
        self.parts = Assembly(listed.chart.k, self.ends, names)
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
        graph, stat = self.parts.graph(self.regions)
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
        room = _Room(done, 2 * threads * (self.ends[0][1] if self.ends else 0))

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
            room.taken_until(block.end)
            if kept is not None:
                waiting.append(block)
                if kept.due and block.end < self.regions:
                    _keep(kept, waiting)

        if self.listed is None:
            raise AssertionError("a construction walks once")
        workers = [_Worker(self.listed, room) for _ in range(min(threads, len(rest)))]
        try:
            OrderedWork[tuple[int, int], int | BlockMaker](rest).run(workers, take, lambda: None)
        except BaseException:
            if kept is not None and kept.due:
                _keep(kept, waiting)
            raise


class _Room:
    """How far threads may be ahead of the region up to which blocks were taken in."""

    def __init__(self, begin: int, regions: int) -> None:
        self._changed = threading.Condition()
        self._begin, self._regions = begin, regions

    def taken_until(self, end: int) -> None:
        """A block was taken in."""
        with self._changed:
            self._begin = end
            self._changed.notify_all()

    def wait_for(self, begin: int, stopped: Callable[[], bool]) -> bool:
        """Wait until there is room for a block; False where the work is to end."""
        with self._changed:
            while begin >= self._begin + self._regions and not stopped():
                self._changed.wait(_LOOK_SECONDS)
        return not stopped()


class _Worker:
    """Walks over blocks in a thread of its own."""

    def __init__(self, listed: ListedRegions, room: _Room) -> None:
        self._listed = listed
        self._room = room

    def work(self, task: tuple[int, int], share: Share[tuple[int, int], int | BlockMaker]) -> None:
        if not self._room.wait_for(task[0], lambda: share.stopped):
            return
        maker = BlockMaker(self._listed, *task)
        if maker.walk(lambda more: share.found([more]), lambda: share.stopped):
            share.found([maker])


def _keep(kept: KeptWork, waiting: list[Block]) -> None:
    """Keep the blocks that wait for it; each waits until it is kept, and no longer."""
    while waiting:
        entry, shard = packed(waiting[0])
        kept.keep(entry, shard)
        del waiting[0]
