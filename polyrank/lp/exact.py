"""Exact linear programs over a cell: the last rung of the ladder, in integers throughout.

A float engine's proposed basis is tried first: if it is optimal, one solve ends the search; if
its vertex is feasible, the primal method goes on from it; if its multipliers are non-negative,
the dual method does. Every answer carries the certificate that proves it, and a function beside
it verifies the certificate without any linear algebra.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from flint import fmpq, fmpq_mat, fmpz, fmpz_mat

from polyrank.lp.certificates import Infeasible, Minimum, Unbounded, Violation
from polyrank.lp.exact_simplex import (
    Cell,
    Start,
    State,
    dual,
    first_state,
    prices_of,
    primal,
    solve_basis,
    start_at,
    to_vertex,
)
from polyrank.lp.farkas import Multipliers, Row, coprime, value_at
from polyrank.lp.short_points import short_point

__all__ = [
    "Cell",
    "depth_program",
    "farkas",
    "minimise",
    "multipliers_of",
    "nonnegative",
    "strictly_inside",
]


def _checked(cell: Cell | Sequence[Row], objective: Row) -> Cell:
    d = len(objective) - 1
    if isinstance(cell, Cell):
        if cell.d != d:
            raise ValueError(f"the objective has {d + 1} entries, the rows have {cell.d + 1}")
        return cell
    wrong = next((row for row in cell if len(row) != d + 1), None)
    if wrong is not None:
        raise ValueError(f"the objective has {d + 1} entries, a row has {len(wrong)}")
    return Cell.from_rows(cell, d)


def _hinted(cell: Cell, hint: Sequence[int]) -> State | None:
    if len(hint) != cell.d or any(not 0 <= i < len(cell.rows) for i in hint):
        return None
    return solve_basis(cell, list(hint), None)


def _point(state: State) -> fmpq_mat:
    numerators = fmpz_mat(len(state.held), 1, state.vertex.entries()[:-1])
    return fmpq_mat(numerators) / fmpq(state.den)


def multipliers_of(
    rows: Sequence[Row], held: Sequence[int], prices: Sequence[fmpz], den: fmpz, objective: Row
) -> Multipliers:
    """The identity with the constant that the coefficients force."""
    scale = int(den)
    constant = scale * int(objective[-1])
    indices: list[int] = []
    values: list[int] = []
    for i, price in zip(held, prices, strict=True):
        value = int(price)
        if value:
            indices.append(i)
            values.append(value)
            constant -= value * int(rows[i][-1])
    return Multipliers(scale, constant, tuple(indices), tuple(values))


def _minimum(cell: Cell, objective: Row, state: State, pivots: int) -> Minimum:
    d = cell.d
    prices = prices_of(fmpz_mat(1, d, list(objective[:d])), state)
    proof = multipliers_of(cell.rows, state.held, prices, state.den, objective)
    basis = tuple(sorted(i for i in state.held if i >= 0))
    return Minimum(proof.bound, _point(state), basis, proof, pivots)


def farkas(rows: Sequence[Row], indices: Sequence[int], objective: Row) -> Multipliers | None:
    """Multipliers of the given rows that prove a lower bound of the objective.

    Solves ``A_Bᵀ λ = g`` over the rows B = ``indices`` in integers and keeps λ if it is
    non-negative. Fewer than d rows are welcome, and dependent rows too: then λ is not unique, and
    the search among them ends at the first proof with ``constant ≥ 0``, else at the best bound.
    ``constant ≥ 0`` proves ``g·u + h ≥ 0`` on every cell that has these rows, whatever its other
    rows are.

    Parameters
    ----------
    rows : sequence of Row
        Of the cell; only those in ``indices`` are read.
    indices : sequence of int
        Rows that a float engine proposes, in any order.
    objective : Row, d + 1 integers
        ``(g, h)``.

    Returns
    -------
    Multipliers or None
        None if g is no non-negative combination of these rows, or if they have no common point.
        That says nothing about the other rows.

    Examples
    --------
    >>> farkas([(1, 0), (-1, 1)], [0, 1], (2, 3))  # 2 u + 3 = 3 + 2·u on 0 ≤ u ≤ 1
    Multipliers(scale=1, constant=3, indices=(0,), values=(2,))
    """
    d, p = len(objective) - 1, len(indices)
    chosen = [rows[i] for i in indices]
    columns = [*chosen, objective]
    table, den, rank = fmpz_mat(d, p + 1, [c[j] for j in range(d) for c in columns]).rref()
    pivots = list(range(p))
    if rank != p or (p and table[p - 1, p - 1] == 0):
        pivots = _pivot_columns(table, rank)
        if rank and pivots[-1] == p:
            return None
    if den < 0:
        table, den = -table, -den
    prices = [table[r, p] for r in range(rank)]
    if all(price >= 0 for price in prices):
        proof = multipliers_of(rows, [indices[c] for c in pivots], prices, den, objective)
        if rank == p or proof.constant >= 0:
            return proof
    elif rank == p:
        return None
    # dependent rows: another basis among them may do, or do better
    best = minimise(Cell.from_rows(chosen, d), objective)
    if not isinstance(best, Minimum):
        return None
    proof = best.multipliers
    return Multipliers(
        proof.scale, proof.constant, tuple(indices[c] for c in proof.indices), proof.values
    )


def _pivot_columns(table: fmpz_mat, rank: int) -> list[int]:
    columns: list[int] = []
    for r in range(rank):
        c = columns[-1] + 1 if columns else 0
        while table[r, c] == 0:
            c += 1
        columns.append(c)
    return columns


def _begin(
    cell: Cell, interior: fmpq_mat | None, state: State | None
) -> tuple[State, Start | None] | Infeasible:
    """A feasible basis: the hinted one if it is feasible, else the coordinates at a point."""
    if state is not None and all(s >= 0 for s in (cell.matrix * state.vertex).entries()):
        return state, None
    if interior is None:
        found = _feasible_point(cell)
        if isinstance(found, Infeasible):
            return found
        interior = found
    start = start_at(cell, interior)
    return first_state(cell, start), start


def _empty(cell: Cell, proof: Multipliers, interior: fmpq_mat | None, pivots: int) -> Infeasible:
    """The verdict that the cell is empty; a point said to be in it is refused."""
    if interior is not None:
        start_at(cell, interior)
    return Infeasible(proof, pivots)


def _linear(objective: Row) -> fmpz_mat:
    d = len(objective) - 1
    return fmpz_mat(1, d, list(objective[:d]))


@overload
def minimise(
    cell: Cell | Sequence[Row],
    objective: Row,
    interior: fmpq_mat,
    *,
    basis_hint: Sequence[int] | None = None,
    vertex: bool = True,
) -> Minimum | Unbounded: ...


@overload
def minimise(
    cell: Cell | Sequence[Row],
    objective: Row,
    interior: None = None,
    *,
    basis_hint: Sequence[int] | None = None,
    vertex: bool = True,
) -> Minimum | Unbounded | Infeasible: ...


def minimise(
    cell: Cell | Sequence[Row],
    objective: Row,
    interior: fmpq_mat | None = None,
    *,
    basis_hint: Sequence[int] | None = None,
    vertex: bool = True,
) -> Minimum | Unbounded | Infeasible:
    """The exact minimum of ``g·u + h`` over the closed cell.

    Parameters
    ----------
    cell : Cell or sequence of Row
        The m rows ``(a_i, b_i)``.
    objective : Row, d + 1 integers
        ``(g, h)``.
    interior : fmpq_mat, shape (d, 1), optional
        Any point of the closed cell to start from. Without it one is looked for first.
    basis_hint : sequence of d row indices, optional
        The basis that a float engine proposes; it costs little if it is wrong.
    vertex : bool
        Go on to a vertex of the optimal face where there is one.

    Returns
    -------
    Minimum, Unbounded or Infeasible
        Each with its certificate. Infeasible only if no ``interior`` was given.

    Raises
    ------
    ValueError
        If the lengths of the rows differ or the point is not in the cell.
    """
    cell = _checked(cell, objective)
    state = None if basis_hint is None else _hinted(cell, basis_hint)
    if state is not None and all(p >= 0 for p in prices_of(_linear(objective), state)):
        state, empty, pivots = dual(cell, objective, state)
        if empty is not None:
            return _empty(cell, empty, interior, pivots)
        return _minimum(cell, objective, state, pivots)
    begun = _begin(cell, interior, state)
    if isinstance(begun, Infeasible):
        return begun
    state, start = begun
    outcome = primal(cell, objective, state, start)
    if outcome.ray is not None:
        ray = coprime([int(v) for v in outcome.ray.entries()[:-1]])
        return Unbounded(_point(outcome.state), ray, outcome.pivots)
    state, more = outcome.state, 0
    if vertex:
        state, more = to_vertex(cell, state, start)
    return _minimum(cell, objective, state, outcome.pivots + more)


@overload
def nonnegative(
    cell: Cell | Sequence[Row],
    objective: Row,
    interior: fmpq_mat,
    *,
    basis_hint: Sequence[int] | None = None,
) -> Multipliers | Violation: ...


@overload
def nonnegative(
    cell: Cell | Sequence[Row],
    objective: Row,
    interior: None = None,
    *,
    basis_hint: Sequence[int] | None = None,
) -> Multipliers | Violation | Infeasible: ...


def nonnegative(
    cell: Cell | Sequence[Row],
    objective: Row,
    interior: fmpq_mat | None = None,
    *,
    basis_hint: Sequence[int] | None = None,
) -> Multipliers | Violation | Infeasible:
    """Decide whether ``g·u + h ≥ 0`` on the closed cell, and stop as soon as that is known.

    Parameters are those of :func:`minimise`; here ``basis_hint`` may name any rows, fewer or more
    than d, whose multipliers are tried first.

    Returns
    -------
    Multipliers
        With ``constant ≥ 0``: proves that the function is non-negative on the cell.
    Violation
        A point of the closed cell with a negative value; see :func:`strictly_inside`.
    Infeasible
        The closed cell is empty; only if ``interior`` was not given.

    Raises
    ------
    ValueError
        As in :func:`minimise`.
    """
    cell = _checked(cell, objective)
    state = None
    if basis_hint is not None:
        known = [i for i in basis_hint if 0 <= i < len(cell.rows)]
        proof = farkas(cell.rows, known, objective)
        if proof is not None and proof.constant >= 0:
            return proof
        state = _hinted(cell, basis_hint)
        if proof is not None and state is not None:
            state, empty, pivots = dual(cell, objective, state, lambda v: v >= 0)
            if empty is not None:
                return _empty(cell, empty, interior, pivots)
            end = _minimum(cell, objective, state, pivots)
            return end.multipliers if end.value >= 0 else Violation(end.point, end.value, pivots)
    begun = _begin(cell, interior, state)
    if isinstance(begun, Infeasible):
        return begun
    state, start = begun
    outcome = primal(cell, objective, state, start, lambda v: v < 0)
    point = _point(outcome.state)
    if outcome.stopped:
        return Violation(point, value_at(objective, point), outcome.pivots)
    if outcome.ray is None:  # the minimum was reached and is not negative
        return _minimum(cell, objective, outcome.state, outcome.pivots).multipliers
    ray = [int(v) for v in outcome.ray.entries()[:-1]]
    fall = -sum(a * r for a, r in zip(objective[:-1], ray, strict=True))
    step = (value_at(objective, point) / fall).floor() + 1
    point += fmpq_mat(len(ray), 1, [step * r for r in ray])
    return Violation(point, value_at(objective, point), outcome.pivots)


def strictly_inside(
    cell: Cell | Sequence[Row], objective: Row, violation: fmpq_mat, interior: fmpq_mat
) -> fmpq_mat:
    """A strictly interior point of the cell at which the function is still negative.

    On the segment from the violation to the strictly interior point, as far along as a power of
    two allows. Every point of it but the violation itself is strictly interior (Rockafellar,
    Convex Analysis, theorem 6.1). Long coordinates are shortened around it.

    Raises
    ------
    ValueError
        If the function is not negative at the violation.
    """
    cell = _checked(cell, objective)
    low = value_at(objective, violation)
    if low >= 0:
        raise ValueError(f"the function is {low} at the given point; expected a negative value")
    high = value_at(objective, interior)
    step = fmpq(1, 2)
    while low + step * (high - low) >= 0:
        step /= 2
    inside = violation + (interior - violation) * step
    return short_point([*cell.rows, tuple(-v for v in objective)], inside)


def _feasible_point(cell: Cell) -> fmpq_mat | Infeasible:
    """A point of the closed cell, or the proof that there is none."""
    rows, start = depth_program(cell)
    d = cell.d
    objective = [0] * d + [-1, 0]
    lifted = Cell.from_rows(rows, d + 1)
    outcome = primal(lifted, objective, first_state(lifted, start), start, lambda v: v <= 0)
    if outcome.stopped:
        numerators = fmpz_mat(d, 1, outcome.state.vertex.entries()[:d])
        return fmpq_mat(numerators) / fmpq(outcome.state.den)
    proof = multipliers_of(rows, outcome.state.held, outcome.prices, outcome.state.den, objective)
    # −t ≥ constant / scale > 0; without t the same multipliers add up to a negative constant
    empty = Multipliers(1, proof.constant, proof.indices, proof.values)
    return Infeasible(empty, outcome.pivots)


def depth_program(cell: Cell) -> tuple[list[list[int]], Start]:
    """The rows ``a_i·u + b_i ≥ w_i t`` and ``t ≤ 1`` in (u, t), and a feasible point of them.

    The weight w_i is the largest coefficient of a_i (1 for a zero row), so that the depth t does
    not depend on how a row was scaled.
    """
    d = cell.d
    rows: list[list[int]] = []
    depth = fmpq(1)
    for row in cell.rows:
        weight = max((abs(int(a)) for a in row[:d]), default=0) or 1
        rows.append([*row[:d], -weight, row[d]])
        depth = min(depth, fmpq(int(row[d]), weight))
    rows.append([0] * d + [-1, 1])
    t = int(depth.floor())
    return rows, Start((*([0] * d), t), 1)
