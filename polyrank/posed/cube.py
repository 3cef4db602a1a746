"""Cube coordinates, the float search's own: exact maps to and from the chart, exact rows.

The search works in *cube coordinates* u, in which the domain lies inside ``|u_l| ≤ 1``:

* bounded domain: ``y = centre + half_width · u`` with dyadic centre and power-of-two half widths;
* unbounded domain: homogeneous coordinates ``u = (v, t)``, ``t ≥ 0``, ``y = half_width · v/t``; a
  cell of the affine arrangement is the cone over it, cut by the cube;
* unbounded and central (every bias and every right-hand side zero): the cones themselves,
  ``y = half_width · u``.

The half widths of cones are powers of two: 1, or, where weights and biases are of quite different
magnitude, what brings them together. Rows have one bound of their error for all coefficients, so
that a bias of 1 beside weights of 2^60 would be lost in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress, pairwise
from math import frexp

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.errors import DomainError
from polyrank.lp.farkas import coprime
from polyrank.network.composition import preactivation, split_map
from polyrank.network.normal_form import Network
from polyrank.network.rational import (
    RationalArray,
    exponent,
    fmpq_from_float,
    nearest_float,
    nearest_ratio,
)
from polyrank.posed.chart import Chart

__all__ = [
    "CubeMap",
    "cube_map",
    "cube_rows",
    "is_zero",
    "nonzero",
    "power_above",
    "wall_rows",
]

IntRow = tuple[int, ...]
_NARROWEST = fmpq(1, 2**900)
#: Cones keep half widths of 1 where all that would be better are within 2**±_LIKE.
_LIKE = 20
_WIDEST_CONE = 900
_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class CubeMap:
    """The exact map between chart coordinates y and cube coordinates u.

    ``kind`` is ``"bounded"``, ``"homogeneous"`` or ``"central"``; ``centre`` and ``half_width``
    (float64, exact) have length k; the centre is 0 unless bounded.
    """

    kind: str
    centre: NDArray[np.float64]
    half_width: NDArray[np.float64]

    @property
    def dim(self) -> int:
        """Dimension d of the cube: k, or k + 1 in homogeneous coordinates."""
        return len(self.centre) + (1 if self.kind == "homogeneous" else 0)

    @property
    def linear_columns(self) -> int:
        """How many leading cube coordinates are directions of the domain."""
        return len(self.centre)

    @property
    def constant_column(self) -> int:
        """Column of a row that takes a layer's bias."""
        return len(self.centre)

    def to_cube(self, y: list[fmpq]) -> list[fmpq]:
        """Exact cube coordinates of an exact chart point (cones are scaled into the cube)."""
        if self.kind == "bounded":
            return [
                (v - fmpq_from_float(c)) / fmpq_from_float(h)
                for v, c, h in zip(y, self.centre, self.half_width, strict=True)
            ]
        u = [v / fmpq_from_float(h) for v, h in zip(y, self.half_width, strict=True)]
        if self.kind == "homogeneous":
            u.append(fmpq(1))
        size = max([abs(v) for v in u] + [fmpq(1)])
        power = fmpq(1, 2)
        while size * power >= 1:
            power /= 2
        return [v * power for v in u]

    def to_chart(self, u: list[fmpq]) -> list[fmpq]:
        """Exact chart point of exact cube coordinates (t > 0 where homogeneous)."""
        if self.kind == "bounded":
            return [
                fmpq_from_float(c) + fmpq_from_float(h) * v
                for v, c, h in zip(u, self.centre, self.half_width, strict=True)
            ]
        t = u[-1] if self.kind == "homogeneous" else fmpq(1)
        return [
            v / t * fmpq_from_float(h)
            for v, h in zip(u[: len(self.centre)], self.half_width, strict=True)
        ]


