"""The oracles against theorems, against each other, and the checks against falsified tables.

The search takes no part here: what the other tests rely on is shown first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import comb
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings

import polyrank as pr
from polyrank.network.normal_form import Network
from tests.checks import CheckReport, check_run, differences
from tests.deletion_restriction import bounded_count, characteristic_polynomial, region_count
from tests.examples import EXAMPLES, Example, Space, box, layer, network, polytope, whole
from tests.families import (
    DOCTESTS,
    FAMILIES,
    GRAPHS,
    generic,
    generic_central,
    generic_central_count,
    generic_count,
    graphical,
    montufar,
    montufar_bound,
    readme_arrangement,
    sawtooth,
)
from tests.oracles import (
    OracleRegion,
    Vector,
    bits_at,
    exact_layers,
    exact_rank,
    rank_histogram,
    regions_by_generators,
    regions_by_sign_vectors,
    regions_of_layers,
    restrict,
)
from tests.strategies import permuted, problems, realistic_network, scaled

Regions = dict[tuple[int, ...], OracleRegion]


# ---------------------------------------------------------------------------------------------
# deletion and restriction against published numbers


@pytest.mark.parametrize("name", FAMILIES)
def test_published_numbers_of_regions(name: str) -> None:
    family = FAMILIES[name]
    for n, regions in family.regions.items():
        arrangement = family.build(n)
        assert region_count(arrangement.normals, arrangement.offsets) == regions
        if family.formula is not None:
            assert family.formula(n) == regions
        if family.bounded is not None:
            assert bounded_count(arrangement.normals, arrangement.offsets) == family.bounded[n]


@pytest.mark.parametrize("name", GRAPHS)
def test_acyclic_orientations(name: str) -> None:
    vertices, edges, orientations = GRAPHS[name]
    arrangement = graphical(vertices, edges)
    assert region_count(arrangement.normals, arrangement.offsets) == orientations


@pytest.mark.parametrize("name", DOCTESTS)
def test_doctests_of_sage(name: str) -> None:
    arrangement, regions = DOCTESTS[name]
    assert region_count(arrangement.normals, arrangement.offsets) == regions


def test_readme_of_counting_chambers() -> None:
    arrangement = readme_arrangement()
    chi = characteristic_polynomial(arrangement.normals, arrangement.offsets)
    assert chi == (5, -4, 1)  # Betti numbers 1, 4, 5
    assert region_count(arrangement.normals, arrangement.offsets) == 10


def test_characteristic_polynomials_of_sage_doctests() -> None:
    # linial(5), Catalan(5), semiorder(5) as printed by SageMath
    printed = {
        "linial": (0, 90, -100, 45, -10, 1),
        "catalan": (0, 3024, -1650, 335, -30, 1),
        "semiorder": (0, 1380, -790, 180, -20, 1),
    }
    for name, chi in printed.items():
        arrangement = FAMILIES[name].build(5)
        assert characteristic_polynomial(arrangement.normals, arrangement.offsets) == chi


@pytest.mark.parametrize(("p", "n"), [(1, 1), (5, 1), (6, 2), (7, 3), (3, 3), (8, 4), (2, 4)])
def test_general_position(p: int, n: int) -> None:
    affine, central = generic(p, n), generic_central(p, n)
    assert region_count(affine.normals, affine.offsets) == generic_count(p, n)
    assert region_count(central.normals, central.offsets) == generic_central_count(p, n)
    if p >= n:
        assert bounded_count(affine.normals, affine.offsets) == comb(p - 1, n)


def test_repeated_and_zero_hyperplanes_count_once_or_not_at_all() -> None:
    assert region_count([(1, 0), (2, 0), (-1, 0), (0, 0)], [1, 2, -1, 3]) == 2
    assert region_count([(0, 0)], [0]) == 1


# ---------------------------------------------------------------------------------------------
# the region oracles against theorems, by hand and by each other


def _same(a: Regions, b: Regions) -> None:
    assert set(a) == set(b)
    for bits in a:
        assert (a[bits].signs, a[bits].ranks, a[bits].maps) == (
            b[bits].signs,
            b[bits].ranks,
            b[bits].maps,
        )


@pytest.mark.parametrize("example", EXAMPLES, ids=[e.name for e in EXAMPLES])
def test_examples_by_both_oracles(example: Example) -> None:
    regions = regions_by_generators(example.network, example.space.rows)
    assert len(regions) == example.count
    for k, histogram in enumerate(example.ranks, start=1):
        assert rank_histogram(regions.values(), k) == histogram
    _same(regions, regions_by_sign_vectors(example.network, example.space.rows))


@pytest.mark.parametrize("name", [n for n in FAMILIES if n != "threshold_functions"])
def test_generators_count_the_families(name: str) -> None:
    family = FAMILIES[name]
    for n in (2, 3, 4):
        regions = regions_by_generators(family.build(n).network())
        assert len(regions) == family.regions[n]


@pytest.mark.parametrize("k", range(1, 7))
def test_sawtooth(k: int) -> None:
    assert len(regions_by_generators(sawtooth(k))) == (3 if k == 1 else 2**k + 2)
    on_unit_interval = regions_by_generators(sawtooth(k), box([0], [1]).rows)
    assert len(on_unit_interval) == 2**k
    assert {abs(r.maps[-1][0][0]) for r in on_unit_interval.values()} == {2**k}  # slopes ±2^k


@pytest.mark.parametrize(
    ("n", "folds", "last"), [(1, [3], 2), (1, [2, 3], 3), (2, [2], 3), (2, [2, 3], 3), (3, [2], 3)]
)
def test_folding_attains_its_bound_on_its_cube(n: int, folds: list[int], last: int) -> None:
    net, bound = montufar(n, folds, last), montufar_bound(n, folds, last)
    cube = box([0] * n, [Fraction(folds[0], 2)] * n)
    assert len(regions_by_generators(net, cube.rows)) == bound
    assert len(regions_by_generators(net)) >= bound


@settings(max_examples=150)
@given(problems(max_inputs=3, max_hidden=3, max_bits=7))
def test_oracles_agree(problem: tuple[Network, Space]) -> None:
    net, space = problem
    _same(regions_by_generators(net, space.rows), regions_by_sign_vectors(net, space.rows))


@settings(max_examples=60)
@given(problems(max_inputs=4))
def test_witnesses_lie_in_their_regions_and_points_in_listed_regions(
    problem: tuple[Network, Space],
) -> None:
    net, space = problem
    regions = regions_by_generators(net, space.rows)
    layers = exact_layers(net)
    for bits, region in regions.items():
        assert bits_at(layers, region.witness)[0] == bits
        for row in space.rows:
            assert not any(row[:-1]) or _value(row, region.witness) < 0
    rng = np.random.default_rng(0)
    for point in rng.normal(0, 2, (40, net.input_dim)):
        x = tuple(Fraction(v) for v in point)
        bits, strict = bits_at(layers, x)
        if strict and all(_value(row, x) < 0 for row in space.rows):
            assert bits in regions


def _value(row: Vector, x: Vector) -> Fraction:
    return sum((a * v for a, v in zip(row[:-1], x, strict=True)), -row[-1])


def _area(vertices: Sequence[Vector]) -> Fraction:
    """Exact area of the convex hull of points of the plane (Andrew's monotone chain)."""
    points = sorted(set(vertices))

    def chain(sequence: Iterable[Vector]) -> list[Vector]:
        hull: list[Vector] = []
        for p in sequence:
            while len(hull) > 1 and _turn(hull[-2], hull[-1], p) <= 0:
                hull.pop()
            hull.append(p)
        return hull[:-1]

    hull = chain(points) + chain(reversed(points))
    pairs = zip(hull, hull[1:] + hull[:1], strict=True)
    return sum((p[0] * q[1] - p[1] * q[0] for p, q in pairs), Fraction(0)) / 2


def _turn(o: Vector, a: Vector, b: Vector) -> Fraction:
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])


