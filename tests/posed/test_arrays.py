"""From exact objects to float arrays: maps, rows, error bounds, structure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

import polyrank as pr
from polyrank.errors import DomainError, UnsupportedError
from polyrank.network.normal_form import Layer, Network, affine_layer, relu_layer
from polyrank.network.rational import RationalArray, fmpq_from_float
from polyrank.posed.arrays import ZERO_ROW, constraint_rows, float_rows, layer_floats
from polyrank.posed.chart import chart
from polyrank.posed.cube import cube_map, wall_rows
from polyrank.posed.dependence import weight_rank
from polyrank.posed.problem import Problem

FLOATS = RationalArray.from_floats


def _net(weight: Any, bias: Any) -> Network:
    return Network((relu_layer(weight, bias), affine_layer(np.ones((1, len(bias))), [0.0])))


def _arrays(network: Network, domain: Any) -> Any:
    where = chart(domain, network.input_dim)
    problem = Problem.of(network, where)
    return problem.arrays, where, problem.cube


@pytest.mark.parametrize(
    ("lower", "upper"),
    [("-1", "1"), ("0.1", "0.3"), ("1000000", "1000000.000000001"), ("-1e30", "7"), ("3", "5")],
)
def test_a_bounded_domain_lies_in_the_cube(lower: str, upper: str) -> None:
    network = _net([[1.0, 2.0]], [0.5])
    where = chart(pr.Box([lower, "0"], [upper, "1"]), 2)
    cube = cube_map(network, where)
    assert cube.kind == "bounded"
    for corner in ([where.lower[0], where.lower[1]], [where.upper[0], where.upper[1]]):  # type: ignore[index]
        u = cube.to_cube(corner)
        assert all(-1 <= v <= 1 for v in u)
        assert cube.to_chart(u) == corner


def test_cones_are_scaled_into_the_cube() -> None:
    where = chart(pr.WholeSpace(), 2)
    cube = cube_map(_net([[1.0, 2.0]], [0.5]), where)
    assert (cube.kind, cube.dim, cube.constant_column) == ("homogeneous", 3, 2)
    u = cube.to_cube([fmpq(1000), fmpq(-1, 3)])
    assert max(abs(v) for v in u) <= 1
    assert cube.to_chart(u) == [fmpq(1000), fmpq(-1, 3)]
    central = cube_map(_net([[1.0, 2.0]], [0.0]), where)
    assert (central.kind, central.dim) == ("central", 2)
    # t ≥ 0 is the domain's only row; the rest cuts the cone
    assert len(wall_rows(where, cube)) == 1 + 2 * 2 + 1
    assert len(wall_rows(where, central)) == 2 * 2


def test_rows_in_cube_coordinates_are_the_pre_activations() -> None:
    network = _net([[1.0, -3.0], [0.25, 7.0]], [0.5, -1.0])
    for domain in (pr.Box(["0.1", "2"], ["0.4", "9"]), pr.WholeSpace()):
        problem = Problem.of(network, chart(domain, 2))
        cube, rows = problem.cube, problem.first_rows
        y = [fmpq(3, 10), fmpq(5)]
        u = cube.to_cube(y)
        factor = u[-1] if cube.kind == "homogeneous" else fmpq(1)
        z = network.layers[0].weight.to_fmpq_mat() * fmpq_mat(2, 1, y)
        for i, b in enumerate(network.layers[0].bias.entries()):
            value = sum((rows[i, l] * u[l] for l in range(cube.dim)), rows[i, cube.dim])
            assert value == (z[i, 0] + b) * factor


def test_float_rows_round_within_their_bound_and_know_integers() -> None:
    matrix = fmpq_mat(4, 3, [fmpq(1, 3), 2, 0, 3, 5, 7, 0, 0, 0, fmpq(1, 2**70), 1, 0])
    rows = float_rows(matrix)
    _within_bounds(matrix, rows)
    assert rows.error[1] == 0.0
    assert rows.exponent[2] == 0
    integers = rows.rows[1] * 2.0 ** rows.exponent[1]
    assert (integers == np.rint(integers)).all()
    assert rows.error[0] > 0.0
    assert rows.exponent[3] == -1  # more than 53 bits


def _within_bounds(matrix: fmpq_mat, rows: Any) -> None:
    for i in range(matrix.nrows()):
        scale = fmpq(0) if rows.power[i] == ZERO_ROW else fmpq(2) ** int(rows.power[i])
        for l in range(matrix.ncols()):
            gap = abs(matrix[i, l] - scale * fmpq_from_float(rows.rows[i, l]))
            assert gap <= scale * fmpq_from_float(rows.error[i])
            assert abs(rows.rows[i, l]) <= 1


def test_constraints_are_integers_up_to_a_factor() -> None:
    integers = [(1, 6, 0), (0, 0, 0), (2**53 + 1, 2, -(2**60)), (3**700, 1, 0), (0, -5, 2**1100)]
    rows = constraint_rows(integers, 3)
    assert rows.power.tolist() == [0, ZERO_ROW, 0, 0, 0]
    assert rows.error.tolist() == [0.0, 0.0, 2.0**-53, 2.0**-53, 2.0**-53]
    for row, floats, error in zip(integers, rows.rows, rows.error, strict=True):
        if any(row):
            size = max(map(abs, row))
            scale = fmpq(1 << (size - 1).bit_length())
            for v, f in zip(row, floats, strict=True):
                assert abs(v / scale - fmpq_from_float(f)) <= fmpq_from_float(error)


@pytest.mark.parametrize("seed", range(40))
def test_rows_of_plain_coordinates_are_those_of_the_exact_matrix(seed: int) -> None:
    """Weights from 2**-500 to 2**500, boxes anywhere, narrow or wide; zeros; subnormal biases."""
    rng = np.random.default_rng(seed)
    m, k = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    powers = [0, 3, 60, 500][seed % 4]
    weight = np.ldexp(rng.normal(size=(m, k)), rng.integers(-powers, powers + 1, (m, k)))
    weight[rng.random((m, k)) < 0.2] = 0.0
    bias = np.ldexp(rng.integers(-3, 4, m).astype(float), rng.integers(-1070, 60, m))
    network = _net(weight, bias)
    lower = [fmpq(int(v), 7) for v in rng.integers(-40, 40, k)]
    width = fmpq(2) ** int(rng.choice([-600, -40, 0, 40, 600]))
    upper = [v + width for v in lower]
    box = pr.Box(lower, upper) if seed % 3 else pr.Box(-width, width)
    for domain in (box, pr.WholeSpace()):
        problem = Problem.of(network, chart(domain, k))
        assert problem.chart.is_plain
        found = layer_floats(network.layers[0], problem.cube)
        expected = float_rows(problem.first_rows)
        assert found is not None
        for name, mine, theirs in zip(expected._fields, found, expected, strict=True):
            assert np.array_equal(mine, theirs), name
        _within_bounds(problem.first_rows, found)


def test_rationals_take_the_exact_matrix() -> None:
    third = RationalArray.from_rationals([fmpq(1, 3)], (1, 1))
    net = Network((relu_layer(third, [0.0]),))
    problem = Problem.of(net, chart(pr.Box(-1, 1), 1))
    assert layer_floats(net.layers[0], problem.cube) is None
    assert problem.arrays.first_error.tolist() == [2.0**-53]
    assert problem.arrays.central.tolist() == [True]


def test_a_constant_that_rounds_to_zero_is_not_zero() -> None:
    """1/3 beside 2**-2000: the row has an error, its constant no float."""
    weight = RationalArray.from_rationals([fmpq(1, 3)], (1, 1))
    bias = RationalArray.from_rationals([fmpq(1, 3 * 2**900)], (1,))
    zero = RationalArray.from_rationals([fmpq(0)], (1,))
    for shift, central in ((bias, False), (zero, True)):
        net = Network((relu_layer(weight, shift),))
        wide = Problem.of(net, chart(pr.Box(-(2**800), 2**800), 1))
        assert wide.arrays.central.tolist() == [central]


def test_ties_need_exact_proportionality() -> None:
    weight = [[1.0, 2.0], [2.0, 4.0], [-0.5, -1.0], [1.0, 2.0], [1.0, 2.0 + 2**-40], [0.0, 0.0]]
    bias = [1.0, 2.0, -0.5, 1.0 + 2**-50, 1.0, 0.0]
    hidden = Network((relu_layer(np.eye(2), [0.0, 0.5]), relu_layer(weight, bias)))
    arrays, _, _ = _arrays(hidden, pr.WholeSpace())
    assert arrays.tie[2:].tolist() == [-1, 0, 0, -1, -1, -1]
    assert arrays.tie_sign[2:].tolist() == [1, 1, -1, 1, 1, 1]
    assert arrays.direction[2:].tolist() == [0, 0, 0, 0, 4, -1]  # no weights, no direction
    first, _, _ = _arrays(_net(weight, bias), pr.Box(-1, 1))
    assert first.tie[:6].tolist() == [-1, 0, 0, -1, -1, -1]


def test_ties_and_directions_of_rational_layers() -> None:
    third = RationalArray.from_rationals(["1/3", "2/3", "-1/6", "-1/3"], (2, 2))
    bias = RationalArray.from_rationals(["1/3", "-1/6"], (2,))
    layer = Layer(third, bias, FLOATS(np.zeros(2)), FLOATS(np.ones(2)))
    arrays, _, _ = _arrays(Network((relu_layer(np.eye(2), [0.0, 0.5]), layer)), pr.Box(-1, 1))
    assert arrays.tie[2:].tolist() == [-1, 0]
    assert arrays.tie_sign[3] == -1
    assert not arrays.exact_weight[1]


def test_small_integers_make_every_layer_exact_and_large_ones_do_not() -> None:
    rng = np.random.default_rng(0)
    small = [rng.integers(-9, 10, (4, 4)).astype(float) for _ in range(4)]
    arrays, _, _ = _arrays(Network.from_arrays(small, [np.ones(4)] * 4), pr.Box(-1, 1))
    assert arrays.exact_arithmetic.all()
    assert (arrays.lsb == 0).all()
    large = [w * 2.0**20 + 1.0 for w in small]
    arrays, _, _ = _arrays(Network.from_arrays(large, [np.ones(4)] * 4), pr.Box(-1, 1))
    assert arrays.exact_arithmetic.tolist() == [True, True, False, False]
    third = RationalArray.from_rationals(["1/3"], (1, 1))
    rational = Network((Layer(third, FLOATS([1.0]), FLOATS([0.0]), FLOATS([1.0])),))
    assert not _arrays(rational, pr.Box(0, 1))[0].exact_arithmetic.any()


def test_layers_with_vanishing_constants_are_recognised() -> None:
    no_bias = Network.from_arrays([np.eye(2)] * 3, [np.zeros(2)] * 3)
    assert _arrays(no_bias, pr.Box(-1, 1))[0].central.all()
    shifted = Network.from_arrays([np.eye(2)] * 3, [np.zeros(2), np.ones(2), np.zeros(2)])
    assert _arrays(shifted, pr.Box(-1, 1))[0].central.tolist() == [True, False, False]
    assert not _arrays(no_bias, pr.Box(0, 1))[0].central.any()
    assert _arrays(shifted, pr.WholeSpace())[0].central.all()


def test_the_rank_of_a_weight_matrix_bounds_ranks() -> None:
    twice = Network((relu_layer(np.eye(2), np.zeros(2)), affine_layer(np.ones((2, 2)), [0.0, 1.0])))
    assert _arrays(twice, pr.Box(-1, 1))[0].weight_rank.tolist() == [2, 1]
    wide = Network((relu_layer(np.ones((50, 50)), np.zeros(50)),))
    assert _arrays(wide, pr.Box(-1, 1))[0].weight_rank.tolist() == [50]  # not worth computing


@pytest.mark.parametrize("bounds", [("-1e400", "1e400"), ("0", "1e-300"), ("1e300", "1.1e300")])
def test_boxes_beyond_the_range_of_float_products_are_refused(bounds: tuple[str, str]) -> None:
    network = _net([[1.0]], [0.0])
    with pytest.raises(DomainError, match="rescale the input"):
        pr.enumerate_regions(network, pr.Box(*bounds))


def test_magnitudes_beyond_the_range_of_float_products_are_refused() -> None:
    tiny = Network((relu_layer([[1.0]], [0.0]), relu_layer([[2.0**-600]], [0.0])))
    with pytest.raises(UnsupportedError, match=r"layer 2: weight\[0, 0\] has magnitude 2\*\*-600"):
        pr.enumerate_regions(tiny)
    slopes = FLOATS([2.0**600])
    steep = Network((Layer(FLOATS([[1.0]]), FLOATS([0.0]), FLOATS([0.0]), slopes),))
    with pytest.raises(UnsupportedError, match="slope_pos"):
        pr.enumerate_regions(steep)
    vanishing = RationalArray.from_rationals([fmpq(1, 10**400), fmpq(1)], (1, 2))
    below = relu_layer(np.eye(2), np.zeros(2))
    network = Network((below, Layer(vanishing, FLOATS([0.0]), FLOATS([0.0]), FLOATS([1.0]))))
    with pytest.raises(UnsupportedError, match=r"layer 2: weight\[0, 0\] has magnitude 2\*\*-1328"):
        pr.enumerate_regions(network)
    big = Network((relu_layer([[2.0**490]], [0.0]),))
    assert pr.enumerate_regions(big, pr.Box(-(2**600), 2**800)).count == 2  # values of 2**1290


def test_units_without_weights_add_nothing_to_a_rank() -> None:
    """Constant units are proved to be no direction, with nothing left to rationals."""
    weight = [[1.0, 1e-3], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    network = Network.from_arrays(
        [np.eye(2) / 3.0, weight, np.ones((1, 4))], [[1.0, 1.0], [1.0] * 4, [0.0]]
    )
    run = pr.enumerate_regions(network, pr.Box(-1, 1), engine="dictionary")
    assert run.rank_histogram(2) == {1: run.count}
    assert run.manifest["search"]["ladder"]["rank_open"] == 0


@pytest.mark.parametrize("most", [0, 1, 2, 3])
def test_the_rank_of_a_weight_counts_up_to_the_dimension(most: int) -> None:
    thirds = RationalArray.from_rationals(["1/3", "2/3", "-1/6", "-1/3"], (2, 2))
    rank_one = Layer(thirds, FLOATS(np.zeros(2)), FLOATS(np.zeros(2)), FLOATS(np.ones(2)))
    cancelled = relu_layer([[1.0, 2.0, 3.0], [0.1, 0.2, 0.3], [2.0, 4.0, 6.0]], np.zeros(3))
    assert weight_rank(rank_one, most) in ((0, 1) if most == 0 else (1,))
    # 0.1, 0.2, 0.3 are floats that are no exact multiple of 1, 2, 3
    assert weight_rank(cancelled, most) == min(2, most) or most == 3
    assert weight_rank(cancelled, 3) == 2
    assert weight_rank(relu_layer(np.eye(100), np.zeros(100)), most) == most
    assert weight_rank(relu_layer(np.ones((100, 100)), np.zeros(100)), 3) == 100  # not looked at
