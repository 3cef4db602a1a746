"""Images of curves: known answers, a naive second method, degenerate positions, extreme scales."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyrank as pr
from polyrank.errors import DomainError
from polyrank.image import barcode
from polyrank.image.barcode import image
from polyrank.image.barcode_object import image_object
from polyrank.image.homogeneous import approximation, rationals
from polyrank.image.overlay import images
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray
from polyrank.topology.manifold import build_manifold
from polyrank.topology.restriction import restrict
from polyrank.topology.shapes import shape
from tests.image.curves import naive_betti


def polygon(points, closed=True):
    n = len(points)
    edges = [[i, (i + 1) % n] for i in range(n if closed else n - 1)]
    return build_manifold(np.array(points, float), [edges])


def linear(*rows):
    return Network.from_arrays([np.array(rows, float)], [np.zeros(len(rows))])


def fold():
    """(x, y) ↦ (x, |y|), in two layers."""
    return Network.from_arrays(
        [
            [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]],
            [[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]],
        ],
        [[0.0] * 4, [0.0, 0.0]],
    )


def bars(found):
    """(degree, layer of birth, layer of death); None is M, "end" the end."""
    layers = [x.layer for x in found.complexes]
    return [
        (b.degree, layers[b.birth], "end" if b.death is None else layers[b.death])
        for b in found.bars
    ]


def test_a_fold_kills_the_class_of_a_circle():
    """|y| maps the circle two-to-one onto an arc."""
    found = pr.image(fold(), shape("circle:16"))
    assert [str(found.groups(k)) for k in (None, 0, 1, 2)] == ["Z, Z"] * 3 + ["Z, 0"]
    assert bars(found) == [(0, None, "end"), (1, None, 2)]
    arc = found.complexes[-1]
    assert arc.complex.cells == (9, 8)
    assert (approximation(arc.points)[:, 1] >= 0).all()
    assert found.homology.integral_map(1, 2, 3).kernel == "Z"


def torus_knot(q, n):
    """T(2, q) on a torus around the z-axis; seen from above it has q crossings (q odd)."""
    t = 2 * np.pi * np.arange(n) / n
    around = 2 + np.cos(q * t)
    points = np.stack([around * np.cos(2 * t), around * np.sin(2 * t), np.sin(q * t)], 1)
    return polygon(np.round(points * 1024) / 1024)


@pytest.mark.parametrize("q", [3, 5, 9])
def test_a_plane_curve_with_k_crossings(q):
    """A connected graph with k vertices of degree 4 and 2k edges: H_1 has rank k + 1."""
    found = image(linear([1, 0, 0], [0, 1, 0]), torus_knot(q, 40 * q + 2))
    assert found.complexes[-1].crossings == q
    assert str(found.groups(0)) == "Z, Z"
    assert str(found.groups(1)) == f"Z, Z^{q + 1}"
    assert bars(found) == [(0, None, "end"), (1, None, "end")] + [(1, 1, "end")] * q
    # the curve runs twice around the axis, and is no multiple of a class
    assert found.homology.integral_map(1, 1, 2).cokernel == f"Z^{q}"


def test_figure_eight():
    eight = polygon([[-2, -1, 0], [2, 1, 1], [2, -1, 0], [-2, 1, 0]])
    found = image(linear([1, 0, 0], [0, 1, 0]), eight)
    assert str(found.groups(1)) == "Z, Z^2"
    assert bars(found)[1:] == [(1, None, "end"), (1, 1, "end")]
    (crossing,) = [
        p for p in found.complexes[-1].points if p not in set(found.complexes[1].points)
    ][-1:]
    assert rationals(crossing) == (0, 0)


@pytest.mark.parametrize("times", [2, 3, 6])
def test_a_covering_of_a_circle(times):
    """Wrapped n times, embedded in R^4: nowhere one-to-one, H_1 → H_1 of index n."""
    corners = [(1, 0), (0, 1), (-1, -1)]
    points = [(*corners[i % 3], i, i * i) for i in range(3 * times)]
    flat = linear([1, 0, 0, 0], [0, 1, 0, 0])
    found = image(flat, polygon(points))
    assert [str(found.groups(k)) for k in (None, 0, 1)] == ["Z, Z"] * 3
    assert found.complexes[-1].complex.cells == (3, 3)
    induced = found.homology.integral_map(1, 1, 2)
    assert (induced.rank, induced.cokernel, induced.kernel) == (1, f"Z/{times}", "0")
    assert found.homology.integral_map(1, 0, 2) == induced
    # over a field whose characteristic divides n the class dies and another is born
    modular = image(flat, polygon(points), coefficients=3 if times == 3 else 2)
    assert bars(modular)[1:] == [(1, None, 1), (1, 1, "end")]


def test_pieces_glued_at_a_point():
    """Two edges and an isolated point in R^3; from above they touch, inside and at an end."""
    points = [[-1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 1], [0, 2, 1], [0.5, 0, 7]]
    pieces = build_manifold(np.array(points, float), [[[0, 1], [2, 3], [3, 4]], [[5]]])
    found = image(linear([1, 0, 0], [0, 1, 0]), pieces)
    assert [str(found.groups(k)) for k in (0, 1)] == ["Z^3, 0", "Z, 0"]
    # the corner (0, 1) between two edges on one line is no vertex of the image
    assert found.complexes[-1].complex.cells == (5, 4)
    assert bars(found) == [(0, None, 1), (0, None, 1), (0, None, "end")]


def test_collinear_overlaps():
    """Edges on one line: overlapping, nested, equal, touching, apart; reversed orientations."""
    points = [[0, 0], [4, 1], [3, 2], [1, 3], [4, 4], [0, 5], [5, 6], [6, 7], [4, 8], [5, 9]]
    pairs = [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    lines = build_manifold(np.array(points, float), [pairs])
    found = image(linear([1, 0], [2, 0]), lines)
    # 0..4 with 1..3 inside and a copy, 5..6, and 4..5 between them: one interval
    assert str(found.groups(1)) == "Z, 0"
    assert sorted(int(p[0]) for p in found.complexes[-1].points) == [0, 6]
    assert found.complexes[-1].complex.cells == (2, 1)
    apart = build_manifold(np.array(points[:8], float), [pairs[:4]])
    found = image(linear([1, 0], [2, 0]), apart)
    assert str(found.groups(1)) == "Z^2, 0"
    assert found.complexes[-1].complex.cells == (4, 2)


def test_everything_in_one_point():
    found = image(linear([0, 0]), shape("circle:8"))
    assert found.complexes[-1].complex.cells == (1, 0)
    assert bars(found) == [(0, None, "end"), (1, None, 1)]


def test_points_alone():
    """A manifold of dimension 0."""
    points = build_manifold(np.array([[0.0, 1.0], [0.0, 2.0], [3.0, 0.0]]), [[[0], [1], [2]]])
    found = image(linear([1, 0]), points)
    assert [str(found.groups(k)) for k in (0, 1)] == ["Z^3", "Z^2"]


def test_a_position_that_is_not_one_to_one():
    """A triangle traversed twice in R^2: M and its position differ."""
    twice = polygon([(1, 0), (0, 1), (-1, -1)] * 2)
    found = image(linear([1, 0], [0, 1]), twice)
    assert [x.complex.cells for x in found.complexes] == [(6, 6), (3, 3), (3, 3)]
    assert found.homology.integral_map(1, 0, 1).cokernel == "Z/2"


@pytest.mark.parametrize("power", [-500, -30, 0, 60, 500])
def test_scales(power):
    """Weights of any size: no tolerance enters."""
    net = Network.from_arrays([np.array([[1.0, 0, 0], [0, 1.0, 0]]) * 2.0**power], [np.zeros(2)])
    knot = torus_knot(3, 62)
    assert str(image(net, knot).groups(1)) == "Z, Z^4"


def test_crossings_closer_than_floats_can_tell():
    """A vertex 2^-80 above, on, and below a segment."""
    for shift, groups in ((2.0**-80, "Z^2, 0"), (0.0, "Z, 0"), (-(2.0**-80), "Z, 0")):
        pair = build_manifold(
            np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, shift], [0.0, 1.0]]), [[[0, 1], [2, 3]]]
        )
        assert str(image(linear([1, 0], [0, 1]), pair).groups(1)) == groups


def test_slopes_that_are_rational():
    """A leaky layer with slope 1/3."""
    one = RationalArray.from_floats([[1.0]])
    slope = RationalArray.from_rationals([1], (1,))
    third = RationalArray.from_rationals(["1/3"], (1,))
    leaky = Network((Layer(one, RationalArray.from_floats([0.0]), third, slope),))
    line = build_manifold([[-1.0], [2.0]], [[[0, 1]]])
    last = image(leaky, line).complexes[-1]
    assert sorted(str(rationals(p)[0]) for p in last.points) == ["-1/3", "2"]


@st.composite
def curves_and_networks(draw):
    """Small integers, so that coincidences are common."""
    whole = st.integers(-2, 2)
    n = draw(st.integers(1, 2))
    count = draw(st.integers(3, 7))
    points = draw(st.lists(st.tuples(*[whole] * n), min_size=count, max_size=count))
    widths = [n, *draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))]
    weights = [
        np.array(draw(st.lists(st.tuples(*[whole] * a), min_size=b, max_size=b)), float)
        for a, b in pairwise(widths)
    ]
    biases = [np.array(draw(st.lists(whole, min_size=b, max_size=b)), float) for b in widths[1:]]
    slope = draw(st.sampled_from([0, -1, "1/2"]))
    return polygon(points), Network.from_arrays(weights, biases, slope=slope)


@settings(max_examples=60, deadline=None)
@given(curves_and_networks())
def test_all_pairs_in_fractions(drawn):
    """The overlay against a naive second method that starts from the restriction."""
    curve, net = drawn
    found = image(net, curve, coefficients=2)
    cells = restrict(net, curve)
    for layer in range(found.complexes[-1].layer + 1):
        betti = found.groups(layer).betti
        assert betti == naive_betti(cells, layer)
        (one,) = [x for x in found.complexes if x.layer == layer]
        assert one.complex.euler_characteristic == betti[0] - betti[1]


def test_trained_like_network_against_all_pairs():
    random = np.random.default_rng(5)
    widths = (2, 3, 3, 3, 2)
    net = Network.from_arrays(
        [random.standard_normal((b, a)) for a, b in pairwise(widths)],
        [random.standard_normal(b) / 2 for b in widths[1:]],
    )
    circle = shape("circle:40")
    found, cells = image(net, circle), restrict(net, circle)
    for layer in range(5):
        assert found.groups(layer).betti == naive_betti(cells, layer)


def test_chain_maps_compose_to_the_map_of_points():
    """The vertices of M go where the forward pass sends them."""
    net = fold()
    at = np.arange(12)
    levels = list(images(net, shape("circle:12")))
    cells = restrict(net, shape("circle:12"))
    for one in levels[1:]:
        at = one.origin[0].tocsc()[:, at].indices
        for v in range(12):
            assert rationals(one.points[at[v]]) == cells.exact_image(v, one.layer)


def test_a_limit_of_cells_and_of_time():
    net = linear([1, 0, 0], [0, 1, 0])
    found = image(net, torus_knot(3, 62), most_cells=125)
    assert [x.layer for x in found.complexes] == [None, 0]
    assert found.undecided == ((1, "overlay: the overlay has 133 cells, more than 125"),)
    with pytest.raises(DomainError, match="layer 1 is not decided"):
        found.groups(1)
    late = image(net, torus_knot(3, 62), seconds=0.0)
    assert [k for k, _ in late.undecided] == [0, 1]
    assert "time limit" in late.undecided[0][1]
    assert image_object(late)["undecided"][0]["layer"] == 0


def pressed_after(monkeypatch, room, name, count):
    """Ctrl-C while the next layer is made."""
    made = getattr(room, name)

    def stopped(*arguments, **options):
        for k, own in enumerate(made(*arguments, **options)):
            if k == count:
                raise KeyboardInterrupt
            yield own

    monkeypatch.setattr(room, name, stopped)


def test_ctrl_c_leaves_the_layers_that_are_decided(monkeypatch):
    whole = image(fold(), shape("circle:16"))
    pressed_after(monkeypatch, barcode, "images", 3)  # M, layer 0, layer 1
    found = image(fold(), shape("circle:16"), answers_interrupts=True)
    assert found.interrupted
    assert not whole.interrupted
    assert found.layers == (None, 0, 1)
    assert [found.groups(k) for k in found.layers] == [whole.groups(k) for k in found.layers]
    assert found.undecided == ((2, "overlay: interrupted"),)
    with pytest.raises(KeyboardInterrupt):
        image(fold(), shape("circle:16"))
    pressed_after(monkeypatch, barcode, "images", 0)
    with pytest.raises(KeyboardInterrupt):
        image(fold(), shape("circle:16"), answers_interrupts=True)


@pytest.mark.parametrize("way", [None, "both"])
def test_ctrl_c_leaves_the_unions_of_solids(monkeypatch, way):
    """The overlay is over its budget after M; the union of layer 0 is there when it is pressed."""
    pressed_after(monkeypatch, barcode, "unions", 1)
    net = linear([1, 0, 0, 0], [0, 1, 0, 0])
    options = {"most_cells": 2, "way": way, "layer": 1}
    found = image(net, shape("3-sphere:1"), answers_interrupts=True, **options)
    assert found.interrupted
    assert [str(own.groups) for own in found.unions] == ["Z, 0, 0, Z"]
    assert found.undecided[-1][0] == 1
    assert "nerve" not in found.ways
    with pytest.raises(KeyboardInterrupt):
        image(net, shape("3-sphere:1"), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"layer": 3}, "between 0 and 1"), ({"coefficients": 4}, "prime")],
)
def test_refused(options, message):
    with pytest.raises(DomainError, match=message):
        image(linear([1, 0]), shape("circle:8"), **options)
    with pytest.raises(DomainError, match="takes 2 inputs"):
        image(linear([1, 0]), shape("sphere:2"))


@pytest.mark.slow
def test_a_circle_of_4096_edges():
    random = np.random.default_rng(0)
    widths = (2, 32, 32, 2)
    net = Network.from_arrays(
        [random.standard_normal((b, a)) for a, b in pairwise(widths)],
        [random.standard_normal(b) / 2 for b in widths[1:]],
    )
    found = image(net, shape("circle:4096"))
    last = found.complexes[-1]
    # general position: every crossing is a vertex of degree 4, and adds one loop
    assert found.groups(3).betti == (1, 1 + last.crossings)
