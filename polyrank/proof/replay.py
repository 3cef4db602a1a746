"""Trusted: replays one segment of the search tree and checks every step of it exactly.

Steps change the current cell at once; what they claim is collected and proved many at a time.
"""

from __future__ import annotations

import hashlib
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

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
from polyrank.proof.integers import Ints, by_cone, by_identity, proves
from polyrank.proof.layers import Layers, Region, mask_of
from polyrank.proof.proposals import Proposals, eliminated
from polyrank.proof.rounding import Rounded, compose, prove_ranks
from polyrank.proof.rows import Listed, Rows

__all__ = ["Problem", "Replayed", "check_rows", "replay"]

_BATCH = 1 << 14
_RUN = 64
_BITS = [1 << i for i in range(256)]
_POSITIVES = bytes(c in (CUBE_POSITIVE, POSITIVE, POSITIVE_BY) for c in range(256))


@dataclass(frozen=True, slots=True)
class Problem:
    """What a run is about, exactly, in coordinates u: network and domain.

    Attributes
    ----------
    layers : Layers
    walls : tuple of exact rows
        In the order of the format.
    artificial : int
        Index of the first wall that is no constraint: its multipliers must be 0.
    dim : int
        Rows per MISS step.
    bounded : bool
        The domain lies in the cube |u_l| ≤ 1.
    central : bool
        Origin and all biases are 0: no unit has a constant.
    """

    layers: Layers
    walls: tuple[tuple[int, ...], ...]
    artificial: int
    dim: int
    bounded: bool
    central: bool


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

    ``rows`` are the numbers, in the table of the batch, of the rows that are ≥ 0 on the cell: twice
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


