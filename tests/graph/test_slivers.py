"""Lines through a point that are closer to each other than rounding tells apart.

m different lines through a point of the plane have 2m sectors, and the graph of the sectors is one
cycle. In R^n, n > 2, with a linear space along which nothing changes, it is the same. With further
hyperplanes x_k = 0 it is the product with a cube.
"""

from __future__ import annotations

from fractions import Fraction

import networkx as nx
import numpy as np
import pytest

import polyrank as pr
from polyrank.graph.build import region_graph
from polyrank.graph.region_graph import RegionGraph
from polyrank.network.normal_form import Network, relu_layer

SPACES = [None, pr.Box(-1, 1), pr.Box(-(2.0**-300), 2.0**-300)]


def graph_of(rows: np.ndarray, domain: pr.Box | None) -> RegionGraph:
    net = Network((relu_layer(rows, np.zeros(len(rows))),))
    run = pr.enumerate_regions(net, domain, jobs=1)
    assert run.certified
    graph = region_graph(run, net)
    assert graph.closure.closed
    return graph


def edges(graph: RegionGraph) -> nx.Graph:
    out = nx.Graph()
    out.add_edges_from(zip(graph.source.tolist(), graph.target.tolist(), strict=True))
    return out


def close_lines(rng: np.random.Generator, m: int) -> np.ndarray:
    """Lines whose slopes differ in the last bits, and some others."""
    slopes = set()
    while len(slopes) < m:
        base = float(rng.choice([1.0, 1.0, -1.0, 0.5, 3.0]))
        slopes.add(
            base * (1.0 + int(rng.integers(0, 5)) * 2.0 ** -int(rng.choice([52, 51, 40, 3])))
        )
    rows = np.array([[1.0, slope] for slope in slopes]) * rng.choice([-1.0, 1.0], (m, 1))
    # the same lines: powers of two are exact
    return rows * np.ldexp(1.0, rng.integers(-40, 40, (m, 1)))


@pytest.mark.parametrize("domain", SPACES, ids=["plane", "box", "small box"])
@pytest.mark.parametrize("exponent", [52, 51, 48, 44, 40, 30, 10])
def test_a_sector_between_two_lines(exponent: int, domain: pr.Box | None) -> None:
    rows = np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, 1.0 + 2.0**-exponent]])
    assert nx.is_isomorphic(edges(graph_of(rows, domain)), nx.cycle_graph(6))


@pytest.mark.parametrize("domain", SPACES[:2], ids=["plane", "box"])
@pytest.mark.parametrize("seed", range(12))
def test_many_lines_through_a_point(seed: int, domain: pr.Box | None) -> None:
    rng = np.random.default_rng(seed)
    rows = close_lines(rng, int(rng.integers(3, 9)))
    lines = {Fraction(b) / Fraction(a) for a, b in rows.tolist()}
    assert len(lines) == len(rows)
    assert nx.is_isomorphic(edges(graph_of(rows, domain)), nx.cycle_graph(2 * len(rows)))


@pytest.mark.parametrize("seed", range(6))
def test_planes_through_a_line_and_others_across(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    lines = close_lines(rng, int(rng.integers(3, 6)))
    across = int(rng.integers(1, 3))
    rows = np.zeros((len(lines) + across, 2 + across))
    rows[: len(lines), :2] = lines
    rows[len(lines) :, 2:] = np.eye(across)
    wanted = nx.cycle_graph(2 * len(lines))
    for _ in range(across):
        wanted = nx.cartesian_product(wanted, nx.path_graph(2))
    assert nx.is_isomorphic(edges(graph_of(rows, None)), wanted)


@pytest.mark.parametrize("seed", range(4))
def test_a_linear_space_along_which_nothing_changes(seed: int) -> None:
    rng = np.random.default_rng(200 + seed)
    lines = close_lines(rng, 4)
    rows = np.zeros((4, 5))
    rows[:, 1], rows[:, 4] = lines.T
    assert nx.is_isomorphic(edges(graph_of(rows, None)), nx.cycle_graph(8))
