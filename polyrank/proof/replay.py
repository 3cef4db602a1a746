"""Trusted: replays one segment of the search tree and checks every step of it exactly.

Steps change the current cell at once; what they claim is collected and proved many at a time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import compress

import numpy as np

from polyrank.proof.claims import POSITIVES, Claims
from polyrank.proof.format import (
    CUBE_NEGATIVE,
    CUBE_POSITIVE,
    DEFER,
    END,
    LEAF,
    NEGATIVE,
    NEGATIVE_BY,
    NEXT,
    POSITIVE,
    POSITIVE_BY,
    SPLIT,
    ZERO,
    Head,
    ProofRejectedError,
    head_of,
)
from polyrank.proof.layers import Problem, Region, mask_of
from polyrank.proof.rows import Listed, Rows

__all__ = ["Replayed", "Tally", "check_rows", "replay"]

_BATCH = 1 << 14
_RUN = 64
_BITS = [1 << i for i in range(256)]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a segment claims beyond itself: its cell, the cells it leaves, the rows it describes."""

    head: bytes
    root: bool
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
    """A cell inside a region of the layers below: which units are still open, and decisions.

    ``rows`` are the numbers, in the table of claims, of the rows that are ≥ 0 on the cell: twice
    the row, plus 1 for its negative. ``cuts`` lists region, unit and side of those that are units.
    """

    region: Region
    open: int
    positive: int
    zero: int
    rows: list[int]
    cuts: list[tuple[Region, int, bool]]

    def key(self) -> bytes:
        """A digest of layer, decisions (ties resolved) and splits: the same iff these are."""
        region = self.region
        starts = region.layers.starts
        cuts = sorted(starts[r.layer] + unit for r, unit, _ in self.cuts)
        state = (
            region.key(),
            self.open & region.here.open,
            region.resolve(self.positive, self.zero),
            cuts,
        )
        return hashlib.sha256(repr(state).encode()).digest()


def replay(segment: bytes, number: int, problem: Problem, table: Rows) -> Replayed:
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
        return _Replay(segment, problem, table).run()
    except _StepError as bad:
        raise ProofRejectedError(f"segment {number}, byte {bad.offset}: {bad}") from None
    except ProofRejectedError as bad:
        raise ProofRejectedError(f"segment {number}: {bad}") from None


