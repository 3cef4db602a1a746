"""The map of a two-dimensional run for a web page: zoom, and what a region is under the pointer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import UnsupportedError
from polyrank.graph.geometry import Regions
from polyrank.graph.listing import ranks_of_run
from polyrank.network.forward import affine_map
from polyrank.network.rational import nearest_float
from polyrank.posed.chart import Chart
from polyrank.regions.schema import column_bits
from polyrank.report.colouring import rank_colour
from polyrank.report.plane_cells import PlaneCells, plane_cells
from polyrank.report.summary import value_name
from polyrank.report.tables import word_texts

__all__ = ["MOST_DRAWN", "MapOfPage", "interactive_map"]

#: Most regions that are drawn on a page.
MOST_DRAWN = 100_000
#: Above this the affine maps under the pointer are composed in floats, which takes less time.
_MOST_EXACT = 5_000
#: Most outputs of which the map is shown.
_MOST_OUTPUTS = 4
#: Regions whose maps are composed at a time.
_BLOCK = 4096
_OUTLINE = "#d1495b"
_GREY = "#8a939b"


class MapOfPage:
    """A map as the two pieces of text that a page needs.

    Attributes
    ----------
    script, element : str
        HTML: what loads the figure, and where it stands.
    resources : str
        The script of the plotting library itself, in the page.
    drawn : int
        How many regions are seen.
    """

    def __init__(self, script: str, element: str, resources: str, drawn: int) -> None:
        self.script, self.element, self.resources, self.drawn = script, element, resources, drawn


def interactive_map(regions: Regions, *, layer: int, below: int) -> MapOfPage:
    """Draw the regions with Bokeh: coloured by rank, the low-rank part outlined.

    Parameters
    ----------
    regions : Regions
        Of a run on a two-dimensional domain or slice.
    layer : int
        K: the ranks are those through this layer.
    below : int
        Regions of rank < ``below`` are outlined.

    Raises
    ------
    UnsupportedError
        If the domain is not two-dimensional, there are more than ``MOST_DRAWN`` regions, or bokeh
        is not installed.
    """
    run = regions.run
    if run.count > MOST_DRAWN:
        raise UnsupportedError(f"{run.count:,} regions; a page draws at most {MOST_DRAWN:,}")
    shown_cells = plane_cells(regions)
    try:
        from bokeh.embed import components  # noqa: PLC0415  (optional)
        from bokeh.models import BoxZoomTool, HoverTool, Range1d, WheelZoomTool  # noqa: PLC0415
        from bokeh.plotting import figure  # noqa: PLC0415
        from bokeh.resources import Resources  # noqa: PLC0415
    except ModuleNotFoundError:
        raise UnsupportedError("bokeh is not installed: pip install 'polyrank[report]'") from None
    x0, x1, y0, y1 = shown_cells.frame
    aspect = (x1 - x0) / (y1 - y0)
    plot = figure(
        sizing_mode="scale_width",
        aspect_ratio=min(max(aspect, 0.5), 3.0),
        max_width=int(680 * min(max(aspect, 0.8), 1.4)),
        x_range=Range1d(start=x0, end=x1),
        y_range=Range1d(start=y0, end=y1),
        tools="pan,reset,save",
        background_fill_alpha=0,
        border_fill_alpha=0,
        outline_line_color=_GREY,
    )
    plot.grid.visible = False
    plot.toolbar.logo = None
    for axis, name in zip((plot.xaxis, plot.yaxis), _names(regions.chart), strict=True):
        axis.axis_label = name
        axis.axis_label_text_color = axis.major_label_text_color = _GREY
        axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = _GREY
    source, shown, formatted = _columns(regions, shown_cells, layer)
    patches = plot.patches(
        "xs", "ys", source=source, fill_color="face", line_color="#5f6b76", line_width=0.4,
        line_alpha=0.7, hover_line_color=_OUTLINE,
    )  # fmt: skip
    rank = ranks_of_run(run, layer)
    border = shown_cells.border((rank < below).astype(np.int32), only=1)
    if border:
        plot.multi_line(
            [piece[:, 0].tolist() for piece in border], [piece[:, 1].tolist() for piece in border],
            line_color=_OUTLINE, line_width=1.6,
        )  # fmt: skip
    plot.add_tools(
        HoverTool(
            renderers=[patches],
            tooltips=_template(shown),
            formatters={f"@{name}": "printf" for name in formatted},
            point_policy="follow_mouse",
        )
    )
    wheel = WheelZoomTool()
    plot.add_tools(wheel, BoxZoomTool(match_aspect=False))
    plot.toolbar.active_scroll = wheel
    script, element = components(plot)
    library = Resources(mode="inline", components=["bokeh"]).render()
    return MapOfPage(script, element, library, int(shown_cells.seen.sum()))


def _template(shown: Sequence[tuple[str, str]]) -> str:
    """The lines under the pointer; a long codeword goes on in the next line."""
    rows = "".join(
        f'<div><span style="color: {_GREY}">{name}</span> '
        f'<span class="bk-tooltip-row-value">{value}</span></div>'
        for name, value in shown
    )
    return f'<div style="max-width: 21rem; overflow-wrap: anywhere">{rows}</div>'


def _names(chart: Chart) -> list[str]:
    from polyrank.report.picture import axis_names  # noqa: PLC0415

    return [name.strip("$").replace("_", "") for name in axis_names(chart)]


def _columns(
    regions: Regions, cells: PlaneCells, layer: int
) -> tuple[dict[str, Any], list[tuple[str, str]], list[str]]:
    """The columns of the figure, the lines under the pointer, and the columns that are numbers."""
    run = regions.run
    largest = min(2, regions.chart.k)
    seen = np.flatnonzero(cells.seen).tolist()
    table = run.table
    words = column_bits(table.column("codeword"), run.bits)[seen]
    ranks = [table.column(f"rank_{k}").to_pylist() for k in range(1, run.layers + 1)]
    source: dict[str, Any] = {
        "xs": [cells.polygons[r][:, 0].tolist() for r in seen],
        "ys": [cells.polygons[r][:, 1].tolist() for r in seen],
        "face": [rank_colour(int(ranks[layer - 1][r]), largest) for r in seen],
        "region": seen,
        "codeword": word_texts(words, run.layer_bits),
        "ranks": [" ".join(str(column[r]) for column in ranks) for r in seen],
    }
    shown = [
        ("region", "@region"),
        ("codeword", "@codeword"),
        ("rank through layers 1, 2, …", "@ranks"),
    ]
    names, formatted = _names(regions.chart), []
    maps = _exact_maps(regions, seen) if len(seen) <= _MOST_EXACT else _float_maps(regions, words)
    outputs = run.network["widths"][run.layers]
    about = "" if len(seen) <= _MOST_EXACT else ", in floats"
    for u in range(maps.shape[1]):
        own = [f"map_{u}_{j}" for j in range(maps.shape[2])]
        source |= {name: maps[:, u, j] for j, name in enumerate(own)}
        formatted += own
        terms = [f"@{name}{{%+.3g}}" for name in own]
        line = " ".join(f"{t} {n}".rstrip() for t, n in zip(terms, [*names, ""], strict=True))
        shown.append((f"{value_name(run, run.layers, u)}{about}", line))
    if outputs > _MOST_OUTPUTS:
        shown.append(("", f"and {outputs - _MOST_OUTPUTS:,} outputs more"))
    return source, shown, formatted


def _exact_maps(regions: Regions, seen: Sequence[int]) -> NDArray[np.float64]:
    """The maps u ↦ A u + c of regions in chart coordinates, nearest floats.

    Of shape (R, units, k + 1), for the first units alone.
    """
    chart, layer = regions.chart, regions.run.layers
    found = []
    for r in seen:
        word = regions.codeword(r)
        slope, constant = affine_map(
            regions.network, word, layer=layer, origin=chart.origin, basis=chart.basis
        )
        rows = zip(slope.tolist(), constant.entries(), strict=True)
        shown = islice(rows, _MOST_OUTPUTS)
        found.append([[nearest_float(v) for v in (*row, c)] for row, c in shown])
    return np.array(found).reshape(len(found), -1, chart.k + 1)


def _float_maps(regions: Regions, words: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The same, composed in floats: to be looked at, it proves nothing."""
    chart, layers = regions.chart, regions.network.layers[: regions.run.layers]
    columns = [[nearest_float(chart.basis[i, j]) for j in range(chart.k)] for i in range(chart.n)]
    start = np.column_stack([np.array(columns), [nearest_float(v) for v in chart.origin.entries()]])
    found = []
    for begin in range(0, len(words), _BLOCK):
        block = words[begin : begin + _BLOCK]
        image, bit = np.broadcast_to(start, (len(block), *start.shape)), 0
        with np.errstate(over="ignore", invalid="ignore"):
            for layer in layers:
                z = layer.weight.approx @ image
                z[:, :, -1] += layer.bias.approx
                bent = layer.has_hyperplane
                active = np.ones((len(block), layer.units), bool)
                active[:, bent] = block[:, bit : bit + int(bent.sum())]
                bit += int(bent.sum())
                slope = np.where(active, layer.slope_pos.approx, layer.slope_neg.approx)
                image = z * slope[:, :, None]
        found.append(image[:, :_MOST_OUTPUTS].copy())  # of many outputs the others fill the memory
    return np.concatenate(found)
