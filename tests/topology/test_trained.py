"""Published trained networks on their own data, end to end.

K. Beshkov, "A Quotient Homology Theory of Representation in Neural Networks" (TMLR 2026), data
sets after Naitzat, Zhitnikov and Lim: D-I is nine disks in a region with nine holes, D-II nine
pairs of linked rings; these Betti numbers are the expected values.
"""

from __future__ import annotations

import numpy as np
import pytest

import polyrank as pr
from polyrank.network.forward import codewords, unpack_bits
from polyrank.topology.layers import homology_table
from polyrank.topology.low_rank import low_rank_part
from polyrank.topology.manifold import Manifold, build_manifold
from polyrank.topology.point_cloud import complex_of_points, read_labels, read_points
from polyrank.topology.restriction import Restriction, restrict
from polyrank.topology.shapes import shape
from tests.conftest import shared


def data_manifold(name: str, radius: float, label: int) -> Manifold:
    pytest.importorskip("gudhi")
    points = read_points(shared(f"beshkov_quotient/{name}.npy"))
    labels = read_labels(shared(f"beshkov_quotient/{name}-labels.npy"))
    return complex_of_points(points, radius, labels=labels, name=name).of_class(label)


def check(found: Restriction, betti: tuple[int, ...]) -> None:
    """What holds whatever the network is, and the known homology of the data."""
    manifold = found.manifold
    assert found.complex.euler_characteristic == manifold.complex.euler_characteristic
    count = manifold.points.shape[0]
    # the codewords of the samples by a plain forward pass: none lies near a hyperplane here
    plain = codewords(found.network, manifold.points.approx)
    bits = unpack_bits(plain, found.signs[0].shape[1])
    assert np.array_equal(bits, found.signs[0][:count] > 0)
    tangent = found.tangent_rank[manifold.dimension]
    assert (np.diff(tangent, axis=1) <= 0).all(), "composing maps never raises a rank"
    assert (tangent <= found.ambient_rank[manifold.dimension]).all()
    for row in homology_table(found, rank=0):
        part, collapsed = row.part, row.homology
        assert collapsed.manifold.betti[: len(betti)] == betti
        assert sum(collapsed.manifold.betti) == sum(betti)
        reduced = list(collapsed.one_point.betti)
        reduced[0] -= part.components > 0
        assert list(collapsed.relative.betti) == reduced
        for component, image in enumerate(part.images[:3]):
            members = np.flatnonzero(part.component_of_vertex == component)
            for v in members[:: max(1, members.size // 4)].tolist():
                assert found.exact_image(v, part.layer) == image


def test_nine_disks():
    space = data_manifold("D-I-train", 0.35, 1)
    check(restrict(pr.load(shared("beshkov_quotient/D-I_model_2.pth")), space), (9, 0))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["D-I_model_0", "D-I_model_2", "D-I_model_4"])
def test_nine_disks_and_their_complement(model):
    net = pr.load(shared(f"beshkov_quotient/{model}.pth"))
    for label, betti in ((0, (1, 9)), (1, (9, 0))):
        check(restrict(net, data_manifold("D-I-train", 0.35, label)), betti)


@pytest.mark.slow
def test_nine_rings():
    """The solid alpha complex of 1,220 points in R³: 4,074 tetrahedra, about 10^6 cells."""
    net = pr.load(shared("beshkov_quotient/D-II_model_0.pth"))
    check(restrict(net, data_manifold("D-II-test", 0.08, 1)), (9, 9, 0))


def test_arcs_become_points_in_the_seventh_layer():
    """D-II on a knot on a torus: of full rank through six layers, then arcs of it are collapsed.

    n disjoint arcs, whatever their images are, give n loops as one point and a circle as n points;
    the images, one or two here, give n minus their number and one more.
    """
    net = pr.load(shared("beshkov_quotient/D-II_model_0.pth"))
    t = 2 * np.pi * np.arange(120) / 120
    around = 2 + np.cos(5 * t)
    points = np.stack([around * np.cos(2 * t), around * np.sin(2 * t), np.sin(5 * t)], 1)
    knot = build_manifold(np.round(points * 1024) / 1024, [shape("circle:120").simplices[1]])
    found = restrict(net, knot)
    check(found, (1, 1))
    rows = homology_table(found, rank=0)
    assert [r.part.components for r in rows[:6]] == [0] * 6
    for row in rows[6:]:
        n, images = row.part.components, row.part.classes
        assert n > images >= 1
        assert row.homology.one_point.betti == (1, n)
        assert row.homology.per_image.betti == (1, n - images + 1)
        assert row.homology.per_component.betti == (1, 1)


@pytest.mark.slow
def test_a_collapse_that_depends_on_the_layer():
    """D-II on a torus: of full rank through six layers, then pieces of it become points."""
    net = pr.load(shared("beshkov_quotient/D-II_model_0.pth"))
    found = restrict(net, shape("torus:6x5"))
    check(found, (1, 2, 1))
    sizes = [int(low_rank_part(found, k, 0).cells[2].sum()) for k in range(1, found.layers + 1)]
    assert sizes == sorted(sizes), "what is a point stays a point"
    assert sizes[5] == 0 < sizes[6]


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", ["D-II_model_1", "D-II_model_3", "D-II_model_4", "D-III_model_0", "D-III_model_1"]
)
def test_more_networks_on_a_sphere(model):
    check(restrict(pr.load(shared(f"beshkov_quotient/{model}.pth")), shape("sphere:4")), (1, 0, 1))


@pytest.mark.parametrize("model", ["D-II-2_model_0", "D-III-2_model_0", "D-III-2_model_1"])
def test_wide_networks_on_a_curve(model):
    """Nine layers of 25 and of 50 units."""
    net = pr.load(shared(f"beshkov_quotient/{model}.pth"))
    t = 2 * np.pi * np.arange(60) / 60
    points = np.stack([np.cos(t), np.sin(t), 0.3 * np.sin(2 * t)], 1)
    space = build_manifold(np.round(points * 1024) / 1024, [shape("circle:60").simplices[1]])
    check(restrict(net, space), (1, 1))
