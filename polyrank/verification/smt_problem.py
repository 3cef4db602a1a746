"""A question about a network as a problem of linear real arithmetic, in the language of SMT-LIB.

The problem says that an input of the domain answers the question; it is unsatisfiable iff none
does. Inputs are ``X_i``; unit i of layer k has the pre-activation ``Z_k_i`` and the output
``H_k_i``; those of the last layer are the network's. A unit with slopes a⁻ < a⁺ is ``H ≥ a⁻ Z``,
``H ≥ a⁺ Z`` and one of ``H ≤ a⁻ Z``, ``H ≤ a⁺ Z``; with a⁻ > a⁺ the relations are turned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from flint import fmpq

from polyrank.errors import UnsupportedError
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import Box, Polytope, WholeSpace
from polyrank.polyhedra.violation import OutputRow, Question

__all__ = ["Fact", "SmtProblem", "linear", "number", "relation"]


class Fact(NamedTuple):
    """A formula that holds, by the step or assertion with this name.

    ``whole``: where the term is a name for a formula, that formula.
    """

    name: str
    term: str
    whole: str = ""


def number(value: fmpq) -> str:
    """A rational as a term of sort Real."""
    whole, under = abs(int(value.p)), int(value.q)
    text = f"{whole}.0" if under == 1 else f"(/ {whole}.0 {under}.0)"
    return f"(- {text})" if value < 0 else text


def linear(terms: Iterable[tuple[fmpq, str]], constant: fmpq | None = None) -> str:
    """A sum of multiples of variables, and a constant."""
    parts = [v if a == 1 else f"(* {number(a)} {v})" for a, v in terms if a != 0]
    if constant is not None and constant != 0:
        parts.append(number(constant))
    if not parts:
        return "0.0"
    return parts[0] if len(parts) == 1 else f"(+ {' '.join(parts)})"


def relation(symbol: str, left: str, right: str) -> str:
    """A comparison."""
    return f"({symbol} {left} {right})"


class SmtProblem:
    """The assertions of a question.

    Parameters
    ----------
    network : Network
    question : Question
        Its domain is a box, a polytope or all of R^n: others have coordinates of their own.

    Attributes
    ----------
    walls : list of Fact
        ``A_i x ≤ b_i``, in the order of the domain's system.
    wall_rows : list of list of fmpq
        ``(−A_i, b_i)``.
    strict : list of Fact
        Conditions on the inputs with ``<``.
    definitions : list of list of Fact
        ``Z = W h + b`` per layer and unit.
    low, high : list of list of (Fact, slope) pairs
        Per layer and unit the comparisons of H with multiples of Z from below and from above.
    either : list of list of Fact or None
        The disjunctions.
    rows : list of list of str
        The terms of each disjunct's rows.
    disjuncts : list of str
        Each disjunct as one term.
    violation : list of Fact
        The rows of the only disjunct, or the disjunction of several as a single one.

    Raises
    ------
    UnsupportedError
        If the domain is of another kind.
    """

    def __init__(self, network: Network, question: Question) -> None:
        domain = question.domain
        if not isinstance(domain, (Box, Polytope, WholeSpace)):
            raise UnsupportedError(
                f"a {type(domain).__name__} has coordinates of its own; a question is exported on "
                "a box or a polytope"
            )
        self.network, self.question = network, question
        n = network.input_dim
        self.inputs = [f"X_{i}" for i in range(n)]
        self.assertions: list[Fact] = []
        system = domain.system(n)
        self.wall_rows = [
            [*(-v for v in row), b]
            for row, b in zip(system.A.tolist(), system.b.entries(), strict=True)
        ]
        self.walls = [
            self._assert(f"wall{i}", relation("<=", self._on_inputs(row), number(bound)))
            for i, (row, bound) in enumerate(
                zip(system.A.tolist(), system.b.entries(), strict=True)
            )
        ]
        self.strict = [
            self._assert(
                f"open{i}",
                relation("<", linear((a, self.inputs[j]) for j, a in row.terms), number(row.bound)),
            )
            for i, row in enumerate(question.strict)
        ]
        self.definitions: list[list[Fact]] = []
        self.low: list[list[list[tuple[Fact, fmpq]]]] = []
        self.high: list[list[list[tuple[Fact, fmpq]]]] = []
        self.either: list[list[Fact | None]] = []
        for k, layer in enumerate(network.layers):
            self._add_layer(k, layer.weight_exact.tolist(), layer.bias_exact.entries())
        self.rows = [[self._row(row) for row in disjunct] for disjunct in question.disjuncts]
        self.disjuncts = [
            rows[0] if len(rows) == 1 else f"(and {' '.join(rows)})" if rows else "true"
            for rows in self.rows
        ]
        if len(self.rows) == 1:
            self.violation = [self._assert(f"row{r}", t) for r, t in enumerate(self.rows[0])]
        else:
            either = f"(or {' '.join(self.disjuncts)})" if self.disjuncts else "false"
            self.violation = [self._assert("violation", either)]

    def z(self, k: int, i: int) -> str:
        """The pre-activation of unit i of layer k (from 0)."""
        return f"Z_{k + 1}_{i}"

    def h(self, k: int, i: int) -> str:
        """Its output; of "layer −1" an input."""
        return f"H_{k + 1}_{i}" if k >= 0 else self.inputs[i]

    def text(self) -> Iterator[str]:
        """The lines of the problem."""
        yield "(set-logic QF_LRA)"
        for name in self.inputs:
            yield f"(declare-const {name} Real)"
        for k, layer in enumerate(self.network.layers):
            for i in range(layer.units):
                yield f"(declare-const {self.z(k, i)} Real)"
                yield f"(declare-const {self.h(k, i)} Real)"
        for fact in self.assertions:
            yield f"(assert {fact.whole or fact.term})"
        yield "(check-sat)"

    def assumed(self) -> Iterator[str]:
        """The assertions as a proof assumes them, long ones with their names."""
        for fact in self.assertions:
            term = f"(! {fact.whole} :named {fact.term})" if fact.whole else fact.term
            yield f"(assume {fact.name} {term})"

    def _assert(self, name: str, term: str, alias: str = "") -> Fact:
        fact = Fact(name, alias, term) if alias else Fact(name, term)
        self.assertions.append(fact)
        return fact

    def _on_inputs(self, row: Sequence[fmpq]) -> str:
        return linear(zip(row, self.inputs, strict=True))

    def _row(self, row: OutputRow) -> str:
        last = len(self.network.layers) - 1
        left = linear((a, self.h(last, j)) for j, a in row.terms)
        return relation("<" if row.strict else "<=", left, number(row.bound))

    def _add_layer(self, k: int, weight: list[list[fmpq]], bias: list[fmpq]) -> None:
        below = [self.h(k - 1, j) for j in range(len(weight[0]) if weight else 0)]
        definitions, lows, highs, either = [], [], [], []
        for i, (row, b) in enumerate(zip(weight, bias, strict=True)):
            value = linear(zip(row, below, strict=True), b)
            definitions.append(
                self._assert(f"z{k + 1}_{i}", relation("=", self.z(k, i), value), f"$z{k + 1}_{i}")
            )
            neg, pos = self.network.layers[k].slopes_exact[i]
            h, z = self.h(k, i), self.z(k, i)
            terms = [linear([(a, z)]) for a in (neg, pos)]
            low: list[tuple[Fact, fmpq]] = []
            high: list[tuple[Fact, fmpq]] = []
            disjunction = None
            if neg == pos:
                low.append((self._assert(f"l{k + 1}_{i}", relation(">=", h, terms[0])), neg))
                high.append((self._assert(f"u{k + 1}_{i}", relation("<=", h, terms[0])), neg))
            else:
                near, far = (">=", "<=") if neg < pos else ("<=", ">=")
                both = [
                    (self._assert(f"{letter}{k + 1}_{i}", relation(near, h, term)), slope)
                    for letter, term, slope in zip("np", terms, (neg, pos), strict=True)
                ]
                (low if neg < pos else high).extend(both)
                cases = " ".join(relation(far, h, term) for term in terms)
                disjunction = self._assert(f"e{k + 1}_{i}", f"(or {cases})")
            lows.append(low)
            highs.append(high)
            either.append(disjunction)
        self.definitions.append(definitions)
        self.low.append(lows)
        self.high.append(highs)
        self.either.append(either)
