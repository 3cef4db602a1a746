"""Dask distributed: a local cluster, a scheduler with worker processes, workers that die."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import polyrank as pr
from polyrank.errors import RunError
from polyrank.regions import cluster as cluster_module
from polyrank.regions import enumerate as enumerate_module
from polyrank.regions import incoming as incoming_module
from polyrank.regions.cluster import DaskCrew
from polyrank.regions.plan import Plan
from tests.conftest import ROOT
from tests.regions.test_journal import FLAT, NET, contents

pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="kills processes"),
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture
def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enumerate_module, "TASK_WORK", (500.0, 1000.0, 3000.0))


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def scheduler() -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers, each a process of its own, on loopback."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "cli")]),
        "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "60s",
    }
    address = f"tcp://127.0.0.1:{_port()}"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    options = ["--host", address, "--no-dashboard"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    head = subprocess.Popen([*dask, *options], env=environment, **quiet)
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny"]
    workers = [
        subprocess.Popen([*worker, "--nthreads", "1", "--no-dashboard"], env=environment, **quiet)
        for _ in range(2)
    ]
    yield address, workers
    for process in (*workers, head):
        process.kill()
        process.wait()


def _watch(monkeypatch: pytest.MonkeyPatch) -> list[bytes | Path]:
    """What comes back for every shard and part of a proof that is not empty."""
    left: list[bytes | Path] = []
    piece = cluster_module._piece

    def watched(*given: Any) -> Any:
        out = piece(*given)
        left.extend(
            content for content in (out.shard_file or out.shard, out.log_file or out.log) if content
        )
        return out

    monkeypatch.setattr(cluster_module, "_piece", watched)
    return left


def test_a_scheduler_and_a_worker_that_is_killed(
    scheduler: tuple[str, list[subprocess.Popen[bytes]]],
    tmp_path: Path,
    small_tasks: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, workers = scheduler
    whole = pr.enumerate_regions(NET, out=tmp_path / "alone", proof=True, jobs=1)
    killed = False

    def kill(state: Any) -> None:
        nonlocal killed
        if state.regions > 300 and not killed:
            killed = True
            workers[0].send_signal(signal.SIGKILL)

    left = _watch(monkeypatch)
    run = pr.enumerate_regions(
        NET, out=tmp_path / "cluster", proof=True, cluster=address, progress=kill
    )
    assert killed
    # every shard was written by a worker into the run's directory, which both see
    assert len(left) > 2
    assert all(isinstance(content, Path) for content in left)
    assert not list((tmp_path / "cluster").glob("incoming-*"))
    assert run.certified
    assert run.manifest["content"] == whole.manifest["content"]
    assert contents(tmp_path / "cluster") == contents(tmp_path / "alone")
    # stopped on one crew, resumed on the other
    out = tmp_path / "both"
    pr.enumerate_regions(NET, out=out, proof=True, limits=pr.Limits(regions=100))
    assert pr.resume_run(out, NET, cluster=address).certified
    assert contents(out) == contents(tmp_path / "alone")


def test_a_local_cluster_and_vertices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enumerate_module, "TASK_WORK", (10.0, 20.0, 40.0))
    alone = pr.enumerate_regions(FLAT, jobs=1, limits=pr.Limits())  # in tasks too
    run = pr.enumerate_regions(FLAT, cluster="local:2")
    assert run.certified
    assert run.table == alone.table
    assert run.table["codeword"] == pr.enumerate_regions(FLAT).table["codeword"]


class _Client:
    """Runs every task at once, in this process."""

    def __init__(self, fails: int = 0) -> None:
        self.fails = fails
        self.plugins: dict[str, Any] = {}

    def nthreads(self) -> dict[str, int]:
        return {"one": 1}

    def register_plugin(self, plugin: Any, name: str) -> None:
        self.plugins[name] = plugin
        plugin.setup(None)

    def unregister_worker_plugin(self, name: str) -> None:
        self.plugins.pop(name).teardown(None)

    def submit(self, function: Any, *arguments: Any, key: str, retries: int = 0, **_: Any) -> Any:
        return _Future(function, arguments, key, self)


class _Future:
    def __init__(self, function: Any, arguments: Any, key: str, client: _Client) -> None:
        self.key, self.client = key, client
        self.call = lambda: function(*arguments)

    def add_done_callback(self, call: Any) -> None:
        call(self)

    def result(self) -> Any:
        if self.client.fails:
            raise MemoryError("no room")
        return self.call()

    def cancel(self, *, force: bool) -> None:
        pass


def _fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distributed.secede", lambda: None)
    monkeypatch.setattr(
        enumerate_module, "cluster_client", lambda _: contextlib.nullcontext(_Client())
    )


@pytest.mark.parametrize("why", ["another disk", "another run's folder", "not writable", "gone"])
def test_what_a_worker_cannot_write_it_sends(
    why: str, tmp_path: Path, small_tasks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same run, whoever wrote the shards; a worker that lacks the token writes nothing."""
    whole = pr.enumerate_regions(NET, out=tmp_path / "alone", proof=True, jobs=1)
    _fake(monkeypatch)
    left = _watch(monkeypatch)
    begin = DaskCrew.start
    begun = 0

    def start(crew: DaskCrew, ticket: Any) -> None:
        nonlocal begun
        begun += 1
        if begun == 3:
            (folder,) = (tmp_path / "run").glob("incoming-*")
            if why == "another disk":
                (folder / "token").unlink()
            elif why == "another run's folder":
                (folder / "token").write_text("0" * 32)
            elif why == "gone":
                shutil.rmtree(folder)
        begin(crew, ticket)

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    if why == "not writable":
        monkeypatch.setattr(incoming_module.Incoming, "write", refuse)
    monkeypatch.setattr(DaskCrew, "start", start)
    run = pr.enumerate_regions(NET, out=tmp_path / "run", proof=True, cluster="fake")
    assert run.manifest["content"] == whole.manifest["content"]
    assert contents(tmp_path / "run") == contents(tmp_path / "alone")
    sent = [isinstance(content, bytes) for content in left]
    assert all(sent[8:])
    assert any(sent)
    assert all(sent) or why != "not writable"
    assert not list((tmp_path / "run").glob("incoming-*"))


