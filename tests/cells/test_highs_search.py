"""The second engine against the first one, the oracles, and a HiGHS that lies."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

import polyrank as pr
from polyrank.cells import exact_cells, highs_search
from polyrank.cells.search import search
from polyrank.cells.task import POSITIVE, TIED, UNDECIDED, Batch, SearchProgress, SearchResult, Task
from polyrank.errors import RunError, UncertifiedError, UnsupportedError
from polyrank.lp.highs import HighsModel
from polyrank.network.forward import unpack_bits
from polyrank.network.normal_form import Network
from polyrank.posed.chart import Chart, chart
from polyrank.posed.problem import Problem
from polyrank.regions.enumerate import EnumerationInterrupted
from tests.checks import Row, check_run, differences, rows_of
from tests.conftest import ROOT
from tests.examples import (
    ABS,
    EXAMPLES,
    LEAKY,
    LINEAR,
    RELU,
    Example,
    Space,
    box,
    layer,
    network,
    polytope,
    whole,
)
from tests.oracles import regions_by_generators
from tests.strategies import problems, realistic_network

KINDS = ["integer", "quantised", "pruned", "duplicated", "bias-free", "dead"]


def _codewords(batches: Iterable[Batch], bits: int) -> list[tuple[int, ...]]:
    return [tuple(map(int, unpack_bits(row, bits))) for b in batches for row in b.codeword]


def _searched(
    net: Network, where: Chart, engine: str = "highs", **options: Any
) -> tuple[list[tuple[int, ...]], SearchResult]:
    batches: list[Batch] = []
    result = search(Problem.of(net, where), batches.append, engine=engine, **options)
    return _codewords(batches, sum(net.bits)), result


def _table(run: Any) -> dict[tuple[int, ...], tuple[tuple[int, ...], tuple[int, ...]]]:
    rows: list[Row] = list(rows_of(run.table, run.bits, run.layers))
    assert len({row.bits for row in rows}) == run.count
    return {row.bits: (row.zero, row.ranks) for row in rows}


def _same(net: Network, domain: Any) -> None:
    """Both engines: codewords, zero units, ranks; every witness of the second one exactly."""
    run = pr.enumerate_regions(net, domain=domain, engine="highs")
    assert run.certified
    assert _table(run) == _table(pr.enumerate_regions(net, domain=domain))
    report = check_run(net, domain, run)
    assert report.ok, report.failures


# ---------------------------------------------------------------------------------------------
# both engines and the oracles


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_examples(example: Example) -> None:
    domain = example.space.domain()
    run = pr.enumerate_regions(example.network, domain=domain, engine="highs")
    assert (run.count, run.certified) == (example.count, True)
    for k, ranks in enumerate(example.ranks, start=1):
        assert {r: c for r, c in run.rank_histogram(layer=k).items() if c} == ranks
    assert check_run(example.network, domain, run).ok


@settings(max_examples=60)
@given(problems())
def test_random_degenerate_networks(problem: tuple[Network, Space]) -> None:
    net, space = problem
    domain = space.domain()
    run = pr.enumerate_regions(net, domain=domain, engine="highs")
    assert not differences(net, run, regions_by_generators(net, space.rows))
    report = check_run(net, domain, run)
    assert report.ok, report.failures


@settings(max_examples=30)
@given(problems(max_inputs=3))
def test_every_prefix_of_layers(problem: tuple[Network, Space]) -> None:
    net, space = problem
    for k in range(1, len(net.layers)):
        prefix = Network(net.layers[:k], "prefix")
        run = pr.enumerate_regions(net, domain=space.domain(), through_layer=k, engine="highs")
        assert not differences(net, run, regions_by_generators(prefix, space.rows))


_THIRD = Fraction(1, 3)
_DOMAINS: dict[str, Any] = {
    "whole space": None,
    "box": pr.Box(-1, 1),
    "far tiny box": pr.Box([10**6] * 3, [10**6 + Fraction(1, 10**9)] * 3),
    "triangle": pr.Polytope([[-1, 0, 0], [0, -1, 0], [0, 0, -1], [1, 1, 1]], [0, 0, 0, 1]),
    "orthant": pr.Polytope([[-1, 0, 0], [0, -1, 0], [0, 0, -1]], [0, 0, 0]),
    "slab": pr.Polytope([[1, 1, 0], [-1, -1, 0]], [1, 1]),
    "flat polytope": pr.Polytope([[1, 1, 1], [-1, -1, -1], [-1, 0, 0]], [1, -1, 1]),
    "plane": pr.Slice([0, _THIRD, -1], [[1, 0], [1, 1], [0, "1/7"]]),
    "square in a plane": pr.Slice([0, 0, 0], [[1, 0], [1, 1], [0, -1]], pr.Box(-1, 1)),
    "line": pr.Slice([0, 0, 0], [[1], [2], ["1/3"]]),
    "simplex": pr.Simplex([[0, 0, 1], [1, 0, -1], [-1, _THIRD, 0]]),
    "tetrahedron": pr.Simplex([[0, 0, 1], [1, 0, -1], [-1, _THIRD, 0], [2, 2, 2]]),
    "point": pr.Box([0, 1, _THIRD], [0, 1, _THIRD]),
}


@pytest.mark.parametrize("where", _DOMAINS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_domain(kind: str, where: str) -> None:
    net = realistic_network(kind, (3, 5, 5, 2), seed=3)
    _same(net, _DOMAINS[where] or pr.WholeSpace())


def test_all_slopes() -> None:
    """LeakyReLU, absolute value, pass-through, the zero unit and a folding unit in one layer."""
    slopes: list[Any] = [RELU, LEAKY, ABS, LINEAR, (0, 0), (2, -1)]
    rows = [[1, 0], [0, 1], [1, 1], [1, -1], [2, 1], [-1, 3]]
    net = network(
        layer(rows, [0, 0, -1, 2, 0, 1], slopes),
        layer(
            [[1, -1, 1, 1, 5, 1], [0, 1, -2, 1, 0, 1], [1, 1, 1, -1, 0, 0]], [0, 1, -1], slopes[:3]
        ),
        layer([[1, 1, -1]], [0], LINEAR),
    )
    for space in (whole(), box([-1, -1], [1, 1])):
        run = pr.enumerate_regions(net, domain=space.domain(), engine="highs")
        assert not differences(net, run, regions_by_generators(net, space.rows))
        _same(net, space.domain())


@pytest.mark.parametrize("gap", [0, Fraction(1, 10**9), Fraction(1, 10**15), Fraction(1, 2**200)])
@pytest.mark.parametrize("power", [-200, 0, 200])
def test_no_gap_and_no_scale_is_too_small(gap: Fraction, power: int) -> None:
    """Three lines through a point, or missing it by a gap: 6 or 7 regions."""
    scale = Fraction(2) ** power
    net = network(layer([[scale, 0], [0, 1], [1, 1]], [0, 0, -gap]))
    for space in (whole(), box([-1, -1], [1, 1])):
        run = pr.enumerate_regions(net, domain=space.domain(), engine="highs")
        assert (run.count, run.certified) == (7 if gap else 6, True)
        _same(net, space.domain())


def test_regions_that_hold_no_float() -> None:
    """1/3 < x < 1/3 + 1e-30: the witness is rational, and is checked like the others."""
    net = network(layer([[1], [1]], [-_THIRD, -_THIRD - Fraction(1, 10**30)]))
    batches: list[Batch] = []
    search(Problem.of(net, chart(pr.WholeSpace(), 1)), batches.append, engine="highs")
    (batch,) = batches
    assert len(batch.codeword) == 3
    assert list(map(len, batch.witness_exact.values())) == [1]
    ((row, (y,)),) = batch.witness_exact.items()
    assert np.isnan(batch.witness).ravel().tolist() == [r == row for r in range(3)]
    assert fmpq(1, 3) < y < fmpq(1, 3) + fmpq(1, 10**30)
    _same(net, pr.WholeSpace())


def test_hyperplanes_through_the_starting_point() -> None:
    """They cut without an LP, wherever the domain lies; here it is {x >= 0, y >= -5}."""
    space = polytope([-1, 0, 0], [0, -1, 5])
    x, y = (Fraction(int(v.p), int(v.q)) for v in chart(space.domain(), 2).interior.entries())
    rows = [[1, 0], [1000, -1], [1, 7], [-1, -1]]
    net = network(layer(rows, [-(a * x + b * y) for a, b in rows]))
    run = pr.enumerate_regions(net, domain=space.domain(), engine="highs")
    assert not differences(net, run, regions_by_generators(net, space.rows))
    assert check_run(net, space.domain(), run).ok


def test_beyond_the_largest_float() -> None:
    """x - y = ±1e308 on {x + y >= 1e308, x, y <= 1e308}: the vertices overflow when doubled."""
    huge = 10**308
    net = network(layer([[1, -1], [1, 1]], [0, -huge]))
    for space in (whole(), polytope([-1, -1, -huge])):
        run = pr.enumerate_regions(net, domain=space.domain(), engine="highs")
        assert not differences(net, run, regions_by_generators(net, space.rows))
        assert check_run(net, space.domain(), run).ok


# ---------------------------------------------------------------------------------------------
# a HiGHS that lies


Basis = tuple[int, ...] | None


class Lying(HighsModel):
    """Proposals tampered with; ``tamper(model, honest, rows)`` says how."""

    tamper: Any = None

    def __init__(self, dimension: int) -> None:
        super().__init__(dimension)
        self.rng = random.Random(dimension)
        self.d = dimension

    def minimise(self, rows: Any, objective: Any) -> Basis:
        honest = super().minimise(rows, objective)
        answer: Basis = Lying.tamper(self, honest, rows)
        return answer


def _none(model: Lying, honest: Basis, rows: Any) -> None:
    model.failures += 1


def _random(model: Lying, honest: Basis, rows: Any) -> Basis:
    return tuple(model.rng.sample(range(len(rows)), min(model.d, len(rows))))


def _empty(model: Lying, honest: Basis, rows: Any) -> Basis:
    return ()


def _all_rows(model: Lying, honest: Basis, rows: Any) -> Basis:
    return tuple(range(len(rows)))


def _no_rows(model: Lying, honest: Basis, rows: Any) -> Basis:
    return (-1, len(rows), 10**9)


def _shortened(model: Lying, honest: Basis, rows: Any) -> Basis:
    return honest and honest[1:]


def _doubled(model: Lying, honest: Basis, rows: Any) -> Basis:
    return honest and honest + honest[:1]


def _backwards(model: Lying, honest: Basis, rows: Any) -> Basis:
    return honest and honest[::-1]


def _now_and_then(model: Lying, honest: Basis, rows: Any) -> Basis:
    lies: list[Any] = [_none, _random, _empty, _all_rows, _no_rows, _shortened, _doubled]
    if model.rng.random() < 0.5:
        return honest
    answer: Basis = model.rng.choice(lies)(model, honest, rows)
    return answer


LIES = [
    _none,
    _random,
    _empty,
    _all_rows,
    _no_rows,
    _shortened,
    _doubled,
    _backwards,
    _now_and_then,
]


def _lie(monkeypatch: pytest.MonkeyPatch, tamper: Any) -> None:
    monkeypatch.setattr(highs_search, "HighsModel", Lying)
    monkeypatch.setattr(Lying, "tamper", staticmethod(tamper))


@pytest.mark.parametrize("tamper", LIES)
@pytest.mark.parametrize("kind", ["integer", "quantised", "bias-free"])
def test_lies_change_nothing_but_the_speed(
    monkeypatch: pytest.MonkeyPatch, tamper: Any, kind: str
) -> None:
    net = realistic_network(kind, (2, 6, 6, 2), seed=12)
    _lie(monkeypatch, tamper)
    for domain in (pr.WholeSpace(), pr.Box(-1, 1)):
        _same(net, domain)


@pytest.mark.parametrize("tamper", [_none, _now_and_then])
def test_lies_on_examples(monkeypatch: pytest.MonkeyPatch, tamper: Any) -> None:
    _lie(monkeypatch, tamper)
    for example in EXAMPLES:
        run = pr.enumerate_regions(example.network, domain=example.space.domain(), engine="highs")
        assert (run.count, run.certified) == (example.count, True), example.name


def test_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    net = realistic_network("quantised", (2, 6, 6, 2), seed=12)
    _, honest = _searched(net, chart(pr.Box(-1, 1), 2))
    ladder = honest.ladder
    assert ladder["regions"] == ladder["cuts"] + 1 == honest.regions
    assert ladder["cells"] == 2 * ladder["cuts"] + 1
    assert ladder["highs_failed"] == 0
    assert honest.pivots > 0
    _lie(monkeypatch, _none)
    _, silent = _searched(net, chart(pr.Box(-1, 1), 2))
    assert silent.ladder["highs_failed"] > 0
    assert silent.regions == honest.regions


def test_leaving_cells_undecided_is_refused() -> None:
    net = realistic_network("integer", (2, 6, 6, 2), seed=12)
    with pytest.raises(UnsupportedError, match="rational"):
        _searched(net, chart(pr.WholeSpace(), 2), rational=False)


def test_a_certificate_that_fails_its_check_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact_cells, "verify_farkas", lambda *_: False)
    net = realistic_network("integer", (2, 6, 6, 2), seed=12)
    with pytest.raises(UncertifiedError, match="failed its own check"):
        _searched(net, chart(pr.Box(-1, 1), 2))


# ---------------------------------------------------------------------------------------------
# tasks, progress, interruption


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("budget", [1, 7, 40])
def test_tasks_of_the_first_engine_are_finished_by_the_second(kind: str, budget: int) -> None:
    net = realistic_network(kind, (2, 6, 6, 2), seed=21)
    for domain in (pr.WholeSpace(), pr.Box(-1, 1)):
        where = chart(domain, 2)
        expected, _ = _searched(net, where, "dictionary")
        begun, first = _searched(net, where, "dictionary", budget=budget)
        ended, second = _searched(net, where, tasks=first.open)
        assert sorted(begun + ended) == sorted(expected)
        assert second.certified


def test_no_task_no_region() -> None:
    net = realistic_network("integer", (2, 6, 6, 2), seed=21)
    found, result = _searched(net, chart(pr.WholeSpace(), 2), tasks=[])
    assert (found, result.regions, result.certified) == ([], 0, True)


def test_a_tied_unit_of_a_task_is_decided_with_its_partner() -> None:
    """x and -2x, x and 0·x: tied units below the task's layer follow its point."""
    net = network(layer([[1], [-2], [0]], [0, 0, 0]), layer([[1, 1, 1]], [-1]))
    decision = np.array([POSITIVE, TIED, TIED, UNDECIDED], dtype=np.int8)
    splits = np.array([1, 0, 0, 0], dtype=np.int8)
    task = Task(1, decision, splits, ((fmpq(1, 3),),))
    found, _ = _searched(net, chart(pr.WholeSpace(), 1), tasks=[task])
    assert sorted(found) == [(1, 0, 0, 0), (1, 0, 0, 1)]
    open_task = Task(0, np.array([-1, TIED, -1, -1], dtype=np.int8), 0 * splits, task.points)
    found, _ = _searched(net, chart(pr.WholeSpace(), 1), tasks=[open_task])
    assert sorted(found) == [(0, 1, 0, 0), (0, 1, 0, 1), (1, 0, 0, 0), (1, 0, 0, 1)]


