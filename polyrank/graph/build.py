"""From a run to its region graph: the core's walk, and rationals for what it leaves open."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.interrupt import Slices
from polyrank.errors import UncertifiedError
from polyrank.graph.arrays import CANDIDATE, PENDING, UNLINKED
from polyrank.graph.assemble import Edges, Facets, assemble
from polyrank.graph.listing import chart_of_run, codes_of_run, find_row
from polyrank.graph.region_graph import MISSING, Gap, RegionGraph
from polyrank.graph.walk import Found, Walk
from polyrank.lp.farkas import values_at
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float, nearest_float
from polyrank.posed.branch import WALL, RowName
from polyrank.posed.problem import Problem
from polyrank.posed.region import Region
from polyrank.regions.run import Run
from polyrank.stages import tell

__all__ = ["region_graph"]

#: Facets that lead to no listed region are counted; so many are described, in rationals.
_GAPS = 100


def region_graph(
    run: Run,
    network: Network,
    *,
    progress: Callable[[int, int], None] | None = None,
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

    Returns
    -------
    RegionGraph

    Raises
    ------
    RunError
        If the network is not the run's or a codeword is listed twice.
    """
    return _Builder(run, network).build(progress)


class _Builder:
    """State of one construction."""

    def __init__(self, run: Run, network: Network) -> None:
        self.started = time.perf_counter()
        self.chart = chart_of_run(run, network)
        bits = [k for k, count in enumerate(network.bits[: run.layers], start=1) if count]
        self.layers = max(bits, default=1)
        self.problem = Problem(network, self.chart, self.layers)
        self.cube, self.net = self.problem.cube, self.problem.arrays
        self.codes, self.spelled = codes_of_run(run, self.net, self.layers)
        self.regions = len(self.codes.code)
        self.walls = len(self.net.wall_rows)
        self.gaps: list[Gap] = []
        self.back: list[tuple[int, int, int]] = []  # (region, earlier region, row)
        self.nowhere: list[tuple[int, int]] = []  # (region, row)
        self.candidates: dict[int, set[int]] = {}  # rows of open regions
        self.late: list[tuple[int, int, int]] = []  # edges found in rationals
        self.late_points: dict[int, tuple[fmpq, ...]] = {}
        self.points: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []

    def build(self, progress: Callable[[int, int], None] | None) -> RegionGraph:
        walk = Walk(self.net, self.codes, self.cube.dim, self.chart.A.nrows(), self.layers)
        if self.cube.dim:
            self._advance(walk, progress)
        found = walk.found()
        if not self.cube.dim:
            found.is_open[:] = True
        opened = np.flatnonzero(found.is_open)
        for done, r in enumerate(opened.tolist(), start=self.regions - len(opened) + 1):
            self._settle(r)
            tell("regions, in rational arithmetic", done, self.regions)
            if progress is not None:
                progress(done, self.regions)
        stat: dict[str, int | float] = {**walk.statistics(), "open": len(opened)}
        del walk
        graph = self._assembled(found, stat)
        stat["seconds"] = time.perf_counter() - self.started
        return graph

    def _advance(self, walk: Walk, progress: Callable[[int, int], None] | None) -> None:
        begin = 0
        slices = Slices()
        while begin < self.regions:
            end = min(self.regions, begin + slices.steps)
            called = time.perf_counter()
            walk.advance(begin, end)
            slices.measured(end - begin, time.perf_counter() - called)
            begin = end
            odd = walk.take()
            mine = odd.owner >= 0
            if mine.any():
                self.points.append((odd.owner[mine], odd.point[mine]))
            self._take_odd(odd.facet, odd.owner[~mine], odd.point[~mine])
            tell("regions and their facets", begin, self.regions)
            if progress is not None:
                progress(begin, self.regions)

    def _take_odd(
        self, odd: NDArray[np.int64], owner: NDArray[np.int64], points: NDArray[np.float64]
    ) -> None:
        point_of = dict(zip((-1 - owner).tolist(), points.tolist(), strict=True))
        for i, (r, to, row) in enumerate(odd.tolist()):
            if to >= 0:
                self.back.append((r, to, row))
                continue
            if to == CANDIDATE:
                self.candidates.setdefault(r, set()).add(row)
                continue
            if to == MISSING and len(self.gaps) >= _GAPS:  # as most facets of a partial run
                self.nowhere.append((r, row))
                continue
            q = tuple(fmpq_from_float(v) for v in point_of[i])
            region, inside = self._region(r)
            beyond = fmpq_mat(len(q), 1, list(q))
            facet = region.row(self._row_name(row))
            before, after = values_at([facet], inside)[0], values_at([facet], beyond)[0]
            crossing = inside + (beyond - inside) * (before / (before - after))
            other = region.across(crossing, beyond - inside).astype(np.uint8)
            target = find_row(self.codes, other) if to == PENDING else MISSING
            self._facet(r, target, row, q, other)

    def _facet(
        self, r: int, to: int, row: int, q: tuple[fmpq, ...], other: NDArray[np.uint8]
    ) -> None:
        """Take a facet whose neighbour is known exactly."""
        if to == MISSING:
            self.nowhere.append((r, row))
            if len(self.gaps) < _GAPS:
                self.gaps.append(Gap(r, self._name(row), q, tuple(other.tolist())))
        elif to > r:
            self.late_points[len(self.late)] = q
            self.late.append((r, to, row))
        else:
            self.back.append((r, to, row))

    def _name(self, row: int) -> int:
        return -1 - row if row < self.walls else int(self.codes.bit[row - self.walls])

    def _row_name(self, row: int) -> RowName:
        """The wall or unit that a row number of the walk stands for."""
        if row < self.walls:
            return RowName(WALL, row)
        layer = int(np.searchsorted(self.net.unit_start, row - self.walls, side="right"))
        return RowName(layer, row - self.walls - int(self.net.unit_start[layer - 1]))

    def _row_number(self, name: RowName) -> int:
        if name.layer == WALL:
            return name.number
        return self.walls + int(self.net.unit_start[name.layer - 1]) + name.number

    def _region(self, r: int) -> tuple[Region, fmpq_mat]:
        """A region and its witness."""
        bits = np.unpackbits(self.codes.code[r], bitorder="little").astype(bool)
        witness = self.spelled.get(r)
        if witness is None:
            witness = tuple(fmpq_from_float(v) for v in self.codes.witness[r].tolist())
        return Region(self.problem, bits), fmpq_mat(len(witness), 1, list(witness))

    def _settle(self, r: int) -> None:
        """Facets of a region in rationals."""
        region, inside = self._region(r)
        if not region.contains(inside):
            raise UncertifiedError("the witness of a region is not inside it: the run is damaged")
        candidates = self.candidates.get(r)
        among = None
        if candidates is not None:
            among = {self._row_name(row) for row in candidates}.__contains__
        for facet in region.facets(inside, among):
            row = self._row_number(facet.names[0])
            if facet.is_wall:
                self.late.append((r, -1, row))
                continue
            other = region.across(facet.point, facet.point - inside).astype(np.uint8)
            q = tuple(region.beyond(facet, inside).entries())
            self._facet(r, find_row(self.codes, other), row, q, other)

    def _assembled(self, found: Found, stat: dict[str, int | float]) -> RegionGraph:
        names = np.concatenate([-1 - np.arange(self.walls), self.codes.bit]).astype(np.int32)
        late = np.array([e for e in self.late if e[1] >= 0], dtype=np.int32).reshape(-1, 3)
        late_walls = np.array([e for e in self.late if e[1] < 0], dtype=np.int32).reshape(-1, 3)
        source = _joined(found.edge_source, late[:, 0])
        target = _joined(found.edge_target, late[:, 1])
        alone = _joined(found.edge_next == UNLINKED, np.ones(len(late), dtype=np.bool_))
        if found.is_open.any():
            alone |= found.is_open[target]
        exact: dict[int, tuple[fmpq, ...]] = {}
        number = len(found.edge_source)
        owners, rounded = [], []
        for i, (_, to, _) in enumerate(self.late):
            if to < 0:
                continue
            q = self.late_points[i]
            point = [nearest_float(v) for v in q]
            if all(
                np.isfinite(f) and fmpq_from_float(f) == v for f, v in zip(point, q, strict=True)
            ):
                owners.append(number)
                rounded.append(point)
            else:
                exact[number] = q
            number += 1
        if owners:
            self.points.append((np.array(owners, dtype=np.int64), np.array(rounded)))
        owner = np.concatenate([np.zeros(0, dtype=np.int64), *(o for o, _ in self.points)])
        points = np.concatenate([np.zeros((0, self.chart.k)), *(p for _, p in self.points)])
        return assemble(
            dimension=self.chart.k,
            regions=self.regions,
            edges=Edges(
                source,
                target,
                names[_joined(found.edge_row, late[:, 2])],
                alone,
                owner,
                points,
                exact,
            ),
            facets=Facets(
                back=_named(self.back, names, 2),
                walls=np.column_stack(
                    [
                        _joined(found.wall_region, late_walls[:, 0]),
                        names[_joined(found.wall_row, late_walls[:, 2])],
                    ]
                ).astype(np.int32),
                nowhere=_named(self.nowhere, names, 1),
            ),
            gaps=tuple(self.gaps),
            statistics=stat,
        )


def _named(
    rows: list[tuple[int, int, int]] | list[tuple[int, int]], names: NDArray[np.int32], column: int
) -> NDArray[np.int32]:
    """Rows as an array, with the last column named after bits and walls."""
    out = np.array(rows, dtype=np.int64).reshape(-1, column + 1)
    out[:, column] = names[out[:, column]]
    return out.astype(np.int32)


def _joined(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Both arrays, one after the other, without a copy where the second is empty."""
    return np.concatenate([first, second]) if len(second) else first
