"""The compiled search: depth first over the cells of every layer's arrangement.

A *cell* is a set of decided units of the current layer inside a region of the layers below. The
search keeps a stack of open cells. Processing a cell (:func:`_settle`) decides for every undecided
unit whether its hyperplane

* **cuts** the cell: interior points of both signs are known, or
* **misses** it: Farkas multipliers prove that one side is empty.

Units that miss are never looked at again below this cell; among those that cut one is chosen and
splits the cell in two. The interior points found on the way stay with the half that they lie in,
and a unit that has points of both signs in a half needs no LP there. A cell with no undecided
unit is a region of the layer: the next layer's rows are composed on it, or it is a result.

What float arithmetic cannot prove makes the cell *hard*: it is handed back, with the units in
question, and the caller decides it in rational arithmetic. Nothing is dropped.

The whole state lives in arrays, so a search can be stopped between any two cells, its open cells
exported as tasks and resumed elsewhere.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyrank.cells.arrays import NetArrays
from polyrank.cells.compose import compose, gamma
from polyrank.lp.certify import (
    INFLATE,
    by_enclosure,
    by_integers,
    by_residual,
    independent,
    integer_rank,
)
from polyrank.lp.jit import inner, kernel
from polyrank.lp.simplex import choose_edge, move, ratio_test, refactor, slacks

__all__ = [
    "CUTS",
    "DONE",
    "HARD_FULL",
    "OUTPUT_FULL",
    "BUDGET",
    "STATISTICS",
    "Work",
    "export_open",
    "load_task",
    "new_work",
    "run",
]

# return codes of run()
DONE, OUTPUT_FULL, HARD_FULL, BUDGET, LOG_FULL = 0, 1, 2, 3, 4
# verdicts of one test
MISSES, CUTS, OPEN = 0, 1, 2

#: Names of the counters in ``Work.stat``.
STATISTICS = (
    "tests",
    "pivots",
    "by_residual",
    "by_enclosure",
    "by_integers",
    "by_interval",
    "by_structure",
    "by_points",
    "by_vertex",
    "cuts",
    "hard",
    "cells",
    "regions",
    "rank_minors",
    "rank_cached",
    "rank_integers",
    "rank_open",
    "points_dropped",
    "refactored",
)
(
    S_TESTS, S_PIVOTS, S_RESIDUAL, S_ENCLOSURE, S_INTEGERS, S_INTERVAL, S_STRUCTURE, S_POINTS,
    S_VERTEX, S_CUTS, S_HARD, S_CELLS, S_REGIONS, S_MINORS, S_CACHED, S_RANK_INTEGER, S_RANK_OPEN, S_DROPPED,
    S_REFACTORED,
) = range(len(STATISTICS))  # fmt: skip

# steps of the proof log; see polyrank.proof.format for what each one claims
LOG_ZERO, LOG_SPLIT, LOG_NEXT, LOG_LEAF, LOG_DEFER = 1, 2, 3, 4, 5
LOG_CUBE_NEGATIVE, LOG_CUBE_POSITIVE, LOG_NEGATIVE, LOG_POSITIVE = 6, 7, 8, 9

MAX_PIVOTS = 400
BLAND_AFTER = 30
SUBSETS = 32
POINT_BYTES = 1 << 28
LOG_BYTES = 1 << 22


class Work(NamedTuple):
    """All arrays of one search. Sizes: L layers, N units, d cube dimension, S open cells."""

    # rows of the current layers on the current path
    rows: NDArray[np.float64]  # (N, d + 1) normalised rows
    error: NDArray[np.float64]  # (N,) coefficient error bounds
    scale: NDArray[np.float64]  # (N,)
    radius: NDArray[np.float64]  # (N,) error + rounding of one evaluation
    exponent: NDArray[np.int64]  # (N,) integer exponent or −1
    compose_work: NDArray[np.float64]
    magnitude: NDArray[np.float64]
    slope: NDArray[np.float64]
    # constraints of the current cell
    columns: NDArray[np.float64]  # (d + 1, C)
    table: NDArray[np.float64]  # (C, d + 1)
    row_radius: NDArray[np.float64]  # (C,)
    row_exponent: NDArray[np.int64]
    row_central: NDArray[np.bool_]
    row_unit: NDArray[np.int64]  # global unit of the row, −1 for walls
    member: NDArray[np.bool_]
    walls: NDArray[np.int64]  # (1,) number of wall rows
    # path: final bits of the layers below
    layer_bit: NDArray[np.int8]  # (N,) 0/1
    layer_zero: NDArray[np.int8]
    layer_split: NDArray[np.int8]
    layer_rank: NDArray[np.int64]  # (L,) proven or −1
    layer_bound: NDArray[np.int64]  # (L,) structural upper bound
    # open cells
    state: NDArray[np.int64]  # [stack size, point top, output rows, hard rows, budget left]
    cell_layer: NDArray[np.int64]
    cell_rows: NDArray[np.int64]
    cell_unit: NDArray[np.int64]  # unit (in layer) of the row to add, or −1
    cell_side: NDArray[np.int64]
    cell_first: NDArray[np.int64]
    cell_last: NDArray[np.int64]
    cell_bit: NDArray[np.int8]  # (S, width): −1 undecided, 0, 1, 2 identically zero
    cell_split: NDArray[np.int8]
    cell_vertex: NDArray[np.bool_]
    cell_basis: NDArray[np.int64]
    cell_inverse: NDArray[np.float64]
    cell_x: NDArray[np.float64]
    cell_depth: NDArray[np.float64]  # share of the tree
    # interior points
    point: NDArray[np.float64]  # (P, d)
    point_y: NDArray[np.float64]  # (P, k) the same points in the chart: the exact witnesses
    point_sign: NDArray[np.int8]  # (P, width) sign of every unit of the layer, 0 unknown
    # scratch
    x: NDArray[np.float64]
    basis: NDArray[np.int64]
    inverse: NDArray[np.float64]
    slack: NDArray[np.float64]
    rate: NDArray[np.float64]
    rates: NDArray[np.float64]
    objective: NDArray[np.float64]
    square: NDArray[np.float64]
    list: NDArray[np.int64]
    pos: NDArray[np.bool_]
    neg: NDArray[np.bool_]
    flagged: NDArray[np.bool_]
    candidate: NDArray[np.float64]
    bits: NDArray[np.int8]
    split: NDArray[np.int8]
    used: NDArray[np.bool_]
    chart_point: NDArray[np.float64]
    # ranks
    subset: NDArray[np.int64]  # (L, SUBSETS, d) proven independent units, −1 padded
    subset_size: NDArray[np.int64]
    subset_count: NDArray[np.int64]  # (L, 2) filled, next
    rank_rows: NDArray[np.float64]
    rank_radius: NDArray[np.float64]
    rank_index: NDArray[np.int64]
    rank_work: NDArray[np.float64]
    rank_inverse: NDArray[np.float64]
    integers: NDArray[np.int64]
    chosen: NDArray[np.int64]
    chosen_columns: NDArray[np.int64]
    # results
    out_bit: NDArray[np.uint8]
    out_zero: NDArray[np.uint8]
    out_rank: NDArray[np.int16]
    out_point: NDArray[np.float64]
    # hard cells: layer, then per unit of all layers: bit (−1 undecided), split, flagged
    hard_layer: NDArray[np.int64]
    hard_bit: NDArray[np.int8]
    hard_split: NDArray[np.int8]
    hard_flag: NDArray[np.bool_]
    hard_point: NDArray[np.float64]
    log: NDArray[np.uint8]  # steps of the proof; empty when none is written
    log_state: NDArray[np.int64]  # [bytes written, bytes per row index]
    stat: NDArray[np.int64]
    done_share: NDArray[np.float64]


def new_work(
    net: NetArrays, dim: int, *, output: int = 16384, hard: int = 256, log: bool = False
) -> Work:
    """Allocate the arrays of a search for a network in cube dimension ``dim``.

    With ``log`` every decision is written to a proof log.
    """
    layers = len(net.units)
    total = int(net.unit_start[-1])
    width = int(net.units.max())
    walls = len(net.wall_rows)
    capacity = walls + total + 1
    cells = total + layers + 2
    k = len(net.centre)
    per_point = 8 * (dim + k) + width
    points = max(4 * width + 64, min(cells * (width + 2), POINT_BYTES // per_point))
    code = max(1, (int(net.hyperplane.sum()) + 7) // 8)
    f, i = np.float64, np.int64
    work = Work(
        rows=np.zeros((total, dim + 1)),
        error=np.zeros(total),
        scale=np.zeros(total),
        radius=np.zeros(total),
        exponent=np.full(total, -1, dtype=i),
        compose_work=np.zeros((dim + 1, width)),
        magnitude=np.zeros(width),
        slope=np.zeros(width),
        columns=np.zeros((dim + 1, capacity)),
        table=np.zeros((capacity, dim + 1)),
        row_radius=np.zeros(capacity),
        row_exponent=np.full(capacity, -1, dtype=i),
        row_central=np.zeros(capacity, dtype=np.bool_),
        row_unit=np.full(capacity, -1, dtype=i),
        member=np.zeros(capacity, dtype=np.bool_),
        walls=np.array([walls], dtype=i),
        layer_bit=np.zeros(total, dtype=np.int8),
        layer_zero=np.zeros(total, dtype=np.int8),
        layer_split=np.zeros(total, dtype=np.int8),
        layer_rank=np.zeros(layers, dtype=i),
        layer_bound=np.zeros(layers, dtype=i),
        state=np.zeros(8, dtype=i),
        cell_layer=np.zeros(cells, dtype=i),
        cell_rows=np.zeros(cells, dtype=i),
        cell_unit=np.zeros(cells, dtype=i),
        cell_side=np.zeros(cells, dtype=i),
        cell_first=np.zeros(cells, dtype=i),
        cell_last=np.zeros(cells, dtype=i),
        cell_bit=np.zeros((cells, width), dtype=np.int8),
        cell_split=np.zeros((cells, width), dtype=np.int8),
        cell_vertex=np.zeros(cells, dtype=np.bool_),
        cell_basis=np.zeros((cells, dim), dtype=i),
        cell_inverse=np.zeros((cells, dim, dim)),
        cell_x=np.zeros((cells, dim)),
        cell_depth=np.zeros(cells),
        point=np.zeros((points, dim)),
        point_y=np.zeros((points, k)),
        point_sign=np.zeros((points, width), dtype=np.int8),
        x=np.zeros(dim),
        basis=np.zeros(dim, dtype=i),
        inverse=np.zeros((dim, dim)),
        slack=np.zeros(capacity),
        rate=np.zeros(capacity),
        rates=np.zeros(dim),
        objective=np.zeros(dim + 1),
        square=np.zeros((dim, 2 * dim)),
        list=np.zeros(width, dtype=i),
        pos=np.zeros(width, dtype=np.bool_),
        neg=np.zeros(width, dtype=np.bool_),
        flagged=np.zeros(width, dtype=np.bool_),
        candidate=np.zeros(dim),
        bits=np.zeros(width, dtype=np.int8),
        split=np.zeros(width, dtype=np.int8),
        used=np.zeros(width, dtype=np.bool_),
        chart_point=np.zeros(k),
        subset=np.full((layers, SUBSETS, dim), -1, dtype=i),
        subset_size=np.zeros((layers, SUBSETS), dtype=i),
        subset_count=np.zeros((layers, 2), dtype=i),
        rank_rows=np.zeros((width, max(k, 1))),
        rank_radius=np.zeros(width),
        rank_index=np.zeros(width, dtype=i),
        rank_work=np.zeros((width, max(k, 1))),
        rank_inverse=np.zeros((max(k, 1), 2 * max(k, 1))),
        integers=np.zeros((width, max(k, 1)), dtype=i),
        chosen=np.zeros(max(k, 1), dtype=i),
        chosen_columns=np.zeros(max(k, 1), dtype=i),
        out_bit=np.zeros((output, code), dtype=np.uint8),
        out_zero=np.zeros((output, code), dtype=np.uint8),
        out_rank=np.zeros((output, layers), dtype=np.int16),
        out_point=np.zeros((output, k), dtype=f),
        hard_layer=np.zeros(hard, dtype=i),
        hard_bit=np.zeros((hard, total), dtype=np.int8),
        hard_split=np.zeros((hard, total), dtype=np.int8),
        hard_flag=np.zeros((hard, width), dtype=np.bool_),
        hard_point=np.zeros((hard, k)),
        log=np.zeros(LOG_BYTES + log_reserve(total, dim) if log else 0, dtype=np.uint8),
        log_state=np.array([0, 1 if capacity <= 256 else 2], dtype=i),
        stat=np.zeros(len(STATISTICS), dtype=i),
        done_share=np.zeros(1),
    )
    for m in range(walls):
        work.columns[:, m] = net.wall_rows[m]
        work.table[m] = net.wall_rows[m]
        work.row_radius[m] = net.wall_error[m] + gamma(dim + 4)
        work.row_exponent[m] = net.wall_exponent[m]
        work.row_central[m] = net.wall_rows[m, dim] == 0.0 and net.wall_error[m] == 0.0
        flat = not net.wall_rows[m, : net.constant_column].any() and net.wall_error[m] == 0.0
        work.member[m] = net.homogeneous and bool(flat) and bool(work.row_central[m])
    return work


@kernel
def log_reserve(units, dim):
    """Bytes that the steps of one cell can need, on its way through all layers."""
    return (units + 2) * (4 + 2 * dim) + 16


@inner
def _log_unit(work, step, unit):
    """Append a step about one unit of the current layer."""
    if work.log.shape[0] == 0:
        return
    p = work.log_state[0]
    work.log[p] = step
    work.log[p + 1] = unit & 255
    work.log[p + 2] = unit >> 8
    work.log_state[0] = p + 3


@inner
def _log_step(work, step):
    """Append a step about the cell."""
    if work.log.shape[0] == 0:
        return
    p = work.log_state[0]
    work.log[p] = step
    work.log_state[0] = p + 1


@inner
def _log_miss(work, unit, side):
    """Append: the unit has sign ``side`` on the cell, by the rows of the current basis."""
    if work.log.shape[0] == 0:
        return
    _log_unit(work, LOG_POSITIVE if side > 0 else LOG_NEGATIVE, unit)
    d = work.basis.shape[0]
    p = work.log_state[0]
    if work.log_state[1] == 1:
        for q in range(d):
            work.log[p + q] = work.basis[q]
        work.log_state[0] = p + d
    else:
        for q in range(d):
            work.log[p + 2 * q] = work.basis[q] & 255
            work.log[p + 2 * q + 1] = work.basis[q] >> 8
        work.log_state[0] = p + 2 * d


@inner
def _first_layer(net, work):
    """Load the rows of layer 1, which are the same on the whole domain."""
    d = work.x.shape[0]
    for i in range(net.units[0]):
        for l in range(d + 1):
            work.rows[i, l] = net.first_rows[i, l]
        work.error[i] = net.first_error[i]
        work.scale[i] = net.first_scale[i]
        work.exponent[i] = net.first_exponent[i]
        work.radius[i] = work.error[i] + gamma(d + 4)


@inner
def _next_layer(net, work, k):
    """Compose the rows of layer k (0-based, k ≥ 1) on the region given by the path's bits."""
    d = work.x.shape[0]
    a, b = net.unit_start[k - 1], net.unit_start[k]
    n_in, n_out = net.units[k - 1], net.units[k]
    for j in range(n_in):
        if work.layer_bit[a + j] == 1:
            work.slope[j] = net.slope_pos[a + j]
        else:
            work.slope[j] = net.slope_neg[a + j]
    start = net.weight_start[k]
    weight = net.weight[start : start + n_in * n_out].reshape(n_in, n_out)
    compose(
        weight, net.bias[b : b + n_out], net.exact_weight[k], net.exact_arithmetic[k], work.slope,
        work.rows[a : a + n_in], work.error[a : a + n_in], work.scale[a : a + n_in],
        net.constant_column if net.constant_column < d + 1 else d, n_in, n_out,
        work.rows[b : b + n_out], work.error[b : b + n_out], work.scale[b : b + n_out],
        work.compose_work, work.magnitude,
    )  # fmt: skip
    rounding = gamma(d + 4)
    for i in range(n_out):
        work.radius[b + i] = work.error[b + i] + rounding
        work.exponent[b + i] = -1
        if net.exact_arithmetic[k]:
            if work.scale[b + i] > 0.0:
                work.exponent[b + i] = net.lsb[k] + math.frexp(work.scale[b + i])[1] - 1
            else:
                work.exponent[b + i] = 0
    work.subset_count[k, 0] = 0
    work.subset_count[k, 1] = 0


