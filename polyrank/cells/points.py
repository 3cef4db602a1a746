"""Interior points: rounding to float64 chart points, proven signs, proven membership."""

from __future__ import annotations

import math

from polyrank.lp.certify import INFLATE
from polyrank.lp.jit import inner

__all__ = ["add_point", "proven_signs", "round_to_chart", "strictly_inside", "swap_points"]


@inner
def round_to_chart(net, work, u, y):
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
def proven_signs(work, k_start, units, point, sign, bits):
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
def strictly_inside(work, rows, u):
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
def add_point(net, work, k, rows, base, side, i, first, last):
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
        if not round_to_chart(net, work, work.candidate, work.chart_point):
            continue
        z = work.rows[g, d]
        for l in range(d):
            z += work.rows[g, l] * work.candidate[l]
        if zv > 0.0 and not z > limit:
            continue
        if zv < 0.0 and not z < -limit:
            continue
        if strictly_inside(work, rows, work.candidate):
            for l in range(d):
                work.point[last, l] = work.candidate[l]
            for l in range(work.chart_point.shape[0]):
                work.point_y[last, l] = work.chart_point[l]
            return True
    return False


@inner
def swap_points(work, r, s, d, n):
    """Exchange two points with their chart coordinates and signs."""
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
