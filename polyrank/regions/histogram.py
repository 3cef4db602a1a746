"""Rank histograms: how many regions have which rank through which layer."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["RankHistogram"]


class RankHistogram:
    """Counts of regions by rank, one histogram per layer, filled batch by batch.

    Parameters
    ----------
    layers : int
        Number L of layers.

    Attributes
    ----------
    rows : int
        Regions counted so far.
    """

    def __init__(self, layers: int) -> None:
        self.rows = 0
        self._counts = [np.zeros(1, np.int64) for _ in range(layers)]

    @classmethod
    def of(cls, batches: Iterable[pa.RecordBatch], layers: int) -> RankHistogram:
        """Count the rows of a table that is given by its batches."""
        histogram = cls(layers)
        names = [f"rank_{k}" for k in range(1, layers + 1)]
        for batch in batches:
            columns = [batch.column(name).to_numpy() for name in names]
            histogram.add(np.stack(columns, axis=1))
        return histogram

    def add(self, ranks: NDArray[np.int16]) -> None:
        """Count the ranks ``(r, L)`` of r more regions."""
        for k, before in enumerate(self._counts):
            counts = np.bincount(ranks[:, k], minlength=before.size).astype(np.int64)
            counts[: before.size] += before
            self._counts[k] = counts
        self.rows += ranks.shape[0]

    def as_json(self) -> list[dict[str, int]]:
        """One ``{rank: count}`` per layer, without the zeros; keys are strings, as JSON has it."""
        return [
            {str(rank): int(n) for rank, n in enumerate(counts) if n} for counts in self._counts
        ]
