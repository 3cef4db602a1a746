"""Graphs that die while they are made and go on: one graph, whatever happened."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyrank as pr
from polyrank.errors import RunError
from polyrank.graph import blocks as blocks_module
from polyrank.graph.blocks import block_ends
from polyrank.graph.build import region_graph
from polyrank.graph.region_graph import RegionGraph
from polyrank.graph.store import GRAPH_NAME, load_graph
from polyrank.network.formats import save
from polyrank.network.initialise import random_network
from polyrank.regions.kept import KeptWork
from polyrank.regions.run import Run
from tests.examples import EXAMPLES, layer, network
from tests.graph.test_engines import _facets as facets
from tests.graph.test_engines import _spelled as spelled
from tests.killed import killed_again_and_again

NET = random_network([3, 10, 8, 1], seed=2)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks_module, "_LEAST", 16)


def contents(graph: RegionGraph) -> str:
    """A hash of all that a graph says, but for its seconds."""
    digest = hashlib.sha256()
    for name in ("facet_start", "facet_unit", "facet_to", "source", "target", "unit",
                 "beyond_edge", "beyond"):  # fmt: skip
        digest.update(np.ascontiguousarray(getattr(graph, name)).tobytes())
    statistics = {k: v for k, v in graph.statistics.items() if k != "seconds"}
    digest.update(repr((sorted(graph.beyond_exact.items()), graph.closure, statistics)).encode())
    return digest.hexdigest()


def edges(graph: RegionGraph) -> set[tuple[int, int, int]]:
    return set(zip(graph.source.tolist(), graph.target.tolist(), graph.unit.tolist(), strict=True))


@pytest.mark.parametrize("regions", [0, 1, 16_384, 16_385, 5_000_000])
def test_blocks_divide_a_run(regions: int) -> None:
    ends = list(block_ends(regions))
    assert [begin for begin, _ in ends] == [0, *(end for _, end in ends)][: len(ends)]
    assert (ends[-1][1] if ends else 0) == regions
    assert len(ends) <= 64


def test_blocks_change_no_facet(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one block and in many: the same facets and edges, and a closed graph."""
    for example in EXAMPLES:
        run = pr.enumerate_regions(example.network, example.space.domain())
        whole = region_graph(run, example.network)
        with monkeypatch.context() as patched:
            patched.setattr(blocks_module, "_LEAST", 2)
            divided = region_graph(run, example.network)
        assert edges(divided) == edges(whole), example
        assert facets(divided) == facets(whole), example
        assert divided.closure == whole.closure


def test_an_interrupted_graph_goes_on(tmp_path: Path, small_blocks: None) -> None:
    run = pr.enumerate_regions(NET, pr.Box(-1, 1))
    whole = contents(region_graph(run, NET))
    dice, keep, presses = random.Random(0), tmp_path / "tasks", 0
    graph = None
    while graph is None:
        seen: list[int] = []

        def press(done: int, regions: int, seen: list[int] = seen) -> None:
            nonlocal presses
            seen.append(done)
            assert regions == run.count
            if done < regions and presses < 12 and dice.random() < 0.15:
                presses += 1
                raise KeyboardInterrupt

        try:
            graph = region_graph(run, NET, progress=press, keep=keep, keep_seconds=0)
        except KeyboardInterrupt:
            assert keep.is_dir() or max(seen) < 16
    assert presses > 3
    assert min(seen) > 16  # the blocks before are not walked over again
    assert contents(graph) == whole


def test_a_disk_that_is_full_for_a_moment(
    tmp_path: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of four blocks that wait the second one cannot be kept at first: each is kept once."""
    run, keep = pr.enumerate_regions(NET, pr.Box(-1, 1)), tmp_path / "tasks"
    whole, keeps, looks = contents(region_graph(run, NET)), count(), count()
    written = KeptWork.keep

    def full(work: KeptWork, entry: Mapping[str, Any], shard: bytes = b"") -> None:
        if next(keeps) == 1:
            raise RunError("the disk is full")
        written(work, entry, shard)

    with monkeypatch.context() as patched:
        patched.setattr(KeptWork, "keep", full)
        patched.setattr(KeptWork, "due", property(lambda _: next(looks) >= 3))
        with pytest.raises(RunError, match="the disk is full"):
            region_graph(run, NET, keep=keep)
    assert len(list(keep.glob("*.bin"))) == 4
    assert contents(region_graph(run, NET, keep=keep)) == whole


def test_rational_points_and_gaps_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regions that rationals settle, points beyond the largest float, a run that lacks regions."""
    monkeypatch.setattr(blocks_module, "_LEAST", 1)
    small = Fraction(1, 2**500)
    tiny = network(layer([[small]], [0]), layer([[small]], [-(2**100)]), name="tiny")
    lines = network(layer([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), name="lines")
    whole = pr.enumerate_regions(lines, pr.Box(-2, 2))
    cases = {
        "tiny": (tiny, pr.enumerate_regions(tiny)),
        "spelled": (lines, spelled(whole, lambda r: r % 2 == 0)),
        "partial": (lines, Run.in_memory(whole.manifest, whole.table.slice(0, 3))),
    }
    for name, (net, run) in cases.items():
        keep = tmp_path / name
        plain = region_graph(run, net)
        for _ in range(2):  # made, then read back
            assert contents(region_graph(run, net, keep=keep, keep_seconds=0)) == contents(plain)
        assert len(list(keep.glob("*.bin"))) == run.table.num_rows - 1
    assert region_graph(tiny_run := cases["tiny"][1], tiny).beyond_exact
    assert tiny_run.count == 3


def test_what_was_left_by_another_graph_is_not_used(tmp_path: Path, small_blocks: None) -> None:
    keep = tmp_path / "tasks"
    other = random_network([3, 10, 8, 1], seed=4)
    region_graph(pr.enumerate_regions(other, pr.Box(-1, 1)), other, keep=keep, keep_seconds=0)
    run = pr.enumerate_regions(NET, pr.Box(-1, 1))
    expected = contents(region_graph(run, NET))
    assert contents(region_graph(run, NET, keep=keep, keep_seconds=0)) == expected
    (keep / "task-000003.bin").unlink()
    with pytest.raises(RunError, match=r"task-000003\.bin, which the journal says is done"):
        region_graph(run, NET, keep=keep, keep_seconds=0)


_SCRIPT = """
import sys
from pathlib import Path
import polyrank as pr
from polyrank.graph import blocks
from polyrank.graph.build import region_graph
from polyrank.graph.store import TASKS_NAME, save_graph
blocks._LEAST = 16
run = pr.open_run(sys.argv[1])
net = run.source()
print("ready", flush=True)
graph = region_graph(run, net, keep=run.path / TASKS_NAME, keep_seconds=0)
save_graph(graph, net, run)
"""


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=pytest.mark.slow)])
def test_a_graph_that_is_killed_again_and_again(
    tmp_path: Path, small_blocks: None, kills: int
) -> None:
    save(NET, tmp_path / "net.json")
    file = {"path": str(tmp_path / "net.json"), "options": {}}
    run = pr.enumerate_regions(NET, pr.Box(-1, 1), out=tmp_path / "run", network_file=file)
    expected = contents(region_graph(run, NET))
    met = killed_again_and_again(
        _SCRIPT, [tmp_path / "run"], kills=kills, ready="ready", longest=0.25
    )
    assert met
    graph = load_graph(pr.open_run(tmp_path / "run"))
    assert contents(graph) == expected
    assert sorted(p.name for p in (tmp_path / "run").iterdir() if p.is_dir()) == [
        GRAPH_NAME, "regions",
    ]  # fmt: skip
