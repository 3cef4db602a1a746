"""Which pairs of convex sets floats prove to meet in a common corner or edge only, or not at all.

The proof is a direction that separates the corners, by more than any rounding error can amount to.
What is not proved here is left to integers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from polyrank.image.candidates import box_pairs
from polyrank.image.segments import outer_boxes

__all__ = ["open_pairs", "padded"]

_U = 2.0**-53
_TINY = 1e-290
_STEPS = 40

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]


def padded(hulls: list[tuple[int, ...]]) -> tuple[Indices, Indices]:
    """Lists of corners as one table, the last corner repeated; and their lengths."""
    size = np.array([len(h) for h in hulls], np.int64)
    width = int(size.max(initial=1))
    table = np.array([h + (h[-1],) * (width - len(h)) for h in hulls], np.int64)
    return table.reshape(-1, width), size


def open_pairs(
    approx: Floats, hulls: list[tuple[int, ...]], solid: Flags, maps: Indices
) -> Iterator[tuple[Indices, Indices]]:
    """Pairs of convex sets that may meet beyond a common corner or a common edge, in chunks.

    Parameters
    ----------
    approx : float64, shape (V, m)
        Correctly rounded coordinates.
    hulls : list of tuples of int
        The corners of every set, polygons in cyclic order.
    solid : bool array, shape (n,)
        Which sets are polygons; pairs without a polygon are left out.
    maps : int64 array, shape (n,)
        Pairs with one number ≥ 0 are left out: they are known to meet in common faces only.
    """
    table, size = padded(hulls)
    lower, upper = outer_boxes(approx, table)
    with np.errstate(all="ignore"):  # what overflows or is nan proves nothing
        for pairs in box_pairs(lower, upper, maps):
            i, j = pairs.T
            chosen = solid[i] | solid[j]
            first, second = i[chosen], j[chosen]
            if not first.size:
                continue
            proved = _proved(approx, table, size, first, second)
            if not proved.all():
                yield first[~proved], second[~proved]


def _proved(approx: Floats, table: Indices, size: Indices, i: Indices, j: Indices) -> Flags:
    a, b = table[i], table[j]
    width = np.arange(table.shape[1])
    # corners of a that are corners of b, padding not counted
    in_b = (a[:, :, None] == b[:, None, :]).any(axis=2) & (width < size[i][:, None])
    in_a = (b[:, :, None] == a[:, None, :]).any(axis=2) & (width < size[j][:, None])
    shared = in_b.sum(axis=1)
    proved = np.zeros(len(i), dtype=bool)
    none, one = shared == 0, shared == 1
    if none.any():
        proved[none] = _separated(approx[a[none]], approx[b[none]])
    if one.any():
        at = a[one][np.arange(int(one.sum())), in_b[one].argmax(axis=1)]
        proved[one] = _separated_at(approx, a[one], b[one], at)
    two = (shared == 2) & (size[i] > 2) & (size[j] > 2)
    two[two] = _adjacent(in_b[two], size[i][two]) & _adjacent(in_a[two], size[j][two])
    if two.any():
        proved[two] = _different_sides(approx, a[two], b[two], in_b[two])
    return proved


def _adjacent(chosen: Flags, size: Indices) -> Flags:
    """Whether the two chosen corners of a polygon are neighbours."""
    first = chosen.argmax(axis=1)
    last = chosen.shape[1] - 1 - chosen[:, ::-1].argmax(axis=1)
    return np.asarray((last - first == 1) | ((first == 0) & (last == size - 1)))


def _nearest(points: Floats, other: Floats | None) -> Floats:
    """About the shortest vector of ``conv(points) − conv(other)``, (n, m).

    Source: Gilbert, An iterative procedure for computing the minimum of a quadratic form on a
    convex set (1966).
    """
    x = points[:, 0] - (0 if other is None else other[:, 0])
    rows = np.arange(len(points))
    for _ in range(_STEPS):
        support = points[rows, np.einsum("nkm,nm->nk", points, x).argmin(axis=1)]
        if other is not None:
            support = support - other[rows, np.einsum("nkm,nm->nk", other, x).argmax(axis=1)]
        step = support - x
        length = np.einsum("nm,nm->n", step, step)
        t = -np.einsum("nm,nm->n", x, step) / np.where(length > 0, length, 1)
        x = x + np.clip(t, 0, 1)[:, None] * step
    return x


def _separated(p: Floats, q: Floats) -> Flags:
    """Whether a direction surely separates two sets of points, of shapes (n, k, m)."""
    w = _nearest(p, q)
    above = np.einsum("nkm,nm->nk", p, w).min(axis=1)
    below = np.einsum("nkm,nm->nk", q, w).max(axis=1)
    size = [np.einsum("nkm,nm->nk", np.abs(x), np.abs(w)).max(axis=1) for x in (p, q)]
    # every product is off by at most (m + 3) u times its size
    error = (4 * p.shape[2] + 16) * _U * np.maximum(*size) + _TINY
    return np.asarray(above - below > error)


def _separated_at(approx: Floats, a: Indices, b: Indices, at: Indices) -> Flags:
    """Whether a direction separates a and b strictly, but for the common corner."""
    origin = approx[at][:, None, :]
    p, q = approx[a] - origin, approx[b] - origin
    rays = np.concatenate([p, -q], axis=1)
    own = np.concatenate([a, b], axis=1) != at[:, None]
    length = np.sqrt(np.einsum("nkm,nkm->nk", rays, rays))
    unit = rays / np.where(length > 0, length, 1)[:, :, None]
    # the common corner itself is replaced by another ray of the same set
    some = own.argmax(axis=1)
    unit = np.where(own[:, :, None], unit, unit[np.arange(len(a)), some][:, None, :])
    w = _nearest(unit, None)
    values = np.einsum("nkm,nm->nk", rays, w)
    size = np.abs(approx[np.concatenate([a, b], axis=1)]) + np.abs(origin)
    reach = np.einsum("nkm,nm->nk", size, np.abs(w))
    error = (4 * approx.shape[1] + 16) * _U * reach + _TINY
    return np.asarray((~own | (values > error)).all(axis=1))


def _different_sides(approx: Floats, a: Indices, b: Indices, chosen: Flags) -> Flags:
    """Whether two polygons with a common edge surely go in different directions from its line."""
    rows = np.arange(len(a))
    last = chosen.shape[1] - 1 - chosen[:, ::-1].argmax(axis=1)
    p = approx[a[rows, chosen.argmax(axis=1)]]
    q = approx[a[rows, last]]
    f = q - p
    edge = np.sqrt(np.einsum("nm,nm->n", f, f))
    f = f / edge[:, None]
    directions, error = [], np.zeros(len(a))
    for ids in (a, b):
        own = approx[ids]
        away = own.mean(axis=1) - p
        size = np.abs(own).max(axis=(1, 2)) + np.abs(p).max(axis=1) + np.abs(q).max(axis=1)
        length = np.sqrt(np.einsum("nm,nm->n", away, away))
        away = away - np.einsum("nm,nm->n", away, f)[:, None] * f
        height = np.sqrt(np.einsum("nm,nm->n", away, away))
        # the rounding of the corners turns the edge by about u size / edge
        slack = 64 * approx.shape[1] * _U * (size + length * size / edge) + _TINY
        relative = slack / height
        error += np.where(relative < 0.1, 4 * relative, np.inf)
        directions.append(away / height[:, None])
    distance = np.sqrt(((directions[0] - directions[1]) ** 2).sum(axis=1))
    return np.asarray(distance > error + 1e-12)
