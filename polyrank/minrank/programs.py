"""Float proposals by warm-started HiGHS: deep points, contradictions, points with few live units.

Over rows that are normalised to length one:

* ``max t`` with ``±row·y ≥ t``, ``t ≤ 1``: a deep point, or the rows whose duals are positive;
* ``min Σ w_i s_i`` with ``row_i·y ≤ s_i``: a point with few live units.

What HiGHS answers is never believed; a status that is not "optimal" is no proposal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from polyrank.cells.interrupt import DeferredInterrupt
from polyrank.lp.deadline import SLICE, look, seconds_left
from polyrank.lp.highs import silent_highs
from polyrank.posed.region import IntRow

__all__ = [
    "ElasticProgram",
    "Proposal",
    "SlackProgram",
    "attempt",
    "float_table",
    "run",
    "run_until_interrupted",
    "simplex_solver",
    "solver",
    "unit_rows",
]

_INFINITY = highspy.kHighsInf
_DUAL = 1e-9
"""Duals below this are not proposed; the exact check decides."""
_LARGEST = 1e9
_MARGIN = 1e-6
_ENTRIES = 1 << 18
"""Integers that become floats between two looks at signals."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate point, or candidate rows of a contradiction, the heaviest first."""

    point: tuple[float, ...] | None = None
    support: tuple[int, ...] = ()


