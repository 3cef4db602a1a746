"""Generated manifolds: piecewise-linear triangulations at any resolution, dyadic coordinates.

Points are computed in floating point and rounded to multiples of 2^-20; what is then exact is the
triangulation, not the smooth surface beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DomainError
from polyrank.topology.manifold import Manifold, build_manifold

__all__ = ["SHAPES", "shape"]

Floats = NDArray[np.float64]
Facets = NDArray[np.int64]

_MOST = 4096
_MOST_SQUARES = 1 << 20  # about 1 GB


def _rounded(points: Any) -> Floats:
    return np.asarray(np.round(np.asarray(points, dtype=np.float64) * 2.0**20) / 2.0**20)


def _at_least(name: str, value: int, least: int) -> None:
    if not least <= value <= _MOST:
        raise DomainError(f"the resolution of a {name} must be {least} to {_MOST}, got {value}")


def _angles(m: int) -> Floats:
    return np.asarray(2 * np.pi * np.arange(m) / m)


def _cycle(m: int, first: int = 0) -> Facets:
    i = np.arange(m)
    return np.stack([i, (i + 1) % m], axis=1) + first


def _grid(m: int, q: int, number: Callable[[Any, Any], Any]) -> Facets:
    """Two triangles for each of m × q squares; ``number(i, j)`` is a corner's vertex."""
    i, j = (a.ravel() for a in np.meshgrid(np.arange(m), np.arange(q), indexing="ij"))
    a, b, c, d = number(i, j), number(i + 1, j), number(i + 1, j + 1), number(i, j + 1)
    return np.asarray(np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))


def circle(m: int = 32) -> Manifold:
    """The unit circle with m ≥ 3 vertices."""
    return ellipse(m, 1.0, 1.0, "circle")


def ellipse(m: int = 32, a: float = 2.0, b: float = 1.0, name: str = "ellipse") -> Manifold:
    """The ellipse with half-axes a and b."""
    _at_least(name, m, 3)
    t = _angles(m)
    return build_manifold(_rounded(np.stack([a * np.cos(t), b * np.sin(t)], 1)), [_cycle(m)], name)


def interval(m: int = 16) -> Manifold:
    """[−1, 1] in m segments."""
    _at_least("interval", m, 1)
    i = np.arange(m)
    points = _rounded(np.linspace(-1, 1, m + 1)[:, None])
    return build_manifold(points, [np.stack([i, i + 1], 1)], "interval")


