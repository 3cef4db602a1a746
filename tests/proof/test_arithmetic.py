"""The checker's arithmetic against plain integers and fractions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpq_mat, fmpz_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.network.forward import codeword_bytes
from polyrank.network.normal_form import Layer, Network, affine_layer, relu_layer
from polyrank.network.rational import RationalArray, fmpq_from_float
from polyrank.polyhedra.system import identity
from polyrank.proof import format as log
from polyrank.proof.farkas import is_nonnegative, proved, proves
from polyrank.proof.layers import Layers, Problem, Region
from polyrank.proof.rounding import Left, Rounding, Status
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


def _line(layers: Layers, dice: np.random.Generator) -> list[Region]:
    """Regions of all layers for random sets of active units, which need not be regions."""
    line = [Region(layers, None, 0, 0)]
    for layer in layers.layers:
        mask = int.from_bytes(dice.bytes(16), "little") & ((1 << layer.units) - 1)
        line.append(Region(layers, line[-1], *line[-1].resolve(mask, 0)))
    return line


def _at_points(
    rounding: Rounding,
    line: list[Region],
    points: Sequence[Sequence[Any]],
    frame: Frame,
    numbers: list[int],
    ranks: tuple[int, ...],
) -> tuple[Status, list[Left]]:
    """A leaf for each point, below a cell with these rows; the last row is a split of no unit."""
    layers, last = rounding.layers, line[-1]
    width = codeword_bytes(last.bits)
    word = np.frombuffer(last.code.to_bytes(width, "little"), np.uint8)
    status, found = Status.DONE, []
    for i, point in enumerate(points):
        listed = Listed(
            word[None], word[None] * 0, np.array([ranks], np.int16),
            *_rounded([point], frame), [point], frame,
        )  # fmt: skip
        cell = (line[-2], 0, last.positive, 0, numbers)
        rounding.begin(bytes([log.LEAF, log.END]), 0, 1, cell, ())
        status = max(status, rounding.steps(listed))
        found += [replace(left, listed=i) for left in rounding.left]
    assert len(line) == layers.depth + 1
    return status, found


@pytest.mark.parametrize("number", range(5))
def test_rounded_rows_of_ordinary_networks_leave_nothing(number: int) -> None:
    """Ranks, and signs at points a little away from 0, are all proved, and none is wrong."""
    net = _networks()[number]
    n = net.input_dim
    layers = Layers(net, len(net.layers), fmpq_mat(n, 1, [fmpq(1, 3)] * n), identity(n))
    walls = (tuple([0] * n + [1 << 60]), tuple([(1 << 60) + 1] + [0] * n))
    problem = Problem(layers, walls, 2, n, bounded=True)
    rounding = Rounding(problem)
    dice = np.random.default_rng(number)
    frame = Frame((fmpq(0),) * n, (fmpq(1),) * n)
    for _ in range(6):
        line = _line(layers, dice)
        point = [fmpq_from_float(v) for v in dice.uniform(0.1, 1, n).tolist()]
        exact = Listed(*[np.zeros((1, 1))] * 3, *_rounded([point], frame), [point], frame).exact(0)
        numbers = []
        for k, region in enumerate(line[:-1]):
            for unit in range(region.here.units):
                row = problem.row(region, up := problem.number(k, unit, positive=True))
                value = sum(a * v for a, v in zip(row, exact, strict=True))
                size = sum(abs(a * v) for a, v in zip(row, exact, strict=True))
                numbers.append(up if value > 0 else up + 1)
                if abs(value) * 10**9 < size:
                    numbers.pop()
        status, left = _at_points(rounding, line, [point], frame, [2, *numbers], line[-1].ranks())
        assert status == Status.DONE
        # integers, and weights of far apart sizes: ranks that are smaller than they could be
        assert {v.kind for v in left} <= ({"rank"} if number in (2, 4) else set())
        turned = [v ^ 1 for v in numbers]
        _, left = _at_points(rounding, line, [point], frame, turned, line[-1].ranks())
        assert [v.number for v in left if v.kind == "inside"] == turned


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


def _is_proved(
    rounding: Rounding,
    region: Region,
    goal: int,
    rows: Sequence[int],
    step: tuple[int, int] = (log.NEGATIVE, log.POSITIVE),
) -> bool:
    """Whether a step that names these rows, and no other, is proved with bounds."""
    place = (goal >> 1) - len(rounding.problem.walls)
    unit = place - region.layers.starts[region.layer]
    segment = bytes([step[1 - goal % 2], unit, 0, *range(len(rows)), log.END])
    rounding.begin(segment, 0, 1, (region, 1 << unit, 0, 0, list(rows)), ())
    none = np.zeros((0, 1))
    frame = Frame((), ())
    status = rounding.steps(Listed(none, none, none, np.zeros((0, 0)), none[:, 0], [], frame))
    assert status == Status.DONE
    return not list(rounding.left)


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
    problem = Problem(layers, walls, len(walls), d, bounded)
    rounding = Rounding(problem)
    line = _line(layers, dice)
    points = [
        [fmpq(int(v)) * fmpq(2) ** int(e) for v, e in zip(*pair, strict=True)]
        for pair in zip(
            dice.integers(-3, 4, size=(8, n)), dice.integers(-1100, 10, size=(8, n)), strict=True
        )
    ]
    frame = Frame((fmpq(0),) * n, (fmpq(2) ** int(dice.choice([0, -400, -880, -1050, -1090])),) * n)
    # the walls, those of one coordinate and one of all, and units of all layers
    numbers = [2 * wall for wall in range(len(walls))]
    for region in line[:-1]:
        numbers += [
            problem.number(region.layer, unit, positive=bool(dice.integers(2)))
            for unit in range(region.here.units)
        ]
    ranks = line[-1].ranks()
    _, left = _at_points(rounding, line, points, frame, numbers, ranks)
    open_ = {(v.listed, v.number) for v in left if v.kind == "inside"}
    none = np.zeros((len(points), 1))
    exact = Listed(none, none, none, *_rounded(points, frame), points, frame)
    for i in range(len(points)):
        for number in numbers:
            row = problem.row(line[-1], number)
            value = sum(a * v for a, v in zip(row, exact.exact(i), strict=True))
            assert (i, number) in open_ or value > 0
    # other ranks are never proved
    for k in range(layers.depth):
        for more in (-1, 1):
            other = (*ranks[:k], ranks[k] + more, *ranks[k + 1 :])
            status, left = _at_points(rounding, line, points[:1], frame, [], other)
            assert status == Status.STOPPED or any(
                v.kind == "rank" and v.number != v.region.rank for v in left
            )
    # goals by d rows: walls, and units of this layer
    for region in line[:-1]:
        for unit in range(region.here.units):
            goal = problem.number(region.layer, unit, positive=bool(dice.integers(2)))
            rows = [2 * int(w) for w in dice.integers(0, len(walls), size=d)]
            if dice.integers(2):
                rows[0] = problem.number(
                    region.layer, int(dice.integers(region.here.units)), positive=True
                )
            if _is_proved(rounding, region, goal, rows):
                row, held = problem.row(region, goal), [problem.row(region, r) for r in rows]
                assert any(row)
                if bounded:
                    assert _nonnegative_on_the_cube(row, held)
                else:
                    assert proved(row, held, bounded=False) or fmpz_mat(held).rank() < d


@given(st.integers(0, 10**9), st.integers(1, 4), st.booleans(), st.booleans(), st.booleans())
def test_cones_and_identities_prove_only_what_is_true(
    seed: int, d: int, bounded: bool, central: bool, whole: bool
) -> None:
    """Whatever is accepted is confirmed by rationals; integers touch, other rows are near to it."""
    dice = np.random.default_rng(seed)
    A = dice.integers(-6, 7, size=(2 * d + 2, d)) * 1.0
    b = dice.integers(-6, 7, size=2 * d + 2) * 1.0 * (not central)
    if not whole:
        A, b = (
            A + dice.normal(size=A.shape) * 1e-13,
            b + dice.normal(size=len(b)) * 1e-13 * (b != 0),
        )
    net = Network((relu_layer(A, b),))
    layers = Layers(net, 1, fmpq_mat(d, 1), identity(d))
    dim = d if bounded or central else d + 1
    problem = Problem(layers, (), 0, dim, bounded)
    rounding, region = Rounding(problem), Region(layers, None, 0, 0)
    for _ in range(20):
        units = dice.choice(2 * d + 2, size=dim + 1, replace=False).tolist()
        goal, *rows = (problem.number(0, unit, positive=bool(dice.integers(2))) for unit in units)
        if _is_proved(rounding, region, goal, rows):
            wanted, held = problem.row(region, goal), [problem.row(region, r) for r in rows]
            assert any(wanted)
            if bounded:
                assert _nonnegative_on_the_cube(wanted, held)
            elif fmpz_mat([row[:dim] for row in held]).rank() == dim:
                assert proved(wanted, held, bounded=False)


def test_multipliers_that_prove_nothing() -> None:
    assert proves((1, 0), [(1, 0)], [1], 1, bounded=False)
    assert not proves((1, 0), [(-1, 0)], [-1], 1, bounded=False)
    assert not proves((1, 0), [(1, 0)], [1], 0, bounded=False)
    assert not proves((1, 0), [(1, 0)], [2], 1, bounded=False)
    assert is_nonnegative((1, -1, 2), bounded=True)
    assert not is_nonnegative((1, -1, 1), bounded=True)
    assert not is_nonnegative((1, -1, 2), bounded=False)
    assert is_nonnegative((0, 0, 0), bounded=False)


def test_sums_of_rows_are_found() -> None:
    """Cones, integers that touch, and bounding boxes: what is plainly so is proved with bounds."""
    rows = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.3, 0.7], [1.0, -1.0]]
    for bounded, bias in ((True, 0.0), (False, 0.0), (True, 0.25)):
        layers = Layers(Network((relu_layer(rows, [bias] * 5),)), 1, fmpq_mat(2, 1), identity(2))
        problem = Problem(layers, (), 0, 2, bounded)
        rounding, region = Rounding(problem), Region(layers, None, 0, 0)
        up = [problem.number(0, unit, positive=True) for unit in range(5)]
        held = [up[0], up[1]]
        assert _is_proved(rounding, region, up[3], held) == (bias == 0)  # 0.25 < (0.3 + 0.7) 0.25
        assert _is_proved(rounding, region, up[2], held) == (bias == 0)
        assert not _is_proved(rounding, region, up[4], held)
        assert not _is_proved(rounding, region, up[3] + 1, held)
        box = (log.CUBE_NEGATIVE, log.CUBE_POSITIVE)
        assert not _is_proved(rounding, region, up[0], [], box)
    layers = Layers(Network((relu_layer(rows, [3] * 5),)), 1, fmpq_mat(2, 1), identity(2))
    rounding = Rounding(Problem(layers, (), 0, 2, bounded=True))
    assert _is_proved(rounding, Region(layers, None, 0, 0), 0, [], box)
    assert not _is_proved(rounding, Region(layers, None, 0, 0), 1, [], box)


def test_what_is_too_large_proves_nothing() -> None:
    """Numbers too far apart for float64, in a layer and in those above it, are left to integers."""
    first = relu_layer([[1.0], [2.0]], [3.0, 5.0])
    for size in (fmpq(2) ** 1010, fmpq(2) ** -1100):
        weight = RationalArray.from_rationals([size, fmpq(1)], (2, 1))
        one = RationalArray.from_rationals([fmpq(1), fmpq(1)], (2,))
        large = Layer(weight, one, RationalArray.from_rationals([fmpq(0)] * 2, (2,)), one)
        for net, k in ((Network((large, first_of(2))), 1), (Network((first, large_of(size))), 1)):
            layers = Layers(net, 2, fmpq_mat(1, 1), identity(1))
            problem = Problem(layers, (), 0, 1, bounded=True)
            rounding, region = Rounding(problem), Region(layers, None, 0, 0)
            above = Region(layers, region, 3, 0)
            goal = problem.number(k, 0, positive=True)
            step = (log.CUBE_NEGATIVE, log.CUBE_POSITIVE)
            proved_here = _is_proved(rounding, above, goal, [], step)
            assert not proved_here or is_nonnegative(problem.row(above, goal), bounded=True)
            assert not _is_proved(rounding, above, goal + 1, [], step)


def first_of(inputs: int) -> Layer:
    """A layer of two units."""
    return relu_layer([[1.0] * inputs, [0.5] * inputs], [3.0, 5.0])


def large_of(size: fmpq) -> Layer:
    """A layer of two units with a weight of any size."""
    one = RationalArray.from_rationals([fmpq(1), fmpq(1)], (2,))
    weight = RationalArray.from_rationals([size, fmpq(0), fmpq(1), size], (2, 2))
    return Layer(weight, one, RationalArray.from_rationals([fmpq(0)] * 2, (2,)), one)
