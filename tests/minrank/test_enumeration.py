"""Few regions: enumerated instead of refuted rank by rank, with the same answers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import polyrank as pr
from polyrank.cells.task import SearchProgress
from polyrank.minrank import enumeration, layers_below, minimum
from polyrank.minrank.kept import RESULT_NAME
from polyrank.minrank.minimum import MinimumRankInterrupted, minimum_rank
from polyrank.network.initialise import random_network
from tests.examples import EXAMPLES, Example
from tests.minrank.agreement import agrees, through, truth

BOX = pr.Box(-5, 5)


@pytest.fixture(autouse=True, scope="module")
def searched() -> Iterator[None]:
    """What the room's other tests leave out is here, however slow the machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(enumeration, "_TRIAL", math.inf)
        yield


def by_search(net: pr.Network, **options: Any) -> Any:
    """The answer of the search below layer K."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minimum, "enumerated", lambda *_: False)
        return minimum_rank(net, BOX, **options)


def answer(found: Any) -> Any:
    listed = {(tuple(r.codeword.tolist()), r.rank) for r in found.regions}
    return found.lower, found.best.rank, found.complete, listed


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_examples(example: Example) -> None:
    for k in range(2, len(example.network.layers) + 1):
        # the last list is of all regions: it is not settled before they are enumerated
        regions = truth(through(example.network, k), example.space)
        assert agrees(example.network, example.space, k).enumerated == len(regions)


@pytest.mark.parametrize("widths", ["2-9-8", "4-8-8", "3-5-6-5", "2-25-25"])
def test_the_search_has_the_same_answer(widths: str) -> None:
    net = random_network(widths, seed=1)
    layer = len(net.layers)
    run = pr.enumerate_regions(net, BOX)
    found = minimum_rank(net, BOX, layer=layer)
    assert found.certified
    assert found.lower == min(run.rank_histogram(layer))
    below = found.lower + 1
    listed = minimum_rank(net, BOX, layer=layer, below=below)
    assert listed.enumerated == run.count
    assert answer(listed) == answer(by_search(net, layer=layer, below=below))
    assert listed.summary()["enumerated"] == run.count


def test_one_layer_is_searched() -> None:
    assert minimum_rank(random_network("2-9", seed=0), BOX, below=3).enumerated is None


def test_many_regions_are_left_to_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enumeration, "_TRIAL", -1.0)
    monkeypatch.setattr(minimum, "_PROMISED", -1.0)
    search, looks = enumeration.search, []

    def watched(*arguments: Any, progress: Any, **options: Any) -> Any:
        looks.append(None)
        progress(SearchProgress(0, 0.0, 0, 0.0))  # as after a while
        return search(*arguments, progress=progress, **options)

    monkeypatch.setattr(enumeration, "search", watched)
    net = random_network("3-9-9", seed=0)
    found = minimum_rank(net, BOX, layer=2, below=2)
    assert found.enumerated is None
    assert len(looks) == 1
    assert answer(found) == answer(by_search(net, layer=2, below=2))


def given_up(times: int) -> Callable[..., bool]:
    """An enumeration that is given up so many times."""
    left = times

    def tried(state: Any, allowed: float) -> bool:
        nonlocal left
        left -= 1
        return left < 0 and enumeration.enumerated(state, allowed)

    return tried


@pytest.mark.parametrize("below", [3, 4])
def test_a_search_that_takes_longer_gives_way(below: int, monkeypatch: pytest.MonkeyPatch) -> None:
    net = random_network("3-9-9", seed=0)
    searched = by_search(net, layer=2, below=below)
    monkeypatch.setattr(minimum, "_TURN", 0.0)
    monkeypatch.setattr(minimum, "enumerated", given_up(2))
    found = minimum_rank(net, BOX, layer=2, below=below)
    assert found.enumerated == pr.enumerate_regions(net, BOX).count
    assert answer(found) == answer(searched)


def test_a_search_that_goes_on_where_it_gave_way(monkeypatch: pytest.MonkeyPatch) -> None:
    net = random_network("3-9-9", seed=0)
    monkeypatch.setattr(minimum, "_TURN", 0.002)
    monkeypatch.setattr(minimum, "_LONGER", 1.5)
    monkeypatch.setattr(minimum, "enumerated", given_up(1000))
    found = minimum_rank(net, BOX, layer=2, below=3)
    assert found.enumerated is None
    assert answer(found) == answer(by_search(net, layer=2, below=3))


def test_a_cell_that_is_not_decided_leaves_it_to_the_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = enumeration.search
    monkeypatch.setattr(
        enumeration, "search", lambda *a, **o: replace(search(*a, **o), certified=False)
    )
    net = random_network("3-6-6", seed=2)
    found = minimum_rank(net, BOX, layer=2, below=3)
    assert found.enumerated is None
    assert answer(found) == answer(by_search(net, layer=2, below=3))


def test_a_list_that_is_cut_off_says_so() -> None:
    net = random_network("2-9-8", seed=0)
    run = pr.enumerate_regions(net, BOX)
    found = minimum_rank(net, BOX, layer=2, below=3, limit=2)
    assert (found.exact, found.complete, len(found.regions)) == (True, False, 2)
    assert found.lower == run.min_rank[1]
    assert found.enumerated == run.count


def test_no_time_at_all() -> None:
    found = minimum_rank(random_network("3-9-9", seed=0), BOX, layer=2, below=2, seconds=0.0)
    assert not found.certified
    assert found.enumerated is None


def test_ctrl_c_and_what_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net, where = random_network("3-9-9", seed=0), tmp_path / "work"
    asked: dict[str, Any] = {"layer": 2, "below": 4}
    whole = minimum_rank(net, BOX, **asked)
    assert whole.enumerated
    settled, seen = enumeration.settled, []

    def pressed(*arguments: Any) -> Any:
        seen.append(None)
        if len(seen) == 1:
            raise KeyboardInterrupt
        return settled(*arguments)

    monkeypatch.setattr(enumeration, "settled", pressed)
    with pytest.raises(MinimumRankInterrupted) as stopped:
        minimum_rank(net, BOX, **asked, keep=where)
    assert not stopped.value.found.certified
    found = minimum_rank(net, BOX, **asked, keep=where, resume=True)
    assert answer(found) == answer(whole)
    assert json.loads((where / RESULT_NAME).read_text())["enumerated"] == whole.enumerated
    again = minimum_rank(net, BOX, **asked, keep=where, resume=True)
    assert answer(again) == answer(whole)
    assert again.enumerated == whole.enumerated


def test_a_search_that_was_left_is_enumerated_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, where = random_network("3-9-9", seed=0), tmp_path / "work"
    asked: dict[str, Any] = {"layer": 2, "below": 4}
    whole = minimum_rank(net, BOX, **asked)
    visit = layers_below.LayersBelow._visit

    def pressed(*arguments: Any) -> None:
        visit(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(minimum, "enumerated", given_up(1))
    monkeypatch.setattr(layers_below.LayersBelow, "_visit", pressed)
    with pytest.raises(MinimumRankInterrupted):
        minimum_rank(net, BOX, **asked, keep=where)
    monkeypatch.setattr(layers_below.LayersBelow, "_visit", visit)
    monkeypatch.setattr(minimum, "_TURN", 0.0)
    found = minimum_rank(net, BOX, **asked, keep=where, resume=True)
    assert answer(found) == answer(whole)
    assert found.enumerated == whole.enumerated
