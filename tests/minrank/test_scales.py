"""Least ranks over all magnitudes, against the oracle's list of all regions.

``python -m tests.scales minrank 100000`` runs 10^5 random networks.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.examples import Space
from tests.minrank import agreement
from tests.oracles import regions_by_generators
from tests.scales import count, domain_rows, scaled_box, scaled_network


def agrees(seed: int) -> str:
    """Compare minrank, with and without a list, with full enumeration."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 4))
    lower, upper = scaled_box(rng, n)
    network = scaled_network(rng, n, [(a + b) / 2 for a, b in zip(lower, upper, strict=True)])
    space = Space("whole")
    if rng.random() < 0.7:
        rows = domain_rows(lower, upper)
        space = Space("box", rows, tuple(lower), tuple(upper))
    if len(regions_by_generators(network, space.rows)) > 60:
        return "too large for the oracle"
    layer = int(rng.integers(1, len(network.layers) + 1))
    found = agreement.agrees(network, space, layer)
    return f"rank {found.best.rank}"


def test_least_ranks_of_any_magnitude() -> None:
    outcomes = count(agrees, 0, 60)
    assert "DIFFERENT" not in outcomes
    assert {"rank 0", "rank 1"} <= set(outcomes)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(5))
def test_many_least_ranks_of_any_magnitude(block: int) -> None:
    assert "DIFFERENT" not in count(agrees, 1000 + 300 * block, 300)
