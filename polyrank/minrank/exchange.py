"""Better regions by exchange: give up a few live units of a good region, and repair.

From a region with few live units, an elastic program makes some of these dear and the others nearly
free, and reweighting looks for a region near by that has fewer. It goes on from any that has not
more. A heuristic, which proves nothing: regions are computed exactly by the caller.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from flint import fmpq_mat
from numpy.typing import NDArray

from polyrank.lp.deadline import look
from polyrank.minrank.cell import LiveCell
from polyrank.minrank.programs import ElasticProgram
from polyrank.network.rational import fmpq_from_float

__all__ = ["points_by_exchange"]

_FREE = 0.02
_REPAIRS = 4
_MOST = 3
"""Live units that are given up at once."""


def points_by_exchange(
    cell: LiveCell, live: NDArray[np.int64], seed: int, stale: int = 60
) -> Iterator[fmpq_mat]:
    """Points of ever fewer live units, proposed from the live units of a good region.

    Parameters
    ----------
    cell : LiveCell
    live : ndarray of int64
        Numbers of the switching units that are live at the start.
    seed : int
    stale : int
        Ends after so many exchanges in a row that gained nothing.

    Raises
    ------
    OutOfTimeError
        If the time limit passes.
    """
    units = len(cell.switching)
    program = ElasticProgram(cell.walls, cell.switching, cell.k)
    rng = np.random.default_rng(seed)
    idle = 0
    while idle < stale and live.size:
        given_up = rng.choice(live, min(live.size, int(rng.integers(1, _MOST + 1))), replace=False)
        weights: NDArray[np.float64] = np.ones(units)
        weights[live] = _FREE
        weights[given_up] = 1.0
        weights *= rng.uniform(0.7, 1.3, units)
        best, at = None, None
        for _ in range(_REPAIRS):
            look()
            found = program.solve(weights)
            if found is None:
                break
            point, values = found
            now = np.flatnonzero(values > 0)
            if best is None or now.size < best.size:
                best, at = now, point
            weights = 1.0 / (1e-3 + np.maximum(values, 0.0))
        idle += 1
        if best is None or at is None or best.size > live.size:
            continue
        if best.size < live.size:
            idle = 0
            yield fmpq_mat(cell.k, 1, [fmpq_from_float(v) for v in at])
        live = best
