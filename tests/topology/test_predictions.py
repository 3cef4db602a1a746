"""What the theory predicts, by networks that do it; and where the prediction is not the image.

Source of the predictions: Beshkov and Einevoll, "A rank decomposition for the topological
classification of neural representations". Images are computed by hand or from exact vertices.
"""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq

from polyrank.chains.chain import closure, from_facets
from polyrank.chains.groups import homology
from polyrank.network.normal_form import Network
from polyrank.topology.curves import circle
from polyrank.topology.layers import homology_table, not_decided
from polyrank.topology.low_rank import low_rank_part
from polyrank.topology.manifold import build_manifold
from polyrank.topology.restriction import Restriction, restrict
from polyrank.topology.shapes import shape
from polyrank.topology.surfaces import torus


def image_of_curve(found: Restriction, layer: int) -> str:
    """The homology of the image of a curve whose edges' images meet only in images of vertices.

    Vertices with one exact image are one vertex, edges with one image one edge.
    """
    points: dict[tuple[fmpq, ...], int] = {}
    number = [
        points.setdefault(found.exact_image(v, layer), len(points))
        for v in range(found.complex.cells[0])
    ]
    matrix = found.complex.boundary[0]
    ends = [sorted({number[v] for v in pair}) for pair in matrix.indices.reshape(-1, 2).tolist()]
    return str(homology(from_facets(ends)[0]))


def caps(n: int, spread: float) -> Network:
    """For n directions two ReLUs that live on a cap of the unit circle, dead between the caps.

    Along a cap the first unit rises, then both are positive, then the second falls to 0: an
    embedded loop in its own plane of R^(2n), from the origin to the origin.
    """
    middle = 2 * np.pi * (np.arange(n) + 0.5) / n
    angles = np.stack([middle - spread, middle + spread], 1).ravel()
    weight = np.stack([np.cos(angles), np.sin(angles)], 1)
    reach = np.cos(np.pi / n * 0.7 - spread)
    return Network.from_arrays([weight], [np.full(2 * n, -reach)], output_relu=True)


@pytest.mark.parametrize("n", [3, 4, 6])
def test_n_rank_0_arcs_with_one_image_are_a_wedge_of_n_loops(n):
    found = restrict(caps(n, 0.1 / n), circle(16 * n))
    (row,) = homology_table(found, rank=0)
    part, collapsed = row.part, row.homology
    assert part.components == n
    assert part.classes == 1
    assert part.images == ((fmpq(0),) * (2 * n),) * n
    # derived: 0 → H_1(S¹) → H_1(S¹, A) → H̃_0(A) → 0
    assert collapsed.relative.betti == (0, n)
    assert collapsed.sequence.connecting == (0, n - 1)
    assert collapsed.one_point.betti == collapsed.per_image.betti == (1, n)
    assert collapsed.per_component.betti == (1, 1)
    # by hand: n embedded loops in n planes that share the origin. The image of every cap is a
    # loop, so here M/A (one point for all arcs) is the image, and one point per arc is not.
    assert part.deficient == 0
    assert image_of_curve(found, 1) == f"Z, Z^{n}"


def clip() -> Network:
    """(x, y) ↦ (clip(x), clip(y)) to [−1, 1]: relu(t + 1) − relu(t − 1) − 1, affine output."""
    first = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    second = [[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]]
    return Network.from_arrays([first, second], [[1.0, -1.0, 1.0, -1.0], [-1.0, -1.0]])


def test_arcs_with_different_images_are_a_circle():
    """A circle of radius 2 clipped to a square: four arcs go to the four corners."""
    round_one = circle(24)
    twice = build_manifold(2 * round_one.points.approx, [round_one.simplices[1]], "circle")
    found = restrict(clip(), twice)
    hidden, out = homology_table(found, rank=0)
    # relu(x + 1) and relu(y + 1) are both dead on one arc, where x, y ≤ −1
    assert hidden.part.components == 1
    assert hidden.homology.one_point == hidden.homology.manifold
    assert out.part.components == out.part.classes == 4
    corners = {tuple(int(v) for v in p) for p in out.part.images}
    assert corners == {(1, 1), (-1, 1), (-1, -1), (1, -1)}
    assert out.homology.one_point.betti == (1, 4)
    assert out.homology.per_component.betti == out.homology.per_image.betti == (1, 1)
    # by hand: the boundary of the square
    assert image_of_curve(found, 2) == "Z, Z"


