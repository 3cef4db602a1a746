"""The least rank and the regions of low rank: against exact oracles, full runs and plants."""

from __future__ import annotations

import itertools
import os
import signal
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings

import polyrank as pr
from polyrank.errors import EmptyDomainError, NetworkError
from polyrank.minrank import layers_below, least, programs
from polyrank.minrank import minimum as module
from polyrank.minrank.minimum import MinimumRankInterrupted, minimum_rank
from polyrank.minrank.prefix import stages
from polyrank.minrank.programs import Proposal
from polyrank.network.forward import codewords
from polyrank.network.initialise import random_network
from polyrank.network.normal_form import Layer, Network, relu_layer
from tests.examples import EXAMPLES, Example, Space, box, layer, network, whole
from tests.minrank.agreement import agrees, random_layer, through, truth
from tests.strategies import problems, realistic_network

# ---------------------------------------------------------------------------------------------
# networks that can be enumerated


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_examples(example: Example) -> None:
    for k in range(1, len(example.network.layers) + 1):
        found = agrees(example.network, example.space, k)
        assert found.best.rank == min(example.ranks[k - 1])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_examples_without_a_good_guess(example: Example, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "points_with_few_live_units", lambda *arguments: iter(()))
    monkeypatch.setattr(module, "_PROBES", 0)
    for k in range(1, len(example.network.layers) + 1):
        agrees(example.network, example.space, k)


def test_units_that_are_live_on_the_negative_side() -> None:
    rng = np.random.default_rng(0)
    w = rng.integers(-2, 3, (7, 2)).tolist()
    slopes = [(1, 0), (0, 1), ("-1/2", 0), (1, 0), (0, -3), (1, 0), (1, 2)]
    first = layer(w, rng.integers(-2, 3, 7).tolist(), slopes)
    second = layer(rng.integers(-2, 3, (3, 7)).tolist(), [1, 0, -1], [(2, 0), (0, 1), (-1, 0)])
    for space in (whole(), box([-2, -1], [1, 3])):
        agrees(network(first, second), space, 1)
        agrees(network(first, second), space, 2)


@settings(max_examples=60)
@given(problems())
def test_random_degenerate_networks(problem: tuple[Network, Space]) -> None:
    net, space = problem
    for k in range(1, len(net.layers) + 1):
        agrees(net, space, k)


@pytest.mark.long
@pytest.mark.slow
@settings(max_examples=500)
@given(problems(max_bits=14))
def test_many_random_degenerate_networks(problem: tuple[Network, Space]) -> None:
    net, space = problem
    for k in range(1, len(net.layers) + 1):
        agrees(net, space, k)


@pytest.mark.parametrize(
    "kind", ["integer", "quantised", "pruned", "duplicated", "bias-free", "dead"]
)
def test_a_full_run(kind: str) -> None:
    net = realistic_network(kind, (3, 8, 7, 3), seed=4)
    for domain in (pr.WholeSpace(), pr.Box(-1, 1)):
        run = pr.enumerate_regions(net, domain)
        for k in range(1, 4):
            table = run.at_layer(k)
            ranks = table.column(f"rank_{k}").to_pylist()
            found = minimum_rank(net, domain, layer=k, below=min(ranks) + 1)
            assert found.certified
            assert found.lower == min(ranks) == run.min_rank[k - 1]
            bits = sum(net.bits[:k])
            words = [
                np.unpackbits(np.frombuffer(w.as_py(), np.uint8), count=bits, bitorder="little")
                for w in table.column("codeword")
            ]
            low = {bytes(w) for w, r in zip(words, ranks, strict=True) if r == min(ranks)}
            assert {bytes(r.codeword.astype(np.uint8)) for r in found.regions} == low


@pytest.mark.parametrize(("n", "units", "seed"), [(3, 12, 0), (4, 10, 1), (5, 11, 2), (2, 20, 3)])
def test_generic_arrangements(n: int, units: int, seed: int) -> None:
    """Rank = min(n, live units), since any n rows of a random matrix are independent."""
    net = random_layer(n, units, seed)
    for domain in (pr.WholeSpace(), pr.Box(-1, 1)):
        run = pr.enumerate_regions(net, domain)
        live = np.concatenate(list(run.codewords())).sum(axis=1)
        for below in range(n + 2):
            found = minimum_rank(net, domain, below=below)
            assert found.certified
            assert found.lower == min(n, live.min())
            assert len(found.regions) == (np.minimum(live, n) < below).sum()
            assert all(r.rank == min(n, r.codeword.sum()) for r in found.regions)


