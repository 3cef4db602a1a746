"""With ``--json`` standard output is one JSON object and nothing else, whoever prints.

File descriptor 1 is what is looked at, so that a solver that prints from C is seen too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer

from polyrank_cli.main import app
from tests.cli.processes import start
from tests.conftest import ROOT

#: Arguments by verb; RUN, NET, POINTS and so on stand for files of the fixture.
VERBS: dict[str, list[list[str]]] = {
    "enumerate": [
        ["NET", "--box", "-2", "2"],
        ["NET", "--box", "-2", "2", "--engine", "highs"],
        ["NET", "--engine", "dictionary"],
    ],
    "count": [["NET"], ["NET", "--box", "-2", "2", "--engine", "highs"]],
    "complex": [["NET", "--box", "-2", "2", "--level", "1", "--volumes"]],
    "info": [["NET"], ["RUN"]],
    "summary": [["RUN"]],
    "graph": [["RUN", "--linear-regions", "1"]],
    "low-rank": [["RUN", "--below", "2", "--layer", "1"]],
    "minrank": [["NET", "--milp"], ["NET", "--layer", "2", "--below", "1"], ["NET", "--greatest"]],
    "bounds": [["3-4-5"]],
    "ensemble": [
        ["--arch", "2-4", "--seeds", "2", "--box", "-1", "1", "--measure", "minrank,mass"],
        ["NET", "--measure", "regions"],
    ],
    "verify": [["NET", "--upper", "9", "--box", "-2", "2"]],
    "region": [["RUN", "0"]],
    "sample": [["NET", "--normal", "50", "--run", "RUN"], ["NET", "--points", "POINTS"]],
    "at": [["NET", "1/3,2"]],
    "slice": [["NET", "0,1,2", "--points", "POINTS"]],
    "restrict": [["NET", "circle:12"]],
    "homology": [["NET", "circle:12"]],
    "homeomorphism": [
        ["NET", "circle:12"],
        ["NET", "circle:12", "--layer", "1", "--all"],
        ["NET", "--box", "-1", "1"],
        ["NET", "--whole-space"],
    ],
    "image": [["NET", "circle:12"], ["NET", "circle:12", "--barcode", "--layer", "1"]],
    "separate": [["NET", "disk-in-annulus:8"], ["NET", "spirals:8", "--time", "0"]],
    "check": [["RUN"]],
}
BROKEN: list[list[str]] = [
    ["MISSING"],
    [],
    ["NET", "--no-such-option"],
    ["NET", "--box", "1", "0"],
    ["NET", "--through-layer", "7"],
    ["TEXT"],
    ["RUN", "99"],
    ["RUN", "--below", "x"],
    ["FOLDER"],
    ["NET", "nonsense:3"],
    ["NET", "1/0,1"],
    ["NET", "--points", "TEXT"],
    ["NET", "--layer", "9"],
]


@pytest.fixture
def files(plane, tmp_path) -> Callable[[list[str]], list[str]]:
    run = tmp_path / "run"
    made = ["enumerate", plane, "--box", "-2", "2", "-o", run, "--graph", "-q"]
    assert _call([str(a) for a in made]) == 0
    points, text = tmp_path / "points.npy", tmp_path / "text.npz"
    np.save(points, np.array([[0.5, -1.0], [1.5, 0.25], [-1.0, 1.0]]))
    text.write_text("no archive")
    (tmp_path / "folder").mkdir()
    named = {
        "NET": plane, "RUN": run, "POINTS": points, "TEXT": text, "FOLDER": tmp_path / "folder",
        "MISSING": tmp_path / "missing.npz",
    }  # fmt: skip
    return lambda arguments: [str(named.get(a, a)) for a in arguments]


def _call(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as left:
        app(arguments, prog_name="polyrank")
    return int(left.value.code or 0)


def test_every_verb_with_the_option_is_here() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    takes = {n for n, c in commands.items() if any("--json" in p.opts for p in c.params)}
    assert takes == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_stdout_is_one_object(verb, files, capfd):
    for arguments in VERBS[verb]:
        capfd.readouterr()
        status = _call([verb, *files(arguments), "--json"])
        printed, messages = capfd.readouterr()
        assert status in (0, 3), messages
        assert printed.endswith("}\n")
        assert printed.count("\n") == 1
        assert isinstance(json.loads(printed), dict)


@pytest.mark.parametrize("verb", VERBS)
def test_under_errors_it_is_that_or_nothing(verb, files, capfd):
    for arguments in BROKEN:
        capfd.readouterr()
        status = _call([verb, *files(arguments), "--json"])
        printed, messages = capfd.readouterr()
        assert "Traceback" not in messages
        assert messages or status in (0, 3), (verb, arguments)
        if printed:
            assert isinstance(json.loads(printed), dict), (verb, arguments)
        if status in (1, 2):
            assert messages


def test_the_process_gives_its_stdout_to_python_alone() -> None:
    """Lines that C writes to 1 go to stderr, whether they are flushed early, late or at exit."""
    code = """
