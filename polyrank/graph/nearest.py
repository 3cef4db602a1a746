"""The point of the low-rank part that is nearest to an input.

A quadratic program per region is solved in rationals (:mod:`polyrank.posed.nearest`), so that the
distance is exact. Regions are left out by the exact distance of the input to one of their
half-spaces.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat

from polyrank.errors import DomainError, RunError
from polyrank.graph.geometry import Regions
from polyrank.graph.listing import ranks_of_run
from polyrank.lp.farkas import value_at
from polyrank.network.rational import fmpq_from_float, nearest_float
from polyrank.polyhedra.system import identity
from polyrank.posed.chart import chart as chart_of
from polyrank.posed.nearest import nearest_point
from polyrank.posed.region import IntRow
from polyrank.posed.section import quotient

__all__ = ["NearestPoint", "nearest_low_rank"]


@dataclass(frozen=True, slots=True, eq=False)
class NearestPoint:
    """A point of the closed low-rank part, and its distance to an input.

    Attributes
    ----------
    region : int
        Low-rank region whose closure holds the point.
    rank : int
        Its rank.
    y, x : tuple of fmpq
        The point in chart and in input coordinates. Where the chart leaves out directions
        (:mod:`polyrank.posed.section`), x is the nearest of the points that y stands for.
    distance_squared : fmpq
        Exact squared Euclidean distance to the input.
    proved : bool
        No other point of the low-rank part is nearer. Never of a run that is not certified, where
        a region that is not listed may be.
    programs : int
        Number of quadratic programs; the other regions were left out by a bound.

    Notes
    -----
    **Proves**: x lies in the closure of the region (every facet's row is ≥ 0, exactly), so that the
    distance to the low-rank part is at most the stated one; if ``proved``, it is the stated one.
    **Does not prove** that the rank *at* x is low: x may lie on the region's border.
    """

    region: int
    rank: int
    y: tuple[fmpq, ...]
    x: tuple[fmpq, ...]
    distance_squared: fmpq
    proved: bool
    programs: int


def nearest_low_rank(
    regions: Regions, point: list[fmpq], below: int, layer: int | None = None
) -> NearestPoint | None:
    """The nearest point of the closure of the regions of rank < ``below`` at a layer.

    Parameters
    ----------
    regions : Regions
        Run, network and graph.
    point : list of fmpq, length n
        An input of the network; it need not lie in the domain.
    below : int
    layer : int, optional
        1-based; default: the last one of the run.

    Returns
    -------
    NearestPoint or None
        None where no region is low-rank.

    Raises
    ------
    DomainError
        If the point has another dimension.
    RunError
        If the run has no such layer.
    """
    run, chart = regions.run, regions.chart
    k = run.chosen_layer(layer)
    if len(point) != chart.n:
        raise DomainError(f"the point has {len(point)} coordinates, expected {chart.n}")
    rank = ranks_of_run(run, k)
    low = np.flatnonzero(rank < below)
    if not len(low):
        return None
    problem = _Problem(regions, point)
    bounds = np.array([_at_most(problem.bound(regions.rows(r))) for r in map(int, low)])
    best: tuple[fmpq, int, tuple[fmpq, ...]] | None = None
    programs = 0
    for i in np.argsort(bounds, kind="stable").tolist():
        r = int(low[i])
        if best is not None and fmpq_from_float(bounds[i]) >= best[0]:
            break
        rows = regions.rows(r)
        if best is not None and problem.bound(rows) >= best[0]:
            continue
        programs += 1
        y = problem.nearest(rows)
        distance = problem.distance_squared(y)
        if best is None or distance < best[0]:
            best = distance, r, y
    if best is None:  # pragma: no cover  (low is not empty)
        return None
    distance, r, y = best
    x = problem.lifted(y)
    return NearestPoint(
        region=r,
        rank=int(rank[r]),
        y=y,
        x=x,
        distance_squared=distance,
        proved=run.certified,
        programs=programs,
    )


def _at_most(value: fmpq) -> float:
    """A float that is not greater than a number that is not negative."""
    near = min(nearest_float(value), sys.float_info.max)
    return near if fmpq_from_float(near) <= value else math.nextafter(near, 0.0)


class _Problem:
    """min ‖x − point‖² over the points x of a region: yᵀ G y − 2 cᵀ y + constant.

    Where the chart is a section S of ``{origin + B u}``, y stands for all u with ``M u = M S y``
    (M: what the rows and layer 1 see). With ``G_B = Bᵀ B``, the projection u* of the point,
    ``H = M G_B⁻¹ Mᵀ`` and ``q = M (u* − S y)``, the nearest of them is ``u* − G_B⁻¹ Mᵀ H⁻¹ q``
    (least norm under linear equations), at squared distance ``qᵀ H⁻¹ q`` from u*.
    """

    def __init__(self, regions: Regions, point: list[fmpq]) -> None:
        chart = regions.chart
        offset = fmpq_mat(chart.n, 1, point) - chart.origin
        self.k = chart.k
        self.origin, self.basis = chart.origin, chart.basis
        self.constant = sum((v * v for v in offset.entries()), fmpq(0))
        self.pull: fmpq_mat | None = None
        if not chart.lineality:
            self.gram = chart.basis.transpose() * chart.basis
            self.linear = chart.basis.transpose() * offset
        else:
            self._divide(regions, offset)
        self.free = self.gram.solve(self.linear) if self.k else fmpq_mat(0, 1)
        self.off = self.distance_squared(tuple(self.free.entries()))

    def _divide(self, regions: Regions, offset: fmpq_mat) -> None:
        """Distances to what the section's points stand for."""
        whole = chart_of(regions.run.domain, regions.chart.n)
        parts = quotient(regions.network, whole)
        if parts is None:
            raise RunError("the run was made in another chart of its domain; enumerate it again")
        seen = parts.forms
        if whole.k == whole.n and whole.basis == identity(whole.n):
            middle, spread = offset, seen.transpose()
        else:
            transposed = whole.basis.transpose()
            inner = transposed * whole.basis
            middle = inner.solve(transposed * offset)
            spread = inner.solve(seen.transpose())
        inverse = (seen * spread).inv()
        away = seen * middle
        flat = offset - whole.basis * middle
        self.across = fmpq_mat(
            seen.nrows(), self.k, [seen[i, j] for i in range(seen.nrows()) for j in parts.axes]
        )
        self.basis, self.middle, self.pull, self.away = whole.basis, middle, spread * inverse, away
        self.gram = self.across.transpose() * inverse * self.across
        self.linear = self.across.transpose() * inverse * away
        self.constant = sum((v * v for v in flat.entries()), fmpq(0))
        self.constant += (away.transpose() * inverse * away)[0, 0]

    def lifted(self, y: tuple[fmpq, ...]) -> tuple[fmpq, ...]:
        """The point x of the input space that a chart point stands for."""
        u = fmpq_mat(self.k, 1, list(y))
        if self.pull is not None:
            u = self.middle - self.pull * (self.away - self.across * u)
        return tuple((self.origin + self.basis * u).entries())

    def distance_squared(self, y: tuple[fmpq, ...]) -> fmpq:
        """Exact squared distance of a chart point."""
        column = fmpq_mat(self.k, 1, list(y))
        products = (self.gram * column).entries()
        out = self.constant
        for v, g, c in zip(y, products, self.linear.entries(), strict=True):
            out += v * (g - 2 * c)
        return out

    def bound(self, rows: tuple[IntRow, ...]) -> fmpq:
        """Proven lower bound: the largest squared distance to one of the half-spaces."""
        best = fmpq(0)
        for row in rows:
            value = value_at(row, self.free)
            if value < 0:
                a = fmpq_mat(self.k, 1, list(row[: self.k]))
                norm = (a.transpose() * self.gram.solve(a))[0, 0]
                best = max(best, value * value / norm)
        return best + self.off

    def nearest(self, rows: tuple[IntRow, ...]) -> tuple[fmpq, ...]:
        """The nearest point of the closed region."""
        found = nearest_point(rows, self.free, metric=self.gram)
        if found is None:
            raise RunError("a listed region has no point: the run is damaged")
        return tuple(found[0].entries())
