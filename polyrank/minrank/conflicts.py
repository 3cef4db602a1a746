"""Whether a cell holds a region of rank ≥ r: branch and bound over units that may stay off.

If all units of a set S can be live at one point, the region there has at least the rank of S. If
they cannot, Farkas multipliers name a few of them that are never live together, a *conflict*: on
every region of the cell one of them is off, and the search branches on which one it gives up. A set
of rank < r (over ℚ) has no region of rank ≥ r inside it, and ends its branch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from polyrank.network.exact_rank import independent_rows, rank_of_rows
from polyrank.posed.region import IntRow
from polyrank.stages import tell

__all__ = ["ConflictSearch"]


@dataclass(slots=True)
class ConflictSearch:
    """Branch and bound on one cell; conflicts are kept from one question to the next.

    Parameters
    ----------
    cell : LiveCell
    highs : optional
        A solver to be used again (:class:`polyrank.minrank.programs.SlackProgram`).

    Attributes
    ----------
    most : int
        Exact rank of all units that can be live: an upper bound for all regions of the cell.
    nodes, programs : int
        Sets of units looked at and linear programs solved so far.
    conflicts : list of int
        Sets of units, as bits, that are proved not to be live at one point.
    between : callable
        Called before every set.
    """

    cell: LiveCell
    highs: Any = None
    most: int = field(init=False)
    nodes: int = field(default=0, init=False)
    programs: int = field(default=0, init=False)
    _rows: list[IntRow] = field(init=False)
    _program: SlackProgram | None = field(default=None, init=False)
    conflicts: list[int] = field(default_factory=list, init=False)
    between: Callable[[], None] = field(default=nothing, init=False)

    def __post_init__(self) -> None:
        self._rows = [*self.cell.walls, *self.cell.switching]
        self.most = rank_of_rows(self._linear((1 << len(self.cell.switching)) - 1))

    def above(self, r: int) -> fmpq_mat | None:
        """A point whose region has rank ≥ r, or None: **proves** that the cell has no such region.

        Raises
        ------
        OutOfTimeError
            If the time limit passes first.
        """
        if r > self.most:
            return None
        # the units that may be live, and those among them that are not given up any more
        stack = [((1 << len(self.cell.switching)) - 1, 0)]
        while stack:
            self.between()
            look()
            allowed, kept = stack.pop()
            self.nodes += 1
            tell(f"sets of units of rank at least {r}", self.nodes)
            if self._rank_below(allowed, r):
                continue
            conflict = self._known(allowed, kept)
            if conflict is None:
                found = self._decide(allowed)
                if not isinstance(found, Multipliers):
                    return found
                walls = len(self.cell.walls)
                conflict = sum(1 << (i - walls) for i in found.indices if i >= walls)
                self.conflicts.append(conflict)
            for i in _units(conflict & ~kept):
                stack.append((allowed & ~(1 << i), kept))
                kept |= 1 << i
        return None

    def _linear(self, units: int) -> list[IntRow]:
        rows = (*self.cell.always, *(self.cell.switching[i] for i in _units(units)))
        return [row[: self.cell.k] for row in rows]

    def _rank_below(self, units: int, r: int) -> bool:
        """Whether the rank over ℚ is less than r; residues bound it from below."""
        linear = self._linear(units)
        if min(len(linear), self.cell.k) < r:
            return True
        return len(independent_rows(linear, at_most=r)) < r and rank_of_rows(linear) < r

    def _known(self, allowed: int, kept: int) -> int | None:
        """The known conflict among the allowed units of which fewest can be given up."""
        inside = [c for c in self.conflicts if c & ~allowed == 0]
        return min(inside, key=lambda c: (c & ~kept).bit_count(), default=None)

    def _decide(self, allowed: int) -> fmpq_mat | Multipliers:
        walls = len(self.cell.walls)
        numbers = [*range(walls), *(walls + i for i in _units(allowed))]
        if not numbers:
            return self.cell.inside
        if self._program is None:
            self._program = SlackProgram(self._rows, self.cell.k, self.highs)
        self.programs += 1
        used = np.zeros(len(self._rows), dtype=bool)
        used[numbers] = True
        return decide(self._rows, numbers, self._program.solve(used), self.cell.k)


def _units(mask: int) -> Sequence[int]:
    return [i for i in range(mask.bit_length()) if mask >> i & 1]
