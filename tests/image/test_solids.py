"""Images of solids: overlay = nerve, volumes by inclusion and exclusion, answers known by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.chains.groups import Homology
from polyrank.errors import RefutedError
from polyrank.image import barcode, union
from polyrank.image.barcode import image
from polyrank.image.barcode_object import image_object
from polyrank.image.components import LayerComponents
from polyrank.image.glue import Glued
from polyrank.image.homogeneous import rationals
from polyrank.image.overlay import ImageComplex
from polyrank.image.union import LayerUnion, unions
from polyrank.lp.deadline import OutOfTimeError
from polyrank.network.formats import load
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import Box
from polyrank.topology.box import box_complex
from polyrank.topology.manifold import Manifold, build_manifold
from polyrank.topology.point_cloud import complex_of_points, read_labels, read_points
from tests.conftest import shared
from tests.image.test_nerve import compare
from tests.image.test_overlay import linear


@st.composite
def tetrahedra(draw):
    """Few tetrahedra with small integer corners, and a segment: overlaps of every kind."""
    n = draw(st.integers(3, 4))
    count = draw(st.integers(5, 7))
    corner = st.tuples(*[st.integers(-2, 2)] * n)
    points = draw(st.lists(corner, min_size=count, max_size=count))
    four = st.lists(st.integers(0, count - 1), min_size=4, max_size=4, unique=True)
    facets = draw(st.lists(four, min_size=1, max_size=3))
    used = sorted({v for f in facets for v in f})
    number = {v: i for i, v in enumerate(used)}
    top = [[number[v] for v in f] for f in facets]
    table = [points[v] for v in used]
    further = []
    if draw(st.booleans()):
        table += [draw(corner), draw(corner)]
        further = [[[len(table) - 2, len(table) - 1]]]
    return build_manifold(np.array(table, float), [top, *further])


@st.composite
def layers(draw, n, most=2):
    widths = [n, *draw(st.lists(st.integers(1, 4), min_size=1, max_size=most))]
    weights, biases = [], []
    for a, b in pairwise(widths):
        row = st.tuples(*[st.integers(-1, 1)] * a)
        weights.append(np.array(draw(st.lists(row, min_size=b, max_size=b)), float))
        biases.append(np.array(draw(st.tuples(*[st.integers(-1, 1)] * b)), float))
    return Network.from_arrays(weights, biases, slope=draw(st.sampled_from([0, 0.5, -1])))


@settings(max_examples=40, deadline=None)
@given(st.data(), tetrahedra(), st.sampled_from(["Z", 2]))
def test_overlay_is_nerve(data, space: Manifold, coefficients) -> None:
    net = data.draw(layers(space.ambient))
    compare(net, space, coefficients=coefficients, way="overlay")


def test_both_ways_and_what_keeps_the_homology() -> None:
    """A cube through a layer that folds it, by all ways at once."""
    net = Network.from_arrays([np.array([[1.0, 1, 0], [0, 1, -1], [1, 0, 1]])], [[0, 0, -1]])
    found = image(net, box_complex(Box([-1, -1, -1], [1, 1, 1]), 3), way="both")
    assert found.ways == ("overlay", "nerve", "equivalence")
    assert found.reached[0] == found.reached[1] == 3
    assert found.partial.keys() <= {"equivalence"}


def boxes(rows: list[tuple[int, ...]]) -> Manifold:
    """Boxes that share nothing but their places: lower corners, then upper ones."""
    points, facets, start = [], [], 0
    for row in rows:
        half = len(row) // 2
        own = box_complex(Box(row[:half], row[half:]), half)
        points.append(own.points.approx)
        facets.append(own.simplices[3] + start)
        start += len(own.points.approx)
    return build_manifold(np.concatenate(points), [np.concatenate(facets)])


def volume(own: ImageComplex | Glued) -> fmpq:
    """Of an image in R^3: cones over the faces of every solid, with its first vertex as apex."""
    points = [rationals(p) for p in own.points]
    total = fmpq(0)
    for solid in own.solids:
        apex = points[own.faces[solid[0][0]][0]]
        signed = fmpq(0)
        for f, sign in solid:
            a, *rest = own.faces[f]
            for b, c in pairwise(rest):
                rows = [[x - o for x, o in zip(points[v], apex, strict=True)] for v in (a, b, c)]
                signed += sign * fmpq_mat(rows).det()
        total += abs(signed) / 6
    return total


def cubes(rows: list[tuple[int, ...]]) -> set[tuple[int, int, int]]:
    """The unit cubes in boxes."""
    return {
        (x, y, z)
        for a, b, c, d, e, f in rows
        for x in range(a, d)
        for y in range(b, e)
        for z in range(c, f)
    }


def cubical_betti(own: set[tuple[int, int, int]]) -> tuple[int, ...]:
    """Betti numbers modulo 2 of a union of unit cubes, from its cells in doubled coordinates."""
    cells: set[tuple[int, ...]] = set()
    for x, y, z in own:
        steps = [(2 * v, 2 * v + 1, 2 * v + 2) for v in (x, y, z)]
        cells.update((a, b, c) for a in steps[0] for b in steps[1] for c in steps[2])
    by: list[list[tuple[int, ...]]] = [[] for _ in range(4)]
    for cell in sorted(cells):
        by[sum(v % 2 for v in cell)].append(cell)
    ranks = [0] * 5
    for d in range(1, 4):
        number = {cell: k for k, cell in enumerate(by[d - 1])}
        pivots: dict[int, int] = {}
        for cell in by[d]:
            column = 0
            for axis, v in enumerate(cell):
                if v % 2:
                    for step in (-1, 1):
                        face = (*cell[:axis], v + step, *cell[axis + 1 :])
                        column ^= 1 << number[face]
            while column and (low := column.bit_length()) in pivots:
                column ^= pivots[low]
            if column:
                pivots[column.bit_length()] = column
        ranks[d] = len(pivots)
    return tuple(len(by[d]) - ranks[d] - ranks[d + 1] for d in range(4))


@st.composite
def rows_of_boxes(draw):
    side = st.tuples(st.integers(0, 3), st.integers(1, 2))
    rows = []
    for _ in range(draw(st.integers(1, 3))):
        sides = [draw(side) for _ in range(3)]
        rows.append((*(a for a, _ in sides), *(a + n for a, n in sides)))
    return rows


@settings(max_examples=15, deadline=None)
@given(rows_of_boxes())
def test_unions_of_boxes_are_cubical_sets(rows) -> None:
    """The homology and the volume of the union, against unit cubes."""
    found = image(linear([1, 0, 0], [0, 1, 0], [0, 0, 1]), boxes(rows), layer=0, way="overlay")
    own = cubes(rows)
    assert volume(found.complexes[-1]) == len(own)
    assert found.groups(0).betti == cubical_betti(own)
    assert not any(found.groups(0).torsion)


def test_six_slabs_around_a_hole() -> None:
    """They overlap along the edges of a cube; what they enclose is a class of H_2."""
    rows = [(0, 0, 0, 3, 3, 1), (0, 0, 2, 3, 3, 3), (0, 0, 0, 3, 1, 3), (0, 2, 0, 3, 3, 3)]
    rows += [(0, 0, 0, 1, 3, 3), (2, 0, 0, 3, 3, 3)]
    flat = linear([1, 0, 0], [0, 1, 0])
    found = image(flat, boxes(rows))
    assert found.ways == ("overlay", "equivalence")
    assert [str(found.groups(k)) for k in (None, 0, 1)] == [
        "Z^6, 0, 0, 0", "Z, 0, Z, 0", "Z, 0, 0, 0"
    ]  # fmt: skip
    assert volume(found.complexes[1]) == 26
    assert cubical_betti(cubes(rows)) == (1, 0, 1, 0)
    assert found.rank(2, 0, 1) == 0


@pytest.mark.parametrize(
    ("second", "common"),
    [
        ((0, 1, 2), 3),
        ((1, 2, 3), 2),
        ((2, 3, 4), 1),
        ((3, 4, 5), 0),
    ],
)
def test_cubes_in_other_spaces(second: tuple[int, ...], common: int) -> None:
    """Two cubes around the origin of R^6, in coordinate spaces with that much in common."""
    rows = np.zeros((2, 12))
    for row, own in zip(rows, ((0, 1, 2), second), strict=True):
        for c in own:
            row[[c, 6 + c]] = -1, 1
    parts = [box_complex(Box(row[:6], row[6:]), 6) for row in rows]
    points = np.concatenate([p.points.approx for p in parts])
    facets = np.concatenate([parts[0].simplices[3], parts[1].simplices[3] + 8])
    found = image(linear(*np.eye(6)), build_manifold(points, [facets]), layer=0)
    assert [str(found.groups(k)) for k in (None, 0)] == ["Z^2, 0, 0, 0", "Z, 0, 0, 0"]
    own = found.complexes[-1]
    assert own.complex.euler_characteristic == 1
    assert len(found.merges()) == 1
    assert (len(own.solids) == 6) == (common == 3)
    if common == 0:
        assert (0,) * 6 + (1,) in own.points


@settings(max_examples=30, deadline=None)
@given(st.data(), tetrahedra())
def test_unions_have_the_same_groups(data, space: Manifold) -> None:
    """Cells that others hold left out, or not."""
    net = data.draw(layers(space.ambient, most=3))
    last = len(net.layers)
    found = image(net, space, way="overlay")
    assert [own.groups for own in unions(net, space, last)] == [
        found.groups(k) for k in range(last + 1)
    ]


@settings(max_examples=10, deadline=None)
@given(rows_of_boxes())
def test_unions_of_boxes_alone(rows) -> None:
    (own,) = unions(linear([1, 0, 0]), boxes(rows), 0)
    assert own.groups.betti == cubical_betti(cubes(rows))


def test_unions_of_cubes_that_are_laid_on_one_another() -> None:
    """Twenty times the same cube: one cube is left."""
    rows = [(0, 0, 0, 2, 2, 2)] * 20
    (own,) = unions(linear([1, 0, 0]), boxes(rows), 0)
    assert own.cells == boxes(rows[:1]).complex.cells


def test_groups_without_maps_where_the_overlay_ends_early() -> None:
    """A budget for the overlay: the union says the groups, and the components are the same."""
    rows = [(0, 0, 0, 2, 2, 2), (1, 1, 1, 3, 3, 3), (0, 0, 4, 1, 1, 5)]
    flat = linear([1, 0, 0], [0, 1, 0])
    found = image(flat, boxes(rows), most_cells=100)
    assert found.layers == (None,), "layer 0 glues the two boxes: their homology is not kept"
    assert [str(own.groups) for own in found.unions] == ["Z^2, 0, 0, 0", "Z, 0, 0, 0"]
    assert [k for k, _ in found.undecided] == [0, 1]
    reason = found.undecided[1][1]
    assert "overlay: the overlay has 202 cells, more than 100" in reason
    assert reason.endswith("; certified: without the maps, its homology is Z, 0, 0, 0")
    shown = image_object(found)
    assert [entry["groups"][0] for entry in shown["unions"]] == ["Z^2", "Z"]


@pytest.mark.parametrize(
    ("way", "wrong", "told"),
    [
        (
            "component_layers",
            LayerComponents(0, 7, ()),
            "at layer 0 the image has 1 components, and 7 were found by common points",
        ),
        (
            "unions",
            LayerUnion(0, Homology("Z", (7, 0), ((), ())), (7, 0)),
            "at layer 0 the homology Z, 0, 0, 0 was found with the maps, and Z^7, 0 without",
        ),
    ],
)
def test_ways_that_differ_are_refused(monkeypatch, way: str, wrong: object, told: str) -> None:
    """What only a defect of the program can do: one of the ways says seven components."""
    monkeypatch.setattr(barcode, way, lambda *_: [wrong])
    with pytest.raises(RefutedError, match=re.escape(told)):
        image(linear([1, 0, 0]), boxes([(0, 0, 0, 1, 1, 1)]), layer=0, way="both")


def test_groups_without_maps_in_the_degrees_of_a_skeleton() -> None:
    """The 3-skeleton of a simplex of dimension 4: H_3 = Z is that of what was left out."""
    corners = np.concatenate([np.eye(4), np.zeros((1, 4))])
    facets = [[v for v in range(5) if v != k] for k in range(5)]
    space = replace(build_manifold(corners, [facets]), degrees=3)
    found = image(linear(*np.eye(4)), space, most_cells=1)
    assert len(found.unions) == 2
    assert all(own.groups.betti == (1, 0, 0, 1) for own in found.unions)
    assert [entry["groups"] for entry in image_object(found)["unions"]] == [["Z", "0", "0"]] * 2
    told = "; certified: without the maps, its homology is Z, 0, 0"
    assert all(reason.endswith(told) for _, reason in found.undecided)
    assert str(found.groups(None)) == "Z, 0, 0"


def test_the_limit_is_looked_at_for_everything_that_a_solid_holds(monkeypatch) -> None:
    """Ten triangles in a cube, and a limit that passes at the first one."""
    cube = boxes([(0, 0, 0, 12, 12, 12)])
    corners = [(x, *rest) for x in range(1, 11) for rest in ((1, 1), (2, 1), (1, 2))]
    triangles = (np.arange(30).reshape(10, 3) + len(cube.points.approx)).tolist()
    points = np.concatenate([cube.points.approx, np.array(corners, float)])
    space = build_manifold(points, [cube.simplices[3].tolist(), triangles])
    without, cut = union._without, []

    def counted(*arguments: Any) -> Any:
        cut.append(arguments)
        return without(*arguments)

    def look() -> None:
        if cut:
            raise OutOfTimeError

    monkeypatch.setattr(union, "_without", counted)
    (own,) = unions(linear([1, 0, 0]), space, 0)
    assert own.cells == cube.complex.cells
    assert len(cut) >= 10, "once per triangle and tetrahedron that it runs into"
    cut.clear()
    monkeypatch.setattr(union, "look", look)
    with pytest.raises(OutOfTimeError):
        list(unions(linear([1, 0, 0]), space, 0))
    assert len(cut) == 1


def test_segments_of_one_line_are_its_intervals() -> None:
    """Tetrahedra that a layer lays on a line: two intervals are left of four."""
    lows = (0, 1, 2, 7)
    rows = np.array([[x, 0, 0] for x in lows for _ in range(4)], float)
    rows += np.tile([[0.0, 0, 0], [2, 0, 0], [0, 1, 0], [0, 0, 1]], (4, 1))
    facets = [[4 * k + v for v in range(4)] for k in range(4)]
    own = list(unions(linear([1, 0, 0]), build_manifold(rows, [facets]), 1))[1]
    assert own.groups.betti == (2, 0, 0, 0)
    assert own.cells == (4, 2, 0, 0)


def _nine_shells() -> tuple[Network, Manifold]:
    """D-III of Beshkov (2026): a trained network and the alpha complex of its test points."""
    pytest.importorskip("gudhi")
    own = read_labels(shared("beshkov_quotient/D-III-test-labels.npy")) == 0
    space = complex_of_points(read_points(shared("beshkov_quotient/D-III-test.npy"))[own], 0.15)
    net = load(shared("beshkov_quotient/D-III_model_0.pth"))
    return net, space


@pytest.mark.slow
def test_nine_shells() -> None:
    """D-III of Beshkov (2026): all classes live through layer 2, which collapses parts of them."""
    net, space = _nine_shells()
    found = image(net, space, layer=2, way="overlay")
    assert {str(found.groups(k)) for k in (None, 0, 1, 2)} == {"Z^9, 0, Z^9, 0"}
    for d in (0, 2):
        induced = found.homology.integral_map(d, 0, 3)
        assert (induced.rank, induced.kernel, induced.cokernel) == (9, "0", "0")
    groups = [str(own.groups) for own in unions(net, space, 2)]
    assert groups == ["Z^9, 0, Z^9, 0"] * 3


@pytest.mark.slow
@pytest.mark.long
def test_nine_shells_where_they_overlap() -> None:
    """Layer 3 lays parts of the shells on one another: the groups are those of the union alone."""
    net, space = _nine_shells()
    found = image(net, space, layer=3, way="overlay")
    assert found.groups(3) == list(unions(net, space, 3))[3].groups
