"""Makes a block of a region graph: the core's walk, and rationals for what it leaves open."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.interrupt import Slices
from polyrank.errors import UncertifiedError
from polyrank.graph.arrays import CANDIDATE, PENDING, UNLINKED
from polyrank.graph.blocks import Block
from polyrank.graph.listed import ListedRegions
from polyrank.graph.listing import find_row
from polyrank.graph.region_graph import MISSING, Gap
from polyrank.graph.walk import Found, Walk
from polyrank.lp.farkas import values_at
from polyrank.network.rational import fmpq_from_float, nearest_float

__all__ = ["BlockMaker", "Links"]

#: Edges: source, target, row.
Links: TypeAlias = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]


class BlockMaker:
    """Makes one block.

    Parameters
    ----------
    listed : ListedRegions
    most_gaps : int
        Facets that lead to no listed region are counted; so many are described, in rationals.
    """

    def __init__(self, listed: ListedRegions, most_gaps: int) -> None:
        self._listed = listed
        self._most_gaps = most_gaps
        self._gaps: list[Gap] = []
        self._back: list[tuple[int, int, int]] = []  # (region, earlier region, row)
        self._nowhere: list[tuple[int, int]] = []  # (region, row)
        self._candidates: dict[int, set[int]] = {}  # rows of open regions
        self._late: list[tuple[int, int, int]] = []  # edges found in rationals
        self._late_walls: list[tuple[int, int]] = []
        self._late_points: list[tuple[fmpq, ...]] = []
        self._owners: list[NDArray[np.int64]] = []
        self._points: list[NDArray[np.float64]] = []

    def make(
        self, begin: int, end: int, links: Sequence[Links], tell_done: Callable[[int], None]
    ) -> Block:
        """The block of the regions ``begin .. end − 1``.

        Parameters
        ----------
        links : sequence
            Edges from earlier blocks (source, target, row) that these regions need not find again.
        tell_done : callable
            Receives the number of regions that are done.
        """
        listed = self._listed
        walk = Walk(
            listed.net,
            listed.codes,
            listed.cube.dim,
            listed.chart.inequalities.m,
            listed.layers,
        )
        before = 0
        for source, target, row in links:
            walk.link(source, target, row)
            before += len(source)
        if listed.cube.dim:
            self._advance(walk, begin, end, tell_done)
        found = walk.found()
        opened = np.arange(begin, end)
        if listed.cube.dim:
            opened = opened[found.is_open[begin:end]]
        statistics = walk.statistics()
        del walk
        for done, r in enumerate(opened.tolist(), start=end - len(opened) + 1):
            self._settle(r)
            tell_done(done)
        return self._block(begin, end, found, before, opened, statistics)

    def _advance(self, walk: Walk, begin: int, end: int, tell_done: Callable[[int], None]) -> None:
        slices = Slices()
        while begin < end:
            until = min(end, begin + slices.steps)
            called = time.perf_counter()
            walk.advance(begin, until)
            slices.measured(until - begin, time.perf_counter() - called)
            begin = until
            odd = walk.take()
            mine = odd.owner >= 0
            if mine.any():
                self._owners.append(odd.owner[mine])
                self._points.append(odd.point[mine])
            self._take_odd(odd.facet, odd.owner[~mine], odd.point[~mine])
            tell_done(begin)

    def _take_odd(
        self, odd: NDArray[np.int64], owner: NDArray[np.int64], points: NDArray[np.float64]
    ) -> None:
        point_of = dict(zip((-1 - owner).tolist(), points.tolist(), strict=True))
        for i, (r, to, row) in enumerate(odd.tolist()):
            if to >= 0:
                self._back.append((r, to, row))
                continue
            if to == CANDIDATE:
                self._candidates.setdefault(r, set()).add(row)
                continue
            if to == MISSING and len(self._gaps) >= self._most_gaps:  # most of a partial run's
                self._nowhere.append((r, row))
                continue
            q = tuple(fmpq_from_float(v) for v in point_of[i])
            region, inside = self._listed.region(r)
            beyond = fmpq_mat(len(q), 1, list(q))
            facet = region.row(self._listed.row_name(row))
            before, after = values_at([facet], inside)[0], values_at([facet], beyond)[0]
            crossing = inside + (beyond - inside) * (before / (before - after))
            other = region.across(crossing, beyond - inside).astype(np.uint8)
            target = find_row(self._listed.codes, other) if to == PENDING else MISSING
            self._facet(r, target, row, q, other)

    def _facet(
        self, r: int, to: int, row: int, q: tuple[fmpq, ...], other: NDArray[np.uint8]
    ) -> None:
        """Take a facet whose neighbour is known exactly."""
        if to == MISSING:
            self._nowhere.append((r, row))
            if len(self._gaps) < self._most_gaps:
                self._gaps.append(Gap(r, self._listed.bit(row), q, tuple(other.tolist())))
        elif to > r:
            self._late.append((r, to, row))
            self._late_points.append(q)
        else:
            self._back.append((r, to, row))

    def _settle(self, r: int) -> None:
        """Facets of a region in rationals."""
        listed = self._listed
        region, inside = listed.region(r)
        if not region.contains(inside):
            raise UncertifiedError("the witness of a region is not inside it: the run is damaged")
        candidates = self._candidates.get(r)
        among = None
        if candidates is not None:
            among = {listed.row_name(row) for row in candidates}.__contains__
        for facet in region.facets(inside, among):
            row = listed.row_number(facet.names[0])
            if facet.is_wall:
                self._late_walls.append((r, row))
                continue
            other = region.across(facet.point, facet.point - inside).astype(np.uint8)
            q = tuple(region.beyond(facet, inside).entries())
            self._facet(r, find_row(listed.codes, other), row, q, other)

    def _block(
        self,
        begin: int,
        end: int,
        found: Found,
        before: int,
        opened: NDArray[np.int64],
        statistics: dict[str, int],
    ) -> Block:
        """Everything together; the first ``before`` edges that the walk knows are not its own."""
        late, walls = _table(self._late, 3), _table(self._late_walls, 2)
        number = len(found.edge_source) - before
        exact: dict[int, tuple[fmpq, ...]] = {}
        for e, q in enumerate(self._late_points, start=number):
            point = [nearest_float(v) for v in q]
            if all(
                np.isfinite(f) and fmpq_from_float(f) == v for f, v in zip(point, q, strict=True)
            ):
                self._owners.append(np.array([e + before]))
                self._points.append(np.array([point]))
            else:
                exact[e] = q
        k = self._listed.chart.k
        return Block(
            begin,
            end,
            source=_joined(found.edge_source[before:], late[:, 0]),
            target=_joined(found.edge_target[before:], late[:, 1]),
            row=_joined(found.edge_row[before:], late[:, 2]),
            alone=_joined(found.edge_next[before:] == UNLINKED, np.ones(len(late), np.bool_)),
            wall_region=_joined(found.wall_region, walls[:, 0]),
            wall_row=_joined(found.wall_row, walls[:, 1]),
            back=_table(self._back, 3),
            nowhere=_table(self._nowhere, 2),
            opened=opened,
            owner=np.concatenate([np.zeros(0, np.int64), *self._owners]) - before,
            point=np.concatenate([np.zeros((0, k)), *self._points]),
            exact=exact,
            gaps=tuple(self._gaps),
            statistics=statistics,
        )


def _table(rows: Sequence[Sequence[int]], columns: int) -> NDArray[np.int64]:
    return np.array(rows, dtype=np.int64).reshape(-1, columns)


def _joined(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Both arrays in the first one's type; without a copy where the second is empty."""
    return np.concatenate([first, second.astype(first.dtype)]) if len(second) else first
