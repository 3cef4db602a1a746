"""Solids in an image: cut where units vanish, and where their images run into others.

**Theorem.** Let a set of polytopes of dimension 3 and of polygons, segments and points be given,
the sides of the polytopes among the polygons, such that

1. the interiors of two polytopes are equal or disjoint;
2. no polygon, segment or point, and no side of a polytope, meets the interior of a polytope.

Then the common refinement of the polygons, segments and points, with the interiors of the polytopes
as 3-cells, is a cell complex whose union is theirs.

*Proof.* By 1 and 2 the interiors of the polytopes are disjoint from one another and from the
refinement, which holds their boundaries as unions of cells; each is an open ball. ∎

:func:`settle` cuts polytopes until 1 and 2 hold. Where the interiors of two meet, they lie in one
space of dimension 3, and either is cut by the sides of the other. Where a polytope P and another
set Q meet in a set C of lower dimension that is in no side of P, P is cut along a plane through C;
what is added, lies in P, and meets Q in C only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from flint import fmpz_mat
from numpy.typing import NDArray

from polyrank.errors import PolyrankError, RefutedError
from polyrank.image.candidates import box_pairs
from polyrank.image.cut import Parts
from polyrank.image.disjoint_sets import DisjointSets
from polyrank.image.homogeneous import Point
from polyrank.image.hulls import hulls_of_points
from polyrank.image.lines import difference, ordered
from polyrank.image.meeting import separated
from polyrank.image.polygons import value
from polyrank.image.polytopes import (
    Facet,
    Polytope,
    crossing,
    halves,
    meet_flat,
    overlap,
    plane_through,
    polytope_of,
    separate,
    within,
)
from polyrank.lp.deadline import look

__all__ = ["Settled", "Solids", "TooManyPartsError", "parted", "settle"]

#: Solids of one space that overlap are given up when they have more parts.
MOST_CELLS = 5_000

Indices = NDArray[np.int64]
Pair = tuple[int, int]


class TooManyPartsError(PolyrankError):
    """Solids overlap in more parts than are worth the time."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Solids whose interiors are disjoint and met by nothing else.

    Attributes
    ----------
    polygons : list of list of Point
        The sides that are no polygons of the parts.
    cells : list of list of (int, int)
        Per solid its sides with ±1: polygons of the parts, then of the list above.
    volumes : list of list of (int, int)
        Per solid of the parts the solids that it is now, with ±1: their orientation in it; empty
        where it has no volume.
    """

    polygons: list[list[Point]]
    cells: list[list[Pair]]
    volumes: list[list[Pair]]


@dataclass(slots=True)
class _Cell:
    body: Polytope
    owners: list[Pair]  # a solid, and the orientation of this part of it


def settle(places: Sequence[Point], parts: Parts) -> Settled:
    """Cut the solids of parts whose vertices have moved, until the conditions above hold.

    Parameters
    ----------
    places : sequence of Point
        Where the rows of the parts go; on every part the move is affine.
    parts : Parts
    """
    return Solids(places, parts).settle() if parts.solids else Settled([], [], [])


class Solids:
    """The solids that have a volume, and all else that may run into them.

    Parameters
    ----------
    places, parts
        As of :func:`settle`.

    Attributes
    ----------
    table : list of Point
        The different places.
    hulls : list of tuple of int
        The vertices of the solids, of those in one place once, then of what is no side of one.
    count : int
        Number of solids.
    owners : list of list of int
        Per solid, the solids of the parts in its place.
    """

    def __init__(self, places: Sequence[Point], parts: Parts) -> None:
        self.parts = parts
        known: dict[Point, int] = {}
        self.at = [known.setdefault(p, len(known)) for p in places]
        self.table = list(known)
        self.owners: list[list[int]] = []
        self.charts: list[int] = []
        hulls: dict[tuple[int, ...], int] = {}
        sides: set[int] = set()
        for number, (_, facets) in enumerate(parts.solids):
            if number % 256 == 0:
                look()
            corners = tuple(sorted({self.at[v] for p, _ in facets for v in parts.polygons[p][1]}))
            if len(corners) < 4 or self._dimension(corners) < 3:
                continue
            sides.update(p for p, _ in facets)
            place = hulls.setdefault(corners, len(hulls))
            if place == len(self.owners):
                self.owners.append([])
                self.charts.append(parts.solid_charts[number])
            elif self.charts[place] != parts.solid_charts[number]:
                self.charts[place] = -1
            self.owners[place].append(number)
        self.count = len(hulls)
        self.bodies: dict[int, Polytope] = {}
        if self.count:
            self._others(hulls, sides)
        self.hulls = list(hulls)

    def _others(self, hulls: dict[tuple[int, ...], int], sides: set[int]) -> None:
        """Add what is no side of a solid with a volume."""
        edges: set[Pair] = set()
        used: set[int] = set()
        for p, (_, ring) in enumerate(self.parts.polygons):
            own = [self.at[v] for v in ring]
            used.update(own)
            edges.update(ordered(a, b) for a, b in pairwise([*own, own[0]]))
            if p not in sides:
                corners = tuple(sorted(set(own)))
                if corners not in hulls:
                    hulls[corners] = len(hulls)
                    self.charts.append(self.parts.charts[p])
        for chain in self.parts.chains:
            for a, b in pairwise(self.at[v] for v in chain):
                used.update((a, b))
                key = ordered(a, b) if a != b else (a,)
                if key not in edges and key not in hulls:
                    hulls[key] = len(hulls)
                    self.charts.append(-1)
        for v in range(len(self.table)):
            if v not in used and (v,) not in hulls:
                hulls[v,] = len(hulls)
                self.charts.append(-1)

    def settle(self) -> Settled:
        """All solids, cut until nothing meets their interiors."""
        overlaps: list[Pair] = []
        cuts: dict[int, list[list[Point]]] = {}
        for i, j in self.open_pairs():
            look()
            found = self.meeting(i, j)
            if found is None:
                overlaps.append((i, j))
            elif found:
                for solid in (i, j) if j < self.count else (i,):
                    if not within(found, self.body(solid).sides):
                        cuts.setdefault(solid, []).append(found)
        out = _Output(self.parts)
        for cell in self._cells(overlaps, set(cuts)):
            bodies = [cell.body]
            for solid in {self._places[s] for s, _ in cell.owners}:
                for met in cuts.get(solid, ()):
                    look()
                    bodies = [part for body in bodies for part in parted(body, met)]
            for body in bodies:
                out.add([out.side(facet) for facet in body.facets], cell.owners)
        for solid in self._untouched:
            out.add(self.parts.solids[self.owners[solid][0]][1], self._owned(solid))
        return Settled(out.polygons, out.cells, out.volumes)

    def open_pairs(self) -> Iterator[Pair]:
        """Pairs with a solid that floats do not prove to meet in a common face only."""
        if not self.count:
            return
        size = np.array([len(h) for h in self.hulls], np.int64)
        solid = np.arange(size.size) < self.count
        dimension = np.where(solid, 3, np.minimum(size - 1, 2))
        own = hulls_of_points(self.table, self.hulls, dimension)
        chart = np.array(self.charts, np.int64)
        sets = [frozenset(h) for h in self.hulls]
        ranks: dict[frozenset[int], int] = {}
        low, high = own.boxes()
        for pairs in box_pairs(low, high, np.where(solid, -1, 0)):
            i, j = pairs.T
            chosen = pairs[(chart[i] != chart[j]) | (chart[i] < 0)]
            if not len(chosen):
                continue
            faces = np.empty(len(chosen), np.int64)
            for k, (a, b) in enumerate(chosen.tolist()):
                common = sets[a] & sets[b]
                if len(common) > 2:
                    if common not in ranks:
                        ranks[common] = self._dimension(common)
                    faces[k] = ranks[common]
                else:
                    faces[k] = len(common) - 1
            apart, _ = separated(own, chosen, faces)
            for a, b in chosen[~apart].tolist():
                yield a, b

    def _dimension(self, vertices: Iterable[int]) -> int:
        """Of the hull of two vertices or more."""
        points = [self.table[v] for v in vertices]
        rows = [v for p in points[1:] for v in difference(points[0], p)]
        return int(fmpz_mat(len(points) - 1, len(points[0]) - 1, rows).rank())

    def meeting(self, i: int, j: int, *, sure: bool = True) -> list[Point] | None:
        """The intersection of a solid with another set; None if it has interior points of both.

        Of solids of one space whose interiors do not meet nothing is given: it is in their sides.
        Not ``sure``: None also if just no side of either has them on different sides.
        """
        first = self.body(i)
        found = meet_flat(first, [self.table[v] for v in self.hulls[j]])
        if found is not None or j >= self.count:
            return found or []
        second = self.body(j)
        if separate(first, second):
            return []
        return None if not sure or overlap(first, second) is not None else []

    def body(self, solid: int) -> Polytope:
        """A solid with a volume as a polytope."""
        found = self.bodies.get(solid)
        if found is None:
            found = self.bodies[solid] = polytope_of(self.facets(solid))
        return found

    def facets(self, solid: int) -> tuple[Facet[Point], ...]:
        """The sides of a solid, those of the first one in its place."""
        out = []
        for p, sign in self.parts.solids[self.owners[solid][0]][1]:
            ring = tuple(self.table[self.at[v]] for v in self.parts.polygons[p][1])
            out.append(Facet(ring if sign > 0 else ring[::-1], p, sign))
        return tuple(out)

    def _owned(self, solid: int) -> list[Pair]:
        """The solids in one place, with their orientations beside that of the first."""
        first, *others = self.owners[solid]
        out = [(first, 1)]
        if others:
            chart, own = self.body(solid).chart, self.body(solid).orientation
            out += [(other, own * self._orientation(other, chart)) for other in others]
        return out

    def _orientation(self, number: int, chart: tuple[int, int, int]) -> int:
        """The orientation of a solid of the parts in a chart of its space."""
        facets = self.parts.solids[number][1]
        p, sign = facets[0]
        ring = [self.table[self.at[v]] for v in self.parts.polygons[p][1]]
        plane = plane_through(ring, chart)
        for p, _ in facets:
            for v in self.parts.polygons[p][1]:
                height = value(plane, self.table[self.at[v]])
                if height:
                    return sign if height > 0 else -sign
        raise RefutedError("a solid has no volume: please report this")

    def _cells(self, overlaps: Sequence[Pair], cut: set[int]) -> Iterator[_Cell]:
        """The solids that overlap, cut by their sides, and those that are cut by others.

        The others are left in ``_untouched``.
        """
        sets = DisjointSets(self.count)
        touched = cut.copy()
        for i, j in overlaps:
            sets.join(i, j)
            touched.update((i, j))
        self._places = {s: i for i in touched for s in self.owners[i]}
        self._untouched = [i for i in range(self.count) if i not in touched]
        clusters: dict[int, list[int]] = {}
        for i in sorted(touched):
            clusters.setdefault(sets.find(i), []).append(i)
        for own in clusters.values():
            cells: list[_Cell] = []
            for solid in own:
                cells = _inserted(cells, self.body(solid), self._owned(solid))
                if len(cells) > MOST_CELLS:
                    count = f"{len(own):,} solids of one space"
                    raise TooManyPartsError(f"{count} overlap in more than {MOST_CELLS:,} parts")
            yield from cells


def _inserted(cells: list[_Cell], body: Polytope, owners: list[Pair]) -> list[_Cell]:
    """Solids of one space with disjoint interiors, and one more that may overlap them."""
    if not cells:
        return [_Cell(body, owners)]
    low, high = (np.array([getattr(c.body.near, end) for c in cells]) for end in ("low", "high"))
    near = ((low <= body.near.high) & (body.near.low <= high)).all(axis=1)
    out = [cells[c] for c in np.flatnonzero(~near).tolist()]
    pending = [body]
    for c in np.flatnonzero(near).tolist():
        cell = cells[c]
        left = [cell.body]
        after: list[Polytope] = []
        while pending:
            look()
            piece = pending.pop()
            for k, own in enumerate(left):
                found = overlap(own, piece)
                if found is None:
                    continue
                inner, outer = found
                left[k : k + 1] = outer
                sign = _same(piece, own)
                out.append(_Cell(inner, [*cell.owners, *((s, sign * t) for s, t in owners)]))
                rest = overlap(piece, inner)
                if rest is None:
                    raise RefutedError("solids meet one another on one side: please report this")
                pending += rest[1]
                break
            else:
                after.append(piece)
        out += [_Cell(own, cell.owners) for own in left]
        pending = after
    return out + [_Cell(piece, owners) for piece in pending]


def _same(first: Polytope, second: Polytope) -> int:
    """Whether two polytopes of one space have the same orientation: 1, or −1."""
    facet = first.facets[0]
    plane = plane_through(facet.ring, second.chart)
    height = next(x for p in first.corners if (x := value(plane, p)))
    return second.orientation * (1 if height > 0 else -1)


def parted(body: Polytope, met: Sequence[Point]) -> list[Polytope]:
    """A polytope cut along what another set has in common with it, unless that is in a side."""
    inside = meet_flat(body, met)
    if not inside or within(inside, body.sides):
        return [body]
    plane = None
    for third in (*inside[2:], *body.corners):
        points = [*inside[:2], third] if len(inside) > 1 else [inside[0], body.corners[0], third]
        if len(set(points)) == 3:
            try:
                plane = plane_through(points, body.chart)
            except ValueError:
                continue
            break
    if plane is None:
        raise RefutedError("the corners of a solid lie on a line: please report this")
    cut = plane
    above, below = halves(body.facets, lambda p: value(cut, p), crossing(cut))
    return [polytope_of(part, body) for part in (above, below)]


class _Output:
    """Cells with their sides by numbers."""

    def __init__(self, parts: Parts) -> None:
        self.given = len(parts.polygons)
        self.polygons: list[list[Point]] = []
        self.cells: list[list[Pair]] = []
        self.volumes: list[list[Pair]] = [[] for _ in parts.solids]

    def add(self, sides: Sequence[Pair], owners: Sequence[Pair]) -> None:
        """One cell with the solids that it is a part of."""
        for solid, sign in owners:
            self.volumes[solid].append((len(self.cells), sign))
        self.cells.append(list(sides))

    def side(self, facet: Facet[Point]) -> Pair:
        """The number of a side, and its orientation."""
        if facet.polygon >= 0:
            return facet.polygon, facet.sign
        self.polygons.append(list(facet.ring))
        return self.given + len(self.polygons) - 1, 1
