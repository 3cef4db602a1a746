"""The overlap decomposition of Φ_K(M): which pieces meet, in which dimension, how much of M.

Source: K. Beshkov, "A Quotient Homology Theory of Representation in Neural Networks", TMLR 2026:
the image is the quotient of M by its overlaps. Here it is a list of pairs of pieces of full rank
(those that cover the image) whose images meet beyond the image of their common face, and of the
pieces that are collapsed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TypeAlias

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import RefutedError
from polyrank.image.candidates import CHUNK, candidates
from polyrank.image.collinear import UNKNOWN, Collinear
from polyrank.image.collision import Collision, collision
from polyrank.image.coplanar import Coplanar
from polyrank.image.covered import covered
from polyrank.image.homeomorphism import Tally
from polyrank.image.homogeneous import in_unit_box, manifold_points
from polyrank.image.intersection import (
    Chart,
    Point,
    area,
    chart,
    intersection,
    meeting_dimension,
    remainder,
)
from polyrank.image.meeting import Meet, decide, separated
from polyrank.image.pieces import Pieces, pieces
from polyrank.image.planes import Planes, Polygon, polygon
from polyrank.lp.deadline import OutOfTimeError, look, time_limit
from polyrank.network.rational import nearest_float
from polyrank.stages import tell
from polyrank.topology.restriction import Restriction

__all__ = ["MOST_PAIRS", "Overlaps", "Share", "overlap_decomposition"]

Numbers = NDArray[np.int64]
_NONE = np.empty((0, 2), np.int64)
_EXACTLY = 256  # pairs that are decided one by one before they are handed on
_FLUSHED = 1 << 20  # pairs that are kept until their lines and planes are looked at
#: Per segment what others hold of it, in its chart.
Spans: TypeAlias = dict[int, list[list[Point]]]

#: Pairs that are listed, at most.
MOST_PAIRS = 10_000_000


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


@dataclass(frozen=True, eq=False)
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
        Per dimension d ≤ 2 of maximal pieces of M; empty if the pairs are not complete, or the
        time limit has passed.
    tally : Tally
    """

    pieces: Pieces
    pairs: NDArray[np.int64]
    dimension: NDArray[np.int64]
    collapsed: int
    complete: bool
    share: Mapping[int, Share]
    tally: Tally

    @cached_property
    def groups(self) -> list[list[int]]:
        """The pieces with one image, where there are two or more: exactly, the largest group first.

        The overlap of every two of a group is the image itself, of their dimension.
        """
        own = self.pieces
        found: dict[frozenset[Point], list[int]] = {}
        for p in range(own.count):
            found.setdefault(frozenset(own.exact_image(p)), []).append(p)
        groups = [group for group in found.values() if len(group) > 1]
        return sorted(groups, key=lambda group: (-len(group), group))

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
    charts = _Charts(cover, frozenset(maximal.dimension.tolist()) & {1, 2})
    spans: Spans = {}
    listed: list[tuple[Numbers, Numbers]] = []
    share: dict[int, Share] = {}
    complete = False
    count = 0
    try:
        with time_limit(seconds):
            collinear = Collinear(cover)
            for own in _overlaps(charts, collinear, tally, spans):
                listed.append(own)
                count += len(own[0])
                tell("pairs of pieces that overlap", count)
                if count > most:
                    break
            complete = count <= most
            if complete:
                for p, places in collinear.shared() if 1 in charts.shared else ():
                    if cover.carrier_dimension[p] == 1:
                        spans.setdefault(p, []).extend(places)
                pairs, dimension = _joined(listed)
                held = {1: partial(_held_segments, charts, spans)}
                held[2] = partial(_held_polygons, charts, pairs[dimension == 2])
                share = {d: _share(maximal, charts, d, held[d]()) for d in sorted(charts.shared)}
    except OutOfTimeError:
        share = {}
    pairs, dimension = _joined(listed)
    return Overlaps(
        cover,
        pairs[:most],
        dimension[:most],
        int(maximal.collapsed.sum()),
        complete,
        share,
        tally,
    )


