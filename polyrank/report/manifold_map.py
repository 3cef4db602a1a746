"""Pictures of a manifold cut by a network: where it lies, or where a layer takes it, by rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import UnsupportedError
from polyrank.report.colouring import rank_colour
from polyrank.report.picture import EDGE, needs_matplotlib, principal_axes
from polyrank.report.solid import draw_polygons, equal_box
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
    places: Sequence[int] = (0,),
    *,
    ranks: int | None = None,
    below: int = 1,
    ax: Axes | None = None,
) -> Figure:
    """Draw the cells of M, or their images, coloured by the rank of a layer on them.

    Parameters
    ----------
    cells : Restriction
        Of a manifold of dimension at most 2.
    places : sequence of int
        A panel each: 0 shows M in R^n, K > 0 its image Φ_K(M). What lies in more than three
        dimensions is projected to its three principal axes, and the panel says so: where a
        projection crosses itself the image need not.
    ranks : int, optional
        The colours are the ranks of the map through this layer on the cells; default: of each
        panel its own layer, of M the last.
    below : int
        Maximal cells of rank < ``below`` are the low-rank part, in red.
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
    for k in (*places, *(() if ranks is None else (ranks,))):
        cells.check_layer(k, least=0)
    with needs_matplotlib():
        from matplotlib.figure import Figure  # noqa: PLC0415  (optional)
    if ax is not None:
        _panel(ax, cells, places[0], ranks, below)
        mine: Any = ax.figure
        drawn: Figure = mine
        return drawn
    across = min(len(places), 4)
    down = -(-len(places) // across)
    figure = Figure(figsize=(4.2 * across, 4.2 * down + 0.4), layout="constrained")
    for n, k in enumerate(places):
        solid = _width(cells, k) > 2
        axes = figure.add_subplot(down, across, n + 1, projection="3d" if solid else None)
        _panel(axes, cells, k, ranks, below)
    return figure


def _width(cells: Restriction, place: int) -> int:
    return cells.network.widths[place]


def _panel(axes: Any, cells: Restriction, place: int, ranks: int | None, below: int) -> None:
    points, note = _drawable(cells.image_points(place))
    through = ranks or place or cells.layers
    top = cells.manifold.dimension
    solid = points.shape[1] == 3
    names = "xyz"[: points.shape[1]]
    shown: dict[str, str] = {}
    for d in range(top, -1, -1):
        own = cells.tangent_rank[d][:, through - 1]
        chosen = np.flatnonzero(cells.maximal[d])
        for v in np.unique(own[chosen]).tolist():
            mine = chosen[own[chosen] == v]
            low = v < below
            plain = _LINE if d < 2 else rank_colour(v, top)
            colour = _LOW[min(v, len(_LOW) - 1)] if low else plain
            label = f"rank {v}: {len(mine):,} {d}-cells" + (" (low-rank part)" if low else "")
            shown[label] = colour
            if d == 2:
                # a flattened cell is a line: only its edges can be seen
                lines = colour if low and place else EDGE
                draw_polygons(axes, _polygons(cells, points, mine), colour, edge=lines)
            elif d == 1:
                _segments(axes, points, _ends(cells, mine), colour, strong=low)
            else:
                axes.scatter(*points[mine].T, s=9, color=colour, zorder=3)
    if solid:
        equal_box(axes, points)
    else:
        axes.set_aspect("equal", adjustable="datalim")
        axes.autoscale_view()
        for spine in axes.spines.values():
            spine.set_color(EDGE)
    what = "x" if place == 0 else "h"
    for n, name in enumerate(names):
        index = f"${what}_{n + 1}$" if not note else f"axis {n + 1}"
        getattr(axes, f"set_{name}label")(index)
    axes.tick_params(labelsize=8)
    title = "M" if place == 0 else f"image at layer {place}"
    axes.set_title(f"{title}, rank through layer {through}{note}", loc="left", fontsize=9)
    from matplotlib.patches import Patch  # noqa: PLC0415  (optional; the caller said if missing)

    handles = [
        Patch(facecolor=c, edgecolor=EDGE, linewidth=0.6, label=text) for text, c in shown.items()
    ]
    axes.legend(
        handles=handles, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.1), frameon=False
    )


def _drawable(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], str]:
    """Points in one to three dimensions, and what was done to more."""
    n = points.shape[1]
    if n == 1:
        return np.column_stack([points[:, 0], np.zeros(len(points))]), ""
    if n <= 3:
        return points, ""
    return principal_axes(points, 3), f"\n(R^{n} projected to its three principal axes)"


def _ends(cells: Restriction, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    edges: NDArray[np.int64] = cells.complex.boundary[0].tocsc()[:, chosen].indices.reshape(-1, 2)
    return edges


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


def _polygons(
    cells: Restriction, points: NDArray[np.float64], chosen: NDArray[np.int64]
) -> list[NDArray[np.float64]]:
    edges = cells.complex.boundary[0].tocsc()
    faces = cells.complex.boundary[1].tocsc()
    found = []
    for f in chosen.tolist():
        around = faces.indices[faces.indptr[f] : faces.indptr[f + 1]]
        found.append(points[_cycle(edges[:, around].indices.reshape(-1, 2))])
    return found


def _cycle(ends: NDArray[np.int64]) -> list[int]:
    """The vertices of the edges of a polygon, one after the other."""
    beside: dict[int, list[int]] = {}
    for a, b in ends.tolist():
        beside.setdefault(a, []).append(b)
        beside.setdefault(b, []).append(a)
    start = int(ends[0, 0])
    cycle, last, here = [start], start, beside[start][0]
    while here != start:
        cycle.append(here)
        one, other = beside[here]
        last, here = here, other if one == last else one
    return cycle
