"""Vertices, rays and volume of a region, exactly: double description and a pulling triangulation.

Source: K. Fukuda, A. Prodon, "Double description method revisited", Combinatorics and Computer
Science (1996) 91-111; B. Büeler, A. Enge, K. Fukuda, "Exact volume computation for polytopes: a
practical study" (2000), the pulling triangulation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flint import fmpq, fmpq_mat

from polyrank.lp.farkas import coprime

__all__ = ["Generators", "generators", "volume"]

IntRow = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Generators:
    """The closed polyhedron ``{y : a_i·y + b_i ≥ 0}`` by its generators.

    Attributes
    ----------
    vertices : tuple of tuple of fmpq
        Where there are lines, one point of each minimal face.
    tight : tuple of frozenset of int
        Per vertex the rows that vanish there.
    rays, lines : tuple of tuple of int
        Extreme directions, and a basis of the lineality space.
    """

    vertices: tuple[tuple[fmpq, ...], ...]
    tight: tuple[frozenset[int], ...]
    rays: tuple[IntRow, ...]
    lines: tuple[IntRow, ...]

    @property
    def bounded(self) -> bool:
        """True for a polytope."""
        return not self.rays and not self.lines


def _dot(a: IntRow, b: IntRow) -> int:
    return sum(x * y for x, y in zip(a, b, strict=True))


def generators(rows: Sequence[IntRow], k: int) -> Generators:
    """All vertices and extreme rays of a polyhedron, from integer rows ``(a, b)`` of length k + 1.

    The cone over the polyhedron starts as the half-space ``t ≥ 0`` and is cut by one row after
    the other; two rays are adjacent iff no third one is tight wherever both are.
    """
    d = k + 1
    lines: list[IntRow] = [tuple(int(i == j) for j in range(d)) for i in range(d)]
    rays: list[tuple[IntRow, frozenset[int]]] = []
    last = tuple(int(j == k) for j in range(d))
    for index, row in enumerate([last, *rows]):
        pivot = next((line for line in lines if _dot(row, line) != 0), None)
        if pivot is not None:
            value = _dot(row, pivot)
            if value < 0:
                pivot, value = tuple(-v for v in pivot), -value
            lines = [_cleared(line, pivot, row, value) for line in lines if line != pivot]
            lines = [line for line in lines if _dot(row, line) == 0 and any(line)]
            lines = [line for line in lines if line != tuple(-v for v in pivot)]
            rays = [(_cleared(ray, pivot, row, value), tight | {index}) for ray, tight in rays]
            rays.append((pivot, frozenset(range(index))))
            continue
        values = [_dot(row, ray) for ray, _ in rays]
        kept = [
            (ray, tight | {index} if v == 0 else tight)
            for (ray, tight), v in zip(rays, values, strict=True)
            if v >= 0
        ]
        plus = [(ray, v) for ray, v in zip(rays, values, strict=True) if v > 0]
        minus = [(ray, v) for ray, v in zip(rays, values, strict=True) if v < 0]
        for (p, p_tight), v in plus:
            for (m, m_tight), u in minus:
                common = p_tight & m_tight
                if any(common <= t for r, t in rays if r not in (p, m)):
                    continue
                new = coprime([v * b - u * a for a, b in zip(p, m, strict=True)])
                kept.append((new, common | {index}))
        rays = kept
    vertices, tights, directions = [], [], []
    for ray, tight in rays:
        if ray[-1]:
            vertices.append(tuple(fmpq(v, ray[-1]) for v in ray[:-1]))
            tights.append(frozenset(i - 1 for i in tight if i))
        else:
            directions.append(ray[:-1])
    return Generators(
        tuple(vertices), tuple(tights), tuple(directions), tuple(line[:-1] for line in lines)
    )


def _cleared(ray: IntRow, pivot: IntRow, row: IntRow, value: int) -> IntRow:
    """Move a generator along a line into the hyperplane of the row."""
    amount = _dot(row, ray)
    return coprime([value * a - amount * b for a, b in zip(ray, pivot, strict=True)])


def volume(polytope: Generators, rows: int) -> fmpq | None:
    """The exact k-volume of a polytope; None if it is unbounded.

    ``rows`` is the number of rows that its generators were made from.
    """
    if not polytope.bounded or not polytope.vertices:
        return None
    points = polytope.vertices
    k = len(points[0])
    if k == 0:
        return fmpq(1)
    total = fmpq(0)
    on_row = [
        frozenset(i for i, tight in enumerate(polytope.tight) if r in tight) for r in range(rows)
    ]
    for simplex in _pulled(frozenset(range(len(points))), k, on_row, points):
        apex = points[simplex[0]]
        edges = [[a - b for a, b in zip(points[i], apex, strict=True)] for i in simplex[1:]]
        total += abs(fmpq_mat(k, k, [v for edge in edges for v in edge]).det())
    return total / math.factorial(k)


def _pulled(
    face: frozenset[int],
    dim: int,
    on_row: Sequence[frozenset[int]],
    points: Sequence[tuple[fmpq, ...]],
) -> list[tuple[int, ...]]:
    """Simplices of the triangulation of a face that pulls its first vertex."""
    first = min(face)
    if dim == 0:
        return [(first,)]
    out = []
    for facet in {face & row for row in on_row}:
        if first not in facet and len(facet) >= dim and _dimension(facet, points) == dim - 1:
            out += [(first, *rest) for rest in _pulled(facet, dim - 1, on_row, points)]
    return out


def _dimension(face: frozenset[int], points: Sequence[tuple[fmpq, ...]]) -> int:
    base, *others = sorted(face)
    if not others:
        return 0
    entries = [a - b for i in others for a, b in zip(points[i], points[base], strict=True)]
    return int(fmpq_mat(len(others), len(points[base]), entries).rank())
