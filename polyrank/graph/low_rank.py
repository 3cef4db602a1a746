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
from polyrank.stages import told

__all__ = ["CONTACT_LIMIT", "LowRankComponent", "LowRankPart", "low_rank_part"]

#: Most low-rank regions whose vertices are computed exactly.
CONTACT_LIMIT = 5000


@dataclass(frozen=True, slots=True, eq=False)
class LowRankComponent:
    """One component of the low-rank part, through facets.

    Attributes
    ----------
    regions : tuple of int
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

    regions: tuple[int, ...]
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
    low = rank < below
    count, labels = graph.components(low)
    members = (
        [np.flatnonzero(labels == c) for c in range(count)]
        if count <= 64
        else _grouped(labels, count)
    )
    chosen = np.flatnonzero(low)
    shapes: dict[int, Generators] | None = None
    if len(chosen) <= limit:
        rows = chosen.tolist()
        shapes = {r: regions.geometry(r).generators for r in told("vertices of regions", rows)}
    contacts = None if shapes is None else _contacts(shapes, labels, count)
    order = sorted(range(count), key=lambda c: (-len(members[c]), int(members[c][0])))
    components = []
    for c in order:
        mine = members[c].tolist()
        bounded = touches = None
        if shapes is not None:
            bounded = not regions.chart.lineality and all(shapes[r].bounded for r in mine)
            touches = any(_on_wall(regions, shapes[r]) for r in mine)
        values, numbers = np.unique(rank[members[c]], return_counts=True)
        images: dict[tuple[fmpq, ...], None] = {}
        for r in members[c][rank[members[c]] == 0].tolist():
            images[_image(regions, r, k)] = None
        components.append(
            LowRankComponent(
                tuple(mine),
                dict(zip(values.tolist(), numbers.tolist(), strict=True)),
                bounded,
                touches,
                tuple(images),
                None if contacts is None else int(contacts[c]),
            )
        )
    total = None if contacts is None else len(set(contacts.tolist()))
    return LowRankPart(k, below, len(chosen), tuple(components), total)


def _grouped(labels: NDArray[np.int32], count: int) -> list[NDArray[np.int64]]:
    order = np.argsort(labels, kind="stable")
    order = order[labels[order] >= 0]
    return np.split(order, np.searchsorted(labels[order], np.arange(1, count)))


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
