"""What leaves the search: regions, cells that float arithmetic cannot decide, open cells."""

from __future__ import annotations

from polyrank.cells.work import S_HARD, S_REGIONS
from polyrank.lp.jit import fused, inner, kernel

__all__ = ["emit_hard", "emit_region", "export_open"]


@fused
def emit_region(net, work, layers, point):
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
def emit_hard(net, work, k, bits, split, point):
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
