"""Two exact double descriptions agree: polyrank's own and cddlib's GMP build."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from polyrank.errors import UnsupportedError
from polyrank.posed import double_description
from polyrank.posed.double_description import generators_by_cdd, vertices_and_rays
from polyrank.posed.polytope import generators, volume

IntRow = tuple[int, ...]


@pytest.fixture
def cdd() -> Any:
    found = double_description.exact_cdd()
    if found is None:
        pytest.skip("pycddlib with GMP is not installed (extra exact-cdd)")
    return found


CASES: list[tuple[str, int, list[IntRow]]] = [
    ("square", 2, [(1, 0, 1), (-1, 0, 1), (0, 1, 1), (0, -1, 1)]),
    ("redundant", 2, [(1, 0, 0), (0, 1, 0), (-1, -1, 1), (-1, -1, 5)]),
    ("quadrant", 2, [(1, 0, 0), (0, 1, 0)]),
    ("wedge", 2, [(1, 2, -3), (-1, 5, 7)]),
    ("strip", 2, [(1, 1, 1), (-1, -1, 1)]),
    ("half plane", 2, [(3, 1, 2)]),
    ("octahedron", 3, [(a, b, c, 1) for a in (1, -1) for b in (1, -1) for c in (1, -1)]),
    ("whole line", 1, []),
]


def _same(rows: list[IntRow], k: int) -> None:
    mine, other = generators(rows, k), generators_by_cdd(rows, k)
    assert mine.bounded == other.bounded
    assert len(mine.lines) == len(other.lines)
    lines = [fmpq(v) for line in mine.lines for v in line]
    both = lines + [fmpq(v) for line in other.lines for v in line]
    if lines:
        assert fmpq_mat(2 * len(mine.lines), k, both).rank() == len(mine.lines)
        assert len(mine.vertices) == len(other.vertices)
        assert set(mine.tight) == set(other.tight)
        return
    assert dict(zip(mine.vertices, mine.tight, strict=True)) == dict(
        zip(other.vertices, other.tight, strict=True)
    )
    assert set(mine.rays) == set(other.rays)
    assert volume(mine, len(rows)) == volume(other, len(rows))


@pytest.mark.usefixtures("cdd")
@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_named_polyhedra(case: tuple[str, int, list[IntRow]]) -> None:
    _same(case[2], case[1])


@pytest.mark.usefixtures("cdd")
@pytest.mark.parametrize("seed", range(12))
def test_random_polyhedra_around_the_origin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k = 2 + seed % 3
    rows = {(*map(int, rng.integers(-3, 4, size=k)), int(rng.integers(0, 4))) for _ in range(9)}
    _same([row for row in rows if any(row[:k])], k)


@pytest.mark.parametrize("present", [True, False])
def test_either_way_the_square(present: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if present and double_description.exact_cdd() is None:
        pytest.skip("pycddlib with GMP is not installed (extra exact-cdd)")
    if not present:
        monkeypatch.setattr(double_description, "exact_cdd", lambda: None)
    found = vertices_and_rays(CASES[0][2], 2)
    assert set(found.vertices) == {(fmpq(a), fmpq(b)) for a in (-1, 1) for b in (-1, 1)}


def test_without_pycddlib(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(double_description, "import_module", missing)
    double_description.exact_cdd.cache_clear()
    assert double_description.exact_cdd() is None
    with pytest.raises(UnsupportedError, match="pycddlib with GMP is not installed"):
        generators_by_cdd(CASES[0][2], 2)
    double_description.exact_cdd.cache_clear()
