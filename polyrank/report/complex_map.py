"""Pictures of a complex: its edges in the plane, its walls in space, level sets of both."""

from __future__ import annotations

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
)
from polyrank.report.solid import draw_polygons, equal_box

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_complex"]

_LEVEL, _WALL = "#c1121f", "#7fa7c9"
#: Most polygons that matplotlib sorts and blends in a moment.
_MOST_WALLS = 20_000


def draw_complex(
    cells: CellComplex, level: LevelSet | None = None, *, below: int | None = None
) -> Figure:
    """Draw a complex of dimension 2 or 3, or a level set of dimension 1 or 2.

    Parameters
    ----------
    cells : CellComplex
        Of dimension 2 or 3. In space the walls between its regions are drawn translucent, and the
        faces of the regions of low rank solid; with a level set, that alone.
    level : LevelSet, optional
        Its complex has to be ``cells``.
    below : int, optional
        In space: regions of rank < ``below`` through the last layer are drawn solid. Default: those
        of the least rank that there is.

    Raises
    ------
    UnsupportedError
        If there is nothing that can be drawn, or matplotlib is not installed.
    """
    if cells.dimension not in {2, 3}:
        raise UnsupportedError(
            f"a complex of dimension {cells.dimension} has no picture; draw a plane or a space"
        )
    with needs_matplotlib():
        from matplotlib.collections import LineCollection  # noqa: PLC0415  (optional)
        from matplotlib.figure import Figure  # noqa: PLC0415
        from matplotlib.lines import Line2D  # noqa: PLC0415
    if cells.dimension == 3:
        figure = Figure(figsize=(7, 7), layout="constrained")
        if level is None:
            _walls(figure, cells, below)
        else:
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
    chosen = level.mask[2]
    if not chosen.any():
        raise UnsupportedError("the level set has no 2-cell in this domain; nothing to draw")
    axes = figure.add_subplot(projection="3d")
    polygons = [cells.vertices[cycle] for cycle in cycles(cells.boundary, chosen)]
    draw_polygons(axes, polygons, _WALL)
    _finish(axes, cells, np.concatenate(polygons))
    axes.set_title(f"{cells.network.name}: {level.description}", loc="left", fontsize=11)


def _walls(figure: Any, cells: CellComplex, below: int | None) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415  (optional)

    inner = cells.regions_per_facet == 2
    if int(inner.sum()) > _MOST_WALLS:
        raise UnsupportedError(
            f"there are {int(inner.sum()):,} walls between the regions; {_MOST_WALLS:,} can be "
            "drawn: take a smaller box, or write a mesh"
        )
    layer = cells.ranks.shape[1]
    bound = int(cells.ranks[:, -1].min()) + 1 if below is None else below
    low = cells.ranks[:, -1] < bound
    of_low = np.asarray(abs(cells.boundary[-1]) @ low.astype(np.int64)) > 0
    axes = figure.add_subplot(projection="3d")
    for chosen, colour, alpha in ((inner & ~of_low, _WALL, 0.12), (of_low, _LEVEL, 0.75)):
        polygons = [cells.vertices[cycle] for cycle in cycles(cells.boundary, chosen)]
        draw_polygons(axes, polygons, colour, alpha=alpha)
    _finish(axes, cells, cells.vertices)
    count = cells.f_vector[3]
    axes.set_title(f"{cells.network.name}: {count:,} regions", loc="left", fontsize=11)
    text = f"rank < {bound} through layer {layer}: {int(low.sum()):,} of {count:,} regions"
    figure.legend(
        handles=[Patch(color=_LEVEL, label=text)],
        loc="outside lower left",
        frameon=False,
        fontsize=9,
    )


def _finish(axes: Any, cells: CellComplex, seen: NDArray[np.float64]) -> None:
    equal_box(axes, seen)
    for name, label in zip("xyz", axis_names(cells.chart), strict=True):
        getattr(axes, f"set_{name}label")(label)
    axes.tick_params(labelsize=9)
