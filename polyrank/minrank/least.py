"""The state of a search for the least rank: bounds, the best region, one cell of layer K."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from flint import fmpq, fmpq_mat

from polyrank.lp.deadline import look
from polyrank.lp.farkas import value_at
from polyrank.minrank.bound import ChainBound
from polyrank.minrank.cell import LiveCell, region_at
from polyrank.minrank.hitting import PRIMES, FlatSearch, Unfinished
from polyrank.minrank.patterns import PatternSearch
from polyrank.minrank.result import LowRegion
from polyrank.minrank.state import RankSearch
from polyrank.posed.region import IntRow
from polyrank.stages import tell

__all__ = ["COVER", "LeastRank"]

COVER, PATTERN = "cover", "pattern"
"""Names of the facts of the one cell where K = 1."""


@dataclass(slots=True, kw_only=True)
class LeastRank(RankSearch):
    """What one layer and deeper ones share.

    Attributes
    ----------
    chain : ChainBound
    below : int or None
        Regions of rank below this are to be listed.
    limit : int
        Greatest length of the list.
    lower : int
        Proved.
    full : bool
        The list has reached its limit.
    solver_bound, solver_asked
        Of the MILP solver.
    leg : list
        The rank in question on the layers below K, and whether it is to be listed.
    done : int
        Regions of the leg's first stage below which all is done.
    stack : list or None
        Of the list of the one cell's regions, when it was last kept.
    enumerated : int or None
        The number of all regions of layers 1..K, if these were enumerated instead.
    listed : dict
        Regions by codeword.
    """

    kept: ClassVar[tuple[str, ...]] = (
        "lower", "full", "undecided", "solver_bound", "solver_asked", "cells", "pruned", "nodes",
        "programs", "done", "leg", "stack", "enumerated",
    )  # fmt: skip

    chain: ChainBound
    below: int | None
    limit: int
    lower: int
    full: bool = False
    solver_bound: int | None = None
    solver_asked: bool = False
    leg: list[Any] = field(default_factory=list)
    done: int = 0
    stack: list[Any] | None = None
    enumerated: int | None = None
    listed: dict[bytes, LowRegion] = field(init=False)

    def __post_init__(self) -> None:
        RankSearch.__post_init__(self)  # a class with slots is made twice: super() has the first
        self.listed = {r.codeword.tobytes(): r for r in self.diary.listed}

    @property
    def box(self) -> tuple[Sequence[fmpq], Sequence[fmpq]] | None:
        """A box around the domain, if it is bounded."""
        if self.chart.lower is None or self.chart.upper is None:
            return None
        return self.chart.lower, self.chart.upper

    def regions(self) -> list[LowRegion]:
        """Those that are listed, as they were found."""
        return list(self.listed.values())

    def consider(self, region: LowRegion) -> None:
        """Take a region as the best one if it is."""
        if region.rank < self.best.rank:
            self.best = region
            self.told()

    def prove(self, lower: int) -> None:
        """Take a lower bound that has been proved."""
        if lower > self.lower:
            self.lower = lower
            self.told()

    def told(self) -> None:
        """Report the bounds."""
        if self.report is not None:
            self.report(self.lower, self.best.rank)

    def in_time(self) -> None:
        """Leave if the time is up or Ctrl-C was pressed."""
        self.interrupt.check()  # the search hands on what it has before it leaves
        look()
        tell(f"rank in [{self.lower}, {self.best.rank}], cells of the layers below", self.cells)

    def finished(self) -> bool:
        """Whether nothing that was asked for is open."""
        return self.lower == self.best.rank and self.wanted() <= self.lower

    def wanted(self) -> int:
        """Regions of rank below this are still to be listed."""
        return 0 if self.below is None or self.full else self.below

    def at(self, point: fmpq_mat, walls: Sequence[IntRow]) -> LowRegion | None:
        """Look at the region of a point, if it is inside the walls."""
        if any(value_at(row, point) <= 0 for row in walls):
            return None
        region = region_at(self.network, self.chart, point)
        self.consider(region)
        return region

    def refuted(self, flats: FlatSearch, r: int) -> bool:
        """True if **proved** that no region of the cell has rank < r; else one is kept as best."""
        for prime in (None, *PRIMES[1:]):
            if prime is not None:
                flats.reprime(prime)
            point = flats.below(r)
            if point is None:
                return True
            keep = [row for row in flats.rows if value_at(row, point) > 0]
            region = region_at(self.network, self.chart, point, keep)
            self.consider(region)
            if region.rank < r:
                return False
        # every prime divides some minor: not decided
        raise Unfinished

    def list_region(self, region: LowRegion) -> None:
        """Add a region to the list, if there is room."""
        key = region.codeword.tobytes()
        if key not in self.listed and len(self.listed) == self.limit:
            self.full = True
        else:
            self.listed[key] = region

    def list_cell(self, cell: LiveCell) -> None:
        """Add the cell's regions of rank < ``below`` to the list."""
        below = self.wanted()
        if below <= self.lower:
            return
        patterns = PatternSearch(cell, self.highs)
        if len(self.network.layers) == 1:
            self.recall_list(patterns)
        try:
            for point in patterns.search(below):
                region = region_at(self.network, self.chart, point, cell.walls)
                self.consider(region)
                if region.rank < below:
                    self.list_region(region)
                    if self.full:
                        return
        finally:
            self.nodes += patterns.nodes
            self.programs += patterns.programs

    def recall_list(self, patterns: PatternSearch) -> None:
        """Go on with the list of the one cell where it was left, and write down how far it is."""
        known = [fact[1:] for fact in self.facts if fact[0] == PATTERN]
        patterns.refuted += [(off, on, tuple(units)) for off, on, units in known]
        if self.stack is not None:
            patterns.stack = [(tuple(on), settled) for on, settled in self.stack]
        written = len(known)

        def between() -> None:
            nonlocal written
            if self.diary.due:
                self.facts += [[PATTERN, *fact] for fact in patterns.refuted[written:]]
                written = len(patterns.refuted)
                self.stack = list(patterns.stack)
                self.keep_if_due()

        patterns.between = between
