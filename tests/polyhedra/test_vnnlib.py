"""VNN-LIB input constraints: read exactly, refused in one sentence."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.errors import DomainError, EmptyDomainError
from polyrank.polyhedra import Box, Domain, Polytope
from polyrank.polyhedra.vnnlib import parse_vnnlib, read_vnnlib, vnnlib_domain
from polyrank.posed.chart import chart

HEAD = "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)\n"


def one(formula: str) -> Domain:
    return parse_vnnlib(f"{HEAD}(assert {formula})").case()


def polytope(rows: list[list[Any]], bounds: list[Any]) -> Polytope:
    return Polytope(rows, bounds)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("(<= X_0 1)", ([[1, 0]], [1])),
        ("(>= X_0 1)", ([[-1, 0]], [-1])),
        ("(<= 1 X_1)", ([[0, -1]], [-1])),
        ("(= X_0 0.1)", ([[1, 0], [-1, 0]], ["1/10", "-1/10"])),
        ("(<= -1 X_0 1e-2)", ([[-1, 0], [1, 0]], [1, "1/100"])),
        ("(>= 1 X_0 X_1)", ([[1, 0], [-1, 1]], [1, 0])),
        ("(<= (+ X_0 (* 2 X_1) 3) (- X_1 .5))", ([[1, 1]], ["-7/2"])),
        ("(<= (- X_0) (- 4 X_1 2 1))", ([[-1, 1]], [1])),
        ("(<= (* 2 (+ X_0 X_1) 3) (/ 1 3))", ([[6, 6]], ["1/3"])),
        ("(<= (/ (- X_0 X_1) 4 -2) 0)", ([["-1/8", "1/8"]], [0])),
        ("(<= (- X_0 X_0) X_1)", ([[0, -1]], [0])),
        ("(<= (* 0 X_0 ) X_1)", ([[0, -1]], [0])),
        ("(and)", ([], [])),
        ("(<= 1 2)", ([], [])),
        ("(and (<= X_0 1) (and (<= X_1 2)))", ([[1, 0], [0, 1]], [1, 2])),
        ("(and (<= X_0 1) (<= Y_0 3) (>= (+ Y_0 1) 2))", ([[1, 0]], [1])),
        ("(or (and (<= X_0 1) (<= Y_0 3)) (and (<= X_0 1) (<= Y_0 4)))", ([[1, 0]], [1])),
        ("(or (<= X_0 1) (<= Y_0 3))", ([], [])),
        ("(or (<= X_0 1) (<= 2 1))", ([[1, 0]], [1])),
    ],
)
def test_formulas(formula: str, expected: tuple[list[list[Any]], list[Any]]) -> None:
    rows, bounds = expected
    assert one(formula) == Polytope(rows or fmpq_mat(0, 2), bounds)


def test_bounds_on_every_input_are_a_box() -> None:
    found = one("(and (<= X_0 2) (>= X_0 -.5) (<= (* 2 X_1) 1) (>= X_1 0) (<= X_0 1.5))")
    assert found == Box(["-1/2", 0], ["3/2", "1/2"])


def test_contradictory_bounds_are_left_to_the_certificate() -> None:
    found = one("(and (<= X_0 0) (>= X_0 1) (<= X_1 1) (>= X_1 0))")
    with pytest.raises(EmptyDomainError, match=r"1 \* \(x0 <= 0\) \+ 1 \* \(x0 >= 1\)"):
        chart(found, 2)


def test_output_constraints_are_counted() -> None:
    text = HEAD + "(assert (<= X_0 1)) (assert (or (<= Y_0 1) (and (>= Y_0 2) (= Y_0 3))))"
    found = parse_vnnlib(text)
    assert (found.inputs, found.outputs, found.output_constraints) == (2, 1, 4)


def test_comments_and_harmless_commands() -> None:
    found = parse_vnnlib(
        "; a comment ( with a bracket\r\n(set-logic QF_LRA)(set-info :status unknown)"
        "(declare-fun X_0 () Real)\n(assert(<= X_0 1));(\n(check-sat)(exit);"
    )
    assert found.case() == Polytope([[1]], [1])


def test_the_cases_are_the_disjuncts() -> None:
    text = HEAD + (
        "(assert (or (<= X_0 1) (and (<= X_0 2) (<= X_1 2))))"
        "(assert (or (>= X_1 3) (>= X_1 4)))(assert (>= X_0 0))"
    )
    found = parse_vnnlib(text, "two.vnnlib")
    assert len(found.cases) == 4
    assert found.case(0) == Polytope([[-1, 0], [1, 0], [0, -1]], [0, 1, -3])
    assert found.case(3) == Polytope([[-1, 0], [1, 0], [0, 1], [0, -1]], [0, 2, 2, -4])
    with pytest.raises(DomainError, match="two.vnnlib have 4 cases .* choose one of case 0 to 3"):
        found.case()
    for number in (4, -1):
        with pytest.raises(DomainError, match=f"no case {number}; .* numbered 0 to 3"):
            found.case(number)


# --- random formulas against their direct evaluation ----------------------------------------------

Tree = Any


def _terms() -> st.SearchStrategy[Tree]:
    numbers = st.sampled_from(["0", "1", "-2", "0.5", "1e-1", "(- 3)", "(/ 1 3)"])
    leaves = numbers | st.sampled_from(["X_0", "X_1"])
    return st.one_of(
        leaves,
        st.tuples(st.sampled_from("+-"), st.lists(leaves, min_size=1, max_size=3)),
        st.tuples(st.just("*"), st.tuples(numbers, leaves)),
        st.tuples(st.just("/"), st.tuples(leaves, st.sampled_from(["2", "-0.5"]))),
        st.tuples(
            st.just("-"), st.tuples(leaves, st.tuples(st.just("+"), st.tuples(leaves, leaves)))
        ),
    )


def _formulas() -> st.SearchStrategy[Tree]:
    comparison = st.tuples(
        st.sampled_from(["<=", ">=", "="]), st.lists(_terms(), min_size=2, max_size=3)
    )
    return st.recursive(
        comparison,
        lambda inner: st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, max_size=3)),
        max_leaves=5,
    )


def _text(tree: Tree) -> str:
    if isinstance(tree, str):
        return tree
    head, parts = tree
    return f"({head} {' '.join(map(_text, parts))})"


def _value(tree: Tree, x: tuple[Fraction, Fraction]) -> Any:
    if isinstance(tree, str):
        if tree.startswith("X_"):
            return x[int(tree[2])]
        signed = re.fullmatch(r"\((.) (\d)(?: (\d))?\)", tree)
        if signed is None:
            return Fraction(tree)
        return -Fraction(signed[2]) if signed[1] == "-" else Fraction(f"{signed[2]}/{signed[3]}")
    head, parts = tree
    values = [_value(part, x) for part in parts]
    pairs = list(pairwise(values))
    match head:
        case "and":
            return all(values)
        case "or":
            return any(values)
        case "<=":
            return all(a <= b for a, b in pairs)
        case ">=":
            return all(a >= b for a, b in pairs)
        case "=":
            return all(a == b for a, b in pairs)
        case "+":
            return sum(values)
        case "-":
            return -values[0] if len(values) == 1 else values[0] - sum(values[1:])
        case "*":
            return values[0] * values[1]
    return values[0] / values[1]


@settings(max_examples=150)
@given(
    _formulas(),
    st.lists(st.tuples(*[st.fractions(-3, 3, max_denominator=6)] * 2), min_size=1, max_size=8),
)
def test_the_union_of_the_cases_is_the_formula(
    tree: Tree, points: list[tuple[Fraction, Fraction]]
) -> None:
    text = f"{HEAD}(assert {_text(tree)})"
    try:
        cases = parse_vnnlib(text).cases
    except DomainError as error:
        assert "no case remains" in str(error)  # noqa: PT017
        cases = ()
    systems = [case.system(2) for case in cases]
    for x in points:
        column = fmpq_mat(2, 1, [fmpq(v.numerator, v.denominator) for v in x])
        inside = any(
            all(a <= b for a, b in zip((s.A * column).entries(), s.b.entries(), strict=True))
            for s in systems
        )
        assert inside == _value(tree, x)


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no input X_0 is declared; is this VNN-LIB"),
        ("garbage", "line 1: expected '\\(' but found 'garbage'"),
        ("\x00\x01", "expected '\\('"),
        ("\n\n)", "line 3: expected '\\(' but found '\\)'"),
        (HEAD + "(assert (<= X_0 1)", "line 2: the file ends with 1 open brackets"),
        ("()", r"unknown command \(\)"),
        ("((and))", "unknown command a formula"),
        (HEAD + "(vnnlib-version <2.0>)", "unknown command 'vnnlib-version'"),
        (f"({'x' * 90})", "unknown command 'x{40}'…"),
        ("(declare-const X_0)", "'X_0' must be declared as a Real constant"),
        ("(declare-const)", r"\(\) must be declared"),
        ("(declare-const X_0 Int)", "'X_0' must be declared as a Real constant"),
        ("(declare-const (+ 1 2) Real)", "not a term"),
        ("(declare-const Z_0 Real)", "variables are called X_0, X_1, .* not 'Z_0'"),
        ("(declare-const X_00 Real)", "not 'X_00'"),
        ("(declare-const X_0 Real)(declare-const X_0 Real)", "X_0 is declared twice"),
        ("(declare-const X_1 Real)", "X_0 is not declared, but later X variables are"),
        ("(declare-const X_999999999 Real)", "X_0 is not declared"),
        ("(declare-const X_0 Real)(declare-const Y_3 Real)", "Y_0 is not declared, but"),
        ("(declare-const Y_0 Real)", "no input X_0 is declared"),
        (HEAD + "(assert)", "assert takes one formula, not 0"),
        (HEAD + "(assert X_0)", "expected a formula .* found 'X_0'"),
        (HEAD + "(assert ())", r"expected a formula .* found \(\)"),
        (HEAD + "(assert (+ X_0 1))", "expected a formula .* found a term"),
        (HEAD + "(assert (<= (and) 1))", "expected a number or a variable, found a formula"),
        (HEAD + "(assert (<= X_0))", "'<=' compares two terms, not 1"),
        (HEAD + "(assert (< X_0 1))", "strict inequalities are not part of VNN-LIB"),
        (HEAD + "(assert (not (<= X_0 1)))", "unsupported operator 'not'"),
        (HEAD + "(assert ((<= X_0 1)))", "unsupported operator a formula"),
        (HEAD + "(assert (<= (+) 1))", r"'\+' without an operand"),
        (HEAD + "(assert (<= (* X_0 X_1) 1))", "a product of two variables is not linear"),
        (HEAD + "(assert (<= (/ 1 X_0) 1))", "a division by a variable is not linear"),
        (HEAD + "(assert (<= (/ X_0 (- 2 2)) 1))", "a division by zero"),
        (HEAD + "(assert (<= X_0 Y_0))", "mixes inputs X and outputs Y"),
        (HEAD + "(assert (<= X_7 1))", "X_7 is not declared"),
        (HEAD + "(assert (<= X_0 nan))", "unknown name 'nan'"),
        (HEAD + "(assert (<= X_0 -))", "a number is '-'; expected a number"),
        (HEAD + "(assert (<= X_0 1e999999999))", "exponent is beyond"),
        (HEAD + "(assert (<= 2 1))", "contradict each other: no case remains"),
        (HEAD + "(assert (or))", "contradict each other: no case remains"),
    ],
)
def test_refusals_name_line_and_reason(text: str, message: str) -> None:
    with pytest.raises(DomainError, match=message) as caught:
        parse_vnnlib(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_comparison_may_use_a_term_twice() -> None:
    assert one("(= X_0 X_0)") == Polytope(fmpq_mat(0, 2), [])
    assert one("(<= 0 (+ X_0 X_1) 1)") == Polytope([[-1, -1], [1, 1]], [0, 1])


def nested(opening: str, core: str, closing: str, depth: int) -> str:
    return f"{HEAD}(assert {opening * depth}{core}{closing * depth})"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(" * 10**6, "more than 10000 brackets are open"),
        (nested("(* 1e4000 ", "X_0", ")", 9000), "a number grows beyond 20000 bits"),
        (nested("(and (<= X_0 1) ", "(<= X_0 2)", ")", 9000), "multiply out to more than"),
        (nested("(or (<= X_0 1) (<= X_1 1) ", "(<= X_0 2)", ")", 9000), ""),
        (
            HEAD + "".join(f"(assert (or (<= X_0 {i}) (>= X_1 {i}5)))" for i in range(60)),
            "multiplies out to 16384 cases",
        ),
    ],
)
def test_hostile_texts_end_soon(text: str, message: str) -> None:
    begun = time.perf_counter()
    if message:
        with pytest.raises(DomainError, match=message):
            parse_vnnlib(text)
    else:
        assert len(parse_vnnlib(text).cases) == 3
    assert time.perf_counter() - begun < 30


@pytest.mark.parametrize("text", [HEAD + "(assert (and" + " (and)" * 4000, "(exit)" * 4000])
def test_the_number_of_words_is_bounded(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyrank.polyhedra.vnnlib_reader._MOST_TOKENS", 10_000)
    with pytest.raises(DomainError, match="more than 10000 words"):
        parse_vnnlib(text)


def test_deep_sums_are_read() -> None:
    deep = nested("(<= ", "(+ " * 9000 + "X_0" + " X_1)" * 9000, " 1)", 1)
    assert parse_vnnlib(deep).case() == Polytope([[1, 9000]], [1])


def test_too_many_variables_or_coefficients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyrank.polyhedra.vnnlib_1.MOST_VARIABLES", 3)
    with pytest.raises(DomainError, match="more than 3 variables"):
        parse_vnnlib(HEAD + "(declare-const X_2 Real)")
    monkeypatch.setattr("polyrank.polyhedra.vnnlib_reader._LARGEST_POLYTOPE", 3)
    with pytest.raises(DomainError, match="more than 3 coefficients"):
        parse_vnnlib(HEAD + "(assert (and (<= X_0 1) (<= X_1 1)))")


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DomainError, match="cannot read .*none.vnnlib: No such file"):
        read_vnnlib(tmp_path / "none.vnnlib")
    with pytest.raises(DomainError, match="cannot read .*: Is a directory"):
        read_vnnlib(tmp_path)
    binary = tmp_path / "binary.vnnlib"
    binary.write_bytes(b"(assert \xff\xfe)")
    with pytest.raises(DomainError, match="binary.vnnlib is not VNN-LIB text: byte 8"):
        read_vnnlib(binary)
    monkeypatch.setattr("polyrank.polyhedra.vnnlib._LARGEST_FILE", 10)
    with pytest.raises(DomainError, match="has 11 bytes; a VNN-LIB file may have 10"):
        read_vnnlib(binary)


# --- the files of the shared data -----------------------------------------------------------------


def test_every_shared_file_is_read(shared_data: Callable[[str], Path]) -> None:
    files = sorted(shared_data(".").rglob("*.vnnlib"))
    assert files
    for file in files:
        found = read_vnnlib(file)
        assert all(isinstance(case, Box) for case in found.cases), file
        assert found.inputs == len(set(re.findall(r"declare-const X_", file.read_text()))) * (
            file.read_text().count("declare-const X_")
        )
        assert found.output_constraints > 0


def test_acas_xu_properties(shared_data: Callable[[str], Path]) -> None:
    third = vnnlib_domain(shared_data("acasxu_onnx/prop_3.vnnlib"))
    assert isinstance(third, Box)
    assert third.dimension == 5
    text = shared_data("acasxu_onnx/prop_3.vnnlib").read_text()
    for i, (low, high) in enumerate(zip(*third.bounds(5), strict=True)):
        said = dict(re.findall(rf"\((<=|>=) X_{i} (\S+?)\)", text))
        assert Fraction(str(low)) == Fraction(said[">="])
        assert Fraction(str(high)) == Fraction(said["<="])


def test_acas_xu_property_6_has_two_cases(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("acasxu_onnx/prop_6.vnnlib")
    with pytest.raises(DomainError, match="2 cases"):
        vnnlib_domain(path)
    first, second = vnnlib_domain(path, 0), vnnlib_domain(path, 1)
    assert isinstance(first, Box)
    assert isinstance(second, Box)
    assert first.bounds(5)[0][1] == fmpq(11140846, 10**8)
    assert second.bounds(5)[1][1] == fmpq(-11140846, 10**8)
