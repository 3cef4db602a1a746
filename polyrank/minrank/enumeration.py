"""K > 1 and few regions: all of them are enumerated, which is faster than to refute every rank.

Whether there are few shows when it is tried: the enumeration goes on while its share of the tree
promises an end within the processor time that it is given, and is given up otherwise, or where a
cell is not decided. Which of the two ways is taken changes neither the ranks nor a complete list;
it may change which region of the least rank is shown, and what is in a list that is cut off. The
result says it.
"""

from __future__ import annotations

import time

import numpy as np

from polyrank.cells.search import search
from polyrank.cells.task import Batch, SearchProgress, settled
from polyrank.minrank.least import LeastRank
from polyrank.posed.problem import Problem

__all__ = ["enumerated"]

_TRIAL = 1.0
"""Processor seconds that are spent on it in any case."""


class _TooMany(Exception):  # noqa: N818
    """There are too many regions."""


def enumerated(state: LeastRank, allowed: float) -> bool:
    """Enumerate all regions of layers 1..K if they are few: the least rank, and the list.

    Parameters
    ----------
    state : LeastRank
    allowed : float
        Processor seconds that it may take in all, by its own estimate.

    Returns
    -------
    bool
        Whether it is settled; the state's ``enumerated`` is then the number of the regions. What
        was found before it was given up stays found.

    Raises
    ------
    OutOfTimeError
        If the time limit passes.
    """
    problem = Problem.of(state.network, state.chart)
    began, least = time.process_time(), state.chart.k

    def take(batch: Batch) -> None:
        nonlocal least
        ranks = settled(batch, problem).rank[:, -1]
        least = min(least, int(ranks.min(initial=least)))
        for row in np.flatnonzero(ranks < max(state.best.rank, state.wanted())).tolist():
            if int(ranks[row]) < max(state.best.rank, state.wanted()):
                region = state.at(batch.point(row), state.chart.rows)
                if region is not None and region.rank < state.wanted():
                    state.list_region(region)

    def watch(progress: SearchProgress) -> None:
        state.in_time()
        spent = time.process_time() - began
        if spent > max(_TRIAL, allowed * progress.share):
            raise _TooMany

    try:
        found = search(problem, take, progress=watch, jobs=state.jobs)
    except _TooMany:
        return False
    if not found.certified or state.best.rank != least:
        return False
    state.enumerated = found.regions
    state.prove(least)
    return True
