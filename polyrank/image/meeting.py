"""The narrow phase: do two images meet beyond the image of the common face? Exactly.

Let P = conv(F ∪ A) and Q = conv(F ∪ B) be the images of two pieces, F those of the vertices of
their common face, so that conv F is a face of both. *P ∩ Q = conv F iff some (w, t) has w·f = t on
F, w·a > t on A and w·b < t on B.* If there is such a hyperplane, it meets P in conv F and Q in
conv F. If not, 0 is a convex combination Σ λ_i (a_i − f) − Σ μ_j (b_j − f) modulo the span L of
F − f (Gordan's theorem; where F is empty, of the vectors (a, 1) and −(b, 1)): moved within conv F
and scaled, its two halves are points of P and Q with the same place, and outside conv F.

Floats propose and, with bounds of their errors, prove most hyperplanes
(:func:`separated`, in the native core); what they leave is decided in rationals
(:func:`decide`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.image.echelon import echelon
from polyrank.image.hulls import Hulls
from polyrank.lp.certificates import Infeasible, Minimum
from polyrank.lp.exact import minimise
from polyrank.lp.farkas import integer_row
from polyrank.native.records import call

__all__ = ["Apart", "Combination", "Meet", "decide", "separate_exactly", "separated"]

Point = Sequence[fmpq]


@dataclass(frozen=True, slots=True)
class Apart:
    """**Proves** that two images meet in the image of the common face only.

    Attributes
    ----------
    normal : tuple of fmpq, shape (m,)
        w.
    offset : fmpq
        t: ``w·y − t`` is 0 on the images of the vertices of the common face, positive on the other
        vertices of the first piece and negative on those of the second.
    """

    normal: tuple[fmpq, ...]
    offset: fmpq


@dataclass(frozen=True, slots=True)
class Meet:
    """**Proves** that two images meet beyond the image of the common face.

    Attributes
    ----------
    first, second : mapping of int to fmpq
        Convex combinations of the vertices of the first and of the second piece, all weights
        positive, with one image; neither lies in the common face.
    """

    first: Mapping[int, fmpq]
    second: Mapping[int, fmpq]


@dataclass(frozen=True, slots=True)
class Combination:
    """Weights of two convex combinations with one value: of A ∪ F and of B ∪ F, in this order.

    Attributes
    ----------
    first, second : tuples of fmpq
    """

    first: tuple[fmpq, ...]
    second: tuple[fmpq, ...]


def separated(
    pieces: Hulls, pairs: NDArray[np.int64], faces: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Pairs for which floats, with bounds of their errors, prove a hyperplane.

    Parameters
    ----------
    pieces : Hulls
        Of full rank.
    pairs : int64 array, shape (c, 2)
    faces : int64 array, shape (c,), optional
        The dimensions of the common faces, −1 for none, where vertices may be on the boundary of a
        hull without being corners; default: what follows from the number of vertices.

    Returns
    -------
    apart : bool array, shape (c,)
        True **proves** that there is a hyperplane as in :class:`Apart`; False says nothing.
    normal : float64 array, shape (c, m)
        Where it is proved: near its normal vector, and equal to it where the pieces share at most
        one vertex, in the coordinates of :meth:`~polyrank.image.hulls.Hulls.scaled`.
    """
    if faces is not None:
        return _separated(pieces, pairs, faces)
    unknown = np.full(len(pairs), -1, np.int64)
    apart, normal = _separated(pieces, pairs, unknown)
    # from dimension 4 on, polytopes share faces whose dimension is not clear from their vertices
    smaller = pieces.dimension[pairs].min(axis=1)
    again = np.flatnonzero(~apart & (smaller > 3))
    faces = np.array([_face_dimension(pieces, *pair) for pair in pairs[again].tolist()], np.int64)
    again, faces = again[faces > 1], faces[faces > 1]
    if again.size:
        apart[again], normal[again] = _separated(pieces, pairs[again], faces)
    return apart, normal


