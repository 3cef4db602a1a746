"""Whether a cell holds a region of rank < r: branch and bound over flats, exact covers.

A set of live units of rank < r lies in a flat of rank < r (of the matroid of the units' linear
parts). Conversely, if all units *outside* a flat F can be off at one point, the region there has
rank ≤ rank F. If they cannot, Farkas multipliers name a few units outside F of which one is live
on every region of the cell, a *cover*: the search branches on it (:mod:`polyrank.minrank.flats`).
In R^k a cover has at most k + 1 units, so that the search ends after about (k + 1)^(r − 1) flats,
however many regions there are; most of them are refuted by covers that are known already.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flint import fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.interrupt import Slices
from polyrank.lp.deadline import SLICE, look
from polyrank.lp.farkas import Multipliers
from polyrank.minrank.cell import LiveCell
from polyrank.minrank.contradiction import decide
from polyrank.minrank.flats import DONE, MERSENNE, NEEDED, Flats
from polyrank.minrank.programs import ElasticProgram, SlackProgram
from polyrank.network.rational import fmpq_from_float
from polyrank.posed.region import IntRow
from polyrank.stages import tell

__all__ = ["PRIMES", "FlatSearch", "Unfinished", "nothing", "points_with_few_live_units"]

PRIMES = (MERSENNE, 2147483629, 2147483587)
"""The three largest primes below 2**31: products of residues fit into 64 bits."""

_BUDGET = 1 << 15


def nothing() -> None:
    """Nothing is to be done."""


class Unfinished(Exception):  # noqa: N818
    """A proof ended before its end; nothing is concluded from it."""


@dataclass(slots=True)
class FlatSearch:
    """Branch and bound on one cell; covers are kept from one question to the next.

    Parameters
    ----------
    cell : LiveCell
    prime : int
        Below 2**31.
    highs : optional
        A solver to be used again (:class:`polyrank.minrank.programs.SlackProgram`).

    Attributes
    ----------
    base : int
        Rank of the units that are live on all of the cell, a lower bound for all its regions.
    rows : list of IntRow
        The walls, then the switching units, positive where they are off.
    nodes, programs : int
        Flats entered and linear programs solved so far.
    between : callable
        Called now and then.

    Notes
    -----
    Ranks are taken modulo ``prime``, so they bound the exact ones from below, and what
    :meth:`below` refutes is refuted over ℚ. If the prime is unlucky, a point that it returns may
    have a greater exact rank than was asked for; the caller computes that, and asks another prime.
    """

    cell: LiveCell
    prime: int
    highs: Any = None
    base: int = field(default=0, init=False)
    nodes: int = field(default=0, init=False)
    programs: int = field(default=0, init=False)
    _elements: NDArray[np.int64] = field(init=False)
    rows: list[IntRow] = field(init=False)
    between: Callable[[], None] = field(default=nothing, init=False)
    _program: SlackProgram | None = field(default=None, init=False)
    _covers: NDArray[np.int64] = field(init=False)
    _lengths: NDArray[np.int64] = field(init=False)
    _count: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        cell = self.cell
        self.rows = [*cell.walls, *(tuple(-v for v in row) for row in cell.switching)]
        self._covers = np.zeros((256, cell.k + 2), dtype=np.int64)
        self._lengths = np.zeros(256, dtype=np.int64)
        self._reduce()

    def reprime(self, prime: int) -> None:
        """Take ranks modulo another prime; covers stay valid."""
        self.prime = prime
        self._reduce()

    def _reduce(self) -> None:
        """The switching units modulo the prime and the units that are always live."""
        k, p = self.cell.k, self.prime
        rows = [*self.cell.always, *self.cell.switching]
        table = np.array([[v % p for v in row[:k]] for row in rows], dtype=np.int64)
        table = table.reshape(len(rows), k)
        self.base = 0
        for i in range(len(self.cell.always)):
            pivots = np.flatnonzero(table[i])
            if pivots.size:
                c = int(pivots[0])
                factor = table[:, c] * pow(int(table[i, c]), -1, p) % p
                table = (table - factor[:, None] * table[i]) % p
                self.base += 1
        self._elements = table[len(self.cell.always) :]

    def below(self, r: int) -> fmpq_mat | None:
        """A point whose region has rank < r (modulo the prime), or None: **proves** there is none.

        Raises
        ------
        OutOfTimeError
            If the time limit passes first.
        """
        last = r - 1 - self.base
        if last < 0:
            return None
        flats = Flats(self._elements, last + 1)
        slices = Slices(seconds=SLICE, most=_BUDGET)
        while True:
            look()
            self.between()
            before, began = flats.nodes, time.perf_counter()
            status = flats.advance(
                self._covers, self._lengths, self._count, last, self.prime, slices.steps
            )
            slices.measured(flats.nodes - before, time.perf_counter() - began)
            self.nodes += flats.nodes - before
            tell(f"flats of rank below {r}", self.nodes)
            if status == DONE:
                return None
            if status == NEEDED:
                point = self._settle(flats)
                if point is not None:
                    return point

    def _settle(self, flats: Flats) -> fmpq_mat | None:
        """Refute the flat on top by a new cover, or find a point that realises it."""
        outside = ~flats.flat
        walls = len(self.cell.walls)
        if not outside.any():
            return self.cell.inside
        if self._program is None:
            self._program = SlackProgram(self.rows, self.cell.k, self.highs)
        self.programs += 1
        used = np.concatenate([np.ones(walls, dtype=bool), outside])
        proposal = self._program.solve(used)
        found = decide(self.rows, np.flatnonzero(used).tolist(), proposal, self.cell.k)
        if isinstance(found, Multipliers):
            self._add([i - walls for i in found.indices if i >= walls])
            return None
        return found

    @property
    def covers(self) -> list[list[int]]:
        """The covers that are proved so far, in order."""
        return [self._covers[i, : self._lengths[i]].tolist() for i in range(self._count)]

    def recall(self, covers: Iterable[Sequence[int]]) -> None:
        """Take in covers that were proved before."""
        for cover in covers:
            self._add(cover)

    def _add(self, cover: Sequence[int]) -> None:
        size = max(len(cover), self._covers.shape[1])
        if self._count == len(self._lengths) or size > self._covers.shape[1]:
            covers = np.zeros((2 * len(self._lengths), size), dtype=np.int64)
            covers[: self._count, : self._covers.shape[1]] = self._covers[: self._count]
            self._covers = covers
            self._lengths = np.concatenate([self._lengths, np.zeros_like(self._lengths)])
        self._covers[self._count, : len(cover)] = cover
        self._lengths[self._count] = len(cover)
        self._count += 1


def points_with_few_live_units(cell: LiveCell, attempts: int, seed: int) -> Iterator[fmpq_mat]:
    """Points inside the walls that elastic programs propose to have few live units.

    Heuristic; proves nothing. Source: E. Candès, M. Wakin, S. Boyd, "Enhancing sparsity by
    reweighted l1 minimization", J. Fourier Anal. Appl. 14 (2008).

    Raises
    ------
    OutOfTimeError
        If the time limit passes.
    """
    if not cell.switching:
        return
    rng = np.random.default_rng(seed)
    program = ElasticProgram(cell.walls, cell.switching, cell.k)
    for _ in range(attempts):
        weights: NDArray[np.float64] = rng.uniform(0.5, 1.5, len(cell.switching))
        for _ in range(8):
            look()
            found = program.solve(weights)
            if found is None:
                break
            point, values = found
            yield fmpq_mat(cell.k, 1, [fmpq_from_float(v) for v in point])
            fresh = 1.0 / (1e-3 + np.maximum(values, 0.0))
            if np.allclose(fresh, weights):
                break
            weights = fresh
