"""A picture of a region graph: a dot in every region, a line through every shared facet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import UnsupportedError
from polyrank.graph.geometry import Regions
from polyrank.graph.listing import ranks_of_run
from polyrank.network.rational import nearest_float
from polyrank.report.colouring import rank_colour
from polyrank.report.picture import (
    EDGE,
    axes_for,
    axis_names,
    legend_of,
    needs_matplotlib,
    principal_axes,
)
from polyrank.report.summary import counted, counted_as

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_graph"]

#: Most regions whose dots can still be told apart.
_MOST = 20_000


def draw_graph(regions: Regions, *, layer: int | None = None, ax: Axes | None = None) -> Figure:
    """Draw the adjacency of the regions; dots are coloured by rank.

    Every dot is the region's witness, in chart coordinates; those of a domain of more than two
    dimensions are projected to their two principal axes, and the title says so.

    Parameters
    ----------
    regions : Regions
    layer : int, optional
        K: ranks are those of the map through this layer; default: the last.
    ax : matplotlib.axes.Axes, optional
        Where to draw; default: a figure of its own.

    Raises
    ------
    UnsupportedError
        If there are more than 20,000 regions, or matplotlib is not installed.
    RunError
        If there is no such layer.
    """
    run, graph = regions.run, regions.graph
    k = run.chosen_layer(layer)
    if run.count > _MOST:
        raise UnsupportedError(
            f"the graph has {run.count:,} regions; {_MOST:,} can be drawn: plot the map of a "
            "slice, or export the graph"
        )
    with needs_matplotlib():
        from matplotlib.collections import LineCollection  # noqa: PLC0415  (optional)
        from matplotlib.lines import Line2D  # noqa: PLC0415
    places, note = _plane(
        np.array([[nearest_float(v) for v in regions.witness(r)] for r in range(run.count)])
        if run.count
        else np.zeros((0, 2))
    )
    axes = axes_for(ax, 1.0)
    lines = places[np.column_stack([graph.source, graph.target])]
    thin = 0.8 if len(lines) < 2000 else 0.25
    axes.add_collection(LineCollection(list(lines), colors=EDGE, linewidths=thin, alpha=0.6))
    ranks = ranks_of_run(run, k)
    size = 36 if run.count < 200 else (12 if run.count < 2000 else 3)
    handles = []
    for v in np.unique(ranks).tolist():
        mine = places[ranks == v]
        colour = rank_colour(v, min(int(ranks.max()), regions.chart.k))
        axes.scatter(
            mine[:, 0], mine[:, 1], s=size, color=colour, edgecolors=EDGE, linewidths=0.4, zorder=3
        )
        label = f"rank {v}: {counted_as(len(mine))}"
        handles.append(
            Line2D([], [], marker="o", linestyle="", color=colour, markeredgecolor=EDGE,
                   label=label)
        )  # fmt: skip
    axes.autoscale_view()
    names = [*axis_names(regions.chart), ""][:2] if not note else ["axis 1", "axis 2"]
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    title = f"{run.network['name']}: {counted(run)}, {len(lines):,} shared facets{note}"
    axes.set_title(title, loc="left", fontsize=11, wrap=True)
    legend_of(axes, ax, handles)
    drawn: Figure = axes.figure
    return drawn


def _plane(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], str]:
    """Points in the plane, and what was done to those of another space."""
    k = points.shape[1]
    if k <= 2:
        return np.column_stack([points, np.zeros((len(points), 2 - k))]), ""
    note = f"\n(R^{k} projected to the two principal axes of the witnesses)"
    return principal_axes(points, 2), note
