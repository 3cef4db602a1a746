"""Two finite sets of exact points: a separating hyperplane, or a common point of their hulls.

Floats propose a normal (the nearest points of the hulls); rigorous bounds of the dot products
verify it, rationals where these do not suffice. Where no float normal holds, an exact linear
program decides on a few points; points that its hyperplane misses join them until either all lie
on their side or the few points alone have hulls that meet.

Source: G. M. Ziegler, Lectures on Polytopes (1995), section 1.4 (Farkas lemma); for the proposal
B. F. Mitchell, V. F. Demyanov, V. N. Malozemov, "Finding the point of a polyhedron closest to the
origin", SIAM J. Control 12 (1974).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import RefutedError
from polyrank.lp.certificates import Infeasible, Unbounded
from polyrank.lp.deadline import look
from polyrank.lp.exact import minimise
from polyrank.lp.farkas import integer_row, integer_row_from_floats
from polyrank.network.rational import nearest_float

__all__ = [
    "CommonPoint",
    "Hyperplane",
    "Points",
    "dot_bounds",
    "nearest_points",
    "plane_gap",
    "rounding",
    "separate_hulls",
    "verify_common_point",
    "verify_hyperplane",
]

U = 2.0**-53
_TINY = 1e-290
_ROUNDS = 400

Floats = NDArray[np.float64]
Exact = tuple[fmpq, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Exact points of R^m with float64 values beside them.

    Attributes
    ----------
    approx, error : float64, shape (n, m)
        ``|approx − true| ≤ error``; an overflow gives an infinite error, which decides nothing.
    exact : callable
        The number of a point to its rational coordinates.
    """

    approx: Floats
    error: Floats
    exact: Callable[[int], Exact]

    @classmethod
    def from_rationals(cls, points: Sequence[Sequence[fmpq]], dimension: int) -> Points:
        """Points given by their coordinates."""
        rows = [tuple(p) for p in points]
        flat = [nearest_float(v) for row in rows for v in row]
        approx = np.array(flat, dtype=np.float64).reshape(len(rows), dimension)
        exact = np.array([v == 0 for row in rows for v in row], dtype=bool).reshape(approx.shape)
        return cls(approx, rounding(approx, exact), rows.__getitem__)

    def along(self, coordinates: Sequence[int]) -> Points:
        """The same points in some of their coordinates only."""
        chosen = list(coordinates)
        if chosen == list(range(self.dimension)):
            return self
        exact = self.exact
        return Points(
            self.approx[:, chosen],
            self.error[:, chosen],
            lambda i: tuple(exact(i)[k] for k in chosen),
        )

    def __len__(self) -> int:
        return len(self.approx)

    @property
    def dimension(self) -> int:
        """Dimension m of the space."""
        return int(self.approx.shape[1])


def rounding(approx: Floats, zero: NDArray[np.bool_]) -> Floats:
    """The error of values that are the float64 nearest to the truth; none where it is 0."""
    with np.errstate(all="ignore"):
        size = np.abs(approx) * (2 * U) + 2.0**-1073
    return np.where(zero, 0.0, np.where(np.isfinite(approx), size, np.inf))


@dataclass(frozen=True, slots=True)
class Hyperplane:
    """``w·x > t`` at every point of the first set, ``w·x < t`` at every point of the second.

    Attributes
    ----------
    normal : tuple of int
        w.
    offset : int
        t.
    """

    normal: tuple[int, ...]
    offset: int

    def value(self, point: Sequence[fmpq]) -> fmpq:
        """``w·x − t``, exact."""
        total = fmpq(-self.offset)
        for w, x in zip(self.normal, point, strict=True):
            if w:
                total += w * x
        return total


@dataclass(frozen=True, slots=True)
class CommonPoint:
    """``Σ λ_i a_i = Σ μ_j b_j``: no hyperplane separates the two sets strictly.

    Attributes
    ----------
    first, second : tuple of (int, fmpq)
        The numbers of points with their weights, positive and of sum 1.
    point : tuple of fmpq
        The common point of both hulls.
    """

    first: tuple[tuple[int, fmpq], ...]
    second: tuple[tuple[int, fmpq], ...]
    point: Exact


