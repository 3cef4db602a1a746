"""Restrictions: invariants of every shape, witnesses, images, the low-rank part."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st

import polyrank.topology
from polyrank.chains.groups import homology
from polyrank.errors import DomainError, RefutedError
from polyrank.network.forward import codeword_exact, forward_exact, unpack_bits
from polyrank.network.normal_form import Network
from polyrank.topology.low_rank import READINGS, low_rank_part
from polyrank.topology.manifold import build_manifold
from polyrank.topology.restriction import Restriction, restrict
from polyrank.topology.shapes import SHAPES, shape
from polyrank.topology.witness import witnesses
from tests.strategies import degenerate_networks
from tests.topology.test_subdivide import random_network, small_manifolds, tight_cuts

SMALL = {
    "3-sphere": "3-sphere:1",
    "annulus": "annulus:7",
    "circle": "circle:9",
    "concentric-3-spheres": "concentric-3-spheres:1",
    "concentric-circles": "concentric-circles:7",
    "concentric-spheres": "concentric-spheres:1",
    "disk": "disk:7",
    "disk-in-annulus": "disk-in-annulus:6",
    "ellipse": "ellipse:8",
    "figure-eight-knot": "figure-eight-knot:24",
    "interval": "interval:5",
    "klein": "klein:5",
    "linked-tori": "linked-tori:6x4",
    "moebius": "moebius:6",
    "parametric-knot": "parametric-knot:12",
    "sphere": "sphere:2",
    "sphere-and-circle": "sphere-and-circle:2",
    "spirals": "spirals:20",
    "swiss-roll": "swiss-roll:12x2",
    "torus": "torus:8x5",
    "torus-link": "torus-link:24",
    "two-curves": "two-curves:9",
    "wedge": "wedge:5x3",
}


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_subdivision_changes_no_homology(name):
    manifold = shape(SMALL[name])
    found = restrict(random_network(manifold.ambient, 8, 7, 2, seed=5), manifold)
    assert found.complex.cells[0] > manifold.complex.cells[0]
    assert found.complex.euler_characteristic == manifold.complex.euler_characteristic
    assert homology(found.complex) == homology(manifold.complex)


def check_witnesses(found: Restriction) -> None:
    points = found.witnesses
    for d, chosen in enumerate(found.maximal):
        for c in np.flatnonzero(chosen).tolist():
            weights = points.point(d, c)
            assert sum(weights, fmpq(0)) == 1
            assert all(w > 0 for w in weights)
            corners = found.manifold.simplices[d][found.carrier[d][c, 1]].tolist()
            x = [fmpq(0)] * found.manifold.ambient
            for w, v in zip(weights, corners, strict=True):
                x = [a + w * b for a, b in zip(x, found.manifold.point(v), strict=True)]
            signs = codeword_exact(found.network, fmpq_mat(len(x), 1, x)).sign_vector
            assert signs.tolist() == found.signs[d][c].tolist()


@settings(max_examples=40)
@given(st.data())
def test_witnesses_of_degenerate_networks(data):
    network = data.draw(degenerate_networks(max_inputs=3, max_bits=10))
    check_witnesses(restrict(network, data.draw(small_manifolds(network.input_dim))))


def test_witnesses_of_isolated_points_and_of_tiny_cells():
    """No float64 weight lies in a cell 2^-70 wide near 1: its witness is a fraction."""
    space = build_manifold([[0.0], [2.0], [5.0]], [[[0, 1]], [[2]]])
    found = restrict(tight_cuts(), space)
    check_witnesses(found)
    assert found.complex.cells == (5, 3)
    (exact,) = found.witnesses.exact
    assert exact[0] == 1
    assert found.witnesses.point(0, 2) == (1,)


def test_a_wrong_cell_has_no_witness():
    found = restrict(random_network(2, 4, 1, seed=1), shape("disk:5"))
    lie = found.signs[2].copy()
    lie[0] = -lie[0]
    cut = found._cut
    cut.signs[2] = lie
    with pytest.raises(RefutedError, match="the middle of 2-cell 0 does not lie in the cell"):
        witnesses(found.network, found.manifold, found.complex, found.maximal, cut)


def test_images_of_vertices():
    net = random_network(3, 6, 5, 2, seed=4)
    found = restrict(net, shape("torus:6x5"))
    assert np.array_equal(found.image_points(0), found.vertices.points())
    for k in (1, 2, 3):
        images = found.image_points(k)
        for v in range(0, len(images), 17):
            exact = found.exact_image(v, k)
            assert exact == forward_exact(
                net, fmpq_mat(3, 1, found.vertices.exact_point(v)), layer=k
            )
            near = [int(e.p) / int(e.q) for e in exact]
            assert np.allclose(images[v], near, rtol=1e-12, atol=1e-12)


def test_codewords_are_packed_like_those_of_runs():
    found = restrict(random_network(2, 7, 4, 1, seed=2), shape("disk:5"))
    bits = unpack_bits(found.codewords(2), found.signs[2].shape[1])
    assert np.array_equal(bits, found.signs[2] > 0)


def test_layers():
    net = random_network(2, 3, 3, 1)
    disk = shape("disk:5")
    assert restrict(net, disk).layers == 3
    first = restrict(net, disk, through_layer=1)
    assert first.layers == 1
    for wrong in (0, 4):
        with pytest.raises(DomainError, match=f"layer {wrong} must be between 1 and 3"):
            restrict(net, disk, through_layer=wrong)
    with pytest.raises(DomainError, match="layer 2 must be between 1 and 1"):
        low_rank_part(first, 2, 0)
    with pytest.raises(DomainError, match="layer 2 must be between 0 and 1"):
        first.image_points(2)
    with pytest.raises(DomainError, match="no cell has rank < 0"):
        low_rank_part(first, 1, -1)


def test_samples_and_simplices_of_the_low_rank_part():
    """relu(x) on [−1, 1] in four segments: the left two are collapsed, with three samples."""
    net = Network.from_arrays([[[1.0]]], [[0.0]], output_relu=True)
    found = restrict(net, shape("interval:4"))
    part = low_rank_part(found, 1, 0)
    assert part.samples(found).tolist() == [0, 1, 2]
    assert [s.tolist() for s in part.simplices(found, 1)] == [[0, 1], [0, 1]]
    assert part.images == ((fmpq(0),),)
    moved = Network.from_arrays([[[1.0]]], [[0.25]], output_relu=True)
    part = low_rank_part(cut := restrict(moved, shape("interval:4")), 1, 0)
    meets, inside = part.simplices(cut, 1)
    assert (meets.tolist(), inside.tolist()) == ([0, 1], [0])
    assert part.samples(cut).tolist() == [0, 1]


def test_isolated_points_and_full_rank_curves_are_not_low():
    """Nothing is collapsed where the rank is the dimension of the piece."""
    space = build_manifold([[0.0, 0.0], [1.0, 0.0], [3.0, 3.0]], [[[0, 1]], [[2]]])
    identity = Network.from_arrays([np.eye(2)], [[0.0, 0.0]])
    found = restrict(identity, space)
    for rank in (0, 1, 2):
        assert not any(m.any() for m in low_rank_part(found, 1, rank).mask)
    ambient = low_rank_part(found, 1, 2, ambient=True)
    assert all(m.all() for m in ambient.mask)
    assert ambient.images is None
    assert ambient.classes is None


def test_the_package_gives_its_names():
    assert polyrank.topology.restrict is restrict
    for name in polyrank.topology.__all__:
        assert callable(getattr(polyrank.topology, name))
    with pytest.raises(AttributeError, match="no attribute 'betti'"):
        _ = polyrank.topology.betti


def test_two_readings_of_the_low_rank_part():
    """x ↦ relu(x) on [−1, 1] and an isolated point: what is collapsed, and what has low rank."""
    space = build_manifold([[-1.0], [1.0], [3.0]], [[[0, 1]], [[2]]])
    net = Network.from_arrays([[[1.0]]], [[0.0]], output_relu=True)
    found = restrict(net, space)
    half = found.complex.cells[1]
    assert half == 2
    chosen = {
        (reading, rank): [
            int(m.sum()) for m in low_rank_part(found, 1, rank, reading=reading).cells
        ]
        for reading in READINGS
        for rank in (0, 1)
    }
    # rank 0: the left half is collapsed, the point has rank 0; rank 1: the right half is embedded
    assert chosen == {
        ("collapsing", 0): [0, 1],
        ("collapsing", 1): [0, 1],
        ("all", 0): [1, 1],
        ("all", 1): [1, 2],
    }
    both = low_rank_part(found, 1, 0, reading="all")
    assert both.components == 2
    assert both.images == ((fmpq(0),), (fmpq(3),))
    assert (both.deficient, low_rank_part(found, 1, 1, reading="all").deficient) == (0, 0)
    with pytest.raises(DomainError, match="the reading 'some' is none of collapsing, all"):
        low_rank_part(found, 1, 0, reading="some")


def test_readings_of_the_ambient_rank():
    """A segment along the kernel of J: ambient rank 1, tangent rank 0; across it: both 1."""
    space = build_manifold([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]], [[[0, 1], [0, 2]]])
    found = restrict(Network.from_arrays([[[1.0, 0.0]]], [[0.0]]), space)
    everything = low_rank_part(found, 1, 1, ambient=True)
    assert everything.reading == "all"
    assert [int(m.sum()) for m in everything.cells] == [0, 2]
    only = low_rank_part(found, 1, 1, ambient=True, reading="collapsing")
    assert only.cells[1].tolist() == [True, False]
