"""Whether a cell holds a region of rank < r: branch and bound over flats, exact covers.

A set of live units of rank < r lies in a flat of rank < r (of the matroid of the units' linear
parts). Conversely, if all units *outside* a flat F can be off at one point, the region there has
rank ≤ rank F. If they cannot, Farkas multipliers name a few units outside F of which one is live
on every region of the cell, a *cover*: the search branches on it (:mod:`polyrank.minrank.flats`).
The multipliers are floats with a bound of their rounding errors where there is a box
(:mod:`polyrank.minrank.box_covers`), integers elsewhere.
In R^k a cover has at most k + 1 units, so that the search ends after about (k + 1)^(r − 1) flats,
however many regions there are; most of them are refuted by covers that are known already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.lp.deadline import look
from polyrank.lp.farkas import Multipliers, value_at
from polyrank.minrank.box_covers import BoxCovers
from polyrank.minrank.cell import LiveCell
from polyrank.minrank.contradiction import decide
from polyrank.minrank.covers import Covers, contracted, walk
from polyrank.minrank.flats import MERSENNE
from polyrank.minrank.programs import ElasticProgram, SlackProgram, unit_rows
from polyrank.network.rational import fmpq_from_float
from polyrank.posed.region import IntRow
from polyrank.stages import tell

__all__ = ["PRIMES", "FlatSearch", "Unfinished", "nothing", "points_with_few_live_units"]

PRIMES = (MERSENNE, 2147483629, 2147483587)
"""The three largest primes below 2**31: products of residues fit into 64 bits."""


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
    box : pair of k rationals each, optional
        A box around the cell: floats are then tried first (:mod:`polyrank.minrank.box_covers`).

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
    box: tuple[Sequence[fmpq], Sequence[fmpq]] | None = None
    base: int = field(default=0, init=False)
    nodes: int = field(default=0, init=False)
    programs: int = field(default=0, init=False)
    _elements: NDArray[np.int64] = field(init=False)
    rows: list[IntRow] = field(init=False)
    between: Callable[[], None] = field(default=nothing, init=False)
    _floats: BoxCovers | None = field(default=None, init=False)
    _program: SlackProgram | None = field(default=None, init=False)
    _covers: Covers = field(init=False)

    def __post_init__(self) -> None:
        cell = self.cell
        self.rows = [*cell.walls, *(tuple(-v for v in row) for row in cell.switching)]
        self._covers = Covers(cell.k + 2)
        if self.box is not None:
            floats = BoxCovers(self.rows, cell.k, self.box)
            self._floats = floats if floats.usable else None
        self._reduce()

    def reprime(self, prime: int) -> None:
        """Take ranks modulo another prime; covers stay valid."""
        self.prime = prime
        self._reduce()

    def _reduce(self) -> None:
        """The switching units modulo the prime and the units that are always live."""
        k, p = self.cell.k, self.prime
        rows = [*self.cell.always, *self.cell.switching]
        table = np.zeros((len(rows), k), dtype=np.int64)
        for i, row in enumerate(rows):
            table[i] = [v % p for v in row[:k]]
        self.base, self._elements = contracted(table, len(self.cell.always), p)

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

        def entered(more: int) -> None:
            self.nodes += more
            self.between()
            tell(f"flats of rank below {r}", self.nodes)

        self.between()
        return walk(self._elements, last, self.prime, self._covers, self._settle, entered)

    def _settle(self, flat: NDArray[np.bool_], banned: NDArray[np.bool_]) -> fmpq_mat | None:
        """Refute a flat by a new cover, or find a point that realises it."""
        outside = ~flat
        walls = len(self.cell.walls)
        if not outside.any():
            return self.cell.inside
        self.programs += 1
        used, light = (np.concatenate([np.ones(walls, dtype=bool), v]) for v in (outside, banned))
        if self._floats is not None:
            proposal = self._floats.solve(used, light)
            if proposal.support:
                self._covers.add([i - walls for i in proposal.support if i >= walls])
                return None
            if proposal.point is not None:
                point = fmpq_mat(self.cell.k, 1, [fmpq_from_float(v) for v in proposal.point])
                if all(value_at(self.rows[i], point) > 0 for i in np.flatnonzero(used).tolist()):
                    return point
        if self._program is None:
            self._program = SlackProgram(self.rows, self.cell.k, self.highs)
        proposal = self._program.solve(used)
        found = decide(self.rows, np.flatnonzero(used).tolist(), proposal, self.cell.k)
        if isinstance(found, Multipliers):
            self._covers.add([i - walls for i in found.indices if i >= walls])
            return None
        return found

    @property
    def covers(self) -> list[list[int]]:
        """The covers that are proved so far, in order."""
        return list(self._covers)

    def recall(self, covers: Iterable[Sequence[int]]) -> None:
        """Take in covers that were proved before."""
        for cover in covers:
            self._covers.add(cover)


def points_with_few_live_units(
    cell: LiveCell, attempts: int, seed: int, known: Callable[[], int] | None = None
) -> Iterator[fmpq_mat]:
    """Points inside the walls that elastic programs propose to have few live units.

    With ``known``, those are left out at which floats see no lower rank than it returns.

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
    always, switching = (unit_rows(v, cell.k)[:, :-1] for v in (cell.always, cell.switching))
    for _ in range(attempts):
        weights: NDArray[np.float64] = rng.uniform(0.5, 1.5, len(cell.switching))
        for _ in range(8):
            look()
            found = program.solve(weights)
            if found is None:
                break
            point, values = found
            live = np.concatenate([always, switching[values > 0.0]])
            if known is None or not len(live) or np.linalg.matrix_rank(live) < known():
                yield fmpq_mat(cell.k, 1, [fmpq_from_float(v) for v in point])
            fresh = 1.0 / (1e-3 + np.maximum(values, 0.0))
            if np.allclose(fresh, weights):
                break
            weights = fresh
