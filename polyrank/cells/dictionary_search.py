"""The search by dictionaries: tasks in, batches of regions out, in any dimension.

The compiled kernel works through a task until a buffer is full; cells that float and integer
arithmetic cannot decide come back and are settled in rationals, which gives new tasks. Without
the rational rung such cells stay undecided, and the result says so.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from flint import fmpq, fmpq_mat

from polyrank.cells.dictionary import BUDGET, DONE, Dictionary, HardCell, LoadedPoints
from polyrank.cells.engine import Options, Sink
from polyrank.cells.exact_cells import ExactCells, Leaf
from polyrank.cells.interrupt import SLICE_SECONDS, DeferredInterrupt, Slices
from polyrank.cells.log_steps import SEGMENT_END, segment_head
from polyrank.cells.opposite import half_of, is_central
from polyrank.cells.ordered_work import (
    ALONE_SECONDS,
    HAND_ON_SECONDS,
    SHARE_SECONDS,
    OrderedWork,
    Share,
)
from polyrank.cells.statistics import STATISTICS
from polyrank.cells.subtree import prefixes_of
from polyrank.cells.task import (
    UNDECIDED,
    Batch,
    SearchProgress,
    SearchResult,
    SearchStopped,
    Task,
)
from polyrank.cells.work import Work
from polyrank.lp.farkas import values_at
from polyrank.native.records import Handle
from polyrank.network.rational import fmpq_from_float, nearest_float
from polyrank.posed.problem import Problem

__all__ = ["DictionarySearch", "dictionary_search"]

_OUTPUT_BYTES = 1 << 24
#: Cells per proof segment; segments are what a checker can take apart and check in parallel.
_SEGMENT = 50_000
#: Regions that were found one by one in rationals are handed on after at most this time.
_FLUSH_SECONDS = 1.0


def dictionary_search(problem: Problem, sink: Sink, options: Options) -> SearchResult:
    """Enumerate by compiled dictionaries, in any dimension; see :mod:`polyrank.cells.engine`."""
    return DictionarySearch(problem, sink, options).run()


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """A task in the queue: its share of the tree, and the units to be decided exactly first."""

    task: Task
    share: float
    questions: list[int] | None


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What a core found: regions, cells that it hands back, and the share of the task it did."""

    batch: Batch | None
    hard: list[HardCell]
    share: float


class _Thread:
    """A thread's core. It gives the cell that comes last to a thread that has nothing to do."""

    __slots__ = ("_core",)

    def __init__(self, core: Dictionary) -> None:
        self._core = core

    def work(self, task: Handle | None, share: Share[Handle | None, _Found]) -> None:
        """Everything below a cell that is not given away; None: below the cells open here."""
        core, slices, code = self._core, Slices(seconds=SHARE_SECONDS), BUDGET
        if task is not None:
            core.adopt(task)
        done = core.done_share
        handed_on = time.perf_counter()
        while code != DONE and not share.stopped:
            if share.wanted and core.open_cells > 1:
                share.give([core.take_last()])
            before, called = core.cells, time.perf_counter()
            code = core.run(slices.steps)
            now = time.perf_counter()
            slices.measured(core.cells - before, now - called)
            if code != BUDGET or now > handed_on + HAND_ON_SECONDS or share.stopped:
                batch, hard, _ = core.take()
                share.found([_Found(batch, hard, core.done_share - done)])
                done, handed_on = core.done_share, now


