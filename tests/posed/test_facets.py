"""Facets, crossings and nearest points against known polyhedra."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from polyrank.lp.farkas import integer_row, value_at
from polyrank.posed.facets import facets_of, step_across
from polyrank.posed.nearest import nearest_point


def _column(*values) -> fmpq_mat:
    return fmpq_mat(len(values), 1, [fmpq(v) for v in values])


def _cube(k: int) -> list[tuple[int, ...]]:
    """The cube [-1, 1]^k."""
    return [(*(s * (i == j) for j in range(k)), 1) for i in range(k) for s in (1, -1)]


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_redundant_rows_that_touch_the_cube_are_no_facets(k):
    # sum ± x_i ≤ k touches a vertex of the cube, x_i ≤ 2 nothing
    touching = [(*signs, k) for signs in product((1, -1), repeat=k)] if k > 1 else []
    rows = touching + _cube(k) + [(1, *[0] * (k - 1), 2)]
    found = facets_of(rows, fmpq_mat(k, 1))
    assert sorted(f.row for f in found) == sorted(_cube(k))
    for facet in found:  # in the relative interior: on its own row only
        tight = [r for r in rows if value_at(r, facet.point) == 0]
        assert tight == [facet.row]


def test_nearest_points_of_the_cube_by_clamping():
    for point in ((3, 0), (3, -5), (0, 0), ("1/3", 2), (-1, 7)):
        p = _column(*point) if not isinstance(point[0], str) else _column(fmpq(1, 3), 2)
        y, distance = nearest_point(_cube(2), p)
        clamped = [max(fmpq(-1), min(fmpq(1), v)) for v in p.entries()]
        assert y.entries() == clamped
        pairs = zip(clamped, p.entries(), strict=True)
        assert distance == sum(((a - b) ** 2 for a, b in pairs), fmpq(0))


def test_nearest_point_of_a_facet_and_of_nothing():
    y, distance = nearest_point(_cube(2), _column(0, 3), on=(1, 0, 1))
    assert (y.entries(), distance) == ([-1, 1], 5)
    assert nearest_point([(1, -1), (-1, 0)], _column(5)) is None  # x ≥ 1 and x ≤ 0
    assert nearest_point([], _column(5))[1] == 0


def test_a_step_that_does_not_cross_is_refused():
    with pytest.raises(ValueError, match="not on a facet"):
        step_across([(1, 0)], _column(0), _column(-1))


def test_a_step_stays_inside_and_its_numbers_stay_short():
    # 0 < y < width: the largest power of two that is surely below the width, whatever its size
    for numerator, denominator in ((1, 1), (1, 3), (1, 10**500), (10**500 + 1, 3)):
        rows = [(1, 0), (-denominator, numerator)]
        (y,) = step_across(rows, _column(0), _column(1)).entries()
        assert 0 < y < fmpq(numerator, denominator)
        assert int(y.p).bit_count() <= 64
    # the interval (1/3, 1/3 + 3^-200) holds no number of 64 bits: the point stays exact
    low, high = fmpq(1, 3), fmpq(1, 3) + fmpq(1, 3) ** 200
    rows = [(3, -1), (-int(high.q), int(high.p))]
    (y,) = step_across(rows, _column(low), _column(1)).entries()
    assert low < y < high


@pytest.mark.parametrize("seed", range(8))
def test_the_nearest_point_in_a_metric_is_that_of_the_stretched_polyhedron(seed: int) -> None:
    """With G = Lᵀ L and z = L y, the Euclidean problem in z."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 4))
    L = fmpq_mat(k, k, [int(v) for v in rng.integers(-3, 4, k * k)])
    while L.det() == 0:
        L = fmpq_mat(k, k, [int(v) for v in rng.integers(-3, 4, k * k)])
    rows = [tuple(int(v) for v in row) for row in rng.integers(-4, 5, (k + 2, k + 1))]
    rows = [row for row in rows if any(row[:k])]
    point = fmpq_mat(k, 1, [fmpq(int(v), 3) for v in rng.integers(-20, 21, k)])
    back = L.inv()
    stretched = []
    for row in rows:
        a = fmpq_mat(1, k, list(row[:k])) * back
        stretched.append(integer_row([*a.entries(), fmpq(row[k])]))
    expected = nearest_point(stretched, L * point)
    found = nearest_point(rows, point, metric=L.transpose() * L)
    assert (found is None) == (expected is None) == (nearest_point(rows, point) is None)
    if found is not None:
        assert (L * found[0], found[1]) == expected
