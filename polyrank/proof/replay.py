"""Trusted: replays one segment of the search tree and checks every step of it exactly.

With :class:`~polyrank.proof.rounding.Rounding` the compiled replay goes first, and hands back what
its bounds do not prove; otherwise, and from the first step on that it cannot apply, every step is
decided on exact integers as it comes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from polyrank.proof import claims
from polyrank.proof import format as log
from polyrank.proof.format import ProofRejectedError, head_of
from polyrank.proof.layers import LayerRows, Problem, Region, mask_of
from polyrank.proof.rounding import Left, Rounding, Status
from polyrank.proof.rows import Listed, Rows

__all__ = ["Replayed", "decide", "replay", "root_of"]

_OTHER = str.maketrans("01", "10")
_BLOCK = 8192  # rows of the table that are read at once
_BY = (log.NEGATIVE_BY, log.POSITIVE_BY)
_BOX = (log.NEGATIVE_BOX, log.POSITIVE_BOX)
_MISS = (log.NEGATIVE, log.POSITIVE)
_CUBE = (log.CUBE_NEGATIVE, log.CUBE_POSITIVE)
_POSITIVE = (log.CUBE_POSITIVE, log.POSITIVE, log.POSITIVE_BY, log.POSITIVE_BOX)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a segment claims beyond itself: its cell, the cells it leaves, the rows it describes.

    A cell is a digest; those that are left also have the text of their decisions, and of those
    opposite to them if they are paired.
    """

    head: bytes
    deferred: tuple[tuple[bytes, tuple[str, ...]], ...]
    row: int
    leaves: int
    steps: int
    tests: int


@dataclass(slots=True)
class _Cell:
    """A cell inside a region of the layers below: which of its units are open, and decisions.

    ``rows`` are the numbers of the rows that are ≥ 0 on the cell: the walls, and units that split.
    ``paired``: the cell stands for itself and for its opposite.
    """

    region: Region
    open: int
    positive: int
    zero: int
    rows: list[int]
    paired: bool = False

    def key(self) -> bytes:
        """A digest of layer, decisions (ties resolved), splits, pair: the same iff these are."""
        region = self.region
        decided = region.resolve(self.positive, self.zero)
        undecided = self.open & region.here.open
        state = (region.key(), undecided, decided, sorted(self.rows), self.paired)
        return hashlib.sha256(repr(state).encode()).digest()

    def texts(self) -> tuple[str, ...]:
        """Decisions by layer and unit: 0, 1, z (identically zero), ? (open), = (none to make)."""
        own = self._text()
        return (own, own.translate(_OTHER)) if self.paired else (own,)

    def _text(self) -> str:
        region = self.region
        words = [_word(region.here, self.open, self.positive, self.zero)]
        while region.below is not None:
            words.append(_word(region.below.here, 0, region.positive, region.zero))
            region = region.below
        above = region.layers.layers[len(words) :]
        return "|".join([*reversed(words), *(_word(here, here.open, 0, 0) for here in above)])


def _word(here: LayerRows, undecided: int, positive: int, zero: int) -> str:
    """The decisions of one layer as text."""
    return "".join(
        "=" if not here.open >> i & 1
        else "?" if undecided >> i & 1
        else "z" if zero >> i & 1
        else "01"[positive >> i & 1]
        for i in range(here.units)
    )  # fmt: skip


def _domain(problem: Problem) -> _Cell:
    region = Region(problem.layers, None, 0, 0)
    return _Cell(region, region.here.plane, 0, 0, [2 * i for i in range(len(problem.walls))])


def root_of(problem: Problem) -> tuple[bytes, tuple[str, ...]]:
    """The domain as a cell: its digest, and its decisions."""
    cell = _domain(problem)
    return cell.key(), cell.texts()


