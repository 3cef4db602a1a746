"""Spheres of dimension 1 to 3 as subdivided cross-polytopes, and two of them around one centre."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from polyrank.topology.grids import at_least, positive, rounded
from polyrank.topology.manifold import Manifold, build_manifold

__all__ = [
    "concentric_circles",
    "concentric_spheres",
    "concentric_three_spheres",
    "three_sphere",
]

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


def three_sphere(m: int = 4) -> Manifold:
    """The unit sphere S³ in R⁴: 16 tetrahedra, each divided into m³."""
    points, facets = _sphere(3, m)
    return build_manifold(rounded(points), [facets], "3-sphere")


def concentric_circles(m: int = 8, inner: float = 1.0, outer: float = 2.0) -> Manifold:
    """Two circles of 4 m edges around the origin of the plane, classes 0 and 1."""
    return _concentric(1, m, inner, outer, "concentric circles")


def concentric_spheres(m: int = 6, inner: float = 1.0, outer: float = 2.0) -> Manifold:
    """Two spheres of 8 m² triangles around the origin of R³, classes 0 and 1."""
    return _concentric(2, m, inner, outer, "concentric spheres")


def concentric_three_spheres(m: int = 3, inner: float = 1.0, outer: float = 2.0) -> Manifold:
    """Two 3-spheres of 16 m³ tetrahedra around the origin of R⁴, classes 0 and 1."""
    return _concentric(3, m, inner, outer, "concentric 3-spheres")


def _concentric(n: int, m: int, inner: float, outer: float, name: str) -> Manifold:
    positive(name, inner=inner, outer=outer)
    points, facets = _sphere(n, m)
    return build_manifold(
        rounded(np.concatenate([inner * points, outer * points])),
        [np.concatenate([facets, facets + len(points)])],
        name,
        labels=[np.repeat([0, 1], len(facets))],
    )


def _sphere(n: int, m: int) -> tuple[Floats, Numbers]:
    """The boundary of the cross-polytope of R^(n+1), its facets divided, its vertices normalised.

    A facet with its vertices in the order of the axes is {m ≥ x_1 ≥ … ≥ x_n ≥ 0}, which the
    Freudenthal triangulation divides into mⁿ simplices; it agrees on common faces.
    """
    at_least("sphere's facets", m, 1)
    simplices = _divided_simplex(n, m)
    # barycentric coordinates times m: m − x_1, x_1 − x_2, …, x_n
    padded = np.concatenate(
        [
            np.full((*simplices.shape[:2], 1), m),
            simplices,
            np.zeros((*simplices.shape[:2], 1), np.int64),
        ],
        axis=2,
    )
    weights = padded[:, :, :-1] - padded[:, :, 1:]
    signed = [weights * np.array(sign) for sign in product((1, -1), repeat=n + 1)]
    corners = np.concatenate(signed).reshape(-1, n + 1)
    points, number = np.unique(corners, axis=0, return_inverse=True)
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return points / lengths, number.reshape(-1, n + 1).astype(np.int64)


def _divided_simplex(n: int, m: int) -> Numbers:
    """Freudenthal's simplices of {m ≥ x_1 ≥ … ≥ x_n ≥ 0}; shape (mⁿ, n + 1, n)."""
    base = np.array(list(product(range(m), repeat=n)), np.int64).reshape(-1, n)
    found = []
    for order in permutations(range(n)):
        path = [base]
        for axis in order:
            step = path[-1].copy()
            step[:, axis] += 1
            path.append(step)
        simplex = np.stack(path, axis=1)
        falls = (np.diff(simplex, axis=2) <= 0).all(axis=(1, 2))
        inside = falls & (simplex >= 0).all(axis=(1, 2)) & (simplex <= m).all(axis=(1, 2))
        found.append(simplex[inside])
    return np.concatenate(found)
