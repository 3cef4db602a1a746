"""Cycles that carry the classes of an image which a layer makes, and those which it kills.

The exact image of a trained network has many tiny crossings, each of them a class: beside the
groups stands the size of a small cycle that carries a class. Which classes there are is exact;
volumes and diameters are floats, and only which of several cycles is proposed depends on them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray
from scipy import sparse

from polyrank.chains.elimination import Coefficients
from polyrank.chains.reduction import Chain, Reduction
from polyrank.image.classes import Classes, Echelon, Killed, ReducedMap, chains_of
from polyrank.image.disjoint_sets import DisjointSets
from polyrank.image.homogeneous import in_unit_box, longest_side, rationals
from polyrank.image.merges import holds, visits
from polyrank.image.overlay import ImageComplex
from polyrank.image.short_cycles import reduced_basis, short_loops
from polyrank.lp.deadline import OutOfTimeError, look
from polyrank.network.normal_form import Layer, Network
from polyrank.stages import tell

__all__ = ["MOST_CRITICAL", "Carrier", "Carriers", "Contact", "carriers"]

#: Carriers are sought between images with at most so many critical cells in one dimension.
MOST_CRITICAL = 400
#: Points that are named where a layer makes a class, and roots of the loops on a surface.
_CONTACTS, _ROOTS = 4, 48
#: Points at which contacts are decided exactly, per class.
_TRIED = 100

Cell = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Contact:
    """A point of an image where two cells of the image before come together.

    Attributes
    ----------
    point : tuple of fmpq
    cells : pair of (int, int)
        Dimension and number of the two cells: verified, the images of both hold the point, and
        that of no common face does.
    simplices : pair of (int, int)
        Dimension and number of a simplex of M under either cell.
    """

    point: tuple[fmpq, ...]
    cells: tuple[Cell, Cell]
    simplices: tuple[Cell, Cell]


@dataclass(frozen=True, slots=True)
class Carrier:
    """A cycle whose class a layer makes (born), or sends to 0 (dying).

    Attributes
    ----------
    layer : int
        That layer; 0 is the position of M.
    degree : int
    order : int
        0: its class is one of the barcode. Over ℤ t > 1 too: t times the class is 0, of one that is
        born modulo the classes before.
    cells : tuple of (int, int)
        Cells of the image (of the one before the layer, for a dying class), with coefficients. Of
        an image that is given by contours the hole that it goes around.
    volume : float or None
        Length or area, with multiplicities; of a hole the length of its rim; None in degree 3. None
        stands for what lies beyond floats, too.
    diameter : float or None
        The longest side of its box.
    share : float
        The diameter divided by that of the whole image.
    simplices : tuple of (int, int)
        Dimension and number of the simplices of M over its cells.
    killed : Killed or None
        Of a dying class: the chain of the image whose boundary is the image of the cycle.
    contacts : tuple of Contact
        Of a class that is born: some points of the cycle where parts of the image before meet.
    """

    layer: int
    degree: int
    order: int
    cells: tuple[Cell, ...]
    volume: float | None
    diameter: float | None
    share: float
    simplices: tuple[Cell, ...]
    killed: Killed | None = None
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True)
class Carriers:
    """The carriers of all layers.

    Attributes
    ----------
    born, dying : tuple of Carrier
    missing : tuple of (int, str)
        Layers without carriers, with the reason: a limit of cells or of time.
    """

    born: tuple[Carrier, ...] = ()
    dying: tuple[Carrier, ...] = ()
    missing: tuple[tuple[int, str], ...] = field(default=())


def carriers(
    network: Network, complexes: Sequence[ImageComplex], ring: Coefficients, degrees: int
) -> Carriers:
    """Cycles of all classes that are born or die, in the degrees from 1 on.

    **Proves**, layer by layer, that every cycle is one; that the image of a dying one, times
    ``killed.multiple`` (1 over ℤ), is the boundary of ``killed.chain``; and that the classes
    generate the kernel and the cokernel of ``H_d(Φ_{K−1} M) → H_d(Φ_K M)``, no more of them than
    there are cyclic summands. **Does not prove** that there are no smaller cycles.

    Parameters
    ----------
    network : Network
    complexes : sequence of ImageComplex
        M itself, then its images.
    ring : int
        −1 for ℤ, 0 for ℚ, or a prime.
    degrees : int
        Degrees 1, …, ``degrees − 1`` are looked at.
    """
    born: list[Carrier] = []
    dying: list[Carrier] = []
    missing: list[tuple[int, str]] = []
    old: _Level | None = None
    done = 0
    try:
        for image in complexes:
            look()
            k = image.layer or 0
            new = _Level.first(image) if old is None else old.next(image)
            if old is not None:
                tell(f"carriers of classes at layer {k}")
                most = max(len(c) for own in (old, new) for c in own.reduction.critical)
                if most > MOST_CRITICAL:
                    reason = f"{most:,} critical cells are left, more than {MOST_CRITICAL:,}"
                    missing.append((k, reason))
                else:
                    layer = network.layers[k - 1] if k else None
                    step = ReducedMap(old.reduction, new.reduction, image.origin, ring)
                    lost: list[Carrier] = []
                    made: list[Carrier] = []
                    for d in range(1, min(degrees, len(image.complex.cells))):
                        lost += _dying(step, old, d, k)
                        made += _born(step, old, new, d, layer)
                    dying += lost  # those of a layer are all there, or none
                    born += made
            old = new
            done += 1
    except OutOfTimeError:
        left = (own.layer or 0 for own in complexes[max(1, done) :])
        missing += [(k, "the time limit has passed") for k in left]
    return Carriers(tuple(born), tuple(dying), tuple(missing))


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """An image with its critical cells, and which simplices of M lie over a cell."""

    image: ImageComplex
    reduction: Reduction
    over: tuple[Any, ...]  # per dimension, simplices of M (columns) over cells (rows)
    size: float  # the longest side of the box of all vertices
    places: NDArray[np.float64]  # the vertices, divided by the size

    @classmethod
    def first(cls, image: ImageComplex) -> _Level:
        over = tuple(
            sparse.csr_array(sparse.eye_array(f, format="csr")) for f in image.complex.cells
        )
        return cls(image, Reduction(image.complex), over, *in_unit_box(image.points))

    def next(self, image: ImageComplex) -> _Level:
        over = (
            self.over
            if image.by_contours
            else tuple(
                sparse.csr_array((abs(f).astype(np.float64) @ own) > 0).astype(np.float64)
                for f, own in zip(image.origin, self.over, strict=True)
            )
        )
        return _Level(image, Reduction(image.complex), over, *in_unit_box(image.points))

    def simplices(self, degree: int, cells: Iterable[int]) -> tuple[Cell, ...]:
        """The simplices of M over cells: of their dimension, or where there is none, of a larger.

        A cut through a triangle, and a side that others leave in it, lie in no edge of M.
        """
        own = np.array(sorted(cells), np.int64)
        out: set[Cell] = set()
        for d in range(degree, len(self.over)):
            table = self.over[d]
            out |= {(d, s) for s in table[own].indices.tolist()}
            bare = own[np.diff(table.indptr)[own] == 0]
            if not bare.size or d + 1 == len(self.over):
                break
            own = np.unique(self.image.complex.boundary[d].tocsr()[bare].indices)
        return tuple(sorted(out))

    def vertices(self, degree: int, cell: int) -> list[int]:
        if degree == 0:
            return [cell]
        if degree == 1:
            return [int(v) for v in self.image.edges[cell]]
        if degree == 2:
            return self.image.faces[cell]
        return [v for f, _ in self.image.solids[cell] for v in self.image.faces[f]]

    def volumes(self, degree: int) -> NDArray[np.float64]:
        """Lengths or areas of the cells of a dimension; 1 in dimension 3."""
        if degree == 1:
            ends = self.places[self.image.edges]
            return np.asarray(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1))
        if degree == 2:
            return np.array([_area(self.places[face]) for face in self.image.faces])
        return np.ones(self.image.complex.cells[degree])


def _area(ring: NDArray[np.float64]) -> float:
    """Of a polygon in R^m: half the length of a sum of bivectors."""
    arms = ring[1:] - ring[0]
    total = sum(np.outer(a, b) - np.outer(b, a) for a, b in pairwise(arms))
    return float(np.linalg.norm(total)) / (2 * math.sqrt(2))


def _dying(step: ReducedMap, old: _Level, degree: int, k: int) -> Iterator[Carrier]:
    look()
    for order, chain in _cycles(step.dying(degree), old):
        look()
        step.check_cycle(old.reduction, degree, chain)
        yield _carrier(k, order, old, degree, chain, killed=step.killed(degree, chain))


def _born(
    step: ReducedMap, old: _Level, new: _Level, degree: int, layer: Layer | None
) -> Iterator[Carrier]:
    known: dict[int, list[Cell]] = {}
    look()
    for order, chain in _cycles(step.born(degree), new):
        look()
        step.check_cycle(new.reduction, degree, chain)
        if new.image.by_contours:
            yield _hole(old, new, order, chain, layer)
            continue
        known = known or _over_vertices(old, new)
        on_it = sorted({v for c in chain for v in new.vertices(degree, c)})
        touching = tuple(_contacts(old, new, on_it, layer, known))
        yield _carrier(new.image.layer or 0, order, new, degree, chain, contacts=touching)


def _cycles(classes: Classes, own: _Level) -> list[tuple[int, Chain]]:
    """Generators of a group with their orders: small cycles, if such generate all of it."""
    generators = classes.generators()
    reduction, degree = classes.reduction, classes.degree
    lifts = []
    for order, row in generators:
        look()
        lifts.append((order, reduction.lift(degree, row)))
    free = sum(order == 0 for order, _ in generators)
    space, whole = Echelon(classes.field), Echelon(classes.field)
    for row in chains_of(classes.chains) if free else ():
        whole.add(row)
    for row in chains_of(classes.zero) if free else ():
        space.add(row)
    taken: list[tuple[Chain, Chain]] = []
    for chain in _small_cycles(classes, own, [c for _, c in lifts]) if free else ():
        look()
        row = reduction.reduce(degree, chain)[0]
        if whole.holds(row) and space.add(row):
            taken.append((row, chain))
        if len(taken) == free:
            break
    rows = [row for row, _ in taken] + [row for order, row in generators if order]
    if len(taken) < free or not classes.generated_by(rows):
        return lifts
    return [(0, chain) for _, chain in taken] + [pair for pair in lifts if pair[0]]


def _small_cycles(classes: Classes, own: _Level, lifts: Sequence[Chain]) -> Iterable[Chain]:
    image, degree = own.image, classes.degree
    if image.by_contours:
        sizes = np.array(image.hole_diameters)
        return [{int(h): 1} for h in np.argsort(sizes, kind="stable")] if degree == 1 else []
    if degree == 1:
        return short_loops(classes, image.edges, own.volumes(1), _roots(image, lifts))
    if degree == len(image.complex.cells) - 1:
        return reduced_basis(classes, own.volumes(degree))
    return []


def _roots(image: ImageComplex, lifts: Sequence[Chain]) -> NDArray[np.int64]:
    """Branch points, and a point of every loop without one; of surfaces, points of some cycles."""
    used = [np.unique(image.edges[sorted(chain)]) for chain in lifts]
    if not image.faces:
        degree = np.bincount(image.edges.ravel())
        on_circles = [own[:1] for own in used]
        return np.unique(np.concatenate([np.flatnonzero(degree > 2), *on_circles]))
    points = np.unique(np.concatenate(used))
    return points[:: max(1, -(-len(points) // _ROOTS))]


def _carrier(
    layer: int,
    order: int,
    own: _Level,
    degree: int,
    chain: Chain,
    *,
    killed: Killed | None = None,
    contacts: tuple[Contact, ...] = (),
) -> Carrier:
    cells = sorted(chain)
    corners = own.places[sorted({v for c in cells for v in own.vertices(degree, c)})]
    volume = None
    if degree < 3:
        unit = float((own.volumes(degree)[cells] * np.abs([chain[c] for c in cells])).sum())
        volume = _finite(unit * own.size if degree == 1 else unit * own.size * own.size)
    share = longest_side(corners)
    return Carrier(
        layer,
        degree,
        order,
        tuple((c, chain[c]) for c in cells),
        volume,
        _finite(share * own.size),
        share,
        own.simplices(degree, cells),
        killed,
        contacts,
    )


def _hole(old: _Level, own: _Level, order: int, chain: Chain, layer: Layer | None) -> Carrier:
    """A class by the holes of an image in the plane around which it goes."""
    image = own.image
    rims = [image.rims[h] for h in sorted(chain)]
    steps = [own.places[v] - own.places[w] for rim in rims for v, w in _around([v for v, _ in rim])]
    share = max(image.hole_diameters[h] for h in chain)
    known = {v: cells for rim in rims for v, cells in rim}
    beside = sorted({cell for cells in known.values() for cell in cells})
    below = {s for d, n in beside for s in old.simplices(d, [n])}
    return Carrier(
        image.layer or 0,
        1,
        order,
        tuple(sorted(chain.items())),
        _finite(float(np.linalg.norm(steps, axis=1).sum()) * own.size),
        _finite(share * own.size),
        share,
        tuple(sorted(below)),
        contacts=tuple(_contacts(old, own, sorted(known), layer, known)),
    )


def _around(ring: Sequence[int]) -> Iterator[tuple[int, int]]:
    yield from pairwise((*ring, ring[0]))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _over_vertices(old: _Level, new: _Level) -> dict[int, list[Cell]]:
    """Per vertex of an image, cells of the image before that are proposed to go there."""
    out: dict[int, list[Cell]] = {}
    vertex = np.asarray(new.image.origin[0].tocsc().indices, np.int64)
    nowhere = np.zeros(len(vertex), np.int64)
    for place, _, cell in visits(old.image, new.image, nowhere, vertex):
        out.setdefault(place, []).append(cell)
    return out


def _contacts(
    old: _Level,
    new: _Level,
    points: Sequence[int],
    layer: Layer | None,
    known: Mapping[int, Sequence[Cell]],
) -> Iterator[Contact]:
    """Some of the points over which cells of the image before lie that have no face there."""
    count = tried = 0
    for v in points:
        if count == _CONTACTS or tried == _TRIED:
            return
        proposed = list(dict.fromkeys(known.get(v, ())))
        if len(_apart(old.image, proposed)) < 2:
            continue
        look()
        tried += 1
        point = new.image.points[v]
        closed = dict.fromkeys(face for cell in proposed for face in _faces(old.image, cell))
        held = _apart(old.image, [c for c in closed if holds(old.image, layer, c, point)])
        if len(held) > 1:
            below = [old.simplices(d, [n])[0] for d, n in held[:2]]
            yield Contact(rationals(point), (held[0], held[1]), (below[0], below[1]))
            count += 1


def _faces(image: ImageComplex, cell: Cell) -> Iterator[Cell]:
    """A cell and all its faces."""
    yield cell
    d, n = cell
    if d:
        boundary = image.complex.boundary[d - 1]
        for f in boundary.indices[boundary.indptr[n] : boundary.indptr[n + 1]].tolist():
            yield from _faces(image, (d - 1, f))


def _apart(image: ImageComplex, cells: Sequence[Cell]) -> list[Cell]:
    """One of the largest cells of every group that faces over the same point connect."""
    number = {cell: k for k, cell in enumerate(cells)}
    sets = DisjointSets(len(cells))
    for (d, n), k in number.items():
        if d == 0:
            continue
        boundary = image.complex.boundary[d - 1]
        for f in boundary.indices[boundary.indptr[n] : boundary.indptr[n + 1]].tolist():
            if (d - 1, f) in number:
                sets.join(number[d - 1, f], k)
    best: dict[int, Cell] = {}
    for cell, k in number.items():
        root = sets.find(k)
        best[root] = max(best.get(root, cell), cell, key=lambda own: own[0])
    return list(best.values())
