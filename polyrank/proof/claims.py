"""Trusted: the claims of a stretch of the search tree, proved together.

A claim is that a unit has one sign on a cell, by rows of the cell or by the bounding box; or that a
leaf is the region that a row of the table describes. Whatever rounded rows do not prove is decided
on exact ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, compress

import numpy as np
from numpy.typing import NDArray

from polyrank.proof.farkas import proved
from polyrank.proof.format import CUBE_POSITIVE, POSITIVE, POSITIVE_BOX, POSITIVE_BY
from polyrank.proof.layers import Problem, Region
from polyrank.proof.rounding import Rounding
from polyrank.proof.rows import Listed

__all__ = ["POSITIVES", "Claims"]

#: By code of a step: whether it claims that a unit is positive.
POSITIVES = bytes(c in (CUBE_POSITIVE, POSITIVE, POSITIVE_BY, POSITIVE_BOX) for c in range(256))


#: Rows of a step, where their indices start, bytes of an index, coordinates that follow.
_Shape = tuple[int, int, int, int]


class Claims:
    """Claims that are still to be proved.

    Attributes
    ----------
    runs : dict
        Steps that follow each other, by (rows of a step, where their indices start in it, bytes of
        an index, coordinates after them): region, numbers of the cell's rows, byte of the first
        step, how many there are.
    leaves : list of (byte, region, numbers of the cell's rows)
    size : int
        About how much work they are.
    """

    def __init__(self, problem: Problem, rounding: Rounding | None) -> None:
        self.problem, self.rounding = problem, rounding
        self.start()

    def start(self) -> None:
        """Forget all claims."""
        self.runs: dict[_Shape, list[tuple[Region, list[int], int, int]]] = {}
        self.leaves: list[tuple[int, Region, list[int]]] = []
        self.size = 0

    def add(self, indices: _Shape, run: tuple[Region, list[int], int, int]) -> None:
        """Add steps that follow each other."""
        self.runs.setdefault(indices, []).append(run)
        self.size += run[3]

    def failed(
        self, segment: NDArray[np.uint8], listed: Listed, first: int
    ) -> tuple[int, str] | None:
        """The first step whose claim is not proved, and why.

        Parameters
        ----------
        segment : bytes
        listed : the rows of the table that the leaves are to be, from number ``first`` on
        """
        if self.rounding is not None:
            regions = [run[0] for runs in self.runs.values() for run in runs]
            self.rounding.take(regions + [leaf[1] for leaf in self.leaves])
        found = [*self._failed_leaves(listed, first)]
        for indices in self.runs:
            found += self._failed_steps(segment, *indices)
        return min(found, default=None)

    def _failed_steps(
        self, segment: NDArray[np.uint8], rows: int, skip: int, width: int, columns: int
    ) -> Iterator[tuple[int, str]]:
        regions, cells, starts, lengths = zip(*self.runs[rows, skip, width, columns], strict=True)
        counts = np.array(lengths)
        run = np.repeat(np.arange(len(counts)), counts)
        step = np.arange(len(run)) - (np.cumsum(counts) - counts)[run]
        place = np.array(starts)[run] + (skip + (rows + columns) * width) * step
        unit = segment[place + 1] + segment[place + 2].astype(np.int64) * 256
        base = np.array([self.problem.number(r.layer, 0, positive=True) for r in regions])
        goals = base[run] + 2 * unit + 1 - np.frombuffer(POSITIVES, np.uint8)[segment[place]]
        known = np.array([len(cell) for cell in cells])
        held = np.fromiter(chain(chain.from_iterable(cells), (-1,)), np.int64)
        places = place + skip + width * np.arange(rows)[:, None]
        index = segment[places].astype(np.int64)
        if width == 2:
            index += segment[places + 1].astype(np.int64) * 256
        absent = index == (1 << 8 * width) - 1
        beyond = ~absent & (index >= known[run])
        numbers = held[np.where(absent | beyond, -1, (np.cumsum(known) - known)[run] + index)]
        wrong = beyond.any(axis=0)
        places += width * rows
        column = segment[places[:columns]] + segment[places[:columns] + 1].astype(np.int64) * 256
        outside = column >= self.problem.layers.k
        sure = np.zeros(len(run), dtype=bool)
        if self.rounding is not None and (columns or rows in (0, self.problem.dim)):
            at = np.array([region.index for region in regions])
            held_columns = np.where(outside, 0, column) if columns else None
            sure = self.rounding.prove(at[run], goals, numbers, held_columns)
        sure &= ~outside.any(axis=0)
        for s in np.flatnonzero(wrong | ~sure).tolist():
            name, region = f"unit {int(unit[s])}", regions[run[s]]
            if wrong[s]:
                bad = int(index[:, s][beyond[:, s]][0])
                yield int(place[s]), f"the cell has {known[run[s]]} rows, not a row {bad}"
            elif not any(self.problem.row(region, int(goals[s]))):
                yield int(place[s]), f"{name} is identically zero"
            elif outside[:, s].any():
                yield int(place[s]), f"there is no coordinate {int(column[:, s].max())}"
            elif not self._exactly(
                region, int(goals[s]), numbers[:, s].tolist(), column[:, s].tolist()
            ):
                what = "rows do not prove the sign of" if rows else "bounding box does not decide"
                yield int(place[s]), f"the {what} {name}"

    def _exactly(
        self, region: Region, goal: int, numbers: Sequence[int], columns: Sequence[int]
    ) -> bool:
        """Whether the exact rows with these numbers prove that the goal is ≥ 0."""
        problem = self.problem
        real = [n for n in numbers if n >= 0 and not problem.is_artificial(n)]
        rows = [problem.row(region, n) for n in real]
        return proved(
            problem.row(region, goal), rows, bounded=problem.bounded, columns=columns or None
        )

    def _failed_leaves(self, listed: Listed, first: int) -> Iterator[tuple[int, str]]:
        """Leaves that their rows of the table do not describe, and why."""
        if len(self.leaves) > (rows := len(listed.code)):
            yield self.leaves[rows][0], f"the table has no row {first + rows}"
            return
        for i, (offset, region, _) in enumerate(self.leaves):
            if (region.code, region.zeros) != (listed.code[i], listed.zero[i]):
                yield offset, f"row {first + i} states another codeword"
            if (ranks := region.ranks()) != listed.ranks[i]:
                yield offset, f"row {first + i} states ranks {listed.ranks[i]}, not {ranks}"
        counts = [len(rows) for _, _, rows in self.leaves]
        owner = np.repeat(np.arange(len(counts)), counts)
        numbers = np.fromiter(chain.from_iterable(leaf[2] for leaf in self.leaves), np.int64)
        place = numbers >> 1
        inside = (self.problem.artificial <= place) & (place < len(self.problem.walls))
        if self.rounding is not None:
            at = np.array([leaf[1].index for leaf in self.leaves], dtype=np.int64)
            inside |= self.rounding.inside(at[owner], numbers, listed.rounded, listed.errors, owner)
        of = -1
        point: tuple[int, ...] = ()
        for s in np.flatnonzero(~inside).tolist():
            leaf = int(owner[s])
            if leaf != of:
                of, point = leaf, listed.exact(leaf)
            offset, region, _ = self.leaves[leaf]
            row = self.problem.row(region, int(numbers[s]))
            if sum(row[l] * point[l] for l in compress(range(len(row)), row)) <= 0:
                yield offset, f"the witness of row {first + leaf} is not inside"
