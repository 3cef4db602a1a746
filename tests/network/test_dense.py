"""Activations by name and chains of dense layers, against their definitions in fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrank.errors import NetworkError, UnsupportedError
from polyrank.network.formats.activations import (
    LINEAR,
    RELU,
    activation,
)
from polyrank.network.formats.dense import (
    DenseStep,
    UnitSlopes,
    dense_network,
    with_output_relu,
)
from polyrank.network.formats.layer_activations import hidden_activations
from polyrank.network.formats.options import LoadOptions
from polyrank.network.forward import forward_exact
from polyrank.network.normal_form import Network
from polyrank.network.rational import RationalArray, to_fmpq
from tests.network.strategies import fractions

DEFINITIONS = {
    "relu": lambda z: max(z, 0),
    "LeakyReLU": lambda z: z if z > 0 else Fraction(0.01) * z,
    "prelu": lambda z: z if z > 0 else Fraction(0.01) * z,
    "abs": abs,
    "linear": lambda z: z,
    "hardtanh": lambda z: min(max(z, -1), 1),
    "ReLU6": lambda z: min(max(z, 0), 6),
    "hard_sigmoid": lambda z: min(max(z / 6 + Fraction(1, 2), 0), 1),
}


def step(name, weight, bias, act):
    rows, cols = len(weight), len(weight[0])
    flat = [v for row in weight for v in row]
    return DenseStep(
        name,
        RationalArray.from_rationals(flat, (rows, cols)),
        None if bias is None else RationalArray.from_rationals(bias, (rows,)),
        act,
    )


@st.composite
def chains(draw):
    depth = draw(st.integers(1, 3))
    widths = draw(st.lists(st.integers(1, 3), min_size=depth + 1, max_size=depth + 1))
    entries = draw(st.sampled_from([fractions, st.integers(-3, 3)]))
    layers = []
    for inputs, units in pairwise(widths):
        row = st.lists(entries, min_size=inputs, max_size=inputs)
        weight = draw(st.lists(row, min_size=units, max_size=units))
        bias = draw(st.none() | st.lists(entries, min_size=units, max_size=units))
        layers.append((weight, bias, draw(st.sampled_from(sorted(DEFINITIONS)))))
    return layers, draw(st.lists(fractions, min_size=widths[0], max_size=widths[0]))


@given(chains())
def test_the_normal_form_is_the_chain(case):
    layers, x = case
    net = dense_network(
        [step(f"layer {k}", w, b, activation(name)) for k, (w, b, name) in enumerate(layers, 1)],
        name="chain",
    )
    h = [Fraction(v) for v in x]
    for weight, bias, name in layers:
        z = [sum(Fraction(a) * v for a, v in zip(row, h, strict=True)) for row in weight]
        z = [v + Fraction(b) for v, b in zip(z, bias or [0] * len(z), strict=True)]
        h = [Fraction(DEFINITIONS[name](v)) for v in z]
    assert [Fraction(int(v.p), int(v.q)) for v in forward_exact(net, x)] == h
    clips = [name for _, _, name in layers if name in {"hardtanh", "ReLU6", "hard_sigmoid"}]
    assert len(net.source["notes"]) == len(clips)


def test_a_clip_becomes_two_relu_units_and_no_extra_layer():
    net = dense_network(
        [step("a", [[1, 2]], [3], activation("hardtanh")), step("b", [[5]], [7], LINEAR)], name="n"
    )
    assert net.widths == (2, 2, 1)
    assert net.layers[0].bias.approx.tolist() == [4, 2]
    assert net.layers[1].weight.approx.tolist() == [[5, -5]]
    assert net.layers[1].bias.approx.tolist() == [2]
    assert net.source["notes"] == ["a: hardtanh, which clips to [-1, 1], became 2 ReLU units"]


def test_unit_slopes():
    slopes = UnitSlopes(RationalArray.from_floats([0.25]), RationalArray.from_floats([2.0]))
    net = dense_network([step("a", [[1]], None, slopes)], name="n")
    assert forward_exact(net, [-4]) == (-1,)
    assert forward_exact(net, [4]) == (8,)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([], "at least one layer"),
        ([DenseStep("a", RationalArray.from_floats([1.0]), None, RELU)], "must be a matrix"),
        (
            [
                DenseStep(
                    "a", RationalArray.from_floats(np.eye(2)), RationalArray.from_floats([1]), RELU
                )
            ],
            r"the bias has shape \(1,\)",
        ),
        (
            [step("a", [[1, 2]], None, RELU), step("b", [[1, 2], [3, 4]], None, LINEAR)],
            r"a has 1 units, but b of shape \(2, 2\) takes 2 inputs \(they do chain as",
        ),
        (
            [
                step("a", [[1]] * 3, None, activation("relu6")),
                step("b", [[1], [1], [1]], None, RELU),
            ],
            r"a has 3 units, but b .* takes 1 inputs$",
        ),
    ],
)
def test_what_does_not_chain_is_refused(steps, message):
    with pytest.raises(NetworkError, match=message):
        dense_network(steps, name="n")


def test_output_relu():
    net = Network.from_arrays([np.eye(2)], [[0, 0]])
    relu = with_output_relu(net)
    assert relu.sha256 == Network.from_arrays([np.eye(2)], [[0, 0]], output_relu=True).sha256
    assert with_output_relu(relu) is relu
    leaky = Network.from_arrays([np.eye(2)], [[0, 0]], output_relu=True, slope=0.5)
    with pytest.raises(NetworkError, match="already has an activation"):
        with_output_relu(leaky)


@pytest.mark.parametrize("name", ["tanh", "Sigmoid", "soft-max", "ELU", "GELU", "sin"])
def test_curved_activations_are_refused_by_name(name):
    with pytest.raises(UnsupportedError, match=f"{name}' is not piecewise linear"):
        activation(name)


@pytest.mark.parametrize(
    ("name", "slope", "message"),
    [
        ("sigmoid", None, "--cut-final"),
        ("sign", None, "not continuous"),
        ("thresholded_relu", None, "not continuous"),
        ("rleu", None, "unknown activation 'rleu': expected one of relu"),
        ("relu", 0.1, r"a slope \(0.1\) goes with leaky_relu"),
        ("leaky_relu", "tiny", "the slope 'tiny' is not a number"),
        ("leaky_relu", float("nan"), "the slope nan is not a number"),
    ],
)
def test_activation_errors(name, slope, message):
    with pytest.raises(NetworkError, match=message):
        activation(name, slope)


def test_slopes_are_exact():
    assert activation("leaky_relu", 0.1).neg == to_fmpq(0.1)
    assert activation("leaky_relu", "0.1").neg == to_fmpq("1/10")
    assert activation("prelu", "1/3").neg == to_fmpq("1/3")


def hidden(count, **options):
    acts, (note,) = hidden_activations(LoadOptions(**options), count)
    return acts, note


def test_hidden_activations():
    assert hidden(2) == (
        [RELU, RELU],
        "the file stores no activations: relu between the layers (the default), none on the output",
    )
    assert hidden(0)[0] == []
    acts, note = hidden(2, slope="1/5")
    assert [a.neg for a in acts] == [to_fmpq("1/5")] * 2
    assert "leaky_relu with negative slope 1/5 between the layers (as asked)" in note
    acts, note = hidden(3, activation="abs, leaky-relu,relu", slope=0.5)
    assert [a.neg for a in acts] == [-1, to_fmpq(0.5), 0]
    assert "abs, leaky_relu with negative slope 1/2, relu" in note
    with pytest.raises(NetworkError, match="2 activations .* for 3 hidden layers"):
        hidden(3, activation="abs,relu")
    with pytest.raises(NetworkError, match="goes with leaky_relu, not with 'abs'"):
        hidden(3, activation="abs", slope=0.5)
    with pytest.raises(UnsupportedError, match="'tanh' is not piecewise linear"):
        hidden(1, activation="tanh")