class _Batch:
    """Rounded rows of regions, and claims about them that are still to be proved."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.start()

    def start(self) -> None:
        """Forget everything but the walls."""
        self.size = len(self.problem.walls)
        self.regions: list[Region] = []
        # runs of steps: position, number, bytes per step, offset and width of indices (0: none)
        self.runs: list[tuple[int, int, int, int, int]] = []
        self.run_regions: list[Region] = []
        self.run_rows: list[list[int]] = []
        self.claims = 0
        self.leaves: list[tuple[int, Region, list[int]]] = []

    def enter(self, region: Region) -> None:
        """Give the region's rows a place in the table; those below it come first."""
        region.base = self.size
        self.size += region.here.units
        self.regions.append(region)

    def rounded(self) -> Rounded:
        """The table of all rows."""
        compose(self.problem.layers, self.regions)
        return Rounded(self.problem.walls, self.regions, self.problem.layers.k)

    def row(self, number: int) -> list[int]:
        """The exact row with this number."""
        at = number >> 1
        if at < len(self.problem.walls):
            row = list(self.problem.walls[at])
        else:
            region = self.regions[bisect(self.regions, at, key=lambda r: r.base) - 1]
            row = region.exact[at - region.base]
        return [-v for v in row] if number & 1 else row

    # claims ----------------------------------------------------------------------------------

    def failed_claim(self, segment: NDArray[np.uint8], rounded: Rounded) -> tuple[int, str] | None:
        """The first step whose claim is not proved, and why."""
        worst: tuple[int, str] | None = None
        for skip, width in sorted({run[3:] for run in self.runs}):
            chosen = [i for i, run in enumerate(self.runs) if run[3:] == (skip, width)]
            bad = self._failed(segment, rounded, chosen, skip, width)
            if bad is not None and (worst is None or bad < worst):
                worst = bad
        return worst

    def _failed(
        self,
        segment: NDArray[np.uint8],
        rounded: Rounded,
        chosen: list[int],
        skip: int,
        width: int,
    ) -> tuple[int, str] | None:
        at, count, stride = np.array([self.runs[i][:3] for i in chosen]).T
        run = np.repeat(np.arange(len(chosen)), count)
        place = at[run] + stride[run] * (np.arange(len(run)) - (np.cumsum(count) - count)[run])
        unit = segment[place + 1] + segment[place + 2].astype(np.int64) * 256
        side = np.where(np.frombuffer(_POSITIVES, np.int8)[segment[place]] == 1, 1, -1)
        base = np.array([self.run_regions[i].base for i in chosen])
        goal = base[run] + unit
        nonzero = (np.abs(rounded.values[:, goal]) > rounded.errors[goal]).any(axis=0)
        wrong = np.zeros(len(place), dtype=bool)
        numbers = np.empty((0, len(place)), dtype=np.int64)
        if width:
            known = np.array([len(self.run_rows[i]) for i in chosen])
            first = np.cumsum(known) - known
            held = np.array([number for i in chosen for number in self.run_rows[i]] + [-1])
            indices = []
            for q in range(self.problem.dim):
                index = segment[place + skip + q * width].astype(np.int64)
                if width == 2:
                    index += segment[place + skip + q * width + 1].astype(np.int64) * 256
                indices.append(index)
            index = np.array(indices, dtype=np.int64).reshape(self.problem.dim, len(place))
            absent = index == (1 << 8 * width) - 1
            beyond = ~absent & (index >= known[run])
            wrong = beyond.any(axis=0)
            numbers = held[np.where(absent | beyond, len(held) - 1, first[run] + index)]
        proved = nonzero & ~wrong & _proved(self.problem, rounded, goal, side, numbers)
        for s in np.flatnonzero(~proved).tolist():
            name = f"unit {int(unit[s])}"
            if wrong[s]:
                bad = int(index[:, s][beyond[:, s]][0])
                return int(place[s]), f"the cell has {known[run[s]]} rows, not a row {bad}"
            if not any(self.row(2 * int(goal[s]))):
                return int(place[s]), f"{name} is identically zero"
            if not self.exactly(int(goal[s]), int(side[s]), numbers[:, s].tolist()):
                what = "rows do not prove the sign of" if width else "bounding box does not decide"
                return int(place[s]), f"the {what} {name}"
        return None

    def exactly(self, goal: int, side: int, numbers: Sequence[int]) -> bool:
        """Whether the exact rows prove the sign of a row."""
        real = [self.row(n) for n in numbers if n >= 0 and not self.is_artificial(n)]
        wanted = self.row(2 * goal + (side < 0))
        bounded = self.problem.bounded
        multipliers, scale = eliminated(wanted, real, bounded=bounded)
        return proves(wanted, real, multipliers, scale, bounded=bounded)

    def is_artificial(self, number: int) -> bool:
        """Whether a row is a wall that is no constraint."""
        return self.problem.artificial <= number >> 1 < len(self.problem.walls)

    # leaves ----------------------------------------------------------------------------------

    def failed_leaf(self, rounded: Rounded, listed: Listed, first: int) -> tuple[int, str] | None:
        """The first leaf that its row of the table does not describe, and why."""
        prove_ranks([*self.regions, *(leaf[1] for leaf in self.leaves)])
        for i, (offset, region, _) in enumerate(self.leaves):
            if i >= len(listed.code):
                return offset, f"the table has no row {first + i}"
            if (region.code, region.zeros) != (listed.code[i], listed.zero[i]):
                return offset, f"row {first + i} states another codeword"
            if (ranks := region.ranks()) != listed.ranks[i]:
                return offset, f"row {first + i} states ranks {listed.ranks[i]}, not {ranks}"
        bad = self.outside(rounded, listed)
        if bad >= 0:
            return self.leaves[bad][0], f"the witness of row {first + bad} is not inside"
        return None

    def outside(self, rounded: Rounded, listed: Listed) -> int:
        """Index of the first leaf whose witness is not strictly inside, or −1."""
        counts = [len(rows) for _, _, rows in self.leaves]
        owner = np.repeat(np.arange(len(counts)), counts)
        numbers = np.array([n for _, _, rows in self.leaves for n in rows], dtype=np.int64)
        if not numbers.size:
            return -1
        values = np.zeros(len(numbers), dtype=np.int64)
        doubt = np.zeros(len(numbers), dtype=np.int64)
        row = numbers >> 1
        for coefficient, point in zip(rounded.values, listed.rounded, strict=True):
            a, v = coefficient[row], point[owner]
            values += a * v
            # (a + e)(v + f) with |e| ≤ error, |f| ≤ 1
            doubt += np.abs(a) + rounded.errors[row] * (np.abs(v) + 1)
        inside = np.where(numbers & 1, -values, values) > doubt
        for s in np.flatnonzero(~inside).tolist():
            leaf = int(owner[s])
            exact = self.row(int(numbers[s]))
            if sum(a * v for a, v in zip(exact, listed.exact(leaf), strict=True)) <= 0:
                return leaf
        return -1


