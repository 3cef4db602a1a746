"""``polyrank enumerate`` and ``polyrank summary``: what is printed and with which exit status."""

from __future__ import annotations

import errno
import json

import numpy as np
import pytest

import polyrank as pr
from polyrank.regions import enumerate as module
from polyrank_cli.failures import sentences
from tests.regions.fake_search import FakeResult, ending

KEYS = {
    "regions", "undecided", "certified", "rank_histogram", "min_rank", "seconds", "tests", "pivots",
    "domain", "network", "engine",
}  # fmt: skip

#: A limit asks for tasks in memory too.
TASKS = ("--max-regions", "1000")


@pytest.mark.parametrize("engine", ["dictionary", "highs"])
def test_json_is_one_object(polyrank, plane, engine):
    found = polyrank("enumerate", plane, "--json", "--engine", engine)
    assert found.status == 0
    shown = json.loads(found.out)
    assert found.out.count("\n") == 1
    assert shown.keys() >= KEYS
    # three lines in general position: 1 + 3 + 3 regions (Zaslavsky 1975)
    assert (shown["regions"], shown["undecided"], shown["certified"]) == (7, 0, True)
    assert shown["regions_at_most"] == 7
    assert shown["rank_histogram"] == [{"0": 1, "1": 2, "2": 4}, {"0": 1, "1": 6}]
    assert shown["min_rank"] == [0, 0]
    assert shown["domain"] == {"kind": "whole space"}
    assert shown["network"].items() >= {"name": "plane", "widths": [2, 3, 1]}.items()
    assert shown["network"]["hash"] == pr.load(plane).sha256
    assert shown["engine"] == engine
    assert shown["seconds"] > 0
    assert shown["output"] is None


def test_text(polyrank, plane):
    found = polyrank("enumerate", plane, "--box", "-3", "3", "--through-layer", "1", "-q")
    assert found.status == 0
    assert found.err == ""
    assert "certified: exactly 7 regions" in found.out
    assert "rank through layer 1: 0:1 1:2 2:4" in found.out


def test_network_options(polyrank, plane):
    # with a ReLU on the output, a sum of ReLUs, nothing is cut; with slope −1 the sum
    # |x| + |y| + |x + y − 1| is positive too
    found = polyrank("enumerate", plane, "--output-relu", "--json")
    assert json.loads(found.out)["regions"] == 7
    found = polyrank("enumerate", plane, "--slope", "-1", "--output-relu", "--json", "-q")
    assert json.loads(found.out)["regions"] == 7
    found = polyrank("enumerate", plane, "--activation", "tanh")
    assert found.status == 1
    assert "tanh" in found.err


def test_directory_and_summary(polyrank, plane, tmp_path):
    out = tmp_path / "run"
    found = polyrank("enumerate", plane, "-o", out)
    assert found.status == 0
    assert f"written to {out}" in found.out
    assert pr.open_run(out).certified
    again = polyrank("enumerate", plane, "-o", out)
    assert again.status == 1
    assert again.err == (
        f"polyrank: error: {out} exists already; name a new directory, or replace that one with "
        "--force\n"
    )

    found = polyrank("summary", out)
    assert found.status == 0
    assert "plane 2-3-1\ncertified: exactly 7 regions\n" in found.out
    assert found.out.splitlines()[-1].split() == ["2", "1", "0", "7", "0", "7", "0:1", "1:6"]

    found = polyrank("summary", out, "--json")
    shown = json.loads(found.out)
    assert shown.keys() >= KEYS
    assert shown["output"] == str(out)
    first, last = shown["layers"]
    assert first["decomposition"] == last["decomposition"] == 7
    assert (first["low_rank"], last["low_rank"]) == (3, 7)
    assert first["rank_histogram"] == first["decomposition_rank_histogram"]
    shown = json.loads(polyrank("summary", out, "--json", "--below", 1).out)
    assert [layer["low_rank"] for layer in shown["layers"]] == [1, 1]
    wrong = polyrank("summary", out, "--below", 3)
    assert wrong.status == 1
    assert "low-rank is a rank below 3; expected 1 to the dimension of the domain, " in wrong.err