def fenced_torus() -> Restriction:
    return restrict(
        # dead exactly on the prism |x|, |y| ≤ 1.25, which meets the torus around its hole
        Network.from_arrays(
            [[[1.0, 0, 0], [-1.0, 0, 0], [0, 1.0, 0], [0, -1.0, 0]]],
            [[-1.25] * 4],
            output_relu=True,
        ),
        torus(24, 16),
    )


def test_torus_inner_loop():
    """A band around the inner equator is dead: T/A = S² ∨ S¹ up to homotopy."""
    (row,) = homology_table(fenced_torus(), rank=0)
    assert row.part.components == 1
    assert row.homology.part.betti == (1, 1, 0)
    assert str(row.homology.one_point) == "Z, Z, Z"
    assert row.homology.sequence.inclusion == (1, 1, 0)


def test_torus_outer_loop():
    """relu(5 − s), with s a sum of ReLUs that grows outwards: dead around the outer equator."""
    first = np.array([[1.0, 0, 0], [-1.0, 0, 0], [0, 1.0, 0], [0, -1.0, 0]])
    diagonal = np.array([[1.0, 1, 0], [-1.0, -1, 0], [1.0, -1, 0], [-1.0, 1, 0]])
    weight = np.concatenate([first, 0.75 * diagonal])
    net = Network.from_arrays([weight, [[-1.0] * 8]], [[-0.5] * 8, [5.0]], output_relu=True)
    _, out = homology_table(restrict(net, torus(32, 16)), rank=0)
    assert out.part.components == 1
    assert out.homology.part.betti == (1, 1, 0)
    assert str(out.homology.one_point) == "Z, Z, Z"
    assert out.homology.sequence.inclusion == (1, 1, 0)


def test_torus_inner_and_outer_loop():
    """A prism as wide as the hole: constant inside of it, dead far outside: two loops, two images.

    Each to its own point: two spheres that touch in two points. Both to one point: one more loop.
    """
    weight = np.array([[1.0, 0, 0], [-1.0, 0, 0], [0, 1.0, 0], [0, -1.0, 0]])
    net = Network.from_arrays([weight, [[-1.0] * 4]], [[-1.25] * 4, [0.25]], output_relu=True)
    _, out = homology_table(restrict(net, torus(32, 16)), rank=0)
    assert out.part.components == out.part.classes == 2
    assert out.part.images == ((fmpq(0),), (fmpq(1, 4),))
    assert out.homology.part.betti == (2, 2, 0)
    assert str(out.homology.per_image) == str(out.homology.per_component) == "Z, Z, Z^2"
    assert str(out.homology.one_point) == "Z, Z^2, Z^2"


def test_torus_contractible_loop():
    """Dead on the slab 2.25 ≤ x ≤ 2.625, which meets the torus in a ring that bounds a disk."""
    net = Network.from_arrays([[[1.0, 0, 0], [-1.0, 0, 0]]], [[-2.625, 2.25]], output_relu=True)
    (row,) = homology_table(restrict(net, torus(32, 24)), rank=0)
    assert row.part.components == 1
    assert row.homology.part.betti == (1, 1, 0)
    assert str(row.homology.one_point) == "Z, Z^2, Z^2"
    assert row.homology.sequence.inclusion == (1, 0, 0)


