"""``polyrank homeomorphism`` as a process: Ctrl-C while overlaps are listed."""

from __future__ import annotations

import signal

import numpy as np

from tests.cli.processes import interrupted, start


def test_ctrl_c_while_overlaps_are_listed(tmp_path):
    """The torus is projected to a line, where 5,000 triangles overlap in millions of pairs."""
    np.savez(tmp_path / "net.npz", W0=np.array([[1.0, 0.5, 0.25]]), b0=np.zeros(1))
    certificate = tmp_path / "c"
    process = start(
        "homeomorphism", tmp_path / "net.npz", "torus:50", "--all", "--json", "-o", certificate
    )
    # it is written after the layers are decided, before their overlaps are listed
    out = interrupted(process, (certificate / "certificate.json").exists, signal.SIGINT)
    assert out == ""
