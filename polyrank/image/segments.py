"""The exact common refinement of segments in R^m: crossings, touching ends, collinear overlaps.

Floats propose which pairs are disjoint and prove it by a direction that separates the two, or, for
segments from one point, by directions that differ; what they do not prove is decided in integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.image.boxes import box_pairs
from polyrank.image.homogeneous import Point, approximation, between
from polyrank.lp.deadline import look

__all__ = ["Refinement", "outer_boxes", "refine"]

_U = 2.0**-53
_TINY = 1e-300

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Refinement:
    """Segments cut at all points where two of them meet.

    Attributes
    ----------
    points : list of Point
        The given points, then the crossings; all different.
    chains : list of list of int
        Per segment, the points on it from its first end to its second, both included.
    crossings : int
        How many of the points are new.
    decided : int
        How many pairs were decided in integers.
    """

    points: list[Point]
    chains: list[list[int]]
    crossings: int
    decided: int


def outer_boxes(approx: Floats, ends: Indices) -> tuple[Floats, Floats]:
    """Boxes around the hulls of points that are known to half a unit in the last place.

    Parameters
    ----------
    approx : float64, shape (V, m)
        Correctly rounded coordinates; ±inf where they are too large.
    ends : int64, shape (n, k)
        The points of every hull.
    """
    largest = np.finfo(np.float64).max
    low = np.nextafter(np.clip(approx, -np.inf, largest), -np.inf)
    high = np.nextafter(np.clip(approx, -largest, np.inf), np.inf)
    return low[ends].min(axis=1), high[ends].max(axis=1)


def refine(points: Sequence[Point], segments: Indices) -> Refinement:
    """Cut segments where they meet.

    Parameters
    ----------
    points : sequence of Point
        All different.
    segments : int64 array, shape (E, 2)
        Pairs of different points, no pair twice. A point that is on no segment is allowed.

    Returns
    -------
    Refinement
        **Proves**: the segments between neighbours of the chains are equal or have no common
        inner point, and none has one of the points inside.
    """
    look()
    known = {p: i for i, p in enumerate(points)}
    table = list(points)
    cuts: list[dict[int, fmpq]] = [{} for _ in segments]
    loose = np.setdiff1d(np.arange(len(points)), segments.ravel())
    ends = np.concatenate([segments.reshape(-1, 2), np.stack([loose, loose], axis=1)])
    decided = 0
    if len(ends):
        approx = approximation(points)
        for i, j in _undecided(approx, ends):
            decided += len(i)
            look()
            for first, second in zip(i.tolist(), j.tolist(), strict=True):
                _cut_pair(table, known, cuts, ends, first, second)
    chains = []
    for (a, b), own in zip(segments.tolist(), cuts, strict=True):
        inner = sorted(own.items(), key=lambda item: item[1])
        chains.append([a, *(v for v, _ in inner), b])
    return Refinement(table, chains, len(table) - len(points), decided)


def _undecided(approx: Floats, ends: Indices) -> Iterator[tuple[Indices, Indices]]:
    """Pairs of segments that floats do not prove to meet in common ends only, in chunks."""
    lower, upper = outer_boxes(approx, ends)
    with np.errstate(all="ignore"):  # what overflows or is nan proves nothing
        for i, j in box_pairs(lower, upper):
            shared = (ends[i][:, :, None] == ends[j][:, None, :]).any(axis=(1, 2))
            proved = np.zeros(len(i), dtype=bool)
            if shared.any():
                proved[shared] = _different_directions(approx, ends[i[shared]], ends[j[shared]])
            apart = ~shared
            if apart.any():
                proved[apart] = _separated(approx, ends[i[apart]], ends[j[apart]])
            if not proved.all():
                yield i[~proved], j[~proved]


def _different_directions(approx: Floats, first: Indices, second: Indices) -> NDArray[np.bool_]:
    """Which pairs of segments from a common end surely go in different directions from there."""
    swap_first = (first[:, :1] != second).all(axis=1)
    swap_second = np.where(swap_first, first[:, 1], first[:, 0]) != second[:, 0]
    a = np.where(swap_first[:, None], first[:, ::-1], first)
    b = np.where(swap_second[:, None], second[:, ::-1], second)
    directions, error = [], np.zeros(len(first))
    for ends in (a, b):
        p, q = approx[ends[:, 0]], approx[ends[:, 1]]
        size = np.abs(p).max(axis=1) + np.abs(q).max(axis=1)
        step = q - p
        length = np.abs(step).max(axis=1)
        # a rounded difference is off by at most 2u times the sizes, in the maximum norm
        relative = (4 * _U * size + _TINY) / length
        directions.append(step / length[:, None])
        error += np.where(relative < 0.25, 4 * relative, np.inf)
    distance = np.abs(directions[0] - directions[1]).max(axis=1)
    return np.asarray(distance > error + 1e-14)


def _separated(approx: Floats, first: Indices, second: Indices) -> NDArray[np.bool_]:
    """Which pairs of segments a direction surely separates: that between their nearest points."""
    p, q = approx[first[:, 0]], approx[first[:, 1]]
    r, s = approx[second[:, 0]], approx[second[:, 1]]
    w = _gap(p, q, r, s)
    values = [np.einsum("ij,ij->i", w, x) for x in (p, q, r, s)]
    size = np.max([np.einsum("ij,ij->i", np.abs(w), np.abs(x)) for x in (p, q, r, s)], axis=0)
    slack = np.minimum(values[0], values[1]) - np.maximum(values[2], values[3])
    m = approx.shape[1]
    # each value is off by at most (m + 3) u times its size
    return np.asarray(slack > (4 * m + 16) * _U * size + _TINY)


def _gap(p: Floats, q: Floats, r: Floats, s: Floats) -> Floats:
    """From the nearest point of the segment (r, s) to that of (p, q), approximately.

    Source: Ericson, Real-Time Collision Detection (2005), section 5.1.9.
    """
    u, v, w = q - p, s - r, p - r
    a, e = np.einsum("ij,ij->i", u, u), np.einsum("ij,ij->i", v, v)
    b, c = np.einsum("ij,ij->i", u, v), np.einsum("ij,ij->i", u, w)
    f = np.einsum("ij,ij->i", v, w)
    whole = a * e - b * b
    at = np.where(whole > 0, np.clip((b * f - c * e) / np.where(whole > 0, whole, 1), 0, 1), 0.0)
    to = np.clip(np.where(e > 0, (b * at + f) / np.where(e > 0, e, 1), 0.0), 0, 1)
    at = np.clip(np.where(a > 0, (b * to - c) / np.where(a > 0, a, 1), 0.0), 0, 1)
    return w + at[:, None] * u - to[:, None] * v


def _cut_pair(
    table: list[Point],
    known: dict[Point, int],
    cuts: list[dict[int, fmpq]],
    ends: Indices,
    first: int,
    second: int,
) -> None:
    """Add to two segments the points where they meet."""
    (a, b), (c, d) = ends[first].tolist(), ends[second].tolist()
    if a == b and c == d:
        return  # different points
    if a == b or c == d:
        first, (a, b), point = (first, (a, b), c) if c == d else (second, (c, d), a)
        _add_inside(table, cuts, first, (a, b), (point,))
        return
    P, Q, R, S = table[a], table[b], table[c], table[d]
    u, v, w = _difference(P, Q), _difference(R, S), _difference(P, R)
    plane = _independent(u, v)
    if plane is None:
        _add_inside(table, cuts, first, (a, b), (c, d))
        _add_inside(table, cuts, second, (c, d), (a, b))
        return
    if {a, b} & {c, d}:
        return  # lines that are not parallel meet once
    i, j = plane
    minor = u[i] * v[j] - u[j] * v[i]
    sign = 1 if minor > 0 else -1
    # P + s (Q − P) = R + t (S − R); the differences above carry factors that cancel here
    s_part, s_whole = sign * (w[i] * v[j] - w[j] * v[i]) * Q[-1], sign * minor * R[-1]
    t_part, t_whole = sign * (w[i] * u[j] - w[j] * u[i]) * S[-1], sign * minor * P[-1]
    if not (0 <= s_part <= s_whole and 0 <= t_part <= t_whole):
        return
    meeting = between(P, Q, s_part, s_whole)
    if len(u) > 2 and meeting != between(R, S, t_part, t_whole):
        return
    number = known.get(meeting)
    if number is None:
        number = known[meeting] = len(table)
        table.append(meeting)
    if number not in {a, b}:
        cuts[first][number] = fmpq(s_part, s_whole)
    if number not in {c, d}:
        cuts[second][number] = fmpq(t_part, t_whole)


def _add_inside(
    table: list[Point],
    cuts: list[dict[int, fmpq]],
    segment: int,
    ends: tuple[int, int],
    candidates: Iterable[int],
) -> None:
    """Add those of the points to a segment that lie inside of it."""
    P, Q = table[ends[0]], table[ends[1]]
    u = _difference(P, Q)
    i = max(range(len(u)), key=lambda k: abs(u[k]))
    for number in candidates:
        if number in ends:
            continue
        X = table[number]
        w = _difference(P, X)
        # w = s u up to the factors of the differences, s = w_i / u_i · Q_d / X_d
        part, whole = w[i] * Q[-1], u[i] * X[-1]
        if whole < 0:
            part, whole = -part, -whole
        if 0 < part < whole and all(x * u[i] == y * w[i] for x, y in zip(w, u, strict=True)):
            cuts[segment][number] = fmpq(part, whole)


def _difference(p: Point, q: Point) -> list[int]:
    """``q − p``, times both denominators."""
    a, b = p[-1], q[-1]
    return [y * a - x * b for x, y in zip(p[:-1], q[:-1], strict=True)]


def _independent(u: Sequence[int], v: Sequence[int]) -> tuple[int, int] | None:
    """Two coordinates in which u and v are independent; None if they are parallel."""
    i = next(k for k, x in enumerate(u) if x)
    for j in range(len(u)):
        if j != i and u[i] * v[j] != u[j] * v[i]:
            return i, j
    return None
