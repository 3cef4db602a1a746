"""The domain as cells with vertices: a polytope of dimension k ≤ 3, or the cones that fill R^k.

A **label** names a hyperplane: ``g ≥ 0`` is unit g (over all layers), ``−1 − m`` row m of the
domain, ``AT_INFINITY`` the far side of a cone, which no row describes. A vertex *is* its k labels.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.lp.farkas import integer_row
from polyrank.network.rational import nearest_ratio
from polyrank.posed.arrays import NetArrays
from polyrank.posed.cube import CubeMap, IntRow

__all__ = [
    "AT_INFINITY",
    "MOST_SUBSETS",
    "Root",
    "RootArrays",
    "RootCell",
    "domain_root",
    "root_arrays",
    "whole_space_root",
]

AT_INFINITY = -(1 << 40)

#: Most k-subsets of the domain's rows that are solved to find its vertices.
MOST_SUBSETS = 20_000

Vector = tuple[fmpq, ...]


@dataclass(frozen=True, slots=True)
class RootCell:
    """One cell: its vertices in order, edge labels (k ≤ 2) or facets (k = 3) as vertex cycles."""

    vertices: tuple[int, ...]
    edges: tuple[int, ...]
    facets: tuple[tuple[int, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Root:
    """Exact vertices in cube coordinates, their labels, which are directions, and the cells."""

    points: tuple[Vector, ...]
    labels: tuple[tuple[int, ...], ...]
    directions: tuple[bool, ...]
    tight: tuple[frozenset[int], ...]
    cells: tuple[RootCell, ...]


@lru_cache(maxsize=16)  # a network is asked again on its domain, and many boxes have one cube
def domain_root(walls: tuple[IntRow, ...], k: int) -> Root | None:
    """The vertices and faces of a bounded domain; None where it has too many rows.

    Parameters
    ----------
    walls : tuple of IntRow
        Rows ``a·u + b ≥ 0`` of k + 1 integers in cube coordinates, of a bounded domain that is
        full-dimensional.
    k : int
        Its dimension, 1 to 3.
    """
    if math.comb(len(walls), k) > MOST_SUBSETS:
        return None
    rows = walls
    box = _box(rows, k)
    if box is not None:
        found, sides, corners = box
        tight = tuple(frozenset(chosen) for chosen in found.values())
        cell = _cell(sides, corners, tight, k)
    else:
        found = _vertices(rows, k)
        tight = tuple(
            frozenset(i for i, row in enumerate(rows) if _value(row, p) == 0) for p in found
        )
        cell = _cell(tuple(rows), tuple(found), tight, k)
    labels = tuple(tuple(-1 - i for i in chosen) for chosen in found.values())
    return Root(tuple(found), labels, (False,) * len(found), tight, (cell,))


@lru_cache(maxsize=16)  # boxes have the faces of the unit cube
def _cell(
    rows: tuple[tuple[int, ...], ...],
    points: tuple[tuple[Any, ...], ...],
    tight: tuple[frozenset[int], ...],
    k: int,
) -> RootCell:
    """The faces of a polytope from its rows, vertices and which rows hold with equality there."""
    if k == 1:
        order = sorted(range(2), key=lambda v: points[v][0])
        return RootCell(tuple(order), (AT_INFINITY, AT_INFINITY), ())
    return (_polygon if k == 2 else _polyhedron)(rows, points, tight)


def _box(
    rows: Sequence[IntRow], k: int
) -> tuple[dict[Vector, tuple[int, ...]], tuple[IntRow, ...], tuple[IntRow, ...]] | None:
    """Vertices of a box that two rows bound in each coordinate, as :func:`_vertices` has them.

    Beside them its rows and vertices as those of the unit cube, whose faces it has.
    """
    if len(rows) != 2 * k:
        return None
    bounds: list[dict[int, fmpq]] = [{} for _ in range(k)]
    at = []
    for i, row in enumerate(rows):
        axes = [l for l in range(k) if row[l] != 0]
        if len(axes) != 1:
            return None
        at.append(axes[0])
        bounds[axes[0]][i] = fmpq(-row[k], row[axes[0]])
    if any(len(sides) != 2 for sides in bounds):
        return None
    lower = [rows[i][l] > 0 for i, l in enumerate(at)]
    found: dict[Vector, tuple[int, ...]] = {}
    corners = []
    for sides in sorted(tuple(sorted(sides)) for sides in itertools.product(*bounds)):
        by_axis = {at[i]: i for i in sides}
        found[tuple(bounds[l][by_axis[l]] for l in range(k))] = sides
        corners.append(tuple(int(not lower[by_axis[l]]) for l in range(k)))
    unit = tuple(
        tuple((1 if lower[i] else -1) * (l == at[i]) for l in range(k)) for i in range(2 * k)
    )
    return found, unit, tuple(corners)


def _vertices(rows: Sequence[IntRow], k: int) -> dict[Vector, tuple[int, ...]]:
    """Vertices of a polytope, each with the first k rows that define it."""
    m = len(rows)
    found: dict[Vector, tuple[int, ...]] = {}
    for chosen in itertools.combinations(range(m), k):
        matrix = fmpq_mat(k, k, [v for i in chosen for v in rows[i][:k]])
        if matrix.det() == 0:
            continue
        point = matrix.solve(fmpq_mat(k, 1, [-rows[i][k] for i in chosen]))
        vertex = tuple(point.entries())
        if vertex in found:
            continue
        if all(_value(row, vertex) >= 0 for row in rows):
            found[vertex] = chosen
    return found


def _value(row: Sequence[int], point: Vector) -> fmpq:
    return sum((a * x for a, x in zip(row, point, strict=False)), fmpq(row[-1]))


def _polygon(
    rows: Sequence[Sequence[Any]], points: Sequence[Sequence[Any]], tight: Sequence[frozenset[int]]
) -> RootCell:
    """The cycle of a polygon, anticlockwise: every facet's row has its inside on the left."""
    following: dict[int, tuple[int, int]] = {}
    for i, row in enumerate(rows):
        on = [v for v, rows_at in enumerate(tight) if i in rows_at]
        if len(on) == 2:
            u, w = sorted(on, key=lambda v: row[1] * points[v][0] - row[0] * points[v][1])
            following.setdefault(u, (w, -1 - i))
    return _closed(following)


