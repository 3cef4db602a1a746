"""Runs that die and go on: shards and the journal, whatever is cut off, whoever refuses."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import polyrank as pr
from polyrank.errors import RunError
from polyrank.proof.check import check
from polyrank.regions import enumerate as enumerate_module
from polyrank.regions import writer as writer_module
from polyrank.regions.enumerate import EnumerationInterrupted
from polyrank.regions.journal import JOURNAL_NAME, Journal
from polyrank.regions.limits import Limits
from polyrank.regions.run import open_run
from polyrank.regions.writer import RunWriter
from tests.conftest import ROOT
from tests.regions.fake import REGIONS, Sink, batch, piece, plan, subtree


def files(directory: Path) -> list[str]:
    return sorted(str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file())


def contents(directory: Path) -> dict[str, bytes]:
    """Everything but what the manifest says of times."""
    return {
        name: (directory / name).read_bytes() for name in files(directory) if "manifest" not in name
    }


# ---------------------------------------------------------------------------------------------
# the writer


def test_shards_are_named_in_the_order_of_the_tree(tmp_path: Path) -> None:
    """Tasks are done out of order; one gives no rows."""
    sink = RunWriter({**_entry()}, plan(), subtree(), tmp_path / "run")
    with sink:
        (root,) = sink.tickets
        first, second, third = sink.accept(root, piece(batch(REGIONS[:1]), [subtree()] * 3))
        assert (first < second < third, root < first) == (True, True)
        sink.accept(third, piece(batch(REGIONS[5:])))
        (deep,) = sink.accept(first, piece(batch([]), [subtree()]))
        assert first < deep < second
        sink.accept(second, piece(batch(REGIONS[3:5])))
        sink.accept(deep, piece(batch(REGIONS[1:3])))
        run = sink.finish()
    assert run.table["witness"].to_pylist() == [list(r[1]) for r in REGIONS]
    assert files(tmp_path / "run") == ["manifest.json"] + [
        f"regions/part-{i:06d}.parquet" for i in range(4)
    ]
    assert [s["rows"] for s in run.manifest["shards"]] == [1, 2, 2, 2]
    assert open_run(tmp_path / "run").manifest["content"] == run.manifest["content"]


def _entry() -> dict[str, Any]:
    from tests.regions.fake import manifest

    return manifest()


@pytest.mark.parametrize("cuts", [[7], [1, 2, 3, 4, 5, 6, 7], [2, 5, 7], [3, 4, 7]])
def test_rows_are_readable_while_the_run_lives(tmp_path: Path, cuts: list[int]) -> None:
    """Whenever the process is killed: exactly the rows of the tasks that are done."""
    sink = Sink(tmp_path / "run")
    before = 0
    for cut in cuts:
        sink.write(batch(REGIONS[before:cut]))
        before = cut
        run = open_run(tmp_path / "run")
        assert (run.status, run.certified, run.count_interval) == ("running", False, (cut, None))
        assert run.table["witness"].to_pylist() == [list(r[1]) for r in REGIONS[:cut]]
        assert sum(run.rank_histogram(1).values()) == run.count == cut
    with sink:
        sink.finish()


def test_parts_of_unfinished_tasks_are_rows_until_it_goes_on(tmp_path: Path) -> None:
    for place in (None, tmp_path / "run"):
        sink = Sink(place)
        with pytest.raises(KeyboardInterrupt), sink:
            sink.write(batch(REGIONS[:2]))
            (ticket,) = sink.writer.tickets
            sink.writer.unfinished(ticket, piece(batch(REGIONS[2:4]), shard=place is not None))
            raise KeyboardInterrupt
        run = sink.run
        assert (run.count, run.table.num_rows, run.count_interval) == (4, 4, (4, 2 + 8))
        assert run.rank_histogram(1) == {0: 1, 1: 3}
    assert files(tmp_path / "run") == [
        "journal.jsonl", "manifest.json", "open.json",
        "regions/open-000001.parquet", "regions/task-000000.parquet",
    ]  # fmt: skip
    (tmp_path / "run" / "task-000001.parquet.partial").write_bytes(b"PAR1")
    again = RunWriter.resume(tmp_path / "run", plan())
    assert (again.rows, [t.number for t in again.tickets]) == (2, [1])
    assert files(tmp_path / "run") == [
        "journal.jsonl", "manifest.json", "regions/task-000000.parquet",
    ]  # fmt: skip
    with again:
        again.accept(again.tickets[0], piece(batch(REGIONS[2:])))
        assert again.finish().table["witness"].to_pylist() == [list(r[1]) for r in REGIONS]
    assert JOURNAL_NAME not in files(tmp_path / "run")


def no_space(*_args: Any, **_kwargs: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("what", ["write", "rename", "journal", "manifest"])
def test_a_full_disk_loses_the_task_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    sink = Sink(tmp_path / "run")
    replace = Path.replace

    def renamed(self: Path, target: Path) -> Path:
        return no_space() if "task-000001" in str(target) else replace(self, target)

    with pytest.raises(RunError, match="the disk is full"), sink:
        sink.write(batch(REGIONS[:3]))
        if what == "write":
            monkeypatch.setattr(os, "fsync", no_space)
        elif what == "rename":
            monkeypatch.setattr(Path, "replace", renamed)
        elif what == "journal":
            monkeypatch.setattr(Journal, "append", no_space)
        elif what == "manifest":
            monkeypatch.setattr(writer_module, "write_manifest", no_space)
            monkeypatch.setattr(Journal, "append", no_space)
        sink.write(batch(REGIONS[3:]))
    monkeypatch.undo()
    assert sink.writer.rows == 3
    run = open_run(tmp_path / "run")
    assert run.status == ("running" if what in {"manifest", "write"} else "failed")
    assert not list((tmp_path / "run").rglob("*.partial"))
    again = RunWriter.resume(tmp_path / "run", plan())
    with again:
        assert again.rows == 3
        again.accept(again.tickets[0], piece(batch(REGIONS[3:])))
        run = again.finish()
    assert run.certified
    assert run.table["witness"].to_pylist() == [list(r[1]) for r in REGIONS]


@pytest.mark.parametrize("cut", range(5))
def test_a_verdict_that_is_cut_off_is_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    """The disk refuses at some rename, or at the manifest."""
    sink = Sink(tmp_path / "run")
    replace, calls = Path.replace, iter(range(100))

    def sometimes(self: Path, target: Path) -> Path:
        return no_space() if next(calls) == cut else replace(self, target)

    with pytest.raises(RunError, match="the disk is full"), sink:
        for i in range(0, 7, 2):
            sink.write(batch(REGIONS[i : i + 2]))
        sink.write(batch([]), ())
        monkeypatch.setattr(Path, "replace", sometimes)
        sink.writer.finish()
    monkeypatch.undo()
    assert open_run(tmp_path / "run").count == 7
    again = RunWriter.resume(tmp_path / "run", plan())
    with again:
        assert again.tickets == []
        run = again.finish()
    assert run.table["witness"].to_pylist() == [list(r[1]) for r in REGIONS]
    assert len(files(tmp_path / "run")) == 5


def test_a_journal_that_is_cut_off_anywhere(tmp_path: Path) -> None:
    """A crash may leave any beginning of it: what it names is done, nothing else."""
    sink = Sink(tmp_path / "run")
    for row in REGIONS:
        sink.write(batch([row]))
    sink.writer.__exit__(None, None, None)
    path = tmp_path / "run" / JOURNAL_NAME
    whole = path.read_bytes()
    ends = [i + 1 for i, c in enumerate(whole) if c == 10]
    for cut in sorted({*random.Random(0).sample(range(ends[0], len(whole)), 60), *ends}):
        path.write_bytes(whole[:cut])
        journal, entries = Journal.reopen(tmp_path / "run")
        assert len(entries) == sum(1 for end in ends if end <= cut)
        journal.append({"more": 1})
        journal.close()
        assert path.read_bytes().count(b"\n") == len(entries) + 1


def test_a_finished_run_that_was_killed_before_its_journal_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pr.enumerate_regions(NET, out=tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        pr.enumerate_regions(NET, out=tmp_path / "run")
    assert (tmp_path / "run" / JOURNAL_NAME).exists()
    assert pr.open_run(tmp_path / "run").certified
    run = pr.resume_run(tmp_path / "run", NET)
    assert run.manifest["content"] == whole.manifest["content"]
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_damaged_and_missing_journals(tmp_path: Path) -> None:
    sink = Sink(tmp_path / "run")
    sink.write(batch(REGIONS[:3]))
    with pytest.raises(RunError, match="another process is at work on"):
        Journal.reopen(tmp_path / "run")
    sink.writer.__exit__(None, None, None)
    path = tmp_path / "run" / JOURNAL_NAME
    whole = path.read_bytes()
    for damaged in (
        b"x" + whole,
        whole.replace(b"rows", b"rowz"),
        b"0 []\n" + whole,
        b"\n" + whole,
    ):
        path.write_bytes(damaged)
        with pytest.raises(RunError, match="is damaged: line"):
            Journal.reopen(tmp_path / "run")
    path.write_bytes(b"")
    with pytest.raises(RunError, match="is damaged"):
        RunWriter.resume(tmp_path / "run", plan())
    path.write_bytes(whole)
    shard = tmp_path / "run" / "regions" / "task-000000.parquet"
    kept = shard.read_bytes()
    shard.unlink()
    with pytest.raises(RunError, match=r"task-000000\.parquet is missing"):
        RunWriter.resume(tmp_path / "run", plan())
    shard.write_bytes(kept)
    path.unlink()
    with pytest.raises(RunError, match="there is nothing to resume"):
        RunWriter.resume(tmp_path / "run", plan())


def test_a_verdict_needs_all_tasks(tmp_path: Path) -> None:
    sink = Sink(None)
    with pytest.raises(RunError, match="1 tasks of the run are open"), sink:
        sink.writer.finish()
    assert sink.run.status == "failed"


# ---------------------------------------------------------------------------------------------
# whole runs

NET = pr.Network.from_arrays(
    [
        np.round(np.random.default_rng(1).normal(size=(12, 4)) * 8) / 8,
        np.round(np.random.default_rng(2).normal(size=(6, 12)) * 8) / 8,
        np.ones((1, 6)),
    ],
    [np.round(np.random.default_rng(3).normal(size=12) * 8) / 8, np.zeros(6) + 0.25, [0.0]],
    name="killed",
)
FLAT = pr.Network.from_arrays(
    [np.random.default_rng(1).normal(size=(16, 2)), np.random.default_rng(2).normal(size=(8, 16))],
    [np.random.default_rng(3).normal(size=16), np.zeros(8) + 0.25],
    name="flat",
)
CENTRAL = pr.Network.from_arrays(
    [np.random.default_rng(4).normal(size=(11, 5)), np.random.default_rng(5).normal(size=(2, 11))],
    [np.zeros(11), [0.0, 0.0]],
    name="central",
)
CASES = {
    "dictionary": ("dictionary", NET),
    "vertices": ("vertices", FLAT),
    "highs": ("highs", FLAT),
    "opposite": ("dictionary", CENTRAL),
}


@pytest.fixture
def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enumerate_module, "TASK_WORK", (500.0, 1000.0, 3000.0))


def _options(engine: str) -> dict[str, Any]:
    return {"engine": engine, "proof": True} if engine != "highs" else {"engine": engine}


@pytest.mark.parametrize("name", CASES)
def test_a_run_does_not_depend_on_workers_or_interrupts(
    tmp_path: Path, small_tasks: None, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """1, 2 and 7 threads; interrupted and resumed again and again: one table, one content."""
    engine, net = CASES[name]
    if engine == "vertices":
        monkeypatch.setattr(enumerate_module, "TASK_WORK", (10.0, 20.0, 40.0))
    whole = pr.enumerate_regions(net, out=tmp_path / "1", jobs=1, **_options(engine))
    assert whole.certified
    expected = contents(tmp_path / "1")
    assert len([file for file in expected if file.startswith("regions")]) > 2
    other = pr.enumerate_regions(net, out=tmp_path / "7", jobs=7, **_options(engine))
    assert contents(tmp_path / "7") == expected
    assert other.manifest["content"] == whole.manifest["content"]
    memory = pr.enumerate_regions(net, engine=engine, jobs=2)
    ranks = [f"rank_{k}" for k in range(1, whole.layers + 1)]
    for column in ("codeword", "zero", *ranks):  # the same regions in the same order
        assert memory.table[column] == whole.table[column]
    dice, out = random.Random(0), tmp_path / "killed"
    presses = 0

    def press(state: Any) -> None:
        nonlocal presses
        if dice.random() < 0.8 and presses < 12:
            presses += 1
            signal.raise_signal(signal.SIGINT)

    run = None
    while run is None:
        try:
            run = (
                pr.resume_run(out, net, jobs=dice.choice([1, 2, 7]), progress=press)
                if out.exists()
                else pr.enumerate_regions(net, out=out, progress=press, jobs=2, **_options(engine))
            )
        except EnumerationInterrupted:
            partial = open_run(out)
            assert partial.status == "interrupted"
            assert partial.count == partial.table.num_rows
            low, high = partial.count_interval
            assert high is not None
            assert low <= whole.count <= high
    assert presses
    assert contents(out) == expected
    assert run.manifest["content"] == whole.manifest["content"]
    if engine != "highs":
        assert check(out).complete


@pytest.mark.parametrize("net", [NET, CENTRAL])
def test_limits_stop_a_run_and_it_goes_on(
    tmp_path: Path, small_tasks: None, net: pr.Network
) -> None:
    whole = pr.enumerate_regions(net, limits=Limits())  # in tasks, as on disk
    out = tmp_path / "run"
    run = pr.enumerate_regions(net, out=out, limits=Limits(regions=200), jobs=1)
    for seen in (run, pr.open_run(out)):
        assert (seen.status, seen.certified) == ("stopped", False)
        assert seen.manifest["limit"] == "the limit of 200 regions"
        assert 200 <= seen.count < whole.count
        assert seen.count_interval[1] >= whole.count
        assert len(seen.open_prefixes) == seen.manifest["open"]["cells"] > 0
    again = pr.resume_run(out, net, limits=Limits(disk=1))
    assert again.manifest["limit"] == "the limit of 1 bytes on disk"
    assert again.count >= 200
    again = pr.resume_run(out, net, limits=Limits(seconds=1e-9))
    assert again.status == "stopped"
    memory = pr.enumerate_regions(net, limits=Limits(memory=1))
    assert (memory.status, memory.manifest["limit"]) == (
        "stopped",
        "the limit of 1 bytes in memory",
    )
    assert memory.count_interval[1] >= whole.count
    done = pr.resume_run(out, net)
    assert done.certified
    assert done.table == whole.table
    assert "limit" not in done.manifest
    assert "open" not in done.manifest
    assert pr.resume_run(out).count == done.count  # finished already: opened


def test_what_cannot_be_resumed(tmp_path: Path, small_tasks: None) -> None:
    out = tmp_path / "run"
    pr.enumerate_regions(NET, out=out, limits=Limits(regions=10))
    with pytest.raises(RunError, match="does not say where its network is"):
        pr.resume_run(out)
    with pytest.raises(RunError, match=r"the network \(hash .* is not the run's"):
        pr.resume_run(out, FLAT)
    entry = json.loads((out / "manifest.json").read_text())
    for change, message in (
        ({"versions": {"core": "other"}}, "by another build of polyrank"),
        ({"tasks": None}, "by a polyrank without tasks"),
        ({"chart": {**entry["chart"], "origin": ["1"] * 4}}, "in other coordinates"),
        ({"network_file": {"path": "gone.npz", "options": {}}}, "gone.npz, the run's network, is"),
    ):
        (out / "manifest.json").write_text(json.dumps({**entry, **change}))
        with pytest.raises(RunError, match=message):
            pr.resume_run(out, None if "network_file" in change else NET)
    with pytest.raises(RunError, match="is not a directory"):
        pr.resume_run(tmp_path / "nothing")


def test_an_error_in_a_worker_leaves_a_run_that_goes_on(
    tmp_path: Path, small_tasks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyrank.regions.pieces import PieceMaker

    make, calls = PieceMaker.make, iter(range(1000))

    def fails(self: Any, tree: Any, stopped: Any) -> Any:
        if next(calls) == 4:
            raise MemoryError("no room")
        return make(self, tree, stopped)

    monkeypatch.setattr(PieceMaker, "make", fails)
    with pytest.raises(MemoryError, match="no room"):
        pr.enumerate_regions(NET, out=tmp_path / "run", jobs=2)
    run = pr.open_run(tmp_path / "run")
    assert (run.status, run.manifest["error"]) == ("failed", "MemoryError: no room")
    monkeypatch.undo()
    small = pr.resume_run(tmp_path / "run", NET)
    assert small.certified
    assert small.count == pr.enumerate_regions(NET).count


# ---------------------------------------------------------------------------------------------
# kill -9

_CODE = """
import sys
from pathlib import Path
import polyrank as pr
from polyrank.regions import enumerate as module
from tests.regions.test_journal import CASES
_, NET = CASES[sys.argv[3]]
module.TASK_WORK = (500.0, 1000.0, 3000.0)
out, proof = Path(sys.argv[1]), sys.argv[2] == "proof"
if len(sys.argv) > 4:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), int(sys.argv[4])))
print("at work", flush=True)
run = pr.resume_run(out, NET) if (out / "manifest.json").exists() else pr.enumerate_regions(
    NET, out=out, proof=proof)
