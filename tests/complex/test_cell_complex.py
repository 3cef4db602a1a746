"""The cell complex against theorems, a rational oracle, both engines and exact volumes."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

import polyrank as pr
from polyrank.complex import glue as glue_module
from polyrank.complex.build import cell_complex
from polyrank.complex.cell_complex import CellComplex
from polyrank.complex.glue import distinct_rows
from polyrank.complex.volume import exact_vertices, volumes
from polyrank.errors import DomainError, UnsupportedError
from polyrank.network.normal_form import Network, relu_layer
from polyrank.network.rational import nearest_float
from tests.strategies import degenerate_networks, realistic_network
from tests.topology.exact_subdivision import exact_cells, preactivations


def arrangement(rows: Any, shifts: Any) -> Network:
    return Network((relu_layer(rows, shifts),))


def holds_together(cells: CellComplex) -> None:
    """What is true of every complex that fills a convex domain."""
    k = cells.dimension
    assert cells.euler_characteristic == 1
    for d in range(2, k + 1):
        product = cells.boundary[d - 2].astype(int) @ cells.boundary[d - 1].astype(int)
        assert abs(product).sum() == 0
    on_wall = cells.signs.on_walls(k - 1).any(axis=1)
    assert (cells.regions_per_facet == np.where(on_wall, 1, 2)).all()
    edges = cells.boundary[0].tocsc()
    assert (np.diff(edges.indptr) == 2).all()
    assert (edges.sum(axis=0) == 0).all()
    for d in range(k + 1):
        keys = np.concatenate([cells.signs.of_units(d), cells.signs.on_walls(d)], axis=1)
        assert len(np.unique(keys, axis=0)) == len(keys) == cells.f_vector[d]
        for a, b in ((d - 1, d),) if d else ():
            # the faces of a cell have its signs or 0
            matrix = cells.boundary[d - 1].tocoo()
            face, cell = cells.signs.of_units(a)[matrix.row], cells.signs.of_units(b)[matrix.col]
            assert ((face == cell) | (face == 0)).all()


def test_lines_in_general_position() -> None:
    """Zaslavsky: n lines that all meet inside a square cut it into 1 + n + C(n, 2) regions."""
    rng = np.random.default_rng(0)
    n = 7
    angles = np.pi * (np.arange(n) + 0.3 * rng.random(n)) / n
    net = arrangement(np.column_stack([np.cos(angles), np.sin(angles)]), 0.05 * rng.normal(size=n))
    cells = cell_complex(net, pr.Box(-9, 9))
    crossings = math.comb(n, 2)
    assert cells.f_vector == (
        crossings + 2 * n + 4,
        n * n + 2 * n + 4,  # n edges on every line, 2 n + 4 on the square
        1 + n + crossings,
    )
    holds_together(cells)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_grids(k: int) -> None:
    """Parallel coordinate hyperplanes: products of subdivided segments."""
    counts = [3, 1, 2][:k]
    rows = [np.eye(k)[l] for l in range(k) for _ in range(counts[l])]
    shifts = [-(i + 1) / (counts[l] + 1) for l in range(k) for i in range(counts[l])]
    cells = cell_complex(arrangement(rows, shifts), pr.Box(0, 1))
    expected = [0] * (k + 1)
    for kinds in itertools.product((0, 1), repeat=k):
        # per axis: c + 2 points or c + 1 segments
        expected[sum(kinds)] += math.prod(c + 2 - b for b, c in zip(kinds, counts, strict=True))
    assert cells.f_vector == tuple(expected)
    holds_together(cells)
    assert sum(volumes(cells), fmpq(0)) == 1


def test_braid_arrangement_in_a_cube() -> None:
    """x_i = x_j in the cube: 3! prisms; vertices are those of the cube, all faces by hand."""
    rows = [[1, -1, 0], [1, 0, -1], [0, 1, -1]]
    cells = cell_complex(arrangement(rows, [0, 0, 0]), pr.Box(0, 1))
    # the order triangulation of the cube: 8 vertices, 12 + 6 + 1 edges, 12 + 6 triangles, 6
    assert cells.f_vector == (8, 19, 18, 6)
    assert volumes(cells) == [fmpq(1, 6)] * 6
    holds_together(cells)


def test_simplicial_arrangement_near_pencil() -> None:
    """m lines through a point and none else in a polygon: 2 m sectors, one inner vertex."""
    m = 9
    angles = np.pi * np.arange(m) / m + 0.1
    net = arrangement(np.column_stack([np.cos(angles), np.sin(angles)]), np.zeros(m))
    cells = cell_complex(net, pr.Box(-1, 1))
    assert cells.f_vector == (1 + 2 * m + 4, 2 * m + 2 * m + 4, 2 * m)
    holds_together(cells)


def test_ties_zeros_and_dead_units() -> None:
    """Coincident, opposite, constant and vanishing units cut nothing and have their signs."""
    net = Network(
        (
            relu_layer([[1, 0], [-2, 0], [0, 0], [0, 0], [1, 0]], [0, 0, 1, 0, -5]),
            relu_layer([[0, 0, 0, 1, 0], [0, 0, 1, 0, 0]], [0, 0]),
        )
    )
    cells = cell_complex(net, pr.Box(-1, 1))
    assert cells.f_vector == (6, 7, 2)
    assert sorted(map(tuple, cells.signs.of_units(2).tolist())) == [
        (-1, 1, 1, 0, -1, 0, 1),
        (1, -1, 1, 0, -1, 0, 1),
    ]
    inner = cells.signs.of_units(1)[~cells.signs.on_walls(1).any(axis=1)]
    assert inner.tolist() == [[0, 0, 1, 0, -1, 0, 1]]
    holds_together(cells)


def _keys(cells: CellComplex, corners: list[tuple[fmpq, ...]]) -> set[Any]:
    """(simplex corners that carry the cell, dimension, sign vector) of every cell."""
    a, b = cells.chart.A, cells.chart.b
    lhs = [[sum((a[i, l] * y[l] for l in range(len(y))), fmpq(0)) for y in corners]
           for i in range(a.nrows())]  # fmt: skip
    on = [{c for c in range(len(corners)) if lhs[i][c] == b[i, 0]} for i in range(a.nrows())]
    found = set()
    for d in range(cells.dimension + 1):
        walls, signs = cells.signs.on_walls(d), cells.signs.of_units(d).tolist()
        for row, sign in zip(walls, signs, strict=True):
            carried = set(range(len(corners)))
            for i in np.flatnonzero(row).tolist():
                carried &= on[i]
            found.add((frozenset(carried), d, tuple(sign)))
    return found


@settings(max_examples=30)
@given(network=degenerate_networks(max_inputs=3, max_bits=9), data=st.data())
def test_every_cell_of_a_simplex(network: Network, data: Any) -> None:
    """Sign vectors, carriers and dimensions of all cells, against rational subdivision."""
    n = network.input_dim
    shift = data.draw(st.integers(-2, 1))
    corners = [[Fraction(shift)] * n]
    corners += [[Fraction(shift + (3 if i == l else 0)) for i in range(n)] for l in range(n)]
    points = [tuple(fmpq(v.numerator, v.denominator) for v in row) for row in corners]
    cells = cell_complex(network, pr.Simplex(corners))
    expected = exact_cells(network, list(range(n + 1)), points)
    origin, basis = cells.chart.origin, cells.chart.basis
    inverse = basis.inv()
    y = [tuple((inverse * _column(p, origin)).entries()) for p in points]
    assert _keys(cells, y) == {(c.corners, c.dimension, c.signs) for c in expected.values()}
    holds_together(cells)


def _column(point: tuple[fmpq, ...], origin: Any) -> Any:
    return type(origin)(len(point), 1, [v - origin[i, 0] for i, v in enumerate(point)])


@pytest.mark.parametrize(
    "kind", ["integer", "pruned", "quantised", "duplicated", "bias-free", "dead"]
)
def test_volumes_fill_the_box(kind: str) -> None:
    for seed, widths in ((0, (2, 6, 5, 2)), (1, (3, 5, 4, 1))):
        net = realistic_network(kind, widths, seed)
        cells = cell_complex(net, pr.Box(-1, 2))
        parts = volumes(cells)
        assert min(parts) > 0
        assert sum(parts, fmpq(0)) == 3 ** widths[0]
        holds_together(cells)


def test_exact_vertices_lie_on_their_hyperplanes() -> None:
    """Signs of the exact vertices, by an independent forward pass, are the stored ones."""
    rng = np.random.default_rng(4)
    net = pr.Network.from_arrays(
        [rng.normal(size=(5, 3)), rng.normal(size=(4, 5)), rng.normal(size=(1, 4))],
        [rng.normal(size=5), rng.normal(size=4), np.zeros(1)],
    )
    cells = cell_complex(net, pr.Box(-1, 1))
    signs = cells.signs.of_units(0)
    for v, y in enumerate(exact_vertices(cells)):
        z = [value for layer in preactivations(net, y)[:2] for value in layer]
        assert [int(t > 0) - int(t < 0) for t in z] == signs[v].tolist()
        near = cells.vertices[v]
        error = max(abs(nearest_float(a) - b) for a, b in zip(y, near.tolist(), strict=True))
        assert error <= cells.vertex_error[v] + 1e-15


def test_slices_and_flat_boxes() -> None:
    net = arrangement(np.eye(5), np.zeros(5))
    cells = cell_complex(net, pr.Box([-1, -1, 2, 2, 2], [1, 1, 2, 2, 2]))
    assert cells.f_vector == (9, 12, 4)
    diagonal = pr.Slice([0] * 5, [[1]] * 5, pr.Box(-1, 1))
    assert cell_complex(net, diagonal).f_vector == (3, 2)


def test_through_layer() -> None:
    rng = np.random.default_rng(1)
    net = pr.Network.from_arrays(
        [rng.normal(size=(4, 2)), rng.normal(size=(6, 4)), rng.normal(size=(1, 6))],
        [rng.normal(size=4), rng.normal(size=6), [0.0]],
    )
    first = cell_complex(net, pr.Box(-1, 1), through_layer=1)
    alone = cell_complex(Network(net.layers[:1]), pr.Box(-1, 1))
    assert first.f_vector == alone.f_vector
    assert first.f_vector[2] < cell_complex(net, pr.Box(-1, 1)).f_vector[2]


def test_many_batches_are_joined(monkeypatch: Any) -> None:
    """Regions leave the search in batches; the complex does not depend on their size."""
    from polyrank.cells.vertices import search

    rng = np.random.default_rng(2)
    net = pr.Network.from_arrays(
        [rng.normal(size=(9, 3)), np.ones((1, 9))], [rng.normal(size=9), [0]]
    )
    whole = cell_complex(net, pr.Box(-2, 2))
    monkeypatch.setattr(search, "_OUTPUT_ROWS", 8)
    assert cell_complex(net, pr.Box(-2, 2)).f_vector == whole.f_vector


def test_refusals() -> None:
    net = arrangement(np.eye(2), [0, 0])
    with pytest.raises(DomainError, match="needs a bounded domain"):
        cell_complex(net, pr.WholeSpace())
    with pytest.raises(UnsupportedError, match="of dimension 1 to 3, this one has dimension 4"):
        cell_complex(arrangement(np.eye(4), np.zeros(4)), pr.Box(0, 1))


@pytest.mark.parametrize("words", [0, 1, 2, 5])
def test_classes_of_equal_rows(words: int) -> None:
    """Against a dictionary of the rows, through several growths of the table."""
    rng = np.random.default_rng(words)
    for count in (0, 1, 4, 5000):
        rows = rng.integers(0, 7 if words > 1 else 3000, size=(count, words)).astype(np.uint64)
        rows[::3] <<= np.uint64(60)  # rows that differ in their highest bits only
        first, number = distinct_rows(rows)
        classes: dict[bytes, int] = {}
        expected = [classes.setdefault(row.tobytes(), len(classes)) for row in rows]
        assert number.tolist() == expected
        assert first.tolist() == [expected.index(c) for c in range(len(classes))]


def test_rows_that_do_not_fit_into_memory(monkeypatch: Any) -> None:
    monkeypatch.setattr(glue_module, "call", lambda *_: -1)
    with pytest.raises(MemoryError, match="2 rows do not fit"):
        distinct_rows(np.zeros((2, 1), dtype=np.uint64))
