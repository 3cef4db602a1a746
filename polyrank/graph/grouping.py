"""Compiled: the facets of every region, one after the other, and the components of a graph."""

from __future__ import annotations

from polyrank.graph.arrays import MISSING, WALL
from polyrank.lp.jit import fused, kernel

__all__ = ["count_components", "group_facets"]


@kernel
def group_facets(
    source, target, unit, mirrored, walls, nowhere, start, place, facet_unit, facet_to
):
    """Sort facets by region: those to later regions, to earlier ones, at walls, before nothing.

    Parameters
    ----------
    source, target, unit, mirrored : (E,) arrays
        The edges, and their names on either side.
    walls, nowhere : (·, 2) arrays
        Pairs (region, name).
    start : (R + 1,) array of zeros, output
        First facet of every region.
    place : (R,) array
        Scratch.
    facet_unit, facet_to : (F,) arrays, output
    """
    for e in range(source.shape[0]):
        start[source[e] + 1] += 1
        start[target[e] + 1] += 1
    for i in range(walls.shape[0]):
        start[walls[i, 0] + 1] += 1
    for i in range(nowhere.shape[0]):
        start[nowhere[i, 0] + 1] += 1
    for r in range(place.shape[0]):
        start[r + 1] += start[r]
        place[r] = start[r]
    for e in range(source.shape[0]):
        f = place[source[e]]
        place[source[e]] = f + 1
        facet_unit[f] = unit[e]
        facet_to[f] = target[e]
    for e in range(source.shape[0]):
        f = place[target[e]]
        place[target[e]] = f + 1
        facet_unit[f] = mirrored[e]
        facet_to[f] = source[e]
    for i in range(walls.shape[0]):
        f = place[walls[i, 0]]
        place[walls[i, 0]] = f + 1
        facet_unit[f] = walls[i, 1]
        facet_to[f] = WALL
    for i in range(nowhere.shape[0]):
        f = place[nowhere[i, 0]]
        place[nowhere[i, 0]] = f + 1
        facet_unit[f] = nowhere[i, 1]
        facet_to[f] = MISSING


@fused
def _leader(parent, r):
    while parent[r] != r:
        parent[r] = parent[parent[r]]
        r = parent[r]
    return r


@kernel
def count_components(source, target, parent):
    """Components of a graph, by union-find; ``parent`` (R,) is 0, 1, 2, … and scratch."""
    components = parent.shape[0]
    for e in range(source.shape[0]):
        a = _leader(parent, source[e])
        b = _leader(parent, target[e])
        if a != b:
            parent[max(a, b)] = min(a, b)
            components -= 1
    return components
