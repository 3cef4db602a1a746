"""The checker's arithmetic against plain integers and fractions."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from flint import fmpq, fmpq_mat, fmpz_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.network.normal_form import Layer, Network, affine_layer, relu_layer
from polyrank.network.rational import RationalArray, fmpq_from_float
from polyrank.polyhedra.system import identity
from polyrank.proof.farkas import is_nonnegative, proved, proves
from polyrank.proof.layers import Layers, Problem, Region
from polyrank.proof.proposals import eliminated, inverses
from polyrank.proof.rounding import Rounded, Rounding, by_cone, by_identity, ranks_at_least
from polyrank.proof.rows import Frame, Listed, _rounded
from tests.proof.runs import random_network


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
    """Exact rows and ranks on random sets of active units, which need not be regions."""
    net = _networks()[number]
    n = net.input_dim
    layers = Layers(net, len(net.layers), fmpq_mat(n, 1, [fmpq(1, 3)] * n), identity(n))
    walls = (tuple([0] * n + [1 << 60]), tuple([(1 << 60) + 1] + [0] * n))
    rounding = Rounding(Problem(layers, walls, 2, n, bounded=True, central=False))
    dice = np.random.default_rng(number)
    for _ in range(6):
        line = [Region(layers, None, 0, 0)]
        for layer in layers.layers:
            mask = int.from_bytes(dice.bytes(16), "little") & ((1 << layer.units) - 1)
            line.append(Region(layers, line[-1], mask, 0))
        rounding.take(line[-1:])
        assert rounding.regions == line
        for k, region in enumerate(line[:-1]):
            at = 2 + layers.starts[k] + rounding.shifts[region.index, k + 1]
            exact = fmpq_mat(fmpz_mat(region.exact)) / 2 ** rounding.exponents[k]
            for i in range(layers.layers[k].units):
                parts = [fmpq_from_float(v) for v in rounding.parts[:, at + i].tolist()]
                row = [fmpq_from_float(v) for v in rounding.values[:, at + i].tolist()]
                gaps = [abs(v - exact[i, l]) for l, v in enumerate(row)]
                assert all(gap <= parts[l == n] for l, gap in enumerate(gaps))
                assert sum(gaps) <= fmpq_from_float(float(rounding.errors[at + i]))
                if number != 4:
                    assert rounding.errors[at + i] <= 1e-9
                whole = rounding.units[at + i] > 0
                assert not whole or row == [exact[i, l] for l in range(n + 1)]
                assert whole or number != 2  # small integers stay exact
        for region in line:
            plain = Region(layers, region.below, region.positive, region.zero)
            assert region.rank == plain.rank  # proved with bounds, or exactly
        for i, wall in enumerate(walls):
            row = [fmpq_from_float(v) * 2**9 for v in rounding.values[:, i].tolist()]
            gap = sum(abs(v - w) for v, w in zip(row, wall, strict=True))
            assert gap <= fmpq_from_float(float(rounding.errors[i])) * 2**9


def _scaled(dice: np.random.Generator) -> Network:
    """Layers whose rows, columns, biases and slopes lie anywhere between 2^-1000 and 2^1000."""
    widths = [int(dice.integers(1, 4)), *dice.integers(1, 5, size=3).tolist()]
    span = int(dice.choice([0, 60, 300, 520, 1000]))

    def draw(*shape: int) -> RationalArray:
        values = dice.integers(-3, 4, size=shape)
        powers = dice.integers(-span, span + 1, size=shape)
        entries = [
            fmpq(int(v)) * fmpq(2) ** int(e)
            for v, e in zip(values.ravel(), powers.ravel(), strict=True)
        ]
        return RationalArray.from_rationals(entries, shape)

    return Network(tuple(Layer(draw(b, a), draw(b), draw(b), draw(b)) for a, b in pairwise(widths)))


def _nonnegative_on_the_cube(goal: list[int], rows: list[list[int]]) -> bool:
    """By the vertices of the part of the cube where all rows are ≥ 0."""
    d = len(goal) - 1
    sides = [[sign * (l == j) for l in range(d)] + [1] for j in range(d) for sign in (1, -1)]
    for chosen in combinations([*rows, *sides], d):
        matrix = fmpq_mat(fmpz_mat([row[:-1] for row in chosen]))
        if matrix.det() == 0:
            continue
        vertex = matrix.solve(fmpq_mat(d, 1, [fmpq(-row[-1]) for row in chosen])).entries()

        def at(row: list[int], vertex: list[fmpq] = vertex) -> fmpq:
            return sum((a * v for a, v in zip(row[:-1], vertex, strict=True)), fmpq(row[-1]))

        if at(goal) < 0 and all(at(row) >= 0 for row in [*rows, *sides]):
            return False
    return True


@settings(max_examples=150)
@given(st.integers(0, 10**9), st.booleans())
def test_rounded_rows_at_every_scale(seed: int, bounded: bool) -> None:
    """Underflow and overflow have bounds: ranks, signs at points and steps against rationals."""
    dice = np.random.default_rng(seed)
    net = _scaled(dice)
    n = net.input_dim
    layers = Layers(net, len(net.layers), fmpq_mat(n, 1), identity(n))
    # where the domain is unbounded, steps are about forms in (u, t), and t is ≥ 0
    d = n if bounded else n + 1
    axes = [tuple(int(l == j) for j in range(n + 1)) for l in range(d)]
    walls = (*axes, tuple([1] * n + [int(fmpq(2) ** int(dice.integers(0, 1200)))]))
    problem = Problem(layers, walls, len(walls), d, bounded, central=False)
    rounding = Rounding(problem)
    line = [Region(layers, None, 0, 0)]
    for layer in layers.layers:
        line.append(Region(layers, line[-1], int(dice.integers(1 << layer.units)), 0))
    rounding.take(line)
    for region in line:
        assert region.rank == Region(layers, region.below, region.positive, 0).rank
    points = [
        [fmpq(int(v)) * fmpq(2) ** int(e) for v, e in zip(*pair, strict=True)]
        for pair in zip(
            dice.integers(-3, 4, size=(8, n)), dice.integers(-1100, 10, size=(8, n)), strict=True
        )
    ]
    frame = Frame((fmpq(0),) * n, (fmpq(2) ** int(dice.choice([0, -400, -880, -1050, -1090])),) * n)
    listed = Listed([], [], [], *_rounded(points, frame), points, frame)
    for wall in range(len(walls)):  # those of one coordinate, and one of all
        each = np.arange(len(points))
        inside = rounding.inside(
            each * 0, np.full(len(points), 2 * wall), listed.rounded, listed.errors, each
        )
        for i, yes in enumerate(inside.tolist()):
            value = sum(a * v for a, v in zip(walls[wall], listed.exact(i), strict=True))
            assert not yes or value > 0
    for region in line[:-1]:
        for unit in range(region.here.units):
            number = problem.number(region.layer, unit, positive=bool(dice.integers(2)))
            row = problem.row(region, number)
            at = np.full(len(points), region.index)
            each = np.arange(len(points))
            inside = rounding.inside(
                at, np.full(len(points), number), listed.rounded, listed.errors, each
            )
            for i, yes in enumerate(inside.tolist()):
                value = sum(a * v for a, v in zip(row, listed.exact(i), strict=True))
                assert not yes or value > 0
            # the goal by d rows: walls, and units of this layer
            rows = dice.integers(0, len(walls), size=d) * 2
            if dice.integers(2):
                rows[:1] = problem.number(
                    region.layer, int(dice.integers(region.here.units)), positive=True
                )
            sure = rounding.prove(at[:1], np.array([number]), rows[:, None])
            if sure[0]:
                exact = [problem.row(region, int(r)) for r in rows]
                assert any(row)
                if bounded:
                    assert _nonnegative_on_the_cube(row, exact)
                else:
                    assert proved(row, exact, bounded=False) or fmpz_mat(exact).rank() < d


@given(st.integers(0, 10**9), st.integers(1, 4), st.booleans(), st.booleans())
def test_cones_and_identities_prove_only_what_is_true(
    seed: int, d: int, bounded: bool, whole: bool
) -> None:
    """Whatever is accepted is confirmed by rationals."""
    dice = np.random.default_rng(seed)
    m = 30
    A = dice.integers(-6, 7, size=(d + 1, d, m)) * 1.0
    g = dice.integers(-6, 7, size=(d + 1, m)) * 1.0
    side, sign = dice.choice([-1.0, 1.0], m), dice.choice([-1.0, 1.0], (d, m))
    goal = Rounded(g, np.zeros(m), np.abs(g).sum(axis=0))
    rows = Rounded(A, np.zeros((d, m)), np.abs(A).sum(axis=0))
    inverse, determinant = inverses(A[:d])
    with np.errstate(all="ignore"):
        multipliers = (inverse * g[:d]).sum(axis=1)
        scale = np.rint(np.abs(determinant)) if whole else np.ones(m)
        multipliers = np.rint(multipliers * scale) if whole else multipliers
        proved = by_identity(
            goal, side, rows, sign, multipliers, scale, bounded=bounded, whole=whole
        )
        some = Rounded(g[:d], *goal[1:])
        forms = Rounded(A[:d], *rows[1:])
        cone = by_cone(some, side, forms, sign, inverse)
    for s in range(m):
        wanted = [int(side[s] * v) for v in g[:, s]]
        signs = (sign * side)[:, s]
        signed = [[int(signs[j] * v) for v in A[:, j, s]] for j in range(d)]
        matrix = fmpz_mat([row[:-1] for row in signed])
        if cone[s]:
            assert matrix.det() != 0
            solved = matrix.transpose().solve(fmpz_mat([[v] for v in wanted[:-1]]))
            assert all(v >= 0 for v in solved.entries())
        if proved[s]:
            found, by = eliminated(wanted, signed, bounded=bounded)
            assert matrix.det() == 0 or proves(wanted, signed, found, by, bounded=bounded)
            assert any(wanted)


def test_multipliers_that_prove_nothing() -> None:
    assert proves((1, 0), [(1, 0)], [1], 1, bounded=False)
    assert not proves((1, 0), [(-1, 0)], [-1], 1, bounded=False)
    assert not proves((1, 0), [(1, 0)], [1], 0, bounded=False)
    assert not proves((1, 0), [(1, 0)], [2], 1, bounded=False)
    assert is_nonnegative((1, -1, 2), bounded=True)
    assert not is_nonnegative((1, -1, 1), bounded=True)
    assert not is_nonnegative((1, -1, 2), bounded=False)
    assert is_nonnegative((0, 0, 0), bounded=False)


def test_what_is_too_large_proves_nothing() -> None:
    one, none = np.ones(1), np.zeros(1)
    for size in (1e200, float("inf"), float("nan")):
        goal = Rounded(np.array([[1.0], [2.0]]) * size, none, one * 3 * size)
        rows = Rounded(np.array([[[-1.0]], [[-1.0]]]) * size, none[None], one[None] * 2 * size)
        some, forms = Rounded(goal.values[:1], *goal[1:]), Rounded(rows.values[:1], *rows[1:])
        factor = np.array([[size]])
        with np.errstate(all="ignore"):
            assert not by_cone(some, one, forms, one[None], -factor[None])[0]
            for scale in (one, none, one * size, -one):
                for whole in (False, True):
                    proved = by_identity(
                        goal, one, rows, one[None], factor, scale, bounded=True, whole=whole
                    )
                    assert not proved[0]


@given(st.integers(0, 10**9), st.integers(1, 9), st.integers(0, 4))
def test_ranks_are_lower_bounds(seed: int, n: int, k: int) -> None:
    dice = np.random.default_rng(seed)
    r = int(dice.integers(0, min(n, k) + 1))
    m = 7
    matrices = dice.integers(-9, 10, size=(m, k, r)) @ dice.integers(-9, 10, size=(m, r, n))
    exact = np.array([fmpz_mat(a.tolist()).rank() if k else 0 for a in matrices])
    rows = matrices.transpose(1, 0, 2) * 1.0
    errors = np.abs(matrices).max(axis=1, initial=0) * ((n + 6) * 2.0**-52)
    for more in range(-1, min(n, k) + 1):
        bound = np.clip(exact + more, 0, min(n, k))
        found = ranks_at_least(bound, rows, errors)
        assert not found[bound > exact].any()
        assert found[bound <= exact].all()
