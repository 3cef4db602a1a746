"""The exact rank against FLINT's own elimination, on matrices that are made to be deficient."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq, fmpq_mat, fmpz_mat
from hypothesis import given
from hypothesis import strategies as st

from polyrank.network import exact_rank as module
from polyrank.network.exact_rank import exact_rank, independent_rows, modular_pivots, rank_of_rows


@st.composite
def products(draw: st.DrawFn) -> fmpq_mat:
    """A product of two matrices: its rank is at most the inner dimension, which may be 0."""
    m, n, r = draw(st.integers(0, 6)), draw(st.integers(0, 6)), draw(st.integers(0, 4))
    entry = st.integers(-3, 3)
    left = fmpq_mat(
        m, r, [fmpq(draw(entry), draw(st.sampled_from([1, 2, 3]))) for _ in range(m * r)]
    )
    right = fmpq_mat(r, n, [fmpq(draw(entry), draw(st.sampled_from([1, 5]))) for _ in range(r * n)])
    return left * right


@given(products())
def test_the_rank_is_that_of_elimination(matrix: fmpq_mat) -> None:
    assert exact_rank(matrix) == (matrix.rank() if matrix.nrows() and matrix.ncols() else 0)


@pytest.mark.parametrize("prime", module._PRIMES)
def test_a_prime_that_divides_the_minors_is_no_upper_bound(prime: int) -> None:
    assert exact_rank(fmpq_mat(2, 2, [fmpq(prime), 0, 0, fmpq(1)])) == 2
    assert modular_pivots(fmpz_mat(2, 2, [prime, 0, 0, 1]), prime) == [1]


def test_where_all_primes_are_unlucky_elimination_decides() -> None:
    product = 1
    for prime in module._PRIMES:
        product *= prime
    assert exact_rank(fmpq_mat(2, 2, [fmpq(product), fmpq(1), 0, fmpq(product)])) == 2
    assert exact_rank(fmpq_mat(3, 2, [fmpq(1), 0, 0, fmpq(product), fmpq(1), fmpq(product)])) == 2


def test_the_last_resort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PRIMES", (2,))
    assert exact_rank(fmpq_mat(2, 2, [fmpq(2), fmpq(1), fmpq(2), fmpq(3)])) == 2


def test_a_large_matrix_of_small_deficiency() -> None:
    rng = np.random.default_rng(0)
    left = fmpz_mat(60, 50, [int(v) for v in rng.integers(-(2**24), 2**24, 3000)])
    right = fmpz_mat(50, 90, [int(v) for v in rng.integers(-(2**24), 2**24, 4500)])
    assert exact_rank(fmpq_mat(left * right)) == 50


@pytest.mark.parametrize("late", [0, 5, 25, 29])
def test_a_tall_matrix_whose_first_rows_may_not_be_enough(late: int) -> None:
    """Unit rows, the last of them only as row ``late``, among multiples of the first two."""
    rows = [[3 * i + 1, i, 0] for i in range(30)]
    assert modular_pivots(fmpz_mat(rows)) == [0, 1]
    rows[late] = [0, 0, 1]
    assert modular_pivots(fmpz_mat(rows)) == [0, 1, 2]
    assert exact_rank(fmpq_mat(fmpz_mat(rows))) == 3


@given(products(), st.integers(1, 3), st.sampled_from([0, 2]))
def test_rows_may_be_taken_some_at_a_time(matrix: fmpq_mat, step: int, prime: int) -> None:
    """Each row that no earlier ones span; modulo 2 residues tell little, and the rest is proved."""
    rows = matrix.numer_denom()[0].tolist()
    expected = matrix.rank() if matrix.nrows() and matrix.ncols() else 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LEAST_STEP", step)
        if prime:
            patch.setattr(module, "_PRIMES", (prime,))
        assert rank_of_rows(rows) == expected
        assert rank_of_rows(rows, expected) == expected
        chosen = independent_rows(rows)
        assert len(independent_rows(rows, at_most=1)) == min(1, expected)
    assert len(chosen) == expected
    width = matrix.ncols()
    for i in range(len(rows)):
        before = fmpz_mat(i + 1, width, [v for row in rows[: i + 1] for v in row])
        assert before.rank() == sum(j <= i for j in chosen)


@pytest.mark.parametrize("late", [0, 5, 25, 29])
def test_the_last_row_of_a_tall_matrix_counts(late: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows but one are multiples of two: the first two and the late one are independent."""
    monkeypatch.setattr(module, "_LEAST_STEP", 4)
    rows = [(3 * i + 1, i, 0) for i in range(30)]
    assert rank_of_rows(rows) == 2
    rows[late] = (0, 0, 1)
    assert rank_of_rows(iter(rows)) == 3
    assert independent_rows(rows) == sorted({late, *[i for i in range(3) if i != late][:2]})
