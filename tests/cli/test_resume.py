"""``polyrank enumerate --resume`` and the limits of a run."""

from __future__ import annotations

import json

import numpy as np
import pytest

import polyrank as pr
from polyrank.errors import RunError
from polyrank.network.formats import save
from polyrank.network.initialise import random_network
from polyrank.regions import enumerate as module
from polyrank.regions.limits import Limits


@pytest.fixture
def net(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TASK_WORK", (500.0, 1000.0))
    rng = np.random.default_rng(0)
    path = tmp_path / "net.npz"
    np.savez(
        path,
        W0=rng.normal(size=(14, 4)), b0=rng.normal(size=14),
        W1=rng.normal(size=(2, 14)), b1=np.zeros(2),
    )  # fmt: skip
    return path


def test_stopped_and_resumed(polyrank, net, tmp_path):
    out = tmp_path / "run"
    stopped = polyrank("enumerate", net, "-o", out, "--max-regions", "100", "--proof")
    assert stopped.status == 3
    assert "partial: at least" in stopped.out
    assert "and at most" in stopped.out
    assert "stopped at the limit of 100 regions" in stopped.out
    assert "certified" not in stopped.out
    summary = polyrank("summary", out, "--json")
    shown = json.loads(summary.out)
    assert summary.status == 3
    assert (shown["status"], shown["limit"]) == ("stopped", "the limit of 100 regions")
    assert shown["regions"] < shown["regions_at_most"]
    assert shown["open"]["cells"] == len(pr.open_run(out).open_prefixes) > 0
    assert polyrank("check", out).status == 3
    done = polyrank("enumerate", "--resume", out)
    # 14 hyperplanes in general position in R^4: Σ C(14, j), j = 0..4 (Buck 1943)
    assert (done.status, "certified: exactly 1,471 regions" in done.out) == (0, True)
    assert polyrank("check", out).status == 0
    again = polyrank("enumerate", "--resume", out, net, "--json")
    assert (again.status, json.loads(again.out)["regions"]) == (0, 1471)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("engine", "vertice2"), ("engine", None), ("options", None), ("options", 5),
        ("versions", []), ("tasks", None), ("tasks", {}), ("tasks", {"proof": 1, "work": [1, 2]}),
        ("tasks", {"proof": True, "work": []}), ("tasks", {"proof": True, "work": ["1", 2]}),
        ("tasks", {"proof": True, "work": [0, 2]}), ("tasks", {"proof": True, "work": 5}),
        ("network_file", {"path": "../net.npz", "options": {"activation": 5}}),
    ],
)  # fmt: skip
def test_a_run_whose_manifest_was_edited(net, tmp_path, field, value):
    out = tmp_path / "run"
    pr.enumerate_regions(pr.load(net), out=out, limits=Limits(regions=100))
    file = out / "manifest.json"
    manifest = json.loads(file.read_text())
    file.write_text(json.dumps({**manifest, field: value}))
    with pytest.raises(RunError, match=r"damaged|begun by|that do not exist"):
        pr.resume_run(out)


@pytest.mark.parametrize(
    "option", [["--time", "0.000001"], ["--max-disk", "1kB"], ["--max-memory", "1MB"]]
)
def test_limits(polyrank, net, tmp_path, option):
    found = polyrank("enumerate", net, "-o", tmp_path / "run", *option)
    assert found.status == 3
    assert "stopped at the limit of" in found.out


def test_options_that_would_change_the_question(polyrank, net, tmp_path):
    out = tmp_path / "run"
    polyrank("enumerate", net, "-o", out, "--max-regions", "10")
    for extra in (
        ["--box", "-1", "1"], ["--through-layer", "1"], ["--engine", "highs"], ["--proof"],
        ["-o", tmp_path / "other"], ["--output-relu"], ["--vnnlib", "x.vnnlib"],
    ):  # fmt: skip
        wrong = polyrank("enumerate", "--resume", out, *extra)
        assert wrong.status == 2
        assert "leave out" in wrong.err
    assert polyrank("enumerate").status == 2
    assert polyrank("enumerate", "--resume", tmp_path / "nothing").status == 1
    np.savez(tmp_path / "other.npz", W0=np.eye(4), b0=np.zeros(4))
    other = polyrank("enumerate", "--resume", out, tmp_path / "other.npz")
    assert (other.status, "is not the run's" in other.err) == (1, True)
    net.unlink()
    gone = polyrank("enumerate", "--resume", out)
    assert (gone.status, "is missing" in gone.err) == (1, True)


def test_another_question_of_ranks_is_refused(polyrank, tmp_path):
    net, where = random_network([3, 6, 5, 1], seed=2), tmp_path / "work"
    save(net, tmp_path / "net.json")
    asked = ["minrank", tmp_path / "net.json", "--layer", "2", "--below", "2", "--json"]
    first = polyrank(*asked, "-o", where)
    assert first.status == 0
    assert "exists already" in polyrank(*asked, "-o", where).err
    again = json.loads(polyrank(*asked, "--resume", where).out)
    for name in ("lower", "upper", "regions", "complete"):
        assert again[name] == json.loads(first.out)[name]
    for options, said in (
        (["--layer", "1"], "layer: 2 there, 1 here"),
        (["--below", "3"], "below: 2 there, 3 here"),
        (["--limit", "7"], "limit: 10000 there, 7 here"),
        (["--box", "-1", "1"], "domain: "),
    ):
        other = polyrank(*asked, *options, "--resume", where)
        assert other.status == 1
        assert "is about another question, and only its own goes on" in other.err
        assert said in other.err
    greatest = polyrank("minrank", asked[1], "--layer", "2", "--greatest", "--resume", where)
    assert "what: minrank there, greatest rank here" in greatest.err
    assert "nothing to resume" in polyrank(*asked, "--resume", tmp_path).err
    assert polyrank(*asked, "-o", tmp_path / "x", "--resume", where).status == 2
