"""Proofs that must be accepted: known counts, every kind of domain, both engines, real networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import polyrank as pr
from polyrank.proof import replay
from polyrank.proof.check import check
from tests.examples import EXAMPLES, Example
from tests.proof.runs import degenerate_network, random_network, write


def _accepted(path: Path, net: Any, domain: Any = None, **options: Any) -> Any:
    run = write(path / "run", net, domain, **options)
    report = check(path / "run")
    assert report.complete
    assert (report.regions, report.checked) == (run.count, run.count)
    if run.count <= 200:
        plain = check(path / "run", exact=True)
        assert (plain.complete, plain.steps, plain.tests) == (True, report.steps, report.tests)
    return report


@pytest.mark.parametrize("example", EXAMPLES, ids=[e.name for e in EXAMPLES])
def test_examples(example: Example, tmp_path: Path) -> None:
    report = _accepted(tmp_path, example.network, example.space.domain())
    assert report.regions == example.count


_DOMAINS = {
    "whole space": None,
    "box": pr.Box(-1, "1/3"),
    "flat box": pr.Box([-1, 1, "0.1"], [1, 1, 2]),
    "polytope": pr.Polytope([[1, 1, 1], [-1, 0, 0], [0, -1, 0], [0, 0, -1]], [1, 0, 0, 0]),
    "half-space": pr.Polytope([[1, 2, 3]], ["1/7"]),
    "flat polytope": pr.Polytope(
        [[1, 1, 1], [-1, -1, -1], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], [1, -1, 2, 2, 2, 2]
    ),
    "flat by touching rows": pr.Polytope(
        [[1, 1, 0], [-1, 0, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], [0, 0, 0, 1, 1]
    ),
    "slice": pr.Slice([1, 0, "1/3"], [[1, 2], [0, 1], [3, 0]]),
    "slice of a box": pr.Slice([0, 0, 0], [[1, 2], ["0.3", 1], [3, 0]], pr.Box(-1, 1)),
    "line in a slice": pr.Slice([0, 0, 1], [[1, 2], [1, 1], [3, 0]], pr.Box([-2, 1], [2, 1])),
    "triangle": pr.Simplex([[0, 0, 0], [3, "1/3", 1], [-2, 4, 0]]),
    "tetrahedron": pr.Simplex([[-2, -2, -2], [3, 0, 1], [-2, 4, 0], [0, 0, 5]]),
    "point": pr.Box([1, 2, 3], [1, 2, 3]),
}


@pytest.mark.parametrize("engine", ["auto", "dictionary", "highs"])
@pytest.mark.parametrize("name", _DOMAINS)
def test_domains(name: str, engine: str, tmp_path: Path) -> None:
    net = random_network(3, 3, 6, 5, 2)
    _accepted(tmp_path, net, _DOMAINS[name], engine=engine)


@pytest.mark.parametrize("name", _DOMAINS)
def test_domains_are_proved_in_every_run(name: str, tmp_path: Path) -> None:
    """Without a log completeness is not decided, but the domain and all rows are."""
    net = random_network(3, 3, 6, 5, 2)
    run = pr.enumerate_regions(net, _DOMAINS[name], out=tmp_path / "run")
    pr.save(net, tmp_path / "net.json")
    for exact in (False, True):
        report = check(tmp_path / "run", network=tmp_path / "net.json", exact=exact)
        assert (report.checked, report.complete, report.open) == (run.count, False, False)
        assert report.doubt.startswith("there is no proof log")


@pytest.mark.parametrize("engine", ["auto", "dictionary", "highs"])
@pytest.mark.parametrize("cells", [1, 7, 1 << 20])
def test_segments_of_every_size(engine: str, cells: int, tmp_path: Path) -> None:
    for number, (net, domain) in enumerate(
        [
            (degenerate_network(), None),
            (degenerate_network(), pr.Box(-1, 1)),
            (random_network(1, 2, 6, 6, 1), pr.Box(-2, 2)),
            (random_network(2, 2, 6, 5, 4, 2, integers=True), None),
            (random_network(5, 3, 5, 5, 2, bias=False), None),
            (random_network(6, 3, 5, 5, 2, integers=True, bias=False), pr.Box(-1, 1)),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        report = _accepted(folder, net, domain, engine=engine, cells=cells)
        if cells == 1 and engine == "highs":
            assert report.segments > report.regions


@pytest.mark.parametrize("size", [1, 60])
def test_blocks_of_every_size(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open cells and their rows are carried from block to block of the table."""
    monkeypatch.setattr(replay, "_BLOCK", size)
    for number, (net, domain) in enumerate(
        [
            (degenerate_network(), None),
            (random_network(1, 2, 6, 6, 5, 1), pr.Box(-2, 2)),
            (random_network(6, 3, 5, 5, 2, integers=True, bias=False), None),
            (random_network(3, 3, 6, 5, 2), pr.Box([1, 2, 3], [1, 2, 3])),
        ]
    ):
        (folder := tmp_path / str(number)).mkdir()
        _accepted(folder, net, domain)


@pytest.mark.parametrize("layer", [1, 2])
def test_through_a_layer(layer: int, tmp_path: Path) -> None:
    _accepted(tmp_path, random_network(8, 2, 6, 6, 1), through_layer=layer)


def test_many_units_take_two_bytes_per_row(tmp_path: Path) -> None:
    report = _accepted(tmp_path, random_network(9, 1, 140, 130, 1), pr.Box(-1, 1))
    assert report.tests > 0


def test_processes_and_samples(tmp_path: Path) -> None:
    run = write(tmp_path / "run", random_network(4, 2, 7, 7, 1), pr.Box(-2, 2), cells=20)
    whole = check(tmp_path / "run")
    assert whole.segments > 3
    two = check(tmp_path / "run", jobs=2)
    assert (two.complete, two.checked, two.steps) == (True, run.count, whole.steps)
    some = check(tmp_path / "run", sample=3, seed=1)
    assert (some.complete, some.sampled, some.segments_checked) == (False, True, 3)
    assert some.segments == whole.segments
    assert not some.open
    assert 0 < some.checked < run.count
    everything = check(tmp_path / "run", sample=whole.segments)
    assert (everything.complete, everything.sampled) == (True, True)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("engine", ["auto", "dictionary", "highs"])
def test_samples_of_every_size(engine: str, exact: bool, tmp_path: Path) -> None:
    """A subtree alone is checked with the decisions of its head, also zero and tied ones."""
    write(tmp_path / "run", degenerate_network(), pr.Box(-1, 1), engine=engine, cells=3)
    total = check(tmp_path / "run").segments
    for sample in range(1, total):
        report = check(tmp_path / "run", sample=sample, seed=sample, exact=exact)
        assert (report.segments_checked, report.complete) == (sample, False)


def test_without_a_proof_the_witnesses_are_checked(tmp_path: Path) -> None:
    net = random_network(4, 2, 7, 7, 1)
    run = pr.enumerate_regions(net, out=tmp_path / "run")
    pr.save(net, tmp_path / "net.json")
    report = check(tmp_path / "run", network=tmp_path / "net.json")
    assert (report.checked, report.segments, report.complete, report.open) == (
        run.count, 0, False, False,
    )  # fmt: skip
