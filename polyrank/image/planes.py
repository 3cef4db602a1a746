"""The polygons among convex hulls: their planes, their vertices in order, their sides in floats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.image.hulls import Hulls
from polyrank.image.intersection import Chart
from polyrank.lp.deadline import look
from polyrank.network.rational import nearest_float

__all__ = ["Planes", "Polygon", "least_values", "padded", "polygon"]

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_U, _TINY = 2.0**-53, 2.0**-1000


@dataclass(frozen=True, slots=True)
class Polygon:
    """A polygon with its plane.

    Attributes
    ----------
    plane : tuple
        Equal for polygons of one plane only.
    axes : tuple of int
        Two coordinates that determine the points of the plane; the same for all its polygons.
    ring : list of int
        The vertices in their order around it, counterclockwise in these coordinates.
    sides : list of (float, float, float)
        Per edge, from each vertex to the next, ``(a, b, c)``: a times the first coordinate, as
        :meth:`~polyrank.image.hulls.Hulls.scaled` has them, plus b times the second one plus c is
        ≥ 0 on the polygon; rounded, the largest of a and b is ±1.
    """

    plane: tuple[tuple[fmpq, ...], ...]
    axes: tuple[int, int]
    ring: list[int]
    sides: list[tuple[float, float, float]]


def polygon(own: Hulls, number: int, chart: Chart) -> Polygon:
    """What is known of a hull of dimension 2."""
    i, j = chart.axes
    x, y = chart.origin[i], chart.origin[j]
    base = tuple(o - x * a - y * b for o, a, b in zip(chart.origin, *chart.basis, strict=True))
    _, _, power = own.scaled()
    scale = [fmpq(2) ** int(power[k]) for k in (i, j)]
    rows = []
    for a, b, c in chart.sides:
        exact = a * scale[0], b * scale[1], c - a * x - b * y
        size = max(abs(exact[0]), abs(exact[1]))
        first, second, third = (nearest_float(v / size) for v in exact)
        rows.append((first, second, third))
    corners = own.vertices(number).tolist()
    return Polygon((*chart.basis, base), (i, j), [corners[k] for k in chart.order], rows)


class Planes:
    """Some polygons as tables.

    Parameters
    ----------
    own : Hulls
    polygons : mapping of int to Polygon
        By the numbers of the hulls.

    Attributes
    ----------
    plane : int64 array
        Per hull the number of its plane; −1 for what is no polygon here.
    axes : int64 array, shape (planes, 2)
    start, ring, side : arrays, shapes (hulls + 1,), (n,) and (n, 3)
        Polygon p has the vertices ``ring[start[p] : start[p + 1]]`` and these sides.
    after : int64 array, shape (n,)
        The vertex after each one around its polygon.
    """

    def __init__(self, own: Hulls, polygons: Mapping[int, Polygon]) -> None:
        self.plane = np.full(own.count, -1, np.int64)
        known: dict[tuple[tuple[fmpq, ...], ...], int] = {}
        axes: list[tuple[int, int]] = []
        sides: list[tuple[float, float, float]] = []
        ring: list[int] = []
        size = np.zeros(own.count + 1, np.int64)
        for p in sorted(polygons):
            look()
            found = polygons[p]
            self.plane[p] = known.setdefault(found.plane, len(known))
            if self.plane[p] == len(axes):
                axes.append(found.axes)
            sides += found.sides
            ring += found.ring
            size[p + 1] = len(found.ring)
        self.axes = np.array(axes, np.int64).reshape(-1, 2)
        self.start = np.cumsum(size)
        self.ring = np.array(ring, np.int64)
        last = self.start[1:][np.diff(self.start) > 0] - 1
        self.after = np.concatenate([self.ring[1:], self.ring[:1]])
        self.after[last] = self.ring[np.concatenate([[0], last[:-1] + 1])] if last.size else []
        self.side = np.array(sides).reshape(-1, 3)


def least_values(side: Floats, place: Floats, slack: Floats) -> Floats:
    """Numbers less than the true values of sides at points; nan where floats do not tell.

    Parameters
    ----------
    side : float64 array, shape (…, 3)
        As of :class:`Polygon`, or the negative of one.
    place, slack : float64 arrays, shape (…, 2)
        The two coordinates, with bounds of their errors.
    """
    a, b, c = side[..., 0], side[..., 1], side[..., 2]
    x, y = place[..., 0], place[..., 1]
    with np.errstate(all="ignore"):  # what overflows or is nan proves nothing
        size = np.abs(a * x) + np.abs(b * y) + np.abs(c)
        off = np.abs(a) * slack[..., 0] + np.abs(b) * slack[..., 1]
        tiny = _TINY * (1 + np.abs(x) + np.abs(y))  # what is lost where floats underflow
        return np.asarray(a * x + b * y + c - 2 * off - 16 * _U * size - tiny)


def padded(start: Numbers, entries: Numbers, chosen: Numbers) -> tuple[Numbers, Flags]:
    """The lists of some rows as one table, and which entries of it are real."""
    size = start[chosen + 1] - start[chosen]
    step = np.arange(int(size.max(initial=1)))
    real = step < size[:, None]
    return entries[start[chosen][:, None] + np.where(real, step, 0)], real