def _against_the_full_run(n: int, units: int, seed: int, domain: Any) -> None:
    net = random_layer(n, units, seed)
    run = pr.enumerate_regions(net, domain)
    histogram = run.rank_histogram()
    least = min(histogram)
    # where every region has full rank, the list of rank < n is empty
    below = min(least + 2, n)
    found = minimum_rank(net, domain, below=below)
    assert found.certified
    assert found.lower == least
    ranks = [region.rank for region in found.regions]
    assert {r: ranks.count(r) for r in set(ranks)} == {
        r: count for r, count in histogram.items() if r < below
    }


@pytest.mark.parametrize("seed", [0, 1])
def test_tens_of_thousands_of_regions(seed: int) -> None:
    _against_the_full_run(7, 18, seed, pr.Box(-1, 1))
    _against_the_full_run(4, 32, seed, pr.WholeSpace())


@pytest.mark.slow
@pytest.mark.parametrize("domain", [pr.WholeSpace(), pr.Box(-1, 1)], ids=["all", "box"])
def test_the_papers_width_25_against_seven_million_regions(domain: Any) -> None:
    """Input 10, width 25, the last size of the single-layer setting that can be enumerated."""
    _against_the_full_run(10, 25, 2, domain)


@pytest.mark.parametrize("domain", [pr.WholeSpace(), pr.Box(-1, 1)], ids=["all", "box"])
@pytest.mark.parametrize("widths", ["2-9-8", "3-9-7", "4-8-8", "3-5-6-5"])
def test_deeper_layers_against_the_full_run(widths: str, domain: Any) -> None:
    """The least rank and the list, with prefixes of every number of open units."""
    for seed in range(2):
        net = random_network(widths, seed=seed, bias="normal:0.3,1")
        layer = len(net.layers)
        histogram = pr.enumerate_regions(net, domain).rank_histogram(layer)
        rank = min(histogram)
        found = minimum_rank(net, domain, layer=layer, below=rank + 1)
        assert found.certified
        assert (found.lower, len(found.regions)) == (rank, histogram[rank])


@pytest.mark.slow
@pytest.mark.parametrize(("widths", "seed"), [("2-25-25", 0), ("3-25-25", 1), ("5-12-12", 3)])
def test_two_layers_of_the_papers_widths(widths: str, seed: int) -> None:
    net = random_network(widths, seed=seed)
    found = minimum_rank(net, pr.Box(-5, 5), layer=2)
    assert found.certified
    assert found.lower == pr.enumerate_regions(net, pr.Box(-5, 5)).min_rank[1]


def test_time_that_runs_out_leaves_what_is_proved_of_two_layers() -> None:
    """Ranks are refuted one by one: the bounds are honest whenever the search is stopped."""
    net = random_network("5-12-12", seed=3)
    least_rank = pr.enumerate_regions(net, pr.Box(-5, 5)).min_rank[1]
    for seconds in (0.05, 0.3, 1.0):
        found = minimum_rank(net, pr.Box(-5, 5), layer=2, seconds=seconds)
        assert found.lower <= least_rank <= found.best.rank


def test_domains_of_lower_dimension() -> None:
    net = random_layer(4, 9, 5)
    rng = np.random.default_rng(6)
    domain = pr.Slice(rng.integers(-2, 3, 4).tolist(), rng.integers(-3, 4, (4, 2)).tolist())
    run = pr.enumerate_regions(net, domain)
    found = minimum_rank(net, domain, below=3)
    assert found.certified
    assert found.lower == run.min_rank[0]
    assert len(found.regions) == run.count
    point = minimum_rank(net, pr.Box([1, 2, 3, 4], [1, 2, 3, 4]), below=1)
    assert point.certified
    assert (point.lower, len(point.regions)) == (0, 1)
    assert point.best.witness == (1, 2, 3, 4)


