"""Separating hyperplanes and common points, against a linear program over the convex weights."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from polyrank.errors import RefutedError
from polyrank.image import hyperplane as module
from polyrank.image.hyperplane import (
    CommonPoint,
    Hyperplane,
    Points,
    dot_bounds,
    separate_hulls,
    verify_common_point,
    verify_hyperplane,
)
from polyrank.lp.certificates import Unbounded
from polyrank.lp.deadline import OutOfTimeError, time_limit
from tests.image.hulls import hulls_meet


def exact_points(rows: object, scale: fmpq | None = None) -> Points:
    table = np.asarray(rows, dtype=np.float64)
    factor = fmpq(1) if scale is None else scale
    exact = [[fmpq(*float(v).as_integer_ratio()) * factor for v in row] for row in table]
    return Points.from_rationals(exact, table.shape[1])


def check(a: Points, b: Points) -> Hyperplane | CommonPoint:
    found = separate_hulls(a, b)
    if isinstance(found, Hyperplane):
        assert verify_hyperplane(a, b, found)
        assert all(found.value(a.exact(i)) > 0 for i in range(len(a)))
        assert all(found.value(b.exact(i)) < 0 for i in range(len(b)))
    else:
        assert verify_common_point(a, b, found)
    return found


@pytest.mark.parametrize("seed", range(60))
def test_agrees_with_weights(seed: int) -> None:
    random = np.random.default_rng(seed)
    m = int(random.integers(1, 5))
    rows = random.normal(size=(int(random.integers(1, 8)), m))
    others = random.normal(size=(int(random.integers(1, 8)), m)) + random.choice([0, 1, 2])
    if seed % 2:  # small integers: touching, coincident and collinear points
        rows, others = np.round(rows), np.round(others)
    a, b = exact_points(rows), exact_points(others)
    meets = hulls_meet([a.exact(i) for i in range(len(a))], [b.exact(i) for i in range(len(b))])
    assert isinstance(check(a, b), CommonPoint) == meets


def test_touching_is_a_common_point() -> None:
    square = exact_points([[0, 0], [1, 0], [0, 1], [1, 1]])
    corner = check(square, exact_points([[1, 1], [2, 1], [1, 2]]))
    assert isinstance(corner, CommonPoint)
    assert corner.point == (1, 1)
    edge = check(square, exact_points([[2, 0.5], [1, 0.5]]))
    assert isinstance(edge, CommonPoint)
    assert edge.point == (1, fmpq(1, 2))


@pytest.mark.parametrize("gap", [2.0**-40, 2.0**-52])
def test_a_gap_that_floats_hardly_see(gap: float) -> None:
    a = exact_points([[1.0, 0.0], [1.0, 1.0], [0.0, 0.5]])
    b = exact_points([[1.0 + gap, 0.25], [3.0, 0.25]])
    assert isinstance(check(a, b), Hyperplane)


@pytest.mark.parametrize("power", [-1060, -1000, -700, -330, 330, 700, 1000, 1015])
def test_any_scale(power: int) -> None:
    scale = fmpq(2) ** power
    a = exact_points([[1, 0, 3], [1, 1, 0], [0, 0.5, 0]], scale)
    b = exact_points([[2, 0.25, 1], [3, 0.25, 0]], scale)
    assert isinstance(check(a, b), Hyperplane)
    assert isinstance(check(a, exact_points([[1, 0, 3], [5, 5, 5]], scale)), CommonPoint)


def test_numbers_beyond_all_floats() -> None:
    huge = fmpq(10) ** 400
    a = Points.from_rationals([[huge, fmpq(0)], [2 * huge, fmpq(1)]], 2)
    b = Points.from_rationals([[3 * huge, fmpq(0)], [4 * huge, fmpq(7)]], 2)
    assert np.isinf(a.error).any()
    assert isinstance(check(a, b), Hyperplane)
    middle = Points.from_rationals([[huge * fmpq(3, 2), fmpq(1, 2)]], 2)
    assert isinstance(check(a, middle), CommonPoint)


def test_axes_of_different_scale() -> None:
    a = exact_points([[1e9, 1e-9], [1e9, 2e-9]])
    b = exact_points([[1e9, 3e-9], [-1e9, 5e-9]])
    assert isinstance(check(a, b), Hyperplane)


def test_many_points_need_few() -> None:
    random = np.random.default_rng(5)
    a, b = exact_points(random.normal(size=(3000, 3))), exact_points(random.normal(size=(3000, 3)))
    common = check(a, b)
    assert isinstance(common, CommonPoint)
    assert len(common.first) + len(common.second) <= 5  # Caratheodory


def test_what_is_wrong_is_not_verified() -> None:
    a, b = exact_points([[0], [1]]), exact_points([[2], [3]])
    assert not verify_hyperplane(a, b, Hyperplane((1,), 1))
    assert not verify_hyperplane(a, b, Hyperplane((-1,), -1))  # 1 lies on it
    assert verify_hyperplane(a, b, Hyperplane((-2,), -3))
    half, one = fmpq(1, 2), fmpq(1)
    assert not verify_common_point(a, b, CommonPoint(((0, one),), ((0, one),), (fmpq(0),)))
    assert not verify_common_point(a, a, CommonPoint(((0, half),), ((0, one),), (fmpq(0),)))
    negative = ((0, fmpq(2)), (1, fmpq(-1)))
    assert not verify_common_point(a, a, CommonPoint(negative, ((0, one),), (fmpq(-1),)))


def test_bounds_contain_the_truth() -> None:
    random = np.random.default_rng(1)
    third = [[fmpq(int(v), 3) for v in row] for row in random.integers(-9, 9, (50, 4))]
    points = Points.from_rationals(third, 4)
    normal = random.normal(size=4)
    low, high = dot_bounds(points, normal)
    w = [fmpq(*v.as_integer_ratio()) for v in normal.tolist()]
    for row, lo, hi in zip(third, low.tolist(), high.tolist(), strict=True):
        value = sum((x * y for x, y in zip(w, row, strict=True)), fmpq(0))
        assert fmpq(*lo.as_integer_ratio()) <= value <= fmpq(*hi.as_integer_ratio())
    assert np.abs(high - low).max() < 1e-12


@pytest.mark.parametrize("meets", [False, True])
def test_the_last_resort_is_all_points_at_once(
    monkeypatch: pytest.MonkeyPatch, meets: bool
) -> None:
    monkeypatch.setattr(module, "_ROUNDS", 0)
    monkeypatch.setattr(module, "_rounded_plane", lambda *_: None)
    a, b = exact_points([[0, 0], [1, 1]]), exact_points([[1, 0], [0, 1 if meets else -1]])
    assert isinstance(check(a, b), CommonPoint) == meets


def test_internal_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    a = exact_points([[0], [1]])
    monkeypatch.setattr(module, "verify_common_point", lambda *_: False)
    with pytest.raises(RefutedError, match="Farkas multipliers give no common point"):
        separate_hulls(a, a)
    unbounded = Unbounded(fmpq_mat(2, 1), (1, 0), 0)
    monkeypatch.setattr(module, "minimise", lambda *_: unbounded)
    with pytest.raises(RefutedError, match="no lower bound"):
        separate_hulls(a, a)


def test_a_time_limit_ends_the_exact_part() -> None:
    a, b = exact_points([[0], [1]]), exact_points([[1], [3]])
    with pytest.raises(OutOfTimeError), time_limit(0):
        separate_hulls(a, b)
