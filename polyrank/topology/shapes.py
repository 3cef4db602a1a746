"""Generated manifolds by name: piecewise-linear triangulations at any resolution.

Points are computed in floating point and rounded to multiples of 2^−20; what is then exact is the
triangulation, not the smooth shape beside it. ``scale`` and ``centre`` act on these points exactly.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from flint import fmpq

from polyrank.errors import DomainError
from polyrank.network.rational import RationalArray, fmpq_from_text, nearest_float
from polyrank.topology.curves import (
    circle,
    ellipse,
    figure_eight,
    interval,
    parametric_knot,
    spirals,
    torus_link,
    two_curves,
    wedge,
)
from polyrank.topology.grids import MOST
from polyrank.topology.manifold import Manifold
from polyrank.topology.spheres import (
    concentric_circles,
    concentric_spheres,
    concentric_three_spheres,
    three_sphere,
)
from polyrank.topology.surfaces import (
    annulus,
    disk,
    disk_in_annulus,
    klein_bottle,
    linked_tori,
    moebius,
    sphere,
    sphere_and_circle,
    swiss_roll,
    torus,
)

__all__ = ["SHAPES", "moved", "shape"]

_MOST_SQUARES = 1 << 20  # about 1 GB


#: Names for the command line; every function takes one or two resolutions, then its own options.
SHAPES: Mapping[str, Callable[..., Manifold]] = MappingProxyType(
    {
        "3-sphere": three_sphere,
        "annulus": annulus,
        "circle": circle,
        "concentric-3-spheres": concentric_three_spheres,
        "concentric-circles": concentric_circles,
        "concentric-spheres": concentric_spheres,
        "disk": disk,
        "disk-in-annulus": disk_in_annulus,
        "ellipse": ellipse,
        "figure-eight-knot": figure_eight,
        "interval": interval,
        "klein": klein_bottle,
        "linked-tori": linked_tori,
        "moebius": moebius,
        "parametric-knot": parametric_knot,
        "sphere": sphere,
        "sphere-and-circle": sphere_and_circle,
        "spirals": spirals,
        "swiss-roll": swiss_roll,
        "torus": torus,
        "torus-link": torus_link,
        "two-curves": two_curves,
        "wedge": wedge,
    }
)

_CURVES = frozenset(
    {circle, concentric_circles, ellipse, figure_eight, interval, parametric_knot, spirals,
     torus_link, two_curves, wedge}
)  # fmt: skip
_TWO_SIZES = frozenset(
    {annulus, disk, klein_bottle, linked_tori, moebius, swiss_roll, torus, wedge}
)
_SOLID = MappingProxyType({three_sphere: 40, concentric_three_spheres: 32})


def shape(text: str) -> Manifold:
    """The manifold that ``name``, ``name:m`` or ``name:mxq`` spells, such as ``torus:40x20``.

    Options follow after commas: those of the shape (``ring``, ``tube``, ``inner``, …), and for
    every shape ``scale`` (a factor) and then ``centre`` (what is added, as ``1:0:-1/2``), exact.

    Raises
    ------
    DomainError
        If there is no such shape or option, or it cannot be had at this resolution.

    Examples
    --------
    >>> shape("circle:8").complex.cells
    (8, 8)
    >>> shape("circle:8,radius=2,centre=1:0").point(0)
    [3, 0]
    """
    name, _, rest = text.partition(":")
    if name not in SHAPES:
        raise DomainError(f"no shape is called {name!r}; there are {', '.join(sorted(SHAPES))}")
    first, *given = rest.split(",")
    if "=" in first:
        first, given = "", [first, *given]
    maker = SHAPES[name]
    counts = _resolution(text, name, first)
    own, scale, centre = _options(text, name, given)
    return moved(maker(*counts, **own), scale, centre)


def _resolution(text: str, name: str, sizes: str) -> list[int]:
    maker = SHAPES[name]
    parts = sizes.split("x") if sizes else []
    if len(parts) > 2 or not all(p.isdecimal() and len(p) < 20 for p in parts):
        raise DomainError(f"{text!r}: a resolution is written as {name}:20 or {name}:20x10")
    counts = [int(p) for p in parts]
    if counts and max(counts) > MOST:
        raise DomainError(f"the resolution of a {name} must be at most {MOST}, got {max(counts)}")
    if counts and maker not in _CURVES and counts[0] * counts[-1] > _MOST_SQUARES:
        raise DomainError(
            f"{text!r} has more than {_MOST_SQUARES:,} squares, each of several triangles; take a "
            "lower resolution"
        )
    if counts and counts[0] > _SOLID.get(maker, MOST):
        raise DomainError(
            f"{text!r} has more than a million tetrahedra; take a resolution of at most "
            f"{_SOLID[maker]}"
        )
    if len(parts) == 2 and maker not in _TWO_SIZES:
        raise DomainError(f"{text!r}: a {name} has one resolution, such as {name}:{parts[0]}")
    return counts


def _options(
    text: str, name: str, given: Sequence[str]
) -> tuple[dict[str, int | float], fmpq, list[fmpq] | None]:
    """The shape's own options, the factor and what is added."""
    parameters = inspect.signature(SHAPES[name]).parameters
    sizes = 2 if SHAPES[name] in _TWO_SIZES else 1
    kinds = {
        key: int if parameter.annotation == "int" else float
        for key, parameter in list(parameters.items())[sizes:]
        if key != "name"
    }
    own: dict[str, int | float] = {}
    scale, centre = fmpq(1), None
    for entry in given:
        key, _, value = entry.partition("=")
        try:
            if key == "scale":
                scale = fmpq_from_text(value)
            elif key == "centre":
                centre = [fmpq_from_text(v) for v in value.split(":")]
            elif key in kinds:
                own[key] = (
                    _integer(value) if kinds[key] is int else nearest_float(fmpq_from_text(value))
                )
        except ValueError as error:
            raise DomainError(f"{text!r}: {key}: {error}") from None
        if key not in {*kinds, "scale", "centre"}:
            known = ", ".join([*kinds, "scale", "centre"])
            raise DomainError(f"{text!r}: a {name} has no option {key!r}; it has {known}")
    return own, scale, centre


def _integer(text: str) -> int:
    if not text.isdecimal() or len(text) > 20:
        raise ValueError(f"{text[:20]!r} is not an integer")
    return int(text)


def _float(text: str) -> float:
    return nearest_float(fmpq_from_text(text))


def moved(manifold: Manifold, scale: fmpq, centre: Sequence[fmpq] | None = None) -> Manifold:
    """Every point x of a manifold replaced by ``scale · x + centre``, exact.

    Raises
    ------
    DomainError
        If the factor is 0 or the centre lies in another space.
    """
    n = manifold.ambient
    if scale == 0:
        raise DomainError(f"{manifold.name}: a scale of 0 leaves one point; give another factor")
    if centre is not None and len(centre) != n:
        raise DomainError(
            f"{manifold.name} lies in R^{n}, but its centre has {len(centre)} coordinates; they "
            "are written as 1:0:-1/2"
        )
    if scale == 1 and centre is None:
        return manifold
    add = [fmpq(0)] * n if centre is None else list(centre)
    count = manifold.points.shape[0]
    entries = [
        scale * v + c for i in range(count) for v, c in zip(manifold.point(i), add, strict=True)
    ]
    return replace(manifold, points=RationalArray.from_rationals(entries, (count, n)))
