"""Nerve = common refinement = all tuples by linear programs = gudhi on the filtration."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.image.barcode import image
from polyrank.image.barcode_object import image_object
from polyrank.image.homogeneous import from_rationals
from polyrank.image.induced import filtration_homology
from polyrank.image.nerve import common_point, nerves
from polyrank.network.normal_form import Network
from polyrank.topology.manifold import build_manifold
from polyrank.topology.restriction import restrict
from polyrank.topology.shapes import shape
from tests.image.test_overlay import curves_and_networks, linear


def random_network(widths, seed, slope=0):
    random = np.random.default_rng(seed)
    return Network.from_arrays(
        [random.standard_normal((b, a)).astype(np.float32) for a, b in pairwise(widths)],
        [random.standard_normal(b).astype(np.float32) / 2 for b in widths[1:]],
        slope=slope,
    )


def compare(net, space, *, coefficients="Z", programs=False, way=None):
    """The nerve against the overlay, in all groups, bars and maps; returns the nerve."""
    found = image(net, space, coefficients=coefficients, way=way)
    nerve = nerves(restrict(net, space), programs=programs)
    assert nerve.levels == len(found.complexes)
    own = filtration_homology(
        nerve.complex, nerve.labels, nerve.levels, space.dimension + 1, coefficients
    )
    assert own.groups == found.homology.groups
    assert own.bars == found.homology.bars
    if own.lattices:
        for k in range(1, own.levels):
            for d in range(own.degrees):
                assert own.integral_map(d, k - 1, k) == found.homology.integral_map(d, k - 1, k)
    return nerve


@settings(max_examples=20, deadline=None)
@given(curves_and_networks())
def test_curves(drawn):
    curve, net = drawn
    compare(net, curve)


@pytest.mark.parametrize(
    ("name", "widths", "slope"),
    [
        ("circle:30", (2, 4, 3), 0),
        ("circle:30", (2, 3, 3, 2), -1),
        ("wedge:6", (2, 3, 3, 2), 0),
        ("torus:5x5", (3, 3), 0),
        pytest.param("torus:5x5", (3, 4, 3), 0, marks=pytest.mark.slow),
        ("moebius:5", (3, 4, 3), -1),
        ("annulus:6", (2, 4, 3), 0.5),
        ("sphere:1", (3, 4, 3), 0),
        ("klein:5x5", (4, 3), 0),
    ],
)
def test_random_networks(name, widths, slope):
    compare(random_network(widths, len(name) + len(widths), slope), shape(name))


@st.composite
def triangles_in_space(draw):
    """A few triangles with small integer corners: overlaps of every kind are common."""
    n = draw(st.integers(2, 3))
    count = draw(st.integers(4, 6))
    points = draw(st.lists(st.tuples(*[st.integers(-2, 2)] * n), min_size=count, max_size=count))
    corners = st.lists(st.integers(0, count - 1), min_size=3, max_size=3, unique=True)
    facets = draw(st.lists(corners, min_size=1, max_size=4))
    used = sorted({v for f in facets for v in f})
    number = {v: i for i, v in enumerate(used)}
    space = build_manifold(
        np.array([points[v] for v in used], float), [[[number[v] for v in f] for f in facets]]
    )
    rows = draw(st.lists(st.tuples(*[st.integers(-1, 1)] * n), min_size=1, max_size=3))
    return space, Network.from_arrays([np.array(rows, float)], [np.zeros(len(rows))])


@settings(max_examples=20, deadline=None)
@given(triangles_in_space(), st.sampled_from(["Z", 2]))
def test_triangles_by_linear_programs(drawn, coefficients):
    """All tuples of triangles by exact linear programs, which share nothing with the overlay."""
    space, net = drawn
    compare(net, space, coefficients=coefficients, programs=True)


@settings(max_examples=20, deadline=None)
@given(triangles_in_space())
def test_triangles_through_units(drawn):
    """The same corners through a layer that cuts and folds."""
    space, net = drawn
    weight = net.layers[0].weight.approx
    folding = Network.from_arrays([weight, np.eye(len(weight))], [np.ones(len(weight))] * 2)
    compare(folding, space)


@pytest.mark.parametrize("prime", [2, 3])
def test_gudhi_on_the_filtration(prime):
    gudhi = pytest.importorskip("gudhi")
    net = random_network((3, 3, 3), 3)
    space = shape("moebius:6")
    nerve = nerves(restrict(net, space))
    tree = gudhi.SimplexTree()
    rows = np.arange(nerve.complex.cells[0])[:, None]
    for d, label in enumerate(nerve.labels):
        if d:
            matrix = nerve.complex.boundary[d - 1].tocsc()
            faces = matrix.indices.reshape(-1, d + 1)
            rows = np.array([sorted({v for f in own for v in rows[f]}) for own in faces.tolist()])
        for simplex, level in zip(rows.tolist(), label.tolist(), strict=True):
            tree.insert(simplex, float(level))
    pairs = tree.persistence(
        homology_coeff_field=prime, min_persistence=0, persistence_dim_max=True
    )
    expected = Counter(
        (d, int(b), None if np.isinf(e) else int(e)) for d, (b, e) in pairs if d <= 2 and b < e
    )
    own = filtration_homology(nerve.complex, nerve.labels, nerve.levels, 3, prime)
    assert Counter((b.degree, b.birth, b.death) for b in own.bars) == expected
    assert own.bars == image(net, space, coefficients=prime).homology.bars


def test_a_solid():
    """A tetrahedron and a segment that a projection puts into one another: one component."""
    points = [[0, 0, 0], [4, 0, 0], [0, 4, 0], [0, 0, 4], [1, 1, 9], [9, 9, 9]]
    solid = build_manifold(np.array(points, float), [[[0, 1, 2, 3]], [[4, 5]]])
    nerve = nerves(restrict(linear([1, 0, 0], [0, 1, 0]), solid))
    found = filtration_homology(nerve.complex, nerve.labels, nerve.levels, 4)
    assert [str(g) for g in found.groups] == ["Z^2, 0, 0, 0"] * 2 + ["Z, 0, 0, 0"]


def test_a_shell_of_tetrahedra():
    """The boundary of a 4-simplex in R^4 is a 3-sphere; flattened to R^3 it is a ball."""
    points = np.vstack([np.zeros(4), np.eye(4)])
    facets = [[v for v in range(5) if v != out] for out in range(5)]
    sphere = build_manifold(points, [facets])
    net = linear([1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0])
    nerve = nerves(restrict(net, sphere))
    found = filtration_homology(nerve.complex, nerve.labels, nerve.levels, 4)
    assert [str(g) for g in found.groups] == ["Z, 0, 0, Z"] * 2 + ["Z, 0, 0, 0"]


def test_a_budget():
    """Levels that fit are complete, the others are not there."""
    net = random_network((3, 3, 3, 2), 12)
    nerve = nerves(restrict(net, shape("torus:5x5")), most=6000)
    assert 1 <= nerve.levels < 5
    assert nerve.simplices == 6000
    assert all((label < nerve.levels).all() for label in nerve.labels)


def test_no_time_at_all():
    """M itself is known without its nerve."""
    sphere = build_manifold(np.vstack([np.zeros(3), np.eye(3)]), [[[0, 1, 2, 3]]])
    found = image(linear([1, 0, 0]), sphere, seconds=0.0)
    assert str(found.groups(None)) == "Z, 0, 0, 0"
    assert [k for k, _ in found.undecided] == [0, 1]


def test_the_last_layer_alone_is_given_up_with_its_reason():
    folded = Network.from_arrays([[[0.0, 1.0], [0.0, -1.0]], [[1.0, 1.0]]], [[0, 0], [0]])
    found = image(folded, shape("circle:8"), way="nerve", most_simplices=40)
    assert found.layers == (None, 0, 1)
    ((layer, reason),) = found.undecided
    assert layer == 2
    assert reason.startswith("nerve: the nerve has more than 40 simplices")


def test_common_points():
    def points(*rows):
        return [from_rationals(map(fmpq, row)) for row in rows]

    square = points((0, 0), (2, 0), (2, 2), (0, 2))
    assert common_point([square, points((1, 1))])
    assert common_point([square, points((2, 2), (3, 3)), points((2, 0), (2, 9))])
    assert not common_point([square, points((3, 0), (0, 5)), points((0, 0), (1, 0))])
    assert not common_point([points((0, 0)), points((0, 1))])
    assert common_point([points((1, 1)), points((1, 1))])


@pytest.mark.parametrize(
    ("most", "compared"),
    [
        (1000, "computed separately and equal: "),
        (40, "equal through layer 1 only: "),
        (3, "nothing was compared, for the way by nerve decided no layer"),
    ],
)
def test_two_ways_are_called_equal_as_far_as_both_went(most: int, compared: str) -> None:
    """A nerve that is given up is no second computation of the layers after it."""
    folded = Network.from_arrays([[[0.0, 1.0], [0.0, -1.0]], [[1.0, 1.0]]], [[0, 0], [0]])
    found = image(folded, shape("circle:8"), way="both", most_simplices=most)
    assert found.layers == (None, 0, 1, 2)
    text = image_object(found)["theorem"]
    assert compared in text
    assert ("functorial nerve theorem" in text) == (most > 3)
    assert ("separately and equal: " in text) == (most == 1000)
