"""A complex and its critical cells, with the chains that lead from one to the other and back.

The matching of :mod:`polyrank.chains.morse` gives a chain complex of critical cells, and with it

- to a chain of critical cells the chain of the complex that follows the gradient paths (``lift``);
- to a cycle z its critical part and a chain w with ``z − ∂w = lift(critical part)`` (``reduce``).

So classes are decided among few critical cells, and carried by cells of the whole complex.

Source: R. Forman, Morse theory for cell complexes (1998), sections 6 to 8.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

from polyrank.chains.chain import ChainComplex
from polyrank.chains.morse import matching

__all__ = ["Chain", "Reduction"]

#: Cells of one dimension with their coefficients.
Chain = dict[int, int]


class Reduction:
    """The critical cells of a complex.

    Parameters
    ----------
    complex_ : ChainComplex

    Attributes
    ----------
    complex : ChainComplex
    critical : tuple of int64 arrays
        Per dimension, the cells that are no part of a matched pair.
    """

    def __init__(self, complex_: ChainComplex) -> None:
        found = matching(complex_)
        self.complex = complex_
        self._offset = found.offset.tolist()
        pointer, cells, values = (table.tolist() for table in found.faces)
        self._pointer, self._cells, self._values = pointer, cells, values
        self._mate, self._order = found.mate.tolist(), found.order.tolist()
        self._cell_at = found.cell_at.tolist()
        # a cell is the lower one of a pair iff the other one has a larger number
        self.critical = tuple(
            np.flatnonzero(found.mate[a:b] < 0)
            for a, b in zip(self._offset, self._offset[1:], strict=False)
        )
        self._number = {
            int(c) + a: k
            for a, own in zip(self._offset, self.critical, strict=False)
            for k, c in enumerate(own)
        }

    def boundary(self, degree: int) -> list[Chain]:
        """The boundary of every critical cell of a dimension, in critical cells."""
        if not 0 < degree < len(self.critical):
            return []
        return [
            self.reduce(degree - 1, self._faces(self._offset[degree] + c, degree))[0]
            for c in self.critical[degree].tolist()
        ]

    def lift(self, degree: int, chain: Mapping[int, int]) -> Chain:
        """The chain of the complex that belongs to a chain of critical cells."""
        own = self.critical[degree]
        out = {int(own[k]): v for k, v in chain.items() if v}
        if degree:
            below: Chain = {}
            for cell, v in out.items():
                for f, sign in self._faces(self._offset[degree] + cell, degree).items():
                    below[f] = below.get(f, 0) + v * sign
            for cell, v in self.reduce(degree - 1, below)[1].items():
                out[cell] = out.get(cell, 0) - v
        return {c: v for c, v in out.items() if v}

    def reduce(self, degree: int, chain: Mapping[int, int]) -> tuple[Chain, Chain]:
        """The critical part of a chain that is pushed along the gradient, and what it sweeps over.

        Of a cycle z these are a chain of critical cells and a chain w with ``z − ∂w = lift(…)``.
        """
        base = self._offset[degree]
        up = self._offset[degree + 1]
        mate, order = self._mate, self._order
        value = {base + c: v for c, v in chain.items() if v}
        heap = [order[c] for c in value if mate[c] >= up]
        heapify(heap)
        swept: Chain = {}
        while heap:
            cell = self._cell_at[heappop(heap)]
            own = value.pop(cell)
            if not own:
                continue
            partner = mate[cell]
            span = range(self._pointer[partner], self._pointer[partner + 1])
            entry = next(self._values[i] for i in span if self._cells[i] == cell)
            factor = own * entry  # the entry is ±1
            swept[partner - up] = factor
            for i in span:
                f = self._cells[i]
                if f == cell:
                    continue
                if f in value:
                    value[f] -= factor * self._values[i]
                else:
                    value[f] = -factor * self._values[i]
                    if mate[f] >= up:
                        heappush(heap, order[f])
        number = self._number
        return {number[c]: v for c, v in value.items() if v and mate[c] < 0}, swept

    def coordinates(self, degree: int) -> NDArray[np.int64]:
        """The critical part of every cell of a dimension, shape (cells, critical cells).

        The critical part of a chain is the sum of those of its cells; sums beyond int64 wrap, so
        that this proposes, and :meth:`reduce` decides.
        """
        base, up = self._offset[degree], self._offset[degree + 1]
        out = np.zeros((up - base, len(self.critical[degree])), np.int64)
        out[self.critical[degree], np.arange(len(self.critical[degree]))] = 1
        lower = [c for c in range(base, up) if self._mate[c] >= up]
        for cell in sorted(lower, key=self._order.__getitem__, reverse=True):
            partner = self._mate[cell]
            entry = 0
            total = np.zeros(out.shape[1], np.int64)
            for i in range(self._pointer[partner], self._pointer[partner + 1]):
                f = self._cells[i]
                if f == cell:
                    entry = self._values[i]
                else:
                    total += self._values[i] * out[f - base]
            out[cell - base] = -entry * total
        return out

    def _faces(self, cell: int, degree: int) -> Chain:
        base = self._offset[degree - 1]
        span = range(self._pointer[cell], self._pointer[cell + 1])
        return {self._cells[i] - base: self._values[i] for i in span}
