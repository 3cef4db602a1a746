"""Several threads on one tree: the same regions in the same order, and the same proof."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyrank as pr
from polyrank.cells import dictionary_search as dictionary_module
from polyrank.cells import threads
from polyrank.cells.dictionary import Dictionary
from polyrank.cells.engine import Options
from polyrank.cells.ordered_work import OrderedWork, Share, each
from polyrank.cells.search import search
from polyrank.cells.task import Batch
from polyrank.cells.vertices import search as search_module
from polyrank.cells.vertices import worker as worker_module
from polyrank.cells.vertices.search import VertexSearch, root_of
from polyrank.complex.level_set import decision_boundary
from polyrank.errors import EmptyDomainError
from polyrank.network.normal_form import Network
from polyrank.posed.chart import Chart, chart
from polyrank.posed.problem import Problem
from polyrank.proof.check import check
from tests.cells.test_search_paths import _domain, _network


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads at once, short proof segments, tasks of few cells, shared at every chance."""
    monkeypatch.setattr(search_module, "ALONE_SECONDS", 0.0)
    monkeypatch.setattr(search_module, "_SEGMENT", 7)
    monkeypatch.setattr(worker_module, "_TASK_CELLS", 23)
    monkeypatch.setattr(worker_module, "SHARE_SECONDS", 0.0)
    monkeypatch.setattr(worker_module, "HAND_ON_SECONDS", 0.0)


def _everything(network: Network, where: Chart, jobs: int, *, proof: bool) -> dict[str, bytes]:
    out: dict[str, bytes] = defaultdict(bytes)

    def add(**arrays: Any) -> None:
        for name, data in arrays.items():
            out[name] += data if isinstance(data, bytes) else data.tobytes()

    result = VertexSearch(
        Problem.of(network, where),
        lambda b: add(
            codeword=b.codeword,
            zero=b.zero,
            witness=b.witness,
            exact="".join(str(v) for _, v in sorted(b.witness_exact.items())).encode(),
        ),
        Options(proof=(lambda data: add(proof=data)) if proof else None, jobs=jobs),
        keep=lambda cells: add(x=cells.x, pos=cells.pos, label=cells.label),
    ).run()
    assert result.certified
    out["regions"] = str(result.regions).encode()
    return out


@pytest.mark.parametrize("proof", [False, True])
def test_degenerate_networks_on_several_threads(eager: None, proof: bool) -> None:
    """All of R^n, boxes, polytopes, slices; questions are answered in every thread."""
    compared = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        net = _network(rng)
        try:
            where = chart(_domain(rng, net.input_dim), net.input_dim)
        except EmptyDomainError:
            continue
        if root_of(Problem.of(net, where)) is None:
            continue
        expected = _everything(net, where, 1, proof=proof)
        for jobs in (2, 5):
            assert _everything(net, where, jobs, proof=proof) == expected, f"seed {seed}"
        compared += 1
    assert compared > 30


