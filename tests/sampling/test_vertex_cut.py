"""Least vertex cuts: never below a rank, equal to it for generic weights, least by brute force."""

from __future__ import annotations

from functools import partial
from itertools import chain, combinations, pairwise

import numpy as np
import pytest
from flint import fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from polyrank.network.exact_rank import exact_rank, spanning_columns
from polyrank.network.normal_form import Network, relu_layer
from polyrank.sampling import ranks as ranks_module
from polyrank.sampling.estimate import sample
from polyrank.sampling.vertex_cut import cut_bound, separates


def drawn(seed: int, sizes: list[int], density: float) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [
        rng.integers(1, 1000, (b, a)) * (rng.random((b, a)) < density) for a, b in pairwise(sizes)
    ]


def product_rank(weights: list[np.ndarray], live: list[np.ndarray], inputs: np.ndarray) -> int:
    J = weights[0][np.ix_(live[0], inputs)].astype(object)
    for W, rows, columns in zip(weights[1:], live[1:], live[:-1], strict=True):
        J = W[np.ix_(rows, columns)].astype(object) @ J
    return exact_rank(fmpq_mat(*J.shape, [int(v) for v in J.ravel()])) if J.size else 0


problems = st.tuples(
    st.integers(0, 10**6),
    st.lists(st.integers(1, 6), min_size=2, max_size=4),
    st.sampled_from([0.2, 0.4, 0.7]),
)


@settings(max_examples=150)
@given(problems)
def test_it_bounds_the_rank_and_generic_weights_attain_it(
    problem: tuple[int, list[int], float],
) -> None:
    seed, sizes, density = problem
    weights = drawn(seed, sizes, density)
    rng = np.random.default_rng(seed)
    live = [np.flatnonzero(rng.random(len(W)) < 0.8) for W in weights]
    places = [csr_array((W != 0).astype(int)) for W in weights]
    every = np.arange(sizes[0])
    if all(len(rows) for rows in live):
        bound = cut_bound(places, live)
        rank = product_rank(weights, live, every)
        assert rank <= bound
        # weights up to 1,000 at random: an algebraic accident is rare, and then the bound holds
        generic = drawn(seed + 1, sizes, 1.0)
        same = [
            np.where(W != 0, G * 1_000_003 + W, 0) for W, G in zip(weights, generic, strict=True)
        ]
        assert product_rank(same, live, every) == bound


def brute_force(weights: list[np.ndarray]) -> int:
    """The least number of vertices that every path meets, by all sets of vertices."""
    sizes = [weights[0].shape[1], *(len(W) for W in weights)]
    vertices = [(k, i) for k, size in enumerate(sizes) for i in range(size)]
    for number in range(len(vertices) + 1):
        for chosen in combinations(vertices, number):
            masks = [np.zeros(size, dtype=bool) for size in sizes]
            for k, i in chosen:
                masks[k][i] = True
            if separates([csr_array((W != 0).astype(int)) for W in weights], masks):
                return number
    raise AssertionError


@pytest.mark.parametrize("seed", range(12))
def test_it_is_a_least_cut(seed: int) -> None:
    weights = drawn(seed, [3, 4, 3], 0.5)
    live = [np.arange(len(W)) for W in weights]
    assert cut_bound([csr_array((W != 0).astype(int)) for W in weights], live) == brute_force(
        weights
    )


def test_paths_around_a_cut_are_seen() -> None:
    parts = [csr_array(np.eye(2, dtype=int))]
    assert separates(parts, [np.array([True, False]), np.array([False, True])])
    assert not separates(parts, [np.array([True, False]), np.array([True, False])])


def test_shared_weights_need_the_spanning_columns() -> None:
    """x + y and 2x + 2y: rank 1, two disjoint paths; one column spans both."""
    W = np.array([[1, 1], [2, 2]])
    both = [np.arange(2)]
    assert cut_bound([csr_array((W != 0).astype(int))], both) == 2
    columns = spanning_columns(fmpq_mat(2, 2, [1, 1, 2, 2]))
    assert columns == [0]
    assert cut_bound([csr_array((W != 0).astype(int))], both, np.array(columns)) == 1


def test_spanning_columns() -> None:
    rng = np.random.default_rng(0)
    for rank in range(4):
        M = rng.integers(-5, 6, (7, rank)) @ rng.integers(-5, 6, (rank, 5))
        seen: list[int] = []
        found = spanning_columns(fmpq_mat(7, 5, M.ravel().tolist()), partial(seen.append, 1))
        assert found is not None
        assert len(found) == np.linalg.matrix_rank(M)
        assert len(seen) == (0 if not found else 5 - len(found))
    # 2^64 − 59 times a row is zero modulo no small accident: a multiple of the prime is
    prime = 9223372036854775783
    assert spanning_columns(fmpq_mat(2, 2, [1, 1, 1, 1 + prime])) is None


def convolution(side: int, kernel: np.ndarray) -> np.ndarray:
    """A valid convolution of one channel as a matrix."""
    size = len(kernel)
    out = side - size + 1
    W = np.zeros((out * out, side * side))
    for r, c in chain.from_iterable([[(r, c) for c in range(out)] for r in range(out)]):
        for a in range(size):
            for b in range(size):
                W[r * out + c, (r + a) * side + c + b] = kernel[a, b]
    return W


def pooled(units: int) -> Network:
    """Two channels of a 3 × 3 convolution of 7 × 7, and max(a, b) of neighbours by a tournament."""
    rng = np.random.default_rng(0)
    W = np.vstack([convolution(7, rng.normal(size=(3, 3)).astype(np.float32)) for _ in range(2)])
    n = len(W) // 2
    pairs = np.zeros((2 * n, 2 * n))
    for i in range(n):
        pairs[i, 2 * i], pairs[i, 2 * i + 1] = 1, -1  # relu(a − b)
        pairs[n + i, 2 * i + 1] = 1  # b, which is not negative
    join = np.hstack([np.eye(n), np.eye(n)])
    last = rng.normal(size=(units, n)).astype(np.float32)
    layers = [relu_layer(W, rng.normal(size=2 * n) / 4), relu_layer(pairs, np.zeros(2 * n))]
    layers += [relu_layer(join, np.zeros(n), slope=1), relu_layer(last, np.zeros(units))]
    return Network(tuple(layers))


def test_ranks_of_a_pooled_convolution_are_settled_without_rationals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Noise: the same ranks as by rational elimination, which is taken away the second time."""
    net = pooled(9)
    X = np.random.default_rng(1).normal(size=(12, 49))
    exact = sample(net, [X])
    assert exact.ranks.exact

    def refused(*arguments: object) -> int:
        raise AssertionError("rationals were asked for")

    monkeypatch.setattr(ranks_module, "_EXACT_WORK", 0)
    monkeypatch.setattr(ranks_module, "_SMALL_WORK", 0)
    monkeypatch.setattr(ranks_module, "exact_rank", refused)
    cut = sample(net, [X])
    assert cut.ranks.exact
    assert (cut.ranks.lower == exact.ranks.lower).all()
