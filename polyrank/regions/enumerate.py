"""Every activation region of a network on a domain, with its exact ranks, as a run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any, get_args

from polyrank.cells.subtree import undivided
from polyrank.cells.task import SearchProgress
from polyrank.cells.threads import asked_threads, check_jobs
from polyrank.errors import RunError
from polyrank.native.library import built_from
from polyrank.network.formats import load_as_stated
from polyrank.network.formats.writing import save
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import Domain, WholeSpace, domain_from_dict
from polyrank.posed.section import chart_for
from polyrank.regions.cluster import DaskCrew, cluster_client
from polyrank.regions.crew import Crew, conduct, crew_of
from polyrank.regions.foresight import Foresight, InBackground, foresee
from polyrank.regions.incoming import incoming
from polyrank.regions.journal import JOURNAL_NAME
from polyrank.regions.limits import LimitReached, Limits
from polyrank.regions.manifest import chart_entry, network_entry, read_manifest, versions
from polyrank.regions.pieces import PieceMaker
from polyrank.regions.plan import TASK_WORK, Engine, Keep, Plan, asked_layers, engine_for
from polyrank.regions.proof_log import NETWORK_NAME
from polyrank.regions.run import Run, open_run
from polyrank.regions.writer import RunWriter
from polyrank.stages import tell

__all__ = ["Engine", "EnumerationInterrupted", "enumerate_regions", "resume_run"]

#: Seconds of work after which an estimate is made of what is to come.
FORESIGHT_SECONDS = 3.0


class EnumerationInterrupted(KeyboardInterrupt):
    """Ctrl-C stopped an enumeration; ``run`` holds what was found, labelled ``interrupted``."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"interrupted after {run.count} regions")
        self.run = run


