"""Generated manifolds have the homology of what they triangulate, at every resolution."""

from __future__ import annotations

import numpy as np
import pytest

from polyrank.chains.groups import homology
from polyrank.errors import DomainError
from polyrank.network.modular import SMALL_PRIMES, ranks_mod
from polyrank.topology.residues import edge_residues
from polyrank.topology.shapes import SHAPES, shape

# by the classification of surfaces and of graphs; smallest and larger resolutions
GROUPS = {
    "annulus": ("Z, Z, 0", ("annulus:3x1", "annulus:3", "annulus:20x7")),
    "circle": ("Z, Z", ("circle:3", "circle:100")),
    "disk": ("Z, 0, 0", ("disk:3", "disk:3x2", "disk:20")),
    "disk-in-annulus": ("Z^2, Z, 0", ("disk-in-annulus:3", "disk-in-annulus:18")),
    "ellipse": ("Z, Z", ("ellipse:3", "ellipse:50")),
    "interval": ("Z, 0", ("interval:1", "interval:30")),
    "klein": ("Z, Z + Z/2, 0", ("klein:5", "klein:5x9", "klein:12")),
    "linked-tori": ("Z^2, Z^4, Z^2", ("linked-tori:3", "linked-tori:10x6")),
    "moebius": ("Z, Z, 0", ("moebius:5x1", "moebius:5", "moebius:30x4")),
    "sphere": ("Z, 0, Z", ("sphere:1", "sphere:2", "sphere:7")),
    "sphere-and-circle": ("Z, Z, Z", ("sphere-and-circle:2", "sphere-and-circle:5")),
    "spirals": ("Z^2, 0", ("spirals:1", "spirals:90")),
    "swiss-roll": ("Z, 0, 0", ("swiss-roll:1x1", "swiss-roll:50x5")),
    "torus": ("Z, Z^2, Z", ("torus:3", "torus:3x9", "torus:20")),
    "wedge": ("Z, Z^2", ("wedge:3", "wedge:9x2")),
}


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_homology_at_several_resolutions(name):
    expected, spellings = GROUPS[name]
    for spelling in (name, *spellings):
        made = shape(spelling)
        assert str(homology(made.complex)) == expected, spelling
        assert made.points.is_float
        # dyadic: multiples of 2^-20
        assert (made.points.approx * 2.0**20 == np.round(made.points.approx * 2.0**20)).all()
        for d, simplices in enumerate(made.simplices[1:], start=1):
            edges = edge_residues(made, simplices, SMALL_PRIMES[0])
            assert (ranks_mod(edges, SMALL_PRIMES[0]) == d).all(), "degenerate"


def test_surfaces_are_manifolds():
    """Closed surfaces: every edge in two triangles; with boundary: one or two."""
    for name, least in (("sphere", 2), ("torus", 2), ("klein", 2), ("moebius", 1), ("disk", 1)):
        counts = np.diff(shape(name).complex.boundary[1].tocsr().indptr)
        assert set(counts.tolist()) <= {least, 2}, name


def test_wedge_of_circles():
    assert str(homology(shape("wedge:6x1").complex)) == "Z, Z"
    assert str(homology(shape("wedge:6x5").complex)) == "Z, Z^5"


def test_classes():
    two = shape("linked-tori:5x4")
    for label in (0, 1):
        assert str(homology(two.of_class(label).complex)) == "Z, Z^2, Z"
    inner, outer = (shape("disk-in-annulus:6").of_class(c) for c in (0, 1))
    assert str(homology(inner.complex)) == "Z, 0, 0"
    assert str(homology(outer.complex)) == "Z, Z, 0"
    assert np.hypot(*inner.points.approx.T).max() < 1.01 < np.hypot(*outer.points.approx.T).min()
    with pytest.raises(DomainError, match=r"has the label 2; it has 0, 1"):
        two.of_class(2)


def test_the_klein_bottle_and_the_moebius_strip_touch_themselves_nowhere():
    for name in ("klein:8", "moebius:9x3", "torus:7x5"):
        points = shape(name).points.approx
        gaps = np.linalg.norm(points[:, None] - points[None], axis=2)
        assert gaps[~np.eye(len(points), dtype=bool)].min() > 0.05


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cube", "no shape is called 'cube'; there are annulus, circle"),
        ("circle:2", "the resolution of a circle must be 3 to 4096, got 2"),
        ("torus:2x9", "resolution of a torus must be 3 to 4096, got 2"),
        ("torus:9x9999", "got 9999"),
        ("circle:99999999999", "the resolution of a circle must be at most 4096, got 99999999999"),
        ("disk:3x4097", "the resolution of a disk must be at most 4096, got 4097"),
        ("torus:4096", "'torus:4096' has more than 1,048,576 squares"),
        ("sphere:1025", "'sphere:1025' has more than 1,048,576 squares"),
        ("klein:4", "resolution of a Klein bottle must be 5"),
        ("moebius:5x0", "got 0"),
        ("torus:axb", "a resolution is written as torus:20 or torus:20x10"),
        ("torus:3x4x5", "a resolution is written as"),
        ("circle:5x5", "a circle has one resolution, such as circle:5"),
    ],
)
def test_refused(text, message):
    with pytest.raises(DomainError, match=message):
        shape(text)


def test_a_class_without_labels():
    with pytest.raises(DomainError, match="no simplex of circle has the label 1; it has no labels"):
        shape("circle:5").of_class(1)
