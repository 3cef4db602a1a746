"""The run of the package's top level: its graph for networkx and its picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyrank as pr
from polyrank.errors import RunError, UnsupportedError
from polyrank.graph import store
from tests.examples import LINEAR, layer, network

# three lines in general position: 7 regions, 9 edges
_NET = network(layer([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), layer([[1, 1, 1]], [0], LINEAR))


def test_the_graph_of_a_run_in_memory() -> None:
    nx = pytest.importorskip("networkx")
    run = pr.enumerate_regions(_NET, pr.Box(-2, 2))
    graph = run.graph()
    assert (graph.number_of_nodes(), graph.number_of_edges()) == (7, 9)
    assert nx.is_connected(graph)
    words = [tuple(row) for block in run.codewords() for row in block.tolist()]
    ranks = run.table["rank_2"].to_pylist()
    for r, data in graph.nodes(data=True):
        assert data["codeword"] == "".join(map(str, words[r]))
        assert data["rank"] == ranks[r]
        point = [float(v) for v in data["witness"].split()]
        x, y = point
        assert words[r] == (int(x > 0), int(y > 0), int(x + y - 1 > 0))
    for a, b, data in graph.edges(data=True):
        assert words[a][data["unit"]] != words[b][data["unit"]]


def test_above_the_limit_networkx_is_refused() -> None:
    run = pr.enumerate_regions(_NET, pr.Box(-2, 2))
    with pytest.raises(UnsupportedError, match="7 regions; networkx takes at most 6 here"):
        run.graph(limit=6)


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UnsupportedError, match="matplotlib is not installed"):
        pr.enumerate_regions(_NET, pr.Box(-2, 2)).plot()


def test_the_picture_of_a_run() -> None:
    pytest.importorskip("matplotlib")
    figure = pr.enumerate_regions(_NET, pr.Box(-2, 2)).plot(colour="linear-region", layer=1)
    assert "7 regions" in figure.axes[0].get_title(loc="left")


def test_where_the_network_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pr.enumerate_regions(_NET, pr.Box(-2, 2), out=tmp_path / "run")
    run = pr.open_run(tmp_path / "run")
    with pytest.raises(RunError, match="does not know its network's file"):
        run.source()
    assert run.source(_NET) is _NET
    graph = run.regions(_NET).graph
    store.save_graph(graph, _NET, run)
    assert run.source().sha256 == _NET.sha256
    # from now on the stored graph is read
    import polyrank.api.run as home

    def never(*_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(home, "region_graph", never)
    again = run.regions().graph
    assert np.array_equal(again.facet_to, graph.facet_to)


def test_a_file_that_holds_another_network_now_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "net.npz"
    pr.save(_NET, file)
    entry = {"path": str(file), "options": {}}
    pr.enumerate_regions(_NET, pr.Box(-2, 2), out=tmp_path / "run", network_file=entry)
    run = pr.open_run(tmp_path / "run")
    first = run[0]
    assert first.A.shape == (1, 2)
    file.unlink()
    pr.save(network(layer([[2, 0], [0, 1], [1, 1]], [0, 0, -1]), layer([[1, 1, 1]], [0])), file)
    for ask in (run.source, lambda: first.A, lambda: run.find([0.1, 0.1]), lambda: first.facets):
        with pytest.raises(RunError, match="is not that of the run"):
            ask()
    with pytest.raises(RunError, match="is not that of the run"):
        run.source(pr.load(file))


def test_a_proof_keeps_the_network(tmp_path: Path) -> None:
    pr.enumerate_regions(_NET, pr.Box(-2, 2), out=tmp_path / "run", proof=True)
    run = pr.open_run(tmp_path / "run")
    assert run.source().sha256 == _NET.sha256
    assert run.regions().graph.edges == 9


def test_a_network_is_needed() -> None:
    with pytest.raises(TypeError, match="network is str, expected Network"):
        pr.enumerate_regions("net.npz")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="domain is tuple, expected a Box, "):
        pr.enumerate_regions(_NET, (-1, 1))  # type: ignore[arg-type]


def test_a_part_of_a_run() -> None:
    run = pr.enumerate_regions(_NET, pr.Box(-2, 2))
    assert run[2:4].ids.tolist() == [2, 3]
    assert [region.index for region in run[::-3]] == [6, 3, 0]
    assert len(run[9:]) == 0


def test_a_page_about_a_run(tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    pytest.importorskip("bokeh")
    run = pr.enumerate_regions(_NET, pr.Box(-2, 2))
    page = run.report(tmp_path / "page.html", layer=1)
    assert page == tmp_path / "page.html"
    text = page.read_text("utf-8")
    assert "certified: exactly 7 regions" in text
    assert "edges (pairs that share a facet)" in text
    with pytest.raises(RunError, match="not that of the run"):
        run.report(page, pr.random_network([2, 2]))


def test_a_network_without_hyperplanes_has_one_region_that_holds_every_point() -> None:
    net = pr.Network.from_arrays([[[2.0, 1.0]]], [[0.5]])
    run = pr.enumerate_regions(net, pr.Box(-1, 1))
    found = run.find([0.25, "1/3"])
    assert found is not None
    assert found.index == 0
    assert run.find([2, 0]) is None
