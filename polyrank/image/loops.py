"""Closed curves in the edges of a complex that generate its first homology.

Simplices are removed together with a face that no other one has, from the top dimension down to
triangles, and alone where there is no such face: what is left is a graph whose cycles generate H_1
of the complex. For a collapse is a homotopy equivalence, leaving out a triangle only adds cycles,
and leaving out a tetrahedron changes no cycle. On a closed orientable surface of genus g that is a
graph with 2 g cycles (the edges that a spanning tree of the triangles crosses are removed); on a
closed curve it is the curve.

Source: J. Erickson and K. Whittlesey, "Greedy optimal homotopy and homology generators", SODA 2005
(tree-cotree decomposition).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.chains.chain import Mask
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


def generating_loops(manifold: Manifold, part: Mask) -> list[Loop]:
    """Loops whose classes generate H_1 of a subcomplex of M.

    Parameters
    ----------
    manifold : Manifold
    part : Mask
        A subcomplex: with a simplex all its faces.

    Returns
    -------
    list of Loop
        Their classes generate H_1. **Does not prove** that they are independent: on complexes that
        are no surfaces there may be more of them than a basis has.
    """
    if manifold.dimension < 1:
        return []
    kept = part[-1]
    for d in range(manifold.dimension, 1, -1):
        kept = _without(manifold.complex.boundary[d - 1], kept, part[d - 1])
    return _cycles(manifold.simplices[1], np.flatnonzero(kept))


def _without(boundary: Any, cells: NDArray[np.bool_], faces: NDArray[np.bool_]) -> Any:
    """The faces that are left when all cells of a dimension are removed, as many with a free face.

    H_1 of what is left is that of the whole, or, for triangles, maps onto it.
    """
    kept = faces.copy()
    if not cells.any():
        return kept
    column = boundary.indices.reshape(cells.size, -1)  # a simplex has d + 1 faces
    own = column.tolist()
    by_face = boundary.tocsr()
    start, of_face = by_face.indptr.tolist(), by_face.indices.tolist()
    alive = cells.tolist()
    degree = np.bincount(column[cells].ravel(), minlength=kept.size)
    left = degree.tolist()
    free = deque(np.flatnonzero(kept & (degree == 1)).tolist())
    for first in np.flatnonzero(cells).tolist():
        if alive[first] and not free:
            # no free face: a closed surface, or what is like one, is opened
            alive[first] = False
            for face in own[first]:
                left[face] -= 1
                if left[face] == 1:
                    free.append(face)
        while free:
            face = free.popleft()
            if left[face] != 1:
                continue
            cell = next(c for c in of_face[start[face] : start[face + 1]] if alive[c])
            alive[cell] = False
            kept[face] = False
            for other in own[cell]:
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
