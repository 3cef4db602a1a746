"""Slices through points: equal to direct enumeration, with the ambient ranks beside them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import polyrank as pr
from polyrank.errors import DomainError, NetworkError, RunError
from polyrank.network.forward import affine_map
from polyrank.network.normal_form import Network
from polyrank.sampling.slices import ambient_ranks, chosen_points, slice_through
from tests.strategies import realistic_network

NET = realistic_network("integer", (5, 8, 6, 2), 3)
POINTS = np.random.default_rng(0).uniform(-2, 2, (4, 5)).round(2)


def _words(run) -> list[bytes]:
    return sorted(v.as_py() for v in run.table.column("codeword"))


@pytest.mark.parametrize("rows", [[0, 1], [2, 0, 3]])
def test_equals_direct_enumeration(rows):
    points = chosen_points(POINTS, rows)
    edges = (points[1:] - points[0]).T  # not exact; the domains below are
    assert edges.shape == (5, len(rows) - 1)
    run = pr.enumerate_regions(NET, slice_through(points))
    assert _words(run) == _words(pr.enumerate_regions(NET, pr.Simplex(points)))
    whole = pr.enumerate_regions(NET, slice_through(points, extended=True))
    assert set(_words(run)) <= set(_words(whole))


def test_ambient_ranks_are_those_of_the_full_map():
    run = pr.enumerate_regions(NET, slice_through(POINTS[:3]))
    found = ambient_ranks(run, NET)
    table = found.table()
    assert table.num_rows == run.count
    assert found.ranks.exact
    for row, word in enumerate(run.table.column("codeword")):
        packed = np.frombuffer(word.as_py(), np.uint8)
        for k in (1, 2, 3):
            rank = int(affine_map(NET, packed, k)[0].rank())
            assert table.column(f"ambient_rank_{k}_lower")[row].as_py() == rank
            assert run.table.column(f"rank_{k}")[row].as_py() <= rank
    assert sum(found.histogram(1).values()) == run.count


def test_a_slice_inside_a_hyperplane_says_so():
    net = Network.from_arrays([[[1.0, 0.0], [0.0, 1.0]]], [[0.0, 0.0]], output_relu=True)
    run = pr.enumerate_regions(net, slice_through(np.array([[0.0, -1.0], [0.0, 1.0]])))
    assert ambient_ranks(run, net).in_hyperplane.tolist() == [True, True]
    run = pr.enumerate_regions(net, slice_through(np.array([[1.0, -1.0], [1.0, 1.0]])))
    assert ambient_ranks(run, net).in_hyperplane.tolist() == [False, False]


def test_refusals():
    with pytest.raises(DomainError, match="2 or 3 points, got 4"):
        chosen_points(POINTS, None)
    with pytest.raises(DomainError, match="no row 9"):
        chosen_points(POINTS, [0, 9])
    with pytest.raises(DomainError, match="not finite"):
        chosen_points(np.array([[0.0], [np.nan]]), None)
    for extended in (False, True):
        with pytest.raises(DomainError, match="dependent"):
            slice_through(POINTS[[0, 0]], extended=extended)
    for wrong, why in (
        (np.zeros((2, 3)), "5 inputs"),
        ([[0.0], [1.0, 2.0]], "rows of equal length"),
        ([["1/3"] * 5], "dtype <U3 and shape"),
        ([[Fraction(1, 3)] * 5], "dtype object"),
        (np.zeros((2, 5, 1)), r"shape \(2, 5, 1\)"),
    ):
        with pytest.raises(NetworkError, match=why):
            pr.slice(NET, wrong)
    run = pr.enumerate_regions(NET, slice_through(POINTS[:2]))
    with pytest.raises(RunError, match="not that of the run"):
        ambient_ranks(run, realistic_network("dead", (5, 8, 6, 2), 3))
