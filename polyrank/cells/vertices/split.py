"""A cell cut in two by a hyperplane that has vertices strictly on both sides.

Purely combinatorial, given the signs: nothing here looks at a coordinate. Vertices on the
hyperplane belong to both halves. The vertex list of a half is a slice of ``pool.cycle``; for
polygons and segments it is the cycle itself.
"""

from __future__ import annotations

import numpy as np

from polyrank.cells.vertices.pool import AT_INFINITY
from polyrank.cells.vertices.vertex import cut_edge
from polyrank.lp.jit import fused

__all__ = ["room_for_split", "split_polygon", "split_polyhedron", "split_segment"]

_ZERO, _ONE = np.uint64(0), np.uint64(1)


@fused
def _side(pool, v, word, bit):
    """Sign of the cutting unit at vertex v."""
    if pool.pos[v, word] & bit != _ZERO:
        return 1
    if pool.neg[v, word] & bit != _ZERO:
        return -1
    return 0


@fused
def room_for_split(pool, f, k):
    """Whether the pool has room for the halves of cell f, whatever the cut."""
    size = pool.vertex_size[f]
    facets = 1
    entries = size
    if k == 3:
        facets = pool.list_size[f]
        entries = 0
        for q in range(pool.list_first[f], pool.list_first[f] + facets):
            entries += pool.facet_size[pool.facets[q]]
    new = facets + 4
    return (
        pool.state[1] + new <= pool.x.shape[0]
        and new <= pool.pairs.shape[0]
        and pool.state[2] + 2 * (size + entries + 4 * new) <= pool.cycle.shape[0]
        and pool.state[3] + 2 * new <= pool.facet_first.shape[0]
        and pool.state[4] + 2 * new <= pool.facets.shape[0]
    )


@fused
def split_segment(net, work, pool, k, i, word, bit, f, half):
    """Cut a segment; ``half[s]`` receives (vertex_first, vertex_size, list_first, list_size)."""
    first = pool.vertex_first[f]
    u, w = pool.cycle[first], pool.cycle[first + 1]
    v = cut_edge(net, work, pool, k, i, u, w, AT_INFINITY, AT_INFINITY)
    for s in range(2):
        q = pool.state[2]
        keep_u = (_side(pool, u, word, bit) > 0) == (s == 1)
        pool.cycle[q] = u if keep_u else v
        pool.cycle[q + 1] = v if keep_u else w
        pool.state[2] = q + 2
        half[s, 0] = q
        half[s, 1] = 2
        half[s, 2] = 0
        half[s, 3] = 0


@fused
def split_polygon(net, work, pool, k, i, word, bit, f, half):
    """Cut a polygon: one pass round its cycle writes both halves."""
    first = pool.vertex_first[f]
    size = pool.vertex_size[f]
    g = net.unit_start[k] + i
    low = pool.state[2]
    high = low + size + 2
    pool.state[2] = high + size + 2
    a = low
    b = high
    s = _side(pool, pool.cycle[first], word, bit)
    for j in range(size):
        u = pool.cycle[first + j]
        label = pool.edge[first + j]
        w = pool.cycle[first + (j + 1 if j + 1 < size else 0)]
        t = _side(pool, w, word, bit)
        if s <= 0:
            pool.cycle[a] = u
            pool.edge[a] = g if s == 0 and t > 0 else label
            a += 1
        if s >= 0:
            pool.cycle[b] = u
            pool.edge[b] = g if s == 0 and t < 0 else label
            b += 1
        if s * t < 0:
            v = cut_edge(net, work, pool, k, i, u, w, label, AT_INFINITY)
            pool.cycle[a] = v
            pool.edge[a] = g if s < 0 else label
            a += 1
            pool.cycle[b] = v
            pool.edge[b] = g if s > 0 else label
            b += 1
        s = t
    half[0, 0] = low
    half[0, 1] = a - low
    half[1, 0] = high
    half[1, 1] = b - high
    for q in range(2):
        half[q, 2] = 0
        half[q, 3] = 0


@fused
def _other_label(pool, f, u, w):
    """Label of the cell's facet in which w is followed by u."""
    first = pool.list_first[f]
    for q in range(first, first + pool.list_size[f]):
        c = pool.facets[q]
        at = pool.facet_first[c]
        size = pool.facet_size[c]
        for j in range(size):
            if pool.cycle[at + j] == w and pool.cycle[at + (j + 1 if j + 1 < size else 0)] == u:
                return pool.facet_label[c]
    return AT_INFINITY


