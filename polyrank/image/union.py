"""The images of solids as sets alone: their homology without the maps between layers.

Every layer maps a set of convex cells to the next one: a cell is cut where a unit vanishes, and the
images of the parts are convex. What another cell holds already is left out: faces of larger cells,
the parts of a cell that lie in another one of its space, and all of a part that is mapped to a
plane but its hull. So the cells are few where a network collapses much; but no chain of the layer
before is a chain of these cells, and only the groups are found.

**Theorem.** Let the cells be polytopes of dimension 3 with disjoint interiors, and polygons,
segments and points that do not meet these interiors. Then the homology of the union is that of
their common refinement (:mod:`polyrank.image.solids`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from polyrank.chains.groups import Homology, homology
from polyrank.image.cut import Parts, cut, whole
from polyrank.image.glue import refinement
from polyrank.image.homogeneous import Point, activations, approximation, manifold_points
from polyrank.image.lines import lines_of, ordered
from polyrank.image.open_pairs import open_pairs
from polyrank.image.overlay import cell_complex, manifold_cells
from polyrank.image.polygons import Functional, clip, common, hull_of, plane_of, value
from polyrank.image.polytopes import Facet, Polytope, overlap, span, within
from polyrank.image.solids import Settled, Solids, TooManyPartsError, parted
from polyrank.lp.deadline import look
from polyrank.network.normal_form import Network
from polyrank.stages import tell
from polyrank.topology.manifold import Manifold

__all__ = ["MOST_PARTS", "LayerUnion", "unions"]

#: A layer is given up when its units cut the cells into more polygons and polytopes.
MOST_PARTS = 200_000

Indices = NDArray[np.int64]
Pair = tuple[int, int]
Flat = tuple[list[Point], list[list[Point]]]


@dataclass(frozen=True, slots=True, eq=False)
class LayerUnion:
    """The image at one layer.

    Attributes
    ----------
    layer : int
        K; 0 is the position of M in R^n.
    groups : Homology
        Of Φ_K(M); **proved**, every decision is exact.
    cells : tuple of int
        Points, segments, polygons and polytopes of the complex that it was read off.
    """

    layer: int
    groups: Homology
    cells: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Cells:
    """Convex cells that cover an image: polytopes, polygons, segments and points.

    Polygons beyond those around the polytopes, edges beyond theirs, and points beyond all ends are
    cells of their own.
    """

    points: list[Point]
    edges: Indices
    faces: list[list[int]]
    solids: list[list[Pair]]

    def parts(self) -> Parts:
        """They are not cut."""
        return whole(self.points, self.edges, self.faces, self.solids)


def unions(
    network: Network,
    manifold: Manifold,
    last: int,
    coefficients: str | int = "Z",
    *,
    most: int = MOST_PARTS,
) -> Iterator[LayerUnion]:
    """The homology of Φ_0(M), …, Φ_L(M), of a manifold of dimension at most 3.

    Parameters
    ----------
    network : Network
    manifold : Manifold
    last : int
        L.
    coefficients : "Z", "Q" or a prime
    most : int
        Polygons and polytopes into which the units of a layer may cut the cells.

    Raises
    ------
    OutOfTimeError
        If the time limit has passed.
    TooManyPartsError
        If there are more parts.
    """
    top = manifold.dimension
    cells = _Cells(manifold_points(manifold), *manifold_cells(manifold))
    for k in range(last + 1):
        tell(f"the union of the images at layer {k} of {last}")
        args = cells.points, cells.edges, cells.faces
        if k:
            layer = network.layers[k - 1]
            parts = cut(*args, layer, cells.solids)
            places: Sequence[Point] = activations(parts.rows, layer)
        else:
            parts, places = cells.parts(), cells.points
        size = len(parts.polygons) + len(parts.solids)
        if size > most:
            raise TooManyPartsError(f"layer {k} cuts the images into more than {most:,} parts")
        cells, found = _least(places, parts, cells)
        volumes = [[(s, 1)] for s in range(len(found.solids))]
        glued = refinement(found.points, found.parts(), Settled([], found.solids, volumes))
        complex_ = cell_complex(len(glued.points), glued.edges, glued.faces, top, glued.solids)
        yield LayerUnion(k, homology(complex_, coefficients), complex_.cells)


def _least(places: Sequence[Point], parts: Parts, before: _Cells) -> tuple[_Cells, _Cells]:
    """Two sets of cells whose union is that of the parts in their places.

    The first are the parts but for those that others hold together: they may overlap, but meet in
    common faces where they did before. The second have disjoint interiors.
    """
    given, flats = _maximal(places, parts, before)
    solids = Solids(given.points, given.parts())
    cuts: dict[int, list[list[Point]]] = {}
    overlaps: dict[int, list[int]] = {}
    covered: dict[int, list[int]] = {}
    for i, j in solids.open_pairs():
        look()
        found = solids.meeting(i, j, sure=False)
        if found is None:
            overlaps.setdefault(i, []).append(j)
            overlaps.setdefault(j, []).append(i)
            continue
        if not found:
            continue
        hull = solids.hulls[j]
        flat = j >= solids.count
        if flat and len(span(found)) == len(span([solids.table[v] for v in hull])):
            covered.setdefault(j, []).append(i)
            continue
        for solid in (i,) if flat else (i, j):
            if not within(found, solids.body(solid).sides):
                cuts.setdefault(solid, []).append(found)
    out, kept = _Collected(), _Collected()
    for solid in range(solids.count):
        if solid not in overlaps and solid not in cuts:
            out.add_solid(solids.facets(solid))
            kept.add_solid(solids.facets(solid))
    for solid, own in _disjoint(solids, overlaps, set(cuts)):
        pieces = own
        if pieces:
            kept.add_solid(solids.facets(solid))
        for met in cuts.get(solid, ()):
            look()
            pieces = [part for piece in pieces for part in parted(piece, met)]
        for piece in pieces:
            out.add_solid(piece.facets)
    number = {hull: j for j, hull in enumerate(solids.hulls)}
    known = {p: v for v, p in enumerate(solids.table)}
    left: list[tuple[list[Point], list[list[Point]]]] = []
    for corners in flats:
        key = tuple(sorted(known[p] for p in corners))
        pieces_left = [corners]
        for i in covered.get(number.get(key, -1), ()):
            look()
            pieces_left = [
                rest for own in pieces_left for rest in _without(own, solids.body(i).sides)
            ]
        if pieces_left:
            left.append((corners, pieces_left))
    for corners, pieces_left in _flat_cells(left):
        kept.add_flat(corners)
        for piece_left in pieces_left:
            out.add_flat(piece_left)
    return kept.cells(), out.cells()


def _maximal(
    places: Sequence[Point], parts: Parts, before: _Cells
) -> tuple[_Cells, list[list[Point]]]:
    """The parts that no other part holds: solids with a volume, and the hulls of all others.

    Returns
    -------
    cells : _Cells
    flats : list of list of Point
        The corners of those that are no solids.
    """
    in_solids = {f for own in before.solids for f, _ in own}
    in_faces = {pair for face in before.faces for pair in _sides(face)}
    in_edges = set(before.edges.ravel().tolist())
    out = _Collected()
    flats: dict[frozenset[Point], list[Point]] = {}
    seen: set[frozenset[Point]] = set()

    def add(points: Iterable[Point]) -> None:
        corners = hull_of(list(points))
        flats.setdefault(frozenset(corners), corners)

    for count, (_, own) in enumerate(parts.solids):
        if count % 256 == 0:
            look()
        rings = [tuple(places[v] for v in parts.polygons[p][1]) for p, _ in own]
        corners = frozenset(p for ring in rings for p in ring)
        if len(span(list(corners))) < 3:
            add(corners)
        elif corners not in seen:
            seen.add(corners)
            turned = zip(rings, own, strict=True)
            out.add_solid([Facet(r if sign > 0 else r[::-1]) for r, (_, sign) in turned])
    for f, part in parts.polygons:
        if f >= 0 and f not in in_solids:
            add(places[v] for v in part)
    for edge, chain in zip(before.edges.tolist(), parts.chains, strict=True):
        if ordered(*edge) not in in_faces:
            for a, b in pairwise(chain):
                add((places[a], places[b]))
    for v in range(len(before.points)):
        if v not in in_edges:
            add((places[v],))
    for own_flat in flats.values():
        out.add_flat(own_flat)
    return out.cells(), list(flats.values())


def _sides(ring: Sequence[int]) -> Iterator[Pair]:
    return (ordered(a, b) for a, b in pairwise([*ring, ring[0]]))


def _disjoint(
    solids: Solids, overlaps: dict[int, list[int]], cut: set[int]
) -> Iterator[tuple[int, list[Polytope]]]:
    """Per solid its parts that are in no solid before it, the larger ones first.

    Of the solids that overlap others, or are to be cut.
    """
    size = _extents(approximation(solids.table), solids.hulls[: solids.count])
    done: dict[int, list[Polytope]] = {}
    for solid in sorted(cut.union(overlaps), key=lambda s: (-size[s], s)):
        look()
        pieces = [solids.body(solid)]
        for other in overlaps.get(solid, ()):
            for cell in done.get(other, ()):
                look()
                after: list[Polytope] = []
                for piece in pieces:
                    found = overlap(piece, cell)
                    after += [piece] if found is None else found[1]
                pieces = after
        if solid in overlaps:
            done[solid] = pieces
        yield solid, pieces


def _extents(approx: NDArray[np.float64], hulls: Iterable[Sequence[int]]) -> list[float]:
    """The sums of the sides of boxes around hulls."""
    boxes = (approx[list(hull)] for hull in hulls)
    return [float((own.max(axis=0) - own.min(axis=0)).sum()) for own in boxes]


def _without(corners: list[Point], sides: Sequence[Functional]) -> list[list[Point]]:
    """A polygon or segment without a convex set of its space: convex parts."""
    out: list[list[Point]] = []
    rest = corners
    for side in sides:
        if min(value(side, p) for p in rest) >= 0:
            continue
        out.append(clip(rest, tuple((c, -x) for c, x in side), equal=False))
        rest = clip(rest, side, equal=False)
        if not rest:
            break
    return [own for own in out if len(span(own)) == len(span(corners))]


def _flat_cells(flats: Sequence[Flat]) -> Iterator[Flat]:
    """Cells with what is left of them: points, the intervals of lines, and polygons.

    What is left of polygons has disjoint interiors; of polygons that others hold nothing is given.
    """
    yield from (own for own in flats if len(own[0]) == 1)
    segments = [piece for corners, own in flats if len(corners) == 2 for piece in own]
    yield from ((own, [own]) for own in _intervals(segments))
    polygons = [own for own in flats if len(own[0]) > 2]
    if not polygons:
        return
    known: dict[Point, int] = {}
    hulls = [tuple(known.setdefault(p, len(known)) for p in own) for own, _ in polygons]
    table = list(known)
    flags = np.ones(len(hulls), dtype=bool)
    planes = [plane_of(own) for own, _ in polygons]
    near: dict[int, list[int]] = {}
    for first, second in open_pairs(table, hulls, flags, np.full(len(hulls), -1, np.int64)):
        look()
        for i, j in zip(first.tolist(), second.tolist(), strict=True):
            plane, other = planes[i], planes[j]
            if plane is None or other is None:
                continue
            if len(plane.meet(other)) > 2:
                near.setdefault(i, []).append(j)
                near.setdefault(j, []).append(i)
    size = _extents(approximation(table), hulls)
    done: set[int] = set()
    for i in sorted(range(len(polygons)), key=lambda s: (-size[s], s)):
        look()
        corners, pieces = polygons[i]
        for j in near.get(i, ()):
            look()
            plane = planes[j]
            if j in done and plane is not None:
                sides = plane.sides
                pieces = [rest for own in pieces for rest in _beside(own, sides)]
        done.add(i)
        if pieces:
            yield corners, pieces


def _beside(corners: list[Point], sides: Sequence[Functional]) -> list[list[Point]]:
    """A polygon without another one of its plane."""
    return _without(corners, sides) if len(common((), sides, corners)) > 2 else [corners]


def _intervals(segments: Sequence[Sequence[Point]]) -> Iterator[list[Point]]:
    """The intervals of the union of segments, per line."""
    known: dict[Point, int] = {}
    pairs = [ordered(*(known.setdefault(p, len(known)) for p in own)) for own in segments]
    table = list(known)
    for line in lines_of(table, dict.fromkeys(pairs)):
        yield from ([table[a], table[b]] for a, b in line.intervals())


class _Collected:
    """Cells by the numbers of their points."""

    def __init__(self) -> None:
        self.number: dict[Point, int] = {}
        self.edges: dict[Pair, None] = {}
        self.faces: list[list[int]] = []
        self.solids: list[list[Pair]] = []
        self._known: dict[frozenset[int], int] = {}

    def _ring(self, points: Sequence[Point]) -> list[int]:
        ring = [self.number.setdefault(p, len(self.number)) for p in points]
        if len(ring) > 1:
            self.edges.update((pair, None) for pair in _sides(ring))
        return ring

    def add_solid(self, facets: Sequence[Facet[Point]]) -> None:
        boundary = []
        for facet in facets:
            ring = self._ring(facet.ring)
            f = self._known.setdefault(frozenset(ring), len(self.faces))
            if f == len(self.faces):
                self.faces.append(ring)
            own = self.faces[f]
            after = own[(own.index(ring[0]) + 1) % len(own)]
            boundary.append((f, 1 if after == ring[1] else -1))
        self.solids.append(boundary)

    def add_flat(self, corners: Sequence[Point]) -> None:
        ring = self._ring(corners)
        if len(ring) > 2 and frozenset(ring) not in self._known:
            self._known[frozenset(ring)] = len(self.faces)
            self.faces.append(ring)

    def cells(self) -> _Cells:
        edges = np.array(list(self.edges), np.int64).reshape(-1, 2)
        return _Cells(list(self.number), edges, self.faces, self.solids)