def test_layerwise_summary(polyrank, tmp_path):
    # layer 1 cuts the line at 0, layer 2 cuts x > 0 again at 1: 2 regions, then 3
    path = tmp_path / "folds.npz"
    np.savez(path, W0=[[1.0]], b0=[0.0], W1=[[1.0]], b1=[-1.0], W2=[[1.0]], b2=[0.0])
    polyrank("enumerate", path, "-o", tmp_path / "run")
    layers = json.loads(polyrank("summary", tmp_path / "run", "--json").out)["layers"]
    assert [layer["decomposition"] for layer in layers] == [2, 3, 3]
    assert [layer["rank_histogram"] for layer in layers] == [
        {"0": 1, "1": 2}, {"0": 2, "1": 1}, {"0": 2, "1": 1},
    ]  # fmt: skip
    assert layers[0]["decomposition_rank_histogram"] == {"0": 1, "1": 1}
    assert (layers[0]["low_rank"], layers[0]["decomposition_low_rank"]) == (1, 1)
    text = polyrank("summary", tmp_path / "run").out.splitlines()
    assert [line.split() for line in text[-3:]] == [
        ["1", "1", "1", "2", "0", "1", "0:1", "1:1"],  # of the two regions of layer 1 themselves
        ["2", "1", "1", "3", "0", "2", "0:2", "1:1"],
        ["3", "1", "0", "3", "0", "2", "0:2", "1:1"],
    ]


def test_undecided_cells_remain(polyrank, plane, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "crew_of", ending(FakeResult(undecided=("11?|",)), rows=5))
    out = tmp_path / "run"
    found = polyrank("enumerate", plane, "-o", out)
    assert found.status == 3
    assert (
        "not certified: at least 5 regions and at most 7; 1 undecided prefix remains" in found.out
    )
    assert "certified: exactly" not in found.out
    shown = polyrank("summary", out, "--json")
    assert shown.status == 3
    assert json.loads(shown.out)["certified"] is False
    monkeypatch.setattr(module, "crew_of", ending(FakeResult(undecided=("0??|", "1??|")), rows=5))
    found = polyrank("enumerate", plane, "--json", *TASKS)
    assert found.status == 3
    shown = json.loads(found.out)
    assert (shown["undecided"], shown["certified"], shown["regions_at_most"]) == (2, False, 13)


def test_interrupt(polyrank, plane, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "crew_of", ending(KeyboardInterrupt(), rows=4))
    out = tmp_path / "run"
    found = polyrank("enumerate", plane, "-o", out)
    assert found.status == 130
    assert "partial: at least 4 regions and at most 15; it was interrupted" in found.out
    assert f"polyrank: interrupted; what was found is in {out}" in found.err
    summary = polyrank("summary", out)
    assert summary.status == 3  # as graph and check of a run that is not certified
    assert "partial: at least 4 regions and at most 15; it was interrupted" in summary.out
    found = polyrank("enumerate", plane, "--json", *TASKS)
    assert found.status == 130
    shown = json.loads(found.out)
    assert (shown["status"], shown["certified"], shown["regions"]) == ("interrupted", False, 4)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "error: out of memory; take a smaller domain"),
        (OSError(errno.EIO, "Input/output error", "weights.bin"), "error: weights.bin: Input/out"),
        (OSError("odd"), "error: odd"),
        (pr.UncertifiedError("no limit left"), "error: no limit left"),
    ],
)
def test_errors_are_one_sentence(polyrank, plane, monkeypatch, error, message):
    monkeypatch.setattr(module, "crew_of", ending(error))
    found = polyrank("enumerate", plane, "--json", *TASKS)
    assert found.status == 1
    assert found.out == ""
    assert found.err.startswith(f"polyrank: {message}")
    assert found.err.count("\n") == 1


def test_a_reader_that_has_gone_is_not_an_error_message(capsys):
    with pytest.raises(BrokenPipeError), sentences():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")
    assert capsys.readouterr().err == ""


