"""All regions of rank < r of one cell, without its other regions.

A node of the tree fixes some units as live and some as off. If the point "the fixed units live, all
others off" exists, it is a region, and every other region of the node has one more unit live; if
it does not, Farkas multipliers name units of which one more must be live. Either way the node's
other regions are split by the first such unit. A node ends when its live units alone have rank r.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flint import fmpq_mat

from polyrank.lp.deadline import look
from polyrank.lp.farkas import Multipliers
from polyrank.minrank.cell import LiveCell
from polyrank.minrank.contradiction import decide
from polyrank.minrank.hitting import nothing
from polyrank.minrank.programs import SlackProgram
from polyrank.network.exact_rank import independent_rows
from polyrank.posed.region import IntRow
from polyrank.stages import tell

__all__ = ["PatternSearch"]


@dataclass(slots=True)
class PatternSearch:
    """Branch and bound over the sign patterns of the units that cut one cell.

    Attributes
    ----------
    nodes, programs : int
    stack : list
        Nodes that are open: units that are on, and units that are on or settled as off (bits).
    refuted : list
        What is proved of nodes: (bits of units off, bits of units on, units of which one more must
        be on).
    between : callable
        Called before every node, when all that was yielded has been taken.
    """

    cell: LiveCell
    highs: Any = None
    nodes: int = field(default=0, init=False)
    programs: int = field(default=0, init=False)
    _units: list[IntRow] = field(init=False)
    _rows: list[IntRow] = field(init=False)
    _program: SlackProgram = field(init=False)
    stack: list[tuple[tuple[int, ...], int]] = field(default_factory=lambda: [((), 0)], init=False)
    refuted: list[tuple[int, int, tuple[int, ...]]] = field(default_factory=list, init=False)
    between: Callable[[], None] = field(default=nothing, init=False)

    def __post_init__(self) -> None:
        self._units = [*self.cell.switching, *self.cell.cutting]
        off = [tuple(-v for v in row) for row in self._units]
        self._rows = [*self.cell.walls, *self._units, *off]
        self._program = SlackProgram(self._rows, self.cell.k, self.highs)

    def search(self, below: int) -> Iterator[fmpq_mat]:
        """A point strictly inside each region of the cell whose rank may be < ``below``.

        Every region of rank < ``below`` is met once. Ranks are pruned modulo a prime, a lower
        bound: the caller computes the exact rank of what is yielded.

        Raises
        ------
        OutOfTimeError
            If the time limit passes first.
        """
        stack = self.stack  # depth first
        while stack:
            self.between()
            look()
            on, settled = stack.pop()
            self.nodes += 1
            tell(f"nodes of the list of regions of rank below {below}", self.nodes)
            if self._rank(on) >= below:
                continue
            live = sum(1 << i for i in on)
            units = self._known(live)
            if units is None:
                outcome = self._decide(on)
                if isinstance(outcome, Multipliers):
                    units = self._remember(outcome)
                else:
                    yield outcome
                    units = tuple(range(len(self._units)))
            for i in units:
                if settled >> i & 1:
                    continue
                settled |= 1 << i
                stack.append(((*on, i), settled))

    def _rank(self, on: Sequence[int]) -> int:
        counting = (self._units[i] for i in on if i < len(self.cell.switching))
        rows = [row[: self.cell.k] for row in (*self.cell.always, *counting)]
        return len(independent_rows(rows))

    def _known(self, live: int) -> tuple[int, ...] | None:
        """The smallest known set of units of which one more is live at this node."""
        best: tuple[int, ...] | None = None
        for off, needed, units in self.refuted:
            if off & live == 0 and needed & live == needed:
                if best is None or len(units) < len(best):
                    best = units
                if not units:
                    break
        return best

    def _decide(self, on: Sequence[int]) -> fmpq_mat | Multipliers:
        walls, m = len(self.cell.walls), len(self._units)
        used = np.ones(walls + 2 * m, dtype=bool)
        live = np.zeros(m, dtype=bool)
        live[list(on)] = True
        used[walls : walls + m] = live
        used[walls + m :] = ~live
        numbers = np.flatnonzero(used).tolist()
        if not numbers:
            return self.cell.inside
        self.programs += 1
        return decide(self._rows, numbers, self._program.solve(used), self.cell.k)

    def _remember(self, proof: Multipliers) -> tuple[int, ...]:
        walls, m = len(self.cell.walls), len(self._units)
        units = tuple(i - walls - m for i in proof.indices if i >= walls + m)
        needed = sum(1 << (i - walls) for i in proof.indices if walls <= i < walls + m)
        self.refuted.append((sum(1 << i for i in units), needed, units))
        return units
