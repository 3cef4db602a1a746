"""A picture of a two-dimensional run: its regions, coloured, with the low-rank part outlined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import UnsupportedError
from polyrank.graph.geometry import Regions
from polyrank.graph.linear_regions import linear_regions
from polyrank.report.polygons import Point, class_pieces, low_rank_border, polygons

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Colour", "draw_map", "save_map"]

Colour = Literal["rank", "linear-region", "class"]

#: Rank 0, 1, ...: the lower, the darker; then the full rank and all above.
_RANKS = ("#2f4b7c", "#6f93c3", "#a9c4e0", "#d3e1ee")
_FULL = "#f4f1ea"
#: Eight soft colours: neighbours among linear regions never share one (greedily).
_SOFT = (
    "#a6cee3", "#fdcf8f", "#b8dfa6", "#f5b5b0", "#cfbfe2", "#f6e99b", "#a5dcd3", "#e3cfc0",
    "#d5d8dc", "#f3c4de", "#c6d7a8", "#9fb8d9",
)  # fmt: skip
_CLASSES = (
    "#b9d7ea", "#f9cf9c", "#c3e2b5", "#f2b8b5", "#d3c5e5", "#e6d3b3", "#f4cbe0", "#d9d9d9",
    "#dfe3a0", "#b4e2e1",
)  # fmt: skip
_DOTS = (
    "#08519c", "#d95f02", "#238b45", "#cb181d", "#54278f", "#7f4f24", "#ae017e", "#525252",
    "#8c8c00", "#017a79",
)  # fmt: skip
_OUTLINE = "#c1121f"
_EDGE = "#5f6b76"


def draw_map(
    regions: Regions,
    *,
    colour: Colour = "rank",
    layer: int | None = None,
    below: int | None = None,
    points: NDArray[Any] | None = None,
    labels: NDArray[Any] | None = None,
    window: Sequence[fmpq] | None = None,
) -> Figure:
    """Draw the regions of a 2-D domain or slice; the low-rank part is outlined.

    Parameters
    ----------
    regions : Regions
    colour : {"rank", "linear-region", "class"}
        Colour by the rank of the map through the layer; by the linear regions of that map; or by
        the class that the network's output gives, cut exactly along the decision boundary.
    layer : int, optional
        Of the ranks or maps; default: the last.
    below : int, optional
        Regions of rank < ``below`` are outlined as low-rank. Default: 2, or the width of the layer
        where that is less.
    points : ndarray, shape (m, 2), optional
        Data points in chart coordinates, drawn on top.
    labels : ndarray, shape (m,), optional
        Their classes.
    window : (x_low, x_high, y_low, y_high), optional

    Raises
    ------
    UnsupportedError
        If the domain is not two-dimensional, there is no such layer or matplotlib is not installed.
    """
    run = regions.run
    k = run.layers if layer is None else layer
    if not 1 <= k <= run.layers:
        raise UnsupportedError(f"the run has no layer {k}; it has layers 1 to {run.layers}")
    shapes, frame = polygons(regions, window)
    try:
        from matplotlib.collections import LineCollection, PolyCollection  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415  (optional)
        from matplotlib.lines import Line2D  # noqa: PLC0415
    except ModuleNotFoundError:
        raise UnsupportedError(
            "matplotlib is not installed: pip install 'polyrank[plot]'"
        ) from None
    rank = np.asarray(run.table.column(f"rank_{k}"))
    pieces, handles, what = _coloured(regions, shapes, colour, rank, k)
    width, height = float(frame[1] - frame[0]), float(frame[3] - frame[2])
    figure = Figure(figsize=_size(width / height), layout="constrained")
    axes = figure.add_subplot()
    shown = sum(1 for shape in shapes if shape)
    thin = 0.7 if shown < 500 else (0.45 if shown < 4000 else (0.2 if shown < 20_000 else 0.06))
    axes.add_collection(
        PolyCollection(
            [_floats(shape) for _, shape in pieces],
            facecolors=[face for face, _ in pieces],
            # a border of the face's own colour closes the seams of antialiasing
            edgecolors=[face for face, _ in pieces],
            linewidths=0.3,
        )
    )
    axes.add_collection(
        PolyCollection(
            [_floats(shape) for shape in shapes if shape],
            facecolors="none",
            edgecolors=_EDGE,
            linewidths=thin,
            alpha=0.75,
        )
    )
    bound = min(2, int(run.network["widths"][k])) if below is None else below
    low = rank < bound
    if low.any():
        borders = low_rank_border(regions, low, shapes)
        strong = 1.8 if shown < 4000 else 0.9
        axes.add_collection(
            LineCollection(
                borders, colors=_OUTLINE, linewidths=strong, capstyle="round", zorder=2.6
            )
        )
        handles.append(
            Line2D([], [], color=_OUTLINE, lw=1.8, label=f"low-rank part (rank < {bound})")
        )
    if points is not None:
        handles += _scattered(axes, points, labels)
    _finish(axes, regions, frame)
    axes.set_title(f"{run.network['name']}: {run.count:,} regions, {what}", loc="left", fontsize=11)
    figure.legend(handles=handles, loc="outside lower left", frameon=False, fontsize=9, ncols=4)
    return figure


def _size(aspect: float) -> tuple[float, float]:
    """Figure size in inches of a map with that width over height, legend and title included."""
    side = 6.4
    if aspect >= 1:
        return side + 0.8, max(2.2, side / min(aspect, 4.0)) + 1.2
    return max(3.4, side * max(aspect, 0.25)) + 0.8, side + 1.2


def _floats(shape: list[Point]) -> NDArray[np.float64]:
    return np.array([[float(v) for v in p] for p in shape])


def _coloured(
    regions: Regions,
    shapes: list[list[Point]],
    colour: Colour,
    rank: NDArray[Any],
    layer: int,
) -> tuple[list[tuple[str, list[Point]]], list[Any], str]:
    """Coloured polygons, the handles of the legend, and what the colours say."""
    from matplotlib.patches import Patch  # noqa: PLC0415  (optional; the caller said if missing)

    def patch(face: str, label: str) -> Any:
        return Patch(facecolor=face, edgecolor=_EDGE, linewidth=0.6, label=label)

    if colour == "rank":
        largest = min(2, regions.chart.k)
        faces = {
            v: _FULL if v >= largest else _RANKS[min(v, len(_RANKS) - 1)]
            for v in sorted(set(rank.tolist()))
        }
        handles = [
            patch(face, f"rank {v}: {int((rank == v).sum()):,} regions")
            for v, face in faces.items()
        ]
        pieces = [(faces[int(v)], shape) for v, shape in zip(rank, shapes, strict=True) if shape]
        return pieces, handles, f"rank of the map through layer {layer}"
    if colour == "class":
        cut = class_pieces(regions, shapes)
        present = sorted({c for c, _ in cut})
        handles = [patch(_CLASSES[c % len(_CLASSES)], f"class {c}") for c in present]
        return [(_CLASSES[c % len(_CLASSES)], s) for c, s in cut], handles, "class of the output"
    count, group, _ = linear_regions(regions.run, regions.network, regions.graph, layer)
    tint = _tints(regions, group, count)
    pieces = [(_SOFT[tint[g]], shape) for g, shape in zip(group, shapes, strict=True) if shape]
    handles = [patch(_SOFT[0], f"{count:,} linear regions")]
    return pieces, handles, f"linear regions of the map through layer {layer}"


def _tints(regions: Regions, group: NDArray[np.int32], count: int) -> list[int]:
    """A number of a colour per linear region, different between neighbours where it can be."""
    graph = regions.graph
    near: list[set[int]] = [set() for _ in range(count)]
    for a, b in zip(group[graph.source].tolist(), group[graph.target].tolist(), strict=True):
        if a != b:
            near[a].add(b)
            near[b].add(a)
    used = [0] * len(_SOFT)
    out = [-1] * count
    for g in range(count):
        taken = {out[n] for n in near[g]}
        free = [t for t in range(len(_SOFT)) if t not in taken] or list(range(len(_SOFT)))
        out[g] = min(free, key=lambda t: used[t])
        used[out[g]] += 1
    return out


def _scattered(axes: Any, points: NDArray[Any], labels: NDArray[Any] | None) -> list[Any]:
    kinds = np.zeros(len(points), dtype=int) if labels is None else labels
    size = 14 if len(points) < 500 else (7 if len(points) < 5000 else 2)
    handles = []
    for number, kind in enumerate(np.unique(kinds).tolist()):
        mine = points[kinds == kind]
        dots = axes.scatter(
            mine[:, 0],
            mine[:, 1],
            s=size,
            color=_DOTS[number % len(_DOTS)],
            edgecolors="white",
            linewidths=0.35 if size > 2 else 0.0,
            zorder=4,
            label=f"{len(mine):,} data points" if labels is None else f"data of class {kind}",
        )
        handles.append(dots)
    return handles


def _finish(axes: Any, regions: Regions, frame: tuple[fmpq, ...]) -> None:
    """Limits, names and ticks."""
    axes.set_xlim(float(frame[0]), float(frame[1]))
    axes.set_ylim(float(frame[2]), float(frame[3]))
    width, height = float(frame[1] - frame[0]), float(frame[3] - frame[2])
    axes.set_aspect("equal" if 0.25 <= width / height <= 4 else "auto", adjustable="box")
    names = ("$x_1$", "$x_2$") if regions.chart.n == 2 else ("$u_1$", "$u_2$")
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    for spine in axes.spines.values():
        spine.set_color(_EDGE)
        spine.set_linewidth(0.8)
    axes.tick_params(color=_EDGE, labelsize=9)


def save_map(figure: Figure, path: Path) -> None:
    """Write a picture as ``.png``, ``.svg`` or ``.pdf``.

    Raises
    ------
    UnsupportedError
        For another suffix.
    """
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise UnsupportedError(f"{path.name}: a picture is written as .png, .svg or .pdf")
    figure.savefig(path, dpi=160, bbox_inches="tight")
