"""Images of surfaces: folds, pinches, projections and intersections whose homology is known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.chains.chain import from_facets
from polyrank.chains.groups import homology
from polyrank.errors import UnsupportedError
from polyrank.image.barcode import image
from polyrank.image.induced import sequence_homology
from polyrank.image.overlay import images
from polyrank.image.polygons import plane_of, turn
from polyrank.network.formats import load
from polyrank.network.normal_form import Network
from polyrank.topology.manifold import build_manifold
from polyrank.topology.point_cloud import complex_of_points, read_labels, read_points
from polyrank.topology.shapes import shape
from tests.conftest import shared
from tests.image.test_overlay import bars, fold, linear


def triangles(facets, points):
    return build_manifold(np.array(points, float), [facets])


def flat(n):
    """The identity of R^n."""
    return linear(*np.eye(n).tolist())


def groups(found):
    return [str(found.groups(x.layer)) for x in found.complexes]


def test_a_projection_that_changes_nothing():
    """∂square × [0, 1] to ∂square: no cell keeps its dimension, the fibres are contractible."""
    square = [[1, 1], [-1, 1], [-1, -1], [1, -1]]
    facets = []
    for i in range(4):
        j = (i + 1) % 4
        facets += [[i, j, j + 4], [i, i + 4, j + 4]]
    found = image(
        linear([1, 0, 0], [0, 1, 0]), triangles(facets, [[*p, h] for h in (0, 1) for p in square])
    )
    assert groups(found) == ["Z, Z, 0"] * 3
    assert found.complexes[-1].complex.cells == (4, 4, 0)
    assert bars(found) == [(0, None, "end"), (1, None, "end")]


def test_sphere_disk_segment_point():
    net = Network.from_arrays(
        [
            [[1.0, 0, 0], [-1.0, 0, 0], [0, 1.0, 0], [0, -1.0, 0]],
            [[1.0, -1, 0, 0], [-1.0, 1, 0, 0]],
            [[0.0, 0.0]],
        ],
        [[0.0] * 4, [0.0] * 2, [0.0]],
    )
    found = image(net, shape("sphere:3"))
    assert groups(found) == ["Z, 0, Z"] * 2 + ["Z, 0, 0"] * 3
    assert [x.complex.dimension for x in found.complexes] == [2, 2, 2, 1, 0]
    assert bars(found) == [(0, None, "end"), (2, None, 1)]


def test_torus_from_above_and_from_the_side():
    above = image(linear([1, 0, 0], [0, 1, 0]), shape("torus:9x7"))
    assert groups(above) == ["Z, Z^2, Z"] * 2 + ["Z, Z, 0"]
    assert above.homology.integral_map(1, 1, 2).kernel == "Z"
    side = image(linear([1, 0, 0], [0, 0, 1]), shape("torus:9x7"))
    assert groups(side)[-1] == "Z, 0, 0"


def test_annulus_folded_to_half_of_it():
    """|y| maps an annulus to a half annulus, a disk."""
    found = image(fold(), shape("annulus:12"))
    assert groups(found) == ["Z, Z, 0"] * 3 + ["Z, 0, 0"]
    assert bars(found) == [(0, None, "end"), (1, None, 2)]


def test_klein_bottle_in_space():
    """(a cos u, a sin u, sin v cos(u/2)), a = 2 + cos v: only the circle u = π is folded, v ~ −v.

    Cut there, the cylinder closes at both ends to a sphere, with two arcs that are identified: a
    sphere and a handle, up to homotopy.
    """
    found = image(linear([1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]), shape("klein:8x6"))
    assert groups(found) == ["Z, Z + Z/2, 0"] * 2 + ["Z, Z, Z"]
    assert bars(found) == [(0, None, "end"), (1, None, "end"), (2, 1, "end")]
    assert found.homology.integral_map(1, 1, 2).kernel == "Z/2"
    modular = image(found.network, found.manifold, coefficients=2)
    assert groups(modular) == ["F2, F2^2, F2"] * 2 + ["F2, F2, F2"]


def surface(m, q, place, *, twisted=False):
    """A torus (or Klein bottle) of m × q quadrangles, its points anywhere."""
    facets = []
    for i in range(m):
        for j in range(q):
            corner = []
            for di, dj in ((0, 0), (1, 0), (1, 1), (0, 1)):
                a, b = i + di, (j + dj) % q
                b = (-b) % q if a == m and twisted else b
                corner.append((a % m) * q + b)
            facets += [[corner[0], corner[1], corner[2]], [corner[0], corner[2], corner[3]]]
    return triangles(facets, [place(i, j) for i in range(m) for j in range(q)])


def pinched_points(m, q, classes, n=6, seed=0):
    """Points in general position of R^6, one per class: the image is the quotient complex."""
    random = np.random.default_rng(seed)
    points = random.integers(-999, 1000, (m * q, n))
    return lambda i, j: points[classes(i, j)]


@pytest.mark.parametrize(
    ("twisted", "classes", "expected"),
    [
        # a meridian: a sphere with two points identified
        (False, lambda i, j: 0 if i == 0 else i * 6 + j, "Z, Z, Z"),
        # a longitude: the same
        (False, lambda i, j: 0 if j == 0 else i * 6 + j, "Z, Z, Z"),
        # both, to one point: a sphere
        (False, lambda i, j: 0 if 0 in {i, j} else i * 6 + j, "Z, 0, Z"),
        # two meridians to two points: two spheres that touch twice
        (False, lambda i, j: i * 6 if i in {0, 3} else i * 6 + j, "Z, Z, Z^2"),
        # two meridians to one point: one more loop
        (False, lambda i, j: 0 if i in {0, 3} else i * 6 + j, "Z, Z^2, Z^2"),
        # a fibre of the Klein bottle: a sphere with two points identified
        (True, lambda i, j: 0 if i == 0 else i * 6 + j, "Z, Z, Z"),
        # the core of a Möbius strip in it: a projective plane
        (True, lambda i, j: 0 if j == 0 else i * 6 + j, "Z, Z/2, 0"),
        # the cores of both: a sphere, a disk on each side of an annulus
        (True, lambda i, j: i * 0 + j if j in {0, 3} else i * 6 + j, "Z, 0, Z"),
    ],
)
def test_pinched(twisted, classes, expected):
    found = image(flat(6), surface(6, 6, pinched_points(6, 6, classes), twisted=twisted))
    whole = "Z, Z + Z/2, 0" if twisted else "Z, Z^2, Z"
    assert groups(found) == [whole, expected, expected]


def test_projective_plane():
    """In general position of R^5; over ℤ/2 its classes live, over ℚ they are not there."""
    facets = [[0, 1, 2], [0, 2, 3], [0, 1, 5], [0, 4, 5], [0, 3, 4]]
    facets += [[1, 2, 4], [1, 3, 4], [1, 3, 5], [2, 3, 5], [2, 4, 5]]
    points = [[t, t**2, t**3, t**4, t**5] for t in range(6)]
    assert groups(image(flat(5), triangles(facets, points))) == ["Z, Z/2, 0"] * 3
    modular = image(flat(5), triangles(facets, points), coefficients=2)
    assert bars(modular) == [(0, None, "end"), (1, None, "end"), (2, None, "end")]


@pytest.mark.parametrize(
    ("points", "expected", "cells"),
    [
        # the second triangle pierces the first: a segment inside of both
        ([[0, 0, 0], [4, 0, 0], [0, 4, 0], [1, 1, -1], [1, 1, 1], [2, 0.5, 2]], "Z, 0, 0", None),
        # a corner inside
        ([[0, 0, 0], [9, 0, 0], [0, 9, 0], [1, 1, 0], [2, 1, 1], [1, 2, 1]], "Z, 0, 0", None),
        # a corner on a side, an edge on a side, coplanar
        ([[0, 0, 0], [9, 0, 0], [0, 9, 0], [3, 0, 0], [3, -1, 0], [4, -1, 0]], "Z, 0, 0", None),
        ([[0, 0, 0], [9, 0, 0], [0, 9, 0], [3, 0, 0], [4, 0, 0], [4, -1, 0]], "Z, 0, 0", None),
        # an edge inside, in another plane
        ([[0, 0, 0], [9, 0, 0], [0, 9, 0], [1, 1, 0], [2, 1, 0], [1, 2, 1]], "Z, 0, 0", None),
        # overlapping, nested, equal in one plane
        ([[0, 0, 0], [4, 0, 0], [0, 4, 0], [1, 1, 0], [5, 1, 0], [1, -3, 0]], "Z, 0, 0", None),
        ([[0, 0, 0], [9, 0, 0], [0, 9, 0], [1, 1, 0], [2, 1, 0], [1, 2, 0]], "Z, 0, 0", None),
        ([[0, 0, 0], [9, 0, 0], [0, 9, 0], [9, 0, 0], [0, 0, 0], [0, 9, 0]], "Z, 0, 0", (3, 3, 1)),
        # apart in one plane, and above one another
        ([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [2, 1, 0], [1, 2, 0]], "Z^2, 0, 0", None),
        ([[0, 0, 0], [4, 0, 0], [0, 4, 0], [1, 1, 1], [2, 1, 1], [1, 2, 2]], "Z^2, 0, 0", None),
    ],
)
def test_two_triangles(points, expected, cells):
    found = image(flat(3), triangles([[0, 1, 2], [3, 4, 5]], points))
    assert groups(found) == ["Z^2, 0, 0", expected, expected]
    if cells is not None:
        assert found.complexes[1].complex.cells == cells


def test_edges_and_points_that_meet_triangles():
    """A loose edge that pierces a triangle, one that lies in it, and an isolated point on it."""
    points = [
        [0, 0, 0],
        [9, 0, 0],
        [0, 9, 0],
        [1, 1, -1],
        [1, 1, 1],
        [2, 2, 0],
        [3, 2, 0],
        [4, 1, 0],
    ]
    mixed = build_manifold(np.array(points, float), [[[0, 1, 2]], [[3, 4], [5, 6]], [[7]]])
    found = image(flat(3), mixed)
    assert groups(found) == ["Z^4, 0, 0", "Z, 0, 0", "Z, 0, 0"]


def test_a_tetrahedron_of_triangles_that_only_cross():
    """Three rectangles that cross like the coordinate planes: a contractible union."""
    planes = []
    for axis in range(3):
        for s, t in ((-2, -2), (2, -2), (2, 2), (-2, 2)):
            p = [s, t]
            p.insert(axis, 0)
            planes.append(p)
    facets = [f for k in (0, 4, 8) for f in ([k, k + 1, k + 2], [k, k + 2, k + 3])]
    found = image(flat(3), triangles(facets, planes))
    assert groups(found)[1] == "Z, 0, 0"
    assert found.complexes[1].complex.euler_characteristic == 1


def test_a_box_of_six_large_sides():
    """Six squares, larger than the sides of a cube, in the planes of the cube: they enclose it."""
    points, facets = [], []
    for axis in range(3):
        for level in (-1, 1):
            k = len(points)
            for s, t in ((-2, -2), (2, -2), (2, 2), (-2, 2)):
                p = [s, t]
                p.insert(axis, level)
                points.append(p)
            facets += [[k, k + 1, k + 2], [k, k + 2, k + 3]]
    found = image(flat(3), triangles(facets, points))
    # the 27 cells of three pairs of planes in a cube: only the middle one is enclosed
    assert groups(found)[1] == "Z, 0, Z"
    assert bars(found)[-1] == (2, 0, "end")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_identified_vertices(data):
    """Points of classes in general position: the image is the complex of the classes."""
    count = data.draw(st.integers(4, 7))
    corner = st.integers(0, count - 1)
    facets = data.draw(
        st.lists(st.lists(corner, min_size=3, max_size=3, unique=True), min_size=1, max_size=9)
    )
    used = sorted({v for f in facets for v in f})
    classes = [data.draw(st.integers(0, 4)) for _ in used]
    random = np.random.default_rng(1)
    position = random.integers(-999, 1000, (5, 6))
    number = {v: i for i, v in enumerate(used)}
    space = triangles([[number[v] for v in f] for f in facets], [position[c] for c in classes])
    found = image(flat(6), space)
    expected = homology(from_facets([sorted({classes[number[v]] for v in f}) for f in facets])[0])
    betti = found.groups(0).betti
    assert betti[: len(expected.betti)] == expected.betti
    assert not any(betti[len(expected.betti) :])


def test_solids_are_not_for_the_overlay():
    solid = build_manifold(np.eye(4)[:, :3], [[[0, 1, 2, 3]]])
    with pytest.raises(UnsupportedError, match="dimension 3"):
        image(flat(3), solid, way="overlay")
    assert str(image(flat(3), solid).groups(1)) == "Z, 0, 0, 0"


def summary(net, space, *, contours):
    levels = list(images(net, space, contours=contours))
    found = sequence_homology([x.complex for x in levels], [x.origin for x in levels[1:]])
    last = found.levels - 1
    maps = [found.integral_map(d, j, last) for d in range(3) for j in range(last)]
    return [str(g) for g in found.groups], found.bars, maps


@pytest.mark.parametrize(
    ("name", "widths", "slope"),
    [
        ("torus:6x5", (3, 2), 0),
        ("torus:6x5", (3, 4, 2), 0),
        ("annulus:8", (2, 3, 3, 2), 0),
        ("linked-tori:5", (3, 4, 2), 0),
        ("sphere-and-circle:3", (3, 4, 2), -1),
        ("disk-in-annulus:8", (2, 4, 2), 0.5),
        ("disk-in-annulus:8", (2, 3, 3, 2), 0),
    ],
)
def test_contours_and_cells_agree(name, widths, slope):
    """Components and holes by counting parts and winding numbers, against the cells themselves."""
    random = np.random.default_rng(len(name) + sum(widths))
    net = Network.from_arrays(
        [random.standard_normal((b, a)).astype(np.float32) for a, b in pairwise(widths)],
        [random.standard_normal(b).astype(np.float32) / 2 for b in widths[1:]],
        slope=slope,
    )
    space = shape(name)
    assert summary(net, space, contours=True) == summary(net, space, contours=False)


def test_contours_of_nested_and_loose_parts():
    """A ring with a disk inside of its hole, a point in the disk, a point and an edge outside."""
    ring = shape("annulus:8")
    points = ring.points.approx.tolist()
    n = len(points)
    points += [[0.5, 0], [-0.5, 0.25], [-0.5, -0.25], [0.1, 0.01], [9, 9], [5, 5], [5, 6]]
    space = build_manifold(
        np.array(points),
        [ring.simplices[2], [[n, n + 1, n + 2]], [[n + 5, n + 6]], [[n + 3], [n + 4]]],
    )
    assert summary(flat(2), space, contours=True) == summary(flat(2), space, contours=False)
    assert summary(flat(2), space, contours=True)[0][-1] == "Z^4, Z, 0"


def test_faces_are_convex():
    random = np.random.default_rng(7)
    net = Network.from_arrays(
        [random.standard_normal((4, 3)).astype(np.float32)],
        [random.standard_normal(4).astype(np.float32) / 2],
        output_relu=True,
    )
    last = list(images(net, shape("torus:6x5")))[-1]
    assert len(last.faces) > 100
    for face in last.faces:
        corners = [last.points[v] for v in face]
        chart = plane_of(corners).chart
        turns = [
            turn(corners[k - 1], corners[k], corners[(k + 1) % len(face)], *chart)
            for k in range(len(face))
        ]
        assert min(turns) >= 0 or max(turns) <= 0


@pytest.mark.slow
def test_nine_disks_through_a_trained_network():
    """D-I (Beshkov 2026): the alpha complex of one class of the test points, nine layers of 15.

    The numbers of components at the layers 1, 3, 6, 9, 10 are those of an independent prototype.
    """
    pytest.importorskip("gudhi")
    labels = read_labels(shared("beshkov_quotient/D-I-test-labels.npy"))
    points = read_points(shared("beshkov_quotient/D-I-test.npy"))
    space = complex_of_points(points, 0.5, labels=labels).of_class(1)
    assert space.points.shape[0] == 282
    found = image(load(shared("beshkov_quotient/D-I_model_0.pth")), space)
    assert [found.groups(k).betti[0] for k in (1, 3, 6, 9, 10)] == [9, 9, 9, 8, 2]
    assert found.rank(0, None, 10) == 2
