"""A deep witness: a point of a region at which the least ``|z|`` is as large as can be.

A strictly interior point proves a region, but at a pre-activation of 5e-7 a float32 forward pass
may read another codeword. Over the closed region, a linear program maximises t with ``|z_i| ≥ t``
for every unit that cuts it, in the units of the network's own pre-activations (absolute: not
divided by the lengths of the rows). Walls of the domain only have to hold. In a region where t has
no largest value, the point is the one for the largest of the rows' lengths.

Floats propose; the point is drawn inside exactly, rounded to few bits, and its depth is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.lp.deadline import OutOfTimeError, look, time_limit
from polyrank.lp.farkas import value_at
from polyrank.minrank.programs import run, solver, unit_rows
from polyrank.network.composition import exact_step
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float, nearest_float
from polyrank.posed.branch import Branch
from polyrank.posed.chart import Chart
from polyrank.posed.region import IntRow

__all__ = ["DeepWitness", "Depth", "deep_in_time", "deep_witness", "depth_at"]

_SHARE = fmpq(1, 1024)
"""The proposal, which may lie on walls, is drawn so far towards the given point."""
_KEPT = fmpq(99, 100)
_SECONDS = 1.0
"""What a deep witness may take when the time for the search is used up."""


@dataclass(frozen=True, slots=True)
class Depth:
    """The least ``|z|`` at a point over all units that do not vanish identically on its region.

    Attributes
    ----------
    value : fmpq
        Exact, positive; 0 only where the network has no such unit.
    layer, unit : int
        Where it is attained, 1-based; 0 where there is no such unit.
    """

    value: fmpq
    layer: int
    unit: int


@dataclass(frozen=True, slots=True, eq=False)
class DeepWitness:
    """A strictly interior point of a region with a large least ``|z|``.

    **Proves** the depth. **Does not prove** that no point is deeper: a floating-point linear
    program proposed it.

    Attributes
    ----------
    point : tuple of fmpq
        x, in the input space.
    depth : Depth
    unbounded : bool
        The solver found that the region holds points of any depth.
    """

    point: tuple[fmpq, ...]
    depth: Depth
    unbounded: bool


def depth_at(network: Network, x: fmpq_mat) -> Depth:
    """The exact least ``|z|`` at a point strictly inside a region, a column.

    A unit that is zero there is so on the whole region, and does not count.
    """
    best, h = Depth(fmpq(0), 0, 0), x
    for k, layer in enumerate(network.layers, 1):
        z, h = exact_step(layer, h)
        for i, (value, cuts) in enumerate(zip(z, layer.has_hyperplane.tolist(), strict=True), 1):
            if cuts and value != 0 and (not best.layer or abs(value) < best.value):
                best = Depth(abs(value), k, i)
    return best


def _cutting(network: Network, chart: Chart, bits: NDArray[np.bool_]) -> list[list[fmpq]]:
    """``sign · z`` of every unit whose hyperplane cuts, as exact rows in chart coordinates."""
    rows: list[list[fmpq]] = []
    branch = Branch.on(network, chart)
    bit = 0
    for k, layer in enumerate(network.layers, 1):
        z = branch.preactivation(k, bits)
        for row, cuts in zip(z.tolist(), layer.has_hyperplane.tolist(), strict=True):
            if not cuts:
                continue
            if any(v != 0 for v in row[:-1]):
                rows.append(row if bits[bit] else [-v for v in row])
            bit += 1
    return rows


def deep_witness(
    network: Network, chart: Chart, bits: NDArray[np.bool_], inside: fmpq_mat
) -> DeepWitness:
    """A deep point of a region; the given point where no deeper one is found.

    Parameters
    ----------
    network : Network
        All of its units count.
    chart : Chart
    bits : ndarray of bool
        Codeword of the region.
    inside : fmpq_mat, shape (k, 1)
        A chart point strictly inside.

    Raises
    ------
    OutOfTimeError
        If the time limit passes.
    """
    look()
    walls, cutting = chart.rows, _cutting(network, chart, bits)
    best, depth, unbounded = inside, depth_at(network, chart.point_of(inside)), False
    if cutting and chart.k:
        proposed, unbounded = _proposal(cutting, walls, chart.k)
        for point in proposed:
            y = _drawn_in(point, inside, cutting, walls)
            found = depth_at(network, chart.point_of(y))
            if found.value > depth.value:
                best, depth = y, found
    x = chart.point_of(best)
    return DeepWitness(tuple(x.entries()), depth, unbounded)


def deep_in_time(
    network: Network, chart: Chart, bits: NDArray[np.bool_], inside: fmpq_mat, seconds: float
) -> DeepWitness | None:
    """:func:`deep_witness`, within the seconds that are left, or one; None if that is too short."""
    try:
        with time_limit(max(_SECONDS, seconds)):
            return deep_witness(network, chart, bits, inside)
    except OutOfTimeError:
        return None


def _proposal(
    rows: Sequence[Sequence[fmpq]], walls: Sequence[IntRow], k: int
) -> tuple[list[tuple[float, ...]], bool]:
    """Float points of large depth, and whether the depth has no bound."""
    largest = max(abs(v) for row in rows for v in row[:-1])
    table = np.array([[nearest_float(v / largest) for v in row] for row in rows])
    if not np.isfinite(table).all():
        return [], False
    length = float(np.linalg.norm(table[:, :k], axis=1).max(initial=1.0))
    highs = solver(presolve="off", solver="simplex")
    infinity = highspy.kHighsInf
    highs.addVars(
        k + 1, np.append(np.full(k, -infinity), 0.0), np.append(np.full(k, infinity), infinity)
    )
    highs.changeColCost(k, -1.0)
    columns = np.arange(k + 1, dtype=np.int32)
    for row in table:
        highs.addRow(-row[k], infinity, k + 1, columns, np.append(row[:k], -1.0))
    for row in unit_rows(walls, k):
        highs.addRow(-row[k], infinity, k, columns[:k], row[:k].copy())
    out: list[tuple[float, ...]] = []
    for top in (length, infinity):
        highs.changeColBounds(k, 0.0, top)
        if not run(highs):
            status = highs.getModelStatus()
            kinds = highspy.HighsModelStatus
            open_end = status in {kinds.kUnbounded, kinds.kUnboundedOrInfeasible}
            return out, bool(out) and open_end
        values = [float(v) for v in highs.getSolution().col_value]
        if not np.isfinite(values).all():
            return out, False
        out.append(tuple(values[:k]))
        if values[k] < top * (1 - 1e-9):
            return out, False
    return out, False


def _drawn_in(
    proposed: Sequence[float],
    inside: fmpq_mat,
    rows: Sequence[Sequence[fmpq]],
    walls: Sequence[IntRow],
) -> fmpq_mat:
    """The proposal, drawn towards the inner point until all is strict, in few bits."""
    point = fmpq_mat(len(proposed), 1, [fmpq_from_float(v) for v in proposed])
    share = _SHARE if _least(walls, point) <= 0 or _smallest(rows, point) <= 0 else fmpq(0)
    near = point
    while share < 1:
        look()
        near = point + (inside - point) * share
        if _least(walls, near) > 0 and _smallest(rows, near) > 0:
            break
        share = 4 * share if share > 0 else _SHARE
    else:
        return inside
    kept = _KEPT * _smallest(rows, near)
    bits = 0
    while True:
        unit = fmpq(1, 1 << bits)
        entries = [(v / unit + fmpq(1, 2)).floor() * unit for v in near.entries()]
        short = fmpq_mat(near.nrows(), 1, entries)
        if _least(walls, short) > 0 and _smallest(rows, short) >= kept:
            return short
        bits = 2 * bits or 1


def _least(walls: Sequence[IntRow], y: fmpq_mat) -> fmpq:
    return min((value_at(row, y) for row in walls), default=fmpq(1))


def _smallest(rows: Sequence[Sequence[Any]], y: fmpq_mat) -> fmpq:
    entries = y.entries()
    values = [sum((a * v for a, v in zip(row, entries, strict=False)), row[-1]) for row in rows]
    least: fmpq = min(values)
    return least
