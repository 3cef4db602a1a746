"""All cells of a simplex of any size, against rational subdivision.

``python -m tests.scales complex 100000`` runs 10^5 random networks.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.complex.build import cell_complex
from tests.complex.test_cell_complex import _column, _keys, holds_together
from tests.scales import count, scaled_box, scaled_network
from tests.topology.exact_subdivision import exact_cells


def agrees(seed: int) -> str:
    """Compare carriers, dimensions and sign vectors of all cells."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 4))
    lower, upper = scaled_box(rng, n)
    near = [Fraction(float((3 * a + b) / 4)) for a, b in zip(lower, upper, strict=True)]
    network = scaled_network(rng, n, near)
    corners = [lower]
    corners += [[upper[l] if i == l else lower[i] for i in range(n)] for l in range(n)]
    points = [tuple(fmpq(v.numerator, v.denominator) for v in row) for row in corners]
    cells = cell_complex(network, pr.Simplex(corners))
    expected = exact_cells(network, list(range(n + 1)), points)
    origin, basis = cells.chart.origin, cells.chart.basis
    inverse = basis.inv()
    y = [tuple((inverse * _column(p, origin)).entries()) for p in points]
    assert _keys(cells, y) == {(c.corners, c.dimension, c.signs) for c in expected.values()}
    holds_together(cells)
    return f"{n} dimensions"


def test_cells_of_any_magnitude() -> None:
    outcomes = count(agrees, 0, 60)
    assert "DIFFERENT" not in outcomes
    assert len(outcomes) == 3


@pytest.mark.slow
@pytest.mark.parametrize("block", range(5))
def test_many_cells_of_any_magnitude(block: int) -> None:
    assert "DIFFERENT" not in count(agrees, 1000 + 300 * block, 300)
