"""Export of a verdict's proof to Alethe, which checkers of others read (carcara, for example).

A pair of files for each question: the question as a problem of SMT-LIB
(:mod:`polyrank.verification.smt_problem`) and a proof that it is unsatisfiable, with the rules
``la_generic`` (linear combinations with their multipliers), ``or``, ``and_pos``, ``resolution``,
``subproof`` and ``false`` only. The tree of boxes becomes cases ``X ≤ m or X ≥ m``, units by which
cells are divided ``Z ≥ 0 or Z ≤ 0``; on every leaf the bounds of the units are derived again in
rationals, and the multipliers of units that it keeps are those of the facts about these units.

Sources: the Alethe specification (H. Barbosa et al.); B. Andreotti, H. Lachnitt, H. Barbosa,
"Carcara: an efficient proof checker and elaborator for SMT proofs in the Alethe format", 2023.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat

from polyrank.errors import RunError, UncertifiedError, UnsupportedError
from polyrank.network.composition import activation, beside, preactivation
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float
from polyrank.polyhedra.violation import OutputRow, Question
from polyrank.proof.boxes import bounded_layers
from polyrank.proof.format import NotDecidedError
from polyrank.proof.network_file import named_network
from polyrank.proof.stated import check_named
from polyrank.proof.tree import CLOSED, Leaf, Node, exact_steps, leaves_of
from polyrank.proof.verdict import stated_property
from polyrank.regions.directory import disk_errors
from polyrank.verification.alethe_cell import BITS, Cell, Function, Multipliers, Steps, Used
from polyrank.verification.alethe_exact import SPLIT, GivenRows, Split, scale_of
from polyrank.verification.smt_problem import Fact, SmtProblem, number, relation

__all__ = ["Exported", "export_alethe"]

#: How often a leaf whose bounds come out too wide here is halved further.
_FURTHER = 16

#: Bits of the bounds of units, where fewer do not refute a leaf.
_MORE_BITS = 60

#: A unit, by layer and number, with the sign that is assumed.
_Assumed = tuple[int, int, int]
#: A case with the name of the clause that its assumptions contradict each other.
_Refuted = tuple[str, list[str]]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the proof and its problem, and how many steps the proof has."""

    proof: Path
    problem: Path
    steps: int


def export_alethe(path: Path, target: Path, *, network: Path | None = None) -> list[Exported]:
    """Write the proof of a verdict "holds" as Alethe files.

    Parameters
    ----------
    path : Path
        A directory of ``polyrank verify -o DIR --proof``.
    target : Path
        The first file, such as ``proof.alethe``; its problem is ``proof.smt2``. Those of further
        questions are ``proof-1.alethe`` and so on.
    network : Path, optional
        The network's file, where it is no longer where the verdict says.

    Raises
    ------
    NotDecidedError
        If the verdict is another one, or has no proof.
    UnsupportedError
        If a domain is neither a box nor a polytope.
    RunError, NetworkError
        If a file cannot be read or written, or is there already.
    """
    stated = json.loads((path / "verdict.json").read_text(encoding="utf-8"))
    own = named_network(path, stated, network)
    check_named(own, stated, "verdict")
    if stated["verdict"] != "holds" or not stated["proof"]:
        raise NotDecidedError("only the proof of a verdict that holds can be exported")
    out = []
    for q, question in enumerate(stated_property(path, stated).questions):
        proof = target if q == 0 else target.with_name(f"{target.stem}-{q}{target.suffix}")
        problem = proof.with_suffix(".smt2")
        for file in (proof, problem):
            if file.exists():
                raise RunError(f"{file} exists already; name a new file or remove that one")
        writer = _Question(path, own, question, q, stated["questions"][q])
        writer.write()
        with disk_errors(proof.parent):
            problem.write_text("\n".join([*writer.problem.text(), ""]), encoding="utf-8")
            proof.write_text("\n".join([*writer.steps.lines, ""]), encoding="utf-8")
        steps = sum(line.startswith("(step ") for line in writer.steps.lines)
        out.append(Exported(proof, problem, steps))
    return out


