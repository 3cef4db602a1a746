"""The proof format, version 3: a log of the search tree that is written and read as a stream.

Files
-----
``proof/part-000000.bin.zst``, ... in the run directory (zstd). Each starts with :data:`MAGIC`;
then follow *frames*: a length (u64) and as many bytes, one *segment*. Integers are little-endian.
``manifest.json`` names the parts under ``proof`` once the run is finished: a log without that
entry is not sealed and proves nothing. ``chart.proof`` of every run holds multipliers that prove
the affine hull of the domain and its bounding box, where they cannot be read off.

Segment
-------
A part of the search tree below one cell::

    'S'  layer (u16)  row (u64)  decision + 1 (u8 per unit)  splits (u8 per unit)  steps  0

``layer`` is the 1-based layer whose units are being decided, 0 for the root, where nothing is.
``row`` is the row of the table of regions that the first LEAF describes, counted from the row that
the manifest states for the part (version 1: from 0); the next LEAFs take the next rows. A cell
whose segment starts with 'P' instead of 'S' is *paired*: it stands for itself and for the cell
opposite to it, −cell; so do all cells below it, and a LEAF describes two rows, the second one
opposite to the first (from version 3 on). Decisions
run over all units of the layers that were enumerated: −1 undecided, 0 negative, 1 positive (and
every unit without hyperplane), 2 identically zero on the cell, 3 tied: an exact multiple of an
earlier unit of its layer, decided with it. ``splits`` marks the units
whose hyperplanes bound the cell.

===== ======================== ==========================================================
code  step                     claim on the current cell
===== ======================== ==========================================================
1     ZERO unit (u16)          the pre-activation vanishes identically
2     SPLIT unit               the cell is the union of two; first the positive half follows
3     NEXT                     every unit of the layer is decided: the next layer follows
4     LEAF                     a region of the last layer; the next cell follows
5     DEFER                    another segment goes on with this cell; the next cell follows
6, 7  CUBE unit                negative / positive by the bounding box of the domain alone
8, 9  MISS unit, d rows        negative / positive by Farkas multipliers of d rows of the cell
10,11 MISS_BY unit, count, ... the same with ``count`` (u16) rows (u16 each)
12,13 BOX unit, count, ...     the same with ``count`` rows and coordinates of the box (u16 each)
14    OPPOSITE unit            the cell is the domain, all of a space on which layer 1 has no
                               constants and no later layer a hyperplane: the half on which the unit
                               is positive follows, as a paired cell
0     END                      open cells are deferred
===== ======================== ==========================================================

A row index has one byte if walls + N + 1 ≤ 256, else two; the largest index (255, 65535) stands
for no row. Rows of a cell: the rows of the chart, ``b_i − A_i y ≥ 0``; if the chart is unbounded
and not central (central: origin, b and all biases are 0), the constant row 1; if it is unbounded,
the 2d (not central: 2d − 1) walls of an artificial cube, which are no constraints and whose
multipliers must be 0; then the splitting units, first those of the segment's head in order of
layers and units, then those of the SPLIT steps in order. d is the dimension k of the domain, or
k + 1 where the chart is unbounded and not central.

Multipliers are not stored: whoever checks recomputes them. Those of a BOX step, which needs a
bounded domain, make the goal and the sum of the rows agree in the coordinates of u that are named,
0-based; what is left over is ≥ 0 on the bounding box, coordinate by coordinate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from polyrank.errors import PolyrankError

__all__ = [
    "CUBE_NEGATIVE",
    "CUBE_POSITIVE",
    "DEFER",
    "END",
    "LEAF",
    "MAGIC",
    "NEGATIVE",
    "NEGATIVE_BOX",
    "NEGATIVE_BY",
    "NEXT",
    "OPPOSITE",
    "POSITIVE",
    "POSITIVE_BOX",
    "POSITIVE_BY",
    "SPLIT",
    "ZERO",
    "Head",
    "NotDecidedError",
    "ProofRejectedError",
    "head_of",
    "segments",
]

MAGIC = b"polyrank proof 1\n"
END, ZERO, SPLIT, NEXT, LEAF, DEFER = 0, 1, 2, 3, 4, 5
CUBE_NEGATIVE, CUBE_POSITIVE, NEGATIVE, POSITIVE, NEGATIVE_BY, POSITIVE_BY = 6, 7, 8, 9, 10, 11
NEGATIVE_BOX, POSITIVE_BOX = 12, 13
OPPOSITE = 14

_LARGEST_SEGMENT = 1 << 33
#: Above _SMALL bytes a segment is at most so many times as long as its file: steps name other units
#: and rows all the time, and what is far longer is no log.
_SMALL, _RATIO = 1 << 26, 1 << 10


class ProofRejectedError(PolyrankError):
    """A claim of a run is not proved by it; the message names the first step that fails."""


class NotDecidedError(ProofRejectedError):
    """A claim of a run is not proved by it, and not shown to be false either."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a segment starts: 0-based layer (−1 for the root), first row, decisions, splits."""

    paired: bool
    layer: int
    row: int
    decision: tuple[int, ...]
    splits: tuple[int, ...]
    size: int


def head_of(segment: bytes, units: int, number: int = 0) -> Head:
    """Parse the head of segment ``number``, over ``units`` units.

    Raises
    ------
    ProofRejectedError
        If it is none.
    """
    size = 11 + 2 * units
    if len(segment) < size or segment[:1] not in (b"S", b"P"):
        raise ProofRejectedError(f"segment {number}: no head of a segment of {units} units")
    return Head(
        segment[:1] == b"P",
        int.from_bytes(segment[1:3], "little") - 1,
        int.from_bytes(segment[3:11], "little"),
        tuple(v - 1 for v in segment[11 : 11 + units]),
        tuple(segment[11 + units : size]),
        size,
    )


def segments(parts: Sequence[Path], rows: Sequence[int] | None = None) -> Iterator[bytes]:
    """Iterate over the segments of all parts, one in memory at a time.

    Their rows become those of the table: ``rows`` has the first row of every part (default: 0).

    Raises
    ------
    ProofRejectedError
        If a part is missing, damaged or cut off.
    """
    for part, first in zip(parts, rows or [0] * len(parts), strict=True):
        try:
            most = min(_LARGEST_SEGMENT, max(_SMALL, _RATIO * part.stat().st_size))
            with pa.CompressedInputStream(pa.OSFile(str(part)), "zstd") as stream:
                if stream.read(len(MAGIC)) != MAGIC:
                    raise ProofRejectedError(f"{part.name} does not start with {MAGIC!r}")
                while head := stream.read(8):
                    length = int.from_bytes(head, "little")
                    if len(head) < 8 or length > most:
                        raise ProofRejectedError(f"{part.name} is cut off or damaged")
                    segment = stream.read(length)
                    if len(segment) < length:
                        raise ProofRejectedError(f"{part.name} is cut off inside a segment")
                    if first:
                        row = min(int.from_bytes(segment[3:11], "little") + first, 2**64 - 1)
                        segment = segment[:3] + row.to_bytes(8, "little") + segment[11:]
                    yield segment
        except (pa.ArrowException, OSError, MemoryError) as error:
            raise ProofRejectedError(f"{part.name} cannot be read: {error}") from None
