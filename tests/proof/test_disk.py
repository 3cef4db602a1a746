"""Disks that are full or refuse, while a proof is written; damaged logs when it is read."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

import polyrank as pr
from polyrank.errors import RunError
from polyrank.proof.check import check
from polyrank.proof.format import ProofRejectedError
from polyrank.regions import enumerate as enumerate_module
from tests.proof.runs import random_network, write


@pytest.mark.parametrize("engine", ["dictionary", "highs"])
def test_full_disk(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run fails with one sentence, says so in its manifest, and its log proves nothing."""
    replace = Path.replace

    def refused(self: Path, target: Path) -> Path:
        if ".bin.zst" in str(target):
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(RunError, match="the disk is full while writing .*run; free some space"):
        write(tmp_path / "run", random_network(1, 2, 6, 5, 1), engine=engine, cells=9)
    monkeypatch.undo()
    run = pr.open_run(tmp_path / "run")
    assert (run.status, run.certified) == ("failed", False)
    assert "proof" not in run.manifest or run.manifest["proof"] is None
    assert not list((tmp_path / "run").rglob("*.partial"))
    report = check(tmp_path / "run")
    assert (report.complete, report.open, report.segments) == (False, True, 0)
    assert report.checked == run.count
    assert pr.resume_run(tmp_path / "run").certified
    assert check(tmp_path / "run").complete


def test_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log in many parts is one log; a part that is lost, cut off or swapped is noticed."""
    monkeypatch.setattr(enumerate_module, "TASK_WORK", (2.0, 4.0))
    write(tmp_path / "run", random_network(4, 2, 7, 7, 1), pr.Box(-2, 2), cells=20)
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
