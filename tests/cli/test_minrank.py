"""``polyrank minrank``: what is printed, exit statuses, refusals."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import polyrank as pr
from polyrank.minrank import minimum as module


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """40 random units on R^6: rank 0 nowhere near."""
    rng = np.random.default_rng(0)
    path = tmp_path / "wide.npz"
    np.savez(path, W0=rng.normal(size=(40, 6)), b0=rng.normal(size=40))
    return path


def test_text(polyrank, plane):
    # three lines in general position, all off in the third quadrant
    found = polyrank("minrank", plane, "--below", "2")
    assert found.status == 0
    lines = found.out.splitlines()
    assert lines[0] == "certified: the least rank through layer 1 is exactly 0"
    assert lines[1] == "best region: rank 0, codeword 000"
    assert lines[2].startswith("witness: (")
    assert lines[3] == "3 regions of rank < 2 listed, all of them"
    assert lines[4:7] == ["  rank 0: 000", "  rank 1: 010", "  rank 1: 100"]
    assert "linear programs" in lines[7]
    assert "polyrank: the least rank is in [0, 0]" in found.err


def test_json(polyrank, plane):
    found = polyrank("minrank", plane, "--layer", "2", "--json", "-q")
    assert (found.status, found.err) == (0, "")
    assert found.out.count("\n") == 1
    shown = json.loads(found.out)
    assert (shown["layer"], shown["lower"], shown["upper"]) == (2, 0, 0)
    assert shown["certified"] is True
    assert shown["best"]["rank"] == 0
    assert shown["below"] is None
    assert shown["complete"] is None


def test_few_regions_are_enumerated_and_it_is_said(polyrank, tmp_path):
    net, path = pr.random_network("2-9-8", seed=1), tmp_path / "net.npz"
    pr.save(net, path)
    asked = ("minrank", path, "--layer", "2", "--box", "-5", "5", "-q")
    count = pr.enumerate_regions(pr.load(path), pr.Box(-5, 5)).count
    found = polyrank(*asked, "--below", "2")
    assert found.status == 0
    said = f"all {count:,} regions were enumerated, which is faster for so few"
    assert said in found.out.splitlines()
    assert json.loads(polyrank(*asked, "--below", "2", "--json").out)["enumerated"] == count


@pytest.mark.parametrize(
    "domain",
    [
        ["--box", "1", "2"],
        ["--box-file", "box.json"],
        ["--polytope", "polytope.json"],
        ["--vnnlib", "box.vnnlib"],
    ],
)
def test_domains(polyrank, plane, tmp_path, monkeypatch, domain):
    """On [1, 2]² all three units are on: rank 2."""
    monkeypatch.chdir(tmp_path)
    Path("box.json").write_text('{"lower": [1, 1], "upper": [2, 2]}')
    Path("polytope.json").write_text(
        '{"A": [[1, 0], [0, 1], [-1, 0], [0, -1]], "b": [2, 2, -1, -1]}'
    )
    Path("box.vnnlib").write_text(
        "".join(f"(declare-const {v} Real)\n" for v in ("X_0", "X_1", "Y_0"))
        + "".join(f"(assert (>= X_{i} 1))(assert (<= X_{i} 2))\n" for i in (0, 1))
    )
    found = polyrank("minrank", plane, *domain, "--json", "-q")
    assert found.status == 0
    shown = json.loads(found.out)
    assert (shown["lower"], shown["upper"], shown["certified"]) == (2, 2, True)


def test_slice(polyrank, plane, tmp_path):
    """On the line y = 5 the second unit is on: rank 1 where the others are off or parallel."""
    line = tmp_path / "line.json"
    line.write_text('{"origin": [0, 5], "basis": [[1], [0]]}')
    found = polyrank("minrank", plane, "--slice", line, "--json", "-q")
    shown = json.loads(found.out)
    # on the slice, y is constant: left of x = −4 no unit that depends on x is on
    assert (shown["lower"], shown["upper"]) == (0, 0)
    point = [pr.network.rational.to_fmpq(v) for v in shown["best"]["witness"]]
    assert point[1] == 5
    assert point[0] < -4


def test_a_deep_witness(polyrank, plane):
    """Three lines in general position: where all units are off, |z| has no bound."""
    found = polyrank("minrank", plane, "--deep", "-q")
    assert found.status == 0
    lines = found.out.splitlines()
    assert lines[2].startswith("witness: (")
    assert "; least |z| " in lines[2]
    assert lines[3].startswith("deep witness: (")
    assert lines[3].endswith("the region has points of any depth")
    shown = json.loads(polyrank("minrank", plane, "--deep", "--json", "-q").out)
    value = pr.network.rational.to_fmpq(shown["deep"]["least_pre_activation"]["value"])
    assert value >= 1
    assert json.loads(polyrank("minrank", plane, "--json", "-q").out)["deep"] is None


def test_a_deep_witness_out_of_time(polyrank, plane, monkeypatch):
    monkeypatch.setattr("polyrank.minrank.deep._SECONDS", 0.0)
    found = polyrank("minrank", plane, "--deep", "--time", "0")
    assert "deep witness: none was found in time" in found.out


def test_witnesses_of_many_coordinates_are_short(polyrank, tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "wide.npz"
    np.savez(path, W0=rng.normal(size=(9, 500)), b0=rng.normal(size=9))
    found = polyrank("minrank", path, "--output-relu", "-q")
    assert found.status == 0
    assert found.out.splitlines()[2].startswith("witness: x")
    assert re.search(r"\.\.\. \(\d more\); the other 49\d of 500 are 0; least \|z\|", found.said)
    np.savez(path, W0=rng.normal(size=(1, 20)), b0=[-1.0])
    line = polyrank("minrank", path, "--output-relu", "-q").out.splitlines()[2]
    assert line.startswith(("witness: 0, in 20 coordinates", "witness: x"))


def test_no_time_leaves_an_interval(polyrank, wide):
    found = polyrank("minrank", wide, "--output-relu", "--time", "0", "--below", "3")
    assert found.status == 3
    lines = found.out.splitlines()
    assert lines[0].startswith("not settled: the least rank through layer 1 is at least 0 and at")
    assert lines[3] == "0 regions of rank < 3 listed, more may exist"
    shown = json.loads(polyrank("minrank", wide, "--output-relu", "--time", "0", "--json").out)
    assert shown["certified"] is False
    assert shown["lower"] < shown["upper"]


def test_a_list_that_is_cut_off(polyrank, plane):
    found = polyrank("minrank", plane, "--below", "3", "--limit", "2")
    assert found.status == 3
    assert "certified: the least rank through layer 1 is exactly 0" in found.out
    assert "2 regions of rank < 3 listed, more may exist" in found.out


def test_the_solvers_bound_is_called_unproved(polyrank, wide):
    found = polyrank("minrank", wide, "--output-relu", "--box", "-1", "1", "--milp")
    assert found.status == 0
    assert "HiGHS's own bound, not proved and not used: at least" in found.out


def test_conventions_of_nnet_files(polyrank, tmp_path):
    """A property in physical units decides how the header's normalisation is read."""
    net = tmp_path / "tiny.nnet"
    net.write_text(
        "// one unit per layer\n2,1,1,1\n1,1,1\n0\n100\n200\n150,0\n50,1\n1.0\n-0.5\n1.0\n0.0\n"
    )
    prop = tmp_path / "physical.vnnlib"
    prop.write_text(
        "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n"
        "(assert (>= X_0 100))\n(assert (<= X_0 170))\n"
    )
    found = polyrank("minrank", net, "--vnnlib", prop, "--json")
    assert found.status == 0
    assert "physical" in found.err
    # folded: (x − 150)/50 − 1/2 < 0 on all of 100 ≤ x ≤ 170
    assert json.loads(found.out)["lower"] == 0
    prop.write_text(
        "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n"
        "(assert (>= X_0 0.75))\n(assert (<= X_0 1))\n"
    )
    found = polyrank("minrank", net, "--vnnlib", prop, "--json", "-q")
    shown = json.loads(found.out)
    # raw: x − 1/2 > 0
    assert (found.err, shown["lower"], shown["upper"]) == ("", 1, 1)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--layer", "5"], 1, "there is no layer 5: 'plane' has layers 1 to 2"),
        (["--below", "0"], 2, "--below"),
        (["--limit", "0"], 2, "--limit"),
        (["--time", "-1"], 2, "--time"),
        (["--box", "2", "1"], 1, "lower"),
        (["--box", "0", "1", "--polytope", "x.json"], 2, "each name a domain"),
        (["--polytope", "missing.json"], 1, "missing.json"),
        (["--slope", "x"], 1, "slope"),
    ],
)
def test_refusals(polyrank, plane, arguments, status, message):
    found = polyrank("minrank", plane, *arguments)
    assert found.status == status
    assert message in found.err
    assert found.out == ""


def test_interrupted(polyrank, plane, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "region_at", stop)
    found = polyrank("minrank", plane)
    assert found.status == 130
    assert "interrupted" in found.err


def test_the_greatest_rank(polyrank, plane):
    found = polyrank("minrank", plane, "--greatest", "--deep")
    assert found.status == 0
    assert found.out.startswith("certified: the greatest rank through layer 1 is exactly 2\n")
    assert "polyrank: the greatest rank is in [" in found.err
    assert "regions of rank" not in found.out
    # all three units are live for large x, y
    shown = json.loads(polyrank("minrank", plane, "--greatest", "--json", "-q").out)
    assert (shown["lower"], shown["upper"], shown["greatest"]) == (2, 2, True)


def test_options_of_the_least_rank_only(polyrank, plane):
    found = polyrank("minrank", plane, "--greatest", "--below", "1")
    assert found.status == 2
    assert "--below" in found.err


def test_not_settled_in_time(polyrank, plane):
    found = polyrank("minrank", plane, "--greatest", "--time", "0", "--box", "-9", "-8")
    assert found.status in (0, 3)
    assert "greatest rank through layer 1" in found.out
