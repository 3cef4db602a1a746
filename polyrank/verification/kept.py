"""What ``verify`` keeps of a tree that is not finished, and how it goes on with it.

An entry of the journal (:mod:`polyrank.regions.kept`) names the question and its tree in preorder:
stretches of codes, which lie in shards, and holes, each of which is one open cell. The shard of the
entry holds the stretches that were not kept before. From the root and the stretches the open cells
are found again, by working once more on the cells around them, so that the tree, and its proof, are
those of a search that nothing ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from polyrank.digits import json_text, json_value
from polyrank.errors import RunError
from polyrank.native.records import Handle
from polyrank.regions.kept import KeptWork
from polyrank.verification.arrays import Floats
from polyrank.verification.bisection import Bisection

__all__ = ["Hole", "Stretch", "TreeDiary", "open_tasks"]

_CLOSED, _HARD = 0, 1
_COMBINATION, _MULTIPLIED = 65535, 65534
#: Numbers of a reference: shard, its part of the log, its part of the proofs, four counts.
_PLACES = 5


@dataclass(slots=True, eq=False)
class Stretch:
    """A stretch of the tree's log with the exact proofs of its hard cells.

    Attributes
    ----------
    log : bytes
    proofs : list of list
    boxes : int
        Cells that were worked on.
    share : float
        Share of the first box's volume that was done.
    open : int
        Cells that are open behind it, before those that other threads were given.
    given_up : int
        Hard cells that are left open.
    place : list, optional
        Where it is kept.
    """

    log: bytes
    proofs: list[list[Any]] = field(default_factory=list)
    boxes: int = 0
    share: float = 0.0
    open: int = 0
    given_up: int = 0
    place: list[Any] | None = None


class Hole:
    """An open cell."""


class TreeDiary:
    """The journal of one question's tree.

    Parameters
    ----------
    work : KeptWork
    number : int
        Of the question.
    """

    def __init__(self, work: KeptWork, number: int) -> None:
        self._work = work
        self._number = number
        self._kept: list[list[Any]] = []  # references to what was handed on, in order
        self._fresh: list[Stretch] = []  # handed on since
        mine = [entry for entry in work.done if entry.get("question") == number]
        self._last: Mapping[str, Any] | None = mine[-1] if mine else None

    @property
    def due(self) -> bool:
        """Something is to be kept now."""
        return self._work.due

    @property
    def report(self) -> dict[str, Any] | None:
        """What became of the question, if it was answered before."""
        return None if self._last is None else self._last.get("report")

    @property
    def begun(self) -> bool:
        """Something was kept before."""
        return self._last is not None

    def handed_on(self, stretch: Stretch) -> None:
        """The next stretch of the tree."""
        self._fresh.append(stretch)

    def keep(self, rest: Sequence[Stretch | Hole], report: Mapping[str, Any] | None = None) -> None:
        """Keep what was handed on, and what follows it.

        Parameters
        ----------
        report : mapping, optional
            What became of the question; nothing follows then.

        Raises
        ------
        RunError
            If the disk is full or cannot be written.
        """
        number = self._work.entries
        log = bytearray()
        proofs: list[Any] = []
        for stretch in [*self._fresh, *(s for s in rest if isinstance(s, Stretch))]:
            if stretch.place is None:
                start, first = len(log), len(proofs)
                log += stretch.log
                proofs += stretch.proofs
                stretch.place = [
                    number, start, len(log), first, len(proofs),
                    stretch.boxes, stretch.share, stretch.given_up,
                ]  # fmt: skip
        for stretch in self._fresh:
            _add(self._kept, stretch.place)
        self._fresh.clear()
        order: list[Any] = [list(place) for place in self._kept]
        for each in rest:
            _add(order, 1 if isinstance(each, Hole) else each.place)
        entry: dict[str, Any] = {"question": self._number, "order": order}
        if report is not None:
            entry["report"] = dict(report)
        text = json_text(proofs).encode()
        self._work.keep(entry, len(log).to_bytes(8, "little") + bytes(log) + text)

    def restored(self) -> Iterator[Stretch | Hole]:
        """What was kept, in order.

        Raises
        ------
        RunError
            If a shard is missing or damaged.
        """
        if self._last is None:
            return
        shards: dict[int, tuple[bytes, list[Any]]] = {}
        for each in self._last["order"]:
            if isinstance(each, int):
                yield from (Hole() for _ in range(each))
                continue
            number, start, end, first, last, boxes, share, given_up = each
            if number not in shards:
                shards[number] = self._shard(number)
            log, proofs = shards[number]
            yield Stretch(
                log[start:end], proofs[first:last], boxes, share, given_up=given_up, place=each
            )

    def _shard(self, number: int) -> tuple[bytes, list[Any]]:
        data = self._work.shard(self._work.done[number])
        size = int.from_bytes(data[:8], "little")
        try:
            return data[8 : 8 + size], json_value(data[8 + size :])
        except ValueError:
            raise RunError(f"{self._work.directory} is damaged: entry {number}") from None


def _add(order: list[Any], place: Any) -> None:
    """Append to an order; what follows its last part directly is joined with it."""
    last = order[-1] if order else None
    if isinstance(place, int):
        if isinstance(last, int):
            order[-1] = last + place
        else:
            order.append(place)
    elif isinstance(last, list) and (last[0], last[2], last[4]) == (place[0], place[1], place[3]):
        last[2], last[4] = place[2], place[4]
        for i in range(_PLACES, len(place)):
            last[i] += place[i]
    else:
        order.append(list(place))


@dataclass(slots=True, eq=False)
class _Cell:
    """A cell of the tree: in which part of the one above, and the code that divided it."""

    above: _Cell | None
    part: int
    code: int = -1


def open_tasks(
    core: Bisection,
    root: tuple[Floats, Floats],
    pieces: Sequence[Stretch | Hole],
    sizes: Sequence[int],
    check: Callable[[], None] = lambda: None,
) -> list[Handle]:
    """The open cells that the holes of a tree are, as tasks for a core, in order.

    Parameters
    ----------
    core : Bisection
        On which nothing is open.
    root : pair of (d,) arrays
    pieces : sequence
        The tree from its beginning.
    sizes : sequence of int
        Numbers of rows of the disjuncts.
    check : callable
        Called between two steps of the core.

    Raises
    ------
    RunError
        If the pieces are not those of a tree of this core.
    """
    holes = _open_cells(pieces, sizes, core.inputs, core.units)
    below: dict[int, list[_Cell | None]] = {}
    for cell in holes:
        node = cell
        while node.above is not None:
            halves = below.setdefault(id(node.above), [None, None])
            if halves[node.part] is not None:
                break
            halves[node.part] = node
            node = node.above
    core.start(*root)
    out: list[Handle] = []
    if not holes:
        core.take_last()
        return out
    top = holes[0]
    while top.above is not None:
        top = top.above
    waiting: list[tuple[_Cell, Handle]] = [(top, core.take_last())]
    while waiting:
        cell, task = waiting.pop()
        if cell.code < 0:
            out.append(task)
            continue
        check()
        core.adopt(task)
        core.run(1)
        if core.take().log != cell.code.to_bytes(2, "little") or core.open_boxes != 2:
            raise RunError("what was kept is not the tree of this question")
        second, first = core.take_last(), core.take_last()
        parts = below[id(cell)]
        for half, part in ((second, parts[1]), (first, parts[0])):
            if part is not None:
                waiting.append((part, half))
    return out


def _open_cells(
    pieces: Sequence[Stretch | Hole], sizes: Sequence[int], inputs: int, units: int
) -> list[_Cell]:
    """The holes of a tree, each with the cells around it."""
    holes: list[_Cell] = []
    # with the number of signs that are assumed on it
    stack: list[tuple[_Cell, int]] = [(_Cell(None, 0), 0)]
    for piece in pieces:
        if isinstance(piece, Stretch) and not piece.log:
            continue  # before a cell that another thread was given
        if not stack:
            raise RunError("what was kept of the tree goes on behind its end")
        if isinstance(piece, Hole):
            holes.append(stack.pop()[0])
            continue
        log, at = piece.log, 0
        while at < len(log) and stack:
            cell, signs = stack.pop()
            code = int.from_bytes(log[at : at + 2], "little")
            at += 2
            if code == _CLOSED:
                at = _behind_closed(log, at, sizes, units + 4 * signs)
            elif code != _HARD:
                cell.code = code
                signs += (code - 2) // 2 >= inputs
                stack += [(_Cell(cell, 1), signs), (_Cell(cell, 0), signs)]
        if at != len(log):
            raise RunError("what was kept of the tree is damaged")
    if stack:
        raise RunError("what was kept of the tree has no end")
    return holes


def _behind_closed(log: bytes, at: int, sizes: Sequence[int], multipliers: int) -> int:
    """Where the entries of a closed cell end; they have so many bytes of multipliers, or none."""
    for _ in sizes:
        disjunct = int.from_bytes(log[at : at + 2], "little")
        row = int.from_bytes(log[at + 2 : at + 4], "little")
        at += 4
        if row in (_COMBINATION, _MULTIPLIED) and disjunct < len(sizes):
            at += 4 * sizes[disjunct]
        if row == _MULTIPLIED:
            at += multipliers
    return at
