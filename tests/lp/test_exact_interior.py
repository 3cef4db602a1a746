"""Phase one against vertex enumeration: interior points, affine hulls, emptiness."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from flint import fmpq_mat
from hypothesis import given, settings

from polyrank.lp.axis_parallel import axis_bounds, axis_interior
from polyrank.lp.certificates import Infeasible, verify_infeasible
from polyrank.lp.exact_interior import (
    RelativeInterior,
    affine_hull,
    interior_point,
    verify_interior,
)
from polyrank.lp.exact_simplex import Cell
from polyrank.lp.farkas import Multipliers, values_at
from tests.lp.exact_cells import Rows, at, column, fractions, rows_of_cells, vertices


@settings(max_examples=200)
@given(rows_of_cells(bounded=True))
def test_equalities_are_the_rows_that_vanish_at_every_vertex(drawn: tuple[int, Rows]) -> None:
    d, rows = drawn
    corners = vertices(rows, d)
    found = interior_point(Cell.from_rows(rows, d))
    if not corners:
        assert isinstance(found, Infeasible)
        assert verify_infeasible(rows, d, found)
        return
    assert isinstance(found, RelativeInterior)
    assert verify_interior(rows, d, found)
    tight = tuple(
        i
        for i, row in enumerate(rows)
        if any(row) and all(at(row, corner) == 0 for corner in corners)
    )
    assert found.equalities == tight


@settings(max_examples=200)
@given(rows_of_cells())
def test_both_arms_are_verified_on_unbounded_cells(drawn: tuple[int, Rows]) -> None:
    d, rows = drawn
    found = interior_point(Cell.from_rows(rows, d))
    if isinstance(found, Infeasible):
        assert verify_infeasible(rows, d, found)
        assert not vertices(rows, d)
    else:
        assert verify_interior(rows, d, found)


@settings(max_examples=200)
@given(rows_of_cells())
def test_bounds_read_off_agree_with_the_linear_program(drawn: tuple[int, Rows]) -> None:
    d, rows = drawn
    simple = [row for row in rows if sum(map(bool, row[:d])) <= 1]
    bounds = axis_bounds(simple, d)
    assert bounds is not None
    quick, slow = axis_interior(simple, bounds), interior_point(Cell.from_rows(simple, d))
    assert isinstance(quick, Infeasible) == isinstance(slow, Infeasible)
    if isinstance(quick, Infeasible):
        assert verify_infeasible(simple, d, quick)
    elif not isinstance(slow, Infeasible):
        assert verify_interior(simple, d, quick)
        assert quick.equalities == slow.equalities
    for side, low in ((bounds.lower, True), (bounds.upper, False)):
        for j, bound in enumerate(side):
            values = [
                Fraction(-row[d], row[j]) for row in simple if row[j] * (1 if low else -1) > 0
            ]
            best = (max(values) if low else min(values)) if values else None
            assert (None if bound is None else Fraction(str(bound))) == best


def test_a_row_with_two_coefficients_is_not_read_off() -> None:
    assert axis_bounds([(1, 0, 0), (1, 1, 0)], 2) is None


def test_equalities_in_stages() -> None:
    # u + v <= 0 and u + v >= 0 first; on that line u <= 0 and v <= 0 pin u = v = 0
    rows = [(-1, -1, 0), (1, 1, 0), (-1, 0, 0), (0, -1, 0), (0, 0, 3), (2, 3, 5), (0, 0, 0)]
    found = interior_point(Cell.from_rows(rows, 2))
    assert isinstance(found, RelativeInterior)
    assert verify_interior(rows, 2, found)
    assert found.equalities == (0, 1, 2, 3)
    assert fractions(found.point) == (0, 0)


def test_touching_rows_without_an_opposite_pair() -> None:
    # three half-planes that meet in one point only
    rows = [(-1, 0, 0), (0, -1, 0), (1, 1, 0)]
    found = interior_point(Cell.from_rows(rows, 2))
    assert isinstance(found, RelativeInterior)
    assert found.equalities == (0, 1, 2)
    assert found.multipliers == Multipliers(1, 0, (0, 1, 2), (1, 1, 1))


@pytest.mark.parametrize("gap", [Fraction(1, 2**k) for k in (30, 60, 200, 400)])
def test_no_gap_is_too_small(gap: Fraction) -> None:
    slab = [(gap.denominator, 0), (-gap.denominator, gap.numerator)]
    found = interior_point(Cell.from_rows(slab, 1))
    assert isinstance(found, RelativeInterior)
    assert not found.equalities
    assert all(value > 0 for value in values_at(slab, found.point))
    missed = [(gap.denominator, 0), (-gap.denominator, -gap.numerator)]
    empty = interior_point(Cell.from_rows(missed, 1))
    assert isinstance(empty, Infeasible)
    assert verify_infeasible(missed, 1, empty)


def test_no_rows_and_no_dimensions() -> None:
    free = interior_point(Cell.from_rows([], 3))
    assert isinstance(free, RelativeInterior)
    assert verify_interior([], 3, free)
    point = interior_point(Cell.from_rows([(2,), (0,)], 0))
    assert isinstance(point, RelativeInterior)
    assert verify_interior([(2,), (0,)], 0, point)
    empty = interior_point(Cell.from_rows([(2,), (-1,)], 0))
    assert isinstance(empty, Infeasible)
    assert empty.multipliers == Multipliers(1, 1, (1,), (1,))


@pytest.mark.parametrize(
    "change",
    [
        {"point": column([1, 0])},
        {"point": column([0, 3])},
        {"point": column([0])},
        {"equalities": (0,)},
        {"equalities": ()},
        {"equalities": (0, 1, 2)},
        {"multipliers": None},
        {"multipliers": Multipliers(1, 0, (0, 1), (1, 2))},
        {"multipliers": Multipliers(1, 0, (0, 1), (0, 0))},
        {"multipliers": Multipliers(1, 1, (0, 1), (1, 1))},
        {"equalities": (), "multipliers": None},
    ],
)
def test_a_mutated_hull_is_rejected(change: dict[str, object]) -> None:
    rows = [(1, 0, 0), (-1, 0, 0), (0, 1, 1), (0, -1, 2)]
    found = interior_point(Cell.from_rows(rows, 2))
    assert isinstance(found, RelativeInterior)
    assert verify_interior(rows, 2, found)
    assert not verify_interior(rows, 2, replace(found, **change))  # type: ignore[arg-type]


def test_the_affine_hull_keeps_coordinates() -> None:
    hull = affine_hull([(0, 2, 0, -1), (1, 1, 1, 0)], 3)  # v = 1/2, u + v + w = 0
    assert hull.free == (0,)
    assert fractions(hull.origin) == (0, Fraction(1, 2), Fraction(-1, 2))
    assert fractions(hull.basis) == (1, 0, -1)
    assert affine_hull([], 2).basis == fmpq_mat(2, 2, [1, 0, 0, 1])
    with pytest.raises(ValueError, match="no common zero"):
        affine_hull([(1, 0, 0), (1, 0, 1)], 2)
