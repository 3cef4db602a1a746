"""Who works on the tasks of a run, and the loop that hands them out and takes in what they give."""

from __future__ import annotations

import heapq
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from polyrank.cells.interrupt import DeferredInterrupt
from polyrank.cells.subtree import Subtree
from polyrank.regions.pieces import Piece, PieceMaker
from polyrank.regions.plan import Plan

__all__ = ["Crew", "Threads", "Ticket", "conduct", "crew_of"]

#: How long the main thread sleeps at most before it looks for an interrupt and reports.
_LOOK_SECONDS = 0.05
#: How long threads may take to see that they are to stop; then they are left to themselves.
_PATIENCE_SECONDS = 0.6


@dataclass(frozen=True, slots=True, order=True)
class Ticket:
    """A task of a run: its place in the tree of tasks, its number, its open cells.

    Tickets are ordered as the regions in them: a task before those that it leaves, and those in the
    order of the search.
    """

    path: tuple[int, ...]
    number: int = field(compare=False)
    tree: Subtree = field(compare=False)


class Crew(Protocol):
    """Workers."""

    @property
    def room(self) -> int:
        """How many more tasks they take."""

    @property
    def rows(self) -> int:
        """Regions found in tasks that are not done, as far as known."""

    def start(self, ticket: Ticket) -> None:
        """Give them a task."""

    def finished(self, seconds: float) -> Iterable[tuple[Ticket, Piece | BaseException]]:
        """What is done, waiting for it no longer than that."""

    def stop(self) -> Iterable[tuple[Ticket, Piece]]:
        """End the work; parts of what unfinished tasks give."""


class Threads:
    """A crew of threads in this process.

    Parameters
    ----------
    makers : sequence of callable
        Each makes one worker; called in its thread.
    """

    def __init__(self, makers: Sequence[Callable[[], PieceMaker]]) -> None:
        self._tasks: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[Ticket, Piece | BaseException]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._busy = 0
        self._workers: list[PieceMaker | None] = [None] * len(makers)
        self._threads = [
            threading.Thread(target=self._work, args=(i, make), daemon=True)
            for i, make in enumerate(makers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def room(self) -> int:
        """One task more than threads, so that none waits while a result is written."""
        return len(self._threads) + 1 - self._busy

    @property
    def rows(self) -> int:
        """Regions found in tasks that are not done."""
        return sum(worker.rows for worker in self._workers if worker is not None)

    def start(self, ticket: Ticket) -> None:
        """Give them a task."""
        self._busy += 1
        self._tasks.put(ticket)

    def finished(self, seconds: float) -> list[tuple[Ticket, Piece | BaseException]]:
        """What is done, waiting for it no longer than that."""
        out = []
        try:
            out.append(self._results.get(timeout=seconds))
            while True:
                out.append(self._results.get_nowait())
        except queue.Empty:
            self._busy -= len(out)
            return out

    def stop(self) -> list[tuple[Ticket, Piece]]:
        """End the work; what unfinished tasks have found in a moment."""
        self._stopped.set()
        for _ in self._threads:
            self._tasks.put(None)
        until = time.monotonic() + _PATIENCE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        parts = []
        while not self._results.empty():
            ticket, result = self._results.get()
            if isinstance(result, Piece):
                parts.append((ticket, result))
        return parts

    def _work(self, i: int, make: Callable[[], PieceMaker]) -> None:
        while (ticket := self._tasks.get()) is not None:
            if self._stopped.is_set():
                continue
            try:
                worker = self._workers[i]
                if worker is None:
                    worker = self._workers[i] = make()
                result: Piece | BaseException = worker.make(ticket.tree, self._stopped.is_set)
            except BaseException as error:  # noqa: BLE001  (raised again in the main thread)
                result = error
            self._results.put((ticket, result))


def crew_of(plan: Plan, maker: PieceMaker, threads: int) -> Crew:
    """Threads for a plan, the first of them with a worker that there is already."""
    return Threads([lambda: maker, *[lambda: PieceMaker(plan)] * (threads - 1)])


def conduct(
    crew: Crew,
    tickets: Iterable[Ticket],
    *,
    accept: Callable[[Ticket, Piece], Iterable[Ticket]],
    unfinished: Callable[[Ticket, Piece], None],
    between: Callable[[], None],
) -> None:
    """Work until no task is left.

    Parameters
    ----------
    crew : Crew
    tickets : iterable of Ticket
        The open tasks.
    accept : callable
        Takes in what a task gave; returns the tasks that it leaves.
    unfinished : callable
        Takes in part of what an unfinished task gives, when the work ends early.
    between : callable
        Called many times a second; an exception from it, or from ``accept``, ends the work.

    Raises
    ------
    KeyboardInterrupt
        Between two steps, when Ctrl-C or SIGTERM came.
    """
    waiting = list(tickets)
    heapq.heapify(waiting)
    flying = 0
    with DeferredInterrupt() as interrupt:
        try:
            while waiting or flying:
                while waiting and crew.room > 0:
                    crew.start(heapq.heappop(waiting))
                    flying += 1
                for ticket, result in crew.finished(_LOOK_SECONDS):
                    flying -= 1
                    if isinstance(result, BaseException):
                        raise result  # noqa: TRY301  (of a worker; here the others are stopped)
                    for following in accept(ticket, result):
                        heapq.heappush(waiting, following)
                between()
                interrupt.check()
        except BaseException:
            for ticket, part in crew.stop():
                if part.explored.complete:
                    accept(ticket, part)
                else:
                    unfinished(ticket, part)
            raise
    crew.stop()
