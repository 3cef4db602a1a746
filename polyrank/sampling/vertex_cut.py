"""An upper bound of the rank of a product of sparse matrices: the least vertex cut of its network.

**Theorem.** Take the units of layers 0..K that are live at a codeword as vertices, layer 0 being
the inputs, with an edge where a weight is not zero. If every path from layer 0 to layer K meets a
set S of vertices, then ``rank J_K ≤ |S|``.

*Proof.* Every entry of ``J_K`` is the sum over paths of the products of weights and slopes on
them. Sort the paths by their first vertex s in S: those through s that have no earlier vertex of S
contribute the product of a column (all ways on from s) and a row (all ways to s that avoid S),
which has rank at most 1. ``J_K`` is the sum of these |S| matrices. ∎

If the columns P of ``W_1`` span its column space, ``J_K`` has the rank of its columns P, and layer
0 may be taken to be P: the weights that a convolution shares can make it singular.

By Menger's theorem the least cut is the greatest number of vertex-disjoint paths, and a maximum
flow finds it. For generic weights the bound is attained (B. Lindström, "On the vector
representations of induced matroids", Bull. London Math. Soc. 5 (1973)), so that a rank modulo a
prime most often meets it: ranks of convolutions and pooled maps are settled without rationals.

The cut is believed only after a walk through the layers that finds no path around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import maximum_flow

__all__ = ["cut_bound", "separates"]

_MANY = 1 << 30


def cut_bound(
    weights: Sequence[csr_array],
    live: Sequence[NDArray[np.int64]],
    inputs: NDArray[np.int64] | None = None,
) -> int:
    """The size of a least vertex cut between the inputs and the live units of the last layer.

    Parameters
    ----------
    weights : sequence of csr_array, shapes (n_k, n_{k−1})
        Non-zero places of the weights of layers 1..K.
    live : sequence of int arrays
        Numbers of the units of layers 1..K whose slope is not zero.
    inputs : int array, optional
        Columns that span the column space of W_1; default: all.

    Returns
    -------
    int
        **Proves** an upper bound of the rank of ``D_K W_K ⋯ D_1 W_1``.

    Examples
    --------
    >>> bridge = [csr_array(np.ones((1, 3), int)), csr_array(np.ones((4, 1), int))]
    >>> cut_bound(bridge, [np.arange(1), np.arange(4)])
    1
    """
    parts = _parts(weights, live, inputs)
    sizes = [parts[0].shape[1], *(part.shape[0] for part in parts)]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    total = int(starts[-1])
    # vertex v enters at v and leaves at total + v
    source, sink = 2 * total, 2 * total + 1
    every = np.arange(total)
    tails, heads, room = [every], [total + every], [np.ones(total, dtype=np.int32)]
    for k, part in enumerate(parts):
        edges = part.tocoo()
        tails.append(total + starts[k] + edges.coords[1])
        heads.append(starts[k + 1] + edges.coords[0])
        room.append(np.full(edges.nnz, _MANY, dtype=np.int32))
    first, last = every[: sizes[0]], every[starts[-2] :]
    tails += [np.full(len(first), source), total + last]
    heads += [first, np.full(len(last), sink)]
    room += [np.full(len(first), _MANY, dtype=np.int32), np.full(len(last), _MANY, dtype=np.int32)]
    tail, head = np.concatenate(tails), np.concatenate(heads)
    size = 2 * total + 2
    graph = csr_array(coo_array((np.concatenate(room), (tail, head)), shape=(size, size)))
    graph.indices, graph.indptr = graph.indices.astype(np.int32), graph.indptr.astype(np.int32)
    flow = maximum_flow(graph, source, sink)
    reached = _reached(graph - flow.flow, source)
    cut = reached[:total] & ~reached[total : 2 * total]
    if not separates(parts, [cut[a:b] for a, b in pairwise(starts)]):
        return int(min(sizes))  # a layer is a cut; never seen
    return int(cut.sum())


def separates(parts: Sequence[csr_array], cut: Sequence[NDArray[np.bool_]]) -> bool:
    """Whether every path from the first to the last layer meets the cut, one mask per layer."""
    open_ = ~cut[0]
    for part, taken in zip(parts, cut[1:], strict=True):
        open_ = (part @ open_.astype(np.int64) > 0) & ~taken
    return not bool(open_.any())


def _parts(
    weights: Sequence[csr_array],
    live: Sequence[NDArray[np.int64]],
    columns: NDArray[np.int64] | None,
) -> list[csr_array]:
    """The weights between live units."""
    out: list[csr_array] = []
    for weight, rows in zip(weights, live, strict=True):
        part = weight[rows]
        out.append(part if columns is None else part[:, columns])
        columns = rows
    return out


def _reached(residual: Any, source: int) -> NDArray[np.bool_]:
    """Vertices that can be reached along edges with room left."""
    room = csr_array(residual)
    room.data = (room.data > 0).astype(np.int32)
    room.eliminate_zeros()
    back = csr_array(room.T)
    reached = np.zeros(room.shape[0], dtype=bool)
    reached[source] = True
    fresh = reached
    while fresh.any():
        fresh = (back @ fresh.astype(np.int64) > 0) & ~reached
        reached = reached | fresh
    return reached
