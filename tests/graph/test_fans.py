"""Wide and deep fans of slivers: regions, ranks, edges, linear regions and components, exactly.

``python -m tests.graph.test_fans 10000`` compares that many networks.
"""

from __future__ import annotations

import sys
from itertools import pairwise, product

import numpy as np
import pytest

import polyrank as pr
from polyrank.graph.build import region_graph
from polyrank.graph.geometry import Regions
from polyrank.graph.linear_regions import linear_region_counts
from polyrank.graph.low_rank import low_rank_part
from polyrank.graph.region_graph import RegionGraph
from polyrank.network.normal_form import Network
from polyrank.regions.run import Run
from tests.fans import FanLayer, Sector, drawn_layers, fan_network, sectors
from tests.graph.test_adjacency import _words
from tests.scales import count

_WIDTHS = [(3, 9), (10, 80)], [(3, 9), (2, 7)], [(3, 7), (2, 5), (2, 4)]


def _widths(rng: np.random.Generator) -> list[int]:
    kind = int(rng.integers(4))
    if kind < 2:  # one layer, now and then of more units than a word has bits
        return [int(rng.integers(*_WIDTHS[0][int(rng.random() < 0.25)]))]
    return [int(rng.integers(*least)) for least in _WIDTHS[kind - 1]]


def agrees(seed: int) -> str:
    """Compare a fan, perhaps times a cube and a linear space, with its sectors."""
    rng = np.random.default_rng(seed)
    layers = drawn_layers(rng, _widths(rng))
    true = sectors(layers)
    cube, flat = (int(rng.integers(3)), int(rng.integers(2))) if rng.random() < 0.5 else (0, 0)
    if len(true) < 3 or len(true) * 2**cube > 300:
        return "too few or too many sectors"
    network = fan_network(rng, layers, cube, flat)
    domain = None
    if not flat and rng.random() < 0.4:
        domain = pr.Box(-1, 1) if rng.random() < 0.7 else pr.Box(-(2.0**-300), 2.0**-300)
    engine = str(rng.choice(["auto", "dictionary"]))
    run = pr.enumerate_regions(network, domain, jobs=1, engine=engine)
    assert run.certified
    words = _words(run)
    corners = list(product((0, 1), repeat=cube))
    first = layers[0].bits

    def word(sector: Sector, corner: tuple[int, ...]) -> tuple[int, ...]:
        return *sector.bits[:first], *corner, *sector.bits[first:]

    ranks = {word(s, c): (s.ranks[0] + sum(c), *s.ranks[1:]) for s in true for c in corners}
    assert sorted(words) == sorted(ranks)
    for region, bits in zip(run, words, strict=True):
        assert region.ranks == ranks[bits]
    graph = region_graph(run, network)
    assert graph.closure.closed
    edges = {frozenset((word(s, c), word(t, c))) for s, t in _around(true) for c in corners}
    for s, c, j in product(true, corners, range(cube)):
        other = (*c[:j], 1 - c[j], *c[j + 1 :])
        edges.add(frozenset((word(s, c), word(s, other))))
    ends = zip(graph.source.tolist(), graph.target.tolist(), strict=True)
    assert {frozenset((words[a], words[b])) for a, b in ends} == edges
    if not cube:
        _maps_and_components(run, network, graph, layers, true)
    return f"{len(layers)} layers, {network.input_dim} inputs"


def _around(true: list[Sector]) -> list[tuple[Sector, Sector]]:
    return list(pairwise([*true, true[0]]))


def _maps_and_components(
    run: Run, network: Network, graph: RegionGraph, layers: list[FanLayer], true: list[Sector]
) -> None:
    """Linear regions are runs of sectors of one map; low-rank components those of low rank."""
    found = linear_region_counts(run, network, graph, len(layers))
    changes = sum(s.maps != t.maps for s, t in _around(true))
    assert found["linear_regions"] == max(1, changes)
    assert found["affine_maps"] == len({s.maps for s in true})
    for below in (1, 2):
        low = [s.ranks[-1] < below for s in true]
        begins = sum(b and not a for a, b in pairwise([*low, low[0]]))
        part = low_rank_part(Regions(run, network, graph), below)
        assert part.regions == sum(low)
        assert len(part.components) == (begins if not all(low) else 1)
        assert part.contact_components == int(any(low))  # all meet in the origin


def test_fans_of_slivers() -> None:
    outcomes = count(agrees, 0, 20)
    assert "DIFFERENT" not in outcomes
    assert len(outcomes) > 6


@pytest.mark.slow
@pytest.mark.parametrize("block", range(5))
def test_many_fans_of_slivers(block: int) -> None:
    assert "DIFFERENT" not in count(agrees, 1000 + 100 * block, 100)


if __name__ == "__main__":
    sys.stdout.write(f"{dict(count(agrees, 0, int(sys.argv[1])))}\n")