def test_only_names_of_files_of_the_folder_are_renamed(tmp_path: Path) -> None:
    with incoming_module.incoming(tmp_path) as folder:
        name = folder.write(b"rows")
        assert folder.file(name).read_bytes() == b"rows"
        for other in ("../manifest.json", "/etc/hostname", "token", "", name.upper() + "0"):
            with pytest.raises(RunError, match="is none of a run"):
                folder.file(other)
    assert not Path(folder.folder).exists()
    assert not folder.reached


def test_what_a_killed_run_left_is_removed(tmp_path: Path, small_tasks: None) -> None:
    out = tmp_path / "run"
    pr.enumerate_regions(NET, out=out, limits=pr.Limits(regions=100))
    stale = out / "incoming-0123456789abcdef"
    stale.mkdir()
    (stale / "token").write_text("0" * 32)
    (stale / ("0" * 32)).write_bytes(b"PAR1")
    run = pr.resume_run(out, NET)
    assert run.count == pr.enumerate_regions(NET).count
    assert not stale.exists()


def test_a_task_that_fails_everywhere_is_reported(
    tmp_path: Path, small_tasks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        enumerate_module, "cluster_client", lambda _: contextlib.nullcontext(_Client(fails=1))
    )
    with pytest.raises(RunError, match=r"task 0 failed on 3 workers .*MemoryError: no room"):
        pr.enumerate_regions(NET, out=tmp_path / "run", cluster="fake")
    run = pr.open_run(tmp_path / "run")
    assert (run.status, run.count) == ("failed", 0)
    _fake(monkeypatch)
    assert (
        pr.resume_run(tmp_path / "run", NET, cluster="fake").count
        == pr.enumerate_regions(NET).count
    )


def test_a_worker_of_another_build(monkeypatch: pytest.MonkeyPatch) -> None:
    where = pr.WholeSpace()
    from polyrank.posed.section import chart_for

    plan = Plan(NET, chart_for(NET, where), 3, "dictionary")
    question = cluster_module.Question.of(plan, where.describe())
    again = question.plan()
    assert again.network.sha256 == NET.sha256
    monkeypatch.setattr(cluster_module, "built_from", lambda: "other")
    with pytest.raises(RunError, match="has another build"):
        question.plan()


@pytest.mark.parametrize("address", ["local:", "local:0", "local:x"])
def test_clusters_that_are_none(address: str) -> None:
    with pytest.raises(RunError, match="does not say how many processes"):
        pr.enumerate_regions(NET, cluster=address)


def test_nobody_at_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "_TIMEOUT", "1s")
    with pytest.raises(RunError, match="no scheduler of Dask answers at"):
        pr.enumerate_regions(NET, cluster=f"tcp://127.0.0.1:{_port()}")


def test_without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(pr.UnsupportedError, match=re.escape("polyrank[cluster]")):
        pr.enumerate_regions(NET, cluster="local:1")
