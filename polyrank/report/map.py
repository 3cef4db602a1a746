"""A picture of a two-dimensional run: its regions, coloured, with the low-rank part outlined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyrank.errors import FormatError, UnsupportedError
from polyrank.graph.geometry import Regions
from polyrank.graph.listing import ranks_of_run
from polyrank.report.colouring import Colour, by_values, coloured
from polyrank.report.picture import (
    EDGE,
    axes_for,
    finish_axes,
    legend_of,
    needs_matplotlib,
)
from polyrank.report.plane_cells import plane_cells
from polyrank.report.summary import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from polyrank.regions.run import Run

__all__ = ["draw_map"]

_DOTS = (
    "#08519c", "#d95f02", "#238b45", "#cb181d", "#54278f", "#7f4f24", "#ae017e", "#525252",
    "#8c8c00", "#017a79",
)  # fmt: skip
_OUTLINE = "#c1121f"


def draw_map(
    regions: Regions,
    *,
    colour: Colour = "rank",
    layer: int | None = None,
    below: int | None = None,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    window: Sequence[Any] | None = None,
    values: ArrayLike | None = None,
    label: str = "value",
    ax: Axes | None = None,
) -> Figure:
    """Draw the regions of a 2-D domain or slice; the low-rank part is outlined.

    Parameters
    ----------
    regions : Regions
    colour : {"rank", "ambient-rank", "linear-region", "class"}
        Colour by the rank of the map through the layer; of a slice, by its rank on the whole input
        space; by the linear regions of that map; or by the class that the network's output gives,
        cut exactly along the decision boundary.
    layer : int, optional
        Of the ranks or maps; default: the last.
    below : int, optional
        Regions of rank < ``below`` are outlined as low-rank. Default: 2, or the width of the layer
        where that is less.
    points : array_like, shape (m, 2), optional
        Data points in chart coordinates, drawn on top.
    labels : array_like, shape (m,), optional
        Their classes.
    window : (x_low, x_high, y_low, y_high), optional
        Exact numbers: the part of the plane to show.
    values : array_like of float, shape (R,), optional
        One number per region of the run, in the place of ``colour``.
    label : str
        What the values are, for the title and the colour bar.
    ax : matplotlib.axes.Axes, optional
        Where to draw; default: a figure of its own.

    Raises
    ------
    UnsupportedError
        If the domain is not two-dimensional, there is no such colour, the window is none or misses
        the domain, or matplotlib is not installed.
    RunError
        If there is no such layer.
    FormatError
        If the points are not finite numbers ``(m, 2)``, or the labels are not one per point, or the
        values not one per region.
    """
    run = regions.run
    k = run.chosen_layer(layer)
    if colour not in get_args(Colour):
        raise UnsupportedError(f"colour {colour!r} is not one of {', '.join(get_args(Colour))}")
    dots = None if points is None else np.asarray(points)
    kinds = None if labels is None else np.asarray(labels)
    if dots is not None:
        _check_points(dots, kinds)
    cells = plane_cells(regions, window, exact=colour == "class" and values is None)
    seen, frame = cells.seen, cells.frame
    if not seen.any():
        asked = f"[{frame[0]:g}, {frame[1]:g}] × [{frame[2]:g}, {frame[3]:g}]"
        raise UnsupportedError(f"the window {asked} misses the domain: no region is seen in it")
    with needs_matplotlib():
        from matplotlib.collections import LineCollection, PolyCollection  # noqa: PLC0415
        from matplotlib.lines import Line2D  # noqa: PLC0415
        from matplotlib.ticker import MaxNLocator  # noqa: PLC0415
    rank = ranks_of_run(run, k)
    colouring = (
        coloured(regions, cells, colour, rank, k)
        if values is None
        else by_values(cells, values, label)
    )
    pieces, handles, what = colouring.pieces, list(colouring.handles), colouring.what
    x0, x1, y0, y1 = frame
    axes = axes_for(ax, (x1 - x0) / (y1 - y0))
    shown = int(seen.sum())
    thin = 0.7 if shown < 500 else (0.45 if shown < 4000 else (0.2 if shown < 20_000 else 0.06))
    axes.add_collection(
        PolyCollection(
            [shape for _, shape in pieces],
            facecolors=[face for face, _ in pieces],
            # a border of the face's own colour closes the seams of antialiasing
            edgecolors=[face for face, _ in pieces],
            linewidths=0.3,
        )
    )
    if colouring.group is None:
        axes.add_collection(
            PolyCollection(
                [shape for shape in cells.polygons if len(shape)],
                facecolors="none",
                edgecolors=EDGE,
                linewidths=thin,
                alpha=0.75,
            )
        )
    else:
        inner = cells.border(colouring.group)
        axes.add_collection(LineCollection(inner, colors=EDGE, linewidths=thin, alpha=0.75))
    bound = min(2, int(run.network["widths"][k])) if below is None else below
    low = rank < bound
    if (low & seen).any():
        borders = cells.border(low.astype(np.int32), only=1)
        strong = 1.8 if shown < 4000 else 0.9
        axes.add_collection(
            LineCollection(
                borders, colors=_OUTLINE, linewidths=strong, capstyle="round", zorder=2.6
            )
        )
        handles.append(
            Line2D([], [], color=_OUTLINE, lw=1.8, label=f"low-rank part (rank < {bound})")
        )
    if dots is not None:
        low, high = np.array([x0, y0]), np.array([x1, y1])
        inside = np.asarray(((dots >= low) & (dots <= high)).all(axis=1), dtype=bool)
        handles += _scattered(axes, dots, kinds, inside)
    finish_axes(axes, regions.chart, (x0, x1, y0, y1))
    _name_corners(axes, run, (x0, x1, y0, y1))
    listed = what if run.certified else f"{what} of those listed"
    axes.set_title(
        f"{run.network['name']}: {counted(run)}, {listed}", loc="left", fontsize=11, wrap=True
    )
    if colouring.scale is not None:
        whole = MaxNLocator(integer=True) if colour == "ambient-rank" and values is None else None
        axes.figure.colorbar(colouring.scale, ax=axes, label=what, shrink=0.8, ticks=whole)
    legend_of(axes, ax, handles, loc="upper right")
    drawn: Figure = axes.figure
    return drawn


def _name_corners(axes: Any, run: Run, frame: tuple[float, float, float, float]) -> None:
    """Dots at the points that a slice goes through, which are u = 0, e_1 and e_2, with names."""
    slice_ = run.manifest.get("notes", {}).get("slice")
    if slice_ is None:
        return
    rows = slice_.get("rows") or [0, 1, 2]
    for row, (x, y) in zip(rows, ((0, 0), (1, 0), (0, 1)), strict=True):
        if not (frame[0] <= x <= frame[1] and frame[2] <= y <= frame[3]):
            continue
        axes.plot([x], [y], "o", color="black", ms=4, clip_on=False, zorder=5)
        # beside the dot on the side that is away from the others, but within the frame
        right = (x == 1 and frame[1] > x) or frame[0] == x
        above = (y == 1 and frame[3] > y) or (y == 0 and frame[2] == y)
        axes.annotate(
            f"point {row}",
            (x, y),
            xytext=(6 if right else -6, 6 if above else -6),
            textcoords="offset points",
            ha="left" if right else "right",
            va="bottom" if above else "top",
            fontsize=9,
            zorder=5,
            bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.7},
        )


def _check_points(points: NDArray[Any], labels: NDArray[Any] | None) -> None:
    if points.ndim != 2 or points.shape[1] != 2 or points.dtype.kind not in "fiu":
        raise FormatError(
            f"points have shape {points.shape} and type {points.dtype}, expected numbers (m, 2)"
        )
    finite = np.isfinite(points).all(axis=1)
    if not finite.all():
        raise FormatError(f"point {int(np.argmin(finite))} is not finite")
    if labels is not None and labels.shape != (len(points),):
        raise FormatError(f"{len(points)} points, but labels of shape {labels.shape}")


def _scattered(
    axes: Any, points: NDArray[Any], labels: NDArray[Any] | None, inside: NDArray[np.bool_]
) -> list[Any]:
    kinds = np.zeros(len(points), dtype=int) if labels is None else labels
    size = 14 if len(points) < 500 else (7 if len(points) < 5000 else 2)
    handles = []
    seen = int(inside.sum())
    total = f"{len(points):,} data points"
    caption = total if seen == len(points) else f"{seen:,} of {total}"
    for number, kind in enumerate(np.unique(kinds).tolist()):
        mine = points[(kinds == kind) & inside]
        dots = axes.scatter(
            mine[:, 0],
            mine[:, 1],
            s=size,
            color=_DOTS[number % len(_DOTS)],
            edgecolors="white",
            linewidths=0.35 if size > 2 else 0.0,
            zorder=4,
            label=caption if labels is None else f"data of class {kind}",
        )
        handles.append(dots)
    return handles
