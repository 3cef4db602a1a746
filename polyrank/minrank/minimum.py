"""``minrank``: proved bounds of the least rank through a layer, and all regions of low rank."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from os import PathLike

import numpy as np
from flint import fmpq_mat

from polyrank.cells.interrupt import prompt_interrupts
from polyrank.cells.threads import check_jobs
from polyrank.lp.deadline import OutOfTimeError, look, seconds_left, time_limit
from polyrank.lp.farkas import value_at
from polyrank.minrank.bound import chain_bound
from polyrank.minrank.cell import LiveCell, live_cell, region_at
from polyrank.minrank.certain import points_with_all_off, wide_layer_off
from polyrank.minrank.deep import Depth, deep_in_time, depth_at
from polyrank.minrank.enumeration import enumerated
from polyrank.minrank.exchange import points_by_exchange
from polyrank.minrank.hitting import PRIMES, FlatSearch, Unfinished, points_with_few_live_units
from polyrank.minrank.kept import Diary, opened
from polyrank.minrank.layers_below import LayersBelow
from polyrank.minrank.least import COVER, LeastRank
from polyrank.minrank.milp import fewest_live_units
from polyrank.minrank.result import LowRegion, MinimumRank
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float
from polyrank.polyhedra.domain import Domain, WholeSpace
from polyrank.posed.section import chart_for
from polyrank.regions.kept import KEEP_SECONDS

__all__ = ["MinimumRankInterrupted", "minimum_rank"]

_NO_BITS = np.zeros(0, dtype=bool)
_PROMISED = 5.0
"""Processor seconds that an enumeration may promise to take before anything else is tried."""
_TURN = 3.0
"""Those of the first turn of the search in layers below K, and by what later turns are longer."""
_LONGER = 4
_OVERRATED = 10
"""An enumeration may promise so many times a turn: its first promises are too long."""
_EXCHANGE_AFTER = 0.3
_SOLVER_AFTER = 5.0
_SOLVER_SECONDS = 20.0
_PROBES = 32
_FEW_FLATS = 10_000
"""A rank that so few flats refute costs less than looking for points of that rank."""


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
    jobs: int | None = None,
) -> MinimumRank:
    """The least rank of the map through layer K over all regions of a domain.

    For K = 1, :mod:`polyrank.minrank.hitting` searches the units on the whole domain; nothing is
    enumerated. For K > 1, all regions are enumerated if that ends within seconds
    (:mod:`polyrank.minrank.enumeration`); else :mod:`polyrank.minrank.layers_below` refutes one
    rank after the other on prefixes of layers 1..K−1. Where that takes long an enumeration may take
    longer, too: they are tried in turn.

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
        Greatest length of that list; a list that is cut off is not ``complete``, and which regions
        it holds may differ from call to call.
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
    jobs : int, optional
        Threads that enumerate the layers below K, or all; what is proved does not depend on them.
        Default: all that this process may use.

    Returns
    -------
    MinimumRank
        An interval; ``certified`` if it is one number (and the list, if asked for, complete).

    Raises
    ------
    NetworkError
        If there is no layer K.
    ValueError
        If ``jobs`` is less than 1.
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
    through = network.through(layer)
    check_jobs(jobs)
    begun = time.perf_counter()
    where = WholeSpace() if domain is None else domain
    at_once: tuple[LowRegion, Depth] | None = None
    if layer == 1:
        with suppress(OutOfTimeError), time_limit(seconds):
            at_once = wide_layer_off(through.layers[0], where)
        if at_once is not None and below is None and keep is None and not deep:
            if report is not None:
                report(0, 0)
            return _rank_0(*at_once, time.perf_counter() - begun)
    through.check_dense()
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
            best=(
                at_once[0]
                if at_once is not None and chart.is_plain
                else region_at(through, chart, chart.interior)
            ),
            diary=diary,
            jobs=jobs,
        )
        with time_limit(begun + seconds - time.perf_counter()):
            found = state.run(seed, attempts)
        if deep:
            best, left = found.best, begun + seconds - time.perf_counter()
            point = deep_in_time(through, chart, best.codeword, best.chart_point, left)
            found = replace(found, deep=point, seconds=time.perf_counter() - begun)
        diary.finish(found)
    return found


def _rank_0(best: LowRegion, depth: Depth, seconds: float) -> MinimumRank:
    """The answer where a region of rank 0 was met before any search."""
    return MinimumRank(
        layer=1,
        below=None,
        lower=0,
        best=best,
        depth=depth,
        regions=(),
        complete=False,
        solver_bound=None,
        enumerated=None,
        cells=1,
        pruned=0,
        nodes=0,
        programs=0,
        seconds=seconds,
    )