@inner
def _push_row(net, work, m, g, side):
    """Write unit g's row, oriented to ``side``, as constraint m."""
    d = work.x.shape[0]
    s = 1.0 if side > 0 else -1.0
    for l in range(d + 1):
        v = s * work.rows[g, l]
        work.columns[l, m] = v
        work.table[m, l] = v
    work.row_radius[m] = work.radius[g]
    work.row_exponent[m] = work.exponent[g]
    work.row_unit[m] = g


@inner
def _mark_rows(net, work, k, rows):
    """Set ``row_central`` and membership in the row space that layer k's rows live in."""
    below = net.unit_start[k - 1] if k > 0 else 0
    here = net.unit_start[k]
    for m in range(work.walls[0], rows):
        g = work.row_unit[m]
        layer = 0
        while net.unit_start[layer + 1] <= g:
            layer += 1
        work.row_central[m] = net.central[layer]
        inside = g >= here
        if k > 0 and g >= below and g < here:
            slope = net.slope_pos[g] if work.layer_bit[g] == 1 else net.slope_neg[g]
            inside = slope != 0.0
        work.member[m] = inside


@inner
def _signs(work, k_start, units, point, sign, bits):
    """Proven signs at an interior point of the undecided units of a layer (0: not proven)."""
    d = work.x.shape[0]
    factor = (d + 1) * INFLATE
    for i in range(units):
        if bits[i] >= 0:
            continue
        g = k_start + i
        z = work.rows[g, d]
        for l in range(d):
            z += work.rows[g, l] * point[l]
        limit = work.radius[g] * factor
        sign[i] = 1 if z > limit else (-1 if z < -limit else 0)


