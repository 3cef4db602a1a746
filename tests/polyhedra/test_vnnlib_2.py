"""VNN-LIB 2.0: what concerns one network is read exactly, the rest refused by name."""

from __future__ import annotations

import gzip
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.errors import DomainError
from polyrank.polyhedra import Box, Polytope
from polyrank.polyhedra.condition import Comparison, Condition, Junction
from polyrank.polyhedra.vnnlib import parse_vnnlib, read_vnnlib, vnnlib_domain

HEAD = """(vnnlib-version <2.0>)
(declare-network acc
    (declare-input  X float32 [1, 3])
    (declare-output Y float32 [2]))
"""
FIRST = """(declare-const X_0 Real)(declare-const X_1 Real)(declare-const X_2 Real)
(declare-const Y_0 Real)(declare-const Y_1 Real)
"""


def test_a_property_as_benchmarks_write_it() -> None:
    found = parse_vnnlib(
        '; a comment (with brackets [and] "quotes\n'
        + HEAD
        + """; inputs
        (assert (and (>= X[0,0] -0.1) (<= X[0, 0] 0.5)))
        (assert (<= X [0,1] 1)) (assert (>= X[0,1] 0.0))
        (assert (== X[0,2] 0.25))
        (assert (or (<= Y[0] Y[1]) (and (> Y[0] 3.5) (!= Y[1] 0))))
        """
    )
    assert (found.version, found.inputs, found.outputs) == ("2.0", 3, 2)
    assert found.case() == Box(["-1/10", 0, "1/4"], ["1/2", 1, "1/4"])
    assert found.output_constraints == 3
    assert isinstance(found.condition, Junction)
    last = found.condition.parts[-1]
    assert last == Junction(
        "or",
        (
            Comparison((), ((0, fmpq(1)), (1, fmpq(-1))), "<=", fmpq(0)),
            Junction(
                "and",
                (
                    Comparison((), ((0, fmpq(-1)),), "<", fmpq(-7, 2)),
                    Comparison((), ((1, fmpq(1)),), "!=", fmpq(0)),
                ),
            ),
        ),
    )


def test_elements_are_numbered_row_by_row() -> None:
    """The element [i,j,k] of a tensor of shape [2,3,2] is number 6 i + 2 j + k."""
    head = (
        "(vnnlib-version <2.0>)(declare-network N (declare-input image real [2,3,2])"
        '(declare-output out Real [] "logits"))'
    )
    for i in range(2):
        for j in range(3):
            for k in range(2):
                found = parse_vnnlib(f"{head}(assert (<= image[{i},{j},{k}] 1))(assert (> out 2))")
                row = [0] * 12
                row[6 * i + 2 * j + k] = 1
                assert found.case() == Polytope([row], [1])
    assert (found.inputs, found.outputs, found.output_constraints) == (12, 1, 1)


def test_other_forms_of_declarations() -> None:
    """ONNX names, a hidden layer that no assertion mentions, other spellings of types."""
    found = parse_vnnlib(
        '(vnnlib-version <2.1>)(declare-network net_1 (declare-input x bfloat16 [1] "a (b")'
        '(declare-hidden h Float64 [4] "relu;1")(declare-output y double [1] ""))'
        "(assert (<= (+ (* 2 x[0]) (- 1) (- 3 1 1)) 1e0))"
    )
    assert found.case() == Polytope([[2]], [1])


