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

from polyrank.cells.layers import enter_layer, finish_layer, first_layer, next_layer
from polyrank.cells.log_steps import LOG_DEFER, LOG_LEAF, LOG_NEXT, LOG_SPLIT
from polyrank.cells.output import emit_hard, emit_region
from polyrank.cells.points import proven_signs, strictly_inside, swap_points
from polyrank.cells.proof_log import log_miss, log_step, log_unit
from polyrank.cells.verdicts import emptiness_test, mark_rows, optimal_at_vertex, push_row
from polyrank.cells.work import (
    BUDGET,
    CUTS,
    DONE,
    HARD_FULL,
    LOG_FULL,
    MISSES,
    OPEN,
    OUTPUT_FULL,
    S_CELLS,
    S_DROPPED,
    S_POINTS,
    S_VERTEX,
    log_reserve,
)
from polyrank.lp.jit import inner, kernel

__all__ = ["load_task", "run", "settle", "split_cell"]


@inner
def settle(net, work, k, rows, bits, first, last, has_vertex):
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
        above = False
        below = False
        for r in range(first, last):
            v = work.point_sign[r, i]
            if v > 0:
                above = True
            elif v < 0:
                below = True
        work.pos[i] = above
        work.neg[i] = below
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
            verdict = emptiness_test(net, work, k, rows, i, side, base, last, has_vertex)
            free = 0
            for q in range(d):
                if work.basis[q] < 0:
                    free += 1
            has_vertex = free == 0 and verdict != OPEN
            if verdict == CUTS and last + 1 >= capacity:
                # no room for the point that proves it: let exact arithmetic split the cell
                work.stat[S_DROPPED] += 1
                work.flagged[i] = True
            elif verdict == CUTS:
                proven_signs(work, a, n, work.point[last], work.point_sign[last], bits)
                for j in range(n):
                    if bits[j] < 0:
                        if work.point_sign[last, j] > 0:
                            work.pos[j] = True
                        elif work.point_sign[last, j] < 0:
                            work.neg[j] = True
                last += 1
            elif verdict == MISSES:
                missed += 1
                log_miss(work, i, side)
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
                    if optimal_at_vertex(net, work, k, j, 1 if work.pos[j] else -1):
                        bits[j] = 1 if work.pos[j] else 0
                        work.stat[S_VERTEX] += 1
                        log_miss(work, j, 1 if work.pos[j] else -1)
    cuts = 0
    for i in range(n):
        if bits[i] < 0 and not work.flagged[i]:
            work.list[cuts] = i
            cuts += 1
    return cuts, hard, last, has_vertex


@inner
def split_cell(net, work, k, rows, bits, split, first, last, has_vertex, cuts, share):
    """Split the cell by one of the cutting units and push both halves."""
    d = work.x.shape[0]
    a = net.unit_start[k]
    n = net.units[k]
    i = work.list[0]
    g = a + i
    log_unit(work, LOG_SPLIT, i)
    # points of the negative side first, the others after; points on neither side are dropped
    low = first
    for r in range(first, last):
        if work.point_sign[r, i] < 0:
            if r != low:
                swap_points(work, r, low, d, n)
            low += 1
    high = low
    for r in range(low, last):
        if work.point_sign[r, i] > 0:
            if r != high:
                swap_points(work, r, high, d, n)
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
    first_layer(net, work)
    rows = work.walls[0]
    start = layer if layer >= 0 else 0
    for k in range(start + 1):
        if k > 0:
            next_layer(net, work, k)
        a = net.unit_start[k]
        for i in range(net.units[k]):
            if layer >= 0 and split[a + i] == 1:
                push_row(net, work, rows, a + i, 1 if bits[a + i] == 1 else -1)
                rows += 1
        if k < start:
            n = net.units[k]
            finish_layer(net, work, k, bits[a : a + n], split[a : a + n])
    count = 0
    for p in range(points.shape[0]):
        for l in range(d):
            work.candidate[l] = points[p, l]
        if strictly_inside(work, rows, work.candidate):
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
        enter_layer(net, work, 0, work.cell_bit[0], work.cell_split[0])
    else:
        for i in range(n):
            work.cell_bit[0, i] = bits[a + i]
            work.cell_split[0, i] = split[a + i]
    for p in range(count):
        proven_signs(work, a, n, work.point[p], work.point_sign[p], work.cell_bit[0])
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
            push_row(net, work, rows, net.unit_start[k] + work.cell_unit[f], work.cell_side[f])
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
                    mark_rows(net, work, k, rows)
                cuts, hard, last, has_vertex = settle(
                    net, work, k, rows, bits, first, last, has_vertex
                )
                if hard > 0:
                    emit_hard(net, work, k, bits, split, first)
                    log_step(work, LOG_DEFER)
                    work.done_share[0] += share
                    break
                if cuts > 0:
                    split_cell(
                        net, work, k, rows, bits, split, first, last, has_vertex, cuts, share
                    )
                    break
            finish_layer(net, work, k, bits, split)
            if k + 1 == layers:
                emit_region(net, work, layers, first)
                log_step(work, LOG_LEAF)
                work.done_share[0] += share
                break
            k += 1
            log_step(work, LOG_NEXT)
            next_layer(net, work, k)
            enter_layer(net, work, k, bits, split)
            undecided = 0
            for i in range(net.units[k]):
                if bits[i] < 0:
                    undecided += 1
            if undecided > 0:
                if last > first + 8:
                    last = first + 8
                for p in range(first, last):
                    proven_signs(
                        work,
                        net.unit_start[k],
                        net.units[k],
                        work.point[p],
                        work.point_sign[p],
                        bits,
                    )
    return DONE
