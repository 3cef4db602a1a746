"""Which components of an image are glued by a layer, and where: the classes of H_0 that die.

Two components of Φ_{K−1}(M) become one at layer K iff a chain of components leads from one to the
other of which neighbours have images with a common point. Such a point can be taken among the
vertices of the overlay, since the intersection of two unions of closed cells is one, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.chains.chain import components
from polyrank.image.cut import cut, whole
from polyrank.image.disjoint_sets import DisjointSets
from polyrank.image.homogeneous import Point, activations, rationals
from polyrank.image.nerve import common_point
from polyrank.image.overlay import ImageComplex
from polyrank.network.normal_form import Layer, Network

__all__ = ["Merge", "holds", "merges", "visits"]

Numbers = NDArray[np.int64]
Cell = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Merge:
    """Two components that a layer makes one: a class of H_0 that dies.

    Attributes
    ----------
    layer : int
        K; 0 is the position of M in R^n, where components of M meet.
    first, second : int
        The components of the image before, each by its lowest vertex of M.
    point : tuple of fmpq or None
        A common point of their images; None where none was kept: an image in the plane that is
        given by contours, or parts on one line, whose vertices are not all kept.
    cells : pair of (int, int), or None
        Dimension and number of a cell of the complex before, of either component, whose images hold
        the point; None for solids, too.
    """

    layer: int
    first: int
    second: int
    point: tuple[fmpq, ...] | None
    cells: tuple[Cell, Cell] | None


def merges(network: Network, complexes: Sequence[ImageComplex]) -> list[Merge]:
    """For every layer, as many pairs of components as classes of H_0 die there.

    **Proves** that the components of a pair meet, or are joined by others that do: every point is
    verified to lie in the images of both cells. Their number shows that no others meet.

    Parameters
    ----------
    network : Network
    complexes : sequence of ImageComplex
        M itself, then its images.
    """
    out: list[Merge] = []
    vertex = np.arange(len(complexes[0].points)) if complexes else np.empty(0, np.int64)
    for before, after in pairwise(complexes):
        label = _components(before)
        names = _names(label, vertex)
        to = _vertex_map(after)
        layer = network.layers[after.layer - 1] if after.layer else None
        out += _glued(before, after, layer, label, names, to)
        vertex = to[vertex]
    return out


def _components(image: ImageComplex) -> Numbers:
    """The component of every vertex."""
    whole = tuple(np.ones(f, dtype=bool) for f in image.complex.cells)
    return np.asarray(components(image.complex, whole)[1])


def _vertex_map(image: ImageComplex) -> Numbers:
    """Where the vertices of the complex before go: one entry in every column."""
    return np.asarray(image.origin[0].tocsc().indices, np.int64)


def _names(label: Numbers, vertex: Numbers) -> dict[int, int]:
    """The lowest vertex of M of every component."""
    out: dict[int, int] = {}
    for v, own in enumerate(label[vertex].tolist()):
        out.setdefault(own, v)
    return out


def _glued(
    before: ImageComplex,
    after: ImageComplex,
    layer: Layer | None,
    label: Numbers,
    names: dict[int, int],
    to: Numbers,
) -> Iterator[Merge]:
    k = after.layer or 0
    sets = DisjointSets(int(label.max(initial=-1)) + 1)
    known: dict[int, tuple[int, Cell]] = {}
    for place, component, cell in () if after.by_contours else visits(before, after, label, to):
        other, beside = known.setdefault(place, (component, cell))
        if sets.find(other) == sets.find(component):
            continue
        # the maps between overlays move vertices along lines, so that a visit is a proposal only
        point = after.points[place]
        if not holds(before, layer, cell, point):
            continue
        if not holds(before, layer, beside, point):
            known[place] = component, cell
            continue
        sets.join(other, component)
        pair = sorted([(names[other], beside), (names[component], cell)])
        yield Merge(k, pair[0][0], pair[1][0], rationals(point), (pair[0][1], pair[1][1]))
    leader: dict[int, int] = {}
    for component, target in zip(label.tolist(), _components(after)[to].tolist(), strict=True):
        other = leader.setdefault(target, component)
        if sets.find(other) != sets.find(component):
            sets.join(other, component)
            first, second = sorted([names[other], names[component]])
            yield Merge(k, first, second, None, None)


def holds(before: ImageComplex, layer: Layer | None, cell: Cell, point: Point) -> bool:
    """Whether the image of a cell under a layer (None: the identity) holds a point, exactly."""
    d, number = cell
    corners = [number] if d == 0 else list((before.edges, before.faces)[d - 1][number])
    size = len(corners)
    edges = {1: [], 2: [[0, 1]]}.get(size, [[i, i + 1] for i in range(size - 1)] + [[0, size - 1]])
    shape = [before.points[v] for v in corners], np.array(edges, np.int64).reshape(-1, 2)
    faces = [list(range(size))] if d == 2 else []
    parts = whole(*shape, faces) if layer is None else cut(*shape, faces, layer)
    places = parts.rows if layer is None else activations(parts.rows, layer)
    hulls: list[Sequence[int]] = [ring for _, ring in parts.polygons]
    hulls += [pair for chain in parts.chains for pair in pairwise(chain)]
    hulls += [[v] for v in range(len(places))]
    return any(common_point([[tuple(places[v]) for v in own], [point]]) for own in hulls)


def visits(
    before: ImageComplex, after: ImageComplex, label: Numbers, to: Numbers
) -> Iterator[tuple[int, int, Cell]]:
    """Vertices of the image, with a component whose image holds each, and a cell of that."""
    for v, place in enumerate(to.tolist()):
        yield place, int(label[v]), (0, v)
    cells: list[tuple[Sequence[Sequence[int]], Sequence[Sequence[int]]]] = [
        (before.edges.tolist(), after.edges.tolist()),
        (before.faces, after.faces),
    ]
    for d, (own, ends) in enumerate(cells[: len(after.origin) - 1], start=1):
        table = after.origin[d].tocsc()
        for number, corners in enumerate(own):
            component = int(label[corners[0]])
            for target in table.indices[table.indptr[number] : table.indptr[number + 1]].tolist():
                for place in ends[target]:
                    yield place, component, (d, number)
