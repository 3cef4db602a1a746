"""Exact ranks of the rows that the search leaves open, against elimination over the rationals."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

import polyrank as pr
from polyrank.cells.task import Batch, settled
from polyrank.network import exact_rank
from polyrank.network.normal_form import Layer, Network, affine_layer, relu_layer
from polyrank.network.rational import RationalArray
from polyrank.posed import ranks as module
from polyrank.posed.branch import Branch
from polyrank.posed.chart import chart
from polyrank.posed.problem import Problem
from polyrank.posed.ranks import ExactRanks
from tests.cells.exact_only import regions


def _by_elimination(network: Network, where: Any, bits: Any) -> list[int]:
    """Rank of the Jacobian on the chart, multiplied out over ℚ."""
    image, out, position = where.basis, [], 0
    for layer in network.layers:
        image = layer.weight.to_fmpq_mat() * image
        neg, pos = list(layer.slope_neg.entries()), list(layer.slope_pos.entries())
        plane = layer.has_hyperplane
        for i in range(layer.units):
            on = True
            if plane[i]:
                on = bool(bits[position])
                position += 1
            for j in range(image.ncols()):
                image[i, j] = (pos[i] if on else neg[i]) * image[i, j]
        out.append(int(image.rank()))
    return out


def _network(seed: int) -> Network:
    rng = np.random.default_rng(seed)
    widths = [3, 5, 4, 3]
    layers = []
    for k, (a, b) in enumerate(itertools.pairwise(widths)):
        weight = rng.integers(-2, 3, (b, a)).astype(float)
        weight[-1] = weight[0] + weight[1]  # dependent, but not parallel
        weight *= [1.0, 0.1, 1.0][k]  # 0.1 is no integer in disguise
        layers.append(relu_layer(weight, rng.integers(-1, 2, b).astype(float)))
    layers.append(affine_layer([[1.0, 1.0, 1.0], [0.1, 0.1, 0.1], [1.0, -1.0, 0.0]], np.zeros(3)))
    return Network(tuple(layers))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("prime", [2, 3, 5, 9223372036854775783])
def test_every_rank_of_every_region(seed: int, prime: int, monkeypatch: Any) -> None:
    """A prime that divides determinants or denominators costs time, never a wrong rank."""
    monkeypatch.setattr(exact_rank, "_PRIMES", (prime,))
    network = _network(seed)
    where = chart(pr.Box(-2, 2), 3)
    found, result = regions(network, where)
    assert result.certified
    total = sum(network.bits)
    for (codeword, _), ranks in found.items():
        bits = np.unpackbits(
            np.frombuffer(codeword, dtype=np.uint8), bitorder="little", count=total
        )
        assert list(ranks) == _by_elimination(network, where, bits)


@pytest.mark.parametrize("prime", [2, 7, 9223372036854775783])
def test_open_ranks_are_settled_whatever_the_prime(prime: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(exact_rank, "_PRIMES", (prime,))
    half = RationalArray.from_rationals([fmpq(1, 2), fmpq(7, 3), fmpq(3, 2), fmpq(7, 1)], (2, 2))
    ones, zeros = RationalArray.from_floats(np.ones(2)), RationalArray.from_floats(np.zeros(2))
    network = Network((Layer(half, zeros, zeros, ones), affine_layer([[1.0, -1.0]], [0.0])))
    where = chart(pr.WholeSpace(), 2)
    bits = np.array([[1, 1], [1, 0], [0, 0]], dtype=np.uint8)
    packed = np.packbits(bits, axis=1, bitorder="little")
    batch = Batch(
        packed,
        np.zeros_like(packed),
        np.array([[-1, -1], [1, -1], [0, 0]], dtype=np.int16),
        np.zeros((3, 2)),
    )
    problem = Problem(network, where, 2)
    found = settled(batch, problem)
    matrix = fmpq_mat(2, 2, list(half.entries()))
    assert found.rank.tolist() == [[matrix.rank(), 1], [1, 1], [0, 0]]
    assert batch.rank[0, 0] == -1
    assert settled(found, problem) is found


def test_a_unit_that_vanishes_on_the_region_adds_no_rank() -> None:
    # on x ≤ 0 the second layer's first unit is relu(relu(x)) with relu(x) = 0: identically zero
    network = Network((relu_layer([[1.0]], [0.0]), relu_layer([[1.0], [-1.0]], [0.0, 1.0])))
    found, _ = regions(network, chart(pr.Box(-1, 2), 1))
    for (codeword, zero), ranks in found.items():
        off = not codeword[0] & 1
        assert bool(zero[0] & 2) == off
        assert ranks[0] == (0 if off else 1)
        assert not (off and ranks[1])


def test_the_cache_of_prefixes_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "_CACHED", 3)
    network = _network(1)
    where = chart(pr.Box(-2, 2), 3)
    found, _ = regions(network, where)
    ranks = ExactRanks(Branch.on(network, where), 4)
    for (codeword, zero), expected in found.items():
        arrays = [
            np.unpackbits(np.frombuffer(v, dtype=np.uint8), bitorder="little", count=12).astype(
                bool
            )
            for v in (codeword, zero)
        ]
        assert tuple(ranks.ranks(*arrays)) == expected
