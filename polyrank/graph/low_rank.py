"""The low-rank part of a run: components through facets, and through any contact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpz_mat
from numpy.typing import NDArray

from polyrank.brief import brief
from polyrank.graph.geometry import Regions
from polyrank.graph.listing import ranks_of_run
from polyrank.graph.region_graph import components_of
from polyrank.lp.farkas import integer_row
from polyrank.polyhedra.system import vector
from polyrank.posed.polytope import Generators
from polyrank.regions.scratch import scratch
from polyrank.stages import told

__all__ = ["CONTACT_LIMIT", "LowRankComponent", "LowRankPart", "low_rank_part"]

#: Most low-rank regions whose vertices are computed exactly.
CONTACT_LIMIT = 5000
#: Regions that are looked at at once.
_ROWS = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class LowRankComponent:
    """One component of the low-rank part, through facets.

    Attributes
    ----------
    regions : ndarray of int32
        Ascending.
    ranks : dict of int to int
        Number of regions by rank.
    bounded, touches_wall : bool or None
        Is it bounded; does its closure meet the domain's wall. None where the vertices were not
        computed (see ``CONTACT_LIMIT``).
    images : tuple of tuple of fmpq
        The distinct exact images of its rank-0 regions: one point each.
    contact : int or None
        Number of the component through contact of any dimension that it belongs to.
    """

    regions: NDArray[np.int32]
    ranks: dict[int, int]
    bounded: bool | None
    touches_wall: bool | None
    images: tuple[tuple[fmpq, ...], ...]
    contact: int | None

    @property
    def image(self) -> tuple[fmpq, ...] | None:
        """The point that all of it is mapped to; None unless every region has rank 0."""
        return self.images[0] if set(self.ranks) == {0} and len(self.images) == 1 else None


@brief("layer", "below", "regions", components=lambda part: len(part.components))
@dataclass(frozen=True, slots=True, eq=False)
class LowRankPart:
    """The closure of the part of the domain with rank below a bound at a layer.

    Of a run that is not certified it is that of the listed regions: there may be more, which may
    join components and take them to infinity or to the wall.

    Attributes
    ----------
    layer, below : int
    regions : int
    components : tuple of LowRankComponent
        Through facets, largest first.
    contact_components : int or None
        Number of components of the closed set itself: closed regions that meet anywhere.
    """

    layer: int
    below: int
    regions: int
    components: tuple[LowRankComponent, ...]
    contact_components: int | None


def low_rank_part(
    regions: Regions, below: int, layer: int | None = None, *, limit: int = CONTACT_LIMIT
) -> LowRankPart:
    """Components of the low-rank part.

    Parameters
    ----------
    regions : Regions
        Run, network and graph.
    below : int
        Regions of rank < ``below`` are low-rank.
    layer : int, optional
        1-based; default: the last one of the run.
    limit : int
        Most regions whose vertices are computed.

    Notes
    -----
    The regions' closures are the top cells of a polyhedral complex: two of them meet in a face of
    both, hence iff they share a minimal face (a vertex, where the region has one).

    Raises
    ------
    RunError
        If the run has no such layer.
    """
    run, graph = regions.run, regions.graph
    k = run.chosen_layer(layer)
    rank = ranks_of_run(run, k)
    low = scratch(len(rank), np.bool_)
    np.less(rank, below, out=low)
    count, labels = graph.components(low)
    members = _grouped(labels, count)
    total = int(np.count_nonzero(low))
    shapes: dict[int, Generators] | None = None
    if total <= limit:
        rows = np.flatnonzero(low).tolist()
        shapes = {r: regions.geometry(r).generators for r in told("vertices of regions", rows)}
    contacts = None if shapes is None else _contacts(shapes, labels, count)
    order = sorted(range(count), key=lambda c: (-len(members[c]), int(members[c][0])))
    components = []
    for c in order:
        bounded = touches = None
        if shapes is not None:
            mine = members[c].tolist()
            bounded = not regions.chart.lineality and all(shapes[r].bounded for r in mine)
            touches = any(_on_wall(regions, shapes[r]) for r in mine)
        numbers = np.zeros(max(0, below), np.int64)
        images: dict[tuple[fmpq, ...], None] = {}
        for begin in range(0, len(members[c]), _ROWS):
            some = members[c][begin : begin + _ROWS]
            numbers += np.bincount(rank[some], minlength=below)
            for r in some[rank[some] == 0].tolist():
                images[_image(regions, r, k)] = None
        components.append(
            LowRankComponent(
                members[c],
                {value: number for value, number in enumerate(numbers.tolist()) if number},
                bounded,
                touches,
                tuple(images),
                None if contacts is None else int(contacts[c]),
            )
        )
    touching = None if contacts is None else len(set(contacts.tolist()))
    return LowRankPart(k, below, total, tuple(components), touching)


def _grouped(labels: NDArray[np.int32], count: int) -> list[NDArray[np.int32]]:
    """The regions of every component, ascending, in memory that does not grow with them."""
    blocks = [slice(begin, begin + _ROWS) for begin in range(0, len(labels), _ROWS)]
    start = np.zeros(count + 1, np.int64)
    for block in blocks:
        start[1:] += np.bincount(labels[block] + 1, minlength=count + 1)[1:]
    start = np.cumsum(start)
    members = scratch(int(start[-1]), np.int32)
    place = start.copy()
    for block in blocks:
        mine = labels[block]
        order = np.argsort(mine, kind="stable")
        order = order[np.searchsorted(mine[order], 0) :]  # those that are kept
        found, first, size = np.unique(mine[order], return_index=True, return_counts=True)
        members[np.repeat(place[found] - first, size) + np.arange(len(order))] = block.start + order
        place[found] += size
    return np.split(members, start[1:-1]) if count else []


def _image(regions: Regions, region: int, layer: int) -> tuple[fmpq, ...]:
    """The one point that a rank-0 region is mapped to."""
    slope, constant = regions.affine_map(region, layer)
    return tuple((slope * regions.chart.origin + constant).entries())


def _on_wall(regions: Regions, shape: Generators) -> bool:
    walls = regions.chart.inequalities
    return any(
        value == bound
        for vertex in shape.vertices
        for value, bound in zip(walls.values(vector(vertex)), walls.bounds, strict=True)
    )


def _contacts(
    shapes: dict[int, Generators], labels: NDArray[np.int32], count: int
) -> NDArray[np.int32]:
    """Components of the components, joined where they share a minimal face."""
    first: dict[object, int] = {}
    a, b = [], []
    for r, shape in shapes.items():
        lines = _echelon(shape.lines)
        for vertex in shape.vertices:
            key = (lines[0], _reduced(vertex, *lines))
            mine = int(labels[r])
            other = first.setdefault(key, mine)
            if other != mine:
                a.append(other)
                b.append(mine)
    ends = np.asarray([a, b], dtype=np.int32)
    return components_of(ends[0], ends[1], np.ones(count, dtype=np.bool_))[1]


def _echelon(lines: Sequence[Sequence[int]]) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]:
    """A canonical basis of the lineality space and its pivot columns."""
    if not lines:
        return (), ()
    width = len(lines[0])
    table, _, rank = fmpz_mat(len(lines), width, [v for line in lines for v in line]).rref()
    rows = [integer_row([fmpq(table[i, j]) for j in range(width)]) for i in range(rank)]
    rows = [row if next(v for v in row if v) > 0 else tuple(-v for v in row) for row in rows]
    return tuple(rows), tuple(next(j for j, v in enumerate(row) if v) for row in rows)


def _reduced(
    point: tuple[fmpq, ...], basis: tuple[tuple[int, ...], ...], pivots: tuple[int, ...]
) -> tuple[str, ...]:
    """The representative of a minimal face with zeros in the pivot columns."""
    out = list(point)
    for row, j in zip(basis, pivots, strict=True):
        amount = out[j] / row[j]
        out = [v - amount * a for v, a in zip(out, row, strict=True)]
    return tuple(map(str, out))
