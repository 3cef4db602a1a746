"""From exact objects to the float arrays that the compiled search runs on.

Float rows carry proven error bounds; rows that are integers in disguise carry the power of two
that shows it, so that touching hyperplanes can be decided in integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import compress
from math import frexp, isfinite
from typing import NamedTuple, Protocol

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.errors import UnsupportedError
from polyrank.native.records import Record, call
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import (
    RationalArray,
    fmpq_from_float,
    nearest_float,
    nearest_ratio,
)
from polyrank.posed.chart import Chart
from polyrank.posed.cube import CubeMap, IntRow, is_zero, nonzero, power_above
from polyrank.posed.dependence import directions, ties, weight_rank
from polyrank.posed.exact_forms import exact_forms, no_forms
from polyrank.posed.section import PLAIN

__all__ = ["ZERO_ROW", "NetArrays", "net_arrays"]

#: The power of a row that is exactly zero, in every coefficient (``zero_row`` of the native core).
ZERO_ROW = -(1 << 40)
#: Weights and slopes are 0 or within 2**±_LARGEST_WEIGHT, biases that are no floats within more.
_LARGEST_WEIGHT, _LARGEST_BIAS = 500, 1000
#: Largest integer magnitude at which float64 sums are exact.
EXACT_LIMIT = 2**53


class Posed(Protocol):
    """A network on a chart, in cube coordinates; see :class:`polyrank.posed.problem.Problem`."""

    @property
    def network(self) -> Network: ...
    @property
    def chart(self) -> Chart: ...
    @property
    def layers(self) -> int: ...
    @property
    def cube(self) -> CubeMap: ...
    @property
    def first_rows(self) -> fmpq_mat: ...
    @property
    def walls(self) -> tuple[IntRow, ...]: ...


class FloatRows(NamedTuple):
    """Normalised float rows: ``true row = 2**power · (row ± error)``, entries of magnitude ≤ 1.

    The power of a row that is exactly zero is ``ZERO_ROW``.
    """

    rows: NDArray[np.float64]
    error: NDArray[np.float64]
    power: NDArray[np.int64]
    exponent: NDArray[np.int64]


def float_rows(matrix: fmpq_mat) -> FloatRows:
    """Round exact rows to normalised float rows with proven error bounds."""
    m, width = matrix.nrows(), matrix.ncols()
    given = np.zeros((m, width))
    exact = np.ones((m, width), dtype=np.bool_)
    for i in range(m):
        for l, v in nonzero(matrix, i):
            ratio = int(v.p), int(v.q)
            f = given[i, l] = nearest_ratio(*ratio)
            exact[i, l] = isfinite(f) and f.as_integer_ratio() == ratio
    return _normalised(given, exact, lambda i, l: matrix[i, l])


def constraint_rows(rows: Sequence[IntRow], width: int) -> FloatRows:
    """Float rows of constraints, whose positive factors are immaterial: all powers are 0.

    Parameters
    ----------
    rows : sequence of IntRow
        Coprime integers, ``width`` of them.
    """
    try:
        integers = np.array(rows, dtype=np.int64).reshape(len(rows), width)
    except OverflowError:
        integers = None
    exact = None
    if (
        integers is not None
        and integers.min(initial=0) >= -EXACT_LIMIT
        and integers.max(initial=0) <= EXACT_LIMIT
    ):
        given = integers.astype(np.float64)
    else:
        given = np.zeros((len(rows), width))
        exact = np.ones((len(rows), width), dtype=np.bool_)
        for i, row in enumerate(rows):
            for l in compress(range(width), row):
                f = given[i, l] = nearest_ratio(row[l], 1)
                exact[i, l] = isfinite(f) and int(f) == row[l]
    found = _normalised(given, exact, lambda i, l: fmpq(rows[i][l]))
    found.power[found.power != ZERO_ROW] = 0
    return found


def layer_floats(layer: Layer, cube: CubeMap) -> FloatRows | None:
    """Float rows of layer 1 where the chart's coordinates are the inputs; None of rationals.

    The same as :func:`float_rows` of the exact rows, of which only what is no float is made.
    """
    if not (layer.weight.is_float and layer.bias.is_float):
        return None
    weight, bias = layer.weight.approx, layer.bias.approx
    m, k = weight.shape
    given = np.zeros((m, cube.dim + 1))
    exact: NDArray[np.bool_] | None = None
    if (cube.half_width == 1.0).all():
        given[:, :k] = weight
    else:
        exact = np.ones((m, cube.dim + 1), dtype=np.bool_)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            given[:, :k] = weight * cube.half_width
            exact[:, :k] = given[:, :k] / cube.half_width == weight
    shifted: fmpq_mat | None = None
    if cube.kind != "central":
        given[:, k] = bias
        if cube.centre.any():
            centre = fmpq_mat(k, 1, [fmpq_from_float(v) for v in cube.centre.tolist()])
            shifted = layer.weight_exact * centre + layer.bias_exact
            if exact is None:
                exact = np.ones((m, cube.dim + 1), dtype=np.bool_)
            for i, v in enumerate(shifted.entries()):
                ratio = int(v.p), int(v.q)
                f = given[i, k] = nearest_ratio(*ratio)
                exact[i, k] = isfinite(f) and f.as_integer_ratio() == ratio

    def value(i: int, l: int) -> fmpq:
        if l == k and shifted is not None:
            return shifted[i, 0]
        if l >= k:
            return fmpq_from_float(given[i, l])
        return fmpq_from_float(weight[i, l]) * fmpq_from_float(cube.half_width[l])

    return _normalised(given, exact, value)


def _normalised(
    given: NDArray[np.float64],
    exact: NDArray[np.bool_] | None,
    value: Callable[[int, int], fmpq],
) -> FloatRows:
    """Rows from their nearest floats, of which some are exact; ``value(i, l)`` is the number.

    ``exact`` is None where all are.
    """
    m = len(given)
    scaled = _Normalised(
        np.empty(given.shape),
        np.empty(m, dtype=np.int64),
        np.empty(m, dtype=np.int64),
        np.empty(m, dtype=np.bool_),
    )
    call("polyrank_normalise_rows", given, Record(scaled))
    rows, power, exponent, whole = scaled
    if exact is not None:
        whole &= exact.all(axis=1)
    if whole.all():
        error = np.zeros(m)
    else:
        for i in np.flatnonzero(~whole).tolist():
            # rounding may have led to a power of two, or out of the range of floats
            if not 0.5 < frexp(np.abs(given[i]).max())[0] < 1.0:
                power[i] = power_above(max(abs(value(i, l)) for l in range(given.shape[1])))
            e = int(power[i])
            unit = fmpq(2) ** e if e >= 0 else 1 / fmpq(2) ** (-e)
            with np.errstate(invalid="ignore"):
                rows[i] = np.ldexp(given[i], -e)
                kept = np.ldexp(rows[i], e) == given[i]
            if exact is not None:
                kept &= exact[i]
            for l in np.flatnonzero(~kept).tolist():
                rows[i, l] = nearest_float(value(i, l) / unit)
        error = np.where(whole, 0.0, 2.0**-53)
        exponent[~whole] = -1
    power[~rows.any(axis=1)] = ZERO_ROW
    return FloatRows(rows, error, power, exponent)


class _Normalised(NamedTuple):
    """``NormalisedRows`` of the core."""

    rows: NDArray[np.float64]
    power: NDArray[np.int64]
    exponent: NDArray[np.int64]
    whole: NDArray[np.bool_]


class NetArrays(NamedTuple):
    """The network as flat arrays for the compiled search (all float rounding accounted for)."""

    units: NDArray[np.int64]  # units per layer
    unit_start: NDArray[np.int64]  # first unit of each layer, length L + 1
    weight: NDArray[np.float64]  # transposed weights of layers 2.., flattened
    weight_start: NDArray[np.int64]
    bias: NDArray[np.float64]  # per unit
    slope_neg: NDArray[np.float64]
    slope_pos: NDArray[np.float64]
    exact_weight: NDArray[np.bool_]  # per layer: float weights are exact
    exact_arithmetic: NDArray[np.bool_]  # per layer: composite rows are exact
    lsb: NDArray[np.int64]  # per layer: rows are integers times 2**-lsb, −1 where unknown
    central: NDArray[np.bool_]  # per layer: constants vanish structurally (exactly 0)
    linear: NDArray[np.bool_]  # per layer: so do the coefficients of the constant column
    hyperplane: NDArray[np.bool_]  # per unit
    tie: NDArray[np.int64]  # per unit: unit of the layer it is proportional to, or −1
    tie_sign: NDArray[np.int8]
    direction: NDArray[np.int64]  # per unit: first unit of the layer with a proportional weight row
    weight_rank: NDArray[np.int64]  # per layer: an upper bound of the rank of the weight matrix
    first_rows: NDArray[np.float64]
    first_error: NDArray[np.float64]
    first_power: NDArray[np.int64]
    first_exponent: NDArray[np.int64]
    wall_rows: NDArray[np.float64]
    wall_error: NDArray[np.float64]
    wall_exponent: NDArray[np.int64]
    exact_residues: NDArray[np.int64]
    exact_norm: NDArray[np.float64]
    constant_column: int
    linear_columns: int
    homogeneous: bool
    bounded: bool
    centre: NDArray[np.float64]
    half_width: NDArray[np.float64]


def net_arrays(problem: Posed) -> NetArrays:
    """Flatten the layers of a problem for the search.

    Raises
    ------
    UnsupportedError
        If a weight, a slope or a rational bias is too large or too small for float64 products.
    """
    chosen, chart, cube = problem.network.layers[: problem.layers], problem.chart, problem.cube
    units = np.array([layer.units for layer in chosen], dtype=np.int64)
    unit_start = np.concatenate([[0], np.cumsum(units)]).astype(np.int64)
    weights: list[NDArray[np.float64]] = []
    weight_start = [0, 0]
    biases: list[NDArray[np.float64]] = [np.zeros(int(units[0]))]
    exact_weight = [True]
    for index, layer in enumerate(chosen):
        if (wrong := _out_of_range(layer)) is not None:
            raise UnsupportedError(f"layer {index + 1}: {wrong}")
    for index, layer in enumerate(chosen[1:], start=1):
        w = np.ascontiguousarray(layer.weight.approx.T)
        weights.append(w.ravel())
        weight_start.append(weight_start[-1] + w.size)
        biases.append(layer.bias.approx)
        exact_weight.append(
            all(a.is_float for a in (layer.weight, layer.bias))
            and all(a.is_float for a in (chosen[index - 1].slope_neg, chosen[index - 1].slope_pos))
        )
    plain = layer_floats(chosen[0], cube) if chart.is_plain else None
    first = float_rows(problem.first_rows) if plain is None else plain
    wall_floats = constraint_rows(problem.walls, cube.dim + 1)
    # up to three dimensions vertices decide
    asked = chart.k > PLAIN and bool((first.exponent < 0).any())
    forms = no_forms(cube.dim)
    if asked:
        bounding = 0 if cube.kind == "bounded" else 2 * cube.dim - (cube.kind == "homogeneous")
        forms = exact_forms(problem.walls, bounding, problem.first_rows, chart.k)
    exact, lsb = _exact_layers(chosen, first, exact_weight)
    linear = _linear_layers(chosen, first, problem)
    central = linear if cube.kind == "bounded" else [True] * len(chosen)
    if not first.error.any():
        tie, tie_sign = ties(chosen, first.rows)
    else:
        tie, tie_sign = ties(chosen, problem.first_rows if plain is None else None)
    return NetArrays(
        units=units,
        unit_start=unit_start,
        weight=np.concatenate(weights) if weights else np.zeros(1),
        weight_start=np.array(weight_start, dtype=np.int64),
        bias=np.concatenate(biases),
        slope_neg=np.concatenate([layer.slope_neg.approx for layer in chosen]),
        slope_pos=np.concatenate([layer.slope_pos.approx for layer in chosen]),
        exact_weight=np.array(exact_weight),
        exact_arithmetic=np.array(exact),
        lsb=np.array(lsb, dtype=np.int64),
        central=np.array(central),
        linear=np.array(linear),
        hyperplane=np.concatenate([layer.has_hyperplane for layer in chosen]),
        tie=tie,
        tie_sign=tie_sign,
        direction=directions(chosen),
        weight_rank=np.array([weight_rank(layer, chart.k) for layer in chosen], dtype=np.int64),
        first_rows=first.rows,
        first_error=first.error,
        first_power=first.power,
        first_exponent=first.exponent,
        wall_rows=wall_floats.rows,
        wall_error=wall_floats.error,
        wall_exponent=wall_floats.exponent,
        exact_residues=forms.residues,
        exact_norm=forms.norm,
        constant_column=cube.constant_column,
        linear_columns=cube.linear_columns,
        homogeneous=cube.kind == "homogeneous",
        bounded=cube.kind == "bounded",
        centre=cube.centre,
        half_width=cube.half_width,
    )


@lru_cache(maxsize=256)
def _out_of_range(layer: Layer) -> str | None:
    """What of a layer is neither 0 nor within the range in which float64 products cannot vanish."""
    parts = (
        "weight",
        "slope_neg",
        "slope_pos",
        *(["bias"] if layer.bias.exact is not None else []),
    )
    for what in parts:
        array: RationalArray = getattr(layer, what)
        most = _LARGEST_BIAS if what == "bias" else _LARGEST_WEIGHT
        if array.exact is None and array.approx.size:
            power = np.frexp(array.approx)[1]  # 0 of 0
            if -most < int(power.min()) and int(power.max()) <= most:
                continue
        low, high = 2.0**-most, 2.0**most
        sizes = np.abs(array.approx)
        outside = (sizes > high) | ((sizes < low) & (sizes > 0.0))
        if array.exact is not None:
            # a rational below 2**-1074 has the float 0.0
            unit = fmpq(1, 2**most)
            outside |= np.array([0 < abs(v) < unit for v in array.entries()]).reshape(sizes.shape)
        if outside.any():
            at = tuple(int(i) for i in np.argwhere(outside)[0])
            entry = list(array.entries())[int(np.flatnonzero(outside)[0])]
            return (
                f"{what}{list(at)} has magnitude 2**{power_above(abs(entry))}; the search accepts "
                f"0 and 2**-{most} to 2**{most}: rescale units by powers of two"
            )
    return None


def _float_grid(values: NDArray[np.float64]) -> tuple[int, int]:
    """(largest |integer|, shift) with every value an integer times 2**-shift."""
    shift = 0
    fractions = [v.as_integer_ratio() for v in values.ravel().tolist() if v != 0.0]
    for _, q in fractions:
        shift = max(shift, q.bit_length() - 1)
    return max((abs(p) * (2**shift // q) for p, q in fractions), default=0), shift


def _exact_layers(
    layers: tuple[Layer, ...], first: FloatRows, exact_weight: list[bool]
) -> tuple[list[bool], list[int]]:
    """Which layers' composite rows are exact in float64 whatever the region, and on which grid.

    A static bound: with integer grids 2**-p of the weights, 2**-s of the slopes and 2**-q of the
    rows below, the rows of a layer lie on the grid 2**-(p + s + q), and as long as the sum of the
    magnitudes of all terms is below 2**53 grid units no float operation rounds.
    """
    exact = [False] * len(layers)
    lsb = [-1] * len(layers)
    if first.error.any() or (first.exponent < 0).any():
        return exact, lsb
    power = np.where(first.power == ZERO_ROW, 0, first.power)
    shift = max(0, int((first.exponent - power).max(initial=0)))
    with np.errstate(over="ignore"):
        grid_units = np.ldexp(np.abs(first.rows), power[:, None] + shift)
    if (grid_units > EXACT_LIMIT).any():
        return exact, lsb
    bound = [int(v) for v in grid_units.max(axis=1).tolist()]
    exact[0], lsb[0] = True, shift
    for k in range(1, len(layers)):
        below, layer = layers[k - 1], layers[k]
        if not exact_weight[k] or max(layer.units, below.units) > 4096:
            break
        slopes = np.maximum(np.abs(below.slope_neg.approx), np.abs(below.slope_pos.approx))
        both = np.concatenate([below.slope_neg.approx, below.slope_pos.approx])
        _, s = _float_grid(both)
        _, p = _float_grid(layer.weight.approx)
        _, r = _float_grid(layer.bias.approx)
        if max(s, p, r) > 60:
            break
        grid = max(shift + s + p, r)
        new_bound = []
        for i in range(layer.units):
            total = abs(int(fmpq_from_float(layer.bias.approx[i]) * 2**r)) << (grid - r)
            for j in range(below.units):
                w = abs(layer.weight.approx[i, j])
                if w != 0.0:
                    term = int(w * 2.0**p) * int(slopes[j] * 2.0**s) * bound[j]
                    total += term << (grid - shift - s - p)
            new_bound.append(total)
        if max(new_bound) >= EXACT_LIMIT or grid > 200:
            break
        bound, shift = new_bound, grid
        exact[k], lsb[k] = True, grid
    return exact, lsb


def _linear_layers(layers: tuple[Layer, ...], first: FloatRows, problem: Posed) -> list[bool]:
    """Which layers have rows that are exactly zero in the constant column on every region."""
    column = problem.cube.constant_column
    linear = not first.rows[:, column].any()
    if linear and first.error.any():  # a number that is not 0 may have been rounded to it
        exact = problem.first_rows
        linear = all(exact[i, column] == 0 for i in range(exact.nrows()))
    out = [linear]
    for layer in layers[1:]:
        linear = linear and is_zero(layer.bias)
        out.append(linear)
    return out
