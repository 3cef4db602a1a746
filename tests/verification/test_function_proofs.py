"""``polyrank check`` accepts statements about functions, and rejects what is changed in them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings

import polyrank as pr
from polyrank.errors import RunError, UnsupportedError
from polyrank.polyhedra.domain import Box
from polyrank.proof.format import NotDecidedError, ProofRejectedError
from polyrank.proof.function import check_function
from polyrank.proof.slopes import AffineMap, at_least, at_most
from polyrank.proof.verdict import check_verdict
from polyrank.regions.manifest import network_entry
from polyrank.verification.gradients import lipschitz, monotone
from polyrank.verification.maximum import greatest_of
from polyrank.verification.pair import difference_network, greatest_difference, same_function
from polyrank.verification.properties import output_bounds
from tests.strategies import degenerate_networks

SQUARE = pr.Box(-1, 1)


@pytest.fixture(scope="module")
def net() -> pr.Network:
    """(x⁺ + y⁺ + (x + y − 1)⁺, x⁺ − y⁺): J = ((2, 2), (1, −1)) where all are active."""
    first = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    return pr.Network.from_arrays(
        [first, [[1.0, 1.0, 1.0], [1.0, -1.0, 0.0]]], [[0.0, 0.0, -1.0], [0.0, 0.0]]
    )


@pytest.fixture(scope="module")
def same(net) -> pr.Network:
    """The same function by other weights, one layer more: outputs as differences of halves."""
    first = [[2.0, 0.0], [0.0, 4.0], [1.0, 1.0]]
    second = [[0.5, 0.25, 1.0], [0.5, -0.25, 0.0], [-0.5, 0.25, 0.0]]
    third = [[1.0, 0.0, 0.0], [0.0, 1.0, -1.0]]
    return pr.Network.from_arrays([first, second, third], [[0.0, 0.0, -1.0], [0.0] * 3, [0.0, 0.0]])


@pytest.fixture(scope="module")
def shifted(net) -> pr.Network:
    """x⁺ is (x − 1/4)⁺: at most 1/4 from it, and there in both outputs."""
    first = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    return pr.Network.from_arrays(
        [first, [[1.0, 1.0, 1.0], [1.0, -1.0, 0.0]]], [[-0.25, 0.0, -1.0], [0.0, 0.0]]
    )


@pytest.fixture(scope="module")
def stored(net, same, shifted, tmp_path_factory) -> dict[str, Path]:
    """One directory of each kind; tests work on copies."""
    top = tmp_path_factory.mktemp("statements")
    folders = {name: top / name for name in ("up", "down", "1", "2", "inf", "equal", "other")}
    keep = {"proof": True, "jobs": 1}
    assert monotone(net, SQUARE, input_=0, output=1, out=folders["up"], **keep).holds
    assert not monotone(net, SQUARE, input_=1, output=1, out=folders["down"], **keep).holds
    for norm in ("1", "2", "inf"):
        lipschitz(net, SQUARE, norm, out=folders[norm], **keep)
    assert same_function(net, same, SQUARE, out=folders["equal"], **keep).same
    assert not same_function(net, shifted, SQUARE, out=folders["other"], **keep).same
    folders["difference"] = top / "difference"
    found = greatest_difference(net, shifted, SQUARE, out=folders["difference"], **keep)
    assert found.value == fmpq(1, 4)
    return folders


@pytest.fixture
def copy(stored, tmp_path):
    def copied(name: str) -> Path:
        return Path(shutil.copytree(stored[name], tmp_path / name, dirs_exist_ok=True))

    return copied


def _restate(path: Path, change) -> None:
    stated = json.loads(path.read_text())
    change(stated)
    path.write_text(json.dumps(stated))


@pytest.mark.parametrize(
    ("name", "verdict", "values"),
    [
        ("up", "holds", ()),
        ("down", "violated", ()),
        ("1", "certified", ("3",)),
        ("inf", "certified", ("4",)),
        ("equal", "holds", ()),
        ("other", "violated", ()),
        ("difference", "certified", ("1/4",)),
    ],
)
def test_accepted(stored, name, verdict, values):
    report = check_function(stored[name])
    assert (report.verdict, report.values, report.doubt) == (verdict, values, "")


def test_the_spectral_norm_is_enclosed(stored):
    low, high = (fmpq(*map(int, v.split("/"))) for v in check_function(stored["2"]).values)
    assert low <= 8 <= high  # JᵀJ = ((5, 3), (3, 5))
    assert high - low < fmpq(1, 10**9)


def _put(*path_and_value):
    *path, last, value = path_and_value

    def change(stated):
        for key in path:
            stated = stated[key]
        stated[last] = value

    return change


_CHANGES = [
    ("up", _put("claim", "input", 1), "slope of the other sign"),
    ("up", _put("claim", "increasing", False), "slope of the other sign"),
    ("up", _put("claim", "output", 2), "no input 0 or output 2"),
    ("up", _put("claim", "increasing", 1), "no input 0 or output 1"),
    ("up", _put("claim", "kind", "convex"), "none"),
    ("up", _put("domain", Box(-1, 2).describe()), "another domain"),
    ("up", _put("verdict", "certified"), "the verdict is"),
    ("down", _put("points", [["0", "0"], ["0", "2"]]), "not in the domain"),
    ("down", _put("points", [["0", "0"], ["1", "1"]]), "more than the input"),
    ("down", _put("points", [["0", "1"], ["0", "1/2"]]), "do not grow"),
    ("down", _put("points", [["0", "-1"], ["0", "0"]]), "do not show it"),
    ("down", _put("points", [["0"], ["1"]]), "not in the domain"),
    ("1", _put("upper", "2999/1000"), "greater norm"),
    ("1", _put("lower", "3001/1000"), "smaller norm"),
    ("1", _put("witness", ["-1/2", "-1/2"]), "smaller norm"),
    ("1", _put("witness", ["3", "3"]), "not in the domain"),
    ("1", _put("claim", "norm", "inf"), "greater norm"),
    ("1", _put("claim", "norm", "3"), "the norm is"),
    ("inf", _put("claim", "norm", "1"), "smaller norm"),
    ("2", _put("upper", "7999/1000"), "greater norm"),
    ("2", _put("lower", "8001/1000"), "smaller norm"),
    ("equal", _put("domain", Box(-2, 1).describe()), "another domain"),
    ("equal", _put("verdict", "violated"), None),
    ("other", _put("point", ["-1", "-1"]), "are equal"),
    ("other", _put("point", ["0", "9"]), "not in the domain"),
    ("other", _put("verdict", "holds"), "no proof"),
    ("difference", _put("value", "1/5"), "another one"),
    ("difference", _put("output", 2), "no output 2"),
    ("difference", _put("x", ["-1", "-1"]), "another one"),
    ("difference", _put("domain", Box(-2, 1).describe()), "bounds something else"),
    ("difference", _put("proof", False), "no proof"),
    ("difference", _put("verdict", "unknown"), "unknown"),
]


@pytest.mark.parametrize(("name", "change", "says"), _CHANGES)
def test_changed_statements_are_rejected(copy, name, change, says):
    path = copy(name)
    _restate(path / "function.json", change)
    with pytest.raises(RunError if says is None else ProofRejectedError, match=says) as refused:
        check_function(path)
    # a proof of something else shows nothing to be false
    unproved = says in ("another domain", "bounds something else", "no proof", "unknown")
    assert isinstance(refused.value, NotDecidedError) == unproved


def test_a_witness_between_regions_names_none(tmp_path):
    """|x| = x⁺ + (−x)⁺ has slope 1 in absolute value; at 0 no unit is active, as on no region."""
    absolute = pr.Network.from_arrays([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    lipschitz(absolute, pr.Box([-1], [1]), "inf", out=tmp_path / "out", proof=True, jobs=1)
    path = tmp_path / "out"
    _restate(path / "function.json", _put("witness", ["0"]))
    with pytest.raises(NotDecidedError, match="lies in no region"):
        check_function(path)
    _restate(path / "function.json", _put("lower", "2"))
    with pytest.raises(ProofRejectedError, match="smaller norm") as refused:
        check_function(path)
    assert not isinstance(refused.value, NotDecidedError)


def test_proofs_of_other_networks_decide_nothing(stored, copy):
    path = copy("up")
    shutil.rmtree(path / "regions")
    shutil.copytree(stored["equal"] / "regions", path / "regions")
    with pytest.raises(NotDecidedError, match="regions are those of another network"):
        check_function(path)
    path = copy("equal")
    shutil.rmtree(path / "regions")
    shutil.copytree(stored["up"] / "regions", path / "regions")
    with pytest.raises(NotDecidedError, match="it has other layers"):
        check_function(path)


def test_a_smaller_difference_that_is_attained_is_rejected(copy):
    """At (1/8, 0) the difference is 1/8; the verdict below bounds it by 1/4."""
    path = copy("difference")
    _restate(path / "function.json", _put("value", "1/8"))
    _restate(path / "function.json", _put("x", ["1/8", "0"]))
    with pytest.raises(ProofRejectedError, match="bounds something else"):
        check_function(path)


def test_changed_regions_are_rejected(copy):
    path = copy("up")
    (path / "regions" / "proof" / "part-000000.bin.zst").unlink()
    with pytest.raises(ProofRejectedError, match="is missing"):
        check_function(path)
    shutil.rmtree(path / "regions")
    with pytest.raises(RunError):
        check_function(path)
    other = copy("equal")
    shutil.rmtree(other / "regions")
    shutil.copytree(copy("up") / "regions", other / "regions")
    # a complete run of another network: no difference of the two
    with pytest.raises(ProofRejectedError):
        check_function(other)


def test_regions_of_another_network_are_rejected(copy, shifted, tmp_path):
    path = copy("up")
    shutil.rmtree(path / "regions")
    pr.enumerate_regions(shifted, SQUARE, out=path / "regions", proof=True)
    with pytest.raises(ProofRejectedError, match="another network"):
        check_function(path)


def test_a_partial_run_decides_nothing(net, copy):
    path = copy("up")
    shutil.rmtree(path / "regions")
    pr.enumerate_regions(net, SQUARE, out=path / "regions", proof=True, through_layer=1)
    with pytest.raises(NotDecidedError, match="not all of them"):
        check_function(path)


def test_a_flat_domain_has_no_slopes(net, copy):
    path = copy("up")
    flat = pr.Box([0, 0], [1, 0])
    shutil.rmtree(path / "regions")
    pr.enumerate_regions(net, flat, out=path / "regions", proof=True)
    _restate(path / "function.json", _put("domain", flat.describe()))
    with pytest.raises(ProofRejectedError, match="flat"):
        check_function(path)


def test_the_networks_are_those_that_are_named(copy, net, same, shifted):
    path = copy("equal")
    pr.save(shifted, path / "second.json", overwrite=True)
    with pytest.raises(NotDecidedError, match="second network"):
        check_function(path)
    _restate(path / "function.json", _put("second", "network", "hash", shifted.sha256))
    with pytest.raises(ProofRejectedError, match="other widths"):
        check_function(path)
    _restate(path / "function.json", _put("second", "network", network_entry(shifted)))
    with pytest.raises(ProofRejectedError, match="other layers"):
        check_function(path)
    # a third one with the same layers but one weight, one bias or one slope
    deeper = [layer.weight.approx.copy() for layer in same.layers]
    for change in (
        lambda w, b: w[1].__setitem__((0, 0), 7.0),
        lambda w, b: b[2].__setitem__(0, 7.0),
    ):
        weights, biases = (
            [w.copy() for w in deeper],
            [layer.bias.approx.copy() for layer in same.layers],
        )
        change(weights, biases)
        third = pr.Network.from_arrays(weights, biases)
        pr.save(third, path / "second.json", overwrite=True)
        _restate(path / "function.json", _put("second", "network", network_entry(third)))
        with pytest.raises(ProofRejectedError, match=r"is not that of the two networks"):
            check_function(path)
    path = copy("up")
    assert check_function(path, network=path / "network.json").verdict == "holds"
    pr.save(shifted, path / "network.json", overwrite=True)
    with pytest.raises(NotDecidedError, match="another network"):
        check_function(path)


def test_a_narrower_verdict_bounds_no_difference(net, shifted, copy):
    """Without one output and sign the verdict holds, with a proof of its own, and says less."""
    path = copy("difference")
    pair = difference_network(net, shifted)
    functions = [[1, 0], [-1, 0], [0, 1], [0, -1]]
    for kept in (4, 3):
        shutil.rmtree(path / "verdict")
        found = greatest_of(
            pair, SQUARE, functions[:kept], jobs=1, out=path / "verdict", proof=True
        )
        assert found.value == fmpq(1, 4)
        assert check_verdict(path / "verdict").verdict == "holds"
        if kept == 4:
            assert check_function(path).verdict == "certified"
    with pytest.raises(ProofRejectedError, match="bounds something else"):
        check_function(path)


@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"format": 7}'])
def test_damaged_statements(copy, text):
    path = copy("up")
    (path / "function.json").write_text(text)
    with pytest.raises(RunError):
        check_function(path)


@pytest.mark.parametrize("proof", [False, True])
def test_a_question_that_fails_leaves_nothing(net, shifted, tmp_path, proof):
    """On a flat domain there are no slopes, on all of R^n there may be no maximum."""
    out = tmp_path / "out"
    flat, keep = pr.Box([0, -1], [0, 1]), {"out": out, "proof": proof, "jobs": 1}
    with pytest.raises(UnsupportedError, match="flat"):
        monotone(net, flat, input_=0, output=0, **keep)
    assert not out.exists()
    with pytest.raises(UnsupportedError, match="flat"):
        lipschitz(net, flat, **keep)
    assert not out.exists()
    with pytest.raises(UnsupportedError, match="unbounded"):
        greatest_difference(net, shifted, pr.WholeSpace(), **keep)
    assert not out.exists()
    with pytest.raises(UnsupportedError, match=r"beyond 1\.8e308"):
        pr.verify(net, output_bounds(net, pr.Box(-(10**400), 1), upper=1), **keep)
    assert not out.exists()


def test_whole_space(net, same, tmp_path):
    """Slopes on all of R^n, and functions that see one direction only."""
    out = tmp_path / "whole"
    assert monotone(net, pr.WholeSpace(), input_=0, output=0, out=out, proof=True).holds
    assert check_function(out).verdict == "holds"
    ridge = pr.Network.from_arrays([[[1.0, 2.0, 0.0]], [[3.0]]], [[1.0], [0.0]])
    out = tmp_path / "ridge"
    found = lipschitz(ridge, pr.WholeSpace(), "inf", out=out, proof=True)
    assert (found.lower, check_function(out).values) == (9, ("9",))
    out = tmp_path / "equal"
    assert same_function(net, same, pr.WholeSpace(), out=out, proof=True).same
    assert check_function(out).verdict == "holds"


@settings(max_examples=8, deadline=None)
@given(degenerate_networks(max_inputs=2, max_hidden=2, max_bits=5))
def test_degenerate_networks(tmp_path_factory, network):
    top = tmp_path_factory.mktemp("drawn")
    for norm in ("1", "2", "inf"):
        lipschitz(network, SQUARE, norm, jobs=1, out=top / norm, proof=True)
        check_function(top / norm)
    monotone(network, SQUARE, input_=0, output=0, jobs=1, out=top / "m", proof=True)
    check_function(top / "m")
    assert same_function(network, network, SQUARE, jobs=1, out=top / "e", proof=True).same
    check_function(top / "e")


def test_norms_against_numpy():
    rng = np.random.default_rng(0)
    for shape in ((1, 4), (4, 1), (3, 3), (2, 5), (5, 2)):
        J = rng.integers(-9, 10, shape)
        found = AffineMap([[*map(int, row), 5] for row in J], 7)
        for norm, order in (("1", 1), ("inf", np.inf), ("2", 2)):
            value = float(np.linalg.norm(J / 7, order)) ** (2 if norm == "2" else 1)
            for factor in (0.999, 1.001):
                bound = fmpq(round(value * factor * 10**9), 10**9)
                assert at_most(found, norm, bound) == (factor > 1)
                assert at_least(found, norm, bound) == (factor < 1)
    zero = AffineMap([[0, 0, 3], [0, 0, 1]], 2)
    for norm in ("1", "2", "inf"):
        assert at_most(zero, norm, fmpq(0))
        assert at_least(zero, norm, fmpq(0))
    # of rank 1: touched exactly, where the elimination meets a pivot 0
    ones = AffineMap([[1, 1, 0], [1, 1, 0]], 1)
    assert at_most(ones, "2", fmpq(4))
    assert at_least(ones, "2", fmpq(4))
