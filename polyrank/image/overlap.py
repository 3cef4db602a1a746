"""The overlap decomposition of Φ_K(M): which pieces meet, in which dimension, how much of M.

Source: K. Beshkov, "A Quotient Homology Theory of Representation in Neural Networks", TMLR 2026:
the image is the quotient of M by its overlaps. Here it is a list of pairs of pieces of full rank
(those that cover the image) whose images meet beyond the image of their common face, and of the
pieces that are collapsed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.image.homeomorphism import Overlap, Tally, overlaps
from polyrank.image.intersection import (
    Chart,
    Point,
    chart,
    intersection,
    meeting_dimension,
    remainder,
)
from polyrank.image.pieces import Pieces, pieces
from polyrank.lp.deadline import look
from polyrank.topology.restriction import Restriction

__all__ = ["Overlaps", "Share", "overlap_decomposition"]


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
    pairs : tuple of Overlap
        Their numbers refer to ``pieces``.
    dimension : int array, shape (len(pairs),)
        Of the intersection of the two images.
    collapsed : int
        Maximal pieces that are not of full rank; every inner point of one has others with its
        image.
    share : mapping of int to Share
        Per dimension d ≤ 2 of maximal pieces of M.
    tally : Tally
    """

    pieces: Pieces
    pairs: tuple[Overlap, ...]
    dimension: NDArray[np.int64]
    collapsed: int
    share: Mapping[int, Share]
    tally: Tally


def overlap_decomposition(restriction: Restriction, layer: int) -> Overlaps:
    """All overlaps of layer K.

    **Proves** that these are all pairs, and the dimensions.

    Raises
    ------
    DomainError
        If there is no layer K.
    OutOfTimeError
        If the time limit has passed.

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
    charts: dict[int, Chart] = {}
    taken: dict[int, list[list[Point]]] = {}
    pairs, dimension = [], []

    def own_chart(p: int) -> Chart:
        if p not in charts:
            charts[p] = chart(cover.exact_image(p), int(cover.dimension[p]))
        return charts[p]

    for overlap in overlaps(cover, tally):
        look()
        ends = overlap.first, overlap.second
        if max(int(cover.dimension[p]) for p in ends) > 2:
            found = meeting_dimension(*(cover.exact_image(p) for p in ends))
        else:
            places = intersection(*map(own_chart, ends))
            found = min(len(places[0]), 3) - 1
            for p, corners in zip(ends, places, strict=True):
                if found == cover.dimension[p] > 0:
                    taken.setdefault(p, []).append(corners)
        pairs.append(overlap)
        dimension.append(found)
    share = {
        d: _share(maximal, cover, d, {p: (own_chart(p), parts) for p, parts in taken.items()})
        for d in np.unique(maximal.dimension).tolist()
        if 0 < d <= 2
    }
    return Overlaps(
        cover,
        tuple(pairs),
        np.array(dimension, np.int64),
        int(maximal.collapsed.sum()),
        share,
        tally,
    )


def _share(
    maximal: Pieces, cover: Pieces, d: int, taken: dict[int, tuple[Chart, list[list[Point]]]]
) -> Share:
    manifold = maximal.restriction.manifold
    collapsed = maximal.collapsed
    simplices = np.unique(maximal.carrier[maximal.dimension == d])
    parts: dict[int, fmpq] = {}
    for p in np.flatnonzero(collapsed & (maximal.dimension == d)).tolist():
        simplex = int(maximal.carrier[p])
        parts[simplex] = parts.get(simplex, fmpq(0)) + _part_of_simplex(maximal, p)
    for p, (own, places) in taken.items():
        if cover.dimension[p] != d or cover.carrier_dimension[p] != d:
            continue
        look()
        simplex = int(cover.carrier[p])
        own_share = (1 - remainder(own, places)) * _part_of_simplex(cover, p)
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
    total = fmpq(0)
    corners = own.corners
    for a, b in zip(corners, [*corners[1:], corners[0]], strict=True):
        total += a[0] * b[1] - a[1] * b[0]
    (p, q), (r, s) = own.basis
    return abs(total * (p * s - q * r)) / 2


def _volume(corners: NDArray[np.float64]) -> float:
    edges = corners[1:] - corners[0]
    gram = edges @ edges.T
    return math.sqrt(max(float(np.linalg.det(gram)), 0.0)) / math.factorial(len(edges))
