"""``polyrank graph``, ``low-rank``, ``region`` and ``enumerate --graph``."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.sparse import load_npz

import polyrank as pr
from polyrank.graph import build
from polyrank.graph.store import load_graph


@pytest.fixture
def run(polyrank: Any, plane: Path, tmp_path: Path) -> Path:
    path = tmp_path / "run"
    assert polyrank("enumerate", plane, "--box", "-2", "2", "-o", path, "--graph", "-q").status == 0
    return path


def test_enumerate_with_graph(polyrank: Any, plane: Path, tmp_path: Path) -> None:
    # three lines in general position: 7 regions, 9 edges of the arrangement's dual
    done = polyrank(
        "enumerate", plane, "--box", "-2", "2", "-o", tmp_path / "r", "--graph", "-q", "--json"
    )
    graph = json.loads(done.out)["graph"]
    assert (graph["regions"], graph["edges"], graph["closed"]) == (7, 9, True)
    done = polyrank("enumerate", plane, "--graph")
    assert done.status == 2
    assert "--graph writes to the run directory" in done.err


def test_the_network_is_found_by_itself(polyrank: Any, plane: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    polyrank("enumerate", plane, "-o", path, "-q")
    made = polyrank("graph", path, "--linear-regions", "1")
    assert made.status == 0
    assert "7 regions, 9 edges" in made.out
    assert "closed: every facet leads to a listed region or to the wall" in made.out
    assert "9 pairs of codewords differ in one bit; 0 of them share no facet" in made.out
    plane.unlink()
    again = polyrank("graph", path)  # from its own copy
    assert again.status == 0
    assert "7 regions, 9 edges" in again.out


def test_the_network_is_gone(polyrank: Any, plane: Path, tmp_path: Path) -> None:
    polyrank("enumerate", plane, "-o", tmp_path / "run", "-q")
    plane.unlink()
    done = polyrank("graph", tmp_path / "run")
    assert done.status == 1
    assert "give the network" in done.err


def test_another_network(polyrank: Any, plane: Path, run: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", W0=np.eye(2), b0=np.zeros(2), W1=np.ones((1, 2)), b1=[0.0])
    done = polyrank("graph", run, "--network", tmp_path / "other.npz")
    assert done.status == 1
    assert "is not that of the run" in done.err


def test_hamming_neighbours_that_share_no_facet(polyrank: Any, tmp_path: Path) -> None:
    # SPEC 5: (−,+,+) and (+,+,+) are separated by |x| < 1
    np.savez(
        tmp_path / "v.npz", W0=[[1.0], [1.0]], b0=[0.0, 10.0], W1=[[2.0, -1.0]], b1=[9.0],
    )  # fmt: skip
    polyrank("enumerate", tmp_path / "v.npz", "--output-relu", "-o", tmp_path / "run", "-q")
    shown = json.loads(polyrank("graph", tmp_path / "run", "--json").out)
    assert shown["hamming_pairs_not_adjacent"] == 1


def test_exports(polyrank: Any, run: Path, tmp_path: Path) -> None:
    nx = pytest.importorskip("networkx")
    for name in ("g.npz", "g.parquet", "g.graphml", "g.gexf"):
        assert polyrank("graph", run, "--export", tmp_path / name).status == 0
    matrix = load_npz(tmp_path / "g.npz")
    assert matrix.shape == (7, 7)
    assert (matrix != matrix.T).nnz == 0
    table = pq.read_table(tmp_path / "g.parquet")
    edges = set(zip(table["source"].to_pylist(), table["target"].to_pylist(), strict=True))
    assert len(edges) == 9
    assert {(int(a), int(b)) for a, b in zip(*matrix.nonzero(), strict=True) if a < b} == edges
    for made in (
        nx.read_graphml(tmp_path / "g.graphml", node_type=int),
        nx.read_gexf(tmp_path / "g.gexf", node_type=int),
    ):
        assert {(min(e), max(e)) for e in made.edges} == edges
        assert {d["rank"] for _, d in made.nodes(data=True)} <= {0, 1}
        assert all(len(d["codeword"]) == 3 for _, d in made.nodes(data=True))
        assert all("unit" in d for _, _, d in made.edges(data=True))
    done = polyrank("graph", run, "--export", tmp_path / "g.xlsx")
    assert done.status == 1
    assert "a graph is written as" in done.err


def test_a_region_that_is_missing_is_named(polyrank: Any, run: Path) -> None:
    (shard,) = (run / "regions").glob("*.parquet")
    table = pq.read_table(shard)
    pq.write_table(table.slice(1), shard)
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["counts"]["regions"] = 6
    (run / "manifest.json").write_text(json.dumps(manifest))
    polyrank_network = run / "graph/network.json"
    copy = run.parent / "network.json"
    copy.write_bytes(polyrank_network.read_bytes())
    done = polyrank("graph", run, "--network", copy)
    assert done.status == 1
    assert "NOT CLOSED" in done.out
    word = table["codeword"][0].as_py()[0]
    assert f"codeword {word & 1}{word >> 1 & 1}{word >> 2 & 1}" in done.out


def _partial(tmp_path: Path, *, rows: int) -> tuple[Path, int]:
    """What a killed run leaves, and how many regions there are."""
    rng = np.random.default_rng(0)
    arrays = {
        "W0": rng.normal(size=(12, 3)), "b0": rng.normal(size=12),
        "W1": rng.normal(size=(8, 12)), "b1": rng.normal(size=8),
        "W2": rng.normal(size=(1, 8)), "b2": rng.normal(size=1),
    }  # fmt: skip
    np.savez(tmp_path / "net.npz", **arrays)
    net = pr.load(tmp_path / "net.npz")
    whole = pr.enumerate_regions(net, out=tmp_path / "whole", engine="dictionary").count
    path = tmp_path / "partial"
    shutil.copytree(tmp_path / "whole", path)
    (shard,) = (path / "regions").glob("*.parquet")
    pq.write_table(pq.read_table(shard).slice(0, rows), shard)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["status"], manifest["certified"] = "running", False
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path, whole


def test_the_graph_of_a_partial_run_counts_what_leads_elsewhere(
    polyrank: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the facets of the whole run: those between a listed and an unlisted region."""
    monkeypatch.setattr(build, "_GAPS", 4)
    rows = 150
    path, whole = _partial(tmp_path, rows=rows)
    net = tmp_path / "net.npz"
    polyrank("graph", tmp_path / "whole", "--network", net)
    graph = load_graph(pr.open_run(tmp_path / "whole"))
    inside = (graph.source < rows) & (graph.target < rows)
    missing = int(((graph.source < rows) != (graph.target < rows)).sum())
    assert whole > rows
    assert missing > 4
    made = polyrank("graph", path, "--network", net, "--json")
    assert made.status == 3, made.err  # no claim is contradicted
    shown = json.loads(made.out)
    assert (shown["regions"], shown["edges"]) == (rows, int(inside.sum()))
    assert (shown["missing"], len(shown["gaps"])) == (missing, 4)
    assert (shown["closed"], shown["certified_run"]) == (False, False)
    again = polyrank("graph", path)
    assert again.status == 3
    assert f"not closed, as expected: behind {missing:,} facets no region is listed" in again.out
    assert "the run is not certified: this is the graph of the regions that it lists" in again.out
    assert f"{rows:,} listed regions" in again.out


