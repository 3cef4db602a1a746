"""``polyrank check`` and ``polyrank enumerate --proof``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def run(polyrank: Any, plane: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    done = polyrank("enumerate", plane, "--box", -2, 2, "-o", folder, "--proof", "-q")
    assert done.status == 0, done.err
    return folder


def test_accepted(polyrank: Any, run: Path) -> None:
    done = polyrank("check", run)
    assert done.status == 0
    assert "accepted: exactly 7 regions" in done.out
    found = json.loads(polyrank("check", run, "--json").out)
    assert (found["verdict"], found["regions"], found["complete"]) == ("accepted", 7, True)


def test_sample_is_called_a_sample(polyrank: Any, run: Path) -> None:
    done = polyrank("check", run, "--sample", 5)
    assert done.status == 0
    assert "a random sample of 1 of 1 subtrees" in done.out


def test_without_a_proof(polyrank: Any, plane: Path, tmp_path: Path) -> None:
    polyrank("enumerate", plane, "-o", tmp_path / "run", "-q")
    done = polyrank("check", tmp_path / "run")
    assert done.status == 0
    assert "the absence of others was not re-derived" in done.out


def test_rejected(polyrank: Any, run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["domain"]["upper"] = "3"
    (run / "manifest.json").write_text(json.dumps(manifest))
    done = polyrank("check", run)
    assert done.status == 4
    assert "rejected: nothing proves y0 <= 2 on the domain" in done.err
    assert json.loads(polyrank("check", run, "--json").out)["verdict"] == "rejected"


def test_exact(polyrank: Any, run: Path) -> None:
    done = polyrank("check", run, "--exact")
    assert done.status == 0
    assert "accepted: exactly 7 regions" in done.out


def test_a_damaged_log(polyrank: Any, run: Path) -> None:
    (part,) = (run / "proof").iterdir()
    part.write_bytes(part.read_bytes()[:-5])
    done = polyrank("check", run)
    assert done.status == 4
    assert "rejected: part-000000.bin.zst" in done.err
    part.unlink()
    assert polyrank("check", run).status == 4


def test_what_cannot_be_read(polyrank: Any, run: Path, tmp_path: Path) -> None:
    done = polyrank("check", tmp_path / "nothing")
    assert (done.status, done.err.count("\n")) == (1, 1)
    (run / "manifest.json").write_text("{")
    done = polyrank("check", run)
    assert (done.status, done.err.count("\n")) == (1, 1)


@pytest.mark.parametrize("arguments", [["--sample", 0], ["--jobs", 0], ["--unknown"], []])
def test_wrong_usage(polyrank: Any, run: Path, arguments: list[Any]) -> None:
    assert polyrank("check", *([run, *arguments] if arguments else [])).status == 2


def test_undecided_cells(polyrank: Any, run: Path) -> None:
    """A run that calls itself incomplete is accepted as that, with status 3."""
    manifest = json.loads((run / "manifest.json").read_text())
    manifest.update(status="failed", certified=False)
    del manifest["proof"]
    (run / "manifest.json").write_text(json.dumps(manifest))
    done = polyrank("check", run, "--json")
    assert done.status == 3
    assert json.loads(done.out)["verdict"] == "undecided"


def test_partial(polyrank: Any, run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    manifest.update(status="interrupted", certified=False)
    del manifest["proof"]
    (run / "manifest.json").write_text(json.dumps(manifest))
    done = polyrank("check", run)
    assert done.status == 3


def test_the_network_has_moved(polyrank: Any, run: Path, plane: Path, tmp_path: Path) -> None:
    plane.rename(tmp_path / "elsewhere.npz")
    done = polyrank("check", run)
    assert done.status == 1
    assert "--network" in done.err
    assert polyrank("check", run, "--network", tmp_path / "elsewhere.npz").status == 0


def test_a_proof_needs_a_directory(polyrank: Any, plane: Path) -> None:
    done = polyrank("enumerate", plane, "--proof")
    assert done.status == 2
    assert "--output" in done.err
