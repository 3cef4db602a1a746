"""Sequences of chain complexes ``C(X_0) → C(X_1) → … → C(X_L)`` with chain maps between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from polyrank.chains.chain import ChainComplex
from polyrank.errors import RefutedError

__all__ = ["ChainMap", "check_chain_map", "telescope"]

#: Per dimension d, a matrix of shape (f_d of the target, f_d of the source).
ChainMap = tuple[Any, ...]


def check_chain_map(source: ChainComplex, target: ChainComplex, chain_map: ChainMap) -> None:
    """Verify ``∂ f = f ∂``.

    Raises
    ------
    RefutedError
        If it fails somewhere, with the cell: a wrong incidence number or a wrong overlay.
    """
    for d in range(1, len(source.cells)):
        left = target.boundary[d - 1] @ chain_map[d]
        difference = (left - chain_map[d - 1] @ source.boundary[d - 1]).tocoo()
        bad = np.flatnonzero(difference.data)
        if bad.size:
            cell = int(difference.coords[1][bad[0]])
            raise RefutedError(
                f"the map between two layers is not a chain map at the {d}-cell {cell}: please "
                "report this network and this manifold"
            )


def telescope(
    complexes: Sequence[ChainComplex], maps: Sequence[ChainMap]
) -> tuple[ChainComplex, tuple[NDArray[np.int64], ...]]:
    """The mapping telescope of a sequence, filtered by the level.

    Its part of level ≤ K is chain homotopy equivalent to C(X_K), and the inclusions of these parts
    are the maps of the sequence: the persistent homology of the filtration is that of the
    sequence.

    Parameters
    ----------
    complexes : sequence of ChainComplex
        All with the same number of dimensions.
    maps : sequence of ChainMap
        ``maps[K]`` goes from ``complexes[K]`` to ``complexes[K + 1]``.

    Returns
    -------
    complex : ChainComplex
        Its d-cells: those of the complexes, in turn, then for K = 0, 1, … a cell σ × [K, K + 1]
        for every (d − 1)-cell σ of ``complexes[K]``, with boundary ``f(σ) − σ − ∂σ × [K, K + 1]``.
    labels : tuple of int64 arrays
        The level of every cell.
    """
    top = len(complexes[0].cells)
    steps = len(maps)
    counts = [[c.cells[d] if d < top else 0 for c in complexes] for d in range(top + 1)]
    boundary = []
    for d in range(1, top + 1):
        own = [_matrix(c, d, top) for c in complexes]
        upper = sparse.block_diag(own, format="csc") if own else None
        # the prisms over the (d − 1)-cells of all levels but the last
        rows_of = [sum(counts[d - 1][:k]) for k in range(len(complexes))]
        ends = []
        for k in range(steps):
            f = maps[k][d - 1].tocoo()
            n = counts[d - 1][k]
            data = np.concatenate([f.data, -np.ones(n, np.int64)])
            row = np.concatenate([f.coords[0] + rows_of[k + 1], np.arange(n) + rows_of[k]])
            column = np.concatenate([f.coords[1], np.arange(n)])
            shape = (sum(counts[d - 1]), n)
            ends.append(sparse.csc_array((data, (row, column)), shape=shape))
        right = sparse.hstack(ends, format="csc") if ends else None
        blocks = [[upper, right]]
        if d >= 2 and steps:
            prisms = [-_matrix(c, d - 1, top) for c in complexes[:-1]]
            blocks.append([None, sparse.block_diag(prisms, format="csc")])
        boundary.append(sparse.csc_array(sparse.block_array(blocks, format="csc")).astype(np.int64))
    labels, cells = [], []
    for d in range(top + 1):
        own_labels = [np.full(n, k, np.int64) for k, n in enumerate(counts[d])]
        if d:
            own_labels += [np.full(counts[d - 1][k], k + 1, np.int64) for k in range(steps)]
        labels.append(np.concatenate(own_labels))
        cells.append(len(labels[-1]))
    return ChainComplex(tuple(cells), tuple(boundary)), tuple(labels)


def _matrix(complex_: ChainComplex, d: int, top: int) -> Any:
    if d < top:
        return complex_.boundary[d - 1]
    return sparse.csc_array((complex_.cells[d - 1], 0), dtype=np.int64)
