"""The arrays of one search, allocated once: everything the compiled kernels read and write."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyrank.cells.arrays import NetArrays
from polyrank.cells.compose import gamma
from polyrank.cells.statistics import STATISTICS
from polyrank.lp.jit import kernel

__all__ = [
    "BLAND_AFTER",
    "BUDGET",
    "CUTS",
    "DONE",
    "HARD_FULL",
    "LOG_BYTES",
    "LOG_FULL",
    "MAX_PIVOTS",
    "MISSES",
    "OPEN",
    "OUTPUT_FULL",
    "POINT_BYTES",
    "STATISTICS",
    "SUBSETS",
    "S_CACHED",
    "S_CELLS",
    "S_CUTS",
    "S_DROPPED",
    "S_ENCLOSURE",
    "S_HARD",
    "S_INTEGERS",
    "S_INTERVAL",
    "S_MINORS",
    "S_PIVOTS",
    "S_POINTS",
    "S_RANK_INTEGER",
    "S_RANK_OPEN",
    "S_REFACTORED",
    "S_REGIONS",
    "S_RESIDUAL",
    "S_STRUCTURE",
    "S_TESTS",
    "S_VERTEX",
    "Work",
    "log_reserve",
    "new_work",
]

# return codes of run()
DONE, OUTPUT_FULL, HARD_FULL, BUDGET, LOG_FULL = 0, 1, 2, 3, 4
# verdicts of one test
MISSES, CUTS, OPEN = 0, 1, 2

(
    S_TESTS, S_PIVOTS, S_RESIDUAL, S_ENCLOSURE, S_INTEGERS, S_INTERVAL, S_STRUCTURE, S_POINTS,
    S_VERTEX, S_CUTS, S_HARD, S_CELLS, S_REGIONS, S_MINORS, S_CACHED, S_RANK_INTEGER,
    S_RANK_OPEN, S_DROPPED, S_REFACTORED,
) = range(len(STATISTICS))  # fmt: skip

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
    power: NDArray[np.int64]  # (N,) true row = 2**power · (row ± error)
    radius: NDArray[np.float64]  # (N,) error + rounding of one evaluation
    exponent: NDArray[np.int64]  # (N,) integer exponent or −1
    compose_work: NDArray[np.float64]
    magnitude: NDArray[np.float64]
    slope: NDArray[np.float64]
    factor: NDArray[np.float64]
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


@kernel
def log_reserve(units, dim):
    """Bytes that the steps of one cell can need, on its way through all layers."""
    return (units + 2) * (4 + 2 * dim) + 16


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
        power=np.zeros(total, dtype=i),
        radius=np.zeros(total),
        exponent=np.full(total, -1, dtype=i),
        compose_work=np.zeros((dim + 1, width)),
        magnitude=np.zeros(width),
        slope=np.zeros(width),
        factor=np.zeros(width),
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