def replay(
    segment: bytes,
    number: int,
    problem: Problem,
    table: Rows,
    rounding: Rounding | None,
    *,
    alone: bool = False,
) -> Replayed:
    """Check all steps of a segment.

    **Proves**, if it returns: the cell of the head (with its opposite, if it is paired) is the
    union, up to lower dimension, of the regions in rows ``row .. row + leaves − 1`` of the table
    and of the deferred cells (with their opposites); each of
    these rows is a region of full dimension with the codeword, zero bits, ranks and witness that
    it states. The decisions of the head are trusted here; they are to be those of the
    segment that deferred the cell. If it is to be checked ``alone``, they are instead verified at
    every witness, so that the rows are proved to be regions whatever the other segments say.

    Raises
    ------
    ProofRejectedError
        Naming the segment and the byte of the first step that fails.
    """
    return _Replay(segment, number, problem, table, rounding, alone).run()


def decide(left: Left, problem: Problem, listed: Listed, row: int) -> str:
    """Why a claim that was left to exact integers does not hold; "" if it does.

    ``row``: number of the first row listed; that of a rank is its own.
    """
    region, number = left.region, left.number
    if left.kind == "zero":
        return claims.vanishing(region, number)
    if left.kind == "rank":
        return claims.ranked(region, number, row + left.listed)
    if left.kind == "inside":
        point = listed.exact(left.listed)
        return claims.inside(problem, region, number, point, row + left.listed)
    by_rows = left.by_rows
    return claims.signed(problem, region, number, left.rows, left.columns, by_rows=by_rows)


