"""Polygons that others of their plane cover, by the names of their vertices, many at a time.

**Theorem.** Let P and Q_1, …, Q_n be polygons of one plane, n ≥ 1, each Q_k with interior points of
P in its interior. If every edge of every Q_k misses the interior of P, or is an edge of another
Q_j on its other side, then the union of the Q_k holds P.

*Proof.* Let U be the union. A point of the boundary of U lies on an edge of some Q_k. If that is an
edge of a Q_j on its other side, the point is one of its ends, for what is between them has a
neighbourhood in Q_k ∪ Q_j. So only finitely many points of the boundary of U are inside of P.
The rest of the interior of P is connected, and the disjoint union of two open sets: what is in the
interior of U, which is not empty, and what is not in U. So it lies in U, which is closed. ∎

Images of neighbours in M have common edges by name. That an edge misses P, floats with bounds of
their errors show for nearly all; the others are asked in rationals.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from polyrank.image.hulls import Hulls
from polyrank.image.intersection import Chart, Point
from polyrank.image.planes import Planes, least_values, padded
from polyrank.lp.deadline import look

__all__ = ["covered"]

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_CHUNK = 1 << 16


def covered(own: Hulls, chart: Callable[[int], Chart], planes: Planes, pairs: Numbers) -> Flags:
    """Which hulls are polygons that others cover; False may also mean that it is not known.

    Parameters
    ----------
    own : Hulls
        Of full rank.
    chart : callable
        The chart of a hull.
    planes : Planes
        Of all polygons of the pairs.
    pairs : int64 array, shape (n, 2)
        Polygons of one plane whose images have an intersection of dimension 2.
    """
    out = np.zeros(own.count, dtype=bool)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[np.argsort(both[:, 0], kind="stable")]
    first = np.flatnonzero(np.diff(both[:, 0], prepend=-1))
    # chunks that have all pairs of their polygons
    steps = first[np.diff(first // _CHUNK, prepend=-1) > 0]
    for chunk in np.split(both, steps[1:]):
        look()
        if len(chunk):
            edges = _Edges(own, planes, chunk)
            out[edges.closed(edges.missing)] = True
            left = np.flatnonzero(~edges.missing & ~out[edges.whole])
            edges.missing[left] = [
                _misses(own, chart(p), a, b)
                for p, a, b in zip(
                    *(x[left].tolist() for x in (edges.whole, edges.tail, edges.head)), strict=True
                )
            ]
            out[edges.closed(edges.missing)] = True
    return out


class _Edges:
    """The edges of Q, for all pairs (P, Q).

    Attributes
    ----------
    whole, tail, head : int64 arrays
        P, and the two ends of the edge, Q to the left of it.
    missing : bool array
        Whether floats prove that the edge misses the interior of P.
    """

    def __init__(self, own: Hulls, planes: Planes, pairs: Numbers) -> None:
        self._pairs = pairs
        at, real = padded(planes.start, np.arange(len(planes.ring)), pairs[:, 1])
        self._row = np.nonzero(real)[0]
        at = at[real]
        self.whole = pairs[self._row, 0]
        self.tail, self.head = planes.ring[at], planes.after[at]
        self._mate = self._mates()
        self.missing = self._mate >= 0
        left = np.flatnonzero(~self.missing)
        self.missing[left] = self._apart(own, planes, left, at[left])

    def _mates(self) -> Numbers:
        """Per edge the row of the pair (P, Q') of which it is an edge on the other side, or −1."""
        ends = np.stack([self.tail, self.head])
        used, place = np.unique(ends, return_inverse=True)
        place = place.reshape(ends.shape)
        # per edge one number with its direction
        edge = np.unique(place.min(axis=0) * len(used) + place.max(axis=0), return_inverse=True)[1]
        number = 2 * (self.whole * (edge.max() + 1) + edge)
        turned = self.tail > self.head
        known, first = np.unique(number + turned, return_index=True)
        wanted = number + ~turned
        found = np.searchsorted(known, wanted) % len(known)
        return np.where(known[found] == wanted, self._row[first[found]], -1)

    def _apart(self, own: Hulls, planes: Planes, left: Numbers, at: Numbers) -> Flags:
        """Whether floats prove it: a line through a side of P or the edge has them on two sides."""
        image, error, _ = own.scaled()
        whole = self.whole[left]
        axes = planes.axes[planes.plane[whole]]
        ends = np.stack([self.tail[left], self.head[left]], axis=1)
        side, real = padded(planes.start, np.arange(len(planes.ring)), whole)
        corner, after = planes.ring[side], planes.after[side]

        def least(row: NDArray[np.float64], vertex: Numbers) -> NDArray[np.float64]:
            where = axes[:, None]
            place, slack = image[vertex[:, :, None], where], error[vertex[:, :, None], where]
            return least_values(row, place[:, None], slack[:, None])

        beyond = least(-planes.side[side][:, :, None], ends) > 0
        shared = (ends[:, None] == corner[:, :, None]) | (ends[:, None] == after[:, :, None])
        out = ((beyond | shared).all(axis=2) & real).any(axis=1)
        inner = least(planes.side[at][:, None, None], corner)[:, 0] > 0
        inner |= (corner[:, :, None] == ends[:, None]).any(axis=2) | ~real
        return np.asarray(out | inner.all(axis=1))

    def closed(self, missing: Flags) -> Numbers:
        """The P with polygons all of whose edges miss it or belong to another one of them."""
        count = len(self._pairs)
        paired = np.flatnonzero(self._mate >= 0)
        joined = sparse.coo_array(
            (np.ones(len(paired), np.int8), (self._row[paired], self._mate[paired])),
            shape=(count, count),
        )
        number, label = connected_components(joined, directed=False)
        open_ = np.zeros(number, dtype=bool)
        open_[label[self._row[~missing]]] = True
        return np.unique(self._pairs[~open_[label], 0])


def _misses(own: Hulls, whole: Chart, tail: int, head: int) -> bool:
    """The same of one edge, in rationals."""
    look()
    ends = [_in_chart(own.exact(v), whole) for v in (tail, head)]
    for a, b, c in whole.sides:
        if all(a * x + b * y + c <= 0 for x, y in ends):
            return True
    (x, y), (u, v) = ends
    return all((u - x) * (t - y) >= (v - y) * (s - x) for s, t in whole.corners)


def _in_chart(place: Point, chart: Chart) -> Point:
    return tuple(place[k] - chart.origin[k] for k in chart.axes)
