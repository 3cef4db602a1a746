"""Arithmetic modulo a prime against Python's integers."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq, fmpq_mat, fmpz, nmod_mat

from polyrank.network.modular import (
    SMALL_PRIMES,
    fitting_prime,
    inverse_mod,
    pivots_mod,
    product_mod,
    products_mod,
    ranks_mod,
    residues,
)
from polyrank.network.normal_form import Network
from polyrank.network.rational import RationalArray


def test_the_primes_are_and_leave_room_for_sums():
    for prime in SMALL_PRIMES:
        assert fmpz(prime).is_prime()
        assert 2048 * (prime - 1) ** 2 <= 2**53  # float64 adds 2048 products exactly


def test_products_and_ranks_of_many_matrices():
    rng = np.random.default_rng(0)
    p = SMALL_PRIMES[0]
    A = rng.integers(0, p, size=(4, 3000))
    B = rng.integers(0, p, size=(3, 3000, 2))
    assert (products_mod(A, B, p) == (A.astype(object) @ B.astype(object)) % p).all()
    matrices = np.array([[[1, 2], [2, 4]], [[0, 1], [1, 0]], [[0, 0], [0, 0]]])
    assert ranks_mod(matrices, p).tolist() == [1, 2, 0]


def test_a_prime_below_all_that_divide_a_denominator():
    thirds = RationalArray.from_rationals([fmpq(1, 3 * 5 * 11)], (1, 1))
    net = Network.from_arrays([thirds], [[0.0]])
    assert fitting_prime(13, net) == 13
    assert fitting_prime(12, net) == 7
    assert fitting_prime(13, net, below=13) == 7
    with pytest.raises(ValueError, match="every odd prime up to 5 divides a denominator"):
        fitting_prime(5, net)
    with pytest.raises(ValueError, match="11 divides the denominator of 1/165"):
        residues(thirds, 11)


def test_arithmetic_modulo_a_prime():
    rng = np.random.default_rng(1)
    p = SMALL_PRIMES[0]
    A = rng.integers(0, p, (60, 2500)).astype(float)
    B = rng.integers(0, p, (2500, 70)).astype(float)
    expected = (A.astype(object) @ B.astype(object)) % p
    assert (product_mod(A, B, p) == expected.astype(float)).all()
    square = rng.integers(0, p, (130, 130)).astype(float)
    identity = product_mod(square, inverse_mod(square, p), p)
    assert (identity == np.eye(130)).all()
    with pytest.raises(ValueError, match="singular"):
        inverse_mod(np.ones((3, 3)), p)


@pytest.mark.parametrize("shape", [(7, 5), (60, 130), (130, 60), (100, 100)])
def test_pivots_are_those_of_an_invertible_submatrix(shape):
    rng = np.random.default_rng(2)
    p = SMALL_PRIMES[1]
    r = min(shape) // 2
    M = product_mod(
        rng.integers(0, p, (shape[0], r)).astype(float),
        rng.integers(0, p, (r, shape[1])).astype(float),
        p,
    )
    rows, columns = pivots_mod(M, p)
    assert len(rows) == len(columns) == r
    inverse_mod(np.ascontiguousarray(M[np.ix_(rows, columns)]), p)  # raises if it is singular
    assert len(pivots_mod(M, p, stop=2)[0]) == 2


@pytest.mark.parametrize("rank", [3, 50, 120])
def test_pivots_of_tall_matrices(rank):
    """More rows than are taken at once, of which the first are dependent: flint has the rank."""
    rng = np.random.default_rng(rank)
    p = SMALL_PRIMES[0]
    left = rng.integers(0, p, (500, rank))
    left[:90, 2:] = 0
    M = product_mod(left.astype(float), rng.integers(0, p, (rank, 60)).astype(float), p)
    table = nmod_mat(500, 60, [int(v) for v in M.ravel()], p)
    rows, columns = pivots_mod(M, p)
    assert len(rows) == table.rank() == min(rank, 60)
    square = M[np.ix_(rows, columns)]
    assert nmod_mat(len(rows), len(rows), [int(v) for v in square.ravel()], p).rank() == len(rows)
    few, _ = pivots_mod(M, p, stop=2)
    assert np.array_equal(few, rows[:2])


def test_residues_of_floats_and_rationals():
    p = SMALL_PRIMES[2]
    values = [0.0, 1.0, -1.5, 2.0**-1074, 1.7e308, float(p), 0.1]
    found = residues(RationalArray.from_floats(values), p)
    matrix = RationalArray.from_floats(values).to_fmpq_mat()
    assert found.tolist() == [
        int(v.p) * pow(int(v.q), -1, p) % p for v in fmpq_mat(matrix).entries()
    ]
    thirds = residues(RationalArray.from_rationals(["1/3", "-2/3"], (2,)), p)
    assert ((3 * thirds) % p).tolist() == [1, p - 2]
