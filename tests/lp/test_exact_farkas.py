"""Farkas multipliers over proposed rows: found, minimal, verified, and rejected when changed."""

from __future__ import annotations

from fractions import Fraction

import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.lp.certificates import Minimum
from polyrank.lp.exact import farkas, minimise
from polyrank.lp.farkas import (
    Multipliers,
    integer_row,
    integer_row_from_floats,
    integer_rows,
    value_at,
    values_at,
    verify_farkas,
)
from polyrank.polyhedra.system import Inequalities, vector
from tests.lp.exact_cells import column, objectives, rows_of_cells


@settings(max_examples=200)
@given(st.data())
def test_any_rows_give_a_proof_exactly_if_they_can(data: st.DataObject) -> None:
    d, rows = data.draw(rows_of_cells())
    objective = data.draw(objectives(d))
    indices = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6)) if rows else []
    found = farkas(rows, indices, objective)
    least = minimise([rows[i] for i in indices], objective)
    if not isinstance(least, Minimum):
        assert found is None or verify_farkas(rows, objective, found, at_least=None)
        return
    # strong duality: bounded from below over these rows iff a combination of them
    assert found is not None
    assert verify_farkas(rows, objective, found, at_least=None)
    assert set(found.indices) <= set(indices)
    assert all(v > 0 for v in found.values)
    assert found.bound <= least.value
    assert found.bound == least.value or found.constant >= 0
    assert verify_farkas(rows, objective, found) == (found.constant >= 0)


