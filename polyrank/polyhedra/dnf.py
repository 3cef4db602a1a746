"""Formulas over linear inequalities in disjunctive normal form, with a bound on their size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flint import fmpq

from polyrank.polyhedra.guard import Guard

__all__ = ["Formula", "Inequality", "conjunction", "disjunction"]

_MOST_CASES = 10_000


@dataclass(frozen=True, slots=True)
class Inequality:
    """``Σ a · x_i ≤ bound`` over the pairs ``(i, a)`` in ``terms``; increasing i, a ≠ 0.

    ``strict`` says that it was written with ``<``.
    """

    terms: tuple[tuple[int, fmpq], ...]
    bound: fmpq
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Formula:
    """The union of its cases, each the intersection of its inequalities.

    No case at all is the empty set; one case without inequalities is the whole space.
    """

    cases: tuple[tuple[Inequality, ...], ...]


TRUE = Formula(((),))


def disjunction(parts: Sequence[Formula], guard: Guard) -> Formula:
    """The union of the parts; equal cases are kept once, and the whole space absorbs all."""
    if any(part.cases == TRUE.cases for part in parts):
        return TRUE
    if len(parts) == 1:
        return parts[0]
    listed = [case for part in parts for case in part.cases]
    _check_size(len(listed), sum(map(len, listed)), guard)
    return Formula(tuple(dict.fromkeys(listed)))


def conjunction(parts: Sequence[Formula], guard: Guard) -> Formula:
    """The intersection of the parts, multiplied out."""
    single: list[Inequality] = []
    several: list[Formula] = []
    for part in parts:
        if len(part.cases) == 1:
            single.extend(part.cases[0])
        else:
            several.append(part)
    guard.spend(len(single))
    cases: tuple[tuple[Inequality, ...], ...] = (tuple(single),)
    for part in several:
        count = len(cases) * len(part.cases)
        longest = max(map(len, cases), default=0) + max(map(len, part.cases), default=0)
        _check_size(count, count * longest, guard)
        cases = tuple(dict.fromkeys(left + right for left in cases for right in part.cases))
    return Formula(cases)


def _check_size(cases: int, inequalities: int, guard: Guard) -> None:
    if cases > _MOST_CASES:
        guard.fail(f"the formula multiplies out to {cases} cases; at most {_MOST_CASES} are read")
    guard.spend(cases + inequalities)