@inner
def _round_to_chart(net, work, u, y):
    """Round a cube point to a float64 chart point y and replace u by y's cube coordinates.

    In homogeneous coordinates t becomes a power of two, so that y / 1 is the point itself.
    Returns False where the point cannot be represented.
    """
    k = y.shape[0]
    if net.homogeneous:
        t = u[k]
        if not t > 1e-280:
            return False
        big = 1.0
        for l in range(k):
            y[l] = u[l] / t
            if abs(y[l]) > big:
                big = abs(y[l])
        if not big < 1e280:
            return False
        down = math.ldexp(1.0, -math.frexp(big)[1])
        for l in range(k):
            u[l] = y[l] * down
        u[k] = down
        return True
    for l in range(k):
        y[l] = net.centre[l] + net.half_width[l] * u[l]
        u[l] = (y[l] - net.centre[l]) / net.half_width[l]
    return True


@inner
def _inside(work, rows, u):
    """Proof that the point is strictly inside every row of the cell."""
    d = work.x.shape[0]
    factor = (d + 1) * INFLATE
    for l in range(d):
        if not abs(u[l]) <= 1.0:
            return False
    for m in range(rows):
        z = work.columns[d, m]
        for l in range(d):
            z += work.columns[l, m] * u[l]
        if not z > work.row_radius[m] * factor:
            return False
    return True


