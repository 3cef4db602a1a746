"""No float certificate accepts a false claim, whatever exact rows the float rows stand for."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from polyrank.lp.certificates import Violation
from polyrank.lp.exact import Cell, nonnegative
from polyrank.lp.farkas import integer_row
from polyrank.native.records import call
from polyrank.network.rational import fmpq_from_float
from polyrank.posed.arrays import ZERO_ROW


def gamma(n: int) -> float:
    """Higham's γ_n, rounded up, as the core takes it."""
    return n * 2.0**-53 * (1.0 + 2.0**-30)


def _call(name: str, *arguments: Any) -> int:
    """A proof of the core on plain arrays."""
    found = call(
        name, *(np.ascontiguousarray(a) if isinstance(a, np.ndarray) else a for a in arguments)
    )
    assert found >= 0 or name == "polyrank_integer_rank"
    return int(found)


def by_residual(*arguments: Any) -> bool:
    return bool(_call("polyrank_by_residual", *arguments))


def by_enclosure(*arguments: Any) -> bool:
    return bool(_call("polyrank_by_enclosure", *arguments))


def by_integers(*arguments: Any) -> bool:
    return bool(_call("polyrank_by_integers", *arguments))


def by_residues(*arguments: Any) -> bool:
    return bool(_call("polyrank_by_residues", *arguments))


def _exact(row: Any) -> list[fmpq]:
    return [fmpq_from_float(float(v)) for v in row]


def _cube(d: int) -> list[list[fmpq]]:
    return [
        [fmpq(sign * (l == j)) for l in range(d)] + [fmpq(1)] for j in range(d) for sign in (1, -1)
    ]


def _holds(rows: list[list[fmpq]], goal: list[fmpq]) -> bool:
    """Exactly: is the goal ≥ 0 wherever the rows are, inside the cube?"""
    d = len(goal) - 1
    cell = Cell.from_rows([integer_row(r) for r in [*rows, *_cube(d)]], d)
    if not any(goal):
        return True
    return not isinstance(nonnegative(cell, integer_row(goal)), Violation)


def _perturbed(
    rng: np.random.Generator, rows: Any, radius: Any, goal: Any, goal_radius: float
) -> tuple[list[list[fmpq]], list[fmpq]]:
    """Exact rows at the far corners of what the float rows may stand for."""
    sign = int(rng.integers(3)) - 1
    out = []
    for row, r in zip(rows, radius, strict=True):
        shift = fmpq_from_float(float(r))
        corners = rng.choice([-1, 1], len(row)) if sign == 0 else np.full(len(row), sign)
        out.append([v + int(c) * shift for v, c in zip(_exact(row), corners, strict=True)])
    shift = fmpq_from_float(goal_radius)
    corners = rng.choice([-1, 1], len(goal)) if sign == 0 else np.full(len(goal), -sign)
    return out, [v + int(c) * shift for v, c in zip(_exact(goal), corners, strict=True)]


def _instance(rng: np.random.Generator, d: int, gap: float) -> tuple[Any, Any, Any]:
    """d rows, multipliers, and a goal that lies ``gap`` above their combination."""
    rows = rng.integers(-4, 5, (d, d + 1)).astype(float) / 8
    if rng.random() < 0.5:
        rows = rng.normal(size=(d, d + 1)) / 4
    rates = np.abs(rng.normal(size=d)) * (rng.random(d) < 0.8)
    goal = rates @ rows
    goal[d] += gap
    size = max(1.0, np.abs(goal).max())
    return rows, rates / size, goal / size


@pytest.mark.parametrize("gap", [0.0, 1e-17, -1e-17, 1e-15, -1e-15, 1e-12, -1e-12, 0.1, -0.1])
@pytest.mark.parametrize("error", [0.0, 1e-16, 1e-12])
def test_by_residual_is_sound(gap: float, error: float) -> None:
    rng = np.random.default_rng(abs(hash((gap, error))) % 2**32)
    accepted = 0
    for _ in range(60):
        d = int(rng.integers(1, 5))
        rows, rates, goal = _instance(rng, d, gap)
        if rng.random() < 0.3:
            rates = rates * (1 + rng.choice([0, 1e-15, 1e-9, 0.1], d))  # mutated multipliers
        radius = np.full(d, error + gamma(d + 4))
        basis = np.arange(d)
        if by_residual(rows, radius, basis, rates, goal, error + gamma(d + 4)):
            accepted += 1
            exact_rows, exact_goal = _perturbed(rng, rows, np.full(d, error), goal, error)
            assert _holds(exact_rows, exact_goal)
    if gap == 0.1 and error < 1e-9:
        assert accepted > 30
    if gap <= 0.0:
        assert accepted < 20  # only where the combination itself has room


