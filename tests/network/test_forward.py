from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given
from hypothesis import strategies as st

import polyrank.network.forward as module
from polyrank.errors import NetworkError
from polyrank.network.forward import (
    affine_map,
    codeword_exact,
    codewords,
    forward,
    forward_exact,
    pack_bits,
    unpack_bits,
)
from polyrank.network.normal_form import Network
from tests.network.strategies import dyadic_slopes, fractions, networks


def by_definition(network, x):
    """Per layer (z, h) in Python fractions: the definition of the normal form, written out."""
    h = [Fraction(v) for v in x]
    trace = []
    for layer in network.layers:
        entries = [Fraction(int(v.p), int(v.q)) for v in layer.weight.entries()]
        bias = [Fraction(int(v.p), int(v.q)) for v in layer.bias.entries()]
        neg = [Fraction(int(v.p), int(v.q)) for v in layer.slope_neg.entries()]
        pos = [Fraction(int(v.p), int(v.q)) for v in layer.slope_pos.entries()]
        n = layer.inputs
        z = [
            sum(w * v for w, v in zip(entries[i * n : i * n + n], h, strict=True)) + bias[i]
            for i in range(layer.units)
        ]
        h = [(pos[i] if v > 0 else neg[i]) * v for i, v in enumerate(z)]
        trace.append((z, h))
    return trace


@st.composite
def cases(draw):
    net = draw(networks())
    return net, draw(st.lists(fractions, min_size=net.input_dim, max_size=net.input_dim))


def to_fraction(v):
    return Fraction(int(v.p), int(v.q))


@given(cases())
def test_the_exact_pass_is_the_definition(case):
    net, x = case
    trace = by_definition(net, x)
    word = codeword_exact(net, x)
    for k, (z, h) in enumerate(trace, start=1):
        assert [to_fraction(v) for v in forward_exact(net, x, layer=k)] == h
        assert word.signs[k - 1].tolist() == [(v > 0) - (v < 0) for v in z]
    split = np.concatenate([layer.has_hyperplane for layer in net.layers])
    assert word.sign_vector.tolist() == np.concatenate(word.signs)[split].tolist()
    assert word.bits.tolist() == (word.sign_vector > 0).tolist()
    assert unpack_bits(word.packed, sum(net.bits)).tolist() == word.bits.tolist()


@given(cases())
def test_the_affine_map_equals_the_forward_pass_at_the_point(case):
    net, x = case
    word = codeword_exact(net, x)
    column = fmpq_mat(len(x), 1, [fmpq(v.numerator, v.denominator) for v in x])
    for k in range(1, len(net.layers) + 1):
        for bits in (word.bits, word.packed):
            J, c = affine_map(net, bits, k)
            assert tuple((J * column + c).entries()) == forward_exact(net, x, layer=k)
            Z, d = affine_map(net, bits, k, before_activation=True)
            z = [to_fraction(v) for v in (Z * column + d).entries()]
            assert z == by_definition(net, x)[k - 1][0]


@given(cases(), fractions)
def test_the_affine_map_in_slice_coordinates(case, u):
    net, x = case
    n = len(x)
    origin = fmpq_mat(n, 1, [fmpq(v.numerator, v.denominator) for v in x])
    basis = fmpq_mat(n, 1, list(range(1, n + 1)))
    bits = codeword_exact(net, x).bits
    J, c = affine_map(net, bits)
    K, d = affine_map(net, bits, origin=origin, basis=basis)
    step = fmpq(u.numerator, u.denominator)
    assert J * (origin + basis * step) + c == K * step + d


