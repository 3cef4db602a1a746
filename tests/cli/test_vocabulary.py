"""One name for one concept: all options of all verbs are read and compared."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from polyrank_cli.main import app
from polyrank_cli.renamed import RENAMED, current_names
from tests.cli.conftest import Outcome

#: Words of a help text that mark a concept, and the only name that an option for it may have.
_CONCEPTS = {
    "rank below M": "--below",
    "Threads": "--jobs",
    "One JSON object".lower(): "--json",
    "no messages": "--quiet",
    "to a new directory": "--output",
    "Box LO <= x <= HI": "--box",
    "Points: .npy, .csv": "--points",
    "to a .png, .svg or .pdf": "--picture",
}
#: One metavar for one kind of value.
_METAVARS = {
    "--jobs": "N", "--below": "M", "--layer": "K", "--through-layer": "K", "--seed": "S",
    "--time": "SECONDS", "--image-time": "SECONDS", "--coefficients": "Z|Q|P", "--class": "N",
    "--of": "J", "--max-regions": "N", "--points": "FILE", "--picture": "FILE", "--network": "FILE",
}  # fmt: skip
#: Switches of these verbs alone: -o names the table already; networks have biases or not.
_SWITCHES = {("ensemble", "--resume"), ("bounds", "--bias")}


def _options() -> list[tuple[str, list[str], str, str | None]]:
    group = typer.main.get_command(app)
    return [
        (verb, list(p.opts), str(getattr(p, "help", "")), getattr(p, "metavar", None))
        for verb, command in group.commands.items()  # type: ignore[attr-defined]
        for p in command.params
        if p.param_type_name == "option"
    ]


@pytest.mark.parametrize(("words", "name"), _CONCEPTS.items())
def test_a_concept_has_one_name(words: str, name: str) -> None:
    found = [(v, names) for v, names, text, _ in _options() if words.lower() in text.lower()]
    assert found
    assert [entry for entry in found if name not in entry[1]] == []


def test_an_option_has_one_kind_of_value() -> None:
    wrong = [
        (verb, name, metavar)
        for verb, names, _, metavar in _options()
        for name in names
        if name in _METAVARS and metavar != _METAVARS[name]
    ]
    assert wrong == []


def test_one_help_text_has_one_name() -> None:
    names: dict[str, set[tuple[str, ...]]] = {}
    for _, spelled, text, _ in _options():
        names.setdefault(text, set()).add(tuple(spelled))
    assert {text: found for text, found in names.items() if len(found) > 1} == {}


def test_a_name_is_a_switch_everywhere_or_nowhere() -> None:
    group = typer.main.get_command(app)
    kinds: dict[str, set[bool]] = {}
    for verb, command in group.commands.items():  # type: ignore[attr-defined]
        for option in command.params:
            if option.param_type_name == "option" and (verb, option.opts[-1]) not in _SWITCHES:
                kinds.setdefault(option.opts[-1], set()).add(option.is_flag)
    assert {name for name, found in kinds.items() if len(found) > 1} == set()


def test_what_is_written_goes_by_one_name() -> None:
    written = [
        (verb, names)
        for verb, names, _, _ in _options()
        if "-o" in names or "--output" in names or "--out" in names
    ]
    assert [entry for entry in written if set(entry[1]) != {"-o", "--output"}] == []


def test_old_names_are_no_options_any_more() -> None:
    now = {(verb, name) for verb, names, _, _ in _options() for name in names}
    for verb, table in RENAMED.items():
        for old, (new, _, _) in table.items():
            assert (verb, old) not in now
            assert (verb, new) in now


def test_old_names_are_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    assert current_names(["homology", "n", "m", "--rank", "1"]) == [
        "homology", "n", "m", "--below", "2",
    ]  # fmt: skip
    assert "--rank is --below R+1 now" in capsys.readouterr().err
    assert current_names(["sample", "--workers=3", "n"]) == ["sample", "--jobs=3", "n"]
    assert current_names(["homology", "--rank", "x"]) == ["homology", "--below", "x"]
    assert current_names(["homology", "--", "--rank", "1"]) == ["homology", "--", "--rank", "1"]
    assert current_names(["info", "--rank", "1"]) == ["info", "--rank", "1"]
    assert current_names([]) == []


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.json"
    layers = [
        {"weight": [["1", "0"], ["0", "1"]], "bias": ["0", "0"], "activation": "relu"},
        {"weight": [["1", "1"]], "bias": ["0"]},
    ]
    path.write_text(json.dumps({"layers": layers}), encoding="utf-8")
    return path


def test_an_old_name_still_works(polyrank: Callable[..., Outcome], net: Path) -> None:
    old = polyrank("homology", net, "circle:8", "--rank", "1", "--json")
    new = polyrank("homology", net, "circle:8", "--below", "2", "--json")
    assert old.status == new.status == 0
    assert json.loads(old.out) == json.loads(new.out)
    assert "--rank is --below" in old.err
    assert "--below" not in new.err


def test_a_point_may_begin_with_a_minus(polyrank: Callable[..., Outcome], net: Path) -> None:
    for arguments in (["-0.5,-1/7"], ["--", "-0.5,-1/7"], ["-0.5,-1/7", "--json"]):
        ran = polyrank("at", net, *arguments)
        assert ran.status == 0, ran.err
    assert "codeword 00" in polyrank("at", net, "-0.5,-1/7").out
    assert polyrank("at", net, "0,1", "--bogus").status == 2


def test_short_help_and_python_m() -> None:
    command = [sys.executable, "-m", "polyrank", "homology", "-h"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0
    assert "--below" in ran.stdout


def test_every_verb_that_takes_a_domain_takes_every_option_for_it() -> None:
    domain = {"--box", "--box-file", "--vnnlib", "--case", "--polytope", "--slice", "--input-range"}
    by_verb: dict[str, set[str]] = {}
    for verb, names, _, _ in _options():
        by_verb.setdefault(verb, set()).update(names)
    by_verb["verify"] |= {"--vnnlib", "--case"}  # its PROPERTY is one
    del by_verb["homeomorphism"]  # its other argument is a manifold; of domains it divides boxes
    partly = {v: domain - names for v, names in by_verb.items() if names & domain}
    assert {v: missing for v, missing in partly.items() if missing} == {}


def test_points_as_text(
    polyrank: Callable[..., Outcome], net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "x,y\n0.5,0.25\n\n# a remark\n-1; -2\n3\t-1e-3\n"
    table = tmp_path / "points.csv"
    table.write_text(text, encoding="utf-8")
    of_file = polyrank("sample", net, "--points", table, "--json")
    assert of_file.status == 0, of_file.err
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    of_stdin = polyrank("sample", net, "--points", "-", "--json")
    assert of_stdin.status == 0, of_stdin.err
    assert json.loads(of_file.out)["points"] == json.loads(of_stdin.out)["points"] == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n3\n", "line 2 has 1 numbers, but the first point has 2"),
        ("1,2\n3,x\n", "line 2: '3,x' is no point"),
        ("x,y\n", "holds no points"),
        ("1,x\n", "line 1: '1,x' is no point"),
        ("1,nan\n", "finite"),
        ("1,2,3\n", "the points have 3 coordinates"),
    ],
)
def test_points_that_are_none(
    polyrank: Callable[..., Outcome], net: Path, tmp_path: Path, text: str, message: str
) -> None:
    table = tmp_path / "points.csv"
    table.write_text(text, encoding="utf-8")
    ran = polyrank("sample", net, "--points", table)
    assert ran.status == 1
    assert message in ran.err
    table.write_bytes(b"\xff\xfe\x00")
    assert "is no text" in polyrank("sample", net, "--points", table).err


def test_graphs_as_lines(polyrank: Callable[..., Outcome], net: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert polyrank("enumerate", net, "--box", -1, 1, "-o", run).status == 0
    table, dot = tmp_path / "g.csv", tmp_path / "g.dot"
    assert polyrank("graph", run, "--export", table, "-q").status == 0
    assert polyrank("graph", run, "--export", dot, "-q").status == 0
    # four quadrants, four edges in a ring; two of them cross unit 0
    head, *edges = table.read_text(encoding="utf-8").splitlines()
    assert head == "source,target,unit"
    rows = [tuple(map(int, line.split(","))) for line in edges]
    assert len(rows) == 4
    assert sorted(unit for _, _, unit in rows) == [0, 0, 1, 1]
    lines = dot.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "graph regions {"
    assert lines[-1] == "}"
    assert {line.strip() for line in lines[5:-1]} == {f"{a} -- {b} [unit={u}];" for a, b, u in rows}
