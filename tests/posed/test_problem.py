"""A problem is posed once; engines refuse what they do not honour."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polyrank as pr
from polyrank.cells.search import ENGINES, search
from polyrank.errors import DomainError, EmptyDomainError, UnsupportedError
from polyrank.network.normal_form import Network, relu_layer
from polyrank.posed.problem import Problem

NET = Network((relu_layer([[1.0, 0.0], [1.0, 1.0]], [0.0, 0.0]), relu_layer([[1.0, -1.0]], [0.5])))
OPTIONS: dict[str, Any] = {"tasks": [], "budget": 1000, "rational": False, "jobs": 2}


def test_parts_are_made_once_and_belong_together() -> None:
    problem = Problem.on(NET, pr.Box(-1, 1), through_layer=1)
    assert problem.layers == 1
    assert problem.arrays is problem.arrays
    assert problem.arrays.units.tolist() == [2]
    assert problem.branch is problem.branch
    assert problem.first_rows.nrows() == 2
    assert len(problem.walls) == problem.chart.A.nrows() == 4
    assert problem.ranks.ranks(np.array([True, True]), np.zeros(2, bool)) == [2]


def test_errors_of_the_domain_come_where_it_is_asked_for() -> None:
    with pytest.raises(EmptyDomainError):
        Problem.on(NET, pr.Polytope([[1, 0], [-1, 0]], [-1, -1]))
    wide = Problem.on(NET, pr.Box(-(2**1000), 2**1000))
    with pytest.raises(DomainError, match="rescale"):
        _ = wide.cube


@pytest.mark.parametrize("engine", sorted(ENGINES))
@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_an_engine_honours_an_option_or_refuses_it(engine: str, option: str) -> None:
    problem = Problem.on(NET, pr.Box(-1, 1))
    found: list[Any] = []
    options = {option: OPTIONS[option]}
    if option not in ENGINES[engine].honours:
        with pytest.raises(UnsupportedError, match=f"does not take the option {option!r}"):
            search(problem, found.append, engine=engine, **options)
        assert not found
        return
    result = search(problem, found.append, engine=engine, **options)
    expected = 0 if option == "tasks" else search(problem, lambda _: None).regions
    assert result.regions == expected
    assert result.certified


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_auto_takes_an_engine_that_honours_the_option(option: str) -> None:
    problem = Problem.on(NET, pr.Box(-1, 1))
    result = search(problem, lambda _: None, **{option: OPTIONS[option]})
    assert result.regions == (0 if option == "tasks" else 6)  # four quadrants, two of them cut
