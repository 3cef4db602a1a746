"""Bounds of the differences of twins: what they prove is true, and the same as without them."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.errors import NetworkError, UnsupportedError
from polyrank.network.forward import forward_exact
from polyrank.network.normal_form import Layer, Network, affine_layer
from polyrank.network.rational import RationalArray, nearest_float
from polyrank.polyhedra.violation import OutputRow
from polyrank.proof.boxes import BoxBounds, has_twins
from polyrank.proof.format import ProofRejectedError
from polyrank.proof.function import check_function
from polyrank.proof.twins import _differences
from polyrank.proof.verdict import check_verdict
from polyrank.verification.alethe import export_alethe
from polyrank.verification.maximum import greatest_of
from polyrank.verification.pair import difference_network, greatest_difference
from polyrank.verification.properties import output_bounds
from tests.verification.test_proofs import _read, _restate, _write
from tests.verification.vertices import extremes

SQUARE = pr.Box(-1, 1)
#: Slopes of ReLU, leaky ReLU, the modulus; concave, steep and falling ones.
SLOPES = [(0, 1), (Fraction(1, 8), 1), (-1, 1), (1, Fraction(1, 3)), (2, -1), (-1, -3)]


def drawn(rng: np.random.Generator, widths: list[int], slope: tuple) -> Network:
    """Small dyadic weights."""
    layers = []
    for d, m in pairwise(widths):
        weight, bias = rng.integers(-8, 9, (m, d)) / 4, rng.integers(-8, 9, m) / 4
        if m == widths[-1]:
            layers.append(affine_layer(weight, bias, "last"))
            continue
        neg, pos = (RationalArray.from_rationals([s] * m, (m,)) for s in slope)
        layers.append(
            Layer(RationalArray.from_floats(weight), RationalArray.from_floats(bias), neg, pos)
        )
    return Network(tuple(layers), "drawn")


def moved(network: Network, rng: np.random.Generator, size: float) -> Network:
    """Weights and biases a little off; some of them not at all."""
    layers = []
    for layer in network.layers:
        weight, bias = (
            v + size * rng.integers(-1, 2, v.shape)
            for v in (layer.weight.approx, layer.bias.approx)
        )
        layers.append(
            Layer(RationalArray.from_floats(weight), RationalArray.from_floats(bias),
                  layer.slope_neg, layer.slope_pos)
        )  # fmt: skip
    return Network(tuple(layers), "moved")


@pytest.mark.parametrize("slope", SLOPES, ids=str)
@pytest.mark.parametrize("size", [2.0**-3, 2.0**-20])
def test_the_greatest_difference_is_that_of_the_vertices(slope, size, tmp_path):
    """By exact vertices of all regions of both, and by the search without twins."""
    rng = np.random.default_rng(int(1 / size) + SLOPES.index(slope))
    first = drawn(rng, [2, 3, 2, 1], slope)
    second = moved(first, rng, size)
    pair = difference_network(first, second)
    ends = extremes(pair, (Fraction(-1),) * 2, (Fraction(1),) * 2)
    most = max(abs(v) for side in ends for v in side)
    found = greatest_difference(first, second, SQUARE, jobs=1, out=tmp_path / "run", proof=True)
    assert found.certified
    assert Fraction(int(found.value.p), int(found.value.q)) == most
    stated = json.loads((tmp_path / "run/verdict/verdict.json").read_text())
    assert all(question["twins"] for question in stated["questions"])
    assert check_function(tmp_path / "run").values == (str(found.value),)
    assert greatest_of(pair, SQUARE, [[1], [-1]], jobs=1).value == found.value


@pytest.mark.parametrize("slope", SLOPES, ids=str)
def test_the_lines_hold(slope):
    """At points in the corners, at 0 and between, for all that signs allow."""
    neg, pos = (float(s) for s in slope)
    rng = np.random.default_rng(3)

    def f(z: float) -> float:
        return z * (pos if z >= 0 else neg)

    for _ in range(60):
        low_a, low_b = rng.integers(-6, 4, 2) / 2
        high_a, high_b = low_a + rng.integers(0, 9) / 2, low_b + rng.integers(0, 9) / 2
        points = [
            (a, b)
            for a, b in product(
                np.unique([low_a, high_a, np.clip(0, low_a, high_a), (low_a + high_a) / 2]),
                np.unique([low_b, high_b, np.clip(0, low_b, high_b), (low_b + high_b) / 2]),
            )
        ]
        apart = [a - b for a, b in points]
        signs = [
            np.array([[1 if low >= 0 else -1 if high <= 0 else 0]], dtype=np.int8)
            for low, high in ((low_a, high_a), (low_b, high_b))
        ]
        ends = np.array([[min(apart)]]), np.array([[max(apart)]])
        with np.errstate(all="ignore"):
            line, size = _differences(np.array([neg]), np.array([pos]), ends, *signs)
        doubt = 1e-12 * size.item()
        for a, b in points:
            d, x = f(a) - f(b), a - b
            below = line.low_slope.item() * x + line.low_offset.item()
            above = line.high_slope.item() * x + line.high_offset.item()
            assert below - doubt <= d <= above + doubt
            assert d - below <= line.low_gap.item() + doubt
            assert above - d <= line.high_gap.item() + doubt


@pytest.mark.parametrize("slope", SLOPES, ids=str)
def test_no_bound_of_the_checker_is_above_a_value(slope):
    """On random boxes nothing is refuted that some input there satisfies, by exact outputs."""
    rng = np.random.default_rng(SLOPES.index(slope))
    first = drawn(rng, [3, 6, 5, 1], slope)
    pair = difference_network(first, moved(first, rng, 2.0**-6))
    refuted = 0
    for _ in range(40):
        middle, radius = rng.uniform(-1, 1, 3), 2.0 ** -rng.integers(0, 8)
        low, high = middle - radius, middle + radius
        inputs = [low, high, middle, *rng.uniform(low, high, (20, 3))]
        values = [
            forward_exact(pair, [fmpq(*float(v).as_integer_ratio()) for v in x])[0] for x in inputs
        ]
        least = min(values)
        reach = nearest_float(max(abs(v) for v in values))
        for under in (0.0, 1e-9, 4.0 * radius, 64.0):
            bound = least - fmpq(*float(under * max(reach, 1e-3)).as_integer_ratio())
            disjuncts = [(OutputRow(((0, fmpq(1)),), bound),)]
            for twins in (False, True):
                bounds = BoxBounds(pair, None, None, disjuncts, twins=twins)
                known = np.zeros((1, bounds.units), np.int8)
                good, _ = bounds.refuted(low[None], high[None], np.ones((1, 1)), known)
                assert not (under == 0.0 and good[0])
                refuted += int(good[0]) * twins
    assert refuted > 40


def test_what_is_no_twin_is_refused():
    uneven = pr.Network.from_arrays([np.ones((3, 2)), np.ones((1, 3))], [np.zeros(3), np.zeros(1)])
    assert not has_twins(uneven)
    with pytest.raises(NetworkError, match="are no twins"):
        pr.verify(uneven, output_bounds(uneven, SQUARE, upper=9), twins=True)


def test_any_network_with_equal_halves_has_twins(tmp_path):
    """No part of it has to be a difference of two."""
    rng = np.random.default_rng(8)
    network = drawn(rng, [2, 6, 4, 1], (0, 1))
    most = extremes(network, (Fraction(-1),) * 2, (Fraction(1),) * 2)[0][1]
    for gap, verdict in ((0, "holds"), (Fraction(-1, 10**20), "violated")):
        asked = output_bounds(network, SQUARE, upper=str(most + gap), output=0)
        out = tmp_path / verdict
        assert pr.verify(network, asked, out=out, proof=True, twins=True).verdict == verdict
        assert check_verdict(out).verdict == verdict


@pytest.fixture
def run(tmp_path) -> Path:
    rng = np.random.default_rng(5)
    first = drawn(rng, [2, 8, 8, 1], (0, 1))
    pair = difference_network(first, moved(first, rng, 2.0**-12))
    found = greatest_of(pair, SQUARE, [[1]], jobs=1, twins=True)
    asked = output_bounds(pair, SQUARE, upper=found.value + fmpq(1, 10**6))
    out = tmp_path / "run"
    assert pr.verify(pair, asked, out=out, proof=True, jobs=1, twins=True).verdict == "holds"
    return out


def test_changed_claims_of_twins_are_rejected(run):
    assert check_verdict(run).verdict == "holds"
    stated = json.loads((run / "verdict.json").read_text())
    assert stated["questions"][0]["twins"]
    tree = run / "tree-0.bin.zst"
    whole = _read(tree)
    # a sign that is assumed, where twins are
    magic = whole[: whole.index(b"\n") + 1]
    leaf = b"\0\0" + b"\0\0\0\0"
    _write(tree, magic + (2 + 2 * 2).to_bytes(2, "little") + leaf + leaf)
    with pytest.raises(ProofRejectedError, match="no place beside twins"):
        check_verdict(run)
    _write(tree, whole)

    def lowered(s):
        (row,) = s["property"]["questions"][0]["disjuncts"][0]
        row["bound"] = str(fmpq(*map(int, row["bound"].split("/"))) + fmpq(1, 10**4))

    _restate(run, lowered)
    with pytest.raises(ProofRejectedError):
        check_verdict(run)


def test_export_refuses_twins_by_name(run, tmp_path):
    with pytest.raises(UnsupportedError, match="differences of twins are not exported"):
        export_alethe(run, tmp_path / "proof.alethe")


def test_twins_of_a_network_without_them(tmp_path):
    uneven = pr.Network.from_arrays([np.ones((3, 2)), np.ones((1, 3))], [np.zeros(3), np.zeros(1)])
    asked = output_bounds(uneven, SQUARE, upper=9)
    assert pr.verify(uneven, asked, out=tmp_path / "run", proof=True).verdict == "holds"
    _restate(tmp_path / "run", lambda s: s["questions"][0].update(twins=True))
    with pytest.raises(ProofRejectedError, match="have no twins"):
        check_verdict(tmp_path / "run")
