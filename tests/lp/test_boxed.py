"""Linear programs over boxes: the general exact method and certificates as second opinions."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq
from scipy.optimize import linprog

from polyrank.lp import boxed
from polyrank.lp.boxed import BoxedCell
from polyrank.lp.certificates import (
    Infeasible,
    Minimum,
    Violation,
    verify_infeasible,
    verify_minimum,
    verify_violation,
)
from polyrank.lp.deadline import OutOfTimeError, time_limit
from polyrank.lp.exact import minimise
from polyrank.lp.farkas import Multipliers, integer_row, verify_farkas


def box_rows(low: list[int], high: list[int]) -> list[tuple[int, ...]]:
    d = len(low)
    rows = []
    for l in range(d):
        for sign, end in ((1, low[l]), (-1, high[l])):
            unit = [0] * d
            unit[l] = sign
            rows.append((*unit, -sign * end))
    return rows


def drawn(seed: int) -> tuple[list[tuple[int, ...]], tuple[int, ...]]:
    """A box with small integers, some of whose sides are fixed, and rows with many ties."""
    rng = np.random.default_rng(seed)
    d, m = int(rng.integers(1, 6)), int(rng.integers(0, 7))
    low = rng.integers(-2, 1, d)
    high = low + rng.integers(0, 3, d)
    rows = box_rows(low.tolist(), high.tolist())
    for _ in range(m):
        row = rng.integers(-2, 3, d + 1)
        if rng.random() < 0.3:  # degenerate: through a corner of the box
            corner = np.where(rng.random(d) < 0.5, low, high)
            row[-1] = -int(row[:-1] @ corner)
        rows.append(tuple(row.tolist()))
        if rng.random() < 0.2:
            rows.append(tuple((-row).tolist()))
    order = rng.permutation(len(rows)).tolist()
    return [rows[i] for i in order], tuple(rng.integers(-3, 4, d + 1).tolist())


@pytest.mark.parametrize("block", range(10))
def test_the_general_method_agrees(block):
    kinds = set()
    for seed in range(40 * block, 40 * block + 40):
        rows, objective = drawn(seed)
        d = len(objective) - 1
        cell, known = BoxedCell(rows, d), minimise(rows, objective)
        found = cell.minimise(objective)
        assert type(found) is type(known)
        kinds.add(type(found))
        decided = cell.nonnegative(objective)
        if isinstance(found, Infeasible):
            assert verify_infeasible(rows, d, found)
            assert isinstance(decided, Infeasible | Multipliers)
            continue
        assert isinstance(found, Minimum)
        assert isinstance(known, Minimum)
        assert found.value == known.value
        assert verify_minimum(rows, objective, found)
        if found.value >= 0:
            assert isinstance(decided, Multipliers)
            assert verify_farkas(rows, objective, decided)
        else:
            assert isinstance(decided, Violation)
            assert verify_violation(rows, objective, decided)
    assert kinds == {Minimum, Infeasible}


def test_a_cell_grows():
    for seed in range(20):
        rows, objective = drawn(seed)
        d = len(objective) - 1
        known = box_rows([-2] * d, [2] * d)
        cell = BoxedCell(known, d)
        for row in rows:
            before, cell = cell, cell.extended(row)
            assert before.minimise(objective) == BoxedCell(known, d).minimise(objective)
            known.append(row)
            assert cell.minimise(objective) == BoxedCell(known, d).minimise(objective)


@pytest.mark.parametrize("d", [100, 784])
def test_many_coordinates(d):
    rng = np.random.default_rng(d)
    rows = box_rows([-8] * d, [8] * d)
    general = rng.integers(-9, 10, (12, d + 1))
    rows += [tuple(row.tolist()) for row in general]
    objective = tuple(rng.integers(-9, 10, d + 1).tolist())
    found = BoxedCell(rows, d).minimise(objective)
    assert isinstance(found, Minimum)
    assert verify_minimum(rows, objective, found)
    float_ = linprog(objective[:-1], -general[:, :-1], general[:, -1], bounds=(-8, 8))
    assert float(found.value.p) / float(found.value.q) == pytest.approx(float_.fun + objective[-1])


@pytest.mark.parametrize("block", range(4))
def test_whatever_basis_is_proposed(block, monkeypatch):
    """Answers are those of the general method from any start, and carry their certificates."""
    dice = np.random.default_rng(block)
    used = 0

    def drawn_basis(cell, objective):
        nonlocal used
        size = int(dice.integers(0, min(cell.d, len(cell.general)) + 1))
        used += size > 0
        return (
            dice.permutation(len(cell.general))[:size].tolist(),
            dice.permutation(cell.d)[:size].tolist(),
            (dice.random(cell.d) < 0.5).tolist(),
        )

    monkeypatch.setattr(boxed, "_proposed", drawn_basis)
    for seed in range(500 + 50 * block, 550 + 50 * block):
        rows, objective = drawn(seed)
        known = minimise(rows, objective)
        found = BoxedCell(rows, len(objective) - 1).minimise(objective)
        assert type(found) is type(known)
        if isinstance(found, Minimum):
            assert found.value == known.value
            assert verify_minimum(rows, objective, found)
        else:
            assert verify_infeasible(rows, len(objective) - 1, found)
    assert used > 5


@pytest.mark.parametrize("exponent", [-900, -400, 0, 400, 900])
def test_coordinates_of_any_size(exponent):
    """Where floats have no proposal the corner is the start."""
    size = fmpq(2) ** exponent
    for seed in range(10):
        rows, objective = drawn(seed)
        d = len(objective) - 1
        moved = [integer_row([*(fmpq(v) / size for v in row[:-1]), fmpq(row[-1])]) for row in rows]
        wanted = [*(fmpq(v) / size for v in objective[:-1]), fmpq(objective[-1])]
        scaled = integer_row(wanted)
        found, known = BoxedCell(moved, d).minimise(scaled), minimise(rows, objective)
        assert type(found) is type(known)
        if isinstance(found, Minimum):
            factors = {a / b for a, b in zip(scaled, wanted, strict=True) if b != 0}
            assert len(factors) <= 1
            assert found.value == known.value * (*factors, 0)[0]
            assert verify_minimum(moved, scaled, found)


def test_a_coordinate_that_only_the_objective_holds():
    """max t with t ≤ x, t ≤ 1 − x, t ≤ 1: at x = 1/2."""
    rows = [*((*r[:-1], 0, r[-1]) for r in box_rows([0], [1])),
            (1, -1, 0), (-1, -1, 1), (0, -1, 1)]  # fmt: skip
    found = BoxedCell(rows, 2).minimise((0, -1, 0))
    assert isinstance(found, Minimum)
    assert found.value == fmpq(-1, 2)
    assert verify_minimum(rows, (0, -1, 0), found)
    with pytest.raises(ValueError, match="coordinate 1 has no lower bound"):
        BoxedCell(rows, 2).minimise((0, 1, 0))


def test_a_time_limit_ends_it():
    rows, objective = drawn(3)
    with time_limit(0.0), pytest.raises(OutOfTimeError):
        BoxedCell(rows, len(objective) - 1).minimise(objective)
