"""The protocol of the engines: ``engine(problem, sink, options)``, and what an engine honours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from polyrank.cells.task import Batch, SearchProgress, SearchResult, Task
from polyrank.cells.threads import asked_threads
from polyrank.errors import UnsupportedError
from polyrank.posed.problem import Problem

__all__ = ["Engine", "Options", "Sink"]

Sink = Callable[[Batch], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an engine is to work.

    Attributes
    ----------
    progress : callable, optional
        Called between slices of work.
    proof : callable, optional
        Receives the proof log, segment by segment (:mod:`polyrank.proof.format`).
    jobs : int, optional
        Number of threads; what is found, its order and the proof do not depend on it. None: all
        that this process may use.
    rational : bool
        Decide in rational arithmetic what float and integer proofs leave open. Without it those
        cells are reported as undecided.
    tasks : sequence of Task, optional
        Open cells of an earlier search to go on from; None: the whole domain.
    budget : int, optional
        Stop after about this many cells and hand back the open ones.
    """

    progress: Callable[[SearchProgress], None] | None = None
    proof: Callable[[bytes], None] | None = None
    jobs: int | None = None
    rational: bool = True
    tasks: Sequence[Task] | None = None
    budget: int | None = None

    @property
    def threads(self) -> int:
        """The number of threads that is meant."""
        return asked_threads(self.jobs)

    @property
    def demands(self) -> frozenset[str]:
        """Options that change what an engine has to be able to do."""
        given = {
            "jobs": self.jobs is not None and self.jobs != 1,
            "rational": not self.rational,
            "tasks": self.tasks is not None,
            "budget": self.budget is not None,
        }
        return frozenset(name for name, there in given.items() if there)


class Engine(NamedTuple):
    """A search by name.

    Attributes
    ----------
    name : str
    run : callable
        ``run(problem, sink, options)`` hands every region to the sink, in batches, once.
    honours : frozenset of str
        Of :attr:`Options.demands`, those that it answers to.
    """

    name: str
    run: Callable[[Problem, Sink, Options], SearchResult]
    honours: frozenset[str]

    def __call__(self, problem: Problem, sink: Sink, options: Options) -> SearchResult:
        """Run the search.

        Raises
        ------
        UnsupportedError
            If the engine does not honour an option that is given.
        """
        for option in sorted(options.demands - self.honours):
            other = "vertices" if option == "jobs" else "dictionary"
            raise UnsupportedError(
                f"the {self.name} engine does not take the option {option!r}; leave it out, or "
                f"use engine={other!r}"
            )
        return self.run(problem, sink, options)
