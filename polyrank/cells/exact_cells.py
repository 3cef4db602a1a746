"""Cells in rational arithmetic: the rung that decides what float and integers could not.

The same step as the compiled search, one cell at a time: decide units by exact linear programs,
split, or go on to the next layer. It needs no float at all, so it always ends with a decision;
the compiled search goes on with the children wherever they hold a float64 point.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
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
from polyrank.cells.task import IDENTICALLY_ZERO, NEGATIVE, POSITIVE, TIED, UNDECIDED, Task
from polyrank.errors import UncertifiedError
from polyrank.lp.exact import Cell, nonnegative, strictly_inside
from polyrank.lp.farkas import Multipliers, Row, integer_row, value_at, values_at, verify_farkas
from polyrank.network.rational import fmpq_from_float, nearest_float
from polyrank.posed.cube import cube_rows
from polyrank.posed.problem import Problem

__all__ = ["ExactCells", "Leaf", "Stepped"]

_CACHED_REGIONS = 512


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
    """Outcome of one exact step: open children, or a finished region; tests; proof steps."""

    tasks: tuple[Task, ...]
    leaf: Leaf | None
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
    """Exact rows of every region of a network on a chart, and the exact step on a cell."""

    def __init__(self, problem: Problem) -> None:
        self._layers = problem.network.layers[: problem.layers]
        self._arrays = problem.arrays
        self._cube = problem.cube
        self._problem = problem
        self._cache: OrderedDict[tuple[int, bytes], fmpq_mat] = OrderedDict()

    @cached_property
    def _walls(self) -> list[Row]:
        return list(self._problem.walls)

    def rows(self, layer: int, decision: NDArray[np.int8]) -> fmpq_mat:
        """Exact rows ``(units, d + 1)`` of a layer on the region that the decisions below fix."""
        key = (layer, decision[: self._arrays.unit_start[layer]].tobytes())
        found = self._cache.get(key)
        if found is not None:
            self._cache.move_to_end(key)
            return found
        out = cube_rows(
            self._problem.branch.preactivation(layer + 1, self.codeword(layer, decision)),
            self._cube,
        )
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
        a, b = int(self._arrays.unit_start[layer]), int(self._arrays.unit_start[layer + 1])
        table = {NEGATIVE: -1, POSITIVE: 1, IDENTICALLY_ZERO: 0}
        out = np.zeros(b - a, dtype=np.int8)
        for i in range(b - a):
            v = int(decision[a + i])
            if v == TIED:
                j = int(self._arrays.tie[a + i])
                out[i] = out[j] * int(self._arrays.tie_sign[a + i])
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
            a, b = (int(v) for v in self._arrays.unit_start[layer : layer + 2])
            undecided = [i for i in range(b - a) if decision[a + i] == UNDECIDED]
            asked = undecided if questions is None else questions
            table = self.rows(layer, decision)
            for i in asked:
                row = integer_row([table[i, l] for l in range(table.ncols())])
                tests += 1
                verdict = self._decide(cell, row, points)
                if verdict is not None:
                    decision[a + i] = verdict.decision
                    log += verdict.log(i)
                    continue
                log += unit_step(LOG_SPLIT, i)
                own = replace(task, layer=layer, decision=decision, splits=splits)
                halves = self._halves(own, i, row, points)
                return Stepped(halves, None, tests, bytes(log))
            if questions is not None:
                chart_points = tuple(self._chart(p) for p in points)
                same = replace(
                    task, layer=layer, decision=decision, splits=splits, points=chart_points
                )
                return Stepped((same,), None, tests, bytes(log))
            if layer + 1 == len(self._layers):
                log.append(LOG_LEAF)
                return Stepped((), Leaf(decision, self._chart(points[0])), tests, bytes(log))
            log.append(LOG_NEXT)
            layer += 1
            self._enter(layer, decision)

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
            found = nonnegative(cell, oriented, points[0])
            if isinstance(found, Multipliers):
                if not verify_farkas(cell.rows, oriented, found):
                    raise UncertifiedError("an exact certificate failed its own check")
                # strictly positive inside: the row does not vanish identically
                return _Verdict(verdict, found.indices)
            inside = strictly_inside(cell, oriented, found.point, points[0])
            points.append(self._simple(cell, inside, oriented))
        return None

    def _halves(self, cell: Task, unit: int, row: Row, points: list[fmpq_mat]) -> tuple[Task, ...]:
        g = int(self._arrays.unit_start[cell.layer]) + unit
        out = []
        for verdict, sign in ((NEGATIVE, -1), (POSITIVE, 1)):
            mine = [p for p in points if sign * value_at(row, p) > 0]
            child, bounds = cell.decision.copy(), cell.splits.copy()
            child[g], bounds[g] = verdict, 1
            inside = tuple(self._chart(p) for p in mine)
            out.append(replace(cell, decision=child, splits=bounds, points=inside))
        return tuple(out)

    def _enter(self, layer: int, decision: NDArray[np.int8]) -> None:
        a, b = (int(v) for v in self._arrays.unit_start[layer : layer + 2])
        for g in range(a, b):
            if not self._arrays.hyperplane[g]:
                decision[g] = POSITIVE
            elif self._arrays.tie[g] >= 0:
                decision[g] = TIED
            else:
                decision[g] = UNDECIDED

    def _bounding(
        self, layer: int, decision: NDArray[np.int8], splits: NDArray[np.int8]
    ) -> list[Row]:
        rows = list(self._walls)
        start = self._arrays.unit_start
        for k in range(layer + 1):
            chosen = np.flatnonzero(splits[start[k] : start[k + 1]])
            if not chosen.size:
                continue
            table = self.rows(k, decision)
            for i in chosen.tolist():
                entries = [table[i, l] for l in range(table.ncols())]
                if decision[start[k] + i] != POSITIVE:
                    entries = [-v for v in entries]
                rows.append(integer_row(entries))
        return rows

    def _column(self, point: Sequence[fmpq]) -> fmpq_mat:
        return fmpq_mat(self._cube.dim, 1, self._cube.to_cube(list(point)))

    def _chart(self, point: fmpq_mat) -> tuple[fmpq, ...]:
        return tuple(self._cube.to_chart(point.entries()))

    def _simple(self, cell: Cell, point: fmpq_mat, negative: Row) -> fmpq_mat:
        """A float64 chart point near a point, still inside and negative, if there is one."""
        floats = [nearest_float(v) for v in self._chart(point)]
        if not all(math.isfinite(v) for v in floats):
            return point
        rounded = [fmpq_from_float(v) for v in floats]
        near = self._column(rounded)
        inside = all(v > 0 for v in values_at(cell.rows, near))
        return near if inside and value_at(negative, near) < 0 else point
