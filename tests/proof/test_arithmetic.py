"""The checker's arithmetic against plain integers and fractions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpq_mat, fmpz_mat
from hypothesis import given
from hypothesis import strategies as st

from polyrank.network.normal_form import Network, affine_layer, relu_layer
from polyrank.polyhedra.system import identity
from polyrank.proof.farkas import is_nonnegative, proves
from polyrank.proof.integers import (
    PRIME,
    bit_length,
    by_cone,
    by_identity,
    product,
    ranks_at_least,
)
from polyrank.proof.layers import Layers, Region
from polyrank.proof.proposals import Proposals, eliminated
from polyrank.proof.rounding import compose
from tests.proof.runs import random_network


@given(st.integers(0, 10**9), st.integers(1, 80), st.integers(1, 58), st.integers(1, 50))
def test_products_are_within_their_error(seed: int, c: int, left: int, right: int) -> None:
    dice = np.random.default_rng(seed)
    A = dice.integers(-(1 << left), 1 << left, size=(3, c)) >> dice.integers(0, left + 1, (3, c))
    B = dice.integers(-(1 << right), 1 << right, size=(c, 4))
    A[:, dice.integers(0, c)] = 0
    A = A // c
    norm = int(np.abs(A).sum(axis=1).max()) + c
    found, shift, error = product(A, B, norm)
    exact = A.astype(object) @ B.astype(object)
    assert error == 0 or shift > 0
    assert (abs(exact - found.astype(object) * (1 << shift)) <= error << shift).all()


def test_products_of_small_limbs() -> None:
    A = np.full((1, 2), 1 << 58, dtype=np.int64)  # only the highest limb is not 0
    B = np.full((2, 1), (1 << 50) - 1, dtype=np.int64)
    found, shift, error = product(A, B, 1 << 60)
    assert abs((int(found[0, 0]) << shift) - (2 << 58) * ((1 << 50) - 1)) <= error << shift


def test_bit_length() -> None:
    for v in (0, 1, 2, 3, 4, (1 << 53) + 1, (1 << 61) - 1):
        assert bit_length(np.array([v]))[0] - v.bit_length() in (0, 1)


def _networks() -> list[Network]:
    rng = np.random.default_rng(5)
    leaky = [relu_layer(rng.normal(size=(5, n)), rng.normal(size=5), slope="0.01") for n in (2, 5)]
    tiny = [rng.normal(size=(6, 2)) * 2.0**-90, rng.normal(size=(4, 6)) * 2.0**70]
    return [
        random_network(1, 2, 9, 8, 7, 3),
        random_network(2, 3, 70, 70, 1),
        random_network(3, 2, 6, 5, 4, 2, integers=True),
        Network((*leaky, affine_layer(rng.normal(size=(2, 5)), [0.0, 1e-9]))),
        Network.from_arrays(tiny, [np.full(6, 1e30), np.full(4, 1e-30)]),
    ]


@pytest.mark.parametrize("number", range(5))
def test_rounded_rows_are_within_their_error(number: int) -> None:
    """Exact rows and residues on random sets of active units, which need not be regions."""
    net = _networks()[number]
    n = net.input_dim
    layers = Layers(net, len(net.layers), fmpq_mat(n, 1, [fmpq(1, 3)] * n), identity(n))
    dice = np.random.default_rng(number)
    for _ in range(6):
        line = [Region(layers, None, 0, 0)]
        for layer in layers.layers[:-1]:
            mask = int.from_bytes(dice.bytes(16), "little") & ((1 << layer.units) - 1)
            line.append(Region(layers, line[-1], mask, 0))
        compose(layers, line)
        for region in line:
            exact = np.array(region.exact, dtype=object).T
            gap = abs(exact - region.rounded.astype(object) * (1 << region.exponent))
            assert (gap <= region.error << region.exponent).all()
            assert (exact[:-1] % PRIME == region.residues).all()
            largest = max(abs(v) for v in exact.ravel())
            assert region.error << region.exponent <= max(largest >> 12, 1 << 12) or number == 4
    assert number != 2 or line[-1].error == 0  # small integers stay exact


@given(st.integers(0, 10**9), st.integers(1, 4), st.booleans())
def test_cones_and_identities_prove_only_what_is_true(seed: int, d: int, bounded: bool) -> None:
    """Whatever is accepted holds at the vertices or rays that rationals give."""
    dice = np.random.default_rng(seed)
    m = 30
    A = dice.integers(-6, 7, size=(d, d + 1, m)) * (1 if bounded else 1 << 20)
    g = dice.integers(-6, 7, size=(d + 1, m)) * (1 if bounded else 1 << 20)
    zero = np.zeros(m, dtype=np.int64)
    errors = np.zeros((d, m), dtype=np.int64)
    propose = Proposals(A[:, :d], g[:d])
    unused = np.zeros((d, m), dtype=bool)
    answers = [
        by_identity(g, zero, A, errors, *found, bounded=True)
        for found in (propose.rounded(unused), propose.integral(unused))
    ]
    cone = by_cone(g[:d], zero, A[:, :d], errors, propose.rays())
    for s in range(m):
        rows, goal = A[:, :, s].tolist(), g[:, s].tolist()
        matrix = fmpz_mat([row[:-1] for row in rows])
        if cone[s]:
            assert matrix.det() != 0
            solved = matrix.transpose().solve(fmpz_mat([[v] for v in goal[:-1]]))
            assert all(v >= 0 for v in solved.entries())
        if answers[0][s] or answers[1][s]:
            multipliers, scale = eliminated(goal, rows, bounded=True)
            assert matrix.det() == 0 or proves(goal, rows, multipliers, scale, bounded=True)


def test_multipliers_that_prove_nothing() -> None:
    assert proves((1, 0), [(1, 0)], [1], 1, bounded=False)
    assert not proves((1, 0), [(-1, 0)], [-1], 1, bounded=False)
    assert not proves((1, 0), [(1, 0)], [1], 0, bounded=False)
    assert not proves((1, 0), [(1, 0)], [2], 1, bounded=False)
    assert is_nonnegative((1, -1, 2), bounded=True)
    assert not is_nonnegative((1, -1, 1), bounded=True)
    assert not is_nonnegative((1, -1, 2), bounded=False)
    assert is_nonnegative((0, 0, 0), bounded=False)


def test_an_overflow_proves_nothing() -> None:
    large = np.full((2, 1), 1 << 40, dtype=np.int64)
    zero = np.zeros(1, dtype=np.int64)
    found: Any = by_identity(
        large, zero, large[None], zero[None], np.array([[1 << 40]]), zero + 1, bounded=True
    )
    assert not found[0]
    rays = np.full((1, 1, 1), np.iinfo(np.int64).min)
    assert not by_cone(large[:1], zero, large[None, :1], zero[None], rays)[0]


@given(st.integers(0, 10**9), st.integers(1, 9), st.integers(0, 4))
def test_ranks_modulo_a_prime_are_lower_bounds(seed: int, n: int, k: int) -> None:
    dice = np.random.default_rng(seed)
    r = int(dice.integers(0, min(n, k) + 1))
    tall, wide = dice.integers(-9, 10, size=(7, n, r)), dice.integers(-9, 10, size=(7, r, k))
    matrices = tall @ wide
    found = ranks_at_least(matrices % PRIME, dice)
    for matrix, rank in zip(matrices, found.tolist(), strict=True):
        exact = fmpz_mat(matrix.tolist()).rank() if k else 0
        assert rank <= exact
        assert rank == exact or exact > 0  # equal but for a chance of about 1 in 2^17
