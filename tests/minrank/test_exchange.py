"""Exchange: ever fewer live units, strictly inside; the answer stays the proved one."""

from __future__ import annotations

import numpy as np
import pytest

import polyrank as pr
from polyrank.lp.deadline import OutOfTimeError, time_limit
from polyrank.lp.farkas import value_at
from polyrank.minrank import minimum as module
from polyrank.minrank.cell import live_cell
from polyrank.minrank.exchange import points_by_exchange
from polyrank.posed.section import chart_for

NO_BITS = np.zeros(0, dtype=bool)
BOX = pr.Box(-5, 5)


def cell_of(arch: str, seed: int):
    net = pr.random_network(arch, seed=seed)
    where = chart_for(net, BOX)
    return live_cell(net, where, NO_BITS, where.interior)


@pytest.mark.parametrize("seed", range(4))
def test_fewer_and_fewer(seed: int) -> None:
    cell = cell_of("6-24", seed)
    numbers = np.arange(len(cell.switching))
    start = np.array([i for i in numbers if value_at(cell.switching[i], cell.inside) > 0])
    last = len(start)
    for point in points_by_exchange(cell, start, seed, stale=20):
        assert all(value_at(row, point) > 0 for row in cell.walls)
        live = sum(value_at(row, point) > 0 for row in cell.switching)
        assert live < last
        last = live
    assert last < len(start)


def test_nothing_to_give_up_and_no_time() -> None:
    cell = cell_of("3-5", 0)
    assert list(points_by_exchange(cell, np.zeros(0, dtype=np.int64), 0)) == []
    with time_limit(0.0), pytest.raises(OutOfTimeError):
        next(points_by_exchange(cell, np.arange(3), 0))


@pytest.mark.parametrize("seed", range(3))
def test_the_proved_rank_is_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    net = pr.random_network("4-14", seed=seed)
    plain = pr.minimum_rank(net, BOX)
    assert plain.certified
    monkeypatch.setattr(module, "_EXCHANGE_AFTER", -1.0)
    found = pr.minimum_rank(net, BOX, attempts=0)
    assert found.certified
    assert found.lower == plain.lower == min(pr.enumerate_regions(net, BOX).rank_histogram(1))