@pytest.mark.parametrize(
    ("assertion", "message"),
    [
        ("(<= X[0] 1)", r"X\[0\] is no element of X, which has the shape \[1,3\]"),
        ("(<= X 1)", "X is no element of X, which has the shape"),
        ("(<= X[0,3] 1)", r"X\[0,3\] is no element of X"),
        ("(<= Y[2] 1)", r"Y\[2\] is no element of Y"),
        ("(<= X[0,-1] 1)", r"whole numbers with commas in square brackets, found '\[0 , -1\]'"),
        ("(<= X[0 1] 1)", "whole numbers with commas"),
        ("(<= X[0,] 1)", "whole numbers with commas"),
        ("(<= X[0,(1)] 1)", "whole numbers with commas"),
        ("(<= Z[0] 1)", r"the index \[0\] follows no declared tensor"),
        ("([0] X 1)", "follows no declared tensor"),
        ("(<= Z 1)", "unknown name 'Z'"),
        ("(<= X_0 1)", "unknown name 'X_0'"),
        ("(<= X[0,0]] 1)", "compares two terms, not 3"),
        ("(= X[0,0] 1)", "unsupported operator '='.*equality is written =="),
        ("(/ X[0,0] 2)", "unsupported operator '/'"),
        ("(not (<= X[0,0] 1))", "unsupported operator 'not'"),
        ("(<= (* X[0,0] X[0,1]) 1)", "a product of two variables is not linear"),
        ("(<= (* Y[0] Y[0]) 1)", "a product of two variables is not linear"),
        ("(<= X[0,0] Y[0])", "mixes inputs X and outputs Y"),
        ("(<= 0 X[0,0] 1)", "'<=' compares two terms, not 3"),
        ("(!= X[0,0] 1)", "!= on inputs leaves a hyperplane out"),
        ("(and (> X[0,0] 1) (<= X[0,0] 1))", "a strict bound leaves no value of input 0 but 1"),
        ("(< (+ X[0,0] X[0,1]) 1)", "a strict inequality beside conditions on several inputs"),
        ("(and (< X[0,0] 1) (<= (+ X[0,0] X[0,1]) 1))", "a strict inequality beside conditions"),
        ("(< 1 1)", "contradict each other"),
        ("(!= 1 1)", "contradict each other"),
    ],
)  # fmt: skip
def test_refused_assertions(assertion: str, message: str) -> None:
    with pytest.raises(DomainError, match=message) as caught:
        parse_vnnlib(f"{HEAD}(assert {assertion})")
    assert "\n" not in str(caught.value)


INPUT = "(declare-input X real [2])"
OUTPUT = "(declare-output Y real [1])"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(vnnlib-version <3.0>)", "the version is '<3.0>'; versions <2.0> and 1.0"),
        ("(vnnlib-version 2.0)", "the version is '2.0'"),
        ("(vnnlib-version)", r"the version is \(\)"),
        ("(vnnlib-version <2.0>)", "no network is declared"),
        ("(vnnlib-version <2.0>)(declare-const X_0 Real)", "unknown command 'declare-const'"),
        ("(vnnlib-version <2.0>)(assert (<= 1 2))", "stands before the declaration of a network"),
        (f"(vnnlib-version <2.0>){INPUT}", "declare-input stands outside of declare-network"),
        (f"(vnnlib-version <2.0>)(assert {INPUT})", "declare-input stands outside"),
        (f"N {INPUT}{INPUT}{OUTPUT}", "X is declared twice"),
        (f"N {INPUT}(declare-input Z real [1]){OUTPUT}", r"N has 2 inputs \(X, Z\); networks with"),
        (f"N {INPUT}{OUTPUT}(declare-output Z real [1])", r"N has 2 outputs \(Y, Z\)"),
        (f"N {INPUT}", "N has 0 outputs; networks with one are read"),
        (f"N {OUTPUT}{INPUT}", "in another order"),
        (f"N (isomorphic-to f){INPUT}{OUTPUT}", "isomorphic-to relates several networks"),
        (f"N (equal-to f){INPUT}{OUTPUT}", "equal-to relates several networks"),
        (f"N {INPUT}{OUTPUT})(declare-network M {INPUT.replace('X', 'A')}",
         r"several networks \(N, M\)"),
        (f"N 7 {INPUT}{OUTPUT}", "unexpected '7' in the declaration of N"),
        (f"N (and) {INPUT}{OUTPUT}", "unexpected a formula in the declaration of N"),
        (f"7 {INPUT}{OUTPUT}", "a network is declared with the name '7'"),
        (f"N (declare-input 7 real [2]){OUTPUT}", "an input is declared with the name '7'"),
        (f"N (declare-input X int32 [2]){OUTPUT}", "elements of type 'int32'; real types are read"),
        (f"N (declare-input X string [2]){OUTPUT}", "elements of type 'string'"),
        (f"N (declare-input X real){OUTPUT}", "X must be declared with a type and a shape"),
        (f"N (declare-input X [2]){OUTPUT}", "X must be declared with a type and a shape"),
        (f"N (declare-input X real [2] name){OUTPUT}", "the ONNX name of X is 'name'"),
        (f'N (declare-input X real [2] "a){OUTPUT}', "the ONNX name of X is '\"a'"),
        (f'N (declare-input X real [2] "a" 1){OUTPUT}', "X must be declared with a type"),
        (f"N (declare-input X real [0]){OUTPUT}", "X has 0 elements"),
        (f"N (declare-input X real [1000,1001]){OUTPUT}", "X has 1001000 elements"),
        (f"N (declare-input X real [N]){OUTPUT}", "expected whole numbers"),
        (f'N {INPUT}(declare-hidden H real [2] "h"){OUTPUT})(assert (<= H[0] 1)',
         "H is a hidden layer"),
    ],
)  # fmt: skip
def test_refused_files(text: str, message: str) -> None:
    whole = text if text.startswith("(") else f"(vnnlib-version <2.0>)\n(declare-network {text})"
    with pytest.raises(DomainError, match=message) as caught:
        parse_vnnlib(whole)
    assert "line " in str(caught.value)


