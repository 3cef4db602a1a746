"""Compiled: points of a region, rays through it, and the points that prove a facet.

p, the region's witness, is strictly inside every row. A point q that is strictly outside one row
and strictly inside every other row that is not redundant shows that row to be a facet: the segment
p q leaves the region through the relative interior of it, and there no redundant row vanishes
either, unless it is a multiple.
"""

from __future__ import annotations

import math

from polyrank.graph.arrays import ATTACHED, OUT, S_RAYS
from polyrank.graph.sweeps import along, quotients
from polyrank.lp.certify import INFLATE
from polyrank.lp.jit import fused
from polyrank.lp.simplex import slacks

__all__ = [
    "beyond_at",
    "beyond_at_step",
    "beyond_on_ray",
    "depths",
    "load_witness",
    "root",
    "shoot",
]


@fused
def load_witness(net, codes, r, out):
    """Cube coordinates of the witness of region r; False where it is not a float64 point."""
    k = codes.witness.shape[1]
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
            out[l] = codes.witness[r, l] * down
        out[k] = down
        return True
    for l in range(k):
        out[l] = (codes.witness[r, l] - net.centre[l]) / net.half_width[l]
    if net.constant_column == k and k == out.shape[0]:
        big = 1.0
        for l in range(k):
            big = max(big, abs(out[l]))
        if big > 1.0:  # a cone: any positive multiple will do
            down = math.ldexp(1.0, -math.frexp(big)[1])
            for l in range(k):
                out[l] *= down
    return True


@fused
def _values(w, count, point):
    """Values of the cell's rows at a point."""
    slacks(w.columns, count, point, w.value)


@fused
def depths(w, count):
    """Values of the candidates at p; False unless all are proved to be positive."""
    factor = (w.x.shape[0] + 1) * INFLATE
    _values(w, count, w.p)
    for m in range(w.always[0], count):
        z = w.value[m]
        if not z > w.form_radius[m] * factor:
            return False
        w.depth[m] = z
    return True


@fused
def shoot(net, w, count, reach):
    """The first two candidates met from p along the direction, within ``reach``.

    Returns (first index or −1, its step, second index or −1, its step).
    """
    d = w.x.shape[0]
    w.stat[S_RAYS] += 1
    first = -1
    second = -1
    t1 = reach
    t2 = reach
    along(w.columns, count, w.direction, w.rate)
    quotients(w.depth, w.rate, count, 0.0, w.value)
    for m in range(w.always[0], count):
        t = w.value[m]
        if t < t2 and w.status[m] != ATTACHED and w.status[m] != OUT:
            if t < t1:
                second = first
                t2 = t1
                first = m
                t1 = t
            else:
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


@fused
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


@fused
def root(w, row, height):
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


@fused
def beyond_at(w, count, index, height):
    """Prove that q is strictly outside one candidate, strictly inside those not redundant."""
    d = w.x.shape[0]
    mine = w.candidate[index]
    size = 1.0
    for l in range(d):
        if not abs(w.q[l]) <= 4.0:
            return False
        if abs(w.q[l]) > size:
            size = abs(w.q[l])
    factor = (d + 1) * INFLATE * size
    _values(w, count, w.q)
    if not -w.value[index] > w.form_radius[index] * factor:
        return False
    for m in range(w.always[0], count):
        if not w.value[m] > w.form_radius[m] * factor and w.status[m] != OUT and m != index:
            return False
    if height == 0:
        return True
    for m in range(w.always[0], count):
        if w.status[m] == ATTACHED and root(w, w.candidate[m], height) != mine:
            z = w.form[m, d]
            for l in range(d):
                z += w.form[m, l] * w.q[l]
            if not z > w.form_radius[m] * factor:
                return False
    return True


@fused
def beyond_at_step(net, w, count, index, t, height):
    """Prove a facet by the float64 chart point next to the one at step t of the ray."""
    for l in range(w.x.shape[0]):
        w.q[l] = w.p[l] + t * w.direction[l]
    if not _to_chart(net, w) or not beyond_at(w, count, index, height):
        return False
    for l in range(w.y.shape[0]):
        w.found_y[index, l] = w.y[l]
    w.found_point[index] = True
    return True


@fused
def beyond_on_ray(net, w, count, index, t1, t2, height):
    """Prove a facet by a float64 chart point on a ray, a little beyond it."""
    if t2 > 4.0 * t1:
        t2 = 4.0 * t1
    for attempt in range(3):
        share = 0.5 if attempt == 0 else (0.125 if attempt == 1 else 0.02)
        if beyond_at_step(net, w, count, index, t1 + (t2 - t1) * share, height):
            return True
    return False
