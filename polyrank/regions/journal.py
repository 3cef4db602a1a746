"""The journal of a run that is not finished: which tasks are done, and what they left.

``journal.jsonl`` in the run directory is only ever appended to. A line is the CRC of the rest, a
space and one object of JSON: first ``{"root": subtree}``, then one for every task that is done,
after its shard and its part of the proof have their names. So whatever dies when, the journal names
nothing that is not there; a last line that was cut off counts for nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Self

from polyrank.errors import RunError

__all__ = ["JOURNAL_NAME", "Journal"]

JOURNAL_NAME = "journal.jsonl"


class Journal:
    """The journal of a run directory, locked against other processes while it is open.

    Use :meth:`create` or :meth:`reopen`.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self.size = size

    @classmethod
    def create(cls, directory: Path) -> Self:
        """A new journal.

        Raises
        ------
        OSError
            If it exists or cannot be written.
        """
        file = (directory / JOURNAL_NAME).open("xb")
        _lock(file, directory)
        return cls(file, 0)

    @classmethod
    def reopen(cls, directory: Path) -> tuple[Self, list[dict[str, Any]]]:
        """The journal of a run that somebody left, and its entries.

        A line that was cut off at the end is removed.

        Raises
        ------
        RunError
            If there is none, it is damaged, or another process writes it.
        """
        path = directory / JOURNAL_NAME
        try:
            file = path.open("r+b")
        except FileNotFoundError:
            raise RunError(
                f"{directory} holds no {JOURNAL_NAME}: there is nothing to resume"
            ) from None
        _lock(file, directory)
        entries, whole = [], 0
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break
            entry = _read(line)
            if entry is None:
                file.close()
                raise RunError(f"{path} is damaged: line {number} is not what a run writes")
            entries.append(entry)
            whole += len(line)
        file.truncate(whole)
        file.seek(whole)
        return cls(file, whole), entries

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write a line, and see to it that it stays.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        text = json.dumps(entry, separators=(",", ":"), ensure_ascii=True).encode()
        line = b"%08x %b\n" % (zlib.crc32(text), text)
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError:
            with contextlib.suppress(OSError):  # half a line would end the journal
                self._file.truncate(self.size)
                self._file.seek(self.size)
            raise
        self.size += len(line)

    def close(self) -> None:
        """Let others write it."""
        with contextlib.suppress(OSError):  # what is buffered after a full disk
            self._file.close()


def _read(line: bytes) -> dict[str, Any] | None:
    mark, _, text = line.rstrip(b"\n").partition(b" ")
    try:
        if int(mark, 16) != zlib.crc32(text):
            return None
        entry = json.loads(text)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _lock(file: IO[bytes], directory: Path) -> None:
    """Refuse a second writer; the lock ends with the process, however it ends."""
    try:
        import fcntl  # noqa: PLC0415  (POSIX only)
    except ModuleNotFoundError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise RunError(f"another process is at work on {directory}") from None
    except OSError:
        return  # a file system without locks
