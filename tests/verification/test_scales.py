"""Verdicts, maxima, gradients and pairs of networks of any magnitude, against exact vertices.

``python -m tests.scales verification 100000`` runs 10^5 random networks. The oracle lists the
closed regions of a box in rationals: a network is affine on each, so that its extremes over the box
are those over their vertices, and its gradients are those of their maps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.errors import UnsupportedError
from polyrank.network.forward import forward_exact
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray
from polyrank.polyhedra.domain import Domain
from polyrank.polyhedra.violation import OutputRow, Question, satisfied, specification_of
from polyrank.proof.format import ProofRejectedError
from polyrank.proof.tree import MAGIC
from polyrank.proof.verdict import check_verdict
from polyrank.verification.gradients import lipschitz, monotone
from polyrank.verification.maximum import greatest
from polyrank.verification.pair import same_function
from tests.oracles import OracleRegion, exact_layers, regions_by_generators
from tests.scales import count, exactly, scaled_case
from tests.strategies import permuted
from tests.verification.vertices import outputs_at

_SECONDS = 5.0
_MOST = 60
Regions = list[OracleRegion]


def _fraction(value: fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def _extremes(regions: Regions, weights: list[int]) -> tuple[Fraction, Fraction]:
    values = []
    for region in regions:
        rows = region.maps[-1]
        form = [
            sum((w * row[l] for w, row in zip(weights, rows, strict=True)), Fraction(0))
            for l in range(len(rows[0]))
        ]
        values += [
            sum((a * v for a, v in zip(form, x, strict=False)), form[-1]) for x in region.vertices
        ]
    return min(values), max(values)


def _near(rng: np.random.Generator, value: Fraction, other: Fraction) -> Fraction:
    """The value itself, or one that is off by a share of the range, of any magnitude."""
    span = value - other or abs(value) or Fraction(1)
    shift = Fraction(int(rng.integers(-1, 2)))
    return value + shift * span / 2 ** int(rng.choice([1, 20, 53, 60, 200, 1000, 1080]))


def _weights(rng: np.random.Generator, outputs: int) -> list[int]:
    weights = rng.integers(-2, 3, outputs).tolist()
    return weights if any(weights) else [1] * outputs


def verdicts(rng: np.random.Generator, network: Network, domain: Domain, regions: Regions) -> str:
    """``w · y`` reaches a bound next to its maximum, strictly or not; the proof is checked."""
    outputs = network.widths[-1]
    weights, strict = _weights(rng, outputs), bool(rng.random() < 0.5)
    least, most = _extremes(regions, weights)
    bound = _near(rng, most, least)
    row = OutputRow(
        tuple((j, fmpq(-w)) for j, w in enumerate(weights) if w), exactly(-bound), strict
    )
    asked = specification_of("near", network.input_dim, outputs, (Question(domain, ((row,),)),))
    expected = "violated" if most > bound or (most == bound and not strict) else "holds"
    with TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        found = pr.verify(network, asked, seconds=_SECONDS, jobs=1, out=out, proof=True)
        if found.verdict == "unknown":
            return "unknown"
        assert found.verdict == expected
        assert check_verdict(out).verdict == expected
    if found.counterexample is not None:
        x = found.counterexample.x
        assert satisfied(asked.violation, x, forward_exact(network, x))
    return expected


def maxima(rng: np.random.Generator, network: Network, domain: Domain, regions: Regions) -> str:
    """The greatest value of ``w · y``."""
    weights = _weights(rng, network.widths[-1])
    most = _extremes(regions, weights)[1]
    found = greatest(network, domain, weights, seconds=_SECONDS, jobs=1)
    y = forward_exact(network, found.x)
    assert sum((w * v for w, v in zip(weights, y, strict=True)), fmpq(0)) == found.value
    assert _fraction(found.value) <= most
    if not found.certified:
        return "maximum unknown"
    assert _fraction(found.value) == most
    return "maximum"


def gradients(rng: np.random.Generator, network: Network, domain: Domain, regions: Regions) -> str:
    """Lipschitz constants, and whether an output rises with an input."""
    n = network.input_dim
    maps = [[row[:n] for row in region.maps[-1]] for region in regions]
    sums = {
        "inf": max(sum(map(abs, row)) for J in maps for row in J),
        "1": max(sum(map(abs, column)) for J in maps for column in zip(*J, strict=True)),
    }
    norm = str(rng.choice(["1", "inf", "2"]))
    found = lipschitz(network, domain, norm, jobs=1)
    if norm == "2":  # its square, between that of the greatest entry and the two sums' product
        entry = max(abs(v) for J in maps for row in J for v in row)
        assert found.lower <= found.upper
        assert entry**2 <= _fraction(found.upper)
        assert _fraction(found.lower) <= sums["1"] * sums["inf"]
    else:
        assert _fraction(found.lower) == _fraction(found.upper) == sums[norm]
    i, j = int(rng.integers(n)), int(rng.integers(network.widths[-1]))
    up = bool(rng.random() < 0.5)
    rises = monotone(network, domain, input_=i, output=j, increasing=up, jobs=1)
    assert rises.holds == all(J[j][i] * (1 if up else -1) >= 0 for J in maps)
    if rises.points is not None:
        a, b = rises.points
        assert a[i] < b[i]
        change = forward_exact(network, b)[j] - forward_exact(network, a)[j]
        assert change < 0 if up else change > 0
    return f"gradients, {norm}"


def pairs(rng: np.random.Generator, network: Network, domain: Domain, regions: Regions) -> str:
    """The same units in another order; or another bias of an output, off by any magnitude."""
    orders = [rng.permutation(layer.units).tolist() for layer in network.layers[:-1]]
    other = permuted(network, orders) if orders else network
    found = same_function(network, other, domain, jobs=1)
    assert found.same
    last = network.layers[-1]
    bias = list(last.bias.entries())
    unit = int(rng.integers(len(bias)))
    bias[unit] += exactly(Fraction(float(_near(rng, Fraction(0), Fraction(1)))))
    changed = Network((*network.layers[:-1], _with_bias(last, bias)))
    # the bias moves a kink: the functions are the same only if they are at all vertices of both
    points = [x for region in regions for x in region.vertices]
    points += [region.witness for region in regions]
    same = same_function(network, changed, domain, jobs=1)
    if same.same:
        one, two = network, changed
        assert all(_value(one, x) == _value(two, x) for x in points)
        return "the same"
    assert same.point is not None
    point = tuple(map(_fraction, same.point))
    assert _value(network, point) != _value(changed, point)
    return "not the same"


def _with_bias(layer: Layer, bias: list[fmpq]) -> Layer:
    return replace(layer, bias=RationalArray.from_rationals(bias, (len(bias),)))


def _value(network: Network, x: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    return outputs_at(exact_layers(network), x)


_KINDS: tuple[Callable[..., str], ...] = (verdicts, verdicts, maxima, gradients, pairs)


def agrees(seed: int) -> str:
    """One of the questions above."""
    rng = np.random.default_rng(seed)
    network, domain, rows = scaled_case(rng, int(rng.integers(1, 4)), bounded=True)
    regions = list(regions_by_generators(network, rows).values())
    if len(regions) > _MOST:
        return "too large for the oracle"
    try:
        return _KINDS[seed % len(_KINDS)](rng, network, domain, regions)
    except UnsupportedError:  # a rational bias beyond the documented range
        return "refused"


def test_verdicts_of_any_magnitude() -> None:
    outcomes = count(agrees, 0, 100)
    assert "DIFFERENT" not in outcomes
    assert {"holds", "violated", "maximum", "not the same"} <= set(outcomes)
    assert {"gradients, 1", "gradients, 2", "gradients, inf", "the same"} <= set(outcomes)
    assert outcomes["refused"] + outcomes["too large for the oracle"] <= 2
    assert outcomes["maximum unknown"] <= 2
    assert outcomes["unknown"] <= 2  # sums of float64 overflow, and nothing but halving is left


@pytest.mark.slow
@pytest.mark.parametrize("block", range(5))
def test_many_verdicts_of_any_magnitude(block: int) -> None:
    assert "DIFFERENT" not in count(agrees, 1000 + 300 * block, 300)


def test_bounds_of_a_unit_that_only_rounding_tells_apart() -> None:
    """What rounding may cost is all of a unit's bounds: its line is chosen by it, and matters."""
    assert agrees(7132145) == "holds"


