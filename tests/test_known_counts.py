"""Numbers of regions that a theorem or a publication states, all exact.

Arrangements with more than 60,000 regions, and three that need exact rationals throughout, are
slow tests. threshold_6 (15 million regions) is counted by deletion and restriction only.
"""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest

import polyrank as pr
from polyrank.network.normal_form import Network
from tests.checks import check_run, differences
from tests.conftest import shared
from tests.deletion_restriction import bounded_count, characteristic_polynomial, region_count
from tests.examples import EXAMPLES, Example, layer, network
from tests.families import (
    DOCTESTS,
    FAMILIES,
    GRAPHS,
    Arrangement,
    affine_instance,
    generic,
    generic_central,
    generic_central_count,
    generic_count,
    graphical,
    linear_instance,
    montufar,
    montufar_bound,
    readme_arrangement,
    sawtooth,
    simplicial_arrangements,
)
from tests.oracles import rank_histogram, regions_by_generators

_SLOW = 60_000

_LINEAR = {
    "resonance_3": 32,
    "resonance_4": 370,
    "resonance_5": 11_292,
    "resonance_6": 1_066_044,
    "threshold_3": 104,
    "threshold_4": 1_882,
    "threshold_5": 94_572,
    "demicube_4": 146,
    "demicube_5": 3_756,
    "demicube_6": 291_558,
    "crosspoly_5": 454,
    "crosspoly_6": 1_394,
    "crosspoly_7": 4_246,
    "crosspoly_8": 12_866,
    "crosspoly_9": 38_854,
    "crosspoly_10": 117_074,
    "crosspoly_11": 352_246,
    "crosspoly_12": 1_058_786,
    "data_perm_5": 720,
    "data_perm_6": 5_040,
    "data_perm_7": 40_320,
    "data_perm_8": 362_880,
    "data_rand_4_8_2": 128,
    "data_rand_7_8_4": 254,
    "data_rand_7_9_4": 494,
    "data_rand_7_10_5": 932,
    "data_rand_7_11_4": 1_696,
    "data_rand_7_12_6": 2_972,
    "data_rand_7_13_5": 5_020,
    "data_rand_7_14_7": 8_192,
    "data_rand_8_15_7": 19_816,
    "data_rand_9_16_8": 45_638,
    "data_rand_10_17_9": 101_286,
}
_AFFINE = {
    "data_aff_perm_4": 120,
    "data_aff_perm_5": 720,
    "data_aff_perm_6": 5_040,
    "data_aff_perm_7": 40_320,
    "data_aff_perm_8": 362_880,
    "data_aff_R_8_2": 37,
    "data_aff_R_8_4": 163,
    "data_aff_R_9_4": 256,
    "data_aff_R_11_4": 562,
    "data_aff_R_10_5": 638,
    "data_aff_R_13_5": 2_380,
    "data_aff_R_12_6": 2_510,
    "data_aff_R_14_7": 9_908,
    "data_aff_R_15_7": 16_384,
    "data_aff_R_16_8": 39_203,
    "data_aff_R_17_9": 89_846,
}
"""IncrementalSignFeasibility instances: the counts of known_counts.json; closed forms agree:
perm_n has (n+1)! regions, rand and R are in general position."""

_NEARLY_FLAT = {"data_rand_7_13_5", "data_rand_8_15_7", "data_rand_9_16_8"}
"""The normals of rand_n_p_r span R^n, but only r dimensions to 15 digits: their exact counts are
those of general position, and exact rationals decide nearly every test."""


_LONG = {"data_rand_10_17_9", "crosspoly_12", "crosspoly_13"}


def _mark(regions: int, name: str = "") -> Any:
    if name in _LONG:
        return (pytest.mark.slow, pytest.mark.long)
    return pytest.mark.slow if regions > _SLOW or name in _NEARLY_FLAT else ()


def _count(net: Network, regions: int, domain: Any = None) -> Any:
    """Enumerate, demand the certified count, and check up to 200 rows exactly."""
    where = pr.WholeSpace() if domain is None else domain
    run = pr.enumerate_regions(net, domain=where)
    assert (run.count, run.undecided, run.certified) == (regions, 0, True)
    report = check_run(net, where, run, limit=200)
    assert report.ok, report.failures[:5]
    return run


