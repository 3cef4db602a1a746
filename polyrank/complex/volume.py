"""Exact volumes of regions, from exact vertices and oriented faces."""

from __future__ import annotations

from itertools import pairwise

from flint import fmpq

from polyrank.complex.cell_complex import CellComplex

__all__ = ["exact_vertices", "volumes"]

Vector = tuple[fmpq, ...]


def exact_vertices(cells: CellComplex) -> list[Vector]:
    """Exact coordinates y of every vertex."""
    found: dict[int, Vector] = {}
    # vertices of one region share their exact rows
    for v in cells.vertex_region.argsort(kind="stable").tolist():
        found[v] = cells.exact_vertex(v)
    return [found[v] for v in range(len(found))]


def volumes(cells: CellComplex) -> list[fmpq]:
    """Exact k-dimensional volume of every region, in the chart's coordinates y.

    By Stokes: length of a segment; area ``½ |Σ_e ± det(t, h)|`` over the edges (t, h); volume
    ``⅙ |Σ_f ± Σ_e ± det(c, t, h)|`` over faces f with a vertex c and edges (t, h).

    **Proves**: the numbers are exact; they add up to the volume of the domain.
    """
    points = exact_vertices(cells)
    k = cells.dimension
    faces = [_columns(matrix) for matrix in cells.boundary]
    ends = []
    for column in faces[0]:
        tail = next(v for v, s in column if s < 0)
        head = next(v for v, s in column if s > 0)
        ends.append((tail, head))
    if k == 1:
        return [abs(points[h][0] - points[t][0]) for t, h in ends]
    if k == 2:
        areas = []
        for column in faces[1]:
            total = fmpq(0)
            for e, s in column:
                t, h = points[ends[e][0]], points[ends[e][1]]
                total += s * (t[0] * h[1] - t[1] * h[0])
            areas.append(abs(total) / 2)
        return areas
    cones = []
    for column in faces[1]:
        c = points[ends[column[0][0]][0]]
        total = fmpq(0)
        for e, s in column:
            t, h = points[ends[e][0]], points[ends[e][1]]
            total += s * _det(c, t, h)
        cones.append(total)
    return [abs(sum((s * cones[f] for f, s in column), fmpq(0))) / 6 for column in faces[2]]


def _det(a: Vector, b: Vector, c: Vector) -> fmpq:
    return (
        a[0] * (b[1] * c[2] - b[2] * c[1])
        - a[1] * (b[0] * c[2] - b[2] * c[0])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
    )


def _columns(matrix: object) -> list[list[tuple[int, int]]]:
    """(row, sign) pairs of every column."""
    indptr = matrix.indptr.tolist()  # type: ignore[attr-defined]
    rows = matrix.indices.tolist()  # type: ignore[attr-defined]
    signs = matrix.data.tolist()  # type: ignore[attr-defined]
    return [list(zip(rows[a:b], signs[a:b], strict=True)) for a, b in pairwise(indptr)]
