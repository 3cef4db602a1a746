"""Chain complexes: construction, refusals, closures, components, quotients."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from polyrank.chains.chain import (
    ChainComplex,
    closure,
    components,
    from_facets,
    quotient,
    subcomplex,
    vertex_incidence,
)
from polyrank.errors import DomainError


def csc(rows: list[list[int]]) -> sparse.csc_array:
    return sparse.csc_array(np.array(rows, dtype=np.int64))


def test_simplices_are_sorted_and_oriented_by_their_vertices():
    complex_, simplices = from_facets([[2, 0, 1], [3, 1]])
    assert [s.tolist() for s in simplices] == [
        [[0], [1], [2], [3]],
        [[0, 1], [0, 2], [1, 2], [1, 3]],
        [[0, 1, 2]],
    ]
    # ∂[0,1,2] = [1,2] − [0,2] + [0,1]
    assert complex_.boundary[1].toarray().ravel().tolist() == [1, -1, 1, 0]
    assert complex_.dimension == 2
    assert complex_.euler_characteristic == 4 - 4 + 1


def test_the_empty_complex():
    empty, simplices = from_facets([])
    assert (empty.cells, simplices, empty.dimension) == ((), (), -1)
    assert components(empty, ())[0] == 0


@pytest.mark.parametrize("facet", [[], [0, 0], [-1, 2]])
def test_bad_facets(facet):
    with pytest.raises(DomainError, match="facet 1 is"):
        from_facets([[0, 1], facet])


def test_shapes_must_chain():
    with pytest.raises(DomainError, match="2 dimensions of cells need 1 boundary matrices, got 0"):
        ChainComplex((1, 1), ())
    with pytest.raises(DomainError, match=r"dimension 1 has shape \(1, 2\), expected \(1, 1\)"):
        ChainComplex((1, 1), (csc([[0, 0]]),))


def test_the_boundary_of_a_boundary_must_vanish():
    good = from_facets([[0, 1, 2]])[0]
    wrong = good.boundary[1].copy()
    wrong.data[0] = -wrong.data[0]
    with pytest.raises(DomainError, match="of 2-cell 0 is not zero"):
        ChainComplex(good.cells, (good.boundary[0], wrong))


def test_closure_and_vertices_of_cells():
    complex_, simplices = from_facets([[0, 1, 2], [2, 3]])
    mask = closure(complex_, [[0] * 4, [0] * 4, [1]])
    assert [m.tolist() for m in mask] == [
        [True, True, True, False],
        [True, True, True, False],
        [True],
    ]
    for d, rows in enumerate(simplices):
        spanned = vertex_incidence(complex_, d).toarray()
        assert [np.flatnonzero(c).tolist() for c in spanned.T] == rows.tolist()
    assert subcomplex(complex_, mask).cells == (3, 3, 1)


def test_what_is_not_closed_is_refused():
    complex_, _ = from_facets([[0, 1]])
    mask = (np.array([True, False]), np.array([True]))
    with pytest.raises(DomainError, match="0-cell 1 is a face of a chosen cell"):
        subcomplex(complex_, mask)
    with pytest.raises(DomainError, match="take the closure"):
        quotient(complex_, mask, [0, 0])


def test_components_are_numbered_by_their_first_vertex():
    complex_, _ = from_facets([[0, 5], [1, 2], [3], [2, 4]])
    everything = closure(complex_, [np.ones(6), np.ones(3)])
    count, of_vertex = components(complex_, everything)
    assert (count, of_vertex.tolist()) == (3, [0, 1, 1, 2, 1, 0])
    points = (np.array([False, True, False, True, False, False]), np.zeros(3, dtype=bool))
    assert components(complex_, points)[1].tolist() == [-1, 0, -1, 1, -1, -1]


def test_components_without_edges():
    complex_, _ = from_facets([[0], [1]])
    assert components(complex_, (np.ones(2, dtype=bool),))[0] == 2


def test_a_quotient_has_loops():
    """An interval with its ends glued: one vertex, one edge of boundary 0."""
    complex_, _ = from_facets([[0, 1]])
    ends = (np.ones(2, dtype=bool), np.zeros(1, dtype=bool))
    circle = quotient(complex_, ends, [0, 0])
    assert circle.cells == (1, 1)
    assert circle.boundary[0].nnz == 0
    assert quotient(complex_, ends, [0, 1]).boundary[0].toarray().ravel().tolist() == [-1, 1]


def test_bad_quotients():
    complex_, _ = from_facets([[0, 1], [1, 2]])
    edge = closure(complex_, [np.zeros(3), [1, 0]])
    with pytest.raises(DomainError, match="joins two different points"):
        quotient(complex_, edge, [0, 1, 0])
    with pytest.raises(DomainError, match=r"numbered 0\.\.1"):
        quotient(complex_, edge, [1, 1, 0])


def test_nothing_collapsed_is_the_same_complex():
    complex_, _ = from_facets([[0, 1, 2]])
    nothing = closure(complex_, [])
    same = quotient(complex_, nothing, np.zeros(3))
    assert same.cells == complex_.cells
    assert (same.boundary[1] != complex_.boundary[1]).nnz == 0
