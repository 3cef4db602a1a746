"""Stages of a layer: where they begin, and that the graph does not depend on them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import polyrank as pr
from polyrank.graph import listing
from polyrank.graph.build import region_graph
from polyrank.graph.listing import _stages
from polyrank.network.normal_form import Network
from tests.examples import EXAMPLES, Example, Space
from tests.graph.test_adjacency import _agrees
from tests.graph.test_scales import agrees
from tests.graph.test_slivers import (
    test_many_lines_through_a_point as many_lines,
)
from tests.graph.test_slivers import (
    test_planes_through_a_line_and_others_across as planes_across,
)
from tests.strategies import problems

SMALL = 2


@pytest.fixture
def small_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stage has about twice the cells of the one before."""
    monkeypatch.setattr(listing, "_GROWTH", SMALL)
    monkeypatch.setattr(listing, "_LEAST", SMALL)


def test_where_stages_begin(small_stages: None) -> None:
    """Ten lines of a pencil, then two units that cut nothing, then a layer of two cells each."""
    cells = np.array([1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 20, 20, 40])
    stages = _stages(cells, np.array([0, 12, 13])).tolist()
    assert stages == [0, 1, 2, 5, 12, 13]
    assert [int(cells[s]) for s in stages] == [1, 2, 4, 10, 20, 40]


def test_layers_of_few_cells_are_one_stage() -> None:
    cells = np.array([1, 2, 4, 7, 11, 16, 22])
    assert _stages(cells, np.array([0, 6])).tolist() == [0, 6]
    assert _stages(cells, np.array([0, 2, 6])).tolist() == [0, 2, 6]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_examples(example: Example, small_stages: None) -> None:
    _agrees(example.network, example.space)


@settings(max_examples=60)
@given(problems(max_inputs=3, max_bits=9))
def test_random_degenerate_networks(problem: tuple[Network, Space]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "_GROWTH", SMALL)
        patch.setattr(listing, "_LEAST", SMALL)
        _agrees(*problem)


@pytest.mark.parametrize("seed", range(200, 240))
def test_all_magnitudes(seed: int, small_stages: None) -> None:
    agrees(seed)


@pytest.mark.parametrize("seed", range(8))
def test_slivers(seed: int, small_stages: None) -> None:
    many_lines(seed, None)
    many_lines(seed, pr.Box(-1, 1))
    planes_across(seed)


def _cases() -> Iterator[tuple[str, list[int], Any, bool]]:
    """Widths, domain, biases."""
    yield "line", [1, 300], None, True
    yield "interval", [1, 300], pr.Box([-1], [1]), True
    yield "plane", [2, 60], None, True
    yield "square", [2, 60], pr.Box([-3, -3], [3, 3]), True
    yield "cube", [3, 24, 5], pr.Box([-1] * 3, [1] * 3), True
    yield "half-space", [3, 16], pr.Polytope([[1.0, 0.0, 0.0]], [0.5]), True
    yield "cone", [4, 14, 3], None, False
    yield "central", [5, 12], None, False
    yield "two layers", [4, 12, 6], pr.Box([-2] * 4, [2] * 4), True
    yield "six dimensions", [6, 14], None, True
    yield "seven dimensions", [7, 12], pr.Box([-1] * 7, [1] * 7), True


@pytest.mark.parametrize(
    ("widths", "domain", "bias"), [case[1:] for case in _cases()], ids=[c[0] for c in _cases()]
)
def test_the_graph_does_not_depend_on_stages(
    monkeypatch: pytest.MonkeyPatch, widths: list[int], domain: Any, bias: bool
) -> None:
    rng = np.random.default_rng(sum(widths))
    weights = [rng.standard_normal((m, n)) for n, m in pairwise(widths)]
    biases = [rng.standard_normal(m) * bias for m in widths[1:]]
    network = Network.from_arrays(weights, biases, output_relu=True)
    run = pr.enumerate_regions(network, domain)
    found = []
    for growth in (1 << 40, 24, 5, SMALL):
        monkeypatch.setattr(listing, "_GROWTH", growth)
        monkeypatch.setattr(listing, "_LEAST", SMALL)
        graph = region_graph(run, network)
        assert graph.closure.closed
        edges = np.stack([graph.source, graph.target, graph.unit])
        facets = np.stack([np.repeat(np.arange(run.count), np.diff(graph.facet_start)),
                           graph.facet_unit, graph.facet_to])  # fmt: skip
        found.append((edges[:, np.lexsort(edges)], facets[:, np.lexsort(facets)]))
    for edges, facets in found[1:]:
        assert np.array_equal(edges, found[0][0])
        assert np.array_equal(facets, found[0][1])
