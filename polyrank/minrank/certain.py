"""Points at which every unit of a cell that can be off is off: the answers to be had at once.

Where the linear parts of the units are independent, ``A y = −c − m`` has a solution for every
margin m > 0, and in an unbounded cell without walls it is a point with all units off: least rank at
once, however wide the layer is. Least squares propose the point of least norm; where there are
walls, one linear program does (max t with every unit off by t). Proposals prove nothing: the region
at the point is computed exactly.

A convolution is a layer of many units with few weights each. There, steps against the units that
are live find such a point in milliseconds and one exact sum for each unit proves it, before any
dense matrix is made of rationals (:func:`wide_layer_off`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from polyrank.blas import one_thread
from polyrank.lp.deadline import look
from polyrank.lp.farkas import value_at
from polyrank.minrank.cell import LiveCell
from polyrank.minrank.deep import Depth
from polyrank.minrank.programs import Floats, SlackProgram, unit_rows
from polyrank.minrank.result import LowRegion
from polyrank.network.composition import preactivation
from polyrank.network.normal_form import Layer
from polyrank.network.rational import fmpq_from_float, nearest_float
from polyrank.network.sparse import by_rows
from polyrank.polyhedra.domain import Box, Domain, WholeSpace
from polyrank.posed.chart import simplified
from polyrank.posed.region import IntRow

__all__ = ["points_with_all_off", "short_point", "wide_layer_off"]

_WIDE = 1 << 20
"""Entries of a weight whose conversion to rationals takes seconds."""
_MARGINS = (1.0, 0.1, 1e-2, 1e-4)
"""Of the largest bias, rows having length one."""
_STEPS = 50


def points_with_all_off(cell: LiveCell, highs: Any = None) -> Iterator[fmpq_mat]:
    """Proposed points strictly inside the walls where all switching units are off.

    Parameters
    ----------
    cell : LiveCell
    highs : optional
        A solver to be used again.

    Raises
    ------
    OutOfTimeError
        If the time limit passes.
    """
    if not cell.switching:
        return
    wanted = [*cell.walls, *(tuple(-v for v in row) for row in cell.switching)]
    table = unit_rows(cell.switching, cell.k)
    A, c = table[:, : cell.k], table[:, cell.k]
    if np.isfinite(table).all():
        # one thread: many of them, on cores that others use too, cost a hundred times as much
        with one_thread():
            found = _least_squares(A, -c - 1.0)
        if np.isfinite(found).all() and (A @ found + c < 0.0).all():
            yield short_point(wanted, [float(v) for v in found])
    program = SlackProgram(wanted, cell.k, highs)
    proposal = program.solve(np.ones(len(wanted), dtype=bool))
    if proposal.point is not None:
        yield short_point(wanted, proposal.point)


def _least_squares(A: Floats, b: Floats) -> Floats:
    """The shortest y with the least ``|A y − b|``, by a square system of the shorter side of A."""
    m, k = A.shape
    if m <= k:
        return np.asarray(A.T @ np.linalg.lstsq(A @ A.T, b, rcond=None)[0])
    return np.asarray(np.linalg.lstsq(A.T @ A, A.T @ b, rcond=None)[0])


def short_point(wanted: Sequence[IntRow], proposed: Sequence[float]) -> fmpq_mat:
    """The point of few bits next to a proposal at which the same rows are positive, if they are."""
    point = fmpq_mat(len(proposed), 1, [fmpq_from_float(v) for v in proposed])
    if all(value_at(row, point) > 0 for row in wanted):
        return simplified(wanted, point)
    return point


def wide_layer_off(layer: Layer, domain: Domain) -> tuple[LowRegion, Depth] | None:
    """A region of rank 0 of a wide layer 1 of few weights, or None: nothing was found.

    **Proves** that all units with weights are off at the witness, by an exact sum for each, and the
    depth. Only on all of R^n or a box; coordinates of the chart are the inputs.

    Raises
    ------
    OutOfTimeError
        If the time limit passes.
    DomainError
        If the box is of another dimension.
    """
    m, n = layer.weight.shape
    if m * n < _WIDE or not isinstance(domain, WholeSpace | Box):
        return None
    if not layer.weight.is_sparse:
        return None
    table = by_rows(layer.weight)
    sides = domain.bounds(n) if isinstance(domain, Box) else None
    weighted = np.diff(table.indptr) > 0
    live = np.stack([layer.slope_neg.nonzero, layer.slope_pos.nonzero], axis=1)
    if (weighted & live.all(axis=1)).any():
        return None
    side = np.where(live[:, 1], 1.0, -1.0)  # times z: negative where the unit is off
    for x in _short_points_off(table, layer.bias.approx, weighted & live.any(axis=1), side, sides):
        found = _proved_off(layer, table, [fmpq_from_float(v) for v in x.tolist()], sides)
        if found is not None:
            return found
    return None


_Sides = tuple[Sequence[fmpq], Sequence[fmpq]] | None


def _short_points_off(
    table: csr_array,
    bias: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    side: NDArray[np.float64],
    sides: _Sides,
) -> Iterator[NDArray[np.float64]]:
    """Proposed points, of few bits if that is enough: steps along the sum of what is live.

    Source: S. Agmon, "The relaxation method for linear inequalities", Canad. J. Math. 6 (1954);
    all rows of a step at once.
    """
    rows = table[chosen]
    low, high = np.full(table.shape[1], -np.inf), np.full(table.shape[1], np.inf)
    with np.errstate(all="ignore"):
        factor = side[chosen] / np.sqrt((rows * rows).sum(axis=1))
        if sides is not None:
            low, high = (np.array([nearest_float(v) for v in side]) for side in sides)
            low, high = low + (high - low) / 1024, high - (high - low) / 1024  # well inside
    if not np.isfinite(factor).all() or np.isnan(low).any() or np.isnan(high).any():
        return
    A, c = diags_array(factor) @ rows, factor * bias[chosen]
    for margin in _MARGINS:
        point = _relaxed(A, c, margin * (np.abs(c).max(initial=0.0) or 1.0), low, high)
        if point is not None:
            yield point


@np.errstate(all="ignore")
def _relaxed(
    A: csr_array,
    c: NDArray[np.float64],
    margin: float,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> NDArray[np.float64] | None:
    """A point with ``A x + c < 0`` between two points, in few bits; None if floats find none."""
    x: NDArray[np.float64] = np.clip(0.0, low, high)
    wanted, back = c + margin, A.T.tocsr()
    for _ in range(_STEPS):
        look()
        over = np.maximum(A @ x + wanted, 0.0)
        step = back @ over
        slope = ((A @ step)[over > 0.0] ** 2).sum()
        if not slope > 0.0:
            break
        x = np.clip(x - 1.5 * (step @ step) / slope * step, low, high)
    for bits in (4, 8, 16, 32, None):
        short: NDArray[np.float64] = (
            x if bits is None else np.ldexp(np.rint(np.ldexp(x, bits)), -bits)
        )
        inside = (low <= short).all() and (short <= high).all()
        if inside and np.isfinite(short).all() and (A @ short + c < 0.0).all():
            return short
    return None


def _proved_off(
    layer: Layer, table: csr_array, x: Sequence[fmpq], sides: _Sides
) -> tuple[LowRegion, Depth] | None:
    """The region of a point and its depth, if all units with weights are off there."""
    if sides is not None and not all(
        a < v < b for a, v, b in zip(sides[0], x, sides[1], strict=True)
    ):
        return None
    point = fmpq_mat(len(x), 1, list(x))
    values = preactivation(layer, point).entries()
    bits: list[bool] = []
    depth = Depth(fmpq(0), 0, 0)
    for i, (weighted, z, (neg, pos)) in enumerate(
        zip((np.diff(table.indptr) > 0).tolist(), values, layer.slopes_exact, strict=True)
    ):
        if weighted and (neg != 0 or z >= 0) and (pos != 0 or z <= 0):
            return None
        if neg == pos:
            continue
        bits.append(z > 0)
        if z != 0 and (not depth.layer or abs(z) < depth.value):
            depth = Depth(abs(z), 1, i + 1)
    return LowRegion(np.array(bits, dtype=bool), 0, tuple(x), point), depth
