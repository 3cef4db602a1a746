"""Float proposals for :mod:`polyrank.sampling.live_units`: warm-started HiGHS, never believed.

Two programs over the same rows, normalised to length one:

* ``max t`` with ``±row·y ≥ t``, ``t ≤ 1``: a deep point, or the rows whose duals are positive;
* ``min Σ w_i s_i`` with ``−row_i·y + s_i ≥ δ``: a point with few positive rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

__all__ = ["Proposal", "SlackProgram"]

_INFINITY = 1e30
_DUAL = 1e-9
"""Duals below this are not proposed; the exact check decides."""
_LARGEST_POINT = 1e9


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate point, and candidate rows of a contradiction (numbers into walls + units)."""

    point: list[float] | None
    support: tuple[int, ...]


class SlackProgram:
    """The two programs over walls and units in R^k."""

    def __init__(
        self, walls: Sequence[Sequence[int]], units: Sequence[Sequence[int]], k: int
    ) -> None:
        self._k = k
        self._walls = len(walls)
        table = np.array([_scaled(row) for row in [*walls, *units]]).reshape(-1, k + 1)
        self._rows = table
        self._state = np.zeros(len(units), dtype=bool)
        self._deep = _solver()
        cost = np.append(np.zeros(k), -1.0)
        self._deep.addVars(
            k + 1,
            np.append(np.full(k, -_LARGEST_POINT), -_INFINITY),
            np.append(np.full(k, _LARGEST_POINT), 1.0),
        )
        self._deep.changeColsCost(k + 1, np.arange(k + 1, dtype=np.int32), cost)
        for i, row in enumerate(table):
            sign = 1.0 if i < self._walls else -1.0
            self._add(self._deep, sign * row[:k], -1.0, -sign * row[k])
        self._elastic: highspy.Highs | None = None

    def _add(self, solver: highspy.Highs, row: NDArray[np.float64], t: float, bound: float) -> None:
        index = np.arange(self._k + 1, dtype=np.int32)
        solver.addRow(bound, _INFINITY, self._k + 1, index, np.append(row, t))

    def solve(self, forced: Sequence[int]) -> Proposal:
        """Forced units positive, the others negative: a deep point or a contradiction's rows."""
        wanted = np.zeros(len(self._state), dtype=bool)
        wanted[list(forced)] = True
        for i in np.flatnonzero(wanted != self._state).tolist():
            row = self._rows[self._walls + i]
            sign = 1.0 if wanted[i] else -1.0
            number = self._walls + i
            for j in range(self._k):
                self._deep.changeCoeff(number, j, sign * row[j])
            self._deep.changeRowBounds(number, -sign * row[self._k], _INFINITY)
        self._state = wanted
        self._deep.run()
        if self._deep.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return Proposal(None, ())
        solution = self._deep.getSolution()
        values = list(solution.col_value)
        duals = np.array(solution.row_dual)
        point = values[: self._k] if values[self._k] > 0 else None
        return Proposal(point, tuple(np.flatnonzero(np.abs(duals) > _DUAL).tolist()))

    def elastic(self, weights: NDArray[np.float64]) -> list[float] | None:
        """A point inside the walls with a small weighted excess of the units."""
        k, units = self._k, len(self._state)
        if self._elastic is None:
            solver = _solver()
            solver.addVars(
                k + units,
                np.append(np.full(k, -1e6), np.zeros(units)),
                np.append(np.full(k, 1e6), np.full(units, _INFINITY)),
            )
            for i, row in enumerate(self._rows):
                if i < self._walls:
                    index = np.arange(k, dtype=np.int32)
                    solver.addRow(1e-6 - row[k], _INFINITY, k, index, row[:k].copy())
                else:
                    index = np.append(np.arange(k), k + i - self._walls).astype(np.int32)
                    solver.addRow(1e-6 + row[k], _INFINITY, k + 1, index, np.append(-row[:k], 1.0))
            self._elastic = solver
        columns = np.arange(k, k + units, dtype=np.int32)
        self._elastic.changeColsCost(units, columns, weights)
        self._elastic.run()
        if self._elastic.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return list(self._elastic.getSolution().col_value)[:k]

    def excess(self, point: Sequence[float]) -> NDArray[np.float64]:
        """Values of the normalised unit rows at a point."""
        rows = self._rows[self._walls :]
        return np.asarray(rows[:, : self._k] @ np.array(point) + rows[:, self._k])


def _solver() -> highspy.Highs:
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("presolve", "off")
    solver.setOptionValue("threads", 1)
    return solver


def _scaled(row: Sequence[int]) -> list[float]:
    """Integers of any size as floats, divided by the length of the linear part."""
    largest = max((abs(v) for v in row), default=0)
    shift = max(0, largest.bit_length() - 900)
    floats = [float(v >> shift) for v in row]
    size = float(np.linalg.norm(np.array(floats[:-1]) / 2.0**500)) * 2.0**500
    return [v / size if size else v for v in floats]
