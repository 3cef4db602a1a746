"""The least rank through a layer, without enumerating that layer's regions.

On a region of the layers below, the units of layer K are affine, and the rank of the map through
layer K is the rank of the linear parts of the live units. Which sets of units can be live is
decided by branch and bound:

* *all units that are not forced on are off*: if a point has that, its region's rank is at most
  the rank of the forced units, and an exact point proves it;
* else Farkas multipliers name a few rows that cannot hold together, at least one of the units
  among them is on, and the search branches on the first such unit;
* a branch ends when its forced units alone have the rank that is sought, or no unit is left.

Every multiplier is verified in integers. HiGHS only proposes. Source of the branching: J. W.
Chinneck, Feasibility and Infeasibility in Optimization (2008), chapter 7 (covers of infeasible
subsystems).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from flint import fmpq_mat, fmpz_mat, nmod_mat
from numpy.typing import NDArray

from polyrank.lp.certificates import Infeasible
from polyrank.lp.exact_interior import interior_point
from polyrank.lp.exact_simplex import Cell
from polyrank.lp.farkas import Multipliers, Row, value_at, verify_farkas
from polyrank.network.rational import fmpq_from_float
from polyrank.sampling.slack_program import SlackProgram

__all__ = ["Found", "LiveUnits", "OutOfTime"]

_PRIME = 4611686018427387847
IntRow = tuple[int, ...]


class OutOfTime(Exception):  # noqa: N818
    """The time limit ended a proof; nothing is concluded from it."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A point strictly off every free unit's positive side, and the units forced on there."""

    point: fmpq_mat
    forced: tuple[int, ...]


