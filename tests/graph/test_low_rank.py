"""Low-rank components, geometry of regions, linear regions, storage, and the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.errors import RunError, UnsupportedError
from polyrank.graph.build import region_graph
from polyrank.graph.geometry import Regions
from polyrank.graph.linear_regions import linear_region_counts
from polyrank.graph.low_rank import low_rank_part
from polyrank.graph.store import (
    edges_table,
    export_graph,
    load_graph,
    save_graph,
    stored_network,
    to_networkx,
)
from polyrank.network.normal_form import Network, relu_layer
from polyrank.network.rational import RationalArray
from tests.cli.conftest import polyrank as polyrank  # noqa: PLC0414  (the fixture)
from tests.examples import LINEAR, layer, network


def _regions(net: Network, domain: Any = None) -> Regions:
    run = pr.enumerate_regions(net, domain)
    return Regions(run, net, region_graph(run, net))


# (x, y) ↦ (relu(x + y), relu(x − y)): four quadrants of rank 2, 1, 1, 0
_CROSS = network(layer([[1, 1], [1, -1]], [0, 0]))


def test_nothing_is_low_rank_where_the_rank_is_one_everywhere() -> None:
    # |x| − |y|
    net = network(
        layer([[1, 0], [-1, 0], [0, 1], [0, -1]], [0, 0, 0, 0]),
        layer([[1, 1, -1, -1]], [0], LINEAR),
    )
    regions = _regions(net)
    part = low_rank_part(regions, 1)
    assert (part.regions, part.components) == (0, ())


def test_opposite_quadrants_meet_in_the_origin_only() -> None:
    # s = |x + y| − |x − y| is > 0 where x y > 0; relu(s) has rank 0 on the two other quadrants
    net = network(
        layer([[1, 1], [-1, -1], [1, -1], [-1, 1]], [0, 0, 0, 0]), layer([[1, 1, -1, -1]], [0])
    )
    part = low_rank_part(_regions(net), 1)
    assert len(part.components) == 2
    assert part.contact_components == 1
    assert all(c.images == ((fmpq(0),),) for c in part.components)
    assert not any(c.bounded or c.touches_wall for c in part.components)


def test_bounded_components_and_those_at_the_wall() -> None:
    # relu(|x| − 1) has rank 0 where |x| < 1
    net = network(layer([[1], [-1]], [0, 0]), layer([[1, 1]], [-1]))
    part = low_rank_part(_regions(net, pr.Box(-3, 3)), 1)
    assert (part.regions, len(part.components), part.contact_components) == (2, 1, 1)
    (only,) = part.components
    assert (only.bounded, only.touches_wall) == (True, False)
    part = low_rank_part(_regions(net, pr.Box("-1/2", 3)), 1)
    assert part.components[0].touches_wall


def test_parallel_strips_are_compared_modulo_their_lines() -> None:
    # relu(x) and relu(x − 1) in the plane: rank 0 left of 0, rank 1 elsewhere, all with a line
    net = network(layer([[1, 0], [1, 0]], [0, -1]))
    part = low_rank_part(_regions(net), 2)
    assert (part.regions, len(part.components), part.contact_components) == (3, 1, 1)


def test_too_many_regions_leave_the_contact_open() -> None:
    part = low_rank_part(_regions(_CROSS), 2, limit=1)
    assert part.contact_components is None
    assert part.components[0].bounded is None


def test_a_layer_that_is_not_there() -> None:
    regions = _regions(_CROSS)
    with pytest.raises(RunError, match="layer 2 is not part of this run"):
        low_rank_part(regions, 1, 2)
    with pytest.raises(RunError, match="layer 0 is not part of this run"):
        linear_region_counts(regions.run, _CROSS, regions.graph, 0)
    with pytest.raises(RunError, match="there is no region 4"):
        regions.rows(4)


def test_volumes_add_up_and_balls_fit() -> None:
    rng = np.random.default_rng(2)
    shapes = [(5, 3), (4, 5), (1, 4)]
    net = Network.from_arrays(
        [rng.integers(-4, 5, size=s) / 4 for s in shapes],
        [rng.integers(-4, 5, size=s[0]) / 4 for s in shapes],
    )
    regions = _regions(net, pr.Box(-1, 2))
    total = fmpq(0)
    for r in range(regions.graph.regions):
        shape = regions.geometry(r)
        assert shape.volume is not None
        total += shape.volume
        ball = shape.ball()
        assert ball is not None
        assert ball.radius_squared > 0
    assert total == 27


def test_linear_regions_of_a_fold_that_is_undone() -> None:
    # relu(x) − relu(−x) = x: two activation regions, one linear region
    net = network(layer([[1], [-1]], [0, 0]), layer([[1, -1]], [0], LINEAR))
    regions = _regions(net)
    counts = linear_region_counts(regions.run, net, regions.graph)
    assert counts == {
        "layer": 2,
        "activation_regions": 2,
        "linear_regions": 1,
        "affine_maps": 1,
    }
    assert linear_region_counts(regions.run, net, regions.graph, 1)["linear_regions"] == 2


def test_equal_maps_that_do_not_meet() -> None:
    # a trapezoid: slope 0 below 0 and above 3 with the same value 0
    net = network(
        layer([[1], [1], [1], [1]], [0, -1, -2, -3]), layer([[1, -1, -1, 1]], [0], LINEAR)
    )
    regions = _regions(net)
    counts = linear_region_counts(regions.run, net, regions.graph)
    assert (counts["linear_regions"], counts["affine_maps"]) == (5, 4)


def test_storage_and_exports(tmp_path: Path) -> None:
    net = network(layer([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), layer([[1, 1, 1]], [0]))
    run = pr.enumerate_regions(net, pr.Box(-2, 2), out=tmp_path / "run")
    with pytest.raises(RunError, match="has no graph yet"):
        load_graph(run)
    graph = region_graph(run, net)
    save_graph(graph, net, run)
    save_graph(graph, net, run)  # replaces
    again = load_graph(pr.open_run(tmp_path / "run"))
    assert np.array_equal(again.facet_to, graph.facet_to)
    assert edges_table(again).equals(edges_table(graph))
    assert again.closure == graph.closure
    assert stored_network(run).sha256 == net.sha256
    pytest.importorskip("networkx")
    made = to_networkx(graph, run)
    assert (made.number_of_nodes(), made.number_of_edges()) == (run.count, graph.edges)
    for name in ("g.npz", "g.parquet", "g.graphml"):
        export_graph(graph, run, tmp_path / name)
        assert (tmp_path / name).stat().st_size
    with pytest.raises(UnsupportedError, match="a graph is written as"):
        export_graph(graph, run, tmp_path / "g.txt")
    with pytest.raises(UnsupportedError, match="networkx takes at most 3"):
        to_networkx(graph, run, limit=3)
    (tmp_path / "run/graph/facets.npz").write_bytes(b"")
    with pytest.raises(RunError, match="cannot be read"):
        load_graph(run)


def test_a_run_in_memory_is_not_saved() -> None:
    regions = _regions(_CROSS)
    with pytest.raises(RunError, match="in memory"):
        save_graph(regions.graph, _CROSS, regions.run)


def test_the_command_line(polyrank: Any, tmp_path: Path) -> None:
    np.savez(
        tmp_path / "net.npz",
        W0=np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), b0=np.array([0.0, 0.0, -1.0]),
        W1=np.ones((1, 3)), b1=np.zeros(1),
    )  # fmt: skip
    run = tmp_path / "run"
    polyrank("enumerate", tmp_path / "net.npz", "--box", "-2", "2", "-o", run, "-q")
    assert "no graph yet" in polyrank("low-rank", run).err
    made = polyrank("graph", run, "--network", tmp_path / "net.npz", "--linear-regions", "2")
    assert made.status == 0
    assert "7 regions, 9 edges" in made.out
    assert json.loads(polyrank("graph", run, "--json").out)["closed"] is True
    low = json.loads(polyrank("low-rank", run, "--below", "1", "--json").out)
    assert (low["regions"], low["facet_components"]) == (1, 1)
    assert "(0)" in polyrank("low-rank", run, "--below", "1").out
    shown = json.loads(polyrank("region", run, "0", "--json").out)
    assert len(shown["facets"]) == len(shown["vertices"])
    assert "codeword" in polyrank("region", run, "0").out
    assert polyrank("region", run, "99").status == 1


@pytest.mark.parametrize("q", [2147483647, 2147483629, 2147483647 * 2147483629 * 2147483587])
def test_linear_regions_of_weights_with_any_denominator(q: int) -> None:
    # |x| / q: two linear regions; relu(x / q) − relu(−x / q) = x / q: one
    for last, expected in ((1, 2), (-1, 1)):
        scaled = RationalArray.from_rationals([fmpq(1, q), fmpq(-1, q)], (2, 1))
        net = network(
            relu_layer(scaled, RationalArray.from_floats([0.0, 0.0])),
            layer([[1, last]], [0], LINEAR),
        )
        regions = _regions(net)
        counts = linear_region_counts(regions.run, net, regions.graph)
        assert counts["linear_regions"] == expected
