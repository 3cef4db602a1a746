"""Ctrl-C between two steps of a search instead of in the middle of one.

Python raises KeyboardInterrupt at any bytecode, also between the two halves of an update. While a
search runs, the first Ctrl-C is therefore noted and raised at the next safe point, where nothing
is half written; a second one acts at once.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Self

__all__ = ["DeferredInterrupt"]


class DeferredInterrupt:
    """Context in which the first SIGINT waits for :meth:`check`.

    Does nothing outside the main thread or where the program has its own handler.
    """

    __slots__ = ("_active", "_requested")

    def __init__(self) -> None:
        self._requested = False
        self._active = False

    def __enter__(self) -> Self:
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):
            signal.signal(signal.SIGINT, self._note)
            self._active = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._active:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._active = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._requested:
            signal.default_int_handler(number, frame)
        self._requested = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed since the context was entered."""
        if self._requested:
            raise KeyboardInterrupt
