"""What both versions of VNN-LIB share: brackets, terms, formulas, and the cases that come out.

The reader keeps one explicit stack and evaluates every expression when its bracket closes, so
that nesting costs no recursion; sizes are bounded at every step.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal, NoReturn, TypeAlias

from flint import fmpq, fmpq_mat

from polyrank.errors import DomainError
from polyrank.polyhedra.condition import Condition, Relation, compared_to_zero, joined
from polyrank.polyhedra.dnf import Formula, Inequality, conjunction, disjunction
from polyrank.polyhedra.domain import Box, Domain, Polytope
from polyrank.polyhedra.entries import exact_number
from polyrank.polyhedra.linear import Linear, difference, product, quotient, total

__all__ = [
    "Declaration",
    "Index",
    "Reader",
    "Statement",
    "Value",
    "VnnLib",
    "case_domain",
    "shortened",
]

_MOST_TOKENS = 5 * 10**6
_DEEPEST = 10_000  # brackets
_LARGEST_POLYTOPE = 2 * 10**7  # entries of A
_MOST_WORK = 2 * 10**6  # terms and inequalities handled while formulas are multiplied out

MOST_VARIABLES = 10**6
"""Most inputs and outputs together."""


@dataclass(frozen=True, slots=True)
class VnnLib:
    """A VNN-LIB file: the domain of its inputs, and what it says as a whole.

    Attributes
    ----------
    name : str
        The file, for messages.
    version : str
        ``"1.0"`` or ``"2.0"``.
    inputs, outputs : int
        Numbers of X and Y variables.
    cases : tuple of Domain
        The disjuncts; their union is the set of inputs that the file speaks of. A contradictory
        case is kept: building its chart shows the certificate of emptiness. A strict bound is
        closed: regions are sets with interior points, and those are the same.
    output_constraints : int
        Number of inequalities on Y, which are no part of the domain.
    condition : Condition
        All assertions, on inputs and outputs, as they stand: the conjunction that an input with
        its output satisfies or not.
    """

    name: str
    version: str
    inputs: int
    outputs: int
    cases: tuple[Domain, ...]
    output_constraints: int
    condition: Condition

    def case(self, number: int | None = None) -> Domain:
        """One case, counted from 0; without a number the only one.

        Raises
        ------
        DomainError
            If the number is missing and there are several cases, or out of range.
        """
        count = len(self.cases)
        if number is None and count != 1:
            raise DomainError(
                f"the input constraints of {self.name} have {count} cases (an 'or' over the "
                f"inputs); choose one of case 0 to {count - 1}"
            )
        chosen = 0 if number is None else number
        if not 0 <= chosen < count:
            raise DomainError(
                f"{self.name} has no case {chosen}; its cases are numbered 0 to {count - 1}"
            )
        return self.cases[chosen]


@dataclass(frozen=True, slots=True)
class Statement:
    """An evaluated formula: what it says, and the inputs that it leaves."""

    formula: Formula
    condition: Condition


@dataclass(frozen=True, slots=True)
class Index:
    """The numbers in square brackets."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Declaration:
    """A tensor that a network declares."""

    kind: str
    name: str
    shape: tuple[int, ...]


Value: TypeAlias = "str | Linear | Statement | Index | Declaration | None"
"""An atom, an evaluated term or formula, an index, a declaration, or an empty bracket."""


