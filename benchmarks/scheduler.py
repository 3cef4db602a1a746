"""What a scheduler of Dask carries for the tasks of a run: messages, bytes, processor time.

Run from the checkout: ``python -m benchmarks.scheduler [--case D-N-N] [--workers N]
[--task-seconds S ...]``. The scheduler is a process of its own, in which every message that comes
or goes is counted. First the run of a network on two worker processes, which write shards into its
directory, and then which send them back. Then N workers of one thread, all in one process, whose
tasks sleep S seconds and whose messages are as long as those of the run with a shared disk have
been on average: what the scheduler carries does not depend on what tasks do. As in a run, three
tasks for every thread are in flight.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import multiprocessing
import queue
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import dask
import distributed
from distributed.comm import tcp

import polyrank as pr
from benchmarks.cases import he
from polyrank.regions import cluster as cluster_module
from polyrank.regions import enumerate as enumerate_module

_IDLE_SECONDS = 5.0


def _count(carried: dict[str, float]) -> None:
    """Have this process count what its connections carry."""
    to_frames, from_frames = tcp.to_frames, tcp.from_frames

    def note(way: str, message: Any, frames: Any) -> None:
        size = sum(len(memoryview(frame).cast("B")) for frame in frames)
        carried[f"{way} packets"] += 1
        carried[f"{way} messages"] += len(message) if isinstance(message, (list, tuple)) else 1
        carried[f"{way} bytes"] += size
        carried["largest"] = max(carried["largest"], size)

    async def sent(message: Any, **how: Any) -> Any:
        frames = await to_frames(message, **how)
        note("out", message, frames)
        return frames

    async def received(frames: Any, **how: Any) -> Any:
        message = await from_frames(frames, **how)
        note("in", message, frames)
        return message

    tcp.to_frames, tcp.from_frames = sent, received


def _quiet() -> None:
    dask.config.set(cluster_module.QUIET)
    logging.disable(logging.WARNING)


def _scheduler(pipe: Connection) -> None:
    """A scheduler; asked by any message but None, it answers what it has carried."""
    carried = dict.fromkeys(
        [f"{way} {what}" for way in ("in", "out") for what in ("packets", "messages", "bytes")], 0.0
    )
    carried["largest"] = 0.0

    async def work() -> None:
        _count(carried)
        async with distributed.Scheduler(port=0, dashboard=False) as scheduler:
            pipe.send(scheduler.address)
            loop = asyncio.get_running_loop()
            while await loop.run_in_executor(None, pipe.recv) is not None:
                pipe.send({**carried, "busy": time.process_time(), "clock": time.perf_counter()})
                carried["largest"] = 0.0

    _quiet()
    asyncio.run(work())


def _workers(address: str, number: int, pipe: Connection) -> None:
    """Workers of one thread, all in this process, until a message comes."""

    async def work() -> None:
        async with contextlib.AsyncExitStack() as stack:
            for begin in range(0, number, 50):
                some = [
                    stack.enter_async_context(
                        distributed.Worker(address, nthreads=1, dashboard_address=None)
                    )
                    for _ in range(begin, min(number, begin + 50))
                ]
                await asyncio.gather(*some)
            pipe.send(None)
            await asyncio.get_running_loop().run_in_executor(None, pipe.recv)

    _quiet()
    asyncio.run(work())


@contextlib.contextmanager
def _process(target: Any, *given: Any) -> Iterator[Connection]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=target, args=(*given, there), daemon=True)
    process.start()
    try:
        yield here
    finally:
        with contextlib.suppress(OSError):
            here.send(None)
        process.join(20)
        process.kill()


def _asked(pipe: Connection) -> dict[str, float]:
    pipe.send("what?")
    answer: dict[str, float] = pipe.recv()
    return answer


def _told(name: str, tasks: int, before: dict[str, float], after: dict[str, float]) -> None:
    less = {what: after[what] - before[what] for what in after}
    seconds, busy = less["clock"], less["busy"]
    print(
        f"| {name} | {tasks:,} | {seconds:.1f} | {tasks / seconds:.1f} "
        f"| {less['in messages'] / tasks:.1f} / {less['out messages'] / tasks:.1f} "
        f"| {less['in bytes'] / tasks / 1e3:,.1f} / {less['out bytes'] / tasks / 1e3:,.1f} "
        f"| {after['largest'] / 1e6:.3f} | {100 * busy / seconds:.0f} % "
        f"| {1e3 * busy / tasks:.1f} |",
        flush=True,
    )


def stand_in(seconds: float, there: bytes, back: int) -> bytes:
    """A task that does nothing, as long as the others and with messages of their size."""
    time.sleep(seconds)
    return bytes(back)


def _run(case: str, shared: bool, address: str, pipe: Connection) -> float:
    """A real run; bytes a task that came to the scheduler."""
    network, box = he([*map(int, case.split("-")), 1]), pr.Box(-1, 1)
    tasks = 0
    start = cluster_module.DaskCrew.start

    def counted(crew: Any, ticket: Any) -> None:
        nonlocal tasks
        tasks += 1
        start(crew, ticket)

    whole = enumerate_module.incoming
    cluster_module.DaskCrew.start = counted
    if not shared:
        enumerate_module.incoming = lambda _: contextlib.nullcontext(None)
    try:
        with tempfile.TemporaryDirectory() as folder:
            before = _asked(pipe)
            run = pr.enumerate_regions(network, box, out=Path(folder) / "run", cluster=address)
            after = _asked(pipe)
            assert run.certified
    finally:
        enumerate_module.incoming, cluster_module.DaskCrew.start = whole, start
    how = "shards on a shared disk" if shared else "shards sent back"
    _told(f"{case}, {how}", tasks, before, after)
    return (after["in bytes"] - before["in bytes"]) / tasks


def _stand_ins(
    client: Any, number: int, seconds: float, size: int, lasting: float, pipe: Connection
) -> None:
    """Three tasks for every worker, as a run has them in flight, for a while."""
    done: queue.SimpleQueue[Any] = queue.SimpleQueue()
    tree = bytes(size)
    flying: set[Any] = set()

    def submit() -> None:
        future = client.submit(stand_in, seconds, tree, size, pure=False)
        flying.add(future)
        future.add_done_callback(done.put)

    for _ in range(3 * number):
        submit()
    until = time.perf_counter() + seconds  # all have begun
    while time.perf_counter() < until or done.empty():
        time.sleep(0.01)
    finished, before, busy = 0, _asked(pipe), time.process_time()
    until = time.perf_counter() + lasting
    while time.perf_counter() < until:
        with contextlib.suppress(queue.Empty):
            future = done.get(timeout=0.05)
            future.result()
            flying.discard(future)
            finished += 1
            submit()
    after, busy = _asked(pipe), time.process_time() - busy
    _told(f"{number:,} workers, {seconds:g} s", finished, before, after)
    taken = after["clock"] - before["clock"]
    print(
        f"  of {number * taken / seconds:,.0f} tasks that fit in {taken:.1f} s; "
        f"the client took {1e3 * busy / max(1, finished):.1f} ms of its processor a task",
        flush=True,
    )
    client.cancel(list(flying), force=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", default="6-20-20")
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--task-seconds", type=float, nargs="*", default=[6.0, 2.0, 1.0])
    parser.add_argument("--seconds", type=float, default=15.0)
    given = parser.parse_args()
    _quiet()
    print(
        "| what | tasks | s | tasks/s | messages a task in / out | kB a task in / out "
        "| largest, MB | scheduler busy | ms a task |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    with _process(_scheduler) as pipe:
        address = pipe.recv()
        with _process(_workers, address, 1) as one, _process(_workers, address, 1) as other:
            one.recv(), other.recv()
            pr.enumerate_regions(he([3, 16, 16, 1]), pr.Box(-1, 1), cluster=address)
            time.sleep(_IDLE_SECONDS)
            # of a tree that the client sends, and of what a worker says
            size = int(_run(given.case, True, address, pipe) / 2)
            _run(given.case, False, address, pipe)
        if not given.workers:
            return
        with _process(_workers, address, given.workers) as many, distributed.Client(address) as us:
            many.recv()
            time.sleep(_IDLE_SECONDS)
            for seconds in given.task_seconds:
                _stand_ins(us, given.workers, seconds, size, given.seconds, pipe)
                time.sleep(_IDLE_SECONDS)


if __name__ == "__main__":
    main()
