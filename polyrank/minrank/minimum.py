"""``minrank``: proved bounds of the least rank through a layer, and all regions of low rank."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any, ClassVar

import numpy as np
from flint import fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.interrupt import prompt_interrupts
from polyrank.cells.search import search
from polyrank.cells.task import Batch, SearchProgress, Task
from polyrank.errors import NetworkError
from polyrank.lp.deadline import OutOfTimeError, look, seconds_left, time_limit
from polyrank.lp.farkas import value_at
from polyrank.minrank.bound import ChainBound, chain_bound
from polyrank.minrank.cell import LiveCell, live_cell, region_at
from polyrank.minrank.certain import points_with_all_off
from polyrank.minrank.deep import deep_in_time, depth_at
from polyrank.minrank.exchange import points_by_exchange
from polyrank.minrank.hitting import PRIMES, FlatSearch, Unfinished, points_with_few_live_units
from polyrank.minrank.kept import Diary, opened
from polyrank.minrank.milp import fewest_live_units
from polyrank.minrank.patterns import PatternSearch
from polyrank.minrank.prefix import Stage, opened_prefix, stages
from polyrank.minrank.result import LowRegion, MinimumRank
from polyrank.minrank.state import RankSearch
from polyrank.network.forward import unpack_bits
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float
from polyrank.polyhedra.domain import Domain, WholeSpace
from polyrank.posed.problem import Problem
from polyrank.posed.region import IntRow
from polyrank.posed.section import chart_for
from polyrank.regions.kept import KEEP_SECONDS
from polyrank.stages import tell

__all__ = ["MinimumRankInterrupted", "minimum_rank"]

_NO_BITS = np.zeros(0, dtype=bool)
_TASKS = 512
"""Prefixes that are kept until the search goes on below them."""
_EXCHANGE_AFTER = 1.0
_SOLVER_AFTER = 5.0
_SOLVER_SECONDS = 20.0
_PROBES = 32
_COVER, _PATTERN = "cover", "pattern"


class MinimumRankInterrupted(KeyboardInterrupt):
    """Ctrl-C stopped the search; ``found`` is what was proved until then."""

    def __init__(self, found: MinimumRank) -> None:
        super().__init__(f"interrupted: the least rank is in [{found.lower}, {found.best.rank}]")
        self.found = found


def minimum_rank(
    network: Network,
    domain: Domain | None = None,
    *,
    layer: int = 1,
    below: int | None = None,
    limit: int = 10_000,
    seconds: float = math.inf,
    milp: bool | None = None,
    seed: int = 0,
    attempts: int = 10,
    report: Callable[[int, int], None] | None = None,
    deep: bool = False,
    keep: str | PathLike[str] | None = None,
    resume: bool = False,
    keep_seconds: float = KEEP_SECONDS,
) -> MinimumRank:
    """The least rank of the map through layer K over all regions of a domain.

    Layer K is never enumerated. For K > 1 the regions of layers 1..K−1 are, as far as the bound of
    :mod:`polyrank.minrank.bound` leaves room for a smaller rank; on each of them, and for K = 1 on
    the whole domain, the units of layer K are searched by :mod:`polyrank.minrank.hitting`.

    Parameters
    ----------
    network : Network
    domain : Domain, optional
        Default: R^n.
    layer : int
        K, 1-based.
    below : int, optional
        Also list every region of rank < ``below``.
    limit : int
        Greatest length of that list; a list that is cut off is not ``complete``.
    seconds : float
        Time limit; what is proved until then is returned.
    milp : bool, optional
        Ask HiGHS for a point with few live units (K = 1 only). Default: if the bounds have not met
        after five seconds.
    seed, attempts : int
        Of the heuristic that looks for good regions first.
    report : callable, optional
        Told the proved lower bound and the best rank found, as they improve.
    deep : bool
        Also look for a deep point of the best region (:mod:`polyrank.minrank.deep`), within a
        second more than ``seconds`` at most.
    keep : path, optional
        A directory that does not exist yet, in which what is proved is kept now and then, and
        the answer at the end; or with ``resume`` one that was left: the search of the same
        question goes on there.
    resume : bool
    keep_seconds : float
        How often something is kept.

    Returns
    -------
    MinimumRank
        An interval; ``certified`` if it is one number (and the list, if asked for, complete).

    Raises
    ------
    NetworkError
        If there is no layer K.
    EmptyDomainError, DomainError
        As for an enumeration.
    RunError
        If ``keep`` exists or cannot be written; to resume: if it is missing, damaged, in use, or
        about another question.
    MinimumRankInterrupted
        On Ctrl-C (it is a KeyboardInterrupt), once there is a region; it holds what is proved.

    Examples
    --------
    >>> net = Network.from_arrays([[[1.0], [-1.0]], [[1.0, 1.0]]], [[-1.0, -1.0], [0.0]])
    >>> found = minimum_rank(net)
    >>> found.lower, found.best.rank, found.best.witness, found.certified
    (0, 0, (0,), True)
    """
    if not 1 <= layer <= len(network.layers):
        raise NetworkError(
            f"there is no layer {layer}: {network.name!r} has layers 1 to {len(network.layers)}"
        )
    begun = time.perf_counter()
    where = WholeSpace() if domain is None else domain
    through = Network(network.layers[:layer], network.name)
    chart = chart_for(network, where)
    chain = chain_bound(through, chart)
    asked = {"what": "minrank", "layer": layer, "below": below, "limit": limit}
    work = opened(keep, network, where, resume=resume, seconds=keep_seconds, asked=asked)
    with Diary(work, through, chart) as diary:
        state = _Minimum(
            network=through,
            chart=chart,
            begun=begun,
            report=report,
            chain=chain,
            below=below,
            limit=limit,
            milp=milp,
            lower=chain.root,
            best=region_at(through, chart, chart.interior),
            diary=diary,
        )
        with time_limit(begun + seconds - time.perf_counter()):
            found = state.run(seed, attempts)
        if deep:
            best, left = found.best, begun + seconds - time.perf_counter()
            point = deep_in_time(through, chart, best.codeword, best.chart_point, left)
            found = replace(found, deep=point, seconds=time.perf_counter() - begun)
        diary.finish(found)
    return found


@dataclass(slots=True, kw_only=True)
class _Minimum(RankSearch):
    """The state of one call."""

    kept: ClassVar[tuple[str, ...]] = (
        "lower", "full", "undecided", "solver_bound", "solver_asked", "cells", "pruned", "nodes",
        "programs", "done", "stack",
    )  # fmt: skip

    chain: ChainBound
    below: int | None
    limit: int
    milp: bool | None
    lower: int
    full: bool = False
    complete: bool = False
    solver_bound: int | None = None
    solver_asked: bool = False
    done: int = 0  # regions of the first stage below which all is done
    stack: list[Any] | None = None  # of the list of the one cell's regions, when it was last kept
    listed: dict[bytes, LowRegion] = field(init=False)

    def __post_init__(self) -> None:
        RankSearch.__post_init__(self)  # a class with slots is made twice: super() has the first
        self.listed = {r.codeword.tobytes(): r for r in self.diary.listed}

    def regions(self) -> list[LowRegion]:
        return list(self.listed.values())

    # -----------------------------------------------------------------------------------------
    # the whole

    def run(self, seed: int, attempts: int) -> MinimumRank:
        try:
            with prompt_interrupts() as self.interrupt:
                self._search(seed, attempts)
        except KeyboardInterrupt:
            # what has been proved stays proved; nothing else was half written
            self.complete = self.below is not None and self.below <= self.lower
            self.keep()
            raise MinimumRankInterrupted(self._found()) from None
        self.keep()
        return self._found()

    def _search(self, seed: int, attempts: int) -> None:
        self._tell()
        try:
            if not self.diary.state:
                self._look_around(seed, attempts)
            if len(self.network.layers) == 1:
                self._single(self._first_cell(), seed)
            elif not self._finished():
                self._below_last(None, stages(self.network, self.chart, self.chain), 0)
                if not self.undecided:
                    self._prove(self.best.rank)
            self.complete = self.below is not None and not (self.undecided or self.full)
        except (_Settled, Unfinished, OutOfTimeError):
            # a proved bound may have settled the list all the same: it is empty
            self.complete = self.below is not None and self.below <= self.lower

    def _found(self) -> MinimumRank:
        through, chart, best = self.network, self.chart, self.best
        order = sorted(self.listed.values(), key=lambda r: (r.rank, r.codeword.tobytes()))
        return MinimumRank(
            len(self.network.layers),
            self.below,
            self.lower,
            best,
            depth_at(through, chart, best.codeword, best.chart_point),
            tuple(order),
            self.complete,
            self.solver_bound,
            self.cells,
            self.pruned,
            self.nodes,
            self.programs,
            time.perf_counter() - self.begun,
        )

    def _finished(self) -> bool:
        """Whether nothing that was asked for is open."""
        return self.lower == self.best.rank and self._wanted() <= self.lower

    def _wanted(self) -> int:
        """Regions of rank below this are still to be listed."""
        return 0 if self.below is None or self.full else self.below

    def _first_cell(self) -> LiveCell:
        first = Network(self.network.layers[:1], self.network.name)
        return live_cell(first, self.chart, _NO_BITS, self.chart.interior)

    def _look_around(self, seed: int, attempts: int) -> None:
        """Good regions first: no live unit or few in layer 1, few in layer K on some cells."""
        cell = self._first_cell()
        for point in points_with_all_off(cell, self.highs):
            self._at(point, cell.walls)
            if self.best.rank == self.lower:
                return
        for point in points_with_few_live_units(cell, attempts, seed):
            if self.best.rank == self.lower:
                return
            self._at(point, cell.walls)
        if len(self.network.layers) == 1:
            return
        rng = np.random.default_rng(seed)
        for power in range(_PROBES):
            look()
            step = np.ldexp(rng.normal(size=self.chart.k), power % 12 - 6)
            shift = fmpq_mat(self.chart.k, 1, [fmpq_from_float(float(v)) for v in step])
            region = self._at(self.chart.interior + shift, cell.walls)
            if region is None:
                continue
            word = region.codeword[: sum(self.network.bits[:-1])]
            around = self.last.cell(word, region.chart_point)
            for point in points_with_few_live_units(around, 1, seed):
                if self.best.rank == self.lower:
                    return
                self._at(point, around.walls)

    def _at(self, point: fmpq_mat, walls: tuple[IntRow, ...]) -> LowRegion | None:
        if any(value_at(row, point) <= 0 for row in walls):
            return None
        region = region_at(self.network, self.chart, point)
        self._consider(region)
        return region

    def _consider(self, region: LowRegion) -> None:
        if region.rank < self.best.rank:
            self.best = region
            self._tell()

    def _prove(self, lower: int) -> None:
        if lower > self.lower:
            self.lower = lower
            self._tell()

    def _tell(self) -> None:
        if self.report is not None:
            self.report(self.lower, self.best.rank)

    def _in_time(self) -> None:
        self.interrupt.check()  # the search hands on what it has before it leaves
        look()
        tell(f"rank in [{self.lower}, {self.best.rank}], cells of the layers below", self.cells)

    # -----------------------------------------------------------------------------------------
    # one layer

    def _single(self, cell: LiveCell, seed: int) -> None:
        """K = 1: every rank that is refuted on the one cell raises the proved bound."""
        self.cells = 1
        exchanged = False
        flats = FlatSearch(cell, PRIMES[0], self.highs)
        flats.recall(fact[1] for fact in self.facts if fact[0] == _COVER)

        def between() -> None:
            if self.diary.due:
                self.facts = [[_COVER, cover] for cover in flats.covers]
                self.keep_if_due()

        flats.between = between
        try:
            if self.milp:
                self._ask_solver(cell)
            while self.lower < self.best.rank:
                elapsed = time.perf_counter() - self.begun
                if not exchanged and elapsed > _EXCHANGE_AFTER:
                    exchanged = True
                    self._exchange(cell, seed)
                elif self.milp is None and not self.solver_asked and elapsed > _SOLVER_AFTER:
                    self._ask_solver(cell)
                elif self._refuted(flats, self.lower + 1):
                    self._prove(self.lower + 1)
        finally:
            if len(flats.covers) > len(self.facts):  # nothing is listed yet
                self.facts = [[_COVER, cover] for cover in flats.covers]
            self.nodes += flats.nodes
            self.programs += flats.programs
        self._list(cell)

    def _refuted(self, flats: FlatSearch, r: int) -> bool:
        """True if **proved** that no region of the cell has rank < r; else one is kept as best."""
        for prime in (None, *PRIMES[1:]):
            if prime is not None:
                flats.reprime(prime)
            point = flats.below(r)
            if point is None:
                return True
            keep = [row for row in flats.rows if value_at(row, point) > 0]
            region = region_at(self.network, self.chart, point, keep)
            self._consider(region)
            if region.rank < r:
                return False
        # every prime divides some minor: not decided
        raise Unfinished

    def _exchange(self, cell: LiveCell, seed: int) -> None:
        """Look for better regions from the best one."""
        point = self.best.chart_point
        live = [i for i, row in enumerate(cell.switching) if value_at(row, point) > 0]
        for better in points_by_exchange(cell, np.array(live, dtype=np.int64), seed):
            self._in_time()
            self._at(better, cell.walls)
            if self.best.rank <= self.lower:
                return

    def _ask_solver(self, cell: LiveCell) -> None:
        self.solver_asked = True
        box = None
        if self.chart.lower is not None and self.chart.upper is not None:
            box = self.chart.lower, self.chart.upper
        seconds = min(_SOLVER_SECONDS, seconds_left() / 4)
        found = fewest_live_units(cell, box, seconds, self.interrupt)
        self.solver_bound = found.bound
        if found.point is not None:
            point = fmpq_mat(cell.k, 1, [fmpq_from_float(v) for v in found.point])
            self._at(point, cell.walls)

    def _list(self, cell: LiveCell) -> None:
        """Add the cell's regions of rank < ``below`` to the list."""
        below = self._wanted()
        if below <= self.lower:
            return
        patterns = PatternSearch(cell, self.highs)
        if len(self.network.layers) == 1:
            self._recall(patterns)
        try:
            for point in patterns.search(below):
                region = region_at(self.network, self.chart, point, cell.walls)
                self._consider(region)
                if region.rank < below:
                    if len(self.listed) == self.limit:
                        self.full = True
                        return
                    self.listed[region.codeword.tobytes()] = region
        finally:
            self.nodes += patterns.nodes
            self.programs += patterns.programs

    def _recall(self, patterns: PatternSearch) -> None:
        """Go on with the list of the one cell where it was left, and write down how far it is."""
        known = [fact[1:] for fact in self.facts if fact[0] == _PATTERN]
        patterns.refuted += [(off, on, tuple(units)) for off, on, units in known]
        if self.stack is not None:
            patterns.stack = [(tuple(on), settled) for on, settled in self.stack]
        written = len(known)

        def between() -> None:
            nonlocal written
            if self.diary.due:
                self.facts += [[_PATTERN, *fact] for fact in patterns.refuted[written:]]
                written = len(patterns.refuted)
                self.stack = list(patterns.stack)
                self.keep_if_due()

        patterns.between = between

    # -----------------------------------------------------------------------------------------
    # deeper layers

    def _below_last(self, tasks: list[Task] | None, plan: tuple[Stage, ...], step: int) -> None:
        """Enumerate the regions of the layers that the stage names, and go on below each."""
        stage = plan[step]
        bits = sum(self.network.bits[: stage.layers])
        waiting: list[Task] = []

        before, number = self.done, 0

        def done() -> None:
            if step == 0:
                self.done = number
                self.keep_if_due()

        def go_on() -> None:
            self._below_last(list(waiting), plan, step + 1)
            waiting.clear()
            done()

        def take(batch: Batch) -> None:
            nonlocal number
            for r in range(len(batch.codeword)):
                self._in_time()
                number += 1
                if step == 0 and number <= before:
                    continue
                word = unpack_bits(batch.codeword[r], bits)
                inside = batch.point(r)
                if step + 1 == len(plan):
                    self._visit(word, inside)
                    done()
                    continue
                prefix = opened_prefix(self.network, self.chart, self.chain, stage, word, inside)
                if prefix.bound >= max(self.best.rank, self._wanted()):
                    self.pruned += 1
                    continue
                waiting.append(prefix.task)
                if len(waiting) == _TASKS or (step == 0 and self.diary.due):
                    go_on()

        def watch(_: SearchProgress) -> None:
            self._in_time()

        problem = Problem(self.network, self.chart, stage.layers)
        found = search(problem, take, progress=watch, tasks=tasks)
        if not found.certified:
            self.undecided = True
        if waiting:
            go_on()

    def _visit(self, word: NDArray[np.bool_], inside: fmpq_mat) -> None:
        """The last layer's units on one region of the layers below."""
        self.cells += 1
        cell = self.last.cell(word, inside)
        flats = FlatSearch(cell, PRIMES[0], self.highs)
        try:
            r = self.lower + 1
            while r <= self.best.rank and self._refuted(flats, r):
                r += 1
        finally:
            self.nodes += flats.nodes
            self.programs += flats.programs
        if flats.base < self._wanted():
            self._list(cell)
        if self._finished():
            raise _Settled


class _Settled(Exception):  # noqa: N818
    """Everything that was asked for is proved; the enumeration below need not go on."""
