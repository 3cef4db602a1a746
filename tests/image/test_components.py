"""Components of images, found by common points, beside nerves, overlays and known counts."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings

from polyrank.image.barcode import image
from polyrank.image.barcode_object import image_object
from polyrank.image.components import component_layers
from polyrank.network.forward import forward_exact
from polyrank.network.normal_form import Network, relu_layer
from polyrank.topology.manifold import build_manifold
from polyrank.topology.restriction import restrict
from tests.image.test_nerve import random_network, triangles_in_space
from tests.image.test_overlay import linear


def tetrahedra(count: int, seed: int) -> object:
    """Disjoint small tetrahedra in R³."""
    random = np.random.default_rng(seed)
    corners = random.integers(-8, 9, (count, 1, 3)) * 16 + random.integers(0, 9, (count, 4, 3))
    facets = np.arange(4 * count).reshape(count, 4)
    return build_manifold(corners.reshape(-1, 3).astype(float), [facets])


@settings(max_examples=20, deadline=None)
@given(triangles_in_space())
def test_as_many_as_the_overlay_has(drawn) -> None:
    space, net = drawn
    found = image(net, space)
    layers = list(component_layers(restrict(net, space), len(net.layers)))
    assert [x.count for x in layers] == [found.groups(x.layer).betti[0] for x in layers]
    assert [len(x.merges) for x in layers] == [
        sum(m.layer == x.layer for m in found.merges()) for x in layers
    ]


@pytest.mark.parametrize("seed", range(6))
def test_as_many_as_the_nerve_has(seed: int) -> None:
    """`image` compares the two and says so where they differ; every point has both preimages."""
    space = tetrahedra(5, seed)
    net = random_network((3, 3, 2, 1), seed)
    found = image(net, space)
    assert len(found.components) == 4
    assert [x.count for x in found.components] == [found.groups(k).betti[0] for k in range(4)]
    for merge in found.merges():
        assert merge.first < merge.second
        assert merge.first % 4 == 0 == merge.second % 4, "the lowest vertex of a tetrahedron"
        assert merge.cells is None


def test_three_tetrahedra_on_a_line() -> None:
    """By hand: [0, 1], [2, 3], [5, 6] in x; |x − 2| is [1, 2], [0, 1], [3, 4]."""
    one = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    places = np.concatenate([one + np.array([s, 8 * k, 0]) for k, s in enumerate((0, 2, 5))])
    space = build_manifold(places, [np.arange(12).reshape(3, 4)])
    folded = Network((relu_layer(np.array([[1.0, 0, 0]]), [-2], slope=-1),))
    layers = list(component_layers(restrict(folded, space), 1))
    assert [x.count for x in layers] == [3, 2]
    (merge,) = layers[1].merges
    assert (merge.layer, merge.first, merge.second, merge.point) == (1, 0, 4, (fmpq(1),))
    # the vertices at x = 1 and x = 3
    for v in (1, 5):
        assert forward_exact(folded, list(space.point(v)), layer=1) == merge.point


def test_a_name_is_the_lowest_vertex_of_what_was_joined_before() -> None:
    """Layer 1 joins the second to the third, layer 2 both to the first."""
    one = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    places = np.concatenate([one + np.array([4 * k, 0, 0]) for k in range(3)])
    space = build_manifold(places, [np.arange(12).reshape(3, 4)])
    # |x − 6.5| is [5.5, 6.5], [1.5, 2.5], [1.5, 2.5]
    net = Network.from_arrays([[[1.0, 0.0, 0.0]], [[0.0]]], [[-6.5], [0.0]], slope=-1)
    layers = list(component_layers(restrict(net, space), 2))
    assert [x.count for x in layers] == [3, 2, 1]
    assert [(m.first, m.second) for x in layers for m in x.merges] == [(4, 8), (0, 4)]


def test_a_layer_that_is_not_decided_says_its_components() -> None:
    space = tetrahedra(20, 1)
    found = image(linear([1, 0, 0]), space, most_simplices=20, way="nerve")
    assert found.layers == (None, 0)
    assert [k for k, _ in found.undecided] == [1]
    counts = [x.count for x in found.components]
    assert counts[0] == 20 > counts[1]
    shown = image_object(found)
    assert [entry["count"] for entry in shown["components"]] == counts
    assert len(shown["merging"]) == 20 - counts[1]
    for k, reason in found.undecided:
        assert f"; certified: it has {counts[k]} component" in reason