def test_the_chain_bound_prunes_prefixes() -> None:
    """Leaky layers 2 and 3 of full column rank keep the rank of layer 1, of which few regions
    have the least one: only these are opened."""
    rng = np.random.default_rng(0)
    first = relu_layer(rng.normal(size=(7, 3)), rng.normal(size=7))
    second = relu_layer(rng.normal(size=(8, 7)), rng.normal(size=8), slope="1/4")
    third = relu_layer(rng.normal(size=(9, 8)), rng.normal(size=9), slope="1/3")
    net = Network((first, second, third))
    run = pr.enumerate_regions(through(net, 1), pr.Box(-1, 1))
    low = [r for r in run.rank_histogram(1) if r < 3]
    assert low, "the example should have regions of deficient rank"
    found = minimum_rank(net, pr.Box(-1, 1), layer=3)
    assert found.certified
    assert found.lower == min(low)
    assert found.pruned > 0
    whole_run = pr.enumerate_regions(net, pr.Box(-1, 1))
    assert whole_run.min_rank[2] == found.lower
    listed = minimum_rank(net, pr.Box(-1, 1), layer=3, below=found.lower + 1)
    assert listed.certified
    assert listed.pruned > 0
    assert len(listed.regions) == whole_run.rank_histogram(3)[found.lower]


def test_prefixes_go_on_in_several_portions(monkeypatch: Any) -> None:
    monkeypatch.setattr(layers_below, "_TASKS", 1)
    test_the_chain_bound_prunes_prefixes()


@pytest.mark.parametrize("seed", range(4))
def test_prefixes_with_zero_and_constant_units(seed: int) -> None:
    """Identically zero, constant and pass-through units in a prefix that is handed on."""
    rng = np.random.default_rng(seed)
    w = rng.integers(-2, 3, (6, 2)).tolist()
    first = layer(
        [*w, [0, 0], [0, 0]], [*rng.integers(-2, 3, 6).tolist(), 0, 1],
        [(0, 1)] * 4 + [(1, 1), (0, 1), (0, 1), (0, 1)],
    )  # fmt: skip
    second = layer(
        np.vstack([np.eye(8, dtype=int), rng.integers(-1, 2, (2, 8))]).tolist(),
        [0] * 10,
        (1, 2),
    )
    third = layer(
        np.vstack([np.eye(10, dtype=int), rng.integers(-1, 2, (1, 10))]).tolist(),
        [0] * 11,
        (-1, 2),
    )
    net = network(first, second, third)
    for space in (whole(), box([-3, -3], [3, 2])):
        found = agrees(net, space, 3)
        plan = stages(net, module.chart_for(net, space.domain()), _chain(net, space), 2)
        assert [len(leg.network.layers) for leg in plan] == [1, 2]
        assert found.best.rank <= 2


def _chain(net: Network, space: Space) -> Any:
    return module.chain_bound(net, module.chart_for(net, space.domain()))


# ---------------------------------------------------------------------------------------------
# beyond enumeration


def planted(n: int, units: int, size: float, seed: int) -> tuple[Network, np.ndarray]:
    """Units that are all off in a simplex of inradius ``size`` around a point, and nowhere else.

    n + 1 unit normals that sum to zero cannot all be ≤ size·|normal| but in a simplex; the other
    units are off near the point.
    """
    rng = np.random.default_rng(seed)
    point = rng.uniform(-0.5, 0.5, n)
    corner = np.vstack([np.eye(n), -np.ones((1, n))])
    others = rng.normal(size=(units - n - 1, n))
    weight = np.vstack([corner, others])
    bias = -weight @ point - size
    bias[n + 1 :] -= rng.uniform(0.01, 0.2, len(others))
    return Network.from_arrays([weight], [bias], output_relu=True), point


@pytest.mark.parametrize(("n", "units", "size"), [(5, 30, 1e-4), (8, 40, 1e-7), (12, 60, 1e-10)])
def test_planted_regions_are_found_and_sampling_misses_them(
    n: int, units: int, size: float
) -> None:
    net, point = planted(n, units, size, seed=n)
    samples = np.random.default_rng(0).uniform(-1, 1, (200_000, n))
    packed = codewords(net, samples)
    live = np.unpackbits(packed, axis=1, count=units, bitorder="little").sum(axis=1)
    assert live.min() >= 1
    for domain in (pr.WholeSpace(), pr.Box(-1, 1)):
        found = minimum_rank(net, domain, below=1)
        assert found.certified
        assert (found.lower, found.best.rank) == (0, 0)
        # the n + 1 corners bound a simplex, which the other units do not reach
        assert len(found.regions) == 1
        witness = np.array([float(v) for v in found.best.witness])
        assert np.abs(witness - point).max() < 100 * size * n


