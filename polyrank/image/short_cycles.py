"""Short cycles of given classes: proposals, which exact arithmetic accepts or refuses.

In degree 1 they are loops of two shortest paths from a root and one more edge. On a graph whose
branch points are all roots no other choice of independent classes has shorter loops (Horton 1987;
Erickson and Whittlesey, Greedy optimal homotopy and homology generators, 2005). In the largest
degree they are a reduced basis of the lattice of cycles (Lenstra, Lenstra, Lovász 1982), in which
the squared length of a cycle is its volume as long as no coefficient is beyond ±1.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from flint import fmpz_mat, nmod_mat
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from polyrank.chains.elimination import RATIONALS
from polyrank.chains.reduction import Chain
from polyrank.image.classes import Classes, Echelon, chains_of
from polyrank.lp.deadline import look

__all__ = ["reduced_basis", "short_loops"]

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

#: Stands for ℚ: what vanishes modulo this prime is proposed as 0.
_PRIME = 2_147_483_647
#: Largest number of values that are kept, and of operations for all roots.
_VALUES, _WORK = 20_000_000, 2_000_000_000


def short_loops(
    classes: Classes, edges: Numbers, length: Floats, roots: Numbers
) -> Iterator[Chain]:
    """Loops with independent classes of a group of degree 1, the shortest first.

    Parameters
    ----------
    classes : Classes
    edges : int64 array, shape (e, 2)
        The smaller end first, from which an edge leads to the other.
    length : float64 array, shape (e,)
    roots : int64 array
        Vertices from which paths start; some are left out where the work would be too much.
    """
    prime = _PRIME if classes.field == RATIONALS else classes.field
    outside = _vanishing_on(classes.chains, prime)
    inside = _vanishing_on(classes.zero, prime)
    width = outside.shape[1] + inside.shape[1]
    critical = len(classes.reduction.critical[1])
    if prime > _PRIME or not roots.size or len(edges) * max(width, critical) > _VALUES:
        return
    value = _values(classes.reduction.coordinates(1), np.hstack([outside, inside]), prime)
    count = int(edges.max(initial=-1)) + 1
    per_root = max(1, len(edges) * width * max(1, inside.shape[1]))
    roots = roots[:: max(1, -(-len(roots) * per_root // _WORK))]
    graph = _Paths(edges, length, count)
    found: list[tuple[float, int, int, Numbers]] = []
    for root in roots.tolist():
        look()
        total, own = graph.loops(root, value, prime)
        kept = (own[:, : outside.shape[1]] == 0).all(axis=1) & np.isfinite(total)
        found += [
            (float(total[e]), root, e, own[e, outside.shape[1] :])
            for e in _independent(np.flatnonzero(kept), total, own[:, outside.shape[1] :], prime)
        ]
    found.sort(key=lambda entry: entry[:3])
    space = Echelon(prime)
    for _, root, e, own in found:
        if space.add(dict(enumerate(own.tolist()))):
            yield graph.chain(root, e)


def reduced_basis(classes: Classes, volume: Floats) -> list[Chain]:
    """Cycles of the largest degree that generate those of a group, small ones first.

    Parameters
    ----------
    classes : Classes
    volume : float64 array
        Of every cell of that degree.
    """
    lifts = [classes.reduction.lift(classes.degree, row) for row in chains_of(classes.chains)]
    # cells with the same coefficients in all cycles, up to one sign, are one sheet
    sheets: dict[tuple[int, ...], float] = {}
    for cell in {c for chain in lifts for c in chain}:
        column = tuple(chain.get(cell, 0) for chain in lifts)
        sign = next(v for v in column if v) > 0
        own = column if sign else tuple(-v for v in column)
        sheets[own] = sheets.get(own, 0.0) + float(volume[cell])
    whole = sum(sheets.values()) or 1.0
    weight = [max(1, round(2.0**20 * (v / whole) ** 0.5)) for v in sheets.values()]
    table = fmpz_mat(
        len(lifts),
        len(sheets),
        [
            column[i] * w
            for i in range(len(lifts))
            for column, w in zip(sheets, weight, strict=True)
        ],
    )
    if not table.nrows() or not table.ncols():
        return []
    change = table.lll(True)[1].tolist()
    out = []
    for row in change:
        chain: Chain = {}
        for factor, cycle in zip(row, lifts, strict=True):
            for c, v in cycle.items() if factor != 0 else ():
                chain[c] = chain.get(c, 0) + int(factor) * v
        chain = {c: v for c, v in chain.items() if v}
        if chain:
            out.append(chain)
    return sorted(out, key=lambda chain: sum(abs(v) * volume[c] for c, v in chain.items()))


class _Paths:
    """Shortest paths in a graph."""

    def __init__(self, edges: Numbers, length: Floats, count: int) -> None:
        self._edges, self._length, self._count = edges, np.maximum(length, 1e-300), count
        ends = edges[:, 0], edges[:, 1]
        self._table = sparse.csr_array((self._length, ends), shape=(count, count))
        self._keys = edges[:, 0] * count + edges[:, 1]
        self._order = np.argsort(self._keys)

    def _search(self, root: int) -> tuple[Floats, Numbers]:
        distance, previous = dijkstra(
            self._table, directed=False, indices=root, return_predecessors=True
        )
        return distance, previous.astype(np.int64)

    def _steps(self, previous: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Vertices with the edges that lead to them, and ±1: along the edge or against it."""
        reached = np.flatnonzero(previous >= 0)
        before = previous[reached]
        low, high = np.minimum(reached, before), np.maximum(reached, before)
        place = np.searchsorted(self._keys, low * self._count + high, sorter=self._order)
        return reached, self._order[place], np.where(before < reached, 1, -1)

    def loops(self, root: int, value: Numbers, prime: int) -> tuple[Floats, Numbers]:
        """Per edge the length of its loop (infinite: there is none) and the loop's values."""
        distance, previous = self._search(root)
        reached, by, sign = self._steps(previous)
        along = np.zeros((self._count, value.shape[1]), np.int64)
        along[reached] = sign[:, None] * value[by]
        before = np.where(previous >= 0, previous, np.arange(self._count))
        # values of whole paths: twice as long in every round
        while (before != before[before]).any():
            along = (along + along[before]) % prime
            before = before[before]
        a, b = self._edges[:, 0], self._edges[:, 1]
        total = distance[a] + distance[b] + self._length
        total[(previous[a] == b) | (previous[b] == a)] = np.inf
        return total, (along[a] + value - along[b]) % prime

    def chain(self, root: int, edge: int) -> Chain:
        """The loop of an edge."""
        previous = self._search(root)[1]
        reached, by, sign = self._steps(previous)
        leads = dict(
            zip(reached.tolist(), zip(by.tolist(), sign.tolist(), strict=True), strict=True)
        )
        a, b = self._edges[edge].tolist()
        chain = {edge: 1}
        for end, direction in ((a, 1), (b, -1)):
            v = end
            while v != root:
                e, step = leads[v]
                chain[e] = chain.get(e, 0) + direction * step
                v = int(previous[v])
        return {e: s for e, s in chain.items() if s}


