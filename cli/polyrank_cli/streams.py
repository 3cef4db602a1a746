"""Standard output belongs to what a verb prints: whatever libraries print goes to stderr.

A solver writes to file descriptor 1 from C, past ``sys.stdout``; one such line before the object of
``--json`` breaks whoever reads it. The process therefore keeps its standard output under another
number, which only ``sys.stdout`` knows, and 1 leads to stderr from then on.
"""

from __future__ import annotations

import os
import sys

import typer

__all__ = ["flush_stdout", "keep_stdout_for_python", "open_missing_streams", "tell"]

_WIDTH = 100


def tell(text: str) -> None:
    """Print lines for people, broken as :func:`polyrank.report.tables.fitted` breaks them."""
    if any(len(line) > _WIDTH for line in text.split("\n")):
        from polyrank.report.tables import fitted  # noqa: PLC0415  (loads numpy)

        text = fitted(text)
    typer.echo(text)


def open_missing_streams() -> None:
    """Let standard streams that are closed (``2>&-``) lead nowhere.

    Call it first: the next file that is opened would get their number, and what libraries print.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def flush_stdout() -> None:
    """Write out what was printed; if that fails, what is left is dropped.

    Raises
    ------
    OSError
        If the disk is full, or the reader has gone.
    """
    try:
        sys.stdout.flush()
    except OSError:  # the interpreter would try once more at its end, and say so
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        raise


def keep_stdout_for_python() -> None:
    """Make ``sys.stdout`` the only way to this process's standard output.

    Call it once, at the start; where standard output or stderr is no file, nothing changes.
    """
    try:
        number, errors = sys.stdout.fileno(), sys.stderr.fileno()
        kept = os.dup(number)
    except (OSError, ValueError):
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
