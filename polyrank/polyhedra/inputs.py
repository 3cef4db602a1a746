"""Domains as conditions on inputs, and their intersections."""

from __future__ import annotations

from flint import fmpq, fmpq_mat

from polyrank.errors import DomainError
from polyrank.polyhedra.condition import Comparison, Condition, Junction
from polyrank.polyhedra.dnf import Inequality
from polyrank.polyhedra.domain import Box, Domain, Polytope, WholeSpace
from polyrank.polyhedra.vnnlib_reader import case_domain

__all__ = ["in_domain", "inequalities", "intersection", "on_inputs"]


def inequalities(domain: Domain, n: int) -> list[Inequality]:
    """The domain as inequalities on the inputs of R^n; a flat domain has pairs of them.

    Raises
    ------
    DomainError
        If the domain has another dimension than n.
    """
    if domain.dimension is not None and domain.dimension != n:
        raise DomainError(f"the domain has dimension {domain.dimension}, the network {n} inputs")
    if isinstance(domain, WholeSpace):
        return []
    if isinstance(domain, Box):
        lower, upper = domain.bounds(n)
        return [
            row
            for i, (a, b) in enumerate(zip(lower, upper, strict=True))
            for row in (Inequality(((i, fmpq(1)),), b), Inequality(((i, fmpq(-1)),), -a))
        ]
    if isinstance(domain, Polytope):
        return [
            _inequality(row, bound)
            for row, bound in zip(domain.A.tolist(), domain.b.entries(), strict=True)
        ]
    # x = o + B y: y = L (x − o) with a left inverse L, and N (x − o) = 0 where N B = 0
    system = domain.system(n)
    B = system.basis
    transposed = B.transpose()
    L = (transposed * B).inv() * transposed if system.k else fmpq_mat(0, n)
    rows = system.A * L if system.m else fmpq_mat(0, n)
    bounds = system.b + rows * system.origin if system.m else fmpq_mat(0, 1)
    out = [
        _inequality(row, bound) for row, bound in zip(rows.tolist(), bounds.entries(), strict=True)
    ]
    for normal in _annihilator(B):
        value = sum((a * o for a, o in zip(normal, system.origin.entries(), strict=True)), fmpq(0))
        out.append(_inequality(normal, value))
        out.append(_inequality([-a for a in normal], -value))
    return out


def _annihilator(B: fmpq_mat) -> list[list[fmpq]]:
    """A basis of the rows N with N B = 0."""
    n, k = B.nrows(), B.ncols()
    # [B | 1] reduced: the rows without a pivot in B hold combinations of its rows that vanish
    joined = fmpq_mat(n, k + n)
    for i in range(n):
        for j in range(k):
            joined[i, j] = B[i, j]
        joined[i, k + i] = fmpq(1)
    reduced, _ = joined.rref()
    return [row[k:] for row in reduced.tolist() if not any(row[:k])]


def _inequality(row: list[fmpq], bound: fmpq) -> Inequality:
    return Inequality(tuple((i, a) for i, a in enumerate(row) if a != 0), bound)


def in_domain(domain: Domain, n: int) -> Condition:
    """The condition that an input lies in the domain."""
    rows = inequalities(domain, n)
    return Junction("and", tuple(Comparison(row.terms, (), "<=", row.bound) for row in rows))


def on_inputs(domain: Domain, n: int) -> Domain:
    """The domain as a box or a polytope of the inputs of R^n, in whatever coordinates it is given.

    Raises
    ------
    DomainError
        As :func:`inequalities`.
    """
    return case_domain(tuple(inequalities(domain, n)), n)


def intersection(first: Domain, second: Domain, n: int) -> Domain:
    """The inputs that lie in both domains; it may be empty."""
    if isinstance(first, WholeSpace):
        return second
    if isinstance(second, WholeSpace):
        return first
    return case_domain((*inequalities(first, n), *inequalities(second, n)), n)
