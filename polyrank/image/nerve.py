"""The nerves of the images of the cells of M, layer by layer: a filtration on one set of vertices.

The images of the closed cells are closed convex sets whose union is Φ_K(M): their nerve N_K has its
homotopy type. Cells that meet at layer K meet at every later layer, so that N_M ⊂ N_0 ⊂ N_1 ⊂ … on
the maximal cells of the subdivision by all layers, and by the functorial nerve theorem for closed
convex covers the persistent homology of this filtration is that of M → Φ_0(M) → Φ_1(M) → …
(U. Bauer, M. Kerber, F. Roll, A. Rolle, "A unified view on the functorial nerve theorem and its
variations", Expositiones Mathematicae 41 (2023); for the finite closed convex covers here, theorem
C). Simplices above dimension dim M + 1 do not matter in the degrees up to dim M.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from polyrank.chains.chain import ChainComplex, simplicial_complex, vertex_incidence
from polyrank.image.bodies import Body, body_of, meet
from polyrank.image.candidates import box_pairs
from polyrank.image.homogeneous import Point, approximation, from_rationals
from polyrank.image.kept import KeptLayers
from polyrank.image.open_pairs import padded
from polyrank.image.segments import outer_boxes
from polyrank.lp.certificates import Infeasible
from polyrank.lp.deadline import OutOfTimeError, look
from polyrank.lp.exact import minimise
from polyrank.stages import told
from polyrank.topology.restriction import Restriction

__all__ = ["MOST_SIMPLICES", "Nerves", "common_point", "nerves"]

#: A layer is given up when the nerve has more simplices.
MOST_SIMPLICES = 100_000

Simplex = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Nerves:
    """The filtration of nerves.

    Attributes
    ----------
    complex : ChainComplex
        All simplices up to dimension dim M + 1.
    labels : tuple of int64 arrays
        Per dimension, the level at which a simplex appears: 0 for M itself, K + 1 for layer K.
    levels : int
        Number of levels that are complete.
    simplices : int
        How many were found when the budget ended the search; of the complete levels, otherwise.
    """

    complex: ChainComplex
    labels: tuple[NDArray[np.int64], ...]
    levels: int
    simplices: int


def nerves(
    restriction: Restriction,
    layers: int | None = None,
    *,
    most: int = MOST_SIMPLICES,
    programs: bool = False,
    kept: KeptLayers | None = None,
) -> Nerves:
    """The nerves of M and of its images at the layers 0..L.

    Parameters
    ----------
    restriction : Restriction
    layers : int, optional
        L; default: all layers.
    most : int
        A level whose nerve has more simplices is given up, and those after it.
    programs : bool
        Decide by exact linear programs also where M has dimension at most 2, and polygons that cut
        each other are quicker.
    kept : KeptLayers, optional
        Levels that are done are taken from there, and kept there.

    Returns
    -------
    Nerves
        **Proves** for the complete levels which tuples of cells meet: every decision is exact.
    """
    cells = list(_maximal(restriction))
    top = restriction.manifold.dimension + 1
    flat = restriction.manifold.dimension <= 2 and not programs
    birth: dict[Simplex, int] = {(c,): 0 for c in range(len(cells))}
    sets = [frozenset(c) for c in cells]
    levels = 0
    last = restriction.layers if layers is None else layers
    for level in range(last + 2):
        known = len(birth)
        before = None if kept is None else kept.simplices(level)
        if before is not None:
            found: Iterable[Simplex] = before
        elif level == 0:
            found = _simplices(_sharing(sets), top, partial(_share, sets))
        else:
            images = [
                from_rationals(restriction.exact_image(v, level - 1))
                for v in range(restriction.complex.cells[0])
            ]
            found = _at_layer(images, cells, top, birth, flat=flat)
        complete = False
        try:
            for simplex in found:
                birth.setdefault(simplex, level)
                if len(birth) > most:
                    break
            else:
                complete = True
        except OutOfTimeError:
            complete = False
        if not complete:
            for simplex in list(birth)[known:]:
                del birth[simplex]
            return _filtration(birth, top, levels, most)
        levels += 1
        if kept is not None and before is None:
            kept.keep_simplices(level, list(birth)[known:])
    return _filtration(birth, top, levels, len(birth))


def _maximal(restriction: Restriction) -> Iterator[list[int]]:
    """The vertices of every maximal cell, of polygons in cyclic order."""
    complex_ = restriction.complex
    for d, chosen in enumerate(restriction.maximal):
        incidence = vertex_incidence(complex_, d)
        for c in np.flatnonzero(chosen).tolist():
            own = incidence.indices[incidence.indptr[c] : incidence.indptr[c + 1]].tolist()
            yield _cycle(restriction, c) if d == 2 else own


def _cycle(restriction: Restriction, face: int) -> list[int]:
    edges, vertices = restriction.complex.boundary[1], restriction.complex.boundary[0]
    after: dict[int, list[int]] = {}
    for e in edges.indices[edges.indptr[face] : edges.indptr[face + 1]].tolist():
        a, b = vertices.indices[vertices.indptr[e] : vertices.indptr[e + 1]].tolist()
        after.setdefault(a, []).append(b)
        after.setdefault(b, []).append(a)
    start = min(after)
    cycle, before, here = [start], start, after[start][0]
    while here != start:
        cycle.append(here)
        before, here = here, next(w for w in after[here] if w != before)
    return cycle


def _share(sets: Sequence[frozenset[int]], simplex: Simplex) -> bool:
    return bool(frozenset.intersection(*(sets[c] for c in simplex)))


def _sharing(sets: Sequence[frozenset[int]]) -> dict[int, set[int]]:
    """Per cell, the cells with a larger number that share a vertex."""
    of_vertex: dict[int, list[int]] = {}
    for c, own in enumerate(sets):
        for v in own:
            of_vertex.setdefault(v, []).append(c)
    after: dict[int, set[int]] = {c: set() for c in range(len(sets))}
    for around in of_vertex.values():
        for k, c in enumerate(around):
            after[c].update(around[k + 1 :])
    return after


def _at_layer(
    images: Sequence[Point],
    cells: Sequence[list[int]],
    top: int,
    birth: dict[Simplex, int],
    *,
    flat: bool,
) -> Iterator[Simplex]:
    """All simplices of the nerve at one layer; those of layers before are not tested again."""
    bodies = [body_of([images[v] for v in c]) for c in cells] if flat else []
    hulls = [sorted({images[v] for v in c}) for c in cells]
    table, _ = padded([tuple(c) for c in cells])
    lower, upper = outer_boxes(approximation(images), table)
    after: dict[int, set[int]] = {c: set() for c in range(len(cells))}
    for pairs in box_pairs(lower, upper):
        for a, b in pairs.tolist():
            if (a, b) in birth or _together((a, b), bodies, hulls):
                after[a].add(b)
    yield from _simplices(after, top, lambda s: s in birth or _together(s, bodies, hulls))


def _together(simplex: Simplex, bodies: Sequence[Body], hulls: Sequence[list[Point]]) -> bool:
    if bodies:
        return bool(meet([bodies[c] for c in simplex]))
    return common_point([hulls[c] for c in simplex])


def _simplices(
    after: dict[int, set[int]], top: int, test: Callable[[Simplex], bool]
) -> Iterator[Simplex]:
    """The cliques of up to top + 1 cells that pass a test with all faces; smaller ones first."""
    level: list[tuple[Simplex, set[int]]] = [((c,), own) for c, own in after.items()]
    for size in range(2, top + 2):
        following: list[tuple[Simplex, set[int]]] = []
        for simplex, candidates in told(f"sets of {size} cells that meet", level):
            look()
            for c in sorted(candidates):
                longer = (*simplex, c)
                if size == 2 or test(longer):
                    yield longer
                    following.append((longer, candidates & after[c]))
        level = following


def common_point(hulls: Sequence[Sequence[Point]]) -> bool:
    """Whether convex hulls of points have a common point, by an exact linear program.

    The unknowns are convex weights of the points of every hull but for the last point of each.
    """
    m = len(hulls[0][0]) - 1
    free = [len(h) - 1 for h in hulls]
    d = sum(free)
    start = [sum(free[:k]) for k in range(len(hulls))]
    rows: list[list[int]] = []
    for k, n in enumerate(free):
        rest = [0] * d + [1]
        for j in range(n):
            row = [0] * (d + 1)
            row[start[k] + j] = 1
            rows.append(row)
            rest[start[k] + j] = -1
        rows.append(rest)
    for k in range(1, len(hulls)):
        for i in range(m):
            scale = 1
            for p in (*hulls[0], *hulls[k]):
                scale *= p[-1]
            row = [0] * (d + 1)
            for sign, which in ((1, 0), (-1, k)):
                last = hulls[which][-1]
                row[d] += sign * last[i] * (scale // last[-1])
                for j, p in enumerate(hulls[which][:-1]):
                    value = p[i] * (scale // p[-1]) - last[i] * (scale // last[-1])
                    row[start[which] + j] += sign * value
            rows += [row, [-v for v in row]]
    if d == 0:
        return all(row[0] == 0 for row in rows[len(hulls) :])
    return not isinstance(minimise(rows, [0] * (d + 1), vertex=False), Infeasible)


def _filtration(birth: dict[Simplex, int], top: int, levels: int, count: int) -> Nerves:
    by_size: dict[int, list[Simplex]] = {}
    for simplex in birth:
        by_size.setdefault(len(simplex), []).append(simplex)
    complex_, simplices = simplicial_complex([np.array(own, np.int64) for own in by_size.values()])
    labels = [np.array([birth[tuple(row)] for row in own.tolist()], np.int64) for own in simplices]
    missing = top + 1 - len(labels)
    if missing > 0:
        cells = (*complex_.cells, *([0] * missing))
        empty = [
            sparse.csc_array((a, b), dtype=np.int64)
            for a, b in zip(cells[-missing - 1 : -1], cells[-missing:], strict=True)
        ]
        complex_ = ChainComplex(cells, (*complex_.boundary, *empty))
        labels += [np.empty(0, np.int64)] * missing
    return Nerves(complex_, tuple(labels), levels, count)
