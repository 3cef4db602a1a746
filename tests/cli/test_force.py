"""``--force``: one option with one meaning, for every verb that writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from polyrank.network.formats import save
from polyrank.network.initialise import random_network
from polyrank_cli.main import app
from tests.cli.conftest import Outcome

CALLS = {
    "enumerate": ["NET", "--box", "-1", "1"],
    "slice": ["NET", "--points", "POINTS"],
    "complex": ["NET", "--box", "-1", "1"],
    "sample": ["NET", "--normal", "30"],
    "restrict": ["NET", "circle:8"],
    "homeomorphism": ["NET", "circle:8"],
    "separate": ["NET", "concentric-circles:8"],
    "image": ["NET", "circle:8"],
    "minrank": ["NET"],
    "verify": ["NET", "--lower", "-9", "--box", "-1", "1"],
}


@pytest.fixture
def net(tmp_path: Path) -> Path:
    save(random_network([2, 4, 3, 1], seed=5), tmp_path / "net.json")
    (tmp_path / "points.csv").write_text("0,0\n1,0\n0,1\n", encoding="utf-8")
    return tmp_path / "net.json"


@pytest.mark.parametrize("verb", CALLS)
def test_a_directory_is_replaced(
    verb: str, polyrank: Callable[..., Outcome], net: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    given = {"NET": net, "POINTS": tmp_path / "points.csv"}
    words = [verb, *(given.get(word, word) for word in CALLS[verb]), "-o", out]
    out.mkdir()
    (out / "mine.txt").write_text("kept", encoding="utf-8")
    refused = polyrank(*words)
    assert refused.status == 1
    assert "exists already; name a new directory, or replace that one with --force" in refused.err
    kept = polyrank(*words, "--force")
    assert kept.status == 1
    assert "is nothing that polyrank wrote, and --force replaces nothing else" in kept.err
    assert (out / "mine.txt").read_text(encoding="utf-8") == "kept"
    (out / "mine.txt").unlink()
    out.rmdir()
    assert polyrank(*words).status in {0, 3, 5}
    (out / "old").write_text("", encoding="utf-8")
    assert polyrank(*words, "--force").status in {0, 3, 5}
    assert not (out / "old").exists()


@pytest.mark.parametrize("verb", CALLS)
def test_what_cannot_be_read_replaces_nothing(
    verb: str, polyrank: Callable[..., Outcome], net: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "manifest.json").write_text("{}", encoding="utf-8")
    given = {"NET": tmp_path / "none.json", "POINTS": tmp_path / "points.csv"}
    words = [verb, *(given.get(word, word) for word in CALLS[verb]), "-o", out, "--force"]
    assert polyrank(*words).status == 1
    assert (out / "manifest.json").exists()
    if verb in {"restrict", "homeomorphism", "separate", "image"}:
        assert polyrank(verb, net, tmp_path / "none.ply", *words[-3:]).status == 1
    elif verb == "verify":
        for option in ("--equal", "--difference"):
            asked = [verb, net, option, tmp_path / "none.json", "--box", "-1", "1"]
            assert polyrank(*asked, *words[-3:]).status == 1
        assert polyrank(verb, net, tmp_path / "none.vnnlib", *words[-3:]).status == 1
    elif verb == "sample":
        assert polyrank(verb, net, "--points", tmp_path / "none.csv", *words[-3:]).status == 1
    assert (out / "manifest.json").exists()


def test_files_are_replaced(polyrank: Callable[..., Outcome], net: Path, tmp_path: Path) -> None:
    target, table = tmp_path / "other.npz", tmp_path / "rows.parquet"
    assert polyrank("convert", net, target).status == 0
    assert "replace it with --force" in polyrank("convert", net, target).err
    assert polyrank("convert", net, target, "--force").status == 0
    words = ["ensemble", "--arch", "2-3-1", "-q", "-o", table, "--seeds"]
    assert polyrank(*words, "1").status == 0
    assert "exists already" in polyrank(*words, "2").err
    assert "2 networks" in polyrank(*words, "2", "--force").out
    assert polyrank(*words, "2", "--force", "--resume").status == 2
    assert polyrank(*words[:-2], tmp_path / "rows.csv", "--seeds", "2", "--force").status == 1
    assert polyrank("ensemble", tmp_path / "none.npz", "-o", table, "--force").status == 1
    assert table.exists()


def test_a_graph_is_made_anew(polyrank: Callable[..., Outcome], net: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    polyrank("enumerate", net, "--box", "-1", "1", "--graph", "-o", run)
    file = run / "graph" / "graph.json"
    first = json.loads(file.read_text(encoding="utf-8"))
    assert polyrank("graph", run).status == 0
    assert json.loads(file.read_text(encoding="utf-8")) == first
    assert polyrank("graph", run, "--force").status == 0
    again = json.loads(file.read_text(encoding="utf-8"))
    assert again["statistics"].pop("seconds") != first["statistics"].pop("seconds")
    assert again == first


def test_every_verb_with_an_output_directory_has_it() -> None:
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for verb, command in verbs.items():
        names = {name: p for p in command.params for name in p.opts}
        if "-o" in names and names["-o"].metavar == "DIR":
            assert "--force" in names, verb
            assert verb in CALLS
