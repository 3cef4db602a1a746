"""The arrays of the walk over a run's regions, and the numbers that they hold.

A *row* is a wall of the domain (``0 .. W − 1``) or a unit (``W + unit``); its affine form is
``orient[row] · table[row]``, positive on the current region. Rows of units are composed anew for
every cell of the layers below.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyrank.cells.arrays import NetArrays
from polyrank.cells.compose import gamma

__all__ = [
    "MISSING",
    "PENDING",
    "STATISTICS",
    "WALL",
    "Codes",
    "Found",
    "Walk",
    "new_found",
    "new_walk",
]

#: Neighbours that are not regions: the wall, no listed region, to be decided in rationals.
WALL, MISSING, PENDING = -1, -2, -3
#: In ``odd``: a row of an open region that is not proved redundant.
CANDIDATE = -6
#: Values of ``found_to`` of a facet: to be looked up; an edge that the neighbour has made already.
UNKNOWN, KNOWN = -4, -5
#: An edge that its target finds by itself, and the end of a list of edges.
UNLINKED, LAST = -2, -1

# status of a candidate
NEW, FACET, OUT, ATTACHED = 0, 1, 2, 3
# outcome of a linear program
REDUNDANT, PROPORTIONAL, TIGHT, VIOLATED, UNDECIDED = 0, 1, 2, 3, 4

STATISTICS = (
    "lps", "pivots", "by_residual", "by_integers", "by_enclosure", "by_interval", "by_structure",
    "by_vertex", "by_recall", "by_segment", "from_neighbours", "rays", "cells", "pending",
    "missing",
)  # fmt: skip
(
    S_LPS, S_PIVOTS, S_RESIDUAL, S_INTEGERS, S_ENCLOSURE, S_INTERVAL, S_STRUCTURE, S_VERTEX,
    S_RECALL, S_SEGMENT, S_KNOWN, S_RAYS, S_CELLS, S_PENDING, S_MISSING,
) = range(len(STATISTICS))  # fmt: skip

# counters of ``state``
(
    EDGES, WALLS, POINTS, ODD, VALID, GATHERED, POOL, POOL_TURN, ACTIVE, KEPT, TOUCHED, LEVEL,
) = range(12)  # fmt: skip

#: Farkas proofs remembered per row, and vertices per cell.
PROOFS, VERTICES = 24, 128


class Codes(NamedTuple):
    """The run's codewords: rows as bytes, Zobrist keys, an open-addressing table of rows."""

    code: NDArray[np.uint8]  # (R, B)
    zero: NDArray[np.uint8]  # (R, B), or (0, B) where no unit vanishes anywhere
    witness: NDArray[np.float64]  # (R, k), NaN where it is not float64
    key: NDArray[np.uint64]  # (bits,)
    table: NDArray[np.int32]  # power of two, −1 empty
    bit: NDArray[np.int64]  # (N,) bit of each unit, −1 without hyperplane
    unit: NDArray[np.int64]  # (bits,) unit of each bit
    mask: NDArray[np.uint8]  # (L + 1, B): bits of the layers below
    flip_start: NDArray[np.int64]  # (N + 1,)
    flip: NDArray[np.int64]  # bits of the units that are multiples of a unit, itself first
    flip_key: NDArray[np.uint64]  # (N,) their keys together


class Found(NamedTuple):
    """What a walk finds. Edges lead from a region to a later one.

    ``head[r]``, ``edge_next`` are the lists of the edges that lead to region r and that it need
    not find again; ``is_open`` marks regions that rationals must settle. ``odd`` rows are (region,
    target or MISSING or PENDING, row): facets that lead back, nowhere, or where rationals must say;
    (region, CANDIDATE, row) are the rows of an open region that may be facets (all, if none is
    named). A point belongs to the edge, or to the odd facet −1 − i, that ``point_owner`` names;
    edges without one cross at the segment to the target's witness.
    """

    edge_source: NDArray[np.int32]
    edge_target: NDArray[np.int32]
    edge_row: NDArray[np.int32]
    edge_next: NDArray[np.int32]
    head: NDArray[np.int32]  # (R,)
    wall_region: NDArray[np.int32]
    wall_row: NDArray[np.int32]
    odd: NDArray[np.int64]  # (·, 3)
    point_owner: NDArray[np.int64]
    point: NDArray[np.float64]  # (·, k)
    is_open: NDArray[np.bool_]  # (R,)


