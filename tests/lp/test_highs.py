"""HiGHS as a source of proposals: rows come and go, and every failure is no proposal."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import highspy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.lp import highs
from polyrank.lp.exact import farkas, minimise
from polyrank.lp.exact_simplex import Cell
from polyrank.lp.highs import HighsModel
from tests.conftest import ROOT
from tests.lp.exact_cells import Rows, objectives, rows_of_cells

SQUARE = [(1.0, 0.0, 1.0), (-1.0, 0.0, 1.0), (0.0, 1.0, 1.0), (0.0, -1.0, 1.0)]
CORNER = (0, 2)
Status = highspy.HighsStatus


def _floats(rows: Any) -> list[tuple[float, ...]]:
    return [tuple(float(v) for v in row) for row in rows]


def _vertex(rows: Any, basis: tuple[int, ...]) -> Any:
    """The common point of d rows, in floats."""
    A = np.array([rows[i] for i in basis], dtype=float)
    return np.linalg.solve(A[:, :-1], -A[:, -1])


@settings(max_examples=60)
@given(st.data())
def test_an_honest_proposal_is_a_basis_of_the_exact_minimum(data: st.DataObject) -> None:
    drawn: tuple[int, Rows] = data.draw(rows_of_cells(bounded=True))
    d, rows = drawn
    objective = data.draw(objectives(d))
    basis = HighsModel(d).minimise(_floats(rows), [float(v) for v in objective[:d]])
    if basis is None:  # an empty cell
        return
    found = minimise(Cell.from_rows(rows, d), objective)
    proof = farkas(rows, basis, objective)
    assert len(basis) <= d
    assert proof is not None
    assert proof.bound == found.value  # type: ignore[union-attr]


def test_rows_that_come_and_go_leave_no_trace() -> None:
    """One warm model through 200 cells of a random walk, a fresh model for each: one value."""
    rng = random.Random(0)
    warm = HighsModel(2)
    rows = list(SQUARE)
    for _ in range(200):
        del rows[rng.randint(4, len(rows)) :]
        new = range(rng.randint(0, 3))
        rows += [(rng.uniform(-1, 1), rng.uniform(-1, 1), rng.random()) for _ in new]
        objective = [rng.uniform(-1, 1), rng.uniform(-1, 1)]
        found, fresh = warm.minimise(rows, objective), HighsModel(2).minimise(rows, objective)
        assert found is not None
        assert fresh is not None
        points = [_vertex(rows, basis) for basis in (found, fresh)]
        values = [np.dot(objective, point) for point in points]
        assert values[0] == pytest.approx(values[1], abs=1e-9)
        assert all(np.dot(row[:2], points[0]) + row[2] > -1e-8 for row in rows)
    assert warm.failures == 0
    assert warm.pivots > 0


def test_an_equal_row_is_another_row() -> None:
    """Rows are compared by identity; equal copies are exchanged, and nothing changes."""
    model = HighsModel(2)
    assert model.minimise(SQUARE, (1.0, 1.0)) == CORNER
    assert model.minimise([(*row,) for row in map(list, SQUARE)], (1.0, 1.0)) == CORNER


@pytest.mark.parametrize(
    ("rows", "objective"),
    [
        (SQUARE[:1], (-1.0, 0.0)),  # unbounded
        ([*SQUARE, (1.0, 0.0, -2.0)], (1.0, 0.0)),  # empty
        ([*SQUARE, (float("inf"), 0.0, 0.0)], (1.0, 0.0)),  # refused by HiGHS
    ],
)
def test_whatever_is_not_optimal_is_no_proposal(rows: Any, objective: Any) -> None:
    model = HighsModel(2)
    assert model.minimise(rows, objective) is None
    assert model.failures == 1
    assert model.minimise(SQUARE, (1.0, 1.0)) == CORNER


class Broken(highs._Silent):
    """HiGHS with one method replaced, on the calls that ``when`` selects (1-based)."""

    method = ""
    when: tuple[int, ...] = ()
    answer: Any = None
    calls = 0

    def __getattribute__(self, name: str) -> Any:
        honest = super().__getattribute__(name)
        if name != Broken.method:
            return honest
        Broken.calls += 1
        if Broken.calls not in Broken.when:
            return honest

        def broken(*args: Any) -> Any:
            if isinstance(Broken.answer, Exception):
                raise Broken.answer
            return Broken.answer(honest, *args) if callable(Broken.answer) else Broken.answer

        return broken


def _break(
    monkeypatch: pytest.MonkeyPatch, method: str, answer: Any, when: tuple[int, ...]
) -> None:
    monkeypatch.setattr(highs, "_Silent", Broken)
    for name, value in (("method", method), ("answer", answer), ("when", when), ("calls", 0)):
        monkeypatch.setattr(Broken, name, value)


class _Shape:
    """A basis or solution of the wrong shape."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


