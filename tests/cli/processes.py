"""Starts the command line as a process, as a shell does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.conftest import ROOT

__all__ = ["interrupted", "start"]


def start(*arguments: object, cwd: Path | None = None) -> subprocess.Popen[str]:
    """``polyrank`` with these arguments; its output is piped."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "cli")])
    return subprocess.Popen(
        [sys.executable, "-m", "polyrank_cli.main", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        # a test run in the background may itself ignore Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


def interrupted(process: subprocess.Popen[str], working: Callable[[], object], number: int) -> str:
    """Send a signal half a second after the process is seen at work; its stdout.

    It has to end within 10 seconds: on an idle machine it takes a tenth of one.
    """
    try:
        limit = time.monotonic() + 100
        while not working():
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < limit
            time.sleep(0.02)
        time.sleep(0.5)
        pressed = time.monotonic()
        process.send_signal(number)
        out, messages = process.communicate(timeout=60)
        took = time.monotonic() - pressed
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "interrupted" in messages
    assert "Traceback" not in messages
    assert took < 10
    return out