class Walk(NamedTuple):
    """The state of a walk. W walls, N units, C = W + N rows, d cube dimension, L layers."""

    table: NDArray[np.float64]  # (C, d + 1)
    radius: NDArray[np.float64]  # (C,) error of a coefficient or an evaluation
    exponent: NDArray[np.int64]  # (C,) integers times 2**-exponent, −1 unknown
    orient: NDArray[np.float64]  # (C,) ±1
    layer: NDArray[np.int64]  # (N,) layer of a unit
    error: NDArray[np.float64]  # (N,)
    scale: NDArray[np.float64]
    compose_work: NDArray[np.float64]
    magnitude: NDArray[np.float64]
    slope: NDArray[np.float64]
    on: NDArray[np.int8]  # (N,) bits of the current region
    vanish: NDArray[np.int8]
    word: NDArray[np.uint64]  # (L, V) the bits of each layer
    loaded: NDArray[np.int64]  # (L,) how often the layer's rows were composed
    bound: NDArray[np.int64]  # (L,) bound of the rank of each layer's rows
    hash: NDArray[np.uint64]  # (1,) key of the current codeword
    kept: NDArray[np.int64]  # (L + 1, C) rows not proved redundant on the cell of the layers below
    kept_count: NDArray[np.int64]
    cutting: NDArray[np.int64]  # (L + 1, N) units of a layer not proved redundant there
    cutting_count: NDArray[np.int64]
    attached: NDArray[np.int64]  # stack of (row, the row that it is a multiple of)
    attached_count: NDArray[np.int64]  # (L + 1,) its height after each layer's sieve
    varying: NDArray[np.uint8]
    # the cell's rows, positive inside: first those that are always there, then the candidates
    candidate: NDArray[np.int64]
    position: NDArray[np.int64]  # (C,) place of a row, −1 if it is not there
    status: NDArray[np.int64]
    side: NDArray[np.float64]  # orientation of the row's columns, 0 where it is taken out
    columns: NDArray[np.float64]  # (d + 1, ·)
    form: NDArray[np.float64]  # (·, d + 1)
    form_radius: NDArray[np.float64]
    form_exponent: NDArray[np.int64]
    central: NDArray[np.bool_]
    member: NDArray[np.bool_]
    always: NDArray[np.int64]  # [rows that are always present, own walls]
    depth: NDArray[np.float64]  # values at the witness, positive
    value: NDArray[np.float64]
    found_to: NDArray[np.int64]
    found_point: NDArray[np.bool_]
    found_y: NDArray[np.float64]  # (·, k) points beyond the facets
    # the linear program over the cell's rows
    x: NDArray[np.float64]
    basis: NDArray[np.int64]
    inverse: NDArray[np.float64]
    slack: NDArray[np.float64]
    rate: NDArray[np.float64]
    rates: NDArray[np.float64]
    sizes: NDArray[np.float64]
    objective: NDArray[np.float64]
    square: NDArray[np.float64]
    work: NDArray[np.float64]  # (d,)
    side_word: NDArray[np.uint64]  # the sides of the cell's rows
    pool_x: NDArray[np.float64]  # vertices of the cell that earlier programs ended in
    pool_basis: NDArray[np.int64]
    pool_inverse: NDArray[np.float64]
    pool_word: NDArray[np.uint64]  # (VERTICES, ·) sides of the rows, those of its basis as turned
    pool_mask: NDArray[np.uint64]  # the rows that do not meet in it
    pool_simple: NDArray[np.bool_]
    active: NDArray[np.int64]  # the vertices of the current region
    # remembered proofs, per row
    proof_mask: NDArray[np.uint64]  # (C, PROOFS, V)
    proof_word: NDArray[np.uint64]
    proof_layer: NDArray[np.int64]  # (C, PROOFS), −1 empty
    proof_stamp: NDArray[np.int64]
    proof_turn: NDArray[np.int64]  # (C,)
    # points
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    y: NDArray[np.float64]
    direction: NDArray[np.float64]
    inner_point: NDArray[np.float64]
    state: NDArray[np.int64]
    stat: NDArray[np.int64]


def new_found(regions: int, dim: int, room: int) -> Found:
    """Allocate room for that many edges, wall facets and odd facets."""
    return Found(
        edge_source=np.zeros(room, dtype=np.int32),
        edge_target=np.zeros(room, dtype=np.int32),
        edge_row=np.zeros(room, dtype=np.int32),
        edge_next=np.zeros(room, dtype=np.int32),
        head=np.full(regions, LAST, dtype=np.int32),
        wall_region=np.zeros(room, dtype=np.int32),
        wall_row=np.zeros(room, dtype=np.int32),
        odd=np.zeros((room, 3), dtype=np.int64),
        point_owner=np.zeros(room, dtype=np.int64),
        point=np.zeros((room, dim)),
        is_open=np.zeros(regions, dtype=np.bool_),
    )


