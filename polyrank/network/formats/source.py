"""What every reader asks of a file before it parses it: that it is there, and not too large."""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from polyrank.errors import FormatError

__all__ = [
    "MAX_ENTRIES",
    "brief",
    "check_entries",
    "check_shape",
    "checked_file",
    "file_sha256",
    "plain_float",
    "printable",
    "read_text",
    "unique_keys",
    "zip_members",
]

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


def check_shape(shape: Sequence[int], what: str) -> None:
    """Refuse, before it is printed or given to numpy, a shape that no array has.

    Raises
    ------
    FormatError
        If it has more than 32 dimensions, one is negative or beyond 64 bits, or all but those that
        are 0 make more than ``MAX_ENTRIES`` entries.
    """
    if len(shape) > 32:
        raise FormatError(f"{what} has {len(shape)} dimensions; at most 32 are read")
    if not all(0 <= n < 2**63 for n in shape):
        raise FormatError(f"{what} has a dimension that is negative or beyond 64 bits")
    if 0 in shape and math.prod(filter(None, shape)) > MAX_ENTRIES:
        raise FormatError(f"{what} is empty, but has the shape {tuple(shape)}")


def printable(text: str, *, most: int = 2000) -> str:
    r"""Words of a file on one line: what a terminal would obey or cannot show is spelled out.

    Examples
    --------
    >>> printable("fc1\x1b[2J\n")
    'fc1\\x1b[2J\\n'
    """
    if not text.isprintable():
        text = "".join(
            c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
        )
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"


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


def brief(problem: BaseException, *, most: int = 120) -> str:
    """What a foreign reader says of a file, on one line; where it says nothing, what it raised."""
    text = " ".join(str(problem).split())
    return text[:most] or type(problem).__name__


def unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose keys are distinct; for ``object_pairs_hook``.

    Readers of JSON differ in which of two entries of one name they take.

    Raises
    ------
    FormatError
        If a key comes twice.
    """
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise FormatError(f"the key {key[:60]!r} comes twice in one JSON object")
        found[key] = value
    return found


def zip_members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members of an archive by their names, which are distinct.

    Readers of archives differ in which of two members of one name they take.

    Raises
    ------
    FormatError
        If a name comes twice.
    """
    members = archive.infolist()
    found = {info.filename: info for info in members}
    if len(found) != len(members):
        raise FormatError("the archive has two members of one name")
    return found


def plain_float(word: str) -> float:
    """The float64 nearest to a decimal number; ``1_0``, which Python reads as 10, is none.

    Raises
    ------
    ValueError
        If it is no number.
    """
    if "_" in word or not word.isascii():
        raise ValueError(f"{word!r} is no decimal number")
    return float(word)
