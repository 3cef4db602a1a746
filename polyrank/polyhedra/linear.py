"""Linear arithmetic on sparse affine functions, with a bound on the size of its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flint import fmpq

from polyrank.polyhedra.guard import Guard

__all__ = ["Linear", "difference", "product", "quotient", "total"]

_LONGEST = 20_000  # bits of a numerator or denominator


@dataclass(frozen=True, slots=True)
class Linear:
    """The affine function ``Σ terms[i] · v_i + constant``; no stored coefficient is 0.

    The dictionary is never changed: a comparison may use its operands more than once.
    """

    terms: dict[int, fmpq]
    constant: fmpq


def total(operands: Sequence[Linear], guard: Guard) -> Linear:
    """The sum of one or more functions."""
    terms: dict[int, fmpq] = {}
    constant = fmpq(0)
    for operand in operands:
        constant += operand.constant
        guard.spend(len(operand.terms))
        for i, a in operand.terms.items():
            value = terms.get(i, fmpq(0)) + a
            if value == 0:
                del terms[i]
            else:
                terms[i] = _bounded(value, guard)
    return Linear(terms, _bounded(constant, guard))


def difference(operands: Sequence[Linear], guard: Guard) -> Linear:
    """The first function minus the others; of one operand, its negative."""
    first, *others = operands
    if not others:
        return _scaled(first, fmpq(-1), guard)
    return total([first, *(_scaled(f, fmpq(-1), guard) for f in others)], guard)


def product(operands: Sequence[Linear], guard: Guard) -> Linear:
    """The product of constants and at most one function that is not constant."""
    factor = fmpq(1)
    function: Linear | None = None
    for operand in operands:
        if not operand.terms:
            factor = _bounded(factor * operand.constant, guard)
        elif function is None:
            function = operand
        else:
            guard.fail("a product of two variables is not linear")
    return _scaled(function or Linear({}, fmpq(1)), factor, guard)


def quotient(operands: Sequence[Linear], guard: Guard) -> Linear:
    """The first function divided by constants."""
    first, *others = operands
    factor = fmpq(1)
    for operand in others:
        if operand.terms:
            guard.fail("a division by a variable is not linear")
        if operand.constant == 0:
            guard.fail("a division by zero")
        factor = _bounded(factor / operand.constant, guard)
    return _scaled(first, factor, guard)


def _scaled(function: Linear, factor: fmpq, guard: Guard) -> Linear:
    if factor == 0:
        return Linear({}, fmpq(0))
    guard.spend(len(function.terms))
    terms = {i: _bounded(factor * a, guard) for i, a in function.terms.items()}
    return Linear(terms, _bounded(factor * function.constant, guard))


def _bounded(value: fmpq, guard: Guard) -> fmpq:
    if value.p.bit_length() > _LONGEST or value.q.bit_length() > _LONGEST:
        guard.fail(f"a number grows beyond {_LONGEST} bits")
    return value
