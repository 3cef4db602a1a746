"""The second engine: a plain depth-first search that asks HiGHS and decides exactly.

It shares nothing with the compiled search but the coordinates that LPs are posed in. Units are
taken one after the other: does the hyperplane of the next unit cut this cell? Interior points
found so far may show it; otherwise one LP from the known side is asked of HiGHS, which proposes

* rows: their exact Farkas multipliers prove that the hyperplane misses the cell, or
* a point: rounded to float64 and checked in integers, it shows that the hyperplane cuts.

Where the proposal proves neither (or there is none), the vertex of the proposed rows is solved
exactly, and at last an exact LP decides. So a wrong answer of HiGHS costs time and nothing else.
All tests of membership and sign are integer dot products; no tolerance occurs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.cells.engine import Options, Sink
from polyrank.cells.highs_points import (
    IntRow,
    Point,
    Side,
    Table,
    beside,
    between,
    float_within,
    inside,
    negated,
    point_at,
    scaled,
    side_of,
    simplest,
    vertex_of,
)
from polyrank.cells.interrupt import DeferredInterrupt
from polyrank.cells.log_steps import (
    LOG_CUBE_NEGATIVE,
    LOG_CUBE_POSITIVE,
    LOG_DEFER,
    LOG_LEAF,
    LOG_NEGATIVE_BY,
    LOG_NEXT,
    LOG_POSITIVE_BY,
    LOG_SPLIT,
    LOG_ZERO,
)
from polyrank.cells.task import (
    IDENTICALLY_ZERO,
    NEGATIVE,
    POSITIVE,
    TIED,
    UNDECIDED,
    Batch,
    SearchProgress,
    SearchResult,
    Task,
    prefix_text,
)
from polyrank.errors import UncertifiedError, UnsupportedError
from polyrank.lp.exact import farkas, nonnegative, strictly_inside
from polyrank.lp.farkas import Multipliers, verify_farkas
from polyrank.lp.highs import HighsModel, Proposal
from polyrank.network.rational import nearest_float
from polyrank.posed.cube import cube_rows
from polyrank.posed.problem import Problem

__all__ = ["LADDER", "HighsSearch", "highs_search"]

#: Counters of the result's ladder.
LADDER = (
    "by_structure",
    "by_interval",
    "by_points",
    "by_highs_basis",
    "by_highs_point",
    "by_highs_vertex",
    "by_rationals",
    "highs_failed",
    "highs_misled",
    "undecided",
    "cuts",
    "cells",
    "regions",
)

_BATCH = 1024
_POINTS = 16
_TICK = 0.1
#: Regions are handed on after at most about this time, however few they are.
_FLUSH_SECONDS = 1.0
_SEGMENT = 2_000
_CUTS, _UNKNOWN = -2, -3
_DECISION = {1: POSITIVE, -1: NEGATIVE, 0: IDENTICALLY_ZERO}


def highs_search(problem: Problem, sink: Sink, options: Options) -> SearchResult:
    """Enumerate the activation regions of a problem with HiGHS; see :mod:`polyrank.cells.engine`.

    The ranks of its batches are −1, left to be settled in rationals.

    Returns
    -------
    SearchResult
        **Proves**, when ``certified`` and started from the whole domain: the regions handed to
        the sink are exactly the activation regions of the domain, each once.

    Raises
    ------
    ValueError
        If a task has no point, or one that is not strictly inside its cell.
    UncertifiedError
        If a certificate of the exact LP fails its own check (a defect, never seen).

    Notes
    -----
    On Ctrl-C the regions found so far reach the sink before the KeyboardInterrupt goes on.
    """
    return HighsSearch(problem, sink, options).run(options.tasks)


@dataclass(slots=True, eq=False)
class _Cell:
    """An open cell: decisions, bounding constraints, interior points with the layer's signs."""

    layer: int
    table: Table
    decision: list[int]
    splits: list[int]
    sides: tuple[Side, ...]
    points: list[tuple[Point, list[int]]]
    share: float


