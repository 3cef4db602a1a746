"""New directories on disk, and what to say when the disk refuses."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from polyrank.errors import RunError

__all__ = ["disk_errors", "new_directory"]


@contextmanager
def disk_errors(directory: Path) -> Iterator[None]:
    """Turn what the operating system refuses inside the block into a sentence about a directory.

    Raises
    ------
    RunError
        If the disk is full or cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            message = f"the disk is full while writing {directory}; free some space or use another"
        else:
            message = f"cannot write {directory}: {error.strerror or error}"
        raise RunError(message) from error


@contextmanager
def new_directory(path: str | Path) -> Iterator[Path]:
    """A directory that is made for what the block writes into it.

    Raises
    ------
    RunError
        If it exists, or the disk is full or cannot be written.
    """
    directory = Path(path)
    with disk_errors(directory):
        try:
            directory.mkdir(parents=True)
        except FileExistsError:
            raise RunError(
                f"{directory} exists already; name a new directory or remove that one"
            ) from None
        yield directory
