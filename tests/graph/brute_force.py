"""Adjacency by generators, in fractions: no linear program, no float, nothing of polyrank.graph."""

from __future__ import annotations

from typing import Any

from polyrank.network.normal_form import Network
from tests.oracles import (
    _domain_cone,
    _identity,
    _idot,
    _pre_activation,
    _split,
    exact_layers,
    exact_rank,
    primitive,
)

Bits = tuple[int, ...]


def adjacent_pairs(net: Network, rows: Any) -> tuple[set[frozenset[Bits]], dict[Bits, int]]:
    """Pairs of codewords of regions that share a facet, and the number of wall facets per region.

    The closed regions are cones over (x, 1). The face that two of them share is spanned by the
    generators of the one that lie in the other, so that its dimension is a rank.
    """
    n = net.input_dim
    layers = exact_layers(net)
    domain = _domain_cone(n, rows)
    walls = [primitive([*(-v for v in row[:-1]), row[-1]]) for row in rows]
    cells = []
    for bits, _, maps, cone in _split(layers, 0, 0, _identity(n), (), domain):
        inequalities = []
        position = 0
        before: Any = _identity(n)
        for layer, after in zip(layers, maps, strict=True):
            for unit in range(len(layer.weight)):
                if layer.neg[unit] == layer.pos[unit]:
                    continue
                row = primitive(_pre_activation(layer, before, unit))
                sign = 1 if bits[position] else -1
                inequalities.append(tuple(sign * v for v in row))
                position += 1
            before = after
        inequalities = [row for row in inequalities if any(row)]
        generators = [ray for ray, _ in cone.rays]
        cells.append((bits, [*inequalities, *walls], generators, list(cone.lines)))
    pairs = set()
    on_wall = dict.fromkeys((c[0] for c in cells), 0)
    for i, (a, _, rays, lines) in enumerate(cells):
        for row in set(walls):
            tight = [r for r in rays if _idot(row, r) == 0]
            if any(row[:-1]) and _is_facet(tight, lines, n):
                on_wall[a] += 1
        for b, there, _, _ in cells[i + 1 :]:
            shared = [r for r in rays if all(_idot(row, r) >= 0 for row in there)]
            if _is_facet(shared, lines, n):
                pairs.add(frozenset((a, b)))
    return pairs, on_wall


def _is_facet(rays: list[Any], lines: list[Any], n: int) -> bool:
    spanning = [*rays, *lines]
    return bool(spanning) and any(r[-1] for r in spanning) and exact_rank(spanning) == n
