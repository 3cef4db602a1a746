"""``polyrank homeomorphism`` as a process: Ctrl-C while overlaps are listed."""

from __future__ import annotations

import signal
import time

import numpy as np

from tests.cli.processes import start


def test_ctrl_c_while_overlaps_are_listed(tmp_path):
    """The torus is projected to a line, where 5,000 triangles overlap in millions of pairs."""
    np.savez(tmp_path / "net.npz", W0=np.array([[1.0, 0.5, 0.25]]), b0=np.zeros(1))
    certificate = tmp_path / "c"
    process = start(
        "homeomorphism", tmp_path / "net.npz", "torus:50", "--all", "--json", "-o", certificate
    )
    try:
        limit = time.monotonic() + 100
        # it is written after the layers are decided, before their overlaps are listed
        while not (certificate / "certificate.json").exists():
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < limit
            time.sleep(0.02)
        time.sleep(0.5)
        pressed = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, messages = process.communicate(timeout=60)
        took = time.monotonic() - pressed
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert out == ""
    assert "interrupted" in messages
    assert "Traceback" not in messages
    assert took < 10  # seconds on a busy machine; a tenth of one on an idle one