def _separated(
    pieces: Hulls, pairs: NDArray[np.int64], face: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    apart = np.zeros(len(pairs), np.uint8)
    normal = np.zeros((len(pairs), pieces.ambient))
    image, error, _ = pieces.scaled()
    arrays = image, error, pieces.start, pieces.vertex, pieces.dimension
    own = [np.ascontiguousarray(a) for a in (*arrays, pairs, face)]
    if not call("polyrank_separate", *own, apart, normal):
        raise MemoryError("the native core could not allocate its arrays")
    return apart.astype(bool), normal


def _face_dimension(pieces: Hulls, i: int, j: int) -> int:
    """Dimension of the common face, exact; −1 if there is none."""
    corners = [pieces.exact(v) for v in pieces.common_face(i, j).tolist()]
    edges = [[a - b for a, b in zip(p, corners[0], strict=True)] for p in corners[1:]]
    return len(echelon(edges)[1]) if corners else -1


def decide(pieces: Hulls, i: int, j: int, *, share_face: bool = True) -> Apart | Meet:
    """Whether the images of two pieces meet beyond the image of their common face, exactly.

    Parameters
    ----------
    pieces : Hulls
    i, j : int
        Different pieces, with images of their own dimension (full rank) if they share vertices.
    share_face : bool
        False: the images must be disjoint, and a shared vertex is a meeting.

    Raises
    ------
    OutOfTimeError
        If the time limit has passed.
    """
    common = pieces.common_face(i, j)
    if common.size and not share_face:
        v = int(common[0])
        return Meet({v: fmpq(1)}, {v: fmpq(1)})
    shared = common.tolist()
    above, below = (
        np.setdiff1d(pieces.vertices(p), common, assume_unique=True).tolist() for p in (i, j)
    )
    found = separate_exactly(*([pieces.exact(v) for v in part] for part in (above, below, shared)))
    if isinstance(found, Apart):
        return found
    first, second = (
        {v: w for v, w in zip([*part, *shared], weights, strict=True) if w != 0}
        for part, weights in ((above, found.first), (below, found.second))
    )
    return Meet(first, second)


def separate_exactly(
    above: Sequence[Point], below: Sequence[Point], shared: Sequence[Point]
) -> Apart | Combination:
    """A hyperplane through ``shared`` with A strictly above and B strictly below it, or none.

    Parameters
    ----------
    above, below, shared : sequences of points of R^m
        A, B and F; A and B are not empty, and conv F is a face of conv(A ∪ F) and of conv(B ∪ F).

    Examples
    --------
    >>> half, one = fmpq(1, 2), fmpq(1)
    >>> separate_exactly([[-one], [one]], [[half]], [])
    Combination(first=(1/4, 3/4), second=(1,))
    """
    m = len(above[0])
    if shared:
        base = list(shared[0])
        first, second, edges = (
            [[x - o for x, o in zip(p, base, strict=True)] for p in part]
            for part in (above, below, shared[1:])
        )
    else:
        first, second = ([[*p, fmpq(1)] for p in part] for part in (above, below))
        base, edges = [fmpq(0)] * m, []
    rows = first + [[-x for x in row] for row in second]
    reduced, pivots = echelon(edges)
    free = [_modulo(row, reduced, pivots) for row in rows]
    _, columns = echelon(free)
    chart = [[row[c] for c in columns] for row in free]
    integers = [integer_row([*row, fmpq(-1)]) for row in chart]
    found = minimise(integers, (0,) * (len(columns) + 1), vertex=False)
    if isinstance(found, Minimum):
        # w on the chosen columns; where the edges have their pivots, what makes it vanish on them
        u = dict(zip(columns, found.point.entries(), strict=True))
        w = [u.get(c, fmpq(0)) for c in range(len(rows[0]))]
        for row, p in zip(reduced, pivots, strict=True):
            w[p] = -sum((row[c] * v for c, v in u.items()), fmpq(0))
        normal = tuple(w[:m])
        offset = _dot(normal, base) if shared else -w[m]
        return Apart(normal, offset)
    if not isinstance(found, Infeasible):
        raise TypeError("a constant has no descent")
    weights = [fmpq(0)] * len(rows)
    for i, value in zip(found.multipliers.indices, found.multipliers.values, strict=True):
        # the integer row is the row times a positive number
        weights[i] = value * fmpq(-integers[i][-1])
    count = len(first)
    return _combination(first, second, edges, weights[:count], weights[count:], bool(shared))


def _combination(
    first: list[list[fmpq]],
    second: list[list[fmpq]],
    edges: list[list[fmpq]],
    over: list[fmpq],
    under: list[fmpq],
    touching: bool,
) -> Combination:
    """From ``Σ λ a − Σ μ b`` in the span of the edges: the two convex combinations."""
    width = len(first[0])
    rest = [
        sum((w * row[c] for w, row in zip(over, first, strict=True)), fmpq(0))
        - sum((w * row[c] for w, row in zip(under, second, strict=True)), fmpq(0))
        for c in range(width)
    ]
    along = _coordinates(edges, rest)
    minus = [max(-v, fmpq(0)) for v in along]
    plus = [max(v, fmpq(0)) for v in along]
    total = max(sum(over + minus, fmpq(0)), sum(under + plus, fmpq(0)))
    sides = []
    for own, face in ((over, minus), (under, plus)):
        weights = [w / total for w in own]
        shares = [w / total for w in face]
        if touching:
            shares.insert(0, 1 - sum(weights + shares, fmpq(0)))
        sides.append((*weights, *shares))
    return Combination(*sides)


def _coordinates(edges: list[list[fmpq]], vector: list[fmpq]) -> list[fmpq]:
    """Coefficients with which the edges, which may be dependent, add up to a vector."""
    if not edges:
        return []
    columns = [[row[c] for row in edges] + [vector[c]] for c in range(len(vector))]
    reduced, pivots = echelon(columns)
    out = [fmpq(0)] * len(edges)
    for row, p in zip(reduced, pivots, strict=True):
        out[p] = row[-1]
    return out


def _modulo(row: list[fmpq], reduced: list[list[fmpq]], pivots: list[int]) -> list[fmpq]:
    for line, p in zip(reduced, pivots, strict=True):
        if (factor := row[p]) != 0:
            row = [v - factor * u for v, u in zip(row, line, strict=True)]
    return row


def _dot(a: Sequence[fmpq], b: Sequence[fmpq]) -> fmpq:
    return sum((x * y for x, y in zip(a, b, strict=True)), fmpq(0))
