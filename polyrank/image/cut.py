"""The cells of an image cut along the hyperplanes of the next layer, in pre-activations.

A cut point is known by the cell that it lies in and never looked for by coordinates: different
points of X_{K−1} may have the same pre-activations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.image.homogeneous import Point, between, preactivations
from polyrank.lp.deadline import look
from polyrank.network.normal_form import Layer

__all__ = ["Parts", "cut", "whole"]

Indices = NDArray[np.int64]
Rows = list[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Parts:
    """A complex of points, segments and convex polygons, cut.

    Attributes
    ----------
    rows : list of int sequences
        Homogeneous coordinates of the vertices, then of the cuts.
    chains : list of list of int
        Per segment the vertices on it, from its first end to its second.
    polygons : list of (int, list of int)
        Parts of faces: the number of the face, and the boundary of the part in its orientation.
    charts : list of int
        Per polygon a number: parts with one number ≥ 0 are moved by one injective affine map of the
        whole space, so that they meet where they met before only; −1 says nothing.
    """

    rows: Rows
    chains: list[list[int]]
    polygons: list[tuple[int, list[int]]]
    charts: list[int]


def whole(points: Sequence[Point], edges: Indices, faces: Sequence[Sequence[int]]) -> Parts:
    """A complex that is not cut."""
    polygons = [(f, list(own)) for f, own in enumerate(faces)]
    return Parts(list(points), edges.tolist(), polygons, [-1] * len(polygons))


def cut(
    points: Sequence[Point], edges: Indices, faces: Sequence[Sequence[int]], layer: Layer
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
    return Parts(rows, chains, polygons, _charts(rows, polygons, layer))


def _charts(rows: Rows, polygons: Sequence[tuple[int, list[int]]], layer: Layer) -> list[int]:
    if layer.units < layer.inputs:
        return [-1] * len(polygons)
    number: dict[tuple[int, ...], int] = {}
    out = []
    for _, part in polygons:
        side = tuple(
            (max(column) > 0) - (min(column) < 0)
            for column in zip(*(rows[v][:-1] for v in part), strict=True)
        )
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
                share = _share(rows[a], rows[b], unit)
                fresh[key] = len(rows)
                rows.append(between(rows[a], rows[b], int(share.p), int(share.q)))
            above.append(fresh[key])
            below.append(fresh[key])
    return [above, below]
