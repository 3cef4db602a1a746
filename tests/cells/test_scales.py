"""Both engines against the rational search and an independent oracle, over all magnitudes.

``python -m tests.scales cells 100000`` runs 10^5 random networks.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.cells.vertices.search import root_of
from polyrank.errors import DomainError, UnsupportedError
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray
from polyrank.posed.chart import chart
from polyrank.posed.problem import Problem
from tests import oracles
from tests.cells.exact_only import (
    Plain,
    plain,
    regions,
    regions_of,
    regions_without_floats,
)
from tests.scales import count, domain_rows, scaled_case

DATA = Path(__file__).parent / "data"


def expected_regions(network: Network, rows: Any) -> Plain:
    """The same from the oracle that splits cones by their generators."""
    return {
        (leaf.bits, tuple(int(s == 0) for s in leaf.signs)): leaf.ranks
        for leaf in oracles.leaves(oracles.exact_layers(network), network.input_dim, rows)
    }


def agrees(seed: int) -> str:
    """Compare both engines with the oracle; how floats fared.

    Every tenth time HiGHS proposes as well, and every tenth time no float is used at all.
    """
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 4))
    network, domain, rows = scaled_case(rng, n)
    where = chart(domain, n)
    expected = expected_regions(network, rows)
    bits = sum(network.bits)
    problem = Problem.of(network, where)
    found, result = regions_of(problem)
    assert result.certified
    assert plain(found, bits) == expected, "dictionary"
    outcome = "float" if result.ladder["by_rationals"] == 0 else "rationals"
    if root_of(problem) is not None:
        found, result = regions_of(problem, engine="vertices")
        assert result.certified
        assert plain(found, bits) == expected, "vertices"
        outcome += " vertices"
    if seed % 10 == 0:
        found, result = regions_of(problem, engine="highs")
        assert result.certified
        assert plain(found, bits) == expected, "highs"
    if seed % 10 == 5:
        with pytest.MonkeyPatch.context() as patch:
            assert plain(regions_without_floats(network, where, patch), bits) == expected
    return outcome


def test_factors_of_any_magnitude() -> None:
    outcomes = count(agrees, 0, 60)
    assert "DIFFERENT" not in outcomes
    assert outcomes["float vertices"] > 10  # floats still decide most
    assert outcomes["rationals vertices"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_many_factors_of_any_magnitude(block: int) -> None:
    assert "DIFFERENT" not in count(agrees, 1000 + 400 * block, 400)


@pytest.mark.parametrize("engine", ["dictionary", "vertices"])
@pytest.mark.parametrize("name", ["leaky_unit_box", "relu_tiny_box_2d_count"])
def test_products_below_the_least_float_are_not_zero(name: str, engine: str) -> None:
    """True values by sign-vector enumeration in rationals, from outside."""
    network = pr.load(DATA / f"{name}.json")
    expected = json.loads((DATA / f"{name}.expected.json").read_text())
    found, result = regions(network, chart(pr.Box(*expected["domain"]), network.input_dim),
                            engine=engine)  # fmt: skip
    assert result.certified
    assert len(found) == expected["regions"]
    assert plain(found, sum(network.bits)) == {
        (tuple(row["codeword"]), tuple(row["zero"])): tuple(row["ranks"])
        for row in expected["rows"]
    }


@pytest.mark.parametrize("part", ["weight", "slope_neg", "slope_pos", "bias"])
@pytest.mark.parametrize("value", ["1e-400", "2.5e-151", "1/3e151", "4e150", "1e301", "-1e-302"])
def test_what_is_out_of_range_is_refused_in_a_sentence(part: str, value: str) -> None:
    text = value if "/" not in value else f"1/3{'0' * 151}"
    parts = {
        "weight": RationalArray.from_rationals(["1"], (1, 1)),
        **{name: RationalArray.from_rationals(["1"], (1,)) for name in ("bias", "slope_pos")},
        "slope_neg": RationalArray.from_rationals(["0"], (1,)),
    }
    parts[part] = RationalArray.from_rationals([text], parts[part].shape)
    network = Network((Layer(**parts),))
    size = abs(Fraction(text))
    most = 500 if part != "bias" else 1000
    if Fraction(1, 2**most) <= size <= 2**most:
        found, result = regions(network, chart(pr.Box(-1, 1), 1))
        assert result.certified
        rows = domain_rows([Fraction(-1)], [Fraction(1)])
        assert plain(found, 1) == expected_regions(network, rows)
        return
    for engine in ("dictionary", "vertices"):
        with pytest.raises(UnsupportedError, match=rf"layer 1: {part}\[0.*rescale units by powers"):
            regions(network, chart(pr.Box(-1, 1), 1), engine=engine)


def test_a_bias_that_is_a_float_may_have_any_magnitude() -> None:
    biases = [5e-324, -5e-324, 1.7e308, -1.7e308, 2.0**-1022, 0.0]
    network = Network.from_arrays(
        [np.ones((6, 1)), [[1.0] * 6]], [biases, [0.5]], output_relu=True
    )  # the fractions below 1 and the largest float stand in one layer
    found, result = regions(network, chart(pr.Box(-1, 1), 1))
    assert result.certified
    rows = domain_rows([Fraction(-1)], [Fraction(1)])
    assert plain(found, 7) == expected_regions(network, rows)


@pytest.mark.parametrize(
    ("lower", "upper", "refused"),
    [
        ("1e270", "1e-270", False),  # width 2**-897 at 2**897
        ("0", "1e-272", True),
        ("-1e271", "1e271", True),
        ("0", "2e-271", False),
        ("-4e270", "4e270", False),
    ],
)
def test_a_domain_next_to_the_limits(lower: str, upper: str, refused: bool) -> None:
    low, high = Fraction(lower), Fraction(upper)
    if low > high:  # the second is the width
        high += low
        refused = False
    network = Network.from_arrays(
        [[[1.0], [-3.0]], [[1.0, 1.0]]],
        [[-float(low), 2.0 * float(low)], [-1.0]],
        output_relu=True,
    )
    where = chart(pr.Box(fmpq(low.numerator, low.denominator),
                         fmpq(high.numerator, high.denominator)), 1)  # fmt: skip
    for engine in ("dictionary", "vertices"):
        if refused:
            with pytest.raises(DomainError, match="rescale the input"):
                regions(network, where, engine=engine)
        else:
            found, result = regions(network, where, engine=engine)
            assert result.certified
            assert plain(found, 3) == expected_regions(network, domain_rows([low], [high]))
