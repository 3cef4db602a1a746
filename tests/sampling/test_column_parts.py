"""Parts of columns: never below the rank, equal to it where parts are small, whatever the prime."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq_mat, fmpz
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.network.normal_form import Network, relu_layer
from polyrank.sampling import column_parts
from polyrank.sampling import ranks as ranks_module
from polyrank.sampling.column_parts import parts_bound
from polyrank.sampling.estimate import sample

PRIME = 2097143


def as_rows(M: np.ndarray) -> list[dict[int, fmpz]]:
    return [{j: fmpz(int(v)) for j, v in enumerate(row) if v} for row in M]


def rank(M: np.ndarray) -> int:
    return fmpq_mat(*M.shape, [int(v) for v in M.ravel()]).rank() if M.size else 0


@settings(max_examples=150)
@given(
    st.integers(0, 10**6), st.integers(1, 7), st.integers(1, 7), st.sampled_from([2, 3, 7, PRIME])
)
def test_it_bounds_the_rank(seed: int, m: int, n: int, prime: int) -> None:
    """Modulo a large prime the parts are those over ℚ, and exact; a small one only weakens them."""
    rng = np.random.default_rng(seed)
    M = rng.integers(-3, 4, (m, n)) * (rng.random((m, n)) < 0.5)
    if seed % 2:
        M[-1] = M[: m // 2 + 1].sum(axis=0)
    found = parts_bound(as_rows(M), n, prime)
    assert rank(M) <= found <= min(n, (M != 0).any(axis=0).sum())
    if prime == PRIME:
        assert found == rank(M)


def test_large_parts_count_their_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    M = np.array([[1, 2, 0], [2, 4, 0], [0, 0, 5]])
    assert parts_bound(as_rows(M), 3, PRIME) == 2
    monkeypatch.setattr(column_parts, "_PART_WORK", 0)
    assert parts_bound(as_rows(M), 3, PRIME) == 3
    assert parts_bound([], 3, PRIME) == parts_bound([{}, {}], 3, PRIME) == 0


def network(units: int) -> Network:
    """Maxima b + relu(a - b) of pairs of 2 × 2 windows that two channels share: many are equal."""
    side, n = 7, 36
    windows = np.zeros((n, side * side))
    for i, corner in enumerate(r * side + c for r in range(6) for c in range(6)):
        windows[i, [corner, corner + 1, corner + side, corner + side + 1]] = [1, 2, -1, 3]
    W = np.vstack([windows, 2 * windows])
    pairs, join = np.zeros((2 * n, 2 * n)), np.hstack([np.eye(n), np.eye(n)])
    for i in range(n):
        pairs[i, i], pairs[i, n + i], pairs[n + i, n + i] = 1, -1, 1
    layers = [relu_layer(W, np.zeros(2 * n)), relu_layer(pairs, np.zeros(2 * n))]
    layers += [relu_layer(join, np.zeros(n)), relu_layer(np.ones((units, n)), np.zeros(units))]
    return Network(tuple(layers))


def test_ranks_that_a_cut_cannot_see_are_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rationals say the same, and without them and without parts the ranks stay open."""
    net = network(3)
    X = np.random.default_rng(0).normal(size=(6, 49))
    exact = sample(net, [X]).ranks
    assert exact.exact
    monkeypatch.setattr(ranks_module, "_EXACT_WORK", 0)
    monkeypatch.setattr(ranks_module, "_SMALL_WORK", 0)
    found = sample(net, [X]).ranks
    assert np.array_equal(found.lower, exact.lower)
    assert np.array_equal(found.upper[:, :3], exact.upper[:, :3])
    monkeypatch.setattr(ranks_module, "_PARTS_ENTRIES", 0)
    assert not (sample(net, [X]).ranks.upper[:, :3] == exact.upper[:, :3]).all()
