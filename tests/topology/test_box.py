"""Kuhn's triangulation of a box: counts, volumes, homology of a point."""

from __future__ import annotations

from math import factorial

import pytest
from flint import fmpq, fmpq_mat

from polyrank.chains.groups import homology
from polyrank.errors import DomainError
from polyrank.polyhedra.domain import Box
from polyrank.topology.box import box_complex


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_box_is_filled(n: int) -> None:
    space = box_complex(Box("-1/3", 1), n)
    assert space.complex.cells[n] == factorial(n)
    assert space.complex.cells[0] == 2**n
    assert homology(space.complex).betti[0] == 1
    assert not any(homology(space.complex).betti[1:])
    total = fmpq(0)
    for simplex in space.simplices[n].tolist():
        base, *rest = (space.point(v) for v in simplex)
        edges = [a - b for p in rest for a, b in zip(p, base, strict=True)]
        total += abs(fmpq_mat(n, n, edges).det())
    assert total / factorial(n) == fmpq(4, 3) ** n


def test_fixed_coordinates() -> None:
    space = box_complex(Box([0, 2, 0], [1, 2, 1]), 3)
    assert space.dimension == 2
    assert {space.point(v)[1] for v in range(4)} == {fmpq(2)}


def test_too_many_dimensions() -> None:
    with pytest.raises(DomainError, match="7 dimensions"):
        box_complex(Box(0, 1), 7)
