"""Nearest points of many pairs of hulls at once, in floats, and what their difference proves.

Source: B. F. Mitchell, V. F. Demyanov, V. N. Malozemov, "Finding the point of a polyhedron closest
to the origin", SIAM J. Control 12 (1974): weight moves from the point of the support that lies
worst along the difference to the best point of all, on either side in turn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["gaps_along", "nearest_directions"]

U = 2.0**-53
_TINY = 1e-290
_STEPS = 60

Floats = NDArray[np.float64]


def nearest_directions(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """Per pair of hulls a unit vector along their nearest points, and about their distance."""
    count, p = one.shape[:2]
    with np.errstate(all="ignore"):
        scale = np.maximum(np.abs(one).max(axis=(1, 2)), np.abs(other).max(axis=(1, 2)))
        scale = np.where((scale > 0) & np.isfinite(scale), scale, 1.0)[:, None, None]
        a, b = one / scale, other / scale
    rows = np.arange(count)
    mine, theirs = np.zeros((count, p)), np.zeros((count, other.shape[1]))
    z = a.mean(axis=1) - b.mean(axis=1)
    i, j = np.einsum("bpm,bm->bp", a, z).argmin(1), np.einsum("bpm,bm->bp", b, z).argmax(1)
    mine[rows, i] = 1.0
    theirs[rows, j] = 1.0
    z = a[rows, i] - b[rows, j]
    alive = rows
    for _ in range(_STEPS):
        if not alive.size:
            break
        moved = np.zeros(alive.size, dtype=bool)
        for points, weights, sign in ((a, mine, 1.0), (b, theirs, -1.0)):
            own, weight = points[alive], weights[alive]
            value = sign * np.einsum("bpm,bm->bp", own, z[alive])
            best = value.argmin(1)
            worst = np.where(weight > 0, value, -np.inf).argmax(1)
            line = np.arange(alive.size)
            fall = value[line, worst] - value[line, best]
            move = sign * (own[line, best] - own[line, worst])
            size = (move * move).sum(axis=1)
            squared = (z[alive] ** 2).sum(axis=1)
            useful = (fall > 1e-9 * squared) & (size > 0)
            held = weight[line, worst]
            step = np.where(useful, np.minimum(held, fall / np.where(size > 0, size, 1.0)), 0.0)
            weights[alive, best] += step
            weights[alive, worst] -= step
            z[alive] += step[:, None] * move
            moved |= useful
        alive = alive[moved & ((z[alive] ** 2).sum(axis=1) > 1e-28)]
    length = np.sqrt((z**2).sum(axis=1))
    normal = z / np.where(length > 0, length, 1.0)[:, None]
    return normal, length * scale[:, 0, 0]


def gaps_along(
    one: tuple[Floats, Floats], other: tuple[Floats, Floats], normal: Floats
) -> tuple[Floats, Floats]:
    """Rigorous lower bounds of the distances along the normals, and offsets between the hulls.

    A bound that is not positive, or nan, proves nothing.
    """
    m = normal.shape[1]
    terms = m + 8
    size = np.abs(normal)
    with np.errstate(all="ignore"):
        ends = []
        for (points, error), sign in ((one, 1.0), (other, -1.0)):
            value = sign * np.einsum("bpm,bm->bp", points, normal)
            spread = np.einsum("bpm,bm->bp", error, size)
            weight = np.einsum("bpm,bm->bp", np.abs(points), size)
            slack = (spread + terms * U * weight) * (1 + 4 * terms * U) + _TINY
            ends.append((value - slack).min(axis=1))
        above, below = ends[0], -ends[1]
        offset = below + (above - below) / 2
        strict = (below < offset) & (offset < above)
        length = np.sqrt((normal**2).sum(axis=1)) * (1 + terms * U) + _TINY
        lower = (above - below) / length * (1 - 8 * U)
    return np.where(strict & np.isfinite(lower), lower, 0.0), offset
