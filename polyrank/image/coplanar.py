"""Overlaps of polygons with what lies in their planes, many pairs at a time.

**Theorem.** Let Q be a polygon and P a convex set of its plane. If a point of P lies inside of Q,
then P ∩ Q has the dimension of P.

*Proof.* Near the point P lies in Q, and there are points of the relative interior of P near it. ∎

The point is a convex combination of the corners of P. Floats propose the weights, and with bounds
of their errors prove the signs of the sides of Q.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from polyrank.image.collinear import UNKNOWN
from polyrank.image.hulls import Hulls
from polyrank.image.intersection import Chart
from polyrank.image.planes import Planes, least_values, padded
from polyrank.lp.deadline import look

__all__ = ["Coplanar"]

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_U = 2.0**-53


class Coplanar:
    """Polygons and what may lie in their planes.

    Parameters
    ----------
    own : Hulls
        Of full rank.
    chart : callable
        The chart of a piece.
    planes : Planes
        Of the polygons that matter.
    flat : int64 array
        Per hull its place or line; see :class:`~polyrank.image.collinear.Collinear`.
    """

    def __init__(
        self, own: Hulls, chart: Callable[[int], Chart], planes: Planes, flat: Numbers
    ) -> None:
        self._own = own
        self._chart = chart
        self._planes = planes
        self._flat = flat
        self._known: dict[tuple[int, int, int], bool] = {}

    def dimensions(self, pairs: Numbers) -> Numbers:
        """Per pair of hulls the dimension of the intersection of their images, where it is proved.

        ``UNKNOWN`` for all others.
        """
        i, j = self._own.by_dimension(pairs)
        out = np.full(len(pairs), UNKNOWN, np.int64)
        chosen = np.flatnonzero(self._own.dimension[j] == 2)
        chosen = chosen[self._in_plane(i[chosen], j[chosen])]
        inside = self._inside(i[chosen], j[chosen])
        left = np.flatnonzero(~inside & (self._own.dimension[i[chosen]] == 2))
        # no chord of P need meet a Q that lies inside of it
        inside[left] = self._inside(j[chosen[left]], i[chosen[left]])
        out[chosen[inside]] = self._own.dimension[i[chosen[inside]]]
        return out

    def _in_plane(self, i: Numbers, j: Numbers) -> Flags:
        """Whether images lie in the planes of polygons, exactly."""
        if self._own.ambient == 2:
            return np.ones(len(i), dtype=bool)
        dimension, planes = self._own.dimension[i], self._planes.plane[j]
        out = self._planes.plane[i] == planes
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

    def _inside(self, i: Numbers, j: Numbers) -> Flags:
        """Whether the theorem above is proved for P = i and Q = j.

        The point is a mean of middles of chords of P.
        """
        image, error, _ = self._own.scaled()
        corner, _ = padded(self._own.start, self._own.vertex, i)
        side, some = padded(self._planes.start, np.arange(len(self._planes.side)), j)
        axes = self._planes.axes[self._planes.plane[j]][:, None, :]
        place, slack = (table[corner[:, :, None], axes] for table in (image, error))
        low = least_values(
            self._planes.side[side][:, :, None], place[:, None], slack[:, None]
        )  # P, side, corner
        low = np.where(some[:, :, None], low, 1.0)
        weight = _chord_weights(low)
        with np.errstate(all="ignore"):  # what overflows or is nan proves nothing
            terms = low * weight[:, None, :]
            rounding = 4 * (terms.shape[2] + 4) * _U * np.abs(terms).sum(axis=2)
            return np.asarray((terms.sum(axis=2) > rounding).all(axis=1))


def _chord_weights(values: Floats) -> Floats:
    """Weights of corners whose mean is that of the middles of the parts of chords that are inside.

    All segments between two corners are cut by the sides; the mean of all corners counts as one,
    and a corner as a segment.

    Parameters
    ----------
    values : float64 array, shape (…, sides, corners)
        Of the sides of the one set, positive inside of it, at the corners of the other.

    Returns
    -------
    float64 array, shape (…, corners)
        All 0 if no chord is inside; a proposal, for nothing is rounded safely.
    """
    count = values.shape[-1]
    weight = np.zeros((*values.shape[:-2], count + 1))
    with np.errstate(all="ignore"):
        values = np.concatenate([values, values.mean(axis=-1, keepdims=True)], axis=-1)
        for k in range(count + 1):
            own = values[..., k, None]
            step = values[..., k:] - own
            at = -own / step
            begin = np.where(step > 0, at, 0.0).max(axis=-2).clip(0.0)
            end = np.where(step < 0, at, 1.0).min(axis=-2).clip(max=1.0)
            held = ((step != 0) | (own > 0)).all(axis=-2) & (begin < end)
            length = np.where(held, end - begin, 0.0)
            weight[..., k:] += length * (begin + end)
            weight[..., k] += (length * (2 - begin - end)).sum(axis=-1)
    return np.asarray(weight[..., :count] + weight[..., count:] / count)
