"""Domains: their exact systems, descriptions and refusals."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given
from hypothesis import strategies as st

from polyrank.errors import DomainError
from polyrank.polyhedra import (
    Box,
    Domain,
    Polytope,
    Simplex,
    Slice,
    WholeSpace,
    domain_from_dict,
)
from polyrank.polyhedra.system import AffineSystem, Inequalities, inequality_name

ROUND_TRIPS: list[Domain] = [
    WholeSpace(),
    Box(-1, "0.1"),
    Box([0, Fraction(1, 3)], 1),
    Polytope([[1, 2], ["1/3", 0]], [1, 0.1]),
    Polytope(np.zeros((0, 3)), []),
    Slice([0, 1, 2], [[1, 0], [0, 1], [1, 1]], Box(0, [1, 2])),
    Slice([0, 1], [[1], [1]]),
    Slice([0, 1, 2], np.eye(3)[:, :2], Slice([0, 1], [[1], ["1/7"]], Box(0, 1))),
    Simplex([[0, 0], [1, 0], [0, "1/3"]]),
    Simplex([[5, 6]]),
]


def contains(system: AffineSystem, y: list[Fraction]) -> bool:
    at = fmpq_mat(len(y), 1, [fmpq(v.numerator, v.denominator) for v in y])
    values = (system.A * at).entries()
    return all(v <= bound for v, bound in zip(values, system.b.entries(), strict=True))


@pytest.mark.parametrize("domain", ROUND_TRIPS, ids=lambda d: type(d).__name__)
def test_a_description_is_json_and_rebuilds_the_domain(domain: Domain) -> None:
    told = json.loads(json.dumps(domain.describe()))
    assert domain_from_dict(told) == domain


@pytest.mark.parametrize("domain", ROUND_TRIPS, ids=lambda d: type(d).__name__)
def test_every_system_has_fitting_shapes(domain: Domain) -> None:
    n = domain.dimension or 2
    system = domain.system(n)
    assert (system.n, system.origin.nrows(), system.origin.ncols()) == (n, n, 1)
    assert system.basis.rank() == system.k
    assert (system.A.ncols(), system.b.nrows(), system.b.ncols()) == (system.k, system.m, 1)
    assert len(system.names) == system.m


@given(
    st.lists(st.fractions(max_denominator=9), min_size=2, max_size=2),
    st.lists(st.fractions(-2, 2, max_denominator=9), min_size=2, max_size=2),
)
def test_a_box_contains_what_its_bounds_say(low: list[Fraction], x: list[Fraction]) -> None:
    lower, upper = sorted(low)
    system = Box(lower, upper).system(2)
    assert contains(system, x) == all(lower <= v <= upper for v in x)


def test_a_box_spreads_single_bounds() -> None:
    assert Box(0, [1, 2]).bounds(2) == ((0, 0), (1, 2))
    assert Box(0, 1).dimension is None
    assert Box([0, 0], 1).dimension == 2
    assert Box("0.1", "0.2").bounds(1) == ((fmpq(1, 10),), (fmpq(1, 5),))
    assert Box(np.float32(0.1), np.array(1)).lower == fmpq(
        *float(np.float32(0.1)).as_integer_ratio()
    )


def test_floats_are_dyadic_and_strings_decimal() -> None:
    assert Box(0.1, 1).lower != Box("0.1", 1).lower


@pytest.mark.parametrize(
    ("lower", "upper", "message"),
    [
        (1, 0, "lower bound 1 is above the upper bound 0$"),
        ([0, 1], [1, "1/2"], "lower bound 1 is above the upper bound 1/2 in coordinate 1"),
        ([0, 2], 1, "lower bound 2 is above the upper bound 1 in coordinate 1"),
        ([0, 0], [1, 1, 1], "2 lower bounds but 3 upper bounds"),
        ([], 1, "no coordinates"),
        ([], [], "no coordinates"),
        (0, float("inf"), "upper bound is inf"),
        (float("nan"), 0, "lower bound is nan"),
        ([0, "x"], 1, r"lower bound\[1\] is 'x'"),
        ([[0, 1]], 1, r"lower bound\[0\] is \[0, 1\]"),
        (np.zeros((2, 2)), 1, r"lower bound has shape \(2, 2\)"),
        (None, 1, "lower bound is None"),
    ],
)
def test_boxes_that_are_none(lower: Any, upper: Any, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        Box(lower, upper)


@pytest.mark.parametrize(
    ("A", "b", "message"),
    [
        ([[1, 2]], [1, 2], "A has 1 rows but b has 2 entries"),
        ([1, 2], [1], "A must be a matrix"),
        ([[1, 2]], 1, "b is 1; expected a sequence"),
        ([[1, float("nan")]], [1], r"A\[0\]\[1\] is nan"),
    ],
)
def test_polytopes_that_are_none(A: Any, b: Any, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        Polytope(A, b)


@pytest.mark.parametrize(
    ("origin", "basis", "inner", "message"),
    [
        ([0, 0], [[1, 0]], None, "the basis has 1 rows but the origin has 2 entries"),
        ([0, 0], [[1, 2], [2, 4]], None, r"columns .* linearly dependent \(rank 1\)"),
        ([0], [[1, 2]], None, "linearly dependent"),
        ([0, 0], [[1], [1]], Box([0, 0], 1), "has 1 coordinates, but .* dimension 2"),
        (0, [[1]], None, "origin is 0; expected a sequence"),
    ],
)
def test_slices_that_are_none(origin: Any, basis: Any, inner: Any, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        Slice(origin, basis, inner)


@pytest.mark.parametrize(
    ("vertices", "message"),
    [
        ([[0, 0], [1, 1], [2, 2]], "affinely dependent: they span only 1 of the 2"),
        ([[0], [1], [2]], "affinely dependent"),
        ([[1, 1], [1, 1]], "affinely dependent"),
        (np.zeros((0, 2)), "at least one vertex"),
        ([1, 2], "vertices must be a matrix"),
    ],
)
def test_simplices_that_are_none(vertices: Any, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        Simplex(vertices)


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        (Box([0, 0], 1), "the box has dimension 2, but the space has dimension 3"),
        (Polytope([[1, 2]], [1]), "the polytope has dimension 2"),
        (Slice([0, 0], [[1], [1]]), "the slice has dimension 2"),
        (Simplex([[0, 0]]), "the simplex has dimension 2"),
    ],
)
def test_another_dimension_is_refused(domain: Domain, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        domain.system(3)


def test_a_slice_composes_exactly() -> None:
    inner = Slice([1, 0], [[1], [2]], Box(0, 1))
    outer = Slice([1, 1, 1], [[1, 0], [0, 1], [1, 1]], inner).system(3)
    assert outer.origin == fmpq_mat(3, 1, [2, 1, 2])
    assert outer.basis == fmpq_mat(3, 1, [1, 2, 3])
    assert outer.names == ("u'0 <= 1", "u'0 >= 0")


def test_a_simplex_is_the_hull_of_its_vertices() -> None:
    system = Simplex([[1, 0, 0], [0, 1, 0], [0, 0, 1]]).system(3)
    assert contains(system, [Fraction(1, 3)] * 2)
    assert not contains(system, [Fraction(2, 3)] * 2)
    assert not contains(system, [Fraction(-1, 3), Fraction(0)])
    middle = system.origin + system.basis * fmpq_mat(2, 1, [fmpq(1, 3)] * 2)
    assert middle == fmpq_mat(3, 1, [fmpq(1, 3)] * 3)


@pytest.mark.parametrize(
    ("row", "bound", "name"),
    [
        ([1, 0], 1, "x0 <= 1"),
        ([0, -1], 2, "x1 >= -2"),
        ([2, -1], "1/2", "2 x0 - x1 <= 1/2"),
        (["-1/3", 1], 0, "-1/3 x0 + x1 <= 0"),
        ([0, 0], -1, "0 <= -1"),
        ([1] * 5, 0, "row 7 of A"),
    ],
)
def test_names_of_rows(row: list[Any], bound: Any, name: str) -> None:
    exact = [fmpq(Fraction(v).numerator, Fraction(v).denominator) for v in [*row, bound]]
    terms = tuple((j, v) for j, v in enumerate(exact[:-1]) if v != 0)
    assert inequality_name(terms, exact[-1], "x", 7) == name


def test_inequalities_and_their_matrix_say_the_same() -> None:
    A = fmpq_mat(3, 2, [fmpq(1, 3), 0, 0, 0, -2, fmpq(5, 7)])
    b = fmpq_mat(3, 1, [1, -1, fmpq(1, 2)])
    rows = Inequalities.of(A, b)
    assert rows.terms == (((0, fmpq(1, 3)),), (), ((0, fmpq(-2)), (1, fmpq(5, 7))))
    assert (rows.m, rows.k, rows.A, rows.b) == (3, 2, A, b)
    assert rows == Inequalities(2, rows.terms, (fmpq(1), fmpq(-1), fmpq(1, 2)))
    y = fmpq_mat(2, 1, [fmpq(3), fmpq(-1)])
    assert rows.values(y) == (A * y).entries()
    assert not rows.holds_at(y)  # 0 <= -1
    assert rows.only((2, 0)) == Inequalities.of(
        fmpq_mat(2, 2, [-2, fmpq(5, 7), fmpq(1, 3), 0]), fmpq_mat(2, 1, [fmpq(1, 2), 1])
    )
    assert rows.only((2, 0)).holds_at(y)
    for empty in (Inequalities.of(fmpq_mat(0, 3), fmpq_mat(0, 1)), Inequalities(3, (), ())):
        assert (empty.m, empty.A, empty.values(fmpq_mat(3, 1))) == (0, fmpq_mat(0, 3), [])


def test_names_of_polytopes() -> None:
    assert Polytope([[1, 1], [0, -1]], [1, 0]).system(2).names == ("x0 + x1 <= 1", "x1 >= 0")


NESTED: dict[str, Any] = {"kind": "whole space"}
for _ in range(30):
    NESTED = {"kind": "slice", "origin": [0], "basis": [[1]], "inner": NESTED}


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ([], "must be a mapping, not list"),
        ({}, "unknown kind of domain None"),
        ({"kind": "ball"}, "unknown kind of domain 'ball'; expected one of"),
        ({"kind": ["box"]}, "unknown kind"),
        ({"kind": "box", "lower": 0}, "a box lacks 'upper'"),
        ({"kind": "slice", "origin": [0], "basis": [[1]], "inner": 3}, "mapping, not int"),
        ({"kind": "polytope", "A": [], "b": []}, "a polytope lacks 'dimension'"),
        ({"kind": "polytope", "A": [], "b": [], "dimension": "2"}, "has dimension '2'"),
        ({"kind": "polytope", "A": [], "b": [], "dimension": 10**12}, "has dimension 10"),
        ({"kind": "polytope", "A": "x", "b": []}, "A must be a matrix"),
        ({"kind": "box", "lower": "1e99999999", "upper": 0}, "exponent is beyond"),
        (NESTED, "nests more than 20 slices"),
    ],
)
def test_descriptions_of_nothing(description: Any, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        domain_from_dict(description)