def test_full_disk(polyrank, plane, tmp_path, monkeypatch):
    def no_space(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("polyrank.regions.writer.write_manifest", no_space)
    found = polyrank("enumerate", plane, "-o", tmp_path / "run")
    assert found.status == 1
    assert "the disk is full while writing" in found.err
    assert "Traceback" not in found.err


def test_interrupt_while_reading(polyrank, plane, monkeypatch):
    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(pr, "load", interrupted)
    found = polyrank("info", plane)
    assert (found.status, found.err) == (130, "polyrank: interrupted; nothing was kept\n")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nothing.npz"], 1, "nothing.npz: no such file"),
        (["PLANE", "--box", "2", "1"], 1, "the lower bound 2 is above the upper bound 1"),
        (["PLANE", "--box", "0,0,0", "1"], 1, "dimension 3"),
        (["PLANE", "--through-layer", "9"], 1, "has layers 1 to 2"),
        (["PLANE", "--raw"], 1, "only .nnet files state a normalisation"),
        (["PLANE", "--box", "0", "1", "--polytope", "p.npz"], 2, "each name a domain"),
        (["PLANE", "--case", "1"], 2, "--case chooses"),
        (["PLANE", "--polytope", "p.npz"], 1, "p.npz: no such file"),
    ],
)
def test_wrong_input(polyrank, plane, arguments, status, message):
    found = polyrank("enumerate", *(plane if a == "PLANE" else a for a in arguments))
    assert found.status == status
    assert message in " ".join(found.err.split())
    assert "Traceback" not in found.err
    assert found.out == ""


def test_empty_domain_shows_its_certificate(polyrank, plane, tmp_path):
    path = tmp_path / "empty.json"
    path.write_text('{"A": [[1, 0], [-1, 0]], "b": [0, -1]}')
    found = polyrank("enumerate", plane, "--polytope", path, "-o", tmp_path / "run")
    assert found.status == 1
    assert "empty" in found.err
    assert "x0 <= 0" in found.err
    assert "x0 >= 1" in found.err
    assert not (tmp_path / "run").exists()


def test_progress_on_a_terminal_only(polyrank, plane, monkeypatch):
    monkeypatch.setattr(module, "crew_of", ending(FakeResult()))
    assert "of the tree" not in polyrank("enumerate", plane, *TASKS).err
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert "of the tree" not in polyrank("enumerate", plane, "--quiet", *TASKS).err
    found = polyrank("enumerate", plane, *TASKS)
    assert "0.0% of the tree" in found.err
    assert "7 regions" in found.err
    assert "undecided" not in found.err


def test_a_run_in_memory_without_limits_needs_no_tasks(polyrank, plane, monkeypatch):
    monkeypatch.setattr(module, "crew_of", ending(AssertionError("tasks")))
    assert json.loads(polyrank("enumerate", plane, "--json").out)["regions"] == 7
    with pytest.raises(AssertionError, match="tasks"):
        polyrank("enumerate", plane, "--json", *TASKS)


def test_a_network_that_sees_few_dimensions(polyrank, tmp_path):
    """Three units on R^40: the run is in R^3, says so, and all verbs speak of R^40."""
    rng = np.random.default_rng(0)
    net = tmp_path / "few.npz"
    np.savez(net, W0=rng.normal(size=(3, 40)), b0=rng.normal(size=3), W1=np.ones((1, 3)), b1=[0.0])
    run = tmp_path / "run"
    assert polyrank("enumerate", net, "-o", run, "--proof", "--graph", "-q").status == 0
    shown = polyrank("summary", run)
    assert "certified: exactly 8 regions" in shown.out
    assert "regions depend on 3 of the domain's 40 dimensions" in shown.out
    facts = json.loads(polyrank("summary", run, "--json").out)
    assert (facts["dimension"], facts["lineality"]) == (40, 37)
    assert polyrank("check", run).status == 0
    region = json.loads(polyrank("region", run, "0", "--json").out)
    assert (region["bounded"], region["volume"], region["lineality"]) == (False, None, 37)
    assert "a linear space of dimension 37" in polyrank("region", run, "0").out
    low = json.loads(polyrank("low-rank", run, "--json").out)
    assert (low["below"], low["regions"]) == (40, 8)
    refused = polyrank("plot", run, "-o", tmp_path / "map.png")
    assert "the domain has dimension 40; only two dimensions are drawn" in refused.err
    sampled = polyrank("sample", net, "--normal", "500", "--run", run, "--json")
    assert sampled.status == 0
    assert json.loads(sampled.out)["cross_check"]["unlisted_codewords"] == 0