@fused
def split_polyhedron(net, work, pool, k, i, word, bit, f, half):
    """Cut a polyhedron: clip its facets, then close both halves with the section."""
    g = net.unit_start[k] + i
    list_first = pool.list_first[f]
    facets = pool.list_size[f]
    # two facet lists, each with room for every facet and the section
    low = pool.state[4]
    high = low + facets + 1
    pool.state[4] = high + facets + 1
    a = low
    b = high
    crossings = 0
    start = -1
    links = 0
    for q in range(list_first, list_first + facets):
        c = pool.facets[q]
        first = pool.facet_first[c]
        size = pool.facet_size[c]
        above = 0
        below = 0
        for j in range(size):
            s = _side(pool, pool.cycle[first + j], word, bit)
            if s > 0:
                above += 1
            elif s < 0:
                below += 1
        if below == 0:
            pool.facets[b] = c
            b += 1
            if above < size:
                # an edge in the hyperplane bounds the section
                for j in range(size):
                    u = pool.cycle[first + j]
                    w = pool.cycle[first + (j + 1 if j + 1 < size else 0)]
                    if _side(pool, u, word, bit) == 0 and _side(pool, w, word, bit) == 0:
                        pool.follows[w] = u
                        start = w
                        links += 1
            continue
        if above == 0:
            pool.facets[a] = c
            a += 1
            continue
        p = pool.state[2]
        m = p + size + 1
        pool.state[2] = m + size + 1
        p0 = p
        m0 = m
        enter = -1
        leave = -1
        s = _side(pool, pool.cycle[first], word, bit)
        for j in range(size):
            u = pool.cycle[first + j]
            w = pool.cycle[first + (j + 1 if j + 1 < size else 0)]
            t = _side(pool, w, word, bit)
            if s >= 0:
                pool.cycle[p] = u
                p += 1
            if s <= 0:
                pool.cycle[m] = u
                m += 1
            if s == 0:
                if t > 0:
                    enter = u
                elif t < 0:
                    leave = u
            elif s * t < 0:
                v = -1
                for r in range(crossings):
                    if pool.pairs[r, 0] == w and pool.pairs[r, 1] == u:
                        v = pool.pairs[r, 2]
                        break
                if v < 0:
                    other = _other_label(pool, f, u, w)
                    v = cut_edge(net, work, pool, k, i, u, w, pool.facet_label[c], other)
                    pool.pairs[crossings, 0] = u
                    pool.pairs[crossings, 1] = w
                    pool.pairs[crossings, 2] = v
                    crossings += 1
                pool.cycle[p] = v
                p += 1
                pool.cycle[m] = v
                m += 1
                if t > 0:
                    enter = v
                else:
                    leave = v
            s = t
        # the positive part runs leave → enter along the hyperplane: the section runs against it
        pool.follows[enter] = leave
        start = enter
        links += 1
        for part in range(2):
            e = pool.state[3]
            pool.state[3] = e + 1
            pool.facet_first[e] = p0 if part == 1 else m0
            pool.facet_size[e] = p - p0 if part == 1 else m - m0
            pool.facet_label[e] = pool.facet_label[c]
            if part == 1:
                pool.facets[b] = e
                b += 1
            else:
                pool.facets[a] = e
                a += 1
    # the section, forwards for the positive half and backwards for the negative one
    for part in range(2):
        e = pool.state[3]
        pool.state[3] = e + 1
        at = pool.state[2]
        pool.facet_first[e] = at
        pool.facet_size[e] = links
        pool.facet_label[e] = g
        pool.state[2] = at + links
        v = start
        for j in range(links):
            pool.cycle[at + j if part == 1 else at + links - 1 - j] = v
            v = pool.follows[v]
        if part == 1:
            pool.facets[b] = e
            b += 1
        else:
            pool.facets[a] = e
            a += 1
    # vertex lists
    first = pool.vertex_first[f]
    size = pool.vertex_size[f]
    for part in range(2):
        at = pool.state[2]
        n = 0
        for j in range(size):
            u = pool.cycle[first + j]
            s = _side(pool, u, word, bit)
            if s == 0 or (s > 0) == (part == 1):
                pool.cycle[at + n] = u
                n += 1
        for r in range(crossings):
            pool.cycle[at + n] = pool.pairs[r, 2]
            n += 1
        pool.state[2] = at + n
        half[part, 0] = at
        half[part, 1] = n
        half[part, 2] = low if part == 0 else high
        half[part, 3] = a - low if part == 0 else b - high
