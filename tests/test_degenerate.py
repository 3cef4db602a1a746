"""Degenerate networks against the exact oracles: random tiny ones and realistic ones.

Coincident, parallel, concurrent and nearly concurrent hyperplanes, zero rows, dead units,
bias-free layers, weights scaled by powers of two up to 2^±200, exact rationals that are no
float64; integer, 8-bit, pruned and duplicated weights in two hidden layers.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import polyrank as pr
from polyrank.cells.vertices.search import root_of
from polyrank.network.normal_form import Network
from polyrank.posed.chart import chart
from polyrank.posed.problem import Problem
from tests.cells.exact_only import Plain, plain, regions_of, regions_without_floats
from tests.checks import check_run, differences
from tests.deletion_restriction import region_count
from tests.examples import Space, box, layer, network, polytope, whole
from tests.families import Arrangement
from tests.oracles import (
    Matrix,
    exact_layers,
    leaves,
    regions_by_generators,
    regions_by_sign_vectors,
    regions_of_layers,
    restrict,
)
from tests.scales import count
from tests.strategies import problems, realistic_network, rolled_problem

KINDS = ["integer", "quantised", "pruned", "duplicated", "bias-free", "dead"]
GAPS = [0.0, 1e-9, 1e-12, 1e-15, 2.0**-200]


def _agrees(net: Network, space: Space, **options: Any) -> None:
    domain = space.domain()
    run = pr.enumerate_regions(net, domain=domain, **options)
    assert not differences(net, run, regions_by_generators(net, space.rows))
    report = check_run(net, domain, run)
    assert report.ok, report.failures


@settings(max_examples=150)
@given(problems())
def test_random_degenerate_networks(problem: tuple[Network, Space]) -> None:
    _agrees(*problem)


def agrees(seed: int) -> str:
    """Both engines, and now and then HiGHS and rationals alone, against the oracle.

    ``python -m tests.scales degenerate 100000`` runs 10^5 random networks. Every seventh may be as
    large as those of hypothesis.
    """
    rng = np.random.default_rng(seed)
    size = {} if seed % 7 == 0 else {"max_inputs": 3, "max_hidden": 2, "max_bits": 6}
    net, space = rolled_problem(rng, **size)
    where = chart(space.domain(), net.input_dim)
    expected: Plain = {
        (leaf.bits, tuple(int(s == 0) for s in leaf.signs)): leaf.ranks
        for leaf in leaves(exact_layers(net), net.input_dim, space.rows)
    }
    problem, bits = Problem.of(net, where), sum(net.bits)
    engines = ["dictionary", *(["vertices"] if root_of(problem) is not None else [])]
    for engine in (*engines, *(["highs"] if seed % 10 == 1 else [])):
        found, result = regions_of(problem, engine=engine)
        assert result.certified
        assert plain(found, bits) == expected, engine
    if seed % 10 == 6:
        with pytest.MonkeyPatch.context() as patch:
            assert plain(regions_without_floats(net, where, patch), bits) == expected
    return f"{space.kind}, {len(engines)} engines"


def test_networks_that_are_rolled() -> None:
    outcomes = count(agrees, 0, 70)
    assert "DIFFERENT" not in outcomes
    assert len(outcomes) > 4


@pytest.mark.slow
@pytest.mark.parametrize("block", range(5))
def test_many_networks_that_are_rolled(block: int) -> None:
    assert "DIFFERENT" not in count(agrees, 1000 + 400 * block, 400)


@pytest.mark.long
@pytest.mark.slow
@settings(max_examples=5000)
@given(problems(max_bits=16))
def test_many_random_degenerate_networks(problem: tuple[Network, Space]) -> None:
    _agrees(*problem)


@settings(max_examples=40)
@given(problems(max_inputs=3))
def test_random_degenerate_networks_with_highs(problem: tuple[Network, Space]) -> None:
    _agrees(*problem, engine="highs")


@settings(max_examples=40)
@given(problems(max_inputs=3, max_hidden=2, max_bits=7))
def test_random_degenerate_networks_against_all_sign_vectors(
    problem: tuple[Network, Space],
) -> None:
    net, space = problem
    run = pr.enumerate_regions(net, domain=space.domain())
    assert not differences(net, run, regions_by_sign_vectors(net, space.rows))


@settings(max_examples=40)
@given(problems(max_inputs=3))
def test_every_prefix_of_layers(problem: tuple[Network, Space]) -> None:
    net, space = problem
    for k in range(1, len(net.layers)):
        prefix = Network(net.layers[:k], "prefix")
        oracle = regions_by_generators(prefix, space.rows)
        run = pr.enumerate_regions(net, domain=space.domain(), through_layer=k)
        assert not differences(net, run, oracle)
        whole_run = pr.enumerate_regions(net, domain=space.domain())
        assert whole_run.at_layer(k).num_rows == len(oracle)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("space", ["box", "whole"])
def test_realistic_degenerate_networks(kind: str, n: int, space: str) -> None:
    hidden = 8 if n < 4 else 7
    where = box([-1] * n, [1] * n) if space == "box" else whole()
    _agrees(realistic_network(kind, (n, hidden, hidden, 2), seed=10 + n), where)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "widths", [(2, 16, 16, 2), (2, 8, 8, 8, 8, 1), (3, 10, 10, 1), (4, 8, 8, 1), (4, 6, 6, 6, 1)]
)
def test_larger_realistic_degenerate_networks(
    kind: str, seed: int, widths: tuple[int, ...]
) -> None:
    net = realistic_network(kind, widths, seed)
    n = widths[0]
    _agrees(net, whole())
    _agrees(net, box([-1] * n, [1] * n))


# ---------------------------------------------------------------------------------------------
# by hand, at the gaps where a tolerance would decide


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("where", ["whole", "box"])
def test_nearly_concurrent_lines(gap: float, where: str) -> None:
    """Three lines: 6 regions through one point, 7 otherwise, however small the triangle."""
    net = network(layer([[1, 0], [0, 1], [1, 1]], [0, 0, -Fraction(gap)]))
    space = whole() if where == "whole" else box([-1, -1], [1, 1])
    run = pr.enumerate_regions(net, domain=space.domain())
    assert (run.count, run.certified) == (7 if gap else 6, True)
    _agrees(net, space)


@pytest.mark.parametrize("gap", GAPS)
def test_nearly_concurrent_planes_in_the_second_layer(gap: float) -> None:
    """relu(x) + relu(y) = gap cuts three quadrants, and only touches their walls for gap 0."""
    net = network(layer([[1, 0], [0, 1]], [0, 0]), layer([[1, 1]], [-Fraction(gap)]))
    run = pr.enumerate_regions(net)
    assert (run.count, run.certified) == (7 if gap else 4, True)
    _agrees(net, whole())


@pytest.mark.parametrize("gap", GAPS)
def test_a_line_that_nearly_touches_a_corner(gap: float) -> None:
    net = network(layer([[1, 1, 1]], [Fraction(gap) - 3]))
    run = pr.enumerate_regions(net, domain=pr.Box(-1, 1))
    assert (run.count, run.certified) == (2 if gap else 1, True)


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("power", [-200, 0, 200])
def test_nearly_coincident_hyperplanes_at_any_scale(gap: float, power: int) -> None:
    scale = Fraction(2) ** power
    rows = [[scale, 2 * scale, -scale], [-1, -2, 1], [3, 6, -3]]
    net = network(layer(rows, [0, -Fraction(gap), 6 * Fraction(gap)]))
    run = pr.enumerate_regions(net)
    assert (run.count, run.certified) == (4 if gap else 2, True)
    _agrees(net, whole())


def test_nearly_parallel_lines_meet_far_away() -> None:
    """y = 0 and y = 2^-60 x + 1 meet at x = -2^60: four regions in the plane, three in the box."""
    net = network(layer([[0, 1], [-Fraction(1, 2**60), 1]], [0, -1]))
    _agrees(net, whole())
    assert pr.enumerate_regions(net).count == 4
    assert pr.enumerate_regions(net, domain=pr.Box(-2, 2)).count == 3


def test_a_region_that_holds_no_float_point() -> None:
    """1/3 < x < 1/3 + 10^-30 holds no float64: the witness must be rational."""
    third = Fraction(1, 3)
    net = network(layer([[1], [1]], [-third, -third - Fraction(1, 10**30)]))
    _agrees(net, whole())
    assert pr.enumerate_regions(net).count == 3


def test_a_domain_that_holds_no_float_point() -> None:
    third = Fraction(1, 3)
    tiny = Fraction(1, 10**30)
    net = network(layer([[1, 1]], [-2 * third - tiny]))
    _agrees(net, box([third, third], [third + tiny, third + tiny]))


def test_a_region_beyond_the_largest_float() -> None:
    """2^-500 relu(2^-500 x) > 2^100 only for x > 2^1100: no float64, yet a region."""
    tiny = Fraction(1, 2**500)
    net = network(layer([[tiny]], [0]), layer([[tiny]], [-(2**100)]))
    _agrees(net, whole())


def test_touching_everywhere() -> None:
    """All hyperplanes x_i + x_j = 2 and x_i = ±1 touch the box [-1, 1]^4: one region."""
    rows, bias = [], []
    for i in range(4):
        unit = [int(i == j) for j in range(4)]
        rows += [unit, unit]
        bias += [-1, 1]
        for j in range(i):
            rows.append([int(k in (i, j)) for k in range(4)])
            bias.append(-2)
    net = network(layer(rows, bias))
    assert pr.enumerate_regions(net, domain=pr.Box(-1, 1)).count == 1
    _agrees(net, box([-1] * 4, [1] * 4))


# ---------------------------------------------------------------------------------------------
# arrangements in higher dimension, against deletion and restriction


def _degenerate_arrangement(seed: int) -> Arrangement:
    """Integer, random, dependent, repeated, parallel and nearly equal hyperplanes in R^4 to R^7."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(4, 8)), int(rng.integers(6, 13))
    kind = seed % 4  # integers; central integers; floats; rank n - 2 up to rounding
    normals = rng.integers(-2, 3, (p, n)).astype(float)
    if kind == 2:
        normals = rng.normal(size=(p, n))
    elif kind == 3:
        normals = rng.normal(size=(p, n - 2)) @ rng.normal(size=(n - 2, n))
    offsets = np.zeros(p) if kind == 1 else rng.integers(-2, 3, p).astype(float)
    for i in range(2, p):
        change = rng.random()
        if change < 0.1:
            normals[i], offsets[i] = -2 * normals[0], -2 * offsets[0]
        elif change < 0.2:
            normals[i], offsets[i] = normals[0] + normals[1], offsets[0] + offsets[1]
        elif change < 0.3:
            normals[i], offsets[i] = normals[1], offsets[1] + float(rng.choice([1, 1e-12]))
        elif change < 0.35:
            normals[i] = 0
    rows = tuple(tuple(float(v) for v in row) for row in normals)
    return Arrangement(rows, tuple(float(v) for v in offsets))


