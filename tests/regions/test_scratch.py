"""Arrays that wait in temporary files are the arrays that would be in memory."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

import polyrank as pr
from polyrank.errors import RunError
from polyrank.graph import assemble, blocks, linear_regions, low_rank
from polyrank.graph.build import region_graph
from polyrank.graph.geometry import Regions
from polyrank.graph.hamming import hamming_pairs
from polyrank.graph.low_rank import low_rank_part
from polyrank.graph.region_graph import RegionGraph
from polyrank.graph.store import load_graph, save_graph
from polyrank.network.initialise import random_network
from polyrank.network.normal_form import Network
from polyrank.regions import scratch as scratch_module
from polyrank.regions.run import Run
from polyrank.regions.scratch import Column, scratch
from tests.graph.test_resume import contents

NET = random_network([3, 9, 7, 2], seed=4)


@pytest.mark.parametrize("large", [0, 40, 1 << 24])
def test_columns_hold_what_they_were_given(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch_module, "_LARGE", large)
    parts = [np.arange(n * 3, dtype=np.int32).reshape(n, 3) for n in (0, 1, 5, 2)]
    column = Column(np.int32, 3)
    for part in parts:
        column.append(part)
    whole = column.whole()
    assert np.array_equal(whole, np.concatenate(parts))
    whole[0] = 7
    assert whole[0].tolist() == [7, 7, 7]
    assert Column(np.int8).whole().shape == (0,)
    zeros = scratch((4, 5), np.float64)
    assert zeros.shape == (4, 5)
    assert not zeros.any()
    zeros[2, 3] = 1.5
    assert zeros.sum() == 1.5


@pytest.mark.parametrize("what", ["array", "column"])
def test_a_full_disk_of_temporary_files(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(scratch_module, "_LARGE", 8)
    monkeypatch.setattr(scratch_module, "_reserve", full)
    monkeypatch.setattr(scratch_module, "_file", full)
    with pytest.raises(RunError, match="the disk is full while writing"):
        if what == "array":
            scratch(100, np.int64)
        else:
            Column(np.int64).append(np.zeros(100, np.int64))


def _numbers(run: Run, net: Network, graph: RegionGraph) -> tuple[object, ...]:
    part = low_rank_part(Regions(run, net, graph), 3, 2)
    linear = linear_regions.linear_regions(run, net, graph)
    return (
        hamming_pairs(run, graph),
        [(c.regions.tolist(), c.ranks, c.bounded, c.images, c.contact) for c in part.components],
        (linear[0], linear[1].tolist(), linear[2].tolist()),
    )


@pytest.mark.parametrize("threads", [1, 3])
def test_graphs_that_do_not_fit(
    threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of every size and arrays in files: the same facets, components and maps."""
    run = pr.enumerate_regions(NET, out=tmp_path / "run")
    graph = region_graph(run, NET)
    expected = _numbers(run, NET, graph)
    monkeypatch.setattr(scratch_module, "_LARGE", 0)
    assert contents(region_graph(run, NET)) == contents(graph)
    monkeypatch.setattr(blocks, "_LEAST", 8)
    monkeypatch.setattr(blocks, "_MOST", 8)
    for module in (assemble, low_rank, linear_regions):
        monkeypatch.setattr(module, "_ROWS", 7)
    divided = region_graph(run, NET, jobs=threads)
    for name in ("facet_start", "source", "closure"):
        mine, other = getattr(divided, name), getattr(graph, name)
        assert len(mine) == len(other) if name == "source" else np.all(mine == other)
    assert _numbers(run, NET, divided)[:2] == expected[:2]
    save_graph(graph, NET, run)
    assert _numbers(run, NET, load_graph(run)) == expected
