"""The search with vertices: drives the compiled kernel and answers its questions exactly."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.arrays import (
    cube_map,
    exact_first_rows,
    net_arrays,
    wall_rows,
)
from polyrank.cells.chart import Chart
from polyrank.cells.interrupt import DeferredInterrupt, Slices
from polyrank.cells.log_steps import LOG_NEGATIVE_BY, LOG_POSITIVE_BY, LOG_SPLIT
from polyrank.cells.task import (
    IDENTICALLY_ZERO,
    NEGATIVE,
    POSITIVE,
    TIED,
    UNDECIDED,
    Batch,
    SearchProgress,
    SearchResult,
)
from polyrank.cells.vertices.exact_signs import ExactSigns, Vector
from polyrank.cells.vertices.kernel import ASK, CERTIFY, GROW, WITNESS, accept, run, start
from polyrank.cells.vertices.miss import open_segment
from polyrank.cells.vertices.pool import AT_INFINITY, Pool, grown, new_pool
from polyrank.cells.vertices.root import Root, domain_root, fill, whole_space_root
from polyrank.cells.work import BUDGET, DONE, S_CELLS, STATISTICS, Work, new_work
from polyrank.errors import UncertifiedError, UnsupportedError
from polyrank.network.normal_form import Network
from polyrank.network.rational import as_float, fmpq_from_float, nearest_float

__all__ = ["MOST_DIMENSIONS", "KeptCells", "VertexSearch", "root_of"]

MOST_DIMENSIONS = 3
#: Cells per proof segment; segments are what a checker can take apart and check in parallel.
_SEGMENT = 100_000
_SEGMENT_END = b"\0"
_OUTPUT_BYTES = 1 << 24
_OUTPUT_ROWS = 65536


def root_of(network: Network, chart: Chart) -> Root | None:
    """The domain as cells with vertices; None where this search cannot take it.

    It takes domains of dimension 1 to 3 that are polytopes of not too many rows, or all of R^k
    where layer 1 has k independent hyperplanes.
    """
    if not 1 <= chart.k <= MOST_DIMENSIONS:
        return None
    cube = cube_map(network, chart)
    if cube.kind == "bounded":
        return domain_root(wall_rows(chart, cube), chart)
    if chart.A.nrows():
        return None
    net = net_arrays(network, chart, cube, 1)
    return whole_space_root(exact_first_rows(network.layers[0], chart, cube), net, cube)


def _why_not(chart: Chart) -> str:
    if not 1 <= chart.k <= MOST_DIMENSIONS:
        return f"its dimension is {chart.k}, not 1 to {MOST_DIMENSIONS}"
    if chart.bounded:
        return f"it has {chart.A.nrows()} rows, too many to list its vertices"
    if chart.A.nrows():
        return "it is unbounded and has walls"
    return "it is unbounded and layer 1 has fewer independent hyperplanes than dimensions"


def _at(row: list[fmpq], point: Vector) -> fmpq:
    return sum((a * x for a, x in zip(row, point, strict=True)), fmpq(0))


@dataclass(frozen=True, slots=True, eq=False)
class KeptCells:
    """Finished cells with their faces, as :class:`~polyrank.cells.vertices.pool.Pool` has them.

    ``first`` has one row per region and one more: offsets of its vertices, cycle entries, facets.
    """

    first: NDArray[np.int64]
    x: NDArray[np.float64]
    err: NDArray[np.float64]
    pos: NDArray[np.uint64]
    neg: NDArray[np.uint64]
    label: NDArray[np.int64]
    cycle: NDArray[np.int64]
    edge: NDArray[np.int64]
    facet_size: NDArray[np.int64]
    facet_label: NDArray[np.int64]


class VertexSearch:
    """One enumeration of the regions of a domain of dimension 1 to 3.

    Parameters
    ----------
    network : Network
    chart : Chart
    layers : int
        Number of layers, counted from the first.
    sink : callable
        Receives :class:`~polyrank.cells.task.Batch` objects.
    progress : callable, optional
    proof : callable, optional
        Receives the proof log.
    keep : callable, optional
        Receives, before each batch, its cells with their faces.
    root : Root, optional
        What :func:`root_of` gave for this network and domain.

    Raises
    ------
    UnsupportedError
        Where :func:`root_of` gives None.
    """

    def __init__(
        self,
        network: Network,
        chart: Chart,
        layers: int,
        *,
        sink: Callable[[Batch], None],
        progress: Callable[[SearchProgress], None] | None = None,
        proof: Callable[[bytes], None] | None = None,
        keep: Callable[[KeptCells], None] | None = None,
        root: Root | None = None,
    ) -> None:
        self.cube = cube_map(network, chart)
        root = root_of(network, chart) if root is None else root
        if root is None:
            raise UnsupportedError(
                f"the vertices engine cannot take this domain: {_why_not(chart)}; "
                "use the dictionary engine"
            )
        self.net = net_arrays(network, chart, self.cube, layers)
        row = self.net.hyperplane.sum() // 4 + 10 * layers + 8 * chart.k + 64
        output = min(_OUTPUT_ROWS, max(1024, int(_OUTPUT_BYTES // row)))
        self.work: Work = new_work(self.net, self.cube.dim, output=output, log=proof is not None)
        self.conic = self.cube.kind != "bounded"
        self.pool: Pool = new_pool(
            self.net,
            self.cube.dim,
            walls=0 if self.conic else len(self.net.wall_rows),
            root_units=root.labels[0] if self.conic else (),
            keep=0 if keep is None else output,
        )
        fill(root, self.pool, conic=self.conic)
        self.root = root
        self.network = network
        self.chart = chart
        self.layers = layers
        self.sink = sink
        self.keep = keep
        self.progress = progress
        self.proof = proof
        self.regions = 0
        self.asked = 0
        self.witnesses = 0
        self.exact_points: dict[int, Vector] = {}
        self._exact: ExactSigns | None = None
        self.started = time.perf_counter()
        self.slices = Slices()

    @property
    def exact(self) -> ExactSigns:
        """Exact rows and vertices, made for the first question."""
        if self._exact is None:
            self._exact = ExactSigns(self.network, self.chart, self.cube, self.net, self.layers)
        return self._exact

    def run(self) -> SearchResult:
        """Enumerate.

        **Proves**: the regions handed to the sink are exactly the activation regions of the domain,
        each once.
        """
        start(self.net, self.work)
        interrupt = DeferredInterrupt()
        with interrupt:
            try:
                while int(self.pool.state[0]) > 0:
                    self._segment(interrupt)
            except KeyboardInterrupt:
                self._drain()  # what was found is kept
                raise
            self._drain()
        stat = dict(zip(STATISTICS, self.work.stat.tolist(), strict=True))
        ladder = {name: stat[name] for name in STATISTICS if name not in ("tests", "pivots")}
        ladder["by_integers"] = int(self.pool.stat[0])
        ladder["signs"] = int(self.pool.stat[1] + self.pool.stat[2])
        ladder["by_rationals"] = self.asked
        ladder["exact_witnesses"] = self.witnesses
        return SearchResult(
            regions=self.regions,
            undecided=(),
            open=(),
            certified=True,
            tests=stat["tests"],
            pivots=0,
            seconds=time.perf_counter() - self.started,
            ladder=ladder,
        )

    @property
    def _cells(self) -> int:
        return int(self.work.stat[S_CELLS])

    def _segment(self, interrupt: DeferredInterrupt) -> None:
        """Everything below the cell on top, or a segment of the proof's length of it."""
        base = 0
        last: float = math.inf  # count of cells with which the segment ends
        if self.proof is not None:
            self._head(self.proof)
            base, last = int(self.pool.state[0]) - 1, self._cells + _SEGMENT
        while True:
            before, called = self._cells, time.perf_counter()
            steps = max(1, int(min(self.slices.steps, last - before)))
            code = run(self.net, self.work, self.pool, self.layers, self.chart.k, base, steps)
            taken = steps if code == BUDGET else self._cells - before
            self.slices.measured(taken, time.perf_counter() - called)
            if code == ASK:
                with interrupt.at_once():
                    self._answer()
            elif code == GROW:
                self.pool = grown(self.pool)
            elif code == WITNESS:
                with interrupt.at_once():
                    point = self._interior_point()
                self._accept(point)
            elif code == CERTIFY:
                with interrupt.at_once():
                    self._certify()
            else:
                self._drain()
                interrupt.check()
                if code == DONE:
                    break
                if self._cells >= last and not self.pool.fresh[int(self.pool.state[0]) - 1]:
                    break
        if self.proof is not None:
            self.proof(_SEGMENT_END)

    def _head(self, proof: Callable[[bytes], None]) -> None:
        """Head of a proof segment for the cell on top."""
        open_segment(self.net, self.work, self.pool)
        pool, net = self.pool, self.net
        total = int(net.unit_start[-1])
        f = int(pool.state[0]) - 1
        layer = int(pool.layer[f])
        decision = np.full(total, UNDECIDED, dtype=np.int8)
        splits = np.zeros(total, dtype=np.int8)
        late: list[int] = []  # units of layer 1 that cut cone f of R^k off what was open
        if pool.fresh[f]:  # the domain itself or such a cone: others end at cells with decisions
            units = self.root.labels[0] if self.conic else ()
            sides = [f >> (len(units) - 1 - j) & 1 for j in range(len(units))]
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
            decision[:a] = self._decision()[:a]
            splits[:a] = self.work.layer_split[:a]
            first = int(pool.vertex_first[f])
            on = pool.cycle[first : first + int(pool.vertex_size[f])]
            for g in range(a, b):
                w, bit = (g - a) // 64, np.uint64(1) << np.uint64((g - a) % 64)
                word = int(pool.word_start[layer]) + w
                if not net.hyperplane[g]:
                    decision[g] = POSITIVE
                elif net.tie[g] >= 0:
                    decision[g] = TIED
                elif pool.open_units[f, w] & bit:
                    decision[g] = UNDECIDED
                elif (pool.pos[on, word] & bit).any():
                    decision[g] = POSITIVE
                elif (pool.neg[on, word] & bit).any():
                    decision[g] = NEGATIVE
                else:
                    decision[g] = IDENTICALLY_ZERO
                splits[g] = bool(pool.split_units[f, w] & bit)
            for g in range(a):
                if net.tie[g] >= 0:
                    decision[g] = TIED
                elif not net.hyperplane[g]:
                    decision[g] = POSITIVE
        proof(
            b"S"
            + (layer + 1).to_bytes(2, "little")
            + self.regions.to_bytes(8, "little")
            + (decision + 1).astype(np.uint8).tobytes()
            + splits.astype(np.uint8).tobytes()
            + b"".join(bytes([LOG_SPLIT]) + g.to_bytes(2, "little") for g in late)
        )

    def _decision(self) -> NDArray[np.int8]:
        return np.where(self.work.layer_zero == 1, np.int8(2), self.work.layer_bit)

    def _vertex(self, v: int, decision: NDArray[np.int8]) -> Vector:
        """Exact coordinates of a vertex of the cell on top."""
        pool = self.pool
        if v < len(self.root.points):
            return (*self.root.points[v], fmpq(1 if not self.conic else 0))
        sides: dict[int, int] = {}
        if self.conic:
            # the cone of R^k that the cell lies in
            f = int(pool.state[0]) - 1
            first = int(pool.vertex_first[f])
            on = pool.cycle[first : first + int(pool.vertex_size[f])]
            for g in self.root.labels[0]:
                bit = np.uint64(1) << np.uint64(g % 64)
                above = bool((pool.pos[on, g // 64] & bit).any())
                sides[g] = 1 if above else -1
        return self.exact.vertex(pool.label[v], decision, sides)

    def _answer(self) -> None:
        pool, decision = self.pool, self._decision()
        count, done = int(pool.state[6]), int(pool.state[7])
        vertices: dict[int, Vector] = {}
        for q in range(count):
            v = int(pool.ask_vertex[q])
            if v not in vertices:
                vertices[v] = self._vertex(v, decision)
            pool.answer[done + q] = self.exact.sign(vertices[v], int(pool.ask_unit[q]), decision)
        pool.state[7] = done + count
        self.asked += count

    def _interior_point(self) -> Vector:
        """A point strictly inside the cell on top: the mean of its exact vertices, rounded."""
        pool, decision = self.pool, self._decision()
        f = int(pool.state[0]) - 1
        first = int(pool.vertex_first[f])
        on = pool.cycle[first : first + int(pool.vertex_size[f])].tolist()
        vertices = [self._vertex(v, decision) for v in on]
        middle = [
            sum((self._unit(p)[l] for p in vertices), fmpq(0)) / len(vertices)
            for l in range(self.cube.dim)
        ]
        y = self.cube.to_chart(middle)
        near = [nearest_float(v) for v in y]
        if all(math.isfinite(v) for v in near):
            rounded = [fmpq_from_float(v) for v in near]
            if self._strictly_inside(f, rounded, vertices, decision):
                return tuple(rounded)
        return tuple(y)

    def _accept(self, point: Vector) -> None:
        """The cell on top is a region, with this point inside it."""
        floats = [as_float(v) for v in point]
        if None not in floats:
            self.work.point_y[0] = floats
        else:
            self.work.point_y[0] = np.nan
            self.exact_points[int(self.work.state[2])] = point
        self.witnesses += 1
        accept(self.net, self.work, self.pool, self.layers, self.chart.k)

    def _unit(self, vertex: Vector) -> Vector:
        """A vertex scaled to magnitude about 1, where only its direction counts."""
        if not self.conic:
            return vertex
        size = max([abs(v) for v in vertex])
        return tuple(v / size for v in vertex) if size > 0 else vertex

    def _strictly_inside(
        self, f: int, y: list[fmpq], vertices: list[Vector], decision: NDArray[np.int8]
    ) -> bool:
        """Whether a chart point is on the strict side of every hyperplane that bounds cell f."""
        pool = self.pool
        last = fmpq(0 if self.conic else 1)
        point = (*self.cube.to_cube(y), last)
        first, size = int(pool.vertex_first[f]), int(pool.vertex_size[f])
        if self.chart.k == 3:
            at = int(pool.list_first[f])
            chosen = pool.facets[at : at + int(pool.list_size[f])]
            labels = set(pool.facet_label[chosen].tolist())
        elif self.chart.k == 2:
            labels = set(pool.edge[first : first + size].tolist())
        else:
            labels = set(pool.label[pool.cycle[first : first + size], 0].tolist())
        for label in labels:
            if label < -len(self.net.wall_rows):
                continue
            sides = {self.exact.sign(vertex, label, decision) for vertex in vertices} - {0}
            if {self.exact.sign(point, label, decision)} != sides:
                return False
        return True

    def _certify(self) -> None:
        """Rows with exact multipliers ≥ 0 for a miss on the cell on top, to the proof log."""
        pool, work, decision = self.pool, self.work, self._decision()
        f, unit, side = int(pool.state[0]) - 1, int(pool.ask_unit[0]), int(pool.ask_vertex[0])
        layer = int(pool.layer[f])
        first = int(pool.vertex_first[f])
        on = pool.cycle[first : first + int(pool.vertex_size[f])].tolist()
        row = self._oriented(int(self.net.unit_start[layer]) + unit, side, decision)
        vertices = [self._vertex(v, decision) for v in on]
        lead = self._lead(f)
        oriented = [self._row_of_cell(m, vertices, decision) for m in range(int(pool.rows[f]))]

        def ratio(point: Vector) -> fmpq:
            return _at(row, point) / (_at(oriented[lead[0]], point) if lead else 1)

        lowest = min((p for p in vertices if not lead or _at(oriented[lead[0]], p) > 0), key=ratio)
        first_row = int(work.walls[0]) if self.conic else 0
        tight = [m for m in range(first_row, len(oriented)) if _at(oriented[m], lowest) == 0]
        d = self.cube.dim
        for others in itertools.combinations(tight, d - len(lead)):
            chosen = (*others, *lead)
            matrix = fmpq_mat(d, d, [oriented[m][l] for l in range(d) for m in chosen])
            if matrix.det() == 0:
                continue
            multipliers = matrix.solve(fmpq_mat(d, 1, row[:d])).entries()
            if all(v >= 0 for v in multipliers):
                break
        else:
            raise UncertifiedError("no rows of a vertex prove that a unit misses its cell")
        step = LOG_POSITIVE_BY if side > 0 else LOG_NEGATIVE_BY
        data = step.to_bytes(1, "little") + unit.to_bytes(2, "little")
        data += d.to_bytes(2, "little") + b"".join(m.to_bytes(2, "little") for m in chosen)
        at = int(work.log_state[0])
        work.log[at : at + len(data)] = np.frombuffer(data, dtype=np.uint8)
        work.log_state[0] = at + len(data)
        pool.open_units[f, unit // 64] &= ~(np.uint64(1) << np.uint64(unit % 64))
        self.asked += 1

    def _lead(self, f: int) -> tuple[int, ...]:
        """The row that takes the place of 1 on a cone (see :mod:`.miss`)."""
        if not self.conic:
            return ()
        if self.net.homogeneous:
            return (0,)
        pool, at = self.pool, int(self.pool.list_first[f])
        first, size = int(pool.vertex_first[f]), int(pool.vertex_size[f])
        labels = {
            1: pool.root_units,
            2: pool.edge[first : first + size],
            3: pool.facet_label[pool.facets[at : at + int(pool.list_size[f])]],
        }[self.chart.k]
        return (int(pool.row_of[labels[labels != AT_INFINITY][0]]),)

    def _row_of_cell(
        self, m: int, vertices: list[Vector], decision: NDArray[np.int8]
    ) -> list[fmpq]:
        """Row m of the cell, ≥ 0 on its vertices."""
        if m < int(self.work.walls[0]):
            return self._oriented(-1 - m, 1, decision)
        row = self._oriented(int(self.work.row_unit[m]), 1, decision)
        return row if any(_at(row, p) > 0 for p in vertices) else [-v for v in row]

    def _oriented(self, label: int, side: int, decision: NDArray[np.int8]) -> list[fmpq]:
        return [side * v for v in self.exact.row(label, decision)]

    def _drain(self) -> None:
        rows = int(self.work.state[2])
        if self.proof is not None:
            size = int(self.work.log_state[0])
            self.work.log_state[0] = 0
            self.proof(self.work.log[:size].tobytes())
        if rows:
            self.work.state[2] = 0
            self.regions += rows
            if self.keep is not None:
                self.keep(self._kept(rows))
            self.sink(
                Batch(
                    self.work.out_bit[:rows].copy(),
                    self.work.out_zero[:rows].copy(),
                    self.work.out_rank[:rows].copy(),
                    self.work.out_point[:rows].copy(),
                    self.exact_points,
                )
            )
            self.exact_points = {}
        if self.progress is not None:
            self.progress(
                SearchProgress(
                    self.regions,
                    min(1.0, float(self.work.done_share[0])),
                    0,
                    time.perf_counter() - self.started,
                )
            )

    def _kept(self, rows: int) -> KeptCells:
        pool = self.pool
        vertices, entries, facets = (int(n) for n in pool.out_state[:3])
        kept = KeptCells(
            pool.out_first[: rows + 1].copy(),
            pool.out_x[:vertices].copy(),
            pool.out_err[:vertices].copy(),
            pool.out_pos[:vertices].copy(),
            pool.out_neg[:vertices].copy(),
            pool.out_label[:vertices].copy(),
            pool.out_cycle[:entries].copy(),
            pool.out_edge[:entries].copy(),
            pool.out_facet_size[:facets].copy(),
            pool.out_facet_label[:facets].copy(),
        )
        pool.out_state[:] = 0
        return kept
