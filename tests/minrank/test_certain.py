"""Answers that are certain at once: all units off; and the time limit, kept in wide networks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

import polyrank as pr
from polyrank.lp.farkas import value_at
from polyrank.minrank import certain
from polyrank.minrank.cell import live_cell
from polyrank.minrank.certain import points_with_all_off, wide_layer_off
from polyrank.minrank.minimum import minimum_rank
from polyrank.minrank.programs import Proposal, SlackProgram
from polyrank.network.composition import exact_step
from polyrank.network.forward import codeword_exact
from polyrank.network.normal_form import Layer, Network, relu_layer
from polyrank.network.rational import RationalArray
from polyrank.posed.section import chart_for

NO_BITS = np.zeros(0, dtype=bool)


def float_network(seed: int, *widths: int) -> Network:
    """Weights of a network as trained ones are: float32, rows of length about one."""
    rng = np.random.default_rng(seed)
    pairs = list(pairwise(widths))
    return Network.from_arrays(
        [(rng.normal(size=(b, a)) / np.sqrt(a)).astype(np.float32) for a, b in pairs],
        [(rng.normal(size=b) / 10).astype(np.float32) for _, b in pairs],
    )


@pytest.mark.parametrize("layer", [1, pytest.param(2, marks=pytest.mark.slow),
                                   pytest.param(3, marks=pytest.mark.slow)])  # fmt: skip
def test_a_wide_network_is_rank_0_at_once(layer: int) -> None:
    """W1 (256 × 784) has full row rank: x = −W1⁺(b + m) turns every unit off, on all of R^784."""
    net = float_network(0, 784, 256, 256, 10)
    begun = time.perf_counter()
    found = minimum_rank(net, layer=layer, seconds=20.0)
    assert (found.lower, found.best.rank, found.certified) == (0, 0, True)
    assert time.perf_counter() - begun < 30.0  # 97 s before, and [0, 136]
    word = codeword_exact(net, list(found.best.witness)).bits
    assert not word[:256].any()
    assert sum(v != 0 for v in found.best.witness) <= 256
    assert max(int(v.q).bit_length() for v in found.best.witness) <= 33


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("n", "units"), [(4, 3), (6, 6), (9, 2), (30, 25)])
def test_independent_rows_need_no_program(seed: int, n: int, units: int) -> None:
    rng = np.random.default_rng(seed)
    net = Network.from_arrays(
        [rng.normal(size=(units, n))], [rng.normal(size=units)], output_relu=True
    )
    found = minimum_rank(net)
    assert (found.lower, found.best.rank, found.programs, found.nodes) == (0, 0, 0, 0)
    assert not found.best.codeword.any()


def test_dependent_rows_that_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit twice, and its half: the Gram matrix is singular, the equations are consistent."""
    w = np.array([[1.0, 2, 0, 0, 1], [1, 2, 0, 0, 1], [0, 0, 3, 1, 0]])
    net = Network.from_arrays([np.vstack([w, w[:1] / 2])], [[1.0, 1, -2, 0.5]], output_relu=True)
    monkeypatch.setattr(SlackProgram, "solve", lambda self, used: Proposal())
    where = chart_for(net, pr.WholeSpace())
    (point,) = points_with_all_off(live_cell(net, where, NO_BITS, where.interior))
    cell = live_cell(net, where, NO_BITS, where.interior)
    assert all(value_at(row, point) < 0 for row in cell.switching)


def test_units_that_are_live_on_both_sides_or_on_the_other() -> None:
    rng = np.random.default_rng(0)
    slopes = [0, "1/4", 0, -1, 0]
    rows = rng.normal(size=(5, 8))
    layers = [relu_layer(rows[i : i + 1], [0.5], slope=s) for i, s in enumerate(slopes)]
    net = Network(
        (
            type(layers[0])(
                relu_layer(rows, [0.5] * 5).weight,
                relu_layer(rows, [0.5] * 5).bias,
                _joined([x.slope_neg for x in layers]),
                _joined([x.slope_pos for x in layers]),
            ),
        )
    )
    found = minimum_rank(net)
    assert (found.lower, found.best.rank, found.certified) == (2, 2, True)
    assert found.best.codeword[[0, 2, 4]].sum() == 0


def _joined(arrays: list[Any]) -> Any:
    entries = [v for a in arrays for v in a.entries()]
    return type(arrays[0]).from_rationals(entries, (len(entries),))


@pytest.mark.parametrize("bias", [-1.0, 0.25, 3.0])
def test_in_a_box_a_program_proposes(bias: float) -> None:
    """Off together in part of the box, in a corner of it, or nowhere: against the full run."""
    rng = np.random.default_rng(3)
    net = Network.from_arrays([rng.normal(size=(5, 4))], [np.full(5, bias)], output_relu=True)
    for domain in (pr.Box(-1, 1), pr.Simplex(np.vstack([np.zeros(4), np.eye(4)]).tolist())):
        run = pr.enumerate_regions(net, domain)
        found = minimum_rank(net, domain)
        assert found.certified
        assert found.lower == run.min_rank[0]


