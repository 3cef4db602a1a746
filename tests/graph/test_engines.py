"""The compiled walk and rational arithmetic agree, alone and mixed within one graph."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings

import polyrank as pr
from polyrank.cells.interrupt import Slices
from polyrank.errors import UncertifiedError
from polyrank.graph import blocks, build, making
from polyrank.graph.build import region_graph
from polyrank.graph.geometry import Regions
from polyrank.graph.region_graph import RegionGraph
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float
from polyrank.regions.run import Run
from tests.examples import EXAMPLES, Example, Space, layer, network
from tests.graph.test_adjacency import _sound
from tests.strategies import problems


def _spelled(run: Run, chosen: Any) -> Run:
    """The same run with the witnesses of some regions as fractions: they are left to rationals."""
    table = run.table
    floats = table["witness"].to_pylist()
    exact = table["witness_exact"].to_pylist()
    for r in range(run.count):
        if chosen(r) and floats[r] is not None:
            exact[r] = [str(fmpq_from_float(v)) for v in floats[r]]
            floats[r] = None
    for name, values in (("witness", floats), ("witness_exact", exact)):
        at = table.schema.get_field_index(name)
        table = table.set_column(
            at, table.schema.field(name), pa.array(values, table.schema.field(name).type)
        )
    return Run.in_memory(run.manifest, table)


def _facets(graph: Any) -> list[set[tuple[int, bool]]]:
    """Per region where its facets lead, and which are walls."""
    out = []
    for r in range(graph.regions):
        start, end = graph.facet_start[r : r + 2]
        pairs = zip(
            graph.facet_to[start:end].tolist(), graph.facet_unit[start:end].tolist(), strict=True
        )
        out.append({(t, u) if t < 0 else (t, 0) for t, u in pairs})
    return out


def _arrays(graph: RegionGraph) -> dict[str, bytes]:
    """Every array of a graph, byte by byte."""
    values = {field.name: getattr(graph, field.name) for field in fields(graph)}
    return {name: v.tobytes() for name, v in values.items() if isinstance(v, np.ndarray)}


def _agree(net: Network, domain: Any) -> None:
    run = pr.enumerate_regions(net, domain)
    plain = region_graph(run, net)
    edges = set(zip(plain.source.tolist(), plain.target.tolist(), strict=True))
    for chosen in (lambda r: True, lambda r: r % 2 == 0, lambda r: r % 3 == 1):
        mixed_run = _spelled(run, chosen)
        mixed = region_graph(mixed_run, net)
        _sound(mixed_run, mixed)
        assert set(zip(mixed.source.tolist(), mixed.target.tolist(), strict=True)) == edges
        assert _facets(mixed) == _facets(plain)
        if run.dimension:
            expected = sum(bool(chosen(r)) for r in range(run.count))
            assert mixed.statistics["open"] >= expected
        regions = Regions(mixed_run, net, mixed)
        for e in range(mixed.edges):
            assert len(regions.crossing(e)) == run.coordinates


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_examples(example: Example) -> None:
    _agree(example.network, example.space.domain())


def test_a_multiple_of_a_redundant_row_is_none_where_that_row_is_not() -> None:
    """Two units of one layer that are multiples of each other: where neither is redundant, one is
    the facet, whatever was remembered of regions where both are redundant."""
    net = Network.from_arrays(
        [
            [[0, -2, -2, -1], [2, -1, -2, 1], [0, 0, 1, 1], [1, 0, 0, 2]],
            [[1, -1, 2, 1], [1, -1, 1, 2], [2, 0, -2, 0], [0, 1, -2, 2]],
            [[-2, 1, -2, 2], [2, 0, -1, 0], [0, -2, 1, 1], [1, -2, 2, 0], [0, -2, 1, 2]],
            [[2, -2, -2, -1, 0]],
        ],
        [[-2, -2, 0, 0], [0, 2, 0, 0], [0, 2, 1, 0, 0], [-2]],
    )
    _agree(net, pr.Box(-2, 2))


@settings(max_examples=25)
@given(problems(max_inputs=3, max_bits=8))
def test_random_degenerate_networks(problem: tuple[Network, Space]) -> None:
    net, space = problem
    _agree(net, space.domain())


@pytest.mark.long
@pytest.mark.slow
@settings(max_examples=200)
@given(problems())
def test_many_random_degenerate_networks(problem: tuple[Network, Space]) -> None:
    net, space = problem
    _agree(net, space.domain())


def test_rows_proved_redundant_beforehand_change_nothing() -> None:
    rng = np.random.default_rng(4)
    shapes = [(6, 3), (6, 6), (1, 6)]
    net = Network.from_arrays(
        [rng.integers(-4, 5, size=s) / 4 for s in shapes],
        [rng.integers(-4, 5, size=s[0]) / 4 for s in shapes],
    )
    run = pr.enumerate_regions(net, pr.Box(-2, 2))
    regions = Regions(run, net, region_graph(run, net))
    for r in range(0, run.count, 7):
        witness = regions.witness(r)
        inside = fmpq_mat(len(witness), 1, list(witness))
        every = regions.exact(r).facets(inside)
        known = {f.names[0] for f in every}
        some = regions.exact(r).facets(inside, known.__contains__)
        assert [(f.row, f.names) for f in some] == [(f.row, f.names) for f in every]


def test_slices_of_a_walk_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    shapes = [(9, 3), (9, 9), (1, 9)]
    net = Network.from_arrays(
        [np.round(rng.normal(size=s), 3) for s in shapes],
        [np.round(rng.normal(size=s[0]), 3) for s in shapes],
    )
    run = pr.enumerate_regions(net, pr.Box(-2, 2))
    plain = region_graph(run, net)
    monkeypatch.setattr(making, "Slices", lambda: Slices(most=100))
    calls: list[tuple[int, int]] = []
    small = region_graph(run, net, progress=lambda done, all_: calls.append((done, all_)))
    assert calls[-1] == (run.count, run.count)
    assert len(calls) > run.count // 100
    assert _arrays(small) == _arrays(plain)


@pytest.mark.parametrize("domain", [pr.Box(-2, 2), pr.WholeSpace()], ids=["box", "space"])
def test_the_graph_does_not_depend_on_the_number_of_threads(
    domain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(6)
    shapes = [(9, 3), (7, 9), (1, 7)]
    net = Network.from_arrays(
        [np.round(rng.normal(size=s), 2) for s in shapes],
        [np.round(rng.normal(size=s[0]), 2) for s in shapes],
    )
    run = _spelled(pr.enumerate_regions(net, domain), lambda r: r % 50 == 7)  # some by rationals
    monkeypatch.setattr(blocks, "_LEAST", 8)
    one = region_graph(run, net, jobs=1)
    _sound(run, one)
    for jobs in (2, 7):
        many = region_graph(run, net, jobs=jobs)
        assert _arrays(many) == _arrays(one)
        assert {**many.statistics, "seconds": 0} == {**one.statistics, "seconds": 0}
        assert many.closure == one.closure
        assert many.beyond_exact == one.beyond_exact


def test_no_thread_at_all_is_refused() -> None:
    net = network(layer([[1]], [0]))
    with pytest.raises(ValueError, match="jobs is 0"):
        region_graph(pr.enumerate_regions(net), net, jobs=0)


def test_more_gaps_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_GAPS", 2)
    net = network(layer([[1, 0], [0, 1], [1, 1]], [0, 0, -1]))
    run = pr.enumerate_regions(net, pr.Box(-2, 2))
    graph = region_graph(Run.in_memory(run.manifest, run.table.slice(0, 3)), net)
    assert len(graph.closure.gaps) == 2
    assert graph.closure.missing == (graph.facet_to == -2).sum()
    assert not graph.closure.closed
    assert (graph.facet_to == -2).sum() > 2


def test_a_witness_that_is_outside_its_region() -> None:
    net = network(layer([[1]], [0]))
    run = pr.enumerate_regions(net)
    table = run.table
    at = table.schema.get_field_index("witness")
    kind = table.schema.field("witness").type
    wrong = table.set_column(at, table.schema.field("witness"), pa.array([[-1.0], [-1.0]], kind))
    with pytest.raises(UncertifiedError, match="the witness of a region is not inside it"):
        region_graph(Run.in_memory(run.manifest, wrong), net)


def test_a_run_without_regions() -> None:
    net = network(layer([[1]], [0]))
    run = pr.enumerate_regions(net)
    graph = region_graph(Run.in_memory(run.manifest, run.table.slice(0, 0)), net)
    assert (graph.regions, graph.edges, graph.closure.components) == (0, 0, 0)
    assert not graph.closure.connected


def test_an_unbounded_region_has_a_facet_at_infinity_nowhere() -> None:
    # x < 0 and x > 0 on the line: one facet each, none at infinity
    net = network(layer([[1]], [0]))
    run = pr.enumerate_regions(net)
    graph = region_graph(run, net)
    _sound(run, graph)
    assert graph.closure.facets == 2
    assert Regions(run, net, graph).crossing(0) == (fmpq(0),)
