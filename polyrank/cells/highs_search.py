"""The second engine: the exact search, with HiGHS to guess the bases of its linear programs.

It shares nothing with the compiled search but the problem: every unit of every cell is decided in
rationals (:class:`polyrank.cells.exact_cells.ExactCells`). HiGHS names rows; where their exact
multipliers prove that a hyperplane misses the cell, or their vertex shows that it cuts, the
program ends there, else the exact simplex method goes on from them. So a wrong answer of HiGHS
costs time and nothing else, and no tolerance occurs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from polyrank.cells.engine import Options, Sink
from polyrank.cells.exact_cells import ExactCells, Leaf
from polyrank.cells.interrupt import DeferredInterrupt
from polyrank.cells.log_steps import SEGMENT_END, segment_head
from polyrank.cells.task import UNDECIDED, SearchProgress, SearchResult, Task, prefix_text
from polyrank.lp.farkas import Row
from polyrank.lp.highs import FloatRow, HighsModel
from polyrank.posed.problem import Problem

__all__ = ["HighsSearch", "highs_search"]

_BATCH = 1024
_TICK = 0.1
#: Regions are handed on after at most about this time, however few they are.
_FLUSH_SECONDS = 1.0


def highs_search(problem: Problem, sink: Sink, options: Options) -> SearchResult:
    """Enumerate the activation regions of a problem with HiGHS; see :mod:`polyrank.cells.engine`.

    The ranks of its batches are −1, left to be settled in rationals.

    Returns
    -------
    SearchResult
        **Proves**, when started from the whole domain: the regions handed to the sink are exactly
        the activation regions of the domain, each once.

    Raises
    ------
    ValueError
        If a task has no point, or one that is not strictly inside its cell.
    UncertifiedError
        If a certificate of the exact LP fails its own check (a defect, never seen).

    Notes
    -----
    On Ctrl-C the regions found so far reach the sink before the KeyboardInterrupt goes on.
    """
    return HighsSearch(problem, sink, options).run(options.tasks)


class HighsSearch:
    """State of one search: the stack of open cells, regions not yet handed on, counters."""

    undecided: tuple[str, ...] = ()  # the exact step decides every cell

    def __init__(self, problem: Problem, sink: Sink, options: Options) -> None:
        self.problem = problem
        self.sink = sink
        self.proof = options.proof
        self.progress = options.progress
        self.model = HighsModel(problem.cube.dim)
        self.cells = ExactCells(problem, problem.units, self._guess)
        self.stack: list[tuple[Task, float]] = []
        self.leaves: list[Leaf] = []
        self.first_row = 0
        self.regions = self.cuts = self.steps = self.tests = self.pivots = self.failures = 0
        self.share = 0.0
        self.started = time.perf_counter()
        self.ticked = self.flushed = self.started
        self.interrupt = DeferredInterrupt()
        self.stopped: Callable[[], bool] | None = None

    def _guess(self, rows: Sequence[Row], objective: Row) -> tuple[int, ...] | None:
        return self.model.minimise([_scaled(tuple(row)) for row in rows], _scaled(objective)[:-1])

    @property
    def counts(self) -> dict[str, int]:
        """Counters: the ladder of the result, tests and pivots."""
        return {
            "tests": self.tests,
            "pivots": self.pivots + self.model.pivots,
            "highs_failed": self.failures + self.model.failures,
            "cuts": self.cuts,
            "cells": self.steps,
            "regions": self.regions,
        }

    def root(self) -> Task:
        """The whole domain."""
        total = len(self.problem.units.hyperplane)
        blank = np.full(total, UNDECIDED, dtype=np.int8)
        interior = tuple(self.problem.chart.interior.entries())
        return Task(-1, blank, np.zeros(total, dtype=np.int8), (interior,))

    def explore(
        self, cells: Sequence[Task], shares: Sequence[float], budget: int
    ) -> tuple[list[tuple[Task, float]], bool]:
        """Search below open cells that follow one another, about ``budget`` cells of them.

        Where it ends depends on the cells and the budget alone.

        Returns
        -------
        rest : list of (Task, float)
            Open cells and their shares of the tree, in the order of the search.
        complete : bool
            False if :attr:`stopped` said so: then what was found is part of the answer only.
        """
        self.pivots += self.model.pivots
        self.failures += self.model.failures
        self.model = HighsModel(self.problem.cube.dim)  # it depends on what it was asked before
        self.first_row, self.share = self.regions, 0.0
        last, complete = self.steps + budget, True
        self._push(cells, shares)
        while self.stack and self.steps < last and complete:
            self._step()
            complete = self.stopped is None or not self.stopped()
        self._flush()
        rest, self.stack = self.stack[::-1], []
        return rest, complete

    def run(self, tasks: Sequence[Task] | None) -> SearchResult:
        """Work through the tasks, deepest cell first."""
        tasks = [self.root()] if tasks is None else tasks
        self._push(tasks, [1.0 / max(1, len(tasks))] * len(tasks))
        with self.interrupt:
            try:
                while self.stack:
                    with self.interrupt.at_once():
                        self._step()
            finally:
                self._flush()  # what was found is kept
        counts = self.counts
        return SearchResult(
            regions=self.regions,
            undecided=(),
            open=(),
            certified=True,
            tests=counts["tests"],
            pivots=counts["pivots"],
            seconds=time.perf_counter() - self.started,
            ladder=counts,
        )

    def _push(self, tasks: Sequence[Task], shares: Sequence[float]) -> None:
        for task in tasks:
            self._check(task)
        self.stack += zip(reversed(tasks), reversed(shares), strict=True)

    def _check(self, task: Task) -> None:
        """Refuse a task that has no point strictly inside its cell."""
        outside = self.cells.outside(task)
        if outside or not task.points:
            at = f"the point {[str(v) for v in outside[0]]}" if outside else "no point at all"
            prefix = prefix_text(task.decision, self.problem.units.unit_start)
            raise ValueError(
                f"a task with the prefix {prefix} has {at}; expected points strictly inside its "
                "cell"
            )

    def _step(self) -> None:
        """Decide units of the next cell until one cuts it, or it is a region."""
        task, share = self.stack.pop()
        outcome = self.cells.step(task, None)
        self.steps += 1
        self.tests += outcome.tests
        if self.proof is not None:
            head = segment_head(task, self.regions - self.first_row)
            self.proof(head + outcome.log + SEGMENT_END)
        self.leaves += outcome.leaves
        self.regions += len(outcome.leaves)
        if outcome.tasks:
            self.cuts += 1
            self.stack += [(half, share / 2) for half in outcome.tasks]
        else:
            self.share += share
        self._tick()

    def _tick(self) -> None:
        now = time.perf_counter()
        if len(self.leaves) >= _BATCH or now > self.flushed + _FLUSH_SECONDS:
            self._flush()
        if now < self.ticked + _TICK:
            return
        self.ticked = now
        if self.progress is not None:
            spent = now - self.started
            self.progress(SearchProgress(self.regions, min(1.0, self.share), 0, spent))

    def _flush(self) -> None:
        found, self.leaves = self.leaves, []
        self.flushed = time.perf_counter()
        if found:
            self.sink(self.cells.batch(found))


@lru_cache(maxsize=1 << 14)
def _scaled(row: Row) -> FloatRow:
    """The row divided by a power of two, rounded, entries of magnitude at most 1."""
    unit = 1 << max(int(v).bit_length() for v in row)
    return tuple(int(v) / unit for v in row)
