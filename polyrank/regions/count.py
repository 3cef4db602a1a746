"""The number of regions and their ranks, without listing them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from polyrank.brief import brief
from polyrank.cells.characteristic import applies, arrangement_regions, first_layer_planes
from polyrank.cells.interrupt import prompt_interrupts
from polyrank.cells.opposite import is_central
from polyrank.cells.subtree import Subtree, most_regions, prefixes_of
from polyrank.cells.task import SearchProgress
from polyrank.cells.threads import asked_threads
from polyrank.errors import RefutedError
from polyrank.lp.deadline import OutOfTimeError, time_limit
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import Domain, WholeSpace
from polyrank.posed.chart import Chart
from polyrank.posed.section import chart_for
from polyrank.regions.crew import Ticket, conduct, crew_of
from polyrank.regions.histogram import RankHistogram
from polyrank.regions.limits import LimitReached, Limits
from polyrank.regions.pieces import Piece, PieceMaker
from polyrank.regions.plan import Engine, Plan, asked_layers, engine_for

__all__ = ["RegionCount", "count_regions"]

#: How long the second method may take by default.
CROSS_CHECK_SECONDS = 10.0


@brief("regions", "at_most", "certified", "status")
@dataclass(frozen=True, slots=True)
class RegionCount:
    """How many activation regions there are.

    Attributes
    ----------
    regions : int
        Regions found, each with a witness that was verified and not kept.
    at_most : int
        A proved upper bound: the same if ``certified``.
    certified : bool
        ``regions`` is exact: the search decided every cell with a verified certificate.
    status : str
        ``finished``, ``stopped`` (a limit) or ``interrupted``.
    limit : str or None
        Which limit ended it.
    rank_histogram : tuple of mapping, or None
        Per layer, regions by rank; None where they were not asked for, or are not all known.
    halved : bool
        The arrangement is central: one of every two opposite regions x, −x was searched, and the
        ranks of both were computed.
    second : int or None
        The number by deletion and restriction, an independent method for one layer on R^n; None
        where it does not apply or did not end in time. It is never another number than a certified
        ``regions``: that would be a RefutedError.
    layers, network_layers : int
        Through which layer, of how many.
    engine : str
    undecided, open : int
        Cells that could not be decided; cells that were not searched.
    tasks, tests : int
    seconds : float
    """

    regions: int
    at_most: int
    certified: bool
    status: str
    limit: str | None
    rank_histogram: tuple[dict[int, int], ...] | None
    halved: bool
    second: int | None
    layers: int
    network_layers: int
    engine: str
    undecided: int
    open: int
    tasks: int
    tests: int
    seconds: float


def count_regions(
    network: Network,
    domain: Domain | None = None,
    *,
    through_layer: int | None = None,
    engine: Engine = "auto",
    jobs: int | None = None,
    ranks: bool = True,
    cross_check: bool = True,
    limits: Limits | None = None,
    progress: Callable[[SearchProgress], None] | None = None,
) -> RegionCount:
    """Count the activation regions of a network on a domain, certified, in bounded memory.

    Parameters
    ----------
    network : Network
    domain : Domain, optional
        Default: all of R^n.
    through_layer : int, optional
        Only the decomposition by the first K layers.
    engine : {"auto", "dictionary", "vertices", "highs"}
    jobs : int, optional
        Threads; default: all processors that this process may use.
    ranks : bool
        Count ranks too.
    cross_check : bool
        For one layer on R^n also count by deletion and restriction, for ten seconds at most.
    limits : Limits, optional
    progress : callable, optional

    Returns
    -------
    RegionCount

    Raises
    ------
    RefutedError
        If the two methods disagree (a defect, never seen).
    EmptyDomainError, DomainError, NetworkError, UnsupportedError
        As :func:`polyrank.regions.enumerate.enumerate_regions`.

    Notes
    -----
    **Proves** the number and the ranks as :func:`~polyrank.regions.enumerate.enumerate_regions`
    does: every region had a witness, every absence a certificate. Nothing of it is kept, so nothing
    can be checked afterwards; ``second`` is the independent check where there is one.

    Examples
    --------
    >>> import polyrank as pr
    >>> net = pr.Network.from_arrays([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]], [[0.0, 0.0, -1.0]],
    ...     output_relu=True)
    >>> found = pr.count_regions(net)
    >>> found.regions, found.certified, found.second
    (7, True, 7)
    """
    layers, threads = asked_layers(network, through_layer), asked_threads(jobs)
    chart = chart_for(network, WholeSpace() if domain is None else domain)
    halved = engine in {"auto", "dictionary"} and is_central(network, chart, layers)
    chosen = "dictionary" if halved else engine_for(network, chart, engine)
    plan = Plan(network, chart, layers, chosen, keep="nothing")
    counting = _Counting(plan, halved, limits or Limits(), progress)
    found = counting.run(threads)
    if not ranks:
        found = replace(found, rank_histogram=None)
    if cross_check and found.certified and applies(network, chart, layers):
        with prompt_interrupts():
            second = _second(network, chart)
        if second is not None and second != found.regions:
            raise RefutedError(
                f"the search found {found.regions} regions, deletion and restriction {second}: "
                "one of them is wrong; please report this network"
            )
        found = replace(found, second=second)
    return found


def _second(network: Network, chart: Chart) -> int | None:
    try:
        with time_limit(CROSS_CHECK_SECONDS):
            return arrangement_regions(first_layer_planes(network, chart), chart.k)
    except OutOfTimeError:
        return None


class _Counting:
    """One count: what came in so far."""

    def __init__(
        self,
        plan: Plan,
        halved: bool,
        limits: Limits,
        progress: Callable[[SearchProgress], None] | None,
    ) -> None:
        self.plan = plan
        self.halved = halved
        self.limits = limits
        self.progress = progress
        self.histogram = RankHistogram(plan.layers)
        self.share = 0.0
        self.undecided: list[str] = []
        self.open: dict[tuple[int, ...], Subtree] = {}
        self.tasks = self.tests = self.partial = 0
        self.started = time.perf_counter()

    def run(self, threads: int) -> RegionCount:
        """Count."""
        maker = PieceMaker(self.plan)
        root = self.open[()] = maker.explorer.root()
        crew = crew_of(self.plan, maker, threads)
        status, limit = "finished", None

        def between() -> None:
            regions = self.histogram.rows + crew.rows
            self.limits.look(begun=self.started, regions=regions)
            if self.progress is not None:
                seconds = time.perf_counter() - self.started
                self.progress(
                    SearchProgress(regions, min(1.0, self.share), len(self.undecided), seconds)
                )

        try:
            conduct(
                crew,
                [Ticket((), 0, root)],
                accept=self._accept,
                unfinished=self._unfinished,
                between=between,
            )
        except LimitReached as reached:
            status, limit = "stopped", str(reached)
        except KeyboardInterrupt:
            status = "interrupted"
        return self._result(status, limit)

    def _accept(self, ticket: Ticket, piece: Piece) -> Iterator[Ticket]:
        del self.open[ticket.path]
        self.histogram.merge(piece.histogram)
        self.undecided += piece.explored.undecided
        self.tasks += 1
        self.tests += piece.explored.counts["tests"]
        self.share += ticket.tree.share - sum(tree.share for tree in piece.explored.rest)
        following = []
        for i, tree in enumerate(piece.explored.rest):
            path = (*ticket.path, i)
            self.open[path] = tree
            following.append(Ticket(path, 0, tree))
        return iter(following)

    def _unfinished(self, _: Ticket, piece: Piece) -> None:
        """Regions of an unfinished task count; the task stays open, and bounds what is in it."""
        self.partial += piece.rows

    def _result(self, status: str, limit: str | None) -> RegionCount:
        plan = self.plan
        cells = [cell for tree in self.open.values() for cell in tree.cells]
        start, planes = plan.unit_start, plan.hyperplane
        prefixes = [*self.undecided]
        prefixes += [text for cell in cells for text in prefixes_of(cell, start, planes)]
        more = sum(most_regions(text, planes, plan.chart.k) for text in prefixes)
        rows = self.histogram.rows
        ranks = tuple({int(r): n for r, n in layer.items()} for layer in self.histogram.as_json())
        return RegionCount(
            regions=rows + self.partial,
            at_most=rows + more,
            certified=not prefixes,
            status=status,
            limit=limit,
            rank_histogram=None if self.partial else ranks,
            halved=self.halved,
            second=None,
            layers=plan.layers,
            network_layers=len(plan.network.layers),
            engine=plan.engine,
            undecided=len(self.undecided),
            open=len(prefixes) - len(self.undecided),
            tasks=self.tasks,
            tests=self.tests,
            seconds=time.perf_counter() - self.started,
        )
