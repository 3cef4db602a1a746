"""Facets and edges over all magnitudes, against adjacency by generators in fractions.

``python -m tests.scales graph 100000`` runs 10^5 random networks.
"""

from __future__ import annotations

import numpy as np
import pytest

import polyrank as pr
from polyrank.cells.vertices.search import root_of
from polyrank.graph.build import region_graph
from polyrank.graph.geometry import Regions
from polyrank.posed.chart import chart
from polyrank.posed.problem import Problem
from tests.graph.brute_force import pairs_of
from tests.graph.test_adjacency import _sound, _words
from tests.oracles import exact_layers, leaves
from tests.scales import count, scaled_case


def agrees(seed: int) -> str:
    """Compare edges and wall facets of a graph with the oracle; how many rationals settled."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 4))
    network, domain, rows = scaled_case(rng, n)
    expected = list(leaves(exact_layers(network), n, rows))
    if len(expected) > 40:
        return "too large for the oracle"
    engine = "dictionary"
    if seed % 2 and root_of(Problem.of(network, chart(domain, n))) is not None:
        engine = "vertices"
    run = pr.enumerate_regions(network, domain, engine=engine)
    assert run.certified
    graph = region_graph(run, network)
    _sound(run, graph)
    words = _words(run)
    pairs, walls = pairs_of(expected, n, rows)
    ends = zip(graph.source.tolist(), graph.target.tolist(), strict=True)
    assert {frozenset((words[a], words[b])) for a, b in ends} == pairs
    assert dict(zip(words, graph.wall_facets().tolist(), strict=True)) == walls
    regions = Regions(run, network, graph)
    for e in range(graph.edges):
        assert len(regions.crossing(e)) == run.dimension
    return "rationals" if graph.statistics["open"] else "float"


def test_facets_of_any_magnitude() -> None:
    outcomes = count(agrees, 0, 60)
    assert "DIFFERENT" not in outcomes
    assert min(outcomes["float"], outcomes["rationals"]) > 5


@pytest.mark.slow
@pytest.mark.parametrize("block", range(5))
def test_many_facets_of_any_magnitude(block: int) -> None:
    assert "DIFFERENT" not in count(agrees, 1000 + 300 * block, 300)