def _agrees_with_deletion(seed: int) -> None:
    arrangement = _degenerate_arrangement(seed)
    net = arrangement.network()
    run = pr.enumerate_regions(net)
    regions = region_count(arrangement.normals, arrangement.offsets)
    assert (run.count, run.certified) == (regions, True)
    report = check_run(net, pr.WholeSpace(), run, limit=100)
    assert report.ok, report.failures


@pytest.mark.parametrize("seed", range(24))
def test_degenerate_arrangements_in_higher_dimension(seed: int) -> None:
    _agrees_with_deletion(seed)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("first", range(100, 700, 100))
def test_many_degenerate_arrangements_in_higher_dimension(first: int) -> None:
    for seed in range(first, first + 100):
        _agrees_with_deletion(seed)


# ---------------------------------------------------------------------------------------------
# slices, simplices and flat polytopes


def _agrees_on_slice(
    net: Network, domain: Any, origin: Matrix, basis: Matrix, rows: Matrix
) -> None:
    """A domain x = origin + basis u, u in ``rows``, against the oracle in the coordinates u."""
    start = tuple(Fraction(v) for v in origin[0])
    columns = tuple(tuple(Fraction(v) for v in row) for row in basis)
    layers = restrict(exact_layers(net), start, columns)
    run = pr.enumerate_regions(net, domain=domain)
    assert not differences(net, run, regions_of_layers(layers, len(columns[0]), rows))
    report = check_run(net, domain, run)
    assert report.ok, report.failures