BASIC = highspy.HighsBasisStatus.kBasic


@pytest.mark.parametrize(
    ("method", "answer", "when"),
    [
        ("setOptionValue", Status.kError, (1,)),
        ("addVars", Status.kError, (1,)),
        ("addRow", Status.kError, (2,)),
        ("changeColsCost", Status.kError, (1,)),
        ("run", Status.kError, (2,)),
        ("run", RuntimeError("thrown inside"), (2,)),
        ("run", ValueError("thrown inside"), (2,)),
        ("run", IndexError("thrown inside"), (2,)),
        ("addRow", TypeError("not an array"), (1,)),
        ("getModelStatus", highspy.HighsModelStatus.kIterationLimit, (1,)),
        ("getModelStatus", highspy.HighsModelStatus.kSolveError, (1,)),
        ("getModelStatus", highspy.HighsModelStatus.kUnknown, (1,)),
        ("getModelStatus", highspy.HighsModelStatus.kObjectiveBound, (1,)),
        ("getModelStatus", highspy.HighsModelStatus.kInfeasible, (1,)),
        ("getBasis", lambda honest: _Shape(row_status=[]), (1,)),
        ("getBasis", lambda honest: _Shape(row_status=[BASIC] * 9), (1,)),
    ],
)
def test_every_failure_is_no_proposal_and_the_next_call_starts_afresh(
    monkeypatch: pytest.MonkeyPatch, method: str, answer: Any, when: tuple[int, ...]
) -> None:
    _break(monkeypatch, method, answer, when)
    model = HighsModel(2)
    assert model.minimise(SQUARE, (1.0, 1.0)) is None
    assert model.failures == 1
    assert model.minimise(SQUARE, (1.0, 1.0)) == CORNER
    assert model.failures == 1


def test_rows_that_cannot_be_deleted_start_a_fresh_model(monkeypatch: pytest.MonkeyPatch) -> None:
    _break(monkeypatch, "deleteRows", Status.kError, (1,))
    model = HighsModel(2)
    assert model.minimise([*SQUARE, (1.0, 0.0, 0.5)], (1.0, 1.0)) is not None
    assert model.minimise(SQUARE, (1.0, 1.0)) is None
    assert model.minimise(SQUARE, (1.0, 1.0)) == CORNER


def test_a_refused_number_of_threads_is_left_to_highs(monkeypatch: pytest.MonkeyPatch) -> None:
    _break(monkeypatch, "run", Status.kError, (1,))
    model = HighsModel(2)
    assert model.minimise(SQUARE, (1.0, 1.0)) == CORNER
    assert model._highs.getOptionValue("threads") == (Status.kOk, 0)


def test_a_scheduler_with_other_threads_is_put_up_with() -> None:
    """HiGHS refuses another number of threads than the process started with; see its FAQ."""
    code = """
import highspy, numpy as np
first = highspy.Highs()
first.setOptionValue("output_flag", False)
first.setOptionValue("threads", 3)
first.setOptionValue("parallel", "on")
first.addVars(1, np.zeros(1), np.ones(1))
first.run()
from polyrank.lp.highs import HighsModel
model = HighsModel(1)
print(model.minimise([(1.0, 0.0), (-1.0, 0.5)], (-1.0,)), model.failures)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split("\n")[-2] == "(1,) 0", done.stderr


def test_nothing_is_printed_not_even_while_a_model_is_made() -> None:
    code = """
from polyrank.lp.highs import HighsModel
from polyrank.minrank.programs import solver
model = HighsModel(1)
model.minimise([(1.0, 0.0), (-1.0, 0.5)], (-1.0,))
solver(time_limit=1.0).run()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