class DictionarySearch:
    """State of one search in one process."""

    def __init__(self, problem: Problem, sink: Sink, options: Options) -> None:
        layers, chart = problem.layers, problem.chart
        self.options = options
        self.proof = options.proof
        self.cube = problem.cube
        self.net = problem.arrays
        row = self.net.hyperplane.sum() // 4 + 10 * layers + 8 * chart.k + 64
        self.output = int(np.clip(_OUTPUT_BYTES // row, 1024, 65536))
        self.core = self._new_core()
        self.cores = [self.core]
        self.exact = ExactCells(problem, self.net)
        self.layers = layers
        self.chart = chart
        self.network = problem.network
        self.central = is_central(problem.network, chart, layers)
        self.sink = sink
        self.progress = options.progress
        self.queue: list[_Entry] = []
        self.undecided: list[str] = []
        self.leaves: list[Leaf] = []
        self.regions = 0
        self.exact_tests = 0
        self.exact_cells = 0
        self.share = 0.0
        self.started = time.perf_counter()
        self.interrupt = DeferredInterrupt()
        self.slices = Slices(seconds=SLICE_SECONDS if options.jobs == 1 else SHARE_SECONDS)
        self.flushed = self.started
        self.work: Work | None = None
        self.stopped: Callable[[], bool] | None = None

    def explore(
        self, cells: Sequence[Task], shares: Sequence[float], work: Work
    ) -> tuple[list[tuple[Task, float]], bool]:
        """Search below open cells that follow one another until the work is done or spent.

        Where it ends depends on the cells and the work alone, not on the clock or on what this
        search did before.

        Returns
        -------
        rest : list of (Task, float)
            Open cells and their shares of the tree, in the order of the search.
        complete : bool
            False if :attr:`stopped` said so: then what was found is part of the answer only.
        """
        self.queue = [_Entry(t, s, None) for t, s in zip(cells, shares, strict=True)][::-1]
        self.regions, self.undecided, self.leaves, self.share = 0, [], [], 0.0
        self.work = work
        complete = True
        work.begin(self.core.cells, self._tests(), self.exact_cells)
        try:
            while self.queue and not work.over:
                self._work_on(self.queue.pop(), None)
                self._safe_point()
                self._look()
        except SearchStopped:
            complete = False
        self._flush_leaves()
        rest = [(entry.task, entry.share) for entry in reversed(self.queue)]
        self.queue = []
        return rest, complete

    def step(self, task: Task) -> tuple[int, list[Task]]:
        """Work on one cell until it is cut or is a region: regions found, halves left.

        For whoever walks down the tree; nothing is handed to the sink.
        """
        if self._is_to_be_halved(task):
            return 0, [self._half(task)[0]]
        rest: list[Task] = []
        regions = 0
        if self._load(task):
            self.core.run(1)
            batch, hard, _ = self.core.take()
            regions = 0 if batch is None else len(batch.rank)
            rest = self._open_cells(task)
            exact = [_questioned(cell, task) for cell in hard]
        else:
            exact = [_Entry(task, 0.0, None)]
        for entry in exact:
            outcome = self.exact.step(entry.task, entry.questions)
            regions += len(outcome.leaves)
            rest += outcome.tasks
        return regions, rest

    @cached_property
    def jobs(self) -> int:
        """Number of threads, asked for when there is work for more than one."""
        return self.options.threads

    @property
    def statistics(self) -> dict[str, int]:
        """The counters of all cores, since the search was made."""
        counts = [core.statistics for core in self.cores]
        return {name: sum(count[name] for count in counts) for name in STATISTICS}

    def _look(self) -> None:
        """Let the budget see what was done, where it is time."""
        if self.work is not None:
            self.work.look(self.core.cells, self._tests, self.exact_cells)

    def _tests(self) -> int:
        counters = self.core.statistics
        return counters["tests"] + counters["pivots"]

    def run(self) -> SearchResult:
        """Work through the tasks and everything that comes of them."""
        tasks, budget = self.options.tasks, self.options.budget
        start = [self.root()] if tasks is None else list(tasks)
        self.queue = [_Entry(task, 1.0 / max(1, len(start)), None) for task in start]
        left = budget
        unfinished: tuple[Task, ...] = ()
        with self.interrupt:
            try:
                while self.queue:
                    if left is not None and left <= 0:
                        unfinished = tuple(entry.task for entry in self.queue)
                        break
                    used = self._work_on(self.queue.pop(), left)
                    if left is not None:
                        left -= used
                    self._safe_point()
            except KeyboardInterrupt:
                self._flush_leaves()  # what was found is kept
                raise
            self._flush_leaves()
        stat = self.statistics
        ladder = {name: n for name, n in stat.items() if name not in ("tests", "pivots")}
        ladder["by_rationals"] = self.exact_tests
        ladder["exact_cells"] = self.exact_cells
        return SearchResult(
            regions=self.regions,
            undecided=tuple(self.undecided),
            open=unfinished,
            certified=not self.undecided and not unfinished,
            tests=stat["tests"] + self.exact_tests,
            pivots=stat["pivots"],
            seconds=time.perf_counter() - self.started,
            ladder=ladder,
        )

    def _new_core(self) -> Dictionary:
        log = self.proof is not None
        return Dictionary(self.net, self.cube.dim, output=self.output, log=log)

    def root(self) -> Task:
        """The whole domain."""
        total = int(self.net.unit_start[-1])
        interior = tuple(self.chart.interior.entries())
        points = [interior]
        nudged = self._generic(interior)
        if nudged is not None:
            points.insert(0, nudged)
        return Task(
            -1,
            np.full(total, UNDECIDED, dtype=np.int8),
            np.zeros(total, dtype=np.int8),
            tuple(points),
        )

    def _generic(self, interior: tuple[fmpq, ...]) -> tuple[fmpq, ...] | None:
        """An interior float64 point in general position beside the given one (often a centre)."""
        rows = self.chart.rows
        for shift in range(3, 40, 4):
            point = [
                fmpq_from_float(nearest_float(v + fmpq(int(h * 2**20), 2**20) / 2**shift))
                for v, h in zip(interior, self._scatter(), strict=True)
            ]
            if all(v > 0 for v in values_at(rows, fmpq_mat(len(point), 1, point))):
                return tuple(point)
        return None

    def _scatter(self) -> list[float]:
        golden = 0.6180339887498949
        return [
            ((0.5 + (l + 1) * golden) % 1.0 - 0.5) * float(h)
            for l, h in enumerate(self.cube.half_width)
        ]

    def _work_on(self, entry: _Entry, left: int | None) -> int:
        """One task: compiled where it can be, exact where it must be. Returns cells used."""
        if self._is_to_be_halved(entry.task):
            half, halving = self._half(entry.task)
            if self.proof is not None:
                self.proof(self._segment_head(entry.task) + halving + SEGMENT_END)
            self.queue.append(_Entry(half, entry.share, None))
            return 1
        if entry.questions is not None or not self._load(entry.task):
            if self.options.rational:
                self._settle_exactly(entry)
            else:
                start, planes = self.net.unit_start, self.net.hyperplane
                self.undecided += prefixes_of(entry.task, start, planes.tolist())
            return 1
        if self.proof is not None:
            left = _SEGMENT if left is None else min(left, _SEGMENT)
            self.proof(self._segment_head(entry.task))
        before, begun, alone = self.core.cells, time.perf_counter(), self.options.jobs == 1
        hard: list[_Entry] = []
        used = 0
        done = 0.0
        handed_on = begun
        while True:
            steps = self.slices.steps if left is None else min(self.slices.steps, left - used)
            if self.work is not None:
                steps = min(steps, self.work.room(self.core.cells))
            called, already = time.perf_counter(), used
            code = self.core.run(max(1, steps))
            used = self.core.cells - before
            now = time.perf_counter()
            self.slices.measured(used - already, now - called)
            self._look()
            spent = self.work is not None and self.work.over
            ended = code == DONE or spent or (left is not None and used >= left)
            if code == BUDGET and not ended and self._may_wait(now - handed_on):
                continue
            handed_on = now
            batch, handed_back, log = self.core.take()
            self._accept(_Found(batch, handed_back, self.core.done_share - done), entry, hard)
            done = self.core.done_share
            if self.proof is not None:
                self.proof(log)
            self._safe_point()
            if ended:
                break
            if (
                not alone
                and left is None
                and self.work is None
                and time.perf_counter() > begun + ALONE_SECONDS
            ):
                if self.jobs > 1:
                    self._together(entry, hard)
                    break
                alone, self.slices = True, Slices()
        if self.core.open_cells:
            rest = entry.share * (1.0 - self.core.done_share)
            cells = self._open_cells(entry.task)
            self.queue.extend(_Entry(cell, rest / len(cells), None) for cell in cells)
        self.queue.extend(hard)
        if self.proof is not None:
            self.proof(SEGMENT_END)
        return used

    def _may_wait(self, seconds: float) -> bool:
        """Whether what a task has found may stay in the core: it is looked at very often."""
        stopped = self.stopped is not None and self.stopped()
        return self.work is not None and not stopped and seconds < HAND_ON_SECONDS

    def _together(self, entry: _Entry, hard: list[_Entry]) -> None:
        """The open cells of the core on several threads; nothing of the entry is left open."""
        given = [self.core.take_last() for _ in range(min(self.jobs, self.core.open_cells) - 1)]
        work: OrderedWork[Handle | None, _Found] = OrderedWork(given[::-1], (None,))
        self.cores += [self._new_core() for _ in range(self.jobs - len(self.cores))]
        accept = partial(self._accept, entry=entry, hard=hard)
        try:
            work.run([_Thread(core) for core in self.cores], accept, self._safe_point)
        except KeyboardInterrupt:
            if self.interrupt.defers:  # otherwise the caller throws all of it away
                for found in work.rest():
                    accept(found)
            raise

    def _accept(self, found: _Found, entry: _Entry, hard: list[_Entry]) -> None:
        """Hand on what was found below an entry, in the order of the search."""
        if found.batch is not None:
            self._flush_leaves()  # rows keep the order of the proof
            self.regions += len(found.batch.rank)
            self.sink(found.batch)
        hard += [_questioned(cell, entry.task) for cell in found.hard]
        self.share += entry.share * found.share

    def _safe_point(self) -> None:
        """Between two steps, nothing half written: hand on what was found, report, interrupt."""
        if self.leaves and time.perf_counter() > self.flushed + _FLUSH_SECONDS:
            self._flush_leaves()
        if self.progress is not None:
            self.progress(
                SearchProgress(
                    self.regions,
                    min(1.0, self.share),
                    len(self.undecided),
                    time.perf_counter() - self.started,
                )
            )
        self.interrupt.check()
        if self.stopped is not None and self.stopped():
            raise SearchStopped

    def _segment_head(self, task: Task) -> bytes:
        return segment_head(task, self.regions + len(self.leaves))

    def _load(self, task: Task) -> bool:
        """Put a task into the kernel; False where no point of it is provable in float."""
        if self.cube.dim == 0:  # the domain is a point
            return False
        chart_points, cube_points = [], []
        for point in task.points:
            y = [_two_floats(v) for v in point]
            if not all(exact for _, _, exact in y):
                continue
            u = [_two_floats(v) for v in self.cube.to_cube(list(point))]
            if self.cube.kind == "homogeneous" and u[-1][0] < 1e-280:
                continue
            chart_points.append(y)
            cube_points.append(u)
        if not chart_points:
            return False
        k, d = self.chart.k, self.cube.dim
        cube, cube_low = (
            np.array([[v[i] for v in u] for u in cube_points]).reshape(-1, d) for i in (0, 1)
        )
        chart, chart_low = (
            np.array([[v[i] for v in y] for y in chart_points]).reshape(-1, k) for i in (0, 1)
        )
        points = LoadedPoints(cube, cube_low, chart, chart_low)
        return self.core.load(task.layer, task.decision, task.splits, points, paired=task.paired)

    def _is_to_be_halved(self, task: Task) -> bool:
        """Whether a task is a domain that is symmetric."""
        return self.central and task.layer < 0

    def _half(self, whole: Task) -> tuple[Task, bytes]:
        return half_of(self.network, self.chart, whole, self.net.tie)

    def _open_cells(self, task: Task) -> list[Task]:
        """The kernel's open cells below a task, as tasks; its stack is emptied."""
        return [
            Task(layer, decision, splits, (point,), task.paired)
            for layer, decision, splits, point in self.core.take_open()
        ]

    def _settle_exactly(self, entry: _Entry) -> None:
        with self.interrupt.at_once():
            outcome = self.exact.step(entry.task, entry.questions)
        self.exact_tests += outcome.tests
        self.exact_cells += 1
        if self.proof is not None:
            self.proof(self._segment_head(entry.task) + outcome.log + SEGMENT_END)
        self.leaves += outcome.leaves
        if len(self.leaves) >= 1024:
            self._flush_leaves()
        share = entry.share / max(1, len(outcome.tasks))
        if not outcome.tasks:
            self.share += entry.share
        self.queue.extend(_Entry(child, share, None) for child in outcome.tasks)

    def _flush_leaves(self) -> None:
        if not self.leaves:
            return
        leaves, self.leaves = self.leaves, []
        self.regions += len(leaves)
        self.flushed = time.perf_counter()
        self.sink(self.exact.batch(leaves))


def _questioned(cell: HardCell, task: Task) -> _Entry:
    """A cell that the core handed back below a task, with the units that it could not decide."""
    own = Task(cell.layer, cell.decision, cell.splits, (cell.point,), task.paired)
    return _Entry(own, 0.0, cell.questions)


def _two_floats(value: fmpq) -> tuple[float, float, bool]:
    """The nearest float64, the one nearest to what it leaves, and whether that is all."""
    high = nearest_float(value)
    if not math.isfinite(high):
        return high, 0.0, False
    rest = value - fmpq_from_float(high)
    low = nearest_float(rest)
    return high, low, fmpq_from_float(low) == rest
