"""K > 1: refute one rank after the other on all prefixes of the layers below, the last two at once.

To refute rank < r, the regions of layers 1..K−2, and on each of them the cells of some units of
layer K−1, are enumerated; on such a prefix the clauses of :mod:`polyrank.minrank.lifted` mostly
tell at once that every region has rank ≥ r. A prefix where they do not is opened further, and where
all of layers 1..K−1 is decided, :mod:`polyrank.minrank.hitting` decides. A rank that is refuted
everywhere raises the proved bound, so that a search that runs out of time has an interval.
"""

from __future__ import annotations

import time
from collections import OrderedDict

import numpy as np
from flint import fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.search import search
from polyrank.cells.task import Batch, SearchProgress, Task
from polyrank.minrank.hitting import PRIMES, FlatSearch
from polyrank.minrank.least import LeastRank
from polyrank.minrank.lifted import Lifted
from polyrank.minrank.prefix import Stage, chain_lower, stages, task_of
from polyrank.network.forward import unpack_bits
from polyrank.network.rational import fmpq_from_float
from polyrank.posed.problem import Problem
from polyrank.posed.region import Region

__all__ = ["LayersBelow"]

_TASKS = 64
"""Prefixes that are kept until the search goes on below them."""
_CHUNK = 64
"""Prefixes that are looked at together: what is learnt on one helps those after it."""
_LIFTED = 8
"""Regions of layers 1..K−2 of which the clauses are remembered."""


class LayersBelow:
    """The search below layer K.

    Parameters
    ----------
    state : LeastRank
        Its bounds, list and counts are what is found.
    """

    def __init__(self, state: LeastRank) -> None:
        self.state = state
        self._around: OrderedDict[bytes, Lifted] = OrderedDict()
        self._until = 0.0

    def search(self, seconds: float) -> bool:
        """Refute one rank after the other on all prefixes; then list, if that is asked for.

        Parameters
        ----------
        seconds : float
            Processor seconds after which it is left; the next call goes on.

        Returns
        -------
        bool
            False if it was left.
        """
        self._until = time.process_time() + seconds
        try:
            self._refute()
        except _Left:
            return False
        return True

    def _refute(self) -> None:
        while not self.state.finished():
            listing = self.state.lower == self.state.best.rank
            rank = self.state.wanted() if listing else self.state.lower + 1
            if self.state.leg != [rank, listing]:
                self.state.leg, self.state.done = [rank, listing], 0
            try:
                plan = stages(self.state.network, self.state.chart, self.state.chain, rank)
                self._below_last(None, plan, 0)
            except _Settled:
                continue
            if self.state.undecided or listing:
                return
            self.state.prove(rank)

    def _below_last(self, tasks: list[Task] | None, plan: tuple[Stage, ...], step: int) -> None:
        """Enumerate the regions of the network that the stage names, and go on below each."""
        stage = plan[step]
        waiting: list[Task] = []

        before, number = self.state.done, 0

        def done() -> None:
            if step == 0:
                self.state.done = number
                self.state.keep_if_due()

        def go_on() -> None:
            self._below_last(list(waiting), plan, step + 1)
            waiting.clear()
            done()

        def take(batch: Batch) -> None:
            nonlocal number
            words = unpack_bits(batch.codeword, stage.bits)
            at = 0
            while at < len(words):
                self._in_time()
                shown = self._shown(stage, words[at : at + _CHUNK])
                for r in range(at, at + len(shown)):
                    number += 1
                    if step == 0 and number <= before:
                        continue
                    if shown[r - at] or self._excluded(stage, words[r]):
                        self.state.pruned += 1
                    elif step + 1 == len(plan):
                        self._in_time()
                        self._visit(words[r], batch.point(r))
                    else:
                        waiting.append(task_of(stage, self.state.chart, words[r], batch.point(r)))
                        if len(waiting) == _TASKS or (step == 0 and self.state.diary.due):
                            go_on()
                    if not waiting:
                        done()
                at += len(shown)

        def watch(_: SearchProgress) -> None:
            self._in_time()

        problem = Problem.of(stage.network, self.state.chart)
        found = search(problem, take, progress=watch, tasks=tasks, jobs=self.state.jobs)
        if not found.certified:
            self.state.undecided = True
        if waiting:
            go_on()

    def _in_time(self) -> None:
        self.state.in_time()
        if time.process_time() > self._until:
            raise _Left

    def _shown(self, stage: Stage, words: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which of the first prefixes are known to have no region of the ranks in question."""
        if stage.decided is None:
            return np.zeros(len(words), dtype=bool)
        start = sum(self.state.network.bits[: len(stage.network.layers) - 1])
        same = (words[:, :start] == words[0, :start]).all(axis=1)
        mine = words[: len(words) if same.all() else int(same.argmin())]
        lifted = self._lifted(words[0, :start])
        nodes = lifted.nodes
        shown, done = lifted.shown(mine[:, start:], stage.decided, self.state.leg[0])
        self.state.nodes += lifted.nodes - nodes
        return shown[:done]

    def _excluded(self, stage: Stage, word: NDArray[np.bool_]) -> bool:
        """Whether **proved** that a prefix has no region of the ranks in question."""
        state = self.state
        rank, listing = state.leg
        layers = len(stage.network.layers)
        if stage.decided is None:
            if layers == len(state.network.layers) - 1:
                return False
            known = chain_lower(state.network, state.chart, state.chain, layers, word)
            return known >= int(rank)
        start = sum(state.network.bits[: layers - 1])
        lifted = self._lifted(word[:start])
        nodes, programs = lifted.nodes, lifted.programs
        try:
            left = lifted.below(word[start:], stage.decided, rank)
        finally:
            state.nodes += lifted.nodes - nodes
            state.programs += lifted.programs - programs
        if left is None:
            return True
        if left.point is not None and not listing:
            point = fmpq_mat(state.chart.k, 1, [fmpq_from_float(v) for v in left.point])
            state.at(point, state.chart.rows)
            self._end_of_leg()
        return False

    def _lifted(self, word: NDArray[np.bool_]) -> Lifted:
        """The last two layers on a region of the layers before them."""
        key, network, chart = word.tobytes(), self.state.network, self.state.chart
        if key not in self._around:
            below = Problem(network, chart, len(network.layers) - 2)
            z = below.branch.preactivation(below.layers + 1, word)
            walls, bounds = list(Region(below, word).rows), self.state.chain.bounds[below.layers]
            self._around[key] = Lifted(network, z, walls, self.state.box, bounds, PRIMES[0])
            if len(self._around) > _LIFTED:
                self._around.popitem(last=False)
        self._around.move_to_end(key)
        return self._around[key]

    def _visit(self, word: NDArray[np.bool_], inside: fmpq_mat) -> None:
        """The last layer's units on one region of the layers below."""
        rank, listing = self.state.leg
        self.state.cells += 1
        cell = self.state.last.cell(word, inside)
        flats = FlatSearch(cell, PRIMES[0], self.state.highs)
        if listing:
            if flats.base < rank:
                self.state.list_cell(cell)
        else:
            try:
                self.state.refuted(flats, rank)
            finally:
                self.state.nodes += flats.nodes
                self.state.programs += flats.programs
        self._end_of_leg()

    def _end_of_leg(self) -> None:
        """Leave the enumeration if it has answered."""
        if self.state.finished() or (
            not self.state.leg[1] and self.state.best.rank < self.state.leg[0]
        ):
            raise _Settled


class _Settled(Exception):  # noqa: N818
    """The leg has answered; the enumeration need not go on."""


class _Left(Exception):  # noqa: N818
    """The search has had its time for now."""
