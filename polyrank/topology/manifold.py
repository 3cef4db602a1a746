"""Sampled manifolds: simplicial complexes with exact vertices in R^n, PL images of a space.

The network sees the points; homology sees the simplices. Nothing requires the simplices to be
disjoint in R^n: M is the abstract complex with its piecewise-linear map to R^n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import ArrayLike, NDArray

from polyrank.brief import brief
from polyrank.cells.interrupt import answered
from polyrank.chains.chain import ChainComplex, closure, simplicial_complex
from polyrank.errors import DomainError, NetworkError
from polyrank.network.rational import RationalArray

__all__ = ["Manifold", "build_manifold", "maximal_cells", "with_note"]


@brief("name", "ambient", cells=lambda m: m.complex.cells)
@dataclass(frozen=True, slots=True, eq=False)
class Manifold:
    """A finite simplicial complex with a vertex in R^n for each of its 0-simplices.

    Attributes
    ----------
    name : str
    points : RationalArray, shape (V, n)
        Exact.
    simplices : tuple of int arrays, shape (f_d, d + 1)
        All simplices by dimension, vertices ascending, rows in lexicographic order.
    complex : ChainComplex
        With the same numbering; simplices are oriented by the order of their vertices.
    labels : tuple of int arrays, shape (f_d,)
        Class of every simplex: that of the facets that contain it, −1 if there are several or none.
    note : str
        What the complex approximates, if it does, and what was changed while reading; or empty.
    degrees : int or None
        M is the skeleton of this dimension of the complex that is meant: homology of degrees
        0..degrees − 1 is that of the whole complex, and no other degree is shown. None: M is whole.
    """

    name: str
    points: RationalArray
    simplices: tuple[NDArray[np.int64], ...]
    complex: ChainComplex
    labels: tuple[NDArray[np.int64], ...]
    note: str = ""
    degrees: int | None = None

    @property
    def dimension(self) -> int:
        """Largest dimension of a simplex."""
        return len(self.simplices) - 1

    @property
    def ambient(self) -> int:
        """Dimension n of the space of the points."""
        return self.points.shape[1]

    @property
    def classes(self) -> tuple[int, ...]:
        """The labels that occur, ascending."""
        return tuple(sorted({int(v) for own in self.labels for v in np.unique(own)} - {-1}))

    def summary(self) -> dict[str, Any]:
        """Name, note, numbers of simplices, ambient dimension and degrees; JSON-serialisable."""
        return {
            "name": self.name,
            "note": self.note,
            "simplices": list(self.complex.cells),
            "ambient": self.ambient,
            "degrees": self.degrees,
        }

    @property
    def maximal(self) -> tuple[NDArray[np.bool_], ...]:
        """Per dimension, which simplices are faces of no other."""
        return maximal_cells(self.complex)

    def point(self, vertex: int) -> list[fmpq]:
        """The exact coordinates of a vertex."""
        if self.points.exact is None:
            entries = self.points.approx[vertex].tolist()
            return [fmpq(*v.as_integer_ratio()) for v in entries]
        return [self.points.exact[vertex, j] for j in range(self.ambient)]

    def of_class(self, label: int) -> Manifold:
        """The subcomplex that the facets of one class generate.

        Raises
        ------
        DomainError
            If no facet has this label.
        """
        chosen = [m & (own == label) for m, own in zip(self.maximal, self.labels, strict=True)]
        if not any(c.any() for c in chosen):
            known = ", ".join(map(str, self.classes))
            has = f"it has {known}" if known else "it has no labels"
            raise DomainError(f"no simplex of {self.name} has the label {label}; {has}")
        kept = np.flatnonzero(closure(self.complex, chosen)[0])
        number = np.full(self.points.shape[0], -1, np.int64)
        number[kept] = np.arange(kept.size)
        facets = [number[s[c]] for s, c in zip(self.simplices, chosen, strict=True) if c.any()]
        entries = [v for i in kept.tolist() for v in self.point(i)]
        points = RationalArray.from_rationals(entries, (kept.size, self.ambient))
        labels = [np.full(len(f), label) for f in facets]
        name = f"{self.name}, class {label}"
        made = build_manifold(points, facets, name, labels=labels, note=self.note)
        return replace(made, degrees=self.degrees)


def maximal_cells(complex_: ChainComplex) -> tuple[NDArray[np.bool_], ...]:
    """Per dimension, which cells are faces of no other."""
    out = [np.ones(f, dtype=bool) for f in complex_.cells]
    for d, matrix in enumerate(complex_.boundary):
        out[d] &= np.diff(matrix.tocsr().indptr) == 0
    return tuple(out)


def with_note(manifold: Manifold, note: str) -> Manifold:
    """The same complex, with one more sentence in its note."""
    if not note:
        return manifold
    return replace(manifold, note=f"{manifold.note}; {note}" if manifold.note else note)


def build_manifold(
    points: Any,
    facets: Sequence[ArrayLike],
    name: str = "manifold",
    *,
    labels: Sequence[ArrayLike] | None = None,
    note: str = "",
) -> Manifold:
    """A manifold from points and simplices.

    Parameters
    ----------
    points : RationalArray, or array_like of shape (V, n)
        A float is the dyadic rational that it encodes.
    facets : sequence of int arrays, shape (m, d + 1)
        Simplices, one array per dimension; their faces are added. Every point must be used.
    name : str
    labels : sequence of int arrays, shape (m,), optional
        Class of every facet.
    note : str

    Raises
    ------
    DomainError
        If there is no simplex, a simplex repeats a vertex or names one that does not exist, a
        point is used by none, a coordinate is not finite, or labels do not fit.

    Examples
    --------
    >>> triangle = build_manifold([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [[[0, 1, 2]]])
    >>> triangle.complex.cells
    (3, 3, 1)
    """
    exact = _points(points)
    count = exact.shape[0]
    arrays = [_facets(rows, count) for rows in facets]
    if not any(len(rows) for rows in arrays):
        raise DomainError(f"{name} has no simplices; list at least one")
    used = np.zeros(count, dtype=bool)
    for rows in arrays:
        used[rows] = True
    unused = np.flatnonzero(~used)
    if unused.size:
        raise DomainError(
            f"{unused.size} of the points of {name} belong to no simplex, the first is point "
            f"{int(unused[0])}; remove it, or list it as a simplex of one vertex"
        )
    # of a million simplices one call of numpy takes a second
    complex_, simplices = answered(lambda: simplicial_complex(arrays))
    return Manifold(
        name, exact, simplices, complex_, _labels(complex_, simplices, arrays, labels), note
    )


def _points(points: Any) -> RationalArray:
    if isinstance(points, RationalArray):
        exact = points
    else:
        try:
            exact = RationalArray.from_floats(points)
        except NetworkError as problem:
            raise DomainError(f"the points: {problem}") from None
    if len(exact.shape) != 2 or 0 in exact.shape:
        raise DomainError(f"points must be a matrix (V, n) with V, n >= 1, got {exact.shape}")
    return exact


def _facets(rows: ArrayLike, count: int) -> NDArray[np.int64]:
    try:
        array = np.asarray(rows)
    except ValueError:
        raise DomainError("simplices of different sizes must be in different arrays") from None
    if array.ndim != 2 or array.shape[1] == 0 or array.dtype.kind not in "iu":
        raise DomainError(
            f"simplices must be a matrix of vertex numbers (m, d + 1), got shape {array.shape} of "
            f"{array.dtype}"
        )
    if array.size and not (int(array.min()) >= 0 and int(array.max()) < count):
        at = int(np.flatnonzero(((array < 0) | (array >= count)).any(axis=1))[0])
        raise DomainError(
            f"simplex {at} is {array[at].tolist()}, but there are {count} points, numbered from 0"
        )
    ordered = np.sort(array.astype(np.int64), axis=1)
    repeats = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
    if repeats.size:
        at = int(repeats[0])
        raise DomainError(f"simplex {at} is {array[at].tolist()}: it repeats a vertex")
    return ordered


def _labels(
    complex_: ChainComplex,
    simplices: tuple[NDArray[np.int64], ...],
    facets: Sequence[NDArray[np.int64]],
    labels: Sequence[ArrayLike] | None,
) -> tuple[NDArray[np.int64], ...]:
    low = [np.full(f, np.iinfo(np.int64).max) for f in complex_.cells]
    high = [np.full(f, -1, np.int64) for f in complex_.cells]
    if labels is not None:
        if len(labels) != len(facets):
            raise DomainError(f"{len(facets)} arrays of simplices but {len(labels)} of labels")
        for rows, given in zip(facets, labels, strict=True):
            own = np.asarray(given)
            if own.shape != (len(rows),) or own.dtype.kind not in "iu" or (own < 0).any():
                raise DomainError(
                    f"labels must be {len(rows)} integers >= 0, got shape {own.shape} of "
                    f"{own.dtype}"
                )
            d = rows.shape[1] - 1
            lookup = {tuple(r): i for i, r in enumerate(simplices[d].tolist())}
            at = np.array([lookup[tuple(r)] for r in rows.tolist()], dtype=np.int64)
            np.minimum.at(low[d], at, own)
            np.maximum.at(high[d], at, own)
        for d in range(len(simplices) - 1, 0, -1):
            entries = complex_.boundary[d - 1].tocoo()
            row, column = entries.coords
            np.minimum.at(low[d - 1], row, low[d][column])
            np.maximum.at(high[d - 1], row, high[d][column])
    return tuple(np.where(a == b, b, -1) for a, b in zip(low, high, strict=True))
