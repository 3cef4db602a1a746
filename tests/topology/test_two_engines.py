"""The subdivision against the vertices engine, simplex by simplex, on trained networks."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import polyrank as pr
from polyrank.complex.build import cell_complex
from polyrank.network.normal_form import Network
from polyrank.topology.manifold import build_manifold
from polyrank.topology.restriction import Restriction, restrict
from tests.conftest import shared
from tests.topology.test_subdivide import random_network

TRIANGLE = [[-1.0, -1.0], [1.0, -0.5], [0.25, 1.0]]
TETRAHEDRON = [[-1.0, -1.0, -1.0], [1.0, -0.5, 0.0], [0.25, 1.0, 0.0], [0.0, 0.0, 1.0]]


def of_simplex(network: Network, corners: list[list[float]]) -> Restriction:
    return restrict(network, build_manifold(corners, [[list(range(len(corners)))]]))


def check(network: Network, corners: list[list[float]]) -> None:
    """The same cells with the same sign vectors on faces of the same dimension; the same ranks."""
    mine = of_simplex(network, corners)
    other = cell_complex(network, pr.Simplex(corners))
    assert other.f_vector == mine.complex.cells
    top = len(corners) - 1
    for d, signs in enumerate(mine.signs):
        walls = top - mine.carrier[d][:, 0]
        found = Counter(zip(map(bytes, signs), walls.tolist(), strict=True))
        wanted = Counter(
            zip(
                map(bytes, other.signs.of_units(d)),
                other.signs.on_walls(d).sum(axis=1).tolist(),
                strict=True,
            )
        )
        assert found == wanted, d
    by_signs = dict(zip(map(bytes, mine.signs[top]), mine.tangent_rank[top].tolist(), strict=True))
    for sign, rank in zip(map(bytes, other.signs.of_units(top)), other.ranks.tolist(), strict=True):
        assert by_signs[sign] == rank
    # incidences up to orientation: the same number of faces of every dimension
    for a, b in zip(mine.complex.boundary, other.boundary, strict=True):
        assert sorted(np.diff(a.tocsc().indptr)) == sorted(np.diff(b.tocsc().indptr))


@pytest.mark.parametrize("seed", range(3))
def test_random_networks(seed):
    check(random_network(2, 12, 12, 3, seed=seed), TRIANGLE)
    check(random_network(3, 7, 6, 2, seed=seed), TETRAHEDRON)
    check(random_network(3, 9, 9, 1, seed=seed), TETRAHEDRON[:3])  # a triangle in R³


@pytest.mark.parametrize("name", ["D-I_model_0", "D-I_model_4"])
def test_trained_networks_in_the_plane(name):
    net = pr.load(shared(f"beshkov_quotient/{name}.pth"))
    check(net, (8 * np.array(TRIANGLE)).tolist())


def test_a_trained_network_in_space():
    net = pr.load(shared("beshkov_quotient/D-II_model_0.pth"))
    check(net, (0.4 * np.array(TETRAHEDRON)).tolist())
    check(net, TETRAHEDRON[:3])
