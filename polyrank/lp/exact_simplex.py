"""The simplex method over a cell in integers, with Bland's rule: primal and dual.

The coordinates u are free; the slacks ``s_i = a_i·u + b_i ≥ 0`` are the constrained variables. A
*basis* here is the set of d functions that are held constant: rows (held at 0) and, in the
beginning, coordinates (held at the starting point). Coordinates leave for good, so that a cell
without vertices needs no special treatment. Every step solves its d × d system afresh in
fraction-free integer arithmetic (FLINT), which for these sizes is as fast as updating, and leaves
nothing to accumulate.

Source: R. G. Bland, "New finite pivoting rules for the simplex method", Math. Oper. Res. 2
(1977) 103-107, rule I: smallest index in, smallest index out; it terminates on every input.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flint import fmpq_mat, fmpz, fmpz_mat

from polyrank.lp.deadline import elimination_seconds, look
from polyrank.lp.farkas import Multipliers, Row

__all__ = [
    "Cell",
    "Outcome",
    "Start",
    "State",
    "dual",
    "first_state",
    "prices_of",
    "primal",
    "solve_basis",
    "start_at",
    "to_vertex",
]


_WRITTEN = 2e-7  # seconds that an entry of an inverse takes, measured for 784 coordinates


@dataclass(frozen=True, slots=True)
class Cell:
    """The closed cell ``{u in R^d : a_i·u + b_i ≥ 0}``, prepared for many programs over it.

    Attributes
    ----------
    rows : sequence of Row
        The m integer rows ``(a_i, b_i)``.
    matrix : fmpz_mat, shape (m, d + 1)
        The same rows.
    """

    rows: Sequence[Row]
    matrix: fmpz_mat

    @classmethod
    def from_rows(cls, rows: Sequence[Row], d: int) -> Cell:
        """Prepare m integer rows of d + 1 entries each; m may be 0."""
        return cls(rows, fmpz_mat(len(rows), d + 1, [v for row in rows for v in row]))

    @property
    def d(self) -> int:
        """Dimension of the space of u."""
        return int(self.matrix.ncols()) - 1


@dataclass(slots=True)
class State:
    """A basis, solved: ``inverse / den`` is the inverse of its matrix, ``vertex`` its solution.

    ``held[k]`` is a row index, or −1 − j for coordinate j; ``vertex`` is homogeneous, with its
    last entry ``den > 0``.
    """

    held: list[int]
    inverse: fmpz_mat
    den: fmpz
    vertex: fmpz_mat


@dataclass(frozen=True, slots=True)
class Start:
    """A feasible point in integers: ``point / den``."""

    point: tuple[int, ...]
    den: int

    def held_row(self, j: int, d: int) -> list[int]:
        """The function ``den · u_j − point_j``, which vanishes at the start."""
        row = [0] * (d + 1)
        row[j], row[d] = self.den, -self.point[j]
        return row


def solve_basis(cell: Cell, held: list[int], start: Start | None) -> State | None:
    """Solve the d × d system of a basis; None if it is singular.

    Rows that read one coordinate alone, as most do on a box of hundreds of dimensions, are solved
    first; elimination is left with the others, in the coordinates that remain.
    """
    d = cell.d
    rows = [cell.rows[i] if i >= 0 or start is None else start.held_row(-1 - i, d) for i in held]
    owner: dict[int, int] = {}  # coordinate → the row that reads it alone
    others: list[int] = []
    for k, row in enumerate(rows):
        places = [j for j, v in enumerate(row[:d]) if v]
        if len(places) != 1:
            others.append(k)
        elif owner.setdefault(places[0], k) != k:
            return None
    free = [j for j in range(d) if j not in owner]
    n = len(others)
    look(elimination_seconds(n, 2 * n) + _WRITTEN * d * d)
    square = fmpz_mat(n, 2 * n, [v for a in others for v in _beside_one(rows[a], free, a, others)])
    reduced, den, rank = square.rref()
    if rank < n or (n and reduced[n - 1, n - 1] == 0):
        return None
    block = fmpz_mat(n, n, [v for line in reduced.tolist() for v in line[n:]])
    if n == d:
        inverse = block
    else:
        # u_j = e_j / a_j where a row reads u_j alone; the others are N⁻¹ (e − C u)
        alone = sorted(owner)
        scale = math.lcm(*(int(rows[owner[j]][j]) for j in alone))
        slopes = [scale // rows[owner[j]][j] for j in alone]
        columns = [rows[a][j] * f for a in others for j, f in zip(alone, slopes, strict=True)]
        through = (block * fmpz_mat(n, len(alone), columns)).tolist()
        entries: list[list[int | fmpz]] = [[0] * d for _ in range(d)]
        for j, f in zip(alone, slopes, strict=True):
            entries[j][owner[j]] = den * f
        for r, (c, line) in enumerate(zip(free, through, strict=True)):
            for j, v in zip(alone, line, strict=True):
                entries[c][owner[j]] = -v
            for b, a in enumerate(others):
                entries[c][a] = block[r, b] * scale
        inverse, den = fmpz_mat(entries), den * scale
    if den < 0:
        inverse, den = -inverse, -den
    offsets = fmpz_mat(d, 1, [-row[d] for row in rows])
    vertex = fmpz_mat(d + 1, 1, [*(inverse * offsets).entries(), den])
    return State(held, inverse, den, vertex)


def _beside_one(row: Row | list[int], free: list[int], own: int, others: list[int]) -> list[int]:
    """A row in some coordinates, and beside it that of the identity."""
    return [*(row[j] for j in free), *(int(a == own) for a in others)]


def _direction(state: State, k: int, sign: int) -> fmpz_mat:
    """Where u moves as held function k grows (sign 1) or falls (−1): homogeneous, last entry 0."""
    d = len(state.held)
    return fmpz_mat(d + 1, 1, [*(sign * state.inverse[r, k] for r in range(d)), 0])


def _blocking(cell: Cell, state: State, direction: fmpz_mat) -> int:
    """The row that the ray meets first, the smallest index among ties; −1 if it meets none."""
    slacks = (cell.matrix * state.vertex).entries()
    rates = (cell.matrix * direction).entries()
    best, best_slack, best_rate = -1, fmpz(0), fmpz(0)
    for i, rate in enumerate(rates):
        if rate < 0 and (best < 0 or slacks[i] * best_rate > best_slack * rate):
            best, best_slack, best_rate = i, slacks[i], rate
    return best


def prices_of(objective: fmpz_mat, state: State) -> list[fmpz]:
    """λ · den with ``g = Σ λ_k · held function k`` in its linear part."""
    prices: list[fmpz] = (objective * state.inverse).entries()
    return prices


def _entering(held: list[int], prices: list[fmpz]) -> int:
    """Position in the basis to let go: coordinates first, then Bland's rule; −1 at the optimum."""
    chosen = -1
    for k, (i, price) in enumerate(zip(held, prices, strict=True)):
        if i < 0 and price != 0:
            return k
        if price < 0 and (chosen < 0 or i < held[chosen]):
            chosen = k
    return chosen


