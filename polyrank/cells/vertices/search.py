"""The search with vertices: drives the native core and answers its questions exactly."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable

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
from polyrank.cells.interrupt import SLICE_SECONDS, DeferredInterrupt
from polyrank.cells.log_steps import LOG_SPLIT
from polyrank.cells.statistics import STATISTICS
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
from polyrank.cells.vertices.core import (
    ASK,
    CERTIFY,
    DONE,
    WITNESS,
    KeptCells,
    TopCell,
    VertexCore,
)
from polyrank.cells.vertices.exact_signs import ExactSigns, Vector
from polyrank.cells.vertices.root import (
    AT_INFINITY,
    MOST_SUBSETS,
    Root,
    domain_root,
    root_arrays,
    whole_space_root,
)
from polyrank.errors import UncertifiedError, UnsupportedError
from polyrank.network.normal_form import Network
from polyrank.network.rational import as_float, fmpq_from_float, nearest_float

__all__ = ["MOST_DIMENSIONS", "VertexSearch", "root_of", "takes"]

MOST_DIMENSIONS = 3
#: Cells per proof segment; segments are what a checker can take apart and check in parallel.
_SEGMENT = 100_000
_SEGMENT_END = b"\0"
_MOST_STEPS = 1 << 40
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


def takes(network: Network, chart: Chart) -> bool:
    """Whether :func:`root_of` gives a root, without listing the vertices of a polytope."""
    if 1 <= chart.k <= MOST_DIMENSIONS and chart.bounded:
        return math.comb(chart.A.nrows(), chart.k) <= MOST_SUBSETS
    return root_of(network, chart) is not None


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
        self.conic = self.cube.kind != "bounded"
        self.core = VertexCore(
            self.net,
            root_arrays(root, self.cube.dim, walls=len(self.net.wall_rows), conic=self.conic),
            chart.k,
            output=output,
            keep=keep is not None,
            log=proof is not None,
        )
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
        interrupt = DeferredInterrupt()
        with interrupt:
            try:
                while self.core.status.open_cells > 0:
                    self._segment(interrupt)
            except KeyboardInterrupt:
                self._drain()  # what was found is kept
                raise
            self._drain()
        counts = self.core.counts
        names = (name for name in STATISTICS if name not in ("tests", "pivots"))
        ladder = {name: int(getattr(counts, name)) for name in names}
        ladder["by_integers"] = int(counts.signs_by_integers)
        ladder["signs"] = int(counts.layer_signs + counts.single_signs)
        ladder["by_rationals"] = self.asked
        ladder["exact_witnesses"] = self.witnesses
        return SearchResult(
            regions=self.regions,
            undecided=(),
            open=(),
            certified=True,
            tests=int(counts.tests),
            pivots=0,
            seconds=time.perf_counter() - self.started,
            ladder=ladder,
        )

    @property
    def _cells(self) -> int:
        return int(self.core.counts.cells)

    def _segment(self, interrupt: DeferredInterrupt) -> None:
        """Everything below the cell on top, or a segment of the proof's length of it."""
        base = 0
        last: float = math.inf  # count of cells with which the segment ends
        if self.proof is not None:
            self._head(self.proof)
            base, last = self.core.status.open_cells - 1, self._cells + _SEGMENT
        while True:
            steps = max(1, int(min(_MOST_STEPS, last - self._cells)))
            code = self.core.run(base, steps, SLICE_SECONDS)
            if code == ASK:
                with interrupt.at_once():
                    signs = self._answers()
                self.core.answer(signs)
                self.asked += len(signs)
            elif code == WITNESS:
                with interrupt.at_once():
                    point = self._interior_point()
                self._accept(point)
            elif code == CERTIFY:
                with interrupt.at_once():
                    rows = self._certificate()
                self.core.certify(rows)
                self.asked += 1
            else:
                self._drain()
                interrupt.check()
                if code == DONE:
                    break
                if self._cells >= last and not self.core.status.fresh:
                    break
        if self.proof is not None:
            self.proof(_SEGMENT_END)

    def _head(self, proof: Callable[[bytes], None]) -> None:
        """Head of a proof segment for the cell on top."""
        self.core.open_segment()
        top, net = self.core.top, self.net
        total = int(net.unit_start[-1])
        layer = top.layer
        decision = np.full(total, UNDECIDED, dtype=np.int8)
        splits = np.zeros(total, dtype=np.int8)
        late: list[int] = []  # units of layer 1 that cut cone f of R^k off what was open
        if top.fresh:  # the domain itself or such a cone: others end at cells with decisions
            units = self.root.labels[0] if self.conic else ()
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
        proof(
            b"S"
            + (layer + 1).to_bytes(2, "little")
            + self.regions.to_bytes(8, "little")
            + (decision + 1).astype(np.uint8).tobytes()
            + splits.astype(np.uint8).tobytes()
            + b"".join(bytes([LOG_SPLIT]) + g.to_bytes(2, "little") for g in late)
        )

    def _vertex(
        self, top: TopCell, number: int, labels: NDArray[np.int64], decision: NDArray[np.int8]
    ) -> Vector:
        """Exact coordinates of a vertex of the cell on top."""
        if number < len(self.root.points):
            return (*self.root.points[number], fmpq(1 if not self.conic else 0))
        sides: dict[int, int] = {}
        if self.conic:
            # the cone of R^k that the cell lies in
            for g in self.root.labels[0]:
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
        for q, (v, unit) in enumerate(top.question[:, :2].tolist()):
            if v not in vertices:
                vertices[v] = self._vertex(top, v, top.question[q, 2:], decision)
            out[q] = self.exact.sign(vertices[v], unit, decision)
        return out

    def _interior_point(self) -> Vector:
        """A point strictly inside the cell on top: the mean of its exact vertices, rounded."""
        top = self.core.top
        decision = _decision(top)
        vertices = self._vertices(top, decision)
        middle = [
            sum((self._unit(p)[l] for p in vertices), fmpq(0)) / len(vertices)
            for l in range(self.cube.dim)
        ]
        y = self.cube.to_chart(middle)
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
            self.exact_points[self.core.status.regions] = point
            floats = [math.nan] * len(point)
        self.witnesses += 1
        self.core.accept(np.array(floats, dtype=np.float64))

    def _unit(self, vertex: Vector) -> Vector:
        """A vertex scaled to magnitude about 1, where only its direction counts."""
        if not self.conic:
            return vertex
        size = max([abs(v) for v in vertex])
        return tuple(v / size for v in vertex) if size > 0 else vertex

    def _strictly_inside(
        self, top: TopCell, y: list[fmpq], vertices: list[Vector], decision: NDArray[np.int8]
    ) -> bool:
        """Whether a chart point is on the strict side of every hyperplane that bounds the cell."""
        last = fmpq(0 if self.conic else 1)
        point = (*self.cube.to_cube(y), last)
        labels = set(top.label.tolist())
        for label in labels:
            if label < -len(self.net.wall_rows):
                continue
            sides = {self.exact.sign(vertex, label, decision) for vertex in vertices} - {0}
            if {self.exact.sign(point, label, decision)} != sides:
                return False
        return True

    def _certificate(self) -> NDArray[np.int64]:
        """Rows with exact multipliers ≥ 0 for a miss on the cell on top."""
        top = self.core.top
        decision = _decision(top)
        g = int(self.net.unit_start[top.layer]) + top.certify_unit
        row = self._oriented(g, top.certify_side, decision)
        vertices = self._vertices(top, decision)
        lead = self._lead(top)
        oriented = [self._row_of_cell(top, m, vertices, decision) for m in range(top.rows)]

        def ratio(point: Vector) -> fmpq:
            return _at(row, point) / (_at(oriented[lead[0]], point) if lead else 1)

        lowest = min((p for p in vertices if not lead or _at(oriented[lead[0]], p) > 0), key=ratio)
        first_row = len(self.net.wall_rows) if self.conic else 0
        tight = [m for m in range(first_row, len(oriented)) if _at(oriented[m], lowest) == 0]
        d = self.cube.dim
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
        if not self.conic:
            return ()
        if self.net.homogeneous:
            return (0,)
        labels = np.array(self.root.labels[0]) if self.chart.k == 1 else top.label
        return (int(top.row_of[labels[labels != AT_INFINITY][0]]),)

    def _row_of_cell(
        self, top: TopCell, m: int, vertices: list[Vector], decision: NDArray[np.int8]
    ) -> list[fmpq]:
        """Row m of the cell, ≥ 0 on its vertices."""
        if m < len(self.net.wall_rows):
            return self._oriented(-1 - m, 1, decision)
        row = self._oriented(int(top.row_unit[m]), 1, decision)
        return row if any(_at(row, p) > 0 for p in vertices) else [-v for v in row]

    def _oriented(self, label: int, side: int, decision: NDArray[np.int8]) -> list[fmpq]:
        return [side * v for v in self.exact.row(label, decision)]

    def _drain(self) -> None:
        status = self.core.status
        if status.regions or status.log_bytes:
            found, kept = self.core.take(status, keep=self.keep is not None)
            if self.proof is not None:
                self.proof(found.log.tobytes())
            if status.regions:
                self.regions += status.regions
                if self.keep is not None and kept is not None:
                    self.keep(kept)
                self.sink(Batch(found.bit, found.zero, found.rank, found.point, self.exact_points))
                self.exact_points = {}
        if self.progress is not None:
            self.progress(
                SearchProgress(
                    self.regions,
                    min(1.0, status.done_share),
                    0,
                    time.perf_counter() - self.started,
                )
            )


def _decision(top: TopCell) -> NDArray[np.int8]:
    """Decisions on the path: 0, 1, or 2 where a unit is identically zero."""
    return np.where(top.zero == 1, np.int8(2), top.bit)
