"""Loops of classes that layers make and kill."""

from __future__ import annotations

import numpy as np
import pytest

from polyrank.errors import DomainError
from polyrank.image.barcode import image
from polyrank.image.scale import persistent_betti
from polyrank.network.normal_form import Network
from polyrank.topology.shapes import shape
from tests.image.test_nerve import random_network
from tests.image.test_overlay import fold, linear, polygon, torus_knot


def closed(one, loop):
    """The boundary of the loop as a chain is 0."""
    chain = np.zeros(one.complex.cells[1], np.int64)
    for e, weight in loop.edges:
        chain[e] = weight
    return not np.any(one.complex.boundary[0] @ chain)


def test_figure_eight_with_a_small_loop():
    """Two crossing sides; the triangle to the right of the crossing is the smaller loop."""
    eight = polygon([[-8, -4, 0], [4, 2, 1], [4, -2, 0], [-8, 4, 0]])
    found = image(linear([1, 0, 0], [0, 1, 0]), eight)
    (loop,) = found.born_loops()
    assert loop.layer == 1
    assert closed(found.complexes[-1], loop)
    # from (0, 0) to (4, 2), (4, −2) and back
    assert loop.length == pytest.approx(4 + 2 * np.hypot(4, 2))
    assert loop.diameter == 4
    assert loop.share == pytest.approx(4 / 12)
    ends = {tuple(sorted(eight.simplices[1][e].tolist())) for e in loop.simplices}
    assert ends == {(0, 1), (1, 2), (2, 3)}
    assert found.dying_loops() == []


def test_a_circle_that_is_folded():
    found = image(fold(), shape("circle:16"))
    (loop,) = found.dying_loops()
    assert loop.layer == 2
    assert loop.simplices == tuple(range(16))
    assert closed(found.complexes[2], loop)
    assert found.born_loops() == []


@pytest.mark.parametrize("coefficients", ["Z", 2])
def test_one_loop_for_every_class(coefficients):
    for net, curve in (
        (linear([1, 0, 0], [0, 1, 0]), torus_knot(5, 202)),
        (random_network((2, 3, 3, 2), 5), shape("circle:60")),
        (random_network((2, 6, 6, 2), 6), shape("wedge:12")),
    ):
        found = image(net, curve, coefficients=coefficients)
        loops = found.born_loops()
        for level, layer in enumerate(found.layers[1:], start=1):
            born = [b for b in found.bars if b.degree == 1 and b.birth == level]
            own = [loop for loop in loops if loop.layer == layer]
            assert len(own) == len(born)
            assert all(closed(found.complexes[level], loop) for loop in own)
        died = [b for b in found.bars if b.degree == 1 and b.death is not None]
        if coefficients == "Z":
            assert len(found.dying_loops()) == len(died)


def test_holes_of_a_flat_image():
    many = image(linear([1, 0, 0], [0, 1, 0]), shape("torus:16x8"))
    (hole,) = many.complexes[-1].hole_diameters
    # a torus from above, with radii 1 and 3
    assert hole == pytest.approx(1 / 3, abs=0.02)


def test_a_named_scale():
    """A figure eight with a loop a hundredth of the other: one loop at a scale of 2 %."""
    pytest.importorskip("gudhi")
    eight = polygon([[-8, -4, 0], [0.08, 0.04, 1], [0.08, -0.04, 0], [-8, 4, 0]])
    found = image(linear([1, 0, 0], [0, 1, 0]), eight)
    assert str(found.groups(1)) == "Z, Z^2"
    assert persistent_betti(found.complexes[-1], 0.02) == (1, 1)
    assert persistent_betti(found.complexes[-1], 0.001) == (1, 2)
    disk = image(linear([1, 0], [0, 1]), shape("annulus:12"))
    assert persistent_betti(disk.complexes[-1], 0.1) == (1, 1, 0)
    assert persistent_betti(disk.complexes[-1], 0.5) == (1, 0, 0)
    with pytest.raises(DomainError, match="between 0 and 1"):
        persistent_betti(disk.complexes[-1], 0.0)


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
