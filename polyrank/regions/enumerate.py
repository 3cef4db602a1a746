"""Every activation region of a network on a domain, with its exact ranks, as a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args

from polyrank.cells.search import chosen_engine, search
from polyrank.cells.task import SearchProgress, settled
from polyrank.errors import NetworkError, RunError
from polyrank.network.formats.writing import save
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import Domain, WholeSpace
from polyrank.posed.problem import Problem
from polyrank.regions.manifest import chart_entry, network_entry, versions
from polyrank.regions.proof_log import NETWORK_NAME, ProofLog, proof_files
from polyrank.regions.run import Run
from polyrank.regions.writer import RunWriter

__all__ = ["Engine", "EnumerationInterrupted", "enumerate_regions"]

Engine = Literal["auto", "dictionary", "vertices", "highs"]


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
        1 to 3; or warm-started HiGHS: slower. All are independent of each other, with the same
        rules of what counts as decided. ``auto`` takes the faster of the first two.
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
        may use; HiGHS, and dictionaries that write a proof, use one.

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
    EnumerationInterrupted
        On Ctrl-C (it is a KeyboardInterrupt); the partial run is kept and labelled.

    Notes
    -----
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
    layers = _layers(network, through_layer)
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs is {jobs}, expected a number of threads, at least 1")
    if engine not in get_args(Engine):
        raise ValueError(f"engine {engine!r} is not one of {', '.join(get_args(Engine))}")
    directory = None if out is None else Path(out)
    if directory is not None and directory.exists():
        # before the chart, which may cost exact linear programs; the writer checks again
        raise RunError(f"{directory} exists already; name a new directory or remove that one")
    if proof and directory is None:
        raise RunError("a proof is written beside the regions; name a directory with out=")
    where = WholeSpace() if domain is None else domain
    problem = Problem.on(network, where, layers)
    chart = problem.chart
    chosen = chosen_engine(problem) if engine == "auto" else engine
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
        "versions": versions(),
    }
    bits = sum(network.bits[:layers])
    sink = RunWriter(manifest, bits=bits, layers=layers, dim=chart.k, directory=directory)
    log = None if directory is None or not proof else ProofLog(directory)

    def between(state: SearchProgress) -> None:
        sink.save()
        if progress is not None:
            progress(state)

    charted = time.perf_counter()
    try:
        with sink, proof_files(log):
            if own_file and directory is not None:
                save(network, directory / NETWORK_NAME)
            found = search(
                problem,
                lambda batch: sink.write(settled(batch, problem.ranks)),
                engine=chosen,
                progress=between,
                proof=None if log is None else log.write,
                jobs=jobs,
            )
            ended = time.perf_counter()
            return sink.finish(
                undecided=found.undecided,
                certified=found.certified,
                search={"tests": found.tests, "pivots": found.pivots, "ladder": dict(found.ladder)},
                timings={
                    "chart": charted - begun,
                    "search": ended - charted,
                    "total": ended - begun,
                },
                proof=None if log is None else log.finish(),
            )
    except KeyboardInterrupt:
        raise EnumerationInterrupted(sink.run) from None


def _layers(network: Network, through_layer: int | None) -> int:
    total = len(network.layers)
    if through_layer is None:
        return total
    if not 1 <= through_layer <= total:
        raise NetworkError(
            f"cannot enumerate through layer {through_layer}: "
            f"{network.name!r} has layers 1 to {total}, the output layer last"
        )
    return through_layer
