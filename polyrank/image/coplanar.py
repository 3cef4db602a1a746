"""Overlaps of polygons with what lies in their planes, many pairs at a time.

**Theorem.** Let Q be a polygon and P a convex set of its plane. If some point of P that is a convex
combination of all its corners, with positive weights, lies inside of Q, then P ∩ Q has the
dimension of P.

*Proof.* The point is one of the relative interior of P, and near it P lies in Q. ∎

Floats propose the weights, and with bounds of their errors prove the signs of the sides of Q.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.image.collinear import UNKNOWN
from polyrank.image.hulls import Hulls
from polyrank.image.intersection import Chart
from polyrank.lp.deadline import look
from polyrank.network.rational import nearest_float

__all__ = ["Coplanar"]

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Plane = tuple[tuple[fmpq, ...], ...]

_STEPS = 16, 256  # of proposed weights; the pairs that are left take more
_U, _TINY = 2.0**-53, 2.0**-1000


class Coplanar:
    """The polygons among some pieces with their planes and sides.

    Parameters
    ----------
    own : Hulls
        Of full rank.
    chart : callable
        The chart of a piece.
    polygons : sequence of int
        Those of the hulls that matter, ascending.
    flat : int64 array
        Per hull its place or line; see :class:`~polyrank.image.collinear.Collinear`.
    """

    def __init__(
        self, own: Hulls, chart: Callable[[int], Chart], polygons: Sequence[int], flat: Numbers
    ) -> None:
        self._own = own
        self._chart = chart
        self._flat = flat
        #: Per hull of dimension 2 its plane; −1 for others.
        self.plane = np.full(own.count, -1, np.int64)
        self._planes: dict[Plane, int] = {}
        self._axes: list[tuple[int, int]] = []
        sides: list[tuple[float, float, float]] = []
        start = [0] * (own.count + 1)
        for p in polygons:
            look()
            first, axes, rows = self._sides(p)
            self.plane[p] = self._planes.setdefault(first, len(self._planes))
            if self.plane[p] == len(self._axes):
                self._axes.append(axes)
            sides += rows
            start[p + 1] = len(rows)
        self._start = np.cumsum(start)
        self._side = np.array(sides).reshape(-1, 3)
        self._known: dict[tuple[int, int, int], bool] = {}

    def _sides(self, p: int) -> tuple[Plane, tuple[int, int], list[tuple[float, float, float]]]:
        """The plane of a polygon, two coordinates of it, and the sides in these, rounded."""
        own = self._chart(p)
        i, j = own.axes
        x, y = own.origin[i], own.origin[j]
        base = tuple(o - x * a - y * b for o, a, b in zip(own.origin, *own.basis, strict=True))
        _, _, power = self._own.scaled()
        scale = [fmpq(2) ** int(power[k]) for k in (i, j)]
        rows = []
        for a, b, c in own.sides:
            exact = a * scale[0], b * scale[1], c - a * x - b * y
            size = max(abs(exact[0]), abs(exact[1]))
            first, second, third = (nearest_float(v / size) for v in exact)
            rows.append((first, second, third))
        return (*own.basis, base), (i, j), rows

    def dimensions(self, pairs: Numbers) -> Numbers:
        """Per pair of hulls the dimension of the intersection of their images, where it is proved.

        ``UNKNOWN`` for all others.
        """
        i, j = self._own.by_dimension(pairs)
        out = np.full(len(pairs), UNKNOWN, np.int64)
        chosen = np.flatnonzero(self._own.dimension[j] == 2)
        chosen = chosen[self._in_plane(i[chosen], j[chosen])]
        planes = self.plane[j[chosen]]
        for n in np.unique(planes).tolist():
            own = chosen[planes == n]
            for steps in _STEPS:
                inside = self._inside(i[own], j[own], self._axes[n], steps)
                out[own[inside]] = self._own.dimension[i[own[inside]]]
                own = own[~inside]
        return out

    def _in_plane(self, i: Numbers, j: Numbers) -> NDArray[np.bool_]:
        """Whether images lie in the planes of polygons, exactly."""
        if self._own.ambient == 2:
            return np.ones(len(i), dtype=bool)
        dimension, planes = self._own.dimension[i], self.plane[j]
        out = self.plane[i] == planes
        lower = np.flatnonzero(dimension < 2)
        flat = self._flat[i[lower]]
        codes = np.stack([dimension[lower], flat, planes[lower]], axis=1)
        both, first, number = np.unique(codes, axis=0, return_index=True, return_inverse=True)
        found = []
        for k, code in zip(first.tolist(), map(tuple, both.tolist()), strict=True):
            look()
            if code not in self._known:
                self._known[code] = self._holds(int(j[lower[k]]), int(i[lower[k]]))
            found.append(self._known[code])
        out[lower] = np.array(found, dtype=bool)[number.ravel()] if found else False
        return np.asarray(out)

    def _holds(self, polygon: int, other: int) -> bool:
        """Whether the plane of a polygon holds another piece."""
        plane = self._chart(polygon)
        i, j = plane.axes
        for v in self._own.vertices(other).tolist():
            step = [a - b for a, b in zip(self._own.exact(v), plane.origin, strict=True)]
            s, t = step[i], step[j]
            if any(d != s * a + t * b for d, a, b in zip(step, *plane.basis, strict=True)):
                return False
        return True

    def _inside(
        self, i: Numbers, j: Numbers, axes: tuple[int, int], steps: int
    ) -> NDArray[np.bool_]:
        """Whether the theorem above is proved for P = i and Q = j.

        The weights are those of a game in which the first player chooses a corner of P, the other
        one a side of Q (fictitious play: J. Robinson, An iterative method of solving a game, 1951).
        """
        image, error, _ = self._own.scaled()
        corner, real = _padded(self._own.start, self._own.vertex, i)
        place, slack = (table[:, list(axes)][corner] for table in (image, error))
        side, some = _padded(self._start, np.arange(len(self._side)), j)
        a, b, c = (self._side[side][:, :, k][:, :, None] for k in range(3))
        x, y = (place[:, None, :, k] for k in (0, 1))
        with np.errstate(all="ignore"):  # what overflows or is nan proves nothing
            value = a * x + b * y + c
            size = np.abs(a * x) + np.abs(b * y) + np.abs(c)
            off = np.abs(a) * slack[:, None, :, 0] + np.abs(b) * slack[:, None, :, 1]
            tiny = _TINY * (1 + np.abs(x) + np.abs(y))  # what is lost where floats underflow
            low = value - 2 * off - 16 * _U * size - tiny  # less than the true value
            low = np.where(some[:, :, None], low, math.inf)
            weight = real.astype(np.float64)
            rows = np.arange(len(i))
            total = np.einsum("nsk,nk->ns", np.where(some[:, :, None], low, 1.0), weight)
            for _ in range(steps):
                worst = total.argmin(axis=1)
                gain = np.where(real, low[rows, worst], -math.inf)
                best = gain.argmax(axis=1)
                weight[rows, best] += 1
                total += np.where(some, low[rows, :, best], 1.0)
            terms = np.where(some[:, :, None], low, 1.0) * weight[:, None, :]
            rounding = 4 * (terms.shape[2] + 4) * _U * np.abs(terms).sum(axis=2)
            return np.asarray((terms.sum(axis=2) > rounding).all(axis=1))


def _padded(start: Numbers, entries: Numbers, chosen: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
    """The lists of some rows as one table, and which entries of it are real."""
    size = start[chosen + 1] - start[chosen]
    step = np.arange(int(size.max(initial=1)))
    real = step < size[:, None]
    return entries[start[chosen][:, None] + np.where(real, step, 0)], real
