"""Options that have another name now: the old ones work for one version, with a hint."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from polyrank_cli.failures import say

__all__ = ["RENAMED", "current_names"]


def _same(value: str) -> str:
    return value


def _one_more(value: str) -> str:
    return str(int(value) + 1) if value.strip().lstrip("+-").isdecimal() else value


#: By verb: the old name, the new one, what becomes of the value, and how a hint says that.
RENAMED: dict[str, dict[str, tuple[str, Callable[[str], str], str]]] = {
    "summary": {"--embedding-dim": ("--below", _same, "M")},
    "sample": {
        "--low-rank-below": ("--below", _same, "M"),
        "--workers": ("--jobs", _same, "N"),
        "--plot": ("--picture", _same, "FILE"),
    },
    "slice": {
        "--workers": ("--jobs", _same, "N"),
        "--through": ("--points", _same, "FILE"),
    },
    "homology": {"--rank": ("--below", _one_more, "R+1"), "--points": ("--cells", _same, "")},
    "ensemble": {"--most": ("--max-regions", _same, "N")},
    "restrict": {"--rank": ("--below", _one_more, "R+1")},
}


def current_names(args: Sequence[str]) -> list[str]:
    """A command line in which old names of options are replaced by the ones of today."""
    known = RENAMED.get(args[0], {}) if args else {}
    out: list[str] = []
    waiting: Callable[[str], str] | None = None
    for at, arg in enumerate(args):
        name, equals, value = arg.partition("=")
        if waiting is not None:
            out.append(waiting(arg))
            waiting = None
        elif arg == "--":
            return [*out, *args[at:]]
        elif name in known:
            new, turned, spelled = known[name]
            today = f"{new} {spelled}".rstrip()
            say(f"{name} is {today} now; the old name goes with the next version")
            if equals:
                out.append(f"{new}={turned(value)}")
            else:
                out.append(new)
                waiting = turned
        else:
            out.append(arg)
    return out
