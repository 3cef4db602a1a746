"""Components that a layer glues, and where."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq

from polyrank.image.barcode import image
from polyrank.image.homogeneous import from_rationals
from polyrank.image.merges import merges
from polyrank.image.nerve import common_point
from polyrank.image.overlay import images
from polyrank.topology.manifold import build_manifold
from tests.image.test_overlay import linear


def test_pieces_glued_at_a_point():
    """Seen from above the end of one edge lies on another one, and a point, too."""
    points = [[-1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 1], [0, 2, 1], [0.5, 0, 7]]
    pieces = build_manifold(np.array(points, float), [[[0, 1], [2, 3], [3, 4]], [[5]]])
    found = image(linear([1, 0, 0], [0, 1, 0]), pieces).merges()
    assert [(m.layer, m.first, m.second) for m in found] == [(1, 0, 2), (1, 0, 5)]
    assert [m.point for m in found] == [(0, 0), (fmpq(1, 2), 0)]
    assert all(m.cells is not None for m in found)


def test_components_that_meet_in_space():
    """At layer 0: two segments that cross each other there."""
    cross = build_manifold([[-1, 0], [1, 0], [0, -1], [0, 1]], [[[0, 1], [2, 3]]])
    (found,) = image(linear([1, 0], [0, 1]), cross).merges()
    assert (found.layer, found.first, found.second, found.point) == (0, 0, 2, (0, 0))


def test_contours_have_no_point():
    """Two triangles over each other, and one beside them."""
    corners = np.array([[0, 0, 0], [2, 0, 0], [0, 2, 0]], float)
    moves = np.array([[0, 0, 0], [0.5, 0.5, 1], [9, 0, 2]])
    points = np.concatenate([corners + move for move in moves])
    space = build_manifold(points, [[[0, 1, 2], [3, 4, 5], [6, 7, 8]]])
    above = linear([1, 0, 0], [0, 1, 0])
    (found,) = merges(above, list(images(above, space, contours=True)))
    assert (found.layer, found.first, found.second) == (1, 0, 3)
    assert found.point is None
    assert found.cells is None
    (exact,) = merges(above, list(images(above, space, contours=False)))
    assert (exact.first, exact.second) == (0, 3)
    assert exact.point is not None


@pytest.mark.parametrize("seed", range(6))
def test_random_pieces(seed):
    """As many as classes of H_0 die, and every point is in the images of both cells."""
    random = np.random.default_rng(seed)
    points = random.integers(-6, 7, (18, 3)).astype(float)
    rows = np.arange(18)
    facets = [rows[:12].reshape(-1, 3), rows[12:].reshape(-1, 2)]
    space = build_manifold(points, facets)
    network = linear([1, 0, 1], [0, 1, -1])
    found = image(network, space)
    glued = found.merges()
    for layer in (0, 1):
        dying = sum(b.degree == 0 and b.death == layer + 1 for b in found.bars)
        assert sum(m.layer == layer for m in glued) == dying
    for merge in glued:
        if merge.point is None:
            continue
        before = found.complexes[merge.layer]
        for d, number in merge.cells:
            corners = ([number], before.edges, before.faces)[d]
            corners = corners if d == 0 else list(corners[number])
            places = [before.points[v] for v in corners]
            if merge.layer:
                places = [
                    from_rationals((fmpq(p[0] + p[2], p[3]), fmpq(p[1] - p[2], p[3])))
                    for p in places
                ]
            assert common_point([places, [from_rationals(merge.point)]])
