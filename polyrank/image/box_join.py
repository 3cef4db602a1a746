"""Pairs of boxes of two families that meet, by descending two trees at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["meeting_boxes"]

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

_LEAF = 4
_CHUNK = 1 << 16


def meeting_boxes(
    first: tuple[Floats, Floats], second: tuple[Floats, Floats]
) -> Iterator[tuple[Numbers, Numbers]]:
    """All pairs (i, j) of closed boxes that meet, in chunks.

    Parameters
    ----------
    first, second : pair of float64 arrays, shapes (n, m) and (k, m)
        Lower and upper corners; infinite ones are welcome, nan is not.

    Yields
    ------
    i, j : int64 arrays
        Numbers of boxes of the first and of the second family; every pair once, in no order. A
        chunk has at most about a million pairs.

    Notes
    -----
    Two balanced trees, split along the widest axis of the boxes' middles; pairs of nodes whose
    boxes meet are replaced by those of their children. The work is that of the pairs and of
    ``(n + k) log(n + k)`` where boxes are small against their distances.
    """
    if not len(first[0]) or not len(second[0]):
        return
    one, other = _tree(*first), _tree(*second)
    start = np.zeros(1, np.int64)
    waiting: list[tuple[int, int, Numbers, Numbers]] = [(0, 0, start, start)]
    while waiting:
        a, b, i, j = waiting.pop()
        meet = _meet(one.lower[a], one.upper[a], other.lower[b], other.upper[b], i, j)
        i, j = i[meet], j[meet]
        if i.size > _CHUNK:
            waiting += [
                (a, b, i[s : s + _CHUNK], j[s : s + _CHUNK]) for s in range(0, i.size, _CHUNK)
            ]
            continue
        if not i.size:
            continue
        if a < one.depth and (a <= b or b == other.depth):
            waiting.append((a + 1, b, np.concatenate([2 * i, 2 * i + 1]), np.tile(j, 2)))
        elif b < other.depth:
            waiting.append((a, b + 1, np.tile(i, 2), np.concatenate([2 * j, 2 * j + 1])))
        else:
            i, j = _members(one.bounds, i, other.bounds, j)
            i, j = one.order[i], other.order[j]
            meet = _meet(*first, *second, i, j)
            yield i[meet], j[meet]


@dataclass(frozen=True, slots=True, eq=False)
class _Tree:
    """A balanced binary tree over boxes; node k of a level has the children 2 k and 2 k + 1."""

    order: Numbers
    bounds: Numbers  # of the leaves, in the order
    lower: list[Floats]
    upper: list[Floats]

    @property
    def depth(self) -> int:
        return len(self.lower) - 1


def _tree(lower: Floats, upper: Floats) -> _Tree:
    n = len(lower)
    depth = max(0, int(np.ceil(np.log2(max(1, n / _LEAF)))))
    with np.errstate(all="ignore"):
        middle = np.nan_to_num(lower / 2 + upper / 2)
    order = np.arange(n)
    for level in range(depth):
        bounds = _bounds(n, level)
        own = middle[order]
        least = np.minimum.reduceat(own, bounds[:-1], axis=0)
        most = np.maximum.reduceat(own, bounds[:-1], axis=0)
        with np.errstate(over="ignore"):
            axis = np.argmax(most - least, axis=1)
        segment = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
        key = own[np.arange(n), axis[segment]]
        order = order[np.lexsort((key, segment))]
    lowers, uppers = [], []
    for level in range(depth + 1):
        starts = _bounds(n, level)[:-1]
        lowers.append(np.minimum.reduceat(lower[order], starts, axis=0))
        uppers.append(np.maximum.reduceat(upper[order], starts, axis=0))
    return _Tree(order, _bounds(n, depth), lowers, uppers)


def _bounds(n: int, level: int) -> Numbers:
    """Where the 2^level nodes of a level begin, and the end."""
    return np.asarray((n * np.arange((1 << level) + 1, dtype=np.int64)) >> level)


def _meet(
    la: Floats, ua: Floats, lb: Floats, ub: Floats, i: Numbers, j: Numbers
) -> NDArray[np.bool_]:
    meet = np.ones(i.size, dtype=bool)
    for axis in range(la.shape[1]):
        meet &= (la[i, axis] <= ub[j, axis]) & (lb[j, axis] <= ua[i, axis])
    return meet


def _members(bounds: Numbers, i: Numbers, other: Numbers, j: Numbers) -> tuple[Numbers, Numbers]:
    """The pairs of members of pairs of leaves."""
    rows, columns = bounds[i + 1] - bounds[i], other[j + 1] - other[j]
    counts = rows * columns
    pair = np.repeat(np.arange(i.size), counts)
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return bounds[i][pair] + place // columns[pair], other[j][pair] + place % columns[pair]
