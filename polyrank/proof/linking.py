"""Linking numbers of cycles of segments in R³, afresh: signed crossings of a sheared projection.

The shear (x, y, z) ↦ (x + a z, y + b z) has determinant 1 and keeps the number. Where no vertex
falls on the line of a segment of the other cycle, ``lk`` is the sum of the signs of
``(first segment) × (second segment)`` over the crossings at which the first is above.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from flint import fmpq, fmpz_mat

from polyrank.network.normal_form import Network
from polyrank.proof.format import NotDecidedError, ProofRejectedError
from polyrank.proof.polytopes import affine_polytopes

__all__ = ["Cycle", "check_linking", "closed"]

#: Edges of M with their multiplicities.
Cycle = list[tuple[int, int, int]]
Place = tuple[fmpq, ...]
#: Ends and multiplicity.
Segment = tuple[Place, Place, int]

_SHEARS = [(fmpq(p, 97), fmpq(q, 89)) for p, q in ((31, -47), (-17, 23), (71, 59), (-5, -83))]


def closed(
    stated: Iterable[Sequence[int]], simplices: Iterable[frozenset[int]], label: int
) -> Cycle:
    """A stated loop, which must be a cycle of edges of some simplices.

    Raises
    ------
    ProofRejectedError
        If it is none.
    """
    edges = {frozenset(e) for f in simplices for e in combinations(sorted(f), 2)}
    cycle = [(int(a), int(b), int(w)) for a, b, w in stated]
    ends: dict[int, int] = defaultdict(int)
    for a, b, w in cycle:
        if frozenset((a, b)) not in edges:
            raise ProofRejectedError(f"[{a}, {b}] is no edge of class {label}")
        ends[a] -= w
        ends[b] += w
    if any(ends.values()):
        raise ProofRejectedError(f"a loop of class {label} is not closed")
    return cycle


def check_linking(
    stated: Mapping[str, Any],
    network: Network,
    layer: int,
    points: Sequence[Sequence[fmpq]],
    loops: tuple[Sequence[Cycle], Sequence[Cycle]],
    images: Iterable[Sequence[fmpq]],
    where: str,
) -> None:
    """Whether the linking numbers of Φ_K of the loops of two classes are the stated ones.

    Parameters
    ----------
    stated : mapping
        ``coordinates`` (three), ``matrix`` (loops of the first class, of the second) and
        ``elementary_divisors``.
    network : Network
    layer : int
        K.
    points : sequence of sequences of fmpq
        The vertices of M.
    loops : (sequence of Cycle, sequence of Cycle)
    images : iterable of sequences of fmpq
        The vertices of the images of both classes, which are disjoint.
    where : str
        What a rejection starts with.

    Raises
    ------
    ProofRejectedError
        If they are not, or the coordinates do not tell the points of the affine hull of the images
        apart.
    """
    chart = [int(k) for k in stated["coordinates"]]
    if not _in_chart(images, chart):
        raise ProofRejectedError(f"{where}: {chart} are no coordinates of a 3-space of images")
    curves = [
        [_image_of_cycle(network, layer, points, loop, chart) for loop in own] for own in loops
    ]
    matrix = [[_linking_number(c, d) for d in curves[1]] for c in curves[0]]
    if stated["matrix"] != matrix:
        raise ProofRejectedError(f"{where}: the linking numbers of the loops are {matrix}")
    form = fmpz_mat(matrix).snf()
    size = min(form.nrows(), form.ncols())
    divisors = [abs(int(form[i, i])) for i in range(size) if form[i, i] != 0]
    if stated["elementary_divisors"] != divisors:
        raise ProofRejectedError(f"{where}: the elementary divisors are {divisors}")


def _in_chart(points: Iterable[Sequence[fmpq]], chart: Sequence[int]) -> bool:
    """Whether three coordinates tell all points of the affine hull of some points apart."""
    if len(set(chart)) != 3:
        return False
    rows: dict[int, list[fmpq]] = {}
    base: Sequence[fmpq] | None = None
    for p in points:
        base = p if base is None else base
        if min(chart) < 0 or max(chart) >= len(p):
            return False
        rest = [x - o for x, o in zip(p, base, strict=True)]
        for column, row in rows.items():
            factor = rest[column] / row[column]
            rest = [v - factor * u for v, u in zip(rest, row, strict=True)]
        if all(v == 0 for v in rest):
            continue
        pivot = next((k for k in chart if rest[k] != 0), None)
        if pivot is None:
            return False
        rows[pivot] = rest
    return True


def _image_of_cycle(
    network: Network,
    layer: int,
    points: Sequence[Sequence[fmpq]],
    cycle: Cycle,
    chart: Sequence[int],
) -> list[Segment]:
    """Φ_K of a cycle in three coordinates: its edges, divided where the network bends them."""
    out: list[Segment] = []
    for a, b, w in cycle:
        for part in affine_polytopes(network, layer, [points[a], points[b]]):
            order = sorted(range(2), key=lambda i: part.weights[i][1])
            rows = part.images.tolist()
            p, q = (tuple(rows[i][k] for k in chart) for i in order)
            if p != q:
                out.append((p, q, w))
    return out


def _linking_number(first: Sequence[Segment], second: Sequence[Segment]) -> int:
    """The linking number of two disjoint cycles.

    Raises
    ------
    NotDecidedError
        If none of the projections is generic.
    """
    for shear in _SHEARS:
        total = _crossings(_sheared(first, shear), _sheared(second, shear))
        if total is not None:
            return total
    raise NotDecidedError("a linking number is not decided: no projection is generic")


def _sheared(segments: Sequence[Segment], shear: tuple[fmpq, fmpq]) -> list[Segment]:
    a, b = shear
    return [
        ((p[0] + a * p[2], p[1] + b * p[2], p[2]), (q[0] + a * q[2], q[1] + b * q[2], q[2]), w)
        for p, q, w in segments
    ]


def _crossings(first: Sequence[Segment], second: Sequence[Segment]) -> int | None:
    total = 0
    boxed = [(*_box(q, r), q, r, w) for q, r, w in second]
    for p, s, v in first:
        left, right, low, high = _box(p, s)
        for x0, x1, y0, y1, q, r, w in boxed:
            if x1 < left or x0 > right or y1 < low or y0 > high:
                continue
            sides = _turn(p, s, q), _turn(p, s, r), _turn(q, r, p), _turn(q, r, s)
            if 0 in sides:
                return None
            if (sides[0] > 0) == (sides[1] > 0) or (sides[2] > 0) == (sides[3] > 0):
                continue
            # where the projections cross, as shares of both segments
            own, other = sides[2] / (sides[2] - sides[3]), sides[0] / (sides[0] - sides[1])
            above = p[2] + own * (s[2] - p[2]) - q[2] - other * (r[2] - q[2])
            if above > 0:
                # r is to the left of the first segment iff its cross product with q → r is positive
                total += v * w * (1 if sides[1] > 0 else -1)
    return total


def _box(p: Place, q: Place) -> tuple[fmpq, fmpq, fmpq, fmpq]:
    return min(p[0], q[0]), max(p[0], q[0]), min(p[1], q[1]), max(p[1], q[1])


def _turn(p: Place, q: Place, r: Place) -> fmpq:
    return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])
