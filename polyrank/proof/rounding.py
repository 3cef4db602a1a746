"""Trusted unless all is to be exact: rows in float64 with bounds of their errors, many at a time.

A *rounded* row holds float64 numbers r with an error e ≥ 0, such that the exact coefficients are
``2^t (r_l + e_l)`` with ``|e_l| ≤ e`` for some t. Every operation adds what it may have rounded
off: a sum of n products, in any order, is wrong by at most n + 1 times 2^-53 of the sum of absolute
values (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1); twice that
is taken. That holds above the smallest normal number. Below it a product loses at most 2^-1075,
whatever its factors are; so every bound ends with an absolute term that is more than all of these
(:data:`_TINY`, :data:`_LOST`). Weights and slopes below 2^-1000, whose loss later factors could
blow up, are not rounded at all: their layer and those above are left to integers. A partial sum
that overflows proves nothing.

Rows with e = 0 are integers times a known power of two, and sums of products of integers are exact
while the absolute values add up to less than 2^52. Multipliers, rays and inverses are
proposals (:mod:`polyrank.proof.proposals`): nothing here depends on where they come from, and what
is infinite or no number proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.network.rational import nearest_float
from polyrank.proof.layers import Layers, Problem, Region
from polyrank.proof.proposals import inverses

__all__ = ["Rounding", "by_cone", "by_identity", "ranks_at_least"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_ROUNDING = 2.0**-52  # twice what one operation rounds off
_WHOLE = 2.0**52  # sums of integers up to here are exact
_MORE = 1 + 2.0**-30  # for what rounds bounds themselves
_TINY = 2.0**-900  # more than all that underflow can do to the coefficient of a row
_LOST = 2.0**-1000  # more than it can do to a sum of products
_CHUNK = 1 << 12
_PAIRS = 1 << 16
_CACHED = 1 << 17  # numbers


class _Weights:
    """A layer in float64: ``[W | b] · 2^-shift`` with sums of absolute values up to 1 per row."""

    def __init__(self, layers: Layers, number: int) -> None:
        here = layers.layers[number]
        self.units = here.units
        table = [[int(v) for v in row] for row in here.affine.tolist()]
        self.norm = max((sum(map(abs, row)) for row in table), default=0)
        self.shift = self.norm.bit_length()
        self.slope_shift = max((abs(v) for p in here.slopes for v in p), default=0).bit_length()
        # quotients of integers are rounded correctly
        values = [[v / (1 << self.shift) for v in row] for row in table]
        self.table: Floats = np.array(values).reshape(here.units, here.affine.ncols())
        slopes = [[v / (1 << self.slope_shift) for v in pair] for pair in here.slopes]
        self.slopes: Floats = np.array(slopes).reshape(here.units, 2)
        #: which slopes are not 0; a float cannot say it
        self.live: Flags = np.array([[v != 0 for v in pair] for pair in here.slopes]).reshape(-1, 2)
        self.chunk = max(32, _CACHED // (here.units * (layers.k + 1)))
        self.fits = _fit(table, self.shift) and _fit(here.slopes, self.slope_shift)


def _fit(table: Iterable[Sequence[int]], shift: int) -> bool:
    """Whether no number v / 2^shift but 0 is below 2^-1000."""
    return not any(v and abs(v).bit_length() < shift - 999 for row in table for v in row)


def _only_coordinate(wall: Sequence[int]) -> int:
    places = list(compress(range(len(wall) - 1), wall))
    return places[0] if len(places) == 1 else -1


class Rounding:
    """Proves claims on rounded rows of the regions that it was given last.

    Attributes
    ----------
    values : ndarray, shape (k + 1, n)
        The rows of the walls and of all regions.
    parts : ndarray, shape (2, n)
        Errors of the coefficients of u, and of constants.
    errors, sizes : ndarray, shape (n,)
        The sums of the errors, and of the absolute values, of all coefficients of a row.
    units : ndarray, shape (n,)
        2^t, times which they are integers, where the error is 0; else 0.
    shifts : ndarray of int, shape (regions, 1 + layers)
        What to add to the place of a wall, or of a unit of a layer, to get its place in the table.
    """

    def __init__(self, problem: Problem) -> None:
        layers = problem.layers
        self.problem = problem
        self.weights = [_Weights(layers, k) for k in range(layers.depth)]
        #: t of the rows of every layer, and the number that stands for 1 in what it hands on
        self.exponents: list[int] = []
        self.ones: list[float] = []
        #: whether the rows of a layer can be rounded
        self.fits: list[bool] = []
        t, fits = 0, True
        for here, scale in zip(self.weights, layers.scales, strict=True):
            t += here.shift
            self.exponents.append(t)
            fits &= here.fits
            self.fits.append(fits)
            t += here.slope_shift
            self.ones.append(nearest_float(fmpq(scale, 1 << t)))
            fits &= self.ones[-1] < np.inf
        #: of every place of a row: 0 for walls, 1 + layer for units
        parts = [len(problem.walls), *(here.units for here in layers.layers)]
        self.part: Ints = np.repeat(np.arange(layers.depth + 1), parts)
        #: of every wall: the one coordinate that it reads, or -1
        self.axis: Ints = np.array([_only_coordinate(wall) for wall in problem.walls], np.int64)
        self.regions: list[Region] = []

    def take(self, regions: Iterable[Region]) -> None:
        """Compose the rows of these regions and of those below them, and prove their ranks."""
        with np.errstate(all="ignore"):
            self._take(regions)

    def _take(self, regions: Iterable[Region]) -> None:
        layers, walls = self.problem.layers, len(self.problem.walls)
        for region in self.regions:
            region.index = -1
        groups: list[list[Region]] = [[] for _ in range(layers.depth + 1)]
        for region in regions:
            line: Region | None = region
            while line is not None and line.index < 0:
                line.index = 0
                groups[line.layer].append(line)
                line = line.below
        self.regions = [region for group in groups for region in group]
        for i, region in enumerate(self.regions):
            region.index = i
        total = walls + sum(
            len(group) * here.units for group, here in zip(groups, layers.layers, strict=False)
        )
        self.values: Floats = np.empty((layers.k + 1, total))
        self.parts: Floats = np.zeros((2, total))
        self.errors, self.sizes, self.units = np.zeros((3, total))
        self.shifts: Ints = np.zeros((len(self.regions), layers.depth + 1), dtype=np.int64)
        self._walls()
        start, below_start, column, spread = 0, 0, walls, slice(0)
        for k, group in enumerate(groups):
            end = column + (len(group) * layers.layers[k].units if k < layers.depth else 0)
            if k and group:
                below = np.array([r.below.index for r in group if r.below is not None])
                self.shifts[start : start + len(group)] = self.shifts[below]
                units, chunk = (end - column) // len(group), self.weights[k - 1].chunk
                for i in range(0, len(group), chunk):  # as many as stay in the cache
                    part, at = group[i : i + chunk], column + i * units
                    span = slice(at, at + len(part) * units)
                    self._enter(part, below[i : i + chunk] - below_start, spread, span)
            elif group:
                self._start(slice(column, end))
            if k < layers.depth:
                places = column + layers.layers[k].units * np.arange(len(group))
                self.shifts[start : start + len(group), k + 1] = places - walls - layers.starts[k]
            below_start, start = start, start + len(group)
            column, spread = end, slice(column, end)

    def _walls(self) -> None:
        self.values[:, : len(self.problem.walls)] = 0.0
        for i, wall in enumerate(self.problem.walls):
            scale = 1 << max(0, max(map(abs, wall)).bit_length() - 52)
            for l in compress(range(len(wall)), wall):
                self.values[l, i] = wall[l] / scale
            self.sizes[i] = np.abs(self.values[:, i]).sum()
            self.units[i] = scale == 1
            self.errors[i] = 0.0 if scale == 1 else self.sizes[i] * _ROUNDING

    def _start(self, span: slice) -> None:
        """The rows of the first layer."""
        here = self.weights[0]
        self.values[:, span] = here.table.T
        if here.norm >= _WHOLE:
            self.parts[:, span] = _ROUNDING
        self._measure(0, span)

    def _measure(self, layer: int, span: slice) -> None:
        """Sizes and errors on the cube, where the absolute values of all coefficients add up."""
        if not self.fits[layer]:
            self.parts[:, span] = np.inf
        k = self.problem.layers.k
        np.abs(self.values[:, span]).sum(axis=0, out=self.sizes[span])
        self.errors[span] = (self.parts[0, span] * k + self.parts[1, span]) * _MORE
        exact = self.errors[span] == 0
        if exact.any():
            self.units[span] = exact * 2.0 ** self.exponents[layer]

    def _enter(self, group: Sequence[Region], below: Ints, spread: slice, span: slice) -> None:
        """Ranks and rows of regions of one layer, from those numbered ``below`` of the layer below.

        Their rows are the columns ``span``, those of the layer below the columns ``spread``.
        """
        layers, layer, m, k = self.problem.layers, group[0].layer, len(group), self.problem.layers.k
        under = self.weights[layer - 1]
        c = len(under.table)
        on = _flags([r.positive for r in group], c)
        factor = np.where(on, under.slopes[:, 1], under.slopes[:, 0])
        live = np.where(on, under.live[:, 1], under.live[:, 0])
        if any(r.zero for r in group):
            vanish = _flags([r.zero for r in group], c)
            factor[vanish], live[vanish] = 0.0, False
        rows = self.values[:, spread].reshape(k + 1, -1, c)[:, below]
        rows *= factor
        one = self.ones[layer - 1]
        # weights, slopes and products are rounded, and a sum of c + 1 of them
        largest = np.abs(rows)
        sizes = np.array([largest[:k].max(axis=0, initial=0), largest[k]])
        known = self.parts[:, spread].reshape(2, -1, c)[:, below]
        errors = known * (np.abs(factor) * _MORE) + sizes * ((c + 6) * _ROUNDING) + _TINY
        if self.fits[layer - 1]:
            self._prove_ranks(group, live, rows[:k], errors[0])
        if layer == layers.depth:
            return
        here = self.weights[layer]
        for l in range(k + 1):
            product = self.values[l, span].reshape(m, -1)
            np.matmul(rows[l], here.table[:, :c].T, out=product)
        product += here.table[:, c] * one
        for part, error in zip(self.parts, errors, strict=True):
            np.matmul(error, np.abs(here.table[:, :c].T), out=part[span].reshape(m, -1))
        self.parts[:, span] *= _MORE
        self.parts[1, span] += one * ((c + 6) * _ROUNDING)
        self.parts[:, span] += _TINY
        # all is whole if the integers that these numbers stand for are small
        t = self.exponents[layer - 1] + under.slope_shift
        if here.norm < _WHOLE and t < 200:
            most = np.maximum(largest.max(axis=(0, 2)), one) * 2.0**t
            whole = ~known.any(axis=(0, 2)) & (most * here.norm < _WHOLE)
            self.parts[:, span].reshape(2, m, -1)[:, whole] = 0.0
        self._measure(layer, span)

    def _prove_ranks(
        self, group: Sequence[Region], live: Flags, rows: Floats, errors: Floats
    ) -> None:
        """Ranks of regions from the linear parts (k, m, c) that they are handed.

        They are at most those of the regions below, and at most the number of ``live`` rows, those
        that are not zero by their slope.
        """
        handed = np.array([r.below.rank for r in group if r.below is not None])
        bound = np.minimum(handed, live.sum(axis=1))
        proved = ranks_at_least(bound, rows, errors)
        for region, rank, sure in zip(group, bound.tolist(), proved.tolist(), strict=True):
            if sure:
                region.proved_rank = rank

    def _at(self, region: Ints, place: Ints) -> Ints:
        """Places in the table of the rows with these places on these regions."""
        return place + self.shifts[region, self.part[place]]

    def inside(
        self, region: Ints, numbers: Ints, points: Floats, errors: Floats, owner: Ints
    ) -> Flags:
        """Whether rows of regions are proved positive at points (u, 1).

        Parameters
        ----------
        region, numbers, owner : (m,)
            ``index`` of a region, number of a row, place of a point.
        points : (k + 1, n); errors : (n,)
        """
        place = numbers >> 1
        at = self._at(region, place)
        axis = np.append(self.axis, -1)[np.minimum(place, len(self.axis))]
        value = np.zeros(len(at))
        with np.errstate(all="ignore"):
            one = np.flatnonzero(axis >= 0)  # walls of one coordinate: of a box all are
            columns, of = at[one], owner[one]
            value[one] = self.values[axis[one], columns] * points[axis[one], of]
            value[one] += self.values[-1, columns] * points[-1, of]
            rest = np.flatnonzero(axis < 0)
            for i in range(0, len(rest), _PAIRS):
                part = rest[i : i + _PAIRS]
                columns, of, total = at[part], owner[part], np.zeros(len(part))
                for coefficient, v in zip(self.values, points, strict=True):
                    total += coefficient[columns] * v[of]
                value[part] = total
            error = self.errors[at] + self.sizes[at] * ((len(points) + 4) * _ROUNDING)
            error = error * np.abs(points).max(axis=0, initial=0)[owner] + (
                (error + self.sizes[at]) * errors[owner] + _LOST
            )
            sure = np.where(numbers & 1, -value, value) > error * _MORE
        return np.asarray(sure & np.isfinite(value))

    def signs(self, layer: int, region: Ints, points: Floats, errors: Floats) -> NDArray[np.int8]:
        """The proved signs (n, units) of a layer's rows on a region at each of n points; else 0.

        Parameters
        ----------
        region : (n,)
            ``index`` of the region of each point.
        points : (k + 1, n); errors : (n,)
            As in :meth:`inside`.
        """
        place = len(self.problem.walls) + self.problem.layers.starts[layer]
        starts, units = place + self.shifts[region, layer + 1], self.weights[layer].units
        found = np.zeros((len(region), units), dtype=np.int8)
        chunk = max(1, _PAIRS // units)
        with np.errstate(all="ignore"):
            for i in range(0, len(region), chunk):
                part = slice(i, i + chunk)
                first = int(starts[i])
                at: Any = starts[part, None] + np.arange(units)
                if (starts[part] == first).all():
                    at = slice(first, first + units)
                owned = points[:, part, None]
                value = sum(row[at] * v for row, v in zip(self.values, owned, strict=True))
                error = self.errors[at] + self.sizes[at] * ((len(points) + 4) * _ROUNDING)
                error = error * np.abs(owned).max(axis=0, initial=0) + (
                    (error + self.sizes[at]) * errors[part, None] + _LOST
                )
                sure = (np.abs(value) > error * _MORE) & np.isfinite(value)
                found[part] = np.where(sure, np.sign(value), 0)
        return found

    def prove(self, region: Ints, goals: Ints, rows: Ints, columns: Ints | None = None) -> Flags:
        """Which of m goals are proved to be ≥ 0, and not identically 0, by d rows each.

        Parameters
        ----------
        region : (m,)
            ``index`` of the region that the step is on.
        goals : (m,); rows : (d, m)
            Numbers; below 0 for no row.
        columns : (d, m), optional
            Coordinates in which goals and rows are to agree; default: in all of d.
        """
        chunk = min(_CHUNK, max(1, _CACHED * 8 // (len(self.values) * (1 + len(rows)))))
        chunks = [slice(i, i + chunk) for i in range(0, len(goals), chunk)]
        with np.errstate(all="ignore"):
            found = [
                self._prove(
                    region[s], goals[s], rows[:, s], None if columns is None else columns[:, s]
                )
                for s in chunks
            ]
        return np.concatenate([np.zeros(0, dtype=bool), *found])

    def _prove(self, region: Ints, goals: Ints, rows: Ints, columns: Ints | None) -> Flags:
        problem, d = self.problem, len(rows)
        place = np.maximum(rows, 0) >> 1
        wall = place < len(problem.walls)
        used = (rows >= 0) & ~(wall & (place >= problem.artificial))
        side: Floats = np.where(goals & 1, -1.0, 1.0)
        sign: Floats = np.where(rows & 1, -side, side) * used
        at, by = self._at(region, goals >> 1), self._at(region, place)
        proved = np.zeros(len(goals), dtype=bool)
        if problem.bounded:
            proved = self._by_identity(at, side, by, sign, columns, whole=False)
        left = np.flatnonzero(~proved)
        left = left[(self.units[at[left]] > 0) & (self.units[by[:, left]] > 0).all(axis=0)]
        if left.size:
            proved[left] = self._by_identity(
                at[left],
                side[left],
                by[:, left],
                sign[:, left],
                None if columns is None else columns[:, left],
                whole=True,
            )
        if columns is not None:
            return proved
        left = np.flatnonzero(~proved & used.all(axis=0))
        if problem.bounded:
            left = left[~wall[:, left].any(axis=0)] if problem.central else left[:0]
        if d and left.size:
            goal, form = self._rows(at[left], d), self._rows(by[:, left], d)
            inverse, _ = inverses(form.values)
            proved[left] = by_cone(goal, side[left], form, sign[:, left], inverse)
        return proved

    def _rows(self, at: Ints, d: int) -> Rounded:
        return Rounded(self.values[:d, at], self.errors[at], self.sizes[at])

    def _by_identity(
        self,
        at: Ints,
        side: Floats,
        by: Ints,
        sign: Floats,
        columns: Ints | None,
        *,
        whole: bool,
    ) -> Flags:
        goal, rows = self._rows(at, len(self.values)), self._rows(by, len(self.values))
        if whole:
            goal, rows = (
                Rounded(r.values * self.units[i], r.errors, r.sizes * self.units[i])
                for r, i in ((goal, at), (rows, by))
            )
        d, m = by.shape
        multipliers, scale = np.zeros((d, m)), np.ones(m)
        if d:
            form, value = rows.values[:d], goal.values[:d]
            if columns is not None:
                each = np.arange(m)
                form = rows.values[columns[:, None], np.arange(d)[:, None], each]
                value = goal.values[columns, each]
            inverse, determinant = inverses(form)
            for l in range(d):
                multipliers += inverse[:, l] * value[l]
            if whole:  # Cramer: integers, if these are the multipliers of integer rows
                scale = np.rint(np.abs(determinant))
                multipliers = np.rint(multipliers * scale)
        return by_identity(
            goal, side, rows, sign, multipliers, scale, bounded=self.problem.bounded, whole=whole
        )


class Rounded(NamedTuple):
    """Rounded rows: values (k + 1, ...), coefficients first; sums of errors and sizes (...)."""

    values: Floats
    errors: Floats
    sizes: Floats


def by_identity(
    goal: Rounded,
    side: Floats,
    rows: Rounded,
    sign: Floats,
    multipliers: Floats,
    scale: Floats,
    *,
    bounded: bool,
    whole: bool,
) -> Flags:
    """:func:`polyrank.proof.farkas.proves` for m goals at once, and that they are not 0.

    On the cube all errors of a row add up; elsewhere none is allowed.

    Parameters
    ----------
    goal : (m,) rounded rows; rows : (d, m)
    side : (m,)
        1 or −1, times which the goal is to be ≥ 0.
    sign : (d, m)
        Side, times 1 or −1 for what the rows count; 0 for a row that must not be used.
    multipliers : (d, m); scale : (m,)
        Multipliers of the wrong sign count as 0.
    whole : bool
        Multipliers and scale are integers, and so are rows without error.
    """
    factors = np.where(multipliers * sign > 0, multipliers, 0.0)
    rest = goal.values * scale
    size, unknown = goal.sizes * scale, goal.errors * scale
    for q, factor in enumerate(factors):
        rest -= factor * rows.values[:, q]
        size += np.abs(factor) * rows.sizes[q]
        unknown += np.abs(factor) * rows.errors[q]
    lost = (unknown + size * ((len(rest) + len(factors) + 4) * _ROUNDING)) * _MORE + _LOST
    exact = (unknown == 0) & (size < _WHOLE) & whole & goal.values.any(axis=0)
    slope = np.abs(rest[:-1]).sum(axis=0)
    least = side * rest[-1] - slope
    proved = exact & (least >= 0) & (bounded | (slope == 0))
    if bounded:
        proved |= (least > lost) & np.isfinite(least)  # what is > 0 on the cube is not 0
    return np.asarray(proved & (scale > 0))


def by_cone(goal: Rounded, side: Floats, rows: Rounded, sign: Floats, inverse: Floats) -> Flags:
    """For m goals, whether the goal is > 0 inside of where d linear forms on R^d are ≥ 0, by rays.

    Let the columns of V be rays such that M = (row_i(V_j)) has off-diagonal entries ≤ 0 and is
    strictly dominated by its positive diagonal in every row. Then M⁻¹ ≥ 0 (M is an M-matrix),
    so a point v with all row_i(v) ≥ 0 is V M⁻¹ (row(v)), a sum of the rays with factors ≥ 0, and
    the goal is > 0 there if it is so on each ray. The rays are those of the inverse (d, d, m) of
    the forms, moved outwards a little.
    """
    d = len(sign)
    sign = sign * side
    rays = inverse * sign[:, None]
    rays /= np.abs(rays).max(axis=1, keepdims=True)
    error = rows.errors + rows.sizes * ((d + 2) * _ROUNDING)
    moved = inverse * (sign * error * (4 * d))[:, None]
    rays -= moved.sum(axis=0) - moved
    length = np.abs(rays).sum(axis=1) * _MORE
    at_rays = side * sum(goal.values[l] * rays[:, l] for l in range(d))
    doubt = length * (goal.errors + goal.sizes * ((d + 2) * _ROUNDING)) + _LOST
    good = ((at_rays > doubt) & np.isfinite(at_rays)).all(axis=0)
    for i in range(d):
        values = sign[i] * sum(rows.values[l, i] * rays[:, l] for l in range(d))
        doubt = error[i] * length + _LOST
        good &= (np.delete(values + doubt, i, axis=0) <= 0).all(axis=0)
        lost = (doubt + np.abs(values) * ((d + 2) * _ROUNDING)).sum(axis=0) * _MORE
        good &= (values.sum(axis=0) > lost) & np.isfinite(values).all(axis=0)
    return np.asarray(good)


def ranks_at_least(bound: Ints, rows: Floats, errors: Floats) -> Flags:
    """Which of m matrices (k, m, c) are proved to have rank ``bound``.

    They are known up to ``errors`` (m, c), of at least ``(c + 2)`` roundings of their entries and
    more than underflow can do.

    The leading minor of order r of T A S, for some T and S, is not 0 if B, an approximate inverse
    of its matrix A', has ‖1 − B A'‖ < 1; then the rank of A is at least r.
    """
    k, m, c = rows.shape
    most = int(bound.max(initial=0))  # no larger minor is asked for
    if most == 0:
        return np.ones(m, dtype=bool)
    dice = np.random.default_rng(0)
    left, right = dice.uniform(-1, 1, (most, k)), dice.uniform(-1, 1, (c, most))
    narrow = (rows.reshape(k * m, c) @ right).reshape(k, m * most)
    some = (left @ narrow).reshape(most, m, most)
    lost = k * (k + 2) * errors.sum(axis=1)
    kept = np.arange(most)[:, None] < bound
    minor = np.where(kept[:, None] & kept, some.transpose(0, 2, 1), np.eye(most)[:, :, None])
    inverse, _ = inverses(minor)
    lost += (k + 4) * _ROUNDING * np.abs(minor).max(axis=(0, 1))
    with np.errstate(all="ignore"):
        rest = np.repeat(np.eye(most)[:, :, None], m, axis=2)
        for l in range(most):
            rest -= inverse[:, l, None] * minor[l]
        norm = np.abs(rest).sum(axis=1)
        norm += np.abs(inverse).sum(axis=1) * (k * lost)
    return np.asarray((norm < 0.5).all(axis=0))


def _flags(sets: Sequence[int], units: int) -> Flags:
    """Bits (m, units) of m sets of units."""
    data = b"".join([s.to_bytes(units // 8 + 1, "little") for s in sets])
    table = np.frombuffer(data, np.uint8).reshape(len(sets), -1)
    return np.unpackbits(table, axis=1, count=units, bitorder="little").astype(bool)