@pytest.mark.parametrize("domain", [pr.Box(-1, 1), pr.WholeSpace()], ids=["box", "space"])
def test_a_proof_made_by_threads_is_accepted(eager: None, domain: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    net = pr.Network.from_arrays(
        [rng.normal(size=(9, 3)), rng.normal(size=(7, 9)), rng.normal(size=(1, 7))],
        [rng.normal(size=9), rng.normal(size=7), np.zeros(1)],
    )
    runs = [
        pr.enumerate_regions(net, domain, out=tmp_path / str(jobs), proof=True, jobs=jobs)
        for jobs in (1, 4)
    ]
    assert runs[0].table == runs[1].table
    assert check(tmp_path / "4").complete


def test_a_complex_does_not_depend_on_threads(eager: None) -> None:
    rng = np.random.default_rng(7)
    net = pr.Network.from_arrays(
        [rng.normal(size=(6, 3)), rng.normal(size=(2, 6))], [rng.normal(size=6), np.zeros(2)]
    )
    one, many = (decision_boundary(net, pr.Box(-2, 2), 0, 1, jobs=jobs) for jobs in (1, 4))
    assert np.array_equal(one.complex.vertices, many.complex.vertices)
    assert one.complex.f_vector == many.complex.f_vector
    assert all(np.array_equal(a, b) for a, b in zip(one.mask, many.mask, strict=True))


def test_an_error_in_a_thread_reaches_the_caller(eager: None, monkeypatch: Any) -> None:
    net = pr.Network.from_arrays(
        [np.random.default_rng(0).normal(size=(40, 2)), np.ones((1, 40))], [np.zeros(40) + 0.1, [0]]
    )
    search = VertexSearch(
        Problem.of(net, chart(pr.Box(-1, 1), 2)), lambda batch: None, Options(jobs=3)
    )

    def fails(self: Any, task: Any, share: Any) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(worker_module.VertexWorker, "work", fails)
    with pytest.raises(MemoryError, match="no room"):
        search.run()


def test_an_interrupt_keeps_what_was_found(eager: None) -> None:
    """Ctrl-C comes to the main thread; all threads end, and their regions are handed on."""
    rng = np.random.default_rng(0)
    net = pr.Network.from_arrays(
        [rng.normal(size=(60, 2)), np.ones((1, 60))], [rng.normal(size=60), [0]]
    )
    found: list[Any] = []

    def sink(batch: Any) -> None:
        found.append(batch)
        signal.raise_signal(signal.SIGINT)

    search = VertexSearch(Problem.of(net, chart(pr.Box(-1, 1), 2)), sink, Options(jobs=3))
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        search.run()
    assert threading.active_count() == before
    assert sum(len(batch.rank) for batch in found) == search.regions > 0


def _with_dictionaries(network: Network, where: Chart, **options: Any) -> dict[str, bytes]:
    out: dict[str, bytes] = defaultdict(bytes)

    def sink(batch: Batch) -> None:
        for name in ("codeword", "zero", "rank", "witness"):
            out[name] += getattr(batch, name).tobytes()
        for point in batch.witness_exact.values():
            out["exact"] += repr(point).encode()

    result = search(Problem.of(network, where), sink, engine="dictionary", **options)
    for name in ("regions", "tests", "pivots", "certified", "undecided"):
        out[name] = repr(getattr(result, name)).encode()
    out["exact_cells"] = repr(result.ladder["exact_cells"]).encode()
    return out


@pytest.mark.parametrize("rational", [True, False])
def test_dictionaries_on_several_threads(monkeypatch: pytest.MonkeyPatch, rational: bool) -> None:
    """Every cell is given away when a thread waits; cells for rationals come in the same order."""
    monkeypatch.setattr(dictionary_module, "ALONE_SECONDS", 0.0)
    monkeypatch.setattr(dictionary_module, "HAND_ON_SECONDS", 0.0)
    exact = shared = 0
    adopt = Dictionary.adopt

    def counted(self: Dictionary, task: Any) -> None:
        nonlocal shared
        shared += 1
        adopt(self, task)

    monkeypatch.setattr(Dictionary, "adopt", counted)
    for seed in range(80):
        rng = np.random.default_rng(seed)
        net = _network(rng)
        try:
            where = chart(_domain(rng, net.input_dim), net.input_dim)
        except EmptyDomainError:
            continue
        expected = _with_dictionaries(net, where, rational=rational, jobs=1)
        exact += int(expected["exact_cells"])
        for jobs in (2, 6):
            assert _with_dictionaries(net, where, rational=rational, jobs=jobs) == expected, seed
    assert shared > 100
    assert (exact > 0) == rational


def test_a_proof_of_dictionaries_does_not_depend_on_jobs(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    net = pr.Network.from_arrays(
        [rng.normal(size=(8, 4)), rng.normal(size=(5, 8)), rng.normal(size=(1, 5))],
        [rng.normal(size=8), rng.normal(size=5), np.zeros(1)],
    )
    runs = [
        pr.enumerate_regions(net, pr.Box(-1, 1), out=tmp_path / str(j), proof=True, jobs=j)
        for j in (1, 4)
    ]
    assert runs[0].table == runs[1].table
    assert check(tmp_path / "4").complete


def test_an_interrupt_keeps_what_dictionaries_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dictionary_module, "ALONE_SECONDS", 0.0)
    monkeypatch.setattr(dictionary_module, "HAND_ON_SECONDS", 0.0)
    rng = np.random.default_rng(0)
    net = pr.Network.from_arrays(
        [rng.normal(size=(14, 5)), np.ones((1, 14))], [rng.normal(size=14), [0]]
    )
    found: list[Any] = []

    def sink(batch: Any) -> None:
        found.append(batch)
        signal.raise_signal(signal.SIGINT)

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        search(Problem.of(net, chart(pr.Box(-1, 1), 5)), sink, jobs=3)
    assert threading.active_count() == before
    assert found


class _Count:
    """Counts down: a task (start, stop) is a range of numbers, found one by one or given away."""

    def __init__(self) -> None:
        self.tasks = 0

    def work(self, task: tuple[int, int], share: Share[tuple[int, int], int]) -> None:
        self.tasks += 1
        start, stop = task
        while start < stop and not share.stopped:
            if share.wanted and stop - start > 8:
                middle = (start + stop) // 2
                share.give([(middle, stop)])
                stop = middle
            share.found([start])
            start += 1
            time.sleep(0)


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_results_come_in_order(jobs: int) -> None:
    work: OrderedWork[tuple[int, int], int] = OrderedWork([(0, 10), (10, 3000), (3000, 3001)])
    workers = [_Count() for _ in range(jobs)]
    found: list[int] = []
    work.run(workers, found.append, lambda: None)
    assert found == list(range(3001))
    assert sum(w.tasks for w in workers) >= 3


def test_available_threads(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "_QUOTA", tmp_path / "cpu.max")
    assert threads.available_threads() == 8
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert threads.available_threads() == 8
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    assert threads.available_threads() == 3
    for text, count in (("2", 2), ("0", 3), ("many", 3)):
        monkeypatch.setenv("OMP_NUM_THREADS", text)
        assert threads.available_threads() == count


def test_no_thread_at_all_is_refused() -> None:
    net = pr.Network.from_arrays([np.eye(2), [[1.0, 1.0]]], [np.zeros(2), [0.0]])
    for verb in (pr.enumerate_regions, pr.count_regions, pr.estimate_run):
        with pytest.raises(ValueError, match="jobs is 0, expected a number of threads"):
            verb(net, pr.Box(-1, 1), jobs=0)


def test_a_thread_inside_a_long_call_is_left_to_itself() -> None:
    """Ctrl-C does not wait for a call of the core that does not return."""
    inside, free, ended = threading.Event(), threading.Event(), threading.Event()

    class Stuck:
        def work(self, task: int, share: Share[int, int]) -> None:
            share.found([task])
            inside.set()
            free.wait()
            ended.set()

    def check_after() -> None:
        if inside.is_set():
            raise KeyboardInterrupt

    work: OrderedWork[int, int] = OrderedWork([1, 2])
    handed: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        work.run([Stuck()], handed.append, check_after)
    assert not ended.is_set()  # the call goes on: nobody waited for its end
    assert handed + work.rest() == [1]
    free.set()
    assert ended.wait(60)


def test_an_interrupt_is_answered_between_two_results() -> None:
    """However much was found at once: what was not handed on is kept, in order."""

    class AtOnce:
        def work(self, task: int, share: Share[int, int]) -> None:
            share.found(range(task, task + 100))

    handed: list[int] = []

    def check() -> None:
        if len(handed) == 3:
            raise KeyboardInterrupt

    work: OrderedWork[int, int] = OrderedWork([0, 100])
    with pytest.raises(KeyboardInterrupt):
        work.run([AtOnce()], handed.append, check)
    assert handed == [0, 1, 2]
    rest = work.rest()
    assert rest == list(range(3, 3 + len(rest)))
    assert len(rest) in {97, 197}  # the second task may have begun


def test_each_keeps_the_order_of_the_pieces() -> None:
    def slow_where_early(v: int) -> int:
        time.sleep(0.002 * (20 - v))
        return v * v

    told: list[int] = []
    assert each(slow_where_early, range(20), 7, told.append) == [v * v for v in range(20)]
    assert told == list(range(1, 21))
    assert each(slow_where_early, [], 7) == []


@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_an_error_in_one_piece_is_raised(jobs: int) -> None:
    def fail(v: int) -> int:
        if v == 3:
            raise RuntimeError("piece 3")
        return v

    with pytest.raises(RuntimeError, match="piece 3"):
        each(fail, range(9), jobs)


def test_each_is_interrupted_at_once() -> None:
    ended = threading.Event()
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        each(lambda _: ended.wait(20), range(4), 2)
    assert time.monotonic() - begun < 10  # and not the 40 seconds of the pieces
    ended.set()
