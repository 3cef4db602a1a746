"""An upper bound of the rank of a sparse matrix: the sum of the ranks of parts of its columns.

For every partition of the columns, ``rank M ≤ Σ rank M[:, C_i]``, since the column space is the sum
of those of the parts. Equality holds where no part helps another: for the connected components of
the matroid of the columns, any two of which share no circuit (J. Oxley, *Matroid Theory*, 2011,
proposition 4.2.1). Residues name them: with pivots P modulo a prime, ``M = M[:, P] T``, the columns
of T have the supports of the fundamental circuits, and these join what they touch. The ranks of the
parts are then exact ones of small matrices: the rows of a pooled convolution have few entries, and
what makes them dependent is near by. (A cut cannot see that ``b + (a − b)`` is a.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flint import fmpq_mat, fmpz
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from polyrank.network.exact_rank import exact_rank
from polyrank.network.modular import inverse_mod, pivots_mod, product_mod

__all__ = ["parts_bound"]

_PART_WORK = 5_000_000
"""Largest number of products in the elimination of one part; larger ones count their columns."""


def parts_bound(rows: Sequence[dict[int, fmpz]], inputs: int, prime: int) -> int:
    """An upper bound of the rank of an integer matrix, given by its entries that are not zero.

    Parameters
    ----------
    rows : sequence of dict
        The entries of a row, by column.
    inputs : int
        Number of columns.
    prime : int
        Below 2**21.

    Returns
    -------
    int
        **Proves** an upper bound of the rank over ℚ, whatever the prime is.

    Examples
    --------
    >>> one, two = fmpz(1), fmpz(2)
    >>> parts_bound([{0: one, 1: two}, {0: two, 1: fmpz(4)}, {3: one}], 5, 2097143)
    2
    """
    M = np.zeros((len(rows), inputs))
    for i, row in enumerate(rows):
        for j, v in row.items():
            M[i, j] = int(v) % prime
    chosen, pivots = pivots_mod(M, prime)
    others = np.setdiff1d(np.arange(inputs), pivots)
    if not len(pivots):
        T = np.zeros((0, len(others)))
    else:
        inverse = inverse_mod(M[np.ix_(chosen, pivots)], prime)
        T = product_mod(inverse, M[np.ix_(chosen, others)], prime)
    a, b = np.nonzero(T)
    joined = coo_array((np.ones(len(a)), (pivots[a], others[b])), shape=(inputs, inputs))
    _, part = connected_components(joined, directed=False)
    size = np.bincount(part)
    touching: dict[int, dict[int, dict[int, fmpz]]] = {}
    for i, row in enumerate(rows):
        for j, v in row.items():
            touching.setdefault(int(part[j]), {}).setdefault(i, {})[j] = v
    total = 0
    for number, own in touching.items():
        columns = sorted({j for row in own.values() for j in row})
        most = min(len(columns), len(own))
        if size[number] > 1 and len(own) * len(columns) * most <= _PART_WORK:
            entries = [row.get(j, fmpz(0)) for row in own.values() for j in columns]
            most = exact_rank(fmpq_mat(len(own), len(columns), entries), most)
        total += most
    return total
