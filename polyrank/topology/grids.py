"""What the generated manifolds are made of: angles, cycles, grids of squares, dyadic points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DomainError

__all__ = ["MOST", "angles", "at_least", "cycle", "grid", "positive", "rounded"]

Floats = NDArray[np.float64]
Facets = NDArray[np.int64]

#: The largest resolution.
MOST = 4096


def rounded(points: Any) -> Floats:
    """The nearest multiples of 2^−20."""
    return np.asarray(np.round(np.asarray(points, dtype=np.float64) * 2.0**20) / 2.0**20)


def at_least(name: str, value: int, least: int) -> None:
    """Refuse a resolution below the least one, or above :data:`MOST`.

    Raises
    ------
    DomainError
    """
    if not least <= value <= MOST:
        raise DomainError(f"the resolution of a {name} must be {least} to {MOST}, got {value}")


def angles(m: int) -> Floats:
    """The angles of m points on a circle."""
    return np.asarray(2 * np.pi * np.arange(m) / m)


def cycle(m: int, first: int = 0) -> Facets:
    """The edges of a closed polygon of m vertices."""
    i = np.arange(m)
    return np.stack([i, (i + 1) % m], axis=1) + first


def grid(m: int, q: int, number: Callable[[Any, Any], Any]) -> Facets:
    """Two triangles for each of m × q squares; ``number(i, j)`` is a corner's vertex."""
    i, j = (a.ravel() for a in np.meshgrid(np.arange(m), np.arange(q), indexing="ij"))
    a, b, c, d = number(i, j), number(i + 1, j), number(i + 1, j + 1), number(i, j + 1)
    return np.asarray(np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))


def positive(name: str, **lengths: float) -> None:
    """Refuse lengths that do not ascend from 0 in steps that dyadic points can show.

    Raises
    ------
    DomainError
    """
    before, what_before = 0.0, "0"
    for what, length in lengths.items():
        if not before + 2.0**-8 <= length <= 2.0**20:
            raise DomainError(
                f"{name}: {what} is {length:g}; expected at least 1/256 more than {what_before}, "
                "and at most 2^20 (scale=... goes further)"
            )
        before, what_before = length, f"{what} = {length:g}"
