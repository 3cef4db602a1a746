"""The coordinates in which a question is searched: those of its domain's system, with a box.

Unlike a chart (:mod:`polyrank.posed.chart`) a frame keeps flat domains flat: an input that is fixed
stays a coordinate whose bounds are equal. A box needs no proof of its bounds then, and a proof of a
verdict speaks of the inputs themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flint import fmpq, fmpq_mat

from polyrank.lp.axis_parallel import axis_bounds
from polyrank.lp.certificates import Infeasible, Unbounded
from polyrank.lp.exact import minimise
from polyrank.lp.exact_simplex import Cell
from polyrank.lp.farkas import Multipliers, integer_rows
from polyrank.polyhedra.domain import Box, Domain, Polytope, WholeSpace

__all__ = ["Empty", "Frame", "frame", "listed"]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """The domain ``{origin + basis y : rows(y) ≥ 0}`` and the bounding box of its y.

    Attributes
    ----------
    domain : Domain
    n, k : int
        Numbers of inputs x and of coordinates y.
    plain : bool
        y is x; nothing then multiplies by the basis, which is the identity.
    lower, upper : tuple of fmpq, or None
        The exact bounding box; None where the domain is unbounded.
    interior : fmpq_mat, shape (k, 1)
        A point of the domain, away from its boundary where that is easy.
    bounds : list
        Multipliers that prove the box, lower and upper bound of each coordinate in turn; empty for
        a :class:`~polyrank.polyhedra.domain.Box`, which states it.
    """

    domain: Domain
    n: int
    k: int
    plain: bool
    lower: tuple[fmpq, ...] | None
    upper: tuple[fmpq, ...] | None
    interior: fmpq_mat
    bounds: list[Any]

    @property
    def origin(self) -> fmpq_mat:
        """Shape (n, 1)."""
        return self.domain.system(self.n).origin

    @property
    def basis(self) -> fmpq_mat:
        """Shape (n, k)."""
        return self.domain.system(self.n).basis

    def rows(self) -> list[tuple[int, ...]]:
        """Coprime integers (a, b), one row for each of the domain's: ``a·y + b ≥ 0``."""
        return integer_rows(self.domain.system(self.n).inequalities)


@dataclass(frozen=True, slots=True)
class Empty:
    """The domain has no point: its rows add up to a negative constant."""

    multipliers: Multipliers


def frame(domain: Domain, n: int) -> Frame | Empty:
    """The frame of a domain in R^n.

    Raises
    ------
    DomainError
        If the domain has another dimension than n.
    """
    if isinstance(domain, Box):
        lower, upper = domain.bounds(n)
        middle = [(a + b) / 2 for a, b in zip(lower, upper, strict=True)]
        return Frame(domain, n, n, True, lower, upper, fmpq_mat(n, 1, middle), [])
    system = domain.system(n)
    rows = integer_rows(system.inequalities)
    k = system.k
    plain = isinstance(domain, (Polytope, WholeSpace))
    cell = Cell.from_rows(rows, k)
    start = minimise(cell, (0,) * (k + 1), vertex=False)
    if isinstance(start, Infeasible):
        return Empty(start.multipliers)
    bounds: list[Any] = []
    ends: list[list[fmpq]] = []
    points = []
    read_off = axis_bounds(rows, k)
    if read_off is not None and None in (*read_off.lower, *read_off.upper):
        return Frame(domain, n, k, plain, None, None, start.point, [])
    for j in range(k):
        pair = []
        for sign in (1, -1):
            objective = [0] * (k + 1)
            objective[j] = sign
            found = minimise(cell, objective, start.point, vertex=False)
            if isinstance(found, Unbounded):
                return Frame(domain, n, k, plain, None, None, start.point, [])
            bounds.append(listed(found.multipliers))
            points.append(found.point)
            pair.append(sign * found.value)
        ends.append(pair)
    interior = start.point
    if points:
        total = points[0]
        for point in points[1:]:
            total += point
        interior = total / fmpq(len(points))
    return Frame(
        domain,
        n,
        k,
        plain,
        tuple(pair[0] for pair in ends),
        tuple(pair[1] for pair in ends),
        interior,
        bounds,
    )


def listed(proof: Multipliers) -> list[Any]:
    """Multipliers as JSON: ``[scale, constant, [row, ...], [value, ...]]``."""
    reduced = proof.reduced()
    return [reduced.scale, reduced.constant, list(reduced.indices), list(reduced.values)]
