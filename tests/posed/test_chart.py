"""Charts of domains: emptiness with its certificate, affine hull, interior point, bounding box."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.errors import DomainError, EmptyDomainError
from polyrank.lp.certificates import Infeasible
from polyrank.lp.exact_interior import affine_hull, interior_point
from polyrank.lp.exact_simplex import Cell
from polyrank.lp.farkas import Multipliers
from polyrank.polyhedra import Box, Domain, Polytope, Simplex, Slice, WholeSpace
from polyrank.polyhedra.system import Inequalities
from polyrank.posed.chart import Chart, chart
from polyrank.posed.chart_check import verify_chart
from tests.lp.exact_cells import Rows, at, column, fractions, rows_of_cells, vertices


def polytope(rows: Rows) -> Polytope:
    """The cell of integer rows ``a·u + b ≥ 0`` as ``A x ≤ b``."""
    return Polytope([[-v for v in row[:-1]] for row in rows], [row[-1] for row in rows])


def test_a_full_dimensional_domain_keeps_its_coordinates() -> None:
    made = chart(Polytope([[1, 1], [-1, 0], [0, -1]], [1, 0, 0]), 2)
    assert made.origin == fmpq_mat(2, 1)
    assert made.basis == fmpq_mat(2, 2, [1, 0, 0, 1])
    assert (made.k, made.n, made.bounded) == (2, 2, True)
    assert made.lower == (0, 0)
    assert made.upper == (1, 1)
    assert made.names == ("x0 + x1 <= 1", "x0 >= 0", "x1 >= 0")


def test_the_whole_space() -> None:
    made = chart(WholeSpace(), 3)
    assert (made.k, made.A.nrows(), made.bounded) == (3, 0, False)
    assert made.lower is made.upper is None
    assert verify_chart(WholeSpace(), made)


def test_a_box_with_fixed_coordinates() -> None:
    domain = Box([0, 2, -1, "1/3"], [1, 2, 1, "1/3"])
    made = chart(domain, 4)
    assert made.k == 2
    assert fractions(made.origin) == (0, 2, 0, Fraction(1, 3))
    assert made.basis == fmpq_mat(4, 2, [1, 0, 0, 0, 0, 1, 0, 0])
    assert (made.lower, made.upper) == ((0, -1), (1, 1))
    assert made.names == ("x0 <= 1", "x0 >= 0", "x2 <= 1", "x2 >= -1")
    assert verify_chart(domain, made)


def test_a_single_point() -> None:
    for domain in (Box([1, 2], [1, 2]), Simplex([[1, 2]]), Slice([1, 0], [[0], [1]], Box(2, 2))):
        made = chart(domain, 2)
        assert made.k == 0
        assert fractions(made.origin) == (1, 2)
        assert (made.lower, made.upper) == ((), ())
        assert verify_chart(domain, made)


def test_opposite_rows_go_down_to_the_line() -> None:
    domain = Polytope([[1, 1], [-1, -1], [1, -1], [0, 0]], [1, -1, 0, 5])
    made = chart(domain, 2)
    assert made.k == 1
    assert made.names == ("x0 - x1 <= 0",)
    assert not made.bounded
    assert verify_chart(domain, made)
    # every point of the chart satisfies the equality exactly
    x = made.origin + made.basis * made.interior
    assert x[0, 0] + x[1, 0] == 1


def test_touching_polytopes_go_down_to_a_point() -> None:
    domain = Polytope([[-1, 0], [0, -1], [1, 1]], [0, 0, 0])
    made = chart(domain, 2)
    assert made.k == 0
    assert fractions(made.origin) == (0, 0)
    assert verify_chart(domain, made)


def test_a_simplex_has_barycentric_coordinates() -> None:
    domain = Simplex([[0, 0, 1], [2, 0, 1], [0, 3, 1]])
    made = chart(domain, 3)
    assert (made.k, made.lower, made.upper) == (2, (0, 0), (1, 1))
    assert verify_chart(domain, made)
    corner = made.origin + made.basis * column([0, 1])
    assert fractions(corner) == (0, 3, 1)


def test_a_slice_of_a_polytope() -> None:
    domain = Slice([1, 1, 1], [[1, 0], [0, 2], [0, 0]], Polytope([[1, 1], [-1, 0]], [1, 0]))
    made = chart(domain, 3)
    assert (made.k, made.bounded) == (2, False)
    assert made.names == ("u0 + u1 <= 1", "u0 >= 0")
    assert verify_chart(domain, made)


def test_a_half_open_box_is_unbounded() -> None:
    for rows, bound in (
        ([[1, 0], [-1, 0], [0, 1]], [1, 1, 1]),
        ([[-1, 0]], [-3]),
        ([[1, 0]], [-3]),
    ):
        domain = Polytope(rows, bound)
        made = chart(domain, 2)
        assert not made.bounded
        assert verify_chart(domain, made)


def test_a_skew_strip_is_unbounded() -> None:
    domain = Polytope([[1, 1], [-1, -1]], [1, 1])
    made = chart(domain, 2)
    assert not made.bounded
    assert made.proof.ray in {(1, -1), (-1, 1)}
    assert verify_chart(domain, made)


@settings(max_examples=150)
@given(rows_of_cells())
def test_charts_of_random_polytopes_are_verified(drawn: tuple[int, Rows]) -> None:
    d, rows = drawn
    domain = Polytope(fmpq_mat(0, d), []) if not rows else polytope(rows)
    if isinstance(interior_point(Cell.from_rows(rows, d)), Infeasible):
        with pytest.raises(EmptyDomainError) as caught:
            chart(domain, d)
        assert certificate_holds(domain, d, str(caught.value))
    else:
        assert verify_chart(domain, chart(domain, d))


@settings(max_examples=150)
@given(rows_of_cells(bounded=True))
def test_the_bounding_box_and_dimension_are_those_of_the_vertices(drawn: tuple[int, Rows]) -> None:
    d, rows = drawn
    corners = vertices(rows, d)
    if not corners:
        with pytest.raises(EmptyDomainError):
            chart(polytope(rows), d)
        return
    made = chart(polytope(rows), d)
    first, *others = sorted(corners)
    spread = fmpq_mat(len(others), d, [
        fmpq((c - f).numerator, (c - f).denominator)
        for corner in others for c, f in zip(corner, first, strict=True)
    ])  # fmt: skip
    assert made.k == spread.rank()
    free = made.proof.hull.free
    assert made.lower is not None
    assert made.upper is not None
    for y, j in enumerate(free):
        assert Fraction(str(made.lower[y])) == min(corner[j] for corner in corners)
        assert Fraction(str(made.upper[y])) == max(corner[j] for corner in corners)
    x = fractions(made.origin + made.basis * made.interior)
    for row in rows:
        at_corners = [at(row, corner) for corner in corners]
        assert at(row, x) > 0 or not any(at_corners)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(0, 3)), min_size=1, max_size=6))
def test_boxes_are_read_off(sides: list[tuple[int, int]]) -> None:
    domain = Box([a for a, _ in sides], [a + w for a, w in sides])
    made = chart(domain, len(sides))
    wide = [(a, w) for a, w in sides if w]
    assert made.k == len(wide)
    assert made.lower == tuple(a for a, _ in wide)
    assert made.upper == tuple(a + w for a, w in wide)
    assert verify_chart(domain, made)


def test_a_wide_image_box_is_charted_at_once() -> None:
    fixed = np.zeros(784)
    fixed[::4] = 1
    made = chart(Box(np.zeros(784), fixed), 784)
    assert made.k == 196
    assert made.upper == (1,) * 196


@pytest.mark.parametrize("exponent", [-400, -60, 60, 400])
def test_interior_points_are_short_dyadics_at_every_scale(exponent: int) -> None:
    unit = Fraction(2) ** exponent
    domain = Polytope([[1, 1], [-1, 0], [0, -1]], [3 * unit, unit / 3, unit / 7])
    made = chart(domain, 2)
    assert verify_chart(domain, made)
    denominators = [int(v.q) for v in made.interior.entries()]
    assert all(q & (q - 1) == 0 for q in denominators)


# --- emptiness -----------------------------------------------------------------------------------


def certificate_holds(domain: Domain, n: int, message: str) -> bool:
    """Read the multipliers back from the message and add the user's own rows up."""
    system = domain.system(n)
    matched = re.search(r"empty: (.*) adds up to 0 <= (-\S+) \(Farkas", message)
    assert matched
    names = list(system.names)
    total = [Fraction(0)] * (system.k + 1)
    for term in matched[1].split(") + "):
        weight, name = re.fullmatch(r"(\S+) \* \((.*?)\)?", term).groups()  # type: ignore[union-attr]
        # rows of one name are one inequality, up to a factor that the name does not show
        i = names.index(name)
        assert Fraction(weight) > 0
        row = [system.A[i, j] for j in range(system.k)] + [system.b[i, 0]]
        total = [t + Fraction(weight) * Fraction(str(v)) for t, v in zip(total, row, strict=True)]
    return not any(total[:-1]) and total[-1] == Fraction(matched[2]) < 0


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        (
            Polytope([[1, 0], [-1, 0]], [1, "-3/2"]),
            "the domain is empty: 1 * (x0 <= 1) + 1 * (x0 >= 3/2) adds up to 0 <= -1/2 ",
        ),
        (
            Polytope([[2, 1], [-1, 0], [0, -1]], [-1, 0, 0]),
            "1 * (2 x0 + x1 <= -1) + 2 * (x0 >= 0) + 1 * (x1 >= 0) adds up to 0 <= -1",
        ),
        (Polytope([[0, 0]], ["-1/3"]), "1 * (0 <= -1/3) adds up to 0 <= -1/3"),
        (
            Slice([0, 0], [[1], [1]], Polytope([[1], [-1]], [0, -1])),
            "1 * (u0 <= 0) + 1 * (u0 >= 1) adds up to 0 <= -1",
        ),
    ],
)
def test_an_empty_domain_shows_its_multipliers(domain: Domain, message: str) -> None:
    with pytest.raises(EmptyDomainError) as caught:
        chart(domain, 2)
    assert message in str(caught.value)
    assert certificate_holds(domain, 2, str(caught.value))


