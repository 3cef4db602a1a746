"""Facets of regions in a box of many dimensions, of which nearly all lie on the box.

Every region's facets are those that exact points and exact sums of rows decide one by one
(:mod:`polyrank.posed.redundancy`), which share nothing with the walk but the rows.
"""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

import polyrank as pr
from polyrank.graph.build import region_graph
from polyrank.graph.geometry import Regions
from polyrank.network.normal_form import Network, relu_layer
from polyrank.posed.redundancy import redundancy

N = 44


def drawn(seed: int, *widths: int, scale: float = 1.0) -> Network:
    rng = np.random.default_rng(seed)
    shapes = list(zip([*widths, 1], [N, *widths], strict=True))
    return Network.from_arrays(
        [rng.normal(size=shape) / shape[1] ** 0.5 for shape in shapes],
        [rng.normal(size=m) * scale / 4 for m, _ in shapes],
    )


def lattice(seed: int, *widths: int, biases: bool = True) -> Network:
    """Few small integers: hyperplanes touch corners, and are multiples of one another."""
    rng = np.random.default_rng(seed)
    layers = []
    for n, m in zip([N, *widths], [*widths, 1], strict=False):
        weight = rng.integers(-1, 2, size=(m, n)) * (rng.random((m, n)) < 8 / n)
        bias = rng.integers(-1, 2, size=m) * biases
        layers.append(relu_layer(weight.tolist(), bias.tolist()))
    return Network(tuple(layers))


def axis(l: int, value: int = 1) -> list[int]:
    return [value * (i == l) for i in range(N)]


ON_WALLS = Network(
    (
        # the first is the wall x_0 <= 1, the second the wall x_1 >= -1, the third cuts
        relu_layer([axis(0), axis(1), axis(2)], [-1, 1, 0]),
        relu_layer([[1, 1, 1], [0, 0, 1], [0, 0, 2]], [-1, 0, -1]),
    )
)
#: More rows than half the coordinates, of which three cut the box.
MANY = Network(
    (
        relu_layer(
            np.random.default_rng(3).integers(-3, 4, size=(26, N)).tolist(), [1, 0, -1] + 23 * [200]
        ),
    )
)
MULTIPLES = Network(
    (
        relu_layer([axis(0), axis(1), [1] * N], [0, 0, 0]),
        # multiples of the first and the third where these are active, and of nothing elsewhere
        relu_layer([[3, 0, 0], [0, 0, 2], [1, 1, 0], [1, -1, 0]], [0, 0, -1, 0]),
    )
)


def checked(net: Network, domain: object, at_most: int | None = None, looked: int = 1000) -> None:
    """Compare every region and edge, or some of them, of a run or a part of it."""
    limits = None if at_most is None else pr.Limits(regions=at_most)
    run = pr.enumerate_regions(net, domain, limits=limits, jobs=1)
    graph = region_graph(run, net)
    if at_most is None:
        assert run.certified
        assert graph.closure.closed
        assert graph.closure.connected
    else:
        assert graph.closure.missing
    regions = Regions(run, net, graph)
    for r in range(0, run.count, 1 + run.count // looked):
        region = regions.exact(r)
        inside = fmpq_mat(N, 1, [fmpq(v) for v in regions.witness(r)])
        proved = redundancy(list(region.rows), inside)
        assert not proved.undecided
        start, end = graph.facet_start[r : r + 2]
        own = {regions.facet_row(r, name) for name in graph.facet_unit[start:end].tolist()}
        assert own == {facet.row for facet in proved.facets}, r
        assert len(own) == end - start
    for e in range(0, graph.edges, 1 + graph.edges // looked):
        point = fmpq_mat(N, 1, list(regions.crossing(e)))
        ends = int(graph.source[e]), int(graph.target[e])
        shared = [{row for row in regions.exact(r).rows if row_at(row, point) == 0} for r in ends]
        assert all(shared)
        assert all(row_at(row, point) >= 0 for r in ends for row in regions.exact(r).rows)


def row_at(row: tuple[int, ...], point: fmpq_mat) -> fmpq:
    return sum((a * v for a, v in zip(row[:-1], point.entries(), strict=True)), fmpq(row[-1]))


@pytest.mark.parametrize(
    "net",
    [
        drawn(0, 5),
        drawn(1, 3, 3),
        drawn(2, 2, 3, 2),
        MANY,
        lattice(0, 4),
        lattice(1, 3, 3),
        lattice(2, 4, 3, biases=False),
        lattice(3, 3, 2, 2),
        ON_WALLS,
        MULTIPLES,
    ],
    ids=["5", "3-3", "2-3-2", "many", "few", "two", "central", "three", "walls", "multiples"],
)
def test_facets_as_by_exact_sums(net):
    checked(net, pr.Box(-1, 1))


def test_regions_far_out():
    """Large biases: hardly a point of some regions is away from the bounds."""
    checked(drawn(10, 5, 5, 5, scale=8.0), pr.Box(-1, 1), looked=9)


@pytest.mark.parametrize("seed", range(2))
def test_deeper_layers_of_a_partial_run(seed):
    """Many facets lead to regions that are not listed."""
    checked(drawn(seed, 6, 6, 6), pr.Box(-1, 1), at_most=12, looked=10)


def test_a_box_that_is_no_cube():
    rng = np.random.default_rng(5)
    low = -np.exp2(rng.integers(-3, 4, size=N)) / 3
    high = np.exp2(rng.integers(-3, 4, size=N)) * 5
    checked(drawn(4, 4), pr.Box(low.tolist(), high.tolist()))


def test_a_wall_that_is_no_bound():
    walls = [axis(l, s) for l in range(N) for s in (1, -1)] + [[1] * N]
    checked(drawn(6, 3), pr.Polytope(walls, [1] * (2 * N) + [2]))


def test_a_bound_that_is_redundant():
    """x_0 + x_1 <= 1 on the box [0, 1]: x_0 <= 1 and x_1 <= 1 are touched in edges only."""
    walls = [axis(l, s) for l in range(N) for s in (1, -1)]
    walls.append([1, 1, *[0] * (N - 2)])
    checked(drawn(7, 2), pr.Polytope(walls, [1, 0] * N + [1]))
