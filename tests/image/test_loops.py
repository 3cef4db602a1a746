"""Loops that generate H_1: as many as the first Betti number where that is a theorem."""

from __future__ import annotations

import numpy as np
import pytest

from polyrank.chains.chain import closure
from polyrank.image.loops import generating_loops
from polyrank.topology.manifold import Manifold, build_manifold
from polyrank.topology.shapes import shape


def loops(manifold: Manifold) -> list[list[int]]:
    count = manifold.complex.cells
    found = generating_loops(manifold, tuple(np.ones(f, dtype=bool) for f in count))
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


def test_solids() -> None:
    full = build_manifold(np.eye(4), [[[0, 1, 2, 3]]])
    assert loops(full) == []
    # a solid torus: a ring of prisms over triangles, each cut into three tetrahedra
    corners = [[3 * (i % 5) + k for i in (j, j + 1) for k in range(3)] for j in range(5)]
    cut = [[0, 1, 2, 5], [0, 1, 4, 5], [0, 3, 4, 5]]
    facets = [[c[k] for k in simplex] for c in corners for simplex in cut]
    solid = build_manifold(np.random.default_rng(0).normal(size=(15, 3)), [facets])
    assert solid.complex.euler_characteristic == 0
    assert len(loops(solid)) == 1


def test_points_and_parts() -> None:
    points = build_manifold([[0.0], [1.0]], [[[0], [1]]])
    assert generating_loops(points, (np.ones(2, dtype=bool),)) == []
    tori = shape("linked-tori:6")
    part = closure(
        tori.complex, [m & (o == 1) for m, o in zip(tori.maximal, tori.labels, strict=True)]
    )
    assert len(generating_loops(tori, part)) == 2
    nothing = tuple(np.zeros(f, dtype=bool) for f in tori.complex.cells)
    assert generating_loops(tori, nothing) == []
