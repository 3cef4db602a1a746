"""Disks that are full or refuse, while a proof is written; damaged logs when it is read."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import polyrank as pr
from polyrank.errors import RunError
from polyrank.proof.check import check
from polyrank.proof.format import ProofRejectedError
from polyrank.regions import proof_log
from polyrank.regions.proof_log import ProofLog
from tests.conftest import ROOT
from tests.proof.runs import random_network, write


class _Full:
    """A stream on a full disk, which refuses after a number of writes."""

    def __init__(self, after: int) -> None:
        self.left = after

    def write(self, _data: bytes) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("after", [0, 1, 2, 1000])
@pytest.mark.parametrize("engine", ["dictionary", "highs"])
def test_full_disk(
    after: int, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run fails with one sentence, says so in its manifest, and its log proves nothing."""
    monkeypatch.setattr(proof_log.pa, "CompressedOutputStream", lambda *_: _Full(after))
    with pytest.raises(RunError, match="cannot write the proof of .*: No space left on device"):
        write(tmp_path / "run", random_network(1, 2, 6, 5, 1), engine=engine, cells=9)
    monkeypatch.undo()
    run = pr.open_run(tmp_path / "run")
    assert (run.status, run.certified) == ("failed", False)
    assert "proof" not in run.manifest or run.manifest["proof"] is None
    assert not list((tmp_path / "run").rglob("*.partial"))
    report = check(tmp_path / "run")
    assert (report.complete, report.open, report.segments) == (False, True, 0)
    assert report.checked == run.count


def test_a_directory_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(proof_log.pa, "OSFile", refused)
    with pytest.raises(RunError, match="cannot write the proof of .*run: Permission denied; free"):
        write(tmp_path / "run", random_network(1, 2, 6, 5, 1))


def test_arrow_errors_are_run_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> Any:
        raise pa.ArrowInvalid("the codec is gone")

    monkeypatch.setattr(proof_log.pa, "CompressedOutputStream", refused)
    with pytest.raises(RunError, match="the codec is gone"):
        write(tmp_path / "run", random_network(1, 2, 6, 5, 1))


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files")
def test_a_disk_that_really_refuses(tmp_path: Path) -> None:
    """The limit stands in for a full disk; the open part is removed, complete parts stay."""
    code = """
import random, resource, sys
from pathlib import Path
from polyrank.errors import RunError
from polyrank.regions.proof_log import ProofLog, proof_files
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
log = ProofLog(Path(sys.argv[1]), part_bytes=10_000)
try:
    with proof_files(log):
        for size in (500, 20_000, 500, 1_000_000, 500):
            log.write(b"S" + random.Random(size).randbytes(size))
        log.finish()
except RunError as error:
    print(error)
"""
    path = os.pathsep.join([str(ROOT), str(ROOT / "cli")])
    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert found.stdout.startswith("cannot write the proof of "), (found.stdout, found.stderr)
    assert [p.name for p in (tmp_path / "proof").iterdir()] == ["part-000000.bin.zst"]
    assert not list(tmp_path.glob("*.partial"))


def test_parts(tmp_path: Path) -> None:
    """A log in many parts is one log; a part that is lost, cut off or swapped is noticed."""
    kept = ProofLog.__init__.__kwdefaults__
    ProofLog.__init__.__kwdefaults__ = {"part_bytes": 100}
    try:
        write(tmp_path / "run", random_network(4, 2, 7, 7, 1), pr.Box(-2, 2), cells=20)
    finally:
        ProofLog.__init__.__kwdefaults__ = kept
    parts = sorted((tmp_path / "run" / "proof").iterdir())
    assert len(parts) > 2
    assert check(tmp_path / "run").complete
    data = parts[1].read_bytes()
    for damaged in (
        b"",
        data[:-9],
        data[:20],
        data[:30] + b"\0" + data[31:],
        parts[2].read_bytes(),
    ):
        parts[1].write_bytes(damaged)
        with pytest.raises(ProofRejectedError):
            check(tmp_path / "run")
    parts[1].unlink()
    with pytest.raises(ProofRejectedError, match="part-000001.bin.zst cannot be read"):
        check(tmp_path / "run")
    parts[1].write_bytes(data)
    assert check(tmp_path / "run").complete