@pytest.mark.parametrize("error", [0.0, 1e-15, 1e-3, 0.3])
def test_by_enclosure_is_sound(error: float) -> None:
    rng = np.random.default_rng(7)
    accepted = 0
    for turn in range(200):
        d = int(rng.integers(1, 5))
        rows = np.zeros((d, d + 1))
        rows[:, :d] = rng.normal(size=(d, d)) / 4
        rates = rng.choice([1.0, 1e-3, 1e-14, 0.0, -1e-14, -1.0], d) * rng.random(d)
        if turn % 2:
            rates = rng.random(d) + 0.1
        goal = np.zeros(d + 1)
        goal[:d] = rates @ rows[:, :d]
        try:
            inverse = np.linalg.inv(rows[:, :d])
        except np.linalg.LinAlgError:
            continue
        solved = goal[:d] @ inverse
        radius = np.full(d, error + gamma(d + 4))
        central, member = np.ones(d, dtype=bool), np.zeros(d, dtype=bool)
        if by_enclosure(
            rows, radius, np.arange(d), inverse, solved, goal, error, central, member, d
        ):
            accepted += 1
            exact_rows, exact_goal = _perturbed(rng, rows, np.full(d, error), goal, error)
            for row in [*exact_rows, exact_goal]:
                row[d] = fmpq(0)
            matrix = fmpq_mat(d, d, [v for row in exact_rows for v in row[:d]])
            exact = matrix.transpose().solve(fmpq_mat(d, 1, exact_goal[:d]))
            assert all(v > 0 for v in exact.entries())
            # a row that is not central is never part of such a proof
            central[int(rng.integers(d))] = False
            assert not by_enclosure(
                rows, radius, np.arange(d), inverse, solved, goal, error, central, member, d
            )
    assert accepted > 50 if error < 0.1 else accepted < 50


def test_by_enclosure_takes_zero_multipliers_only_from_structure() -> None:
    rows = np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]])
    inverse = np.linalg.inv(rows[:, :2])
    goal = np.array([1.0, 1.0, 0.0])  # twice the first row
    radius = np.full(2, 1e-15)
    solved = goal[:2] @ inverse
    central = np.ones(2, dtype=bool)

    def accepted(member: list[bool], dimension: int) -> bool:
        return bool(
            by_enclosure(
                rows, radius, np.arange(2), inverse, solved, goal, 1e-15, central,
                np.array(member), dimension,
            )
        )  # fmt: skip

    assert accepted([True, False], 1)
    assert not accepted([True, False], 2)
    assert not accepted([False, False], 1)
    assert not accepted([False, True], 1)
    free = np.array([0, -1])
    assert not by_enclosure(
        rows, radius, free, inverse, solved, goal, 1e-15, central, np.ones(2, dtype=bool), 1
    )


@pytest.mark.parametrize("scale", [1, 1000, 10**6, 10**8])
def test_by_integers_is_exact(scale: int) -> None:
    rng = np.random.default_rng(scale)
    counts = [0, 0]
    for _ in range(200):
        d = int(rng.integers(1, 5))
        integers = rng.integers(-scale, scale + 1, (d, d + 1))
        weights = rng.integers(0, 4, d)
        goal = weights @ integers
        goal[d] += rng.integers(-1, 2)
        if rng.random() < 0.3:
            goal[rng.integers(d + 1)] += rng.integers(-1, 2)
        power = int(np.ceil(np.log2(max(1, np.abs(integers).max(), np.abs(goal).max())))) + 1
        rows = integers / 2.0**power
        if abs(np.linalg.det(integers[:, :d].astype(float))) < 0.5:
            continue
        objective = goal / 2.0**power
        rates = np.linalg.solve(rows[:, :d].T, objective[:d])
        exponent = np.full(d, power)
        basis = np.arange(d)
        verdict = by_integers(rows, exponent, basis, rates, objective, power)
        matrix = fmpq_mat(d, d, [int(v) for v in integers[:, :d].T.ravel()])
        exact = matrix.solve(fmpq_mat(d, 1, [int(v) for v in goal[:d]]))
        constant = int(goal[d]) - sum(
            (v * int(b) for v, b in zip(exact.entries(), integers[:, d], strict=True)), fmpq(0)
        )
        true = all(v >= 0 for v in exact.entries()) and constant >= 0
        assert not verdict or true
        if scale <= 1000:
            assert verdict == true
        counts[int(verdict)] += 1
        # inexact rows are refused, and so are multipliers that are not the solution
        assert not by_integers(rows, np.full(d, -1), basis, rates, objective, power)
        assert not by_integers(rows, exponent, basis, rates, objective, -1)
        assert not by_integers(rows, exponent, basis, rates + 1.0, objective, power)
        assert not by_integers(rows, exponent, basis - 1, rates, objective, power)
    assert counts[0]
    assert counts[1] or scale > 1000