@dataclass(slots=True)
class Outcome:
    """Where the primal method ended: ``ray`` is None unless the function is unbounded."""

    state: State
    prices: list[fmpz]
    ray: fmpz_mat | None
    stopped: bool
    pivots: int


def primal(
    cell: Cell,
    objective: Row,
    state: State,
    start: Start | None,
    stop: Callable[[fmpz], bool] | None = None,
) -> Outcome:
    """Primal simplex from a feasible basis; ``stop`` sees the sign of the value at each basis."""
    d = cell.d
    linear = fmpz_mat(1, d, list(objective[:d]))
    whole = fmpz_mat(1, d + 1, list(objective))
    pivots = 0
    while True:
        if stop is not None and stop((whole * state.vertex)[0, 0]):
            return Outcome(state, [], None, stopped=True, pivots=pivots)
        prices = prices_of(linear, state)
        k = _entering(state.held, prices)
        if k < 0:
            return Outcome(state, prices, None, stopped=False, pivots=pivots)
        direction = _direction(state, k, -1 if prices[k] > 0 else 1)
        row = _blocking(cell, state, direction)
        if row < 0:
            return Outcome(state, prices, direction, stopped=False, pivots=pivots)
        state = _exchange(cell, state, k, row, start)
        pivots += 1


def _exchange(cell: Cell, state: State, k: int, row: int, start: Start | None) -> State:
    held = list(state.held)
    held[k] = row
    solved = solve_basis(cell, held, start)
    if solved is None:
        raise AssertionError("a pivot element was zero")
    return solved


