"""A question on one box in rational arithmetic: what bounds cannot decide ends here.

The same tree as an enumeration: unit by unit, layer by layer, each unit is proved to have one sign
on the closed cell, or splits it. Where all units are decided the outputs are affine, and a linear
program says whether a disjunct meets the cell: a point of it, or Farkas multipliers. Nothing is
rounded, so that a property that is touched and one that is violated by 1e-100 are told apart.

The steps of the proof, in preorder::

    ["sign", unit, ±1, multipliers]   the unit has this sign on the cell; null: by the box alone
    ["split", unit]                   the half where it is ≥ 0 follows, then the other one
    ["assumed", unit]                 a sign of the unit is assumed, and is a row from here on
    ["next"]                          all units of the layer are decided
    ["empty", multipliers]            the cell is empty; the next cell follows
    ["leaf", [multipliers, ...]]      no disjunct meets the cell; the next cell follows

Multipliers are ``[scale, constant, [row, ...], [value, ...]]`` over the rows of the cell: those of
the frame, those of the box (lower, upper for each coordinate, where it has that bound), the
units that split or have an assumed sign in their order.
:mod:`polyrank.proof.exact_cell` says what they prove.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flint import fmpq, fmpq_mat

from polyrank.errors import UncertifiedError
from polyrank.lp.boxed import BoxedCell
from polyrank.lp.certificates import Infeasible, Minimum, Unbounded, Violation
from polyrank.lp.deadline import OutOfTimeError, look
from polyrank.lp.exact import minimise, nonnegative
from polyrank.lp.exact_simplex import Cell
from polyrank.lp.farkas import Multipliers, Row, integer_row, value_at, verify_farkas
from polyrank.network.composition import activation, beside, preactivation
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float
from polyrank.polyhedra.dnf import Inequality
from polyrank.polyhedra.violation import OutputRow, Question
from polyrank.verification.arrays import Floats
from polyrank.verification.frame import Frame, listed

__all__ = ["ExactQuestion", "Programs", "Refuted", "box_rows", "in_bounds", "output_function"]

Rows = list[tuple[int, ...]]
#: With more coordinates bounds of coordinates are no rows of a basis, if all are bounded.
_MOST_ROWS = 60
#: Bounds of a coordinate; None: there is none.
Side = tuple[fmpq | None, fmpq | None]


@dataclass(frozen=True, slots=True, eq=False)
class Refuted:
    """No input of the box answers the question; ``steps`` prove it."""

    steps: list[Any]


def in_bounds(frame: Frame) -> bool:
    """Whether linear programs on a frame take bounds of coordinates as bounds, not as rows."""
    return frame.k > _MOST_ROWS and frame.lower is not None


class Programs:
    """Exact linear programs over a cell, by the method that suits its coordinates.

    Parameters
    ----------
    rows : list of Row
    d : int
    boxed : bool
        By :class:`~polyrank.lp.boxed.BoxedCell`: rows bound every coordinate on both sides.
    """

    def __init__(self, rows: Rows, d: int, *, boxed: bool, cell: BoxedCell | None = None) -> None:
        self.rows, self.d, self.boxed = rows, d, boxed
        self._cell: BoxedCell | Cell
        if boxed:
            self._cell = BoxedCell(rows, d) if cell is None else cell
        else:
            self._cell = Cell.from_rows(rows, d)

    def extended(self, row: tuple[int, ...]) -> Programs:
        """The cell with one row more."""
        cell = self._cell.extended(row) if isinstance(self._cell, BoxedCell) else None
        return Programs([*self.rows, row], self.d, boxed=self.boxed, cell=cell)

    def lifted(self, rows: Rows) -> Programs:
        """Another cell with one coordinate more, which only an objective bounds below."""
        return Programs(rows, self.d + 1, boxed=self.boxed)

    def minimise(
        self, objective: Row, interior: fmpq_mat | None = None, *, vertex: bool = True
    ) -> Minimum | Unbounded | Infeasible:
        """See :func:`polyrank.lp.exact.minimise`."""
        if isinstance(self._cell, BoxedCell):
            return self._cell.minimise(objective)
        return minimise(self._cell, objective, interior, vertex=vertex)

    def nonnegative(self, objective: Row, inside: fmpq_mat) -> Multipliers | Violation | Infeasible:
        """See :func:`polyrank.lp.exact.nonnegative`."""
        if isinstance(self._cell, BoxedCell):
            value = value_at(objective, inside)
            return Violation(inside, value, 0) if value < 0 else self._cell.nonnegative(objective)
        return nonnegative(self._cell, objective, inside)


@dataclass(slots=True, eq=False)
class _Open:
    """A cell: the layer whose units are being decided, and the exact forms on it."""

    layer: int
    table: fmpq_mat  # (units, d + 1) pre-activations of the layer
    unit: int
    signs: list[int]
    programs: Programs
    point: fmpq_mat


class ExactQuestion:
    """A question about a network on a frame, to be decided on boxes of it."""

    def __init__(self, network: Network, frame: Frame, question: Question) -> None:
        self._layers = network.layers
        self._frame = frame
        self._d = frame.k
        self._boxed = in_bounds(frame)
        self._disjuncts = question.disjuncts
        self._strict = [_input_row(row, frame) for row in question.strict]

    @cached_property
    def _walls(self) -> Rows:
        return self._frame.rows()

    def decide(
        self,
        low: Floats,
        high: Floats,
        assumed: Sequence[int] = (),
        stopped: Callable[[], bool] = lambda: False,
    ) -> Refuted | fmpq_mat:
        """The proof that no point of a cell answers the question, or a point (d, 1) that does.

        The cell is that part of a box where units have the signs that are assumed (1: ≥ 0, −1:
        ≤ 0, 0: either; of all units of the first layers). An infinite bound is none, and has no
        row. A point may lie outside of the cell.

        Raises
        ------
        OutOfTimeError
            See :func:`polyrank.lp.deadline.time_limit`; also once ``stopped``.
        """
        box = [(_finite(a), _finite(b)) for a, b in zip(low, high, strict=True)]
        rows = [*self._walls, *box_rows(box)]
        steps: list[Any] = []
        programs = Programs(rows, self._d, boxed=self._boxed)
        found = programs.minimise((0,) * (self._d + 1), vertex=False)
        if isinstance(found, Infeasible):
            steps.append(["empty", listed(found.multipliers)])
            return Refuted(steps)
        first = preactivation(self._layers[0], self._inputs)
        stack = [_Open(0, first, 0, [], programs, found.point)]
        while stack:
            look()
            if stopped():
                raise OutOfTimeError
            cell = stack.pop()
            point = self._work(cell, box, assumed, steps, stack)
            if point is not None:
                return point
        return Refuted(steps)

    @cached_property
    def _inputs(self) -> fmpq_mat:
        return beside(self._frame.basis, self._frame.origin)

    def _work(
        self,
        cell: _Open,
        box: Sequence[Side],
        assumed: Sequence[int],
        steps: list[Any],
        stack: list[_Open],
    ) -> fmpq_mat | None:
        """Decide units until the cell splits or is a leaf; a point if a disjunct meets the leaf."""
        while True:
            layer = self._layers[cell.layer]
            first = sum(below.units for below in self._layers[: cell.layer])
            for i in range(cell.unit, layer.units):
                if not layer.has_hyperplane[i]:
                    cell.signs.append(1)
                    continue
                row = integer_row(cell.table[i, l] for l in range(self._d + 1))
                sign = _sign_on_box(row, box)
                if sign:
                    steps.append(["sign", i, sign, None])
                    cell.signs.append(sign)
                    continue
                halves = []
                for s in (1, -1):
                    oriented = tuple(s * v for v in row)
                    verdict = cell.programs.nonnegative(oriented, cell.point)
                    if isinstance(verdict, Infeasible):
                        raise UncertifiedError("a cell that has a point was called empty")
                    if isinstance(verdict, Multipliers):
                        _verified(cell.programs.rows, oriented, verdict)
                        steps.append(["sign", i, s, listed(verdict)])
                        sign = s
                        break
                    halves.append(verdict.point)
                if sign:
                    cell.signs.append(sign)
                    continue
                minus = tuple(-v for v in row)
                if first + i < len(assumed) and assumed[first + i]:
                    s = assumed[first + i]
                    steps.append(["assumed", i])
                    cell.signs.append(s)
                    cell.programs = cell.programs.extended(row if s > 0 else minus)
                    cell.point = halves[s > 0]
                    continue
                steps.append(["split", i])
                for s, bound, point in ((-1, minus, halves[0]), (1, row, halves[1])):
                    signs, programs = [*cell.signs, s], cell.programs.extended(bound)
                    stack.append(_Open(cell.layer, cell.table, i + 1, signs, programs, point))
                return None
            outputs = activation(layer, cell.table, [sign > 0 for sign in cell.signs])
            cell.layer, cell.unit, cell.signs = cell.layer + 1, 0, []
            if cell.layer == len(self._layers):
                return self._leaf(cell.programs, outputs, steps)
            steps.append(["next"])
            cell.table = preactivation(self._layers[cell.layer], outputs)

    def _leaf(self, programs: Programs, outputs: fmpq_mat, steps: list[Any]) -> fmpq_mat | None:
        proofs = []
        for disjunct in self._disjuncts:
            loose, strict = (
                [integer_row(output_function(r, outputs)) for r in disjunct if r.strict == want]
                for want in (False, True)
            )
            strict += self._strict
            found = _meets(programs, loose, strict)
            if isinstance(found, fmpq_mat):
                return found
            proofs.append(listed(found))
        steps.append(["leaf", proofs])
        return None


def output_function(row: OutputRow, outputs: fmpq_mat) -> list[fmpq]:
    """The function of the inputs that is ≥ 0 (> 0 where strict) where the row is satisfied."""
    width = outputs.ncols()
    total = [fmpq(0)] * width
    total[-1] = row.bound
    for j, a in row.terms:
        for l in range(width):
            total[l] -= a * outputs[j, l]
    return total


def _input_row(row: Inequality, frame: Frame) -> tuple[int, ...]:
    total = [fmpq(0)] * (frame.k + 1)
    total[-1] = row.bound
    for i, a in row.terms:
        total[-1] -= a * frame.origin[i, 0]
        for l in range(frame.k):
            total[l] -= a * frame.basis[i, l]
    return integer_row(total)


def _meets(programs: Programs, loose: Rows, strict: Rows) -> fmpq_mat | Multipliers:
    """A point of the cell where ``loose`` are ≥ 0 and ``strict`` > 0, or multipliers.

    Without strict rows these add up to a negative constant; else, over the rows in (u, t) with
    ``strict − t ≥ 0`` and ``1 − t ≥ 0``, to ``−t``, which is therefore ≥ 0.
    """
    d = programs.d
    if not strict:
        for row in loose:
            programs = programs.extended(row)
        found = programs.minimise((0,) * (d + 1), vertex=False)
        if isinstance(found, Infeasible):
            _verified(programs.rows, (0,) * (d + 1), found.multipliers)
            return found.multipliers
        return found.point
    system = [
        *((*row[:-1], 0, row[-1]) for row in (*programs.rows, *loose)),
        *((*row[:-1], -1, row[-1]) for row in strict),
        (*(0,) * d, -1, 1),
    ]
    objective = (*(0,) * d, -1, 0)
    best = programs.lifted(system).minimise(objective)
    if isinstance(best, Infeasible):
        # the rows that do not know t contradict each other: t may have any sign
        return best.multipliers
    if not isinstance(best, Minimum):
        raise UncertifiedError("a bounded linear program was called unbounded")
    if best.value < 0:
        return fmpq_mat(d, 1, best.point.entries()[:d])
    _verified(system, objective, best.multipliers)
    return best.multipliers


def _verified(rows: Rows, objective: Row, proof: Multipliers) -> None:
    if not verify_farkas(rows, objective, proof):
        raise UncertifiedError("an exact certificate failed its own check")


def _finite(value: float) -> fmpq | None:
    return fmpq_from_float(value) if math.isfinite(value) else None


def box_rows(box: Sequence[Side]) -> Rows:
    """The rows of a box, by its lower and upper bounds."""
    d = len(box)
    rows: Rows = []
    for l, sides in enumerate(box):
        for sign, end in zip((1, -1), sides, strict=True):
            if end is not None:
                row = [0] * (d + 1)
                row[l], row[d] = sign * int(end.q), -sign * int(end.p)
                rows.append(tuple(row))
    return rows


def _sign_on_box(row: Row, box: Sequence[Side]) -> int:
    """1 or −1 if the function is ≥ 0 or ≤ 0 on the box, else 0."""
    least: fmpq | None = fmpq(row[-1])
    most = least
    for a, sides in zip(row[:-1], box, strict=True):
        if a == 0:
            continue
        low, high = sides if a > 0 else sides[::-1]
        least = None if least is None or low is None else least + a * low
        most = None if most is None or high is None else most + a * high
    if least is not None and least >= 0:
        return 1
    return -1 if most is not None and most <= 0 else 0
