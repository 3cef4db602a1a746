"""The region of one point, exactly: codeword, ranks, map, facets, and the way to lower rank.

The search for lower rank takes the regions in the order of their distance to the point. The
regions that a ball around the point meets are connected through facets inside the ball (a generic
segment from the point to a region crosses facets only, and stays in the ball), so that the first
region of lower rank to be taken is a nearest one.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.brief import brief
from polyrank.errors import DomainError
from polyrank.lp.deadline import OutOfTimeError, look, time_limit
from polyrank.lp.farkas import integer_row, value_at, values_at
from polyrank.network.forward import affine_map, codeword_exact, pack_bits
from polyrank.network.normal_form import Network, unit_name
from polyrank.polyhedra.domain import Domain
from polyrank.polyhedra.inputs import on_inputs
from polyrank.posed.branch import unit_row
from polyrank.posed.chart import Chart
from polyrank.posed.chart import chart as chart_of
from polyrank.posed.facets import Crossing, facets_of, step_across
from polyrank.posed.nearest import nearest_point
from polyrank.posed.problem import Problem
from polyrank.posed.redundancy import redundancy
from polyrank.posed.region import IntRow, Region
from polyrank.posed.section import Quotient, quotient
from polyrank.sampling.ranks import CodewordRanks
from polyrank.stages import tell

__all__ = ["FacetAt", "LowerRank", "RegionAt", "region_at"]

_ROW_WORK = 10**8
_SEARCH_WORK = 10**6  # beyond, no regions of lower rank are looked for
_FACET_WORK = 10**5  # beyond, floats propose which rows carry facets
_SECONDS = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class FacetAt:
    """One facet of the point's region.

    Attributes
    ----------
    names : tuple of str
        ``"layer K unit i"`` (1-based) or the name of a wall of the domain.
    wall : bool
    crossing : tuple of fmpq
        The point of the facet that is nearest to the given point; any, if not ``nearest``.
    distance_squared : fmpq
        Exact squared Euclidean distance from the given point to the crossing.
    nearest : bool
        False where the time ended before the nearest point of the facet was known: the distance of
        the facet is at most the crossing's then.
    """

    names: tuple[str, ...]
    wall: bool
    crossing: tuple[fmpq, ...]
    distance_squared: fmpq
    nearest: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class LowerRank:
    """The nearest region whose rank through a layer is lower than at the point.

    **Proves**, with ``found``, that no point of a region of lower rank is nearer than
    ``distance_squared``, and that ``crossing`` is a point of the closure of one at this distance.
    Without, that there is none nearer than ``distance_squared``; none at all where that is None.

    Attributes
    ----------
    layer, rank_here : int
    found : bool
    rank : int or None
    codeword : ndarray of bool or None
    crossing : tuple of fmpq or None
    distance_squared : fmpq or None
    """

    layer: int
    rank_here: int
    found: bool
    rank: int | None
    codeword: NDArray[np.bool_] | None
    crossing: tuple[fmpq, ...] | None
    distance_squared: fmpq | None


@brief("ranks", facets=lambda found: None if found.facets is None else len(found.facets))
@dataclass(frozen=True, slots=True, eq=False)
class RegionAt:
    """What is known at one point.

    Attributes
    ----------
    point : tuple of fmpq
    bits : ndarray of bool, shape (B,)
        The codeword of the point.
    hyperplanes : tuple of str
        Units that vanish at the point but not around it; then the point lies in no open region,
        and there are neither facets nor distances.
    ranks : tuple of (int, int)
        Proved bounds of the rank through every layer; equal where it is settled.
    J, c : fmpq_mat or None
        The affine map x ↦ J x + c through the last layer on the region; None if too large.
    nearest_row : FacetAt or None
        The facet that is nearest to the point.
    facets : tuple of FacetAt or None
        None if the map is too large, or the point lies in no open region.
    lower : tuple of LowerRank
        Empty in many dimensions: regions of lower rank are not looked for there.
    visited : int
        Regions that the search for lower rank took.
    undecided : int
        Rows of which it is not known whether they carry a facet: the time ended, or the cell is
        too degenerate for floats to propose a proof. Every row that carries none of ``facets`` and
        is not among them is proved redundant.
    """

    point: tuple[fmpq, ...]
    bits: NDArray[np.bool_]
    hyperplanes: tuple[str, ...]
    ranks: tuple[tuple[int, int], ...]
    J: fmpq_mat | None
    c: fmpq_mat | None
    nearest_row: FacetAt | None
    facets: tuple[FacetAt, ...] | None
    lower: tuple[LowerRank, ...]
    visited: int
    undecided: int = 0


def region_at(
    network: Network,
    point: list[fmpq],
    domain: Domain,
    *,
    layers: tuple[int, ...] | None = None,
    budget: int = 200,
    seconds: float = _SECONDS,
) -> RegionAt:
    """The region of a point, exactly, and the nearest regions of lower rank.

    Parameters
    ----------
    network : Network
    point : list of fmpq, length n
    domain : Domain
        Full-dimensional; the point lies strictly inside.
    layers : tuple of int, optional
        Layers (1-based) whose lower ranks are looked for; default: all.
    budget : int
        At most this many regions are taken; 0 looks for none.
    seconds : float
        Bounds the time for facets in many dimensions, their distances, and the search.

    Raises
    ------
    DomainError
        If the domain is flat, or the point is not strictly inside it.
    NetworkError
        If the point does not have n coordinates, or there is no such layer.
    """
    asked = range(1, len(network.layers) + 1) if layers is None else layers
    wanted = tuple(map(network.chosen_layer, asked))
    exact = codeword_exact(network, point)
    chart = _chart_of_inputs(domain, network.input_dim)
    _check_inside(chart, point)
    bits = exact.bits
    crossing = _hyperplanes_through(network, bits, exact.signs)
    table = CodewordRanks(network).table(pack_bits(bits).reshape(1, -1))
    ranks = tuple(zip(table.lower[0].tolist(), table.upper[0].tolist(), strict=True))
    n = network.input_dim
    small = n * sum(layer.units * layer.inputs for layer in network.layers) <= _ROW_WORK
    J, c = affine_map(network, bits) if small else (None, None)
    blank = RegionAt(tuple(point), bits, crossing, ranks, J, c, None, None, (), 0)
    if crossing or not small:
        return blank
    x = fmpq_mat(n, 1, point)
    problem = Problem.of(network, chart)
    cell = Region(problem, bits)
    nearest = _nearest_row(cell, x)
    work = n * n * len(cell.rows)
    with time_limit(seconds):
        if work <= _FACET_WORK:
            found, undecided = _exact_facets(cell, x)
        else:
            found, undecided = _facets_in_time(cell, x, seconds)
        facets = tuple(sorted(found, key=lambda f: f.distance_squared))
        search = _Search(problem, x, budget)
        lower = search.run(bits, wanted) if budget and work <= _SEARCH_WORK else ()
    return RegionAt(
        tuple(point), bits, (), ranks, J, c, nearest, facets, lower, search.visited, undecided
    )


def _chart_of_inputs(domain: Domain, n: int) -> Chart:
    """The chart of a full-dimensional domain whose coordinates are the inputs."""
    chart = chart_of(domain, n)
    if chart.k != n:
        raise DomainError(
            f"the domain is flat (dimension {chart.k} of {n}); polyrank slice enumerates it"
        )
    # else a slice or a simplex, in coordinates of its own
    return chart if chart.is_plain else chart_of(on_inputs(domain, n), n)


def _check_inside(chart: Chart, point: list[fmpq]) -> None:
    x = fmpq_mat(chart.n, 1, point)
    for i, (value, bound) in enumerate(
        zip(chart.inequalities.values(x), chart.inequalities.bounds, strict=True)
    ):
        if value >= bound:
            where = "on the wall" if value == bound else "outside"
            raise DomainError(
                f"the point is not strictly inside the domain: {where} of {chart.names[i]}"
            )


def _hyperplanes_through(
    network: Network, bits: NDArray[np.bool_], signs: tuple[NDArray[np.int8], ...]
) -> tuple[str, ...]:
    """Units of the first layer that has any which vanish at the point but not around it."""
    for k, (layer, sign) in enumerate(zip(network.layers, signs, strict=True)):
        found = [
            unit_name(k + 1, u)
            for u in np.flatnonzero((sign == 0) & layer.has_hyperplane).tolist()
            if any(v != 0 for v in unit_row(network, bits, k, u))
        ]
        if found:
            return tuple(found)
    return ()


def _nearest_row(cell: Region, x: fmpq_mat) -> FacetAt | None:
    """The facet nearest to a point inside: that of the nearest hyperplane.

    The projection onto the nearest hyperplane passes none of the others on its way.
    """
    k = x.nrows()
    best: tuple[fmpq, tuple[int, ...]] | None = None
    for row, value in zip(cell.rows, values_at(list(cell.rows), x), strict=True):
        distance = value * value / fmpq(sum(row[j] * row[j] for j in compress(range(k), row)))
        if best is None or distance < best[0]:
            best = distance, row
    if best is None:
        return None
    distance, row = best
    a = fmpq_mat(k, 1, list(row[:k]))
    foot = x - a * (value_at(row, x) / (a.transpose() * a)[0, 0])
    return FacetAt(cell.text(row), cell.is_wall(row), tuple(foot.entries()), distance)


def _exact_facets(cell: Region, x: fmpq_mat) -> tuple[list[FacetAt], int]:
    """All facets, by exact programs; where the time ends before, none, and no row is decided."""
    rows = list(cell.rows)
    try:
        crossings = facets_of(rows, x)
    except OutOfTimeError:
        return [], len(rows)
    nearest = _Nearest(rows, x, None)
    return [_facet_in_time(cell, one, nearest) for one in crossings], 0


def _facets_in_time(cell: Region, x: fmpq_mat, seconds: float) -> tuple[list[FacetAt], int]:
    """The facets that are proved in half of the time, and how many rows are not decided.

    Nearest points take another quarter. On all of R^n the rows are seen in as many coordinates as
    they have independent ones: the nearest points differ from x by combinations of those.
    """
    rows = list(cell.rows)
    seen = quotient(cell.problem.network, cell.problem.chart)
    with time_limit(seconds / 2):
        crossings, undecided = _proved_facets(rows, seen, x)
    basis = None if seen is None else seen.forms
    nearest = _Nearest(rows, x, basis)
    with time_limit(seconds / 4):
        return [_facet_in_time(cell, one, nearest) for one in crossings], undecided


def _proved_facets(
    rows: list[IntRow], seen: Quotient | None, x: fmpq_mat
) -> tuple[list[Crossing], int]:
    axes = range(x.nrows()) if seen is None else seen.axes
    inside = x if seen is None else seen.coordinates(x)
    whole = {(*(row[l] for l in axes), row[-1]): row for row in rows}
    proved = redundancy(list(whole), inside)
    lifted = []
    for one in proved.facets:
        point = x.entries()
        for l, before, after in zip(axes, inside.entries(), one.point.entries(), strict=True):
            point[l] += after - before
        lifted.append(Crossing(whole[one.row], fmpq_mat(len(point), 1, point)))
    return lifted, len(proved.undecided)


class _Nearest:
    """Nearest points of facets, in the coordinates of a basis of the rows where there is one."""

    def __init__(self, rows: list[IntRow], x: fmpq_mat, basis: fmpq_mat | None) -> None:
        self.x = x
        self.turned = None if basis is None else basis.transpose()
        self.metric = None if basis is None else basis * basis.transpose()
        self.rows = {row: row for row in rows}
        if self.turned is not None:
            k = x.nrows()
            forms = fmpq_mat(len(rows), k, [v for row in rows for v in row[:k]]) * self.turned
            self.rows = {
                row: integer_row([*form, value])
                for row, form, value in zip(rows, forms.tolist(), values_at(rows, x), strict=True)
            }

    def point(self, row: IntRow) -> tuple[fmpq_mat, fmpq]:
        """The point of a facet, by its row, that is nearest to x, and the squared distance."""
        turned = self.turned
        start = self.x if turned is None else fmpq_mat(turned.ncols(), 1)
        found = nearest_point(list(self.rows.values()), start, self.rows[row], self.metric)
        if found is None:  # a facet is not empty
            raise DomainError("a facet has no point: an exact certificate failed its own check")
        y, distance = found
        return (y if turned is None else self.x + turned * y), distance


def _facet_in_time(cell: Region, one: Crossing, nearest: _Nearest) -> FacetAt:
    x, row = nearest.x, one.row
    value = value_at(row, x)
    least = value * value / sum(int(a) ** 2 for a in row[:-1])
    step = one.point - x
    point, distance = one.point, (step.transpose() * step)[0, 0]
    known = distance == least
    if not known:
        try:
            look()
            point, distance = nearest.point(row)
            known = True
        except OutOfTimeError:
            pass
    return FacetAt(cell.text(row), cell.is_wall(row), tuple(point.entries()), distance, known)


class _Search:
    """Regions in the order of their distance to a point."""

    def __init__(self, problem: Problem, x: fmpq_mat, budget: int) -> None:
        self.problem, self.x, self.budget = problem, x, budget
        self.ranks = CodewordRanks(problem.network)
        self.visited = 0

    def _ranks(self, word: NDArray[np.bool_]) -> list[int]:
        """Exact ranks; what the cheap bounds leave open goes through elimination."""
        table = self.ranks.table(pack_bits(word).reshape(1, -1))
        out: list[int] = table.lower[0].tolist()
        for k in np.flatnonzero(table.lower[0] != table.upper[0]).tolist():
            out[k] = self.problem.ranks.ranks(word, np.zeros_like(word))[k]
        return out

    def run(self, bits: NDArray[np.bool_], wanted: tuple[int, ...]) -> tuple[LowerRank, ...]:
        """The nearest region of lower rank for each wanted layer."""
        here = self._ranks(bits)
        open_layers = {k for k in wanted if here[k - 1] > 0}
        found: dict[int, LowerRank] = {}
        start = pack_bits(bits).tobytes()
        seen = {start}
        number = 0
        heap: list[tuple[fmpq, int, Any]] = [(fmpq(0), 0, (bits, self.x, self.x))]
        bound: fmpq | None = None
        while heap and open_layers and self.visited < self.budget:
            distance, _, (word, inside, foot) = heapq.heappop(heap)
            self.visited += 1
            tell("regions, the nearest first", self.visited, self.budget)
            ranks = self._ranks(word)
            for k in sorted(open_layers):
                if ranks[k - 1] < here[k - 1]:
                    open_layers.discard(k)
                    crossing = tuple(foot.entries())
                    found[k] = LowerRank(
                        k, here[k - 1], True, ranks[k - 1], word, crossing, distance
                    )
            if not open_layers:
                break
            try:
                for neighbour, point, direction in self._across(word, inside):
                    key = pack_bits(neighbour).tobytes()
                    if key in seen:
                        continue
                    seen.add(key)
                    rows = list(Region(self.problem, neighbour).rows)
                    near = nearest_point(rows, self.x)
                    if near is None:
                        raise DomainError("a neighbour has no point: the search contradicts itself")
                    number += 1
                    within = step_across(rows, point, direction)
                    heapq.heappush(heap, (near[1], number, (neighbour, within, near[0])))
            except OutOfTimeError:
                bound = distance  # its neighbours are no nearer than it is
                break
        # regions that were not taken are no nearer than the first one that waits
        if bound is None and heap:
            bound = heap[0][0]
        for k in wanted:
            if k not in found:
                limit = bound if here[k - 1] else None
                found[k] = LowerRank(k, here[k - 1], False, None, None, None, limit)
        return tuple(found[k] for k in wanted)

    def _across(
        self, word: NDArray[np.bool_], inside: fmpq_mat
    ) -> list[tuple[NDArray[np.bool_], fmpq_mat, fmpq_mat]]:
        cell = Region(self.problem, word)
        out = []
        for facet in cell.facets(inside):
            if not facet.is_wall:
                direction = facet.point - inside
                out.append((cell.across(facet.point, direction), facet.point, direction))
        return out
