"""``polyrank homology`` as a process: Ctrl-C while gudhi makes a large complex."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

from tests.cli.processes import interrupted, start


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(v) for v in listed.read_text().split()] if listed.exists() else []


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_an_alpha_complex_is_made(tmp_path, number):
    """900 points in R^5 keep gudhi busy for many seconds; its process ends with ours."""
    pytest.importorskip("gudhi")
    rng = np.random.default_rng(0)
    np.save(tmp_path / "cloud.npy", rng.normal(size=(900, 5)))
    np.savez(tmp_path / "net.npz", W0=rng.normal(size=(2, 5)), b0=np.zeros(2))
    process = start("homology", tmp_path / "net.npz", tmp_path / "cloud.npy", "--alpha", "10")
    found: list[int] = []

    def working() -> list[int]:
        found[:] = children(process.pid)
        return found

    interrupted(process, working, number)
    assert not Path(f"/proc/{found[0]}").exists()
