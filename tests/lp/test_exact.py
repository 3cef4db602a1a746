"""Exact linear programs against vertex enumeration, HiGHS and published examples."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from polyrank.lp.certificates import (
    Infeasible,
    Minimum,
    Unbounded,
    Violation,
    verify_infeasible,
    verify_minimum,
    verify_unbounded,
    verify_violation,
)
from polyrank.lp.exact import Cell, minimise, nonnegative, strictly_inside
from polyrank.lp.exact_simplex import Start, solve_basis
from polyrank.lp.farkas import Multipliers, value_at, verify_farkas
from tests.lp.exact_cells import at, column, fractions, hints, objectives, rows_of_cells, vertices

UNIT_SQUARE = [(1, 0, 0), (-1, 0, 1), (0, 1, 0), (0, -1, 1)]


@settings(max_examples=200)
@given(st.data())
def test_the_minimum_of_a_bounded_cell_is_at_its_best_vertex(data: st.DataObject) -> None:
    d, rows = data.draw(rows_of_cells(bounded=True))
    objective = data.draw(objectives(d))
    hint = data.draw(hints(len(rows), d))
    corners = vertices(rows, d)
    found = minimise(rows, objective, basis_hint=hint)
    if not corners:
        assert isinstance(found, Infeasible)
        assert verify_infeasible(rows, d, found)
        return
    assert isinstance(found, Minimum)
    assert verify_minimum(rows, objective, found)
    assert fractions(found.point) in corners
    assert len(found.basis) == d
    assert Fraction(str(found.value)) == min(at(objective, corner) for corner in corners)


@settings(max_examples=200)
@given(st.data())
def test_the_verdict_is_that_of_highs(data: st.DataObject) -> None:
    d, rows = data.draw(rows_of_cells())
    objective = data.draw(objectives(d))
    found = minimise(rows, objective, basis_hint=data.draw(hints(len(rows), d)), vertex=False)
    numbers = np.array([[v / max(map(abs, row), default=1) if any(row) else 0 for v in row]
                        for row in rows], dtype=float).reshape(-1, d + 1)  # fmt: skip
    second = linprog(
        objective[:d], A_ub=-numbers[:, :d], b_ub=numbers[:, d], bounds=(None, None),
        method="highs", options={"presolve": False},
    )  # fmt: skip
    match found:
        case Minimum():
            assert verify_minimum(rows, objective, found)
            assert second.status == 0
            assert float(Fraction(str(found.value))) == pytest.approx(second.fun + objective[d])
        case Unbounded():
            assert verify_unbounded(rows, objective, found)
            assert second.status == 3
        case Infeasible():
            assert verify_infeasible(rows, d, found)
            assert second.status == 2


@settings(max_examples=200)
@given(st.data())
def test_the_sign_is_decided_as_by_the_minimum(data: st.DataObject) -> None:
    d, rows = data.draw(rows_of_cells())
    objective = data.draw(objectives(d))
    hint = data.draw(st.none() | st.lists(st.integers(-1, len(rows)), max_size=5))
    least = minimise(rows, objective)
    found = nonnegative(rows, objective, basis_hint=hint)
    match found:
        case Multipliers():
            assert verify_farkas(rows, objective, found)
            assert isinstance(least, Infeasible) or (
                isinstance(least, Minimum) and least.value >= 0
            )
        case Violation():
            assert verify_violation(rows, objective, found)
            assert isinstance(least, Unbounded) or (isinstance(least, Minimum) and least.value < 0)
        case Infeasible():
            assert verify_infeasible(rows, d, found)
            assert isinstance(least, Infeasible)


def test_a_start_in_the_cell_gives_the_same_minimum() -> None:
    cell = Cell.from_rows(UNIT_SQUARE, 2)
    for start in [(0, 0), (1, 1), ("1/3", "1/7"), ("1/2", 0)]:
        found = minimise(cell, (-2, -3, 7), column([Fraction(v) for v in start]))
        assert isinstance(found, Minimum)
        assert (found.value, fractions(found.point), found.basis) == (2, (1, 1), (1, 3))


def test_a_right_hint_needs_no_pivot() -> None:
    found = minimise(UNIT_SQUARE, (-2, -3, 7), basis_hint=[3, 1])
    assert isinstance(found, Minimum)
    assert (found.value, found.pivots) == (2, 0)


@pytest.mark.parametrize("hint", [[0, 2], [1, 2], [0, 1], [0], [0, 9], [], [0, 1, 2]])
def test_a_wrong_hint_costs_nothing_but_time(hint: list[int]) -> None:
    found = minimise(UNIT_SQUARE, (-2, -3, 7), basis_hint=hint)
    assert isinstance(found, Minimum)
    assert found.value == 2


def test_a_hint_beyond_the_cell_goes_on_with_the_dual_method() -> None:
    rows = [*UNIT_SQUARE, (-1, -1, 1)]  # u + v <= 1 cuts the corner (1, 1) off
    for hint in ([1, 3], [3, 1]):
        found = minimise(rows, (-2, -3, 7), basis_hint=hint)
        assert isinstance(found, Minimum)
        assert verify_minimum(rows, (-2, -3, 7), found)
        assert found.value == 4
    tied = minimise(rows, (-2, -2, 7), basis_hint=[3, 1])
    assert isinstance(tied, Minimum)
    assert tied.value == 5
    assert isinstance(nonnegative(rows, (-2, -3, 5), basis_hint=[1, 3]), Multipliers)
    assert isinstance(nonnegative(rows, (-2, -3, 4), basis_hint=[1, 3]), Multipliers)
    below = nonnegative(rows, (-2, -3, 2), basis_hint=[1, 3])
    assert isinstance(below, Violation)
    assert verify_violation(rows, (-2, -3, 2), below)


def test_the_dual_method_proves_emptiness() -> None:
    rows = [*UNIT_SQUARE, (-1, -1, -1)]  # u + v <= -1
    found = minimise(rows, (-2, -3, 7), basis_hint=[1, 3])
    assert isinstance(found, Infeasible)
    assert verify_infeasible(rows, 2, found)
    sign = nonnegative(rows, (-2, -3, -100), basis_hint=[1, 3])
    assert isinstance(sign, Infeasible)
    assert verify_infeasible(rows, 2, sign)
    for decide in (minimise, nonnegative):
        with pytest.raises(ValueError, match="violates row 4"):
            decide(rows, (-2, -3, -100), column([0, 0]), basis_hint=[1, 3])
    # a proof may come before the emptiness is noticed; it is a proof all the same
    vacuous = nonnegative(rows, (-2, -3, 2), basis_hint=[1, 3])
    assert isinstance(vacuous, Multipliers)
    assert verify_farkas(rows, (-2, -3, 2), vacuous)


def test_beale_cycles_without_blands_rule() -> None:
    # Beale 1955, in the form of Chvátal, Linear Programming (1983), chapter 3: the optimum is
    # -1/20 at (1/25, 0, 1, 0); the largest-coefficient rule cycles at the origin for ever.
    rows = [
        (-25, 6000, 4, -900, 0),  # x1/4 - 60 x2 - x3/25 + 9 x4 <= 0
        (-50, 9000, 2, -300, 0),  # x1/2 - 90 x2 - x3/50 + 3 x4 <= 0
        (0, 0, -1, 0, 1),
        *[tuple(int(j == i) for j in range(5)) for i in range(4)],
    ]
    objective = (-150, 30000, -4, 1200, 0)  # 200 times the usual one
    found = minimise(rows, objective, fmpq_mat(4, 1))
    assert isinstance(found, Minimum)
    assert verify_minimum(rows, objective, found)
    assert found.value == -10


@pytest.mark.parametrize("d", [2, 3, 5, 7])
def test_klee_minty(d: int) -> None:
    # Klee and Minty 1972: max Σ 2^(d-j) x_j, 2 Σ_{i<j} 2^(j-i) x_i + x_j <= 5^j; optimum 5^d
    rows = [tuple(int(j == i) for j in range(d + 1)) for i in range(d)]
    rows += [
        (*(-(2 ** (j - i + 1)) for i in range(j)), -1, *[0] * (d - 1 - j), 5 ** (j + 1))
        for j in range(d)
    ]
    objective = (*(-(2 ** (d - 1 - j)) for j in range(d)), 0)
    found = minimise(rows, objective, fmpq_mat(d, 1))
    assert isinstance(found, Minimum)
    assert verify_minimum(rows, objective, found)
    assert found.value == -(5**d)


def test_a_cell_without_vertices() -> None:
    strip = [(1, 1, 1), (-1, -1, 1)]  # |u + v| <= 1
    across = minimise(strip, (2, 2, 0))
    assert isinstance(across, Minimum)
    assert (across.value, len(across.basis)) == (-2, 1)
    along = minimise(strip, (1, 0, 0))
    assert isinstance(along, Unbounded)
    assert verify_unbounded(strip, (1, 0, 0), along)


def test_no_rows_and_no_dimensions() -> None:
    free = minimise([], (0, 0, 5))
    assert isinstance(free, Minimum)
    assert free.value == 5
    assert isinstance(minimise([], (0, 1, 5)), Unbounded)
    point = minimise([(3,)], (-4,))
    assert isinstance(point, Minimum)
    assert point.value == -4
    assert isinstance(minimise([(-3,)], (1,)), Infeasible)
    assert isinstance(nonnegative([(3,)], (-1,)), Violation)
    assert nonnegative([(3,)], (0,), basis_hint=[0]) == Multipliers(1, 0, (), ())


def test_falling_along_a_ray_gives_a_point_below_zero() -> None:
    rows = [(1, 0, 0), (0, 1, 0)]
    found = nonnegative(rows, (-1, 0, 10**6), column([1, 1]))
    assert isinstance(found, Violation)
    assert verify_violation(rows, (-1, 0, 10**6), found)


def test_strictly_inside() -> None:
    middle = column([Fraction(1, 2)] * 2)
    violation = nonnegative(UNIT_SQUARE, (10**9, 0, -1), middle)
    assert isinstance(violation, Violation)
    inner = strictly_inside(UNIT_SQUARE, (10**9, 0, -1), violation.point, middle)
    assert value_at((10**9, 0, -1), inner) < 0
    assert all(value_at(row, inner) > 0 for row in UNIT_SQUARE)
    with pytest.raises(ValueError, match="expected a negative value"):
        strictly_inside(UNIT_SQUARE, (1, 0, 0), middle, middle)


@pytest.mark.parametrize(
    ("rows", "objective", "start", "message"),
    [
        ([(1, 0)], (1, 0, 0), None, "a row has 2"),
        (Cell.from_rows([(1, 0)], 1), (1, 0, 0), None, "the rows have 2"),
        (UNIT_SQUARE, (1, 0, 0), column([2, 0]), "violates row 1"),
        (UNIT_SQUARE, (1, 0, 0), column([0, 0, 0]), r"expected \(2, 1\)"),
        (UNIT_SQUARE, (1, 0, 0), fmpq_mat(1, 2), r"shape \(1, 2\)"),
    ],
)
def test_wrong_input(rows: object, objective: object, start: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        minimise(rows, objective, start)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        nonnegative(rows, objective, start)  # type: ignore[arg-type]


# --- mutated certificates ------------------------------------------------------------------------


def _minimum() -> Minimum:
    found = minimise(UNIT_SQUARE, (-2, -3, 7))
    assert isinstance(found, Minimum)
    assert verify_minimum(UNIT_SQUARE, (-2, -3, 7), found)
    return found


@pytest.mark.parametrize(
    "change",
    [
        {"value": fmpq(1)},
        {"point": column([1, 0])},
        {"point": column([2, Fraction(1, 3)])},  # same value, outside
        {"point": column([1])},
        {"multipliers": Multipliers(1, 2, (1, 3), (2, 2))},
        {"multipliers": Multipliers(1, 1, (1, 3), (2, 3))},
        {"multipliers": Multipliers(1, 2, (1, 3), (2, 3, 0))},
    ],
)
def test_a_mutated_minimum_is_rejected(change: dict[str, object]) -> None:
    mutated = replace(_minimum(), **change)  # type: ignore[arg-type]
    assert not verify_minimum(UNIT_SQUARE, (-2, -3, 7), mutated)


@pytest.mark.parametrize(
    "change",
    [
        {"ray": (1, 0)},
        {"ray": (-1, 0)},
        {"ray": (0, -1)},
        {"ray": (1,)},
        {"point": column([-1, 0])},
    ],
)
def test_a_mutated_ray_is_rejected(change: dict[str, object]) -> None:
    quadrant = [(1, 0, 0), (0, 1, 0)]
    found = minimise(quadrant, (1, -1, 0))
    assert isinstance(found, Unbounded)
    assert verify_unbounded(quadrant, (1, -1, 0), found)
    assert not verify_unbounded(quadrant, (1, -1, 0), replace(found, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "proof",
    [
        Multipliers(1, 1, (0,), (1,)),
        Multipliers(1, 1, (0, 1), (1, 2)),
        Multipliers(1, 2, (0, 1), (1, 1)),
        Multipliers(1, 0, (), ()),
        Multipliers(1, -1, (0, 1), (-1, -1)),
    ],
)
def test_a_mutated_proof_of_emptiness_is_rejected(proof: Multipliers) -> None:
    rows = [(1, 0), (-1, -1)]
    found = minimise(rows, (0, 0))
    assert isinstance(found, Infeasible)
    assert verify_infeasible(rows, 1, found)
    assert not verify_infeasible(rows, 1, replace(found, multipliers=proof))


@pytest.mark.parametrize(
    "change",
    [{"value": fmpq(-2)}, {"point": column([1, 1])}, {"point": column([-1, 0])},
     {"point": column([0])}, {"value": fmpq(0)}],
)  # fmt: skip
def test_a_mutated_violation_is_rejected(change: dict[str, object]) -> None:
    found = nonnegative(UNIT_SQUARE, (1, 1, -1))
    assert isinstance(found, Violation)
    assert verify_violation(UNIT_SQUARE, (1, 1, -1), found)
    mutated = replace(found, **change)  # type: ignore[arg-type]
    assert not verify_violation(UNIT_SQUARE, (1, 1, -1), mutated)


@settings(max_examples=200)
@given(st.data())
def test_a_basis_is_solved_as_its_matrix_is_inverted(data: st.DataObject) -> None:
    """Rows of one coordinate, several of them, none of them, and coordinates that are held."""
    d = data.draw(st.integers(1, 5))
    small = st.integers(-3, 3)
    axis = st.builds(
        lambda j, v, b: (*(v if i == j else 0 for i in range(d)), b),
        st.integers(0, d - 1), st.sampled_from([-3, -2, -1, 1, 2]), small,
    )  # fmt: skip
    rows = data.draw(st.lists(axis | st.tuples(*[small] * (d + 1)), min_size=d, max_size=d + 3))
    start = Start(data.draw(st.tuples(*[small] * d)), data.draw(st.integers(1, 3)))
    held = data.draw(st.lists(st.integers(-d, len(rows) - 1), min_size=d, max_size=d))
    state = solve_basis(Cell.from_rows(rows, d), held, start)
    lines = [rows[i] if i >= 0 else start.held_row(-1 - i, d) for i in held]
    matrix = fmpq_mat(d, d, [fmpq(v) for line in lines for v in line[:d]])
    if matrix.det() == 0:
        assert state is None
        return
    assert state is not None
    assert state.den > 0
    inverse = matrix.inv()
    assert fmpq_mat(state.inverse) == inverse * fmpq(state.den)
    vertex = inverse * fmpq_mat(d, 1, [fmpq(-line[d]) for line in lines])
    assert [fmpq(v) / state.den for v in state.vertex.entries()] == [*vertex.entries(), 1]
