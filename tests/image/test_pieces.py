"""Pieces of layer K against the restriction to the layers 1..K, and their images against exact."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.errors import DomainError
from polyrank.image.pieces import Pieces, pieces
from polyrank.network.normal_form import Network
from polyrank.topology.manifold import build_manifold
from polyrank.topology.reading import open_cells
from polyrank.topology.restriction import Restriction, restrict
from polyrank.topology.shapes import shape
from polyrank.topology.store import save_cells
from tests.strategies import degenerate_networks


def points_of(restriction: Restriction, vertices: list[int]) -> frozenset[tuple[fmpq, ...]]:
    return frozenset(tuple(restriction.vertices.exact_point(v)) for v in vertices)


def check_floats(found: Pieces) -> None:
    for v in range(len(found.image)):
        exact = found.exact(v)
        assert exact == found.restriction.exact_image(v, found.layer)
        for value, near, slack in zip(exact, found.image[v], found.error[v], strict=True):
            assert slack == np.inf or abs(value - fmpq(*near.as_integer_ratio())) <= fmpq(
                *slack.as_integer_ratio()
            )


@given(degenerate_networks(), st.sampled_from(["circle:5", "disk:3", "wedge:3"]))
@settings(max_examples=25)
def test_pieces_are_the_cells_of_the_layers_before(network: Network, name: str) -> None:
    space = shape(name)
    if network.input_dim != 2:
        return
    whole = restrict(network, space)
    for layer in range(1, len(network.layers) + 1):
        found = pieces(whole, layer)
        alone = restrict(network, space, through_layer=layer)
        own = pieces(alone, layer)
        want = {
            (tuple(own.simplex(i)), own.signs(i).tobytes()): (
                points_of(alone, own.vertices(i).tolist()),
                own.rank[i],
            )
            for i in range(own.count)
        }
        got = {
            (tuple(found.simplex(i)), found.signs(i).tobytes()): (
                points_of(whole, found.vertices(i).tolist()),
                found.rank[i],
            )
            for i in range(found.count)
        }
        assert got == want
        assert own.count == sum(int(m.sum()) for m in alone.maximal)
        cells = [set(found.cells(i).tolist()) for i in range(found.count)]
        assert sum(map(len, cells)) == sum(int(m.sum()) for m in whole.maximal)
        check_floats(found)


def test_the_layer_0_is_m_itself() -> None:
    flat = build_manifold(
        [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [0.0, 1.0]], [[[0, 1, 2], [0, 1, 3]]]
    )
    network = Network.from_arrays([[[1.0, 0.25]]], [[-0.5]])
    found = pieces(restrict(network, flat), 0)
    assert found.rank.tolist() == [1, 2]  # the first triangle lies on a line
    assert [found.simplex(i) for i in range(2)] == [[0, 1, 2], [0, 1, 3]]
    assert found.common_face(0, 1).tolist() == [0, 1]
    assert found.collapsed.tolist() == [True, False]


def test_a_collapsed_square_is_covered_by_its_sides() -> None:
    # [0, 1]² in two triangles, projected to the first coordinate: the image is that of an edge
    square = build_manifold(
        [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], [[[0, 1, 2], [0, 2, 3]]]
    )
    network = Network.from_arrays([[[1.0, 0.0]]], [[0.5]])
    whole = restrict(network, square)
    assert pieces(whole, 1).rank.tolist() == [1, 1]
    found = pieces(whole, 1, covering=True)
    # the edges 01, 02, 23 have length 1 in the image; 12 and 03 go to points, which are their faces
    assert found.dimension.tolist() == [1, 1, 1]
    assert sorted(map(tuple, (found.vertices(i).tolist() for i in range(3)))) == [
        (0, 1),
        (0, 2),
        (2, 3),
    ]


def test_boxes_contain_the_images() -> None:
    rng = np.random.default_rng(1)
    network = Network.from_arrays(
        [rng.normal(size=(4, 3)), rng.normal(size=(3, 4))],
        [rng.normal(size=4), rng.normal(size=3)],
    )
    found = pieces(restrict(network, shape("sphere:2")), 1)
    low, high = found.boxes()
    for i in range(found.count):
        for corner in found.exact_image(i):
            for value, a, b in zip(corner, low[i], high[i], strict=True):
                assert fmpq(*a.as_integer_ratio()) <= value <= fmpq(*b.as_integer_ratio())


def test_an_overflow_says_nothing() -> None:
    network = Network.from_arrays([[[2.0**600, 0.0], [0.0, 1.0]], [[2.0**600, 0.0]]], [[0, 0], [0]])
    found = pieces(restrict(network, shape("circle:4")), 2)
    assert np.isinf(found.error).any()
    assert np.isfinite(found.image).all()
    assert max(found.exact(v)[0] for v in range(4)) == fmpq(2) ** 1200


@pytest.mark.parametrize("exponent", [-600, 600])
def test_scaled_floats_tell_something(exponent: int) -> None:
    scale = 2.0**exponent
    network = Network.from_arrays(
        [[[scale, 0.0], [0.0, 1.0]], [[scale, 0.0], [0.0, 1.0]]], [[0, 0], [0, 0]]
    )
    found = pieces(restrict(network, shape("circle:7")), 2)
    image, error, power = found.scaled()
    assert power[1] == 0
    assert abs(power[0] - 2 * exponent) <= 1
    for v in range(7):
        for k, value in enumerate(found.exact(v)):
            gap = abs(value * fmpq(2) ** -int(power[k]) - fmpq(*image[v, k].as_integer_ratio()))
            assert gap <= fmpq(*error[v, k].as_integer_ratio())
    assert error.max() < 1e-14


def test_cells_that_were_read_have_the_same_images(tmp_path: object) -> None:
    rng = np.random.default_rng(2)
    network = Network.from_arrays(
        [rng.normal(size=(3, 2)), rng.normal(size=(2, 3))], [rng.normal(size=3), [0.0, 0.0]]
    )
    whole = restrict(network, shape("circle:6"))
    save_cells(whole, f"{tmp_path}/cells")
    again = open_cells(f"{tmp_path}/cells", network)
    for layer in (0, 1, 2):
        first, second = pieces(whole, layer), pieces(again, layer)
        assert np.allclose(first.image, second.image, atol=1e-9)
        assert (first.vertex == second.vertex).all()
        check_floats(second)


def test_there_must_be_such_a_layer() -> None:
    network = Network.from_arrays([[[1.0, 0.0]]], [[0.0]])
    with pytest.raises(DomainError, match="layer 2"):
        pieces(restrict(network, shape("circle:4")), 2)


def test_the_rank_of_images_is_that_of_their_vertices() -> None:
    rng = np.random.default_rng(3)
    network = Network.from_arrays(
        [rng.normal(size=(3, 3)), rng.normal(size=(3, 3))],
        [rng.normal(size=3), rng.normal(size=3)],
    )
    whole = restrict(network, shape("torus:4"))
    for layer in (0, 1, 2):
        for covering in (False, True):
            found = pieces(whole, layer, covering=covering)
            for i in range(found.count):
                corners = found.exact_image(i)
                spread = [a - b for c in corners[1:] for a, b in zip(c, corners[0], strict=True)]
                rank = fmpq_mat(len(corners) - 1, found.ambient, spread).rank() if spread else 0
                assert rank == found.rank[i]
                assert not covering or rank == found.dimension[i]