def test_numbers_of_a_partial_run_are_bounds_or_named_listed(polyrank: Any, tmp_path: Path) -> None:
    path, _ = _partial(tmp_path, rows=150)
    net = tmp_path / "net.npz"
    truth = pr.open_run(tmp_path / "whole")
    assert polyrank("graph", path, "--network", net).status == 3
    summary = polyrank("summary", path)
    assert "partial: at least 150 regions" in summary.out
    head, _, *rows = summary.out.splitlines()[-5:]
    assert head.endswith("ranks (at least)")
    for k, row in enumerate(rows, start=1):
        found = re.fullmatch(r" +\d+ +\d+ +\d+ +≥ ([\d,]+) +≤ (\d+) +≥ ([\d,]+) +(.*)", row)
        assert found, row
        own = truth.at_layer(k).column(f"rank_{k}").to_numpy()
        assert int(found[1].replace(",", "")) <= len(own)
        assert int(found[2]) >= own.min()
        assert int(found[3].replace(",", "")) <= (own < 3).sum()
        for entry in found[4].split():
            rank, count = entry.replace(",", "").split(":")
            assert int(count) <= (own == int(rank)).sum()
    shown = json.loads(polyrank("summary", path, "--json").out)
    assert shown["min_rank_at_least"] == [0, 0, 0]
    assert all(u >= v for u, v in zip(shown["min_rank"], truth.min_rank, strict=True) if v)
    whole = json.loads(polyrank("summary", tmp_path / "whole", "--json").out)
    assert whole["min_rank_at_least"] == whole["min_rank"] == list(truth.min_rank)
    low = polyrank("low-rank", path, "--below", "3", "--layer", "1")
    assert low.status == 3
    assert "the run is not certified: at least these regions are of low rank" in low.out
    none = polyrank("low-rank", path, "--below", "0", "--layer", "1", "--nearest", "0,0,0")
    assert "no listed region is of low rank" in none.out
    assert polyrank("low-rank", path, "--below", "-3").status == 2
    sampled = polyrank("sample", net, "--normal", "200", "--run", path)
    assert "of 150 listed; the run is not certified" in sampled.out
    assert "listed low-rank regions missed" in sampled.out


