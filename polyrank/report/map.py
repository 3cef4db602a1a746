"""A picture of a two-dimensional run: its regions as exact polygons, coloured."""

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
from polyrank.graph.polytope import generators

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Colour", "draw_map", "polygons", "save_map"]

Colour = Literal["rank", "linear-region"]

_LIMIT = 200_000
Point = tuple[fmpq, fmpq]


def polygons(
    regions: Regions, window: Sequence[fmpq] | None = None
) -> tuple[list[list[Point]], tuple[fmpq, fmpq, fmpq, fmpq]]:
    """The closed regions of a 2-D run as convex polygons with exact vertices, in order.

    Parameters
    ----------
    regions : Regions
    window : (x_low, x_high, y_low, y_high), optional
        Regions are cut by it. Default: the domain's bounding box, or, where it is unbounded, a
        square around all vertices.

    Returns
    -------
    polygons : list of list of (fmpq, fmpq)
        Counter-clockwise, one per region; empty where a region misses the window.
    window : tuple of fmpq

    Raises
    ------
    UnsupportedError
        If the domain is not two-dimensional or there are more than 200,000 regions.
    """
    chart, count = regions.chart, regions.graph.regions
    if chart.k != 2:
        raise UnsupportedError(
            f"the domain has dimension {chart.k}; only two dimensions are drawn: enumerate a "
            "slice (--slice) to look at a network with more inputs"
        )
    if count > _LIMIT:
        raise UnsupportedError(f"{count:,} regions are too many to draw; the limit is {_LIMIT:,}")
    rows = [regions.rows(r) for r in range(count)]
    if window is None:
        window = _window(regions, rows)
    x0, x1, y0, y1 = window
    frame = [_scaled(1, 0, -x0), _scaled(-1, 0, x1), _scaled(0, 1, -y0), _scaled(0, -1, y1)]
    out = []
    for mine in rows:
        vertices = list(dict.fromkeys(generators([*mine, *frame], 2).vertices))
        out.append(_in_order([(v[0], v[1]) for v in vertices]) if len(vertices) > 2 else [])
    return out, (x0, x1, y0, y1)


def _scaled(a: int, b: int, c: fmpq) -> tuple[int, int, int]:
    q = int(c.q)
    return a * q, b * q, int(c.p)


def _window(regions: Regions, rows: list[tuple[tuple[int, ...], ...]]) -> tuple[fmpq, ...]:
    chart = regions.chart
    if chart.lower is not None and chart.upper is not None:
        return chart.lower[0], chart.upper[0], chart.lower[1], chart.upper[1]
    points = [p for mine in rows for p in generators(mine, 2).vertices]
    if not points:
        points = [tuple(chart.interior.entries())]
    low = [min(p[j] for p in points) for j in (0, 1)]
    high = [max(p[j] for p in points) for j in (0, 1)]
    reach = max(high[0] - low[0], high[1] - low[1], fmpq(1)) * fmpq(6, 10)
    middle = [(a + b) / 2 for a, b in zip(low, high, strict=True)]
    return middle[0] - reach, middle[0] + reach, middle[1] - reach, middle[1] + reach


def _in_order(points: list[Point]) -> list[Point]:
    """The vertices of a convex polygon counter-clockwise, decided exactly."""
    base = min(points)
    others = [p for p in points if p != base]

    def slope(p: Point) -> tuple[int, fmpq]:
        run = p[0] - base[0]
        return (1, fmpq(0)) if run == 0 else (0, (p[1] - base[1]) / run)

    return [base, *sorted(others, key=slope)]


