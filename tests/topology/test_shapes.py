"""Generated manifolds have the homology of what they triangulate, at every resolution."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq

from polyrank.chains.groups import homology
from polyrank.errors import DomainError, FormatError, NetworkError
from polyrank.image.hyperplane import Points
from polyrank.image.linking import linking_matrix
from polyrank.network.modular import SMALL_PRIMES, ranks_mod
from polyrank.topology.curves import curve_through
from polyrank.topology.manifold import Manifold
from polyrank.topology.residues import edge_residues
from polyrank.topology.shapes import SHAPES, shape

# by the classification of surfaces and of graphs; smallest and larger resolutions
GROUPS = {
    "3-sphere": ("Z, 0, 0, Z", ("3-sphere:1", "3-sphere:2", "3-sphere:3")),
    "annulus": ("Z, Z, 0", ("annulus:3x1", "annulus:3", "annulus:20x7")),
    "circle": ("Z, Z", ("circle:3", "circle:100")),
    "concentric-3-spheres": ("Z^2, 0, 0, Z^2", ("concentric-3-spheres:1",)),
    "concentric-circles": ("Z^2, Z^2", ("concentric-circles:1", "concentric-circles:30")),
    "concentric-spheres": ("Z^2, 0, Z^2", ("concentric-spheres:1", "concentric-spheres:5")),
    "disk": ("Z, 0, 0", ("disk:3", "disk:3x2", "disk:20")),
    "disk-in-annulus": ("Z^2, Z, 0", ("disk-in-annulus:3", "disk-in-annulus:18")),
    "ellipse": ("Z, Z", ("ellipse:3", "ellipse:50")),
    "figure-eight-knot": ("Z, Z", ("figure-eight-knot:24", "figure-eight-knot:200")),
    "interval": ("Z, 0", ("interval:1", "interval:30")),
    "klein": ("Z, Z + Z/2, 0", ("klein:5", "klein:5x9", "klein:12")),
    "linked-tori": ("Z^2, Z^4, Z^2", ("linked-tori:3", "linked-tori:10x6")),
    "moebius": ("Z, Z, 0", ("moebius:5x1", "moebius:5", "moebius:30x4")),
    "parametric-knot": ("Z, Z", ("parametric-knot:8", "parametric-knot:90,a=3,b=2,c=3,d=2")),
    "sphere": ("Z, 0, Z", ("sphere:1", "sphere:2", "sphere:7")),
    "sphere-and-circle": ("Z, Z, Z", ("sphere-and-circle:2", "sphere-and-circle:5")),
    "spirals": ("Z^2, 0", ("spirals:1", "spirals:90")),
    "swiss-roll": ("Z, 0, 0", ("swiss-roll:1x1", "swiss-roll:50x5")),
    "torus": ("Z, Z^2, Z", ("torus:3", "torus:3x9", "torus:20")),
    "torus-link": ("Z, Z", ("torus-link:12", "torus-link:60,p=3,q=5")),
    "two-curves": ("Z^2, 0", ("two-curves:2", "two-curves:40")),
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
        ("cube", "no shape is called 'cube'; there are 3-sphere, annulus"),
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


def test_options() -> None:
    tori = shape("linked-tori:12x8,ring=15,tube=2")
    radius = np.hypot(*tori.points.approx[:96, :2].T)
    assert abs(radius.min() - 13) < 1e-5
    assert abs(radius.max() - 17) < 1e-5
    assert abs(np.abs(tori.points.approx[96:, 1]).max() - 2) < 1e-5
    disk = shape("disk-in-annulus:12,disk=1/2,inner=3/4,outer=8")
    inside, outside = (np.hypot(*disk.of_class(c).points.approx.T) for c in (0, 1))
    assert inside.max() < 0.51
    assert outside.min() > 0.74
    assert outside.max() > 7.99
    assert np.hypot(*shape("circle:9,radius=5").points.approx.T).round(5).tolist() == [5.0] * 9
    assert np.ptp(shape("sphere:2,radius=3").points.approx) == 6
    assert shape("ellipse:8,b=4").points.approx.max() == 4
    assert shape("spirals:90,turns=3").points.approx.max() <= 1
    assert shape("disk:6,radius=2").point(1) == [2, 0]


def test_scale_and_centre_are_exact() -> None:
    plain = shape("torus:4x3")
    moved_ = shape("torus:4x3,scale=1/3,centre=1:0:-1/2")
    for v in range(12):
        expected = [x / 3 + c for x, c in zip(plain.point(v), (1, 0, fmpq(-1, 2)), strict=True)]
        assert moved_.point(v) == expected
    tiny = shape("circle:4,scale=1e-300")
    assert tiny.point(0) == [fmpq(1, 10**300), 0]
    assert shape("circle:4,scale=4,centre=-4:0").points.is_float
    assert shape("circle:scale=2").complex.cells == (32, 32)


def _linking(text: str, first: int, second: int) -> int:
    made = shape(text)
    ends = [made.simplices[1][made.labels[1] == c] for c in (first, second)]
    points = Points.from_rationals([made.point(v) for v in range(made.points.shape[0])], 3)
    signs = []
    for edges in ends:
        chain = np.where(edges[:, 1] - edges[:, 0] == 1, 1, -1)[None]  # the last edge runs back
        signs.append(chain.astype(np.int64))
    return int(linking_matrix(points, points, *ends, *signs)[0, 0])


@pytest.mark.parametrize(("p", "q"), [(2, 2), (2, 4), (4, 2), (4, 6), (3, 6)])
def test_torus_links(p: int, q: int) -> None:
    """gcd(p, q) components, any two of linking number p q / gcd²."""
    text = f"torus-link:48,p={p},q={q}"
    g = np.gcd(p, q)
    assert set(np.unique(shape(text).labels[1])) == set(range(g))
    assert abs(_linking(text, 0, 1)) == p * q // g**2


def _crossings(made: Manifold) -> int:
    """Crossings of the projection of a closed polygon along the third axis."""
    x = made.points.approx[:, :2]
    a, b = x, np.roll(x, -1, axis=0)

    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        u, v = q - p, r - p
        return np.sign(u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0])

    one = side(a[:, None], b[:, None], a[None]) * side(a[:, None], b[:, None], b[None]) < 0
    return int((one & one.T).sum()) // 2


def test_knots() -> None:
    """The diagrams of the trefoil and of the figure-eight knot: alternating, reduced."""
    assert _crossings(shape("torus-link:101")) == 3
    assert _crossings(shape("figure-eight-knot:203")) == 4
    trefoil = shape("torus-link:101")
    assert np.unique(trefoil.labels[1]).tolist() == [0]


def test_parametric_knots() -> None:
    """a = c = 0, b = d = 1: the circle. Numbers that are no integers: an open curve."""
    one = shape("parametric-knot:16,a=0,b=1,c=0,d=1")
    assert np.allclose(one.points.approx, shape("circle:16").points.approx)
    arc = shape("parametric-knot:16,a=1/2,b=-0.3,c=1/2,d=-0.3")
    assert arc.complex.cells == (17, 16)
    assert str(homology(arc.complex)) == "Z, 0"


def test_curves_through_points() -> None:
    points = [[0.1, 0.0, 2.0], [1.0, 0.3, 0.0], [0.5, 0.7, -1.0], [1e-300, 0.0, 3.0]]
    path, loop = curve_through(points), curve_through(points, closed=True)
    assert (path.points.approx == np.array(points)).all()
    assert path.simplices[1].tolist() == [[0, 1], [1, 2], [2, 3]]
    assert (str(homology(path.complex)), str(homology(loop.complex))) == ("Z, 0", "Z, Z")
    for wrong in ([[0.0, 1.0]], [1.0, 2.0, 3.0], [[0.0], [np.nan]]):
        with pytest.raises(FormatError, match="a curve goes through at least 2 finite points"):
            curve_through(wrong)
    with pytest.raises(FormatError, match="a closed curve goes through at least 3"):
        curve_through(points[:2], closed=True)


def test_spheres_are_manifolds() -> None:
    solid = shape("3-sphere:3")
    assert np.unique(np.diff(solid.complex.boundary[2].tocsr().indptr)).tolist() == [2]
    assert solid.complex.cells[3] == 16 * 27
    assert np.allclose(np.linalg.norm(solid.points.approx, axis=1), 1, atol=1e-5)
    both = shape("concentric-spheres:4,inner=1/2,outer=9")
    sizes = np.linalg.norm(both.points.approx, axis=1)
    assert np.allclose(np.sort(np.unique(sizes.round(4))), [0.5, 9])


def test_two_curves_are_apart() -> None:
    for gap in (0.5, 0.25):
        both = shape(f"two-curves:20,gap={gap}")
        low, high = both.points.approx[:21], both.points.approx[21:]
        assert np.allclose(high - low, [0, gap], atol=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("circle:8,radius=0", "circle: radius is 0; expected at least 1/256 more than 0"),
        ("circle:8,radius=1e9", r"and at most 2\^20"),
        ("circle:8,radius=1e999", r"and at most 2\^20"),
        ("circle:8,radius=x", "radius: 'x' is not a rational number"),
        ("circle:8,radius", "radius: '' is not a rational number"),
        ("circle:8,tube=1", "a circle has no option 'tube'; it has radius, scale, centre"),
        ("circle:8,", "a circle has no option ''"),
        ("circle:8,scale=0", "a scale of 0 leaves one point"),
        ("circle:8,scale=1e400", "above 1.8e308"),
        ("circle:8,centre=1", "lies in R\\^2, but its centre has 1 coordinates"),
        ("circle:8,centre=1:a", "centre: 'a' is not a rational number"),
        ("torus:8,ring=1,tube=2", "torus: ring is 1; expected at least 1/256 more than tube = 2"),
        ("linked-tori:8,tube=1", "half the ring is 1; expected at least"),
        ("annulus:8,inner=3", "annulus: outer is 2"),
        ("disk-in-annulus:8,disk=2", "disk-in-annulus: inner is 2"),
        ("concentric-spheres:2,outer=1/2", "outer is 0.5"),
        ("torus-link:40,p=0", "p and q must be 1 to 64, got 0 and 3"),
        ("torus-link:40,p=1.5", "p: '1.5' is not an integer"),
        ("torus-link:40,p=1_0", "p: '1_0' is not an integer"),
        ("torus-link:11", "the resolution of a torus link T"),
        ("figure-eight-knot:9", "the resolution of a figure-eight knot must be 24"),
        ("parametric-knot:7", "the resolution of a parametric knot must be 8"),
        ("parametric-knot:9,a=65", "a, b, c and d must be -64 to 64"),
        ("two-curves:1", "the resolution of a pair of curves must be 2"),
        ("3-sphere:41", "more than a million tetrahedra; take a resolution of at most 40"),
        ("3-sphere:0", "the resolution of a sphere's facets must be 1"),
        ("spirals:9,turns=-1", "turns is -1"),
    ],
)
def test_options_refused(text: str, message: str) -> None:
    with pytest.raises((DomainError, NetworkError), match=message):
        shape(text)
