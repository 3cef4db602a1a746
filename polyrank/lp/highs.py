"""HiGHS as a source of proposals: warm-started floating-point LPs over a growing cell.

One model, in which rows come and go at the end as a depth-first search enters and leaves cells,
and only the objective changes from one LP to the next. What HiGHS answers is never a verdict: it
names rows whose multipliers may prove something, and the caller decides exactly. An error, a status
that is not "optimal", or an answer of the wrong shape is no proposal at all.

Source: Q. Huangfu and J. A. J. Hall, "Parallelizing the dual revised simplex method",
Mathematical Programming Computation 10 (2018); https://highs.dev.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

__all__ = ["OPTIONS", "FloatRow", "HighsModel", "boxed_basis", "silent_highs"]

FloatRow = tuple[float, ...]
"""The d + 1 floats ``(a_1, ..., a_d, b)`` of the constraint ``a·u + b ≥ 0``."""

OPTIONS: dict[str, Any] = {
    "output_flag": False,
    "presolve": "off",
    "solver": "simplex",
    "parallel": "off",
    "threads": 1,
    "simplex_strategy": 4,  # primal: a new objective leaves the vertex feasible
    "simplex_scale_strategy": 0,  # the rows come scaled
    "simplex_iteration_limit": 20_000,
    "primal_feasibility_tolerance": 1e-10,
    "dual_feasibility_tolerance": 1e-10,
    "small_matrix_value": 1e-12,
}

_BOXED: dict[str, Any] = {
    **OPTIONS,
    "simplex_strategy": 1,  # dual: it starts at the corner at which the objective is least
    "simplex_scale_strategy": 2,
}

_RAISES = (RuntimeError, ValueError, IndexError, TypeError)
"""What the binding raises where HiGHS itself throws or is handed something that it refuses."""


class HighsModel:
    """One warm-started HiGHS model over ``{u in R^d : a_i·u + b_i ≥ 0}``.

    Attributes
    ----------
    pivots : int
        Simplex iterations so far.
    failures : int
        Calls that gave no proposal.

    Examples
    --------
    >>> model = HighsModel(1)
    >>> model.minimise([(1.0, 0.0), (-1.0, 0.5)], (-1.0,))
    (1,)
    """

    def __init__(self, dimension: int) -> None:
        self.pivots = 0
        self.failures = 0
        self._d = dimension
        self._columns = np.arange(dimension, dtype=np.int32)
        self._rows: list[FloatRow] = []
        self._highs: Any = None

    def minimise(
        self, rows: Sequence[FloatRow], objective: Sequence[float]
    ) -> tuple[int, ...] | None:
        """Rows that are tight, so it is said, where ``objective · u`` is least on their cell.

        Parameters
        ----------
        rows : sequence of FloatRow
            Compared by identity with those of the last call: the common prefix stays loaded.
        objective : sequence of d floats

        Returns
        -------
        tuple of int, or None
            The rows that are non-basic in what HiGHS calls the optimum; it **proves** nothing.
            None where HiGHS failed, did not call its answer optimal, or gave one of the wrong
            shape. The next call then starts from an empty model.
        """
        try:
            basis = self._solved(rows, objective)
        except _RAISES:
            basis = None
        if basis is None:
            self.failures += 1
            self._highs = None
        return basis

    def _solved(
        self, rows: Sequence[FloatRow], objective: Sequence[float]
    ) -> tuple[int, ...] | None:
        if self._highs is None:
            self._highs = _new_model(self._d)
            self._rows = []
        highs = self._highs
        self._load(rows)
        costs = np.array(objective, dtype=np.float64)
        _succeed(highs.changeColsCost(self._d, self._columns, costs), "changing the objective")
        _succeed(highs.run(), "solving")
        if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        self.pivots += int(highs.getInfo().simplex_iteration_count)
        basic = highspy.HighsBasisStatus.kBasic
        status = highs.getBasis().row_status
        if len(status) != len(rows):
            return None
        return tuple(i for i, s in enumerate(status) if s != basic)

    def _load(self, rows: Sequence[FloatRow]) -> None:
        highs, loaded = self._highs, self._rows
        common = 0
        for a, b in zip(loaded, rows, strict=False):
            if a is not b:
                break
            common += 1
        surplus = len(loaded) - common
        if surplus:
            last = np.arange(common, len(loaded), dtype=np.int32)
            del loaded[common:]
            _succeed(highs.deleteRows(surplus, last), "deleting rows")
        for row in rows[common:]:
            entries = np.array(row[:-1], dtype=np.float64)
            added = highs.addRow(-row[-1], highspy.kHighsInf, self._d, self._columns, entries)
            _succeed(added, "adding a row")
            loaded.append(row)


def boxed_basis(
    table: NDArray[np.float64],
    constants: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    costs: NDArray[np.float64],
    seconds: float,
) -> tuple[list[int], list[int], list[bool]] | None:
    """The basis where HiGHS ends when it minimises ``costs · u`` over a box with further rows.

    Parameters
    ----------
    table, constants : ndarray, shapes (m, d) and (m,)
        The rows ``table u + constants ≥ 0``.
    low, high : ndarray, shape (d,)
        Bounds; infinite where there is none.
    costs : ndarray, shape (d,)
    seconds : float
        Time limit.

    Returns
    -------
    tight, basic, above : lists, or None
        Rows that are not basic, as many coordinates that are, and for each of the d coordinates
        whether it is at its upper bound. However the run ended: this **proves** nothing.
    """
    m, d = table.shape
    try:
        highs = silent_highs()
        for name, value in _BOXED.items():
            _succeed(highs.setOptionValue(name, value), f"setting {name}")
        if seconds < np.inf:
            _succeed(highs.setOptionValue("time_limit", seconds), "setting a time limit")
        _succeed(highs.addVars(d, low, high), "adding variables")
        columns = np.arange(d, dtype=np.int32)
        _succeed(highs.changeColsCost(d, columns, costs), "changing the objective")
        infinite = np.full(m, highspy.kHighsInf)
        starts = np.arange(0, m * d, d, dtype=np.int32)
        all_columns = np.tile(columns, m)
        rows = highs.addRows(m, -constants, infinite, m * d, starts, all_columns, table.ravel())
        _succeed(rows, "adding rows")
        _succeed(_first_run(highs), "solving")
        found = highs.getBasis()
    except _RAISES:
        return None
    status = highspy.HighsBasisStatus
    if not found.valid or (len(found.col_status), len(found.row_status)) != (d, m):
        return None
    tight = [i for i, s in enumerate(found.row_status) if s != status.kBasic]
    basic = [l for l, s in enumerate(found.col_status) if s == status.kBasic]
    above = [s == status.kUpper for s in found.col_status]
    return (tight, basic, above) if len(tight) == len(basic) else None


class _Silent(highspy.Highs):
    """HiGHS that prints nothing, not even while it is made."""

    def enableCallbacks(self) -> None:
        _silence(self)
        super().enableCallbacks()  # type: ignore[no-untyped-call]


def silent_highs() -> Any:
    """A new HiGHS model that writes nothing to stdout, which belongs to the caller."""
    create: Any = _Silent  # the binding has no types
    highs = create()
    _silence(highs)  # a release that has no callbacks did not do so while it was made
    return highs


def _silence(highs: Any) -> None:
    for name in ("output_flag", "log_to_console"):
        _succeed(highs.setOptionValue(name, False), f"setting {name}")


def _new_model(dimension: int) -> Any:
    highs = silent_highs()
    for name, value in OPTIONS.items():
        _succeed(highs.setOptionValue(name, value), f"setting {name}")
    free = np.full(dimension, highspy.kHighsInf)
    _succeed(highs.addVars(dimension, -free, free), "adding variables")
    _first_run(highs)
    return highs


def _first_run(highs: Any) -> Any:
    """The status of a run, with as many threads as HiGHS has in this process."""
    status = highs.run()
    if status == highspy.HighsStatus.kError:
        # someone else in this process has started HiGHS with more threads, and it keeps them
        _succeed(highs.setOptionValue("threads", 0), "setting threads")
        status = highs.run()
    return status


def _succeed(status: Any, what: str) -> None:
    """Warnings pass (tiny coefficients are left out, say): the answer is only a proposal."""
    if status == highspy.HighsStatus.kError:
        raise RuntimeError(f"HiGHS reports an error when {what}")