def draw_map(
    regions: Regions,
    *,
    colour: Colour = "rank",
    layer: int | None = None,
    below: int = 2,
    points: NDArray[Any] | None = None,
    labels: NDArray[Any] | None = None,
    window: Sequence[fmpq] | None = None,
) -> Figure:
    """Draw the regions of a 2-D domain or slice; the low-rank part is outlined.

    Parameters
    ----------
    regions : Regions
    colour : {"rank", "linear-region"}
    layer : int, optional
        Of the ranks or maps; default: the last.
    below : int
        Regions of rank < ``below`` are outlined as low-rank.
    points : ndarray, shape (m, 2), optional
        Data points in chart coordinates, drawn on top.
    labels : ndarray, shape (m,), optional
        Their classes.
    window : (x_low, x_high, y_low, y_high), optional

    Raises
    ------
    UnsupportedError
        If the domain is not two-dimensional or matplotlib is not installed.
    """
    shapes, frame = polygons(regions, window)
    try:
        from matplotlib import colormaps  # noqa: PLC0415  (optional)
        from matplotlib.collections import PolyCollection  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
        from matplotlib.lines import Line2D  # noqa: PLC0415
        from matplotlib.patches import Patch  # noqa: PLC0415
    except ModuleNotFoundError:
        raise UnsupportedError(
            "matplotlib is not installed: pip install 'polyrank[plot]'"
        ) from None
    run, graph = regions.run, regions.graph
    k = run.layers if layer is None else layer
    rank = np.asarray(run.table.column(f"rank_{k}")) if 1 <= k <= run.layers else None
    if rank is None:
        raise UnsupportedError(f"the run has no layer {k}; it has layers 1 to {run.layers}")
    figure = Figure(figsize=(7.5, 6.5), layout="constrained")
    axes = figure.add_subplot()
    drawn = [np.array([[float(v) for v in p] for p in shape]) for shape in shapes]
    shown = [r for r, shape in enumerate(shapes) if shape]
    handles: list[Any] = []
    if colour == "rank":
        present = sorted(set(rank.tolist()))
        palette = colormaps["viridis"](np.linspace(0.15, 0.9, max(2, len(present))))
        of_rank = dict(zip(present, palette, strict=False))
        faces = [of_rank[int(rank[r])] for r in shown]
        handles = [
            Patch(facecolor=of_rank[v], edgecolor="0.3", label=f"rank {v}: {(rank == v).sum():,}")
            for v in present
        ]
    else:
        count, group, _ = linear_regions(run, regions.network, graph, k)
        order = np.random.default_rng(3).permutation(count)
        palette = colormaps["tab20"](order[group] % 20)
        faces = [palette[r] for r in shown]
        handles = [Patch(facecolor="0.8", edgecolor="0.3", label=f"{count:,} linear regions")]
    thin = 0.6 if len(shown) < 2000 else (0.2 if len(shown) < 20_000 else 0.05)
    axes.add_collection(
        PolyCollection(
            [drawn[r] for r in shown], facecolors=faces, edgecolors="white", linewidths=thin
        )
    )
    borders = _low_rank_border(regions, rank < below, shapes)
    if borders:
        from matplotlib.collections import LineCollection  # noqa: PLC0415  (optional)

        axes.add_collection(LineCollection(borders, colors="crimson", linewidths=1.4))
    if (rank < below).any():
        handles.append(Line2D([], [], color="crimson", lw=1.4, label=f"low-rank part (< {below})"))
    if points is not None:
        kinds = np.zeros(len(points)) if labels is None else labels
        for number, kind in enumerate(np.unique(kinds)):
            mine = points[kinds == kind]
            dots = axes.scatter(
                mine[:, 0], mine[:, 1], s=9, color=colormaps["Set1"](number % 9), edgecolors="k",
                linewidths=0.3, zorder=3, label="data" if labels is None else f"class {kind}",
            )  # fmt: skip
            handles.append(dots)
    axes.set_xlim(float(frame[0]), float(frame[1]))
    axes.set_ylim(float(frame[2]), float(frame[3]))
    axes.set_aspect("equal", adjustable="box")
    names = ("x1", "x2") if regions.chart.n == 2 else ("u1", "u2")
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    which = "rank" if colour == "rank" else "linear regions"
    axes.set_title(f"{run.network['name']}: {graph.regions:,} regions, {which} through layer {k}")
    figure.legend(handles=handles, loc="outside right upper", frameon=False)
    return figure


def _low_rank_border(
    regions: Regions, low: NDArray[np.bool_], shapes: list[list[Point]]
) -> list[NDArray[np.float64]]:
    """Edges of low-rank polygons behind which there is no low-rank region."""
    graph = regions.graph
    out = []
    for r in np.flatnonzero(low).tolist():
        shape = shapes[r]
        start, end = graph.facet_start[r : r + 2]
        for row, to in zip(regions.rows(r), graph.facet_to[start:end].tolist(), strict=True):
            if to >= 0 and low[to]:
                continue
            on = [p for p in shape if row[0] * p[0] + row[1] * p[1] + row[2] == 0]
            if len(on) >= 2:
                ends = [min(on), max(on)]
                out.append(np.array([[float(v) for v in p] for p in ends]))
    return out


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