def _joined(listed: list[tuple[Numbers, Numbers]]) -> tuple[Numbers, Numbers]:
    pairs = np.concatenate([_NONE, *(own[0] for own in listed)])
    return pairs, np.concatenate([np.empty(0, np.int64), *(own[1] for own in listed)])


@dataclass(frozen=True, slots=True)
class _Charts:
    """The charts of pieces, each made when it is asked for.

    ``shared`` are the dimensions of M in which its share is asked for.
    """

    pieces: Pieces
    shared: frozenset[int]
    known: dict[int, Chart] = field(default_factory=dict)
    polygons: dict[int, Polygon] = field(default_factory=dict)

    def of(self, piece: int) -> Chart:
        found = self.known.get(piece)
        if found is None:
            corners = self.pieces.exact_image(piece)
            found = self.known[piece] = chart(corners, int(self.pieces.dimension[piece]))
        return found

    def planes(self, numbers: Sequence[int]) -> Planes:
        """Some pieces of dimension 2."""
        for p in numbers:
            look()
            if p not in self.polygons:
                self.polygons[p] = polygon(self.pieces, p, self.of(p))
        return Planes(self.pieces, {p: self.polygons[p] for p in numbers})


def _overlaps(
    charts: _Charts, collinear: Collinear, tally: Tally, spans: Spans
) -> Iterator[tuple[Numbers, Numbers]]:
    """Pairs that overlap beyond their common face, with the dimensions, in chunks.

    What polygons hold of segments is collected.
    """
    own = charts.pieces
    rest: list[Numbers] = []
    for pairs in candidates(own):
        look()
        found = collinear.dimensions(pairs)
        left = np.flatnonzero(found == UNKNOWN)
        apart, _ = separated(own, pairs[left])
        found[left[apart]] = -1
        rest.append(pairs[left[~apart]])
        tally.pairs += len(pairs)
        tally.by_floats += int(apart.sum())
        _drop_common_ends(own, pairs, found)
        yield pairs[found >= 0], found[found >= 0]
        if sum(map(len, rest)) > _FLUSHED:
            yield from _open_overlaps(charts, np.concatenate(rest), tally, spans)
            rest = []
    yield from _open_overlaps(charts, np.concatenate([_NONE, *rest]), tally, spans)
    tally.exactly = tally.pairs - tally.by_floats


def _open_overlaps(
    charts: _Charts, every: Numbers, tally: Tally, spans: Spans
) -> Iterator[tuple[Numbers, Numbers]]:
    """The same of pairs that are not apart by floats, and neither of one line nor points."""
    if not len(every):
        return
    own = charts.pieces
    used = np.unique(every)
    polygons = used[own.dimension[used] == 2].tolist()
    planes = charts.planes(polygons)
    collinear = Collinear(own, {p: charts.polygons[p].ring for p in polygons})
    coplanar = Coplanar(own, charts.of, planes, collinear.flat)
    for start in range(0, len(every), CHUNK):
        look()
        pairs = every[start : start + CHUNK]
        found = collinear.crossings(pairs)
        _drop_common_ends(own, pairs, found)
        left = np.flatnonzero(found == UNKNOWN)
        found[left] = coplanar.dimensions(pairs[left])
        tally.by_floats += int((found[left] >= 0).sum())
        # what a polygon holds of an edge of M is wanted, too
        if 1 in charts.shared:
            edge = (own.dimension[pairs] == 1) & (own.carrier_dimension[pairs] == 1)
            polygon = own.dimension[pairs] == 2
            found[(found == 1) & edge.any(axis=1) & polygon.any(axis=1)] = UNKNOWN
        yield pairs[found >= 0], found[found >= 0]
        left = np.flatnonzero(found == UNKNOWN)
        for block in np.split(left, range(_EXACTLY, len(left), _EXACTLY)):
            for k in block.tolist():
                look()
                i, j = pairs[k].tolist()
                found[k] = _dimension(charts, i, j, spans)
            met = block[found[block] >= 0]
            yield pairs[met], found[met]