def float_table(rows: Sequence[IntRow], width: int) -> Floats:
    """Rows of integers as floats, a few at a time, so that Ctrl-C is seen in between.

    Raises
    ------
    OverflowError
        If an integer is beyond the range of floats.
    """
    table = np.empty((len(rows), width))
    step = max(1, _ENTRIES // width)
    for start in range(0, len(rows), step):
        table[start : start + step] = rows[start : start + step]
    return table


def unit_rows(rows: Sequence[IntRow], k: int) -> Floats:
    """Rows as floats of length one in their linear parts; integers of any size."""
    try:
        table = float_table(rows, k + 1)
    except OverflowError:
        table = np.array([_shifted(row) for row in rows])
    largest = np.abs(table[:, :k]).max(axis=1, initial=0.0, keepdims=True)
    none = largest == 0.0
    table = np.where(none, 0.0, table) / np.where(none, 1.0, largest)
    length = np.linalg.norm(table[:, :k], axis=1, keepdims=True)
    return np.clip(table, -1e30, 1e30) / np.where(none, 1.0, length)


def _shifted(row: IntRow) -> list[float]:
    """A multiple of a row whose entries fit into float64; small entries may become 0."""
    shift = max(0, max(abs(v).bit_length() for v in row) - 900)
    return [float(v >> shift) for v in row]


def solver(**options: Any) -> Any:
    """A silent HiGHS on one thread."""
    highs = silent_highs()
    for name, value in {"threads": 1, **options}.items():
        highs.setOptionValue(name, value)
    return highs


def run(highs: Any) -> bool:
    """Solve a linear program in slices of time; whether HiGHS calls its answer optimal.

    The simplex method goes on from the basis where a slice ended.

    Raises
    ------
    OutOfTimeError
        If the time limit of :mod:`polyrank.lp.deadline` passes.
    """
    slice_ = SLICE
    while True:
        look()
        done = _steps(highs)
        highs.setOptionValue("time_limit", highs.getRunTime() + min(slice_, seconds_left()))
        status = attempt(highs)
        if status != highspy.HighsModelStatus.kTimeLimit:
            return bool(status == highspy.HighsModelStatus.kOptimal)
        if _steps(highs) == done:  # a slice too short for the first step
            slice_ *= 2


def attempt(highs: Any) -> Any:
    """Run HiGHS up to its own time limit; the status of the model."""
    if highs.run() == highspy.HighsStatus.kError:
        # someone else in this process may have started HiGHS with more threads, and it keeps them
        highs.setOptionValue("threads", 0)
        highs.run()
    return highs.getModelStatus()


def _steps(highs: Any) -> int:
    return int(highs.getInfo().simplex_iteration_count)


def run_until_interrupted(highs: Any, interrupt: DeferredInterrupt) -> Any:
    """As :func:`attempt`, for a call that may last: Ctrl-C ends it with a KeyboardInterrupt.

    HiGHS asks now and then whether to go on. Python sees the signal when it is asked, and must not
    raise anything there: it would pass through HiGHS.
    """

    def asked(event: Any) -> None:
        if interrupt.pressed:
            event.interrupt()

    for callback in (highs.cbMipInterrupt, highs.cbSimplexInterrupt):
        callback.subscribe(asked)
    with interrupt.held():
        return attempt(highs)


def simplex_solver() -> Any:
    """HiGHS as a warm-started simplex method."""
    return solver(presolve="off", solver="simplex")


class SlackProgram:
    """``max t`` over rows that are switched on and off; rows keep their numbers.

    Parameters
    ----------
    rows : sequence of IntRow
    k : int
    highs : optional
        A solver of :func:`simplex_solver` to be used again; the program that it held is lost.
    strict : ndarray of bool, optional
        Rows that are to be ≥ t; the others only ≥ 0. Default: all are strict.
    """

    def __init__(
        self,
        rows: Sequence[IntRow],
        k: int,
        highs: Any = None,
        strict: NDArray[np.bool_] | None = None,
    ) -> None:
        self._k = k
        table = unit_rows(rows, k)
        self._offset = -table[:, k]
        self._used = np.ones(len(rows), dtype=bool)
        if highs is None:
            highs = simplex_solver()
        else:
            highs.clearModel()
        self._highs = highs
        free = np.full(k, _LARGEST)
        self._highs.addVars(k + 1, np.append(-free, -_INFINITY), np.append(free, 1.0))
        self._highs.changeColCost(k, -1.0)
        m = len(rows)
        table[:, k] = -1.0 if strict is None else np.where(strict, -1.0, 0.0)
        there = table != 0.0
        ends = np.cumsum(there.sum(axis=1))
        self._highs.addRows(
            m,
            self._offset,
            np.full(m, _INFINITY),
            int(there.sum()),
            np.append(0, ends[:-1]).astype(np.int32),
            np.nonzero(there)[1].astype(np.int32),
            table[there],
        )

    def solve(self, used: NDArray[np.bool_]) -> Proposal:
        """Propose a point where the used rows are positive, or a contradiction among them."""
        for i in np.flatnonzero(used != self._used).tolist():
            self._highs.changeRowBounds(i, self._offset[i] if used[i] else -_INFINITY, _INFINITY)
        self._used = used.copy()
        if not run(self._highs):
            return Proposal()
        found = self._highs.getSolution()
        values = tuple(float(v) for v in found.col_value)
        if values[self._k] > 0:
            return Proposal(point=values[: self._k])
        duals = np.abs(np.array(found.row_dual))
        order = np.argsort(-duals, kind="stable")
        return Proposal(support=tuple(int(i) for i in order if duals[i] > _DUAL))


class ElasticProgram:
    """``min Σ w_i s_i`` with ``row_i·y ≤ s_i``, ``s ≥ 0``, strictly inside the walls."""

    def __init__(self, walls: Sequence[IntRow], units: Sequence[IntRow], k: int) -> None:
        self._k, self._units = k, len(units)
        self._table = unit_rows(units, k)
        self._highs = simplex_solver()
        free = np.full(k, 1e6)
        m = len(units)
        self._highs.addVars(
            k + m, np.append(-free, np.zeros(m)), np.append(free, np.full(m, _INFINITY))
        )
        columns = np.arange(k, dtype=np.int32)
        for row in unit_rows(walls, k):
            self._highs.addRow(_MARGIN - row[k], _INFINITY, k, columns, row[:k].copy())
        for i, row in enumerate(self._table):
            index = np.append(columns, np.int32(k + i))
            self._highs.addRow(_MARGIN + row[k], _INFINITY, k + 1, index, np.append(-row[:k], 1.0))

    def solve(self, weights: Floats) -> tuple[tuple[float, ...], Floats] | None:
        """A point and the values of the units there; None if HiGHS has no optimum."""
        columns = np.arange(self._k, self._k + self._units, dtype=np.int32)
        self._highs.changeColsCost(self._units, columns, weights)
        if not run(self._highs):
            return None
        point = tuple(float(v) for v in self._highs.getSolution().col_value)[: self._k]
        return point, self._table[:, : self._k] @ np.array(point) + self._table[:, self._k]
