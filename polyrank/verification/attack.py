"""Search for a violation by sampling: proposals only, decided by the exact forward pass elsewhere.

Random points first, then around the best of them with a shrinking radius and some coordinates put
on their bounds, round after round, from a fixed seed. Rounds are short: many beginnings find more
than many points of each, and whoever samples between other work soon goes on with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from polyrank.blas import one_thread
from polyrank.network.forward import forward
from polyrank.network.normal_form import Network
from polyrank.network.rational import nearest_float
from polyrank.polyhedra.violation import Question
from polyrank.verification.frame import Frame

__all__ = ["Attack", "Paced"]

Floats = NDArray[np.float64]

_ROUNDS, _SCATTER, _CYCLE = 8800, 24, 64
_KEPT = 64
_PRODUCTS = 1 << 20
#: Share of the processor time that sampling beside a search may take, from when on, and how long
#: it may go on without a look at the search, in seconds.
_SHARE, _LATEST_SECONDS = 0.2, 0.02


class Attack:
    """Rounds of sampling for one question.

    Parameters
    ----------
    network, frame, question
    root : pair of (d,) arrays
        The box to sample.
    products : int
        About how many products a round may take.
    """

    def __init__(
        self,
        network: Network,
        frame: Frame,
        question: Question,
        root: tuple[Floats, Floats],
        *,
        products: int = _PRODUCTS,
    ) -> None:
        self._network, self._question = network, question
        self._low, self._high = root
        self._moved = None
        if not frame.plain:
            origin, basis = frame.origin, frame.basis
            self._moved = (
                np.array([nearest_float(v) for v in origin.entries()]),
                np.array([[nearest_float(v) for v in row] for row in basis.tolist()]),
            )
        outputs = network.widths[-1]
        self._rows = [
            (
                np.array([[nearest_float(dict(row.terms).get(j, row.bound * 0)) for j in
                           range(outputs)] for row in disjunct]).reshape(-1, outputs),
                np.array([nearest_float(row.bound) for row in disjunct]),
            )
            for disjunct in question.disjuncts
        ]  # fmt: skip
        weights = sum(layer.units * layer.inputs for layer in network.layers)
        self._count = int(np.clip(products // max(1, weights), 64, 4096))
        self._dice = np.random.default_rng(0)
        self._round = 0
        self._best = np.zeros((0, len(self._low)))
        self._scores = np.zeros(0)

    @property
    def done(self) -> bool:
        """All rounds were made."""
        return self._round >= _ROUNDS

    def cycle(self) -> Floats:
        """One cycle of rounds; the points (b, d) with the least scores, the best one first."""
        for _ in range(_SCATTER + _CYCLE):
            self._sample()
        return self._best

    def step(self) -> Floats | None:
        """One round; a point at which floating point sees a violation, each one once."""
        self._sample()
        if not self._scores[0] <= 0.0:
            return None
        proposed: Floats = self._best[0]
        self._best, self._scores = self._best[1:], self._scores[1:]
        return proposed

    def _sample(self) -> None:
        turn = self._round % (_SCATTER + _CYCLE)
        self._round += 1
        if turn == 0:
            self._best, self._scores = self._best[:0], self._scores[:0]
        if turn < _SCATTER or not len(self._best):
            points = self._dice.uniform(self._low, self._high, (self._count, len(self._low)))
        else:
            radius = 0.1 * 0.92 ** (turn - _SCATTER) * (self._high - self._low)
            chosen = self._best[self._dice.integers(len(self._best), size=self._count)]
            points = chosen + self._dice.normal(size=chosen.shape) * radius
            ends = np.where(self._dice.random(chosen.shape) < 0.5, self._low, self._high)
            points = np.where(self._dice.random(chosen.shape) < 0.1, ends, points)
            points = np.clip(points, self._low, self._high)
        scores = self._scored(points)
        points = np.concatenate([self._best, points])
        scores = np.concatenate([self._scores, scores])
        order = np.argsort(scores, kind="stable")[:_KEPT]
        self._best, self._scores = points[order], scores[order]

    def _scored(self, points: Floats) -> Floats:
        """≤ 0 where a disjunct is satisfied."""
        x = points if self._moved is None else self._moved[0] + points @ self._moved[1].T
        with np.errstate(all="ignore"):
            y = forward(self._network, x)
            found = np.full(len(points), np.inf)
            for rows, bounds in self._rows:
                worst = (y @ rows.T - bounds).max(axis=1, initial=-np.inf)
                found = np.minimum(found, worst)
        return np.where(np.isnan(found), np.inf, found)


class Paced:
    """An attack beside a search: a fifth of the processor time, whoever else is at work.

    Parameters
    ----------
    begin : callable
        Makes the attack, once there is time for it.
    """

    def __init__(self, begin: Callable[[], Attack]) -> None:
        self._begin = begin
        self._attack: Attack | None = None
        self._started, self._spent = time.process_time(), 0.0

    def proposals(self) -> Iterator[Floats]:
        """Points (d,) at which floating point sees a violation, as far as there is time now."""
        until = time.perf_counter() + _LATEST_SECONDS
        while time.perf_counter() < until:
            if self._attack is not None and self._attack.done:
                return
            elapsed = time.process_time() - self._started
            if elapsed < _LATEST_SECONDS or self._spent > _SHARE * elapsed:
                return
            before = time.thread_time()
            if self._attack is None:
                self._attack = self._begin()
            with one_thread():  # threads of BLAS would only wait for one another
                proposed = self._attack.step()
            if proposed is not None:
                yield proposed
            self._spent += time.thread_time() - before  # what became of the proposal too
