"""Much data in parts that are looked at one by one: what does not fit waits in temporary files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

__all__ = ["PARTS", "Parts"]

PARTS = 256
#: Bytes of a part that wait in memory.
_WAITING = 1 << 16


class Parts:
    """256 sequences of bytes, in memory that does not grow with them; a context manager."""

    def __init__(self) -> None:
        self._waiting = [bytearray() for _ in range(PARTS)]
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def append(self, number: int, content: bytes) -> None:
        """Add to a part.

        Raises
        ------
        OSError
            If the disk of the temporary files is full.
        """
        part = self._waiting[number]
        part += content
        if len(part) >= _WAITING:
            with self._file(number).open("ab") as file:
                file.write(part)
            part.clear()

    def __iter__(self) -> Iterator[bytes]:
        """The parts, each whole."""
        for number, part in enumerate(self._waiting):
            content = bytes(part)
            if self._folder is not None and self._file(number).exists():
                content = self._file(number).read_bytes() + content
            yield content

    def _file(self, number: int) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="polyrank-")
        return Path(self._folder.name) / f"{number:03d}"

    def close(self) -> None:
        """Remove the temporary files."""
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
