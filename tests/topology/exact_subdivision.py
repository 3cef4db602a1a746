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
    points: tuple[Point, ...]

    @property
    def key(self) -> tuple[frozenset[int], tuple[int, ...]]:
        return self.corners, self.signs

    @property
    def vertices(self) -> frozenset[Point]:
        return frozenset(self.points)


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
    """One simplex of M: barycentric points by number, with what vanishes there as a bit mask.

    Bit j < size: the j-th barycentric coordinate; bit size + i: the i-th unit with a hyperplane.
    """

    def __init__(self, network: Network, points: list[Point]) -> None:
        self.network, self.points = network, points
        self.size = len(points)
        self.units = [
            (k, i)
            for k, layer in enumerate(network.layers)
            for i in range(layer.units)
            if layer.has_hyperplane[i]
        ]
        self.numbers: dict[tuple[tuple[int, int], ...], int] = {}
        self.bary: list[Point] = []
        self.ambient: list[Point] = []
        self.values: list[list[fmpq]] = []
        self.signs: list[tuple[int, ...]] = []
        self.zeros: list[int] = []

    def number(self, bary: Point) -> int:
        key = tuple((int(v.p), int(v.q)) for v in bary)
        if key in self.numbers:
            return self.numbers[key]
        at = tuple(
            sum((w * p[j] for w, p in zip(bary, self.points, strict=True)), fmpq(0))
            for j in range(len(self.points[0]))
        )
        z = preactivations(self.network, at)
        values = [z[k][i] for k, i in self.units]
        signs = tuple(map(_sign, values))
        marks = [w == 0 for w in bary] + [s == 0 for s in signs]
        self.zeros.append(sum(1 << i for i, zero in enumerate(marks) if zero))
        self.bary.append(bary)
        self.ambient.append(at)
        self.values.append(values)
        self.signs.append(signs)
        self.numbers[key] = len(self.bary) - 1
        return len(self.bary) - 1

    def between(self, u: int, v: int, unit: int) -> int:
        """Where the unit vanishes on the edge from u to v."""
        a, b = self.values[u][unit], self.values[v][unit]
        t = a / (a - b)
        pairs = zip(self.bary[u], self.bary[v], strict=True)
        return self.number(tuple((1 - t) * x + t * y for x, y in pairs))

    def edges(self, cell: list[int], cut: int) -> list[tuple[int, int]]:
        seen = (1 << self.size + cut) - 1
        tight = {v: self.zeros[v] & seen for v in cell}
        return [
            (u, v)
            for u, v in combinations(cell, 2)
            if all(w in (u, v) or tight[u] & tight[v] & ~tight[w] for w in cell)
        ]

    def dimension(self, vertices: list[int]) -> int:
        if len(vertices) < 3:
            return len(vertices) - 1
        return int(fmpq_mat([list(self.bary[v]) for v in vertices]).rank()) - 1

    def faces(self, cell: list[int]) -> set[int]:
        """All faces of a cell as masks over its list of vertices."""
        everything = self.size + len(self.units)
        facets = {
            sum(1 << i for i, v in enumerate(cell) if self.zeros[v] >> c & 1)
            for c in range(everything)
        }
        out, frontier = {(1 << len(cell)) - 1}, facets - {0}
        while frontier:
            out |= frontier
            frontier = {f & g for f in frontier for g in facets} - out - {0}
        return out


def exact_cells(
    network: Network, corners: list[int], points: list[Point]
) -> dict[tuple[frozenset[int], tuple[int, ...]], ExactCell]:
    """All cells of one simplex, by (corners of the face of M, sign vector)."""
    simplex = _Simplex(network, points)
    size = len(corners)
    pieces: list[list[int]] = [
        [simplex.number(tuple(fmpq(int(i == j)) for j in range(size))) for i in range(size)]
    ]
    for unit in range(len(simplex.units)):
        after: list[list[int]] = []
        for cell in pieces:
            above = [v for v in cell if simplex.signs[v][unit] > 0]
            below = [v for v in cell if simplex.signs[v][unit] < 0]
            if not above or not below:
                after.append(cell)
                continue
            on = [v for v in cell if simplex.signs[v][unit] == 0]
            for u, v in simplex.edges(cell, unit):
                if simplex.signs[u][unit] * simplex.signs[v][unit] < 0:
                    on.append(simplex.between(u, v, unit))
            after += [above + on, below + on]
        pieces = after
    found: dict[tuple[frozenset[int], tuple[int, ...]], ExactCell] = {}
    for cell in pieces:
        for face in simplex.faces(cell):
            members = [v for i, v in enumerate(cell) if face >> i & 1]
            # every unit and every coordinate has one sign, or is 0, at the vertices of a cell
            columns = zip(*(simplex.signs[v] for v in members), strict=True)
            reached = [set(column) - {0} for column in columns]
            assert all(len(s) < 2 for s in reached)
            signs = tuple(next(iter(s), 0) for s in reached)
            zero = ~0
            for v in members:
                zero &= simplex.zeros[v]
            carried = frozenset(c for j, c in enumerate(corners) if not zero >> j & 1)
            if (carried, signs) in found:
                continue
            ambient = tuple(simplex.ambient[v] for v in members)
            made = ExactCell(carried, signs, simplex.dimension(members), ambient)
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
