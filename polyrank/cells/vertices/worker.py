"""One handle of the compiled search with vertices, and what answers its questions exactly."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.log_steps import LOG_SPLIT
from polyrank.cells.ordered_work import HAND_ON_SECONDS, SHARE_SECONDS, Share
from polyrank.cells.statistics import STATISTICS
from polyrank.cells.task import (
    IDENTICALLY_ZERO,
    NEGATIVE,
    POSITIVE,
    TIED,
    UNDECIDED,
    Batch,
)
from polyrank.cells.vertices.core import (
    ASK,
    CERTIFY,
    DONE,
    LOG_FULL,
    OUTPUT_FULL,
    WITNESS,
    KeptCells,
    TopCell,
    VertexCore,
)
from polyrank.cells.vertices.exact_signs import ExactSigns, Vector
from polyrank.cells.vertices.root import AT_INFINITY, Root, RootArrays
from polyrank.errors import UncertifiedError
from polyrank.native.records import Handle
from polyrank.network.rational import as_float, fmpq_from_float, nearest_float
from polyrank.posed.arrays import NetArrays
from polyrank.posed.cube import CubeMap
from polyrank.posed.problem import Problem

__all__ = ["Found", "SegmentHead", "Setting", "VertexWorker"]

_MOST_STEPS = 1 << 40
#: Cells after which a worker leaves the rest of its task to whoever comes first.
_TASK_CELLS = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What all workers of one search share."""

    problem: Problem
    root: Root
    arrays: RootArrays
    output: int
    keep: bool
    log: bool

    @property
    def cube(self) -> CubeMap:
        """The problem's cube coordinates."""
        return self.problem.cube

    @property
    def net(self) -> NetArrays:
        """The problem's arrays."""
        return self.problem.arrays

    @property
    def conic(self) -> bool:
        """The cells are cones."""
        return self.cube.kind != "bounded"


@dataclass(frozen=True, slots=True)
class SegmentHead:
    """Head of a proof segment; between its parts comes the number of regions before it."""

    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a worker hands on: a proof segment's head, log, regions, end, in this order."""

    head: SegmentHead | None = None
    log: bytes = b""
    kept: KeptCells | None = None
    batch: Batch | None = None
    end: bool = False
    share: float = 0.0  # of the tree


def _at(row: list[fmpq], point: Vector) -> fmpq:
    return sum((a * x for a, x in zip(row, point, strict=True)), fmpq(0))


