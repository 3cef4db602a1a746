"""Standard output belongs to what a verb prints: whatever libraries print goes to stderr.

A solver writes to file descriptor 1 from C, past ``sys.stdout``; one such line before the object of
``--json`` breaks whoever reads it. The process therefore keeps its standard output under another
number, which only ``sys.stdout`` knows, and 1 leads to stderr from then on.
"""

from __future__ import annotations

import os
import sys

import typer

__all__ = ["keep_stdout_for_python", "tell"]

_WIDTH = 100


def tell(text: str) -> None:
    """Print lines for people, broken as :func:`polyrank.report.tables.fitted` breaks them."""
    if any(len(line) > _WIDTH for line in text.split("\n")):
        from polyrank.report.tables import fitted  # noqa: PLC0415  (loads numpy)

        text = fitted(text)
    typer.echo(text)


def keep_stdout_for_python() -> None:
    """Make ``sys.stdout`` the only way to this process's standard output.

    Call it once, at the start; where there is no standard output or no stderr, nothing changes.
    """
    if sys.stdout is None or sys.stderr is None:
        return
    try:
        number, errors = sys.stdout.fileno(), sys.stderr.fileno()
        kept = os.dup(number)
    except (OSError, ValueError):  # closed, or replaced by something that is no file
        return
    sys.stdout.flush()
    os.dup2(errors, number)
    sys.stdout = os.fdopen(
        kept,
        "w",
        encoding=sys.stdout.encoding,
        errors=sys.stdout.errors,
        # line by line on a terminal, as Python does itself
        buffering=1 if os.isatty(kept) else -1,
    )
