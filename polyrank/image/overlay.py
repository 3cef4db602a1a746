"""The images of a curve under the layers of a network, as cell complexes with the maps between.

``X_K = Φ_K(M)`` is made from ``X_{K−1}``: its cells are cut where a unit of layer K vanishes, the
layer is affine on the parts, and the images of the parts are cut where they meet. So X_K is a set
of points and of segments between them, exact, and ``X_{K−1} → X_K`` is cellular: it sends a segment
to a path of segments or to a point. M itself comes first, as the abstract complex that it is, then
its position ``X_0 = Φ_0(M)`` in R^n.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from flint import fmpq
from numpy.typing import NDArray
from scipy import sparse

from polyrank.chains.chain import ChainComplex
from polyrank.errors import UnsupportedError
from polyrank.image.homogeneous import (
    Point,
    activations,
    between,
    manifold_points,
    preactivations,
)
from polyrank.image.segments import refine
from polyrank.image.sequence import ChainMap, check_chain_map
from polyrank.network.normal_form import Layer, Network
from polyrank.topology.manifold import Manifold

__all__ = ["ImageComplex", "images"]

Indices = NDArray[np.int64]


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
    complex : ChainComplex
        A segment is oriented from its first end to its second.
    origin : ChainMap
        The chain map from the complex before; of M itself, the identity.
    crossings : int
        Points where parts of different segments of the complex before cross.
    """

    layer: int | None
    points: list[Point]
    edges: Indices
    complex: ChainComplex
    origin: ChainMap
    crossings: int


def images(
    network: Network, manifold: Manifold, layers: int | None = None
) -> Iterator[ImageComplex]:
    """M, its position in R^n, and its images Φ_1(M), …, Φ_L(M).

    Parameters
    ----------
    network : Network
    manifold : Manifold
        Of dimension at most 1.
    layers : int, optional
        L; default: all layers.

    Yields
    ------
    ImageComplex
        **Proves** what Φ_K(M) is: every vertex and every decision is exact, and ``∂ f = f ∂`` is
        verified for every map. **Does not prove** anything about what M was sampled from.

    Raises
    ------
    UnsupportedError
        If M has triangles.
    """
    if manifold.dimension > 1:
        raise UnsupportedError(
            f"{manifold.name} has dimension {manifold.dimension}: the overlay is for curves"
        )
    edges = manifold.simplices[1] if manifold.dimension else np.empty((0, 2), np.int64)
    found = _itself(manifold, edges)
    yield found
    chains = found.edges.tolist()
    found = _glued(found, found.points, chains, 0)
    yield found
    for k, layer in enumerate(network.layers[:layers], start=1):
        rows, chains = _cut(found, layer)
        found = _glued(found, activations(rows, layer), chains, k)
        yield found


def _itself(manifold: Manifold, edges: Indices) -> ImageComplex:
    complex_ = _complex(manifold.points.shape[0], edges)
    identity = tuple(
        sparse.csc_array(sparse.eye_array(f, dtype=np.int64, format="csc")) for f in complex_.cells
    )
    return ImageComplex(None, manifold_points(manifold), edges, complex_, identity, 0)


def _complex(vertices: int, edges: Indices) -> ChainComplex:
    count = len(edges)
    data = np.tile(np.array([-1, 1], np.int64), count)
    where = (edges.ravel(), np.repeat(np.arange(count), 2))
    return ChainComplex(
        (vertices, count), (sparse.csc_array((data, where), shape=(vertices, count)),)
    )


def _cut(image: ImageComplex, layer: Layer) -> tuple[list[list[int]], list[list[int]]]:
    """Cut the segments where a unit vanishes.

    Returns
    -------
    rows : list of list of int
        Pre-activations of the vertices and then of the cuts, homogeneous.
    chains : list of list of int
        Per segment the points on it, in order.
    """
    rows = preactivations(image.points, layer)
    split = np.flatnonzero(layer.has_hyperplane)
    signs = np.array([[(r[j] > 0) - (r[j] < 0) for j in split] for r in rows], np.int8)
    signs = signs.reshape(len(rows), split.size)
    chains: list[list[int]] = image.edges.tolist()
    opposite = signs[image.edges[:, 0]] * signs[image.edges[:, 1]] < 0
    for e in np.flatnonzero(opposite.any(axis=1)).tolist():
        a, b = chains[e]
        p, q = rows[a], rows[b]
        shares = set()
        for j in split[opposite[e]].tolist():
            one, other = abs(p[j]) * q[-1], abs(q[j]) * p[-1]
            shares.add(fmpq(one, one + other))
        inner = []
        for share in sorted(shares):
            inner.append(len(rows))
            rows.append(list(between(p, q, int(share.p), int(share.q))))
        chains[e] = [a, *inner, b]
    return rows, chains


def _glued(
    before: ImageComplex, places: Sequence[Point], chains: list[list[int]], layer: int
) -> ImageComplex:
    """The image of a complex whose segments are cut into chains, by the points' new places."""
    known: dict[Point, int] = {}
    at = [known.setdefault(p, len(known)) for p in places]
    segments: dict[tuple[int, int], int] = {}
    paths = []
    for chain in chains:
        path = [at[chain[0]]]
        for v in chain[1:]:
            if at[v] != path[-1]:
                segments.setdefault(_ordered(path[-1], at[v]), len(segments))
                path.append(at[v])
        paths.append(path)
    ends = np.array(list(segments), np.int64).reshape(-1, 2)
    refined = refine(list(known), ends)
    pieces: dict[tuple[int, int], int] = {}
    for chain in refined.chains:
        for a, b in pairwise(chain):
            pieces.setdefault(_ordered(a, b), len(pieces))
    edges = np.array(list(pieces), np.int64).reshape(-1, 2)
    row, column, data = [], [], []
    for e, path in enumerate(paths):
        for a, b in pairwise(path):
            chain = refined.chains[segments[_ordered(a, b)]]
            sign = 1 if a < b else -1
            for x, y in pairwise(chain):
                row.append(pieces[_ordered(x, y)])
                column.append(e)
                data.append(sign if x < y else -sign)
    complex_ = _complex(len(refined.points), edges)
    sources = before.complex.cells
    on_points = (np.ones(sources[0], np.int64), (at[: sources[0]], np.arange(sources[0])))
    on_edges = (np.array(data, np.int64), (np.array(row, np.int64), np.array(column, np.int64)))
    origin = (
        sparse.csc_array(on_points, shape=(complex_.cells[0], sources[0])),
        sparse.csc_array(on_edges, shape=(complex_.cells[1], sources[1])),
    )
    check_chain_map(before.complex, complex_, origin)
    return ImageComplex(layer, refined.points, edges, complex_, origin, refined.crossings)


def _ordered(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)
