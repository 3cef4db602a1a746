"""One-to-one or not: cases known by hand, and random small networks against a brute force."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.errors import DomainError
from polyrank.image.collision import Collision
from polyrank.image.homeomorphism import Homeomorphism, homeomorphism, overlaps
from polyrank.image.meeting import Apart, Meet, decide, separated
from polyrank.image.pieces import Pieces, pieces
from polyrank.network.forward import forward_exact
from polyrank.network.normal_form import Network, relu_layer
from polyrank.polyhedra.domain import Box
from polyrank.topology.box import box_complex
from polyrank.topology.manifold import Manifold, build_manifold
from polyrank.topology.restriction import restrict
from polyrank.topology.shapes import shape
from tests.image.brute_force import all_overlaps
from tests.strategies import degenerate_networks


def relu_network(*widths: int, seed: int) -> Network:
    """ReLU after every layer, the last one too."""
    rng = np.random.default_rng(seed)
    layers = [
        relu_layer(rng.normal(size=(b, a)), 0.3 * rng.normal(size=b)) for a, b in pairwise(widths)
    ]
    return Network(tuple(layers))


def check_collision(network: Network, space: Manifold, pair: Collision) -> None:
    """By the definition: two different points, in simplices of M, with one image."""
    assert dict(pair.first.weights) != dict(pair.second.weights)
    known = {tuple(s) for rows in space.simplices for s in rows.tolist()}
    hidden = []
    for own in (pair.first, pair.second):
        assert sum(own.weights.values(), fmpq(0)) == 1
        assert all(w > 0 for w in own.weights.values())
        assert tuple(own.weights) in known
        place = [fmpq(0)] * space.ambient
        for v, w in own.weights.items():
            place = [p + w * x for p, x in zip(place, space.point(v), strict=True)]
        assert tuple(place) == own.point
        images = [forward_exact(network, place, layer=k) for k in range(1, pair.layer + 1)]
        hidden.append([tuple(place), *images])
    same = [a == b for a, b in zip(*hidden, strict=True)]
    assert same.index(True) == pair.layer
    assert hidden[0][pair.layer] == pair.image


def check_hyperplane(own: Pieces, i: int, j: int, found: Apart) -> None:
    common = set(own.common_face(i, j).tolist())
    for piece, side in ((i, 1), (j, -1)):
        for v in own.vertices(piece).tolist():
            terms = (a * b for a, b in zip(found.normal, own.exact(v), strict=True))
            value = side * (sum(terms, fmpq(0)) - found.offset)
            assert value == 0 if v in common else value > 0


def check_all_pairs(own: Pieces) -> None:
    """Every pair by floats and in rationals, against the brute force."""
    want = all_overlaps(own)
    assert {(o.first, o.second) for o in overlaps(own)} == want
    every = np.array([(i, j) for i in range(own.count) for j in range(i + 1, own.count)])
    apart, _ = separated(own, every)
    assert not any(
        proved and tuple(pair) in want for proved, pair in zip(apart, every.tolist(), strict=True)
    )
    for i, j in every.tolist():
        found = decide(own, i, j)
        assert isinstance(found, Meet) == ((i, j) in want)
        if isinstance(found, Apart):
            check_hyperplane(own, i, j, found)


def through(network: Network, space: Manifold, layer: int | None = None) -> Homeomorphism:
    found = homeomorphism(network, space, layer=layer)
    for verdict in found.verdicts:
        if verdict.collision is not None:
            check_collision(network, space, verdict.collision)
    return found


def polygon(points: Sequence[Sequence[float]]) -> Manifold:
    n = len(points)
    return build_manifold(points, [[(i, (i + 1) % n) for i in range(n)]])


IDENTITY = Network.from_arrays([[[1.0, 0.0], [0.0, 1.0]]], [[0.0, 0.0]])
FOLD = Network((relu_layer(np.eye(2), np.zeros(2), slope=-1),))  # (|x|, |y|)


def test_a_circle_is_folded_by_the_absolute_value() -> None:
    found = through(FOLD, shape("circle:8"))
    assert found.one_to_one is False
    assert found.first_layer == 1
    assert found.at(0) is True


def test_a_circle_through_the_identity() -> None:
    found = through(IDENTITY, shape("circle:8"))
    assert found.one_to_one is True
    assert found.first_layer is None
    assert found.proved_through == 1


def test_a_figure_eight_crosses_itself_before_the_network() -> None:
    found = through(IDENTITY, polygon([[-1, -1], [1, 1], [1, -1], [-1, 1]]))
    assert found.first_layer == 0
    assert found.collision is not None
    assert found.collision.first.point == (0, 0)


def test_images_that_touch_in_a_vertex_only() -> None:
    # a vertex of one edge lies in the middle of another one
    found = through(IDENTITY, polygon([[0, 0], [2, 0], [2, 1], [1, 0], [0, 1]]))
    assert found.first_layer == 0
    assert found.collision is not None
    assert found.collision.image == (1, 0)
    # two vertices of M in one place
    found = through(IDENTITY, polygon([[0, 0], [1, 0], [1, 1], [0, 0], [-1, 0], [-1, 1]]))
    assert found.collision is not None
    assert found.collision.image == (0, 0)


def test_a_covering_of_degree_2_is_nowhere_one_to_one() -> None:
    square = [[1, 0], [0, 1], [-1, 0], [0, -1]]
    own = pieces(restrict(IDENTITY, polygon(square + square)), 0)
    # every edge has a twin, and its twin's two neighbours touch it
    assert {(o.first, o.second) for o in overlaps(own)} == all_overlaps(own)
    assert len(all_overlaps(own)) >= 4


def triangles(*corners: Sequence[Sequence[float]]) -> Manifold:
    """Triangles that share no vertices."""
    points = [p for three in corners for p in three]
    return build_manifold(points, [np.arange(len(points)).reshape(-1, 3)])


SPACE = Network.from_arrays([np.eye(3)], [[0.0, 0.0, 0.0]])
BASE = [[0, 0, 0], [4, 0, 0], [0, 4, 0]]


@pytest.mark.parametrize(
    ("other", "meets"),
    [
        (BASE, True),  # identical
        ([[1, 1, 0], [5, 1, 0], [1, 5, 0]], True),  # coplanar overlap
        ([[1, 1, 0], [2, 1, 0], [1, 2, 0]], True),  # inside
        ([[4, 0, 0], [5, 0, 0], [4, 1, 0]], True),  # coplanar, a common place
        ([[4, 4, 0], [5, 4, 0], [4, 5, 0]], False),  # coplanar, apart; the boxes touch
        ([[3, 3, 0], [5, 3, 0], [3, 5, 0]], False),  # coplanar, apart; the boxes meet
        ([[1, 1, 0], [1, 1, 1], [2, 1, 1]], True),  # a vertex inside
        ([[2, 2, 0], [2, 2, 1], [3, 2, 1]], True),  # a vertex on an edge
        ([[1, 1, -1], [1, 1, 1], [2, 1, 1]], True),  # crosses
        ([[3, 3, -1], [3, 3, 1], [4, 4, 1]], False),  # beside it
        ([[0, 0, 0], [4, 0, 0], [0, 0, 4]], True),  # an edge in one place, no vertex shared
    ],
)
def test_two_triangles(other: list[list[float]], *, meets: bool) -> None:
    space = triangles(BASE, other)
    own = pieces(restrict(SPACE, space), 0)
    check_all_pairs(own)
    assert bool(all_overlaps(own)) == meets
    assert through(SPACE, space).one_to_one is not meets


@pytest.mark.parametrize(
    ("apex", "meets"),
    [
        ([0, 4, 1], False),  # a book with two pages
        ([0, -4, 0], False),  # flat, on the other side
        ([0, 4, 0], True),  # twice the same triangle
        ([1, 1, 0], True),  # flat, on the same side
        ([5, 9, 0], True),  # flat, on the same side, sticking out
        ([1, 1, 2.0**-40], False),  # nearly flat
        ([1, -(2.0**-60), 0], False),  # a sliver
    ],
)
def test_two_triangles_with_a_common_edge(apex: list[float], *, meets: bool) -> None:
    space = build_manifold([*BASE, apex], [[[0, 1, 2], [0, 1, 3]]])
    check_all_pairs(pieces(restrict(SPACE, space), 0))
    assert through(SPACE, space).one_to_one is not meets


@pytest.mark.parametrize(
    ("wing", "meets"),
    [
        ([[-1, 0, 0], [0, -1, 0]], False),
        ([[1, 1, 0], [2, 1, 1]], True),  # an edge runs inside the other triangle
        ([[4, 0, 0], [0, 0, 1]], True),  # two edges in one place
        ([[1, 1, 1], [1, 1, -1]], True),  # crosses: the meeting is a segment from the vertex
        ([[1, -1, 1], [1, -1, -1]], False),
        ([[-1, -1, 1], [-1, -1, -1]], False),
    ],
)
def test_two_triangles_with_a_common_vertex(wing: list[list[float]], *, meets: bool) -> None:
    space = build_manifold([*BASE, *wing], [[[0, 1, 2], [0, 3, 4]]])
    check_all_pairs(pieces(restrict(SPACE, space), 0))
    assert through(SPACE, space).one_to_one is not meets


def test_tetrahedra_with_common_faces() -> None:
    solid = build_manifold(
        [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0.5]],
        [[[0, 1, 2, 3], [1, 2, 3, 4], [0, 1, 2, 5]]],
    )
    own = pieces(restrict(SPACE, solid), 0)
    check_all_pairs(own)
    # in lexicographic order the second one is 0125, which lies inside the first
    assert all_overlaps(own) == {(0, 1)}


def test_a_cube_divided_by_a_network_has_polygons_as_common_faces() -> None:
    # the closed regions of the cube share polygons with up to 4 vertices; the identity after |·|
    rng = np.random.default_rng(5)
    corners = [[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    solid = build_manifold(
        corners, [np.array([[0, *p, 7] for p in ((1, 3), (1, 5), (4, 5), (2, 3), (2, 6), (4, 6))])]
    )
    network = Network((relu_layer(rng.normal(size=(3, 3)), -0.3 * np.ones(3), slope=0.5),))
    own = pieces(restrict(network, solid), 1)
    assert max(own.common_face(i, j).size for i in range(own.count) for j in range(i)) >= 4
    # a bijection of R^3: slopes of one sign, regular weight
    found = through(network, solid)
    assert found.one_to_one is True
    assert found.verdicts[-1].tally.exactly == 0


@given(degenerate_networks(), st.sampled_from(["circle:4", "wedge:3", "disk:3"]))
@settings(max_examples=15)
def test_random_degenerate_networks_in_the_plane(network: Network, name: str) -> None:
    if network.input_dim != 2:
        return
    space = shape(name)
    found = restrict(network, space)
    one_to_one = []
    for layer in range(len(network.layers) + 1):
        own = pieces(found, layer, covering=True)
        if own.count <= 12:
            check_all_pairs(own)
        whole = pieces(found, layer)
        one_to_one.append(not whole.collapsed.any() and not any(overlaps(whole)))
    answer = through(network, space)
    assert [answer.at(k) for k in range(len(one_to_one))] == one_to_one
    if not all(one_to_one):
        assert answer.first_layer == one_to_one.index(False)


@pytest.mark.parametrize("seed", range(12))
def test_random_networks_on_curves_and_surfaces(seed: int) -> None:
    name, widths = [
        ("circle:6", (2, 3, 3)),
        ("circle:5", (2, 3, 2, 2)),
        ("sphere:1", (3, 3, 3)),
        ("moebius:5x1", (3, 4, 3)),
    ][seed % 4]
    network = relu_network(*widths, seed=seed)
    found = restrict(network, shape(name))
    for layer in range(1, found.layers + 1):
        own = pieces(found, layer, covering=True)
        if own.count <= 16:
            check_all_pairs(own)
    through(network, shape(name))


def test_of_random_2_5_networks_on_a_circle_fewer_are_one_to_one_than_of_full_rank() -> None:
    full = one_to_one = 0
    for seed in range(60):
        found = homeomorphism(relu_network(2, 5, seed=seed), shape("circle:24"))
        full += found.verdicts[-1].collapsed == 0
        one_to_one += found.one_to_one is True
    assert 0 < one_to_one < full < 60


@pytest.mark.parametrize("exponent", [-500, 500])
def test_extreme_scales(exponent: int) -> None:
    # scaling the weights of a layer by a power of two changes no answer
    for seed in range(3):
        answers = []
        for power in (0, exponent):
            network = relu_network(2, 4, 3, seed=seed)
            first, *rest = network.layers
            scaled = relu_layer(first.weight.approx * 2.0**power, first.bias.approx * 2.0**power)
            found = through(Network((scaled, *rest)), shape("circle:6"), layer=1)
            answers.append(found.one_to_one)
        assert answers[0] == answers[1]


@pytest.mark.parametrize("exponent", [-500, 500])
def test_extreme_scales_of_two_layers(exponent: int) -> None:
    # 2^±1000 in the images: floats say nothing there
    square = polygon([[1, 0], [0, 1], [-1, 0], [0, -1]])
    scale = 2.0**exponent
    twice = Network.from_arrays([np.eye(2) * scale, np.eye(2) * scale], [np.zeros(2), np.zeros(2)])
    # ReLU after the first layer: two of the four edges are folded to one axis, one to a point
    assert through(twice, square).first_layer == 1
    shifted = Network.from_arrays(
        [np.eye(2) * scale, np.eye(2) * scale], [np.full(2, 2 * scale), np.zeros(2)]
    )
    found = through(shifted, square)
    assert found.one_to_one is True
    assert found.verdicts[-1].tally.exactly == 0


def test_a_time_limit_decides_nothing() -> None:
    found = homeomorphism(IDENTITY, shape("circle:64"), seconds=0.0)
    assert found.one_to_one is None
    assert found.first_layer is None
    assert found.proved_through == -1


def test_there_must_be_such_a_layer() -> None:
    for layer in (-1, 3):
        with pytest.raises(DomainError, match=f"layer {layer} must be between 0 and"):
            homeomorphism(IDENTITY, "circle:4", layer=layer)


def test_layer_0_asks_whether_the_manifold_is_embedded() -> None:
    assert homeomorphism(FOLD, shape("circle:8"), layer=0).one_to_one is True
    eight = polygon([[-1, -1], [1, 1], [1, -1], [-1, 1]])
    assert homeomorphism(FOLD, eight, layer=0).first_layer == 0


def test_a_box_stands_for_all_of_its_points() -> None:
    # |x| is one-to-one on [0, 1] only
    assert homeomorphism(FOLD, Box([0, 0], [1, 2])).one_to_one is True
    found = homeomorphism(FOLD, Box([0, -1], [1, 2]))
    assert found.first_layer == 1
    assert found.collision is not None
    check_collision(FOLD, found.restriction.manifold, found.collision)


@pytest.mark.parametrize("seed", range(2))
def test_leaky_layers_are_one_to_one_on_boxes_of_dimension_4(seed: int) -> None:
    rng = np.random.default_rng(seed)
    leaky = relu_layer(rng.normal(size=(4, 4)), 0.3 * rng.normal(size=4), slope=0.25)
    found = homeomorphism(Network((leaky,)), Box(-1, 1))
    assert found.one_to_one is True
    # floats know which faces are polygons: next to nothing is left
    assert found.verdicts[-1].tally.exactly < found.verdicts[-1].tally.pairs // 100
    folded = relu_layer(rng.normal(size=(4, 4)), 0.1 * rng.normal(size=4), slope=-1)
    found = through(Network((folded,)), box_complex(Box(-1, 1), 4))
    assert found.one_to_one is False