def verify_hyperplane(first: Points, second: Points, plane: Hyperplane) -> bool:
    """Check the strict inequalities at every point, in rationals where floats do not prove them."""
    normal = [fmpq(w) for w in plane.normal]
    return not _violated(first, normal, fmpq(plane.offset), 1) and not _violated(
        second, normal, fmpq(plane.offset), -1
    )


def verify_common_point(first: Points, second: Points, common: CommonPoint) -> bool:
    """Check in rationals that both combinations are convex and give the point."""
    for points, weights in ((first, common.first), (second, common.second)):
        if any(w <= 0 for _, w in weights) or sum((w for _, w in weights), fmpq(0)) != 1:
            return False
        total = [fmpq(0)] * points.dimension
        for i, w in weights:
            total = [t + w * v for t, v in zip(total, points.exact(i), strict=True)]
        if tuple(total) != common.point:
            return False
    return True


def plane_gap(first: Points, second: Points, plane: Hyperplane) -> fmpq:
    """A lower bound of the distance of two hulls on the sides of a hyperplane, exact.

    ``(min w·a − max w·b) / r`` for an integer ``r ≥ |w|``; it need not be near the distance.
    """
    square = sum(w * w for w in plane.normal)
    root = math.isqrt(square)
    length = root if root * root == square else root + 1
    above = min(plane.value(first.exact(i)) for i in _extreme(first, plane, 1))
    below = max(plane.value(second.exact(i)) for i in _extreme(second, plane, -1))
    return (above - below) / length


def _extreme(points: Points, plane: Hyperplane, side: int) -> list[int]:
    """Numbers of the points that can have the least (side 1) or the greatest value of ``w·x``."""
    largest = max(abs(w) for w in plane.normal)
    near = np.array([w / largest for w in plane.normal]) * side
    low, high = dot_bounds(points, near, np.abs(near) * (2 * U) + 2.0**-1073)
    with np.errstate(all="ignore"):
        return [int(i) for i in np.flatnonzero(~(low > np.nanmin(high, initial=np.inf)))]


def separate_hulls(first: Points, second: Points) -> Hyperplane | CommonPoint:
    """A hyperplane strictly between two finite sets, or a common point of their convex hulls.

    **Proves**: a :class:`Hyperplane` has all points strictly on their sides, so the hulls are
    disjoint; a :class:`CommonPoint` is in both hulls, so that no affine function is positive on
    one set and negative on the other. One of the two always exists.

    Parameters
    ----------
    first, second : Points
        At least one point each, of one dimension m ≥ 1.

    Raises
    ------
    OutOfTimeError
        If a time limit of :mod:`polyrank.lp.deadline` has passed.

    Examples
    --------
    >>> a = Points.from_rationals([[fmpq(0)], [fmpq(1)]], 1)
    >>> separate_hulls(a, Points.from_rationals([[fmpq(2)]], 1))
    Hyperplane(normal=(-2,), offset=-3)
    >>> separate_hulls(a, Points.from_rationals([[fmpq(1, 2)]], 1)).point
    (1/2,)
    """
    proposal = nearest_points(first.approx, second.approx)
    for bits in (6, 14, 52):
        plane = _rounded_plane(first, second, proposal.normal, bits)
        if plane is not None and verify_hyperplane(first, second, plane):
            return plane
    chosen = (set(proposal.first.tolist()), set(proposal.second.tolist()))
    most = first.dimension + 2
    for _ in range(_ROUNDS):
        look()
        answer = _exact_program(first, second, sorted(chosen[0]), sorted(chosen[1]))
        if isinstance(answer, CommonPoint):
            return answer
        normal, offset = answer
        missed = (
            _violated(first, normal, offset, 1, most),
            _violated(second, normal, offset, -1, most),
        )
        if not missed[0] and not missed[1]:
            row = integer_row([*normal, offset])
            return Hyperplane(row[:-1], row[-1])
        for own, new in zip(chosen, missed, strict=True):
            own.update(new)
    # every round adds a point, so that this is reached in theory only: all points at once
    answer = _exact_program(first, second, range(len(first)), range(len(second)))
    if isinstance(answer, CommonPoint):
        return answer
    row = integer_row([*answer[0], answer[1]])
    return Hyperplane(row[:-1], row[-1])