@dataclass(slots=True)
class LiveUnits:
    """Branch and bound over the live units of one layer on one open polyhedron.

    Parameters
    ----------
    walls : sequence of Row
        Integer rows, positive on the polyhedron: the domain and the region of the layers below.
    units : sequence of Row
        Integer rows of the units whose state changes the rank, positive where the unit is live;
        their linear parts are not zero.
    always : sequence of Row
        Rows of the units that are live on both sides.
    inside : fmpq_mat, shape (k, 1)
        Strictly inside the walls.
    deadline : float
        ``time.perf_counter()`` at which to raise :class:`OutOfTime`.
    """

    walls: Sequence[IntRow]
    units: Sequence[IntRow]
    always: Sequence[IntRow]
    inside: fmpq_mat
    deadline: float
    nodes: int = field(default=0, init=False)
    programs: int = field(default=0, init=False)
    _pool: list[tuple[int, int, tuple[int, ...]]] = field(default_factory=list, init=False)
    _program: SlackProgram = field(init=False)
    _points: list[fmpq_mat] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._program = SlackProgram(self.walls, self.units, self.inside.nrows())

    def rank(self, forced: Sequence[int]) -> int:
        """Exact rank of the always-live and the forced units' linear parts."""
        k = self.inside.nrows()
        rows = [*self.always, *(self.units[i] for i in forced)]
        if not rows or not k:
            return 0
        flat = [a for row in rows for a in row[:k]]
        modular = int(nmod_mat(len(rows), k, [a % _PRIME for a in flat], _PRIME).rank())
        if modular == min(len(rows), k):
            return modular
        return int(fmpz_mat(len(rows), k, flat).rank())

    def search(self, below: int, *, every: bool = False) -> Iterator[Found]:
        """All maximal-off points of rank < ``below``; without ``every`` one per branch suffices.

        Exhausting the iterator proves that no region of rank < ``below`` remains unseen: with
        ``every`` each such region is found once, otherwise at least one of them, if any exist.
        """
        yield from self._node((), 0, below, every)

    def _node(self, forced: tuple[int, ...], off: int, below: int, every: bool) -> Iterator[Found]:
        self.nodes += 1
        if time.perf_counter() > self.deadline:
            raise OutOfTime
        if self.rank(forced) >= below:
            return
        on = sum(1 << i for i in forced)
        cover = self._known(on)
        if cover is None:
            outcome = self._decide(forced, on)
            if isinstance(outcome, Found):
                yield outcome
                if not every:
                    return
                cover = tuple(range(len(self.units)))
            else:
                cover = outcome
        closed = off
        for i in cover:
            if (on | closed) >> i & 1:
                continue
            yield from self._node((*forced, i), closed, below, every)
            closed |= 1 << i

    def _known(self, on: int) -> tuple[int, ...] | None:
        """A smallest verified subsystem that contradicts this node."""
        best: tuple[int, ...] | None = None
        for needs_off, needs_on, units in self._pool:
            fits = needs_off & on == 0 and needs_on & on == needs_on
            if fits and (best is None or len(units) < len(best)):
                best = units
        return best

    def _rows(self, forced: Sequence[int]) -> list[IntRow]:
        chosen = set(forced)
        signed = [
            row if i in chosen else tuple(-v for v in row) for i, row in enumerate(self.units)
        ]
        return [*self.walls, *signed]

    def _decide(self, forced: tuple[int, ...], on: int) -> Found | tuple[int, ...]:
        rows = self._rows(forced)
        for point in self._points:
            if all(value_at(row, point) > 0 for row in rows):
                return Found(point, forced)
        self.programs += 1
        proposal = self._program.solve(forced)
        k = self.inside.nrows()
        if proposal.point is not None:
            point = fmpq_mat(k, 1, [fmpq_from_float(v) for v in proposal.point])
            if all(value_at(row, point) > 0 for row in rows):
                return self._found(point, forced)
        proof = _contradiction(rows, proposal.support, k)
        if proof is None:
            outcome = interior_point(Cell.from_rows(rows, k))
            if isinstance(outcome, Infeasible):
                proof = outcome.multipliers
            elif outcome.multipliers is None:
                return self._found(outcome.point, forced)
            else:
                proof = outcome.multipliers
        if not _proves_empty(rows, proof, k):
            raise ValueError("an exact certificate of emptiness failed its own check")
        held = [j - len(self.walls) for j in proof.indices if j >= len(self.walls)]
        free = tuple(i for i in held if not on >> i & 1)
        needs_on = sum(1 << i for i in held if on >> i & 1)
        self._pool.append((sum(1 << i for i in free), needs_on, free))
        return free

    def _found(self, point: fmpq_mat, forced: tuple[int, ...]) -> Found:
        self._points.append(point)
        return Found(point, forced)

    def descend(self, attempts: int, seed: int) -> Iterator[fmpq_mat]:
        """Points that elastic programs propose to have few live units; heuristic, proves nothing.

        Source: E. Candès, M. Wakin, S. Boyd, "Enhancing sparsity by reweighted l1 minimization",
        J. Fourier Anal. Appl. 14 (2008).
        """
        rng = np.random.default_rng(seed)
        for _ in range(attempts):
            if time.perf_counter() > self.deadline:
                return
            current: NDArray[np.float64] = rng.uniform(0.5, 1.5, len(self.units))
            for _ in range(8):
                point = self._program.elastic(current)
                if point is None:
                    break
                exact = fmpq_mat(len(point), 1, [fmpq_from_float(v) for v in point])
                if all(value_at(row, exact) > 0 for row in self.walls):
                    yield exact
                amount = self._program.excess(point)
                fresh = 1.0 / (1e-3 + np.maximum(amount, 0.0))
                if np.allclose(fresh, current):
                    break
                current = fresh


def _contradiction(rows: Sequence[IntRow], support: Sequence[int], k: int) -> Multipliers | None:
    """``0 = c + Σ λ_j row_j`` with λ ≥ 0 not all zero and c ≥ 0, over a proposed support."""
    if not support:
        return None
    chosen = [rows[j] for j in support]
    kernel, nullity = fmpz_mat(
        k, len(chosen), [row[l] for l in range(k) for row in chosen]
    ).nullspace()
    if nullity != 1:
        return None
    values = [int(kernel[i, 0]) for i in range(len(chosen))]
    if any(v < 0 for v in values):
        values = [-v for v in values]
    if any(v < 0 for v in values) or not any(values):
        return None
    constant = -sum(v * int(row[-1]) for v, row in zip(values, chosen, strict=True))
    kept = [(j, v) for j, v in zip(support, values, strict=True) if v]
    return Multipliers(1, constant, tuple(j for j, _ in kept), tuple(v for _, v in kept))


def _proves_empty(rows: Sequence[Row], proof: Multipliers, k: int) -> bool:
    """Whether the multipliers prove that the *open* cell is empty."""
    zero = (0,) * (k + 1)
    if not verify_farkas(rows, zero, proof):
        return False
    return proof.constant > 0 or any(v > 0 for v in proof.values)
