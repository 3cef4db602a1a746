"""A verification property as questions: has an input of a domain its outputs in a polyhedron.

A property states a *violation*: a condition on inputs and outputs that no input may satisfy. In
disjunctive normal form it is a union of cases, each a polyhedron of inputs and one of outputs.
Cases with the same inputs make one :class:`Question`: a domain, and the *disjuncts*, polyhedra of
outputs. The property holds iff the answer to every question is no.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flint import fmpq

from polyrank.errors import DomainError, NetworkError
from polyrank.network.forward import forward_exact
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_text
from polyrank.polyhedra.condition import Comparison, Condition, Junction
from polyrank.polyhedra.dnf import Inequality
from polyrank.polyhedra.domain import Domain, domain_from_dict
from polyrank.polyhedra.inputs import in_domain, intersection
from polyrank.polyhedra.vnnlib_reader import VnnLib, case_domain

__all__ = [
    "OutputRow",
    "Question",
    "Specification",
    "admissible",
    "satisfied",
    "specification_from_dict",
    "specification_of",
    "violates",
    "violation_of",
    "within",
]

_MOST_CASES = 10_000
_MOST_COMPARISONS = 2_000_000


@dataclass(frozen=True, slots=True)
class OutputRow:
    """``Σ a_j y_j ≤ bound``, or ``<`` where strict, over the pairs (j, a_j) in ``terms``.

    Raises
    ------
    ValueError
        If an output is named twice.
    """

    terms: tuple[tuple[int, fmpq], ...]
    bound: fmpq
    strict: bool = False

    def __post_init__(self) -> None:
        if len({j for j, _ in self.terms}) < len(self.terms):
            raise ValueError("a condition names an output twice")


@dataclass(frozen=True, slots=True)
class Question:
    """Whether an input of the domain has outputs in one of the disjuncts.

    Attributes
    ----------
    domain : Domain
        Closed, also where the property states a strict bound.
    disjuncts : tuple of tuple of OutputRow
        Conjunctions. An empty one is satisfied by every input.
    strict : tuple of Inequality
        Conditions on the inputs that the property states with ``<``.
    """

    domain: Domain
    disjuncts: tuple[tuple[OutputRow, ...], ...]
    strict: tuple[Inequality, ...] = ()


@dataclass(frozen=True, slots=True)
class Specification:
    """A property: what would violate it, whole and as questions.

    Attributes
    ----------
    name : str
    inputs, outputs : int
        0 outputs: any number.
    violation : Condition
        What an input that violates the property satisfies with its outputs.
    questions : tuple of Question
        No question at all: nothing can violate the property.
    """

    name: str
    inputs: int
    outputs: int
    violation: Condition
    questions: tuple[Question, ...]

    def describe(self) -> dict[str, Any]:
        """A JSON-serialisable dict, from which :func:`specification_from_dict` rebuilds it."""
        return {
            "name": self.name,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "questions": [
                {
                    "domain": question.domain.describe(),
                    "disjuncts": [
                        [_row_dict(row) for row in disjunct] for disjunct in question.disjuncts
                    ],
                    "strict": [_row_dict(row) for row in question.strict],
                }
                for question in self.questions
            ],
        }

    def check_shape(self, network: Network) -> None:
        """Refuse a network of another shape.

        Raises
        ------
        NetworkError
        """
        n, m = network.input_dim, network.widths[-1]
        if self.inputs != n or (self.outputs and self.outputs != m):
            raise NetworkError(
                f"{self.name} speaks of {self.inputs} inputs and {self.outputs} outputs, but "
                f"{network.name!r} has {n} and {m}"
            )


def violation_of(property_: VnnLib) -> Specification:
    """The questions of a VNN-LIB property.

    Raises
    ------
    DomainError
        If the property multiplies out to too many cases.
    """
    cases = _cases(property_.condition, property_.name)
    grouped: dict[tuple[Inequality, ...], list[tuple[OutputRow, ...]]] = {}
    for case in cases:
        inputs = tuple(_input_rows(case))
        outputs = tuple(_output_rows(case))
        disjuncts = grouped.setdefault(inputs, [])
        if outputs not in disjuncts:
            disjuncts.append(outputs)
    n = property_.inputs
    questions = [
        Question(case_domain(rows, n), tuple(disjuncts), tuple(row for row in rows if row.strict))
        for rows, disjuncts in grouped.items()
    ]
    return Specification(
        property_.name, n, property_.outputs, property_.condition, tuple(questions)
    )


def specification_from_dict(description: Mapping[str, Any]) -> Specification:
    """The property of :meth:`Specification.describe`.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the description is not one of a property.
    """
    n, m = int(description["inputs"]), int(description["outputs"])
    questions = []
    for entry in description["questions"]:
        disjuncts = tuple(
            tuple(OutputRow(*_row_from_dict(row)) for row in disjunct)
            for disjunct in entry["disjuncts"]
        )
        strict = tuple(Inequality(*_row_from_dict(row)) for row in entry.get("strict", ()))
        if not all(row.strict for row in strict):
            raise ValueError("a condition on inputs is stated as strict that is not")
        outputs = [j for disjunct in disjuncts for row in disjunct for j, _ in row.terms]
        inputs = [j for row in strict for j, _ in row.terms]
        if any(j < 0 or (m and j >= m) for j in outputs) or not all(0 <= j < n for j in inputs):
            raise ValueError("a condition is about an input or output that does not exist")
        questions.append(Question(domain_from_dict(entry["domain"]), disjuncts, strict))
    return specification_of(str(description["name"]), n, m, tuple(questions))


def _row_dict(row: OutputRow | Inequality) -> dict[str, Any]:
    return {
        "terms": [[j, str(a)] for j, a in row.terms],
        "bound": str(row.bound),
        "strict": row.strict,
    }


def _row_from_dict(
    entry: Mapping[str, Any],
) -> tuple[tuple[tuple[int, fmpq], ...], fmpq, bool]:
    terms = tuple((int(j), fmpq_from_text(a)) for j, a in entry["terms"])
    return terms, fmpq_from_text(entry["bound"]), bool(entry["strict"])


def specification_of(
    name: str, inputs: int, outputs: int, questions: tuple[Question, ...]
) -> Specification:
    """The property that is violated where one of the questions has an answer."""
    parts = []
    for question in questions:
        any_of = tuple(
            Junction("and", tuple(_comparison(row) for row in disjunct))
            for disjunct in question.disjuncts
        )
        inside = in_domain(question.domain, inputs)
        open_at = tuple(Comparison(row.terms, (), "<", row.bound) for row in question.strict)
        parts.append(Junction("and", (inside, *open_at, Junction("or", any_of))))
    return Specification(name, inputs, outputs, Junction("or", tuple(parts)), questions)


def _comparison(row: OutputRow) -> Comparison:
    return Comparison((), row.terms, "<" if row.strict else "<=", row.bound)


def within(specification: Specification, domain: Domain) -> Specification:
    """The property on the part of its domain that lies in another domain.

    Raises
    ------
    DomainError
        If the domain has another dimension than the property.
    """
    n = specification.inputs
    questions = tuple(
        replace(question, domain=intersection(question.domain, domain, n))
        for question in specification.questions
    )
    violation: Condition = Junction("and", (in_domain(domain, n), specification.violation))
    return replace(specification, violation=violation, questions=questions)


def satisfied(condition: Condition, x: Sequence[fmpq], y: Sequence[fmpq]) -> bool:
    """Whether an input with its outputs satisfies a condition, exactly.

    Examples
    --------
    >>> at_most = Comparison(((0, fmpq(1)),), (), "<=", fmpq(1, 2))
    >>> satisfied(at_most, [fmpq(1, 2)], []), satisfied(at_most, [fmpq(1)], [])
    (True, False)
    """
    if isinstance(condition, Junction):
        parts = (satisfied(part, x, y) for part in condition.parts)
        return all(parts) if condition.word == "and" else any(parts)
    value = sum((a * x[i] for i, a in condition.inputs), -condition.bound)
    value += sum((a * y[j] for j, a in condition.outputs), fmpq(0))
    match condition.relation:
        case "<=":
            return bool(value <= 0)
        case "<":
            return bool(value < 0)
        case "=":
            return bool(value == 0)
        case "!=":
            return bool(value != 0)


def admissible(condition: Condition, x: Sequence[fmpq]) -> bool:
    """Whether some outputs could satisfy a condition together with an input, exactly.

    Comparisons of outputs are taken to be satisfiable, each by itself.
    """
    if isinstance(condition, Junction):
        parts = (admissible(part, x) for part in condition.parts)
        return all(parts) if condition.word == "and" else any(parts)
    return bool(condition.outputs) or satisfied(condition, x, ())


def violates(network: Network, specification: Specification, x: Sequence[fmpq]) -> bool:
    """Whether an input violates the property, by the exact forward pass."""
    return satisfied(specification.violation, x, forward_exact(network, x))


def _cases(condition: Condition, name: str) -> list[tuple[Comparison, ...]]:
    """Disjunctive normal form; comparisons with ``<=`` and ``<`` only."""
    if isinstance(condition, Comparison):
        return [(part,) if isinstance(part, Comparison) else part for part in _plain(condition)]
    parts = [_cases(part, name) for part in condition.parts]
    if condition.word == "or":
        listed = [case for part in parts for case in part]
        _check_size(len(listed), sum(map(len, listed)), name)
        return list(dict.fromkeys(listed))
    single = tuple(c for part in parts if len(part) == 1 for c in part[0])
    cases = [single]
    for part in parts:
        if len(part) == 1:
            continue
        count = len(cases) * len(part)
        longest = max(map(len, cases), default=0) + max(map(len, part), default=0)
        _check_size(count, count * longest, name)
        cases = [left + right for left in cases for right in part]
    return [tuple(dict.fromkeys(case)) for case in cases]


def _plain(comparison: Comparison) -> list[Comparison | tuple[Comparison, ...]]:
    """A comparison as cases of ``<=`` and ``<``."""
    inputs, outputs, bound = comparison.inputs, comparison.outputs, comparison.bound
    if not inputs and not outputs:
        true = {
            "<=": bound >= 0, "<": bound > 0, "=": bound == 0, "!=": bound != 0,
        }[comparison.relation]  # fmt: skip
        return [()] if true else []
    minus = (
        tuple((i, -a) for i, a in inputs),
        tuple((j, -a) for j, a in outputs),
    )
    match comparison.relation:
        case "=":
            return [
                (
                    Comparison(inputs, outputs, "<=", bound),
                    Comparison(*minus, "<=", -bound),
                )
            ]
        case "!=":
            return [Comparison(inputs, outputs, "<", bound), Comparison(*minus, "<", -bound)]
        case _:
            return [comparison]


def _check_size(cases: int, comparisons: int, name: str) -> None:
    if cases > _MOST_CASES or comparisons > _MOST_COMPARISONS:
        raise DomainError(
            f"{name} multiplies out to {cases} cases with {comparisons} comparisons; at most "
            f"{_MOST_CASES} and {_MOST_COMPARISONS} are verified"
        )


def _input_rows(case: Iterable[Comparison]) -> Iterable[Inequality]:
    for part in case:
        if not part.outputs:
            yield Inequality(part.inputs, part.bound, part.relation == "<")


def _output_rows(case: Iterable[Comparison]) -> Iterable[OutputRow]:
    for part in case:
        if part.outputs:
            yield OutputRow(part.outputs, part.bound, part.relation == "<")
