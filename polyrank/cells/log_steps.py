"""The steps of the proof log; :mod:`polyrank.proof.format` says what each one claims."""

from __future__ import annotations

import numpy as np

from polyrank.cells.task import Task

__all__ = [
    "LOG_CUBE_NEGATIVE",
    "LOG_CUBE_POSITIVE",
    "LOG_DEFER",
    "LOG_LEAF",
    "LOG_NEGATIVE",
    "LOG_NEGATIVE_BY",
    "LOG_NEXT",
    "LOG_OPPOSITE",
    "LOG_POSITIVE",
    "LOG_POSITIVE_BY",
    "LOG_SPLIT",
    "LOG_ZERO",
    "SEGMENT_END",
    "segment_head",
    "unit_step",
]

LOG_ZERO, LOG_SPLIT, LOG_NEXT, LOG_LEAF, LOG_DEFER = 1, 2, 3, 4, 5
LOG_CUBE_NEGATIVE, LOG_CUBE_POSITIVE, LOG_NEGATIVE, LOG_POSITIVE = 6, 7, 8, 9
# with any number of two-byte row indices
LOG_NEGATIVE_BY, LOG_POSITIVE_BY = 10, 11
LOG_OPPOSITE = 14
SEGMENT_END = b"\0"


def unit_step(step: int, unit: int) -> bytes:
    """A step about a unit."""
    return step.to_bytes(1, "little") + unit.to_bytes(2, "little")


def segment_head(task: Task, row: int) -> bytes:
    """Head of a segment: where in the tree it is, and which row its first region has."""
    return (
        (b"P" if task.paired else b"S")
        + (task.layer + 1).to_bytes(2, "little")
        + row.to_bytes(8, "little")
        + (task.decision + 1).astype(np.uint8).tobytes()
        + task.splits.astype(np.uint8).tobytes()
    )
