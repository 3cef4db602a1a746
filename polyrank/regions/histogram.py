"""Rank histograms: how many regions have which rank through which layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyrank.regions.schema import numbers

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
            columns = [numbers(batch.column(name)) for name in names]
            histogram.add(np.stack(columns, axis=1))
        return histogram

    def add(self, ranks: NDArray[np.int16]) -> None:
        """Count the ranks ``(r, L)`` of r more regions."""
        for k, before in enumerate(self._counts):
            counts = np.bincount(ranks[:, k], minlength=before.size).astype(np.int64)
            counts[: before.size] += before
            self._counts[k] = counts
        self.rows += ranks.shape[0]

    def merge(self, other: RankHistogram) -> None:
        """Count what another histogram has counted."""
        for k, theirs in enumerate(other._counts):
            mine = np.zeros(max(theirs.size, self._counts[k].size), np.int64)
            mine[: self._counts[k].size] += self._counts[k]
            mine[: theirs.size] += theirs
            self._counts[k] = mine
        self.rows += other.rows

    @classmethod
    def from_json(cls, entries: Sequence[Mapping[str, int]], rows: int) -> RankHistogram:
        """The histogram of ``rows`` rows that :meth:`as_json` gave."""
        histogram = cls(len(entries))
        for k, entry in enumerate(entries):
            counts = np.zeros(1 + max(map(int, entry), default=0), np.int64)
            for rank, n in entry.items():
                counts[int(rank)] = n
            histogram._counts[k] = counts
        histogram.rows = rows
        return histogram

    def as_json(self) -> list[dict[str, int]]:
        """One ``{rank: count}`` per layer, without the zeros; keys are strings, as JSON has it."""
        return [
            {str(rank): int(n) for rank, n in enumerate(counts) if n} for counts in self._counts
        ]
