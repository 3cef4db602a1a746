"""What the core says of a table of floats, against rationals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq_mat

from polyrank.native.records import call
from polyrank.network.rational import fmpq_from_float


def _multiples(table):
    of = np.empty(len(table), dtype=np.int64)
    sign = np.empty(len(table), dtype=np.int8)
    assert call("polyrank_find_multiples", table, of, sign)
    return of.tolist(), sign.tolist()


def _by_fractions(table):
    """The first row that a row is a multiple of, by exact quotients."""
    first, of, sign = {}, [], []
    for i, row in enumerate(table.tolist()):
        exact = [Fraction(v) for v in row]
        lead = next((v for v in exact if v), None)
        of.append(-1 if lead is None else first.setdefault(tuple(v / lead for v in exact), i))
        sign.append(-1 if lead is not None and lead < 0 else 1)
    return of, sign


@pytest.mark.parametrize("seed", range(30))
def test_multiples_are_those_of_rationals(seed):
    """Multiples by all powers, by odd factors that round or not, and rows one bit beside them."""
    rng = np.random.default_rng(seed)
    m, width = 24, int(rng.integers(1, 5))
    base = rng.normal(size=(4, width)) * (rng.random((4, width)) < 0.7)
    table = base[rng.integers(0, 4, m)]
    table = table * rng.choice([1.0, -1.0, 3.0, 1.1, 2.0**-1000, -(2.0**900), 2.0**-1060], (m, 1))
    odd = rng.random((m, width)) < 0.05
    table = np.where(odd, np.nextafter(table, np.inf), table)
    assert _multiples(table) == _by_fractions(table)


def test_quotients_that_round_alike_are_told_apart():
    near = np.array([[3.0, 1.0], [3.0, np.nextafter(1.0, 2.0)], [9.0, 3.0], [-1.5, -0.5]])
    assert _multiples(near) == ([0, 1, 0, 0], [1, 1, 1, -1])
    above = np.nextafter(1.0, 2.0)
    # 1/above and its neighbours: products decide where quotients are equal
    pair = np.array([[above, 1.0], [above * above, above]])
    assert _multiples(pair) == _by_fractions(pair)


@pytest.mark.parametrize("seed", range(30))
def test_rows_that_are_called_independent_are(seed):
    rng = np.random.default_rng(seed)
    m, width = (int(v) for v in rng.integers(1, 7, 2))
    rank = int(rng.integers(0, min(m, width) + 1))
    table = rng.integers(-3, 4, (m, rank)) @ rng.integers(-3, 4, (rank, width))
    table = np.ascontiguousarray(table * np.ldexp(1.0, rng.integers(-40, 40, (m, 1))))
    entries = [fmpq_from_float(v) for v in table.ravel().tolist()]
    true = fmpq_mat(m, width, entries).rank()
    found = [call("polyrank_independent_rows", table, n + 1) == 1 for n in range(min(m, width))]
    # small integers are far from dependent where they are not
    assert found == [n < true for n in range(min(m, width))]