def test_a_planted_region_in_the_second_layer() -> None:
    net, _ = planted(4, 20, 1e-7, seed=1)
    shifted = relu_layer(np.eye(4), np.full(4, 2.0))  # x + 2 > 0 on the box
    weight = net.layers[0].weight.approx
    second = relu_layer(weight, net.layers[0].bias.approx - 2.0 * weight.sum(axis=1))
    deep = Network((shifted, second))
    samples = np.random.default_rng(0).uniform(-1, 1, (200_000, 4))
    packed = codewords(deep, samples)
    live = np.unpackbits(packed, axis=1, count=24, bitorder="little")[:, 4:].sum(axis=1)
    assert live.min() >= 1
    found = minimum_rank(deep, pr.Box(-1, 1), layer=2, below=1)
    assert found.certified
    assert (found.lower, len(found.regions)) == (0, 1)


@pytest.mark.parametrize(("n", "units"), [(10, 30), (8, 44)])
def test_beyond_enumeration_against_branch_and_cut(n: int, units: int) -> None:
    """About 5·10^7 and 2·10^8 regions in general position; the live units against the MILP."""
    net = random_layer(n, units, 0)
    found = minimum_rank(net, pr.Box(-1, 1), milp=True)
    assert found.certified
    assert found.best.rank == min(n, found.best.codeword.sum())
    # a second method, HiGHS's branch and cut, up to its tolerances
    assert found.solver_bound is not None
    assert found.best.rank == min(n, found.solver_bound)


# ---------------------------------------------------------------------------------------------
# honest intervals


