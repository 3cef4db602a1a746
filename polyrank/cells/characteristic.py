"""Regions of a hyperplane arrangement by deletion and restriction: no region is ever found.

This is the second, independent method for one layer on all of R^n: it knows the intersections of
the hyperplanes alone, in integers, and shares nothing with the searches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import gcd

from flint import fmpq

from polyrank.lp.deadline import look
from polyrank.lp.farkas import integer_row
from polyrank.network.composition import preactivation
from polyrank.network.normal_form import Network
from polyrank.posed.chart import Chart

__all__ = ["applies", "arrangement_regions", "first_layer_planes"]

Row = tuple[int, ...]


def applies(network: Network, chart: Chart, layers: int) -> bool:
    """Whether the regions are those of an arrangement: R^n, and hyperplanes in layer 1 alone."""
    return chart.inequalities.m == 0 and not any(network.bits[1:layers])


def first_layer_planes(network: Network, chart: Chart) -> list[Row]:
    """Hyperplanes ``row[:k] · y + row[k] = 0`` of layer 1 in the chart, each once.

    Rows are coprime integers, the first non-zero entry positive; a unit that is constant on the
    chart has none.
    """
    layer = network.layers[0]
    shifts = preactivation(layer, chart.origin).entries()
    units = zip(chart.linear_rows(layer), shifts, layer.has_hyperplane.tolist(), strict=True)
    rows = []
    for terms, shift, has in units:
        if has and terms:
            row = [fmpq(0)] * chart.k + [shift]
            for l, v in terms:
                row[l] = v
            rows.append(_coprime(row))
    return list(dict.fromkeys(rows))


def arrangement_regions(planes: Sequence[Row], dim: int) -> int:
    """Number of regions of an arrangement of distinct hyperplanes in R^dim.

    **Proves**: r(A) = r(A − H) + r(A restricted to H) for every H in A (Zaslavsky, "Facing up to
    arrangements", 1975, Theorem A: r(A) = (−1)^n χ_A(−1), χ the characteristic polynomial, and
    deletion and restriction of χ). Applied to the last hyperplane until none is left:
    r(A) = 1 + Σ_i r((H_1, ..., H_{i−1}) restricted to H_i).

    Parameters
    ----------
    planes : sequence of tuple of int
        As :func:`first_layer_planes` gives them.
    dim : int

    Raises
    ------
    OutOfTimeError
        Where a time limit (:func:`polyrank.lp.deadline.time_limit`) ends.

    Examples
    --------
    Three lines in general position, and three through a point:

    >>> arrangement_regions([(1, 0, 0), (0, 1, 0), (1, 1, -1)], 2)
    7
    >>> arrangement_regions([(1, 0, 0), (0, 1, 0), (1, 1, 0)], 2)
    6
    """
    return _regions(tuple(planes), dim, {})


def _regions(planes: tuple[Row, ...], dim: int, known: dict[frozenset[Row], int]) -> int:
    if dim == 0 or len(planes) <= 1:
        return 1 + len(planes)
    if dim == 1:
        return 1 + len(planes)
    key = frozenset(planes)
    if key in known:
        return known[key]
    look()
    total = 1
    for i, wall in enumerate(planes):
        total += _regions(tuple(_restricted(planes[:i], wall)), dim - 1, known)
    known[key] = total
    return total


def _restricted(planes: Iterable[Row], wall: Row) -> dict[Row, None]:
    """What hyperplanes cut out of another one, each once; those parallel to it cut nothing."""
    axis = next(i for i, v in enumerate(wall) if v)
    lead = wall[axis]
    out: dict[Row, None] = {}
    for plane in planes:
        factor = plane[axis]
        row = [lead * p - factor * w for p, w in zip(plane, wall, strict=True)]
        del row[axis]
        common = gcd(*row[:-1])
        if common:
            common = gcd(common, row[-1])
            if next(v for v in row if v) < 0:
                common = -common
            out[tuple(v // common for v in row)] = None
    return out


def _coprime(values: Sequence[fmpq]) -> Row:
    row = integer_row(values)
    return row if next(v for v in row if v) > 0 else tuple(-v for v in row)