def test_a_file_that_is_cut_off_is_refused_wherever_it_is_cut() -> None:
    """Within a command; after a whole one nothing can be seen."""
    text = HEAD + "(assert (or (<= X[0,0] 1.5) (and (>= X[0,1] 2) (<= Y[0] 1))))"
    whole = {
        i + 1 for i, _ in enumerate(text) if text[: i + 1].count("(") == text[: i + 1].count(")")
    }
    for end in range(len(HEAD) - 20, len(text)):
        if end in whole:
            continue
        with pytest.raises(DomainError):
            parse_vnnlib(text[:end])
    first = FIRST + "(assert (or (<= X_0 1.5) (and (>= X_1 2) (<= Y_0 1))))"
    for end in range(len(FIRST) + 1, len(first)):
        with pytest.raises(DomainError, match="open brackets; is it truncated"):
            parse_vnnlib(first[:end])


def test_strict_bounds_are_closed() -> None:
    """x < 1 and x <= 1 bound the same regions; a strict bound of one input is read."""
    found = parse_vnnlib(HEAD + "(assert (and (> X[0,0] 0.0) (< X[0,0] 1) (<= X[0,1] 2)))")
    assert found.case() == Polytope([[-1, 0, 0], [1, 0, 0], [0, 1, 0]], [0, 1, 2])
    assert isinstance(found.condition, Junction)
    assert [p.relation for p in found.condition.parts] == ["<", "<", "<="]


# --- both versions say the same -------------------------------------------------------------------


def _terms(name: str) -> st.SearchStrategy[Any]:
    numbers = st.sampled_from(["0", "1", "-2", "0.5"])
    size = 3 if name == "X" else 2
    leaves = st.integers(0, size - 1).map(lambda i: (name, i))
    return st.one_of(
        leaves,
        numbers,
        st.tuples(st.sampled_from("+-"), st.lists(leaves | numbers, min_size=1, max_size=3)),
        st.tuples(st.just("*"), st.tuples(numbers, leaves)),
    )


def _comparisons() -> st.SearchStrategy[Any]:
    return st.sampled_from("XY").flatmap(
        lambda name: st.tuples(
            st.sampled_from(["<=", ">=", "=="]), st.tuples(_terms(name), _terms(name))
        )
    )


def _formulas() -> st.SearchStrategy[Any]:
    return st.recursive(
        _comparisons(),
        lambda inner: st.tuples(
            st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)
        ),
        max_leaves=5,
    )


def _text(tree: Any, version: int) -> str:
    if isinstance(tree, str):
        return tree
    head, parts = tree
    if head in ("X", "Y"):
        if version == 1:
            return f"{head}_{parts}"
        return f"X[0,{parts}]" if head == "X" else f"Y[{parts}]"
    word = "=" if head == "==" and version == 1 else head
    return f"({word} {' '.join(_text(p, version) for p in parts)})"


