"""Limits of a long run: what ends it early, and says so."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LimitReached", "Limits", "resident_bytes"]

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_STATM = Path("/proc/self/statm")


class LimitReached(Exception):  # noqa: N818  (no error: what was found is the honest answer)
    """A run came to a limit that was set for it; the message says which."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may use; None: as much as it needs.

    Attributes
    ----------
    seconds : float, optional
        Wall time from the first look; 0: no time at all.
    regions : int, optional
        Regions listed: the run ends with the task in which they are reached.
    memory : int, optional
        Bytes that the process holds (its resident set); known on Linux only.
    disk : int, optional
        Bytes that the run writes.

    Raises
    ------
    ValueError
        If a limit is negative, or one but that of the time is 0.
    """

    seconds: float | None = None
    regions: int | None = None
    memory: int | None = None
    disk: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not self.seconds >= 0:
            raise ValueError(f"the limit of seconds is {self.seconds}, expected 0 or more")
        for name in ("regions", "memory", "disk"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"the limit of {name} is {value}, expected more than 0")

    def look(self, *, begun: float, regions: int, written: int = 0) -> None:
        """Raise if a limit is reached.

        Parameters
        ----------
        begun : float
            ``time.perf_counter()`` at the start.
        regions, written : int
            Regions found and bytes written so far.

        Raises
        ------
        LimitReached
        """
        if self.seconds is not None and time.perf_counter() - begun >= self.seconds:
            raise LimitReached(f"the limit of {self.seconds:g} s")
        if self.regions is not None and regions >= self.regions:
            raise LimitReached(f"the limit of {self.regions:,} regions")
        if self.disk is not None and written >= self.disk:
            raise LimitReached(f"the limit of {_spelled(self.disk)} on disk")
        if self.memory is not None and resident_bytes() >= self.memory:
            raise LimitReached(f"the limit of {_spelled(self.memory)} in memory")


def resident_bytes() -> int:
    """Memory that this process holds; 0 where the system does not say."""
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


def _spelled(size: int) -> str:
    for unit, name in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB")):
        if size >= unit:
            return f"{size / unit:g} {name}"
    return f"{size} bytes"