def test_a_rational_point_of_a_task_gives_a_float_witness_where_there_is_one() -> None:
    net = network(layer([[1]], [0]))
    where = chart(pr.Box(-1, 1), 1)
    task = Task(
        0,
        np.array([POSITIVE], dtype=np.int8),
        np.array([1], dtype=np.int8),
        ((fmpq(1, 3),),),
    )
    batches: list[Batch] = []
    search(Problem.of(net, where), batches.append, engine="highs", tasks=[task])
    assert batches[0].witness.tolist() == [[1 / 3]]
    assert not batches[0].witness_exact


@pytest.mark.parametrize(
    ("points", "message"),
    [((), "no point at all"), (((fmpq(-1),),), r"the point \['-1'\]")],
)
def test_a_task_without_a_point_inside_is_refused(points: Any, message: str) -> None:
    net = network(layer([[1]], [0]))
    one = np.array([1], dtype=np.int8)
    with pytest.raises(ValueError, match=message):
        _searched(net, chart(pr.WholeSpace(), 1), tasks=[Task(0, one * POSITIVE, one, points)])


def test_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(highs_search, "_TICK", 0.0)
    net = realistic_network("quantised", (2, 6, 6, 2), seed=12)
    seen: list[SearchProgress] = []
    _, result = _searched(net, chart(pr.Box(-1, 1), 2), progress=seen.append)
    assert [p.regions for p in seen] == sorted(p.regions for p in seen)
    assert [p.share for p in seen] == sorted(p.share for p in seen)
    assert seen[-1].regions == result.regions
    assert seen[-1].share == 1.0  # halves of halves are exact


