"""Facets of regions in few dimensions, which are read off their vertices."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

import polyrank as pr
from polyrank.network.normal_form import Network, relu_layer
from tests.examples import box
from tests.graph.test_adjacency import _agrees, _graph, _sound


def test_lines_in_a_square_by_euler() -> None:
    """More vertices than are kept at once. Faces, edges and vertices: V − E + F = 1."""
    rng = np.random.default_rng(3)
    rows = rng.integers(-64, 65, size=(40, 3))
    net = Network((relu_layer(rows[:, :2].tolist(), rows[:, 2].tolist()),))
    run, graph = _graph(net, pr.Box(-1, 1))
    _sound(run, graph)
    lines = [tuple(int(v) for v in row) for row in rows]
    walls = [(1, 0, 1), (1, 0, -1), (0, 1, 1), (0, 1, -1)]
    points = set()
    for (a, b, c), (p, q, r) in combinations([*lines, *walls], 2):
        det = a * q - b * p
        if det == 0:
            continue
        point = Fraction(b * r - c * q, det), Fraction(c * p - a * r, det)
        if max(map(abs, point)) <= 1:
            points.add(point)
    edges = graph.edges + graph.closure.wall_facets
    assert len(points) - edges + run.count == 1


@pytest.mark.parametrize("widths", [[2, 9, 8, 7], [3, 7, 6, 5]])
def test_no_linear_program_in_general_position(widths: list[int]) -> None:
    rng = np.random.default_rng(0)
    shapes = list(zip([*widths[1:], 1], widths, strict=True))
    net = Network.from_arrays(
        [rng.normal(size=shape) for shape in shapes], [rng.normal(size=m) / 4 for m, _ in shapes]
    )
    run, graph = _graph(net, pr.Box(-1, 1))
    _sound(run, graph)
    assert graph.statistics["lps"] == 0
    assert not graph.statistics["open"]


@pytest.mark.parametrize("n", [2, 3])
def test_hyperplanes_through_corners_and_walls(n: int) -> None:
    """Where no vertex is simple every facet needs another proof."""
    rows = [[1] * n, [1, *[-1] * (n - 1)], [*[0] * (n - 1), 1], [*[0] * (n - 1), 2], [1, 1, 0][:n]]
    net = Network((relu_layer(rows, [n, n - 2, 1, 0, 1]),))
    _agrees(net, box([-1] * n, [1] * n))