def test_a_unit_without_weight_on_what_follows_costs_no_rounding() -> None:
    """A unit that is far below 0 everywhere has the output 0, however far: no doubt comes of it."""
    assert agrees(1960) == "holds"


@pytest.mark.parametrize("seed", [1912, 1952, 2142])
def test_few_regions_are_decided_as_a_whole(seed: int, tmp_path: Path) -> None:
    """One exact proof instead of one for each of up to 2^20 boxes, where halving is in vain.

    The maximum is that over the vertices of the closed regions, listed in rationals.
    """
    rng = np.random.default_rng(seed)
    network, domain, rows = scaled_case(rng, int(rng.integers(1, 4)), bounded=True)
    outputs = network.widths[-1]
    regions = list(regions_by_generators(network, rows).values())
    weights = _weights(rng, outputs)
    most = _extremes(regions, weights)[1]
    found = greatest(network, domain, weights, jobs=1)
    assert found.certified
    assert _fraction(found.value) == most
    terms = tuple((j, fmpq(-w)) for j, w in enumerate(weights) if w)
    for strict, verdict in ((True, "holds"), (False, "violated")):
        row = OutputRow(terms, exactly(-most), strict)
        asked = specification_of("sum", network.input_dim, outputs, (Question(domain, ((row,),)),))
        out = tmp_path / verdict
        decided = pr.verify(network, asked, jobs=1, out=out, proof=True)
        assert decided.verdict == verdict
        assert decided.boxes == 1 or verdict == "violated"
        assert check_verdict(out).verdict == verdict


