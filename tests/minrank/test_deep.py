"""Deep witnesses: exact depths, against hand-made regions and an independent linear program."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings
from scipy.optimize import linprog

import polyrank as pr
from polyrank.minrank import deep as module
from polyrank.minrank.deep import deep_witness, depth_at
from polyrank.minrank.minimum import minimum_rank
from polyrank.network.forward import codeword_exact
from polyrank.network.normal_form import Network
from polyrank.posed.section import chart_for
from tests.examples import Space
from tests.oracles import bits_at, exact_layers, regions_by_generators
from tests.strategies import problems


def _found(net: Network, domain: Any, bits: list[int], inside: list[fmpq]) -> Any:
    chart = chart_for(net, domain)
    start = fmpq_mat(chart.k, 1, inside)
    return deep_witness(net, chart, np.array(bits, dtype=bool), start)


def relu(weights: Any, biases: Any) -> Network:
    return Network.from_arrays([weights], [biases], output_relu=True)


def test_the_middle_of_an_interval() -> None:
    """x > 0 and 1 − x > 0: the deepest point is 1/2."""
    net = relu([[1.0], [-1.0]], [0.0, 1.0])
    found = _found(net, pr.WholeSpace(), [1, 1], [fmpq(1, 10**9)])
    assert (found.point, found.depth.value, found.unbounded) == ((fmpq(1, 2),), fmpq(1, 2), False)


def test_absolute_and_not_relative_to_the_rows() -> None:
    """x > 0 and 8 − 3x > 0: |z| is equal at x = 2, the distances at x = 4/3."""
    net = relu([[1.0], [-3.0]], [0.0, 8.0])
    assert _found(net, pr.WholeSpace(), [1, 1], [fmpq(1)]).point == (2,)


def test_walls_only_have_to_hold() -> None:
    found = _found(relu([[1.0]], [0.0]), pr.Box(-1, 1), [1], [fmpq(1, 2)])
    assert fmpq(98, 100) < found.depth.value == found.point[0] < 1
    assert not found.unbounded


def test_no_largest_depth() -> None:
    found = _found(relu([[1.0, 0.0]], [0.0]), pr.WholeSpace(), [0], [fmpq(-1, 10**7), fmpq(0)])
    assert found.unbounded
    assert found.depth.value == 1  # the length of the row
    half = _found(relu([[1.0, 0.0]], [0.0]), pr.Polytope([[-1, 0]], [0]), [1], [fmpq(1), fmpq(0)])
    assert half.unbounded


def test_nothing_cuts() -> None:
    net = relu([[0.0, 0.0], [0.0, 0.0]], [3.0, 0.0])
    found = _found(net, pr.WholeSpace(), [1, 0], [fmpq(0), fmpq(0)])
    assert (found.depth.value, found.depth.layer, found.depth.unit) == (3, 1, 1)
    empty = Network.from_arrays([[[1.0]]], [[0.0]])
    assert depth_at(empty, fmpq_mat(1, 1, [fmpq(5)])).layer == 0


def test_a_region_too_thin_for_floats_keeps_its_point() -> None:
    net = relu([[1.0], [-1.0]], [0.0, 2.0**-400])
    inside = fmpq(1, 2**401) * fmpq(1, 3)
    found = _found(net, pr.WholeSpace(), [1, 1], [inside])
    assert found.depth.value >= inside
    assert 0 < found.point[0] < fmpq(1, 2**400)


def test_a_solver_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "run", lambda highs: False)
    net = relu([[1.0], [-1.0]], [0.0, 1.0])
    found = _found(net, pr.WholeSpace(), [1, 1], [fmpq(1, 8)])
    assert (found.point, found.depth.value, found.unbounded) == ((fmpq(1, 8),), fmpq(1, 8), False)


def _least(net: Network, point: tuple[Fraction, ...], signs: tuple[int, ...]) -> Fraction | None:
    """Least |z| at a point over the units that do not vanish on the region, in fractions."""
    values: list[Fraction] = []
    state = list(point)
    at = 0
    for layer in exact_layers(net):
        after = []
        for w, b, neg, pos in zip(layer.weight, layer.bias, layer.neg, layer.pos, strict=True):
            z = sum((a * x for a, x in zip(w, state, strict=True)), b)
            if neg != pos:
                if signs[at]:
                    values.append(abs(z))
                at += 1
            after.append((pos if z > 0 else neg) * z)
        state = after
    return min(values, default=None)


@settings(max_examples=40, deadline=None)
@given(problems(max_inputs=3, max_bits=8))
def test_the_depth_is_exact_and_the_point_inside(problem: tuple[Network, Space]) -> None:
    net, space = problem
    chart = chart_for(net, space.domain())
    for bits, region in list(regions_by_generators(net, space.rows).items())[:4]:
        inside = fmpq_mat(chart.k, 1, [fmpq(v.numerator, v.denominator) for v in region.witness])
        word = np.array(bits, dtype=bool)
        shallow = depth_at(net, chart.point_of(inside))
        found = deep_witness(net, chart, word, inside)
        point = tuple(Fraction(int(v.p), int(v.q)) for v in found.point)
        assert bits_at(exact_layers(net), point)[0] == bits
        depth = found.depth
        exact = Fraction(int(depth.value.p), int(depth.value.q))
        assert _least(net, point, region.signs) == (exact if depth.layer else None)
        assert found.depth.value >= shallow.value
        for row in space.rows:
            if any(row[:-1]):
                assert sum(a * x for a, x in zip(row, point, strict=False)) < row[-1]


@pytest.mark.parametrize("seed", range(6))
def test_as_deep_as_an_independent_program_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = relu(rng.normal(size=(7, 3)), rng.normal(size=7))
    weight, bias = net.layers[0].weight.approx, net.layers[0].bias.approx
    run = pr.enumerate_regions(net, pr.Box(-2, 2))
    chart = chart_for(net, pr.Box(-2, 2))
    for word, inside in list(zip(next(run.codewords()), run.witnesses(), strict=False))[::9]:
        sign = np.where(word, 1.0, -1.0)[:, None]
        best = linprog(
            [0, 0, 0, -1.0],
            A_ub=np.hstack([-sign * weight, np.ones((7, 1))]),
            b_ub=sign[:, 0] * bias,
            bounds=[(-2, 2)] * 3 + [(0, None)],
        )
        found = deep_witness(net, chart, word.astype(bool), inside)
        assert float(found.depth.value) >= 0.98 * -best.fun
        assert float(found.depth.value) <= -best.fun * (1 + 1e-9)


def test_beside_the_shallow_one() -> None:
    rng = np.random.default_rng(0)
    net = relu(rng.normal(size=(12, 4)), rng.normal(size=12))
    plain = minimum_rank(net)
    assert plain.deep is None
    found = minimum_rank(net, deep=True)
    assert found.deep is not None
    assert found.deep.depth.value >= found.depth.value > 0
    assert (codeword_exact(net, list(found.deep.point)).bits == found.best.codeword).all()
    shown = found.summary()
    assert shown["deep"]["least_pre_activation"]["value"] == str(found.deep.depth.value)
    assert shown["best"]["least_pre_activation"]["value"] == str(found.depth.value)


def test_no_time_for_a_deep_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyrank.minrank.deep._SECONDS", 0.0)
    found = minimum_rank(relu([[1.0, 1.0]], [1.0]), seconds=0.0, deep=True)
    assert found.deep is None
