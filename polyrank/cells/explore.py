"""One interface to the three engines for work that is done in tasks.

An explorer is made once per worker and takes one :class:`~polyrank.cells.subtree.Subtree` after the
other. What it finds in one depends on that subtree alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from polyrank.cells.dictionary_search import DictionarySearch
from polyrank.cells.engine import Options
from polyrank.cells.interrupt import SLICE_SECONDS
from polyrank.cells.log_steps import SEGMENT_END
from polyrank.cells.subtree import Subtree, VertexCell, divided
from polyrank.cells.task import Batch, Task, prefix_text
from polyrank.cells.vertices.core import VertexCore
from polyrank.cells.vertices.search import VertexSearch
from polyrank.cells.work import Work
from polyrank.native.records import Handle
from polyrank.posed.problem import Problem

if TYPE_CHECKING:
    from polyrank.cells.highs_search import HighsSearch

__all__ = ["Explored", "Explorer", "explorer"]

#: Units of work of a cell of HiGHS, and of a step of a cell with vertices.
_HIGHS_CELL, _VERTEX_CELL = 1000.0, 0.1
#: Steps of cells with vertices until regions are counted.
_LOOK_CELLS = 1 << 16
_BYTES_PER_UNIT = 64


@dataclass(frozen=True, slots=True, eq=False)
class Explored:
    """How the work on a subtree ended.

    Attributes
    ----------
    undecided : tuple of str
        Cells that were not decided.
    rest : tuple of Subtree
        What is open, in the order of the search.
    complete : bool
        False if the work was stopped before its budget was spent: what was found is only a part of
        what the subtree gives, and ``rest`` means nothing.
    counts : mapping
        Counters: ``tests``, ``pivots`` and others.
    """

    undecided: tuple[str, ...]
    rest: tuple[Subtree, ...]
    complete: bool
    counts: Mapping[str, int]


class Explorer(Protocol):
    """A worker's search."""

    def root(self) -> Subtree:
        """The whole domain."""

    def explore(
        self,
        tree: Subtree,
        work: float,
        *,
        sink: Callable[[Batch], None],
        proof: Callable[[bytes], None] | None,
        stopped: Callable[[], bool],
    ) -> Explored:
        """Search below a subtree until it is done or about ``work`` microseconds are spent.

        Parameters
        ----------
        tree : Subtree
        work : float
            Counted in cells and tests, not by the clock.
        sink : callable
            Receives the regions in order.
        proof : callable, optional
            Receives the proof log, whose rows are counted from the first region of this subtree.
        stopped : callable
            Asked several times a second whether to give up.
        """


def explorer(
    problem: Problem, engine: str, *, proof: bool = False, rational: bool = True
) -> Explorer:
    """The explorer of an engine: ``dictionary``, ``vertices`` or ``highs``.

    Parameters
    ----------
    problem : Problem
    engine : str
    proof : bool
        Whether a proof log is written.
    rational : bool
        Decide in rationals what floats and integers leave open; without it those cells are
        undecided. Cells with vertices and HiGHS always do.

    Raises
    ------
    UnsupportedError
        If the engine cannot take the domain.
    """
    if engine == "vertices":
        return _Vertices(problem, Options(proof=_nothing if proof else None, jobs=1))
    options = Options(proof=_nothing if proof else None, jobs=1, rational=rational)
    if engine == "highs":
        return _Highs(problem, options)
    return _Dictionaries(problem, options)


def _nothing(_: object) -> None:
    pass


