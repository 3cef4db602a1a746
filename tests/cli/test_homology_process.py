"""``polyrank homology`` as a process: Ctrl-C while gudhi makes a large complex."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np
import pytest

from tests.cli.processes import start


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
    try:
        limit = time.monotonic() + 100
        while not (found := children(process.pid)):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < limit
            time.sleep(0.02)
        time.sleep(0.5)
        pressed = time.monotonic()
        process.send_signal(number)
        _, messages = process.communicate(timeout=60)
        took = time.monotonic() - pressed
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "interrupted" in messages
    assert "Traceback" not in messages
    assert took < 10  # seconds on a busy machine; a tenth of one on an idle one
    assert not Path(f"/proc/{found[0]}").exists()
