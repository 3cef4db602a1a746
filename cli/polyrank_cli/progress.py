"""The progress line of a terminal: one for all verbs, on stderr, gone when the work is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polyrank.cells.task import SearchProgress
from polyrank.stages import Stage, listening

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

__all__ = ["Shown", "progress_line", "spelled_time", "stage_line"]

_SECONDS_BETWEEN = 0.1
#: A line comes up when a stage is not over after so many seconds, and an estimate later still.
_SECONDS_BEFORE = 0.5
_SECONDS_BEFORE_ESTIMATE = 2.0


@dataclass(frozen=True, slots=True)
class Shown:
    """What the line says.

    Attributes
    ----------
    name : str
    share : float or None
        None where it is not known; then the line has no bar.
    left : float or None
        Seconds that are left, by an estimate.
    seconds : float
        Seconds of work so far.
    facts : tuple of str
        Counts and rates.
    """

    name: str
    share: float | None
    left: float | None
    seconds: float
    facts: tuple[str, ...] = ()


@contextmanager
def _line(*, quiet: bool) -> Iterator[Callable[[Shown], None] | None]:
    """The line itself; None when stderr is no terminal, or quiet."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    with ExitStack() as stack:
        live: Live | None = None
        last = float("-inf")

        def show(shown: Shown) -> None:
            nonlocal last, live
            now = time.perf_counter()
            if now - last < _SECONDS_BETWEEN:
                return
            last = now
            if live is None:  # nothing is written for a verb that is done at once
                from rich.console import Console  # noqa: PLC0415  (for a line that is seen)
                from rich.live import Live  # noqa: PLC0415

                # stdout is the results', which come when the block is left
                live = Live(
                    console=Console(stderr=True),
                    transient=True,
                    auto_refresh=False,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                stack.enter_context(live)
            live.update(_drawn(shown), refresh=True)

        yield show


@contextmanager
def progress_line(*, quiet: bool) -> Iterator[Callable[[SearchProgress], None] | None]:
    """The line of a search for regions; None when nobody sees it."""
    with _line(quiet=quiet) as show:
        if show is None:
            yield None
            return

        def update(state: SearchProgress) -> None:
            rate = state.regions / state.seconds if state.seconds > 0 else 0.0
            left = None
            if state.expected is not None and rate and state.expected > state.regions:
                left = (state.expected - state.regions) / rate
            elif state.expected is None:
                left = _left(state.share, state.seconds)
            facts = [f"{state.regions:,} regions", f"{rate:,.0f}/s"]
            if state.undecided:
                facts.append(f"{state.undecided:,} undecided")
            show(Shown("of the tree", state.share, left, state.seconds, tuple(facts)))

        yield update


@contextmanager
def stage_line(*, quiet: bool) -> Iterator[None]:
    """The line of whatever tells how far it is (:mod:`polyrank.stages`) while the block runs."""
    with _line(quiet=quiet) as show:
        if show is None:
            yield
            return
        begun = time.perf_counter()
        name, since, before = "", begun, 0.0

        def hear(stage: Stage) -> None:
            nonlocal name, since, before
            now = time.perf_counter()
            if stage.name != name or stage.done < before:
                name, since = stage.name, now
            before = stage.done
            if now - begun < _SECONDS_BEFORE:
                return
            share = left = None
            if stage.total:
                share = min(1.0, stage.done / stage.total)
                left = _left(share, now - since)
            facts = () if share is not None or not stage.done else (f"{stage.done:,.0f}",)
            show(Shown(stage.name, share, left, now - begun, facts))

        with listening(hear):
            yield


def _left(share: float, seconds: float) -> float | None:
    """Seconds that are left if the rest goes on at the same pace; None at the beginning."""
    if not share or seconds < _SECONDS_BEFORE_ESTIMATE:
        return None
    return seconds * (1.0 - share) / share


def spelled_time(seconds: float) -> str:
    """Seconds in words: ``40 s``, ``12 min``, ``3 h``, ``8 days``, ``4e+07 years``."""
    for size, name in ((31_557_600.0, "years"), (86_400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds:.2g} s"


def _drawn(shown: Shown) -> Table:
    """One row that fits 80 columns; in a narrower window its end is cut off."""
    from rich.progress_bar import ProgressBar  # noqa: PLC0415  (for a line that is seen)
    from rich.table import Table  # noqa: PLC0415

    if shown.share is None:
        cells: list[ProgressBar | str] = [f"{shown.seconds:.0f} s", shown.name, *shown.facts]
    else:
        bar = ProgressBar(total=1.0, completed=shown.share, width=12)
        cells = [bar, f"{100 * shown.share:.1f}% {shown.name}", *shown.facts]
        if shown.left is not None:
            cells.append(f"about {spelled_time(shown.left)} left")
    line = Table.grid(padding=(0, 2))
    for _ in cells:
        line.add_column(no_wrap=True, overflow="crop")
    line.add_row(*cells)
    return line