class Clock:
    """Seconds that pass with every look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_wherever_time_ends_the_interval_is_honest(depth: int, monkeypatch: Any) -> None:
    net = realistic_network("pruned", (2, 5, 5, 2), seed=3)
    regions = truth(through(net, depth), whole())
    least, below = min(regions.values()), max(regions.values())
    low = {bits for bits, rank in regions.items() if rank < below}
    ended = set()
    for seconds in itertools.chain(range(0, 60, 3), range(60, 4000, 111)):
        monkeypatch.setattr(module.time, "perf_counter", Clock())
        found = minimum_rank(net, layer=depth, below=below, seconds=seconds)
        monkeypatch.undo()
        assert found.lower <= least <= found.best.rank
        listed = {tuple(map(int, region.codeword)) for region in found.regions}
        assert listed <= low
        if found.complete:
            assert listed == low
        if found.certified:
            assert found.lower == least
        ended.add((found.exact, found.complete))
    assert (True, True) in ended
    assert (False, False) in ended


def test_no_time_at_all() -> None:
    found = minimum_rank(random_layer(6, 40, 1), seconds=0.0, below=2)
    assert not found.certified
    assert not found.exact
    assert not found.complete
    assert found.lower == 0 < found.best.rank
    assert found.regions == ()


def test_a_list_that_is_cut_off_says_so() -> None:
    net = random_layer(3, 8, 0)
    run = pr.enumerate_regions(net)
    found = minimum_rank(net, below=4, limit=5)
    assert len(found.regions) == 5
    assert not found.complete
    assert not found.certified
    assert found.exact
    exactly = minimum_rank(net, below=4, limit=run.count)
    assert exactly.certified
    assert len(exactly.regions) == run.count
    # deeper: the list is full, the least rank is still proved
    deep = realistic_network("integer", (2, 6, 5, 2), seed=0)
    run = pr.enumerate_regions(deep, pr.Box(-1, 1))
    found = minimum_rank(deep, pr.Box(-1, 1), layer=3, below=3, limit=2)
    assert (found.exact, found.complete, len(found.regions)) == (True, False, 2)
    assert found.lower == run.min_rank[2]


def test_undecided_cells_below_leave_an_interval(monkeypatch: Any) -> None:
    search = layers_below.search

    def doubtful(*arguments: Any, **options: Any) -> Any:
        return replace(search(*arguments, **options), certified=False)

    monkeypatch.setattr(layers_below, "search", doubtful)
    net = realistic_network("integer", (2, 16, 16, 16, 2), seed=1)
    run = pr.enumerate_regions(through(net, 2))
    assert run.min_rank[1] == 2, "the interval would close without a search at 0"
    found = minimum_rank(net, layer=2, below=2)
    assert (found.lower, found.best.rank) == (0, 2)
    assert not found.complete
    assert not found.certified


def _only(primes: tuple[int, ...], monkeypatch: Any) -> None:
    for user in (module, least, layers_below):
        monkeypatch.setattr(user, "PRIMES", primes)


@pytest.mark.parametrize("primes", [(2, 2147483647), (2, 3, 5, 2147483647)])
def test_unlucky_primes_cost_time_only(primes: tuple[int, ...], monkeypatch: Any) -> None:
    _only(primes, monkeypatch)
    for example in EXAMPLES[:20]:
        for k in range(1, len(example.network.layers) + 1):
            found = minimum_rank(example.network, example.space.domain(), layer=k)
            assert found.certified
            assert found.lower == min(example.ranks[k - 1])


SAME_MODULO_TWO = layer([[2, 1], [4, 1], [-2, -1], [-4, -1]], [0, 0, 0, 0])
"""One of units 1, 3 and one of units 2, 4 is on: rank 2 everywhere, but 1 modulo 2."""


@pytest.mark.parametrize("depth", [1, 2])
def test_another_prime_decides(depth: int, monkeypatch: Any) -> None:
    below = [layer([[1, 0], [0, 1]], [0, 0], (1, 2))] * (depth - 1)
    net = network(*below, SAME_MODULO_TWO)
    for primes, lower in (((2,), 1), ((2, 2147483647), 2)):
        _only(primes, monkeypatch)
        found = minimum_rank(net, layer=depth)
        assert (found.lower, found.best.rank) == (lower, 2)
        assert found.certified == (lower == 2)


# ---------------------------------------------------------------------------------------------
# float proposes, exact decides


def _nothing(self: Any, *arguments: Any) -> Any:
    return Proposal()


def _nonsense(self: Any, used: Any) -> Any:
    rng = np.random.default_rng(int(used.sum()))
    if rng.integers(2):
        return Proposal(point=tuple(rng.normal(size=self._k).tolist()))
    size = min(len(used), self._k + 1)
    return Proposal(support=tuple(rng.choice(len(used), size, replace=False).tolist()))


@pytest.mark.parametrize("lie", [_nothing, _nonsense])
def test_a_solver_that_fails_or_lies(lie: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(programs.SlackProgram, "solve", lie)
    monkeypatch.setattr(programs.ElasticProgram, "solve", lambda self, weights: None)
    for example in EXAMPLES:
        if sum(example.network.bits) <= 6:
            agrees(example.network, example.space, len(example.network.layers))
    agrees(random_layer(3, 6, 1), whole(), 1)


def test_a_heuristic_that_proposes_points_outside(monkeypatch: Any) -> None:
    def outside(cell: Any, *arguments: Any) -> Any:
        yield fmpq_mat(cell.k, 1, [fmpq(100)] * cell.k)

    monkeypatch.setattr(module, "points_with_few_live_units", outside)
    agrees(random_layer(2, 5, 1), box([-1, -1], [1, 1]), 1)


def test_the_solver_is_asked_after_a_while(monkeypatch: Any) -> None:
    asked = []
    fewest = module.fewest_live_units

    def counting(*arguments: Any) -> Any:
        asked.append(arguments)
        return fewest(*arguments)

    monkeypatch.setattr(module, "fewest_live_units", counting)
    monkeypatch.setattr(module, "_SOLVER_AFTER", -1.0)
    monkeypatch.setattr(module, "points_with_few_live_units", lambda *arguments: iter(()))
    net = random_layer(4, 14, 0)
    found = minimum_rank(net, pr.Box(-1, 1))
    assert found.certified
    assert len(asked) == 1
    run = pr.enumerate_regions(net, pr.Box(-1, 1))
    least = int(np.concatenate(list(run.codewords())).sum(axis=1).min())
    assert found.solver_bound == least
    assert minimum_rank(net, pr.Box(-1, 1), milp=False).solver_bound is None
    assert len(asked) == 1


# ---------------------------------------------------------------------------------------------
# refusals, reports


@pytest.mark.parametrize("k", [0, 3, -1])
def test_no_such_layer(k: int) -> None:
    net = Network.from_arrays([[[1.0]], [[1.0]]], [[0.0], [0.0]], name="tiny")
    with pytest.raises(NetworkError, match=f"there is no layer {k}: 'tiny' has layers 1 to 2"):
        minimum_rank(net, layer=k)


def test_an_empty_domain() -> None:
    with pytest.raises(EmptyDomainError):
        minimum_rank(random_layer(1, 2, 0), pr.Polytope([[1], [-1]], [0, -1]))


def test_bounds_are_reported_as_they_improve() -> None:
    told: list[tuple[int, int]] = []
    found = minimum_rank(random_layer(4, 24, 0), report=lambda a, b: told.append((a, b)))
    assert told[-1] == (found.lower, found.best.rank)
    for (a, b), (c, d) in itertools.pairwise(told):
        assert a <= c
        assert d <= b
        assert (a, b) != (c, d)


def test_the_summary_is_json() -> None:
    import json

    net = Network((Layer(*_line(), name="one"),))
    found = minimum_rank(net, below=1)
    shown = json.loads(json.dumps(found.summary()))
    assert shown["lower"] == shown["upper"] == 0
    assert shown["certified"] is shown["complete"] is True
    assert [(r["codeword"], r["rank"]) for r in shown["regions"]] == [("0", 0)]
    assert fmpq(*map(int, shown["best"]["witness"][0].split("/"))) < fmpq(1, 3)
    assert shown["solver_bound_not_proved"] is None
    assert minimum_rank(net).summary()["complete"] is None


def _line() -> tuple[Any, ...]:
    one = relu_layer([[3.0]], [-1.0])
    return one.weight, one.bias, one.slope_neg, one.slope_pos


@pytest.mark.parametrize("layer", [1, 2])
@pytest.mark.parametrize("told", [1, 2])
def test_an_interrupt_leaves_what_is_proved(layer: int, told: int) -> None:
    """Pressed at any report: an interval that holds the true value, and a region for its end."""
    net = Network.from_arrays(
        [np.random.default_rng(1).normal(size=s) for s in ((9, 4), (7, 9), (1, 7))],
        [np.random.default_rng(2).normal(size=s) for s in (9, 7, 1)],
    )
    whole_search = minimum_rank(net, layer=layer)
    assert whole_search.certified
    seen: list[tuple[int, int]] = []

    def report(lower: int, upper: int) -> None:
        seen.append((lower, upper))
        if len(seen) == told:
            raise KeyboardInterrupt

    with pytest.raises(MinimumRankInterrupted) as caught:
        minimum_rank(net, layer=layer, below=3, report=report)
    found = caught.value.found
    lower, upper = seen[-1]
    assert (found.lower, found.best.rank) == (lower, upper)
    assert lower <= whole_search.lower <= upper
    assert not found.complete
    assert str(caught.value) == f"interrupted: the least rank is in [{lower}, {upper}]"


def test_ctrl_c_in_the_solver_leaves_what_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    """HiGHS is at work when it is pressed: it is asked to stop, and nothing passes through it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        solve = programs.attempt

        def pressed(highs: Any) -> Any:
            os.kill(os.getpid(), signal.SIGINT)
            return solve(highs)

        monkeypatch.setattr(programs, "attempt", pressed)
        with pytest.raises(MinimumRankInterrupted) as caught:
            minimum_rank(random_layer(6, 24, 0), milp=True)
        assert caught.value.found.solver_bound is None
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("greatest", [False, True])
def test_what_is_proved_does_not_depend_on_the_number_of_threads(greatest: bool) -> None:
    net = Network.from_arrays(*_deep_arrays())
    one, two, seven = (
        pr.minrank(net, pr.Box(-1, 1), layer=3, greatest=greatest, jobs=jobs).summary()
        for jobs in (1, 2, 7)
    )
    for other in (two, seven):
        assert {**other, "seconds": 0} == {**one, "seconds": 0}


def _deep_arrays() -> tuple[list[Any], list[Any]]:
    rng = np.random.default_rng(8)
    shapes = [(7, 3), (6, 7), (5, 6)]
    return (
        [np.round(rng.normal(size=s), 2) for s in shapes],
        [np.round(rng.normal(size=s[0]), 2) for s in shapes],
    )


@pytest.mark.parametrize("greatest", [False, True])
def test_no_thread_at_all_is_refused(greatest: bool) -> None:
    net = Network.from_arrays(*_deep_arrays())
    with pytest.raises(ValueError, match="jobs is 0"):
        pr.minrank(net, greatest=greatest, jobs=0)
