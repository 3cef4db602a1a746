"""Counts by widths: against enumeration, published constructions and sums over all sign changes."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import product
from math import comb

import numpy as np
import pytest

import polyrank as pr
from polyrank.counts.arrangement import central_regions, regions
from polyrank.counts.bounds import parse_widths
from polyrank.counts.symmetric import (
    codeword_probability,
    expected_by_rank,
    expected_by_size,
    naive_low_rank_probability,
)
from polyrank.network.normal_form import Network, relu_layer
from tests.families import montufar, montufar_bound
from tests.oracles import box_rows, regions_by_generators


def single(weight: np.ndarray, bias: np.ndarray) -> Network:
    return Network((relu_layer(weight.astype(float), bias.astype(float)),))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 1), (4, 2), (6, 2), (5, 3), (3, 4)])
def test_general_position_has_that_many_regions(n: int, m: int) -> None:
    rng = np.random.default_rng(n + 10 * m)
    weight, bias = rng.normal(size=(n, m)), rng.normal(size=n)
    assert len(regions_by_generators(single(weight, bias), ())) == regions(n, m)
    central = len(regions_by_generators(single(weight, 0 * bias), ()))
    assert central == central_regions(n, m)


def test_no_hyperplane_and_no_dimension() -> None:
    assert [regions(0, 3), regions(4, 0), central_regions(0, 3), central_regions(4, 0)] == [1] * 4
    with pytest.raises(ValueError, match="-1 is negative"):
        regions(3, -1)


@pytest.mark.parametrize("domain", ["whole", "box", "central"])
def test_over_all_changes_of_sign_each_codeword_is_realised_equally_often(domain: str) -> None:
    """The theorem with its expectation as a finite sum: 2^5 sign changes of one arrangement."""
    rng = np.random.default_rng(3)
    n, m = 5, 2
    weight = rng.integers(-9, 10, (n, m))
    bias = rng.integers(-9, 10, n) * (domain != "central")
    rows = box_rows([-1, -1], [1, 1]) if domain == "box" else ()
    realised: Counter[tuple[int, ...]] = Counter()
    counts = set()
    for signs in product((-1, 1), repeat=n):
        s = np.array(signs)
        found = regions_by_generators(single(s[:, None] * weight, s * bias), rows)
        realised.update(list(found))
        counts.add(len(found))
    (count,) = counts
    assert set(realised.values()) == {count}  # N_D of 2^n changes realise σ
    assert len(realised) == 2**n
    if domain != "box":
        expected = codeword_probability(n, m, bias=domain == "whole")
        assert Fraction(count, 2**n) == expected
    sizes = Counter(sum(word) for word in realised.elements())
    assert [sizes[k] for k in range(n + 1)] == [comb(n, k) * count for k in range(n + 1)]


def test_means_over_random_layers_are_within_the_monte_carlo_error() -> None:
    """150 normal 6-unit layers on R^2: mean numbers of regions of rank 0, 1, 2."""
    rng = np.random.default_rng(1)
    table = []
    for _ in range(150):
        net = single(rng.normal(size=(6, 2)), rng.normal(size=6))
        ranks = Counter(pr.enumerate_regions(net).table["rank_1"].to_pylist())
        table.append([ranks[r] for r in range(3)])
    found = np.array(table)
    error = found.std(axis=0) / np.sqrt(len(found))
    expected = np.array([float(v) for v in expected_by_rank(6, 2)])
    assert np.all(np.abs(found.mean(axis=0) - expected) < 4 * error + 1e-9)


def test_values_that_the_theorem_names() -> None:
    for m in range(1, 30):
        assert codeword_probability(2 * m + 1, m) == Fraction(1, 2)
        assert codeword_probability(m, m) == 1
        # Wendel: the origin is outside the hull of n = 2m points with probability 1/2
        assert codeword_probability(2 * m, m, bias=False) == Fraction(1, 2)
    assert sum(expected_by_size(9, 4)) == regions(9, 4) == sum(expected_by_rank(9, 4))
    assert expected_by_rank(3, 5) == expected_by_size(3, 5)


def test_the_naive_probability() -> None:
    """Against binomials of exact integers."""
    for n, m in [(4, 1), (7, 2), (9, 2), (11, 3)]:
        total, drawn = 2**n, regions(n, m)
        low = sum(comb(n, k) for k in range(m))
        exact = 1 - Fraction(comb(total - low, drawn), comb(total, drawn))
        assert naive_low_rank_probability(n, m) == pytest.approx(float(exact), rel=1e-9)
    assert naive_low_rank_probability(60, 2) == pytest.approx(61 * 1831 / 2**60, rel=1e-3)
    assert naive_low_rank_probability(3, 0) == 0.0


def test_the_naive_probability_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = naive_low_rank_probability(24, 4)
    monkeypatch.setattr("polyrank.counts.symmetric._TERMS", 64)
    assert naive_low_rank_probability(24, 4) == pytest.approx(whole, rel=1e-6)


def by_tuples(m: int, layers: list[int]) -> int:
    """Serra et al., Theorem 1, summed over the tuples that it names."""
    total = 0
    for j in product(*(range(n + 1) for n in layers)):
        least, ways = m, 1
        for n, taken in zip(layers, j, strict=True):
            if taken > min(least, n):
                break
            least, ways = min(least, n - taken), ways * comb(n, taken)
        else:
            total += ways
    return total


@pytest.mark.parametrize("widths", [(3, 4, 3, 4), (2, 3), (1, 2, 2), (3, 2, 6, 1), (2, 7, 1, 4)])
def test_upper_bounds(widths: tuple[int, ...]) -> None:
    m, *layers = widths
    found = pr.bounds(widths)
    assert found.serra == by_tuples(m, layers)
    assert found.upper == found.serra <= found.montufar <= found.trivial
    rng = np.random.default_rng(0)
    for _ in range(3):
        weights = [rng.normal(size=(b, a)) for a, b in zip(widths[:-1], layers, strict=True)]
        biases = [rng.normal(size=n) for n in layers]
        net = Network.from_arrays(weights, biases, output_relu=True)
        assert pr.enumerate_regions(net).count <= found.upper


def test_one_layer_attains_its_bound() -> None:
    found = pr.bounds("3-5")
    assert (found.upper, found.serra, found.montufar, found.attained) == (26, 26, 26, 26)
    central = pr.bounds("3-5", bias=False)
    assert (central.upper, central.attained, central.naive_low_rank) == (22, None, None)


def test_the_folding_construction_attains_what_is_said() -> None:
    found = pr.bounds("2-4-3")
    assert found.attained == montufar_bound(2, [2], 3) == 28
    # on the domain that the construction folds it has exactly that many; on R^2 at least
    assert found.attained <= pr.enumerate_regions(montufar(2, [2], 3)).count <= found.upper
    assert pr.bounds("3-2-5").attained is None


@pytest.mark.parametrize(
    "widths", ["", "4", "4-", "4-0", "a-b", "-3-4", "4-5.5", (3,), (4, 5.5), "9-999999"]
)
def test_what_is_no_widths(widths: object) -> None:
    with pytest.raises(pr.NetworkError, match="are no widths"):
        pr.bounds(widths)  # type: ignore[arg-type]


def test_long_numbers_have_a_short_repr() -> None:
    assert repr(pr.bounds("2-3")) == "Bounds(widths=(2, 3), bias=True, upper='7')"
    assert "about 10^4139" in repr(pr.bounds((1000, *[3000] * 5)))


def test_summary_and_spelling() -> None:
    assert parse_widths("4x5-6") == (4, 5, 6) == parse_widths([4, 5, 6])
    shown = pr.bounds("2-3").summary()
    assert shown["regions"]["upper"] == 7
    assert shown["first_layer_sign_symmetric"]["expected_regions_by_rank"] == ["7/8", "21/8", "7/2"]
