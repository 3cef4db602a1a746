"""Clauses and prefixes of the last two layers: true of every region that an oracle knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from polyrank.minrank.bound import chain_bound
from polyrank.minrank.flats import MERSENNE
from polyrank.minrank.lifted import Lifted, Open
from polyrank.network.normal_form import Network
from polyrank.posed.chart import Chart, chart
from polyrank.posed.problem import Problem
from polyrank.posed.region import Region
from tests.examples import Space, box, layer, network
from tests.oracles import regions_by_generators
from tests.strategies import problems


def lifted_on(net: Network, where: Chart, word: np.ndarray) -> Lifted:
    below = Problem(net, where, len(net.layers) - 2)
    z = below.branch.preactivation(below.layers + 1, word)
    box_of = None
    if where.lower is not None and where.upper is not None:
        box_of = where.lower, where.upper
    bounds = chain_bound(net, where).bounds[below.layers]
    return Lifted(net, z, list(Region(below, word).rows), box_of, bounds, MERSENNE)


def live(net: Network, bits: tuple[int, ...]) -> list[bool]:
    """Units of the last layer whose slope is not zero in a region."""
    own = iter(bits[sum(net.bits[:-1]) :])
    last = net.layers[-1]
    out = []
    for (neg, pos), cuts in zip(last.slopes_exact, last.has_hyperplane.tolist(), strict=True):
        out.append((pos if not cuts or next(own) else neg) != 0)
    return out


@settings(max_examples=60)
@given(problems())
def test_prefixes_and_clauses_hold_on_every_region(problem: tuple[Network, Space]) -> None:
    """Where a rank is excluded no region has a smaller one; a clause names a live unit wherever its
    decisions are made, or one that vanishes; what was learnt is known to the core."""
    net, space = problem
    if len(net.layers) < 2:
        return
    where = chart(space.domain(), net.input_dim)
    regions = regions_by_generators(net, space.rows)
    start, end = sum(net.bits[:-2]), sum(net.bits[:-1])
    cuts = net.layers[-2].has_hyperplane
    made: dict[tuple[int, ...], Lifted] = {}
    for bits, region in regions.items():
        word = np.array(bits, dtype=bool)
        if bits[:start] not in made:
            made[bits[:start]] = lifted_on(net, where, word[:start])
        lifted = made[bits[:start]]
        for decided in range(1, net.layers[-2].units + 1):
            own = word[start : start + int(cuts[:decided].sum())]
            for rank in (1, 2):
                if lifted.below(own, decided, rank) is None:
                    assert region.ranks[-1] >= rank
                    shown, done = lifted.shown(own[None], decided, rank)
                    assert done == 1
                    assert shown[0]
    for bits in regions:
        word = np.array(bits, dtype=bool)
        positive = np.ones(len(cuts), dtype=bool)
        positive[cuts] = word[start:end]
        zero = [not any(row) for row in _linear(net, where, word)]
        on = live(net, bits)
        for wants_on, wants_off, cover in made[bits[:start]].clauses():
            if positive[list(wants_on)].all() and not positive[list(wants_off)].any():
                assert any(on[i] or zero[i] for i in cover)


def _linear(net: Network, where: Chart, word: np.ndarray) -> list[list[Any]]:
    z = Problem.of(net, where).branch.preactivation(len(net.layers), word)
    return [row[:-1] for row in z.tolist()]


@settings(max_examples=60)
@given(problems())
def test_directions_bound_the_rank(problem: tuple[Network, Space]) -> None:
    """The live units along the directions that open units do not see, whatever their signs."""
    net, space = problem
    if len(net.layers) < 2:
        return
    where = chart(space.domain(), net.input_dim)
    start, end = sum(net.bits[:-2]), sum(net.bits[:-1])
    cuts = net.layers[-2].has_hyperplane
    for bits, region in regions_by_generators(net, space.rows).items():
        word = np.array(bits, dtype=bool)
        lifted = lifted_on(net, where, word[:start])
        on = live(net, bits)
        always = [i for i, (neg, pos) in enumerate(net.layers[-1].slopes_exact) if neg and pos]
        switching = [
            i
            for i, (neg, pos) in enumerate(net.layers[-1].slopes_exact)
            if (neg != 0) != (pos != 0)
        ]
        positive = np.ones(len(cuts), dtype=bool)
        positive[cuts] = word[start:end]
        for decided in range(1, len(cuts) + 1):
            base, elements = lifted.directions(decided).elements(positive[:decided])
            assert base <= len(always)
            chosen = [row for i, row in zip(switching, elements.tolist(), strict=True) if on[i]]
            rank = base
            if chosen and chosen[0]:
                # residues that are independent modulo the prime are independent over Q
                table = np.array(chosen, dtype=object)
                rank += _rank_modulo(table, MERSENNE)
            assert rank <= region.ranks[-1]


def _rank_modulo(table: np.ndarray, prime: int) -> int:
    rows = [list(map(int, row)) for row in table]
    rank = 0
    for c in range(len(rows[0])):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][c] % prime), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        inverse = pow(rows[rank][c], -1, prime)
        for i in range(rank + 1, len(rows)):
            factor = rows[i][c] * inverse % prime
            rows[i] = [(a - factor * b) % prime for a, b in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank


def test_a_clause_of_the_whole_box() -> None:
    """relu(x) + relu(−x) ≥ 0, so that a unit 1 + h₁ + h₂ is never off."""
    first = layer([[1, 0], [-1, 0], [0, 1]], [0, 0, 0])
    second = layer([[1, 1, 0], [0, 0, 1]], [1, -1])
    net = network(first, second)
    where = chart(box([-2, -2], [2, 2]).domain(), 2)
    lifted = lifted_on(net, where, np.zeros(0, dtype=bool))
    on = np.array([True, False])
    assert lifted.below(on, 2, 1) is None
    assert lifted.clauses() == [((), (), (0,))]
    assert lifted.shown(np.array([[True, False], [False, True]]), 2, 1)[0].all()
    # rank 2 cannot be proved with a unit off: the point is handed out
    left = lifted.below(np.array([True, False, False]), 3, 2)
    assert isinstance(left, Open)
    # where both are off the first unit of layer 2 is constant: no rank
    assert isinstance(lifted.below(np.array([False, False]), 2, 1), Open)


@pytest.mark.parametrize("budget", [1, 3])
def test_many_prefixes_within_a_budget(budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    first = layer(rng.integers(-3, 4, (6, 2)).tolist(), rng.integers(-2, 3, 6).tolist())
    second = layer(rng.integers(-3, 4, (5, 6)).tolist(), [1, 2, -1, 1, 3])
    net = network(first, second)
    where = chart(box([-1, -1], [1, 1]).domain(), 2)
    lifted = lifted_on(net, where, np.zeros(0, dtype=bool))
    bits = rng.integers(0, 2, (40, 5)).astype(bool)
    for word in bits:
        lifted.below(word, 5, 1)
    whole, done = lifted.shown(bits, 5, 1)
    assert done == len(bits)
    monkeypatch.setattr("polyrank.minrank.lifted._BUDGET", budget)
    at = 0
    while at < len(bits):
        shown, done = lifted.shown(bits[at:], 5, 1)
        assert done >= 1
        assert (shown[:done] == whole[at : at + done]).all()
        at += done
