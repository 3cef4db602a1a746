"""Few regions: enumerated instead of refuted rank by rank, with the same answers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import polyrank as pr
from polyrank.cells.task import SearchProgress
from polyrank.minrank import enumeration, minimum
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
        patch.setattr(minimum, "enumerated", lambda _: False)
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


@pytest.mark.parametrize("most", [{"_MOST": 10}, {"_TRIAL": -1.0, "_PROMISED": -1.0}])
def test_many_regions_are_left_to_the_search(
    most: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in most.items():
        monkeypatch.setattr(enumeration, name, value)
    search, looks = enumeration.search, []

    def watched(*arguments: Any, progress: Any, **options: Any) -> Any:
        progress(SearchProgress(0, 0.0, 0, 0.0))  # as after a while
        looks.append(None)
        return search(*arguments, progress=progress, **options)

    monkeypatch.setattr(enumeration, "search", watched)
    net = random_network("3-9-9", seed=0)
    found = minimum_rank(net, BOX, layer=2, below=2)
    assert found.enumerated is None
    assert len(looks) == ("_MOST" in most)
    assert answer(found) == answer(by_search(net, layer=2, below=2))


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
