"""From exceptions to one clear sentence on stderr and an exit status, never a traceback."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from polyrank.errors import PolyrankError, RunError

__all__ = [
    "ERROR",
    "INTERRUPTED",
    "REJECTED",
    "UNDECIDED",
    "VIOLATED",
    "refuse_existing",
    "say",
    "say_interrupted",
    "sentences",
]

# exit statuses; 0 is "certified" (or done) and 2, wrong usage, is typer's own
ERROR = 1
UNDECIDED = 3
REJECTED = 4  # by polyrank check
VIOLATED = 5  # by polyrank verify
INTERRUPTED = 130  # 128 + SIGINT, as shells expect
_DIGITS = 60
#: One of these is in every directory that a verb writes.
_WRITTEN = (
    "manifest.json", "journal.jsonl", "complex.json", "certificate.json", "estimate.json",
    "verdict.json", "function.json",
)  # fmt: skip


def say(message: str) -> None:
    """Print a message to stderr."""
    typer.echo(f"polyrank: {message}", err=True)


def say_interrupted(output: Path | None) -> None:
    """Say that a run was interrupted, and where its rows are."""
    kept = "" if output is None else f"; what was found is in {output}"
    say(f"interrupted{kept}")


def refuse_existing(output: Path | None, *, force: bool = False) -> None:
    """Say at once, before any work is done, that a new directory cannot be made; or make room.

    Parameters
    ----------
    output : Path, optional
    force : bool
        Remove what is there, if it is a directory that polyrank wrote.

    Raises
    ------
    RunError
        If something with that name exists, and is to stay.
    """
    if output is None or not output.exists():
        return
    if not force:
        raise RunError(
            f"{output} exists already; name a new directory, or replace that one with --force"
        )
    if not any((output / name).is_file() for name in _WRITTEN):
        raise RunError(
            f"{output} is nothing that polyrank wrote, and --force replaces nothing else; name a "
            "new directory"
        )
    shutil.rmtree(output)


def _legible(message: str) -> str:
    """A message in which numbers of hundreds of digits are cut: ``100000... (401 digits)``."""
    return re.sub(
        rf"\d{{{_DIGITS},}}", lambda found: f"{found[0][:6]}... ({len(found[0])} digits)", message
    )


@contextmanager
def sentences() -> Iterator[None]:
    """Turn what can go wrong with files, memory and the keyboard into an exit status."""
    try:
        yield
    except PolyrankError as error:
        say(f"error: {_legible(str(error))}")
        raise typer.Exit(ERROR) from None
    except BrokenPipeError:
        raise  # the reader of our output has gone; typer leaves quietly
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        say(f"error: {what}{error.strerror or error}")
        raise typer.Exit(ERROR) from None
    except MemoryError:
        say(
            "error: out of memory; take a smaller domain, or let polyrank enumerate stream the "
            "regions to disk with -o/--output"
        )
        raise typer.Exit(ERROR) from None
    except KeyboardInterrupt:
        say("interrupted; nothing was kept")
        raise typer.Exit(INTERRUPTED) from None
