"""What the graph and the native core call things: a run's codewords, neighbours, counters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CANDIDATE",
    "MISSING",
    "PENDING",
    "STATISTICS",
    "WALL",
    "CodeTable",
    "Codes",
]

#: Neighbours that are not regions: the wall, no listed region, to be decided in rationals.
WALL, MISSING, PENDING = -1, -2, -3
#: In place of a neighbour: a row of an open region that is not proved redundant.
CANDIDATE = -6

STATISTICS = (
    "lps", "pivots", "by_residual", "by_integers", "by_enclosure", "by_interval", "by_structure",
    "by_vertex", "by_recall", "by_segment", "from_neighbours", "rays", "cells", "pending",
    "missing", "by_opposite",
)  # fmt: skip


class CodeTable(NamedTuple):
    """Codewords, and the table that finds them again: ``CodeTable`` of the native core."""

    code: NDArray[np.uint8]  # (R, B)
    key: NDArray[np.uint64]  # (bits,) Zobrist keys
    table: NDArray[np.int32]  # power of two, −1 empty


class Codes(NamedTuple):
    """What a walk reads of a run: ``Listing`` of the native core, whose head is a `CodeTable`."""

    code: NDArray[np.uint8]  # (R, B)
    key: NDArray[np.uint64]  # (bits,)
    table: NDArray[np.int32]
    zero: NDArray[np.uint8]  # (R, B), or (0, B) where no unit vanishes anywhere
    witness: NDArray[np.float64]  # (R, k), NaN where it is not float64
    bit: NDArray[np.int64]  # (N,) bit of each unit, −1 without hyperplane
    unit: NDArray[np.int64]  # (bits,) unit of each bit
    stage: NDArray[np.int64]  # (S + 1,) first unit of each stage, then their end
    mask: NDArray[np.uint8]  # (S + 1, B): bits of the stages before
    flip_start: NDArray[np.int64]  # (N + 1,)
    flip: NDArray[np.int64]  # bits of the units that are multiples of a unit, itself first
    flip_key: NDArray[np.uint64]  # (N,) their keys together