def test_an_interrupt_leaves_the_regions_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(highs_search, "_TICK", 0.0)
    net = realistic_network("quantised", (2, 6, 6, 2), seed=12)
    where = chart(pr.Box(-1, 1), 2)
    expected, _ = _searched(net, where)

    def stop(progress: SearchProgress) -> None:
        if progress.regions >= 10:
            raise KeyboardInterrupt

    batches: list[Batch] = []
    with pytest.raises(KeyboardInterrupt):
        search(Problem.of(net, where), batches.append, engine="highs", progress=stop)
    found = _codewords(batches, sum(net.bits))
    assert len(found) == 10
    assert set(found) < set(expected)
    with pytest.raises(EnumerationInterrupted) as stopped:
        pr.enumerate_regions(net, domain=pr.Box(-1, 1), engine="highs", progress=stop)
    run = stopped.value.run  # between two tasks: what is done stays
    assert (run.status, run.certified) == ("interrupted", False)
    assert 10 <= run.count <= len(expected)


def test_batches_are_handed_on_as_they_fill_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(highs_search, "_BATCH", 4)
    net = realistic_network("quantised", (2, 6, 6, 2), seed=12)
    batches: list[Batch] = []
    result = search(Problem.of(net, chart(pr.Box(-1, 1), 2)), batches.append, engine="highs")
    assert {len(b.codeword) for b in batches[:-1]} == {4}
    assert sum(len(b.codeword) for b in batches) == result.regions