def _drop_common_ends(own: Pieces, pairs: Numbers, found: Numbers) -> None:
    """Leave out pairs that meet in a point which is a vertex of both: their common face."""
    chosen = np.flatnonzero(found == 0)
    ends = pairs[chosen]
    shared = np.zeros(len(chosen), dtype=bool)
    size = own.start[ends + 1] - own.start[ends]
    for a in range(int(size[:, 0].max(initial=0))):
        for b in range(int(size[:, 1].max(initial=0))):
            real = (a < size[:, 0]) & (b < size[:, 1])
            at = own.start[ends] + np.where(real[:, None], [a, b], 0)
            shared |= real & (own.vertex[at[:, 0]] == own.vertex[at[:, 1]])
    found[chosen[shared]] = -1


def _dimension(charts: _Charts, i: int, j: int, spans: Spans) -> int:
    """Dimension of the overlap of two pieces, −1 if there is none; what it is of segments."""
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
        if own.dimension[p] == found == own.carrier_dimension[p] == 1 and 1 in charts.shared:
            spans.setdefault(p, []).append(corners)
    return found


def _held_segments(charts: _Charts, spans: Spans) -> dict[int, fmpq]:
    """Which shares of segments others hold."""
    out = {}
    for p, places in spans.items():
        look()
        out[p] = 1 - remainder(charts.of(p), places)
    return out


def _held_polygons(charts: _Charts, pairs: Numbers) -> dict[int, fmpq]:
    """Which shares of polygons others hold, from all pairs that overlap in dimension 2."""
    own = charts.pieces
    pairs = pairs[(own.dimension[pairs] == 2).all(axis=1)]
    used = np.unique(pairs)
    whole = covered(own, charts.of, charts.planes(used.tolist()), pairs)
    out = dict.fromkeys(used[whole[used]].tolist(), fmpq(1))
    left = (own.carrier_dimension == 2) & ~whole
    others: dict[int, list[int]] = {}
    for p, q in np.concatenate([pairs, pairs[:, ::-1]]).tolist():
        if left[p]:
            others.setdefault(p, []).append(q)
    for p, places in others.items():
        look()
        out[p] = 1 - remainder(charts.of(p), _parts(charts, p, places))
    return out


def _parts(charts: _Charts, piece: int, others: Sequence[int]) -> Iterator[list[Point]]:
    """Other polygons of the plane of a piece, in its chart, the large ones first."""
    own = charts.of(piece)
    i, j = own.axes
    # charts of one plane have one basis
    for other in sorted(map(charts.of, others), key=lambda chart: -area(chart.corners)):
        x, y = other.origin[i] - own.origin[i], other.origin[j] - own.origin[j]
        yield [(s + x, t + y) for s, t in other.corners]


def _share(maximal: Pieces, charts: _Charts, d: int, held: Mapping[int, fmpq]) -> Share:
    """The share of dimension d, from the shares of pieces that others hold."""
    cover = charts.pieces
    manifold = maximal.restriction.manifold
    collapsed = maximal.collapsed
    # an edge of a collapsed triangle covers its image, but is no part of dimension 1 of M
    simplices = np.unique(maximal.carrier[maximal.dimension == d])
    own = set(simplices.tolist())
    flat = np.flatnonzero(collapsed & (maximal.dimension == d)).tolist()
    found = [(int(maximal.carrier[p]), maximal, p, fmpq(1)) for p in flat]
    found += [
        (int(cover.carrier[p]), cover, p, share)
        for p, share in held.items()
        if cover.dimension[p] == d == cover.carrier_dimension[p] and int(cover.carrier[p]) in own
    ]
    # a simplex all of whose pieces take part in full does, too
    left = np.bincount(maximal.carrier[maximal.dimension == d])
    for simplex, _, _, share in found:
        left[simplex] -= share == 1
    parts = {simplex: fmpq(1) for simplex in own if left[simplex] == 0}
    for simplex, those, p, share in found:
        if left[simplex]:
            look()
            part = share * _part_of_simplex(those, p)
            parts[simplex] = parts.get(simplex, fmpq(0)) + part
    _, unit = in_unit_box(manifold_points(manifold))
    volume = {s: _volume(unit[manifold.simplices[d][s]]) for s in simplices.tolist()}
    total = math.fsum(volume.values())
    weighted = math.fsum(volume[s] * nearest_float(v) for s, v in parts.items())
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
