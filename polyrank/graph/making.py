"""Makes a block of a region graph: the core's walk, and rationals for what it leaves open."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.interrupt import Slices
from polyrank.errors import UncertifiedError
from polyrank.graph.arrays import CANDIDATE, PENDING
from polyrank.graph.blocks import Block
from polyrank.graph.listed import ListedRegions
from polyrank.graph.listing import find_row
from polyrank.graph.region_graph import MISSING, Gap
from polyrank.graph.walk import Found, Walk
from polyrank.lp.farkas import values_at
from polyrank.network.rational import fmpq_from_float, nearest_float

__all__ = ["BlockMaker"]


class BlockMaker:
    """Makes one block: :meth:`walk`, in any thread, then :meth:`settled`.

    Parameters
    ----------
    listed : ListedRegions
    begin, end : int
        The regions ``begin .. end − 1``.
    """

    def __init__(self, listed: ListedRegions, begin: int, end: int) -> None:
        self._listed = listed
        self._begin, self._end = begin, end
        self._walk = Walk(
            listed.net,
            listed.codes,
            listed.cube.dim,
            listed.chart.inequalities.m,
            listed.layers,
            begin,
            end,
        )
        self._most_gaps = 0
        self._gaps: list[Gap] = []
        self._back: list[NDArray[np.int64]] = []  # (region, earlier region, row)
        self._nowhere: list[NDArray[np.int64]] = []  # (region, row)
        self._candidates: dict[int, set[int]] = {}  # rows of open regions
        self._late: list[tuple[int, int, int]] = []  # edges found in rationals
        self._late_walls: list[tuple[int, int]] = []
        self._late_points: list[tuple[fmpq, ...]] = []
        self._owners: list[NDArray[np.int64]] = []
        self._points: list[NDArray[np.float64]] = []

    def walk(self, tell_done: Callable[[int], None], stopped: Callable[[], bool]) -> bool:
        """Find the facets that need no rationals.

        Parameters
        ----------
        tell_done : callable
            Receives how many more regions are done.
        stopped : callable
            Says whether the work is to end.

        Returns
        -------
        bool
            False if it was stopped.
        """
        if not self._listed.cube.dim:
            return True
        slices = Slices()
        begin = self._begin
        while begin < self._end:
            if stopped():
                return False
            until = min(self._end, begin + slices.steps)
            called = time.perf_counter()
            opened = self._walk.advance(begin, until)
            slices.measured(until - begin, time.perf_counter() - called)
            tell_done(until - begin - opened)
            begin = until
        return True

    def settled(self, most_gaps: int, tell_done: Callable[[int], None]) -> Block:
        """Settle the rest in rationals.

        Parameters
        ----------
        most_gaps : int
            Facets that lead to no listed region are counted; so many are described.
        tell_done : callable
            Receives how many more regions are done.
        """
        self._most_gaps = most_gaps
        found = self._walk.found()
        opened = np.arange(self._begin, self._end)
        if self._listed.cube.dim:
            mine = found.owner >= 0
            self._owners.append(found.owner[mine])
            self._points.append(found.point[mine])
            self._take_odd(found.facet, found.owner[~mine], found.point[~mine])
            opened = opened[found.is_open]
        statistics = self._walk.statistics()
        del self._walk
        for r in opened.tolist():
            self._settle(r)
            tell_done(1)
        return self._block(found, opened, statistics)

    def _take_odd(
        self, odd: NDArray[np.int64], owner: NDArray[np.int64], points: NDArray[np.float64]
    ) -> None:
        to = odd[:, 1]
        self._back.append(odd[to >= 0])
        for r, _, row in odd[to == CANDIDATE].tolist():
            self._candidates.setdefault(r, set()).add(row)
        missing = np.flatnonzero(to == MISSING)  # most facets of a partial run
        few = missing[: self._most_gaps].tolist()
        self._nowhere.append(odd[missing[len(few) :]][:, [0, 2]])
        point_of = dict(zip((-1 - owner).tolist(), points.tolist(), strict=True))
        for i in sorted([*few, *np.flatnonzero(to == PENDING).tolist()]):
            r, known, row = odd[i].tolist()
            q = tuple(fmpq_from_float(v) for v in point_of[i])
            region, inside = self._listed.region(r)
            beyond = fmpq_mat(len(q), 1, list(q))
            facet = region.row(self._listed.row_name(row))
            before, after = values_at([facet], inside)[0], values_at([facet], beyond)[0]
            crossing = inside + (beyond - inside) * (before / (before - after))
            other = region.across(crossing, beyond - inside).astype(np.uint8)
            target = find_row(self._listed.codes, other) if known == PENDING else MISSING
            self._facet(r, target, row, q, other)

    def _facet(
        self, r: int, to: int, row: int, q: tuple[fmpq, ...], other: NDArray[np.uint8]
    ) -> None:
        """Take a facet whose neighbour is known exactly."""
        if to == MISSING:
            self._nowhere.append(np.array([[r, row]]))
            if len(self._gaps) < self._most_gaps:
                self._gaps.append(Gap(r, self._listed.bit(row), q, tuple(other.tolist())))
        elif to > r:
            self._late.append((r, to, row))
            self._late_points.append(q)
        else:
            self._back.append(np.array([[r, to, row]]))

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

    def _block(self, found: Found, opened: NDArray[np.int64], statistics: dict[str, int]) -> Block:
        late, walls = _table(self._late, 3), _table(self._late_walls, 2)
        number = len(found.edge_source)
        exact: dict[int, tuple[fmpq, ...]] = {}
        for e, q in enumerate(self._late_points, start=number):
            point = [nearest_float(v) for v in q]
            if all(
                np.isfinite(f) and fmpq_from_float(f) == v for f, v in zip(point, q, strict=True)
            ):
                self._owners.append(np.array([e]))
                self._points.append(np.array([point]))
            else:
                exact[e] = q
        k = self._listed.chart.k
        return Block(
            self._begin,
            self._end,
            source=_joined(found.edge_source, late[:, 0]),
            target=_joined(found.edge_target, late[:, 1]),
            row=_joined(found.edge_row, late[:, 2]),
            alone=_joined(found.alone, np.ones(len(late), np.bool_)),
            wall_region=_joined(found.wall_region, walls[:, 0]),
            wall_row=_joined(found.wall_row, walls[:, 1]),
            back=np.concatenate([_table([], 3), *self._back]).astype(np.int32),
            nowhere=np.concatenate([_table([], 2), *self._nowhere]).astype(np.int32),
            opened=opened,
            owner=np.concatenate([np.zeros(0, np.int64), *self._owners]),
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
