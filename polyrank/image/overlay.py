"""The images of a curve, a surface or a solid under a network, as complexes with the maps between.

``X_K = Φ_K(M)`` is made from ``X_{K−1}``: its cells are cut where a unit of layer K vanishes, the
layer is affine on the parts, and the images of the parts are cut where they meet. So X_K is a set
of points, segments, convex polygons and polytopes of dimension 3, exact, and ``X_{K−1} → X_K`` is
cellular: it sends a cell to a union of cells of its dimension, or to lower ones. M itself comes
first, as the abstract complex that it is, then its position ``X_0 = Φ_0(M)`` in R^n.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from polyrank.chains.chain import ChainComplex
from polyrank.errors import UnsupportedError
from polyrank.image.cut import Parts, cut, whole
from polyrank.image.glue import Glued, glue
from polyrank.image.homogeneous import Point, activations, manifold_points
from polyrank.image.kept import KeptLayers
from polyrank.image.sequence import ChainMap, check_chain_map
from polyrank.image.shadow import Shadow, shadow
from polyrank.network.normal_form import Network
from polyrank.topology.manifold import Manifold

__all__ = [
    "ImageComplex",
    "Step",
    "cell_complex",
    "check_dimension",
    "images",
    "manifold_cells",
    "steps",
]

Indices = NDArray[np.int64]
Pair = tuple[int, int]

#: Images in the plane of more parts are found by their contours.
_MANY = 64


@dataclass(frozen=True, slots=True, eq=False)
class ImageComplex:
    """The image Φ_K(M) as a cell complex.

    Attributes
    ----------
    layer : int or None
        K; 0 is the position of M in R^n, None is M itself.
    points : list of Point
        The vertices, exact; different vertices are different points, unless this is M itself.
    edges : int64 array, shape (f_1, 2)
        Ends of the segments, the smaller number first; they meet in common ends only.
    faces : list of list of int
        Convex polygons with disjoint interiors: the vertices on their boundaries, in cyclic order.
    complex : ChainComplex
        A segment is oriented from its first end to its second, a face by its cyclic order.
    origin : ChainMap
        The chain map from the complex before; of M itself, the identity.
    crossings : int
        Vertices that no vertex of the complex before, and no point where a unit vanishes, goes to.
    by_contours : bool
        An image in the plane is given by its contours: ``complex`` has a 0-cell per
        component, a 1-cell per hole, and no boundary; ``points`` and ``edges`` are the contours.
    hole_diameters : tuple of float
        Then, for every hole, the longest side of its box divided by that of the image.
    rims : list of list of (int, list of (int, int))
        Then, for every hole, the vertices around it, each with cells of the complex before
        (dimension and number) whose images hold it.
    solids : list of list of (int, int)
        Convex polytopes of dimension 3 with disjoint interiors: the faces around them with ±1.
    """

    layer: int | None
    points: list[Point]
    edges: Indices
    faces: list[list[int]]
    complex: ChainComplex
    origin: ChainMap
    crossings: int
    by_contours: bool = False
    hole_diameters: tuple[float, ...] = ()
    rims: Sequence[Sequence[tuple[int, list[Pair]]]] = ()
    solids: list[list[Pair]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """An image, and how it is made from the one before.

    Attributes
    ----------
    image : ImageComplex
    parts : Parts or None
        The cells of the image before, cut; None for M itself.
    glued : Glued or None
        Where the parts go; None for M itself and for contours.
    """

    image: ImageComplex
    parts: Parts | None
    glued: Glued | None


def images(
    network: Network,
    manifold: Manifold,
    layers: int | None = None,
    *,
    contours: bool | None = None,
    kept: KeptLayers | None = None,
) -> Iterator[ImageComplex]:
    """M, its position in R^n, and its images Φ_1(M), …, Φ_L(M).

    Parameters
    ----------
    network : Network
    manifold : Manifold
        Of dimension at most 3.
    layers : int, optional
        L; default: all layers.
    contours : bool, optional
        Whether the last image, if it is one in the plane, is found by its contours
        (default: if it has many parts).
    kept : KeptLayers, optional
        Layers that are done are taken from there, and kept there.

    Yields
    ------
    ImageComplex
        **Proves** what Φ_K(M) is: every vertex and every decision is exact, and ``∂ f = f ∂`` is
        verified for every map. **Does not prove** anything about what M was sampled from.

    Raises
    ------
    UnsupportedError
        If M has simplices of dimension 4.
    """
    for step in steps(network, manifold, layers, contours=contours, kept=kept):
        yield step.image


def steps(
    network: Network,
    manifold: Manifold,
    layers: int | None = None,
    *,
    contours: bool | None = None,
    all_points: bool = False,
    kept: KeptLayers | None = None,
) -> Iterator[Step]:
    """The same images with the parts that they are made of.

    Parameters
    ----------
    network, manifold, layers, contours, kept
        See :func:`images`.
    all_points : bool
        Keep all points where a cell is cut as vertices: then every vertex goes to the vertex in its
        place, and the maps are those of the layers themselves, not only homotopic to them.

    Raises
    ------
    UnsupportedError
        If M has simplices of dimension 4.
    """
    check_dimension(manifold)
    done = KeptLayers() if kept is None else kept
    found = _itself(manifold)
    yield Step(found, None, None)
    parts = whole(found.points, found.edges, found.faces, found.solids)
    glued = done.glued(0, partial(glue, found.points, parts, all_points=all_points))
    found = _next(found, parts, glued, 0)
    yield Step(found, parts, glued)
    last = len(network.layers) if layers is None else layers
    for k, layer in enumerate(network.layers[:last], start=1):
        parts = cut(found.points, found.edges, found.faces, layer, found.solids)
        places = activations(parts.rows, layer)
        flat = k == last and layer.units == 2 and manifold.dimension > 1
        if flat and (len(parts.polygons) > _MANY if contours is None else contours):
            made = done.shadow(k, partial(shadow, places, parts, len(found.points)))
            yield Step(_by_contours(found, made, k), parts, None)
        else:
            glued = done.glued(k, partial(glue, places, parts, all_points=all_points))
            found = _next(found, parts, glued, k)
            yield Step(found, parts, glued)


def check_dimension(manifold: Manifold) -> None:
    """Whether M has images by overlay.

    Raises
    ------
    UnsupportedError
        If M has simplices of dimension 4.
    """
    if manifold.dimension > 3:
        raise UnsupportedError(
            f"{manifold.name} has dimension {manifold.dimension}: overlays are for curves, "
            "surfaces and solids"
        )


def manifold_cells(manifold: Manifold) -> tuple[Indices, list[list[int]], list[list[Pair]]]:
    """The edges and triangles of M by their vertices, the tetrahedra by their triangles with ±1."""
    edges = manifold.simplices[1] if manifold.dimension else np.empty((0, 2), np.int64)
    faces = manifold.simplices[2].tolist() if manifold.dimension > 1 else []
    solids: list[list[Pair]] = []
    if manifold.dimension > 2:
        table = manifold.complex.boundary[2].tocsc()
        solids = [
            list(zip(table.indices[a:b].tolist(), table.data[a:b].tolist(), strict=True))
            for a, b in pairwise(table.indptr.tolist())
        ]
    return edges, faces, solids


def _itself(manifold: Manifold) -> ImageComplex:
    edges, faces, solids = manifold_cells(manifold)
    complex_ = cell_complex(manifold.points.shape[0], edges, faces, manifold.dimension, solids)
    identity = tuple(
        sparse.csc_array(sparse.eye_array(f, dtype=np.int64, format="csc")) for f in complex_.cells
    )
    points = manifold_points(manifold)
    return ImageComplex(None, points, edges, faces, complex_, identity, 0, solids=solids)


def cell_complex(
    vertices: int,
    edges: Indices,
    faces: Sequence[Sequence[int]],
    dimension: int,
    solids: Sequence[Sequence[Pair]] = (),
) -> ChainComplex:
    """The chain complex of points, segments, polygons and polytopes, with that many dimensions.

    A segment is oriented from its first end to its second, a polygon by its cyclic order, a
    polytope by the signs of its faces.
    """
    count = len(edges)
    ends = (edges.ravel(), np.repeat(np.arange(count), 2))
    lower = _matrix(np.tile([-1, 1], count), *ends, (vertices, count))
    number = {(a, b): e for e, (a, b) in enumerate(edges.tolist())}
    data, row, column = [], [], []
    for f, face in enumerate(faces):
        for k, a in enumerate(face):
            b = face[(k + 1) % len(face)]
            row.append(number[(a, b) if a < b else (b, a)])
            column.append(f)
            data.append(1 if a < b else -1)
    upper = _matrix(data, row, column, (count, len(faces)))
    top = _matrix(*_columns(enumerate(map(list, solids))), (len(faces), len(solids)))
    cells = (vertices, count, len(faces), len(solids))[: dimension + 1]
    return ChainComplex(cells, (lower, upper, top)[:dimension])


def _matrix(
    data: Sequence[int] | Indices,
    row: Sequence[int] | Indices,
    column: Sequence[int] | Indices,
    shape: tuple[int, int],
) -> sparse.csc_array:
    entries = np.asarray(data, np.int64), (np.asarray(row, np.int64), np.asarray(column, np.int64))
    return sparse.csc_array(entries, shape=shape)


def _next(before: ImageComplex, parts: Parts, glued: Glued, layer: int) -> ImageComplex:
    """The image complex of a layer with the chain map from the one before."""
    sources = before.complex.cells
    cells = glued.edges, glued.faces
    complex_ = cell_complex(len(glued.points), *cells, len(sources) - 1, glued.solids)
    points = np.arange(sources[0])
    on_points = np.ones(sources[0], np.int64), glued.vertex[: sources[0]], points
    on_edges = _columns(enumerate(glued.paths))
    faces = ((f, own) for (f, _), own in zip(parts.polygons, glued.areas, strict=True) if f >= 0)
    solids = ((s, own) for (s, _), own in zip(parts.solids, glued.volumes, strict=True))
    entries = (on_points, on_edges, _columns(faces), _columns(solids))[: len(sources)]
    origin = tuple(
        _matrix(data, row, column, (target, source))
        for (data, row, column), target, source in zip(
            entries, complex_.cells, sources, strict=True
        )
    )
    check_chain_map(before.complex, complex_, origin)
    return ImageComplex(
        layer, glued.points, *cells, complex_, origin, glued.crossings, solids=glued.solids
    )


def _by_contours(before: ImageComplex, found: Shadow, layer: int) -> ImageComplex:
    """The components and holes of an image in the plane, as a complex without boundary.

    Solids add nothing: a polytope that is mapped to the plane goes where its faces go.
    """
    sources = before.complex.cells
    targets = (found.components, len(found.holes), 0, 0)[: len(sources)]
    boundary = tuple(_matrix([], [], [], shape) for shape in pairwise(targets))
    complex_ = ChainComplex(targets, boundary)
    points = np.ones(sources[0], np.int64), found.component, np.arange(sources[0])
    origin = (
        _matrix(*points, (targets[0], sources[0])),
        _matrix(*_columns(enumerate(found.winding)), (targets[1], sources[1])),
        *(_matrix([], [], [], (0, f)) for f in sources[2:]),
    )
    check_chain_map(before.complex, complex_, origin)
    edges = np.array(found.edges, np.int64).reshape(-1, 2)
    return ImageComplex(
        layer,
        found.points,
        edges,
        [],
        complex_,
        origin,
        0,
        by_contours=True,
        hole_diameters=found.diameters,
        rims=found.rims,
    )


def _columns(
    images_of: Iterable[tuple[int, list[tuple[int, int]]]],
) -> tuple[list[int], list[int], list[int]]:
    """Entries, rows and columns of a matrix from (column, [(row, entry), …])."""
    data, row, column = [], [], []
    for source, own in images_of:
        for target, sign in own:
            data.append(sign)
            row.append(target)
            column.append(source)
    return data, row, column