@dataclass(slots=True, kw_only=True)
class _Minimum(LeastRank):
    """The state of one call."""

    milp: bool | None
    complete: bool = False

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
        self.told()
        try:
            cell, new = self._first_cell(), not self.diary.state
            if new and self.best.rank > self.lower:
                self._all_off(cell)
            if len(self.network.layers) == 1:
                self._single(cell, seed, attempts if new else 0)
            else:
                if new:
                    self._look_around(cell, seed, attempts)
                if not self.finished() and self.enumerated is None:
                    self._several()
            self.complete = self.below is not None and not (self.undecided or self.full)
        except (Unfinished, OutOfTimeError):
            # a proved bound may have settled the list all the same: it is empty
            self.complete = self.below is not None and self.below <= self.lower

    def _several(self) -> None:
        """K > 1: the search in the layers below and enumerations in turn; each turn is longer."""
        if not self.leg and enumerated(self, _PROMISED):
            return
        layers_below, turn = LayersBelow(self), _TURN
        while not layers_below.search(turn):
            if enumerated(self, _OVERRATED * turn):
                return
            turn *= _LONGER

    def _found(self) -> MinimumRank:
        through, chart, best = self.network, self.chart, self.best
        order = sorted(self.listed.values(), key=lambda r: (r.rank, r.codeword.tobytes()))
        return MinimumRank(
            len(self.network.layers),
            self.below,
            self.lower,
            best,
            depth_at(through, chart.point_of(best.chart_point)),
            tuple(order),
            self.complete,
            self.solver_bound,
            self.enumerated,
            self.cells,
            self.pruned,
            self.nodes,
            self.programs,
            time.perf_counter() - self.begun,
        )

    def _first_cell(self) -> LiveCell:
        first = Network(self.network.layers[:1], self.network.name)
        return live_cell(first, self.chart, _NO_BITS, self.chart.interior)

    def _all_off(self, cell: LiveCell) -> None:
        """The best region there can be: no live unit in layer 1."""
        for point in points_with_all_off(cell, self.highs):
            self.at(point, cell.walls)
            if self.best.rank == self.lower:
                return

    def _few_live(self, cell: LiveCell, attempts: int, seed: int) -> None:
        """Regions with few live units in layer 1."""
        alone = len(self.network.layers) == 1
        known = (lambda: self.best.rank) if alone else None
        for point in points_with_few_live_units(cell, attempts, seed, known):
            if self.best.rank == self.lower:
                return
            self.at(point, cell.walls)

    def _look_around(self, cell: LiveCell, seed: int, attempts: int) -> None:
        """K > 1: good regions first, few live units in layer 1, few in layer K on some cells."""
        if self.best.rank > self.lower:
            self._few_live(cell, attempts, seed)
        if self.best.rank == self.lower:
            return
        rng = np.random.default_rng(seed)
        for power in range(_PROBES):
            look()
            step = np.ldexp(rng.normal(size=self.chart.k), power % 12 - 6)
            shift = fmpq_mat(self.chart.k, 1, [fmpq_from_float(float(v)) for v in step])
            region = self.at(self.chart.interior + shift, cell.walls)
            if region is None:
                continue
            word = region.codeword[: sum(self.network.bits[:-1])]
            around = self.last.cell(word, region.chart_point)
            for point in points_with_few_live_units(around, 1, seed):
                if self.best.rank == self.lower:
                    return
                self.at(point, around.walls)

    def _single(self, cell: LiveCell, seed: int, attempts: int) -> None:
        """K = 1: every rank that is refuted on the one cell raises the proved bound."""
        self.cells = 1
        exchanged = False
        flats = FlatSearch(cell, PRIMES[0], self.highs, self.box)
        flats.recall(fact[1] for fact in self.facts if fact[0] == COVER)

        def between() -> None:
            if self.diary.due:
                self.facts = [[COVER, cover] for cover in flats.covers]
                self.keep_if_due()

        flats.between = between
        try:
            if self.milp:
                self._ask_solver(cell)
            while self.lower < self.best.rank:
                elapsed = time.perf_counter() - self.begun
                if attempts and (cell.k + 1) ** self.lower > _FEW_FLATS:
                    self._few_live(cell, attempts, seed)
                    attempts = 0
                elif not exchanged and elapsed > _EXCHANGE_AFTER:
                    exchanged = True
                    self._exchange(cell, seed)
                elif self.milp is None and not self.solver_asked and elapsed > _SOLVER_AFTER:
                    self._ask_solver(cell)
                elif self.refuted(flats, self.lower + 1):
                    self.prove(self.lower + 1)
        finally:
            if len(flats.covers) > len(self.facts):  # nothing is listed yet
                self.facts = [[COVER, cover] for cover in flats.covers]
            self.nodes += flats.nodes
            self.programs += flats.programs
        self.list_cell(cell)

    def _exchange(self, cell: LiveCell, seed: int) -> None:
        """Look for better regions from the best one."""
        point = self.best.chart_point
        live = [i for i, row in enumerate(cell.switching) if value_at(row, point) > 0]
        for better in points_by_exchange(cell, np.array(live, dtype=np.int64), seed):
            self.in_time()
            self.at(better, cell.walls)
            if self.best.rank <= self.lower:
                return

    def _ask_solver(self, cell: LiveCell) -> None:
        self.solver_asked = True
        seconds = min(_SOLVER_SECONDS, seconds_left() / 4)
        found = fewest_live_units(cell, self.box, seconds, self.interrupt)
        self.solver_bound = found.bound
        if found.point is not None:
            point = fmpq_mat(cell.k, 1, [fmpq_from_float(v) for v in found.point])
            self.at(point, cell.walls)
