"""VNN-LIB 1.0: the input constraints of a verification property as exact domains.

A file declares inputs ``X_i`` and outputs ``Y_j`` and asserts formulas over linear inequalities.
The constraints on X are brought to disjunctive normal form; each disjunct is a *case*, a box where
every input has both bounds and a polytope elsewhere. Constraints on Y belong to the property, not
to the domain: they are left out and counted. Decimals are read exactly.

The reader keeps one explicit stack and evaluates every expression when its bracket closes, so
that nesting costs no recursion; sizes are bounded at every step.

Source: D. Guidotti, S. Demarchi, A. Tacchella, L. Pulina, "The Verification of Neural Networks
Library (VNN-LIB)", standard 1.0 (2019-2023), a fragment of SMT-LIB 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NoReturn, TypeAlias

from flint import fmpq, fmpq_mat

from polyrank.errors import DomainError
from polyrank.polyhedra.dnf import Formula, Inequality, conjunction, disjunction
from polyrank.polyhedra.domain import Box, Domain, Polytope
from polyrank.polyhedra.entries import exact_number
from polyrank.polyhedra.linear import Linear, difference, product, quotient, total

__all__ = ["VnnLib", "parse_vnnlib", "read_vnnlib", "vnnlib_domain"]

_LARGEST_FILE = 32 * 2**20  # bytes
_MOST_TOKENS = 5 * 10**6
_DEEPEST = 10_000  # brackets
_LARGEST_POLYTOPE = 2 * 10**7  # entries of A
_MOST_VARIABLES = 10**6
_MOST_WORK = 2 * 10**6  # terms and inequalities handled while formulas are multiplied out

_TOKEN = re.compile(r"\s+|;[^\n]*|[()]|[^\s();]+")
_VARIABLE = re.compile(r"([XY])_(0|[1-9]\d{0,8})", re.ASCII)
_WITHOUT_MEANING = {"set-logic", "set-info", "set-option", "check-sat", "get-model", "exit"}


@dataclass(frozen=True, slots=True)
class VnnLib:
    """The input constraints of a VNN-LIB file.

    Attributes
    ----------
    name : str
        The file, for messages.
    inputs, outputs : int
        Numbers of X and Y variables.
    cases : tuple of Domain
        The disjuncts; their union is the set of inputs that the file speaks of. A contradictory
        case is kept: building its chart shows the certificate of emptiness.
    output_constraints : int
        Number of inequalities on Y, which were left out.
    """

    name: str
    inputs: int
    outputs: int
    cases: tuple[Domain, ...]
    output_constraints: int

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


def read_vnnlib(path: str | Path) -> VnnLib:
    """Read the input constraints of a ``.vnnlib`` file.

    Raises
    ------
    DomainError
        In one sentence, if the file cannot be read or is not VNN-LIB 1.0.
    """
    file = Path(path)
    try:
        size = file.stat().st_size
        if size > _LARGEST_FILE:
            raise DomainError(
                f"{file.name} has {size} bytes; a VNN-LIB file may have {_LARGEST_FILE}"
            )
        text = file.read_bytes().decode("utf-8")
    except OSError as error:
        raise DomainError(f"cannot read {file}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise DomainError(
            f"{file.name} is not VNN-LIB text: byte {error.start} is not UTF-8"
        ) from None
    return parse_vnnlib(text, file.name)


def vnnlib_domain(path: str | Path, case: int | None = None) -> Domain:
    """The domain of a ``.vnnlib`` file, or that of its case number ``case`` (from 0).

    Raises
    ------
    DomainError
        As :func:`read_vnnlib` and :meth:`VnnLib.case`.
    """
    return read_vnnlib(path).case(case)


def parse_vnnlib(text: str, name: str = "the VNN-LIB text") -> VnnLib:
    """Read input constraints from the text of a VNN-LIB file.

    Raises
    ------
    DomainError
        In one sentence that names the line.

    Examples
    --------
    >>> found = parse_vnnlib('''(declare-const X_0 Real)
    ... (assert (and (>= X_0 -0.1) (<= X_0 1)))''')
    >>> found.case().describe()
    {'kind': 'box', 'lower': ['-1/10'], 'upper': ['1']}
    """
    return _Reader(text, name).run()


Value: TypeAlias = "str | Linear | Formula | None"
"""An atom, an evaluated term, an evaluated formula, or an empty bracket."""


class _Reader:
    """Evaluates the commands of one file, bracket by bracket."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.at = 0
        self.work = 0
        self.declared: dict[str, int] = {}
        self.counts = {"X": 0, "Y": 0}
        self.asserted: list[Formula] = []
        self.output_constraints = 0

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
        count = 0
        for match in _TOKEN.finditer(self.text):
            token = match.group()
            if not token.isspace() and token[0] != ";":
                self.at = match.start()
                count += 1
                if count > _MOST_TOKENS:
                    self.fail(f"the file has more than {_MOST_TOKENS} words")
                yield token

    def run(self) -> VnnLib:
        stack: list[list[Value]] = []
        for token in self.tokens():
            if token == "(":  # noqa: S105 (a bracket, not a password)
                if len(stack) == _DEEPEST:
                    self.fail(f"more than {_DEEPEST} brackets are open")
                stack.append([])
            elif not stack:
                self.fail(f"expected '(' but found {_shortened(token)}; is this VNN-LIB?")
            elif token != ")":  # noqa: S105
                stack[-1].append(token)
            else:
                items = stack.pop()
                if stack:
                    stack[-1].append(self.evaluate(items))
                else:
                    self.command(items)
        if stack:
            self.fail(f"the file ends with {len(stack)} open brackets; is it truncated?")
        return self.result()

    # commands

    def command(self, items: list[Value]) -> None:
        head = items[0] if items else None
        if head in {"declare-const", "declare-fun"}:
            self.declare(items)
        elif head == "assert" and len(items) == 2:
            self.asserted.append(self.formula(items[1]))
        elif head == "assert":
            self.fail(f"assert takes one formula, not {len(items) - 1}")
        elif head not in _WITHOUT_MEANING:
            self.fail(
                f"unknown command {_shortened(head)}; expected declare-const or assert "
                "(VNN-LIB 1.0)"
            )

    def declare(self, items: list[Value]) -> None:
        name = items[1] if len(items) > 1 else None
        if items[2:] not in (["Real"], [None, "Real"]):
            self.fail(f"{_shortened(name)} must be declared as a Real constant")
        match = _VARIABLE.fullmatch(name) if isinstance(name, str) else None
        if match is None or not isinstance(name, str):
            self.fail(f"variables are called X_0, X_1, ... and Y_0, ..., not {_shortened(name)}")
        if name in self.declared:
            self.fail(f"{name} is declared twice")
        if len(self.declared) == _MOST_VARIABLES:
            self.fail(f"more than {_MOST_VARIABLES} variables are declared")
        index = int(match[2])
        self.declared[name] = index if match[1] == "X" else -1 - index
        self.counts[match[1]] += 1

    # expressions

    def evaluate(self, items: list[Value]) -> Value:
        if not items:
            return None
        head, *rest = items
        if head in {"<=", ">=", "="}:
            return self.comparison(head, rest)
        if head in {"and", "or"}:
            join = conjunction if head == "and" else disjunction
            return join([self.formula(item) for item in rest], self)
        if head in {"+", "-", "*", "/"}:
            if not rest:
                self.fail(f"'{head}' without an operand")
            operation = {"+": total, "-": difference, "*": product, "/": quotient}[head]
            return operation([self.term(item) for item in rest], self)
        return self.unsupported(head)

    def unsupported(self, head: Value) -> NoReturn:
        hint = "; strict inequalities are not part of VNN-LIB 1.0" if head in {"<", ">"} else ""
        self.fail(
            f"unsupported operator {_shortened(head)}; expected and, or, <=, >=, =, +, -, * or /"
            + hint
        )

    def formula(self, value: Value) -> Formula:
        if not isinstance(value, Formula):
            self.fail(f"expected a formula such as (<= X_0 1), found {_shortened(value)}")
        return value

    def term(self, value: Value) -> Linear:
        if isinstance(value, Linear):
            return value
        if not isinstance(value, str):
            self.fail(f"expected a number or a variable, found {_shortened(value)}")
        if value in self.declared:
            return Linear({self.declared[value]: fmpq(1)}, fmpq(0))
        if _VARIABLE.fullmatch(value):
            self.fail(f"{value} is not declared")
        if not (value[0].isdigit() or value[0] in "+-."):
            self.fail(f"unknown name {_shortened(value)}; expected a number, X_i or Y_j")
        try:
            return Linear({}, exact_number(value, "a number"))
        except DomainError as error:
            self.fail(str(error))

    def comparison(self, head: str, rest: list[Value]) -> Formula:
        if len(rest) < 2:
            self.fail(f"'{head}' compares two terms, not {len(rest)}")
        terms = [self.term(item) for item in rest]
        parts: list[Formula] = []
        for left, right in pairwise(terms):
            small, large = (right, left) if head == ">=" else (left, right)
            parts.append(self.at_most_zero(difference([small, large], self)))
            if head == "=":
                parts.append(self.at_most_zero(difference([large, small], self)))
        return conjunction(parts, self)

    def at_most_zero(self, function: Linear) -> Formula:
        """The formula ``function ≤ 0``; constraints on Y alone put no condition on X."""
        on_inputs = any(i >= 0 for i in function.terms)
        on_outputs = any(i < 0 for i in function.terms)
        if on_inputs and on_outputs:
            self.fail(
                "this inequality mixes inputs X and outputs Y; a domain is a condition on the "
                "inputs alone"
            )
        if on_outputs:
            self.output_constraints += 1
            return Formula(((),))
        if not on_inputs:
            return Formula(((),)) if function.constant <= 0 else Formula(())
        terms = tuple(sorted(function.terms.items()))
        return Formula(((Inequality(terms, -function.constant),),))

    # the result

    def result(self) -> VnnLib:
        self.at = len(self.text)
        for kind, count in self.counts.items():
            missing = next((i for i in range(count) if f"{kind}_{i}" not in self.declared), None)
            if missing is not None:
                self.fail(f"{kind}_{missing} is not declared, but later {kind} variables are")
        n = self.counts["X"]
        if n == 0:
            self.fail("no input X_0 is declared; is this VNN-LIB?")
        formula = conjunction(self.asserted, self)
        if not formula.cases:
            self.fail("the constraints on the inputs contradict each other: no case remains")
        if sum(len(case) for case in formula.cases) * n > _LARGEST_POLYTOPE and any(
            _as_box(case, n) is None for case in formula.cases
        ):
            self.fail(f"the polytopes have more than {_LARGEST_POLYTOPE} coefficients")
        cases = tuple(_as_box(case, n) or _as_polytope(case, n) for case in formula.cases)
        return VnnLib(self.name, n, self.counts["Y"], cases, self.output_constraints)


def _shortened(value: Value) -> str:
    if value is None:
        return "()"
    if not isinstance(value, str):
        return "a term" if isinstance(value, Linear) else "a formula"
    return repr(value) if len(value) <= 40 else repr(value[:40]) + "…"


def _as_box(case: tuple[Inequality, ...], n: int) -> Box | None:
    """The box of the tightest bounds, if each input has both and they agree."""
    lower: dict[int, fmpq] = {}
    upper: dict[int, fmpq] = {}
    for inequality in case:
        if len(inequality.terms) != 1:
            return None
        ((i, a),) = inequality.terms
        bound = inequality.bound / a
        if a > 0:
            upper[i] = min(upper.get(i, bound), bound)
        else:
            lower[i] = max(lower.get(i, bound), bound)
    if len(lower) != n or len(upper) != n or any(lower[i] > upper[i] for i in lower):
        return None
    return Box([lower[i] for i in range(n)], [upper[i] for i in range(n)])


def _as_polytope(case: tuple[Inequality, ...], n: int) -> Polytope:
    A = fmpq_mat(len(case), n)
    for row, inequality in enumerate(case):
        for i, a in inequality.terms:
            A[row, i] = a
    return Polytope(A, [inequality.bound for inequality in case])
