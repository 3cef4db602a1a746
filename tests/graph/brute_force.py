"""Adjacency by generators, in fractions: no linear program, no float, nothing of polyrank.graph."""

from __future__ import annotations

from typing import Any

from polyrank.network.normal_form import Network
from tests.oracles import Leaf, _idot, _rank, exact_layers, leaves, primitive

Bits = tuple[int, ...]


def adjacent_pairs(net: Network, rows: Any) -> tuple[set[frozenset[Bits]], dict[Bits, int]]:
    """Pairs of codewords of regions that share a facet, and the number of wall facets per region.

    The closed regions are cones over (x, 1). The face that two of them share is spanned by the
    generators of the one that lie in the other, so that its dimension is a rank.
    """
    n = net.input_dim
    return pairs_of(list(leaves(exact_layers(net), n, rows)), n, rows)


def pairs_of(
    regions: list[Leaf], n: int, rows: Any
) -> tuple[set[frozenset[Bits]], dict[Bits, int]]:
    """:func:`adjacent_pairs` of regions that are known already."""
    walls = [primitive([*(-v for v in row[:-1]), row[-1]]) for row in rows]
    cells = []
    for leaf in regions:
        inequalities = [
            g if bit else tuple(-v for v in g)
            for bit, g in zip(leaf.bits, leaf.functionals, strict=True)
            if any(g)
        ]
        generators = [ray for ray, _ in leaf.cone.rays]
        cells.append((leaf.bits, [*inequalities, *walls], generators, list(leaf.cone.lines)))
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
    if len(spanning) < n or not any(r[-1] for r in spanning):
        return False
    return _rank(spanning) == n
