"""The float programs: what they propose, and that a failure proposes nothing."""

from __future__ import annotations

from typing import Any

import highspy
import numpy as np
import pytest

import polyrank as pr
from polyrank.lp.deadline import OutOfTimeError, time_limit
from polyrank.minrank import programs
from polyrank.minrank.cell import LiveCell, live_cell
from polyrank.minrank.hitting import points_with_few_live_units
from polyrank.minrank.milp import fewest_live_units
from polyrank.minrank.programs import ElasticProgram, Proposal, SlackProgram, unit_rows
from polyrank.network.normal_form import Network
from polyrank.posed.chart import chart
from tests.minrank.agreement import random_layer

NO_BITS = np.zeros(0, dtype=bool)


class Failed:
    """HiGHS that ends without an optimum."""

    simplex_iteration_count = 0

    def getInfo(self) -> Any:
        return self

    def getRunTime(self) -> float:
        return 0.0

    def run(self) -> None:
        pass

    def setOptionValue(self, name: str, value: Any) -> None:
        pass

    def getModelStatus(self) -> Any:
        return highspy.HighsModelStatus.kSolveError

    def changeColsCost(self, *arguments: Any) -> None:
        pass


def cell_of(net: Network, domain: Any) -> tuple[LiveCell, Any]:
    where = chart(domain, net.input_dim)
    box = None if where.lower is None else (where.lower, where.upper)
    return live_cell(net, where, NO_BITS, where.interior), box


def test_rows_of_length_one() -> None:
    rows = unit_rows([(3, 4, 10), (2**2000, 0, 2**2001), (0, 0, 5)], 2)
    assert rows.tolist() == [[0.6, 0.8, 2.0], [1.0, 0.0, 2.0], [0.0, 0.0, 0.0]]


def test_a_deep_point_and_a_contradiction() -> None:
    program = SlackProgram([(1, 0), (-1, 2), (-1, -1)], 1)
    found = program.solve(np.array([True, True, False]))
    assert found.point == pytest.approx((1.0,))
    found = program.solve(np.array([True, True, True]))
    assert found.point is None
    assert set(found.support) == {0, 2}
    assert program.solve(np.array([False, True, False])).point is not None


def test_failures_propose_nothing(monkeypatch: Any) -> None:
    program = SlackProgram([(1, 0)], 1)
    program._highs = Failed()
    assert program.solve(np.array([True])) == Proposal()
    elastic = ElasticProgram([(1, 0)], [(1, -1)], 1)
    elastic._highs = Failed()
    assert elastic.solve(np.ones(1)) is None
    cell, _ = cell_of(random_layer(2, 5), pr.Box(-1, 1))
    monkeypatch.setattr(programs.ElasticProgram, "solve", lambda self, weights: None)
    assert list(points_with_few_live_units(cell, 3, 0)) == []


def test_the_heuristic_ends_with_the_time() -> None:
    cell, _ = cell_of(random_layer(3, 9), pr.Box(-1, 1))
    with time_limit(0.0), pytest.raises(OutOfTimeError):
        list(points_with_few_live_units(cell, 3, 0))
    assert list(points_with_few_live_units(cell, 3, 0))


def test_no_units_no_points() -> None:
    net = Network.from_arrays([[[1.0, 0.0]]], [[0.0]])
    cell, _ = cell_of(net, pr.Box(-1, 1))
    assert list(points_with_few_live_units(cell, 3, 0)) == []


def test_a_solver_that_was_started_with_more_threads() -> None:
    class Busy:
        """Refuses to run on one thread."""

        threads = 1

        def setOptionValue(self, name: str, value: Any) -> None:
            assert name == "threads"
            self.threads = value

        def run(self) -> Any:
            return highspy.HighsStatus.kError if self.threads else highspy.HighsStatus.kOk

        def getModelStatus(self) -> Any:
            status = highspy.HighsModelStatus
            return status.kNotset if self.threads else status.kOptimal

    assert programs.attempt(Busy()) == highspy.HighsModelStatus.kOptimal


@pytest.mark.parametrize(("n", "units", "seed"), [(2, 12, 0), (3, 10, 1), (4, 9, 2)])
def test_the_fewest_live_units(n: int, units: int, seed: int) -> None:
    net = random_layer(n, units, seed)
    for domain in (pr.Box(-1, 1), pr.WholeSpace()):
        run = pr.enumerate_regions(net, domain)
        least = int(np.concatenate(list(run.codewords())).sum(axis=1).min())
        cell, box = cell_of(net, domain)
        found = fewest_live_units(cell, box, 10.0)
        assert found.point is not None
        live = net.layers[0].weight.approx @ np.array(found.point) + net.layers[0].bias.approx > 0
        assert live.sum() == least
        assert found.bound == (least if box is not None else None)


def test_a_cell_thinner_than_the_solver_can_see() -> None:
    cell, box = cell_of(random_layer(2, 4), pr.Box([0, 0], [1e-9, 1]))
    found = fewest_live_units(cell, box, 10.0)
    assert (found.point, found.bound) == (None, None)


def test_a_solver_that_ran_out_of_time_before_it_began() -> None:
    cell, box = cell_of(random_layer(8, 60), pr.Box(-1, 1))
    found = fewest_live_units(cell, box, 0.0)
    assert found.bound in (None, 0)