import ctypes, os, sys
from polyrank_cli.streams import keep_stdout_for_python
libc = ctypes.CDLL(None)
keep_stdout_for_python()
os.write(1, b"raw\\n")
libc.printf(b"early\\n"); libc.fflush(None)
print("ours")
libc.puts(b"late")
sys.stdout.flush()
libc.puts(b"at exit")
print("ours again")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT / "cli"
    )
    assert (done.returncode, done.stdout) == (0, "ours\nours again\n"), done.stderr
    assert {"raw", "early", "late", "at exit"} <= set(done.stderr.splitlines())


@pytest.mark.parametrize("redirected", [">&-", "2>&-", ">&- 2>&-", ""])
def test_closed_streams_are_put_up_with(redirected: str) -> None:
    code = "from polyrank_cli.main import main; main()"
    done = subprocess.run(
        ["sh", "-c", f'"$0" -c "$1" --version {redirected}', sys.executable, code],
        capture_output=True, text=True, cwd=ROOT / "cli", env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    if ">&-" not in redirected or redirected == "2>&-":
        assert done.stdout.startswith("polyrank ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full")
@pytest.mark.parametrize(
    ("rest", "status", "printed", "messages"),
    [
        (["count", "NET", "--box", "-1", "1", "2>&-"], 0, "certified: ", ""),
        (["sample", "NET", "--points", "-", "<&-"], 1, "", "standard input holds no points"),
        (["bounds", "2-3", ">/dev/full"], 1, "", "No space left on device"),
        (["bounds", "2-3", ">/dev/full", "2>&-"], 1, "", ""),
    ],
    ids=lambda v: v[-1] if isinstance(v, list) else "",
)
def test_a_verb_with_closed_or_full_streams(
    rest: list[str], status: int, printed: str, messages: str, plane: Path
) -> None:
    line = " ".join(rest).replace("NET", f"'{plane}'")
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m polyrank_cli.main {line}', sys.executable],
        capture_output=True, text=True, env={"PYTHONPATH": f"{ROOT}:{ROOT / 'cli'}"},
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert done.stdout.startswith(printed)
    assert messages in done.stderr
    assert len(done.stderr.splitlines()) == bool(messages)


@pytest.mark.parametrize(
    "arguments", [["minrank", "--milp"], ["enumerate", "--engine", "highs", "--box", "-2", "2"]]
)
def test_processes_that_call_a_solver(arguments: list[str], plane: Path) -> None:
    verb, *options = arguments
    process = start(verb, plane, *options, "--json")
    printed, messages = process.communicate(timeout=240)
    assert process.returncode == 0, messages
    assert isinstance(json.loads(printed), dict)


def test_a_reader_that_leaves_early_is_no_fault(plane: Path) -> None:
    """``polyrank info net | head -0``: no traceback."""
    command = f"{sys.executable} -m polyrank_cli.main info {plane} | true"
    done = subprocess.run(
        ["sh", "-c", command],
        capture_output=True, text=True, env={"PYTHONPATH": f"{ROOT}:{ROOT / 'cli'}"},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
