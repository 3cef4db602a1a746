"""Polygons in space and in the plane: light, equal axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.report.picture import EDGE

__all__ = ["draw_polygons", "equal_box"]


def draw_polygons(
    axes: Any,
    polygons: Sequence[NDArray[np.float64]],
    colour: str,
    *,
    alpha: float = 1.0,
    edge: str = EDGE,
) -> None:
    """Add polygons, each of shape (v, 2) or (v, 3), to axes; in space they are lit from one side.

    ``axes`` of polygons in space have to be 3-D axes of matplotlib.
    """
    if not polygons:
        return
    width = 0.15 if len(polygons) > 200 else 0.4
    if polygons[0].shape[1] == 2:
        from matplotlib.collections import PolyCollection  # noqa: PLC0415  (optional)

        axes.add_collection(
            PolyCollection(
                list(polygons), facecolors=colour, edgecolors=edge, linewidths=width, alpha=alpha
            )
        )
        return
    from matplotlib.colors import to_rgb  # noqa: PLC0415  (optional)
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection  # noqa: PLC0415

    shading = np.array([_lit(polygon) for polygon in polygons])
    faces = np.clip(np.array(to_rgb(colour))[None] * (0.55 + 0.6 * shading[:, None]), 0, 1)
    opaque = np.column_stack([faces, np.full(len(faces), alpha)])
    axes.add_collection3d(
        Poly3DCollection(list(polygons), facecolors=opaque, edgecolors=edge, linewidths=width)
    )


def equal_box(axes: Any, points: NDArray[np.float64]) -> None:
    """Limits of 3-D axes such that the points (V, 3) are seen and a cube is a cube."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle, half = (low + high) / 2, float((high - low).max()) / 2 or 1.0
    for name, centre in zip("xyz", middle, strict=True):
        getattr(axes, f"set_{name}lim")(centre - half, centre + half)
    axes.set_box_aspect((1, 1, 1))
    axes.locator_params(nbins=5)


def _lit(polygon: NDArray[np.float64]) -> float:
    """How much light falls on a polygon, by its area vector; degenerate ones half."""
    normal = np.cross(polygon, np.roll(polygon, -1, axis=0)).sum(axis=0)
    length = float(np.linalg.norm(normal))
    light = np.array([0.45, -0.55, 0.7])
    return abs(float(normal @ light)) / length if length > 0.0 else 0.5
