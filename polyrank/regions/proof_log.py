"""The proof log of a search, as a part per task beside the shards of the table.

The format is described in :mod:`polyrank.proof.format`; its reader shares no code with this writer.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

__all__ = ["NETWORK_NAME", "PROOF_NAME", "packed_log"]

PROOF_NAME = "proof"
NETWORK_NAME = "network.json"
MAGIC = b"polyrank proof 1\n"


def packed_log(chunks: Iterable[bytes]) -> tuple[bytes, int, int]:
    """Frame the segments of a log and compress them.

    Parameters
    ----------
    chunks : iterable of bytes
        A chunk that starts with ``S`` or ``P`` starts a segment.

    Returns
    -------
    part : bytes
        Empty where there is no segment.
    segments, size : int
        How many there are, and their bytes before compression.
    """
    segments: list[list[bytes]] = []
    for chunk in chunks:
        if chunk[:1] in (b"S", b"P"):
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
