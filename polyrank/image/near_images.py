"""Pairs of pieces whose images are near each other, with planes that keep them apart."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import RefutedError
from polyrank.image.candidates import box_pairs
from polyrank.image.hyperplane import CommonPoint, Hyperplane, Points, plane_gap, separate_hulls
from polyrank.image.nearest import gaps_along, nearest_directions
from polyrank.image.pieces import Pieces
from polyrank.lp.deadline import look
from polyrank.lp.farkas import integer_row
from polyrank.network.rational import fmpq_from_float, nearest_float

__all__ = ["BATCH", "Scaled", "box_gaps", "grown", "near_planes", "points_of"]

#: Pairs that are looked at together.
BATCH = 1 << 12

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """The float images times 2^−exponent, so that no square of them overflows or vanishes."""

    pieces: Pieces
    image: Floats
    error: Floats
    exponent: int

    @classmethod
    def of(cls, pieces: Pieces) -> Scaled:
        """The images of pieces of one layer, scaled if they need it."""
        size = float(np.abs(pieces.image).max(initial=0.0))
        exponent = math.frexp(size)[1] if size and not 2.0**-300 < size < 2.0**300 else 0
        if not exponent:
            return cls(pieces, pieces.image, pieces.error, 0)
        # what becomes subnormal is rounded by at most 2^-1074
        image, error = np.ldexp(pieces.image, -exponent), np.ldexp(pieces.error, -exponent)
        return cls(pieces, image, error + 2.0**-1072, exponent)

    def plane(self, normal: Floats, offset: float) -> Hyperplane:
        """A hyperplane of the scaled images as one of the images themselves."""
        row = [fmpq_from_float(v) for v in normal.tolist()]
        row.append(fmpq_from_float(offset) * fmpq(2) ** self.exponent)
        whole = integer_row(row)
        return Hyperplane(whole[:-1], whole[-1])

    def padded(self, numbers: Numbers) -> tuple[Floats, Floats]:
        """Image vertices of pieces and their errors, (B, p, m); the first vertex pads."""
        pieces = self.pieces
        sizes = np.diff(pieces.start)[numbers]
        place = np.arange(int(sizes.max()))
        at = pieces.start[numbers][:, None] + np.where(place < sizes[:, None], place, 0)
        vertices = pieces.vertex[at]
        return self.image[vertices], self.error[vertices]


def grown(low: Floats, high: Floats, reach: float) -> tuple[Floats, Floats]:
    """Boxes that are larger by a distance on every side."""
    if reach == 0:
        return low, high
    with np.errstate(all="ignore"):
        return np.nextafter(low - reach, -np.inf), np.nextafter(high + reach, np.inf)


def box_gaps(low: Floats, high: Floats, a: Numbers, b: Numbers) -> tuple[Floats, NDArray[np.bool_]]:
    """Lower bounds of the distances of the boxes of pairs of pieces, and which boxes meet."""
    total, meet = np.zeros(a.size), np.ones(a.size, dtype=bool)
    with np.errstate(all="ignore"):
        for axis in range(low.shape[1]):
            meet &= (low[b, axis] <= high[a, axis]) & (low[a, axis] <= high[b, axis])
            apart = np.maximum(low[b, axis] - high[a, axis], low[a, axis] - high[b, axis])
            total += np.maximum(np.nan_to_num(apart, nan=0.0), 0.0) ** 2
        return np.sqrt(total) * (1 - 2.0**-40), meet


def points_of(pieces: Pieces, vertices: Numbers) -> Points:
    """The images of vertices, exact, with floats beside them."""
    own = vertices.tolist()
    return Points(pieces.image[vertices], pieces.error[vertices], lambda i: pieces.exact(own[i]))


def near_planes(
    pieces: Pieces, first: Numbers, second: Numbers, distance: fmpq
) -> Iterator[tuple[int, int, Floats | tuple[int, ...], fmpq]]:
    """For the pairs of two families with near images, a normal that keeps them apart.

    Parameters
    ----------
    pieces : Pieces
    first, second : int64 arrays
        Numbers of pieces whose images are disjoint.
    distance : fmpq
        Pairs whose boxes are further apart are left out.

    Yields
    ------
    i, j : int
    normal : float64 array or tuple of int, shape (m,)
        w, of the images themselves.
    gap : fmpq
        A lower bound of ``(min w·y − max w·y') / |w|``, positive.

    Raises
    ------
    RefutedError
        If two images meet.
    """
    scaled = Scaled.of(pieces)
    # a little more than the distance, so that no rounding leaves a pair out
    reach = nearest_float(distance / fmpq(2) ** scaled.exponent) * (1 + 2.0**-20)
    low, high = pieces.boxes_of(scaled.image, scaled.error)
    around = grown(low[first], high[first], reach)
    joined = [np.concatenate([g, own[second]]) for g, own in zip(around, (low, high), strict=True)]
    family = np.repeat([0, 1], [first.size, second.size])
    for pairs in box_pairs(joined[0], joined[1], family):
        a, b = first[pairs[:, 0]], second[pairs[:, 1] - first.size]
        near = np.flatnonzero(~(box_gaps(low, high, a, b)[0] > reach))
        for start in range(0, near.size, BATCH):
            part = near[start : start + BATCH]
            look()
            normal, _ = nearest_directions(scaled.padded(a[part])[0], scaled.padded(b[part])[0])
            lower, _ = gaps_along(scaled.padded(a[part]), scaled.padded(b[part]), normal)
            for k, (i, j) in enumerate(zip(a[part].tolist(), b[part].tolist(), strict=True)):
                if lower[k] > 0:
                    gap = fmpq_from_float(float(lower[k])) * fmpq(2) ** scaled.exponent
                    yield i, j, normal[k], gap
                else:
                    yield i, j, *_exact_plane(pieces, i, j)


def _exact_plane(pieces: Pieces, i: int, j: int) -> tuple[tuple[int, ...], fmpq]:
    hulls = points_of(pieces, pieces.vertices(i)), points_of(pieces, pieces.vertices(j))
    answer = separate_hulls(*hulls)
    if isinstance(answer, CommonPoint):
        raise RefutedError(f"the images of pieces {i} and {j} of disjoint families meet")
    return answer.normal, plane_gap(*hulls, answer)
