"""Gradients, maxima and pairs of networks against hand computations and brute force."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings

import polyrank as pr
from polyrank.errors import EmptyDomainError, NetworkError, UnsupportedError
from polyrank.network.forward import affine_map, codeword_exact, forward_exact
from polyrank.network.initialise import random_network
from polyrank.network.rational import fmpq_from_float
from polyrank.proof.format import NotDecidedError
from polyrank.proof.function import check_function
from polyrank.verification.gradients import lipschitz, monotone
from polyrank.verification.maximum import greatest
from polyrank.verification.pair import difference_network, same_function
from tests.oracles import affine_maps, box_rows, exact_layers, regions_by_generators
from tests.strategies import degenerate_networks, permuted, scaled
from tests.verification.vertices import extremes


def _exact(value: Fraction) -> fmpq:
    return fmpq(value.numerator, value.denominator)


def _jacobians(network):
    n = network.input_dim
    layers = exact_layers(network)
    rows = box_rows([-1] * n, [1] * n)
    for region in regions_by_generators(network, rows).values():
        yield [row[:n] for row in affine_maps(layers, region.bits, n)[-1]]


@settings(max_examples=25, deadline=None)
@given(degenerate_networks(max_inputs=3, max_hidden=2, max_bits=6))
def test_gradients_against_brute_force(network):
    domain = pr.Box(-1, 1)
    maps = list(_jacobians(network))
    rows = max(sum(abs(v) for v in row) for J in maps for row in J)
    columns = max(sum(abs(v) for v in column) for J in maps for column in zip(*J, strict=True))
    for norm, value in (("inf", rows), ("1", columns)):
        found = lipschitz(network, domain, norm, jobs=1)
        assert found.lower == found.upper == _exact(value)
    spectral = lipschitz(network, domain, "2", jobs=1)
    assert spectral.lower <= spectral.upper
    # ‖J‖∞ ‖J‖₁ ≥ ‖J‖₂² ≥ the square of every entry
    entries = max(abs(v) for J in maps for row in J for v in row)
    assert _exact(entries) ** 2 <= spectral.upper
    assert spectral.lower <= _exact(max(rows, columns)) ** 2
    for i in range(network.input_dim):
        found = monotone(network, domain, input_=i, output=0, jobs=1)
        assert found.holds == all(J[0][i] >= 0 for J in maps)
        if not found.holds:
            a, b = found.points
            assert [v for j, v in enumerate(a) if j != i] == [v for j, v in enumerate(b) if j != i]
            assert a[i] < b[i]
            assert all(-1 <= v <= 1 for v in (*a, *b))
            assert forward_exact(network, b)[0] < forward_exact(network, a)[0]


def test_the_spectral_norm_of_a_rotation_and_scaling():
    # relu keeps x > 0 only: J is diag(3, 4) scaled by (1, 1) there, norm 4; of [[3, 4]] it is 5
    network = pr.Network.from_arrays([[[1.0, 0.0], [0.0, 1.0]], [[3.0, 4.0]]], [[0.0, 0.0], [0.0]])
    found = lipschitz(network, pr.Box(-1, 1), "2")
    assert found.lower <= 25 <= found.upper
    assert found.upper - found.lower < fmpq(1, 10**9)


@settings(max_examples=15, deadline=None)
@given(degenerate_networks(max_inputs=2, max_hidden=2, max_bits=5))
def test_maxima_against_brute_force(network):
    d = network.input_dim
    least, most = extremes(network, (Fraction(-1),) * d, (Fraction(1),) * d)[0]
    for weight, value in ((1, most), (-1, -least)):
        weights = [weight, *[0] * (network.widths[-1] - 1)]
        found = greatest(network, pr.Box(-1, 1), weights, jobs=1)
        assert found.certified
        assert found.value == _exact(value)
        assert weight * forward_exact(network, found.x)[0] == found.value


def _random(seed: int, *widths: int) -> pr.Network:
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(b, a)) for a, b in pairwise(widths)]
    return pr.Network.from_arrays(weights, [rng.normal(size=len(w)) for w in weights])


def test_rewritten_networks_are_the_same_function():
    network = _random(0, 2, 6, 5, 2)
    order = [[3, 1, 0, 5, 4, 2], [4, 3, 2, 1, 0]]
    other = scaled(permuted(network, order), [[Fraction(3)] * 6, [Fraction(1, 7)] * 5])
    assert same_function(network, other, pr.Box(-2, 2)).same
    assert same_function(network, other, pr.WholeSpace()).same
    zero = greatest(difference_network(network, network), pr.Box(-1, 1), [1, 0], seconds=1)
    assert zero.value == 0


@pytest.mark.parametrize("slopes", [(1.0, 3.0), (3.0, 1.0)])
@pytest.mark.parametrize("norm", ["1", "2", "inf"])
def test_a_constant_whose_square_is_no_float(slopes, norm):
    """1e140 |s x| with another slope s on each side; the squares are above 1.8e308."""
    network = pr.Network.from_arrays(
        [[[1e140], [-1e140]], [[1e140 * s for s in slopes]]], [[0.0, 0.0], [0.0]]
    )
    found = lipschitz(network, pr.Box(-1, 1), norm)
    greatest_slope = _exact(Fraction(1e140) * max(Fraction(1e140 * s) for s in slopes))
    constant = greatest_slope**2 if norm == "2" else greatest_slope
    assert found.lower <= constant <= found.upper
    assert found.lower * (1 + fmpq(1, 10**6)) >= constant


def test_a_hidden_difference_is_found():
    """The second network adds a bump of width 2⁻¹⁹ at a point; elsewhere the two are equal."""
    one = pr.Network.from_arrays([[[1.0]], [[1.0]]], [[0.0], [0.0]])
    s = 2.0**20
    two = pr.Network.from_arrays(
        [[[1.0], [s], [s], [s]], [[1.0, 1.0, -2.0, 1.0]]],
        [[0.0, -0.3 * s, -0.3 * s - 1, -0.3 * s - 2], [0.0]],
    )
    domain = pr.Box(-1, 1)
    found = same_function(one, two, domain)
    assert not found.same
    assert found.outputs[0] != found.outputs[1]
    assert -1 <= found.point[0] <= 1
    bump = greatest(difference_network(two, one), domain, [1])
    assert bump.certified
    assert bump.value == 1
    assert same_function(one, two, pr.Box(-1, "0.29")).same


def test_networks_that_differ_at_once_list_no_regions(tmp_path):
    """The middle of the domain shows it; the statement is checked as any other."""
    one, two = (random_network([6, 30, 30, 1], seed=s) for s in (0, 1))
    found = same_function(one, two, pr.Box(-1, 1), out=tmp_path / "v", proof=True)
    assert not found.same
    assert found.regions == 0
    assert found.outputs[0] != found.outputs[1]
    assert check_function(tmp_path / "v").verdict == "violated"


def test_networks_of_different_depth():
    one = pr.Network.from_arrays([[[2.0]]], [[1.0]])  # 2 x + 1 on x ≥ 0
    two = pr.Network.from_arrays([[[1.0], [-1.0]], [[2.0, -2.0]]], [[0.0, 0.0], [1.0]])
    assert same_function(one, two, pr.Box(-1, 1)).same
    with pytest.raises(NetworkError, match="only functions of one shape"):
        difference_network(one, _random(1, 2, 3, 1))


def test_refusals():
    network = _random(2, 2, 4, 1)
    with pytest.raises(UnsupportedError, match="not flat"):
        lipschitz(network, pr.Box([0, 1], [1, 1]))
    with pytest.raises(UnsupportedError, match="the norm is"):
        lipschitz(network, pr.Box(0, 1), "3")
    with pytest.raises(UnsupportedError, match="no input 2"):
        monotone(network, pr.Box(0, 1), input_=2, output=0)
    with pytest.raises(UnsupportedError, match="unbounded"):
        greatest(network, pr.WholeSpace(), [1])
    with pytest.raises(EmptyDomainError):
        greatest(network, pr.Polytope([[1, 0], [-1, 0]], [0, -1]), [1])


def test_a_time_limit_leaves_an_interval_or_unknown(tmp_path):
    """Slopes at known points lie in the interval; what is open is neither proved nor refuted."""
    net = random_network([6, 30, 30, 1], seed=0)
    box = pr.Box(-1, 1)
    points = np.random.default_rng(0).integers(-64, 65, (20, 6)) / 64
    maps = [affine_map(net, codeword_exact(net, [fmpq_from_float(v) for v in x]).bits)[0]
            for x in points]  # fmt: skip
    slopes = [[abs(v) for v in J.entries()] for J in maps]
    for number, (norm, value) in enumerate(
        [
            ("1", max(max(row) for row in slopes)),  # one output: the greatest column
            ("inf", max(sum(row) for row in slopes)),
            ("2", max(sum(v * v for v in row) for row in slopes)),
        ]
    ):
        out = tmp_path / str(number)
        found = lipschitz(net, box, norm, seconds=0, jobs=1, out=out, proof=True)
        assert not found.complete
        assert 0 <= found.lower <= found.upper
        assert value <= found.upper
        with pytest.raises(NotDecidedError, match="unknown"):
            check_function(out)
        J = affine_map(net, codeword_exact(net, found.witness).bits)[0]
        there = [abs(v) for v in J.entries()]
        of = {"1": max(there), "inf": sum(there), "2": sum(v * v for v in there)}[norm]
        assert found.lower <= of
    found = monotone(net, box, input_=0, output=0, seconds=0, jobs=1, out=tmp_path / "m")
    if found.holds is None:
        with pytest.raises(NotDecidedError, match="unknown"):
            check_function(tmp_path / "m")
    else:
        assert not found.holds
        assert check_function(tmp_path / "m").verdict == "violated"
    same = same_function(net, net, box, seconds=0, jobs=1, out=tmp_path / "e")
    assert same.same is None
    with pytest.raises(NotDecidedError, match="unknown"):
        check_function(tmp_path / "e")
