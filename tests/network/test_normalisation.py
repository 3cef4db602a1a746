from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrank.errors import NetworkError
from polyrank.network.forward import forward_exact
from polyrank.network.normal_form import Network, affine_layer
from polyrank.network.normalisation import fold_normalisation
from tests.network.strategies import fractions, networks


def to_fraction(v):
    return Fraction(int(v.p), int(v.q))


@given(networks(), st.data())
def test_the_folded_network_is_the_composition(net, data):
    last = net.layers[-1]
    net = Network((*net.layers[:-1], affine_layer(last.weight, last.bias)))
    n, m = net.input_dim, net.widths[-1]

    def vector(count, scale):
        entries = fractions.filter(bool) if scale else fractions
        return data.draw(st.lists(entries, min_size=count, max_size=count))

    mean, scale, shift, gain = vector(n, False), vector(n, True), vector(m, False), vector(m, True)
    x = vector(n, False)
    folded = fold_normalisation(
        net, input_mean=mean, input_scale=scale, output_mean=shift, output_scale=gain
    )
    inner = [(v - a) / r for v, a, r in zip(x, mean, scale, strict=True)]
    expected = [
        g * to_fraction(v) + t
        for g, v, t in zip(gain, forward_exact(net, inner), shift, strict=True)
    ]
    assert [to_fraction(v) for v in forward_exact(folded, x)] == expected


NET = Network.from_arrays([np.eye(2), np.ones((1, 2))], [np.zeros(2), np.zeros(1)])


def test_nothing_to_fold_changes_nothing():
    assert fold_normalisation(NET).layers == NET.layers
    same = fold_normalisation(NET, input_mean=[0, 0], input_scale=[1.0, 1], output_scale=[1])
    assert same.sha256 == NET.sha256
    half = fold_normalisation(NET, input_scale=[1, 2])
    assert half.layers[1] is NET.layers[1]
    assert half.layers[0].weight.is_float
    relu = Network.from_arrays([np.eye(1)], [np.zeros(1)], output_relu=True)
    assert fold_normalisation(relu, input_mean=[1]).bits == (1,)
    with pytest.raises(NetworkError, match="only after an affine output layer"):
        fold_normalisation(relu, output_mean=[1])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"input_mean": [1]}, "input_mean has 1 entries, expected 2"),
        ({"output_scale": [1, 2]}, "output_scale has 2 entries, expected 1"),
        ({"input_scale": [1, 0.0]}, "entry 1 of the input_scale is 0"),
        ({"output_scale": [0]}, "entry 0 of the output_scale is 0"),
        ({"input_mean": [1, float("nan")]}, "input_mean: nan is not a finite number"),
        ({"output_mean": 5}, "output_mean: 'int' object is not iterable"),
    ],
)
def test_wrong_normalisations(given, message):
    with pytest.raises(NetworkError, match=message):
        fold_normalisation(NET, **given)