def _value(tree: Any, x: list[Fraction], y: list[Fraction]) -> Any:
    if isinstance(tree, str):
        return Fraction(tree)
    head, parts = tree
    if head in ("X", "Y"):
        return (x if head == "X" else y)[parts]
    values = [_value(part, x, y) for part in parts]
    match head:
        case "and":
            return all(values)
        case "or":
            return any(values)
        case "<=":
            return values[0] <= values[1]
        case ">=":
            return values[0] >= values[1]
        case "==":
            return values[0] == values[1]
        case "+":
            return sum(values)
        case "-":
            return -values[0] if len(values) == 1 else values[0] - sum(values[1:])
    return values[0] * values[1]


def _holds(condition: Condition, x: list[Fraction], y: list[Fraction]) -> bool:
    if isinstance(condition, Junction):
        every = [_holds(part, x, y) for part in condition.parts]
        return all(every) if condition.word == "and" else any(every)
    value = sum(Fraction(str(a)) * x[i] for i, a in condition.inputs)
    value += sum(Fraction(str(b)) * y[j] for j, b in condition.outputs)
    bound = Fraction(str(condition.bound))
    return {
        "<=": value <= bound,
        "<": value < bound,
        "=": value == bound,
        "!=": value != bound,
    }[condition.relation]


@settings(max_examples=120)
@given(
    _formulas(),
    st.lists(st.lists(st.fractions(-3, 3, max_denominator=4), min_size=5, max_size=5), max_size=6),
)
def test_both_versions_say_the_same(tree: Any, points: list[list[Fraction]]) -> None:
    found: list[Any] = []
    for version, head in ((1, FIRST), (2, HEAD)):
        try:
            found.append(parse_vnnlib(f"{head}(assert {_text(tree, version)})"))
        except DomainError as error:
            assert "no case remains" in str(error)  # noqa: PT017
            found.append(None)
    old, new = found
    assert (old is None) == (new is None)
    if new is None:
        return
    assert old.cases == new.cases
    assert old.condition == new.condition
    assert old.output_constraints == new.output_constraints
    for point in points:
        x, y = point[:3], point[3:]
        assert _holds(new.condition, x, y) == _value(tree, x, y)


# --- files ----------------------------------------------------------------------------------------

TEXT = HEAD + "(assert (and (<= X[0,0] 1) (>= X[0,0] 0)))"


@pytest.mark.parametrize("text", [TEXT, FIRST + "(assert (<= X_0 1))"])
def test_gzip_and_byte_order_marks(tmp_path: Path, text: str) -> None:
    want = parse_vnnlib(text).cases
    for name, data in {
        "a.vnnlib": text.encode(),
        "b.vnnlib": text.encode("utf-8-sig"),
        "c.vnnlib.gz": gzip.compress(text.encode()),
        "d.vnnlib.gz": gzip.compress(text.encode("utf-8-sig")),
        "e.vnnlib": gzip.compress(text.encode()),
        "f.vnnlib": text.replace("\n", "\r\n").encode(),
    }.items():
        (tmp_path / name).write_bytes(data)
        assert vnnlib_domain(tmp_path / name) == want[0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (TEXT.encode("utf-16"), "a.vnnlib is UTF-16 text by the mark at its head"),
        (TEXT.encode("utf-16-be").join([b"\xfe\xff", b""]), "is UTF-16 text"),
        (TEXT.encode("utf-32"), "is UTF-32 text"),
        (gzip.compress(TEXT.encode())[:-9], "a.vnnlib: the gzip data ends too early"),
        (gzip.compress(TEXT.encode())[:-8] + bytes(8), "a.vnnlib: the gzip data is damaged"),
        (gzip.compress(bytes(33 * 2**20)), "a.vnnlib inflates to more than 33554432 bytes"),
        (gzip.compress(b"\xff\x00"), "not VNN-LIB text: byte 0"),
    ],
    ids=["utf-16", "utf-16-be", "utf-32", "cut off", "damaged", "bomb", "no text"],
)
def test_refused_bytes(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.vnnlib").write_bytes(data)
    with pytest.raises(DomainError, match=message):
        read_vnnlib(tmp_path / "a.vnnlib")
