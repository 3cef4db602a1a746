"""An independent image of a curve: all pairs of cells, in fractions, without the overlay's code."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from polyrank.topology.restriction import Restriction


def naive_betti(found: Restriction, layer: int) -> tuple[int, int]:
    """(b_0, b_1) of the union of the images of all cells, by cutting every pair of segments."""
    points = [
        tuple(Fraction(int(v.p), int(v.q)) for v in found.exact_image(i, layer))
        for i in range(found.complex.cells[0])
    ]
    ends = found.complex.boundary[0].indices.reshape(-1, 2).tolist()
    segments = {frozenset((points[a], points[b])) for a, b in ends}
    pairs = [tuple(s) for s in segments if len(s) == 2]
    on = [set(p) for p in pairs]
    for i, first in enumerate(pairs):
        on[i] |= {p for p in points if _inside(p, first)}
        for j in range(i):
            meeting = _crossing(first, pairs[j])
            if meeting is not None:
                on[i].add(meeting)
                on[j].add(meeting)
    edges = set()
    for (p, _), own in zip(pairs, on, strict=True):
        # along a segment, the distance from its first end grows
        chain = sorted(own, key=lambda x, p=p: sum((a - b) ** 2 for a, b in zip(x, p, strict=True)))
        edges |= {frozenset(e) for e in pairwise(chain)}
    vertices = set(points).union(*on) if on else set(points)
    parent = {v: v for v in vertices}

    def root(v):
        while parent[v] != v:
            v = parent[v]
        return v

    for a, b in map(tuple, edges):
        parent[root(a)] = root(b)
    components = len({root(v) for v in vertices})
    return components, len(edges) - len(vertices) + components


def _crossing(first, second):
    (p, q), (r, s) = first, second
    u = [b - a for a, b in zip(p, q, strict=True)]
    v = [b - a for a, b in zip(r, s, strict=True)]
    w = [b - a for a, b in zip(p, r, strict=True)]
    uu, uv, vv, uw, vw = (_dot(a, b) for a, b in ((u, u), (u, v), (v, v), (u, w), (v, w)))
    gram = uu * vv - uv * uv
    if gram == 0:
        return None
    at, to = (uw * vv - vw * uv) / gram, (uw * uv - vw * uu) / gram
    meeting = tuple(a + at * b for a, b in zip(p, u, strict=True))
    other = tuple(a + to * b for a, b in zip(r, v, strict=True))
    return meeting if meeting == other and 0 <= at <= 1 and 0 <= to <= 1 else None


def _inside(x, segment):
    p, q = segment
    u = [b - a for a, b in zip(p, q, strict=True)]
    w = [b - a for a, b in zip(p, x, strict=True)]
    at = _dot(u, w) / _dot(u, u)
    return 0 <= at <= 1 and all(a == at * b for a, b in zip(w, u, strict=True))


def _dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))