def test_by_integers_refuses_singular_and_overlarge() -> None:
    rows = np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
    ones, basis, goal = np.ones(2), np.arange(2), np.array([0.5, 0.5, 0.0])
    assert not by_integers(rows, np.array([1, 1]), basis, ones, goal, 1)
    rows = np.array([[0.5, 0.25, 0.0], [0.25, -0.5, 0.0]])
    assert not by_integers(rows, np.array([60, 60]), basis, ones, goal, 1)
    assert not by_integers(rows, np.array([2, 2]), basis, ones, goal, 80)


def _exact_verdict(integers: Any, goal: Any) -> bool:
    """Whether the goal is a combination with multipliers ≥ 0 plus a constant ≥ 0, exactly."""
    d = len(goal) - 1
    matrix = fmpq_mat(d, d, [int(v) for v in integers[:, :d].T.ravel()])
    exact = matrix.solve(fmpq_mat(d, 1, [int(v) for v in goal[:d]])).entries()
    constant = int(goal[d]) - sum(
        (v * int(b) for v, b in zip(exact, integers[:, d], strict=True)), fmpq(0)
    )
    return all(v >= 0 for v in exact) and constant >= 0


@pytest.mark.parametrize("bits", [3, 20, 34, 48])
def test_by_residues_is_exact_whatever_the_size_of_the_integers(bits: int) -> None:
    """Goals that touch: zero multipliers, zero constants, and the same off by one unit."""
    rng = np.random.default_rng(bits)
    counts = [0, 0]
    for _ in range(300):
        d = int(rng.integers(1, 7))
        most = int(rng.integers(1, bits + 1))
        integers = rng.integers(-(2**most), 2**most + 1, (d, d + 1))
        matrix = fmpq_mat(d, d, [int(v) for v in integers[:, :d].ravel()])
        if matrix.det() == 0:
            continue
        goal = rng.integers(0, 3, d) @ integers
        goal[d] += rng.integers(-1, 2)
        if rng.random() < 0.3:
            goal[rng.integers(d + 1)] += rng.integers(-1, 2)
        if not goal.any():
            continue
        power = bits + 6
        rows, objective = integers / 2.0**power, goal / 2.0**power
        exponent, basis = np.full(d, power), np.arange(d)
        verdict = by_residues(rows, exponent, basis, objective, power)
        assert verdict == _exact_verdict(integers, goal)
        counts[int(verdict)] += 1
        # inexact rows and free slots prove nothing
        assert not by_residues(rows, exponent, basis, objective, -1)
        assert not by_residues(rows, np.full(d, -1), basis, objective, power)
        assert not by_residues(rows, exponent, basis - 1, objective, power)
    assert counts[0] > 20
    assert counts[1] > 20


def test_by_residues_is_silent_where_its_primes_do_not_suffice() -> None:
    d = 18
    rows = np.zeros((d, d + 1))
    rows[:, :d] = np.eye(d) * (1 - 2.0**-50)
    rows[:, d] = 2.0**-50
    goal = rows[0] * 1.0  # touches: one multiplier is one, the others and the constant are zero
    verdicts = [
        by_residues(
            rows[:n, [*range(n), d]], np.full(n, 53), np.arange(n), goal[[*range(n), d]], 53
        )
        for n in (2, 6, d)
    ]
    assert verdicts == [True, True, False]


def test_by_residues_refuses_dependent_and_overlarge_rows() -> None:
    rows = np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
    goal = np.array([0.5, 0.5, 0.0])
    assert not by_residues(rows, np.array([1, 1]), np.arange(2), goal, 1)
    rows[1, 0] = 0.25
    assert by_residues(rows, np.array([2, 2]), np.arange(2), goal, 1)
    assert not by_residues(rows, np.array([60, 60]), np.arange(2), goal, 1)
    assert not by_residues(rows, np.array([2, 2]), np.arange(2), np.zeros(3), 1)
    # a determinant that the largest prime below 2**31 divides: the next primes decide
    prime = 2147483647
    rows = np.array([[prime * 2.0**-32, 0.0, 0.0], [0.0, 0.5, 0.0]])
    assert by_residues(rows, np.array([32, 1]), np.arange(2), np.array([0.5, 0.25, 0.0]), 2)
    assert not by_residues(rows, np.array([32, 1]), np.arange(2), np.array([-0.5, 0.25, 0.0]), 2)


