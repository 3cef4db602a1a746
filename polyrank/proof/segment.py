"""Replays one segment of the search tree and checks every step of it exactly."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from polyrank.proof.farkas import BoundingBox, nonnegative_on_box, proves, proves_many
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
from polyrank.proof.prefix import ExactLayers, IntRow, Prefix
from polyrank.proof.rows import Rows

__all__ = ["Cone", "Replayed", "outside", "replay"]

_BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Cone:
    """What all cells share: the domain's rows, how rows are counted, the bounding box.

    Attributes
    ----------
    walls : tuple of integer rows, or None
        In the order of the format; None marks the walls that are no constraints.
    artificial : mapping of int to integer row
        Linear parts of those, by index: they complete a system whose multipliers must be 0 there.
    dim : int
        Rows per MISS step.
    linear : bool
        The d rows solve the coefficients of y (and a constant is left over), or the constant too.
    box : tuple, or None
        The verified bounding box; None where the domain is unbounded.
    """

    walls: tuple[IntRow | None, ...]
    artificial: Mapping[int, IntRow]
    dim: int
    linear: bool
    box: BoundingBox


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
    """The current cell: decisions of its layer, region of the layers below, rows, splits."""

    prefix: Prefix
    decision: list[int]
    rows: list[IntRow | None]
    splits: list[int]

    def copy(self) -> _Cell:
        return _Cell(self.prefix, self.decision.copy(), self.rows.copy(), self.splits.copy())

    def key(self) -> bytes:
        """A digest of layer, decisions (ties resolved) and splits: the same iff these are."""
        decision = bytes(v + 1 for v in self.prefix.resolve(self.decision))
        splits = b",".join(b"%d" % g for g in sorted(self.splits))
        text = b"%d|" % self.prefix.layer + self.prefix.signs + b"|" + decision + b"|" + splits
        return hashlib.sha256(text).digest()

    def path(self) -> str:
        """The decisions below and in the layer, for messages."""
        shown = "".join("01z"[v] for v in self.prefix.signs)
        return f"{shown}|{''.join('?01z='[v + 1] for v in self.decision)}"


def replay(segment: bytes, number: int, layers: ExactLayers, cone: Cone, table: Rows) -> Replayed:
    """Check all steps of a segment.

    **Proves**, if it returns: the cell of the head is the union, up to lower dimension, of the
    regions in rows ``row .. row + leaves − 1`` of the table and of the deferred cells; each of
    these rows is a region of full dimension with the codeword, zero bits, ranks and witness that
    it states. The decisions of the head are trusted here; they are to be those of the
    segment that deferred the cell.

    Raises
    ------
    ProofRejectedError
        Naming the segment, the byte and the cell of the first step that fails.
    """
    replaying: _Replay | None = None
    try:
        replaying = _Replay(segment, layers, cone, table)
        return replaying.run()
    except _StepError as bad:
        cell = None if replaying is None else replaying.cell
        where = "of the head" if cell is None else cell.path()
        raise ProofRejectedError(
            f"segment {number}, byte {bad.offset}, cell {where}: {bad}"
        ) from None
    except ProofRejectedError as bad:
        raise ProofRejectedError(f"segment {number}: {bad}") from None


class _Replay:
    def __init__(self, segment: bytes, layers: ExactLayers, cone: Cone, table: Rows) -> None:
        self.segment = segment
        self.layers = layers
        self.cone = cone
        self.table = table
        self.head: Head = head_of(segment, layers.units)
        self.wide = len(cone.walls) + layers.units + 1 > 256
        self.cell: _Cell | None = None
        self.leaves = 0
        self.steps = 0
        self.tests = 0
        # what is checked in batches
        self.farkas_rows: list[IntRow] = []
        self.farkas_objectives: list[IntRow] = []
        self.farkas_sides: list[int] = []
        self.farkas_offsets: list[int] = []
        self.farkas_unused: list[int] = []
        self.words: list[tuple[int, int]] = []
        self.ranks: list[tuple[int, ...]] = []
        self.bounds: list[IntRow] = []
        self.bound_counts: list[int] = []
        self.leaf_offsets: list[int] = []

    def run(self) -> Replayed:
        self.cell = cell = self._start()
        start_key = cell.key()
        null = self.segment[self.head.size :] == bytes([DEFER, END])
        stack: list[_Cell] = []
        deferred: list[bytes] = []
        actions: dict[int, Callable[[_Cell, int, int], int]] = {
            ZERO: self._cube,
            CUBE_NEGATIVE: self._cube,
            CUBE_POSITIVE: self._cube,
            NEGATIVE: self._miss,
            POSITIVE: self._miss,
            NEGATIVE_BY: self._miss,
            POSITIVE_BY: self._miss,
        }
        segment, p = self.segment, self.head.size
        size = len(segment)
        last = len(self.layers.layers) - 1
        current: _Cell | None = cell
        # the commonest step, written out: MISS with d rows, all of them constraints
        dim = self.cone.dim
        listed = struct.Struct(f"<{dim}{'H' if self.wide else 'B'}")
        while True:
            if p >= size:
                raise _StepError(p, "the segment ends without its end mark")
            step = segment[p]
            if step == END:
                break
            self.steps += 1
            if current is None:
                raise _StepError(p, "a step follows although no cell is open")
            cell = current
            if dim and step in (NEGATIVE, POSITIVE):
                unit = self._unit(cell, p)
                end = p + 3 + listed.size
                rows = cell.rows
                if end < size and max(indices := listed.unpack_from(segment, p + 3)) < len(rows):
                    chosen = [rows[index] for index in indices]
                    if None not in chosen:
                        self.tests += 1
                        self.farkas_rows += chosen
                        self.farkas_objectives.append(cell.prefix.row(unit))
                        self.farkas_sides.append(1 if step == POSITIVE else -1)
                        self.farkas_offsets.append(p)
                        cell.decision[unit] = int(step == POSITIVE)
                        p = end
                        continue
            if step in actions:
                p = actions[step](cell, step, p)
                continue
            if step == SPLIT:
                unit = self._unit(cell, p)
                g = self.layers.starts[cell.prefix.layer] + unit
                cell.splits.append(g)
                row = cell.prefix.row(unit)
                other = cell.copy()
                cell.decision[unit], other.decision[unit] = 1, 0
                cell.rows.append(row)
                other.rows.append(tuple([-v for v in row]))
                stack.append(other)
                p += 3
                continue
            p += 1
            if step == NEXT:
                if cell.prefix.layer == last:
                    raise _StepError(p - 1, "there is no next layer")
                prefix = cell.prefix.child(self._resolved(cell, p - 1))
                cell.prefix = prefix
                cell.decision = list(self.layers.layers[prefix.layer].fresh)
                continue
            if step == LEAF:
                if cell.prefix.layer != last:
                    raise _StepError(p - 1, "a region before the last layer")
                self._leaf(cell, p - 1)
            elif step == DEFER:
                deferred.append(cell.key())
            else:
                raise _StepError(p - 1, f"unknown step {step}")
            if len(self.farkas_sides) + len(self.bounds) >= _BATCH:
                self._flush()
            current = stack.pop() if stack else None
            self.cell = current or cell
        if p + 1 != size:
            raise _StepError(p, "bytes follow the end mark")
        self._flush()
        deferred += [c.key() for c in ([current] if current is not None else []) + stack]
        if not null and start_key in deferred:
            raise _StepError(p, "the segment hands its own cell on")
        return Replayed(
            start_key,
            self.head.layer < 0,
            tuple(deferred),
            self.head.row,
            self.leaves,
            self.steps,
            self.tests,
        )

    # -----------------------------------------------------------------------------------------
    # steps

    def _start(self) -> _Cell:
        head, layers = self.head, self.layers
        walls = list(self.cone.walls)
        if any(v > 1 for v in head.splits) or any(v > 3 for v in head.decision):
            raise _StepError(11, "a decision or split that does not exist")
        if head.layer < 0:
            if any(v != -1 for v in head.decision) or any(head.splits):
                raise _StepError(11, "the root decides nothing and has no splits")
            prefix = layers.root()
            return _Cell(prefix, list(layers.layers[0].fresh), walls, [])
        if head.layer >= len(layers.layers):
            raise _StepError(1, f"there is no layer {head.layer + 1}")
        prefix = layers.root()
        rows: list[IntRow | None] = walls
        splits: list[int] = []
        for k in range(head.layer + 1):
            a, b = layers.starts[k], layers.starts[k + 1]
            here = layers.layers[k]
            decision = list(head.decision[a:b])
            tied = {i for i, _, _ in here.ties}
            for i, v in enumerate(decision):
                if (not here.plane[i] and v != 1) or (v == 3 and i not in tied):
                    raise _StepError(
                        11 + a + i, f"unit {i} of layer {k + 1} cannot be decided as {v}"
                    )
            resolved = prefix.resolve(decision)
            for i in range(b - a):
                if head.splits[a + i]:
                    if decision[i] not in (0, 1):
                        raise _StepError(
                            11 + a + i, f"unit {i} of layer {k + 1} is split, not decided"
                        )
                    row = prefix.row(i)
                    rows.append(row if decision[i] == 1 else tuple([-v for v in row]))
                    splits.append(a + i)
            if k == head.layer:
                return self._anchor(_Cell(prefix, decision, rows, splits), b)
            if min(resolved) < 0:
                raise _StepError(11 + a, f"layer {k + 1} is below the cell and not decided")
            prefix = prefix.child(resolved)
        raise AssertionError("the loop returns")

    def _anchor(self, cell: _Cell, end: int) -> _Cell:
        if any(v != -1 for v in self.head.decision[end:]) or any(self.head.splits[end:]):
            raise _StepError(11 + end, "a layer above that of the cell is decided")
        return cell

    def _unit(self, cell: _Cell, p: int) -> int:
        if p + 3 > len(self.segment):
            raise _StepError(p, "the segment is cut off inside a step")
        unit = self.segment[p + 1] | self.segment[p + 2] << 8
        if unit >= len(cell.decision):
            raise _StepError(p, f"there is no unit {unit}")
        value = cell.decision[unit]
        if value not in (-1, 3):
            raise _StepError(p, f"unit {unit} is decided already")
        if not any(cell.prefix.row(unit)):
            if self.segment[p] != ZERO:
                raise _StepError(p, f"unit {unit} is identically zero")
        elif self.segment[p] == ZERO:
            raise _StepError(p, f"unit {unit} is not identically zero")
        return unit

    def _cube(self, cell: _Cell, step: int, p: int) -> int:
        unit = self._unit(cell, p)
        if step == ZERO:
            cell.decision[unit] = 2
            return p + 3
        row = cell.prefix.row(unit)
        if step == CUBE_NEGATIVE:
            row = tuple([-v for v in row])
        if not nonnegative_on_box(row, self.cone.box):
            raise _StepError(p, f"the bounding box does not decide unit {unit}")
        cell.decision[unit] = int(step == CUBE_POSITIVE)
        return p + 3

    def _miss(self, cell: _Cell, step: int, p: int) -> int:
        unit = self._unit(cell, p)
        segment = self.segment
        start = p
        p += 3
        if step in (NEGATIVE, POSITIVE):
            width, count = 1 + self.wide, self.cone.dim
        else:
            width, count = 2, int.from_bytes(segment[p : p + 2], "little")
            p += 2
        end = p + width * count
        if end >= len(segment):
            raise _StepError(start, "the segment is cut off inside a step")
        indices: Sequence[int] = segment[p:end]
        if width == 2:
            indices = [
                a | b << 8 for a, b in zip(segment[p:end:2], segment[p + 1 : end : 2], strict=True)
            ]
        side = 1 if step in (POSITIVE, POSITIVE_BY) else -1
        rows = cell.rows
        known = len(rows)
        nowhere = 255 if width == 1 else 65535
        chosen: list[IntRow] = []
        unused: dict[int, IntRow] = {}
        for place, index in enumerate(indices):
            if index < known:
                row = rows[index]
                if row is not None:
                    chosen.append(row)
                else:
                    unused[place] = self.cone.artificial[index]
            elif index != nowhere:
                raise _StepError(start, f"the cell has {known} rows, not a row {index}")
        objective = cell.prefix.row(unit)
        self.tests += 1
        if 0 < self.cone.dim == len(chosen) + len(unused) == len(indices):
            first = len(self.farkas_rows)
            for place, row in unused.items():
                chosen.insert(place, row)
                self.farkas_unused.append(first + place)
            self.farkas_rows += chosen
            self.farkas_objectives.append(objective)
            self.farkas_sides.append(side)
            self.farkas_offsets.append(start)
        elif not proves(chosen, tuple([side * v for v in objective]), self.cone.box):
            raise _StepError(start, f"the rows do not prove the sign of unit {unit}")
        cell.decision[unit] = int(side > 0)
        return end

    def _resolved(self, cell: _Cell, p: int) -> list[int]:
        resolved = cell.prefix.resolve(cell.decision)
        if min(resolved) < 0:
            unit = resolved.index(-1)
            raise _StepError(p, f"unit {unit} is not decided")
        return resolved

    def _leaf(self, cell: _Cell, p: int) -> None:
        resolved = self._resolved(cell, p)
        self.words.append(cell.prefix.word(resolved))
        self.ranks.append((*cell.prefix.ranks, cell.prefix.rank(resolved)))
        bounds = [row for row in cell.rows if row is not None]
        self.bounds += bounds
        self.bound_counts.append(len(bounds))
        self.leaf_offsets.append(p)

    # -----------------------------------------------------------------------------------------
    # batches

    def _flush(self) -> None:
        self._flush_farkas()
        self._flush_leaves()

    def _flush_farkas(self) -> None:
        rows, self.farkas_rows = self.farkas_rows, []
        objectives, self.farkas_objectives = self.farkas_objectives, []
        sides, self.farkas_sides = self.farkas_sides, []
        offsets, self.farkas_offsets = self.farkas_offsets, []
        unused, self.farkas_unused = self.farkas_unused, []
        d = self.cone.dim
        if not sides:
            return
        proved = proves_many(rows, objectives, sides, unused, linear=self.cone.linear)
        ignored = set(unused)
        for i in np.flatnonzero(~proved).tolist():
            objective = tuple([sides[i] * v for v in objectives[i]])
            own = [rows[j] for j in range(i * d, i * d + d) if j not in ignored]
            if not proves(own, objective, self.cone.box):
                raise _StepError(offsets[i], "the rows do not prove the sign of the unit")

    def _flush_leaves(self) -> None:
        words, self.words = self.words, []
        ranks, self.ranks = self.ranks, []
        bounds, self.bounds = self.bounds, []
        counts, self.bound_counts = self.bound_counts, []
        offsets, self.leaf_offsets = self.leaf_offsets, []
        if not words:
            return
        first = self.head.row + self.leaves
        listed = self.table.slice(first, len(words))
        if len(listed.code) < len(words):
            at = offsets[len(listed.code)]
            raise _StepError(at, f"the table has no row {first + len(listed.code)}")
        for i, (word, rank) in enumerate(zip(words, ranks, strict=True)):
            if word != (listed.code[i], listed.zero[i]):
                raise _StepError(offsets[i], f"row {first + i} states another codeword")
            if rank != listed.ranks[i]:
                raise _StepError(
                    offsets[i], f"row {first + i} states ranks {listed.ranks[i]}, not {rank}"
                )
        bad = outside(bounds, counts, listed.points)
        if bad >= 0:
            raise _StepError(offsets[bad], f"the witness of row {first + bad} is not inside")
        self.leaves += len(words)


def outside(bounds: Sequence[IntRow], counts: Sequence[int], points: Sequence[IntRow]) -> int:
    """Index of the first point that is not strictly inside its rows, or −1."""
    if not bounds:
        return -1
    table = np.array(bounds, dtype=object)
    point = np.array(points, dtype=object)[np.repeat(np.arange(len(counts)), counts)]
    values = table[:, 0] * point[:, 0]
    for l in range(1, table.shape[1]):
        values = values + table[:, l] * point[:, l]
    bad = np.flatnonzero(~(values > 0).astype(bool))
    return int(np.searchsorted(np.cumsum(counts), bad[0], side="right")) if bad.size else -1
