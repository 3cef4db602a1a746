"""The regions of a two-dimensional run as polygons with exact vertices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import UnsupportedError
from polyrank.graph.geometry import Regions
from polyrank.lp.farkas import integer_row
from polyrank.network.rational import to_fmpq
from polyrank.posed.branch import Branch
from polyrank.posed.polytope import generators
from polyrank.posed.region import IntRow
from polyrank.stages import told

__all__ = [
    "MOST_POLYGONS",
    "Point",
    "check_plane",
    "class_pieces",
    "group_border",
    "in_order",
    "polygons",
]

MOST_POLYGONS = 200_000
Point = tuple[fmpq, fmpq]


def polygons(
    regions: Regions, window: Sequence[Any] | None = None
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
        If the domain is not two-dimensional, there are more than 200,000 regions or the window has
        no area or other than four numbers.
    ValueError
        If one of them is not a finite rational number.
    """
    check_plane(regions)
    count = regions.graph.regions
    rows = [regions.rows(r) for r in told("regions of the map", range(count))]
    if window is None:
        window = _window(regions, rows)
    if len(window) != 4:
        raise UnsupportedError(f"a window is x_low x_high y_low y_high, got {len(window)} numbers")
    x0, x1, y0, y1 = (to_fmpq(v) for v in window)
    if not (x0 < x1 and y0 < y1):
        raise UnsupportedError(
            f"the window [{x0}, {x1}] × [{y0}, {y1}] has no area; give x_low x_high y_low y_high"
        )
    frame = [_scaled(1, 0, -x0), _scaled(-1, 0, x1), _scaled(0, 1, -y0), _scaled(0, -1, y1)]
    return [_polygon([*mine, *frame]) for mine in rows], (x0, x1, y0, y1)


def check_plane(regions: Regions) -> None:
    """Refuse what cannot be drawn in the plane.

    Raises
    ------
    UnsupportedError
        If the domain is not two-dimensional or there are more than ``MOST_POLYGONS`` regions.
    """
    chart, count = regions.chart, regions.graph.regions
    if chart.k != 2:
        raise UnsupportedError(
            f"the domain has dimension {chart.dimension}; only two dimensions are drawn: enumerate "
            "a slice (--slice) to look at a network with more inputs"
        )
    if count > MOST_POLYGONS:
        raise UnsupportedError(
            f"{count:,} regions are too many to draw; the limit is {MOST_POLYGONS:,}"
        )


def _polygon(rows: Sequence[IntRow]) -> list[Point]:
    """The polygon of a closed 2-D region given by rows; empty where it has no area."""
    vertices = list(dict.fromkeys(generators(rows, 2).vertices))
    return in_order([(v[0], v[1]) for v in vertices]) if len(vertices) > 2 else []


def class_pieces(regions: Regions, shapes: list[list[Point]]) -> list[tuple[int, list[Point]]]:
    """The polygons cut along the decision boundary: (class, polygon) with exact vertices.

    The class of a point is the number of the largest output (the lowest one where several are
    equal), or, of a single output, whether it is positive.

    Raises
    ------
    UnsupportedError
        If the run does not go through the output layer.
    """
    run, network = regions.run, regions.network
    if run.layers != len(network.layers):
        raise UnsupportedError(
            f"the run goes through layer {run.layers} of {len(network.layers)}: classes are read "
            "from the output; enumerate all layers"
        )
    branch = Branch.on(network, regions.chart)
    out: list[tuple[int, list[Point]]] = []
    for r, shape in enumerate(shapes):
        if not shape:
            continue
        word = regions.codeword(r)
        scores = branch.image(len(network.layers), word).tolist()
        if len(scores) == 1:  # class 1 where the output is positive
            scores = [[fmpq(0)] * 3, scores[0]]
        out += _cut(shape, scores)
    return out


def _cut(shape: list[Point], scores: list[list[fmpq]]) -> list[tuple[int, list[Point]]]:
    at = [[s[0] * p[0] + s[1] * p[1] + s[2] for s in scores] for p in shape]
    best = [max(range(len(scores)), key=lambda i: (values[i], -i)) for values in at]
    for c in dict.fromkeys(best):
        if all(values[c] == max(values) for values in at):
            return [(c, shape)]
    sides = [integer_row(_line(p, q)) for p, q in zip(shape, [*shape[1:], shape[0]], strict=True)]
    pieces = []
    for c, mine in enumerate(scores):
        rows = list(sides)
        for other in scores:
            row = integer_row([a - b for a, b in zip(mine, other, strict=True)])
            if any(row[:2]):
                rows.append(row)
            elif row[2] < 0:  # always below that score
                rows = []
                break
        piece = _polygon(rows) if rows else []
        if piece:
            pieces.append((c, piece))
    return pieces


def _line(p: Point, q: Point) -> list[fmpq]:
    """Row that is ≥ 0 on the left of the way from p to q."""
    a, b = p[1] - q[1], q[0] - p[0]
    return [a, b, -(a * p[0] + b * p[1])]


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


def in_order(points: list[Point]) -> list[Point]:
    """The vertices of a convex polygon counter-clockwise, decided exactly."""
    base = min(points)
    others = [p for p in points if p != base]

    def slope(p: Point) -> tuple[int, fmpq]:
        run = p[0] - base[0]
        return (1, fmpq(0)) if run == 0 else (0, (p[1] - base[1]) / run)

    return [base, *sorted(others, key=slope)]


def group_border(
    regions: Regions,
    group: NDArray[np.int32],
    shapes: list[list[Point]],
    *,
    only: int | None = None,
) -> list[NDArray[np.float64]]:
    """Edges of polygons behind which there is no region of the same group.

    Parameters
    ----------
    regions : Regions
    group : ndarray of int, shape (R,)
    shapes : list
        Of :func:`polygons`.
    only : int, optional
        Edges of this group alone.
    """
    graph = regions.graph
    chosen = np.arange(len(group)) if only is None else np.flatnonzero(group == only)
    out = []
    for r in chosen.tolist():
        shape = shapes[r]
        start, end = graph.facet_start[r : r + 2]
        behind = graph.facet_to[start:end].tolist()
        if not shape or all(to >= 0 and group[to] == group[r] for to in behind):
            continue
        for row, to in zip(regions.rows(r), behind, strict=True):
            if to >= 0 and group[to] == group[r]:
                continue
            if only is None and to > r:
                continue  # it is drawn from the other side
            on = [p for p in shape if row[0] * p[0] + row[1] * p[1] + row[2] == 0]
            if len(on) >= 2:
                ends = [min(on), max(on)]
                out.append(np.array([[float(v) for v in p] for p in ends]))
    return out
