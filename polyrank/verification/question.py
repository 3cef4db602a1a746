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
from contextlib import suppress
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
    boxes = hard = given_up = 0
    share = 0.0
    latest = Stretch(b"", open=1)  # of the first thread, alone
    work: OrderedWork[Handle, Stretch] | None = None

    def accept(found: Stretch) -> None:
        nonlocal boxes, hard, given_up, share, latest
        latest = found
        boxes += found.boxes
        hard += len(found.proofs)
        given_up += found.given_up
        share += found.share
        if log is not None:
            log(found.log, found.proofs)
        if diary is not None:
            diary.handed_on(found)

    def keep() -> None:
        # before its nodes are there, what was kept before is all there is
        if diary is not None and (work is not None or not diary.begun):
            alone = [Standing([], latest, "taken")]
            diary.keep(_rest(alone if work is None else work.standing()))

    tell("of the tree, 0 boxes", 0.0, 1.0)
    interrupt = DeferredInterrupt()
    sampled: Paced | None = None

    def between() -> None:
        interrupt.check()
        tell(f"of the tree, {boxes:,} boxes", min(1.0, share), 1.0)
        if progress is not None:
            progress(Progress(boxes, min(1.0, share)))
        if diary is not None and diary.due:
            keep()
        if seconds_left() <= 0.0:
            state.out_of_time = True
        elif sampled is not None:
            for proposed in sampled.proposals():
                found = exact_violation(network, specification, frame, _column(proposed))
                if found is not None:  # nothing may overwrite what a thread found
                    state.point = found
                    break
        if state.ends:
            raise _FoundError

    def ended(*, complete: bool) -> Answer:
        nonlocal boxes, hard, given_up, share
        if work is not None and not complete:  # what later nodes found is done as well
            for each in _rest(work.standing()):
                if isinstance(each, Stretch):
                    boxes += each.boxes
                    hard += len(each.proofs)
                    given_up += each.given_up
                    share += each.share
        known = complete and (state.point is not None or not given_up)
        whole = known and state.point is None
        return Answer(
            state.point,
            known,
            boxes,
            hard,
            given_up,
            1.0 if whole else min(1.0, share),
        )

    if not question.disjuncts:
        accept(Stretch(b"\0\0"))  # a closed leaf
        return ended(complete=True)
    arrays = None
    if frame.lower is not None:
        with suppress(FloatRangeError):
            arrays = bound_arrays(network, frame, question.disjuncts, twins=twins)

    def new_core(arrays: BoundArrays) -> Bisection:
        soft = min(_SOFT_MOST, _SOFT_PER_INPUT[arrays.weight.size > _FEW_WEIGHTS] * frame.k)
        by_units = divided_by_units(root)
        return Bisection(arrays, frame.k, soft_depth=soft, most_depth=_DEEPEST, by_units=by_units)

    begun_before = diary is not None and diary.begun
    if arrays is not None and not begun_before and _has_few_regions(network, arrays, frame):
        with interrupt:
            if _in_vain(new_core(arrays), root, state):
                arrays = None
    if arrays is None:  # no box to halve, no floats for its bounds, or no use: one exact leaf
        none = np.zeros((1, 0), dtype=np.int8)
        taken = Taken(b"", np.stack(root)[None], none, np.zeros((0, frame.k)))
        try:
            with interrupt:
                proofs = state.examine(taken, lambda: interrupt.pressed)
        except _FoundError:
            boxes = 1
            return ended(complete=True)
        except OutOfTimeError:
            boxes = 1
            interrupt.check()
            return ended(complete=False)
        accept(Stretch(b"\1\0" if proofs else b"", proofs, 1, given_up=1 - len(proofs)))
        return ended(complete=True)
    core = new_core(arrays)
    if np.isfinite(root[1] - root[0]).all():
        sampled = Paced(lambda: Attack(network, frame, question, root))
    slices, begun = Slices(seconds=_SLICE_SECONDS), time.perf_counter()
    try:
        with interrupt:
            if diary is not None and begun_before:
                pieces = list(diary.restored())
                sizes = [len(disjunct) for disjunct in question.disjuncts]
                tasks = open_tasks(core, root, pieces, sizes, interrupt.check)
                nodes = _nodes(pieces, tasks)
                if isinstance(first := nodes[0], Done):
                    nodes = nodes[1:]
                    for piece in first.results:
                        accept(piece)
                if not nodes:
                    return ended(complete=True)
            else:
                core.start(*root)
                while True:
                    done = _step(
                        core,
                        state,
                        slices,
                        lambda found: accept(found[0]),
                        lambda: interrupt.pressed,
                    )
                    if done and not state.ends:
                        return ended(complete=True)
                    between()
                    if (
                        jobs > 1
                        and time.perf_counter() > begun + _ALONE_SECONDS
                        and core.open_boxes > 1
                    ):
                        break
                tasks = [core.take_last() for _ in range(core.open_boxes)]
                nodes = list(reversed(tasks))
            work = OrderedWork(nodes)
            cores = [core, *(new_core(arrays) for _ in range(jobs - 1))]
            work.run([_Thread(each, state) for each in cores], accept, between)
            between()
    except _FoundError:
        if state.point is None:
            keep()
        return ended(complete=state.point is not None)
    except KeyboardInterrupt:
        keep()
        raise
    return ended(complete=True)


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
