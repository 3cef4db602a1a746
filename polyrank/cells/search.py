"""The search: a problem in, batches of regions out, every cell decided or counted as undecided."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from polyrank.cells.dictionary_search import dictionary_search
from polyrank.cells.engine import Engine, Options, Sink
from polyrank.cells.task import SearchProgress, SearchResult, Task
from polyrank.cells.vertices.search import takes, vertex_search
from polyrank.posed.problem import Problem

__all__ = ["ENGINES", "chosen_engine", "search"]


def _highs(problem: Problem, sink: Sink, options: Options) -> SearchResult:
    from polyrank.cells.highs_search import highs_search  # noqa: PLC0415  (heavy second engine)

    return highs_search(problem, sink, options)


#: Compiled dictionaries; cells with vertices, in dimension 1 to 3; HiGHS as the cross-check.
ENGINES = {
    engine.name: engine
    for engine in (
        Engine("dictionary", dictionary_search, frozenset({"jobs", "rational", "tasks", "budget"})),
        Engine("vertices", vertex_search, frozenset({"jobs"})),
        Engine("highs", _highs, frozenset({"tasks"})),
    )
}


def search(
    problem: Problem,
    sink: Sink,
    *,
    engine: str = "auto",
    progress: Callable[[SearchProgress], None] | None = None,
    proof: Callable[[bytes], None] | None = None,
    jobs: int | None = None,
    rational: bool = True,
    tasks: Sequence[Task] | None = None,
    budget: int | None = None,
) -> SearchResult:
    """Enumerate the activation regions of a posed problem.

    Parameters
    ----------
    problem : Problem
    sink : callable
        Receives :class:`~polyrank.cells.task.Batch` objects as they fill up.
    engine : {"auto", "dictionary", "vertices", "highs"}
        The compiled dictionaries, cells with vertices (dimension 1 to 3), or HiGHS. ``auto`` takes
        vertices where it can and may, the dictionaries elsewhere.
    progress, proof, jobs, rational, tasks, budget
        As :class:`~polyrank.cells.engine.Options`. The dictionaries use one thread while they
        write a proof or have a budget.

    Raises
    ------
    UnsupportedError
        If an engine is asked for an option that it does not honour: tasks, a budget or
        ``rational=False`` with vertices or HiGHS, a budget or several jobs with HiGHS.

    Returns
    -------
    SearchResult
        **Proves**, when ``certified`` and started from the whole domain: the regions handed to
        the sink are exactly the activation regions of the domain, each once.
    """
    options = Options(
        progress=progress, proof=proof, jobs=jobs, rational=rational, tasks=tasks, budget=budget
    )
    if engine == "auto":
        chosen = ENGINES["vertices"]
        if not options.demands <= chosen.honours or not takes(problem):
            chosen = ENGINES["dictionary"]
    else:
        chosen = ENGINES[engine]
    return chosen(problem, sink, options)


def chosen_engine(problem: Problem) -> str:
    """The engine that ``auto`` stands for: vertices where they can be used, or dictionaries."""
    return "vertices" if takes(problem) else "dictionary"
