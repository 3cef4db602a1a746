"""Trusted: the claims of a stretch of the search tree, proved together.

A claim is that a unit has one sign on a cell, by rows of the cell or by the bounding box; or that a
leaf is the region that a row of the table describes. Whatever rounded rows do not prove is decided
on exact ones.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from polyrank.proof.farkas import proves
from polyrank.proof.format import CUBE_POSITIVE, POSITIVE, POSITIVE_BY
from polyrank.proof.layers import Problem, Region
from polyrank.proof.proposals import eliminated
from polyrank.proof.rounding import Rounded
from polyrank.proof.rows import Listed

__all__ = ["POSITIVES", "Claims"]

#: By code of a step: whether it claims that a unit is positive.
POSITIVES = bytes(c in (CUBE_POSITIVE, POSITIVE, POSITIVE_BY) for c in range(256))


class Claims:
    """Claims that are still to be proved, and the table of the rows that they speak of.

    A *number* stands for a row: twice its place in the table (walls, then the rows of the regions
    that were entered), plus 1 for its negative.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.start()

    def start(self) -> None:
        """Forget everything but the walls."""
        self.size = len(self.problem.walls)
        self.count = 0
        self.regions: list[Region] = []
        self.runs: dict[tuple[int, int], list[tuple[int, int, int, Region, list[int]]]] = {}
        self.leaves: list[tuple[int, Region, list[int]]] = []
        self.rounded: Rounded | None = None

    def add_run(
        self, at: tuple[int, int, int], indices: tuple[int, int], region: Region, rows: list[int]
    ) -> None:
        """Steps of one kind on one cell.

        Parameters
        ----------
        at : byte of the first step, how many there are, bytes per step
        indices : where in a step those of rows start, and their width in bytes (0 if none)
        rows : numbers of the cell's rows
        """
        self.runs.setdefault(indices, []).append((*at, region, rows))
        self.count += at[1]

    def add_leaf(self, offset: int, region: Region, rows: list[int]) -> None:
        """A leaf, and the numbers of its cell's rows."""
        artificial, walls = self.problem.artificial, len(self.problem.walls)
        real = rows[:artificial] + rows[walls:] if artificial < walls else rows
        self.leaves.append((offset, region, real))

    def enter(self, region: Region) -> None:
        """Give the region's rows a place in the table; those below it come first."""
        region.base = self.size
        self.size += region.here.units
        self.regions.append(region)

    def row(self, number: int) -> list[int]:
        """The exact row with this number."""
        at = number >> 1
        if at < len(self.problem.walls):
            row = list(self.problem.walls[at])
        else:
            region = self.regions[bisect(self.regions, at, key=lambda r: r.base) - 1]
            row = region.exact[at - region.base]
        return [-v for v in row] if number & 1 else row

    def failed(
        self, segment: NDArray[np.uint8], listed: Listed, first: int
    ) -> tuple[int, str] | None:
        """The first step whose claim is not proved, and why; the leaves are rows from ``first``."""
        leaf = self.failed_leaf(listed, first)
        found = [self._failed_run(segment, *indices) for indices in self.runs]
        found.append(leaf)
        return min((bad for bad in found if bad is not None), default=None)

    def _failed_run(
        self, segment: NDArray[np.uint8], skip: int, width: int
    ) -> tuple[int, str] | None:
        at_, count_, stride_, regions, cells = zip(*self.runs[skip, width], strict=True)
        at, count, stride = np.array(at_), np.array(count_), np.array(stride_)
        run = np.repeat(np.arange(len(at)), count)
        place = at[run] + stride[run] * (np.arange(len(run)) - (np.cumsum(count) - count)[run])
        unit = segment[place + 1] + segment[place + 2].astype(np.int64) * 256
        side = np.where(np.frombuffer(POSITIVES, np.int8)[segment[place]] == 1, 1, -1)
        goal = np.array([region.base for region in regions])[run] + unit
        wrong = np.zeros(len(place), dtype=bool)
        numbers = np.empty((0, len(place)), dtype=np.int64)
        if width:
            known = np.array([len(cell) for cell in cells])
            first = np.cumsum(known) - known
            held = np.array([number for cell in cells for number in cell] + [-1])
            indices = []
            for q in range(self.problem.dim):
                index = segment[place + skip + q * width].astype(np.int64)
                if width == 2:
                    index += segment[place + skip + q * width + 1].astype(np.int64) * 256
                indices.append(index)
            index = np.array(indices, dtype=np.int64).reshape(self.problem.dim, len(place))
            absent = index == (1 << 8 * width) - 1
            beyond = ~absent & (index >= known[run])
            wrong = beyond.any(axis=0)
            numbers = held[np.where(absent | beyond, len(held) - 1, first[run] + index)]
        proved = wrong & False if self.rounded is None else self.rounded.prove(goal, side, numbers)
        for s in np.flatnonzero(wrong | ~proved).tolist():
            name = f"unit {int(unit[s])}"
            if wrong[s]:
                bad = int(index[:, s][beyond[:, s]][0])
                return int(place[s]), f"the cell has {known[run[s]]} rows, not a row {bad}"
            if not any(self.row(2 * int(goal[s]))):
                return int(place[s]), f"{name} is identically zero"
            if not self.exactly(int(goal[s]), int(side[s]), numbers[:, s].tolist()):
                what = "rows do not prove the sign of" if width else "bounding box does not decide"
                return int(place[s]), f"the {what} {name}"
        return None

    def exactly(self, goal: int, side: int, numbers: Sequence[int]) -> bool:
        """Whether the exact rows prove the sign of a row."""
        real = [self.row(n) for n in numbers if n >= 0 and not self.is_artificial(n)]
        wanted = self.row(2 * goal + (side < 0))
        bounded = self.problem.bounded
        multipliers, scale = eliminated(wanted, real, bounded=bounded)
        return proves(wanted, real, multipliers, scale, bounded=bounded)

    def is_artificial(self, number: int) -> bool:
        """Whether a row is a wall that is no constraint."""
        return self.problem.artificial <= number >> 1 < len(self.problem.walls)

    def failed_leaf(self, listed: Listed, first: int) -> tuple[int, str] | None:
        """The first leaf that its row of the table does not describe, and why."""
        regions = [*self.regions, *(region for _, region, _ in self.leaves)]
        self.rounded = None if self.problem.exact else Rounded(self.problem, regions)
        for region in regions:
            if region.rank < 0 and region.below is not None:
                region.rank = region.below.exact_rank(region.positive, region.zero)
        for i, (offset, region, _) in enumerate(self.leaves):
            if i >= len(listed.code):
                return offset, f"the table has no row {first + i}"
            if (region.code, region.zeros) != (listed.code[i], listed.zero[i]):
                return offset, f"row {first + i} states another codeword"
            if (ranks := region.ranks()) != listed.ranks[i]:
                return offset, f"row {first + i} states ranks {listed.ranks[i]}, not {ranks}"
        counts = [len(rows) for _, _, rows in self.leaves]
        owner = np.repeat(np.arange(len(counts)), counts)
        numbers = np.array([n for _, _, rows in self.leaves for n in rows], dtype=np.int64)
        inside = np.zeros(len(numbers), dtype=bool)
        if self.rounded is not None:
            inside = self.rounded.inside(numbers, listed.rounded[:, owner])
        for s in np.flatnonzero(~inside).tolist():
            leaf = int(owner[s])
            row, point = self.row(int(numbers[s])), listed.exact(leaf)
            if sum(a * v for a, v in zip(row, point, strict=True)) <= 0:
                return self.leaves[leaf][0], f"the witness of row {first + leaf} is not inside"
        return None
