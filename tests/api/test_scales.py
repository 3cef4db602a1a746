"""Regions as objects, at any magnitude: vertices, volumes, maps, and the region of a point.

``python -m tests.scales regions 100000`` runs 10^5 random networks against the oracle's list.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod

import numpy as np
import pytest

import polyrank as pr
from tests.oracles import OracleRegion, regions_by_generators
from tests.scales import count, exactly, scaled_case

_MOST = 40


def _map(region: pr.Region, layer: int) -> tuple[tuple[Fraction, ...], ...]:
    A, c = region.affine_map_exact(layer)
    return tuple(
        tuple(Fraction(int(v.p), int(v.q)) for v in (*a, *b))
        for a, b in zip(A.tolist(), c.tolist(), strict=True)
    )


def _compare(run: pr.Run, region: pr.Region, expected: OracleRegion) -> None:
    assert region.ranks == expected.ranks
    for layer in range(1, run.layers + 1):
        assert _map(region, layer) == expected.maps[layer - 1]
    if expected.vertices:
        found = {tuple(v) for v in region.geometry.generators.vertices}
        assert found == {tuple(map(exactly, v)) for v in expected.vertices}
        assert region.geometry.bounded == expected.bounded
        assert (region.volume_exact is None) == (not expected.bounded)
    inside = run.find([exactly(v) for v in expected.witness])
    assert inside is not None
    assert inside.index == region.index
    at = run.find(region.witness_exact)
    assert at is not None
    assert at.index == region.index


def agrees(seed: int) -> str:
    """Every attribute of every region of a random network."""
    rng = np.random.default_rng(seed)
    network, domain, rows = scaled_case(rng, int(rng.integers(1, 4)))
    regions = regions_by_generators(network, rows)
    if len(regions) > _MOST:
        return "too large for the oracle"
    run = pr.enumerate_regions(network, domain, jobs=1)
    assert run.certified
    assert len(run) == len(regions)
    for region in run:
        _compare(run, region, regions[tuple(region.codeword.astype(int).tolist())])
    if not isinstance(domain, pr.Box):
        return "all of R^n"
    volume = sum(region.volume_exact for region in run)
    n = network.input_dim
    sides = [rows[2 * i][-1] + rows[2 * i + 1][-1] for i in range(n)]
    assert volume == exactly(prod(sides))
    return "a box"


def test_regions_of_any_magnitude() -> None:
    outcomes = count(agrees, 0, 60)
    assert set(outcomes) <= {"a box", "all of R^n", "too large for the oracle"}
    assert {"a box", "all of R^n"} <= set(outcomes)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(3))
def test_many_regions_of_any_magnitude(block: int) -> None:
    assert "DIFFERENT" not in count(agrees, 1000 + 300 * block, 300)
