"""How many threads a search may use: what the machine, the container and the user allow."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["asked_threads", "available_threads", "check_jobs"]

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_threads() -> int:
    """Processors that this process may use, at least 1.

    The smallest of: the processors it is bound to, the quota of its container (rounded up), and
    ``OMP_NUM_THREADS`` where that is a positive number.
    """
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = _QUOTA.read_text().split()
        if quota != "max":
            count = min(count, -(-int(quota) // int(period)))
    with suppress(ValueError):
        asked = int(os.environ.get("OMP_NUM_THREADS", ""))
        if asked > 0:
            count = min(count, asked)
    return max(1, count)


def asked_threads(jobs: int | None) -> int:
    """The number of threads that an option means: None is all that there are.

    Raises
    ------
    ValueError
        If it is less than 1.
    """
    check_jobs(jobs)
    return available_threads() if jobs is None else jobs


def check_jobs(jobs: int | None) -> None:
    """Refuse an option that means no number of threads, before it is asked how many there are.

    Raises
    ------
    ValueError
        As :func:`asked_threads`.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs is {jobs}, expected a number of threads, at least 1")
