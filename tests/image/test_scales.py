"""Overlaps, groups of images and classes of any magnitude.

``python -m tests.scales image 100000`` runs 10^5 random networks on small meshes. Pairs of pieces
and of classes are compared with brute force by basic solutions in rationals; the groups of images
by the two ways that compute them, the nerve and the common refinement.
"""

from __future__ import annotations

import numpy as np
import pytest

from polyrank.errors import UnsupportedError
from polyrank.image.intersection import meeting_dimension
from polyrank.image.overlap import overlap_decomposition
from polyrank.image.pieces import pieces
from polyrank.image.separate import Separation, separate
from polyrank.topology.manifold import build_manifold
from polyrank.topology.restriction import restrict
from tests.image.brute_force import all_overlaps
from tests.image.hulls import hulls_meet
from tests.image.test_homeomorphism import check_all_pairs, through
from tests.image.test_nerve import compare
from tests.image.test_separate import _images, brute_force
from tests.image.test_separate import check as check_classes
from tests.scales import count
from tests.topology.test_scaled_meshes import SHAPES, network_on, scaled_corners, scaled_mesh

_MOST_PIECES = 10
_LABELLED: dict[str, tuple[list[list[int]], list[list[float]]]] = {
    "two segments": ([[0, 1], [2, 3]], [[0, 0], [1, 0.5], [0, 1], [0.5, 0.5]]),
    "two that cross": ([[0, 1], [2, 3]], [[0, 0], [1, 1], [0, 1], [1, 0]]),
    "two triangles": (
        [[0, 1, 2], [3, 4, 5]],
        [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0.5], [0.5, 1, 0.5]],
    ),
}


def overlaps_of(rng: np.random.Generator, name: str) -> str:
    """All pairs of pieces at one layer, and what that says of the layer's map."""
    space = scaled_mesh(rng, name)
    net = network_on(rng, space)
    cells = restrict(net, space)
    layer = int(rng.integers(0, len(net.layers) + 1))
    full = layer == 0 or all(
        bool((ranks[:, layer - 1] == d).all()) for d, ranks in enumerate(cells.tangent_rank)
    )
    found = through(net, space, layer)
    listed = overlap_decomposition(cells, layer)
    if listed.pieces.count <= _MOST_PIECES:
        pairs = list(map(tuple, listed.pairs.tolist()))
        assert set(pairs) == all_overlaps(listed.pieces)
        for (i, j), d in zip(pairs, listed.dimension.tolist(), strict=True):
            assert d == meeting_dimension(*map(listed.pieces.exact_image, (i, j)))
    if not full:
        assert found.at(layer) is False
        return "a cell is flattened"
    own = pieces(cells, layer)
    if own.count > _MOST_PIECES:
        return "too large for the oracle"
    check_all_pairs(own)
    one_to_one = not all_overlaps(own)
    assert found.at(layer) is one_to_one
    return f"one-to-one: {one_to_one}"


def groups_of(rng: np.random.Generator, name: str) -> str:
    """Groups, bars and maps of all layers in two ways."""
    space = scaled_mesh(rng, name)
    net = network_on(rng, space)
    if sum(map(len, restrict(net, space).carrier)) > 60:
        return "too large for the oracle"
    compare(net, space, coefficients=2)
    return "groups"


def classes_of(rng: np.random.Generator, name: str) -> str:
    """Whether the images of two classes meet, and whether a hyperplane separates them."""
    facets, corners = _LABELLED[name]
    space = build_manifold(scaled_corners(rng, corners), [facets], name, labels=[np.array([0, 1])])
    net = network_on(rng, space)
    if sum(map(len, restrict(net, space).carrier)) > 60:
        return "too large for the oracle"
    return classes_agree(separate(net, space))


def classes_agree(found: Separation) -> str:
    """What is said of two classes, compared with brute force at every layer."""
    check_classes(found)
    assert found.decided
    for row in found.rows:
        assert row.disjoint is not brute_force(found, row.layer)
        hulls = [_images(found, label, row.layer) for label in (0, 1)]
        assert row.separable is not hulls_meet(*hulls)
    return "classes: " + ("apart" if found.rows[-1].disjoint else "meet")


def agrees(seed: int) -> str:
    """One of the questions above."""
    rng = np.random.default_rng(seed)
    names = [name for name in SHAPES if name != "solid"]
    try:
        if seed % 3 == 0:
            return overlaps_of(rng, names[seed // 3 % len(names)])
        if seed % 3 == 1:
            return groups_of(rng, names[seed // 3 % len(names)])
        return classes_of(rng, list(_LABELLED)[seed // 3 % len(_LABELLED)])
    except UnsupportedError:
        return "refused"


def test_images_of_any_magnitude() -> None:
    outcomes = count(agrees, 0, 60)
    assert "DIFFERENT" not in outcomes
    assert {"one-to-one: True", "one-to-one: False", "groups"} <= set(outcomes)
    assert {"classes: apart", "classes: meet"} <= set(outcomes)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(5))
def test_many_images_of_any_magnitude(block: int) -> None:
    assert "DIFFERENT" not in count(agrees, 1000 + 200 * block, 200)
