"""Kills a process at random moments, as often as asked, and lets it go on each time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import ROOT

__all__ = ["killed_again_and_again"]


def killed_again_and_again(
    script: str, arguments: Sequence[str | Path], *, kills: int, ready: str, longest: float
) -> int:
    """Run a Python script until it ends by itself; kill -9 it at random moments before.

    Parameters
    ----------
    script : str
        Prints ``ready`` when the work begins; it goes on with what an earlier process left.
    arguments : sequence
        Of the script.
    kills : int
        How often at most.
    longest : float
        Seconds after ``ready`` within which a kill comes.

    Returns
    -------
    int
        Kills that met a process at work, all before the first that came too late.
    """
    dice = random.Random(kills)
    path = os.pathsep.join([str(ROOT), str(ROOT / "cli"), os.environ.get("PYTHONPATH", "")])
    for met in range(kills + 1):
        process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            if process.stdout is None or process.stderr is None:
                raise AssertionError("both are pipes")
            line = process.stdout.readline()
            assert line.strip() == ready, process.stderr.read()
            if met < kills:
                time.sleep(dice.random() * longest)
                process.send_signal(signal.SIGKILL)
            errors = process.stderr.read()
            process.wait()
        if process.returncode == 0:
            return met
        assert process.returncode == -signal.SIGKILL, errors
    raise AssertionError("the last process was not killed")
