"""What must not change: permuted units, positive scaling, other coordinates, larger boxes.

All changes are exact, so the regions are the same sets and the tables must agree bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyrank as pr
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray
from tests.checks import Row, rows_of
from tests.examples import Space, box, polytope, whole
from tests.families import FAMILIES
from tests.oracles import exact_layers, regions_by_generators
from tests.strategies import (
    degenerate_networks,
    permuted,
    problems,
    realistic_network,
    scaled,
)

KINDS = ["integer", "quantised", "pruned", "duplicated", "bias-free", "dead"]

Table = dict[tuple[int, ...], tuple[tuple[int, ...], tuple[int, ...]]]


def _table(net: Network, domain: Any = None, **options: Any) -> Table:
    """Codeword -> (identically zero units, ranks), of a certified run."""
    run = pr.enumerate_regions(net, domain=domain, **options)
    assert run.certified
    rows: list[Row] = list(rows_of(run.table, run.bits, run.layers))
    assert len({row.bits for row in rows}) == run.count
    return {row.bits: (row.zero, row.ranks) for row in rows}


def _reordered(
    net: Network, orders: Sequence[Sequence[int]], bits: Sequence[int]
) -> tuple[int, ...]:
    """Bits of the permuted network that belong to ``bits`` of the original one."""
    chosen = iter(bits)
    new: list[int] = []
    for k, layer in enumerate(net.layers):
        by_unit = [next(chosen) if has else None for has in layer.has_hyperplane]
        order = orders[k] if k < len(orders) else range(layer.units)
        new += [bit for i in order if (bit := by_unit[i]) is not None]
    return tuple(new)


def _hidden(net: Network) -> list[int]:
    return [layer.units for layer in net.layers[:-1]]


@settings(max_examples=40)
@given(problems(max_inputs=3), st.randoms(use_true_random=False))
def test_permuted_units(problem: tuple[Network, Space], random: Any) -> None:
    net, space = problem
    orders = [random.sample(range(m), m) for m in _hidden(net)]
    before = _table(net, space.domain())
    expected = {
        _reordered(net, orders, bits): (_reordered(net, orders, zero), ranks)
        for bits, (zero, ranks) in before.items()
    }
    assert _table(permuted(net, orders), space.domain()) == expected


@settings(max_examples=40)
@given(problems(max_inputs=3), st.randoms(use_true_random=False))
def test_positive_scaling(problem: tuple[Network, Space], random: Any) -> None:
    net, space = problem
    powers = [2, Fraction(1, 2), 1, 3, Fraction(1, 3), 2**60, Fraction(1, 2**60)]
    scales = [[Fraction(random.choice(powers)) for _ in range(m)] for m in _hidden(net)]
    assert _table(scaled(net, scales), space.domain()) == _table(net, space.domain())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [2, 3])
def test_permuted_and_scaled_realistic_networks(kind: str, n: int) -> None:
    net = realistic_network(kind, (n, 8, 8, 2), seed=20 + n)
    orders = [[(3 * i + 1) % 8 for i in range(8)], [(5 * i + 2) % 8 for i in range(8)]]
    scales = [[Fraction(2) ** ((7 * i) % 5 - 2) for i in range(8)] for _ in range(2)]
    before = _table(net)
    assert _table(scaled(net, scales)) == before
    assert _table(permuted(net, orders)) == {
        _reordered(net, orders, bits): (_reordered(net, orders, zero), ranks)
        for bits, (zero, ranks) in before.items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_both_engines_agree(kind: str) -> None:
    for n in (2, 3):
        net = realistic_network(kind, (n, 6, 6, 2), seed=30 + n)
        for domain in (None, pr.Box(-1, 1)):
            assert _table(net, domain, engine="highs") == _table(net, domain)


def test_enumeration_is_deterministic() -> None:
    net = realistic_network("integer", (3, 8, 8, 2), seed=40)
    first = pr.enumerate_regions(net).table
    assert pr.enumerate_regions(net).table.equals(first)


def _with_input_change(net: Network, matrix: list[list[int]], shift: list[int]) -> Network:
    """x ↦ net(matrix x + shift)."""
    first, exact = net.layers[0], exact_layers(net)[0]
    n = net.input_dim
    columns = list(zip(*matrix, strict=True))
    weight = [
        sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0))
        for row in exact.weight
        for column in columns
    ]
    bias = [
        sum((a * b for a, b in zip(row, shift, strict=True)), c)
        for row, c in zip(exact.weight, exact.bias, strict=True)
    ]
    changed = Layer(
        RationalArray.from_rationals(weight, (first.units, n)),
        RationalArray.from_rationals(bias, (first.units,)),
        first.slope_neg,
        first.slope_pos,
    )
    return Network((changed, *net.layers[1:]), net.name)


@settings(max_examples=30)
@given(degenerate_networks(max_inputs=3))
def test_other_coordinates_of_the_input(net: Network) -> None:
    """R^n is invariant under invertible affine maps: a shear, a swap, a shift."""
    n = net.input_dim
    matrix = [[int(i == j) + 2 * int(j == i + 1) for j in range(n)] for i in range(n)][::-1]
    assert _table(_with_input_change(net, matrix, [1, -2, 5, 0][:n])) == _table(net)


def _big_box(net: Network) -> pr.Box:
    """A box with every vertex and one interior point of every region in its interior."""
    points = [p for r in regions_by_generators(net).values() for p in (*r.vertices, r.witness)]
    reach = 1 + max((abs(v) for p in points for v in p), default=Fraction(0))
    size = 1
    while size < reach:
        size *= 2
    return pr.Box(-size, size)


@settings(max_examples=40)
@given(degenerate_networks(max_inputs=3))
def test_whole_space_equals_a_box_around_all_vertices(net: Network) -> None:
    assert _table(net, _big_box(net)) == _table(net)


@pytest.mark.parametrize("kind", KINDS)
def test_whole_space_equals_a_box_around_all_vertices_of_realistic_networks(kind: str) -> None:
    for n in (2, 3):
        net = realistic_network(kind, (n, 8, 7, 2), seed=50 + n)
        assert _table(net, _big_box(net)) == _table(net)


@pytest.mark.parametrize("name", ["shi", "linial", "semiorder"])
def test_affine_families_in_a_box(name: str) -> None:
    """All vertices of x_i - x_j = s, |s| <= 1, modulo (1, ..., 1), have coordinates within n."""
    family = FAMILIES[name]
    run = pr.enumerate_regions(family.build(4).network(), domain=pr.Box(-5, 5))
    assert (run.count, run.certified) == (family.regions[4], True)


@settings(max_examples=40)
@given(degenerate_networks(max_inputs=3), st.integers(-1, 1))
def test_a_box_cut_in_two(net: Network, at: int) -> None:
    """The regions of a box are the union of those of its two parts."""
    n = net.input_dim
    low, high = [-2] * n, [2] * n
    left, right = box(low, [at, *high[1:]]), box([at, *low[1:]], high)
    parts = _table(net, left.domain()) | _table(net, right.domain())
    assert parts == _table(net, box(low, high).domain())


@settings(max_examples=30)
@given(degenerate_networks(max_inputs=3))
def test_a_box_as_a_polytope_and_as_a_slice(net: Network) -> None:
    n = net.input_dim
    space = box([-1] * n, [2] * n)
    expected = _table(net, space.domain())
    redundant = [*space.rows, *([[1] * n + [5 * n]]), [0] * n + [1], space.rows[0]]
    assert _table(net, polytope(*redundant).domain()) == expected
    identity = [[int(i == j) for j in range(n)] for i in range(n)]
    assert _table(net, pr.Slice([0] * n, identity, space.domain())) == expected
    assert _table(net, pr.Slice([0] * n, identity)) == _table(net, whole().domain())


@settings(max_examples=30)
@given(degenerate_networks(max_inputs=3))
def test_the_default_domain_is_the_whole_space(net: Network) -> None:
    assert _table(net) == _table(net, pr.WholeSpace())


@settings(max_examples=30)
@given(problems(max_inputs=3))
def test_a_unit_repeated_with_the_opposite_sign_adds_no_region(
    problem: tuple[Network, Space],
) -> None:
    """Appending -z for the first unit of layer 1, unread by layer 2, changes the codewords only."""
    net, space = problem
    first = exact_layers(net)[0]
    if first.neg[0] == first.pos[0]:
        return
    opposite = [[*row] for row in first.weight] + [[-v for v in first.weight[0]]]
    units, n = len(opposite), net.input_dim
    doubled = Layer(
        RationalArray.from_rationals([v for row in opposite for v in row], (units, n)),
        RationalArray.from_rationals([*first.bias, -first.bias[0]], (units,)),
        RationalArray.from_rationals([*first.neg, first.neg[0]], (units,)),
        RationalArray.from_rationals([*first.pos, first.pos[0]], (units,)),
    )
    layers = [doubled, *net.layers[1:]]
    if len(layers) > 1:
        following = exact_layers(net)[1]
        entries = [v for row in following.weight for v in (*row, Fraction(0))]
        layers[1] = Layer(
            RationalArray.from_rationals(entries, (layers[1].units, units)),
            layers[1].bias,
            layers[1].slope_neg,
            layers[1].slope_pos,
        )
    at = net.bits[0]
    more = _table(Network(tuple(layers), net.name), space.domain())
    assert {bits[:at] + bits[at + 1 :] for bits in more} == set(_table(net, space.domain()))
    assert len(more) == len(_table(net, space.domain()))