class _Replay:
    def __init__(self, segment: bytes, problem: Problem, table: Rows) -> None:
        self.segment = segment
        self.problem = problem
        self.layers = problem.layers
        self.table = table
        self.head: Head = head_of(segment, self.layers.starts[-1])
        self.bytes = np.frombuffer(segment, np.uint8)
        self.wide = len(problem.walls) + self.layers.starts[-1] + 1 > 256
        self.stack: list[_Cell] = []
        self.deferred: list[bytes] = []
        self.leaves = self.steps = self.tests = 0
        self.claims = Claims(problem)

    def run(self) -> Replayed:
        cell = self._start()
        key = cell.key()
        self.stack.append(cell)
        try:
            p = self._steps(self.head.size)
        except _StepError:
            self._prove()  # an earlier step may fail as well, and is then the first
            raise
        if p + 1 != len(self.segment):
            raise _StepError(p, "bytes follow the end mark")
        self.deferred += [cell.key() for cell in self.stack]
        if key in self.deferred and self.segment[self.head.size :] != bytes([DEFER, END]):
            raise _StepError(p, "the segment hands its own cell on")
        root = self.head.layer < 0
        row, deferred = self.head.row, tuple(self.deferred)
        return Replayed(key, root, deferred, row, self.leaves, self.steps, self.tests)

    def _steps(self, p: int) -> int:
        """All steps from byte p on; the position of the end mark."""
        segment, stack = self.segment, self.stack
        last = self.layers.depth - 1
        miss = 3 + self.problem.dim * (1 + self.wide)
        while p < len(segment):
            step = segment[p]
            if step == END:
                self._prove()
                return p
            if not stack:
                raise _StepError(p, "a step follows although no cell is open")
            cell = stack[-1]
            if step in (NEGATIVE, POSITIVE):
                p = self._run(cell, p, miss, b"\x08\x09", 3, 1 + self.wide)
            elif step in (CUBE_NEGATIVE, CUBE_POSITIVE):
                p = self._run(cell, p, 3, b"\x06\x07", 0, 0)
            elif step in (NEGATIVE_BY, POSITIVE_BY):
                p = self._miss_by(cell, p)
            elif step in (ZERO, SPLIT):
                unit = self._unit(cell, p)
                self.steps += 1
                cell.open ^= 1 << unit
                if step == ZERO:
                    if any(cell.region.exact[unit]):
                        raise _StepError(p, f"unit {unit} is not identically zero")
                    cell.zero |= 1 << unit
                else:
                    self._split(cell, unit)
                p += 3
            elif step == NEXT:
                self.steps += 1
                if cell.region.layer == last:
                    raise _StepError(p, "there is no next layer")
                self._enter(cell, p)
                p += 1
            elif step in (LEAF, DEFER):
                self.steps += 1
                if step == LEAF and cell.region.layer != last:
                    raise _StepError(p, "a region before the last layer")
                if step == LEAF:
                    real = (
                        cell.rows[: self.problem.artificial] + cell.rows[len(self.problem.walls) :]
                    )
                    self.claims.leaves.append((p, self._decided(cell, p), real))
                else:
                    self.deferred.append(cell.key())
                stack.pop()
                p += 1
                claims = self.claims
                if claims.size + claims.count + 4 * len(claims.leaves) > _BATCH:
                    self._prove()
            else:
                raise _StepError(p, f"unknown step {step}")
        raise _StepError(p, "the segment ends without its end mark")

    def _run(self, cell: _Cell, p: int, stride: int, codes: bytes, skip: int, width: int) -> int:
        """As many steps of one kind as follow each other."""
        segment = self.segment
        room = min(_RUN, (len(segment) - p) // stride) * stride
        kinds = segment[p : p + room : stride]
        kinds = kinds[: len(kinds) - len(kinds.lstrip(codes))]
        count = len(kinds)
        end = p + stride * count
        if not count:
            raise _StepError(p, "the segment is cut off inside a step")
        units = segment[p + 1 : end : stride]
        sets = [_BITS[u] for u in units]
        high = segment[p + 2 : end : stride]
        if any(high):
            sets = [1 << (u | h << 8) for u, h in zip(units, high, strict=True)]
        chosen = sum(sets)
        if chosen & ~cell.open or chosen.bit_count() != count:
            for s in range(count):  # the first of them that is not open
                cell.open ^= 1 << self._unit(cell, p + s * stride)
        cell.open &= ~chosen
        cell.positive |= sum(compress(sets, kinds.translate(POSITIVES)))
        self.claims.add_run((p, count, stride), (skip, width), cell.region, cell.rows)
        self.steps += count
        self.tests += count if width else 0
        return end

    def _miss_by(self, cell: _Cell, p: int) -> int:
        segment = self.segment
        unit = self._unit(cell, p)
        count = int.from_bytes(segment[p + 3 : p + 5], "little")
        end = p + 5 + 2 * count
        if end > len(segment):
            raise _StepError(p, "the segment is cut off inside a step")
        cell.open ^= 1 << unit
        if segment[p] == POSITIVE_BY:
            cell.positive |= 1 << unit
        self.steps += 1
        self.tests += 1
        if count == self.problem.dim:
            self.claims.add_run((p, 1, 1), (5, 2), cell.region, cell.rows)
            return end
        indices = np.frombuffer(segment, "<u2", count, p + 5).tolist()
        if any(i >= len(cell.rows) for i in indices):
            raise _StepError(p, f"the cell has {len(cell.rows)} rows, not a row {max(indices)}")
        side = 1 if segment[p] == POSITIVE_BY else -1
        at, numbers = cell.region.base + unit, [cell.rows[i] for i in indices]
        if not self.claims.exactly(at, side, numbers) or not any(cell.region.exact[unit]):
            raise _StepError(p, f"the rows do not prove the sign of unit {unit}")
        return end

    def _unit(self, cell: _Cell, p: int) -> int:
        if p + 3 > len(self.segment):
            raise _StepError(p, "the segment is cut off inside a step")
        unit = self.segment[p + 1] | self.segment[p + 2] << 8
        if not cell.open >> unit & 1:
            there = unit < cell.region.here.units
            raise _StepError(
                p, f"unit {unit} is decided already" if there else f"there is no unit {unit}"
            )
        return unit

    def _split(self, cell: _Cell, unit: int) -> None:
        region = cell.region
        number = 2 * (region.base + unit)
        self.stack[-1] = _Cell(
            region, cell.open, cell.positive, cell.zero,
            [*cell.rows, number + 1], [*cell.cuts, (region, unit, False)],
        )  # fmt: skip
        self.stack.append(
            _Cell(
                region, cell.open, cell.positive | 1 << unit, cell.zero,
                [*cell.rows, number], [*cell.cuts, (region, unit, True)],
            )
        )  # fmt: skip

    def _decided(self, cell: _Cell, p: int) -> Region:
        """The region that a cell is, all of whose units are decided."""
        if left := cell.open & cell.region.here.open:
            unit = (left & -left).bit_length() - 1
            raise _StepError(p, f"unit {unit} is not decided")
        return Region(self.layers, cell.region, *cell.region.resolve(cell.positive, cell.zero))

    def _enter(self, cell: _Cell, p: int) -> None:
        cell.region = self._decided(cell, p)
        cell.open, cell.positive, cell.zero = cell.region.here.plane, 0, 0
        self.claims.enter(cell.region)

    def _prove(self) -> None:
        """Prove the claims, and start anew with the open cells."""
        claims = self.claims
        first = self.head.row + self.leaves
        listed = self.table.slice(first, len(claims.leaves))
        bad = claims.failed(self.bytes, listed, first)
        if bad is not None:
            raise _StepError(*bad)
        self.leaves += len(claims.leaves)
        claims.start()
        entered: set[int] = set()
        walls = len(self.problem.walls)
        for cell in self.stack:
            line: Region | None = cell.region
            chain = []
            while line is not None and id(line) not in entered:
                entered.add(id(line))
                chain.append(line)
                line = line.below
            for region in reversed(chain):  # a region comes after those below it
                claims.enter(region)
            cell.rows = [2 * i for i in range(walls)]
            cell.rows += [2 * (r.base + unit) + (not up) for r, unit, up in cell.cuts]

    def _start(self) -> _Cell:
        """The cell of the head."""
        head, layers = self.head, self.layers
        if any(v > 1 for v in head.splits) or any(v > 3 for v in head.decision):
            raise _StepError(11, "a decision or split that does not exist")
        if head.layer >= layers.depth:
            raise _StepError(1, f"there is no layer {head.layer + 1}")
        top = layers.starts[head.layer + 1] if head.layer >= 0 else 0
        if any(v != -1 for v in head.decision[top:]) or any(head.splits[top:]):
            raise _StepError(11 + top, "units above the layer of the cell are decided")
        region = Region(layers, None, 0, 0)
        self.claims.enter(region)
        rows = [2 * i for i in range(len(self.problem.walls))]
        cell = _Cell(region, region.here.plane, 0, 0, rows, [])
        for k in range(head.layer + 1):
            if k:
                self._enter(cell, 11 + layers.starts[k - 1])
            here, start = layers.layers[k], layers.starts[k]
            decision = head.decision[start : start + here.units]
            for i, value in enumerate(decision):
                plane, free = here.plane >> i & 1, here.open >> i & 1
                if (not plane and value != 1) or (free and value == 3):
                    raise _StepError(
                        11 + start + i, f"unit {i} of layer {k + 1} cannot be decided as {value}"
                    )
                if head.splits[start + i]:
                    if value not in (0, 1) or not free:
                        raise _StepError(
                            11 + start + i, f"unit {i} of layer {k + 1} is split, not decided"
                        )
                    cell.rows.append(2 * (cell.region.base + i) + (value == 0))
                    cell.cuts.append((cell.region, i, value == 1))
            cell.open &= mask_of([v in (-1, 3) for v in decision])
            cell.positive = here.open & mask_of([v == 1 for v in decision])
            cell.zero = here.open & mask_of([v == 2 for v in decision])
        return cell


def check_rows(problem: Problem, table: Rows, first: int, count: int) -> Listed:
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
    claims = Claims(problem)
    domain = Region(layers, None, 0, 0)
    claims.enter(domain)
    line: list[Region] = [domain]
    for i, (code, zeros) in enumerate(zip(listed.code, listed.zero, strict=True)):
        rows = [2 * w for w in range(problem.artificial)]
        position = 0
        for k, here in enumerate(layers.layers):
            region = line[k]
            positive = zero = 0
            for unit in range(here.units):
                if here.plane >> unit & 1:
                    up, vanishes = code >> position & 1, zeros >> position & 1
                    if vanishes and (up or any(region.exact[unit])):
                        raise ProofRejectedError(f"row {first + i}: wrong zero bit {position}")
                    positive |= up << unit
                    zero |= vanishes << unit
                    if not vanishes:
                        rows.append(2 * (region.base + unit) + 1 - up)
                    position += 1
            known = line[k + 1] if k + 1 < len(line) else None
            if known is None or (known.positive, known.zero) != (positive, zero):
                line[k + 1 :] = [Region(layers, region, positive, zero)]
                if k + 1 < layers.depth:
                    claims.enter(line[k + 1])
        if code >> position or zeros >> position:
            raise ProofRejectedError(f"row {first + i} has more bits than there are units")
        claims.leaves.append((first + i, line[-1], rows))
    bad = claims.failed_leaf(listed, first)
    if bad is not None:
        raise ProofRejectedError(bad[1])
    return listed


class Tally:
    """Puts segments together: every deferred cell is continued once, every row described once."""

    def __init__(self) -> None:
        self.balance: dict[bytes, int] = {}
        self.roots = 0
        self.blocks: dict[int, int] = {}
        self.next = 0
        self.segments = self.steps = self.tests = self.leaves = 0

    def add(self, done: Replayed) -> None:
        """Count a segment in."""
        self.segments += 1
        self.steps += done.steps
        self.tests += done.tests
        self.leaves += done.leaves
        for key in done.deferred:
            self._count(key, 1)
        if done.root:
            self.roots += 1
        else:
            self._count(done.head, -1)
        if done.leaves:
            if done.row < self.next or done.row in self.blocks:
                raise ProofRejectedError(f"row {done.row} is described twice by the log")
            self.blocks[done.row] = done.leaves
            while self.next in self.blocks:
                self.next += self.blocks.pop(self.next)

    def _count(self, key: bytes, by: int) -> None:
        value = self.balance.get(key, 0) + by
        if value:
            self.balance[key] = value
        else:
            self.balance.pop(key, None)

    @property
    def open(self) -> int:
        """Deferred cells that no segment continues."""
        return sum(v for v in self.balance.values() if v > 0)

    def close(self, rows: int, undecided: int) -> None:
        """Check that all segments are one tree, whose leaves are all rows of the table."""
        if self.roots != 1:
            raise ProofRejectedError(f"the log has {self.roots} segments for the root, not 1")
        if any(v < 0 for v in self.balance.values()):
            raise ProofRejectedError("a segment continues a cell that no other segment defers")
        if self.open != undecided:
            raise ProofRejectedError(
                f"{self.open} cells of the tree are not continued, {undecided} are called undecided"
            )
        if self.blocks or self.next != rows:
            raise ProofRejectedError(
                f"the log describes rows 0 to {self.next - 1} without a gap, the table has {rows}"
            )
