"""What a run would take, before the wait: proved bounds, and an estimate that says it is one."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import compress
from typing import Any

import pyarrow as pa

from polyrank.cells.probes import Guess, probe
from polyrank.cells.subtree import most_regions
from polyrank.cells.threads import asked_threads
from polyrank.counts.bounds import bounds
from polyrank.lp.farkas import integer_row_of
from polyrank.network.exact_rank import rank_of_rows
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import Domain, WholeSpace
from polyrank.posed.problem import Problem
from polyrank.posed.section import chart_for
from polyrank.regions.pieces import PieceMaker
from polyrank.regions.plan import Engine, Plan, asked_layers, engine_for

__all__ = ["Foresight", "InBackground", "estimate_run", "foresee", "proved_bounds"]

#: A run that would take longer, or list more regions, does not end for whoever waits for it.
_ENDLESS_SECONDS, _ENDLESS_REGIONS = 30 * 86400.0, 1e12
_MEASURED_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Foresight:
    """What a run is expected to take.

    **Proves** ``at_least`` and ``at_most``. Everything else is an estimate and proves nothing.

    Attributes
    ----------
    at_least, at_most : int
        Proved bounds of the number of regions: 2^r for rank r of the first layer on R^n;
        Zaslavsky's numbers layer by layer, and those of Montúfar and Serra et al. for ReLUs.
    regions, low, high : float or None
        Estimate by random probes of the tree, and its 95 % interval; None where it was not made.
    whole : bool
        False if the probes did not reach the end of the tree: then ``regions`` and ``low`` are what
        they met until then, and the truth is likely far more.
    seconds, disk : float or None
        Wall time with ``jobs`` threads, and bytes, at the rate of the first second.
    rate : float or None
        Regions per second and thread.
    jobs : int
    engine : str
    """

    at_least: int
    at_most: int
    regions: float | None
    low: float | None
    high: float | None
    whole: bool
    seconds: float | None
    disk: float | None
    rate: float | None
    jobs: int
    engine: str

    @property
    def endless(self) -> bool:
        """Whether nobody could wait for the end: for certain, or by the low end of the estimate."""
        if self.at_least > _ENDLESS_REGIONS or (self.low or 0.0) > _ENDLESS_REGIONS:
            return True
        if self.rate is None or self.low is None:
            return False
        return self.low / (self.rate * self.jobs) > _ENDLESS_SECONDS

    def summary(self) -> dict[str, Any]:
        """JSON-serialisable; what is infinite or unknown is null."""
        finite = {
            name: value if value is not None and math.isfinite(value) else None
            for name in ("regions", "low", "high", "seconds", "disk", "rate")
            for value in [getattr(self, name)]
        }
        return {
            "proved": {"at_least": self.at_least, "at_most": self.at_most},
            "estimate": finite | {"whole": self.whole},
            "endless": self.endless,
            "jobs": self.jobs,
            "engine": self.engine,
        }


def proved_bounds(plan: Plan) -> tuple[int, int]:
    """Bounds of the number of regions of a plan, without a search.

    **Proves**: a domain without walls on which the first layer's linear parts have rank r has 2^r
    regions at least, since r independent functions take all signs; at most as many as
    :func:`polyrank.cells.subtree.most_regions` and, of ReLU layers, :func:`polyrank.bounds` say.
    """
    prefix = "|".join("?" * layer.units for layer in plan.network.layers[: plan.layers])
    most = most_regions(prefix, plan.hyperplane, plan.chart.k)
    widths = _relu_widths(plan)
    if widths and plan.chart.k:
        most = min(most, bounds((plan.chart.k, *widths)).upper)
    if plan.chart.inequalities.m:
        return 1, most
    first = plan.network.layers[0]
    rows = compress(plan.chart.linear_rows(first), first.has_hyperplane.tolist())
    return 2 ** rank_of_rows(integer_row_of(plan.chart.k, terms) for terms in rows), most


def _relu_widths(plan: Plan) -> tuple[int, ...]:
    """Widths of the layers if all are ReLU layers but for affine ones at the end; else empty."""
    widths: list[int] = []
    ended = False
    for layer in plan.network.layers[: plan.layers]:
        if not layer.has_hyperplane.any():
            ended = True
            continue
        relu = all(low == 0 and high == 1 for low, high in layer.slopes_exact)
        if ended or not relu:
            return ()
        widths.append(layer.units)
    return tuple(widths)


def foresee(
    plan: Plan,
    *,
    jobs: int,
    seconds: float = 3.0,
    stopped: Callable[[], bool] = lambda: False,
) -> Foresight:
    """Bounds and an estimate for a plan.

    Parameters
    ----------
    plan : Plan
    jobs : int
        Threads that would work.
    seconds : float
        About how long the estimate may take; 0: proved bounds alone.
    stopped : callable
        Asked now and then whether to give up.
    """
    least, most = proved_bounds(plan)
    known = Foresight(least, most, None, None, None, False, None, None, None, jobs, plan.engine)
    if seconds <= 0.0 or known.endless:
        return known
    maker, begun = PieceMaker(plan), time.perf_counter()
    root = maker.explorer.root()
    # the first time, libraries are loaded and slices of work are short
    for part in (_MEASURED_SECONDS / 4, _MEASURED_SECONDS):
        end = time.perf_counter() + min(part, seconds / 3)
        piece = maker.make(root, lambda end=end: stopped() or time.perf_counter() > end)  # type: ignore[misc]
    took = time.perf_counter() - begun
    rate = piece.rows / max(1e-6, piece.seconds)
    if piece.explored.complete and not piece.explored.rest:
        guess = Guess(piece.rows, piece.rows, piece.rows, 1, 1, True)  # that was all
    else:
        left = max(0.1, seconds - took)
        guess = probe(Problem(plan.network, plan.chart, plan.layers), seconds=left, stopped=stopped)
    regions = min(max(guess.regions, float(least)), _float(most))
    low = min(max(guess.low, float(least), float(piece.rows)), _float(most))
    high = max(low, min(guess.high, _float(most)))
    row = _row_bytes(plan, piece.shard, piece.rows, piece.log)
    return Foresight(
        least,
        most,
        max(regions, low),
        low,
        high,
        guess.whole,
        max(regions, low) / (rate * jobs) if rate else None,
        None if row is None else row * max(regions, low),
        rate or None,
        jobs,
        plan.engine,
    )


def _float(value: int) -> float:
    return float(value) if value < 1 << 1000 else math.inf


def _row_bytes(plan: Plan, shard: bytes, rows: int, log: bytes) -> float | None:
    if plan.keep == "nothing":
        return None
    if rows and shard:
        return (len(shard) + len(log)) / rows
    plain = {pa.int16(): 2}
    return float(sum(plain.get(f.type, 8) for f in plan.schema))


def estimate_run(
    network: Network,
    domain: Domain | None = None,
    *,
    through_layer: int | None = None,
    engine: Engine = "auto",
    jobs: int | None = None,
    proof: bool = False,
    seconds: float = 5.0,
) -> Foresight:
    """What an enumeration would take: proved bounds, and an estimate by random probes of the tree.

    Parameters
    ----------
    network, domain, through_layer, engine, jobs, proof
        As for :func:`polyrank.enumerate_regions`.
    seconds : float
        About how long the estimate may take.

    Returns
    -------
    Foresight

    Raises
    ------
    EmptyDomainError, DomainError, NetworkError, ValueError
        As for :func:`polyrank.enumerate_regions`.

    Examples
    --------
    >>> import polyrank as pr
    >>> net = pr.Network.from_arrays([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]], [[0.0, 0.0, -1.0]],
    ...     output_relu=True)
    >>> found = pr.estimate_run(net)
    >>> found.at_least, found.at_most, found.regions
    (4, 7, 7)
    """
    layers, threads = asked_layers(network, through_layer), asked_threads(jobs)
    chart = chart_for(network, WholeSpace() if domain is None else domain)
    plan = Plan(network, chart, layers, engine_for(network, chart, engine), proof, "shard")
    return foresee(plan, jobs=threads, seconds=seconds)


class InBackground:
    """An estimate that is made while a run has begun.

    Parameters
    ----------
    plan : Plan
    jobs : int
    """

    def __init__(self, plan: Plan, jobs: int) -> None:
        self._found: list[Foresight] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(plan, jobs), daemon=True)
        self._thread.start()

    def _work(self, plan: Plan, jobs: int) -> None:
        self._found.append(foresee(plan, jobs=jobs, stopped=self._stopped.is_set))

    @property
    def found(self) -> Foresight | None:
        """The estimate, when it is there."""
        return self._found[0] if self._found else None

    def stop(self) -> None:
        """Give up."""
        self._stopped.set()
        self._thread.join(0.5)
