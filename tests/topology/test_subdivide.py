"""The subdivision of a manifold against rational arithmetic, one simplex at a time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.chains.chain import ChainComplex
from polyrank.errors import DomainError
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray
from polyrank.topology.manifold import Manifold, build_manifold
from polyrank.topology.subdivide import Subdivision, subdivide
from tests.strategies import degenerate_networks
from tests.topology.exact_subdivision import glued_cells


def random_network(*widths: int, seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    pairs = list(pairwise(widths))
    weights = [rng.normal(size=(b, a)) for a, b in pairs]
    return Network.from_arrays(weights, [0.3 * rng.normal(size=b) for _, b in pairs])


def vertex_sets(complex_: ChainComplex) -> list[list[set[int]]]:
    """The vertices of every cell, from the incidences."""
    out = [[{i} for i in range(complex_.cells[0])]]
    for d, matrix in enumerate(complex_.boundary, start=1):
        spans = [
            matrix.indices[matrix.indptr[j] : matrix.indptr[j + 1]].tolist()
            for j in range(complex_.cells[d])
        ]
        out.append([set().union(*(out[-1][r] for r in span)) for span in spans])
    return out


def check_against_oracle(network: Network, manifold: Manifold) -> Subdivision:
    sub = subdivide(network, manifold)
    complex_ = sub.complex  # checks that the boundary of a boundary is 0
    want = glued_cells(network, manifold)
    found = {}
    for d, signs in enumerate(sub.signs):
        for i, (sign, (cd, ci)) in enumerate(
            zip(signs.tolist(), sub.carrier[d].tolist(), strict=True)
        ):
            key = frozenset(manifold.simplices[cd][ci].tolist()), tuple(sign)
            assert key not in found, "a cell is listed twice"
            found[key] = d, i
    assert set(found) == set(want)
    vertices = vertex_sets(complex_)
    for key, (d, i) in found.items():
        assert want[key].dimension == d
        exact = {tuple(sub.vertices.exact_point(v)) for v in vertices[d][i]}
        assert exact == want[key].vertices
    assert complex_.euler_characteristic == manifold.complex.euler_characteristic
    return sub


CHAIN = [[[0, 1], [1, 2], [2, 3], [3, 0]]]
STRIP = [[[0, 1, 2], [1, 2, 3]]]
SOLID = [[[0, 1, 2, 3], [1, 2, 3, 4]]]
SQUARE = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
TETRAHEDRA = [[0.0] * 3, [1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [1.0, 1.0, 1.0]]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("widths", "points", "facets"),
    [
        ((2, 5, 4, 1), SQUARE, CHAIN),
        ((2, 4, 3, 1), SQUARE, STRIP),
        ((3, 3, 3, 2), TETRAHEDRA, SOLID),
        ((3, 4, 2), TETRAHEDRA, [[[0, 1, 2, 3]], [[3, 4]]]),
    ],
    ids=["curve", "surface", "solid", "mixed"],
)
def test_generic_networks(widths, points, facets, seed):
    check_against_oracle(random_network(*widths, seed=seed), build_manifold(points, facets))


@st.composite
def small_manifolds(draw: st.DrawFn, n: int) -> Manifold:
    """Simplices with half-integer vertices, which hyperplanes through lattice points touch."""
    k = draw(st.integers(1, min(n, 3 if n < 4 else 2)))
    half = st.integers(-3, 3).map(lambda v: v / 2)
    base = [draw(half) for _ in range(n)]
    steps = [
        [draw(st.sampled_from([1.0, -1.0, 0.5])) * (i == j) for j in range(n)] for i in range(k)
    ]
    corners = [base, *([b + s for b, s in zip(base, step, strict=True)] for step in steps)]
    far = 2 if k == 1 else 1
    opposite = [b + far * sum(s[j] for s in steps) for j, b in enumerate(base)]
    facets = [list(range(k + 1))]
    if draw(st.booleans()):
        corners.append(opposite)
        facets.append([*range(1, k + 1), k + 1])
    return build_manifold(corners, [facets])


@settings(max_examples=40)
@given(st.data())
def test_degenerate_networks(data):
    network = data.draw(degenerate_networks(max_inputs=3, max_bits=9))
    check_against_oracle(network, data.draw(small_manifolds(network.input_dim)))


def test_a_unit_that_vanishes_on_a_cell_cuts_nothing():
    """relu(x) on the segments of the cross: zero on the vertical one, in all of its points."""
    net = Network.from_arrays([[[1.0, 0.0]], [[1.0]]], [[0.0], [0.0]])
    cross = build_manifold(
        [[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], [[[0, 1], [0, 2], [0, 3]]]
    )
    sub = check_against_oracle(net, cross)
    assert sub.complex.cells == (4, 3)
    assert sorted(sub.signs[1].ravel().tolist()) == [-1, 0, 1]


def test_rational_points_and_slopes():
    net = Network.from_arrays(
        [[[1.0, 2.0], [1.0, -1.0]], [[1.0, 1.0]]], [[0, 0], [-1]], slope="1/3"
    )
    points = RationalArray.from_rationals(["0", "0", "2/3", "-1/3", "1/7", "1"], (3, 2))
    sub = check_against_oracle(net, build_manifold(points, [[[0, 1, 2]]]))
    # x + 2 y vanishes at (0, 0) and at (2/3, -1/3): on the whole edge
    edge = sub.carrier[1].tolist().index([1, 0])
    assert sub.signs[1][edge, 0] == 0


def tight_cuts() -> Network:
    """relu(x − 1) and relu(2^70 (x − 1) − 1): two cuts, 2^-70 apart."""
    bias = RationalArray.from_rationals(["-1", str(-(2**70) - 1)], (2,))
    shape = Network.from_arrays([[[1.0], [2.0**70]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    first = shape.layers[0]
    return Network((Layer(first.weight, bias, first.slope_neg, first.slope_pos), shape.layers[1]))


def test_a_cell_far_below_the_float_resolution():
    sub = check_against_oracle(tight_cuts(), build_manifold([[0.0], [2.0]], [[[0, 1]]]))
    assert sub.complex.cells == (4, 3)
    assert sub.vertices.exact_decisions > 0
    positions = sorted(sub.vertices.exact_point(v)[0] for v in range(4))
    assert positions[2] - positions[1] == fmpq(1, 2**70)


def test_products_that_underflow_are_not_zero():
    """relu(2^-450 x) three times: 2^-1350 x is no float64, but its sign is that of x."""
    small = [[2.0**-450]]
    net = Network.from_arrays([small, small, small], [[0.0]] * 3, output_relu=True)
    sub = check_against_oracle(net, build_manifold([[-1.0], [1.0]], [[[0, 1]]]))
    assert sorted(sub.signs[1].tolist()) == [[-1, 0, 0], [1, 1, 1]]


def test_values_that_overflow_are_decided_in_rationals():
    large = [[2.0**450]]
    net = Network.from_arrays([large, large, large], [[0.0], [0.0], [-1.0]], output_relu=True)
    sub = check_against_oracle(net, build_manifold([[-1.0], [1.0]], [[[0, 1]]]))
    assert sub.complex.cells == (4, 3)


def test_rational_biases_of_dead_layers():
    """1/3 and 0 as biases behind a dead layer: signs by the bias alone."""
    first = Network.from_arrays([[[1.0]], [[1.0], [1.0]]], [[-5.0], [0.0, 0.0]], output_relu=True)
    bias = RationalArray.from_rationals(["-1/3", "0"], (2,))
    last = first.layers[1]
    net = Network((first.layers[0], Layer(last.weight, bias, last.slope_neg, last.slope_pos)))
    sub = check_against_oracle(net, build_manifold([[-1.0], [1.0]], [[[0, 1]]]))
    assert sub.signs[1].tolist() == [[-1, -1, 0]]


def test_through_layer_stops_there():
    net = random_network(2, 4, 4, 1, seed=1)
    square = build_manifold(SQUARE, STRIP)
    first = Network(net.layers[:1])
    assert (
        subdivide(net, square, through_layer=1).complex.cells
        == subdivide(first, square).complex.cells
    )


def test_a_four_dimensional_simplex_is_no_harder():
    """k = 4: only the chain complex is checked, ∂∂ = 0 and Euler characteristic 1."""
    simplex = build_manifold(np.vstack([np.zeros(4), np.eye(4)]), [[[0, 1, 2, 3, 4]]])
    sub = subdivide(random_network(4, 5, 3, 1, seed=2), simplex)
    assert sub.complex.cells[4] > 1
    assert sub.complex.euler_characteristic == 1


def test_progress_counts_the_units():
    seen = []
    subdivide(
        random_network(2, 3, 2, 1),
        build_manifold(SQUARE, STRIP),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(i, 5) for i in range(1, 6)]


def test_wrong_dimension_is_refused():
    with pytest.raises(DomainError, match=r"lies in R\^2, but the network takes 3 inputs"):
        subdivide(random_network(3, 2, 1), build_manifold(SQUARE, STRIP))
