"""One line of progress for every verb that can take a while: on a terminal, and only there."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import pytest
import typer

import polyrank_cli.progress as progress_module
from polyrank.cells.task import SearchProgress
from polyrank.network.formats import save
from polyrank.network.initialise import random_network
from polyrank.stages import tell, told
from polyrank_cli.main import app
from polyrank_cli.progress import progress_line, stage_line
from polyrank_cli.verbs import VERBS

#: What is asked of each verb here, and what its line is about.
CALLS: dict[str, tuple[list[str], str]] = {
    "enumerate": (["NET", "--box", "-1", "1"], "regions"),
    "count": (["NET", "--box", "-1", "1"], "regions"),
    "complex": (["NET", "--box", "-1", "1"], "of the tree"),
    "slice": (["NET", "--points", "POINTS"], "of the tree"),
    "graph": (["RUN"], "regions and their facets"),
    "low-rank": (["GRAPH"], "vertices of regions"),
    "plot": (
        ["GRAPH", "-o", "MAP.png", "--window", "-1/2", "1/2", "-1/2", "1/2"],
        "regions of the map",
    ),
    "report": (["GRAPH", "-o", "PAGE.html"], "vertices of regions"),
    "check": (["PROOF"], "rows"),
    "minrank": (["NET", "--layer", "2", "--below", "3"], "rank in ["),
    "ensemble": (["--arch", "2-3-1", "--seeds", "2"], "networks"),
    "verify": (["NET", "--lower", "-1000", "--box", "-1", "1"], "of the tree"),
    "sample": (["NET", "--normal", "10"], "points"),
    "at": (["NET", "0.25,0.5"], "regions, the nearest first"),
    "restrict": (["NET", "circle:8"], "units that divide M"),
    "homology": (["NET", "circle:8"], "homology of layers"),
    "homeomorphism": (["NET", "circle:8"], "pairs of pieces"),
    "image": (["NET", "circle:8"], "the image at layer"),
    "separate": (["NET", "concentric-circles:8"], "pairs of classes"),
    "summary": (["RUN"], "rows of the table"),
}
#: They read, convert or compute a formula.
QUICK = {"info", "convert", "bounds", "region"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    tmp_path = tmp_path_factory.mktemp("places")
    net = tmp_path / "net.json"
    save(random_network([2, 4, 3, 1], seed=5), net)
    points = tmp_path / "points.csv"
    points.write_text("0,0\n1,0\n0,1\n", encoding="utf-8")
    for name, options in (("run", []), ("graph", ["--graph"]), ("proof", ["--proof"])):
        words = ["enumerate", net, "--box", "-1", "1", "-o", tmp_path / name, "-q", *options]
        with pytest.raises(SystemExit) as left:
            app([str(word) for word in words], prog_name="polyrank")
        assert not left.value.code
    return {
        "NET": str(net), "POINTS": str(points), "RUN": str(tmp_path / "run"),
        "GRAPH": str(tmp_path / "graph"), "PROOF": str(tmp_path / "proof"),
        "MAP.png": str(tmp_path / "map.png"), "PAGE.html": str(tmp_path / "page.html"),
    }  # fmt: skip


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """The command line with stderr on a terminal, whose line comes up at once."""
    for name in ("_SECONDS_BETWEEN", "_SECONDS_BEFORE"):
        monkeypatch.setattr(progress_module, name, 0.0)

    def call(*arguments: str) -> tuple[int, str, str]:
        screen, out = Terminal(), io.StringIO()
        with monkeypatch.context() as patched, pytest.raises(SystemExit) as left:
            patched.setattr(sys, "stderr", screen)
            patched.setattr(sys, "stdout", out)
            app(list(arguments), prog_name="polyrank")
        return int(left.value.code or 0), out.getvalue(), screen.getvalue()

    return call


def spelled(verb: str, places: dict[str, str]) -> list[str]:
    return [verb, *(places.get(word, word) for word in CALLS[verb][0])]


def test_every_verb_is_here() -> None:
    assert set(CALLS) | QUICK == set(VERBS)


@pytest.mark.parametrize("verb", CALLS)
def test_a_terminal_shows_how_far_it_is(
    verb: str, places: dict[str, str], terminal: Callable[..., tuple[int, str, str]]
) -> None:
    status, out, screen = terminal(*spelled(verb, places))
    assert status in {0, 3}, screen
    assert CALLS[verb][1] in screen
    assert out
    assert "\x1b" not in out


@pytest.mark.parametrize("verb", ["enumerate", "graph", "minrank", "check", "image"])
def test_it_is_silent_when_told_so(
    verb: str, places: dict[str, str], terminal: Callable[..., tuple[int, str, str]]
) -> None:
    for option in ("-q", "--json"):
        _, _, screen = terminal(*spelled(verb, places), option)
        assert "\x1b" not in screen


def test_every_verb_that_shows_it_can_be_told_to_be_quiet() -> None:
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for verb in CALLS:
        assert "-q" in [name for p in verbs[verb].params for name in p.opts], verb


def test_a_pipe_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with stage_line(quiet=False), progress_line(quiet=False) as update:
        assert update is None
        tell("nothing", 1, 2)
    assert capsys.readouterr().err == ""


def test_what_is_left_is_estimated_from_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half done after 10 s: about 10 s left; a stage that begins anew says nothing yet."""
    now = [0.0]
    screen = Terminal()
    monkeypatch.setattr(progress_module.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(sys, "stderr", screen)
    with stage_line(quiet=False):
        for seconds, name, done in ((0, "rows", 0), (10, "rows", 5), (11, "columns", 5)):
            now[0] = float(seconds)
            tell(name, done, 10)
    shown = screen.getvalue()
    assert "50.0%" in shown
    assert "about 10 s left" in shown
    assert "left" not in shown[shown.index("columns") :]


def test_a_search_uses_the_estimate_of_its_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress_line(quiet=False) as update:
        assert update is not None
        update(SearchProgress(100, 0.5, 0, 10.0, 300.0))
    assert "about 20 s left" in screen.getvalue()


def test_items_are_counted_where_their_number_is_known() -> None:
    assert list(told("numbers", (v for v in (1, 2)), 2)) == [1, 2]
