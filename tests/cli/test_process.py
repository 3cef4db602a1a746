"""The command line as a process: a real Ctrl-C, and the README's first command."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import time
from itertools import pairwise

import numpy as np
import pytest

import polyrank as pr
from tests.cli.processes import start
from tests.conftest import ROOT


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_or_the_end_of_a_job_leaves_a_partial_run(tmp_path, number):
    rng = np.random.default_rng(0)
    widths = [3, 100, 100, 100, 1]  # millions of regions
    arrays = {}
    for k, (n, m) in enumerate(pairwise(widths)):
        arrays[f"W{k}"] = rng.normal(0, (2 / n) ** 0.5, (m, n))
        arrays[f"b{k}"] = rng.normal(0, 0.1, m)
    np.savez(tmp_path / "net.npz", **arrays)
    out = tmp_path / "run"
    process = start("enumerate", tmp_path / "net.npz", "--box", "-1", "1", "-o", out, "--json")
    try:
        limit = time.monotonic() + 120
        while not list(out.glob("*.parquet.partial")):  # the first row group is written
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < limit
            time.sleep(0.05)
        process.send_signal(number)
        printed, messages = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert f"interrupted; what was found is in {out}" in messages
    assert "Traceback" not in messages
    shown = json.loads(printed)
    run = pr.open_run(out)
    assert (run.status, run.certified) == (shown["status"], shown["certified"])
    assert (run.status, run.certified) == ("interrupted", False)
    assert run.count == shown["regions"] == sum(b.num_rows for b in run.batches()) > 0


def test_the_first_command_of_the_readme(polyrank, monkeypatch):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"(?ms)^```sh\n(.*?)^```$", readme)
    assert len(blocks) == 2
    assert "pytest" in blocks[1]
    last = shlex.split(blocks[0].strip().split("&&")[-1])
    assert last[0] == ".venv/bin/polyrank"
    monkeypatch.chdir(ROOT)
    found = polyrank(*last[1:])
    assert found.status == 0
    assert "certified: exactly" in found.out
