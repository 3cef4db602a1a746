"""``polyrank check`` accepts verdicts, and rejects what is changed in them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from flint import fmpq, fmpq_mat

import polyrank as pr
from polyrank.errors import RunError, UncertifiedError
from polyrank.polyhedra.violation import (
    OutputRow,
    Question,
    specification_from_dict,
    specification_of,
    violates,
    violation_of,
)
from polyrank.polyhedra.vnnlib import parse_vnnlib
from polyrank.proof.format import NotDecidedError, ProofRejectedError
from polyrank.proof.tree import MAGIC
from polyrank.proof.verdict import check_verdict
from polyrank.verification.exact_cell import ExactQuestion
from polyrank.verification.properties import output_bounds


@pytest.fixture(scope="module")
def deep() -> pr.Network:
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=s) for s in ((8, 2), (8, 8), (2, 8))]
    return pr.Network.from_arrays(weights, [rng.normal(size=len(w)) for w in weights])


def _read(file: Path) -> bytes:
    with pa.CompressedInputStream(pa.OSFile(str(file)), "zstd") as stream:
        return stream.read()


def _write(file: Path, data: bytes) -> None:
    with pa.CompressedOutputStream(pa.OSFile(str(file), "wb"), "zstd") as stream:
        stream.write(data)


def _restate(run: Path, change) -> None:
    stated = json.loads((run / "verdict.json").read_text())
    change(stated)
    (run / "verdict.json").write_text(json.dumps(stated))


DOMAINS = [
    pr.Box(-1, 1),
    pr.Box([-1, "1/3"], [1, "1/3"]),
    pr.Box(["1/3", "1/7"], ["1/3", "1/7"]),
    pr.Polytope([[1, 1], [-1, 0], [0, -1]], [1, "1/3", "1/3"]),
    pr.Slice([0, "1/3"], [[1], [2]], pr.Box(-1, 1)),
    pr.Simplex([[0, 0], [1, "1/3"], ["1/3", 1]]),
    pr.Polytope([[1, 0], [-1, 0]], [0, -1]),  # empty
]


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda d: type(d).__name__)
def test_accepted_on_every_domain(deep, domain, tmp_path):
    free = output_bounds(deep, domain, upper=1000)
    found = pr.verify(deep, free, out=tmp_path / "run", proof=True)
    assert found.verdict == "holds"
    report = check_verdict(tmp_path / "run")
    assert (report.verdict, report.doubt) == ("holds", "")


def test_accepted_with_a_tree(deep, tmp_path):
    low, high = -100.0, 100.0  # violated; holds
    while high - low > 0.05:
        middle = (low + high) / 2
        bounded = output_bounds(deep, pr.Box(-1, 1), upper=middle)
        if pr.verify(deep, bounded, jobs=1).verdict == "holds":
            high = middle
        else:
            low = middle
    tight = output_bounds(deep, pr.Box(-1, 1), upper=high)
    found = pr.verify(deep, tight, out=tmp_path / "run", proof=True, jobs=2)
    assert found.verdict == "holds"
    report = check_verdict(tmp_path / "run")
    assert report.leaves >= 5


@pytest.fixture
def touched(folded, tmp_path) -> Path:
    """Outputs lie in [−1, 2] and touch both: decided in exact arithmetic."""
    found = pr.verify(
        folded,
        output_bounds(folded, pr.Box(-1, 1), lower=-1, upper=2),
        out=tmp_path / "run",
        proof=True,
        jobs=1,
    )
    assert found.verdict == "holds"
    assert sum(q.exact for q in found.questions) > 0
    return tmp_path / "run"


def test_a_touched_bound_is_accepted(touched):
    report = check_verdict(touched)
    assert report.exact > 0


def test_changed_multipliers_are_rejected(touched):
    file = touched / "exact-0.jsonl.zst"
    lines = [json.loads(line) for line in _read(file).splitlines()]

    def mutated(change) -> bytes:
        copy = json.loads(json.dumps(lines))
        assert change(copy[0])
        return b"".join(json.dumps(steps).encode() + b"\n" for steps in copy)

    def leaf(steps):
        return next(step for step in steps if step[0] == "leaf")

    def zero(steps):
        proof = leaf(steps)[1][0]
        proof[3] = [0 for _ in proof[3]]
        return True

    def other(steps):
        proof = leaf(steps)[1][0]
        proof[3][0] += 1
        return True

    def negative(steps):
        proof = leaf(steps)[1][0]
        proof[3] = [-v for v in proof[3]]
        return True

    def fewer(steps):
        leaf(steps)[1].pop()
        return True

    def beyond(steps):
        leaf(steps)[1][0][2][0] = 10**6
        return True

    def sign(steps):
        step = next((step for step in steps if step[0] == "sign"), None)
        if step is None:
            steps.insert(0, ["sign", 0, 1, None])
        else:
            step[2] = -step[2]
        return True

    def cut(steps):
        steps.pop()
        return True

    def more(steps):
        steps.append(["next"])
        return True

    def damaged(steps):
        steps[-1] = ["leaf", 3]
        return True

    for change in (zero, other, negative, fewer, beyond, sign, cut, more, damaged):
        _write(file, mutated(change))
        with pytest.raises(ProofRejectedError, match="exact leaf 1"):
            check_verdict(touched)
    _write(file, b"")
    with pytest.raises(ProofRejectedError, match="has no steps"):
        check_verdict(touched)
    _write(file, mutated(lambda steps: True) + b"[]\n")
    with pytest.raises(ProofRejectedError, match="more exact proofs"):
        check_verdict(touched)


@pytest.fixture
def run(deep, tmp_path) -> Path:
    text = (
        "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)"
        "(declare-const Y_1 Real)(assert (and (>= X_0 -1) (<= X_0 1) (>= X_1 -1) (<= X_1 1)))"
        "(assert (or (and (>= Y_0 40) (<= Y_1 100)) (<= Y_1 -40)))"
    )
    file = tmp_path / "property.vnnlib"
    file.write_text(text)
    assert pr.verify(deep, file, out=tmp_path / "run", proof=True).verdict == "holds"
    return tmp_path / "run"


def test_changed_trees_are_rejected(run):
    assert check_verdict(run).verdict == "holds"
    file = run / "tree-0.bin.zst"
    whole = _read(file)
    for data, says in (
        (whole[:-1], "ends early"),
        (whole + b"\0\0", "follows the tree"),
        (whole[1:], "does not start"),
        (MAGIC + b"\x63\0", "code 99"),
        (MAGIC + b"\0\0" + b"\x07\0\0\0", "refutes disjunct 7"),
        (MAGIC + b"\0\0" + b"\0\0\x09\0" + b"\x01\0\0\0", "has no row 9"),
        (MAGIC + b"\0\0" + b"\0\0\0\0" + b"\0\0\0\0", "refutes disjunct 0"),
        (MAGIC + b"\0\0" + b"\0\0\x01\0" + b"\x01\0\0\0", "do not refute"),
        (
            MAGIC + b"\0\0\0\0\xff\xff" + np.array([-1, -1], "<f4").tobytes() + b"\x01\0\0\0",
            "do not refute",
        ),
    ):
        _write(file, data)
        with pytest.raises(ProofRejectedError, match=says) as refused:
            check_verdict(run)
        assert not isinstance(refused.value, NotDecidedError)


def test_bounds_that_are_not_good_enough_decide_nothing(tmp_path, monkeypatch):
    """x⁺ − x⁺ ≤ 1/10 on the whole box as one closed leaf is true, though bounds do not show it."""
    network = pr.Network.from_arrays([[[1.0], [1.0]], [[1.0, -1.0]]], [[0.0, 0.0], [0.0]])
    out = tmp_path / "run"
    assert pr.verify(network, output_bounds(network, pr.Box(-1, 1), upper=0.1), out=out, proof=True)
    _write(out / "tree-0.bin.zst", MAGIC + b"\0\0" + b"\0\0\0\0")
    monkeypatch.setattr("polyrank.proof.verdict._FURTHER", 0)
    with pytest.raises(NotDecidedError, match="do not refute"):
        check_verdict(out)


@pytest.mark.parametrize(
    ("domain", "error"),
    [
        (pr.Box(-1, 1), ProofRejectedError),
        (pr.Polytope([[1, 1], [-1, 0], [0, -1]], [2, 1, 1]), NotDecidedError),
    ],
    ids=["box", "bounds that multipliers prove"],
)
def test_a_first_box_inside_the_domain(tmp_path, domain, error):
    """It leaves points of a box out; of other domains the bounds need not be the least."""
    network = pr.Network.from_arrays([[[1.0, 1.0]], [[1.0]]], [[0.0], [0.0]])
    out = tmp_path / "run"
    assert pr.verify(network, output_bounds(network, domain, upper=9.0), out=out, proof=True)
    assert check_verdict(out).verdict == "holds"
    _restate(out, lambda s: s["questions"][0]["high"].__setitem__(0, (0.5).hex()))
    with pytest.raises(ProofRejectedError, match="does not contain the domain") as refused:
        check_verdict(out)
    assert type(refused.value) is error


def test_changed_statements_are_rejected(run, folded):
    stated = (run / "verdict.json").read_text()
    text = (run / "property.vnnlib").read_text()

    def shrunk(s):
        s["questions"][0]["high"][0] = (0.5).hex()

    def false(s):
        s["verdict"] = "violated"
        s["counterexample"] = {"x": ["0", "0"], "y": ["0", "0"]}

    def unknown_word(s):
        s["verdict"] = "perhaps"

    def no_question(s):
        s["questions"] = []

    for change, says in (
        (shrunk, "does not contain the domain"),
        (false, "are other ones"),
        (unknown_word, "perhaps"),
        (no_question, "0 questions"),
    ):
        (run / "verdict.json").write_text(stated)
        _restate(run, change)
        with pytest.raises(ProofRejectedError, match=says):
            check_verdict(run)
    (run / "verdict.json").write_text(stated)
    (run / "property.vnnlib").write_text(text.replace("-40", "1"))
    with pytest.raises(ProofRejectedError, match="not those of the property"):
        check_verdict(run)
    another = violation_of(parse_vnnlib(text.replace("-40", "1"), "property.vnnlib")).describe()
    _restate(run, lambda s: s["property"].update(another))
    with pytest.raises(ProofRejectedError, match="do not refute"):
        check_verdict(run)
    (run / "verdict.json").write_text(stated)
    (run / "property.vnnlib").write_text(text)
    _restate(run, lambda s: s.update(proof=False))
    with pytest.raises(NotDecidedError, match="no proof"):
        check_verdict(run)
    (run / "verdict.json").write_text(stated)
    _restate(run, lambda s: s["questions"][0]["high"].__setitem__(0, "inf"))
    with pytest.raises(RunError, match="not a complete verdict"):
        check_verdict(run)
    (run / "verdict.json").write_text(stated)
    pr.save(folded, run / "network.json", overwrite=True)
    with pytest.raises(NotDecidedError, match="another network"):
        check_verdict(run)
    for entry, says in (
        ("network.json", "does not say where its network is"),
        ({"path": 3}, "does not say where its network is"),
        ({"path": "network.json", "options": {"turned": True}}, "options that do not exist"),
    ):
        (run / "verdict.json").write_text(stated)
        _restate(run, lambda s, entry=entry: s.update(network_file=entry))
        with pytest.raises(RunError, match=says):
            check_verdict(run)
    for damaged in ("{}", "[]"):
        (run / "verdict.json").write_text(damaged)
        with pytest.raises(RunError, match="not a complete verdict"):
            check_verdict(run)


def test_a_box_is_proved_in_integers(tmp_path):
    """On 3 y >= 1 floats prove y >= (10^17 + 5) / (3 * 10^17 + 10), which is more than 1/3."""
    network = pr.Network.from_arrays([[[1.0]]], [[0.0]])
    domain = pr.Polytope([[-3], [1]], [-1, 1])
    out = tmp_path / "run"
    free = output_bounds(network, domain, upper=2)
    assert pr.verify(network, free, out=out, proof=True).verdict == "holds"
    assert check_verdict(out).verdict == "holds"
    kept = (out / "verdict.json").read_text()
    assert json.loads(kept)["questions"][0]["bounds"][0] == [3, 1, [0], [1]]
    for proof in (
        [3 * 10**17 + 10, 10**17 + 5, [0], [1e17]],
        [3, 2, [0], [1]],
        [3, 1, [0], [-1]],
        [-3, -1, [0], [1]],
        [3, 1, [7], [1]],
        [3, 1, [0], [1, 1]],
    ):
        (out / "verdict.json").write_text(kept)
        _restate(out, lambda s, proof=proof: s["questions"][0]["bounds"].__setitem__(0, proof))
        with pytest.raises(ProofRejectedError, match="side 0 of the box"):
            check_verdict(out)


def test_an_output_is_named_once(folded, tmp_path):
    """|x − y| <= 3 holds on the box; 2 |x − y| <= 3, stated as a sum of two terms, does not."""
    with pytest.raises(ValueError, match="names an output twice"):
        OutputRow(((0, fmpq(-1)), (0, fmpq(-1))), fmpq(-3), strict=True)
    out = tmp_path / "run"
    assert pr.verify(folded, output_bounds(folded, pr.Box(-1, 1), upper=3), out=out, proof=True)

    def doubled(s):
        s["property"]["questions"][0]["disjuncts"][0][0]["terms"] = [[0, "-1"], [0, "-1"]]

    _restate(out, doubled)
    with pytest.raises(RunError, match="not a complete verdict"):
        check_verdict(out)


def test_a_counterexample_is_checked(folded, tmp_path):
    out = tmp_path / "run"
    found = pr.verify(folded, output_bounds(folded, pr.Box(-1, 1), upper=1), out=out)
    assert found.verdict == "violated"
    assert check_verdict(out).verdict == "violated"

    def inside(s):
        s["counterexample"] = {"x": ["0", "0"], "y": ["0", "1"]}

    _restate(out, inside)
    with pytest.raises(ProofRejectedError, match="does not violate"):
        check_verdict(out)


def test_an_exact_point_stands_the_forward_pass(folded, monkeypatch):
    """Were the exact search wrong, no verdict would come of it."""
    middle = fmpq_mat(2, 1, [0, 0])  # violates nothing
    monkeypatch.setattr(ExactQuestion, "decide", lambda *_: middle)
    with pytest.raises(UncertifiedError, match="failed its own check"):
        pr.verify(folded, output_bounds(folded, pr.Box(-1, 1), lower=-1, upper=2), jobs=1)


def test_unknown_is_not_decided(deep, tmp_path):
    bounded = output_bounds(deep, pr.WholeSpace(), upper=1)
    pr.verify(deep, bounded, out=tmp_path / "run", proof=True, seconds=0)
    assert check_verdict(tmp_path / "run").doubt == "the verdict is unknown"


def test_each_question_keeps_its_own_box(folded, tmp_path):
    """The first domain is unbounded and is one exact leaf; the second one has its own box."""
    above = ((OutputRow(((1, fmpq(-1)),), fmpq(-9)),),)
    domains = [pr.WholeSpace(), pr.Box(0, 1)]
    either = specification_of("y1 < 9", 2, 2, tuple(Question(d, above) for d in domains))
    out = tmp_path / "run"
    assert pr.verify(folded, either, out=out, proof=True).verdict == "holds"
    first, second = json.loads((out / "verdict.json").read_text())["questions"]
    assert (first["exact"], first["low"], first["bounds"]) == (1, ["-inf"] * 2, [])
    assert (second["answer"], second["low"]) == ("no", [(0.0).hex()] * 2)
    assert second["high"] == [(1.0).hex()] * 2
    assert check_verdict(out).verdict == "holds"


def test_a_proof_needs_a_directory(deep):
    with pytest.raises(RunError, match="name a directory"):
        pr.verify(deep, output_bounds(deep, pr.Box(0, 1), upper=1), proof=True)


def test_version_2_with_strict_bounds(folded, tmp_path):
    """Y_0 = |x − y| < 2 on the half-open square: 2 is attained only where x = 1 is excluded."""
    head = (
        "(vnnlib-version <2.0>)(declare-network f (declare-input X real [2]) "
        "(declare-output Y real [2]))"
    )
    box = "(assert (and (>= X[0] -1) ({} X[0] 1) (>= X[1] -1) ({} X[1] 1)))"
    for relation, verdict in (("<", "holds"), ("<=", "violated")):
        text = head + box.format(relation, relation) + "(assert (>= Y[0] 2))"
        file = tmp_path / f"{verdict}.vnnlib"
        file.write_text(text)
        out = tmp_path / verdict
        found = pr.verify(folded, file, out=out, proof=True)
        assert found.verdict == verdict
        assert check_verdict(out).verdict == verdict
        # the same property without its text
        stated = violation_of(parse_vnnlib(text))
        rebuilt = specification_from_dict(json.loads(json.dumps(stated.describe())))
        assert rebuilt.questions == stated.questions
        assert violates(folded, rebuilt, [fmpq(1), fmpq(-1)]) == (verdict == "violated")
        out = tmp_path / f"{verdict} without text"
        assert pr.verify(folded, stated, out=out, proof=True).verdict == verdict
        assert check_verdict(out).verdict == verdict
    strict = head + box.format("<=", "<=") + "(assert (> Y[0] 2))"
    assert pr.verify(folded, violation_of(parse_vnnlib(strict))).verdict == "holds"
    different = head + box.format("<=", "<=") + "(assert (!= Y[0] (- 1 Y[1])))"
    assert pr.verify(folded, violation_of(parse_vnnlib(different))).verdict == "holds"
    equal = head + box.format("<=", "<=") + "(assert (== Y[0] (/ 1 3)))"
    with pytest.raises(pr.DomainError):
        parse_vnnlib(equal)  # version 2 has no division
    equal = equal.replace("(/ 1 3)", "0.3")
    assert pr.verify(folded, violation_of(parse_vnnlib(equal))).verdict == "violated"
