"""``count_regions``: published numbers, both methods, limits, and what is kept: nothing."""

from __future__ import annotations

import signal
import time
from typing import Any

import numpy as np
import pytest

import polyrank as pr
from polyrank.cells.task import SearchProgress
from polyrank.errors import RefutedError
from polyrank.regions import count as module
from polyrank.regions.limits import LimitReached, Limits
from tests.families import FAMILIES, GRAPHS, graphical, sawtooth

FEW = {
    f"{name} {n}": (family.build(n).network(output=deep), count)
    for deep in (False, True)
    for name, family in FAMILIES.items()
    for n, count in family.regions.items()
    if count < 20_000
}


@pytest.mark.parametrize("name", FEW)
def test_published_numbers(name: str) -> None:
    network, published = FEW[name]
    found = pr.count_regions(network, jobs=2)
    assert (found.regions, found.at_most, found.certified) == (published, published, True)
    assert found.second == published
    assert found.rank_histogram is not None
    assert {sum(h.values()) for h in found.rank_histogram} == {published}
    half = pr.count_regions(network, ranks=False, jobs=1)
    assert (half.regions, half.certified, half.second) == (published, True, published)
    assert half.halved == (
        name.split(maxsplit=1)[0] not in {"shi", "catalan", "linial", "semiorder"}
    )
    assert found.halved == half.halved
    assert half.rank_histogram is None


def test_central_arrangements_of_graphs() -> None:
    for n, edges, count in GRAPHS.values():
        found = pr.count_regions(graphical(n, edges).network(), ranks=False)
        assert (found.regions, found.halved) == (count, True)


@pytest.mark.parametrize("engine", ["dictionary", "vertices", "highs"])
def test_the_same_ranks_as_a_list(engine: Any) -> None:
    rng = np.random.default_rng(3)
    net = pr.Network.from_arrays(
        [rng.normal(size=(8, 2)), rng.normal(size=(6, 8)), rng.normal(size=(1, 6))],
        [rng.normal(size=8), rng.normal(size=6), [0.0]],
    )
    for domain in (pr.Box(-1, 1), pr.WholeSpace()):
        for layer in (1, 2, 3):
            run = pr.enumerate_regions(net, domain, through_layer=layer)
            found = pr.count_regions(net, domain, through_layer=layer, engine=engine)
            assert (found.regions, found.certified) == (run.count, True)
            assert found.rank_histogram == tuple(run.rank_histogram(k) for k in range(1, layer + 1))
            assert (found.second is not None) == (layer == 1 and domain == pr.WholeSpace())


def test_domains_of_dimension_zero_and_one() -> None:
    net = sawtooth(4)
    assert pr.count_regions(net, pr.Box(0, 1)).regions == 16
    assert pr.count_regions(net).regions == 18
    assert pr.count_regions(net, pr.Box([0.25], [0.25])).regions == 1


def test_symmetry_needs_a_hyperplane_through_zero() -> None:
    """Zero rows, multiples of one row, units without hyperplane: 2 regions."""
    net = pr.Network.from_arrays(
        [[[0.0, 0.0], [1.0, -1.0], [-2.0, 2.0], [3.0, -3.0]]], [[0.0] * 4], output_relu=True
    )
    found = pr.count_regions(net, ranks=False)
    assert (found.regions, found.halved, found.second) == (2, True, 2)
    none = pr.Network.from_arrays([np.zeros((2, 2))], [[0.0, 0.0]], output_relu=True)
    assert (pr.count_regions(none, ranks=False).regions, pr.count_regions(none).second) == (1, 1)
    for domain in (pr.Box(-1, 1), pr.Slice([1, 0], [[1], [1]], None)):
        assert not pr.count_regions(net, domain, ranks=False).halved


def test_two_methods_that_disagree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "arrangement_regions", lambda planes, dim: 5)
    net = FAMILIES["braid"].build(3).network()
    with pytest.raises(RefutedError, match="found 6 regions, deletion and restriction 5"):
        pr.count_regions(net)
    assert pr.count_regions(net, cross_check=False).second is None


def test_no_time_for_the_second_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CROSS_CHECK_SECONDS", 0.0)
    assert pr.count_regions(FAMILIES["resonance"].build(4).network()).second is None


def _large() -> pr.Network:
    rng = np.random.default_rng(0)
    return pr.Network.from_arrays(
        [rng.normal(size=(60, 8))], [rng.normal(size=60)], output_relu=True
    )


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        (Limits(seconds=0.3), "the limit of 0.3 s"),
        (Limits(regions=1000), "the limit of 1,000 regions"),
        (Limits(memory=1), "the limit of 1 bytes in memory"),
    ],
)
def test_limits_give_bounds(limits: Limits, named: str) -> None:
    found = pr.count_regions(_large(), limits=limits, jobs=2)
    assert (found.status, found.limit, found.certified) == ("stopped", named, False)
    # 60 hyperplanes in general position in R^8: Zaslavsky's number is between the bounds
    from math import comb

    assert found.regions <= sum(comb(60, j) for j in range(9)) <= found.at_most
    assert found.open > 0
    if limits.regions is not None:
        assert found.regions >= limits.regions


def test_an_interrupt_gives_bounds() -> None:
    pressed = False

    def press(state: SearchProgress) -> None:
        nonlocal pressed
        if not pressed and state.regions > 100:
            pressed = True
            signal.raise_signal(signal.SIGINT)

    found = pr.count_regions(_large(), progress=press)
    assert (found.status, found.certified) == ("interrupted", False)
    assert 100 < found.regions < found.at_most


def test_limits_are_positive() -> None:
    for bad in ({"regions": -1}, {"memory": 0}, {"disk": 0}):
        with pytest.raises(ValueError, match="expected more than 0"):
            Limits(**bad)  # type: ignore[arg-type]
    for seconds in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="expected 0 or more"):
            Limits(seconds=seconds)
    with pytest.raises(LimitReached, match="the limit of 0 s"):
        Limits(seconds=0).look(begun=time.perf_counter(), regions=0)
    Limits().look(begun=0.0, regions=10**12)
    with pytest.raises(LimitReached, match="the limit of 2 MB on disk"):
        Limits(disk=2 << 20).look(begun=0.0, regions=0, written=2 << 20)
