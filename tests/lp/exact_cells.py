"""Cells drawn to be degenerate, and their vertices by brute force in Fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

from flint import fmpq, fmpq_mat
from hypothesis import strategies as st

Rows = list[tuple[int, ...]]
Point = tuple[Fraction, ...]


@st.composite
def rows_of_cells(draw: st.DrawFn, *, bounded: bool | None = None) -> tuple[int, Rows]:
    """Dimension d ≤ 3 and integer rows: copies, multiples, opposites, sums, zero rows."""
    d = draw(st.integers(1, 3))
    small = st.integers(-2, 2)
    rows: Rows = []
    for _ in range(draw(st.integers(0, 6))):
        recipe = draw(st.sampled_from(["fresh", "fresh", "fresh", "copy", "opposite", "sum"]))
        if recipe == "fresh" or not rows:
            rows.append(tuple(draw(small) for _ in range(d + 1)))
            continue
        old = rows[draw(st.integers(0, len(rows) - 1))]
        if recipe == "copy":
            factor = draw(st.sampled_from([1, 2, 7]))
            rows.append(tuple(factor * v for v in old))
        elif recipe == "opposite":
            rows.append((*(-v for v in old[:-1]), -old[-1] + draw(st.sampled_from([0, 0, 1, -1]))))
        else:
            other = rows[draw(st.integers(0, len(rows) - 1))]
            sign = draw(st.sampled_from([1, -1]))
            rows.append(tuple(sign * (a + b) for a, b in zip(old, other, strict=True)))
    if draw(st.booleans()) if bounded is None else bounded:
        for j in range(d):
            for sign in (1, -1):
                row = [0] * (d + 1)
                row[j], row[d] = sign, 3
                rows.append(tuple(row))
    scale = draw(st.sampled_from([1, 1, 2**200, 10**15]))
    if rows:
        first = draw(st.integers(0, len(rows) - 1))
        rows[first] = tuple(scale * v for v in rows[first])
    return d, draw(st.permutations(rows))


def objectives(d: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Integer rows of d + 1 entries."""
    return st.tuples(*[st.integers(-3, 3)] * (d + 1))


def hints(m: int, d: int) -> st.SearchStrategy[list[int] | None]:
    """No hint, or any d rows, right or wrong, repeated or out of range."""
    return st.none() | st.lists(st.integers(0, m), min_size=d, max_size=d)


def at(row: Sequence[int], point: Sequence[Fraction]) -> Fraction:
    """``a·u + b``."""
    return sum((a * u for a, u in zip(row, point, strict=False)), Fraction(row[-1]))


def solve(equations: Sequence[Sequence[int]], d: int) -> Point | None:
    """The common zero of d rows by Gauss-Jordan elimination; None if they are dependent."""
    table = [[*map(Fraction, row[:d]), Fraction(-row[d])] for row in equations]
    for c in range(d):
        pivot = next((r for r in range(c, d) if table[r][c]), None)
        if pivot is None:
            return None
        table[c], table[pivot] = table[pivot], table[c]
        table[c] = [v / table[c][c] for v in table[c]]
        for r in range(d):
            if r != c:
                table[r] = [v - table[r][c] * w for v, w in zip(table[r], table[c], strict=True)]
    return tuple(line[d] for line in table)


def vertices(rows: Sequence[Sequence[int]], d: int) -> set[Point]:
    """Every vertex of the cell: the feasible common zeros of d independent rows."""
    found: set[Point] = set()
    for chosen in combinations(rows, d):
        point = solve(chosen, d)
        if point is not None and all(at(row, point) >= 0 for row in rows):
            found.add(point)
    return found


def fractions(point: fmpq_mat) -> Point:
    return tuple(Fraction(int(v.p), int(v.q)) for v in point.entries())


def column(point: Sequence[Fraction | int]) -> fmpq_mat:
    exact = [Fraction(v) for v in point]
    return fmpq_mat(len(exact), 1, [fmpq(v.numerator, v.denominator) for v in exact])
