"""The number of live units as a mixed-integer program: HiGHS proposes a point and claims a bound.

``min Σ z_i`` with ``row_i·y + δ ≤ (M_i + δ) z_i``, z binary, y in the cell shrunk by δ; ``M_i`` is
the maximum of the row over the bounding box. Neither the point nor the bound is believed: the
point's region is computed exactly, the bound is reported as the solver's word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import highspy
import numpy as np
from flint import fmpq

from polyrank.cells.interrupt import DeferredInterrupt
from polyrank.minrank.cell import LiveCell
from polyrank.minrank.programs import run_until_interrupted, solver, unit_rows
from polyrank.network.rational import nearest_float

__all__ = ["FewestLive", "fewest_live_units"]

_DELTA = 1e-6
_REACH = 10.0
"""An unbounded cell is searched within this multiple of the hyperplanes' greatest distance."""


@dataclass(frozen=True, slots=True)
class FewestLive:
    """What the solver proposes. **Proves** nothing.

    Attributes
    ----------
    point : tuple of float, or None
    bound : int or None
        Its lower bound of the number of live switching units; None on an unbounded cell, of which
        it saw a part only, or if it failed.
    """

    point: tuple[float, ...] | None
    bound: int | None


def fewest_live_units(
    cell: LiveCell,
    box: tuple[Sequence[fmpq], Sequence[fmpq]] | None,
    seconds: float,
    interrupt: DeferredInterrupt | None = None,
) -> FewestLive:
    """Ask HiGHS for a point with the fewest live switching units.

    Parameters
    ----------
    cell : LiveCell
    box : pair of k rationals each, or None
        The bounding box of the domain; None if it is unbounded.
    seconds : float
        Time limit of the solver.
    interrupt : DeferredInterrupt, optional
        What tells the solver that Ctrl-C was pressed.
    """
    k, m = cell.k, len(cell.switching)
    rows = unit_rows(cell.switching, k)
    if box is None:
        distance = float(np.abs(rows[:, k]).max(initial=1.0))
        upper = np.full(k, _REACH * min(distance, 1e6))
        lower = -upper
    else:
        lower, upper = (np.array([nearest_float(v) for v in side]) for side in box)
    top = rows[:, k] + np.maximum(rows[:, :k] * lower, rows[:, :k] * upper).sum(axis=1)
    # tighter than δ, or it would step onto the hyperplanes
    tight = {"mip_feasibility_tolerance": 1e-8, "primal_feasibility_tolerance": 1e-9}
    highs = solver(time_limit=seconds, **tight)
    highs.addVars(k + m, np.append(lower, np.zeros(m)), np.append(upper, np.ones(m)))
    binary = np.arange(k, k + m, dtype=np.int32)
    highs.changeColsCost(m, binary, np.ones(m))
    highs.changeColsIntegrality(m, binary, np.full(m, highspy.HighsVarType.kInteger))
    columns = np.arange(k, dtype=np.int32)
    for row in unit_rows(cell.walls, k):
        highs.addRow(_DELTA - row[k], highspy.kHighsInf, k, columns, row[:k].copy())
    for i, row in enumerate(rows):
        big = max(top[i], 0.0) + _DELTA
        index = np.append(columns, np.int32(k + i))
        highs.addRow(-highspy.kHighsInf, -_DELTA - row[k], k + 1, index, np.append(row[:k], -big))
    status = run_until_interrupted(highs, interrupt or DeferredInterrupt())
    info = highs.getInfo()
    known = status in (
        highspy.HighsModelStatus.kOptimal,
        highspy.HighsModelStatus.kTimeLimit,
    )
    bound = None
    if known and box is not None and np.isfinite(info.mip_dual_bound):
        bound = max(0, int(np.ceil(info.mip_dual_bound - 1e-6)))
    if not known or info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return FewestLive(None, bound)
    return FewestLive(tuple(float(v) for v in highs.getSolution().col_value)[:k], bound)
