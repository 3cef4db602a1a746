"""One interface to the three engines for work that is done in tasks.

An explorer is made once per worker and takes one :class:`~polyrank.cells.subtree.Subtree` after the
other. What it finds in one depends on that subtree alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from polyrank.cells.dictionary_search import DictionarySearch
from polyrank.cells.engine import Options
from polyrank.cells.interrupt import SLICE_SECONDS
from polyrank.cells.subtree import Cell, Subtree, divided
from polyrank.cells.task import Batch, Task, prefix_text
from polyrank.cells.vertices.core import VertexCore
from polyrank.cells.vertices.search import VertexSearch
from polyrank.cells.work import Work
from polyrank.native.records import Handle
from polyrank.posed.problem import Problem

__all__ = ["DictionaryExplorer", "Explored", "Explorer", "explorer"]

_SEGMENT_END = b"\0"
#: Cells per proof segment of the search with vertices.
_SEGMENT = 100_000
#: Units of work of a cell of HiGHS, and of a test on dictionaries of dimension 8.
_HIGHS_CELL = 1000.0
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

    def prefix(self, cell: Cell) -> str:
        """An open cell as :func:`polyrank.cells.task.prefix_text` spells it."""


def explorer(problem: Problem, engine: str, *, proof: bool = False) -> Explorer:
    """The explorer of an engine: ``dictionary``, ``vertices`` or ``highs``.

    Raises
    ------
    UnsupportedError
        If the engine cannot take the domain.
    """
    if engine == "vertices":
        return _Vertices(problem, proof=proof)
    if engine == "highs":
        return _Highs(problem, proof=proof)
    return DictionaryExplorer(problem, proof=proof)


def _nothing(_: object) -> None:
    pass


def _difference(after: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {name: n - before.get(name, 0) for name, n in after.items()}


def _row_units(search_bytes: int) -> float:
    return 1.0 + search_bytes / _BYTES_PER_UNIT


class DictionaryExplorer:
    """Explores with compiled dictionaries; see :class:`Explorer`."""

    def __init__(self, problem: Problem, *, proof: bool) -> None:
        options = Options(proof=_nothing if proof else None, jobs=1)
        self._search = DictionarySearch(problem, _nothing, options)
        d = self._search.cube.dim
        row = self._search.core.code_bytes * 2 + 2 * problem.layers + 8 * problem.chart.k
        self._weights = {"cell": _row_units(row), "test": 0.5 + d * d / 64}

    @property
    def tie(self) -> NDArray[np.int64]:
        """Per unit, the earlier unit that it is a multiple of, or −1."""
        return self._search.net.tie

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
        before, exact = search.statistics, (search.exact_tests, search.exact_cells)
        cells = [cell for cell in tree.cells if isinstance(cell, Task)]
        rest, complete = search.explore(cells, tree.shares, Work(work, **self._weights))
        counts = _difference(search.statistics, before)
        counts["by_rationals"] = search.exact_tests - exact[0]
        counts["exact_cells"] = search.exact_cells - exact[1]
        counts["tests"] += counts["by_rationals"]
        undecided = tuple(search.undecided)
        return Explored(undecided, divided(rest, tree.generation + 1), complete, counts)

    def prefix(self, cell: Cell) -> str:
        """An open cell as :func:`polyrank.cells.task.prefix_text` spells it."""
        return _text(cell, self._search.net.unit_start)


class _Highs:
    def __init__(self, problem: Problem, *, proof: bool) -> None:
        from polyrank.cells.highs_search import HighsSearch  # noqa: PLC0415  (heavy second engine)

        options = Options(proof=_nothing if proof else None, jobs=1)
        self._search = HighsSearch(problem, _nothing, options)

    def root(self) -> Subtree:
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
        search = self._search
        search.sink, search.stopped = sink, stopped
        if search.proof is not None:
            search.proof = proof
        before = self._counts()
        cells = [cell for cell in tree.cells if isinstance(cell, Task)]
        rest, complete = search.explore(cells, tree.shares, max(1, int(work / _HIGHS_CELL)))
        counts = _difference(self._counts(), before)
        counts["highs_failed"] = search.model.failures
        counts["pivots"] += search.model.pivots
        undecided = tuple(search.undecided)
        counts["undecided"] = len(undecided)
        return Explored(undecided, divided(rest, tree.generation + 1), complete, counts)

    def _counts(self) -> dict[str, int]:
        search = self._search
        return {**search.count, "tests": search.tests, "pivots": search.exact_pivots}

    def prefix(self, cell: Cell) -> str:
        return _text(cell, self._search.unit_start)


def _text(cell: Cell, unit_start: NDArray[np.int64]) -> str:
    if isinstance(cell, bytes):
        raise TypeError("a cell with vertices belongs to the vertices engine")
    return prefix_text(cell.decision, unit_start)


class _Vertices:
    def __init__(self, problem: Problem, *, proof: bool) -> None:
        options = Options(proof=_nothing if proof else None, jobs=1)
        self._worker = VertexSearch(problem, _nothing, options).worker
        self._net = problem.arrays
        self._roots = self._taken()
        row = (
            (int(self._net.hyperplane.sum()) + 7) // 8 * 2
            + 2 * problem.layers
            + 8 * problem.chart.k
        )
        self._cell = _row_units(row)

    def root(self) -> Subtree:
        share = 1.0 / max(1, len(self._roots))
        return Subtree(tuple(map(VertexCore.bytes_of, self._roots)), (share,) * len(self._roots))

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
        last = worker.cells + max(1, int(work / self._cell))
        stack = [(core.cell_of(c), s) for c, s in _blobs(tree)][::-1]
        complete, rows = True, 0
        while stack and worker.cells < last and complete:
            task, share = stack.pop()
            core.load_cell(task)
            end = last
            if proof is not None:
                head = worker.head()
                proof(head.before + rows.to_bytes(8, "little") + head.after)
                end = min(last, worker.cells + _SEGMENT)
            done = False
            while not (done or worker.ended(end)):
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
                proof(_SEGMENT_END)
            rest = self._taken()[::-1]
            for i, cell in enumerate(rest):  # the lowest on the stack are the largest
                stack.append((cell, share / 2 ** min(i + 1, 200)))
        counts = _difference(worker.counts(), before)
        rest_of = [(VertexCore.bytes_of(cell), share) for cell, share in reversed(stack)]
        return Explored((), divided(rest_of, tree.generation + 1), complete, counts)

    def prefix(self, cell: Cell) -> str:
        if not isinstance(cell, bytes):
            raise TypeError("a cell without vertices belongs to another engine")
        core = self._worker.core
        core.load_cell(core.cell_of(cell))
        after = self._worker.head().after
        self._taken()
        units = int(self._net.unit_start[-1])
        decision = np.frombuffer(after[:units], dtype=np.uint8).astype(np.int8) - np.int8(1)
        return prefix_text(decision, self._net.unit_start)


def _blobs(tree: Subtree) -> list[tuple[bytes, float]]:
    pairs = zip(tree.cells, tree.shares, strict=True)
    return [(cell, share) for cell, share in pairs if isinstance(cell, bytes)]
