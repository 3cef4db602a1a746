"""One test: a unit takes both signs inside the cell, or a certificate says that it does not."""

from __future__ import annotations

from polyrank.cells.points import add_point
from polyrank.cells.work import (
    BLAND_AFTER,
    CUTS,
    MAX_PIVOTS,
    MISSES,
    OPEN,
    S_CUTS,
    S_ENCLOSURE,
    S_INTEGERS,
    S_PIVOTS,
    S_REFACTORED,
    S_RESIDUAL,
    S_TESTS,
)
from polyrank.lp.certify import INFLATE, by_enclosure, by_integers, by_residual
from polyrank.lp.jit import inner
from polyrank.lp.simplex import choose_edge, move, ratio_test, refactor, slacks

__all__ = ["emptiness_test", "mark_rows", "optimal_at_vertex", "push_row"]


@inner
def push_row(net, work, m, g, side):
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
def mark_rows(net, work, k, rows):
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
def emptiness_test(net, work, k, rows, i, side, base, last, fresh):
    """Whether unit i of layer k takes the sign −side inside the cell.

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
            if add_point(net, work, k, rows, base, side, i, last, last):
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
def optimal_at_vertex(net, work, k, i, side):
    """Whether the current vertex is the optimum of ``side · z_i``, proved by residual."""
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
