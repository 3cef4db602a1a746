"""One time limit for everything that a call does: rational loops, solvers, searches.

:func:`time_limit` opens it, :func:`look` is called at every step of a loop that may be long, with
the expected seconds of a step that cannot be cut off itself, and :func:`slices` gives a solver its
share until the next look. Without a limit, nothing happens.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["SLICE", "OutOfTimeError", "elimination_seconds", "look", "seconds_left", "time_limit"]

#: Seconds after which a solver returns for a look at the clock, and at signals.
SLICE = 0.2
_end: ContextVar[float] = ContextVar("_end", default=math.inf)


class OutOfTimeError(Exception):
    """The limit has passed, or the next step would pass it: nothing is concluded."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """A block that ends by :class:`OutOfTimeError` after some seconds; limits nest."""
    token = _end.set(min(_end.get(), time.perf_counter() + seconds))
    try:
        yield
    finally:
        _end.reset(token)


def seconds_left() -> float:
    """Seconds until the limit, not negative; infinite without one."""
    return max(0.0, _end.get() - time.perf_counter())


def look(expected: float = 0.0) -> None:
    """Raise if the limit has passed, or if a step of ``expected`` seconds would pass it.

    Raises
    ------
    OutOfTimeError
    """
    end = _end.get()
    if end < math.inf and time.perf_counter() + expected >= end:
        raise OutOfTimeError


def elimination_seconds(rows: int, columns: int) -> float:
    """About how long fraction-free elimination takes; entries of float32 size.

    Measured: 6 s for 136 × 256; the entries grow with the number of pivots.
    """
    return 6.0 * (min(rows, columns) / 136.0) ** 3 * (max(rows, columns) / 256.0)