def _closed(following: dict[int, tuple[int, int]]) -> RootCell:
    v = next(iter(following))
    cycle, edges = [], []
    for _ in following:
        cycle.append(v)
        v, label = following[v]
        edges.append(label)
    return RootCell(tuple(cycle), tuple(edges), ())


def _polyhedron(
    rows: Sequence[Sequence[Any]], points: Sequence[Sequence[Any]], tight: Sequence[frozenset[int]]
) -> RootCell:
    """The facets of a polyhedron as cycles, anticlockwise seen from outside."""
    sets = [frozenset(v for v, at in enumerate(tight) if i in at) for i in range(len(rows))]
    facets = []
    seen: set[frozenset[int]] = set()
    for i, on in enumerate(sets):
        if len(on) < 3 or on in seen:
            continue
        seen.add(on)
        a = rows[i]
        following: dict[int, tuple[int, int]] = {}
        for j, other in enumerate(sets):
            edge = sorted(on & other)
            if len(edge) != 2 or other == on:
                continue
            u, w = edge
            t = [points[w][l] - points[u][l] for l in range(3)]
            # outward normal −a; the facet's inside, on the left of t, is inside row j
            left = [
                a[2] * t[1] - a[1] * t[2],
                a[0] * t[2] - a[2] * t[0],
                a[1] * t[0] - a[0] * t[1],
            ]
            if sum(left[l] * rows[j][l] for l in range(3)) < 0:
                u, w = w, u
            following.setdefault(u, (w, -1 - j))
        facets.append((-1 - i, _closed(following).vertices))
    return RootCell(tuple(range(len(points))), (), tuple(facets))


