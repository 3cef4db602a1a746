"""Cells in rational arithmetic: the rung that decides what float and integers could not.

The same step as the compiled search, one cell at a time: decide units by exact linear programs,
split, or go on to the next layer. It needs no float at all, so it always ends with a decision;
the compiled search goes on with the children wherever they hold a float64 point. A float solver may
guess the bases of its programs, which changes how long they take.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.log_steps import (
    LOG_LEAF,
    LOG_NEGATIVE_BY,
    LOG_NEXT,
    LOG_POSITIVE_BY,
    LOG_SPLIT,
    LOG_ZERO,
    unit_step,
)
from polyrank.cells.opposite import opposite
from polyrank.cells.task import (
    IDENTICALLY_ZERO,
    NEGATIVE,
    POSITIVE,
    TIED,
    UNDECIDED,
    Batch,
    Task,
)
from polyrank.errors import UncertifiedError
from polyrank.lp.exact import Cell, nonnegative, strictly_inside
from polyrank.lp.farkas import Multipliers, Row, integer_row, value_at, values_at, verify_farkas
from polyrank.network.forward import packed_rows
from polyrank.network.rational import as_float, fmpq_from_float, nearest_float
from polyrank.posed.arrays import NetArrays
from polyrank.posed.cube import cube_rows
from polyrank.posed.dependence import Units
from polyrank.posed.problem import Problem

__all__ = ["ExactCells", "Guess", "Leaf", "Stepped"]

_CACHED_REGIONS = 512

Guess = Callable[[Sequence[Row], Row], Sequence[int] | None]
"""``guess(rows, objective)``: rows that may be tight at the minimum; it need not be right."""


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A region found in rational arithmetic: decisions of all units and a chart point inside."""

    decision: NDArray[np.int8]
    point: tuple[fmpq, ...]

    def opposite(self, hyperplane: NDArray[np.bool_]) -> Leaf:
        """The region opposite to that of a paired cell; ``hyperplane``: which units have one."""
        return Leaf(opposite(self.decision, hyperplane), tuple(-y for y in self.point))


@dataclass(frozen=True, slots=True, eq=False)
class Stepped:
    """Outcome of one exact step: open children, or a finished region; tests; proof steps.

    A finished region of a paired cell is followed by its opposite.
    """

    tasks: tuple[Task, ...]
    leaves: tuple[Leaf, ...]
    tests: int
    log: bytes = b""


@dataclass(frozen=True, slots=True)
class _Verdict:
    """A decided unit and the rows of the cell whose multipliers prove it."""

    decision: int
    indices: tuple[int, ...]

    def log(self, unit: int) -> bytes:
        if self.decision == IDENTICALLY_ZERO:
            return unit_step(LOG_ZERO, unit)
        step = LOG_POSITIVE_BY if self.decision == POSITIVE else LOG_NEGATIVE_BY
        rows = b"".join(i.to_bytes(2, "little") for i in self.indices)
        return unit_step(step, unit) + len(self.indices).to_bytes(2, "little") + rows


