"""Exact ranks of codewords against flint and fractions, on products built to mislead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from polyrank.network.forward import affine_map, pack_bits
from polyrank.network.modular import SMALL_PRIMES
from polyrank.network.normal_form import Network
from polyrank.network.rational import RationalArray
from polyrank.sampling import ranks as module
from polyrank.sampling.ranks import CodewordRanks
from tests.oracles import regions_by_generators
from tests.strategies import degenerate_networks, realistic_network


def _by_flint(network: Network, word: np.ndarray) -> list[int]:
    return [int(affine_map(network, word, k)[0].rank()) for k in range(1, len(network.layers) + 1)]


def _words(network: Network, count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    words = rng.random((count, sum(network.bits))) < rng.random((count, 1))
    return np.unique(pack_bits(words), axis=0)


@settings(max_examples=80)
@given(network=degenerate_networks())
def test_ranks_of_regions_are_the_oracle_s(network):
    regions = regions_by_generators(network)
    words = pack_bits(np.array(list(regions), dtype=bool).reshape(len(regions), -1))
    table = CodewordRanks(network).table(words)
    assert table.exact
    assert [tuple(r) for r in table.lower.tolist()] == [r.ranks for r in regions.values()]


def _low_rank(rng, m: int, n: int, r: int) -> np.ndarray:
    """An integer matrix of rank at most r."""
    return (rng.integers(-3, 4, (m, r)) @ rng.integers(-3, 4, (r, n))).astype(float)


def _hilbert(n: int) -> np.ndarray:
    return np.array([[1.0 / (i + j + 1) for j in range(n)] for i in range(n)])


def _adversarial(kind: str) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    if kind == "deficient by construction":
        return [_low_rank(rng, 9, 6, 4), _low_rank(rng, 8, 9, 5), _low_rank(rng, 5, 8, 2)]
    if kind == "ill-conditioned":
        return [_hilbert(8), _hilbert(8), _hilbert(8)]
    if kind == "huge and tiny":
        scales = 2.0 ** rng.integers(-300, 300, (9, 1)).astype(float)
        return [scales * _low_rank(rng, 9, 5, 5), _low_rank(rng, 7, 9, 4) * scales.T, np.eye(7)]
    if kind == "cancelling in the second layer":
        return [np.vstack([np.eye(4), np.eye(4)]), np.hstack([np.eye(4), -np.eye(4)]), np.eye(4)]
    if kind == "unlucky primes":
        p, q, _ = SMALL_PRIMES
        return [np.diag([1.0, p, q, p * q]), np.diag([float(p), 1, 1, q]), np.ones((3, 4))]
    if kind == "one part in 2^52":
        near = np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-52]])
        return [near, np.array([[1.0, -1.0], [2.0, -2.0 - 2.0**-51]]), np.eye(2)]
    raise ValueError(kind)


_KINDS = [
    "deficient by construction",
    "ill-conditioned",
    "huge and tiny",
    "cancelling in the second layer",
    "unlucky primes",
    "one part in 2^52",
]


@pytest.mark.parametrize("slope", [0, "-1/3"])
@pytest.mark.parametrize("kind", _KINDS)
def test_ranks_equal_flint_s(kind, slope):
    weights = _adversarial(kind)
    net = Network.from_arrays(
        weights, [np.zeros(len(w)) for w in weights], slope=slope, output_relu=True
    )
    words = _words(net, 60, 1)
    table = CodewordRanks(net).table(words)
    assert table.exact
    assert table.lower.tolist() == [_by_flint(net, word) for word in words]


@pytest.mark.parametrize("kind", _KINDS)
def test_without_elimination_intervals_hold_the_rank(kind, monkeypatch):
    monkeypatch.setattr(module, "_EXACT_WORK", 0)
    weights = _adversarial(kind)
    net = Network.from_arrays(weights, [np.zeros(len(w)) for w in weights], output_relu=True)
    words = _words(net, 60, 1)
    table = CodewordRanks(net).table(words)
    exact = np.array([_by_flint(net, word) for word in words])
    assert (table.lower <= exact).all()
    assert (exact <= table.upper).all()
    if kind in ("deficient by construction", "cancelling in the second layer"):
        assert not table.exact  # no prime and no count of live units shows these ranks
    if kind == "ill-conditioned":
        assert table.exact  # full rank, which a prime proves whatever the condition


def test_a_second_prime_decides_where_the_first_is_unlucky(monkeypatch):
    monkeypatch.setattr(module, "_EXACT_WORK", 0)
    p = SMALL_PRIMES[0]
    for weights in (
        [np.diag([1.0, p, 3.0]), np.eye(3)],
        [
            np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
            np.array([[p, 1.0, 1.0], [0.0, 1.0, 1.0]]),
        ],
    ):
        net = Network.from_arrays(weights, [np.zeros(len(w)) for w in weights], output_relu=True)
        words = pack_bits(np.ones((1, sum(net.bits)), dtype=bool))
        table = CodewordRanks(net).table(words)
        assert table.exact
        assert table.lower[0].tolist() == _by_flint(net, words[0])


def test_denominators_that_every_prime_divides_go_to_elimination():
    p, q, r = SMALL_PRIMES
    entry = RationalArray.from_rationals([f"1/{p * q * r}", 0, 0, 0], (2, 2))
    net = Network.from_arrays([entry, np.eye(2)], [[0.0, 0.0], [0.0, 0.0]], output_relu=True)
    table = CodewordRanks(net).table(pack_bits(np.ones((1, 4), dtype=bool)))
    assert table.exact
    assert table.lower.tolist() == [[1, 1]]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kind", ["integer", "duplicated", "dead", "pruned"])
def test_larger_networks_equal_flint(kind, workers):
    net = realistic_network(kind, (12, 40, 30, 20, 3), 2)
    words = _words(net, 80, 4)
    frequent = np.random.default_rng(0).random(sum(net.bits))
    table = CodewordRanks(net, frequent).table(words, workers=workers)
    assert table.exact
    assert table.lower[::5].tolist() == [_by_flint(net, word) for word in words[::5]]
