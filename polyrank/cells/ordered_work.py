"""Threads that share a tree of work; what they find comes out in the order of the tree.

Work is a list of nodes. A node waits, is worked on, or is done, and holds what was found in it. A
worker takes the first node that waits; what it leaves open, or gives away because another worker
has nothing to do, becomes nodes behind its own. What is found is handed on from the first node
alone, so that its order does not depend on how many threads there are or on who was faster.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from polyrank.cells.threads import asked_threads

__all__ = [
    "ALONE_SECONDS",
    "HAND_ON_SECONDS",
    "SHARE_SECONDS",
    "Done",
    "OrderedWork",
    "Standing",
    "Worker",
    "each",
]

#: Work that takes less is not worth another thread.
ALONE_SECONDS = 0.005
#: How long a worker goes on before it looks whether another one has nothing to do.
SHARE_SECONDS = 0.002
#: How long it collects what it finds: handing on costs the same for one region as for thousands.
HAND_ON_SECONDS = 0.1

State = Literal["waits", "taken", "done"]
T = TypeVar("T")
R = TypeVar("R")

#: How long the main thread sleeps at most before it looks for an interrupt and reports.
_LOOK_SECONDS = 0.05
#: How long threads may take to see that they are to stop; then they are left to themselves.
_PATIENCE_SECONDS = 0.5


class Done(Generic[R]):
    """What an earlier process found: a node of the work that is done."""

    __slots__ = ("results",)

    def __init__(self, results: Sequence[R]) -> None:
        self.results = results


@dataclass(frozen=True, slots=True)
class Standing(Generic[R]):
    """How a node stands.

    Attributes
    ----------
    found : list
        What was found in it and not handed on.
    latest : optional
        What was found last, handed on or not.
    state : "waits", "taken" or "done"
        No worker had it yet, or one had it, or it never needed one.
    """

    found: list[R]
    latest: R | None
    state: State


class Node(Generic[T, R]):
    """A task, and what was found in it so far."""

    __slots__ = ("done", "found", "latest", "next", "state", "task")

    def __init__(self, *task: T, found: Iterable[R] = ()) -> None:
        self.task = task  # empty once a worker has it, or where none ever does
        self.state: State = "waits" if task else "done"
        self.done = not task
        self.found: deque[R] = deque(found)
        self.latest: R | None = None
        self.next: Node[T, R] | None = None


class Share(Generic[T, R]):
    """A worker's way to its node and to the others."""

    __slots__ = ("_node", "_work", "left")

    def __init__(self, work: OrderedWork[T, R], node: Node[T, R]) -> None:
        self._work = work
        self._node = node
        self.left = False  # the worker returns before its task is done: the work is to end

    @property
    def wanted(self) -> bool:
        """Another worker has nothing to do."""
        return self._work.idle > 0

    @property
    def stopped(self) -> bool:
        """The work is to end."""
        return self._work.stopped

    def found(self, results: Iterable[R]) -> None:
        """Hand on what was found, in order."""
        with self._work.changed:
            self._extend(results)
            self._work.changed.notify_all()

    def _extend(self, results: Iterable[R]) -> None:
        for result in results:
            self._node.found.append(result)
            self._node.latest = result

    def give(self, tasks: Sequence[T], results: Iterable[R] = ()) -> None:
        """Leave work to others: it follows all that is still found in this node.

        ``results``: what was found here until then, handed on at the same moment.
        """
        with self._work.changed:
            self._extend(results)
            self._work.insert(self._node, tasks)
            self._work.changed.notify_all()


class Worker(Protocol[T, R]):
    """What a thread runs."""

    def work(self, task: T, share: Share[T, R]) -> None:
        """Work on a task until it is done, given away, or stopped."""


