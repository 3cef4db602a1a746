"""Faces of a plane graph after all wide angles are divided: convex, and the whole polygon."""

from __future__ import annotations

from fractions import Fraction

import pytest

from polyrank.errors import RefutedError
from polyrank.image.diagonals import add_diagonals
from polyrank.image.homogeneous import approximation
from polyrank.image.planar import PlaneGraph

SQUARE = [(0, 0), (12, 0), (12, 12), (0, 12)]
BOUNDARY = [(0, 1), (1, 2), (2, 3), (3, 0)]


def ring(first: int, size: int) -> list[tuple[int, int]]:
    return [(first + k, first + (k + 1) % size) for k in range(size)]


CASES = {
    "nothing inside": ([], []),
    "one point": ([(5, 4)], []),
    "points on a line": ([(3, 3), (5, 5), (8, 8), (3, 8), (6, 3)], []),
    "a segment": ([(3, 6), (9, 6)], [(4, 5)]),
    "a segment that ends on the boundary": ([(5, 5)], [(0, 4)]),
    "a hole": ([(4, 4), (8, 4), (8, 8), (4, 8)], ring(4, 4)),
    "a star": ([(6, 1), (7, 5), (11, 6), (7, 7), (6, 11), (5, 7), (1, 6), (5, 5)], ring(4, 8)),
    "a hole with a point": ([(3, 3), (9, 3), (9, 9), (3, 9), (6, 5)], ring(4, 4)),
    "a tree": ([(6, 6), (6, 9), (9, 5), (3, 5), (2, 3)], [(4, 5), (4, 6), (4, 7), (7, 8)]),
    "a zigzag across": ([(3, 8), (6, 4), (9, 8)], [(0, 4), (4, 5), (5, 6), (1, 6)]),
}


def doubled_area(cycle: list[int], places: list[tuple[int, int]]) -> int:
    corners = [places[v] for v in cycle]
    after = [*corners[1:], corners[0]]
    return sum(p[0] * q[1] - p[1] * q[0] for p, q in zip(corners, after, strict=True))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "scale", [Fraction(1), Fraction(1, 3), Fraction(10**400), Fraction(1, 10**400)]
)
def test_faces_are_convex_and_fill_the_polygon(case: str, scale: Fraction) -> None:
    """The areas of convex faces around which every edge is walked once on each side add up."""
    inside, edges = CASES[case]
    places = SQUARE + inside
    points = [(scale.numerator * x, scale.numerator * y, scale.denominator) for x, y in places]
    edges = BOUNDARY + edges
    alone = sorted(set(range(len(places))) - {v for pair in edges for v in pair})
    graph = PlaneGraph(edges, alone, points, approximation(points), (0, 1))
    added = add_diagonals(graph, lambda v: v >= 4)
    assert len({frozenset(e) for e in [*edges, *added]}) == len(edges) + len(added)
    faces = [c for c in graph.faces().cycles if doubled_area(c, places) > 0]
    assert sum(doubled_area(c, places) for c in faces) == 2 * 144
    for cycle in faces:
        assert len(set(cycle)) == len(cycle)
        for k, v in enumerate(cycle):
            corner = [cycle[k - 1], v, cycle[(k + 1) % len(cycle)]]
            assert doubled_area(corner, places) >= 0
    # V - E + F = 2 of a connected plane graph
    assert len(places) - len(edges) - len(added) + len(faces) + 1 == 2


def test_a_point_that_sees_nothing() -> None:
    graph = PlaneGraph([], [0], [(1, 1, 1)], approximation([(1, 1, 1)]), (0, 1))
    with pytest.raises(RefutedError, match="no vertex is seen"):
        add_diagonals(graph, lambda _: True)
