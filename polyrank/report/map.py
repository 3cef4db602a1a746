"""A picture of a two-dimensional run: its regions, coloured, with the low-rank part outlined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyrank.errors import FormatError, UnsupportedError
from polyrank.graph.geometry import Regions
from polyrank.graph.linear_regions import linear_regions
from polyrank.report.picture import EDGE, figure_size, finish_axes, picture_file
from polyrank.report.polygons import Point, class_pieces, low_rank_border, polygons
from polyrank.report.summary import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Colour", "draw_map", "rank_colour", "save_map"]

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


def draw_map(
    regions: Regions,
    *,
    colour: Colour = "rank",
    layer: int | None = None,
    below: int | None = None,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    window: Sequence[Any] | None = None,
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
    points : array_like, shape (m, 2), optional
        Data points in chart coordinates, drawn on top.
    labels : array_like, shape (m,), optional
        Their classes.
    window : (x_low, x_high, y_low, y_high), optional
        Exact numbers: the part of the plane to show.

    Raises
    ------
    UnsupportedError
        If the domain is not two-dimensional, there is no such layer or colour, the window is none
        or misses the domain, or matplotlib is not installed.
    FormatError
        If the points are not finite numbers ``(m, 2)``, or the labels are not one per point.
    """
    run = regions.run
    k = run.layers if layer is None else layer
    if not 1 <= k <= run.layers:
        raise UnsupportedError(f"the run has no layer {k}; it has layers 1 to {run.layers}")
    if colour not in get_args(Colour):
        raise UnsupportedError(f"colour {colour!r} is not one of {', '.join(get_args(Colour))}")
    dots = None if points is None else np.asarray(points)
    kinds = None if labels is None else np.asarray(labels)
    if dots is not None:
        _check_points(dots, kinds)
    shapes, frame = polygons(regions, window)
    if not any(shapes):
        asked = f"[{frame[0]}, {frame[1]}] × [{frame[2]}, {frame[3]}]"
        raise UnsupportedError(f"the window {asked} misses the domain: no region is seen in it")
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
    x0, x1, y0, y1 = map(float, frame)
    figure = Figure(figsize=figure_size((x1 - x0) / (y1 - y0)), layout="constrained")
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
            edgecolors=EDGE,
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
    if dots is not None:
        low, high = np.array([x0, y0]), np.array([x1, y1])
        inside = np.asarray(((dots >= low) & (dots <= high)).all(axis=1), dtype=bool)
        handles += _scattered(axes, dots, kinds, inside)
    finish_axes(axes, regions.chart, (x0, x1, y0, y1))
    listed = what if run.certified else f"{what} of those listed"
    axes.set_title(f"{run.network['name']}: {counted(run)}, {listed}", loc="left", fontsize=11)
    figure.legend(handles=handles, loc="outside lower left", frameon=False, fontsize=9, ncols=4)
    return figure


def rank_colour(rank: int, largest: int) -> str:
    """The colour of a rank: the lower, the darker; ``largest`` and all above share one."""
    return _FULL if rank >= largest else _RANKS[min(rank, len(_RANKS) - 1)]


def _counted(count: int, what: str = "region") -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


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
        return Patch(facecolor=face, edgecolor=EDGE, linewidth=0.6, label=label)

    if colour == "rank":
        largest = min(2, regions.chart.k)
        faces = {v: rank_colour(v, largest) for v in sorted(set(rank.tolist()))}
        handles = [
            patch(face, f"rank {v}: {_counted(int((rank == v).sum()))}")
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
    handles = [patch(_SOFT[0], _counted(count, "linear region"))]
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


def save_map(figure: Figure, path: Path) -> None:
    """Write a picture as ``.png``, ``.svg`` or ``.pdf``.

    Raises
    ------
    UnsupportedError
        See :func:`~polyrank.report.picture.picture_file`.
    """
    figure.savefig(picture_file(path), dpi=160, bbox_inches="tight")
