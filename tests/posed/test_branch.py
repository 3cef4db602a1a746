"""Maps on prefixes of signs against the forward pass and against the oracle's fractions."""

from __future__ import annotations

import itertools
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

import polyrank as pr
from polyrank.network.composition import beside, split_map
from polyrank.network.forward import affine_map, codeword_exact, forward_exact
from polyrank.network.normal_form import Network, affine_layer, relu_layer
from polyrank.posed import branch as branch_module
from polyrank.posed.branch import Branch, unit_row
from polyrank.posed.chart import chart
from tests.oracles import affine_maps, exact_layers


def mixed() -> Network:
    """ReLU, leaky and pass-through units, dead and duplicate rows."""
    rng = np.random.default_rng(3)
    weights = [rng.integers(-3, 4, shape).astype(float) for shape in ((4, 3), (3, 4), (2, 3))]
    weights[0][3] = weights[0][0]
    return Network(
        (
            relu_layer(weights[0], [1, -1, 0, 1], slope="1/3"),
            affine_layer(weights[1], [0, 2, -1]),
            relu_layer(weights[2], [-1, 0]),
        )
    )


NET = mixed()
WHERE = chart(pr.Slice([1, 0, "1/3"], [[1, 0], [0, 2], [1, 1]], pr.Box(-2, 2)), 3)


def test_the_map_equals_the_forward_pass_at_points_of_the_region() -> None:
    branch = Branch.on(NET, WHERE)
    rng = np.random.default_rng(0)
    for _ in range(20):
        y = fmpq_mat(2, 1, [fmpq(int(v), 64) for v in rng.integers(-128, 128, 2)])
        x = WHERE.origin + WHERE.basis * y
        bits = codeword_exact(NET, x).bits
        for layer in range(1, 4):
            J, c = branch.affine_map(layer, bits)
            assert tuple((J * y + c).entries()) == forward_exact(NET, x, layer=layer)
            assert branch.linear_part(layer, bits) == J


@pytest.mark.parametrize("word", [*itertools.product((0, 1), repeat=6)][::5])
def test_maps_of_all_codewords_against_fractions(word: tuple[int, ...]) -> None:
    n = NET.input_dim
    identity = fmpq_mat(n, n, [int(i == j) for i in range(n) for j in range(n)])
    branch = Branch(NET, fmpq_mat(n, 1), identity)
    bits = np.array(word, dtype=bool)
    expected = affine_maps(exact_layers(NET), word, n)
    for layer, rows in enumerate(expected, start=1):
        found = branch.image(layer, bits).tolist()
        assert [[(int(v.p), int(v.q)) for v in row] for row in found] == [
            [(v.numerator, v.denominator) for v in row] for row in rows
        ]
        J, c = affine_map(NET, bits, layer, before_activation=True)
        assert branch.preactivation(layer, bits) == beside(J, c)


def test_a_prefix_is_composed_once_and_the_oldest_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    branch = Branch.on(NET, WHERE)
    bits = np.array([1, 0, 1, 0, 0, 1], dtype=bool)
    other = np.array([1, 0, 1, 0, 1, 1], dtype=bool)  # the same through layer 2
    assert branch.preactivation(3, bits) is branch.preactivation(3, other)
    monkeypatch.setattr(branch_module, "_KEPT_ENTRIES", 1)
    small, words = Branch.on(NET, WHERE), [np.array(w, bool) for w in np.ndindex(*[2] * 6)]
    for word in words:
        assert small.preactivation(3, word) == branch.preactivation(3, word)
    assert len(small._kept) <= len(NET.layers)


def test_threads_share_a_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    """With hardly anything kept, every thread forgets what the others are about to read."""
    words = [np.array(w, bool) for w in np.ndindex(*[2] * 6)]
    alone = Branch.on(NET, WHERE)
    expected = [str(alone.preactivation(3, word)) for word in words]
    monkeypatch.setattr(branch_module, "_KEPT_ENTRIES", 1)
    shared = Branch.on(NET, WHERE)

    def work(seed: int) -> bool:
        order = np.random.default_rng(seed).permutation(len(words)).tolist() * 4
        return all(str(shared.preactivation(3, words[i])) == expected[i] for i in order)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(work, range(8)))
    finally:
        sys.setswitchinterval(interval)


def test_a_deep_network_needs_no_deep_recursion() -> None:
    net = Network((relu_layer([[1.0]], [1.0]),) * 3000)
    branch = Branch(net, fmpq_mat(1, 1), fmpq_mat(1, 1, [1]))
    assert split_map(branch.image(3000, np.ones(3000, bool))) == (
        fmpq_mat(1, 1, [1]),
        fmpq_mat(1, 1, [3000]),
    )


def test_a_row_pulled_back_is_a_row_of_the_map() -> None:
    n = NET.input_dim
    bits = np.array([1, 0, 0, 1, 1, 0], dtype=bool)
    for layer, units in enumerate(NET.widths[1:]):
        J, _ = affine_map(NET, bits, layer + 1, before_activation=True)
        for unit in range(units):
            expected = [J[unit, j] for j in range(n)]
            assert unit_row(NET, bits, layer, unit) == expected


def test_a_point_is_a_domain_too() -> None:
    where = chart(pr.Box([1, 2, 3], [1, 2, 3]), 3)
    branch = Branch.on(NET, where)
    bits = codeword_exact(NET, [1, 2, 3]).bits
    J, c = branch.affine_map(3, bits)
    assert (J.nrows(), J.ncols()) == (2, 0)
    assert tuple(c.entries()) == forward_exact(NET, [1, 2, 3])