@pytest.mark.parametrize(
    ("name", "n", "regions"),
    [
        pytest.param(name, n, regions, marks=_mark(regions), id=f"{name} {n}")
        for name, family in FAMILIES.items()
        for n, regions in family.regions.items()
    ],
)
def test_families(name: str, n: int, regions: int) -> None:
    _count(FAMILIES[name].build(n).network(), regions)


@pytest.mark.parametrize("name", GRAPHS)
def test_graphical_arrangements(name: str) -> None:
    vertices, edges, orientations = GRAPHS[name]
    _count(graphical(vertices, edges).network(), orientations)


@pytest.mark.parametrize("name", DOCTESTS)
def test_doctests_of_sage(name: str) -> None:
    arrangement, regions = DOCTESTS[name]
    _count(arrangement.network(), regions)


def test_readme_of_counting_chambers() -> None:
    _count(readme_arrangement().network(), 10)


@pytest.mark.parametrize(("p", "n"), [(40, 1), (20, 2), (15, 3), (12, 4), (10, 5), (9, 6), (4, 7)])
def test_generic_arrangements(p: int, n: int) -> None:
    _count(generic(p, n).network(), generic_count(p, n))
    _count(generic_central(p, n).network(), generic_central_count(p, n))


@pytest.mark.parametrize("name", ["shi", "catalan", "semiorder"])
def test_an_affine_output_layer_changes_no_region(name: str) -> None:
    family = FAMILIES[name]
    run = _count(family.build(4).network(output=True), family.regions[4])
    assert set(run.rank_histogram(layer=2)) <= {0, 1}


@pytest.mark.parametrize(
    ("name", "regions"),
    [
        pytest.param(
            *(name, count),
            marks=_mark(count, name),
            id=name,
        )
        for name, count in _LINEAR.items()
    ],
)
def test_linear_instances(name: str, regions: int) -> None:
    arrangement = linear_instance(shared(f"isf_arrangements/test/linear_data/{name}.txt"))
    _count(arrangement.network(), regions)


@pytest.mark.parametrize(
    ("name", "regions"),
    [pytest.param(name, count, marks=_mark(count), id=name) for name, count in _AFFINE.items()],
)
def test_affine_instances(name: str, regions: int) -> None:
    arrangement = affine_instance(shared(f"isf_arrangements/test/affine_data/{name}.txt"))
    _count(arrangement.network(), regions)


def test_simplicial_arrangements() -> None:
    path = shared("simplicial_arrangements/rank3_simplicial_rational.json")
    arrangements = simplicial_arrangements(path)
    assert len(arrangements) >= 36
    for arrangement, regions in arrangements.values():
        _count(arrangement.network(), regions)


@pytest.mark.parametrize("k", [1, 2, 3, 6, 10])
def test_sawtooth(k: int) -> None:
    run = _count(sawtooth(k), 3 if k == 1 else 2**k + 2)
    assert run.rank_histogram(layer=1)[0] == 1  # x < 0
    inside = _count(sawtooth(k), 2**k, pr.Box(0, 1))
    assert inside.rank_histogram(layer=k + 1) == {1: 2**k}


@pytest.mark.parametrize(
    ("n", "folds", "last"),
    [(1, [3], 2), (1, [4, 5, 3], 6), (2, [2, 3], 3), (2, [3, 3], 4), (3, [2, 2], 4)],
)
def test_folding_attains_its_bound_on_its_cube(n: int, folds: list[int], last: int) -> None:
    net = montufar(n, folds, last)
    _count(net, montufar_bound(n, folds, last), pr.Box(0, Fraction(folds[0], 2)))
    run = pr.enumerate_regions(net)
    assert run.certified
    assert run.count >= montufar_bound(n, folds, last)


