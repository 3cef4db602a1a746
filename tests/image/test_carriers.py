"""Cycles of the classes that layers make and kill."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest
from flint import fmpz

import polyrank.image.carriers as room
from polyrank.chains.reduction import Reduction
from polyrank.errors import DomainError
from polyrank.image.barcode import image
from polyrank.image.barcode_object import image_object
from polyrank.image.scale import persistent_betti
from polyrank.lp.deadline import OutOfTimeError
from polyrank.network.normal_form import Network, affine_layer
from polyrank.topology.shapes import shape
from tests.image.test_nerve import random_network
from tests.image.test_overlay import fold, linear, polygon, torus_knot
from tests.image.test_surfaces import flat, triangles

FROM_ABOVE = linear([1, 0, 0], [0, 1, 0])
EIGHT = polygon([[-8, -4, 0], [0.08, 0.04, 1], [0.08, -0.04, 0], [-8, 4, 0]])


def vector(one, degree, cells):
    chain = np.zeros(one.complex.cells[degree], object)
    for cell, weight in cells:
        chain[cell] = weight
    return chain


def product(matrix, chain):
    """In Python integers."""
    out = np.zeros(matrix.shape[0], object)
    table = matrix.tocoo()
    for row, column, value in zip(*table.coords, table.data.tolist(), strict=True):
        out[row] += value * chain[column]
    return out


def vanishes(chain, modulus):
    return not any(int(v) % modulus if modulus else int(v) for v in chain)


def verify(found):
    """Every cycle is one, and what kills it has its image as boundary; as many as there are."""
    modulus = 0 if found.homology.coefficients in {"Z", "Q"} else int(found.homology.coefficients)
    assert not found.carriers.missing
    for own in (*found.carriers.born, *found.carriers.dying):
        level = found.level(own.layer)
        before, after = found.complexes[level - 1], found.complexes[level]
        one = after if own.killed is None else before
        chain = vector(one, own.degree, own.cells)
        assert vanishes(product(one.complex.boundary[own.degree - 1], chain), modulus)
        assert own.simplices
        if own.killed is not None:
            left = own.killed.multiple * product(after.origin[own.degree], chain)
            if own.killed.chain:
                filling = vector(after, own.degree + 1, own.killed.chain.items())
                left -= product(after.complex.boundary[own.degree], filling)
            assert vanishes(left, modulus)
            assert own.killed.multiple == 1 or found.homology.coefficients == "Q"
    for level, layer in enumerate(found.layers[1:], start=1):
        for degree in range(1, found.degrees):
            bars = [b for b in found.bars if b.degree == degree]
            orders = [
                Counter(c.order for c in own if (c.layer, c.degree) == (layer, degree))
                for own in (found.carriers.dying, found.carriers.born)
            ]
            assert orders[0][0] == sum(b.death == level for b in bars)
            assert orders[1][0] == sum(b.birth == level for b in bars)
            if found.homology.lattices:
                induced = found.homology.integral_map(degree, level - 1, level)
                for own, group in zip(orders, (induced.kernel, induced.cokernel), strict=True):
                    assert primary(own.elements()) == primary(summands(group))
    return found.carriers


def summands(group):
    """The orders of the cyclic summands of ``Z^2 + Z/2``."""
    for part in [] if group == "0" else group.split(" + "):
        kind, _, number = part.partition("^" if "^" in part else "/")
        yield from [int(number)] if "/" in part else [0] * int(number or kind == "Z")


def primary(orders):
    """A finitely generated group by its rank and the prime powers of its torsion."""
    powers = [[0] if t == 0 else [int(p) ** e for p, e in fmpz(t).factor()] for t in orders]
    return sorted(q for own in powers for q in own)


def test_figure_eight_with_a_small_loop():
    """Two crossing sides; the triangle to the right of the crossing is the smaller loop."""
    eight = polygon([[-8, -4, 0], [4, 2, 1], [4, -2, 0], [-8, 4, 0]])
    found = image(FROM_ABOVE, eight)
    (loop,) = verify(found).born
    assert (loop.layer, loop.degree, loop.order) == (1, 1, 0)
    # from (0, 0) to (4, 2), (4, −2) and back
    assert loop.volume == pytest.approx(4 + 2 * np.hypot(4, 2))
    assert loop.diameter == pytest.approx(4)
    assert loop.share == pytest.approx(4 / 12)
    ends = {tuple(sorted(eight.simplices[d][e].tolist())) for d, e in loop.simplices}
    assert ends == {(0, 1), (1, 2), (2, 3)}
    (contact,) = loop.contacts
    assert contact.point == (0, 0)
    assert {tuple(eight.simplices[d][e].tolist()) for d, e in contact.simplices} == {(0, 1), (2, 3)}


def test_a_circle_that_is_folded():
    found = image(fold(), shape("circle:16"))
    (loop,) = verify(found).dying
    assert loop.layer == 2
    assert loop.simplices == tuple((1, e) for e in range(16))
    assert loop.killed.chain == {}


@pytest.mark.parametrize("times", [2, 3, 6])
def test_a_covering_makes_a_class_of_finite_order(times):
    """The circle in the image is not wrapped by M, n times it is."""
    corners = [(1, 0), (0, 1), (-1, -1)]
    around = polygon([(*corners[i % 3], i, i * i) for i in range(3 * times)])
    over = linear([1, 0, 0, 0], [0, 1, 0, 0])
    (loop,) = verify(image(over, around)).born
    assert (loop.layer, loop.order, len(loop.cells)) == (1, times, 3)
    assert verify(image(over, around, coefficients="Q")).born == ()
    modular = verify(image(over, around, coefficients=3 if times == 3 else 2))
    assert [len(own) for own in (modular.born, modular.dying)] == [1, 1]


def test_a_sphere_becomes_a_disk():
    found = image(FROM_ABOVE, shape("sphere:3"))
    (surface,) = verify(found).dying
    count = found.manifold.complex.cells[2]
    assert (surface.layer, surface.degree, surface.killed.chain) == (1, 2, {})
    assert surface.simplices == tuple((2, f) for f in range(count))
    assert {abs(v) for _, v in surface.cells} == {1}


@pytest.mark.parametrize("contours", [False, True])
def test_a_torus_becomes_an_annulus(contours, monkeypatch):
    """A meridian dies: 8 sides of the octagon with radius 1; the area is that of all of it."""
    monkeypatch.setattr("polyrank.image.overlay._MANY", 0 if contours else 10**9)
    found = image(FROM_ABOVE, shape("torus:12x8"))
    assert found.complexes[-1].by_contours is contours
    loop, surface = verify(found).dying
    assert (loop.degree, surface.degree) == (1, 2)
    assert loop.volume == pytest.approx(16 * np.sin(np.pi / 8), abs=1e-3)
    assert len(surface.simplices) == 2 * 12 * 8
    assert found.carriers.born == ()


def test_two_pyramids_are_glued_to_an_octahedron():
    """Apart in R^4, they meet in the square between them."""
    around = [[1, 0], [0, 1], [-1, 0], [0, -1]]
    points = [[*p, 0, h] for h in (0, 1) for p in around] + [[0, 0, 1, 0], [0, 0, -1, 1]]
    facets = [[4 * h + i, 4 * h + (i + 1) % 4, 8 + h] for h in (0, 1) for i in range(4)]
    down = linear([1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0])
    found = image(down, triangles(facets, points))
    assert str(found.groups(1)) == "Z, 0, Z"
    (surface,) = verify(found).born
    assert (surface.degree, len(surface.cells), len(surface.simplices)) == (2, 8, 8)
    assert surface.volume == pytest.approx(4 * np.sqrt(3))  # 8 triangles with sides √2
    assert {tuple(map(int, c.point)) for c in surface.contacts} == {(*p, 0) for p in around}
    for contact in surface.contacts:
        assert {f < 4 for _, f in contact.simplices} == {True, False}


def strip(n):
    """A strip that winds once around the axis, and a tenth more."""
    angles = 2.2 * np.pi * np.arange(n) / (n - 1)
    points = [[r * np.cos(t), r * np.sin(t), t] for t in angles for r in (1, 2)]
    facets = [f for a in range(0, 2 * n - 2, 2) for f in ([a, a + 1, a + 2], [a + 1, a + 3, a + 2])]
    return triangles(facets, points)


@pytest.mark.parametrize("n", [12, 60])
def test_a_strip_closes_to_an_annulus(n):
    """With 118 triangles the image is given by its contours; its hole is a 55-gon, nearly."""
    found = image(FROM_ABOVE, strip(n))
    assert found.complexes[-1].by_contours is (n == 60)
    (loop,) = verify(found).born
    assert 5.5 < loop.volume < 2 * np.pi
    assert loop.share == pytest.approx(0.5, abs=0.02)
    triangles_of = found.manifold.simplices[2]
    for contact in loop.contacts:
        first, second = (int(triangles_of[f].min()) for _, f in contact.simplices)
        assert abs(first - second) > n  # both ends of the strip, in one place
    assert loop.contacts


def test_a_projective_plane_loses_its_torsion():
    """On a line its class of order 2 is 0."""
    facets = [[0, 1, 2], [0, 2, 3], [0, 1, 5], [0, 4, 5], [0, 3, 4]]
    facets += [[1, 2, 4], [1, 3, 4], [1, 3, 5], [2, 3, 5], [2, 4, 5]]
    plane = triangles(facets, [[t, t**2, t**3, t**4, t**5] for t in range(6)])
    line = Network.from_arrays([np.eye(5), np.eye(1, 5)], [np.zeros(5), [0.0]])
    (loop,) = verify(image(line, plane)).dying
    # the shortest circle that does not bound has 3 of the 15 edges
    assert (loop.layer, loop.degree, loop.order) == (2, 1, 2)
    modular = verify(image(line, plane, coefficients=2)).dying
    assert [(c.layer, c.degree, len(c.cells)) for c in modular] == [(2, 1, 3), (2, 2, 10)]
    assert verify(image(flat(5), plane)).dying == ()


@pytest.mark.parametrize("coefficients", ["Z", "Q", 2])
def test_one_cycle_for_every_class(coefficients):
    for net, curve in (
        (FROM_ABOVE, torus_knot(5, 202)),
        (random_network((2, 3, 3, 2), 5), shape("circle:60")),
        (random_network((2, 6, 6, 2), 6), shape("wedge:12")),
        (random_network((4, 3, 3), 1), shape("klein:6")),
        (random_network((3, 3, 3, 3), 2), shape("linked-tori:5")),
    ):
        verify(image(net, curve, coefficients=coefficients))


def test_loops_of_a_knot_are_short():
    """Five crossings: a loop between each two neighbours, equal up to rounding, and one more."""
    loops = verify(image(FROM_ABOVE, torus_knot(5, 202))).born
    lengths = sorted(loop.volume for loop in loops)
    assert lengths[3] == pytest.approx(lengths[0], rel=1e-2)


def test_too_many_critical_cells_are_said(monkeypatch):
    monkeypatch.setattr(room, "MOST_CRITICAL", 1)
    found = image(FROM_ABOVE, torus_knot(5, 202))
    ((layer, reason),) = found.carriers.missing
    assert layer == 1
    assert "6 critical cells" in reason
    assert image_object(found)["carriers_not_sought"] == [{"layer": 1, "reason": reason}]


def test_a_time_limit_ends_the_search(monkeypatch):
    """All layers that are decided keep their groups; those without carriers are named."""
    found = image(FROM_ABOVE, torus_knot(5, 202), seconds=1000)
    assert found.groups(1).betti == (1, 6)
    late = dataclasses.replace(found, seconds_left=0.0)
    passed = "the time limit has passed"
    assert late.carriers == room.Carriers((), (), ((0, passed), (1, passed)))
    assert [own["layer"] for own in image_object(late)["carriers_not_sought"]] == [0, 1]

    def slow(*_):
        raise OutOfTimeError

    monkeypatch.setattr(room, "_born", slow)
    network = Network((affine_layer(np.eye(3), np.zeros(3)), *FROM_ABOVE.layers))
    held = image(network, torus_knot(5, 202)).carriers
    assert held.missing == tuple((k, passed) for k in (0, 1, 2))


@pytest.mark.parametrize("name", ["torus:6", "klein:5", "sphere:2", "3-sphere:1"])
def test_chains_of_critical_cells(name):
    """A cycle z differs from the lift of its critical part by the boundary of what it sweeps."""
    own = Reduction(shape(name).complex)
    rng = np.random.default_rng(0)
    for degree in range(len(own.critical)):
        for k in range(len(own.critical[degree])):
            lifted = own.lift(degree, {k: 1})
            assert own.reduce(degree, lifted) == ({k: 1}, {})
        if degree == len(own.critical) - 1:
            break
        above = own.complex.boundary[degree]
        random = rng.integers(-2, 3, above.shape[1])
        cycle = {c: int(v) for c, v in enumerate(above @ random) if v}
        small, swept = own.reduce(degree, cycle)
        left = vector_of(cycle, above.shape[0]) - above @ vector_of(swept, above.shape[1])
        assert (left == vector_of(own.lift(degree, small), above.shape[0])).all()
        parts = vector_of(cycle, above.shape[0]) @ own.coordinates(degree)
        assert (parts == vector_of(small, len(own.critical[degree]))).all()


def vector_of(chain, size):
    out = np.zeros(size, np.int64)
    for c, v in chain.items():
        out[c] = v
    return out


def test_holes_of_a_flat_image():
    many = image(FROM_ABOVE, shape("torus:16x8"))
    (hole,) = many.complexes[-1].hole_diameters
    # a torus from above, with radii 1 and 3
    assert hole == pytest.approx(1 / 3, abs=0.02)


def test_contours_are_not_sampled():
    """They are the boundary of a disk and would give a circle."""
    disk = image(linear([1, 0], [0, 1]), shape("annulus:12"), seconds=1000)
    flat = dataclasses.replace(disk.complexes[-1], by_contours=True, faces=[])
    with pytest.raises(DomainError, match="sampled"):
        persistent_betti(flat, 0.1)
    with pytest.raises(DomainError, match="three dimensions"):
        persistent_betti(image(random_network((4, 4), 0), shape("klein:5")).complexes[-1], 0.1)


def test_a_named_scale():
    """A figure eight with a loop a hundredth of the other: one loop at a scale of 2 %."""
    pytest.importorskip("gudhi")
    found = image(FROM_ABOVE, EIGHT)
    assert str(found.groups(1)) == "Z, Z^2"
    assert persistent_betti(found.complexes[-1], 0.02) == (1, 1)
    assert persistent_betti(found.complexes[-1], 0.001) == (1, 2)
    disk = image(linear([1, 0], [0, 1]), shape("annulus:12"))
    assert persistent_betti(disk.complexes[-1], 0.1) == (1, 1, 0)
    assert persistent_betti(disk.complexes[-1], 0.5) == (1, 0, 0)
    with pytest.raises(DomainError, match="between 0 and 1"):
        persistent_betti(disk.complexes[-1], 0.0)


@pytest.mark.parametrize(
    ("factor", "offset"),
    [(2.0**-500, 0.0), (2.0**450, 0.0), (2.0**-30, 1.0)],
    ids=["beneath floats", "beyond floats", "lost in floats"],
)
def test_sizes_are_those_of_the_shape(factor, offset):
    """Three maps by one factor, moved in the middle: what is measured is the shape of the image."""
    pytest.importorskip("gudhi")
    smaller = [affine_layer([[factor, 0.0], [0.0, factor]], [b, b]) for b in (offset, 0.0)]
    last = affine_layer([[1.0, 0.0], [0.0, 1.0]], [offset, 0.0])
    scaled = Network((*FROM_ABOVE.layers, *smaller, smaller[1], last))
    torus = shape("torus:16x8")
    plain, other = image(FROM_ABOVE, torus), image(scaled, torus)
    assert other.complexes[-1].hole_diameters == pytest.approx(plain.complexes[-1].hole_diameters)
    assert [c.share for c in other.carriers.dying] == pytest.approx(
        [c.share for c in plain.carriers.dying]
    )
    curve = image(scaled, EIGHT).complexes[-1]
    assert persistent_betti(curve, 0.02) == (1, 1)
    assert persistent_betti(curve, 0.001) == (1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_sampled_images_do_not_contradict(seed):
    """Classes of dense samples that live from 2 ε to 10 ε are not more than those of the image.

    The samples are images of points of M by the float forward pass, at most ε from any point of the
    image. For H_0 this is a theorem; for H_1 it fails only where parts of the image come nearer to
    each other than 4 ε without meeting, and enclose something larger than 10 ε.
    """
    gudhi = pytest.importorskip("gudhi")
    random = np.random.default_rng(seed)
    weights = [random.normal(size=s) for s in ((3, 2), (3, 3), (2, 3))]
    biases = [random.normal(size=3) / 2, random.normal(size=3) / 2, np.zeros(2)]
    slope = (0.0, 0.25)[seed % 2]
    network = Network.from_arrays(weights, biases, slope=slope)
    circle = shape("circle:24")
    found = image(network, circle)
    ends = circle.points.approx[circle.simplices[1]]
    t = np.linspace(0, 1, 40)[:, None, None]
    values = ((1 - t) * ends[:, 0] + t * ends[:, 1]).reshape(-1, 2)
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True), start=1):
        z = values @ weight.T + bias
        values = z if layer == 3 else np.where(z > 0, z, slope * z)
        steps = np.diff(values.reshape(40, -1, values.shape[1]), axis=0)
        epsilon = float(np.linalg.norm(steps, axis=2).max())
        tree = gudhi.AlphaComplex(points=values, precision="safe").create_simplex_tree()
        tree.compute_persistence(persistence_dim_max=True)
        for degree in (0, 1):
            bars = np.sqrt(tree.persistence_intervals_in_dimension(degree).reshape(-1, 2))
            lasting = (bars[:, 0] <= 2 * epsilon) & (bars[:, 1] > 10 * epsilon)
            assert lasting.sum() <= found.groups(layer).betti[degree]