class OrderedWork(Generic[T, R]):
    """A tree of work.

    Parameters
    ----------
    tasks : iterable
        In the order in which their results are to come; :class:`Done` is a part that needs no work.
    held : sequence of one task, or none
        It comes before these, and is for the first worker, which holds its state already.
    """

    def __init__(self, tasks: Iterable[T | Done[R]], held: Sequence[T] = ()) -> None:
        self.changed = threading.Condition()
        self.idle = 0
        self.stopped = False
        self._active = 0
        self._error: BaseException | None = None
        self._first: Node[T, R] = Node()  # done, so that every node has one before it
        self.insert(self._first, list(tasks))
        self._held: tuple[Node[T, R], T] | None = None
        if held:
            self.insert(self._first, held)
            self._held = self._taken()

    def insert(self, node: Node[T, R], tasks: Sequence[T | Done[R]]) -> None:
        """Put tasks behind a node."""
        for task in reversed(tasks):
            new: Node[T, R] = Node(found=task.results) if isinstance(task, Done) else Node(task)
            new.next, node.next = node.next, new

    def run(
        self, workers: Sequence[Worker[T, R]], sink: Callable[[R], None], check: Callable[[], None]
    ) -> None:
        """Work until all is done, one thread per worker.

        Parameters
        ----------
        workers : sequence
        sink : callable
            Receives what is found, in order, in this thread.
        check : callable
            Called between; an exception from it, or from the sink, ends the work. A thread that is
            then inside a long call of the core is left to itself after a moment.
        """
        threads = [
            threading.Thread(target=self._thread, args=(w, None if i else self._held), daemon=True)
            for i, w in enumerate(workers)
        ]
        for thread in threads:
            thread.start()
        try:
            while self._hand_on(sink):
                check()
        except BaseException:
            self._stop()
            until = time.monotonic() + _PATIENCE_SECONDS
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))
            raise
        self._stop()
        for thread in threads:
            thread.join()
        if self._error is not None:
            raise self._error

    def _stop(self) -> None:
        with self.changed:
            self.stopped = True
            self.changed.notify_all()

    def standing(self) -> list[Standing[R]]:
        """How all nodes stand at this moment, from the first that is not handed on on."""
        out: list[Standing[R]] = []
        with self.changed:
            node: Node[T, R] | None = self._first
            while node is not None:
                out.append(Standing(list(node.found), node.latest, node.state))
                node = node.next
        return out

    def rest(self) -> list[R]:
        """What was found and not handed on when the work was ended, in order."""
        out: list[R] = []
        with self.changed:
            node: Node[T, R] | None = self._first
            while node is not None:
                out.extend(node.found)
                node.found.clear()
                node = node.next
        return out

    def _hand_on(self, sink: Callable[[R], None]) -> bool:
        """Pass on the first thing that was found; False when all is done."""
        with self.changed:
            while not self._first.found and self._first.done and self._first.next is not None:
                self._first = self._first.next
            if not self._first.found:
                if self._error is not None or (self._first.done and self._first.next is None):
                    return False
                self.changed.wait(_LOOK_SECONDS)
                return True
            result = self._first.found.popleft()
        sink(result)
        return True

    def _next(self) -> tuple[Node[T, R], T] | None:
        """The first node that waits, sleeping until there is one; None at the end of the work."""
        with self.changed:
            self.idle += 1
            try:
                while not self.stopped:
                    if (taken := self._taken()) is not None:
                        return taken
                    if self._active == 0:
                        return None
                    self.changed.wait()
            finally:
                self.idle -= 1
            return None

    def _taken(self) -> tuple[Node[T, R], T] | None:
        """The first node that waits, taken; None where none does."""
        node: Node[T, R] | None = self._first
        while node is not None and node.state != "waits":
            node = node.next
        if node is None:
            return None
        (task,), node.task, node.state = node.task, (), "taken"
        self._active += 1
        return node, task

    def _thread(self, worker: Worker[T, R], held: tuple[Node[T, R], T] | None) -> None:
        chosen = held or self._next()
        while chosen is not None:
            node, task = chosen
            share = Share(self, node)
            try:
                worker.work(task, share)
            except BaseException as error:  # noqa: BLE001  (raised again in the main thread)
                with self.changed:
                    self._error = self._error or error
                    self.stopped = True
            with self.changed:
                node.done = not share.left
                self._active -= 1
                self.changed.notify_all()
            chosen = self._next()


class _Calls(Generic[T, R]):
    """A worker that calls a function."""

    def __init__(self, function: Callable[[T], R]) -> None:
        self._function = function

    def work(self, task: T, share: Share[T, R]) -> None:
        share.found([self._function(task)])


def each(
    function: Callable[[T], R],
    pieces: Sequence[T],
    jobs: int | None = None,
    done: Callable[[int], None] = lambda _: None,
) -> list[R]:
    """The results of a function of every piece, in their order, by threads.

    Parameters
    ----------
    function : callable
        Of pieces that have nothing to do with each other; it changes nothing but what is its own.
    pieces : sequence
    jobs : int, optional
        Threads. By default as many as this process may use; never more than there are pieces.
    done : callable
        Told in the caller's thread how many results are there, after each.

    Raises
    ------
    ValueError
        If ``jobs`` is less than 1.

    Examples
    --------
    >>> each(lambda v: v * v, [1, 2, 3], jobs=2)
    [1, 4, 9]
    """
    out: list[R] = []

    def take(result: R) -> None:
        out.append(result)
        done(len(out))

    threads = min(asked_threads(jobs), len(pieces))
    if threads <= 1:
        for piece in pieces:
            take(function(piece))
    else:
        workers = [_Calls(function) for _ in range(threads)]
        OrderedWork[T, R](pieces).run(workers, take, lambda: None)
    return out