def test_rank_1_components_are_collapsed_one_after_another():
    """Equation 9. A network of rank 2 between two caps of rank 1 collapses two disks: no change.

    relu(x − 2.25), relu(−x − 2.25) has rank 1 on the caps and 0 between them: M/A is a point.
    """
    dead = Network.from_arrays([[[1.0, 0, 0], [-1.0, 0, 0]]], [[-2.25, -2.25]], output_relu=True)
    (row,) = homology_table(restrict(dead, torus(16, 12)), rank=1, in_turn=True)
    assert str(row.homology.one_point) == "Z, 0, 0"
    # (x, y, z) ↦ (clip(x), y): of rank 1 on the two caps |x| ≥ 2.25
    clipping = Network.from_arrays(
        [
            [[1.0, 0, 0], [1.0, 0, 0], [0, 1.0, 0], [0, -1.0, 0]],
            [[1.0, -1.0, 0, 0], [0, 0, 1.0, -1.0]],
        ],
        [[2.25, -2.25, 0, 0], [-2.25, 0.0]],
    )
    _, out = homology_table(restrict(clipping, torus(16, 12)), rank=1, in_turn=True)
    assert out.part.components == 2
    assert out.homology.per_image is None
    assert [str(h) for h in out.in_turn] == ["Z, Z^2, Z"] * 3
    # both disks to one point: a torus with two points identified
    assert str(out.homology.one_point) == "Z, Z^3, Z"


def test_full_rank_folds():
    """(x, y) ↦ (x, relu(y) + relu(−y)): rank 2 on every region, 1 on the circle; image an arc."""
    net = Network.from_arrays(
        [
            [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]],
            [[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]],
        ],
        [[0.0] * 4, [0.0, 0.0]],
    )
    found = restrict(net, circle(16))
    assert (found.ambient_rank[1] == 2).all()
    assert (found.tangent_rank[1] == 1).all()
    for row in homology_table(found, rank=0):
        assert row.part.components == 0
        assert row.homology.one_point.betti == row.homology.per_image.betti == (1, 1)
        assert row.part.deficient == 0
    # the prediction is a circle, the image is the upper half of the polygon
    assert image_of_curve(found, 2) == "Z, 0"


def test_deficient_rank_changes_nothing():
    """∂square × [0, 1] projected to ∂square: rank 1 on every cell, M/A a point, image a circle."""
    square = [[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]]
    points = np.array([[*p, h] for h in (0.0, 1.0) for p in square])
    facets = []
    for i in range(4):
        j = (i + 1) % 4
        facets += [[i, j, j + 4], [i, i + 4, j + 4]]
    cylinder = build_manifold(points, [facets], "∂square × [0, 1]")
    assert str(homology(cylinder.complex)) == "Z, Z, 0"
    net = Network.from_arrays([[[1.0, 0, 0], [0, 1.0, 0]]], [[0.0, 0.0]])
    found = restrict(net, cylinder)
    assert (found.tangent_rank[2] == 1).all()
    (row,) = homology_table(found, rank=1)
    assert str(row.homology.one_point) == "Z, 0, 0"
    assert str(row.homology.per_component) == "Z, 0, 0"
    # the image: four points and four edges, whatever the height
    images = [tuple(map(int, found.exact_image(v, 1))) for v in range(8)]
    assert images[:4] == images[4:]
    edges = [
        sorted({images.index(images[v]) for v in pair})
        for pair in found.complex.boundary[0].indices.reshape(-1, 2).tolist()
    ]
    assert str(homology(from_facets(edges)[0])) == "Z, Z"


def test_the_limits_are_said():
    assert "not of its image" in not_decided(0)[0]
    assert len(not_decided(0)) == 2
    assert "convention" in not_decided(1)[1]


def test_ambient_and_tangent_rank_differ():
    """(x, y) ↦ x has rank 1 on R², 0 on vertical edges and 1 on the others."""
    path = build_manifold([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [[[0, 1], [1, 2]]])
    found = restrict(Network.from_arrays([[[1.0, 0.0]]], [[0.0]]), path)
    tangent = low_rank_part(found, 1, 0)
    assert tangent.cells[1].tolist() == [True, False]
    assert tangent.images == ((fmpq(0),),)
    assert not low_rank_part(found, 1, 0, ambient=True).cells[1].any()
    assert low_rank_part(found, 1, 1, ambient=True).cells[1].all()
    everything = low_rank_part(found, 1, 1, ambient=True)
    assert everything.mask[0].all()
    assert closure(found.complex, everything.cells)[0].all()


def test_unsteady_tables():
    """More components than are collapsed one by one; explicit layers; coefficients."""
    found = restrict(clip(), shape("circle:8"))
    (row,) = homology_table(found, rank=0, layers=[2], coefficients=3, in_turn=True)
    assert row.homology.manifold.coefficients == "3"
    assert len(row.in_turn) == row.part.components + 1
