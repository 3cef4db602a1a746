"""One question, answered: a tree of boxes in the native core, hard boxes in rationals, a verdict.

The core halves the bounding box of the domain (:mod:`polyrank.verification.bisection`), or divides
it by the signs of units where there are many inputs; threads share its cells. Points that floating
point takes for violations are decided by the exact forward pass, cells that bounds do not decide by
exact linear programs (:mod:`polyrank.verification.exact_cell`). An unbounded domain is one such
cell: exact linear programs from the start, which decide along the directions of recession as well.
So is a domain where floats near the numbers of the question overflow or underflow, and that of a
network of few regions whose boxes do not close at once: where kinks are closer to each other than
rounding tells apart, each of many small boxes costs as much in rationals as the whole domain.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from flint import fmpq_mat

from polyrank.cells.interrupt import DeferredInterrupt, Slices
from polyrank.cells.ordered_work import Done, OrderedWork, Share, Standing
from polyrank.counts.bounds import montufar
from polyrank.errors import UncertifiedError
from polyrank.lp.deadline import OutOfTimeError, seconds_left
from polyrank.native.records import Handle
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float
from polyrank.polyhedra.violation import Question, Specification
from polyrank.stages import tell
from polyrank.verification.arrays import BoundArrays, FloatRangeError, Floats, bound_arrays
from polyrank.verification.attack import Attack, Paced
from polyrank.verification.bisection import BUDGET, DONE, Bisection, Taken
from polyrank.verification.counterexample import exact_violation
from polyrank.verification.exact_cell import ExactQuestion, Refuted
from polyrank.verification.frame import Frame
from polyrank.verification.kept import Hole, Stretch, TreeDiary, open_tasks

__all__ = ["Answer", "Progress", "answer", "divided_by_units"]

#: A task that takes less is not worth another thread.
_ALONE_SECONDS = 0.02
_SLICE_SECONDS = 0.05
#: With more inputs exact linear programs take too long on an unbounded domain.
_MOST_INPUTS = 60
#: With more inputs that are not fixed, cells are divided by signs of units while any is open: the
#: halves of a box differ in one input of many, which the bounds hardly feel.
_MOST_HALVED = 16
#: Deepest box.
_DEEPEST = 200
#: From which depth per input on a box with few open units is decided exactly, at most to this one:
#: in networks with few weights, where that costs little, and in others.
_FEW_WEIGHTS, _SOFT_PER_INPUT, _SOFT_MOST = 500, (2, 14), 80
#: A network of few weights that has at most so many regions is decided exactly as a whole, unless
#: halving ends within so many boxes, of which so few are hard.
_FEW_REGIONS, _FEW_BOXES, _FEW_HARD = 1000, 1000, 4


@dataclass(frozen=True, slots=True)
class Progress:
    """State of a question: boxes worked on, and the share of the domain's box that is decided."""

    boxes: int
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What became of a question.

    Attributes
    ----------
    point : fmpq_mat or None
        A point of the frame that answers it: exact, verified.
    complete : bool
        Every box was decided; without a point, the answer is no.
    boxes, hard, given_up : int
        Boxes of the tree, how many of them were decided in rationals, and whether an unbounded
        domain was left open because it has too many inputs for exact linear programs.
    share : float
        Share of the volume of the domain's bounding box that was decided.
    """

    point: fmpq_mat | None
    complete: bool
    boxes: int
    hard: int
    given_up: int
    share: float


class _FoundError(Exception):
    """A violation was found: the threads are to end."""


@dataclass(slots=True, eq=False)
class _State:
    """What the threads of one question share."""

    network: Network
    specification: Specification
    frame: Frame
    exact: ExactQuestion
    point: fmpq_mat | None = None
    out_of_time: bool = False

    @property
    def ends(self) -> bool:
        """The search is to end, whatever is open."""
        return self.point is not None or self.out_of_time

    def examine(self, taken: Taken, stopped: Callable[[], bool]) -> list[list[Any]]:
        """Decide candidates and hard cells exactly; the proofs of the latter, in order.

        There are none where an unbounded domain has too many inputs for exact linear programs.

        Raises
        ------
        OutOfTimeError
            At the time limit, or when the work is stopped.
        UncertifiedError
            If an exact point does not stand the exact forward pass: a fault of this program.
        """
        for row in taken.candidates:
            found = exact_violation(self.network, self.specification, self.frame, _column(row))
            if found is not None:
                self.point = found
                raise _FoundError
        proofs = []
        if self.frame.k > _MOST_INPUTS and self.frame.lower is None:
            return []
        for box, signs in zip(taken.hard, taken.signs, strict=True):
            decided = self.exact.decide(box[0], box[1], signs.tolist(), stopped)
            if not isinstance(decided, Refuted):
                found = exact_violation(self.network, self.specification, self.frame, decided)
                if found is None:
                    raise UncertifiedError("an exact counterexample failed its own check")
                self.point = found
                raise _FoundError
            proofs.append(decided.steps)
        return proofs


class _Thread:
    """A thread's core. It gives the box that comes last to a thread that has nothing to do."""

    __slots__ = ("_context", "_core", "_state")

    def __init__(self, core: Bisection, state: _State) -> None:
        self._core = core
        self._state = state
        self._context = copy_context()  # a thread of its own knows no time limit

    def work(self, task: Handle, share: Share[Handle, Stretch]) -> None:
        """Everything below a box that is not given away."""
        self._context.run(self._work, task, share)

    def _work(self, task: Handle, share: Share[Handle, Stretch]) -> None:
        core = self._core
        core.adopt(task)
        slices = Slices(seconds=_SLICE_SECONDS)
        share.left = True
        while not (share.stopped or self._state.ends):
            if share.wanted and core.open_boxes > 1:
                last = core.take_last()
                share.give([last], [Stretch(b"", open=core.open_boxes)])
            ended = _step(core, self._state, slices, share.found, lambda: share.stopped)
            if ended and not self._state.ends:
                share.left = False
                return


