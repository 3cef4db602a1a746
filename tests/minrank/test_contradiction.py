"""Points and multipliers: every arm, and proposals that prove nothing."""

from __future__ import annotations

from typing import Any

import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.errors import UncertifiedError
from polyrank.lp.certificates import Infeasible
from polyrank.lp.farkas import Multipliers, value_at
from polyrank.minrank import contradiction as module
from polyrank.minrank.contradiction import contradiction, decide, proves_empty
from polyrank.minrank.programs import Proposal, SlackProgram
from tests.examples import layer, network
from tests.oracles import regions_by_generators

LEFT, RIGHT, FAR = (-1, 0), (1, 0), (1, -5)  # x < 0, x > 0, x > 5


def test_a_proposed_point_is_checked() -> None:
    assert decide([RIGHT, FAR], [0, 1], Proposal(point=(6.0,)), 1) == fmpq_mat(1, 1, [fmpq(6)])
    # outside: the exact program finds another one
    found = decide([RIGHT, FAR], [0, 1], Proposal(point=(4.0,)), 1)
    assert isinstance(found, fmpq_mat)
    assert value_at(FAR, found) > 0


@pytest.mark.parametrize(
    ("rows", "support"),
    [
        ([LEFT, RIGHT], (0, 1)),  # touching: constant 0
        ([LEFT, FAR], (1, 0)),  # apart: positive constant
        ([LEFT, RIGHT, FAR], (0, 1, 2)),  # dependent rows
        ([LEFT, RIGHT], ()),
        ([LEFT, RIGHT], (0,)),
        ([LEFT, FAR, (1, 5)], (2, 1)),  # proposed rows that do not contradict
    ],
)
def test_multipliers(rows: list[tuple[int, ...]], support: tuple[int, ...]) -> None:
    found = decide(rows, range(len(rows)), Proposal(support=support), 1)
    assert isinstance(found, Multipliers)
    assert proves_empty(rows, found, 1)


def test_only_rows_in_question_count() -> None:
    """Rows 0 and 1 contradict each other, but row 1 is not asked for."""
    found = decide([LEFT, RIGHT, (-2, 3)], [0, 2], Proposal(support=(0, 1)), 1)
    assert isinstance(found, fmpq_mat)
    assert value_at(LEFT, found) > 0
    touching = decide([LEFT, FAR, RIGHT], [0, 2], Proposal(support=(0, 1)), 1)
    assert isinstance(touching, Multipliers)
    assert set(touching.indices) == {0, 2}


def test_what_is_no_contradiction() -> None:
    assert contradiction([LEFT, RIGHT], ()) is None
    assert contradiction([LEFT, (1, 3)], (0, 1)) is None  # −3 < x < 0
    assert contradiction([RIGHT, FAR], (0, 1)) is None


def test_what_does_not_prove_emptiness() -> None:
    rows = [LEFT, RIGHT]
    assert proves_empty(rows, Multipliers(1, 0, (0, 1), (1, 1)), 1)
    assert not proves_empty(rows, Multipliers(1, 0, (0, 1), (1, 2)), 1)  # no identity
    assert not proves_empty(rows, Multipliers(1, 0, (), ()), 1)  # 0 = 0
    assert not proves_empty([LEFT, (1, 3)], Multipliers(1, -3, (0, 1), (1, 1)), 1)  # negative


def test_a_wrong_exact_certificate_is_an_error(monkeypatch: Any) -> None:
    wrong = Infeasible(Multipliers(1, 1, (0,), (1,)), 0)
    monkeypatch.setattr(module, "interior_point", lambda cell: wrong)
    with pytest.raises(UncertifiedError, match="failed its own check"):
        decide([LEFT, RIGHT], [0, 1], Proposal(), 1)


@settings(max_examples=100)
@given(st.data())
def test_random_rows_against_double_description(data: st.DataObject) -> None:
    k = data.draw(st.integers(1, 3))
    row = st.tuples(*[st.integers(-2, 2)] * k, st.integers(-2, 2)).filter(lambda r: any(r[:k]))
    rows = data.draw(st.lists(row, min_size=1, max_size=7))
    net = network(layer([r[:k] for r in rows], [r[k] for r in rows]))
    exists = (1,) * len(rows) in regions_by_generators(net)
    found = decide(rows, range(len(rows)), SlackProgram(rows, k).solve(_all(rows)), k)
    if exists:
        assert isinstance(found, fmpq_mat)
        assert all(value_at(r, found) > 0 for r in rows)
    else:
        assert isinstance(found, Multipliers)
        assert proves_empty(rows, found, k)


def _all(rows: Any) -> Any:
    import numpy as np

    return np.ones(len(rows), dtype=bool)
