"""A strict reader of Alethe proofs and of their SMT-LIB problems; nothing of polyrank is used.

By the Alethe specification: terms are compared as trees, numbers are rationals. A rule that is not
known, a premise that is not there, an assumption that is no assertion: all are errors. Resolution
is done premise by premise, each on exactly one pivot.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

Term = Any

_TOKEN = re.compile(r"[()]|[^\s()]+")


class NotProvedError(Exception):
    """The file proves nothing."""


def parsed(text: str) -> list[Term]:
    """All brackets of a file, as nested tuples of words."""
    stack: list[list[Term]] = [[]]
    for token in _TOKEN.findall(text):
        if token == "(":
            stack.append([])
        elif token == ")":
            if len(stack) == 1:
                raise NotProvedError("a bracket is closed that was not opened")
            done = tuple(stack.pop())
            stack[-1].append(done)
        else:
            stack[-1].append(token)
    if len(stack) != 1:
        raise NotProvedError("a bracket is not closed")
    return stack[0]


def spelled(commands: list[Term]) -> Iterator[Term]:
    """Commands in which every name that ``(! term :named name)`` gives stands for its term."""
    names: dict[str, Term] = {}

    def spelled_out(term: Term) -> Term:
        match term:
            case ("!", inner, ":named", str(name)):
                if name in names:
                    raise NotProvedError(f"{name} is named twice")
                names[name] = spelled_out(inner)
                return names[name]
            case tuple():
                return tuple(map(spelled_out, term))
        return names.get(term, term)

    return map(spelled_out, commands)


def value(term: Term) -> Fraction | None:
    """The number that a term is."""
    match term:
        case str() if re.fullmatch(r"\d+\.\d+", term):
            return Fraction(term)
        case ("-", inner):
            found = value(inner)
            return None if found is None else -found
        case ("/", above, below):
            p, q = value(above), value(below)
            return None if p is None or q is None or q == 0 else p / q
    return None


def linear(term: Term, variables: frozenset[str]) -> dict[str, Fraction]:
    """Coefficients by variable; of the constant under the empty name."""
    number = value(term)
    if number is not None:
        return {"": number}
    match term:
        case str() if term in variables:
            return {term: Fraction(1)}
        case ("+", *parts):
            total: dict[str, Fraction] = {}
            for part in parts:
                for name, v in linear(part, variables).items():
                    total[name] = total.get(name, Fraction(0)) + v
            return total
        case ("*", factor, inner):
            a = value(factor)
            if a is not None:
                return {name: a * v for name, v in linear(inner, variables).items()}
    raise NotProvedError(f"no linear term: {term!r}")


_NEGATED = {"<=": ">", "<": ">=", ">=": "<", ">": "<="}


def _asserted(literal: Term, variables: frozenset[str]) -> tuple[str, dict[str, Fraction]]:
    """The negation of a literal as (relation, function): function = 0, >= 0 or > 0."""
    match literal:
        case ("not", (("<=" | "<" | ">=" | ">" | "=") as relation, left, right)):
            pass
        case (("<=" | "<" | ">=" | ">") as turned, left, right):
            relation = _NEGATED[turned]
        case _:
            raise NotProvedError(f"no comparison: {literal!r}")
    if relation in ("<=", "<"):
        left, right, relation = right, left, {"<=": ">=", "<": ">"}[relation]
    total = linear(left, variables)
    for name, v in linear(right, variables).items():
        total[name] = total.get(name, Fraction(0)) - v
    return relation, total


def la_generic(clause: tuple[Term, ...], args: tuple[Term, ...], variables: frozenset[str]) -> None:
    """The negations of the literals, times their factors, add up to a contradiction."""
    if len(clause) != len(args) or not clause:
        raise NotProvedError("la_generic has a factor for every literal")
    total: dict[str, Fraction] = {}
    strict = inequality = False
    for literal, arg in zip(clause, args, strict=True):
        factor = value(arg)
        if factor is None:
            raise NotProvedError(f"no number: {arg!r}")
        relation, function = _asserted(literal, variables)
        if relation != "=":
            if factor < 0:
                raise NotProvedError("an inequality has a negative factor")
            inequality = True
            strict = strict or (relation == ">" and factor > 0)
        for name, v in function.items():
            total[name] = total.get(name, Fraction(0)) + factor * v
    constant = total.pop("", Fraction(0))
    if any(total.values()):
        raise NotProvedError("the variables do not cancel")
    wrong = constant < 0 or (constant == 0 and strict) or (not inequality and constant != 0)
    if not wrong:
        raise NotProvedError("the sum is no contradiction")


def _opposite(literal: Term) -> Term:
    match literal:
        case ("not", inner):
            return inner
    return ("not", literal)


def resolved(premises: list[tuple[Term, ...]]) -> set[Term]:
    """Premise by premise, each on exactly one pivot."""
    have = set(premises[0])
    for other in premises[1:]:
        there = set(other)
        pivots = [v for v in there if _opposite(v) in have]
        if len(pivots) != 1:
            raise NotProvedError(f"{len(pivots)} pivots instead of one")
        have.discard(_opposite(pivots[0]))
        there.discard(pivots[0])
        have |= there
    return have


def attributes(words: tuple[Term, ...]) -> dict[str, Term]:
    if len(words) % 2:
        raise NotProvedError("an attribute has no value")
    return dict(zip(words[::2], words[1::2], strict=True))


class Checker:
    """Checks a proof against a problem; ``steps`` counts them by rule."""

    def __init__(self, problem: str) -> None:
        self.assertions: list[Term] = []
        names = []
        ended = False
        for command in parsed(problem):
            match command:
                case ("set-logic", "QF_LRA"):
                    pass
                case ("declare-const", str(name), "Real"):
                    names.append(name)
                case ("assert", term):
                    self.assertions.append(term)
                case ("check-sat",):
                    ended = True
                case _:
                    raise NotProvedError(f"no command: {command!r}")
        if not ended or len(set(names)) != len(names):
            raise NotProvedError("the problem is not complete")
        self.variables = frozenset(names)
        self.steps: dict[str, int] = {}

    def check(self, proof: str) -> None:
        """Accept a proof of the empty clause without assumptions.

        Raises
        ------
        NotProvedError
        """
        known: dict[str, tuple[Term, ...]] = {}
        commands = spelled(parsed(proof))
        last: tuple[Term, ...] | None = None
        for command in commands:
            match command:
                case ("assume", str(name), term):
                    if term not in self.assertions:
                        raise NotProvedError(f"{name} is no assertion of the problem")
                    last = (term,)
                case ("anchor", ":step", str(name)):
                    last = self._subproof(name, commands, known)
                case ("step", str(name), ("cl", *clause), *words):
                    last = self._step(tuple(clause), attributes(tuple(words)), known)
                case _:
                    raise NotProvedError(f"no command: {command!r:.80}")
            if name in known:
                raise NotProvedError(f"{name} is there twice")
            known[name] = last
        if last != ():
            raise NotProvedError("the last step is not the empty clause")

    def _subproof(
        self, name: str, commands: Iterator[Term], outer: dict[str, tuple[Term, ...]]
    ) -> tuple[Term, ...]:
        known, assumed = dict(outer), {}
        last: tuple[Term, ...] | None = None
        for command in commands:
            match command:
                case ("assume", str(inner), term):
                    known[inner], assumed[inner] = (term,), term
                case ("step", str(inner), ("cl", *clause), *words) if inner == name:
                    given = attributes(tuple(words))
                    if given.pop(":rule") != "subproof":
                        raise NotProvedError("a subproof does not end as one")
                    names = given.pop(":discharge")
                    if given or set(names) != set(assumed) or last != ():
                        raise NotProvedError("a subproof discharges something else")
                    if tuple(clause) != (*(("not", assumed[v]) for v in names), "false"):
                        raise NotProvedError("a subproof concludes something else")
                    self.steps["subproof"] = self.steps.get("subproof", 0) + 1
                    return tuple(clause)
                case ("step", str(inner), ("cl", *clause), *words):
                    last = self._step(tuple(clause), attributes(tuple(words)), known)
                    if inner in known:
                        raise NotProvedError(f"{inner} is there twice")
                    known[inner] = last
                case _:
                    raise NotProvedError(f"no command: {command!r:.80}")
        raise NotProvedError("a subproof does not end")

    def _step(
        self,
        clause: tuple[Term, ...],
        given: dict[str, Term],
        known: dict[str, tuple[Term, ...]],
    ) -> tuple[Term, ...]:
        rule = given.pop(":rule")
        names, args = given.pop(":premises", ()), given.pop(":args", ())
        if given or any(v not in known for v in names):
            raise NotProvedError(f"a premise of {names} is not there, or something is too much")
        premises = [known[v] for v in names]
        self.steps[rule] = self.steps.get(rule, 0) + 1
        match rule:
            case "la_generic" if not premises:
                la_generic(clause, args, self.variables)
            case "resolution" if len(premises) > 1 and not args:
                if resolved(premises) != set(clause):
                    raise NotProvedError("resolution gives another clause")
            case "or" if len(premises) == 1 and not args:
                if premises[0] != (("or", *clause),):
                    raise NotProvedError("the premise is another disjunction")
            case "and_pos" if not premises and len(args) == 1:
                match clause:
                    case (("not", ("and", *parts)), part) if parts[int(args[0])] == part:
                        pass
                    case _:
                        raise NotProvedError("and_pos concludes something else")
            case "false" if not premises and not args:
                if clause != (("not", "false"),):
                    raise NotProvedError("the rule is about false")
            case _:
                raise NotProvedError(f"no rule {rule!r} here")
        return clause
