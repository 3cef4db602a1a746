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
from polyrank.proof.layers import Problem, Region, mask_of
from polyrank.proof.rounding import Rounding
from polyrank.proof.rows import Listed, Rows

__all__ = ["Replayed", "check_rows", "replay", "root_key"]

_BATCH = 1 << 16
_RUN = 64
_BITS = [1 << i for i in range(256)]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a segment claims beyond itself: its cell, the cells it leaves, the rows it describes."""

    head: bytes
    deferred: tuple[bytes, ...]
    row: int
    leaves: int
    steps: int
    tests: int


class _StepError(Exception):
    """A step that is not proved."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset


@dataclass(slots=True)
class _Cell:
    """A cell inside a region of the layers below: which of its units are open, and decisions.

    ``rows`` are the numbers of the rows that are ≥ 0 on the cell: the walls, and units that split.
    """

    region: Region
    open: int
    positive: int
    zero: int
    rows: list[int]

    def key(self) -> bytes:
        """A digest of layer, decisions (ties resolved) and splits: the same iff these are."""
        region = self.region
        decided = region.resolve(self.positive, self.zero)
        state = (region.key(), self.open & region.here.open, decided, sorted(self.rows))
        return hashlib.sha256(repr(state).encode()).digest()


def _domain(problem: Problem) -> _Cell:
    region = Region(problem.layers, None, 0, 0)
    return _Cell(region, region.here.plane, 0, 0, [2 * i for i in range(len(problem.walls))])


def root_key(problem: Problem) -> bytes:
    """The digest of the domain."""
    return _domain(problem).key()


def replay(
    segment: bytes, number: int, problem: Problem, table: Rows, rounding: Rounding | None
) -> Replayed:
    """Check all steps of a segment.

    **Proves**, if it returns: the cell of the head is the union, up to lower dimension, of the
    regions in rows ``row .. row + leaves − 1`` of the table and of the deferred cells; each of
    these rows is a region of full dimension with the codeword, zero bits, ranks and witness that
    it states. The decisions of the head are trusted here; they are to be those of the
    segment that deferred the cell.

    Raises
    ------
    ProofRejectedError
        Naming the segment and the byte of the first step that fails.
    """
    try:
        return _Replay(segment, problem, table, rounding).run()
    except _StepError as bad:
        raise ProofRejectedError(f"segment {number}, byte {bad.offset}: {bad}") from None
    except ProofRejectedError as bad:
        raise ProofRejectedError(f"segment {number}: {bad}") from None


