"""Workers on other machines: tasks as futures of Dask distributed.

A task is a pure function of the question and a subtree (:mod:`polyrank.regions.pieces`), so Dask
may run it anywhere, and again where a worker has died: what it gives is the same. Where a worker
sees the directory of the run (:mod:`polyrank.regions.incoming`) it writes the shard there, and only
what is said of it comes back; else the shard itself does, a few megabytes, and the process that
began the run writes it. Scheduling, and noticing workers that come and go, is Dask's own business.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import queue
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyrank.cells.explore import Explored
from polyrank.cells.subtree import subtree_from_json, subtree_to_json
from polyrank.errors import RunError, UnsupportedError
from polyrank.native.library import built_from
from polyrank.network.formats import load
from polyrank.network.formats.writing import save
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import domain_from_dict
from polyrank.posed.section import chart_for
from polyrank.regions.crew import Ticket
from polyrank.regions.histogram import RankHistogram
from polyrank.regions.incoming import Incoming
from polyrank.regions.pieces import Piece, PieceMaker
from polyrank.regions.plan import Plan

__all__ = ["QUIET", "DaskCrew", "cluster_client", "local_cluster"]

#: Attempts of a task that raises; a task whose workers die is given up by Dask after three.
_ATTEMPTS = 3
_TIMEOUT = "20s"
#: How long it is believed how many threads the cluster has.
_THREADS_SECONDS = 1.0
#: What Dask does many times a second for a dashboard, which nobody sees here, and for results that
#: workers keep for each other, of which there are none: a tenth of a processor.
QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.scheduler.active-memory-manager.start": False,
    # large arrays come and go: memory that is given back each time is asked for again
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 1 << 28,
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "5s",
}


@dataclass(frozen=True, slots=True)
class Question:
    """What a worker needs to know, once."""

    key: str
    network: str
    domain: Mapping[str, Any]
    layers: int
    engine: str
    proof: bool
    keep: Any
    work: tuple[float, ...]
    core: str
    incoming: Incoming | None = None

    @classmethod
    def of(
        cls, plan: Plan, domain: Mapping[str, Any], incoming: Incoming | None = None
    ) -> Question:
        """The question of a plan; the chart is made from the domain again, by whoever works."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "network.json"
            save(plan.network, file)
            text = file.read_text(encoding="utf-8")
        key = uuid.uuid4().hex
        return cls(
            key,
            text,
            dict(domain),
            plan.layers,
            plan.engine,
            plan.proof,
            plan.keep,
            plan.work,
            built_from(),
            incoming,
        )

    def plan(self) -> Plan:
        """The plan, on the machine of a worker.

        Raises
        ------
        RunError
            If polyrank is of another build here.
        """
        if built_from() != self.core:
            raise RunError("a worker of the cluster has another build of polyrank")
        network = self._network()
        chart = chart_for(network, domain_from_dict(self.domain))
        return Plan(network, chart, self.layers, self.engine, self.proof, self.keep, self.work)

    def _network(self) -> Network:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "network.json"
            file.write_text(self.network, encoding="utf-8")
            return load(file)


#: What the workers of this process are asked, by key of the question.
_questions: dict[str, Question] = {}
#: Those of them that have nothing to do: a thread takes one for a task.
_idle: dict[str, list[PieceMaker]] = {}


def ask(question: Question) -> None:
    """A question comes, on a worker of the cluster."""
    _questions[question.key] = question


def forget(key: str) -> None:
    """It is answered, or given up."""
    _questions.pop(key, None)
    _idle.pop(key, None)


def _plugin(question: Question) -> Any:
    """What tells the workers of a cluster their question: those of today and those that come."""
    distributed: Any = importlib.import_module("distributed")

    # it is sent by value, and what it calls by name; its base is of an extra, of no known type
    class Told(distributed.WorkerPlugin):  # type: ignore[misc]
        def setup(self, worker: Any) -> None:  # noqa: ARG002
            ask(question)

        def teardown(self, worker: Any) -> None:  # noqa: ARG002
            forget(question.key)

    return Told()


def work_on(key: str, tree: str) -> dict[str, Any]:
    """One task, on a worker of the cluster."""
    question = _questions[key]
    mine = _idle.setdefault(key, [])
    try:
        maker = mine.pop()
    except IndexError:
        maker = PieceMaker(question.plan())
    piece = maker.make(subtree_from_json(json.loads(tree)))
    mine.append(maker)  # where it was forgotten meanwhile, nobody finds it
    importlib.import_module("distributed").secede()  # the next task goes on while this one writes
    explored = piece.explored
    return {
        "rows": piece.rows,
        "ranks": piece.histogram.as_json(),
        "digest": piece.digest,
        **_left(question.incoming, piece),
        "batches": piece.batches,
        "segments": piece.segments,
        "log_bytes": piece.log_bytes,
        "undecided": explored.undecided,
        "rest": [json.dumps(subtree_to_json(rest)) for rest in explored.rest],
        "counts": dict(explored.counts),
        "seconds": piece.seconds,
    }


def _left(incoming: Incoming | None, piece: Piece) -> dict[str, Any]:
    """The shard and the part of the proof: names of files in the run's folder, or their bytes."""
    here = {"shard": piece.shard, "log": piece.log}
    if incoming is None or not incoming.reached:
        return here
    names = {}
    try:
        for what, content in here.items():
            if content:
                names[f"{what}_file"] = incoming.write(content)
    except OSError:  # seen, but not writable from here, or no longer there
        return here
    return {"shard": b"", "log": b"", **names}