def test_a_nearest_point_is_not_the_least_one_of_a_partial_run(polyrank: Any, run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["status"], manifest["certified"] = "running", False
    (run / "manifest.json").write_text(json.dumps(manifest))
    found = polyrank("low-rank", run, "--below", "1", "--nearest", "3/4,1")
    assert found.status == 3
    assert "proved upper bound, a nearer may exist" in found.said


def test_an_image_is_printed_where_the_map_is_constant(
    polyrank: Any, run: Path, plane: Path
) -> None:
    """Rank 0 and 1 together: the plane's six regions of rank < 2 at layer 1 are no one point."""
    one = json.loads(polyrank("low-rank", run, "--below", "1", "--layer", "1", "--json").out)
    (component,) = one["components"]
    assert (component["ranks"], component["image"]) == ({"0": 1}, ["0", "0", "0"])
    assert "(0, 0, 0)" in polyrank("low-rank", run, "--below", "1", "--layer", "1").out
    both = json.loads(polyrank("low-rank", run, "--below", "2", "--layer", "1", "--json").out)
    mixed = next(c for c in both["components"] if "0" in c["ranks"])
    assert set(mixed["ranks"]) == {"0", "1"}
    assert (mixed["image"], mixed["rank_0_images"]) == (None, [["0", "0", "0"]])
    text = polyrank("low-rank", run, "--below", "2", "--layer", "1").out
    assert "(0, 0, 0)" not in text


def test_nearest_point(polyrank: Any, run: Path) -> None:
    # rank 0 where x ≤ 0 and y ≤ 0 (there x + y ≤ 1 too)
    shown = json.loads(
        polyrank("low-rank", run, "--below", "1", "--nearest", "3/4, 1", "--json").out
    )["nearest"]
    assert shown["x"] == ["0", "0"]
    assert shown["distance_squared"] == "25/16"
    assert shown["proved"] is True
    assert math.isclose(shown["distance"], 1.25)
    text = polyrank("low-rank", run, "--below", "1", "--nearest", "3/4,1").out
    assert "at distance 1.25 (proved to be the least)" in text
    none = polyrank("low-rank", run, "--below", "0", "--nearest", "1,1", "--json")
    assert json.loads(none.out)["nearest"] is None
    none = polyrank("low-rank", run, "--below", "0", "--nearest", "1,1")
    assert "nearest: there is none" in none.out
    assert polyrank("low-rank", run, "--nearest", "1,x").status == 2
    assert "has 3 coordinates" in polyrank("low-rank", run, "--nearest", "1,2,3").err


def test_a_region_of_the_command_line(polyrank: Any, run: Path) -> None:
    shown = json.loads(polyrank("region", run, "0", "--json").out)
    assert len(shown["facets"]) == len(shown["vertices"])
    assert shown["bounded"] is True
    done = polyrank("region", run, "7")
    assert done.status == 1
    assert "there is no region 7" in done.err
