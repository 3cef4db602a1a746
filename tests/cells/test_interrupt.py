"""Ctrl-C waits for a safe point; a second one does not. Compiled loops return in time."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from polyrank.cells.interrupt import DeferredInterrupt, Slices, answered, prompt_interrupts

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def _default_handler() -> Iterator[None]:
    """Both as the command line sets them; a test run in the background may itself ignore Ctrl-C."""
    before = [signal.signal(number, signal.default_int_handler) for number in SIGNALS]
    yield
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)


def _press(number: signal.Signals = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_waits_for_the_check(number: signal.Signals) -> None:
    with DeferredInterrupt() as interrupt:
        interrupt.check()
        _press(number)
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()
    assert [signal.getsignal(n) for n in SIGNALS] == [signal.default_int_handler] * 2


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


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_acts_at_once_where_nothing_is_half_written(number: signal.Signals) -> None:
    with DeferredInterrupt() as interrupt:
        with pytest.raises(KeyboardInterrupt), interrupt.at_once():
            _press(number)
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()  # and it is not forgotten


def test_one_that_waits_is_raised_before_such_a_block() -> None:
    entered = False
    with DeferredInterrupt() as interrupt:
        _press()
        with pytest.raises(KeyboardInterrupt), interrupt.at_once():
            entered = True
    assert not entered


def test_after_such_a_block_the_first_waits_again() -> None:
    with DeferredInterrupt() as interrupt:
        with interrupt.at_once():
            pass
        _press()
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()


def test_a_search_inside_a_prompt_context_defers_nothing() -> None:
    with prompt_interrupts() as outer:
        with DeferredInterrupt(), pytest.raises(KeyboardInterrupt):
            _press()
        with pytest.raises(KeyboardInterrupt):
            outer.check()


@pytest.mark.parametrize("cost", [1e-7, 1e-5, 1e-3, 0.03, 0.09, 5.0])
def test_a_call_lasts_about_as_long_as_it_may(cost: float) -> None:
    """Steps of any cost: soon as many as fit, one where not even one does."""
    slices, longest = Slices(seconds=0.1, most=1 << 20), 0.0
    for _ in range(40):
        longest = max(longest, slices.steps * cost)
        slices.measured(slices.steps, slices.steps * cost)
    assert longest <= max(cost, 0.1) * 1.001
    assert slices.steps == max(1, min(1 << 20, int(0.1 / cost + 1e-9)))


def test_one_step_that_becomes_dear_makes_the_next_call_short() -> None:
    slices = Slices(seconds=0.1)
    for _ in range(12):
        slices.measured(slices.steps, slices.steps * 1e-6)
    assert slices.steps > 10_000
    slices.measured(slices.steps, 60.0)
    assert slices.steps < 200


def test_a_call_without_a_step_or_a_clock_that_stands_says_nothing() -> None:
    slices = Slices(most=10)
    slices.measured(0, 3.0)
    assert slices.steps == 1
    slices.measured(1, 0.0)
    assert slices.steps == 4
    slices.measured(4, 0.0)
    assert slices.steps == 10


def test_a_held_block_inside_waits_for_its_end() -> None:
    with (
        DeferredInterrupt() as interrupt,
        interrupt.at_once(),
        pytest.raises(KeyboardInterrupt),
        interrupt.held(),
    ):
        assert not interrupt.pressed
        _press()
        assert interrupt.pressed


def test_a_long_call_in_another_thread_is_answered():
    """Ctrl-C ends the wait at once; results and errors of the work come back."""
    assert answered(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        answered(lambda: 1 / 0)
    begun = time.perf_counter()
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        answered(lambda: time.sleep(3))
    assert time.perf_counter() - begun < 2


def test_elsewhere_the_work_is_simply_done():
    found = []
    thread = threading.Thread(target=lambda: found.append(answered(threading.current_thread)))
    thread.start()
    thread.join()
    assert found == [thread]


def test_only_the_context_that_a_signal_waits_for_defers_it():
    with DeferredInterrupt() as outer:
        with DeferredInterrupt() as inner:
            assert (outer.defers, inner.defers) == (True, False)
        assert outer.defers
    assert not outer.defers
    with prompt_interrupts(), DeferredInterrupt() as thrown_away:
        assert not thrown_away.defers