class VertexWorker:
    """The compiled search on one thread.

    Parameters
    ----------
    setting : Setting
    segment : int
        Cells of a proof segment.
    at_once : callable, optional
        Context in which an interrupt acts at once: exact answers leave nothing half written.

    Attributes
    ----------
    full : bool
        Nothing more can be found before what was found is taken.
    """

    def __init__(
        self,
        setting: Setting,
        segment: int,
        at_once: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.setting = setting
        self.core = VertexCore(
            setting.net,
            setting.arrays,
            setting.problem.chart.k,
            output=setting.output,
            keep=setting.keep,
            log=setting.log,
        )
        self.asked = 0
        self.witnesses = 0
        self.full = False
        self.segment = segment
        self.at_once = at_once
        self._exact_points: dict[int, Vector] = {}
        self._exact: ExactSigns | None = None
        self._shared = 0.0

    @property
    def exact(self) -> ExactSigns:
        """Exact rows and vertices, made for the first question."""
        if self._exact is None:
            self._exact = ExactSigns(self.setting.problem)
        return self._exact

    @property
    def cells(self) -> int:
        """Cells finished so far."""
        return int(self.core.counts.cells)

    def counts(self) -> dict[str, int]:
        """Counters of this worker."""
        counts = self.core.counts
        out = {name: int(getattr(counts, name)) for name in STATISTICS}
        out["by_integers"] = int(counts.signs_by_integers)
        out["signs"] = int(counts.layer_signs + counts.single_signs)
        return out | {"by_rationals": self.asked, "exact_witnesses": self.witnesses}

    def step(self, base: int, last: float, seconds: float) -> bool:
        """Go on until ``base`` cells are left, ``last`` cells are finished, or the time is up.

        Questions are answered on the way. True when no more than ``base`` cells are left.
        """
        end = time.perf_counter() + seconds
        while True:
            steps = max(1, int(min(_MOST_STEPS, last - self.cells)))
            code = self.core.run(base, steps, seconds)
            if code == ASK:
                with self.at_once():
                    signs = self._answers()
                self.core.answer(signs)
                self.asked += len(signs)
            elif code == WITNESS:
                with self.at_once():
                    point = self._interior_point()
                self._accept(point)
            elif code == CERTIFY:
                with self.at_once():
                    rows = self._certificate()
                self.core.certify(rows)
                self.asked += 1
            else:
                self.full = code in (OUTPUT_FULL, LOG_FULL)
                return code == DONE
            # a segment does not end between two questions: it would depend on the clock
            if time.perf_counter() > end and self.cells < last:
                return self.core.status.open_cells <= base

    def ended(self, last: float) -> bool:
        """Whether a segment that ends with ``last`` cells may end here."""
        return self.cells >= last and not self.core.status.fresh

    def take(self) -> Found:
        """What was found since the last time."""
        status = self.core.status
        share = status.done_share - self._shared
        self._shared = status.done_share
        if not (status.regions or status.log_bytes):
            return Found(share=share)
        self.full = False
        found, kept = self.core.take(status, keep=self.setting.keep)
        batch = None
        if status.regions:
            batch = Batch(found.bit, found.zero, found.rank, found.point, self._exact_points)
            self._exact_points = {}
        return Found(log=found.log.tobytes(), kept=kept, batch=batch, share=share)

    def work(self, task: Handle | None, share: Share[Handle | None, Found]) -> None:
        """Work on a task as one of several workers; None: on the cells that are open here."""
        core = self.core
        if task is not None:
            core.load_cell(task)
        if self.setting.log:
            share.found([Found(head=self.head())])
        last = self.cells + (self.segment if self.setting.log else _TASK_CELLS)
        done = False
        handed_on = time.perf_counter()
        while not (done or share.stopped or self.ended(last)):
            done = self.step(0, last, SHARE_SECONDS)
            if self.full or time.perf_counter() > handed_on + HAND_ON_SECONDS:
                share.found([self.take()])
                handed_on = time.perf_counter()
            # a proof's segments are the same however many workers there are
            if not self.setting.log and share.wanted and core.status.open_cells > 1:
                share.give([core.take_cell(0)])
        share.found([self.take()])
        if self.setting.log:
            share.found([Found(end=True)])
        open_cells = [] if share.stopped else range(core.status.open_cells)
        share.give([core.take_cell(0) for _ in open_cells][::-1])

    def head(self) -> SegmentHead:
        """Head of a proof segment for the cell on top."""
        self.core.open_segment()
        top, net = self.core.top, self.setting.net
        total = int(net.unit_start[-1])
        layer = top.layer
        decision = np.full(total, UNDECIDED, dtype=np.int8)
        splits = np.zeros(total, dtype=np.int8)
        late: list[int] = []  # units of layer 1 that cut cone f of R^k off what was open
        if top.fresh:  # the domain itself or such a cone: others end at cells with decisions
            units = self.setting.root.labels[0] if self.setting.conic else ()
            sides = [top.cone >> (len(units) - 1 - j) & 1 for j in range(len(units))]
            early = max((j + 1 for j, above in enumerate(sides) if not above), default=0)
            late = list(units[early:])
            layer = 0 if early else -1
            for g, above in zip(units[:early], sides, strict=False):
                decision[g] = POSITIVE if above else NEGATIVE
                splits[g] = 1
            if early:
                for g in range(int(net.unit_start[1])):
                    if not net.hyperplane[g]:
                        decision[g] = POSITIVE
                    elif net.tie[g] >= 0:
                        decision[g] = TIED
        else:
            a, b = (int(v) for v in net.unit_start[layer : layer + 2])
            decision[:a] = _decision(top)[:a]
            splits[:a] = top.split[:a]
            for g in range(a, b):
                w, bit = (g - a) // 64, np.uint64(1) << np.uint64((g - a) % 64)
                word = int(self.core.word_start[layer]) + w
                if not net.hyperplane[g]:
                    decision[g] = POSITIVE
                elif net.tie[g] >= 0:
                    decision[g] = TIED
                elif top.open_units[w] & bit:
                    decision[g] = UNDECIDED
                elif (top.pos[:, word] & bit).any():
                    decision[g] = POSITIVE
                elif (top.neg[:, word] & bit).any():
                    decision[g] = NEGATIVE
                else:
                    decision[g] = IDENTICALLY_ZERO
                splits[g] = bool(top.split_units[w] & bit)
            for g in range(a):
                if net.tie[g] >= 0:
                    decision[g] = TIED
                elif not net.hyperplane[g]:
                    decision[g] = POSITIVE
        return SegmentHead(
            b"S" + (layer + 1).to_bytes(2, "little"),
            (decision + 1).astype(np.uint8).tobytes()
            + splits.astype(np.uint8).tobytes()
            + b"".join(bytes([LOG_SPLIT]) + g.to_bytes(2, "little") for g in late),
        )

    def _vertex(
        self, top: TopCell, number: int, labels: NDArray[np.int64], decision: NDArray[np.int8]
    ) -> Vector:
        """Exact coordinates of a vertex of the cell on top."""
        if number >= 0:
            return (*self.setting.root.points[number], fmpq(1 if not self.setting.conic else 0))
        sides: dict[int, int] = {}
        if self.setting.conic:
            # the cone of R^k that the cell lies in
            for g in self.setting.root.labels[0]:
                bit = np.uint64(1) << np.uint64(g % 64)
                above = bool((top.pos[:, g // 64] & bit).any())
                sides[g] = 1 if above else -1
        return self.exact.vertex(labels, decision, sides)

    def _vertices(self, top: TopCell, decision: NDArray[np.int8]) -> list[Vector]:
        """Exact coordinates of all vertices of the cell on top."""
        return [
            self._vertex(top, v, labels, decision)
            for v, labels in zip(top.vertex.tolist(), top.vertex_label, strict=True)
        ]

    def _answers(self) -> NDArray[np.int8]:
        top = self.core.top
        decision = _decision(top)
        vertices: dict[int, Vector] = {}
        out = np.zeros(len(top.question), dtype=np.int8)
        for q, (v, unit, number) in enumerate(top.question[:, :3].tolist()):
            if v not in vertices:
                vertices[v] = self._vertex(top, number, top.question[q, 3:], decision)
            out[q] = self.exact.sign(vertices[v], unit, decision)
        return out

    def _interior_point(self) -> Vector:
        """A point strictly inside the cell on top: the mean of its exact vertices, rounded."""
        top = self.core.top
        decision = _decision(top)
        vertices = self._vertices(top, decision)
        middle = [
            sum((self._unit(p)[l] for p in vertices), fmpq(0)) / len(vertices)
            for l in range(self.setting.cube.dim)
        ]
        y = self.setting.cube.to_chart(middle)
        near = [nearest_float(v) for v in y]
        if all(math.isfinite(v) for v in near):
            rounded = [fmpq_from_float(v) for v in near]
            if self._strictly_inside(top, rounded, vertices, decision):
                return tuple(rounded)
        return tuple(y)

    def _accept(self, point: Vector) -> None:
        """The cell on top is a region, with this point inside it."""
        floats = [as_float(v) for v in point]
        if None in floats:
            self._exact_points[self.core.status.regions] = point
            floats = [math.nan] * len(point)
        self.witnesses += 1
        self.core.accept(np.array(floats, dtype=np.float64))

    def _unit(self, vertex: Vector) -> Vector:
        """A vertex scaled to magnitude about 1, where only its direction counts."""
        if not self.setting.conic:
            return vertex
        size = max([abs(v) for v in vertex])
        return tuple(v / size for v in vertex) if size > 0 else vertex

    def _strictly_inside(
        self, top: TopCell, y: list[fmpq], vertices: list[Vector], decision: NDArray[np.int8]
    ) -> bool:
        """Whether a chart point is on the strict side of every hyperplane that bounds the cell."""
        last = fmpq(0 if self.setting.conic else 1)
        point = (*self.setting.cube.to_cube(y), last)
        labels = set(top.label.tolist())
        for label in labels:
            if label < -len(self.setting.net.wall_rows):
                continue
            sides = {self.exact.sign(vertex, label, decision) for vertex in vertices} - {0}
            if {self.exact.sign(point, label, decision)} != sides:
                return False
        return True

    def _certificate(self) -> NDArray[np.int64]:
        """Rows with exact multipliers ≥ 0 for a miss on the cell on top."""
        top = self.core.top
        decision = _decision(top)
        g = int(self.setting.net.unit_start[top.layer]) + top.certify_unit
        row = self._oriented(g, top.certify_side, decision)
        vertices = self._vertices(top, decision)
        lead = self._lead(top)
        oriented = [self._row_of_cell(top, m, vertices, decision) for m in range(top.rows)]

        def ratio(point: Vector) -> fmpq:
            return _at(row, point) / (_at(oriented[lead[0]], point) if lead else 1)

        lowest = min((p for p in vertices if not lead or _at(oriented[lead[0]], p) > 0), key=ratio)
        first_row = len(self.setting.net.wall_rows) if self.setting.conic else 0
        tight = [m for m in range(first_row, len(oriented)) if _at(oriented[m], lowest) == 0]
        d = self.setting.cube.dim
        for others in itertools.combinations(tight, d - len(lead)):
            chosen = (*others, *lead)
            matrix = fmpq_mat(d, d, [oriented[m][l] for l in range(d) for m in chosen])
            if matrix.det() == 0:
                continue
            multipliers = matrix.solve(fmpq_mat(d, 1, row[:d])).entries()
            if all(v >= 0 for v in multipliers):
                return np.array(chosen, dtype=np.int64)
        raise UncertifiedError("no rows of a vertex prove that a unit misses its cell")

    def _lead(self, top: TopCell) -> tuple[int, ...]:
        """The row that takes the place of 1 on a cone (see ``miss.hpp``)."""
        if not self.setting.conic:
            return ()
        if self.setting.net.homogeneous:
            return (0,)
        labels = (
            np.array(self.setting.root.labels[0])
            if self.setting.problem.chart.k == 1
            else top.label
        )
        return (int(top.row_of[labels[labels != AT_INFINITY][0]]),)

    def _row_of_cell(
        self, top: TopCell, m: int, vertices: list[Vector], decision: NDArray[np.int8]
    ) -> list[fmpq]:
        """Row m of the cell, ≥ 0 on its vertices."""
        if m < len(self.setting.net.wall_rows):
            return self._oriented(-1 - m, 1, decision)
        row = self._oriented(int(top.row_unit[m]), 1, decision)
        return row if any(_at(row, p) > 0 for p in vertices) else [-v for v in row]

    def _oriented(self, label: int, side: int, decision: NDArray[np.int8]) -> list[fmpq]:
        return [side * v for v in self.exact.row(label, decision)]


def _decision(top: TopCell) -> NDArray[np.int8]:
    """Decisions on the path: 0, 1, or 2 where a unit is identically zero."""
    return np.where(top.zero == 1, np.int8(2), top.bit)
