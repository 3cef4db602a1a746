"""Accepted proofs of every arrangement and network whose number of regions is known."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import polyrank as pr
from polyrank.proof.check import check
from tests.conftest import shared
from tests.families import (
    DOCTESTS,
    FAMILIES,
    GRAPHS,
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
from tests.proof.runs import write
from tests.test_known_counts import _AFFINE, _LINEAR, _LONG, _NEARLY_FLAT

_SLOW = 800


def _mark(regions: int, name: str = "") -> Any:
    if name in _LONG:
        return (pytest.mark.slow, pytest.mark.long)
    return pytest.mark.slow if regions > _SLOW or name in _NEARLY_FLAT else ()


def _accepted(path: Path, net: Any, regions: int, domain: Any = None) -> None:
    write(path / "run", net, domain)
    report = check(path / "run")
    assert report.complete
    assert (report.regions, report.checked) == (regions, regions)


@pytest.mark.parametrize(
    ("name", "n", "regions"),
    [
        pytest.param(name, n, regions, marks=_mark(regions), id=f"{name} {n}")
        for name, family in FAMILIES.items()
        for n, regions in family.regions.items()
    ],
)
def test_families(name: str, n: int, regions: int, tmp_path: Path) -> None:
    _accepted(tmp_path, FAMILIES[name].build(n).network(), regions)


@pytest.mark.parametrize("name", GRAPHS)
def test_graphical_arrangements(name: str, tmp_path: Path) -> None:
    vertices, edges, orientations = GRAPHS[name]
    _accepted(tmp_path, graphical(vertices, edges).network(), orientations)


@pytest.mark.parametrize("name", DOCTESTS)
def test_doctests_of_sage(name: str, tmp_path: Path) -> None:
    arrangement, regions = DOCTESTS[name]
    _accepted(tmp_path, arrangement.network(), regions)


def test_readme_of_counting_chambers(tmp_path: Path) -> None:
    _accepted(tmp_path, readme_arrangement().network(), 10)


@pytest.mark.parametrize(("p", "n"), [(40, 1), (20, 2), (15, 3), (12, 4), (10, 5), (9, 6), (4, 7)])
@pytest.mark.parametrize("central", [False, True])
def test_generic_arrangements(p: int, n: int, central: bool, tmp_path: Path) -> None:
    build, count = (generic_central, generic_central_count) if central else (generic, generic_count)
    _accepted(tmp_path, build(p, n).network(), count(p, n))


@pytest.mark.parametrize(
    ("name", "regions"),
    [pytest.param(n, r, marks=_mark(r, n), id=n) for n, r in (_LINEAR | _AFFINE).items()],
)
def test_instances(name: str, regions: int, tmp_path: Path) -> None:
    affine = name in _AFFINE
    kind = "affine_data" if affine else "linear_data"
    path = shared(f"isf_arrangements/test/{kind}/{name}.txt")
    arrangement = affine_instance(path) if affine else linear_instance(path)
    _accepted(tmp_path, arrangement.network(), regions)


def test_simplicial_arrangements(tmp_path: Path) -> None:
    path = shared("simplicial_arrangements/rank3_simplicial_rational.json")
    for number, (arrangement, regions) in enumerate(simplicial_arrangements(path).values()):
        (folder := tmp_path / str(number)).mkdir()
        _accepted(folder, arrangement.network(), regions)


@pytest.mark.parametrize("k", [1, 3, 8])
def test_sawtooth(k: int, tmp_path: Path) -> None:
    _accepted(tmp_path, sawtooth(k), 2**k, pr.Box(0, 1))


@pytest.mark.parametrize(("n", "folds", "last"), [(1, [4, 5, 3], 6), (2, [3, 3], 4)])
def test_folding(n: int, folds: list[int], last: int, tmp_path: Path) -> None:
    box = pr.Box(0, Fraction(folds[0], 2))
    _accepted(tmp_path, montufar(n, folds, last), montufar_bound(n, folds, last), box)
