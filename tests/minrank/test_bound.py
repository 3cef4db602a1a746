"""The chain bound: never above the least rank of any region, and exact where it should be."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings

import polyrank as pr
from polyrank.minrank.bound import chain_bound
from polyrank.minrank.prefix import chain_lower, stages
from polyrank.network.normal_form import Network, relu_layer
from polyrank.posed.chart import chart
from tests.examples import LINEAR, Space, layer, network
from tests.minrank.agreement import through
from tests.oracles import regions_by_generators
from tests.strategies import problems


@settings(max_examples=120)
@given(problems())
def test_it_is_a_lower_bound_on_every_prefix(problem: tuple[Network, Space]) -> None:
    """At the root and, j layers down, on the region of the prefix that a region lies in."""
    net, space = problem
    where = chart(space.domain(), net.input_dim)
    for depth in range(1, len(net.layers) + 1):
        upper = through(net, depth)
        chain = chain_bound(upper, where)
        assert len(chain.loss) == len(chain.live) == depth
        assert chain.loss[-1] == 0
        for region in regions_by_generators(upper, space.rows).values():
            rank = region.ranks[-1]
            assert chain.root <= rank
            for j in range(1, depth):
                word = np.array(region.bits[: sum(net.bits[:j])], dtype=bool)
                assert chain_lower(upper, where, chain, j, word) <= rank


def test_leaky_layers_of_full_column_rank_are_settled_at_the_root() -> None:
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(30, 20)), rng.normal(size=(40, 30)), rng.normal(size=(40, 40))]
    net = Network.from_arrays(
        weights, [rng.normal(size=len(w)) for w in weights], slope=0.01, output_relu=True
    )
    chain = chain_bound(net, chart(pr.WholeSpace(), 20))
    assert chain.root == 20
    assert chain.loss == (0, 0, 0)


def test_stable_units_of_a_box() -> None:
    """On [−1, 1]²: always on, always off, on the wall, through the middle, on a side."""
    first = layer([[1, 1], [1, 0], [1, 0], [1, 0]], [3, -2, 1, 0])
    second = layer([[1, 0, 1, 0]], [1], LINEAR)
    net = network(first, second)
    chain = chain_bound(net, chart(pr.Box(-1, 1), 2))
    assert chain.live[0] == (0, 2)
    # T_1 has three units, the one row of W_2 rank 1
    assert chain.loss == (2, 0)
    assert chain.root == 0
    assert chain_bound(through(net, 1), chart(pr.Box(-1, 1), 2)).root == 2
    assert chain_bound(net, chart(pr.WholeSpace(), 2)).live[0] == ()


def test_a_layer_that_is_identically_zero() -> None:
    net = network(layer([[0, 0]], [0]), layer([[1], [-1]], [0, 0]), layer([[1, 1]], [0], LINEAR))
    chain = chain_bound(net, chart(pr.Box(0, 1), 2))
    assert chain.root == 0
    assert chain.live[:2] == ((), ())


def test_stages_stop_only_where_the_bound_can_be_positive() -> None:
    where = chart(pr.WholeSpace(), 2)
    rng = np.random.default_rng(1)
    relu = [relu_layer(rng.normal(size=(4, 4 if k else 2)), np.zeros(4)) for k in range(3)]
    leaky = [relu_layer(rng.normal(size=(4, 4)), np.zeros(4), slope=0.5) for _ in range(2)]
    plain = Network((relu[0], relu[1], relu[2]))
    mixed = Network((relu[0], *leaky))
    for net, chained in ((plain, []), (mixed, [1])):
        for rank, units in ((2, [4]), (1, [3, 4])):
            plan = stages(net, where, chain_bound(net, where), rank)
            ends = [(len(leg.network.layers), leg.decided) for leg in plan]
            assert ends == [*((j, None) for j in chained), *((2, n) for n in units)]
            assert [leg.onward for leg in plan[:-1]] == [leg.network for leg in plan[1:]]
