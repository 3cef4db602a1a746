"""Codewords, ranks and regions of points over all magnitudes, against fractions.

``python -m tests.scales sampling 100000`` runs 10^5 random networks.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.network.forward import pack_bits
from polyrank.network.normal_form import Network
from polyrank.sampling.codewords import CodewordFilter
from polyrank.sampling.ranks import CodewordRanks
from polyrank.sampling.region_at import region_at
from tests.graph.brute_force import adjacent_pairs
from tests.oracles import bits_at, exact_layers, regions_by_generators
from tests.scales import count, scaled_case

DATA = Path(__file__).parent / "data"


def _points(rng: np.random.Generator, n: int, rows: Any) -> np.ndarray:
    """Float points: in the box (of any scale), its corners, 0 and neighbours of these."""
    if rows:
        upper = [float(rows[2 * i][-1]) for i in range(n)]
        lower = [-float(rows[2 * i + 1][-1]) for i in range(n)]
    else:
        lower, upper = [-1.0] * n, [1.0] * n
    out = [lower, upper, [0.0] * n]
    for _ in range(5):
        share = rng.choice([0.0, 0.125, 0.5, 1.0, rng.random()], n)
        out.append([a + (b - a) * s for a, b, s in zip(lower, upper, share, strict=True)])
    nudged = np.nextafter(np.array(out), rng.choice([-np.inf, np.inf]))
    return np.vstack([out, nudged])


def agrees(seed: int) -> str:
    """Codewords in both float types, ranks, and the facets of the region of a point."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 4))
    network, domain, rows = scaled_case(rng, n)
    layers = exact_layers(network)
    points = _points(rng, n, rows)
    bits = [bits_at(layers, tuple(Fraction(v) for v in p))[0] for p in points.tolist()]
    outcome = "float"
    for dtype in (np.float64, np.float32):
        found = CodewordFilter(network, dtype).certify(points)
        for row, word in enumerate(bits):
            assert (pack_bits(np.array(word, bool)) == found.packed[row]).all()
        if found.exact_points:
            outcome = "rationals"
    regions = regions_by_generators(network, rows)
    packed = np.array([pack_bits(np.array(w, bool)) for w in regions]).reshape(len(regions), -1)
    table = CodewordRanks(network).table(packed)
    assert table.exact
    assert table.lower.tolist() == [list(r.ranks) for r in regions.values()]
    if n < 3 and 1 < len(regions) <= 12 and sum(network.bits):
        pairs, walls = adjacent_pairs(network, rows)
        region = list(regions.values())[int(rng.integers(len(regions)))]
        point = [fmpq(v.numerator, v.denominator) for v in region.witness]
        at = region_at(network, point, domain, budget=20)
        if not at.hyperplanes and at.facets is not None:
            assert tuple(map(int, at.bits)) == region.bits
            inner = sum(region.bits in pair for pair in pairs)
            assert len(at.facets) == inner + walls[region.bits]
            for lower in at.lower:
                lows = [r for r in regions.values() if r.ranks[lower.layer - 1] < lower.rank_here]
                assert lower.found == bool(lows)
            outcome += " region"
    return outcome


def test_points_of_any_magnitude() -> None:
    outcomes = count(agrees, 0, 80)
    assert "DIFFERENT" not in outcomes
    assert outcomes["rationals region"] > 5


@pytest.mark.slow
@pytest.mark.parametrize("block", range(5))
def test_many_points_of_any_magnitude(block: int) -> None:
    assert "DIFFERENT" not in count(agrees, 1000 + 300 * block, 300)


def test_a_product_that_underflows_is_no_sign() -> None:
    """γ|h| vanishes for a subnormal h, a large weight brings the rounding back into range."""
    h = 2.0**-1060
    weight = np.array([[1.0 + 2.0**-52, 1.0 - 2.0**-53, -1.5]]) * 2.0**499
    net = Network.from_arrays([np.eye(3), weight], [np.zeros(3), [0.0]], output_relu=True)
    points = h * np.array(
        [[3.0, 3.0, 4.0], [5.0, 7.0, 8.0], [1.0, 2.0, 2.0], [4097.0, 1.0, 2732.0]]
    )
    layers = exact_layers(net)
    for dtype in (np.float64, np.float32):
        found = CodewordFilter(net, dtype).certify(points)
        for row, point in enumerate(points.tolist()):
            word, _ = bits_at(layers, tuple(Fraction(v) for v in point))
            assert (pack_bits(np.array(word, bool)) == found.packed[row]).all()


def test_interior_points_stay_short() -> None:
    """Coordinates grew to 118,000 bits from region to region, and the walk did not end."""
    network = pr.load(DATA / "mixed_scales.json")
    point = [fmpq(0), fmpq(*(-3.549156558500324e-271).as_integer_ratio())]
    at = region_at(network, point, pr.WholeSpace())
    assert len(at.facets) == 3
    regions = regions_by_generators(network)
    for lower in at.lower:
        lows = [r for r in regions.values() if r.ranks[lower.layer - 1] < lower.rank_here]
        assert lower.found == bool(lows)
