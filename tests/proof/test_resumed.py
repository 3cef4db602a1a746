"""Runs that were stopped, edited and resumed: what check accepts is what the network has.

Fourteen hyperplanes in general position cut R^4 into 1,471 regions (Buck 1943).
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import polyrank as pr
from polyrank.errors import PolyrankError
from polyrank.proof.check import check
from polyrank.proof.format import MAGIC, segments
from polyrank.regions import enumerate as module
from polyrank.regions.limits import Limits
from tests.proof.runs import Copy

REGIONS = 1471
Edit = Callable[[Path, random.Random], None]
EDITS: dict[str, Edit] = {}


def edit(function: Edit) -> Edit:
    """Register an edit of a stopped run."""
    EDITS[function.__name__] = function
    return function


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(14, 4)), rng.normal(size=(2, 14))]
    network = pr.Network.from_arrays(weights, [rng.normal(size=14), np.zeros(2)])
    path = tmp_path_factory.mktemp("runs") / "stopped"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TASK_WORK", (500.0, 1000.0))
        pr.enumerate_regions(network, out=path, proof=True, limits=Limits(regions=300))
    assert len(_tasks(path)) > 1
    return path


def _tasks(path: Path) -> list[Path]:
    return sorted((path / "regions").glob("task-*.parquet"))


def _journal(path: Path) -> list[dict[str, Any]]:
    lines = (path / "journal.jsonl").read_bytes().splitlines()
    return [json.loads(line.partition(b" ")[2]) for line in lines]


def _write_journal(path: Path, entries: list[dict[str, Any]]) -> None:
    """With checksums that are right: an edit on purpose, not damage."""
    texts = [json.dumps(entry, separators=(",", ":")).encode() for entry in entries]
    lines = [b"%08x %b\n" % (zlib.crc32(text), text) for text in texts]
    (path / "journal.jsonl").write_bytes(b"".join(lines))


def _alter(path: Path, dice: random.Random, change: Callable[[pa.Table], pa.Table]) -> None:
    """A shard of a task that is done; half of the time the journal says the same."""
    file = dice.choice(_tasks(path))
    table = change(pq.read_table(file))
    pq.write_table(table, file)
    if dice.random() < 0.5:
        return
    entries = _journal(path)
    (entry,) = (e for e in entries if e.get("task") == int(file.stem.partition("-")[2]))
    columns = [table.column(f"rank_{k}").to_pylist() for k in (1, 2)]
    entry["rows"] = table.num_rows
    entry["ranks"] = [{str(r): c.count(r) for r in sorted(set(c))} for c in columns]
    _write_journal(path, entries)


def _with(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    at = table.schema.get_field_index(name)
    return table.set_column(at, name, pa.array(values, table.schema.field(at).type))


@edit
def flip_a_bit(path: Path, dice: random.Random) -> None:
    def change(table: pa.Table) -> pa.Table:
        words = table.column("codeword").to_pylist()
        row = dice.randrange(len(words))
        words[row] = bytes([words[row][0] ^ 1 << dice.randrange(8), *words[row][1:]])
        return _with(table, "codeword", words)

    _alter(path, dice, change)


@edit
def alter_a_rank(path: Path, dice: random.Random) -> None:
    def change(table: pa.Table) -> pa.Table:
        ranks = table.column("rank_1").to_pylist()
        ranks[dice.randrange(len(ranks))] -= 1
        return _with(table, "rank_1", ranks)

    _alter(path, dice, change)


@edit
def drop_a_row(path: Path, dice: random.Random) -> None:
    def change(table: pa.Table) -> pa.Table:
        row = dice.randrange(table.num_rows)
        return table.take([i for i in range(table.num_rows) if i != row])

    _alter(path, dice, change)


@edit
def repeat_a_row(path: Path, dice: random.Random) -> None:
    _alter(path, dice, lambda t: t.take([*range(t.num_rows), dice.randrange(t.num_rows)]))


@edit
def swap_shards(path: Path, dice: random.Random) -> None:
    first, second = dice.sample(_tasks(path), 2)
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


@edit
def drop_or_repeat_an_open_cell(path: Path, dice: random.Random) -> None:
    entries = _journal(path)
    rest = dice.choice([e["rest"] for e in entries if e.get("rest")])
    at = dice.randrange(len(rest))
    rest[at : at + 1] = dice.choice([[], [rest[at]] * 2])
    _write_journal(path, entries)


@edit
def drop_a_task(path: Path, dice: random.Random) -> None:
    entries = _journal(path)
    del entries[dice.randrange(1, len(entries))]
    _write_journal(path, entries)


@edit
def leave_a_cell_undecided(path: Path, dice: random.Random) -> None:
    entries = _journal(path)
    dice.choice(entries[1:])["undecided"].append("?" * 14 + "|==")
    _write_journal(path, entries)


@edit
def drop_a_segment(path: Path, dice: random.Random) -> None:
    file = dice.choice(sorted((path / "proof").glob("*.zst")))
    log = list(segments([file]))
    del log[dice.randrange(len(log))]
    with pa.CompressedOutputStream(pa.OSFile(str(file), "wb"), "zstd") as stream:
        stream.write(MAGIC)
        for segment in log:
            stream.write(len(segment).to_bytes(8, "little") + segment)


def _rows(path: Path) -> list[str]:
    table = pr.open_run(path).table
    names = [name for name in table.schema.names if not name.startswith("witness")]
    return sorted(map(repr, table.select(names).to_pylist()))


@pytest.fixture(scope="module")
def whole(stopped: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The rows of the same run without an edit."""
    copy = Copy(stopped, tmp_path_factory.mktemp("whole") / "run")
    pr.resume_run(copy.path)
    assert check(copy.path).complete
    rows = _rows(copy.path)
    assert len(rows) == len(set(rows)) == REGIONS
    return rows


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", sorted(EDITS))
def test_an_edit_that_changes_a_claim_is_not_accepted(
    stopped: Path, whole: list[str], tmp_path: Path, name: str, seed: int
) -> None:
    copy = Copy(stopped, tmp_path / "run")
    EDITS[name](copy.path, random.Random(f"{name} {seed}"))
    try:
        pr.resume_run(copy.path)
        report = check(copy.path)
    except PolyrankError:
        return
    assert report.complete
    assert _rows(copy.path) == whole