def cube_map(network: Network, chart: Chart) -> CubeMap:
    """Choose cube coordinates for a chart (see the module's header).

    Raises
    ------
    DomainError
        If a bounded domain is wider than 2**900 or narrower than 2**-900 in some coordinate.
    """
    k = chart.k
    if chart.lower is not None and chart.upper is not None:
        centre = np.zeros(k)
        half = np.ones(k)
        for l, (lo, hi) in enumerate(zip(chart.lower, chart.upper, strict=True)):
            extent = hi - lo
            if not _NARROWEST < extent < 1 / _NARROWEST or abs(lo + hi) > 1 / _NARROWEST:
                far = max(abs(lo), abs(hi), extent)
                raise DomainError(
                    f"coordinate {l + 1} of the domain has width 2**{power_above(extent)} and "
                    f"reaches 2**{power_above(far)}; the search accepts widths above 2**-900 and "
                    "bounds below 2**900: rescale the input"
                )
            _, e = frexp(nearest_float(extent))
            grid = 2.0 ** (e - 13)
            c = nearest_float((lo + hi) / 2)
            if abs(c) < 2.0 ** (e + 39):  # farther out floats are coarser than the grid
                c = round(c / grid) * grid
            reach = max(hi - fmpq_from_float(c), fmpq_from_float(c) - lo)
            h = 2.0 ** (e - 3)
            while fmpq_from_float(h) < reach:
                h *= 2.0
            centre[l], half[l] = c, h
        return CubeMap("bounded", centre, half)
    zero = all(v == 0 for v in chart.origin.entries()) and all(
        v == 0 for v in chart.inequalities.bounds
    )
    if zero and all(is_zero(layer.bias) for layer in network.layers):
        return CubeMap("central", np.zeros(k), _widths_of_cones(network, chart, central=True))
    return CubeMap("homogeneous", np.zeros(k), _widths_of_cones(network, chart, central=False))


def _widths_of_cones(network: Network, chart: Chart, *, central: bool) -> NDArray[np.float64]:
    """Half widths with which rows have entries of like magnitude; 1 where they nearly have."""
    k = chart.k
    first = network.layers[0]
    if chart.is_plain:
        linear, bias = first.weight.approx, first.bias.approx
    else:
        linear, bias = np.zeros((first.units, k)), _floats(preactivation(first, chart.origin))[:, 0]
        for i, terms in enumerate(chart.linear_rows(first)):
            for l, v in terms:
                linear[i, l] = nearest_float(v)
    domain = np.array([[nearest_ratio(v, 1) for v in row] for row in chart.rows]).reshape(-1, k + 1)
    table = np.vstack([np.column_stack([linear, bias]), domain])
    size = _logarithms(table[:, :k] if central else table)
    column = _equilibrated(size)
    if not central:
        if np.isfinite(size[:, k]).any():
            column = column[:k] - column[k]
        else:
            column = column[:k]
            column += _rise_of_biases(network, size[: first.units, :k] + column)
    powers = np.rint(column)
    if not (np.abs(powers) > _LIKE).any():
        return np.ones(k)
    return np.ldexp(1.0, np.clip(powers, -_WIDEST_CONE, _WIDEST_CONE).astype(np.int64))


def _floats(matrix: fmpq_mat) -> NDArray[np.float64]:
    shape = matrix.nrows(), matrix.ncols()
    return np.array([nearest_float(v) for v in matrix.entries()]).reshape(shape)


