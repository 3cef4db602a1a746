"""Generated curves: circles, spirals, wedges, knots and links."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from polyrank.errors import DomainError, FormatError
from polyrank.topology.grids import angles, at_least, cycle, positive, rounded
from polyrank.topology.manifold import Manifold, build_manifold

__all__ = [
    "circle",
    "curve_through",
    "ellipse",
    "figure_eight",
    "interval",
    "parametric_knot",
    "spirals",
    "torus_link",
    "two_curves",
    "wedge",
]


def circle(m: int = 32, radius: float = 1.0) -> Manifold:
    """The circle around the origin with m ≥ 3 vertices."""
    positive("circle", radius=radius)
    return ellipse(m, radius, radius, "circle")


def ellipse(m: int = 32, a: float = 2.0, b: float = 1.0, name: str = "ellipse") -> Manifold:
    """The ellipse with half-axes a and b."""
    at_least(name, m, 3)
    positive(name, a=a)
    positive(name, b=b)
    t = angles(m)
    return build_manifold(rounded(np.stack([a * np.cos(t), b * np.sin(t)], 1)), [cycle(m)], name)


def interval(m: int = 16) -> Manifold:
    """[−1, 1] in m segments."""
    at_least("interval", m, 1)
    i = np.arange(m)
    points = rounded(np.linspace(-1, 1, m + 1)[:, None])
    return build_manifold(points, [np.stack([i, i + 1], 1)], "interval")


def spirals(m: int = 64, turns: float = 1.5) -> Manifold:
    """Two interleaved spirals in the unit disk, classes 0 and 1, m segments each."""
    at_least("pair of spirals", m, 1)
    positive("spirals", turns=turns)
    end = 0.5 + 2 * turns
    t = np.linspace(0.5, end, m + 1) * np.pi
    arm = np.stack([t * np.cos(t), t * np.sin(t)], 1) / (end * np.pi)
    i = np.arange(m)
    edges = np.stack([i, i + 1], 1)
    return build_manifold(
        rounded(np.concatenate([arm, -arm])),
        [np.concatenate([edges, edges + m + 1])],
        "spirals",
        labels=[np.repeat([0, 1], m)],
    )


def wedge(m: int = 16, loops: int = 2) -> Manifold:
    """Circles in the plane that share one point, the origin; m vertices each."""
    at_least("wedge of circles", m, 3)
    at_least("number of loops", loops, 1)
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
    return build_manifold(rounded(np.concatenate(points)), [np.concatenate(edges)], name)


def two_curves(m: int = 64, gap: float = 0.5) -> Manifold:
    """The graphs of cos πx and of cos πx + gap over [−1, 1], classes 0 and 1: no line separates."""
    at_least("pair of curves", m, 2)
    positive("two-curves", gap=gap)
    x = np.linspace(-1, 1, m + 1)
    low = np.stack([x, np.cos(np.pi * x)], 1)
    i = np.arange(m)
    edges = np.stack([i, i + 1], 1)
    return build_manifold(
        rounded(np.concatenate([low, low + [0, gap]])),  # noqa: RUF005
        [np.concatenate([edges, edges + m + 1])],
        "two curves",
        labels=[np.repeat([0, 1], m)],
    )


def torus_link(
    m: int = 96, p: int = 2, q: int = 3, ring: float = 2.0, tube: float = 1.0
) -> Manifold:
    """The torus link T(p, q) in R³: p times round the ring, q times round the tube.

    It has gcd(p, q) components, the classes, with m vertices each: T(2, 3) is the trefoil, T(2, 2)
    the Hopf link. Two components have the linking number ± p q / gcd(p, q)².
    """
    if not 1 <= p <= 64 or not 1 <= q <= 64:
        raise DomainError(f"torus-link: p and q must be 1 to 64, got {p} and {q}")
    components = math.gcd(p, q)
    at_least(f"torus link T({p}, {q})", m, max(3, 4 * max(p, q) // components))
    positive("torus-link", tube=tube, ring=ring)
    around, through = p // components, q // components
    points = []
    for c in range(components):
        t = angles(m)
        phase = through * t + 2 * np.pi * c / p
        radius = ring + tube * np.cos(phase)
        turn = around * t
        points.append(
            np.stack([radius * np.cos(turn), radius * np.sin(turn), tube * np.sin(phase)], 1)
        )
    edges = [cycle(m, c * m) for c in range(components)]
    return build_manifold(
        rounded(np.concatenate(points)),
        [np.concatenate(edges)],
        f"torus link T({p}, {q})",
        labels=[np.repeat(np.arange(components), m)],
    )


def figure_eight(m: int = 96) -> Manifold:
    """The figure-eight knot in R³: ((2 + cos 2t) cos 3t, (2 + cos 2t) sin 3t, sin 4t)."""
    at_least("figure-eight knot", m, 24)
    t = angles(m)
    radius = 2 + np.cos(2 * t)
    points = np.stack([radius * np.cos(3 * t), radius * np.sin(3 * t), np.sin(4 * t)], 1)
    return build_manifold(rounded(points), [cycle(m)], "figure-eight knot")


def parametric_knot(
    m: int = 96, a: float = 2.0, b: float = 1.0, c: float = 2.0, d: float = 1.0
) -> Manifold:
    """The plane curve (cos at cos bt, cos ct sin dt), t from 0 to 2π.

    Closed, with m vertices, if a, b, c and d are integers; else open, with m + 1. It may cross
    itself: the abstract curve does not. By default a four-leaved rose.

    Source: the curves of K. Beshkov's experiments ("A Quotient Homology Theory of Representation
    in Neural Networks", TMLR 2026).
    """
    at_least("parametric knot", m, 8)
    numbers = (a, b, c, d)
    if not all(abs(v) <= 64 for v in numbers):
        raise DomainError(f"parametric-knot: a, b, c and d must be -64 to 64, got {numbers}")
    closed = all(float(v).is_integer() for v in numbers)
    t = 2 * np.pi * np.arange(m + (not closed)) / m
    points = np.stack([np.cos(a * t) * np.cos(b * t), np.cos(c * t) * np.sin(d * t)], 1)
    return curve_through(rounded(points), closed=closed, name="parametric knot")


def curve_through(
    points: ArrayLike, *, closed: bool = False, name: str = "curve through points"
) -> Manifold:
    """The curve that joins data points by segments, in their order.

    Parameters
    ----------
    points : array_like of float, shape (m, n)
        Taken exactly; two at least, three for a closed curve.
    closed : bool
        Join the last one to the first one.
    name : str

    Raises
    ------
    FormatError
        If they are not such points.

    Examples
    --------
    >>> curve_through([[0, 0], [1, 0], [0, 1]], closed=True).complex.cells
    (3, 3)
    """
    table = np.asarray(points, dtype=np.float64)
    least = 3 if closed else 2
    if table.ndim != 2 or len(table) < least or not np.isfinite(table).all():
        kind = "a closed curve" if closed else "a curve"
        raise FormatError(
            f"{kind} goes through at least {least} finite points, given as a table (m, n); this "
            f"one has shape {table.shape}"
        )
    i = np.arange(len(table) - 1)
    edges = cycle(len(table)) if closed else np.stack([i, i + 1], 1)
    return build_manifold(table, [edges], name)