def _proved(
    problem: Problem, rounded: Rounded, goal: Ints, side: Ints, numbers: Ints
) -> NDArray[np.bool_]:
    """Which of m goals (row of the table and side) rows by number (d, m) prove, on rounded rows."""
    values, errors = rounded.values, rounded.errors
    bounded = problem.bounded
    g, g_error = values[:, goal] * side, errors[goal]
    absent = numbers < 0
    row = numbers >> 1
    A = values[:, row].transpose(1, 0, 2) * np.where(absent, 0, 1 - 2 * (numbers & 1))[:, None]
    A_error = errors[row]
    if not len(numbers):
        one = np.ones_like(goal)
        return by_identity(g, g_error, A, A_error, numbers, one, bounded=bounded)
    unused = absent | ((problem.artificial <= row) & (row < len(problem.walls)))
    d = len(numbers)
    propose = Proposals(A[:, :d], g[:d])
    out = np.zeros(len(goal), dtype=bool)
    if bounded:
        multipliers, scale = propose.rounded(unused)
        out = by_identity(g, g_error, A, A_error, multipliers, scale, bounded=True)
    if not out.all():
        multipliers, scale = propose.integral(unused)
        out |= by_identity(g, g_error, A, A_error, multipliers, scale, bounded=bounded)
    linear = problem.central & ~(row < len(problem.walls)).any(axis=0)
    cones = ~out & ~unused.any(axis=0) & (linear if bounded else True)
    if cones.any():
        s = np.flatnonzero(cones)
        rays = propose.rays()[:, :, s]
        out[s] = by_cone(g[:d, s], g_error[s], A[:, :d, s], A_error[:, s], rays)
    return out


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
        self.batch = _Batch(problem)

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
                    self.batch.leaves.append((p, self._decided(cell, p), real))
                else:
                    self.deferred.append(cell.key())
                stack.pop()
                p += 1
                batch = self.batch
                if batch.size + batch.claims + 4 * len(batch.leaves) > _BATCH:
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
        cell.positive |= sum(compress(sets, kinds.translate(_POSITIVES)))
        self._claim(cell, p, count, stride, skip, width)
        return end

    def _claim(self, cell: _Cell, p: int, count: int, stride: int, skip: int, width: int) -> None:
        batch = self.batch
        batch.runs.append((p, count, stride, skip, width))
        batch.run_regions.append(cell.region)
        batch.run_rows.append(cell.rows)
        batch.claims += count
        self.steps += count
        self.tests += count if width else 0

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
        if count == self.problem.dim:
            self._claim(cell, p, 1, 1, 5, 2)
            return end
        indices = np.frombuffer(segment, "<u2", count, p + 5).tolist()
        if any(i >= len(cell.rows) for i in indices):
            raise _StepError(p, f"the cell has {len(cell.rows)} rows, not a row {max(indices)}")
        side = 1 if segment[p] == POSITIVE_BY else -1
        at, numbers = cell.region.base + unit, [cell.rows[i] for i in indices]
        if not self.batch.exactly(at, side, numbers) or not any(cell.region.exact[unit]):
            raise _StepError(p, f"the rows do not prove the sign of unit {unit}")
        self.steps += 1
        self.tests += 1
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
        self.batch.enter(cell.region)

    def _prove(self) -> None:
        """Prove the claims of the batch, and start another with the open cells."""
        batch = self.batch
        rounded = batch.rounded()
        first = self.head.row + self.leaves
        listed = self.table.slice(first, len(batch.leaves))
        failed = [
            bad
            for bad in (
                batch.failed_claim(self.bytes, rounded),
                batch.failed_leaf(rounded, listed, first),
            )
            if bad is not None
        ]
        if failed:
            raise _StepError(*min(failed))
        self.leaves += len(batch.leaves)
        batch.start()
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
                batch.enter(region)
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
        self.batch.enter(region)
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
    batch = _Batch(problem)
    domain = Region(layers, None, 0, 0)
    batch.enter(domain)
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
                    batch.enter(line[k + 1])
        if code >> position or zeros >> position:
            raise ProofRejectedError(f"row {first + i} has more bits than there are units")
        batch.leaves.append((first + i, line[-1], rows))
    rounded = batch.rounded()
    bad = batch.failed_leaf(rounded, listed, first)
    if bad is not None:
        raise ProofRejectedError(bad[1])
    return listed
