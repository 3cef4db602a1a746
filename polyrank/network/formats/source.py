"""What every reader asks of a file before it parses it: that it is there, and not too large."""

from __future__ import annotations

import hashlib
from pathlib import Path

from polyrank.errors import FormatError

__all__ = ["MAX_ENTRIES", "check_entries", "checked_file", "file_sha256", "read_text"]

MAX_ENTRIES = 2**27
"""Most numbers that are read from one file (1 GiB as float64)."""


def checked_file(path: Path, *, max_bytes: int | None = None) -> int:
    """Size in bytes of a regular, non-empty file.

    Raises
    ------
    FormatError
        If the file is missing, a directory, a device, empty, or larger than ``max_bytes``.
    """
    if not path.exists():
        raise FormatError(f"{path}: no such file")
    if not path.is_file():
        raise FormatError(f"{path}: not a regular file")
    size = path.stat().st_size
    if size == 0:
        raise FormatError(f"{path.name}: the file is empty")
    if max_bytes is not None and size > max_bytes:
        raise FormatError(
            f"{path.name}: the file has {size} bytes; at most {max_bytes} are read from this "
            f"format (a large network is better kept as .npz or .safetensors)"
        )
    return size


def check_entries(count: int, what: str) -> None:
    """Refuse, before anything is allocated, more than ``MAX_ENTRIES`` numbers.

    Raises
    ------
    FormatError
        If ``count`` is above the limit.
    """
    if count > MAX_ENTRIES:
        raise FormatError(f"{what} has {count} entries; at most {MAX_ENTRIES} are read")


def file_sha256(path: Path) -> str:
    """SHA-256 of the bytes of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_text(path: Path, *, max_bytes: int, encoding: str = "utf-8-sig") -> str:
    """The text of a file: UTF-8 or ASCII, unless another encoding is named.

    Raises
    ------
    FormatError
        If the file is missing, empty, too large, or not text.
    """
    checked_file(path, max_bytes=max_bytes)
    try:
        return path.read_bytes().decode(encoding)
    except UnicodeDecodeError as problem:
        raise FormatError(
            f"not a text file: byte {problem.start} is not UTF-8 (is the extension right?)"
        ) from None
