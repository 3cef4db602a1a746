"""Files that are no files, that never end, or that say of themselves that they are huge."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pytest

import polyrank as pr
from polyrank.errors import PolyrankError, RunError
from polyrank.proof import rows, tree
from polyrank.proof.check import check
from polyrank.proof.format import MAGIC, NotDecidedError, ProofRejectedError
from polyrank.proof.function import is_function
from polyrank.proof.image import is_image
from polyrank.proof.one_to_one import check_one_to_one
from polyrank.proof.separation import is_separation
from polyrank.proof.tree import exact_steps
from polyrank.proof.verdict import check_verdict
from tests.proof.runs import Copy, random_network, write


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    write(path, random_network(11, 2, 5, 4, 1), pr.Box(-1, 1), cells=6)
    return path


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names")
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("manifest.json", RunError),
        ("network.json", PolyrankError),
        ("regions/part-000000.parquet", ProofRejectedError),
        ("proof/part-000000.bin.zst", NotDecidedError),
    ],
)
def test_pipes_are_not_waited_for(
    source: Path, tmp_path: Path, name: str, error: type[Exception]
) -> None:
    copy = Copy(source, tmp_path / "run")
    (copy.path / name).unlink()
    os.mkfifo(copy.path / name)
    with pytest.raises(error):
        check(copy.path)
    for statement in ("certificate.json", "verdict.json", "function.json"):
        os.mkfifo(tmp_path / statement)
    assert not any(known(tmp_path) for known in (is_separation, is_image, is_function))
    with pytest.raises(RunError, match="no file that can be read to its end"):
        check_verdict(tmp_path)


@pytest.mark.parametrize("name", ["verdict.json", "certificate.json"])
def test_nested_beyond_any_stack(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"format": ' + "[" * 100_000 + "]" * 100_000 + "}")
    assert not any(known(tmp_path) for known in (is_separation, is_image))
    checker = check_verdict if name == "verdict.json" else check_one_to_one
    with pytest.raises(RunError, match="is not a complete"):
        checker(tmp_path)


def _zeros(file: Path, head: bytes, size: int) -> None:
    with pa.CompressedOutputStream(pa.OSFile(str(file), "wb"), "zstd") as stream:
        stream.write(head)
        for _ in range(size >> 20):
            stream.write(bytes(1 << 20))


def test_a_segment_of_a_few_bytes_that_says_it_is_huge(source: Path, tmp_path: Path) -> None:
    copy = Copy(source, tmp_path / "run")
    size = 1 << 27
    part = copy.path / "proof" / "part-000000.bin.zst"
    _zeros(part, MAGIC + size.to_bytes(8, "little"), size)
    assert part.stat().st_size < size >> 10
    with pytest.raises(ProofRejectedError, match="cut off or damaged"):
        check(copy.path)


def test_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "_LONGEST", 1 << 21)
    _zeros(tmp_path / "exact", b"[]\n", 1 << 23)
    with pytest.raises(ProofRejectedError, match="a line of more than"):
        list(exact_steps(tmp_path / "exact"))


def test_a_row_group_of_more_rows_than_a_run_writes(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_MOST_ROWS", 3)
    with pytest.raises(ProofRejectedError, match="row group of .* rows"):
        check(source)


def test_a_killed_run_has_counted_nothing(source: Path, tmp_path: Path) -> None:
    copy = Copy(source, tmp_path / "run")
    copy.edit(lambda m: m.update(status="running", certified=False, proof=None))
    (copy.path / "manifest.json").write_text(
        json.dumps({**copy.manifest, "counts": {"regions": 999, "undecided": 0}})
    )
    report = check(copy.path)
    assert report.doubt
    assert report.regions != 999
    assert {"counts.regions", "rank_histogram"} <= set(report.unverified)


def test_ranks_that_no_matrix_has(source: Path, tmp_path: Path) -> None:
    """Below 0, and beyond any width: the compiled filter leaves them to be rejected."""
    table = Copy(source, tmp_path / "run").table
    at = table.schema.get_field_index("rank_1")
    for rank in (-1, -(2**15), 2**15 - 1):
        copy = Copy(source, tmp_path / "run")
        ranks = table.column("rank_1").to_pylist()
        ranks[2] = rank
        column = pa.array(ranks, table.schema.field(at).type)
        copy.write_table(table.set_column(at, table.schema.field(at), column), honest=False)
        with pytest.raises(ProofRejectedError, match="rank histogram"):
            check(copy.path)
        copy.edit(lambda m: m.update(status="running", certified=False, proof=None))
        with pytest.raises(ProofRejectedError, match="row 2 states ranks"):
            check(copy.path)
