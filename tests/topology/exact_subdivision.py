"""The cells of one simplex cut by a network, in rational arithmetic alone: the oracle.

A second method: convex polytopes as vertex lists with their tight constraints, one at a time; no
shared vertices, no floats, no incidence matrices. A face is a set of vertices closed under the
constraints they share. Cells of all dimensions are known by (walls, sign vector) and glued by
(simplex of M, sign vector).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from flint import fmpq, fmpq_mat

from polyrank.network.normal_form import Network

Point = tuple[fmpq, ...]


@dataclass(frozen=True)
class ExactCell:
    """A cell: its corners are vertices of the simplex that carries it."""

    corners: frozenset[int]
    signs: tuple[int, ...]
    dimension: int
    vertices: frozenset[Point]

    @property
    def key(self) -> tuple[frozenset[int], tuple[int, ...]]:
        return self.corners, self.signs


def preactivations(network: Network, x: Point) -> list[list[fmpq]]:
    """Of all layers, at a rational point."""
    h, out = list(x), []
    for layer in network.layers:
        w, b = layer.weight_exact, layer.bias_exact
        z = [sum((w[i, j] * h[j] for j in range(len(h))), b[i, 0]) for i in range(layer.units)]
        out.append(z)
        h = [p * v if v > 0 else n * v for v, (n, p) in zip(z, layer.slopes_exact, strict=True)]
    return out


def _sign(v: fmpq) -> int:
    return int(v > 0) - int(v < 0)


class _Simplex:
    """One simplex of M: barycentric points in, ambient points and signs out."""

    def __init__(self, network: Network, corners: list[int], points: list[Point]) -> None:
        self.network, self.corners, self.points = network, corners, points
        self.memo: dict[Point, tuple[int, ...]] = {}
        self.units = [
            (k, i)
            for k, layer in enumerate(network.layers)
            for i in range(layer.units)
            if layer.has_hyperplane[i]
        ]

    def ambient(self, bary: Point) -> Point:
        n = len(self.points[0])
        return tuple(
            sum((w * p[j] for w, p in zip(bary, self.points, strict=True)), fmpq(0))
            for j in range(n)
        )

    def values(self, bary: Point) -> list[fmpq]:
        z = preactivations(self.network, self.ambient(bary))
        return [z[k][i] for k, i in self.units]

    def signs(self, bary: Point) -> tuple[int, ...]:
        if bary not in self.memo:
            self.memo[bary] = tuple(_sign(v) for v in self.values(bary))
        return self.memo[bary]

    def tight(self, bary: Point, cut: int) -> frozenset[tuple[str, int]]:
        walls = {("wall", j) for j, w in enumerate(bary) if w == 0}
        units = {("unit", i) for i, s in enumerate(self.signs(bary)[:cut]) if s == 0}
        return frozenset(walls | units)


def _middle(vertices: list[Point]) -> Point:
    m = fmpq(1, len(vertices))
    return tuple(m * sum((v[j] for v in vertices), fmpq(0)) for j in range(len(vertices[0])))


def _dimension(vertices: list[Point]) -> int:
    base = vertices[0]
    rows = [[a - b for a, b in zip(v, base, strict=True)] for v in vertices[1:]]
    return int(fmpq_mat(rows).rank()) if rows else 0


def _edges(simplex: _Simplex, cell: list[Point], cut: int) -> list[tuple[Point, Point]]:
    tight = {v: simplex.tight(v, cut) for v in cell}
    return [
        (u, v)
        for u, v in combinations(cell, 2)
        if all(w in (u, v) or not tight[u] & tight[v] <= tight[w] for w in cell)
    ]


def exact_cells(
    network: Network, corners: list[int], points: list[Point]
) -> dict[tuple[frozenset[int], tuple[int, ...]], ExactCell]:
    """All cells of one simplex, by (corners of the face of M, sign vector)."""
    simplex = _Simplex(network, corners, points)
    size = len(corners)
    pieces: list[list[Point]] = [
        [tuple(fmpq(int(i == j)) for j in range(size)) for i in range(size)]
    ]
    for unit in range(len(simplex.units)):
        after: list[list[Point]] = []
        for cell in pieces:
            value = {v: simplex.values(v)[unit] for v in cell}
            above = [v for v in cell if value[v] > 0]
            below = [v for v in cell if value[v] < 0]
            if not above or not below:
                after.append(cell)
                continue
            on = [v for v in cell if value[v] == 0]
            for u, v in _edges(simplex, cell, unit):
                if value[u] * value[v] < 0:
                    t = value[u] / (value[u] - value[v])
                    on.append(tuple((1 - t) * a + t * b for a, b in zip(u, v, strict=True)))
            after += [above + on, below + on]
        pieces = after
    found: dict[tuple[frozenset[int], tuple[int, ...]], ExactCell] = {}
    everything = len(simplex.units)
    for cell in pieces:
        tight = {v: simplex.tight(v, everything) for v in cell}
        faces = {frozenset(cell)}
        frontier = {
            frozenset(v for v in cell if c in tight[v]) for c in set().union(*tight.values())
        }
        frontier = {f for f in frontier if f}
        while frontier:
            faces |= frontier
            frontier = {f & g for f in frontier for g in faces if f & g} - faces
        for face in faces:
            members = sorted(face, key=str)
            inner = _middle(members)
            carried = frozenset(c for c, w in zip(corners, inner, strict=True) if w != 0)
            ambient = frozenset(simplex.ambient(v) for v in members)
            made = ExactCell(carried, simplex.signs(inner), _dimension(members), ambient)
            found[made.key] = made
    return found


def glued_cells(network, manifold) -> dict[tuple[frozenset[int], tuple[int, ...]], ExactCell]:
    """The cells of a whole manifold: those of its maximal simplices, glued by key."""
    out: dict[tuple[frozenset[int], tuple[int, ...]], ExactCell] = {}
    for simplices, chosen in zip(manifold.simplices, manifold.maximal, strict=True):
        for row in simplices[chosen].tolist():
            points = [tuple(manifold.point(v)) for v in row]
            for key, cell in exact_cells(network, row, points).items():
                if key in out:
                    # two simplices that share a face agree on it
                    assert out[key].vertices == cell.vertices
                out[key] = cell
    return out