def test_a_sink_that_fails_is_not_called_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(highs_search, "_BATCH", 4)
    net = realistic_network("quantised", (2, 6, 6, 2), seed=12)
    calls = []

    def full(batch: Batch) -> None:
        calls.append(batch)
        raise RunError("no space left on the device")

    with pytest.raises(RunError, match="no space"):
        search(Problem.of(net, chart(pr.Box(-1, 1), 2)), full, engine="highs")
    assert len(calls) == 1


# ---------------------------------------------------------------------------------------------
# points and rows


@given(st.lists(st.integers(-(2**300), 2**300), min_size=2, max_size=5))
def test_scaled_rows_are_the_integers_up_to_a_power_of_two(row: list[int]) -> None:
    approx = highs_search._scaled(tuple(row))
    assert all(abs(v) <= 1 for v in approx)
    unit = Fraction(2) ** max(v.bit_length() for v in row)
    for v, f in zip(row, approx, strict=True):
        assert abs(Fraction(f) - v / unit) <= abs(v / unit) / 2**53


def test_the_second_engine_does_without_the_first() -> None:
    code = (
        "import sys, polyrank.cells.highs_search;"
        "print([m for m in ('polyrank.cells.dictionary', 'polyrank.cells.vertices',"
        "'polyrank.lp.simplex', 'polyrank.lp.certify') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr
