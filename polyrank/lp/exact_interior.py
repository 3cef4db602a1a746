"""Phase one: a relatively interior point of a cell, its affine hull, or the proof that it is empty.

The depth program maximises t over ``a_i·u + b_i ≥ w_i t``, ``t ≤ 1``. A positive maximum gives a
strictly interior point, a negative one multipliers that prove emptiness. At maximum 0 the rows
with a positive multiplier vanish on all of the cell; the cell is restricted to them and the
program is run again in fewer coordinates.

Source: A. Schrijver, Theory of Linear and Integer Programming (1986), sections 7.8 (strict
complementarity) and 8.2 (implicit equalities and the affine hull).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flint import fmpq, fmpq_mat, fmpz_mat

from polyrank.lp.certificates import Infeasible, Minimum
from polyrank.lp.exact import depth_program, minimise
from polyrank.lp.exact_simplex import Cell
from polyrank.lp.farkas import Multipliers, Row, integer_row, value_at, verify_farkas

__all__ = ["AffineHull", "RelativeInterior", "affine_hull", "interior_point", "verify_interior"]


@dataclass(frozen=True, slots=True)
class RelativeInterior:
    """A point of the relative interior of a non-empty cell, and the rows that vanish on the cell.

    **Proves**, once :func:`verify_interior` accepts it: the affine hull of the cell is cut out by
    exactly the rows ``equalities`` (the multipliers prove that these vanish on all of the cell,
    the point that no other row does). Without equalities the point is strictly interior.

    Attributes
    ----------
    point : fmpq_mat, shape (d, 1)
        Zero in every row of ``equalities``, positive in every other row that is not identically 0.
    equalities : tuple of int
        Increasing.
    multipliers : Multipliers or None
        ``0 = Σ λ_j row_j`` with support ``equalities``; None if there are none.
    """

    point: fmpq_mat
    equalities: tuple[int, ...]
    multipliers: Multipliers | None


@dataclass(frozen=True, slots=True)
class AffineHull:
    """The affine subspace ``{origin + basis y}`` of R^d whose coordinates y are some of u's.

    Attributes
    ----------
    origin : fmpq_mat, shape (d, 1)
        Zero in the coordinates ``free``.
    basis : fmpq_mat, shape (d, k)
        The identity in the rows ``free``.
    free : tuple of int
        The k coordinates of u that serve as y, increasing.
    """

    origin: fmpq_mat
    basis: fmpq_mat
    free: tuple[int, ...]


def affine_hull(rows: Sequence[Row], d: int) -> AffineHull:
    """The set where all the given rows vanish.

    Raises
    ------
    ValueError
        If the rows have no common zero.
    """
    # columns reversed, so that the first coordinates stay free where there is a choice
    order = [*range(d - 1, -1, -1), d]
    table, den, rank = fmpz_mat(len(rows), d + 1, [row[c] for row in rows for c in order]).rref()
    solved: dict[int, int] = {}
    for r in range(rank):
        c = next(c for c in range(d + 1) if table[r, c] != 0)
        if c == d:
            raise ValueError("the rows have no common zero")
        solved[order[c]] = r
    free = tuple(j for j in range(d) if j not in solved)
    origin, basis = fmpq_mat(d, 1), fmpq_mat(d, len(free))
    for j, r in solved.items():
        origin[j, 0] = fmpq(-table[r, d], den)
        for column, f in enumerate(free):
            basis[j, column] = fmpq(-table[r, d - 1 - f], den)
    for column, f in enumerate(free):
        basis[f, column] = fmpq(1)
    return AffineHull(origin, basis, free)


@dataclass(slots=True)
class _Equalities:
    """Rows known to vanish on the cell, with λ > 0 such that ``Σ λ_i row_i = 0``."""

    rows: Sequence[Row]
    weights: dict[int, fmpq]

    def add(self, terms: dict[int, fmpq]) -> None:
        """Take in rows of which a positive combination vanishes where the known ones do.

        ``Σ terms_j row_j = Σ μ_i row_i`` over the known rows i; since their weighted sum is 0, a
        multiple K of the weights can be added so that every ``K λ_i − μ_i`` is positive.
        """
        known = list(self.weights)
        width = len(self.rows[next(iter(terms))])
        total = [
            sum((w * int(self.rows[j][c]) for j, w in terms.items()), fmpq(0)) for c in range(width)
        ]
        shares = _combination([self.rows[i] for i in known], total)
        multiple = fmpq(1)
        for i, share in zip(known, shares, strict=True):
            multiple = max(multiple, share / self.weights[i] + 1)
        for i, share in zip(known, shares, strict=True):
            self.weights[i] = multiple * self.weights[i] - share
        for j, weight in terms.items():
            self.weights[j] = self.weights.get(j, fmpq(0)) + weight

    def multipliers(self) -> Multipliers | None:
        """The identity ``0 = Σ λ_i row_i`` in coprime integers."""
        if not self.weights:
            return None
        indices = tuple(sorted(self.weights))
        return Multipliers(1, 0, indices, integer_row(self.weights[i] for i in indices))


def _combination(rows: Sequence[Row], total: Sequence[fmpq]) -> list[fmpq]:
    """Some μ with ``Σ μ_i rows[i] = total``, which lies in their span."""
    shares = [fmpq(0)] * len(rows)
    entries: list[fmpq] = []
    for c, t in enumerate(total):
        entries += [fmpq(int(row[c])) for row in rows]
        entries.append(t)
    table, rank = fmpq_mat(len(total), len(rows) + 1, entries).rref()
    for r in range(rank):
        c = next(c for c in range(len(rows) + 1) if table[r, c] != 0)
        shares[c] = table[r, len(rows)]
    return shares


def interior_point(cell: Cell) -> RelativeInterior | Infeasible:
    """A point of the relative interior of the closed cell, as deep as the rows allow.

    Returns
    -------
    RelativeInterior
        With the implicit equalities of the cell and the proof that they are all.
    Infeasible
        With Farkas multipliers.
    """
    rows, d = cell.rows, cell.d
    live: list[int] = []
    for i, row in enumerate(rows):
        if any(row[:d]):
            live.append(i)
        elif row[d] < 0:
            return Infeasible(Multipliers(1, -int(row[d]), (i,), (1,)), 0)
    equal = _Equalities(rows, {})
    hull = affine_hull((), d)
    restricted = {i: (tuple(rows[i]), fmpq(1)) for i in live}
    pivots = 0
    while True:
        k = len(hull.free)
        order = list(restricted)
        deepest = _deepest(Cell.from_rows([restricted[i][0] for i in order], k))
        pivots += deepest.pivots
        depth = -deepest.value
        if depth < 0:
            proof = deepest.multipliers
            indices = tuple(order[c] for c in proof.indices)
            return Infeasible(Multipliers(1, proof.constant, indices, proof.values), pivots)
        if depth > 0:
            y = fmpq_mat(k, 1, deepest.point.entries()[:k])
            point = hull.origin + hull.basis * y
            proof_of_equalities = equal.multipliers()
            return RelativeInterior(point, tuple(sorted(equal.weights)), proof_of_equalities)
        proof = deepest.multipliers
        equal.add(
            {
                order[c]: restricted[order[c]][1] * value
                for c, value in zip(proof.indices, proof.values, strict=True)
            }
        )
        hull = affine_hull([rows[i] for i in equal.weights], d)
        restricted = {}
        for i in live:
            if i in equal.weights:
                continue
            row, scale = _restrict(rows[i], hull)
            if any(row[:-1]):
                restricted[i] = (row, scale)
            elif row[-1] == 0:
                equal.add({i: fmpq(1)})


def _deepest(cell: Cell) -> Minimum:
    rows, start = depth_program(cell)
    lifted = Cell.from_rows(rows, cell.d + 1)
    point = fmpq_mat(fmpz_mat(cell.d + 1, 1, list(start.point)))
    deepest = minimise(lifted, [0] * cell.d + [-1, 0], point, vertex=False)
    if isinstance(deepest, Minimum):
        return deepest
    raise AssertionError("the depth is at most 1")


def _restrict(row: Row, hull: AffineHull) -> tuple[tuple[int, ...], fmpq]:
    """The row as a function of the hull's coordinates, in coprime integers, and their factor."""
    d = len(row) - 1
    linear = fmpq_mat(1, d, [int(a) for a in row[:d]])
    entries = [*(linear * hull.basis).entries(), value_at(row, hull.origin)]
    scaled = integer_row(entries)
    factor = next((s / e for s, e in zip(scaled, entries, strict=True) if e != 0), fmpq(1))
    return scaled, factor


def verify_interior(rows: Sequence[Row], d: int, interior: RelativeInterior) -> bool:
    """Check the point against every row and the multipliers of the equalities."""
    equal = set(interior.equalities)
    if interior.point.nrows() != d:
        return False
    for i, row in enumerate(rows):
        value = value_at(row, interior.point)
        if (value != 0) if i in equal or not any(row) else (value <= 0):
            return False
    proof = interior.multipliers
    if proof is None:
        return not equal
    return (
        proof.constant == 0
        and set(proof.indices) == equal
        and all(v > 0 for v in proof.values)
        and verify_farkas(rows, (0,) * (d + 1), proof)
    )
