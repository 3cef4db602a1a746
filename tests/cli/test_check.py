"""``polyrank check`` and ``polyrank enumerate --proof``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyrank as pr
from tests.proof.runs import random_network, write


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


def test_a_sample_of_all_is_no_sample(polyrank: Any, run: Path) -> None:
    done = polyrank("check", run, "--sample", 5)
    assert done.status == 0
    assert "accepted: exactly 7 regions" in done.out
    assert "a random sample of 1 of 1 subtrees is all of them" in done.said
    assert "was not checked" not in done.out


def test_a_sample_is_called_a_sample(polyrank: Any, tmp_path: Path) -> None:
    write(tmp_path / "run", random_network(4, 2, 7, 7, 1), pr.Box(-2, 2), cells=20)
    done = polyrank("check", tmp_path / "run", "--sample", 3)
    assert done.status == 0
    assert "accepted: a random sample of 3 of " in done.out
    assert "the rest was not checked" in done.out
    assert "exactly" not in done.out
    assert "not verified: certified, counts.undecided, started" in done.out


def test_without_a_proof(polyrank: Any, plane: Path, tmp_path: Path) -> None:
    polyrank("enumerate", plane, "-o", tmp_path / "run", "-q")
    done = polyrank("check", tmp_path / "run")
    assert done.status == 3
    assert "not decided: 7 regions, each with its witness" in done.out
    assert "the absence of others was not re-derived" in done.said
    assert json.loads(polyrank("check", tmp_path / "run", "--json").out)["verdict"] == "undecided"


def test_layers_of_how_many(polyrank: Any, plane: Path, tmp_path: Path) -> None:
    """A run through the first layer never reads as one of the whole network."""
    options = ["--box", -2, 2, "-o", tmp_path / "run", "--proof", "-q", "--through-layer", 1]
    assert "layers 1..1 of 2: later" in polyrank("enumerate", plane, *options).out
    for verb in ("check", "summary", "info"):
        done = polyrank(verb, tmp_path / "run")
        assert done.status == 0
        assert "layers 1..1 of 2: later layers divide" in done.out
    for verb in ("summary", "info"):
        shown = json.loads(polyrank(verb, tmp_path / "run", "--json").out)
        assert (shown["through_layer"], shown["network_layers"]) == (1, 2)
    shown = json.loads(polyrank("check", tmp_path / "run", "--json").out)
    assert (shown["layers"], shown["network_layers"]) == (1, 2)


def test_a_network_that_was_replaced(polyrank: Any, run: Path, plane: Path) -> None:
    """Nothing about the run is false; the file that it speaks of is not there any more."""
    pr.save(random_network(1, 2, 3, 1), plane, overwrite=True)
    done = polyrank("check", run)
    assert done.status == 3
    assert "not decided: the file of the network holds another network" in done.err


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
    done = polyrank("check", run)
    assert done.status == 3
    assert "not decided: the proof is missing: part-000000.bin.zst" in done.err
    found = json.loads(polyrank("check", run, "--json").out)
    assert (found["verdict"], found["reason"][:20]) == ("undecided", "the proof is missing")


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


def test_slices_and_polytopes_with_and_without_a_proof(
    polyrank: Any, plane: Path, tmp_path: Path
) -> None:
    net = random_network(7, 5, 8, 6, 2)
    pr.save(net, tmp_path / "net.json")
    points = np.random.default_rng(3).normal(size=(4, 5))
    np.save(tmp_path / "points.npy", points)
    np.savez(tmp_path / "corner.npz", A=[[1.0, 1], [-1, 0], [0, -1]], b=[1.0, 0, 0])
    through = ["slice", tmp_path / "net.json", "--points", tmp_path / "points.npy"]
    for number, question in enumerate(
        [
            [*through, "0,1,2", "--no-ambient"],
            [*through, "0,1,3", "--extended"],
            [*through, "2,3"],
            ["enumerate", plane, "--polytope", tmp_path / "corner.npz"],
            ["enumerate", plane, "--box", 1, 1],
        ]
    ):
        bare, proved = tmp_path / f"bare{number}", tmp_path / f"proved{number}"
        assert polyrank(*question, "-o", bare, "-q").status == 0
        done = polyrank("check", bare)
        assert (done.status, done.err) == (3, "")
        assert "there is no proof log" in done.out
        assert polyrank(*question, "-o", proved, "-q", "--proof").status == 0
        done = polyrank("check", proved)
        assert (done.status, done.err) == (0, "")
        assert "accepted: exactly" in done.out
        assert ("ambient.parquet" in done.out) == (question[0] == "slice" and number > 0)
    assert polyrank(*through, "2,3", "--proof").status == 2
