"""The state of a search for the least or the greatest rank, and what of it is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from polyrank.cells.interrupt import DeferredInterrupt
from polyrank.minrank.cell import LiveCells
from polyrank.minrank.kept import Diary
from polyrank.minrank.programs import simplex_solver
from polyrank.minrank.result import LowRegion
from polyrank.network.normal_form import Network
from polyrank.posed.chart import Chart

__all__ = ["RankSearch"]


@dataclass(slots=True, kw_only=True)
class RankSearch:
    """What both searches have; that of the diary, if it has something, is gone on with.

    Attributes
    ----------
    kept : tuple of str
        Names of what an entry of the diary holds besides regions and facts.
    network : Network
        Its last layer is K.
    chart : Chart
    begun : float
        When the call began.
    report : callable or None
    best : LowRegion
        The best region that is known.
    diary : Diary
    jobs : int or None
        Threads of the search of the layers below K.
    undecided : bool
        Cells of the layers below K may be missing.
    cells, pruned, nodes, programs : int
        What the result counts.
    facts : list
        What is proved of the one cell where K = 1, in order.
    highs
        The solver that proposes.
    last : LiveCells
        Layer K on the cells of the layers below.
    interrupt : DeferredInterrupt
    """

    kept: ClassVar[tuple[str, ...]]

    network: Network
    chart: Chart
    begun: float
    report: Callable[[int, int], None] | None
    best: LowRegion
    diary: Diary
    jobs: int | None = None
    undecided: bool = False
    cells: int = 0
    pruned: int = 0
    nodes: int = 0
    programs: int = 0
    facts: list[Any] = field(default_factory=list)
    highs: Any = field(default_factory=simplex_solver)
    last: LiveCells = field(init=False)
    interrupt: DeferredInterrupt = field(default_factory=DeferredInterrupt)

    def __post_init__(self) -> None:
        self.last = LiveCells(self.network, self.chart)
        known = self.diary.state
        for name in self.kept if known else ():
            setattr(self, name, known[name])
        self.best = self.diary.best or self.best
        self.facts = list(self.diary.facts)

    def keep(self) -> None:
        """Write down how far the search is."""
        state = {name: getattr(self, name) for name in self.kept}
        self.diary.keep(state, self.best, facts=self.facts, listed=self.regions())

    def regions(self) -> list[LowRegion]:
        """The regions that are listed so far."""
        return []

    def keep_if_due(self) -> None:
        """The same, now and then; to be called where nothing is half done."""
        if self.diary.due:
            with self.interrupt.held():
                self.keep()