def test_no_unit_that_can_be_off() -> None:
    net = Network((relu_layer([[1.0, 2, 3, 4]], [0.0], slope=1),))
    where = chart_for(net, pr.WholeSpace())
    assert list(points_with_all_off(live_cell(net, where, NO_BITS, where.interior))) == []


def test_a_proposal_that_is_wrong_is_not_shortened() -> None:
    assert certain.short_point([(1, 0)], (-0.3,)).entries() == [fmpq(*(-0.3).as_integer_ratio())]
    assert certain.short_point([(1, 0)], (0.3,)).entries() == [fmpq(1, 2)]


@pytest.mark.parametrize("seconds", [0.0, 1.0, 3.0])
def test_the_limit_holds_where_nothing_is_certain(seconds: float) -> None:
    """On a box in 200 dimensions: linear programs of seconds, exact ones of hours."""
    net = float_network(1, 200, 300, 10)
    begun = time.perf_counter()
    found = minimum_rank(net, pr.Box(-1, 1), seconds=seconds)
    spent = time.perf_counter() - begun
    assert found.lower <= found.best.rank
    assert spent < seconds + 12.0  # set-up and the last exact region included, on busy cores


def convolution(bias: Sequence[float], *, flipped: bool = False, slope: Any = 0) -> Network:
    """Kernels 3 × 3 on images of 24 × 24, without padding; flipped: units are off where z > 0."""
    out, kernels = 22, np.random.default_rng(3).normal(size=(4, 3, 3))
    kernels -= kernels.mean(axis=(1, 2), keepdims=True)  # none sees the brightness
    weight = np.zeros((4, out, out, 24, 24))
    for r in range(out):
        for c in range(out):
            weight[:, r, c, r : r + 3, c : c + 3] = kernels
    W, b = weight.reshape(-1, 576), np.repeat(bias, out * out)
    off, on = (RationalArray.from_rationals([v] * len(b), (len(b),)) for v in (slope, 1))
    sign, slopes = (-1.0, (on, off)) if flipped else (1.0, (off, on))
    floats = RationalArray.from_floats
    return Network((Layer(floats(sign * W), floats(sign * b), *slopes),))


@pytest.mark.parametrize(
    ("domain", "flipped", "sides"),
    [
        (pr.WholeSpace(), False, (-99, 99)),
        (pr.Box(0, 1), True, (0, 1)),
        (pr.Box(-3, "-1/2"), False, (-3, fmpq(-1, 2))),
    ],
)
def test_a_wide_convolution_is_rank_0_at_once(domain: Any, sides: Any, *, flipped: bool) -> None:
    """1,936 units on 576 inputs: a uniform image turns all four kernels off."""
    net = convolution([-0.5, -0.25, -1.0, -0.125], flipped=flipped)
    reports: list[tuple[int, int]] = []
    found = minimum_rank(net, domain, report=lambda *bounds: reports.append(bounds))
    assert (found.lower, found.best.rank, found.certified) == (0, 0, True)
    assert (found.nodes, found.programs, reports) == (0, 0, [(0, 0)])
    x = list(found.best.witness)
    assert all(sides[0] < v < sides[1] for v in x)
    # by another way: the exact forward pass
    (z,) = [list(exact_step(layer, fmpq_mat(576, 1, x))[0]) for layer in net.layers]
    assert [v > 0 for v in z] == found.best.codeword.tolist() == [flipped] * 1936
    assert min(abs(v) for v in z) == found.depth.value == abs(z[found.depth.unit - 1])


def test_where_a_wide_layer_is_not_seen_to_be_off() -> None:
    """Biases that are positive on uniform images, units that are never off, other domains."""
    off = convolution([-0.5, -0.25, -1.0, -0.125])
    assert wide_layer_off(off.layers[0], pr.Box(0, 1)) is not None
    # in so small a box no patch is far from uniform
    for net, box in [
        (convolution([-0.5, 0.25, -1.0, -0.125]), pr.Box(0, "1/1024")),
        (convolution([-0.5, -0.25, -1.0, -0.125], slope="1/8"), pr.Box(0, 1)),
        (off, pr.Box(1, 1)),
        (convolution([-0.5, 0.25, 1.0, 1e308]), pr.Box(-(10**400), 10**400)),
        (off, pr.Simplex([[0] * 576, [1] * 576])),
        (float_network(0, 1100, 1000), pr.WholeSpace()),  # dense
        (float_network(0, 20, 10), pr.WholeSpace()),  # small
    ]:
        assert wide_layer_off(net.layers[0], box) is None


def test_proposed_points_of_a_wide_layer_are_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    net = convolution([0.5, -0.25, -1.0, -0.125])
    monkeypatch.setattr(certain, "_short_points_off", lambda *_: iter([np.zeros(576)]))
    assert wide_layer_off(net.layers[0], pr.Box(-1, 1)) is None
    allowed = convolution([-0.5, -0.25, -1.0, -0.125])
    assert wide_layer_off(allowed.layers[0], pr.Box(-1, 1)) is not None
    assert wide_layer_off(allowed.layers[0], pr.Box(0, 1)) is None  # on the boundary