def enumerate_regions(
    network: Network,
    domain: Domain | None = None,
    *,
    out: str | PathLike[str] | None = None,
    through_layer: int | None = None,
    engine: Engine = "auto",
    progress: Callable[[SearchProgress], None] | None = None,
    notes: Mapping[str, Any] | None = None,
    proof: bool = False,
    network_file: Mapping[str, Any] | None = None,
    jobs: int | None = None,
    limits: Limits | None = None,
    foresight: Callable[[Foresight], None] | None = None,
    cluster: str | None = None,
) -> Run:
    """Enumerate the activation regions of a network on a domain, certified.

    Parameters
    ----------
    network : Network
    domain : Domain, optional
        ``Box``, ``Polytope``, ``Slice``, ``Simplex`` or ``WholeSpace``. Default: all of R^n, since
        an arbitrary box silently loses regions.
    out : path, optional
        A directory that does not exist yet, to which regions are streamed. By default they are
        kept in memory.
    through_layer : int, optional
        Enumerate the decomposition by the first K layers only. Default: all layers.
    engine : {"auto", "dictionary", "vertices", "highs"}
        Compiled simplex dictionaries; cells carried with their vertices, for domains of dimension
        1 to 3; or, as a cross-check, the exact search with bases that HiGHS guesses: slower. The
        dictionaries leave to that search the cells that floats and integers do not decide.
        ``auto`` takes the faster of the first two.
    progress : callable, optional
        Called now and then with the state of the search.
    notes : mapping, optional
        JSON-serialisable remarks for the manifest, such as how the domain was given.
    proof : bool
        Also write the search tree to ``out``, for :func:`polyrank.proof.check.check`.
    network_file : mapping, optional
        ``path`` and ``options`` with which :func:`polyrank.load` reads the network again. By
        default a run with a proof holds the network as ``network.json``.
    jobs : int, optional
        Number of threads; the run does not depend on it. Default: all processors that this process
        may use.
    limits : Limits, optional
        Time, regions, memory and disk at which the run is stopped: ``run.status`` is ``stopped``
        then, ``run.count_interval`` holds proved bounds, ``run.open_prefixes`` what is open.
    foresight : callable, optional
        Receives proved bounds before the search begins where it could not end, and an estimate of a
        run that takes more than a few seconds; it may raise
        :class:`~polyrank.regions.limits.LimitReached` to stop it.
    cluster : str, optional
        Work on a cluster of Dask distributed instead of threads: the address of its scheduler, or
        ``local:N`` for N processes on this machine. Workers that see ``out`` at the same path write
        there what they find, the others send it back. The run does not depend on it.

    Returns
    -------
    Run
        ``run.certified`` tells whether the list is proved complete.

    Raises
    ------
    EmptyDomainError
        If the domain has no point; the message carries the certificate.
    DomainError
        If the domain does not fit the network's input dimension.
    NetworkError
        If ``through_layer`` is not a layer of the network.
    RunError
        If ``out`` exists or cannot be written, or a proof is asked for without it.
    UnsupportedError
        If the weights do not fit into memory when they are dense or are out of the range of float64
        products (2^±500), or ``cluster`` is given and Dask distributed is not installed.
    ValueError
        If ``jobs`` is less than 1, or there is no such engine.
    EnumerationInterrupted
        On Ctrl-C (it is a KeyboardInterrupt); the partial run is kept and labelled.

    Notes
    -----
    A run in a directory that ended early, however it ended, goes on with :func:`resume_run`. It is
    made of tasks, which are the same on every machine (:mod:`polyrank.cells.subtree`): the finished
    table and the numbers of its rows depend on the question alone, on disk ``manifest["content"]``
    too. A run in memory is one search whose threads share a tree: the regions and their order are
    the same as on disk, where the tree is divided into tasks; witnesses may be other points, and
    regions of cells that only rationals decide may have other places.
    Of a central arrangement (one layer with hyperplanes, no biases, R^n) the dictionaries search
    one of every two opposite regions; the opposite of row 2 i is row 2 i + 1 then.

    **Proves**: see :class:`~polyrank.regions.run.Run`. **Source**: incremental enumeration of the
    cells of a hyperplane arrangement (Rada and Cerny, "A new algorithm for enumeration of cells
    of hyperplane arrangements and a comparison with Avis and Fukuda's reverse search", SIAM J.
    Discrete Math. 32, 2018), layer by layer.

    Examples
    --------
    >>> import polyrank as pr
    >>> net = pr.Network.from_arrays([[[1.0], [1.0]], [[1.0, -1.0]]], [[0.0, -1.0], [0.0]])
    >>> run = pr.enumerate_regions(net)
    >>> run.count, run.certified, run.rank_histogram(layer=1)
    (3, True, {0: 1, 1: 2})
    """
    begun, started = time.perf_counter(), datetime.now(UTC)
    layers = asked_layers(network, through_layer)
    check_jobs(jobs)
    directory = None if out is None else Path(out)
    if directory is not None and directory.exists():
        # before the chart, which may cost exact linear programs; the writer checks again
        raise RunError(f"{directory} exists already; name a new directory or remove that one")
    if proof and directory is None:
        raise RunError("a proof is written beside the regions; name a directory with out=")
    where = WholeSpace() if domain is None else domain
    network.through(layers).check_dense()  # before the chart, too
    chart = chart_for(network, where)
    chosen = engine_for(network, chart, engine)
    keep: Keep = "batches" if directory is None else "shard"
    plan = Plan(network, chart, layers, chosen, proof, keep, TASK_WORK)
    own_file = proof and network_file is None
    manifest = {
        "started": started.isoformat(timespec="seconds"),
        "network": network_entry(network),
        "network_file": {"path": NETWORK_NAME, "options": {}} if own_file else network_file,
        "domain": where.describe(),
        "chart": chart_entry(chart),
        "engine": chosen,
        "options": {"through_layer": through_layer},
        "notes": dict(notes or {}),
        "versions": versions() | {"core": built_from()},
    }
    if foresight is not None:
        bounds = foresee(plan, jobs=1, seconds=0.0)
        if bounds.endless:
            try:
                foresight(bounds)
            except LimitReached as reached:
                raise RunError(f"nothing was begun: it is beyond {reached}") from None
    maker = PieceMaker(plan)
    work = _Work(plan, maker, jobs, limits, progress, foresight, cluster, begun)
    # a search in one piece has its own root
    root = (
        undivided(plan.unit_start, chart.interior) if work.in_one_piece else maker.explorer.root()
    )
    writer = RunWriter(manifest, plan, root, directory)

    def prepare() -> None:
        if own_file and directory is not None:
            _keep_network(network, directory)

    return work.run(writer, prepare)


