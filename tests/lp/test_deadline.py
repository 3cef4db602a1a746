"""One time limit: it nests, it ends rational work and solvers, and without one nothing happens."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest

from polyrank.lp import deadline
from polyrank.lp.deadline import OutOfTimeError, elimination_seconds, look, seconds_left, time_limit
from polyrank.lp.exact import minimise
from polyrank.lp.exact_simplex import Cell
from polyrank.minrank.programs import SlackProgram


def test_without_a_limit() -> None:
    look(1e9)
    assert seconds_left() == math.inf


def test_limits_nest_and_end() -> None:
    with time_limit(1000.0):
        with time_limit(2000.0):
            assert seconds_left() <= 1000.0
        with time_limit(0.0):
            assert seconds_left() == 0.0
            with pytest.raises(OutOfTimeError):
                look()
        look()
        with pytest.raises(OutOfTimeError):
            look(1001.0)
    assert seconds_left() == math.inf


def test_a_step_that_would_take_too_long_is_not_begun() -> None:
    """An exact program in 400 dimensions: an elimination takes minutes and cannot be cut off."""
    d = 400
    assert elimination_seconds(d, 2 * d) > 100.0
    rng = np.random.default_rng(0)
    rows = [(*map(int, r), 1) for r in rng.integers(-(2**24), 2**24, (d + 1, d)).tolist()]
    begun = time.perf_counter()
    with time_limit(5.0), pytest.raises(OutOfTimeError):
        minimise(Cell.from_rows(rows, d), (1,) * d + (0,), basis_hint=range(d), vertex=False)
    assert time.perf_counter() - begun < 5.0


def test_a_solver_returns_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = [tuple(r) for r in rng.integers(-(2**20), 2**20, (300, 61)).tolist()]
    looks: list[float] = []
    program = SlackProgram(rows, 60)
    whole = program.solve(np.ones(300, dtype=bool))
    monkeypatch.setattr("polyrank.minrank.programs.SLICE", 1e-3)
    monkeypatch.setattr("polyrank.minrank.programs.look", lambda: looks.append(0.0))
    sliced = SlackProgram(rows, 60).solve(np.ones(300, dtype=bool))
    assert len(looks) > 1
    assert (sliced.point is None) == (whole.point is None)
    assert set(sliced.support) == set(whole.support)


def test_a_solver_ends_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = [tuple(r) for r in rng.integers(-(2**20), 2**20, (300, 61)).tolist()]
    program = SlackProgram(rows, 60)
    with time_limit(0.0), pytest.raises(OutOfTimeError):
        program.solve(np.ones(300, dtype=bool))
    clock: Any = iter([0.0, 0.0, 0.0, *[1.0] * 99])
    monkeypatch.setattr(deadline.time, "perf_counter", lambda: next(clock))
    with time_limit(0.5), pytest.raises(OutOfTimeError):
        look()
        look()
        look()
