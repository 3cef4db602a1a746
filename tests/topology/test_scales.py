"""Underflow and overflow: restrictions at every scale against rational arithmetic.

Weights and slopes run over 2^-500 to 2^500, coordinates over 2^-900 to 2^900: products leave
float64 on both sides. The oracle uses rationals alone.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.chains.groups import homology
from polyrank.network.normal_form import Layer, Network, affine_layer
from polyrank.network.rational import RationalArray, nearest_float
from polyrank.topology.layers import homology_table
from polyrank.topology.manifold import Manifold, build_manifold
from polyrank.topology.restriction import restrict
from tests.topology.exact_subdivision import preactivations
from tests.topology.test_ranks import check_ranks
from tests.topology.test_restriction import check_witnesses
from tests.topology.test_subdivide import check_against_oracle

HERE = Path(__file__).parent / "data"


def power(e: int) -> fmpq:
    return fmpq(2) ** e if e >= 0 else 1 / fmpq(2) ** -e


def segments(scale: int) -> Manifold:
    """[−s, 0] and [0, s]."""
    s = 2.0**scale
    return build_manifold([[-s], [0.0], [s]], [[[0, 1], [1, 2]]])


@pytest.mark.parametrize(
    ("scale", "cells"),
    [(0, (4, 3)), (-440, (4, 3)), (-500, (4, 3)), (-569, (4, 3)), (-570, (3, 2)), (-900, (3, 2))],
)
def test_a_kink_behind_a_product_that_underflows(scale, cells):
    """relu(2^500 · 2^500 · leaky(2^-500 x) + 2^-200) has its kink at −2^-570 (slope 2^-130)."""
    net = pr.load(HERE / "leaky_in_limits.json")
    sub = check_against_oracle(net, segments(scale))
    assert sub.complex.cells == cells


@pytest.mark.parametrize("scale", [-300, -500, -560])
def test_the_low_rank_part_behind_a_product_that_underflows(scale):
    """Only what lies left of the kink has rank 0: an arc, whose quotient is a segment again."""
    net = pr.load(HERE / "leaky_in_limits.json")
    rows = homology_table(restrict(net, segments(scale)), rank=0, layers=[3])
    assert [int(m.sum()) for m in rows[0].part.mask] == [2, 1]
    assert str(rows[0].homology.part) == "Z, 0"


def test_a_circle_of_which_an_arc_is_collapsed():
    """The same units over a closed curve: H(M/A) = Z, Z, and not that of a point."""
    net = pr.load(HERE / "leaky_in_limits.json")
    first = net.layers[0]
    planar = Layer(
        RationalArray.from_floats([[first.weight.approx[0, 0], 0.0]]),
        first.bias, first.slope_neg, first.slope_pos,
    )  # fmt: skip
    s = 2.0**-500
    square = build_manifold(
        [[-s, -s], [s, -s], [s, s], [-s, s]], [[[0, 1], [1, 2], [2, 3], [0, 3]]]
    )
    wide = Network((planar, *net.layers[1:]))
    check_against_oracle(wide, square)
    found = restrict(wide, square)
    check_ranks(found)
    (row,) = homology_table(found, rank=0, layers=[3])
    assert found.complex.cells == (8, 8)
    assert str(row.homology.one_point) == "Z, Z^2"
    assert str(row.homology.per_component) == "Z, Z"


def random_scaled(rng: np.random.Generator, manifold: Manifold, spread: int) -> Network:
    """Weights and slopes of ragged sizes; kinks pass through points of the manifold."""
    n = manifold.ambient
    widths = [n, *rng.integers(1, 4, size=rng.integers(1, 4)).tolist()]
    layers: list[Layer] = []
    for inputs, units in pairwise(widths):
        signs = rng.choice([-1.0, 1.0], size=(units, inputs))
        exponents = rng.integers(-spread, spread, size=(units, inputs))
        sizes = np.ldexp(rng.uniform(1, 2, size=(units, inputs)), exponents)
        weight = RationalArray.from_floats(
            np.where(rng.random(sizes.shape) < 0.15, 0, signs * sizes)
        )
        slopes = []
        for _ in range(units):
            e = int(rng.integers(-spread, spread))
            tiny = [fmpq(0), power(e), -power(e), power(e) / 3, fmpq(1), power(-600) / 5]
            slopes.append(tiny[int(rng.integers(len(tiny)))])
        neg = RationalArray.from_rationals(slopes, (units,))
        pos = RationalArray.from_rationals([1] * units, (units,))
        zero = RationalArray.from_floats(np.zeros(units))
        trial = Network((*layers, Layer(weight, zero, neg, pos)))
        biases = []
        for i in range(units):
            value = preactivations(trial, between(rng, manifold))[-1][i]
            near = -nearest_float(value)
            fits = np.isfinite(near) and rng.random() < 0.8
            biases.append(near if fits else 0.0)
        layers.append(Layer(weight, RationalArray.from_floats(biases), neg, pos))
    return Network((*layers, affine_layer(np.ones((1, widths[-1])), [0.0])))


def between(rng: np.random.Generator, manifold: Manifold) -> tuple[fmpq, ...]:
    """A point of one simplex."""
    corners = manifold.simplices[-1][int(rng.integers(len(manifold.simplices[-1])))].tolist()
    parts = rng.integers(1, 9, size=len(corners)).tolist()
    point = [fmpq(0)] * manifold.ambient
    for part, v in zip(parts, corners, strict=True):
        point = [
            a + fmpq(part, sum(parts)) * b for a, b in zip(point, manifold.point(v), strict=True)
        ]
    return tuple(point)


def scaled_manifold(rng: np.random.Generator, scale: int) -> Manifold:
    """A chain of segments on the line or in the plane, or two triangles, at ragged scales."""
    kind = int(rng.integers(3))
    n = 1 if kind == 0 else 2
    ragged = rng.integers(-40, 40, size=(4, n)) if rng.random() < 0.5 else 0
    points = np.ldexp(rng.uniform(-2, 2, size=(4, n)), np.clip(scale + ragged, -899, 899))
    if rng.random() < 0.3:
        points[0] = 0.0
    facets = [[[0, 1], [1, 2], [2, 3]]] if kind < 2 else [[[0, 1, 2], [1, 2, 3]]]
    return build_manifold(points, facets)


def thirds(array: RationalArray) -> RationalArray:
    """Numbers that no float holds."""
    return RationalArray.from_rationals([v / 3 for v in array.entries()], array.shape)


def with_thirds(rng: np.random.Generator, net: Network, manifold: Manifold):
    """Some weights, some biases and perhaps the points divided by 3."""
    layers = [
        Layer(
            thirds(la.weight) if rng.random() < 0.5 else la.weight,
            thirds(la.bias) if rng.random() < 0.5 else la.bias,
            la.slope_neg,
            la.slope_pos,
        )
        for la in net.layers
    ]
    if rng.random() < 0.5:
        manifold = build_manifold(thirds(manifold.points), [manifold.simplices[-1]])
    return Network(tuple(layers)), manifold


@pytest.mark.parametrize("spread", [20, 250, 498])
@pytest.mark.parametrize("scale", [-899, -500, -300, 0, 300, 500, 899])
def test_every_scale(scale, spread):
    for seed in range(6):
        rng = np.random.default_rng([seed, scale + 1000, spread])
        manifold = scaled_manifold(rng, scale)
        net = random_scaled(rng, manifold, spread)
        if seed % 2:
            net, manifold = with_thirds(rng, net, manifold)
        check_against_oracle(net, manifold)
        found = restrict(net, manifold)
        check_ranks(found)
        check_witnesses(found)


@pytest.mark.long
@pytest.mark.slow
def test_every_scale_many_times():
    for seed in range(2000):
        rng = np.random.default_rng([seed, 7])
        manifold = scaled_manifold(rng, int(rng.integers(-899, 900)))
        net = random_scaled(rng, manifold, int(rng.choice([5, 60, 300, 499])))
        check_against_oracle(net, manifold)
        check_ranks(restrict(net, manifold))


@pytest.mark.parametrize("slope", ["1e-400", "-1e-400", "1e-320"])
def test_a_slope_that_no_float_holds_is_not_zero(slope):
    """relu(10^300 leaky(10^300 x) + 10^100) with slope 10^-400: a kink at x = −10^-100."""
    net = Network(
        (
            Layer(
                RationalArray.from_rationals([fmpq(10) ** 300], (1, 1)),
                RationalArray.from_floats([0.0]),
                RationalArray.from_rationals([slope], (1,)),
                RationalArray.from_floats([1.0]),
            ),
            Layer(
                RationalArray.from_rationals([fmpq(10) ** 300], (1, 1)),
                RationalArray.from_rationals([fmpq(10) ** 100], (1,)),
                RationalArray.from_floats([0.0]),
                RationalArray.from_floats([1.0]),
            ),
        )
    )
    found = restrict(net, segments(0))
    check_against_oracle(net, segments(0))
    check_ranks(found)
    assert found.tangent_rank[1].max(axis=0).tolist() == [1, 1]


def test_a_sum_that_floats_lose_is_not_zero_at_a_new_vertex():
    """A unit without hyperplane whose float is 0 at both ends of a cut edge, and is 2^-60 there."""
    weight = [[0.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0]]
    first = Layer(
        RationalArray.from_floats(weight),
        RationalArray.from_floats([0.0, 0.0]),
        RationalArray.from_floats([0.0, 1.0]),
        RationalArray.from_floats([1.0, 1.0]),
    )
    second = Network.from_arrays([[[0.0, 1.0]]], [[-(2.0**-61)]], output_relu=True).layers[0]
    net = Network((first, second))
    ends = [[1.0, 2.0**-60, -1.0, t] for t in (-1.0, 1.0)]
    sub = check_against_oracle(net, build_manifold(ends, [[[0, 1]]]))
    assert sub.complex.cells == (3, 2)
    assert homology(sub.complex).betti == (1, 0)