@pytest.mark.parametrize("kind", ["integer", "quantised", "pruned", "duplicated", "bias-free"])
def test_areas_sum_to_the_box(kind: str) -> None:
    net = realistic_network(kind, (2, 8, 8, 1), seed=1)
    regions = regions_by_generators(net, box([-1, -1], [1, 1]).rows)
    areas = [_area(r.vertices) for r in regions.values()]
    assert min(areas) > 0
    assert sum(areas) == 4


def test_bounded_regions_match_zaslavsky() -> None:
    for name in ("shi", "catalan", "linial", "semiorder"):
        # the arrangement is invariant along (1, ..., 1); fix the last coordinate
        arrangement = FAMILIES[name].build(4)
        net = arrangement.network()
        regions = regions_of_layers(
            restrict(
                exact_layers(net),
                (Fraction(0),) * 4,
                tuple(tuple(Fraction(int(i == j)) for j in range(3)) for i in range(4)),
            ),
            3,
        )
        bounded = FAMILIES[name].bounded
        assert bounded is not None
        assert sum(r.bounded for r in regions.values()) == bounded[4]


def test_vertices_of_a_square_cut_by_its_diagonals() -> None:
    net = network(layer([[1, 1], [1, -1]], [0, 0]))
    regions = regions_by_generators(net, box([-1, -1], [1, 1]).rows)
    assert sorted(regions[1, 1].vertices) == [(0, 0), (1, -1), (1, 1)]


