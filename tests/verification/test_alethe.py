"""Exported proofs are accepted by a strict reader, and rejected once they are changed."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings

import polyrank as pr
from polyrank.errors import RunError, UnsupportedError
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray
from polyrank.polyhedra.dnf import Inequality
from polyrank.polyhedra.violation import OutputRow, Question, specification_of
from polyrank.proof.format import NotDecidedError
from polyrank.verification.alethe import export_alethe
from polyrank.verification.maximum import greatest
from polyrank.verification.properties import argmax_constant, output_bounds
from tests.oracles import exact_layers
from tests.strategies import degenerate_networks
from tests.verification.alethe_checker import Checker, NotProvedError, la_generic, parsed, resolved
from tests.verification.vertices import extremes


@pytest.fixture(scope="module")
def deep() -> pr.Network:
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=s) for s in ((6, 2), (5, 6), (2, 5))]
    return pr.Network.from_arrays(weights, [rng.normal(size=len(w)) for w in weights])


def _exported(network, property_, folder: Path) -> list[Checker]:
    """Accepted by the reader; one for each question."""
    found = pr.verify(network, property_, out=folder / "run", proof=True, jobs=1)
    assert found.verdict == "holds"
    out = []
    for entry in export_alethe(folder / "run", folder / "proof.alethe"):
        checker = Checker(entry.problem.read_text())
        checker.check(entry.proof.read_text())
        assert sum(checker.steps.values()) == entry.steps
        out.append(checker)
    return out


def test_by_bounds_alone(deep, tmp_path):
    (checker,) = _exported(deep, output_bounds(deep, pr.Box(-1, 1), upper=1000), tmp_path)
    assert checker.steps["subproof"] == 1
    assert set(checker.steps) == {"la_generic", "resolution", "or", "subproof", "false"}


def test_a_tree_with_exact_leaves(deep, tmp_path):
    """The maximum is touched: boxes, halves of units and multipliers of all kinds."""
    most = greatest(deep, pr.Box(-1, 1), [1, 0]).value
    touched = output_bounds(deep, pr.Box(-1, 1), upper=most, output=0)
    (checker,) = _exported(deep, touched, tmp_path)
    assert checker.steps["subproof"] > 10


def test_several_disjuncts_and_rows(folded, tmp_path):
    """Of a disjunct with two rows one is refuted; another one needs both of them."""
    touched = output_bounds(folded, pr.Box(-1, 1), lower=-1, upper=2)
    (checker,) = _exported(folded, touched, tmp_path)
    assert checker.steps["or"] > 1
    one, minus = fmpq(1), fmpq(-1)
    disjuncts = (
        (OutputRow(((0, minus),), fmpq(-3)), OutputRow(((1, one),), fmpq(5))),
        # y0 + y1 = 1 everywhere: y0 <= 1/3 and y1 < 2/3 contradict each other
        (OutputRow(((0, one),), fmpq(1, 3)), OutputRow(((1, one),), fmpq(2, 3), strict=True)),
    )
    domain = pr.Polytope([[1, 1], [-1, 0], [0, -1]], [1, "1/3", "1/3"])
    asked = specification_of("both", 2, 2, (Question(domain, disjuncts),))
    (tmp_path / "both").mkdir()
    (checker,) = _exported(folded, asked, tmp_path / "both")
    assert checker.steps["and_pos"] >= 3


def test_strict_bounds_of_inputs(folded, tmp_path):
    """|x − y| = 2 is attained only where an excluded wall is."""
    open_wall = (Inequality(((0, fmpq(1)),), fmpq(1), strict=True),
                 Inequality(((1, fmpq(1)),), fmpq(1), strict=True))  # fmt: skip
    most = ((OutputRow(((0, fmpq(-1)),), fmpq(-2)),),)
    asked = specification_of("open", 2, 2, (Question(pr.Box(-1, 1), most, open_wall),))
    (checker,) = _exported(folded, asked, tmp_path)
    assert any("<" in str(term) for term in checker.assertions)


def test_questions_of_their_own(folded, tmp_path):
    above = ((OutputRow(((0, fmpq(-1)),), fmpq(-9)),),)
    domains = [pr.Box(0, 1), pr.Box([2, 2], [3, 3])]
    empty = pr.Polytope([[1, 0], [-1, 0]], [0, -1])
    questions = [*(Question(d, above) for d in domains), Question(empty, above)]
    questions.append(Question(pr.Box(0, 1), ()))
    asked = specification_of("y0 < 9", 2, 2, tuple(questions))
    checkers = _exported(folded, asked, tmp_path)
    assert len(checkers) == 4
    assert (tmp_path / "proof-3.smt2").exists()
    assert checkers[2].steps == {"la_generic": 1, "resolution": 1}


def test_slopes_of_all_kinds(tmp_path):
    """Slopes (1/3, 1), (2, −1), (−1, 1), (1, 1) and activations of the output."""

    def array(values, shape):
        return RationalArray.from_rationals(values, shape)

    def layer(weight, bias, neg, pos):
        flat = [v for row in weight for v in row]
        m = len(weight)
        return Layer(array(flat, (m, len(weight[0]))), *(array(v, (m,)) for v in (bias, neg, pos)))

    third = Fraction(1, 3)
    neg, pos = [third, Fraction(2), Fraction(-1), Fraction(1)], [1, -1, 1, 1]
    network = Network(
        (
            layer([[1, third], [-1, 2], [third, -1], [1, 1]], [0, third, 0, -third], neg, pos),
            layer([[1, -1, third, 1], [1, 1, -1, third]], [third, 0], [0, 3], [1, 1]),
        ),
        "slopes",
    )
    domain = pr.Box(-1, "1/2")
    for j in range(2):
        weights = [0, 0]
        weights[j] = 1
        most = greatest(network, domain, weights).value
        folder = tmp_path / str(j)
        folder.mkdir()
        _exported(network, output_bounds(network, domain, upper=most, output=j), folder)


@settings(max_examples=5, deadline=None)
@given(degenerate_networks(max_inputs=2, max_hidden=2, max_bits=5))
def test_exact_extremes(tmp_path_factory, network):
    d = network.input_dim
    least, most = (
        fmpq(v.numerator, v.denominator)
        for v in extremes(network, (Fraction(-1),) * d, (Fraction(1),) * d)[0]
    )
    assert exact_layers(network)
    touched = output_bounds(network, pr.Box(-1, 1), lower=least, upper=most, output=0)
    _exported(network, touched, tmp_path_factory.mktemp("drawn"))


def test_argmax(tmp_path):
    network = pr.Network.from_arrays(
        [[[1.0], [-1.0]], [[1.0, 1.0], [-1.0, -1.0], [0.0, 0.0]]], [[0.0, 0.0], [0.0, 0.5, 0.0]]
    )
    _exported(network, argmax_constant(network, pr.Box(-0.2, 0.2), 1), tmp_path)


@pytest.fixture(scope="module")
def files(folded, tmp_path_factory) -> tuple[str, str]:
    """Problem and proof with an exact leaf that is divided by units."""
    folder = tmp_path_factory.mktemp("files")
    touched = output_bounds(folded, pr.Box(-1, 1), lower=-1, upper=2)
    pr.verify(folded, touched, out=folder / "run", proof=True, jobs=1)
    (entry,) = export_alethe(folder / "run", folder / "proof.alethe")
    return entry.problem.read_text(), entry.proof.read_text()


def test_changed_proofs_are_rejected(files):
    problem, proof = files
    lines = proof.splitlines()
    checker = Checker(problem)
    checker.check(proof)

    def where(text: str) -> int:
        return next(i for i, line in enumerate(lines) if text in line)

    def without(i: int) -> list[str]:
        return lines[:i] + lines[i + 1 :]

    def with_line(i: int, change) -> list[str]:
        changed = change(lines[i])
        assert changed != lines[i]
        return [*lines[:i], changed, *lines[i + 1 :]]

    la, res, either = where("la_generic"), where(":rule resolution"), where(":rule or")
    sub, inside = where(":rule subproof"), where("(assume t")
    last = len(lines) - 1
    kinds = {
        "no end": lines[:-1],
        "a step is missing": without(la),
        "an assumption is missing": without(inside),
        "a multiplier is another": with_line(la, lambda v: re.sub(r"1\.0\)\)$", "7.0))", v)),
        "a multiplier is negative": with_line(la, lambda v: re.sub(r"1\.0\)\)$", "(- 1.0)))", v)),
        "a multiplier is too few": with_line(la, lambda v: re.sub(r" 1\.0\)\)$", "))", v)),
        "a bound is turned": with_line(la, lambda v: v.replace("(cl (not (<=", "(cl (not (>=")),
        "a premise is missing": with_line(res, lambda v: re.sub(r" \S+\)\)$", "))", v)),
        "a premise is another": with_line(res, lambda v: re.sub(r"\(t\d+ ", "(t99999 ", v)),
        "a rule is another": with_line(either, lambda v: v.replace(":rule or", ":rule trust")),
        "a case is too much": with_line(either, lambda v: v.replace("(cl ", "(cl false ")),
        "an assertion is another": with_line(0, lambda v: v.replace("1.0", "2.0", 1)),
        "less is discharged": with_line(sub, lambda v: re.sub(r" :dis.*", ")", v)),
        "the end is no clause": with_line(last, lambda v: v.replace("(cl)", "(cl false)")),
        "a bracket is missing": with_line(last, lambda v: v[:-1]),
        "a name is twice": [*lines[: la + 1], *lines[la:]],
        "a definition is another": with_line(where(":named"), lambda v: v.replace("X_0", "X_1", 1)),
    }
    for kind, changed in kinds.items():
        with pytest.raises((NotProvedError, KeyError)):
            Checker(problem).check("\n".join(changed))
            pytest.fail(f"accepted although {kind}")
    weaker = problem.replace("(assert (<= X_0 1.0))\n", "")
    assert weaker != problem
    with pytest.raises(NotProvedError, match="no assertion"):
        Checker(weaker).check(proof)


def test_the_reader_knows_arithmetic():
    """Its own rules, on cases done by hand."""
    names = frozenset({"x", "y"})

    def clause(text):
        return parsed(text)[0][1:]

    good = clause("(cl (not (>= x 1.0)) (not (<= y (* 2.0 x))) (not (>= y 5.0)) (>= x 2.5))")
    for args, holds in (
        (("0.0", "1.0", "1.0", "2.0"), True),
        (("1.0", "1.0", "1.0", "2.0"), False),  # x stays
        (("0.0", "1.0", "1.0"), False),
    ):
        if holds:
            la_generic(good, args, names)
        else:
            with pytest.raises(NotProvedError):
                la_generic(good, args, names)
    touching = clause("(cl (not (>= x 1.0)) (not (<= x 1.0)))")
    with pytest.raises(NotProvedError, match="no contradiction"):
        la_generic(touching, ("1.0", "1.0"), names)
    la_generic(clause("(cl (not (> x 1.0)) (not (<= x 1.0)))"), ("1.0", "1.0"), names)
    shifted = clause("(cl (not (= (+ y 1.0) x)) (<= y x))")
    la_generic(shifted, (("-", "1.0"), "1.0"), names)  # of an equality any sign
    with pytest.raises(NotProvedError, match="do not cancel"):
        la_generic(shifted, ("1.0", "1.0"), names)
    with pytest.raises(NotProvedError, match="negative factor"):
        la_generic(touching, ("1.0", ("-", "1.0")), names)
    with pytest.raises(NotProvedError, match="linear"):
        la_generic(clause("(cl (<= (* x y) 1.0))"), ("1.0",), names)
    with pytest.raises(NotProvedError, match="comparison"):
        la_generic(clause("(cl (= x 1.0))"), ("1.0",), names)
    a, b, c = "a", "b", "c"
    assert resolved([(a, b), (("not", a), c), (("not", c),)]) == {b}
    with pytest.raises(NotProvedError, match="0 pivots"):
        resolved([(a, b), (c,)])
    with pytest.raises(NotProvedError, match="2 pivots"):
        resolved([(a, b), (("not", a), ("not", b))])
    with pytest.raises(NotProvedError, match="no command"):
        Checker("(set-logic QF_LRA)(push 1)(check-sat)")


def test_what_cannot_be_exported(deep, folded, tmp_path):
    pr.verify(
        folded, output_bounds(folded, pr.Box(-1, 1), upper=1), out=tmp_path / "no", proof=True
    )
    with pytest.raises(NotDecidedError, match="holds can be exported"):
        export_alethe(tmp_path / "no", tmp_path / "no.alethe")
    simplex = pr.Simplex([[0, 0], [1, "1/3"], ["1/3", 1]])
    free = output_bounds(deep, simplex, upper=1000)
    pr.verify(deep, free, out=tmp_path / "simplex", proof=True)
    with pytest.raises(UnsupportedError, match="Simplex has coordinates of its own"):
        export_alethe(tmp_path / "simplex", tmp_path / "simplex.alethe")
    free = output_bounds(deep, pr.Box(-1, 1), upper=1000)
    pr.verify(deep, free, out=tmp_path / "run", proof=True)
    (tmp_path / "there.smt2").write_text("")
    with pytest.raises(RunError, match=r"there.smt2 exists already"):
        export_alethe(tmp_path / "run", tmp_path / "there.alethe")
