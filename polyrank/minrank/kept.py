"""What ``minrank`` keeps of a long search, and how it goes on with it.

An entry of the journal (:mod:`polyrank.regions.kept`) holds the bounds that are proved, the best
region, and what was added since the entry before: listed regions, and facts of the search of one
cell that were proved (covers, conflicts, refuted patterns). Regions are kept as a point strictly
inside; codeword and rank are computed from it again. Cells of the layers below come in one order,
so that their number says where the enumeration goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self

from flint import fmpq_mat

from polyrank.errors import RunError
from polyrank.minrank.cell import region_at
from polyrank.minrank.result import LowRegion, MaximumRank, MinimumRank
from polyrank.network.normal_form import Network
from polyrank.network.rational import to_fmpq
from polyrank.polyhedra.domain import Domain
from polyrank.posed.chart import Chart
from polyrank.regions.directory import disk_errors, write_whole
from polyrank.regions.kept import KeptWork

__all__ = ["RESULT_NAME", "Diary", "opened"]

RESULT_NAME = "result.json"


def opened(
    directory: str | PathLike[str] | None,
    network: Network,
    domain: Domain,
    *,
    resume: bool,
    seconds: float,
    asked: Mapping[str, Any],
) -> KeptWork | None:
    """The folder of a search, a new one or one that was left; None where nothing is kept.

    Raises
    ------
    RunError
        If the new one exists or cannot be written, or the one that was left is missing, damaged,
        in use, or about another question.
    """
    if directory is None:
        if resume:
            raise RunError("there is nothing to resume without a directory")
        return None
    question = {"network": network.sha256, "domain": dict(domain.describe()), **asked}
    made = KeptWork.resume if resume else KeptWork.begin
    return made(Path(directory), json.loads(json.dumps(question)), seconds=seconds)


class Diary:
    """The journal of one search.

    Parameters
    ----------
    work : KeptWork, optional
        None: nothing is kept.
    network, chart
        In which its points lie.

    Attributes
    ----------
    state : dict
        The last entry; empty if there is none.
    """

    def __init__(self, work: KeptWork | None, network: Network, chart: Chart) -> None:
        self._work = work
        self._network, self._chart = network, chart
        done = [] if work is None else work.done
        self.state: dict[str, Any] = dict(done[-1]) if done else {}
        self._facts = [fact for entry in done for fact in entry["facts"]]
        self._listed = [text for entry in done for text in entry["listed"]]
        self._told = (len(self._facts), len(self._listed))

    @property
    def due(self) -> bool:
        """Something is to be kept now."""
        return self._work is not None and self._work.due

    @property
    def best(self) -> LowRegion | None:
        """The best region that was found before."""
        return self._region(self.state["best"]) if self.state else None

    @property
    def listed(self) -> list[LowRegion]:
        """The regions that were listed before."""
        return [self._region(text) for text in self._listed]

    @property
    def facts(self) -> list[Any]:
        """What was proved on the one cell before, in order."""
        return self._facts

    def keep(
        self,
        state: Mapping[str, Any],
        best: LowRegion,
        *,
        listed: Sequence[LowRegion] = (),
        facts: Sequence[Any] = (),
    ) -> None:
        """Write an entry; of what is listed and proved, only what is new goes into it.

        Raises
        ------
        RunError
            If the disk is full or cannot be written.
        """
        if self._work is None:
            return
        known, shown = self._told
        self._work.keep(
            {
                **state,
                "best": _text(best),
                "facts": list(facts[known:]),
                "listed": [_text(region) for region in listed[shown:]],
            }
        )
        self._told = (max(known, len(facts)), max(shown, len(listed)))

    def finish(self, found: MinimumRank | MaximumRank) -> None:
        """Write the answer beside the journal.

        Raises
        ------
        RunError
            If the disk is full or cannot be written.
        """
        if self._work is None:
            return
        file = self._work.directory / RESULT_NAME
        with disk_errors(self._work.directory):
            write_whole(file, json.dumps(found.summary(), indent=1).encode())

    def close(self) -> None:
        """Let others go on with it."""
        if self._work is not None:
            self._work.close()

    def _region(self, text: Sequence[str]) -> LowRegion:
        point = fmpq_mat(len(text), 1, [to_fmpq(v) for v in text])
        return region_at(self._network, self._chart, point)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _text(region: LowRegion) -> list[str]:
    return [str(v) for v in region.chart_point.entries()]
