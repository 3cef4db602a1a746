"""Searches for the least and the greatest rank that die and go on: one answer."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polyrank.errors import RunError
from polyrank.minrank.hitting import FlatSearch
from polyrank.minrank.kept import RESULT_NAME, Diary
from polyrank.minrank.maximum import maximum_rank
from polyrank.minrank.minimum import MinimumRankInterrupted, minimum_rank
from polyrank.minrank.result import MaximumRank, MinimumRank
from polyrank.network.initialise import random_network
from polyrank.regions.journal import JOURNAL_NAME
from tests.killed import killed_again_and_again
from tests.minrank.agreement import random_layer

#: Widths, seed, layer, list below.
LEAST = {
    "one layer": ([5, 10, 1], 3, 1, 4),
    "two layers": ([3, 6, 5, 1], 2, 2, 3),
    "three layers": ([2, 5, 4, 3, 1], 2, 3, 2),
}
GREATEST = {"one layer": ([3, 9, 1], 3, 1), "three layers": ([3, 8, 6, 5, 1], 2, 3)}


def proved(found: MinimumRank | MaximumRank | dict[str, Any]) -> dict[str, Any]:
    """What is proved, without the counters and the points that show it."""
    shown = found if isinstance(found, dict) else found.summary()
    regions = {r["codeword"]: r["rank"] for r in shown.get("regions", [])}
    names = ("lower", "upper", "certified", "complete")
    return {"regions": regions, **{name: shown.get(name) for name in names}}


@pytest.fixture
def pressed(monkeypatch: pytest.MonkeyPatch) -> Callable[[float, int], None]:
    """Presses Ctrl-C after an entry of the journal, with some probability."""

    def often(chance: float, most: int) -> None:
        keep, dice, presses = Diary.keep, random.Random(0), [0]

        def keeps(self: Diary, *arguments: Any, **named: Any) -> None:
            keep(self, *arguments, **named)
            if self._work is not None and presses[0] < most and dice.random() < chance:
                presses[0] += 1
                signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(Diary, "keep", keeps)

    return often


@pytest.mark.parametrize("case", LEAST)
def test_the_least_rank_goes_on(
    tmp_path: Path, pressed: Callable[[float, int], None], case: str
) -> None:
    widths, seed, layer, below = LEAST[case]
    net, where = random_network(widths, seed=seed), tmp_path / "work"
    asked: dict[str, Any] = {"layer": layer, "below": below}
    whole = minimum_rank(net, **asked)
    assert whole.complete
    pressed(0.3, 6)
    found, times = None, 0
    while found is None:
        try:
            found = minimum_rank(net, **asked, keep=where, resume=times > 0, keep_seconds=0)
        except KeyboardInterrupt:
            times += 1
    assert times
    assert proved(found) == proved(whole)
    assert proved(json.loads((where / RESULT_NAME).read_text())) == proved(whole)
    again = minimum_rank(net, **asked, keep=where, resume=True)
    assert proved(again) == proved(whole)
    assert again.cells == found.cells  # nothing was searched twice
    assert again.programs == found.programs


@pytest.mark.parametrize("case", GREATEST)
def test_the_greatest_rank_goes_on(
    tmp_path: Path, pressed: Callable[[float, int], None], case: str
) -> None:
    widths, seed, layer = GREATEST[case]
    net, where = random_network(widths, seed=seed), tmp_path / "work"
    whole = maximum_rank(net, layer=layer)
    pressed(0.2, 5)
    found, times = None, 0
    while found is None:
        try:
            found = maximum_rank(net, layer=layer, keep=where, resume=times > 0, keep_seconds=0)
        except KeyboardInterrupt:
            times += 1
    assert proved(found) == proved(whole)
    assert proved(maximum_rank(net, layer=layer, keep=where, resume=True)) == proved(whole)


def test_what_is_proved_is_not_proved_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Covers of an interrupted search are known to the next one: it solves no program for them."""
    net, where = random_layer(6, 30, 1), tmp_path / "work"
    whole = minimum_rank(net, milp=False)
    half = whole.programs // 2
    assert half > 5
    between, calls = FlatSearch._settle, [0]

    def settles(self: FlatSearch, flats: Any, banned: Any) -> Any:
        calls[0] += 1
        if calls[0] == half:
            raise KeyboardInterrupt
        return between(self, flats, banned)

    monkeypatch.setattr(FlatSearch, "_settle", settles)
    with pytest.raises(MinimumRankInterrupted) as left:
        minimum_rank(net, milp=False, keep=where, keep_seconds=0)
    assert left.value.found.programs < half
    found = minimum_rank(net, milp=False, keep=where, resume=True, keep_seconds=0)
    assert proved(found) == proved(whole)
    assert calls[0] <= whole.programs + 2  # those of the flat that was worked on, again
    covers = [f for line in entries(where) for f in line["facts"] if f[0] == "cover"]
    assert len({tuple(sorted(cover)) for _, cover in covers}) == len(covers)


def entries(where: Path) -> list[dict[str, Any]]:
    lines = (where / JOURNAL_NAME).read_text(encoding="utf-8").splitlines()
    return [json.loads(line.partition(" ")[2]) for line in lines[1:]]


def test_there_is_nothing_to_resume_without_a_directory() -> None:
    with pytest.raises(RunError, match="nothing to resume without a directory"):
        minimum_rank(random_network([2, 3, 1], seed=0), resume=True)


_SCRIPT = """
import json, sys
from pathlib import Path
from polyrank.minrank.minimum import minimum_rank
from polyrank.network.initialise import random_network
where, widths, seed, layer, below = Path(sys.argv[1]), *json.loads(sys.argv[2])
net = random_network(widths, seed=seed)
print("ready", flush=True)
resume = (where / "journal.jsonl").exists()
minimum_rank(net, layer=layer, below=below, keep=where, resume=resume, keep_seconds=0)
"""


@pytest.mark.parametrize(
    ("case", "kills"),
    [("two layers", 2), *(pytest.param(c, 50, marks=pytest.mark.slow) for c in LEAST)],
)
def test_a_search_that_is_killed_again_and_again(tmp_path: Path, case: str, kills: int) -> None:
    widths, seed, layer, below = LEAST[case]
    whole = minimum_rank(random_network(widths, seed=seed), layer=layer, below=below)
    arguments = [tmp_path / "work", json.dumps(LEAST[case])]
    assert killed_again_and_again(_SCRIPT, arguments, kills=kills, ready="ready", longest=0.1)
    found = json.loads((tmp_path / "work" / RESULT_NAME).read_text(encoding="utf-8"))
    assert proved(found) == proved(whole)
