"""From a run to its region graph: the compiled walk, and rationals for what it leaves open."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from flint import fmpq
from numba.core.event import TimingListener, install_listener
from numpy.typing import NDArray

from polyrank.cells.arrays import cube_map, net_arrays
from polyrank.cells.chart import Chart
from polyrank.cells.chart import chart as chart_of
from polyrank.errors import RunError
from polyrank.graph.exact_facets import ExactFacets
from polyrank.graph.kernel import PENDING, STATISTICS, Codes, fill_table, new_walk, walk
from polyrank.graph.region_graph import MISSING, WALL, Closure, Gap, RegionGraph
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float, nearest_float, to_fmpq
from polyrank.regions.manifest import chart_entry
from polyrank.regions.run import Run
from polyrank.regions.schema import fixed_binary_rows

__all__ = ["chart_of_run", "region_graph"]

_CHUNK = 65_536
_GAPS = 1000


def chart_of_run(run: Run, network: Network) -> Chart:
    """The chart of a run's domain, after checking that the network is the run's.

    Raises
    ------
    RunError
        If the network is another one, or the chart is not that of the manifest.
    """
    if network.sha256 != run.network["hash"]:
        raise RunError(
            f"the network {network.name!r} is not that of the run ({run.network['name']!r}): its "
            f"hash is {network.sha256[:12]}…, expected {str(run.network['hash'])[:12]}…; give the "
            "same file with the same options"
        )
    chart = chart_of(run.domain, network.input_dim)
    if chart_entry(chart) != run.manifest["chart"]:
        raise RunError("the run was made in another chart of its domain; enumerate it again")
    return chart


def region_graph(
    run: Run,
    network: Network,
    *,
    progress: Callable[[int, int], None] | None = None,
    points: bool = True,
) -> RegionGraph:
    """Facets of every region of a run, the edges between them, and the closure check.

    Parameters
    ----------
    run : Run
        Complete or not: what is missing shows as gaps of the closure check.
    network : Network
        The network of the run.
    progress : callable, optional
        Called with (regions done, regions).
    points : bool
        Keep the points that certify the edges.

    Returns
    -------
    RegionGraph

    Raises
    ------
    RunError
        If the network is not the run's or a codeword is listed twice.
    """
    return _Builder(run, network, points).build(progress)


class _Builder:
    """State of one construction."""

    def __init__(self, run: Run, network: Network, points: bool) -> None:
        self.started = time.perf_counter()
        self.chart = chart_of_run(run, network)
        bits = [k for k, count in enumerate(network.bits[: run.layers], start=1) if count]
        self.layers = max(bits, default=1)
        self.cube = cube_map(network, self.chart)
        self.net = net_arrays(network, self.chart, self.cube, self.layers)
        self.bits = run.bits
        self.points = points
        self.codes, self.spelled = self._codes(run)
        self.regions = len(self.codes.code)
        self.exact = ExactFacets(network, self.chart, self.cube, self.net, self.layers)
        self.walls = len(self.net.wall_rows)
        self.edges: list[NDArray[np.int64]] = []
        self.edge_points: list[NDArray[np.float64]] = []
        self.edge_exact: dict[int, tuple[fmpq, ...]] = {}
        self.edge_count = 0
        self.gaps: list[Gap] = []
        self.opened: list[int] = []
        self.late: dict[int, list[tuple[int, int]]] = {}

    def _codes(self, run: Run) -> tuple[Codes, dict[int, tuple[fmpq, ...]]]:
        code, zero, witness = [], [], []
        spelled: dict[int, tuple[fmpq, ...]] = {}
        row = 0
        k = self.chart.k
        for batch in run.batches(["codeword", "zero", "witness", "witness_exact"]):
            code.append(fixed_binary_rows(batch.column("codeword")).copy())
            zero.append(fixed_binary_rows(batch.column("zero")).copy())
            floats = batch.column("witness")
            values = np.full((len(floats), k), np.nan)
            valid = floats.is_valid().to_numpy(zero_copy_only=False)
            flat = floats.drop_null().flatten().to_numpy()
            values[valid] = flat.reshape(int(valid.sum()), k)
            witness.append(values)
            exact = batch.column("witness_exact")
            if exact.null_count < len(exact):
                for i, text in enumerate(exact.to_pylist()):
                    if text is not None:
                        spelled[row + i] = tuple(to_fmpq(v) for v in text)
            row += len(floats)
        width = max(1, (run.bits + 7) // 8)
        empty = np.zeros((0, width), dtype=np.uint8)
        codes = np.ascontiguousarray(np.concatenate([empty, *code]))
        zeros = np.ascontiguousarray(np.concatenate([empty, *zero]))
        size = 1 << max(4, (2 * len(codes)).bit_length())
        bit = np.full(len(self.net.hyperplane), -1, dtype=np.int64)
        bit[self.net.hyperplane] = np.arange(int(self.net.hyperplane.sum()))
        mask = np.zeros((self.layers + 1, width), dtype=np.uint8)
        for layer in range(self.layers + 1):
            below = int(self.net.hyperplane[: self.net.unit_start[layer]].sum())
            ones = np.zeros(8 * width, dtype=np.uint8)
            ones[:below] = 1
            mask[layer] = np.packbits(ones, bitorder="little")
        out = Codes(
            code=codes,
            zero=zeros if zeros.any() else empty,
            witness=np.concatenate([np.zeros((0, k)), *witness]),
            hash=np.zeros(len(codes), dtype=np.uint64),
            key=np.random.default_rng(20).integers(
                0, 2**64, size=max(1, run.bits), dtype=np.uint64
            ),
            table=np.full(size, -1, dtype=np.int32),
            bit=bit,
            mask=mask,
        )
        twice = int(fill_table(out, run.bits))
        if twice >= 0:
            raise RunError(f"the run is damaged: the codeword of region {twice} is listed twice")
        return out, spelled

    def build(self, progress: Callable[[int, int], None] | None) -> RegionGraph:
        compiling = TimingListener()
        with install_listener("numba:compile", compiling):
            w = new_walk(self.net, self.cube.dim, self.chart.A.nrows(), self.regions)
            row = np.zeros(1024, dtype=np.int32)
            to = np.zeros(1024, dtype=np.int32)
            if self.cube.dim == 0:
                self.opened = list(range(self.regions))
            else:
                row, to = self._walk(w, row, to, progress)
        compiled = compiling.duration if compiling.done else 0.0
        for r in self.opened:
            self._settle(r)
        return self._finish(w, row, to, compiled)

    def _walk(
        self,
        w: Any,
        row: NDArray[np.int32],
        to: NDArray[np.int32],
        progress: Callable[[int, int], None] | None,
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        capacity = self.walls + int(self.net.unit_start[-1])
        room = max(1 << 14, 4 * capacity)
        edge = np.zeros((room, 4), dtype=np.int64)
        edge_y = np.zeros((room, self.chart.k))
        opened = np.zeros(4096, dtype=np.int64)
        flips = np.zeros(capacity + 1, dtype=np.int64)
        begin = 0
        while begin < self.regions:
            if int(w.state[0]) + 8 * capacity > len(row):
                grown = max(2 * len(row), int(w.state[0]) + 64 * capacity)
                grown = min(grown, len(row) + (1 << 24) + 64 * capacity)
                row, to = _grown(row, grown), _grown(to, grown)
            end = min(self.regions, begin + _CHUNK)
            begin = int(
                walk(
                    self.net, w, self.codes, self.layers, begin, end, row, to, edge, edge_y,
                    opened, flips,
                )
            )  # fmt: skip
            count = int(w.state[1])
            w.state[1] = 0
            self._take_edges(edge[:count], edge_y[:count], to)
            self.opened.extend(opened[: int(w.state[2])].tolist())
            w.state[2] = 0
            if progress is not None:
                progress(begin, self.regions)
        return row, to

    def _take_edges(
        self, edge: NDArray[np.int64], points: NDArray[np.float64], to: NDArray[np.int32]
    ) -> None:
        for e in np.flatnonzero(edge[:, 1] == PENDING).tolist():
            r, row = int(edge[e, 0]), int(edge[e, 2])
            bits, zero = self._bits(r)
            decision = self.exact.decision(bits, zero)
            q = tuple(fmpq_from_float(v) for v in points[e].tolist())
            equation = self.exact.equation(decision, row)
            other = self.exact.across(decision, equation, self.exact.column(q))
            found = self._find(other)
            edge[e, 1] = found
            to[edge[e, 3]] = found
            if found == MISSING:
                self._gap(r, row, q, other)
        for e in np.flatnonzero(edge[:, 1] == MISSING).tolist():
            r, row = int(edge[e, 0]), int(edge[e, 2])
            if any(g.region == r and g.unit == self._name(row) for g in self.gaps[-64:]):
                continue
            q = tuple(fmpq_from_float(v) for v in points[e].tolist())
            bits, zero = self._bits(r)
            decision = self.exact.decision(bits, zero)
            equation = self.exact.equation(decision, row)
            other = self.exact.across(decision, equation, self.exact.column(q))
            self._gap(r, row, q, other)
        keep = edge[:, 1] > edge[:, 0]
        self._add(edge[keep][:, :3], points[keep])

    def _add(self, edge: NDArray[np.int64], points: NDArray[np.float64]) -> None:
        named = edge.copy()
        named[:, 2] = np.where(
            edge[:, 2] < self.walls,
            -1 - edge[:, 2],
            self.codes.bit[np.maximum(edge[:, 2] - self.walls, 0)],
        )
        self.edges.append(named.astype(np.int32))
        self.edge_count += len(named)
        if self.points:
            self.edge_points.append(points.copy())

    def _name(self, row: int) -> int:
        return -1 - row if row < self.walls else int(self.codes.bit[row - self.walls])

    def _gap(self, r: int, row: int, q: tuple[fmpq, ...], other: NDArray[np.uint8]) -> None:
        if len(self.gaps) < _GAPS:
            self.gaps.append(Gap(r, self._name(row), q, tuple(other.tolist())))

    def _bits(self, r: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        bits = np.unpackbits(self.codes.code[r], bitorder="little")
        if not len(self.codes.zero):
            return bits, np.zeros_like(bits)
        return bits, np.unpackbits(self.codes.zero[r], bitorder="little")

    def _find(self, bits: NDArray[np.uint8]) -> int:
        packed = np.zeros(self.codes.code.shape[1], dtype=np.uint8)
        short = np.packbits(bits, bitorder="little")
        packed[: len(short)] = short
        value = 0
        for b in np.flatnonzero(bits).tolist():
            value ^= int(self.codes.key[b])
        size = len(self.codes.table)
        slot = value & (size - 1)
        while self.codes.table[slot] >= 0:
            s = int(self.codes.table[slot])
            if (self.codes.code[s] == packed).all():
                return s
            slot = (slot + 1) & (size - 1)
        return MISSING

    def _settle(self, r: int) -> None:
        """Facets of a region in rationals."""
        bits, zero = self._bits(r)
        witness = self.spelled.get(r)
        if witness is None:
            witness = tuple(fmpq_from_float(v) for v in self.codes.witness[r].tolist())
        mine: list[tuple[int, int]] = []
        for facet in self.exact.facets(bits, zero, witness):
            if facet.codeword is None:
                mine.append((self._name(facet.row), WALL))
                continue
            to = self._find(facet.codeword)
            mine.append((self._name(facet.row), to))
            if to == MISSING:
                self._gap(r, facet.row, facet.beyond, facet.codeword)
            if to > r:
                point = [nearest_float(v) for v in facet.beyond]
                if any(
                    not np.isfinite(f) or fmpq_from_float(f) != v
                    for f, v in zip(point, facet.beyond, strict=True)
                ):
                    self.edge_exact[self.edge_count] = facet.beyond
                    point = [np.nan] * len(point)
                self._add(np.array([[r, to, facet.row]]), np.array([point]))
        self.late[r] = mine

    def _finish(
        self, w: Any, row: NDArray[np.int32], to: NDArray[np.int32], compiled: float
    ) -> RegionGraph:
        used = int(w.state[0])
        names = np.concatenate([-1 - np.arange(self.walls), self.codes.bit], dtype=np.int64).astype(
            np.int32
        )
        unit, to = names[row[:used]], to[:used]
        count = np.maximum(w.facet_count, 0).astype(np.int64)
        if self.late:
            unit, to, count = self._merged(w.facet_start, count, unit, to)
        start = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        table = np.concatenate([np.zeros((0, 3), dtype=np.int32), *self.edges])
        points = np.zeros((0, self.chart.k))
        if self.points:
            points = np.concatenate([points, *self.edge_points])
        stat = dict(zip(STATISTICS, w.stat.tolist(), strict=True))
        stat["open"] = len(self.opened)
        graph = RegionGraph(
            self.chart.k, start, unit, to,
            np.ascontiguousarray(table[:, 0]),
            np.ascontiguousarray(table[:, 1]),
            np.ascontiguousarray(table[:, 2]),
            points, self.edge_exact,
            Closure(0, 0, (), True, 0), stat,
        )  # fmt: skip
        components = 0
        if self.regions:
            components, _ = graph.components(np.ones(self.regions, dtype=bool))
        closure = Closure(
            facets=len(to),
            wall_facets=int((to == WALL).sum()),
            gaps=tuple(self.gaps),
            symmetric=_symmetric(graph),
            components=components,
        )
        stat["compile"] = compiled
        stat["seconds"] = time.perf_counter() - self.started - compiled
        return RegionGraph(
            graph.dimension, start, unit, to, graph.source, graph.target, graph.unit, points,
            self.edge_exact, closure, stat,
        )  # fmt: skip

    def _merged(
        self,
        begin: NDArray[np.int64],
        count: NDArray[np.int64],
        unit: NDArray[np.int32],
        to: NDArray[np.int32],
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
        """Put the facets of the regions settled late where they belong."""
        units, tos = [], []
        last = 0
        for r in sorted(self.late):
            done = int((begin[last:r] + count[last:r]).max(initial=0))
            first = int(begin[last:r][count[last:r] > 0].min(initial=done))
            units.append(unit[first:done])
            tos.append(to[first:done])
            units.append(np.array([u for u, _ in self.late[r]], dtype=np.int32))
            tos.append(np.array([t for _, t in self.late[r]], dtype=np.int32))
            count[r] = len(self.late[r])
            last = r + 1
        tail = begin[last:][count[last:] > 0]
        if tail.size:
            units.append(unit[int(tail.min()) :])
            tos.append(to[int(tail.min()) :])
        return np.concatenate(units), np.concatenate(tos), count


def _grown(array: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    out = np.zeros(size, dtype=np.int32)
    out[: len(array)] = array
    return out


def _symmetric(graph: RegionGraph) -> bool:
    """Whether every facet between two regions was found from both sides, once."""
    counts = np.diff(graph.facet_start)
    owner = np.repeat(np.arange(graph.regions, dtype=np.int64), counts)
    inner = graph.facet_to >= 0
    a, b = owner[inner], graph.facet_to[inner].astype(np.int64)
    ahead, back = a < b, a > b
    n = max(1, graph.regions)
    forth = np.sort(a[ahead] * n + b[ahead])
    return bool(
        np.array_equal(forth, np.sort(b[back] * n + a[back]))
        and np.array_equal(
            forth, np.sort(graph.source.astype(np.int64) * n + graph.target.astype(np.int64))
        )
    )
