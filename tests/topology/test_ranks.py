"""Exact ranks on cells against ranks of exact images and exact linear parts."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.network.forward import affine_map, forward_exact
from polyrank.network.modular import SMALL_PRIMES, fitting_prime
from polyrank.network.normal_form import Network, affine_layer, relu_layer
from polyrank.network.rational import RationalArray
from polyrank.topology import ranks
from polyrank.topology.layers import homology_object, homology_table
from polyrank.topology.manifold import Manifold, build_manifold
from polyrank.topology.ranks import ambient_ranks
from polyrank.topology.residues import image_residues
from polyrank.topology.restriction import Restriction, restrict
from polyrank.topology.shapes import shape
from polyrank.topology.subdivide import subdivide
from tests.strategies import degenerate_networks
from tests.topology.test_subdivide import random_network, small_manifolds, vertex_sets

PRIME = SMALL_PRIMES[0]


def check_ranks(found: Restriction) -> None:
    """Tangent ranks by exact vertex images, ambient ranks by exact linear parts."""
    network = found.network
    assert found.layers == len(network.layers)
    for d, members in enumerate(vertex_sets(found.complex)):
        for c, vertices in enumerate(members):
            for k in range(1, found.layers + 1):
                images = [
                    forward_exact(network, fmpq_mat(network.input_dim, 1, x), layer=k)
                    for v in sorted(vertices)
                    if (x := found.vertices.exact_point(v))
                ]
                first, *others = images
                spread = [a - b for image in others for a, b in zip(image, first, strict=True)]
                rank = int(fmpq_mat(len(others), len(first), spread).rank()) if others else 0
                assert found.tangent_rank[d][c, k - 1] == rank
                J, _ = affine_map(network, found.signs[d][c] > 0, k)
                assert found.ambient_rank[d][c, k - 1] == int(J.rank())


@settings(max_examples=40)
@given(st.data())
def test_degenerate_networks(data):
    network = data.draw(degenerate_networks(max_inputs=3, max_bits=9))
    check_ranks(restrict(network, data.draw(small_manifolds(network.input_dim))))


@pytest.mark.parametrize("seed", range(4))
def test_random_networks_on_a_solid(seed):
    solid = build_manifold(np.vstack([np.zeros(3), np.eye(3)]), [[[0, 1, 2, 3]]])
    check_ranks(restrict(random_network(3, 3, 2, 2, seed=seed), solid))


def test_bottleneck_networks():
    """Widths 4, 1, 3: through the second layer the rank is at most 1, and often 0."""
    found = restrict(random_network(3, 4, 1, 3, seed=3), shape("sphere:2"))
    check_ranks(found)
    histogram = np.bincount(found.tangent_rank[2][:, 1], minlength=3)
    assert histogram[2] == 0
    assert histogram[0] > 0


def test_ranks_that_only_elimination_proves():
    """A projection along one coordinate: no unit is dead, yet the rank drops on vertical cells."""
    onto = Network.from_arrays([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]]], [[0.0] * 3])
    wall = build_manifold(
        [[0.0, 0, 0], [1.0, 0, 0], [0.0, 0, 1.0], [0.0, 1.0, 0]], [[[0, 1, 2], [0, 1, 3]]]
    )
    found = restrict(onto, wall)
    check_ranks(found)
    assert sorted(found.tangent_rank[2][:, 0].tolist()) == [1, 2]


def test_edges_whose_image_is_a_point_within_rank_1():
    """(x, y) ↦ x on a square: the vertical edges of M collapse, and no later unit says so."""
    onto = Network.from_arrays([[[1.0, 0.0]]], [[0.0]])
    square = build_manifold(
        [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [[[0, 1, 2], [1, 2, 3]]]
    )
    found = restrict(onto, square)
    check_ranks(found)
    assert sorted(found.tangent_rank[1][:, 0].tolist()) == [0, 0, 1, 1, 1]


def test_a_prime_that_hides_a_rank(monkeypatch):
    """Weights divisible by the prime: the residues vanish, the exact ranks do not."""
    net = Network.from_arrays([[[float(PRIME), 0.0], [0.0, float(PRIME)]]], [[0.0, 0.0]])
    triangle = build_manifold([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [[[0, 1, 2]]])
    found = restrict(net, triangle)
    check_ranks(found)
    assert found.tangent_rank[2].tolist() == [[2]]
    # cut where the gap of the two pre-activations is a multiple of the prime
    folded = Network.from_arrays([[[1.0]], [[1.0]]], [[0.0], [0.0]])
    line = build_manifold([[-1.0], [float(PRIME - 1)]], [[[0, 1]]])
    check_ranks(restrict(folded, line))
    usable = image_residues(folded, subdivide(folded, line), 2, PRIME)[1]
    assert usable.tolist() == [True, True, False]


@pytest.mark.parametrize("seed", range(3))
def test_image_residues_are_the_exact_images(seed):
    net = random_network(2, 5, 4, 3, seed=seed)
    sub = subdivide(net, shape("disk:7"))
    images, usable = image_residues(net, sub, 3, PRIME)
    assert usable.all()
    for v in range(0, sub.vertices.count, 3):
        for k, image in enumerate(images, start=1):
            exact = sub.vertices.exact_image(v, k)
            expected = [int(x.p) * pow(int(x.q), -1, PRIME) % PRIME for x in exact]
            assert image[v].tolist() == expected


@pytest.mark.parametrize("where", ["weight", "bias", "slope", "point"])
def test_denominators_that_the_prime_divides(where):
    """Another prime is taken: every prime gives a lower bound of the rank."""
    q = fmpq(1, PRIME)
    values = {"weight": fmpq(3), "bias": fmpq(1, 5), "slope": fmpq(1, 7), "point": fmpq(2)}
    values[where] = q
    weight = RationalArray.from_rationals([values["weight"], 1, 1, values["weight"]], (2, 2))
    first = relu_layer(
        weight,
        RationalArray.from_rationals([values["bias"], 0], (2,)),
        slope=values["slope"],
    )
    net = Network((first, affine_layer([[1.0, -1.0]], [0.0])))
    points = RationalArray.from_rationals([values["point"], 0, 0, 1, -1, -1], (3, 2))
    found = restrict(net, build_manifold(points, [[[0, 1, 2]]]))
    check_ranks(found)
    assert fitting_prime(PRIME, net, points) < PRIME


@pytest.mark.parametrize("slope", [PRIME, fmpq(PRIME, 3), -2 * PRIME])
def test_a_slope_that_the_prime_divides_is_not_zero(slope):
    """A unit whose slope is 0 modulo the prime is live, and the rank behind it 1."""
    net = Network((relu_layer([[1.0]], [0.0], slope=slope), affine_layer([[1.0]], [0.0])))
    found = restrict(net, build_manifold([[-1.0], [1.0]], [[[0, 1]]]))
    check_ranks(found)
    assert found.tangent_rank[1].tolist() == [[1, 1], [1, 1]]
    assert found.ambient_rank[1].tolist() == [[1, 1], [1, 1]]


def test_a_simplex_whose_edges_the_prime_hides():
    hidden: Manifold = build_manifold([[0.0], [float(PRIME)]], [[[0, 1]]])
    assert restrict(random_network(1, 2, 1), hidden).tangent_rank[1].max() == 1


def test_ambient_ranks_of_no_cells():
    net = random_network(2, 3, 1)
    assert ambient_ranks(net, np.zeros((0, 3), np.int8)).shape == (0, 2)


def test_ranks_on_a_four_dimensional_simplex():
    """Facets of dimension 3 whose rank only their vertices tell."""
    corners = np.vstack([np.zeros(4), np.eye(4)])
    onto = Network.from_arrays([[[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 1.0]]], [[0.0] * 3])
    check_ranks(restrict(onto, build_manifold(corners, [[[0, 1, 2, 3, 4]]])))
    check_ranks(restrict(random_network(4, 4, 2, seed=1), build_manifold(corners, [[range(5)]])))


def test_ranks_and_homology_do_not_depend_on_the_number_of_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ranks, "_BLOCK", 100)  # many blocks
    network = random_network(3, 6, 5, 4, seed=2)
    found = {jobs: restrict(network, shape("torus:8"), jobs=jobs) for jobs in (1, 2, 7)}
    tables = {
        jobs: homology_object(cells, homology_table(cells, rank=1, jobs=jobs, in_turn=True), "Z")
        for jobs, cells in found.items()
    }
    check_ranks(found[1])
    for jobs in (2, 7):
        for one, many in zip(found[1].tangent_rank, found[jobs].tangent_rank, strict=True):
            assert np.array_equal(one, many)
        for one, sign in zip(found[1].signs, found[jobs].signs, strict=True):
            assert np.array_equal(one, sign)
        assert tables[jobs] == tables[1]
    signs = found[1].signs[2]
    assert np.array_equal(
        ambient_ranks(network, signs, jobs=7), ambient_ranks(network, signs, jobs=1)
    )


def test_no_thread_at_all_is_refused() -> None:
    network = random_network(3, 2, seed=2)
    with pytest.raises(ValueError, match="jobs is 0"):
        restrict(network, shape("torus:8"), jobs=0)
    with pytest.raises(ValueError, match="jobs is -1"):
        homology_table(restrict(network, shape("torus:8")), jobs=-1)