@pytest.mark.parametrize("kind", KINDS)
def test_slices(kind: str) -> None:
    net = realistic_network(kind, (4, 6, 6, 2), seed=5)
    origin = (0, Fraction(1, 3), -1, 0)
    basis = ((1, 0), (1, 1), (0, Fraction(1, 7)), (2, -1))
    _agrees_on_slice(net, pr.Slice(origin, basis), (origin,), basis, ())
    square = box([-1, -1], [1, 1])
    inside = pr.Slice(origin, basis, square.domain())
    _agrees_on_slice(net, inside, (origin,), basis, square.rows)


@pytest.mark.parametrize("kind", KINDS)
def test_simplices(kind: str) -> None:
    net = realistic_network(kind, (3, 6, 6, 2), seed=6)
    vertices = ((0, 0, 1), (1, 0, -1), (-1, Fraction(1, 3), 0))
    edges = tuple(tuple(Fraction(v[i]) - vertices[0][i] for v in vertices[1:]) for i in range(3))
    triangle = polytope([1, 1, 1], [-1, 0, 0], [0, -1, 0])
    _agrees_on_slice(net, pr.Simplex(vertices), (vertices[0],), edges, triangle.rows)


@pytest.mark.parametrize("kind", KINDS)
def test_flat_polytopes_have_the_regions_of_their_affine_hull(kind: str) -> None:
    """{x + y + z = 1, -1 <= x, y <= 1} as inequalities, against the same set in (x, y)."""
    net = realistic_network(kind, (3, 6, 6, 2), seed=7)
    flat = polytope(
        [1, 1, 1, 1], [-1, -1, -1, -1], [1, 0, 0, 1], [-1, 0, 0, 1], [0, 1, 0, 1], [0, -1, 0, 1]
    ).domain()
    run = pr.enumerate_regions(net, domain=flat)
    layers = restrict(
        exact_layers(net),
        (Fraction(0), Fraction(0), Fraction(1)),
        tuple(tuple(Fraction(v) for v in row) for row in ((1, 0), (0, 1), (-1, -1))),
    )
    oracle = regions_of_layers(layers, 2, box([-1, -1], [1, 1]).rows)
    assert not differences(net, run, oracle)
    report = check_run(net, flat, run)
    assert report.ok, report.failures


def test_a_box_with_fixed_coordinates() -> None:
    net = realistic_network("integer", (3, 6, 6, 2), seed=8)
    domain = pr.Box([-1, Fraction(1, 2), -1], [1, Fraction(1, 2), 1])
    _agrees_on_slice(
        net,
        domain,
        ((0, Fraction(1, 2), 0),),
        ((1, 0), (0, 0), (0, 1)),
        box([-1, -1], [1, 1]).rows,
    )
