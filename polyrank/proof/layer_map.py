"""What a layer does to a complex: the cellular map into the next complex, verified cell by cell.

Every edge and polygon is cut where a unit vanishes; on the parts the layer f is affine. The image
of a part of an edge is a segment, which a walk along edges of the next complex must follow from end
to end. That of a part of a polygon is a convex polygon, and the stated faces must lie in it and
have its area: being disjoint inside, they fill it; or it has no area, and nothing is stated.

**Lemma.** Then f takes the vertices, edges and polygons P into the skeleta of dimension 0, 1 and 2.
*Proof.* Only parts of a P without area are left. Let y be a general point of the image of one. In
such parts the points that go to y form segments, which end in ∂P or beside a part with area, since
they are no closed curve: along one every unit is constant, and a unit that is not so around it has
this value on at most two parallel lines only. In the first case a walk passes y; in the second y
lies on a side of a polygon that faces fill. ∎

So the numbers of times that cells are covered, with signs, are the chain map that f induces.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from flint import fmpq, fmpq_mat

from polyrank.network.normal_form import Layer
from polyrank.proof.cell_complex import Cells, Place, around, chart_of, turn
from polyrank.proof.format import ProofRejectedError

__all__ = ["ChainMap", "Stated", "check_map"]

#: Per dimension and cell: cell of the target → multiplicity.
ChainMap = list[list[dict[int, int]]]


@dataclass(slots=True)
class Stated:
    """What a certificate says of a map.

    Attributes
    ----------
    paths : list of list of (int, int)
        Per edge the edges of its image in turn, with ±1.
    areas : dict
        (face, signs of the units with a hyperplane) → the faces of the image of that part.
    """

    paths: list[list[tuple[int, int]]]
    areas: dict[tuple[int, bytes], list[int]] = field(default_factory=dict)


@dataclass(slots=True)
class _Point:
    z: Place
    image: Place


def check_map(source: Cells, target: Cells, layer: Layer | None, stated: Stated) -> ChainMap:
    """The chain map of a layer (None: the identity) from a complex into the next one.

    Raises
    ------
    ProofRejectedError
        If the layer does not do what is stated, or the target has a cell that is not covered.
    """
    moved = [_moved(_preactivation(p, layer), layer) for p in source.points]
    number = {p: v for v, p in enumerate(target.points)}
    vertices = []
    for v, point in enumerate(moved):
        if point.image not in number:
            raise ProofRejectedError(f"vertex {v} does not go to a vertex")
        vertices.append({number[point.image]: 1})
    if len(stated.paths) != len(source.edges):
        raise ProofRejectedError("the walks are not those of the edges")
    edges = []
    for (a, b), path in zip(source.edges, stated.paths, strict=True):
        _check_walk(target, _cut_edge(moved[a], moved[b], layer), path)
        own: dict[int, int] = defaultdict(int)
        for e, sign in path:
            own[e] += sign
        edges.append({e: n for e, n in own.items() if n})
    faces = []
    used: set[tuple[int, bytes]] = set()
    for f, face in enumerate(source.faces):
        sums: dict[int, int] = defaultdict(int)
        for signs, ring in _cut_face([moved[v] for v in face], layer):
            used.add((f, signs))
            for g, sign in _check_area(target, ring, stated.areas.get((f, signs), [])):
                sums[g] += sign
        faces.append({g: n for g, n in sums.items() if n})
    if not stated.areas.keys() <= used:
        raise ProofRejectedError("a part of a face is listed that does not exist")
    _check_covered(target, vertices, stated)
    return [vertices, edges, faces]


def _check_covered(target: Cells, vertices: list[dict[int, int]], stated: Stated) -> None:
    faces = {g for own in stated.areas.values() for g in own}
    if faces != set(range(len(target.faces))):
        raise ProofRejectedError("a face of an image is the image of nothing")
    walked = {frozenset(target.edges[e]) for path in stated.paths for e, _ in path}
    covered = walked | target.sides()
    if any(frozenset(e) not in covered for e in target.edges):
        raise ProofRejectedError("an edge of an image is the image of nothing")
    hit = {v for own in vertices for v in own} | {v for e in target.edges for v in e}
    if len(hit) != len(target.points):
        raise ProofRejectedError("a vertex of an image is the image of nothing")


def _preactivation(p: Place, layer: Layer | None) -> Place:
    if layer is None:
        return p
    z = layer.weight_exact * fmpq_mat(len(p), 1, list(p)) + layer.bias_exact
    return tuple(z.entries())


def _moved(z: Place, layer: Layer | None) -> _Point:
    if layer is None:
        return _Point(z, z)
    image = ((up if v > 0 else low) * v for v, (low, up) in zip(z, layer.slopes_exact, strict=True))
    return _Point(z, tuple(image))


def _between(p: _Point, q: _Point, share: fmpq, layer: Layer | None, unit: int) -> _Point:
    z = [x + share * (y - x) for x, y in zip(p.z, q.z, strict=True)]
    z[unit] = fmpq(0)
    return _moved(tuple(z), layer)


def _units(layer: Layer | None) -> list[int]:
    if layer is None:
        return []
    return [j for j, cuts in enumerate(layer.has_hyperplane.tolist()) if cuts]


def _cut_edge(p: _Point, q: _Point, layer: Layer | None) -> list[Place]:
    """The images of the ends, and of the points between them where a unit changes its sign."""
    shares = {
        p.z[j] / (p.z[j] - q.z[j]): j for j in _units(layer) if (p.z[j] > 0 > q.z[j]) or (
            p.z[j] < 0 < q.z[j])
    }  # fmt: skip
    inner = [_between(p, q, t, layer, shares[t]).image for t in sorted(shares)]
    return [p.image, *inner, q.image]


def _check_walk(target: Cells, corners: list[Place], path: Sequence[tuple[int, int]]) -> None:
    """Whether a walk follows a polygonal line: monotone on every segment of it, and to its end."""
    steps = iter(path)
    here = corners[0]
    for start, stop in pairwise(corners):
        while here != stop:
            e, sign = next(steps, (-1, 0))
            if not 0 <= e < len(target.edges) or sign not in (1, -1):
                raise ProofRejectedError("a walk along edges ends too early")
            a, b = target.edges[e][::sign]
            if target.points[a] != here or not _on_the_way(start, stop, here, target.points[b]):
                raise ProofRejectedError("a walk along edges leaves the image of its edge")
            here = target.points[b]
    if next(steps, None) is not None:
        raise ProofRejectedError("a walk along edges goes on after its end")


def _on_the_way(start: Place, stop: Place, here: Place, there: Place) -> bool:
    """Whether a point lies on the segment to the end, behind the one before."""
    k = next(i for i, (x, y) in enumerate(zip(start, stop, strict=True)) if x != y)
    span = stop[k] - start[k]
    before, after = (here[k] - start[k]) / span, (there[k] - start[k]) / span
    on_line = all(t - x == after * (y - x) for x, y, t in zip(start, stop, there, strict=True))
    return on_line and before < after <= 1


def _cut_face(ring: list[_Point], layer: Layer | None) -> list[tuple[bytes, list[Place]]]:
    """The parts of a convex polygon: the signs of the units, and the images of the corners."""
    parts = [ring]
    for unit in _units(layer):
        parts = [half for part in parts for half in _halves(part, unit, layer)]
    out = []
    for part in parts:
        signs = []
        for unit in _units(layer):
            values = [p.z[unit] for p in part]
            signs.append((max(values) > 0) - (min(values) < 0))
        out.append((bytes(s & 255 for s in signs), [p.image for p in part]))
    return out


def _halves(part: list[_Point], unit: int, layer: Layer | None) -> list[list[_Point]]:
    values = [p.z[unit] for p in part]
    if min(values) >= 0 or max(values) <= 0:
        return [part]
    above, below = [], []
    for k, p in enumerate(part):
        q = part[(k + 1) % len(part)]
        x, y = p.z[unit], q.z[unit]
        if x >= 0:
            above.append(p)
        if x <= 0:
            below.append(p)
        if (x > 0 > y) or (x < 0 < y):
            middle = _between(p, q, x / (x - y), layer, unit)
            above.append(middle)
            below.append(middle)
    return [above, below]


def _check_area(target: Cells, ring: list[Place], faces: Sequence[int]) -> list[tuple[int, int]]:
    """The faces that fill the image of a part, each with the sign of its orientation in it."""
    chart = chart_of(ring)
    if chart is None:
        if faces:
            raise ProofRejectedError("an image without area is said to hold faces")
        return []
    if len(set(faces)) != len(faces) or not all(0 <= g < len(target.faces) for g in faces):
        raise ProofRejectedError("the faces of a part are listed twice or do not exist")
    area = _area(ring, chart)
    left = 1 if area > 0 else -1
    walls = [(p, q) for p, q in around(ring) if p != q]
    equations = _equations(ring, chart)
    total = fmpq(0)
    out = []
    for g in faces:
        corners = [target.points[v] for v in target.faces[g]]
        for r in corners:
            if any(left * turn(p, q, r, chart) < 0 for p, q in walls) or not _on_plane(
                equations, r, chart
            ):
                raise ProofRejectedError(f"face {g} does not lie in the image of its part")
        own = _area(corners, chart)
        total += abs(own)
        out.append((g, left if own > 0 else -left))
    if total != abs(area):
        raise ProofRejectedError("the faces do not fill the image of a part")
    return out


def _area(ring: Sequence[Place], chart: tuple[int, int]) -> fmpq:
    """Twice the signed area in a chart."""
    i, j = chart
    return sum((p[i] * q[j] - p[j] * q[i] for p, q in around(ring)), fmpq(0))


def _equations(ring: list[Place], chart: tuple[int, int]) -> list[tuple[int, fmpq, fmpq, fmpq]]:
    """Every other coordinate as an affine function of the two of the chart."""
    i, j = chart
    base = ring[0]
    p = next(q for q in ring if q[i] != base[i] or q[j] != base[j])
    q = next(r for r in ring if turn(base, p, r, chart) != 0)
    det = turn(base, p, q, chart)
    out = []
    for k in range(len(base)):
        if k in chart:
            continue
        u, v = p[k] - base[k], q[k] - base[k]
        x = (u * (q[j] - base[j]) - v * (p[j] - base[j])) / det
        y = (v * (p[i] - base[i]) - u * (q[i] - base[i])) / det
        out.append((k, x, y, base[k] - x * base[i] - y * base[j]))
    return out


def _on_plane(
    equations: Sequence[tuple[int, fmpq, fmpq, fmpq]], r: Place, chart: tuple[int, int]
) -> bool:
    i, j = chart
    return all(r[k] == x * r[i] + y * r[j] + c for k, x, y, c in equations)