def whole_space_root(first: fmpq_mat, net: NetArrays, cube: CubeMap) -> Root | None:
    """R^k as the 2^k cones of k independent hyperplanes of layer 1; None if there are fewer.

    Parameters
    ----------
    first : fmpq_mat, shape (units, d + 1)
        Exact rows of layer 1 in cube coordinates.
    net : NetArrays
    cube : CubeMap
        Homogeneous or central.
    """
    k = cube.linear_columns
    chosen: list[int] = []
    for i in range(first.nrows()):
        if not net.hyperplane[i] or net.tie[i] >= 0:
            continue
        trial = [*chosen, i]
        matrix = fmpq_mat(len(trial), k, [first[r, l] for r in trial for l in range(k)])
        if matrix.rank() == len(trial):
            chosen = trial
        if len(chosen) == k:
            break
    if len(chosen) < k:
        return None
    matrix = fmpq_mat(k, k, [first[r, l] for r in chosen for l in range(k)])
    inverse = matrix.inv()
    apex: list[fmpq] = [fmpq(0)] * k
    tail: list[list[fmpq]] = [[], []]
    if cube.kind == "homogeneous":
        constants = fmpq_mat(k, 1, [first[r, cube.constant_column] for r in chosen])
        apex = [-v for v in (inverse * constants).entries()]
        tail = [[fmpq(1)], [fmpq(0)]]
    points: list[Vector] = [_shrunk([*apex, *tail[0]])]
    labels: list[tuple[int, ...]] = [tuple(chosen)]
    for sign in (-1, 1):
        for j in range(k):
            ray = [sign * inverse[l, j] for l in range(k)]
            points.append(_shrunk([*ray, *tail[1]]))
            labels.append((*(g for g in chosen if g != chosen[j]), AT_INFINITY))
    cells = []
    for signs in itertools.product((0, 1), repeat=k):
        rays = [1 + s * k + j for j, s in enumerate(signs)]
        cells.append(_cone(rays, chosen))
    directions = (False, *(True for _ in range(2 * k)))
    return Root(
        tuple(points), tuple(labels), directions, (frozenset(),) * len(points), tuple(cells)
    )


def _shrunk(point: list[fmpq]) -> Vector:
    """A positive multiple with entries of magnitude at most 1, for float64."""
    size = max(abs(v) for v in point)
    if size == 0:
        return tuple(point)
    power = fmpq(1)
    while size * power > 1:
        power /= 2
    while size * power <= fmpq(1, 2):
        power *= 2
    return tuple(v * power for v in point)


def _cone(rays: list[int], chosen: list[int]) -> RootCell:
    """The cone over its rays from vertex 0 as a simplex whose far facet is at infinity."""
    if len(rays) == 1:
        return RootCell((0, rays[0]), (AT_INFINITY, AT_INFINITY), ())
    if len(rays) == 2:
        a, b = rays
        return RootCell((0, a, b), (chosen[1], AT_INFINITY, chosen[0]), ())
    a, b, c = rays
    # the boundary of the oriented simplex [0, a, b, c]
    facets = (
        (AT_INFINITY, (a, b, c)),
        (chosen[0], (0, c, b)),
        (chosen[1], (0, a, c)),
        (chosen[2], (0, b, a)),
    )
    return RootCell((0, a, b, c), (), facets)