def test_empty_domain_is_refused() -> None:
    net = network(layer([[1]], [0]))
    with pytest.raises(ValueError, match="no interior"):
        regions_by_generators(net, polytope([1, 0], [-1, 0]).rows)
    assert not regions_by_sign_vectors(net, polytope([1, 0], [-1, 0]).rows)


def test_exact_rank() -> None:
    tiny = Fraction(1, 2**200)
    one = Fraction(1)
    assert exact_rank([(one, one), (one, one + tiny)]) == 2
    assert exact_rank([(one, one), (tiny, tiny)]) == 1
    assert exact_rank([]) == 0
    assert exact_rank([(Fraction(0), one, one), (Fraction(0), one, 2 * one)]) == 2


def test_permutation_and_scaling_keep_the_function() -> None:
    net = realistic_network("quantised", (3, 5, 4, 2), seed=3)
    others = [
        permuted(net, [[3, 1, 4, 0, 2], [2, 0, 3, 1]]),
        scaled(
            net, [[Fraction(2) ** e for e in (5, -3, 0, 9, 1)], [Fraction(v) for v in (3, 5, 7, 1)]]
        ),
    ]
    maps = {r.maps[-1] for r in regions_by_generators(net).values()}
    for other in others:
        assert {r.maps[-1] for r in regions_by_generators(other).values()} == maps


# ---------------------------------------------------------------------------------------------
# the checks reject falsified tables


@dataclass(frozen=True)
class _OracleRun:
    """An oracle's answer in the shape of a run."""

    table: pa.Table
    layers: int
    origin: fmpq_mat
    basis: fmpq_mat
    certified: bool = True
    undecided: int = 0

    @property
    def count(self) -> int:
        return int(self.table.num_rows)

    def rank_histogram(self, layer: int) -> dict[int, int]:
        ranks = self.table.column(f"rank_{layer}").to_pylist()
        return {r: ranks.count(r) for r in set(ranks)}

    def with_column(self, name: str, values: list[Any]) -> _OracleRun:
        index = self.table.column_names.index(name)
        column = pa.array(values, self.table.schema.field(name).type)
        table = self.table.set_column(index, name, column)
        return _OracleRun(table, self.layers, self.origin, self.basis)


def _pack(bits: Sequence[int]) -> bytes:
    return np.packbits(np.array(bits, dtype=np.uint8), bitorder="little").tobytes() or b"\0"