def new_walk(net: NetArrays, dim: int, own_walls: int) -> Walk:
    """Allocate the arrays of a walk in cube dimension ``dim``."""
    layers = len(net.units)
    total = int(net.unit_start[-1])
    width = int(net.units.max())
    walls = len(net.wall_rows)
    rows = walls + total
    k = len(net.centre)
    words = (width + 63) // 64
    guards = walls - own_walls  # t ≥ 0 and the cube's walls, which bound cones
    room = rows + guards
    i = np.int64
    out = Walk(
        table=np.zeros((rows, dim + 1)),
        radius=np.zeros(rows),
        exponent=np.full(rows, -1, dtype=i),
        orient=np.ones(rows),
        layer=np.repeat(np.arange(layers), net.units).astype(i),
        error=np.zeros(total),
        scale=np.zeros(total),
        compose_work=np.zeros((dim + 1, width)),
        magnitude=np.zeros(width),
        slope=np.zeros(width),
        on=np.zeros(total, dtype=np.int8),
        vanish=np.zeros(total, dtype=np.int8),
        word=np.zeros((layers, words), dtype=np.uint64),
        loaded=np.zeros(layers, dtype=i),
        bound=np.zeros(layers, dtype=i),
        hash=np.zeros(1, dtype=np.uint64),
        kept=np.zeros((layers + 1, rows), dtype=i),
        kept_count=np.zeros(layers + 1, dtype=i),
        cutting=np.zeros((layers + 1, total), dtype=i),
        cutting_count=np.zeros(layers + 1, dtype=i),
        attached=np.zeros((rows + 1, 2), dtype=i),
        attached_count=np.zeros(layers + 1, dtype=i),
        varying=np.zeros(max(1, (int(net.hyperplane.sum()) + 7) // 8), dtype=np.uint8),
        candidate=np.full(room, -1, dtype=i),
        position=np.full(rows, -1, dtype=i),
        status=np.full(room, OUT, dtype=i),
        side=np.zeros(room),
        columns=np.zeros((dim + 1, room)),
        form=np.zeros((room, dim + 1)),
        form_radius=np.zeros(room),
        form_exponent=np.full(room, -1, dtype=i),
        central=np.zeros(room, dtype=np.bool_),
        member=np.zeros(room, dtype=np.bool_),
        always=np.array([guards, own_walls], dtype=i),
        depth=np.zeros(room),
        value=np.zeros(room),
        found_to=np.zeros(room, dtype=i),
        found_point=np.zeros(room, dtype=np.bool_),
        found_y=np.zeros((room, k)),
        x=np.zeros(dim),
        basis=np.zeros(dim, dtype=i),
        inverse=np.zeros((dim, dim)),
        slack=np.zeros(room),
        rate=np.zeros(room),
        rates=np.zeros(dim),
        sizes=np.zeros(dim),
        objective=np.zeros(dim + 1),
        square=np.zeros((dim, 2 * dim)),
        work=np.zeros(dim),
        side_word=np.full((room + 63) // 64, np.uint64(2**64 - 1)),
        pool_x=np.zeros((VERTICES, dim)),
        pool_basis=np.zeros((VERTICES, dim), dtype=i),
        pool_inverse=np.zeros((VERTICES, dim, dim)),
        pool_word=np.zeros((VERTICES, (room + 63) // 64), dtype=np.uint64),
        pool_mask=np.zeros((VERTICES, (room + 63) // 64), dtype=np.uint64),
        pool_simple=np.zeros(VERTICES, dtype=np.bool_),
        active=np.zeros(VERTICES + 1, dtype=i),
        proof_mask=np.zeros((rows, PROOFS, words), dtype=np.uint64),
        proof_word=np.zeros((rows, PROOFS, words), dtype=np.uint64),
        proof_layer=np.full((rows, PROOFS), -1, dtype=i),
        proof_stamp=np.zeros((rows, PROOFS), dtype=i),
        proof_turn=np.zeros(rows, dtype=i),
        p=np.zeros(dim),
        q=np.zeros(dim),
        y=np.zeros(k),
        direction=np.zeros(dim),
        inner_point=np.zeros(dim),
        state=np.zeros(12, dtype=i),
        stat=np.zeros(len(STATISTICS), dtype=i),
    )
    rounding = gamma(dim + 4)
    out.table[:walls] = net.wall_rows
    out.radius[:walls] = net.wall_error + rounding
    out.exponent[:walls] = net.wall_exponent
    for m in range(guards):
        wall = own_walls + m
        row = net.wall_rows[wall]
        central = row[dim] == 0.0 and net.wall_error[wall] == 0.0
        out.form[m] = row
        out.columns[:, m] = row
        out.side[m] = 1.0
        out.form_radius[m] = net.wall_error[wall] + rounding
        out.form_exponent[m] = net.wall_exponent[wall]
        out.central[m] = central
        out.member[m] = net.homogeneous and not row[: net.constant_column].any() and central
    return out
