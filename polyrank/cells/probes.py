"""How many regions there are, about: random probes of the search tree.

Knuth ("Estimating the efficiency of backtrack programs", Math. Comp. 29, 1975) walks down at random
and multiplies the degrees; Chen ("Heuristic sampling: a method for predicting the performance of
tree searching programs", SIAM J. Comput. 21, 1992) walks with many cells at once, one stratum after
the other, and lets few cells of a stratum stand for all. Here a stratum is what the same unit has
cut last: a cut by unit g leaves two cells of stratum g, and units cut in their order, so that no
cell comes back. A stratum with more than M cells is replaced by M of them, drawn in proportion to
their weights and weighing the same. The sum of the weights of the regions found is then an unbiased
estimate of their number; several independent walks show its spread.

Nothing here is proved. The cells themselves are exact: each holds a region, so that a walk that is
cut off has met, by estimate, at least as many regions as its open cells weigh.
"""

from __future__ import annotations

import heapq
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from polyrank.cells.dictionary_search import DictionarySearch
from polyrank.cells.engine import Options
from polyrank.cells.task import Task
from polyrank.posed.problem import Problem

__all__ = ["Guess", "probe"]

#: Cells of a stratum in the first walk, which shows how long one takes; bounds of later ones.
_PILOT, _LEAST, _MOST = 4, 4, 400
_WALKS = 12
_ROUNDING = 1e-9
#: Quantile 0.975 of Student's t with 1, 2, ... degrees of freedom; 1.96 beyond.
_STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20)


@dataclass(frozen=True, slots=True)
class Guess:
    """An estimate of the number of regions. **Does not prove** anything.

    Attributes
    ----------
    regions : float
        The mean of the walks.
    low, high : float
        Its 95 % interval, on a logarithmic scale; of walks that were cut off, low is what they met
        and high is infinite.
    walks, cells : int
        Independent walks, and cells of a stratum in each.
    whole : bool
        False if no walk came to its end in the time that there was.
    """

    regions: float
    low: float
    high: float
    walks: int
    cells: int
    whole: bool


def probe(
    problem: Problem,
    *,
    seconds: float = 2.0,
    seed: int = 0,
    stopped: Callable[[], bool] = lambda: False,
) -> Guess:
    """Estimate the number of regions of a problem.

    Parameters
    ----------
    problem : Problem
    seconds : float
        About how long it may take.
    seed : int
    stopped : callable
        Asked between cells whether to give up.
    """
    search = DictionarySearch(problem, lambda _: None, Options(jobs=1))
    dice, begun = random.Random(seed), time.perf_counter()  # noqa: S311  (an estimate, no secret)
    end = begun + seconds

    def late() -> bool:
        return time.perf_counter() > end or stopped()

    pilot, whole = _walk(search, _PILOT, dice, late)
    if not whole:
        return Guess(pilot, pilot, math.inf, 1, _PILOT, False)
    took = max(1e-6, time.perf_counter() - begun)
    cells = int(min(_MOST, max(_LEAST, _PILOT * (end - time.perf_counter()) / (_WALKS * took))))
    found: list[float] = []
    for _ in range(_WALKS):
        regions, whole = _walk(search, cells, dice, late)
        if not whole:
            break
        found.append(regions)
    if len(found) < 2:
        found = [pilot, *found]
        cells = _PILOT
    return _of(found, cells)


def _of(found: list[float], cells: int) -> Guess:
    count = len(found)
    mean = math.fsum(found) / count
    if count == 1:
        return Guess(mean, 1.0, math.inf, 1, cells, True)
    spread = float(np.std(found, ddof=1)) / mean
    quantile = _STUDENT[count - 2] if count - 2 < len(_STUDENT) else 1.96
    # weights are rounded: walks that all see every cell differ in the last digits
    factor = math.exp(min(700.0, quantile * spread / math.sqrt(count) + _ROUNDING))
    return Guess(mean, max(1.0, mean / factor), mean * factor, count, cells, True)


def _walk(
    search: DictionarySearch, most: int, dice: random.Random, late: Callable[[], bool]
) -> tuple[float, bool]:
    """One walk: regions by estimate, and whether it came to its end."""
    strata: dict[int, list[tuple[float, Task]]] = {-1: [(1.0, search.root())]}
    order = [-1]
    regions = 0.0
    while order:
        level = heapq.heappop(order)
        for weight, task in _drawn(strata.pop(level), most, dice):
            if late():
                waiting = (w for cells in strata.values() for w, _ in cells)
                return regions + math.fsum(waiting), False
            found, halves = search.step(task)
            regions += weight * found
            for half in halves:
                cut = int(np.flatnonzero(half.splits)[-1]) if half.splits.any() else level
                if cut not in strata:
                    strata[cut] = []
                    heapq.heappush(order, cut)
                strata[cut].append((weight, half))
    return regions, True


def _drawn(
    cells: list[tuple[float, Task]], most: int, dice: random.Random
) -> list[tuple[float, Task]]:
    """At most so many cells in proportion to their weights, of equal weights (systematic)."""
    if len(cells) <= most:
        return cells
    total = math.fsum(weight for weight, _ in cells)
    each, reached = total / most, 0.0
    out: list[tuple[float, Task]] = []
    mark = dice.random() * each
    for weight, task in cells:
        reached += weight
        while mark < reached and len(out) < most:
            out.append((each, task))
            mark += each
    return out