@inner
def _add_point(net, work, k, rows, base, side, i, first, last):
    """Try to make an interior point on the other side of unit i from the vertex ``work.x``.

    ``base`` is an interior point on the known side (``side`` = ±1, or 0 where unknown). Returns
    True and appends the point at index ``last`` when it is proven.
    """
    d = work.x.shape[0]
    a = net.unit_start[k]
    g = a + i
    zb = work.rows[g, d]
    zv = work.rows[g, d]
    for l in range(d):
        zb += work.rows[g, l] * work.point[base, l]
        zv += work.rows[g, l] * work.x[l]
    t0 = 0.0
    if (zb > 0.0) != (zv > 0.0):
        t0 = zb / (zb - zv)
    if not (t0 >= 0.0 and t0 <= 1.0):
        t0 = 0.0
    limit = work.radius[g] * (d + 1) * INFLATE
    for attempt in range(3):
        t = t0 + (1.0 - t0) * (0.5 if attempt == 0 else (0.875 if attempt == 1 else 0.125))
        for l in range(d):
            work.candidate[l] = work.point[base, l] + t * (work.x[l] - work.point[base, l])
        if not _round_to_chart(net, work, work.candidate, work.chart_point):
            continue
        z = work.rows[g, d]
        for l in range(d):
            z += work.rows[g, l] * work.candidate[l]
        if zv > 0.0 and not z > limit:
            continue
        if zv < 0.0 and not z < -limit:
            continue
        if _inside(work, rows, work.candidate):
            for l in range(d):
                work.point[last, l] = work.candidate[l]
            for l in range(work.chart_point.shape[0]):
                work.point_y[last, l] = work.chart_point[l]
            return True
    return False