class RootArrays(NamedTuple):
    """A root as the native core reads it: P vertices, C cells, F facets, Q entries of cycles."""

    x: NDArray[np.float64]  # (P, d) approximate coordinates, |x| ≤ 1
    err: NDArray[np.float64]  # (P,) bound of |x − true| in every coordinate
    origin: NDArray[np.bool_]  # (P,) the vertex is exactly 0
    ray: NDArray[np.bool_]  # (P,) a direction of the cell, not a point of it
    integers: NDArray[np.int64]  # (P, d + 1) exact up to a positive factor, where known
    has_integers: NDArray[np.bool_]  # (P,)
    label: NDArray[np.int64]  # (P, 3)
    off_wall: NDArray[np.uint64]  # (P, words) rows of the domain that are positive at the vertex
    cell: NDArray[np.int64]  # (C, 4) first entry and number of its vertices, of its facets
    cycle: NDArray[np.int64]  # (Q,) vertex lists
    edge: NDArray[np.int64]  # (Q,) k ≤ 2: label of the edge from this entry to the next
    facet: NDArray[np.int64]  # (F, 3) slice of ``cycle``, label
    root_units: NDArray[np.int64]  # units of layer 1 whose cones fill R^k; empty for polytopes
    conic: bool  # homogeneous coordinates: vertices up to a positive factor
    walls: int  # rows of the domain that vertices have signs of: none on cones


@lru_cache(maxsize=16)  # of the roots that are kept above
def root_arrays(root: Root, d: int, *, walls: int, conic: bool) -> RootArrays:
    """Flatten a root; nobody writes to the arrays, which are kept.

    Parameters
    ----------
    root : Root
    d : int
        Number of cube coordinates.
    walls : int
        Rows of the domain.
    conic : bool
        The cells are cones.
    """
    points = len(root.points)
    ratios = [[(int(v.p), int(v.q)) for v in p[:d]] for p in root.points]
    near = [[nearest_ratio(*ratio) for ratio in p] for p in ratios]
    x = np.array(near).reshape(points, d)
    exact = [[f.as_integer_ratio() for f in p] == q for p, q in zip(near, ratios, strict=True)]
    integers = [_integers(point, conic=conic) for point in root.points]
    label = np.full((points, 3), AT_INFINITY, dtype=np.int64)
    for v, labels in enumerate(root.labels):
        label[v, : len(labels)] = labels
    counted = 0 if conic else walls
    words = max(1, (counted + 63) // 64)
    off = np.zeros((points, words), dtype=np.uint64)
    for v, tight in enumerate(root.tight):
        for i in range(counted):
            if i not in tight:
                off[v, i // 64] |= np.uint64(1) << np.uint64(i % 64)
    cell: list[tuple[int, ...]] = []
    facet: list[tuple[int, ...]] = []
    cycle: list[int] = []
    edge: list[int] = []
    for c in root.cells:
        cell.append((len(cycle), len(c.vertices), len(facet), len(c.facets)))
        cycle += c.vertices
        edge += c.edges or [AT_INFINITY] * len(c.vertices)
        for name, around in c.facets:
            facet.append((len(cycle), len(around), name))
            cycle += around
            edge += [AT_INFINITY] * len(around)
    return RootArrays(
        x=x,
        err=np.where(exact, 0.0, 2.0**-53),
        origin=np.array([not any(point) for point in root.points]),
        ray=np.array(root.directions),
        integers=np.array([n or [0] * (d + 1) for n in integers], dtype=np.int64),
        has_integers=np.array([n is not None for n in integers]),
        label=label,
        off_wall=off,
        cell=np.array(cell, dtype=np.int64),
        cycle=np.array(cycle, dtype=np.int64),
        edge=np.array(edge, dtype=np.int64),
        facet=np.array(facet, dtype=np.int64).reshape(-1, 3),
        root_units=np.array(root.labels[0] if conic else (), dtype=np.int64),
        conic=conic,
        walls=counted,
    )


def _integers(point: Vector, *, conic: bool) -> list[int] | None:
    """Exact homogeneous integer coordinates, where they are small."""
    row = integer_row([*point, fmpq(0) if conic else fmpq(1)])
    return list(row) if any(row) and max(map(abs, row)) < 2**30 else None