def _exact_program(
    first: Points, second: Points, own: Sequence[int], other: Sequence[int]
) -> CommonPoint | tuple[list[fmpq], fmpq]:
    """(w, t) with ``w·a − t ≥ 1`` and ``t − w·b ≥ 1`` at the chosen points, or the Farkas proof."""
    one = fmpq(1)
    points = [first.exact(i) for i in own] + [second.exact(j) for j in other]
    rows = [integer_row([*p, -one, -one]) for p in points[: len(own)]]
    rows += [integer_row([*(-v for v in p), one, -one]) for p in points[len(own) :]]
    m = first.dimension
    answer = minimise(rows, [0] * (m + 2))
    if isinstance(answer, Unbounded):
        raise RefutedError("the function 0 has no lower bound: an internal error")
    if not isinstance(answer, Infeasible):
        entries = answer.point.entries()
        return list(entries[:m]), entries[m]
    # Σ v_i row_i is a negative constant: the coefficients of w and of t vanish
    parts: tuple[list[tuple[int, fmpq]], list[tuple[int, fmpq]]] = ([], [])
    for i, v in zip(answer.multipliers.indices, answer.multipliers.values, strict=True):
        side = int(i >= len(own))
        number = other[i - len(own)] if side else own[i]
        parts[side].append((number, fmpq(v * abs(rows[i][m]))))
    total = sum((w for _, w in parts[0]), fmpq(0))
    weights = tuple(tuple((i, w / total) for i, w in part) for part in parts)
    point = [fmpq(0)] * m
    for i, w in weights[0]:
        point = [p + w * v for p, v in zip(point, first.exact(i), strict=True)]
    common = CommonPoint(weights[0], weights[1], tuple(point))
    if not verify_common_point(first, second, common):
        raise RefutedError("Farkas multipliers give no common point: an internal error")
    return common


def dot_bounds(
    points: Points, normal: Floats, slack: Floats | None = None
) -> tuple[Floats, Floats]:
    """Rigorous bounds of ``w·x`` at every point.

    Parameters
    ----------
    points : Points
    normal : float64, shape (m,)
        w, or floats within ``slack`` of it.
    slack : float64, shape (m,), optional

    Returns
    -------
    lower, upper : float64, shape (n,)
        An overflow gives bounds that are infinite or nan: these decide nothing.
    """
    size, terms = np.abs(normal), points.dimension + 8
    with np.errstate(all="ignore"):
        value = points.approx @ normal
        spread = points.error @ size
        weight = np.abs(points.approx) @ size
        if slack is not None:
            spread = spread + (np.abs(points.approx) + points.error) @ slack
        error = (spread + terms * U * weight) * (1 + 4 * terms * U) + _TINY
        return value - error, value + error


def _violated(
    points: Points, normal: Sequence[fmpq], offset: fmpq, side: int, most: int | None = None
) -> list[int]:
    """Numbers of points that are not strictly on their side, the worst first; at most ``most``."""
    largest = max([abs(w) for w in normal] + [abs(offset)])
    largest = fmpq(1) if largest == 0 else largest
    near = np.array([nearest_float(w / largest) for w in normal])
    low, high = dot_bounds(points, near, np.abs(near) * (2 * U) + 2.0**-1073)
    t = nearest_float(offset / largest)
    room = abs(t) * (4 * U) + _TINY
    inside = low > t + room if side > 0 else high < t - room
    doubtful = np.flatnonzero(~inside)
    with np.errstate(all="ignore"):
        value = (points.approx @ near - t) * side
        order = doubtful[np.argsort(value[doubtful], kind="stable")]
    found: list[int] = []
    for i in order.tolist():
        look()
        total = -offset
        for w, x in zip(normal, points.exact(i), strict=True):
            total += w * x
        if total * side <= 0:
            found.append(i)
            if most is None or len(found) >= most:
                break
    return found