@inner
def _test(net, work, k, rows, i, side, base, last, fresh):
    """Does unit i of layer k take the sign −side inside the cell?

    Minimises ``side · z_i`` from the current basis. ``fresh`` says that ``work.x`` and its basis
    are valid; otherwise the search starts at the interior point ``base`` with free slots.

    Returns MISSES (proved: side · z_i ≥ 0 on the cell), CUTS (a proven point was appended at
    ``last``) or OPEN.
    """
    d = work.x.shape[0]
    a = net.unit_start[k]
    g = a + i
    work.stat[S_TESTS] += 1
    s = 1.0 if side > 0 else -1.0
    for l in range(d + 1):
        work.objective[l] = s * work.rows[g, l]
    if not fresh:
        for q in range(d):
            work.basis[q] = -1
            work.x[q] = work.point[base, q]
            for l in range(d):
                work.inverse[l, q] = 1.0 if l == q else 0.0
    slacks(work.columns, rows, work.x, work.slack)
    limit = work.radius[g] * (d + 1) * INFLATE
    refreshed = False
    tried = False
    pivots = 0
    while True:
        z = work.objective[d]
        for l in range(d):
            z += work.objective[l] * work.x[l]
        if z < -limit:
            tried = True
            if _add_point(net, work, k, rows, base, side, i, last, last):
                work.stat[S_CUTS] += 1
                return CUTS
        slot, sign = choose_edge(
            work.inverse, work.basis, work.objective, pivots > BLAND_AFTER, work.rates
        )
        if slot < 0:
            for q in range(d):
                if work.basis[q] >= rows:
                    return OPEN  # never prove anything from a row that is not the cell's
            if z > -4.0 * limit or not tried:
                if by_residual(
                    work.table, work.row_radius, work.basis, work.rates, work.objective,
                    work.radius[g],
                ):  # fmt: skip
                    work.stat[S_RESIDUAL] += 1
                    return MISSES
                if by_integers(
                    work.table, work.row_exponent, work.basis, work.rates, work.objective,
                    work.exponent[g], work.square,
                ):  # fmt: skip
                    work.stat[S_INTEGERS] += 1
                    return MISSES
                if net.central[k]:
                    dimension = d
                    if k > 0:
                        dimension = work.layer_bound[k - 1] + (1 if net.homogeneous else 0)
                    if by_enclosure(
                        work.table, work.row_radius, work.basis, work.inverse, work.rates,
                        work.objective, work.radius[g], work.row_central, work.member, dimension,
                    ):  # fmt: skip
                        work.stat[S_ENCLOSURE] += 1
                        return MISSES
            if refreshed:
                return OPEN
            refreshed = True
            work.stat[S_REFACTORED] += 1
            if not refactor(work.table, work.basis, work.inverse, work.square):
                return OPEN
            # the vertex itself: A x = −b on the basis rows
            for l in range(d):
                v = 0.0
                for q in range(d):
                    if work.basis[q] >= 0:
                        v -= work.inverse[l, q] * work.table[work.basis[q], d]
                work.x[l] = v
            slacks(work.columns, rows, work.x, work.slack)
            continue
        if pivots >= MAX_PIVOTS:
            return OPEN
        row, step = ratio_test(
            work.columns, rows, work.slack, work.inverse, slot, sign, work.basis,
            pivots > BLAND_AFTER, work.rate,
        )  # fmt: skip
        if row < 0 or not step < 1e18:
            if refreshed:
                return OPEN
            refreshed = True
            if not refactor(work.table, work.basis, work.inverse, work.square):
                return OPEN
            continue
        move(
            work.columns, rows, work.slack, work.inverse, work.basis, work.x, slot, sign, row,
            step, work.rate,
        )  # fmt: skip
        pivots += 1
        work.stat[S_PIVOTS] += 1


@inner
def _at_vertex(net, work, k, i, side):
    """Is the current vertex already the optimum of ``side · z_i``, with a proof by residual?"""
    d = work.x.shape[0]
    g = net.unit_start[k] + i
    s = 1.0 if side > 0 else -1.0
    for q in range(d):
        r = 0.0
        for l in range(d):
            r += s * work.rows[g, l] * work.inverse[l, q]
        if r < 0.0:
            return False
        work.rates[q] = r
    for l in range(d + 1):
        work.objective[l] = s * work.rows[g, l]
    return by_residual(
        work.table, work.row_radius, work.basis, work.rates, work.objective, work.radius[g]
    )


@inner
def _enter_layer(net, work, k, bits, split):
    """Decide what needs no LP: units without hyperplane or tied, constant rows, the cube's bound."""
    d = work.x.shape[0]
    a = net.unit_start[k]
    for i in range(net.units[k]):
        g = a + i
        split[i] = 0
        bits[i] = -1
        if not net.hyperplane[g]:
            bits[i] = 1
            continue
        if net.tie[g] >= 0:
            bits[i] = 3
            work.stat[S_STRUCTURE] += 1
            continue
        spread = 0.0
        for l in range(d):
            spread += abs(work.rows[g, l])
        c = work.rows[g, d]
        if spread == 0.0 and work.error[g] == 0.0:
            bits[i] = 2 if c == 0.0 else (1 if c > 0.0 else 0)
            work.stat[S_STRUCTURE] += 1
            if c == 0.0:
                _log_unit(work, LOG_ZERO, i)
            else:
                _log_unit(work, LOG_CUBE_POSITIVE if c > 0.0 else LOG_CUBE_NEGATIVE, i)
            continue
        slanted = 0
        for l in range(d - 1):
            if work.rows[g, l] != 0.0:
                slanted += 1
        if net.homogeneous and work.error[g] == 0.0 and slanted == 0:
            # a multiple of t, which is positive
            bits[i] = 1 if work.rows[g, d - 1] > 0.0 else 0
            work.stat[S_STRUCTURE] += 1
            _log_unit(work, LOG_CUBE_POSITIVE if bits[i] == 1 else LOG_CUBE_NEGATIVE, i)
            continue
        if abs(c) > (spread + (d + 1) * work.radius[g]) * INFLATE:
            bits[i] = 1 if c > 0.0 else 0
            work.stat[S_INTERVAL] += 1
            _log_unit(work, LOG_CUBE_POSITIVE if c > 0.0 else LOG_CUBE_NEGATIVE, i)


@inner
def _finish_layer(net, work, k, bits, split):
    """Write the bits of a region of layer k to the path and determine its rank."""
    a = net.unit_start[k]
    n = net.units[k]
    for i in range(n):
        g = a + i
        b = bits[i]
        zero = 0
        if b == 3:
            j = net.tie[g] - 0
            b = bits[j]
            if b == 2:
                zero = 1
                b = 0
            elif net.tie_sign[g] < 0:
                b = 1 - b
        elif b == 2:
            zero = 1
            b = 0
        work.layer_bit[g] = b
        work.layer_zero[g] = zero
        work.layer_split[g] = split[i]
    _rank(net, work, k)


