"""The search with vertices: drives the native core and answers its questions exactly."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext

from polyrank.cells.engine import Options, Sink
from polyrank.cells.interrupt import SLICE_SECONDS, DeferredInterrupt
from polyrank.cells.ordered_work import ALONE_SECONDS, OrderedWork
from polyrank.cells.task import SearchProgress, SearchResult
from polyrank.cells.vertices.core import KeptCells
from polyrank.cells.vertices.exact_signs import ExactSigns
from polyrank.cells.vertices.root import (
    MOST_SUBSETS,
    Root,
    domain_root,
    root_arrays,
    whole_space_root,
)
from polyrank.cells.vertices.worker import Found, Setting, VertexWorker
from polyrank.errors import UnsupportedError
from polyrank.native.records import Handle
from polyrank.posed.chart import Chart
from polyrank.posed.problem import Problem

__all__ = ["MOST_DIMENSIONS", "VertexSearch", "root_of", "takes", "vertex_search"]

MOST_DIMENSIONS = 3
#: Cells per proof segment; segments are what a checker can take apart and check in parallel.
_SEGMENT = 100_000
_SEGMENT_END = b"\0"
_OUTPUT_BYTES = 1 << 24
_OUTPUT_ROWS = 65536


def root_of(problem: Problem) -> Root | None:
    """The domain as cells with vertices; None where this search cannot take it.

    It takes domains of dimension 1 to 3 that are polytopes of not too many rows, or all of R^k
    where layer 1 has k independent hyperplanes.
    """
    chart = problem.chart
    if not 1 <= chart.k <= MOST_DIMENSIONS:
        return None
    if problem.cube.kind == "bounded":
        return domain_root(problem.walls, chart.k)
    if chart.inequalities.m:
        return None
    return whole_space_root(problem.first_rows, problem.arrays, problem.cube)


def takes(problem: Problem) -> bool:
    """Whether :func:`root_of` gives a root, without listing the vertices of a polytope."""
    chart = problem.chart
    if 1 <= chart.k <= MOST_DIMENSIONS and chart.bounded:
        return math.comb(chart.inequalities.m, chart.k) <= MOST_SUBSETS
    return root_of(problem) is not None


def vertex_search(problem: Problem, sink: Sink, options: Options) -> SearchResult:
    """Enumerate in dimension 1 to 3, with vertices; see :mod:`polyrank.cells.engine`."""
    return VertexSearch(problem, sink, options).run()


def _why_not(chart: Chart) -> str:
    if not 1 <= chart.k <= MOST_DIMENSIONS:
        return f"its dimension is {chart.k}, not 1 to {MOST_DIMENSIONS}"
    if chart.bounded:
        return f"it has {chart.inequalities.m} rows, too many to list its vertices"
    if chart.inequalities.m:
        return "it is unbounded and has walls"
    return "it is unbounded and layer 1 has fewer independent hyperplanes than dimensions"


class VertexSearch:
    """One enumeration of the regions of a domain of dimension 1 to 3.

    Parameters
    ----------
    problem : Problem
    sink : callable
        Receives :class:`~polyrank.cells.task.Batch` objects.
    options : Options
        Its progress, proof and jobs. Regions, their order and the proof do not depend on jobs.
    keep : callable, optional
        Receives, before each batch, its cells with their faces.

    Raises
    ------
    UnsupportedError
        Where :func:`root_of` gives None.
    """

    def __init__(
        self,
        problem: Problem,
        sink: Sink,
        options: Options,
        *,
        keep: Callable[[KeptCells], None] | None = None,
    ) -> None:
        root = root_of(problem)
        if root is None:
            raise UnsupportedError(
                f"the vertices engine cannot take this domain: {_why_not(problem.chart)}; "
                "use the dictionary engine"
            )
        net, cube = problem.arrays, problem.cube
        row = net.hyperplane.sum() // 4 + 10 * problem.layers + 8 * problem.chart.k + 64
        conic = cube.kind != "bounded"
        self.setting = Setting(
            problem,
            root,
            root_arrays(root, cube.dim, walls=len(net.wall_rows), conic=conic),
            output=min(_OUTPUT_ROWS, max(1024, int(_OUTPUT_BYTES // row))),
            keep=keep is not None,
            log=options.proof is not None,
        )
        self.interrupt = DeferredInterrupt()
        self.worker = VertexWorker(self.setting, _SEGMENT, self.interrupt.at_once)
        self.workers = [self.worker]
        self.options = options
        self.sink = sink
        self.keep = keep
        self.progress = options.progress
        self.proof = options.proof
        self.regions = 0
        self.share = 0.0
        self.started = time.perf_counter()

    @property
    def exact(self) -> ExactSigns:
        """Exact rows and vertices."""
        return self.worker.exact

    def run(self) -> SearchResult:
        """Enumerate.

        **Proves**: the regions handed to the sink are exactly the activation regions of the domain,
        each once.
        """
        with self.interrupt:
            if self.options.jobs == 1 or not self._together():
                self._alone()
        ladder: dict[str, int] = {}
        for worker in self.workers:
            for name, number in worker.counts().items():
                ladder[name] = ladder.get(name, 0) + number
        tests, _ = ladder.pop("tests"), ladder.pop("pivots")
        return SearchResult(
            regions=self.regions,
            undecided=(),
            open=(),
            certified=True,
            tests=tests,
            pivots=0,
            seconds=time.perf_counter() - self.started,
            ladder=ladder,
        )

    def _alone(self) -> None:
        """The whole stack of the one worker, from the top."""
        worker, core = self.worker, self.worker.core
        try:
            while (left := core.status.open_cells) > 0:
                # everything, or a segment of the proof's length of the cell on top
                base, last, done = 0, math.inf, False
                if self.setting.log:
                    self._hand_on(Found(head=worker.head()))
                    base, last = left - 1, worker.cells + _SEGMENT
                while not (done or worker.ended(last)):
                    done = worker.step(base, last, SLICE_SECONDS)
                    self._hand_on(worker.take())
                    self.interrupt.check()
                self._hand_on(Found(end=True))
        except KeyboardInterrupt:
            self._hand_on(worker.take())  # what was found is kept
            raise

    def _together(self) -> bool:
        """All workers on one tree; False where one goes on alone."""
        core = self.worker.core
        if not self.setting.log:
            try:
                done = self.worker.step(0, math.inf, ALONE_SECONDS)
            finally:
                self._hand_on(self.worker.take())
            if done:
                return True
        jobs = self.options.threads
        if jobs == 1:
            return False
        # the cells of the bottom are the largest; a proof has a segment for every cell
        log, cells = self.setting.log, core.status.open_cells
        given = [core.take_cell(0) for _ in range(cells if log else min(jobs, cells) - 1)][::-1]
        work: OrderedWork[Handle | None, Found] = OrderedWork(given, () if log else (None,))
        self.worker.at_once = nullcontext  # interrupts come to the main thread
        self.workers += [VertexWorker(self.setting, _SEGMENT) for _ in range(jobs - 1)]
        try:
            work.run(self.workers, self._hand_on, self.interrupt.check)
        except KeyboardInterrupt:
            if self.interrupt.defers:  # otherwise the caller throws all of it away
                for found in work.rest():
                    self._hand_on(found)
            raise
        return True

    def _hand_on(self, found: Found) -> None:
        if self.proof is not None:
            if found.head is not None:
                head = found.head
                self.proof(head.before + self.regions.to_bytes(8, "little") + head.after)
            if found.log:
                self.proof(found.log)
            if found.end:
                self.proof(_SEGMENT_END)
        if found.batch is not None:
            if self.keep is not None and found.kept is not None:
                self.keep(found.kept)
            self.regions += len(found.batch.rank)
            self.sink(found.batch)
        self.share += found.share
        if self.progress is not None:
            self.progress(
                SearchProgress(
                    self.regions, min(1.0, self.share), 0, time.perf_counter() - self.started
                )
            )
