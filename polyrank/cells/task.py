"""What the search hands around: tasks (open prefixes), batches of regions, progress, the result.

A task is a prefix of the search tree: the units decided so far, which of them bound the cell, and
points strictly inside. It does not depend on the worker that made it, so open tasks are also the
state from which an interrupted search goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.network.forward import unpack_bits
from polyrank.network.rational import fmpq_from_float
from polyrank.posed.problem import Problem

__all__ = [
    "IDENTICALLY_ZERO",
    "NEGATIVE",
    "POSITIVE",
    "TIED",
    "UNDECIDED",
    "Batch",
    "SearchProgress",
    "SearchResult",
    "SearchStopped",
    "Task",
    "prefix_text",
    "settled",
]

#: Decisions of a unit on a cell. TIED: a multiple of an earlier unit, decided with it.
UNDECIDED, NEGATIVE, POSITIVE, IDENTICALLY_ZERO, TIED = -1, 0, 1, 2, 3


class SearchStopped(Exception):  # noqa: N818  (no error: someone asked for it)
    """A search was asked to end before its work was done."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """An open cell.

    Attributes
    ----------
    layer : int
        0-based layer whose units are being decided; −1: nothing is decided yet.
    decision : ndarray of int8, shape (N,)
        Per unit of all layers: UNDECIDED, NEGATIVE, POSITIVE, IDENTICALLY_ZERO or TIED.
    splits : ndarray of int8, shape (N,)
        1 for the units whose hyperplanes bound the cell; every other decision is implied.
    points : tuple of tuple of fmpq
        Chart points y strictly inside the cell, exact; at least one.
    paired : bool
        It stands for itself and the opposite cell (:mod:`polyrank.cells.opposite`).
    """

    layer: int
    decision: NDArray[np.int8]
    splits: NDArray[np.int8]
    points: tuple[tuple[fmpq, ...], ...]
    paired: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Regions as arrays, row by row; whoever takes it may keep those that cannot be written to.

    Attributes
    ----------
    codeword, zero : ndarray of uint8, shape (r, ceil(N / 8))
        Bits of the units with a hyperplane, least significant first: positive; identically zero.
    rank : ndarray of int16, shape (r, L)
        Rank of the linear part of the map through each layer on the domain's affine hull; −1
        where float and 64-bit arithmetic could not prove it (to be settled in rationals).
    witness : ndarray of float64, shape (r, k)
        Chart points strictly inside, exact; NaN in the rows of ``witness_exact``.
    witness_exact : mapping of int to tuple of fmpq
        Witnesses of regions that hold no float64 point.
    """

    codeword: NDArray[np.uint8]
    zero: NDArray[np.uint8]
    rank: NDArray[np.int16]
    witness: NDArray[np.float64]
    witness_exact: Mapping[int, tuple[fmpq, ...]] = field(default_factory=dict)

    def point(self, row: int) -> fmpq_mat:
        """The witness of a row, exact, shape (k, 1)."""
        exact = self.witness_exact.get(row)
        own = map(fmpq_from_float, self.witness[row].tolist()) if exact is None else exact
        return fmpq_mat(self.witness.shape[1], 1, list(own))


def settled(batch: Batch, problem: Problem) -> Batch:
    """The batch with every rank −1 replaced by the exact rank."""
    if batch.rank.min(initial=0) >= 0:
        return batch
    open_rows = np.flatnonzero((batch.rank < 0).any(axis=1))
    rank = batch.rank.copy()
    for r in open_rows.tolist():
        bits, zero = (unpack_bits(packed[r]) for packed in (batch.codeword, batch.zero))
        rank[r] = problem.ranks.ranks(bits, zero)
    return replace(batch, rank=rank)


@dataclass(frozen=True, slots=True)
class SearchProgress:
    """State of a running search.

    Attributes
    ----------
    regions : int
        Found so far.
    share : float
        Of the tree, by halves.
    undecided : int
    seconds : float
    expected : float or None
        Regions in all, by an estimate.
    """

    regions: int
    share: float
    undecided: int
    seconds: float
    expected: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SearchResult:
    """How a search ended.

    Attributes
    ----------
    regions : int
    undecided : tuple of str
        Prefixes of cells that were not decided, one character per unit (see
        :func:`prefix_text`); empty in a certified search.
    open : tuple of Task
        Cells left over because the budget ended; empty in a complete search.
    certified : bool
        True iff nothing is undecided or open: the regions are proved to be all.
    tests, pivots : int
        Emptiness tests by linear programs and simplex pivots.
    seconds : float
    ladder : dict
        How many verdicts each rung gave, and other counters.
    """

    regions: int
    undecided: tuple[str, ...]
    open: tuple[Task, ...]
    certified: bool
    tests: int
    pivots: int
    seconds: float
    ladder: Mapping[str, int]


def prefix_text(decision: NDArray[np.int8], unit_start: NDArray[np.int64]) -> str:
    """Decisions as text, layers separated by ``|``: 0, 1, z (zero), = (tied), ? (undecided)."""
    letters = {
        UNDECIDED: "?",
        NEGATIVE: "0",
        POSITIVE: "1",
        IDENTICALLY_ZERO: "z",
        TIED: "=",
    }
    text = "".join(letters[int(v)] for v in decision)
    return "|".join(
        text[a:b] for a, b in zip(unit_start[:-1].tolist(), unit_start[1:].tolist(), strict=True)
    )
