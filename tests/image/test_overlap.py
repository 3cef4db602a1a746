"""Overlap decompositions: shares and dimensions known by hand, and against a second method."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.image.homeomorphism import overlaps
from polyrank.image.intersection import area, chart, intersection, meeting_dimension, remainder
from polyrank.image.overlap import overlap_decomposition
from polyrank.image.pieces import pieces
from polyrank.network.normal_form import Network, affine_layer, relu_layer
from polyrank.topology.manifold import build_manifold
from polyrank.topology.restriction import restrict
from polyrank.topology.shapes import shape
from tests.image.brute_force import all_overlaps

small = st.integers(-3, 3)


def exact(points: list[list[int]]) -> list[tuple[fmpq, ...]]:
    return [tuple(map(fmpq, p)) for p in points]


@st.composite
def simplices(draw: st.DrawFn, most: int, space: int) -> list[list[int]]:
    """Corners of a simplex that is not degenerate."""
    count = draw(st.integers(1, most))
    points = [[draw(small) for _ in range(space)] for _ in range(count)]
    edges = np.array(points[1:]).reshape(-1, space) - points[0]
    if np.linalg.matrix_rank(edges) < count - 1:
        return [points[0]]
    return points


@given(st.integers(1, 3).flatmap(lambda m: st.tuples(simplices(3, m), simplices(3, m))))
@settings(max_examples=150)
def test_the_dimension_by_clipping_is_that_by_linear_programs(
    pair: tuple[list[list[int]], list[list[int]]],
) -> None:
    first, second = map(exact, pair)
    places = intersection(chart(first, len(first) - 1), chart(second, len(second) - 1))
    assert min(len(places[0]), 3) - 1 == meeting_dimension(first, second)
    # the same points in both charts
    for s, w in zip(*places, strict=True):
        images = []
        for own, at in ((chart(first, len(first) - 1), s), (chart(second, len(second) - 1), w)):
            images.append(
                tuple(
                    o + sum((a * row[k] for a, row in zip(at, own.basis, strict=True)), fmpq(0))
                    for k, o in enumerate(own.origin)
                )
            )
        assert images[0] == images[1]


def test_what_is_left_of_a_square() -> None:
    square = chart(exact([[0, 0], [4, 0], [4, 4], [0, 4]]), 2)
    assert area(square.corners) == 16
    halves = [
        exact(p) for p in ([[0, 0], [2, 0], [2, 4], [0, 4]], [[1, 0], [3, 0], [3, 4], [1, 4]])
    ]
    assert remainder(square, halves) == fmpq(1, 4)
    assert remainder(square, [exact([[0, 0], [4, 4], [0, 4]])]) == fmpq(1, 2)
    assert remainder(square, [exact([[0, 0], [4, 4]])]) == 1
    segment = chart(exact([[0, 0, 0], [3, 0, 0]]), 1)
    assert remainder(segment, [[(fmpq(1),), (fmpq(2),)]]) == fmpq(2, 3)


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 4, st.booleans()), max_size=6))
def test_what_rectangles_leave_is_cells(rows: list[tuple[int, int, int, int, bool]]) -> None:
    """Of a square of 25 cells; rectangles are given in either order around them."""
    square = chart(exact([[0, 0], [5, 0], [5, 5], [0, 5]]), 2)
    parts, covered = [], set()
    for a, b, c, d, turned in rows:
        x, y = sorted((a, c)), sorted((b, d))
        ring = exact([[x[0], y[0]], [x[1], y[0]], [x[1], y[1]], [x[0], y[1]]])
        parts.append(ring[::-1] if turned else ring)
        covered |= {(u, v) for u in range(*x) for v in range(*y)}
    assert remainder(square, parts) == fmpq(25 - len(covered), 25)


def test_two_squares_folded_over_each_other() -> None:
    # [−1, 2] × [0, 1] folded at x = 0 by |x|: what lies over [0, 1] takes part, 2 of 3 parts
    points = [[-1, 0], [0, 0], [2, 0], [-1, 1], [0, 1], [2, 1]]
    strip = build_manifold(points, [[[0, 1, 4], [0, 3, 4], [1, 2, 5], [1, 4, 5]]])
    network = Network((relu_layer(np.eye(2), np.zeros(2), slope=-1),))
    found = overlap_decomposition(restrict(network, strip), 1)
    # by volume: areas 1/2, 1/2, 1, 1, of which 1/2, 1/2 and together 1 take part
    assert found.share[2].by_volume == pytest.approx(2 / 3)
    # triangle (0,0) (2,0) (2,1): x ≤ 1 is a quarter; (0,0) (0,1) (2,1): three quarters
    assert found.share[2].by_simplex == fmpq(3, 4)
    assert found.collapsed == 0


def test_a_crossing_takes_no_part() -> None:
    points = [[-1, -1], [1, 1], [1, -1], [-1, 1]]
    eight = build_manifold(points, [[[0, 1], [1, 2], [2, 3], [0, 3]]])
    network = Network.from_arrays([np.eye(2)], [np.zeros(2)])
    found = overlap_decomposition(restrict(network, eight), 1)
    assert found.dimension.tolist() == [0]
    assert found.share[1].by_simplex == 0


def test_a_collapsed_part_takes_part() -> None:
    # the lower half of the square goes to the x-axis, edges 2 and 3 to one point of it each
    square = build_manifold([[1, 0], [0, 1], [-1, 0], [0, -1]], [[[0, 1], [1, 2], [2, 3], [0, 3]]])
    network = Network((relu_layer([[0.0, 1.0]], [0.0]),))
    found = overlap_decomposition(restrict(network, square), 1)
    assert found.collapsed == 2
    # the other two edges go to [0, 1], both
    assert found.share[1].by_simplex == 1


@pytest.mark.parametrize("seed", range(6))
def test_all_pairs_of_random_networks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    name, widths = [("circle:6", (2, 3, 2)), ("disk:3", (2, 2, 2)), ("sphere:1", (3, 2, 3))][
        seed % 3
    ]
    layers = [
        relu_layer(rng.normal(size=(b, a)), 0.3 * rng.normal(size=b)) for a, b in pairwise(widths)
    ]
    restriction = restrict(Network(tuple(layers)), shape(name))
    found = overlap_decomposition(restriction, 2)
    own = pieces(restriction, 2, covering=True)
    if own.count <= 16:
        assert set(map(tuple, found.pairs.tolist())) == all_overlaps(own)
    assert set(map(tuple, found.pairs.tolist())) == {(o.first, o.second) for o in overlaps(own)}
    for number, (pair, d) in enumerate(
        zip(found.pairs.tolist(), found.dimension.tolist(), strict=True)
    ):
        places = [own.exact_image(p) for p in pair]
        assert found.collision(number).layer <= 2
        assert d == meeting_dimension(*places)
    for share in found.share.values():
        assert 0 <= share.by_simplex <= 1


def linear_image(curve, *rows):
    network = Network((affine_layer(np.array(rows, float), np.zeros(len(rows))),))
    return overlap_decomposition(restrict(network, curve), 1)


@pytest.mark.parametrize("row", [[1.0, 1e-3], [1 / 3, 0.7], [2.0**-600, 0.0]])
def test_a_curve_on_a_line_is_compared_by_places(row) -> None:
    """All pairs of intervals in rationals; edges that meet in their common end only are none."""
    ring = shape("circle:24")
    found = linear_image(ring, row, [4 * v for v in row])
    own = found.pieces
    spans = [sorted(p[0] for p in own.exact_image(k)) for k in range(own.count)]
    expected = {}
    for (i, p), (j, q) in combinations(enumerate(spans), 2):
        low, high = max(p[0], q[0]), min(p[1], q[1])
        if low < high or (low == high and not own.common_face(i, j).size):
            expected[i, j] = int(low < high)
    pairs = map(tuple, found.pairs.tolist())
    assert dict(zip(pairs, found.dimension.tolist(), strict=True)) == expected
    assert found.share[1].by_simplex == 1


def test_points_and_segments_in_general_position_and_not() -> None:
    """Points on segments, at their ends, beside them on their line, and off it; two points."""
    places = [[0, 0, 0], [6, 3, 9], [2, 1, 3], [6, 3, 9], [8, 4, 12], [2, 1, 4], [2, 1, 3]]
    places += [[4, 2, 6], [10, 5, 15], [4, 2, 6], [4, 2, 7]]
    tops = [[0, 1], [2], [3], [4], [5], [6], [7, 8], [9, 10]]
    space = build_manifold(places, [[t for t in tops if len(t) == n] for n in (1, 2)])
    found = linear_image(space, [1, 0, 0], [0, 1, 0], [0, 0, 1])
    own = found.pieces
    simplex = [tuple(own.simplex(p)) for p in range(own.count)]
    expected = {
        ((2,), (6,)): 0,
        ((2,), (0, 1)): 0,
        ((3,), (0, 1)): 0,
        ((6,), (0, 1)): 0,
        ((3,), (7, 8)): 0,
        ((4,), (7, 8)): 0,
        ((0, 1), (7, 8)): 1,
        ((0, 1), (9, 10)): 0,
        ((7, 8), (9, 10)): 0,
    }
    pairs = {
        tuple(sorted((simplex[i], simplex[j]), key=lambda s: (len(s), s))): d
        for (i, j), d in zip(found.pairs.tolist(), found.dimension.tolist(), strict=True)
    }
    assert pairs == expected
    # of the edges (0, 1), (7, 8) and (9, 10) a third, a third and nothing
    assert found.share[1].by_simplex == fmpq(2, 9)
    assert [[simplex[p] for p in group] for group in found.groups] == [[(2,), (6,)]]


@pytest.mark.parametrize("seed", range(8))
def test_flat_parts_by_places_lines_and_planes(seed: int) -> None:
    """Points, edges and triangles of two planes of R^3, one by one against exact charts.

    Small integers: corners on corners and sides, sides on sides, identical triangles.
    """
    rng = np.random.default_rng(seed)
    points: list[list[int]] = []
    tops: list[list[list[int]]] = [[], [], []]
    while len(points) < 60:
        n = int(rng.integers(1, 4))
        flat = rng.integers(0, 4, size=(n, 2)) * (1 if seed % 2 else 2**40)
        plane = [[int(x), int(y), int(x + 2 * y) if seed % 3 else 0] for x, y in flat]
        if rng.integers(2):
            plane = [[0, x, y] for x, y, _ in plane]
        if len({tuple(p) for p in plane}) < n or (
            n == 3 and np.linalg.matrix_rank(np.array(plane[1:]) - plane[0]) < 2
        ):
            continue
        tops[n - 1].append(list(range(len(points), len(points) + n)))
        points += plane
    space = build_manifold(points, [own for own in tops if own])
    found = linear_image(space, [1, 0, 0], [0, 1, 0], [0, 0, 1])
    own = found.pieces
    charts = [chart(own.exact_image(p), int(own.dimension[p])) for p in range(own.count)]
    expected = {}
    for i, j in combinations(range(own.count), 2):
        common = intersection(charts[i], charts[j])[0]
        if common:
            expected[i, j] = min(len(common), 3) - 1
    pairs = map(tuple, found.pairs.tolist())
    assert dict(zip(pairs, found.dimension.tolist(), strict=True)) == expected
    for d, share in found.share.items():
        parts = []
        for p in np.flatnonzero(own.dimension == d).tolist():
            met = [intersection(charts[p], charts[q])[0] for q in range(own.count) if q != p]
            parts.append(1 - remainder(charts[p], [m for m in met if len(m) > d]))
        assert share.by_simplex == sum(parts) / len(parts)


def test_collapsed_curves_are_listed_in_full() -> None:
    """n segments on top of each other: n (n − 1) / 2 pairs of dimension 1, one group."""
    n = 400
    points = [[k, side] for k in range(n) for side in (0, 1)]
    space = build_manifold(points, [[[2 * k, 2 * k + 1] for k in range(n)]])
    found = linear_image(space, [0, 1])
    assert found.complete
    assert found.dimension.tolist() == [1] * (n * (n - 1) // 2)
    assert found.groups == [list(range(n))]
    assert found.share[1].by_simplex == 1


@pytest.mark.parametrize("factor", [1.0, 2.0**-600, 2.0**600])
def test_edges_of_collapsed_triangles_are_no_curves(factor) -> None:
    """A triangle and an edge on one line: of the edge, which is what is of dimension 1, all."""
    points = [[0, 0], [4, 0], [4, 1], [1, 5], [2, 5]]
    space = build_manifold(np.array(points) * factor, [[[0, 1, 2]], [[3, 4]]])
    found = linear_image(space, [1, 0], [2, 0])
    assert {d: (s.by_simplex, s.by_volume) for d, s in found.share.items()} == {
        1: (1, 1.0),
        2: (1, 1.0),
    }


def test_solid_pieces() -> None:
    corners = [[0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 0, 2]]
    moved = [[x + 0.5 for x in p] for p in corners]
    space = build_manifold([*corners, *moved], [[[0, 1, 2, 3], [4, 5, 6, 7]]])
    network = Network.from_arrays([np.eye(3)], [np.zeros(3)])
    found = overlap_decomposition(restrict(network, space), 1)
    assert found.dimension.tolist() == [3]
    assert dict(found.share) == {}


def test_limits_leave_the_list_open() -> None:
    network = Network((relu_layer(np.eye(2), np.zeros(2), slope=-1),))
    restriction = restrict(network, shape("circle:16"))
    every = overlap_decomposition(restriction, 1)
    assert every.complete
    few = overlap_decomposition(restriction, 1, most=3)
    assert (few.complete, len(few.pairs), dict(few.share)) == (False, 3, {})
    exactly = overlap_decomposition(restriction, 1, most=len(every.pairs))
    assert exactly.complete or len(exactly.pairs) == len(every.pairs)
    assert not overlap_decomposition(restriction, 1, seconds=0.0).complete
