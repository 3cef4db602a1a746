"""How far a long computation is, told from inside to whoever listens.

A loop that may take seconds calls :func:`tell` with what it does and how much of it is done;
without a listener that costs next to nothing. The command line listens while a verb works
(``polyrank_cli/progress.py``). A listener belongs to the thread (more exactly: the context) in
which it was set; what other threads tell is not heard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Stage", "listening", "tell", "told"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stage:
    """What is being done, and how much of it is done.

    Attributes
    ----------
    name : str
        In words: ``layer 2 of 5: cells that meet``.
    done : float
    total : float or None
        None where nobody knows how much there is to do; then there is no estimate of what is left.
    """

    name: str
    done: float = 0.0
    total: float | None = None


_listener: ContextVar[Callable[[Stage], None] | None] = ContextVar("_listener", default=None)


@contextmanager
def listening(listener: Callable[[Stage], None]) -> Iterator[None]:
    """A block in which the listener receives what is told; an inner one takes its place.

    Examples
    --------
    >>> heard = []
    >>> with listening(heard.append):
    ...     tell("points", 1, 4)
    >>> heard
    [Stage(name='points', done=1, total=4)]
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(name: str, done: float = 0.0, total: float | None = None) -> None:
    """Say how far something is."""
    listener = _listener.get()
    if listener is not None:
        listener(Stage(name, done, total))


def told(name: str, items: Iterable[T], total: int | None = None) -> Iterator[T]:
    """The items, one by one, telling before each how many are done.

    Examples
    --------
    >>> heard = []
    >>> with listening(heard.append):
    ...     total = sum(told("numbers", [2, 3]))
    >>> [(stage.done, stage.total) for stage in heard]
    [(0, 2), (1, 2)]
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    for done, item in enumerate(items):
        tell(name, done, total)
        yield item
