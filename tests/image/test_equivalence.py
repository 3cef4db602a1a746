"""Layers that keep the homology of M: beside overlays and nerves, which decide the same alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.image.barcode import image
from polyrank.image.equivalence import keeps_homology
from polyrank.image.polygons import hull_of
from polyrank.network.formats import load
from polyrank.network.normal_form import Network, relu_layer
from polyrank.polyhedra.domain import Box
from polyrank.topology.box import box_complex
from polyrank.topology.manifold import Manifold, build_manifold
from polyrank.topology.point_cloud import complex_of_points, read_labels, read_points
from polyrank.topology.restriction import restrict
from polyrank.topology.shapes import shape
from tests.conftest import shared
from tests.image.test_nerve import random_network, triangles_in_space
from tests.image.test_overlay import curves_and_networks, linear


def agrees(space: Manifold, net: Network) -> list[bool]:
    """Where H(M) is said to be kept, the overlay's map is an isomorphism; what is said."""
    found = image(net, space)
    cells = restrict(net, space)
    said = [keeps_homology(cells, k) for k in range(len(net.layers) + 1)]
    for k, kept in enumerate(said):
        if kept:
            assert found.groups(k) == found.groups(None)
            for d in range(found.degrees):
                own = found.homology.integral_map(d, 0, found.level(k))
                assert (own.kernel, own.cokernel) == ("0", "0")
    return said


@settings(max_examples=20, deadline=None)
@given(curves_and_networks())
def test_curves(drawn) -> None:
    agrees(*drawn)


@settings(max_examples=20, deadline=None)
@given(triangles_in_space())
def test_triangles(drawn) -> None:
    agrees(*drawn)


@pytest.mark.parametrize(
    ("name", "widths", "slope", "kept"),
    [
        ("torus:5x5", (3, 8), 0.5, True),  # an injective linear map and a homeomorphism of R^8
        ("sphere:1", (3, 4, 3), 0, False),
        ("moebius:5", (3, 4), 0.5, True),
        ("annulus:6", (2, 4, 3), 0, False),
    ],
)
def test_surfaces(name: str, widths: tuple[int, ...], slope: float, kept: bool) -> None:
    said = agrees(shape(name), random_network(widths, 1, slope))
    assert said[0], "M is embedded"
    if kept:
        assert all(said)


def tower(low: float, high: float) -> Network:
    """x and y as they are, z cut: what lies within low..high becomes one square."""
    weight = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, -1]])
    return Network((relu_layer(weight, [9, 9, -high, low]),))


@pytest.mark.parametrize("band", [(-1, 1), (-2, 0), (-2, 2), (0.25, 0.5)])
def test_a_solid_with_a_slab_that_becomes_a_square(band: tuple[float, float]) -> None:
    """By hand: the fibres are points and segments, so the image is contractible."""
    found = image(tower(*band), box_complex(Box([0, 0, -2], [1, 1, 2]), 3))
    assert found.ways == ("overlay", "equivalence")
    assert found.reached == (3, 3)
    assert found.layers == (None, 0, 1)
    assert str(found.groups(1)) == "Z, 0, 0, 0"
    assert [(b.degree, b.birth, b.death) for b in found.bars] == [(0, 0, None)]


def test_a_frame() -> None:
    """A solid square frame of eight blocks: H_1 = Z, kept where only a ball of it is collapsed."""
    cubes = [(x, y) for x in range(3) for y in range(3) if (x, y) != (1, 1)]
    frame = glued([box_complex(Box([x, y, -2], [x + 1, y + 1, 2]), 3) for x, y in cubes])
    weight = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, -1]])
    cells = restrict(Network((relu_layer(weight, [9, 9, -1, -1]),)), frame)
    assert keeps_homology(cells, 0)
    assert not keeps_homology(cells, 1), "a slab of the frame is a ring, not like points"
    # z matters but where x + y + |z| < 1: a part of one block becomes a square
    weight = np.array([[1.0, 0, 0], [0, 1, 0], [1, 1, 1], [1, 1, -1]])
    net = Network((relu_layer(weight, [9, 9, -1, -1]),))
    found = image(net, frame, most_simplices=200, way="both")
    assert found.layers == (None, 0, 1)
    assert found.ways == ("overlay", "nerve", "equivalence")
    assert found.reached[0] == found.reached[2] == 3
    assert found.reached[1] < 3, "the nerve is too large"
    assert [str(found.groups(k)) for k in found.layers] == ["Z, Z, 0, 0"] * 3
    assert found.rank(1, None, 1) == 1


