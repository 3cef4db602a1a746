"""How the regions of a map are coloured, and what its legend says; matplotlib draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyrank.errors import FormatError
from polyrank.graph.geometry import Regions
from polyrank.graph.linear_regions import linear_regions
from polyrank.report.picture import EDGE
from polyrank.report.plane_cells import Corners, PlaneCells, floats
from polyrank.report.polygons import class_pieces
from polyrank.report.summary import counted_as
from polyrank.sampling.slices import ambient_ranks

__all__ = ["Colour", "Colouring", "by_values", "coloured", "rank_colour"]

Colour = Literal["rank", "ambient-rank", "linear-region", "class"]

#: Rank 0, 1, ...: the lower, the darker; then the full rank and all above.
_RANKS = ("#2f4b7c", "#6f93c3", "#a9c4e0", "#d3e1ee")
_FULL = "#f4f1ea"
#: Most ranks on the whole input space that have a shade and a count each.
_MOST_SHADES = 10
#: Soft colours: neighbours among linear regions never share one (greedily).
_SOFT = (
    "#a6cee3", "#fdcf8f", "#b8dfa6", "#f5b5b0", "#cfbfe2", "#f6e99b", "#a5dcd3", "#e3cfc0",
    "#d5d8dc", "#f3c4de", "#c6d7a8", "#9fb8d9",
)  # fmt: skip
_CLASSES = (
    "#b9d7ea", "#f9cf9c", "#c3e2b5", "#f2b8b5", "#d3c5e5", "#e6d3b3", "#f4cbe0", "#d9d9d9",
    "#dfe3a0", "#b4e2e1",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Colouring:
    """Coloured polygons and what they mean.

    Attributes
    ----------
    pieces : list of (colour, polygon)
    handles : list
        Of the legend.
    what : str
        What the colours say, for the title.
    group : ndarray of int, shape (R,), or None
        Where given, a boundary is drawn between regions of different groups only.
    scale : object or None
        What a colour bar is made from.
    """

    pieces: list[tuple[Any, Corners]]
    handles: list[Any]
    what: str
    group: NDArray[np.int32] | None = None
    scale: Any = None


def rank_colour(rank: int, largest: int) -> str:
    """The colour of a rank: the lower, the darker; ``largest`` and all above share one."""
    return _FULL if rank >= largest else _RANKS[min(rank, len(_RANKS) - 1)]


def _patch(face: Any, label: str) -> Any:
    from matplotlib.patches import Patch  # noqa: PLC0415  (optional; the caller said if missing)

    return Patch(facecolor=face, edgecolor=EDGE, linewidth=0.6, label=label)


def coloured(
    regions: Regions, cells: PlaneCells, colour: Colour, rank: NDArray[Any], layer: int
) -> Colouring:
    """The colouring by rank, linear region or class; the legend counts what is seen."""
    seen, shapes = cells.seen, cells.polygons
    if colour == "ambient-rank":
        table = ambient_ranks(regions.run, regions.network).ranks
        low, high = table.lower[:, layer - 1], table.upper[:, layer - 1]
        bound = "" if (low == high).all() else " (upper bounds)"
        what = f"rank through layer {layer} on all of R^{regions.chart.n}{bound}"
        shades = np.unique(high[seen])
        if len(shades) > _MOST_SHADES:  # on R^n there may be many ranks: they have a colour bar
            return by_values(cells, high, what)
        return _shaded(cells, high, shades, what)
    if colour == "rank":
        largest = min(2, regions.chart.k)
        faces = {v: rank_colour(v, largest) for v in sorted(set(rank[seen].tolist()))}
        handles = [
            _patch(face, f"rank {v}: {counted_as(int((rank[seen] == v).sum()))}")
            for v, face in faces.items()
        ]
        pieces = [
            (faces[int(v)], shape) for v, shape in zip(rank, shapes, strict=True) if len(shape)
        ]
        return Colouring(pieces, handles, f"rank of the map through layer {layer}")
    if colour == "class":
        cut = [(c, floats(shape)) for c, shape in class_pieces(regions, cells.exact or [])]
        present = sorted({c for c, _ in cut})
        handles = [_patch(_CLASSES[c % len(_CLASSES)], f"class {c}") for c in present]
        outputs = regions.network.layers[-1].units
        meaning = "class 1 where the output is > 0" if outputs == 1 else "class: largest output"
        return Colouring([(_CLASSES[c % len(_CLASSES)], s) for c, s in cut], handles, meaning)
    count, group, _ = linear_regions(regions.run, regions.network, regions.graph, layer)
    tint = _tints(regions, group, count)
    pieces = [(_SOFT[tint[g]], shape) for g, shape in zip(group, shapes, strict=True) if len(shape)]
    handles = [_patch(_SOFT[0], counted_as(len(set(group[seen].tolist())), "linear region"))]
    what = f"linear regions of the map through layer {layer}"
    return Colouring(pieces, handles, what, group)


def _shaded(cells: PlaneCells, rank: NDArray[Any], present: NDArray[Any], what: str) -> Colouring:
    """A few ranks: a shade for each, and a legend that counts their regions."""
    from matplotlib import colormaps  # noqa: PLC0415  (optional; the caller said if missing)

    shades = colormaps["cividis"](np.linspace(0.25, 1.0, len(present)))
    faces = dict(zip(present.tolist(), map(tuple, shades.tolist()), strict=True))
    handles = [
        _patch(face, f"rank {v}: {counted_as(int((rank[cells.seen] == v).sum()))}")
        for v, face in faces.items()
    ]
    pieces = [(faces[int(v)], s) for v, s in zip(rank, cells.polygons, strict=True) if len(s)]
    return Colouring(pieces, handles, what)


def by_values(cells: PlaneCells, values: ArrayLike, label: str) -> Colouring:
    """The colouring by one number per region, with a colour bar.

    Raises
    ------
    FormatError
        If there is not one finite number per region.
    """
    from matplotlib import colormaps  # noqa: PLC0415  (optional; the caller said if missing)
    from matplotlib.cm import ScalarMappable  # noqa: PLC0415
    from matplotlib.colors import Normalize  # noqa: PLC0415

    table = np.asarray(values, dtype=float)
    if table.shape != (len(cells.polygons),) or not np.isfinite(table).all():
        raise FormatError(
            f"values have shape {table.shape}; expected one finite number for each of "
            f"{len(cells.polygons)} regions"
        )
    seen = cells.seen
    scale = Normalize(float(table[seen].min()), float(table[seen].max()))
    colours = colormaps["cividis"]  # tells its ends apart for colour-blind readers too
    pieces = [(colours(scale(v)), s) for v, s in zip(table, cells.polygons, strict=True) if len(s)]
    return Colouring(pieces, [], label, None, ScalarMappable(scale, colours))


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
