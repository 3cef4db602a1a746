"""``polyrank enumerate --estimate``, and what is said of a request that cannot end."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING

import typer

from polyrank_cli.failures import say
from polyrank_cli.streams import tell

if TYPE_CHECKING:
    from polyrank.regions.foresight import Foresight

__all__ = ["show_estimate", "warn_if_endless"]

_INSTEAD = (
    "look at a part of it: polyrank slice through data points, --box, polyrank at a point, "
    "polyrank minrank for the least rank, --through-layer K, or polyrank count"
)


def show_estimate(found: Foresight, *, as_json: bool) -> None:
    """Print an estimate, said to be one."""
    from polyrank.report.summary import large  # noqa: PLC0415
    from polyrank_cli.progress import spelled_time  # noqa: PLC0415  (loads numpy)

    if as_json:
        typer.echo(json.dumps(found.summary()))
        return
    tell(f"proved: at least {large(found.at_least)} and at most {large(found.at_most)} regions")
    if found.regions is None or found.low is None or found.high is None:
        tell("no estimate: the proved bound says enough")
    elif not found.whole:
        tell(
            f"estimate, no proof: more than {found.low:.2g} regions; the probes of the tree did "
            "not come to its end"
        )
    elif found.low == found.high:
        tell(f"listed at once: {large(round(found.regions))} regions")
    else:
        tell(
            f"estimate, no proof: about {found.regions:.2g} regions, between {found.low:.2g} and "
            f"{found.high:.2g} with 95 %, by random probes of the tree"
        )
    if found.seconds is not None:
        threads = f"{found.jobs} thread{'' if found.jobs == 1 else 's'}"
        disk = "" if found.disk is None else f", {_size(found.disk)} on disk"
        tell(f"about {spelled_time(found.seconds)} on {threads}{disk}")
    if found.endless:
        tell(f"not expected to end; {_INSTEAD}")


def warn_if_endless(found: Foresight, *, yes: bool) -> None:
    """Say that a run is not expected to end; on a terminal, end it unless that was asked for.

    Raises
    ------
    LimitReached
    """
    from polyrank.regions.limits import LimitReached  # noqa: PLC0415
    from polyrank.report.summary import large  # noqa: PLC0415
    from polyrank_cli.progress import spelled_time  # noqa: PLC0415  (loads numpy)

    if not found.endless:
        return
    if found.regions is None:
        count = f"it has at least {large(found.at_least)} regions, which is proved"
    else:
        at = "" if found.seconds is None else f" and {spelled_time(found.seconds)}"
        count = f"an estimate says {found.regions:.2g} regions{at}"
    message = f"this is not expected to end: {count}; {_INSTEAD}"
    say(message)
    if not yes and sys.stdout.isatty():
        raise LimitReached("what can be waited for; --yes goes on all the same")


def _size(size: float) -> str:
    if not math.isfinite(size):
        return "more bytes than there are"
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size:.0f} bytes"