@inner
def _rank(net, work, k):
    """Rank of the map through layer k on the path's region: proven, or −1 with an upper bound."""
    a = net.unit_start[k]
    n = net.units[k]
    columns = net.linear_columns
    live = 0
    for i in range(n):
        g = a + i
        slope = net.slope_pos[g] if work.layer_bit[g] == 1 else net.slope_neg[g]
        if slope != 0.0 and work.layer_zero[g] == 0 and work.scale[g] != 0.0:
            fresh = True
            if net.direction[g] != i:
                # rows of one direction add one to the rank at most
                for r in range(live):
                    if net.direction[a + work.rank_index[r]] == net.direction[g]:
                        fresh = False
                        break
            if fresh:
                work.rank_index[live] = i
                live += 1
    bound = columns if k == 0 else work.layer_bound[k - 1]
    if live < bound:
        bound = live
    if net.weight_rank[k] < bound:
        bound = net.weight_rank[k]
    work.layer_bound[k] = bound
    if bound == 0:
        work.layer_rank[k] = 0
        return
    for c in range(work.subset_count[k, 0]):
        if work.subset_size[k, c] != bound:
            continue
        ok = True
        for q in range(bound):
            g = a + work.subset[k, c, q]
            slope = net.slope_pos[g] if work.layer_bit[g] == 1 else net.slope_neg[g]
            if slope == 0.0:
                ok = False
                break
        if ok:
            work.layer_rank[k] = bound
            work.stat[S_CACHED] += 1
            return
    for r in range(live):
        g = a + work.rank_index[r]
        for l in range(columns):
            work.rank_rows[r, l] = work.rows[g, l]
        work.rank_radius[r] = work.radius[g]
    if independent(
        work.rank_rows, work.rank_radius, live, bound, work.chosen, work.rank_work,
        work.rank_inverse, work.chosen_columns, work.used,
    ):  # fmt: skip
        work.layer_rank[k] = bound
        work.stat[S_MINORS] += 1
        c = work.subset_count[k, 1]
        for q in range(bound):
            work.subset[k, c, q] = work.rank_index[work.chosen[q]]
        work.subset_size[k, c] = bound
        work.subset_count[k, 1] = (c + 1) % SUBSETS
        if work.subset_count[k, 0] < SUBSETS:
            work.subset_count[k, 0] += 1
        return
    rank = integer_rank(
        work.rows[a : a + n], work.exponent[a : a + n], work.rank_index, live, columns,
        work.integers,
    )  # fmt: skip
    work.layer_rank[k] = rank
    if rank >= 0:
        work.layer_bound[k] = rank
        work.stat[S_RANK_INTEGER] += 1
    else:
        work.stat[S_RANK_OPEN] += 1


@inner
def _emit(net, work, layers, point):
    """Write the path's region to the output arrays."""
    r = work.state[2]
    k = work.chart_point.shape[0]
    for c in range(work.out_bit.shape[1]):
        work.out_bit[r, c] = 0
        work.out_zero[r, c] = 0
    byte = 0
    zeros = 0
    shift = 0
    column = 0
    for g in range(net.unit_start[layers]):
        if net.hyperplane[g]:
            byte |= work.layer_bit[g] << shift
            zeros |= work.layer_zero[g] << shift
            shift += 1
            if shift == 8:
                work.out_bit[r, column] = byte
                work.out_zero[r, column] = zeros
                byte = 0
                zeros = 0
                shift = 0
                column += 1
    if shift > 0:
        work.out_bit[r, column] = byte
        work.out_zero[r, column] = zeros
    for l in range(layers):
        work.out_rank[r, l] = work.layer_rank[l]
    for l in range(k):
        work.out_point[r, l] = work.point_y[point, l]
    work.state[2] = r + 1
    work.stat[S_REGIONS] += 1


@inner
def _emit_hard(net, work, k, bits, split, point):
    """Hand the cell back: path bits, this layer's decisions, the units in question, a point."""
    r = work.state[3]
    total = work.layer_bit.shape[0]
    a = net.unit_start[k]
    n = net.units[k]
    work.hard_layer[r] = k
    for g in range(total):
        if g < a:
            work.hard_bit[r, g] = 2 if work.layer_zero[g] == 1 else work.layer_bit[g]
            work.hard_split[r, g] = work.layer_split[g]
        else:
            work.hard_bit[r, g] = -1
            work.hard_split[r, g] = 0
    for i in range(n):
        work.hard_bit[r, a + i] = bits[i]
        work.hard_split[r, a + i] = split[i]
        work.hard_flag[r, i] = work.flagged[i]
    for l in range(work.chart_point.shape[0]):
        work.hard_point[r, l] = work.point_y[point, l]
    work.state[3] = r + 1
    work.stat[S_HARD] += 1


