"""One region: rows, facets and what is beyond them, against points and the oracle's regions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings

import polyrank as pr
from polyrank.errors import EmptyDomainError
from polyrank.network.normal_form import Network, relu_layer
from polyrank.network.rational import to_fmpq
from polyrank.posed.branch import WALL, RowName
from polyrank.posed.problem import Problem
from polyrank.posed.region import Region
from tests.oracles import regions_by_generators
from tests.strategies import problems


def test_rows_and_names_of_a_quadrant_with_a_repeated_unit() -> None:
    """x > 0 carried by two units and a wall; y > 0 by one; the constant unit by none."""
    rows = [[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [0.0, 0.0]]
    net = Network((relu_layer(rows, [0.0, 0.0, 0.0, 1.0]),))
    problem = Problem.on(net, pr.Box([0, -1], [1, 1]))
    region = Region(problem, np.ones(4, dtype=bool))
    units = {row: names for row, names in region.rows.items() if names[-1].layer == 1}
    assert units == {
        (1, 0, 0): (RowName(WALL, problem.chart.names.index("x0 >= 0")), (1, 0), (1, 1)),
        (0, 1, 0): (RowName(1, 2),),
    }
    assert region.is_wall((1, 0, 0))
    assert region.text((0, 1, 0)) == ("layer 1 unit 3",)
    assert region.row(RowName(1, 1)) == (1, 0, 0)
    assert Region(problem, np.array([1, 1, 0, 1], bool)).row(RowName(1, 2)) == (0, -1, 0)
    inside = fmpq_mat(2, 1, [fmpq(1, 2), fmpq(1, 2)])
    assert region.contains(inside)
    assert {f.row for f in region.facets(inside)} == {(1, 0, 0), (0, 1, 0), (-1, 0, 1), (0, -1, 1)}
    assert region.volume == 1


@settings(max_examples=25)
@given(problems(max_inputs=3, max_bits=8))
def test_beyond_every_facet_is_the_neighbour(given_problem: Any) -> None:
    net, space = given_problem
    try:
        problem = Problem.on(net, space.domain())
    except EmptyDomainError:
        return
    words = {tuple(word) for word in regions_by_generators(net, space.rows)}
    run = pr.enumerate_regions(net, space.domain(), jobs=1)
    for index in range(0, run.count, max(1, run.count // 6)):
        word = np.concatenate(list(run.codewords()))[index].astype(bool)
        region, inside = Region(problem, word), _witness(run, index)
        assert region.contains(inside)
        facets = region.facets(inside)
        for facet in facets:
            beyond = region.beyond(facet, inside)
            values = {
                row: sum(a * v for a, v in zip(row, [*beyond.entries(), 1], strict=True))
                for row in region.rows
            }
            assert [row for row, value in values.items() if value <= 0] == [facet.row]
            if facet.is_wall:
                continue
            other = region.across(facet.point, facet.point - inside)
            assert tuple(other.astype(int).tolist()) in words
            changed = [name for name in facet.names if name.layer != WALL]
            starts = problem.branch.starts
            first = changed[0]
            split = np.flatnonzero(net.layers[first.layer - 1].has_hyperplane).tolist()
            bit = starts[first.layer - 1] + split.index(first.number)
            assert other[bit] != word[bit]
            back = {
                f.row for f in Region(problem, other).facets(_near(problem, other, facet, inside))
            }
            assert tuple(-v for v in facet.row) in back


def _witness(run: Any, index: int) -> fmpq_mat:
    row = run.table.slice(index, 1).to_pylist()[0]
    point = row["witness_exact"] or row["witness"]
    return fmpq_mat(len(point), 1, [to_fmpq(v) for v in point])


def _near(problem: Problem, word: Any, facet: Any, inside: fmpq_mat) -> fmpq_mat:
    """A point of the neighbour, on the ray through the facet's point."""
    step, direction = fmpq(1), facet.point - inside
    region = Region(problem, word)
    for _ in range(4000):  # factors of 2^±500 in several layers
        near = facet.point + direction * step
        if region.contains(near):
            return near
        step /= 2
    raise AssertionError("no point beyond the facet lies in the neighbour")


def test_volumes_add_up_to_the_box() -> None:
    rng = np.random.default_rng(0)
    net = pr.Network.from_arrays(
        [rng.integers(-3, 4, (5, 2)), rng.integers(-3, 4, (3, 5))],
        [rng.integers(-2, 3, 5), rng.integers(-2, 3, 3)],
        output_relu=True,
    )
    problem = Problem.on(net, pr.Box(-2, 3))
    run = pr.enumerate_regions(net, pr.Box(-2, 3))
    volumes = [
        Region(problem, word).volume for block in run.codewords() for word in block.astype(bool)
    ]
    assert sum(volumes, fmpq(0)) == 25


def test_a_point_has_one_region_without_rows() -> None:
    net = Network((relu_layer([[1.0]], [0.0]),))
    problem = Problem.on(net, pr.Box(2, 2))
    region = Region(problem, np.array([True]))
    assert region.rows == {}
    assert region.facets(fmpq_mat(0, 1)) == []


@pytest.mark.parametrize("layers", [1, 2])
def test_only_the_layers_of_the_problem_count(layers: int) -> None:
    net = Network((relu_layer([[1.0]], [0.0]), relu_layer([[1.0]], [-1.0])))
    problem = Problem.on(net, pr.WholeSpace(), layers)
    for word in itertools.product((True, False), repeat=2):
        rows = Region(problem, np.array(word)).rows
        assert len(rows) == (layers if word[0] else 1)