def _difference(after: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {name: n - before.get(name, 0) for name, n in after.items()}


def _row_units(search_bytes: int) -> float:
    return 1.0 + search_bytes / _BYTES_PER_UNIT


class _OfTasks(ABC):
    """An explorer whose search takes open cells as tasks."""

    _search: DictionarySearch | HighsSearch

    def root(self) -> Subtree:
        """The whole domain."""
        return Subtree((self._search.root(),), (1.0,))

    def explore(
        self,
        tree: Subtree,
        work: float,
        *,
        sink: Callable[[Batch], None],
        proof: Callable[[bytes], None] | None,
        stopped: Callable[[], bool],
    ) -> Explored:
        """Search below a subtree; see :meth:`Explorer.explore`."""
        search = self._search
        search.sink, search.stopped = sink, stopped
        if search.proof is not None:
            search.proof = proof
        before = self._counts()
        cells = [cell for cell in tree.cells if isinstance(cell, Task)]
        rest, complete = self._work_on(cells, tree.shares, work)
        counts = _difference(self._counts(), before)
        undecided = tuple(search.undecided)
        return Explored(undecided, divided(rest, tree.generation + 1), complete, counts)

    @abstractmethod
    def _work_on(
        self, cells: Sequence[Task], shares: Sequence[float], work: float
    ) -> tuple[list[tuple[Task, float]], bool]:
        """What is open below cells when the work is spent, and whether nobody stopped it."""

    @abstractmethod
    def _counts(self) -> dict[str, int]:
        """The counters, since the search was made."""


class _Dictionaries(_OfTasks):
    """Explores with compiled dictionaries; see :class:`Explorer`."""

    _search: DictionarySearch

    def __init__(self, problem: Problem, options: Options) -> None:
        self._search = DictionarySearch(problem, _nothing, options)
        d = self._search.cube.dim
        row = self._search.core.code_bytes * 2 + 2 * problem.layers + 8 * problem.chart.k
        self._weights = {"cell": _row_units(row), "test": 0.5 + d * d / 64}

    def _work_on(
        self, cells: Sequence[Task], shares: Sequence[float], work: float
    ) -> tuple[list[tuple[Task, float]], bool]:
        return self._search.explore(cells, shares, Work(work, **self._weights))

    def _counts(self) -> dict[str, int]:
        search = self._search
        counts = search.statistics
        counts["by_rationals"] = search.exact_tests
        counts["exact_cells"] = search.exact_cells
        counts["tests"] += search.exact_tests
        return counts


class _Highs(_OfTasks):
    _search: HighsSearch

    def __init__(self, problem: Problem, options: Options) -> None:
        from polyrank.cells.highs_search import HighsSearch  # noqa: PLC0415  (heavy second engine)

        self._search = HighsSearch(problem, _nothing, options)

    def _work_on(
        self, cells: Sequence[Task], shares: Sequence[float], work: float
    ) -> tuple[list[tuple[Task, float]], bool]:
        return self._search.explore(cells, shares, max(1, int(work / _HIGHS_CELL)))

    def _counts(self) -> dict[str, int]:
        return self._search.counts


class _Vertices:
    def __init__(self, problem: Problem, options: Options) -> None:
        self._worker = VertexSearch(problem, _nothing, options).worker
        self._net = problem.arrays
        self._roots = self._taken()
        row = (
            (int(self._net.hyperplane.sum()) + 7) // 8 * 2
            + 2 * problem.layers
            + 8 * problem.chart.k
        )
        self._units = _row_units(row)

    def root(self) -> Subtree:
        share = 1.0 / max(1, len(self._roots))
        return Subtree(tuple(map(self._cell, self._roots)), (share,) * len(self._roots))

    def _taken(self) -> list[Handle]:
        """The open cells of the core, the next one first."""
        core = self._worker.core
        return [core.take_cell(0) for _ in range(core.status.open_cells)][::-1]

    def explore(
        self,
        tree: Subtree,
        work: float,
        *,
        sink: Callable[[Batch], None],
        proof: Callable[[bytes], None] | None,
        stopped: Callable[[], bool],
    ) -> Explored:
        worker, core = self._worker, self._worker.core
        before = worker.counts()
        last = worker.cells + max(1, int(work / _VERTEX_CELL))
        most = max(1, int(work / self._units))
        stack = [(core.cell_of(c), s) for c, s in _blobs(tree)][::-1]
        complete, rows = True, 0
        while stack and worker.cells < last and rows < most and complete:
            task, share = stack.pop()
            core.load_cell(task)
            if proof is not None:
                head = worker.head()
                proof(head.before + rows.to_bytes(8, "little") + head.after)
            segment = _LOOK_CELLS if proof is None else worker.segment
            end, done = min(last, worker.cells + segment), False
            while not done:
                if worker.ended(end):
                    # rows are looked at where cells say, as they come in by the clock
                    if proof is not None or worker.cells >= last or rows >= most:
                        break
                    end = min(last, worker.cells + _LOOK_CELLS)
                done = worker.step(0, end, SLICE_SECONDS)
                found = worker.take()
                if proof is not None:
                    proof(found.log)
                if found.batch is not None:
                    rows += len(found.batch.rank)
                    sink(found.batch)
                if not done and stopped():
                    complete = False
                    break
            if proof is not None:
                proof(SEGMENT_END)
            rest = self._taken()[::-1]
            for i, cell in enumerate(rest):  # the lowest on the stack are the largest
                stack.append((cell, share / 2 ** min(i + 1, 200)))
        counts = _difference(worker.counts(), before)
        rest_of = [(self._cell(cell), share) for cell, share in reversed(stack)] if complete else []
        return Explored((), divided(rest_of, tree.generation + 1), complete, counts)

    def _cell(self, task: Handle) -> VertexCell:
        """An open cell with its prefix."""
        core = self._worker.core
        core.load_cell(task)
        after = self._worker.head().after
        self._taken()
        units = int(self._net.unit_start[-1])
        decision = np.frombuffer(after[:units], dtype=np.uint8).astype(np.int8) - np.int8(1)
        prefix = prefix_text(decision, self._net.unit_start)
        return VertexCell(VertexCore.bytes_of(task), prefix)


def _blobs(tree: Subtree) -> list[tuple[bytes, float]]:
    pairs = zip(tree.cells, tree.shares, strict=True)
    return [(cell.data, share) for cell, share in pairs if isinstance(cell, VertexCell)]