def glued(parts: list[Manifold]) -> Manifold:
    """The union of complexes whose common corners are equal points."""
    number: dict[tuple[float, ...], int] = {}
    facets = []
    for part in parts:
        own = [number.setdefault(tuple(p), len(number)) for p in part.points.approx.tolist()]
        facets.append(np.array(own)[part.simplices[3]])
    return build_manifold(np.array(list(number)), [np.concatenate(facets)])


def test_what_says_nothing() -> None:
    box = box_complex(Box([0, 0, -2], [1, 1, 2]), 3)
    folded = Network((relu_layer(np.eye(3), [9, 9, 0], slope=-1),))
    assert not keeps_homology(restrict(folded, box), 1), "halves that are laid on one another"
    simplex = build_manifold(np.vstack([np.zeros(4), np.eye(4)]), [[[0, 1, 2, 3, 4]]])
    flat = linear([1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0])
    assert not keeps_homology(restrict(flat, simplex), 1), "collapsed to a solid"
    # two tetrahedra above one another become one square: two components become one
    one = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    pair = build_manifold(
        np.concatenate([one, one + np.array([0, 0, 5])]), [[[0, 1, 2, 3], [4, 5, 6, 7]]]
    )
    flat = linear([1, 0, 0], [0, 1, 0])
    found = image(flat, pair)
    assert found.groups(1).betti[0] == 1
    assert not keeps_homology(restrict(flat, pair), 1)


def test_a_collapsed_part_that_another_one_runs_through() -> None:
    """Condition 2: a needle whose image crosses the square, far from where they are neighbours."""
    slab = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0], [0, 0, 1]], float)
    needle = np.array([[1, 1, 9], [1, 2, 9], [2, 1, 9], [1, 1, 13]], float)
    space = build_manifold(np.concatenate([slab, needle]), [[[0, 1, 2, 3], [4, 5, 6, 7]]])
    # the slab has z ≤ 1, the needle goes on in a third coordinate from −1 to 3
    weight = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    last = Network(
        (relu_layer(weight, [9, 9, -5]), *linear([1, 0, 0], [0, 1, 0], [0, 0, 1]).layers)
    )
    assert keeps_homology(restrict(last, space), 1), "the needle is above the square"
    shifted = Network.from_arrays([weight, weight], [[9, 9, -9], [0, 0, 0]])
    cells = restrict(shifted, space)
    assert not keeps_homology(cells, 1)
    assert image(shifted, space).groups(1).betti[0] == 1, "it stands on the square"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "radius", "label", "layer", "groups"),
    [
        ("D-II", 0.08, 1, 2, "Z^9, Z^9, 0, 0"),
        ("D-III", 0.15, 0, 1, "Z^9, 0, Z^9, 0"),
    ],
)
def test_trained_networks_on_solids(
    name: str, radius: float, label: int, layer: int, groups: str
) -> None:
    """Nine rings and nine shells (Beshkov 2026): the known homology, which no nerve reaches."""
    pytest.importorskip("gudhi")
    points = read_points(shared(f"beshkov_quotient/{name}-test.npy"))
    labels = read_labels(shared(f"beshkov_quotient/{name}-test-labels.npy"))
    if name == "D-II":
        space = complex_of_points(points, radius, labels=labels).of_class(label)
    else:
        space = complex_of_points(points[labels == label], radius)
    net = load(shared(f"beshkov_quotient/{name}_model_0.pth"))
    found = image(net, space, layer=layer, most_simplices=1000, way="nerve")
    assert found.layers == (None, *range(layer + 1))
    assert {str(found.groups(k)) for k in found.layers} == {groups}
    assert found.rank(0, None, layer) == 9
    assert [x.count for x in found.components] == [9] * (layer + 1)


@given(
    st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=1, max_size=9),
    st.integers(1, 3),
)
@settings(max_examples=100, deadline=None)
def test_corners_of_a_hull(places: list[tuple[int, int]], scale: int) -> None:
    """Every corner turns left, and no point lies to the right of a side."""
    points = [(x, 2 * x - 3 * y, y, scale) for x, y in places]
    corners = hull_of(points)
    assert set(corners) <= set(points)
    own = [(p[0], p[2]) for p in corners]
    if len(own) < 3:
        ends = {(p[0], p[2]) for p in points}
        assert {min(ends), max(ends)} == set(own)
        return
    turns = {
        (k, r): (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])
        for k, (p, q) in enumerate(zip(own, own[1:] + own[:1], strict=True))
        for r in places
    }
    sign = 1 if max(turns.values()) > 0 else -1
    assert all(sign * value >= 0 for value in turns.values())
    assert len(set(own)) == len(own)
    for k, p in enumerate(own):
        q, r = own[(k + 1) % len(own)], own[(k + 2) % len(own)]
        assert (q[0] - p[0]) * (r[1] - p[1]) != (q[1] - p[1]) * (r[0] - p[0])
