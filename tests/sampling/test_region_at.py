"""The region of a point: facets against the region graph, distances against hand computation."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.errors import DomainError
from polyrank.network.forward import codeword_exact
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import WholeSpace
from polyrank.sampling.region_at import region_at
from tests.strategies import realistic_network

PLANE = Network.from_arrays(
    [[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [[1.0, 1.0, 1.0]]], [[0.0, 0.0, -1.0], [0.0]]
)


def test_the_plane_by_hand():
    found = region_at(PLANE, [fmpq(1), fmpq(1, 3)], WholeSpace())
    assert found.bits.tolist() == [True, True, True]
    assert found.ranks == ((2, 2), (1, 1))
    # x + y = 1 at 1/3/√2, y = 0 at 1/3, x = 0 only from (0, 1) on: 1 + 4/9
    assert [f.distance_squared for f in found.facets] == [fmpq(1, 18), fmpq(1, 9), fmpq(13, 9)]
    assert [f.names for f in found.facets] == [
        ("layer 1 unit 3",), ("layer 1 unit 2",), ("layer 1 unit 1",)
    ]  # fmt: skip
    assert found.facets[2].crossing == (0, 1)
    first, last = found.lower
    assert (first.found, first.rank, first.distance_squared) == (True, 1, fmpq(1, 9))
    assert (last.rank, last.crossing, last.distance_squared) == (0, (0, 0), fmpq(10, 9))


def test_on_a_hyperplane_budget_and_refusals():
    found = region_at(PLANE, [fmpq(1), fmpq(0)], WholeSpace())
    assert found.hyperplanes == ("layer 1 unit 2", "layer 1 unit 3")
    assert found.facets is None
    short = region_at(PLANE, [fmpq(5), fmpq(5)], WholeSpace(), budget=1, layers=(1,))
    (lower,) = short.lower
    assert not lower.found
    assert lower.distance_squared == fmpq(25)  # the nearest neighbours, across x = 0 and y = 0
    inside = region_at(PLANE, [fmpq(5), fmpq(5)], pr.Box(4, 6))
    assert [v.distance_squared for v in inside.lower] == [None, None]  # there is none in the box
    for point, message in (([4, 5], "on the wall"), ([3, 5], "outside")):
        with pytest.raises(DomainError, match=message):
            region_at(PLANE, [fmpq(v) for v in point], pr.Box(4, 6))
    with pytest.raises(DomainError, match="flat"):
        region_at(PLANE, [fmpq(1), fmpq(2)], pr.Box([1, 0], [1, 3]))


@pytest.mark.parametrize("kind", ["integer", "pruned", "duplicated"])
def test_nearest_lower_rank_equals_a_search_over_the_run(kind):
    from flint import fmpq_mat

    from polyrank.posed.chart import chart
    from polyrank.posed.nearest import nearest_point
    from polyrank.posed.problem import Problem
    from polyrank.posed.region import Region

    net = realistic_network(kind, (2, 6, 5, 1), 3)
    box = pr.Box(-2, 2)
    run = pr.enumerate_regions(net, box)
    point = [fmpq(13, 17), fmpq(-5, 7)]
    found = region_at(net, point, box, budget=10_000)
    where = Problem.of(net, chart(box, 2))
    words = np.concatenate(list(run.codewords())).astype(bool)
    assert (codeword_exact(net, point).bits == found.bits).all()
    for lower in found.lower:
        ranks = run.table.column(f"rank_{lower.layer}").to_pylist()
        best = [
            nearest_point(list(Region(where, w).rows), fmpq_mat(2, 1, point))[1]
            for w, r in zip(words, ranks, strict=True)
            if r < lower.rank_here
        ]
        assert lower.distance_squared == min(best, default=None)
