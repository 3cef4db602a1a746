"""Linking numbers of cycles in R³, exact, from the signed crossings of a projection.

Both curves are turned by a random integer matrix of positive determinant, which keeps the number,
and projected along the third axis. ``lk = Σ sign`` over the crossings at which the first curve
passes above the second; the sign is that of ``(first edge) × (second edge)``. Every sign is that
of a determinant, proved by a float bound or computed in rationals; where a projection is not
generic (a vertex falls on an edge of the other curve), another matrix is taken.

Source: D. Rolfsen, Knots and Links (1976), section 5.D.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpz_mat
from numpy.typing import NDArray
from scipy import sparse

from polyrank.chains.elimination import invariant_factors
from polyrank.errors import DomainError, UncertifiedError
from polyrank.image.candidates import box_pairs
from polyrank.image.hyperplane import Points
from polyrank.lp.deadline import look

__all__ = ["elementary_divisors", "linking_matrix"]

U = 2.0**-53
_TINY = 1e-290
_TRIES = 20

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Exact = tuple[fmpq, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Value:
    """Floats with rigorous error bounds, elementwise."""

    near: Floats
    error: Floats

    def __sub__(self, other: _Value) -> _Value:
        near = self.near - other.near
        return _Value(near, (self.error + other.error + U * np.abs(near)) * (1 + 4 * U))

    def __mul__(self, other: _Value) -> _Value:
        near = self.near * other.near
        spread = np.abs(self.near) * other.error + self.error * (np.abs(other.near) + other.error)
        return _Value(near, (spread + U * np.abs(near)) * (1 + 8 * U) + _TINY)

    def sign(self) -> NDArray[np.int8]:
        """−1 or 1 where that is proved, else 0."""
        with np.errstate(all="ignore"):
            return np.where(np.abs(self.near) > self.error, np.sign(self.near), 0).astype(np.int8)


def linking_matrix(
    first: Points,
    second: Points,
    first_edges: Numbers,
    second_edges: Numbers,
    first_cycles: NDArray[np.int64],
    second_cycles: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Linking numbers of cycles made of segments.

    Parameters
    ----------
    first, second : Points
        In R³.
    first_edges, second_edges : int64 arrays, shapes (e, 2) and (f, 2)
        Ends of the oriented segments, as numbers of points.
    first_cycles, second_cycles : int64 arrays, shapes (g, e) and (h, f)
        Multiplicities of the segments in every cycle; each must be a cycle.

    Returns
    -------
    ndarray of int64, shape (g, h)
        ``lk(c_i, d_j)``; positive for a right-handed Hopf link of parallel orientation.

    Raises
    ------
    DomainError
        If the segments of the two families meet, so that there is no linking number.
    UncertifiedError
        If no generic projection was found.

    Notes
    -----
    **Proves** the numbers, given that the two families are disjoint: a meeting that is not at a
    crossing of the projection is not noticed.
    """
    if first.dimension != 3 or second.dimension != 3:
        raise DomainError(f"linking numbers are those of curves in R^3, not R^{first.dimension}")
    random = np.random.default_rng(3)
    for _ in range(_TRIES):
        matrix = random.integers(-60, 61, size=(3, 3))
        determinant = int(fmpz_mat(matrix.tolist()).det())
        if determinant == 0:
            continue
        if determinant < 0:
            matrix = matrix[:, [1, 0, 2]]
        found = _crossings(_Turned.of(first, second, matrix), first_edges, second_edges)
        if found is None:
            continue
        i, j, sign = found
        shape = len(first_edges), len(second_edges)
        crossings = sparse.coo_array((sign, (i, j)), shape=shape).tocsr()
        return np.asarray(first_cycles @ (crossings @ second_cycles.T))
    raise UncertifiedError(f"no generic projection of two curves in {_TRIES} directions")


