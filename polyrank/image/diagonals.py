"""Diagonals that divide the faces of a plane graph until no angle is larger than 180°.

**Theorem.** A bounded region of the plane between segments that meet in common ends only, with or
without holes and with further points in it, is divided into triangles by segments between its
vertices, and any such segments that do not cross can be completed to a division into triangles
(M. de Berg et al., Computational Geometry (2008), theorem 3.1, for holes by induction on bridges).
In a triangle no angle reaches 180°, so that from a vertex with an angle of more than 180° there is
always a diagonal into that angle; whichever is taken, the rest can be divided, too.

So convex faces need no new points, and what is drawn inside a face of one polygon meets nothing
else. A connected part of the graph that touches nothing around it has a wide angle at each of its
extreme vertices: with no wide angle left the graph is connected within every polygon.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from polyrank.errors import RefutedError
from polyrank.image.planar import Pair, PlaneGraph

__all__ = ["add_diagonals"]


def add_diagonals(graph: PlaneGraph, inner: Callable[[int], bool]) -> list[Pair]:
    """Divide the angles of more than 180° inside of polygons by segments between vertices.

    Parameters
    ----------
    graph : PlaneGraph
        With the boundaries of the polygons; what is added is added to it.
    inner : callable
        Whether a vertex lies strictly inside of a polygon, so that its angles must be divided.

    Returns
    -------
    list of pairs of int
        The segments, the smaller number first. **Proves**: no angle at a vertex inside of a polygon
        is larger than 180°, and the graph is plane; every decision is exact.

    Raises
    ------
    RefutedError
        If there is no diagonal: a defect of the program.
    """
    added: list[Pair] = []
    for v, name in enumerate(graph.name):
        if _wide(graph, v) is None or not inner(name):
            continue
        while (gap := _wide(graph, v)) is not None:
            u = _seen_from(graph, v, gap)
            graph.join(v, u)
            other = graph.name[u]
            added.append((name, other) if name < other else (other, name))
    return added


def _wide(graph: PlaneGraph, v: int) -> int | None:
    """After which of its neighbours, counterclockwise, a vertex has a wide angle."""
    ends = graph.around[v]
    if len(ends) < 2:
        return 0
    for k, a in enumerate(ends):
        if graph.turn(v, a, ends[(k + 1) % len(ends)]) < 0:
            return k
    return None


def _seen_from(graph: PlaneGraph, v: int, gap: int) -> int:
    """A vertex in a wide angle that is seen from v; if there is one, one that leaves none.

    Of several the nearest one, as floats have it.
    """
    ends = graph.around[v]
    with np.errstate(all="ignore"):  # where floats overflow, any order will do
        distance = ((graph.xy - graph.xy[v]) ** 2).sum(axis=1)
    some: int | None = None
    nearest: list[int] = np.argsort(distance, kind="stable").tolist()
    for u in nearest:
        if u == v or u in ends:
            continue
        good = len(ends) < 2
        if ends:
            a, b = ends[gap], ends[(gap + 1) % len(ends)]
            if not graph.within(v, a, b, u):
                continue
            good = good or (graph.turn(v, a, u) >= 0 and graph.turn(v, u, b) >= 0)
        if (good or some is None) and _sees(graph, v, u):
            if good:
                return u
            some = u
    if some is None:
        raise RefutedError("no vertex is seen from a corner of a face: please report this")
    return some


def _sees(graph: PlaneGraph, v: int, u: int) -> bool:
    """Whether the segment from v to u meets the graph in its ends only."""
    side = graph.sides(v, u)
    on_line = np.flatnonzero(side == 0).tolist()
    if any(w not in {u, v} and graph.between(v, w, u) for w in on_line):
        return False
    ends = graph.edges
    opposite = side[ends[:, 0]] * side[ends[:, 1]] < 0
    return not any(
        graph.turn(a, b, v) * graph.turn(a, b, u) < 0 for a, b in ends[opposite].tolist()
    )
