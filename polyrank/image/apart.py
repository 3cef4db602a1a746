"""Two families of pieces at one layer: their images are apart, by how much, or where they meet.

The boxes of the images leave few pairs. For each of these floats propose the nearest points of the
two hulls (a batch at a time); the difference is the normal of a hyperplane, whose gap is bounded
rigorously. Pairs that this does not settle are decided by
:func:`polyrank.image.hyperplane.separate_hulls`, in rationals.

Pieces whose images have the same floats with the same bounds, as the many that a layer collapses to
one point, are represented by one of them: what floats prove of it, they prove of all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from flint import fmpq
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from polyrank.errors import RefutedError
from polyrank.image.candidates import box_pairs
from polyrank.image.collision import PointOfM, point_of_m
from polyrank.image.hyperplane import (
    CommonPoint,
    Hyperplane,
    plane_gap,
    separate_hulls,
)
from polyrank.image.near_images import BATCH, Scaled, box_gaps, grown, points_of
from polyrank.image.nearest import gaps_along, nearest_directions
from polyrank.image.pieces import Pieces
from polyrank.lp.deadline import look
from polyrank.network.forward import forward_exact
from polyrank.network.rational import fmpq_from_float, nearest_float

__all__ = ["Disjoint", "Meeting", "decide_apart", "image_of", "meeting_at"]

_MOST_KEPT = 1 << 20  # hyperplanes; 30 to 150 MB

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Meeting:
    """``Φ_K(x) = Φ_K(x')`` with x in the first family and x' in the second.

    Attributes
    ----------
    image : tuple of fmpq
    first, second : PointOfM
    """

    image: tuple[fmpq, ...]
    first: PointOfM
    second: PointOfM


@dataclass(frozen=True, slots=True, eq=False)
class Disjoint:
    """The images of the two families have no common point.

    Attributes
    ----------
    distance : fmpq
        A proven lower bound of their Euclidean distance, positive.
    near : float
        About the distance: that of two points of the images; nothing is proved by it.
    pairs : int64 array, shape (k, 2)
        The pairs of pieces whose boxes are near each other, of pieces with the same floats one
        only; the boxes of all other pairs are further apart than ``distance``.
    normals, offsets : float64 arrays, shapes (k, m) and (k,)
        ``w·y > t`` on the image of the first piece, ``w·y < t`` on that of the second, as the
        dyadic numbers that they are; nan for the pairs in ``exact``.
    count : int
        Number of pairs that have a hyperplane; about the first million of them is kept.
    exact : dict
        Pairs of pieces whose hyperplane needs more than floats: (i, j) → :class:`Hyperplane`.
    """

    distance: fmpq
    near: float
    pairs: Numbers
    normals: Floats
    offsets: Floats
    exact: dict[tuple[int, int], Hyperplane]
    count: int


def decide_apart(pieces: Pieces, first: Numbers, second: Numbers) -> Disjoint | Meeting:
    """Whether the images of two families of pieces have a common point.

    **Proves** either answer: the boxes contain the images, every other pair has a hyperplane that
    is verified by rigorous bounds or in rationals; a common point is a convex combination of exact
    images on both sides, and its preimages are mapped to it by the plain forward pass.

    Parameters
    ----------
    pieces : Pieces
        Of one layer.
    first, second : int64 arrays
        Numbers of pieces, at least one each.

    Raises
    ------
    OutOfTimeError
        If a time limit of :mod:`polyrank.lp.deadline` has passed: nothing is decided.
    """
    shared = _same_vertex(pieces, first, second)
    if shared is not None:
        return shared
    scaled = Scaled.of(pieces)
    nearest, touching = _nearest_vertices(scaled, first, second)
    if touching is not None:
        return touching
    alike = _Alike(scaled)
    found = _Found(scaled, nearest, alike)
    first, second = alike.representatives(first), alike.representatives(second)
    low, high = pieces.boxes_of(scaled.image, scaled.error)
    # first the boxes that meet, whose pairs are the ones that can meet and the nearest ones
    for radius in (0.0, None):
        reach = found.reach if radius is None else radius
        around = grown(low[first], high[first], reach)
        joined = [
            np.concatenate([g, own[second]]) for g, own in zip(around, (low, high), strict=True)
        ]
        family = np.repeat([0, 1], [first.size, second.size])
        for pairs in box_pairs(joined[0], joined[1], family):
            a, b = first[pairs[:, 0]], second[pairs[:, 1] - first.size]
            gap, meet = box_gaps(low, high, a, b)
            order = np.flatnonzero(~meet & (gap <= found.reach) if radius is None else meet)
            for start in range(0, order.size, BATCH):
                part = order[start : start + BATCH]
                part = part[gap[part] <= found.reach]
                look()
                meeting = found.settle(a[part], b[part])
                if meeting is not None:
                    return meeting
    return found.disjoint()


class _Alike:
    """Which pieces have the same set of image vertices, as floats with bounds."""

    def __init__(self, scaled: Scaled) -> None:
        self.pieces = pieces = scaled.pieces
        rows = np.concatenate([scaled.image, scaled.error], axis=1)
        kind = np.unique(rows, axis=0, return_inverse=True)[1].ravel()
        count = len(rows)
        owner = np.repeat(np.arange(pieces.count), np.diff(pieces.start))
        key = np.unique(owner * count + kind[pieces.vertex])
        self.kinds = np.split(key % count, np.searchsorted(key // count, range(1, pieces.count)))
        self.members: dict[int, list[int]] = {}
        self._equal: dict[int, bool] = {}

    def representatives(self, family: Numbers) -> Numbers:
        """One piece of every kind in a family."""
        first: dict[bytes, int] = {}
        for piece in family.tolist():
            own = first.setdefault(self.kinds[piece].tobytes(), piece)
            self.members.setdefault(own, []).append(piece)
        return np.array(list(first.values()), np.int64)

    def apart(self, piece: int) -> list[int]:
        """The pieces that this one stands for: itself alone where their exact images are equal."""
        if piece not in self._equal:
            own = set(self.pieces.exact_image(piece))
            self._equal[piece] = True
            for other in self.members[piece]:
                look()
                if set(self.pieces.exact_image(other)) != own:
                    self._equal[piece] = False
                    break
        return [piece] if self._equal[piece] else self.members[piece]


class _Found:
    """What is known so far: bounds of the distance, and the hyperplanes of pairs."""

    def __init__(self, scaled: Scaled, nearest: float, alike: _Alike) -> None:
        self.scaled = scaled
        self.alike = alike
        self.pieces = scaled.pieces
        self.reach = nearest
        self.least = math.inf  # of the bounds of the pairs so far
        self.exact_least: fmpq | None = None
        self.pairs: list[Numbers] = []
        self.normals: list[Floats] = []
        self.offsets: list[Floats] = []
        self.exact: dict[tuple[int, int], Hyperplane] = {}
        self.count = 0

    def settle(self, a: Numbers, b: Numbers) -> Meeting | None:
        """Hyperplanes for pairs of pieces, or the first pair that meets."""
        if not a.size:
            return None
        one, other = self.scaled.padded(a), self.scaled.padded(b)
        normal, distance = nearest_directions(one[0], other[0])
        lower, offset = gaps_along(one, other, normal)
        open_ = np.flatnonzero(~(lower > 0))
        pairs = np.stack([a, b], axis=1)
        if self.scaled.exponent and self.count < _MOST_KEPT:
            for k in np.flatnonzero(lower > 0).tolist():
                plane = self.scaled.plane(normal[k], float(offset[k]))
                self.exact[int(a[k]), int(b[k])] = plane
            normal[:], offset[:] = np.nan, np.nan
        normal[open_], offset[open_] = np.nan, np.nan
        for k in open_[np.argsort(distance[open_], kind="stable")].tolist():
            sides = (self.alike.apart(piece) for piece in pairs[k].tolist())
            for i, j in product(*sides):
                meeting = self._exactly(i, j)
                if meeting is not None:
                    return meeting
        if open_.size < a.size:
            self.least = min(self.least, float(np.where(lower > 0, lower, np.inf).min()))
        known = distance[np.isfinite(distance) & (distance > 0)]
        if known.size:
            self.reach = min(self.reach, float(known.min()))
        if self.count < _MOST_KEPT:
            self.pairs.append(pairs)
            self.normals.append(normal)
            self.offsets.append(offset)
        self.count += a.size
        return None

    def _exactly(self, i: int, j: int) -> Meeting | None:
        """Decide one pair in rationals."""
        look()
        vertices = self.pieces.vertices
        hulls = points_of(self.pieces, vertices(i)), points_of(self.pieces, vertices(j))
        answer = separate_hulls(*hulls)
        if isinstance(answer, CommonPoint):
            own = [
                {int(self.pieces.vertices(piece)[k]): w for k, w in weights}
                for piece, weights in ((i, answer.first), (j, answer.second))
            ]
            return meeting_at(self.pieces, own[0], own[1], answer.point)
        self.exact[i, j] = answer
        bound = plane_gap(*hulls, answer)
        self.exact_least = bound if self.exact_least is None else min(self.exact_least, bound)
        return None

    def disjoint(self) -> Disjoint:
        known = [v for v in (self.least, self.reach) if math.isfinite(v)]
        back = fmpq(2) ** self.scaled.exponent
        distance = fmpq_from_float(min(known)) * back if known else None
        if self.exact_least is not None:
            distance = self.exact_least if distance is None else min(distance, self.exact_least)
        if distance is None:
            raise RefutedError("two families of pieces have no pair and no distance")
        m = self.pieces.ambient
        return Disjoint(
            distance,
            nearest_float(fmpq_from_float(self.reach) * back)
            if math.isfinite(self.reach)
            else math.inf,
            np.concatenate([np.empty((0, 2), np.int64), *self.pairs]),
            np.concatenate([np.empty((0, m)), *self.normals]),
            np.concatenate([np.empty(0), *self.offsets]),
            self.exact,
            self.count,
        )


def _same_vertex(pieces: Pieces, first: Numbers, second: Numbers) -> Meeting | None:
    """A vertex of M, or of its subdivision, that both families have."""
    shared = np.intersect1d(pieces.corners(first), pieces.corners(second))
    if not shared.size:
        return None
    vertex = int(shared[0])
    return _vertices_meet(pieces, vertex, vertex)


def _vertices_meet(pieces: Pieces, vertex: int, other: int) -> Meeting:
    """The meeting at two vertices, whose images are equal."""
    return meeting_at(pieces, {vertex: fmpq(1)}, {other: fmpq(1)}, pieces.exact(vertex))


def _nearest_vertices(
    scaled: Scaled, first: Numbers, second: Numbers
) -> tuple[float, Meeting | None]:
    """About the least distance of two image vertices; a meeting if two are equal."""
    pieces = scaled.pieces
    one, other = pieces.corners(first), pieces.corners(second)
    with np.errstate(all="ignore"):
        fine = [v[np.isfinite(scaled.error[v]).all(axis=1)] for v in (one, other)]
        scale = max(float(np.abs(scaled.image[v]).max(initial=0.0)) for v in fine)
    if not fine[0].size or not fine[1].size:
        return math.inf, None
    tree = cKDTree(scaled.image[fine[1]])
    distance, which = tree.query(scaled.image[fine[0]], eps=0.2)
    k = int(np.argmin(distance))
    if distance[k] <= 2.0**-40 * scale:
        pair = int(fine[0][k]), int(fine[1][which[k]])
        if pieces.exact(pair[0]) == pieces.exact(pair[1]):
            return 0.0, _vertices_meet(pieces, *pair)
    return (float(distance[k]) if distance[k] > 0 else math.inf), None


def meeting_at(
    pieces: Pieces, first: Mapping[int, fmpq], second: Mapping[int, fmpq], image: tuple[fmpq, ...]
) -> Meeting:
    """The common point with its preimages, checked by the plain forward pass."""
    sides = [point_of_m(pieces.restriction, weights) for weights in (first, second)]
    if any(image_of(pieces, side) != image for side in sides):
        raise RefutedError("a preimage is not mapped to the common point: an internal error")
    return Meeting(image, sides[0], sides[1])


def image_of(pieces: Pieces, x: PointOfM) -> tuple[fmpq, ...]:
    """Φ_K(x) by the plain forward pass, K the layer of the pieces."""
    if not pieces.layer:
        return x.point
    return forward_exact(pieces.restriction.network, list(x.point), layer=pieces.layer)