def elementary_divisors(matrix: NDArray[np.int64]) -> tuple[int, ...]:
    """The non-zero elementary divisors of an integer matrix, in order of divisibility.

    Examples
    --------
    >>> elementary_divisors(np.array([[2, 4], [4, 8]]))
    (2,)
    """
    if not matrix.size:
        return ()
    return tuple(invariant_factors(fmpz_mat(matrix.tolist())))


@dataclass(frozen=True, slots=True, eq=False)
class _Turned:
    """Both families after one linear map of positive determinant."""

    first: _Value
    second: _Value
    exact: tuple[Callable[[int], Exact], Callable[[int], Exact]]

    @classmethod
    def of(cls, first: Points, second: Points, matrix: NDArray[np.int64]) -> _Turned:
        # powers of two that make every coordinate about 1: exact
        with np.errstate(all="ignore"):
            size = np.maximum(
                np.abs(first.approx).max(axis=0, initial=0.0),
                np.abs(second.approx).max(axis=0, initial=0.0),
            )
        power = np.where(size > 0, np.frexp(size)[1], 0)
        weight = np.abs(matrix).astype(np.float64)
        turned = []
        for points in (first, second):
            with np.errstate(all="ignore"):
                near = np.ldexp(points.approx, -power)
                error = np.ldexp(points.error, -power) + 2.0**-1072
                spread = error @ weight.T + 8 * U * (np.abs(near) @ weight.T)
                value = near @ matrix.T.astype(np.float64)
            error = np.where(np.isfinite(spread), spread * (1 + 16 * U), np.inf)
            turned.append(_Value(np.where(np.isfinite(value), value, 0.0), error))
        scale = [fmpq(2) ** -int(p) for p in power]
        rows = [[int(v) for v in row] for row in matrix.tolist()]

        def turn(exact: Callable[[int], Exact]) -> Callable[[int], Exact]:
            def at(i: int) -> Exact:
                own = [s * v for s, v in zip(scale, exact(i), strict=True)]
                return tuple(
                    sum((w * v for w, v in zip(row, own, strict=True)), fmpq(0)) for row in rows
                )

            return at

        return cls(turned[0], turned[1], (turn(first.exact), turn(second.exact)))


def _crossings(
    turned: _Turned, first: Numbers, second: Numbers
) -> tuple[Numbers, Numbers, Numbers] | None:
    """Pairs of segments at whose crossing the first is above, with signs; None: not generic."""
    found: list[tuple[Numbers, Numbers, Numbers]] = []
    boxes = [_boxes(v, e) for v, e in ((turned.first, first), (turned.second, second))]
    joined = [np.concatenate(corner) for corner in zip(*boxes, strict=True)]
    family = np.repeat([0, 1], [len(first), len(second)])
    for pairs in box_pairs(joined[0], joined[1], family):
        i, j = pairs[:, 0], pairs[:, 1] - len(first)
        a, b, c, d = (
            _at(turned.first, first[i, 0]),
            _at(turned.first, first[i, 1]),
            _at(turned.second, second[j, 0]),
            _at(turned.second, second[j, 1]),
        )
        with np.errstate(all="ignore"):
            sides = [
                _orientation(a, b, c).sign(),
                _orientation(a, b, d).sign(),
                _orientation(c, d, a).sign(),
                _orientation(c, d, b).sign(),
            ]
            height = _height(a, b, c, d).sign()
        apart = (sides[0] * sides[1] > 0) | (sides[2] * sides[3] > 0)
        cross = (sides[0] * sides[1] < 0) & (sides[2] * sides[3] < 0)
        # the edges cross in the projection as c × d does: from one side of (a, b) to the other
        turn = sides[1]
        certain = cross & (height != 0)
        above = certain & (height * turn > 0)
        found.append((i[above], j[above], turn[above].astype(np.int64)))
        for k in np.flatnonzero(~apart & ~certain).tolist():
            look()
            ends = [turned.exact[0](int(v)) for v in first[i[k]]]
            ends += [turned.exact[1](int(v)) for v in second[j[k]]]
            exact = _exact_crossing(ends)
            if exact is None:
                return None
            if exact:
                found.append((i[k : k + 1], j[k : k + 1], np.array([exact], np.int64)))
    if not found:
        nothing = np.empty(0, np.int64)
        return nothing, nothing, nothing
    i, j, signs = (np.concatenate(column) for column in zip(*found, strict=True))
    return i, j, signs