def _step(
    core: Bisection,
    state: _State,
    slices: Slices,
    found: Callable[[list[Stretch]], None],
    stopped: Callable[[], bool],
) -> bool:
    """One call of the core, and what comes of it; whether it ended: by itself, or the search."""
    before, called, done = core.boxes, time.perf_counter(), core.done_share
    code = core.run(slices.steps)
    if code in (BUDGET, DONE):
        slices.measured(core.boxes - before, time.perf_counter() - called)
    try:
        proofs = state.examine(taken := core.take(), stopped)
    except _FoundError:
        found([Stretch(b"", boxes=core.boxes - before)])
        return True
    except OutOfTimeError:  # what the call found is open again
        state.out_of_time = True
        return True
    found(
        [
            Stretch(
                taken.log,
                proofs,
                core.boxes - before,
                core.done_share - done,
                core.open_boxes,
                len(taken.hard) - len(proofs),
            )
        ]
    )
    return code == DONE


def _column(row: Floats) -> fmpq_mat:
    return fmpq_mat(len(row), 1, [fmpq_from_float(v) for v in row.tolist()])


def divided_by_units(root: tuple[Floats, Floats]) -> bool:
    """Whether the cells of a box are divided by signs of units."""
    return int((root[1] > root[0]).sum()) > _MOST_HALVED


def _has_few_regions(network: Network, arrays: BoundArrays, frame: Frame) -> bool:
    """Whether an exact decision of the whole domain costs little.

    Montúfar's bound of the regions (2017, Proposition 3) uses no property of the slopes but that
    they are two.
    """
    if arrays.weight.size > _FEW_WEIGHTS:
        return False
    widths = [layer.units for layer in network.layers]
    return montufar(frame.k, widths, network.bits) <= _FEW_REGIONS


def _in_vain(core: Bisection, root: tuple[Floats, Floats], state: _State) -> bool:
    """Whether halving is far from its end after a few boxes, or leaves several hard ones."""
    core.start(*root)
    hard = 0
    while core.boxes < _FEW_BOXES:
        code = core.run(_FEW_BOXES - core.boxes)
        taken = core.take()
        hard += len(taken.hard)
        if hard > _FEW_HARD:
            return True
        for row in taken.candidates:
            found = exact_violation(state.network, state.specification, state.frame, _column(row))
            if found is not None:
                return False  # the search finds it at once
        if code == DONE:
            return False
    return True