class Reader(ABC):
    """Evaluates the commands of one file, bracket by bracket."""

    version: ClassVar[str]
    token: ClassVar[re.Pattern[str]]
    #: Relations by their name in the file; a strict or negated one that is missing is refused.
    relations: ClassVar[dict[str, tuple[Relation, bool]]]
    operators: ClassVar[tuple[str, ...]]
    #: How many terms one comparison may have.
    most_compared: ClassVar[int] = MOST_VARIABLES

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.at = 0
        self.work = 0
        self.counts = {"X": 0, "Y": 0}
        self.asserted: list[Statement] = []
        self.output_constraints = 0

    @abstractmethod
    def command(self, items: list[Value]) -> None:
        """Execute what stands in an outermost bracket."""

    @abstractmethod
    def variable(self, name: str) -> int | None:
        """The number of a variable (−1 − j for output j), None for another word."""

    @abstractmethod
    def check(self) -> None:
        """Refuse a file whose declarations are not complete."""

    def declaration(self, items: list[Value], parent: list[Value]) -> Value:
        """What a bracket inside another one declares, None if it declares nothing."""
        del items, parent
        return None

    def index(self, numbers: tuple[int, ...], items: list[Value]) -> None:
        """Take an index that follows these items."""
        items.append(Index(numbers))

    def spend(self, work: int) -> None:
        """Pay for work; see :class:`~polyrank.polyhedra.guard.Guard`."""
        self.work += work
        if self.work > _MOST_WORK:
            self.fail(f"the formulas multiply out to more than {_MOST_WORK} terms")

    def fail(self, message: str) -> NoReturn:
        """Refuse the file, naming the line that was read last."""
        line = self.text.count("\n", 0, self.at) + 1
        raise DomainError(f"{self.name}, line {line}: {message}")

    def tokens(self) -> Iterator[str]:
        """The words of the file, without space and comments."""
        count = 0
        for match in self.token.finditer(self.text):
            token = match.group()
            if not token.isspace() and token[0] != ";":
                self.at = match.start()
                count += 1
                if count > _MOST_TOKENS:
                    self.fail(f"the file has more than {_MOST_TOKENS} words")
                yield token

    def run(self) -> VnnLib:
        """Read the whole file."""
        stack: list[list[Value]] = []
        words = self.tokens()
        for token in words:
            if token == "(":  # noqa: S105 (a bracket, not a password)
                if len(stack) == _DEEPEST:
                    self.fail(f"more than {_DEEPEST} brackets are open")
                stack.append([])
            elif not stack:
                self.fail(f"expected '(' but found {shortened(token)}; is this VNN-LIB?")
            elif token == "[" and self.version != "1.0":  # noqa: S105
                self.index(self._numbers(words), stack[-1])
            elif token != ")":  # noqa: S105
                stack[-1].append(token)
            else:
                items = stack.pop()
                if stack:
                    stack[-1].append(self.evaluate(items, stack[-1]))
                else:
                    self.command(items)
        if stack:
            self.fail(f"the file ends with {len(stack)} open brackets; is it truncated?")
        return self.result()

    def _numbers(self, words: Iterator[str]) -> tuple[int, ...]:
        """The whole numbers up to the closing square bracket."""
        found: list[str] = []
        for word in words:
            if word == "]":
                break
            found.append(word)
        else:
            self.fail("the file ends inside an index; is it truncated?")
        numbers = found[::2]
        commas = all(word == "," for word in found[1::2])
        if (
            not commas
            or (found and len(found) % 2 == 0)
            or not all(re.fullmatch(r"\d{1,9}", word, re.ASCII) for word in numbers)
        ):
            self.fail(
                f"expected whole numbers with commas in square brackets, found "
                f"{shortened('[' + ' '.join(found) + ']')}"
            )
        return tuple(map(int, numbers))

    # commands

    def assertion(self, items: list[Value]) -> None:
        """Take the formula of an assertion."""
        if len(items) != 2:
            self.fail(f"assert takes one formula, not {len(items) - 1}")
        self.asserted.append(self.statement(items[1]))

    # expressions

    def evaluate(self, items: list[Value], parent: list[Value]) -> Value:
        """The value of a bracket inside another one."""
        if not items:
            return None
        declared = self.declaration(items, parent)
        if declared is not None:
            return declared
        head, *rest = items
        if isinstance(head, str) and head in self.relations:
            return self.comparison(head, rest)
        if head in {"and", "or"}:
            word: Literal["and", "or"] = "and" if head == "and" else "or"
            return self.junction(word, [self.statement(item) for item in rest])
        if isinstance(head, str) and head in self.operators:
            if not rest:
                self.fail(f"'{head}' without an operand")
            operation = {"+": total, "-": difference, "*": product, "/": quotient}[head]
            return operation([self.term(item) for item in rest], self)
        return self.unsupported(head)

    def unsupported(self, head: Value) -> NoReturn:
        """Refuse an operator."""
        known = ("and", "or", *self.relations, *self.operators)
        self.fail(
            f"unsupported operator {shortened(head)}; expected {', '.join(known[:-1])} or "
            f"{known[-1]}{self.hint(head)}"
        )

    def hint(self, head: Value) -> str:
        """More about an operator that is not supported."""
        del head
        return ""

    def statement(self, value: Value) -> Statement:
        """A value that must be a formula."""
        if not isinstance(value, Statement):
            self.fail(f"expected a formula such as (<= X_0 1), found {shortened(value)}")
        return value

    def term(self, value: Value) -> Linear:
        """A value that must be an affine function."""
        if isinstance(value, Linear):
            return value
        if not isinstance(value, str):
            self.fail(f"expected a number or a variable, found {shortened(value)}")
        number = self.variable(value)
        if number is not None:
            return Linear({number: fmpq(1)}, fmpq(0))
        if not (value[0].isdigit() or value[0] in "+-."):
            self.fail(f"unknown name {shortened(value)}; expected a number or a variable")
        try:
            return Linear({}, exact_number(value, "a number"))
        except DomainError as error:
            self.fail(str(error))

    def comparison(self, head: str, rest: list[Value]) -> Statement:
        """Consecutive terms compared."""
        if not 2 <= len(rest) <= self.most_compared:
            self.fail(f"'{head}' compares two terms, not {len(rest)}")
        relation, swapped = self.relations[head]
        parts = []
        for left, right in pairwise([self.term(item) for item in rest]):
            small, large = (right, left) if swapped else (left, right)
            parts.append(self.compared(difference([small, large], self), relation))
        return self.junction("and", parts)

    def junction(self, word: Literal["and", "or"], parts: Sequence[Statement]) -> Statement:
        """Statements joined by and, or."""
        join = conjunction if word == "and" else disjunction
        formula = join([p.formula for p in parts], self)
        return Statement(formula, joined(word, [p.condition for p in parts]))

    def compared(self, function: Linear, relation: Relation) -> Statement:
        """``function relation 0``; constraints on Y alone put no condition on X."""
        on_inputs = any(i >= 0 for i in function.terms)
        on_outputs = any(i < 0 for i in function.terms)
        whole = Formula(((),))
        condition = compared_to_zero(function, relation)
        if on_inputs and on_outputs:
            self.fail(
                "this inequality mixes inputs X and outputs Y; a domain is a condition on the "
                "inputs alone"
            )
        if on_outputs:
            self.output_constraints += 2 if relation == "=" else 1
            return Statement(whole, condition)
        if not on_inputs:
            c = function.constant
            holds = {"<=": c <= 0, "<": c < 0, "=": c == 0, "!=": c != 0}[relation]
            return Statement(whole if holds else Formula(()), condition)
        if relation == "!=":
            self.fail("!= on inputs leaves a hyperplane out, which no domain can; use <= or >=")
        terms = tuple(sorted(function.terms.items()))
        row = Inequality(terms, -function.constant, relation == "<")
        if relation != "=":
            return Statement(Formula(((row,),)), condition)
        opposite = Inequality(tuple((i, -a) for i, a in terms), function.constant)
        self.spend(len(terms))
        return Statement(Formula(((row, opposite),)), condition)

    # the result

    def result(self) -> VnnLib:
        """The cases that all assertions leave."""
        self.at = len(self.text)
        self.check()
        n = self.counts["X"]
        everything = self.junction("and", self.asserted)
        formula = everything.formula
        if not formula.cases:
            self.fail("the constraints on the inputs contradict each other: no case remains")
        if sum(len(case) for case in formula.cases) * n > _LARGEST_POLYTOPE and any(
            _as_box(case, n) is None for case in formula.cases
        ):
            self.fail(f"the polytopes have more than {_LARGEST_POLYTOPE} coefficients")
        for case in formula.cases:
            self._check_strict(case)
        return VnnLib(
            self.name,
            self.version,
            n,
            self.counts["Y"],
            tuple(case_domain(case, n) for case in formula.cases),
            self.output_constraints,
            everything.condition,
        )

    def _check_strict(self, case: tuple[Inequality, ...]) -> None:
        """Strict inequalities may be closed where that adds points to a set with interior only."""
        if not any(row.strict for row in case):
            return
        if any(len(row.terms) != 1 for row in case):
            self.fail(
                "a strict inequality beside conditions on several inputs is not read, since the "
                "closed set may be another one; use <= or >="
            )
        lower, upper = _bounds(case)
        for row in case:
            i = row.terms[0][0]
            if row.strict and i in lower and lower[i] == upper.get(i):
                self.fail(f"a strict bound leaves no value of input {i} but {lower[i]}, or none")


