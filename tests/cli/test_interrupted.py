"""Ctrl-C, SIGTERM and kill -9 on inputs on which every verb would go on for hours.

No time is asserted: a process that does not end runs into the harness's own generous limit.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import polyrank as pr
from tests.cli.processes import start
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends signals")

LIMIT = 240.0
"""Seconds until a process is given up; kernels may have to be compiled first."""
#: Long enough to be at work, whatever is slow at the start.
_AT_WORK = 3.0


def _network(path: Path, *widths: int) -> Path:
    rng = np.random.default_rng(0)
    arrays = {}
    for k, (n, m) in enumerate(pairwise(widths)):
        arrays[f"W{k}"] = rng.normal(0, (2 / n) ** 0.5, (m, n))
        arrays[f"b{k}"] = rng.normal(0, 0.1, m)
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("interrupted")
    _network(folder / "flat.npz", 784, 30, 30, 30)
    _network(folder / "solid.npz", 3, 100, 100, 100, 1)
    _network(folder / "wide.npz", 784, 200, 200, 10)
    _network(folder / "n50.npz", 50, 100, 100, 3)
    _network(folder / "n30.npz", 30, 100, 1)
    _network(folder / "n12.npz", 12, 40, 40, 3)
    _network(folder / "n5.npz", 5, 200, 200, 1)
    _network(folder / "n6.npz", 6, 60, 60, 2)
    _network(folder / "n6b.npz", 6, 64, 64, 2)
    _network(folder / "n3.npz", 3, 3, 3, 3)
    np.save(folder / "points.npy", np.random.default_rng(1).normal(size=(3, 784)))
    return folder


@pytest.fixture
def begin() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []

    def call(*arguments: object) -> subprocess.Popen[str]:
        running.append(start(*arguments))
        return running[-1]

    yield call
    for process in running:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _wait_for_rows(process: subprocess.Popen[str], run: Path) -> None:
    limit = time.monotonic() + LIMIT
    while not list(run.glob("regions/*.parquet")):
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < limit
        time.sleep(0.05)


def _pressed(process: subprocess.Popen[str], number: signal.Signals) -> tuple[str, str]:
    """Press once, and wait for the end."""
    assert process.poll() is None, process.communicate()
    process.send_signal(number)
    printed, messages = process.communicate(timeout=LIMIT)
    assert process.returncode == 130, messages
    assert "Traceback" not in messages
    assert "Warning" not in messages  # of semaphores that nobody gave back
    return printed, messages


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("flat", ["--engine", "dictionary"], id="dictionary"),
        pytest.param("flat", ["--engine", "dictionary", "--proof"], id="proof", marks=SLOW),
        pytest.param("flat", ["--engine", "highs"], id="highs"),
        pytest.param("flat", ["--box", "-1", "1"], id="box", marks=SLOW),
        pytest.param("solid", ["--box", "-1", "1"], id="vertices", marks=SLOW),
    ],
)
def test_an_enumeration_keeps_its_rows(folder, begin, tmp_path, name, options, number):
    out = tmp_path / "run"
    process = begin("enumerate", folder / f"{name}.npz", *options, "-o", out, "--json")
    _wait_for_rows(process, out)
    printed, messages = _pressed(process, number)
    assert f"interrupted; what was found is in {out}" in messages
    shown, run = json.loads(printed), pr.open_run(out)
    assert shown["status"] == run.status == "interrupted"
    assert not run.certified
    assert run.count == shown["regions"] == sum(b.num_rows for b in run.batches()) > 0
    assert run.count_interval[1] > run.count


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="plain"),
        pytest.param(["--proof"], id="proof", marks=SLOW),
    ],
)
def test_a_killed_run_can_be_read(folder, begin, tmp_path, polyrank, options):
    """kill -9: what summary, check and open_run say of what is there."""
    out = tmp_path / "run"
    network = folder / "flat.npz"
    process = begin("enumerate", network, *options, "-o", out, "-q")
    _wait_for_rows(process, out)
    process.kill()
    process.wait()
    run = pr.open_run(out)
    assert (run.status, run.certified) == ("running", False)
    assert run.count == run.table.num_rows > 0
    assert run.count_interval == (run.count, None)
    summary = polyrank("summary", out)
    assert summary.status != 0
    assert f"partial: at least {run.count:,} region" in summary.out
    assert "it was killed or is still running" in summary.out
    checked = polyrank("check", out)
    assert checked.status == 3, checked
    assert f"{run.count:,}" in checked.out
    assert "nothing is missing" not in checked.out
    assert "did not finish" in checked.out + checked.err  # whether or not there is a log
    assert "no proof log" not in checked.out + checked.err or not options


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["minrank", "n50.npz", "--layer", "2"], id="minrank"),
        pytest.param(["minrank", "n30.npz", "--milp"], id="milp", marks=SLOW),
        pytest.param(["minrank", "n30.npz", "--no-milp"], id="no-milp", marks=SLOW),
    ],
)
def test_minrank_prints_what_is_proved(folder, begin, arguments):
    verb, name, *options = arguments
    process = begin(verb, folder / name, *options, "--json")
    time.sleep(_AT_WORK)
    printed, messages = _pressed(process, signal.SIGINT)
    if not printed:  # pressed before there was a region
        assert "interrupted; nothing was kept" in messages
        return
    shown = json.loads(printed)
    assert shown["interrupted"]
    assert 0 <= shown["lower"] <= shown["upper"]
    assert "what was proved until then is above" in messages


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_verify_prints_what_is_decided(folder, begin, jobs):
    arguments = ["--box", "-1", "1", "--upper", "5", "--jobs", jobs, "--json"]
    process = begin("verify", folder / "n12.npz", *arguments)
    time.sleep(_AT_WORK)
    printed, messages = _pressed(process, signal.SIGINT)
    if not printed:  # pressed while modules were loading
        assert "interrupted; nothing was kept" in messages
        return
    shown = json.loads(printed)
    assert (shown["verdict"], shown["interrupted"]) == ("unknown", True)
    assert "what was decided until then is above" in messages


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(
            ["at", "n12.npz", "0,0,0,0,0,0,0,0,0,0,0,0.5", "--budget", "100000000"], marks=SLOW
        ),
        pytest.param(["count", "flat.npz", "--box", "-1", "1"], marks=SLOW),
        pytest.param(["complex", "solid.npz", "--box", "-1", "1"], marks=SLOW),
        pytest.param(
            ["verify", "n5.npz", "--box", "-1", "1", "--equal", "n5.npz", "--jobs", "2"], marks=SLOW
        ),
        pytest.param(["slice", "wide.npz", "--points", "points.npy", "--extended"]),
        pytest.param(["separate", "n3.npz", "linked-tori:500"], marks=SLOW),
        pytest.param(["homeomorphism", "solid.npz", "torus:150"], marks=SLOW),
        pytest.param(
            ["verify", "n6.npz", "--difference", "n6b.npz", "--box", "-1", "1"], marks=SLOW
        ),
        pytest.param(["sample", "wide.npz", "--normal", "10000000"], marks=SLOW),
        pytest.param(["sample", "n5.npz", "--uniform", "10000000", "--box", "-1", "1"], marks=SLOW),
    ],
    ids=lambda arguments: arguments[0] if isinstance(arguments, list) else None,
)
def test_other_verbs_leave_at_once(folder, begin, arguments):
    named = [folder / a if (folder / a).exists() else a for a in arguments]
    process = begin(*named, "--json")
    time.sleep(_AT_WORK)
    printed, messages = _pressed(process, signal.SIGINT)
    if printed:  # slice and count show what they found, as enumerate does
        assert json.loads(printed)["status"] == "interrupted"
    assert "interrupted" in messages


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["bounds", "3000-12000-12000"], id="bounds"),
        pytest.param(["ensemble", "--arch", "25-100-50"], id="ensemble", marks=SLOW),
        pytest.param(
            ["ensemble", "--arch", "25-100-50", "--jobs", "2"], id="two processes", marks=SLOW
        ),
    ],
)
def test_verbs_of_widths_leave_at_once(begin, arguments):
    process = begin(*arguments, "--json")
    time.sleep(_AT_WORK)
    printed, _ = _pressed(process, signal.SIGINT)
    if printed:  # an ensemble has the rows that are finished
        assert json.loads(printed)["interrupted"] is True


@pytest.mark.slow
@pytest.mark.parametrize("domain", [[], ["--box", "-1", "1"]], ids=["space", "box"])
def test_a_graph_leaves_at_once(folder, begin, tmp_path, domain):
    out = tmp_path / "run"
    process = begin("enumerate", folder / "flat.npz", *domain, "-o", out, "-q")
    _wait_for_rows(process, out)
    _pressed(process, signal.SIGINT)
    process = begin("graph", out, "--network", folder / "flat.npz")
    time.sleep(_AT_WORK)
    if process.poll() is None:
        _pressed(process, signal.SIGINT)


@pytest.mark.parametrize("status", [0, 5])
def test_a_thread_that_is_left_to_itself_does_not_hold_the_process(status):
    """What a long call of compiled code is after Ctrl-C; the process waits for it no longer."""
    program = (
        "import threading\n"
        "from polyrank_cli.main import leave\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "print('said')\n"
        f"leave({status})\n"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "cli")])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, "said\n", "")


def test_an_interrupt_inside_an_extension_module_ends_with_130(tmp_path):
    """The interpreter remembers a KeyboardInterrupt that left a string of Python run from C."""
    (tmp_path / "probe.py").write_text(
        "import ctypes\n"
        "from polyrank_cli.main import leave\n"
        "ctypes.pythonapi.PyRun_SimpleString(b'raise KeyboardInterrupt')\n"
        "leave(130)\n"
    )
    path = os.pathsep.join([str(tmp_path), str(ROOT), str(ROOT / "cli")])
    done = subprocess.run(
        [sys.executable, "-m", "probe"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 130


def test_an_interrupt_while_modules_are_loaded_is_no_traceback(tmp_path):
    """A second of a busy machine; the first module of others is the longest to load."""
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT), str(ROOT / "cli")])
    done = subprocess.run(
        [sys.executable, "-m", "polyrank", "--version"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "polyrank: interrupted; nothing was kept\n"
