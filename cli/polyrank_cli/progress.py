"""The progress line of a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from polyrank.cells.task import SearchProgress

__all__ = ["progress_line", "share_line", "spelled_time"]

_SECONDS_BETWEEN = 0.1
_TREE = "the tree"


@contextmanager
def progress_line(
    *, quiet: bool, whole: str = _TREE
) -> Iterator[Callable[[SearchProgress], None] | None]:
    """A line on a terminal's stderr that shows how far the search is; None when piped or quiet."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    with Live(
        console=Console(stderr=True), transient=True, refresh_per_second=8, auto_refresh=False
    ) as live:
        shown = float("-inf")

        def update(state: SearchProgress) -> None:
            nonlocal shown
            now = time.perf_counter()
            if now - shown < _SECONDS_BETWEEN:
                return
            shown = now
            live.update(_line(state, whole), refresh=True)

        yield update


@contextmanager
def share_line(*, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """The same line for a walk over regions; what it yields takes (regions done, regions)."""
    begun = time.perf_counter()
    with progress_line(quiet=quiet, whole="the regions") as update:
        if update is None:
            yield None
            return
        show = update

        def walked(done: int, regions: int) -> None:
            share = done / max(1, regions)
            show(SearchProgress(done, share, 0, time.perf_counter() - begun))

        yield walked


def _eta(state: SearchProgress, rate: float) -> str:
    """The time that is left, by an estimate."""
    if state.expected is None or not rate or state.expected <= state.regions:
        return ""
    return f"about {spelled_time((state.expected - state.regions) / rate)} left"


def spelled_time(seconds: float) -> str:
    """Seconds in words: ``40 s``, ``12 min``, ``3 h``, ``8 days``, ``4e+07 years``."""
    for size, name in ((31_557_600.0, "years"), (86_400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds:.2g} s"


def _line(state: SearchProgress, whole: str) -> Table:
    rate = state.regions / state.seconds if state.seconds > 0 else 0.0
    line = Table.grid(padding=(0, 2))
    line.add_row(
        ProgressBar(total=1.0, completed=state.share, width=24),
        f"{100 * state.share:.1f}% of {whole}",
        f"{state.regions:,} regions",
        f"{rate:,.0f}/s",
        _eta(state, rate),
        f"{state.undecided:,} undecided" if whole == _TREE else "",
    )
    return line
