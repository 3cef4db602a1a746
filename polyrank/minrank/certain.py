"""Points at which every unit of a cell that can be off is off: the answers to be had at once.

Where the linear parts of the units are independent, ``A y = −c − m`` has a solution for every
margin m > 0, and in an unbounded cell without walls it is a point with all units off: least rank at
once, however wide the layer is. Least squares propose the point of least norm; where there are
walls, one linear program does (max t with every unit off by t). Proposals prove nothing: the region
at the point is computed exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from flint import fmpq_mat

from polyrank.blas import one_thread
from polyrank.lp.farkas import value_at
from polyrank.minrank.cell import LiveCell
from polyrank.minrank.programs import SlackProgram, unit_rows
from polyrank.network.rational import fmpq_from_float
from polyrank.posed.chart import simplified
from polyrank.posed.region import IntRow

__all__ = ["points_with_all_off", "short_point"]


def points_with_all_off(cell: LiveCell, highs: Any = None) -> Iterator[fmpq_mat]:
    """Proposed points strictly inside the walls where all switching units are off.

    Parameters
    ----------
    cell : LiveCell
    highs : optional
        A solver to be used again.

    Raises
    ------
    OutOfTimeError
        If the time limit passes.
    """
    if not cell.switching:
        return
    wanted = [*cell.walls, *(tuple(-v for v in row) for row in cell.switching)]
    table = unit_rows(cell.switching, cell.k)
    A, c = table[:, : cell.k], table[:, cell.k]
    if np.isfinite(table).all():
        # one thread: many of them, on cores that others use too, cost a hundred times as much
        with one_thread():
            found = A.T @ np.linalg.lstsq(A @ A.T, -c - 1.0, rcond=None)[0]
        if np.isfinite(found).all() and (A @ found + c < 0.0).all():
            yield short_point(wanted, [float(v) for v in found])
    program = SlackProgram(wanted, cell.k, highs)
    proposal = program.solve(np.ones(len(wanted), dtype=bool))
    if proposal.point is not None:
        yield short_point(wanted, proposal.point)


def short_point(wanted: Sequence[IntRow], proposed: Sequence[float]) -> fmpq_mat:
    """The point of few bits next to a proposal at which the same rows are positive, if they are."""
    point = fmpq_mat(len(proposed), 1, [fmpq_from_float(v) for v in proposed])
    if all(value_at(row, point) > 0 for row in wanted):
        return simplified(wanted, point)
    return point
