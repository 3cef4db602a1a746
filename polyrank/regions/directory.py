"""New directories and files on disk, and what to say when the disk refuses."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from polyrank.errors import RunError

__all__ = ["disk_errors", "new_directory", "new_file", "sync_folder", "write_whole"]


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
    """A directory that is made for what the block writes into it; gone again if the block fails.

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
        try:
            yield directory
        except BaseException:  # what lacks its half would only stand in the way
            shutil.rmtree(directory, ignore_errors=True)
            raise


@contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """A draft, with the same suffix, for the block to write: the file itself when the block ends.

    A file that is there is replaced then, and stays as it is if the block fails. What is no regular
    file, as a pipe, is written to at once.

    Raises
    ------
    RunError
        If the disk is full or cannot be written.
    """
    file = Path(path)
    with disk_errors(file):
        if file.exists() and not file.is_file():
            yield file
            return
        draft = file.with_name(f".{file.stem}.partial{file.suffix}")
        try:
            yield draft
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)


def write_whole(file: Path, content: bytes, *, draft: Path | None = None) -> None:
    """Write a file so that it stays, whole or not at all.

    Parameters
    ----------
    file : Path
    content : bytes
    draft : Path, optional
        Where it is written first, on the same disk; default: beside it, with ``.partial`` added.

    Raises
    ------
    OSError
        If it cannot be written; then there is no draft either.
    """
    first = file.with_name(f"{file.name}.partial") if draft is None else draft
    try:
        with first.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        first.replace(file)
    except OSError:
        first.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """See to it that names in a folder stay, where the system knows how."""
    if os.name != "posix" or not folder.is_dir():
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