class _Replay:
    def __init__(
        self,
        segment: bytes,
        number: int,
        problem: Problem,
        table: Rows,
        rounding: Rounding | None,
        alone: bool,
    ) -> None:
        self.segment, self.number, self.problem, self.table = segment, number, problem, table
        self.layers, self.rounding = problem.layers, rounding
        self.head = head_of(segment, self.layers.starts[-1], number)
        self.width = 1 + (len(problem.walls) + self.layers.starts[-1] + 1 > 256)
        self.leaves = self.steps = self.tests = 0
        self.alone = alone
        self.assumed: list[int] = []  # numbers of the rows of units that the head decides
        self.known = 0  # claims of steps before this byte are proved
        self.listed, self.first = table.slice(0, 0), 0

    def _bad(self, p: int, reason: str) -> ProofRejectedError:
        """A step that is not proved."""
        return ProofRejectedError(f"segment {self.number}, byte {p}: {reason}")

    def run(self) -> Replayed:
        """All of the segment."""
        cell = self._start()
        key = cell.key()
        left = None if self.rounding is None else self._rounded(self.rounding, cell)
        if left is None:
            self.leaves = self.steps = self.tests = 0
            left = [(cell.key(), cell.texts()) for cell in self._steps(cell, self.head.size)]
        return Replayed(key, tuple(left), self.head.row, self.leaves, self.steps, self.tests)

    def _rounded(
        self, rounding: Rounding, cell: _Cell
    ) -> list[tuple[bytes, tuple[str, ...]]] | None:
        """The cells that are deferred; None if a step is left that was not applied.

        Then all claims before the byte ``known`` are proved.
        """
        segment, state = self.segment, rounding.state
        paired = cell.paired  # and so are all cells below it
        parts = (cell.region, cell.open, cell.positive, cell.zero, cell.rows)
        most = rounding.begin(
            segment, self.head.size, self.width, parts, self.assumed, paired=paired
        )
        deferred: list[tuple[bytes, tuple[str, ...]]] = []
        byte = self.head.size
        while True:
            first = self.head.row + self.leaves
            listed = self.table.slice(first, min(max(_BLOCK, 2), most - self.leaves))
            status = rounding.steps(listed)
            for left in rounding.left:
                if reason := decide(left, self.problem, listed, first):
                    raise self._bad(left.where, reason)
            for own in rounding.deferred:
                open_cell = _Cell(*own, paired)
                deferred.append((open_cell.key(), open_cell.texts()))
            self.leaves, self.steps, self.tests = state.leaves, state.steps, state.tests
            if status == Status.DONE:
                return deferred
            if status == Status.STOPPED or state.byte == byte:
                self.known = state.byte
                return None
            byte = state.byte

    def _steps(self, cell: _Cell, p: int) -> list[_Cell]:
        """All steps from byte p on, which start on a cell; the cells that are deferred."""
        segment, last = self.segment, self.layers.depth - 1
        stack: list[_Cell] = [cell]
        deferred: list[_Cell] = []
        while p < len(segment):
            step = segment[p]
            if step == log.END:
                if p + 1 != len(segment):
                    raise self._bad(p, "bytes follow the end mark")
                return deferred + stack
            if not stack:
                raise self._bad(p, "a step follows although no cell is open")
            cell = stack[-1]
            self.steps += 1
            if step in (*_CUBE, *_MISS, *_BY, *_BOX):
                p = self._sign(cell, p)
                continue
            if step == log.OPPOSITE:
                self._pair(cell, p)
                p += 3
                continue
            if step in (log.ZERO, log.SPLIT):
                unit = self._decide(cell, p)
                region, bit = cell.region, 1 << unit
                if step == log.SPLIT:
                    row = self.problem.number(region.layer, unit, positive=True)
                    rows = [*cell.rows, row]
                    up = _Cell(region, cell.open, cell.positive | bit, cell.zero, rows, cell.paired)
                    cell.rows = [*cell.rows, row + 1]
                    stack.append(up)
                else:
                    self._claim(p, claims.vanishing(region, unit) if p >= self.known else "")
                    cell.zero |= bit
                p += 3
                continue
            if step == log.NEXT:
                if cell.region.layer == last:
                    raise self._bad(p, "there is no next layer")
                self._enter(cell, p)
            elif step == log.LEAF:
                if cell.region.layer != last:
                    raise self._bad(p, "a region before the last layer")
                self._leaf(cell, p)
                stack.pop()
            elif step == log.DEFER:
                deferred.append(stack.pop())
            else:
                raise self._bad(p, f"unknown step {step}")
            p += 1
        raise self._bad(p, "the segment ends without its end mark")

    def _claim(self, p: int, reason: str) -> None:
        if reason:
            raise self._bad(p, reason)

    def _sign(self, cell: _Cell, p: int) -> int:
        """The claim that a unit has a sign; where the next step starts."""
        segment, step = self.segment, self.segment[p]
        by = step in (*_BY, *_BOX)
        skip, width = (5, 2) if by else (3, self.width)
        rows = self.problem.dim if step in _MISS else 0
        if by:
            rows = int.from_bytes(segment[p + 3 : p + 5], "little")
        columns = rows if step in _BOX else 0
        if columns and not self.problem.bounded:
            raise self._bad(p, "the domain has no bounding box")
        end = p + skip + rows * width + 2 * columns
        if end > len(segment):
            raise self._bad(p, "the segment is cut off inside a step")
        unit = self._decide(cell, p)
        places = _numbers(segment[p + skip : p + skip + rows * width], width)
        none = (1 << 8 * width) - 1
        for index in places:
            if index != none and index >= len(cell.rows):
                raise self._bad(p, f"the cell has {len(cell.rows)} rows, not a row {index}")
        positive = step in _POSITIVE
        goal = self.problem.number(cell.region.layer, unit, positive=positive)
        coordinates = _numbers(segment[end - 2 * columns : end], 2)
        if p >= self.known:
            if max(coordinates, default=-1) >= self.layers.k:
                raise self._bad(p, f"there is no coordinate {max(coordinates)}")
            numbers = [cell.rows[index] for index in places if index != none]
            self._claim(
                p,
                claims.signed(
                    self.problem, cell.region, goal, numbers, coordinates, by_rows=rows > 0
                ),
            )
        cell.positive |= positive << unit
        self.tests += rows > 0
        return end

    def _leaf(self, cell: _Cell, p: int) -> None:
        """The claim that a row of the table describes a cell, and the next one its opposite."""
        region, rows = self._decided(cell, p), [*cell.rows, *self.assumed]
        self._describes(region, rows, p)
        if cell.paired:
            turned = [self.problem.opposite(number) for number in rows]
            self._describes(region.opposite(), turned, p)

    def _describes(self, region: Region, numbers: list[int], p: int) -> None:
        """The next row of the table states a region, on which rows with these numbers are ≥ 0."""
        row = self.head.row + self.leaves
        self.leaves += 1
        if p < self.known:
            return
        if not self.first <= row < self.first + len(self.listed.code):
            self.listed, self.first = self.table.slice(row, _BLOCK), row
            if not len(self.listed.code):
                raise self._bad(p, f"the table has no row {row}")
        i = row - self.first
        self._claim(p, claims.described(region, self.listed, i, row))
        point = self.listed.exact(i)
        for number in numbers:
            self._claim(p, claims.inside(self.problem, region, number, point, row))

    def _decide(self, cell: _Cell, p: int) -> int:
        """The unit of a step, which is open no longer."""
        if p + 3 > len(self.segment):
            raise self._bad(p, "the segment is cut off inside a step")
        unit = self.segment[p + 1] | self.segment[p + 2] << 8
        if unit >= cell.region.here.units:
            raise self._bad(p, f"there is no unit {unit}")
        if not cell.open >> unit & 1:
            raise self._bad(p, f"unit {unit} is decided already")
        cell.open ^= 1 << unit
        return unit

    def _pair(self, cell: _Cell, p: int) -> None:
        """The half of a symmetric domain on which a unit is positive, as a paired cell."""
        if cell.paired or cell.region.layer or len(cell.rows) != len(self.problem.walls):
            raise self._bad(p, "only the domain is halved into opposite cells")
        self._symmetric(p)
        unit = self._decide(cell, p)
        cell.positive |= 1 << unit
        cell.rows = [*cell.rows, self.problem.number(0, unit, positive=True)]
        cell.paired = True

    def _symmetric(self, p: int) -> None:
        if not self.problem.symmetric:
            raise self._bad(p, "opposite cells, although this is no central arrangement")

    def _decided(self, cell: _Cell, p: int) -> Region:
        """The region that a cell is, all of whose units are decided."""
        if left := cell.open & cell.region.here.open:
            raise self._bad(p, f"unit {(left & -left).bit_length() - 1} is not decided")
        return Region(self.layers, cell.region, *cell.region.resolve(cell.positive, cell.zero))

    def _enter(self, cell: _Cell, p: int) -> None:
        cell.region = self._decided(cell, p)
        cell.open, cell.positive, cell.zero = cell.region.here.plane, 0, 0

    def _start(self) -> _Cell:
        """The cell of the head."""
        head, layers = self.head, self.layers
        if any(v > 1 for v in head.splits) or any(v > 3 for v in head.decision):
            raise self._bad(11, "a decision or split that does not exist")
        if head.layer >= layers.depth:
            raise self._bad(1, f"there is no layer {head.layer + 1}")
        top = layers.starts[head.layer + 1]
        if any(v != -1 for v in head.decision[top:]) or any(head.splits[top:]):
            raise self._bad(11 + top, "units above the layer of the cell are decided")
        cell = _domain(self.problem)
        cell.paired = head.paired
        if head.paired:
            self._symmetric(0)
        for k in range(head.layer + 1):
            if k:
                self._enter(cell, 11 + layers.starts[k - 1])
            here, start = layers.layers[k], layers.starts[k]
            span = slice(start, start + here.units)
            by = {v: mask_of([d == v for d in head.decision[span]]) for v in range(-1, 4)}
            split = mask_of(head.splits[span])
            cuts = split & here.open & (by[0] | by[1])
            if split != cuts or by[3] & here.open or by[1] | here.plane != (1 << here.units) - 1:
                raise self._bad(11 + start, f"layer {k + 1} cannot be decided like this")
            cell.open &= by[-1] | by[3]
            cell.positive, cell.zero = by[1] & here.open, by[2] & here.open
            for i in range(here.units):
                row = self.problem.number(k, i, positive=bool(by[1] >> i & 1))
                if split >> i & 1:
                    cell.rows.append(row)
                elif self.alone and (by[0] | by[1]) & here.open & 1 << i:
                    self.assumed.append(row)
                elif self.alone and cell.zero >> i & 1 and any(cell.region.exact[i]):
                    raise self._bad(11 + start + i, f"unit {i} is not identically zero")
        return cell


def _numbers(data: bytes, width: int) -> list[int]:
    """Numbers of so many bytes each."""
    return [int.from_bytes(data[i : i + width], "little") for i in range(0, len(data), width)]
