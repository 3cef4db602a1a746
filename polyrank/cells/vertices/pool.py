"""The arrays of a search that carries cells with their vertices: a pool used as one stack.

A cell is a convex polytope of dimension k ≤ 3: a list of vertices and a list of facets. For k = 3 a
facet is the cycle of its vertices, anticlockwise seen from outside. A polygon (k = 2) is one such
cycle whose edges carry the labels; a segment (k = 1) has two vertices, which carry the labels.

A **label** names a hyperplane: ``g ≥ 0`` is unit g (over all layers), ``−1 − m`` row m of the
domain, ``AT_INFINITY`` the far side of a cone, which no row describes.

A vertex *is* its k labels. Coordinates are float approximations with a proven bound, and integers
where they are small; the sign of a unit at a vertex is two bits, positive and negative, zero is
neither.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyrank.cells.arrays import NetArrays

__all__ = ["AT_INFINITY", "Pool", "grown", "new_pool", "word_layout"]

AT_INFINITY = -(1 << 40)


class Pool(NamedTuple):
    """Sizes: P vertices, Q entries of vertex lists, F facets, R facet lists, S open cells.

    W words of 64 signs per vertex: the layers one after the other, then the domain's rows.
    """

    # vertices
    x: NDArray[np.float64]  # (P, d) approximate coordinates, |x| ≤ 1
    err: NDArray[np.float64]  # (P,) bound of |x − true| in every coordinate
    origin: NDArray[np.bool_]  # (P,) the vertex is exactly 0
    ray: NDArray[np.bool_]  # (P,) a direction of the cell, not a point of it
    integers: NDArray[np.int64]  # (P, d + 1) exact up to a positive factor, where known
    has_integers: NDArray[np.bool_]
    pos: NDArray[np.uint64]  # (P, W)
    neg: NDArray[np.uint64]
    layers_done: NDArray[np.int64]  # (P,) layers whose signs are there
    label: NDArray[np.int64]  # (P, 3)
    # faces
    cycle: NDArray[np.int64]  # (Q,) vertex lists
    edge: NDArray[np.int64]  # (Q,) k ≤ 2: label of the edge from this entry to the next
    facet_first: NDArray[np.int64]  # (F,)
    facet_size: NDArray[np.int64]
    facet_label: NDArray[np.int64]
    facets: NDArray[np.int64]  # (R,) facet lists
    # open cells
    layer: NDArray[np.int64]  # (S,)
    fresh: NDArray[np.bool_]  # the layer's rows are not composed yet
    unit: NDArray[np.int64]  # unit (in layer) whose side the cell is, or −1
    side: NDArray[np.int64]
    rows: NDArray[np.int64]  # rows of the proof's cell above this one
    vertex_first: NDArray[np.int64]  # slice of ``cycle``
    vertex_size: NDArray[np.int64]
    list_first: NDArray[np.int64]  # slice of ``facets``
    list_size: NDArray[np.int64]
    open_units: NDArray[
        np.uint64
    ]  # (S, words) units of the layer whose sign is not in the proof yet
    split_units: NDArray[np.uint64]  # (S, words) units of the layer that bound the cell
    share: NDArray[np.float64]
    top: NDArray[
        np.int64
    ]  # (S, 4) tops of vertices, cycles, facets, lists below which data is needed
    # state: [open cells, vertices, cycles, facets, lists, question cursor, questions open, answers]
    state: NDArray[np.int64]
    row_of: NDArray[np.int64]  # (N,) row of the proof's cell that a unit on the path is
    counted: NDArray[np.uint64]  # (W,) units with a hyperplane of their own, and all rows
    root_units: NDArray[np.int64]  # units of layer 1 whose cones fill R^k; empty for polytopes
    word_start: NDArray[np.int64]  # (L + 2,) first word of each layer, of the walls, end
    # questions to exact arithmetic
    ask_vertex: NDArray[np.int64]
    ask_unit: NDArray[np.int64]
    answer: NDArray[np.int8]
    # scratch
    mixed: NDArray[np.uint64]
    allpos: NDArray[np.uint64]
    allneg: NDArray[np.uint64]
    follows: NDArray[np.int64]  # (P,) chain of the section
    pairs: NDArray[np.int64]  # (·, 4) u, w, new vertex of the edges cut so far, edge label
    columns: NDArray[np.float64]  # (d + 1, width) rows of the current layer, transposed
    sums: NDArray[np.float64]  # (width,)
    reach: NDArray[np.float64]
    values: NDArray[np.float64]
    limits: NDArray[np.float64]
    known: NDArray[np.uint64]  # (words, 3) units to evaluate, positive, negative on the whole cell
    plain: NDArray[np.bool_]  # (L,) every unit has a hyperplane of its own
    bare: NDArray[np.bool_]  # (L,) no unit has a hyperplane
    all_plain: NDArray[np.bool_]  # (1,) every layer is plain or bare
    solve: NDArray[np.float64]  # (4, 4, 4)
    solve_column: NDArray[np.int64]  # (4,)
    conic: NDArray[np.bool_]  # (1,) homogeneous coordinates: vertices up to a positive factor
    halves: NDArray[np.int64]  # (2, 4)
    stat: NDArray[np.int64]  # signs by integers, signs at vertices of layers, signs one by one
    # finished cells, when they are kept
    out_state: NDArray[np.int64]  # [vertices, cycle entries, facets]
    out_first: NDArray[np.int64]  # (rows + 1, 3) offsets of each region
    out_x: NDArray[np.float64]
    out_err: NDArray[np.float64]
    out_pos: NDArray[np.uint64]
    out_neg: NDArray[np.uint64]
    out_label: NDArray[np.int64]
    out_cycle: NDArray[np.int64]  # local vertex numbers
    out_edge: NDArray[np.int64]
    out_facet_size: NDArray[np.int64]
    out_facet_label: NDArray[np.int64]


def word_layout(units: NDArray[np.int64], walls: int) -> NDArray[np.int64]:
    """First word of each layer, then of the domain's rows, then the number of words."""
    words = [(int(n) + 63) // 64 for n in units]
    return np.concatenate([[0], np.cumsum([*words, max(1, (walls + 63) // 64)])]).astype(np.int64)


#: Arrays that grow together when a pool runs full, by the tops that fill them.
_GROWING = (
    "x", "err", "origin", "ray", "integers", "has_integers", "pos", "neg", "layers_done", "label",
    "cycle", "edge", "facet_first", "facet_size", "facet_label", "facets", "follows", "pairs",
    "ask_vertex", "ask_unit", "answer",
)  # fmt: skip
#: Vertices, cycle entries and labels of facets that a kept cell is given room for, on average.
_KEPT = 24


def new_pool(
    net: NetArrays, dim: int, *, walls: int, root_units: Sequence[int] = (), keep: int = 0
) -> Pool:
    """Allocate a pool; the search asks for a larger one (:func:`grown`) where it must.

    Parameters
    ----------
    net : NetArrays
    dim : int
        Number d of coordinates.
    walls : int
        Rows of the domain.
    root_units : sequence of int
        Units of layer 1 whose cones fill R^k.
    keep : int
        Room for about this many finished cells with their faces; 0: they are not kept.
    """
    total, layers, width = int(net.unit_start[-1]), len(net.units), int(net.units.max())
    cells = total + layers + 16
    layout = word_layout(net.units, walls)
    words = int(layout[-1])
    per_layer = (width + 63) // 64
    spans = list(itertools.pairwise(net.unit_start.tolist()))
    plain = np.array([(net.hyperplane[a:b] & (net.tie[a:b] < 0)).all() for a, b in spans])
    bare = np.array([not net.hyperplane[a:b].any() for a, b in spans])
    i, u = np.int64, np.uint64
    P, Q, F = 1024 + 4 * total, 8192, 2048
    kept = keep * _KEPT + 1
    return Pool(
        x=np.zeros((P, dim)),
        err=np.zeros(P),
        origin=np.zeros(P, dtype=np.bool_),
        ray=np.zeros(P, dtype=np.bool_),
        integers=np.zeros((P, dim + 1), dtype=i),
        has_integers=np.zeros(P, dtype=np.bool_),
        pos=np.zeros((P, words), dtype=u),
        neg=np.zeros((P, words), dtype=u),
        layers_done=np.zeros(P, dtype=i),
        label=np.full((P, 3), AT_INFINITY, dtype=i),
        cycle=np.zeros(Q, dtype=i),
        edge=np.zeros(Q, dtype=i),
        facet_first=np.zeros(F, dtype=i),
        facet_size=np.zeros(F, dtype=i),
        facet_label=np.zeros(F, dtype=i),
        facets=np.zeros(Q, dtype=i),
        layer=np.zeros(cells, dtype=i),
        fresh=np.zeros(cells, dtype=np.bool_),
        unit=np.full(cells, -1, dtype=i),
        side=np.zeros(cells, dtype=i),
        rows=np.zeros(cells, dtype=i),
        vertex_first=np.zeros(cells, dtype=i),
        vertex_size=np.zeros(cells, dtype=i),
        list_first=np.zeros(cells, dtype=i),
        list_size=np.zeros(cells, dtype=i),
        open_units=np.zeros((cells, per_layer), dtype=u),
        split_units=np.zeros((cells, per_layer), dtype=u),
        share=np.zeros(cells),
        top=np.zeros((cells, 4), dtype=i),
        state=np.zeros(8, dtype=i),
        row_of=np.zeros(total, dtype=i),
        counted=_counted(net, layout, walls),
        root_units=np.array(root_units, dtype=i),
        word_start=layout,
        ask_vertex=np.zeros(256, dtype=i),
        ask_unit=np.zeros(256, dtype=i),
        answer=np.zeros(1024, dtype=np.int8),
        mixed=np.zeros(per_layer, dtype=u),
        allpos=np.zeros(words, dtype=u),
        allneg=np.zeros(words, dtype=u),
        follows=np.full(P, -1, dtype=i),
        pairs=np.zeros((256, 4), dtype=i),
        columns=np.zeros((dim + 1, width)),
        sums=np.zeros(width),
        reach=np.zeros(width),
        values=np.zeros(width),
        limits=np.zeros(width),
        known=np.zeros((per_layer, 3), dtype=u),
        plain=plain,
        bare=bare,
        all_plain=np.array([bool((plain | bare).all())]),
        solve=np.zeros((4, 4, 4)),
        solve_column=np.zeros(4, dtype=i),
        conic=np.zeros(1, dtype=np.bool_),
        halves=np.zeros((2, 4), dtype=i),
        stat=np.zeros(16, dtype=i),
        out_state=np.zeros(4, dtype=i),
        out_first=np.zeros((keep + 2, 3), dtype=i),
        out_x=np.zeros((kept, dim)),
        out_err=np.zeros(kept),
        out_pos=np.zeros((kept, words), dtype=u),
        out_neg=np.zeros((kept, words), dtype=u),
        out_label=np.zeros((kept, 3), dtype=i),
        out_cycle=np.zeros(4 * kept, dtype=i),
        out_edge=np.zeros(4 * kept, dtype=i),
        out_facet_size=np.zeros(2 * kept, dtype=i),
        out_facet_label=np.zeros(2 * kept, dtype=i),
    )


def _counted(net: NetArrays, layout: NDArray[np.int64], walls: int) -> NDArray[np.uint64]:
    """Bits of the units with a hyperplane of their own and of the domain's rows, as signs lie."""
    bits = np.zeros((int(layout[-1]), 64), dtype=np.uint8)
    flat = bits.ravel()
    for k, (a, b) in enumerate(itertools.pairwise(net.unit_start.tolist())):
        first = 64 * int(layout[k])
        flat[first : first + b - a] = net.hyperplane[a:b] & (net.tie[a:b] < 0)
    first = 64 * int(layout[-2])
    flat[first : first + walls] = 1
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").ravel().astype(np.uint64)


def grown(pool: Pool) -> Pool:
    """The same pool with twice the room."""
    larger = {}
    for name in _GROWING:
        old = getattr(pool, name)
        new = np.zeros((2 * len(old), *old.shape[1:]), dtype=old.dtype)
        new[: len(old)] = old
        larger[name] = new
    larger["follows"][len(pool.follows) :] = -1
    return pool._replace(**larger)