@pytest.mark.parametrize("example", EXAMPLES, ids=[e.name for e in EXAMPLES])
def test_examples(example: Example) -> None:
    domain = example.space.domain()
    run = _count(example.network, example.count, domain)
    for k, histogram in enumerate(example.ranks, start=1):
        assert run.rank_histogram(layer=k) == histogram
    oracle = regions_by_generators(example.network, example.space.rows)
    assert not differences(example.network, run, oracle)
    assert rank_histogram(oracle.values(), len(example.ranks)) == example.ranks[-1]


def test_composition_of_two_folds_of_three() -> None:
    """Nine regions on [-1, 1], as in figure 4.1 of Prince, "Understanding Deep Learning" (2023).

    f = -1 + 3 relu(x + 1) - 6 relu(x + 1/3) + 6 relu(x - 1/3) folds [-1, 1] three times onto
    itself. On R there is one more region: left of -1, f is the constant -1, where the first unit
    of the second fold is identically zero; right of 1, f > 1 changes no sign.
    """
    third = Fraction(1, 3)
    fold = [3, -6, 6]
    shifts = [1, third, -third]
    net = network(
        layer([[1], [1], [1]], shifts),
        layer([fold] * 3, [shift - 1 for shift in shifts]),
        layer([fold], [-1], (1, 1)),
    )
    inside = _count(net, 9, pr.Box(-1, 1))
    assert inside.rank_histogram(layer=3) == {1: 9}
    assert _count(net, 10).rank_histogram(layer=3) == {0: 1, 1: 9}


# ---------------------------------------------------------------------------------------------
# the tables above against the file of known answers


def _known() -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(shared("known_answers/known_counts.json").read_text())
    return answer


def test_tables_cover_the_known_answers() -> None:
    known = _known()
    listed = {tuple(family.regions.values()) for family in FAMILIES.values()}
    for entry in known["families"]:
        if "regions" in entry:
            assert tuple(entry["regions"]) in listed, entry["name"]
    for entry in known["graphical"]:
        assert GRAPHS[entry["graph"]][2] == entry["regions"]
    doctests = {regions for _, regions in DOCTESTS.values()}
    for entry in known["sage_doctests"]:
        if "chi" not in entry:
            assert entry["regions"] in doctests, entry["name"]
    for name, entry in known["isf_instances"]["counts"].items():
        kind, stem = name.removesuffix(".txt").split("/")
        table = _AFFINE if kind == "affine_data" else _LINEAR
        assert table[stem] == entry["regions"], name


def _instances() -> list[tuple[str, int]]:
    linear = [(f"linear_data/{name}", regions) for name, regions in _LINEAR.items()]
    return linear + [(f"affine_data/{name}", regions) for name, regions in _AFFINE.items()]


@pytest.mark.parametrize(("name", "regions"), _instances(), ids=[name for name, _ in _instances()])
def test_instances_by_deletion_and_restriction(name: str, regions: int) -> None:
    arrangement = _instance(name)
    assert region_count(arrangement.normals, arrangement.offsets) == regions
    entry = _known()["isf_instances"]["counts"].get(f"{name}.txt")
    if entry is not None:
        chi = characteristic_polynomial(arrangement.normals, arrangement.offsets)
        assert list(chi) == entry["chi"]
        assert bounded_count(arrangement.normals, arrangement.offsets) == entry["bounded"]


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "betti"),
    [("threshold_6", [1, 64, 2016, 36848, 400400, 2453248, 7111650, 5023907])],
)
def test_large_instances_by_deletion_and_restriction(name: str, betti: list[int]) -> None:
    arrangement = _instance(f"linear_data/{name}")
    chi = characteristic_polynomial(arrangement.normals, arrangement.offsets)
    assert [abs(c) for c in reversed(chi)] == betti  # Brysiewicz, Eble and Kuehne


def _instance(name: str) -> Arrangement:
    path = shared(f"isf_arrangements/test/{name}.txt")
    return affine_instance(path) if name.startswith("affine") else linear_instance(path)


def test_simplicial_arrangements_by_deletion_and_restriction() -> None:
    path = shared("simplicial_arrangements/rank3_simplicial_rational.json")
    for arrangement, regions in simplicial_arrangements(path).values():
        assert region_count(arrangement.normals, arrangement.offsets) == regions
