"""The greatest rank: against an oracle's list of all regions, and every arm of its search."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings

import polyrank as pr
from polyrank.minrank import maximum as module
from polyrank.minrank.cell import live_cell, region_at
from polyrank.minrank.conflicts import ConflictSearch
from polyrank.minrank.maximum import MaximumRankInterrupted, maximum_rank
from polyrank.network.normal_form import Network, relu_layer
from polyrank.posed.section import chart_for
from tests.examples import EXAMPLES, Example, Space, box, layer, network
from tests.minrank.agreement import check_region, through, truth
from tests.strategies import problems

NO_BITS = np.zeros(0, dtype=bool)


def agrees(net: Network, space: Space, depth: int, **options: Any) -> None:
    regions = truth(through(net, depth), space)
    greatest = max(regions.values())
    found = maximum_rank(net, space.domain(), layer=depth, **options)
    assert found.certified
    assert (found.lower, found.upper, found.best.rank) == (greatest,) * 3
    check_region(net, space, depth, found.best, regions)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_examples(example: Example) -> None:
    for depth in range(1, len(example.network.layers) + 1):
        agrees(example.network, example.space, depth)


@settings(max_examples=30)
@given(problems())
def test_it_is_the_greatest_rank_of_any_region(problem: tuple[Network, Space]) -> None:
    net, space = problem
    for depth in range(1, len(net.layers) + 1):
        agrees(net, space, depth)


@settings(max_examples=40)
@given(problems())
def test_without_good_guesses_the_search_decides(problem: tuple[Network, Space]) -> None:
    """Nothing promising is proposed: branch and bound on every cell."""
    net, space = problem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module._Maximum, "_promising", lambda self, seed, attempts: iter(()))
        for depth in range(1, len(net.layers) + 1):
            agrees(net, space, depth)


@settings(max_examples=30)
@given(problems())
def test_every_threshold_on_one_cell(problem: tuple[Network, Space]) -> None:
    net, space = problem
    first = through(net, 1)
    greatest = max(truth(first, space).values())
    where = chart_for(first, space.domain())
    cell = live_cell(first, where, NO_BITS, where.interior)
    search = ConflictSearch(cell)
    for r in range(search.most + 2):
        point = search.above(r)
        assert (point is None) == (r > greatest)
        if point is not None:
            assert region_at(first, where, point, cell.walls).rank >= r


def test_units_that_exclude_one_another() -> None:
    """Strips x_i > 1 and x_i < −1 in the plane: never both, so rank 2 with 4 units of 8 live."""
    rows = [[1, 0], [-1, 0], [0, 1], [0, -1]]
    net = network(layer(rows, [-1] * 4))
    where = chart_for(net, pr.WholeSpace())
    search = ConflictSearch(live_cell(net, where, NO_BITS, where.interior))
    assert search.most == 2
    assert search.above(2) is not None
    assert search.above(3) is None
    # in the strip |y| < 1 only one direction can be live
    agrees(net, box([-3, -1], [3, 1]), 1)


def test_structure_and_intervals_bound_it_at_once() -> None:
    """Rank 1 by the second layer; on [0, 1]² the first unit is never live."""
    net = network(layer([[1, 1], [1, 0], [0, 1]], [-3, 1, 1]), layer([[1, 1, 1]], [0]))
    found = maximum_rank(net, pr.Box(0, 1), layer=2)
    assert (found.lower, found.upper, found.cells) == (1, 1, 0)
    flat = maximum_rank(network(layer([[1, 1]], [-3])), pr.Box(0, 1))
    assert (flat.lower, flat.upper, flat.programs) == (0, 0, 0)


@pytest.mark.parametrize("widths", [(10, 25), (25, 50), (50, 100)])
def test_the_papers_sizes(widths: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    m, n = widths
    net = Network((relu_layer(rng.uniform(-1, 1, (n, m)), rng.uniform(-1, 1, n)),))
    found = maximum_rank(net, pr.Box(-5, 5))
    assert (found.lower, found.upper) == (m, m)


def test_out_of_time_the_interval_stays_honest(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network(layer([[1, 0], [-1, 0], [0, 1], [0, -1]], [-1] * 4))
    found = maximum_rank(net, pr.Box([-3, -1], [3, 1]), seconds=0.0)
    assert not found.certified
    assert 0 <= found.lower <= 1 <= found.upper
    assert found.summary()["certified"] is False


def test_a_deep_witness() -> None:
    found = maximum_rank(network(layer([[1, 0], [0, 1]], [0, 0])), pr.Box(-1, 1), deep=True)
    assert found.deep is not None
    assert found.deep.depth.value > fmpq(49, 100)  # the middle of the square [0, 1]²
    assert found.summary()["deep"]["unbounded"] is False


def test_there_is_no_such_layer() -> None:
    with pytest.raises(pr.NetworkError, match="no layer 2"):
        maximum_rank(network(layer([[1]], [0])), layer=2)


def test_interrupted_it_says_what_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network(layer([[1, 0], [-1, 0], [0, 1], [0, -1]], [-1] * 4))

    def press(self: Any, seed: int, attempts: int) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(0.2)
        self.interrupt.check()
        return iter(())

    monkeypatch.setattr(module._Maximum, "_promising", press)
    with pytest.raises(MaximumRankInterrupted, match="greatest rank is in") as left:
        maximum_rank(net, pr.Box([-3, -1], [3, 1]))
    assert left.value.found.upper == 1  # on |y| < 1 the last two units are never live
