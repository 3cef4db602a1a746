"""Loops that generate H_1: as many as the first Betti number where that is a theorem."""

from __future__ import annotations

import numpy as np
import pytest

from polyrank.image.loops import generating_loops
from polyrank.topology.manifold import Manifold, build_manifold
from polyrank.topology.shapes import shape


def loops(manifold: Manifold) -> list[list[int]]:
    count = manifold.complex.cells
    triangles = np.ones(count[2] if len(count) > 2 else 0, dtype=bool)
    found = generating_loops(manifold, np.ones(count[1], dtype=bool), triangles)
    out = []
    for loop in found:
        chain = np.zeros(count[1], np.int64)
        np.add.at(chain, loop.edges, loop.signs)
        assert not (manifold.complex.boundary[0] @ chain).any()
        assert chain.any()
        out.append(chain.tolist())
    return out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("circle:7", 1),
        ("interval:5", 0),
        ("wedge:9", 2),
        ("disk:12", 0),
        ("annulus:12", 1),
        ("moebius:12", 1),
        ("sphere:4", 0),
        ("torus:9", 2),
        ("klein:8", 2),  # Z + Z/2 has two generators
        ("linked-tori:8", 4),
        ("sphere-and-circle:3", 1),
    ],
)
def test_known_surfaces_and_curves(text: str, expected: int) -> None:
    assert len(loops(shape(text))) == expected


def test_they_generate() -> None:
    """The torus: every edge cycle is a combination of the loops and of boundaries (rank)."""
    torus = shape("torus:5")
    own = loops(torus)
    boundary = torus.complex.boundary[1].toarray()
    cycles = torus.complex.cells[1] - (torus.complex.cells[0] - 1)
    both = np.concatenate([boundary, np.array(own).T], axis=1)
    assert np.linalg.matrix_rank(both) == cycles


def test_a_tetrahedron_has_none() -> None:
    full = build_manifold(np.eye(4), [[[0, 1, 2, 3]]])
    assert loops(full) == []


def test_no_cycles_without_edges() -> None:
    points = build_manifold([[0.0], [1.0]], [[[0, 1]]])
    nothing = np.zeros(1, dtype=bool)
    assert generating_loops(points, nothing, np.zeros(0, dtype=bool)) == []
