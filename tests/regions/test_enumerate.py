"""``enumerate_regions``: from a network and a domain to a run, however the search ends."""

from __future__ import annotations

import signal

import numpy as np
import pytest

import polyrank as pr
from polyrank.errors import DomainError, EmptyDomainError, NetworkError, RunError
from polyrank.regions import enumerate as module
from polyrank.regions.enumerate import EnumerationInterrupted, enumerate_regions
from polyrank.regions.limits import Limits
from polyrank.regions.run import open_run
from tests.regions.fake import REGIONS
from tests.regions.fake_search import FakeResult, ending

# three lines in general position: 1 + 3 + 3 = 7 regions (Zaslavsky 1975)
PLANE = pr.Network.from_arrays(
    [np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.ones((1, 3))],
    [np.array([0.0, 0.0, -1.0]), np.zeros(1)],
    name="plane",
)


@pytest.mark.parametrize("engine", ["dictionary", "highs"])
@pytest.mark.parametrize("on_disk", [False, True])
def test_three_lines(tmp_path, engine, on_disk):
    out = tmp_path / "run" if on_disk else None
    run = enumerate_regions(PLANE, out=out, engine=engine)
    for seen in [run, open_run(out)] if out else [run]:
        assert (seen.count, seen.undecided, seen.certified) == (7, 0, True)
        # the rank through layer 1 is that of the active rows: at most 2, 0 only where all are off
        assert seen.rank_histogram(layer=1) == {0: 1, 1: 2, 2: 4}
        assert seen.rank_histogram() == {0: 1, 1: 6}
        assert seen.domain == pr.WholeSpace()
        assert seen.network["hash"] == PLANE.sha256
        assert seen.manifest["engine"] == engine
        assert {tuple(row) for c in seen.codewords() for row in c} == {r[0] for r in REGIONS}


def test_layers_and_domains():
    assert enumerate_regions(PLANE, through_layer=1).layers == 1
    # the box [0, 1/4]² lies on one side of every line but x = 0 and y = 0, which bound it
    assert enumerate_regions(PLANE, pr.Box(0, "0.25")).count == 1
    # the line y = x meets x = 0 and y = 0 in one point and x + y = 1 in another
    line = pr.Slice([0, 0], [[1], [1]])
    run = enumerate_regions(PLANE, line, notes={"why": "diagonal"})
    assert (run.count, run.dimension) == (3, 1)
    assert run.manifest["notes"] == {"why": "diagonal"}
    # a point is a domain of dimension 0
    assert enumerate_regions(PLANE, pr.Box([3, 3], [3, 3])).count == 1


def test_what_is_refused_before_anything_is_written(tmp_path):
    out = tmp_path / "run"
    for layer in (0, 3, -1):
        with pytest.raises(NetworkError, match=f"through layer {layer}: 'plane' has layers 1 to 2"):
            enumerate_regions(PLANE, through_layer=layer, out=out)
    with pytest.raises(
        ValueError, match="engine 'magic' is not one of auto, dictionary, vertices, highs"
    ):
        enumerate_regions(PLANE, engine="magic", out=out)  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="dimension 3"):
        enumerate_regions(PLANE, pr.Box([0, 0, 0], 1), out=out)
    with pytest.raises(EmptyDomainError):
        enumerate_regions(PLANE, pr.Polytope([[1, 0], [-1, 0]], [0, -1]), out=out)
    assert not out.exists()
    out.mkdir()
    with pytest.raises(RunError, match="exists already"):
        enumerate_regions(PLANE, out=out)


@pytest.mark.parametrize("on_disk", [False, True])
def test_undecided(tmp_path, monkeypatch, on_disk):
    out = tmp_path / "run" if on_disk else None
    monkeypatch.setattr(module, "crew_of", ending(FakeResult(undecided=("11?|",)), rows=5))
    run = enumerate_regions(PLANE, out=out, limits=Limits())  # a limit asks for tasks
    for seen in [run, open_run(out)] if out else [run]:
        assert (seen.count, seen.undecided, seen.certified) == (5, 1, False)
        assert seen.count_interval == (5, 7)
        assert seen.manifest["search"] == {"tests": 11, "pivots": 22, "ladder": {"float": 11}}
        assert seen.manifest["timings"]["total"] > 0


@pytest.mark.parametrize("on_disk", [False, True])
def test_interrupt(tmp_path, monkeypatch, on_disk):
    out = tmp_path / "run" if on_disk else None
    monkeypatch.setattr(module, "crew_of", ending(KeyboardInterrupt(), rows=4))
    with pytest.raises(EnumerationInterrupted, match="interrupted after 4 regions") as caught:
        enumerate_regions(PLANE, out=out, limits=Limits())
    assert isinstance(caught.value, KeyboardInterrupt)
    run = caught.value.run
    for seen in [run, open_run(out)] if out else [run]:
        assert (seen.status, seen.certified, seen.count) == ("interrupted", False, 4)


def test_failure_keeps_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "crew_of", ending(MemoryError("too much"), rows=4))
    with pytest.raises(MemoryError):
        enumerate_regions(PLANE, out=tmp_path / "run")
    run = open_run(tmp_path / "run")
    assert (run.status, run.certified, run.count) == ("failed", False, 4)
    assert run.manifest["error"] == "MemoryError: too much"


def test_an_interrupt_of_a_run_in_memory_keeps_its_rows() -> None:
    """Without tasks: one search, ended by Ctrl-C in the middle."""
    rng = np.random.default_rng(0)
    net = pr.Network.from_arrays(
        [rng.normal(size=(60, 2)), np.ones((1, 60))], [rng.normal(size=60), [0]]
    )

    def press(state: object) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(EnumerationInterrupted) as caught:
        pr.enumerate_regions(net, pr.Box(-1, 1), progress=press, jobs=1)
    run = caught.value.run
    assert (run.status, run.certified) == ("interrupted", False)
    assert run.table.num_rows == run.count
    whole = pr.enumerate_regions(net, pr.Box(-1, 1))
    assert run.count <= whole.count
    assert run.table["codeword"] == whole.table["codeword"][: run.count]