@pytest.mark.parametrize(
    ("rows", "indices", "objective", "expected"),
    [
        # more rows than dimensions: the first basis fails, another does it
        ([(1, 0, 0), (-1, 0, 0), (0, 1, 0)], [1, 0, 2], (1, 1, 0), ((0, 2), (1, 1))),
        # parallel rows: only the tighter one proves it
        ([(1, 5), (1, 0)], [0, 1], (1, 0), ((1,), (1,))),
        # fewer rows than dimensions
        ([(1, 2, 3, 0)], [0], (2, 4, 6, 1), ((0,), (2,))),
        # no rows: a constant
        ([], [], (0, 0, 4), ((), ())),
        # a dependent row that is not needed
        ([(1, 0, 0), (0, 1, 0), (1, 1, 0)], [0, 1, 2], (1, 0, 0), ((0,), (1,))),
    ],
)
def test_singular_and_dependent_rows(
    rows: list[tuple[int, ...]],
    indices: list[int],
    objective: tuple[int, ...],
    expected: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    found = farkas(rows, indices, objective)
    assert found is not None
    assert verify_farkas(rows, objective, found)
    found = found.reduced()
    assert verify_farkas(rows, objective, found)
    assert (found.indices, found.values) == expected


@pytest.mark.parametrize(
    ("rows", "indices", "objective"),
    [
        ([(1, 0, 0), (0, 1, 0)], [0], (1, 1, 0)),  # not in the span
        ([(1, 0, 0), (0, 1, 0)], [0, 1], (1, -1, 0)),  # in the span, not in the cone
        ([(1, 0, 0)], [], (0, 1, 0)),
        ([(1, 0), (2, 0)], [0, 1], (-1, 0)),  # dependent, and not in the cone
        ([(1, 0, 0), (2, 0, 0)], [0, 1], (0, 1, 0)),  # dependent, and not in the span
    ],
)
def test_no_combination(
    rows: list[tuple[int, ...]], indices: list[int], objective: tuple[int, ...]
) -> None:
    assert farkas(rows, indices, objective) is None


ROWS = [(1, 0, 0), (0, 1, 0), (-1, -1, 1)]
OBJECTIVE = (-1, 1, 2)  # = 1 + 2 · row 1 + row 2


@pytest.mark.parametrize(
    "wrong",
    [
        Multipliers(0, 1, (1, 2), (2, 1)),
        Multipliers(-1, 1, (1, 2), (2, 1)),
        Multipliers(2, 1, (1, 2), (2, 1)),
        Multipliers(1, 0, (1, 2), (2, 1)),
        Multipliers(1, 2, (1, 2), (2, 1)),
        Multipliers(1, 1, (0, 2), (2, 1)),
        Multipliers(1, 1, (1, 2), (2, 2)),
        Multipliers(1, 1, (1, 2), (3, 1)),
        Multipliers(1, 1, (1, 2), (2,)),
        Multipliers(1, 1, (1, 3), (2, 1)),
        Multipliers(1, 1, (1, -1), (2, 1)),  # Python would take -1 for the last row
        Multipliers(1, 1, (1, 2, 0), (2, 1, -1)),
    ],
)
def test_mutated_multipliers_are_rejected(wrong: Multipliers) -> None:
    assert verify_farkas(ROWS, OBJECTIVE, Multipliers(1, 1, (1, 2), (2, 1)))
    assert not verify_farkas(ROWS, OBJECTIVE, wrong)
    assert not verify_farkas(ROWS, OBJECTIVE, wrong, at_least=None)


def test_a_negative_value_is_rejected_even_if_the_identity_holds() -> None:
    signed = Multipliers(1, 2, (0, 1), (-1, 1))
    assert not verify_farkas(ROWS, OBJECTIVE, signed)


def test_the_bound_is_part_of_the_claim() -> None:
    proof = Multipliers(2, 2, (1, 2), (4, 2))
    assert proof.bound == 1
    assert verify_farkas(ROWS, OBJECTIVE, proof, at_least=1)
    assert not verify_farkas(ROWS, OBJECTIVE, proof, at_least=2)
    below = Multipliers(1, -1, (1, 2), (2, 1))
    assert verify_farkas(ROWS, (-1, 1, 0), below, at_least=None)
    assert not verify_farkas(ROWS, (-1, 1, 0), below)


def test_rows_of_another_length_are_rejected() -> None:
    assert not verify_farkas([(1, 0)], (1, 0, 0), Multipliers(1, 0, (0,), (1,)))


def test_integer_rows_are_positive_multiples() -> None:
    assert integer_row([fmpq(2, 3), fmpq(-4, 9), fmpq(0)]) == (3, -2, 0)
    assert integer_row([fmpq(0), fmpq(0)]) == (0, 0)
    assert integer_row([fmpq(-6), fmpq(4)]) == (-3, 2)
    assert integer_row_from_floats([2.0**-200, -3 * 2.0**-199, 0.0]) == (1, -6, 0)
    assert integer_row_from_floats([]) == ()
    system = Inequalities.of(fmpq_mat(2, 1, [fmpq(1, 2), fmpq(0)]), fmpq_mat(2, 1, [3, 1]))
    assert integer_rows(system) == [(-1, 6), (0, 1)]
    assert integer_rows(Inequalities.of(fmpq_mat(1, 0), fmpq_mat(1, 1, [5]))) == [(1,)]
    wide = [fmpq(0)] * 100
    wide[3], wide[99] = fmpq(-1, 3), fmpq(5, 2)
    (row,) = integer_rows(Inequalities(100, (((3, wide[3]), (99, wide[99])),), (fmpq(1, 6),)))
    assert [row] == integer_rows(Inequalities.of(fmpq_mat(1, 100, wide), vector([fmpq(1, 6)])))
    assert {j: v for j, v in enumerate(row) if v} == {3: 2, 99: -15, 100: 1}


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4))
def test_floats_and_their_rationals_give_the_same_row(entries: list[float]) -> None:
    exact = [Fraction(v) for v in entries]
    rationals = [fmpq(v.numerator, v.denominator) for v in exact]
    assert integer_row_from_floats(entries) == integer_row(rationals)


def test_values() -> None:
    point = column([Fraction(1, 2), -1])
    assert value_at((2, 3, 4), point) == 2
    assert values_at([(0, 0, 7), (1, 0, 0)], point) == [7, fmpq(1, 2)]
