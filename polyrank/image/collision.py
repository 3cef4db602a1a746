"""Two points of M with one image: found in rationals, and shown by the plain forward pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flint import fmpq, fmpq_mat

from polyrank.errors import RefutedError
from polyrank.image.echelon import echelon, kernel
from polyrank.image.meeting import Meet
from polyrank.image.pieces import Pieces
from polyrank.network.composition import exact_step
from polyrank.topology.restriction import Restriction

__all__ = ["Collision", "PointOfM", "collision", "fold", "point_of_m"]


@dataclass(frozen=True, slots=True)
class PointOfM:
    """A rational point of M.

    Attributes
    ----------
    weights : mapping of int to fmpq
        Barycentric coordinates, all positive: the keys span the smallest simplex that contains it.
    point : tuple of fmpq, shape (n,)
        Its place in R^n.
    """

    weights: Mapping[int, fmpq]
    point: tuple[fmpq, ...]


@dataclass(frozen=True, slots=True)
class Collision:
    """``x ≠ x'`` in M with ``Φ_K(x) = Φ_K(x')`` from layer K = ``layer`` on.

    **Proves** that Φ_K is not one-to-one on M for all K from ``layer`` on. Points of M are points
    of its abstract complex: ``layer`` is 0 where M itself meets itself in R^n.

    Attributes
    ----------
    first, second : PointOfM
    layer : int
        The first layer at which this pair has one image; other pairs may meet earlier.
    image : tuple of fmpq
        The common image there.
    """

    first: PointOfM
    second: PointOfM
    layer: int
    image: tuple[fmpq, ...]


def collision(pieces: Pieces, meet: Meet) -> Collision:
    """The two points of M of a meeting of two pieces, carried through the network.

    Raises
    ------
    RefutedError
        If they are one point, or have different images at the layer: an internal error.
    """
    sides = [point_of_m(pieces.restriction, own) for own in (meet.first, meet.second)]
    return _carried(pieces, *sides)


def fold(pieces: Pieces, piece: int) -> Collision:
    """Two points of a collapsed piece with one image.

    An affine dependence of the images of independent vertices, Σ c_v Φ(v) = 0 with Σ c_v = 0: its
    positive and its negative part, scaled, are two convex combinations.
    """
    vertices = pieces.vertices(piece).tolist()
    table = pieces.restriction.vertices
    own = [table.exact_barycentric(v) for v in vertices]
    corners = pieces.simplex(piece)
    independent = echelon([[w.get(c, fmpq(0)) for w in own] for c in corners])[1]
    images = [pieces.exact(vertices[c]) for c in independent]
    rows = [[image[k] for image in images] for k in range(pieces.ambient)]
    dependence = kernel([*rows, [fmpq(1)] * len(images)], len(images))[0]
    factors = dict(zip(independent, dependence, strict=True))
    total = sum((w for w in factors.values() if w > 0), fmpq(0))
    sides = [
        {vertices[c]: sign * w / total for c, w in factors.items() if sign * w > 0}
        for sign in (1, -1)
    ]
    return _carried(pieces, *(point_of_m(pieces.restriction, side) for side in sides))


def point_of_m(restriction: Restriction, combination: Mapping[int, fmpq]) -> PointOfM:
    """The point of M at a convex combination of vertices of its subdivision."""
    weights: dict[int, fmpq] = {}
    for v, share in combination.items():
        for corner, w in restriction.vertices.exact_barycentric(v).items():
            weights[corner] = weights.get(corner, fmpq(0)) + share * w
    point = [fmpq(0)] * restriction.manifold.ambient
    for corner, w in weights.items():
        place = restriction.manifold.point(corner)
        point = [t + w * v for t, v in zip(point, place, strict=True)]
    return PointOfM({c: w for c, w in sorted(weights.items()) if w != 0}, tuple(point))


def _carried(pieces: Pieces, first: PointOfM, second: PointOfM) -> Collision:
    if dict(first.weights) == dict(second.weights):
        raise RefutedError("the two points of a collision are one point of M")
    one, other = (fmpq_mat(len(p.point), 1, list(p.point)) for p in (first, second))
    layers = pieces.restriction.network.layers
    for layer in range(pieces.layer + 1):
        if one == other:
            return Collision(first, second, layer, tuple(one.entries()))
        if layer < pieces.layer:
            one, other = (exact_step(layers[layer], h)[1] for h in (one, other))
    raise RefutedError(f"the images of a collision differ at layer {pieces.layer}")
