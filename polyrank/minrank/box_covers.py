"""Covers on a bounded domain: floating-point multipliers that are proved by their rounding errors.

Rows ``a_i·y + c_i`` cannot all be positive on the box if ``Σ μ_i (a_i·y + c_i) < 0`` there for some
``μ ≥ 0``. The sum is ``g·y + h``, its maximum over the box ``h + Σ_j max(g_j l_j, g_j u_j)``. The
multipliers are the floats that a linear program proposes, taken as they are, so that g need not
vanish: what is left of it, and the bounds of all rounding errors, are small beside h. A sum of n
products in float64 has an error of at most γ times the sum of their magnitudes,
γ = n u / (1 − n u), u = 2⁻⁵³ (N. Higham, Accuracy and Stability of Numerical Algorithms (2002),
section 3.1), whatever the order of summation.

The program is ``min Σ λ_i c_i`` with ``Σ λ_i a_i = 0``, ``Σ w_i λ_i = 1``, ``λ ≥ 0``: the dual of
a deep point, with k + 1 rows where that has one per unit. Any weights w do for a contradiction.
They are drawn anew each time, heavier for rows that were in many contradictions: covers that share
few units bound a hitting set better than covers that are alike (measured: a third of the programs
for the same rank). Rows that the search does not branch on, walls and units that have had their
turn, weigh a hundredth: a cover with few other units leaves few branches (half the programs).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import highspy
import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.minrank.programs import Proposal, float_table, run, simplex_solver
from polyrank.network.rational import nearest_float
from polyrank.posed.region import IntRow

__all__ = ["BoxCovers"]

_LEAST = 1e-11
"""Multipliers below this are dropped; the bound decides."""
_UNIT = 2.0**-52
_FRESH = 0.2
"""Weight of a row that was in no contradiction; the mean of the others is 1 more."""
_DRAWN = 0.5, 1.5
_LIGHT = 0.01
_TINY = 2.0**-900
"""More than all that underflows may add up to."""

Floats = NDArray[np.float64]


class BoxCovers:
    """Which of some rows cannot be positive together on a box.

    Parameters
    ----------
    rows : sequence of IntRow
    k : int
    box : pair of k rationals each
        What is proved is proved for its points.

    Attributes
    ----------
    usable : bool
        False if the numbers do not fit into float64: then nothing is proposed.
    """

    def __init__(
        self, rows: Sequence[IntRow], k: int, box: tuple[Sequence[fmpq], Sequence[fmpq]]
    ) -> None:
        self._k = k
        self._used = np.ones(len(rows), dtype=bool)
        self._times = np.zeros(len(rows))
        self._rng = np.random.default_rng(0)
        self._low = np.nextafter([nearest_float(v) for v in box[0]], -np.inf)
        self._high = np.nextafter([nearest_float(v) for v in box[1]], np.inf)
        self._reach = np.maximum(np.abs(self._low), np.abs(self._high))
        try:
            table = float_table(rows, k + 1)
        except OverflowError:
            table = np.full((len(rows), k + 1), np.inf)
        largest = np.abs(table).max(axis=1, initial=0.0)
        self.usable = bool(k and np.isfinite(self._reach).all() and np.isfinite(table).all())
        if not self.usable:
            return
        # by powers of two: exact, but for what underflows
        self._table = np.ldexp(table, -np.frexp(largest)[1][:, None])
        self._length = np.linalg.norm(self._table[:, :k], axis=1)
        self.usable = bool((self._length > 1e-100).all())
        if self.usable:
            self._highs = self._program(self._table / self._length[:, None])

    def _program(self, table: Floats) -> Any:
        m, k = len(table), self._k
        highs = simplex_solver()
        highs.addVars(m, np.zeros(m), np.full(m, highspy.kHighsInf))
        highs.changeColsCost(m, np.arange(m, dtype=np.int32), table[:, k].copy())
        columns = np.arange(m, dtype=np.int32)
        for j in range(k):
            highs.addRow(0.0, 0.0, m, columns, table[:, j].copy())
        highs.addRow(1.0, 1.0, m, columns, np.ones(m))
        return highs

    def solve(self, used: NDArray[np.bool_], light: NDArray[np.bool_]) -> Proposal:
        """A point where the used rows are positive, as proposed; or a **proved** contradiction.

        Parameters
        ----------
        used : ndarray of bool, one per row
        light : ndarray of bool, one per row
            Rows that a contradiction had better be made of, as far as they are used.

        Returns
        -------
        Proposal
            ``support``: rows that **cannot** all be positive at a point of the box; all are used.
            ``point``: a proposal. Neither where nothing is proved.

        Raises
        ------
        OutOfTimeError
            If the time limit passes.
        """
        for i in np.flatnonzero(used != self._used).tolist():
            self._highs.changeColBounds(i, 0.0, highspy.kHighsInf if used[i] else 0.0)
        self._used = used.copy()
        weights = _FRESH + self._times / max(1.0, float(self._times.mean()))
        weights *= self._rng.uniform(*_DRAWN, len(weights))
        weights[light] *= _LIGHT
        for i, weight in enumerate(weights.tolist()):
            self._highs.changeCoeff(self._k, i, weight)
        if not run(self._highs):
            return Proposal()
        found = self._highs.getSolution()
        values = np.array(found.col_value)
        if float(self._highs.getInfo().objective_function_value) > 0.0:
            return Proposal(point=tuple(-float(v) for v in found.row_dual[: self._k]))
        chosen = np.flatnonzero(used & (values > _LEAST))
        if not self.proves(chosen, values[chosen] / self._length[chosen]):
            return Proposal()
        self._times[chosen] += 1.0
        return Proposal(support=tuple(chosen.tolist()))

    def proves(self, rows: NDArray[np.int64], multipliers: Floats) -> bool:
        """Whether positive multipliers **prove** that the rows are not all positive on the box."""
        n, k = len(rows), self._k
        if not n or not (multipliers > 0.0).all() or not np.isfinite(multipliers).all():
            return False
        table = self._table[rows]
        with np.errstate(all="ignore"):
            total = multipliers @ table
            # rounding of the entries, the products and the sums: γ of n + 3 terms, doubled
            error = (n + 3) * _UNIT * (multipliers @ np.abs(table))
            error += n * (1.0 + float(multipliers.sum())) * _TINY
            g, h = total[:k], total[k]
            most = np.maximum(g * self._low, g * self._high).sum() + (error[:k] * self._reach).sum()
            slack = (np.abs(g) * self._reach).sum() + (error[:k] * self._reach).sum() + abs(h)
            bound = h + most + 2 * error[k] + 2 * (error[:k] * self._reach).sum()
            bound += (k + 4) * _UNIT * slack + _TINY
        return bool(bound < 0.0)
