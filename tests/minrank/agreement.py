"""What ``minrank`` must agree with: an oracle's list of all regions, ranks and codewords."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from polyrank.minrank.minimum import minimum_rank
from polyrank.minrank.result import MinimumRank
from polyrank.network.normal_form import Network
from tests.examples import Space
from tests.oracles import bits_at, exact_layers, leaves

Truth = dict[tuple[int, ...], int]
"""Rank through the last layer by codeword."""


def random_layer(n: int, units: int, seed: int = 0) -> Network:
    """Rows and biases of a normal law."""
    rng = np.random.default_rng(seed)
    return Network.from_arrays(
        [rng.normal(size=(units, n))], [rng.normal(size=units)], output_relu=True
    )


def truth(network: Network, space: Space) -> Truth:
    """All regions by splitting cones over exact vertices; nothing of polyrank's search."""
    found = leaves(exact_layers(network), network.input_dim, space.rows)
    return {leaf.bits: leaf.ranks[-1] for leaf in found}


def through(network: Network, layer: int) -> Network:
    return Network(network.layers[:layer], network.name)


def agrees(network: Network, space: Space, layer: int, **options: Any) -> MinimumRank:
    """minrank's answers, with and without a list, against the oracle."""
    regions = truth(through(network, layer), space)
    least = min(regions.values())
    below = {0, least, least + 1, max(regions.values()) + 1}
    return agrees_with(regions, network, space, layer, sorted(below), **options)


def agrees_with(
    regions: Truth, network: Network, space: Space, layer: int, lists: list[int], **options: Any
) -> MinimumRank:
    """minrank's answer, and its lists of the regions below some ranks, against known regions."""
    least = min(regions.values())
    found = minimum_rank(network, space.domain(), layer=layer, **options)
    assert found.certified
    assert (found.lower, found.best.rank) == (least, least)
    check_region(network, space, layer, found.best, regions)
    for below in lists:
        found = minimum_rank(network, space.domain(), layer=layer, below=below, **options)
        assert found.certified
        assert found.lower == found.best.rank == least
        low = {bits: rank for bits, rank in regions.items() if rank < below}
        listed = {tuple(map(int, region.codeword)): region.rank for region in found.regions}
        assert listed == low
        assert len(found.regions) == len(low)
        for region in found.regions:
            check_region(network, space, layer, region, regions)
    return found


def check_region(network: Network, space: Space, layer: int, region: Any, regions: Truth) -> None:
    """The witness is strictly inside the domain and has the codeword; the rank is the region's."""
    point = tuple(Fraction(int(v.p), int(v.q)) for v in region.witness)
    bits, _ = bits_at(exact_layers(through(network, layer)), point)
    assert bits == tuple(map(int, region.codeword))
    assert regions[bits] == region.rank
    for row in space.rows:
        if any(row[:-1]):
            assert sum(a * x for a, x in zip(row, point, strict=False)) < row[-1]
