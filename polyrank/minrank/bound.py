"""Bounds of the rank through layer K on all completions of a prefix of layers.

**Theorem.** Let layers 1..j be decided on a cell, with linear part ``J_j`` there (``J_0`` the
basis of the domain). For i > j let ``E_i ⊆ T_i`` be sets of units of layer i such that on every
region of the cell all units of E_i are live (their slope is not zero) and all live ones are in
T_i. Then on every region of the cell::

    rank J_K ≥ rank (W_{j+1} J_j)[E_{j+1}] − Σ_{i=j+2..K} ( |T_{i−1}| − rank W_i[E_i, T_{i−1}] )

*Proof.* ``J_{j+1}`` holds non-zero multiples of the rows ``E_{j+1}`` of ``W_{j+1} J_j``, so its
rank is at least theirs. For i > j + 1, ``J_i = D_i W_i J_{i−1}`` holds non-zero multiples of the
rows ``W_i[E_i] J_{i−1}``, and the image of ``J_{i−1}`` lies in the coordinates ``T_{i−1}``. Hence
``rank J_i ≥ rank(W_i[E_i, T_{i−1}] J_{i−1}[T_{i−1}]) ≥ rank J_{i−1} − dim ker W_i[E_i, T_{i−1}]``,
and the kernel has dimension ``|T_{i−1}| − rank W_i[E_i, T_{i−1}]``. (A unit that is identically
zero on a region has a zero row there, which every slope multiplies to zero.) ∎

(Rank-nullity for a product: Sylvester's law of nullity, with the kernel confined to T.) The sets
come from exact interval bounds on the domain's bounding box; on an unbounded domain only slopes
and units without weights tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flint import fmpq

from polyrank.lp.farkas import integer_row_of
from polyrank.network.exact_rank import rank_of_rows
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import Terms
from polyrank.posed.chart import Chart

__all__ = ["ChainBound", "Interval", "chain_bound", "interval"]

Interval = tuple[fmpq, fmpq] | None
"""Bounds of a value on the domain; None if there are none."""


@dataclass(frozen=True, slots=True)
class ChainBound:
    """The theorem's parts for one network, domain and layer K.

    Attributes
    ----------
    live : tuple of tuple of int
        ``live[i - 1]``: E_i, units of layer i that are live on all of the domain.
    loss : tuple of int
        ``loss[j]``: the sum over i = j + 2..K, for j = 0..K−1.
    root : int
        The bound for the whole domain (j = 0), at least 0.
    most : int
        An upper bound for the whole domain: the least ``rank W_i[T_i, T_{i−1}]``.
    bounds : tuple of list
        ``bounds[i - 1]``: of the pre-activations of layer i on the domain, or None.
    """

    live: tuple[tuple[int, ...], ...]
    loss: tuple[int, ...]
    root: int
    most: int
    bounds: tuple[list[Interval], ...]


def chain_bound(network: Network, chart: Chart) -> ChainBound:
    """The bound for a network whose last layer is K, on the domain of a chart."""
    values: list[Interval] = _inputs(chart)
    live: list[tuple[int, ...]] = []
    maybe: list[tuple[int, ...]] = []
    bounds: list[list[Interval]] = []
    tables = [tuple(layer.weight.terms()) for layer in network.layers]
    for layer, table in zip(network.layers, tables, strict=True):
        before = _preactivations(layer, table, values)
        bounds.append(before)
        values = [
            _activated(z, neg, pos)
            for z, (neg, pos) in zip(before, layer.slopes_exact, strict=True)
        ]
        states = [
            _states(z, neg, pos) for z, (neg, pos) in zip(before, layer.slopes_exact, strict=True)
        ]
        live.append(tuple(i for i, s in enumerate(states) if all(s)))
        maybe.append(tuple(i for i, s in enumerate(states) if any(s)))
    loss = [0]
    for i in range(len(network.layers) - 1, 0, -1):
        rank = _rank(tables[i], live[i], maybe[i - 1])
        loss.append(loss[-1] + len(maybe[i - 1]) - rank)
    loss.reverse()
    first = tuple(chart.linear_rows(network.layers[0]))
    root = _rank(first, live[0], range(chart.k)) - loss[0]
    most = _rank(first, maybe[0], range(chart.k))
    for i in range(1, len(network.layers)):
        # a composite has at most the rank of each factor
        most = min(most, _rank(tables[i], maybe[i], maybe[i - 1]))
    return ChainBound(tuple(live), tuple(loss), max(0, root), most, tuple(bounds))


def _inputs(chart: Chart) -> list[Interval]:
    """Bounds of x on the domain."""
    if chart.lower is None or chart.upper is None:
        return [None] * chart.n
    box = list(zip(chart.lower, chart.upper, strict=True))
    if chart.is_plain:
        return list(box)
    table = chart.basis.tolist() if chart.k else [[] for _ in range(chart.n)]
    return [
        interval(enumerate(row), shift, box)
        for row, shift in zip(table, chart.origin.entries(), strict=True)
    ]


def _preactivations(
    layer: Layer, table: Sequence[Terms], values: Sequence[Interval]
) -> list[Interval]:
    return [
        interval(row, shift, values)
        for row, shift in zip(table, layer.bias_exact.entries(), strict=True)
    ]


def interval(row: Iterable[tuple[int, fmpq]], shift: fmpq, values: Sequence[Interval]) -> Interval:
    """Bounds of an affine form of values with the given bounds; zeros may be left out."""
    low = high = shift
    for j, w in row:
        if w == 0:
            continue
        value = values[j]
        if value is None:
            return None
        a, b = (w * value[0], w * value[1]) if w > 0 else (w * value[1], w * value[0])
        low, high = low + a, high + b
    return low, high


def _states(z: Interval, neg: fmpq, pos: fmpq) -> tuple[bool, ...]:
    """Whether the unit is live, for each side of its hyperplane that an open set may be on."""
    if neg == pos or z is None:
        return neg != 0, pos != 0
    if z[0] == z[1] == 0:
        return (False,)  # identically zero: it adds no rank, and its value is zero
    if z[0] >= 0:
        return (pos != 0,)
    if z[1] <= 0:
        return (neg != 0,)
    return neg != 0, pos != 0


def _activated(z: Interval, neg: fmpq, pos: fmpq) -> Interval:
    if neg == pos == 0:
        return fmpq(0), fmpq(0)
    if z is None:
        return None
    kinks = [neg * z[0] if z[0] <= 0 else pos * z[0], neg * z[1] if z[1] <= 0 else pos * z[1]]
    if z[0] < 0 < z[1]:
        kinks.append(fmpq(0))
    return min(kinks), max(kinks)


def _rank(table: Iterable[Terms], rows: Sequence[int], columns: Sequence[int]) -> int:
    """The rank of some rows and columns of a matrix that is given without its zeros."""
    chosen, place = set(rows), {j: l for l, j in enumerate(columns)}
    return rank_of_rows(
        integer_row_of(len(place), [(place[j], v) for j, v in terms if j in place])
        for i, terms in enumerate(table)
        if i in chosen
    )
