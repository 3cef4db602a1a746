from __future__ import annotations

import json
from fractions import Fraction
from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from polyrank.network.description import (
    activation_name,
    coincident_units,
    describe,
    duplicate_units,
)
from polyrank.network.normal_form import Layer, Network, affine_layer, relu_layer
from polyrank.network.rational import RationalArray
from tests.network.strategies import networks


def rows_of(layer):
    entries = [Fraction(int(v.p), int(v.q)) for v in layer.weight.entries()]
    biases = [Fraction(int(v.p), int(v.q)) for v in layer.bias.entries()]
    n = layer.inputs
    return [[*entries[i * n : i * n + n], biases[i]] for i in range(layer.units)]


def pairs_in(groups):
    return {pair for group in groups for pair in combinations(group, 2)}


@given(networks(max_layers=1, max_width=6))
def test_groups_are_what_pairwise_comparison_finds(net):
    layer = net.layers[0]
    rows = rows_of(layer)
    same, parallel = set(), set()
    for i, j in combinations(range(layer.units), 2):
        minors = (
            rows[i][a] * rows[j][b] == rows[i][b] * rows[j][a]
            for a, b in combinations(range(layer.inputs + 1), 2)
        )
        if any(rows[i][:-1]) and any(rows[j][:-1]) and all(minors):
            parallel.add((i, j))
        if rows[i] == rows[j] and layer.slopes_exact[i] == layer.slopes_exact[j]:
            same.add((i, j))
    assert pairs_in(coincident_units(layer)) == parallel
    assert pairs_in(duplicate_units(layer)) == same


def test_nearly_proportional_rows_are_not_proportional():
    third = 1 / 3  # rounded: (1, 1/3) and (3, 1) are not multiples
    layer = relu_layer([[1.0, third], [3.0, 1.0], [2.0, 2 * third]], [0.0, 0.0, 0.0])
    assert coincident_units(layer) == [[0, 2]]
    huge = relu_layer([[1e-300, 1e300], [1e-300, np.nextafter(1e300, 0)]], [0.0, 0.0])
    assert coincident_units(huge) == []  # both ratios overflow to infinity
    exact = Layer(
        RationalArray.from_rationals(["1/3", 1, 1, 3], (2, 2)),
        RationalArray.from_rationals([0, 0], (2,)),
        RationalArray.from_rationals([0, 0], (2,)),
        RationalArray.from_rationals([1, 1], (2,)),
    )
    assert coincident_units(exact) == [[0, 1]]


def test_describe_says_what_is_zero():
    net = Network(
        (
            relu_layer([[0.0, 0.0], [0.0, 0.0], [1.0, -0.0]], [0.0, 2.0, -0.0], "first"),
            affine_layer([[1.0, 1.0, 1.0]], [0.0]),
        ),
        "tiny",
        {"format": "npz", "notes": ["one"]},
    )
    said = describe(net)
    json.dumps(said)
    first, last = said["layers"]
    assert said["widths"] == [2, 3, 1]
    assert (said["hyperplanes"], said["parameters"], said["exact"]) == (3, 13, "float64")
    assert said["sha256"] == net.sha256
    assert said["notes"] == ["one"]
    assert not said["bias_free"]
    assert (first["constant_units"], first["zero_units"]) == ([0, 1], [0])
    assert (first["zero_weights"], first["name"], first["activation"]) == (5, "first", "relu")
    assert first["slopes"] == [{"neg": "0", "pos": "1", "units": 3}]
    assert (last["activation"], last["hyperplanes"]) == ("linear", 0)
    assert describe(Network((relu_layer([[1.0]], [0.0]),)))["bias_free"]


def test_describe_of_fractions():
    weight = RationalArray.from_rationals(["1e-400", 0], (1, 2))
    net = Network((affine_layer(weight, [0.0]),))
    said = describe(net)
    assert said["exact"] == said["layers"][0]["exact"] == "rational"
    assert said["layers"][0]["zero_units"] == []
    assert said["layers"][0]["zero_weights"] == 1


@given(st.sampled_from([(0, 1, "relu"), (1, 1, "linear"), (-1, 1, "abs"), (2, 3, "slopes")]))
def test_activation_names(case):
    neg, pos, name = case

    def layer(*pairs):
        n = len(pairs)
        return Layer(
            RationalArray.from_floats(np.eye(n)),
            RationalArray.from_floats(np.zeros(n)),
            RationalArray.from_rationals([a for a, _ in pairs], (n,)),
            RationalArray.from_rationals([b for _, b in pairs], (n,)),
        )

    assert activation_name(layer((neg, pos), (neg, pos))) == name
    assert activation_name(layer((neg, pos), (5, 6))) == "mixed"
    assert activation_name(layer(("1/100", 1))) == "leaky_relu"
