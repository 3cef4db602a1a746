"""Trusted: replays one segment of the search tree and checks every step of it exactly.

Steps change the current cell at once; what they claim is collected and proved many at a time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import compress

import numpy as np

from polyrank.proof import format as log
from polyrank.proof.claims import POSITIVES, Claims
from polyrank.proof.format import ProofRejectedError, head_of
from polyrank.proof.layers import LayerRows, Problem, Region, mask_of
from polyrank.proof.rounding import Rounding
from polyrank.proof.rows import Rows

__all__ = ["Replayed", "replay", "root_of"]

_BATCH = 1 << 16
_RUN = 64
_BITS = [1 << i for i in range(256)]
_OTHER = str.maketrans("01", "10")
_CUBE, _MISS, _BY, _BOX = (
    bytes(codes)
    for codes in (
        (log.CUBE_NEGATIVE, log.CUBE_POSITIVE),
        (log.NEGATIVE, log.POSITIVE),
        (log.NEGATIVE_BY, log.POSITIVE_BY),
        (log.NEGATIVE_BOX, log.POSITIVE_BOX),
    )
)
_SIGNS = {code: codes for codes in (_CUBE, _MISS, _BY, _BOX) for code in codes}


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
        self.layers = problem.layers
        self.head = head_of(segment, self.layers.starts[-1], number)
        self.width = 1 + (len(problem.walls) + self.layers.starts[-1] + 1 > 256)
        self.leaves = self.steps = self.tests = 0
        self.claims = Claims(problem, rounding)
        self.alone = alone
        self.assumed: list[int] = []  # numbers of the rows of units that the head decides

    def _bad(self, p: int, reason: str) -> ProofRejectedError:
        """A step that is not proved."""
        return ProofRejectedError(f"segment {self.number}, byte {p}: {reason}")

    def run(self) -> Replayed:
        """All of the segment."""
        cell = self._start()
        key = cell.key()
        try:
            left = self._steps(cell, self.head.size)
            deferred = [(cell.key(), cell.texts()) for cell in left]
        except ProofRejectedError:
            self._prove()  # an earlier step may fail as well, and is then the first
            raise
        self._prove()
        return Replayed(key, tuple(deferred), self.head.row, self.leaves, self.steps, self.tests)

    def _steps(self, cell: _Cell, p: int) -> list[_Cell]:
        """All steps from byte p on, which start on a cell; the cells that are deferred."""
        segment, claims, last = self.segment, self.claims, self.layers.depth - 1
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
            if step in _SIGNS:
                p = self._signs(cell, p)
                continue
            self.steps += 1
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
                elif any(region.exact[unit]):
                    raise self._bad(p, f"unit {unit} is not identically zero")
                cell.zero |= bit if step == log.ZERO else 0
                p += 3
                continue
            if step == log.NEXT:
                if cell.region.layer == last:
                    raise self._bad(p, "there is no next layer")
                self._enter(cell, p)
            elif step == log.LEAF:
                if cell.region.layer != last:
                    raise self._bad(p, "a region before the last layer")
                rows = [*cell.rows, *self.assumed] if self.assumed else cell.rows
                leaf = self._decided(cell, p)
                claims.leaves.append((p, leaf, rows))
                if cell.paired:
                    turned = [self.problem.opposite(number) for number in rows]
                    claims.leaves.append((p, leaf.opposite(), turned))
                stack.pop()
                claims.size += 4 + cell.region.here.units
            elif step == log.DEFER:
                deferred.append(stack.pop())
            else:
                raise self._bad(p, f"unknown step {step}")
            p += 1
            if claims.size > _BATCH:
                self._prove()
        raise self._bad(p, "the segment ends without its end mark")

    def _signs(self, cell: _Cell, p: int) -> int:
        """As many claims of one kind as follow each other; where the next step starts."""
        segment = self.segment
        codes, skip, most, width = _SIGNS[segment[p]], 3, _RUN, self.width
        rows = 0 if codes == _CUBE else self.problem.dim
        if codes in (_BY, _BOX):
            rows, skip, most, width = int.from_bytes(segment[p + 3 : p + 5], "little"), 5, 1, 2
        columns = rows if codes == _BOX else 0
        if columns and not self.problem.bounded:
            raise self._bad(p, "the domain has no bounding box")
        stride = skip + (rows + columns) * width
        kinds = segment[p : p + min(most, (len(segment) - p) // stride) * stride : stride]
        kinds = kinds[: len(kinds) - len(kinds.lstrip(codes))]
        count = len(kinds)
        end = p + stride * count
        if not count:
            raise self._bad(p, "the segment is cut off inside a step")
        units, high = segment[p + 1 : end : stride], segment[p + 2 : end : stride]
        bits = [_BITS[u] for u in units]
        if any(high):
            bits = [1 << (u | h << 8) for u, h in zip(units, high, strict=True)]
        chosen = sum(bits)
        if chosen & ~cell.open or chosen.bit_count() != count:
            for s in range(count):  # the first of them that is not open
                self._decide(cell, p + s * stride)
        cell.open &= ~chosen
        cell.positive |= sum(compress(bits, kinds.translate(POSITIVES)))
        self.claims.add((rows, skip, width, columns), (cell.region, cell.rows, p, count))
        self.steps += count
        self.tests += count if rows else 0
        return end

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
        self.claims.size += cell.region.here.units

    def _prove(self) -> None:
        """Prove the claims."""
        claims, first = self.claims, self.head.row + self.leaves
        listed = self.table.slice(first, len(claims.leaves))
        bad = claims.failed(np.frombuffer(self.segment, np.uint8), listed, first)
        if bad is not None:
            raise self._bad(*bad)
        self.leaves += len(claims.leaves)
        claims.start()

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
