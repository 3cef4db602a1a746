"""The verbs: each is loaded when it is called for, so that none waits for the others."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import typer
from typer.core import TyperGroup

from polyrank_cli.options import grouped
from polyrank_cli.renamed import current_names

__all__ = ["HELP_NAMES", "VERBS", "Verbs"]

VERBS = {
    "enumerate": "List every activation region of a network, certified.",
    "count": "Count the regions of a network without listing them.",
    "complex": "List the cells of every dimension; level sets.",
    "info": "Show what a file of saved weights holds.",
    "summary": "Show the counts and ranks of a run.",
    "graph": "Find the facets and neighbours of every region.",
    "low-rank": "Show the components of the low-rank part.",
    "minrank": "Bound the least rank without enumerating.",
    "ensemble": "Measure many networks, proved beside sampled.",
    "bounds": "Bound the number of regions by the widths alone.",
    "verify": "Decide a property: proved, or an exact counterexample.",
    "region": "Show everything about one region of a run.",
    "plot": "Draw the regions of a two-dimensional run.",
    "report": "Write a page about a run that one can send.",
    "sample": "Sample a network, and check a run against it.",
    "at": "Show the region of one point.",
    "slice": "Enumerate a slice through data points.",
    "restrict": "Divide a manifold into the cells of a network.",
    "separate": "Decide at which layers classes of a manifold are apart.",
    "homology": "Compute what collapsing the low-rank part does.",
    "homeomorphism": "Decide whether a layer is one-to-one.",
    "image": "Compute the homology of the image at every layer.",
    "check": "Replay the proof of a run.",
    "convert": "Write a network in another format.",
}
"""What every verb does, in the order of the help.

``low-rank`` is ``low_rank_command`` of the module ``polyrank_cli.low_rank``, and so on.
"""
HELP_NAMES = {"help_option_names": ["-h", "--help"]}


class _Commands(Mapping[str, Any]):
    """The command of every verb by its name, made when it is asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in VERBS:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = _command(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)


def _command(name: str) -> Any:
    spelled = name.replace("-", "_")
    function = getattr(importlib.import_module(f"polyrank_cli.{spelled}"), f"{spelled}_command")
    # a point may begin with a minus: at net -0.3,1/7
    settings = {**HELP_NAMES, "ignore_unknown_options": name == "at"}
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name, short_help=VERBS[name], context_settings=settings)(grouped(function))
    return typer.main.get_command(alone)


class Verbs(TyperGroup):
    """The group of all verbs."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: Any = _Commands()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line after old names have been replaced."""
        return super().parse_args(ctx, current_names(args))

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the verbs."""
        del ctx
        return list(VERBS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of the verbs in the help."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))
