"""The region of a point: facets against the region graph, distances against hand computation."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.errors import DomainError
from polyrank.lp.deadline import OutOfTimeError
from polyrank.network.forward import codeword_exact
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import WholeSpace
from polyrank.sampling.region_at import _Nearest, _Search, region_at
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


def seeing(columns: int, n: int) -> tuple[Network, Network]:
    """A network of R^columns, and one of R^n that reads orthogonal sums of n / columns inputs."""
    rng = np.random.default_rng(3)
    W = rng.integers(-4, 5, (6, columns)).astype(float)
    rest = (rng.integers(-3, 4, (3, 6)).astype(float), np.ones((1, 3)))
    biases = [rng.integers(-3, 4, 6) + 0.5, np.array([1.0, -1.0, 2.0]), np.zeros(1)]
    wide = np.repeat(W, n // columns, axis=1)
    narrow = Network.from_arrays([W, *rest], biases)
    return narrow, Network.from_arrays([wide, *rest], biases)


def test_many_inputs_that_see_few_sums():
    """On R^784, x ↦ (sum of 196 inputs each): facets are cylinders, distances are 1/14 of those."""
    narrow, wide = seeing(4, 784)
    y = [fmpq(1, 3), fmpq(-1, 5), fmpq(2, 7), fmpq(1, 2)]
    x = [v / 196 for v in y for _ in range(196)]
    few, many = region_at(narrow, y, WholeSpace()), region_at(wide, x, WholeSpace())
    assert many.undecided == 0
    assert [f.names for f in many.facets] == [f.names for f in few.facets]
    assert all(f.nearest for f in many.facets)
    for a, b in zip(few.facets, many.facets, strict=True):
        assert b.distance_squared == a.distance_squared / 196
        sums = [sum(b.crossing[196 * k : 196 * (k + 1)], fmpq(0)) for k in range(4)]
        assert tuple(sums) == a.crossing
    assert many.lower == ()  # not looked for there


def test_many_inputs_in_a_box():
    """Two of 300 inputs matter: their facets, and a wall on both sides of every other input."""
    rng = np.random.default_rng(4)
    W, b = rng.integers(-4, 5, (5, 2)).astype(float), rng.integers(-2, 3, 5) + 0.25
    wide = np.zeros((5, 300))
    wide[:, :2] = W
    narrow = Network.from_arrays([W, np.ones((1, 5))], [b, np.zeros(1)])
    network = Network.from_arrays([wide, np.ones((1, 5))], [b, np.zeros(1)])
    x = [fmpq(1, 3), fmpq(1, 7), *(fmpq(k + 1, 700) for k in range(298))]
    few = region_at(narrow, x[:2], pr.Box(0, 1))
    many = region_at(network, x, pr.Box(0, 1), seconds=300)
    assert many.undecided == 0
    seen = [f for f in many.facets if not f.wall or f.crossing[:2] != tuple(x[:2])]
    assert [(f.names, f.distance_squared) for f in seen] == [
        (f.names, f.distance_squared) for f in few.facets
    ]
    assert len(many.facets) == len(few.facets) + 2 * 298
    others = {f.distance_squared for f in many.facets} - {f.distance_squared for f in few.facets}
    assert {min(v, 1 - v) ** 2 for v in x[2:]} <= others | {f.distance_squared for f in few.facets}


def test_the_end_of_the_time_is_said():
    """Rows that were not reached are counted; the nearest one is known all the same."""
    _, wide = seeing(4, 784)
    x = [fmpq(1, 1000)] * 784
    found = region_at(wide, x, WholeSpace(), seconds=0.0)
    full = region_at(wide, x, WholeSpace())
    assert found.facets == ()
    assert found.undecided >= len(full.facets) > 0
    assert found.nearest_row.distance_squared == full.facets[0].distance_squared
    # and where facets are found by exact programs
    small = region_at(PLANE, [fmpq(1), fmpq(1, 3)], WholeSpace(), seconds=0.0)
    assert (small.facets, small.undecided) == ((), 3)
    assert small.nearest_row.distance_squared == fmpq(1, 18)
    assert [(v.found, v.distance_squared) for v in small.lower] == [(False, 0), (False, 0)]


def test_a_facet_whose_nearest_point_is_not_known(monkeypatch):
    """Its distance is at most that of the point that was found."""
    narrow, wide = seeing(4, 784)
    y = [fmpq(1, 3), fmpq(-1, 5), fmpq(2, 7), fmpq(1, 2)]
    x = [v / 196 for v in y for _ in range(196)]
    exact = {f.names: f.distance_squared for f in region_at(narrow, y, WholeSpace()).facets}

    def late(*_):
        raise OutOfTimeError

    monkeypatch.setattr(_Nearest, "point", late)
    found = region_at(wide, x, WholeSpace())
    assert not all(f.nearest for f in found.facets)
    for facet in found.facets:
        assert facet.nearest == (196 * facet.distance_squared == exact[facet.names])
        assert 196 * facet.distance_squared >= exact[facet.names]


def test_the_search_for_lower_rank_ends_in_time(monkeypatch):
    """What was not taken is no nearer than the region that was being left."""
    whole = region_at(PLANE, [fmpq(5), fmpq(5)], WholeSpace())

    def late(*_):
        raise OutOfTimeError

    monkeypatch.setattr(_Search, "_across", late)
    short = region_at(PLANE, [fmpq(5), fmpq(5)], WholeSpace())
    for cut, full in zip(short.lower, whole.lower, strict=True):
        assert full.found
        assert not cut.found
        assert cut.distance_squared <= full.distance_squared


def _sheared() -> Network:
    first, second = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [[1.0, 1.0, 1.0], [1.0, -1.0, 0.0]]
    return Network.from_arrays([first, second], [[0.0, 0.0, -0.5], [0.0, 0.0]])


@pytest.mark.parametrize("point", [[fmpq(1, 4), fmpq(1, 8)], [fmpq(6, 5), fmpq(6, 5)]])
def test_a_slice_that_is_all_of_the_space_is_asked_in_its_inputs(point):
    """x = (1/4, 1/8) + (y0, y0 + y1), |y| ≤ 1, and the same parallelogram by hand; |x| passes 1."""
    net = _sheared()
    slanted = pr.Slice(["1/4", "1/8"], [[1, 0], [1, 1]], pr.Box(-1, 1))
    by_hand = pr.Polytope([[1, 0], [-1, 0], [-1, 1], [1, -1]], ["5/4", "3/4", "7/8", "9/8"])
    found, expected = (region_at(net, point, domain) for domain in (slanted, by_hand))
    assert found.bits.tolist() == expected.bits.tolist()
    assert found.ranks == expected.ranks
    assert {(f.crossing, f.distance_squared) for f in found.facets} == {
        (f.crossing, f.distance_squared) for f in expected.facets
    }
    assert [(at.layer, at.distance_squared) for at in found.lower] == [
        (at.layer, at.distance_squared) for at in expected.lower
    ]


def test_a_slice_without_bounds_is_the_whole_space():
    net, point = _sheared(), [fmpq(1, 4), fmpq(1, 8)]
    found = region_at(net, point, pr.Slice([3, 4], [[0, 1], [2, 0]]))
    whole = region_at(net, point, WholeSpace())
    assert [(f.crossing, f.distance_squared) for f in found.facets] == [
        (f.crossing, f.distance_squared) for f in whole.facets
    ]


def test_a_simplex_is_asked_in_its_inputs():
    net, point = _sheared(), [fmpq(1, 4), fmpq(1, 8)]
    corners = [[-1, -1], [3, 0], [0, 3]]
    by_hand = pr.Polytope([[1, -4], [-4, 1], [1, 1]], [3, 3, 3])
    found, expected = (region_at(net, point, d) for d in (pr.Simplex(corners), by_hand))
    assert {(f.crossing, f.distance_squared) for f in found.facets} == {
        (f.crossing, f.distance_squared) for f in expected.facets
    }
    with pytest.raises(DomainError, match="not strictly inside the domain"):
        region_at(net, [fmpq(2), fmpq(2)], pr.Simplex(corners))
