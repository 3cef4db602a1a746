"""The compiled walk over a run's regions: the facets of every region, each with its proof.

A region is the intersection of the walls of the domain and one half-space per unit. The walk goes
through the regions in the order of the file, which is that of a depth-first search, and keeps for
every prefix of layers the rows that are not proved redundant on the prefix's cell; a region's
candidates are those of the cell above and the units of its own layer that are not constant
there. Among candidates (Clarkson's method):

* a row is **redundant** by Farkas multipliers over the other rows (the proofs of
  :mod:`polyrank.lp.certify`);
* a row is a **facet** by two points: p, the region's witness, strictly inside every row, and q,
  strictly inside every row but strictly outside the one (and those proportional to it). The
  segment p q leaves the region through the relative interior of the facet.

Proportional rows are found exactly (an identity in integers with a single multiplier); they
change sign together. What float and 64-bit arithmetic cannot prove makes the region *open*: it is
handed back and decided in rational arithmetic.

Since the network is continuous, only units that vanish on the facet change sign across it; where
none of them lies above another the neighbour's codeword is the region's with their bits flipped,
and it is looked up among the run's codewords.

Source: K. L. Clarkson, "More output-sensitive geometric algorithms", FOCS 1994, 695-702.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from polyrank.cells.arrays import NetArrays
from polyrank.cells.compose import compose, gamma
from polyrank.lp.certify import INFLATE, by_enclosure, by_residual
from polyrank.lp.simplex import choose_edge, move, ratio_test, refactor, slacks

__all__ = ["MISSING", "PENDING", "STATISTICS", "WALL", "Codes", "Walk", "new_walk", "walk"]

#: Neighbours that are not regions: the wall, no listed region, to be decided in rationals.
WALL, MISSING, PENDING = -1, -2, -3

STATISTICS = (
    "lps", "pivots", "by_residual", "by_integers", "by_enclosure", "by_interval", "by_structure",
    "rays", "from_neighbours", "facets", "walls", "open", "pending", "missing", "cells",
)  # fmt: skip
(
    S_LPS, S_PIVOTS, S_RESIDUAL, S_INTEGERS, S_ENCLOSURE, S_INTERVAL, S_STRUCTURE, S_RAYS, S_KNOWN,
    S_FACETS, S_WALLS, S_OPEN, S_PENDING, S_MISSING, S_CELLS,
) = range(len(STATISTICS))  # fmt: skip

# outcome of one linear program
REDUNDANT, PROPORTIONAL, VIOLATED, UNDECIDED = 0, 1, 2, 3
# status of a candidate
NEW, FACET, OUT, ATTACHED = 0, 1, 2, 3

MAX_PIVOTS = 300
BLAND_AFTER = 30
MAX_ROUNDS = 60
NUDGES = (0.0, 1e-3, 2e-2, 1e-5, 0.2)


class Codes(NamedTuple):
    """The run's codewords: rows as bytes, Zobrist hashes, an open-addressing table of rows."""

    code: NDArray[np.uint8]  # (R, B)
    zero: NDArray[np.uint8]  # (R, B), or (0, B) where no unit vanishes anywhere
    witness: NDArray[np.float64]  # (R, k), NaN where it is not float64
    hash: NDArray[np.uint64]  # (R,)
    key: NDArray[np.uint64]  # (bits,)
    table: NDArray[np.int32]  # power of two, −1 empty
    bit: NDArray[np.int64]  # (N,) bit of each unit, −1 without hyperplane
    mask: NDArray[np.uint8]  # (L + 1, B): bits of the layers below


class Walk(NamedTuple):
    """All arrays of a walk. W walls, N units, d cube dimension, L layers, C = W + N."""

    rows: NDArray[np.float64]
    error: NDArray[np.float64]
    scale: NDArray[np.float64]
    radius: NDArray[np.float64]
    exponent: NDArray[np.int64]
    compose_work: NDArray[np.float64]
    magnitude: NDArray[np.float64]
    slope: NDArray[np.float64]
    on: NDArray[np.int8]  # (N,) bits of the current region
    vanish: NDArray[np.int8]
    bound: NDArray[np.int64]  # (L,) bound of the rank of each layer's rows
    table: NDArray[np.float64]  # (C, d + 1) rows oriented to be positive on the region
    table_radius: NDArray[np.float64]
    table_exponent: NDArray[np.int64]
    kept: NDArray[np.int64]  # (L + 1, C)
    kept_count: NDArray[np.int64]
    cutting: NDArray[np.int64]  # (L + 1, N)
    cutting_count: NDArray[np.int64]
    attached: NDArray[np.int64]  # stack of (row, the row that it is a multiple of)
    attached_count: NDArray[np.int64]  # (L + 1,) its height after each layer's sieve
    varying: NDArray[np.uint8]
    candidate: NDArray[np.int64]
    status: NDArray[np.int64]
    columns: NDArray[np.float64]  # linear program: rows column-major
    lp_table: NDArray[np.float64]
    lp_radius: NDArray[np.float64]
    lp_exponent: NDArray[np.int64]
    lp_central: NDArray[np.bool_]
    lp_member: NDArray[np.bool_]
    lp_id: NDArray[np.int64]
    always: NDArray[np.int64]  # [rows that are always present, own walls]
    x: NDArray[np.float64]
    basis: NDArray[np.int64]
    inverse: NDArray[np.float64]
    slack: NDArray[np.float64]
    rate: NDArray[np.float64]
    rates: NDArray[np.float64]
    objective: NDArray[np.float64]
    square: NDArray[np.float64]
    p: NDArray[np.float64]
    depth: NDArray[np.float64]  # values of the candidates at p
    direction: NDArray[np.float64]
    q: NDArray[np.float64]
    y: NDArray[np.float64]
    found_y: NDArray[np.float64]  # (C, k) points beyond the facets
    # results
    facet_start: NDArray[np.int64]  # (R,)
    facet_count: NDArray[np.int32]  # (R,) −1: not done or open
    state: NDArray[np.int64]  # [facets, edges, open regions]
    stat: NDArray[np.int64]


