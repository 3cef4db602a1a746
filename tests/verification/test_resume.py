"""Verifications that die and go on: one verdict, one proof."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.cells.ordered_work import Done, OrderedWork
from polyrank.errors import RunError
from polyrank.polyhedra.violation import OutputRow, Question, Specification, specification_of
from polyrank.proof.verdict import check_verdict
from polyrank.regions.journal import JOURNAL_NAME
from polyrank.verification import question as question_module
from polyrank.verification.kept import Hole, Stretch, TreeDiary, open_tasks
from polyrank.verification.properties import output_bounds
from polyrank.verification.verify import VerificationInterrupted
from tests.killed import killed_again_and_again

#: Inputs, hidden widths, an upper bound that holds and takes some boxes.
CASES = {"boxes": (3, [8, 8], 0), "units": (20, [8, 7], 1)}


def drawn(d: int, hidden: list[int], seed: int) -> pr.Network:
    rng = np.random.default_rng(seed)
    widths = [d, *hidden, 1]
    weights = [rng.normal(size=(m, n)) for n, m in pairwise(widths)]
    return pr.Network.from_arrays(weights, [rng.normal(size=m) for m in widths[1:]])


def asked(case: str) -> tuple[pr.Network, Specification]:
    """A bound a little above the greatest output that a search by halves of intervals finds."""
    d, hidden, seed = CASES[case]
    network = drawn(d, hidden, seed)
    low, high = -100.0, 100.0
    while high - low > 0.02:
        middle = (low + high) / 2
        found = pr.verify(network, output_bounds(network, pr.Box(-1, 1), upper=middle), jobs=1)
        low, high = (low, middle) if found.verdict == "holds" else (middle, high)
    return network, output_bounds(network, pr.Box(-1, 1), upper=high)


@pytest.fixture(scope="module", params=CASES)
def case(request) -> tuple[pr.Network, Specification]:
    return asked(request.param)


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A verification that is interrupted before its first box."""

    def leaves(*arguments: Any, **named: Any) -> None:
        def stops(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("polyrank.verification.verify.answer", stops)
            with pytest.raises(VerificationInterrupted) as found:
                pr.verify(*arguments, **named)
        assert found.value.found.verdict == "unknown"

    return leaves


@pytest.fixture
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call of the core works on few cells, so that there is something to stop between."""

    class Short:
        steps = 3

        def __init__(self, **_: object) -> None:
            pass

        def measured(self, *_: object) -> None:
            pass

    monkeypatch.setattr(question_module, "Slices", Short)
    monkeypatch.setattr(question_module, "_ALONE_SECONDS", 0.0)


@pytest.fixture
def presses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ctrl-C or SIGTERM after an entry of the journal, with some probability."""
    keep, dice, count = TreeDiary.keep, random.Random(1), [0]
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    def keeps(self: TreeDiary, *arguments: object, **named: object) -> None:
        keep(self, *arguments, **named)
        if count[0] < 8 and dice.random() < 0.3:
            count[0] += 1
            signal.raise_signal(dice.choice([signal.SIGINT, signal.SIGTERM]))

    monkeypatch.setattr(TreeDiary, "keep", keeps)
    return count


@pytest.mark.usefixtures("short_slices")
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupted_verification_goes_on(case, presses, jobs, tmp_path):
    network, property_ = case
    presses[0] = 8
    whole = pr.verify(network, property_, out=tmp_path / "whole", proof=True, jobs=1)
    assert whole.verdict == "holds"
    presses[0] = 0
    out, times, found = tmp_path / "run", 0, None
    while found is None:
        try:
            found = pr.verify(
                network, property_, out=out, proof=True, jobs=jobs,
                resume=times > 0, keep_seconds=0,
            )  # fmt: skip
        except VerificationInterrupted:
            times += 1
            assert check_verdict(out).doubt == "the verdict is unknown"
    assert times
    assert (found.verdict, found.boxes) == ("holds", whole.boxes)
    assert check_verdict(out).verdict == "holds"
    for name in ("tree-0.bin.zst", "exact-0.jsonl.zst"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not (out / "unfinished").exists()
    with pytest.raises(RunError, match="has its verdict"):
        pr.verify(network, property_, out=out, proof=True, resume=True)


@pytest.mark.usefixtures("short_slices")
def test_a_time_limit_is_no_end(case, tmp_path):
    network, property_ = case
    out, found, times = tmp_path / "run", None, 0
    while found is None or found.verdict == "unknown":
        found = pr.verify(
            network, property_, out=out, resume=times > 0, seconds=0.002 * 1.3**times, jobs=2
        )
        times += 1
    assert found.verdict == "holds"


def test_another_question_is_refused(left, tmp_path):
    network, box = drawn(3, [8, 8], 0), pr.Box(-1, 1)
    property_ = output_bounds(network, box, upper=50)
    out = tmp_path / "run"
    left(network, property_, out=out)
    for other, options in (
        (output_bounds(network, box, upper=51), {}),
        (output_bounds(network, pr.Box(-1, 2), upper=50), {}),
        (property_, {"proof": True}),
        (property_, {"domain": pr.Box(0, 1)}),
    ):
        with pytest.raises(RunError, match="about another question"):
            pr.verify(network, other, out=out, resume=True, **options)
    with pytest.raises(RunError, match="about another question"):
        pr.verify(drawn(3, [8, 8], 5), property_, out=out, resume=True)
    with pytest.raises(RunError, match="exists"):
        pr.verify(network, property_, out=out)
    with pytest.raises(RunError, match="without a directory"):
        pr.verify(network, property_, resume=True)
    with pytest.raises(RunError, match="nothing to resume"):
        pr.verify(network, property_, out=tmp_path / "none", resume=True)
    assert pr.verify(network, property_, out=out, resume=True).verdict == "holds"


@pytest.mark.usefixtures("short_slices")
def test_questions_that_are_answered_are_not_asked_again(case, tmp_path, monkeypatch):
    network, property_ = case
    (one,) = property_.questions
    d = network.input_dim
    both = specification_of("both", d, 1, (one, Question(pr.Box(-1, "1/2"), one.disjuncts), one))
    out, calls = tmp_path / "run", []
    answer = question_module.answer

    def stops(*arguments, **named):
        calls.append(arguments[2])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return answer(*arguments, **named)

    monkeypatch.setattr("polyrank.verification.verify.answer", stops)
    with pytest.raises(VerificationInterrupted):
        pr.verify(network, both, out=out, proof=True, jobs=1)
    assert pr.verify(network, both, out=out, proof=True, jobs=1, resume=True).verdict == "holds"
    assert len(calls) == 4  # the third question, again
    assert check_verdict(out).questions == 3


def test_what_is_kept_is_checked(left, tmp_path):
    network = drawn(3, [8, 8], 0)
    property_ = output_bounds(network, pr.Box(-1, 1), upper=1)
    out = tmp_path / "run"
    left(network, property_, out=out)
    journal = out / "unfinished" / JOURNAL_NAME
    journal.write_bytes(journal.read_bytes().replace(b"question", b"questiom", 1))
    with pytest.raises(RunError, match="damaged"):
        pr.verify(network, property_, out=out, resume=True)


def test_stretches_that_are_no_tree_are_refused(monkeypatch):
    network = drawn(2, [3], 0)
    cores = []

    class Noted(question_module.Bisection):
        def __init__(self, *arguments, **named):
            super().__init__(*arguments, **named)
            cores.append(self)

    monkeypatch.setattr(question_module, "Bisection", Noted)
    pr.verify(network, output_bounds(network, pr.Box(-1, 1), upper=9), jobs=1)
    core = cores[-1]
    root = (-np.ones(2), np.ones(2))
    split = (2).to_bytes(2, "little")
    for pieces, says in (
        ([Stretch(split)], "has no end"),
        ([Stretch(split), Hole(), Hole(), Hole()], "behind its end"),
        ([Stretch(split), Hole(), Stretch(split[:1]), Hole()], "damaged|behind|no end"),
        ([Stretch(b"\0\0"), Hole()], "damaged|behind"),
        ([Stretch(split), Hole(), Hole()], "is not the tree"),
    ):
        with pytest.raises(RunError, match=says):
            open_tasks(core, root, pieces, [1])


def test_parts_that_are_done_come_in_their_place():
    class Doubles:
        def work(self, task, share):
            share.found([2 * task])

    out: list[int] = []
    work: OrderedWork[int, int] = OrderedWork([Done([1, 2]), 5, Done([7]), 8])
    states = [node.state for node in work.standing()]
    assert states == ["done", "done", "waits", "done", "waits"]
    work.run([Doubles(), Doubles()], out.append, lambda: None)
    assert out == [1, 2, 10, 7, 16]


KILLED = """
import sys, signal
from pathlib import Path
import polyrank as pr
from polyrank.verification import question
from tests.verification.test_resume import asked
signal.signal(signal.SIGTERM, signal.default_int_handler)
network, property_ = asked(sys.argv[2])
class Short:
    steps = 2
    def __init__(self, **_): pass
    def measured(self, *_): pass
question.Slices, question._ALONE_SECONDS = Short, 0.0
out = Path(sys.argv[1])
print("ready", flush=True)
begun = (out / "unfinished" / "journal.jsonl").exists()
if begun or not (out / "verdict.json").exists():
    import shutil
    if not begun:
        shutil.rmtree(out, ignore_errors=True)
    pr.verify(network, property_, out=out, proof=True, jobs=2, resume=begun, keep_seconds=0)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_killed_at_random_moments(name, tmp_path):
    network, property_ = asked(name)
    pr.verify(network, property_, out=tmp_path / "whole", proof=True, jobs=1)
    out = tmp_path / "run"
    met = killed_again_and_again(KILLED, [out, name], kills=25, ready="ready", longest=0.03)
    assert met > 3
    assert json.loads((out / "verdict.json").read_text())["verdict"] == "holds"
    assert check_verdict(out).verdict == "holds"
    for file in ("tree-0.bin.zst", "exact-0.jsonl.zst"):
        assert (out / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_a_violation_is_found_after_an_interruption(left, tmp_path):
    network = drawn(3, [8, 8], 0)
    rows = ((OutputRow(((0, fmpq(-1)),), fmpq(-1)),),)
    property_ = specification_of("y < 1", 3, 1, (Question(pr.Box(-1, 1), rows),))
    out = tmp_path / "run"
    left(network, property_, out=out)
    assert pr.verify(network, property_, out=out, resume=True).verdict == "violated"
    assert check_verdict(out).verdict == "violated"
