"""The compiled branch and bound over flats, against all subsets."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from flint import nmod_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.minrank.flats import DONE, NEEDED, PAUSED, Flats

PRIME = 2147483647


def rank(rows: list[list[int]], k: int) -> int:
    if not rows:
        return 0
    return int(nmod_mat(len(rows), k, [v % PRIME for r in rows for v in r], PRIME).rank())


def closure(rows: list[list[int]], chosen: tuple[int, ...], k: int) -> set[int]:
    base = [rows[i] for i in chosen]
    size = rank(base, k)
    return {i for i, row in enumerate(rows) if rank([*base, row], k) == size}


def least_rank(rows: list[list[int]], covers: list[list[int]], k: int) -> int | None:
    """Least rank of a flat that meets every cover, by trying every subset."""
    for size in range(k + 1):
        for chosen in itertools.combinations(range(len(rows)), size):
            flat = closure(rows, chosen, k)
            if all(flat & set(cover) for cover in covers):
                return size
    return None


def arrays(rows: list[list[int]], covers: list[list[int]], k: int) -> tuple[Any, ...]:
    elements = np.array([[v % PRIME for v in row] for row in rows], dtype=np.int64)
    table = np.zeros((len(covers) + 1, len(rows)), dtype=np.int64)
    lengths = np.zeros(len(covers) + 1, dtype=np.int64)
    for i, cover in enumerate(covers):
        table[i, : len(cover)] = cover
        lengths[i] = len(cover)
    return elements.reshape(len(rows), k), table, lengths


@settings(max_examples=200)
@given(st.data())
def test_against_all_subsets(data: st.DataObject) -> None:
    k = data.draw(st.integers(1, 4))
    m = data.draw(st.integers(1, 7))
    rows = data.draw(
        st.lists(st.lists(st.integers(-1, 1), min_size=k, max_size=k), min_size=m, max_size=m)
    )
    covers = data.draw(
        st.lists(st.lists(st.integers(0, m - 1), max_size=4, unique=True), max_size=7)
    )
    expected = least_rank(rows, covers, k)
    elements, table, lengths = arrays(rows, covers, k)
    budget = data.draw(st.sampled_from([1, 2, 1000]))
    for last in range(k + 1):
        flats = Flats(elements, last + 1)
        status = PAUSED
        while status == PAUSED:
            before = flats.nodes
            status = flats.advance(table, lengths, len(covers), last, PRIME, budget)
            assert flats.nodes - before <= budget
        if expected is None or expected > last:
            assert status == DONE
            continue
        assert status == NEEDED
        depth = flats.depth
        flat = set(np.flatnonzero(flats.flat).tolist())
        assert all(flat & set(cover) for cover in covers)
        assert rank([rows[i] for i in flat], k) == depth <= last


def test_a_flat_that_is_refuted_later_is_left() -> None:
    rows = [[1, 0], [0, 1], [1, 1]]
    elements, table, lengths = arrays(rows, [[0, 1], [2], [0]], 2)
    flats = Flats(elements, 2)
    # with the first cover alone, the flat of unit 0 is handed out; the second needs unit 2 as well
    assert flats.advance(table, lengths, 1, 1, PRIME, 100) == NEEDED
    assert flats.flat.tolist() == [True, False, False]
    assert flats.advance(table, lengths, 2, 1, PRIME, 100) == DONE


@settings(max_examples=100)
@given(st.data())
def test_rows_in_general_position(data: st.DataObject) -> None:
    """No two parallel modulo a flat: all elements of the last level are refuted at a time."""
    k, m = data.draw(st.integers(2, 4)), data.draw(st.integers(3, 8))
    rows = [[t**j for j in range(k)] for t in range(1, m + 1)]  # Vandermonde
    double = data.draw(st.integers(0, m - 1))
    rows.append([2 * v for v in rows[double]] if data.draw(st.booleans()) else [0] * (k - 1) + [1])
    units = st.integers(0, m)
    covers = data.draw(st.lists(st.lists(units, min_size=1, max_size=4, unique=True), max_size=9))
    expected = least_rank(rows, covers, k)
    elements, table, lengths = arrays(rows, covers, k)
    for last in range(k + 1):
        flats = Flats(elements, last + 1)
        known = 0 if last % 2 else len(covers)  # all at once, or one after the other
        while True:
            status = flats.advance(table, lengths, known, last, PRIME, 1000)
            flat, banned = (set(np.flatnonzero(v).tolist()) for v in (flats.flat, flats.banned))
            if status == DONE or known == len(covers):
                break
            assert not flat & banned
            missed = [c for c in range(known, len(covers)) if not flat & set(covers[c])]
            known = missed[0] + 1 if missed else len(covers)
        assert (status == NEEDED) == (expected is not None and expected <= last)
        assert status == DONE or all(flat & set(cover) for cover in covers)


@pytest.mark.parametrize("prime", [2, 3, 5, PRIME])
def test_every_prime(prime: int) -> None:
    rows = [[1, 2, 0], [2, 1, 0], [0, 0, 1], [1, 1, 1]]
    elements = np.array(rows, dtype=np.int64) % prime
    table = np.arange(4, dtype=np.int64).reshape(4, 1)
    lengths = np.ones(4, dtype=np.int64)
    whole = int(nmod_mat(4, 3, [v % prime for r in rows for v in r], prime).rank())
    for last in range(4):
        flats = Flats(elements, last + 1)
        status = flats.advance(table, lengths, 4, last, prime, 100)
        assert status == (DONE if last < whole else NEEDED)
