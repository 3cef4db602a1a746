"""Which of many boxes meet: a balanced tree of boxes that is joined with itself.

No pair of far boxes is looked at, and no loop over all pairs is made: two nodes of the tree are
opened only if their boxes meet.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["box_pairs"]

_LEAF = 8
_CHUNK = 1 << 16  # pairs of nodes that are opened at a time

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


def box_pairs(lower: Floats, upper: Floats) -> Iterator[tuple[Indices, Indices]]:
    """All pairs i < j of closed boxes that meet, in chunks.

    Parameters
    ----------
    lower, upper : float64, shape (n, m)
        ``lower[i] ≤ x ≤ upper[i]`` is box i; infinite sides are allowed.

    Yields
    ------
    i, j : int64 arrays
        Numbers of boxes that meet, ``i < j``, every pair once.
    """
    count = len(lower)
    if count < 2:
        return
    order, depth = _order(lower, upper)
    low, high = _levels(lower, upper, order, depth)
    leaves = order.reshape(-1, _LEAF)
    root = np.zeros(1, np.int64)
    waiting = [(0, root, root)]
    while waiting:
        level, left, right = waiting.pop()
        if left.size > _CHUNK:
            middle = left.size // 2
            waiting.append((level, left[middle:], right[middle:]))
            waiting.append((level, left[:middle], right[:middle]))
            continue
        if level == depth:
            yield from _of_leaves(lower, upper, leaves[left], leaves[right], left == right)
            continue
        a = np.concatenate([2 * left, 2 * left, 2 * left + 1, 2 * left + 1])
        b = np.concatenate([2 * right, 2 * right + 1, 2 * right, 2 * right + 1])
        keep = a <= b
        keep[keep] = _meet(low[level + 1], high[level + 1], a[keep], b[keep])
        if keep.any():
            waiting.append((level + 1, a[keep], b[keep]))


def _meet(lower: Floats, upper: Floats, i: Indices, j: Indices) -> NDArray[np.bool_]:
    return np.asarray(((lower[i] <= upper[j]) & (lower[j] <= upper[i])).all(axis=1))


def _order(lower: Floats, upper: Floats) -> tuple[Indices, int]:
    """The boxes in the order of the tree's leaves, padded by −1; and the depth of the tree."""
    count = len(lower)
    depth = max(0, int(np.ceil(np.log2(max(1, count) / _LEAF))))
    order = np.full(_LEAF << depth, -1, np.int64)
    order[:count] = np.arange(count)
    bounded = [np.clip(side, -1e300, 1e300) for side in (lower, upper)]
    middle = np.concatenate([(bounded[0] + bounded[1]) / 2, np.full((1, lower.shape[1]), np.nan)])
    for level in range(depth):
        nodes = order.reshape(1 << level, -1)
        own = middle[nodes]
        spread = np.nan_to_num(_range(own))
        axis = spread.argmax(axis=1)
        key = np.take_along_axis(own, axis[:, None, None], axis=2)[:, :, 0]
        rank = np.argsort(key, axis=1, kind="stable")  # nan, the padding, comes last
        order = np.take_along_axis(nodes, rank, axis=1).ravel()
    return order, depth


def _range(own: Floats) -> Floats:
    low = np.where(np.isnan(own), np.inf, own).min(axis=1)
    high = np.where(np.isnan(own), -np.inf, own).max(axis=1)
    return np.asarray(np.where(high >= low, high - low, 0.0))


def _levels(
    lower: Floats, upper: Floats, order: Indices, depth: int
) -> tuple[list[Floats], list[Floats]]:
    """The boxes of the nodes of every level, the root first; empty boxes where all is padding."""
    m = lower.shape[1]
    low = np.concatenate([lower, np.full((1, m), np.inf)])[order]
    high = np.concatenate([upper, np.full((1, m), -np.inf)])[order]
    lows = [low.reshape(1 << depth, _LEAF, m).min(axis=1)]
    highs = [high.reshape(1 << depth, _LEAF, m).max(axis=1)]
    for _ in range(depth):
        lows.append(lows[-1].reshape(-1, 2, m).min(axis=1))
        highs.append(highs[-1].reshape(-1, 2, m).max(axis=1))
    return lows[::-1], highs[::-1]


def _of_leaves(
    lower: Floats, upper: Floats, left: Indices, right: Indices, same: NDArray[np.bool_]
) -> Iterator[tuple[Indices, Indices]]:
    i = np.repeat(left, _LEAF, axis=1).ravel()
    j = np.tile(right, (1, _LEAF)).ravel()
    twice = np.repeat(same, _LEAF * _LEAF)
    keep = (i >= 0) & (j >= 0) & (~twice | (i < j))
    i, j = i[keep], j[keep]
    meet = _meet(lower, upper, i, j)
    i, j = i[meet], j[meet]
    if i.size:
        yield np.minimum(i, j), np.maximum(i, j)
