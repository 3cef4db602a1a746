"""A picture of a one-dimensional run: the function along the segment, the regions below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyrank.errors import UnsupportedError
from polyrank.graph.geometry import Regions
from polyrank.graph.listing import ranks_of_run
from polyrank.network.forward import affine_map
from polyrank.network.rational import nearest_float
from polyrank.report.colouring import rank_colour
from polyrank.report.picture import (
    EDGE,
    axes_for,
    axis_names,
    legend_of,
    needs_matplotlib,
)
from polyrank.report.summary import counted, counted_as, value_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_line_map"]

_MOST_OUTPUTS = 10


def draw_line_map(regions: Regions, *, layer: int | None = None, ax: Axes | None = None) -> Figure:
    """Draw the units of a layer along a segment, straight on every region.

    Parameters
    ----------
    regions : Regions
        Of a run on a domain of dimension 1. An unbounded one is drawn a little beyond its vertices.
    layer : int, optional
        K: the values are those of the map through this layer; default: the last. At most ten
        units are drawn.
    ax : matplotlib.axes.Axes, optional
        Where to draw; default: a figure of its own.

    Raises
    ------
    UnsupportedError
        If the domain has another dimension, or matplotlib is missing.
    RunError
        If there is no such layer.
    """
    run, chart = regions.run, regions.chart
    k = run.chosen_layer(layer)
    if chart.k != 1 or chart.lineality:
        raise UnsupportedError(f"the domain has dimension {chart.dimension}, expected 1")
    with needs_matplotlib():
        from matplotlib.patches import Patch  # noqa: PLC0415  (optional)
    axes = axes_for(ax, 2.0)
    ends = [[nearest_float(v[0]) for v in regions.geometry(r).generators.vertices]
            for r in range(run.count)]  # fmt: skip
    flat = [v for mine in ends for v in mine]
    low, high = (min(flat), max(flat)) if flat else (-1.0, 1.0)
    if chart.lower is None or chart.upper is None:
        reach = max(high - low, 1.0) / 4
        low, high = low - reach, high + reach
    ranks = ranks_of_run(run, k)
    units = min(run.network["widths"][k], _MOST_OUTPUTS)
    lines: list[list[tuple[float, float]]] = [[] for _ in range(units)]
    for r, mine in enumerate(ends):
        inside = nearest_float(regions.witness(r)[0])
        a = min(mine) if mine and min(mine) < inside else low
        b = max(mine) if mine and max(mine) > inside else high
        axes.axvspan(a, b, color=rank_colour(int(ranks[r]), 1), alpha=0.55, linewidth=0)
        axes.axvline(b, color=EDGE, linewidth=0.5, alpha=0.6)
        word = regions.codeword(r)
        slope, constant = affine_map(
            regions.network, word, layer=k, origin=chart.origin, basis=chart.basis
        )
        for u in range(units):
            m, c = nearest_float(slope[u, 0]), nearest_float(constant[u, 0])
            lines[u] += [(a, m * a + c), (b, m * b + c)]
    for u, points in enumerate(lines):
        x, y = zip(*sorted(points), strict=True)
        axes.plot(x, y, linewidth=1.6, label=value_name(run, k, u))
    axes.set_xlim(low, high)
    axes.set_xlabel(axis_names(chart)[0])
    shades = [
        Patch(
            facecolor=rank_colour(v, 1),
            alpha=0.55,
            label=f"rank {v}: {counted_as(int((ranks == v).sum()))}",
        )
        for v in sorted(set(ranks.tolist()))
    ]
    handles = [*axes.get_legend_handles_labels()[0], *shades]
    more = run.network["widths"][k] - units
    title = f"{run.network['name']}: {counted(run)}" + (f", {more} units more" if more else "")
    axes.set_title(title, loc="left", fontsize=11)
    legend_of(axes, ax, handles)
    drawn: Figure = axes.figure
    return drawn
