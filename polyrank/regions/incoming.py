"""The folder of a run into which workers on other machines write what their tasks give.

While a run works on a cluster its directory has a folder ``incoming-KEY`` with a token. A worker
that reads the same token at the same path shares the disk: it writes shards and parts of the proof
there, whole and durable, and sends their names; the process that began the run renames them and
then notes in the journal that the task is done, so that still nothing is named that is not there.
A worker that does not read the token, or cannot write, sends the bytes themselves. The folder goes
when the cluster is let go: what a worker that was thought dead writes later has no place to go.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from polyrank.errors import RunError
from polyrank.regions.directory import disk_errors, write_whole

__all__ = ["Incoming", "incoming", "remove_incoming"]

_PREFIX = "incoming-"
_TOKEN = "token"  # noqa: S105  (the name of a file)


@dataclass(frozen=True, slots=True)
class Incoming:
    """The folder, as a worker is told of it.

    Attributes
    ----------
    folder : str
        Absolute, as the process that began the run calls it.
    token : str
        What the folder's token file holds.
    """

    folder: str
    token: str

    @property
    def reached(self) -> bool:
        """Whether this process sees the same folder at that path."""
        try:
            return (Path(self.folder) / _TOKEN).read_text(encoding="ascii") == self.token
        except (OSError, ValueError):
            return False

    def write(self, content: bytes) -> str:
        """Write a file, so that its content stays, under a name that nobody else takes.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        # whoever renames it sees to its name; before that a part of a file harms nobody
        name = secrets.token_hex(16)
        with (Path(self.folder) / name).open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return name

    def file(self, name: str) -> Path:
        """Where a worker says that it wrote a file of that name.

        Raises
        ------
        RunError
            If that is no name that :meth:`write` gives.
        """
        if len(name) != 32 or not set(name) <= set("0123456789abcdef"):
            raise RunError(f"a worker of the cluster names a file {name!r}, which is none of a run")
        return Path(self.folder) / name


@contextmanager
def incoming(directory: Path) -> Iterator[Incoming]:
    """A folder for the workers of a cluster, while the block runs.

    Raises
    ------
    RunError
        If the directory cannot be written.
    """
    key, token = secrets.token_hex(8), secrets.token_hex(16)
    folder = directory.absolute() / f"{_PREFIX}{key}"
    try:
        with disk_errors(directory):
            folder.mkdir()
            write_whole(folder / _TOKEN, token.encode("ascii"))
        yield Incoming(str(folder), token)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_incoming(directory: Path) -> None:
    """Remove what a process that died has left: no task that is done has its files there."""
    for folder in directory.glob(f"{_PREFIX}*"):
        shutil.rmtree(folder, ignore_errors=True)
