"""The cells of an image cut along the hyperplanes of the next layer, in pre-activations.

A cut point is known by the cell that it lies in and never looked for by coordinates: different
points of X_{K−1} may have the same pre-activations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.image.homogeneous import Point, between, preactivations, zero_between
from polyrank.image.polytopes import Facet, halves
from polyrank.lp.deadline import look
from polyrank.network.normal_form import Layer

__all__ = ["Parts", "cut", "whole"]

Indices = NDArray[np.int64]
Rows = list[Sequence[int]]
Pair = tuple[int, int]
Solid = tuple[int, list[Pair]]


@dataclass(frozen=True, slots=True)
class Parts:
    """A complex of points, segments, convex polygons and polytopes of dimension 3, cut.

    Attributes
    ----------
    rows : list of int sequences
        Homogeneous coordinates of the vertices, then of the cuts.
    chains : list of list of int
        Per segment the vertices on it, from its first end to its second.
    polygons : list of (int, list of int)
        Parts of faces: the number of the face, and the boundary of the part in its orientation;
        then the polygons along which solids are cut, with −1 for the number.
    charts : list of int
        Per polygon a number: parts with one number ≥ 0 are moved by one injective affine map of the
        whole space, so that they meet where they met before only; −1 says nothing.
    solids : list of (int, list of (int, int))
        Parts of solids: the number of the solid, and the polygons around the part with ±1.
    solid_charts : list of int
        The same as ``charts``, per part of a solid.
    """

    rows: Rows
    chains: list[list[int]]
    polygons: list[tuple[int, list[int]]]
    charts: list[int]
    solids: list[Solid] = field(default_factory=list)
    solid_charts: list[int] = field(default_factory=list)


def whole(
    points: Sequence[Point],
    edges: Indices,
    faces: Sequence[Sequence[int]],
    solids: Sequence[Sequence[Pair]] = (),
) -> Parts:
    """A complex that is not cut."""
    polygons = [(f, list(own)) for f, own in enumerate(faces)]
    bodies = [(s, list(own)) for s, own in enumerate(solids)]
    charts = [-1] * len(polygons), [-1] * len(bodies)
    return Parts(list(points), edges.tolist(), polygons, charts[0], bodies, charts[1])


def cut(
    points: Sequence[Point],
    edges: Indices,
    faces: Sequence[Sequence[int]],
    layer: Layer,
    solids: Sequence[Sequence[Pair]] = (),
) -> Parts:
    """Cut a complex where a unit of a layer vanishes.

    Parameters
    ----------
    points : sequence of Point
    edges : int64 array, shape (f_1, 2)
        Ends of the segments, the smaller number first.
    faces : sequence of int sequences
        The vertices of convex polygons in cyclic order, neighbours joined by an edge.
    layer : Layer
    solids : sequence of sequences of (int, int)
        The faces around convex polytopes of dimension 3 with ±1, so that they close up.
    """
    rows: Rows = list(preactivations(points, layer))
    split = np.flatnonzero(layer.has_hyperplane)
    signs = _signs(rows, split)
    chains: list[list[int]] = edges.tolist()
    opposite = signs[edges[:, 0]] * signs[edges[:, 1]] < 0
    for e in np.flatnonzero(opposite.any(axis=1)).tolist():
        a, b = chains[e]
        p, q = rows[a], rows[b]
        shares = {_share(p, q, j) for j in split[opposite[e]].tolist()}
        inner = []
        for share in sorted(shares):
            inner.append(len(rows))
            rows.append(between(p, q, int(share.p), int(share.q)))
        chains[e] = [a, *inner, b]
    polygons = _polygons(rows, chains, faces, signs, split)
    bodies = _solids(rows, polygons, solids, signs, split)
    corners = [list({v for p, _ in own for v in polygons[p][1]}) for _, own in bodies]
    charts = _charts(rows, [*(part for _, part in polygons), *corners], layer)
    flat = len(polygons)
    return Parts(rows, chains, polygons, charts[:flat], bodies, charts[flat:])


def _charts(rows: Rows, parts: Sequence[Sequence[int]], layer: Layer) -> list[int]:
    if layer.units < layer.inputs:
        return [-1] * len(parts)
    if not parts:
        return []
    table = _signs(rows, np.arange(layer.units))
    vertex = np.concatenate([np.asarray(part, np.int64) for part in parts])
    start = np.cumsum([0, *(len(part) for part in parts[:-1])])
    sides = np.zeros((len(parts), layer.units), np.int8)
    for k in range(layer.units):
        own = table[vertex, k]
        over = np.maximum.reduceat(own, start) > 0
        sides[:, k] = over.astype(np.int8) - (np.minimum.reduceat(own, start) < 0)
    number: dict[tuple[int, ...], int] = {}
    out = []
    for side in map(tuple, sides.tolist()):
        if side not in number:
            slopes = [pair[s > 0] for s, pair in zip(side, layer.slopes_exact, strict=True)]
            weight = layer.weight_exact.tolist()
            entries = [a * v for a, row in zip(slopes, weight, strict=True) for v in row]
            rank = fmpq_mat(layer.units, layer.inputs, entries).rank()
            number[side] = len(number) if int(rank) == layer.inputs else -1
        out.append(number[side])
    return out


def _signs(rows: Rows, split: Indices) -> NDArray[np.int8]:
    signs = np.array([[(r[j] > 0) - (r[j] < 0) for j in split] for r in rows], np.int8)
    return signs.reshape(len(rows), split.size)


def _share(p: Sequence[int], q: Sequence[int], unit: int) -> fmpq:
    """Where on the way from p to q a unit vanishes that has opposite signs at the ends."""
    one, other = abs(p[unit]) * q[-1], abs(q[unit]) * p[-1]
    return fmpq(one, one + other)


def _polygons(
    rows: Rows,
    chains: list[list[int]],
    faces: Sequence[Sequence[int]],
    signs: NDArray[np.int8],
    split: Indices,
) -> list[tuple[int, list[int]]]:
    inner = {(c[0], c[-1]): c[1:-1] for c in chains if len(c) > 2}
    out = []
    for f, face in enumerate(faces):
        if f % 1024 == 0:
            look()
        own = signs[list(face)]
        units = split[(own.min(axis=0) < 0) & (own.max(axis=0) > 0)].tolist()
        boundary: list[int] = []
        for k, a in enumerate(face):
            b = face[(k + 1) % len(face)]
            boundary.append(a)
            boundary += inner.get((a, b), ()) if a < b else reversed(inner.get((b, a), ()))
        parts = [boundary]
        for unit in units:
            fresh: dict[tuple[int, int], int] = {}
            parts = [piece for part in parts for piece in _halves(rows, part, unit, fresh)]
        out += [(f, part) for part in parts]
    return out


def _halves(
    rows: Rows, part: list[int], unit: int, fresh: dict[tuple[int, int], int]
) -> list[list[int]]:
    """A convex polygon cut by a unit, if it has vertices on both sides."""
    values = [rows[v][unit] for v in part]
    if min(values) >= 0 or max(values) <= 0:
        return [part]
    above, below = [], []
    for k, a in enumerate(part):
        x, y = values[k], values[(k + 1) % len(part)]
        if x >= 0:
            above.append(a)
        if x <= 0:
            below.append(a)
        if (x < 0 < y) or (y < 0 < x):
            b = part[(k + 1) % len(part)]
            key = (a, b) if a < b else (b, a)
            if key not in fresh:
                fresh[key] = len(rows)
                rows.append(zero_between(rows[a], rows[a][unit], rows[b], rows[b][unit]))
            above.append(fresh[key])
            below.append(fresh[key])
    return [above, below]


def _solids(
    rows: Rows,
    polygons: list[tuple[int, list[int]]],
    solids: Sequence[Sequence[Pair]],
    signs: NDArray[np.int8],
    split: Indices,
) -> list[Solid]:
    """The parts of solids; the polygons between them are added to those of the faces."""
    of_face: dict[int, list[int]] = {}
    for p, (f, _) in enumerate(polygons if solids else ()):
        of_face.setdefault(f, []).append(p)
    out: list[Solid] = []
    for number, faces in enumerate(solids):
        if number % 256 == 0:
            look()
        own = [(p, sign) for f, sign in faces for p in of_face[f]]
        corners = {v for p, _ in own for v in polygons[p][1] if v < len(signs)}
        around = signs[list(corners)]
        units = split[(around.min(axis=0) < 0) & (around.max(axis=0) > 0)].tolist()
        if not units:
            out.append((number, own))
            continue
        rings = (tuple(polygons[p][1]) for p, _ in own)
        facets = tuple(
            Facet(ring if sign > 0 else ring[::-1], p, sign)
            for ring, (p, sign) in zip(rings, own, strict=True)
        )
        known: dict[frozenset[int], tuple[int, Pair]] = {}
        for part in _cut_solid(rows, facets, units):
            boundary = []
            for facet in part:
                if facet.polygon >= 0:
                    boundary.append((facet.polygon, facet.sign))
                    continue
                key = frozenset(facet.ring)
                if key not in known:
                    known[key] = len(polygons), (facet.ring[0], facet.ring[1])
                    polygons.append((-1, list(facet.ring)))
                p, step = known[key]
                boundary.append((p, 1 if _follows(facet.ring, *step) else -1))
            out.append((number, boundary))
    return out


def _follows(ring: Sequence[int], a: int, b: int) -> bool:
    """Whether a ring runs from a to b directly."""
    return ring[(ring.index(a) + 1) % len(ring)] == b


def _cut_solid(
    rows: Rows, facets: tuple[Facet[int], ...], units: Sequence[int]
) -> list[tuple[Facet[int], ...]]:
    """The parts of a solid between the units that vanish in it; its sides are cut already."""
    parts = [facets]
    for unit in units:
        fresh: dict[Pair, int] = {}
        after = []
        for part in parts:
            values = {rows[v][unit] for facet in part for v in facet.ring}
            if min(values) >= 0 or max(values) <= 0:
                after.append(part)
            else:
                after += _solid_halves(rows, part, unit, fresh)
        parts = after
    return parts


def _solid_halves(
    rows: Rows, part: tuple[Facet[int], ...], unit: int, fresh: dict[Pair, int]
) -> tuple[tuple[Facet[int], ...], tuple[Facet[int], ...]]:
    def cross(a: int, b: int) -> int:
        key = (a, b) if a < b else (b, a)
        if key not in fresh:
            fresh[key] = len(rows)
            rows.append(zero_between(rows[a], rows[a][unit], rows[b], rows[b][unit]))
        return fresh[key]

    return halves(part, lambda v: rows[v][unit], cross)