def _vanishing_on(rows: fmpz_mat, prime: int) -> Numbers:
    """Columns: a basis of the functionals modulo the prime that vanish on all rows."""
    size = rows.ncols()
    if not rows.nrows() or not size:
        return np.eye(size, dtype=np.int64)
    null, nullity = nmod_mat(rows, prime).nullspace()
    table = np.array([[int(v) for v in row] for row in null.tolist()], np.int64)
    return table.reshape(size, -1)[:, : int(nullity)]


def _values(coordinates: Numbers, functionals: Numbers, prime: int) -> Numbers:
    out = np.zeros((len(coordinates), functionals.shape[1]), np.int64)
    for own, row in zip(coordinates.T % prime, functionals, strict=True):
        used = np.flatnonzero(own)
        out[used] = (out[used] + own[used, None] * row) % prime
    return out


def _independent(candidates: Numbers, total: Floats, value: Numbers, prime: int) -> list[int]:
    """Of the candidates the shortest whose values are independent: greedily, modulo the prime."""
    own = candidates[np.argsort(total[candidates], kind="stable")]
    left = value[own]
    out = []
    while own.size:
        kept = left.any(axis=1)
        own, left = own[kept], left[kept]
        if not own.size:
            break
        out.append(int(own[0]))
        pivot = int(np.flatnonzero(left[0])[0])
        row = left[0] * pow(int(left[0, pivot]), -1, prime) % prime
        left = (left - left[:, pivot, None] * row) % prime
    return out
