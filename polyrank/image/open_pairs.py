"""Which pairs of convex sets floats prove to meet in a common corner or edge only, or not at all.

The proof is a hyperplane (:func:`polyrank.image.meeting.separated`). What is not proved here is
left to integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from polyrank.image.candidates import box_pairs
from polyrank.image.homogeneous import Point
from polyrank.image.hulls import hulls_of_points
from polyrank.image.meeting import separated

__all__ = ["open_pairs", "padded"]

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]


def padded(hulls: list[tuple[int, ...]]) -> tuple[Indices, Indices]:
    """Lists of corners as one table, the last corner repeated; and their lengths."""
    size = np.array([len(h) for h in hulls], np.int64)
    width = int(size.max(initial=1))
    table = np.array([h + (h[-1],) * (width - len(h)) for h in hulls], np.int64)
    return table.reshape(-1, width), size


def open_pairs(
    points: Sequence[Point], hulls: list[tuple[int, ...]], solid: Flags, maps: Indices
) -> Iterator[tuple[Indices, Indices]]:
    """Pairs of convex sets that may meet beyond a common corner or a common edge, in chunks.

    Parameters
    ----------
    points : sequence of Point
        All different.
    hulls : list of tuples of int
        The corners of every set, of polygons strictly convex.
    solid : bool array, shape (n,)
        Which sets are polygons; pairs without a polygon are left out.
    maps : int64 array, shape (n,)
        Pairs with one number ≥ 0 are left out: they are known to meet in common faces only.
    """
    if not hulls:
        return
    table, size = padded(hulls)
    own = hulls_of_points(points, [sorted(h) for h in hulls], np.minimum(size - 1, 2))
    for pairs in box_pairs(*own.boxes(), maps):
        chosen = pairs[solid[pairs].any(axis=1)]
        if not len(chosen):
            continue
        shared = _shared(table, size, chosen)
        left = np.ones(len(chosen), dtype=bool)
        # no hyperplane separates polygons with three common corners
        tried = np.flatnonzero(shared < 3)
        apart, _ = separated(own, chosen[tried], shared[tried] - 1)
        left[tried[apart]] = False
        if left.any():
            yield chosen[left, 0], chosen[left, 1]


def _shared(table: Indices, size: Indices, pairs: Indices) -> Indices:
    """How many corners two sets have in common."""
    a, b = (table[own] for own in pairs.T)
    real = np.arange(table.shape[1]) < size[pairs[:, 0]][:, None]
    common = (a[:, :, None] == b[:, None, :]).any(axis=2) & real
    return np.asarray(common.sum(axis=1))