def to_vertex(cell: Cell, state: State, start: Start | None) -> tuple[State, int]:
    """From an optimal basis with coordinates of price 0 down the optimal face to a vertex."""
    pivots = 0
    moved = True
    while moved:
        moved = False
        for k, i in enumerate(state.held):
            if i >= 0:
                continue
            row = _blocking(cell, state, _direction(state, k, 1))
            if row < 0:
                row = _blocking(cell, state, _direction(state, k, -1))
            if row >= 0:
                state, moved = _exchange(cell, state, k, row, start), True
                pivots += 1
                break
    return state, pivots


def dual(
    cell: Cell,
    objective: Row,
    state: State,
    stop: Callable[[fmpz], bool] | None = None,
) -> tuple[State, Multipliers | None, int]:
    """Dual simplex with Bland's rule from a basis of rows with non-negative prices.

    Ends at an optimal basis, or with multipliers that prove the cell empty, or where ``stop``
    accepts the sign of the value at a basis, which is a proven lower bound all along.
    """
    pivots = 0
    d = cell.d
    linear = fmpz_mat(1, d, list(objective[:d]))
    whole = fmpz_mat(1, d + 1, list(objective))
    while True:
        if stop is not None and stop((whole * state.vertex)[0, 0]):
            return state, None, pivots
        slacks = (cell.matrix * state.vertex).entries()
        violated = next((i for i, s in enumerate(slacks) if s < 0), -1)
        if violated < 0:
            return state, None, pivots
        row = fmpz_mat(1, d, list(cell.rows[violated][:d]))
        shares = (row * state.inverse).entries()
        prices = prices_of(linear, state)
        best = -1
        for k, share in enumerate(shares):
            if share <= 0:
                continue
            if best >= 0:
                gap = prices[k] * shares[best] - prices[best] * share
                if gap > 0 or (gap == 0 and state.held[k] > state.held[best]):
                    continue
            best = k
        if best < 0:  # den · row = slack + Σ shares · rows, with slack < 0 and shares ≤ 0
            terms = [(i, -int(s)) for i, s in zip(state.held, shares, strict=True) if s != 0]
            terms.append((violated, int(state.den)))
            indices, values = zip(*terms, strict=True)
            return state, Multipliers(1, -int(slacks[violated]), indices, values), pivots
        state = _exchange(cell, state, best, violated, None)
        pivots += 1


def start_at(cell: Cell, interior: fmpq_mat) -> Start:
    """The point as a start, checked.

    Raises
    ------
    ValueError
        If it has the wrong shape or is not in the closed cell.
    """
    numerators, den = interior.numer_denom()
    point = tuple(int(v) for v in numerators.entries())
    if len(point) != cell.d or interior.ncols() != 1:
        raise ValueError(
            f"the starting point has shape ({interior.nrows()}, {interior.ncols()}); "
            f"expected ({cell.d}, 1)"
        )
    slacks = (cell.matrix * fmpz_mat(cell.d + 1, 1, [*point, den])).entries()
    violated = next((i for i, s in enumerate(slacks) if s < 0), None)
    if violated is not None:
        raise ValueError(
            f"the starting point violates row {violated}; expected a point of the cell"
        )
    return Start(point, int(den))


def first_state(cell: Cell, start: Start) -> State:
    """The basis of all coordinates, held at the start."""
    state = solve_basis(cell, [-1 - j for j in range(cell.d)], start)
    if state is None:
        raise AssertionError("coordinates are independent")
    return state