class HighsSearch:
    """State of one search: the LP model, the stack of open cells, regions not yet handed on."""

    def __init__(self, problem: Problem, sink: Sink, options: Options) -> None:
        self.problem = problem
        self.proof = options.proof
        self.log = bytearray()  # steps of the open segment
        self.segment_base = -1  # length of the stack below the segment's cells; −1: none is open
        self.segment_cells = 0
        self.layers = problem.network.layers[: problem.layers]
        self.chart = problem.chart
        self.sink = sink
        self.progress = options.progress
        self.rational = options.rational
        self.cube = problem.cube
        self.model = HighsModel(self.cube.dim)
        self.unit_start = np.cumsum([0] + [layer.units for layer in self.layers])
        self.hyperplane = np.concatenate([layer.has_hyperplane for layer in self.layers])
        self.walls = tuple(side_of(row) for row in problem.walls)
        self.first = Table(problem.first_rows)
        self.stack: list[_Cell] = []
        self.found: list[tuple[list[int], Point]] = []
        self.undecided: list[str] = []
        self.count = dict.fromkeys(LADDER, 0)
        self.tests = 0
        self.pivots = 0  # but for those of the model
        self.share = 0.0
        self.started = time.perf_counter()
        self.ticked = self.flushed = self.started
        self.interrupt = DeferredInterrupt()
        self.first_row = 0
        self.stopped: Callable[[], bool] | None = None

    def root(self) -> Task:
        """The whole domain."""
        total = len(self.hyperplane)
        interior = tuple(self.chart.interior.entries())
        blank = np.full(total, UNDECIDED, dtype=np.int8)
        return Task(-1, blank, np.zeros(total, dtype=np.int8), (interior,))

    def explore(
        self, cells: Sequence[Task], shares: Sequence[float], budget: int
    ) -> tuple[list[tuple[Task, float]], bool]:
        """Search below open cells that follow one another, about ``budget`` cells of them.

        Where it ends depends on the cells and the budget alone.

        Returns
        -------
        rest : list of (Task, float)
            Open cells and their shares of the tree, in the order of the search.
        complete : bool
            False if :attr:`stopped` said so: then what was found is part of the answer only.
        """
        self.model = HighsModel(self.cube.dim)  # its proposals depend on what it was asked before
        self.first_row, self.undecided, self.share = self.count["regions"], [], 0.0
        last, rest, complete = self.count["cells"] + budget, [], True
        for task, share in zip(cells, shares, strict=True):
            if self.count["cells"] >= last or not complete:
                rest.append((task, share))
                continue
            self.stack = [self._opened(task, share)]
            while self.stack and self.count["cells"] < last:
                cell = self.stack.pop()
                self._log_cell(cell)
                if self._work_on(cell):
                    self._leaf(cell)
                self._tick()
                if self.stopped is not None and self.stopped():
                    complete = False
                    break
            self._end_segment()
            rest += [(_task_of(cell), cell.share) for cell in reversed(self.stack)]
        self._flush()
        self.count["highs_failed"] += self.model.failures
        self.count["undecided"] += len(self.undecided)
        self.pivots += self.model.pivots
        return rest, complete

    def run(self, tasks: Sequence[Task] | None) -> SearchResult:
        """Work through the tasks, deepest cell first."""
        if tasks is None:
            tasks = [self.root()]
        with self.interrupt:
            try:
                for task in tasks:
                    self.stack.append(self._opened(task, 1.0 / len(tasks)))
                    while self.stack:
                        cell = self.stack.pop()
                        self._log_cell(cell)
                        with self.interrupt.at_once():
                            leaf = self._work_on(cell)
                        if leaf:
                            self._leaf(cell)
                        self._tick()
                    self._end_segment()
            except KeyboardInterrupt:
                self._flush()  # what was found is kept
                raise
            self._flush()
        self.count["highs_failed"] = self.model.failures
        self.count["undecided"] = len(self.undecided)
        return SearchResult(
            regions=self.count["regions"],
            undecided=tuple(self.undecided),
            open=(),
            certified=not self.undecided,
            tests=self.tests,
            pivots=self.model.pivots + self.pivots,
            seconds=time.perf_counter() - self.started,
            ladder=dict(self.count),
        )

    # -----------------------------------------------------------------------------------------
    # cells

    def _opened(self, task: Task, share: float) -> _Cell:
        """The cell of a task, its points checked.

        Raises
        ------
        UnsupportedError
            If it is paired, which the dictionaries know.
        """
        if task.paired:
            raise UnsupportedError("the highs engine does not take cells that stand for two")
        decision = [int(v) for v in task.decision]
        splits = [int(v) for v in task.splits]
        points = [point_at(self.cube, y) for y in task.points]
        table, sides = self.first, self.walls
        layer = max(task.layer, 0)
        if task.layer < 0:
            self._enter(0, decision)
        for k in range(layer + 1):
            if k > 0:
                table = self._table(k, decision)
            start, end = self._units(k)
            signs = table.signs(points[0]) if points else []
            for g in range(start, end):
                if decision[g] == TIED:
                    # decided with another unit, so constant in sign on the cell, once that is
                    decision[g] = UNDECIDED if k == layer else _DECISION[signs[g - start]]
                if splits[g]:
                    row = table.rows[g - start]
                    sides = (*sides, side_of(row if decision[g] == POSITIVE else negated(row)))
        outside = [p for p in points if not inside(sides, p)]
        if outside or not points:
            at = f"the point {[str(v) for v in outside[0].y]}" if outside else "no point at all"
            raise ValueError(
                f"a task with the prefix {prefix_text(task.decision, self.unit_start)} has {at}; "
                "expected points strictly inside its cell"
            )
        signed = [(p, table.signs(p)) for p in points]
        return _Cell(layer, table, decision, splits, sides, signed, share)

    def _units(self, layer: int) -> tuple[int, int]:
        return int(self.unit_start[layer]), int(self.unit_start[layer + 1])

    def _enter(self, layer: int, decision: list[int]) -> None:
        for g in range(*self._units(layer)):
            decision[g] = UNDECIDED if self.hyperplane[g] else POSITIVE

    def _table(self, layer: int, decision: list[int]) -> Table:
        """Exact rows of a layer on the region that the decisions of the layers below give."""
        end = int(self.unit_start[layer])
        positive = np.array(decision[:end], dtype=np.int8) == POSITIVE
        z = self.problem.branch.preactivation(layer + 1, positive[self.hyperplane[:end]])
        return Table(cube_rows(z, self.cube))

    def _work_on(self, cell: _Cell) -> bool:
        """Decide the units of a cell in turn until one cuts it; True if it is a region."""
        self.count["cells"] += 1
        while True:
            start, end = self._units(cell.layer)
            cuts: list[int] = []
            for g in range(start, end):
                if cell.decision[g] != UNDECIDED:
                    continue
                verdict = self._decide(cell, g - start)
                if verdict == _CUTS:
                    cuts.append(g)
                elif verdict == _UNKNOWN:
                    self.undecided.append(prefix_text(np.array(cell.decision), self.unit_start))
                    self.share += cell.share
                    self._log_step(LOG_DEFER)
                    return False
                else:
                    cell.decision[g] = verdict
            if cuts:
                self._halve(cell, cuts[0])
                return False
            if cell.layer + 1 == len(self.layers):
                self._log_step(LOG_LEAF)
                return True
            self._log_step(LOG_NEXT)
            cell.layer += 1
            cell.table = self._table(cell.layer, cell.decision)
            self._enter(cell.layer, cell.decision)
            cell.points = [(p, cell.table.signs(p)) for p, _ in cell.points[-_POINTS:]]

    def _halve(self, cell: _Cell, g: int) -> None:
        """Put both halves on the stack; interior points go to the half that they lie in."""
        self.count["cuts"] += 1
        i = g - int(self.unit_start[cell.layer])
        self._log_step(LOG_SPLIT, i)
        row = cell.table.rows[i]
        for verdict, sign in ((NEGATIVE, -1), (POSITIVE, 1)):
            decision, splits = cell.decision.copy(), cell.splits.copy()
            decision[g], splits[g] = verdict, 1
            side = side_of(row if sign > 0 else negated(row))
            points = [entry for entry in cell.points if entry[1][i] == sign]
            half = _Cell(
                cell.layer,
                cell.table,
                decision,
                splits,
                (*cell.sides, side),
                points[-_POINTS:],
                cell.share / 2,
            )
            self.stack.append(half)

    # -----------------------------------------------------------------------------------------
    # the proof log

    def _log_cell(self, cell: _Cell) -> None:
        """Open a segment at this cell, unless it belongs to the open one."""
        if self.proof is None:
            return
        if len(self.stack) >= self.segment_base >= 0 and self.segment_cells < _SEGMENT:
            self.segment_cells += 1
            return
        self._end_segment()
        fresh = cell.layer == 0 and not cell.sides[len(self.walls) :]
        above = int(self.unit_start[cell.layer + 1])
        decision = [v + 1 for v in cell.decision[:above]]
        decision += [0] * (len(cell.decision) - above)
        if fresh:
            decision = [0] * len(decision)
        self.log += (
            b"S"
            + (0 if fresh else cell.layer + 1).to_bytes(2, "little")
            + (self.count["regions"] - self.first_row).to_bytes(8, "little")
            + bytes(decision)
            + bytes(cell.splits)
        )
        self.segment_base, self.segment_cells = len(self.stack), 1

    def _end_segment(self) -> None:
        if self.proof is not None and self.segment_base >= 0:
            self.log.append(0)
            self.proof(bytes(self.log))
        self.log.clear()
        self.segment_base = -1

    def _log_step(self, step: int, unit: int | None = None) -> None:
        if self.proof is not None:
            self.log.append(step)
            if unit is not None:
                self.log += unit.to_bytes(2, "little")

    def _log_rows(self, verdict: int, unit: int, proof: Multipliers) -> None:
        if self.proof is not None:
            self._log_step(LOG_POSITIVE_BY if verdict == POSITIVE else LOG_NEGATIVE_BY, unit)
            for number in (len(proof.indices), *proof.indices):
                self.log += number.to_bytes(2, "little")

    # -----------------------------------------------------------------------------------------
    # one unit on one cell

    def _decide(self, cell: _Cell, i: int) -> int:
        """Decide a unit on a cell: a decision, or _CUTS (points of both signs are known then)."""
        row = cell.table.rows[i]
        if not any(row):
            self.count["by_structure"] += 1
            self._log_step(LOG_ZERO, i)
            return IDENTICALLY_ZERO
        if not any(row[: self.cube.linear_columns]):
            self.count["by_structure"] += 1
            positive = row[self.cube.constant_column] > 0
            self._log_step(LOG_CUBE_POSITIVE if positive else LOG_CUBE_NEGATIVE, i)
            return POSITIVE if positive else NEGATIVE
        if abs(row[-1]) >= sum(map(abs, row[:-1])):
            # |a·u| ≤ Σ|a_l| on the cube, so the sign is that of b wherever it is not 0
            self.count["by_interval"] += 1
            self._log_step(LOG_CUBE_POSITIVE if row[-1] > 0 else LOG_CUBE_NEGATIVE, i)
            return POSITIVE if row[-1] > 0 else NEGATIVE
        seen = {signs[i] for _, signs in cell.points}
        if 0 in seen:
            # the row vanishes at an interior point, not identically: it cuts
            at = next(p for p, signs in cell.points if signs[i] == 0)
            for sign in (-1, 1):
                if sign not in seen:
                    oriented = row if sign < 0 else negated(row)
                    self._keep(cell, beside(self.cube, cell.sides, oriented, at))
            seen = {-1, 1}
        if len(seen) == 2:
            self.count["by_points"] += 1
            return _CUTS
        known = seen.pop()
        return self._ask(cell, i, row if known > 0 else negated(row), known)

    def _ask(self, cell: _Cell, i: int, objective: IntRow, known: int) -> int:
        """Decide by one LP whether an objective, positive at the points, is so on all the cell."""
        self.tests += 1
        misses = POSITIVE if known > 0 else NEGATIVE
        linear = scaled(objective)[:-1]
        proposal = self.model.minimise([side.approx for side in cell.sides], linear)
        if proposal is not None:
            proved = self._weigh(cell, objective, proposal)
            if isinstance(proved, Multipliers):
                self._log_rows(misses, i, proved)
                return misses
            if proved is not None:
                self._keep(cell, proved)
                return _CUTS
            self.count["highs_misled"] += 1
        if not self.rational:
            return _UNKNOWN
        hint = () if proposal is None else proposal.basis
        self.count["by_rationals"] += 1
        rows = [side.row for side in cell.sides]
        interior = cell.points[0][0].column()
        found = nonnegative(rows, objective, interior, basis_hint=hint)
        if isinstance(found, Multipliers):
            if not verify_farkas(rows, objective, found):
                raise UncertifiedError("multipliers of the exact linear program fail their check")
            self._log_rows(misses, i, found)
            return misses
        self.pivots += found.pivots
        within = strictly_inside(rows, objective, found.point, interior)
        self._keep(cell, simplest(self.cube, cell.sides, objective, within))
        return _CUTS

    def _weigh(
        self, cell: _Cell, objective: IntRow, proposal: Proposal
    ) -> Multipliers | Point | None:
        """What a proposal proves: multipliers, an interior point with a negative value, nothing."""
        base = cell.points[-1][0]
        point = between(self.cube, cell.sides, objective, base, proposal.point)
        if point is not None:
            self.count["by_highs_point"] += 1
            return point
        rows = [side.row for side in cell.sides]
        proof = farkas(rows, proposal.basis, objective)
        if proof is not None and verify_farkas(rows, objective, proof):
            self.count["by_highs_basis"] += 1
            return proof
        vertex = vertex_of(cell.sides, proposal.basis, objective)
        if vertex is None:
            return None
        self.count["by_highs_vertex"] += 1
        within = strictly_inside(rows, objective, vertex, base.column())
        return simplest(self.cube, cell.sides, objective, within)

    def _keep(self, cell: _Cell, point: Point) -> None:
        cell.points.append((point, cell.table.signs(point)))

    # -----------------------------------------------------------------------------------------
    # results

    def _leaf(self, cell: _Cell) -> None:
        self.share += cell.share
        self.count["regions"] += 1
        known = [p for p, _ in cell.points]
        point = next((p for p in known if p.is_float), None)
        if point is None:
            point = float_within(self.cube, cell.sides, known) or known[0]
        self.found.append((cell.decision, point))
        if len(self.found) >= _BATCH:
            self._flush()

    def _tick(self) -> None:
        now = time.perf_counter()
        if now < self.ticked + _TICK:
            return
        self.ticked = now
        if now > self.flushed + _FLUSH_SECONDS:
            self._flush()
        if self.progress is not None:
            self.progress(
                SearchProgress(
                    self.count["regions"],
                    min(1.0, self.share),
                    len(self.undecided),
                    now - self.started,
                )
            )

    def _flush(self) -> None:
        found, self.found = self.found, []
        self.flushed = time.perf_counter()
        if not found:
            return
        decision = np.array([d for d, _ in found], dtype=np.int8)[:, self.hyperplane]
        witness = np.full((len(found), self.chart.k), np.nan)
        exact: dict[int, tuple[fmpq, ...]] = {}
        for r, (_, point) in enumerate(found):
            if point.is_float:
                witness[r] = [nearest_float(v) for v in point.y]
            else:
                exact[r] = point.y
        self.sink(
            Batch(
                _packed(decision == POSITIVE),
                _packed(decision == IDENTICALLY_ZERO),
                np.full((len(found), len(self.layers)), -1, dtype=np.int16),
                witness,
                exact,
            )
        )


def _task_of(cell: _Cell) -> Task:
    """An open cell as a task, with one of its points."""
    return Task(
        cell.layer,
        np.array(cell.decision, dtype=np.int8),
        np.array(cell.splits, dtype=np.int8),
        (cell.points[0][0].y,),
    )


def _packed(bits: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Bits, least significant first; at least one byte, as the compiled search has it."""
    if bits.shape[1] == 0:
        return np.zeros((len(bits), 1), dtype=np.uint8)
    return np.packbits(bits, axis=1, bitorder="little")