@inner
def _settle(net, work, k, rows, bits, first, last, has_vertex):
    """Decide every undecided unit of the layer on this cell.

    Returns (number of cutting units in ``work.list``, hard units, new end of the points, whether
    the vertex in ``work.x`` is valid).
    """
    a = net.unit_start[k]
    n = net.units[k]
    d = work.x.shape[0]
    capacity = work.point.shape[0]
    for i in range(n):
        work.flagged[i] = False
        if bits[i] >= 0:
            continue
        p = False
        q = False
        for r in range(first, last):
            v = work.point_sign[r, i]
            if v > 0:
                p = True
            elif v < 0:
                q = True
        work.pos[i] = p
        work.neg[i] = q
    hard = 0
    for i in range(n):
        if bits[i] >= 0:
            continue
        if work.pos[i] and work.neg[i]:
            work.stat[S_POINTS] += 1
            continue
        sides = 1
        if not work.pos[i] and not work.neg[i]:
            sides = 2
        missed = 0
        mark = work.log_state[0]
        for turn in range(sides):
            if sides == 1:
                side = 1 if work.pos[i] else -1
            else:
                side = 1 if turn == 0 else -1
            # a base point on the known side
            base = first
            for r in range(first, last):
                if work.point_sign[r, i] == side:
                    base = r
                    break
            verdict = _test(net, work, k, rows, i, side, base, last, has_vertex)
            has_vertex = True
            for q in range(d):
                if work.basis[q] < 0:
                    has_vertex = False
            if verdict == OPEN:
                has_vertex = False
            if verdict == CUTS and last + 1 >= capacity:
                # no room for the point that proves it: let exact arithmetic split the cell
                work.stat[S_DROPPED] += 1
                work.flagged[i] = True
            elif verdict == CUTS:
                _signs(work, a, n, work.point[last], work.point_sign[last], bits)
                for j in range(n):
                    if bits[j] < 0:
                        if work.point_sign[last, j] > 0:
                            work.pos[j] = True
                        elif work.point_sign[last, j] < 0:
                            work.neg[j] = True
                last += 1
            elif verdict == MISSES:
                missed += 1
                _log_miss(work, i, side)
                if sides == 1:
                    bits[i] = 1 if side > 0 else 0
                    break
            else:
                work.flagged[i] = True
        if sides == 2 and bits[i] < 0:
            if work.flagged[i] or missed == 2:
                # both sides empty needs the row to vanish: exact arithmetic must say so
                work.flagged[i] = True
            elif missed == 1:
                bits[i] = 1 if work.pos[i] else 0
        if work.flagged[i]:
            if work.pos[i] and work.neg[i]:
                work.flagged[i] = False
            else:
                hard += 1
        if bits[i] < 0:
            work.log_state[0] = mark
        if bits[i] >= 0 and has_vertex:
            # other units whose optimum is this very vertex need no search
            for j in range(i + 1, n):
                if bits[j] < 0 and work.pos[j] != work.neg[j]:
                    if _at_vertex(net, work, k, j, 1 if work.pos[j] else -1):
                        bits[j] = 1 if work.pos[j] else 0
                        work.stat[S_VERTEX] += 1
                        _log_miss(work, j, 1 if work.pos[j] else -1)
    cuts = 0
    for i in range(n):
        if bits[i] < 0 and not work.flagged[i]:
            work.list[cuts] = i
            cuts += 1
    return cuts, hard, last, has_vertex


@inner
def _split(net, work, k, rows, bits, split, first, last, has_vertex, cuts, share):
    """Split the cell by one of the cutting units and push both halves."""
    d = work.x.shape[0]
    a = net.unit_start[k]
    n = net.units[k]
    i = work.list[0]
    g = a + i
    _log_unit(work, LOG_SPLIT, i)
    # points of the negative side first, the others after; points on neither side are dropped
    low = first
    for r in range(first, last):
        if work.point_sign[r, i] < 0:
            if r != low:
                _swap_points(work, r, low, d, n)
            low += 1
    high = low
    for r in range(low, last):
        if work.point_sign[r, i] > 0:
            if r != high:
                _swap_points(work, r, high, d, n)
            high += 1
    z = work.rows[g, d]
    if has_vertex:
        for l in range(d):
            z += work.rows[g, l] * work.x[l]
    limit = work.radius[g] * (d + 1)
    top = work.state[0]
    for half in range(2):
        side = -1 if half == 0 else 1
        f = top + half
        work.cell_layer[f] = k
        work.cell_rows[f] = rows
        work.cell_unit[f] = i
        work.cell_side[f] = side
        work.cell_first[f] = first if half == 0 else low
        work.cell_last[f] = low if half == 0 else high
        work.cell_depth[f] = share * 0.5
        for j in range(n):
            work.cell_bit[f, j] = bits[j]
            work.cell_split[f, j] = split[j]
        work.cell_bit[f, i] = 1 if side > 0 else 0
        work.cell_split[f, i] = 1
        keep = has_vertex and z * side >= -limit
        work.cell_vertex[f] = keep
        if keep:
            for q in range(d):
                work.cell_basis[f, q] = work.basis[q]
                work.cell_x[f, q] = work.x[q]
                for l in range(d):
                    work.cell_inverse[f, q, l] = work.inverse[q, l]
    work.state[0] = top + 2


@inner
def _swap_points(work, r, s, d, n):
    for l in range(d):
        t = work.point[r, l]
        work.point[r, l] = work.point[s, l]
        work.point[s, l] = t
    for l in range(work.point_y.shape[1]):
        t = work.point_y[r, l]
        work.point_y[r, l] = work.point_y[s, l]
        work.point_y[s, l] = t
    for j in range(n):
        v = work.point_sign[r, j]
        work.point_sign[r, j] = work.point_sign[s, j]
        work.point_sign[s, j] = v


