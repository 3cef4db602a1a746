"""Linking numbers of known links, and against the Gauss integral of the same polygons."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import DomainError, UncertifiedError
from polyrank.image import linking as module
from polyrank.image.hyperplane import Points
from polyrank.image.linking import elementary_divisors, linking_matrix
from polyrank.lp.deadline import OutOfTimeError, time_limit

Floats = NDArray[np.float64]


def points(x: Floats, scale: fmpq | None = None) -> Points:
    factor = fmpq(1) if scale is None else scale
    exact = [[fmpq(*float(v).as_integer_ratio()) * factor for v in row] for row in x]
    return Points.from_rationals(exact, 3)


def cycle(n: int) -> NDArray[np.int64]:
    return np.stack([np.arange(n), (np.arange(n) + 1) % n], axis=1)


def number(a: Floats, b: Floats, scale: fmpq | None = None) -> int:
    one = np.ones((1, len(a)), np.int64), np.ones((1, len(b)), np.int64)
    found = linking_matrix(points(a, scale), points(b, scale), cycle(len(a)), cycle(len(b)), *one)
    return int(found[0, 0])


def gauss(a: Floats, b: Floats) -> float:
    """Sum of the solid angles of pairs of edges (Banchoff 1976; Klenin and Langowski 2000)."""
    a1, b1 = a[:, None], b[None]
    a2, b2 = np.roll(a, -1, axis=0)[:, None], np.roll(b, -1, axis=0)[None]
    corner = [a1 - b1, a1 - b2, a2 - b2, a2 - b1]
    normal = [np.cross(corner[k], corner[(k + 1) % 4]) for k in range(4)]
    unit = [n / np.maximum(np.linalg.norm(n, axis=2, keepdims=True), 1e-300) for n in normal]
    sine = [np.clip((unit[k] * unit[(k + 1) % 4]).sum(axis=2), -1, 1) for k in range(4)]
    turn = np.sign((np.cross(a2 - a1, b2 - b1) * corner[0]).sum(axis=2))
    return float((sum(map(np.arcsin, sine)) * turn).sum() / (4 * np.pi))


def hopf(n: int = 24) -> tuple[Floats, Floats]:
    t = 2 * np.pi * np.arange(n) / n
    first = np.stack([np.cos(t), np.sin(t), 0 * t], axis=1)
    return first, np.stack([1 + np.cos(t), 0 * t, np.sin(t)], axis=1)


def torus_link(p: int, n: int = 48) -> tuple[Floats, Floats]:
    """The (2, 2 p) torus link: two curves that go round each other p times."""
    t = 2 * np.pi * np.arange(n) / n
    curves = []
    for s in (1, -1):
        ring = 2 + s * np.cos(p * t)
        curves.append(np.stack([ring * np.cos(t), ring * np.sin(t), s * np.sin(p * t)], axis=1))
    return curves[0], curves[1]


def test_hopf_link() -> None:
    a, b = hopf()
    assert number(a, b) == -1 == round(gauss(a, b))
    assert number(b, a) == -1  # symmetric
    assert number(a[::-1], b) == 1  # odd under reversal
    assert number(a, b + np.array([5, 0, 0])) == 0
    assert number(a, 0.5 * b + np.array([0.25, 0.25, 7])) == 0


@pytest.mark.parametrize("p", [1, 2, 3, 5])
def test_torus_links(p: int) -> None:
    a, b = torus_link(p)
    assert abs(number(a, b)) == p
    assert number(a, b) == round(gauss(a, b))


@pytest.mark.parametrize("seed", range(8))
def test_affine_maps(seed: int) -> None:
    """lk(A x) = sign(det A) lk(x), and translations change nothing."""
    random = np.random.default_rng(seed)
    a, b = (hopf, lambda: torus_link(2))[seed % 2]()
    matrix = np.round(random.normal(size=(3, 3)) * 16) / 16
    if seed % 4 < 2:
        matrix[0] *= -1
    sign = int(np.sign(round(np.linalg.det(matrix) * 4096)))
    assert sign
    move = random.integers(-9, 9, 3)
    exact_a, exact_b = np.round(a * 2**10) / 2**10, np.round(b * 2**10) / 2**10
    moved = exact_a @ matrix.T + move, exact_b @ matrix.T + move
    assert number(*moved) == sign * number(exact_a, exact_b)


def test_random_polygons() -> None:
    random = np.random.default_rng(2)
    seen = set()
    for _ in range(25):
        a, b = random.normal(size=(9, 3)), random.normal(size=(8, 3))
        found = number(a, b)
        assert found == round(gauss(a, b))
        seen.add(found)
    assert len(seen) >= 3


def test_integer_polygons_with_parallel_and_collinear_edges() -> None:
    square = np.array([[0, 0, 0], [2, 0, 0], [4, 0, 0], [4, 4, 0], [0, 4, 0], [0, 4, 0]], float)
    through = np.array([[2, 2, -1], [2, 2, 1], [9, 2, 1], [9, 2, -1]], float)
    assert number(square, through) == round(gauss(square[:-1], through))
    assert abs(number(square, through)) == 1
    # an edge on the line of an edge of the square, outside of it
    beside = np.array([[5, 0, 0], [7, 0, 0], [7, 0, 3], [5, 0, 3]], float)
    assert number(square, beside) == 0


@pytest.mark.parametrize("power", [-600, 600, 1500])
def test_any_scale(power: int) -> None:
    a, b = hopf(12)
    assert number(a, b, fmpq(2) ** power) == -1


def test_curves_that_meet_have_none() -> None:
    a = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0]], float)
    b = np.array([[2, -2, 0], [2, 2, 0], [2, 0, 5]], float)
    with pytest.raises(DomainError, match="the curves meet"):
        number(a, b)


def test_no_generic_projection(monkeypatch: pytest.MonkeyPatch) -> None:
    a = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0]], float)
    touching = a.copy()  # the same curve: every projection has a vertex on an edge
    with pytest.raises(UncertifiedError, match="no generic projection"):
        number(a, touching)
    monkeypatch.setattr(module, "_TRIES", 0)
    with pytest.raises(UncertifiedError):
        number(*hopf())


def test_only_in_space() -> None:
    flat = Points.from_rationals([[fmpq(0), fmpq(0)], [fmpq(1), fmpq(0)]], 2)
    one = np.ones((1, 2), np.int64)
    with pytest.raises(DomainError, match="curves in R\\^3, not R\\^2"):
        linking_matrix(flat, flat, cycle(2), cycle(2), one, one)


def test_a_time_limit_ends_it() -> None:
    with pytest.raises(OutOfTimeError), time_limit(0):
        number(*hopf())


def test_elementary_divisors() -> None:
    assert elementary_divisors(np.array([[2, 4], [6, 8]])) == (2, 4)  # gcd 2, |det| 8
    assert elementary_divisors(np.zeros((2, 3), np.int64)) == ()
    assert elementary_divisors(np.zeros((0, 0), np.int64)) == ()
