"""Ctrl-C between two steps of a search instead of in the middle of one.

Python raises KeyboardInterrupt at any bytecode, also between the two halves of an update. While a
search runs, the first Ctrl-C is therefore noted and raised at the next safe point, where nothing
is half written; a second one acts at once. Where nothing can be half written, because what is
computed is thrown away anyway, the first one acts at once too. SIGTERM, by which batch systems end
a job, is treated alike where the program has turned it into a KeyboardInterrupt.

Python sees a signal between two bytecodes only, so that compiled code has to return now and then:
:class:`Slices` says how much it may do until it does.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self, TypeVar

__all__ = ["SLICE_SECONDS", "DeferredInterrupt", "Slices", "answered", "prompt_interrupts"]

#: How long compiled code may keep Python from seeing a signal, as far as it can be foreseen.
SLICE_SECONDS = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_FASTEST_GROWTH = 4
_Result = TypeVar("_Result")


class DeferredInterrupt:
    """Context in which the first SIGINT or SIGTERM waits for :meth:`check`.

    Does nothing outside the main thread, and leaves a signal alone that does not raise
    KeyboardInterrupt at once: another handler of the program, or a context around this one.
    """

    __slots__ = ("_requested", "_taken", "_unsafe")

    def __init__(self) -> None:
        self._requested = False
        self._unsafe = True
        self._taken: list[signal.Signals] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is signal.default_int_handler:
                    signal.signal(number, self._note)
                    self._taken.append(number)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number in self._taken:
            signal.signal(number, signal.default_int_handler)
        self._taken = []

    def _note(self, number: int, frame: FrameType | None) -> None:
        again, self._requested = self._requested, True
        if again or not self._unsafe:
            signal.default_int_handler(number, frame)

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed since the context was entered."""
        if self._requested:
            raise KeyboardInterrupt

    @property
    def defers(self) -> bool:
        """Whether a signal waits for this context; if not, what is found is not its to keep."""
        return bool(self._taken)

    @property
    def pressed(self) -> bool:
        """Whether Ctrl-C was pressed since the context was entered."""
        return self._requested

    @contextmanager
    def held(self) -> Iterator[None]:
        """A block inside :meth:`at_once` in which the first Ctrl-C waits for its end after all."""
        before, self._unsafe = self._unsafe, True
        try:
            yield
        finally:
            self._unsafe = before
        self.check()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """A block in which the first Ctrl-C raises KeyboardInterrupt wherever it comes.

        For long computations that leave nothing half written when they are cut off.
        """
        self.check()
        before, self._unsafe = self._unsafe, False
        try:
            yield
        finally:
            self._unsafe = before


@contextmanager
def prompt_interrupts() -> Iterator[DeferredInterrupt]:
    """Context in which no :class:`DeferredInterrupt` inside defers anything.

    For a caller that throws away what the search inside it has half written.
    """
    outer = DeferredInterrupt()
    with outer, outer.at_once():
        yield outer


def answered(work: Callable[[], _Result]) -> _Result:
    """The result of one long call of compiled code, during which Ctrl-C acts at once.

    The work runs in another thread. After an interrupt it is left to itself: it must release
    Python's lock, and write to nothing but arrays of its own.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    done: list[_Result] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001  (raised again where it is waited for)
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(SLICE_SECONDS)
    if failed:
        raise failed[0]
    return done[0]


class Slices:
    """How many steps the next call of a compiled loop may take, so that it returns in time.

    The first call takes one step. Each call is measured; the next one takes as many steps as fit
    into the time at the rate of the last one, but grows by no more than a factor.

    Parameters
    ----------
    seconds : float
        How long a call is to last.
    most : int
        Greatest number of steps of a call.

    Examples
    --------
    >>> slices = Slices(seconds=0.1)
    >>> slices.steps
    1
    >>> slices.measured(1, 1e-6)
    >>> slices.steps
    4
    >>> slices.measured(4, 2.0)
    >>> slices.steps
    1
    """

    __slots__ = ("_most", "_seconds", "steps")

    def __init__(self, *, seconds: float = SLICE_SECONDS, most: int = 1 << 20) -> None:
        self.steps = 1
        self._seconds = seconds
        self._most = most

    def measured(self, steps: int, seconds: float) -> None:
        """Note how many steps the last call took, and how long."""
        if steps <= 0:  # nothing is known about a call that returned for another reason
            return
        fit = self._most
        if seconds > 0.0:
            fit = int(min(float(self._most), steps * self._seconds / seconds))
        self.steps = max(1, min(fit, _FASTEST_GROWTH * max(self.steps, steps), self._most))
