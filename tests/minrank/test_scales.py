"""Least ranks over all magnitudes, against the oracle's list of all regions.

``python -m tests.scales minrank 100000`` runs 10^5 random networks.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.examples import Space
from tests.minrank import agreement
from tests.scales import count, domain_rows, scaled_box, scaled_network


def agrees(seed: int) -> str:
    """Compare minrank, with and without a list below some rank, with full enumeration."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 4))
    lower, upper = scaled_box(rng, n)
    network = scaled_network(rng, n, [(a + b) / 2 for a, b in zip(lower, upper, strict=True)])
    space = Space("whole")
    if rng.random() < 0.7:
        rows = domain_rows(lower, upper)
        space = Space("box", rows, tuple(lower), tuple(upper))
    layer = int(rng.integers(1, len(network.layers) + 1))
    regions = agreement.truth(agreement.through(network, layer), space)
    if len(regions) > 60:
        return "too large for the oracle"
    least = min(regions.values())
    below = int(rng.choice([0, least, least + 1, max(regions.values()) + 1]))
    found = agreement.agrees_with(regions, network, space, layer, [below])
    return f"rank {found.best.rank}"


def test_least_ranks_of_any_magnitude() -> None:
    outcomes = count(agrees, 0, 60)
    assert "DIFFERENT" not in outcomes
    assert {"rank 0", "rank 1"} <= set(outcomes)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(5))
def test_many_least_ranks_of_any_magnitude(block: int) -> None:
    assert "DIFFERENT" not in count(agrees, 1000 + 300 * block, 300)
