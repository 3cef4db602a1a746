"""Deletion and restriction: published numbers, and the intersection lattice of the tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polyrank as pr
from polyrank.cells.characteristic import applies, arrangement_regions, first_layer_planes
from polyrank.lp.deadline import OutOfTimeError, time_limit
from polyrank.network.normal_form import Network
from polyrank.posed.section import chart_for
from tests.families import DOCTESTS, FAMILIES, GRAPHS, Arrangement, graphical


def _count(network: Network, domain: Any = None) -> int:
    where = chart_for(network, domain or pr.WholeSpace())
    return arrangement_regions(first_layer_planes(network, where), where.k)


CASES = {
    **{
        f"{name} {n}": (f.build(n), c) for name, f in FAMILIES.items() for n, c in f.regions.items()
    },
    **{name: (graphical(n, edges), count) for name, (n, edges, count) in GRAPHS.items()},
    **DOCTESTS,
}


@pytest.mark.parametrize("name", CASES)
def test_published_numbers(name: str) -> None:
    arrangement, published = CASES[name]
    assert _count(arrangement.network()) == published


@pytest.mark.slow
def test_threshold_functions_of_six_variables() -> None:
    """OEIS A000609: 15,028,134, by an independent method in seconds."""
    assert _count(FAMILIES["threshold_functions"].build(6).network()) == 15_028_134


def test_degenerate_rows() -> None:
    """Zero rows, repeated and opposite hyperplanes, parallel ones; scales far apart."""
    net = Arrangement(
        ((0, 0), (1, 0), (-2, 0), (1, 0), (0, 2**-60), (0, 2**60), (0, 0)),
        (1, 1, -2, 3, 0, 2**60, 0),
    ).network()
    # x = 1 (twice), x = 3; y = 0, y = 1
    assert _count(net) == 9
    assert _count(pr.Network.from_arrays([np.zeros((2, 3))], [[1.0, 0.0]], output_relu=True)) == 1


def test_where_it_applies() -> None:
    deep = pr.Network.from_arrays([np.eye(2), np.eye(2)], [[0, 0], [1, 1]], output_relu=True)
    flat = pr.Network.from_arrays([np.eye(2), np.eye(2)], [[0, 0], [1, 1]])
    whole, box = chart_for(deep, pr.WholeSpace()), chart_for(deep, pr.Box(-1, 1))
    assert not applies(deep, whole, 2)
    assert applies(deep, whole, 1)
    assert applies(flat, whole, 2)
    assert not applies(flat, box, 2)


def test_a_limit_of_time() -> None:
    net = FAMILIES["resonance"].build(6).network()
    where = chart_for(net, pr.WholeSpace())
    with pytest.raises(OutOfTimeError), time_limit(0.0):
        arrangement_regions(first_layer_planes(net, where), where.k)


def test_a_line_through_an_arrangement() -> None:
    """On a slice: the arrangement that the slice's coordinates see."""
    net = FAMILIES["catalan"].build(3).network()
    line = pr.Slice([0, 0, 1], [[1], [3], [0]])
    where = chart_for(net, line)
    assert arrangement_regions(first_layer_planes(net, where), 1) == len(
        {tuple(w) for c in pr.enumerate_regions(net, line).codewords() for w in c}
    )
