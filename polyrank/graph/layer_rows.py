"""Compiled: the rows of a layer on the current cell, and all rows of a cell, positive inside."""

from __future__ import annotations

import math

import numpy as np

from polyrank.cells.compose import compose, gamma
from polyrank.graph.arrays import ACTIVE, NEW, POOL, POOL_TURN
from polyrank.graph.vertices import place_vertices
from polyrank.lp.jit import fused

__all__ = [
    "gather_cutting",
    "gather_kept",
    "load_layer",
    "mark_members",
    "put_back",
    "take_out",
    "turn",
]


@fused
def load_layer(net, w, k):
    """Compose the rows of layer k on the cell that the layers below it fix."""
    d = w.x.shape[0]
    base = net.wall_rows.shape[0]
    b = net.unit_start[k]
    n_out = net.units[k]
    w.loaded[k] += 1
    if k == 0:
        for i in range(n_out):
            for l in range(d + 1):
                w.table[base + i, l] = net.first_rows[i, l]
            w.error[i] = net.first_error[i]
            w.scale[i] = net.first_scale[i]
            w.exponent[base + i] = net.first_exponent[i]
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
            w.slope, w.table[base + a : base + a + n_in], w.error[a : a + n_in],
            w.scale[a : a + n_in], net.constant_column if net.constant_column < d + 1 else d,
            n_in, n_out, w.table[base + b : base + b + n_out], w.error[b : b + n_out],
            w.scale[b : b + n_out], w.compose_work, w.magnitude,
        )  # fmt: skip
        for i in range(n_out):
            exponent = -1
            if net.exact_arithmetic[k]:
                exponent = 0
                if w.scale[b + i] > 0.0:
                    exponent = net.lsb[k] + math.frexp(w.scale[b + i])[1] - 1
            w.exponent[base + b + i] = exponent
    rounding = gamma(d + 4)
    for i in range(n_out):
        w.radius[base + b + i] = w.error[b + i] + rounding


@fused
def _note_side(w, m, side):
    bit = np.uint64(1) << np.uint64(m & 63)
    if side > 0.0:
        w.side_word[m >> 6] |= bit
    else:
        w.side_word[m >> 6] &= ~bit


@fused
def _append(net, w, count, row):
    """Append a row to the cell's. Returns the new number of rows."""
    d = w.x.shape[0]
    s = w.orient[row]
    w.candidate[count] = row
    w.position[row] = count
    w.status[count] = NEW
    w.side[count] = s
    _note_side(w, count, s)
    for l in range(d + 1):
        v = s * w.table[row, l]
        w.columns[l, count] = v
        w.form[count, l] = v
    w.form_radius[count] = w.radius[row]
    w.form_exponent[count] = w.exponent[row]
    base = net.wall_rows.shape[0]
    if row < base:
        w.central[count] = net.wall_rows[row, d] == 0.0 and net.wall_error[row] == 0.0
    else:
        w.central[count] = net.central[w.layer[row - base]]
    w.member[count] = False
    return count + 1


@fused
def gather_kept(net, w, k):
    """Start the cell that the layers below k fix, with its rows. Returns their number."""
    for row in range(w.position.shape[0]):
        w.position[row] = -1
    count = w.always[0]
    for m in range(w.kept_count[k]):
        count = _append(net, w, count, w.kept[k, m])
    w.state[POOL] = 0
    w.state[POOL_TURN] = 0
    w.state[ACTIVE] = 0
    return count


@fused
def gather_cutting(net, w, k, count):
    """Append the units of layer k that may cut the cell. Returns the number of rows."""
    base = net.wall_rows.shape[0]
    begin = count
    for m in range(w.cutting_count[k]):
        g = w.cutting[k, m]
        if w.vanish[g] == 0:
            count = _append(net, w, count, base + g)
    place_vertices(w, begin, count)
    return count


@fused
def turn(w, count):
    """Bring the rows to the side of the current region."""
    d = w.x.shape[0]
    for m in range(w.always[0], count):
        row = w.candidate[m]
        s = w.orient[row]
        if s == w.side[m]:
            continue
        for l in range(d + 1):
            v = s * w.table[row, l]
            w.columns[l, m] = v
            w.form[m, l] = v
        w.side[m] = s
        _note_side(w, m, s)


@fused
def take_out(w, m):
    """Keep a row from blocking any step of the linear program; ``turn`` puts it back."""
    d = w.x.shape[0]
    for l in range(d):
        w.columns[l, m] = 0.0
    w.columns[d, m] = 1.0
    w.side[m] = 0.0


@fused
def put_back(w, m):
    """Undo :func:`take_out`."""
    for l in range(w.x.shape[0] + 1):
        w.columns[l, m] = w.form[m, l]
    w.side[m] = w.orient[w.candidate[m]]


@fused
def mark_members(net, w, count, k):
    """Which of the cell's rows lie in the row space that layer k's rows live in."""
    base = net.wall_rows.shape[0]
    below = net.unit_start[k - 1] if k > 0 else 0
    here = net.unit_start[k]
    for m in range(w.always[0], count):
        row = w.candidate[m]
        inside = False
        if row >= base:
            g = row - base
            inside = g >= here
            if k > 0 and g >= below and g < here:
                s = net.slope_pos[g] if w.on[g] == 1 else net.slope_neg[g]
                inside = s != 0.0
        w.member[m] = inside
