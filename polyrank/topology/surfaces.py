"""Generated surfaces, and the pairs of them that are to be told apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.topology.grids import angles, at_least, cycle, grid, positive, rounded
from polyrank.topology.manifold import Manifold, build_manifold

__all__ = [
    "annulus",
    "disk",
    "disk_in_annulus",
    "klein_bottle",
    "linked_tori",
    "moebius",
    "sphere",
    "sphere_and_circle",
    "swiss_roll",
    "torus",
]

Floats = NDArray[np.float64]


def disk(m: int = 24, rings: int = 0, radius: float = 1.0) -> Manifold:
    """The disk around the origin: m sectors and (by default m/6) rings around a centre."""
    at_least("disk", m, 3)
    positive("disk", radius=radius)
    return _round_disk(m, rings or max(1, m // 6), radius, "disk")


def _round_disk(m: int, rings: int, radius: float, name: str) -> Manifold:
    radii = radius * np.arange(1, rings + 1) / rings
    points = rounded(np.concatenate([[[0.0, 0.0]], _polar(radii, m)]))
    fan = np.concatenate([np.zeros((m, 1), np.int64), cycle(m, 1)], axis=1)
    strips = grid(rings - 1, m, lambda i, j: 1 + i * m + j % m)
    return build_manifold(points, [np.concatenate([fan, strips])], name)


def _polar(radii: Floats, m: int) -> Floats:
    t = angles(m)
    ring = np.stack([np.cos(t), np.sin(t)], 1)
    return np.asarray((radii[:, None, None] * ring[None]).reshape(-1, 2))


def annulus(m: int = 24, rings: int = 0, inner: float = 1.0, outer: float = 2.0) -> Manifold:
    """{inner ≤ |x| ≤ outer} in the plane: m sectors, (by default m/6) rings."""
    at_least("annulus", m, 3)
    positive("annulus", inner=inner, outer=outer)
    rings = rings or max(1, m // 6)
    points = rounded(_polar(np.linspace(inner, outer, rings + 1), m))
    return build_manifold(points, [grid(rings, m, lambda i, j: i * m + j % m)], "annulus")


def sphere(m: int = 8, radius: float = 1.0) -> Manifold:
    """The sphere around the origin: an octahedron, every face divided into m² triangles."""
    at_least("sphere", m, 1)
    positive("sphere", radius=radius)
    numbers: dict[tuple[int, int, int], int] = {}
    facets: list[list[int]] = []

    def corner(x: int, y: int, z: int) -> int:
        return numbers.setdefault((x, y, z), len(numbers))

    for sx in (1, -1):
        for sy in (1, -1):
            for sz in (1, -1):
                for i in range(m):
                    for j in range(m - i):
                        k = m - 1 - i - j
                        a = corner(sx * (i + 1), sy * j, sz * k)
                        b = corner(sx * i, sy * (j + 1), sz * k)
                        c = corner(sx * i, sy * j, sz * (k + 1))
                        facets.append([a, b, c])
                        if k:
                            facets.append(
                                [
                                    corner(sx * (i + 1), sy * (j + 1), sz * (k - 1)),
                                    corner(sx * (i + 1), sy * j, sz * k),
                                    corner(sx * i, sy * (j + 1), sz * k),
                                ]
                            )
    points = np.array(list(numbers), dtype=np.float64)
    points *= radius / np.linalg.norm(points, axis=1, keepdims=True)
    return build_manifold(rounded(points), [np.array(facets, dtype=np.int64)], "sphere")


def torus(m: int = 24, q: int = 0, ring: float = 2.0, tube: float = 1.0) -> Manifold:
    """The torus around the z-axis in R³: m points around the ring, q (default m) the tube."""
    return _torus(m, q or m, ring, tube, "torus")


def _torus_points(m: int, q: int, ring: float, tube: float) -> Floats:
    u, v = (a.ravel() for a in np.meshgrid(angles(m), angles(q), indexing="ij"))
    around = ring + tube * np.cos(v)
    return np.asarray(np.stack([around * np.cos(u), around * np.sin(u), tube * np.sin(v)], 1))


def _torus(m: int, q: int, ring: float, tube: float, name: str) -> Manifold:
    at_least(name, min(m, q), 3)
    at_least(name, max(m, q), 3)
    positive(name, tube=tube, ring=ring)
    facets = grid(m, q, lambda i, j: (i % m) * q + j % q)
    return build_manifold(rounded(_torus_points(m, q, ring, tube)), [facets], name)


def linked_tori(m: int = 16, q: int = 0, ring: float = 2.0, tube: float = 0.5) -> Manifold:
    """Two linked tori in R³, classes 0 and 1: each goes through the middle of the other."""
    q = q or m
    at_least("pair of linked tori", min(m, q), 3)
    positive("linked-tori", **{"tube": tube, "half the ring": ring / 2})  # else the tubes meet
    first = _torus_points(m, q, ring, tube)
    second = first[:, [0, 2, 1]] + [ring, 0.0, 0.0]
    facets = grid(m, q, lambda i, j: (i % m) * q + j % q)
    return build_manifold(
        rounded(np.concatenate([first, second])),
        [np.concatenate([facets, facets + m * q])],
        "linked tori",
        labels=[np.repeat([0, 1], len(facets))],
    )


def klein_bottle(m: int = 16, q: int = 0) -> Manifold:
    """The Klein bottle, embedded in R⁴."""
    q = q or m
    at_least("Klein bottle", min(m, q), 5)
    u, v = (a.ravel() for a in np.meshgrid(angles(m), angles(q), indexing="ij"))
    around = 2 + np.cos(v)
    points = np.stack(
        [
            around * np.cos(u),
            around * np.sin(u),
            np.sin(v) * np.cos(u / 2),
            np.sin(v) * np.sin(u / 2),
        ],
        1,
    )

    def number(i: Any, j: Any) -> Any:
        return (i % m) * q + np.where(i >= m, -j, j) % q

    return build_manifold(rounded(points), [grid(m, q, number)], "Klein bottle")


def moebius(m: int = 24, q: int = 2) -> Manifold:
    """The Möbius strip in R³: m segments around, q across."""
    at_least("Möbius strip", m, 5)
    at_least("Möbius strip's width", q, 1)
    u, w = (a.ravel() for a in np.meshgrid(angles(m), np.linspace(-0.5, 0.5, q + 1), indexing="ij"))
    around = 1 + w * np.cos(u / 2)
    points = np.stack([around * np.cos(u), around * np.sin(u), w * np.sin(u / 2)], 1)

    def number(i: Any, j: Any) -> Any:
        return (i % m) * (q + 1) + np.where(i >= m, q - j, j)

    return build_manifold(rounded(points), [grid(m, q, number)], "Möbius strip")


def swiss_roll(m: int = 40, q: int = 8) -> Manifold:
    """A rolled-up rectangle in R³: m segments along the roll, q across."""
    at_least("Swiss roll", m, 1)
    at_least("Swiss roll's width", q, 1)
    t, y = (
        a.ravel()
        for a in np.meshgrid(
            np.linspace(1.5 * np.pi, 4.5 * np.pi, m + 1), np.linspace(0, 10, q + 1), indexing="ij"
        )
    )
    points = np.stack([t * np.cos(t), y, t * np.sin(t)], 1) / 10
    facets = grid(m, q, lambda i, j: i * (q + 1) + j)
    return build_manifold(rounded(points), [facets], "Swiss roll")


def disk_in_annulus(
    m: int = 24, disk: float = 1.0, inner: float = 2.0, outer: float = 3.0
) -> Manifold:
    """A disk, class 0, inside an annulus, class 1, given by their radii."""
    at_least("disk in an annulus", m, 3)
    positive("disk-in-annulus", disk=disk, inner=inner, outer=outer)
    rings = max(1, m // 6)
    inside = _round_disk(m, rings, disk, "disk")
    around = annulus(m, rings, inner, outer)
    first, count = inside.simplices[2], inside.points.shape[0]
    second = around.simplices[2] + count
    return build_manifold(
        np.concatenate([inside.points.approx, around.points.approx]),
        [np.concatenate([first, second])],
        "disk in an annulus",
        labels=[np.repeat([0, 1], [len(first), len(second)])],
    )


def sphere_and_circle(m: int = 8) -> Manifold:
    """The wedge of a sphere and a circle in R³: not pure, edges are maximal, too."""
    at_least("wedge of a sphere and a circle", m, 2)
    ball = sphere(m)
    count = ball.points.shape[0]
    start = int(np.flatnonzero((ball.points.approx == [1.0, 0.0, 0.0]).all(axis=1))[0])
    t = angles(4 * m)[1:]
    loop = np.stack([2 - np.cos(t), np.sin(t), np.zeros_like(t)], 1)
    path = np.concatenate([[start], count + np.arange(4 * m - 1), [start]])
    return build_manifold(
        rounded(np.concatenate([ball.points.approx, loop])),
        [ball.simplices[2], np.stack([path[:-1], path[1:]], 1)],
        "wedge of a sphere and a circle",
    )