class _Question:
    """The proof of one question."""

    def __init__(
        self, path: Path, network: Network, question: Question, q: int, stated: Mapping[str, Any]
    ) -> None:
        self.path, self.network, self.question, self.q, self.stated = (
            path, network, question, q, stated,
        )  # fmt: skip
        self.problem = SmtProblem(network, question)
        self.steps = Steps()
        self.n = network.input_dim
        self.root: list[tuple[Fact, fmpq]] = []

    def write(self) -> None:
        """All steps."""
        self.steps.lines = list(self.problem.assumed())
        if self.stated["empty"] is not None:
            self.steps.combined(self._by_walls(self.stated["empty"], fmpq(1)), [])
            return
        if not self.question.disjuncts:
            no = self.steps.step(["(not false)"], "false")
            self.steps.step([], "resolution", [self.problem.violation[0].name, no])
            return
        low, high = ([float.fromhex(v) for v in self.stated[side]] for side in ("low", "high"))
        if not all(map(math.isfinite, (*low, *high))):
            raise UnsupportedError(
                "the domain is unbounded; a question is exported on a bounded one"
            )
        self._bound_root(low, high)
        # steps of the tree: the results of both halves of a node make that of the node
        waiting: dict[int, tuple[_Refuted, Node]] = {}
        for node, name in self._leaves(low, high):
            done, at = name, node
            while at.above is not None:
                other = waiting.pop(id(at.above), None)
                if other is None:
                    waiting[id(at.above)] = (done, at)
                    break
                done = self._both(at.above, other, (done, at))
                at = at.above

    def _both(
        self, above: Node, one: tuple[_Refuted, Node], other: tuple[_Refuted, Node]
    ) -> _Refuted:
        """What the two parts of a node make of it."""
        if other[1].sign:
            positive, negative = sorted([one, other], key=lambda part: -part[1].sign)
            terms = [self._sign_term(self._unit(part[1].sign)) for part in (positive, negative)]
            return self._joined(terms, [positive[0], negative[0]])
        lower, upper = sorted([one, other], key=lambda half: tuple(half[1].low.tolist()))
        across, middle = _halved(above, lower[1])
        x = self.problem.inputs[across]
        terms = [relation(s, x, number(middle)) for s in ("<=", ">=")]
        return self._joined(terms, [lower[0], upper[0]])

    def _unit(self, sign: int) -> _Assumed:
        """The unit of a tree's sign, ± (number of all units + 1)."""
        place, k = abs(sign) - 1, 0
        while place >= self.network.layers[k].units:
            place -= self.network.layers[k].units
            k += 1
        return k, place, 1 if sign > 0 else -1

    def _sign_term(self, assumed: _Assumed) -> str:
        k, i, s = assumed
        return relation(">=" if s > 0 else "<=", self.problem.z(k, i), "0.0")

    def _bound_root(self, low: Sequence[float], high: Sequence[float]) -> None:
        proofs = self.stated["bounds"]
        for l in range(self.n):
            for side, symbol, ends in ((0, ">=", low), (1, "<=", high)):
                value, sign = fmpq_from_float(ends[l]), fmpq(1 - 2 * side)
                used = (
                    self._by_walls(proofs[2 * l + side], fmpq(1, proofs[2 * l + side][0]))
                    if proofs
                    else self._by_one_wall(l, sign, value)
                )
                term = relation(symbol, self.problem.inputs[l], number(value))
                name = self.steps.combined(used, [(term, fmpq(1))])
                self.root.append((Fact(name, term), value))

    def _by_walls(self, proof: Sequence[Any], factor: fmpq) -> Used:
        """Walls with the multipliers that a proof over their integer rows has, times a factor."""
        _, _, indices, values = proof
        return [
            (self.problem.walls[i], factor * value * scale_of(self.problem.wall_rows[i]))
            for i, value in zip(indices, values, strict=True)
        ]

    def _by_one_wall(self, l: int, sign: fmpq, value: fmpq) -> Used:
        """A wall of a box that bounds one input as tightly as the root does, or more."""
        for wall, row in zip(self.problem.walls, self.problem.wall_rows, strict=True):
            if row[l] * sign > 0 and all(v == 0 for j, v in enumerate(row[:-1]) if j != l):
                end = -row[-1] / row[l]
                if sign * (end - value) >= 0:
                    return [(wall, 1 / abs(row[l]))]
        raise UncertifiedError(f"no wall of the box bounds input {l}")

    def _leaves(self, low: list[float], high: list[float]) -> Iterator[tuple[Node, _Refuted]]:
        lines = exact_steps(self.path / f"exact-{self.q}.jsonl.zst")
        root = (np.array(low), np.array(high))
        where = f"question {self.q}"
        units = sum(layer.units for layer in bounded_layers(self.network))
        for leaf in leaves_of(
            self.path / f"tree-{self.q}.bin.zst", self.question, units, *root, where
        ):
            known = self._of_box(leaf.node)
            assumed = [self._unit(sign) for sign in leaf.node.signs()]
            if leaf.code == CLOSED:
                yield leaf.node, self._refuted(known, assumed, leaf)
            else:
                yield leaf.node, self._cells(known, assumed, [], iter(next(lines)))

    def _refuted(
        self, known: list[tuple[str, fmpq] | None], assumed: Sequence[_Assumed], leaf: Leaf
    ) -> _Refuted:
        """A closed leaf: as it stands, with sharper bounds of units, or halved further."""
        factors = [fmpq_from_float(v) for v in leaf.factors.tolist()]
        multipliers = self._multipliers(leaf)
        for bits in (BITS, _MORE_BITS):
            found = self._closed(known, assumed, factors, multipliers, bits)
            if found is not None:
                return found
        return self._halves(known, assumed, factors, multipliers, 0)

    def _multipliers(self, leaf: Leaf) -> list[Multipliers | None]:
        """Those of every disjunct."""
        shares, pushes = leaf.shares, leaf.pushes
        if shares is None or pushes is None:
            return [None] * len(self.question.disjuncts)
        return [
            Multipliers(
                {
                    self._unit(g + 1)[:2]: fmpq_from_float(v)
                    for g, v in enumerate(own.tolist())
                    if not math.isnan(v)
                },
                {
                    self._unit(g + 1)[:2]: fmpq_from_float(abs(v))
                    for g, v in enumerate(push.tolist())
                    if v != 0
                },
            )
            for own, push in zip(shares, pushes, strict=True)
        ]

    def _of_box(self, node: Node) -> list[tuple[str, fmpq] | None]:
        """Bounds of a box that are not those of the root, as terms to assume."""
        out: list[tuple[str, fmpq] | None] = []
        low, high = node.low, node.high
        for l in range(self.n):
            for side, symbol in ((0, ">="), (1, "<=")):
                value = fmpq_from_float(float((low, high)[side][l]))
                if value == self.root[2 * l + side][1]:
                    out.append(None)
                else:
                    out.append((relation(symbol, self.problem.inputs[l], number(value)), value))
        return out

    def _opened(
        self,
        box: Sequence[tuple[str, fmpq] | None],
        signs: Sequence[str] = (),
        bits: int = BITS,
    ) -> tuple[str, list[Fact], Cell]:
        """Begin a case: a box, and signs of units."""
        terms = [side[0] for side in box if side is not None]
        name, facts = self.steps.open([*terms, *signs])
        sides, number_ = [], 0
        for root, side in zip(self.root, box, strict=True):
            if side is None:
                sides.append(root)
            else:
                sides.append((facts[number_], side[1]))
                number_ += 1
        return name, facts, Cell(self.problem, self.steps, sides[::2], sides[1::2], bits)

    def _closed(
        self,
        box: list[tuple[str, fmpq] | None],
        assumed: Sequence[_Assumed],
        factors: Sequence[fmpq],
        multipliers: Sequence[Multipliers | None],
        bits: int,
    ) -> _Refuted | None:
        """A cell on which bounds refute all disjuncts; None where they do not do so here."""
        mark = len(self.steps.lines)
        terms = [self._sign_term(unit) for unit in assumed]
        name, facts, cell = self._opened(box, terms, bits)
        for (k, i, s), fact in zip(assumed, facts[len(facts) - len(terms) :], strict=True):
            cell.assume(k, i, s, fact)
        for k in range(len(self.network.layers)):
            cell.enclose(k)
        start, clauses = 0, []
        for d, (disjunct, own) in enumerate(zip(self.question.disjuncts, multipliers, strict=True)):
            mine = factors[start : start + len(disjunct)]
            start += len(disjunct)
            used, least = cell.bound(self._violation(disjunct, mine), own)
            strict = any(r.strict for r, v in zip(disjunct, mine, strict=True) if v != 0)
            if least < 0 or (least == 0 and not strict):
                self.steps.abandon(mark)
                return None
            clauses.append(
                self._no_disjunct(d, used, list(zip(range(len(mine)), mine, strict=True)))
            )
        self._none(clauses)
        return self.steps.close(name, facts), [f.term for f in facts]

    def _halves(
        self,
        box: list[tuple[str, fmpq] | None],
        assumed: Sequence[_Assumed],
        factors: Sequence[fmpq],
        multipliers: Sequence[Multipliers | None],
        depth: int,
    ) -> _Refuted:
        """A cell that bounds do not refute in one piece."""
        if depth == _FURTHER:
            if self.stated.get("twins"):
                raise UnsupportedError(
                    "the bounds of units alone do not refute the violation on a leaf, and those of "
                    "the differences of twins are not exported; polyrank check reads them"
                )
            raise UnsupportedError("bounds in rationals do not refute the violation on a leaf")
        ends = [
            (root[1] if side is None else side[1])
            for root, side in zip(self.root, box, strict=True)
        ]
        widths = [
            (ends[2 * l + 1] - ends[2 * l])
            / max(self.root[2 * l + 1][1] - self.root[2 * l][1], fmpq(1, 1 << 1074))
            for l in range(self.n)
        ]
        across = widths.index(max(widths))
        middle = (ends[2 * across] + ends[2 * across + 1]) / 2
        x = self.problem.inputs[across]
        terms = [relation(s, x, number(middle)) for s in ("<=", ">=")]
        halves = []
        for side, term in ((1, terms[0]), (0, terms[1])):
            half = list(box)
            half[2 * across + side] = (term, middle)
            found = self._closed(half, assumed, factors, multipliers, BITS)
            if found is None:
                found = self._halves(half, assumed, factors, multipliers, depth + 1)
            halves.append(found)
        return self._joined(terms, halves)

    def _joined(self, cases: Sequence[str], halves: Sequence[_Refuted]) -> _Refuted:
        """Two cases one of which is there."""
        either = self.steps.step(cases, "la_generic", args=["1.0", "1.0"])
        left = [
            t for case, (_, terms) in zip(cases, halves, strict=True) for t in terms if t != case
        ]
        terms = list(dict.fromkeys(left))
        clause = [f"(not {t})" for t in terms]
        name = self.steps.step(clause, "resolution", [either, *(half[0] for half in halves)])
        return name, terms

    def _violation(self, disjunct: Sequence[OutputRow], factors: Sequence[fmpq]) -> Function:
        """The combination of a disjunct's rows, which a violation has ≤ 0."""
        last = len(self.network.layers) - 1
        row, constant = [fmpq(0)] * self.network.widths[-1], fmpq(0)
        for each, factor in zip(disjunct, factors, strict=True):
            for j, a in each.terms:
                row[j] += factor * a
            constant -= factor * each.bound
        return Function({last: row}, {}, [fmpq(0)] * self.n, constant)

    def _no_disjunct(self, d: int, used: Used, rows: Sequence[tuple[int, fmpq]]) -> str:
        """``cl (not disjunct)``; of the only one, whose rows are asserted, the empty clause."""
        there = [(r, v) for r, v in rows if v != 0]
        if len(self.question.disjuncts) == 1:
            asserted = [(self.problem.violation[r], v) for r, v in there]
            return self.steps.combined([*used, *asserted], [])
        terms = self.problem.rows[d]
        literals = [(f"(not {terms[r]})", v) for r, v in there]
        name = self.steps.combined(used, literals)
        if len(terms) == 1:
            return name
        whole = self.problem.disjuncts[d]
        parts = [
            self.steps.step([f"(not {whole})", terms[r]], "and_pos", args=[str(r)])
            for r, _ in there
        ]
        return self.steps.step([f"(not {whole})"], "resolution", [name, *parts])

    def _none(self, clauses: Sequence[str]) -> None:
        """The empty clause: no disjunct is satisfied."""
        if len(self.question.disjuncts) == 1:
            return
        either = self.steps.step(self.problem.disjuncts, "or", [self.problem.violation[0].name])
        self.steps.step([], "resolution", [either, *clauses])

    def _cells(
        self,
        box: list[tuple[str, fmpq] | None],
        assumed: Sequence[_Assumed],
        splits: list[Split],
        todo: Iterator[Any],
        before: Sequence[tuple[int, int, Any]] = (),
    ) -> _Refuted:
        """A cell: its steps are read up to a split, and replayed in every case below it."""
        read: list[tuple[int, int, Any]] = list(before)  # (unit, sign, multipliers)
        layer, table = self._table(read)
        for step in todo:
            match step:
                case ["sign", i, s, proof]:
                    read.append((i, s, proof))
                case ["assumed", i]:
                    s = next(s for k, unit, s in assumed if (k, unit) == (layer, i))
                    splits = [*splits, (layer, i, s, [s * v for v in table.tolist()[i]])]
                    read.append((i, s, SPLIT))
                case ["next"]:
                    layer, table = self._table(read)
                case ["split", i]:
                    z = self.problem.z(layer, i)
                    terms = [relation(r, z, "0.0") for r in (">=", "<=")]
                    row = table.tolist()[i]
                    halves = []
                    for s in (1, -1):
                        mine = [*splits, (layer, i, s, [s * v for v in row])]
                        halves.append(self._cells(box, assumed, mine, todo, [*read, (i, s, SPLIT)]))
                    return self._joined(terms, halves)
                case ["empty", proof]:
                    return self._end(box, assumed, splits, read, proof, None)
                case ["leaf", proofs]:
                    return self._end(box, assumed, splits, read, None, proofs)
        raise NotDecidedError("the steps of an exact leaf end early")

    def _table(self, read: Sequence[tuple[int, int, Any]]) -> tuple[int, fmpq_mat]:
        """The layer that is being decided, and its exact pre-activations on the inputs."""
        system = self.question.domain.system(self.n)
        table = preactivation(self.network.layers[0], beside(system.basis, system.origin))
        place = 0
        for k, layer in enumerate(self.network.layers):
            count = int(layer.has_hyperplane.sum())
            if place + count > len(read) or k == len(self.network.layers) - 1:
                return k, table
            signs = [True] * layer.units
            for i, s, _ in read[place : place + count]:
                signs[i] = s > 0
            place += count
            table = preactivation(self.network.layers[k + 1], activation(layer, table, signs))
        raise UncertifiedError("a network has a layer")

    def _end(
        self,
        box: list[tuple[str, fmpq] | None],
        assumed: Sequence[_Assumed],
        splits: Sequence[Split],
        read: Sequence[tuple[int, int, Any]],
        empty: Any,
        proofs: Any,
    ) -> _Refuted:
        """A cell without further splits: the signs of its units, then the contradiction."""
        terms = [self._sign_term((k, i, s)) for k, i, s, _ in splits]
        # every half of a node names its case, also where it does not need it
        others = [self._sign_term(unit) for unit in assumed]
        terms = [*(term for term in others if term not in terms), *terms]
        name, facts, cell = self._opened(box, terms)
        given = GivenRows(self.problem, cell, facts[len(facts) - len(splits) :], splits)
        outputs = given.decided(read) if empty is None else None
        if outputs is None:
            self.steps.combined(given.contradiction(empty), [])
        else:
            clauses = []
            for d, proof in enumerate(proofs):
                used, rows = given.no_disjunct(proof, self.question.disjuncts[d], outputs)
                clauses.append(self._no_disjunct(d, used, rows))
            self._none(clauses)
        return self.steps.close(name, facts), [f.term for f in facts]


def _halved(node: Node, lower: Node) -> tuple[int, fmpq]:
    """Across which input a node was halved, and where; its lower half is given."""
    for l, (whole, half) in enumerate(zip(node.high.tolist(), lower.high.tolist(), strict=True)):
        if whole != half:
            return l, fmpq_from_float(half)
    raise UncertifiedError("a half of a box is the box")
