"""Which units a property of an .nnet network is in: decided by the header, or asked."""

from __future__ import annotations

import numpy as np
import pytest
import typer

import polyrank as pr
from polyrank.network.normal_form import Network
from polyrank_cli.convention import needs_convention, settled_convention

# altitude in metres, 0..1000 normalised to −0.5..0.5, and speed, 10..30 to −1..1
HEADER = {
    "lower": [0.0, 10.0],
    "upper": [1000.0, 30.0],
    "means": [500.0, 20.0, 0.0],
    "ranges": [1000.0, 10.0, 1.0],
}


def network(header=HEADER, normalisation="folded") -> Network:
    plain = Network.from_arrays([np.ones((1, 2))], [np.zeros(1)], name="plane")
    return Network(plain.layers, "plane", {"header": header, "normalisation": normalisation})


def test_only_a_folded_normalisation_needs_a_decision():
    assert needs_convention(network())
    assert not needs_convention(network(normalisation="raw"))
    assert not needs_convention(network(normalisation="none"))
    assert not needs_convention(Network.from_arrays([np.ones((1, 2))], [np.zeros(1)]))


@pytest.mark.parametrize(
    ("domain", "raw"),
    [
        (pr.Box([0, 10], [1000, 30]), False),
        (pr.Box([100, 12], [100, 13]), False),
        (pr.Box(["-0.5", -1], ["0.5", 1]), True),
        (pr.Box(["-0.5000001", -1], ["0.5", "1.000001"]), True),  # few digits
        (pr.Polytope([[1, 0], [-1, 0], [0, 1], [0, -1]], ["0.1", 0, 1, 1]), True),
        # altitude = 10 + 20 t, speed = 11 + t for t in [0, 1]
        (pr.Slice([10, 11], [[20], [1]], pr.Box(0, 1)), False),
        (pr.Slice([10, 11], [[-20], [1]], pr.Box("-0.1", 0)), False),
    ],
)
def test_the_range_that_contains_the_box_decides(domain, raw):
    found, note = settled_convention(network(), domain)
    assert found is raw
    assert ("taking --raw" if raw else "taking --folded") in note


@pytest.mark.parametrize(
    ("header", "domain", "reason"),
    [
        (HEADER, pr.Box([2000, 10], [3000, 30]), "neither way"),
        (HEADER, pr.Box(["-0.6", -1], ["0.5", 1]), "neither way"),
        (HEADER, pr.Box([0, 0], [1, 1]), "neither way"),
        (HEADER, pr.WholeSpace(), "the property is unbounded"),
        (HEADER | {"lower": None, "upper": None}, pr.Box(0, 1), "states no input range"),
        (
            HEADER | {"means": [0.0, 0.0, 0.0], "ranges": [1.0, 1.0, 2.0]},
            pr.Box([0, 10], [1000, 30]),
            "either way",
        ),
    ],
)
def test_otherwise_the_user_is_asked(header, domain, reason):
    with pytest.raises(typer.BadParameter, match=f"{reason}.*; say --raw .* or --folded"):
        settled_convention(network(header), domain)
