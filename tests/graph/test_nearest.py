"""The nearest low-rank point against geometry known by hand and against exact brute force."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

import polyrank as pr
from polyrank.errors import DomainError, RunError
from polyrank.graph.build import region_graph
from polyrank.graph.geometry import Regions
from polyrank.graph.nearest import nearest_low_rank
from polyrank.lp.farkas import value_at
from polyrank.network.normal_form import Network
from tests.examples import layer, network


def _regions(net: Network, domain: Any = None) -> Regions:
    run = pr.enumerate_regions(net, domain)
    return Regions(run, net, region_graph(run, net))


def _brute_force(regions: Regions, point: list[fmpq], low: list[int]) -> fmpq:
    """Least squared distance to a closed region in R^n: over all sets of at most n tight facets."""
    n = len(point)
    x = fmpq_mat(n, 1, point)
    best: fmpq | None = None
    for r in low:
        rows = regions.rows(r)
        for size in range(n + 1):
            for chosen in combinations(rows, size):
                y = x
                if size:
                    a = fmpq_mat(size, n, [fmpq(v) for row in chosen for v in row[:n]])
                    b = fmpq_mat(size, 1, [fmpq(row[n]) for row in chosen])
                    gram = a * a.transpose()
                    if gram.rank() < size:
                        continue
                    y = x - a.transpose() * gram.solve(a * x + b)
                if all(value_at(row, y) >= 0 for row in rows):
                    square = sum(
                        ((u - v) ** 2 for u, v in zip(y.entries(), point, strict=True)), fmpq(0)
                    )
                    best = square if best is None else min(best, square)
    assert best is not None
    return best


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [2, 3])
def test_exact_brute_force(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = [(4, n), (3, 4), (1, 3)]
    net = Network.from_arrays(
        [rng.integers(-4, 5, size=s) / 4 for s in shapes],
        [rng.integers(-4, 5, size=s[0]) / 4 for s in shapes],
    )
    regions = _regions(net, pr.Box(-2, 2))
    rank = np.asarray(regions.run.table.column("rank_2"))
    low = np.flatnonzero(rank < n).tolist()
    for _ in range(3):
        point = [fmpq(int(v), 7) for v in rng.integers(-30, 31, size=n)]
        found = nearest_low_rank(regions, point, n, 2)
        if not low:
            assert found is None
            continue
        assert found is not None
        assert rank[found.region] == found.rank < n
        assert all(
            value_at(row, fmpq_mat(n, 1, list(found.y))) >= 0 for row in regions.rows(found.region)
        )
        assert found.x == found.y  # the chart of a box is the input space
        least = _brute_force(regions, point, low)
        assert found.distance_squared >= least
        if found.proved:
            assert found.distance_squared == least
        assert found.proved


def test_on_a_slice_the_distance_is_that_of_the_input_space() -> None:
    # the plane (u, 2 u, 1 + v); rank 0 where u ≤ 0; from (1, 2, 5) to (0, 0, 5): 5
    net = network(layer([[1, 0, 0]], [0]))
    where = pr.Slice(origin=[0, 0, 1], basis=[[1, 0], [2, 0], [0, 1]])
    found = nearest_low_rank(_regions(net, where), [fmpq(1), fmpq(2), fmpq(5)], 1)
    assert found is not None
    assert found.x == (0, 0, 5)
    assert (found.distance_squared, found.proved) == (5, True)
    # a point off the plane: its distance to it adds up
    off = nearest_low_rank(_regions(net, where), [fmpq(3), fmpq(1), fmpq(5)], 1)
    assert off is not None
    assert (off.x, off.distance_squared) == ((0, 0, 5), 10)


def test_a_point_inside_is_its_own_nearest() -> None:
    net = network(layer([[1], [-1]], [0, 0]), layer([[1, 1]], [-1]))
    found = nearest_low_rank(_regions(net, pr.Box(-3, 3)), [fmpq(1, 3)], 1)
    assert found is not None
    assert (found.y, found.distance_squared, found.proved) == ((fmpq(1, 3),), 0, True)
    assert found.programs == 1


def test_a_point_too_far_for_floats() -> None:
    """From (10^400, 0) to the quadrant x ≤ 0, y ≤ 0: exactly 10^400."""
    regions = _regions(network(layer([[1, 0], [0, 1]], [0, 0])), pr.Box(-2, 2))
    far = fmpq(10) ** 400
    found = nearest_low_rank(regions, [far, fmpq(0)], 1)
    assert found is not None
    assert (found.y, found.distance_squared, found.proved) == ((0, 0), far * far, True)


def test_a_run_that_is_not_certified_proves_no_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    regions = _regions(network(layer([[1, 0], [0, 1]], [0, 0])), pr.Box(-2, 2))
    monkeypatch.setattr(type(regions.run), "certified", False)
    found = nearest_low_rank(regions, [fmpq(1), fmpq(1)], 1)
    assert found is not None
    assert (found.distance_squared, found.proved) == (2, False)


def test_what_is_refused() -> None:
    regions = _regions(network(layer([[1]], [0])))
    with pytest.raises(RunError, match="layer 2 is not part of this run"):
        nearest_low_rank(regions, [fmpq(1)], 1, 2)
    with pytest.raises(DomainError, match="has 2 coordinates, expected 1"):
        nearest_low_rank(regions, [fmpq(1), fmpq(2)], 1)
    assert nearest_low_rank(regions, [fmpq(1)], 0) is None