class _Search:
    """The search for the answer to one question: what was found so far, and where that goes."""

    __slots__ = (
        "_boxes", "_diary", "_given_up", "_hard", "_interrupt", "_latest", "_log", "_progress",
        "_root", "_sampled", "_share", "_state", "_work",
    )  # fmt: skip

    def __init__(
        self,
        state: _State,
        root: tuple[Floats, Floats],
        log: Callable[[bytes, list[list[Any]]], None] | None,
        diary: TreeDiary | None,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._state, self._root = state, root
        self._log, self._diary, self._progress = log, diary, progress
        self._interrupt = DeferredInterrupt()
        self._boxes = self._hard = self._given_up = 0
        self._share = 0.0
        self._latest = Stretch(b"", open=1)  # of the first thread, alone
        self._work: OrderedWork[Handle, Stretch] | None = None
        self._sampled: Paced | None = None

    def accept(self, found: Stretch) -> None:
        """Hand on the next stretch of the tree."""
        self._latest = found
        self._count(found)
        if self._log is not None:
            self._log(found.log, found.proofs)
        if self._diary is not None:
            self._diary.handed_on(found)

    def answer(self, *, complete: bool) -> Answer:
        """The answer, with what later nodes found, which is done as well."""
        if self._work is not None and not complete:
            for each in _rest(self._work.standing()):
                if isinstance(each, Stretch):
                    self._count(each)
        point = self._state.point
        known = complete and (point is not None or not self._given_up)
        share = 1.0 if known and point is None else min(1.0, self._share)
        return Answer(point, known, self._boxes, self._hard, self._given_up, share)

    def bounds(self, question: Question, *, twins: bool) -> BoundArrays | None:
        """What bounds boxes; None if there is no box, no float for its bounds, or no use."""
        state = self._state
        if state.frame.lower is None:
            return None
        try:
            arrays = bound_arrays(state.network, state.frame, question.disjuncts, twins=twins)
        except FloatRangeError:
            return None
        begun_before = self._diary is not None and self._diary.begun
        if not begun_before and _has_few_regions(state.network, arrays, state.frame):
            with self._interrupt:
                if _in_vain(self._core(arrays), self._root, state):
                    return None
        return arrays

    def leaf(self) -> Answer:
        """Decide the whole domain as one exact leaf."""
        none = np.zeros((1, 0), dtype=np.int8)
        taken = Taken(b"", np.stack(self._root)[None], none, np.zeros((0, self._state.frame.k)))
        try:
            with self._interrupt:
                proofs = self._state.examine(taken, lambda: self._interrupt.pressed)
        except _FoundError:
            self._boxes = 1
            return self.answer(complete=True)
        except OutOfTimeError:
            self._boxes = 1
            self._interrupt.check()
            return self.answer(complete=False)
        self.accept(Stretch(b"\1\0" if proofs else b"", proofs, 1, given_up=1 - len(proofs)))
        return self.answer(complete=True)

    def tree(self, arrays: BoundArrays, question: Question, jobs: int) -> Answer:
        """Divide the box of the domain until every cell is decided."""
        core = self._core(arrays)
        if np.isfinite(self._root[1] - self._root[0]).all():
            network, frame = self._state.network, self._state.frame
            self._sampled = Paced(lambda: Attack(network, frame, question, self._root))
        try:
            with self._interrupt:
                if self._diary is not None and self._diary.begun:
                    nodes = self._resumed(core, self._diary, question)
                else:
                    nodes = self._alone(core, several=jobs > 1)
                if nodes:
                    self._work = OrderedWork(nodes)
                    cores = [core, *(self._core(arrays) for _ in range(jobs - 1))]
                    threads = [_Thread(each, self._state) for each in cores]
                    self._work.run(threads, self.accept, self._between)
                    self._between()
        except _FoundError:
            if self._state.point is None:
                self._keep()
            return self.answer(complete=self._state.point is not None)
        except KeyboardInterrupt:
            self._keep()
            raise
        return self.answer(complete=True)

    def _resumed(
        self, core: Bisection, diary: TreeDiary, question: Question
    ) -> list[Handle | Done[Stretch]]:
        """Hand on what was kept first; the nodes that follow it."""
        pieces = list(diary.restored())
        sizes = [len(disjunct) for disjunct in question.disjuncts]
        tasks = open_tasks(core, self._root, pieces, sizes, self._interrupt.check)
        nodes = _nodes(pieces, tasks)
        if isinstance(first := nodes[0], Done):
            nodes = nodes[1:]
            for piece in first.results:
                self.accept(piece)
        return nodes

    def _alone(self, core: Bisection, *, several: bool) -> list[Handle | Done[Stretch]]:
        """Search with one thread; the open boxes when it pays to share them, if that comes."""
        slices, begun = Slices(seconds=_SLICE_SECONDS), time.perf_counter()
        core.start(*self._root)
        while True:
            done = _step(
                core,
                self._state,
                slices,
                lambda found: self.accept(found[0]),
                lambda: self._interrupt.pressed,
            )
            if done and not self._state.ends:
                return []
            self._between()
            late = time.perf_counter() > begun + _ALONE_SECONDS
            if several and late and core.open_boxes > 1:
                tasks = [core.take_last() for _ in range(core.open_boxes)]
                return list(reversed(tasks))

    def _core(self, arrays: BoundArrays) -> Bisection:
        k = self._state.frame.k
        soft = min(_SOFT_MOST, _SOFT_PER_INPUT[arrays.weight.size > _FEW_WEIGHTS] * k)
        by_units = divided_by_units(self._root)
        return Bisection(arrays, k, soft_depth=soft, most_depth=_DEEPEST, by_units=by_units)

    def _count(self, found: Stretch) -> None:
        self._boxes += found.boxes
        self._hard += len(found.proofs)
        self._given_up += found.given_up
        self._share += found.share

    def _keep(self) -> None:
        # before its nodes are there, what was kept before is all there is
        if self._diary is not None and (self._work is not None or not self._diary.begun):
            alone = [Standing([], self._latest, "taken")]
            self._diary.keep(_rest(alone if self._work is None else self._work.standing()))

    def _between(self) -> None:
        """Between steps: raise if the search is to end."""
        state = self._state
        self._interrupt.check()
        tell(f"of the tree, {self._boxes:,} boxes", min(1.0, self._share), 1.0)
        if self._progress is not None:
            self._progress(Progress(self._boxes, min(1.0, self._share)))
        if self._diary is not None and self._diary.due:
            self._keep()
        if seconds_left() <= 0.0:
            state.out_of_time = True
        elif self._sampled is not None:
            for proposed in self._sampled.proposals():
                found = exact_violation(
                    state.network, state.specification, state.frame, _column(proposed)
                )
                if found is not None:  # nothing may overwrite what a thread found
                    state.point = found
                    break
        if state.ends:
            raise _FoundError


def answer(
    network: Network,
    specification: Specification,
    question: Question,
    frame: Frame,
    root: tuple[Floats, Floats],
    *,
    jobs: int,
    twins: bool = False,
    log: Callable[[bytes, list[list[Any]]], None] | None = None,
    diary: TreeDiary | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Answer:
    """Answer a question in a frame of its domain.

    Parameters
    ----------
    root : pair of (d,) arrays
        A box around that of the frame; infinite where the domain is unbounded.
    jobs : int
        Threads. The tree, and so the proof, does not depend on them; which of several violations
        is found does.
    twins : bool
        Bound the differences of twins too; not where cells are divided by signs of units.
    log : callable, optional
        Receives the tree in preorder: codes of boxes, and the exact proofs of the hard ones.
    diary : TreeDiary, optional
        Keeps the tree now and then, and when the search ends before it is done; what it kept before
        is where the search goes on.
    progress : callable, optional
        Called between steps; an exception from it ends the search.
    """
    state = _State(network, specification, frame, ExactQuestion(network, frame, question))
    search = _Search(state, root, log, diary, progress)
    tell("of the tree, 0 boxes", 0.0, 1.0)
    if not question.disjuncts:
        search.accept(Stretch(b"\0\0"))  # a closed leaf
        return search.answer(complete=True)
    arrays = search.bounds(question, twins=twins)
    return search.leaf() if arrays is None else search.tree(arrays, question, jobs)


def _nodes(
    pieces: Sequence[Stretch | Hole], tasks: Sequence[Handle]
) -> list[Handle | Done[Stretch]]:
    """Nodes of work: what is kept is done, holes are tasks."""
    waiting = iter(tasks)
    out: list[Handle | Done[Stretch]] = []
    for open_, group in groupby(pieces, lambda each: isinstance(each, Hole)):
        if open_:
            out += [next(waiting) for _ in group]
        else:
            out.append(Done([each for each in group if isinstance(each, Stretch)]))
    return out


def _rest(standing: Sequence[Standing[Stretch]]) -> list[Stretch | Hole]:
    """What was not handed on: stretches, and a hole for every cell that is open."""
    out: list[Stretch | Hole] = []
    for node in standing:
        out += node.found
        if node.state == "waits" or (node.state == "taken" and node.latest is None):
            out.append(Hole())
        elif node.state == "taken" and node.latest is not None:
            out += [Hole() for _ in range(node.latest.open)]
    return out
