"""A stand-in for the workers of a run, that ends in every way a search can end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from polyrank.cells.explore import Explored
from polyrank.regions.crew import Ticket
from polyrank.regions.pieces import Piece
from tests.regions.fake import REGIONS, batch, piece


@dataclass(frozen=True)
class FakeResult:
    """One task gives all; some cells may be undecided."""

    undecided: tuple[str, ...] = ()


class _FakeCrew:
    def __init__(self, plan: Any, how: BaseException | FakeResult, rows: int) -> None:
        self.plan, self.how, self.found, self.left = plan, how, rows, 1
        self.rows = 0
        self.tickets: list[Ticket] = []

    @property
    def room(self) -> int:
        return self.left

    def start(self, ticket: Ticket) -> None:
        self.left = 0
        self.tickets.append(ticket)

    def finished(self, seconds: float) -> list[tuple[Ticket, Piece | BaseException]]:
        (ticket,) = self.tickets
        if isinstance(self.how, KeyboardInterrupt):
            raise self.how
        if isinstance(self.how, BaseException):
            return [(ticket, self.how)]
        return [(ticket, self._piece(self.how.undecided, complete=True))]

    def stop(self) -> list[tuple[Ticket, Piece]]:
        if isinstance(self.how, FakeResult):
            return []
        return [(self.tickets[0], self._piece((), complete=False))]

    def _piece(self, undecided: tuple[str, ...], *, complete: bool) -> Piece:
        made = piece(
            batch(REGIONS[: self.found]),
            undecided=undecided,
            schema=self.plan.schema,
            shard=self.plan.keep == "shard",
            complete=complete,
        )
        counts = {"tests": 11, "pivots": 22, "float": 11}
        return replace(made, explored=Explored(undecided, (), complete, counts))


def ending(how: BaseException | FakeResult, rows: int = len(REGIONS)) -> Callable[..., Any]:
    """Workers that emit the first rows of the fake arrangement and end as told."""
    return lambda plan, maker, jobs: _FakeCrew(plan, how, rows)
