"""The exact leaves of a verdict's proof, for its export: multipliers of rows as those of facts.

An exact leaf is proved by multipliers over the rows of its cell, in coprime integers: walls of the
domain, sides of the box, splitting units (:mod:`polyrank.verification.exact_cell`). Here each is
the multiplier of a fact of the exported proof; the rest follows from the definitions of the units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flint import fmpq, fmpq_mat

from polyrank.errors import UncertifiedError
from polyrank.lp.farkas import integer_row
from polyrank.network.composition import activation, beside, preactivation
from polyrank.polyhedra.violation import OutputRow
from polyrank.verification.alethe_cell import Cell, Function, Used
from polyrank.verification.exact_cell import output_function
from polyrank.verification.smt_problem import Fact, SmtProblem, relation

__all__ = ["SPLIT", "GivenRows", "Split", "scale_of"]

#: Layer, unit, sign, and the sign times the pre-activation on the inputs.
Split = tuple[int, int, int, list[fmpq]]
#: In place of multipliers: the sign is that of a splitting unit.
SPLIT = "split"


class GivenRows:
    """Multipliers of an exact leaf, over the rows of its cell, as multipliers of facts."""

    def __init__(
        self, problem: SmtProblem, cell: Cell, facts: Sequence[Fact], splits: Sequence[Split]
    ) -> None:
        self.problem, self.cell, self.facts, self.splits = problem, cell, facts, splits
        self.n = len(problem.inputs)
        self._sides = len(problem.walls)
        self._signs = self._sides + 2 * self.n

    def _zero(self) -> Function:
        return Function({}, {}, [fmpq(0)] * self.n, fmpq(0))

    def _fact(self, q: int, factor: fmpq, rest: Function) -> tuple[Fact, fmpq]:
        """Row q times a factor as a fact; what it is worth is taken off the rest."""
        if q >= self._signs:
            k, i, s, row = self.splits[q - self._signs]
            share = factor * scale_of(row)
            units = self.problem.network.layers[k].units
            rest.z.setdefault(k, [fmpq(0)] * units)[i] -= share * s
            return self.facts[q - self._signs], share
        if q < self._sides:
            fact, row = self.problem.walls[q], self.problem.wall_rows[q]
        else:
            l, side = divmod(q - self._sides, 2)
            known = (self.cell.high if side else self.cell.low)[l]
            if known is None:
                raise UncertifiedError(f"input {l} has no bound")
            fact, value = known
            row = [fmpq(0)] * self.n + [value if side else -value]
            row[l] = fmpq(-1 if side else 1)
        share = factor * scale_of(row)
        for l, v in enumerate(row[:-1]):
            rest.x[l] -= share * v
        rest.constant -= share * row[-1]
        return fact, share

    def _rows(self, proof: Sequence[Any], scale: fmpq, rest: Function) -> Used:
        """The rows of the cell in a proof, whose multipliers are divided by the scale."""
        _, _, indices, values = proof
        there = zip(indices, values, strict=True)
        last = self._signs + len(self.splits)
        return [self._fact(q, fmpq(v) / scale, rest) for q, v in there if q < last]

    def sign(self, k: int, i: int, s: int, proof: Any, row: Sequence[fmpq]) -> Fact:
        """The fact that a unit has a sign; ``row``: its pre-activation on the inputs."""
        term = relation(">=" if s > 0 else "<=", self.problem.z(k, i), "0.0")
        if proof == SPLIT:
            place = next(p for p, (a, b, _, _) in enumerate(self.splits) if (a, b) == (k, i))
            return self.facts[place]
        goal, used = self.cell.of_unit(k, i, s), []
        if proof is not None:
            # scale · row = constant + Σ values · rows, in coprime integers
            turned = [s * v for v in row]
            used = self._rows(proof, proof[0] * scale_of(turned), goal)
        bounded, least = self.cell.bound(goal)
        if least < 0:
            raise UncertifiedError(f"the sign of unit {i} of layer {k + 1} is not proved")
        name = self.cell.steps.combined([*used, *bounded], [(term, fmpq(1))])
        return Fact(name, term)

    def decided(self, read: Sequence[tuple[int, int, Any]]) -> fmpq_mat:
        """Prove the signs of all units; the outputs as functions of the inputs."""
        todo = iter(read)
        system = self.problem.question.domain.system(self.n)
        h = beside(system.basis, system.origin)
        for k, layer in enumerate(self.problem.network.layers):
            self.cell.flat(k)
            table = preactivation(layer, h)
            rows, signs = table.tolist(), [True] * layer.units
            for _ in range(int(layer.has_hyperplane.sum())):
                i, s, proof = next(todo)
                signs[i] = s > 0
                self.cell.know_sign(k, i, s, self.sign(k, i, s, proof, rows[i]))
            h = activation(layer, table, signs)
        return h

    def contradiction(self, proof: Sequence[Any]) -> Used:
        """Facts that contradict each other."""
        rest = self._zero()
        used = self._rows(proof, fmpq(1), rest)
        bounded, least = self.cell.bound(rest)
        if least <= 0:
            raise UncertifiedError("the rows of a cell do not contradict each other")
        return [*used, *bounded]

    def no_disjunct(
        self, proof: Sequence[Any], disjunct: Sequence[OutputRow], outputs: fmpq_mat
    ) -> tuple[Used, list[tuple[int, fmpq]]]:
        """Facts that contradict rows of a disjunct, and the multipliers of these."""
        rest = self._zero()
        used = self._rows(proof, fmpq(1), rest)
        last = len(self.problem.network.layers) - 1
        rows: list[tuple[int, fmpq]] = []
        ordered = [r for r, row in enumerate(disjunct) if not row.strict]
        ordered += [r for r, row in enumerate(disjunct) if row.strict]
        strict = False
        begin = self._signs + len(self.splits)
        for q, v in zip(proof[2], proof[3], strict=True):
            place = q - begin
            if place < 0 or v == 0:
                continue
            if place < len(ordered):
                row = disjunct[ordered[place]]
                affine = output_function(row, outputs)
                share = fmpq(v) * scale_of(affine)
                rows.append((ordered[place], share))
                h = rest.h.setdefault(last, [fmpq(0)] * outputs.nrows())
                for j, a in row.terms:
                    h[j] += share * a
                rest.constant -= share * row.bound
                strict = strict or row.strict
            elif place < len(ordered) + len(self.problem.question.strict):
                number_ = place - len(ordered)
                condition = self.problem.question.strict[number_]
                affine = [fmpq(0)] * self.n + [condition.bound]
                for j, a in condition.terms:
                    affine[j] -= a
                share = fmpq(v) * scale_of(affine)
                for j, a in condition.terms:
                    rest.x[j] += share * a
                rest.constant -= share * condition.bound
                used.append((self.problem.strict[number_], share))
                strict = True
        bounded, least = self.cell.bound(rest)
        if least < 0 or (least == 0 and not strict):
            raise UncertifiedError("a disjunct is not refuted on a cell")
        return [*used, *bounded], rows


def scale_of(row: Sequence[fmpq]) -> fmpq:
    """The positive number whose product with a row has coprime integer entries."""
    pairs = zip(integer_row(row), row, strict=True)
    return next((fmpq(a) / b for a, b in pairs if b != 0), fmpq(1))
