"""Closed curves in the edges of a complex that generate its first homology.

Triangles are removed together with an edge that no other triangle has, and alone where there is no
such edge: what is left is a graph whose cycles generate H_1 of the complex, because a collapse is
a homotopy equivalence and leaving out a triangle only adds cycles. On a closed orientable surface
of genus g that is a graph with 2 g cycles (the edges that a spanning tree of the triangles crosses
are removed); on a closed curve it is the curve.

Source: J. Erickson and K. Whittlesey, "Greedy optimal homotopy and homology generators", SODA 2005
(tree-cotree decomposition).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyrank.topology.manifold import Manifold

__all__ = ["Loop", "generating_loops"]

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """A 1-cycle: edges of M with their multiplicities, from the lower vertex to the higher one.

    Attributes
    ----------
    edges : int64 array, shape (k,)
        Numbers of 1-simplices of M.
    signs : int64 array, shape (k,)
        +1 where the loop runs from the edge's lower vertex to the higher one, −1 otherwise.
    """

    edges: Numbers
    signs: Numbers


def generating_loops(
    manifold: Manifold, edges: NDArray[np.bool_], triangles: NDArray[np.bool_]
) -> list[Loop]:
    """Loops whose classes generate H_1 of a subcomplex of M.

    Parameters
    ----------
    manifold : Manifold
    edges : bool array, shape (f_1,)
    triangles : bool array, shape (f_2,)
        Which simplices belong to the subcomplex; the edges of a triangle must belong to it.

    Returns
    -------
    list of Loop
        Their classes generate H_1. **Does not prove** that they are independent: on complexes that
        are no surfaces there may be more of them than a basis has.
    """
    kept = _without_triangles(manifold, edges, triangles)
    return _cycles(manifold.simplices[1], np.flatnonzero(kept))


def _without_triangles(
    manifold: Manifold, edges: NDArray[np.bool_], triangles: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    kept = edges.copy()
    if manifold.dimension < 2 or not triangles.any():
        return kept
    boundary = manifold.complex.boundary[1]
    faces = boundary.indices.reshape(-1, 3).tolist()  # three edges to a column
    by_edge = boundary.tocsr()
    start, of_edge = by_edge.indptr.tolist(), by_edge.indices.tolist()
    alive = triangles.tolist()
    degree = np.bincount(boundary.indices.reshape(-1, 3)[triangles].ravel(), minlength=kept.size)
    left = degree.tolist()
    free = deque(np.flatnonzero(kept & (degree == 1)).tolist())
    for first in np.flatnonzero(triangles).tolist():
        if alive[first] and not free:
            # a closed surface, or what is like one: open it
            alive[first] = False
            for e in faces[first]:
                left[e] -= 1
                if left[e] == 1:
                    free.append(e)
        while free:
            e = free.popleft()
            if left[e] != 1:
                continue
            triangle = next(t for t in of_edge[start[e] : start[e + 1]] if alive[t])
            alive[triangle] = False
            kept[e] = False
            for other in faces[triangle]:
                left[other] -= 1
                if left[other] == 1:
                    free.append(other)
    return kept


def _cycles(ends: Numbers, edges: Numbers) -> list[Loop]:
    """The fundamental cycles of a graph with respect to breadth-first spanning trees."""
    neighbours: dict[int, list[tuple[int, int]]] = {}
    pairs = ends[edges].tolist()
    for e, (u, v) in zip(edges.tolist(), pairs, strict=True):
        neighbours.setdefault(u, []).append((v, e))
        neighbours.setdefault(v, []).append((u, e))
    parent: dict[int, tuple[int, int]] = {}
    depth: dict[int, int] = {}
    tree: set[int] = set()
    for root in neighbours:
        if root in depth:
            continue
        depth[root] = 0
        waiting = deque([root])
        while waiting:
            u = waiting.popleft()
            for v, e in neighbours[u]:
                if v not in depth:
                    depth[v], parent[v] = depth[u] + 1, (u, e)
                    tree.add(e)
                    waiting.append(v)
    loops = []
    for e, (u, v) in zip(edges.tolist(), pairs, strict=True):
        if e in tree:
            continue
        # along the edge from u to v, and back to u through the tree
        there, back = [(e, 1)], []
        a, b = v, u
        while a != b:
            if depth[a] >= depth[b]:
                up, step = parent[a]
                there.append((step, 1 if a < up else -1))
                a = up
            else:
                up, step = parent[b]
                back.append((step, 1 if up < b else -1))
                b = up
        walk = there + back[::-1]
        loops.append(
            Loop(np.array([s for s, _ in walk], np.int64), np.array([s for _, s in walk], np.int64))
        )
    return loops