print(run.manifest["content"], run.count, run.certified)
"""


def _process(out: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _CODE, str(out), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "cli")])},
    )


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
@pytest.mark.parametrize("name", ["dictionary", "opposite"])
@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_moments(tmp_path: Path, small_tasks: None, name: str, kills: int) -> None:
    """kill -9, again and again: every time it goes on, to the same table."""
    _, net = CASES[name]
    whole = pr.enumerate_regions(net, out=tmp_path / "whole", proof=True)
    dice, done = random.Random(kills), 0
    while done < kills:
        out = tmp_path / f"run{done}"
        for _ in range(4):
            if done >= kills:
                break
            process = _process(out, "proof", name)
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(dice.random() * 0.4)
            process.kill()
            process.communicate()
            done += 1
            if not (out / "manifest.json").exists():
                for file in out.rglob("*"):
                    if file.is_file():
                        file.unlink()
                for folder in (*out.glob("*"), out):
                    if folder.exists():
                        folder.rmdir()
                continue
            partial = pr.open_run(out)
            assert partial.count == partial.table.num_rows <= whole.count
            if partial.status == "finished":
                break
        run = (
            pr.resume_run(out, net)
            if out.exists()
            else pr.enumerate_regions(net, out=out, proof=True)
        )
        assert run.manifest["content"] == whole.manifest["content"]
        assert contents(out) == contents(tmp_path / "whole")
        assert check(out).complete


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files")
def test_a_disk_that_really_refuses(tmp_path: Path, small_tasks: None) -> None:
    """No file may be larger than so much: the run fails in one sentence, and goes on."""
    whole = pr.enumerate_regions(NET, limits=Limits())  # in tasks, as on disk
    out = tmp_path / "run"
    process = _process(out, "plain", "dictionary", "12000")
    _, messages = process.communicate()
    assert process.returncode == 1
    assert "RunError" in messages
    assert "File too large" in messages
    assert not list(out.rglob("*.partial"))
    run = pr.resume_run(out, NET)
    assert run.certified
    assert run.table == whole.table


def test_row_groups_without_such_ranks_are_not_read(tmp_path: Path) -> None:
    """Of three shards one is damaged behind its footer: only who needs it notices."""
    by_rank = sorted(REGIONS, key=lambda row: row[2][0])  # ranks 0, 1, 1, 1, 1, 2, 2
    with Sink(tmp_path / "run") as sink:
        for cut in (slice(0, 1), slice(1, 5), slice(5, 7)):
            sink.write(batch(by_rank[cut]))
        sink.finish()
    run = pr.open_run(tmp_path / "run")
    for least, most, rows in ((2, 9, [5, 6]), (0, 0, [0]), (1, 1, [1, 2, 3, 4]), (3, 9, [])):
        found = [
            begin + i
            for begin, ranks in run.ranks_between(1, least, most)
            for i, rank in enumerate(ranks.tolist())
            if least <= rank <= most
        ]
        assert found == rows
        assert run.where(least=least, below=most + 1, layer=1).ids.tolist() == rows
    shard = tmp_path / "run" / "regions" / "part-000001.parquet"
    content = bytearray(shard.read_bytes())
    content[4:100] = bytes(96)
    shard.write_bytes(content)
    assert len(run.where(rank=2, layer=1)) == 2
    with pytest.raises(RunError, match=r"part-000001\.parquet cannot be read"):
        run.where(rank=1, layer=1)
    with pytest.raises(RunError, match="it has layers 1 to 2"):
        list(run.ranks_between(3, 0, 1))


def test_shards_hold_row_groups(tmp_path: Path) -> None:
    with Sink(tmp_path / "run") as sink:
        sink.write(batch(REGIONS * 10_000))
        sink.finish()
    (shard,) = (tmp_path / "run" / "regions").iterdir()
    footer = pq.read_metadata(shard)
    assert [footer.row_group(i).num_rows for i in range(footer.num_row_groups)] == [65_536, 4464]


def test_a_run_killed_before_its_network_was_written(tmp_path: Path, small_tasks: None) -> None:
    whole = pr.enumerate_regions(NET, out=tmp_path / "whole", proof=True)
    out = tmp_path / "run"
    pr.enumerate_regions(NET, out=out, proof=True, limits=Limits(regions=100))
    (out / "network.json").rename(out / "partial.network.json")
    with pytest.raises(RunError, match="is missing; name the network's file"):
        pr.resume_run(out)
    assert pr.resume_run(out, NET).manifest["content"] == whole.manifest["content"]
    assert contents(out) == contents(tmp_path / "whole")