def _rounded_plane(first: Points, second: Points, normal: Floats, bits: int) -> Hyperplane | None:
    """The proposal with a normal of few bits and an offset in the middle, if floats allow one."""
    largest = np.abs(normal).max(initial=0.0)
    if not (0 < largest < np.inf):
        return None
    # ldexp, for a power of two alone may be no float
    w = np.round(np.ldexp(normal, bits - math.frexp(float(largest))[1]))
    with np.errstate(all="ignore"):
        above, below = (first.approx @ w).min(), (second.approx @ w).max()
        if not above > below:
            return None
        gap, middle = above - below, below + (above - below) / 2
        # as few bits as leave the offset well between
        unit = 2.0 ** (math.frexp(float(gap))[1] - 4)
        short = np.round(middle / unit) * unit
    t = short if math.isfinite(short) and below < short < above else middle
    if not (np.isfinite(w).all() and math.isfinite(t)):
        return None
    row = integer_row_from_floats([*w.tolist(), float(t)])
    return Hyperplane(row[:-1], row[-1])


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """Approximate nearest points of two hulls: a proposal.

    Attributes
    ----------
    normal : float64, shape (m,)
        From the second to the first, in the given coordinates (a covector).
    first, second : int64 arrays
        The points that carry them.
    """

    normal: Floats
    first: NDArray[np.int64]
    second: NDArray[np.int64]


_NO_WEIGHT = 1e-12


def nearest_points(first: Floats, second: Floats, *, steps: int = 400) -> Nearest:
    """The nearest points of two hulls in floats, each coordinate scaled to size 1 before.

    The point of least norm in the hull of all differences: P. Wolfe, "Finding the nearest point in
    a polytope", Mathematical Programming 11 (1976). The differences are not written out: the next
    one is that of the extreme points of both sides.
    """
    everything = np.concatenate([first, second])
    with np.errstate(all="ignore"):
        low, high = everything.min(axis=0), everything.max(axis=0)
        middle = np.nan_to_num(low / 2 + high / 2)
        width = np.nan_to_num(high / 2 - low / 2, posinf=1e300)
        scale = np.exp2(np.clip(-np.frexp(np.where(width > 0, width, 1.0))[1], -1000, 1000))
        a = np.clip(np.nan_to_num((first - middle) * scale), -2, 2)
        b = np.clip(np.nan_to_num((second - middle) * scale), -2, 2)
    z = a.mean(axis=0) - b.mean(axis=0)
    corral: list[tuple[int, int]] = []
    points, weights = np.zeros((0, len(z))), np.zeros(0)
    for _ in range(steps):
        pair = int((a @ z).argmin()), int((b @ z).argmax())
        new = a[pair[0]] - b[pair[1]]
        norm = float(z @ z)
        if pair in corral or (corral and norm - float(z @ new) <= 1e-12 * norm) or norm < 1e-26:
            break
        longer = np.vstack([points, new])
        kept, found = _least_norm(longer, np.append(weights, 0.0 if corral else 1.0))
        nearer = found @ longer[kept]
        if corral and not float(nearer @ nearer) < (1 - 1e-12) * norm:
            break
        corral = [p for p, keep in zip([*corral, pair], kept.tolist(), strict=True) if keep]
        points, weights, z = longer[kept], found, nearer
    with np.errstate(all="ignore"):
        normal = np.nan_to_num(z * scale)
    own, other = ({p[side] for p in corral} for side in (0, 1))
    return Nearest(normal, np.array(sorted(own), np.int64), np.array(sorted(other), np.int64))


def _least_norm(points: Floats, weights: Floats) -> tuple[NDArray[np.bool_], Floats]:
    """Which points carry the one of least norm in their hull, and their weights.

    ``weights`` are those of a point of the hull. From there it goes towards the point of least norm
    in the affine span, and leaves a point out where its weight vanishes.
    """
    kept = np.ones(len(points), dtype=bool)
    while True:
        rows = np.flatnonzero(kept)
        base, current = points[rows[0]], weights[rows]
        share = np.linalg.lstsq((points[rows[1:]] - base).T, -base, rcond=None)[0]
        flat = np.append(1 - share.sum(), share)
        out = flat <= _NO_WEIGHT
        if not out.any() or rows.size == 1:
            return kept, flat
        ratio = current[out] / np.maximum(current[out] - flat[out], _NO_WEIGHT)
        current = current + min(1.0, float(ratio.min())) * (flat - current)
        gone = current <= _NO_WEIGHT
        gone[np.flatnonzero(out)[ratio.argmin()]] = True
        weights[rows] = current
        kept[rows[gone]] = False
