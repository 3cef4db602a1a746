"""Gzip with a bound on what comes out: a few kilobytes can hold terabytes of zeros."""

from __future__ import annotations

import zlib

from polyrank.errors import FormatError

__all__ = ["MAGIC", "gunzip"]

MAGIC = b"\x1f\x8b"
"""The first two bytes of a gzip file."""

_GZIP = 31  # zlib's window bits for data with a gzip header


def gunzip(data: bytes, *, max_bytes: int, name: str) -> bytes:
    """The bytes that a gzip file holds; its checksum is verified.

    Parameters
    ----------
    data : bytes
        The whole file: one or more gzip members, with zeros after them at most.
    max_bytes : int
        Most bytes that may come out.
    name : str
        The file, for messages.

    Raises
    ------
    FormatError
        If it is not gzip, is damaged or cut off, or inflates to more than ``max_bytes``.

    Examples
    --------
    >>> import gzip
    >>> gunzip(gzip.compress(b"(check-sat)"), max_bytes=100, name="a.gz")
    b'(check-sat)'
    """
    parts: list[bytes] = []
    left = max_bytes
    rest = data
    while not parts or rest.strip(b"\0"):
        if not rest.startswith(MAGIC):
            what = "is not a gzip file" if not parts else "holds something after its gzip data"
            raise FormatError(f"{name} {what}: {rest[:8]!r} where a gzip header was expected")
        member = zlib.decompressobj(_GZIP)
        try:
            part = member.decompress(rest, left + 1)
        except zlib.error as problem:
            raise FormatError(f"{name}: the gzip data is damaged ({problem})") from None
        if len(part) > left:
            raise FormatError(f"{name} inflates to more than {max_bytes} bytes, which is the limit")
        if not member.eof:
            raise FormatError(f"{name}: the gzip data ends too early; the file is truncated")
        parts.append(part)
        left -= len(part)
        rest = member.unused_data
    return b"".join(parts)