_TINY = Fraction(1, 2**1080)
#: Slopes, weights and a condition on outputs, one of which has the float 0.
_UNDERFLOWING = [
    ([_TINY, _TINY], [1, 2**90], 1),
    ([0, _TINY], [1, 2**90], 1),
    ([0, 1], [_TINY, 2**90], 1),
    ([1, 1], [1, _TINY], 1),
    ([0, 1], [1, 1], _TINY),
]


@pytest.mark.parametrize(("slopes", "weights", "row"), _UNDERFLOWING)
def test_numbers_whose_floats_underflow(slopes, weights, row, tmp_path: Path) -> None:
    """Bounds in floats would take them for 0, and the outputs with them."""

    def array(values, *shape):
        return RationalArray.from_rationals(values, shape)

    network = Network(
        (
            Layer(array(weights[:1], 1, 1), array([0], 1), *(array([s], 1) for s in slopes)),
            Layer(array(weights[1:], 1, 1), array([0], 1), array([1], 1), array([1], 1)),
        )
    )
    domain = pr.Box([str(2**999)], [str(2**1000)])
    most = Fraction(2**1000) * slopes[1] * weights[0] * weights[1] * row
    for bound, verdict in ((most, "holds"), (most * (1 - Fraction(1, 2**60)), "violated")):
        above = OutputRow(((0, exactly(-Fraction(row))),), exactly(-bound), strict=True)
        asked = specification_of("far", 1, 1, (Question(domain, ((above,),)),))
        out = tmp_path / verdict
        assert pr.verify(network, asked, jobs=1, out=out, proof=True).verdict == verdict
        assert check_verdict(out).verdict == verdict
    # a box that is closed by floats proves nothing there
    out = tmp_path / "holds"
    with pa.CompressedOutputStream(pa.OSFile(str(out / "tree-0.bin.zst"), "wb"), "zstd") as tree:
        tree.write(MAGIC + bytes(6))
    with pytest.raises(ProofRejectedError, match="floats underflow"):
        check_verdict(out)


def test_a_bound_beyond_float64() -> None:
    """2^800 x on [2^600, 2^601]: the greatest value is 2^1401."""
    network = pr.Network.from_arrays([[[2.0**400]], [[2.0**400]]], [[0.0], [0.0]])
    domain = pr.Box([str(2**600)], [str(2**601)])
    most = Fraction(2) ** 1401
    for bound, verdict in ((most, "holds"), (most - 1, "violated"), (most + 1, "holds")):
        row = OutputRow(((0, fmpq(-1)),), exactly(-bound), strict=True)
        asked = specification_of("far", 1, 1, (Question(domain, ((row,),)),))
        assert pr.verify(network, asked, jobs=1).verdict == verdict
