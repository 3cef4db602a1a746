"""Convex hulls of exact points that share vertices, with rigorous floats beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.image.homogeneous import Point, approximation, rationals
from polyrank.image.hyperplane import rounding
from polyrank.network.rational import exponent, nearest_float

__all__ = ["Hulls", "hulls_of_points"]

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Hulls:
    """Hulls of vertices in R^m, of which every two meet, if at all by their names, in a face.

    Attributes
    ----------
    dimension : int64 array, shape (P,)
        Of what has the hull as its image, and of the hull where the map has full rank.
    start, vertex : int64 arrays, shapes (P + 1,) and (m,)
        Hull p has the vertices ``vertex[start[p] : start[p + 1]]``, ascending.
    image, error : float64 arrays, shape (V, m)
        ``|image − place of v| ≤ error``; an error of inf says nothing, and its image is 0.
    source : callable
        The number of a vertex to its exact place.
    """

    dimension: Numbers
    start: Numbers
    vertex: Numbers
    image: Floats
    error: Floats
    source: Callable[[int], tuple[fmpq, ...]]
    _exact: dict[int, tuple[fmpq, ...]] = field(default_factory=dict, kw_only=True)
    _scaled: list[tuple[Floats, Floats, Numbers]] = field(default_factory=list, kw_only=True)

    @property
    def count(self) -> int:
        """Number P of hulls."""
        return int(self.dimension.size)

    @property
    def ambient(self) -> int:
        """Dimension m of the space."""
        return int(self.image.shape[1])

    def vertices(self, number: int) -> Numbers:
        """The vertices of a hull, ascending."""
        return self.vertex[self.start[number] : self.start[number + 1]]

    def corners(self, numbers: Numbers) -> Numbers:
        """The vertices of several hulls, ascending."""
        chosen = np.zeros(self.count, dtype=bool)
        chosen[numbers] = True
        return np.unique(self.vertex[np.repeat(chosen, np.diff(self.start))])

    def by_dimension(self, pairs: Numbers) -> tuple[Numbers, Numbers]:
        """Both sides of pairs of hulls, (n, 2), the one of smaller dimension first."""
        i, j = pairs[:, 0], pairs[:, 1]
        turned = self.dimension[i] > self.dimension[j]
        return np.where(turned, j, i), np.where(turned, i, j)

    def common_face(self, i: int, j: int) -> Numbers:
        """The vertices that two hulls share: those of their common face, perhaps none."""
        return np.intersect1d(self.vertices(i), self.vertices(j), assume_unique=True)

    def exact(self, vertex: int) -> tuple[fmpq, ...]:
        """The place of a vertex, exact."""
        found = self._exact.get(vertex)
        if found is None:
            found = self._exact[vertex] = self.source(vertex)
        return found

    def exact_image(self, number: int) -> list[tuple[fmpq, ...]]:
        """The exact places of the vertices of a hull."""
        return [self.exact(v) for v in self.vertices(number).tolist()]

    def scaled(self) -> tuple[Floats, Floats, Numbers]:
        """Places and errors with every coordinate in a range where floats tell something.

        Returns
        -------
        image, error : float64 arrays, shape (V, m)
            ``|image − 2^−e · (place of v)| ≤ error``.
        exponent : int64 array, shape (m,)
            e, 0 in coordinates whose errors are small beside the values anyway. The others are
            computed again from the exact places.
        """
        if not self._scaled:
            self._scaled.append(_scaled(self))
        return self._scaled[0]

    def boxes(self) -> tuple[Floats, Floats]:
        """Lower and upper corners of boxes that contain the hulls, :meth:`scaled`; (P, m)."""
        return self.boxes_of(*self.scaled()[:2])

    def boxes_of(self, image: Floats, error: Floats) -> tuple[Floats, Floats]:
        """The same for other floats with bounds of their errors, (V, m)."""
        low, high = bounds(image, error)
        return (
            np.minimum.reduceat(low[self.vertex], self.start[:-1], axis=0),
            np.maximum.reduceat(high[self.vertex], self.start[:-1], axis=0),
        )


def hulls_of_points(
    points: Sequence[Point], cells: Sequence[Sequence[int]], dimension: Numbers
) -> Hulls:
    """Hulls of exact points, from the numbers of their vertices, ascending."""
    near = approximation(points)
    zero = np.array([[v == 0 for v in p[:-1]] for p in points]).reshape(near.shape)
    return Hulls(
        dimension=dimension,
        start=np.concatenate([[0], np.cumsum([len(c) for c in cells])]),
        vertex=np.array([v for c in cells for v in c], np.int64),
        image=np.where(np.isfinite(near), near, 0.0),
        error=rounding(near, zero),
        source=lambda v: rationals(points[v]),
    )


def _scaled(own: Hulls) -> tuple[Floats, Floats, Numbers]:
    power = np.zeros(own.ambient, np.int64)
    largest = np.abs(own.image).max(axis=0, initial=0.0)
    slack = own.error.max(axis=0, initial=0.0)
    columns = np.flatnonzero((slack > 0) & ~(slack <= 2.0**-24 * largest))
    if not columns.size:
        return own.image, own.error, power
    image, error = own.image.copy(), own.error.copy()
    for k in columns.tolist():
        values = [own.exact(v)[k] for v in range(len(image))]
        most = max(map(abs, values), default=fmpq(0))
        if most != 0:
            power[k] = exponent(most)
        step = fmpq(2) ** -int(power[k])
        image[:, k] = [nearest_float(v * step) for v in values]
        zero = np.array([v == 0 for v in values], dtype=bool)
        error[:, k] = rounding(image[:, k], zero)
    return image, error, power


def bounds(image: Floats, error: Floats) -> tuple[Floats, Floats]:
    """Floats below and above the true values."""
    low = np.where(error > 0, np.nextafter(image - error, -np.inf), image)
    high = np.where(error > 0, np.nextafter(image + error, np.inf), image)
    return low, high