def test_a_long_certificate_is_cut() -> None:
    # Σ x_i >= 15 with every x_i <= 0
    A = [[-1] * 14, *np.eye(14, dtype=int).tolist()]
    with pytest.raises(EmptyDomainError, match=r"\.\.\. \(3 more\) adds up to 0 <= -15"):
        chart(Polytope(A, [-15, *[0] * 14]), 14)


def test_the_dimension_must_fit() -> None:
    with pytest.raises(DomainError, match="the box has dimension 3, but the space has dimension 2"):
        chart(Box([0] * 3, 1), 2)


# --- mutated charts -------------------------------------------------------------------------------


TRIANGLE = Polytope([[1, 1, 0], [-1, 0, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], [1, 0, 0, 2, -2])


def _made() -> Chart:
    made = chart(TRIANGLE, 3)
    assert verify_chart(TRIANGLE, made)
    assert made.k == 2
    return made


@pytest.mark.parametrize(
    "change",
    [
        {"origin": column([0, 0, 1])},
        {"basis": fmpq_mat(3, 2, [1, 0, 0, 2, 0, 0])},
        {"inequalities": Inequalities.of(fmpq_mat(3, 2, [1, 2, -1, 0, 0, -1]), column([1, 0, 0]))},
        {"inequalities": Inequalities.of(fmpq_mat(3, 2, [1, 1, -1, 0, 0, -1]), column([2, 0, 0]))},
        {"names": ("x0 + x1 <= 1", "x0 >= 0", "x1 >= 1")},
        {"interior": column([0, 0])},
        {"interior": column([1, 1])},
        {"lower": (fmpq(-1), fmpq(0))},
        {"upper": (fmpq(1), fmpq(2))},
        {"upper": (fmpq(1),)},
        {"lower": None},
        {"lower": None, "upper": None},
    ],
)
def test_a_mutated_chart_is_rejected(change: dict[str, object]) -> None:
    assert not verify_chart(TRIANGLE, replace(_made(), **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"equalities": None},
        {"equalities": Multipliers(1, 0, (3, 4), (1, 2))},
        {"equalities": Multipliers(1, 0, (3,), (1,))},
        {"equalities": Multipliers(1, 1, (3, 4), (1, 1))},
        {"hull": affine_hull([(0, 0, 1, 0)], 3)},
        {"hull": affine_hull([(1, 0, 0, 0)], 3)},
        {"lower": ()},
        {"upper": ()},
    ],
)
def test_a_mutated_proof_is_rejected(change: dict[str, object]) -> None:
    made = _made()
    wrong = replace(made, proof=replace(made.proof, **change))  # type: ignore[arg-type]
    assert not verify_chart(TRIANGLE, wrong)


def test_mutated_bounds_are_rejected() -> None:
    made = _made()
    swapped = replace(made.proof, lower=made.proof.lower[::-1])
    assert not verify_chart(TRIANGLE, replace(made, proof=swapped))
    box = Box(0, 1)
    read_off = chart(box, 2)
    assert not verify_chart(box, replace(read_off, upper=(fmpq(1), fmpq(2))))


@pytest.mark.parametrize("ray", [(), (0, 0), (-1, 0), (1,), (1, 1)])
def test_a_mutated_ray_is_rejected(ray: tuple[int, ...]) -> None:
    domain = Polytope([[-1, 1], [0, -1], [0, 1]], [0, 0, 1])
    made = chart(domain, 2)
    assert verify_chart(domain, made)
    assert made.proof.ray == (1, 0)
    assert not verify_chart(domain, replace(made, proof=replace(made.proof, ray=ray)))