def _as_run(net: Network, regions: Regions) -> _OracleRun:
    n, layers = net.input_dim, len(net.layers)
    found = list(regions.values())
    zeros = [_pack([int(s == 0) for s in r.signs]) if 0 in r.signs else None for r in found]
    width = max(1, (sum(net.bits) + 7) // 8)
    columns = {
        "codeword": pa.array([_pack(r.bits) for r in found], pa.binary(width)),
        "zero": pa.array(zeros, pa.binary(width)),
        **{
            f"rank_{k + 1}": pa.array([r.ranks[k] for r in found], pa.int16())
            for k in range(layers)
        },
        "witness": pa.array([None] * len(found), pa.list_(pa.float64(), n)),
        "witness_exact": pa.array([[str(v) for v in r.witness] for r in found]),
    }
    identity = fmpq_mat(n, n, [int(i == j) for i, j in product(range(n), range(n))])
    return _OracleRun(pa.table(columns), layers, fmpq_mat(n, 1), identity)


def _honest() -> tuple[Network, pr.Box, Regions, _OracleRun]:
    net = network(
        layer([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), layer([[1, 1, -1], [1, 0, 0]], [0, 0])
    )
    space = box([-2, -2], [2, 2])
    regions = regions_by_generators(net, space.rows)
    return net, space.domain(), regions, _as_run(net, regions)


def _check(run: _OracleRun) -> CheckReport:
    net, domain, _, _ = _honest()
    return check_run(net, domain, run)


def test_checks_accept_the_truth() -> None:
    net, _, regions, run = _honest()
    report = _check(run)
    assert report.ok, report.failures
    assert report.checked == report.rows == len(regions)
    assert not differences(net, run, regions)


@pytest.mark.parametrize("example", EXAMPLES, ids=[e.name for e in EXAMPLES])
def test_checks_accept_every_example(example: Example) -> None:
    regions = regions_by_generators(example.network, example.space.rows)
    run = _as_run(example.network, regions)
    report = check_run(example.network, example.space.domain(), run)
    assert report.ok, report.failures


def test_checks_reject_a_moved_witness() -> None:
    *_, run = _honest()
    witnesses = run.table.column("witness_exact").to_pylist()
    for moved, message in [
        (witnesses[1], "bit"),
        (["2", "1/3"], "on the wall"),
        (["3", "1/3"], "violates"),
        (["0", "0"], "vanishes at the witness but not on the region"),
        (["1/2"], "1 coordinates"),
        (None, "no witness"),
    ]:
        report = _check(run.with_column("witness_exact", [moved, *witnesses[1:]]))
        assert any(message in text for text in report.failures), (message, report.failures)


def test_checks_reject_false_bits_ranks_and_zeros() -> None:
    net, _, regions, run = _honest()
    codes = run.table.column("codeword").to_pylist()
    ranks = run.table.column("rank_2").to_pylist()
    zeros = run.table.column("zero").to_pylist()
    assert any(zeros)
    flipped = bytes([codes[0][0] ^ 1])
    for name, values, message in [
        ("codeword", [codes[1], *codes[1:]], "more than once"),
        ("codeword", [flipped, *codes[1:]], "bit"),
        ("rank_2", [ranks[0] + 1, *ranks[1:]], "exactly"),
        ("zero", [None] * len(zeros), "marked not identically zero"),
        ("zero", [b"\xff"] * len(zeros), "marked identically zero"),
    ]:
        false = run.with_column(name, values)
        report = _check(false)
        assert any(message in text for text in report.failures), (message, report.failures)
        assert differences(net, false, regions)


def test_missing_and_invented_regions_differ() -> None:
    net, _, regions, run = _honest()
    fewer = dict(list(regions.items())[1:])
    assert any("missing" in text for text in differences(net, _as_run(net, fewer), regions))
    assert any("not a region" in text for text in differences(net, run, fewer))
    unsure = _OracleRun(run.table, run.layers, run.origin, run.basis, certified=False)
    assert any("certified" in text for text in differences(net, unsure, regions))


def test_count_and_histogram_must_match_the_rows() -> None:
    *_, run = _honest()

    class _Miscounted(_OracleRun):
        @property
        def count(self) -> int:
            return 99

        def rank_histogram(self, layer: int) -> dict[int, int]:
            return {0: 99}

    report = _check(_Miscounted(run.table, run.layers, run.origin, run.basis))
    assert any("count 99" in text for text in report.failures)
    assert any("histogram" in text for text in report.failures)


def test_a_witness_off_the_slice_is_rejected() -> None:
    net = network(layer([[1, 0], [0, 1]], [0, 0]))
    domain = pr.Slice([0, 1], [[1], [0]], pr.Box(-1, 1))  # y = 1
    regions = regions_of_layers(
        restrict(exact_layers(net), (Fraction(0), Fraction(1)), ((Fraction(1),), (Fraction(0),))),
        1,
        box([-1], [1]).rows,
    )
    assert {r.ranks for r in regions.values()} == {(0,), (1,)}
    line = network(layer([[1]], [0]))
    table = _as_run(line, regions_by_generators(line, box([-1], [1]).rows)).table
    table = table.set_column(
        0, "codeword", pa.array([_pack((*b, 1)) for b in regions_by_generators(line)], pa.binary(1))
    )
    right = _OracleRun(table, 1, fmpq_mat(2, 1, [0, 1]), fmpq_mat(2, 1, [1, 0]))
    assert check_run(net, domain, right).ok
    wrong = _OracleRun(table, 1, fmpq_mat(2, 1, [0, fmpq(1, 2)]), fmpq_mat(2, 1, [1, 0]))
    report = check_run(net, domain, wrong)
    assert any("off the affine space" in text for text in report.failures)


def test_whole_space_has_no_walls() -> None:
    assert whole().domain().system(3).m == 0
