"""Pictures of a complex: its edges in the plane, a level set as a curve or a surface."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.complex.cell_complex import CellComplex
from polyrank.complex.level_set import LevelSet
from polyrank.complex.mesh import cycles
from polyrank.errors import UnsupportedError
from polyrank.report.picture import (
    EDGE,
    axis_names,
    figure_size,
    finish_axes,
    needs_matplotlib,
    picture_file,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_complex", "save_complex_picture"]

_LEVEL = "#c1121f"


def draw_complex(cells: CellComplex, level: LevelSet | None = None) -> Figure:
    """Draw a complex of dimension 2, or a level set of dimension 1 or 2.

    Parameters
    ----------
    cells : CellComplex
        Of dimension 2 or 3; in dimension 3 only the level set is drawn.
    level : LevelSet, optional
        Its complex has to be ``cells``.

    Raises
    ------
    UnsupportedError
        If there is nothing that can be drawn, or matplotlib is not installed.
    """
    if cells.dimension == 1 or (cells.dimension == 3 and level is None):
        raise UnsupportedError(
            f"a complex of dimension {cells.dimension} has no picture; "
            "draw a plane, or a level set in space"
        )
    with needs_matplotlib():
        from matplotlib.collections import LineCollection  # noqa: PLC0415  (optional)
        from matplotlib.figure import Figure  # noqa: PLC0415
        from matplotlib.lines import Line2D  # noqa: PLC0415
    if cells.dimension == 3 and level is not None:
        figure = Figure(figsize=(7, 7), layout="constrained")
        _surface(figure, cells, level)
        return figure
    low, high = cells.vertices.min(axis=0), cells.vertices.max(axis=0)
    width, height = (high - low).tolist()
    figure = Figure(figsize=figure_size(width / height), layout="constrained")
    axes = figure.add_subplot()
    ends = cells.boundary[0].tocsc().indices.reshape(-1, 2)
    segments = cells.vertices[ends]
    thin = 0.7 if len(segments) < 3000 else 0.25
    axes.add_collection(LineCollection(list(segments), colors=EDGE, linewidths=thin, alpha=0.75))
    handles: list[Any] = []
    if level is not None:
        axes.add_collection(
            LineCollection(
                list(segments[level.mask[1]]), colors=_LEVEL, linewidths=1.8, capstyle="round"
            )
        )
        handles.append(Line2D([], [], color=_LEVEL, linewidth=1.8, label=level.description))
    finish_axes(axes, cells.chart, (low[0], high[0], low[1], high[1]))
    count = f"{cells.f_vector[2]:,} {'regions' if level is None else 'cells'}"
    axes.set_title(f"{cells.network.name}: {count}", loc="left", fontsize=11)
    if handles:
        figure.legend(handles=handles, loc="outside lower left", frameon=False, fontsize=9)
    return figure


def _surface(figure: Any, cells: CellComplex, level: LevelSet) -> None:
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection  # noqa: PLC0415  (optional)

    polygons = [cells.vertices[cycle] for cycle in cycles(cells, level.mask[2])]
    if not polygons:
        raise UnsupportedError("the level set has no 2-cell in this domain; nothing to draw")
    axes = figure.add_subplot(projection="3d")
    shading = np.array([_lit(polygon) for polygon in polygons])
    base = np.array([0x7F, 0xA7, 0xC9]) / 255
    faces = np.clip(base[None] * (0.55 + 0.6 * shading[:, None]), 0, 1)
    axes.add_collection3d(
        Poly3DCollection(polygons, facecolors=faces, edgecolors="#33475b", linewidths=0.15)
    )
    used = np.concatenate(polygons)
    low, high = used.min(axis=0), used.max(axis=0)
    middle, half = (low + high) / 2, float((high - low).max()) / 2 or 1.0
    for name, centre in zip("xyz", middle, strict=True):
        getattr(axes, f"set_{name}lim")(centre - half, centre + half)
    axes.set_box_aspect((1, 1, 1))
    for name, label in zip("xyz", axis_names(cells.chart), strict=True):
        getattr(axes, f"set_{name}label")(label)
    axes.locator_params(nbins=5)
    axes.tick_params(labelsize=9)
    axes.set_title(f"{cells.network.name}: {level.description}", loc="left", fontsize=11)


def _lit(polygon: NDArray[np.float64]) -> float:
    """How much light falls on a polygon."""
    a, b = polygon[1] - polygon[0], polygon[2] - polygon[0]
    normal = np.cross(a, b)
    length = float(np.linalg.norm(normal))
    light = np.array([0.45, -0.55, 0.7])
    return abs(float(normal @ light)) / length if length > 0.0 else 0.5


def save_complex_picture(
    path: str | Path, cells: CellComplex, level: LevelSet | None = None
) -> None:
    """Draw to a PNG, SVG or PDF file.

    Raises
    ------
    UnsupportedError
        See :func:`~polyrank.report.picture.picture_file` and :func:`draw_complex`.
    """
    target = picture_file(path)
    draw_complex(cells, level).savefig(target, dpi=160, bbox_inches="tight")