def resume_run(
    path: str | PathLike[str],
    network: Network | None = None,
    *,
    jobs: int | None = None,
    limits: Limits | None = None,
    progress: Callable[[SearchProgress], None] | None = None,
    foresight: Callable[[Foresight], None] | None = None,
    cluster: str | None = None,
) -> Run:
    """Go on with a run that was interrupted, stopped, killed, or failed.

    Nothing is lost but the tasks that were worked on; the finished run is the one that would have
    been written without interruption, to the last bit of its rows.

    Parameters
    ----------
    path : path
        The run directory.
    network : Network, optional
        The network, where it is no longer in the file that the run names.
    jobs, limits, progress, foresight, cluster
        As for :func:`enumerate_regions`; limits count from now.

    Returns
    -------
    Run
        A run that is finished already is only opened.

    Raises
    ------
    RunError
        If there is nothing to resume, the network is another one, another process is at work on the
        directory, or the run was begun by another version whose open cells cannot be read.
    EnumerationInterrupted
        On Ctrl-C.
    """
    begun, directory = time.perf_counter(), Path(path)
    check_jobs(jobs)
    manifest = read_manifest(directory)
    if manifest["status"] == "finished":
        with suppress(OSError):  # it may have been killed before its journal went
            (directory / JOURNAL_NAME).unlink(missing_ok=True)
        return open_run(directory)
    tasks = _tasks_of(directory, manifest)
    if manifest["versions"].get("core") != built_from():
        raise RunError(
            f"{directory} was begun by another build of polyrank; resume it with that one, or "
            "enumerate again"
        )
    own = _network_of(directory, manifest) if network is None else network
    if own.sha256 != manifest["network"]["hash"]:
        raise RunError(
            f"the network (hash {own.sha256[:12]}...) is not the run's "
            f"({manifest['network']['hash'][:12]}...)"
        )
    chart = chart_for(own, domain_from_dict(manifest["domain"]))
    if chart_entry(chart) != manifest["chart"]:
        raise RunError(f"{directory} was begun in other coordinates; enumerate again")
    plan = Plan(
        own,
        chart,
        asked_layers(own, manifest["options"].get("through_layer")),
        engine_for(own, chart, manifest["engine"]),
        tasks["proof"],
        "shard",
        tuple(float(v) for v in tasks["work"]),
    )
    writer = RunWriter.resume(directory, plan)
    maker = PieceMaker(plan)
    work = _Work(plan, maker, jobs, limits, progress, foresight, cluster, begun)

    def prepare() -> None:
        named = manifest.get("network_file")
        if isinstance(named, dict) and named.get("path") == NETWORK_NAME:
            _keep_network(own, directory)  # a run can be killed before its network is written

    return work.run(writer, prepare)


def _keep_network(network: Network, directory: Path) -> None:
    """Write the run's own network, whole or not at all; one that is there is the same."""
    file = directory / NETWORK_NAME
    draft = directory / f"partial.{NETWORK_NAME}"
    draft.unlink(missing_ok=True)
    save(network, draft)
    draft.replace(file)