def _boxes(value: _Value, edges: Numbers) -> tuple[Floats, Floats]:
    with np.errstate(all="ignore"):
        low = np.nextafter(value.near[:, :2] - value.error[:, :2], -np.inf)
        high = np.nextafter(value.near[:, :2] + value.error[:, :2], np.inf)
    return (
        np.minimum(low[edges[:, 0]], low[edges[:, 1]]),
        np.maximum(high[edges[:, 0]], high[edges[:, 1]]),
    )


def _at(value: _Value, points: Numbers) -> _Value:
    return _Value(value.near[points], value.error[points])


def _coordinate(value: _Value, axis: int) -> _Value:
    return _Value(value.near[:, axis], value.error[:, axis])


def _orientation(a: _Value, b: _Value, c: _Value) -> _Value:
    """``(b − a) × (c − a)`` in the plane: positive if c lies to the left of a → b."""
    one, other = b - a, c - a
    return _cross(one, other)


def _cross(one: _Value, other: _Value) -> _Value:
    x, y = _coordinate(one, 0), _coordinate(one, 1)
    return x * _coordinate(other, 1) - y * _coordinate(other, 0)


def _height(a: _Value, b: _Value, c: _Value, d: _Value) -> _Value:
    """``((b − a) × (d − c)) · (a − c)``: the height of the first above the second, times the turn.

    At a crossing p − q = (0, 0, h), and a − p, q − c are multiples of the edges.
    """
    one, other, gap = b - a, d - c, a - c
    total: _Value | None = None
    for x, y, z in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        minor = _coordinate(one, x) * _coordinate(other, y) - _coordinate(one, y) * _coordinate(
            other, x
        )
        part = minor * _coordinate(gap, z)
        total = part if total is None else _sum(total, part)
    if total is None:
        raise AssertionError
    return total


def _sum(one: _Value, other: _Value) -> _Value:
    near = one.near + other.near
    return _Value(near, (one.error + other.error + U * np.abs(near)) * (1 + 4 * U))


def _exact_crossing(ends: Sequence[Exact]) -> int | None:
    """The sign if the first segment passes above the second, 0 if it does not.

    None if the projection is not generic for these segments.

    Raises
    ------
    DomainError
        If the segments meet.
    """
    a, b, c, d = ends

    def side(p: Exact, q: Exact, r: Exact) -> int:
        value = (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])
        return (value > 0) - (value < 0)

    sides = side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b)
    if sides[0] * sides[1] > 0 or sides[2] * sides[3] > 0:
        return 0
    if not any(sides):
        # on one line of the projection: apart there, or not generic
        apart = any(
            max(p[k] for p in one) < min(p[k] for p in other)
            for one, other in (((a, b), (c, d)), ((c, d), (a, b)))
            for k in (0, 1)
        )
        return 0 if apart else None
    if not all(sides):
        return None
    one, other, gap = (
        [q - p for p, q in zip(x, y, strict=True)] for x, y in ((a, b), (c, d), (c, a))
    )
    normal = [
        one[1] * other[2] - one[2] * other[1],
        one[2] * other[0] - one[0] * other[2],
        one[0] * other[1] - one[1] * other[0],
    ]
    value = sum((n * g for n, g in zip(normal, gap, strict=True)), fmpq(0))
    if value == 0:
        raise DomainError("the curves meet: they have no linking number")
    return sides[1] if (value > 0) == (sides[1] > 0) else 0