@kernel
def load_task(net, work, layer, bits, split, points, chart_points):
    """Put a task on the empty stack.

    Parameters
    ----------
    layer : int
        0-based layer whose units are being decided, −1 for the root.
    bits, split : (N,) int8
        Decisions of all units (−1 undecided, 0, 1, 2 zero, 3 tied) and which of them are walls.
    points, chart_points : (p, d), (p, k) arrays
        Points strictly inside the cell: cube coordinates (to one rounding each) of the exact
        float64 chart points.

    Returns
    -------
    bool : False where float arithmetic cannot prove the points to be inside.
    """
    d = work.x.shape[0]
    work.state[0] = 0
    work.state[1] = 0
    _first_layer(net, work)
    rows = work.walls[0]
    start = layer if layer >= 0 else 0
    for k in range(start + 1):
        if k > 0:
            _next_layer(net, work, k)
        a = net.unit_start[k]
        for i in range(net.units[k]):
            if layer >= 0 and split[a + i] == 1:
                _push_row(net, work, rows, a + i, 1 if bits[a + i] == 1 else -1)
                rows += 1
        if k < start:
            n = net.units[k]
            _finish_layer(net, work, k, bits[a : a + n], split[a : a + n])
    count = 0
    for p in range(points.shape[0]):
        for l in range(d):
            work.candidate[l] = points[p, l]
        if _inside(work, rows, work.candidate):
            for l in range(d):
                work.point[count, l] = points[p, l]
            for l in range(work.point_y.shape[1]):
                work.point_y[count, l] = chart_points[p, l]
            count += 1
    if count == 0:
        return False
    a = net.unit_start[start]
    n = net.units[start]
    if layer < 0:
        _enter_layer(net, work, 0, work.cell_bit[0], work.cell_split[0])
    else:
        for i in range(n):
            work.cell_bit[0, i] = bits[a + i]
            work.cell_split[0, i] = split[a + i]
    for p in range(count):
        _signs(work, a, n, work.point[p], work.point_sign[p], work.cell_bit[0])
    work.cell_layer[0] = start
    work.cell_rows[0] = rows
    work.cell_unit[0] = -1
    work.cell_first[0] = 0
    work.cell_last[0] = count
    work.cell_vertex[0] = False
    work.cell_depth[0] = 1.0
    work.state[0] = 1
    return True


@kernel
def export_open(net, work, layer, decision, splits, points):
    """Copy the open cells, bottom of the stack first, and empty the stack.

    A cell's layers below its own are those of the current path: the search is depth first, so
    only layers above the topmost open cell's have been overwritten since it was pushed.
    """
    count = work.state[0]
    for f in range(count):
        k = work.cell_layer[f]
        a = net.unit_start[k]
        n = net.units[k]
        layer[f] = k
        for g in range(decision.shape[1]):
            if g < a:
                decision[f, g] = 2 if work.layer_zero[g] == 1 else work.layer_bit[g]
                splits[f, g] = work.layer_split[g]
            else:
                decision[f, g] = -1
                splits[f, g] = 0
        for i in range(n):
            decision[f, a + i] = work.cell_bit[f, i]
            splits[f, a + i] = work.cell_split[f, i]
        for l in range(points.shape[1]):
            points[f, l] = work.point_y[work.cell_first[f], l]
    work.state[0] = 0


@kernel
def run(net, work, layers, budget):
    """Process open cells until none is left, a buffer is full or ``budget`` cells are done."""
    d = work.x.shape[0]
    bits = work.bits
    split = work.split
    out_capacity = work.out_bit.shape[0]
    hard_capacity = work.hard_layer.shape[0]
    log_limit = work.log.shape[0] - log_reserve(work.layer_bit.shape[0], d)
    while work.state[0] > 0:
        if work.state[2] >= out_capacity:
            return OUTPUT_FULL
        if work.state[3] >= hard_capacity:
            return HARD_FULL
        if work.log.shape[0] > 0 and work.log_state[0] > log_limit:
            return LOG_FULL
        if budget <= 0:
            return BUDGET
        budget -= 1
        f = work.state[0] - 1
        work.state[0] = f
        work.stat[S_CELLS] += 1
        k = work.cell_layer[f]
        rows = work.cell_rows[f]
        first = work.cell_first[f]
        last = work.cell_last[f]
        share = work.cell_depth[f]
        undecided = 0
        for i in range(net.units[k]):
            bits[i] = work.cell_bit[f, i]
            split[i] = work.cell_split[f, i]
            if bits[i] < 0:
                undecided += 1
        if work.cell_unit[f] >= 0:
            _push_row(net, work, rows, net.unit_start[k] + work.cell_unit[f], work.cell_side[f])
            rows += 1
        has_vertex = work.cell_vertex[f]
        if has_vertex:
            for q in range(d):
                work.basis[q] = work.cell_basis[f, q]
                work.x[q] = work.cell_x[f, q]
                for l in range(d):
                    work.inverse[q, l] = work.cell_inverse[f, q, l]
        while True:
            if undecided > 0:
                if net.central[k]:
                    _mark_rows(net, work, k, rows)
                cuts, hard, last, has_vertex = _settle(
                    net, work, k, rows, bits, first, last, has_vertex
                )
                if hard > 0:
                    _emit_hard(net, work, k, bits, split, first)
                    _log_step(work, LOG_DEFER)
                    work.done_share[0] += share
                    break
                if cuts > 0:
                    _split(
                        net, work, k, rows, bits, split, first, last, has_vertex, cuts, share
                    )
                    break
            _finish_layer(net, work, k, bits, split)
            if k + 1 == layers:
                _emit(net, work, layers, first)
                _log_step(work, LOG_LEAF)
                work.done_share[0] += share
                break
            k += 1
            _log_step(work, LOG_NEXT)
            _next_layer(net, work, k)
            _enter_layer(net, work, k, bits, split)
            undecided = 0
            for i in range(net.units[k]):
                if bits[i] < 0:
                    undecided += 1
            if undecided > 0:
                if last > first + 8:
                    last = first + 8
                for p in range(first, last):
                    _signs(
                        work, net.unit_start[k], net.units[k], work.point[p], work.point_sign[p],
                        bits,
                    )
    return DONE