def _tasks_of(directory: Path, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a run says of its tasks; what else it says of how it is to go on, is what a run writes.

    Raises
    ------
    RunError
        If it is not.
    """
    tasks = manifest.get("tasks")
    if not isinstance(tasks, dict):
        raise RunError(f"{directory} was begun by a polyrank without tasks; enumerate again")
    work = tasks.get("work")
    fits = {
        "tasks": isinstance(tasks.get("proof"), bool)
        and isinstance(work, list)
        and bool(work)
        and all(isinstance(v, (int, float)) and 0 < v < math.inf for v in work),
        "engine": manifest.get("engine") in get_args(Engine),
        "options": isinstance(manifest.get("options"), dict),
        "versions": isinstance(manifest.get("versions"), dict),
    }
    for field, right in fits.items():
        if not right:
            raise RunError(f"{directory} is damaged: its {field!r} are not what a run writes")
    return tasks


def _network_of(directory: Path, manifest: Mapping[str, Any]) -> Network:
    """The network that a run names."""
    entry = manifest.get("network_file")
    if not isinstance(entry, dict):
        raise RunError(f"{directory} does not say where its network is; name its file")
    file = directory / str(entry.get("path"))  # an absolute path stays what it is
    if not file.is_file():
        raise RunError(f"{file}, the run's network, is missing; name the network's file")
    return load_as_stated(file, entry.get("options"))


@dataclass(slots=True, eq=False)
class _Work:
    """The work on all open tasks of a run, and how it ends."""

    plan: Plan
    maker: PieceMaker
    jobs: int | None
    limits: Limits | None
    progress: Callable[[SearchProgress], None] | None
    foresight: Callable[[Foresight], None] | None
    cluster: str | None
    begun: float
    charted: float = 0.0
    guessing: InBackground | None = None
    expected: float | None = None

    def run(self, writer: RunWriter, prepare: Callable[[], None] = lambda: None) -> Run:
        """Do it.

        Raises
        ------
        EnumerationInterrupted
            On Ctrl-C.
        """
        self.charted = time.perf_counter()
        try:
            with writer, ExitStack() as stack:
                prepare()
                if self.in_one_piece:
                    try:
                        self._search_all(writer)
                    except LimitReached as reached:
                        return writer.stop(str(reached), timings=self._timings())
                    return writer.finish(timings=self._timings())
                if self.cluster is None:
                    crew: Crew = crew_of(self.plan, self.maker, asked_threads(self.jobs))
                else:
                    folder = None
                    if writer.directory is not None:
                        folder = stack.enter_context(incoming(writer.directory))
                    client = stack.enter_context(cluster_client(self.cluster))
                    crew = DaskCrew(client, self.plan, writer.domain, folder)
                try:
                    conduct(
                        crew,
                        writer.tickets,
                        accept=writer.accept,
                        unfinished=writer.unfinished,
                        between=lambda: self._between(writer, crew),
                    )
                except LimitReached as reached:
                    return writer.stop(str(reached), timings=self._timings())
                finally:
                    if self.guessing is not None:
                        self.guessing.stop()
                return writer.finish(timings=self._timings())
        except KeyboardInterrupt:
            raise EnumerationInterrupted(writer.run) from None

    @property
    def in_one_piece(self) -> bool:
        """Whether nothing asks for tasks: no disk, no limit, no other machine."""
        plan = self.plan
        alone = self.cluster is None and self.limits is None
        return alone and plan.keep == "batches" and plan.engine != "highs"

    def _search_all(self, writer: RunWriter) -> None:
        """One search for everything, whose threads share one tree."""
        (ticket,) = writer.tickets

        def told(state: SearchProgress) -> None:
            if self.foresight is not None and self.expected is None:
                self._foresee(state.seconds, self.foresight)
            tell("of the tree of regions", state.share, 1.0)
            if self.progress is not None:
                self.progress(replace(state, expected=self.expected))

        try:
            piece, ended = self.maker.whole(self.jobs, told)
        finally:
            if self.guessing is not None:
                self.guessing.stop()
        if ended is not None:
            writer.unfinished(ticket, piece)
            raise ended
        writer.accept(ticket, piece)

    def _timings(self) -> dict[str, float]:
        ended = time.perf_counter()
        return {
            "chart": self.charted - self.begun,
            "search": ended - self.charted,
            "total": ended - self.begun,
        }

    def _between(self, writer: RunWriter, crew: Crew) -> None:
        regions, seconds = writer.rows + crew.rows, time.perf_counter() - self.charted
        if self.limits is not None:
            self.limits.look(begun=self.begun, regions=regions, written=writer.written)
        if self.foresight is not None and self.expected is None:
            self._foresee(seconds, self.foresight)
        tell("of the tree of regions", writer.share, 1.0)
        if self.progress is not None:
            undecided = writer.undecided_count
            self.progress(SearchProgress(regions, writer.share, undecided, seconds, self.expected))

    def _foresee(self, seconds: float, tell: Callable[[Foresight], None]) -> None:
        """Estimate what is to come, once it is clear that it takes a while."""
        if self.guessing is None:
            if seconds > FORESIGHT_SECONDS:
                self.guessing = InBackground(self.plan, asked_threads(self.jobs))
            return
        found = self.guessing.found
        if found is not None:
            self.expected = found.regions or float(found.at_least)
            tell(found)
