"""Covers, and the walk over flats of small rank that meet all of them.

A *cover* is a set of units of which at least one is live on every region in question. The walk
itself is compiled (:mod:`polyrank.minrank.flats`); a flat that meets every known cover is handed
out, to be refuted by a new cover or to be found realised.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from polyrank.cells.interrupt import Slices
from polyrank.lp.deadline import SLICE, look
from polyrank.minrank.flats import DONE, NEEDED, Flats

__all__ = ["Covers", "contracted", "new_slices", "truncated", "walk"]

_BUDGET = 1 << 15
Found = TypeVar("Found")


class Covers:
    """A growing list of sets of units, as the compiled walk reads it.

    Attributes
    ----------
    elements : ndarray of int64, shape (c, w)
        Row i lists ``lengths[i]`` units; ``count`` rows are in use.
    lengths : ndarray of int64, shape (c,)
    count : int
    """

    def __init__(self, width: int) -> None:
        self.elements: NDArray[np.int64] = np.zeros((64, max(1, width)), dtype=np.int64)
        self.lengths: NDArray[np.int64] = np.zeros(64, dtype=np.int64)
        self.count = 0

    def add(self, cover: Sequence[int]) -> None:
        """Add one more."""
        size = max(len(cover), self.elements.shape[1])
        if self.count == len(self.lengths) or size > self.elements.shape[1]:
            elements = np.zeros((2 * len(self.lengths), size), dtype=np.int64)
            elements[: self.count, : self.elements.shape[1]] = self.elements[: self.count]
            self.elements = elements
            self.lengths = np.concatenate([self.lengths, np.zeros_like(self.lengths)])
        self.elements[self.count, : len(cover)] = cover
        self.lengths[self.count] = len(cover)
        self.count += 1

    def chosen(self, rows: NDArray[np.bool_]) -> Covers:
        """Those of some rows, as a list of their own."""
        out = Covers(self.elements.shape[1])
        numbers = np.flatnonzero(rows)
        out.count = len(numbers)
        if out.count:
            out.elements, out.lengths = self.elements[numbers], self.lengths[numbers]
        return out

    def __iter__(self) -> Iterator[list[int]]:
        for i in range(self.count):
            yield self.elements[i, : self.lengths[i]].tolist()


def contracted(table: NDArray[np.int64], always: int, prime: int) -> tuple[int, NDArray[np.int64]]:
    """The rank of the first rows modulo a prime, and the other rows modulo these."""
    rank = 0
    for i in range(always):
        pivots = np.flatnonzero(table[i])
        if pivots.size:
            c = int(pivots[0])
            factor = table[:, c] * pow(int(table[i, c]), -1, prime) % prime
            table = (table - factor[:, None] * table[i]) % prime
            rank += 1
    return rank, table[always:]


def truncated(table: NDArray[np.int64], rank: int, prime: int) -> NDArray[np.int64]:
    """Rows in ``rank`` coordinates, of which the sets of smaller rank keep their flats.

    A linear map never raises a rank, so that every lower bound stays proved. A generic one is a
    truncation of the matroid; this one is drawn, with a fixed seed, and each flat is kept but for
    about one in ``prime``: then a set may seem to have a smaller rank than it has.
    """
    k = table.shape[1]
    if k <= rank:
        return table
    onto = np.random.default_rng(0).integers(0, prime, (k, rank))
    out = np.zeros((len(table), rank), dtype=np.int64)
    for j in range(k):
        out = (out + table[:, j, None] * onto[j]) % prime
    return out


def new_slices() -> Slices:
    """How many flats a walk may enter at a time; to be shared by many walks."""
    return Slices(seconds=SLICE, most=_BUDGET)


def walk(
    elements: NDArray[np.int64],
    last: int,
    prime: int,
    covers: Covers,
    settle: Callable[[NDArray[np.bool_], NDArray[np.bool_]], Found | None],
    entered: Callable[[int], None],
    slices: Slices | None = None,
) -> Found | None:
    """Look for a flat of rank ≤ ``last`` that meets every cover and cannot be refuted.

    Parameters
    ----------
    elements : ndarray of int64, shape (m, k)
        One row per unit, modulo ``prime``.
    last : int
        At least 0.
    covers : Covers
        Those known; ``settle`` may add some.
    settle : callable
        Gets a flat (one truth value per unit) that meets every cover, and the units that have had
        their turn: no flat that is still to come in this part of the search has one of these. It
        adds a cover that the flat misses and returns None, or returns what the search is to end
        with.
    entered : callable
        Told now and then how many more flats were entered.
    slices : Slices, optional
        What was learnt about the speed in other walks.

    Returns
    -------
    What ``settle`` returned, or None: every set of units that meets all covers has a rank
    > ``last`` modulo the prime, hence over ℚ.

    Raises
    ------
    OutOfTimeError
        If the time limit passes.
    """
    flats = Flats(truncated(elements, last + 1, prime), last + 1)
    slices = slices or new_slices()
    while True:
        look()
        before, began = flats.nodes, time.perf_counter()
        status = flats.advance(
            covers.elements, covers.lengths, covers.count, last, prime, slices.steps
        )
        slices.measured(flats.nodes - before, time.perf_counter() - began)
        entered(flats.nodes - before)
        if status == DONE:
            return None
        if status == NEEDED:
            found = settle(flats.flat, flats.banned)
            if found is not None:
                return found