def _piece(given: Mapping[str, Any], incoming: Incoming | None) -> Piece:
    def written(what: str) -> Path | None:
        name = given.get(what)
        if name is None:
            return None
        if incoming is None:
            raise RunError("a worker of the cluster wrote to a folder that the run has not")
        return incoming.file(str(name))

    rest = tuple(subtree_from_json(json.loads(tree)) for tree in given["rest"])
    return Piece(
        given["rows"],
        RankHistogram.from_json(given["ranks"], given["rows"]),
        given["digest"],
        given["shard"],
        tuple(given["batches"]),
        given["log"],
        given["segments"],
        given["log_bytes"],
        Explored(tuple(given["undecided"]), rest, True, given["counts"]),
        given["seconds"],
        written("shard_file"),
        written("log_file"),
    )


@contextlib.contextmanager
def local_cluster(workers: int) -> Iterator[Any]:
    """Processes of one thread on this machine, with their scheduler, while the block runs."""
    dask: Any = importlib.import_module("dask")
    distributed: Any = importlib.import_module("distributed")
    with (
        dask.config.set(QUIET),
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs="CRITICAL",
        ) as cluster,
    ):
        yield cluster


@contextlib.contextmanager
def cluster_client(address: str) -> Iterator[Any]:
    """A client of a scheduler, or of N processes here (``local:N``), while the block runs.

    Raises
    ------
    UnsupportedError
        If Dask distributed is not installed.
    RunError
        If nobody answers at the address.
    """
    try:
        distributed: Any = importlib.import_module("distributed")  # an extra
    except ModuleNotFoundError:
        raise UnsupportedError(
            "Dask distributed is not installed: pip install 'polyrank[cluster]'"
        ) from None
    with contextlib.ExitStack() as stack:
        kind, _, number = address.partition(":")
        if kind == "local":
            if not number.isdecimal() or int(number) < 1:
                raise RunError(f"{address!r} does not say how many processes: local:4")
            local = stack.enter_context(local_cluster(int(number)))
            yield stack.enter_context(distributed.Client(local))
            return
        try:
            client = distributed.Client(address, timeout=_TIMEOUT)
        except (OSError, TimeoutError, ValueError) as error:
            raise RunError(f"no scheduler of Dask answers at {address}: {error}") from None
        yield stack.enter_context(client)


class DaskCrew:
    """A crew of the workers of a cluster.

    Parameters
    ----------
    client : distributed.Client
    plan : Plan
    domain : mapping
        The domain as it describes itself.
    incoming : Incoming, optional
        The folder of the run for workers that reach it.
    """

    def __init__(
        self,
        client: Any,
        plan: Plan,
        domain: Mapping[str, Any],
        incoming: Incoming | None = None,
    ) -> None:
        self._client = client
        self._incoming = incoming
        question = Question.of(plan, domain, incoming)
        self._name = f"polyrank-{question.key}"
        self._key = question.key
        # not as what tasks depend on: Dask would prefer the workers that hold it
        client.register_plugin(_plugin(question), name=self._name)
        self._results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._flying: dict[str, tuple[Ticket, Any]] = {}
        self._threads, self._asked = 1, -_THREADS_SECONDS

    @property
    def room(self) -> int:
        """Three tasks for every thread: one to work on, one to write, and the next one."""
        now = time.monotonic()
        if now > self._asked + _THREADS_SECONDS:
            self._threads, self._asked = sum(self._client.nthreads().values()), now
        return max(3, 3 * self._threads) - len(self._flying)

    @property
    def rows(self) -> int:
        """Not known before a task is done."""
        return 0

    def start(self, ticket: Ticket) -> None:
        """Give them a task."""
        key = f"{self._name}-{ticket.number}"
        future = self._client.submit(
            work_on,
            self._key,
            json.dumps(subtree_to_json(ticket.tree)),
            key=key,
            pure=False,
            retries=_ATTEMPTS - 1,
        )
        self._flying[key] = ticket, future
        future.add_done_callback(self._results.put)

    def finished(self, seconds: float) -> list[tuple[Ticket, Piece | BaseException]]:
        """What is done, waiting for it no longer than that."""
        out: list[tuple[Ticket, Piece | BaseException]] = []
        with contextlib.suppress(queue.Empty):
            out.append(self._result(self._results.get(timeout=seconds)))
            while True:
                out.append(self._result(self._results.get_nowait()))
        return out

    def _result(self, future: Any) -> tuple[Ticket, Piece | BaseException]:
        ticket, _ = self._flying.pop(future.key)
        try:
            return ticket, _piece(future.result(), self._incoming)
        except Exception as error:  # noqa: BLE001  (whatever happened on a worker)
            reason = f"{type(error).__name__}: {error}"
            return ticket, RunError(
                f"task {ticket.number} failed on {_ATTEMPTS} workers of the cluster; it stays "
                f"open, and the run can be resumed ({reason})"
            )

    def stop(self) -> list[tuple[Ticket, Piece]]:
        """Let go of all tasks."""
        for _, future in self._flying.values():
            with contextlib.suppress(Exception):  # the scheduler may be gone
                future.cancel(force=True)
        self._flying = {}
        with contextlib.suppress(Exception):
            self._client.unregister_worker_plugin(self._name)
        return []
