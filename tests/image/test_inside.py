"""What a layer does not keep as it is: ranks by floats, cells worked out by hand, both ways."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.chains.groups import homology
from polyrank.image import glue as module
from polyrank.image.barcode import image
from polyrank.image.cut import Parts, cut, whole
from polyrank.image.glue import Glued, glue, refinement
from polyrank.image.homogeneous import Point, activations, manifold_points
from polyrank.image.inside import Inside, full_rank, inside
from polyrank.image.overlay import cell_complex, manifold_cells
from polyrank.image.solids import settle
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import Box
from polyrank.topology.box import box_complex
from polyrank.topology.manifold import Manifold, build_manifold
from tests.image.test_solids import layers, tetrahedra, volume

ROD = 6  # cubes in a row


def rod() -> Manifold:
    """Cubes [k, k + 1] × [0, 1] × [0, 1] in a row, each of the six tetrahedra of Kuhn."""
    cube = box_complex(Box([0, 0, 0], [1, 1, 1]), 3)
    number: dict[tuple[float, ...], int] = {}
    tops = []
    for k in range(ROD):
        places = [tuple(row) for row in (cube.points.approx + np.array([k, 0, 0])).tolist()]
        own = np.array([number.setdefault(p, len(number)) for p in places])
        tops.append(own[cube.simplices[3]])
    return build_manifold(np.array(list(number)), [np.concatenate(tops)])


def moved(network: Network, manifold: Manifold) -> tuple[list[Point], Parts]:
    """The parts of the position of M through one layer, and where they go."""
    points = manifold_points(manifold)
    edges, faces, solids = manifold_cells(manifold)
    own = glue(points, whole(points, edges, faces, solids))
    parts = cut(own.points, own.edges, own.faces, network.layers[0], own.solids)
    return activations(parts.rows, network.layers[0]), parts


def folded(at: float) -> Network:
    """The first of three coordinates goes to |x − at|, the others, not negative, stay."""
    return Network.from_arrays([np.eye(3)], [[-at, 0, 0]], slope=-1, output_relu=True)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_ranks_by_floats_are_true(data) -> None:
    """Points with small integer coordinates, of every rank, against exact elimination."""
    n, m = data.draw(st.integers(2, 6)), data.draw(st.integers(1, 5))
    scale = data.draw(st.sampled_from([1.0, 2.0**-300, 2.0**300, 1 / 3]))
    entry = st.integers(-3, 3)
    places = np.array(data.draw(st.lists(st.tuples(*[entry] * m), min_size=n, max_size=n)), float)
    edges = (places[1:] - places[0]).astype(int).tolist()
    true = int(fmpq_mat(edges).rank())
    image = places[None] * scale
    error = np.abs(image) * 2.0**-52 if scale == 1 / 3 else np.zeros_like(image)
    for rank in range(4):
        said = bool(full_rank(image, error, rank)[0])
        assert not said or true >= rank
        if scale == 1.0:
            assert said == (true >= rank)


@pytest.mark.parametrize(("slack", "said"), [(0.0, True), (2.0**-30, True), (1.0, False)])
def test_a_rank_that_errors_hide_is_not_said(slack: float, said: bool) -> None:
    image = np.concatenate([np.zeros((1, 3)), np.eye(3)])[None]
    assert bool(full_rank(image, np.full_like(image, slack), 3)[0]) == said
    image[0, 3, 2] = 2.0**-30
    assert not full_rank(image, np.full_like(image, 2.0**-29), 3)[0]


def test_what_is_one_to_one_is_outside() -> None:
    found = inside(*moved(folded(-1), rod()))
    assert found == Inside([], [], [], [])


def test_a_fold_leaves_the_rest_outside() -> None:
    """|x − 1| takes the first cube to the second one.

    All tetrahedra of the third one have a corner with x = 2, in the place of one with x = 0. The
    other three cubes stay as they are, and the union has the volume of five.
    """
    places, parts = moved(folded(1), rod())
    found = inside(places, parts)
    three = [
        s
        for s, (_, own) in enumerate(parts.solids)
        if all(
            parts.rows[v][0] <= 2 * parts.rows[v][-1] for p, _ in own for v in parts.polygons[p][1]
        )
    ]
    assert found.solids == three
    assert len(three) == 18
    union = glue(places, parts)
    assert volume(union) == ROD - 1
    assert homology(complex_of(union), "Z").betti == (1, 0, 0, 0)


def test_too_many_polygons_are_not_refined(monkeypatch) -> None:
    """The layer is not decided, and the reason has the number; what is outside does not count."""
    net = folded(1)
    monkeypatch.setattr(module, "MOST_POLYGONS", 60)
    found = image(net, rod(), way="overlay")
    assert found.layers == (None, 0)
    (_, why), *_ = found.undecided
    assert "polygons of solids that meet others are to be refined, more than 60" in why
    monkeypatch.setattr(module, "MOST_POLYGONS", 1_000)
    assert image(net, rod(), way="overlay").layers == (None, 0, 1)


def complex_of(union: Glued):
    return cell_complex(len(union.points), union.edges, union.faces, 3, union.solids)


def lists(union: Glued) -> tuple[set[Point], list[int]]:
    """The points that solids need, and how many parts of the union every solid goes to."""
    corners = {union.points[v] for own in union.solids for f, _ in own for v in union.faces[f]}
    return corners, [len(own) for own in union.volumes]


@settings(max_examples=25, deadline=None)
@given(st.data(), tetrahedra())
def test_gluing_a_part_is_gluing_all(data, space: Manifold) -> None:
    """With two tetrahedra far away, which are outside: groups as of the refinement of all."""
    net = data.draw(layers(space.ambient, most=1))
    far = space.ambient * [0.0]
    more = np.array([far, *np.eye(space.ambient)[:3], far]) + 40
    more[4, :3] += 1
    start = len(space.points.approx)
    tops = [np.array([[0, 1, 2, 3], [1, 2, 3, 4]]) + start]
    facets = [space.simplices[d] for d in range(1, 4)]
    both = build_manifold(np.concatenate([space.points.approx, more]), [*facets, *tops])
    places, parts = moved(net, both)
    union = glue(places, parts)
    every = refinement(places, parts, settle(places, parts))
    assert homology(complex_of(union), "Z") == homology(complex_of(every), "Z")
    assert lists(union) == lists(every)