def shortened(value: Value) -> str:
    """A value in a message."""
    if value is None:
        return "()"
    if isinstance(value, Index):
        return f"[{', '.join(map(str, value.numbers))}]"
    if isinstance(value, Declaration):
        return f"the declaration of {value.name}"
    if not isinstance(value, str):
        return "a term" if isinstance(value, Linear) else "a formula"
    return repr(value) if len(value) <= 40 else repr(value[:40]) + "…"


def _bounds(case: tuple[Inequality, ...]) -> tuple[dict[int, fmpq], dict[int, fmpq]]:
    """The tightest bounds among inequalities in one variable each."""
    lower: dict[int, fmpq] = {}
    upper: dict[int, fmpq] = {}
    for inequality in case:
        ((i, a),) = inequality.terms
        bound = inequality.bound / a
        if a > 0:
            upper[i] = min(upper.get(i, bound), bound)
        else:
            lower[i] = max(lower.get(i, bound), bound)
    return lower, upper


def case_domain(case: tuple[Inequality, ...], n: int) -> Domain:
    """The closed set of a conjunction in R^n: a box where every input has both bounds."""
    return _as_box(case, n) or _as_polytope(case, n)


def _as_box(case: tuple[Inequality, ...], n: int) -> Box | None:
    """The box of the tightest bounds, if each input has both and they agree."""
    if any(len(inequality.terms) != 1 for inequality in case):
        return None
    lower, upper = _bounds(case)
    if len(lower) != n or len(upper) != n or any(lower[i] > upper[i] for i in lower):
        return None
    return Box([lower[i] for i in range(n)], [upper[i] for i in range(n)])


def _as_polytope(case: tuple[Inequality, ...], n: int) -> Polytope:
    A = fmpq_mat(len(case), n)
    for row, inequality in enumerate(case):
        for i, a in inequality.terms:
            A[row, i] = a
    return Polytope(A, [inequality.bound for inequality in case])
