"""Covers of polygons: by hand, and against what is left after taking them away in rationals."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from flint import fmpq

from polyrank.image.collinear import UNKNOWN
from polyrank.image.coplanar import Coplanar
from polyrank.image.covered import covered
from polyrank.image.hulls import Hulls, hulls_of_points
from polyrank.image.intersection import Chart, chart, intersection, remainder
from polyrank.image.overlap import overlap_decomposition
from polyrank.image.planes import Planes, polygon
from polyrank.network.normal_form import Network, affine_layer
from polyrank.topology.restriction import restrict
from polyrank.topology.shapes import shape


def polygons(points: list[list[int]], cells: list[list[int]]) -> tuple[Hulls, dict[int, Chart]]:
    own = hulls_of_points(
        [(*p, 1) for p in points], [sorted(c) for c in cells], np.full(len(cells), 2)
    )
    return own, {p: chart(own.exact_image(p), 2) for p in range(own.count)}


def proved(points: list[list[int]], cells: list[list[int]]) -> tuple[list[int], list[fmpq]]:
    """The polygons that are proved to be covered; what others leave of each, in rationals."""
    own, charts = polygons(points, cells)
    planes = Planes(own, {p: polygon(own, p, charts[p]) for p in charts})
    pairs = [
        (i, j)
        for i, j in combinations(charts, 2)
        if planes.plane[i] == planes.plane[j] and len(intersection(charts[i], charts[j])[0]) > 2
    ]
    found = covered(own, charts.__getitem__, planes, np.array(pairs, np.int64).reshape(-1, 2))
    left = []
    for p, own_chart in charts.items():
        met = [intersection(own_chart, charts[q])[0] for q in charts if q != p]
        left.append(remainder(own_chart, [m for m in met if len(m) > 2]))
    return np.flatnonzero(found).tolist(), left


SQUARE = [[0, 0], [12, 0], [12, 12], [0, 12]]
FAN = [[k, (k + 1) % 4, 4] for k in range(4)]


@pytest.mark.parametrize(
    ("middle", "triangle", "fan", "expected"),
    [
        ((5, 6), [[1, 2], [9, 3], [4, 8]], FAN, True),  # over the middle
        ((5, 6), [[0, 0], [12, 0], [6, 11]], FAN, True),  # corners and an edge in common
        ((5, 6), [[0, 0], [12, 12], [5, 6]], FAN, True),  # the middle in common, an edge across
        ((5, 6), [[1, 2], [9, 3], [4, 8]], FAN[1:], False),  # one triangle is missing
        ((5, 6), [[1, 2], [9, 3], [4, 20]], FAN, False),  # it sticks out
        ((5, 6), [[10, 4], [11, 3], [10, 7]], FAN[1:2], True),  # in one polygon
    ],
)
def test_a_triangle_over_a_fan(middle, triangle, fan, expected) -> None:
    for scale in (1, 2**70):
        points = [[scale * x for x in p] for p in [*SQUARE, middle, *triangle]]
        found, left = proved(points, [[5, 6, 7], *fan])
        assert (0 in found) == expected == (left[0] == 0)


def test_a_hole_is_seen() -> None:
    """A square frame around a hole, and a square that holds the hole."""
    outer, inner = [[0, 0], [9, 0], [9, 9], [0, 9]], [[4, 4], [5, 4], [5, 5], [4, 5]]
    frame = [[k, (k + 1) % 4, 4 + (k + 1) % 4, 4 + k] for k in range(4)]
    points = [*outer, *inner, [1, 1], [8, 1], [8, 8], [1, 8]]
    found, left = proved(points, [[8, 9, 10, 11], *frame])
    assert found == []
    assert left[0] == fmpq(1, 49)
    found, left = proved(points, [[8, 9, 10, 11], *frame, [4, 5, 6, 7]])
    assert 0 in found
    assert left[0] == 0


def test_a_fold_is_no_other_side() -> None:
    """Two triangles with a common edge, both to one side of it."""
    points = [[0, 0], [8, 0], [4, 9], [4, 7], [4, -1], [2, 1], [6, 1]]
    found, left = proved(points, [[4, 5, 6], [0, 1, 2], [0, 1, 3]])
    assert 0 not in found
    assert left[0] != 0


@pytest.mark.parametrize("seed", range(12))
def test_no_cover_is_claimed_that_leaves_something(seed: int) -> None:
    """Two or three triangulated squares of small integers; triangles are missing."""
    rng = np.random.default_rng(seed)
    points: list[list[int]] = []
    cells = []
    n, size = 3, (4, 1, 2**60)[seed % 3]
    complete = []
    for sheet in range(2 + seed % 2):
        grid = np.stack(np.meshgrid(range(n + 1), range(n + 1)), axis=2).reshape(-1, 2) * 4
        if seed % 4:
            inner = ((grid > 0) & (grid < 4 * n)).all(axis=1)
            grid[inner] += rng.integers(-1, 2, size=(int(inner.sum()), 2))
        first = len(points)
        points += [[size * int(x) for x in p] for p in grid]
        rows = []
        for k in range(n * n):
            a = first + k // n * (n + 1) + k % n
            b, c, d = a + 1, a + n + 1, a + n + 2
            rows += [[a, b, d], [a, c, d]] if sheet % 2 else [[a, b, c], [b, c, d]]
        keep = rng.random(len(rows)) < (1.0 if seed % 3 == 0 else 0.9)
        complete.append(keep.all())
        cells += [row for row, kept in zip(rows, keep, strict=True) if kept]
    found, left = proved(points, cells)
    assert all(left[p] == 0 for p in found)
    if all(complete):
        assert found == list(range(len(cells)))


@pytest.mark.parametrize("name", ["sphere:2", "torus:8", "torus:9"])
@pytest.mark.parametrize(
    "rows",
    [
        [[1.0, 0.25, 0.125], [-0.375, 1.0, 0.5]],
        [[1, 0, 0], [0, 1, 0]],
        [[1, 2.0**-40, 0], [0, 0, 1]],
    ],
)
def test_closed_surfaces_in_a_plane_take_part_in_full(name: str, rows: list[list[float]]) -> None:
    """Over a point outside of a null set a map to the plane has an even number of points."""
    network = Network((affine_layer(np.array(rows, float), np.zeros(2)),))
    found = overlap_decomposition(restrict(network, shape(name)), 1)
    assert found.share[2].by_simplex == 1


def test_polygons_in_one_place_are_compared_by_floats() -> None:
    """The same triangle and the same square twice; a triangle with a common edge beside it."""
    points = [[0, 0], [3, 1], [1, 4], [0, 0], [3, 1], [1, 4], [9, 9], [8, 9], [8, 8], [9, 8]]
    points.append([5, -5])
    own, charts = polygons(points, [[0, 1, 2], [3, 4, 5], [6, 7, 8, 9], [9, 8, 7, 6], [0, 1, 10]])
    planes = Planes(own, {p: polygon(own, p, charts[p]) for p in charts})
    coplanar = Coplanar(own, charts.__getitem__, planes, np.full(own.count, -1))
    pairs = np.array([[0, 1], [2, 3], [0, 4], [0, 2]])
    assert coplanar.dimensions(pairs).tolist() == [2, 2, UNKNOWN, UNKNOWN]
