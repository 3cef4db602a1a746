from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given

import polyrank.network
from polyrank.errors import NetworkError
from polyrank.network.normal_form import Layer, Network, affine_layer, relu_layer
from polyrank.network.rational import RationalArray, to_fmpq
from tests.network.strategies import networks


def vector(*values):
    return RationalArray.from_rationals(values, (len(values),))


def test_bits_belong_to_units_with_different_slopes():
    layer = Layer(
        RationalArray.from_floats(np.eye(5)),
        vector(0, 0, 0, 0, 0),
        vector(0, "1/100", -1, 1, "1/3"),
        vector(1, 1, 1, 1, "1/3"),
    )
    assert layer.has_hyperplane.tolist() == [True, True, True, False, False]
    net = Network((layer, affine_layer(np.ones((1, 5)), [0.0])))
    assert net.bits == (3, 0)
    assert net.widths == (5, 5, 1)


def test_from_arrays():
    net = Network.from_arrays([np.eye(2), np.ones((1, 2))], [np.zeros(2), np.zeros(1)])
    assert net.bits == (2, 0)
    relu = Network.from_arrays([np.eye(2), np.ones((1, 2))], [[0, 0], [0]], output_relu=True)
    assert relu.bits == (2, 1)
    leaky = Network.from_arrays([np.eye(2), np.ones((1, 2))], [[0, 0], [0]], slope="1/100")
    assert leaky.layers[0].slopes_exact[0] == (to_fmpq("1/100"), 1)
    assert relu_layer(np.eye(1), [0], slope=0.1).slope_neg.is_float


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Network(()), "at least one layer"),
        (lambda: affine_layer([1.0], [1.0], "fc"), r"'fc': the weight must be a matrix"),
        (lambda: affine_layer(np.eye(2), [1.0]), r"bias has shape \(1,\).*calls for \(2,\)"),
        (
            lambda: Layer(
                *([RationalArray.from_floats(np.eye(1))] + [vector(0)] * 2), vector(0, 1)
            ),
            "slope_pos has shape",
        ),
        (
            lambda: Network.from_arrays([np.eye(2), np.eye(3)], [np.zeros(2), np.zeros(3)]),
            "layer 1 has 2 units, but layer 2 takes 3 inputs",
        ),
        (lambda: Network.from_arrays([np.eye(2)], []), "1 weights but 0 biases"),
        (lambda: Network((affine_layer(np.zeros((2, 0)), [0, 0]),)), "no inputs"),
        (lambda: Network((affine_layer(np.zeros((0, 2)), np.zeros(0)),)), "layer 1 has no units"),
    ],
)
def test_what_is_not_a_network_is_refused(make, message):
    with pytest.raises(NetworkError, match=message):
        make()


def test_the_hash_is_of_the_exact_function_and_not_of_names():
    arrays = [np.eye(2), np.ones((1, 2))], [np.zeros(2), np.zeros(1)]
    base = Network.from_arrays(*arrays)
    assert Network.from_arrays(*arrays, name="other").sha256 == base.sha256
    narrow = [w.astype(np.float32) for w in arrays[0]], [b.astype(np.int8) for b in arrays[1]]
    assert Network.from_arrays(*narrow).sha256 == base.sha256
    assert Network.from_arrays([np.eye(2) * -0.0 + np.eye(2), arrays[0][1]], arrays[1]).sha256 == (
        base.sha256
    )
    changed = np.array([[np.nextafter(1, 2), 0], [0, 1]])
    for other in (
        Network.from_arrays([changed, arrays[0][1]], arrays[1]),
        Network.from_arrays(*arrays, output_relu=True),
        Network.from_arrays(*arrays, slope="1/3"),
    ):
        assert other.sha256 != base.sha256


@given(networks())
def test_pickling_keeps_the_function(net):
    assert net.layers[0].weight_exact.nrows() == net.layers[0].units  # cached, must not be pickled
    again = pickle.loads(pickle.dumps(net))
    assert again.sha256 == net.sha256
    assert again.layers[0].name == net.layers[0].name


def test_public_names_load_on_first_use():
    assert sorted(polyrank.network.__all__) == polyrank.network.__dir__()
    for name in polyrank.network.__all__:
        assert getattr(polyrank.network, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        polyrank.network.nothing  # noqa: B018
