"""Writes the proof log of a search beside the table of regions.

The format is described in :mod:`polyrank.proof.format`; its reader shares no code with this writer.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from polyrank.errors import RunError

__all__ = ["NETWORK_NAME", "PROOF_NAME", "ProofLog", "packed_log", "proof_files"]

PROOF_NAME = "proof"
NETWORK_NAME = "network.json"
MAGIC = b"polyrank proof 1\n"
#: Bytes, before compression, after which a new part begins.
_PART_BYTES = 1 << 28


class ProofLog:
    """Frames the segments of a log and streams them to ``proof/part-*.bin.zst``.

    A part has a temporary name until it is complete. The log counts only once the manifest names
    its parts, which :meth:`finish` returns for it.

    Parameters
    ----------
    directory : Path
        The run directory; it must exist.
    part_bytes : int
    """

    def __init__(self, directory: Path, *, part_bytes: int = _PART_BYTES) -> None:
        self._directory = directory
        self._part_bytes = part_bytes
        self._chunks: list[bytes] = []
        self._parts: list[str] = []
        self._stream: pa.CompressedOutputStream | None = None
        self._written = 0
        self._total = 0
        self._segments = 0

    def write(self, chunk: bytes) -> None:
        """Append to the log; a chunk that starts with ``S`` starts a segment."""
        if chunk[:1] == b"S":
            with self._disk_errors():
                self._flush()
        if chunk:
            self._chunks.append(chunk)

    def finish(self) -> dict[str, Any]:
        """Close the last part; the entry that seals the log in the manifest.

        Raises
        ------
        RunError
            If the disk is full or cannot be written; :meth:`write` raises it as well.
        """
        with self._disk_errors():
            self._flush()
            self._close_part()
        return {
            "version": 1,
            "parts": self._parts,
            "segments": self._segments,
            "bytes": self._total,
        }

    def abandon(self) -> None:
        """Give up the open part; complete parts stay, unsealed."""
        if self._stream is not None:
            with suppress(OSError, pa.ArrowException):  # a full disk is no news here
                self._stream.close()
            self._stream = None
            self._draft().unlink(missing_ok=True)

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        """Turn what a disk refuses into one sentence."""
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            reason = getattr(error, "strerror", None) or error
            raise RunError(
                f"cannot write the proof of {self._directory}: {reason}; free some space or name "
                "a directory that can be written"
            ) from error

    def _draft(self) -> Path:
        return self._directory / f"proof-{len(self._parts):06d}.bin.zst.partial"

    def _flush(self) -> None:
        if not self._chunks:
            return
        size = sum(map(len, self._chunks))
        if self._stream is None:
            (self._directory / PROOF_NAME).mkdir(exist_ok=True)
            self._stream = pa.CompressedOutputStream(pa.OSFile(str(self._draft()), "wb"), "zstd")
            self._stream.write(MAGIC)
            self._written = 0
        self._stream.write(size.to_bytes(8, "little"))
        for chunk in self._chunks:
            self._stream.write(chunk)
        self._chunks = []
        self._segments += 1
        self._written += size + 8
        self._total += size + 8
        if self._written >= self._part_bytes:
            self._close_part()

    def _close_part(self) -> None:
        if self._stream is None:
            return
        self._stream.close()
        self._stream = None
        draft = self._draft()
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        name = f"{PROOF_NAME}/part-{len(self._parts):06d}.bin.zst"
        draft.replace(self._directory / name)
        self._parts.append(name)


@contextmanager
def proof_files(log: ProofLog | None) -> Iterator[None]:
    """Remove the part that is open when the search fails."""
    try:
        yield
    finally:
        if log is not None:
            log.abandon()


def packed_log(chunks: Iterable[bytes]) -> tuple[bytes, int, int]:
    """Frame the segments of a log and compress them.

    Parameters
    ----------
    chunks : iterable of bytes
        A chunk that starts with ``S`` starts a segment.

    Returns
    -------
    part : bytes
        Empty where there is no segment.
    segments, size : int
        How many there are, and their bytes before compression.
    """
    segments: list[list[bytes]] = []
    for chunk in chunks:
        if chunk[:1] == b"S":
            segments.append([])
        if chunk:
            segments[-1].append(chunk)
    if not segments:
        return b"", 0, 0
    out = pa.BufferOutputStream()
    size = 0
    with pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(MAGIC)
        for segment in segments:
            length = sum(map(len, segment))
            stream.write(length.to_bytes(8, "little"))
            for chunk in segment:
                stream.write(chunk)
            size += length + 8
    return bytes(out.getvalue()), len(segments), size
