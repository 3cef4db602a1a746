"""Arrays that do not fit: small ones in memory, large ones mapped from temporary files.

What a mapped array holds are pages of its file, which the system writes out and reads again as
memory is short. The files have no names: they go with the arrays, or with the process, however that
ends. They lie where Python's :mod:`tempfile` puts files (``TMPDIR`` names another folder).
"""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from polyrank.regions.directory import disk_errors

__all__ = ["Column", "scratch"]

#: Bytes of the largest array that stays in memory.
_LARGE = 1 << 24
_ZEROS = bytes(1 << 20)


def scratch(shape: Sequence[int] | int, dtype: DTypeLike) -> NDArray[Any]:
    """An array of zeros to be written to.

    Raises
    ------
    RunError
        If the disk of the temporary files is full.
    """
    kind = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    if size <= _LARGE:
        return np.zeros(shape, kind)
    with disk_errors(_folder()), _file() as file:
        _reserve(file, size)
        return _mapped(file, size, kind).reshape(shape)


class Column:
    """Rows that come one block after the other; :meth:`whole` is all of them.

    Parameters
    ----------
    dtype : dtype
    width : tuple of int
        Shape of a row.
    """

    def __init__(self, dtype: DTypeLike, *width: int) -> None:
        self._kind, self._width = np.dtype(dtype), width
        self._blocks: list[NDArray[Any]] = []
        self._waiting = 0
        self._written = 0
        self._file: IO[bytes] | None = None

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows.

        Raises
        ------
        RunError
            If the disk of the temporary files is full.
        """
        if not rows.size:
            return
        block = rows.astype(self._kind, order="C", copy=False).reshape(-1, *self._width)
        self._blocks.append(block)
        self._waiting += block.nbytes
        if self._waiting > _LARGE:
            with disk_errors(_folder()):
                self._write()

    def _write(self) -> None:
        if self._file is None:
            self._file = _file()
            weakref.finalize(self, self._file.close)
        for block in self._blocks:
            self._file.write(block.data)
        self._written += self._waiting
        self._blocks, self._waiting = [], 0

    def whole(self) -> NDArray[Any]:
        """All rows, to be written to; nothing can be added any more.

        Raises
        ------
        RunError
            If the disk of the temporary files is full.
        """
        if self._file is None:
            joined = np.concatenate([np.zeros((0, *self._width), self._kind), *self._blocks])
            self._blocks = []
            return joined
        with disk_errors(_folder()), self._file as file:
            self._write()
            file.flush()
            return _mapped(file, self._written, self._kind).reshape(-1, *self._width)


def _folder() -> Path:
    return Path(tempfile.gettempdir())


def _file() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="polyrank-")


def _reserve(file: IO[bytes], size: int) -> None:
    """Give a file its blocks: a full disk is told here, and not by a signal when it is written."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    for begin in range(0, size, len(_ZEROS)):  # pragma: no cover  (systems without it)
        file.write(_ZEROS[: size - begin])
    file.flush()


def _mapped(file: IO[bytes], size: int, kind: np.dtype[Any]) -> NDArray[Any]:
    return np.frombuffer(mmap.mmap(file.fileno(), size), kind)
