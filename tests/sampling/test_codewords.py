"""Certified codewords against exact arithmetic: near, on and far from hyperplanes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.errors import NetworkError
from polyrank.network.forward import codeword_exact, pack_bits
from polyrank.network.normal_form import Network, relu_layer
from polyrank.network.rational import RationalArray
from polyrank.sampling.codewords import CodewordFilter, restricted_network
from tests.oracles import bits_at, exact_layers, regions_by_generators, restrict
from tests.strategies import degenerate_networks, realistic_network

_NEAR = [0.0, 1e-9, -1e-12, 2.0**-52, -(2.0**-53), 2.0**-200]


@st.composite
def _cases(draw: st.DrawFn) -> tuple[Network, list[list[float]]]:
    """A degenerate network and floats on, beside and away from its hyperplanes."""
    network = draw(degenerate_networks(max_inputs=3, max_bits=9))
    coordinate = st.builds(
        lambda k, gap: k / 2 + gap, st.integers(-4, 4), st.sampled_from(_NEAR)
    ) | st.floats(-3, 3)
    points = draw(
        st.lists(
            st.lists(coordinate, min_size=network.input_dim, max_size=network.input_dim),
            min_size=1,
            max_size=6,
        )
    )
    return network, points


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@settings(max_examples=60)
@given(case=_cases())
def test_codewords_are_those_of_exact_arithmetic(dtype, case):
    network, points = case
    found = CodewordFilter(network, dtype).certify(np.array(points))
    layers = exact_layers(network)
    for row, point in enumerate(points):
        bits, _ = bits_at(layers, tuple(Fraction(v) for v in point))
        assert (pack_bits(np.array(bits, bool)) == found.packed[row]).all()


@settings(max_examples=40)
@given(case=_cases())
def test_a_point_is_on_a_hyperplane_iff_it_is_in_no_open_region(case):
    network, points = case
    found = CodewordFilter(network).certify(np.array(points))
    regions = regions_by_generators(network)
    for row, point in enumerate(points):
        exact = codeword_exact(network, [Fraction(v) for v in point])
        region = regions.get(tuple(int(v) for v in exact.bits))
        inside = region is not None and region.signs == tuple(exact.sign_vector.tolist())
        assert found.on_hyperplane[row] == (not inside)


def test_a_float_pass_on_the_wrong_side_is_corrected():
    # z = (x + 2^60) − 2^60 through two layers: float64 absorbs x = 1, the exact sign is +
    net = Network.from_arrays([[[1.0]], [[1.0]]], [[2.0**60], [-(2.0**60)]], output_relu=True)
    found = CodewordFilter(net).certify(np.array([[1.0], [-1.0], [0.0], [2.0**30]]))
    assert found.packed[:, 0].tolist() == [3, 1, 1, 3]
    assert found.on_hyperplane.tolist() == [False, False, True, False]
    assert found.corrected_bits == 1
    assert found.exact_points == 3


def test_float32_that_cannot_hold_the_point_goes_on_to_float64():
    net = Network.from_arrays([[[1.0]]], [[-1.0]], output_relu=True)
    points = np.array([[1 + 2.0**-40], [1 - 2.0**-40], [3e300], [-3e300]])
    found = CodewordFilter(net, np.float32).certify(points)
    assert found.packed[:, 0].tolist() == [1, 0, 1, 0]
    assert found.exact_points == 0
    assert found.corrected_bits == 1  # 1 + 2^-40 rounds to 1 in float32


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_overflow_and_underflow_are_left_to_integers(dtype):
    net = Network.from_arrays(
        [[[2.0**600], [2.0**-600]], [[2.0**600, -(2.0**600)], [2.0**-600, 0.0]]],
        [[0.0, 0.0], [0.0, 0.0]],
        output_relu=True,
    )
    found = CodewordFilter(net, dtype).certify(np.array([[2.0**-100], [-(2.0**-100)]]))
    assert found.packed[:, 0].tolist() == [0b1111, 0]
    assert not found.on_hyperplane.any()


def test_dead_units_are_no_hyperplanes():
    net = Network.from_arrays(
        [[[1.0], [0.0]], [[-1.0, 1.0], [0.0, 3.0]]], [[-1.0, 0.0], [0.0, 0.0]], output_relu=True
    )
    # left of 1 the first layer is 0, and so are both units of the second, identically
    found = CodewordFilter(net).certify(np.array([[0.0], [1.0], [2.0]]))
    assert found.packed[:, 0].tolist() == [0, 0, 1]
    assert found.on_hyperplane.tolist() == [False, True, False]
    assert found.exact_points == 1  # x = 1 only


@pytest.mark.parametrize("kind", ["integer", "quantised", "bias-free", "dead"])
def test_blocks_are_one_batch(kind):
    net = realistic_network(kind, (3, 8, 8, 2), 5)
    points = np.round(np.random.default_rng(0).uniform(-2, 2, (100, 3)) * 4) / 4
    whole = CodewordFilter(net).certify(points)
    parts = list(CodewordFilter(net).blocks(points, block=7))
    assert [p.start for p in parts] == list(range(0, 100, 7))
    assert (np.concatenate([p.packed for p in parts]) == whole.packed).all()
    assert (np.concatenate([p.on_hyperplane for p in parts]) == whole.on_hyperplane).all()
    for point, word in zip(points[::10], whole.packed[::10], strict=True):
        assert (codeword_exact(net, point.tolist()).packed == word).all()


def test_restricted_network_is_the_network_on_the_slice():
    net = realistic_network("pruned", (3, 5, 4, 2), 1)
    layers = exact_layers(net)
    from flint import fmpq, fmpq_mat

    origin = fmpq_mat(3, 1, [fmpq(1, 3), fmpq(0), fmpq(-2)])
    basis = fmpq_mat(3, 2, [fmpq(v) for v in (1, 0, 1, 2, 0, fmpq(1, 7))])
    found = exact_layers(restricted_network(net, origin, basis))
    as_fractions = [Fraction(int(v.p), int(v.q)) for v in basis.entries()]
    rows = tuple(tuple(as_fractions[2 * i : 2 * i + 2]) for i in range(3))
    assert found == restrict(layers, (Fraction(1, 3), Fraction(0), Fraction(-2)), rows)
    identity = fmpq_mat([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert restricted_network(net, fmpq_mat(3, 1), identity) is net


def test_refusals():
    net = Network.from_arrays([[[1.0, 1.0]]], [[0.0]], output_relu=True)
    with pytest.raises(NetworkError, match="float16"):
        CodewordFilter(net, np.float16)
    with pytest.raises(NetworkError, match=r"expected \(N, 2\)"):
        list(CodewordFilter(net).blocks(np.zeros((3, 3))))
    with pytest.raises(NetworkError, match="point 7 is not finite"):
        CodewordFilter(net).certify(np.array([[0.0, 1.0], [np.nan, 0.0]]), start=6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_entries_that_are_zero_add_no_term_to_a_bound(dtype):
    """The error analysis counts the entries that are not zero, in the bounds of sums too."""
    third, smallest = Fraction(1, 3), Fraction(1, 2**1200)
    rows = [[third, Fraction(0), smallest], [Fraction(0), third, Fraction(0)]]
    weight = RationalArray.from_rationals([v for row in rows for v in row], (2, 3))
    layer = relu_layer(weight, RationalArray.from_rationals([Fraction(0)] * 2, (2,)))
    for _, (step,) in CodewordFilter(Network((layer,)), dtype)._rungs:
        assert not step.exact
        assert ((step.bound != 0) == weight.nonzero.T).all()
