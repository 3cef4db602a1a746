"""Layers in integers: sparse and dense ones say the same, and that of rational arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpz, fmpz_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.network import rational as weights
from polyrank.network.normal_form import Network, relu_layer
from polyrank.posed.branch import unit_row
from polyrank.sampling import integer_layers as module
from polyrank.sampling.codewords import CodewordFilter
from polyrank.sampling.integer_layers import integer_layer, vanishes_around
from tests.examples import Space
from tests.sampling.test_vertex_cut import pooled
from tests.strategies import problems


@pytest.fixture(params=[0.0, 2.0], ids=["dense", "sparse"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(weights, "SPARSE", request.param)
    return str(request.param)


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("products", [1, 5, 1 << 18])
def test_products_and_rows(
    kind: str, width: int, products: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against flint's matrices; rows without entries at the start, in the middle and at the end."""
    monkeypatch.setattr(module, "_PRODUCTS", products)
    rng = np.random.default_rng(0)
    W = rng.integers(-9, 10, (7, 5)) * (rng.random((7, 5)) < 0.4) / 8
    W[[0, 3, 6]] = 0
    net = Network.from_arrays([W], [rng.integers(-3, 4, 7) / 4.0], output_relu=True)
    layer = integer_layer(net.layers[0])
    assert (layer.dense is None) == (kind == "2.0")
    scale = int(layer.scale)
    table = fmpz_mat(7, 5, [int(v * scale) for v in W.ravel()])
    columns = [fmpz(int(v)) for v in rng.integers(-99, 100, 5 * width)]
    assert layer.times(columns, width) == (table * fmpz_mat(5, width, columns)).entries()
    for unit in range(7):
        assert layer.row(unit) == {j: table[unit, j] for j in range(5) if table[unit, j] != 0}
    row = {1: fmpz(3), 2: fmpz(-2), 3: fmpz(1)}
    expected = [3 * table[1, j] - 2 * table[2, j] + table[3, j] for j in range(5)]
    assert layer.pulled_back(row) == {j: v for j, v in enumerate(expected) if v != 0}
    assert layer.pulled_back({}) == {}


@settings(max_examples=40)
@given(problems(), st.integers(0, 10**6))
def test_codewords_do_not_depend_on_the_kind(problem: tuple[Network, Space], seed: int) -> None:
    """Points on a coarse grid, many of them on hyperplanes: bits and ties, dense and sparse."""
    net, _ = problem
    X = np.random.default_rng(seed).integers(-4, 5, (30, net.input_dim)) / 2.0
    found = []
    for share in (0.0, 2.0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(weights, "SPARSE", share)
            found.append(CodewordFilter(net).certify(X))
    dense, sparse = found
    assert (dense.packed == sparse.packed).all()
    assert (dense.on_hyperplane == sparse.on_hyperplane).all()


@settings(max_examples=40)
@given(problems(), st.integers(0, 10**6))
def test_rows_that_vanish_are_those_of_rational_arithmetic(
    problem: tuple[Network, Space], seed: int
) -> None:
    net, _ = problem
    bits = np.random.default_rng(seed).random(sum(net.bits)) < 0.5
    for share in (0.0, 2.0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(weights, "SPARSE", share)
            layers = [integer_layer(layer) for layer in net.layers]
        for k, layer in enumerate(net.layers):
            for unit in range(layer.units):
                exact = not any(unit_row(net, bits, k, unit))
                assert vanishes_around(net, layers, bits, k, unit) is exact


def test_ties_of_a_pooled_background() -> None:
    """An image that is 0 but for a corner: equal maxima, each a point on a hyperplane, exactly."""
    first, *rest = pooled(4).layers
    # one bias for all places, as a convolution has
    net = Network((relu_layer(first.weight, np.full(first.units, 0.25)), *rest))
    X = np.zeros((2, 49))
    X[1, :3] = [1.0, 0.5, 0.25]
    found = CodewordFilter(net).certify(X)
    assert found.exact_points == 2
    assert found.on_hyperplane.all()
