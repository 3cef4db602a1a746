"""Facets in many dimensions: every proof verified, and the same facets as by exact programs."""

from __future__ import annotations

import random

import pytest
from flint import fmpq, fmpq_mat

from polyrank.lp.deadline import time_limit
from polyrank.lp.farkas import coprime, value_at, values_at
from polyrank.posed import redundancy as module
from polyrank.posed.facets import facets_of
from polyrank.posed.redundancy import redundancy


def polyhedron(seed: int) -> tuple[list[tuple[int, ...]], fmpq_mat]:
    """Rows around a point: a box or half of one, copies shifted outwards, sums that touch."""
    rng = random.Random(seed)
    k = rng.randint(1, 6)
    inside = [fmpq(rng.randint(-9, 9), 10) for _ in range(k)]
    rows = []
    for l in range(k):
        for sign in (1, -1):
            if rng.random() < 0.7:
                row = [0] * (k + 1)
                row[l], row[k] = sign, rng.randint(1, 3)
                rows.append(row)
    while len(rows) < 3 * k:
        row = [rng.randint(-5, 5) for _ in range(k)]
        if any(row):
            rows.append([*row, rng.randint(0, 12)])
    for _ in range(3):
        a, b = rng.choice(rows), rng.choice(rows)
        rows.append([x + y for x, y in zip(a, b, strict=True)])  # touches where both vanish
        rows.append([*a[:k], a[k] + 1])
    point = fmpq_mat(k, 1, inside)
    strict = {coprime(row) for row in rows if any(row[:k]) and value_at(row, point) > 0}
    return sorted(strict), point


def verified(rows, inside, found) -> None:
    for facet in found.facets:
        values = dict(zip(rows, values_at(rows, facet.point), strict=True))
        assert values.pop(facet.row) == 0
        assert all(v > 0 for v in values.values())


@pytest.mark.parametrize("block", range(4))
def test_the_same_facets_as_by_exact_programs(block):
    for seed in range(40 * block, 40 * block + 40):
        rows, inside = polyhedron(seed)
        found = redundancy(rows, inside)
        verified(rows, inside, found)
        assert found.undecided == ()
        exact = {facet.row for facet in facets_of(rows, inside)}
        assert {facet.row for facet in found.facets} == exact


@pytest.mark.parametrize("block", range(2))
def test_floats_alone_never_say_what_is_false(monkeypatch, block):
    """Without exact programs some rows stay undecided; what is said is true."""
    monkeypatch.setattr(module, "_EXACT_WORK", 0)
    open_rows = decided = 0
    for seed in range(40 * block, 40 * block + 40):
        rows, inside = polyhedron(seed)
        found = redundancy(rows, inside)
        verified(rows, inside, found)
        exact = {facet.row for facet in facets_of(rows, inside)}
        facets = {facet.row for facet in found.facets}
        assert facets <= exact <= facets | set(found.undecided)
        open_rows += len(found.undecided)
        decided += len(rows) - len(found.undecided)
    assert open_rows <= decided / 20


@pytest.mark.parametrize("bounded", [True, False])
def test_many_dimensions(bounded):
    """In R^120: combinations of rows are redundant, halfspaces in general position are not."""
    rng = random.Random(7)
    k = 120
    inside = fmpq_mat(k, 1, [fmpq(rng.randint(1, 9), 10) for _ in range(k)])

    def around(row, slack):
        value = sum((a * v for a, v in zip(row, inside.entries(), strict=True)), fmpq(0))
        return coprime([10 * int(v) for v in row] + [int(10 * (slack - value))])

    facets = [around([rng.randint(-9, 9) for _ in range(k)], 1) for _ in range(8)]
    walls = [
        tuple(sign if j == l else int(sign < 0) * (j == k) for j in range(k + 1))
        for l in range(k)
        for sign in (1, -1)
    ]
    sums = []
    for _ in range(6):
        a, b = rng.sample(facets, 2)
        sums.append(coprime([2 * x + 3 * y for x, y in zip(a, b, strict=True)]))  # touching
        sums.append(coprime([*sums[-1][:k], sums[-1][k] + 1]))
    rows = [*facets, *sums, *(walls if bounded else ())]
    found = redundancy(rows, inside)
    assert {facet.row for facet in found.facets} == {*facets, *(walls if bounded else ())}
    assert found.undecided == ()
    verified(rows, inside, found)


def test_the_end_of_the_time_leaves_rows_undecided():
    rows, inside = polyhedron(3)
    with time_limit(0.0):
        found = redundancy(rows, inside)
    assert found.facets == ()
    assert set(found.undecided) == set(rows)


def test_a_solver_that_fails_decides_nothing(monkeypatch):
    """An error of HiGHS is no verdict."""
    monkeypatch.setattr(module, "_EXACT_WORK", 0)
    monkeypatch.setattr(module._Programs, "_solve", lambda _self, _i: None)
    rows, inside = polyhedron(5)
    found = redundancy(rows, inside)
    verified(rows, inside, found)
    exact = {facet.row for facet in facets_of(rows, inside)}
    assert exact <= {facet.row for facet in found.facets} | set(found.undecided)


def test_false_prices_prove_nothing(monkeypatch):
    """Multipliers that are wrong leave a row undecided."""
    monkeypatch.setattr(module, "_EXACT_WORK", 0)
    solve = module._Programs._solve

    def wrong(self, i):
        found = solve(self, i)
        return None if found is None else (1.0, found[1], found[2] * 0.5 + 1.0, found[3])

    monkeypatch.setattr(module._Programs, "_solve", wrong)
    for seed in range(30):
        rows, inside = polyhedron(seed)
        found = redundancy(rows, inside)
        exact = {facet.row for facet in facets_of(rows, inside)}
        facets = {facet.row for facet in found.facets}
        assert facets <= exact <= facets | set(found.undecided)
