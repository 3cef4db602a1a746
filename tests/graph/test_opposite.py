"""Opposite regions of central arrangements, which take their facets from each other."""

from __future__ import annotations

import numpy as np
import pytest

import polyrank as pr
from polyrank.graph import blocks as blocks_module
from polyrank.graph.build import region_graph
from polyrank.graph.region_graph import RegionGraph
from polyrank.regions.run import Run
from tests.families import FAMILIES, generic_central
from tests.graph.test_adjacency import _sound, _words
from tests.graph.test_known_graphs import _edge_count

NET = generic_central(9, 4).network()


def _edges(run: Run, graph: RegionGraph) -> set[tuple[frozenset[tuple[int, ...]], int]]:
    """The edges by codewords, with the unit that is crossed."""
    words = _words(run)
    ends = zip(graph.source.tolist(), graph.target.tolist(), graph.unit.tolist(), strict=True)
    return {(frozenset((words[a], words[b])), unit) for a, b, unit in ends}


def _listed(run: Run, order: list[int]) -> Run:
    return Run.in_memory(run.manifest, run.table.take(order))


def test_one_of_two_opposite_regions_is_walked_over() -> None:
    run = pr.enumerate_regions(NET)
    graph = region_graph(run, NET)
    _sound(run, graph)
    assert graph.edges == _edge_count(generic_central(9, 4))
    assert 2 * graph.statistics["by_opposite"] == run.count


@pytest.mark.parametrize("size", [2, 3, 7, 16])
def test_any_order_of_the_regions_and_any_blocks(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pairs that a block's end divides, that lie apart, or whose witnesses are not opposite."""
    monkeypatch.setattr(blocks_module, "_LEAST", size)
    run = pr.enumerate_regions(NET)
    expected = _edges(run, region_graph(run, NET))
    rng = np.random.default_rng(size)
    pairs = 2 * rng.permutation(run.count // 2)
    turned = [int(r) + int(i) for r in pairs for i in rng.permutation(2)]
    some_apart = [*range(1, run.count // 2), 0, *range(run.count // 2, run.count)]
    for order in (turned, some_apart, rng.permutation(run.count).tolist()):
        again = _listed(run, order)
        graph = region_graph(again, NET)
        _sound(again, graph)
        assert _edges(again, graph) == expected


def test_a_region_whose_opposite_is_missing() -> None:
    """Regions next to the gap have no opposite neighbour: they are walked over by themselves."""
    run = pr.enumerate_regions(NET)
    words = _words(run)
    for gone in (0, 1, 40, 41, run.count - 1):
        damaged = _listed(run, [i for i in range(run.count) if i != gone])
        graph = region_graph(damaged, NET)
        assert not graph.closure.closed
        assert {gap.codeword for gap in graph.closure.gaps} == {words[gone]}
        swapped = [i for i in range(run.count) if i not in (gone, gone ^ 1)]
        graph = region_graph(_listed(run, swapped), NET)
        assert {gap.codeword for gap in graph.closure.gaps} == {words[gone], words[gone ^ 1]}


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_families_by_pairs_and_one_by_one(name: str) -> None:
    """Degenerate arrangements, some of them central: shuffled rows have no pairs to go by."""
    n = min(FAMILIES[name].regions)
    net = FAMILIES[name].build(n + (n + 1 in FAMILIES[name].regions)).network()
    run = pr.enumerate_regions(net)
    shuffled = _listed(run, np.random.default_rng(1).permutation(run.count).tolist())
    assert _edges(run, region_graph(run, net)) == _edges(shuffled, region_graph(shuffled, net))
