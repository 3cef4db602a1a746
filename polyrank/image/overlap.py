"""The overlap decomposition of Φ_K(M): which pieces meet, in which dimension, how much of M.

Source: K. Beshkov, "A Quotient Homology Theory of Representation in Neural Networks", TMLR 2026:
the image is the quotient of M by its overlaps. Here it is a list of pairs of pieces of full rank
(those that cover the image) whose images meet beyond the image of their common face, and of the
pieces that are collapsed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import RefutedError
from polyrank.image.collision import Collision, collision
from polyrank.image.homeomorphism import Tally, undecided_pairs
from polyrank.image.intersection import (
    Chart,
    Point,
    area,
    chart,
    intersection,
    meeting_dimension,
    remainder,
)
from polyrank.image.meeting import Meet, decide
from polyrank.image.pieces import Pieces, pieces
from polyrank.lp.deadline import OutOfTimeError, look, time_limit
from polyrank.stages import tell
from polyrank.topology.restriction import Restriction

__all__ = ["MOST_PAIRS", "Overlaps", "Share", "overlap_decomposition"]

#: Pairs that are listed, at most.
MOST_PAIRS = 1_000_000


@dataclass(frozen=True, slots=True)
class Share:
    """Which share of the d-dimensional part of M has another point of M with the same image.

    Attributes
    ----------
    by_simplex : fmpq
        Every d-simplex counts as 1, whatever its size: exact.
    by_volume : float
        Weighted by the d-volume of the simplices in R^n, which is in general irrational.
    """

    by_simplex: fmpq
    by_volume: float


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """The overlap decomposition at one layer.

    Attributes
    ----------
    pieces : Pieces
        The pieces of full rank that cover the image.
    pairs : int64 array, shape (c, 2)
        Numbers of pieces, i < j, whose images meet beyond the image of their common face.
    dimension : int64 array, shape (c,)
        Of the intersection of the two images.
    collapsed : int
        Maximal pieces that are not of full rank; every inner point of one has others with its
        image.
    complete : bool
        Whether these are all pairs; False where a limit was reached.
    share : mapping of int to Share
        Per dimension d ≤ 2 of maximal pieces of M; empty if the pairs are not complete.
    tally : Tally
    """

    pieces: Pieces
    pairs: NDArray[np.int64]
    dimension: NDArray[np.int64]
    collapsed: int
    complete: bool
    share: Mapping[int, Share]
    tally: Tally

    def collision(self, pair: int) -> Collision:
        """Two points of M with one image, one in each of the two pieces of a pair."""
        i, j = self.pairs[pair].tolist()
        found = decide(self.pieces, i, j)
        if not isinstance(found, Meet):
            raise RefutedError(f"pieces {i} and {j} overlap and do not meet")
        return collision(self.pieces, found)


def overlap_decomposition(
    restriction: Restriction, layer: int, *, seconds: float = math.inf, most: int = MOST_PAIRS
) -> Overlaps:
    """All overlaps of layer K.

    **Proves** that the pairs overlap, in these dimensions, and, if ``complete``, that no others do.

    Parameters
    ----------
    restriction : Restriction
    layer : int
        K, 0..L.
    seconds : float
        Time limit.
    most : int
        Limit of the number of pairs: c pieces that are collapsed to one line overlap in about c²
        pairs.

    Raises
    ------
    DomainError
        If there is no layer K.

    Examples
    --------
    >>> import numpy as np
    >>> from polyrank.network.normal_form import Network, relu_layer
    >>> from polyrank.topology.restriction import restrict
    >>> from polyrank.topology.shapes import shape
    >>> folded = Network((relu_layer(np.eye(2), [0, 0], slope=-1),))
    >>> found = overlap_decomposition(restrict(folded, shape("circle:4")), 1)
    >>> found.dimension.tolist(), found.share[1].by_simplex
    ([1, 1, 1, 1, 1, 1], 1)
    """
    cover = pieces(restriction, layer, covering=True)
    maximal = pieces(restriction, layer)
    tally = Tally()
    charts = _Charts(cover)
    taken: dict[int, list[list[Point]]] = {}
    pairs: list[tuple[int, int]] = []
    dimension: list[int] = []
    share: dict[int, Share] = {}
    complete = True
    try:
        with time_limit(seconds):
            for i, j in undecided_pairs(cover, tally):
                if len(pairs) >= most:
                    complete = False
                    break
                look()
                tell("pairs of pieces that overlap", len(pairs))
                found = _dimension(charts, i, j, taken)
                if found >= 0:
                    pairs.append((i, j))
                    dimension.append(found)
            if complete:
                share = {
                    d: _share(maximal, charts, d, taken)
                    for d in np.unique(maximal.dimension).tolist()
                    if 0 < d <= 2
                }
    except OutOfTimeError:
        complete = False
    return Overlaps(
        cover,
        np.array(pairs, np.int64).reshape(-1, 2),
        np.array(dimension, np.int64),
        int(maximal.collapsed.sum()),
        complete,
        share,
        tally,
    )


@dataclass(frozen=True, slots=True)
class _Charts:
    """The charts of pieces, each made when it is asked for."""

    pieces: Pieces
    known: dict[int, Chart] = field(default_factory=dict)

    def of(self, piece: int) -> Chart:
        found = self.known.get(piece)
        if found is None:
            corners = self.pieces.exact_image(piece)
            found = self.known[piece] = chart(corners, int(self.pieces.dimension[piece]))
        return found


def _dimension(charts: _Charts, i: int, j: int, taken: dict[int, list[list[Point]]]) -> int:
    """Dimension of the overlap of two pieces, −1 if there is none; its parts of full dimension."""
    own = charts.pieces
    ends = i, j
    if max(int(own.dimension[p]) for p in ends) > 2:
        if not isinstance(decide(own, i, j), Meet):
            return -1
        return meeting_dimension(*(own.exact_image(p) for p in ends))
    places = intersection(*(charts.of(p) for p in ends))
    found = min(len(places[0]), 3) - 1
    # the image of the common face, a simplex, is part of the intersection and a face of both: they
    # are equal iff they have the same dimension
    if found <= own.common_face(i, j).size - 1:
        return -1
    for p, corners in zip(ends, places, strict=True):
        if found == own.dimension[p] > 0:
            taken.setdefault(p, []).append(corners)
    return found


def _share(maximal: Pieces, charts: _Charts, d: int, taken: dict[int, list[list[Point]]]) -> Share:
    cover = charts.pieces
    manifold = maximal.restriction.manifold
    collapsed = maximal.collapsed
    simplices = np.unique(maximal.carrier[maximal.dimension == d])
    parts: dict[int, fmpq] = {}
    for p in np.flatnonzero(collapsed & (maximal.dimension == d)).tolist():
        simplex = int(maximal.carrier[p])
        parts[simplex] = parts.get(simplex, fmpq(0)) + _part_of_simplex(maximal, p)
    for p, places in taken.items():
        if cover.dimension[p] != d or cover.carrier_dimension[p] != d:
            continue
        look()
        simplex = int(cover.carrier[p])
        own_share = (1 - remainder(charts.of(p), places)) * _part_of_simplex(cover, p)
        parts[simplex] = parts.get(simplex, fmpq(0)) + own_share
    volume = {
        s: _volume(manifold.points.approx[manifold.simplices[d][s]]) for s in simplices.tolist()
    }
    total = math.fsum(volume.values())
    weighted = math.fsum(volume[s] * float(v.p) / float(v.q) for s, v in parts.items())
    exact = sum(parts.values(), fmpq(0)) / len(simplices)
    return Share(exact, weighted / total if total else math.nan)


def _part_of_simplex(own: Pieces, piece: int) -> fmpq:
    """The d-volume of a piece as a share of that of its carrier; d ≤ 2."""
    corners = own.simplex(piece)[1:]
    table = own.restriction.vertices
    places = []
    for v in own.vertices(piece).tolist():
        weights = table.exact_barycentric(v)
        places.append(tuple(weights.get(c, fmpq(0)) for c in corners))
    if len(corners) == 1:
        return max(places)[0] - min(places)[0]
    ordered = chart([*places], 2)
    return 2 * _polygon_area(ordered)


def _polygon_area(own: Chart) -> fmpq:
    """In the coordinates that its basis refers to, for a polygon in R^2."""
    (p, q), (r, s) = own.basis
    return area(own.corners) * abs(p * s - q * r)


def _volume(corners: NDArray[np.float64]) -> float:
    edges = corners[1:] - corners[0]
    gram = edges @ edges.T
    return math.sqrt(max(float(np.linalg.det(gram)), 0.0)) / math.factorial(len(edges))
