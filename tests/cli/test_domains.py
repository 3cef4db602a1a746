"""Domains as the command line gives them, exactly, and what is said about wrong ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer

import polyrank as pr
from polyrank.errors import DomainError
from polyrank_cli.domains import chosen_domain
from polyrank_cli.options import DomainChoice

TRIANGLE = {"A": [["-1", "0"], ["0", "-1"], ["1", "1"]], "b": ["0", "0", "1"]}


def test_whole_space_is_the_default():
    assert chosen_domain(DomainChoice()) == pr.WholeSpace()


def test_box_is_exact():
    assert chosen_domain(DomainChoice(box=("-0.1", "1/3"))) == pr.Box("-1/10", "1/3")
    assert chosen_domain(DomainChoice(box=("-1,0", "1,0.1"))) == pr.Box([-1, 0], [1, "1/10"])
    assert chosen_domain(DomainChoice(box=("0", "1,2"))) == pr.Box(0, [1, 2])


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (("2", "1"), "lower bound 2 is above the upper bound 1"),
        (("a", "1"), "expected a number"),
        (("nan", "1"), "expected a number"),
        (("0,0", "1,1,1"), "2 lower bounds but 3 upper bounds"),
    ],
)
def test_wrong_boxes(box, message):
    with pytest.raises(DomainError, match=message):
        chosen_domain(DomainChoice(box=box))


def test_box_files(tmp_path):
    decimal = tmp_path / "box.json"
    decimal.write_text('{"lower": [-0.1, "1/3"], "upper": 1}')
    assert chosen_domain(DomainChoice(box_file=decimal)) == pr.Box(["-1/10", "1/3"], 1)
    arrays = tmp_path / "box.npz"
    np.savez(arrays, lower=np.array([-0.1, 0.0]), upper=np.float32(0.1))
    # an array entry is the dyadic rational that it encodes, in its own precision
    assert chosen_domain(DomainChoice(box_file=arrays)) == pr.Box([-0.1, 0], float(np.float32(0.1)))


def test_polytope_files(tmp_path):
    text = tmp_path / "triangle.json"
    text.write_text(json.dumps(TRIANGLE))
    arrays = tmp_path / "triangle.npz"
    np.savez(arrays, A=np.array([[-1, 0], [0, -1], [1, 1]]), b=np.array([0.0, 0.0, 1.0]))
    wanted = pr.Polytope(TRIANGLE["A"], TRIANGLE["b"])
    for path in (text, arrays):
        assert chosen_domain(DomainChoice(polytope=path)).describe() == wanted.describe()


def test_slices_take_a_domain_in_their_own_coordinates(tmp_path):
    path = tmp_path / "slice.npz"
    np.savez(path, origin=np.zeros(3), basis=np.array([[1.0, 0], [0, 1], [1, 1]]))
    found = chosen_domain(DomainChoice(slice=path))
    assert found.describe() == pr.Slice([0] * 3, [[1, 0], [0, 1], [1, 1]]).describe()
    found = chosen_domain(DomainChoice(slice=path, box=("-1", "1")))
    assert found.describe()["inner"] == pr.Box(-1, 1).describe()
    triangle = tmp_path / "triangle.json"
    triangle.write_text(json.dumps(TRIANGLE))
    found = chosen_domain(DomainChoice(slice=path, polytope=triangle))
    assert found.describe()["inner"]["kind"] == "polytope"


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"box": ("0", "1"), "polytope": "p"}, "--box and --polytope each name a domain"),
        ({"box": ("0", "1"), "vnnlib": "p", "box_file": "q"}, "--box and --box-file and --vnnlib"),
        ({"case": 1}, "--case chooses among the cases of --vnnlib, which is missing"),
        ({"slice": "s", "vnnlib": "p"}, "--slice cannot be combined with --vnnlib"),
    ],
)
def test_contradictions_are_wrong_usage(choice, message):
    with pytest.raises(typer.BadParameter, match=message):
        chosen_domain(DomainChoice(**choice))


@pytest.mark.parametrize("option", ["box_file", "polytope", "slice", "vnnlib"])
def test_files_that_are_not_there(tmp_path, option):
    with pytest.raises(DomainError, match=r"nothing\.npz"):
        chosen_domain(DomainChoice(**{option: tmp_path / "nothing.npz"}))


TWO_CASES = """
(declare-const X_0 Real) (declare-const Y_0 Real)
(assert (or (and (>= X_0 -0.1) (<= X_0 0)) (and (>= X_0 1) (<= X_0 2))))
(assert (<= Y_0 0))
"""


def test_vnnlib_cases(tmp_path):
    path = tmp_path / "property.vnnlib"
    path.write_text(TWO_CASES)
    found = chosen_domain(DomainChoice(vnnlib=path, case=0))
    assert found == pr.Box(["-1/10"], [0])
    assert chosen_domain(DomainChoice(vnnlib=path, case=1)) == pr.Box([1], [2])
    with pytest.raises(DomainError, match="have 2 cases"):
        chosen_domain(DomainChoice(vnnlib=path))
    with pytest.raises(DomainError, match="has no case 2"):
        chosen_domain(DomainChoice(vnnlib=path, case=2))


def test_numbers_of_hundreds_of_digits_are_cut_in_messages(polyrank, plane):
    found = polyrank("enumerate", plane, "--box", "1e400", "2")
    assert found.status == 1
    assert "the lower bound 100000... (401 digits) is above the upper bound 2" in found.err


def test_the_range_of_a_header(polyrank, tmp_path: Path) -> None:
    # one unit in physical units x − 3 on [1, 5]; normalised: (x − 3) / 2 on [−1, 1]
    text = "// a comment\n2,1,1,1,\n1,1,1,\n0\n1,\n5,\n3,0,\n2,1,\n1,\n0,\n1,\n0,\n"
    path = tmp_path / "small.nnet"
    path.write_text(text, encoding="utf-8")
    for options, sides in (([], ["1", "5"]), (["--raw"], ["-1", "1"])):
        ran = polyrank("enumerate", path, "--input-range", *options, "--json")
        assert ran.status == 0, ran.err
        found = json.loads(ran.out)
        assert found["regions"] == 2
        assert [found["domain"]["lower"], found["domain"]["upper"]] == [[s] for s in sides]
    assert polyrank("at", path, "2", "--input-range").status == 0
    ran = polyrank("enumerate", path, "--input-range", "--box", 0, 1)
    assert ran.status == 2
    assert "--box and --input-range each name a domain" in ran.err


def test_a_network_without_a_range(polyrank, plane: Path) -> None:
    ran = polyrank("enumerate", plane, "--input-range")
    assert ran.status == 2
    assert "this one states none" in ran.err
