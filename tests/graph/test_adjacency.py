"""Facets and edges against exact brute force, theorems and known f-vectors."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import polyrank as pr
from polyrank.errors import RunError
from polyrank.graph.build import region_graph
from polyrank.graph.region_graph import WALL
from polyrank.network.normal_form import Network
from polyrank.regions.run import Run
from tests.examples import EXAMPLES, Example, Space, layer, network
from tests.families import Arrangement, _central, _unit, generic, sawtooth
from tests.graph.brute_force import adjacent_pairs
from tests.oracles import exact_rank
from tests.strategies import problems


def _words(run: Run) -> list[tuple[int, ...]]:
    return [tuple(int(v) for v in row) for block in run.codewords() for row in block]


def _graph(net: Network, domain: Any = None) -> tuple[Run, Any]:
    run = pr.enumerate_regions(net, domain)
    return run, region_graph(run, net)


def _sound(run: Run, graph: Any) -> None:
    assert graph.closure.closed
    assert graph.closure.connected
    assert graph.regions == run.count
    inner = int((graph.facet_to >= 0).sum())
    assert inner == 2 * graph.edges
    assert int(graph.degrees().sum()) + graph.closure.wall_facets == graph.closure.facets
    assert np.array_equal(graph.degrees() + graph.wall_facets(), np.diff(graph.facet_start))


def _agrees(net: Network, space: Space) -> None:
    run, graph = _graph(net, space.domain())
    _sound(run, graph)
    words = _words(run)
    edges = {
        frozenset((words[a], words[b]))
        for a, b in zip(graph.source.tolist(), graph.target.tolist(), strict=True)
    }
    pairs, walls = adjacent_pairs(net, space.rows)
    assert edges == pairs
    assert dict(zip(words, graph.wall_facets().tolist(), strict=True)) == walls


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_examples(example: Example) -> None:
    _agrees(example.network, example.space)


@settings(max_examples=60)
@given(problems(max_inputs=3, max_bits=9))
def test_random_degenerate_networks(problem: tuple[Network, Space]) -> None:
    _agrees(*problem)


@pytest.mark.long
@pytest.mark.slow
@settings(max_examples=1500)
@given(problems())
def test_many_random_degenerate_networks(problem: tuple[Network, Space]) -> None:
    _agrees(*problem)


def test_hamming_distance_one_is_not_adjacency() -> None:
    # SPEC 5: g = 2 relu(x) − relu(x + 10) + 9 is negative exactly where |x| < 1 between
    net = network(layer([[1], [1]], [0, 10]), layer([[2, -1]], [9]))
    run, graph = _graph(net)
    words = _words(run)
    a, b = words.index((0, 1, 1)), words.index((1, 1, 1))
    assert b not in graph.neighbours(a)
    _sound(run, graph)


def test_hamming_pairs_of_deep_networks_that_are_not_adjacent() -> None:
    rng = np.random.default_rng(5)
    counted = 0
    for _ in range(6):
        shapes = [(8, 2), (8, 8), (8, 8), (1, 8)]
        weights = [np.round(rng.normal(size=s), 2) for s in shapes]
        net = Network.from_arrays(weights, [np.round(rng.normal(size=s[0]), 2) for s in shapes])
        run, graph = _graph(net, pr.Box(-2, 2))
        words = np.array(_words(run))
        edges = set(zip(graph.source.tolist(), graph.target.tolist(), strict=True))
        pairs = {
            (i, j)
            for i, j in combinations(range(len(words)), 2)
            if int((words[i] != words[j]).sum()) == 1
        }
        assert edges <= pairs  # weights in general position: one unit per facet
        counted += len(pairs - edges)
    assert counted > 0


def _braid(n: int) -> Arrangement:
    rows = []
    for i, j in combinations(range(n), 2):
        row = [0] * n
        row[i], row[j] = 1, -1
        rows.append(tuple(row))
    return _central(rows)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_the_graph_of_the_braid_arrangement_is_the_permutohedron(n: int) -> None:
    run, graph = _graph(_braid(n).network())
    _sound(run, graph)
    assert (graph.degrees() == n - 1).all()


@pytest.mark.parametrize("n", [1, 2, 4, 6])
def test_coordinate_hyperplanes_give_the_cube(n: int) -> None:
    run, graph = _graph(_central(_unit(n, i) for i in range(n)).network())
    _sound(run, graph)
    assert graph.edges == n * 2 ** (n - 1)
    assert (graph.degrees() == n).all()


def test_three_pairs_of_parallel_planes_around_a_cube() -> None:
    # 27 boxes, 3·2·9 = 54 facets between them
    rows = tuple(_unit(3, i) for i in range(3) for _ in range(2))
    run, graph = _graph(Arrangement(rows, (0, 1) * 3).network())
    _sound(run, graph)
    assert (run.count, graph.edges) == (27, 54)


@pytest.mark.parametrize(("p", "n"), [(6, 2), (7, 3), (8, 4)])
def test_edges_of_general_position(p: int, n: int) -> None:
    # each of the p hyperplanes is cut by the others into Σ_{i<n} C(p − 1, i) facets
    from math import comb

    run, graph = _graph(generic(p, n).network())
    _sound(run, graph)
    assert graph.edges == p * sum(comb(p - 1, i) for i in range(n))
    assert 2 * graph.edges < 2 * n * run.count  # mean degree < 2n


@pytest.mark.parametrize("k", [3, 6])
def test_a_line_has_a_path(k: int) -> None:
    run, graph = _graph(sawtooth(k), pr.Box(0, 1))
    _sound(run, graph)
    assert graph.edges == run.count - 1
    assert graph.closure.wall_facets == 2


def test_coincident_hyperplanes_flip_together() -> None:
    net = network(
        layer([[1, 0], [-2, 0], [3, 0], [0, 1]], [0, 0, 0, 0]), layer([[1, 1, 1, 1]], [0])
    )
    run, graph = _graph(net, pr.Box(-1, 1))
    _sound(run, graph)
    words = np.array(_words(run))
    flips = (words[graph.source] != words[graph.target]).sum(axis=1)
    assert flips.max() >= 3


def test_a_deleted_region_is_named_by_the_closure_check() -> None:
    net = network(
        layer([[1, 0], [0, 1], [1, 1], [1, -2]], [0, 0, -1, 1]), layer([[1, -1, 2, 1]], [-1])
    )
    run = pr.enumerate_regions(net, pr.Box(-3, 3))
    words = _words(run)
    for gone in range(run.count):
        table = run.table
        kept = table.slice(0, gone).combine_chunks()
        import pyarrow as pa

        rest = pa.concat_tables([kept, table.slice(gone + 1)])
        damaged = Run.in_memory(run.manifest, rest)
        graph = region_graph(damaged, net)
        assert not graph.closure.closed
        assert {gap.codeword for gap in graph.closure.gaps} == {words[gone]}


def test_points_behind_facets_lie_in_the_neighbour() -> None:
    rng = np.random.default_rng(1)
    net = Network.from_arrays(
        [np.round(rng.normal(size=s), 3) for s in [(6, 2), (5, 6), (1, 5)]],
        [np.round(rng.normal(size=s), 3) for s in [6, 5, 1]],
    )
    run, graph = _graph(net, pr.Box(-1, 1))
    _sound(run, graph)
    assert np.isfinite(graph.beyond).all()
    assert exact_rank([[1]]) == 1
    assert (graph.facet_to[graph.facet_unit < 0] == WALL).all()


def test_another_network_is_refused() -> None:
    net = network(layer([[1]], [0]))
    run = pr.enumerate_regions(net)
    with pytest.raises(RunError, match="is not that of the run"):
        region_graph(run, network(layer([[2]], [0])))


def test_a_codeword_listed_twice_is_refused() -> None:
    import pyarrow as pa

    net = network(layer([[1]], [0]))
    run = pr.enumerate_regions(net)
    twice = Run.in_memory(run.manifest, pa.concat_tables([run.table, run.table]))
    with pytest.raises(RunError, match="listed twice"):
        region_graph(twice, net)


def test_a_domain_that_is_a_point_has_no_facets() -> None:
    net = network(layer([[1]], [0]))
    _run, graph = _graph(net, pr.Box(1, 1))
    assert (graph.regions, graph.edges, graph.closure.facets) == (1, 0, 0)
