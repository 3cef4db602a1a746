"""Long work that is kept piece by piece, so that it goes on after whatever ended it.

A folder with the journal of :mod:`polyrank.regions.journal`: first the question, then one line per
piece that is done, after its shard, if it has one, has its name. The pieces of a question are the
same whoever works on them, and come in one order, so that work that goes on ends where work without
an interruption would have ended.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from polyrank.errors import RunError
from polyrank.native.library import built_from
from polyrank.regions.directory import disk_errors, new_directory, write_whole
from polyrank.regions.journal import JOURNAL_NAME, Journal

__all__ = ["KEEP_SECONDS", "KeptWork"]

#: Seconds of work that may be lost; what takes less leaves nothing on the disk.
KEEP_SECONDS = 5.0


class KeptWork:
    """A folder in which work keeps what is done; see :meth:`begin`, :meth:`resume`, :meth:`beside`.

    Use it as a context manager: the journal is locked while it is open.

    Parameters
    ----------
    directory : Path
    question : mapping
        JSON-serialisable: all that the answer depends on. The build of the core is added.
    seconds : float
        See :attr:`due`.

    Attributes
    ----------
    done : list of dict
        What the journal says of the pieces that were done before.
    """

    def __init__(
        self, directory: Path, question: Mapping[str, Any], *, seconds: float = KEEP_SECONDS
    ) -> None:
        self.directory = directory
        self.question = {**question, "core": built_from()}
        self.done: list[dict[str, Any]] = []
        self._seconds = seconds
        self._journal: Journal | None = None
        self._shards = 0
        self._entries = 0
        self._last = time.perf_counter()

    @classmethod
    def begin(
        cls, directory: Path, question: Mapping[str, Any], *, seconds: float = KEEP_SECONDS
    ) -> Self:
        """A new folder.

        Raises
        ------
        RunError
            If it exists or cannot be written.
        """
        work = cls(directory, question, seconds=seconds)
        work._start()
        return work

    @classmethod
    def resume(
        cls, directory: Path, question: Mapping[str, Any], *, seconds: float = KEEP_SECONDS
    ) -> Self:
        """The folder of work that was left.

        Raises
        ------
        RunError
            If there is none, it is damaged or about another question, or another process is at
            work on it.
        """
        work = cls(directory, question, seconds=seconds)
        with disk_errors(directory):
            work._journal, entries = Journal.reopen(directory)
        try:
            work._read(entries)
            with disk_errors(directory):
                for draft in directory.glob("*.partial"):
                    draft.unlink()
        except BaseException:
            work._journal.close()
            raise
        return work

    @classmethod
    def beside(
        cls, directory: Path, question: Mapping[str, Any], *, seconds: float = KEEP_SECONDS
    ) -> Self:
        """Go on with the folder, if it is there and about this question; else it begins late.

        The folder is made when the first piece is kept. One that is about another question, or
        from another build, is of no use, and is removed then.

        Raises
        ------
        RunError
            If another process is at work on it.
        """
        if (directory / JOURNAL_NAME).exists():
            try:
                return cls.resume(directory, question, seconds=seconds)
            except _OtherQuestionError:
                pass
        return cls(directory, question, seconds=seconds)

    def _start(self) -> None:
        with new_directory(self.directory):
            self._journal = Journal.create(self.directory)
            try:
                self._ask()
            except BaseException:
                self.close()
                raise

    def _ask(self) -> None:
        if self._journal is None:
            raise AssertionError("its journal is open")
        self._journal.append({"question": self.question})

    def _read(self, entries: list[dict[str, Any]]) -> None:
        if not entries:  # it was left before its question was written
            with disk_errors(self.directory):
                self._ask()
            return
        asked = entries[0].get("question")
        if not isinstance(asked, dict):
            raise RunError(f"{self.directory / JOURNAL_NAME} is not that of such work")
        if asked.get("core") != self.question["core"]:
            raise _OtherQuestionError(
                f"{self.directory} was begun by another build of polyrank; resume it with that "
                "one, or begin again"
            )
        names = [n for n in self.question if asked.get(n) != self.question[n]]
        names += [n for n in asked if n not in self.question]
        if names:
            told = "; ".join(
                f"{n}: {_short(asked.get(n))} there, {_short(self.question.get(n))} here"
                for n in names
            )
            raise _OtherQuestionError(
                f"{self.directory} is about another question, and only its own goes on ({told})"
            )
        self.done = entries[1:]
        self._shards = sum("shard" in entry for entry in self.done)
        self._entries = len(self.done)

    @property
    def entries(self) -> int:
        """Pieces that are kept, those that were done before among them: the number of the next."""
        return self._entries

    @property
    def due(self) -> bool:
        """Enough time has passed for something to be kept."""
        return time.perf_counter() - self._last >= self._seconds

    def keep(self, entry: Mapping[str, Any], shard: bytes = b"") -> None:
        """Keep a piece that is done: on the disk when this returns, or not at all.

        Raises
        ------
        RunError
            If the disk is full or cannot be written.
        """
        with disk_errors(self.directory):
            if self._journal is None:
                if self.directory.exists():
                    shutil.rmtree(self.directory)
                self._start()
            if self._journal is None:
                raise AssertionError("started above")
            named = dict(entry)
            if shard:
                named["shard"] = f"task-{self._shards:06d}.bin"
                write_whole(self.directory / named["shard"], shard)
            self._journal.append(named)
        self._shards += bool(shard)
        self._entries += 1
        self._last = time.perf_counter()

    def shard(self, entry: Mapping[str, Any]) -> bytes:
        """The shard of a piece that was done before.

        Raises
        ------
        RunError
            If it is missing.
        """
        file = self.directory / str(entry["shard"])
        try:
            return file.read_bytes()
        except OSError as error:
            raise RunError(
                f"{file}, which the journal says is done, cannot be read: {error.strerror}"
            ) from None

    def remove(self) -> None:
        """Remove the folder: the answer is kept elsewhere."""
        self.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def close(self) -> None:
        """Let others work on it."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _OtherQuestionError(RunError):
    """The folder is about something else."""


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
