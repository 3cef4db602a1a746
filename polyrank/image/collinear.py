"""Overlaps of points, segments and sides of polygons by lines, many pairs at a time.

The ends of all segments of a line are sorted once, exactly; then two of them are compared by the
numbers of their places. Where a point lies on a line, and where two lines meet, is asked once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.image.homogeneous import Point, from_rationals, rationals
from polyrank.image.hulls import Hulls
from polyrank.image.lines import difference, lines_of, ordered
from polyrank.lp.deadline import look

__all__ = ["UNKNOWN", "Collinear"]

Numbers = NDArray[np.int64]

#: The dimension of an overlap that is not decided here.
UNKNOWN = -2


class Collinear:
    """The pieces of dimension 0, 1 and 2 by their places, lines and sides, exactly.

    Parameters
    ----------
    own : Hulls
        Of full rank: a hull of dimension 1 has two vertices in different places.
    rings : mapping of int to list of int, optional
        Per polygon whose sides matter the vertices in their order around it.

    Attributes
    ----------
    flat : int64 array
        Per hull of dimension 0 its place, per hull of dimension 1 its line; −1 for others.
    """

    def __init__(self, own: Hulls, rings: Mapping[int, list[int]] | None = None) -> None:
        self._own = own
        self.flat = np.full(own.count, -1, np.int64)
        places: dict[Point, int] = {}

        @cache
        def place(vertex: int) -> int:
            look()
            return places.setdefault(from_rationals(own.exact(vertex)), len(places))

        for p in np.flatnonzero(own.dimension == 0).tolist():
            self.flat[p] = place(int(own.vertices(p)[0]))
        self._segments = np.flatnonzero(own.dimension == 1)
        ends = [ordered(*map(place, own.vertices(p).tolist())) for p in self._segments.tolist()]
        start = np.zeros(own.count + 1, np.int64)
        for p, corners in sorted((rings or {}).items()):
            ring = list(map(place, corners))
            ends += map(ordered, ring, [*ring[1:], ring[0]])
            start[p + 1] = len(ring)
        self._start = np.cumsum(start) + len(self._segments)
        self._table = list(places)
        self._lines = lines_of(self._table, ends)
        # twice the number of the place on the line, so that there are odd numbers between
        line_of, low, high = (np.zeros(len(ends), np.int64) for _ in range(3))
        for number, line in enumerate(self._lines):
            rank = {v: 2 * k for k, v in enumerate(line.order)}
            for s in line.members:
                line_of[s] = number
                low[s], high[s] = sorted(rank[v] for v in ends[s])
        self._line, self._low, self._high = line_of, low, high
        count = len(self._segments)
        self._number = np.zeros(own.count, np.int64)
        self._number[self._segments] = np.arange(count)
        self.flat[self._segments] = line_of[:count]
        self._on = cache(self._place_on)
        self._met = cache(self._place_of_both)
        self._along = cache(self._ends)

    def dimensions(self, pairs: Numbers) -> Numbers:
        """Per pair of hulls the dimension of the intersection of their images, −1 if it is empty.

        **Proves** it for two points, two segments of one line, and a point and a segment;
        ``UNKNOWN`` for all other pairs.
        """
        i, j = self._own.by_dimension(pairs)
        smaller, larger = self._own.dimension[i], self._own.dimension[j]
        same = self.flat[i] == self.flat[j]
        out = np.full(len(pairs), UNKNOWN, np.int64)
        points = larger == 0
        out[points] = np.where(same[points], 0, -1)
        lines = np.flatnonzero((smaller == 1) & (larger == 1) & same)
        out[lines] = self._common(self._number[i[lines]], self._number[j[lines]])
        mixed = np.flatnonzero((smaller == 0) & (larger == 1))
        out[mixed] = self._held(self.flat[i[mixed]], self._number[j[mixed]])
        return out

    def crossings(self, pairs: Numbers) -> Numbers:
        """The same for two segments of different lines, and where there is a line of a side.

        That is: for a point or a segment on the line of a side of a polygon.
        """
        i, j = self._own.by_dimension(pairs)
        smaller, larger = self._own.dimension[i], self._own.dimension[j]
        out = np.full(len(pairs), UNKNOWN, np.int64)
        lines = np.flatnonzero(larger == 1)
        one, other = self._number[i[lines]], self._number[j[lines]]
        met = self._meetings(self._line[one], self._line[other])
        inside = (met[:, 0] >= 0) & self._between(met[:, 0], one) & self._between(met[:, 1], other)
        out[lines] = np.where(inside, 0, -1)
        beside = np.flatnonzero((smaller < 2) & (larger == 2))
        for k in range(int((self._start[j[beside] + 1] - self._start[j[beside]]).max(initial=0))):
            side = self._start[j[beside]] + k
            chosen = beside[side < self._start[j[beside] + 1]]
            side = side[side < self._start[j[beside] + 1]]
            line = (smaller[chosen] == 1) & (self._line[side] == self.flat[i[chosen]])
            common = self._common(self._number[i[chosen[line]]], side[line])
            out[chosen[line]] = np.maximum(out[chosen[line]], common)
            point = smaller[chosen] == 0
            held = self._held(self.flat[i[chosen[point]]], side[point])
            out[chosen[point][held == 0]] = 0
        return out

    def _common(self, one: Numbers, other: Numbers) -> Numbers:
        """The dimension of what two segments of one line have in common."""
        high = np.minimum(self._high[one], self._high[other])
        return np.asarray(np.sign(high - np.maximum(self._low[one], self._low[other])))

    def _between(self, place: Numbers, segment: Numbers) -> NDArray[np.bool_]:
        return (self._low[segment] <= place) & (place <= self._high[segment])

    def _held(self, place: Numbers, segment: Numbers) -> Numbers:
        """0 where a place is one of a segment, −1 elsewhere."""
        codes = np.stack([place, self._line[segment]], axis=1).reshape(-1, 2)
        both, number = np.unique(codes, axis=0, return_inverse=True)
        where = np.array([self._on(*own) for own in both.tolist()], np.int64)[number.ravel()]
        return np.where((where >= 0) & self._between(where, segment), 0, -1)

    def _meetings(self, one: Numbers, other: Numbers) -> Numbers:
        """Where different lines meet: the places on both, −1 if they do not; shape (n, 2)."""
        both, number = np.unique(np.stack([one, other], axis=1), axis=0, return_inverse=True)
        found = [self._met(*own) for own in both.tolist()]
        return np.array(found, np.int64).reshape(-1, 2)[number.ravel()]

    def _ends(self, line: int) -> list[fmpq]:
        """The ends of the segments of a line, ascending in its axis."""
        own = self._lines[line]
        return [fmpq(self._table[v][own.axis], self._table[v][-1]) for v in own.order]

    def _rank(self, line: int, where: fmpq) -> int:
        ends = self._along(line)
        k = bisect_left(ends, where)
        if 0 < k < len(ends) or (k == 0 and ends[0] == where):
            return 2 * k if ends[k] == where else 2 * k - 1
        return -1

    def _place_on(self, place: int, line: int) -> int:
        look()
        own, point = self._lines[line], self._table[place]
        p, q = self._table[own.order[0]], self._table[own.order[-1]]
        u, v = difference(p, q), difference(p, point)
        if any(u[own.axis] * y != v[own.axis] * x for x, y in zip(u, v, strict=True)):
            return -1
        return self._rank(line, fmpq(point[own.axis], point[-1]))

    def _place_of_both(self, one: int, other: int) -> tuple[int, int]:
        """Of ``p + s u = r + t v``, modulo u: ``w + t v = 0`` with w = r − p."""
        look()
        corners = [
            rationals(self._table[v])
            for k in (one, other)
            for v in (self._lines[k].order[0], self._lines[k].order[-1])
        ]
        p, q, r, end = corners
        u, v, w = (
            [y - x for x, y in zip(a, b, strict=True)] for a, b in ((p, q), (r, end), (p, r))
        )
        axis = self._lines[one].axis
        rest = [
            [x - vector[axis] / u[axis] * y for x, y in zip(vector, u, strict=True)]
            for vector in (v, w)
        ]
        k = next((k for k, x in enumerate(rest[0]) if x != 0), None)
        if k is None:
            return -1, -1
        t = -rest[1][k] / rest[0][k]
        if any(y + t * x != 0 for x, y in zip(*rest, strict=True)):
            return -1, -1
        point = [x + t * y for x, y in zip(r, v, strict=True)]
        first, second = (self._rank(own, point[self._lines[own].axis]) for own in (one, other))
        return first, second

    def shared(self) -> Iterator[tuple[int, list[list[tuple[fmpq, ...]]]]]:
        """Per segment what other segments of its line hold of it: intervals, in its chart.

        The chart is that of :func:`polyrank.image.intersection.chart`.
        """
        for number, line in enumerate(self._lines):
            members = np.array([s for s in line.members if s < len(self._segments)], np.int64)
            if len(members) < 2:
                continue
            look()
            ends = self._along(number)
            change = np.zeros(len(ends) + 1, np.int64)
            np.add.at(change, self._low[members] // 2, 1)
            np.add.at(change, self._high[members] // 2, -1)
            twice = np.cumsum(change)[:-1] > 1
            # the first step of every interval that two or more hold, and the step after its last
            first = np.flatnonzero(twice & ~np.concatenate([[False], twice[:-1]]))
            last = np.flatnonzero(twice & ~np.concatenate([twice[1:], [False]])) + 1
            for s in members.tolist():
                low, high = int(self._low[s]) // 2, int(self._high[s]) // 2
                start = int(np.searchsorted(last, low, side="right"))
                stop = int(np.searchsorted(first, high, side="left"))
                p = int(self._segments[s])
                origin = self._own.exact(int(self._own.vertices(p)[0]))[line.axis]
                spans: list[list[tuple[fmpq, ...]]] = [
                    [(ends[max(low, a)] - origin,), (ends[min(high, b)] - origin,)]
                    for a, b in zip(
                        first[start:stop].tolist(), last[start:stop].tolist(), strict=True
                    )
                ]
                if spans:
                    yield p, spans
