"""``minrank --greatest``: proved bounds of the greatest rank through a layer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from os import PathLike
from typing import ClassVar

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.interrupt import prompt_interrupts
from polyrank.cells.search import search
from polyrank.cells.task import Batch, SearchProgress
from polyrank.cells.threads import check_jobs
from polyrank.lp.deadline import OutOfTimeError, look, time_limit
from polyrank.lp.farkas import value_at
from polyrank.minrank.bound import chain_bound
from polyrank.minrank.cell import LiveCell, LiveCells, region_at
from polyrank.minrank.certain import points_with_all_off
from polyrank.minrank.conflicts import ConflictSearch
from polyrank.minrank.deep import deep_in_time, depth_at
from polyrank.minrank.hitting import points_with_few_live_units
from polyrank.minrank.kept import Diary, opened
from polyrank.minrank.result import LowRegion, MaximumRank
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

__all__ = ["MaximumRankInterrupted", "maximum_rank"]

_NO_BITS = np.zeros(0, dtype=bool)
_PROBES = 32


class MaximumRankInterrupted(KeyboardInterrupt):
    """Ctrl-C stopped the search; ``found`` is what was proved until then."""

    def __init__(self, found: MaximumRank) -> None:
        super().__init__(f"interrupted: the greatest rank is in [{found.best.rank}, {found.upper}]")
        self.found = found


def maximum_rank(
    network: Network,
    domain: Domain | None = None,
    *,
    layer: int = 1,
    seconds: float = math.inf,
    seed: int = 0,
    attempts: int = 10,
    report: Callable[[int, int], None] | None = None,
    deep: bool = False,
    keep: str | PathLike[str] | None = None,
    resume: bool = False,
    keep_seconds: float = KEEP_SECONDS,
    jobs: int | None = None,
) -> MaximumRank:
    """The greatest rank of the map through layer K over all regions of a domain.

    The mirror image of :func:`polyrank.minrank.minimum.minimum_rank`. The upper bound is that of
    the weights among units that can be live on the domain, and most often a region attains it. Else
    the regions of the layers below K are enumerated, and on each of them (for K = 1 on the whole
    domain) :mod:`polyrank.minrank.conflicts` decides; layer K is never enumerated.

    Parameters
    ----------
    network : Network
    domain : Domain, optional
        Default: R^n.
    layer : int
        K, 1-based.
    seconds : float
        Time limit; what is proved until then is returned.
    seed, attempts : int
        Of the heuristic that looks for good regions first.
    report : callable, optional
        Told the best rank found and the proved upper bound, as they improve.
    deep : bool
        Also look for a deep point of the best region, within a second more than ``seconds``.
    keep, resume, keep_seconds, jobs
        As for the least rank.

    Returns
    -------
    MaximumRank
        An interval; ``certified`` if it is one number.

    Raises
    ------
    NetworkError
        If there is no layer K.
    ValueError
        If ``jobs`` is less than 1.
    EmptyDomainError, DomainError
        As for an enumeration.
    RunError
        If ``keep`` cannot be written or gone on with.
    MaximumRankInterrupted
        On Ctrl-C (it is a KeyboardInterrupt), once there is a region; it holds what is proved.

    Examples
    --------
    >>> net = Network.from_arrays([[[1.0], [-1.0]], [[1.0, 1.0]]], [[-1.0, -1.0], [0.0]])
    >>> found = maximum_rank(net)
    >>> found.best.rank, found.upper, found.certified
    (1, 1, True)
    """
    through = network.through(layer)
    through.check_dense()
    check_jobs(jobs)
    begun = time.perf_counter()
    where = WholeSpace() if domain is None else domain
    chart = chart_for(network, where)
    asked = {"what": "greatest rank", "layer": layer}
    work = opened(keep, network, where, resume=resume, seconds=keep_seconds, asked=asked)
    with Diary(work, through, chart) as diary:
        state = _Maximum(
            network=through,
            chart=chart,
            begun=begun,
            report=report,
            upper=chain_bound(through, chart).most,
            best=region_at(through, chart, chart.interior),
            diary=diary,
            jobs=jobs,
        )
        with time_limit(begun + seconds - time.perf_counter()):
            found = state.run(seed, attempts)
        if deep:
            best, left = found.best, begun + seconds - time.perf_counter()
            point = deep_in_time(through, chart, best.codeword, best.chart_point, left)
            found = replace(found, deep=point)
        found = replace(found, seconds=time.perf_counter() - begun)
        diary.finish(found)
    return found


@dataclass(slots=True, kw_only=True)
class _Maximum(RankSearch):
    """The state of one call; its facts are conflicts."""

    kept: ClassVar[tuple[str, ...]] = ("upper", "undecided", "cells", "pruned", "nodes", "programs")

    upper: int

    def run(self, seed: int, attempts: int) -> MaximumRank:
        try:
            with prompt_interrupts() as self.interrupt, suppress(_Settled, OutOfTimeError):
                self._search(seed, attempts)
        except KeyboardInterrupt:
            # what has been proved stays proved
            self.keep()
            raise MaximumRankInterrupted(self._found()) from None
        self.keep()
        return self._found()

    def _found(self) -> MaximumRank:
        best = self.best
        return MaximumRank(
            len(self.network.layers),
            self.upper,
            best,
            depth_at(self.network, self.chart.point_of(best.chart_point)),
            self.cells,
            self.pruned,
            self.nodes,
            self.programs,
            time.perf_counter() - self.begun,
        )

    def _search(self, seed: int, attempts: int) -> None:
        self._tell()
        lone = len(self.network.layers) == 1
        self._settle()
        if not self.diary.state:
            for point, walls in self._promising(seed, attempts):
                self._at(point, walls)
        if lone:
            cell = self.last.cell(_NO_BITS, self.chart.interior)
            search_ = ConflictSearch(cell, self.highs)
            search_.conflicts += self.facts
            self.facts = search_.conflicts
            search_.between = self.keep_if_due
            self.cells = 1
            self._prove(search_.most)
            while True:
                if self._refuted(search_, cell, self.upper):
                    self._prove(self.upper - 1)
        self._enumerate()
        if not self.undecided:
            self._prove(self.best.rank)

    def _promising(self, seed: int, attempts: int) -> Iterator[tuple[fmpq_mat, tuple[IntRow, ...]]]:
        """Points with many live units in layer 1, and in layer K on the cells of some points."""
        first = Network(self.network.layers[:1], self.network.name)
        cell = LiveCells(first, self.chart).cell(_NO_BITS, self.chart.interior)
        mirrored = _mirrored(cell)
        for point in points_with_all_off(mirrored, self.highs):
            yield point, cell.walls
        rng = np.random.default_rng(seed)
        for power in range(_PROBES):
            yield self._drawn(rng, power), cell.walls
        for point in points_with_few_live_units(mirrored, attempts, seed):
            yield point, cell.walls
        if len(self.network.layers) == 1:
            return
        for power in range(_PROBES):
            look()
            inside = self._drawn(rng, power)
            if any(value_at(row, inside) <= 0 for row in cell.walls):
                continue
            region = region_at(self.network, self.chart, inside)
            word = region.codeword[: sum(self.network.bits[:-1])]
            around = self.last.cell(word, region.chart_point)
            for point in points_with_few_live_units(_mirrored(around), 1, seed):
                yield point, around.walls

    def _drawn(self, rng: np.random.Generator, power: int) -> fmpq_mat:
        """A random point: in the bounding box, or at some distance from the interior point."""
        k, low, high = self.chart.k, self.chart.lower, self.chart.upper
        if low is not None and high is not None:
            share = [fmpq_from_float(float(v)) for v in rng.random(k)]
            values = [a + (b - a) * t for a, b, t in zip(low, high, share, strict=True)]
            return fmpq_mat(k, 1, values)
        step = np.ldexp(rng.normal(size=k), power % 12 - 6)
        entries: list[fmpq] = [fmpq_from_float(float(v)) for v in step]
        return self.chart.interior + fmpq_mat(k, 1, entries)

    def _at(self, point: fmpq_mat, walls: tuple[IntRow, ...]) -> None:
        look()
        self.interrupt.check()
        if all(value_at(row, point) > 0 for row in walls):
            self._consider(region_at(self.network, self.chart, point))

    def _consider(self, region: LowRegion) -> None:
        if region.rank > self.best.rank:
            self.best = region
            self._tell()
        self._settle()

    def _prove(self, upper: int) -> None:
        if upper < self.upper:
            self.upper = upper
            self._tell()
        self._settle()

    def _settle(self) -> None:
        if self.best.rank >= self.upper:
            raise _Settled

    def _tell(self) -> None:
        if self.report is not None:
            self.report(self.best.rank, self.upper)

    def _refuted(self, search_: ConflictSearch, cell: LiveCell, r: int) -> bool:
        """True if **proved** that no region of the cell has rank ≥ r; else one is kept as best."""
        nodes, programs = search_.nodes, search_.programs
        try:
            point = search_.above(r)
        finally:
            self.nodes += search_.nodes - nodes
            self.programs += search_.programs - programs
        if point is None:
            return True
        live = [row for row in cell.switching if value_at(row, point) > 0]
        self._consider(region_at(self.network, self.chart, point, [*cell.walls, *live]))
        return False

    def _enumerate(self) -> None:
        """All regions of the layers below K."""
        bits = sum(self.network.bits[:-1])
        before, number = self.cells, 0

        def take(batch: Batch) -> None:
            nonlocal number
            for r in range(len(batch.codeword)):
                self.interrupt.check()
                look()
                number += 1
                if number > before:
                    self._visit(unpack_bits(batch.codeword[r], bits), batch.point(r))
                    self.cells = number
                    self.keep_if_due()

        def watch(_: SearchProgress) -> None:
            self.interrupt.check()
            look()

        problem = Problem(self.network, self.chart, len(self.network.layers) - 1)
        found = search(problem, take, progress=watch, jobs=self.jobs)
        self.undecided = not found.certified

    def _visit(self, word: NDArray[np.bool_], inside: fmpq_mat) -> None:
        tell(f"rank in [{self.best.rank}, {self.upper}], cells of the layers below", self.cells)
        cell = self.last.cell(word, inside)
        search_ = ConflictSearch(cell, self.highs)
        if search_.most <= self.best.rank:
            self.pruned += 1
            return
        while not self._refuted(search_, cell, self.best.rank + 1):
            pass


class _Settled(Exception):  # noqa: N818
    """The bounds have met."""


def _mirrored(cell: LiveCell) -> LiveCell:
    """The cell whose units are off where the given one's are live."""
    return replace(cell, switching=tuple(tuple(-v for v in row) for row in cell.switching))
