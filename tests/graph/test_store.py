"""Graphs on disk: what comes back is what was written; damaged and foreign files are refused."""

from __future__ import annotations

import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import polyrank as pr
from polyrank.errors import RunError
from polyrank.graph import store
from polyrank.graph.build import region_graph
from polyrank.graph.geometry import Regions
from polyrank.graph.store import edges_table, load_graph, save_graph, stored_network
from polyrank.network.normal_form import Network
from tests.examples import layer, network


def _random(seed: int = 1) -> Network:
    rng = np.random.default_rng(seed)
    shapes = [(6, 2), (6, 6), (1, 6)]
    return Network.from_arrays(
        [np.round(rng.normal(size=s), 3) for s in shapes],
        [np.round(rng.normal(size=s[0]), 3) for s in shapes],
    )


def _same(a: Any, b: Any) -> None:
    for name in (
        "facet_start", "facet_unit", "facet_to", "source", "target", "unit", "beyond_edge",
        "beyond",
    ):  # fmt: skip
        assert np.array_equal(getattr(a, name), getattr(b, name)), name
    assert dict(a.beyond_exact) == dict(b.beyond_exact)
    assert a.closure == b.closure
    assert a.statistics == b.statistics


def test_edges_come_back_in_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_ROW_GROUP", 7)
    net = _random()
    run = pr.enumerate_regions(net, pr.Box(-2, 2), out=tmp_path / "run")
    graph = region_graph(run, net)
    assert 0 < len(graph.beyond) < graph.edges  # both kinds of points
    save_graph(graph, net, run)
    edges = pq.ParquetFile(tmp_path / "run/graph/edges.parquet")
    assert edges.num_row_groups == -(-graph.edges // 7)
    _same(load_graph(run), graph)


def test_points_that_are_no_floats_come_back(tmp_path: Path) -> None:
    tiny = Fraction(1, 2**500)
    net = network(layer([[tiny]], [0]), layer([[tiny]], [-(2**100)]))
    run = pr.enumerate_regions(net, out=tmp_path / "run")
    graph = region_graph(run, net)
    save_graph(graph, net, run)
    again = load_graph(run)
    _same(again, graph)
    before, after = Regions(run, net, graph), Regions(run, net, again)
    assert [before.crossing(e) for e in range(2)] == [after.crossing(e) for e in range(2)]


def test_gaps_come_back(tmp_path: Path) -> None:
    net = _random()
    run = pr.enumerate_regions(net, pr.Box(-2, 2), out=tmp_path / "run")
    damaged = pr.Run.in_memory(run.manifest, run.table.slice(1))
    graph = region_graph(damaged, net)
    assert graph.closure.gaps
    # the damaged list on disk
    (shard,) = (tmp_path / "run/regions").glob("*.parquet")
    pq.write_table(run.table.slice(1), shard)
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    manifest["counts"]["regions"] -= 1
    (tmp_path / "run/manifest.json").write_text(json.dumps(manifest))
    smaller = pr.open_run(tmp_path / "run")
    save_graph(graph, net, smaller)
    _same(load_graph(smaller), graph)


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Any, Path]:
    net = network(layer([[1, 0], [0, 1], [1, 1]], [0, 0, -1]))
    run = pr.enumerate_regions(net, pr.Box(-2, 2), out=tmp_path / "run")
    save_graph(region_graph(run, net), net, run)
    return run, tmp_path / "run/graph"


def test_another_format_is_refused(kept: tuple[Any, Path]) -> None:
    run, folder = kept
    entry = json.loads((folder / "graph.json").read_text())
    entry["polyrank_graph"] = 1
    (folder / "graph.json").write_text(json.dumps(entry))
    with pytest.raises(RunError, match="graph format 1, expected 2"):
        load_graph(run)


def test_a_graph_of_other_regions_is_refused(kept: tuple[Any, Path], tmp_path: Path) -> None:
    assert kept[1].is_dir()
    net = network(layer([[1, 0]], [0]))
    other = pr.enumerate_regions(net, out=tmp_path / "other")
    (tmp_path / "run/graph").rename(tmp_path / "other/graph")
    with pytest.raises(RunError, match="describes 7 regions, but the run has 2"):
        load_graph(other)
    with pytest.raises(RunError, match="is not the network of the run"):
        stored_network(other)


@pytest.mark.parametrize("name", ["graph.json", "facets.npz", "edges.parquet"])
def test_damaged_files_are_refused(kept: tuple[Any, Path], name: str) -> None:
    run, folder = kept
    (folder / name).write_bytes((folder / name).read_bytes()[:20])
    with pytest.raises(RunError, match="cannot be read"):
        load_graph(run)


@pytest.mark.parametrize("name", ["start", "unit", "to"])
def test_every_byte_of_the_mapped_arrays_counts(kept: tuple[Any, Path], name: str) -> None:
    run, folder = kept
    file = folder / "facets.npz"
    whole = file.read_bytes()
    first = whole.index(f"{name}.npy".encode())
    end = whole.find(b"PK", first)
    graph = load_graph(run)
    assert not getattr(graph, f"facet_{name}").flags.writeable
    for place in (first + len(name) + 4 + 128, end - 1):
        changed = bytearray(whole)
        changed[place] ^= 1
        file.write_bytes(bytes(changed))
        with pytest.raises(RunError, match="cannot be read"):
            load_graph(run)
    arrays = dict(np.load(io.BytesIO(whole)))
    np.savez_compressed(file, **arrays)
    with pytest.raises(RunError, match="is compressed"):
        load_graph(run)


def test_a_directory_that_cannot_be_written(kept: tuple[Any, Path]) -> None:
    run, folder = kept
    net = stored_network(run)
    (folder.parent / "graph.partial").write_text("in the way")
    with pytest.raises(RunError, match="cannot write"):
        save_graph(region_graph(run, net), net, run)


def test_an_edgeless_graph(tmp_path: Path) -> None:
    net = network(layer([[1]], [0]))
    run = pr.enumerate_regions(net, pr.Box(1, 1), out=tmp_path / "run")
    graph = region_graph(run, net)
    assert edges_table(graph).num_rows == 0
    save_graph(graph, net, run)
    _same(load_graph(run), graph)


def test_what_was_read_of_the_edges_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = 1 << 21
    names = ["source", "target", "unit"]
    numbers = np.random.default_rng(0).integers(0, 2**31, (3, rows), dtype=np.int32)
    table = pa.table(dict(zip(names, numbers, strict=True)))
    pq.write_table(table, tmp_path / "edges.parquet", row_group_size=rows // 64)
    del table
    before, seen = pa.total_allocated_bytes(), []

    class Watched:
        def __len__(self) -> int:
            return rows

        def __setitem__(self, place: slice, values: Any) -> None:
            seen.append(pa.total_allocated_bytes() - before)

    monkeypatch.setattr(store, "_ROW_GROUP", rows // 64)
    monkeypatch.setattr(store, "scratch", lambda *_: Watched())
    store._read_ends(tmp_path / "edges.parquet")
    assert len(seen) == 3 * 64
    assert max(seen) < numbers.nbytes / 8
