"""Estimates against exact counts, bounds that are never false, and requests that cannot end."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import polyrank as pr
from polyrank.cells.probes import probe
from polyrank.cells.task import SearchProgress
from polyrank.posed.problem import Problem
from polyrank.regions import enumerate as module
from polyrank.regions.foresight import Foresight, foresee
from polyrank.regions.limits import LimitReached
from polyrank.regions.plan import Plan
from tests.examples import EXAMPLES
from tests.families import FAMILIES


def _random(seed: int, *widths: int) -> pr.Network:
    rng = np.random.default_rng(seed)
    pairs = list(pairwise(widths))
    return pr.Network.from_arrays(
        [rng.normal(size=(m, n)) for n, m in pairs], [rng.normal(size=m) for _, m in pairs]
    )


def _covered(seeds: range, wider: int, seconds: float) -> float:
    """Share of random networks whose exact count lies in the 95 % interval."""
    inside = 0
    for seed in seeds:
        dim = 2 + seed % 4
        net = _random(seed, dim, 6 + seed % 7 + wider, 4 + seed % 3 + wider, 1)
        domain = pr.Box(-2, 2) if seed % 2 else pr.WholeSpace()
        problem = Problem.on(net, domain)
        guess = probe(problem, seconds=seconds, seed=seed)
        assert guess.low <= guess.high
        count = pr.count_regions(net, domain, cross_check=False).regions
        inside += guess.low <= count <= guess.high
    return inside / len(seeds)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(("wider", "seconds"), [(0, 2.0), (4, 0.3)])
def test_intervals_of_200_networks_hold_the_truth(wider: int, seconds: float) -> None:
    """Small ones, of which walks see much, and larger ones that are sampled throughout."""
    assert _covered(range(200), wider, seconds) >= 0.9


def test_probes_are_unbiased(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean of many short walks is the count: 332 threshold graphs of 5 nodes (OEIS A005840)."""
    import random

    from polyrank.cells import probes
    from polyrank.cells.dictionary_search import DictionarySearch
    from polyrank.cells.engine import Options

    net = FAMILIES["threshold_graphs"].build(5).network()
    search = DictionarySearch(Problem.on(net, pr.WholeSpace()), lambda _: None, Options(jobs=1))
    dice = random.Random(0)
    found = [probes._walk(search, 3, dice, lambda: False)[0] for _ in range(150)]
    error = float(np.std(found)) / math.sqrt(len(found))
    assert abs(np.mean(found) - 332) < 4 * error
    # where a stratum is never too large, a walk visits all cells
    assert probes._walk(search, 10**6, dice, lambda: False) == (332.0, True)


def test_a_walk_that_is_cut_off_has_met_less() -> None:
    net = FAMILIES["resonance"].build(6).network()
    guess = probe(Problem.on(net, pr.WholeSpace()), seconds=0.0)
    assert not guess.whole
    assert guess.high == math.inf
    assert guess.low == guess.regions


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_bounds_are_never_false(example: Any) -> None:
    found = pr.estimate_run(example.network, example.space.domain(), seconds=0.0)
    assert found.at_least <= example.count <= found.at_most
    assert found.regions is None
    if example.count < 1000:
        found = pr.estimate_run(example.network, example.space.domain(), seconds=2.0)
        assert (found.regions, found.low, found.high) == (example.count,) * 3


def test_bounds_of_families() -> None:
    for family in FAMILIES.values():
        for n, count in family.regions.items():
            found = pr.estimate_run(family.build(n).network(), seconds=0.0)
            assert found.at_least <= count <= found.at_most


def test_an_estimate_and_its_summary() -> None:
    net = FAMILIES["threshold_functions"].build(5).network()
    found = pr.estimate_run(net, seconds=3.0, jobs=2)
    assert found.whole
    assert found.low is not None
    assert found.high is not None
    assert found.low < 94572 * 4
    assert found.high > 94572 / 4
    shown = found.summary()
    assert shown["proved"]["at_most"] >= 94572
    assert shown["estimate"]["seconds"] > 0
    assert shown["estimate"]["disk"] > 94572
    assert not shown["endless"]


WIDE = pr.Network.from_arrays(
    [np.random.default_rng(0).normal(size=(60, 50)), np.ones((1, 60))],
    [np.zeros(60) + 0.5, [0.0]],
)


def test_a_request_that_cannot_end(tmp_path: Any) -> None:
    found = pr.estimate_run(WIDE)
    assert (found.at_least, found.endless, found.regions) == (2**50, True, None)

    def refuses(foresight: Foresight) -> None:
        assert foresight.endless
        raise LimitReached("what was asked")

    with pytest.raises(pr.RunError, match="nothing was begun: it is beyond what was asked"):
        pr.enumerate_regions(WIDE, out=tmp_path / "run", foresight=refuses)
    assert not (tmp_path / "run").exists()


def test_a_long_run_is_told_what_is_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FORESIGHT_SECONDS", 0.0)
    told: list[Foresight] = []
    seen: list[SearchProgress] = []

    def stops(foresight: Foresight) -> None:
        told.append(foresight)
        raise LimitReached("what was foreseen")

    net = _random(0, 8, 60, 1)
    run = pr.enumerate_regions(net, foresight=stops, progress=seen.append)
    assert (run.status, run.manifest["limit"]) == ("stopped", "what was foreseen")
    assert len(told) == 1
    assert told[0].regions is not None


def test_plans_that_measure_nothing() -> None:
    net = pr.Network.from_arrays([np.zeros((2, 2))], [[0.0, 0.0]], output_relu=True)
    plan = Plan(net, Problem.on(net, pr.WholeSpace()).chart, 1, "dictionary", keep="nothing")
    found = foresee(plan, jobs=1, seconds=1.0)
    assert (found.at_least, found.regions, found.disk) == (1, 1, None)
