"""Convex hulls of exact points with named vertices: which of them can meet, and what separates two.

Two hulls *meet in a common face only* if a hyperplane holds the vertices that they share, and has
the others of the first strictly on one side and those of the second strictly on the other: then
their intersection is the hull of the shared vertices, which is a face of both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import mul

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.network.rational import fmpq_from_float

__all__ = ["Hull", "box_pairs", "on_hyperplane", "outer_boxes", "separates"]

Floats = NDArray[np.float64]

_BLOCK = 1 << 20  # entries of a block of comparisons


@dataclass(slots=True)
class Hull:
    """The convex hull of points.

    Attributes
    ----------
    vertices : list of int
        Their numbers.
    images : fmpq_mat, shape (n, m)
        The points.
    """

    vertices: list[int]
    images: fmpq_mat
    _whole: tuple[dict[int, list[int]], int] | None = field(default=None, repr=False)

    def whole(self) -> tuple[dict[int, list[int]], int]:
        """The points by their vertices in integers, and their common denominator."""
        if self._whole is None:
            rows, denominator = self.images.numer_denom()
            table = [[int(v) for v in row] for row in rows.tolist()]
            own = dict(zip(self.vertices, table, strict=True))
            self._whole = own, int(denominator)
        return self._whole


def separates(first: Hull, second: Hull, near: Sequence[fmpq]) -> bool:
    """Whether the hulls meet in a common face only, by a normal vector.

    It must be strict beside the common vertices, in the sense of :func:`on_hyperplane`.
    """
    on = on_hyperplane(first, second, near)
    return on is not None and on[0] == on[1]


def on_hyperplane(
    first: Hull, second: Hull, near: Sequence[fmpq]
) -> tuple[set[int], set[int]] | None:
    """The vertices of two hulls on a hyperplane between them that holds their common vertices.

    These are in both sets, so that the sets are equal iff they hold nothing else. None if the
    first hull is not weakly on the positive side and the second on the other (strictly, where no
    vertex is common), or if the common vertices are all of either hull.

    Parameters
    ----------
    first, second : Hull
    near : sequence of fmpq
        The normal vector; it is projected to the orthogonal complement of the differences of the
        common vertices.
    """
    if len(near) != first.images.ncols():
        return None
    (one, d), (other, e) = first.whole(), second.whole()
    shared = [v for v in one if v in other]
    if shared and len(shared) in (len(one), len(other)):
        return None
    w = across([one[v] for v in shared], near)
    above, below = ({v: dot(w, p) for v, p in own.items()} for own in (one, other))
    if not shared:
        return (set(), set()) if min(above.values()) * e > max(below.values()) * d else None
    level, same = above[shared[0]], below[shared[0]]
    if any(above[v] != level for v in shared):
        return None
    if min(above.values()) < level or max(below.values()) > same:
        return None
    return {v for v, x in above.items() if x == level}, {v for v, x in below.items() if x == same}


def across(rows: Sequence[Sequence[int]], near: Sequence[fmpq]) -> list[int]:
    """A positive multiple of a vector without its components along the differences of points."""
    column = fmpq_mat(len(near), 1, list(near))
    w = [int(v) for v in column.numer_denom()[0].entries()]
    if len(rows) < 2:
        return w
    if len(rows) == 2:
        edge = [y - x for x, y in zip(*rows, strict=True)]
        square, along = dot(edge, edge), dot(edge, w)
        return [square * x - along * y for x, y in zip(w, edge, strict=True)] if square else w
    points = fmpq_mat(len(rows), len(w), [v for row in rows for v in row])
    return [int(v) for v in _projected(points, column).numer_denom()[0].entries()]


def dot(u: Sequence[int], v: Sequence[int]) -> int:
    """The scalar product of two rows of one length."""
    return sum(map(mul, u, v))


def _projected(rows: fmpq_mat, w: fmpq_mat) -> fmpq_mat:
    """A vector w, as a column, without its components along the differences of the rows."""
    if rows.nrows() < 2:
        return w
    lines = rows.tolist()
    entries = [a - b for row in lines[1:] for a, b in zip(row, lines[0], strict=True)]
    edges, rank = fmpq_mat(len(lines) - 1, rows.ncols(), entries).rref()
    kept = [v for row in edges.tolist()[:rank] for v in row]
    basis = fmpq_mat(rank, rows.ncols(), kept)
    factors = (basis * basis.transpose()).solve(basis * w)
    return w - basis.transpose() * factors


def outer_boxes(hulls: Sequence[Hull]) -> tuple[Floats, Floats]:
    """Floats below and above all coordinates of the images."""
    low, high = [], []
    for hull in hulls:
        columns = hull.images.transpose().tolist()
        low.append([_rounded(min(c), -1) for c in columns])
        high.append([_rounded(max(c), 1) for c in columns])
    shape = (len(hulls), hulls[0].images.ncols())
    return np.array(low).reshape(shape), np.array(high).reshape(shape)


def _rounded(value: fmpq, side: int) -> float:
    """The float at the value or next to it on one side."""
    try:
        near = int(value.p) / int(value.q)
    except OverflowError:
        near = math.inf if value > 0 else -math.inf
    if math.isinf(near):
        return near if (near > 0) == (side > 0) else math.copysign(1.7976931348623157e308, near)
    gap = value - fmpq_from_float(near)
    return near if gap * side <= 0 else math.nextafter(near, side * math.inf)


def box_pairs(low: Floats, high: Floats, count: int) -> Iterator[NDArray[np.int64]]:
    """Pairs i < j of boxes that meet, as ``i · count + j``: a sweep along one axis."""
    spans = [_sweep_size(low[:, k], high[:, k]) for k in range(low.shape[1])]
    axis = int(np.argmin(spans))
    order = np.argsort(low[:, axis], kind="stable")
    starts = low[order, axis]
    ends = np.searchsorted(starts, high[order, axis], side="right")
    follow = ends - np.arange(count) - 1  # boxes that begin after this one, before it ends
    at = 0
    while at < count:
        stop = at + max(1, int(np.searchsorted(np.cumsum(follow[at:]), _BLOCK, side="right")))
        reach = follow[at:stop]
        own = np.repeat(np.arange(at, stop), reach)
        other = own + 1 + np.arange(own.size) - np.repeat(np.cumsum(reach) - reach, reach)
        a, b = order[own], order[other]
        for k in range(low.shape[1]):
            keep = (low[a, k] <= high[b, k]) & (low[b, k] <= high[a, k])
            a, b = a[keep], b[keep]
        yield np.minimum(a, b) * count + np.maximum(a, b)
        at = stop


def _sweep_size(low: Floats, high: Floats) -> int:
    starts = np.sort(low)
    return int(np.searchsorted(starts, high, side="right").sum())
