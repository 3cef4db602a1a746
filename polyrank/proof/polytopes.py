"""The pieces of a simplex on which a network is affine, afresh in rational arithmetic.

One simplex at a time, from the definition: the simplex is cut by one unit after another. A convex
polytope is the list of its vertices, each with the set of the constraints that are tight there.
Where a unit is positive at a and negative at b, the point of [a, b] where it vanishes is a vertex
of both parts iff [a, b] is an edge: iff no third vertex has all constraints tight that are tight
at both. Nothing is shared with :mod:`polyrank.topology`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flint import fmpq, fmpq_mat

from polyrank.network.normal_form import Layer, Network

__all__ = ["Polytope", "affine_polytopes", "polytopes_by_layer"]


@dataclass(frozen=True, slots=True)
class Polytope:
    """A maximal polytope in the simplex with one sign vector.

    Attributes
    ----------
    signs : tuple of int
        Over the units with a hyperplane of the layers that were asked for.
    weights : tuple of tuples of fmpq, shape (n, d + 1)
        The barycentric coordinates of its vertices.
    images : fmpq_mat, shape (n, m)
        Φ_K at its vertices.
    """

    signs: tuple[int, ...]
    weights: tuple[tuple[fmpq, ...], ...]
    images: fmpq_mat


@dataclass(slots=True)
class _Vertex:
    weights: list[fmpq]
    tight: int
    h: list[fmpq]
    z: list[fmpq]


@dataclass(slots=True)
class _Part:
    signs: list[int]
    vertices: list[int]


def affine_polytopes(
    network: Network, layer: int, corners: Sequence[Sequence[fmpq]]
) -> list[Polytope]:
    """The maximal polytopes of a simplex on which all units of the layers 1..K keep their sign.

    **Proves** that they cover the simplex: every cut divides a polytope into two that cover it.
    Different ones have different sign vectors.

    Parameters
    ----------
    network : Network
    layer : int
        K; 0 gives the simplex itself.
    corners : sequence of d + 1 points of R^n
    """
    found: list[Polytope] = []
    for number, (parts, vertices) in enumerate(_by_layer(network, layer, corners)):
        if number == layer:
            found = _polytopes(parts, vertices)
    return found


def polytopes_by_layer(
    network: Network, layer: int, corners: Sequence[Sequence[fmpq]]
) -> Iterator[list[Polytope]]:
    """The same for the layers 0, 1, …, K in turn."""
    for parts, vertices in _by_layer(network, layer, corners):
        yield _polytopes(parts, vertices)


def _by_layer(
    network: Network, layer: int, corners: Sequence[Sequence[fmpq]]
) -> Iterator[tuple[list[_Part], list[_Vertex]]]:
    d = len(corners) - 1
    everything = (1 << (d + 1)) - 1
    vertices = [
        _Vertex([fmpq(int(i == c)) for c in range(d + 1)], everything & ~(1 << i), list(p), [])
        for i, p in enumerate(corners)
    ]
    parts = [_Part([], list(range(d + 1)))]
    yield parts, vertices
    bit = d + 1
    for step in network.layers[:layer]:
        _preactivate(step, vertices)
        for unit, cuts in enumerate(step.has_hyperplane.tolist()):
            if cuts:
                parts = _divided(parts, vertices, unit, 1 << bit)
                bit += 1
        _activate(step, vertices)
        yield parts, vertices


def _polytopes(parts: list[_Part], vertices: list[_Vertex]) -> list[Polytope]:
    return [
        Polytope(
            tuple(part.signs),
            tuple(tuple(vertices[v].weights) for v in part.vertices),
            _matrix([vertices[v].h for v in part.vertices]),
        )
        for part in parts
    ]


def _matrix(rows: list[list[fmpq]]) -> fmpq_mat:
    return fmpq_mat(len(rows), len(rows[0]), [v for row in rows for v in row])


def _preactivate(step: Layer, vertices: list[_Vertex]) -> None:
    inputs = _matrix([v.h for v in vertices]).transpose()
    z = (step.weight_exact * inputs).transpose().tolist()
    bias = step.bias_exact.entries()
    for vertex, row in zip(vertices, z, strict=True):
        vertex.z = [a + b for a, b in zip(row, bias, strict=True)]


def _activate(step: Layer, vertices: list[_Vertex]) -> None:
    for vertex in vertices:
        vertex.h = [
            (pos if v > 0 else neg) * v
            for v, (neg, pos) in zip(vertex.z, step.slopes_exact, strict=True)
        ]


def _divided(parts: list[_Part], vertices: list[_Vertex], unit: int, bit: int) -> list[_Part]:
    """All parts, cut where the unit vanishes."""
    sign = [(v.z[unit] > 0) - (v.z[unit] < 0) for v in vertices]
    for vertex, here in zip(vertices, sign, strict=True):
        if here == 0:
            vertex.tight |= bit
    made: dict[tuple[int, int], int] = {}
    out: list[_Part] = []
    for part in parts:
        own_signs = {sign[v] for v in part.vertices}
        if not {1, -1} <= own_signs:
            part.signs.append(max(own_signs, key=abs))
            out.append(part)
            continue
        between = [v for v in part.vertices if sign[v] == 0]
        for a, b in _crossing_edges(part.vertices, vertices, sign):
            if (a, b) not in made:
                made[a, b] = len(vertices)
                vertices.append(_between(vertices[a], vertices[b], unit, bit))
            between.append(made[a, b])
        for side in (1, -1):
            own = [v for v in part.vertices if sign[v] == side]
            out.append(_Part([*part.signs, side], own + between))
    return out


def _crossing_edges(
    chosen: list[int], vertices: list[_Vertex], sign: list[int]
) -> list[tuple[int, int]]:
    out = []
    for a in chosen:
        if sign[a] <= 0:
            continue
        for b in chosen:
            if sign[b] >= 0:
                continue
            common = vertices[a].tight & vertices[b].tight
            if all(c in (a, b) or common & ~vertices[c].tight for c in chosen):
                out.append((a, b))
    return out


def _between(a: _Vertex, b: _Vertex, unit: int, bit: int) -> _Vertex:
    t = a.z[unit] / (a.z[unit] - b.z[unit])
    mixed = [
        [x + t * (y - x) for x, y in zip(one, other, strict=True)]
        for one, other in ((a.weights, b.weights), (a.z, b.z))
    ]
    mixed[1][unit] = fmpq(0)
    return _Vertex(mixed[0], (a.tight & b.tight) | bit, [], mixed[1])