@given(networks(entries=st.integers(-3, 3), slope_pairs=dyadic_slopes), st.data())
def test_floats_agree_where_float_arithmetic_is_exact(net, data):
    small = st.lists(st.integers(-3, 3), min_size=net.input_dim, max_size=net.input_dim)
    points = data.draw(st.lists(small, min_size=0, max_size=5))
    X = np.array(points, dtype=float).reshape(-1, net.input_dim)
    Y = forward(net, X)
    words = codewords(net, X)
    assert Y.shape == (len(points), net.widths[-1])
    assert words.shape == (len(points), -(-sum(net.bits) // 8))
    for x, y, word in zip(points, Y, words, strict=True):
        assert [Fraction(v) for v in y.tolist()] == [to_fraction(v) for v in forward_exact(net, x)]
        assert word.tolist() == codeword_exact(net, x).packed.tolist()


def test_single_points_layers_and_dtypes():
    net = Network.from_arrays(
        [np.array([[1.0, 2.0], [0.1, -1.0]]), np.ones((1, 2))], [[0.5, 0.0], [1.0]]
    )
    assert forward(net, [1.0, 1.0]).tolist() == [4.5]
    assert forward(net, [1.0, 1.0], layer=1).tolist() == [3.5, 0.0]
    assert codewords(net, [1.0, 1.0]).tolist() == [1]
    assert codewords(net, [[1.0, 1.0]], layer=1).tolist() == [[1]]
    half = forward(net, [[1.0, 0.0]], layer=1, dtype=np.float32)
    assert half.dtype == np.float32
    assert half[0, 1] == np.float32(0.1)


def test_blocks_give_what_one_pass_gives(monkeypatch):
    rng = np.random.default_rng(1)
    net = Network.from_arrays(
        [rng.integers(-3, 4, (9, 3)), rng.integers(-3, 4, (2, 9))], [np.ones(9), np.zeros(2)]
    )
    X = rng.integers(-5, 6, (50, 3)).astype(float)
    Y, words = forward(net, X), codewords(net, X)
    monkeypatch.setattr(module, "_BLOCK_ENTRIES", 7 * 9)
    assert (forward(net, X) == Y).all()
    assert (codewords(net, X) == words).all()


def test_a_point_may_be_a_rational_column():
    net = Network.from_arrays([np.eye(2)], [np.zeros(2)])
    assert forward_exact(net, fmpq_mat(2, 1, [fmpq(1, 3), 2])) == (fmpq(1, 3), 2)


def test_overflow_is_not_an_exception():
    net = Network.from_arrays([[[1e308], [1e308]], [[1.0, -1.0]]], [[0.0, 0.0], [0.0]])
    assert np.isnan(forward(net, [1e10])).all()
    assert forward_exact(net, [1e10]) == (0,)


@given(st.lists(st.booleans(), max_size=40))
def test_bits_are_little_endian(bits):
    packed = pack_bits(bits)
    assert int.from_bytes(packed.tobytes(), "little") == sum(b << i for i, b in enumerate(bits))
    assert unpack_bits(packed, len(bits)).tolist() == bits


NET = Network.from_arrays([np.eye(2), np.ones((1, 2))], [np.zeros(2), np.zeros(1)])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: forward(NET, [[1.0, 2.0, 3.0]]), r"shape \(1, 3\).*expected \(N, 2\)"),
        (lambda: codewords(NET, np.zeros((1, 1, 2))), r"expected \(N, 2\)"),
        (lambda: forward(NET, [1.0, 2.0], layer=0), "no layer 0"),
        (lambda: codewords(NET, [1.0, 2.0], layer=3), "no layer 3"),
        (lambda: forward_exact(NET, [1]), "1 coordinates, expected 2"),
        (lambda: forward_exact(NET, [1, float("nan")]), "not a rational point: nan"),
        (lambda: codeword_exact(NET, 5), "not a rational point"),
        (lambda: codeword_exact(NET, fmpq_mat(1, 2)), "a point is a column"),
        (lambda: affine_map(NET, np.zeros(1, bool)), "has 1 bits, but 2 are needed"),
        (lambda: affine_map(NET, np.zeros(0, np.uint8)), "has 0 bits, but 2 are needed"),
        (lambda: affine_map(NET, [0, 1]), "bool bits or of packed uint8 bytes, not int64"),
        (lambda: affine_map(NET, np.zeros((1, 2), bool)), r"of shape \(1, 2\)"),
        (lambda: affine_map(NET, np.zeros(2, bool), basis=fmpq_mat(3, 1)), "basis 3×1 do not fit"),
        (lambda: affine_map(NET, np.zeros(2, bool), origin=fmpq_mat(1, 1)), "origin 1×1"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(NetworkError, match=message):
        call()