class ExactCells:
    """Exact rows of every region of a network on a chart, and the exact step on a cell.

    Parameters
    ----------
    problem : Problem
    units : Units or NetArrays
        Of the problem: its ``units``, or its ``arrays``, which say the same.
    guess : callable, optional
        Asked before every linear program; a wrong answer costs time and nothing else.
    """

    def __init__(
        self, problem: Problem, units: Units | NetArrays, guess: Guess | None = None
    ) -> None:
        self._guess = guess
        self._layers = problem.network.layers[: problem.layers]
        self._units = units
        self._cube = problem.cube
        self._problem = problem
        self._cache: OrderedDict[tuple[int, bytes], list[Row]] = OrderedDict()

    @cached_property
    def _walls(self) -> list[Row]:
        return list(self._problem.walls)

    def rows(self, layer: int, decision: NDArray[np.int8]) -> list[Row]:
        """Rows of a layer's units on the region that the decisions below fix.

        Positive multiples of the exact ones, d + 1 coprime integers each.
        """
        key = (layer, decision[: self._units.unit_start[layer]].tobytes())
        found = self._cache.get(key)
        if found is not None:
            self._cache.move_to_end(key)
            return found
        exact = cube_rows(
            self._problem.branch.preactivation(layer + 1, self.codeword(layer, decision)),
            self._cube,
        )
        out: list[Row] = [integer_row(row) for row in exact.tolist()]
        self._cache[key] = out
        if len(self._cache) > _CACHED_REGIONS:
            self._cache.popitem(last=False)
        return out

    def codeword(self, layers: int, decision: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Bits of the first layers, which are finished."""
        signs = [self.signs(k, decision)[self._layers[k].has_hyperplane] for k in range(layers)]
        return np.concatenate([np.zeros(0, np.int8), *signs]) > 0

    def signs(self, layer: int, decision: NDArray[np.int8]) -> NDArray[np.int8]:
        """Signs −1, 0, 1 of a finished layer's units; ties are resolved."""
        a, b = int(self._units.unit_start[layer]), int(self._units.unit_start[layer + 1])
        table = {NEGATIVE: -1, POSITIVE: 1, IDENTICALLY_ZERO: 0}
        out = np.zeros(b - a, dtype=np.int8)
        for i in range(b - a):
            v = int(decision[a + i])
            if v == TIED:
                j = int(self._units.tie[a + i])
                out[i] = out[j] * int(self._units.tie_sign[a + i])
            else:
                out[i] = table[v]
        return out

    def step(self, task: Task, questions: Sequence[int] | None) -> Stepped:
        """Decide units of a cell exactly.

        Parameters
        ----------
        task : Task
        questions : sequence of int, or None
            Units of the task's layer to decide; None: all undecided ones, and then on through
            the layers until the cell splits or ends as a region.
        """
        decision = task.decision.copy()
        splits = task.splits.copy()
        layer = task.layer
        tests = 0
        log = bytearray()
        if layer < 0:
            layer = 0
            self._enter(layer, decision)
        bounding = self._bounding(layer, decision, splits)
        cell = Cell.from_rows(bounding, self._cube.dim)
        points = [self._column(p) for p in task.points]
        while True:
            a, b = (int(v) for v in self._units.unit_start[layer : layer + 2])
            undecided = [i for i in range(b - a) if decision[a + i] == UNDECIDED]
            asked = undecided if questions is None else questions
            table = self.rows(layer, decision)
            cut: tuple[int, Row] | None = None
            for i in asked:
                row = table[i]
                tests += 1
                verdict = self._decide(cell, row, points)
                if verdict is not None:
                    decision[a + i] = verdict.decision
                    log += verdict.log(i)
                elif cut is None:
                    cut = i, row
            own = replace(task, layer=layer, decision=decision, splits=splits)
            if cut is not None:
                log += unit_step(LOG_SPLIT, cut[0])
                halves = self._halves(own, *cut, points)
                return Stepped(halves, (), tests, bytes(log))
            if questions is not None:
                same = replace(own, points=tuple(self._chart(p) for p in points))
                return Stepped((same,), (), tests, bytes(log))
            if layer + 1 == len(self._layers):
                log.append(LOG_LEAF)
                leaf = Leaf(decision, self._witness(cell, points))
                both = (leaf, leaf.opposite(self._units.hyperplane)) if task.paired else (leaf,)
                return Stepped((), both, tests, bytes(log))
            log.append(LOG_NEXT)
            layer += 1
            self._enter(layer, decision)

    def outside(self, task: Task) -> list[tuple[fmpq, ...]]:
        """The points of a task that are not strictly inside its cell."""
        rows = self._bounding(max(task.layer, 0), task.decision, task.splits)
        return [
            point
            for point in task.points
            if any(value_at(row, self._column(point)) <= 0 for row in rows)
        ]

    def batch(self, leaves: Sequence[Leaf]) -> Batch:
        """Finished regions as arrays; their ranks are −1, to be settled."""
        r, k = len(leaves), self._problem.chart.k
        signs = np.zeros((r, int(self._units.hyperplane.sum())), dtype=np.int8)
        witness = np.full((r, k), np.nan)
        exact: dict[int, tuple[fmpq, ...]] = {}
        for i, leaf in enumerate(leaves):
            layers = [self.signs(layer, leaf.decision) for layer in range(len(self._layers))]
            signs[i] = np.concatenate(layers)[self._units.hyperplane]
            y = [as_float(v) for v in leaf.point]
            if None not in y:
                witness[i] = y
            else:
                exact[i] = leaf.point
        ranks = np.full((r, len(self._layers)), -1, dtype=np.int16)
        return Batch(packed_rows(signs > 0), packed_rows(signs == 0), ranks, witness, exact)

    def _decide(self, cell: Cell, row: Row, points: list[fmpq_mat]) -> _Verdict | None:
        """The decision on a unit that does not cut; None if it cuts, then points has both signs."""
        if not any(row):
            return _Verdict(IDENTICALLY_ZERO, ())
        values = [value_at(row, p) for p in points]
        positive, negative = any(v > 0 for v in values), any(v < 0 for v in values)
        if positive and negative:
            return None
        minus = tuple(-v for v in row)
        for known, oriented, verdict in ((positive, row, POSITIVE), (negative, minus, NEGATIVE)):
            if not known and (positive or negative):
                continue
            hint = None if self._guess is None else self._guess(cell.rows, oriented)
            found = nonnegative(cell, oriented, points[0], basis_hint=hint)
            if isinstance(found, Multipliers):
                if not verify_farkas(cell.rows, oriented, found):
                    raise UncertifiedError("an exact certificate failed its own check")
                # strictly positive inside: the row does not vanish identically
                return _Verdict(verdict, found.indices)
            inside = strictly_inside(cell, oriented, found.point, points[0])
            points.append(self._simple(cell, inside, oriented))
        return None

    def _halves(self, cell: Task, unit: int, row: Row, points: list[fmpq_mat]) -> tuple[Task, ...]:
        g = int(self._units.unit_start[cell.layer]) + unit
        out = []
        for verdict, sign in ((NEGATIVE, -1), (POSITIVE, 1)):
            mine = [p for p in points if sign * value_at(row, p) > 0]
            child, bounds = cell.decision.copy(), cell.splits.copy()
            child[g], bounds[g] = verdict, 1
            inside = tuple(self._chart(p) for p in mine)
            out.append(replace(cell, decision=child, splits=bounds, points=inside))
        return tuple(out)

    def _enter(self, layer: int, decision: NDArray[np.int8]) -> None:
        a, b = (int(v) for v in self._units.unit_start[layer : layer + 2])
        for g in range(a, b):
            if not self._units.hyperplane[g]:
                decision[g] = POSITIVE
            elif self._units.tie[g] >= 0:
                decision[g] = TIED
            else:
                decision[g] = UNDECIDED

    def _bounding(
        self, layer: int, decision: NDArray[np.int8], splits: NDArray[np.int8]
    ) -> list[Row]:
        rows = list(self._walls)
        start = self._units.unit_start
        for k in range(layer + 1):
            chosen = np.flatnonzero(splits[start[k] : start[k + 1]])
            if not chosen.size:
                continue
            table = self.rows(k, decision)
            for i in chosen.tolist():
                positive = decision[start[k] + i] == POSITIVE
                rows.append(table[i] if positive else tuple(-v for v in table[i]))
        return rows

    def _column(self, point: Sequence[fmpq]) -> fmpq_mat:
        return fmpq_mat(self._cube.dim, 1, self._cube.to_cube(list(point)))

    def _chart(self, point: fmpq_mat) -> tuple[fmpq, ...]:
        return tuple(self._cube.to_chart(point.entries()))

    def _simple(self, cell: Cell, point: fmpq_mat, negative: Row) -> fmpq_mat:
        """A float64 chart point near a point, still inside and negative, if there is one."""
        near = self._rounded(cell, self._chart(point))
        return near if near is not None and value_at(negative, near) < 0 else point

    def _witness(self, cell: Cell, points: Sequence[fmpq_mat]) -> tuple[fmpq, ...]:
        """Chart coordinates of a point inside: float64 where rounding one of them gives such."""
        for point in points:
            near = self._rounded(cell, self._chart(point))
            if near is not None:
                return self._chart(near)
        return self._chart(points[0])

    def _rounded(self, cell: Cell, y: Sequence[fmpq]) -> fmpq_mat | None:
        """The nearest float64 chart point, if it is strictly inside."""
        floats = [nearest_float(v) for v in y]
        if not all(map(math.isfinite, floats)):
            return None
        near = self._column([fmpq_from_float(v) for v in floats])
        return near if all(v > 0 for v in values_at(cell.rows, near)) else None
