"""Trusted: replays the exact steps by which a question was decided on one box.

**Claim.** No point of the box and the domain, where units have the signs that are assumed,
satisfies any disjunct. *Proof.* By the steps the closed cells at the leaves cover that part of the
box: a SPLIT halves a cell, ASSUMED leaves out the half in which the unit has the other sign, a SIGN
is an affine identity over rows that are ≥ 0 on the cell. On a cell whose units all have a sign the
network is affine, also where a unit is 0, so the outputs are those of the composed map; and there
the rows of the cell and of a disjunct add up to a contradiction. ∎

The steps are described in :mod:`polyrank.verification.exact_cell`; nothing of it is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat

from polyrank.network.forward import affine_map
from polyrank.network.normal_form import Network
from polyrank.polyhedra.dnf import Inequality
from polyrank.polyhedra.violation import OutputRow, Question
from polyrank.proof.format import ProofRejectedError

__all__ = ["ExactReplay", "contradiction", "fraction", "integers", "remainder"]

Row = tuple[int, ...]
#: Bounds of a coordinate; None: there is none.
_Side = tuple[Fraction | None, Fraction | None]


class ExactReplay:
    """Replays exact proofs of one question; ``walls`` are the rows of its domain (≥ 0 on it)."""

    def __init__(
        self,
        network: Network,
        question: Question,
        origin: fmpq_mat,
        basis: fmpq_mat,
        walls: Sequence[Row],
    ) -> None:
        self.network, self.question = network, question
        self.origin, self.basis, self.walls = origin, basis, list(walls)
        self.k = basis.ncols()
        self.strict = [self._input_row(row) for row in question.strict]

    def check(
        self,
        low: Sequence[float],
        high: Sequence[float],
        assumed: Sequence[int],
        steps: Any,
        where: str,
    ) -> None:
        """Accept the steps as a proof on the box, of which infinite bounds are none.

        ``assumed``: the signs (1: ≥ 0, −1: ≤ 0, 0: either) of the units of the first layers.

        Raises
        ------
        ProofRejectedError
            Naming the step that proves nothing.
        """
        box = [(_finite(a), _finite(b)) for a, b in zip(low, high, strict=True)]
        rows = list(self.walls)
        for l, sides in enumerate(box):
            for sign, bound in zip((1, -1), sides, strict=True):
                if bound is None:
                    continue
                row = [Fraction(0)] * self.k + [-sign * bound]
                row[l] = Fraction(sign)
                rows.append(integers(row))
        try:
            self._replay(rows, box, assumed, enumerate(steps))
        except (ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
            raise ProofRejectedError(f"{where}: the steps are damaged: {error}") from None
        except ProofRejectedError as error:
            raise ProofRejectedError(f"{where}, {error}") from None

    def _replay(
        self,
        rows: list[Row],
        box: Sequence[_Side],
        assumed: Sequence[int],
        steps: Iterator[tuple[int, Any]],
    ) -> None:
        # open cells: rows, layer (from 1), first undecided unit, signs of all layers
        stack: list[tuple[list[Row], int, int, list[list[int]]]] = [(rows, 1, 0, [[]])]
        while stack:
            rows, layer, unit, signs = stack.pop()
            table = self._preactivations(layer, signs)
            while True:
                here = self.network.layers[layer - 1]
                while unit < here.units and not here.has_hyperplane[unit]:
                    signs[-1].append(1)
                    unit += 1
                end: Any = (-1, ["end"])
                number, step = next(steps, end)
                match step:
                    case ["sign", int(i), 1 | -1 as s, proof] if i == unit < here.units:
                        goal = tuple(s * v for v in table[i])
                        if proof is None:
                            if (least := _least(goal, box)) is None or least < 0:
                                raise ProofRejectedError(f"step {number}: not by the box")
                        elif not _proves(goal, rows, proof):
                            raise ProofRejectedError(f"step {number}: the rows do not prove it")
                        signs[-1].append(s)
                        unit += 1
                    case ["assumed", int(i)] if i == unit < here.units:
                        place = sum(map(len, signs))
                        s = assumed[place] if place < len(assumed) else 0
                        if not s:
                            raise ProofRejectedError(f"step {number}: no sign is assumed")
                        rows = [*rows, tuple(s * v for v in table[i])]
                        signs[-1].append(s)
                        unit += 1
                    case ["split", int(i)] if i == unit < here.units:
                        minus = tuple(-v for v in table[i])
                        for s, bound in ((-1, minus), (1, table[i])):
                            mine = [*signs[:-1], [*signs[-1], s]]
                            stack.append(([*rows, bound], layer, i + 1, mine))
                        break
                    case ["next"] if unit == here.units and layer < len(self.network.layers):
                        layer, unit = layer + 1, 0
                        signs = [*signs, []]
                        table = self._preactivations(layer, signs)
                    case ["empty", proof]:
                        if not contradiction(rows, proof, self.k):
                            raise ProofRejectedError(f"step {number}: the cell is not empty")
                        break
                    case ["leaf", list(proofs)] if unit == here.units and layer == len(
                        self.network.layers
                    ):
                        self._leaf(rows, signs, proofs, number)
                        break
                    case _:
                        raise ProofRejectedError(f"step {number} is no step here: {step!r:.60}")
        if next(steps, None) is not None:
            raise ProofRejectedError("steps follow the end")

    def _leaf(
        self, rows: list[Row], signs: list[list[int]], proofs: list[Any], number: int
    ) -> None:
        if len(proofs) != len(self.question.disjuncts):
            raise ProofRejectedError(f"step {number}: {len(proofs)} disjuncts are refuted, not all")
        J, c = affine_map(self.network, self._bits(signs), origin=self.origin, basis=self.basis)
        for disjunct, proof in zip(self.question.disjuncts, proofs, strict=True):
            loose = [self._output_row(r, J, c) for r in disjunct if not r.strict]
            strict = [self._output_row(r, J, c) for r in disjunct if r.strict] + self.strict
            if not strict:
                good = contradiction([*rows, *loose], proof, self.k)
            else:
                # in (y, t): all strict rows are ≥ t, t ≤ 1; then t ≤ 0, or nothing is left
                lifted: list[Row] = [(*r[:-1], 0, r[-1]) for r in (*rows, *loose)]
                lifted += [(*r[:-1], -1, r[-1]) for r in strict]
                lifted.append((*([0] * self.k), -1, 1))
                goal = (*([0] * self.k), -1, 0)
                good = _proves(goal, lifted, proof) or contradiction(lifted, proof, self.k + 1)
            if not good:
                raise ProofRejectedError(f"step {number}: a disjunct is not refuted")

    def _bits(self, signs: list[list[int]]) -> Any:
        return np.array(
            [
                s > 0
                for layer, mine in zip(self.network.layers, signs, strict=False)
                for s, split in zip(mine, layer.has_hyperplane, strict=True)
                if split
            ],
            dtype=bool,
        )

    def _preactivations(self, layer: int, signs: list[list[int]]) -> list[Row]:
        J, c = affine_map(
            self.network,
            self._bits(signs[: layer - 1]),
            layer=layer,
            before_activation=True,
            origin=self.origin,
            basis=self.basis,
        )
        return [
            integers([*map(fraction, row), fraction(b)])
            for row, b in zip(_rows(J), c.entries(), strict=True)
        ]

    def _output_row(self, row: OutputRow, J: fmpq_mat, c: fmpq_mat) -> Row:
        total = [Fraction(0)] * self.k + [fraction(row.bound)]
        for j, a in row.terms:
            for l in range(self.k):
                total[l] -= fraction(a * J[j, l])
            total[-1] -= fraction(a * c[j, 0])
        return integers(total)

    def _input_row(self, row: Inequality) -> Row:
        total = [Fraction(0)] * self.k + [fraction(row.bound)]
        for i, a in row.terms:
            for l in range(self.k):
                total[l] -= fraction(a * self.basis[i, l])
            total[-1] -= fraction(a * self.origin[i, 0])
        return integers(total)


def _rows(matrix: fmpq_mat) -> list[list[fmpq]]:
    entries, n = matrix.entries(), matrix.ncols()
    return [entries[i * n : (i + 1) * n] for i in range(matrix.nrows())]


def fraction(value: fmpq) -> Fraction:
    """The same number as a Fraction."""
    return Fraction(int(value.p), int(value.q))


def integers(row: Sequence[Fraction]) -> Row:
    """The positive multiple of a row with coprime integer entries."""
    scale = lcm(*(v.denominator for v in row))
    whole = [v.numerator * (scale // v.denominator) for v in row]
    common = gcd(*whole)
    return tuple(v // common for v in whole) if common > 1 else tuple(whole)


def _finite(value: float) -> Fraction | None:
    return Fraction(value) if math.isfinite(value) else None


def _least(row: Row, box: Sequence[_Side]) -> Fraction | None:
    """The least value on the box; None: there is none."""
    total = Fraction(row[-1])
    for a, (low, high) in zip(row[:-1], box, strict=True):
        end = low if a > 0 else high
        if a and end is None:
            return None
        if a and end is not None:
            total += a * end
    return total


def remainder(goal: Sequence[int], rows: Sequence[Row], proof: Any) -> list[int] | None:
    """``scale · goal − Σ λ row`` with scale > 0 and λ ≥ 0, or None."""
    scale, _, indices, values = proof
    if len(indices) != len(values) or not all(type(v) is int for v in (scale, *indices, *values)):
        return None
    if scale <= 0 or any(v < 0 for v in values) or any(not 0 <= i < len(rows) for i in indices):
        return None
    rest = [scale * v for v in goal]
    for i, factor in zip(indices, values, strict=True):
        rest = [v - factor * w for v, w in zip(rest, rows[i], strict=True)]
    return rest


def _proves(goal: Sequence[int], rows: Sequence[Row], proof: Any) -> bool:
    """Whether the multipliers prove that the goal is ≥ 0 wherever all rows are."""
    rest = remainder(goal, rows, proof)
    return rest is not None and not any(rest[:-1]) and rest[-1] >= 0


def contradiction(rows: Sequence[Row], proof: Any, k: int) -> bool:
    """Whether the multipliers prove that the rows on R^k are nowhere all ≥ 0."""
    rest = remainder((0,) * (k + 1), rows, proof)
    return rest is not None and not any(rest[:-1]) and rest[-1] > 0