@pytest.mark.parametrize("error", [0.0, 1e-15, 1e-2])
def test_independent_proves_the_rank_of_every_matrix_within_the_radius(error: float) -> None:
    rng = np.random.default_rng(3)
    verdicts = [0, 0]
    for _ in range(200):
        count, width = (int(v) for v in rng.integers(1, 6, 2))
        size = int(rng.integers(1, min(count, width) + 1))
        true_rank = int(rng.integers(1, min(count, width) + 1))
        rows = rng.integers(-3, 4, (count, true_rank)) @ rng.integers(-3, 4, (true_rank, width))
        rows = rows / max(1, np.abs(rows).max()) + rng.choice([0, 1e-17, 1e-13]) * rng.normal(
            size=(count, width)
        )
        chosen = np.zeros(size, dtype=np.int64)
        radius = np.full(count, error + gamma(width + 4))
        proved = _call("polyrank_independent", rows, radius, chosen)
        verdicts[int(proved)] += 1
        if not proved:
            continue
        for corner in product([-1, 0, 1], repeat=1):
            shift = fmpq_from_float(error) * corner[0]
            picked = [[v + shift for v in _exact(rows[i])] for i in chosen]
            assert fmpq_mat(size, width, [v for row in picked for v in row]).rank() == size
    assert verdicts[0]
    assert verdicts[1]


@pytest.mark.parametrize("scale", [3, 10**4, 10**9, 10**15])
def test_integer_rank_is_exact_or_silent(scale: int) -> None:
    rng = np.random.default_rng(scale)
    silent = 0
    for _ in range(150):
        count, width = (int(v) for v in rng.integers(1, 7, 2))
        true_rank = int(rng.integers(0, min(count, width) + 1))
        small = max(1, int(np.sqrt(scale)))
        integers = rng.integers(-small, small + 1, (count, true_rank)) @ rng.integers(
            -3, 4, (true_rank, width)
        )
        # all rows through a power of two: magnitude at most one, exponent says how to undo it
        power = int(np.abs(integers).max() + 1).bit_length()
        rank = _call("polyrank_integer_rank", integers / 2.0**power, np.full(count, power))
        exact = fmpq_mat(count, width, [int(v) for v in integers.ravel()]).rank()
        silent += rank < 0
        assert rank in (-1, exact)
    assert silent < 150
    row = np.array([[0.5]])
    assert _call("polyrank_integer_rank", row, np.array([-1])) == -1
    assert _call("polyrank_integer_rank", row, np.array([60])) == -1


def _composed(
    weight: Any, bias: Any, slope: Any, rows: Any, error: Any, power: Any, *, exact: bool = False
) -> tuple[Any, Any, Any]:
    n_out, width = weight.shape[1], rows.shape[1]
    out_rows, out_error = np.zeros((n_out, width)), np.zeros(n_out)
    out_power = np.zeros(n_out, dtype=np.int64)
    assert _call(
        "polyrank_compose", weight, bias, exact, slope, rows, error, power, out_rows, out_error,
        out_power,
    )  # fmt: skip
    return out_rows, out_error, out_power


def _unit(power: int) -> fmpq:
    """``2**power``, 0 for the power of a zero row."""
    if power == ZERO_ROW:
        return fmpq(0)
    return fmpq(2) ** int(power) if power >= 0 else 1 / fmpq(2) ** int(-power)


def _of_any_size(rng: np.random.Generator, low: int, high: int) -> float:
    if rng.random() < 0.25:
        return 0.0
    mantissa = rng.choice([1.0, 1.5, rng.uniform(1, 2)])
    return float(np.ldexp(mantissa * rng.choice([-1.0, 1.0]), int(rng.integers(low, high + 1))))