def _logarithms(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Binary logarithms of magnitudes; NaN of 0 and of what is no finite float."""
    with np.errstate(divide="ignore"):
        out = np.log2(np.abs(values))
    out[~np.isfinite(out)] = np.nan
    return out


def _equilibrated(size: NDArray[np.float64]) -> NDArray[np.float64]:
    """What to add to each column so that rows are as even as rows and columns can make them."""
    there = np.isfinite(size)
    filled = np.where(there, size, 0.0)
    in_row, in_column = (np.maximum(there.sum(axis=a), 1) for a in (1, 0))
    column = np.zeros(size.shape[1])
    for _ in range(_ROUNDS):
        row = ((filled + column) * there).sum(axis=1) / in_row
        column = ((row[:, None] - filled) * there).sum(axis=0) / in_column
    return column


def _rise_of_biases(network: Network, size: NDArray[np.float64]) -> float:
    """By how much biases of later layers exceed what the first layer's rows of this size give."""
    with np.errstate(invalid="ignore"):
        rows = np.fmax.reduce(size, axis=1, initial=-np.inf)
    for below, layer in pairwise(network.layers):
        slope = np.maximum(np.abs(below.slope_neg.approx), np.abs(below.slope_pos.approx))
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.log2(np.abs(layer.weight.approx)) + (rows + np.log2(slope))
            rows = np.fmax.reduce(terms, axis=1, initial=-np.inf)
            rise = np.log2(np.abs(layer.bias.approx)) - rows
        rise = rise[np.isfinite(rise)]
        if rise.size:
            return float(np.median(rise))
    return 0.0


def is_zero(array: RationalArray) -> bool:
    """Whether every entry is exactly 0."""
    if array.exact is None:
        return not array.approx.any()
    return all(v == 0 for v in array.exact.entries())


def cube_rows(rows: fmpq_mat, cube: CubeMap) -> fmpq_mat:
    """Rows ``[J | c]`` of chart coordinates, (m, k + 1), in cube coordinates, (m, d + 1)."""
    linear, constant = split_map(rows)
    return _to_cube_rows(linear, constant, cube)


def _to_cube_rows(linear: fmpq_mat, constant: fmpq_mat, cube: CubeMap) -> fmpq_mat:
    out = fmpq_mat(linear.nrows(), cube.dim + 1)
    centre = [fmpq_from_float(c) for c in cube.centre]
    half = [fmpq_from_float(h) for h in cube.half_width]
    for i, bias in enumerate(constant.entries()):
        there = nonzero(linear, i)
        for l, v in there:
            out[i, l] = v * half[l]
        if cube.kind != "central":
            out[i, cube.constant_column] = sum((v * centre[l] for l, v in there), bias)
    return out


def nonzero(matrix: fmpq_mat, i: int) -> list[tuple[int, fmpq]]:
    """The entries of row i that are not 0: of the walls of a box in R^784 one is, not 784."""
    row = ((l, matrix[i, l]) for l in range(matrix.ncols()))
    return [(l, v) for l, v in row if v != 0]


def wall_rows(chart: Chart, cube: CubeMap) -> list[IntRow]:
    """Rows ``a·u + b ≥ 0`` of the domain and, for cones, of the cube that cuts them.

    Each is d + 1 coprime integers. The domain's own rows come first (one per row of ``chart.A``),
    then ``t ≥ 0`` where homogeneous, then the cube's walls ``1 − u_l ≥ 0``, ``1 + u_l ≥ 0`` of
    cones.
    """
    own = chart.rows
    d = cube.dim
    if cube.kind == "bounded":
        return [_bounded_row(row, cube) for row in own]
    rows: list[IntRow] = [_bounded_row(row, cube) for row in own]
    if cube.kind == "homogeneous":
        rows = [(*row, 0) for row in rows]
        rows.append(tuple(int(l == d - 1) for l in range(d + 1)))
    for l in range(d):
        for sign in (-1, 1):
            if not (cube.kind == "homogeneous" and l == d - 1 and sign == 1):
                rows.append(tuple(1 if j == d else sign * (j == l) for j in range(d + 1)))
    return rows


def _bounded_row(row: IntRow, cube: CubeMap) -> IntRow:
    """``a·(centre + half_width u) + b`` as a multiple in coprime integers."""
    there = list(compress(range(len(row) - 1), row))
    numbers = [
        (float(cube.centre[l]).as_integer_ratio(), float(cube.half_width[l]).as_integer_ratio())
        for l in there
    ]
    unit = max((q for pair in numbers for _, q in pair), default=1)  # all are powers of two
    out, constant = [0] * len(row), row[-1] * unit
    for l, ((p, q), (h, g)) in zip(there, numbers, strict=True):
        out[l] = row[l] * h * (unit // g)
        constant += row[l] * p * (unit // q)
    out[-1] = constant
    return coprime(out)


def power_above(value: fmpq) -> int:
    """Smallest e with value ≤ 2**e."""
    e = exponent(value)
    while value > (fmpq(2) ** e if e >= 0 else 1 / fmpq(2) ** (-e)):
        e += 1
    return e
