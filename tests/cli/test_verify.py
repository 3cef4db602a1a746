"""``polyrank verify``: what is printed, exit statuses, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import polyrank as pr
from polyrank.network.forward import forward
from polyrank.network.initialise import random_network

_HEAD = "".join(f"(declare-const {v} Real)" for v in ("X_0", "X_1", "Y_0"))
_BOX = "(assert (and (>= X_0 -1) (<= X_0 1) (>= X_1 -1) (<= X_1 1)))"


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str, name: str = "property.vnnlib") -> Path:
        path = tmp_path / name
        path.write_text(_HEAD + _BOX + text)
        return path

    return write


def test_holds(polyrank, plane, written):
    # relu(x) + relu(y) + relu(x + y − 1) is at most 3 on the square, at (1, 1)
    found = polyrank("verify", plane, written("(assert (>= Y_0 3.001))"))
    assert (found.status, found.err) == (0, "")
    lines = found.out.splitlines()
    assert lines[0] == "holds: property.vnnlib, proved on all of the domain"
    assert lines[1].endswith("boxes")


def test_a_touched_violation_is_found(polyrank, plane, written):
    found = polyrank("verify", plane, written("(assert (>= Y_0 3))"))
    assert found.status == 5
    lines = found.out.splitlines()
    assert lines[:3] == ["violated: property.vnnlib", "input: (1, 1)", "outputs: (3)"]
    assert lines[3] == "float64: violated as well; outputs 3"
    assert lines[4] == "float32: violated as well; outputs 3"


def test_json(polyrank, plane, written):
    found = polyrank("verify", plane, written("(assert (<= Y_0 0))"), "--json", "-q")
    assert (found.status, found.err) == (5, "")
    shown = json.loads(found.out)
    assert shown["verdict"] == "violated"
    assert shown["counterexample"]["y"] == ["0"]
    assert [run["by"] for run in shown["counterexample"]["reruns"]] == ["float64", "float32"]
    assert [q["answer"] for q in shown["questions"]] == ["yes"]


def test_a_box_leaves_inputs_out(polyrank, plane, written):
    path = written("(assert (>= Y_0 2))")
    assert polyrank("verify", plane, path).status == 5
    assert polyrank("verify", plane, path, "--box", "-1", "0.9").status == 5
    assert polyrank("verify", plane, path, "--box", "-1", "0.7").status == 0
    outside = polyrank("verify", plane, path, "--box", "2", "3")
    assert outside.status == 0
    assert "Farkas multipliers" in outside.said


def test_properties_of_outputs(polyrank, plane):
    assert polyrank("verify", plane, "--upper", "3", "--box", "-1", "1").status == 0
    assert polyrank("verify", plane, "--upper", "2.9", "--box", "-1", "1").status == 5
    assert polyrank("verify", plane, "--lower", "0", "--of", "0", "--box", "-1", "1").status == 0
    alone = polyrank("verify", plane, "--argmax", "0", "--box", "-1", "1")
    assert alone.status == 0  # one output is greater than no other one


def test_time_limit(polyrank, tmp_path):
    rng = np.random.default_rng(0)
    arrays = {}
    for k, shape in enumerate([(30, 3), (30, 30), (1, 30)]):
        arrays[f"W{k}"], arrays[f"b{k}"] = rng.normal(size=shape), rng.normal(size=shape[0])
    path = tmp_path / "net.npz"
    np.savez(path, **arrays)
    points = rng.uniform(-1, 1, (10_000, 3))
    bound = forward(pr.load(path), points).max() + 2
    arguments = ["verify", path, "--box", "-1", "1", "--upper", repr(float(bound))]
    found = polyrank(*arguments, "--time", "0")
    assert found.status == 3
    assert found.out.startswith("unknown: outputs <= ")
    assert "the time limit was reached" in found.out
    shown = json.loads(polyrank(*arguments, "--time", "0", "--json").out)
    assert [q["answer"] for q in shown["questions"]] == ["open"]
    assert polyrank(*arguments).status == 0


def test_unbounded(polyrank, plane):
    assert polyrank("verify", plane, "--upper", "3").status == 5
    assert polyrank("verify", plane, "--lower", "0").status == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "name one property"),
        (["FILE", "--upper", "1"], "name one property"),
        (["--upper", "1", "--argmax", "0"], "name one"),
        (["--monotone", "0", "--lipschitz", "2"], "name one"),
        (["--lipschitz", "3"], "is not one of"),
        (["--lipschitz", "2", "--proof"], "name a directory"),
        (["--lipschitz", "2", "--resume", "there"], "not with --lipschitz"),
        (["--upper", "1", "-o", "here", "--resume", "there"], "leave out -o"),
        (["FILE", "--proof"], "name a directory"),
        (["FILE", "--of", "0"], "--of goes with"),
    ],
)
def test_wrong_usage(polyrank, plane, written, arguments, says):
    path = written("(assert (>= Y_0 3))")
    found = polyrank("verify", plane, *(path if a == "FILE" else a for a in arguments))
    assert found.status == 2
    assert says in " ".join(found.err.split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--argmax", "1", "--box", "-1", "1"], "there is no output 1"),
        (["--upper", "1", "--of", "2", "--box", "-1", "1"], "there is no output 2"),
        (["--upper", "much", "--box", "-1", "1"], "upper bound"),
        (["--upper", "1", "--box", "1,2,3", "4,5,6"], "dimension 3"),
    ],
)
def test_refused(polyrank, plane, arguments, says):
    found = polyrank("verify", plane, *arguments)
    assert found.status == 1
    assert says in found.err


def test_another_shape(polyrank, plane, tmp_path):
    path = tmp_path / "one.vnnlib"
    path.write_text("(declare-const X_0 Real)(declare-const Y_0 Real)(assert (<= X_0 1))")
    found = polyrank("verify", plane, path)
    assert found.status == 1
    assert "speaks of 1 inputs and 1 outputs, but" in found.err


def test_whole_functions(polyrank, plane, tmp_path):
    # relu(x) + relu(y) + relu(x + y − 1): non-decreasing, J = (2, 2) where all are active
    box = ["--box", "-1", "1"]
    found = polyrank("verify", plane, "--monotone", "1", *box)
    assert found.status == 0
    assert found.out.startswith("holds: output 0 is non-decreasing in input 1, on all of the ")
    for norm, value in (("1", "2"), ("inf", "4")):
        said = json.loads(polyrank("verify", plane, "--lipschitz", norm, *box, "--json").out)
        assert said["lower"] == said["upper"] == value
    found = polyrank("verify", plane, "--lipschitz", "2", *box)
    assert found.out.startswith("certified: the least Lipschitz constant, norm 2, is 2.82843 ")
    other = tmp_path / "other.npz"
    arrays = dict(np.load(plane))
    last = max(name for name in arrays if name.startswith("b"))
    np.savez(other, **{**arrays, last: arrays[last] + 0.25})
    assert polyrank("verify", plane, "--equal", plane, *box).status == 0
    found = polyrank("verify", plane, "--equal", other, *box)
    assert found.status == 5
    assert found.out.startswith("violated: the functions differ\ninput: ")
    found = polyrank("verify", plane, "--difference", other, *box)
    assert found.status == 0
    assert found.out.startswith(
        "certified: the greatest difference of an output is exactly 1/4\nof output 0, at "
    )
    falls = tmp_path / "falls.npz"
    np.savez(falls, **{**arrays, last.replace("b", "W"): -arrays[last.replace("b", "W")]})
    found = polyrank("verify", falls, "--monotone", "0", *box)
    assert found.status == 5
    assert found.out.startswith("violated: output 0 is non-decreasing in input 0\nat   (")


def test_numbers_beyond_floats(polyrank, tmp_path):
    """x ↦ 1e420 relu(x) + 3e420 relu(−x): floats overflow, the verdicts are exact."""
    file = tmp_path / "large.npz"
    np.savez(
        file,
        W0=[[1e140], [-1e140]], W1=[[1e140, 0.0], [0.0, 1e140]], W2=[[1e140, 3e140]],
        b0=[0.0, 0.0], b1=[0.0, 0.0], b2=[0.0],
    )  # fmt: skip
    box = ["--box", "-1", "1"]
    for norm in ("1", "2", "inf"):
        found = polyrank("verify", file, "--lipschitz", norm, *box)
        assert found.status == 0
        assert "000e+420" in found.out.splitlines()[0]
    said = json.loads(polyrank("verify", file, "--lipschitz", "inf", *box, "--json").out)
    assert said["near"] is None
    assert said["lower"] == str(int(1e140) * int(1e140) * int(3e140))
    found = polyrank("verify", file, "--upper", "3", *box)
    assert found.status == 5
    assert "float64: it overflows; outputs inf" in found.out
    said = json.loads(polyrank("verify", file, "--upper", "3", *box, "--json").out)
    rerun = said["counterexample"]["reruns"][0]
    assert (rerun["by"], rerun["inside"], rerun["violates"]) == ("float64", True, False)


def test_proof_and_check(polyrank, plane, written, tmp_path):
    path = written("(assert (>= Y_0 3.001))")
    out = tmp_path / "run"
    assert polyrank("verify", plane, path, "-o", out, "--proof").status == 0
    found = polyrank("check", out)
    assert found.status == 0
    assert found.out.startswith(
        "accepted: property.vnnlib holds on all of its domain\n1 question, "
    )
    shown = json.loads(polyrank("check", out, "--json").out)
    assert (shown["verdict"], shown["property_verdict"]) == ("accepted", "holds")
    again = polyrank("verify", plane, path, "-o", out)
    assert again.status == 1
    assert "exists already" in again.err
    low = tmp_path / "low"
    assert (
        polyrank("verify", plane, written("(assert (>= Y_0 1))", "low.vnnlib"), "-o", low).status
        == 5
    )
    assert "is violated, by the exact outputs" in polyrank("check", low).out
    open_ = tmp_path / "open"
    assert polyrank("verify", plane, "--upper", "3", "--time", "0", "-o", open_).status == 3
    assert polyrank("check", open_).status == 3
    unproved = tmp_path / "unproved"
    assert polyrank("verify", plane, path, "-o", unproved).status == 0
    assert polyrank("check", unproved).status == 3


def test_a_file_that_onnxruntime_does_not_run(polyrank, plane, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    file = tmp_path / "later.onnx"
    pr.save(pr.load(plane), file)
    model = onnx.load(file)
    model.ir_version = 1000  # of a later standard
    file.write_bytes(model.SerializeToString())
    found = polyrank("verify", file, "--upper", "2.9", "--box", "-1", "1")
    assert found.status == 5
    assert "\nonnxruntime: not run; " in found.out
    assert "IR version" in found.said


def test_statements_about_functions_are_checked(polyrank, plane, tmp_path):
    box = ["--box", "-1", "1"]
    for name, asked, status, says in (
        ("m", ["--monotone", "1"], 0, "accepted: output 0 is non-decreasing in input 1\n"),
        ("l", ["--lipschitz", "inf"], 0, "accepted: the least Lipschitz constant, norm inf is 4\n"),
        ("s", ["--lipschitz", "2"], 0, "accepted: the square of the least Lipschitz constant, "),
        ("e", ["--equal", plane], 0, "accepted: the two networks are one function\n"),
        ("d", ["--difference", plane], 0, "accepted: the greatest difference of an output is 0\n"),
    ):
        out = tmp_path / name
        found = polyrank("verify", plane, *asked, *box, "-o", out, "--proof")
        assert found.status == status
        checked = polyrank("check", out)
        assert (checked.status, checked.out[: len(says)]) == (0, says)
        shown = json.loads(polyrank("check", out, "--json").out)
        assert shown["verdict"] == "accepted"
        assert polyrank("verify", plane, *asked, *box, "-o", out).status == 1  # it exists
    bare = tmp_path / "bare"
    assert polyrank("verify", plane, "--monotone", "1", *box, "-o", bare).status == 0
    assert polyrank("check", bare).status == 3


def test_an_accepted_proof_is_exported(polyrank, plane, tmp_path):
    run, target = tmp_path / "v", tmp_path / "proof.alethe"
    asked = ["verify", plane, "--box", "-1", "1", "-o", run, "--proof"]
    assert polyrank(*asked, "--upper", "3").status == 0
    found = polyrank("check", run, "--export", target)
    assert found.status == 0
    assert f" and {tmp_path / 'proof.smt2'}" in found.said
    assert target.read_text().splitlines()[-1].startswith("(step ")
    again = polyrank("check", run, "--export", target)
    assert (again.status, "exists already" in again.err) == (1, True)
    other = tmp_path / "other.alethe"
    shown = json.loads(polyrank("check", run, "--export", other, "--json").out)
    assert shown["exported"] == [str(other)]
    run = tmp_path / "no"
    assert polyrank(*asked[:-2], run, "--upper", "2").status == 5
    assert polyrank("check", run, "--export", tmp_path / "no.alethe").status == 2


def test_a_time_limit_of_what_is_proved_on_every_region(polyrank, tmp_path):
    file = tmp_path / "net.npz"
    pr.save(random_network([6, 30, 30, 1], seed=0), file)
    box = ["--box", "-1", "1", "--time", "0", "--jobs", "1"]
    found = polyrank("verify", file, "--lipschitz", "2", *box)
    assert found.status == 3
    assert "unknown: the least Lipschitz constant, norm 2, is at least" in found.out
    assert "the time limit was reached after" in found.said
    said = json.loads(polyrank("verify", file, "--lipschitz", "inf", *box, "--json").out)
    assert said["complete"] is False
    found = polyrank("verify", file, "--equal", file, *box)
    assert found.status == 3
    assert found.out.startswith("unknown: the same function; the time limit was reached after")
    found = polyrank("verify", file, "--monotone", "0", *box)
    assert (found.status, found.out.split(":")[0]) in {(3, "unknown"), (5, "violated")}


def test_a_verdict_goes_on(polyrank, plane, tmp_path):
    out = tmp_path / "run"
    question = ["verify", plane, "--upper", "3", "--box", "-1", "1"]
    left = polyrank(*question, "--time", "0", "-o", out)
    assert left.status == 3  # the bound is attained: only linear programs say that it holds
    other = polyrank("verify", plane, "--upper", "4", "--box", "-1", "1", "--resume", out)
    assert other.status == 1
    assert "about another question" in other.err
    assert polyrank(*question, "--resume", out).status == 0
    found = polyrank(*question, "--resume", out)
    assert found.status == 1
    assert "nothing to resume" in found.err
