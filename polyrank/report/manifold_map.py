"""Pictures of a manifold cut by a network: where it lies, or where a layer takes it, by rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.complex.mesh import cycles
from polyrank.errors import UnsupportedError
from polyrank.report.colouring import rank_colour
from polyrank.report.picture import EDGE, needs_matplotlib, principal_axes
from polyrank.report.solid import draw_polygons, equal_box
from polyrank.topology.low_rank import LowRankPart
from polyrank.topology.restriction import Restriction

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_manifold"]

#: Ranks below the bound: the lower, the darker; then all others below it.
_LOW = ("#7f0d16", "#d1495b", "#eb9486")
#: A curve's full rank has to be seen on white.
_LINE = "#2f4b7c"


def draw_manifold(
    cells: Restriction,
    parts: Sequence[LowRankPart],
    places: Sequence[int],
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw the cells of M, or their images, coloured by rank, the low-rank part in red.

    Parameters
    ----------
    cells : Restriction
        Of a manifold of dimension at most 2.
    parts : sequence of LowRankPart
        One per panel: the colours are the ranks through its layer (on the cells, or of J_K if it is
        ambient), its maximal cells are red.
    places : sequence of int
        One per panel: 0 shows M in R^n, K > 0 its image Φ_K(M). What lies in more than three
        dimensions is projected to its three principal axes, and the panel says so: where a
        projection crosses itself the image need not.
    ax : matplotlib.axes.Axes, optional
        Where to draw a single panel; in three dimensions it has to be a 3-D one.

    Raises
    ------
    UnsupportedError
        If M has tetrahedra, several panels are asked for in one ``ax``, or matplotlib is missing.
    DomainError
        If there is no such layer.
    """
    if cells.manifold.dimension > 2:
        raise UnsupportedError(
            f"{cells.manifold.name} has dimension {cells.manifold.dimension}: curves and surfaces "
            "have pictures"
        )
    if ax is not None and len(places) != 1:
        raise UnsupportedError(f"{len(places)} panels do not fit one ax; give one place")
    positions = [_drawable(cells.image_points(k)) for k in places]
    with needs_matplotlib():
        from matplotlib.figure import Figure  # noqa: PLC0415  (optional)
    if ax is not None:
        _panel(ax, cells, parts[0], places[0], *positions[0])
        mine: Any = ax.figure
        drawn: Figure = mine
        return drawn
    across = min(len(places), 4)
    down = -(-len(places) // across)
    figure = Figure(figsize=(4.2 * across, 4.2 * down + 0.4), layout="constrained")
    for n, (part, k, (points, note)) in enumerate(zip(parts, places, positions, strict=True)):
        solid = points.shape[1] == 3
        axes = figure.add_subplot(down, across, n + 1, projection="3d" if solid else None)
        _panel(axes, cells, part, k, points, note)
    return figure


def _panel(
    axes: Any,
    cells: Restriction,
    part: LowRankPart,
    place: int,
    points: NDArray[np.float64],
    note: str,
) -> None:
    labels = _draw_cells(axes, cells, part, points, flattened=place > 0)
    if points.shape[1] == 3:
        equal_box(axes, points)
    else:
        axes.set_aspect("equal", adjustable="datalim")
        axes.autoscale_view()
        for spine in axes.spines.values():
            spine.set_color(EDGE)
    # inputs are counted from 0, units from 1
    what, first = ("x", 0) if place == 0 else ("h", 1)
    for n, name in enumerate("xyz"[: points.shape[1]]):
        index = f"${what}_{n + first}$" if not note else f"axis {n + 1}"
        getattr(axes, f"set_{name}label")(index)
    axes.tick_params(labelsize=8)
    title = "M" if place == 0 else f"image at layer {place}"
    of = f" of {part.rank_of}" if part.ambient else ""
    axes.set_title(f"{title}, rank{of} through layer {part.layer}{note}", loc="left", fontsize=9)
    from matplotlib.patches import Patch  # noqa: PLC0415  (optional; the caller said if missing)

    handles = [
        Patch(facecolor=c, edgecolor=EDGE, linewidth=0.6, label=text) for text, c in labels.items()
    ]
    axes.legend(
        handles=handles, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.1), frameon=False
    )


def _draw_cells(
    axes: Any,
    cells: Restriction,
    part: LowRankPart,
    points: NDArray[np.float64],
    *,
    flattened: bool,
) -> dict[str, str]:
    """Draw the maximal cells, and return what each colour means."""
    top = cells.manifold.dimension
    ranks = cells.ambient_rank if part.ambient else cells.tangent_rank
    labels: dict[str, str] = {}
    for d in range(top, -1, -1):
        own = ranks[d][:, part.layer - 1]
        for v in np.unique(own[cells.maximal[d]]).tolist():
            for low in (True, False):
                chosen = cells.maximal[d] & (own == v) & (part.cells[d] == low)
                if not chosen.any():
                    continue
                plain = _LINE if d < 2 else rank_colour(v, top)
                colour = _LOW[min(v, len(_LOW) - 1)] if low else plain
                what = " (low-rank part)" if low else ""
                labels[f"rank {v}: {int(chosen.sum()):,} {d}-cells{what}"] = colour
                if d == 2:
                    # a flattened cell is a line: only its edges can be seen
                    lines = colour if low and flattened else EDGE
                    shapes = [points[c] for c in cycles(cells.complex.boundary, chosen)]
                    draw_polygons(axes, shapes, colour, edge=lines)
                elif d == 1:
                    ends = cells.complex.boundary[0].tocsc()[:, np.flatnonzero(chosen)]
                    _segments(axes, points, ends.indices.reshape(-1, 2), colour, strong=low)
                else:
                    axes.scatter(*points[chosen].T, s=9, color=colour, zorder=3)
    return labels


def _drawable(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], str]:
    """Points in one to three dimensions, and what was done to more."""
    n = points.shape[1]
    if n == 1:
        return np.column_stack([points[:, 0], np.zeros(len(points))]), ""
    if n <= 3:
        return points, ""
    return principal_axes(points, 3), f"\n(R^{n} projected to its three principal axes)"


def _segments(
    axes: Any, points: NDArray[np.float64], ends: NDArray[np.int64], colour: str, *, strong: bool
) -> None:
    width = 2.6 if strong else 1.3
    lines = list(points[ends])
    if points.shape[1] == 3:
        from mpl_toolkits.mplot3d.art3d import Line3DCollection  # noqa: PLC0415  (optional)

        axes.add_collection3d(Line3DCollection(lines, colors=colour, linewidths=width))
    else:
        from matplotlib.collections import LineCollection  # noqa: PLC0415  (optional)

        axes.add_collection(LineCollection(lines, colors=colour, linewidths=width))