def disk(m: int = 24, rings: int = 0) -> Manifold:
    """The unit disk: m sectors and (by default m/6) rings around a centre."""
    _at_least("disk", m, 3)
    return _round_disk(m, rings or max(1, m // 6), 1.0, "disk")


def _round_disk(m: int, rings: int, radius: float, name: str) -> Manifold:
    radii = radius * np.arange(1, rings + 1) / rings
    points = _rounded(np.concatenate([[[0.0, 0.0]], _polar(radii, m)]))
    fan = np.concatenate([np.zeros((m, 1), np.int64), _cycle(m, 1)], axis=1)
    strips = _grid(rings - 1, m, lambda i, j: 1 + i * m + j % m)
    return build_manifold(points, [np.concatenate([fan, strips])], name)


def _polar(radii: Floats, m: int) -> Floats:
    t = _angles(m)
    ring = np.stack([np.cos(t), np.sin(t)], 1)
    return np.asarray((radii[:, None, None] * ring[None]).reshape(-1, 2))


def annulus(m: int = 24, rings: int = 0, inner: float = 1.0, outer: float = 2.0) -> Manifold:
    """{inner ≤ |x| ≤ outer} in the plane: m sectors, (by default m/6) rings."""
    _at_least("annulus", m, 3)
    rings = rings or max(1, m // 6)
    points = _rounded(_polar(np.linspace(inner, outer, rings + 1), m))
    return build_manifold(points, [_grid(rings, m, lambda i, j: i * m + j % m)], "annulus")


def sphere(m: int = 8) -> Manifold:
    """The unit sphere: an octahedron, every face divided into m² triangles."""
    _at_least("sphere", m, 1)
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
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return build_manifold(_rounded(points), [np.array(facets, dtype=np.int64)], "sphere")


def torus(m: int = 24, q: int = 0, ring: float = 2.0, tube: float = 1.0) -> Manifold:
    """The torus around the z-axis in R³: m points around the ring, q (default m) the tube."""
    return _torus(m, q or m, ring, tube, "torus")


def _torus_points(m: int, q: int, ring: float, tube: float) -> Floats:
    u, v = (a.ravel() for a in np.meshgrid(_angles(m), _angles(q), indexing="ij"))
    around = ring + tube * np.cos(v)
    return np.asarray(np.stack([around * np.cos(u), around * np.sin(u), tube * np.sin(v)], 1))


def _torus(m: int, q: int, ring: float, tube: float, name: str) -> Manifold:
    _at_least(name, min(m, q), 3)
    _at_least(name, max(m, q), 3)
    facets = _grid(m, q, lambda i, j: (i % m) * q + j % q)
    return build_manifold(_rounded(_torus_points(m, q, ring, tube)), [facets], name)


def linked_tori(m: int = 16, q: int = 0) -> Manifold:
    """Two linked tori in R³, classes 0 and 1."""
    q = q or m
    _at_least("pair of linked tori", min(m, q), 3)
    first = _torus_points(m, q, 2.0, 0.5)
    second = first[:, [0, 2, 1]] + [2.0, 0.0, 0.0]
    facets = _grid(m, q, lambda i, j: (i % m) * q + j % q)
    return build_manifold(
        _rounded(np.concatenate([first, second])),
        [np.concatenate([facets, facets + m * q])],
        "linked tori",
        labels=[np.repeat([0, 1], len(facets))],
    )


def klein_bottle(m: int = 16, q: int = 0) -> Manifold:
    """The Klein bottle, embedded in R⁴."""
    q = q or m
    _at_least("Klein bottle", min(m, q), 5)
    u, v = (a.ravel() for a in np.meshgrid(_angles(m), _angles(q), indexing="ij"))
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

    return build_manifold(_rounded(points), [_grid(m, q, number)], "Klein bottle")


def moebius(m: int = 24, q: int = 2) -> Manifold:
    """The Möbius strip in R³: m segments around, q across."""
    _at_least("Möbius strip", m, 5)
    _at_least("Möbius strip's width", q, 1)
    u, w = (
        a.ravel() for a in np.meshgrid(_angles(m), np.linspace(-0.5, 0.5, q + 1), indexing="ij")
    )
    around = 1 + w * np.cos(u / 2)
    points = np.stack([around * np.cos(u), around * np.sin(u), w * np.sin(u / 2)], 1)

    def number(i: Any, j: Any) -> Any:
        return (i % m) * (q + 1) + np.where(i >= m, q - j, j)

    return build_manifold(_rounded(points), [_grid(m, q, number)], "Möbius strip")


def swiss_roll(m: int = 40, q: int = 8) -> Manifold:
    """A rolled-up rectangle in R³: m segments along the roll, q across."""
    _at_least("Swiss roll", m, 1)
    _at_least("Swiss roll's width", q, 1)
    t, y = (
        a.ravel()
        for a in np.meshgrid(
            np.linspace(1.5 * np.pi, 4.5 * np.pi, m + 1), np.linspace(0, 10, q + 1), indexing="ij"
        )
    )
    points = np.stack([t * np.cos(t), y, t * np.sin(t)], 1) / 10
    facets = _grid(m, q, lambda i, j: i * (q + 1) + j)
    return build_manifold(_rounded(points), [facets], "Swiss roll")


def spirals(m: int = 64) -> Manifold:
    """Two interleaved spirals in the plane, classes 0 and 1, m segments each."""
    _at_least("pair of spirals", m, 1)
    t = np.linspace(0.5, 3.5, m + 1) * np.pi
    arm = np.stack([t * np.cos(t), t * np.sin(t)], 1) / (3.5 * np.pi)
    i = np.arange(m)
    edges = np.stack([i, i + 1], 1)
    return build_manifold(
        _rounded(np.concatenate([arm, -arm])),
        [np.concatenate([edges, edges + m + 1])],
        "spirals",
        labels=[np.repeat([0, 1], m)],
    )


def disk_in_annulus(m: int = 24) -> Manifold:
    """A disk of radius 1, class 0, inside an annulus of radii 2 and 3, class 1."""
    _at_least("disk in an annulus", m, 3)
    rings = max(1, m // 6)
    inside = _round_disk(m, rings, 1.0, "disk")
    around = annulus(m, rings, 2.0, 3.0)
    first, count = inside.simplices[2], inside.points.shape[0]
    second = around.simplices[2] + count
    return build_manifold(
        np.concatenate([inside.points.approx, around.points.approx]),
        [np.concatenate([first, second])],
        "disk in an annulus",
        labels=[np.repeat([0, 1], [len(first), len(second)])],
    )


def wedge(m: int = 16, loops: int = 2) -> Manifold:
    """Circles in the plane that share one point, the origin; m vertices each."""
    _at_least("wedge of circles", m, 3)
    _at_least("number of loops", loops, 1)
    points, edges = [np.zeros((1, 2))], []
    for loop in range(loops):
        turn = 2 * np.pi * loop / loops
        # petals r = cos(loops/2 · angle), narrow enough to meet in the origin only
        t = np.pi * (np.arange(1, m) / m - 0.5) / loops
        radius = np.cos(loops * t)
        points.append(np.stack([radius * np.cos(turn + t), radius * np.sin(turn + t)], 1))
        own = 1 + loop * (m - 1) + np.arange(m - 1)
        path = np.concatenate([[0], own, [0]])
        edges.append(np.stack([path[:-1], path[1:]], 1))
    name = f"wedge of {loops} circles"
    return build_manifold(_rounded(np.concatenate(points)), [np.concatenate(edges)], name)


def sphere_and_circle(m: int = 8) -> Manifold:
    """The wedge of a sphere and a circle in R³: not pure, edges are maximal, too."""
    _at_least("wedge of a sphere and a circle", m, 2)
    ball = sphere(m)
    count = ball.points.shape[0]
    start = int(np.flatnonzero((ball.points.approx == [1.0, 0.0, 0.0]).all(axis=1))[0])
    t = _angles(4 * m)[1:]
    loop = np.stack([2 - np.cos(t), np.sin(t), np.zeros_like(t)], 1)
    path = np.concatenate([[start], count + np.arange(4 * m - 1), [start]])
    return build_manifold(
        _rounded(np.concatenate([ball.points.approx, loop])),
        [ball.simplices[2], np.stack([path[:-1], path[1:]], 1)],
        "wedge of a sphere and a circle",
    )


#: Names for the command line; every function takes one or two resolutions.
SHAPES: Mapping[str, Callable[..., Manifold]] = MappingProxyType(
    {
        "annulus": annulus,
        "circle": circle,
        "disk": disk,
        "disk-in-annulus": disk_in_annulus,
        "ellipse": ellipse,
        "interval": interval,
        "klein": klein_bottle,
        "linked-tori": linked_tori,
        "moebius": moebius,
        "sphere": sphere,
        "sphere-and-circle": sphere_and_circle,
        "spirals": spirals,
        "swiss-roll": swiss_roll,
        "torus": torus,
        "wedge": wedge,
    }
)


def shape(text: str) -> Manifold:
    """The manifold that ``name``, ``name:m`` or ``name:mxq`` spells, such as ``torus:40x20``.

    Raises
    ------
    DomainError
        If there is no such shape, or it cannot be had at this resolution.

    Examples
    --------
    >>> shape("circle:8").complex.cells
    (8, 8)
    """
    name, _, sizes = text.partition(":")
    if name not in SHAPES:
        raise DomainError(f"no shape is called {name!r}; there are {', '.join(sorted(SHAPES))}")
    parts = sizes.split("x") if sizes else []
    if len(parts) > 2 or not all(p.isdecimal() and len(p) < 20 for p in parts):
        raise DomainError(f"{text!r}: a resolution is written as {name}:20 or {name}:20x10")
    maker = SHAPES[name]
    counts = [int(p) for p in parts]
    if counts and max(counts) > _MOST:
        raise DomainError(f"the resolution of a {name} must be at most {_MOST}, got {max(counts)}")
    if counts and maker not in _CURVES and counts[0] * counts[-1] > _MOST_SQUARES:
        raise DomainError(
            f"{text!r} has more than {_MOST_SQUARES:,} squares, each of several triangles; take a "
            "lower resolution"
        )
    if len(parts) == 2 and maker in _ONE_SIZE:
        raise DomainError(f"{text!r}: a {name} has one resolution, such as {name}:{parts[0]}")
    return maker(*counts)


_CURVES = (circle, ellipse, interval, spirals, wedge)
_ONE_SIZE = (circle, ellipse, interval, sphere, sphere_and_circle, spirals, disk_in_annulus)