def new_walk(net: NetArrays, dim: int, own_walls: int, regions: int) -> Walk:
    """Allocate the arrays of a walk over ``regions`` regions in cube dimension ``dim``."""
    layers = len(net.units)
    total = int(net.unit_start[-1])
    width = int(net.units.max())
    walls = len(net.wall_rows)
    capacity = walls + total
    k = len(net.centre)
    bounded = net.constant_column == dim and net.linear_columns == dim and own_walls == walls
    guards = 2 * dim if bounded else walls - own_walls
    f, i = np.float64, np.int64
    out = Walk(
        rows=np.zeros((total, dim + 1)),
        error=np.zeros(total),
        scale=np.zeros(total),
        radius=np.zeros(total),
        exponent=np.full(total, -1, dtype=i),
        compose_work=np.zeros((dim + 1, width)),
        magnitude=np.zeros(width),
        slope=np.zeros(width),
        on=np.zeros(total, dtype=np.int8),
        vanish=np.zeros(total, dtype=np.int8),
        bound=np.zeros(layers, dtype=i),
        table=np.zeros((capacity, dim + 1)),
        table_radius=np.zeros(capacity),
        table_exponent=np.full(capacity, -1, dtype=i),
        kept=np.zeros((layers + 1, capacity), dtype=i),
        kept_count=np.zeros(layers + 1, dtype=i),
        cutting=np.zeros((layers + 1, total), dtype=i),
        cutting_count=np.zeros(layers + 1, dtype=i),
        attached=np.zeros((capacity + 1, 2), dtype=i),
        attached_count=np.zeros(layers + 1, dtype=i),
        varying=np.zeros(max(1, (int(net.hyperplane.sum()) + 7) // 8), dtype=np.uint8),
        candidate=np.zeros(capacity, dtype=i),
        status=np.zeros(capacity, dtype=i),
        columns=np.zeros((dim + 1, capacity + guards)),
        lp_table=np.zeros((capacity + guards, dim + 1)),
        lp_radius=np.zeros(capacity + guards),
        lp_exponent=np.full(capacity + guards, -1, dtype=i),
        lp_central=np.zeros(capacity + guards, dtype=np.bool_),
        lp_member=np.zeros(capacity + guards, dtype=np.bool_),
        lp_id=np.full(capacity + guards, -1, dtype=i),
        always=np.array([guards, own_walls], dtype=i),
        x=np.zeros(dim),
        basis=np.zeros(dim, dtype=i),
        inverse=np.zeros((dim, dim)),
        slack=np.zeros(capacity + guards),
        rate=np.zeros(capacity + guards),
        rates=np.zeros(dim),
        objective=np.zeros(dim + 1),
        square=np.zeros((dim, 2 * dim)),
        p=np.zeros(dim),
        depth=np.zeros(capacity),
        direction=np.zeros(dim),
        q=np.zeros(dim),
        y=np.zeros(k),
        found_y=np.zeros((capacity, k), dtype=f),
        facet_start=np.zeros(regions, dtype=i),
        facet_count=np.full(regions, -1, dtype=np.int32),
        state=np.zeros(4, dtype=i),
        stat=np.zeros(len(STATISTICS), dtype=i),
    )
    for m in range(walls):
        out.table[m] = net.wall_rows[m]
        out.table_radius[m] = net.wall_error[m] + gamma(dim + 4)
        out.table_exponent[m] = net.wall_exponent[m]
    for m in range(guards):
        if bounded:  # 2 ± u ≥ 0: true on the cube, never tight, and bounds every program
            row = np.zeros(dim + 1)
            row[m // 2] = 0.5 if m % 2 else -0.5
            row[dim] = 1.0
            radius, exponent, central, flat = gamma(dim + 4), 1, False, False
        else:
            row = net.wall_rows[own_walls + m]
            radius = net.wall_error[own_walls + m] + gamma(dim + 4)
            exponent = net.wall_exponent[own_walls + m]
            central = row[dim] == 0.0 and net.wall_error[own_walls + m] == 0.0
            flat = net.homogeneous and not row[: net.constant_column].any() and central
        out.columns[:, m] = row
        out.lp_table[m] = row
        out.lp_radius[m] = radius
        out.lp_exponent[m] = exponent
        out.lp_central[m] = central
        out.lp_member[m] = flat
    return out


@njit(cache=True, nogil=True, _nrt=False)
def _load_layer(net, w, k):
    """Rows of layer k on the current prefix, oriented into the table."""
    d = w.x.shape[0]
    b = net.unit_start[k]
    n_out = net.units[k]
    if k == 0:
        for i in range(n_out):
            for l in range(d + 1):
                w.rows[i, l] = net.first_rows[i, l]
            w.error[i] = net.first_error[i]
            w.scale[i] = net.first_scale[i]
            w.exponent[i] = net.first_exponent[i]
    else:
        a = net.unit_start[k - 1]
        n_in = net.units[k - 1]
        live = 0
        for j in range(n_in):
            s = net.slope_pos[a + j] if w.on[a + j] == 1 else net.slope_neg[a + j]
            w.slope[j] = s
            if s != 0.0 and w.vanish[a + j] == 0 and w.scale[a + j] != 0.0:
                live += 1
        before = net.linear_columns if k == 1 else w.bound[k - 2]
        w.bound[k - 1] = live if live < before else before
        start = net.weight_start[k]
        weight = net.weight[start : start + n_in * n_out].reshape(n_in, n_out)
        compose(
            weight, net.bias[b : b + n_out], net.exact_weight[k], net.exact_arithmetic[k],
            w.slope, w.rows[a : a + n_in], w.error[a : a + n_in], w.scale[a : a + n_in],
            net.constant_column if net.constant_column < d + 1 else d, n_in, n_out,
            w.rows[b : b + n_out], w.error[b : b + n_out], w.scale[b : b + n_out],
            w.compose_work, w.magnitude,
        )  # fmt: skip
        for i in range(n_out):
            w.exponent[b + i] = -1
            if net.exact_arithmetic[k]:
                if w.scale[b + i] > 0.0:
                    w.exponent[b + i] = net.lsb[k] + math.frexp(w.scale[b + i])[1] - 1
                else:
                    w.exponent[b + i] = 0
    rounding = gamma(d + 4)
    for i in range(n_out):
        w.radius[b + i] = w.error[b + i] + rounding


@njit(cache=True, nogil=True, _nrt=False)
def _orient(net, w, k):
    """Write layer k's rows into the table with the signs of the current region."""
    d = w.x.shape[0]
    base = net.wall_rows.shape[0]
    for g in range(net.unit_start[k], net.unit_start[k + 1]):
        s = 1.0 if w.on[g] == 1 else -1.0
        for l in range(d + 1):
            w.table[base + g, l] = s * w.rows[g, l]
        w.table_radius[base + g] = w.radius[g]
        w.table_exponent[base + g] = w.exponent[g]


@njit(cache=True, nogil=True, _nrt=False)
def _layer_of(net, g):
    layer = 0
    while net.unit_start[layer + 1] <= g:
        layer += 1
    return layer


@njit(cache=True, nogil=True, _nrt=False)
def _add_row(net, w, count, row):
    """Append a row of the table to the linear program."""
    d = w.x.shape[0]
    for l in range(d + 1):
        v = w.table[row, l]
        w.columns[l, count] = v
        w.lp_table[count, l] = v
    w.lp_radius[count] = w.table_radius[row]
    w.lp_exponent[count] = w.table_exponent[row]
    w.lp_id[count] = row
    base = net.wall_rows.shape[0]
    if row < base:
        w.lp_central[count] = net.wall_rows[row, d] == 0.0 and net.wall_error[row] == 0.0
    else:
        w.lp_central[count] = net.central[_layer_of(net, row - base)]
    w.lp_member[count] = False


@njit(cache=True, nogil=True, _nrt=False)
def _mark_members(net, w, count, k):
    """Which rows of the program lie in the row space that layer k's rows live in."""
    base = net.wall_rows.shape[0]
    below = net.unit_start[k - 1] if k > 0 else 0
    here = net.unit_start[k]
    for m in range(w.always[0], count):
        row = w.lp_id[m]
        inside = False
        if row >= base:
            g = row - base
            inside = g >= here
            if k > 0 and g >= below and g < here:
                s = net.slope_pos[g] if w.on[g] == 1 else net.slope_neg[g]
                inside = s != 0.0
        w.lp_member[m] = inside


@njit(cache=True, nogil=True, _nrt=False)
def _integers(w, objective_exponent):
    """The proof of :func:`polyrank.lp.certify.by_integers`, with the support of the multipliers.

    Returns −2 (no proof), −1 (proved, and never zero on a facet), or the one basis slot that the
    objective is a positive multiple of.
    """
    d = w.basis.shape[0]
    if objective_exponent < 0:
        return -2
    for q in range(d):
        b = w.basis[q]
        if b < 0 or w.lp_exponent[b] < 0:
            return -2
        scale = 2.0 ** w.lp_exponent[b]
        for l in range(d):
            w.square[q, l] = w.lp_table[b, l] * scale
    det = 1.0
    for c in range(d):
        p = c
        big = abs(w.square[c, c])
        for q in range(c + 1, d):
            if abs(w.square[q, c]) > big:
                big = abs(w.square[q, c])
                p = q
        if big == 0.0:
            return -2
        det *= big
        if det > 1e15:
            return -2
        if p != c:
            for l in range(d):
                t = w.square[c, l]
                w.square[c, l] = w.square[p, l]
                w.square[p, l] = t
        for q in range(c + 1, d):
            f = w.square[q, c] / w.square[c, c]
            if f != 0.0:
                for l in range(c, d):
                    w.square[q, l] -= f * w.square[c, l]
    det = np.rint(det)
    if det < 1.0:
        return -2
    objective_scale = 2.0**objective_exponent
    limit = 2.0**60 / (d + 2)
    support = 0
    slot = -1
    constant = np.int64(0)
    for l in range(d + 1):
        value = w.objective[l] * objective_scale
        if abs(value) * det > limit or abs(value) > 2.0**53:
            return -2
        total = np.int64(value) * np.int64(det)
        for q in range(d):
            b = w.basis[q]
            scale = 2.0 ** w.lp_exponent[b]
            mu = np.rint(w.rates[q] * (det * objective_scale / scale))
            entry = w.lp_table[b, l] * scale
            if mu < 0.0 or mu > 2.0**53 or abs(entry) > 2.0**53 or mu * abs(entry) > limit:
                return -2
            total -= np.int64(mu) * np.int64(entry)
            if l == 0 and mu > 0.0:
                support += 1
                slot = q
        if l < d:
            if total != 0:
                return -2
        else:
            constant = total
    if constant < 0:
        return -2
    return slot if constant == 0 and support == 1 else -1


@njit(cache=True, nogil=True, _nrt=False)
def _proof(net, w, row):
    """Whether the current basis proves the objective, a row of the table, redundant.

    Returns (verdict, row that it is a multiple of).
    """
    d = w.x.shape[0]
    base = net.wall_rows.shape[0]
    if by_residual(w.lp_table, w.lp_radius, w.basis, w.rates, w.objective, w.table_radius[row]):
        w.stat[S_RESIDUAL] += 1
        return REDUNDANT, -1
    slot = _integers(w, w.table_exponent[row])
    if slot >= -1:
        w.stat[S_INTEGERS] += 1
        if slot < 0:
            return REDUNDANT, -1
        b = w.basis[slot]
        if b < w.always[0]:
            return REDUNDANT, -1  # a multiple of a row that is no facet
        return PROPORTIONAL, w.lp_id[b]
    central = False
    dimension = d
    if row >= base:
        k = _layer_of(net, row - base)
        central = net.central[k]
        if k > 0:
            dimension = w.bound[k - 1] + (1 if net.homogeneous else 0)
    elif net.wall_error[row] == 0.0 and w.table[row, d] == 0.0:
        central = True
    if central:
        if by_enclosure(
            w.lp_table, w.lp_radius, w.basis, w.inverse, w.rates, w.objective,
            w.table_radius[row], w.lp_central, w.lp_member, d,
        ):  # fmt: skip
            if d >= 2:
                w.stat[S_ENCLOSURE] += 1
                return REDUNDANT, -1
            if w.basis[0] < w.always[0]:
                return REDUNDANT, -1
            return PROPORTIONAL, w.lp_id[w.basis[0]]
        if dimension < d and by_enclosure(
            w.lp_table, w.lp_radius, w.basis, w.inverse, w.rates, w.objective,
            w.table_radius[row], w.lp_central, w.lp_member, dimension,
        ):  # fmt: skip
            w.stat[S_ENCLOSURE] += 1
            if dimension >= 2:
                return REDUNDANT, -1
            # one member spans the space: the objective is its multiple
            best = 0
            for q in range(d):
                if w.rates[q] > w.rates[best]:
                    best = q
            if w.basis[best] < w.always[0]:
                return REDUNDANT, -1
            return PROPORTIONAL, w.lp_id[w.basis[best]]
    return UNDECIDED, -1


@njit(cache=True, nogil=True, _nrt=False)
def _restart(w):
    """Put the program back to the interior point p with free slots."""
    d = w.x.shape[0]
    for q in range(d):
        w.basis[q] = -1
        w.x[q] = w.p[q]
        for l in range(d):
            w.inverse[l, q] = 1.0 if l == q else 0.0


@njit(cache=True, nogil=True, _nrt=False)
def _program(net, w, row, count):
    """Minimise a row over the program's rows; stop at the first point where it is negative."""
    d = w.x.shape[0]
    w.stat[S_LPS] += 1
    for l in range(d + 1):
        w.objective[l] = w.table[row, l]
    slacks(w.columns, count, w.x, w.slack)
    for m in range(count):
        if w.slack[m] < -1e-7:
            _restart(w)
            slacks(w.columns, count, w.x, w.slack)
            break
    limit = w.table_radius[row] * (2 * d + 2) * INFLATE
    refreshed = False
    pivots = 0
    while True:
        z = w.objective[d]
        for l in range(d):
            z += w.objective[l] * w.x[l]
        if z < -16.0 * limit and (z < -1e-9 or refreshed):
            return VIOLATED, -1
        slot, sign = choose_edge(w.inverse, w.basis, w.objective, pivots > BLAND_AFTER, w.rates)
        if slot < 0:
            verdict, other = _proof(net, w, row)
            if verdict != UNDECIDED:
                return verdict, other
            if z < -limit:
                return VIOLATED, -1
            if refreshed:
                return UNDECIDED, -1
            refreshed = True
            if not refactor(w.lp_table, w.basis, w.inverse, w.square):
                _restart(w)
                return UNDECIDED, -1
            for l in range(d):
                v = 0.0
                for q in range(d):
                    v -= w.inverse[l, q] * w.lp_table[w.basis[q], d]
                w.x[l] = v
            slacks(w.columns, count, w.x, w.slack)
            continue
        if pivots >= MAX_PIVOTS:
            _restart(w)
            return UNDECIDED, -1
        hit, step = ratio_test(
            w.columns, count, w.slack, w.inverse, slot, sign, w.basis, pivots > BLAND_AFTER,
            w.rate,
        )  # fmt: skip
        if hit < 0 or not step < 1e18:
            _restart(w)
            return UNDECIDED, -1
        move(w.columns, count, w.slack, w.inverse, w.basis, w.x, slot, sign, hit, step, w.rate)
        pivots += 1
        w.stat[S_PIVOTS] += 1


@njit(cache=True, nogil=True, _nrt=False)
def _shoot(net, w, count, reach):
    """The first two candidates met from p along the direction, within ``reach``.

    Returns (first index or −1, its step, second index or −1, its step).
    """
    d = w.x.shape[0]
    w.stat[S_RAYS] += 1
    first = -1
    second = -1
    t1 = reach
    t2 = reach
    for m in range(count):
        if w.status[m] == ATTACHED:
            continue
        row = w.candidate[m]
        r = 0.0
        for l in range(d):
            r += w.table[row, l] * w.direction[l]
        if r < 0.0:
            t = w.depth[m] / -r
            if t < t1:
                second = first
                t2 = t1
                first = m
                t1 = t
            elif t < t2:
                second = m
                t2 = t
    if net.homogeneous:  # stay at t > 0
        r = w.direction[d - 1]
        if r < 0.0:
            t = w.p[d - 1] / -r
            if t <= t1:
                return -1, t, -1, t
            if t < t2:
                t2 = t
                second = -1
    return first, t1, second, t2


@njit(cache=True, nogil=True, _nrt=False)
def _to_chart(net, w):
    """Round q to a float64 chart point y and replace q by its cube coordinates."""
    k = w.y.shape[0]
    if net.homogeneous:
        t = w.q[k]
        if not t > 1e-280:
            return False
        big = 1.0
        for l in range(k):
            w.y[l] = w.q[l] / t
            if abs(w.y[l]) > big:
                big = abs(w.y[l])
        if not big < 1e280:
            return False
        down = math.ldexp(1.0, -math.frexp(big)[1])
        for l in range(k):
            w.q[l] = w.y[l] * down
        w.q[k] = down
        return True
    for l in range(k):
        w.y[l] = net.centre[l] + net.half_width[l] * w.q[l]
        w.q[l] = (w.y[l] - net.centre[l]) / net.half_width[l]
    return True


@njit(cache=True, nogil=True, _nrt=False)
def _root(w, row, height):
    """The row that a row is a multiple of, at the end of the chain; itself where it is none."""
    moved = True
    while moved:
        moved = False
        for a in range(height):
            if w.attached[a, 0] == row:
                row = w.attached[a, 1]
                moved = True
                break
    return row


@njit(cache=True, nogil=True, _nrt=False)
def _beyond(net, w, count, index, t1, t2, height):
    """Prove that q, a little beyond the candidate, is strictly inside every other row."""
    d = w.x.shape[0]
    mine = w.candidate[index]
    if t2 > 4.0 * t1:
        t2 = 4.0 * t1
    for attempt in range(3):
        share = 0.5 if attempt == 0 else (0.125 if attempt == 1 else 0.02)
        t = t1 + (t2 - t1) * share
        for l in range(d):
            w.q[l] = w.p[l] + t * w.direction[l]
        if not _to_chart(net, w):
            return False
        good = True
        size = 1.0
        for l in range(d):
            if not abs(w.q[l]) <= 4.0:
                good = False
            if abs(w.q[l]) > size:
                size = abs(w.q[l])
        factor = (d + 1) * INFLATE * size
        for m in range(count):
            if not good:
                break
            row = w.candidate[m]
            if w.status[m] == ATTACHED and _root(w, row, height) == mine:
                continue
            z = w.table[row, d]
            for l in range(d):
                z += w.table[row, l] * w.q[l]
            if m == index:
                z = -z
            if not z > w.table_radius[row] * factor:
                good = False
        if good:
            for l in range(w.y.shape[0]):
                w.found_y[index, l] = w.y[l]
            return True
    return False


@njit(cache=True, nogil=True, _nrt=False)
def _proportional(w, a, b):
    """Proof that row a is a positive multiple of row b: exact cross products of small integers."""
    if w.table_exponent[a] < 0 or w.table_exponent[b] < 0:
        return False
    d = w.x.shape[0]
    lead = -1
    for l in range(d + 1):
        if w.table[b, l] != 0.0:
            lead = l
            break
    if lead < 0:
        return False
    sa = 2.0 ** w.table_exponent[a]
    sb = 2.0 ** w.table_exponent[b]
    ha = w.table[a, lead] * sa
    hb = w.table[b, lead] * sb
    if ha * hb <= 0.0:
        return False
    for l in range(d + 1):
        va = w.table[a, l] * sa
        vb = w.table[b, l] * sb
        if max(abs(va), abs(ha)) * max(abs(vb), abs(hb)) > 2.0**53:
            return False
        if va * hb != vb * ha:
            return False
    return True


@njit(cache=True, nogil=True, _nrt=False)
def _attach(w, height, row, other):
    w.attached[height, 0] = row
    w.attached[height, 1] = other
    return height + 1


@njit(cache=True, nogil=True, _nrt=False)
def _reduce(net, w, count, final, height):
    """Sort the candidates of a cell into facets (and rows that could not be removed) and the rest.

    Returns (number of rows in the program or −1 if something is open, new height of attached).
    """
    d = w.x.shape[0]
    factor = (d + 1) * INFLATE
    for m in range(count):
        row = w.candidate[m]
        z = w.table[row, d]
        for l in range(d):
            z += w.table[row, l] * w.p[l]
        if not z > w.table_radius[row] * factor:
            return -1, height
        w.depth[m] = z
    rows = w.always[0]
    for m in range(count):
        if w.status[m] == FACET:  # known from the neighbour
            _add_row(net, w, rows, w.candidate[m])
            rows += 1
    for m in range(count):
        if w.status[m] != NEW:
            continue
        row = w.candidate[m]
        for l in range(d):
            w.direction[l] = -w.table[row, l]
        first, t1, second, t2 = _shoot(net, w, count, 1e30)
        if first >= 0 and w.status[first] == NEW and t2 > t1 * (1.0 + 1e-6):
            if final and not _beyond(net, w, count, first, t1, t2, height):
                continue
            w.status[first] = FACET
            _add_row(net, w, rows, w.candidate[first])
            rows += 1
    _restart(w)
    base = net.wall_rows.shape[0]
    for visit in range(2 * count):
        m = visit if visit < count else visit - count
        if w.status[m] != NEW:
            continue
        row = w.candidate[m]
        if visit >= count:
            _restart(w)  # a second try, with all facets in the program
        rounds = 0
        while w.status[m] == NEW:
            rounds += 1
            layer = _layer_of(net, row - base) if row >= base else 0
            if net.central[layer]:
                _mark_members(net, w, rows, layer)
            verdict, other = _program(net, w, row, rows)
            if verdict == REDUNDANT:
                w.status[m] = OUT
                break
            if verdict == PROPORTIONAL:
                w.status[m] = ATTACHED
                height = _attach(w, height, row, other)
                break
            hit = -1
            if verdict == VIOLATED and rounds < MAX_ROUNDS:
                partner = -1
                for turn in range(len(NUDGES)):
                    size = 0.0
                    for l in range(d):
                        size = max(size, abs(w.x[l] - w.p[l]))
                    for l in range(d):
                        noise = ((turn * 7 + l * 13 + rounds * 5) * 0.6180339887498949) % 1.0
                        w.direction[l] = w.x[l] - w.p[l] + NUDGES[turn] * size * (noise - 0.5)
                    first, t1, second, t2 = _shoot(net, w, count, 1e30)
                    if first < 0 or w.status[first] != NEW:
                        continue
                    if not t2 > t1 * (1.0 + 1e-9):
                        if second >= 0 and partner < 0:
                            if _proportional(w, w.candidate[second], w.candidate[first]):
                                partner = second
                                w.status[second] = ATTACHED
                                height = _attach(w, height, w.candidate[second], w.candidate[first])
                                break
                        continue
                    if final and not _beyond(net, w, count, first, t1, t2, height):
                        continue
                    hit = first
                    break
                if partner >= 0:
                    continue
            if hit >= 0:
                w.status[hit] = FACET
                _add_row(net, w, rows, w.candidate[hit])
                rows += 1
                continue
            if final:
                if visit < count:
                    break
                return -1, height
            # an upper cell may keep a row that is not needed
            w.status[m] = FACET
            _add_row(net, w, rows, row)
            rows += 1
    return rows, height


@njit(cache=True, nogil=True, _nrt=False)
def _sieve(net, w, k, height):
    """Units of layer k on the cell of the layers below: those not proved redundant there.

    Fills ``cutting[k]``; the program holds the cell's rows.
    """
    d = w.x.shape[0]
    base = net.wall_rows.shape[0]
    rows = w.always[0]
    for m in range(w.kept_count[k]):
        _add_row(net, w, rows, w.kept[k, m])
        rows += 1
    if net.central[k]:
        _mark_members(net, w, rows, k)
    _restart(w)
    out = 0
    bit = 0
    for g in range(net.unit_start[k]):
        if net.hyperplane[g]:
            bit += 1
    for g in range(net.unit_start[k], net.unit_start[k + 1]):
        if not net.hyperplane[g]:
            continue
        position = bit
        bit += 1
        if net.tie[g] >= 0 or w.vanish[g] == 1:
            continue
        spread = 0.0
        slanted = 0
        for l in range(d):
            spread += abs(w.rows[g, l])
            if l < d - 1 and w.rows[g, l] != 0.0:
                slanted += 1
        if w.error[g] == 0.0 and (spread == 0.0 or (net.homogeneous and slanted == 0)):
            w.stat[S_STRUCTURE] += 1
            continue
        if abs(w.rows[g, d]) > (spread + (d + 1) * w.radius[g]) * INFLATE:
            w.stat[S_INTERVAL] += 1
            continue
        if not (w.varying[position >> 3] >> (position & 7)) & 1:
            verdict, other = _program(net, w, base + g, rows)
            if verdict == REDUNDANT:
                continue
            if verdict == PROPORTIONAL:
                height = _attach(w, height, base + g, other)
                continue
        w.cutting[k, out] = g
        out += 1
    w.cutting_count[k] = out
    return height


@njit(cache=True, nogil=True, _nrt=False)
def _find(codes, value, r, flips, count):
    """The row whose codeword is row r's with the given bits flipped, or MISSING."""
    size = codes.table.shape[0]
    slot = np.int64(value & np.uint64(size - 1))
    width = codes.code.shape[1]
    while codes.table[slot] >= 0:
        s = codes.table[slot]
        if codes.hash[s] == value:
            same = True
            for c in range(width):
                x = np.int64(codes.code[s, c]) ^ np.int64(codes.code[r, c])
                for f in range(count):
                    if flips[f] >> 3 == c:
                        x ^= np.int64(1) << np.int64(flips[f] & 7)
                if x != 0:
                    same = False
                    break
            if same:
                return np.int64(s)
        slot = (slot + 1) & (size - 1)
    return np.int64(MISSING)


@njit(cache=True, nogil=True, _nrt=False)
def fill_table(codes, bits):
    """Hash every codeword and enter it into the table. Returns a duplicate row or −1."""
    size = codes.table.shape[0]
    width = codes.code.shape[1]
    for r in range(codes.code.shape[0]):
        value = np.uint64(0)
        for b in range(bits):
            if (codes.code[r, b >> 3] >> (b & 7)) & 1:
                value ^= codes.key[b]
        codes.hash[r] = value
        slot = np.int64(value & np.uint64(size - 1))
        while codes.table[slot] >= 0:
            s = codes.table[slot]
            if codes.hash[s] == value:
                same = True
                for c in range(width):
                    if codes.code[s, c] != codes.code[r, c]:
                        same = False
                        break
                if same:
                    return r
            slot = (slot + 1) & (size - 1)
        codes.table[slot] = r
    return -1


@njit(cache=True, nogil=True, _nrt=False)
def _varying(codes, w, r, k):
    """OR of the differences between region r and those after it with the same layers below k."""
    width = codes.code.shape[1]
    for c in range(width):
        w.varying[c] = 0
    for s in range(r + 1, codes.code.shape[0]):
        for c in range(width):
            if (codes.code[s, c] ^ codes.code[r, c]) & codes.mask[k, c]:
                return
        for c in range(width):
            w.varying[c] |= codes.code[s, c] ^ codes.code[r, c]


@njit(cache=True, nogil=True, _nrt=False)
def _cross(net, w, codes, row, height, r, flips, zero_layer):
    """The neighbour across a facet: WALL, a region, MISSING or PENDING."""
    base = net.wall_rows.shape[0]
    if row < base:
        return np.int64(WALL)
    count = 0
    g = row - base
    layer = _layer_of(net, g)
    mixed = False
    flips[count] = g
    count += 1
    for a in range(height):
        other = w.attached[a, 0]
        if _root(w, other, height) == row:
            if other < base:
                return np.int64(WALL)
            if _layer_of(net, other - base) != layer:
                mixed = True
            flips[count] = other - base
            count += 1
    if mixed or zero_layer > layer:
        # a unit above this one vanishes on the facet: its row on the other side decides
        w.stat[S_PENDING] += 1
        return np.int64(PENDING)
    solid = count
    for f in range(solid):
        # units of the same layer whose rows are multiples of this one
        for h in range(net.unit_start[layer], net.unit_start[layer + 1]):
            if net.tie[h] >= 0 and net.unit_start[layer] + net.tie[h] == flips[f]:
                flips[count] = h
                count += 1
    value = codes.hash[r]
    for f in range(count):
        flips[f] = codes.bit[flips[f]]
        value ^= codes.key[flips[f]]
    return _find(codes, value, r, flips, count)


@njit(cache=True, nogil=True, _nrt=False)
def _at_witness(net, w, codes, r):
    """Put p to the witness of region r; False where it is not a float64 point."""
    k = w.y.shape[0]
    for l in range(k):
        if not math.isfinite(codes.witness[r, l]):
            return False
    if net.homogeneous:
        big = 1.0
        for l in range(k):
            big = max(big, abs(codes.witness[r, l]))
        if not big < 1e280:
            return False
        down = math.ldexp(1.0, -math.frexp(big)[1])
        for l in range(k):
            w.p[l] = codes.witness[r, l] * down
        w.p[k] = down
        return True
    for l in range(k):
        w.p[l] = (codes.witness[r, l] - net.centre[l]) / net.half_width[l]
    if net.central.shape[0] > 0 and net.constant_column == k and k == w.p.shape[0]:
        big = 1.0
        for l in range(k):
            big = max(big, abs(w.p[l]))
        if big > 1.0:  # a cone: any positive multiple will do
            down = math.ldexp(1.0, -math.frexp(big)[1])
            for l in range(k):
                w.p[l] *= down
    return True


@njit(cache=True, nogil=True, _nrt=False)
def walk(
    net, w, codes, layers, begin, end, facet_row, facet_to, edge, edge_y, opened, flips
):  # fmt: skip
    """Facets of the regions ``begin .. end − 1``.

    Returns the first region that is not done: ``end``, or less where a buffer is full. Facets go
    to ``facet_row``, ``facet_to``; edges to regions further on, and those whose neighbour is
    missing or pending, go to ``edge`` (source, target, row, facet number) with the point q in
    ``edge_y``.
    """
    base = net.wall_rows.shape[0]
    own = w.always[1]
    total = w.on.shape[0]
    for r in range(begin, end):
        if w.state[0] + base + total > facet_row.shape[0]:
            return r
        if w.state[1] + base + total > edge.shape[0] or w.state[2] >= opened.shape[0]:
            return r
        # decode, and find the first layer that differs from the region before
        change = 0 if r == begin else layers
        zero_layer = -1
        b = 0
        for g in range(total):
            on = 1
            vanish = 0
            if net.hyperplane[g]:
                on = (codes.code[r, b >> 3] >> (b & 7)) & 1
                if codes.zero.shape[0] > 0:
                    vanish = (codes.zero[r, b >> 3] >> (b & 7)) & 1
                b += 1
            if vanish == 1:
                zero_layer = _layer_of(net, g)
            if on != w.on[g] or vanish != w.vanish[g]:
                layer = _layer_of(net, g)
                if layer < change:
                    change = layer
            w.on[g] = on
            w.vanish[g] = vanish
        if not _at_witness(net, w, codes, r):
            opened[w.state[2]] = r
            w.state[2] += 1
            w.stat[S_OPEN] += 1
            for g in range(total):
                w.on[g] = -1  # no level belongs to this path
            if r == begin:
                return r + 1
            continue
        fresh = r == begin
        height = 0
        if fresh:
            for m in range(own):
                w.candidate[m] = m
                w.status[m] = NEW
            rows, height = _reduce(net, w, own, False, 0)
            out = 0
            for m in range(own):
                if rows < 0 or w.status[m] == FACET:
                    w.kept[0, out] = m
                    out += 1
            w.kept_count[0] = out
        done = True
        count = 0
        for k in range(change, layers):
            if k > change or fresh:
                _load_layer(net, w, k)
                _orient(net, w, k)
                _varying(codes, w, r, k)
                w.stat[S_CELLS] += 1
                height = _sieve(net, w, k, height)
                w.attached_count[k] = height
            else:
                _orient(net, w, k)
                height = w.attached_count[k]
            count = 0
            for m in range(w.kept_count[k]):
                w.candidate[count] = w.kept[k, m]
                w.status[count] = NEW
                count += 1
            for m in range(w.cutting_count[k]):
                g = w.cutting[k, m]
                if w.vanish[g] == 0:
                    w.candidate[count] = base + g
                    w.status[count] = NEW
                    count += 1
            final = k == layers - 1
            if final and zero_layer < 0:
                for m in range(count):
                    row = w.candidate[m]
                    if row < base:
                        continue
                    g = row - base
                    lone = True
                    for a in range(height):
                        if w.attached[a, 1] == row or w.attached[a, 0] == row:
                            lone = False
                    if not lone:
                        continue
                    flips[0] = codes.bit[g]
                    s = _find(codes, codes.hash[r] ^ codes.key[flips[0]], r, flips, 1)
                    if s >= 0 and s < r and w.facet_count[s] > 0:
                        for f in range(w.facet_start[s], w.facet_start[s] + w.facet_count[s]):
                            if facet_row[f] == row and facet_to[f] == r:
                                w.status[m] = FACET
                                w.found_y[m, 0] = np.nan
                                w.stat[S_KNOWN] += 1
                                break
            rows, height = _reduce(net, w, count, final, height)
            if rows < 0:
                done = False
                if not final:
                    for g in range(total):
                        w.on[g] = -1
                break
            if not final:
                out = 0
                for m in range(count):
                    if w.status[m] == FACET:
                        w.kept[k + 1, out] = w.candidate[m]
                        out += 1
                w.kept_count[k + 1] = out
        if not done:
            opened[w.state[2]] = r
            w.state[2] += 1
            w.stat[S_OPEN] += 1
            continue
        w.facet_start[r] = w.state[0]
        facets = 0
        for m in range(count):
            if w.status[m] != FACET:
                continue
            row = w.candidate[m]
            to = _cross(net, w, codes, row, height, r, flips, zero_layer)
            n = w.state[0]
            facet_row[n] = row
            facet_to[n] = to
            w.state[0] = n + 1
            facets += 1
            w.stat[S_FACETS] += 1
            if to == WALL:
                w.stat[S_WALLS] += 1
            if to == MISSING:
                w.stat[S_MISSING] += 1
            if to > r or to <= MISSING:
                e = w.state[1]
                edge[e, 0] = r
                edge[e, 1] = to
                edge[e, 2] = row
                edge[e, 3] = n
                for l in range(edge_y.shape[1]):
                    edge_y[e, l] = w.found_y[m, l]
                w.state[1] = e + 1
        w.facet_count[r] = facets
    return end