class _Replay:
    def __init__(
        self, segment: bytes, problem: Problem, table: Rows, rounding: Rounding | None
    ) -> None:
        self.segment, self.problem, self.table = segment, problem, table
        self.layers = problem.layers
        self.head = head_of(segment, self.layers.starts[-1])
        self.width = 1 + (len(problem.walls) + self.layers.starts[-1] + 1 > 256)
        self.leaves = self.steps = self.tests = 0
        self.claims = Claims(problem, rounding)

    def run(self) -> Replayed:
        """All of the segment."""
        cell = self._start()
        key = cell.key()
        try:
            deferred = [left.key() for left in self._steps(cell, self.head.size)]
        except _StepError:
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
                    raise _StepError(p, "bytes follow the end mark")
                return deferred + stack
            if not stack:
                raise _StepError(p, "a step follows although no cell is open")
            cell = stack[-1]
            if step in (log.NEGATIVE, log.POSITIVE):
                p = self._run(cell, p, b"\x08\x09", self.problem.dim)
                continue
            if step in (log.CUBE_NEGATIVE, log.CUBE_POSITIVE):
                p = self._run(cell, p, b"\x06\x07", 0)
                continue
            self.steps += 1
            if step in (log.NEGATIVE_BY, log.POSITIVE_BY):
                p = self._miss_by(cell, p)
                continue
            if step in (log.ZERO, log.SPLIT):
                unit = self._decide(cell, p)
                region, bit = cell.region, 1 << unit
                if step == log.SPLIT:
                    row = self.problem.number(region.layer, unit, positive=True)
                    up = _Cell(region, cell.open, cell.positive | bit, cell.zero, [*cell.rows, row])
                    cell.rows = [*cell.rows, row + 1]
                    stack.append(up)
                elif any(region.exact[unit]):
                    raise _StepError(p, f"unit {unit} is not identically zero")
                cell.zero |= bit if step == log.ZERO else 0
                p += 3
                continue
            if step == log.NEXT:
                if cell.region.layer == last:
                    raise _StepError(p, "there is no next layer")
                self._enter(cell, p)
            elif step == log.LEAF:
                if cell.region.layer != last:
                    raise _StepError(p, "a region before the last layer")
                claims.leaves.append((p, self._decided(cell, p), cell.rows))
                stack.pop()
                claims.size += 4
            elif step == log.DEFER:
                deferred.append(stack.pop())
            else:
                raise _StepError(p, f"unknown step {step}")
            p += 1
            if claims.size > _BATCH:
                self._prove()
        raise _StepError(p, "the segment ends without its end mark")

    def _run(self, cell: _Cell, p: int, codes: bytes, rows: int) -> int:
        """As many steps of one kind as follow each other; where the next one starts."""
        segment, stride = self.segment, 3 + rows * self.width
        room = min(_RUN, (len(segment) - p) // stride) * stride
        kinds = segment[p : p + room : stride]
        kinds = kinds[: len(kinds) - len(kinds.lstrip(codes))]
        count = len(kinds)
        end = p + stride * count
        if not count:
            raise _StepError(p, "the segment is cut off inside a step")
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
        self.claims.runs[rows].append((cell.region, cell.rows, p, count))
        self.claims.size += count
        self.steps += count
        self.tests += count if rows else 0
        return end

    def _miss_by(self, cell: _Cell, p: int) -> int:
        """A claim by any number of rows, decided at once; where the next step starts."""
        count = int.from_bytes(self.segment[p + 3 : p + 5], "little")
        end = p + 5 + 2 * count
        unit, up = self._decide(cell, p), self.segment[p] == log.POSITIVE_BY
        if end > len(self.segment):
            raise _StepError(p, "the segment is cut off inside a step")
        indices = np.frombuffer(self.segment, "<u2", count, p + 5).tolist()
        if any(i >= len(cell.rows) for i in indices):
            raise _StepError(p, f"the cell has {len(cell.rows)} rows, not a row {max(indices)}")
        cell.positive |= up << unit
        self.tests += 1
        goal = self.problem.number(cell.region.layer, unit, positive=up)
        proved = self.claims.exactly(cell.region, goal, [cell.rows[i] for i in indices])
        if not proved or not any(cell.region.exact[unit]):
            raise _StepError(p, f"the rows do not prove the sign of unit {unit}")
        return end

    def _decide(self, cell: _Cell, p: int) -> int:
        """The unit of a step, which is open no longer."""
        if p + 3 > len(self.segment):
            raise _StepError(p, "the segment is cut off inside a step")
        unit = self.segment[p + 1] | self.segment[p + 2] << 8
        if unit >= cell.region.here.units:
            raise _StepError(p, f"there is no unit {unit}")
        if not cell.open >> unit & 1:
            raise _StepError(p, f"unit {unit} is decided already")
        cell.open ^= 1 << unit
        return unit

    def _decided(self, cell: _Cell, p: int) -> Region:
        """The region that a cell is, all of whose units are decided."""
        if left := cell.open & cell.region.here.open:
            raise _StepError(p, f"unit {(left & -left).bit_length() - 1} is not decided")
        return Region(self.layers, cell.region, *cell.region.resolve(cell.positive, cell.zero))

    def _enter(self, cell: _Cell, p: int) -> None:
        cell.region = self._decided(cell, p)
        cell.open, cell.positive, cell.zero = cell.region.here.plane, 0, 0
        self.claims.size += cell.region.here.units

    def _prove(self) -> None:
        """Prove the claims."""
        claims, first = self.claims, self.head.row + self.leaves
        listed = self.table.slice(first, len(claims.leaves))
        bad = claims.failed(np.frombuffer(self.segment, np.uint8), self.width, listed, first)
        if bad is not None:
            raise _StepError(*bad)
        self.leaves += len(claims.leaves)
        claims.start()

    def _start(self) -> _Cell:
        """The cell of the head."""
        head, layers = self.head, self.layers
        if any(v > 1 for v in head.splits) or any(v > 3 for v in head.decision):
            raise _StepError(11, "a decision or split that does not exist")
        if head.layer >= layers.depth:
            raise _StepError(1, f"there is no layer {head.layer + 1}")
        top = layers.starts[head.layer + 1]
        if any(v != -1 for v in head.decision[top:]) or any(head.splits[top:]):
            raise _StepError(11 + top, "units above the layer of the cell are decided")
        cell = _domain(self.problem)
        for k in range(head.layer + 1):
            if k:
                self._enter(cell, 11 + layers.starts[k - 1])
            here, start = layers.layers[k], layers.starts[k]
            decision = head.decision[start : start + here.units]
            for i, value in enumerate(decision):
                name, at = f"unit {i} of layer {k + 1}", 11 + start + i
                plane, free = here.plane >> i & 1, here.open >> i & 1
                if (not plane and value != 1) or (free and value == 3):
                    raise _StepError(at, f"{name} cannot be decided as {value}")
                if head.splits[start + i]:
                    if value not in (0, 1) or not free:
                        raise _StepError(at, f"{name} is split, not decided")
                    cell.rows.append(self.problem.number(k, i, positive=value == 1))
            cell.open &= mask_of([v in (-1, 3) for v in decision])
            cell.positive = here.open & mask_of([v == 1 for v in decision])
            cell.zero = here.open & mask_of([v == 2 for v in decision])
        return cell


def check_rows(
    problem: Problem, table: Rows, rounding: Rounding | None, first: int, count: int
) -> Listed:
    """Check ``count`` rows of a table from row ``first`` on, each by its own witness.

    **Proves**: each is an activation region (full-dimensional: the exact signs at the witness are
    strict, except of units that are identically zero) with the ranks that it states; nothing about
    regions that are not listed.

    Raises
    ------
    ProofRejectedError
        Naming the first row that is not.
    """
    listed = table.slice(first, count)
    layers = problem.layers
    claims = Claims(problem, rounding)
    line: list[Region] = [Region(layers, None, 0, 0)]
    for i, (code, zeros) in enumerate(zip(listed.code, listed.zero, strict=True), first):
        rows = [2 * w for w in range(len(problem.walls))]
        position = 0
        for k, here in enumerate(layers.layers):
            positive = zero = 0
            for unit in range(here.units):
                if here.plane >> unit & 1:
                    up, vanishes = code >> position & 1, zeros >> position & 1
                    if vanishes and (up or any(line[k].exact[unit])):
                        raise ProofRejectedError(f"row {i}: wrong zero bit {position}")
                    positive |= up << unit
                    zero |= vanishes << unit
                    if not vanishes:
                        rows.append(problem.number(k, unit, positive=bool(up)))
                    position += 1
            known = line[k + 1] if k + 1 < len(line) else None
            if known is None or (known.positive, known.zero) != (positive, zero):
                line[k + 1 :] = [Region(layers, line[k], positive, zero)]
        if code >> position or zeros >> position:
            raise ProofRejectedError(f"row {i} has more bits than there are units")
        claims.leaves.append((i, line[-1], rows))
    bad = claims.failed(np.zeros(0, np.uint8), 1, listed, first)
    if bad is not None:
        raise ProofRejectedError(bad[1])
    return listed
