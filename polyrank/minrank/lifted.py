"""The last two layers at once: covers that hold on many cells of layer K − 1, learnt as clauses.

On a region Z of layers 1..K−2 (for K = 2: on the domain) the pre-activations z of layer K−1 are
affine in y, and those of layer K are affine in the images h of layer K−1. A *prefix* decides the
signs of some units of layer K−1; the others are open. What the live units of layer K prove on a
prefix is in :mod:`polyrank.minrank.directions`; this module finds out which must be live.

**Clauses.** In the space of (y, h) every region in Z satisfies, for a unit with slopes a⁻ ≤ a⁺::

    h ≥ a⁻ z,   h ≥ a⁺ z,   h ≤ the chord of the activation between bounds of z on Z, if there are;

where it is positive ``z ≥ 0`` and ``h ≤ a⁺ z``, else ``z ≤ 0`` and ``h ≤ a⁻ z`` (all turned round
for a⁻ > a⁺). If these rows cannot hold while all units of a set C of layer K are strictly off,
Farkas multipliers prove it, and the rows in their support name few decisions of layer K−1: wherever
these are made, C is a cover, on however many cells. (A unit of C that vanishes on a region would be
neither live nor strictly off there; but then its part along N is zero, so that it is in every flat
and C rules out none.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.lp.farkas import Multipliers, integer_row
from polyrank.minrank.bound import Interval, interval
from polyrank.minrank.contradiction import contradiction, proves_empty
from polyrank.minrank.covers import Covers, new_slices, walk
from polyrank.minrank.directions import Directions
from polyrank.minrank.flats import flats_of_prefixes
from polyrank.minrank.programs import Proposal, SlackProgram
from polyrank.network.normal_form import Network
from polyrank.posed.region import IntRow

__all__ = ["Lifted", "Open"]

Bools = NDArray[np.bool_]

_BUDGET = 1 << 20
"""Flats that a call of the core may enter: a second at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Open:
    """A prefix on which the rank is not bounded as asked; a point of Z that the rows allow."""

    point: tuple[float, ...] | None


