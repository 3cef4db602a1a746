"""Regions, facets and least ranks on polytopes, simplices and slices of any magnitude.

``python -m tests.scales domains 100000`` runs 10^5 random cases. The oracles see the composed
network in the domain's coordinates, in fractions alone.
"""

from __future__ import annotations

import numpy as np
import pytest

import polyrank as pr
from polyrank.cells.vertices.search import root_of
from polyrank.graph.build import region_graph
from polyrank.minrank.minimum import minimum_rank
from polyrank.posed.chart import chart
from polyrank.posed.problem import Problem
from tests.cells.exact_only import plain, regions
from tests.graph.brute_force import adjacent_pairs
from tests.graph.test_adjacency import _words
from tests.oracles import regions_by_generators
from tests.scaled_domains import KINDS, Asked, scaled_domain
from tests.scales import count


def agrees(seed: int) -> str:
    """Compare the engines; every fourth time the graph and the least rank as well."""
    kind = KINDS[seed % len(KINDS)]
    asked = scaled_domain(np.random.default_rng(seed), kind)
    if asked is None:
        return "no domain"
    expected = regions_by_generators(asked.inside, asked.rows)
    where = chart(asked.domain, asked.network.input_dim)
    engines = [
        "dictionary",
        *(["vertices"] if root_of(Problem.of(asked.network, where)) is not None else []),
    ]
    for engine in (*engines, *(["highs"] if seed % 5 == 0 else [])):
        found, result = regions(asked.network, where, engine=engine)
        assert result.certified
        assert plain(found, sum(asked.network.bits)) == {
            (r.bits, tuple(int(s == 0) for s in r.signs)): r.ranks for r in expected.values()
        }, engine
    if seed // len(KINDS) % 4 == 0 and len(expected) <= 40:
        _graph(asked, engines[-1])
        least = minimum_rank(asked.network, asked.domain, layer=len(asked.network.layers))
        assert least.certified
        assert least.lower == least.best.rank == min(r.ranks[-1] for r in expected.values())
    return kind


def _graph(asked: Asked, engine: str) -> None:
    run = pr.enumerate_regions(asked.network, asked.domain, engine=engine)
    graph = region_graph(run, asked.network)
    words = _words(run)
    pairs, walls = adjacent_pairs(asked.inside, asked.rows)
    ends = zip(graph.source.tolist(), graph.target.tolist(), strict=True)
    assert {frozenset((words[a], words[b])) for a, b in ends} == pairs
    assert dict(zip(words, graph.wall_facets().tolist(), strict=True)) == walls


def test_domains_of_any_magnitude() -> None:
    outcomes = count(agrees, 0, 80)
    assert "DIFFERENT" not in outcomes
    assert set(KINDS) <= set(outcomes)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(5))
def test_many_domains_of_any_magnitude(block: int) -> None:
    assert "DIFFERENT" not in count(agrees, 1000 + 400 * block, 400)