def test_composite_rows_of_any_magnitude_lie_within_their_error_bounds() -> None:
    """Weights and slopes of 2**±500, biases down to subnormals, scales of 2**±2000."""
    rng = np.random.default_rng(5)
    sizes = [(-500, 499), (-3, 3), (-20, 20), (-500, -450)]
    zero_rows = 0
    for _ in range(500):
        n_in, n_out, width = (
            int(rng.integers(1, 7)),
            int(rng.integers(1, 8)),
            int(rng.integers(2, 6)),
        )
        low, high = sizes[rng.integers(4)]
        weight = np.array(
            [[_of_any_size(rng, low, high) for _ in range(n_out)] for _ in range(n_in)]
        )
        low, high = sizes[rng.integers(4)]
        slope = np.array([_of_any_size(rng, low, high) for _ in range(n_in)])
        choices = [(-1010, 1020), (-3, 3), (-1074, -1074)]
        bias = np.array([_of_any_size(rng, *choices[rng.integers(3)]) for _ in range(n_out)])
        rows, error = np.zeros((n_in, width)), np.zeros(n_in)
        power = np.full(n_in, ZERO_ROW)
        below = [[fmpq(0)] * width for _ in range(n_in)]
        for j in np.flatnonzero(rng.random(n_in) < 0.85).tolist():
            power[j] = rng.choice([0, rng.integers(-2000, 2000), rng.integers(-300, 300)])
            rows[j] = [_of_any_size(rng, int(rng.choice([-5, -1070])), -1) for _ in range(width)]
            error[j] = rng.choice([0.0, 2.0**-50, 1.0, 1e-300])
            off = [fmpq(int(rng.integers(-1, 2))) * fmpq_from_float(error[j]) for _ in range(width)]
            below[j] = [
                _unit(power[j]) * (fmpq_from_float(v) + e)
                for v, e in zip(rows[j], off, strict=True)
            ]
        out_rows, out_error, out_power = _composed(weight, bias, slope, rows, error, power)
        assert np.isfinite(out_rows).all()
        assert np.abs(out_rows).max() <= 1.0
        assert out_error.min() >= 0.0
        assert out_error.max() <= 1.0
        factors = [fmpq_from_float(s) for s in slope]
        for i in range(n_out):
            zero_rows += out_power[i] == ZERO_ROW
            for l in range(width):
                total = fmpq_from_float(bias[i]) if l == width - 1 else fmpq(0)
                for j in range(n_in):
                    total += fmpq_from_float(weight[j, i]) * factors[j] * below[j][l]
                gap = abs(total - _unit(out_power[i]) * fmpq_from_float(out_rows[i, l]))
                assert gap <= _unit(out_power[i]) * fmpq_from_float(out_error[i])
    assert zero_rows > 30


@pytest.mark.parametrize("kind", ["normal", "cancelling", "dynamic", "tiny", "inexact", "integer"])
def test_composite_rows_lie_within_their_error_bounds(kind: str) -> None:
    rng = np.random.default_rng(11)
    for _ in range(25):
        n_in, n_out, d = (int(v) for v in rng.integers(1, 6, 3))
        exact_below = [
            [fmpq(int(v), 97 if kind == "inexact" else 64) for v in rng.integers(-97, 98, d + 1)]
            for _ in range(n_in)
        ]
        weight = rng.normal(size=(n_in, n_out))
        if kind == "cancelling":
            weight[-1] = -weight[:-1].sum(axis=0) * (1 + 1e-15)
            exact_below = [exact_below[0]] * n_in
        if kind == "dynamic":
            weight *= 2.0 ** rng.integers(-200, 200, weight.shape)
        if kind == "tiny":
            weight *= 2.0**-480
        if kind == "integer":
            weight = np.rint(4 * weight)
        slope = rng.choice([0.0, 0.1, 1.0, -1.0], n_in)
        if kind == "integer":
            slope = rng.choice([0.0, 1.0, -1.0], n_in)
        bias = rng.integers(-8, 9, n_out).astype(float)
        rows = np.array([[int(v.p) / int(v.q) for v in row] for row in exact_below])
        rows = np.maximum(np.minimum(rows, 2.0), -2.0) / 2
        error = np.full(n_in, 2.0**-53 if kind == "inexact" else 0.0)
        power = np.ones(n_in, dtype=np.int64)
        out_rows, out_error, out_power = _composed(
            weight, bias, slope, rows, error, power, exact=kind == "integer"
        )
        for i in range(n_out):
            for l in range(d + 1):
                total = fmpq_from_float(bias[i]) if l == d else fmpq(0)
                for j in range(n_in):
                    w = fmpq_from_float(weight[j, i]) * fmpq_from_float(slope[j])
                    total += w * exact_below[j][l]
                scale = _unit(out_power[i])
                difference = abs(total - scale * fmpq_from_float(out_rows[i, l]))
                assert difference <= scale * fmpq_from_float(out_error[i])
            if kind == "integer":
                assert out_error[i] == 0.0
            assert np.abs(out_rows[i]).max() <= 1.0
