"""Ctrl-C waits for a safe point; a second one does not."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from polyrank.cells.interrupt import DeferredInterrupt


@pytest.fixture(autouse=True)
def _default_handler() -> Iterator[None]:
    """A test run in the background may itself ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_waits_for_the_check() -> None:
    with DeferredInterrupt() as interrupt:
        interrupt.check()
        _press()
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_acts_at_once() -> None:
    with DeferredInterrupt():
        _press()
        with pytest.raises(KeyboardInterrupt):
            _press()


def test_a_handler_of_the_program_is_left_alone() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        with DeferredInterrupt() as interrupt:
            _press()
            interrupt.check()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]


def test_other_threads_have_no_say() -> None:
    results: list[bool] = []

    def work() -> None:
        with DeferredInterrupt() as interrupt:
            interrupt.check()
            results.append(signal.getsignal(signal.SIGINT) is signal.default_int_handler)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == [True]
