"""Simplices that are degenerate in position are ordinary abstract simplices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.chains.groups import homology
from polyrank.network.normal_form import Network
from polyrank.topology.low_rank import low_rank_part
from polyrank.topology.manifold import build_manifold
from polyrank.topology.restriction import restrict
from tests.strategies import degenerate_networks
from tests.topology.test_ranks import check_ranks
from tests.topology.test_restriction import check_witnesses
from tests.topology.test_subdivide import check_against_oracle, random_network

FLAT = {
    "collinear triangle": ([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]], [[[0, 1, 2]]]),
    "one point three times": ([[0.5, 0.25]] * 3, [[[0, 1, 2]]]),
    "an edge of length 0": ([[0.0, 0.0], [0.0, 0.0], [1.0, 0.5]], [[[0, 1], [1, 2], [0, 2]]]),
    "three of a grid in a row": (
        [[float(i), float(j)] for i in range(3) for j in range(2)],
        [[[0, 2, 4], [0, 1, 2], [1, 2, 3], [3, 4, 5]]],
    ),
    "a tetrahedron in the plane": ([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [[range(4)]]),
    "a simplex on a line": ([[0.0, 0.0], [1.0, 1.0], [-1.0, -1.0], [3.0, 3.0]], [[range(4)]]),
}


@pytest.mark.parametrize("name", FLAT)
@pytest.mark.parametrize("seed", range(3))
def test_simplices_that_are_degenerate_in_position(name, seed):
    """M is an abstract complex with a map to R^n: cells and ranks in barycentric coordinates."""
    manifold = build_manifold(*FLAT[name])
    net = random_network(2, 4, 3, 1, seed=seed)
    check_against_oracle(net, manifold)
    found = restrict(net, manifold)
    check_ranks(found)
    check_witnesses(found)
    assert homology(found.complex) == homology(manifold.complex)


@settings(max_examples=30)
@given(st.data())
def test_degenerate_networks_on_degenerate_simplices(data):
    """Two triangles that share an edge, vertices drawn from few points: many coincide."""
    network = data.draw(degenerate_networks(max_inputs=3, max_bits=7))
    n = network.input_dim
    corner = st.lists(st.sampled_from([-1.0, 0.0, 0.5]), min_size=n, max_size=n)
    points = [data.draw(corner) for _ in range(4)]
    manifold = build_manifold(points, [[[0, 1, 2], [1, 2, 3]]])
    check_against_oracle(network, manifold)
    found = restrict(network, manifold)
    check_ranks(found)
    check_witnesses(found)


def test_the_square_of_a_rips_complex_on_a_grid():
    """3 x 3 grid points, all triples within distance 2: a third of the triangles are collinear."""
    grid = np.array([[i, j] for i in range(3) for j in range(3)], dtype=float)
    near = lambda a, b: np.abs(grid[a] - grid[b]).sum() <= 2  # noqa: E731
    facets = [
        [a, b, c]
        for a in range(9)
        for b in range(a)
        for c in range(b)
        if near(a, b) and near(b, c) and near(a, c)
    ]
    manifold = build_manifold(grid, [facets])
    net = Network.from_arrays([[[1.0, 0.5], [-0.5, 1.0]], [[1.0, 1.0]]], [[-1.25, -0.5], [-0.5]])
    found = restrict(net, manifold)
    check_ranks(found)
    assert homology(found.complex) == homology(manifold.complex)
    assert any((found.tangent_rank[2] == 1).any(axis=1))


def test_a_simplex_in_one_point_is_collapsed():
    """Its tangent rank is 0, below its dimension: it belongs to the low-rank part at rank 0."""
    place = build_manifold([[0.5], [0.5], [2.0]], [[[0, 1], [1, 2]]])
    identity = Network.from_arrays([[[1.0]]], [[0.0]])
    part = low_rank_part(restrict(identity, place), 1, 0)
    assert [m.tolist() for m in part.mask] == [[True, True, False], [True, False]]