class Lifted:
    """Layers K−1 and K on one region Z of the layers before them.

    Parameters
    ----------
    network : Network
        Its last layer is K ≥ 2.
    z : fmpq_mat, shape (n, k + 1)
        The pre-activations of layer K−1 on Z.
    walls : sequence of IntRow
        Of Z, in y.
    box : pair of k rationals each, or None
        A box around Z.
    bounds : sequence of pairs of rationals, or None
        Bounds of z on Z that are known already, one per unit.
    prime : int
        Ranks are taken modulo it: lower bounds.
    highs : optional
        A solver to be used again.

    Attributes
    ----------
    nodes, programs : int
    """

    def __init__(
        self,
        network: Network,
        z: fmpq_mat,
        walls: Sequence[IntRow],
        box: tuple[Sequence[fmpq], Sequence[fmpq]] | None,
        bounds: Sequence[Interval],
        prime: int,
        highs: Any = None,
    ) -> None:
        self._below, self._last = network.layers[-2:]
        self._z, self._prime = z, prime
        self._n, self._k = self._below.units, z.ncols() - 1
        self.nodes = self.programs = 0
        self._slices = new_slices()
        self._stages: dict[int, Directions] = {}
        live = [(neg != 0, pos != 0) for neg, pos in self._last.slopes_exact]
        self._always = [i for i, (neg, pos) in enumerate(live) if neg and pos]
        self._switching = [i for i, (neg, pos) in enumerate(live) if neg != pos]
        self._rows: list[IntRow] = []
        self._base: list[int] = []
        self._on: list[list[int]] = []
        self._off: list[list[int]] = []
        self._add(self._base, [self._form([fmpq(v) for v in row]) for row in walls])
        self._activations(box, bounds)
        self._first = len(self._rows)
        for i in self._switching:
            sign = -1 if live[i][1] else 1  # positive where the unit is off
            row = [sign * w for w in self._last.weight_exact.tolist()[i]]
            self._rows.append(
                integer_row([*[fmpq(0)] * self._k, *row, sign * self._last.bias_exact[i, 0]])
            )
        strict = np.arange(len(self._rows)) >= self._first
        self._program = SlackProgram(self._rows, self._k + self._n, highs, strict)
        self._covers = Covers(self._n + self._k + 1)
        self._wants_on: Bools = np.zeros((64, self._n), dtype=bool)
        self._wants_off: Bools = np.zeros((64, self._n), dtype=bool)

    def _add(self, where: list[int], rows: Sequence[Sequence[fmpq]]) -> None:
        for row in rows:
            if any(v != 0 for v in row[:-1]):
                where.append(len(self._rows))
                self._rows.append(integer_row(row))

    def _activations(
        self, box: tuple[Sequence[fmpq], Sequence[fmpq]] | None, bounds: Sequence[Interval]
    ) -> None:
        """The rows of layer K−1; units whose sign is known on Z are decided for good."""
        within: list[Interval] = [None] * self._k
        if box is not None:
            within = list(zip(*box, strict=True))
        self._known: Bools = ~self._below.has_hyperplane
        for j, (z, (neg, pos)) in enumerate(
            zip(self._z.tolist(), self._below.slopes_exact, strict=True)
        ):
            at = _both(interval(enumerate(z[:-1]), z[-1], within), bounds[j])
            bend = 1 if pos >= neg else -1
            self._add(self._base, [self._graph(j, pos, bend), self._graph(j, neg, bend)])
            self._on.append([])
            self._off.append([])
            on = [self._form(z), self._graph(j, pos, -bend)]
            off = [self._form([-v for v in z]), self._graph(j, neg, -bend)]
            if self._known[j] or (at is not None and at[0] >= 0):
                self._known[j] = True
                self._add(self._base, on[1:])
            elif at is not None and at[1] <= 0:
                self._known[j] = True
                self._add(self._base, off[1:])
            else:
                self._add(self._on[j], on)
                self._add(self._off[j], off)
                if at is not None:
                    low, high = at
                    slope = (pos * high - neg * low) / (high - low)
                    self._add(self._base, [self._graph(j, slope, -bend, neg * low - slope * low)])

    def _form(self, z: Sequence[fmpq]) -> list[fmpq]:
        """A form in y as one in (y, h)."""
        return [*z[:-1], *[fmpq(0)] * self._n, z[-1]]

    def _graph(self, j: int, slope: fmpq, sign: int, shift: fmpq | int = 0) -> list[fmpq]:
        """``sign (h_j − slope z_j − shift)``."""
        form = self._form([-sign * slope * self._z[j, i] for i in range(self._k + 1)])
        form[self._k + j] += sign
        form[-1] -= sign * shift
        return form

    def shown(self, bits: Bools, decided: int, r: int) -> tuple[Bools, int]:
        """Prefixes on which known clauses **prove** that every region has rank ≥ r.

        Parameters
        ----------
        bits : ndarray of bool, shape (b, w)
            Of the first units of layer K−1 that have a hyperplane.
        decided : int
            The number of units of layer K−1 that are decided.
        r : int

        Returns
        -------
        shown : ndarray of bool, shape (b,)
        done : int
            So many were looked at.
        """
        directions = self.directions(decided)
        count = self._covers.count
        wants_on, wants_off = (w[:count].view(np.uint8) for w in (self._wants_on, self._wants_off))
        shown, done, nodes = flats_of_prefixes(
            self._positive(bits, decided).view(np.uint8),
            directions.sides,
            (directions.units, directions.always),
            (wants_on, wants_off, self._covers.elements, self._covers.lengths, count),
            r,
            self._prime,
            _BUDGET,
        )
        self.nodes += nodes
        return shown, done

    def below(self, bits: Bools, decided: int, r: int) -> Open | None:
        """None: **proves** that every region of one prefix has rank ≥ r. Clauses are learnt.

        Raises
        ------
        OutOfTimeError
            If the time limit passes first.
        """
        positive = self._positive(bits[None], decided)[0]
        base, elements = self.directions(decided).elements(positive)
        last = r - 1 - base
        if last < 0:
            return None
        on, off = np.zeros((2, self._n), dtype=bool)
        on[:decided], off[:decided] = positive, ~positive
        count = self._covers.count
        missing = (self._wants_on[:count] & ~on) | (self._wants_off[:count] & ~off)
        mine = self._covers.chosen(~np.asarray(missing.any(axis=1)))
        on[self._known] = off[self._known] = False

        def settle(flat: Bools, _: Bools) -> Open | None:
            if flat.all():
                return Open(None)
            learnt = self._learn(on, off, ~flat)
            if isinstance(learnt, Open):
                return learnt
            mine.add(learnt)
            return None

        def entered(more: int) -> None:
            self.nodes += more

        return walk(elements, last, self._prime, mine, settle, entered, self._slices)

    def directions(self, decided: int) -> Directions:
        """What proves a rank where the first units are decided, so many."""
        if decided not in self._stages:
            units = [*self._always, *self._switching]
            self._stages[decided] = Directions(
                self._z, self._below, self._last, units, len(self._always), decided, self._prime
            )
        return self._stages[decided]

    def _positive(self, bits: Bools, decided: int) -> Bools:
        """Units that are on; those without a hyperplane are."""
        positive = np.ones((len(bits), decided), dtype=bool)
        positive[:, self._below.has_hyperplane[:decided]] = bits
        return positive

    def clauses(self) -> list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
        """Units of layer K−1 that are on, and off, where one of some units of layer K is live."""
        wanted = zip(self._wants_on, self._wants_off, self._covers, strict=False)
        return [
            (_where(on), _where(off), tuple(self._switching[i] for i in cover))
            for on, off, cover in wanted
        ]

    def _learn(self, on: Bools, off: Bools, outside: Bools) -> list[int] | Open:
        """A new clause that holds on the prefix, of units outside a flat; or a point."""
        found = self._ask(on, off, outside)
        if found.point is not None or not found.support:
            return Open(None if found.point is None else found.point[: self._k])
        first = found
        kept_on, kept_off, cover = self._named(found.support)
        for j in np.flatnonzero(kept_on | kept_off).tolist():
            if not (kept_on[j] or kept_off[j]):
                continue
            fewer_on, fewer_off = kept_on.copy(), kept_off.copy()
            fewer_on[j] = fewer_off[j] = False
            trial = self._ask(fewer_on, fewer_off, cover)
            if trial.point is None and trial.support:
                found = trial
                kept_on, kept_off, cover = self._named(found.support)
        proof = self._proof(found) or self._proof(first)
        if proof is None:
            return Open(None)
        kept_on, kept_off, cover = self._named(proof.indices)
        units = np.flatnonzero(cover).tolist()
        self._keep(kept_on, kept_off, units)
        return units

    def _ask(self, on: Bools, off: Bools, outside: Bools) -> Proposal:
        used = np.zeros(len(self._rows), dtype=bool)
        used[self._base] = True
        for decisions, rows in ((on, self._on), (off, self._off)):
            for j in np.flatnonzero(decisions).tolist():
                used[rows[j]] = True
        used[self._first :] = outside
        self.programs += 1
        return self._program.solve(used)

    def _named(self, support: Sequence[int]) -> tuple[Bools, Bools, Bools]:
        """Decisions of layer K−1 and units of layer K whose rows are in a support."""
        there = set(support)
        on = np.array([not there.isdisjoint(rows) for rows in self._on], dtype=bool)
        off = np.array([not there.isdisjoint(rows) for rows in self._off], dtype=bool)
        cover = np.array([i in there for i in range(self._first, len(self._rows))], dtype=bool)
        return on, off, cover

    def _proof(self, proposal: Proposal) -> Multipliers | None:
        """Exact multipliers, that of the heaviest strict row positive."""
        strict = [i for i in proposal.support if i >= self._first]
        if not strict:
            return None
        order = [strict[0], *(i for i in proposal.support if i != strict[0])]
        proof = contradiction(self._rows, order)
        if proof is None or not proves_empty(self._rows, proof, self._k + self._n):
            return None
        return proof

    def _keep(self, on: Bools, off: Bools, cover: Sequence[int]) -> None:
        count = self._covers.count
        if count == len(self._wants_on):
            self._wants_on = np.concatenate([self._wants_on, np.zeros_like(self._wants_on)])
            self._wants_off = np.concatenate([self._wants_off, np.zeros_like(self._wants_off)])
        self._wants_on[count], self._wants_off[count] = on, off
        self._covers.add(cover)


def _where(mask: Bools) -> tuple[int, ...]:
    return tuple(np.flatnonzero(mask).tolist())


def _both(first: Interval, second: Interval) -> Interval:
    if first is None or second is None:
        return first or second
    return max(first[0], second[0]), min(first[1], second[1])
